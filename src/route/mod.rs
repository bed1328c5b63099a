//! Which target: from the model a client names to the targets to try, in order.
//!
//! May use: error, host, provider, tokens.
//!
//! To add a strategy: one file that implements [`Strategy`], and its line in [`STRATEGIES`].

mod cooldown;
mod ordered;

pub use cooldown::Cooldowns;

use crate::error::Kind;
use crate::host::Millis;
use crate::tokens;
use std::rc::Rc;

/// Every way to order a model's targets.
pub static STRATEGIES: &[&dyn Strategy] = &[&ordered::Ordered];

pub fn strategy(name: &str) -> Option<&'static dyn Strategy> {
    STRATEGIES.iter().copied().find(|strategy| strategy.name() == name)
}

/// How a model's targets are ordered for one call.
pub trait Strategy: Sync {
    fn name(&self) -> &'static str;

    /// Reorders `order`, which counts the model's targets from 0.
    fn order(&self, order: &mut [usize]);
}

/// A name that clients send, as the configuration has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    Exact(String),
    /// Without its `*`.
    Prefix(String),
}

impl Pattern {
    pub fn new(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }

    /// Whether it has no `*` but one at its end.
    pub fn may_be(text: &str) -> bool {
        !text.strip_suffix('*').unwrap_or(text).contains('*')
    }

    /// How well `name` fits: the more bytes are named the better, exactly best. `None`: not at all.
    fn fit(&self, name: &str) -> Option<usize> {
        match self {
            Self::Exact(exact) => (exact == name).then_some(usize::MAX),
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()).then_some(prefix.len()),
        }
    }
}

/// One place a request can go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Index into the policy's providers.
    pub provider: usize,
    pub cluster: String,
    /// The provider's name of the model; `None`: as the client wrote it.
    pub model: Option<Rc<str>>,
    /// How that model's tokens are counted, whatever API it is called through.
    pub counted_as: Option<tokens::Model>,
    /// For an API that must be told a limit, when the client gave none.
    pub max_tokens: u64,
    /// Where it computes, as far as the configuration says.
    pub region: Option<String>,
    /// Key of its cool-down in shared data.
    pub key: String,
}

/// When another target is tried, and for how long a failed one is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// A set of [`Kind`]s.
    pub on: Vec<Kind>,
    /// Until the first event of a stream; 0: no limit.
    pub first_byte: Millis,
    /// Until an answer that is not streamed is whole; 0: no limit.
    pub whole_answer: Millis,
    /// 0: a failed target is not left out.
    pub cooldown: Millis,
}

impl Retry {
    /// How long an attempt may take to answer; 0: no limit.
    pub fn limit(&self, stream: bool) -> Millis {
        if stream { self.first_byte } else { self.whole_answer }
    }
}

/// Longest time that a provider's `retry-after` keeps its target out.
pub const MAX_COOLDOWN: Millis = 10 * 60 * 1000;

impl Default for Retry {
    fn default() -> Self {
        use Kind::*;
        Self {
            on: vec![
                Unreachable,
                Timeout,
                Provider,
                Overloaded,
                RateLimit,
                Authentication,
                Permission,
                NotFound,
                ModelNotFound,
                ContextLength,
                ContentPolicy,
                BadAnswer,
            ],
            first_byte: 60_000,
            whole_answer: 600_000,
            cooldown: 10_000,
        }
    }
}

/// A name that clients may send, and where it leads.
#[derive(Debug)]
pub struct Model {
    pub pattern: Pattern,
    /// As the configuration has it: the label in metrics.
    pub name: Rc<str>,
    pub targets: Vec<Target>,
    /// `provider/model` addresses that provider; `targets` is empty.
    pub direct: bool,
    pub strategy: &'static dyn Strategy,
    pub retry: Retry,
}

impl std::fmt::Debug for dyn Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The entry that fits `name` best.
pub fn find<'m>(models: &'m [Model], name: &str) -> Option<&'m Model> {
    models
        .iter()
        .filter_map(|model| Some((model.pattern.fit(name)?, model)))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, model)| model)
}

/// The targets of `model` in the order to try them: as its strategy says, those that are cooling down last, the one
/// that is ready soonest first among them. And whether the first is cooling down.
pub fn order(model: &Model, cooldowns: &Cooldowns<'_>, now: Millis) -> (Vec<usize>, bool) {
    let mut order: Vec<usize> = (0..model.targets.len()).collect();
    model.strategy.order(&mut order);
    if model.targets.len() > 1 && model.retry.cooldown > 0 {
        let mut sorted: Vec<(Millis, usize)> = Vec::with_capacity(order.len());
        for index in order {
            // The last stays the last while none before it is left out: it need not be looked up.
            let moves = sorted.len().saturating_add(1) < model.targets.len()
                || sorted.last().is_some_and(|(until, _)| *until > 0);
            let target = model.targets.get(index).filter(|_| moves);
            let until = target.map_or(0, |target| cooldowns.until(&target.key));
            let until = if until > now { until } else { 0 };
            sorted.insert(sorted.partition_point(|(other, _)| *other <= until), (until, index));
        }
        let cooling = sorted.first().is_some_and(|(until, _)| *until > 0);
        return (sorted.into_iter().map(|(_, index)| index).collect(), cooling);
    }
    (order, false)
}

#[cfg(test)]
mod tests;
