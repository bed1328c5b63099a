//! Errors: as providers of this API, and of those that resemble it, send them, and as its clients expect them.

use super::wire::{member, name};
use crate::error::{Error, Fault, Kind};
use crate::json;

/// Characters of a provider's message that go on.
const MAX_MESSAGE: usize = 2000;

/// An error body of any shape: an `error` object or string, `message`, `detail`, an array of these, or no JSON.
pub(super) fn read(status: u16, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(body);
    let said = Said::of(text.trim());
    let mut kind = Kind::of_status(status);
    if let Some(better) = said.kind(kind) {
        kind = better;
    }
    let status = if (400..=599).contains(&status) { status } else { kind.status() };
    let message = match kind {
        // A provider repeats part of the key it refused, and the key is the gateway's.
        Kind::Authentication => "the provider refused the gateway's credentials".to_owned(),
        Kind::Permission => "the provider does not permit this request".to_owned(),
        _ => match said.message {
            Some(message) if !message.is_empty() => message.chars().take(MAX_MESSAGE).collect(),
            _ => format!("the provider answered with status {status}"),
        },
    };
    let fault = match kind {
        Kind::InvalidRequest | Kind::ContextLength | Kind::ContentPolicy => Fault::Client,
        _ => Fault::Provider,
    };
    Error { kind, fault, status, message, param: said.param, code: said.code }
}

/// An error in the place of an answer or in the midst of one: there is no status, but often a number for one.
pub(super) fn inside(error: &str) -> Error {
    let status = json::find(error, &["code"]).and_then(|code| code.trim_matches('"').parse().ok());
    let status = status.filter(|status| (400..=599).contains(status));
    let kind = status.is_none().then(|| Said::of(error).kind(Kind::Provider)).flatten();
    let status = status.or(kind.map(Kind::status)).unwrap_or(Kind::Provider.status());
    let mut body = b"{\"error\":".to_vec();
    body.extend_from_slice(error.as_bytes());
    body.push(b'}');
    read(status, &body)
}

#[derive(Default)]
struct Said {
    message: Option<String>,
    kind: Option<String>,
    code: Option<String>,
    param: Option<String>,
}

impl Said {
    fn of(text: &str) -> Self {
        // Some wrap the error in an array.
        let text = json::each(text).next().unwrap_or(text);
        let error = json::find(text, &["error"]).filter(|e| *e != "null");
        let inner = error.filter(|e| e.starts_with('{')).unwrap_or(text);
        if !inner.starts_with('{') {
            let message = string(inner).or_else(|| plain(inner));
            return Self { message, ..Self::default() };
        }
        let of = |key: &str| json::find(inner, &[key]).and_then(string);
        let around = |key: &str| json::find(text, &[key]).and_then(string);
        let detail = json::find(inner, &["detail"]);
        let detail = detail.map(|d| {
            string(d).unwrap_or_else(|| json::find(d, &["0", "msg"]).and_then(string).unwrap_or_else(|| d.to_owned()))
        });
        Self {
            message: error.and_then(string).or_else(|| of("message")).or(detail).or_else(|| around("message")),
            kind: of("type"),
            code: of("code").or_else(|| {
                json::find(inner, &["code"]).filter(|c| c.bytes().all(|b| b.is_ascii_digit())).map(str::to_owned)
            }),
            param: of("param"),
        }
    }

    /// What the words say that the status does not.
    fn kind(&self, by_status: Kind) -> Option<Kind> {
        let code = self.code.as_deref().unwrap_or_default();
        let kind = self.kind.as_deref().unwrap_or_default();
        let has = |words: &[&str]| words.contains(&code) || words.contains(&kind);
        let message = self.message.as_deref().unwrap_or_default().to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|w| message.contains(w));
        if has(&["insufficient_quota", "rate_limit_exceeded", "rate_limit_error"]) {
            return Some(Kind::RateLimit);
        }
        // A status of its own says more than a message that mentions some limit.
        if !matches!(by_status, Kind::InvalidRequest | Kind::Provider | Kind::NotFound) {
            return None;
        }
        if has(&["context_length_exceeded", "string_above_max_length_context", "exceed_context_size_error"])
            || says(&[
                "maximum context length",
                "context window",
                "context length",
                "too many tokens",
                "prompt is too long",
                "input length",
                "reduce the length of the messages",
                "exceeds the available context",
            ])
        {
            return Some(Kind::ContextLength);
        }
        if has(&["content_filter", "content_policy_violation", "responsible_ai_policy_violation"])
            || says(&["content management policy", "content policy", "content_filter"])
        {
            return Some(Kind::ContentPolicy);
        }
        if has(&["model_not_found", "deploymentnotfound", "DeploymentNotFound", "model_not_available", "invalid_model"])
            || (by_status == Kind::NotFound && message.contains("model"))
        {
            return Some(Kind::ModelNotFound);
        }
        // A vendor refuses a bad key with a plain 400.
        if has(&["invalid_api_key", "authentication_error"]) || says(&["incorrect api key", "invalid api key"]) {
            return Some(Kind::Authentication);
        }
        has(&["overloaded_error", "server_overloaded"]).then_some(Kind::Overloaded)
    }
}

/// A non-empty JSON string's text.
fn string(raw: &str) -> Option<String> {
    raw.starts_with('"').then(|| serde_json::from_str::<String>(raw).ok()).flatten().filter(|s| !s.is_empty())
}

/// A short text that is a message and no page of markup.
fn plain(text: &str) -> Option<String> {
    const MAX_PLAIN: usize = 300;
    let fit = !text.is_empty() && text.len() <= MAX_PLAIN && !text.starts_with(['<', '{', '[', '"']) && text != "null";
    fit.then(|| text.to_owned())
}

pub(super) fn write(error: &Error) -> (u16, Vec<u8>) {
    let status = match error.status {
        // An overload in other words, which clients of this API know.
        529 => 503,
        status @ 400..=599 => status,
        _ => error.kind.status(),
    };
    let mut out = Vec::with_capacity(256);
    out.push(b'{');
    object(&mut out, error);
    out.push(b'}');
    (status, out)
}

/// Writes `"error":{…}`.
pub(super) fn object(out: &mut Vec<u8>, error: &Error) {
    let code = error.code.as_deref().or(match error.kind {
        Kind::ContextLength => Some("context_length_exceeded"),
        Kind::ContentPolicy => Some("content_policy_violation"),
        Kind::ModelNotFound => Some("model_not_found"),
        Kind::Authentication => Some("invalid_api_key"),
        Kind::RateLimit => Some("rate_limit_exceeded"),
        _ => None,
    });
    let kind = match error.kind {
        _ if code == Some("insufficient_quota") => "insufficient_quota",
        Kind::InvalidRequest | Kind::ContextLength | Kind::ContentPolicy | Kind::NotFound | Kind::ModelNotFound => {
            "invalid_request_error"
        }
        Kind::Authentication => "authentication_error",
        Kind::Permission => "permission_error",
        Kind::RateLimit => "rate_limit_error",
        Kind::Overloaded | Kind::Timeout | Kind::Unreachable | Kind::BadAnswer | Kind::Provider | Kind::Internal => {
            "server_error"
        }
    };
    name(out, "error");
    out.push(b'{');
    member(out, "message", &error.text());
    member(out, "type", kind);
    for (key, value) in [("param", error.param.as_deref()), ("code", code)] {
        match value {
            Some(value) => member(out, key, value),
            None => super::wire::raw_member(out, key, "null"),
        }
    }
    out.push(b'}');
}
