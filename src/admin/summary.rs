//! That it runs, and with what.

use super::params::Params;
use crate::config::Policy;
use crate::error::{Error, Fault, Kind};
use crate::host::Host;
use crate::json::{quote, write};
use std::rc::Rc;

pub fn health(_: &mut Params, gateways: &[Rc<Policy>], _: &dyn Host) -> Result<Vec<u8>, Error> {
    if gateways.is_empty() {
        return Err(Error::new(Kind::Overloaded, Fault::Gateway, "this worker has no gateway's configuration"));
    }
    let mut body = b"{".to_vec();
    write::text(&mut body, "status", "ok");
    write::text(&mut body, "version", env!("CARGO_PKG_VERSION"));
    body.push(b'}');
    Ok(body)
}

/// The configuration without what is secret, and without consumers' names: those that called are in the ledger.
pub fn config(_: &mut Params, gateways: &[Rc<Policy>], _: &dyn Host) -> Result<Vec<u8>, Error> {
    let mut body = b"{\"gateways\":[".to_vec();
    for policy in gateways {
        write::comma(&mut body);
        body.push(b'{');
        list(&mut body, "providers", &policy.providers, |body, provider| {
            write::text(body, "name", &provider.name);
            write::text(body, "api", provider.kind.name);
            write::text(body, "host", &provider.host);
        });
        list(&mut body, "models", &policy.models, |body, model| {
            write::text(body, "name", &model.name);
            list(body, "targets", &model.targets, |body, target| {
                let name = policy.providers.get(target.provider).map(|provider| &*provider.name);
                write::text_or_null(body, "provider", name);
                write::text(body, "cluster", &target.cluster);
                if let Some(name) = &target.model {
                    write::text(body, "model", name);
                }
            });
        });
        let consumers = policy.consumers.as_ref().map_or(0, |consumers| consumers.all().count());
        write::number(&mut body, "consumers", consumers as u64);
        write::field(&mut body, "limits");
        body.push(b'[');
        for limit in policy.limits.all.iter().chain(policy.limits.own.iter().flat_map(|(_, own)| own)) {
            write::comma(&mut body);
            quote(&mut body, &limit.name);
        }
        body.push(b']');
        write::flag(&mut body, "ledger", policy.ledger);
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    Ok(body)
}

fn list<T>(body: &mut Vec<u8>, name: &'static str, items: &[T], one: impl Fn(&mut Vec<u8>, &T)) {
    write::field(body, name);
    body.push(b'[');
    for item in items {
        write::comma(body);
        body.push(b'{');
        one(body, item);
        body.push(b'}');
    }
    body.push(b']');
}
