//! Once per call: from the client's headers and body to the first target.

use super::admit::Admission;
use super::envoy::{Arrival, default_dialect, envoys, keyless, replace, take_key};
use super::plan;
use super::task::{self, Task};
use super::{Call, Chat, Ending, Shared, Step, Work};
use crate::api::{APIS, Api, Asked, Line, Named, Operation};
use crate::config::{AnswerModel, Policy};
use crate::consumer::{Consumer, Identity};
use crate::error::{Error, Fault, Kind};
use crate::host::{Host, Millis};
use crate::http::{Edits, Headers, Reply};
use crate::json::{Body, Value};
use crate::quota::Message;
use crate::task::{FORMATS, Format};
use crate::telemetry::LimitEntry;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;

/// The gateway role's side of one client request.
pub struct Gateway {
    pub(super) policy: Rc<Policy>,
    id: u64,
    started: Millis,
    /// Without its query.
    pub(super) path: String,
    /// `None`: everybody may call, or it is not known yet.
    pub(super) identity: Option<Identity>,
    /// Values of the headers that limits count by.
    pub(super) counted: Vec<String>,
    pub(super) state: State,
    /// For the store.
    pub(super) messages: Vec<Message>,
}

pub(super) enum State {
    New,
    /// The body is on its way.
    Reading {
        dialect: &'static dyn Api,
        task: Option<&'static Format>,
        named: Named,
        arrival: Arrival,
        /// What came in place of it, if Envoy refused the body.
        refused: Option<Refused>,
    },
    /// For the store of its limits.
    Waiting(Box<Admission>),
    Calling(Shared),
    /// Answered here.
    Replied(Refused),
}

/// A call that no provider saw.
#[derive(Clone)]
pub struct Refused {
    pub dialect: &'static str,
    pub model: Option<String>,
    pub status: u16,
    pub error: Option<Kind>,
    /// Who called, if that is known.
    pub caller: Option<Rc<Consumer>>,
    /// The limit that had no room.
    pub limit: Option<LimitEntry>,
}

/// What there is to settle when the call is over.
pub enum Over<'g> {
    Nothing,
    Refused { refused: &'g Refused, path: &'g str, started: Millis },
    Called(&'g Shared),
}

impl Gateway {
    /// `id` is never used twice on this worker.
    pub fn new(policy: Rc<Policy>, id: u64) -> Self {
        Self {
            policy,
            id,
            started: 0,
            path: String::new(),
            identity: None,
            counted: Vec::new(),
            state: State::New,
            messages: Vec::new(),
        }
    }

    /// The call, once it goes to a provider.
    pub fn call(&self) -> Option<&Shared> {
        match &self.state {
            State::Calling(call) => Some(call),
            _ => None,
        }
    }

    /// Whether the request's body is to be brought.
    pub fn reads_body(&self) -> bool {
        matches!(self.state, State::Reading { .. })
    }

