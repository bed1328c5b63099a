//! HTTP as the core sees it: headers as they came, replies as values.
//!
//! May use: nothing.

use std::borrow::Cow;

/// Headers in order, names in lower case as Envoy gives them. Values are bytes: nothing says they are UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Cow<'static, str>, Bytes)>);

type Bytes = Cow<'static, [u8]>;

/// What becomes of the headers of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change {
    #[default]
    None,
    /// These, and no others.
    All(Headers),
    /// A few of them.
    Some(Edits),
}

impl Change {
    /// The headers that take the place of all.
    pub fn all(self) -> Option<Headers> {
        match self {
            Self::All(headers) => Some(headers),
            Self::None | Self::Some(_) => None,
        }
    }
}

/// Headers that are set, each in the place of all of its name, or removed: in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits(Vec<(Cow<'static, str>, Option<Bytes>)>);

impl Edits {
    /// With room for so many.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    pub fn set(&mut self, name: &'static str, value: impl Into<Vec<u8>>) {
        self.0.push((Cow::Borrowed(name), Some(Cow::Owned(clean(value.into())))));
    }

    /// A value that is always the same.
    pub fn fix(&mut self, name: &'static str, value: &'static str) {
        self.0.push((Cow::Borrowed(name), Some(Cow::Borrowed(value.as_bytes()))));
    }

    pub fn remove(&mut self, name: impl Into<Cow<'static, str>>) {
        self.0.push((name.into(), None));
    }

    /// See [`Headers::set_body_len`].
    pub fn set_body_len(&mut self, len: usize) {
        self.remove("transfer-encoding");
        self.set("content-length", len.to_string());
    }

    /// In order; `None`: removed.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.0.iter().map(|(name, value)| (&**name, value.as_deref()))
    }
}

/// Control characters become spaces: Envoy writes response values to the wire unchecked.
fn clean(mut value: Vec<u8>) -> Vec<u8> {
    for byte in value.iter_mut().filter(|b| **b < b' ' || **b == 0x7f) {
        *byte = b' ';
    }
    value
}

impl Headers {
    pub fn new(all: Vec<(String, Vec<u8>)>) -> Self {
        Self(all.into_iter().map(|(name, value)| (Cow::Owned(name), Cow::Owned(value))).collect())
    }

    /// The first value of that name.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| &**v)
    }

    /// The first value of that name, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|v| std::str::from_utf8(v).ok())
    }

    pub fn status(&self) -> u16 {
        self.text(":status").and_then(|s| s.parse().ok()).unwrap_or(0)
    }

    /// Those of which the name is wanted, by a look at each.
    pub fn pick(self, mut wanted: impl FnMut(&str) -> bool) -> Self {
        Self(self.0.into_iter().filter(|(name, _)| wanted(name)).collect())
    }

    /// These headers with the edits made.
    pub fn with(mut self, edits: &Edits) -> Self {
        for (name, value) in &edits.0 {
            self.remove(name);
            if let Some(value) = value {
                self.0.push((name.clone(), value.clone()));
            }
        }
        self
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(n, v)| (&**n, &**v))
    }

    /// Adds a header. Control characters become spaces.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) {
        self.0.push((name.into(), Cow::Owned(clean(value.into()))));
    }

    /// Adds a header that is always the same.
    pub fn fix(&mut self, name: &'static str, value: &'static str) {
        self.0.push((Cow::Borrowed(name), Cow::Borrowed(value.as_bytes())));
    }

    /// Replaces all of that name by one.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) {
        let name = name.into();
        self.remove(&name);
        self.push(name, value);
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| n != name);
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|(n, _)| keep(n));
    }

    /// States the length of a body that replaces the one the headers came with. Envoy never repairs it, and a wrong
    /// one makes a body's tail the next request.
    pub fn set_body_len(&mut self, len: usize) {
        self.remove("transfer-encoding");
        self.set("content-length", len.to_string());
    }
}

/// An answer made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        let mut headers = Headers::default();
        headers.fix("content-type", "application/json");
        Self { status, headers, body }
    }
}

/// A path's `%2F` and the like as what they stand for.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match digit(0).zip(digit(1)).filter(|_| *first == b'%') {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The pairs of a query: each as it stands, and its name and value read.
pub fn pairs(query: &str) -> impl Iterator<Item = (&str, Cow<'_, str>, Cow<'_, str>)> {
    fn read(text: &str) -> Cow<'_, str> {
        if text.contains(['%', '+']) { decoded(&text.replace('+', " ")).into() } else { text.into() }
    }
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (pair, read(name), read(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_escape_stays_as_it_is() {
        for (text, read) in [("a%2Fb/c%zz%", "a/b/c%zz%"), ("%+1%C3%A4%4", "%+1ä%4"), ("%6b%65Y+", "keY+"), ("", "")] {
            assert_eq!(decoded(text), read);
        }
    }

    #[test]
    fn a_query_is_read_by_pairs() {
        let read: Vec<_> = pairs("k%65y=a%2Bb+c&&x&y=1=2&=z").collect();
        let pair = |raw, name: &'static str, value: &'static str| (raw, name.into(), value.into());
        let wanted =
            [pair("k%65y=a%2Bb+c", "key", "a+b c"), pair("x", "x", ""), pair("y=1=2", "y", "1=2"), pair("=z", "", "z")];
        assert_eq!(read, wanted);
    }
}
