//! `limits` of the document, and those of a consumer.

use super::check::Reader;
use super::node::{Node, join};
use super::suggest::suggest;
use crate::limit::{Dimension, Exceeded, Limit, Limits, When, meet};
use crate::price::{Nanos, PriceList, nanos};
use crate::provider::{CLIENT_CREDENTIALS, Provider};
use crate::quota::{Down, MAX_AMOUNT, Mode, Rule, Store, Unit, Window};
use crate::route::{Model, Pattern};
use std::rc::Rc;

/// Bytes of a name: it is part of metrics' names.
const MAX_NAME: usize = 64;

/// Limits of one consumer's own. Each that holds for a call costs two writes.
const MAX_OWN: usize = 16;

/// Values that a limit is counted by.
const MAX_BY: usize = 8;

const KNOWN: &[&str] = &["name", "unit", "amount", "window", "sliding", "when", "exceeded", "thresholds", "store"];

/// What `limits` are checked against.
pub(super) struct Around<'p> {
    pub providers: &'p [Provider],
    pub models: &'p [Model],
    pub prices: &'p PriceList,
    /// What is done while the store does not answer; `None`: there is no store.
    pub down: Option<Down>,
}

impl<'v> Reader<'v> {
    pub(super) fn limits(&mut self, top: &'v Node, around: &Around<'_>) -> Limits {
        let mut limits = Limits::default();
        if let Some(list) = top.get("limits") {
            for node in self.list(list) {
                let Some(limit) = self.limit(node, None, around) else { continue };
                if limits.all.iter().any(|other| other.name == limit.name) {
                    self.problem_at(node, "name", format_args!("\"{}\" is there already", limit.name));
                }
                for dimension in &limit.by {
                    if let Dimension::Header(name) = dimension
                        && !limits.headers.contains(name)
                    {
                        limits.headers.push(name.clone());
                    }
                }
                limits.all.push(Rc::new(limit));
            }
        }
        let Some(Node::List(consumers)) = top.get("consumers") else { return limits };
        for consumer in consumers {
            let (Some(list), Some(Node::Text(name))) = (consumer.get("limits"), consumer.get("name")) else { continue };
            let mut own: Vec<Rc<Limit>> = Vec::new();
            for node in self.list(list) {
                let Some(limit) = self.limit(node, Some(consumer), around) else { continue };
                if limits.all.iter().chain(&own).any(|other| other.name == limit.name) {
                    self.problem_at(node, "name", format_args!("\"{}\" is there already", limit.name));
                }
                own.push(Rc::new(limit));
            }
            if own.len() > MAX_OWN {
                self.problem(list, format_args!("has more than {MAX_OWN} entries"));
            }
            let at = limits.own.partition_point(|(known, _)| **known < **name);
            limits.own.insert(at, (name.as_str().into(), own));
        }
        limits
    }

    /// `consumer`: whose own it is.
    fn limit(&mut self, node: &'v Node, consumer: Option<&'v Node>, around: &Around<'_>) -> Option<Limit> {
        let known: Vec<&str> = KNOWN.iter().copied().chain(consumer.is_none().then_some("by")).collect();
        self.fields(node, &known)?;
        let name = self.need(node, "name").and_then(|name| self.limit_name(name));
        let by = match (consumer, node.get("by")) {
            (Some(_), _) => vec![Dimension::Consumer],
            (None, by) => by.map(|by| self.by(by)).unwrap_or_default(),
        };
        let unit = self.need(node, "unit").and_then(|unit| self.word(unit, &Unit::ALL.map(Unit::name)));
        let unit = unit.and_then(|at| Unit::ALL.get(at)).copied();
        let window = self.window(node, unit);
        let amount = self.need(node, "amount").and_then(|amount| self.amount(amount, unit?));
        let when = node.get("when").and_then(|when| self.when(when)).unwrap_or_default();
        let exceeded = node.get("exceeded").and_then(|node| self.exceeded(node, around)).unwrap_or(Exceeded::Reject);
        if let (Exceeded::Route(to), Some(models)) = (&exceeded, &when.models)
            && models.iter().all(|model| matches!(model, Pattern::Exact(name) if name == to))
        {
            self.problem_at(node, "exceeded", format_args!("leads to where it comes from: nothing would be limited"));
        }
        let thresholds = node.get("thresholds").map(|list| self.thresholds(list)).unwrap_or_default();
        let (name, unit, window, amount) = (name?, unit?, window?, amount?);
        // Another limit of that name must not share its counters.
        let key = if consumer.is_some() { ["own/", name].concat() } else { name.to_owned() };
        let mut rule = Rule::new(&key, unit, window, amount);
        rule.thresholds = thresholds;
        let local = self.word_in(node, "store", &["redis", "local"]);
        match (around.down, window, local) {
            (Some(down), Window::Total | Window::Calendar(..), None | Some(0)) => rule.store = Store::Fleet(down),
            (None, _, Some(0)) if self.document.get("store").is_none() => {
                self.problem_at(node, "store", format_args!("there is no `store` to count in"));
            }
            (_, Window::Sliding(_), Some(0)) => {
                self.problem_at(node, "store", format_args!("sliding windows are counted in each Envoy"));
            }
            _ => {}
        }
        rule.open = by.iter().any(|dimension| matches!(dimension, Dimension::Header(_)));
        if exceeded == Exceeded::Report {
            rule.mode = Mode::Report;
        }
        let limit = Limit { name: name.into(), by, when, exceeded, rule: Rc::new(rule) };
        if unit == Unit::Usd {
            self.priced(&limit, consumer, around);
        }
        Some(limit)
    }

