//! Counting a text within a budget of work.

use super::Encoding;
use super::recent::{self, Piece, Worth};
use super::{merge, pieces, vocabulary, weigh, window};
use std::ops::Range;

/// What it costs to cut a piece off and look it up, and what each of its bytes costs, in the units of a [`Budget`].
const PIECE_COST: u64 = 15;
const BYTE_COST: u64 = 2;

/// Work that counting may still do, in units of about a nanosecond inside Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(u64);

impl Budget {
    /// About a millisecond: what one call may take of its worker.
    pub const CALL: Self = Self(1_000_000);

    /// Nothing is counted: what a text comes to is bounded by its bytes.
    pub const NONE: Self = Self(0);

    pub fn new(units: u64) -> Self {
        Self(units)
    }

    pub fn left(self) -> u64 {
        self.0
    }

    /// Takes so much, unless less is left.
    pub fn take(&mut self, units: u64) -> bool {
        let left = self.0.checked_sub(units);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// Tokens, as well as they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Exact(u64),
    /// `upper` is what to reserve.
    Estimate {
        likely: u64,
        upper: u64,
    },
}

impl Count {
    pub fn estimate(likely: u64, upper: u64) -> Self {
        Self::Estimate { likely, upper: upper.max(likely) }
    }

    pub fn likely(self) -> u64 {
        match self {
            Self::Exact(count) | Self::Estimate { likely: count, .. } => count,
        }
    }

    pub fn upper(self) -> u64 {
        match self {
            Self::Exact(count) | Self::Estimate { upper: count, .. } => count,
        }
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => Self::Exact(a.saturating_add(b)),
            (a, b) => Self::Estimate {
                likely: a.likely().saturating_add(b.likely()),
                upper: a.upper().saturating_add(b.upper()),
            },
        }
    }
}

/// What is added up over the pieces of a text.
pub(super) trait Sum: Copy + Default {
    /// A piece and what it comes to.
    fn add(&mut self, piece: &[u8], worth: Worth);

    fn plus(&mut self, other: &Self);
}

impl Sum for u64 {
    #[inline(always)]
    fn add(&mut self, _: &[u8], worth: Worth) {
        *self = self.saturating_add(u64::from(worth.tokens));
    }

    fn plus(&mut self, other: &Self) {
        *self = self.saturating_add(*other);
    }
}

/// The tokens of a text, however long that takes. What looks like a special token is text like any other.
pub fn count(encoding: Encoding, text: &str) -> u64 {
    let text = text.as_bytes();
    walk::<u64>(encoding, text, 0..text.len(), &mut Budget(u64::MAX), 0).0
}

/// The tokens of a text, exact if the budget reaches for it.
pub fn count_within(encoding: Encoding, text: &str, budget: &mut Budget) -> Count {
    Measured::<u64>::of(encoding, text, budget).count(1, |tokens| *tokens)
}

/// Parts of a rest that are looked at to say what it likely comes to.
const SAMPLES: usize = 8;

/// Most bytes of such a part.
const SAMPLE: usize = 512;

/// A text as far as a budget reached.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured<S> {
    /// Of the pieces from its start on, and how many bytes they have.
    sum: S,
    read: u64,
    /// Of parts of the rest, and how many bytes they have.
    sampled: S,
    of: u64,
    rest: u64,
}

impl<S: Sum> Measured<S> {
    pub fn of(encoding: Encoding, text: &str, budget: &mut Budget) -> Self {
        if *budget == Budget::NONE {
            return Self { rest: text.len() as u64, ..Self::default() };
        }
        // What the budget cannot reach is not even looked at: a piece may be as long as the text. Each byte has its cost and an
        // eighth is kept, so what is counted ends well before what was seen does.
        let reach = usize::try_from(budget.0 / BYTE_COST).unwrap_or(usize::MAX);
        let seen = text.get(..boundary(text, reach)).unwrap_or(text);
        let (sum, end) = walk::<S>(encoding, seen.as_bytes(), 0..seen.len(), budget, budget.0 >> 3);
        let rest = text.get(end..).unwrap_or_default();
        let mut measured = Self { sum, read: end as u64, sampled: S::default(), of: 0, rest: rest.len() as u64 };
        let step = rest.len() / SAMPLES;
        for sample in (0..SAMPLES).filter(|_| step > 0) {
            let from = boundary(rest, sample.saturating_mul(step));
            let to = boundary(rest, from.saturating_add(step.min(SAMPLE)));
            let (part, read) = walk::<S>(encoding, rest.as_bytes(), from..to, budget, 0);
            measured.sampled.plus(&part);
            measured.of = measured.of.saturating_add(read.saturating_sub(from) as u64);
        }
        measured
    }

