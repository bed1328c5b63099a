//! Limits under load: used up to the last unit that fits, never passed, and settled to the truth. In any order: `quota_orders.rs`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

use sluice::host::{Millis, Shared};
use sluice::quota::*;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

const NOW: Millis = 1_795_248_000_000;

/// Envoy's shared data: one map under one lock, each value with the number of its last write.
#[derive(Default)]
struct Envoy(Mutex<(Values, u32)>);

type Values = BTreeMap<String, (Vec<u8>, u32)>;

impl Shared for Envoy {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.0.lock().unwrap().0.get(key).cloned()
    }

    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        let mut all = self.0.lock().unwrap();
        let known = all.0.get(key).map(|(_, cas)| *cas);
        if cas.is_some_and(|cas| cas != 0 && known.is_some_and(|known| known != cas)) {
            return false;
        }
        all.1 += 1;
        let next = all.1;
        all.0.insert(key.to_owned(), (value.to_vec(), next));
        true
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

fn amounts(tokens: u64) -> Amounts {
    Amounts { requests: 1, concurrent: 1, input_tokens: tokens, ..Amounts::default() }
}

fn used(tokens: u64) -> Amounts {
    Amounts { concurrent: 0, ..amounts(tokens) }
}

/// Workers call until nothing fits; each call reserves 7, and uses 1 to 7. Beside it a wide limit that never refuses.
fn hammer(budget: u64, pages: u32) {
    let envoy = Envoy::default();
    Table::prepare(&envoy, pages);
    let truth = AtomicU64::new(0);
    let barrier = Barrier::new(8);
    let worker = |seed: u64| {
        let calls = Rc::new(Rule::new("calls", Unit::Requests, Window::Total, budget));
        let tokens = Rc::new(Rule::new("tokens", Unit::Tokens, Window::Calendar(1, Span::Day), budget * 5));
        let wide = Rc::new(Rule::new("wide", Unit::Tokens, Window::Sliding(60_000), u64::MAX));
        let asks = [&wide, &calls, &tokens].map(|rule| Ask { rule, slot: rule.slot(&[]) });
        let quota = Quota::new(Table::open(&envoy));
        let when = When { now: NOW, ttl: 60_000, failed: false };
        let mut random = Random(seed);
        let mut none = Vec::new();
        barrier.wait();
        let mut refused = 0;
        while refused < 50 {
            match quota.reserve(&asks, &mut amounts(7).into(), &when, &mut none) {
                Reserved::Held(held) => {
                    let now = quota.taken(&tokens, asks[2].slot, NOW).unwrap();
                    assert!(now.0 + now.1 <= budget * 5, "{now:?}");
                    let tokens = 1 + random.below(7);
                    // One in ten fails and is not charged.
                    let actual = if random.below(10) == 0 { Amounts::default() } else { used(tokens) };
                    truth.fetch_add(actual.of(Unit::Tokens), Ordering::SeqCst);
                    let mut left = quota.settle(held, &actual, NOW, &mut none).left;
                    while let Some(held) = left {
                        left = quota.settle(held, &actual, NOW, &mut none).left;
                    }
                }
                Reserved::Refused(_) => {
                    refused += 1;
                    thread::yield_now();
                }
                Reserved::Ask => panic!("there is no store"),
            }
        }
    };
    thread::scope(|scope| {
        for seed in 1..=8 {
            scope.spawn(move || worker(seed * 7919));
        }
    });
    let quota = Quota::new(Table::open(&envoy));
    let calls = Rule::new("calls", Unit::Requests, Window::Total, budget);
    let tokens = Rule::new("tokens", Unit::Tokens, Window::Calendar(1, Span::Day), budget * 5);
    let (called, held) = quota.taken(&calls, calls.slot(&[]), NOW).unwrap();
    let (settled, left) = quota.taken(&tokens, tokens.slot(&[]), NOW).unwrap();
    assert_eq!((held, left), (0, 0), "all is settled");
    assert_eq!(settled, truth.load(Ordering::SeqCst), "settled is the truth");
    assert!(called <= budget && settled <= budget * 5);
    assert!(
        called == budget || settled + 7 > budget * 5,
        "{called} calls of {budget}, {settled} tokens: something would fit"
    );
}

#[test]
fn workers_use_a_budget_up_and_never_pass_it() {
    for budget in [1, 100, 10_000] {
        for pages in [1, 64] {
            hammer(budget, pages);
        }
    }
}

