//! One request: which API, whose key, which faults, what answer.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api::{APIS, Api, Ask, Content, Failure, Line as RequestLine, Named, Task, hash};
use crate::control::{Entry, Memory, Watch};
use crate::events::{Events, Framing};
use crate::faults::Faults;
use crate::form;
use crate::play::{Aborted, Play, Step, stream, whole};
use crate::replay::Recordings;
use crate::socket::Line;

/// Twice the largest body that a gateway in front is expected to pass.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Request headers that are safe to show.
const LOGGED: &[&str] = &[
    "accept",
    "accept-encoding",
    "anthropic-beta",
    "anthropic-version",
    "content-length",
    "content-type",
    "host",
    "user-agent",
    "x-envoy-attempt-count",
    "x-request-id",
    "x-standin",
];

const HTML: &str = "<html><head><title>Error</title></head><body><center><h1>The stand-in was asked for a page</h1></center></body></html>\n";

pub struct Server {
    require_key: Option<String>,
    log: bool,
    recordings: Recordings,
    memory: Memory,
}

/// What an answer consists of, before it is played.
struct Answer {
    status: u16,
    headers: HeaderMap,
    steps: Vec<Step>,
    length: Option<u64>,
    usage: Value,
}

impl Server {
    pub fn new(require_key: Option<String>, log: bool, recordings: Recordings) -> Self {
        Self { require_key, log, recordings, memory: Memory::default() }
    }

    /// `only` absent: every API. The error aborts the connection (or, on HTTP/2, the stream).
    pub async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        only: Option<&'static Api>,
        line: Line,
    ) -> Result<Response<Play>, Aborted> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        if path == "/healthz" {
            return Ok(plain(Answer::json(200, &json!({"status": "ok"})), line, None));
        }
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map(|body| body.to_bytes());
        if path.starts_with("/standin/") {
            let told = body
                .map_err(|_| Failure::new(413, "the body is too large"))
                .and_then(|body| self.memory.control(&head.method, path, &body));
            let answer = match told {
                Ok(value) => Answer::json(200, &value),
                Err(failure) => Answer::json(failure.status, &json!({"error": failure.message})),
            };
            return Ok(plain(answer, line, None));
        }
        let asked = RequestLine { method: head.method.as_str(), path, query: head.uri.query().unwrap_or_default() };
        let serving = |api: &&'static Api| {
            let mut tasks = api.tasks.iter();
            tasks.find_map(|task| Some((task, (task.serves)(&asked)?)))
        };
        let offered = APIS.iter().filter(|api| only.is_none_or(|only| only.name == api.name));
        let by_path = offered.filter_map(|api| Some((api, serving(&api)?))).next();
        let (by_path, served) = by_path.map(|(api, served)| (Some(api), Some(served))).unwrap_or_default();
        let api = by_path
            .or(only.as_ref().copied())
            .or_else(|| APIS.iter().find(|api| (api.speaks)(&head.headers)))
            .or(APIS.first());
        let Some(api) = api else { return Err(Aborted) };
        let Some(task) = served.as_ref().map(|(task, _)| *task).or(api.tasks.first()) else { return Err(Aborted) };
        let framing = served.as_ref().and_then(|(_, named)| named.framing);
        let call = Call { server: &self, api, task, framing, head: &head, line: line.clone() };
        match body {
            Ok(body) => call.answer(&body, served.map(|(_, named)| named)).await,
            Err(_) => Ok(call.refuse(&Failure::new(413, "the request is too large"), "", &[])),
        }
    }
}

struct Call<'a> {
    server: &'a Server,
    api: &'static Api,
    /// An unknown path has the errors of the first.
    task: &'static Task,
    /// Of the stream that is asked for; absent: none, so far as is known.
    framing: Option<Framing>,
    head: &'a hyper::http::request::Parts,
    line: Line,
}

