//! The server as its users meet it: a process, a port, bytes.
#![cfg(test)]

mod apis;
mod client;
mod faults;
