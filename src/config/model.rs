//! The `models` of the document.

use super::node::{Node, Reader};
use super::suggest::suggest;
use crate::provider::Provider;
use crate::route::{Model, Pattern, Retry, STRATEGIES, Target};

impl Reader<'_> {
    pub(super) fn models(
        &mut self,
        node: &Node<'_>,
        providers: &[Provider],
        retry: &Retry,
        max_tokens: u64,
    ) -> Vec<Model> {
        let mut models: Vec<Model> = Vec::new();
        for node in self.list(node).unwrap_or_default() {
            let Some(model) = self.model(&node, providers, retry, max_tokens) else { continue };
            if models.iter().any(|other| other.name == model.name) {
                self.problem(&format!("{}.name", node.path), format!("\"{}\" is there already", model.name));
            }
            models.push(model);
        }
        models
    }

    pub(super) fn model(
        &mut self,
        node: &Node<'_>,
        providers: &[Provider],
        retry: &Retry,
        max_tokens: u64,
    ) -> Option<Model> {
        const KNOWN: &[&str] = &[
            "name",
            "targets",
            "strategy",
            "direct",
            "retry_on",
            "first_byte_timeout",
            "answer_timeout",
            "cooldown",
            "max_tokens",
        ];
        let map = self.fields(node, KNOWN)?;
        let field = |key: &str| map.get(key).map(|value| node.child(key, value));
        let retry = self.retry(node, map, retry);
        let max_tokens = field("max_tokens").and_then(|node| self.count(&node)).unwrap_or(max_tokens);
        let direct = field("direct").and_then(|node| self.boolean(&node)).unwrap_or(false);
        let strategies: Vec<_> = STRATEGIES.iter().map(|strategy| (strategy.name(), *strategy)).collect();
        let strategy = field("strategy").and_then(|node| self.word(&node, &strategies));
        let name = match field("name") {
            Some(node) => self.text(&node).map(|name| (node, name)),
            None => {
                self.problem(&format!("{}.name", node.path), "must be given");
                None
            }
        };
        let targets = match (field("targets"), direct) {
            (Some(targets), true) => {
                self.problem(&targets.path, "a direct entry has none: the request's model names the provider");
                Vec::new()
            }
            (None, true) => match &name {
                Some((node, name)) => self.direct_targets(node, name, providers, max_tokens),
                None => Vec::new(),
            },
            (Some(targets), false) => self.targets(&targets, providers, max_tokens),
            (None, false) => {
                self.problem(&format!("{}.targets", node.path), "must be given");
                Vec::new()
            }
        };
        let (at, name) = name?;
        if name.trim_end_matches('*').contains('*') || name.ends_with("**") {
            self.problem(&at.path, "may have one \"*\", at its end");
        }
        Some(Model {
            pattern: Pattern::new(name),
            name: name.into(),
            targets,
            direct,
            strategy: strategy.or_else(|| STRATEGIES.first().copied())?,
            retry,
        })
    }

    /// One for each provider that a direct entry's name allows: `*` all, `openai/*` and `openai/gpt-4o` one.
    pub(super) fn direct_targets(
        &mut self,
        node: &Node<'_>,
        name: &str,
        providers: &[Provider],
        max_tokens: u64,
    ) -> Vec<Target> {
        let allowed = |provider: &Provider| match name.split_once('/') {
            Some((first, _)) => *first == *provider.name,
            None => name == "*",
        };
        let target = |(index, provider): (usize, &Provider)| {
            allowed(provider).then(|| target(provider, index, provider.name.to_string(), None, max_tokens))
        };
        let targets: Vec<Target> = providers.iter().enumerate().filter_map(target).collect();
        if targets.is_empty() {
            let (first, _) = name.split_once('/').unwrap_or((name, ""));
            let near = suggest(first, providers.iter().map(|provider| &*provider.name));
            self.problem(
                &node.path,
                format!("a direct entry is \"*\" or \"provider/…\", and there is no provider \"{first}\"{near}"),
            );
        }
        targets
    }

    pub(super) fn targets(&mut self, node: &Node<'_>, providers: &[Provider], max_tokens: u64) -> Vec<Target> {
        let mut targets: Vec<Target> = Vec::new();
        for node in self.list(node).unwrap_or_default() {
            let Some(map) = self.fields(&node, &["provider", "cluster", "model", "max_tokens"]) else { continue };
            let field = |key: &str| map.get(key).map(|value| node.child(key, value));
            let Some(provider) = field("provider") else {
                self.problem(&format!("{}.provider", node.path), "must be given");
                continue;
            };
            let Some(index) = self.provider_index(&provider, providers) else { continue };
            let Some(provider) = providers.get(index) else { continue };
            let Some(cluster) = self.cluster(&node, map, provider) else { continue };
            let model = field("model").and_then(|node| self.text(&node));
            let max_tokens = field("max_tokens").and_then(|node| self.count(&node)).unwrap_or(max_tokens);
            let target = target(provider, index, cluster, model, max_tokens);
            if targets.contains(&target) {
                self.problem(&node.path, "is there already");
            }
            targets.push(target);
        }
        targets
    }
}

fn target(provider: &Provider, index: usize, cluster: String, model: Option<&str>, max_tokens: u64) -> Target {
    let key = format!("sluice.cool.{}.{cluster}.{}", provider.name, model.unwrap_or("*"));
    Target { provider: index, cluster, model: model.map(str::to_owned), max_tokens, key }
}
