//! How a token's bytes find their slot. The generator in `tests/vocabulary` compiles this file too.

/// Longest token of either encoding.
pub const LONGEST: usize = 128;

/// Bytes `from..from + len` as a number, `len` at most 8. Bytes past the end count as zero.
#[inline(always)]
pub fn word(bytes: &[u8], from: usize, len: usize) -> u64 {
    let rest = bytes.get(from..).unwrap_or_default();
    let whole = match rest.first_chunk::<8>() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => rest.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
    };
    whole & mask(len)
}

/// The lowest `len` bytes.
#[inline(always)]
pub fn mask(len: usize) -> u64 {
    const MASKS: [u64; 9] = {
        let mut masks = [u64::MAX; 9];
        let mut len = 0;
        while len < 8 {
            #[expect(clippy::indexing_slicing, reason = "evaluated when compiled")]
            {
                masks[len] = (1_u64 << (len * 8)) - 1;
                len += 1;
            }
        }
        masks
    };
    MASKS.get(len).copied().unwrap_or(u64::MAX)
}

/// Of at most 8 bytes, as `word` reads them.
#[inline(always)]
pub fn short(word: u64, len: usize) -> u64 {
    (word ^ (len as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// Of more than 8 bytes.
pub fn long(bytes: &[u8], from: usize, len: usize) -> u64 {
    let end = from.saturating_add(len);
    let mut h = word(bytes, from, 8);
    let mut at = from.saturating_add(8);
    while at < end {
        let part = word(bytes, at, end.saturating_sub(at).min(8));
        h = (h ^ part.rotate_left(23)).wrapping_mul(0xA24B_AED4_963E_E407);
        h ^= h >> 29;
        at = at.saturating_add(8);
    }
    short(h, len)
}

/// The bucket of a hash: one of 2^16.
#[inline(always)]
pub fn bucket(hash: u64) -> usize {
    (hash >> 48) as usize
}

/// The slot of a hash in a bucket that is displaced so, of so many slots.
#[inline(always)]
pub fn slot(hash: u64, displaced: u16, slots: usize) -> usize {
    let second = hash ^ (hash >> 29);
    let step = ((second >> 11) as u32) | 1;
    let at = (second.wrapping_mul(0xFF51_AFD7_ED55_8CCD) >> 32) as u32;
    let at = at.wrapping_add(step.wrapping_mul(u32::from(displaced)));
    (u64::from(at).wrapping_mul(slots as u64) >> 32) as usize
}
