//! What an answer of this API says of itself as it goes by unchanged.

use super::{errors, text_of, usage};
use crate::api::{Seen, Verdict};
use crate::json::{Tree, Value};

pub(super) fn answer(body: &[u8], seen: &mut Seen) {
    let mut tree = Tree::default();
    let Some(message) = tree.read(body).ok().filter(Value::is_object) else { return };
    if text_of(message, "type").as_deref() == Some("error") || message.get("error").is_some() {
        seen.error = Some(errors::in_answer(Some(message)));
        return;
    }
    note(seen, message);
    seen.content |= message.get("content").is_some_and(|content| content.raw().contains('{'));
    seen.ended = true;
}

/// Notes a message's usage and model.
fn note(seen: &mut Seen, message: Value<'_>) {
    seen.usage = usage::read(message.get("usage"), seen.usage).or(seen.usage);
    if let Some(model) = text_of(message, "model").filter(|model| !model.is_empty()) {
        seen.model = Some(model.into_owned());
    }
}

/// Most events are deltas of content: they are known by name and not looked into.
pub(super) fn event(name: &[u8], data: &[u8], seen: &mut Seen) -> Verdict {
    if seen.ended {
        return Verdict::Pass;
    }
    let kind = if matches!(name, b"" | b"message") { unnamed(data) } else { name };
    let mut tree = Tree::default();
    match kind {
        b"content_block_delta" => seen.content = true,
        // Sealed thinking and calls come whole in it; empty text is no content.
        b"content_block_start" => {
            let block = tree.read(data).ok().and_then(|event| event.at(&["content_block", "type"])?.text());
            seen.content |= block.is_some_and(|kind| kind.ends_with("_use") || kind == "redacted_thinking");
        }
        b"message_start" | b"message_delta" => {
            let Ok(event) = tree.read(data) else { return Verdict::Pass };
            note(seen, event);
            if let Some(message) = event.get("message") {
                note(seen, message);
            }
        }
        b"message_stop" => seen.ended = true,
        b"error" => seen.error = Some(errors::in_answer(tree.read(data).ok())),
        b"ping" => return Verdict::Idle,
        _ => {}
    }
    Verdict::Pass
}

/// The type of an event without a name. It stands first in all that is known to be sent.
fn unnamed(data: &[u8]) -> &[u8] {
    let quoted = |rest: &'_ [u8]| rest.iter().position(|byte| *byte == b'"');
    let Some(at) = data.windows(6).position(|name| name == b"\"type\"") else { return b"" };
    let Some(rest) = data.get(at.saturating_add(6)..) else { return b"" };
    let Some(start) = quoted(rest).map(|at| at.saturating_add(1)) else { return b"" };
    let Some(rest) = rest.get(start..) else { return b"" };
    quoted(rest).and_then(|end| rest.get(..end)).unwrap_or_default()
}
