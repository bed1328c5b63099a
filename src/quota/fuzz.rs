//! What must hold of any bytes: what the store answers, and what shared data holds.

use super::lease::{Answer, Message};
use super::mail::{Mail, Sender};
use super::reserve::{Ask, Quota, Reserved, When};
use super::resp::{Broken, reply};
use super::table::{Closed, EMPTY, Table};
use super::windows::{Span, Window};
use super::{Amounts, Rule, Slot, Unit, codec};
use crate::host::Shared;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// 2026-11-21 08:00 UTC.
const NOW: u64 = 1_795_248_000_000;

/// Replies are the same however the bytes are cut, and each is of one message at most.
pub fn fuzz_resp(data: &[u8]) {
    let read = |mut rest: &[u8]| {
        let mut replies = Vec::new();
        loop {
            let before = rest.len();
            match reply(&mut rest) {
                Ok(reply) => replies.push(reply),
                Err(end) => break (replies, end),
            }
            assert!(rest.len() < before, "a reply of no bytes");
        }
    };
    let (whole, end) = read(data);
    for cut in 0..data.len().min(600) {
        let (replies, cut_end) = read(data.split_at(cut).0);
        assert!(whole.starts_with(&replies), "cut at {cut}");
        assert!(cut_end == Broken::Short || (cut_end == end && replies.len() == whole.len()), "cut at {cut}");
    }
    for login in [None, Some(("", "word"))] {
        let sender = Sender { prefix: "p:", envoy: "e", login };
        let mut mail = Mail::default();
        mail.add((1..4).map(message).collect());
        let sent = mail.post(&sender).map(|(_, messages)| messages).unwrap_or_default();
        mail.wait(1, &sent, NOW);
        mail.sent(9, sent.clone());
        let delivered = mail.delivered(9, Some(data), &sender);
        assert!(delivered.answers.iter().all(|(message, _)| sent.contains(message)));
        assert!(delivered.answers.len() == sent.len() || delivered.error.is_some() || mail.is_due());
        let answers: Vec<Answer> = delivered.answers.into_iter().map(|(_, answer)| answer).collect();
        let told = |answer: &Answer| whole.contains(&super::resp::Reply::Answer(*answer));
        assert!(answers.iter().all(told), "what the store did not say");
        assert_eq!(mail.woken(NOW).len(), 1, "whoever waits is told");
    }
}

fn message(seq: u64) -> Message {
    let slot = Slot(u128::from(seq));
    let (start, born, total, acked, have) = (0, 0, 0, 0, 0);
    Message { slot, start, seq, born, total, acked, have, need: 1, want: 1, limit: 9, lease_ms: 1, keep_ms: 0 }
}

/// Shared data in which every page holds these bytes.
struct Spoilt<'d>(&'d [u8], RefCell<BTreeMap<String, (Vec<u8>, u32)>>);

impl Shared for Spoilt<'_> {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        Some(self.1.borrow().get(key).cloned().unwrap_or((self.0.to_vec(), 1)))
    }

    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        let known = self.load(key).map_or(0, |(_, cas)| cas);
        let free = cas.is_none_or(|cas| cas == known);
        if free {
            self.1.borrow_mut().insert(key.to_owned(), (value.to_vec(), known.wrapping_add(1)));
        }
        free
    }
}

/// A page with one counter of these bytes.
fn page_of(slot: Slot, counter: &[u8]) -> Vec<u8> {
    let mut page = EMPTY.to_vec();
    page.extend_from_slice(&slot.0.to_le_bytes());
    codec::put_word(&mut page, NOW.saturating_add(1000));
    codec::put_sized(&mut page, |page| page.extend(counter.iter().take(8000)));
    page
}

/// A call reserves and settles there, or is refused; what it used is counted if it was held.
fn used(page: &[u8], rule: &Rule) {
    let shared = Spoilt(page, RefCell::default());
    let (quota, rule) = (Quota::new(Table::of(&shared, 1)), Rc::new(rule.clone()));
    let ask = Ask { rule: &rule, slot: rule.slot(&[]) };
    let amounts = Amounts { requests: 1, concurrent: 1, ..Amounts::default() };
    let when = When { now: NOW, ttl: 60_000, failed: false };
    for _ in 0..2 {
        if let Reserved::Held(held) = quota.reserve(&[ask], &mut amounts.into(), &when, &mut Vec::new()) {
            let before = quota.taken(&rule, ask.slot, NOW);
            assert!(before.is_some_and(|(used, held)| used.saturating_add(held) <= rule.amount));
            let settled = quota.settle(held, &amounts, NOW, &mut Vec::new());
            assert!(settled.left.is_none() && settled.lost == 0, "nobody else is there");
        }
    }
}

/// A counter that can be read is written as it was; a page of any bytes gives a counter, or says why not, and can be read ever after.
pub fn fuzz_counter(data: &[u8]) {
    if let Some(counter) = codec::decode(data) {
        let mut out = Vec::new();
        codec::encode(&counter, &mut out);
        let again = codec::decode(&out).map(|again| format!("{again:?}"));
        assert_eq!(again, Some(format!("{counter:?}")));
    }
    for window in [Window::Calendar(1, Span::Day), Window::Sliding(60_000), Window::Total] {
        for unit in [Unit::Requests, Unit::Concurrent] {
            let shared = Spoilt(data, RefCell::default());
            let table = Table::of(&shared, 1);
            let rule = Rule::new("limit", unit, window, 100);
            let slot = rule.slot(&[]);
            table.peek(&rule, slot, NOW);
            table.leased(0);
            used(&page_of(slot, data), &rule);
            match table.seat(&rule, slot, false, NOW) {
                Ok(seat) => {
                    assert!(table.keep(&rule, &seat), "nobody else is there");
                    let now = seat.moment.now;
                    let next = table.seat(&rule, slot, false, now);
                    let kept = next.map(|next| format!("{:?}", next.counter.cells.all()));
                    assert_eq!(kept, Ok(format!("{:?}", seat.counter.cells.all())));
                }
                Err(why) => assert_ne!(why, Closed::Busy, "nobody else is there"),
            }
        }
    }
}
