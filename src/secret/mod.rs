//! Secrets: values that must not be printed, hashing them, sealing them.
//!
//! May use: base64.

mod digest;
mod key;
mod seal;
mod text;

pub use digest::Digest;
pub use key::{KEY_PREFIX, is_key, new_key};
pub use seal::{SealKey, Unsealable, open, seal};

use std::fmt;
use zeroize::Zeroize;

/// A credential. Its `Debug` shows nothing of it; its bytes are overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// For the one place that writes it into a request.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(any(test, fuzzing))]
pub use fuzz::fuzz_sealed;

#[cfg(test)]
mod tests;
