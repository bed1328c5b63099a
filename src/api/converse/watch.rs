//! What an answer of this API says of itself as it goes by unchanged.

use super::{answer, errors, usage};
use crate::api::Seen;
use crate::json::{Tree, Value};

pub(super) fn answer(body: &[u8], seen: &mut Seen) {
    let mut tree = Tree::default();
    let Some(answer) = tree.read(body).ok().filter(Value::is_object) else { return };
    match answer::message(answer) {
        Ok(message) => {
            seen.usage = usage::read(answer.get("usage"));
            seen.content |= message.get("content").is_some_and(|content| content.raw().contains('{'));
            seen.ended = true;
        }
        Err(error) => seen.error = Some(error),
    }
}

/// Most events are deltas of content: they are known by name and not looked into.
pub(super) fn event(name: &[u8], data: &[u8], seen: &mut Seen) {
    match name {
        b"contentBlockDelta" => seen.content = true,
        // Only calls and what a provider's tool gave have a start; text has none.
        b"contentBlockStart" => seen.content |= data.windows(5).any(|at| at == b"\"tool"),
        // Usage follows.
        b"messageStop" => seen.ended = true,
        b"metadata" => {
            let mut tree = Tree::default();
            if let Ok(event) = tree.read(data) {
                seen.usage = usage::read(event.get("usage")).or(seen.usage);
            }
        }
        name if errors::is_exception(name) => {
            seen.error = Some(errors::in_stream(name, Tree::default().read(data).ok(), data));
        }
        _ => {}
    }
}
