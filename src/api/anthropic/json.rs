//! Writing JSON member by member, without a tree. A comma goes before a member unless its object has just opened.

use crate::json::quote;
use std::io::Write;

pub(super) fn comma(out: &mut Vec<u8>) {
    if !matches!(out.last(), None | Some(b'{' | b'[')) {
        out.push(b',');
    }
}

/// A member's name: its value follows.
pub(super) fn field(out: &mut Vec<u8>, name: &'static str) {
    comma(out);
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

pub(super) fn text(out: &mut Vec<u8>, name: &'static str, value: &str) {
    field(out, name);
    quote(out, value);
}

pub(super) fn raw(out: &mut Vec<u8>, name: &'static str, value: &str) {
    field(out, name);
    out.extend_from_slice(value.as_bytes());
}

pub(super) fn number(out: &mut Vec<u8>, name: &'static str, value: u64) {
    field(out, name);
    digits(out, value);
}

pub(super) fn flag(out: &mut Vec<u8>, name: &'static str, value: bool) {
    raw(out, name, if value { "true" } else { "false" });
}

pub(super) fn text_or_null(out: &mut Vec<u8>, name: &'static str, value: Option<&str>) {
    match value {
        Some(value) => text(out, name, value),
        None => raw(out, name, "null"),
    }
}

pub(super) fn digits(out: &mut Vec<u8>, value: u64) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{value}");
}
