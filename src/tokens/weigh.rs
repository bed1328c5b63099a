//! What a text likely comes to in a family whose vocabulary is not in the module: its tokens in `o200k_base`, weighed by kind.

use super::class::{self, LETTER, LOWER, MARK, NUMBER, UPPER};
use super::count::{Count, Measured, Sum};
use super::recent::Worth;

/// Hundredths of a token that a byte comes to at most: hardly any text of any family has tokens of less than a byte.
const MOST: u64 = 100;

/// Bytes that count of a run of signs: longer ones are rules and frames, which families have tokens for.
const MOST_SIGNS: u64 = 5;

/// Bytes of a word beyond which it is long.
const LONG: u64 = 8;

/// Tokens of `o200k_base` from these ranks on are words that smaller vocabularies, or those with less of a language, have none for.
const SELDOM: [u32; 3] = [30_000, 80_000, 100_000];

/// How many of these a token of this rank is beyond.
pub fn seldom(rank: u32) -> u8 {
    SELDOM.iter().map(|least| u8::from(rank >= *least)).sum()
}

/// What is counted of a text. Each has a weight, but for the last.
#[derive(Clone, Copy)]
enum Kind {
    /// Words of ASCII; their tokens after the first; those that start with a capital; those with a sign before them.
    Word,
    Parts,
    Capitals,
    Led,
    /// Bytes of long ones; those that are one seldom token.
    Long,
    Seldom,
    Seldomer,
    /// Tokens of numbers, and their bytes: most families have a token for three digits or for each.
    Number,
    Digits,
    /// Punctuation and symbols of ASCII: tokens, and bytes; white space.
    Sign,
    SignBytes,
    Space,
    /// Latin letters beyond ASCII: tokens, and bytes of the words that have one.
    Latin,
    LatinBytes,
    Greek,
    Cyrillic,
    Hebrew,
    Arabic,
    Devanagari,
    Thai,
    /// Scripts beyond these.
    Rare,
    /// Tokens, and the bytes of all three.
    Han,
    Kana,
    Hangul,
    CjkBytes,
    /// Words beyond ASCII that are one seldom token.
    SeldomBeyond,
    /// Symbols beyond ASCII.
    Symbol,
    /// Pieces of which each byte is a token.
    Bytewise,
}

const KINDS: usize = Kind::Bytewise as usize;

/// Hundredths of a token by [`Kind`].
pub type Weights = [u16; KINDS];

/// A text's tokens in `o200k_base` by kind: enough to say what it comes to in every family.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    tokens: u64,
    kinds: [u32; KINDS + 1],
}

impl Tally {
    #[inline]
    fn more(&mut self, kind: Kind, by: u64) {
        if let Some(place) = self.kinds.get_mut(kind as usize) {
            *place = place.saturating_add(u32::try_from(by).unwrap_or(u32::MAX));
        }
    }

    fn word(&mut self, piece: &[u8], tokens: u64, [seldom, seldomer]: [u64; 2]) {
        let capital = piece.iter().take(2).any(u8::is_ascii_uppercase);
        let led = piece.first().is_some_and(|first| !first.is_ascii_alphabetic() && *first != b' ');
        self.more(Kind::Word, 1);
        self.more(Kind::Parts, tokens.saturating_sub(1));
        self.more(Kind::Capitals, u64::from(capital));
        self.more(Kind::Led, u64::from(led));
        self.more(Kind::Long, (piece.len() as u64).saturating_sub(LONG));
        self.more(Kind::Seldom, seldom);
        self.more(Kind::Seldomer, seldomer);
    }

    fn symbols(&self) -> u64 {
        self.kinds.get(Kind::Symbol as usize).map_or(0, |tokens| u64::from(*tokens).saturating_mul(MOST_SYMBOL))
    }

    /// Hundredths of a token.
    fn weighed(&self, weights: &Weights) -> u64 {
        let bytewise = self.kinds.last().map_or(0, |tokens| u64::from(*tokens).saturating_mul(MOST));
        let all = self.kinds.iter().zip(weights).map(|(n, weight)| u64::from(*n).saturating_mul(u64::from(*weight)));
        all.fold(bytewise, u64::saturating_add)
    }
}