    pub fn over(&self) -> Over<'_> {
        match &self.state {
            State::Reading { refused: Some(refused), .. } | State::Replied(refused) => {
                Over::Refused { refused, path: &self.path, started: self.started }
            }
            State::New | State::Reading { .. } | State::Waiting(_) => Over::Nothing,
            State::Calling(call) => Over::Called(call),
        }
    }

    pub fn request_headers(&mut self, mut headers: Headers, end: bool, host: &dyn Host) -> Step {
        self.started = host.now();
        take_key(&mut headers);
        let method = headers.text(":method").unwrap_or_default();
        let full = headers.text(":path").unwrap_or_default();
        let (path, query) = full.split_once('?').unwrap_or((full, ""));
        self.path = path.to_owned();
        let line = Line { method, path, query, headers: &headers };
        let found = APIS.iter().find_map(|api| Some((*api, api.operation(&line)?)));
        let task = match found {
            Some(_) => None,
            None => FORMATS.iter().find_map(|format| Some((*format, (format.takes)(&line)?))),
        };
        let own = self.own_usage_asked(&line);
        let dialect = found.as_ref().map(|(dialect, _)| *dialect).or(own.as_ref().map(|(dialect, ..)| *dialect));
        let dialect = dialect.or_else(|| task.as_ref().and_then(|(format, _)| crate::api::by_name(format.dialect)));
        let policy = Rc::clone(&self.policy);
        if !policy.limits.headers.is_empty() {
            self.take_values(&headers);
        }
        if let Some(consumers) = &policy.consumers {
            match consumers.identify(self.started, &mut headers, host) {
                Ok(identity) => self.identity = Some(identity),
                Err(error) => {
                    let Some(dialect) = dialect.or_else(default_dialect) else { return Step::go() };
                    return self.refuse(dialect, None, &error);
                }
            }
        }
        if let Some((dialect, method, query)) = own {
            return self.own_usage(dialect, &method, &query, host);
        }
        match (found, task, dialect) {
            (Some((dialect, Operation::Chat(named))), ..) => self.awaited(dialect, None, named, headers, end),
            (Some((dialect, Operation::ListModels)), ..) => self.list_models(dialect),
            (Some((dialect, Operation::Model(name))), ..) => self.show_model(dialect, &name),
            (None, Some((format, named)), Some(dialect)) => self.awaited(dialect, Some(format), named, headers, end),
            _ => self.pass(headers, host),
        }
    }

    /// Whether the caller may ask for a model of that name.
    pub(super) fn may_ask(&self, model: &str) -> Result<(), Error> {
        match &self.identity {
            Some(Identity { consumer, .. }) if !consumer.may_ask(model) => Err(consumer.refusal(model)),
            _ => Ok(()),
        }
    }

    /// A request whose body says where it is to go.
    fn awaited(
        &mut self,
        dialect: &'static dyn Api,
        task: Option<&'static Format>,
        named: Named,
        headers: Headers,
        end: bool,
    ) -> Step {
        let encoding = headers.bytes("content-encoding").filter(|value| !value.eq_ignore_ascii_case(b"identity"));
        if encoding.is_some() {
            let error = Error::invalid("the body must not have a content-encoding: send it as plain JSON");
            return self.refuse(dialect, None, &error.with_status(415));
        }
        let upgrade = headers.bytes("upgrade").is_some();
        // What no model is configured for may yet be passed on whole.
        let all = task.is_some() && self.policy.other_paths.is_some();
        let arrival = Arrival::of(headers, |name| all || crate::provider::of_use(name));
        self.state = State::Reading { dialect, task, named, arrival, refused: None };
        if upgrade {
            return self.refuse(dialect, None, &Error::invalid("this path does not upgrade"));
        }
        if end {
            self.refuse(dialect, None, &Error::invalid("the body is empty: a JSON object is expected"))
        } else {
            Step::wait()
        }
    }

    /// The whole body is there.
    pub fn request_body(&mut self, body: Vec<u8>, host: &dyn Host) -> Step {
        let State::Reading { dialect, task, named, arrival, .. } = std::mem::replace(&mut self.state, State::New)
        else {
            return Step::go();
        };
        match self.start(dialect, task, named, arrival, body, host) {
            Ok(step) => step,
            Err((model, error)) => self.refuse(dialect, model, &error),
        }
    }

    fn start(
        &mut self,
        dialect: &'static dyn Api,
        task: Option<&'static Format>,
        named: Named,
        arrival: Arrival,
        body: Vec<u8>,
        host: &dyn Host,
    ) -> Result<Step, (Option<String>, Error)> {
        let form = named.form;
        let (parsed, task, model, stream) = match task {
            None => {
                let parsed = Body::parse(&body).map_err(|error| (None, error))?;
                let (model, stream) = chat_named(dialect, parsed.value(), named)?;
                (Some(parsed), None, model, stream)
            }
            Some(format) => {
                let read = task::read(format, named, &arrival.content_type, &body).map_err(|error| (None, error))?;
                let task = Task::new(format, arrival.content_type.clone(), read.fields);
                (None, Some(task), read.model, read.stream)
            }
        };
        let told = |error| (Some(model.clone()), error);
        self.may_ask(&model).map_err(told)?;
        let (index, mut plan) = match plan::targets(&self.policy, &model, self.started, host) {
            Err(_) if task.is_some() && self.policy.other_paths.is_some() => {
                return Ok(self.pass_on(dialect, arrival, host));
            }
            planned => planned.map_err(told)?,
        };
        let policy = Rc::clone(&self.policy);
        if let Some(Identity { consumer, .. }) = &self.identity {
            plan::allowed(&policy, index, &mut plan, consumer);
            if plan.is_empty() {
                return Err(told(consumer.refusal(&model)));
            }
        }

        let asked = Asked {
            model: model.clone(),
            rename: (policy.answer_model == AnswerModel::Asked).then(|| model.clone()),
            id: format!("{:x}{:x}", self.started, self.id),
            created: self.started.checked_div(1000).unwrap_or(0),
            stream_usage: false,
            form,
            schema_tool: false,
        };
        let mut chat = Chat {
            dialect,
            asked_model: model.clone(),
            model: index,
            stream,
            asked: Rc::new(asked),
            body: Vec::new(),
            task,
            request: OnceCell::new(),
            plan,
            most: self.counts_tokens(&model, index, None).then_some(u64::MAX),
            plain: None,
            counted: false,
        };
        if let Some(parsed) = &parsed {
            plan::prepare(&policy, &mut chat, &arrival.client, parsed.value());
        }
        chat.body = body;
        let (mut call, edits) = self.call_of(arrival, Work::Chat(Box::new(chat)));
        choose_first(&mut call).map_err(told)?;
        let admission = Admission { call, edits, dialect, model: Some(model), rerouted: None, until: 0 };
        Ok(self.admit(Box::new(admission), false, host))
    }

    pub(super) fn call_of(&self, arrival: Arrival, work: Work) -> (Call, Edits) {
        let Arrival { method, query, client, edits, .. } = arrival;
        let call = Call {
            policy: Rc::clone(&self.policy),
            started: self.started,
            caller: self.caller(),
            listed: self.identity.as_ref().is_none_or(|identity| identity.listed),
            work,
            method,
            path: self.path.clone(),
            query: keyless(query, self.policy.consumers.as_ref()),
            client,
            attempts: Vec::new(),
            usage: None,
            losses: Vec::new(),
            first_byte: None,
            ending: Ending::Open,
            told: None,
            meter: None,
            unsent: None,
            fault: None,
        };
        (call, edits)
    }

    pub(super) fn done(&mut self, dialect: &'static dyn Api, reply: Reply) -> Step {
        let refused = Refused {
            dialect: dialect.name(),
            model: None,
            status: reply.status,
            error: None,
            caller: self.caller(),
            limit: None,
        };
        self.state = State::Replied(refused);
        Step::reply(reply)
    }

    pub(super) fn caller(&self) -> Option<Rc<Consumer>> {
        self.identity.as_ref().map(|identity| Rc::clone(&identity.consumer))
    }

    pub(super) fn refuse(&mut self, dialect: &'static dyn Api, model: Option<String>, error: &Error) -> Step {
        let (status, body) = dialect.write_error(error);
        let caller = self.caller();
        self.state = State::Replied(Refused {
            dialect: dialect.name(),
            model,
            status,
            error: Some(error.kind),
            caller,
            limit: None,
        });
        Step::reply(Reply::json(status, body))
    }

    /// An answer is on its way to the client: an attempt's, or one that Envoy made. `read` is a call out of the
    /// module. The body that comes back replaces Envoy's own.
    pub fn response_headers(&mut self, end: bool, read: &dyn Fn() -> Headers, host: &dyn Host) -> Step {
        match &mut self.state {
            State::New | State::Replied(_) => Step::go(),
            State::Waiting(admission) => {
                let Admission { dialect, .. } = **admission;
                let status = read().status();
                let error = envoys(status);
                let model = admission.model.take();
                let caller = self.caller();
                let dialect_name = dialect.name();
                self.state = State::Replied(Refused {
                    dialect: dialect_name,
                    model,
                    status,
                    error: Some(error.kind),
                    caller,
                    limit: None,
                });
                replace(dialect, status, &error, end)
            }
            State::Reading { dialect, refused, .. } => {
                let status = read().status();
                let error = envoys(status);
                let caller = self.identity.as_ref().map(|identity| Rc::clone(&identity.consumer));
                *refused = Some(Refused {
                    dialect: dialect.name(),
                    model: None,
                    status,
                    error: Some(error.kind),
                    caller,
                    limit: None,
                });
                replace(*dialect, status, &error, end)
            }
            State::Calling(call) => call.borrow_mut().answered(end, read, host),
        }
    }
}

