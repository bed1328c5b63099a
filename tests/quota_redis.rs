//! The script on a real Redis: against the model that the simulation uses, and where only Redis has a say.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "numbers of a test are small")]
#![expect(dead_code, reason = "the fleet of the simulation is not run here")]

mod quota_model;
mod redis_server;

use quota_model::{Model, Random};
use redis_server::{Redis, redis};
use sluice::quota::resp::{Broken, Reply, SCRIPT_SHA1, command, quit, reply};
use sluice::quota::{Answer, Message, Slot};
use std::thread::sleep;
use std::time::Duration;

impl Redis {
    fn run(&self, messages: &[(Message, &str)], sha: Option<&str>) -> Vec<Reply> {
        let mut out = Vec::new();
        for (message, envoy) in messages {
            command(&mut out, message, "sluice:", envoy, sha);
        }
        quit(&mut out);
        let bytes = self.post(&out);
        let mut rest = &bytes[..];
        let mut replies = Vec::new();
        loop {
            match reply(&mut rest) {
                Ok(reply) => replies.push(reply),
                Err(end) => {
                    assert_eq!((end, rest), (Broken::Short, &b""[..]), "{}", String::from_utf8_lossy(&bytes));
                    return replies;
                }
            }
        }
    }

    fn ask(&self, message: &Message, envoy: &str) -> Answer {
        let replies = self.run(&[(*message, envoy)], Some(SCRIPT_SHA1));
        let replies = if replies[0] == Reply::NoScript { self.run(&[(*message, envoy)], None) } else { replies };
        assert_eq!(replies[1..], [Reply::Other], "{replies:?}");
        match &replies[0] {
            Reply::Answer(answer) => *answer,
            other => unreachable!("{other:?}"),
        }
    }
}

fn message(seq: u64) -> Message {
    Message {
        slot: Slot(1),
        start: 1000,
        seq,
        born: 0,
        total: 0,
        acked: 0,
        have: 0,
        need: 0,
        want: 0,
        limit: 1000,
        lease_ms: 600_000,
        keep_ms: 600_000,
    }
}

#[test]
fn the_script_has_this_name_and_is_asked_for_once() {
    let Some(redis) = redis() else { return };
    assert_eq!(redis.run(&[(message(1), "a")], Some(SCRIPT_SHA1)), [Reply::NoScript, Reply::Other]);
    let answer = redis.ask(&Message { need: 10, want: 80, ..message(1) }, "a");
    assert_eq!((answer.lease, answer.free, answer.share), (80, 920, 500));
    let replies = redis.run(&[(message(2), "b"), (message(3), "b")], Some(SCRIPT_SHA1));
    assert!(
        matches!(replies[..], [Reply::Answer(_), Reply::Answer(_), Reply::Other]),
        "the name is right: {replies:?}"
    );
}

/// Any messages of three Envoys, well behaved or not: Redis and the model say the same.
#[test]
fn redis_does_what_the_model_does() {
    let Some(redis) = redis() else { return };
    let mut model = Model::default();
    let mut random = Random(7);
    let envoys = ["a", "b", "c"];
    // By counter: the life that Redis and the model gave it.
    let mut lives = [(0, 0); 8];
    let limits = [1, 100, 10_000, 1 << 53, 1000, 77, 5, 0];
    let mut seq = 0;
    for step in 0..1500 {
        let counter = random.below(8) as usize;
        let limit = limits[counter];
        let envoy = envoys[random.below(3) as usize];
        // Now and then the one before again, or an older one.
        seq = if random.chance(100) { seq - random.below(seq.min(3) + 1) } else { seq + 1 };
        let amount = |random: &mut Random| {
            let part = [1, 4, 20][random.below(3) as usize];
            random.below(limit.min(1 << 40) / part + 2)
        };
        let knows = random.chance(800);
        let mut sent = Message {
            slot: Slot(counter as u128),
            total: amount(&mut random),
            acked: 0,
            have: amount(&mut random),
            need: if random.chance(500) { amount(&mut random) } else { 0 },
            want: amount(&mut random),
            limit,
            ..message(seq)
        };
        sent.acked = random.below(sent.total + 1);
        let born = |life: u64| if knows { life } else { 0 };
        let expected = model.run(&Message { born: born(lives[counter].1), ..sent }, envoy, 5_000_000);
        let answer = redis.ask(&Message { born: born(lives[counter].0), ..sent }, envoy);
        lives[counter] = (answer.born, expected.born);
        assert_eq!(answer, Answer { born: answer.born, ..expected }, "{step}: {sent:?}");
    }
    for (counter, limit) in limits.iter().enumerate() {
        let kept = &model.counters[&(Slot(counter as u128), 1000)];
        let known = redis.text(&["HMGET", &format!("sluice:{{{counter:032x}}}:1000"), "used", "leased"]);
        let words: Vec<_> = known.split("\r\n").collect();
        assert_eq!((words[2], words[4]), (&*kept.used.to_string(), &*kept.leased.to_string()), "{limit}");
    }
}

