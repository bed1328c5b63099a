//! Credentials in the configuration that only a gateway with the right key can read.

use super::{Secret, text};
use crate::base64;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// What a sealed value begins with. Whoever changes the format changes it.
const VERSION: &str = "v1.";

const NONCE_BYTES: usize = 12;

/// Longest text opened: a service account's key file has 3 KB.
const MAX_TEXT: usize = 32 << 10;

/// The key that values are sealed with.
#[derive(Clone)]
pub struct SealKey([u8; 32]);

impl SealKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From hexadecimal or base64 text, as an environment variable has it. `Err`: what it should be.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim_ascii();
        let bytes = if text.len() == 64 { text::from_hex(text) } else { base64::decode_strictly(text) };
        let bytes = Zeroizing::new(bytes.unwrap_or_default());
        let key = bytes.as_slice().try_into().map_err(|_| "must be 32 bytes as hexadecimal or base64 text")?;
        Ok(Self(key))
    }
}

impl Drop for SealKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

/// Why a sealed value cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsealable {
    /// It is not text that [`seal`] makes.
    Format,
    /// Another key, another name, or a changed text: which of them cannot be told.
    Refused,
    /// It was sealed, but is no text.
    NotText,
}

impl Unsealable {
    pub fn message(self) -> &'static str {
        match self {
            Self::Format => "is no sealed value: `sluice seal` makes one",
            Self::Refused => "cannot be opened: it was sealed with another key, for another provider, or was changed",
            Self::NotText => "does not hold text",
        }
    }
}

/// Seals `plain` for the provider of that name alone. `nonce` is random and never used twice with one key.
pub fn seal(key: &SealKey, name: &str, nonce: [u8; NONCE_BYTES], plain: &Secret) -> Result<String, Unsealable> {
    let payload = Payload { msg: plain.expose().as_bytes(), aad: &bound(name) };
    let sealed = cipher(key).encrypt(Nonce::from_slice(&nonce), payload).map_err(|_| Unsealable::Refused)?;
    let text = [VERSION, &base64::encode_for_url(&[&nonce, sealed.as_slice()].concat())].concat();
    if text.len() > MAX_TEXT { Err(Unsealable::Format) } else { Ok(text) }
}

/// Opens what was sealed for the provider of that name.
pub fn open(key: &SealKey, name: &str, sealed: &str) -> Result<Secret, Unsealable> {
    let sealed = sealed.strip_prefix(VERSION).filter(|text| text.len() <= MAX_TEXT).ok_or(Unsealable::Format)?;
    let bytes = base64::decode_strictly(sealed).ok_or(Unsealable::Format)?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(Unsealable::Format)?;
    let payload = Payload { msg: sealed, aad: &bound(name) };
    let plain = cipher(key).decrypt(Nonce::from_slice(nonce), payload).map_err(|_| Unsealable::Refused)?;
    String::from_utf8(plain).map(Secret::new).map_err(|error| {
        error.into_bytes().zeroize();
        Unsealable::NotText
    })
}

fn cipher(key: &SealKey) -> Aes256Gcm {
    Aes256Gcm::new((&key.0).into())
}

/// The associated data: a value moved to another name, or read as another version, is refused.
fn bound(name: &str) -> Vec<u8> {
    [VERSION.as_bytes(), name.as_bytes()].concat()
}
