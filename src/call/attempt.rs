//! Once per attempt: the request as this provider wants it, its answer as the client wants it.

use super::relay::Relay;
use super::{Attempted, Ending, Outcome, Shared, Step};
use crate::api::SSE;
use crate::error::{Error, Kind};
use crate::host::Host;
use crate::http::{Change, Headers};
use std::rc::Rc;

/// Largest answer that is held to be read as a whole. A body of base64 images stays below.
pub const MAX_ANSWER: usize = 64 << 20;

/// Where Envoy has sent an attempt.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// By the host's metadata, or the role's own configuration.
    pub provider: Option<String>,
    pub cluster: String,
}

/// The provider role's side of one attempt.
pub struct Attempt {
    call: Shared,
    /// Index into the call's attempts.
    index: usize,
    phase: Phase,
}

enum Phase {
    Asked,
    /// The whole answer is awaited.
    Whole {
        headers: Headers,
        held: Vec<u8>,
    },
    /// The stream's first event is awaited.
    First {
        headers: Headers,
        relay: Relay,
        out: Option<Vec<u8>>,
        held: usize,
    },
    Streaming(Relay),
    /// The client has an error in place of the answer: what still comes is dropped.
    Dropping,
    /// Nothing more to do.
    Done,
}

impl Attempt {
    /// The request for the provider at `place`: all headers, and the body if it differs from the client's.
    pub fn start(call: &Shared, place: &Place, host: &dyn Host) -> (Option<Self>, Step) {
        let mut state = call.borrow_mut();
        state.unanswered(Kind::Unreachable, host);
        state.unsent = None;
        if !state.attempts.is_empty() {
            state.extend(host);
        }
        // What the attempt before brought, the client never saw.
        (state.first_byte, state.usage, state.told) = (None, None, None);
        state.keep_unread(None);
        state.ending = Ending::Open;
        let started = match state.attempts.len() {
            0 => state.started,
            _ => host.now(),
        };
        let Some(planned) = state.placed(place) else {
            return (None, state.misplaced());
        };
        let record = Attempted { planned, started, ended: None, status: 0, outcome: Outcome::Pending, cooled: false };
        state.attempts.push(record);
        let index = state.attempts.len().saturating_sub(1);
        let step = match state.request(planned) {
            Ok(step) => step,
            Err(error) => state.impossible(index, &error),
        };
        drop(state);
        let attempt = Self { call: Rc::clone(call), index, phase: Phase::Asked };
        (Some(attempt), step)
    }

    pub fn response_headers(&mut self, headers: Headers, end: bool, host: &dyn Host) -> Step {
        let call = Rc::clone(&self.call);
        let mut call = call.borrow_mut();
        let status = headers.status();
        if let Some(record) = call.attempts.get_mut(self.index) {
            record.status = status;
        }
        let Some(bound) = call.bound(self.index) else {
            self.phase = Phase::Done;
            return call.pass_headers(self.index, &headers, end, host);
        };
        let encoded = headers.bytes("content-encoding").is_some_and(|value| !value.eq_ignore_ascii_case(b"identity"));
        let streamed = headers.text("content-type").is_some_and(|value| value.starts_with(bound.provider_stream()));
        if encoded && bound.same() && status < 400 {
            // Asked for in the clear; what comes otherwise goes on unread, for the client has the same API.
            self.phase = Phase::Done;
            let edits = call.deliver(self.index, &headers, &bound, host);
            return Step { headers: Change::Some(edits), ..Step::go() };
        }
        if let Some(format) = bound.task.filter(|_| bound.same() && status < 300 && !end) {
            let media = headers.text("content-type").unwrap_or_default();
            if media.starts_with(SSE) && !encoded {
                self.phase = Phase::First { headers, relay: Relay::task(format), out: None, held: 0 };
                return Step::wait();
            }
            // Audio and the like goes by as it comes.
            if !media.starts_with("application/json") {
                self.phase = Phase::Done;
                let edits = call.deliver(self.index, &headers, &bound, host);
                return Step { headers: Change::Some(edits), ..Step::go() };
            }
        }
        if status < 300 && streamed && !encoded && !end {
            let mut relay = bound.relay();
            if call.counts() {
                call.keep_unread(relay.collect(bound.api, bound.model()));
            }
            self.phase = Phase::First { headers, relay, out: None, held: 0 };
            return Step::wait();
        }
        if end {
            self.phase = Phase::Done;
            let step = call.whole(self.index, &headers, &[], host);
            return call.unsendable(headers, step);
        }
        self.phase = Phase::Whole { headers, held: Vec::new() };
        Step::wait()
    }

    /// Whether the body's bytes are of use here.
    pub fn reads_body(&self) -> bool {
        !matches!(self.phase, Phase::Asked | Phase::Dropping | Phase::Done)
    }

    /// Whether nothing is to be done before all of the body is there: then it may be brought at once.
    pub fn awaits_all(&self, size: usize) -> bool {
        matches!(self.phase, Phase::Whole { .. }) && size <= MAX_ANSWER
    }

