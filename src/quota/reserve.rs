//! Several limits at once: all must have room, or none is touched.

use super::counter::{STEP, due};
use super::lease::{Lease, MAX_AMOUNT, Message, RECLAIM, RECLAIM_TOTAL, Word};
use super::table::{ATTEMPTS, Closed, Page, Seat, Table};
use super::{Amounts, Down, Rule, Slot, Unit, quick};
use crate::host::Millis;
use std::rc::Rc;

/// All limits of this Envoy.
#[derive(Clone, Copy)]
pub struct Quota<'a> {
    pub(super) table: Table<'a>,
}

/// One limit that a call has to pass.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'r> {
    pub rule: &'r Rc<Rule>,
    pub slot: Slot,
}

#[derive(Clone, Copy, Debug)]
pub struct When {
    pub now: Millis,
    /// How long until the call is taken for lost; [`super::MAX_TTL`] at most.
    pub ttl: Millis,
    /// The store was asked for this call, and did not answer.
    pub failed: bool,
}

/// The most that a call may use: what is quickly known, and what is known better where a limit's room is not many times as much.
pub struct Upper<'u> {
    pub amounts: Amounts,
    /// Called once at most; what it says is never more.
    pub closer: Option<&'u mut dyn FnMut() -> Amounts>,
}

/// So many such calls must have room for the quickly known to do: what it takes too much is then no matter.
pub(super) const AMPLE: u64 = 64;

#[derive(Debug)]
pub enum Reserved {
    Held(Reservation),
    Refused(Refusal),
    /// The store has to be asked first: send the messages, pass the answers to [`Quota::answered`], reserve again. No
    /// limit holds anything.
    Ask,
}

/// What a call holds of its limits. To be settled once, on whatever ending; lost, it lapses at its deadline.
#[must_use]
#[derive(Debug, Default)]
pub struct Reservation {
    pub(super) parts: Vec<Part>,
}

#[derive(Debug)]
pub(super) struct Part {
    pub rule: Rc<Rule>,
    /// Its place in what was asked.
    pub index: usize,
    pub slot: Slot,
    pub crowded: bool,
    /// The piece of the window that it counts in, even if it is settled later.
    pub cell: Millis,
    /// In steps; [`AT_ONCE`]: it is no deadline.
    pub due: u64,
    pub amount: u64,
    pub standing: Standing,
}

/// What counts as used from the beginning: see [`Rule::counts_at_once`].
pub(super) const AT_ONCE: u64 = u64::MAX;

/// Where a limit stands, for `x-ratelimit-*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub limit: u64,
    pub remaining: u64,
    /// Until all of it is there again; 0: it is, or never will be.
    pub reset: Millis,
    /// The limit is only reported, and this call passed it.
    pub over: bool,
    /// Counted together with other keys, for want of room.
    pub crowded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which of the limits asked for.
    pub index: usize,
    pub reason: Reason,
    /// `None`: it will never fit.
    pub retry_after: Option<Millis>,
    pub standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Spent,
    /// The store does not answer, and the limit is set to deny.
    Down,
    Closed(Closed),
}

/// When a call may come again that was not refused for what was used.
const SHORTLY: Millis = 1000;

/// A limit that has room.
enum Room {
    /// What the call may use is held, once its page is kept.
    Held(Page, Part),
    Seat(Seat),
    /// It is only reported, and cannot be counted.
    Uncounted,
}

enum Judged {
    Fits,
    Refused(Refusal),
    Ask(Message),
}

enum Stop {
    Refused(Refusal),
    Ask,
    /// Another worker was first: from the beginning.
    Again,
}

