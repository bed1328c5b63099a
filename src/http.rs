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
