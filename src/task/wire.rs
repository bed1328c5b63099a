//! What formats have in common: names in paths, lists of strings, what an answer says of itself.

use crate::api::{Asked, Line};
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

/// The name before `:verb` in the last part of a POST's path, which follows `/models/`.
pub fn verb<'l>(line: &Line<'l>, verb: &str) -> Option<&'l str> {
    let (before, last) = line.path.rsplit_once('/')?;
    let known = before.strip_suffix("/models").is_some_and(|base| base.starts_with("/v1"));
    let (model, said) = last.rsplit_once(':')?;
    (line.method == "POST" && known && said == verb && !model.is_empty()).then_some(model)
}

/// Strings of a list that must be there.
pub fn strings(list: &Value<'_>) -> Result<Vec<String>, Error> {
    if !list.is_list() {
        return Err(list.wrong("an array"));
    }
    let text = |one: Value<'_>| one.text().map(Into::into).ok_or_else(|| one.wrong("a string"));
    list.items().map(text).collect()
}

/// Writes a name as one segment of a path.
pub fn encode(path: &mut String, name: &str) {
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push('%');
            for digit in [byte >> 4, byte & 15] {
                path.push(char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
}
