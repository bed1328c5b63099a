//! What most calls need of a counter, done where it lies in its page: a deadline that is there already holds more, or less,
//! and what was used counts in the piece that is there.
//!
//! All else is left to [`super::reserve`] and [`super::settle`], which come to the same and take several times as long: a new
//! window or deadline, a lease, a sliding window, a threshold, a refusal, a counter that is empty afterwards.

use super::counter::{HELD, MAX_BACK, STEP, due, reached};
use super::reserve::{AMPLE, AT_ONCE, Ask, Part, Standing, Upper, When};
use super::table::Page;
use super::windows::Window;
use super::{Rule, Slot, Unit, codec};
use crate::host::Millis;
use std::rc::Rc;

/// A number as a page has it.
type Word = [u8; codec::WORD];

/// A counter where it lies: without a lease, all of it in one piece of its window, and nothing overdue.
struct Plain<'b> {
    now: Millis,
    /// The piece, and the whole counter, end here.
    ends: Millis,
    /// Where the piece begins.
    start: Millis,
    crossed: u8,
    seen: &'b mut Word,
    /// `None`: nothing was counted yet.
    used: Option<&'b mut Word>,
    /// Each: its piece, its deadline, its amount.
    held: &'b mut [[Word; 3]],
    /// Of all.
    reserved: u64,
}

/// Holds what a call may use of one limit, which is known better afterwards where that matters; `None`: nothing was changed.
pub(super) fn hold(page: &mut Page, index: usize, ask: &Ask<'_>, upper: &mut Upper<'_>, when: &When) -> Option<Part> {
    let rule = ask.rule;
    let counter = Plain::of(page, rule, ask.slot, when.now)?;
    let left = rule.amount.checked_sub(counter.used().checked_add(counter.reserved)?)?;
    let plain = matches!(rule.unit, Unit::Requests | Unit::Concurrent);
    if !plain && left < upper.amounts.of(rule.unit).saturating_mul(AMPLE) {
        upper.come_closer();
    }
    let amount = upper.amounts.of(rule.unit);
    if amount == 0 || left < amount {
        return None;
    }
    let mut due = due(counter.now, when.ttl);
    let place = if rule.counts_at_once(counter.ends, due.saturating_mul(STEP)) {
        due = AT_ONCE;
        counter.used?
    } else {
        place(counter.held, due)?
    };
    *place = number(place).checked_add(amount)?.to_le_bytes();
    *counter.seen = counter.now.to_le_bytes();
    let remaining = left.saturating_sub(amount);
    let reset = if counter.ends == Millis::MAX { 0 } else { counter.ends.saturating_sub(counter.now) };
    let standing = Standing { limit: rule.amount, remaining, reset, over: false, crowded: false };
    let (rule, cell) = (Rc::clone(rule), counter.start);
    Some(Part { rule, index, slot: ask.slot, crowded: false, cell, due, amount, standing })
}

/// Settles with one limit; `None`: nothing was changed.
pub(super) fn settle(page: &mut Page, part: &Part, used: u64, now: Millis) -> Option<()> {
    let rule = &*part.rule;
    let counter = Plain::of(page, rule, part.slot, now)?;
    let all = counter.used().checked_add(used)?;
    let empty = all == 0 && counter.reserved == part.amount;
    let crosses = reached(all, &rule.thresholds, rule.amount) & !counter.crossed != 0;
    let known = counter.used.is_some() || used == 0;
    let here = counter.start == part.cell && part.amount > 0 && !part.crowded;
    let held = place(counter.held, part.due)?;
    let left = number(held).checked_sub(part.amount)?;
    if empty || crosses || !known || !here {
        return None;
    }
    *held = left.to_le_bytes();
    *counter.seen = counter.now.to_le_bytes();
    if let Some(used) = counter.used {
        *used = all.to_le_bytes();
    }
    Some(())
}

/// What is held until a deadline.
#[inline(never)]
fn place(held: &mut [[Word; 3]], due: u64) -> Option<&mut Word> {
    held.iter_mut().find(|[_, known, _]| number(known) == due).map(|[.., amount]| amount)
}

impl<'b> Plain<'b> {
    fn of(page: &'b mut Page, rule: &Rule, slot: Slot, now: Millis) -> Option<Self> {
        if rule.fleet().is_some() || matches!(rule.window, Window::Sliding(_)) {
            return None;
        }
        let (ends, body) = page.body_mut(slot)?;
        let (&mut [0, crossed, cells @ 0..=1, count], rest) = body.split_first_chunk_mut::<{ codec::HEAD }>()? else {
            return None;
        };
        let (words, []) = rest.as_chunks_mut() else { return None };
        let (seen, words) = words.split_first_mut()?;
        let (cell, held) = words.split_at_mut_checked(usize::from(cells).checked_mul(2)?)?;
        let (held, []) = held.as_chunks_mut() else { return None };
        let start = number(cell.first().or_else(|| held.first()?.first())?);
        let latest = number(seen);
        let (now, back) = (latest.max(now), latest.saturating_sub(now));
        let step = now.checked_div(STEP).unwrap_or(0);
        let mut reserved = 0_u64;
        for [cell, due, amount] in held.iter() {
            if number(cell) != start || number(due) <= step {
                return None;
            }
            reserved = reserved.checked_add(number(amount))?;
        }
        let whole = held.len() == usize::from(count) && held.len() <= HELD;
        let here = whole && start <= now && now < ends && back <= MAX_BACK;
        here.then_some(Self { now, ends, start, crossed, seen, used: cell.get_mut(1), held, reserved })
    }

    fn used(&self) -> u64 {
        self.used.as_deref().map_or(0, number)
    }
}

fn number(word: &Word) -> u64 {
    u64::from_le_bytes(*word)
}

#[cfg(test)]
mod tests;
