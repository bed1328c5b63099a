use super::host::Envoy;
use super::{action, put_headers, read_body, read_headers, say_once, write_body, write_head};
use crate::call::attempt::{Attempt, Place};
use crate::call::{Next, Step};
use crate::http::Reply;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType, MapType};
use std::rc::Rc;

/// Filter state by which the route finds the cluster of the next attempt: a header would reach the provider.
const CLUSTER: &str = "sluice.cluster";

pub struct ProviderContext {
    /// What every attempt in this cluster reaches, by the role's own configuration.
    provider: Option<Rc<str>>,
    attempt: Option<Attempt>,
    request: Body,
    /// Bytes of the answer's body that are held and were read.
    held: usize,
    /// Envoy holds body bytes that a step may replace.
    buffered: bool,
}

/// What is yet to be done to the request's body.
#[derive(Default)]
struct Body {
    /// So many of the bytes that come are left out.
    replaced: usize,
    /// In their place.
    with: Vec<u8>,
}

impl ProviderContext {
    pub fn new(provider: Option<Rc<str>>) -> Self {
        Self { provider, attempt: None, request: Body::default(), held: 0, buffered: false }
    }

    fn place(&self) -> Place {
        let provider = text(&["xds", "upstream_host_metadata", "filter_metadata", "sluice", "provider"]);
        let provider = provider.or_else(|| self.provider.as_deref().map(str::to_owned));
        let cluster =
            if provider.is_none() { text(&["xds", "cluster_name"]).unwrap_or_default() } else { String::new() };
        Place { provider, cluster }
    }

    fn answer(&mut self, step: Step, size: usize) -> Action {
        put_headers(MapType::HttpResponseHeaders, &step);
        if let Some(body) = step.body.filter(|_| self.buffered) {
            write_body(BufferType::HttpResponseBody, &body);
        }
        self.held = if matches!(step.next, Next::Wait) { size } else { 0 };
        action(step.next)
    }
}

fn text(path: &[&str]) -> Option<String> {
    let value = hostcalls::get_property(path.to_vec()).ok().flatten()?;
    String::from_utf8(value).ok().filter(|text| !text.is_empty())
}

impl ProviderContext {
    pub fn request_headers(&mut self) -> Action {
        let id = hostcalls::get_property(vec![super::gateway::CALL]).ok().flatten();
        // A request that did not come through a gateway is none of ours.
        let Some(id) = id.and_then(|id| id.try_into().ok()).map(u64::from_le_bytes) else { return Action::Continue };
        let Some(call) = super::gateway::find(id) else {
            // Its gateway is in another VM: while a configuration changes, or for good if the VMs differ. It would go out as the
            // client sent it, and nothing would be counted.
            say_once("calls are refused: their gateway is in another VM than this cluster");
            return action(Next::Reply(Reply::json(502, Vec::new())));
        };
        let (attempt, step) = Attempt::start(&call, &self.place(), &Envoy);
        self.attempt = attempt;
        put_headers(MapType::HttpRequestHeaders, &step);
        if let Some(cluster) = &step.after
            && hostcalls::set_property(vec![CLUSTER], Some(cluster.as_bytes())).is_err()
        {
            log::error!("Envoy did not take the next cluster");
        }
        if let Some(body) = step.body {
            self.request = Body { replaced: step.head.unwrap_or(usize::MAX), with: body };
        }
        action(step.next)
    }

    pub fn request_body(&mut self, size: usize) -> Action {
        // What is new goes out with the first bytes that come.
        let Body { replaced, with } = std::mem::take(&mut self.request);
        let now = replaced.min(size);
        self.request.replaced = replaced.saturating_sub(now);
        if replaced > 0 || !with.is_empty() {
            write_head(BufferType::HttpRequestBody, now, &with);
        }
        Action::Continue
    }

    pub fn response_headers(&mut self, end: bool) -> Action {
        let Some(attempt) = &mut self.attempt else { return Action::Continue };
        let step = attempt.response_headers(read_headers(MapType::HttpResponseHeaders), end, &Envoy);
        self.answer(step, 0)
    }

    pub fn response_body(&mut self, size: usize, end: bool) -> Action {
        let Some(attempt) = &mut self.attempt else { return Action::Continue };
        self.buffered = true;
        if !end && self.held == 0 && attempt.awaits_all(size) {
            return Action::Pause;
        }
        let bytes = match attempt.reads_body() {
            true => read_body(BufferType::HttpResponseBody, self.held, size),
            false => Vec::new(),
        };
        let step = attempt.response_body(&bytes, end, &Envoy);
        self.answer(step, size)
    }

    pub fn response_trailers(&mut self) -> Action {
        let Some(attempt) = &mut self.attempt else { return Action::Continue };
        // Only bytes that Envoy still holds can be replaced now.
        let unread = self.held == 0 && attempt.awaits_all(0);
        let bytes = if unread { read_body(BufferType::HttpResponseBody, 0, super::ALL) } else { Vec::new() };
        self.buffered = self.held > 0 || !bytes.is_empty();
        let step = attempt.response_end(&bytes, &Envoy);
        self.answer(step, 0)
    }
}
