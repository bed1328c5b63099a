//! What must hold of any text in the place of a sealed value.

use super::{Digest, SealKey, Secret, open, seal};
use crate::base64::{decode_strictly, encode_for_url};

/// Nothing that was not sealed opens; what was opens with its own name and key, and as it was made.
pub fn fuzz_sealed(data: &[u8]) {
    let key = SealKey::new([7; 32]);
    let text = String::from_utf8_lossy(data);
    if let Some(bytes) = decode_strictly(&text) {
        assert_eq!(decode_strictly(&encode_for_url(&bytes)), Some(bytes), "{text}");
    }
    assert!(Digest::from_hex(&text).is_none_or(|digest| digest.hex().eq_ignore_ascii_case(&text)));
    assert!(SealKey::parse(&text).is_ok() || SealKey::parse(text.trim_ascii()).is_err());
    assert!(open(&SealKey::new([8; 32]), "openai", &text).is_err());
    let Some((nonce, rest)) = data.split_first_chunk::<12>() else { return };
    let Ok(plain) = std::str::from_utf8(rest) else { return };
    let Ok(sealed) = seal(&key, "openai", *nonce, &Secret::new(plain)) else { return };
    assert!(open(&key, "openai", &sealed).is_ok_and(|opened| opened.expose() == plain));
    assert!(open(&key, "openai2", &sealed).is_err() && open(&SealKey::new([8; 32]), "openai", &sealed).is_err());
    let at = usize::from(nonce[0]).checked_rem(sealed.len()).unwrap_or_default();
    let other = if sealed.as_bytes().get(at) == Some(&b'A') { "B" } else { "A" };
    let mut changed = sealed.clone();
    changed.replace_range(at..at.saturating_add(1), other);
    assert!(open(&key, "openai", &changed).is_err(), "{changed}");
    changed.truncate(at);
    assert!(open(&key, "openai", &changed).is_err(), "{changed}");
}
