//! Values kept beyond the text they stood in.

use std::fmt;

/// JSON kept as the text it came in.
#[derive(Clone, PartialEq, Eq)]
pub struct Raw(Box<str>);

/// A number, as it was written.
#[derive(Clone, PartialEq, Eq)]
pub struct Number(Box<str>);

/// Keeps text that is JSON: read as such, or written here.
pub fn raw(text: impl Into<Box<str>>) -> Raw {
    Raw(text.into())
}

impl Raw {
    pub fn get(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Raw").field(&format_args!("{}", self.0)).finish()
    }
}

impl Number {
    /// Of a text that was read as a number.
    pub(crate) fn of(text: &str) -> Self {
        Self(text.into())
    }

    pub fn get(&self) -> &str {
        &self.0
    }

    pub fn as_f64(&self) -> Option<f64> {
        self.0.parse().ok()
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({})", self.0)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
