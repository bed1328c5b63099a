use std::collections::{BTreeMap, VecDeque};

use super::headers::Headers;
use super::host::{Context, Host};
use super::model::Fault;
use super::module::{Crash, Module};
use super::stream::Stream;
use super::wire::Message;

pub const GATEWAY: u32 = 1;
pub const PROVIDER: u32 = 2;
pub const ADMIN: u32 = 3;

/// One worker of a small Envoy: the module's VM with all plugins, routing by `x-sluice-cluster`, retries.
#[derive(Debug)]
pub struct Envoy<M> {
    pub module: M,
    pub host: Host,
    /// By cluster, the provider that its hosts' metadata names.
    pub metadata: BTreeMap<String, String>,
    next: u32,
}

/// What a provider does with one attempt.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub answer: Message,
    pub fault: Option<Fault>,
}

/// One client request, and the scripts of the providers, by cluster.
#[derive(Clone, Debug, Default)]
pub struct Call {
    pub request: Message,
    pub hang_up_after: Option<usize>,
    /// On the admin listener.
    pub admin: bool,
    pub scripts: BTreeMap<String, VecDeque<Script>>,
}

/// What an attempt brought to its provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    pub cluster: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    pub trailers: Option<Headers>,
}

/// All that is seen of a call from outside.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub headers: Headers,
    pub body: Vec<u8>,
    pub trailers: Option<Headers>,
    pub cut: bool,
    pub log: Option<Vec<u8>>,
    pub counters: BTreeMap<String, u64>,
    pub arrived: Vec<Arrived>,
    /// Scripts that no attempt used, and attempts that had none.
    pub astray: Vec<String>,
}

impl<M: Module> Envoy<M> {
    /// `Err`: a crash, or a configuration that the module refuses.
    pub fn start(module: M, configuration: &str, clusters: Vec<String>) -> Result<Envoy<M>, String> {
        let mut host = Host::default();
        host.clusters = clusters;
        host.now_ns = 1_800_000_000_000_000_000;
        host.configurations.insert(GATEWAY, configuration.as_bytes().to_vec());
        host.configurations.insert(PROVIDER, br#"{"role":"provider"}"#.to_vec());
        host.configurations.insert(ADMIN, br#"{"role":"admin"}"#.to_vec());
        let mut envoy = Envoy { module, host, metadata: BTreeMap::new(), next: 10 };
        for (root, name) in [(GATEWAY, "gateway"), (PROVIDER, "provider"), (ADMIN, "admin")] {
            let properties = &mut envoy.host.enter(root).properties;
            properties.insert("plugin_root_id".to_string(), name.into());
            properties.insert("plugin_name".to_string(), format!("sluice-{name}").into());
            properties.insert("plugin_vm_id".to_string(), "sluice".into());
            if !envoy.module.start(&mut envoy.host, root)? {
                return Err(format!("the configuration is refused: {}", envoy.host.logs.join("\n")));
            }
        }
        Ok(envoy)
    }

    /// Each call begins with a second of its own, however many callbacks the one before it took.
    pub fn call(&mut self, call: &Call) -> Result<Outcome, String> {
        self.host.now_ns = self.host.now_ns.next_multiple_of(1_000_000_000);
        let id = self.create(if call.admin { ADMIN } else { GATEWAY }, None)?;
        Stream::new(self, id, call).run(&call.request)
    }

    pub fn create(&mut self, root: u32, parent: Option<u32>) -> Result<u32, Crash> {
        self.next = self.next.saturating_add(1);
        let id = self.next;
        let mut context = Context { root, parent, ..Context::default() };
        if let Some(root) = self.host.contexts.get(&root) {
            context.properties.clone_from(&root.properties);
        }
        self.host.contexts.insert(id, context);
        self.host.enter(id);
        self.module.create(&mut self.host, id, root)?;
        Ok(id)
    }

    pub fn delete(&mut self, id: u32) -> Result<(), Crash> {
        self.host.enter(id).over = true;
        self.module.done(&mut self.host, id)?;
        self.host.enter(id);
        self.module.delete(&mut self.host, id)?;
        self.host.contexts.remove(&id);
        self.host.fatal.take().map_or(Ok(()), Err)
    }
}
