//! The rows of one page, as bytes: for each its key and its totals, each with its length before it.

use super::{FIELDS, KEPT_DAYS, Totals};
use crate::quota::{number, put, put_sized, take};
use std::borrow::Cow;

/// What a key begins with: a row for what had no room, one of a listed consumer's, one of another's.
pub const OTHER: u8 = 0;
pub const NAMED: u8 = 1;
pub const OPEN: u8 = 2;

/// Added to it where a store has the fleet's totals: what is to be told it of that row, and what is being told.
pub const FRESH: u8 = 4;
pub const SENT: u8 = 8;

/// The key of how far a page has come with the store. Without it the rows are this Envoy's.
pub const MARK: u8 = 16;

/// Rows with names, and those of consumers that the configuration does not list among them.
pub const ROWS: usize = 32;
const OPEN_ROWS: usize = 16;

/// Rows for what had no room, one for each day. More there are only if the clock was wrong.
pub const OTHERS: usize = 80;

/// Bytes of a key's length, and of totals with theirs.
const MAX_BODY: usize = 4 + 10 * FIELDS.len();

pub struct Entry<'p> {
    pub head: &'p [u8],
    pub body: &'p [u8],
    /// Where its body ends.
    end: usize,
    /// Where its body's length stands.
    at: usize,
}

pub fn kind(head: &[u8]) -> u8 {
    head.first().copied().unwrap_or(OTHER)
}

/// The same row's key of another kind.
pub fn of_kind(head: &[u8], kind: u8) -> Vec<u8> {
    [&[kind], head.get(1..).unwrap_or_default()].concat()
}

/// The rows of a page, until one cannot be read.
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let head = sized(&mut rest)?;
        let at = bytes.len().saturating_sub(rest.len());
        let body = sized(&mut rest)?;
        Some(Entry { head, body, at, end: bytes.len().saturating_sub(rest.len()) })
    })
}

fn sized<'p>(rest: &mut &'p [u8]) -> Option<&'p [u8]> {
    let len = usize::try_from(number(rest)?).ok()?;
    take(rest, len)
}

pub fn totals(mut body: &[u8]) -> Totals {
    let mut totals = Totals::default();
    for total in &mut totals.0 {
        *total = number(&mut body).unwrap_or(0);
    }
    totals
}

pub fn put_entry(out: &mut Vec<u8>, head: &[u8], totals: &Totals) {
    put_sized(out, |out| out.extend_from_slice(head));
    put_totals(out, totals);
}

fn put_totals(out: &mut Vec<u8>, totals: &Totals) {
    put_sized(out, |out| totals.0.iter().for_each(|total| put(out, *total)));
}

/// Which day a key has, and the names that follow.
pub fn day(mut head: &[u8]) -> Option<(u64, &[u8])> {
    take(&mut head, 1)?;
    Some((number(&mut head)?, head))
}

/// The key of the row for what had no room on a day; of the day 0: on any.
fn other(day: u64) -> Vec<u8> {
    let mut head = vec![OTHER];
    put(&mut head, day);
    head
}

/// What a look at a page shows.
#[derive(Default)]
struct Look {
    /// Where the totals wanted stand, and what they are.
    found: Option<(usize, usize, Totals)>,
    named: usize,
    open: usize,
    others: usize,
    end: usize,
    fleet: bool,
}

fn look(bytes: &[u8], head: &[u8]) -> Look {
    let mut look = Look::default();
    for entry in entries(bytes) {
        if entry.head == head {
            look.found = Some((entry.at, entry.end, totals(entry.body)));
        }
        match kind(entry.head) {
            NAMED => look.named = look.named.saturating_add(1),
            OPEN => look.open = look.open.saturating_add(1),
            OTHER => look.others = look.others.saturating_add(1),
            kind => look.fleet |= kind == MARK,
        }
        look.end = entry.end;
    }
    look
}

/// The page with these totals added to the row of that key, or to the one for what has no room. `false` beside it: something in
/// it could not be read, and is gone.
pub fn added(bytes: &[u8], head: &[u8], totals: &Totals, today: u64) -> (Vec<u8>, bool) {
    let mut seen = look(bytes, head);
    let whole = seen.end == bytes.len();
    let mut page = Cow::Borrowed(bytes.get(..seen.end).unwrap_or_default());
    let mut head = Cow::Borrowed(head);
    if seen.found.is_none() && !has_room(&seen, &head) {
        page = folded(&page, today).into();
        seen = look(&page, &head);
        if !has_room(&seen, &head) {
            head = if seen.others < OTHERS { other(today) } else { other(0) }.into();
            seen = look(&page, &head);
        }
    }
    if !seen.fleet {
        return (put_row(&page, &seen, &head, totals), whole);
    }
    if seen.found.is_none() {
        page = put_row(&page, &seen, &head, &Totals::default()).into();
    }
    let fresh = of_kind(&head, kind(&head) | FRESH);
    (put_row(&page, &look(&page, &fresh), &fresh, totals), whole)
}

fn has_room(look: &Look, head: &[u8]) -> bool {
    let open = kind(head) == OPEN;
    look.named.saturating_add(look.open) < ROWS && !(open && look.open >= OPEN_ROWS)
}

fn put_row(bytes: &[u8], look: &Look, head: &[u8], totals: &Totals) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().saturating_add(head.len()).saturating_add(MAX_BODY));
    match &look.found {
        Some((start, end, known)) => {
            let mut sum = *totals;
            sum.add(known);
            out.extend_from_slice(bytes.get(..*start).unwrap_or_default());
            put_totals(&mut out, &sum);
            out.extend_from_slice(bytes.get(*end..).unwrap_or_default());
        }
        None => {
            out.extend_from_slice(bytes);
            put_entry(&mut out, head, totals);
        }
    }
    out
}

/// The page with all rows that are no longer kept as one.
fn folded(bytes: &[u8], today: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut past = Totals::default();
    for entry in entries(bytes) {
        let day = day(entry.head).map_or(0, |(day, _)| day);
        if day.saturating_add(KEPT_DAYS) < today && kind(entry.head) <= OPEN {
            past.add(&totals(entry.body));
        } else {
            put_sized(&mut out, |out| out.extend_from_slice(entry.head));
            put_sized(&mut out, |out| out.extend_from_slice(entry.body));
        }
    }
    if past != Totals::default() {
        put_entry(&mut out, &other(0), &past);
    }
    out
}
