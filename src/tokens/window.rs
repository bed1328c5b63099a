//! Where the next sixty-four bytes are cut, all at once: what [`pieces`](super::pieces) says of them, where they are ASCII.

use super::Encoding;

/// Kinds of bytes, each as the bits of those that are so.
#[derive(Clone, Copy, Default)]
struct Kinds {
    letters: u64,
    /// Among letters the small ones.
    small: u64,
    digits: u64,
    /// Tabs and line ends of every kind, and among them `\r` and `\n`.
    controls: u64,
    lines: u64,
    blanks: u64,
    beyond_ascii: u64,
    apostrophes: u64,
    slashes: u64,
}

/// The ends of pieces, as bits by their distance from `from`, where a piece starts: of those that are certain from these bytes alone. Often
/// none is, and the last piece of a text never.
#[inline]
pub fn ends(encoding: Encoding, text: &[u8], from: usize) -> u64 {
    let rest = text.get(from..).unwrap_or_default();
    let kinds = match rest.first_chunk() {
        Some(block) => kinds(block),
        None => {
            let mut block = [u8::MAX; 64];
            block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            kinds(&block)
        }
    };
    let Kinds { letters, small, digits, controls, lines, blanks, beyond_ascii, apostrophes, slashes } = kinds;
    let spaces = (controls & !lines) | blanks;
    let signs = !(letters | digits | controls | blanks | beyond_ascii);
    let after = |kind: u64| kind << 1;
    let cased = encoding == Encoding::O200k;

    // What may be a contraction; a slash that goes with the signs before the line's end.
    let short =
        apostrophes & (((letters | beyond_ascii) >> 1) | (1 << 63)) & if cased { after(letters) } else { u64::MAX };
    let doubtful = beyond_ascii | short | (slashes & after(lines));
    let mut certain = doubtful.wrapping_sub(1) & !doubtful;

    // White space after a line's end goes with another line's end after it, and with the text's end.
    let indents = spaces & after(lines);
    let (flooded, past) = spaces.overflowing_add(indents);
    let joined = flooded & (lines | beyond_ascii) & !spaces;
    if joined != 0 || past {
        let before = indents & joined.wrapping_sub(1);
        certain &= before.checked_ilog2().map_or(0, |at| (1_u64 << at).wrapping_sub(1));
    }

    let signs_start = signs & (after(letters | digits | lines | (spaces & !blanks)) | 1);
    let in_words = if cased { letters & !small & after(letters & small) } else { 0 };
    let words = letters & after(digits | lines | (signs & !signs_start));
    let solid = letters | digits | signs;
    let white = (spaces & (after(solid) | (after(spaces) & (solid >> 1)))) | indents;
    let mut numbers = digits & !after(digits);
    let further = digits & after(digits) & (digits << 2);
    let mut third = numbers;
    loop {
        third = (third << 3) & further;
        if third == 0 {
            break;
        }
        numbers |= third;
    }
    let starts = signs_start | in_words | words | white | numbers | (lines & after(letters | digits));
    starts & certain & !1
}

#[inline(always)]
fn kinds(block: &[u8; 64]) -> Kinds {
    let mut all = Kinds::default();
    for part in block.as_chunks().0.iter().rev() {
        let add = |to: &mut u64, bits: u16| *to = (*to << 16) | u64::from(bits);
        let [letters, small, digits, controls, lines, blanks, beyond_ascii, apostrophes, slashes] = part_kinds(part);
        add(&mut all.letters, letters);
        add(&mut all.small, small);
        add(&mut all.digits, digits);
        add(&mut all.controls, controls);
        add(&mut all.lines, lines);
        add(&mut all.blanks, blanks);
        add(&mut all.beyond_ascii, beyond_ascii);
        add(&mut all.apostrophes, apostrophes);
        add(&mut all.slashes, slashes);
    }
    all
}

/// In the order of [`Kinds`].
#[cfg(target_arch = "wasm32")]
#[inline(always)]
fn part_kinds(part: &[u8; 16]) -> [u16; 9] {
    use core::arch::wasm32::{
        i16x8_shl, u8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, u8x16_sub, u64x2, v128, v128_or,
    };
    let bytes = u128::from_le_bytes(*part);
    let bytes = u64x2(bytes as u64, (bytes >> 64) as u64);
    let is = |byte: u8| u8x16_eq(bytes, u8x16_splat(byte));
    let from = |bytes: v128, first: u8, number: u8| u8x16_lt(u8x16_sub(bytes, u8x16_splat(first)), u8x16_splat(number));
    [
        u8x16_bitmask(from(v128_or(bytes, u8x16_splat(0x20)), b'a', 26)),
        u8x16_bitmask(i16x8_shl(bytes, 2)),
        u8x16_bitmask(from(bytes, b'0', 10)),
        u8x16_bitmask(from(bytes, b'\t', 5)),
        u8x16_bitmask(v128_or(is(b'\n'), is(b'\r'))),
        u8x16_bitmask(is(b' ')),
        u8x16_bitmask(bytes),
        u8x16_bitmask(is(b'\'')),
        u8x16_bitmask(is(b'/')),
    ]
}

#[cfg(not(target_arch = "wasm32"))]
fn part_kinds(part: &[u8; 16]) -> [u16; 9] {
    let all = |test: fn(u8) -> bool| part.iter().rev().fold(0, |bits, byte| (bits << 1) | u16::from(test(*byte)));
    [
        all(|byte| byte.is_ascii_alphabetic()),
        all(|byte| byte & 0x20 != 0),
        all(|byte| byte.is_ascii_digit()),
        all(|byte| matches!(byte, b'\t'..=b'\r')),
        all(|byte| matches!(byte, b'\n' | b'\r')),
        all(|byte| byte == b' '),
        all(|byte| byte >= 0x80),
        all(|byte| byte == b'\''),
        all(|byte| byte == b'/'),
    ]
}
