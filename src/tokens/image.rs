//! How large an image is, from the first bytes of its file; how long a sound is, from a WAV file's header.

use crate::base64;

/// Characters of base64 that are looked at: a JPEG's size comes after what a camera put before it.
const LOOKED_AT: usize = 256 * 1024;

/// Marks of a JPEG that are passed over at most.
const MAX_MARKS: usize = 512;

/// Width and height of a PNG, JPEG, GIF or WebP image in base64.
pub fn size(base64: &str) -> Option<(u64, u64)> {
    let head = Base64(base64.as_bytes());
    let start: [u8; 30] = head.array(0)?;
    let [a, b, c, d, ..] = start;
    let sides = match [a, b, c, d] {
        [0x89, b'P', b'N', b'G'] => (big(head.array(16)?), big(head.array(20)?)),
        [b'G', b'I', b'F', b'8'] => (little(head.array(6)?), little(head.array(8)?)),
        [0xFF, 0xD8, ..] => jpeg(&head)?,
        [b'R', b'I', b'F', b'F'] => webp(&head)?,
        _ => return None,
    };
    (sides.0 > 0 && sides.1 > 0).then_some(sides)
}

/// Bytes a second, of a WAV file in base64.
pub fn wav_rate(base64: &str) -> Option<u64> {
    let head = Base64(base64.as_bytes());
    (head.array(0)? == *b"RIFF" && head.array(12)? == *b"fmt ").then_some(())?;
    let [a, b, c, d] = head.array(28)?;
    Some(u64::from(u32::from_le_bytes([a, b, c, d]))).filter(|rate| *rate > 0)
}

fn big(bytes: [u8; 4]) -> u64 {
    u64::from(u32::from_be_bytes(bytes))
}

fn little(bytes: [u8; 2]) -> u64 {
    u64::from(u16::from_le_bytes(bytes))
}

/// The size is in the frame's header, behind segments of any length.
fn jpeg(head: &Base64<'_>) -> Option<(u64, u64)> {
    let mut at = 2_usize;
    for _ in 0..MAX_MARKS {
        let [mark, kind, high, low] = head.array(at)?;
        if mark != 0xFF {
            return None;
        }
        match kind {
            0xFF => at = at.saturating_add(1),
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                let [h1, h0, w1, w0] = head.array(at.saturating_add(5))?;
                return Some((u64::from(u16::from_be_bytes([w1, w0])), u64::from(u16::from_be_bytes([h1, h0]))));
            }
            _ => at = at.saturating_add(2).saturating_add(usize::from(u16::from_be_bytes([high, low]))),
        }
    }
    None
}

fn webp(head: &Base64<'_>) -> Option<(u64, u64)> {
    (head.array(8)? == *b"WEBP").then_some(())?;
    match &head.array(12)? {
        b"VP8 " => {
            let sides = (little(head.array(26)?), little(head.array(28)?));
            Some((sides.0 & 0x3FFF, sides.1 & 0x3FFF))
        }
        b"VP8L" => {
            let bits = u64::from(u32::from_le_bytes(head.array(21)?));
            Some(((bits & 0x3FFF).saturating_add(1), ((bits >> 14) & 0x3FFF).saturating_add(1)))
        }
        b"VP8X" => {
            let [a, b, c, d, e, f] = head.array(24)?;
            let side =
                |low: u8, mid: u8, high: u8| u64::from(u32::from_le_bytes([low, mid, high, 0])).saturating_add(1);
            Some((side(a, b, c), side(d, e, f)))
        }
        _ => None,
    }
}

/// Bytes of a base64 text, decoded where they are asked for.
struct Base64<'a>(&'a [u8]);

impl Base64<'_> {
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        for (n, byte) in bytes.iter_mut().enumerate() {
            *byte = self.byte(at.checked_add(n)?)?;
        }
        Some(bytes)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        let group = (at / 3).checked_mul(4)?;
        if group > LOOKED_AT {
            return None;
        }
        let part = at % 3;
        let digit = |n: usize| base64::six(*self.0.get(group.checked_add(n)?)?);
        let (high, low) = (digit(part)?, digit(part.checked_add(1)?)?);
        let both = (u16::from(high) << 6) | u16::from(low);
        Some((both >> [4, 2, 0].get(part)?) as u8)
    }
}
