//! A store as `lease.lua` is one, in Rust, and a fleet that uses it, in a time of its own.

use sluice::host::{Millis, Shared};
use sluice::quota::*;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;

pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }

    pub fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }
}

#[derive(Clone, Default)]
pub struct Entry {
    seq: u64,
    total: u64,
    lease: u64,
    expires: Millis,
    before: i128,
    used: i128,
}

#[derive(Clone, Default)]
pub struct Kept {
    pub born: u64,
    pub used: i128,
    pub leased: i128,
    holders: i128,
    check: Millis,
    entries: BTreeMap<String, Entry>,
}

/// What Redis holds after the script.
#[derive(Default)]
pub struct Model {
    pub counters: BTreeMap<(Slot, Millis), Kept>,
    births: u64,
}

impl Model {
    pub fn run(&mut self, message: &Message, envoy: &str, now: Millis) -> Answer {
        self.births += 1;
        let births = self.births;
        let kept = self.counters.entry((message.slot, message.start)).or_insert_with(|| Kept {
            born: now * 1000 + births % 1000,
            check: now + message.lease_ms,
            ..Kept::default()
        });
        kept.run(message, envoy, now)
    }
}

impl Kept {
    fn share(&self, free: i128) -> i128 {
        (free / (2 * (self.holders + 1))).max(0)
    }

    fn run(&mut self, message: &Message, envoy: &str, now: Millis) -> Answer {
        let [total, acked, mut have, need, want, limit] =
            [message.total, message.acked, message.have, message.need, message.want, message.limit].map(i128::from);
        let answer = |kept: &Self, entry: &Entry, free: i128, share: i128| Answer {
            born: kept.born,
            seq: entry.seq,
            lease: entry.lease,
            free: free as u64,
            share: share as u64,
            before: entry.before as u64,
            used: entry.used as u64,
        };
        if let Some(mine) = self.entries.get(envoy).filter(|mine| message.seq <= mine.seq) {
            let free = (limit - self.used - self.leased).max(0);
            return answer(self, mine, free, self.share(free));
        }
        if now >= self.check {
            let expired = |entry: &Entry| entry.expires <= now;
            let gone: Vec<_> = self.entries.values().filter(|e| expired(e) && e.lease > 0).map(|e| e.lease).collect();
            self.leased -= gone.iter().map(|lease| i128::from(*lease)).sum::<i128>();
            self.holders -= gone.len() as i128;
            self.entries.retain(|_, entry| !expired(entry));
            let next = self.entries.values().map(|entry| entry.expires).min().unwrap_or(u64::MAX);
            self.check = next.min(now + message.lease_ms);
        }
        let mine = self.entries.get(envoy).cloned();
        if let Some(mine) = &mine {
            self.leased -= i128::from(mine.lease);
            self.holders -= i128::from(mine.lease > 0);
        }
        let before = self.used;
        match &mine {
            Some(mine) if message.born != 0 => {
                self.used += (total - i128::from(mine.total)).max(0);
                have = have.min(mine.lease.into());
            }
            Some(_) => self.used += total,
            None if message.born == self.born => {
                self.used += (total - acked).max(0);
                have = have.min((limit - self.used - self.leased).max(0));
            }
            None => self.used += total,
        }
        let free = (limit - self.used - self.leased - have).max(0);
        let fair = self.share(free);
        let grant = if need <= free { free.min(need.max(want.min(fair))) } else { 0 };
        let lease = have + grant;
        let expires = now + if lease > 0 { message.lease_ms } else { message.lease_ms.min(1_200_000) };
        self.check = self.check.min(expires);
        self.leased += lease;
        self.holders += i128::from(lease > 0);
        let entry =
            Entry { seq: message.seq, total: message.total, lease: lease as u64, expires, before, used: self.used };
        self.entries.insert(envoy.to_owned(), entry.clone());
        answer(self, &entry, free - grant, fair)
    }
}

