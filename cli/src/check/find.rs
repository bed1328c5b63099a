//! The configurations in a file: the document itself, or those of Envoy's Wasm filters.

use super::{Finding, inner};
use crate::tree::{Node, Value};

/// A configuration of Sluice's, and where it stands.
pub struct Found<'n> {
    pub home: Home<'n>,
    /// What its place is if it has none of its own.
    node: &'n Node,
}

pub enum Home<'n> {
    /// A file of its own.
    Plain,
    Filter(Filter<'n>),
}

/// A Wasm filter: its `PluginConfig`, and what it is in.
#[derive(Clone, Copy)]
pub struct Filter<'n> {
    pub config: &'n Node,
    pub manager: Option<&'n Node>,
    pub cluster: Option<&'n Node>,
}

const WASM: &str = "extensions.filters.http.wasm.v3.Wasm";

/// All in the file.
pub fn all(documents: &[Node]) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    for node in documents {
        if node.get("role").is_some() || node.get("providers").is_some_and(Node::is_map) {
            found.push(Found { home: Home::Plain, node });
        } else {
            walk(node, None, None, &mut found);
        }
    }
    found
}

fn walk<'n>(node: &'n Node, manager: Option<&'n Node>, cluster: Option<&'n Node>, found: &mut Vec<Found<'n>>) {
    let manager = if node.is_a("HttpConnectionManager") { Some(node) } else { manager };
    let cluster = if node.is_a("config.cluster.v3.Cluster") { Some(node) } else { cluster };
    let config = if node.is_a(WASM) {
        node.get("config")
    } else if node.text_at(&["type_url"]).is_some_and(|name| name.ends_with(WASM)) {
        node.at(&["value", "config"])
    } else {
        None
    };
    if let Some(config) = config {
        if is_ours(config) {
            found.push(Found { home: Home::Filter(Filter { config, manager, cluster }), node: config });
        }
        return;
    }
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| walk(item, manager, cluster, found)),
        Value::Map(members) => {
            for member in members {
                let value = &member.value;
                let is_clusters = member.name == "clusters" && cluster.is_none() && manager.is_none();
                for item in if is_clusters { value.items() } else { std::slice::from_ref(value) } {
                    walk(item, manager, if is_clusters { Some(item) } else { cluster }, found);
                }
            }
        }
        _ => {}
    }
}

/// By its configuration, else by what the filter is called.
fn is_ours(config: &Node) -> bool {
    let document = config.get("configuration").and_then(|node| {
        if node.is_a("StringValue") {
            node.get("value").and_then(|text| inner(text).ok())
        } else {
            node.get("value").cloned()
        }
    });
    if document.is_some_and(|document| document.get("role").is_some() || document.get("providers").is_some()) {
        return true;
    }
    let names: [&[&str]; 4] =
        [&["name"], &["root_id"], &["vm_config", "vm_id"], &["vm_config", "code", "local", "filename"]];
    names.iter().filter_map(|path| config.text_at(path)).any(|name| name.contains("sluice"))
}

impl<'n> Found<'n> {
    pub fn filter(&self) -> Option<Filter<'n>> {
        if let Home::Filter(filter) = self.home { Some(filter) } else { None }
    }

    /// The document, whichever form it has. `Err`: it has none that the module takes.
    pub fn document(&self) -> Result<Node, Finding> {
        let Home::Filter(filter) = &self.home else { return Ok(self.node.clone()) };
        let empty = |at| Node { at, value: Value::Map(Vec::new()) };
        let Some(configuration) = filter.config.get("configuration") else { return Ok(empty(filter.config.at)) };
        let at = configuration.at;
        match (configuration.get("value"), configuration.is_a("protobuf.StringValue")) {
            (Some(value), true) => inner(value).map_err(|message| {
                Finding::problem(value.at, "", format!("the configuration must be JSON text ({message})"))
            }),
            (Some(value), false) if configuration.is_a("protobuf.Struct") => Ok(value.clone()),
            (None, _) if configuration.is_a("protobuf.Struct") => Ok(empty(at)),
            _ => Err(Finding::problem(
                at,
                "",
                "the configuration must be a google.protobuf.Struct or a google.protobuf.StringValue, in `value`",
            )),
        }
    }
}
