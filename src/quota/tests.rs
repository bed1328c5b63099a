use super::*;
use crate::host::{Millis, Shared};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// 2026-11-21 08:00 UTC, a Saturday.
const NOW: Millis = 1_795_248_000_000;

/// Shared data that counts what it costs, and can let other workers be first.
#[derive(Default)]
pub struct Memory {
    values: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    loads: Cell<usize>,
    stores: Cell<usize>,
    /// So many of the next writes are too late.
    pub refuse: Cell<usize>,
}

impl Shared for Memory {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.loads.set(self.loads.get().wrapping_add(1));
        self.values.borrow().get(key).cloned()
    }

    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        self.stores.set(self.stores.get().wrapping_add(1));
        if cas.is_some() && self.refuse.get() > 0 {
            self.refuse.set(self.refuse.get().wrapping_sub(1));
            return false;
        }
        let mut values = self.values.borrow_mut();
        let known = values.get(key).map_or(0, |(_, cas)| *cas);
        let free = cas.is_none_or(|cas| cas == known);
        if free {
            values.insert(key.to_owned(), (value.to_vec(), known.wrapping_add(1)));
        }
        free
    }
}

impl Memory {
    pub fn with(pages: u32) -> Self {
        let memory = Self::default();
        Table::prepare(&memory, pages);
        memory
    }

    pub fn spoil(&self, with: impl Fn(&mut Vec<u8>)) {
        self.values.borrow_mut().iter_mut().filter(|(key, _)| !key.ends_with("size")).for_each(|(_, v)| with(&mut v.0));
    }

    fn quota(&self) -> Quota<'_> {
        Quota::new(Table::open(self))
    }
}

pub fn rule(unit: Unit, window: Window, amount: u64) -> Rc<Rule> {
    Rc::new(Rule::new("limit", unit, window, amount))
}

fn at(now: Millis) -> When {
    When { now, ttl: 60_000, failed: false }
}

fn requests(count: u64) -> Amounts {
    Amounts { requests: count, concurrent: count, input_tokens: count, ..Amounts::default() }
}

fn reserve(quota: &Quota<'_>, rules: &[&Rc<Rule>], want: u64, when: &When) -> Result<Reservation, Refusal> {
    let asks: Vec<_> = rules.iter().map(|rule| Ask { rule, slot: rule.slot(&[("consumer", "ann")]) }).collect();
    match quota.reserve(&asks, &mut requests(want).into(), when, &mut Vec::new()) {
        Reserved::Held(held) => Ok(held),
        Reserved::Refused(refusal) => Err(refusal),
        Reserved::Ask => panic!("nothing to ask"),
    }
}

fn settle(quota: &Quota<'_>, held: Reservation, used: u64, now: Millis) -> Settled {
    quota.settle(held, &requests(used), now, &mut Vec::new())
}

fn taken(quota: &Quota<'_>, rule: &Rule, now: Millis) -> (u64, u64) {
    quota.taken(rule, rule.slot(&[("consumer", "ann")]), now).unwrap()
}

#[test]
fn what_is_not_used_comes_back() {
    let memory = Memory::with(4);
    let (quota, rule) = (memory.quota(), rule(Unit::Tokens, Window::Calendar(1, Span::Day), 100));
    let held = reserve(&quota, &[&rule], 80, &at(NOW)).unwrap();
    let refusal = reserve(&quota, &[&rule], 30, &at(NOW)).unwrap_err();
    assert_eq!((refusal.reason, refusal.retry_after), (Reason::Spent, Some(1000)), "only a reservation is in its way");
    assert_eq!(refusal.standing.remaining, 20);
    assert!(settle(&quota, held, 10, NOW).left.is_none());
    assert_eq!(taken(&quota, &rule, NOW), (10, 0));
    let held = reserve(&quota, &[&rule], 90, &at(NOW)).unwrap();
    assert_eq!(held.standings().next().unwrap().1.remaining, 0);
    settle(&quota, held, 90, NOW);
    let refusal = reserve(&quota, &[&rule], 1, &at(NOW)).unwrap_err();
    assert_eq!(refusal.retry_after, Some(16 * 3_600_000), "the day's end");
    assert_eq!(refusal.standing.reset, 16 * 3_600_000);
    assert_eq!(reserve(&quota, &[&rule], 101, &at(NOW)).unwrap_err().retry_after, None, "never");
}

