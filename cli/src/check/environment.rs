//! The environment variables that a configuration names, as the module would see them.

use super::find::Found;
use super::{Strictness, is_plain};
use crate::tree::{Node, Value};
use sluice::config::{SEAL_KEY, shown};
use sluice::secret::{SealKey, Unsealable, open};

/// In the place of a value that is not known here: what a key may be, and what the key of sealed values may be.
const UNKNOWN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

pub struct Environment<'n> {
    /// What Envoy passes on; `None`: everything.
    passed: Option<&'n Node>,
    strictness: Strictness,
}

impl<'n> Environment<'n> {
    pub fn of(found: &Found<'n>, strictness: Strictness) -> Self {
        const EMPTY: &Node = &Node { at: crate::tree::Place { line: 1, column: 1 }, value: Value::Null };
        let passed =
            found.filter().map(|filter| filter.config.at(&["vm_config", "environment_variables"]).unwrap_or(EMPTY));
        Self { passed: if is_plain(found) { None } else { passed }, strictness }
    }

    /// `None`: it is not there, or not passed on.
    pub fn value(&self, name: &str) -> Option<String> {
        if let Some(given) = self.passed.and_then(|passed| passed.text_at(&["key_values", name])) {
            return Some(given.to_owned());
        }
        if self.passed.is_some_and(|passed| !names(passed).any(|known| known == name)) {
            return None;
        }
        let here = || std::env::var(name).ok();
        match self.strictness {
            Strictness::Here => here(),
            Strictness::Warn => here().or_else(|| Some(UNKNOWN.to_owned())),
            Strictness::Ignore => Some(UNKNOWN.to_owned()),
        }
    }

    fn is_unknown(&self, name: &str) -> bool {
        self.value(name).as_deref() == Some(UNKNOWN)
    }

    /// The document without the sealed values that are well formed, if their key is not known here.
    pub fn without_unreadable_seals(&self, document: &Node) -> Node {
        if !self.is_unknown(&seal_key(document)) {
            return document.clone();
        }
        let mut document = document.clone();
        let paths: Vec<Vec<String>> = auths(&document).into_iter().map(|(path, _)| path).collect();
        for path in paths {
            let auth = path.iter().try_fold(&mut document, |node, name| member(node, name));
            let Some(Value::Map(fields)) = auth.map(|auth| &mut auth.value) else { continue };
            for field in fields.iter_mut().filter(|field| field.name == "sealed") {
                let any = SealKey::new([0; 32]);
                let is_sealed = |text: &str| open(&any, "", text).err() != Some(Unsealable::Format);
                if field.value.text().is_some_and(is_sealed) {
                    "value".clone_into(&mut field.name);
                    field.value.value = Value::Text { text: UNKNOWN.to_owned(), block: None };
                }
            }
        }
        document
    }

    /// Paths of what could not be checked here.
    pub fn warnings(&self, document: &Node) -> Vec<(String, String)> {
        if self.strictness != Strictness::Warn {
            return Vec::new();
        }
        let mut warnings = Vec::new();
        for (path, auth) in auths(document) {
            for (field, name) in [
                ("env", auth.text_at(&["env"]).map(str::to_owned)),
                ("sealed", auth.text_at(&["sealed"]).map(|_| seal_key(document))),
            ] {
                let Some(name) = name.filter(|name| self.is_unknown(name)) else { continue };
                let path = format!("{}.{field}", path.join("."));
                let name = shown(&name);
                warnings
                    .push((path, format!("the environment variable {name} is not set here: its value is not checked")));
            }
        }
        warnings
    }
}

fn names(passed: &Node) -> impl Iterator<Item = &str> {
    passed.get("host_env_keys").map(Node::items).unwrap_or_default().iter().filter_map(Node::text)
}

fn seal_key(document: &Node) -> String {
    document.text_at(&["seal_key", "env"]).unwrap_or(SEAL_KEY).to_owned()
}

fn member<'m>(node: &'m mut Node, name: &str) -> Option<&'m mut Node> {
    let Value::Map(members) = &mut node.value else { return None };
    members.iter_mut().rev().find(|member| member.name == name).map(|member| &mut member.value)
}

/// Every credential's mapping, with its path: of providers, and of the store.
fn auths(document: &Node) -> Vec<(Vec<String>, &Node)> {
    let providers = document.get("providers").map(Node::members).unwrap_or_default();
    let providers =
        providers.iter().map(|provider| vec!["providers".to_owned(), provider.name.clone(), "auth".to_owned()]);
    let store = ["store", "redis", "auth"].map(str::to_owned).to_vec();
    let at = |path: Vec<String>| {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let auth = document.at(&names)?;
        Some((path, auth))
    };
    providers.chain([store]).filter_map(at).collect()
}
