use super::super::{Amounts, Mode, Quota, Reservation, Reserved, Span, Table, codec, settle};
use super::*;
use crate::quota::counter::Counter;
use crate::quota::reserve;
use crate::quota::tests::Memory;

const NOW: Millis = 1_795_248_000_000;

/// A small generator: the same numbers on every run.
fn random(seed: &mut u64, below: u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed >> 11).checked_rem(below).unwrap()
}

fn rule(seed: &mut u64) -> Rc<Rule> {
    let window = match random(seed, 6) {
        0 => Window::Calendar(1, Span::Second),
        1 | 2 => Window::Calendar(1, Span::Minute),
        3 => Window::Calendar(1, Span::Month),
        4 => Window::Sliding(60_000),
        _ => Window::Total,
    };
    let unit = Unit::ALL[random(seed, Unit::ALL.len() as u64) as usize];
    let mut rule = Rule::new("limit", unit, window, [10, 200, 1 << 40][random(seed, 3) as usize]);
    if random(seed, 4) == 0 {
        rule.thresholds = vec![50, 100];
    }
    if random(seed, 4) == 0 {
        rule.mode = Mode::Report;
    }
    Rc::new(rule)
}

fn amounts(amount: u64) -> Amounts {
    Amounts { requests: amount.min(1), concurrent: 1, input_tokens: amount, output_tokens: amount, usd: amount }
}

/// All that a counter holds, in an order that does not depend on how it came to that.
fn counter(page: &mut Page, slot: Slot) -> (Millis, u8, String, String) {
    let Counter { seen, crossed, cells, mut held, lease, past } =
        *codec::decode(page.body_mut(slot).unwrap().1).unwrap();
    assert!(lease.is_none() && past.is_none());
    held.all_mut().sort_unstable_by_key(|held| (held.cell, held.due));
    (seen, crossed, format!("{:?}", cells.all()), format!("{:?}", held.all()))
}

/// In any order of calls, whatever is done in place leaves the counter as the long way does, and gives the same to the call.
#[test]
fn the_short_way_comes_to_what_the_long_one_does() {
    let (mut held, mut closer_held, mut settled, mut left) = (0, 0, 0, 0);
    for mut seed in 1..300_u64 {
        let (memory, rule) = (Memory::with(1), rule(&mut seed));
        let table = Table::open(&memory);
        let quota = Quota::new(table);
        let slot = rule.slot(&[("consumer", "ann")]);
        let ask = Ask { rule: &rule, slot };
        let mut open: Vec<Reservation> = Vec::new();
        let mut now = NOW + random(&mut seed, 90_000_000);
        for _ in 0..120 {
            now += [0, 0, 1, 700, 20_000][random(&mut seed, 5) as usize];
            // A clock that is a little behind, and once in a while by days.
            let back = if random(&mut seed, 200) == 0 { 90_000_000 } else { 50 * random(&mut seed, 2) };
            let now = now - back;
            if random(&mut seed, 5) < 3 || open.is_empty() {
                let most = random(&mut seed, 6);
                let (bound, less) = (amounts(most), amounts(most.div_ceil(2)));
                let ttl = 100_000 * (1 + random(&mut seed, 2));
                let when = When { now, ttl, failed: false };
                let mut close = || less;
                let closer: Option<&mut dyn FnMut() -> Amounts> = if seed & 1 == 0 { Some(&mut close) } else { None };
                let mut upper = Upper { amounts: bound, closer };
                let closer = upper.closer.is_some();
                let mut page = table.page(slot);
                let part = hold(&mut page, 0, &ask, &mut upper, &when);
                let looked = closer && upper.closer.is_none();
                if let Some(part) = part {
                    let mut seat = table.seat(&rule, slot, false, now).ok().unwrap();
                    let (other, message) = reserve::hold(0, &ask, &mut seat, &upper.amounts, &when);
                    assert!(message.is_none() && other.standing.limit >= other.amount);
                    assert_eq!(format!("{part:?}"), format!("{other:?}"));
                    assert!(table.keep(&rule, &seat));
                    assert_eq!(counter(&mut page, slot), counter(&mut table.page(slot), slot), "{rule:?}");
                    let scarce = part.standing.remaining + part.amount < bound.of(rule.unit) * AMPLE;
                    let plain = matches!(rule.unit, Unit::Requests | Unit::Concurrent);
                    assert_eq!(looked, closer && scarce && !plain, "{rule:?}");
                    open.push(Reservation { parts: vec![part] });
                    held += 1;
                    closer_held += u32::from(looked);
                } else if let Reserved::Held(more) = quota.reserve(&[ask], &mut upper, &when, &mut Vec::new()) {
                    open.push(more);
                    left += 1;
                }
            } else {
                let one = open.swap_remove(random(&mut seed, open.len() as u64) as usize);
                let used = amounts(random(&mut seed, 9));
                let part = one.parts.first().unwrap();
                let mut page = table.page(slot);
                if settle(&mut page, part, used.of(rule.unit), now).is_some() {
                    let mut seat = table.seat(&rule, slot, false, now).ok().unwrap();
                    assert_eq!(settle::charge(part, used.of(rule.unit), &mut seat), (true, 0), "{rule:?}");
                    assert!(table.keep(&rule, &seat));
                    assert_eq!(counter(&mut page, slot), counter(&mut table.page(slot), slot), "{rule:?}");
                    settled += 1;
                } else {
                    drop(quota.settle(one, &used, now, &mut Vec::new()));
                    left += 1;
                }
            }
        }
    }
    assert!(held > 2000 && settled > 2000 && left > 2000, "{held} {settled} {left}");
    assert!(closer_held > 200, "{closer_held}");
}