#[test]
fn what_a_call_may_use_is_looked_at_closely_only_where_room_is_scarce() {
    let memory = Memory::with(4);
    let quota = memory.quota();
    let day = Window::Calendar(1, Span::Day);
    let wide = Rc::new(Rule::new("wide", Unit::Tokens, day, 64_000));
    let narrow = Rc::new(Rule::new("narrow", Unit::Tokens, day, 2000));
    let reserve = |rules: &[&Rc<Rule>], rough: u64, close: u64| {
        let asks: Vec<_> = rules.iter().map(|rule| Ask { rule, slot: rule.slot(&[("consumer", "ann")]) }).collect();
        let mut looks = 0;
        let mut look = || {
            looks += 1;
            requests(close)
        };
        let mut upper = Upper { amounts: requests(rough), closer: Some(&mut look) };
        let reserved = quota.reserve(&asks, &mut upper, &at(NOW), &mut Vec::new());
        let amounts = upper.amounts;
        let held = match reserved {
            Reserved::Held(held) => Some(held),
            _ => None,
        };
        (held, amounts.input_tokens, looks)
    };
    // Room for 64 of them, and then no longer.
    let (held, upper, looks) = reserve(&[&wide], 1000, 10);
    assert_eq!((held.is_some(), upper, looks), (true, 1000, 0));
    assert_eq!(taken(&quota, &wide, NOW), (0, 1000));
    let (second, upper, looks) = reserve(&[&wide], 1000, 10);
    assert_eq!((second.is_some(), upper, looks), (true, 10, 1));
    assert_eq!(taken(&quota, &wide, NOW), (0, 1010));
    // What does not fit by a rough look may by a close one, in all limits alike.
    let (third, upper, looks) = reserve(&[&wide, &narrow], 3000, 1500);
    assert_eq!((third.is_some(), upper, looks), (true, 1500, 1));
    assert_eq!((taken(&quota, &wide, NOW), taken(&quota, &narrow, NOW)), ((0, 2510), (0, 1500)));
    let (none, _, looks) = reserve(&[&wide, &narrow], 3000, 501);
    assert_eq!((none.is_none(), looks), (true, 1));
    assert_eq!((taken(&quota, &wide, NOW), taken(&quota, &narrow, NOW)), ((0, 2510), (0, 1500)), "nothing is held");
    for held in [held, second, third].into_iter().flatten() {
        settle(&quota, held, 7, NOW);
    }
    assert_eq!((taken(&quota, &wide, NOW), taken(&quota, &narrow, NOW)), ((21, 0), (7, 0)));
    // Calls are counted one by one, however many there is room for.
    let calls = Rc::new(Rule::new("calls", Unit::Requests, day, 1));
    let (held, _, looks) = reserve(&[&calls], 1, 1);
    assert_eq!((held.is_some(), looks), (true, 0));
}

#[test]
fn a_call_that_one_limit_refuses_leaves_the_others_as_they_were() {
    let memory = Memory::with(4);
    let quota = memory.quota();
    let wide = Rc::new(Rule::new("wide", Unit::Requests, Window::Total, 10));
    let narrow = Rc::new(Rule::new("narrow", Unit::Tokens, Window::Sliding(60_000), 5));
    let _ = reserve(&quota, &[&wide, &narrow], 3, &at(NOW)).unwrap();
    let stores = memory.stores.get();
    let refusal = reserve(&quota, &[&wide, &narrow], 3, &at(NOW)).unwrap_err();
    assert_eq!(refusal.index, 1);
    assert_eq!(taken(&quota, &wide, NOW), (0, 3));
    assert_eq!(memory.stores.get(), stores, "a refusal costs no write");
}

