//! `sluice check`: what is wrong with configurations, as the module itself says it, and whether the Envoy around them fits.

mod around;
mod environment;
mod find;
mod route;

use crate::tree::{Node, Place, Value};
use crate::{json, yaml};
use environment::Environment;
use find::{Found, Home};
use sluice::config::{Policy, Role, load};
use std::fmt;

/// How strictly the environment is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Variables that are not set here are warned of.
    Warn,
    /// They are problems, as they would be to an Envoy that is started here.
    Here,
    /// Nothing is read from the environment.
    Ignore,
}

/// Something to say about a file.
#[derive(Debug)]
pub struct Finding {
    pub is_problem: bool,
    pub at: Place,
    /// In the gateway's document; empty: of what stands around it.
    pub path: String,
    pub message: String,
}

impl Finding {
    pub fn problem(at: Place, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { is_problem: true, at, path: path.into(), message: message.into() }
    }

    pub fn warning(at: Place, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { is_problem: false, ..Self::problem(at, path, message) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_problem { "" } else { "warning: " };
        let colon = if self.path.is_empty() { "" } else { ": " };
        write!(f, "{}: {kind}{}{colon}{}", self.at, self.path, self.message)
    }
}

/// What was found in one file.
#[derive(Default)]
pub struct Report {
    pub findings: Vec<Finding>,
    pub gateways: usize,
    pub providers: usize,
}

/// A gateway's configuration that was taken, where it stands.
struct Gateway<'n> {
    found: &'n Found<'n>,
    document: Node,
    policy: Box<Policy>,
}

/// Checks the text of a file. `Err`: it cannot be read as a document at all.
pub fn file(name: &str, text: &str, strictness: Strictness) -> Result<Report, String> {
    let mut report = Report::default();
    let documents = read(name, text, &mut report)?;
    let found = find::all(&documents);
    if found.is_empty() {
        let message = "nothing of Sluice's is in it: neither a document with `role`, nor a Wasm filter with one";
        return Err(message.to_owned());
    }
    let mut gateways = Vec::new();
    for found in &found {
        let document = match found.document() {
            Ok(document) => document,
            Err(finding) => {
                report.findings.push(finding);
                continue;
            }
        };
        match one(found, &document, strictness, &mut report) {
            Some(Role::Gateway(policy)) => gateways.push(Gateway { found, document, policy }),
            Some(Role::Provider { .. } | Role::Admin) | None => {}
        }
    }
    around::check(&documents, &found, &gateways, &mut report.findings);
    // The order of the file; problems first where a place has both.
    report.findings.sort_by_key(|finding| (finding.at.line, finding.at.column, !finding.is_problem));
    Ok(report)
}

fn read(name: &str, text: &str, report: &mut Report) -> Result<Vec<Node>, String> {
    let looks_like_json = text.trim_start().starts_with(['{', '[']);
    if name.ends_with(".json") || looks_like_json {
        match json::read(text, json::Offset::default()) {
            Ok(node) => return Ok(vec![node]),
            Err(message) if name.ends_with(".json") => return Err(message),
            // YAML may start so as well.
            Err(_) => {}
        }
    }
    let read = yaml::read(text).map_err(|error| format!("{}: {}", error.at, error.message))?;
    for (at, name) in read.twice {
        report.findings.push(Finding::problem(at, "", format!("`{name}` stands twice")));
    }
    Ok(read.documents)
}

/// One configuration as the module would take it.
fn one(found: &Found<'_>, document: &Node, strictness: Strictness, report: &mut Report) -> Option<Role> {
    match document.text_at(&["role"]) {
        Some("provider") => report.providers = report.providers.saturating_add(1),
        Some("admin") => {}
        _ => report.gateways = report.gateways.saturating_add(1),
    }
    let environment = Environment::of(found, strictness);
    let stripped = environment.without_unreadable_seals(document);
    let shown = |path: &str| document.place(path);
    let loaded = load(stripped.json().as_bytes(), &|name| environment.value(name));
    for (path, message) in environment.warnings(document) {
        report.findings.push(Finding::warning(shown(&path), path, message));
    }
    match loaded {
        Ok(role) => Some(role),
        Err(problems) => {
            let told = problems
                .into_iter()
                .map(|problem| Finding::problem(shown(&problem.path), problem.path, problem.message));
            report.findings.extend(told);
            None
        }
    }
}

/// The configuration's text as a document: JSON in a `StringValue`.
fn inner(node: &Node) -> Result<Node, String> {
    let Value::Text { text, block } = &node.value else { return Err("must be a string".to_owned()) };
    match block {
        Some((line, column)) => json::read(text, json::Offset { line: line.saturating_sub(1), column: *column }),
        // Nothing says where in a quoted text its lines are.
        None => json::read(text, json::Offset::default()).map(|read| placed(read, node.at)),
    }
}

/// The same with all of it at one place.
fn placed(node: Node, at: Place) -> Node {
    let value = match node.value {
        Value::List(items) => Value::List(items.into_iter().map(|item| placed(item, at)).collect()),
        Value::Map(members) => Value::Map(
            members
                .into_iter()
                .map(|member| crate::tree::Member { at, value: placed(member.value, at), name: member.name })
                .collect(),
        ),
        value => value,
    };
    Node { at, value }
}

/// Whether the document stands by itself, without Envoy around it.
fn is_plain(found: &Found<'_>) -> bool {
    matches!(found.home, Home::Plain)
}

#[cfg(test)]
mod tests;
