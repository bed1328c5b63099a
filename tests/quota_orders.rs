//! Limits in any order of reserving, settling, extending, retrying, time, workers that come between, and workers that die in the middle:
//! what a counter says is always what a list of all calls says, and an admission never passes a limit.
//!
//! Every run is made from its number alone, which a failure names.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may stop at the first surprise"
)]

use sluice::host::{Millis, Shared};
use sluice::quota::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

const NOW: Millis = 1_795_248_000_000;
/// Deadlines lie on half minutes: never before the call's own.
const STEP: Millis = 30_000;
const RUNS: u64 = 120;
const STEPS: usize = 250;

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// Envoy's shared data.
#[derive(Default)]
struct Envoy(RefCell<(Values, u32)>);

type Values = BTreeMap<String, (Vec<u8>, u32)>;

impl Shared for Envoy {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.0.borrow().0.get(key).cloned()
    }

    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        let mut all = self.0.borrow_mut();
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

/// Limits as the module has them.
type Rules = Vec<(Rc<Rule>, Slot)>;

/// Shared data as one worker sees it.
struct Worker<'w> {
    envoy: &'w Envoy,
    /// How many writes its VM lives for.
    life: Cell<usize>,
    /// Another worker, that may come between its reading and its writing.
    rival: Option<RefCell<Rival>>,
}

struct Rival {
    rules: Rules,
    random: Random,
    now: Millis,
    made: Vec<Call>,
    /// How often it was first.
    first: u64,
}

impl<'w> Worker<'w> {
    fn new(envoy: &'w Envoy, life: usize, rival: Option<Rival>) -> Self {
        Self { envoy, life: Cell::new(life), rival: rival.map(RefCell::new) }
    }
}

impl Shared for Worker<'_> {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.envoy.load(key)
    }

    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        if self.life.get() == 0 {
            // Whatever it thinks.
            return true;
        }
        if let Some(rival) = &self.rival {
            let mut rival = rival.borrow_mut();
            if rival.random.below(3) == 0 {
                let Rival { rules, random, now, .. } = &mut *rival;
                if let (Some(call), _) = call(self.envoy, rules, random, *now) {
                    rival.made.push(call);
                }
            }
        }
        let stored = self.envoy.store(key, value, cas);
        match (&self.rival, stored) {
            (_, true) => self.life.set(self.life.get() - 1),
            (Some(rival), false) => rival.borrow_mut().first += 1,
            (None, false) => {}
        }
        stored
    }
}

/// What a call holds of one limit, as a list of calls has it.
#[derive(Clone, Copy, Debug)]
struct Mark {
    limit: usize,
    cell: Millis,
    /// In steps.
    due: u64,
    amount: u64,
    /// It counts as used from the beginning: its window is over before its deadline.
    at_once: bool,
}

struct Call {
    /// What the module knows of it.
    held: Reservation,
    marks: Vec<Mark>,
}

fn amounts(tokens: u64, running: bool) -> Amounts {
    Amounts { requests: 1, concurrent: running.into(), input_tokens: tokens, ..Amounts::default() }
}

fn cell(rule: &Rule, now: Millis) -> Millis {
    match rule.window {
        Window::Total => 0,
        window => window.piece(now).start,
    }
}

