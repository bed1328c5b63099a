//! What reading and writing have in common.

use super::shared::wire::{data_url, id, more};
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

/// A segment of a path with its `%2F` and the like as what they stand for.
pub(super) fn unescape(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let two = after.get(..2).filter(|two| *first == b'%' && two.iter().all(u8::is_ascii_hexdigit));
        match two.and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
