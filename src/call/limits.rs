//! Room for a call within its limits: reserved before it leaves, or the client is told.

use super::admit::{Admission, Exchange};
use super::gateway::{Gateway, Refused, State, choose_first};
use super::holding::{Held, Meter, family, told};
use super::measure::Care;
use super::plan;
use super::{Call, Planned, Step, Work};
use crate::api::Api;
use crate::config::Policy;
use crate::consumer::Consumers;
use crate::error::{Error, Fault, Kind};
use crate::host::{Host, Shared};
use crate::http::{Headers, Reply};
use crate::ledger::Ledger;
use crate::limit::{Caller, Exceeded, Limit, Limits};
use crate::price;
use crate::quota::{
    Amounts, Ask, MAX_TTL, Quota, Reason, Refusal, Reservation, Reserved, Table, Unit, Upper, When, who,
};
use crate::telemetry::LimitEntry;
use std::rc::Rc;

/// Makes what calls count in, when the configuration is loaded. `seed`: bytes that no other start of an Envoy has.
pub fn prepare(policy: &mut Policy, shared: &dyn Shared, seed: &dyn Fn() -> Vec<u8>) {
    if !policy.limits.is_empty() {
        let consumers = policy.consumers.as_ref().map_or(0, Consumers::count);
        policy.limits.pages = Table::prepare(shared, policy.limits.pages_for(consumers)).pages();
    }
    if policy.ledger {
        Ledger(shared).prepare();
    }
    if let Some(store) = &mut policy.store {
        store.envoy = who(shared, seed);
    }
}

/// A limit that has no room for the call.
pub(super) struct Full {
    pub limit: Rc<Limit>,
    refusal: Refusal,
    wanted: u64,
}

/// How the limits of a call turned out.
pub(super) enum Room {
    /// All have room, or there are none.
    Enough,
    None(Full),
    /// The store has to be asked first; nothing is held.
    Ask,
}

enum Untaken {
    Full(Full),
    Ask,
}

impl Gateway {
    /// The values that limits count by, of a request's headers.
    pub(super) fn take_values(&mut self, headers: &Headers) {
        let value = |name: &String| headers.bytes(name).map(|value| String::from_utf8_lossy(value).into_owned());
        self.counted = self.policy.limits.headers.iter().map(|name| value(name).unwrap_or_default()).collect();
    }

