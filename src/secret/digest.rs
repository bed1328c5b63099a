//! SHA-256 of a credential: what the configuration has in the place of the credential itself.

use super::text;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A SHA-256. Comparing two takes the same time whatever they are; that is why it has neither `Eq` nor `Ord`.
#[derive(Clone, Copy)]
pub struct Digest([u64; 4]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_bytes(Sha256::digest(bytes).into())
    }

    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut words = [0; 4];
        for (word, chunk) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_be_bytes(*chunk);
        }
        Self(words)
    }

    /// From 64 hexadecimal digits of either case.
    pub fn from_hex(hex: &str) -> Option<Self> {
        let bytes = text::from_hex(hex)?;
        bytes.try_into().ok().map(Self::from_bytes)
    }

    pub fn hex(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().flat_map(|word| word.to_be_bytes()).collect();
        text::to_hex(&bytes)
    }

    /// Whether they are equal, all bits looked at.
    pub fn is(&self, other: &Self) -> bool {
        let differing = self.0.iter().zip(&other.0).fold(0, |bits, (a, b)| bits | (a ^ b));
        std::hint::black_box(differing) == 0
    }

    /// Whether it comes first in order: the last borrow of a subtraction, so without a branch on the bits.
    pub fn is_below(&self, other: &Self) -> bool {
        let mut borrow = false;
        for (a, b) in self.0.iter().zip(&other.0).rev() {
            let (rest, below) = a.overflowing_sub(*b);
            let (_, taken) = rest.overflowing_sub(u64::from(borrow));
            borrow = std::hint::black_box(below | taken);
        }
        borrow
    }
}

/// Of use to nobody who guesses, but no log needs it whole.
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(")?;
        f.write_str(self.hex().get(..8).unwrap_or_default())?;
        f.write_str("…)")
    }
}