    /// `value` of what was added up; `most`: of a byte at most.
    pub fn count(&self, most: u64, value: impl Fn(&S) -> u64) -> Count {
        let sum = value(&self.sum);
        if self.rest == 0 {
            return Count::Exact(sum);
        }
        // Nothing read at all: three bytes a token.
        let (part, of) = match (self.of, self.read) {
            (0, 0) => (most, 3),
            (0, read) => (sum, read),
            (of, _) => (value(&self.sampled), of),
        };
        let upper = self.rest.saturating_mul(most);
        let likely = self.rest.saturating_mul(part).div_ceil(of.max(1)).min(upper);
        Count::estimate(sum.saturating_add(likely), sum.saturating_add(upper))
    }
}

/// The last place between two characters up to `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Pieces that are cut one by one where nothing is certain of several at once.
const WAIT: u32 = 8;

/// Counts the pieces of a range while more than `floor` of the budget is left. The sum, and where it ends.
#[inline(never)]
fn walk<S: Sum>(encoding: Encoding, text: &[u8], range: Range<usize>, budget: &mut Budget, floor: u64) -> (S, usize) {
    let text = text.get(..range.end).unwrap_or(text);
    let (mut at, mut sum) = (range.start, S::default());
    let mut left = budget.0.saturating_sub(floor);
    let spare = budget.0.saturating_sub(left);
    recent::with(|recent| {
        // Ends of pieces that are known, as distances from where they were looked for; pieces until that is worth while again.
        let (mut ends, mut base, mut wait) = (0_u64, at, 0_u32);
        while at < text.len() {
            if ends == 0 {
                if wait == 0 {
                    base = at;
                    ends = window::ends(encoding, text, at);
                }
                wait = if ends == 0 { wait.checked_sub(1).unwrap_or(WAIT) } else { 0 };
            }
            let end = if ends == 0 {
                pieces::end(encoding, text, at).max(at.saturating_add(1))
            } else {
                base.saturating_add(ends.trailing_zeros() as usize)
            };
            ends &= ends.wrapping_sub(1);
            let len = end.saturating_sub(at);
            let worth = if len == 1 {
                Worth { tokens: 1, seldom: 0 }
            } else {
                let piece = Piece::at(encoding, text, at, len);
                match piece.and_then(|piece| recent.find(piece)) {
                    Some(worth) => worth,
                    None => {
                        let worth = look_up(encoding, text, at, len, left);
                        if let Some(piece) = piece.filter(|_| worth.tokens > 0) {
                            recent.put(piece, worth);
                        }
                        worth
                    }
                }
            };
            let cost = cost(len, worth.tokens);
            if cost > left {
                left = 0;
                break;
            }
            left = left.saturating_sub(cost);
            sum.add(text.get(at..end).unwrap_or_default(), worth);
            at = end;
        }
    });
    budget.0 = left.saturating_add(spare);
    (sum, at.min(text.len()))
}

/// What a piece of so many bytes costs that comes to so many tokens, known already or not.
#[inline(always)]
fn cost(len: usize, tokens: u32) -> u64 {
    let merging = if tokens == 1 { 0 } else { merge::cost(len) };
    PIECE_COST.saturating_add((len as u64).saturating_mul(BYTE_COST)).saturating_add(merging)
}

/// What a piece comes to that is not known: nothing if that costs more than is left.
#[inline(never)]
fn look_up(encoding: Encoding, text: &[u8], at: usize, len: usize, left: u64) -> Worth {
    match vocabulary::rank(encoding, text, at, len) {
        vocabulary::NONE if cost(len, 0) > left => Worth { tokens: 0, seldom: 0 },
        vocabulary::NONE => Worth { tokens: merge::tokens(encoding, text, at, len) as u32, seldom: 0 },
        rank => Worth { tokens: 1, seldom: weigh::seldom(rank) },
    }
}
