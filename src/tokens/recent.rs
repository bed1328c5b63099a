//! What short pieces come to that were met lately: most pieces of a text are among a few
//! hundred, and the tables are larger than a processor's cache.

use super::Encoding;
use std::cell::Cell;

/// Longest piece that is remembered.
pub const LONGEST: usize = 14;

/// Pieces that are remembered, as a power of two: 256 KB.
const BITS: u32 = 14;
const PLACES: usize = 1 << BITS;

/// The bytes of a piece, its length and its encoding: 120 bits. Above them what it comes to.
#[derive(Clone, Copy)]
pub struct Piece {
    low: u64,
    high: u64,
}

/// Tokens, and how seldom the one token is that the piece may be: see `weigh::seldom`.
#[derive(Clone, Copy)]
pub struct Worth {
    pub tokens: u32,
    pub seldom: u8,
}

pub struct Recent([Cell<[u64; 2]>; PLACES]);

thread_local! {
    /// It says of a piece what the tables would: that it outlives a call changes no result.
    static RECENT: Recent = const { Recent([const { Cell::new([0; 2]) }; PLACES]) };
}

pub fn with<T>(work: impl FnOnce(&Recent) -> T) -> T {
    RECENT.with(work)
}

impl Piece {
    /// At most 14 bytes, of which 16 can be read.
    #[inline(always)]
    pub fn at(encoding: Encoding, text: &[u8], from: usize, len: usize) -> Option<Self> {
        let sixteen: &[u8; 16] = text.get(from..)?.first_chunk()?;
        let [low, high] = MASKS.get(len)?;
        let whole = u128::from_le_bytes(*sixteen);
        let about = (len as u64) << 48 | (encoding as u64) << 52;
        Some(Self { low: whole as u64 & low, high: (whole >> 64) as u64 & high | about })
    }

    #[inline(always)]
    fn place(self) -> usize {
        let hash = (self.low ^ self.high.rotate_left(27)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (hash >> (64 - BITS)) as usize
    }
}

const ABOUT: u32 = 56;

const MASKS: [[u64; 2]; LONGEST + 1] = {
    let mut masks = [[0; 2]; LONGEST + 1];
    let mut len = 0;
    while len <= LONGEST {
        let mask = (1_u128 << (len * 8)) - 1;
        #[expect(clippy::indexing_slicing, reason = "evaluated when compiled")]
        {
            masks[len] = [mask as u64, (mask >> 64) as u64];
            len += 1;
        }
    }
    masks
};

impl Recent {
    #[inline(always)]
    pub fn find(&self, piece: Piece) -> Option<Worth> {
        let [low, high] = self.0.get(piece.place())?.get();
        let worth = (high >> ABOUT) as u8;
        let same = low == piece.low && (high ^ piece.high) << (64 - ABOUT) == 0;
        same.then_some(Worth { tokens: u32::from(worth & 15), seldom: worth >> 4 })
    }

    #[inline(always)]
    pub fn put(&self, piece: Piece, worth: Worth) {
        if let Some(place) = self.0.get(piece.place()) {
            place.set([piece.low, piece.high | (u64::from(worth.tokens) | u64::from(worth.seldom) << 4) << ABOUT]);
        }
    }
}
