//! Errors: with a status, or in the place of an answer.

use crate::Checked;
use crate::json::{parse, parse_bytes, start, text};
use crate::{schema, vendor};
use sluice::api::Api;
use sluice::error::{Error, Kind};

/// The kinds that a status can stand for.
fn kinds(status: u16) -> &'static [Kind] {
    use Kind::*;
    match status {
        400 | 422 => &[InvalidRequest, ContextLength, ContentPolicy, Authentication, ModelNotFound],
        401 => &[Authentication],
        403 => &[Permission, Authentication, ContentPolicy],
        404 => &[NotFound, ModelNotFound],
        413 => &[InvalidRequest, ContextLength],
        429 => &[RateLimit],
        503 | 529 => &[Overloaded],
        _ => &[Provider],
    }
}

pub fn same(api: &dyn Api, status: u16, body: &str) -> Checked {
    let error = api.read_error(status, body.as_bytes());
    if error.status != status {
        return Err(format!("its status became {}", error.status));
    }
    if !kinds(status).contains(&error.kind) {
        return Err(format!("{status} became {:?}: {}", error.kind, start(body)));
    }
    // The provider's own words, but for what it says of the gateway's account.
    let body = parse(body)?;
    let said = [text(&body["error"], "message"), text(&body, "message"), text(&body, "error"), text(&body, "detail")];
    let said = said.into_iter().find(|words| !words.is_empty()).unwrap_or_default();
    let private = matches!(error.kind, Kind::Authentication | Kind::Permission);
    if error.message.is_empty() || (!private && !error.message.contains(said)) || (private && error.message == said) {
        return Err(format!("its message became {:?}", error.message));
    }
    written(api, &error)
}

pub fn across(api: &dyn Api, other: &dyn Api, status: u16, body: &str) -> Checked {
    let error = api.read_error(status, body.as_bytes());
    written(other, &error)?;
    let (status, body) = other.write_error(&error);
    let back = other.read_error(status, &body);
    // Both are 404, and not every API has two words for them.
    let what = |error: &Error| match (error.kind, error.status) {
        // A vendor's status for it, which only its own words explain.
        (Kind::ModelNotFound, 400) => Kind::InvalidRequest,
        (Kind::ModelNotFound, _) => Kind::NotFound,
        (kind, _) => kind,
    };
    match (what(&back), back.status) == (what(&error), error.status) {
        true => Ok(()),
        false => Err(format!("{:?} {} is read back as {:?} {}", error.kind, error.status, back.kind, back.status)),
    }
}

/// An error that stands where an answer was to be.
pub fn inside(api: &dyn Api, other: &dyn Api, body: &str) -> Checked {
    let error = api.read_answer(body.as_bytes()).err().ok_or("an error is read as an answer")?;
    written(other, &error)
}

fn written(api: &dyn Api, error: &Error) -> Checked {
    let (status, body) = api.write_error(error);
    if status != error.status {
        return Err(format!("{} is written with status {status}", error.status));
    }
    let value = parse_bytes(&body)?;
    schema::check(vendor::of(api).schemas[3], &value)?;
    let said = [text(&value["error"], "message"), text(&value, "message"), text(&value, "error")];
    match said.iter().any(|words| words.contains(&error.message)) {
        true => Ok(()),
        false => Err(format!("the message is lost: {value}")),
    }
}
