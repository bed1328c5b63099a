use super::*;
use crate::base64;

fn key(byte: u8) -> SealKey {
    SealKey::new([byte; 32])
}

fn sealed(name: &str, plain: &str) -> String {
    seal(&key(1), name, [7; 12], &Secret::new(plain)).unwrap()
}

#[test]
fn debug_shows_nothing_of_it() {
    assert_eq!(format!("{:?}", Secret::new("sk-1")), "Secret(…)");
    assert_eq!(format!("{:?}", key(0x41)), "SealKey(…)");
    let digest = Digest::of(b"abc");
    assert_eq!(format!("{digest:?}"), "Digest(ba7816bf…)");
}

#[test]
fn a_digest_is_sha_256() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Digest::of(b"").hex(), empty);
    assert_eq!(Digest::of(b"abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert!(Digest::from_hex(&empty.to_uppercase()).unwrap().is(&Digest::of(b"")));
    for wrong in ["", "e3", &empty[1..], &format!("{empty}00"), &empty.replace('e', "g"), &empty.replace('e', "é")] {
        assert!(Digest::from_hex(wrong).is_none(), "{wrong}");
    }
}

/// The order of the bytes, and equality at every bit.
#[test]
fn digests_compare_as_their_bytes_do() {
    let mut all: Vec<[u8; 32]> = vec![[0; 32], [255; 32], [0x80; 32], [0x7f; 32]];
    for bit in 0..256 {
        let mut bytes = [0x5a; 32];
        bytes[bit / 8] ^= 1 << (bit % 8);
        all.push(bytes);
    }
    for a in &all {
        for b in &all {
            let (x, y) = (Digest::from_bytes(*a), Digest::from_bytes(*b));
            assert_eq!((x.is_below(&y), x.is(&y)), (a < b, a == b), "{a:?} {b:?}");
        }
    }
}

#[test]
fn hex_is_read_back() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(text::from_hex(&text::to_hex(&all)), Some(all));
    for wrong in ["0", "0g", "+1", "0x", " 1", "é"] {
        assert_eq!(text::from_hex(wrong), None, "{wrong}");
    }
}

