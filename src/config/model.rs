//! The `models` of the document.

use super::check::Reader;
use super::node::Node;
use super::suggest::suggest;
use crate::provider::Provider;
use crate::route::{Model, Pattern, Retry, STRATEGIES, Target};
use crate::tokens;
use std::rc::Rc;

impl<'v> Reader<'v> {
    pub(super) fn models(
        &mut self,
        node: &'v Node,
        providers: &[Provider],
        retry: &Retry,
        max_tokens: u64,
    ) -> Vec<Model> {
        let mut models: Vec<Model> = Vec::new();
        for node in self.list(node) {
            let Some(model) = self.model(node, providers, retry, max_tokens) else { continue };
            if models.iter().any(|other| other.name == model.name) {
                self.problem_at(node, "name", format_args!("\"{}\" is there already", model.name));
            }
            models.push(model);
        }
        models
    }

    fn model(&mut self, node: &'v Node, providers: &[Provider], retry: &Retry, max_tokens: u64) -> Option<Model> {
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
        self.fields(node, KNOWN)?;
        let retry = self.retry(node, retry);
        let max_tokens = self.count_in(node, "max_tokens").unwrap_or(max_tokens);
        let direct = self.flag_in(node, "direct");
        let strategies: Vec<&str> = STRATEGIES.iter().map(|strategy| strategy.name()).collect();
        let strategy = self.word_in(node, "strategy", &strategies).unwrap_or(0);
        let name = self.need(node, "name").and_then(|name| self.text(name));
        let targets = match (direct, name) {
            (true, _) if node.get("targets").is_some() => {
                let message = format_args!("a direct entry has none: the request's model names the provider");
                self.problem_at(node, "targets", message);
                Vec::new()
            }
            (true, Some(name)) => self.direct_targets(node, name, providers, max_tokens),
            (true, None) => Vec::new(),
            (false, _) => match self.need(node, "targets") {
                Some(targets) => self.targets(targets, providers, max_tokens),
                None => Vec::new(),
            },
        };
        let name = name?;
        if !Pattern::may_be(name) {
            self.problem_at(node, "name", format_args!("may have one \"*\", at its end"));
        }
        Some(Model {
            pattern: Pattern::new(name),
            name: name.into(),
            targets,
            direct,
            strategy: STRATEGIES.get(strategy).copied()?,
            retry,
        })
    }

    /// One for each provider that the name of a direct entry, `node`, allows: `*` all, `openai/*` and `openai/gpt-4o` one.
    fn direct_targets(&mut self, node: &'v Node, name: &str, providers: &[Provider], max_tokens: u64) -> Vec<Target> {
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
            let near = suggest(first, &mut providers.iter().map(|provider| &*provider.name));
            self.problem_at(
                node,
                "name",
                format_args!("a direct entry is \"*\" or \"provider/…\", and there is no provider \"{first}\"{near}"),
            );
        }
        targets
    }

    fn targets(&mut self, node: &'v Node, providers: &[Provider], max_tokens: u64) -> Vec<Target> {
        let mut targets: Vec<Target> = Vec::new();
        for node in self.list(node) {
            let Some(target) = self.target(node, providers, max_tokens) else { continue };
            if targets.contains(&target) {
                self.problem(node, format_args!("is there already"));
            }
            targets.push(target);
        }
        targets
    }

    fn target(&mut self, node: &'v Node, providers: &[Provider], max_tokens: u64) -> Option<Target> {
        self.fields(node, &["provider", "cluster", "model", "max_tokens", "region"])?;
        let index = self.need(node, "provider").and_then(|name| self.provider_index(name, providers))?;
        let provider = providers.get(index)?;
        let cluster = self.cluster(node, provider)?;
        let model = self.text_in(node, "model");
        let max_tokens = self.count_in(node, "max_tokens").unwrap_or(max_tokens);
        let region = self.text_in(node, "region").map(str::to_owned);
        let target = target(provider, index, cluster, model, max_tokens);
        Some(Target { region: region.or(target.region), ..target })
    }
}

fn target(provider: &Provider, index: usize, cluster: String, model: Option<&str>, max_tokens: u64) -> Target {
    let key = format!("sluice.cool.{}.{cluster}.{}", provider.name, model.unwrap_or("*"));
    let region = provider.setting("region").or_else(|| provider.setting("location")).map(str::to_owned);
    let counted_as = model.map(|name| tokens::Model::at(provider.kind.name, name));
    Target { provider: index, cluster, model: model.map(Rc::from), counted_as, max_tokens, region, key }
}
