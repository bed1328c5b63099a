use super::host::{Envoy, nanos, record};
use super::store::Store;
use super::{action, put_headers, read_body, read_headers, say_once, write_body};
use crate::call::gateway::Gateway;
use crate::call::{Shared, Step, settle};
use crate::config::Policy;
use crate::host::Millis;
use crate::quota::Message;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType, MapType};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Filter state by which an attempt finds its call: an id, in this VM's memory.
pub const CALL: &str = "sluice.call";
const LOG: &str = "sluice.log";

thread_local! {
    static CALLS: RefCell<BTreeMap<u64, Shared>> = const { RefCell::new(BTreeMap::new()) };
    /// Ids go on from the clock at the VM's start, in nanoseconds: while a configuration changes, the gateway's role and a
    /// provider's may be in two VMs, and neither may find a call of the other's.
    static NEXT: Cell<u64> = Cell::new(nanos().max(1));
}

pub fn find(id: u64) -> Option<Shared> {
    CALLS.with_borrow(|calls| calls.get(&id).cloned())
}

pub struct GatewayContext {
    context: u32,
    stream: Rc<RefCell<Stream>>,
    /// Where its limits are counted for all Envoys.
    store: Option<Rc<Store>>,
    /// The body has been read, or is not wanted.
    body_done: bool,
    replacement: Replacement,
}

/// What goes on with a call whose store has answered.
pub struct Stream {
    id: u64,
    gateway: Gateway,
    registered: bool,
}

impl Stream {
    fn register(&mut self) {
        if let Some(call) = self.gateway.call().filter(|_| !self.registered) {
            self.registered = true;
            CALLS.with_borrow_mut(|calls| calls.insert(self.id, Rc::clone(call)));
            put(CALL, &self.id.to_le_bytes());
            call.borrow().introduce(&put);
        }
    }

    /// Messages for the store, and until when the call waits for their answers.
    pub fn asks(&mut self) -> (Vec<Message>, Option<Millis>) {
        (self.gateway.messages(), self.gateway.waits())
    }

    /// `None`: it waits no longer.
    pub fn resume(&mut self, failed: bool) -> Option<Step> {
        self.gateway.waits()?;
        let step = self.gateway.resume(failed, &Envoy);
        self.register();
        Some(step)
    }
}

#[inline(never)]
fn put(name: &str, value: &[u8]) {
    if hostcalls::set_property(vec![name], Some(value)).is_err() {
        log::error!("Envoy did not take {name}");
    }
}

/// What takes the place of Envoy's own error.
enum Replacement {
    None,
    Due(Vec<u8>),
    Written,
}

impl GatewayContext {
    pub fn new(policy: Rc<Policy>, context: u32, store: Option<Rc<Store>>) -> Self {
        let id = NEXT.get();
        NEXT.set(id.wrapping_add(1));
        let stream = Stream { id, gateway: Gateway::new(policy, id), registered: false };
        let stream = Rc::new(RefCell::new(stream));
        Self { context, stream, store, body_done: false, replacement: Replacement::None }
    }

    fn request_step(&mut self, step: Step) -> Action {
        put_headers(MapType::HttpRequestHeaders, &step);
        self.stream.borrow_mut().register();
        if let Some(store) = &self.store {
            store.take(self.context, &self.stream);
            store.add(Vec::new());
        }
        action(step.next)
    }

    fn waits(&self) -> bool {
        self.store.is_some() && self.stream.borrow().gateway.waits().is_some()
    }

    fn whole_body(&mut self, size: usize) -> Action {
        self.body_done = true;
        let body = read_body(BufferType::HttpRequestBody, 0, size);
        let step = self.stream.borrow_mut().gateway.request_body(body, &Envoy);
        self.request_step(step)
    }
}

impl Drop for GatewayContext {
    fn drop(&mut self) {
        let stream = self.stream.borrow();
        if stream.registered {
            CALLS.with_borrow_mut(|calls| calls.remove(&stream.id));
        }
        if let Some(store) = &self.store {
            store.forget(self.context);
        }
    }
}

impl GatewayContext {
    pub fn request_headers(&mut self, end: bool) -> Action {
        let headers = read_headers(MapType::HttpRequestHeaders);
        let mut stream = self.stream.borrow_mut();
        let step = stream.gateway.request_headers(headers, end, &Envoy);
        self.body_done = !stream.gateway.reads_body();
        drop(stream);
        self.request_step(step)
    }

    pub fn request_body(&mut self, size: usize, end: bool) -> Action {
        match (self.body_done, end) {
            // What is passed on may wait for its limits.
            (true, _) if self.waits() => Action::Pause,
            (true, _) => Action::Continue,
            (false, false) => Action::Pause,
            (false, true) => self.whole_body(size),
        }
    }

    pub fn request_trailers(&mut self) -> Action {
        // With trailers no body callback has the end.
        match self.body_done {
            true if self.waits() => return Action::Pause,
            true => return Action::Continue,
            false => {}
        }
        self.whole_body(super::ALL)
    }

    pub fn response_headers(&mut self, end: bool) -> Action {
        let read = || read_headers(MapType::HttpResponseHeaders);
        let step = self.stream.borrow_mut().gateway.response_headers(end, &read, &Envoy);
        put_headers(MapType::HttpResponseHeaders, &step);
        if let Some(body) = step.body {
            self.replacement = Replacement::Due(body);
        }
        action(step.next)
    }

    pub fn response_body(&mut self) -> Action {
        match std::mem::replace(&mut self.replacement, Replacement::Written) {
            Replacement::None => self.replacement = Replacement::None,
            Replacement::Due(body) => write_body(BufferType::HttpResponseBody, &body),
            Replacement::Written => write_body(BufferType::HttpResponseBody, &[]),
        }
        Action::Continue
    }

    pub fn log(&mut self) {
        let report = settle::report(&self.stream.borrow().gateway.over(), &Envoy);
        if let Some(report) = report {
            put(LOG, &report.log);
            if let Some(bill) = &report.bill {
                bill.tell(&put);
            }
            for note in &report.notes {
                log::warn!("sluice: {note}");
            }
            if let Some(fault) = &report.fault {
                say_once(fault);
            }
            record(report.samples);
            if let Some(store) = &self.store {
                store.add(report.messages);
            }
        }
    }
}
