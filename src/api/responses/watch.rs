//! The same API on both sides: what is changed in a request, what is noted of an answer that goes by.

use super::answer::{bad, failure, parse, told, usage};
use super::error::inside;
use super::thinking;
use crate::api::{Seen, Spliced, Target};
use crate::json::{Edit, Tree, Value, find, quote, write as put};

pub(super) fn splice(body: &Value<'_>, target: &Target<'_>) -> Spliced {
    let mut spliced = Spliced::default();
    if !body.get("model").is_some_and(|model| model.is(target.model)) {
        let mut model = Vec::with_capacity(target.model.len().saturating_add(2));
        quote(&mut model, target.model);
        spliced.edits.push(body.set("model", model));
    }
    if let Some(edit) = without_foreign(body) {
        spliced.edits.push(edit);
        spliced.losses.hint("thinking", "only thinking that this API's provider sealed goes back to it");
    }
    spliced
}

/// The input without what another provider signed or sealed in an earlier turn: this API's own refuses to read it.
fn without_foreign(body: &Value<'_>) -> Option<Edit> {
    let input = body.get("input")?;
    input.items().find(thinking::foreign)?;
    let mut kept = vec![b'['];
    for item in input.items().filter(|item| !thinking::foreign(item)) {
        put::comma(&mut kept);
        kept.extend_from_slice(item.raw().as_bytes());
    }
    kept.push(b']');
    Some(body.set("input", kept))
}

pub(super) fn answer(body: &[u8], seen: &mut Seen) {
    match parse(&mut Tree::default(), body) {
        Ok(body) => {
            if failure(&body).is_none() && !body.get("output").is_some_and(|all| all.is_list()) {
                seen.error = Some(bad("the provider's answer has no output"));
            } else {
                seen.ended = true;
            }
            note(&body, seen);
        }
        Err(error) => seen.error = Some(error),
    }
}

fn note(response: &Value<'_>, seen: &mut Seen) {
    if let Some(error) = failure(response) {
        seen.error = Some(error);
    }
    if seen.model.is_none() {
        seen.model = told(response, "model").map(|model| model.into_owned());
    }
    seen.usage = usage(response).or(seen.usage);
    seen.content = seen.content || response.get("output").is_some_and(|output| !output.is_empty());
}

pub(super) fn event(name: &[u8], data: &[u8], seen: &mut Seen) {
    let data = data.trim_ascii();
    let kind = match name {
        b"" | b"message" => kind(data),
        name => name,
    };
    match kind {
        b"error" => {}
        // A proxy's error, which has no type.
        b"" if data.len() > 8 => {}
        b"response.created"
        | b"response.completed"
        | b"response.incomplete"
        | b"response.failed"
        | b"response.cancelled" => {}
        _ => {
            seen.content = seen.content || kind.ends_with(b".delta") || kind == b"response.output_item.done";
            return;
        }
    }
    let mut tree = Tree::default();
    let Ok(body) = parse(&mut tree, data) else {
        if seen.error.is_none() {
            seen.error = Some(bad("an event of the provider's stream cannot be read"));
        }
        return;
    };
    if let Some(response) = body.get("response").filter(Value::is_object) {
        note(&response, seen);
        seen.ended |= matches!(kind, b"response.completed" | b"response.incomplete");
        if matches!(kind, b"response.failed" | b"response.cancelled") && seen.error.is_none() {
            seen.error = Some(bad("the provider failed without saying why"));
        }
    } else if let Some(error) = body.get("error") {
        seen.error = Some(inside(&error));
    } else if kind == b"error" {
        seen.error = Some(inside(&body));
    }
}

/// An event's type from its data, where the event has no name.
pub(super) fn kind(data: &[u8]) -> &[u8] {
    let text = std::str::from_utf8(data).unwrap_or_default();
    let quoted = find(text, &["type"]).unwrap_or_default();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().as_bytes()
}
