use super::*;
use crate::host::Shared;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, (Vec<u8>, u32)>>, Cell<usize>);

impl Shared for Memory {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.1.set(self.1.get().saturating_add(1));
        self.0.borrow().get(key).cloned()
    }

    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        let mut map = self.0.borrow_mut();
        let known = map.get(key).map_or(0, |(_, cas)| *cas);
        if cas.is_some_and(|cas| cas != known) {
            return false;
        }
        map.insert(key.into(), (value.into(), known.saturating_add(1)));
        true
    }
}

fn model(name: &str, targets: usize) -> Model {
    let target = |n: usize| Target {
        provider: 0,
        cluster: n.to_string(),
        model: None,
        counted_as: None,
        max_tokens: 1,
        region: None,
        key: n.to_string(),
    };
    Model {
        pattern: Pattern::new(name),
        name: name.into(),
        targets: (0..targets).map(target).collect(),
        direct: false,
        strategy: &ordered::Ordered,
        retry: Retry::default(),
    }
}

#[test]
fn the_most_specific_name_wins() {
    let models = [model("*", 1), model("gpt-*", 1), model("gpt-4o", 1), model("gpt-4*", 1), model("gpt-4o*", 1)];
    for (asked, found) in
        [("gpt-4o", "gpt-4o"), ("gpt-4o-mini", "gpt-4o*"), ("gpt-4.1", "gpt-4*"), ("gpt-5", "gpt-*"), ("o3", "*")]
    {
        assert_eq!(find(&models, asked).map(|m| &*m.name), Some(found), "{asked}");
    }
    assert!(find(&models[2..3], "gpt-4O").is_none());
}

#[test]
fn targets_that_cool_down_come_last_and_the_least_bad_of_them_first() {
    let memory = Memory::default();
    let cooldowns = Cooldowns(&memory);
    let model = model("m", 3);
    assert_eq!(order(&model, &cooldowns, 1000), (vec![0, 1, 2], false));
    cooldowns.cool("0", 5000);
    assert_eq!(order(&model, &cooldowns, 1000), (vec![1, 2, 0], false));
    cooldowns.cool("1", 3000);
    cooldowns.cool("2", 4000);
    assert_eq!(order(&model, &cooldowns, 1000), (vec![1, 2, 0], true));
    assert_eq!(order(&model, &cooldowns, 3500), (vec![1, 2, 0], false));
    assert_eq!(order(&model, &cooldowns, 5000), (vec![0, 1, 2], false));
    cooldowns.clear("0");
    assert_eq!(order(&model, &cooldowns, 1000), (vec![0, 1, 2], false));
}

#[test]
fn no_more_is_looked_up_than_the_order_hangs_on() {
    for (targets, looks) in [(1, 0), (2, 1), (3, 2)] {
        let memory = Memory::default();
        order(&model("m", targets), &Cooldowns(&memory), 1000);
        assert_eq!(memory.1.get(), looks, "{targets}");
    }
    let memory = Memory::default();
    let cooldowns = Cooldowns(&memory);
    cooldowns.cool("0", 5000);
    cooldowns.cool("1", 3000);
    assert_eq!(order(&model("m", 2), &cooldowns, 1000), (vec![1, 0], true));
}

#[test]
fn a_later_end_is_never_replaced_by_an_earlier_one() {
    let memory = Memory::default();
    let cooldowns = Cooldowns(&memory);
    cooldowns.cool("k", 5000);
    cooldowns.cool("k", 3000);
    assert_eq!(cooldowns.until("k"), 5000);
}
