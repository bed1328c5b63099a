//! Looking at many bytes at once: 16 in a register, 64 as the bits of a number.

/// How many leading bytes stand for themselves in a JSON string.
#[inline(always)]
pub(super) fn plain(bytes: &[u8]) -> usize {
    let mut count = 0_usize;
    let (blocks, tail) = bytes.as_chunks::<16>();
    for block in blocks {
        let ends = marks(block);
        if ends != 0 {
            return count.wrapping_add(ends.trailing_zeros() as usize);
        }
        count = count.wrapping_add(16);
    }
    count.wrapping_add(tail.iter().position(special).unwrap_or(tail.len()))
}

/// Whether it does not stand for itself in a JSON string.
#[inline]
fn special(byte: &u8) -> bool {
    matches!(*byte, b'"' | b'\\' | 0..0x20)
}

/// Where `byte` stands, in order: for bytes that come often, each of which would be a search of its own.
pub fn places(byte: u8, bytes: &[u8]) -> Places<'_> {
    let (blocks, tail) = bytes.as_chunks::<16>();
    Places { byte, blocks: blocks.iter(), tail, at: 0, next: 0, marks: 0 }
}

/// See [`places`].
pub struct Places<'a> {
    byte: u8,
    blocks: std::slice::Iter<'a, [u8; 16]>,
    tail: &'a [u8],
    /// Where the block of the marks starts, and the one after it.
    at: usize,
    next: usize,
    /// A bit for each place in the block that is not given yet.
    marks: u32,
}

impl Iterator for Places<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.marks == 0 {
            self.at = self.next;
            self.marks = match self.blocks.next() {
                Some(block) => equal(block, self.byte),
                None if self.tail.is_empty() => return None,
                None => {
                    let mut block = [!self.byte; 16];
                    block.iter_mut().zip(std::mem::take(&mut self.tail)).for_each(|(to, from)| *to = *from);
                    equal(&block, self.byte)
                }
            };
            self.next = self.at.wrapping_add(16);
        }
        let first = self.marks.trailing_zeros() as usize;
        self.marks &= self.marks.wrapping_sub(1);
        Some(self.at.wrapping_add(first))
    }
}

/// Which bytes are escaped, where these are backslashes. `carry`: the first is, and then that of the next block.
#[inline(always)]
pub(super) fn escaped(slashes: u64, carry: &mut u64) -> u64 {
    const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
    // Of a run of backslashes every other one escapes what follows: the borrow of a subtraction goes through it.
    let some = slashes & !*carry;
    let escapes = ((some << 1) | ODD).wrapping_sub(some) ^ ODD;
    let escaped = escapes ^ (slashes | *carry);
    *carry = (escapes & slashes) >> 63;
    escaped
}

/// A block of what is left of a text.
#[cold]
pub(super) fn last(rest: &[u8]) -> [u8; 64] {
    let mut block = [0; 64];
    block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    block
}

/// A bit for each byte of which a test holds, the first byte's lowest.
#[inline(always)]
pub(super) fn bits(block: &[u8; 64], test: impl Fn(&[u8; 16]) -> u32) -> u64 {
    block.as_chunks::<16>().0.iter().rev().fold(0, |bits, part| (bits << 16) | u64::from(test(part)))
}

/// Whether all of it stands for itself in a JSON string.
#[cfg(target_arch = "wasm32")]
#[inline(always)]
pub(super) fn quiet(block: &[u8; 64]) -> bool {
    use core::arch::wasm32::{u8x16_bitmask, u8x16_splat, v128_and};
    let parts = block.as_chunks::<16>().0.iter();
    u8x16_bitmask(parts.fold(u8x16_splat(u8::MAX), |all, part| v128_and(all, plainly(part)))) == u16::MAX
}

/// The high bit of each byte that stands for itself.
#[cfg(target_arch = "wasm32")]
#[inline(always)]
fn plainly(block: &[u8; 16]) -> core::arch::wasm32::v128 {
    use core::arch::wasm32::{u8x16_eq, u8x16_splat, v128_andnot};
    v128_andnot(inside(block), u8x16_eq(vector(block), u8x16_splat(b'\\')))
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) fn quiet(block: &[u8; 64]) -> bool {
    block.as_chunks::<16>().0.iter().all(|part| marks(part) == 0)
}

