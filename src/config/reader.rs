//! Walks the document; goes on after a problem, so that all of them are told.

use super::node::{Env, Node, Reader};
use super::{AnswerModel, OnLoss, Policy, Problem, RETRY_KINDS, Role};
use crate::host::Millis;
use crate::route::Retry;
use serde_json::{Map, Value};

/// For an API that must be told a limit, when neither client nor configuration gives one.
const MAX_TOKENS: u64 = 4096;

pub fn read(document: &Value, env: Env<'_>) -> Result<Role, Vec<Problem>> {
    let mut reader = Reader { problems: Vec::new(), env };
    let role = reader.role(document);
    match role {
        Some(role) if reader.problems.is_empty() => Ok(role),
        _ => Err(reader.problems),
    }
}

impl Reader<'_> {
    pub(super) fn role(&mut self, document: &Value) -> Option<Role> {
        let top = Node { path: String::new(), value: document };
        let map = self.mapping(&top)?;
        let Some(role) = map.get("role") else {
            self.problem("role", "must be given: gateway, or provider in a cluster's filter");
            return None;
        };
        let role = top.child("role", role);
        match self.word(&role, &[("gateway", true), ("provider", false)])? {
            true => self.policy(&top).map(|policy| Role::Gateway(Box::new(policy))),
            false => {
                let map = self.fields(&top, &["role", "provider"])?;
                let provider = map.get("provider").and_then(|value| self.text(&top.child("provider", value)));
                Some(Role::Provider { provider: provider.map(str::to_owned) })
            }
        }
    }

    pub(super) fn policy(&mut self, top: &Node<'_>) -> Option<Policy> {
        const KNOWN: &[&str] = &[
            "role",
            "providers",
            "models",
            "retry_on",
            "first_byte_timeout",
            "answer_timeout",
            "cooldown",
            "max_tokens",
            "answer_model",
            "on_loss",
            "other_paths",
        ];
        let map = self.fields(top, KNOWN)?;
        let field = |key: &str| map.get(key).map(|value| top.child(key, value));

        let mut policy = Policy {
            providers: Vec::new(),
            models: Vec::new(),
            answer_model: AnswerModel::Provider,
            on_loss: OnLoss::Refuse,
            other_paths: None,
        };
        match field("providers") {
            Some(node) => policy.providers = self.providers(&node),
            None => self.problem("providers", "must be given"),
        }
        let retry = self.retry(top, map, &Retry::default());
        let max_tokens = field("max_tokens").and_then(|node| self.count(&node)).unwrap_or(MAX_TOKENS);
        match field("models") {
            Some(node) => policy.models = self.models(&node, &policy.providers, &retry, max_tokens),
            None => self.problem("models", "must be given"),
        }
        if let Some(node) = field("answer_model") {
            let words = [("provider", AnswerModel::Provider), ("asked", AnswerModel::Asked)];
            policy.answer_model = self.word(&node, &words).unwrap_or(AnswerModel::Provider);
        }
        if let Some(node) = field("on_loss") {
            let words = [("refuse", OnLoss::Refuse), ("drop", OnLoss::Drop)];
            policy.on_loss = self.word(&node, &words).unwrap_or(OnLoss::Refuse);
        }
        if let Some(node) = field("other_paths") {
            policy.other_paths = self.other_paths(&node, &policy.providers);
        }
        Some(policy)
    }

    /// The fields of `retry` that stand in `map`, over `base`.
    pub(super) fn retry(&mut self, node: &Node<'_>, map: &Map<String, Value>, base: &Retry) -> Retry {
        let mut retry = base.clone();
        if let Some(value) = map.get("retry_on") {
            let node = node.child("retry_on", value);
            let words: Vec<_> = RETRY_KINDS.iter().map(|kind| (kind.name(), *kind)).collect();
            match value {
                Value::Array(items) if items.is_empty() => retry.on.clear(),
                _ => {
                    let items = self.list(&node).unwrap_or_default();
                    retry.on = items.iter().filter_map(|item| self.word(item, &words)).collect();
                }
            }
        }
        let mut time = |key: &str, field: &mut Millis| {
            if let Some(value) = map.get(key) {
                *field = self.duration(&node.child(key, value)).unwrap_or(*field);
            }
        };
        time("first_byte_timeout", &mut retry.first_byte);
        time("answer_timeout", &mut retry.whole_answer);
        time("cooldown", &mut retry.cooldown);
        retry
    }
}
