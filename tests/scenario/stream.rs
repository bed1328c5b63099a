use std::collections::{BTreeMap, VecDeque};

use super::envoy::{Arrived, Call, Envoy, Outcome, PROVIDER, Script};
use super::gate::{Gate, Part};
use super::headers::Headers;
use super::host::{LocalReply, Way};
use super::model::Fault;
use super::module::Module;
use super::wire::{Client, Message, flaws};

/// The route's `num_retries`; a request's own `x-envoy-max-retries` goes before it.
const RETRIES: u32 = 5;

/// Envoy's numbers of `response.flags`.
mod flag {
    pub const NO_HEALTHY_UPSTREAM: u64 = 0x2;
    pub const REFUSED: u64 = 0x20;
    pub const TERMINATED: u64 = 0x40;
    pub const HUNG_UP: u64 = 0x4000;
    pub const RETRIES_USED_UP: u64 = 0x8000;
    pub const NO_CLUSTER: u64 = 0x100_0000;
}

/// Whether the stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Go,
    Over,
}

struct Attempt {
    id: u32,
    request: Gate,
    response: Gate,
    got: Arrived,
    complete: bool,
}

/// One client request on its way through the gateway, the router and its attempts, and back.
pub struct Stream<'e, M> {
    envoy: &'e mut Envoy<M>,
    id: u32,
    request: Gate,
    response: Gate,
    client: Client,
    scripts: BTreeMap<String, VecDeque<Script>>,
    /// What the router has of the request. All attempts share its headers, so that their changes stay.
    kept: Message,
    retries: u32,
    tries: u64,
    flags: u64,
    attempt: Option<Attempt>,
    arrived: Vec<Arrived>,
    astray: Vec<String>,
}

