//! When an attempt or a call is over: cool-downs, the log entry, the samples.

use super::gateway::{Over, Refused};
use super::holding::Done;
use super::{Attempted, Bill, Call, Chat, Ending, Outcome, Work};
use crate::chat::Usage;
use crate::error::Kind;
use crate::host::{Host, Millis};
use crate::ledger::{Key, Ledger, Totals};
use crate::price::Nanos;
use crate::provider::Auth;
use crate::quota::{Amounts, Message};
use crate::route::{Cooldowns, MAX_COOLDOWN};
use crate::telemetry::{self, AttemptEntry, Entry, Labels, Sample};
use std::rc::Rc;

/// Bytes of a client's own word in the log.
const MAX_LOGGED: usize = 256;

/// What is reported of a call.
#[derive(Debug, Default)]
pub struct Report {
    /// For the access log.
    pub log: Vec<u8>,
    /// For Envoy's other filters.
    pub bill: Option<Bill>,
    pub samples: Vec<Sample>,
    /// Lines for the process's own log.
    pub notes: Vec<String>,
    /// One that is the same for many calls: what is wrong around the module.
    pub fault: Option<String>,
    /// For the store of limits.
    pub messages: Vec<Message>,
}

pub fn report(over: &Over<'_>, host: &dyn Host) -> Option<Report> {
    match over {
        Over::Nothing => None,
        Over::Refused { refused, path, started } => {
            Some(refused_report(refused, path, host.now().saturating_sub(*started)))
        }
        Over::Called(call) => Some(call.borrow_mut().report(host)),
    }
}

fn refused_report(refused: &Refused, path: &str, duration: Millis) -> Report {
    let error = refused.error.map(Kind::name);
    let entry = Entry {
        dialect: refused.dialect,
        path: cut(path),
        model: refused.model.as_deref().map(cut),
        consumer: refused.caller.as_ref().map(|caller| &*caller.name),
        team: refused.caller.as_ref().and_then(|caller| caller.team.as_deref()),
        status: refused.status,
        ended: if error.is_some() { "error" } else { "complete" },
        error,
        duration_ms: duration,
        limits: refused.limit.as_slice(),
        ..Entry::default()
    };
    let labels = Labels { dialect: Some(refused.dialect), ..Labels::default() };
    let mut samples = vec![telemetry::request(&labels, refused.status, error)];
    samples.extend(refused.limit.as_ref().and_then(telemetry::limit));
    Report { log: entry.to_json(), samples, ..Report::default() }
}

impl Call {
    /// An attempt that never answered has failed; another follows, or Envoy has answered.
    pub(super) fn unanswered(&mut self, kind: Kind, host: &dyn Host) {
        let Some(index) = self.attempts.len().checked_sub(1) else { return };
        let limit = self.limit();
        let Some(last) = self.attempts.get_mut(index) else { return };
        let waited = limit > 0 && host.now().saturating_sub(last.started) >= limit;
        if last.outcome == Outcome::Pending {
            let kind = if waited { Kind::Timeout } else { kind };
            last.outcome = Outcome::Failed { kind, retry: true };
            last.ended = Some(host.now());
            self.cool(index, kind, None, host);
        }
    }

    /// How long an attempt may take to answer; 0: no limit.
    fn limit(&self) -> Millis {
        let Work::Chat(chat) = &self.work else { return 0 };
        self.model(chat).map_or(0, |model| model.retry.limit(chat.stream))
    }

    /// Leaves an attempt's target out for a while, if it was the target that failed.
    pub(super) fn cool(&mut self, index: usize, kind: Kind, retry_after: Option<Millis>, host: &dyn Host) {
        let Some(planned) = self.attempts.get(index).map(|attempt| attempt.planned) else { return };
        if self.leave_alone(planned, kind, retry_after, host)
            && let Some(attempt) = self.attempts.get_mut(index)
        {
            attempt.cooled = true;
        }
    }

