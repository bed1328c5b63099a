//! One vector, in the two forms that APIs give it: a list of numbers, and base64 of little-endian 32-bit floats.

use crate::base64::{decode, encode};
use crate::json::quote;

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
            out.extend_from_slice(encode(&bytes).as_bytes());
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
                decimal(&mut list, float);
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

/// Writes a float with the fewest digits, from six on, that are read as it again; zeros at their end are left out. The library's
/// printing of floats is 16 KB.
fn decimal(out: &mut String, float: f32) {
    /// More than a double's rounding errors below.
    const DOUBT: f64 = 1e-13;
    if float == 0.0 {
        out.push('0');
        return;
    }
    let exact = f64::from(float.abs());
    let mut order = 0_i32;
    let mut leading = exact;
    while leading >= 10.0 {
        leading /= 10.0;
        order = order.saturating_add(1);
    }
    while leading < 1.0 {
        leading *= 10.0;
        order = order.saturating_sub(1);
    }
    let (mut units, mut places) = (0, 0);
    for digits in 5..=8_i32 {
        places = digits.saturating_sub(order);
        let rounded = (shift(exact, places) + 0.5).floor();
        units = rounded as u64;
        let back = shift(rounded, places.saturating_neg());
        if [1.0 - DOUBT, 1.0 + DOUBT].iter().all(|near| (back * near) as f32 == float.abs()) {
            break;
        }
    }
    while let (Some(fewer), Some(0)) = (units.checked_div(10), units.checked_rem(10)) {
        units = fewer;
        places = places.saturating_sub(1);
    }
    let digits = units.to_string();
    if float < 0.0 {
        out.push('-');
    }
    let before = i32::try_from(digits.len()).unwrap_or(0).saturating_sub(places);
    match usize::try_from(before) {
        _ if !(-8..=16).contains(&before) => out.extend([&digits, "e", &places.saturating_neg().to_string()]),
        Ok(before) => match digits.split_at_checked(before) {
            Some((whole, "")) => out.push_str(whole),
            Some((whole, part)) => out.extend([if whole.is_empty() { "0" } else { whole }, ".", part]),
            None => out.extend([&digits, &*"0".repeat(before.saturating_sub(digits.len()))]),
        },
        Err(_) => out.extend(["0.", &"0".repeat(before.unsigned_abs() as usize), &digits]),
    }
}

/// A power of ten of it.
fn shift(number: f64, places: i32) -> f64 {
    let power = (0..places.unsigned_abs()).fold(1.0, |power, _| power * 10.0);
    if places < 0 { number / power } else { number * power }
}

#[cfg(test)]
mod tests {
    use super::{decimal, write};

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
    fn a_float_is_read_as_itself_and_written_as_short_as_the_library_does() {
        let mut bits = 1_u32;
        for _ in 0..200_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // All floats, then those of embeddings.
            for bits in [bits, bits & 0x80FF_FFFF | 0x3C00_0000] {
                let float = f32::from_bits(bits);
                if !float.is_finite() {
                    continue;
                }
                let mut text = String::new();
                decimal(&mut text, float);
                assert_eq!(text.parse::<f32>().unwrap(), float, "{text}");
                assert_eq!(serde_json::from_str::<f32>(&text).unwrap(), float, "{text}");
                if float.is_normal() && (1e-5..1e10).contains(&float.abs()) {
                    assert!(text.len() <= float.to_string().len(), "{text} {float}");
                }
            }
        }
        for text in
            ["0", "1", "-1", "0.1", "100", "123456", "1200000", "0.000001", "33554432", "-0.020904541", "1e30", "1e-12"]
        {
            let mut written = String::new();
            decimal(&mut written, text.parse().unwrap());
            assert_eq!(written, text);
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