    fn subject<'c>(&'c self, model: Option<(&'c str, &'c str)>) -> Caller<'c> {
        let identity = self.identity.as_ref();
        Caller {
            consumer: identity.map(|identity| &*identity.consumer),
            listed: identity.is_some_and(|identity| identity.listed),
            model,
            provider: None,
            headers: &self.counted,
        }
    }

    /// Whether a limit needs to know what a call for that model comes to: then how much may come back is bounded.
    pub(super) fn counts_tokens(&self, asked: &str, model: usize, but: Option<&Rc<Limit>>) -> bool {
        let policy = &self.policy;
        let Some(entry) = policy.models.get(model).filter(|_| !policy.limits.is_empty()) else { return false };
        let caller = self.subject(Some((asked, &entry.name)));
        policy.limits.of(&caller).any(|limit| limit.counts_tokens() && !but.is_some_and(|but| Rc::ptr_eq(but, limit)))
    }

    /// Room for the call, at its own model or at the one that a limit sends it to: once.
    pub(super) fn room(
        &self,
        admission: &mut Admission,
        exchange: &mut Exchange,
        host: &dyn Host,
    ) -> Result<Room, Error> {
        let Admission { call, rerouted, .. } = admission;
        let full = match self.hold(call, rerouted.as_ref(), exchange, host)? {
            Room::None(full) if rerouted.is_none() => full,
            room => return Ok(room),
        };
        let Some((index, plan)) = self.elsewhere(&full.limit, host) else { return Ok(Room::None(full)) };
        let Work::Chat(chat) = &mut call.work else { return Ok(Room::None(full)) };
        let Exceeded::Route(to) = &full.limit.exceeded else { return Ok(Room::None(full)) };
        chat.model = index;
        chat.plan = plan;
        chat.most = self.counts_tokens(to, index, Some(&full.limit)).then_some(u64::MAX);
        call.losses.clear();
        choose_first(call)?;
        *rerouted = Some(Rc::clone(&full.limit));
        self.hold(call, Some(&full.limit), exchange, host)
    }

    /// Reserves what the call may use, with every limit that holds for it or with none. Targets of a provider whose limit
    /// has no room leave the plan.
    fn hold(
        &self,
        call: &mut Call,
        but: Option<&Rc<Limit>>,
        exchange: &mut Exchange,
        host: &dyn Host,
    ) -> Result<Room, Error> {
        let policy = Rc::clone(&self.policy);
        if policy.limits.is_empty() {
            return Ok(Room::Enough);
        }
        let mut upper = call.measure(Care::Bound)?;
        // Sent elsewhere, it is a call for the other model.
        let to = but.and_then(|limit| match &limit.exceeded {
            Exceeded::Route(to) => Some(to.as_str()),
            Exceeded::Reject | Exceeded::Report => None,
        });
        let model = match &call.work {
            Work::Chat(chat) => {
                let entry = policy.models.get(chat.model).map(|model| &*model.name);
                entry.map(|entry| (to.unwrap_or(&chat.asked_model).to_owned(), entry))
            }
            Work::Pass { .. } => None,
        };
        let caller = self.subject(model.as_ref().map(|(asked, entry)| (asked.as_str(), *entry)));
        let holding = policy.limits.of(&caller).filter(|limit| !but.is_some_and(|but| Rc::ptr_eq(but, limit)));
        let (of_providers, of_all): (Vec<_>, Vec<_>) = holding.cloned().partition(|limit| limit.is_by_provider());
        let counts = of_providers.iter().chain(&of_all).any(|limit| limit.counts_tokens());
        if of_providers.is_empty() && of_all.is_empty() && but.is_none() {
            return Ok(Room::Enough);
        }
        let now = host.now();
        let quota = Quota::new(Table::of(host, policy.limits.pages));
        let when = When { now, ttl: MAX_TTL, failed: exchange.failed };
        let mut meter = Meter::new(now, counts, but.cloned());
        let mut full = None;
        if !of_providers.is_empty() {
            for index in call.providers() {
                let name = policy.providers.get(index).map(|provider| &*provider.name);
                let caller = Caller { provider: name, ..caller };
                match take(&quota, &policy.limits, &caller, &of_providers, call, &mut upper, &when, exchange) {
                    Ok(reservation) => {
                        let limits = of_providers.clone();
                        meter.held.push(Held { provider: Some(index), limits, upper, reservation });
                    }
                    Err(Untaken::Full(refused)) => {
                        call.leave_out(index);
                        full.get_or_insert(refused);
                    }
                    Err(Untaken::Ask) => {
                        meter.release(&quota, now, exchange);
                        return Ok(Room::Ask);
                    }
                }
            }
        }
        let left = match &call.work {
            Work::Chat(chat) => !chat.plan.is_empty() && (full.is_none() || choose_first(call).is_ok()),
            Work::Pass { .. } => full.is_none(),
        };
        let refused = match full.filter(|_| !left) {
            Some(full) => Some(Room::None(full)),
            None => match take(&quota, &policy.limits, &caller, &of_all, call, &mut upper, &when, exchange) {
                Ok(reservation) => {
                    meter.held.push(Held { provider: None, limits: of_all, upper, reservation });
                    None
                }
                Err(Untaken::Full(full)) => Some(Room::None(full)),
                Err(Untaken::Ask) => Some(Room::Ask),
            },
        };
        if let Some(refused) = refused {
            meter.release(&quota, now, exchange);
            return Ok(refused);
        }
        meter.stand();
        call.meter = Some(Box::new(meter));
        Ok(Room::Enough)
    }

    /// What a client is told whose call a limit has no room for.
    pub(super) fn full(&self, full: &Full) -> (Error, Headers, LimitEntry) {
        let Full { limit, refusal, wanted } = full;
        let (kind, code) = match (refusal.reason, refusal.retry_after) {
            (Reason::Spent, Some(_)) => (Kind::RateLimit, "rate_limit_exceeded"),
            (Reason::Spent, None) => (Kind::RateLimit, "insufficient_quota"),
            (Reason::Down | Reason::Closed(_), _) => (Kind::Overloaded, "limit_unavailable"),
        };
        let amount = |amount: u64| limit_amount(limit.rule.unit, amount);
        let message = match kind {
            Kind::RateLimit => [
                "the limit \"",
                &limit.name,
                "\" has no room for this call: it may take ",
                &amount(*wanted),
                ", and ",
                &amount(refusal.standing.remaining),
                " of ",
                &amount(limit.rule.amount),
                " are left",
            ]
            .concat(),
            _ => ["the limit \"", &limit.name, "\" cannot be counted now"].concat(),
        };
        let mut headers = Headers::default();
        match refusal.retry_after {
            Some(wait) => headers.push("retry-after", wait.div_ceil(1000).max(1).to_string()),
            // OpenAI's and Anthropic's clients would try again by themselves.
            None => headers.fix("x-should-retry", "false"),
        }
        let mut standings = [None; 2];
        if let Some(place) = family(limit.rule.unit).and_then(|at| standings.get_mut(at)) {
            *place = Some(refusal.standing);
        }
        told(&standings, &mut |name, value| headers.push(name, value));
        let entry = LimitEntry {
            name: Rc::clone(&limit.name),
            unit: limit.rule.unit.name(),
            outcome: "refused",
            reserved: *wanted,
            settled: 0,
        };
        (Error::new(kind, Fault::Client, message).with_code(code), headers, entry)
    }

    pub(super) fn refuse_full(&mut self, dialect: &'static dyn Api, model: Option<String>, full: &Full) -> Step {
        let (error, headers, entry) = self.full(full);
        let (status, body) = dialect.write_error(&error);
        let mut reply = Reply::json(status, body);
        for (name, value) in headers.iter() {
            reply.headers.push(name.to_owned(), value);
        }
        let refused = Refused {
            dialect: dialect.name(),
            model,
            status,
            error: Some(error.kind),
            caller: self.caller(),
            limit: Some(entry),
        };
        self.state = State::Replied(refused);
        Step::reply(reply)
    }

    /// The model that a limit sends its calls to, with what of it the caller may use.
    pub(super) fn elsewhere(&self, limit: &Limit, host: &dyn Host) -> Option<(usize, Vec<Planned>)> {
        let Exceeded::Route(to) = &limit.exceeded else { return None };
        self.may_ask(to).ok()?;
        let (index, mut plan) = plan::targets(&self.policy, to, host.now(), host).ok()?;
        if let Some(identity) = &self.identity {
            plan::allowed(&self.policy, index, &mut plan, &identity.consumer);
        }
        (!plan.is_empty()).then_some((index, plan))
    }

    /// Whether a limit needs to know what calls come to of which nothing says it.
    pub(super) fn blind(&self) -> bool {
        let caller = self.subject(None);
        self.policy.limits.of(&caller).any(|limit| limit.counts_tokens() && limit.is_enforced())
    }
}

