//! One value of a text that was read: its members, its elements, what it says.

use super::edit::Edit;
use super::scan::Scan;
use super::text::{decode, quote, shown};
use super::tree::{ESCAPED, NAME_ESCAPED, Node, mark};
use super::{Number, Raw, kind, raw};
use crate::error::Error;
use std::borrow::Cow;
use std::ops::Range;

/// A value, and where it stands. Of members with one name the last counts, as in most parsers; null counts as absent.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    text: &'a str,
    nodes: &'a [Node],
    /// Its node; none for a plain element of an array.
    at: u32,
    start: u32,
    end: u32,
}

/// The place of the node of a value that has none.
const NONE: u32 = u32::MAX;

/// A member's name.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    quoted: &'a str,
    escaped: bool,
}

impl<'a> Name<'a> {
    fn of(text: &'a str, node: &Node) -> Self {
        let quoted = text.get(node.name as usize..node.name_end as usize).unwrap_or_default();
        Self { quoted, escaped: node.flags & NAME_ESCAPED != 0 }
    }

    pub fn text(self) -> Cow<'a, str> {
        decode(self.quoted, self.escaped).unwrap_or_default()
    }

    #[inline]
    pub fn is(self, name: &str) -> bool {
        if self.escaped {
            return self.text() == name;
        }
        self.quoted.len() == name.len().wrapping_add(2)
            && self.quoted.as_bytes().get(1..).is_some_and(|rest| rest.starts_with(name.as_bytes()))
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        if self.escaped || other.escaped { self.text() == other.text() } else { self.quoted == other.quoted }
    }
}

impl<'a> Value<'a> {
    pub(super) fn new(text: &'a str, nodes: &'a [Node]) -> Self {
        Self::noted(text, nodes, 0)
    }

    fn noted(text: &'a str, nodes: &'a [Node], at: u32) -> Self {
        let (start, end) = nodes.get(at as usize).map_or((0, 0), |node| (node.start, node.end));
        Self { text, nodes, at, start, end }
    }

