//! What is told of the gateway, as JSON: to those who run it, on a listener of its own, and to a consumer of itself.
//!
//! Nothing here changes anything, and no secret is told.
//!
//! May use: config, consumer, error, host, http, json, ledger, limit, price, quota.
//!
//! To add a path: its function, and its line in [`PATHS`] and in `docs/ledger.md`.

mod limits;
mod params;
mod summary;
mod usage;

use crate::config::Policy;
use crate::consumer::Consumer;
use crate::error::{Error, Fault, Kind};
use crate::host::Host;
use crate::http::Reply;
use crate::json::write;
use params::Params;
use std::rc::Rc;

type Path = fn(&mut Params, &[Rc<Policy>], &dyn Host) -> Result<Vec<u8>, Error>;

/// What there is on the admin listener.
pub const PATHS: &[(&str, Path)] = &[
    ("/usage", usage::of_all),
    ("/limits", limits::of_all),
    ("/config", summary::config),
    ("/health", summary::health),
];

/// Items in one answer.
const MAX_ITEMS: usize = 1000;

/// Answers a request on the admin listener. `gateways`: the configurations that this worker has.
pub fn answer(method: &str, target: &str, gateways: &[Rc<Policy>], host: &dyn Host) -> Reply {
    match find(method, target, gateways, host) {
        Ok(body) => Reply::json(200, body),
        Err(error) => {
            let mut body = b"{\"error\":{".to_vec();
            write::text(&mut body, "message", &error.text());
            body.extend_from_slice(b"}}");
            Reply::json(error.status, body)
        }
    }
}

fn find(method: &str, target: &str, gateways: &[Rc<Policy>], host: &dyn Host) -> Result<Vec<u8>, Error> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let missing = || Error::new(Kind::NotFound, Fault::Client, "there are: /usage, /limits, /config, /health");
    let (_, function) = PATHS.iter().find(|(known, _)| *known == path).ok_or_else(missing)?;
    only_read(method)?;
    let mut params = Params::read(query)?;
    let body = function(&mut params, gateways, host)?;
    params.all_known()?;
    Ok(body)
}

fn only_read(method: &str) -> Result<(), Error> {
    match method {
        "GET" | "HEAD" => Ok(()),
        _ => Err(Error::new(Kind::NotFound, Fault::Client, "this path takes GET").with_status(405)),
    }
}

/// What a consumer is told of itself: what it used, and where its limits stand.
pub fn own(
    consumer: &Consumer,
    listed: bool,
    method: &str,
    query: &str,
    policy: &Policy,
    host: &dyn Host,
) -> Result<Vec<u8>, Error> {
    only_read(method)?;
    let mut params = Params::read(query)?;
    let mut body = b"{".to_vec();
    write::text(&mut body, "consumer", &consumer.name);
    if let Some(team) = &consumer.team {
        write::text(&mut body, "team", team);
    }
    usage::of_one(&mut body, &mut params, consumer, host)?;
    params.all_known()?;
    limits::of_one(&mut body, consumer, listed, policy, host);
    body.push(b'}');
    Ok(body)
}

#[cfg(test)]
mod tests;
