//! What reading and writing have in common.

use super::shared::wire::{id, more};
use crate::base64::data_url;
use crate::chat::Source;
use crate::json::{Value, write};
use std::borrow::Cow;

/// A string that a provider may leave out, or give as something else.
pub(super) fn told<'a>(of: &Value<'a>, name: &str) -> Option<Cow<'a, str>> {
    of.get(name)?.text().filter(|text| !text.is_empty())
}

/// What a URL says: a `data:` URL has the bytes in it.
pub(super) fn source(url: &str) -> Source {
    match data_url(url) {
        Some((media_type, data)) => Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() },
        None => Source::Url(url.to_owned()),
    }
}

/// An id for a call that has none: the same answer gives the same.
pub(super) fn made_id(answer: &str, call: usize) -> String {
    let mut text = answer.as_bytes().to_vec();
    text.push(0xff);
    write::digits(&mut text, call as u64);
    id("call_", more(&text))
}
