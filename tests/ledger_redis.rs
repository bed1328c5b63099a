//! The ledger of several Envoys in one real Redis: whatever is lost on the way, each call is counted once.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "numbers of a test are small")]
#![expect(dead_code, reason = "of the simulation only its chance is used")]

mod quota_model;
mod redis_server;

use quota_model::Random;
use redis_server::{Redis, redis};
use sluice::host::{Millis, Shared};
use sluice::ledger::{Key, Ledger, Letters, Query, Row, Totals};
use sluice::quota::Sender;
use std::cell::RefCell;
use std::collections::BTreeMap;

const DAY: Millis = 86_400_000;
const NOW: Millis = 20_778 * DAY;

#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, (Vec<u8>, u32)>>);

impl Shared for Memory {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.0.borrow().get(key).cloned()
    }

    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        let mut values = self.0.borrow_mut();
        let known = values.get(key).map(|(_, cas)| *cas);
        if cas.is_some() && cas != known {
            return false;
        }
        values.insert(key.to_owned(), (value.to_vec(), known.unwrap_or(0).wrapping_add(1)));
        true
    }
}

/// An Envoy with two workers.
struct Envoy {
    name: String,
    memory: Memory,
    workers: [Letters; 2],
    /// What the store says to posts that are under way.
    answers: [Option<Vec<u8>>; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Good,
    /// The store never gets it, or its answer is lost.
    Unheard,
    Unanswered,
    /// The answer comes at the next turn.
    Late,
}

impl Envoy {
    fn new(name: &str) -> Self {
        let envoy = Self {
            name: name.to_owned(),
            memory: Memory::default(),
            workers: Default::default(),
            answers: Default::default(),
        };
        Ledger(&envoy.memory).prepare();
        envoy
    }

    fn add(&self, key: &Key<'_>, totals: &Totals, at: Millis) {
        assert!(Ledger(&self.memory).add(key, totals, at));
    }

    fn turn(&mut self, worker: usize, redis: &Redis, way: Way, now: Millis) {
        let ledger = Ledger(&self.memory);
        let sender = Sender { prefix: "s:", envoy: &self.name, login: None };
        let letters = &mut self.workers[worker];
        if let Some(body) = self.answers[worker].take() {
            letters.delivered(&body, &sender, &ledger, now).unwrap();
        }
        letters.sweep(&ledger, now);
        let Some(body) = letters.post(&sender, now) else { return };
        letters.sent(1);
        assert!(letters.post(&sender, now).is_none(), "one at a time");
        let answer = if way == Way::Unheard { Vec::new() } else { redis.post(&body) };
        match way {
            Way::Good => letters.delivered(&answer, &sender, &ledger, now).unwrap(),
            Way::Late => self.answers[worker] = Some(answer),
            Way::Unheard | Way::Unanswered => assert!(letters.delivered(&[], &sender, &ledger, now).is_err()),
        }
    }

    /// All that is fresh is told, and all that others told is read.
    fn settle(&mut self, redis: &Redis, now: Millis) {
        for round in 0..20 {
            for worker in 0..2 {
                self.turn(worker, redis, Way::Good, now + round * 2500);
            }
        }
        assert_eq!(Ledger(&self.memory).standing().unwrap().untold, 0);
    }

