//! Holds: the native core as the scenarios' module: what `src/shell` does, with the test's host in the place of Envoy. Where the
//! shell only logs that Envoy refused something, the run fails here.
//! May use: the core, the scenario runner.

mod gateway;
mod provider;
mod proxy;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use sluice::call::{Next, Shared, Step, prepare};
use sluice::config::{self, Policy, Role};
use sluice::http::{Change, Headers};
use sluice::route::Cooldowns;

use crate::scenario::Module;
use crate::scenario::headers::Headers as HeaderMap;
use crate::scenario::host::{Host, LocalReply, Map, Way};
use crate::scenario::module::{Action, Crash};
use crate::scenario::run::ENVIRONMENT;

use gateway::GatewayContext;
use provider::ProviderContext;
use proxy::Proxy;

/// One worker: what its contexts share, as in the module's own memory.
#[derive(Default)]
pub struct Native {
    roots: BTreeMap<u32, Root>,
    contexts: BTreeMap<u32, Context>,
    worker: Worker,
}

#[derive(Default)]
pub struct Worker {
    calls: BTreeMap<u64, Shared>,
    next: u64,
    metrics: RefCell<BTreeMap<String, u32>>,
}

enum Root {
    Gateway(Rc<Policy>),
    Provider(Option<Rc<str>>),
    Admin,
}

enum Context {
    Gateway(Box<GatewayContext>),
    Provider(Box<ProviderContext>),
    Admin,
}

fn read_headers(host: &mut Host, of: Map) -> Headers {
    let pairs = host.map(of).map(|map| map.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect());
    Headers::new(pairs.unwrap_or_default())
}

fn put_headers(host: &mut Host, of: Map, step: &Step) -> Result<(), Crash> {
    if step.headers == Change::None {
        return Ok(());
    }
    let map = host.map_mut(of).map_err(|refusal| format!("the host did not take the headers: {refusal:?}"))?;
    match &step.headers {
        Change::None => {}
        Change::All(headers) => *map = headers.iter().collect::<HeaderMap>(),
        Change::Some(edits) => {
            for (name, value) in edits.iter() {
                match value {
                    Some(value) => map.set(name, value),
                    None => drop(map.remove(name)),
                }
            }
        }
    }
    Ok(())
}

fn read_body(host: &mut Host, way: Way, from: usize, to: usize) -> Vec<u8> {
    let body = host.body(way).unwrap_or_default();
    body.get(from..to.min(body.len())).unwrap_or_default().to_vec()
}

fn write_body(host: &mut Host, way: Way, body: &[u8]) -> Result<(), Crash> {
    write_head(host, way, usize::MAX, body)
}

fn write_head(host: &mut Host, way: Way, size: usize, head: &[u8]) -> Result<(), Crash> {
    host.set_body(way, 0, size, head).map_err(|refusal| format!("the host did not take the body: {refusal:?}"))
}

fn action(host: &mut Host, next: Next) -> Action {
    match next {
        Next::Continue => Action::Continue,
        Next::Wait => Action::Pause,
        Next::Reply(reply) => {
            let mut headers = HeaderMap::default();
            for (name, value) in reply.headers.iter().filter(|(_, value)| std::str::from_utf8(value).is_ok()) {
                headers.add(name, value);
            }
            let reply = LocalReply { status: u32::from(reply.status), headers, body: reply.body, ..Default::default() };
            host.send_local_reply(reply);
            Action::Pause
        }
    }
}

impl Native {
    fn admin(&self, host: &mut Host) -> Action {
        let headers = read_headers(host, Map::RequestHeaders);
        let policies: Vec<Rc<Policy>> = self.roots.values().filter_map(Root::policy).collect();
        let (method, target) = (headers.text(":method").unwrap_or_default(), headers.text(":path").unwrap_or_default());
        let reply = sluice::admin::answer(method, target, &policies, &Proxy::new(host));
        action(host, Next::Reply(reply))
    }
}

impl Root {
    fn policy(&self) -> Option<Rc<Policy>> {
        match self {
            Root::Gateway(policy) => Some(Rc::clone(policy)),
            Root::Provider(_) | Root::Admin => None,
        }
    }
}

impl Module for Native {
    fn start(&mut self, host: &mut Host, id: u32) -> Result<bool, Crash> {
        let document = host.configurations.get(&id).cloned().unwrap_or_default();
        let env = |name: &str| ENVIRONMENT.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
        match config::load(&document, &env) {
            Ok(Role::Gateway(mut policy)) => {
                let proxy = Proxy::new(host);
                prepare(&mut policy, &proxy, &|| b"native".to_vec());
                for target in policy.models.iter().flat_map(|model| &model.targets) {
                    Cooldowns(&proxy).prepare(&target.key);
                }
                self.roots.insert(id, Root::Gateway(Rc::from(policy)));
                Ok(true)
            }
            Ok(Role::Provider { provider }) => {
                self.roots.insert(id, Root::Provider(provider.map(Rc::from)));
                Ok(true)
            }
            Ok(Role::Admin) => {
                self.roots.insert(id, Root::Admin);
                Ok(true)
            }
            Err(problems) => {
                host.logs.extend(problems.iter().map(|problem| format!("error: sluice configuration: {problem}")));
                Ok(false)
            }
        }
    }

