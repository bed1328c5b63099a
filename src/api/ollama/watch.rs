//! What an answer of this API says of itself as it goes by unchanged.

use super::answer::{bad, message, told, usage};
use crate::api::{Seen, Verdict};
use crate::json::{Tree, Value};
use memchr::memmem::find;

pub(super) fn answer(body: &[u8], seen: &mut Seen) {
    let mut tree = Tree::default();
    if let Some(body) = tree.read(body).ok().filter(Value::is_object) {
        note(&body, seen);
        seen.ended = seen.error.is_none();
    }
}

/// Most lines add to the content, and are not looked into once the model is known.
pub(super) fn event(data: &[u8], seen: &mut Seen) -> Verdict {
    if seen.ended || (seen.content && !marked(data)) {
        return Verdict::Pass;
    }
    let mut tree = Tree::default();
    match tree.read(data) {
        Ok(line) => {
            note(&line, seen);
            seen.ended |= seen.error.is_none() && line.get("done").is_some_and(|done| done.truth() == Some(true));
            Verdict::Pass
        }
        // Clients parse each line: the error that follows stands in its place.
        Err(_) => {
            seen.error.get_or_insert_with(|| bad("a line of the provider's stream cannot be read"));
            Verdict::Hide
        }
    }
}

/// A quote within a string has a backslash before it, so that no text is taken for a name.
fn marked(data: &[u8]) -> bool {
    let done = find(data, b"\"done\"").and_then(|at| data.get(at.saturating_add(6)..)).is_none_or(|rest| {
        let value = rest.trim_ascii_start().strip_prefix(b":").unwrap_or(rest).trim_ascii_start();
        !value.starts_with(b"false")
    });
    done || !data.ends_with(b"}") || find(data, b"\"error\"").is_some()
}

fn note(body: &Value<'_>, seen: &mut Seen) {
    if seen.model.is_none() {
        seen.model = told(body, "model").map(|model| model.into_owned());
    }
    seen.usage = usage(body).or(seen.usage);
    match message(body) {
        Ok(message) => {
            let said = |name: &str| message.get(name).is_some_and(|value| !value.is_empty());
            seen.content |= said("content") || said("thinking") || said("tool_calls") || said("thinking_blocks");
        }
        Err(error) => seen.error = Some(error),
    }
}
