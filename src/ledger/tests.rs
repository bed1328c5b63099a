use super::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A midnight.
const NOW: Millis = 20_778 * DAY;

/// Shared data in which another worker is first at every so many writes.
#[derive(Default)]
struct Memory {
    values: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    writes: Cell<u32>,
    contended: u32,
    /// What the other worker does in between.
    other: RefCell<Option<Worker>>,
}

type Worker = Box<dyn Fn(&Memory)>;

impl Shared for Memory {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.values.borrow().get(key).cloned()
    }

    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        self.writes.set(self.writes.get().wrapping_add(1));
        if self.contended > 0
            && self.writes.get().is_multiple_of(self.contended)
            && let Some(other) = self.other.take()
        {
            other(self);
            *self.other.borrow_mut() = Some(other);
        }
        let mut values = self.values.borrow_mut();
        let known = values.get(key).map(|(_, cas)| *cas);
        if cas.is_some() && cas != known {
            return false;
        }
        values.insert(key.to_owned(), (value.to_vec(), known.unwrap_or(0).wrapping_add(1)));
        true
    }
}

fn prepared() -> Memory {
    let memory = Memory::default();
    Ledger(&memory).prepare();
    memory
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

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31).checked_rem(bound).unwrap()
    }
}

#[test]
fn calls_of_one_key_and_day_are_one_row() {
    let memory = prepared();
    let ledger = Ledger(&memory);
    let usage = Usage { input: 10, cached_input: 4, cache_write: 1, output: 7, reasoning: 2, ..Usage::default() };
    assert!(ledger.add(&key("a", "m"), &Totals::of(&usage, 500, false), NOW));
    assert!(ledger.add(&key("a", "m"), &Totals::of(&usage, 1, true), NOW + DAY - 1));
    assert!(ledger.add(&key("a", "m"), &Totals::of(&usage, 2, false), NOW + DAY));
    let rows: Vec<_> = ledger.rows(&Query::default()).into_iter().collect();
    let names = ["a", "t", "m", "p"].map(str::to_owned);
    let row = |day| Row { day: Some(day), other: false, names: names.clone() };
    assert_eq!(
        rows,
        [
            (row(NOW / DAY), Totals([2, 1, 20, 8, 2, 14, 4, 501])),
            (row(NOW / DAY + 1), Totals([1, 0, 10, 4, 1, 7, 2, 2]))
        ]
    );
}

#[test]
fn every_part_of_a_key_tells_rows_apart() {
    let memory = prepared();
    let ledger = Ledger(&memory);
    let base = Key { consumer: "a", team: "b", model: "c", provider: "d", open: false };
    let others = [
        base,
        Key { consumer: "x", ..base },
        Key { team: "x", ..base },
        Key { model: "x", ..base },
        Key { provider: "x", ..base },
        // What reads alike when joined.
        Key { consumer: "ab", team: "", ..base },
        Key { consumer: "", team: "ab", ..base },
    ];
    for key in &others {
        assert!(ledger.add(key, &Totals([1; 8]), NOW));
    }
    assert_eq!(ledger.rows(&Query::default()).len(), others.len());
    let asked = |names: [Option<&str>; 4], by| {
        let names = names.map(|name| name.map(str::to_owned));
        ledger.rows(&Query { names, by, ..Query::default() })
    };
    assert_eq!(asked([Some("a"), None, None, None], [true; 5]).len(), 4);
    assert_eq!(asked([Some("a"), None, Some("x"), None], [true; 5]).len(), 1);
    assert_eq!(asked([Some(""), None, None, None], [true; 5]).len(), 1, "whoever has no name");
    let together = asked([None; 4], [false; 5]);
    assert_eq!(together.into_iter().collect::<Vec<_>>(), [(Row::default(), Totals([7; 8]))]);
}

#[test]
fn days_are_bounds_that_count_themselves() {
    let memory = prepared();
    let ledger = Ledger(&memory);
    for day in 0..5 {
        assert!(ledger.add(&key("a", "m"), &Totals([1; 8]), NOW + day * DAY));
    }
    let today = NOW / DAY;
    for (from, to, count) in [(0, u64::MAX, 5), (today + 1, today + 3, 3), (today, today, 1), (today + 3, today, 0)] {
        assert_eq!(ledger.rows(&Query { from, to, ..Query::default() }).len(), count, "{from} {to}");
    }
}

#[test]
fn a_worker_that_was_not_first_counts_all_the_same() {
    let memory = Memory { contended: 3, ..prepared() };
    let others = Rc::new(Cell::new(0));
    let count = Rc::clone(&others);
    let other = move |memory: &Memory| {
        assert!(Ledger(memory).add(&key("a", "m"), &Totals([1; 8]), NOW));
        count.set(count.get() + 1);
    };
    *memory.other.borrow_mut() = Some(Box::new(other));
    for _ in 0..50 {
        assert!(Ledger(&memory).add(&key("a", "m"), &Totals([1; 8]), NOW));
    }
    assert!(others.get() > 10, "the other worker was never in between");
    assert_eq!(sum(&Ledger(&memory).rows(&Query::default())), Totals([50 + others.get(); 8]));
}

#[test]
fn who_is_always_second_is_told() {
    let memory = Memory { contended: 1, ..prepared() };
    let other = |memory: &Memory| {
        let name = memory.values.borrow().keys().find(|key| key.len() == 21).cloned().unwrap();
        for (key, (_, cas)) in memory.values.borrow_mut().iter_mut().filter(|(key, _)| key.len() == name.len()) {
            assert!(key.starts_with("sluice.usage."));
            *cas += 1;
        }
    };
    *memory.other.borrow_mut() = Some(Box::new(other));
    assert!(!Ledger(&memory).add(&key("a", "m"), &Totals([1; 8]), NOW));
}