/// A call that asks for some of the limits, in any order: what it is given, and what it would hold.
fn call(shared: &dyn Shared, rules: &Rules, random: &mut Random, now: Millis) -> (Option<Call>, Vec<Mark>) {
    let mut left: Vec<usize> = (0..rules.len()).collect();
    let some: Vec<usize> =
        (0..=random.below(3)).map(|_| left.swap_remove(random.below(left.len() as u64) as usize)).collect();
    let close = 1 + random.below(rules[0].0.amount.div_ceil(2));
    // Half of them say first that they may use more.
    let rough = close + random.below(2) * random.below(3 * close);
    let mut look = || amounts(close, true);
    let mut upper = Upper { amounts: amounts(rough, true), closer: Some(&mut look) };
    let ttl = 1000 + random.below(300_000);
    let asks: Vec<Ask<'_>> = some.iter().map(|limit| Ask { rule: &rules[*limit].0, slot: rules[*limit].1 }).collect();
    let quota = Quota::new(Table::open(shared));
    let reserved = quota.reserve(&asks, &mut upper, &When { now, ttl, failed: false }, &mut Vec::new());
    let upper = upper.amounts;
    let mark = |limit: &usize| {
        let rule = &rules[*limit].0;
        let due = (now + ttl).div_ceil(STEP);
        let short = matches!(rule.window, Window::Calendar(..)) && rule.window.piece(now).end <= due * STEP;
        let at_once = rule.unit == Unit::Requests && short;
        let due = if at_once { u64::MAX } else { due };
        Mark { limit: *limit, cell: cell(rule, now), due, amount: upper.of(rule.unit), at_once }
    };
    let marks: Vec<Mark> = some.iter().map(mark).collect();
    match reserved {
        Reserved::Held(held) => (Some(Call { held, marks: marks.clone() }), marks),
        Reserved::Refused(_) => (None, marks),
        Reserved::Ask => panic!("there is no store"),
    }
}

/// What has happened in all runs, so that none of it can be left out unnoticed.
#[derive(Debug, Default)]
struct Seen {
    admitted: u64,
    refused: u64,
    overtaken: u64,
    extended: u64,
    retried: u64,
    lapsed: u64,
    late: u64,
    /// Nothing was left to settle.
    done: u64,
    died_reserving: u64,
    died_settling: u64,
    died_extending: u64,
}

struct World<'s> {
    number: u64,
    now: Millis,
    random: Random,
    rules: Rules,
    /// For each limit, by the window's start: what was settled, and how much may stand beside what a reservation bounded.
    truth: Vec<BTreeMap<Millis, (u64, u64)>>,
    open: Vec<Call>,
    /// What is held by calls that nobody knows of any longer.
    lost: Vec<Mark>,
    seen: &'s mut Seen,
}

impl<'s> World<'s> {
    fn new(number: u64, seen: &'s mut Seen) -> (Self, Envoy) {
        let mut random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let envoy = Envoy::default();
        Table::prepare(&envoy, 1 << random.below(3));
        let kinds = [(Unit::Tokens, [20, 300, 10_000]), (Unit::Requests, [1, 5, 60]), (Unit::Concurrent, [1, 4, 20])];
        let rules = kinds.map(|(unit, amounts)| {
            let window = Window::calendar(random.pick(&["1s", "1m", "1h", "1d", "1mo", "none"])).unwrap();
            let rule = Rule::new(unit.name(), unit, window, random.pick(&amounts));
            let slot = rule.slot(&[("team", "a")]);
            (Rc::new(rule), slot)
        });
        let now = NOW + random.below(86_400_000);
        let truth = vec![BTreeMap::new(); rules.len()];
        (Self { number, now, random, rules: rules.into(), truth, open: Vec::new(), lost: Vec::new(), seen }, envoy)
    }

    fn counts(&self, mark: &Mark) -> bool {
        mark.cell == cell(&self.rules[mark.limit].0, self.now)
    }

    fn holds(&self, mark: &Mark) -> bool {
        self.counts(mark) && mark.due > self.now / STEP
    }

    /// Settled, reserved, and how much of both may be over the limit.
    fn expected(&self, limit: usize) -> (u64, u64, u64) {
        let start = cell(&self.rules[limit].0, self.now);
        let (settled, unbounded) = self.truth[limit].get(&start).copied().unwrap_or_default();
        let marks = self.open.iter().flat_map(|call| &call.marks).chain(&self.lost);
        let marks = marks.filter(|mark| mark.limit == limit && self.holds(mark));
        let (at_once, held): (Vec<&Mark>, Vec<&Mark>) = marks.partition(|mark| mark.at_once);
        let sum = |marks: Vec<&Mark>| marks.iter().map(|mark| mark.amount).sum::<u64>();
        (settled + sum(at_once), sum(held), unbounded)
    }

