//! What formats have in common.

use crate::api::Asked;
use crate::chat::Usage;
use crate::error::{Error, Fault, Kind};
use crate::json::Value;

/// The target cannot do it at all: no policy helps.
pub fn unsupported(member: &'static str, message: &'static str) -> Error {
    Error::field(member, message).with_code("unsupported_parameter")
}

pub fn bad_answer(message: &'static str) -> Error {
    Error::new(Kind::BadAnswer, Fault::Provider, message)
}

/// The model that a client is told.
pub fn model<'a>(given: Option<&'a str>, asked: &'a Asked) -> &'a str {
    let given = given.filter(|name| !name.is_empty());
    asked.rename.as_deref().or(given).unwrap_or(&asked.model)
}

/// Usage of a task that only reads.
pub fn input(tokens: u64) -> Usage {
    Usage { input: tokens, ..Usage::default() }
}

/// Strings of a list that must be there.
pub fn strings(list: &Value<'_>) -> Result<Vec<String>, Error> {
    if !list.is_list() {
        return Err(list.wrong("an array"));
    }
    let text = |one: Value<'_>| one.text().map(Into::into).ok_or_else(|| one.wrong("a string"));
    list.items().map(text).collect()
}

/// The parts of `data:image/png;base64,iVBO…`.
pub fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    Some((head.strip_suffix(";base64")?, data))
}
