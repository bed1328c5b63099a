//! What becomes of an attempt's answer: delivered, or failed and perhaps tried again elsewhere.

use super::relay::{self, Relay};
use super::{Call, Ending, Outcome, RETRY, Step, Work, task};
use crate::api::{Api, Asked, Form, Seen};
use crate::chat::{Part, Usage};
use crate::error::{Error, Fault, Kind};
use crate::host::Host;
use crate::http::{Change, Edits, Headers, Reply};
use crate::json;
use crate::provider;
use crate::task::Format;
use std::cell::OnceCell;
use std::rc::Rc;

/// Answer headers that are the provider's business with the gateway.
const NOT_FOR_CLIENTS: &[&str] = &[
    "set-cookie",
    "alt-svc",
    "strict-transport-security",
    "openai-organization",
    "openai-project",
    "anthropic-organization-id",
    "www-authenticate",
    "server",
    "via",
    "location",
    "report-to",
    "nel",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-allow-credentials",
];

/// What an attempt needs to know of where it goes.
pub(super) struct Bound {
    pub(super) dialect: &'static dyn Api,
    pub(super) api: &'static dyn Api,
    provider: usize,
    model: Rc<str>,
    asked: Rc<Asked>,
    schema_tool: bool,
    stream_usage: bool,
    /// The provider's format, if the call is no chat.
    pub(super) task: Option<&'static Format>,
    /// The answer's bytes are the client's as they are.
    passes: bool,
    kind: &'static provider::Kind,
    pub(super) hide_usage: bool,
}

impl Bound {
    pub(super) fn same(&self) -> bool {
        self.passes
    }

    /// The provider's name of the model.
    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// What the answer must be written by.
    pub(super) fn asked(&self) -> Asked {
        Asked { schema_tool: self.schema_tool, stream_usage: self.stream_usage, ..(*self.asked).clone() }
    }

    /// The media type of the client's stream.
    pub(super) fn stream_type(&self) -> &'static str {
        self.dialect.stream_type(self.asked.form)
    }

    /// The media type of the provider's.
    pub(super) fn provider_stream(&self) -> &'static str {
        self.kind.transcode.map_or_else(|| self.api.stream_type(Form::Usual), |(media_type, _)| media_type)
    }

    /// The provider's stream, on its way.
    pub(super) fn relay(&self) -> Relay {
        let relay = match self.same() {
            true => Relay::same(self.api, self.hide_usage, self.rename().map(str::to_owned)),
            false => Relay::other(self.api, self.dialect, self.asked()),
        };
        relay.transcoded(self.kind.transcode.map(|(_, new)| new()))
    }

    /// The name that the answer's model is given.
    pub(super) fn rename(&self) -> Option<&str> {
        self.asked.rename.as_deref()
    }
}

impl Call {
    /// What an attempt's answer is read and written by; `None` for a path that is only passed on.
    pub(super) fn bound(&self, index: usize) -> Option<Bound> {
        let Work::Chat(chat) = &self.work else { return None };
        let entry = chat.plan.get(self.attempts.get(index)?.planned)?;
        let provider = self.target(chat, entry)?.provider;
        let kind = self.provider(provider)?.kind;
        let served = chat.served(self.provider(provider)?, &entry.model)?;
        Some(Bound {
            passes: served.same,
            task: served.format,
            dialect: chat.dialect,
            api: served.api,
            provider,
            kind,
            model: Rc::clone(&entry.model),
            asked: Rc::clone(&chat.asked),
            schema_tool: entry.terms.schema_tool,
            stream_usage: entry.terms.stream_usage,
            hide_usage: entry.terms.hide_usage,
        })
    }

    pub(super) fn record(&mut self, index: usize, outcome: Outcome) {
        if let Some(record) = self.attempts.get_mut(index) {
            record.outcome = outcome;
        }
    }

    /// The answer goes to the client: its headers, freed of what is not the client's. No attempt follows.
    pub(super) fn deliver(&mut self, index: usize, headers: &Headers, bound: &Bound, host: &dyn Host) -> Edits {
        self.record(index, Outcome::Answered);
        self.told = None;
        self.time(index, host);
        self.clear_cooldown(index, host);
        self.settled_on();
        let mut edits = for_client(headers);
        self.say_where(&mut edits, &bound.model, bound.provider);
        self.say_limits(&mut edits);
        edits
    }

