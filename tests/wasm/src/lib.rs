//! Holds: a proxy-wasm ABI 0.2.1 host on wasmtime, on which the module runs the scenario files and takes hostile input.
//! May use: the scenario runner in `tests/scenario`, wasmtime.

#[path = "../../scenario/mod.rs"]
pub mod scenario;

mod abi;
mod guest;
mod vm;
mod wasi;

pub use vm::{Program, Vm};
