//! Where limits stand: counters are found by their keys, and those are made of what the configuration lists.

use super::MAX_ITEMS;
use super::params::Params;
use crate::config::Policy;
use crate::consumer::Consumer;
use crate::error::Error;
use crate::host::{Host, Millis};
use crate::json::write;
use crate::limit::{Caller, Dimension, Limit};
use crate::price::dollars;
use crate::quota::{Quota, State, Table, Unit, Window};
use std::collections::BTreeSet;
use std::rc::Rc;

/// What an answer is made of.
struct Answer<'a> {
    body: &'a mut Vec<u8>,
    policy: &'a Policy,
    host: &'a dyn Host,
    now: Millis,
    /// Keys to leave out, and to look for after them.
    offset: usize,
    limit: usize,
    /// Keys so far.
    keys: usize,
    seen: BTreeSet<u128>,
    /// Also those that nothing is counted in.
    idle: bool,
}

/// The values that a key must have.
#[derive(Default)]
struct Wanted {
    limit: Option<String>,
    consumer: Option<String>,
    team: Option<String>,
    tier: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    /// In the order of the configuration's.
    headers: Vec<Option<String>>,
}

pub fn of_all(params: &mut Params, gateways: &[Rc<Policy>], host: &dyn Host) -> Result<Vec<u8>, Error> {
    let mut wanted = Wanted {
        limit: params.take("name"),
        consumer: params.take("consumer"),
        team: params.take("team"),
        tier: params.take("tier"),
        model: params.take("model"),
        provider: params.take("provider"),
        headers: Vec::new(),
    };
    let range = params.range()?;
    let mut body = b"{\"limits\":[".to_vec();
    let (mut keys, mut seen) = (0, BTreeSet::new());
    for policy in gateways {
        let headers = policy.limits.headers.iter();
        wanted.headers = headers.map(|name| params.take(&["header:", name].concat())).collect();
        let mut answer = Answer {
            body: &mut body,
            policy,
            host,
            now: host.now(),
            offset: range.offset,
            limit: range.limit,
            keys,
            seen,
            idle: false,
        };
        answer.limits_of_policy(&wanted);
        (keys, seen) = (answer.keys, answer.seen);
    }
    body.push(b']');
    let next = range.offset.saturating_add(range.limit);
    if keys > next {
        write::number(&mut body, "next", next as u64);
    }
    body.push(b'}');
    Ok(body)
}

/// A member of an object that has begun: what is counted by who the consumer is.
pub fn of_one(body: &mut Vec<u8>, consumer: &Consumer, listed: bool, policy: &Policy, host: &dyn Host) {
    write::field(body, "limits");
    body.push(b'[');
    let now = host.now();
    let mut answer =
        Answer { body, policy, host, now, offset: 0, limit: MAX_ITEMS, keys: 0, seen: BTreeSet::new(), idle: true };
    let caller = Caller { consumer: Some(consumer), listed, ..Caller::default() };
    // Who has no team is counted with strangers.
    let own = |by: &Dimension| by.is_personal() && !caller.value(by, &policy.limits).is_empty();
    for limit in policy.limits.of(&caller).filter(|limit| limit.by.iter().any(own)) {
        answer.keys_of(limit, &caller, &Wanted::default());
    }
    body.push(b']');
}

