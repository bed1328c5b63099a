//! What a call holds of its limits while it runs, and what becomes of that when it is over.

use super::admit::Exchange;
use super::unread::Unread;
use super::{Call, Work};
use crate::host::{Host, Millis};
use crate::http::Edits;
use crate::json::write::digits;
use crate::limit::Limit;
use crate::quota::{Amounts, MAX_TTL, Message, Quota, Reservation, Settled, Standing, Table, Unit, When};
use crate::telemetry::LimitEntry;
use crate::tokens;
use std::cell::RefCell;
use std::rc::Rc;

/// A reservation's deadline is moved when so much of it is over.
const EXTEND: Millis = 60_000;

/// What OpenAI's clients read of limits; Envoy's order of names is that of the list.
const HEADERS: [[&str; 3]; 2] = [
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
    ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
];

/// What a call holds.
pub(super) struct Meter {
    pub(super) held: Vec<Held>,
    /// When the deadline was last moved.
    extended: Millis,
    /// For clients: of requests, of tokens.
    standings: [Option<Standing>; 2],
    /// What went to the client, for an answer that does not say what it used.
    delivered: Option<tokens::Counter>,
    unread: Option<Rc<RefCell<Unread>>>,
    /// A limit counts tokens or money.
    counts: bool,
    /// The limit that sent the call to another model than was asked for.
    rerouted: Option<Rc<Limit>>,
}

pub(super) struct Held {
    /// The provider that these limits count; `None`: all.
    pub(super) provider: Option<usize>,
    /// In the order that they were asked in.
    pub(super) limits: Vec<Rc<Limit>>,
    /// Of which the reservation holds what each limit counts.
    pub(super) upper: Amounts,
    pub(super) reservation: Reservation,
}

/// What settling has brought.
#[derive(Default)]
pub(super) struct Done {
    pub entries: Vec<LimitEntry>,
    /// Limits and percent.
    pub crossed: Vec<(Rc<str>, u8)>,
    /// Limits whose counter was that of all keys without room for their own.
    pub crowded: Vec<Rc<str>>,
    /// Limits of which the counter was lost.
    pub lost: usize,
    pub messages: Vec<Message>,
}

impl Meter {
    pub(super) fn new(now: Millis, counts: bool, rerouted: Option<Rc<Limit>>) -> Self {
        Self { held: Vec::new(), extended: now, standings: [None; 2], delivered: None, unread: None, counts, rerouted }
    }

    pub(super) fn release(self, quota: &Quota<'_>, now: Millis, exchange: &mut Exchange) {
        for held in self.held {
            settle(quota, held.reservation, &Amounts::default(), now, &mut exchange.messages);
        }
    }

    /// The tightest limit of each kind is what clients are told of.
    pub(super) fn stand(&mut self) {
        for held in &self.held {
            for (index, standing) in held.reservation.standings() {
                let Some(limit) = held.limits.get(index).filter(|limit| limit.is_enforced()) else { continue };
                let Some(place) = family(limit.rule.unit).and_then(|at| self.standings.get_mut(at)) else { continue };
                if place.is_none_or(|known| standing.remaining < known.remaining) {
                    *place = Some(*standing);
                }
            }
        }
    }
}

/// Tries again what other workers were always first at; what is left then lapses at its deadline.
fn settle(
    quota: &Quota<'_>,
    reservation: Reservation,
    used: &Amounts,
    now: Millis,
    messages: &mut Vec<Message>,
) -> Settled {
    let mut all = quota.settle(reservation, used, now, messages);
    for _ in 0..8 {
        let Some(left) = all.left.take() else { break };
        let more = quota.settle(left, used, now, messages);
        all.crossed.extend(more.crossed);
        all.lost = all.lost.saturating_add(more.lost);
        all.left = more.left;
    }
    all
}

pub(super) fn family(unit: Unit) -> Option<usize> {
    match unit {
        Unit::Requests => Some(0),
        Unit::Tokens | Unit::InputTokens | Unit::OutputTokens => Some(1),
        Unit::Concurrent | Unit::Usd => None,
    }
}