#[test]
fn leases_that_are_not_renewed_come_back_and_what_was_settled_stays() {
    let Some(redis) = redis() else { return };
    let short = |seq| Message { lease_ms: 300, ..message(seq) };
    let first = redis.ask(&Message { need: 600, ..short(1) }, "dies");
    assert_eq!(first.lease, 600);
    redis.ask(&Message { born: first.born, total: 200, have: 400, ..short(2) }, "dies");
    assert_eq!(redis.ask(&Message { need: 500, ..short(1) }, "lives").lease, 0, "400 are still lent, and 200 used");
    sleep(Duration::from_millis(400));
    let answer = redis.ask(&Message { need: 800, ..short(2) }, "lives");
    assert_eq!((answer.lease, answer.free), (800, 0));
    // The one that was taken for dead comes back: what it settled counts once, its lease is gone.
    let back = redis.ask(&Message { born: first.born, total: 250, acked: 200, have: 350, ..short(3) }, "dies");
    assert_eq!((back.lease, back.free), (0, 0));
}

#[test]
fn a_redis_that_was_flushed_is_told_again() {
    let Some(redis) = redis() else { return };
    let first = redis.ask(&Message { need: 100, ..message(1) }, "a");
    assert!(redis.text(&["FLUSHALL"]).starts_with("+OK"));
    let told = Message { born: first.born, total: 40, acked: 40, have: 60, ..message(2) };
    let answer = redis.ask(&told, "a");
    assert_ne!(answer.born, first.born);
    assert_eq!((answer.lease, answer.free), (60, 900), "all 40 are used again, and 60 lent");
    let again = redis.ask(&told, "a");
    assert_eq!((again.lease, again.free), (60, 900), "the same message twice counts once");
}

#[test]
fn counters_go_with_their_window() {
    let Some(redis) = redis() else { return };
    redis.ask(&Message { total: 5, keep_ms: 200, ..message(1) }, "a");
    redis.ask(&Message { start: 0, total: 5, keep_ms: 0, ..message(1) }, "a");
    assert!(redis.text(&["DBSIZE"]).starts_with(":2"));
    sleep(Duration::from_millis(400));
    assert!(redis.text(&["DBSIZE"]).starts_with(":1"), "the one without an end stays");
}

/// Whoever sends a new value of a header with each call must not fill Redis for good.
#[test]
fn a_counter_without_an_end_stays_only_once_anything_is_used() {
    let Some(redis) = redis() else { return };
    let left = |redis: &Redis| -> i64 {
        let text = redis.text(&["PTTL", &format!("sluice:{{{:032x}}}:1000", 1)]);
        text.split("\r\n").next().unwrap().trim_start_matches(':').parse().unwrap()
    };
    let first = redis.ask(&Message { need: 5, keep_ms: 0, ..message(1) }, "a");
    assert!((1_700_000..=1_800_000).contains(&left(&redis)), "longer than the lease: {}", left(&redis));
    redis.ask(&Message { born: first.born, total: 1, have: 4, keep_ms: 0, ..message(2) }, "a");
    assert_eq!(left(&redis), -1);
}

#[test]
fn numbers_are_exact_to_nine_million_dollars() {
    let Some(redis) = redis() else { return };
    let most = (1_u64 << 53) - 1;
    let answer = redis.ask(&Message { need: most - 2, limit: most, ..message(1) }, "a");
    assert_eq!((answer.lease, answer.free), (most - 2, 2));
    let next = redis.ask(&Message { need: 2, limit: most, ..message(1) }, "b");
    assert_eq!((next.lease, next.free), (2, 0));
}
