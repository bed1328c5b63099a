//! Where a text is cut before any merging: the patterns of `o200k_base` and `cl100k_base` by hand.

use super::Encoding;
use super::class::{self, END, LETTER, LOWER, MARK, NEWLINE, NUMBER, OTHER, SPACE, UPPER};

/// Where the piece that starts at `from` ends. Beyond `from` unless that is the text's end. Valid UTF-8, on a boundary.
pub fn end(encoding: Encoding, text: &[u8], from: usize) -> usize {
    match encoding {
        Encoding::O200k => o200k(text, from),
        Encoding::Cl100k => cl100k(text, from),
    }
}

/// `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?`, the same
/// with `+` on the capitals and `*` on the small letters, `\p{N}{1,3}`, ` ?[^\s\p{L}\p{N}]+[\r\n/]*`, `\s*[\r\n]+`,
/// `\s+(?!\S)`, `\s+`: the first that matches.
#[inline]
fn o200k(text: &[u8], from: usize) -> usize {
    let (first, len) = class::at(text, from);
    let after = from.saturating_add(len);
    match first {
        UPPER | LOWER | LETTER | MARK => word(text, from).unwrap_or(after),
        NUMBER => digits(text, after),
        OTHER | SPACE => {
            if let Some(end) = word(text, after) {
                return end;
            }
            punctuated(text, from, first, after, true).unwrap_or_else(|| space(text, from, false))
        }
        _ => space(text, from, false),
    }
}

/// `'(?i:[sdmt]|ll|ve|re)`, `[^\r\n\p{L}\p{N}]?+\p{L}++`, `\p{N}{1,3}+`, ` ?[^\s\p{L}\p{N}]++[\r\n]*+`, `\s++$`,
/// `\s*[\r\n]`, `\s+(?!\S)`, `\s`: the first that matches.
#[inline]
fn cl100k(text: &[u8], from: usize) -> usize {
    let (first, len) = class::at(text, from);
    let after = from.saturating_add(len);
    match first {
        UPPER | LOWER | LETTER => letters(text, after),
        NUMBER => digits(text, after),
        OTHER | MARK | SPACE => {
            let short = contracted(text, from);
            if short > from {
                return short;
            }
            let end = letters(text, after);
            if end > after {
                return end;
            }
            punctuated(text, from, first, after, false).unwrap_or_else(|| space(text, from, true))
        }
        _ => space(text, from, true),
    }
}

/// `\p{L}*`
#[inline]
fn letters(text: &[u8], mut at: usize) -> usize {
    loop {
        match class::at(text, at) {
            (UPPER | LOWER | LETTER, len) => at = at.saturating_add(len),
            _ => return at,
        }
    }
}

/// Capitals, then small letters, with what has no case counting as either; then a contraction.
#[inline]
fn word(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    // After the last character that may also be a small letter.
    let mut either = from;
    let next = loop {
        match class::at(text, at) {
            (UPPER, len) => at = at.saturating_add(len),
            (LETTER | MARK, len) => {
                at = at.saturating_add(len);
                either = at;
            }
            (next, _) => break next,
        }
    };
    let end = if next == LOWER {
        loop {
            match class::at(text, at) {
                (LOWER | LETTER | MARK, len) => at = at.saturating_add(len),
                _ => break at,
            }
        }
    } else if either > from {
        either
    } else {
        at
    };
    (end > from).then(|| contracted(text, end))
}

/// Past `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` in any case, if one stands there.
#[inline]
fn contracted(text: &[u8], at: usize) -> usize {
    if text.get(at) != Some(&b'\'') { at } else { contraction(text, at) }
}

fn contraction(text: &[u8], at: usize) -> usize {
    let byte = |n: usize| text.get(at.saturating_add(n)).copied().unwrap_or_default();
    let len = match (byte(1) | 0x20, byte(2) | 0x20) {
        (b's' | b't' | b'm' | b'd', _) => 2,
        (b'r' | b'v', b'e') | (b'l', b'l') => 3,
        // U+017F, the long s: in any case it is an s.
        _ if (byte(1), byte(2)) == (0xC5, 0xBF) => 3,
        _ => 0,
    };
    at.saturating_add(len)
}

/// At most three digits, of which one is before `at`.
#[inline]
fn digits(text: &[u8], mut at: usize) -> usize {
    for _ in 0..2 {
        match class::at(text, at) {
            (NUMBER, len) => at = at.saturating_add(len),
            _ => break,
        }
    }
    at
}

/// ` ?[^\s\p{L}\p{N}]+[\r\n]*`, where the end may hold slashes too.
#[inline]
fn punctuated(text: &[u8], from: usize, first: u8, after: usize, slashes: bool) -> Option<usize> {
    let mut at = match (first, text.get(from)) {
        (SPACE, Some(b' ')) if matches!(class::at(text, after).0, OTHER | MARK) => after,
        (SPACE, _) => return None,
        _ => after,
    };
    while let (OTHER | MARK, len) = class::at(text, at) {
        at = at.saturating_add(len);
    }
    while let Some(b'\r' | b'\n' | b'/') = text.get(at) {
        if !slashes && text.get(at) == Some(&b'/') {
            break;
        }
        at = at.saturating_add(1);
    }
    Some(at)
}

/// White space: to its last line end; else all but its last character, which goes with what follows.
/// `at_end`: at the end of the text all of it, line ends or not.
#[inline]
fn space(text: &[u8], from: usize, at_end: bool) -> usize {
    let mut at = from;
    let mut line = from;
    let mut last = from;
    let next = loop {
        match class::at(text, at) {
            (SPACE, len) => {
                last = at;
                at = at.saturating_add(len);
            }
            (NEWLINE, len) => {
                at = at.saturating_add(len);
                line = at;
            }
            (next, _) => break next,
        }
    };
    match next {
        END if at_end => at,
        _ if line > from => line,
        END => at,
        _ if last > from => last,
        _ => at,
    }
}
