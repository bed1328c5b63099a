//! A look at counters, which changes nothing.

use super::reserve::{Quota, standing};
use super::table::Seat;
use super::{Rule, Slot};
use crate::host::Millis;

/// Where a counter stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub used: u64,
    pub reserved: u64,
    /// At most, where other Envoys have leases of it.
    pub remaining: u64,
    /// Until nothing of it counts; 0: nothing does, or it never begins again.
    pub reset: Millis,
}

impl Quota<'_> {
    pub fn state(&self, rule: &Rule, slot: Slot, now: Millis) -> State {
        match self.table.peek(rule, slot, now) {
            None => State { remaining: rule.amount, ..State::default() },
            Some(seat) => of(rule, &seat),
        }
    }
}

fn of(rule: &Rule, seat: &Seat) -> State {
    let standing = standing(rule, seat);
    let own = seat.counter.used();
    // Of the fleet's, what the store last said of all Envoys.
    let used = seat.counter.lease.filter(|_| rule.fleet().is_some()).map_or(own, |lease| lease.used.max(own));
    State { used, reserved: seat.counter.held(), remaining: standing.remaining, reset: standing.reset }
}
