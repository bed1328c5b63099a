//! What is reported of a call: names of metrics, samples, the JSON object for the access log.
//!
//! Labels stand in a metric's name as `;key=value`, for Envoy's `stats_tags` to lift out; their values come from the
//! configuration and from fixed lists, never from a client. Durations are in milliseconds.
//!
//! May use: chat, host, json.
//!
//! To add a metric: a function here that gives its [`Sample`], and its row in `docs/observability.md`.

mod log;

pub use log::{AttemptEntry, Entry};

use crate::chat::Usage;
use crate::host::Millis;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrument {
    Counter,
    Histogram,
}

/// A number to add to a counter or to record in a histogram. Never 0 for a counter: Envoy refuses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub name: String,
    pub instrument: Instrument,
    pub value: u64,
}

/// Where a call went, in configured names; `other` where there is none.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    pub dialect: &'a str,
    pub model: &'a str,
    pub provider: &'a str,
}

/// Stands for a name that is not configured.
pub const OTHER: &str = "other";

pub fn request(labels: Labels<'_>, status: u16, error: Option<&'static str>) -> Sample {
    let Labels { dialect, model, provider } = labels;
    let error = error.unwrap_or("none");
    counter(format!(
        "sluice_requests_total;dialect={dialect};model={model};provider={provider};status={status};error={error}"
    ))
}

pub fn attempt(provider: &str, outcome: &'static str) -> Sample {
    counter(format!("sluice_attempts_total;provider={provider};outcome={outcome}"))
}

pub fn loss(provider: &str, field: &'static str) -> Sample {
    counter(format!("sluice_losses_total;provider={provider};field={field}"))
}

pub fn cooldown(provider: &str) -> Sample {
    counter(format!("sluice_cooldowns_total;provider={provider}"))
}

pub fn tokens(labels: Labels<'_>, usage: &Usage) -> impl Iterator<Item = Sample> {
    let kinds = [("input", usage.input), ("output", usage.output)];
    kinds.into_iter().map(move |(kind, value)| {
        let Labels { model, provider, .. } = labels;
        histogram(format!("gen_ai_client_token_usage;model={model};provider={provider};type={kind}"), value)
    })
}

pub fn duration(labels: Labels<'_>, value: Millis) -> Sample {
    timing("gen_ai_server_request_duration", labels, value)
}

pub fn first_token(labels: Labels<'_>, value: Millis) -> Sample {
    timing("gen_ai_server_time_to_first_token", labels, value)
}

pub fn per_token(labels: Labels<'_>, value: Millis) -> Sample {
    timing("gen_ai_server_time_per_output_token", labels, value)
}

fn timing(name: &str, Labels { model, provider, .. }: Labels<'_>, value: Millis) -> Sample {
    histogram(format!("{name};model={model};provider={provider}"), value)
}

fn counter(name: String) -> Sample {
    Sample { name, instrument: Instrument::Counter, value: 1 }
}

fn histogram(name: String, value: u64) -> Sample {
    Sample { name, instrument: Instrument::Histogram, value }
}
