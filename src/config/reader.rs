//! Walks the document; goes on after a problem, so that all of them are told.

use super::check::{Env, Reader};
use super::limit::Around;
use super::node::Node;
use super::{AnswerModel, OnLoss, Policy, Problem, RETRY_KINDS, Role};
use crate::route::Retry;

/// For an API that must be told a limit, when neither client nor configuration gives one.
const MAX_TOKENS: u64 = 4096;

/// `problems`: those found before.
pub fn read(document: &Node, problems: Vec<Problem>, env: Env<'_>) -> Result<Role, Vec<Problem>> {
    let mut reader = Reader { document, problems, env };
    let role = reader.role();
    match role {
        Some(role) if reader.problems.is_empty() => Ok(role),
        _ => Err(reader.problems),
    }
}

impl<'v> Reader<'v> {
    fn role(&mut self) -> Option<Role> {
        let top = self.document;
        self.mapping(top)?;
        let Some(role) = top.get("role") else {
            self.problem_at(
                top,
                "role",
                format_args!("must be given: gateway; provider in a cluster's filter; admin on a listener of its own"),
            );
            return None;
        };
        match self.word(role, &["gateway", "provider", "admin"])? {
            0 => return self.policy().map(|policy| Role::Gateway(Box::new(policy))),
            1 => {}
            _ => {
                self.fields(top, &["role"])?;
                return Some(Role::Admin);
            }
        }
        self.fields(top, &["role", "provider"])?;
        Some(Role::Provider { provider: self.text_in(top, "provider").map(str::to_owned) })
    }

    fn policy(&mut self) -> Option<Policy> {
        const KNOWN: &[&str] = &[
            "role",
            "providers",
            "seal_key",
            "models",
            "retry_on",
            "first_byte_timeout",
            "answer_timeout",
            "cooldown",
            "max_tokens",
            "answer_model",
            "on_loss",
            "other_paths",
            "authentication",
            "consumers",
            "ledger",
            "filter_state",
            "limits",
            "store",
            "prices",
        ];
        let top = self.document;
        self.fields(top, KNOWN)?;
        if let Some(node) = top.get("seal_key") {
            self.seal_key(node);
        }
        let providers = self.need(top, "providers").map(|node| self.providers(node)).unwrap_or_default();
        let retry = self.retry(top, &Retry::default());
        let max_tokens = self.count_in(top, "max_tokens").unwrap_or(MAX_TOKENS);
        let models = self.need(top, "models").map(|node| self.models(node, &providers, &retry, max_tokens));
        let asked = self.word_in(top, "answer_model", &["provider", "asked"]) == Some(1);
        let drop = self.word_in(top, "on_loss", &["refuse", "drop"]) == Some(1);
        let other_paths = top.get("other_paths").and_then(|node| self.other_paths(node, &providers));
        let consumers = self.consumers(top);
        let models = models.unwrap_or_default();
        let prices = top.get("prices").map(|node| self.prices(node)).unwrap_or_default();
        let (store, down) = top.get("store").and_then(|node| self.store(node)).unzip();
        let around = Around { providers: &providers, models: &models, prices: &prices, down };
        let limits = self.limits(top, &around);
        Some(Policy {
            consumers,
            filter_state: self.flag_in(top, "filter_state"),
            ledger: top.get("ledger").is_none_or(|flag| self.boolean(flag) != Some(false)),
            limits,
            store,
            prices,
            providers,
            models,
            answer_model: if asked { AnswerModel::Asked } else { AnswerModel::Provider },
            on_loss: if drop { OnLoss::Drop } else { OnLoss::Refuse },
            other_paths,
        })
    }

    /// The fields of `retry` that stand in a mapping, over `base`.
    pub(super) fn retry(&mut self, node: &'v Node, base: &Retry) -> Retry {
        let mut on = base.on.clone();
        if let Some(kinds) = node.get("retry_on") {
            let names: Vec<&str> = RETRY_KINDS.iter().map(|kind| kind.name()).collect();
            let items = match kinds {
                Node::List(items) if items.is_empty() => &[],
                _ => self.list(kinds),
            };
            on = items.iter().filter_map(|item| RETRY_KINDS.get(self.word(item, &names)?).copied()).collect();
        }
        Retry {
            on,
            first_byte: self.duration_in(node, "first_byte_timeout").unwrap_or(base.first_byte),
            whole_answer: self.duration_in(node, "answer_timeout").unwrap_or(base.whole_answer),
            cooldown: self.duration_in(node, "cooldown").unwrap_or(base.cooldown),
        }
    }
}
