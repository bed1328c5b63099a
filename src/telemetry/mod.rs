//! What is reported of a call: names of metrics, samples, the JSON object for the access log.
//!
//! Labels stand in a metric's name as `;key=value`, for Envoy's `stats_tags` to lift out; their values come from the
//! configuration and from fixed lists, never from a client. Durations are in milliseconds.
//!
//! May use: chat, host, json, price.
//!
//! To add a metric: a function here that gives its [`Sample`], and its row in `docs/observability.md`.

mod log;

pub use log::{AttemptEntry, Entry, LimitEntry};

use crate::chat::Usage;
use crate::host::Millis;
use std::fmt;
use std::rc::Rc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrument {
    Counter,
    Histogram,
}

/// A number to add to a counter or to record in a histogram. Never 0 for a counter: Envoy refuses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub name: Name,
    pub value: u64,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Metric {
    Requests {
        status: u16,
        error: Option<&'static str>,
    },
    Attempts {
        outcome: &'static str,
    },
    Losses {
        field: &'static str,
    },
    Cooldowns,
    /// Of a limit, whose name stands in the place of the model's.
    Limit {
        what: &'static str,
    },
    Threshold {
        percent: u8,
    },
    Lost,
    LedgerLost,
    Store {
        outcome: &'static str,
    },
    Cost,
    Tokens {
        kind: &'static str,
    },
    TokensTotal {
        kind: &'static str,
    },
    /// Of a consumer and its team, whose names stand in the places of the model's and the provider's.
    Consumer {
        what: &'static str,
    },
    Duration,
    FirstToken,
    PerToken,
}

/// A metric's name with its labels: made into text once, when it is defined.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    metric: Metric,
    dialect: Option<&'static str>,
    model: Option<Rc<str>>,
    provider: Option<Rc<str>>,
}

/// Stands for a name that is not configured.
pub const OTHER: &str = "other";

impl Name {
    pub fn instrument(&self) -> Instrument {
        match self.metric {
            Metric::Tokens { .. } | Metric::Duration | Metric::FirstToken | Metric::PerToken => Instrument::Histogram,
            _ => Instrument::Counter,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.model.as_deref().unwrap_or(OTHER);
        let provider = self.provider.as_deref().unwrap_or(OTHER);
        let timing = |f: &mut fmt::Formatter<'_>, name| write!(f, "{name};model={model};provider={provider}");
        match self.metric {
            Metric::Requests { status, error } => {
                let (dialect, error) = (self.dialect.unwrap_or("none"), error.unwrap_or("none"));
                write!(f, "sluice_requests_total;dialect={dialect};model={model};provider={provider}")?;
                write!(f, ";status={status};error={error}")
            }
            Metric::Attempts { outcome } => write!(f, "sluice_attempts_total;provider={provider};outcome={outcome}"),
            Metric::Losses { field } => write!(f, "sluice_losses_total;provider={provider};field={field}"),
            Metric::Limit { what } => write!(f, "{what};limit={model}"),
            Metric::Threshold { percent } => {
                write!(f, "sluice_limit_threshold_total;limit={model};percent={percent}")
            }
            Metric::Lost => f.write_str("sluice_limit_lost_total"),
            Metric::LedgerLost => f.write_str("sluice_ledger_lost_total"),
            Metric::Store { outcome } => write!(f, "sluice_store_posts_total;outcome={outcome}"),
            Metric::Cost => write!(f, "sluice_cost_nanodollars_total;model={model};provider={provider}"),
            Metric::Cooldowns => write!(f, "sluice_cooldowns_total;provider={provider}"),
            Metric::Tokens { kind } => {
                write!(f, "gen_ai_client_token_usage;model={model};provider={provider};type={kind}")
            }
            Metric::TokensTotal { kind } => {
                write!(f, "sluice_tokens_total;model={model};provider={provider};type={kind}")
            }
            Metric::Consumer { what } => {
                let team = self.provider.as_deref().unwrap_or("none");
                write!(f, "{what};consumer={model};team={team}")
            }
            Metric::Duration => timing(f, "gen_ai_server_request_duration"),
            Metric::FirstToken => timing(f, "gen_ai_server_time_to_first_token"),
            Metric::PerToken => timing(f, "gen_ai_server_time_per_output_token"),
        }
    }
}

/// Where a call went, in configured names; `None` where there is none.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    pub dialect: Option<&'static str>,
    pub model: Option<Rc<str>>,
    pub provider: Option<Rc<str>>,
}

pub fn request(labels: &Labels, status: u16, error: Option<&'static str>) -> Sample {
    let Labels { dialect, model, provider } = labels.clone();
    Sample { name: Name { metric: Metric::Requests { status, error }, dialect, model, provider }, value: 1 }
}

