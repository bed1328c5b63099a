//! A part of a limit that one Envoy may give out by itself.
//!
//! The store keeps, for each window: what was settled, and the leases. A message says how much this Envoy has settled in
//! all, what it still has, and what it would like; the answer is its new lease. There is one message at a time for each
//! counter, sent again as it was until it is answered: the store knows a number that it has seen.
//!
//! `ceil` only rises by an answer and only falls before a message is made, so what is admitted here never passes what
//! the store has set aside.

use super::Slot;
use super::counter::MAX_TTL;
use super::windows::Piece;
use crate::host::Millis;

/// How long a lease admits after it was asked for. Renewed at half of it.
pub const ADMIT: Millis = 60_000;

/// How long the store keeps a lease of concurrency that is not renewed: calls that were admitted at its end are over by
/// then. A minute is for clocks that do not run alike.
pub const RECLAIM: Millis = ADMIT + MAX_TTL + 60_000;

/// The same of what is used up, where no window ends. An Envoy that is silent may have used its lease without having
/// told: within a window the lease is never given to others.
pub const RECLAIM_TOTAL: Millis = 86_400_000;

/// A message that is not answered is sent again after this, and the store counts as down after twice as long.
pub const RETRY: Millis = 1000;
const DOWN: Millis = 2 * RETRY;

/// How long it is believed that the store has no more.
const DRY: Millis = 500;

/// What the store's own numbers hold exactly: 2^53, nine million dollars.
pub const MAX_AMOUNT: u64 = 1 << 53;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// The window.
    pub start: Millis,
    pub end: Millis,
    /// 0: it is not the fleet's for now.
    pub limit: u64,
    /// Settled here in this window; and what of it the store has confirmed.
    pub total: u64,
    pub acked: u64,
    /// Settled and reserved here stays within this.
    pub ceil: u64,
    /// Which life of the store's counter confirmed: a store that lost its memory has another.
    pub born: u64,
    pub seq: u64,
    /// Admits until then.
    pub until: Millis,
    pub synced: Millis,
    /// How much is asked for at a time; 0: only what a call needs, for calls are rare.
    pub size: u64,
    /// What the store had left, and until when that is believed if it gave nothing.
    pub free: u64,
    pub dry: Millis,
    /// What all have settled, as the store last said.
    pub used: u64,
    /// The rule's thresholds, a byte each.
    pub marks: u64,
    /// How long the store keeps it if no window ends.
    pub stays: Millis,
    /// It was used since the last message, or the store has lent more than is held: there is something to tell.
    pub busy: bool,
    pub pending: Option<Pending>,
}

/// A message on its way, as it was first made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    pub first: Millis,
    pub sent: Millis,
    pub total: u64,
    pub acked: u64,
    pub born: u64,
    pub have: u64,
    pub need: u64,
    pub want: u64,
}

/// What the store is asked about one counter's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub slot: Slot,
    pub start: Millis,
    pub seq: u64,
    pub born: u64,
    /// Settled here in this window, and what of it was confirmed.
    pub total: u64,
    pub acked: u64,
    /// What is left of the lease, open reservations included.
    pub have: u64,
    /// What a call waits for, all or nothing; and what is wanted if there is plenty.
    pub need: u64,
    pub want: u64,
    pub limit: u64,
    /// How long the store keeps the lease, and the counter (0: for ever).
    pub lease_ms: Millis,
    pub keep_ms: Millis,
}

/// What the store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub born: u64,
    /// Of the message that it answers: a later one than was sent if that came too late.
    pub seq: u64,
    /// The whole lease from now on.
    pub lease: u64,
    /// What is left beside all leases.
    pub free: u64,
    /// What each Envoy may fairly have.
    pub share: u64,
    /// What all had settled before the message and with it.
    pub before: u64,
    pub used: u64,
}

/// Whether a call may be admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Yes,
    /// The store has no more, as far as is known.
    No,
    /// The store has to be asked.
    Ask,
    /// The store does not answer.
    Down,
}

impl Lease {
    pub fn new(piece: Piece, limit: u64, total: u64) -> Self {
        Self { start: piece.start, end: piece.end, limit: limit.min(MAX_AMOUNT), total, ..Self::default() }
    }

    /// The window is over: only what was settled in it is still to be told.
    pub fn over(self) -> Self {
        Self { ceil: 0, size: 0, until: 0, ..self }
    }

    /// The store does not know all yet.
    pub fn owes(&self) -> bool {
        self.total > self.acked || self.pending.is_some()
    }

    /// The store knows all and nothing is lent: it may be forgotten, and begun again.
    pub fn is_drained(&self) -> bool {
        !self.owes() && self.ceil <= self.total && !self.busy
    }

    /// Whether the window's budget is settled already, but for less than `want`: no lease that comes back helps.
    pub fn is_spent(&self, want: u64) -> bool {
        let others = self.used.saturating_sub(self.acked);
        others.saturating_add(self.total).saturating_add(want) > self.limit
    }

    /// Nothing would be lost with it.
    pub fn is_idle(&self) -> bool {
        self.total == 0 && self.ceil == 0 && self.pending.is_none()
    }

    pub fn word(&self, taken: u64, want: u64, now: Millis) -> Word {
        let sum = taken.saturating_add(want);
        if sum > self.limit {
            return Word::No;
        }
        if sum <= self.ceil && now < self.until {
            return Word::Yes;
        }
        match self.pending {
            Some(pending) if now.saturating_sub(pending.first) >= DOWN => Word::Down,
            Some(_) => Word::Ask,
            None if now < self.dry && sum.saturating_sub(self.ceil) > self.free => Word::No,
            None => Word::Ask,
        }
    }

