use std::mem::take;
use std::rc::Rc;

use sluice::call::attempt::{Attempt, Place};
use sluice::call::{Next, Step};

use super::proxy::Proxy;
use super::{Worker, action, put_headers, read_body, read_headers, write_body, write_head};
use crate::scenario::host::{Host, Map, Way};
use crate::scenario::module::{Action, Crash};

pub struct ProviderContext {
    provider: Option<Rc<str>>,
    attempt: Option<Attempt>,
    request: Body,
    held: usize,
    buffered: bool,
}

#[derive(Default)]
struct Body {
    replaced: usize,
    with: Vec<u8>,
}

fn text(host: &mut Host, path: &str) -> Option<String> {
    String::from_utf8(host.property(path)?).ok().filter(|text| !text.is_empty())
}

impl ProviderContext {
    pub fn new(provider: Option<Rc<str>>) -> ProviderContext {
        ProviderContext { provider, attempt: None, request: Body::default(), held: 0, buffered: false }
    }

    fn place(&self, host: &mut Host) -> Place {
        let provider = text(host, "xds\0upstream_host_metadata\0filter_metadata\0sluice\0provider");
        let provider = provider.or_else(|| self.provider.as_deref().map(str::to_owned));
        let cluster = match &provider {
            Some(_) => String::new(),
            None => text(host, "xds\0cluster_name").unwrap_or_default(),
        };
        Place { provider, cluster }
    }

    fn answer(&mut self, host: &mut Host, step: Step, size: usize) -> Result<Action, Crash> {
        put_headers(host, Map::ResponseHeaders, &step)?;
        if let Some(body) = step.body.filter(|_| self.buffered) {
            write_body(host, Way::Response, &body)?;
        }
        self.held = if matches!(step.next, Next::Wait) { size } else { 0 };
        Ok(action(host, step.next))
    }

    pub fn request_headers(&mut self, host: &mut Host, worker: &Worker) -> Result<Action, Crash> {
        let id = host.property("sluice.call").and_then(|id| id.try_into().ok()).map(u64::from_le_bytes);
        let Some(call) = id.and_then(|id| worker.calls.get(&id)) else { return Ok(Action::Continue) };
        let place = self.place(host);
        let (attempt, step) = Attempt::start(call, &place, &Proxy::new(host));
        self.attempt = attempt;
        put_headers(host, Map::RequestHeaders, &step)?;
        if let Some(cluster) = &step.after {
            host.set_property("sluice.cluster", cluster.as_bytes()).map_err(|refusal| format!("{refusal:?}"))?;
        }
        if let Some(body) = step.body {
            self.request = Body { replaced: step.head.unwrap_or(usize::MAX), with: body };
        }
        Ok(action(host, step.next))
    }

    pub fn request_body(&mut self, host: &mut Host, size: usize) -> Result<Action, Crash> {
        let Body { replaced, with } = take(&mut self.request);
        let now = replaced.min(size);
        self.request.replaced = replaced - now;
        if replaced > 0 || !with.is_empty() {
            write_head(host, Way::Request, now, &with)?;
        }
        Ok(Action::Continue)
    }

    pub fn response_headers(&mut self, host: &mut Host, end: bool) -> Result<Action, Crash> {
        let Some(attempt) = &mut self.attempt else { return Ok(Action::Continue) };
        let headers = read_headers(host, Map::ResponseHeaders);
        let step = attempt.response_headers(headers, end, &Proxy::new(host));
        self.answer(host, step, 0)
    }

    pub fn response_body(&mut self, host: &mut Host, size: usize, end: bool) -> Result<Action, Crash> {
        let Some(attempt) = &mut self.attempt else { return Ok(Action::Continue) };
        self.buffered = true;
        if !end && self.held == 0 && attempt.awaits_all(size) {
            return Ok(Action::Pause);
        }
        let bytes = match attempt.reads_body() {
            true => read_body(host, Way::Response, self.held, size),
            false => Vec::new(),
        };
        let step = attempt.response_body(&bytes, end, &Proxy::new(host));
        self.answer(host, step, size)
    }

    pub fn response_trailers(&mut self, host: &mut Host) -> Result<Action, Crash> {
        let Some(attempt) = &mut self.attempt else { return Ok(Action::Continue) };
        let unread = self.held == 0 && attempt.awaits_all(0);
        let bytes = if unread { read_body(host, Way::Response, 0, usize::MAX) } else { Vec::new() };
        self.buffered = self.held > 0 || !bytes.is_empty();
        let step = attempt.response_end(&bytes, &Proxy::new(host));
        self.answer(host, step, 0)
    }
}