    /// Envoy had no host for the target that was next: no attempt was made of it, and the next call does better.
    pub(super) fn hostless(&self, host: &dyn Host) {
        let Work::Chat(chat) = &self.work else { return };
        if let Some(next) = self.untried(chat).next() {
            self.leave_alone(next, Kind::Unreachable, None, host);
        }
    }

    fn leave_alone(&self, planned: usize, kind: Kind, retry_after: Option<Millis>, host: &dyn Host) -> bool {
        let its_own = matches!(kind, Kind::ContextLength | Kind::ContentPolicy | Kind::InvalidRequest);
        let Work::Chat(chat) = &self.work else { return false };
        let target = chat.plan.get(planned).and_then(|planned| self.target(chat, planned));
        let (Some(model), Some(target)) = (self.model(chat), target) else { return false };
        // One client's word, or key, must not leave a provider out for all others.
        let clients = match kind {
            Kind::NotFound | Kind::ModelNotFound => target.model.is_none(),
            Kind::Authentication | Kind::Permission => {
                self.provider(target.provider).is_some_and(|provider| provider.auth == Auth::Client)
            }
            _ => false,
        };
        if its_own || clients || model.retry.cooldown == 0 || !model.retry.on.contains(&kind) {
            return false;
        }
        let time = retry_after.unwrap_or(0).clamp(model.retry.cooldown, MAX_COOLDOWN.max(model.retry.cooldown));
        Cooldowns(host).cool(&target.key, host.now().saturating_add(time));
        true
    }

    /// A target that was tried while it was left out, and answered, is back.
    pub(super) fn clear_cooldown(&self, index: usize, host: &dyn Host) {
        let Work::Chat(chat) = &self.work else { return };
        let planned = self.attempts.get(index).and_then(|attempt| chat.plan.get(attempt.planned));
        let Some(planned) = planned.filter(|planned| planned.cooling) else { return };
        if let Some(target) = self.target(chat, planned) {
            Cooldowns(host).clear(&target.key);
        }
    }

