//! Strict reading of a JSON body, and changing a few bytes of it.
//!
//! A body is checked whole and read at its top level only: where its members are, not what is in them.
//!
//! May use: error.
//!
//! To add: a reader of one more type is a method of [`Object`]; what looks deeper is a function in `find.rs`.

mod edit;
mod find;
mod scan;
mod text;
mod tree;
mod value;
pub mod write;

pub use edit::{Edit, splice};
pub use find::{Each, each, find};
pub use text::{escape, quote};
pub use tree::{Body, MAX_VALUES, Tree};
pub use value::{Items, Members, Name, Value};

use crate::error::Error;
use scan::{Bad, Scan};
use std::borrow::Cow;
use std::ops::Range;
use text::{decode, shown};

/// JSON kept as the text it came in.
pub type Raw = Box<serde_json::value::RawValue>;

/// A number, as it was written.
pub type Number = serde_json::Number;

/// Keeps text that is JSON.
pub fn raw(text: impl Into<String>) -> Raw {
    serde_json::value::RawValue::from_string(text.into())
        .unwrap_or_else(|_| serde_json::value::RawValue::NULL.to_owned())
}

/// Keeps text that is a number.
pub fn number(text: &str) -> Option<Number> {
    serde_json::from_str(text).ok()
}

/// Nesting that is refused: serde_json stops at 128, providers long before.
pub const MAX_DEPTH: usize = 64;

/// Members at the top of a body: the largest API has about 40. Each is compared with each.
pub const MAX_MEMBERS: usize = 256;

/// A checked JSON object: valid UTF-8, valid JSON, no member twice at the top, nothing after it.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    text: &'a str,
    /// Where the first member is, or would be.
    inside: usize,
    members: Vec<Member<'a>>,
}

#[derive(Clone, Debug)]
struct Member<'a> {
    name: Cow<'a, str>,
    /// From the name's quote to the value's end.
    whole: Range<usize>,
    value: Range<usize>,
}

impl<'a> Object<'a> {
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(body)
            .map_err(|e| Error::invalid(format!("the body is not UTF-8 at byte {}", e.valid_up_to())))?;
        let mut scan = Scan::new(text);
        scan.space();
        let start = scan.at;
        if !scan.take(b'{') {
            return Err(Error::invalid(match scan.peek() {
                None => "the body is empty".to_owned(),
                Some(_) => format!("the body must be a JSON object, not {}", kind(text)),
            }));
        }
        let mut object = Self { text, inside: start.saturating_add(1), members: Vec::with_capacity(16) };
        scan.space();
        if !scan.take(b'}') {
            while object.member(&mut scan)? {}
        }
        scan.space();
        match scan.peek() {
            None => Ok(object),
            Some(_) => Err(broken(Bad { what: "something after the object's end", at: scan.at })),
        }
    }

    /// Reads one member and what follows it. `false`: that was the object's end.
    fn member(&mut self, scan: &mut Scan<'a>) -> Result<bool, Error> {
        let start = scan.at;
        let escaped = scan.name().map_err(broken)?;
        let quoted = self.text.get(start..scan.at).unwrap_or_default();
        let Some(name) = decode(quoted, escaped) else {
            return Err(broken(Bad { what: "a name that cannot be read", at: start }));
        };
        if self.members.iter().any(|m| m.name == name) {
            return Err(Error::field(shown(&name), format!("stands twice in the body, again at byte {start}")));
        }
        if self.members.len() >= MAX_MEMBERS {
            return Err(Error::invalid(format!("the body has more than {MAX_MEMBERS} members")));
        }
        let within = |bad: Bad, name: &str| broken(bad).with_param(shown(name));
        scan.colon().map_err(|bad| within(bad, &name))?;
        let value = scan.at;
        scan.value(1).map_err(|bad| within(bad, &name))?;
        let end = scan.at;
        scan.space();
        let more = scan.take(b',');
        if !more && !scan.take(b'}') {
            return scan.bad("expected `,` or `}`").map_err(|bad| within(bad, &name));
        }
        scan.space();
        self.members.push(Member { name, whole: start..end, value: value..end });
        Ok(more)
    }

    pub fn text(&self) -> &'a str {
        self.text
    }

    /// All members in order: name and value as JSON text.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.members.iter().map(|m| (&*m.name, self.text.get(m.value.clone()).unwrap_or_default()))
    }

    fn find(&self, key: &str) -> Option<&Member<'a>> {
        self.members.iter().find(|m| m.name == key)
    }

    /// The member's value as JSON text.
    pub fn raw(&self, key: &str) -> Option<&'a str> {
        self.text.get(self.span(key)?)
    }

    /// Where the member's value stands in the body.
    pub fn span(&self, key: &str) -> Option<Range<usize>> {
        self.find(key).map(|m| m.value.clone())
    }

    /// The member's value unless it is null.
    fn given(&self, key: &str) -> Option<&'a str> {
        self.raw(key).filter(|raw| *raw != "null")
    }

    /// A string. Null counts as absent.
    pub fn string(&self, key: &str) -> Result<Option<Cow<'a, str>>, Error> {
        let Some(raw) = self.given(key) else { return Ok(None) };
        let text = raw.starts_with('"').then(|| decode(raw, raw.contains('\\'))).flatten();
        text.map(Some).ok_or_else(|| wrong(key, "a string", raw))
    }

    /// True or false. Null counts as absent.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, Error> {
        match self.given(key) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(raw) => Err(wrong(key, "a boolean", raw)),
        }
    }

    /// A whole number that is not negative. Null counts as absent.
    pub fn unsigned(&self, key: &str) -> Result<Option<u64>, Error> {
        let Some(raw) = self.given(key) else { return Ok(None) };
        if let Ok(number) = raw.parse() {
            return Ok(Some(number));
        }
        if !matches!(raw.as_bytes().first(), Some(b'-' | b'0'..=b'9')) {
            return Err(wrong(key, "a whole number", raw));
        }
        Err(Error::field(
            key,
            if raw.contains(['.', 'e', 'E']) {
                "must be a whole number"
            } else if raw.starts_with('-') {
                "must not be negative"
            } else {
                "is too large a number"
            },
        ))
    }

    /// Gives the member this value, JSON text. A new member comes first in the object.
    pub fn set(&self, key: &str, json: impl Into<Vec<u8>>) -> Edit {
        let json = json.into();
        if let Some(at) = self.span(key) {
            return Edit { at, with: json };
        }
        let mut with = Vec::with_capacity(json.len().saturating_add(key.len()).saturating_add(4));
        quote(&mut with, key);
        with.push(b':');
        with.extend_from_slice(&json);
        with.push(b',');
        Edit { at: self.inside..self.inside, with }
    }

    /// Takes the member out, if it is there; [`splice`] takes its comma.
    pub fn remove(&self, key: &str) -> Option<Edit> {
        self.find(key).map(|m| Edit { at: m.whole.clone(), with: Vec::new() })
    }
}

/// What a JSON text is, as an error names it.
pub fn kind(raw: &str) -> &'static str {
    match raw.trim_ascii_start().as_bytes().first() {
        None => "nothing",
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(b'-' | b'0'..=b'9') => "a number",
        Some(_) => "something that is not JSON",
    }
}

fn wrong(key: &str, want: &str, raw: &str) -> Error {
    Error::field(key, format!("must be {want}, not {}", kind(raw)))
}

fn broken(bad: Bad) -> Error {
    Error::invalid(format!("the body is not valid JSON: {} at byte {}", bad.what, bad.at))
}

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(any(test, fuzzing))]
pub use fuzz::fuzz_object;

#[cfg(test)]
mod tests;
