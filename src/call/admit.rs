//! A call that is made and may not leave yet: its limits are asked, and the store where they have to ask it.

use super::envoy::to_envoy;
use super::gateway::{Gateway, State};
use super::limits::Room;
use super::{Call, Step, Work};
use crate::api::Api;
use crate::config::Policy;
use crate::host::{Host, Millis};
use crate::http::{Change, Edits};
use crate::ledger::{Ledger, Letters};
use crate::limit::Limit;
use crate::quota::{Answer, Mail, Message, Quota, Sender, Table};
use crate::telemetry::{self, Sample};
use std::cell::RefCell;
use std::rc::Rc;

/// A call before its limits have let it pass.
pub(super) struct Admission {
    pub call: Call,
    pub edits: Edits,
    pub dialect: &'static dyn Api,
    pub model: Option<String>,
    /// The limit that sent it to another model than was asked for.
    pub rerouted: Option<Rc<Limit>>,
    /// How long it may wait for the store; 0: it has not yet.
    pub until: Millis,
}

/// What goes between limits and their store.
#[derive(Default)]
pub(super) struct Exchange {
    /// The store was asked for this call, and did not answer.
    pub failed: bool,
    pub messages: Vec<Message>,
}

impl Gateway {
    pub(super) fn admit(&mut self, mut admission: Box<Admission>, failed: bool, host: &dyn Host) -> Step {
        let mut exchange = Exchange { failed, messages: Vec::new() };
        let room = self.room(&mut admission, &mut exchange, host);
        self.messages.append(&mut exchange.messages);
        let Admission { dialect, .. } = *admission;
        match room {
            Ok(Room::Enough) => {}
            Ok(Room::Ask) => {
                if admission.until == 0 {
                    let wait = self.policy.store.as_ref().map_or(0, |store| store.timeout);
                    admission.until = host.now().saturating_add(wait);
                }
                self.state = State::Waiting(admission);
                return Step::wait();
            }
            Ok(Room::None(full)) => return self.refuse_full(dialect, admission.model, &full),
            Err(error) => return self.refuse(dialect, admission.model, &error),
        }
        let Admission { call, mut edits, .. } = *admission;
        match &call.work {
            Work::Chat(chat) => {
                let target = chat.plan.first().and_then(|planned| call.target(chat, planned));
                let cluster = target.map_or("", |target| target.cluster.as_str());
                let retry = call.model(chat).map(|model| &model.retry);
                to_envoy(&mut edits, cluster, chat.plan.len(), chat.stream, retry);
            }
            Work::Pass { cluster, .. } => to_envoy(&mut edits, cluster, 1, false, None),
        }
        self.state = State::Calling(Rc::new(RefCell::new(call)));
        Step { headers: Change::Some(edits), ..Step::go() }
    }

    /// The store has answered, or has not: `failed`.
    pub fn resume(&mut self, failed: bool, host: &dyn Host) -> Step {
        match std::mem::replace(&mut self.state, State::New) {
            State::Waiting(admission) => self.admit(admission, failed, host),
            other => {
                self.state = other;
                Step::go()
            }
        }
    }

    /// Until when the call waits for the store, at most.
    pub fn waits(&self) -> Option<Millis> {
        match &self.state {
            State::Waiting(admission) => Some(admission.until),
            _ => None,
        }
    }

    /// For the store, since they were last taken.
    pub fn messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }
}

/// What the store's answers have brought.
#[derive(Debug, Default)]
pub struct Brought {
    pub samples: Vec<Sample>,
    /// Lines for the process's own log.
    pub notes: Vec<String>,
}

/// A worker's side of the store that all Envoys count in: limits, and the ledger.
#[derive(Default)]
pub struct Fleet {
    pub mail: Mail,
    ledger: Letters,
    /// When it failed last; 0: it answers.
    failed: Millis,
    /// Its clock was another when it was last asked.
    skewed: bool,
    swept: Millis,
}

/// Between looks at some of the counters.
const SWEEP: Millis = 250;

/// It answers again once it has not failed for so long: an outage of a part of it is told once.
const QUIET: Millis = 2000;

/// How far clocks may be apart. Each window is counted once for all, whatever their clocks; but whoever is in another one by
/// its own has that one's budget at the same time.
const APART: Millis = 10_000;

