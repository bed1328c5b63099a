//! The rows of all pages, as they are asked for.

use super::page::{FRESH, NAMED, OPEN, SENT, kind};
use super::store::mark;
use super::{COUNT, Ledger, PAGES, Totals, page};
use crate::host::Millis;
use crate::quota::{number, take};
use std::collections::BTreeMap;

/// What rows are told apart by.
pub const DIMENSIONS: [&str; 5] = ["day", "consumer", "team", "model", "provider"];

/// Which rows, and what is told apart in them.
#[derive(Clone, Debug)]
pub struct Query {
    /// Days since 1970, both counted in.
    pub from: u64,
    pub to: u64,
    /// In the order of [`DIMENSIONS`] from the second on: the name that rows must have.
    pub names: [Option<String>; 4],
    /// In the order of [`DIMENSIONS`].
    pub by: [bool; 5],
}

impl Default for Query {
    fn default() -> Self {
        Self { from: 0, to: u64::MAX, names: Default::default(), by: [true; 5] }
    }
}

/// In the order of the day, then of the names.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Days since 1970; `None`: of days that are no longer kept apart, or any.
    pub day: Option<u64>,
    /// What had no room for rows of its own.
    pub other: bool,
    /// Empty: none, or any.
    pub names: [String; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Calls of this Envoy that the store has not confirmed. The rows have them.
    pub untold: u64,
    /// The rows have what other Envoys told until then; `None`: not all was read yet.
    pub since: Option<Millis>,
}

impl Ledger<'_> {
    /// All rows that are asked for. What had no room is among them unless a name is asked for; what is no longer kept apart,
    /// unless a first day is.
    pub fn rows(&self, query: &Query) -> BTreeMap<Row, Totals> {
        let mut rows: BTreeMap<Row, Totals> = BTreeMap::new();
        self.each(|bytes| {
            for entry in page::entries(bytes) {
                if let Some(row) = row(entry.head, query) {
                    rows.entry(row).or_default().add(&page::totals(entry.body));
                }
            }
        });
        rows
    }

    fn each(&self, mut page: impl FnMut(&[u8])) {
        if PAGES.count(self.0).is_some() {
            (0..COUNT).for_each(|index| page(&PAGES.load(self.0, index).0));
        }
    }

    /// How the rows stand to those that a store has for all Envoys; `None`: there is no store.
    pub fn standing(&self) -> Option<Standing> {
        let mut standing: Option<Standing> = None;
        let mut all = true;
        self.each(|bytes| match mark(bytes) {
            None => all = false,
            Some(mark) => {
                let standing = standing.get_or_insert(Standing { untold: 0, since: Some(Millis::MAX) });
                standing.since = standing.since.map(|since| since.min(mark.heard));
                for entry in page::entries(bytes).filter(|entry| kind(entry.head) & (FRESH | SENT) != 0) {
                    let [requests, ..] = page::totals(entry.body).0;
                    standing.untold = standing.untold.saturating_add(requests);
                }
            }
        });
        let since = |since: &Millis| all && *since > 0;
        standing.map(|standing| Standing { since: standing.since.filter(since), ..standing })
    }
}

fn row(head: &[u8], query: &Query) -> Option<Row> {
    let (day, mut rest) = page::day(head)?;
    if day < query.from || day > query.to {
        return None;
    }
    let mut row = Row { other: kind(head) & (NAMED | OPEN) == 0, ..Row::default() };
    let [by_day, by @ ..] = query.by;
    row.day = Some(day).filter(|day| by_day && *day > 0);
    for ((name, wanted), by) in row.names.iter_mut().zip(&query.names).zip(by) {
        let found = match row.other {
            true => "",
            false => {
                let len = usize::try_from(number(&mut rest)?).ok()?;
                std::str::from_utf8(take(&mut rest, len)?).ok()?
            }
        };
        if wanted.as_ref().is_some_and(|wanted| row.other || wanted != found) {
            return None;
        }
        if by {
            found.clone_into(name);
        }
    }
    Some(row)
}
