//! One counter: what was settled, and what is reserved until when.

use super::lease::Lease;
use super::list::List;
use super::windows::{PARTS, Piece, Window};
use crate::host::Millis;

/// Deadlines are kept in steps of this: a counter holds amounts by step, not calls, and a lost call's amount is kept up
/// to a step too long.
pub const STEP: Millis = 30_000;

/// The latest deadline: a call that takes longer extends its reservation.
pub const MAX_TTL: Millis = 15 * 60_000;

/// A clock that went back further than this was wrong before.
pub(super) const MAX_BACK: Millis = 86_400_000;

/// Reserved amounts, by piece of the window and deadline. More than there are pieces, so that two of one piece can
/// always be found to be joined.
pub(super) const HELD: usize = 24;
const PIECES: usize = PARTS as usize + 1;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub start: Millis,
    pub used: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub cell: Millis,
    /// In steps.
    pub due: u64,
    pub amount: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Counter {
    /// The latest time that any worker brought.
    pub seen: Millis,
    /// Thresholds that were reported, by their place in the rule.
    pub crossed: u8,
    pub cells: List<Cell, PIECES>,
    pub held: List<Held, HELD>,
    pub lease: Option<Lease>,
    /// The lease of the window before, until the store knows all of it.
    pub past: Option<Lease>,
}

/// Now, as a counter knows it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: Millis,
    pub piece: Piece,
}

/// The step in which a deadline lies: never before it.
pub fn due(now: Millis, ttl: Millis) -> u64 {
    now.saturating_add(ttl.min(MAX_TTL)).div_ceil(STEP)
}

impl Counter {
    /// Brings the counter to now: drops what counts no longer and what is overdue.
    pub fn roll(&mut self, window: Window, now: Millis) -> Moment {
        if self.seen.saturating_sub(now) > MAX_BACK {
            self.rebase(window, now);
        }
        self.seen = self.seen.max(now);
        let now = self.seen;
        let piece = window.piece(now);
        let mut dropped = false;
        self.cells.retain(|cell| {
            let counts = window.counts(cell.start, now, &piece);
            dropped |= !counts;
            counts
        });
        let step = now.checked_div(STEP).unwrap_or(0);
        self.held.retain(|held| held.due > step && window.counts(held.cell, now, &piece));
        if dropped && self.cells.all().is_empty() {
            self.crossed = 0;
        }
        if let Some(lease) = self.lease
            && lease.start != piece.start
        {
            self.past = (lease.total > 0).then(|| lease.over());
            self.lease = None;
        }
        Moment { now, piece }
    }

    /// The clock was far ahead. All that was counted then counts now: no budget comes free by it.
    fn rebase(&mut self, window: Window, now: Millis) {
        let (used, held) = (self.used(), self.held());
        let start = window.piece(now).start;
        self.cells = List::default();
        self.cells.push(Cell { start, used });
        self.held = List::default();
        if held > 0 {
            self.held.push(Held { cell: start, due: due(now, MAX_TTL), amount: held });
        }
        self.seen = now;
    }

    pub fn used(&self) -> u64 {
        self.cells.all().iter().fold(0, |sum, cell| sum.saturating_add(cell.used))
    }

    pub fn held(&self) -> u64 {
        self.held.all().iter().fold(0, |sum, held| sum.saturating_add(held.amount))
    }

    /// Settled and reserved.
    pub fn taken(&self) -> u64 {
        self.used().saturating_add(self.held())
    }

    pub fn fits(&self, want: u64, ceiling: u64) -> bool {
        self.taken().checked_add(want).is_some_and(|sum| sum <= ceiling)
    }

    /// Whether nothing would be lost with it.
    pub fn is_empty(&self) -> bool {
        self.past.is_none()
            && self.held.all().is_empty()
            && self.cells.all().iter().all(|cell| cell.used == 0)
            && self.lease.is_none_or(|lease| lease.is_idle())
    }

    /// When nothing of it counts any longer.
    pub fn over(&self, window: Window, piece: &Piece) -> Millis {
        let cells = self.cells.all().iter().map(|cell| cell.start);
        let starts = cells.chain(self.held.all().iter().map(|held| held.cell));
        starts.map(|start| window.over(start, piece)).max().unwrap_or(0)
    }

