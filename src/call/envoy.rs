//! What Envoy brings besides a body, and what it is told: headers that lead a call, errors of its own in the client's
//! shape.

use super::{CLUSTER, Call, Ending, Outcome, RETRY, Step, Work};
use crate::api::Api;
use crate::consumer::Consumers;
use crate::error::{Error, Fault, Kind};
use crate::host::Host;
use crate::http::{Change, Edits, Headers, Reply, pairs};
use crate::provider::CLIENT_CREDENTIALS;
use crate::route::Retry;

/// What a path has that no dialect knows.
pub(super) fn default_dialect() -> Option<&'static dyn Api> {
    crate::api::by_name("openai")
}

/// What a request's headers leave to know while its body is on the way.
pub(super) struct Arrival {
    pub(super) method: String,
    /// With its `?`, or empty.
    pub(super) query: String,
    pub(super) content_type: String,
    /// What an attempt may want of the client's headers.
    pub(super) client: Headers,
    /// Takes from them what no provider may see, and a client's own word on what only the gateway says.
    pub(super) edits: Edits,
}

impl Arrival {
    pub(super) fn of(headers: Headers, wanted: impl Fn(&str) -> bool) -> Self {
        let full = headers.text(":path").unwrap_or("/");
        let query = full.find('?').and_then(|at| full.get(at..)).unwrap_or_default().to_owned();
        let method = headers.text(":method").unwrap_or("GET").to_owned();
        let content_type = headers.text("content-type").unwrap_or("application/json").to_owned();
        let mut edits = Edits::default();
        let client = headers.pick(|name| {
            let internal = name.starts_with("x-sluice-") || name.starts_with("x-envoy-");
            if internal || CLIENT_CREDENTIALS.contains(&name) {
                edits.remove(name.to_owned());
            }
            wanted(name)
        });
        Self { method, query, content_type, client, edits }
    }
}

/// Google's clients may give their key in the query: it is made the header that it stands for, so that no provider's
/// path and no log has it.
pub(super) fn take_key(headers: &mut Headers) {
    let Some((path, query)) = headers.text(":path").and_then(|full| full.split_once('?')) else { return };
    if !path.contains("/v1beta/") && !path.contains(':') {
        return;
    }
    let mut key = None;
    let rest = without(query, |name, value| {
        let own = name.eq_ignore_ascii_case("key");
        if own {
            key = Some(value.to_owned());
        }
        own
    });
    let Some(key) = key else { return };
    headers.set(":path", [path, &rest].concat());
    if headers.bytes("x-goog-api-key").is_none() {
        headers.push("x-goog-api-key", key);
    }
}

/// The query without any consumer's key.
pub(super) fn keyless(query: String, consumers: Option<&Consumers>) -> String {
    match consumers.zip(query.strip_prefix('?')) {
        Some((consumers, pairs)) => without(pairs, |_, value| consumers.is_key(value)),
        None => query,
    }
}

/// The query, with its `?`, without the pairs that are taken: by name and value, read.
fn without(query: &str, mut taken: impl FnMut(&str, &str) -> bool) -> String {
    let mut rest = String::with_capacity(query.len());
    for (pair, name, value) in pairs(query) {
        if !taken(&name, &value) {
            rest.push(if rest.is_empty() { '?' } else { '&' });
            rest.push_str(pair);
        }
    }
    rest
}

/// What Envoy must know: where to send, how often, how long.
pub(super) fn to_envoy(edits: &mut Edits, cluster: &str, targets: usize, stream: bool, retry: Option<&Retry>) {
    edits.set(CLUSTER, cluster);
    match targets {
        0 | 1 => edits.fix("x-envoy-max-retries", "0"),
        several => edits.set("x-envoy-max-retries", several.saturating_sub(1).to_string()),
    }
    let Some(retry) = retry else { return };
    let on = match (retry.on.contains(&Kind::Unreachable), retry.on.contains(&Kind::Timeout)) {
        (true, _) => "connect-failure,refused-stream,reset,retriable-headers",
        (false, true) => "reset,retriable-headers",
        (false, false) => "retriable-headers",
    };
    if targets > 1 {
        edits.fix("x-envoy-retry-on", on);
    }
    let limit = retry.limit(stream);
    if limit > 0 {
        edits.set("x-envoy-upstream-rq-per-try-timeout-ms", limit.to_string());
    }
}

