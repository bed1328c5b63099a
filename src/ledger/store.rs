//! Pages on their way to the store of the fleet's totals, and back.
//!
//! A page has one message under way, sent again as it was until it is answered: the store counts each once. The answer is
//! the whole page, in which what was told has its place.

use super::page::{Entry, FRESH, MARK, OPEN, OTHERS, ROWS, SENT, entries, kind, of_kind, put_entry, totals};
use super::{ATTEMPTS, COUNT, Ledger, PAGES, Totals, day, page};
use crate::host::Millis;
use crate::quota::Sender;
use crate::quota::resp::{self, Reply};
use std::borrow::Cow;

/// A page as the fleet has it, for Redis to run as one step. Each message counts once, whatever is sent again.
///
/// `KEYS`: the page's rows, a hash, by a row's key its totals, and by no key at all since when it has been kept; the Envoys that
/// were heard, by the number of their last message, which are milliseconds. Both outlive the last message by 93 days; an Envoy that
/// is silent is known for 31.
///
/// `ARGV`: 1 Envoy, 2 number of the message, 3 since when the Envoy knows the page, 4 today, 5 how many rows it knows; then these,
/// and then what it adds, each as a key and its totals. What it knows counts where the store has forgotten it.
///
/// The reply: since when, the number of the message, all rows. Numbers are exact to 2^53.
pub const SCRIPT: &str = include_str!("ledger.lua");

/// The name that Redis knows it by. A test on Redis fails with a name that is not its own.
pub const SCRIPT_SHA1: &str = "7d6d5a825f9a16f9bade13e3f4ba0ec6fe070139";

/// Until what is fresh is told, and until others' rows are asked for where there is nothing to tell.
const FLUSH: Millis = 1000;
const POLL: Millis = 60_000;
/// The same for a minute after somebody has looked at the totals, and the key that says when.
const EAGER: Millis = 5000;
const LOOKED: &str = "sluice.usage.looked";

/// A message that is not answered is sent again after this.
const RETRY: Millis = 2000;

/// Looks in which a worker goes through all pages, and pages in one post: 10 KB each, if they are full.
const ROUND: u32 = 16;

/// How far a page has come with the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Since when the store keeps the page, as it last said.
    born: u64,
    /// The last message, and when it was last sent; 0: it is answered.
    seq: u64,
    sent: Millis,
    /// When the store last answered.
    pub heard: Millis,
}

/// `None`: no store was ever told of the page.
pub fn mark(bytes: &[u8]) -> Option<Mark> {
    let entry = entries(bytes).find(|entry| entry.head == [MARK])?;
    let [born, seq, sent, heard, ..] = totals(entry.body).0;
    Some(Mark { born, seq, sent, heard })
}

/// The beginning of a page.
fn marked(mark: Mark) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    let Mark { born, seq, sent, heard } = mark;
    put_entry(&mut out, &[MARK], &Totals([born, seq, sent, heard, 0, 0, 0, 0]));
    out
}

/// A page whose message is under way.
#[derive(Debug)]
struct Letter {
    index: u32,
    seq: u64,
    page: Vec<u8>,
}

/// The page with a message under way, if one is due: with all that is fresh, or as it was sent before.
fn due(bytes: &[u8], poll: Millis, now: Millis) -> Option<(u64, Vec<u8>)> {
    let known = mark(bytes);
    let mut mark = known.unwrap_or_default();
    let is_fresh = |head: &[u8]| kind(head) & FRESH != 0;
    let (age, again) = (now.abs_diff(mark.heard), mark.sent > 0);
    if again {
        if now.abs_diff(mark.sent) < RETRY {
            return None;
        }
    } else {
        if age < FLUSH || age < poll && !entries(bytes).any(|entry| is_fresh(entry.head)) {
            return None;
        }
        mark.seq = mark.seq.saturating_add(1).max(now);
    }
    mark.sent = now.max(1);
    let mut out = marked(mark);
    for Entry { head, body, .. } in entries(bytes).filter(|entry| entry.head != [MARK]) {
        // What was counted before there was a store is told like all else.
        let goes = !again && (is_fresh(head) || known.is_none());
        let head = if goes { Cow::Owned(of_kind(head, kind(head) & !FRESH | SENT)) } else { Cow::Borrowed(head) };
        put_entry(&mut out, &head, &totals(body));
    }
    Some((mark.seq, out))
}

/// The page with the store's rows, and what has come since. `None`: the answer is to another message.
fn told(bytes: &[u8], seq: u64, words: &[Vec<u8>], now: Millis) -> Option<Vec<u8>> {
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
    let [born, of, rows @ ..] = words else { return None };
    mark(bytes).filter(|mark| mark.seq == seq && mark.sent > 0 && number(of) == Some(seq))?;
    let mut out = marked(Mark { born: number(born)?, seq, sent: 0, heard: now });
    for row in rows.chunks_exact(2).take(ROWS.saturating_add(OTHERS)) {
        let [head, text] = row else { continue };
        if kind(head) > OPEN || page::day(head).is_none() {
            continue;
        }
        let mut totals = Totals::default();
        for (total, text) in totals.0.iter_mut().zip(text.split(|byte| *byte == b' ')) {
            *total = number(text)?;
        }
        put_entry(&mut out, head, &totals);
    }
    for entry in entries(bytes).filter(|entry| kind(entry.head) & FRESH != 0) {
        put_entry(&mut out, entry.head, &totals(entry.body));
    }
    Some(out)
}