    /// A call that is being answered needs its request no more.
    pub(super) fn settled_on(&mut self) {
        let keeps = self.keeps_request();
        if let Work::Chat(chat) = &mut self.work {
            // Read or not: one of them is enough.
            if !keeps || chat.request.get().is_some() {
                chat.body = Vec::new();
            }
            if !keeps {
                chat.request = OnceCell::new();
            }
            if let Some(task) = &mut chat.task {
                task.forget();
            }
            for planned in &mut chat.plan {
                planned.ready = None;
            }
        }
    }

    pub(super) fn say_where(&self, edits: &mut Edits, model: &str, provider: usize) {
        edits.set("x-sluice-model", model);
        if let Some(provider) = self.provider(provider) {
            edits.set("x-sluice-provider", provider.name.as_bytes());
        }
        match self.attempts.len() {
            1 => edits.fix("x-sluice-attempts", "1"),
            several => edits.set("x-sluice-attempts", several.to_string()),
        }
    }

    pub(super) fn time(&mut self, index: usize, host: &dyn Host) {
        let now = host.now();
        if let Some(record) = self.attempts.get_mut(index) {
            record.ended = Some(now);
        }
        self.first_byte.get_or_insert(now);
    }

    pub(super) fn pass_headers(&mut self, index: usize, headers: &Headers, end: bool, host: &dyn Host) -> Step {
        self.record(index, Outcome::Answered);
        self.time(index, host);
        if end {
            self.ending = Ending::Complete;
        }
        let mut edits = for_client(headers);
        if let Work::Pass { provider, .. } = &self.work
            && let Some(provider) = self.provider(*provider)
        {
            edits.set("x-sluice-provider", provider.name.as_bytes());
        }
        self.say_limits(&mut edits);
        Step { headers: Change::Some(edits), ..Step::go() }
    }

    /// A whole answer, of any status.
    pub(super) fn whole(&mut self, index: usize, headers: &Headers, body: &[u8], host: &dyn Host) -> Step {
        let Some(bound) = self.bound(index) else { return Step::go() };
        let status = headers.status();
        if status >= 300 {
            let error = bound.api.read_error(status, body);
            let own = bound.same() && !bound.kind.foreign_errors && presentable(&error, body);
            return self.failed(index, headers, error, own.then_some(body), host);
        }
        let answer = body;
        let mut seen = Seen::default();
        let translated = match bound.same() {
            true if bound.task.is_some() => {
                seen.usage = bound.task.and_then(|format| task::usage(format, headers, body));
                Ok(bound.rename().and_then(|name| relay::rename_model(body, name)))
            }
            true => {
                bound.api.watch_answer(body, &mut seen);
                let renamed = bound.rename().and_then(|name| relay::rename_model(body, name));
                Ok(renamed)
            }
            false if bound.task.is_some() => self.task_answer(&bound, headers, body).map(|(body, usage)| {
                seen.usage = usage;
                Some(body)
            }),
            false => bound.api.read_answer(body).map(|answer| {
                seen.usage = answer.usage;
                Some(bound.dialect.write_answer(&answer, &bound.asked()))
            }),
        };
        let error = seen.error.take();
        let body = match (translated, error) {
            (Ok(body), None) => body,
            (Err(error), _) | (_, Some(error)) => {
                let status = if error.status < 400 { error.kind.status() } else { error.status };
                return self.failed(index, headers, error.with_status(status), None, host);
            }
        };
        self.usage = seen.usage;
        if seen.usage.is_none() && self.counts() && bound.task.is_none() {
            self.count_answer(index, &bound, answer);
        }
        self.ending = Ending::Complete;
        let mut edits = self.deliver(index, headers, &bound, host);
        if let Some(body) = &body {
            edits.fix("content-type", "application/json");
            edits.set_body_len(body.len());
            edits.remove("trailer");
        }
        Step { headers: Change::Some(edits), body, ..Step::go() }
    }

    fn task_answer(&self, bound: &Bound, headers: &Headers, body: &[u8]) -> Result<(Vec<u8>, Option<Usage>), Error> {
        match (&self.work, bound.task) {
            (Work::Chat(chat), Some(format)) => chat.task_answer(format, headers, body),
            _ => Err(Error::new(Kind::Internal, Fault::Gateway, "the call is no task")),
        }
    }