impl Answer<'_> {
    fn limits_of_policy(&mut self, wanted: &Wanted) {
        let policy = self.policy;
        let nobody = Consumer::default();
        let mut stranger = None;
        if let (Some(name), Some(consumers)) = (&wanted.consumer, &policy.consumers)
            && consumers.named(name).is_none()
        {
            let text = |text: &Option<String>| text.as_deref().map(Rc::from);
            let name = name.as_str().into();
            stranger = Some(Consumer { name, team: text(&wanted.team), tier: text(&wanted.tier), ..nobody });
        }
        let of_name = |limit: &&Rc<Limit>| wanted.limit.as_ref().is_none_or(|name| **name == *limit.name);
        let listed = || policy.consumers.iter().flat_map(|consumers| consumers.all());
        for limit in policy.limits.all.iter().filter(of_name) {
            if limit.by.iter().any(Dimension::is_personal) {
                for consumer in listed().map(|consumer| &**consumer).chain(&stranger) {
                    self.keys_of(limit, &Caller { consumer: Some(consumer), ..Caller::default() }, wanted);
                }
            } else {
                self.keys_of(limit, &Caller::default(), wanted);
            }
        }
        for (name, own) in &policy.limits.own {
            let consumer = policy.consumers.as_ref().and_then(|consumers| consumers.named(name));
            for limit in own.iter().filter(of_name) {
                self.keys_of(
                    limit,
                    &Caller { consumer: consumer.map(|consumer| &**consumer), ..Caller::default() },
                    wanted,
                );
            }
        }
    }

    /// All keys that a limit can have for a caller.
    fn keys_of(&mut self, limit: &Limit, caller: &Caller<'_>, wanted: &Wanted) {
        let policy = self.policy;
        let by = |dimension: &Dimension| limit.by.contains(dimension);
        // Who asks for a value means the limits that are counted by it.
        let fits = |dimension, wanted: &Option<String>, value: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| by(dimension) && value.unwrap_or_default() == wanted)
        };
        let consumer = caller.consumer;
        if !fits(&Dimension::Consumer, &wanted.consumer, consumer.map(|consumer| &*consumer.name))
            || !fits(&Dimension::Team, &wanted.team, consumer.and_then(|consumer| consumer.team.as_deref()))
            || !fits(&Dimension::Tier, &wanted.tier, consumer.and_then(|consumer| consumer.tier.as_deref()))
        {
            return;
        }
        let mut headers = Vec::with_capacity(policy.limits.headers.len());
        for (at, name) in policy.limits.headers.iter().enumerate() {
            let value = wanted.headers.get(at).and_then(Option::as_ref);
            if value.is_none() && by(&Dimension::Header(name.clone())) {
                // Clients choose them: nothing lists them.
                return;
            }
            headers.push(value.cloned().unwrap_or_default());
        }
        let models: Vec<Option<&str>> = match by(&Dimension::Model) {
            true => policy.models.iter().map(|model| Some(&*model.name)).collect(),
            false => vec![None],
        };
        let providers: Vec<Option<&str>> = match by(&Dimension::Provider) {
            true => policy.providers.iter().map(|provider| Some(&*provider.name)).collect(),
            false => vec![None],
        };
        for model in models.iter().filter(|model| fits(&Dimension::Model, &wanted.model, **model)) {
            for provider in providers.iter().filter(|name| fits(&Dimension::Provider, &wanted.provider, **name)) {
                let caller = Caller {
                    model: model.map(|model| (model, model)),
                    provider: *provider,
                    headers: &headers,
                    ..*caller
                };
                let idle = self.idle && model.is_none() && provider.is_none() || limit.by.is_empty();
                self.key(limit, &caller, idle);
            }
        }
    }

    fn key(&mut self, limit: &Limit, caller: &Caller<'_>, idle: bool) {
        let place = self.keys.checked_sub(self.offset);
        if place.is_some_and(|place| place > self.limit) {
            return;
        }
        let slot = self.policy.limits.slot(limit, caller);
        if !self.seen.insert(slot.0) {
            return;
        }
        self.keys = self.keys.saturating_add(1);
        if place.is_none_or(|place| place >= self.limit) {
            return;
        }
        let quota = Quota::new(Table::of(self.host, self.policy.limits.pages));
        let state = quota.state(&limit.rule, slot, self.now);
        if idle || state.used > 0 || state.reserved > 0 {
            self.row(limit, caller, &state);
        }
    }

    fn row(&mut self, limit: &Limit, caller: &Caller<'_>, state: &State) {
        let (body, rule) = (&mut *self.body, &limit.rule);
        write::comma(body);
        body.push(b'{');
        write::text(body, "name", &limit.name);
        write::text(body, "unit", rule.unit.name());
        if rule.unit != Unit::Concurrent {
            let name = if matches!(rule.window, Window::Sliding(_)) { "sliding" } else { "window" };
            write::text(body, name, &rule.window.to_string());
        }
        write::field(body, "by");
        body.push(b'{');
        for dimension in &limit.by {
            write::comma(body);
            crate::json::quote(body, &dimension.name());
            body.push(b':');
            crate::json::quote(body, caller.value(dimension, &self.policy.limits));
        }
        body.push(b'}');
        write::flag(body, "enforced", limit.is_enforced());
        let State { used, reserved, remaining, reset } = *state;
        for (name, amount) in
            [("amount", rule.amount), ("used", used), ("reserved", reserved), ("remaining", remaining)]
        {
            write::field(body, name);
            match rule.unit {
                Unit::Usd => dollars(body, amount),
                _ => write::digits(body, amount),
            }
        }
        // A total never begins again.
        if reset > 0 {
            write::number(body, "resets_in_ms", reset);
        }
        body.push(b'}');
    }
}
