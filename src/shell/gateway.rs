use super::host::{Envoy, record};
use super::{action, put_headers, read_body, read_headers, write_body};
use crate::call::gateway::Gateway;
use crate::call::{Shared, Step, settle};
use crate::config::Policy;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Filter state by which an attempt finds its call: an id, in this worker's memory.
pub const CALL: &str = "sluice.call";
const LOG: &str = "sluice.log";

thread_local! {
    static CALLS: RefCell<BTreeMap<u64, Shared>> = const { RefCell::new(BTreeMap::new()) };
    static NEXT: Cell<u64> = const { Cell::new(1) };
}

pub fn find(id: u64) -> Option<Shared> {
    CALLS.with_borrow(|calls| calls.get(&id).cloned())
}

pub struct GatewayContext {
    id: u64,
    gateway: Gateway,
    registered: bool,
    /// The body has been read, or is not wanted.
    body_done: bool,
    replacement: Replacement,
}

/// What takes the place of Envoy's own error.
enum Replacement {
    None,
    Due(Vec<u8>),
    Written,
}

impl GatewayContext {
    pub fn new(policy: Rc<Policy>) -> Self {
        let id = NEXT.get();
        NEXT.set(id.wrapping_add(1));
        let gateway = Gateway::new(policy, id);
        Self { id, gateway, registered: false, body_done: false, replacement: Replacement::None }
    }

    fn request_step(&mut self, step: Step) -> Action {
        put_headers(MapType::HttpRequestHeaders, &step);
        if let Some(call) = self.gateway.call().filter(|_| !self.registered) {
            self.registered = true;
            CALLS.with_borrow_mut(|calls| calls.insert(self.id, Rc::clone(call)));
            if hostcalls::set_property(vec![CALL], Some(&self.id.to_le_bytes())).is_err() {
                log::error!("Envoy did not take the call's id");
            }
        }
        action(step.next)
    }

    fn whole_body(&mut self, size: usize) -> Action {
        self.body_done = true;
        let body = read_body(BufferType::HttpRequestBody, 0, size);
        let step = self.gateway.request_body(body, &Envoy);
        self.request_step(step)
    }
}

impl Drop for GatewayContext {
    fn drop(&mut self) {
        if self.registered {
            CALLS.with_borrow_mut(|calls| calls.remove(&self.id));
        }
    }
}

impl Context for GatewayContext {}

impl HttpContext for GatewayContext {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        let step = self.gateway.request_headers(read_headers(MapType::HttpRequestHeaders), end, &Envoy);
        self.body_done = !self.gateway.reads_body();
        self.request_step(step)
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        match (self.body_done, end) {
            (true, _) => Action::Continue,
            (false, false) => Action::Pause,
            (false, true) => self.whole_body(size),
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        // With trailers no body callback has the end.
        if self.body_done {
            return Action::Continue;
        }
        self.whole_body(super::ALL)
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        let step = self.gateway.response_headers(end, &|| read_headers(MapType::HttpResponseHeaders), &Envoy);
        put_headers(MapType::HttpResponseHeaders, &step);
        if let Some(body) = step.body {
            self.replacement = Replacement::Due(body);
        }
        action(step.next)
    }

    fn on_http_response_body(&mut self, _: usize, _: bool) -> Action {
        match std::mem::replace(&mut self.replacement, Replacement::Written) {
            Replacement::None => self.replacement = Replacement::None,
            Replacement::Due(body) => write_body(BufferType::HttpResponseBody, &body),
            Replacement::Written => write_body(BufferType::HttpResponseBody, &[]),
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        if let Some(report) = settle::report(&self.gateway.over(), &Envoy) {
            if hostcalls::set_property(vec![LOG], Some(&report.log)).is_err() {
                log::error!("Envoy did not take the log entry");
            }
            for note in &report.notes {
                log::warn!("sluice: {note}");
            }
            record(report.samples);
        }
    }
}
