//! What kind of character stands at a byte, as the patterns of both encodings tell them apart.

/// The numbers are those in `classes.bin`.
pub const OTHER: u8 = 0;
pub const UPPER: u8 = 1;
pub const LOWER: u8 = 2;
/// Letters without case, and modifier letters.
pub const LETTER: u8 = 3;
pub const MARK: u8 = 4;
pub const NUMBER: u8 = 5;
pub const SPACE: u8 = 6;
pub const NEWLINE: u8 = 7;

/// No character: the end of the text.
pub const END: u8 = 8;

static CLASSES: &[u8] = include_bytes!("classes.bin");

/// Blocks of 128 code points, from 0 to 0x10FFFF.
const BLOCKS: usize = 0x11_0000 >> 7;

pub static ASCII: [u8; 128] = ascii();

const fn ascii() -> [u8; 128] {
    let mut classes = [OTHER; 128];
    let mut at = 0_u8;
    while at < 128 {
        let class = match at {
            b'A'..=b'Z' => UPPER,
            b'a'..=b'z' => LOWER,
            b'0'..=b'9' => NUMBER,
            b'\r' | b'\n' => NEWLINE,
            b'\t' | 0x0B | 0x0C | b' ' => SPACE,
            _ => OTHER,
        };
        #[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated when compiled")]
        {
            classes[at as usize] = class;
            at += 1;
        }
    }
    classes
}

/// The class of the character at a byte of valid UTF-8, and its bytes: 0 at the end.
#[inline(always)]
pub fn at(text: &[u8], from: usize) -> (u8, usize) {
    match text.get(from) {
        None => (END, 0),
        Some(byte) => match ASCII.get(usize::from(*byte)) {
            Some(class) => (*class, 1),
            None => beyond_ascii(text, from, *byte),
        },
    }
}

#[inline(never)]
fn beyond_ascii(text: &[u8], from: usize, first: u8) -> (u8, usize) {
    let tail = |n: usize| u32::from(text.get(from.saturating_add(n)).copied().unwrap_or_default() & 0x3F);
    let head = |bits: u8| u32::from(first & bits);
    let (point, len) = match first {
        0..0xE0 => (head(0x1F) << 6 | tail(1), 2),
        0xE0..0xF0 => (head(0x0F) << 12 | tail(1) << 6 | tail(2), 3),
        _ => (head(0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4),
    };
    (of(point), len)
}

fn of(point: u32) -> u8 {
    let block = CLASSES.get((point >> 7) as usize).map_or(0, |block| usize::from(*block));
    let at = BLOCKS.saturating_add(block << 6).saturating_add(((point & 127) >> 1) as usize);
    let two = CLASSES.get(at).copied().unwrap_or_default();
    if point & 1 == 0 { two & 15 } else { two >> 4 }
}
