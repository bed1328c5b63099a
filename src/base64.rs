//! Base64: either alphabet is read, for clients and providers send both.
//!
//! May use: nothing.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes; line ends and missing padding are taken. `None`: something else is in it.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let lines = text.bytes().any(|byte| matches!(byte, b'\r' | b'\n'));
    let joined = lines.then(|| text.replace(['\r', '\n'], ""));
    let (bytes, _) = read(joined.as_deref().unwrap_or(text).trim_end_matches('='))?;
    Some(bytes)
}

/// The bytes, if no other text says the same but in the other alphabet, or without padding.
pub fn decode_strictly(text: &str) -> Option<Vec<u8>> {
    let letters = match text.strip_suffix("==").or_else(|| text.strip_suffix('=')) {
        Some(letters) if text.len().is_multiple_of(4) => letters,
        Some(_) => return None,
        None => text,
    };
    let (bytes, left) = read(letters)?;
    (left == 0).then_some(bytes)
}

/// The media type and the data of `data:image/png;base64,iVBO…`.
pub fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let head = head.strip_suffix(";base64")?;
    Some((head.split(';').next().unwrap_or_default(), data))
}

/// The six bits that a letter stands for.
pub fn six(letter: u8) -> Option<u8> {
    // By its range: a long text has many of them.
    Some(match letter {
        b'A'..=b'Z' => letter.wrapping_sub(b'A'),
        b'a'..=b'z' => letter.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => letter.wrapping_sub(b'0').wrapping_add(52),
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// Standard alphabet, padded.
pub fn encode(bytes: &[u8]) -> String {
    written(bytes, |letter| letter, true)
}

/// URL-safe, without padding.
pub fn encode_for_url(bytes: &[u8]) -> String {
    let safe = |letter| match letter {
        '+' => '-',
        '/' => '_',
        same => same,
    };
    written(bytes, safe, false)
}

/// The bytes, and the bits that were left over.
fn read(text: &str) -> Option<(Vec<u8>, u32)> {
    let mut bytes = Vec::with_capacity(text.len());
    let (fours, rest) = text.as_bytes().as_chunks::<4>();
    let bits = |letters: &[u8]| letters.iter().try_fold(0_u32, |bits, l| Some(bits << 6 | u32::from(six(*l)?)));
    for four in fours {
        let [_, a, b, c] = bits(four)?.to_be_bytes();
        bytes.extend([a, b, c]);
    }
    let left = bits(rest)?;
    match rest.len() {
        0 => Some((bytes, 0)),
        2 => {
            bytes.push((left >> 4) as u8);
            Some((bytes, left & 0xf))
        }
        3 => {
            bytes.extend([(left >> 10) as u8, (left >> 2) as u8]);
            Some((bytes, left & 3))
        }
        _ => None,
    }
}

fn written(bytes: &[u8], as_letter: fn(char) -> char, padded: bool) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for (index, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = LETTERS.get((bits >> shift & 63) as usize).map_or('A', |letter| char::from(*letter));
            match index <= three.len() {
                true => text.push(as_letter(letter)),
                false if padded => text.push('='),
                false => {}
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(encode_for_url(bytes.as_bytes()), text.trim_end_matches('='));
            for read in [decode, decode_strictly] {
                assert_eq!(read(text).unwrap(), bytes.as_bytes());
                assert_eq!(read(text.trim_end_matches('=')).unwrap(), bytes.as_bytes());
            }
        }
        let all: Vec<u8> = (0..=255).collect();
        for (text, other) in [(encode(&all), '-'), (encode_for_url(&all), '+')] {
            assert!(!text.contains(other));
            assert_eq!((decode(&text).unwrap(), decode_strictly(&text).unwrap()), (all.clone(), all.clone()));
        }
        assert_eq!(encode_for_url(b"\xfb\xff\xfe"), "-__-");
        assert_eq!(decode_strictly("+//+"), decode("-__-"));
    }

    #[test]
    fn one_text_has_one_meaning_where_that_matters() {
        for (loose, bytes) in [("Zh", "f"), ("Zg=", "f"), ("Zm9v\r\nYmFy\n", "foobar"), ("Zm9=", "fo"), ("====", "")] {
            assert_eq!(decode(loose).unwrap(), bytes.as_bytes(), "{loose}");
            assert_eq!(decode_strictly(loose), None, "{loose}");
        }
        for wrong in ["Z", "Z g", "Zm9vY", "Zm9vé", "Zg==Zg==", "é"] {
            assert_eq!((decode(wrong), decode_strictly(wrong)), (None, None), "{wrong}");
        }
    }
}