impl<'e, M: Module> Stream<'e, M> {
    pub fn new(envoy: &'e mut Envoy<M>, id: u32, call: &Call) -> Stream<'e, M> {
        Stream {
            envoy,
            id,
            request: Gate::new(id, Way::Request),
            response: Gate::new(id, Way::Response),
            client: Client { hang_up_after: call.hang_up_after, ..Client::default() },
            scripts: call.scripts.clone(),
            kept: Message::default(),
            retries: RETRIES,
            tries: 0,
            flags: 0,
            attempt: None,
            arrived: Vec::new(),
            astray: Vec::new(),
        }
    }

    pub fn run(mut self, request: &Message) -> Result<Outcome, String> {
        self.kept.headers = request.headers.clone();
        let mut next = self.send(request)?;
        while next == Next::Go {
            next = self.answer()?;
        }
        self.finish()
    }

    fn send(&mut self, request: &Message) -> Result<Next, String> {
        for part in request.parts() {
            let released = self.request.push(&mut self.envoy.module, &mut self.envoy.host, part)?;
            if self.gateway_ended()? == Next::Over {
                return Ok(Next::Over);
            }
            for part in released {
                let next = match part {
                    Part::Headers(headers, end) => self.route(headers, end)?,
                    Part::Data(bytes, end) => {
                        self.kept.body.get_or_insert_default().extend_from_slice(&bytes);
                        self.feed_attempt(Part::Data(bytes, end))?
                    }
                    Part::Trailers(trailers) => {
                        self.kept.trailers = Some(trailers.clone());
                        self.feed_attempt(Part::Trailers(trailers))?
                    }
                };
                if next == Next::Over {
                    return Ok(Next::Over);
                }
            }
        }
        Ok(Next::Go)
    }

    /// The router takes its orders out of the headers, which the provider must not see.
    fn route(&mut self, mut headers: Headers, end: bool) -> Result<Next, String> {
        if let Some(most) = headers.remove("x-envoy-max-retries") {
            self.retries = String::from_utf8_lossy(&most).parse().unwrap_or(RETRIES);
        }
        if let Some(timeout) = headers.remove("x-envoy-upstream-rq-per-try-timeout-ms") {
            headers.set("x-envoy-expected-rq-timeout-ms", &timeout);
        }
        self.kept.headers = headers;
        self.begin(end)
    }

    fn begin(&mut self, end: bool) -> Result<Next, String> {
        let chosen = self.envoy.host.enter(self.id).properties.get("sluice.cluster");
        let chosen = chosen.map(|name| String::from_utf8_lossy(name).into_owned());
        let cluster = chosen.or_else(|| self.kept.headers.text("x-sluice-cluster")).unwrap_or_default();
        if !self.envoy.host.clusters.contains(&cluster) {
            let (flags, text) = match self.tries {
                0 => (flag::NO_CLUSTER, ""),
                _ => (flag::NO_HEALTHY_UPSTREAM, "no healthy upstream"),
            };
            self.flags |= flags;
            return self.local_reply(plain(503, text));
        }
        self.tries = self.tries.saturating_add(1);
        let id = self.envoy.create(PROVIDER, Some(self.id))?;
        let named = self.envoy.metadata.get(&cluster).cloned();
        let properties = &mut self.envoy.host.enter(id).properties;
        properties.insert("xds.cluster_name".to_string(), cluster.clone().into());
        properties.insert("upstream.request_attempt_count".to_string(), self.tries.to_le_bytes().into());
        properties.insert("upstream.address".to_string(), "127.0.0.1:8001".into());
        if let Some(name) = named {
            properties.insert("xds.upstream_host_metadata.filter_metadata.sluice.provider".to_string(), name.into());
        }
        self.attempt = Some(Attempt {
            id,
            request: Gate::new(id, Way::Request),
            response: Gate::new(id, Way::Response),
            got: Arrived { cluster, ..Arrived::default() },
            complete: false,
        });
        self.feed_attempt(Part::Headers(self.kept.headers.clone(), end))
    }

    fn feed_attempt(&mut self, part: Part) -> Result<Next, String> {
        let Some(attempt) = &mut self.attempt else { return Ok(Next::Over) };
        let released = attempt.request.push(&mut self.envoy.module, &mut self.envoy.host, part)?;
        for part in released {
            match part {
                Part::Headers(headers, end) => {
                    self.kept.headers.clone_from(&headers);
                    attempt.got.headers = headers;
                    attempt.complete = end;
                }
                Part::Data(bytes, end) => {
                    attempt.got.body.extend_from_slice(&bytes);
                    attempt.complete = end;
                }
                Part::Trailers(trailers) => {
                    attempt.got.trailers = Some(trailers);
                    attempt.complete = true;
                }
            }
        }
        self.attempt_ended()
    }

    /// A local reply of the attempt goes to the client and is not retried.
    fn attempt_ended(&mut self) -> Result<Next, String> {
        let Some(attempt) = &self.attempt else { return Ok(Next::Go) };
        let context = self.envoy.host.enter(attempt.id);
        let Some(reply) = context.reply.take() else { return Ok(Next::Go) };
        self.end_attempt()?;
        self.local_reply(reply)
    }

    fn end_attempt(&mut self) -> Result<(), String> {
        let Some(attempt) = self.attempt.take() else { return Ok(()) };
        if let Some(held) = self.envoy.host.enter(attempt.id).request.headers.take() {
            self.kept.headers = held;
        }
        self.arrived.push(attempt.got);
        self.envoy.delete(attempt.id)
    }

    /// The provider of the running attempt does as its script says.
    fn answer(&mut self) -> Result<Next, String> {
        let Some(attempt) = &self.attempt else {
            return Err("the request hangs: the gateway does not let it go on".to_string());
        };
        if !attempt.complete {
            return Err("the request hangs: the attempt does not let it go on".to_string());
        }
        let got = &attempt.got;
        if let Some(flaw) = flaws(&got.headers, got.body.len()) {
            return Err(format!("to {}: {flaw}", got.cluster));
        }
        for name in [":method", ":path", ":authority"] {
            if got.headers.first(name).is_none_or(<[u8]>::is_empty) {
                return Err(format!("to {}: no {name}", got.cluster));
            }
        }
        let Some(scripts) = self.scripts.get_mut(&got.cluster) else {
            return self.reset(flag::REFUSED, "remote connection failure");
        };
        let Some(script) = scripts.pop_front() else {
            self.astray.push(format!("attempt {} reached {}, which has no script left", self.tries, got.cluster));
            return self.reset(flag::REFUSED, "remote connection failure");
        };
        match script.fault {
            Some(Fault::Refuse) => return self.reset(flag::REFUSED, "remote connection failure"),
            Some(Fault::Reset) => return self.reset(flag::TERMINATED, "connection termination"),
            Some(Fault::Cut) | None => {}
        }
        let cut = script.fault == Some(Fault::Cut);
        for part in script.answer.parts() {
            let part = match part {
                Part::Data(bytes, true) if cut && bytes.is_empty() => continue,
                Part::Headers(headers, end) => Part::Headers(headers, end && !cut),
                Part::Data(bytes, end) => Part::Data(bytes, end && !cut),
                trailers @ Part::Trailers(_) => trailers,
            };
            let tries = self.tries;
            let next = self.answer_part(part)?;
            if next == Next::Over || self.tries > tries {
                return Ok(next);
            }
        }
        if cut {
            return self.reset(flag::TERMINATED, "connection termination");
        }
        Err("the answer hangs: it is not let through to the client".to_string())
    }

    fn answer_part(&mut self, part: Part) -> Result<Next, String> {
        let Some(attempt) = &mut self.attempt else { return Ok(Next::Over) };
        let released = attempt.response.push(&mut self.envoy.module, &mut self.envoy.host, part)?;
        if self.attempt_ended()? == Next::Over {
            return Ok(Next::Over);
        }
        for part in released {
            let part = match part {
                Part::Headers(mut headers, end) => {
                    if headers.first("x-sluice-retry").is_some() {
                        if self.retries > 0 {
                            return self.retry();
                        }
                        self.flags |= flag::RETRIES_USED_UP;
                    }
                    headers.set("x-envoy-upstream-service-time", b"1");
                    Part::Headers(headers, end)
                }
                part => part,
            };
            // Envoy is done with an attempt before the gateway sees the end of its answer.
            if part.ends() {
                self.end_attempt()?;
            }
            if self.feed_gateway(part)? == Next::Over {
                return Ok(Next::Over);
            }
        }
        Ok(Next::Go)
    }

    /// The next attempt: the headers as the last one left them, the body as the gateway released it.
    fn retry(&mut self) -> Result<Next, String> {
        self.retries = self.retries.saturating_sub(1);
        self.end_attempt()?;
        let (body, trailers) = (self.kept.body.clone(), self.kept.trailers.clone());
        let mut next = self.begin(body.is_none() && trailers.is_none())?;
        if let Some(body) = body
            && next == Next::Go
        {
            next = self.feed_attempt(Part::Data(body, trailers.is_none()))?;
        }
        if let Some(trailers) = trailers
            && next == Next::Go
        {
            next = self.feed_attempt(Part::Trailers(trailers))?;
        }
        Ok(next)
    }

    /// The upstream stream broke: another attempt, a 503, or the client's stream breaks too.
    fn reset(&mut self, flags: u64, reason: &str) -> Result<Next, String> {
        if self.response.started {
            self.flags |= flags;
            self.client.cut = true;
            return Ok(Next::Over);
        }
        if self.retries > 0 {
            return self.retry();
        }
        self.end_attempt()?;
        self.flags |= flags | flag::RETRIES_USED_UP;
        let retried = if self.tries > 1 { "retried and the latest " } else { "" };
        let text =
            format!("upstream connect error or disconnect/reset before headers. {retried}reset reason: {reason}");
        self.local_reply(plain(503, &text))
    }

    fn feed_gateway(&mut self, part: Part) -> Result<Next, String> {
        let released = self.response.push(&mut self.envoy.module, &mut self.envoy.host, part)?;
        if self.gateway_ended()? == Next::Over {
            return Ok(Next::Over);
        }
        for part in released {
            if self.client.write(part)? {
                return Ok(Next::Over);
            }
        }
        Ok(Next::Go)
    }

    fn gateway_ended(&mut self) -> Result<Next, String> {
        let context = self.envoy.host.enter(self.id);
        let (reply, closed) = (context.reply.take(), context.closed);
        match reply {
            Some(reply) => {
                // What the gateway held of the request is out of its reach while the reply goes out.
                if let Some(held) = std::mem::take(&mut context.request).headers {
                    self.kept.headers = held;
                }
                self.local_reply(reply)
            }
            None if closed => {
                self.client.cut = true;
                Ok(Next::Over)
            }
            None => Ok(Next::Go),
        }
    }

    /// Before any answer it passes the gateway's own response callbacks; while they run it goes straight to the client;
    /// after headers have left the stream is cut.
    fn local_reply(&mut self, reply: LocalReply) -> Result<Next, String> {
        if self.client.started() {
            self.client.cut = true;
            return Ok(Next::Over);
        }
        let mut headers = Headers::of(&[(":status", &reply.status.to_string())]);
        for (name, value) in reply.headers.iter() {
            headers.add(name, value);
        }
        headers.remove("content-length");
        if reply.body.is_empty() {
            headers.remove("content-type");
        } else {
            headers.set("content-length", reply.body.len().to_string().as_bytes());
            if headers.first("content-type").is_none() {
                headers.set("content-type", b"text/plain");
            }
        }
        let direct = self.response.started;
        let message = Message { headers, body: Some(reply.body), joined: true, ..Message::default() };
        for part in message.parts() {
            let over = if direct { self.client.write(part)? } else { self.feed_gateway(part)? == Next::Over };
            if over {
                return Ok(Next::Over);
            }
        }
        Err("a local reply hangs: the gateway does not let it through".to_string())
    }

    /// A client that hangs up is logged before its attempt is done; otherwise the attempt ends first.
    fn finish(mut self) -> Result<Outcome, String> {
        if self.client.hung_up {
            self.flags |= flag::HUNG_UP;
        } else {
            self.end_attempt()?;
        }
        let headers = self.client.headers.take().unwrap_or_default();
        let status: u64 = headers.text(":status").and_then(|s| s.parse().ok()).unwrap_or(0);
        let context = self.envoy.host.enter(self.id);
        context.over = true;
        context.request.headers = Some(self.kept.headers.clone());
        context.response.headers = Some(headers.clone());
        context.properties.insert("response.code".to_string(), status.to_le_bytes().into());
        context.properties.insert("response.flags".to_string(), self.flags.to_le_bytes().into());
        context.properties.insert("upstream.request_attempt_count".to_string(), self.tries.to_le_bytes().into());
        self.envoy.module.log(&mut self.envoy.host, self.id)?;
        let log = self.envoy.host.enter(self.id).properties.get("sluice.log").cloned();
        self.envoy.delete(self.id)?;
        self.end_attempt()?;
        for (cluster, scripts) in &self.scripts {
            if !scripts.is_empty() {
                self.astray.push(format!("{cluster}: {} scripts are left over", scripts.len()));
            }
        }
        Ok(Outcome {
            headers,
            body: self.client.body,
            trailers: self.client.trailers,
            cut: self.client.cut,
            log,
            counters: self.envoy.host.metrics(),
            arrived: self.arrived,
            astray: self.astray,
        })
    }
}

fn plain(status: u32, text: &str) -> LocalReply {
    LocalReply { status, body: text.as_bytes().to_vec(), ..LocalReply::default() }
}
