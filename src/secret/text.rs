//! Bytes as text: hexadecimal, and base64 of both alphabets.

const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(super) fn to_hex(bytes: &[u8]) -> String {
    let digit = |at: u8| HEX.get(usize::from(at)).map_or('0', |digit| char::from(*digit));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

/// URL-safe, without padding.
pub(super) fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for shift in [18, 12, 6, 0].into_iter().take(chunk.len().saturating_add(1)) {
            let digit = BASE64.get((bits >> shift & 63) as usize);
            text.extend(digit.map(|digit| char::from(*digit)));
        }
    }
    text
}

/// Either alphabet, padded or not. Bits left over must be 0, so that no two texts say the same bytes.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = match text.strip_suffix("==").or_else(|| text.strip_suffix('=')) {
        Some(digits) if text.len().is_multiple_of(4) => digits,
        Some(_) => return None,
        None => text,
    };
    let mut bytes = Vec::with_capacity(digits.len());
    let (mut bits, mut count) = (0_u32, 0_u32);
    for digit in digits.bytes() {
        // By its range: a long text has many of them.
        let value = match digit {
            b'A'..=b'Z' => digit.wrapping_sub(b'A'),
            b'a'..=b'z' => digit.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => digit.wrapping_sub(b'0').wrapping_add(52),
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count = count.saturating_add(6);
        if let Some(left) = count.checked_sub(8) {
            count = left;
            bytes.push(bits.checked_shr(left)? as u8);
            bits &= 1_u32.checked_shl(left)?.saturating_sub(1);
        }
    }
    (bits == 0 && count < 6).then_some(bytes)
}
