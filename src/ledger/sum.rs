//! The rows of all pages, as they are asked for.

use super::{COUNT, Ledger, PAGES, Totals, page};
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

impl Ledger<'_> {
    /// All rows that are asked for. What had no room is among them unless a name is asked for; what is no longer kept apart,
    /// unless a first day is.
    pub fn rows(&self, query: &Query) -> BTreeMap<Row, Totals> {
        let mut rows: BTreeMap<Row, Totals> = BTreeMap::new();
        if PAGES.count(self.0).is_none() {
            return rows;
        }
        for index in 0..COUNT {
            let (bytes, _) = PAGES.load(self.0, index);
            for entry in page::entries(&bytes) {
                if let Some(row) = row(entry.head, query) {
                    rows.entry(row).or_default().add(&page::totals(entry.body));
                }
            }
        }
        rows
    }
}

fn row(head: &[u8], query: &Query) -> Option<Row> {
    let (day, mut rest) = page::day(head)?;
    if day < query.from || day > query.to {
        return None;
    }
    let mut row = Row { other: head.first() == Some(&page::OTHER), ..Row::default() };
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
