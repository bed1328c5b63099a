use super::*;
use crate::quota::tests::{Memory, rule};
use crate::quota::{Amounts, Ask, Quota, Reason, Reserved, Span, When, Window};
use std::rc::Rc;

const NOW: Millis = 1_795_248_000_000;

fn reserve(memory: &Memory, rule: &Rc<Rule>, key: u64, now: Millis) -> Reserved {
    let asks = [Ask { rule, slot: rule.slot(&[("consumer", &key.to_string())]) }];
    let when = When { now, ttl: 60_000, failed: false };
    let upper = Amounts { requests: 1, ..Amounts::default() };
    let held = Quota::new(Table::open(memory)).reserve(&asks, &mut upper.into(), &when, &mut Vec::new());
    let Reserved::Held(held) = held else { return held };
    Quota::new(Table::open(memory)).settle(held, &upper, now, &mut Vec::new());
    Reserved::Held(crate::quota::Reservation::default())
}

fn admitted(memory: &Memory, rule: &Rc<Rule>, key: u64, now: Millis) -> bool {
    matches!(reserve(memory, rule, key, now), Reserved::Held(_))
}

#[test]
fn keys_beyond_what_a_page_holds_share_one_counter() {
    let memory = Memory::with(1);
    let rule = rule(crate::quota::Unit::Requests, Window::Calendar(1, Span::Minute), 2);
    let mut all = 0;
    for _ in 0..3 {
        all += (0..20).filter(|key| admitted(&memory, &rule, *key, NOW)).count();
    }
    assert_eq!(all, 16 * 2 + 2, "each of 16 its own two, and two for the other four together");
    // In the next window the first that come have counters of their own, whoever they are.
    let next: usize = (0..3).map(|_| (4..20).filter(|key| admitted(&memory, &rule, *key, NOW + 60_000)).count()).sum();
    assert_eq!(next, 32);
}

#[test]
fn a_key_that_shared_is_not_given_a_counter_while_its_window_lasts() {
    let memory = Memory::with(1);
    let minute = rule(crate::quota::Unit::Requests, Window::Calendar(1, Span::Minute), 1);
    let day = rule(crate::quota::Unit::Requests, Window::Calendar(1, Span::Day), 1);
    for key in 0..16 {
        assert!(admitted(&memory, &minute, key, NOW));
    }
    assert!(admitted(&memory, &day, 1, NOW), "by the shared counter");
    // The minute's counters are over, and there is room.
    assert!(!admitted(&memory, &day, 1, NOW + 60_000), "still the shared counter");
    assert!(admitted(&memory, &minute, 99, NOW + 60_000), "a new window has its own");
}

#[test]
fn a_page_that_cannot_be_read_refuses_until_the_window_is_over() {
    let rule = rule(crate::quota::Unit::Requests, Window::Calendar(1, Span::Minute), 5);
    type Spoil = dyn Fn(&mut Vec<u8>);
    let spoilers: [&Spoil; 4] = [
        &|bytes| bytes.clear(),
        &|bytes| bytes[0] = 9,
        &|bytes| {
            bytes.pop();
        },
        &|bytes| bytes.push(7),
    ];
    for (index, spoil) in spoilers.iter().enumerate() {
        let memory = Memory::with(1);
        assert!(admitted(&memory, &rule, 1, NOW));
        memory.spoil(spoil);
        let Reserved::Refused(refusal) = reserve(&memory, &rule, 1, NOW + 1) else { panic!("{index}: admitted") };
        assert_eq!(refusal.reason, Reason::Closed(Closed::Broken));
        assert!(!admitted(&memory, &rule, 2, NOW + 59_999));
        assert!(admitted(&memory, &rule, 1, NOW + 60_000), "{index}");
    }
}

#[test]
fn counts_survive_a_reload_and_another_size() {
    let memory = Memory::with(8);
    let rule = rule(crate::quota::Unit::Requests, Window::Total, 1);
    assert!((0..20).all(|key| admitted(&memory, &rule, key, NOW)));
    assert_eq!(Table::prepare(&memory, 64).pages(), 8, "as it was first");
    assert!((0..20).all(|key| !admitted(&memory, &rule, key, NOW)));
}

#[test]
fn keys_that_clients_choose_leave_room_for_others() {
    let memory = Memory::with(1);
    let window = Window::Calendar(1, Span::Minute);
    let mut chosen = Rule::new("by header", crate::quota::Unit::Requests, window, 1);
    chosen.open = true;
    let chosen = Rc::new(chosen);
    let named = rule(crate::quota::Unit::Requests, window, 1);
    let flood = (0..100).filter(|key| admitted(&memory, &chosen, *key, NOW)).count();
    assert_eq!(flood, OPEN_WAYS + 1, "the others share one counter");
    let own = (0..WAYS - OPEN_WAYS).filter(|key| admitted(&memory, &named, *key as u64, NOW)).count();
    assert_eq!(own, WAYS - OPEN_WAYS, "each has its own");
    assert!((0..WAYS - OPEN_WAYS).all(|key| !admitted(&memory, &named, key as u64, NOW)));
}

/// What other Envoys count for one key cannot be counted here for many.
#[test]
fn keys_of_the_fleet_share_no_counter_and_make_room_once_the_store_knows_all() {
    let memory = Memory::with(1);
    let mut shared = Rule::new("fleet", crate::quota::Unit::Requests, Window::Calendar(1, Span::Day), 100);
    shared.store = crate::quota::Store::Fleet(crate::quota::Down::Deny);
    let shared = Rc::new(shared);
    let quota = Quota::new(Table::open(&memory));
    let mut messages = Vec::new();
    let mut ask = |key: usize| {
        let asks = [Ask { rule: &shared, slot: shared.slot(&[("consumer", &key.to_string())]) }];
        let upper = Amounts { requests: 1, ..Amounts::default() };
        quota.reserve(&asks, &mut upper.into(), &When { now: NOW, ttl: 60_000, failed: false }, &mut messages)
    };
    assert!((0..WAYS).all(|key| matches!(ask(key), Reserved::Ask)));
    let Reserved::Refused(refusal) = ask(WAYS) else { panic!("there is room") };
    assert_eq!(refusal.reason, Reason::Closed(Closed::Full));
    let message = messages[0];
    let (seq, born) = (message.seq, 1);
    let answer = crate::quota::Answer { born, seq, lease: 0, free: 0, share: 0, before: 0, used: 0 };
    assert!(quota.answered(message.slot, message.start, &answer, NOW).is_some());
    let asks = [Ask { rule: &shared, slot: shared.slot(&[("consumer", &WAYS.to_string())]) }];
    let upper = Amounts { requests: 1, ..Amounts::default() };
    let when = When { now: NOW, ttl: 60_000, failed: false };
    assert!(matches!(quota.reserve(&asks, &mut upper.into(), &when, &mut messages), Reserved::Ask));
}
