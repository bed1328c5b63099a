//! What a text likely comes to in a family whose vocabulary is not in the module: its tokens in `o200k_base`, weighed by kind.

use super::class::{self, LETTER, LOWER, MARK, NUMBER, UPPER};
use super::count::{Budget, Count, measure};
use super::{Encoding, model::Weights};

/// Hundredths of a token that a byte comes to at most: no family has tokens of less than a byte.
const MOST: u64 = 100;

/// The tokens of a text. The upper bound leaves a quarter for what was read.
pub fn text(weights: &Weights, text: &str, budget: &mut Budget) -> Count {
    let weighed = measure(Encoding::O200k, text, budget, MOST, &|piece, tokens| piece_of(weights, piece, tokens));
    let bytes = text.len() as u64;
    let likely = weighed.likely().saturating_add(50) / 100;
    let likely = likely.clamp(bytes.min(1), bytes);
    let upper = match weighed {
        Count::Exact(_) => likely.saturating_add(likely.div_ceil(4)).saturating_add(1),
        Count::Estimate { upper, .. } => upper.div_ceil(80),
    };
    Count::estimate(likely, upper.min(bytes))
}

/// Hundredths of a token.
fn piece_of(weights: &Weights, piece: &[u8], tokens: u64) -> u64 {
    let most = (piece.len() as u64).saturating_mul(MOST);
    let weighed = match kind(piece) {
        Kind::Word => tokens.saturating_mul(weights.word),
        Kind::Number => (piece.len() as u64).saturating_mul(weights.digit),
        Kind::Sign => tokens.saturating_mul(weights.sign),
        Kind::Letters => tokens.saturating_mul(weights.letters),
        Kind::Ideographs => tokens.saturating_mul(weights.ideographs),
    };
    weighed.min(most)
}

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
