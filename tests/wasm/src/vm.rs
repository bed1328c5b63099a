use std::mem::swap;
use std::path::{Path, PathBuf};

use wasmtime::{
    Config, Engine, Instance, InstancePre, Linker, Module as Code, Store, StoreLimitsBuilder, Strategy, WasmParams,
    WasmResults,
};

use crate::abi;
use crate::guest::State;
use crate::scenario::Module;
use crate::scenario::host::Host;
use crate::scenario::module::{Action, Crash};
use crate::scenario::run::ENVIRONMENT;
use crate::wasi;

/// V8's limit in Envoy.
const MAX_MEMORY: usize = 1 << 30;

/// Instructions of one callback: far above what a 32 MiB body takes, and an endless loop is found in seconds.
const FUEL: u64 = 20_000_000_000;

/// The module, compiled, from which any number of VMs start.
#[derive(Clone)]
pub struct Program {
    engine: Engine,
    code: Code,
    linked: InstancePre<State>,
}

impl Program {
    /// `SLUICE_WASM`, or the release build of this workspace.
    pub fn path() -> PathBuf {
        let built = "../../target/wasm32-wasip1/release/sluice.wasm";
        std::env::var_os("SLUICE_WASM").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(built), PathBuf::from)
    }

    pub fn load(path: &Path) -> Result<Program, String> {
        let bytes = std::fs::read(path).map_err(|e| {
            format!("{}: {e}; build it with: cargo build --release --target wasm32-wasip1", path.display())
        })?;
        Program::new(&bytes).map_err(|e| format!("{}: {e:#}", path.display()))
    }

    pub fn new(bytes: &[u8]) -> wasmtime::Result<Program> {
        // The baseline compiler takes a second for what the optimising one, itself not optimised in tests, takes a minute;
        // what it cannot compile is left to the other.
        let (engine, code) = match compile(bytes, Strategy::Winch) {
            Err(_) => compile(bytes, Strategy::Cranelift)?,
            Ok(compiled) => compiled,
        };
        let mut linker = Linker::new(&engine);
        abi::link(&mut linker)?;
        wasi::link(&mut linker)?;
        // A function that no test reaches may be missing; a call of it is a trap.
        linker.define_unknown_imports_as_traps(&code)?;
        let linked = linker.instantiate_pre(&code)?;
        Ok(Program { engine, code, linked })
    }

    /// `module.name` of every function the host must have, sorted.
    pub fn imports(&self) -> Vec<String> {
        let mut names: Vec<_> = self.code.imports().map(|i| format!("{}.{}", i.module(), i.name())).collect();
        names.sort();
        names
    }

    pub fn exports(&self) -> Vec<String> {
        self.code.exports().map(|e| e.name().to_string()).collect()
    }

    pub fn vm(&self) -> Result<Vm, Crash> {
        let environment = ENVIRONMENT.iter().map(|(name, value)| format!("{name}={value}\0").into_bytes()).collect();
        let state = State {
            host: Host::default(),
            limits: StoreLimitsBuilder::new().memory_size(MAX_MEMORY).build(),
            environment,
            random: 0x9e37_79b9_7f4a_7c15,
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_fuel(FUEL).map_err(crash)?;
        let instance = self.linked.instantiate(&mut store).map_err(crash)?;
        let mut vm = Vm { store, instance };
        // Envoy calls one of them, in this order.
        for start in ["_initialize", "_start"] {
            if vm.instance.get_func(&mut vm.store, start).is_some() {
                vm.call::<(), ()>(&mut Host::default(), start, ())?;
                break;
            }
        }
        Ok(vm)
    }
}

fn compile(bytes: &[u8], strategy: Strategy) -> wasmtime::Result<(Engine, Code)> {
    let mut config = Config::new();
    config.consume_fuel(true).strategy(strategy);
    let engine = Engine::new(&config)?;
    let code = Code::new(&engine, bytes)?;
    Ok((engine, code))
}

/// One VM of the module, as one Envoy worker has it.
pub struct Vm {
    store: Store<State>,
    instance: Instance,
}

impl Vm {
    pub fn memory_bytes(&mut self) -> usize {
        self.instance.get_memory(&mut self.store, "memory").map_or(0, |memory| memory.data_size(&self.store))
    }