#[test]
fn a_new_key_is_known_by_its_form_and_its_digest() {
    let (key, digest) = new_key(&[0xff; 32]);
    let text = key.expose();
    assert_eq!(text.len(), 53);
    assert!(text.starts_with(KEY_PREFIX) && text[4..].bytes().all(|b| b.is_ascii_alphanumeric()), "{text}");
    assert!(digest.is(&Digest::of(text.as_bytes())));
    assert!(is_key(text));
    assert_eq!(&new_key(&[0; 32]).0.expose()[..47], &format!("slu_{}", "0".repeat(43)));
    // 2^256 - 1 in base 62.
    assert_eq!(&text[4..47], "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
}

#[test]
fn a_slip_in_a_key_is_seen() {
    let (key, _) = new_key(&std::array::from_fn(|i| i as u8));
    for at in 0..key.expose().len() {
        let mut slipped = key.expose().to_owned().into_bytes();
        slipped[at] = if slipped[at] == b'x' { b'y' } else { b'x' };
        assert!(!is_key(&String::from_utf8(slipped).unwrap()), "{at}");
    }
    for wrong in ["", "slu_", "é", "slu_ééééééééééééééééééééééééé", &key.expose()[1..], &format!("{}0", key.expose())]
    {
        assert!(!is_key(wrong), "{wrong}");
    }
}

#[test]
fn keys_of_different_bytes_differ() {
    let mut seen = std::collections::BTreeSet::new();
    for bit in 0..256 {
        let mut bytes = [0; 32];
        bytes[bit / 8] |= 1 << (bit % 8);
        assert!(seen.insert(new_key(&bytes).0.expose().to_owned()), "{bit}");
    }
}

#[test]
fn what_was_sealed_is_opened() {
    for plain in ["", "sk-1", "ключ", &"k".repeat(4096)] {
        let text = sealed("openai", plain);
        assert!(text.starts_with("v1.") && text.is_ascii() && (plain.is_empty() || !text.contains(plain)));
        assert_eq!(open(&key(1), "openai", &text).map(|s| s.expose().to_owned()), Ok(plain.to_owned()));
    }
}

/// As OpenSSL makes it: aes-256-gcm, nonce of zeros, associated data `v1.openai`.
#[test]
fn the_sealed_form_does_not_change() {
    let key = SealKey::new(std::array::from_fn(|i| i as u8));
    let text = seal(&key, "openai", [0; 12], &Secret::new("sk-1")).unwrap();
    assert_eq!(text, "v1.AAAAAAAAAAAAAAAAfdeY7z4v3wxEvy9IiEMkAHwh_L4");
}

#[test]
fn a_sealed_value_does_not_open_elsewhere() {
    let text = sealed("openai", "sk-1");
    for name in ["azure", "openai ", "Openai", "", "v1.openai"] {
        assert_eq!(open(&key(1), name, &text), Err(Unsealable::Refused), "{name}");
    }
    assert_eq!(open(&key(2), "openai", &text), Err(Unsealable::Refused));
}

#[test]
fn a_changed_sealed_value_does_not_open() {
    let text = sealed("openai", "sk-1");
    for at in 0..text.len() {
        for with in [b'A', b'B', b'.', b' '] {
            let mut changed = text.clone().into_bytes();
            if std::mem::replace(&mut changed[at], with) == with {
                continue;
            }
            let changed = String::from_utf8(changed).unwrap();
            assert!(open(&key(1), "openai", &changed).is_err(), "{at}");
        }
        assert!(open(&key(1), "openai", &text[..at]).is_err(), "cut at {at}");
    }
    assert_eq!(open(&key(1), "openai", &text.replace("v1.", "v2.")), Err(Unsealable::Format));
    assert_eq!(open(&key(1), "openai", "sk-1"), Err(Unsealable::Format));
    assert_eq!(open(&key(1), "openai", "v1."), Err(Unsealable::Format));
}

#[test]
fn a_sealed_value_has_a_largest_size() {
    let huge = Secret::new("k".repeat(40_000));
    assert_eq!(seal(&key(1), "openai", [7; 12], &huge), Err(Unsealable::Format));
    assert_eq!(open(&key(1), "openai", &format!("v1.{}", "A".repeat(40_000))), Err(Unsealable::Format));
}

#[test]
fn a_key_to_seal_with_is_32_bytes_of_hex_or_base64() {
    let bytes: [u8; 32] = std::array::from_fn(|i| 255 - i as u8);
    let sealed = seal(&SealKey::new(bytes), "openai", [1; 12], &Secret::new("sk-1")).unwrap();
    let (hex, url) = (text::to_hex(&bytes), base64::encode_for_url(&bytes));
    for text in [&hex, &hex.to_uppercase(), &url, &format!("{url}="), &format!(" {hex}\n")] {
        let key = SealKey::parse(text).unwrap();
        assert_eq!(open(&key, "openai", &sealed).unwrap().expose(), "sk-1", "{text}");
    }
    for wrong in
        ["", "00", &hex[2..], &format!("{hex}00"), &url[4..], &base64::encode_for_url(&[1; 33]), &"g".repeat(64)]
    {
        assert!(SealKey::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_fuzz_function_holds_on_the_seeds() {
    let value = sealed("openai", "sk-1");
    let key = "1f".repeat(32);
    for seed in ["", "v1.", &value, &key, "AAAAAAAAAAAAsk-123", "\u{5}aaaaaaaaaaasecret", "Zm9v", "é", " Zg== "] {
        for end in 0..=seed.len() {
            fuzz_sealed(&seed.as_bytes()[..end]);
        }
    }
    for byte in 0..=255 {
        fuzz_sealed(&[&[byte; 12], "sk-1".as_bytes()].concat());
    }
}
