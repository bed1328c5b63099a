//! Errors: as providers of this API, and of those that resemble it, send them, and as its clients expect them.

use crate::error::{Detail, Error, Fault, Kind};
use crate::json::{Tree, Value, write as put};
use std::borrow::Cow;

/// Characters of a provider's message that go on.
const MAX_MESSAGE: usize = 2000;

/// An error body of any shape: an `error` object or string, `message`, `detail`, an array of these, or no JSON.
pub fn read(status: u16, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let mut tree = Tree::default();
    match tree.read(text.as_bytes()) {
        Ok(body) => Said::of(&body).error(status),
        Err(_) => Said { message: plain(text), ..Said::default() }.error(status),
    }
}

/// An error in the place of an answer or in the midst of one: there is no status, but often a number for one.
pub fn inside(error: &Value<'_>) -> Error {
    let said = Said::new(error, error);
    let status = said.code.as_ref().and_then(|code| code.parse().ok());
    let status = status.filter(|status| (400..=599).contains(status));
    let kind = || said.kind(Kind::Provider).unwrap_or(Kind::Provider);
    let status = status.unwrap_or_else(|| kind().status());
    said.error(status)
}

#[derive(Default)]
struct Said<'a> {
    message: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    code: Option<Cow<'a, str>>,
    param: Option<Cow<'a, str>>,
}

impl<'a> Said<'a> {
    fn of(body: &Value<'a>) -> Self {
        // Some wrap the error in an array.
        let body = body.items().next().unwrap_or(*body);
        Self::new(&body.get("error").unwrap_or(body), &body)
    }

    /// `around`: the object that the error is in, for one that is not an object itself.
    fn new(error: &Value<'a>, around: &Value<'a>) -> Self {
        let inner = if error.is_object() { error } else { around };
        let of = |name: &str| inner.get(name).and_then(|value| string(&value));
        let detail = inner.get("detail").map(|detail| {
            let first = || detail.items().next()?.get("msg").and_then(|value| string(&value));
            string(&detail).or_else(first).unwrap_or(Cow::Borrowed(detail.raw()))
        });
        let code = inner.get("code");
        Self {
            message: string(error)
                .or_else(|| of("message"))
                .or(detail)
                .or_else(|| around.get("message").and_then(|value| string(&value))),
            kind: of("type"),
            code: of("code").or(code.filter(|code| code.count().is_some()).map(|code| Cow::Borrowed(code.raw()))),
            param: of("param"),
        }
    }

    fn error(self, status: u16) -> Error {
        let mut kind = Kind::of_status(status);
        if let Some(better) = self.kind(kind) {
            kind = better;
        }
        let came = status;
        let status = if (400..=599).contains(&status) { status } else { kind.status() };
        let message = match kind {
            // A provider repeats part of the key it refused, and the key is the gateway's.
            Kind::Authentication => "the provider refused the gateway's credentials".to_owned(),
            Kind::Permission => "the provider does not permit this request".to_owned(),
            _ => match self.message {
                Some(message) if !message.is_empty() => message.chars().take(MAX_MESSAGE).collect(),
                _ => format!("the provider answered with status {came}"),
            },
        };
        let fault = match kind {
            Kind::InvalidRequest | Kind::ContextLength | Kind::ContentPolicy => Fault::Client,
            _ => Fault::Provider,
        };
        let [param, code] = [self.param, self.code].map(|text| text.map(Cow::into_owned));
        Error::of(Detail { kind, fault, status, message, param, code })
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

/// A string that says something.
fn string<'a>(value: &Value<'a>) -> Option<Cow<'a, str>> {
    value.text().filter(|text| !text.is_empty())
}

/// A short text that is a message and no page of markup.
fn plain(text: &str) -> Option<Cow<'_, str>> {
    const MAX_PLAIN: usize = 300;
    let fit = text.len() <= MAX_PLAIN && !text.starts_with(['<', '{', '[', '"']);
    fit.then_some(Cow::Borrowed(text))
}

pub fn write(error: &Error) -> (u16, Vec<u8>) {
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
pub fn object(out: &mut Vec<u8>, error: &Error) {
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
    put::field(out, "error");
    out.push(b'{');
    put::text(out, "message", &error.text());
    put::text(out, "type", kind);
    put::text_or_null(out, "param", error.param.as_deref());
    put::text_or_null(out, "code", code);
    out.push(b'}');
}