/// What no attempt brought may be an answer of a provider's: nobody counted it, or made it the client's.
const BARE: &str = "the model's cluster has no filter with role: provider";

/// An error that Envoy made of itself, by its status.
pub(super) fn envoys(status: u16) -> Error {
    let (kind, message) = match status {
        ..400 => return Error::new(Kind::Unreachable, Fault::Gateway, BARE).with_status(502),
        413 => (Kind::InvalidRequest, "the request body is too large"),
        408 => (Kind::Timeout, "the request took too long to arrive"),
        504 => (Kind::Timeout, "the provider took too long to answer"),
        404 => (Kind::NotFound, "no route leads to the provider of this model"),
        400..=499 => (Kind::of_status(status), "the request was refused"),
        _ => (Kind::Unreachable, "no provider of this model could be reached"),
    };
    Error::new(kind, Fault::Gateway, message).with_status(status)
}

/// Gives Envoy's own error the client's shape. Without a body to replace, only the status can be told.
pub(super) fn replace(dialect: &'static dyn Api, came: u16, error: &Error, end: bool) -> Step {
    let (status, body) = dialect.write_error(error);
    // An answer that is no error is not Envoy's: nothing of it is left.
    if end || came < 400 {
        return Step::reply(Reply::json(status, body));
    }
    let mut edits = Edits::default();
    edits.set(":status", status.to_string());
    edits.fix("content-type", "application/json");
    edits.set_body_len(body.len());
    Step { headers: Change::Some(edits), body: Some(body), ..Step::go() }
}

impl Call {
    /// See [`super::gateway::Gateway::response_headers`].
    pub(super) fn answered(&mut self, end: bool, read: &dyn Fn() -> Headers, host: &dyn Host) -> Step {
        if let Some(reply) = self.unsent.take() {
            return Step::reply(reply);
        }
        match self.attempts.last().map(|attempt| attempt.outcome) {
            Some(Outcome::Answered | Outcome::Failed { retry: false, .. }) => Step::go(),
            Some(Outcome::Failed { retry: true, .. }) => {
                let headers = read();
                if headers.bytes(RETRY).is_none() {
                    return self.envoys_own(headers.status(), end, host);
                }
                // Envoy made no further attempt after all: a budget or a limit of its own.
                let mut edits = Edits::default();
                edits.remove(RETRY);
                Step { headers: Change::Some(edits), ..Step::go() }
            }
            Some(Outcome::Pending) | None => self.envoys_own(read().status(), end, host),
        }
    }

    /// Envoy answers by itself.
    fn envoys_own(&mut self, status: u16, end: bool, host: &dyn Host) -> Step {
        let error = envoys(status);
        if self.attempts.last().is_some_and(|attempt| attempt.outcome == Outcome::Pending) {
            self.unanswered(error.kind, host);
        } else if status == 503 || status < 400 {
            self.hostless(host);
        }
        if status < 400 {
            self.fault = Some([self.next_cluster(), ": ", &error.message].concat());
        }
        self.ending = Ending::Error(error.kind);
        self.told = Some(error.status);
        let Some(dialect) = self.dialect().or_else(default_dialect) else { return Step::go() };
        let mut step = replace(dialect, status, &error, end);
        if let Change::Some(edits) = &mut step.headers {
            edits.set("x-sluice-attempts", self.attempts.len().to_string());
            self.say_limits(edits);
        }
        step
    }

    /// Where Envoy has sent what no attempt was made of.
    fn next_cluster(&self) -> &str {
        match &self.work {
            Work::Chat(chat) => {
                let next = self.untried(chat).next().and_then(|next| chat.plan.get(next));
                next.and_then(|next| self.target(chat, next)).map_or("", |target| &target.cluster)
            }
            Work::Pass { cluster, .. } => cluster,
        }
    }
}
