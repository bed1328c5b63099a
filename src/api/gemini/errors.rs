//! Errors: a provider's read, ours written.

use super::wire::{each, has, said};
use crate::error::{Detail, Error, Fault, Kind};
use crate::json::write::{number, raw, text};
use crate::json::{Tree, Value};
use std::borrow::Cow;

/// Characters of a provider's message that are passed on.
const MAX_MESSAGE: usize = 2_000;

/// Google's words for what went wrong, with the status that each comes with.
const WORDS: &[(&str, u16)] = &[
    ("INVALID_ARGUMENT", 400),
    ("FAILED_PRECONDITION", 400),
    ("OUT_OF_RANGE", 400),
    ("UNAUTHENTICATED", 401),
    ("PERMISSION_DENIED", 403),
    ("NOT_FOUND", 404),
    ("ABORTED", 409),
    ("ALREADY_EXISTS", 409),
    ("RESOURCE_EXHAUSTED", 429),
    ("CANCELLED", 499),
    ("INTERNAL", 500),
    ("UNKNOWN", 500),
    ("DATA_LOSS", 500),
    ("UNIMPLEMENTED", 501),
    ("UNAVAILABLE", 503),
    ("DEADLINE_EXCEEDED", 504),
];

/// An error that came with a status: any body, also one that is no JSON.
pub(super) fn read(status: u16, body: &[u8]) -> Error {
    let mut tree = Tree::default();
    match tree.read(body) {
        Ok(body) => make(Some(status), &within(&body).unwrap_or(body)),
        Err(_) => finish(status, "", Cow::Borrowed(""), false),
    }
}

/// The error that a body holds, which may be wrapped in an array.
pub(super) fn within<'a>(body: &Value<'a>) -> Option<Value<'a>> {
    body.get("error").or_else(|| body.items().next()?.get("error"))
}

/// An error where an answer, or an event of one, was to be.
pub(super) fn in_answer(error: &Value<'_>) -> Error {
    make(None, error)
}

fn make(status: Option<u16>, error: &Value<'_>) -> Error {
    let word = said(error, "status").unwrap_or_default();
    let code = || error.get("code").and_then(|code| u16::try_from(code.count()?).ok());
    let by_word = || WORDS.iter().find(|(own, _)| *own == word).map(|(_, status)| *status);
    let fit = |status: &u16| (400..=599).contains(status);
    let status = status.filter(fit).or_else(|| code().filter(fit)).or_else(by_word).unwrap_or(500);
    let mut message = error.text().or_else(|| said(error, "message")).unwrap_or_default();
    let mut bad_key = has(&message, "API key not valid") || has(&message, "API Key not found");
    for detail in each(error, "details") {
        bad_key |= detail.get("reason").is_some_and(|reason| reason.is("API_KEY_INVALID"));
        if let Some(delay) = said(&detail, "retryDelay").filter(|delay| !has(&message, delay)) {
            message = [&message, " (retry after ", &delay, ")"].concat().into();
        }
    }
    finish(status, &word, message, bad_key)
}

fn finish(status: u16, word: &str, message: Cow<'_, str>, bad_key: bool) -> Error {
    let status = if status < 400 { Kind::BadAnswer.status() } else { status };
    let kind = if bad_key { Kind::Authentication } else { kind(status, word, &message) };
    let fault = match kind {
        Kind::InvalidRequest | Kind::ContextLength | Kind::ContentPolicy => Fault::Client,
        _ => Fault::Provider,
    };
    let message = match kind {
        // Its words are about the gateway's own account.
        Kind::Authentication | Kind::Permission => "the provider does not accept the gateway's credentials".to_owned(),
        _ if message.trim().is_empty() => ["the provider answered with status ", &status.to_string()].concat(),
        _ => message.chars().take(MAX_MESSAGE).collect(),
    };
    let code = match kind {
        Kind::ContextLength => Some("context_length_exceeded"),
        Kind::ModelNotFound => Some("model_not_found"),
        _ => Some(word).filter(|word| !word.is_empty()),
    };
    Error::of(Detail { kind, fault, status, message, param: None, code: code.map(str::to_owned) })
}

fn kind(status: u16, word: &str, message: &str) -> Kind {
    let says = |part: &str| has(message, part);
    match (status, word) {
        (_, "RESOURCE_EXHAUSTED") => Kind::RateLimit,
        (_, "UNAVAILABLE") => Kind::Overloaded,
        (_, "DEADLINE_EXCEEDED") => Kind::Timeout,
        (404, _) if says("model") || says("Model") => Kind::ModelNotFound,
        (400, _) if says("exceeds the maximum number of tokens") => Kind::ContextLength,
        // The account's place or billing, which no other request would change.
        (400, "FAILED_PRECONDITION") => Kind::Permission,
        _ => Kind::of_status(status),
    }
}

/// The status and body that a client of this API understands.
pub(super) fn write(error: &Error) -> (u16, Vec<u8>) {
    let status = match error.status {
        // Another API's word for an overload.
        529 => 503,
        status @ 400..=599 => status,
        _ => error.kind.status(),
    };
    let mut out = vec![b'{'];
    raw(&mut out, "error", "{");
    number(&mut out, "code", u64::from(status));
    text(&mut out, "message", &error.text());
    text(&mut out, "status", word(error.kind, status));
    out.extend_from_slice(b"}}");
    (status, out)
}

fn word(kind: Kind, status: u16) -> &'static str {
    match kind {
        Kind::InvalidRequest | Kind::ContextLength | Kind::ContentPolicy => "INVALID_ARGUMENT",
        Kind::Authentication => "UNAUTHENTICATED",
        Kind::Permission => "PERMISSION_DENIED",
        Kind::NotFound | Kind::ModelNotFound => "NOT_FOUND",
        Kind::RateLimit => "RESOURCE_EXHAUSTED",
        Kind::Overloaded | Kind::Unreachable => "UNAVAILABLE",
        Kind::Timeout => "DEADLINE_EXCEEDED",
        Kind::BadAnswer | Kind::Provider | Kind::Internal => match status {
            501 => "UNIMPLEMENTED",
            _ => "INTERNAL",
        },
    }
}
