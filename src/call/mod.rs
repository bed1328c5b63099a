//! The flow: what is done once per call, once per attempt, and when a call ends.
//!
//! Each step is a function from what Envoy brought to a [`Step`]. The call itself is shared by the gateway role and
//! every attempt: they run on the same worker.
//!
//! May use: admin, api, chat, config, consumer, error, framing, host, http, json, ledger, limit, price, provider, quota, route, task,
//! telemetry, tokens.

mod admit;
mod answer;
pub mod attempt;
mod elsewhere;
mod envoy;
mod fields;
pub mod gateway;
mod holding;
mod limits;
mod measure;
mod plan;
mod relay;
mod request;
pub mod settle;
mod task;
mod unread;

pub use admit::{Brought, Fleet};
pub use fields::{Bill, Put};
pub use limits::prepare;

use crate::api::{Api, Asked, Bounds, Spliced, Written};
use crate::chat::{Request, Usage};
use crate::config::Policy;
use crate::consumer::Consumer;
use crate::error::{Error, Kind};
use crate::host::Millis;
use crate::http::{Change, Headers, Reply};
use crate::provider::Provider;
use crate::route::{Model, Target};
use crate::tokens::Count;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use task::Task;

/// What Envoy is to do.
#[derive(Debug, Default)]
pub struct Step {
    /// Of the direction that the step is for.
    pub headers: Change,
    /// Replace what there is of the body by this.
    pub body: Option<Vec<u8>>,
    /// Of a request's body only so many first bytes are replaced.
    pub head: Option<usize>,
    /// The cluster for the attempt after this one, should Envoy make one.
    pub after: Option<String>,
    pub next: Next,
}

#[derive(Debug, Default)]
pub enum Next {
    #[default]
    Continue,
    /// Hold what there is and bring more.
    Wait,
    /// Answer the client at once; nothing follows.
    Reply(Reply),
}

impl Step {
    fn go() -> Self {
        Self::default()
    }

    fn wait() -> Self {
        Self { next: Next::Wait, ..Self::default() }
    }

    fn reply(reply: Reply) -> Self {
        Self { next: Next::Reply(reply), ..Self::default() }
    }
}

/// Set by the gateway role: the cluster to send to.
pub const CLUSTER: &str = "x-sluice-cluster";
/// On an answer that another attempt should replace; Envoy's `retriable_headers` look for it.
pub const RETRY: &str = "x-sluice-retry";

/// The call, shared by both roles.
pub type Shared = Rc<RefCell<Call>>;

/// All that is known of one client request that went to a provider.
pub struct Call {
    pub policy: Rc<Policy>,
    pub started: Millis,
    /// Who called; `None`: everybody may.
    pub caller: Option<Rc<Consumer>>,
    /// Whether the configuration has the caller, or there is none to have.
    listed: bool,
    pub work: Work,
    /// What the client sent.
    client: Headers,
    method: String,
    /// The path, and the query with its `?` or empty.
    path: String,
    query: String,
    pub attempts: Vec<Attempted>,
    pub usage: Option<Usage>,
    pub losses: Vec<(usize, &'static str)>,
    /// When the first event of the answer came.
    pub first_byte: Option<Millis>,
    pub ending: Ending,
    /// The status that the client was told, where it is not the last attempt's.
    told: Option<u16>,
    /// What it holds of its limits.
    meter: Option<Box<holding::Meter>>,
    /// The body for an answer that came without one: Envoy takes it only as a reply of the gateway role's.
    unsent: Option<Reply>,
    /// What is wrong around the module.
    fault: Option<String>,
}

/// What is asked of the provider.
pub enum Work {
    Chat(Box<Chat>),
    /// A path that no dialect knows, passed on as it is.
    Pass {
        provider: usize,
        cluster: String,
    },
}

pub struct Chat {
    pub dialect: &'static dyn Api,
    /// As the client wrote it.
    pub asked_model: String,
    /// Index into the policy's models.
    pub model: usize,
    pub stream: bool,
    asked: Rc<Asked>,
    /// Empty once an answer has begun: no attempt follows.
    body: Vec<u8>,
    /// What is asked for, if it is no chat.
    task: Option<Task>,
    /// The body read, once a target of another API needed it.
    request: OnceCell<Result<Rc<Request>, Error>>,
    pub plan: Vec<Planned>,
    /// Tokens that all answers together may have, once a limit needs to know; the most there are, until that is measured.
    most: Option<u64>,
    /// Its messages and bounds, if it is nothing but text: enough to say what it comes to at most.
    plain: Option<(u64, Bounds)>,
    /// Whether the inputs of the plan's targets are counted; else they are bounds.
    counted: bool,
}

/// A target that this call may try.
pub struct Planned {
    /// Index into the model's targets.
    pub target: usize,
    /// The provider's name of the model.
    pub model: Rc<str>,
    /// It was left out, or stands behind others and may have been: not looked up, for it is seldom tried.
    cooling: bool,
    /// Its request, if that is made already.
    ready: Option<Ready>,
    /// What its answer must be read with.
    terms: Terms,
    /// Tokens of the request as this model counts them, and the most of its answers: measured where a limit needs it.
    input: Count,
    output: u64,
}

impl Planned {
    fn new(target: usize, model: Rc<str>, cooling: bool) -> Self {
        Self { target, model, cooling, ready: None, terms: Terms::default(), input: Count::Exact(0), output: 0 }
    }
}

/// What was done to a request that shows in its answer.
#[derive(Clone, Copy, Default)]
struct Terms {
    /// Usage was asked for on the client's behalf.
    hide_usage: bool,
    /// A forced tool stood in for a JSON schema.
    schema_tool: bool,
    /// The client wants usage in its stream.
    stream_usage: bool,
}

/// A request in the provider's API.
enum Ready {
    Same(Spliced),
    Other(Written),
}

/// An attempt that was made.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// Index into the plan.
    pub planned: usize,
    pub started: Millis,
    pub ended: Option<Millis>,
    /// 0 until it answers.
    pub status: u16,
    pub outcome: Outcome,
    /// Its target was left out after it.
    pub cooled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Asked, not answered.
    Pending,
    /// Its answer goes to the client.
    Answered,
    /// It failed, and its error goes to the client unless Envoy makes another attempt, as is asked for with `retry`.
    Failed { kind: Kind, retry: bool },
}

/// How the answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Not yet: if the call is over, the client has left or Envoy has cut it.
    Open,
    Complete,
    /// With an error, of the provider's or of Envoy's own.
    Error(Kind),
    /// The provider's stream broke off.
    Cut,
}

impl Call {
    fn model(&self, chat: &Chat) -> Option<&Model> {
        self.policy.models.get(chat.model)
    }

    pub fn target<'c>(&'c self, chat: &Chat, planned: &Planned) -> Option<&'c Target> {
        self.model(chat)?.targets.get(planned.target)
    }

    pub fn provider(&self, index: usize) -> Option<&Provider> {
        self.policy.providers.get(index)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_relay;
