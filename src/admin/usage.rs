//! What was used: the ledger's rows.

use super::params::Params;
use crate::config::Policy;
use crate::consumer::{Consumer, end_of};
use crate::error::Error;
use crate::host::Host;
use crate::json::write;
use crate::ledger::{DIMENSIONS, FIELDS, Ledger, Query, Totals, day};
use crate::quota::date;
use std::rc::Rc;

pub fn of_all(params: &mut Params, _: &[Rc<Policy>], host: &dyn Host) -> Result<Vec<u8>, Error> {
    let mut query = period(params)?;
    let [_, names @ ..] = DIMENSIONS;
    for (wanted, name) in query.names.iter_mut().zip(names) {
        *wanted = params.take(name);
    }
    by(&mut query, params, &DIMENSIONS)?;
    let mut body = b"{".to_vec();
    rows(&mut body, &query, params, host)?;
    if let Some(standing) = Ledger(host).standing() {
        Ledger(host).looked(host.now());
        write::field(&mut body, "fleet");
        body.push(b'{');
        write::number(&mut body, "untold_requests", standing.untold);
        if let Some(since) = standing.since {
            write::number(&mut body, "age_ms", host.now().saturating_sub(since));
        }
        body.push(b'}');
    }
    body.push(b'}');
    Ok(body)
}

/// Members of an object that has begun.
pub fn of_one(body: &mut Vec<u8>, params: &mut Params, consumer: &Consumer, host: &dyn Host) -> Result<(), Error> {
    let mut query = period(params)?;
    query.names = [Some(consumer.name.to_string()), None, params.take("model"), params.take("provider")];
    query.by = [true, false, false, true, true];
    by(&mut query, params, &["day", "model", "provider"])?;
    rows(body, &query, params, host)
}

fn period(params: &mut Params) -> Result<Query, Error> {
    let mut bound = |name: &str| match params.take(name) {
        None => Ok(None),
        Some(text) => match end_of(&text).filter(|_| text.len() == "2026-12-31".len()) {
            Some(end) => Ok(Some(day(end))),
            None => Err(Error::field(name, "must be like 2026-12-31")),
        },
    };
    let one = bound("day")?;
    let (from, to) = (bound("from")?, bound("to")?);
    Ok(Query { from: one.or(from).unwrap_or(0), to: one.or(to).unwrap_or(u64::MAX), ..Query::default() })
}

/// `by=day,model`: what is told apart.
fn by(query: &mut Query, params: &mut Params, may: &[&str]) -> Result<(), Error> {
    let Some(text) = params.take("by") else { return Ok(()) };
    query.by = [false; 5];
    for word in text.split(',').filter(|word| !word.is_empty()) {
        let at = DIMENSIONS.iter().position(|known| *known == word && may.contains(known));
        match at.and_then(|at| query.by.get_mut(at)) {
            Some(place) => *place = true,
            None => return Err(Error::field("by", ["must be some of: ", &may.join(",")].concat())),
        }
    }
    Ok(())
}

fn rows(body: &mut Vec<u8>, query: &Query, params: &mut Params, host: &dyn Host) -> Result<(), Error> {
    let range = params.range()?;
    let rows = Ledger(host).rows(query);
    let mut total = Totals::default();
    write::field(body, "rows");
    body.push(b'[');
    for (index, (row, totals)) in rows.iter().enumerate() {
        total.add(totals);
        if index < range.offset || index.saturating_sub(range.offset) >= range.limit {
            continue;
        }
        write::comma(body);
        body.push(b'{');
        if let Some(day) = row.day {
            write::text(body, "day", &date(day));
        }
        if row.other {
            write::flag(body, "other", true);
        }
        let [_, names @ ..] = DIMENSIONS;
        for (name, value) in names.into_iter().zip(&row.names).filter(|(_, value)| !value.is_empty()) {
            write::text(body, name, value);
        }
        numbers(body, totals);
        body.push(b'}');
    }
    body.push(b']');
    write::field(body, "total");
    body.push(b'{');
    numbers(body, &total);
    body.push(b'}');
    let next = range.offset.saturating_add(range.limit);
    if next < rows.len() {
        write::number(body, "next", next as u64);
    }
    Ok(())
}

fn numbers(body: &mut Vec<u8>, totals: &Totals) {
    for (name, value) in FIELDS.into_iter().zip(totals.0) {
        write::number(body, name, value);
    }
}
