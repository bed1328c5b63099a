//! The `providers` of the document.

use super::node::{Node, Reader};
use super::suggest::suggest;
use super::{MAX_ENTRIES, OtherPaths};
use crate::provider::{Auth, PROVIDERS, Provider};
use crate::secret::Secret;
use serde_json::{Map, Value};

impl Reader<'_> {
    pub(super) fn providers(&mut self, node: &Node<'_>) -> Vec<Provider> {
        let Some(map) = self.mapping(node) else { return Vec::new() };
        if map.is_empty() || map.len() > MAX_ENTRIES {
            self.problem(&node.path, format!("must have 1 to {MAX_ENTRIES} entries"));
        }
        let mut providers: Vec<Provider> = Vec::new();
        for (name, value) in map {
            let node = node.child(name, value);
            if !is_name(name) {
                self.problem(&node.path, "a provider's name has only letters, digits, '-', '_' and '.'");
            }
            if let Some(provider) = self.provider(name, &node) {
                providers.push(provider);
            }
        }
        providers
    }

    pub(super) fn provider(&mut self, name: &str, node: &Node<'_>) -> Option<Provider> {
        let map = self.fields(node, &["api", "host", "base_path", "headers", "auth", "echo_reasoning"])?;
        let field = |key: &str| map.get(key).map(|value| node.child(key, value));
        let auth = match field("auth") {
            Some(node) => self.auth(&node),
            None => Some(Auth::Envoy),
        };
        let headers = field("headers").map(|node| self.headers(&node)).unwrap_or_default();
        let host = field("host").and_then(|node| self.host(&node));
        let base_path = field("base_path").and_then(|node| self.base_path(&node));
        let echo_reasoning = field("echo_reasoning").and_then(|node| self.boolean(&node)).unwrap_or(false);
        let Some(api) = field("api") else {
            self.problem(&node.child("api", node.value).path, "must be given");
            return None;
        };
        let kinds: Vec<_> = PROVIDERS.iter().map(|kind| (kind.name, *kind)).collect();
        let kind = self.word(&api, &kinds)?;
        Some(Provider {
            name: name.into(),
            kind,
            api: crate::api::by_name(kind.api)?,
            host: host.unwrap_or(kind.host).to_owned(),
            base_path: base_path.unwrap_or_else(|| kind.base_path.to_owned()),
            headers,
            auth: auth?,
            echo_reasoning,
        })
    }

    pub(super) fn host<'v>(&mut self, node: &Node<'v>) -> Option<&'v str> {
        let host = self.text(node)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        if !host.chars().all(fits) {
            self.problem(&node.path, "must be a host name, with a port if it needs one: no scheme, no path");
            return None;
        }
        Some(host)
    }

    /// As written, without a slash at its end.
    pub(super) fn base_path(&mut self, node: &Node<'_>) -> Option<String> {
        let Value::String(path) = node.value else { return self.wrong(node, "a string") };
        let fits = path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'));
        if !fits || !(path.is_empty() || path.starts_with('/')) {
            self.problem(&node.path, "must be a path that starts with \"/\": no host, no query");
            return None;
        }
        Some(path.trim_end_matches('/').to_owned())
    }

    pub(super) fn headers(&mut self, node: &Node<'_>) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        for (name, value) in self.mapping(node).into_iter().flatten() {
            let node = node.child(name, value);
            let lower = name.to_ascii_lowercase();
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            let reserved = ["host", "content-length", "transfer-encoding", "connection", "content-type"];
            if lower.is_empty() || !lower.bytes().all(fits) {
                self.problem(&node.path, "is no header name");
            } else if reserved.contains(&lower.as_str()) || lower.starts_with("x-sluice-") {
                self.problem(&node.path, "is set by the gateway");
            } else if let Some(value) = self.text(&node) {
                headers.push((lower, value.to_owned()));
            }
        }
        headers
    }

    pub(super) fn auth(&mut self, node: &Node<'_>) -> Option<Auth> {
        let map = self.fields(node, &["env", "value", "client"])?;
        let mut entries = map.iter();
        let (Some((key, value)), None) = (entries.next(), entries.next()) else {
            self.problem(&node.path, "must have exactly one of: env, value, client");
            return None;
        };
        let node = node.child(key, value);
        match key.as_str() {
            "env" => {
                let name = self.text(&node)?;
                match (self.env)(name) {
                    Some(value) if header_safe(&value) => Some(Auth::Key(Secret::new(value))),
                    Some(value) if value.is_empty() => {
                        self.problem(&node.path, format!("the environment variable {name} is empty"));
                        None
                    }
                    Some(_) => {
                        self.problem(
                            &node.path,
                            format!("the environment variable {name} has a character that no key has"),
                        );
                        None
                    }
                    None => {
                        self.problem(
                            &node.path,
                            format!("the environment variable {name} is not set, or vm_config.environment_variables does not pass it on"),
                        );
                        None
                    }
                }
            }
            "value" => {
                let value = self.text(&node)?;
                if !header_safe(value) {
                    self.problem(&node.path, "has a character that no key has");
                    return None;
                }
                Some(Auth::Key(Secret::new(value)))
            }
            "client" => {
                if !self.boolean(&node)? {
                    self.problem(&node.path, "can only be true: leave auth out if Envoy adds the key");
                    return None;
                }
                Some(Auth::Client)
            }
            _ => None,
        }
    }

    pub(super) fn provider_index(&mut self, node: &Node<'_>, providers: &[Provider]) -> Option<usize> {
        let name = self.text(node)?;
        let found = providers.iter().position(|provider| *provider.name == *name);
        if found.is_none() {
            let near = suggest(name, providers.iter().map(|provider| &*provider.name));
            self.problem(&node.path, format!("no provider \"{name}\"{near}"));
        }
        found
    }

    pub(super) fn other_paths(&mut self, node: &Node<'_>, providers: &[Provider]) -> Option<OtherPaths> {
        let map = self.fields(node, &["provider", "cluster"])?;
        let Some(provider) = map.get("provider") else {
            self.problem(&node.path, "must name a provider");
            return None;
        };
        let provider = self.provider_index(&node.child("provider", provider), providers)?;
        let cluster = self.cluster(node, map, providers.get(provider)?)?;
        Some(OtherPaths { provider, cluster })
    }

    pub(super) fn cluster(&mut self, node: &Node<'_>, map: &Map<String, Value>, provider: &Provider) -> Option<String> {
        match map.get("cluster") {
            Some(value) => self.text(&node.child("cluster", value)).map(str::to_owned),
            None => Some(provider.name.to_string()),
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn header_safe(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic())
}