impl Call {
    pub(super) fn dialect(&self) -> Option<&'static dyn Api> {
        match &self.work {
            Work::Chat(chat) => Some(chat.dialect),
            Work::Pass { .. } => None,
        }
    }
}

/// The model and whether a stream is wanted, by the path or the body of a chat request.
fn chat_named(dialect: &dyn Api, body: Value<'_>, named: Named) -> Result<(String, bool), (Option<String>, Error)> {
    let model = match named.model {
        Some(model) => Some(model),
        None => body.string("model").map_err(|error| (None, error))?.map(Cow::into_owned),
    };
    let missing = || Error::field("model", "`model` must be given").with_code("missing_required_parameter");
    let model = model.filter(|name| !name.is_empty()).ok_or_else(|| (None, missing()))?;
    let stream = match named.stream {
        Some(stream) => stream,
        None => match body.boolean("stream") {
            Ok(stream) => stream.unwrap_or(dialect.streams_by_default()),
            Err(error) => return Err((Some(model), error)),
        },
    };
    Ok((model, stream))
}

/// Drops from the plan what stands before the first target that can serve the call, and makes that one ready.
pub(super) fn choose_first(call: &mut Call) -> Result<(), Error> {
    let mut refusal = None;
    loop {
        match &call.work {
            Work::Chat(chat) if !chat.plan.is_empty() => {}
            _ => break,
        }
        let Err(error) = call.make_ready(0) else { return Ok(()) };
        refusal.get_or_insert(error);
        if let Work::Chat(chat) = &mut call.work {
            chat.plan.remove(0);
        }
    }
    Err(refusal.unwrap_or_else(|| Error::new(Kind::Internal, Fault::Gateway, "the model has no target")))
}