    fn rows(&self) -> BTreeMap<Row, Totals> {
        Ledger(&self.memory).rows(&Query::default())
    }
}

fn key<'k>(consumer: &'k str, model: &'k str) -> Key<'k> {
    Key { consumer, team: "t", model, provider: "p", open: false }
}

fn sum(rows: &BTreeMap<Row, Totals>) -> Totals {
    rows.values().fold(Totals::default(), |mut sum, row| {
        sum.add(row);
        sum
    })
}

#[test]
fn each_call_is_counted_once_whatever_is_lost_on_the_way() {
    let Some(redis) = redis() else { return };
    let mut random = Random(3);
    let mut envoys = ["a", "b", "c"].map(Envoy::new);
    let mut truth: BTreeMap<(u64, String, String), Totals> = BTreeMap::new();
    let mut now = NOW + DAY - 150_000;
    for step in 0..1200 {
        now += random.below(700);
        let at = random.below(3) as usize;
        let (consumer, model) = (random.below(9).to_string(), random.below(4).to_string());
        let totals = Totals(std::array::from_fn(|place| if place == 0 { 1 } else { random.below(1 << 20) }));
        envoys[at].add(&key(&consumer, &model), &totals, now);
        truth.entry((now / DAY, consumer, model)).or_default().add(&totals);
        let way = match random.below(10) {
            0 => Way::Unheard,
            1 => Way::Unanswered,
            2 => Way::Late,
            _ => Way::Good,
        };
        envoys[at].turn(random.below(2) as usize, &redis, way, now);
        if step == 600 {
            // It restarts, and what was told is there.
            envoys[0].settle(&redis, now);
            envoys[0] = Envoy::new("d");
        }
    }
    now += 120_000;
    for envoy in &mut envoys {
        envoy.settle(&redis, now);
    }
    let mut fresh = Envoy::new("e");
    fresh.settle(&redis, now + 120_000);
    for envoy in &mut envoys {
        envoy.settle(&redis, now + 120_000);
    }
    for envoy in envoys.iter().chain([&fresh]) {
        let rows = envoy.rows();
        assert_eq!(rows.len(), truth.len(), "{}", envoy.name);
        for (row, totals) in &rows {
            let place = (row.day.unwrap(), row.names[0].clone(), row.names[2].clone());
            assert_eq!(truth[&place], *totals, "{}: {place:?}", envoy.name);
        }
        assert!(
            rows.keys().map(|row| row.day).collect::<std::collections::BTreeSet<_>>().len() == 2,
            "a day has ended"
        );
    }
    let keys = redis.text(&["DBSIZE"]);
    let keys: usize = keys.trim_start_matches(':').split("\r\n").next().unwrap().parse().unwrap();
    assert!(keys <= 2 * 36 * 2, "{keys} keys");
    assert!(redis.text(&["TTL", "s:{usage:0}"]).starts_with(':'));
}

#[test]
fn what_was_counted_before_there_was_a_store_is_told_to_it() {
    let Some(redis) = redis() else { return };
    let (mut first, mut second) = (Envoy::new("a"), Envoy::new("b"));
    first.add(&key("x", "m"), &Totals([5; 8]), NOW);
    second.add(&key("x", "m"), &Totals([7; 8]), NOW);
    assert_eq!(Ledger(&first.memory).standing(), None);
    first.settle(&redis, NOW);
    second.settle(&redis, NOW);
    assert_eq!(sum(&first.rows()), Totals([5; 8]), "it has not asked since");
    first.settle(&redis, NOW + 100_000);
    assert_eq!((sum(&first.rows()), sum(&second.rows())), (Totals([12; 8]), Totals([12; 8])));
    assert!(Ledger(&first.memory).standing().unwrap().since.unwrap() >= NOW + 60_000);
}

#[test]
fn a_redis_that_was_flushed_is_told_again_by_all_who_know() {
    let Some(redis) = redis() else { return };
    let (mut first, mut second) = (Envoy::new("a"), Envoy::new("b"));
    for index in 0..20 {
        first.add(&key(&index.to_string(), "m"), &Totals([1; 8]), NOW);
        second.add(&key(&index.to_string(), "m"), &Totals([2; 8]), NOW);
    }
    for turn in 0..2 {
        first.settle(&redis, NOW + turn * 100_000);
        second.settle(&redis, NOW + turn * 100_000);
    }
    assert!(redis.text(&["FLUSHALL"]).starts_with("+OK"));
    first.add(&key("1", "m"), &Totals([4; 8]), NOW);
    second.add(&key("1", "m"), &Totals([8; 8]), NOW);
    for turn in 2..4 {
        first.settle(&redis, NOW + turn * 100_000);
        second.settle(&redis, NOW + turn * 100_000);
    }
    let mut third = Envoy::new("c");
    third.settle(&redis, NOW);
    for envoy in [&first, &second, &third] {
        assert_eq!(sum(&envoy.rows()), Totals([72; 8]), "{}", envoy.name);
    }
}

/// Consumers without number at many Envoys, over months: no key of the store's grows without bound, and no sum is wrong.
#[test]
fn a_page_that_is_full_is_full_for_all_and_no_sum_is_lost() {
    let Some(redis) = redis() else { return };
    let mut envoys = ["a", "b"].map(Envoy::new);
    let mut random = Random(9);
    let mut truth = Totals::default();
    let mut now = NOW;
    for _ in 0..6 {
        for _ in 0..9000 {
            let consumer = random.below(40_000).to_string();
            let at = random.below(2) as usize;
            let totals = Totals([1, 0, random.below(1000), 0, 0, random.below(1000), 0, random.below(1 << 30)]);
            envoys[at].add(&Key { open: random.chance(300), ..key(&consumer, "m") }, &totals, now);
            truth.add(&totals);
        }
        for envoy in &mut envoys {
            envoy.settle(&redis, now);
        }
        now += 20 * DAY;
    }
    let mut fresh = Envoy::new("c");
    for envoy in envoys.iter_mut().chain([&mut fresh]) {
        envoy.settle(&redis, now);
        assert_eq!(sum(&envoy.rows()), truth, "{}", envoy.name);
        assert!(envoy.memory.0.borrow().values().all(|(page, _)| page.len() < 16_384));
    }
    assert_eq!(envoys[0].rows(), fresh.rows());
    let longest = (0..512).map(|page| redis.text(&["HLEN", &format!("s:{{usage:{page}}}")]));
    let longest = longest.map(|said| said[1..].split("\r\n").next().unwrap().parse::<u32>().unwrap()).max().unwrap();
    assert!((33..=33 + 80).contains(&longest), "{longest} rows");
}

#[test]
fn keys_expire() {
    let Some(redis) = redis() else { return };
    let mut envoy = Envoy::new("a");
    envoy.add(&key("x", "m"), &Totals([1; 8]), NOW);
    envoy.settle(&redis, NOW);
    let names = redis.text(&["KEYS", "*"]);
    let names: Vec<_> = names.split("\r\n").filter(|line| line.starts_with("s:")).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    for name in names {
        let left = redis.text(&["PTTL", name]);
        let left: u64 = left[1..].split("\r\n").next().unwrap().parse().unwrap();
        assert!(left > 92 * DAY && left <= 93 * DAY, "{left}");
    }
}