/// Shared data of one Envoy: pages by their number.
#[derive(Default)]
pub struct Memory(RefCell<(Vec<Value>, Option<Vec<u8>>)>);

type Value = Option<(Vec<u8>, u32)>;

impl Shared for Memory {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        let kept = self.0.borrow();
        match page(key) {
            None => kept.1.clone().map(|value| (value, 1)),
            Some(index) => kept.0.get(index).cloned().flatten(),
        }
    }

    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        let mut kept = self.0.borrow_mut();
        let Some(index) = page(key) else {
            kept.1 = Some(value.to_vec());
            return true;
        };
        if kept.0.len() <= index {
            kept.0.resize(index + 1, None);
        }
        let known = kept.0[index].as_ref().map_or(0, |(_, cas)| *cas);
        if cas.is_some_and(|cas| cas != known) {
            return false;
        }
        kept.0[index] = Some((value.to_vec(), known + 1));
        true
    }
}

fn page(key: &str) -> Option<usize> {
    usize::from_str_radix(key.rsplit('.').next()?, 16).ok()
}

/// What happens to a fleet, and what may go wrong.
#[derive(Clone)]
pub struct Plan {
    pub envoys: usize,
    pub consumers: usize,
    pub seed: u64,
    /// Calls arrive for so long; then what is open ends, and the rest is told.
    pub length: Millis,
    pub calls_per_second: u64,
    /// Of the tokens that all of a consumer's calls would use, in thousandths.
    pub budget_permille: u64,
    pub down: Down,
    /// In thousandths: messages and answers that are lost, messages that come twice, and how late they may be.
    pub lost: u64,
    pub twice: u64,
    pub late: Millis,
    /// Envoys that die, over the whole time.
    pub crashes: u64,
    /// When the store is away, and when it forgets.
    pub away: Option<(Millis, Millis)>,
    /// It is away only for every other Envoy.
    pub half: bool,
    pub flush: Option<Millis>,
    pub pages: u32,
    /// The largest call's tokens; 1: each call uses one, and reserves one.
    pub largest: u64,
}

