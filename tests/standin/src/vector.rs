//! Vectors of texts, and base64.

use crate::api::hash;

/// Length of a vector where none is asked for.
pub const DIMENSIONS: usize = 8;
/// Longest vector that can be asked for.
const MAX_DIMENSIONS: usize = 4096;

/// The same text has the same vector; each number is from -1 to 1 and exact in 32 bits.
pub fn vector(text: &str, dimensions: Option<u64>) -> Vec<f64> {
    let count = dimensions.and_then(|count| usize::try_from(count).ok()).unwrap_or(DIMENSIONS).min(MAX_DIMENSIONS);
    let mut state = hash(text.as_bytes());
    let next = || {
        state = hash(&state.to_le_bytes());
        f64::from(i16::from_le_bytes([state.to_le_bytes()[0], state.to_le_bytes()[1]])) / 32768.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// As 32-bit numbers, little end first.
pub fn packed(vector: &[f64]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| (*number as f32).to_le_bytes()).collect();
    base64(&bytes)
}

pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0_u32, |group, at| (group << 8) | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4_usize {
            let index = (group >> (18_usize.saturating_sub(at.saturating_mul(6)))) & 63;
            let letter = ALPHABET.get(usize::try_from(index).unwrap_or_default()).copied().unwrap_or(b'=');
            out.push(if at > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_length() {
        for (plain, coded) in [("", ""), ("M", "TQ=="), ("Ma", "TWE="), ("Man", "TWFu"), ("ManM", "TWFuTQ==")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_text_has_one_vector_of_the_length_that_is_asked_for() {
        assert_eq!(vector("a", Some(3)), vector("a", Some(3)));
        assert_eq!(vector("a", Some(3)).len(), 3);
        assert_eq!(vector("a", None).len(), DIMENSIONS);
        assert_ne!(vector("a", None), vector("b", None));
        assert!(vector("a", None).iter().all(|number| f64::from(*number as f32) == *number && number.abs() <= 1.0));
        assert_eq!(packed(&[1.0, -0.5]), "AACAPwAAAL8=");
    }
}