pub fn attempt(provider: Option<Rc<str>>, outcome: &'static str) -> Sample {
    of_provider(Metric::Attempts { outcome }, provider)
}

pub fn loss(provider: Option<Rc<str>>, field: &'static str) -> Sample {
    of_provider(Metric::Losses { field }, provider)
}

pub fn cooldown(provider: Option<Rc<str>>) -> Sample {
    of_provider(Metric::Cooldowns, provider)
}

/// A call that a limit had no room for. `outcome`: as in the log.
pub fn limit(limit: &LimitEntry) -> Option<Sample> {
    let what = match limit.outcome {
        "refused" => "sluice_limit_refusals_total",
        "reported" => "sluice_limit_reports_total",
        "rerouted" => "sluice_limit_reroutes_total",
        _ => return None,
    };
    Some(of_limit(Metric::Limit { what }, &limit.name))
}

/// A call was counted together with other keys, for want of room.
pub fn crowded(limit: &Rc<str>) -> Sample {
    of_limit(Metric::Limit { what: "sluice_limit_crowded_total" }, limit)
}

/// So much of a limit is used.
pub fn threshold(limit: &Rc<str>, percent: u8) -> Sample {
    of_limit(Metric::Threshold { percent }, limit)
}

#[inline(never)]
fn of_limit(metric: Metric, limit: &Rc<str>) -> Sample {
    Sample { name: Name { metric, dialect: None, model: Some(Rc::clone(limit)), provider: None }, value: 1 }
}

/// Limits in which a call could not be counted.
pub fn lost(count: u64) -> Sample {
    Sample { name: Name { metric: Metric::Lost, dialect: None, model: None, provider: None }, value: count }
}

/// A call that the ledger could not count.
pub fn ledger_lost() -> Sample {
    Sample { name: Name { metric: Metric::LedgerLost, dialect: None, model: None, provider: None }, value: 1 }
}

/// Messages went to the store of limits: `ok`, or `failed` if some or all were not answered.
pub fn store(outcome: &'static str) -> Sample {
    Sample { name: Name { metric: Metric::Store { outcome }, dialect: None, model: None, provider: None }, value: 1 }
}

/// In billionths of a dollar.
pub fn cost(labels: &Labels, cost: u64) -> Sample {
    of_model(Metric::Cost, labels, cost)
}

pub fn tokens(labels: &Labels, usage: &Usage) -> [Sample; 2] {
    let of = |kind, value| of_model(Metric::Tokens { kind }, labels, value);
    [of("input", usage.input), of("output", usage.output)]
}

/// Exactly, and by all types that there are some of.
pub fn token_totals(labels: &Labels, usage: &Usage) -> impl Iterator<Item = Sample> {
    let Usage { input, cached_input, cache_write, output, reasoning, .. } = *usage;
    let kinds = [
        ("input", input),
        ("cached_input", cached_input),
        ("cache_write", cache_write),
        ("output", output),
        ("reasoning", reasoning),
    ];
    let some = kinds.into_iter().filter(|(_, value)| *value > 0);
    some.map(|(kind, value)| of_model(Metric::TokensTotal { kind }, labels, value))
}

/// A call of a consumer that the configuration lists; `cost` in billionths of a dollar.
pub fn consumer(name: &Rc<str>, team: Option<&Rc<str>>, cost: u64) -> impl Iterator<Item = Sample> {
    let labels = Labels { dialect: None, model: Some(Rc::clone(name)), provider: team.cloned() };
    let of = move |what, value| of_model(Metric::Consumer { what }, &labels, value);
    let all = [("sluice_consumer_requests_total", 1), ("sluice_consumer_cost_nanodollars_total", cost)];
    all.into_iter().filter(|(_, value)| *value > 0).map(move |(what, value)| of(what, value))
}

pub fn duration(labels: &Labels, value: Millis) -> Sample {
    of_model(Metric::Duration, labels, value)
}

pub fn first_token(labels: &Labels, value: Millis) -> Sample {
    of_model(Metric::FirstToken, labels, value)
}

pub fn per_token(labels: &Labels, value: Millis) -> Sample {
    of_model(Metric::PerToken, labels, value)
}

#[inline(never)]
fn of_model(metric: Metric, labels: &Labels, value: u64) -> Sample {
    let (model, provider) = (labels.model.clone(), labels.provider.clone());
    Sample { name: Name { metric, dialect: None, model, provider }, value }
}

#[inline(never)]
fn of_provider(metric: Metric, provider: Option<Rc<str>>) -> Sample {
    Sample { name: Name { metric, dialect: None, model: None, provider }, value: 1 }
}
