//! An AI gateway that is one WebAssembly module for Envoy. The rooms, in reading order; `ARCHITECTURE.md` draws them.

pub mod error;
pub mod host;
pub mod http;

pub mod base64;

pub mod json;

pub mod framing;

pub mod chat;

pub mod api;

pub mod task;

pub mod secret;

pub mod tokens;

pub mod quota;

pub mod provider;

pub mod route;

pub mod price;

pub mod consumer;

pub mod limit;

pub mod ledger;

pub mod config;

pub mod telemetry;

pub mod admin;

pub mod call;

#[cfg(target_arch = "wasm32")]
mod shell;