    /// More of the answer's body has come: `bytes` only, not what was held before. A body in the step replaces all
    /// that is held and these.
    pub fn response_body(&mut self, bytes: &[u8], end: bool, host: &dyn Host) -> Step {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Asked | Phase::Done => self.passed(end),
            Phase::Dropping => {
                self.phase = Phase::Dropping;
                Step { body: Some(Vec::new()), ..Step::go() }
            }
            Phase::Whole { headers, mut held } => {
                if held.len().saturating_add(bytes.len()) > MAX_ANSWER {
                    self.phase = Phase::Dropping;
                    let error = Error::provider(Kind::BadAnswer, "the provider's answer is too large");
                    return self.call.borrow_mut().failed(self.index, &headers, error, None, host);
                }
                if end && held.is_empty() {
                    return self.call.borrow_mut().whole(self.index, &headers, bytes, host);
                }
                held.extend_from_slice(bytes);
                if end {
                    return self.call.borrow_mut().whole(self.index, &headers, &held, host);
                }
                self.phase = Phase::Whole { headers, held };
                Step::wait()
            }
            Phase::First { headers, relay, out, held } => self.first(headers, relay, out, held, bytes, end, host),
            Phase::Streaming(mut relay) => {
                let body = relay.feed(bytes);
                let body = if end { self.finish(&mut relay, body, bytes) } else { body };
                self.note(&mut relay, host);
                if !end {
                    self.phase = Phase::Streaming(relay);
                }
                Step { body, ..Step::go() }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the phase's own parts, and what came")]
    fn first(
        &mut self,
        headers: Headers,
        mut relay: Relay,
        out: Option<Vec<u8>>,
        held: usize,
        bytes: &[u8],
        end: bool,
        host: &dyn Host,
    ) -> Step {
        let fed = relay.feed(bytes);
        let fed = if end { self.finish(&mut relay, fed, bytes) } else { fed };
        // What goes out is what was made of all bytes so far; while nothing was changed, Envoy's own buffer is right.
        let out = match (out, fed) {
            (None, None) => None,
            (None, Some(fed)) => Some(fed),
            (Some(mut out), Some(fed)) => {
                out.extend_from_slice(&fed);
                Some(out)
            }
            (Some(mut out), None) => {
                out.extend_from_slice(bytes);
                Some(out)
            }
        };
        let held = held.saturating_add(bytes.len());
        let mut call = self.call.borrow_mut();
        if let Some(error) = relay.seen.error.clone().filter(|_| !relay.seen.content) {
            let status = if error.status < 400 { error.kind.status() } else { error.status };
            let error = error.with_status(status);
            self.phase = Phase::Dropping;
            return call.failed(self.index, &headers, error, None, host);
        }
        if !relay.begun && !end && held < MAX_BEFORE_FIRST {
            self.phase = Phase::First { headers, relay, out, held };
            return Step::wait();
        }
        call.first_byte.get_or_insert_with(|| host.now());
        let Some(bound) = call.bound(self.index) else { return Step::go() };
        let mut edits = call.deliver(self.index, &headers, &bound, host);
        edits.remove("content-length");
        edits.fix("content-type", bound.stream_type());
        let step = Step { headers: Change::Some(edits), body: out, ..Step::go() };
        drop(call);
        self.note(&mut relay, host);
        if !end {
            self.phase = Phase::Streaming(relay);
        }
        step
    }

    /// The stream is over: what its ending adds to what goes out last.
    fn finish(&self, relay: &mut Relay, body: Option<Vec<u8>>, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut call = self.call.borrow_mut();
        let Some(bound) = call.bound(self.index) else { return body };
        let more = relay.close(bound.dialect, &|| bound.asked());
        call.ending = match &relay.seen.error {
            None => Ending::Complete,
            Some(error) if error.kind == Kind::BadAnswer && !relay.seen.ended => Ending::Cut,
            Some(error) => Ending::Error(error.kind),
        };
        match (body, more) {
            (body, None) => body,
            (body, Some(more)) => {
                let mut body = body.unwrap_or_else(|| bytes.to_vec());
                body.extend_from_slice(&more);
                Some(body)
            }
        }
    }

    /// A body that is passed on unread.
    fn passed(&mut self, end: bool) -> Step {
        let mut call = self.call.borrow_mut();
        if end && call.ending == Ending::Open {
            call.ending = Ending::Complete;
        }
        Step::go()
    }

    /// After every chunk: when the client leaves, nothing else comes.
    fn note(&self, relay: &mut Relay, host: &dyn Host) {
        let mut call = self.call.borrow_mut();
        if relay.seen.usage.is_some() {
            call.usage = relay.seen.usage;
        }
        if let Some(text) = relay.text.as_mut().filter(|text| !text.is_empty()) {
            call.delivered(self.index, text);
            text.clear();
        }
        call.extend(host);
    }

    /// The answer's end came as trailers. `bytes`: what had come and was not brought yet.
    pub fn response_end(&mut self, bytes: &[u8], host: &dyn Host) -> Step {
        let bodiless = match &self.phase {
            Phase::Whole { headers, held } if held.is_empty() && bytes.is_empty() => Some(headers.clone()),
            Phase::First { headers, held: 0, .. } => Some(headers.clone()),
            _ => None,
        };
        let step = self.response_body(bytes, true, host);
        match bodiless {
            Some(headers) => self.call.borrow_mut().unsendable(headers, step),
            None => step,
        }
    }
}

/// Comments and fields without data that may stand before a stream's first event.
const MAX_BEFORE_FIRST: usize = 64 << 10;
