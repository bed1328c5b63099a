//! `auth` of a provider: where its credential comes from.

use super::check::Reader;
use super::node::Node;
use crate::provider::Auth;
use crate::secret::{SealKey, Secret, open};

/// The environment variable with the key of sealed values, unless `seal_key` names another.
pub const SEAL_KEY: &str = "SLUICE_SEAL_KEY";

impl<'v> Reader<'v> {
    /// `provider`: whose it is. A value sealed for another name does not open.
    pub(super) fn auth(&mut self, provider: &str, node: &'v Node) -> Option<Auth> {
        let [(key, node)] = self.fields(node, &["env", "value", "sealed", "client"])?.as_slice() else {
            self.problem(node, format_args!("must have exactly one of: env, value, sealed, client"));
            return None;
        };
        let secret = match key.as_str() {
            "env" => {
                let name = self.text(node)?;
                let value = self.variable(node, name)?;
                if !header_safe(&value) {
                    self.problem(node, format_args!("the environment variable {name} has a character that no key has"));
                    return None;
                }
                return Some(Auth::Key(value));
            }
            "value" => Secret::new(self.text(node)?),
            "sealed" => self.sealed(provider, node)?,
            "client" => {
                if self.boolean(node)? {
                    return Some(Auth::Client);
                }
                self.problem(node, format_args!("can only be true: leave auth out if Envoy adds the key"));
                return None;
            }
            _ => return None,
        };
        if !header_safe(&secret) {
            self.problem(node, format_args!("has a character that no key has"));
            return None;
        }
        Some(Auth::Key(secret))
    }

    /// Of an environment variable that must be there. `node` says so.
    fn variable(&mut self, node: &Node, name: &str) -> Option<Secret> {
        let value = (self.env)(name).map(Secret::new);
        let wrong = match value {
            Some(value) if !value.expose().is_empty() => return Some(value),
            Some(_) => "is empty",
            None => "is not set, or vm_config.environment_variables does not pass it on",
        };
        self.problem(node, format_args!("the environment variable {} {wrong}", shown(name)));
        None
    }

    fn sealed(&mut self, provider: &str, node: &'v Node) -> Option<Secret> {
        let sealed = self.text(node)?;
        let name = match self.document.get("seal_key").and_then(|key| key.get("env")) {
            Some(Node::Text(name)) => name,
            _ => SEAL_KEY,
        };
        let text = self.variable(node, name)?;
        let opened = match SealKey::parse(text.expose()) {
            Ok(key) => open(&key, provider, sealed).map_err(|why| why.message().to_owned()),
            Err(wanted) => Err(["the environment variable ", name, " ", wanted].concat()),
        };
        match opened {
            Ok(secret) => Some(secret),
            Err(message) => {
                self.problem(node, format_args!("{message}"));
                None
            }
        }
    }

    pub(super) fn seal_key(&mut self, node: &'v Node) {
        if self.fields(node, &["env"]).is_some()
            && let Some(name) = self.need(node, "env")
        {
            self.text(name);
        }
    }
}

/// What is told of a variable that is not there: with small letters it may be a key, put where a variable's name belongs.
pub fn shown(name: &str) -> &str {
    if name.bytes().any(|b| b.is_ascii_lowercase()) { "that is named here" } else { name }
}

fn header_safe(value: &Secret) -> bool {
    let value = value.expose();
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic())
}