#[test]
fn a_call_that_is_overtaken_between_two_limits_gives_the_first_back() {
    /// At the write of the second limit another worker takes what was left of it.
    struct Overtaking<'m>(&'m Memory, Cell<usize>, Rc<Rule>);
    impl Shared for Overtaking<'_> {
        fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
            self.0.load(key)
        }
        fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
            self.1.set(self.1.get().wrapping_add(1));
            if self.1.get() == 2 {
                let _ = reserve(&self.0.quota(), &[&self.2], 5, &at(NOW)).unwrap();
            }
            self.0.store(key, value, cas)
        }
    }
    let memory = Memory::with(64);
    let wide = Rc::new(Rule::new("wide", Unit::Requests, Window::Total, 10));
    let narrow = Rc::new(Rule::new("narrow", Unit::Tokens, Window::Total, 5));
    let shared = Overtaking(&memory, Cell::new(0), Rc::clone(&narrow));
    let refusal = reserve(&Quota::new(Table::open(&shared)), &[&wide, &narrow], 3, &at(NOW)).unwrap_err();
    assert_eq!(refusal.index, 1);
    assert_eq!(taken(&memory.quota(), &wide, NOW), (0, 0));
    assert_eq!(taken(&memory.quota(), &narrow, NOW), (0, 5));
}

#[test]
fn two_limits_cost_two_loads_and_two_writes() {
    let memory = Memory::with(64);
    let quota = memory.quota();
    let one = Rc::new(Rule::new("one", Unit::Requests, Window::Calendar(1, Span::Minute), 10));
    let two = Rc::new(Rule::new("two", Unit::Tokens, Window::Calendar(1, Span::Month), 10));
    memory.loads.set(0);
    memory.stores.set(0);
    let held = reserve(&quota, &[&one, &two], 3, &at(NOW)).unwrap();
    assert_eq!((memory.loads.get(), memory.stores.get()), (2, 2));
    settle(&quota, held, 1, NOW);
    assert_eq!((memory.loads.get(), memory.stores.get()), (4, 4));
}

#[test]
fn lost_calls_lapse_and_long_ones_are_extended() {
    let memory = Memory::with(4);
    let (quota, rule) = (memory.quota(), rule(Unit::Concurrent, Window::Total, 2));
    let lost = reserve(&quota, &[&rule], 1, &at(NOW)).unwrap();
    let mut long = reserve(&quota, &[&rule], 1, &at(NOW)).unwrap();
    assert!(reserve(&quota, &[&rule], 1, &at(NOW + 59_999)).is_err());
    quota.extend(&mut long, &at(NOW + 50_000));
    let _ = reserve(&quota, &[&rule], 1, &at(NOW + 90_000)).unwrap();
    assert!(reserve(&quota, &[&rule], 1, &at(NOW + 90_000)).is_err());
    settle(&quota, long, 0, NOW + 90_000);
    assert_eq!(taken(&quota, &rule, NOW + 90_000), (0, 1));
    settle(&quota, lost, 0, NOW + 90_001);
    assert_eq!(taken(&quota, &rule, NOW + 90_001), (0, 1), "what lapsed is not taken from another's");
}

#[test]
fn a_call_that_is_settled_takes_its_own_and_leaves_lost_ones_to_their_deadline() {
    let memory = Memory::with(4);
    let (quota, rule) = (memory.quota(), rule(Unit::Tokens, Window::Total, 10));
    let _lost = reserve(&quota, &[&rule], 4, &at(NOW)).unwrap();
    let long = reserve(&quota, &[&rule], 4, &When { ttl: 600_000, ..at(NOW) }).unwrap();
    settle(&quota, long, 1, NOW + 1);
    assert_eq!(taken(&quota, &rule, NOW + 1), (1, 4));
    assert_eq!(taken(&quota, &rule, NOW + 90_000), (1, 0));
}

#[test]
fn what_is_settled_after_its_window_counts_in_it_and_not_in_the_next() {
    let memory = Memory::with(4);
    let (quota, rule) = (memory.quota(), rule(Unit::InputTokens, Window::Calendar(1, Span::Minute), 5));
    let held = reserve(&quota, &[&rule], 5, &at(NOW + 59_999)).unwrap();
    let next = reserve(&quota, &[&rule], 4, &at(NOW + 60_000)).unwrap();
    assert_eq!(settle(&quota, held, 5, NOW + 60_001).late, 1);
    assert_eq!(taken(&quota, &rule, NOW + 60_001), (0, 4));
    settle(&quota, next, 4, NOW + 60_002);
    assert_eq!(taken(&quota, &rule, NOW + 60_002), (4, 0));
}

