//! What the fuzz targets hold for any bytes, for the golden cases and for what little changes make of them.

use super::fuzz::{answer, request, stream};
use super::tests::conversing;
use super::tests_golden::{cases, streams};

/// Small numbers, always the same ones.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0).unwrap().checked_rem(most).unwrap_or_default()
    }

    /// A few bytes changed, left out, put in or cut off.
    fn change(&mut self, seed: &[u8]) -> Vec<u8> {
        const MARKS: &[u8] = b"{}[]\",:\\0-n\r\n e\xff";
        let mut changed = seed.to_vec();
        for _ in 0..=self.below(3) {
            let (at, mark) = (self.below(changed.len()), MARKS[self.below(MARKS.len())]);
            match self.below(4) {
                _ if changed.is_empty() => changed.push(mark),
                0 => changed[at] = mark,
                1 => changed.truncate(at),
                2 => drop(changed.remove(at)),
                _ => changed.insert(at, mark),
            }
        }
        changed
    }
}

const ROUNDS: usize = 30;

#[test]
fn no_change_of_a_golden_case_breaks_an_api() {
    let mut chance = Chance(0x2545_f491_4f6c_dd1d);
    for api in conversing() {
        for (_, case) in cases(api, "") {
            for (member, hold) in [("request", request as fn(_, &_)), ("answer", answer)] {
                let Some(seed) = case.get(member).map(|value| value.to_string().into_bytes()) else { continue };
                hold(api, &seed);
                (0..ROUNDS).for_each(|_| hold(api, &chance.change(&seed)));
            }
        }
        for (_, seed) in streams(api, &["\n"]) {
            stream(api, &seed, seed.len() / 2);
            for _ in 0..ROUNDS {
                let changed = chance.change(&seed);
                stream(api, &changed, chance.below(changed.len()));
            }
        }
        for bytes in [
            "",
            "{}",
            "[]",
            "\"x\"",
            "{\"model\":\"m\"}",
            "data: {}\n\n",
            "event: error\ndata: 1\n\n",
            "{\"error\":1}\n1",
            "metadata {}\n",
            "messageStop {}\nmetadata 1",
        ] {
            request(api, bytes.as_bytes());
            answer(api, bytes.as_bytes());
            stream(api, bytes.as_bytes(), 1);
        }
    }
}
