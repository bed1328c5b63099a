//! The turns of a conversation as `system` and `messages`: turns alternate, results come first in theirs.

use super::parts::{self, LEAST_TEXT, Writing};
use crate::chat::{Losses, Part, Raw, Request, Role};
use crate::json::write::{comma, raw, text};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    System,
    User,
    Assistant,
}

/// Neighbouring turns of one side, as one message.
struct Message<'a> {
    side: Side,
    /// Tool results: first in their message.
    results: Vec<&'a Part>,
    parts: Vec<&'a Part>,
}

impl Message<'_> {
    fn is_empty(&self) -> bool {
        self.results.is_empty() && self.parts.is_empty()
    }
}

/// Writes `system` and `messages`. `told`: one more instruction.
pub(super) fn write(out: &mut Vec<u8>, request: &Request, told: Option<&str>, writing: &mut Writing<'_>) {
    let (mut system, mut messages) = sort(request, writing.losses);
    system.retain(|part| writing.keeps(part, Side::System));
    for message in &mut messages {
        message.parts.retain(|part| writing.keeps(part, message.side));
        if message.side == Side::Assistant {
            // Thinking alone leads nowhere, and is refused as a message's end.
            while let Some(Part::Thinking { .. } | Part::Redacted { .. }) = message.parts.last() {
                message.parts.pop();
                writing.losses.hint("thinking", "thinking that nothing follows is not accepted");
            }
        }
    }
    messages.retain(|message| !message.is_empty());
    let mut messages = joined(messages);
    // Space at the end of an answer that is to be continued is refused.
    while let Some(last) = messages.last_mut().filter(|m| m.side == Side::Assistant) {
        match last.parts.last() {
            Some(Part::Text { text, .. }) if text.trim_end().is_empty() => {
                last.parts.pop();
            }
            None => {
                messages.pop();
            }
            Some(_) => break,
        }
    }
    if messages.is_empty() && !system.is_empty() {
        // Instructions alone: they are what the model is to answer.
        writing.losses.hint("system", "there is no user turn: the instructions are sent as one");
        let parts = std::mem::take(&mut system);
        messages.push(Message { side: Side::User, results: Vec::new(), parts });
    }
    if !system.is_empty() || told.is_some() {
        raw(out, "system", "[");
        for part in system {
            writing.part(out, part, false);
        }
        if let Some(words) = told {
            comma(out);
            parts::plain(out, words);
        }
        out.push(b']');
    }
    write_messages(out, &messages, request.cache.as_ref(), writing);
}

/// Apart: the instructions, and the turns of each side put together.
fn sort<'a>(request: &'a Request, losses: &mut Losses) -> (Vec<&'a Part>, Vec<Message<'a>>) {
    let mut system: Vec<&Part> = Vec::new();
    let mut messages: Vec<Message<'_>> = Vec::new();
    for turn in &request.turns {
        let side = match turn.role {
            Role::System | Role::Developer => {
                if !messages.is_empty() {
                    losses.hint("system_position", "a later instruction is put before the conversation");
                }
                system.extend(&turn.parts);
                continue;
            }
            Role::User | Role::Tool => Side::User,
            Role::Assistant => Side::Assistant,
        };
        let (results, parts) = turn.parts.iter().partition(|part| matches!(part, Part::ToolResult { .. }));
        messages.push(Message { side, results, parts });
    }
    (system, joined(messages))
}

fn joined(messages: Vec<Message<'_>>) -> Vec<Message<'_>> {
    let mut all: Vec<Message<'_>> = Vec::with_capacity(messages.len());
    for message in messages {
        match all.last_mut() {
            Some(last) if last.side == message.side => {
                last.results.extend(message.results);
                last.parts.extend(message.parts);
            }
            _ => all.push(message),
        }
    }
    all
}

fn write_messages(out: &mut Vec<u8>, messages: &[Message<'_>], cache: Option<&Raw>, writing: &mut Writing<'_>) {
    raw(out, "messages", "[");
    if messages.first().is_none_or(|message| message.side == Side::Assistant) {
        if !messages.is_empty() {
            writing.losses.hint("first_turn", "the model's API wants a user's turn first: one is put there");
        }
        comma(out);
        out.push(b'{');
        text(out, "role", "user");
        raw(out, "content", "[");
        parts::plain(out, LEAST_TEXT);
        out.extend_from_slice(b"]}");
    }
    for (i, message) in messages.iter().enumerate() {
        let last = i.saturating_add(1) == messages.len();
        comma(out);
        out.push(b'{');
        text(out, "role", if message.side == Side::Assistant { "assistant" } else { "user" });
        raw(out, "content", "[");
        let trim = last && message.side == Side::Assistant;
        for part in message.results.iter().chain(&message.parts) {
            writing.part(out, part, trim);
        }
        let is = |wanted: fn(&Part) -> bool| message.parts.iter().any(|part| wanted(part));
        // A document is refused in a message without text.
        if is(|part| matches!(part, Part::Document { .. })) && !is(|part| matches!(part, Part::Text { .. })) {
            comma(out);
            parts::plain(out, LEAST_TEXT);
        }
        if last {
            let taken = writing.family.caches();
            writing.points.write(out, cache, taken, writing.losses);
        }
        out.extend_from_slice(b"]}");
    }
    out.push(b']');
}
