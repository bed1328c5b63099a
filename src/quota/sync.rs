//! What goes to the store beside the calls, and what comes back.

use super::Slot;
use super::counter::Counter;
use super::lease::{Answer, Lease, Message};
use super::reserve::Quota;
use crate::host::Millis;

impl Quota<'_> {
    /// How many pages [`Self::due`] goes through.
    pub fn pages(&self) -> u32 {
        self.table.all()
    }

    /// Messages that are due for the counters of one page: leases to renew or give back, settled amounts to tell, what
    /// was not answered. Called for each page in turn, a few at each tick, by any worker.
    pub fn due(&self, page: u32, now: Millis, messages: &mut Vec<Message>) {
        for slot in self.table.leased(page) {
            let mut found = None;
            self.table.change(slot, now, &mut |counter| {
                found = counter.due(slot, now);
                found.is_some()
            });
            messages.extend(found);
        }
    }

    /// The store's answer: the thresholds, in percent, that its message has passed, told to one Envoy of the fleet and once.
    /// `None`: it came too late to mean anything.
    pub fn answered(&self, slot: Slot, start: Millis, answer: &Answer, now: Millis) -> Option<Vec<u8>> {
        let mut crossed = None;
        self.table.change(slot, now, &mut |counter| {
            crossed = counter.answered(start, answer, now);
            crossed.is_some()
        });
        crossed
    }
}

impl Counter {
    fn due(&mut self, slot: Slot, now: Millis) -> Option<Message> {
        let taken = self.taken();
        let past = self.past.as_mut().and_then(|past| past.due(slot, 0, now));
        past.or_else(|| self.lease.as_mut()?.due(slot, taken, now))
    }

    fn answered(&mut self, start: Millis, answer: &Answer, now: Millis) -> Option<Vec<u8>> {
        let taken = self.taken();
        let both = self.lease.iter_mut().chain(self.past.iter_mut());
        both.filter(|lease: &&mut Lease| lease.start == start).find_map(|lease| lease.answered(answer, taken, now))
    }

    /// Drops what is overdue, whatever the window.
    pub(super) fn lapse(&mut self, now: Millis) {
        let step = now.max(self.seen).checked_div(super::counter::STEP).unwrap_or(0);
        self.held.retain(|held| held.due > step);
    }
}
