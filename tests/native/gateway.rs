use std::mem::replace;
use std::rc::Rc;

use sluice::call::gateway::Gateway;
use sluice::call::{Step, settle};
use sluice::config::Policy;

use super::proxy::{Proxy, record};
use super::{Worker, action, put_headers, read_body, read_headers, write_body};
use crate::scenario::host::{Host, Map, Way};
use crate::scenario::module::{Action, Crash};

pub struct GatewayContext {
    pub id: u64,
    gateway: Gateway,
    registered: bool,
    body_done: bool,
    replacement: Replacement,
}

enum Replacement {
    None,
    Due(Vec<u8>),
    Written,
}

impl GatewayContext {
    pub fn new(policy: Rc<Policy>, id: u64) -> GatewayContext {
        let gateway = Gateway::new(policy, id);
        GatewayContext { id, gateway, registered: false, body_done: false, replacement: Replacement::None }
    }

    fn request_step(&mut self, host: &mut Host, worker: &mut Worker, step: Step) -> Result<Action, Crash> {
        put_headers(host, Map::RequestHeaders, &step)?;
        if let Some(call) = self.gateway.call().filter(|_| !self.registered) {
            self.registered = true;
            worker.calls.insert(self.id, Rc::clone(call));
            host.set_property("sluice.call", &self.id.to_le_bytes()).map_err(|refusal| format!("{refusal:?}"))?;
        }
        Ok(action(host, step.next))
    }

    fn whole_body(&mut self, host: &mut Host, worker: &mut Worker, size: usize) -> Result<Action, Crash> {
        self.body_done = true;
        let body = read_body(host, Way::Request, 0, size);
        let step = self.gateway.request_body(body, &Proxy::new(host));
        self.request_step(host, worker, step)
    }

    pub fn request_headers(&mut self, host: &mut Host, worker: &mut Worker, end: bool) -> Result<Action, Crash> {
        let headers = read_headers(host, Map::RequestHeaders);
        let step = self.gateway.request_headers(headers, end, &Proxy::new(host));
        self.body_done = !self.gateway.reads_body();
        self.request_step(host, worker, step)
    }

    pub fn request_body(
        &mut self,
        host: &mut Host,
        worker: &mut Worker,
        size: usize,
        end: bool,
    ) -> Result<Action, Crash> {
        match (self.body_done, end) {
            (true, _) => Ok(Action::Continue),
            (false, false) => Ok(Action::Pause),
            (false, true) => self.whole_body(host, worker, size),
        }
    }

    pub fn request_trailers(&mut self, host: &mut Host, worker: &mut Worker) -> Result<Action, Crash> {
        if self.body_done {
            return Ok(Action::Continue);
        }
        self.whole_body(host, worker, usize::MAX)
    }

    pub fn response_headers(&mut self, host: &mut Host, end: bool) -> Result<Action, Crash> {
        let headers = read_headers(host, Map::ResponseHeaders);
        let step = self.gateway.response_headers(end, &|| headers.clone(), &Proxy::new(host));
        put_headers(host, Map::ResponseHeaders, &step)?;
        if let Some(body) = step.body {
            self.replacement = Replacement::Due(body);
        }
        Ok(action(host, step.next))
    }

    pub fn response_body(&mut self, host: &mut Host) -> Result<Action, Crash> {
        match replace(&mut self.replacement, Replacement::Written) {
            Replacement::None => self.replacement = Replacement::None,
            Replacement::Due(body) => write_body(host, Way::Response, &body)?,
            Replacement::Written => write_body(host, Way::Response, &[])?,
        }
        Ok(Action::Continue)
    }

    pub fn log(&self, host: &mut Host, worker: &Worker) -> Result<(), Crash> {
        let Some(report) = settle::report(&self.gateway.over(), &Proxy::new(host)) else { return Ok(()) };
        host.set_property("sluice.log", &report.log).map_err(|refusal| format!("{refusal:?}"))?;
        record(host, worker, report.samples)
    }
}
