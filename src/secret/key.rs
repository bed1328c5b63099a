//! New keys for consumers.

use super::{Digest, Secret};

/// What every key made here begins with, so that scanners for leaked secrets know one.
pub const KEY_PREFIX: &str = "slu_";

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Digits of 32 bytes, and of the 4 bytes of checksum after them: with the prefix one block of SHA-256.
const DIGITS: usize = 43;
const CHECK_DIGITS: usize = 6;

/// A key of 32 random bytes, and what the configuration gets of it.
pub fn new_key(random: &[u8; 32]) -> (Secret, Digest) {
    let mut key = String::with_capacity(64);
    key.push_str(KEY_PREFIX);
    key.push_str(&base62(random, DIGITS));
    let check = checksum(&key);
    key.push_str(&check);
    let digest = Digest::of(key.as_bytes());
    (Secret::new(key), digest)
}

/// Whether `text` is a key made here, without a slip of the pen.
pub fn is_key(text: &str) -> bool {
    let whole = KEY_PREFIX.len().saturating_add(DIGITS).saturating_add(CHECK_DIGITS);
    let Some((key, check)) = text.split_at_checked(text.len().saturating_sub(CHECK_DIGITS)) else { return false };
    text.len() == whole && text.starts_with(KEY_PREFIX) && checksum(key) == check
}

fn checksum(key: &str) -> String {
    let hex = Digest::of(key.as_bytes()).hex();
    let first = hex.get(..8).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or_default();
    base62(&first.to_be_bytes(), CHECK_DIGITS)
}

/// The number that `bytes` are, in `digits` digits.
fn base62(bytes: &[u8], digits: usize) -> String {
    let mut number = bytes.to_vec();
    let mut text = vec!['0'; digits];
    for digit in text.iter_mut().rev() {
        let mut rest = 0_u16;
        for byte in &mut number {
            let value = rest << 8 | u16::from(*byte);
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        *digit = BASE62.get(usize::from(rest)).map_or('0', |digit| char::from(*digit));
    }
    text.into_iter().collect()
}
