//! Holds: the scenario files' model, and a small Envoy that runs them on any [`Module`]: contexts of both plugins, header maps
//! and buffers with Envoy's reach, pauses, routing by `x-sluice-cluster`, retries, local replies. No wasmtime here.
//! May use: serde, serde_json, serde_yaml_ng.
//! One more driver: implement [`Module`] and hand it to [`run::file`].

pub mod check;
pub mod envoy;
pub mod gate;
pub mod headers;
pub mod host;
pub mod model;
pub mod module;
pub mod run;
pub mod stream;
pub mod wire;

#[cfg(test)]
mod tests;

pub use module::Module;
