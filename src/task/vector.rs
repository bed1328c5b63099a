//! One vector, in the two forms that APIs give it: a list of numbers, and base64 of little-endian 32-bit floats.

use crate::json::quote;
use std::fmt::Write as _;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes a vector, given as JSON text in either form, in the one that is wanted. `None`: it is no vector.
pub fn write(out: &mut Vec<u8>, given: &str, base64: bool) -> Option<()> {
    match (given.strip_prefix('['), base64) {
        (Some(list), true) => {
            let list = list.strip_suffix(']')?.trim_ascii();
            let mut bytes = Vec::with_capacity(list.len() / 2);
            for number in list.split(',').filter(|_| !list.is_empty()) {
                // The few floats that rounding twice might miss have more digits than anyone writes.
                let number: f64 = number.trim_ascii().parse().ok()?;
                bytes.extend_from_slice(&(number as f32).to_le_bytes());
            }
            out.push(b'"');
            encode(out, &bytes);
            out.push(b'"');
        }
        (None, false) => {
            let text = given.strip_prefix('"')?.strip_suffix('"')?;
            let bytes = decode(text)?;
            let mut floats = bytes.chunks_exact(4);
            let mut list = String::with_capacity(bytes.len().saturating_mul(3));
            for float in floats.by_ref() {
                let float = f32::from_le_bytes(float.try_into().ok()?);
                if !float.is_finite() {
                    return None;
                }
                list.push(if list.is_empty() { '[' } else { ',' });
                write!(list, "{float}").ok()?;
            }
            if !floats.remainder().is_empty() {
                return None;
            }
            list.push_str(if list.is_empty() { "[]" } else { "]" });
            out.extend_from_slice(list.as_bytes());
        }
        // As it is, if it is JSON that a client can take for one.
        (Some(_), false) => out.extend_from_slice(given.as_bytes()),
        (None, true) => quote(out, given.strip_prefix('"')?.strip_suffix('"')?),
    }
    Some(())
}

fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().saturating_mul(4) / 3);
    for three in bytes.chunks(3) {
        let mut bits = 0_u32;
        for at in 0..3 {
            bits = bits << 8 | u32::from(three.get(at).copied().unwrap_or(0));
        }
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = LETTERS.get((bits >> shift & 63) as usize).copied().unwrap_or(b'=');
            out.push(if at > three.len() { b'=' } else { letter });
        }
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len());
    for four in text.chunks(4) {
        let mut bits = 0_u32;
        for letter in four {
            let six = match letter {
                b'A'..=b'Z' => letter.wrapping_sub(b'A'),
                b'a'..=b'z' => letter.wrapping_sub(b'a').wrapping_add(26),
                b'0'..=b'9' => letter.wrapping_sub(b'0').wrapping_add(52),
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(six);
        }
        let [_, a, b, c] = match four.len() {
            4 => bits,
            3 => bits << 6,
            2 => bits << 12,
            _ => return None,
        }
        .to_be_bytes();
        bytes.extend([a, b, c].iter().take(four.len().saturating_sub(1)));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::write;

    fn as_wanted(given: &str, base64: bool) -> Option<String> {
        let mut out = Vec::new();
        write(&mut out, given, base64).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_vector_goes_both_ways() {
        let pairs = [
            ("[0.5,-1]", "\"AAAAPwAAgL8=\""),
            ("[1,2,3]", "\"AACAPwAAAEAAAEBA\""),
            ("[0.1]", "\"zczMPQ==\""),
            ("[]", "\"\""),
        ];
        for (list, text) in pairs {
            assert_eq!(as_wanted(list, true).unwrap(), text);
            assert_eq!(as_wanted(text, false).unwrap(), list);
            assert_eq!(as_wanted(list, false).unwrap(), list);
            assert_eq!(as_wanted(text, true).unwrap(), text);
        }
        assert_eq!(as_wanted("[ 5e-1 ,\n-1.0 ]", true).unwrap(), "\"AAAAPwAAgL8=\"");
        for exact in [1.0e-7_f32, 123_456.79, f32::MIN_POSITIVE, f32::MAX, -0.020_904_541] {
            let text = as_wanted(&format!("[{exact:e}]"), true).unwrap();
            let back = as_wanted(&text, false).unwrap();
            assert_eq!(back.trim_matches(['[', ']']).parse::<f32>().unwrap(), exact, "{back}");
        }
    }

    #[test]
    fn what_is_no_vector_is_said_to_be_none() {
        for (given, base64) in [
            ("[\"a\"]", true),
            ("[[1]]", true),
            ("[1,]", true),
            ("\"AAAA\"", false),
            ("\"A\"", false),
            ("\"!!!!\"", false),
            ("\"AADAfw==\"", false),
            ("null", false),
            ("7", true),
            ("{}", true),
        ] {
            assert_eq!(as_wanted(given, base64), None, "{given}");
        }
    }
}
