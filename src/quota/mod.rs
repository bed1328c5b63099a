//! Limits: reserve an upper bound before a call leaves, settle to the truth when it is over.
//!
//! Every counter is a value in shared data that is changed by compare-and-set, so it is exact over all workers. With a
//! store, what one Envoy admits is bounded by its lease. Amounts are whole numbers; money is billionths of a dollar.
//!
//! May use: host.
//!
//! To add: a unit is a field of [`Amounts`] and its line in `Unit` and `Amounts::of`.

mod codec;
mod counter;
mod hash;
mod lease;
mod list;
mod mail;
mod pages;
mod quick;
mod reserve;
pub mod resp;
mod settle;
mod state;
mod sync;
mod table;
mod windows;

pub use codec::{number, put, put_sized, take};
pub use counter::MAX_TTL;
pub use lease::{ADMIT, Answer, MAX_AMOUNT, Message, RETRY};
pub use mail::{Delivered, Mail, Sender};
pub use pages::Pages;
pub use reserve::{Ask, Quota, Reason, Refusal, Reservation, Reserved, Standing, Upper, When};
pub use settle::{Crossed, Settled};
pub use state::State;
pub use table::{ATTEMPTS, Closed, DEFAULT_PAGES, Table, WAYS, who};
pub use windows::{Piece, Span, Window, date};

use crate::host::Millis;
use hash::Hasher;
use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Requests,
    Concurrent,
    Tokens,
    InputTokens,
    OutputTokens,
    /// Billionths of a dollar.
    Usd,
}

impl Unit {
    pub const ALL: [Self; 6] =
        [Self::Requests, Self::Concurrent, Self::Tokens, Self::InputTokens, Self::OutputTokens, Self::Usd];

    /// As in the configuration and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Concurrent => "concurrent",
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::Usd => "usd",
        }
    }
}

/// What a call uses, at most or in truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    pub requests: u64,
    /// 1 while it runs, 0 when it is settled.
    pub concurrent: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub usd: u64,
}

impl Amounts {
    pub fn of(&self, unit: Unit) -> u64 {
        match unit {
            Unit::Requests => self.requests,
            Unit::Concurrent => self.concurrent,
            Unit::Tokens => self.input_tokens.saturating_add(self.output_tokens),
            Unit::InputTokens => self.input_tokens,
            Unit::OutputTokens => self.output_tokens,
            Unit::Usd => self.usd,
        }
    }
}

/// What is done when a limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The call is refused; whether it then goes to another model is the caller's matter.
    Enforce,
    /// The call is counted and never refused.
    Report,
}

/// Where a limit is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// In this Envoy.
    Local,
    /// For all Envoys that use the store. A sliding window is counted locally all the same.
    Fleet(Down),
}

/// What is done while the store does not answer. All is counted and told to it afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// What is left of the lease is used, then calls are refused.
    Deny,
    /// Each Envoy admits up to the whole limit.
    Allow,
    /// Each Envoy admits up to so many thousandths of the limit.
    Local(u16),
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub unit: Unit,
    pub window: Window,
    pub amount: u64,
    pub mode: Mode,
    /// In percent of the amount, at most eight.
    pub thresholds: Vec<u8>,
    pub store: Store,
    /// Clients choose the values that it is counted by: a header. Such keys take half of the room at most.
    pub open: bool,
    seed: Hasher,
    tag: u128,
}

/// A counter's key: which limit, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(pub u128);

/// Set in the keys that clients choose.
const OPEN: u128 = 1 << 127;

/// Of which rule a key is.
const TAG: u128 = 0xffff << 111;

impl Slot {
    fn is_open(self) -> bool {
        self.0 & OPEN != 0
    }
}

impl Rule {
    /// `name`, unit and window make a limit the same one after a change of the configuration; all else may change.
    pub fn new(name: &str, unit: Unit, window: Window, amount: u64) -> Self {
        let window = if unit == Unit::Concurrent { Window::Total } else { window };
        let mut seed = Hasher::default();
        seed.part(name.as_bytes());
        seed.bytes(&[unit as u8]);
        seed.bytes(&window.tag());
        let tag = seed.clone().finish() & TAG;
        Self {
            unit,
            window,
            amount,
            mode: Mode::Enforce,
            thresholds: Vec::new(),
            store: Store::Local,
            open: false,
            seed,
            tag,
        }
    }

    /// The key for these dimensions and values, in the order of the limit's `by`.
    pub fn slot(&self, dimensions: &[(&str, &str)]) -> Slot {
        self.slot_of(dimensions.iter().map(|(dimension, value)| (Cow::Borrowed(*dimension), *value)))
    }

    pub fn slot_of<'v>(&self, dimensions: impl Iterator<Item = (Cow<'v, str>, &'v str)>) -> Slot {
        let mut hasher = self.seed.clone();
        hasher.bytes(b"k");
        for (dimension, value) in dimensions {
            hasher.part(dimension.as_bytes());
            hasher.part(value.as_bytes());
        }
        let hash = (hasher.finish() & !TAG) | self.tag;
        Slot(if self.open { hash | OPEN } else { hash & !OPEN })
    }

    /// Whether the key is one of this rule's; now and then one of another's is taken for it.
    pub fn owns(&self, slot: Slot) -> bool {
        slot.0 & TAG == self.tag
    }

    /// The key of the counter that keys without room share.
    fn crowd(&self) -> Slot {
        let mut hasher = self.seed.clone();
        hasher.bytes(b"c");
        Slot((hasher.finish() & !TAG & !OPEN) | self.tag)
    }

    /// What to do while the store is down, if the limit is counted there.
    fn fleet(&self) -> Option<Down> {
        match (self.store, self.window) {
            (Store::Local, _) | (_, Window::Sliding(_)) => None,
            (Store::Fleet(down), _) => Some(down),
        }
    }

    /// Whether what is reserved until `lapses` may count as used from the beginning: most calls come to one request, and what a lost
    /// one held is free at the window's end either way. A threshold is reached by what was used in truth.
    fn counts_at_once(&self, ends: Millis, lapses: Millis) -> bool {
        let simple = self.unit == Unit::Requests && self.fleet().is_none() && self.thresholds.is_empty();
        simple && ends <= lapses && matches!(self.window, Window::Calendar(..))
    }

    fn enforced(&self) -> bool {
        self.mode == Mode::Enforce
    }
}

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(any(test, fuzzing))]
pub use fuzz::{fuzz_counter, fuzz_resp};

#[cfg(test)]
mod tests;
