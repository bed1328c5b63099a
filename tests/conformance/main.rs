//! The recorded exchanges of `tests/corpus`, put through the translators: requests, answers, streams and errors, within
//! their own API and across to every other. What an exchange says is read here from its JSON, not by the code under test.
//!
//! `make conformance` prints the table.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "all of it is a test"
)]

mod answer;
mod corpus;
mod error;
mod facts;
mod json;
mod peers;
mod request;
mod schema;
mod stream;
mod table;
mod task;
mod vendor;

use corpus::{Exchange, Said};
use sluice::api::{APIS, Api};
use sluice::task::{FORMATS, Format};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use table::{Outcome, Table};

/// A check's outcome: what differs, if anything does.
type Checked = Result<(), String>;

#[test]
fn every_recorded_exchange_passes_or_is_explained() {
    let exchanges = corpus::exchanges();
    let outcomes = in_parallel(&exchanges, check);
    let table = Table::new(outcomes, corpus::odd());
    println!("\n{table}");
    let failures = table.failures();
    assert!(failures.is_empty(), "{} unexplained:\n{}", failures.len(), failures.join("\n"));
}

/// All outcomes in the order of the exchanges.
fn in_parallel(exchanges: &[Exchange], check: fn(&Exchange) -> Vec<Outcome>) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(exchange) = exchanges.get(at) else { return done };
            done.push((at, check(exchange)));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut all: Vec<(usize, Vec<Outcome>)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().flat_map(|(_, outcomes)| outcomes).collect()
}

/// What a check says, or dies of.
fn outcome(exchange: &Exchange, kind: &'static str, across: bool, check: &dyn Fn() -> Checked) -> Outcome {
    let checked = catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or(panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
    });
    Outcome::new(exchange, kind, if across { "across" } else { "same" }, checked)
}

/// All checks of what is no chat.
fn check_task(exchange: &Exchange, own: &'static Format) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut run = |kind, across, check: &dyn Fn() -> Checked| outcomes.push(outcome(exchange, kind, across, check));
    let named = |other: &Format, checked: Checked| checked.map_err(|why| format!("for {}: {why}", other.name));
    let others = || FORMATS.iter().filter(|other| other.operation == own.operation && other.name != own.name);
    let others = || others().filter(|other| own.codec.is_some() && other.codec.is_some());
    if exchange.request.is_some() {
        run("request", false, &|| task::asked(exchange, own));
        others().for_each(|other| run("request", true, &|| named(other, task::asked_across(exchange, own, other))));
    }
    match &exchange.said {
        Said::Answer(body) => {
            run("answer", false, &|| task::answered(own, body.get()));
            others().for_each(|other| {
                run("answer", true, &|| named(other, task::answered_across(exchange, own, other, body.get())))
            });
        }
        Said::Error(status, body) => run("error", false, &|| task::failed(own, *status, body.get())),
        Said::Stream(_) => panic!("{}: a stream", exchange.id),
    }
    outcomes
}

/// All checks of one exchange.
fn check(exchange: &Exchange) -> Vec<Outcome> {
    if let Some(format) = task::format(&exchange.format, &exchange.model) {
        return check_task(exchange, format);
    }
    let own = exchange.api();
    let mut outcomes = Vec::new();
    let mut run = |kind: &'static str, other: Option<&'static dyn Api>, check: &dyn Fn() -> Checked| {
        outcomes.push(outcome(exchange, kind, other.is_some(), check));
    };
    let others = || APIS.iter().copied().filter(|api| api.converses() && api.name() != own.name());
    if let Some(body) = &exchange.request {
        run("request", None, &|| request::same(own, body.get()));
        for other in others() {
            run("request", Some(other), &|| request::across(own, other, body.get()));
        }
    }
    match &exchange.said {
        Said::Answer(body) => {
            run("answer", None, &|| answer::same(own, body.get()));
            for other in others() {
                run("answer", Some(other), &|| answer::across(own, other, body.get()));
            }
        }
        Said::Stream(sse) => {
            run("stream", None, &|| stream::same(own, sse));
            for other in others() {
                run("stream", Some(other), &|| stream::across(own, other, sse));
            }
        }
        Said::Error(status, body) => {
            run("error", None, &|| error::same(own, *status, body.get()));
            for other in others() {
                run("error", Some(other), &|| error::across(own, other, *status, body.get()));
            }
        }
    }
    if let (Some(body), Some(first)) = (&exchange.request, outcomes.first_mut()) {
        first.refused = others().flat_map(|other| request::refusals(own, other, body.get())).collect();
    }
    outcomes
}