/// In any order, over days, with more keys than there is room for: the rows' sum is that of the calls.
#[test]
fn the_sum_of_all_rows_is_that_of_all_calls() {
    for seed in 0..2 {
        let memory = prepared();
        let ledger = Ledger(&memory);
        let mut random = Random(seed);
        let mut truth = Totals::default();
        let mut by_day: BTreeMap<u64, Totals> = BTreeMap::new();
        for call in 0..20_000_u64 {
            let consumer = random.below(if seed % 2 == 0 { 40 } else { 9_000 }).to_string();
            let model = random.below(30).to_string();
            let open = random.below(3) == 0;
            let totals = Totals(std::array::from_fn(|_| random.below(1 << 20)));
            // Months go by; a call of yesterday may be settled today.
            let at = NOW + call / 200 * DAY - random.below(2) * DAY;
            assert!(ledger.add(&Key { open, ..key(&consumer, &model) }, &totals, at));
            truth.add(&totals);
            by_day.entry(at / DAY).or_default().add(&totals);
        }
        let rows = ledger.rows(&Query::default());
        assert_eq!(sum(&rows), truth, "{seed}");
        assert!(rows.keys().any(|row| row.other) && rows.keys().any(|row| !row.other));
        // Days that are kept are exact one by one, however full it is.
        let last = *by_day.keys().last().unwrap();
        for (day, totals) in by_day.range(last - KEPT_DAYS..) {
            let query = Query { from: *day, to: *day, ..Query::default() };
            assert_eq!(sum(&ledger.rows(&query)), *totals, "{seed} {day}");
        }
        for (name, (value, _)) in memory.values.borrow().iter() {
            assert!(value.len() < 8192, "{name} has {} bytes", value.len());
        }
    }
}

#[test]
fn consumers_of_no_list_leave_room_for_those_of_the_list() {
    let memory = prepared();
    let ledger = Ledger(&memory);
    for index in 0..20_000 {
        assert!(ledger.add(&Key { open: true, ..key(&index.to_string(), "m") }, &Totals([1; 8]), NOW));
    }
    let open = ledger.rows(&Query::default());
    assert_eq!(open.keys().filter(|row| !row.other).count(), 512 * 16);
    for index in 0..2_000 {
        assert!(ledger.add(&key(&format!("listed {index}"), "m"), &Totals([1; 8]), NOW));
    }
    let rows = ledger.rows(&Query::default());
    assert_eq!(rows.keys().filter(|row| row.names[0].starts_with("listed")).count(), 2_000);
    assert_eq!(sum(&rows).0, [22_000; 8]);
}

#[test]
fn a_page_that_is_spoilt_is_told_and_used_again() {
    let memory = prepared();
    let ledger = Ledger(&memory);
    for _ in 0..2 {
        assert!(ledger.add(&key("a", "m"), &Totals([1; 8]), NOW));
    }
    memory.values.borrow_mut().values_mut().filter(|(value, _)| value.len() > 4).for_each(|(value, _)| value.push(9));
    assert!(!ledger.add(&key("a", "m"), &Totals([1; 8]), NOW));
    assert!(ledger.add(&key("a", "m"), &Totals([1; 8]), NOW));
    assert_eq!(sum(&ledger.rows(&Query::default())), Totals([4; 8]));
    let pages = |memory: &Memory| memory.values.borrow().clone();
    for byte in 0..=255 {
        let mut spoilt = pages(&memory);
        spoilt.values_mut().filter(|(value, _)| value.len() > 4).for_each(|(value, _)| value.insert(0, byte));
        let memory = Memory { values: RefCell::new(spoilt), ..Memory::default() };
        let _ = Ledger(&memory).add(&key("a", "m"), &Totals([1; 8]), NOW);
        assert!(Ledger(&memory).add(&key("a", "m"), &Totals([1; 8]), NOW), "{byte}");
    }
}

#[test]
fn a_new_configuration_finds_what_was_counted() {
    let memory = prepared();
    assert!(Ledger(&memory).add(&key("a", "m"), &Totals([1; 8]), NOW));
    Ledger(&memory).prepare();
    assert_eq!(sum(&Ledger(&memory).rows(&Query::default())), Totals([1; 8]));
}

#[test]
fn names_are_cut_at_a_character() {
    let memory = prepared();
    let long = "é".repeat(400);
    assert!(Ledger(&memory).add(&key(&long, "m"), &Totals([1; 8]), NOW));
    let rows = Ledger(&memory).rows(&Query::default());
    assert_eq!(rows.keys().next().unwrap().names[0], "é".repeat(128));
}

#[test]
fn the_fuzz_function_holds_on_pages_and_their_mutants() {
    let memory = prepared();
    for day in 0..3 {
        for model in ["m", "another", ""] {
            assert!(Ledger(&memory).add(&key("c", model), &Totals([1, 0, 300, 0, 5, u64::MAX, 7, 8]), NOW + day * DAY));
        }
    }
    let pages: Vec<u8> = memory.values.borrow().values().flat_map(|(page, _)| page.clone()).collect();
    assert!(pages.len() > 100);
    for day in [0, 1, 2, 255] {
        for at in 0..pages.len().min(600) {
            fuzz_ledger(&[&[day], &pages[..at]].concat());
            fuzz_ledger(&[&[day], &pages[at..]].concat());
            for byte in [0, 0x7f, 0xff] {
                let mut mutant = pages.clone();
                mutant[at] = byte;
                fuzz_ledger(&[&[day], mutant.as_slice()].concat());
            }
        }
    }
}
