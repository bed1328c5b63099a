//! Whether the routes of a gateway's connection manager let it choose clusters, and fail over between them.

use super::around::Target;
use super::{Finding, Gateway};
use crate::tree::{Node, Value};

const CLUSTER_HEADER: &str = "x-sluice-cluster";
const RETRY_HEADER: &str = "x-sluice-retry";

/// A route that sends calls where the gateway says.
struct Route<'n> {
    action: &'n Node,
    retry: Option<&'n Node>,
    /// The clusters that it can choose; `None`: any.
    clusters: Option<Vec<&'n str>>,
}

pub fn check(manager: &Node, gateway: &Gateway<'_>, targets: &[Target], findings: &mut Vec<Finding>) {
    // Routes that come by RDS are not in this file.
    let Some(hosts) = manager.at(&["route_config", "virtual_hosts"]) else { return };
    let mut routes = Vec::new();
    for host in hosts.items() {
        for route in host.get("routes").map(Node::items).unwrap_or_default() {
            let Some(action) = route.get("route") else { continue };
            let retry = action.get("retry_policy").or_else(|| host.get("retry_policy"));
            let clusters =
                if action.text_at(&["cluster_header"]).is_some_and(|name| name.eq_ignore_ascii_case(CLUSTER_HEADER)) {
                    None
                } else if let Some(plugin) = action.get("inline_cluster_specifier_plugin") {
                    let mut names = Vec::new();
                    chosen(plugin, &mut names);
                    Some(names)
                } else {
                    continue;
                };
            routes.push(Route { action, retry, clusters });
        }
    }
    if routes.is_empty() {
        let message = format!("no route sends calls to the cluster that the gateway chooses (by `{CLUSTER_HEADER}`)");
        findings.push(Finding::warning(hosts.at, "", message));
    }
    for route in &routes {
        route.check(gateway, targets, findings);
    }
}

/// Clusters that actions of a matcher name.
fn chosen<'n>(node: &'n Node, names: &mut Vec<&'n str>) {
    if node.is_a("ClusterAction") {
        names.extend(node.text_at(&["cluster"]));
    }
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| chosen(item, names)),
        Value::Map(members) => members.iter().for_each(|member| chosen(&member.value, names)),
        _ => {}
    }
}

impl Route<'_> {
    fn check(&self, gateway: &Gateway<'_>, targets: &[Target], findings: &mut Vec<Finding>) {
        let at = self.action.at;
        if let Some(clusters) = &self.clusters {
            for target in targets.iter().filter(|target| !clusters.contains(&target.cluster.as_str())) {
                let message = format!("the route at line {} cannot choose the cluster \"{}\"", at.line, target.cluster);
                findings.push(Finding::warning(gateway.document.place(&target.path), &target.path, message));
            }
        }
        if self.action.get("timeout").is_none() {
            let message = "the route has no `timeout`: Envoy's 15 s cover the whole answer and cut streams; take 0s";
            findings.push(Finding::warning(at, "", message));
        }
        let models = &gateway.policy.models;
        let Some(model) = models.iter().find(|model| !model.direct && model.targets.len() > 1) else { return };
        let mut lacks = |what: &str| {
            let message =
                format!("the route lacks what fail-over needs (\"{}\" has several targets): {what}", model.name);
            findings.push(Finding::warning(self.retry.map_or(at, |retry| retry.at), "", message));
        };
        let Some(retry) = self.retry else {
            lacks("a retry_policy");
            return;
        };
        let on = retry.text_at(&["retry_on"]).unwrap_or_default();
        if !on.split(',').any(|kind| kind.trim() == "retriable-headers") {
            lacks("`retriable-headers` in `retry_on`");
        }
        let headers = retry.get("retriable_headers").map(Node::items).unwrap_or_default();
        if !headers.iter().any(|header| header.text_at(&["name"]) == Some(RETRY_HEADER)) {
            lacks("`retriable_headers: [{name: x-sluice-retry, present_match: true}]`");
        }
        let moves = models.iter().filter(|model| !model.direct).any(|model| {
            model.targets.iter().zip(model.targets.iter().skip(1)).any(|(one, next)| one.cluster != next.cluster)
        });
        let refreshes = retry.get("refresh_cluster_on_retry").and_then(Node::truth) == Some(true);
        match (&self.clusters, moves) {
            (Some(_), true) if !refreshes => {
                lacks("`refresh_cluster_on_retry: true`: a retry would stay in its cluster")
            }
            (None, true) => {
                lacks(
                    "a way to another cluster: with `cluster_header` a retry stays in its cluster, so a model's targets must share an aggregate cluster",
                );
            }
            _ => {}
        }
    }
}