impl Call<'_> {
    async fn answer(mut self, body: &Bytes, served: Option<Named>) -> Result<Response<Play>, Aborted> {
        let seed = hash(body);
        if let Err(failure) = self.permitted() {
            return Ok(self.refuse(&failure, "", body));
        }
        let path = self.head.uri.path();
        if self.head.method == Method::GET && served.is_none() {
            let listed = match path.rsplit_once("/models") {
                Some((_, "")) => Some((self.api.models)(None)),
                Some((_, id)) => id.strip_prefix('/').filter(|id| !id.is_empty()).map(|id| (self.api.models)(Some(id))),
                None => None,
            };
            if let Some(list) = listed {
                return Ok(self.finish(Answer::json(200, &list), "", false, body, seed));
            }
        }
        let Some(named) = served else {
            let message = format!("Invalid URL ({} {path})", self.head.method);
            return Ok(self.refuse(&Failure::new(404, message), "", body));
        };
        let request = match self.parsed(body) {
            Ok(request) => request,
            Err(failure) => return Ok(self.refuse(&failure, "", body)),
        };
        self.framing = self.framing.or((self.task.streams)(&request));
        let asked = named.model.as_deref().or(request.get("model").and_then(Value::as_str)).unwrap_or_default();
        let header = self.head.headers.get("x-standin").and_then(|value| value.to_str().ok());
        let planned = self.server.memory.standing().plan(self.api.name, asked, header);
        let (faults, model) = match planned {
            Ok(plan) => plan,
            Err(reason) => return Ok(self.refuse(&Failure::new(400, format!("stand-in: {reason}")), asked, body)),
        };
        if faults.delay_headers > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(faults.delay_headers)).await;
        }
        let streams = self.framing.is_some();
        if faults.reset == Some(0) {
            self.line.abort();
            self.remember(&Answer::nothing(), asked, streams, body);
            return Err(Aborted);
        }
        let ask = Ask {
            headers: &self.head.headers,
            body: &request,
            verb: &named.verb,
            model: &model,
            framing: self.framing,
            shape: &faults.shape,
            seed,
        };
        Ok(self.finish(self.respond(&ask, &faults), asked, streams, body, seed))
    }

    fn permitted(&self) -> Result<(), Failure> {
        let given = (self.api.key)(&self.head.headers);
        match &self.server.require_key {
            Some(key) if given != Some(key) => {
                let failure = Failure { status: 401, ..Failure::default() };
                Err(if given.is_none() {
                    Failure { message: Some("No API key was given.".to_owned()), ..failure }
                } else {
                    failure
                })
            }
            _ => Ok(()),
        }
    }

    fn parsed(&self, body: &[u8]) -> Result<Value, Failure> {
        if self.head.headers.contains_key(CONTENT_ENCODING) {
            return Err(Failure::new(415, "Encoded request bodies are not supported."));
        }
        if body.is_empty() && self.head.method != Method::POST {
            return Ok(Value::Null);
        }
        let kind = self.head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("multipart/form-data") {
            return form::read(kind, body).map_err(|reason| Failure::new(400, reason));
        }
        if !kind.trim_start().to_ascii_lowercase().starts_with("application/json") {
            let message = format!("Unsupported content type: '{kind}'. Only 'application/json' is accepted.");
            return Err(Failure::new(400, message).code("unsupported_content_type"));
        }
        serde_json::from_slice(body)
            .map_err(|error| Failure::new(400, format!("The request body is not valid JSON: {error}")))
    }

    fn respond(&self, ask: &Ask, faults: &Faults) -> Answer {
        if let Some(id) = &faults.replay {
            return self.replay(id, faults);
        }
        let demanded = faults.status.filter(|status| *status >= 400);
        let named = faults.code.as_deref().or(faults.kind.as_deref()).and_then(self.api.failure);
        if demanded.is_some() || (named.is_some() && faults.error_event.is_none()) || faults.error_body || faults.html {
            let failure = self.demanded(faults, named);
            let status = if faults.error_body { 200 } else { failure.status };
            return self.failed(&failure, status, faults);
        }
        match (self.task.answer)(ask) {
            Err(failure) => self.failed(&failure, failure.status, faults),
            Ok(reply) => {
                let error = self.demanded(faults, named);
                let (kind, (steps, length)) = match reply.content {
                    Content::Stream(events) => {
                        let framing = events.framing;
                        let error = (self.task.error_event)(&error, framing);
                        (framing.media_type(), (stream(events, faults, &error), None))
                    }
                    _ if faults.error_event.is_some() => return self.failed(&error, 200, faults),
                    Content::Whole(body) => ("application/json", whole(body, faults)),
                    Content::Bytes(kind, body) => (kind, whole(body, faults)),
                };
                let mut headers = HeaderMap::new();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
                for (name, value) in reply.headers {
                    headers.extend(HeaderValue::try_from(value).map(|value| (HeaderName::from_static(name), value)));
                }
                retry_after(&mut headers, faults);
                Answer { status: faults.status.unwrap_or(200), headers, steps, length, usage: reply.usage }
            }
        }
    }

    /// The failure that was asked for, the vendor's own where it has one.
    fn demanded(&self, faults: &Faults, named: Option<Failure>) -> Failure {
        let named = named.unwrap_or_default();
        let interrupts = faults.error_event.is_some() || faults.error_body;
        let fallback = match named.status {
            0 if interrupts => self.api.interruption,
            0 => 503,
            status => status,
        };
        Failure {
            status: faults.status.filter(|status| *status >= 400).unwrap_or(fallback),
            kind: faults.kind.clone().or(named.kind),
            message: faults.message.clone().or(named.message),
            code: faults.code.clone().or(named.code),
            param: named.param,
        }
    }

    fn failed(&self, failure: &Failure, status: u16, faults: &Faults) -> Answer {
        let mut headers = HeaderMap::new();
        retry_after(&mut headers, faults);
        let (kind, body) = match faults.html {
            true => ("text/html", HTML.to_owned()),
            false => ("application/json", (self.task.error)(failure, self.framing)),
        };
        if let Some((name, said)) = self.api.error_header
            && let Ok(value) = HeaderValue::try_from(said(failure))
        {
            headers.insert(name, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let (steps, length) = whole(body, faults);
        Answer { status, headers, steps, length, usage: Value::Null }
    }

    fn replay(&self, id: &str, faults: &Faults) -> Answer {
        let Some(recording) = self.server.recordings.find(id) else {
            let failure = Failure::new(404, format!("stand-in: there is no recording `{id}`"));
            return self.failed(&failure, 404, &Faults::default());
        };
        let text = || String::from_utf8(recording.body.to_vec());
        let (steps, length) = match text() {
            Ok(text) if recording.stream => {
                let error = (self.task.error_event)(&self.demanded(faults, None), Framing::Sse);
                (stream(Events::recorded(&text), faults, &error), None)
            }
            Ok(text) => whole(text, faults),
            // Binary framing has no events to act on.
            Err(_) => (vec![Step::Send(recording.body.clone())], u64::try_from(recording.body.len()).ok()),
        };
        let mut headers = recording.headers.clone();
        retry_after(&mut headers, faults);
        Answer { status: faults.status.unwrap_or(recording.status), headers, steps, length, usage: Value::Null }
    }

    fn refuse(&self, failure: &Failure, model: &str, body: &[u8]) -> Response<Play> {
        let answer = self.failed(failure, failure.status, &Faults::default());
        self.finish(answer, model, false, body, hash(body))
    }

    /// Adds the vendor's headers.
    fn finish(&self, mut answer: Answer, model: &str, streams: bool, body: &[u8], seed: u64) -> Response<Play> {
        for (name, value) in self.api.headers {
            answer.headers.entry(*name).or_insert(HeaderValue::from_static(value));
        }
        if let Ok(id) = HeaderValue::try_from(format!("req_standin{seed:016x}")) {
            answer.headers.insert(self.api.request_id, id);
        }
        let watch = self.remember(&answer, model, streams, body);
        plain(answer, self.line.clone(), Some(watch))
    }

    /// Records and logs.
    fn remember(&self, answer: &Answer, model: &str, stream: bool, body: &[u8]) -> Watch {
        if self.server.log {
            self.log(answer, model, body);
        }
        self.server.memory.remember(Entry {
            api: self.api.name,
            path: self.head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            headers: self.head.headers.keys().cloned().collect(),
            model: model.to_owned(),
            stream,
            status: answer.status,
            usage: answer.usage.clone(),
            completed: false,
        })
    }

    fn log(&self, answer: &Answer, model: &str, body: &[u8]) {
        let shown = LOGGED.iter().filter_map(|name| {
            let value = self.head.headers.get(*name)?;
            Some(((*name).to_owned(), Value::from(value.to_str().unwrap_or("?"))))
        });
        let digest: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
        let line = json!({
            "api": self.api.name,
            "method": self.head.method.as_str(),
            "path": self.head.uri.path(),
            "model": model,
            "headers": shown.collect::<serde_json::Map<_, _>>(),
            "body_sha256": digest,
            "status": answer.status,
            "usage": answer.usage,
        });
        // A reader that has gone away is no reason to stop answering.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

impl Answer {
    fn json(status: u16, value: &Value) -> Self {
        let (steps, length) = whole(value.to_string(), &Faults::default());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { status, headers, steps, length, usage: Value::Null }
    }

    /// For the record of a request that got none: status 0.
    fn nothing() -> Self {
        Self { status: 0, headers: HeaderMap::new(), steps: Vec::new(), length: None, usage: Value::Null }
    }
}

fn retry_after(headers: &mut HeaderMap, faults: &Faults) {
    if let Some(value) = faults.retry_after.as_deref().and_then(|seconds| HeaderValue::from_str(seconds).ok()) {
        headers.insert("retry-after", value);
    }
}

fn plain(answer: Answer, line: Line, watch: Option<Watch>) -> Response<Play> {
    let mut response = Response::new(Play::new(answer.steps, answer.length, line, watch));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = answer.headers;
    response
}
