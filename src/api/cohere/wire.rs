//! What reading and writing have in common.

use super::shared::wire::{id, more};
use crate::json::{Value, write};
use std::borrow::Cow;

/// A string that a provider may leave out, or give as something else.
pub(super) fn told<'a>(of: &Value<'a>, name: &str) -> Option<Cow<'a, str>> {
    of.get(name)?.text().filter(|text| !text.is_empty())
}

/// An id for a call that has none: the same answer gives the same.
pub(super) fn made_id(answer: &str, call: usize) -> String {
    let mut text = answer.as_bytes().to_vec();
    text.push(0xff);
    write::digits(&mut text, call as u64);
    id("call_", more(&text))
}
