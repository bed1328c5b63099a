//! What an answer of this API says of itself as it goes by unchanged.

use super::errors;
use super::shape::{Is, Map};
use super::usage::Usage;
use crate::api::Seen;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    model: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(default)]
    usage: Is<Map<Usage>>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    /// Of `message_start`.
    #[serde(borrow, default)]
    message: Is<Map<Started<'a>>>,
}

#[derive(Deserialize)]
struct Started<'a> {
    #[serde(borrow, default)]
    model: Is<Cow<'a, str>>,
    #[serde(default)]
    usage: Is<Map<Usage>>,
}

pub(super) fn answer(body: &[u8], seen: &mut Seen) {
    let Ok(Is::Given(Map(message))) = serde_json::from_slice::<Is<Map<Message<'_>>>>(body) else { return };
    if message.kind.ok().as_deref() == Some("error") || message.error.is_some() {
        seen.error = Some(errors::in_answer(body));
        return;
    }
    note(seen, message.usage, message.model);
    seen.content |= message.content.is_some_and(|content| content.get().contains('{'));
    seen.ended = true;
}

fn note(seen: &mut Seen, usage: Is<Map<Usage>>, model: Is<Cow<'_, str>>) {
    if let Some(Map(usage)) = usage.ok() {
        seen.usage = Some(usage.after(seen.usage));
    }
    if let Some(model) = model.ok().filter(|model| !model.is_empty()) {
        seen.model = Some(model.into_owned());
    }
}

/// Most events are deltas of content: they are known by name and not looked into.
pub(super) fn event(name: &[u8], data: &[u8], seen: &mut Seen) {
    if seen.ended {
        return;
    }
    let kind = if matches!(name, b"" | b"message") { unnamed(data) } else { name };
    match kind {
        b"content_block_delta" => seen.content = true,
        // Sealed thinking and calls come whole in it; empty text is no content.
        b"content_block_start" => {
            seen.content |=
                [b"_use\"".as_slice(), b"redacted_thinking"].iter().any(|w| memchr::memmem::find(data, w).is_some());
        }
        b"message_start" | b"message_delta" => {
            let Ok(message) = serde_json::from_slice::<Message<'_>>(data) else { return };
            note(seen, message.usage, message.model);
            if let Some(Map(started)) = message.message.ok() {
                note(seen, started.usage, started.model);
            }
        }
        b"message_stop" => seen.ended = true,
        b"error" => seen.error = Some(errors::in_answer(data)),
        _ => {}
    }
}

/// The type of an event without a name. It stands first in all that is known to be sent.
fn unnamed(data: &[u8]) -> &[u8] {
    let quoted = |rest: &'_ [u8]| rest.iter().position(|byte| *byte == b'"');
    let Some(at) = memchr::memmem::find(data, b"\"type\"") else { return b"" };
    let Some(rest) = data.get(at.saturating_add(6)..) else { return b"" };
    let Some(start) = quoted(rest).map(|at| at.saturating_add(1)) else { return b"" };
    let Some(rest) = rest.get(start..) else { return b"" };
    quoted(rest).and_then(|end| rest.get(..end)).unwrap_or_default()
}
