//! Errors: a provider's read, ours written.
//!
//! The vendor names the type in the header `x-amzn-errortype`; its SDKs read it from `__type` in the body as well.

use super::text_of;
use crate::error::{Detail, Error, Fault, Kind};
use crate::framing::eventstream;
use crate::json::Value;
use crate::json::write::text;

/// Characters of a provider's message that are passed on.
const MAX_MESSAGE: usize = 2_000;

const CREDENTIALS: &str = "the provider does not accept the gateway's credentials";

/// An error that came with a status.
pub(super) fn read(status: u16, body: Option<Value<'_>>) -> Error {
    let of = |name: &str| body.and_then(|body| text_of(body, name));
    let word = of("__type").or_else(|| of("code")).unwrap_or_default();
    let message = of("message").or_else(|| of("Message")).unwrap_or_default();
    // `com.amazonaws.bedrock#ThrottlingException:http://…`
    let word = word.split(':').next().and_then(|word| word.rsplit('#').next()).unwrap_or_default();
    make(status, word, &message)
}

/// An exception in the midst of a stream. It has no status, but often the one that its model gave.
pub(super) fn in_stream(name: &[u8], data: Option<Value<'_>>, plain: &[u8]) -> Error {
    let name = std::str::from_utf8(name).unwrap_or_default();
    let message = data.and_then(|data| text_of(data, "message").or_else(|| text_of(data, "Message")));
    let plain = || String::from_utf8_lossy(plain);
    let message = message.unwrap_or_else(|| if data.is_none() { plain() } else { "".into() });
    let known = TABLE.iter().find(|row| is(row.1, name));
    let own = data.and_then(|data| data.get("originalStatusCode")?.count()).and_then(|n| u16::try_from(n).ok());
    let own = own.filter(|status| (400..=599).contains(status) && is("ModelStreamErrorException", name));
    make(own.or(known.map(|row| row.2)).unwrap_or(500), name, &message)
}

/// An event with such a name is an exception's, or an error's of the framing.
pub(super) fn is_exception(name: &[u8]) -> bool {
    name.ends_with(b"xception") || name.ends_with(b"rror")
}

/// The same type: streams begin it with a small letter.
fn is(word: &str, name: &str) -> bool {
    word.eq_ignore_ascii_case(name)
}

/// Kinds, the types they are written as, and the status of each.
const TABLE: &[(Kind, &str, u16)] = &[
    (Kind::InvalidRequest, "ValidationException", 400),
    (Kind::ContextLength, "ValidationException", 400),
    (Kind::ContentPolicy, "ValidationException", 400),
    (Kind::NotFound, "ResourceNotFoundException", 404),
    (Kind::ModelNotFound, "ResourceNotFoundException", 404),
    (Kind::Authentication, "UnrecognizedClientException", 403),
    (Kind::Permission, "AccessDeniedException", 403),
    (Kind::RateLimit, "ThrottlingException", 429),
    (Kind::Overloaded, "ServiceUnavailableException", 503),
    (Kind::Unreachable, "ServiceUnavailableException", 503),
    (Kind::Timeout, "ModelTimeoutException", 408),
    (Kind::Provider, "InternalServerException", 500),
    (Kind::BadAnswer, "InternalServerException", 500),
    (Kind::Internal, "InternalServerException", 500),
    // Only read.
    (Kind::Provider, "ModelErrorException", 424),
    (Kind::Provider, "ModelStreamErrorException", 424),
    (Kind::Overloaded, "ModelNotReadyException", 429),
    (Kind::RateLimit, "ServiceQuotaExceededException", 400),
    (Kind::Authentication, "ExpiredTokenException", 403),
    (Kind::Authentication, "InvalidSignatureException", 403),
    (Kind::Authentication, "IncompleteSignatureException", 403),
];

fn make(status: u16, word: &str, message: &str) -> Error {
    // A status below 400 is no error's.
    let status = if status < 400 { Kind::BadAnswer.status() } else { status };
    let kind = kind(status, word, message);
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
        _ => Some(word).filter(|word| !word.is_empty()),
    };
    Error::of(Detail { kind, fault, status, message, param: None, code: code.map(str::to_owned) })
}

fn kind(status: u16, word: &str, message: &str) -> Kind {
    let message = message.to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if let Some((kind, ..)) = TABLE.iter().find(|row| is(row.1, word)).filter(|row| row.0 != Kind::InvalidRequest) {
        return if *kind == Kind::NotFound && says(&["model"]) { Kind::ModelNotFound } else { *kind };
    }
    match status {
        400 if says(&["too long", "too many input tokens", "context window", "context length", "maximum tokens"]) => {
            Kind::ContextLength
        }
        400 if says(&["model identifier is invalid"]) => Kind::ModelNotFound,
        400 if says(&["content filter", "content policy", "responsible ai"]) => Kind::ContentPolicy,
        403 if says(&["security token", "signature", "api key", "bearer token", "credential"]) => Kind::Authentication,
        404 if says(&["model"]) => Kind::ModelNotFound,
        // The model failed, not the request.
        424 => Kind::Provider,
        status => Kind::of_status(status),
    }
}

/// The status and body that a client of this API understands.
pub(super) fn write(error: &Error) -> (u16, Vec<u8>) {
    let status = match error.status {
        // An overload in other words, which clients of this API know.
        529 => 503,
        status => status,
    };
    let word = TABLE.iter().find(|row| row.0 == error.kind).map_or("InternalServerException", |row| row.1);
    let mut out = vec![b'{'];
    text(&mut out, "__type", word);
    text(&mut out, "message", &error.text());
    out.push(b'}');
    (status, out)
}

/// Writes the exception that ends a stream: one of the five that a stream may have.
pub(super) fn write_in_stream(out: &mut Vec<u8>, error: &Error) {
    let name = match error.kind {
        Kind::InvalidRequest | Kind::ContextLength | Kind::ContentPolicy | Kind::NotFound | Kind::ModelNotFound => {
            "validationException"
        }
        Kind::RateLimit => "throttlingException",
        Kind::Overloaded | Kind::Unreachable => "serviceUnavailableException",
        Kind::Provider | Kind::BadAnswer | Kind::Timeout => "modelStreamErrorException",
        Kind::Authentication | Kind::Permission | Kind::Internal => "internalServerException",
    };
    let headers = [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    let at = eventstream::begin(out, &headers);
    let mut body = vec![b'{'];
    text(&mut body, "message", &error.text());
    if name == "modelStreamErrorException" {
        crate::json::write::number(&mut body, "originalStatusCode", u64::from(error.status.clamp(100, 599)));
    }
    body.push(b'}');
    out.extend_from_slice(&body);
    eventstream::end(out, at);
}
