//! Envoys whose clocks differ, and one Redis: each window is counted once for all, nothing is given twice, and no lease outlives its time
//! by a clock that is wrong.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

mod redis_server;

use redis_server::{Redis, redis};
use sluice::host::{Millis, Shared};
use sluice::quota::resp::{Reply, command, quit, reply};
use sluice::quota::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const APART: [i64; 5] = [0, 30 * SECOND, -30 * SECOND, HOUR, -HOUR];

type Values = BTreeMap<String, (Vec<u8>, u32)>;

/// One Envoy: its memory, and its clock.
struct Envoy {
    name: String,
    clock: Millis,
    memory: RefCell<(Values, u32)>,
}

impl Shared for Envoy {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.memory.borrow().0.get(key).cloned()
    }

    fn store(&self, key: &str, value: &[u8], _: Option<u32>) -> bool {
        let mut memory = self.memory.borrow_mut();
        memory.1 += 1;
        let next = memory.1;
        memory.0.insert(key.to_owned(), (value.to_vec(), next));
        true
    }
}

impl Envoy {
    fn new(name: usize, clock: Millis) -> Self {
        let envoy = Self { name: format!("envoy{name}"), clock, memory: RefCell::default() };
        Table::prepare(&envoy, 1);
        envoy
    }

    fn quota(&self) -> Quota<'_> {
        Quota::new(Table::open(self))
    }

    fn tell(&self, redis: &Redis, messages: Vec<Message>) {
        for message in messages {
            let mut out = Vec::new();
            command(&mut out, &message, "sluice:", &self.name, None);
            quit(&mut out);
            let bytes = redis.post(&out);
            let Reply::Answer(answer) = reply(&mut &bytes[..]).unwrap() else { unreachable!("{bytes:?}") };
            self.quota().answered(message.slot, message.start, &answer, self.clock);
        }
    }

    fn reserve(&self, redis: &Redis, rule: &Rc<Rule>) -> Result<Reservation, Refusal> {
        let asks = [Ask { rule, slot: rule.slot(&[]) }];
        let when = When { now: self.clock, ttl: 60_000, failed: false };
        loop {
            let mut messages = Vec::new();
            let upper = Amounts { requests: 1, concurrent: 1, ..Amounts::default() };
            let reserved = self.quota().reserve(&asks, &mut upper.into(), &when, &mut messages);
            self.tell(redis, messages);
            match reserved {
                Reserved::Held(held) => return Ok(held),
                Reserved::Refused(refusal) => return Err(refusal),
                Reserved::Ask => {}
            }
        }
    }

    fn call(&self, redis: &Redis, rule: &Rc<Rule>) -> Result<(), Refusal> {
        let held = self.reserve(redis, rule)?;
        let mut messages = Vec::new();
        let used = Amounts { requests: 1, ..Amounts::default() };
        assert!(self.quota().settle(held, &used, self.clock, &mut messages).left.is_none());
        self.tell(redis, messages);
        Ok(())
    }
}

fn fleet(base: Millis) -> Vec<Envoy> {
    APART.iter().enumerate().map(|(at, apart)| Envoy::new(at, base.checked_add_signed(*apart).unwrap())).collect()
}

fn rule(unit: Unit, window: Window, amount: u64) -> Rc<Rule> {
    let mut rule = Rule::new("calls", unit, window, amount);
    rule.store = Store::Fleet(Down::Deny);
    Rc::new(rule)
}

/// Of a day. Redis goes by a clock of its own.
const NOON: Millis = 1_795_262_400_000;