    /// The end of the call, however it came.
    fn report(&mut self, host: &dyn Host) -> Report {
        let now = host.now();
        let left = self.ending == Ending::Open && host.client_left();
        let (cost, charged, mut done) = self.charge(left, now, host);
        let messages = std::mem::take(&mut done.messages);
        let usage = charged.or(self.usage);
        let last = self.attempts.last();
        let answered = last.is_some_and(|attempt| attempt.outcome != Outcome::Pending);
        let status = if answered { last.map_or(0, |attempt| attempt.status) } else { 0 };
        let (ended, error) = match self.ending {
            Ending::Complete => ("complete", None),
            Ending::Error(kind) => ("error", Some(kind)),
            Ending::Cut => ("provider_cut", Some(Kind::BadAnswer)),
            Ending::Open if left => ("client_left", None),
            Ending::Open => ("provider_cut", Some(Kind::BadAnswer)),
        };
        let error = error.map(Kind::name);
        let duration = now.saturating_sub(self.started);
        let first = self.first_byte.map(|at| at.saturating_sub(self.started));
        let mut samples = Vec::with_capacity(8);

        let chat = match &self.work {
            Work::Chat(chat) => Some(&**chat),
            Work::Pass { .. } => None,
        };
        let used = last.and_then(|attempt| Some((attempt, chat?)));
        let provider = self.used_provider();
        let labels = Labels {
            dialect: chat.map(|chat| chat.dialect.name()),
            model: chat.and_then(|chat| self.model(chat)).map(|model| Rc::clone(&model.name)),
            provider: provider.clone(),
        };
        let shown = self.shown_status(status);
        samples.push(telemetry::request(&labels, shown, error));
        samples.push(telemetry::duration(&labels, duration));
        if let Some(usage) = &usage {
            samples.extend(telemetry::tokens(&labels, usage));
        }
        if let (Some(first), Some(true)) = (first, chat.map(|chat| chat.stream)) {
            samples.push(telemetry::first_token(&labels, first));
            let rest = duration.saturating_sub(first);
            let output = usage.map_or(0, |usage| usage.output);
            samples.extend(rest.checked_div(output).map(|each| telemetry::per_token(&labels, each)));
        }
        for attempt in &self.attempts {
            let name = self.provider_of(chat, attempt);
            samples.push(telemetry::attempt(name.clone(), outcome(attempt)));
            if attempt.cooled {
                samples.push(telemetry::cooldown(name));
            }
        }
        if let Some(usage) = &charged {
            samples.extend(telemetry::token_totals(&labels, usage));
        }
        if let Some(caller) = self.caller.as_ref().filter(|_| self.listed) {
            samples.extend(telemetry::consumer(&caller.name, caller.team.as_ref(), cost.unwrap_or(0)));
        }
        samples.extend(cost.filter(|cost| *cost > 0).map(|cost| telemetry::cost(&labels, cost)));
        samples.extend(done.entries.iter().filter_map(telemetry::limit));
        samples.extend(done.crossed.iter().map(|(limit, percent)| telemetry::threshold(limit, *percent)));
        samples.extend(done.crowded.iter().map(telemetry::crowded));
        if done.lost > 0 {
            samples.push(telemetry::lost(done.lost as u64));
        }
        if self.policy.ledger && !self.enter(&labels, charged, cost, error.is_some(), host) {
            samples.push(telemetry::ledger_lost());
        }
        let crossed = done.crossed.iter().map(|(limit, percent)| format!("limit {limit}: {percent} % used"));
        let notes = crossed.collect();
        for (provider, field) in &self.losses {
            samples.push(telemetry::loss(self.provider(*provider).map(|p| Rc::clone(&p.name)), field));
        }

        let entry = Entry {
            dialect: labels.dialect.unwrap_or("none"),
            path: cut(&self.path),
            operation: chat.map(|chat| chat.task.as_ref().map_or("chat", |task| task.format.operation.name())),
            model: chat.map(|chat| cut(&chat.asked_model)),
            target_model: used.and_then(|(attempt, chat)| Some(&*chat.plan.get(attempt.planned)?.model)).map(cut),
            provider: provider.as_deref(),
            consumer: self.caller.as_ref().map(|caller| &*caller.name),
            team: self.caller.as_ref().and_then(|caller| caller.team.as_deref()),
            stream: chat.is_some_and(|chat| chat.stream),
            status: shown,
            ended,
            error,
            attempts: self.attempts.iter().filter_map(|attempt| self.attempt_entry(chat, attempt, now)).collect(),
            usage: usage.map(Into::into),
            time_to_first_byte_ms: first,
            duration_ms: duration,
            losses: self.losses.iter().map(|(_, field)| *field).collect(),
            cost_usd: cost,
            limits: &done.entries,
        };
        Report {
            log: entry.to_json(),
            bill: self.bill(charged, cost),
            samples,
            notes,
            fault: self.fault.take(),
            messages,
        }
    }

    /// Counts the call in the ledger, on the day that it began.
    fn enter(&self, labels: &Labels, used: Option<Usage>, cost: Option<Nanos>, error: bool, host: &dyn Host) -> bool {
        let caller = self.caller.as_deref();
        let key = Key {
            consumer: caller.map_or("", |caller| &caller.name),
            team: caller.and_then(|caller| caller.team.as_deref()).unwrap_or_default(),
            model: labels.model.as_deref().unwrap_or_default(),
            provider: labels.provider.as_deref().unwrap_or_default(),
            open: !self.listed,
        };
        Ledger(host).add(&key, &Totals::of(&used.unwrap_or_default(), cost.unwrap_or(0), error), self.started)
    }

