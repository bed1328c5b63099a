//! Messages on their way to the store and back: gathered, sent several at a time, answered; and who waits for them.

use super::Slot;
use super::lease::{Answer, Message};
use super::reserve::Quota;
use super::resp::{self, Reply, SCRIPT_SHA1};
use crate::host::Millis;

/// Messages in one post, 600 bytes each: Redis runs them in some milliseconds.
const BATCH: usize = 200;

/// Posts of one worker that are not answered: each is a connection.
const FLIGHTS: usize = 4;

/// Messages that are kept until they can be sent. What has no place is sent again by its counter.
const MAX_QUEUE: usize = 1000;

/// Ticks in which all pages are looked through for messages that are due.
const ROUND: u32 = 16;

/// Whom the store is spoken to as.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'s> {
    /// Before every key.
    pub prefix: &'s str,
    /// This Envoy's, another after each start.
    pub envoy: &'s str,
    /// The user's name, or nothing, and the password.
    pub login: Option<(&'s str, &'s str)>,
}

#[derive(Debug, Default)]
pub struct Mail {
    queue: Vec<Message>,
    /// Each with whether the script went with it.
    flights: Vec<(u32, bool, Vec<Message>)>,
    waiting: Vec<Waiting>,
    /// The store said that it does not know the script.
    unknown: bool,
    /// The next page to be looked through.
    page: u32,
}

#[derive(Debug)]
struct Waiting {
    who: u32,
    letters: Vec<Letter>,
    until: Millis,
    failed: bool,
}

/// Which message.
type Letter = (Slot, Millis, u64);

fn letter(message: &Message) -> Letter {
    (message.slot, message.start, message.seq)
}

/// What came of a post.
#[derive(Debug, Default)]
pub struct Delivered {
    pub answers: Vec<(Message, Answer)>,
    /// Why some or all of it was not answered.
    pub error: Option<String>,
    /// The store's clock.
    pub time: Option<Millis>,
}

impl Mail {
    /// Messages to be sent; those that are on their way already are not sent twice.
    pub fn add(&mut self, messages: Vec<Message>) {
        for message in messages {
            let mut known = self.queue.iter().chain(self.flights.iter().flat_map(|(.., messages)| messages));
            if self.queue.len() < MAX_QUEUE && !known.any(|known| letter(known) == letter(&message)) {
                self.queue.push(message);
            }
        }
    }

    /// `who` is told when these are answered, or have failed, and at `until` at the latest.
    pub fn wait(&mut self, who: u32, messages: &[Message], until: Millis) {
        let letters = messages.iter().map(letter).collect();
        self.waiting.push(Waiting { who, letters, until, failed: false });
    }

    /// It waits no longer.
    pub fn forget(&mut self, who: u32) {
        self.waiting.retain(|waiting| waiting.who != who);
    }

    /// Who can go on, and whether the store failed it.
    pub fn woken(&mut self, now: Millis) -> Vec<(u32, bool)> {
        let mut woken = Vec::new();
        self.waiting.retain(|waiting| {
            let late = now >= waiting.until;
            let over = late || waiting.failed || waiting.letters.is_empty();
            if over {
                woken.push((waiting.who, waiting.failed || !waiting.letters.is_empty()));
            }
            !over
        });
        woken
    }

    /// Looks through the next counters for what is due.
    pub fn sweep(&mut self, quota: &Quota<'_>, now: Millis) {
        let pages = quota.pages();
        let mut messages = Vec::new();
        for _ in 0..pages.div_ceil(ROUND) {
            // An outage makes every counter repeat itself.
            if messages.len().saturating_add(self.queue.len()) >= MAX_QUEUE / 2 {
                break;
            }
            quota.due(self.page, now, &mut messages);
            self.page = self.page.saturating_add(1).checked_rem(pages).unwrap_or(0);
        }
        self.add(messages);
    }

    /// Whether there is something that could be sent now.
    pub fn is_due(&self) -> bool {
        !self.queue.is_empty() && self.flights.len() < FLIGHTS
    }

    /// What to send now, and what it consists of: for [`Self::sent`] or [`Self::lost`].
    pub fn post(&mut self, sender: &Sender<'_>) -> Option<(Vec<u8>, Vec<Message>)> {
        if !self.is_due() {
            return None;
        }
        let rest = self.queue.split_off(self.queue.len().min(BATCH));
        let messages = std::mem::replace(&mut self.queue, rest);
        let mut body = Vec::with_capacity(messages.len().saturating_mul(512));
        if let Some((user, password)) = sender.login {
            resp::login(&mut body, user, password);
        }
        let mut sha = (!self.unknown).then_some(SCRIPT_SHA1);
        for message in &messages {
            resp::command(&mut body, message, sender.prefix, sender.envoy, sha);
            // It is known once it has been run.
            sha = Some(SCRIPT_SHA1);
        }
        resp::time(&mut body);
        resp::quit(&mut body);
        Some((body, messages))
    }

    pub fn sent(&mut self, token: u32, messages: Vec<Message>) {
        self.flights.push((token, self.unknown, messages));
    }

    /// It could not be sent. Counters repeat what is not answered.
    pub fn lost(&mut self, messages: &[Message]) {
        messages.iter().for_each(|message| self.done(message, true));
    }

    /// The store's answer to a post; `None`: there was none.
    pub fn delivered(&mut self, token: u32, body: Option<&[u8]>, sender: &Sender<'_>) -> Delivered {
        let mut delivered = Delivered::default();
        let Some(at) = self.flights.iter().position(|(known, ..)| *known == token) else { return delivered };
        let (_, whole, messages) = self.flights.swap_remove(at);
        let mut rest = body.unwrap_or_default();
        let mut next = || resp::reply(&mut rest).unwrap_or(Reply::Other);
        if sender.login.is_some()
            && let Reply::Error(why) = next()
        {
            delivered.error = Some(why);
        }
        for message in messages {
            match next() {
                Reply::Answer(answer) => {
                    self.unknown = false;
                    self.done(&message, false);
                    delivered.answers.push((message, answer));
                }
                Reply::NoScript if !whole => {
                    self.unknown = true;
                    self.queue.push(message);
                }
                reply => {
                    self.done(&message, true);
                    delivered.error.get_or_insert_with(|| reply.why());
                }
            }
        }
        if let Reply::Words(words) = next()
            && let Some(seconds) =
                words.first().and_then(|seconds| std::str::from_utf8(seconds).ok()?.parse::<u64>().ok())
        {
            delivered.time = Some(seconds.saturating_mul(1000));
        }
        delivered
    }

    fn done(&mut self, message: &Message, failed: bool) {
        for waiting in &mut self.waiting {
            let before = waiting.letters.len();
            waiting.letters.retain(|known| *known != letter(message));
            waiting.failed |= failed && waiting.letters.len() < before;
        }
    }
}

#[cfg(test)]
mod tests;
