//! Whether a configuration, and the Envoy around it, has what it needs. All of it is a warning: clusters may come from elsewhere.

use super::find::{Filter, Found};
use super::{Finding, Gateway, route};
use crate::tree::Node;
use sluice::limit::meet;
use sluice::route::Pattern;
use std::collections::BTreeMap;

pub struct Target {
    /// Its place in the gateway's document.
    pub path: String,
    pub cluster: String,
}

pub fn check(documents: &[Node], found: &[Found<'_>], gateways: &[Gateway<'_>], findings: &mut Vec<Finding>) {
    let mut clusters = Clusters::default();
    for document in documents {
        clusters.collect(document);
    }
    let filters: Vec<Filter<'_>> = found.iter().filter_map(Found::filter).collect();
    for filter in &filters {
        settings(filter, findings);
    }
    for gateway in gateways {
        idle_limits(gateway, findings);
        let Some(filter) = gateway.found.filter() else { continue };
        let needs_it = |filter: &&Filter<'_>| {
            filter.cluster.is_some() || filter.config.text_at(&["configuration", "value", "role"]) == Some("admin")
        };
        for other in filters.iter().filter(needs_it) {
            one_vm(&filter, other, findings);
        }
        let targets = targets(gateway);
        for target in &targets {
            let place = gateway.document.place(&target.path);
            let name = &target.cluster;
            let Some(cluster) = clusters.named.get(name.as_str()) else {
                if !clusters.are_elsewhere && !clusters.named.is_empty() {
                    let message = format!("there is no cluster \"{name}\" in this file");
                    findings.push(Finding::warning(place, &target.path, message));
                }
                continue;
            };
            let here = |filter: &&Filter<'_>| filter.cluster.is_some_and(|own| std::ptr::eq(own, *cluster));
            if !filters.iter().any(|filter| here(&filter)) {
                let message = format!(
                    "the cluster \"{name}\" has no filter with `role: provider`: calls arrive there as the client sent them, without a key"
                );
                findings.push(Finding::warning(place, &target.path, message));
            }
        }
        let known: Vec<&str> = gateway.policy.providers.iter().map(|provider| &*provider.name).collect();
        for (name, at) in clusters.hosts.iter().chain(&named_by_role(found)) {
            if !known.contains(&name.as_str()) {
                let message = format!("there is no provider \"{name}\" in the gateway's configuration");
                findings.push(Finding::warning(*at, "", message));
            }
        }
        if let Some(manager) = filter.manager {
            route::check(manager, gateway, &targets, findings);
        }
    }
}

/// Limits that hold for no model there is: their names are most likely misspelt.
fn idle_limits(gateway: &Gateway<'_>, findings: &mut Vec<Finding>) {
    let mut check = |holder: &Node, path: &str| {
        for (n, limit) in holder.get("limits").map(Node::items).unwrap_or_default().iter().enumerate() {
            let Some(names) = limit.at(&["when", "model"]) else { continue };
            let mut patterns = names.items().iter().filter_map(Node::text).map(Pattern::new);
            if !patterns.any(|name| gateway.policy.models.iter().any(|model| meet(&name, &model.pattern))) {
                let path = format!("{path}limits[{n}].when.model");
                let message = "no entry of `models` fits: the limit holds for no call";
                findings.push(Finding::warning(gateway.document.place(&path), path, message));
            }
        }
    };
    check(&gateway.document, "");
    for (n, consumer) in gateway.document.get("consumers").map(Node::items).unwrap_or_default().iter().enumerate() {
        check(consumer, &format!("consumers[{n}]."));
    }
}