    /// Settles the call's limits; what it cost, and what it is charged for. An attempt that failed costs nothing.
    fn charge(&mut self, left: bool, now: Millis, host: &dyn Host) -> (Option<Nanos>, Option<Usage>, Done) {
        let mut amounts = Amounts::default();
        let (mut cost, mut charged, mut provider) = (None, None, None);
        let last = self.attempts.last().filter(|last| match last.outcome {
            Outcome::Answered => true,
            // It was asked, and nobody told it that its answer is not waited for any longer.
            Outcome::Pending => left,
            Outcome::Failed { .. } => false,
        });
        if let Some(last) = last {
            amounts.requests = 1;
            match &self.work {
                Work::Pass { provider: index, .. } => provider = Some(*index),
                Work::Chat(chat) => {
                    let planned = chat.plan.get(last.planned);
                    provider = planned.and_then(|planned| self.target(chat, planned)).map(|target| target.provider);
                    if let Some(planned) = planned {
                        charged = self.used(chat, last);
                        let usage = charged.unwrap_or_default();
                        amounts.input_tokens = usage.input;
                        amounts.output_tokens = usage.output;
                        let name = provider.and_then(|index| self.provider(index)).map(|provider| &*provider.name);
                        let price = self.policy.prices.find(name.unwrap_or_default(), &planned.model);
                        // Of a call whose tokens nobody knows, what each call costs.
                        cost = price.map(|price| price.cost(&usage)).filter(|cost| charged.is_some() || *cost > 0);
                        amounts.usd = cost.unwrap_or(0);
                    }
                }
            }
        }
        (cost, charged, self.settle(&amounts, provider, now, host))
    }

    /// What an attempt used: as its provider says, else as it was counted here, where a limit needs that.
    fn used(&self, chat: &Chat, last: &Attempted) -> Option<Usage> {
        let complete = self.ending == Ending::Complete;
        // Ollama may leave out a prompt that it had kept. One that was blocked has no output either.
        let silent = |usage: &Usage| usage.input == 0 && usage.output > 0 && chat.task.is_none();
        if !self.counts() || (complete && self.usage.is_some_and(|usage| !silent(&usage))) {
            return self.usage;
        }
        let planned = chat.plan.get(last.planned)?;
        let mut usage = self.usage.unwrap_or_default();
        if usage.input == 0 {
            usage.input = self.input(chat, planned);
        }
        let answered = last.outcome == Outcome::Answered;
        let unread = chat.task.is_some() || complete && !self.read_any();
        let output = match self.usage {
            Some(told) if complete => told.output,
            // What was reserved counts: nothing better is known.
            None if answered && unread => planned.output,
            _ => self.delivered_tokens(),
        };
        usage.output = usage.output.max(output);
        Some(usage)
    }

    /// The status as the client saw it: a failed attempt's is what its error is told as.
    fn shown_status(&self, provider: u16) -> u16 {
        self.told.unwrap_or(provider)
    }

    fn used_provider(&self) -> Option<Rc<str>> {
        match &self.work {
            Work::Pass { provider, .. } => self.provider(*provider).map(|provider| Rc::clone(&provider.name)),
            Work::Chat(chat) => self.provider_of(Some(chat), self.attempts.last()?),
        }
    }

    fn provider_of(&self, chat: Option<&Chat>, attempt: &Attempted) -> Option<Rc<str>> {
        let Some(chat) = chat else { return self.used_provider() };
        let target = self.target(chat, chat.plan.get(attempt.planned)?)?;
        self.provider(target.provider).map(|provider| Rc::clone(&provider.name))
    }

    fn attempt_entry<'c>(
        &'c self,
        chat: Option<&'c Chat>,
        attempt: &Attempted,
        now: Millis,
    ) -> Option<AttemptEntry<'c>> {
        let planned = chat?.plan.get(attempt.planned)?;
        let target = self.target(chat?, planned)?;
        Some(AttemptEntry {
            provider: &self.provider(target.provider)?.name,
            cluster: target.cluster.as_str(),
            model: cut(&planned.model),
            status: attempt.status,
            outcome: outcome(attempt),
            duration_ms: attempt.ended.unwrap_or(now).saturating_sub(attempt.started),
        })
    }
}

fn outcome(attempt: &Attempted) -> &'static str {
    match attempt.outcome {
        Outcome::Pending => "none",
        Outcome::Answered => "ok",
        Outcome::Failed { kind, .. } => kind.name(),
    }
}

/// The first bytes of it, whole characters.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_LOGGED);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}