#[test]
fn a_sliding_window_frees_what_has_left_it() {
    let memory = Memory::with(4);
    let (quota, rule) = (memory.quota(), rule(Unit::Requests, Window::Sliding(60_000), 10));
    for step in 0..10 {
        let held = reserve(&quota, &[&rule], 1, &at(NOW + step * 5000)).unwrap();
        settle(&quota, held, 1, NOW + step * 5000 + 10);
    }
    let refusal = reserve(&quota, &[&rule], 1, &at(NOW + 50_000)).unwrap_err();
    assert_eq!(refusal.retry_after, Some(15_000), "the first part of 5 s is out 60 s after its end");
    assert!(reserve(&quota, &[&rule], 1, &at(NOW + 64_999)).is_err());
    let _ = reserve(&quota, &[&rule], 1, &at(NOW + 65_000)).unwrap();
    let refusal = reserve(&quota, &[&rule], 3, &at(NOW + 65_000)).unwrap_err();
    assert_eq!(refusal.retry_after, Some(10_000), "two more parts have to leave");
}

#[test]
fn thresholds_are_told_once_in_a_window() {
    let memory = Memory::with(4);
    let quota = memory.quota();
    let mut rule = Rule::new("limit", Unit::Usd, Window::Calendar(1, Span::Day), 100);
    rule.thresholds = vec![50, 80, 100];
    let rule = Rc::new(rule);
    let used = |amount: u64, now| {
        let asks = [Ask { rule: &rule, slot: rule.slot(&[]) }];
        let upper = Amounts { usd: amount, ..Amounts::default() };
        let Reserved::Held(held) = quota.reserve(&asks, &mut upper.into(), &at(now), &mut Vec::new()) else {
            panic!("refused")
        };
        let crossed = quota.settle(held, &upper, now, &mut Vec::new()).crossed;
        crossed.iter().map(|crossed| crossed.percent).collect::<Vec<_>>()
    };
    assert!(used(49, NOW).is_empty());
    assert_eq!(used(1, NOW), [50]);
    assert!(used(29, NOW).is_empty());
    assert_eq!(used(21, NOW), [80, 100]);
    assert!(used(0, NOW).is_empty());
    assert_eq!(used(100, NOW + 86_400_000), [50, 80, 100]);
}

#[test]
fn a_limit_that_is_only_reported_never_refuses() {
    let memory = Memory::with(4);
    let quota = memory.quota();
    let mut rule = Rule::new("limit", Unit::Requests, Window::Total, 1);
    rule.mode = Mode::Report;
    let rule = Rc::new(rule);
    let over: Vec<_> = (0..3)
        .map(|_| {
            let held = reserve(&quota, &[&rule], 1, &at(NOW)).unwrap();
            let over = held.standings().next().unwrap().1.over;
            settle(&quota, held, 1, NOW);
            over
        })
        .collect();
    assert_eq!(over, [false, true, true]);
    assert_eq!(taken(&quota, &rule, NOW), (3, 0));
}

#[test]
fn a_changed_amount_holds_for_the_running_window() {
    let memory = Memory::with(4);
    let quota = memory.quota();
    let held = reserve(&quota, &[&rule(Unit::Requests, Window::Total, 10)], 8, &at(NOW)).unwrap();
    settle(&quota, held, 8, NOW);
    let smaller = rule(Unit::Requests, Window::Total, 5);
    let refusal = reserve(&quota, &[&smaller], 1, &at(NOW)).unwrap_err();
    assert_eq!(refusal.standing.remaining, 0);
    let _ = reserve(&quota, &[&rule(Unit::Requests, Window::Total, 9)], 1, &at(NOW)).unwrap();
}

#[test]
fn keys_differ_in_name_unit_window_dimension_and_value() {
    let day = Window::Calendar(1, Span::Day);
    let base = Rule::new("a", Unit::Tokens, day, 1);
    let mut slots = vec![
        base.slot(&[]),
        base.slot(&[("team", "x")]),
        base.slot(&[("team", "y")]),
        base.slot(&[("teamx", "")]),
        base.slot(&[("team", "x"), ("tier", "")]),
        base.crowd(),
        Rule::new("b", Unit::Tokens, day, 1).slot(&[]),
        Rule::new("a", Unit::Requests, day, 1).slot(&[]),
        Rule::new("a", Unit::Tokens, Window::Calendar(2, Span::Day), 1).slot(&[]),
        Rule::new("a", Unit::Tokens, Window::Sliding(86_400_000), 1).slot(&[]),
    ];
    assert_eq!(Rule::new("a", Unit::Tokens, day, 99).slot(&[("team", "x")]), slots[1], "whatever its amount");
    slots.sort();
    slots.dedup();
    assert_eq!(slots.len(), 10);
}