    fn check(&self, envoy: &Envoy, after: &str) {
        let quota = Quota::new(Table::open(envoy));
        for (at, (rule, slot)) in self.rules.iter().enumerate() {
            let (settled, held, unbounded) = self.expected(at);
            let found = quota.taken(rule, *slot, self.now).unwrap();
            let of = format!("run {}, after {after}: of {} {}", self.number, rule.amount, rule.unit.name());
            assert_eq!(found, (settled, held), "{of}, settled and reserved");
            assert!(settled + held <= rule.amount + unbounded, "{of}, {settled} settled and {held} reserved");
        }
    }

    fn rival(&mut self) -> Rival {
        let random = Random(self.random.below(u64::MAX) | 1);
        Rival { rules: self.rules.clone(), random, now: self.now, made: Vec::new(), first: 0 }
    }

    /// Calls of a rival's are as good as any.
    fn join(&mut self, worker: Worker<'_>) -> bool {
        let Some(rival) = worker.rival.map(RefCell::into_inner) else { return false };
        self.seen.overtaken += rival.first;
        self.open.extend(rival.made);
        rival.first > 0
    }

    /// What the limits say must be so: alone, it is known beforehand.
    fn reserve(&mut self, envoy: &Envoy) {
        let rival = (self.random.below(4) == 0).then(|| self.rival());
        let before: Vec<_> = (0..self.rules.len()).map(|limit| self.expected(limit)).collect();
        let worker = Worker::new(envoy, usize::MAX, rival);
        let (made, marks) = call(&worker, &self.rules, &mut self.random, self.now);
        let fits = |mark: &Mark| {
            let (settled, held, _) = before[mark.limit];
            settled + held + mark.amount <= self.rules[mark.limit].0.amount
        };
        let fits = marks.iter().all(fits);
        if !self.join(worker) {
            assert_eq!(made.is_some(), fits, "run {}: {marks:?} beside {before:?}", self.number);
        }
        match made {
            Some(_) => self.seen.admitted += 1,
            None => self.seen.refused += 1,
        }
        self.open.extend(made);
    }

    /// Its worker dies after some writes: what those did stands.
    fn die_reserving(&mut self, envoy: &Envoy) {
        let life = self.random.below(3) as usize;
        let worker = Worker::new(envoy, life, None);
        let (made, marks) = call(&worker, &self.rules, &mut self.random, self.now);
        // A refusal writes nothing.
        let done = if made.is_some() { marks.len().min(life) } else { 0 };
        self.seen.died_reserving += u64::from(made.is_some() && done < marks.len());
        self.lost.extend(marks.into_iter().take(done));
    }

    /// What a call came to is counted where its window still is.
    fn count(&mut self, mark: &Mark, used: &Amounts) {
        let used = used.of(self.rules[mark.limit].0.unit);
        if !self.counts(mark) {
            self.seen.late += 1;
            return;
        }
        let bounded = if self.holds(mark) { mark.amount } else { 0 };
        self.seen.lapsed += u64::from(!self.holds(mark));
        let (settled, unbounded) = self.truth[mark.limit].entry(mark.cell).or_default();
        *settled += used;
        *unbounded += used.saturating_sub(bounded);
    }

    fn settle(&mut self, envoy: &Envoy, call: Call, dies: bool) {
        let Call { held, marks } = call;
        let most = marks.iter().filter(|mark| mark.limit == 0).map(|mark| mark.amount).next().unwrap_or(5);
        // It failed and costs nothing; or used what it might; or, now and then, more than anybody could know.
        let used = match self.random.below(10) {
            0 | 1 => Amounts::default(),
            2 => amounts(most + self.random.below(10), false),
            _ => amounts(self.random.below(most + 1), false),
        };
        let life = if dies { self.random.below(marks.len() as u64 + 1) as usize } else { usize::MAX };
        let rival = (!dies && self.random.below(4) == 0).then(|| self.rival());
        let worker = Worker::new(envoy, life, rival);
        let settled = Quota::new(Table::open(&worker)).settle(held, &used, self.now, &mut Vec::new());
        let late = marks.iter().filter(|mark| !self.counts(mark) && !mark.at_once).count();
        assert_eq!((settled.left.is_none(), settled.lost, settled.late), (true, 0, late), "run {}", self.number);
        self.join(worker);
        self.seen.died_settling += u64::from(life < marks.len());
        let mut written = 0;
        for mark in marks {
            let done = mark.at_once && mark.amount == used.of(self.rules[mark.limit].0.unit);
            self.seen.done += u64::from(done);
            if done || written < life {
                written += usize::from(!done);
                self.count(&mark, &used);
            } else {
                self.lost.push(mark);
            }
        }
    }

