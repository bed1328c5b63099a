use super::gateway::GatewayContext;
use super::host::Envoy;
use super::provider::ProviderContext;
use crate::call::prepare;
use crate::config::{self, Policy, Role};
use crate::route::Cooldowns;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};
use std::rc::Rc;

/// One plugin configuration: a gateway's, or a cluster's.
#[derive(Default)]
pub struct Root {
    role: Configured,
}

#[derive(Clone, Default)]
enum Configured {
    /// Envoy uses no plugin whose configuration was refused.
    #[default]
    Not,
    Gateway(Rc<Policy>),
    Provider(Option<Rc<str>>),
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let document = match size {
            0 => b"{}".to_vec(),
            _ => hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size).ok().flatten().unwrap_or_default(),
        };
        match config::load(&document, &|name| std::env::var(name).ok()) {
            Ok(Role::Gateway(mut policy)) => {
                prepare(&mut policy, &Envoy);
                for target in policy.models.iter().flat_map(|model| &model.targets) {
                    Cooldowns(&Envoy).prepare(&target.key);
                }
                self.role = Configured::Gateway(Rc::from(policy));
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

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(match &self.role {
            Configured::Gateway(policy) => Box::new(GatewayContext::new(Rc::clone(policy))),
            Configured::Provider(provider) => Box::new(ProviderContext::new(provider.clone())),
            Configured::Not => Box::new(ProviderContext::new(None)),
        })
    }
}