#[test]
fn more_than_was_reserved_is_counted_truly() {
    let memory = Memory::with(4);
    let (quota, rule) = (memory.quota(), rule(Unit::Tokens, Window::Total, 10));
    let held = reserve(&quota, &[&rule], 5, &at(NOW)).unwrap();
    settle(&quota, held, 25, NOW);
    assert_eq!(taken(&quota, &rule, NOW), (25, 0));
    assert!(reserve(&quota, &[&rule], 0, &at(NOW)).is_err());
}

#[test]
fn workers_that_are_always_first_cost_a_refusal_and_never_an_amount() {
    let memory = Memory::with(4);
    let (quota, rule) = (memory.quota(), rule(Unit::Tokens, Window::Total, 10));
    let held = reserve(&quota, &[&rule], 4, &at(NOW)).unwrap();
    memory.refuse.set(usize::MAX);
    let refusal = reserve(&quota, &[&rule], 1, &at(NOW)).unwrap_err();
    assert_eq!(refusal.reason, Reason::Closed(Closed::Busy));
    assert_eq!(refusal.standing, Standing { limit: 10, ..Standing::default() }, "the limit is told");
    let left = settle(&quota, held, 3, NOW).left.expect("not settled");
    memory.refuse.set(0);
    assert!(settle(&quota, left, 3, NOW).left.is_none());
    assert_eq!(taken(&quota, &rule, NOW), (3, 0));
}

#[test]
fn what_is_only_reported_refuses_nothing_however_busy_it_is() {
    let memory = Memory::with(4);
    let mut reported = Rule::new("r", Unit::Requests, Window::Total, 10);
    reported.mode = Mode::Report;
    let reported = Rc::new(reported);
    let quota = memory.quota();
    memory.refuse.set(usize::MAX);
    let held = reserve(&quota, &[&reported], 1, &at(NOW)).unwrap();
    assert!(held.is_empty());
    let tokens = rule(Unit::Tokens, Window::Total, 10);
    let refusal = reserve(&quota, &[&reported, &tokens], 1, &at(NOW)).unwrap_err();
    assert_eq!((refusal.index, refusal.reason), (1, Reason::Closed(Closed::Busy)));
    memory.refuse.set(0);
    assert_eq!((taken(&quota, &reported, NOW), taken(&quota, &tokens, NOW)), ((0, 0), (0, 0)));
}

#[test]
fn a_clock_that_is_wrong_frees_no_budget() {
    for window in [Window::Calendar(1, Span::Day), Window::Sliding(3_600_000), Window::Total] {
        let memory = Memory::with(4);
        let (quota, rule) = (memory.quota(), rule(Unit::Tokens, window, 10));
        let held = reserve(&quota, &[&rule], 6, &at(NOW)).unwrap();
        settle(&quota, held, 6, NOW);
        let open = reserve(&quota, &[&rule], 3, &at(NOW)).unwrap();
        for back in [0, 1, 5000, 40_000_000, 80_000_000, 90_000_000, 10_000_000_000, NOW] {
            assert!(reserve(&quota, &[&rule], 2, &at(NOW - back)).is_err(), "{window:?} {back}");
        }
        settle(&quota, open, 3, NOW);
        for now in [u64::MAX, u64::MAX - 1, NOW, 0] {
            let _ = reserve(&quota, &[&rule], 1, &at(now));
        }
    }
}

#[test]
fn huge_amounts_do_not_wrap() {
    let memory = Memory::with(4);
    let (quota, rule) = (memory.quota(), rule(Unit::Tokens, Window::Total, u64::MAX));
    let one = reserve(&quota, &[&rule], u64::MAX, &at(NOW)).unwrap();
    assert!(reserve(&quota, &[&rule], 1, &at(NOW)).is_err());
    settle(&quota, one, u64::MAX, NOW);
    assert!(reserve(&quota, &[&rule], u64::MAX, &at(NOW)).is_err());
    assert_eq!(taken(&quota, &rule, NOW), (u64::MAX, 0));
}