pub(super) fn told(standings: &[Option<Standing>; 2], put: &mut dyn FnMut(&'static str, Vec<u8>)) {
    for ([limit, remaining, reset], standing) in HEADERS.into_iter().zip(standings) {
        let Some(standing) = standing else { continue };
        put(limit, number(standing.limit));
        put(remaining, number(standing.remaining));
        put(reset, duration(standing.reset));
    }
}

#[inline(never)]
fn number(number: u64) -> Vec<u8> {
    let mut text = Vec::with_capacity(24);
    digits(&mut text, number);
    text
}

/// As OpenAI writes it: `120ms`, `6s`, `1m30s`, `24h0m0s`.
fn duration(time: Millis) -> Vec<u8> {
    if time < 1000 && time > 0 {
        let mut text = number(time);
        text.extend_from_slice(b"ms");
        return text;
    }
    let seconds = time.div_ceil(1000);
    let mut text = Vec::with_capacity(24);
    for (least, count, unit) in [(3600, seconds / 3600, b'h'), (60, seconds / 60 % 60, b'm'), (0, seconds % 60, b's')] {
        if seconds >= least {
            digits(&mut text, count);
            text.push(unit);
        }
    }
    text
}

impl Call {
    /// Those that the call may go to, each once.
    pub(super) fn providers(&self) -> Vec<usize> {
        let mut all = Vec::new();
        match &self.work {
            Work::Chat(chat) => {
                for planned in &chat.plan {
                    let provider = self.target(chat, planned).map(|target| target.provider);
                    all.extend(provider.filter(|provider| !all.contains(provider)));
                }
            }
            Work::Pass { provider, .. } => all.push(*provider),
        }
        all
    }

    /// Takes a provider's targets out of the plan.
    pub(super) fn leave_out(&mut self, provider: usize) {
        let policy = Rc::clone(&self.policy);
        let Work::Chat(chat) = &mut self.work else { return };
        let targets = policy.models.get(chat.model).map(|model| model.targets.as_slice()).unwrap_or_default();
        chat.plan.retain(|planned| targets.get(planned.target).is_none_or(|target| target.provider != provider));
    }

    /// A call that goes on is not taken for lost.
    pub(super) fn extend(&mut self, host: &dyn Host) {
        let Some(meter) = &mut self.meter else { return };
        let now = host.now();
        if now.saturating_sub(meter.extended) < EXTEND {
            return;
        }
        meter.extended = now;
        let quota = Quota::new(Table::of(host, self.policy.limits.pages));
        let when = When { now, ttl: MAX_TTL, failed: false };
        for held in &mut meter.held {
            quota.extend(&mut held.reservation, &when);
        }
    }

    /// Whether what goes to the client must be counted.
    pub(super) fn counts(&self) -> bool {
        self.meter.as_ref().is_some_and(|meter| meter.counts)
    }

    /// Text that went to the client.
    pub(super) fn delivered(&mut self, index: usize, text: &str) {
        let Work::Chat(chat) = &self.work else { return };
        let planned = self.attempts.get(index).and_then(|attempt| chat.plan.get(attempt.planned));
        if let (Some(planned), Some(meter)) = (planned, self.meter.as_mut().filter(|meter| meter.counts)) {
            let new = || tokens::Counter::new(tokens::Model::named(&planned.model));
            meter.delivered.get_or_insert_with(new).feed(text);
        }
    }

    /// Whether any text of the answer is known.
    pub(super) fn read_any(&self) -> bool {
        self.meter.as_ref().is_some_and(|meter| meter.delivered.is_some() || meter.unread.is_some())
    }

    /// A stream that goes to the client unread.
    pub(super) fn keep_unread(&mut self, unread: Option<Rc<RefCell<Unread>>>) {
        if let Some(meter) = &mut self.meter {
            meter.unread = unread;
        }
    }

    pub(super) fn delivered_tokens(&self) -> u64 {
        let Some(meter) = &self.meter else { return 0 };
        let read = meter.delivered.as_ref().map_or(0, |counter| counter.count().likely());
        meter.unread.as_ref().map_or(read, |unread| read.saturating_add(unread.borrow_mut().tokens()))
    }

    /// Tells the client where its limits stand, in the place of what the provider says of the gateway's.
    pub(super) fn say_limits(&self, edits: &mut Edits) {
        let Some(meter) = &self.meter else { return };
        for ([limit, remaining, reset], standing) in HEADERS.into_iter().zip(&meter.standings) {
            if standing.is_none() {
                for name in [limit, remaining, reset] {
                    edits.remove(name);
                }
            }
        }
        told(&meter.standings, &mut |name, value| edits.set(name, value));
        if meter.rerouted.is_some() {
            edits.fix("x-sluice-route-reason", "limit");
        }
    }

    /// Takes out what was reserved and counts what was used. `provider`: whose limits are charged too.
    pub(super) fn settle(&mut self, used: &Amounts, provider: Option<usize>, now: Millis, host: &dyn Host) -> Done {
        let mut done = Done::default();
        let Some(meter) = self.meter.take() else { return done };
        let upper = meter.held.last().map(|held| held.upper).unwrap_or_default();
        let quota = Quota::new(Table::of(host, self.policy.limits.pages));
        for held in meter.held {
            let charged = held.provider.is_none() || held.provider == provider;
            let used = if charged { *used } else { Amounts::default() };
            let mut over = Vec::new();
            for (index, standing) in held.reservation.standings() {
                if standing.over {
                    over.push(index);
                }
                let limit = held.limits.get(index).filter(|_| standing.crowded);
                done.crowded.extend(limit.map(|limit| Rc::clone(&limit.name)));
            }
            let settled = settle(&quota, held.reservation, &used, now, &mut done.messages);
            let lost = settled.left.map_or(0, |_| 1);
            done.lost = done.lost.saturating_add(settled.lost).saturating_add(lost);
            for crossed in settled.crossed {
                let limit = held.limits.get(crossed.index);
                done.crossed.extend(limit.map(|limit| (Rc::clone(&limit.name), crossed.percent)));
            }
            for (index, limit) in held.limits.iter().enumerate().filter(|_| charged) {
                let unit = limit.rule.unit;
                done.entries.push(LimitEntry {
                    name: Rc::clone(&limit.name),
                    unit: unit.name(),
                    outcome: if over.contains(&index) { "reported" } else { "held" },
                    reserved: held.upper.of(unit),
                    settled: used.of(unit),
                });
            }
        }
        if let Some(limit) = meter.rerouted {
            let unit = limit.rule.unit;
            let name = Rc::clone(&limit.name);
            done.entries.push(LimitEntry {
                name,
                unit: unit.name(),
                outcome: "rerouted",
                reserved: upper.of(unit),
                settled: 0,
            });
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_as_openai_writes_them() {
        for (time, text) in [
            (0, "0s"),
            (1, "1ms"),
            (999, "999ms"),
            (1000, "1s"),
            (1001, "2s"),
            (59_000, "59s"),
            (60_000, "1m0s"),
            (90_000, "1m30s"),
            (3_600_000, "1h0m0s"),
            (90_061_000, "25h1m1s"),
        ] {
            assert_eq!(String::from_utf8(duration(time)).unwrap(), text, "{time}");
        }
    }
}