    /// The message for a call that cannot be admitted without the store's word.
    pub fn ask(&mut self, slot: Slot, taken: u64, want: u64, now: Millis) -> Message {
        if self.pending.is_none() {
            // The second call within a while: more will come.
            self.size = if now < self.until { self.size.max(want).saturating_mul(2).min(self.limit) } else { 0 };
            let need = taken.saturating_add(want).saturating_sub(self.ceil.max(self.total));
            self.begin(need, need.max(self.size), now);
        }
        self.message(slot, now)
    }

    /// A call was admitted or settled: the message that is due, if any. `taken` as it is now.
    pub fn touched(&mut self, slot: Slot, taken: u64, now: Millis) -> Option<Message> {
        self.busy = true;
        self.due(slot, taken, now)
    }

    /// A message whose time has come: one that was not answered, a lease that runs low, one that has to be renewed or
    /// is not used, or something to tell.
    pub fn due(&mut self, slot: Slot, taken: u64, now: Millis) -> Option<Message> {
        // A clock that was set back makes what it knows old, not new.
        let age = now.abs_diff(self.synced);
        if let Some(pending) = self.pending {
            return (now.abs_diff(pending.sent) >= RETRY).then(|| self.message(slot, now));
        }
        // What a rare call leaves is given back soon.
        let pause = if self.size > 0 { ADMIT >> 1 } else { ADMIT >> 4 };
        let unused = self.ceil.saturating_sub(taken);
        if now >= self.end {
            // Held by calls that are not over, or known to the store.
            self.ceil = 0;
            return self.owes().then(|| self.send(slot, 0, now));
        }
        if self.busy && self.size > 0 && unused < self.size.div_ceil(2) && now >= self.dry {
            if age < ADMIT >> 3 {
                self.size = self.size.saturating_mul(2).min(self.limit);
            }
            return Some(self.send(slot, self.size, now));
        }
        if age < pause || !(self.ceil > self.total || self.owes() || self.busy) {
            return None;
        }
        if !self.busy || self.size == 0 {
            self.ceil = self.ceil.min(taken);
            self.size = 0;
        } else if unused > self.size.saturating_sub(self.size >> 2) {
            self.size = self.size.div_ceil(2);
        }
        Some(self.send(slot, 0, now))
    }

    fn send(&mut self, slot: Slot, want: u64, now: Millis) -> Message {
        self.begin(0, want, now);
        self.message(slot, now)
    }

    fn begin(&mut self, need: u64, want: u64, now: Millis) {
        // Later than any of a lease that was forgotten: numbers never begin again.
        self.seq = self.seq.saturating_add(1).max(now);
        self.busy = false;
        self.pending = Some(Pending {
            first: now,
            sent: now,
            total: self.total,
            acked: self.acked,
            born: self.born,
            have: self.ceil.saturating_sub(self.total),
            need,
            want,
        });
    }

    fn message(&mut self, slot: Slot, now: Millis) -> Message {
        let Self { start, end, limit, seq, stays, .. } = *self;
        if let Some(pending) = &mut self.pending {
            pending.sent = now;
        }
        let Pending { total, acked, born, have, need, want, .. } = self.pending.unwrap_or_default();
        let (lease_ms, keep_ms) = if end == Millis::MAX {
            (stays, 0)
        } else {
            let left = end.saturating_sub(now).saturating_add(RECLAIM);
            // Others' windows may end later by their clocks: by a window's length, or they are in another one.
            let apart = end.saturating_sub(start).min(RECLAIM_TOTAL);
            (left.saturating_add(apart), left.saturating_add(RECLAIM).saturating_add(apart))
        };
        Message { slot, start, seq, born, total, acked, have, need, want, limit, lease_ms, keep_ms }
    }

    /// The thresholds, in percent, that the message has passed. `None`: the answer is to another message.
    pub fn answered(&mut self, answer: &Answer, taken: u64, now: Millis) -> Option<Vec<u8>> {
        let pending = self.pending.filter(|_| answer.seq == self.seq)?;
        self.renew(&pending, answer, taken, now);
        let reached = |used: u64, percent: u8| {
            u128::from(used).saturating_mul(100) >= u128::from(self.limit).saturating_mul(percent.into())
        };
        let marks = self.marks.to_le_bytes().into_iter().filter(|percent| *percent > 0);
        Some(marks.filter(|percent| reached(answer.used, *percent) && !reached(answer.before, *percent)).collect())
    }

    fn renew(&mut self, pending: &Pending, answer: &Answer, taken: u64, now: Millis) {
        self.pending = None;
        self.used = answer.used;
        self.acked = pending.total;
        self.born = answer.born;
        self.free = answer.free;
        self.synced = now;
        if now >= self.end {
            return;
        }
        self.until = pending.first.saturating_add(ADMIT);
        self.ceil = pending.total.saturating_add(answer.lease);
        let given = answer.lease > pending.have;
        self.dry = if given || pending.need.max(pending.want) == 0 { 0 } else { now.saturating_add(DRY) };
        let unused = self.ceil.saturating_sub(taken);
        if pending.want > 0 && self.size > 0 {
            self.size = self.size.min(unused.max(1));
        }
        if pending.need == 0 && unused > answer.share.saturating_mul(2) {
            // More than is fair by now: the next message gives it back, soon.
            self.busy = true;
            self.ceil = taken.saturating_add(answer.share);
            self.size = self.size.min(answer.share);
            self.synced = now.saturating_sub(ADMIT);
        }
    }
}

#[cfg(test)]
mod tests;
