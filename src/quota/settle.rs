//! The end of a call, whatever it was, and a call that takes longer than was thought.

use super::counter::due;
use super::lease::Message;
use super::reserve::{AT_ONCE, Part, Quota, Reservation, When, lease};
use super::table::{ATTEMPTS, Closed, Seat};
use super::{Amounts, Slot, quick};
use crate::host::Millis;

/// What settling has shown.
#[derive(Debug, Default)]
pub struct Settled {
    pub crossed: Vec<Crossed>,
    /// Other workers were always first: to be settled again, soon.
    pub left: Option<Reservation>,
    /// Limits whose window was over: the amount counts nowhere that still admits. Not those that counted it at once.
    pub late: usize,
    /// Limits whose counter could not be read.
    pub lost: usize,
}

/// A threshold that was reached, of a limit that is not the fleet's: told once in a window, to one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossed {
    /// The limit's place in what was asked when it was reserved.
    pub index: usize,
    pub percent: u8,
}

/// Takes out what a part holds and counts what was used: whether that counts still, and which thresholds it has reached.
pub(super) fn charge(part: &Part, used: u64, seat: &mut Seat) -> (bool, u8) {
    let rule = &*part.rule;
    let counts = rule.window.counts(part.cell, seat.moment.now, &seat.moment.piece);
    let mut bits = 0;
    if counts {
        if part.due == AT_ONCE {
            seat.counter.uncharge(part.cell, part.amount);
        } else {
            seat.counter.take(part.cell, part.due, part.amount);
        }
        seat.counter.charge(part.cell, used);
        if rule.fleet().is_none() {
            bits = seat.counter.cross(&rule.thresholds, rule.amount, rule.window);
        }
    } else if let Some(past) = seat.counter.past.as_mut().filter(|past| past.start == part.cell) {
        past.total = past.total.saturating_add(used);
    }
    (counts, bits)
}

impl Quota<'_> {
    /// Takes what was reserved out of every limit and counts what was used, be it less or more.
    pub fn settle(
        &self,
        reservation: Reservation,
        used: &Amounts,
        now: Millis,
        messages: &mut Vec<Message>,
    ) -> Settled {
        let mut settled = Settled::default();
        for part in reservation.parts {
            match self.settle_part(&part, used.of(part.rule.unit), now, messages, &mut settled) {
                Ok(()) => {}
                Err(Closed::Busy) => settled.left.get_or_insert_default().parts.push(part),
                Err(Closed::Broken | Closed::Full) => settled.lost = settled.lost.saturating_add(1),
            }
        }
        settled
    }

    /// Takes it out and counts nothing: the call never left, or cost nothing.
    pub fn release(&self, reservation: Reservation, now: Millis, messages: &mut Vec<Message>) -> Settled {
        self.settle(reservation, &Amounts::default(), now, messages)
    }

    fn settle_part(
        &self,
        part: &Part,
        used: u64,
        now: Millis,
        messages: &mut Vec<Message>,
        settled: &mut Settled,
    ) -> Result<(), Closed> {
        let rule = &*part.rule;
        if part.due == AT_ONCE && part.amount == used {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            let mut page = None;
            if !part.crowded {
                let page = page.insert(self.table.page(part.slot));
                if quick::settle(page, part, used, now).is_some() {
                    if self.table.keep_page(page) {
                        return Ok(());
                    }
                    continue;
                }
            }
            let mut seat = self.table.seat_in(page, rule, part.slot, part.crowded, now)?;
            let (counts, bits) = charge(part, used, &mut seat);
            let (slot, taken, moment) = (seat.slot, seat.counter.taken(), seat.moment);
            let shared = rule.fleet().filter(|_| counts);
            let message = shared.and_then(|_| lease(rule, &mut seat).touched(slot, taken, moment.now));
            if self.table.keep(rule, &seat) {
                messages.extend(message);
                settled.late = settled.late.saturating_add((!counts && part.due != AT_ONCE).into());
                let crossed = (0..8).zip(&rule.thresholds).filter(|(bit, _)| bits & (1_u8 << bit) != 0);
                settled.crossed.extend(crossed.map(|(_, percent)| Crossed { index: part.index, percent: *percent }));
                return Ok(());
            }
        }
        Err(Closed::Busy)
    }

    fn seat(&self, part: &Part, now: Millis) -> Result<Seat, Closed> {
        self.table.seat(&part.rule, part.slot, part.crowded, now)
    }

    /// Moves the deadline of a call that goes on. Cheap to call often: a deadline moves by steps of half a minute.
    pub fn extend(&self, reservation: &mut Reservation, when: &When) {
        let due = due(when.now, when.ttl);
        for part in reservation.parts.iter_mut().filter(|part| part.due < due) {
            for _ in 0..ATTEMPTS {
                let Ok(mut seat) = self.seat(part, when.now) else { break };
                if !part.rule.window.counts(part.cell, seat.moment.now, &seat.moment.piece) {
                    part.due = due;
                    break;
                }
                // If it had lapsed already, it is held again: the call is there.
                seat.counter.take(part.cell, part.due, part.amount);
                seat.counter.hold(part.cell, due, part.amount);
                if self.table.keep(&part.rule, &seat) {
                    part.due = due;
                    break;
                }
            }
        }
    }

    /// Settled and reserved of a limit now, for the ledger and for tests.
    pub fn taken(&self, rule: &super::Rule, slot: Slot, now: Millis) -> Option<(u64, u64)> {
        let seat = self.table.seat(rule, slot, false, now).ok()?;
        Some((seat.counter.used(), seat.counter.held()))
    }
}