    /// Counts a whole answer that does not say what it used.
    fn count_answer(&mut self, index: usize, bound: &Bound, body: &[u8]) {
        let Ok(answer) = bound.api.read_answer(body) else { return };
        for part in answer.choices.iter().flat_map(|choice| &choice.parts) {
            match part {
                Part::Text { text, .. } | Part::Refusal { text } | Part::Thinking { text, .. } => {
                    self.delivered(index, text);
                }
                Part::ToolCall { name, arguments, .. } => {
                    self.delivered(index, name);
                    self.delivered(index, arguments);
                }
                _ => {}
            }
        }
    }

    /// An answer that is an error: Envoy is told to make another attempt where one may help, and has the client's
    /// error at hand if it does not. `own`: the client reads the provider's body as it is.
    pub(super) fn failed(
        &mut self,
        index: usize,
        headers: &Headers,
        error: Error,
        own: Option<&[u8]>,
        host: &dyn Host,
    ) -> Step {
        let Some(bound) = self.bound(index) else { return Step::go() };
        let retry = self.retries(error.kind);
        self.record(index, Outcome::Failed { kind: error.kind, retry });
        self.time(index, host);
        self.cool(index, error.kind, retry_after(headers), host);
        self.ending = Ending::Error(error.kind);
        let (status, body) = match own {
            Some(_) => (headers.status(), None),
            None => {
                let (status, body) = bound.dialect.write_error(&error);
                (status, Some(body))
            }
        };
        self.told = Some(status);
        let mut edits = for_client(headers);
        edits.set(":status", status.to_string());
        if let Some(body) = &body {
            edits.fix("content-type", "application/json");
            edits.remove("content-encoding");
            edits.set_body_len(body.len());
        }
        self.say_where(&mut edits, &bound.model, bound.provider);
        self.say_limits(&mut edits);
        if retry {
            edits.fix(RETRY, "1");
        } else {
            self.settled_on();
        }
        Step { headers: Change::Some(edits), body, ..Step::go() }
    }

    /// Envoy takes no body for an answer that came without one: the gateway role will send it as a reply of its own.
    pub(super) fn unsendable(&mut self, headers: Headers, mut step: Step) -> Step {
        if let (Change::Some(edits), Some(body)) = (&mut step.headers, step.body.take()) {
            let mut own = headers.with(edits);
            let status = own.status();
            own.retain(|name| !name.starts_with(':') && name != "content-length" && name != RETRY);
            self.unsent = Some(Reply { status, headers: own, body });
            edits.set_body_len(0);
        }
        step
    }

    /// Whether another target may do better after that kind of error, and can serve the call.
    pub(super) fn retries(&mut self, kind: Kind) -> bool {
        let Work::Chat(chat) = &self.work else { return false };
        let wanted = self.policy.models.get(chat.model).is_some_and(|model| model.retry.on.contains(&kind));
        let next = self.untried(chat).next();
        wanted && next.is_some_and(|next| self.make_ready(next).is_ok())
    }
}

/// Whether a client of the provider's own API may see the error's body as it came. Not where the credential is the
/// gateway's: providers repeat parts of it and name the account.
fn presentable(error: &Error, body: &[u8]) -> bool {
    let secret = matches!(error.kind, Kind::Authentication | Kind::Permission);
    let text = std::str::from_utf8(body).unwrap_or_default();
    !secret && json::find(text, &["error"]).is_some_and(|error| error.starts_with('{'))
}

/// Removes what is not the client's.
fn for_client(headers: &Headers) -> Edits {
    // Where it went, where its limits stand, a length.
    let mut edits = Edits::with_capacity(12);
    for (name, _) in headers.iter() {
        if NOT_FOR_CLIENTS.contains(&name) || name.starts_with("x-sluice-") {
            edits.remove(name.to_owned());
        }
    }
    edits
}

/// In seconds or milliseconds, as providers say it.
fn retry_after(headers: &Headers) -> Option<u64> {
    let millis = headers.text("retry-after-ms").and_then(|value| value.parse::<u64>().ok());
    let seconds = || headers.text("retry-after").and_then(|value| value.trim().parse::<u64>().ok());
    millis.or_else(|| seconds().map(|seconds| seconds.saturating_mul(1000)))
}
