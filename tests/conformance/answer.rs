//! Whole answers.

use crate::Checked;
use crate::facts::{Ending, of_answer};
use crate::json::{parse, parse_bytes};
use crate::{schema, vendor};
use sluice::api::{Api, Asked, Seen};

pub fn asked() -> Asked {
    Asked {
        model: "asked-model".to_owned(),
        id: "conformance1".to_owned(),
        created: 1_700_000_000,
        stream_usage: true,
        ..Asked::default()
    }
}

pub fn same(api: &dyn Api, body: &str) -> Checked {
    let want = (vendor::of(api).answer)(&parse(body)?);
    let mut seen = Seen::default();
    api.watch_answer(body.as_bytes(), &mut seen);
    let answer = match (api.read_answer(body.as_bytes()), want.ending) {
        (Err(_), Ending::Failed) if seen.error.is_some() => return Ok(()),
        (Err(error), _) => return Err(format!("not read: {}", error.message)),
        (Ok(_), Ending::Failed) => return Err("an error is read as an answer".to_owned()),
        (Ok(answer), Ending::Whole) => answer,
    };
    want.same_as(&of_answer(&answer), "read")?;
    if let Some(error) = seen.error {
        return Err(format!("watched: {}", error.message));
    }
    if seen.usage != want.usage || !seen.ended || seen.model.unwrap_or_default() != want.model {
        return Err(format!("watched: usage {:?}, ended {}; it is {:?}", seen.usage, seen.ended, want.usage));
    }
    Ok(())
}

pub fn across(api: &dyn Api, other: &dyn Api, body: &str) -> Checked {
    let want = (vendor::of(api).answer)(&parse(body)?);
    if want.ending == Ending::Failed {
        return crate::error::inside(api, other, body);
    }
    let answer = api.read_answer(body.as_bytes()).map_err(|e| format!("not read: {}", e.message))?;
    let written = other.write_answer(&answer, &asked());
    let value = parse_bytes(&written)?;
    let there = vendor::of(other);
    schema::check(there.schemas[1], &value)?;
    let want = want.across(other.name());
    want.same_as(&(there.answer)(&value).across(other.name()), "written")?;
    let back = other.read_answer(&written).map_err(|e| format!("not read back: {}", e.message))?;
    want.same_as(&of_answer(&back).across(other.name()), "read back")
}
