//! The server as its users meet it: a process, a port, bytes.
#![cfg(test)]

mod apis;
mod client;
mod corpus;
mod faults;
mod json;
#[path = "../../../conformance/schema.rs"]
mod schema;
mod tasks;
mod vendors;
