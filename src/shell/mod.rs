//! Where the module meets Envoy: the SDK, and nothing decided. Built for wasm32 only.
//!
//! Only functions that return a `Result` are called, and only in the phases where the host does not refuse them: the
//! SDK panics on a refusal, and a panic ends every stream of the worker.
//!
//! May use: admin, call, config, host, http, quota, route, telemetry.

mod admin;
mod filter;
mod gateway;
mod host;
mod provider;
mod root;
mod store;

use crate::call::{Next, Step};
use crate::http::{Change, Headers, Reply};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType, LogLevel, MapType};
use std::cell::RefCell;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|context| Box::new(root::Root::new(context)));
}}

thread_local! {
    /// What was said already. Names in it are of clusters, so only the configuration's size leads here.
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Says what is wrong around the module, once in each worker: it is so with every call.
fn say_once(fault: &str) {
    SAID.with_borrow_mut(|said| {
        if !said.iter().any(|known| known == fault) {
            log::error!("sluice: {fault}");
            said.push(fault.to_owned());
        }
    });
}

/// Any length: the whole buffer.
const ALL: usize = u32::MAX as usize;

fn read_headers(of: MapType) -> Headers {
    Headers::new(hostcalls::get_map_bytes(of).unwrap_or_default())
}

fn read_body(of: BufferType, from: usize, to: usize) -> Vec<u8> {
    let len = to.saturating_sub(from);
    if len == 0 {
        return Vec::new();
    }
    hostcalls::get_buffer(of, from, len).ok().flatten().unwrap_or_default()
}

/// Replaces all that there is of the body.
fn write_body(of: BufferType, body: &[u8]) {
    write_head(of, ALL, body);
}

/// Replaces so many first bytes of the body.
fn write_head(of: BufferType, size: usize, head: &[u8]) {
    if hostcalls::set_buffer(of, 0, size, head).is_err() {
        log::error!("Envoy did not take the body");
    }
}

/// What Envoy is told of a step whose headers and body are written.
fn action(next: Next) -> Action {
    match next {
        Next::Continue => Action::Continue,
        Next::Wait => Action::Pause,
        Next::Reply(reply) => {
            send(&reply);
            Action::Pause
        }
    }
}

fn send(reply: &Reply) {
    let headers = reply.headers.iter().filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?)));
    if hostcalls::send_http_response(u32::from(reply.status), headers.collect(), Some(&reply.body)).is_err() {
        log::error!("Envoy did not take the reply");
    }
}

fn put_headers(of: MapType, step: &Step) {
    let done = match &step.headers {
        Change::None => true,
        Change::All(headers) => hostcalls::set_map_bytes(of, headers.iter().collect()).is_ok(),
        Change::Some(edits) => edits
            .iter()
            .fold(true, |done, (name, value)| hostcalls::set_map_value_bytes(of, name, value).is_ok() && done),
    };
    if !done {
        log::error!("Envoy did not take the headers");
    }
}
