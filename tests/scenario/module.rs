use super::host::Host;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Continue,
    Pause,
}

/// A trap, or what else would have ended the module's VM.
pub type Crash = String;

/// The module under test: the callbacks of the proxy-wasm ABI. `id` is the context, and `host.current` already is.
pub trait Module {
    /// A root context is made and given `host.configurations[id]`; `false` refuses the configuration.
    fn start(&mut self, host: &mut Host, id: u32) -> Result<bool, Crash>;
    fn create(&mut self, host: &mut Host, id: u32, root: u32) -> Result<(), Crash>;
    fn request_headers(&mut self, host: &mut Host, id: u32, count: usize, end: bool) -> Result<Action, Crash>;
    fn request_body(&mut self, host: &mut Host, id: u32, size: usize, end: bool) -> Result<Action, Crash>;
    fn request_trailers(&mut self, host: &mut Host, id: u32, count: usize) -> Result<Action, Crash>;
    fn response_headers(&mut self, host: &mut Host, id: u32, count: usize, end: bool) -> Result<Action, Crash>;
    fn response_body(&mut self, host: &mut Host, id: u32, size: usize, end: bool) -> Result<Action, Crash>;
    fn response_trailers(&mut self, host: &mut Host, id: u32, count: usize) -> Result<Action, Crash>;
    fn log(&mut self, host: &mut Host, id: u32) -> Result<(), Crash>;
    fn done(&mut self, host: &mut Host, id: u32) -> Result<bool, Crash>;
    fn delete(&mut self, host: &mut Host, id: u32) -> Result<(), Crash>;
    fn tick(&mut self, host: &mut Host, root: u32) -> Result<(), Crash>;
    /// A call out failed: it is answered without headers, body and trailers.
    fn call_failed(&mut self, host: &mut Host, id: u32, token: u32) -> Result<(), Crash>;
}