/// Each cluster that the gateway may choose, once.
fn targets(gateway: &Gateway<'_>) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    let mut add = |cluster: &str, path: String| {
        if targets.iter().all(|known| known.cluster != cluster) {
            targets.push(Target { path, cluster: cluster.to_owned() });
        }
    };
    for (m, model) in gateway.policy.models.iter().enumerate() {
        for (n, target) in model.targets.iter().enumerate() {
            let provider = gateway.policy.providers.get(target.provider);
            let named = provider.is_some_and(|provider| *provider.name != *target.cluster);
            let path = match (model.direct, named) {
                (true, _) => format!("models[{m}]"),
                (false, true) => format!("models[{m}].targets[{n}].cluster"),
                (false, false) => format!("models[{m}].targets[{n}]"),
            };
            add(&target.cluster, path);
        }
    }
    if let Some(other) = &gateway.policy.other_paths {
        add(&other.cluster, "other_paths".to_owned());
    }
    targets
}

#[derive(Default)]
struct Clusters<'n> {
    named: BTreeMap<&'n str, &'n Node>,
    /// What hosts' metadata say of their provider.
    hosts: Vec<(String, crate::tree::Place)>,
    /// They come by CDS.
    are_elsewhere: bool,
}

impl<'n> Clusters<'n> {
    fn collect(&mut self, node: &'n Node) {
        self.are_elsewhere |= node.at(&["dynamic_resources", "cds_config"]).is_some()
            || node.at(&["dynamic_resources", "ads_config"]).is_some();
        let fixed = node.at(&["static_resources", "clusters"]).map(Node::items).unwrap_or_default();
        let listed = node.get("resources").map(Node::items).unwrap_or_default();
        for cluster in fixed.iter().chain(listed.iter().filter(|one| one.is_a("config.cluster.v3.Cluster"))) {
            if let Some(name) = cluster.text_at(&["name"]) {
                self.named.insert(name, cluster);
            }
            let places = cluster.at(&["load_assignment", "endpoints"]).map(Node::items).unwrap_or_default();
            for place in places {
                let endpoints = place.get("lb_endpoints").map(Node::items).unwrap_or_default();
                for host in std::iter::once(place).chain(endpoints) {
                    let named = host.at(&["metadata", "filter_metadata", "sluice", "provider"]);
                    self.hosts.extend(named.and_then(|node| Some((node.text()?.to_owned(), node.at))));
                }
            }
        }
    }
}

/// Providers that the provider role's own configuration names.
fn named_by_role(found: &[Found<'_>]) -> Vec<(String, crate::tree::Place)> {
    let roles = found.iter().filter(|found| found.filter().is_some_and(|filter| filter.cluster.is_some()));
    let documents = roles.filter_map(|found| found.document().ok());
    documents
        .filter_map(|document| document.get("provider").and_then(|node| Some((node.text()?.to_owned(), node.at))))
        .collect()
}

/// What a filter's own settings must be.
fn settings(filter: &Filter<'_>, findings: &mut Vec<Finding>) {
    let config = filter.config;
    if config.get("allow_on_headers_stop_iteration").and_then(Node::truth) != Some(true) {
        let message = "`allow_on_headers_stop_iteration: true` is missing: requests would hang";
        findings.push(Finding::warning(config.at, "", message));
    }
    let open = config.get("fail_open").filter(|open| open.truth() == Some(true));
    let policy = config.get("failure_policy").filter(|policy| policy.text() == Some("FAIL_OPEN"));
    if let Some(node) = open.or(policy) {
        let message = "FAIL_OPEN lets requests pass by the gateway if the module fails: take FAIL_RELOAD";
        findings.push(Finding::warning(node.at, "", message));
    }
}

/// All roles must be in one VM: the same `vm_id`, code and configuration.
fn one_vm(gateway: &Filter<'_>, provider: &Filter<'_>, findings: &mut Vec<Finding>) {
    let same = ["vm_id", "code", "configuration", "environment_variables"];
    let of = |filter: &Filter<'_>, field: &str| filter.config.at(&["vm_config", field]).map(Node::json);
    let differing: Vec<&str> = same.into_iter().filter(|field| of(gateway, field) != of(provider, field)).collect();
    if !differing.is_empty() {
        let at = provider.config.get("vm_config").unwrap_or(provider.config).at;
        let message = format!(
            "`vm_config` differs from the gateway's in {}: the two roles would not share a VM, nor what they know of calls",
            differing.join(", ")
        );
        findings.push(Finding::warning(at, "", message));
    }
}