    fn extend(&mut self, envoy: &Envoy, mut call: Call, dies: bool) {
        let ttl = 1000 + self.random.below(300_000);
        let due = (self.now + ttl).div_ceil(STEP);
        let life = if dies { self.random.below(3) as usize } else { usize::MAX };
        let worker = Worker::new(envoy, life, None);
        let when = When { now: self.now, ttl, failed: false };
        Quota::new(Table::open(&worker)).extend(&mut call.held, &when);
        let mut written = 0;
        for mark in call.marks.iter_mut().filter(|mark| mark.due < due) {
            if !self.counts(mark) {
                mark.due = due;
            } else if written < life {
                written += 1;
                // It had lapsed, and is held again, room or none.
                let again = if self.holds(mark) { 0 } else { mark.amount };
                self.truth[mark.limit].entry(mark.cell).or_default().1 += again;
                mark.due = due;
            }
        }
        if dies {
            self.seen.died_extending += 1;
            self.lost.append(&mut call.marks);
        } else {
            self.seen.extended += written as u64;
            self.open.push(call);
        }
    }

    fn step(&mut self, envoy: &Envoy) {
        self.now += self.random.pick(&[0, 1, 900, 20_000, 50_000]);
        self.check(envoy, "time");
        let what = self.random.below(16);
        let one = match self.open.len() as u64 {
            count if count > 0 && (6..=14).contains(&what) => {
                let at = self.random.below(count) as usize;
                Some(self.open.swap_remove(at))
            }
            _ => None,
        };
        let after = match (what, one) {
            (6..=9, Some(one)) => {
                self.settle(envoy, one, false);
                "settling"
            }
            (10, Some(one)) => {
                self.settle(envoy, one, true);
                "dying while settling"
            }
            (11, Some(one)) => {
                self.extend(envoy, one, false);
                "extending"
            }
            (12, Some(one)) => {
                self.extend(envoy, one, true);
                "dying while extending"
            }
            // Its VM trapped between two of its steps.
            (13, Some(one)) => {
                self.lost.extend(one.marks);
                "losing a call"
            }
            // It goes to another model: what it held is given back, other limits are asked.
            (_, Some(one)) => {
                drop(Quota::new(Table::open(envoy)).release(one.held, self.now, &mut Vec::new()));
                self.seen.retried += 1;
                self.check(envoy, "giving back");
                self.reserve(envoy);
                "trying again"
            }
            (15, None) => {
                self.die_reserving(envoy);
                "dying while reserving"
            }
            (_, None) => {
                self.reserve(envoy);
                "reserving"
            }
        };
        self.check(envoy, after);
    }
}

#[test]
fn in_any_order_settled_is_the_truth_and_nothing_is_held_but_what_calls_hold() {
    let mut seen = Seen::default();
    for number in 1..=RUNS {
        let (mut world, envoy) = World::new(number, &mut seen);
        for _ in 0..STEPS {
            world.step(&envoy);
        }
        // What nobody knows of is free again after the longest deadline.
        world.now += MAX_TTL + STEP;
        assert!((0..world.rules.len()).all(|limit| world.expected(limit).1 == 0));
        world.check(&envoy, "the longest deadline");
    }
    println!("{seen:?}");
    let Seen { admitted, refused, overtaken, extended, retried, lapsed, late, done, .. } = seen;
    let all = [
        admitted,
        refused,
        overtaken,
        extended,
        retried,
        lapsed,
        late,
        done,
        seen.died_reserving,
        seen.died_settling,
        seen.died_extending,
    ];
    assert!(all.iter().all(|count| *count > RUNS), "too little of something happened: {seen:?}");
}
