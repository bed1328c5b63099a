//! What an answer of this API says of itself as it goes by unchanged.

use super::answer::{message, usage};
use super::errors;
use super::reader::kind;
use super::wire::told;
use crate::api::Seen;
use crate::json::{Tree, Value};

pub(super) fn answer(body: &[u8], seen: &mut Seen) {
    let mut tree = Tree::default();
    let Some(body) = tree.read(body).ok().filter(Value::is_object) else { return };
    match message(&body) {
        Ok(message) => {
            end(&body, seen);
            let said = |name: &str| message.get(name).is_some_and(|value| !value.is_empty());
            seen.content |= said("content") || said("tool_calls") || said("tool_plan");
        }
        Err(error) => seen.error = Some(error),
    }
}

/// What the end of an answer says: usage, and whether it failed.
fn end(of: &Value<'_>, seen: &mut Seen) {
    seen.usage = usage(of).or(seen.usage);
    if let Some(error) = errors::failed(of) {
        seen.error = Some(error);
    }
    seen.ended = true;
}

/// Most events are deltas of content: they are known by name and not looked into.
pub(super) fn event(name: &[u8], data: &[u8], seen: &mut Seen) {
    if seen.ended {
        return;
    }
    let mut tree = Tree::default();
    match name {
        b"content-delta" | b"tool-plan-delta" | b"tool-call-start" | b"tool-call-delta" => seen.content = true,
        b"content-end" | b"tool-call-end" | b"message-start" | b"citation-start" | b"citation-end" | b"debug" => {}
        _ => {
            let Ok(event) = tree.read(data) else { return };
            match &*kind(name, &event) {
                "message-end" => end(&event.get("delta").unwrap_or(event), seen),
                "content-start" => {
                    let block = event.at(&["delta", "message", "content"]);
                    let says = |name: &str| block.is_some_and(|block| told(&block, name).is_some());
                    seen.content |= says("text") || says("thinking") || says("data");
                }
                "content-delta" | "tool-plan-delta" | "tool-call-start" | "tool-call-delta" => seen.content = true,
                "" if event.get("message").is_some_and(|words| words.is_text()) => {
                    seen.error = Some(errors::inside(&event));
                }
                _ => {}
            }
        }
    }
}
