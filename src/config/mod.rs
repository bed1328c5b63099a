//! The configuration document, checked into a policy. All that is wrong with it is found at once, each with its path.
//!
//! May use: api, consumer, error, host, json, limit, price, provider, quota, route, secret, tokens.

mod auth;
mod check;
mod consumer;
mod limit;
mod model;
mod node;
mod price;
mod provider;
mod reader;
mod store;
mod structure;
mod suggest;

pub use auth::{SEAL_KEY, shown};

use crate::consumer::Consumers;
use crate::error::Kind;
use crate::host::Millis;
use crate::json::Tree;
use crate::limit::Limits;
use crate::price::PriceList;
use crate::provider::Provider;
use crate::route::Model;
use crate::secret::Secret;
use node::Node;
use std::fmt;

/// Most entries of `providers` or `models`: each costs metric names and shared data.
pub const MAX_ENTRIES: usize = 1000;

/// What the module does where it is loaded.
#[derive(Debug)]
pub enum Role {
    Gateway(Box<Policy>),
    /// On a listener of its own: tells of the gateways in the same VM.
    Admin,
    /// In a cluster. `provider`: what every attempt here reaches, unless the host's metadata says otherwise.
    Provider {
        provider: Option<String>,
    },
}

/// A checked configuration of the gateway role.
#[derive(Debug)]
pub struct Policy {
    pub providers: Vec<Provider>,
    pub models: Vec<Model>,
    pub answer_model: AnswerModel,
    pub on_loss: OnLoss,
    /// Who may call; `None`: everybody.
    pub consumers: Option<Consumers>,
    pub limits: Limits,
    /// Whether all calls are added up.
    pub ledger: bool,
    /// Whether Envoy's other filters are told of each call.
    pub filter_state: bool,
    /// Where limits are counted for all Envoys; `None`: each counts for itself.
    pub store: Option<Redis>,
    /// What upstream models cost.
    pub prices: PriceList,
    /// Where paths go that no dialect knows; `None`: 404.
    pub other_paths: Option<OtherPaths>,
}

/// The `model` of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerModel {
    Provider,
    Asked,
}

/// What becomes of a request that a target cannot express in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLoss {
    /// What changes its meaning is refused; a hint is dropped and counted.
    Refuse,
    /// Dropped and counted.
    Drop,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherPaths {
    /// Index into the policy's providers.
    pub provider: usize,
    pub cluster: String,
}

/// A Redis that Envoy reaches for the module.
#[derive(Debug)]
pub struct Redis {
    /// Of Envoy's, through which a POST becomes a connection.
    pub cluster: String,
    /// Before every key.
    pub prefix: String,
    /// Empty: the default user.
    pub user: String,
    pub password: Option<Secret>,
    /// How long a post, and a call that waits for one, may take.
    pub timeout: Millis,
    /// What this Envoy is known as: as it was prepared.
    pub envoy: String,
}

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub path: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// The names that `retry_on` may have.
pub const RETRY_KINDS: &[Kind] = &[
    Kind::Unreachable,
    Kind::Timeout,
    Kind::Provider,
    Kind::Overloaded,
    Kind::RateLimit,
    Kind::Authentication,
    Kind::Permission,
    Kind::NotFound,
    Kind::ModelNotFound,
    Kind::ContextLength,
    Kind::ContentPolicy,
    Kind::BadAnswer,
];

/// Checks a configuration: JSON text, or a protobuf `Struct` as Envoy hands it over. `env` gives the values of
/// environment variables.
pub fn load(document: &[u8], env: &dyn Fn(&str) -> Option<String>) -> Result<Role, Vec<Problem>> {
    // No JSON text is a Struct on the wire; the other way round, a Struct may well begin with "\n{".
    let mut problems = Vec::new();
    let node = match structure::read(document) {
        Some(node) => node,
        None => match Tree::default().read(document) {
            Ok(value) => Node::of_json(&value, &mut problems),
            Err(error) => {
                let message = format!("must be a mapping: a google.protobuf.Struct, or JSON text ({})", error.message);
                return Err(vec![Problem { path: String::new(), message }]);
            }
        },
    };
    reader::read(&node, problems, env)
}

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(any(test, fuzzing))]
pub use fuzz::fuzz_config;

#[cfg(test)]
mod tests;
