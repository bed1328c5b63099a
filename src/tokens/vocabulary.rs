//! The tokens of both encodings in one perfect hash table, used where it lies in the module.
//!
//! `tests/vocabulary` writes the tables and says how they are laid out. A token's bytes are compared, so that nothing is
//! taken for a token that is none. Every token of both encodings comes about by merging: none needs a list of its own.

use super::Encoding;
use super::hash::{LONGEST, bucket, long, short, slot, word};

static PLACES: &[[u8; 2]] = include_bytes!("places.bin").as_chunks().0;
static SLOTS: &[[u8; 8]] = include_bytes!("slots.bin").as_chunks().0;
static BYTES: &[u8] = include_bytes!("bytes.bin");

static TWOS: &[[u8; 8]] = include_bytes!("twos.bin").as_chunks().0;

/// The rank of what is no token: after all others.
pub const NONE: u32 = u32::MAX;

/// The rank of `len` bytes: of two tokens side by side those are merged first whose whole has the lowest.
#[inline(always)]
pub fn rank(encoding: Encoding, text: &[u8], from: usize, len: usize) -> u32 {
    find(text, from, len).map_or(NONE, |entry| ranked(encoding, entry))
}

#[inline(always)]
fn ranked(encoding: Encoding, entry: u64) -> u32 {
    let (rank, none) = match encoding {
        Encoding::O200k => ((entry >> 27) & 0x3_FFFF, 0x3_FFFF),
        Encoding::Cl100k => ((entry >> 45) & 0x1_FFFF, 0x1_FFFF),
    };
    if rank == none { NONE } else { rank as u32 }
}

/// The rank of two bytes.
#[inline(always)]
pub fn rank_of_two(encoding: Encoding, first: u8, second: u8) -> u32 {
    let table = |at: usize| TWOS.get(at).map_or(0, |eight| u64::from_le_bytes(*eight));
    let row = ((usize::from(first) << 2) | usize::from(second >> 6)) << 1;
    let (bits, bit) = (table(row), 1_u64 << (second & 63));
    if bits & bit == 0 {
        return NONE;
    }
    let before = table(row | 1).wrapping_add(u64::from((bits & bit.wrapping_sub(1)).count_ones()));
    ranked(encoding, table((before as usize).wrapping_add(2048)))
}

#[inline(always)]
fn find(text: &[u8], from: usize, len: usize) -> Option<u64> {
    let (hash, start) = match len {
        0..=8 => {
            let start = word(text, from, len);
            (short(start, len), start)
        }
        9..=LONGEST => (long(text, from, len), 0),
        _ => return None,
    };
    let displaced = u16::from_le_bytes(*PLACES.get(bucket(hash))?);
    let entry = u64::from_le_bytes(*SLOTS.get(slot(hash, displaced, SLOTS.len()))?);
    if ((entry >> 20) & 0x7F).wrapping_add(1) != len as u64 {
        return None;
    }
    let at = (entry & 0xF_FFFF) as usize;
    let same = match len {
        0..=8 => word(BYTES, at, len) == start,
        _ => BYTES.get(at..at.saturating_add(len))? == text.get(from..from.saturating_add(len))?,
    };
    same.then_some(entry)
}
