//! What the gateway answers itself, and what it passes on unread.

use super::Step;
use super::Work;
use super::admit::Admission;
use super::envoy::{Arrival, default_dialect};
use super::gateway::Gateway;
use crate::admin;
use crate::api::{APIS, Api, Line};
use crate::config::Policy;
use crate::consumer::How;
use crate::error::{Error, Fault, Kind};
use crate::host::Host;
use crate::http::{Headers, Reply};
use std::rc::Rc;

/// Where a consumer is told what it used.
const OWN_USAGE: &str = "/v1/usage";

impl Gateway {
    /// A path that no dialect knows.
    pub(super) fn pass(&mut self, headers: Headers, host: &dyn Host) -> Step {
        let path = self.path.as_str();
        if self.policy.other_paths.is_none() {
            let line = Line { method: "POST", path, query: "", headers: &headers };
            let known = APIS.iter().find(|api| api.operation(&line).is_some());
            let Some(dialect) = known.copied().or_else(default_dialect) else { return Step::go() };
            let error = match known {
                Some(_) => Error::new(Kind::NotFound, Fault::Client, format!("{path} takes POST")).with_status(405),
                None => Error::new(Kind::NotFound, Fault::Client, format!("there is no path {}", cut(path))),
            };
            return self.refuse(dialect, None, &error.with_code("unknown_url"));
        }
        let Some(dialect) = default_dialect() else { return Step::go() };
        self.pass_on(dialect, Arrival::of(headers, |_| true), host)
    }

    /// To the provider for all that is not the gateway's own. Not for one who may not use all models: nothing here
    /// says which are meant.
    pub(super) fn pass_on(&mut self, dialect: &'static dyn Api, arrival: Arrival, host: &dyn Host) -> Step {
        let Some(other) = self.policy.other_paths.clone() else { return Step::go() };
        if self.identity.as_ref().is_some_and(|identity| !identity.consumer.may_use_all()) {
            let message = "this path is for keys that may use every model";
            return self.refuse(dialect, None, &Error::new(Kind::Permission, Fault::Client, message));
        }
        if self.blind() {
            let message = "this path is not for keys with a limit in tokens or money: nothing says what it takes";
            return self.refuse(dialect, None, &Error::new(Kind::Permission, Fault::Client, message));
        }
        let work = Work::Pass { provider: other.provider, cluster: other.cluster.clone() };
        let (call, edits) = self.call_of(arrival, work);
        let admission = Admission { call, edits, dialect, model: None, rerouted: None, until: 0 };
        self.admit(Box::new(admission), false, host)
    }

    /// Whether a consumer asks about itself: in the API in which it would be told the models, with method and query.
    pub(super) fn own_usage_asked(&self, line: &Line<'_>) -> Option<(&'static dyn Api, String, String)> {
        if line.path != OWN_USAGE {
            return None;
        }
        let models = Line { method: "GET", path: "/v1/models", ..*line };
        let dialect = APIS.iter().find(|api| api.operation(&models).is_some()).copied().or_else(default_dialect)?;
        Some((dialect, line.method.to_owned(), line.query.to_owned()))
    }

    /// Only who is known is told, and of nobody else.
    pub(super) fn own_usage(&mut self, dialect: &'static dyn Api, method: &str, query: &str, host: &dyn Host) -> Step {
        let identity = self.identity.as_ref().filter(|identity| identity.how != How::Anonymous);
        let unknown = || Error::new(Kind::Authentication, Fault::Client, "this path is for consumers: none is known");
        let told = identity
            .ok_or_else(unknown)
            .and_then(|identity| admin::own(&identity.consumer, identity.listed, method, query, &self.policy, host));
        match told {
            Ok(body) => self.done(dialect, Reply::json(200, body)),
            Err(error) => self.refuse(dialect, None, &error),
        }
    }

    pub(super) fn list_models(&mut self, dialect: &'static dyn Api) -> Step {
        let policy = Rc::clone(&self.policy);
        let names: Vec<&str> = exact_names(&policy).filter(|name| self.may_ask(name).is_ok()).collect();
        let body = dialect.write_models(&names, 0);
        self.done(dialect, Reply::json(200, body))
    }

    pub(super) fn show_model(&mut self, dialect: &'static dyn Api, name: &str) -> Step {
        if crate::route::find(&self.policy.models, name).is_none() || self.may_ask(name).is_err() {
            let error =
                Error::new(Kind::ModelNotFound, Fault::Client, format!("there is no model \"{}\" here", cut(name)));
            return self.refuse(
                dialect,
                Some(name.to_owned()),
                &error.with_code("model_not_found").with_param("model"),
            );
        }
        self.done(dialect, Reply::json(200, dialect.write_model(name, 0)))
    }
}

fn exact_names(policy: &Policy) -> impl Iterator<Item = &str> {
    policy.models.iter().filter_map(|model| match &model.pattern {
        crate::route::Pattern::Exact(name) => Some(name.as_str()),
        crate::route::Pattern::Prefix(_) => None,
    })
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