    /// The lease, if the limit is the fleet's.
    fn lent(&self) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.limit > 0)
    }

    /// When it may make room for another, as far as its leases go: at any time (0) once the store knows all; what it was
    /// not told yet is kept for a day.
    pub fn leased(&self) -> Option<Millis> {
        let mut leases = self.lent().into_iter().chain(&self.past).peekable();
        leases.peek()?;
        let drained = self.lent().is_some_and(Lease::is_drained) && self.held.all().is_empty();
        if drained && !self.past.is_some_and(|past| past.owes()) {
            return Some(0);
        }
        let ends = |lease: &Lease| lease.end.saturating_add(if lease.owes() { MAX_BACK } else { 0 });
        leases.map(ends).max()
    }

    pub fn hold(&mut self, cell: Millis, due: u64, amount: u64) {
        if amount == 0 {
            return;
        }
        if let Some(held) = self.held.all_mut().iter_mut().find(|held| held.cell == cell && held.due == due) {
            held.amount = held.amount.saturating_add(amount);
            return;
        }
        if self.held.is_full() {
            self.join();
        }
        self.held.push(Held { cell, due, amount });
    }

    /// Makes room: joins two deadlines of one piece to the later one. Nothing comes free too early by it.
    fn join(&mut self) {
        let held = self.held.all();
        let next = |one: &Held| {
            let later = held.iter().filter(|other| other.cell == one.cell && other.due > one.due);
            later.min_by_key(|other| other.due).copied()
        };
        let pairs = held.iter().filter_map(|one| Some((*one, next(one)?)));
        let Some((one, later)) = pairs.min_by_key(|(one, later)| later.due.saturating_sub(one.due)) else { return };
        self.held.retain(|held| *held != one);
        if let Some(place) = self.held.all_mut().iter_mut().find(|held| **held == later) {
            place.amount = place.amount.saturating_add(one.amount);
        }
    }

    /// Takes a reservation out, unless it is overdue and gone already. Where deadlines were joined, its amount stands at
    /// a later one: the next from its own on is taken, so that what is left is never free before its time.
    pub fn take(&mut self, cell: Millis, due: u64, amount: u64) {
        if due <= self.seen.checked_div(STEP).unwrap_or(0) {
            return;
        }
        let mut left = amount;
        while left > 0 {
            let candidates = self.held.all_mut().iter_mut();
            let from = candidates.filter(|held| held.cell == cell && held.due >= due && held.amount > 0);
            let Some(held) = from.min_by_key(|held| held.due) else { break };
            let part = held.amount.min(left);
            held.amount = held.amount.saturating_sub(part);
            left = left.saturating_sub(part);
        }
        self.held.retain(|held| held.amount > 0);
    }

    /// Counts what was used, in the piece in which it was reserved.
    pub fn charge(&mut self, cell: Millis, amount: u64) {
        if amount == 0 {
            return;
        }
        if let Some(known) = self.cells.all_mut().iter_mut().find(|known| known.start == cell) {
            known.used = known.used.saturating_add(amount);
        } else if !self.cells.push(Cell { start: cell, used: amount })
            && let Some(last) = self.cells.all_mut().last_mut()
        {
            last.used = last.used.saturating_add(amount);
        }
        if let Some(lease) = self.lease.as_mut().filter(|lease| lease.start == cell) {
            lease.total = lease.total.saturating_add(amount);
        }
    }

    /// Takes back what counted as used from the beginning.
    pub fn uncharge(&mut self, cell: Millis, amount: u64) {
        if let Some(known) = self.cells.all_mut().iter_mut().find(|known| known.start == cell) {
            known.used = known.used.saturating_sub(amount);
        }
        if let Some(lease) = self.lease.as_mut().filter(|lease| lease.start == cell) {
            lease.total = lease.total.saturating_sub(amount);
        }
    }

    /// The thresholds, in percent, that are reached and were not reported in this window. A sliding window has no
    /// beginning: there, one may be reported again once less than it is used.
    pub fn cross(&mut self, thresholds: &[u8], amount: u64, window: Window) -> u8 {
        let reached = reached(self.used(), thresholds, amount);
        if matches!(window, Window::Sliding(_)) {
            self.crossed &= reached;
        }
        let new = reached & !self.crossed;
        self.crossed |= reached;
        new
    }

    /// How long until `want` fits, if nothing else is asked for: `None` if never.
    pub fn wait(&self, window: Window, moment: &Moment, want: u64, ceiling: u64) -> Option<Millis> {
        if want > ceiling {
            return None;
        }
        if self.lent().is_some_and(|lease| lease.is_spent(want)) {
            return (moment.piece.end != Millis::MAX).then(|| moment.piece.end.saturating_sub(moment.now));
        }
        if self.used().saturating_add(want) <= ceiling {
            // Only reservations are in its way; calls take seconds.
            return Some(SOON.min(window.over(moment.piece.start, &moment.piece).saturating_sub(moment.now)));
        }
        let mut starts: List<Millis, PIECES> = List::default();
        for cell in self.cells.all() {
            starts.push(cell.start);
        }
        starts.all_mut().sort_unstable();
        let mut used = self.used();
        for start in starts.all() {
            let gone = self.cells.all().iter().find(|cell| cell.start == *start).map_or(0, |cell| cell.used);
            used = used.saturating_sub(gone);
            if used.saturating_add(want) <= ceiling {
                let over = window.over(*start, &moment.piece);
                return (over != Millis::MAX).then(|| over.saturating_sub(moment.now));
            }
        }
        None
    }

    /// How long until nothing of what was used or reserved counts: 0 if nothing does.
    pub fn reset(&self, window: Window, moment: &Moment) -> Millis {
        let elsewhere = self.lent().is_some_and(|lease| lease.used > 0);
        let over = if elsewhere { moment.piece.end } else { self.over(window, &moment.piece) };
        if over == Millis::MAX { 0 } else { over.saturating_sub(moment.now) }
    }
}

/// The thresholds, in percent, that `used` of an amount has reached: a bit for each.
pub fn reached(used: u64, thresholds: &[u8], amount: u64) -> u8 {
    let mut reached = 0_u8;
    for (bit, percent) in (0..8).zip(thresholds) {
        let least = u128::from(amount).saturating_mul(u128::from(*percent));
        if used > 0 && u128::from(used).saturating_mul(100) >= least {
            reached |= 1_u8 << bit;
        }
    }
    reached
}

/// When a call that only reservations refuse may come again.
const SOON: Millis = 1000;

#[cfg(test)]
mod tests;
