//! The store of limits, as a worker reaches it: posts go from the root context, which outlives the calls that wait for them.

use super::gateway::Stream;
use super::host::{Envoy, nanos, record};
use super::{put_headers, read_body, send};
use crate::call::{Brought, Fleet, Next};
use crate::config::Policy;
use crate::host::Host;
use crate::quota::Message;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Between looks at what is due.
const SLOW: Duration = Duration::from_millis(250);
/// Until messages leave. Whoever hands them over is not the root context: the next tick is.
const FAST: Duration = Duration::from_millis(1);

/// Looks at the clock that make an Envoy's name: where they fall between its steps differs even for two that start at once.
const LOOKS: usize = 2000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Nothing is looked for until a call comes.
    Still,
    Slow,
    Fast,
}

thread_local! {
    /// Every gateway's in this VM.
    static STORES: RefCell<Vec<Weak<Store>>> = const { RefCell::new(Vec::new()) };
}

/// As [`Store::look`], of all.
pub fn look(context: u32) {
    let stores: Vec<_> = STORES.with_borrow(|all| all.iter().filter_map(Weak::upgrade).collect());
    stores.iter().for_each(|store| store.look(context));
}

pub struct Store {
    policy: Rc<Policy>,
    root: u32,
    fleet: RefCell<Fleet>,
    /// By context; as wide as a call's id, so that both maps are one in the module.
    waiting: RefCell<BTreeMap<u64, Rc<RefCell<Stream>>>>,
    pace: Cell<Pace>,
    /// This is a worker: a call has come, or the store has answered. The main thread cannot reach the store, and must not ask it for
    /// what the workers have to tell.
    works: Cell<bool>,
}

impl Store {
    pub fn new(policy: Rc<Policy>, root: u32) -> Rc<Self> {
        let (fleet, waiting) = (RefCell::default(), RefCell::default());
        let store =
            Rc::new(Self { policy, root, fleet, waiting, pace: Cell::new(Pace::Still), works: Cell::new(false) });
        STORES.with_borrow_mut(|all| {
            all.retain(|known| known.strong_count() > 0);
            all.push(Rc::downgrade(&store));
        });
        store
    }

    /// Not from a tick: Envoy would replace the timer that runs.
    fn go(&self, pace: Pace) {
        if self.pace.replace(pace) != pace {
            let period = if pace == Pace::Fast { FAST } else { SLOW };
            if hostcalls::set_tick_period(period).is_err() {
                log::error!("Envoy did not take the tick's period");
            }
        }
    }

    /// The configuration is loaded: what the one before has not told is told, though no call may come.
    pub fn begin(&self) {
        self.go(Pace::Slow);
    }

    /// At the ends of what a call does: messages leave soon.
    pub fn add(&self, messages: Vec<Message>) {
        self.works.set(true);
        let mut fleet = self.fleet.borrow_mut();
        fleet.mail.add(messages);
        self.go(if fleet.mail.is_due() { Pace::Fast } else { Pace::Slow });
    }

    /// What a step has left to tell, and whether the call waits for the answer.
    pub fn take(&self, context: u32, stream: &Rc<RefCell<Stream>>) {
        let (messages, until) = stream.borrow_mut().asks();
        if let Some(until) = until {
            self.fleet.borrow_mut().mail.wait(context, &messages, until);
            self.waiting.borrow_mut().insert(context.into(), Rc::clone(stream));
        }
        if !messages.is_empty() {
            self.fleet.borrow_mut().mail.add(messages);
        }
    }

    /// Somebody asks what all Envoys have counted: it is read from now on. `context`: where that is.
    pub fn look(&self, context: u32) {
        if self.pace.get() == Pace::Still && hostcalls::set_effective_context(self.root).is_ok() {
            self.go(Pace::Slow);
            if hostcalls::set_effective_context(context).is_err() {
                log::error!("Envoy does not know the stream's context");
            }
        }
    }

    pub fn forget(&self, context: u32) {
        if self.waiting.borrow_mut().remove(&context.into()).is_some() {
            self.fleet.borrow_mut().mail.forget(context);
        }
    }

    pub fn tick(&self) {
        self.fleet.borrow_mut().sweep(&self.policy, &Envoy);
        self.run();
    }

    pub fn delivered(&self, token: u32, headers: usize, size: usize) {
        // Without an answer there is no map, and the SDK panics.
        let answered = headers > 0 && {
            let status = hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, ":status");
            status.is_ok_and(|status| status.is_some_and(|status| status == b"200"))
        };
        let body = if answered { read_body(BufferType::HttpCallResponseBody, 0, size) } else { Vec::new() };
        let body = answered.then_some(body);
        let brought = self.fleet.borrow_mut().delivered(token, body.as_deref(), &self.policy, &Envoy);
        if self.hears(answered, brought) {
            self.run();
            self.add(Vec::new());
        }
    }

    /// Sends what there is and lets go on who can. In the root context.
    fn run(&self) {
        loop {
            self.post();
            let woken = self.fleet.borrow_mut().mail.woken(Envoy.now());
            if woken.is_empty() {
                return;
            }
            for (context, failed) in woken {
                self.wake(context, failed);
            }
            if hostcalls::set_effective_context(self.root).is_err() {
                log::error!("Envoy does not know the root context");
            }
        }
    }

    fn post(&self) {
        let Some(redis) = &self.policy.store else { return };
        loop {
            let Some((body, messages)) = self.fleet.borrow_mut().post(&self.policy, &Envoy) else { return };
            let headers = vec![(":method", "POST"), (":path", "/"), (":authority", "redis")];
            let timeout = Duration::from_millis(redis.timeout);
            match hostcalls::dispatch_http_call(&redis.cluster, headers, Some(&body), Vec::new(), timeout) {
                Ok(token) => self.fleet.borrow_mut().sent(token, messages),
                Err(_) => {
                    let brought = self.fleet.borrow_mut().lost(&messages, Envoy.now());
                    if !self.hears(false, brought) {
                        return;
                    }
                }
            }
        }
    }

    /// Whether this goes on: where nothing has shown yet that the store can be reached from here, one failure ends it.
    fn hears(&self, answered: bool, brought: Brought) -> bool {
        let works = self.works.get() || answered;
        if works {
            tell(brought);
        } else {
            self.pace.set(Pace::Still);
            if hostcalls::set_tick_period(Duration::ZERO).is_err() {
                log::error!("Envoy did not take the tick's period");
            }
        }
        works
    }

    fn wake(&self, context: u32, failed: bool) {
        let Some(stream) = self.waiting.borrow_mut().remove(&context.into()) else { return };
        if hostcalls::set_effective_context(context).is_err() {
            return;
        }
        let Some(step) = stream.borrow_mut().resume(failed) else { return };
        put_headers(MapType::HttpRequestHeaders, &step);
        self.take(context, &stream);
        match step.next {
            Next::Wait => {}
            Next::Continue => drop(hostcalls::resume_http_request()),
            Next::Reply(reply) => send(&reply),
        }
    }
}

fn tell(brought: Brought) {
    for note in &brought.notes {
        log::warn!("sluice: {note}");
    }
    record(brought.samples);
}

/// What no other Envoy has, nor this one after its next start.
pub fn seed() -> Vec<u8> {
    let mut seed = hostcalls::get_property(vec!["node", "id"]).ok().flatten().unwrap_or_default();
    for _ in 0..LOOKS {
        seed.extend_from_slice(&nanos().to_le_bytes());
    }
    seed
}