/// In any stretch of the window's length, calls that were admitted in it never come to more than the limit.
#[test]
fn no_stretch_of_a_sliding_window_has_more_than_the_limit() {
    struct Admitted {
        at: Millis,
        due: Millis,
        amount: u64,
        held: Option<Reservation>,
    }
    for seed in 1..=200_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let envoy = Envoy::default();
        Table::prepare(&envoy, 1);
        let len = [1000, 60_000, 3_600_000, 7777][random.below(4) as usize];
        let amount = [1, 100, 10_000][random.below(3) as usize];
        let rule = Rc::new(Rule::new("limit", Unit::Tokens, Window::Sliding(len), amount));
        let asks = [Ask { rule: &rule, slot: rule.slot(&[]) }];
        let quota = Quota::new(Table::open(&envoy));
        let mut now = NOW + random.below(len);
        let mut all: Vec<Admitted> = Vec::new();
        let mut admitted = 0;
        for _ in 0..500 {
            now += random.below(len / 20 + 2);
            let upper = 1 + random.below(amount.div_ceil(3));
            let ttl = 1000 + random.below(300_000);
            let before = all.iter().filter(|call| call.at + len > now);
            // What is lost lapses; what is settled counts for what it used.
            let counts = before.filter(|call| call.held.is_none() || call.due > now);
            let sum: u64 = counts.map(|call| call.amount).sum();
            let when = When { now, ttl, failed: false };
            match quota.reserve(&asks, &mut amounts(upper).into(), &when, &mut Vec::new()) {
                Reserved::Held(held) => {
                    assert!(sum + upper <= amount, "{seed}: {sum} + {upper} of {amount} in {len} ms");
                    all.push(Admitted { at: now, due: now + ttl, amount: upper, held: Some(held) });
                    admitted += 1;
                }
                Reserved::Refused(refusal) => {
                    let wait = refusal.retry_after.expect("it fits some time");
                    assert!(wait <= len + len / 12 + 1, "{wait} of {len}");
                }
                Reserved::Ask => panic!("there is no store"),
            }
            let open: Vec<_> = all.iter_mut().filter(|call| call.held.is_some() && call.due > now).collect();
            if random.below(2) == 0 && !open.is_empty() {
                let index = random.below(open.len() as u64) as usize;
                if let Some(call) = open.into_iter().nth(index) {
                    call.amount = random.below(call.amount + 1);
                    let settled = quota.settle(call.held.take().unwrap(), &used(call.amount), now, &mut Vec::new());
                    assert!(settled.left.is_none());
                }
            }
        }
        assert!(admitted > 15, "{seed}: {admitted} of {amount} in {len}");
    }
}

/// `cargo test --release --test quota -- --ignored --nocapture`
#[test]
#[ignore = "prints what an admission costs"]
#[expect(clippy::disallowed_methods, reason = "a test may look at the clock")]
fn what_an_admission_costs() {
    let envoy = Envoy::default();
    Table::prepare(&envoy, DEFAULT_PAGES);
    let calls = Rc::new(Rule::new("calls", Unit::Requests, Window::Sliding(60_000), u64::MAX));
    let spent = Rc::new(Rule::new("spent", Unit::Tokens, Window::Calendar(1, Span::Month), u64::MAX));
    let quota = Quota::new(Table::open(&envoy));
    // Half of the room taken.
    for key in 0..8000 {
        let asks = [Ask { rule: &spent, slot: spent.slot(&[("consumer", &key.to_string())]) }];
        let when = When { now: NOW, ttl: 60_000, failed: false };
        drop(quota.reserve(&asks, &mut amounts(7).into(), &when, &mut Vec::new()));
    }
    let rounds = 5000;
    let batch = |batch: u64| {
        let start = std::time::Instant::now();
        for round in 0..rounds {
            let key = (round % 1000).to_string();
            let asks = [&calls, &spent].map(|rule| Ask { rule, slot: rule.slot(&[("consumer", &key)]) });
            let now = NOW + batch * 100 + round / 50;
            let when = When { now, ttl: 60_000, failed: false };
            if let Reserved::Held(held) = quota.reserve(&asks, &mut amounts(7).into(), &when, &mut Vec::new()) {
                drop(quota.settle(held, &used(5), now, &mut Vec::new()));
            }
        }
        start.elapsed().as_nanos() / u128::from(rounds)
    };
    // The best of many: the machine does other things too.
    let best = (0..100).map(batch).min().unwrap_or(0);
    println!("{best} ns for two limits, reserved and settled");
}