const SILENT: &str = "it does not answer";

impl Fleet {
    /// The next post, and what of limits it consists of: for [`Self::sent`] or [`Self::lost`].
    pub fn post(&mut self, policy: &Policy, host: &dyn Host) -> Option<(Vec<u8>, Vec<Message>)> {
        let sender = sender(policy)?;
        self.mail.post(&sender).or_else(|| Some((self.ledger.post(&sender, host.now())?, Vec::new())))
    }

    pub fn sent(&mut self, token: u32, messages: Vec<Message>) {
        match messages.is_empty() {
            true => self.ledger.sent(token),
            false => self.mail.sent(token, messages),
        }
    }

    /// What is due of all counters is looked for in turn.
    pub fn sweep(&mut self, policy: &Policy, host: &dyn Host) {
        let now = host.now();
        if now.abs_diff(self.swept) >= SWEEP {
            self.swept = now;
            if !policy.limits.is_empty() {
                self.mail.sweep(&Quota::new(Table::of(host, policy.limits.pages)), now);
            }
            if policy.ledger {
                self.ledger.sweep(&Ledger(host), now);
            }
        }
    }

    /// A post could not be sent.
    pub fn lost(&mut self, messages: &[Message], now: Millis) -> Brought {
        match messages.is_empty() {
            true => self.ledger.lost(),
            false => self.mail.lost(messages),
        }
        self.told(Some("it cannot be reached"), now)
    }

    /// The answer to a post; `None`: none came.
    pub fn delivered(&mut self, token: u32, body: Option<&[u8]>, policy: &Policy, host: &dyn Host) -> Brought {
        let Some(sender) = sender(policy) else { return Brought::default() };
        let now = host.now();
        if self.ledger.has_sent(token) {
            let result = self.ledger.delivered(body.unwrap_or_default(), &sender, &Ledger(host), now);
            return self.told(body.map_or(Some(SILENT), |_| result.as_ref().err().map(String::as_str)), now);
        }
        let delivered = self.mail.delivered(token, body, &sender);
        let why = if body.is_some() { delivered.error.as_deref() } else { Some(SILENT) };
        let mut brought = self.told(why, now);
        let off = delivered.time.map_or(0, |time| time.abs_diff(now));
        if off >= APART {
            brought.samples.push(telemetry::store("skewed"));
            if !std::mem::replace(&mut self.skewed, true) {
                brought
                    .notes
                    .push(["this clock and the store's differ by seconds: ", &(off / 1000).to_string()].concat());
            }
        } else if delivered.time.is_some() {
            self.skewed = false;
        }
        let quota = Quota::new(Table::of(host, policy.limits.pages));
        for (message, answer) in &delivered.answers {
            brought.apply(message, answer, &quota, policy, now);
        }
        brought
    }

    fn told(&mut self, why: Option<&str>, now: Millis) -> Brought {
        let mut brought = Brought::default();
        brought.samples.push(telemetry::store(if why.is_some() { "failed" } else { "ok" }));
        match why {
            Some(why) => {
                if self.failed == 0 {
                    brought.notes.push(["the store of limits fails: ", why].concat());
                }
                self.failed = now.max(1);
            }
            None if self.failed > 0 && now.abs_diff(self.failed) >= QUIET => {
                self.failed = 0;
                brought.notes.push("the store of limits answers again".to_owned());
            }
            None => {}
        }
        brought
    }
}

impl Brought {
    fn apply(&mut self, message: &Message, answer: &Answer, quota: &Quota<'_>, policy: &Policy, now: Millis) {
        let crossed = quota.answered(message.slot, message.start, answer, now).unwrap_or_default();
        let Some(limit) = policy.limits.owner(message.slot).filter(|_| !crossed.is_empty()) else { return };
        for percent in crossed {
            self.samples.push(telemetry::threshold(&limit.name, percent));
            self.notes.push(format!("limit {}: {percent} % used", limit.name));
        }
    }
}

fn sender(policy: &Policy) -> Option<Sender<'_>> {
    let store = policy.store.as_ref()?;
    let login = store.password.as_ref().map(|password| (store.user.as_str(), password.expose()));
    Some(Sender { prefix: &store.prefix, envoy: &store.envoy, login })
}