    fn node(&self) -> Option<&'a Node> {
        self.nodes.get(self.at as usize)
    }

    /// The value's own JSON text.
    pub fn raw(&self) -> &'a str {
        self.text.get(self.span()).unwrap_or_default()
    }

    /// The value's JSON text, to be kept.
    pub fn keep(&self) -> Raw {
        raw(self.raw())
    }

    /// The whole text that was read.
    pub fn whole_text(&self) -> &'a str {
        self.text
    }

    /// Where it stands.
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Where it stands, its name included.
    pub(super) fn whole(&self) -> Range<usize> {
        let named = self.node().filter(|node| node.name_end > node.name);
        named.map_or(self.start, |node| node.name) as usize..self.end as usize
    }

    fn first(&self) -> u8 {
        self.text.as_bytes().get(self.start as usize).copied().unwrap_or_default()
    }

    pub fn is_null(&self) -> bool {
        self.first() == b'n'
    }

    pub fn is_text(&self) -> bool {
        self.first() == b'"'
    }

    pub fn is_object(&self) -> bool {
        self.first() == b'{'
    }

    pub fn is_list(&self) -> bool {
        self.first() == b'['
    }

    /// `{}`, `[]` and `""`; null too.
    pub fn is_empty(&self) -> bool {
        self.end.wrapping_sub(self.start) == 2 || self.is_null() || {
            (self.is_object() && self.members().next().is_none()) || (self.is_list() && self.items().next().is_none())
        }
    }

    /// The first node of its members, and the one after the last.
    fn within(&self) -> (u32, u32) {
        match self.node() {
            Some(node) if self.is_object() => (self.at.wrapping_add(1), node.after),
            _ => (0, 0),
        }
    }

    /// Its members in order, nulls included; none if it is no object.
    pub fn members(&self) -> Members<'a> {
        let (at, end) = self.within();
        Members { text: self.text, nodes: self.nodes, at, end }
    }

    /// Its elements; none if it is no array.
    pub fn items(&self) -> Items<'a> {
        let place = if self.is_list() { self.start.wrapping_add(1) } else { self.end };
        let (end, at) = (self.end.saturating_sub(1), self.at.wrapping_add(1));
        Items { text: self.text, nodes: self.nodes, place, end, at }
    }

    /// The member of that name, null or not.
    pub fn member(&self, name: &str) -> Option<Self> {
        let marks = self.node().map_or(0, |node| node.flags);
        if marks & mark(name.len(), name.as_bytes().first()) == 0 {
            return None;
        }
        let (mut at, end) = self.within();
        let quoted = name.len().wrapping_add(2) as u32;
        let mut found = None;
        // Read for each member that an API knows: most are told apart by their length, and no text is cut.
        while at < end {
            let Some(node) = self.nodes.get(at as usize) else { break };
            let inside = at.wrapping_add(1);
            let same = if node.flags & NAME_ESCAPED != 0 {
                Name::of(self.text, node).is(name)
            } else {
                node.name_end.wrapping_sub(node.name) == quoted
                    && self
                        .text
                        .as_bytes()
                        .get(node.name.wrapping_add(1) as usize..node.name_end.wrapping_sub(1) as usize)
                        .is_some_and(|text| same(text, name.as_bytes()))
            };
            if same {
                found = Some(at);
            }
            at = node.after.max(inside);
        }
        found.map(|at| Self::noted(self.text, self.nodes, at))
    }

    /// The member of that name unless it is null.
    pub fn get(&self, name: &str) -> Option<Self> {
        self.member(name).filter(|value| !value.is_null())
    }

    /// The value at the end of these names, if none is null or absent.
    pub fn at(&self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(*self, |value, name| value.get(name))
    }

    // What it says, if it is of that type.

    /// Of a string: whether it has an escape. A plain element of an array is looked at.
    fn escaped(&self) -> bool {
        match self.node() {
            Some(node) => node.flags & ESCAPED != 0,
            None => memchr::memchr(b'\\', self.raw().as_bytes()).is_some(),
        }
    }

    pub fn text(&self) -> Option<Cow<'a, str>> {
        self.is_text().then(|| decode(self.raw(), self.escaped())).flatten()
    }

    pub fn truth(&self) -> Option<bool> {
        match self.raw() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A whole number that is not negative; `3.0` and `3e2`, as some providers count, are such too.
    pub fn count(&self) -> Option<u64> {
        let raw = self.raw();
        if let Ok(number) = raw.parse() {
            return Some(number);
        }
        self.is_number().then(|| whole(raw)).flatten()
    }

    fn is_number(&self) -> bool {
        matches!(self.first(), b'-' | b'0'..=b'9')
    }

    /// Whether it is this very string.
    pub fn is(&self, text: &str) -> bool {
        self.is_text() && self.text().is_some_and(|own| own == text)
    }

    // A member that must be of one type if it is there.

    pub fn string(&self, name: &str) -> Result<Option<Cow<'a, str>>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.text().map(Some).ok_or_else(|| value.wrong("a string"))
    }

    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.truth().map(Some).ok_or_else(|| value.wrong("a boolean"))
    }

    /// A whole number that is not negative.
    pub fn unsigned(&self, name: &str) -> Result<Option<u64>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let raw = value.raw();
        let Ok(number) = raw.parse() else {
            return Err(if !value.is_number() {
                value.wrong("a whole number")
            } else if raw.contains(['.', 'e', 'E']) {
                value.error("must be a whole number")
            } else if raw.starts_with('-') {
                value.error("must not be negative")
            } else {
                value.error("is too large a number")
            });
        };
        Ok(Some(number))
    }

    /// Any number, as it was written.
    pub fn number(&self, name: &str) -> Result<Option<Number>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        if value.is_number() { Ok(Some(Number::of(value.raw()))) } else { Err(value.wrong("a number")) }
    }

    pub fn object(&self, name: &str) -> Result<Option<Self>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        if value.is_object() { Ok(Some(value)) } else { Err(value.wrong("an object")) }
    }

    pub fn list(&self, name: &str) -> Result<Option<Self>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        if value.is_list() { Ok(Some(value)) } else { Err(value.wrong("an array")) }
    }

    /// A string that must be there.
    pub fn need(&self, name: &str) -> Result<Cow<'a, str>, Error> {
        self.string(name)?.ok_or_else(|| self.missing(name))
    }

    // What is wrong with it.

    /// `messages[2].content[0].type`; of the whole text: nothing.
    pub fn path(&self) -> String {
        let mut path = String::new();
        let mut here = Self::new(self.text, self.nodes);
        // Each step goes into the one value that this one stands in.
        while here.start < self.start {
            let around = |value: &Self| value.start <= self.start && self.end <= value.end;
            if let Some((name, value)) = here.members().find(|(_, value)| around(value)) {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&shown(&name.text()));
                here = value;
            } else if let Some((n, value)) = here.items().enumerate().find(|(_, value)| around(value)) {
                path.push_str(&format!("[{n}]"));
                here = value;
            } else {
                break;
            }
        }
        path
    }

    pub fn error(&self, message: impl Into<String>) -> Error {
        let path = self.path();
        let message = message.into();
        if path.is_empty() { Error::invalid(message) } else { Error::field(path, message) }
    }

    /// It must be something else: `want` is `a string`, `an array`.
    pub fn wrong(&self, want: &str) -> Error {
        self.error(format!("must be {want}, not {}", kind(self.raw())))
    }

    /// A member that must be there is not.
    pub fn missing(&self, name: &str) -> Error {
        self.at_member(name, "is required")
    }

    /// An error of a member, there or not.
    pub fn at_member(&self, name: &str, message: impl Into<String>) -> Error {
        let mut path = self.path();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        Error::field(path, message)
    }

    // Changes to the text.

    /// Gives the member this value, JSON text. A new member comes first in the object.
    pub fn set(&self, name: &str, json: impl Into<Vec<u8>>) -> Edit {
        let json = json.into();
        if let Some(value) = self.member(name) {
            return Edit { at: value.span(), with: json };
        }
        let inside = self.span().start.saturating_add(1);
        let mut with = Vec::with_capacity(json.len().saturating_add(name.len()).saturating_add(4));
        quote(&mut with, name);
        with.push(b':');
        with.extend_from_slice(&json);
        with.push(b',');
        Edit { at: inside..inside, with }
    }

    /// Takes the member out, if it is there; [`super::splice`] takes its comma.
    pub fn remove(&self, name: &str) -> Option<Edit> {
        self.member(name).map(|value| Edit { at: value.whole(), with: Vec::new() })
    }
}

