//! Errors: a provider's read, ours written.

use super::text_of;
use crate::error::{Detail, Error, Fault, Kind};
use crate::json::Value;
use crate::json::write::{raw, text};
use std::borrow::Cow;

/// Characters of a provider's message that are passed on.
const MAX_MESSAGE: usize = 2_000;

const CREDENTIALS: &str = "the provider does not accept the gateway's credentials";

/// An error's type and message, in any of the forms that bodies come in: this API's, OpenAI's, those of proxies between.
fn said(body: Option<Value<'_>>) -> (Option<Cow<'_, str>>, Option<Cow<'_, str>>) {
    let Some(body) = body else { return (None, None) };
    // Google wraps an error in an array.
    let body = body.items().next().unwrap_or(body);
    let outer = || text_of(body, "message").or_else(|| text_of(body, "detail"));
    match body.get("error") {
        Some(error) if error.is_object() => (text_of(error, "type"), text_of(error, "message").or_else(outer)),
        Some(error) if error.is_text() => (None, error.text()),
        _ => (None, outer()),
    }
}

/// An error that came with a status.
pub(super) fn read(status: u16, body: Option<Value<'_>>) -> Error {
    let (kind, message) = said(body);
    make(status, kind.as_deref(), message)
}

/// An error where an answer, or an event of one, was to be: it has no status of its own.
pub(super) fn in_answer(body: Option<Value<'_>>) -> Error {
    let (kind, message) = said(body);
    let status = match kind.as_deref().unwrap_or_default() {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    };
    make(status, kind.as_deref(), message)
}

fn make(status: u16, word: Option<&str>, message: Option<Cow<'_, str>>) -> Error {
    // A status below 400 is no error's.
    let status = if status < 400 { Kind::BadAnswer.status() } else { status };
    let message = message.unwrap_or_default();
    let kind = kind(status, word.unwrap_or_default(), &message);
    let fault = match kind {
        Kind::InvalidRequest | Kind::ContextLength | Kind::ContentPolicy => Fault::Client,
        _ => Fault::Provider,
    };
    let message = match kind {
        // Its words are about the gateway's own account.
        Kind::Authentication | Kind::Permission => CREDENTIALS.to_owned(),
        _ if message.trim().is_empty() => ["the provider answered with status ", &status.to_string()].concat(),
        _ => message.chars().take(MAX_MESSAGE).collect(),
    };
    let code = match kind {
        Kind::ContextLength => Some("context_length_exceeded"),
        Kind::ModelNotFound => Some("model_not_found"),
        _ => word,
    };
    Error::of(Detail { kind, fault, status, message, param: None, code: code.map(str::to_owned) })
}

fn kind(status: u16, word: &str, message: &str) -> Kind {
    let says = |part: &str| message.contains(part);
    match word {
        "overloaded_error" => return Kind::Overloaded,
        "rate_limit_error" => return Kind::RateLimit,
        "authentication_error" => return Kind::Authentication,
        "permission_error" | "billing_error" => return Kind::Permission,
        "timeout_error" => return Kind::Timeout,
        "not_found_error" if says("model") => return Kind::ModelNotFound,
        _ => {}
    }
    if status == 400 {
        let too_long = ["prompt is too long", "exceed context limit", "exceeds the context", "context window"];
        if too_long.into_iter().any(says) {
            return Kind::ContextLength;
        }
        if says("content filtering policy") || says("usage policies") {
            return Kind::ContentPolicy;
        }
        if says("credit balance") {
            return Kind::Permission;
        }
    }
    Kind::of_status(status)
}

/// The status and body that a client of this API understands.
pub(super) fn write(error: &Error) -> (u16, Vec<u8>) {
    let status = match (error.kind, error.status) {
        (Kind::Overloaded, 503) => 529,
        (_, status) => status,
    };
    let mut out = vec![b'{'];
    text(&mut out, "type", "error");
    raw(&mut out, "error", "{");
    text(&mut out, "type", word(error));
    text(&mut out, "message", &error.text());
    out.extend_from_slice(b"}}");
    (status, out)
}

fn word(error: &Error) -> &'static str {
    match (error.kind, error.status) {
        (_, 413) => "request_too_large",
        (_, 402) => "billing_error",
        (Kind::InvalidRequest | Kind::ContextLength | Kind::ContentPolicy, _) => "invalid_request_error",
        (Kind::Authentication, _) => "authentication_error",
        (Kind::Permission, _) => "permission_error",
        (Kind::NotFound | Kind::ModelNotFound, _) => "not_found_error",
        (Kind::RateLimit, _) => "rate_limit_error",
        (Kind::Overloaded, _) => "overloaded_error",
        (Kind::Timeout, _) => "timeout_error",
        (Kind::Unreachable | Kind::BadAnswer | Kind::Provider | Kind::Internal, _) => "api_error",
    }
}