    fn create(&mut self, _: &mut Host, id: u32, root: u32) -> Result<(), Crash> {
        let context = match self.roots.get(&root) {
            Some(Root::Gateway(policy)) => {
                self.worker.next += 1;
                Context::Gateway(Box::new(GatewayContext::new(Rc::clone(policy), self.worker.next)))
            }
            Some(Root::Provider(provider)) => Context::Provider(Box::new(ProviderContext::new(provider.clone()))),
            Some(Root::Admin) => Context::Admin,
            None => return Err(format!("context {id} of a root that was refused")),
        };
        self.contexts.insert(id, context);
        Ok(())
    }

    fn request_headers(&mut self, host: &mut Host, id: u32, _: usize, end: bool) -> Result<Action, Crash> {
        match self.contexts.get_mut(&id) {
            Some(Context::Gateway(gateway)) => gateway.request_headers(host, &mut self.worker, end),
            Some(Context::Provider(attempt)) => attempt.request_headers(host, &self.worker),
            Some(Context::Admin) => Ok(self.admin(host)),
            None => Err(format!("no context {id}")),
        }
    }

    fn request_body(&mut self, host: &mut Host, id: u32, size: usize, end: bool) -> Result<Action, Crash> {
        match self.contexts.get_mut(&id) {
            Some(Context::Gateway(gateway)) => gateway.request_body(host, &mut self.worker, size, end),
            Some(Context::Provider(attempt)) => attempt.request_body(host, size),
            Some(Context::Admin) => Ok(Action::Continue),
            None => Err(format!("no context {id}")),
        }
    }

    fn request_trailers(&mut self, host: &mut Host, id: u32, _: usize) -> Result<Action, Crash> {
        match self.contexts.get_mut(&id) {
            Some(Context::Gateway(gateway)) => gateway.request_trailers(host, &mut self.worker),
            Some(Context::Provider(_)) => Ok(Action::Continue),
            Some(Context::Admin) => Ok(Action::Continue),
            None => Err(format!("no context {id}")),
        }
    }

    fn response_headers(&mut self, host: &mut Host, id: u32, _: usize, end: bool) -> Result<Action, Crash> {
        match self.contexts.get_mut(&id) {
            Some(Context::Gateway(gateway)) => gateway.response_headers(host, end),
            Some(Context::Provider(attempt)) => attempt.response_headers(host, end),
            Some(Context::Admin) => Ok(Action::Continue),
            None => Err(format!("no context {id}")),
        }
    }

    fn response_body(&mut self, host: &mut Host, id: u32, size: usize, end: bool) -> Result<Action, Crash> {
        match self.contexts.get_mut(&id) {
            Some(Context::Gateway(gateway)) => gateway.response_body(host),
            Some(Context::Provider(attempt)) => attempt.response_body(host, size, end),
            Some(Context::Admin) => Ok(Action::Continue),
            None => Err(format!("no context {id}")),
        }
    }

    fn response_trailers(&mut self, host: &mut Host, id: u32, _: usize) -> Result<Action, Crash> {
        match self.contexts.get_mut(&id) {
            Some(Context::Gateway(_)) => Ok(Action::Continue),
            Some(Context::Provider(attempt)) => attempt.response_trailers(host),
            Some(Context::Admin) => Ok(Action::Continue),
            None => Err(format!("no context {id}")),
        }
    }

    fn log(&mut self, host: &mut Host, id: u32) -> Result<(), Crash> {
        match self.contexts.get(&id) {
            Some(Context::Gateway(gateway)) => gateway.log(host, &self.worker),
            _ => Ok(()),
        }
    }

    fn done(&mut self, _: &mut Host, _: u32) -> Result<bool, Crash> {
        Ok(true)
    }

    fn delete(&mut self, _: &mut Host, id: u32) -> Result<(), Crash> {
        if let Some(Context::Gateway(gateway)) = self.contexts.remove(&id) {
            self.worker.calls.remove(&gateway.id);
        }
        Ok(())
    }

    fn tick(&mut self, _: &mut Host, _: u32) -> Result<(), Crash> {
        Ok(())
    }

    fn call_failed(&mut self, _: &mut Host, id: u32, _: u32) -> Result<(), Crash> {
        Err(format!("context {id} made no call"))
    }
}