    /// Calls an export with `host` in place; one that the module lacks does nothing, as in Envoy.
    pub fn call<P: WasmParams, R: WasmResults + Default>(
        &mut self,
        host: &mut Host,
        name: &str,
        arguments: P,
    ) -> Result<R, Crash> {
        if self.instance.get_func(&mut self.store, name).is_none() {
            return Ok(R::default());
        }
        let function = self.instance.get_typed_func::<P, R>(&mut self.store, name).map_err(crash)?;
        self.store.set_fuel(FUEL).map_err(crash)?;
        swap(host, &mut self.store.data_mut().host);
        let result = function.call(&mut self.store, arguments);
        swap(host, &mut self.store.data_mut().host);
        result.map_err(|error| format!("{name}: {error:#}\n{}", last_logs(host)))
    }

    fn action<P: WasmParams>(&mut self, host: &mut Host, name: &str, arguments: P) -> Result<Action, Crash> {
        match self.call::<P, u32>(host, name, arguments)? {
            0 => Ok(Action::Continue),
            1 => Ok(Action::Pause),
            other => Err(format!("{name} answered {other}, which is no action")),
        }
    }
}

/// A panic says why in the log, not in the trap.
fn last_logs(host: &Host) -> String {
    let from = host.logs.len().saturating_sub(5);
    host.logs.get(from..).unwrap_or_default().join("\n")
}

fn crash(error: wasmtime::Error) -> Crash {
    format!("{error:#}")
}

fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Module for Vm {
    fn start(&mut self, host: &mut Host, id: u32) -> Result<bool, Crash> {
        let configuration = size(host.configurations.get(&id).map_or(0, Vec::len));
        self.call::<_, ()>(host, "proxy_on_context_create", (id, 0u32))?;
        if self.call::<_, u32>(host, "proxy_on_vm_start", (id, 0u32))? == 0 {
            return Ok(false);
        }
        Ok(self.call::<_, u32>(host, "proxy_on_configure", (id, configuration))? != 0)
    }

    fn create(&mut self, host: &mut Host, id: u32, root: u32) -> Result<(), Crash> {
        self.call(host, "proxy_on_context_create", (id, root))
    }

    fn request_headers(&mut self, host: &mut Host, id: u32, count: usize, end: bool) -> Result<Action, Crash> {
        self.action(host, "proxy_on_request_headers", (id, size(count), u32::from(end)))
    }

    fn request_body(&mut self, host: &mut Host, id: u32, length: usize, end: bool) -> Result<Action, Crash> {
        self.action(host, "proxy_on_request_body", (id, size(length), u32::from(end)))
    }

    fn request_trailers(&mut self, host: &mut Host, id: u32, count: usize) -> Result<Action, Crash> {
        self.action(host, "proxy_on_request_trailers", (id, size(count)))
    }

    fn response_headers(&mut self, host: &mut Host, id: u32, count: usize, end: bool) -> Result<Action, Crash> {
        self.action(host, "proxy_on_response_headers", (id, size(count), u32::from(end)))
    }

    fn response_body(&mut self, host: &mut Host, id: u32, length: usize, end: bool) -> Result<Action, Crash> {
        self.action(host, "proxy_on_response_body", (id, size(length), u32::from(end)))
    }

    fn response_trailers(&mut self, host: &mut Host, id: u32, count: usize) -> Result<Action, Crash> {
        self.action(host, "proxy_on_response_trailers", (id, size(count)))
    }

    fn log(&mut self, host: &mut Host, id: u32) -> Result<(), Crash> {
        self.call(host, "proxy_on_log", id)
    }

    fn done(&mut self, host: &mut Host, id: u32) -> Result<bool, Crash> {
        Ok(self.call::<_, u32>(host, "proxy_on_done", id)? != 0)
    }

    fn delete(&mut self, host: &mut Host, id: u32) -> Result<(), Crash> {
        self.call(host, "proxy_on_delete", id)
    }

    fn tick(&mut self, host: &mut Host, root: u32) -> Result<(), Crash> {
        self.call(host, "proxy_on_tick", root)
    }

    fn call_failed(&mut self, host: &mut Host, id: u32, token: u32) -> Result<(), Crash> {
        self.call(host, "proxy_on_http_call_response", (id, token, 0u32, 0u32, 0u32))
    }
}