#[test]
fn clocks_that_differ_share_one_budget_where_they_are_in_one_window() {
    let Some(redis) = redis() else { return };
    for (window, unit, reset) in [
        (Window::Total, Unit::Requests, None),
        (Window::Calendar(1, Span::Day), Unit::Requests, Some(12 * HOUR)),
        (Window::Total, Unit::Concurrent, None),
    ] {
        let rule = rule(unit, window, 100);
        let envoys = fleet(NOON);
        let mut held = Vec::new();
        for turn in 0..60 {
            for envoy in &envoys {
                match envoy.reserve(&redis, &rule) {
                    Ok(one) => held.push((envoy, one)),
                    Err(refusal) => assert_eq!(refusal.reason, Reason::Spent, "{turn}"),
                }
            }
        }
        assert_eq!(held.len(), 100, "{window:?} {unit:?}");
        let used = Amounts { requests: 1, ..Amounts::default() };
        for (envoy, one) in held {
            let mut messages = Vec::new();
            assert!(envoy.quota().settle(one, &used, envoy.clock, &mut messages).left.is_none());
            envoy.tell(&redis, messages);
        }
        if unit == Unit::Requests {
            for (envoy, apart) in envoys.iter().zip(APART) {
                let refusal = envoy.call(&redis, &rule).unwrap_err();
                assert!(
                    refusal
                        .retry_after
                        .is_none_or(|wait| wait <= 1000 || Some(wait as i64) == reset.map(|reset| reset - apart)),
                    "{refusal:?}"
                );
            }
        }
        assert!(redis.text(&["FLUSHALL"]).starts_with("+OK"));
    }
}

#[test]
fn a_window_that_one_was_early_in_has_only_the_rest_for_the_others() {
    let Some(redis) = redis() else { return };
    let rule = rule(Unit::Requests, Window::Calendar(1, Span::Minute), 100);
    let mut envoys = fleet(NOON + 40_000);
    let mut passed: BTreeMap<Millis, u64> = BTreeMap::new();
    for _ in 0..4 {
        for turn in 0..60 {
            for envoy in envoys.iter().filter(|_| turn < 50) {
                if envoy.call(&redis, &rule).is_ok() {
                    *passed.entry(envoy.clock / 60_000).or_default() += 1;
                }
            }
        }
        envoys.iter_mut().for_each(|envoy| envoy.clock += 60_000);
    }
    assert!(passed.values().all(|passed| *passed <= 100), "{passed:?}");
    let noon = NOON / 60_000;
    // What the early one was lent and did not use is lost for that window.
    assert!((noon + 1..noon + 4).all(|minute| passed[&minute] > 60), "{passed:?}");
}

/// Whoever's window is nearly over by its own clock must not have it forgotten while it lasts for others.
#[test]
fn what_was_used_is_known_until_the_window_is_over_for_all() {
    let Some(redis) = redis() else { return };
    let hour = u64::try_from(HOUR).unwrap();
    let rule = rule(Unit::Requests, Window::Calendar(1, Span::Hour), 100);
    let ahead = Envoy::new(0, NOON + hour - 1000);
    let mut spent = 0;
    while ahead.call(&redis, &rule).is_ok() {
        spent += 1;
    }
    assert_eq!(spent, 100);
    let keys = redis.text(&["KEYS", "*"]);
    let key = keys.split("\r\n").find(|word| word.starts_with("sluice:")).unwrap();
    let left: u64 = redis.text(&["PTTL", key]).split("\r\n").next().unwrap().trim_start_matches(':').parse().unwrap();
    assert!(left > hour, "another's window has an hour to go: {left}");
    assert!(Envoy::new(1, NOON).call(&redis, &rule).is_err());
}

#[test]
fn a_clock_that_is_set_back_has_its_leases_renewed_at_once() {
    let Some(redis) = redis() else { return };
    let hour = u64::try_from(HOUR).unwrap();
    let rule = rule(Unit::Concurrent, Window::Total, 100);
    let mut envoy = Envoy::new(0, NOON);
    let held: Vec<_> = (0..20).map(|_| envoy.reserve(&redis, &rule).unwrap()).collect();
    let due = |envoy: &Envoy| {
        let mut messages = Vec::new();
        (0..envoy.quota().pages()).for_each(|page| envoy.quota().due(page, envoy.clock, &mut messages));
        messages
    };
    assert!(due(&envoy).is_empty(), "nothing is due yet");
    envoy.clock -= hour;
    let messages = due(&envoy);
    assert_eq!(messages.len(), 1, "Redis is told while it keeps the lease");
    envoy.tell(&redis, messages);
    assert!(envoy.reserve(&redis, &rule).is_ok(), "and it goes on");
    envoy.clock += 2 * hour;
    assert!(envoy.reserve(&redis, &rule).is_ok());
    assert_eq!(held.len(), 20);
    drop(held);
}
