//! Totals of all calls: by day, consumer, team, model and provider.
//!
//! A row is in one page of shared data, found by its key's hash and changed by compare-and-set: exact over all workers, and there
//! after a VM reload or a change of the configuration. What finds no row of its own is counted in one named `other`, so
//! that no sum is ever less than the truth.
//!
//! May use: chat, host, quota.
//!
//! To add a total: its name in [`FIELDS`] and its value in [`Totals::of`].

mod page;
mod store;
mod sum;

pub use store::Letters;
pub use sum::{DIMENSIONS, Query, Row};

use crate::chat::Usage;
use crate::host::{Millis, Shared};
use crate::quota::{ATTEMPTS, Pages, put};

/// Pages there are. A full one is 4 KB.
const COUNT: u32 = 512;
const PAGES: Pages = Pages { name: b"sluice.usage.1.000000", size: "sluice.usage.1.size", empty: &[] };

const DAY: Millis = 86_400_000;

/// For so many days the rows stand one by one: all of a month until the next one is over. Then they may be added up to make room.
const KEPT_DAYS: u64 = 62;

/// Bytes of a name: longer ones that begin alike share a row.
const MAX_NAME: usize = 256;

/// In the order of [`Totals`].
pub const FIELDS: [&str; 8] = [
    "requests",
    "errors",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nanodollars",
];

/// One number for each of [`FIELDS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals(pub [u64; FIELDS.len()]);

impl Totals {
    /// Of one call. `cost`: in billionths of a dollar.
    pub fn of(usage: &Usage, cost: u64, error: bool) -> Self {
        let Usage { input, cached_input, cache_write, output, reasoning, .. } = *usage;
        Self([1, error.into(), input, cached_input, cache_write, output, reasoning, cost])
    }

    pub fn add(&mut self, other: &Self) {
        for (sum, part) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(part);
        }
    }
}

/// Whose calls a row has. A name that there is none of is empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Key<'k> {
    pub consumer: &'k str,
    pub team: &'k str,
    /// The entry of the configuration that fitted.
    pub model: &'k str,
    pub provider: &'k str,
    /// The configuration does not list the consumer: such rows take half of the room at most.
    pub open: bool,
}

/// The totals of this Envoy, or of all that share a store.
#[derive(Clone, Copy)]
pub struct Ledger<'a>(pub &'a dyn Shared);

impl Ledger<'_> {
    /// Makes the pages, when a configuration is loaded.
    pub fn prepare(&self) {
        PAGES.prepare(self.0, COUNT, 0);
    }

    /// Counts a call on the day of `at`: one read and one write. `false`: it, or others before it, could not be counted.
    #[must_use]
    pub fn add(&self, key: &Key<'_>, totals: &Totals, at: Millis) -> bool {
        let today = day(at);
        let head = head(key, today);
        let index = hash(&head);
        for _ in 0..ATTEMPTS {
            let (bytes, cas) = PAGES.load(self.0, index);
            let (bytes, whole) = page::added(&bytes, &head, totals, today);
            if PAGES.store(self.0, index, &bytes, cas) {
                return whole;
            }
        }
        false
    }
}

/// Days since 1970.
pub fn day(at: Millis) -> u64 {
    at.checked_div(DAY).unwrap_or(0)
}

/// A row's key as its page has it.
fn head(key: &Key<'_>, day: u64) -> Vec<u8> {
    let mut head = Vec::with_capacity(64);
    head.push(if key.open { page::OPEN } else { page::NAMED });
    put(&mut head, day);
    for name in [key.consumer, key.team, key.model, key.provider] {
        let mut end = name.len().min(MAX_NAME);
        while !name.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let name = name.get(..end).unwrap_or_default();
        put(&mut head, u64::try_from(name.len()).unwrap_or(0));
        head.extend_from_slice(name.as_bytes());
    }
    head
}

/// The page of a key, by FNV-1a.
fn hash(head: &[u8]) -> u32 {
    let hash = head.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    (hash ^ hash >> 15) % COUNT
}

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(any(test, fuzzing))]
pub use fuzz::fuzz_ledger;

#[cfg(test)]
mod tests;
