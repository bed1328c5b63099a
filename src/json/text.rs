//! Strings: what a JSON string says, and text as a JSON string.

use super::block::{bits, ends, equal, escaped, high, last, plain};
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
        let first = escape.as_bytes().first_chunk();
        if first.is_some_and(|first| equal(first, b'\\').count_ones() >= 4) {
            let close = close(&mut out, escape.as_bytes())?;
            if close > 0 {
                rest = escape.get(close..)?;
                continue;
            }
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

/// What a byte of ASCII stands for: as it is, and then after a backslash.
#[expect(clippy::indexing_slicing, reason = "while it is compiled")]
static SAID: [u8; 256] = {
    let mut said = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let letter = match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            same => same,
        };
        said[byte as usize] = byte;
        said[(byte | 128) as usize] = letter;
        byte = byte.wrapping_add(1);
    }
    said
};

/// Reads escapes of one letter where they stand close together, with what stands between them: no branch depends on
/// where they are. Returns how many bytes that were.
#[inline(never)]
fn close(out: &mut String, text: &[u8]) -> Option<usize> {
    let (mut at, mut carry) = (0_usize, 0_u64);
    loop {
        let rest = text.get(at..)?;
        let padded;
        let block = match rest.first_chunk() {
            Some(block) => block,
            None => {
                padded = last(rest);
                &padded
            }
        };
        let slashes = bits(block, |part| equal(part, b'\\'));
        if slashes.count_ones() < 6 {
            return at.checked_sub(carry as usize);
        }
        let escaped = escaped(slashes, &mut carry);
        let stops = bits(block, high) | (escaped & bits(block, |part| equal(part, b'u')));
        let most = rest.len().min(stops.trailing_zeros() as usize);
        let (mut said, mut len) = ([0_u8; 64], 0_usize);
        let (mut letters, mut kept) = (escaped, !slashes | escaped);
        for byte in block.iter().take(most) {
            if let Some(place) = said.get_mut(len & 63) {
                *place = SAID.get(usize::from(byte | ((letters as u8 & 1) << 7))).copied().unwrap_or_default();
            }
            len = len.wrapping_add(kept as usize & 1);
            (letters, kept) = (letters >> 1, kept >> 1);
        }
        out.push_str(std::str::from_utf8(said.get(..len)?).ok()?);
        at = at.wrapping_add(most);
        if most < 64 {
            // The backslash of what was not read is left too.
            return at.checked_sub(letters as usize & 1);
        }
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
    while let Some((run, mut after)) = rest.split_at_checked(plain(rest)) {
        out.extend_from_slice(run);
        let many = |first: &[u8; 16]| (ends(first) | equal(first, b'\\')).count_ones() >= 4;
        if after.first_chunk().is_some_and(many) {
            after = after.get(thick(out, after)..).unwrap_or_default();
        }
        let Some((byte, after)) = after.split_first() else { break };
        rest = after;
        match LETTERS.get(usize::from(*byte)) {
            Some(b'u') => {
                let digit = |d: u8| HEX.get(usize::from(d)).copied().unwrap_or_default();
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
            Some(0) | None => out.push(*byte),
            Some(letter) => out.extend_from_slice(&[b'\\', *letter]),
        }
    }
}

/// What stands after a backslash for a byte; 0: it stands for itself.
#[expect(clippy::indexing_slicing, reason = "while it is compiled")]
static LETTERS: [u8; 256] = {
    let mut letters = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        letters[byte as usize] = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            8 => b'b',
            12 => b'f',
            0..0x20 => b'u',
            _ => 0,
        };
        byte = byte.wrapping_add(1);
    }
    letters
};

/// Writes what is full of bytes that a letter stands for, as far as it is: no branch depends on where they are. Returns how
/// many were read.
#[inline(never)]
fn thick(out: &mut Vec<u8>, text: &[u8]) -> usize {
    let mut read = 0_usize;
    for block in text.as_chunks::<64>().0 {
        if bits(block, |part| ends(part) | equal(part, b'\\')).count_ones() < 6 {
            break;
        }
        let (mut said, mut len) = ([0_u8; 128], 0_usize);
        for byte in block {
            let letter = LETTERS.get(usize::from(*byte)).copied().unwrap_or_default();
            if letter == b'u' {
                out.extend_from_slice(said.get(..len).unwrap_or_default());
                return read;
            }
            let two = letter != 0;
            for (at, byte) in [(len, if two { b'\\' } else { *byte }), (len.wrapping_add(1), letter)] {
                if let Some(place) = said.get_mut(at & 127) {
                    *place = byte;
                }
            }
            len = len.wrapping_add(1).wrapping_add(usize::from(two));
            read = read.wrapping_add(1);
        }
        out.extend_from_slice(said.get(..len).unwrap_or_default());
    }
    read
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
