//! What went wrong, whose fault it is and what the client is told, before any API gives it a shape.
//!
//! May use: nothing.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Client,
    Provider,
    Gateway,
}

/// What kind of error it is: what an API's error type is chosen by, and fail-over decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The request cannot be read or served as it is: 400, 413, 415, 422.
    InvalidRequest,
    /// More tokens than the model takes.
    ContextLength,
    /// Refused by a content policy before an answer was made.
    ContentPolicy,
    /// No such path or method.
    NotFound,
    /// No such model, here or at the provider.
    ModelNotFound,
    Authentication,
    Permission,
    RateLimit,
    /// The provider says it has too much to do: 503, 529.
    Overloaded,
    Timeout,
    /// Nothing came back: refused connection, reset, no healthy host.
    Unreachable,
    /// An answer that cannot be understood, or a stream that broke off.
    BadAnswer,
    /// Any other failure of the provider's: 5xx.
    Provider,
    /// A defect of ours.
    Internal,
}

impl Kind {
    /// As in logs, metrics and `retry_on`.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::ContextLength => "context_length",
            Self::ContentPolicy => "content_policy",
            Self::NotFound => "not_found",
            Self::ModelNotFound => "model_not_found",
            Self::Authentication => "authentication",
            Self::Permission => "permission",
            Self::RateLimit => "rate_limit",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::BadAnswer => "bad_answer",
            Self::Provider => "provider",
            Self::Internal => "internal",
        }
    }

    /// The status for an error that did not come with one.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest | Self::ContextLength | Self::ContentPolicy => 400,
            Self::Authentication => 401,
            Self::Permission => 403,
            Self::NotFound | Self::ModelNotFound => 404,
            Self::RateLimit => 429,
            Self::Overloaded | Self::Unreachable => 503,
            Self::Timeout => 504,
            Self::BadAnswer | Self::Provider => 502,
            Self::Internal => 500,
        }
    }

    /// The kind that a bare status stands for.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            402 | 403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::InvalidRequest,
            _ => Self::Provider,
        }
    }
}

/// Boxed: an error is rare, and every `?` moves it.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Detail>);

#[derive(Clone, PartialEq, Eq)]
pub struct Detail {
    pub kind: Kind,
    pub fault: Fault,
    pub status: u16,
    /// For the client: no secret, no provider's host name.
    pub message: String,
    /// The request's field at fault, as a path: `messages[2].content`.
    pub param: Option<String>,
    /// A machine-readable code, as the provider gave it or as OpenAI names it.
    pub code: Option<String>,
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Detail { kind, fault, status, message, param, code } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("fault", fault)
            .field("status", status)
            .field("message", message)
            .field("param", param)
            .field("code", code)
            .finish()
    }
}

impl Deref for Error {
    type Target = Detail;

    fn deref(&self) -> &Detail {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut Detail {
        &mut self.0
    }
}

impl Error {
    pub fn of(detail: Detail) -> Self {
        Self(Box::new(detail))
    }

    pub fn new(kind: Kind, fault: Fault, message: impl Into<String>) -> Self {
        Self::made(kind, fault, message.into())
    }

    #[inline(never)]
    fn made(kind: Kind, fault: Fault, message: String) -> Self {
        Self::of(Detail { kind, fault, status: kind.status(), message, param: None, code: None })
    }

    /// The client's request cannot be served as it is: 400.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidRequest, Fault::Client, message)
    }

    /// As [`Self::invalid`], naming the field.
    pub fn field(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(message).with_param(param)
    }

    /// The provider's answer is wrong or missing.
    pub fn provider(kind: Kind, message: impl Into<String>) -> Self {
        Self::new(kind, Fault::Provider, message)
    }

    /// The message for a client of any API: names the field where an API has no other place for it.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.param {
            Some(param) if self.fault == Fault::Client && !self.names(param) => {
                Cow::Owned(format!("{param}: {}", self.message))
            }
            _ => Cow::Borrowed(&self.message),
        }
    }

    /// Whether the message has the name as a word: the letters of `n` are in any. A path is at the beginning.
    fn names(&self, param: &str) -> bool {
        self.message.starts_with(param) && param.contains(['.', '['])
            || self.message.split([' ', '`', ':', '[', '.']).any(|word| word == param)
    }

    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_its_field_once() {
        for (param, message, expected) in [
            ("n", "must be a whole number", "n: must be a whole number"),
            ("day", "must be like 2026-12-31", "day: must be like 2026-12-31"),
            ("model", "`model` must be given", "`model` must be given"),
            ("n", "n: must not be negative", "n: must not be negative"),
            ("messages[0].role", "messages[0].role: is missing", "messages[0].role: is missing"),
        ] {
            assert_eq!(Error::field(param, message).text(), expected, "{param}");
        }
    }
}