impl Reservation {
    /// The limits it holds, by their place in what was asked, as they stood when it was made.
    pub fn standings(&self) -> impl Iterator<Item = (usize, &Standing)> {
        self.parts.iter().map(|part| (part.index, &part.standing))
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

impl<'a> Quota<'a> {
    pub fn new(table: Table<'a>) -> Self {
        Self { table }
    }

    /// Reserves what a call may use in every limit, or in none. `messages` are for the store; only [`Reserved::Ask`] waits for them.
    pub fn reserve(
        &self,
        asks: &[Ask<'_>],
        upper: &mut Upper<'_>,
        when: &When,
        messages: &mut Vec<Message>,
    ) -> Reserved {
        for _ in 0..ATTEMPTS {
            let mut held = Reservation::default();
            let stop = match self.look(asks, upper, when, messages) {
                Ok(rooms) => match self.hold_all(asks, rooms, &upper.amounts, when, &mut held, messages) {
                    Ok(()) => return Reserved::Held(held),
                    Err(stop) => stop,
                },
                Err(stop) => stop,
            };
            // What is left of it if other workers are always first lapses by itself.
            drop(self.settle(held, &Amounts::default(), when.now, messages).left);
            match stop {
                Stop::Refused(refusal) => return Reserved::Refused(refusal),
                Stop::Ask => return Reserved::Ask,
                Stop::Again => {}
            }
        }
        match asks.iter().position(|ask| ask.rule.enforced()) {
            Some(index) => Reserved::Refused(closed(index, asks.get(index), Closed::Busy)),
            None => Reserved::Held(Reservation::default()),
        }
    }

    /// A look first: a call that is refused changes nothing, and costs no write.
    fn look(
        &self,
        asks: &[Ask<'_>],
        upper: &mut Upper<'_>,
        when: &When,
        messages: &mut Vec<Message>,
    ) -> Result<Vec<Room>, Stop> {
        let mut rooms = Vec::with_capacity(asks.len());
        let mut questions = Vec::new();
        for (index, ask) in asks.iter().enumerate() {
            let mut page = self.table.page(ask.slot);
            if let Some(part) = quick::hold(&mut page, index, ask, upper, when) {
                rooms.push(Room::Held(page, part));
                continue;
            }
            let mut seat = match self.table.seat_in(Some(page), ask.rule, ask.slot, false, when.now) {
                Ok(seat) => seat,
                Err(why) if ask.rule.enforced() => return Err(Stop::Refused(closed(index, Some(ask), why))),
                // Only reported: it is not counted then.
                Err(_) => {
                    rooms.push(Room::Uncounted);
                    continue;
                }
            };
            if upper.closer.is_some() && !ample(ask.rule, &mut seat, &upper.amounts) {
                upper.come_closer();
            }
            match judge(index, ask, &mut seat, &upper.amounts, when) {
                Judged::Fits => rooms.push(Room::Seat(seat)),
                Judged::Refused(refusal) => return Err(Stop::Refused(refusal)),
                Judged::Ask(message) => questions.push((ask, seat, message)),
            }
        }
        // What was held before it was known better.
        let rough = |room: &Room| match room {
            Room::Held(_, part) => part.amount != upper.amounts.of(part.rule.unit),
            Room::Seat(_) | Room::Uncounted => false,
        };
        if rooms.iter().any(rough) {
            return Err(Stop::Again);
        }
        if questions.is_empty() {
            return Ok(rooms);
        }
        for (ask, seat, message) in questions {
            if !self.table.keep(ask.rule, &seat) {
                return Err(Stop::Again);
            }
            messages.push(message);
        }
        Err(Stop::Ask)
    }

    fn hold_all(
        &self,
        asks: &[Ask<'_>],
        rooms: Vec<Room>,
        upper: &Amounts,
        when: &When,
        held: &mut Reservation,
        messages: &mut Vec<Message>,
    ) -> Result<(), Stop> {
        held.parts.reserve_exact(asks.len());
        for (index, (ask, room)) in asks.iter().zip(rooms).enumerate() {
            let mut seat = match room {
                Room::Held(page, part) if self.table.keep_page(&page) => {
                    held.parts.push(part);
                    continue;
                }
                // Another worker was first.
                Room::Held(..) => None,
                Room::Seat(seat) => Some(seat),
                Room::Uncounted => continue,
            };
            let mut tries = 0..ATTEMPTS;
            loop {
                let seat = match seat.take() {
                    None => self.again(index, ask, tries.next(), upper, when)?,
                    known => known,
                };
                let Some(mut seat) = seat else { break };
                let (part, message) = hold(index, ask, &mut seat, upper, when);
                if self.table.keep(ask.rule, &seat) {
                    held.parts.push(part);
                    messages.extend(message);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Another look at a limit that has changed meanwhile. `tries`: whether any is left. `None`: it is only reported, and cannot
    /// be counted.
    fn again(
        &self,
        index: usize,
        ask: &Ask<'_>,
        tries: Option<usize>,
        upper: &Amounts,
        when: &When,
    ) -> Result<Option<Seat>, Stop> {
        let seat = tries.ok_or(Closed::Busy).and_then(|_| self.table.seat(ask.rule, ask.slot, false, when.now));
        let mut seat = match seat {
            Ok(seat) => seat,
            Err(why) if ask.rule.enforced() => return Err(Stop::Refused(closed(index, Some(ask), why))),
            Err(_) => return Ok(None),
        };
        match judge(index, ask, &mut seat, upper, when) {
            Judged::Fits => Ok(Some(seat)),
            Judged::Refused(refusal) => Err(Stop::Refused(refusal)),
            // Asked for when it is looked at again: what is held is given back first.
            Judged::Ask(_) => Err(Stop::Again),
        }
    }
}

impl Upper<'_> {
    pub(super) fn come_closer(&mut self) {
        if let Some(closer) = self.closer.take() {
            self.amounts = closer();
        }
    }
}

impl From<Amounts> for Upper<'_> {
    fn from(amounts: Amounts) -> Self {
        Self { amounts, closer: None }
    }
}

/// Whether there is so much room that it does not matter how closely a call's upper bound is known.
fn ample(rule: &Rule, seat: &mut Seat, upper: &Amounts) -> bool {
    if matches!(rule.unit, Unit::Requests | Unit::Concurrent) {
        return true;
    }
    let many = upper.of(rule.unit).saturating_mul(AMPLE);
    let (taken, now) = (seat.counter.taken(), seat.moment.now);
    match rule.fleet() {
        None => seat.counter.fits(many, rule.amount),
        Some(_) => matches!(lease(rule, seat).word(taken, many, now), Word::Yes),
    }
}

fn judge(index: usize, ask: &Ask<'_>, seat: &mut Seat, upper: &Amounts, when: &When) -> Judged {
    let rule = ask.rule;
    let want = upper.of(rule.unit);
    let (taken, now) = (seat.counter.taken(), seat.moment.now);
    let refuse = |seat: &Seat, reason, ceiling| {
        let retry_after = match reason {
            Reason::Spent => seat.counter.wait(rule.window, &seat.moment, want, ceiling),
            Reason::Down | Reason::Closed(_) => Some(SHORTLY),
        };
        Judged::Refused(Refusal { index, reason, retry_after, standing: standing(rule, seat) })
    };
    let down = match rule.fleet() {
        _ if !rule.enforced() => return Judged::Fits,
        None if seat.counter.fits(want, rule.amount) => return Judged::Fits,
        None => return refuse(seat, Reason::Spent, rule.amount),
        Some(down) => down,
    };
    let slot = seat.slot;
    let lease = lease(rule, seat);
    let word = match lease.word(taken, want, now) {
        Word::Ask if when.failed => Word::Down,
        word => word,
    };
    let share = match (word, down) {
        (Word::Yes, _) => return Judged::Fits,
        (Word::Ask, _) => return Judged::Ask(lease.ask(slot, taken, want, now)),
        (Word::No, _) => return refuse(seat, Reason::Spent, rule.amount),
        (Word::Down, Down::Deny) => return refuse(seat, Reason::Down, rule.amount),
        (Word::Down, Down::Allow) => 1000,
        (Word::Down, Down::Local(share)) => share.min(1000),
    };
    let ceiling = u128::from(rule.amount).saturating_mul(share.into()).checked_div(1000).unwrap_or(0);
    let ceiling = u64::try_from(ceiling).unwrap_or(rule.amount);
    if seat.counter.fits(want, ceiling) { Judged::Fits } else { refuse(seat, Reason::Spent, ceiling) }
}

/// The lease of this window; a limit that was changed holds for a lease that there is.
pub(super) fn lease<'s>(rule: &Rule, seat: &'s mut Seat) -> &'s mut Lease {
    let used = seat.counter.used();
    let lease = seat.counter.lease.get_or_insert_with(|| Lease::new(seat.moment.piece, rule.amount, used));
    lease.limit = rule.amount.min(MAX_AMOUNT);
    lease.stays = if rule.unit == Unit::Concurrent { RECLAIM } else { RECLAIM_TOTAL };
    let mut marks = [0; 8];
    marks.iter_mut().zip(&rule.thresholds).for_each(|(mark, percent)| *mark = *percent);
    lease.marks = u64::from_le_bytes(marks);
    lease
}

/// Holds what a call may use of a limit that has room, or is only reported.
pub(super) fn hold(
    index: usize,
    ask: &Ask<'_>,
    seat: &mut Seat,
    upper: &Amounts,
    when: &When,
) -> (Part, Option<Message>) {
    let rule = ask.rule;
    let amount = upper.of(rule.unit);
    let over = !rule.enforced() && !seat.counter.fits(amount, rule.amount);
    if rule.fleet().is_none() {
        // It was the fleet's before the configuration changed, and may be again: what was told must not be told twice.
        match &mut seat.counter.lease {
            Some(lease) if lease.total > 0 => lease.limit = 0,
            lease => *lease = None,
        }
        seat.counter.past = None;
    }
    let (piece, mut due) = (seat.moment.piece, due(seat.moment.now, when.ttl));
    let cell = piece.start;
    if rule.counts_at_once(piece.end, due.saturating_mul(STEP)) {
        due = AT_ONCE;
        seat.counter.charge(cell, amount);
    } else {
        seat.counter.hold(cell, due, amount);
    }
    let (slot, taken, now) = (seat.slot, seat.counter.taken(), seat.moment.now);
    let message = rule.fleet().and_then(|_| lease(rule, seat).touched(slot, taken, now));
    let standing = Standing { over, ..standing(rule, seat) };
    let part =
        Part { rule: Rc::clone(rule), index, slot: ask.slot, crowded: seat.crowded, cell, due, amount, standing };
    (part, message)
}

pub(super) fn standing(rule: &Rule, seat: &Seat) -> Standing {
    let left = |ceiling: u64| ceiling.saturating_sub(seat.counter.taken());
    let remaining = match (rule.fleet(), &seat.counter.lease) {
        (Some(_), Some(lease)) => left(lease.ceil).saturating_add(lease.free).min(left(rule.amount)),
        _ => left(rule.amount),
    };
    let reset = seat.counter.reset(rule.window, &seat.moment);
    Standing { limit: rule.amount, remaining, reset, over: false, crowded: seat.crowded }
}

fn closed(index: usize, ask: Option<&Ask<'_>>, why: Closed) -> Refusal {
    let limit = ask.map_or(0, |ask| ask.rule.amount);
    let standing = Standing { limit, ..Standing::default() };
    Refusal { index, reason: Reason::Closed(why), retry_after: Some(SHORTLY), standing }
}
