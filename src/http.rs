//! HTTP as the core sees it: headers as they came, replies as values.
//!
//! May use: nothing.

use std::borrow::Cow;

/// Headers in order, names in lower case as Envoy gives them. Values are bytes: nothing says they are UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Cow<'static, str>, Vec<u8>)>);

impl Headers {
    pub fn new(all: Vec<(String, Vec<u8>)>) -> Self {
        Self(all.into_iter().map(|(name, value)| (Cow::Owned(name), value)).collect())
    }

    /// The first value of that name.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice())
    }

    /// The first value of that name, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|v| std::str::from_utf8(v).ok())
    }

    pub fn status(&self) -> u16 {
        self.text(":status").and_then(|s| s.parse().ok()).unwrap_or(0)
    }

    /// Those of which the name is wanted.
    pub fn pick(&self, wanted: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(name, _)| wanted(name)).cloned().collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(n, v)| (&**n, v.as_slice()))
    }

    /// Adds a header. Control characters become spaces: Envoy writes response values to the wire unchecked.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) {
        let mut value = value.into();
        for byte in value.iter_mut().filter(|b| **b < b' ' || **b == 0x7f) {
            *byte = b' ';
        }
        self.0.push((name.into(), value));
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

    /// For a body whose length is not known yet.
    pub fn clear_body_len(&mut self) {
        self.remove("content-length");
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
        headers.push("content-type", "application/json");
        Self { status, headers, body }
    }
}