/// Reserves with all of these limits, or with none. `upper` is known better afterwards where that matters.
#[expect(clippy::too_many_arguments, reason = "all of them differ between its two callers")]
fn take(
    quota: &Quota<'_>,
    limits: &Limits,
    caller: &Caller<'_>,
    of: &[Rc<Limit>],
    call: &mut Call,
    upper: &mut Amounts,
    when: &When,
    exchange: &mut Exchange,
) -> Result<Reservation, Untaken> {
    let asks: Vec<Ask<'_>> =
        of.iter().map(|limit| Ask { rule: &limit.rule, slot: limits.slot(limit, caller) }).collect();
    let (bound, bounded) = (*upper, call.is_bounded());
    let mut count = || call.measure(Care::Count).unwrap_or(bound);
    let mut most = Upper { amounts: bound, closer: bounded.then_some(&mut count) };
    let reserved = quota.reserve(&asks, &mut most, when, &mut exchange.messages);
    *upper = most.amounts;
    let refusal = match reserved {
        Reserved::Held(reservation) => return Ok(reservation),
        Reserved::Refused(refusal) => refusal,
        Reserved::Ask => return Err(Untaken::Ask),
    };
    match of.get(refusal.index) {
        Some(limit) => {
            let wanted = upper.of(limit.rule.unit);
            Err(Untaken::Full(Full { limit: Rc::clone(limit), refusal, wanted }))
        }
        None => Ok(Reservation::default()),
    }
}

/// In the unit's own words: money in dollars.
fn limit_amount(unit: Unit, amount: u64) -> String {
    match unit {
        Unit::Usd => {
            let mut text = b"$".to_vec();
            price::dollars(&mut text, amount);
            String::from_utf8(text).unwrap_or_default()
        }
        _ => amount.to_string(),
    }
}