/// The high bit of each byte that is neither `"` nor a control character.
#[cfg(target_arch = "wasm32")]
#[inline(always)]
fn inside(block: &[u8; 16]) -> core::arch::wasm32::v128 {
    use core::arch::wasm32::{u8x16_add_sat, u8x16_splat, v128_xor};
    // Those, and no others, are at most 0x20 once their second bit is flipped: a comparison would be four instructions.
    u8x16_add_sat(v128_xor(vector(block), u8x16_splat(2)), u8x16_splat(0x7F - 0x20))
}

/// Where `"` and control characters are.
#[cfg(target_arch = "wasm32")]
#[inline(always)]
pub(super) fn ends(block: &[u8; 16]) -> u32 {
    u32::from(!core::arch::wasm32::u8x16_bitmask(inside(block)))
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) fn ends(block: &[u8; 16]) -> u32 {
    each(block, |byte| byte ^ 2 <= 0x20)
}

/// Where letters are that a backslash makes one character, `u` not among them.
#[cfg(target_arch = "wasm32")]
#[inline(always)]
pub(super) fn letters(block: &[u8; 16]) -> u32 {
    use core::arch::wasm32::{u8x16, u8x16_bitmask, u8x16_gt, u8x16_shr, u8x16_splat, u8x16_swizzle, v128_and};
    // By their lower half, a bit for each upper half that they are one with: 2, 5, 6 and 7.
    let lower = u8x16(0, 0, 13, 0, 8, 0, 4, 0, 0, 0, 0, 0, 2, 0, 4, 1);
    let upper = u8x16(0, 0, 1, 0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0);
    let block = vector(block);
    let lower = u8x16_swizzle(lower, v128_and(block, u8x16_splat(15)));
    let upper = u8x16_swizzle(upper, u8x16_shr(block, 4));
    u32::from(u8x16_bitmask(u8x16_gt(v128_and(lower, upper), u8x16_splat(0))))
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) fn letters(block: &[u8; 16]) -> u32 {
    each(block, |byte| matches!(byte, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'))
}

/// A bit for each byte that is not ASCII.
#[cfg(target_arch = "wasm32")]
#[inline(always)]
pub(super) fn high(block: &[u8; 16]) -> u32 {
    u32::from(core::arch::wasm32::u8x16_bitmask(vector(block)))
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) fn high(block: &[u8; 16]) -> u32 {
    each(block, |byte| byte >= 0x80)
}

/// A bit for each byte that is this one, the first byte's lowest.
#[cfg(target_arch = "wasm32")]
#[inline]
pub(super) fn equal(block: &[u8; 16], byte: u8) -> u32 {
    use core::arch::wasm32::{u8x16_bitmask, u8x16_eq, u8x16_splat};
    u32::from(u8x16_bitmask(u8x16_eq(vector(block), u8x16_splat(byte))))
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) fn equal(block: &[u8; 16], byte: u8) -> u32 {
    each(block, |other| other == byte)
}

#[cfg(not(target_arch = "wasm32"))]
fn each(block: &[u8; 16], test: impl Fn(u8) -> bool) -> u32 {
    block.iter().rev().fold(0, |marks, byte| (marks << 1) | u32::from(test(*byte)))
}

/// A bit for each byte that ends a plain run, the first byte's lowest: `"`, `\` and controls.
#[cfg(target_arch = "wasm32")]
#[inline(always)]
pub(super) fn marks(block: &[u8; 16]) -> u32 {
    u32::from(!core::arch::wasm32::u8x16_bitmask(plainly(block)))
}

/// As above, except that only the lowest bit is exact, and that it is the byte's place.
#[cfg(not(target_arch = "wasm32"))]
#[inline(always)]
pub(super) fn marks(block: &[u8; 16]) -> u32 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let word = u128::from_le_bytes(*block);
    let first = |word: u64| {
        // `"` and the controls, and no others, are below 0x21 once their second bit is flipped.
        let low = (word ^ (ONES << 1)).wrapping_sub(ONES.wrapping_mul(0x21));
        let slash = (word ^ ONES.wrapping_mul(b'\\' as u64)).wrapping_sub(ONES);
        ((low | slash) & !word & HIGHS).trailing_zeros() >> 3
    };
    let at = match first(word as u64) {
        8 => first((word >> 64) as u64).wrapping_add(8),
        at => at,
    };
    if at < 16 { 1 << at } else { 0 }
}

#[cfg(target_arch = "wasm32")]
#[inline(always)]
fn vector(block: &[u8; 16]) -> core::arch::wasm32::v128 {
    let (words, _) = block.as_chunks::<8>();
    let word = |at: usize| words.get(at).copied().map_or(0, u64::from_le_bytes);
    core::arch::wasm32::u64x2(word(0), word(1))
}