    fn limit_name(&mut self, node: &'v Node) -> Option<&'v str> {
        let name = self.text(node)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        if name.len() > MAX_NAME || !name.bytes().all(plain) {
            let message = format_args!("must be at most {MAX_NAME} letters, digits, - _ . or /: it is part of metrics");
            self.problem(node, message);
        }
        Some(name)
    }

    fn by(&mut self, node: &'v Node) -> Vec<Dimension> {
        let items = match node {
            Node::List(items) if items.is_empty() => &[],
            _ => self.list(node),
        };
        let mut by: Vec<Dimension> = Vec::new();
        for item in items {
            let Some(text) = self.text(item) else { continue };
            let Some(dimension) = Dimension::named(text) else {
                let near = suggest(text, &mut Dimension::WORDS.iter().copied());
                let words = Dimension::WORDS.join(", ");
                self.problem(item, format_args!("no such value \"{text}\"{near} (one of: {words})"));
                continue;
            };
            if let Dimension::Header(name) = &dimension
                && (CLIENT_CREDENTIALS.contains(&name.as_str()) || !name.bytes().all(|byte| byte.is_ascii_graphic()))
            {
                self.problem(item, format_args!("is no header to count by"));
            }
            if by.contains(&dimension) || by.len() >= MAX_BY {
                self.problem(item, format_args!("is there already, or is more than the {MAX_BY} there may be"));
                continue;
            }
            by.push(dimension);
        }
        by
    }

    fn window(&mut self, node: &'v Node, unit: Option<Unit>) -> Option<Window> {
        let (window, sliding) = (node.get("window"), node.get("sliding"));
        let (given, read): (_, fn(&str) -> Option<Window>) = match (window, sliding) {
            (None, None) => return Some(Window::Total),
            (Some(window), None) => (window, Window::calendar),
            (None, Some(sliding)) => (sliding, Window::sliding),
            (Some(_), Some(sliding)) => {
                self.problem(sliding, format_args!("cannot stand beside `window`"));
                return None;
            }
        };
        if unit == Some(Unit::Concurrent) {
            self.problem(given, format_args!("has no meaning for concurrent calls"));
            return None;
        }
        let text = self.text(given)?;
        let found = read(text);
        if found.is_none() {
            let units = if sliding.is_some() {
                "60s, 5m, 1h, 1d"
            } else {
                "1s, 1m, 1h, 1d, 1mo, or several: 5m; none: a total"
            };
            self.problem(given, format_args!("\"{text}\" is no window: {units}"));
        }
        found
    }

    fn amount(&mut self, node: &'v Node, unit: Unit) -> Option<u64> {
        let amount = match unit {
            Unit::Usd => self.usd(node),
            _ => self.count(node),
        }?;
        if amount == 0 || amount > MAX_AMOUNT {
            self.problem(node, format_args!("must be above 0 and below what can be counted"));
            return None;
        }
        Some(amount)
    }

    fn usd(&mut self, node: &'v Node) -> Option<Nanos> {
        let text = self.decimal(node)?;
        match nanos(&text) {
            Ok(amount) => Some(amount),
            Err(message) => {
                self.problem(node, format_args!("{message}"));
                None
            }
        }
    }

    fn when(&mut self, node: &'v Node) -> Option<When> {
        self.fields(node, &["model", "consumer", "team", "tier"])?;
        let models = node.get("model").and_then(|list| self.all_texts(list));
        for model in models.iter().flatten().filter(|model| !Pattern::may_be(model)) {
            self.problem_at(node, "model", format_args!("\"{model}\" may have one \"*\", at its end"));
        }
        Some(When {
            models: models.map(|all| all.iter().map(|name| Pattern::new(name)).collect()),
            consumers: node.get("consumer").and_then(|list| self.all_texts(list)),
            teams: node.get("team").and_then(|list| self.all_texts(list)),
            tiers: node.get("tier").and_then(|list| self.all_texts(list)),
        })
    }

    /// `reject`, `report`, `{route_to: MODEL}`.
    fn exceeded(&mut self, node: &'v Node, around: &Around<'_>) -> Option<Exceeded> {
        if let Node::Text(_) = node {
            let report = self.word(node, &["reject", "report"])? == 1;
            return Some(if report { Exceeded::Report } else { Exceeded::Reject });
        }
        self.fields(node, &["route_to"])?;
        let to = self.need(node, "route_to")?;
        let name = self.text(to)?;
        if crate::route::find(around.models, name).is_none() {
            let near = suggest(name, &mut around.models.iter().map(|model| &*model.name));
            self.problem(to, format_args!("there is no model \"{name}\"{near}"));
        }
        Some(Exceeded::Route(name.to_owned()))
    }

    fn thresholds(&mut self, node: &'v Node) -> Vec<u8> {
        let mut all: Vec<u8> = Vec::new();
        for item in self.list(node) {
            let percent = match item.number() {
                Some(number) if number.fract() == 0.0 && (1.0..=100.0).contains(&number) => number as u8,
                _ => {
                    self.wrong(item, "a whole number of percent, 1 to 100");
                    continue;
                }
            };
            if all.contains(&percent) || all.len() >= 8 {
                self.problem(item, format_args!("is there already, or is more than the eight there may be"));
                continue;
            }
            all.push(percent);
        }
        all
    }

    /// Every target that a limit in money holds for must have a price.
    fn priced(&mut self, limit: &Limit, consumer: Option<&Node>, around: &Around<'_>) {
        // Indexes below would be wrong.
        if self.problems.iter().any(|problem| problem.path.starts_with("models")) {
            return;
        }
        let own = consumer.and_then(|consumer| consumer.get("models"));
        let own: Option<Vec<Pattern>> = own
            .and_then(|own| match own {
                Node::List(items) => Some(items),
                _ => None,
            })
            .map(|items| {
                let texts = items.iter().filter_map(|item| if let Node::Text(text) = item { Some(text) } else { None });
                texts.map(|text| Pattern::new(text)).collect()
            });
        let holds = |model: &Model, patterns: &Option<Vec<Pattern>>| match patterns {
            None => true,
            Some(patterns) => patterns.iter().any(|pattern| meet(pattern, &model.pattern)),
        };
        for (index, model) in around.models.iter().enumerate() {
            if !holds(model, &limit.when.models) || !holds(model, &own) {
                continue;
            }
            for (place, target) in model.targets.iter().enumerate() {
                let Some(provider) = around.providers.get(target.provider) else { continue };
                // No name has a NUL: a price for it is one for every name that begins so.
                let any;
                let upstream = match (&target.model, &model.pattern) {
                    (Some(name), _) => name,
                    (None, Pattern::Exact(name)) if model.direct => {
                        name.split_once('/').map_or(name.as_str(), |(_, name)| name)
                    }
                    (None, Pattern::Exact(name)) => name.as_str(),
                    (None, Pattern::Prefix(prefix)) => {
                        let prefix = match prefix.split_once('/') {
                            Some((_, rest)) if model.direct => rest,
                            _ => prefix,
                        };
                        any = [prefix, "\0"].concat();
                        any.as_str()
                    }
                };
                if around.prices.find(&provider.name, upstream).is_none() {
                    let path = match model.direct {
                        true => format!("models[{index}]"),
                        false => join(&format!("models[{index}]"), &format!("targets[{place}]")),
                    };
                    let shown = upstream.replace('\0', "*");
                    let message = format!(
                        "`prices` has none for \"{shown}\" of \"{}\", and the limit \"{}\" is in usd",
                        provider.name, limit.name
                    );
                    self.told(path, message);
                }
            }
        }
    }
}
