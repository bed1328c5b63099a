//! Strings: what a JSON string says, and text as a JSON string.

use super::block::plain;
use std::borrow::Cow;

/// Bytes of a client's own member name that an error repeats.
const MAX_SHOWN_NAME: usize = 64;

/// What a checked JSON string says.
pub(super) fn decode(quoted: &str, escaped: bool) -> Option<Cow<'_, str>> {
    let inside = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if escaped { unescape(inside).map(Cow::Owned) } else { Some(Cow::Borrowed(inside)) }
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // A checked string is plain but for its escapes, and they stand close: no search is set up for each.
    loop {
        let (run, escape) = rest.split_at_checked(plain(rest.as_bytes()))?;
        out.push_str(run);
        if escape.is_empty() {
            return Some(out);
        }
        let letter = *escape.as_bytes().get(1)?;
        rest = escape.get(2..)?;
        out.push(match letter {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let mut unit = u32::from_str_radix(rest.get(..4)?, 16).ok()?;
                rest = rest.get(4..)?;
                if let 0xD800..=0xDBFF = unit {
                    let low = rest.strip_prefix("\\u").and_then(|low| u32::from_str_radix(low.get(..4)?, 16).ok());
                    if let Some(low @ 0xDC00..=0xDFFF) = low {
                        rest = rest.get(6..)?;
                        unit = 0x1_0000_u32.wrapping_add((unit & 0x3FF) << 10).wrapping_add(low & 0x3FF);
                    }
                }
                // Half of a pair stands for nothing.
                char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            same => char::from(same),
        });
    }
}

/// Bytes as text, or where they stop being UTF-8.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, usize> {
    simdutf8::basic::from_utf8(bytes).or_else(|_| std::str::from_utf8(bytes).map_err(|e| e.valid_up_to()))
}

/// Writes `text` as a JSON string, quotes included.
pub fn quote(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len().saturating_add(2));
    out.push(b'"');
    escape(out, text);
    out.push(b'"');
}

/// Writes `text` as the inside of a JSON string.
pub fn escape(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text.as_bytes();
    while let Some((run, after)) = rest.split_at_checked(plain(rest)) {
        out.extend_from_slice(run);
        let Some((byte, after)) = after.split_first() else { break };
        rest = after;
        let letter = match byte {
            b'"' | b'\\' => *byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            _ => {
                let digit = |d: u8| HEX.get(usize::from(d)).copied().unwrap_or_default();
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
                continue;
            }
        };
        out.push(b'\\');
        out.push(letter);
    }
}

/// A client's own name, as far as an error repeats it.
pub(super) fn shown(name: &str) -> String {
    let mut end = MAX_SHOWN_NAME;
    while !name.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    match name.get(..end) {
        Some(start) if start.len() < name.len() => format!("{start}..."),
        _ => name.to_owned(),
    }
}
