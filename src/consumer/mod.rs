//! Who is calling: a consumer that the configuration lists, one that verified claims name, or nobody in particular.
//!
//! [`Consumers::identify`] takes what it knew a caller by out of the request's headers: no provider gets it.
//!
//! May use: error, host, http, json, route, secret.
//!
//! To add a way to know a caller: a variant of [`Source`], its check in `list.rs` and its arm in `identify.rs`.

mod identify;
mod list;
mod table;
mod time;

pub use identify::claim;
pub use list::{Anonymous, Consumers, Key, Written, Wrong};
pub use time::end_of;

use crate::error::{Error, Fault, Kind};
use crate::host::Millis;
use crate::route::Pattern;
use std::rc::Rc;

/// The headers that a key may come in, as the SDKs of the different vendors send it.
pub const KEY_HEADERS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// One caller: what the policy decides by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consumer {
    pub name: Rc<str>,
    pub team: Option<Rc<str>>,
    pub tier: Option<Rc<str>>,
    /// In order of the name, each once.
    pub labels: Vec<(String, String)>,
    /// Names that may be asked for; `None`: all.
    pub models: Option<Vec<Pattern>>,
    /// Upstream models that may serve; `None`: all to which the asked names lead.
    pub targets: Option<Vec<Pattern>>,
    /// Regions that a target may be in; `None`: all, and those of which no region is known.
    pub regions: Option<Vec<String>>,
    /// The last moment at which it may call.
    pub not_after: Option<Millis>,
    pub disabled: bool,
}

impl Consumer {
    pub fn label(&self, name: &str) -> Option<&str> {
        let at = self.labels.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        self.labels.get(at).map(|(_, value)| value.as_str())
    }

    /// Whether it may ask for a model of that name: byte for byte, no case folded.
    pub fn may_ask(&self, model: &str) -> bool {
        fits(self.models.as_deref(), model)
    }

    /// Whether nothing limits what it may ask for.
    pub fn may_use_all(&self) -> bool {
        self.models.is_none() && self.targets.is_none() && self.regions.is_none()
    }

    /// Whether a target may serve it: asked of the first and of every one that a call falls back to.
    pub fn may_reach(&self, target: &str, region: Option<&str>) -> bool {
        let near = match (&self.regions, region) {
            (None, _) => true,
            (Some(allowed), Some(region)) => allowed.iter().any(|allowed| allowed == region),
            (Some(_), None) => false,
        };
        near && fits(self.targets.as_deref(), target)
    }

    /// Whether a call for `asked` may go to this target.
    pub fn may_use(&self, asked: &str, target: &str, region: Option<&str>) -> bool {
        self.may_ask(asked) && self.may_reach(target, region)
    }

    /// What a client is told whose consumer may not use the model. It sent the name itself.
    pub fn refusal(&self, asked: &str) -> Error {
        let shown: String = asked.chars().filter(|c| !c.is_control()).take(100).collect();
        let message = format!("the model `{shown}` is not among those that this key may use");
        Error::new(Kind::Permission, Fault::Client, message).with_param("model").with_code("model_not_allowed")
    }
}

fn fits(allowed: Option<&[Pattern]>, name: &str) -> bool {
    allowed.is_none_or(|allowed| {
        allowed.iter().any(|pattern| match pattern {
            Pattern::Exact(exact) => exact == name,
            Pattern::Prefix(prefix) => name.starts_with(prefix.as_str()),
        })
    })
}

/// A caller, and how it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub consumer: Rc<Consumer>,
    pub how: How,
    /// Whether the configuration has it. If not, its name is as a token says: nothing that lasts may be named by it.
    pub listed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Anonymous,
    Key,
    Claims,
    Peer,
    Header,
}

/// Where an identity comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A key in the header at that place of [`KEY_HEADERS`].
    Key(usize),
    /// Claims of a token that Envoy's `jwt_authn` verified.
    Claims(Box<Claims>),
    /// The URI in the certificate of the client. The listener must require and verify it: Envoy also tells that of one
    /// that it did not verify.
    Peer,
    /// The name of a consumer in a header. Something before the gateway must remove a client's own.
    Header(String),
}

/// Which claims say who is calling, each as the path to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    pub consumer: Vec<String>,
    pub team: Option<Vec<String>>,
    pub tier: Option<Vec<String>>,
    /// What a caller gets that the configuration does not list, with its name, team and tier as the claims have them;
    /// `None`: it is refused.
    pub unlisted: Option<Consumer>,
}

#[cfg(test)]
mod tests;