/// Adds a page's message as one command.
fn command(out: &mut Vec<u8>, letter: &Letter, sender: &Sender<'_>, now: Millis, sha: Option<&str>) {
    let Letter { index, seq, page } = letter;
    let (mut known, mut news) = (Vec::new(), Vec::new());
    for entry in entries(page) {
        let totals = totals(entry.body);
        match kind(entry.head) {
            MARK => {}
            kind if kind & SENT != 0 => news.push((of_kind(entry.head, kind & !SENT), totals)),
            kind if kind <= OPEN && totals != Totals::default() => known.push((entry.head.to_vec(), totals)),
            _ => {}
        }
    }
    // A hash tag: both live on one node of a cluster.
    let mut key = [sender.prefix.as_bytes(), b"{usage:"].concat();
    resp::decimal(&mut key, (*index).into());
    key.push(b'}');
    let heard = [&key, &b":heard"[..]].concat();
    let rows = known.len().saturating_add(news.len());
    resp::run(out, SCRIPT, sha, &[key, heard], rows.saturating_mul(2).saturating_add(5));
    resp::word(out, sender.envoy.as_bytes());
    let born = mark(page).unwrap_or_default().born;
    for number in [*seq, born, day(now), known.len() as u64] {
        resp::digits(out, number);
    }
    for (head, totals) in known.iter().chain(&news) {
        resp::word(out, head);
        let mut text = Vec::with_capacity(64);
        for total in totals.0 {
            resp::decimal(&mut text, total);
            text.push(b' ');
        }
        resp::word(out, &text);
    }
}

/// A worker's messages: one post at a time.
#[derive(Debug, Default)]
pub struct Letters {
    due: Vec<Letter>,
    flight: Option<u32>,
    /// The store said that it does not know the script.
    unknown: bool,
    /// The next page to be looked at.
    page: u32,
}

impl Letters {
    /// Looks through the next pages for what is due.
    pub fn sweep(&mut self, ledger: &Ledger<'_>, now: Millis) {
        if !self.due.is_empty() || PAGES.count(ledger.0).is_none() {
            return;
        }
        let looked = ledger.0.load(LOOKED).and_then(|(at, _)| at.try_into().ok()).map_or(0, Millis::from_le_bytes);
        let poll = if now.abs_diff(looked) < POLL { EAGER } else { POLL };
        for _ in 0..COUNT / ROUND {
            let index = self.page;
            self.page = self.page.wrapping_add(1) % COUNT;
            let (bytes, cas) = PAGES.load(ledger.0, index);
            if let Some((seq, page)) = due(&bytes, poll, now)
                && PAGES.store(ledger.0, index, &page, cas)
            {
                self.due.push(Letter { index, seq, page });
            }
        }
    }

    /// What to send now: for [`Self::sent`] or [`Self::lost`].
    pub fn post(&self, sender: &Sender<'_>, now: Millis) -> Option<Vec<u8>> {
        if self.flight.is_some() || self.due.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(self.due.len().saturating_mul(512));
        if let Some((user, password)) = sender.login {
            resp::login(&mut out, user, password);
        }
        let mut sha = (!self.unknown).then_some(SCRIPT_SHA1);
        for letter in &self.due {
            command(&mut out, letter, sender, now, sha);
            // It is known once it has been run.
            sha = Some(SCRIPT_SHA1);
        }
        resp::quit(&mut out);
        Some(out)
    }

    pub fn sent(&mut self, token: u32) {
        self.flight = Some(token);
    }

    /// It could not be sent, or has no answer: pages repeat it.
    pub fn lost(&mut self) {
        self.flight = None;
        self.due.clear();
    }

    pub fn has_sent(&self, token: u32) -> bool {
        self.flight == Some(token)
    }

    /// The store's answer to the post under way. Why some or all of it was none.
    pub fn delivered(
        &mut self,
        body: &[u8],
        sender: &Sender<'_>,
        ledger: &Ledger<'_>,
        now: Millis,
    ) -> Result<(), String> {
        let letters = std::mem::take(&mut self.due);
        let whole = self.unknown;
        self.lost();
        let mut rest = body;
        let mut next = || resp::reply(&mut rest).unwrap_or(Reply::Other);
        let mut result = Ok(());
        if sender.login.is_some()
            && let Reply::Error(why) = next()
        {
            result = Err(why);
        }
        for letter in letters {
            match next() {
                Reply::Words(words) => {
                    self.unknown = false;
                    ledger.answered(&letter, &words, now);
                }
                Reply::NoScript if !whole => {
                    self.unknown = true;
                    self.due.push(letter);
                }
                reply => result = result.and_then(|()| Err(reply.why())),
            }
        }
        result
    }
}

impl Ledger<'_> {
    /// Somebody looks at the totals: what other Envoys have told is read more often for a while.
    pub fn looked(&self, now: Millis) {
        self.0.store(LOOKED, &now.to_le_bytes(), None);
    }

    fn answered(&self, letter: &Letter, words: &[Vec<u8>], now: Millis) {
        for _ in 0..ATTEMPTS {
            let (bytes, cas) = PAGES.load(self.0, letter.index);
            match told(&bytes, letter.seq, words, now) {
                Some(page) if !PAGES.store(self.0, letter.index, &page, cas) => {}
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