impl Plan {
    pub fn new(envoys: usize, consumers: usize, seed: u64) -> Self {
        Self {
            envoys,
            consumers,
            seed,
            length: 300_000,
            calls_per_second: 50,
            budget_permille: 700,
            down: Down::Deny,
            lost: 0,
            twice: 0,
            late: 5,
            crashes: 0,
            away: None,
            half: false,
            flush: None,
            pages: 8,
            largest: 4000,
        }
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Figures {
    pub calls: u64,
    pub admitted: u64,
    pub refused: u64,
    /// Calls that found no room for their counter.
    pub full: u64,
    /// Calls that waited for the store.
    pub waited: u64,
    pub messages: u64,
    /// The most in a second.
    pub peak: u64,
    pub seconds: u64,
    /// Tokens over a limit, of all consumers.
    pub overshoot: u64,
    /// Consumers of which the store knows another sum than was settled.
    pub untrue: usize,
    /// Of all budgets, in millionths: leases that no open call uses, on average and at worst.
    pub stranded: u64,
    pub stranded_peak: u64,
    /// Consumers that were refused, and what was left of their budgets in the end, in tokens.
    pub exhausted: usize,
    pub unused: u64,
}

enum Event {
    Call { envoy: usize, consumer: usize },
    Timeout { envoy: usize, life: u64, id: usize },
    Over { envoy: usize, life: u64, held: Reservation, consumer: usize, upper: u64, used: u64 },
    Store { envoy: usize, life: u64, message: Message, waiting: Option<usize> },
    Answer { envoy: usize, life: u64, message: Message, answer: Answer, waiting: Option<usize> },
    Tick { envoy: usize },
    Sample,
    Crash,
    Flush,
}

#[derive(Clone, Copy)]
struct Call {
    consumer: usize,
    upper: u64,
    asked: u32,
}

struct Node {
    memory: Memory,
    life: u64,
    waiting: BTreeMap<usize, Call>,
}

struct Consumer {
    slot: Slot,
    rule: Rc<Rule>,
    settled: u64,
    open: u64,
    refused: u64,
}

pub struct Fleet {
    plan: Plan,
    random: Random,
    now: Millis,
    next: u64,
    events: BinaryHeap<Reverse<(Millis, u64)>>,
    what: BTreeMap<u64, Event>,
    nodes: Vec<Node>,
    consumers: Vec<Consumer>,
    pub store: Model,
    pub figures: Figures,
    calls: usize,
    second: (u64, u64),
    samples: (u64, u64),
}

/// 2026-11-21 08:00 UTC: far from the end of the month.
const START: Millis = 1_795_248_000_000;

fn limits(plan: &Plan) -> Vec<u64> {
    let each = if plan.largest == 1 { 1000 } else { plan.largest * 3 / 8 * 1000 };
    let all = plan.calls_per_second * plan.length / 1000 * each / 1000;
    let weights = weights(plan);
    let sum: u64 = weights.iter().sum();
    let its = |weight: &u64| u128::from(all) * u128::from(*weight) * u128::from(plan.budget_permille);
    weights
        .iter()
        .map(|weight| (its(weight) / u128::from(sum) / 1000) as u64)
        .map(|its| its.max(plan.largest))
        .collect()
}

/// A few consumers call far more than others.
fn weights(plan: &Plan) -> Vec<u64> {
    (0..plan.consumers as u64).map(|consumer| 1_000_000 / (consumer + 10)).collect()
}

fn memory(plan: &Plan) -> Memory {
    let memory = Memory::default();
    Table::prepare(&memory, plan.pages);
    memory
}

impl Fleet {
    pub fn run(plan: Plan) -> Self {
        let nodes = (0..plan.envoys).map(|_| Node { memory: memory(&plan), life: 0, waiting: BTreeMap::new() });
        let limits = limits(&plan);
        let consumers = limits.into_iter().enumerate().map(|(consumer, limit)| {
            let mut rule = Rule::new("month", Unit::Tokens, Window::Calendar(1, Span::Month), limit);
            rule.store = Store::Fleet(plan.down);
            let slot = rule.slot(&[("consumer", &consumer.to_string())]);
            Consumer { slot, rule: Rc::new(rule), settled: 0, open: 0, refused: 0 }
        });
        let mut fleet = Self {
            random: Random(plan.seed),
            now: START,
            next: 0,
            events: BinaryHeap::new(),
            what: BTreeMap::new(),
            nodes: nodes.collect(),
            consumers: consumers.collect(),
            store: Model::default(),
            figures: Figures::default(),
            calls: 0,
            second: (0, 0),
            samples: (0, 0),
            plan,
        };
        fleet.play();
        fleet
    }

    fn at(&mut self, time: Millis, event: Event) {
        self.next += 1;
        self.events.push(Reverse((time, self.next)));
        self.what.insert(self.next, event);
    }

    fn play(&mut self) {
        let weights = weights(&self.plan);
        let sums: Vec<u64> = weights.iter().scan(0, |sum, w| Some(std::mem::replace(sum, *sum + w))).collect();
        let all: u64 = weights.iter().sum();
        for _ in 0..self.plan.calls_per_second * self.plan.length / 1000 {
            let time = START + self.random.below(self.plan.length);
            let draw = self.random.below(all);
            let consumer = sums.partition_point(|sum| *sum <= draw) - 1;
            let envoy = self.random.below(self.plan.envoys as u64) as usize;
            self.at(time, Event::Call { envoy, consumer });
        }
        for envoy in 0..self.plan.envoys {
            let offset = self.random.below(10_000);
            self.at(START + offset, Event::Tick { envoy });
        }
        for second in 1..=self.plan.length / 10_000 {
            self.at(START + second * 10_000, Event::Sample);
        }
        for _ in 0..self.plan.crashes {
            let when = START + self.random.below(self.plan.length);
            self.at(when, Event::Crash);
        }
        if let Some(flush) = self.plan.flush {
            self.at(START + flush, Event::Flush);
        }
        while let Some(Reverse((time, id))) = self.events.pop() {
            self.now = time;
            if let Some(event) = self.what.remove(&id) {
                self.happen(event);
            }
        }
        self.judge();
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Call { envoy, consumer } => {
                self.figures.calls += 1;
                let half = self.plan.largest / 2;
                let upper = half + self.random.below(half) + 1;
                self.reserve(envoy, Call { consumer, upper, asked: 0 }, false);
            }
            Event::Timeout { envoy, life, id } if self.nodes[envoy].life == life => {
                if let Some(call) = self.nodes[envoy].waiting.remove(&id) {
                    self.reserve(envoy, call, true);
                }
            }
            Event::Over { envoy, life, held, consumer, upper, used } => {
                self.consumers[consumer].open -= upper;
                if self.nodes[envoy].life != life {
                    return;
                }
                let amounts = Amounts { input_tokens: used, ..Amounts::default() };
                let mut messages = Vec::new();
                let settled = self.quota(envoy, |quota, now| quota.settle(held, &amounts, now, &mut messages));
                assert!(settled.left.is_none() && settled.lost == 0 && settled.late == 0);
                self.consumers[consumer].settled += used;
                self.send(envoy, messages, None);
            }
            Event::Store { envoy, life, message, waiting } => {
                let away = self.plan.away.is_some_and(|(from, to)| (START + from..START + to).contains(&self.now));
                if away && !(self.plan.half && envoy % 2 == 1) {
                    return;
                }
                let answer = self.store.run(&message, &format!("{envoy}.{life}"), self.now);
                let kept = &self.store.counters[&(message.slot, message.start)];
                let flushed = self.plan.flush.is_some_and(|flush| self.now >= START + flush);
                assert!(
                    kept.used + kept.leased <= message.limit.into()
                        || flushed
                        || self.plan.down != Down::Deny
                        || answer.lease <= message.have,
                    "the store gave too much"
                );
                if !self.random.chance(self.plan.lost) {
                    let time = self.now + 1 + self.random.below(self.plan.late);
                    self.at(time, Event::Answer { envoy, life, message, answer, waiting });
                }
            }
            Event::Answer { envoy, life, message, answer, waiting } if self.nodes[envoy].life == life => {
                self.quota(envoy, |quota, now| quota.answered(message.slot, message.start, &answer, now));
                if let Some(call) = waiting.and_then(|id| self.nodes[envoy].waiting.remove(&id)) {
                    self.reserve(envoy, call, false);
                }
            }
            Event::Tick { envoy } => {
                let mut messages = Vec::new();
                let pages = self.quota(envoy, |quota, _| quota.pages());
                for page in 0..pages {
                    self.quota(envoy, |quota, now| quota.due(page, now, &mut messages));
                }
                self.send(envoy, messages, None);
                // On for long enough after the last call that all is told.
                if self.now < START + self.plan.length + 300_000 {
                    self.at(self.now + 10_000, Event::Tick { envoy });
                }
            }
            Event::Sample => self.sample(),
            Event::Crash => {
                let envoy = self.random.below(self.plan.envoys as u64) as usize;
                let life = self.nodes[envoy].life + 1;
                self.nodes[envoy] = Node { memory: memory(&self.plan), life, waiting: BTreeMap::new() };
            }
            Event::Flush => self.store = Model::default(),
            Event::Timeout { .. } | Event::Answer { .. } => {}
        }
    }

    fn quota<R>(&mut self, envoy: usize, run: impl FnOnce(&Quota<'_>, Millis) -> R) -> R {
        let memory = &self.nodes[envoy].memory;
        run(&Quota::new(Table::of(memory, self.plan.pages)), self.now)
    }

    fn reserve(&mut self, envoy: usize, call: Call, failed: bool) {
        let consumer = &self.consumers[call.consumer];
        let (rule, slot) = (Rc::clone(&consumer.rule), consumer.slot);
        let amounts = Amounts { input_tokens: call.upper, ..Amounts::default() };
        let mut messages = Vec::new();
        let reserved = self.quota(envoy, |quota, now| {
            let when = When { now, ttl: 120_000, failed };
            quota.reserve(&[Ask { rule: &rule, slot }], &mut amounts.into(), &when, &mut messages)
        });
        let life = self.nodes[envoy].life;
        match reserved {
            Reserved::Held(held) => {
                self.send(envoy, messages, None);
                self.figures.admitted += 1;
                let used = if self.plan.largest == 1 { 1 } else { self.random.below(call.upper) };
                self.consumers[call.consumer].open += call.upper;
                let time = self.now + 500 + self.random.below(20_000);
                self.at(time, Event::Over { envoy, life, held, consumer: call.consumer, upper: call.upper, used });
            }
            Reserved::Ask if call.asked < 5 => {
                self.figures.waited += u64::from(call.asked == 0);
                self.calls += 1;
                let id = self.calls;
                let call = Call { asked: call.asked + 1, ..call };
                self.nodes[envoy].waiting.insert(id, call);
                self.send(envoy, messages, Some(id));
                self.at(self.now + RETRY, Event::Timeout { envoy, life, id });
            }
            Reserved::Refused(Refusal { reason: Reason::Closed(_), .. }) => {
                self.send(envoy, messages, None);
                self.figures.full += 1;
            }
            Reserved::Ask | Reserved::Refused(_) => {
                self.send(envoy, messages, None);
                self.figures.refused += 1;
                self.consumers[call.consumer].refused += 1;
            }
        }
    }
}

impl Fleet {
    fn send(&mut self, envoy: usize, messages: Vec<Message>, waiting: Option<usize>) {
        let life = self.nodes[envoy].life;
        for message in messages {
            self.figures.messages += 1;
            let second = (self.now - START) / 1000;
            self.second = if self.second.0 == second { (second, self.second.1 + 1) } else { (second, 1) };
            self.figures.peak = self.figures.peak.max(self.second.1);
            for _ in 0..1 + u64::from(self.random.chance(self.plan.twice)) {
                if !self.random.chance(self.plan.lost) {
                    let time = self.now + 1 + self.random.below(self.plan.late);
                    self.at(time, Event::Store { envoy, life, message, waiting });
                }
            }
        }
    }

    /// What leases hold beside open calls and what was settled and not told yet.
    fn sample(&mut self) {
        let (mut stranded, mut budget) = (0_i128, 0_i128);
        for consumer in &self.consumers {
            budget += i128::from(consumer.rule.amount);
            let Some(store) = self.kept(consumer) else { continue };
            let busy = i128::from(consumer.open) + i128::from(consumer.settled) - store.used;
            stranded += (store.leased - busy).max(0);
        }
        let share = (stranded * 1_000_000 / budget.max(1)) as u64;
        self.samples = (self.samples.0 + share, self.samples.1 + 1);
        self.figures.stranded = self.samples.0 / self.samples.1;
        self.figures.stranded_peak = self.figures.stranded_peak.max(share);
    }

    fn kept(&self, consumer: &Consumer) -> Option<&Kept> {
        let start = consumer.rule.window.piece(START).start;
        self.store.counters.get(&(consumer.slot, start))
    }

    fn judge(&mut self) {
        let mut figures = std::mem::take(&mut self.figures);
        figures.seconds = self.plan.length / 1000;
        for consumer in &self.consumers {
            let limit = consumer.rule.amount;
            figures.overshoot += consumer.settled.saturating_sub(limit);
            let known = self.kept(consumer).map_or(0, |kept| kept.used);
            figures.untrue += usize::from(known != consumer.settled.into());
            if consumer.refused > 0 {
                figures.exhausted += 1;
                figures.unused += limit.saturating_sub(consumer.settled);
            }
        }
        self.figures = figures;
    }
}
