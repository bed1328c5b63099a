//! What a text likely comes to in a family whose vocabulary is not in the module: its tokens in `o200k_base`, weighed by kind.

use super::class::{self, LETTER, LOWER, MARK, NUMBER, UPPER};
use super::count::{Count, Measured, Sum};
use super::model::Weights;

/// Hundredths of a token that a byte comes to at most: no family has tokens of less than a byte.
const MOST: u64 = 100;

/// A text's tokens in `o200k_base` by kind: enough to say what it comes to in every family.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    tokens: u64,
    /// By [`Kind`]; of numbers, the bytes.
    kinds: [u64; KINDS],
    /// Of pieces of which each byte is a token.
    bytewise: [u64; KINDS],
}

impl Sum for Tally {
    #[inline]
    fn add(&mut self, piece: &[u8], tokens: u64) {
        self.tokens = self.tokens.saturating_add(tokens);
        let (kind, len) = (kind(piece), piece.len() as u64);
        let kinds = if tokens == len { &mut self.bytewise } else { &mut self.kinds };
        if let Some(place) = kinds.get_mut(kind as usize) {
            *place = place.saturating_add(if matches!(kind, Kind::Number) { len } else { tokens });
        }
    }

    fn plus(&mut self, other: &Self) {
        self.tokens = self.tokens.saturating_add(other.tokens);
        for (all, more) in [(&mut self.kinds, &other.kinds), (&mut self.bytewise, &other.bytewise)] {
            for (place, more) in all.iter_mut().zip(more) {
                *place = place.saturating_add(*more);
            }
        }
    }
}

impl Tally {
    /// Hundredths of a token.
    fn weighed(&self, weights: &Weights) -> u64 {
        let Weights { word, digit, sign, letters, ideographs } = *weights;
        let all = self.kinds.iter().zip(&self.bytewise).zip([word, digit.min(MOST), sign, letters, ideographs]);
        all.fold(0, |sum, ((tokens, bytewise), weight)| {
            let bytewise = bytewise.saturating_mul(weight.min(MOST));
            sum.saturating_add(tokens.saturating_mul(weight)).saturating_add(bytewise)
        })
    }
}

/// The tokens of a text of so many bytes. The upper bound leaves a quarter for what was read.
pub fn text(weights: &Weights, measured: &Measured<Tally>, bytes: usize) -> Count {
    let weighed = measured.count(MOST, |tally| tally.weighed(weights));
    let bytes = bytes as u64;
    let likely = weighed.likely().saturating_add(50) / 100;
    let likely = likely.clamp(bytes.min(1), bytes);
    let upper = match weighed {
        Count::Exact(_) => likely.saturating_add(likely.div_ceil(4)).saturating_add(1),
        Count::Estimate { upper, .. } => upper.div_ceil(80),
    };
    Count::estimate(likely, upper.min(bytes))
}

/// The same text in `o200k_base` itself.
pub fn exact(measured: &Measured<Tally>) -> Count {
    measured.count(1, |tally| tally.tokens)
}

const KINDS: usize = 5;

#[derive(Clone, Copy)]
enum Kind {
    /// Letters of ASCII.
    Word,
    Number,
    /// Punctuation, symbols, white space.
    Sign,
    /// With letters beyond ASCII.
    Letters,
    /// Chinese, Japanese, Korean.
    Ideographs,
}

fn kind(piece: &[u8]) -> Kind {
    let (mut at, mut kind) = (0_usize, Kind::Sign);
    if piece.is_ascii() {
        let letter = piece.iter().take(2).any(u8::is_ascii_alphabetic);
        let digit = piece.first().is_some_and(u8::is_ascii_digit);
        return if letter {
            Kind::Word
        } else if digit {
            Kind::Number
        } else {
            Kind::Sign
        };
    }
    loop {
        match class::at(piece, at) {
            (UPPER | LOWER | LETTER | MARK, len) => {
                // U+2E80 to U+D7FF are three bytes from E2 BA; beyond the first plane only ideographs are letters much used.
                match piece.get(at) {
                    Some(0xE3..=0xED | 0xF0..) => return Kind::Ideographs,
                    Some(0x80..) => kind = Kind::Letters,
                    _ if matches!(kind, Kind::Sign) => kind = Kind::Word,
                    _ => {}
                }
                at = at.saturating_add(len);
            }
            (NUMBER, _) => return Kind::Number,
            (_, 0) => return kind,
            (_, len) => at = at.saturating_add(len),
        }
    }
}