impl Sum for Tally {
    #[inline]
    fn add(&mut self, piece: &[u8], worth: Worth) {
        let tokens = u64::from(worth.tokens);
        self.tokens = self.tokens.saturating_add(tokens);
        let (kind, len) = (kind(piece), piece.len() as u64);
        let from = |least: u8| u64::from(worth.seldom >= least);
        match kind {
            Kind::Number => self.more(Kind::Digits, len),
            _ if tokens == len && len > 1 => return self.more(Kind::Bytewise, tokens),
            Kind::Word => return self.word(piece, tokens, [from(1), from(2)]),
            Kind::Sign => self.more(Kind::SignBytes, len.min(MOST_SIGNS)),
            Kind::Space | Kind::Symbol => {}
            _ => {
                match kind {
                    Kind::Latin => self.more(Kind::LatinBytes, len),
                    Kind::Han | Kind::Kana | Kind::Hangul => self.more(Kind::CjkBytes, len),
                    _ => {}
                }
                self.more(Kind::SeldomBeyond, from(3));
            }
        }
        self.more(kind, tokens);
    }

    fn plus(&mut self, other: &Self) {
        self.tokens = self.tokens.saturating_add(other.tokens);
        for (place, more) in self.kinds.iter_mut().zip(other.kinds) {
            *place = place.saturating_add(more);
        }
    }
}

/// Hundredths of a token that a symbol may come to more than its weight: some families have tokens for its bytes alone.
const MOST_SYMBOL: u64 = 400;

/// The tokens of a text of so many bytes. The upper bound leaves a quarter for what was read, and an eighth above a token a byte:
/// Claude has texts with more tokens than bytes.
pub fn text(weights: &Weights, measured: &Measured<Tally>, bytes: usize) -> Count {
    let weighed = measured.count(MOST, |tally| tally.weighed(weights));
    let bytes = bytes as u64;
    let likely = weighed.likely().saturating_add(50) / 100;
    let likely = likely.clamp(bytes.min(1), bytes);
    let symbols = measured.count(MOST, Tally::symbols).likely() / 100;
    let upper = match weighed {
        Count::Exact(_) => likely.saturating_add(likely.div_ceil(4)).saturating_add(symbols).saturating_add(1),
        Count::Estimate { upper, .. } => upper.div_ceil(80),
    };
    Count::estimate(likely, upper.min(bytes.saturating_add(above(bytes))))
}

/// Tokens that a text may have above one a byte.
pub fn above(bytes: u64) -> u64 {
    bytes.div_ceil(8)
}

/// The same text in `o200k_base` itself.
pub fn exact(measured: &Measured<Tally>) -> Count {
    measured.count(1, |tally| tally.tokens)
}

fn kind(piece: &[u8]) -> Kind {
    if piece.is_ascii() {
        let mut first = piece.iter().take(2);
        return if first.any(u8::is_ascii_alphabetic) {
            Kind::Word
        } else if piece.first().is_some_and(u8::is_ascii_digit) {
            Kind::Number
        } else if piece.iter().take(2).all(u8::is_ascii_whitespace) {
            Kind::Space
        } else {
            Kind::Sign
        };
    }
    let (mut at, mut kind) = (0_usize, Kind::Symbol);
    loop {
        match class::at(piece, at) {
            (UPPER | LOWER | LETTER | MARK, 1) => {
                kind = Kind::Word;
                at = at.saturating_add(1);
            }
            (UPPER | LOWER | LETTER | MARK, _) => return script(piece.get(at..).unwrap_or_default()),
            (NUMBER, _) => return Kind::Number,
            (_, 0) => return kind,
            (_, len) => at = at.saturating_add(len),
        }
    }
}

/// Of a letter beyond ASCII, from its first two bytes.
fn script(letter: &[u8]) -> Kind {
    match letter {
        [0xC2..=0xCD, ..] | [0xE1, 0xB8..=0xBB, ..] => Kind::Latin,
        [0xCE | 0xCF, ..] | [0xE1, 0xBC..=0xBF, ..] => Kind::Greek,
        [0xD0..=0xD3, ..] => Kind::Cyrillic,
        [0xD6 | 0xD7, ..] => Kind::Hebrew,
        [0xD8..=0xDF, ..] => Kind::Arabic,
        [0xE0, 0xA4 | 0xA5, ..] => Kind::Devanagari,
        [0xE0, 0xB8 | 0xB9, ..] => Kind::Thai,
        [0xE3, 0x80..=0x8F, ..] => Kind::Kana,
        [0xEA, 0xB0..=0xBF, ..] | [0xEB..=0xED, ..] => Kind::Hangul,
        [0xE3..=0xE9 | 0xF0, ..] => Kind::Han,
        [0xEE..=0xF4, ..] => Kind::Symbol,
        _ => Kind::Rare,
    }
}