#[test]
fn a_key_says_of_which_limit_it_is() {
    let rules: Vec<_> = ["minute", "month", "own/month"]
        .into_iter()
        .flat_map(|name| {
            let rule = Rule::new(name, Unit::Requests, Window::Total, 1);
            [Rule { open: true, ..rule.clone() }, rule]
        })
        .collect();
    for (at, rule) in rules.iter().enumerate() {
        for value in ["", "a", "b"] {
            let slot = rule.slot(&[("consumer", value)]);
            let owners: Vec<_> = (0..rules.len()).filter(|other| rules[*other].owns(slot)).collect();
            assert_eq!(owners, [at / 2 * 2, at / 2 * 2 + 1], "{at}");
            assert!(rule.owns(rule.crowd()));
        }
    }
}

#[test]
fn an_envoy_has_one_name_until_it_is_started_again() {
    let one = Memory::default();
    let name = who(&one, &|| b"a".to_vec());
    assert_eq!((name.len(), who(&one, &|| b"b".to_vec())), (32, name.clone()));
    assert_ne!(who(&Memory::default(), &|| b"b".to_vec()), name);
}

/// Reserves in a limit of the fleet's, whose store gives what is wanted.
fn admit(quota: &Quota<'_>, rule: &Rc<Rule>, count: u64, now: Millis) -> Reservation {
    let asks = [Ask { rule, slot: rule.slot(&[]) }];
    for _ in 0..2 {
        let mut messages = Vec::new();
        match quota.reserve(&asks, &mut requests(count).into(), &at(now), &mut messages) {
            Reserved::Held(held) => return held,
            Reserved::Refused(refusal) => panic!("{refusal:?}"),
            Reserved::Ask => {
                for Message { slot, start, seq, want, .. } in messages {
                    let answer = Answer { born: 5, seq, lease: want, free: 50, share: 25, before: 0, used: 0 };
                    quota.answered(slot, start, &answer, now).expect("it was asked for");
                }
            }
        }
    }
    panic!("asked and answered, and still not admitted");
}

#[test]
fn a_call_of_the_fleets_that_ends_after_its_window_is_told_for_its_own() {
    let memory = Memory::with(4);
    let quota = memory.quota();
    let mut rule = Rule::new("limit", Unit::Requests, Window::Calendar(1, Span::Minute), 100);
    rule.store = Store::Fleet(Down::Deny);
    let rule = Rc::new(rule);
    let told = |now| {
        let mut due = Vec::new();
        (0..quota.pages()).for_each(|page| quota.due(page, now, &mut due));
        due.iter().map(|message| (message.start, message.total)).collect::<Vec<_>>()
    };
    let soon = admit(&quota, &rule, 3, NOW);
    settle(&quota, soon, 3, NOW + 1);
    let late = admit(&quota, &rule, 2, NOW + 2);
    let next = admit(&quota, &rule, 1, NOW + 60_000);
    assert_eq!(settle(&quota, late, 2, NOW + 60_001).late, 1);
    assert_eq!(told(NOW + 60_002), [(NOW, 5)], "both calls, and for the window that they counted in");
    assert_eq!(quota.taken(&rule, rule.slot(&[]), NOW + 60_002), Some((0, 1)));
    settle(&quota, next, 1, NOW + 60_003);
    assert_eq!(quota.taken(&rule, rule.slot(&[]), NOW + 60_003), Some((1, 0)));
}