/// A whole number in a notation that `u64` does not take: no more than digits, a point and an exponent.
fn whole(raw: &str) -> Option<u64> {
    let number: f64 = raw.parse().ok()?;
    // Above 2^53 a double is no longer exact.
    ((0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0).then_some(number as u64)
}

/// Whether they are equal, by eight bytes at a time: the C library's comparison goes byte by byte.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    let ((wide_a, rest_a), (wide_b, rest_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    a.len() == b.len()
        && wide_a.iter().zip(wide_b).all(|(a, b)| a == b)
        && rest_a.iter().zip(rest_b).all(|(a, b)| a == b)
}

/// See [`Value::members`].
#[derive(Clone)]
pub struct Members<'a> {
    text: &'a str,
    nodes: &'a [Node],
    at: u32,
    end: u32,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Name<'a>, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let node = self.nodes.get(self.at as usize)?;
        let value = Value { text: self.text, nodes: self.nodes, at: self.at, start: node.start, end: node.end };
        self.at = node.after.max(self.at.wrapping_add(1));
        Some((Name::of(self.text, node), value))
    }
}

/// See [`Value::items`].
#[derive(Clone)]
pub struct Items<'a> {
    text: &'a str,
    nodes: &'a [Node],
    place: u32,
    end: u32,
    /// The next node within the array.
    at: u32,
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let mut scan = Scan::new(self.text);
        scan.at = self.place as usize;
        scan.space();
        scan.take(b',');
        scan.space();
        if scan.at >= self.end as usize {
            self.place = self.end;
            return None;
        }
        let known = self.nodes.get(self.at as usize).filter(|node| node.start as usize == scan.at);
        let (start, at) = (scan.at as u32, self.at);
        let (at, end) = match known {
            Some(node) => {
                self.at = node.after.max(at.wrapping_add(1));
                (at, node.end)
            }
            None => {
                // It was checked when the text was read, as leniently as that was.
                scan.lenient = true;
                match scan.peek() {
                    Some(b'"') => drop(scan.string().ok()?),
                    _ => scan.plain().ok()?,
                }
                (NONE, scan.at as u32)
            }
        };
        self.place = end;
        Some(Value { text: self.text, nodes: self.nodes, at, start, end })
    }
}
