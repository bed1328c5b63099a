//! The same API on both sides: what is changed in a request, what is noted of an answer that goes by.

use super::answer::{bad, finish, parse, told, usage};
use super::error::inside;
use crate::api::{Seen, Spliced, Target, Verdict};
use crate::json::{Tree, Value, quote};

pub(super) fn splice(body: &Value<'_>, target: &Target<'_>) -> Spliced {
    let mut spliced = Spliced::default();
    if !body.get("model").is_some_and(|model| model.is(target.model)) {
        let mut model = Vec::with_capacity(target.model.len().saturating_add(2));
        quote(&mut model, target.model);
        spliced.edits.push(body.set("model", model));
    }
    let is_true = |of: &Value<'_>, name: &str| of.get(name).is_some_and(|value| value.truth() == Some(true));
    if target.stream_usage && is_true(body, "stream") {
        let edit = match body.get("stream_options").filter(Value::is_object) {
            None => Some(body.set("stream_options", r#"{"include_usage":true}"#)),
            Some(options) if is_true(&options, "include_usage") => None,
            Some(options) => Some(options.set("include_usage", "true")),
        };
        spliced.hide_usage = edit.is_some();
        spliced.edits.extend(edit);
    }
    spliced
}

pub(super) fn answer(body: &[u8], seen: &mut Seen) {
    match parse(&mut Tree::default(), body) {
        Ok(body) if body.get("error").is_none() && !body.get("choices").is_some_and(|all| all.is_list()) => {
            seen.error = Some(bad("the provider's answer has no choices"));
        }
        Ok(body) => {
            note(&body, seen);
            seen.ended = true;
        }
        Err(error) => seen.error = Some(error),
    }
}

pub(super) fn event(name: &[u8], data: &[u8], hide_usage: bool, seen: &mut Seen) -> Verdict {
    let data = data.trim_ascii();
    if data.len() < 8 {
        seen.ended |= data == b"[DONE]";
        return Verdict::Pass;
    }
    // A name inside a string has backslashes before its quotes, so it is not taken for one.
    let said = |name: &[u8]| {
        let at = memchr::memmem::find(data, name).and_then(|at| data.get(at.saturating_add(name.len())..));
        at.is_some_and(|value| !value.trim_ascii_start().starts_with(b"null"))
    };
    let more = said(b"\"usage\":") || said(b"\"error\":") || said(b"\"finish_reason\":");
    if seen.content && name != b"error" && !more {
        return Verdict::Pass;
    }
    let mut tree = Tree::default();
    let Ok(body) = parse(&mut tree, data) else {
        if seen.error.is_none() {
            seen.error = Some(bad("an event of the provider's stream cannot be read"));
        }
        return Verdict::Pass;
    };
    let failed = body.get("error").is_some();
    if name == b"error" && !failed {
        seen.error = Some(inside(&body));
        return Verdict::Pass;
    }
    note(&body, seen);
    let only_usage = !failed && body.get("usage").is_some() && body.get("choices").is_none_or(|all| all.is_empty());
    if hide_usage && only_usage { Verdict::Hide } else { Verdict::Pass }
}

fn note(body: &Value<'_>, seen: &mut Seen) {
    if let Some(error) = body.get("error") {
        seen.error = Some(inside(&error));
    }
    if seen.model.is_none() {
        seen.model = told(body, "model").map(|model| model.into_owned());
    }
    seen.usage = usage(body).or(seen.usage);
    for choice in body.get("choices").into_iter().flat_map(|all| all.items()) {
        seen.ended |= finish(&choice).is_some();
        seen.content |= told(&choice, "text").is_some();
    }
}