/// The configuration takes the store away and brings it back: a total would lose what was used twice over.
#[test]
fn a_limit_that_is_the_fleets_again_tells_only_what_was_not_told() {
    let memory = Memory::with(1);
    let quota = memory.quota();
    let local = rule(Unit::Requests, Window::Total, 100);
    let fleets = Rc::new(Rule { store: Store::Fleet(Down::Deny), ..Rule::clone(&local) });
    let ask = |rule, now| {
        let (asks, mut messages) = ([Ask { rule, slot: rule.slot(&[]) }], Vec::new());
        (quota.reserve(&asks, &mut requests(1).into(), &at(now), &mut messages), messages)
    };
    let held = admit(&quota, &fleets, 3, NOW);
    settle(&quota, held, 3, NOW + 1);
    let mut told = Vec::new();
    (0..quota.pages()).for_each(|page| quota.due(page, NOW + 60_000, &mut told));
    let Message { slot, start, seq, total: 3, .. } = told[0] else { panic!("{told:?}") };
    let answer = Answer { born: 5, seq, lease: 0, free: 97, share: 48, before: 0, used: 3 };
    quota.answered(slot, start, &answer, NOW + 60_001).expect("it was asked for");
    for now in [NOW + 60_002, NOW + 60_003] {
        let (Reserved::Held(held), messages) = ask(&local, now) else { panic!("there is room") };
        assert_eq!((settle(&quota, held, 1, now).left.is_none(), messages), (true, vec![]));
    }
    // What the store knows all of could be forgotten, if it were still the fleet's.
    for other in 0..2 * WAYS {
        let (asks, at) = ([Ask { rule: &local, slot: local.slot(&[("team", &other.to_string())]) }], at(NOW + 60_004));
        assert!(matches!(quota.reserve(&asks, &mut requests(1).into(), &at, &mut Vec::new()), Reserved::Held(_)));
    }
    assert_eq!(quota.taken(&local, slot, NOW + 60_005), Some((5, 0)));
    let (Reserved::Ask, messages) = ask(&fleets, NOW + 60_006) else { panic!("the store is asked") };
    let Message { born, total, acked, have, need, .. } = messages[0];
    assert_eq!((born, total, acked, have, need), (5, 5, 3, 0, 1));
}

/// The bytes, those bytes cut short, and those bytes with one changed.
fn mutants(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let cut = (0..=seed.len()).map(|len| seed[..len].to_vec());
    let changed = (0..seed.len()).flat_map(|at| {
        [0, 0x7f, 0x80, 0xff, b':', b'\r'].map(|byte| {
            let mut mutant = seed.to_vec();
            mutant[at] = byte;
            mutant
        })
    });
    cut.chain(changed)
}

#[test]
fn the_fuzz_functions_hold_on_seeds_and_their_mutants() {
    let answer = "*7\r\n:1795248000000001\r\n:12\r\n:80\r\n:920\r\n:15\r\n:1\r\n:-2\r\n";
    let seeds =
        [[answer, answer, answer, "+OK\r\n"].concat(), ["+OK\r\n", answer, "-NOSCRIPT x\r\n", "-ERR y\r\n"].concat()];
    for seed in &seeds {
        mutants(seed.as_bytes()).for_each(|mutant| fuzz_resp(&mutant));
    }
    // Pages as they are, one with a lease among them, and the counters in them.
    let memory = Memory::with(1);
    for unit in [Unit::Requests, Unit::Concurrent, Unit::Usd] {
        let mut rule = Rule::new("limit", unit, Window::Calendar(1, Span::Day), 100);
        rule.store = if unit == Unit::Usd { Store::Fleet(Down::Deny) } else { Store::Local };
        let rule = Rc::new(rule);
        let asks = [Ask { rule: &rule, slot: rule.slot(&[]) }];
        let upper = Amounts { requests: 3, concurrent: 1, usd: 9, ..Amounts::default() };
        let when = When { now: NOW, ttl: 60_000, failed: false };
        memory.quota().reserve(&asks, &mut upper.into(), &when, &mut Vec::new());
    }
    let pages: Vec<Vec<u8>> = memory.values.borrow().values().map(|(page, _)| page.clone()).collect();
    let page = pages.into_iter().max_by_key(Vec::len).unwrap();
    assert!(page.len() > 60, "it holds counters");
    mutants(&page).for_each(|mutant| fuzz_counter(&mutant));
    for at in 0..page.len() {
        fuzz_counter(&page[at..]);
    }
    // Counters that are changed where they lie.
    for start in [Window::Calendar(1, Span::Day).piece(NOW).start, 0] {
        let mut counter = counter::Counter { seen: NOW, ..counter::Counter::default() };
        counter.charge(start, 40);
        counter.hold(start, counter::due(NOW, 60_000), 7);
        counter.hold(start, counter::due(NOW, 90_000), 8);
        let mut bytes = Vec::new();
        codec::encode(&counter, &mut bytes);
        fuzz_counter(&bytes);
        mutants(&bytes).for_each(|mutant| fuzz_counter(&mutant));
    }
}
