use super::filter::Filter;
use super::gateway::GatewayContext;
use super::host::Envoy;
use super::provider::ProviderContext;
use super::store::{Store, seed};
use crate::call::prepare;
use crate::config::{self, Policy, Role};
use crate::route::Cooldowns;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// One plugin configuration: a gateway's, or a cluster's.
pub struct Root {
    context: u32,
    role: Configured,
}

impl Root {
    pub fn new(context: u32) -> Self {
        Self { context, role: Configured::Not }
    }
}

thread_local! {
    /// Every gateway's configuration in this VM, as long as a listener has it.
    static GATEWAYS: RefCell<Vec<Weak<Policy>>> = const { RefCell::new(Vec::new()) };
}

/// The configurations that there are, the latest first.
pub fn gateways() -> Vec<Rc<Policy>> {
    GATEWAYS.with_borrow(|all| all.iter().rev().filter_map(Weak::upgrade).collect())
}

enum Configured {
    /// Envoy uses no plugin whose configuration was refused.
    Not,
    Gateway(Rc<Policy>, Option<Rc<Store>>),
    Admin,
    Provider(Option<Rc<str>>),
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, size: usize, _: usize) {
        if let Configured::Gateway(_, Some(store)) = &self.role {
            store.delivered(token, headers, size);
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let document = match size {
            0 => b"{}".to_vec(),
            _ => hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size).ok().flatten().unwrap_or_default(),
        };
        match config::load(&document, &|name| std::env::var(name).ok()) {
            Ok(Role::Gateway(mut policy)) => {
                prepare(&mut policy, &Envoy, &seed);
                for target in policy.models.iter().flat_map(|model| &model.targets) {
                    Cooldowns(&Envoy).prepare(&target.key);
                }
                let policy: Rc<Policy> = Rc::from(policy);
                GATEWAYS.with_borrow_mut(|all| {
                    all.retain(|known| known.strong_count() > 0);
                    all.push(Rc::downgrade(&policy));
                });
                let store = policy.store.is_some().then(|| Store::new(Rc::clone(&policy), self.context));
                store.iter().for_each(|store| store.begin());
                self.role = Configured::Gateway(policy, store);
                true
            }
            Ok(Role::Admin) => {
                self.role = Configured::Admin;
                true
            }
            Ok(Role::Provider { provider }) => {
                self.role = Configured::Provider(provider.map(Rc::from));
                true
            }
            Err(problems) => {
                for problem in problems {
                    log::error!("sluice configuration: {problem}");
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Configured::Gateway(_, Some(store)) = &self.role {
            store.tick();
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(match &self.role {
            Configured::Gateway(policy, store) => {
                Filter::Gateway(GatewayContext::new(Rc::clone(policy), context, store.clone()))
            }
            Configured::Admin => Filter::Admin(context),
            Configured::Provider(provider) => Filter::Provider(ProviderContext::new(provider.clone())),
            Configured::Not => Filter::Provider(ProviderContext::new(None)),
        }))
    }
}
