//! Errors: a provider's read, ours written.

use super::shared::error;
use super::wire::told;
use crate::error::{Error, Kind};
use crate::json::{Value, write as put};

pub(super) use super::shared::error::inside;

/// An error that came with a status: `message` beside an `id`, or what proxies between send.
pub(super) fn read(status: u16, body: &[u8]) -> Error {
    // The API's own status for a key that is not valid.
    error::read(if status == 498 { 401 } else { status }, body)
}

/// An answer that ends with one of these words is none.
pub(super) fn failed(of: &Value<'_>) -> Option<Error> {
    match told(of, "finish_reason").as_deref() {
        Some("ERROR") => Some(inside(&of.get("error").unwrap_or(*of))),
        Some("TIMEOUT") => {
            let words = told(of, "error");
            Some(Error::provider(Kind::Timeout, words.unwrap_or("the provider took too long to answer".into())))
        }
        _ => None,
    }
}

pub(super) fn write(error: &Error) -> (u16, Vec<u8>) {
    let status = match error.status {
        // An overload in other words, which this API's clients know.
        529 => 503,
        status @ 400..=599 => status,
        _ => error.kind.status(),
    };
    let mut out = Vec::with_capacity(128);
    out.push(b'{');
    put::text(&mut out, "message", &error.text());
    out.push(b'}');
    (status, out)
}
