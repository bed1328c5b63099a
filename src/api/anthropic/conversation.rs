//! The turns of a conversation as `system` and `messages`: turns alternate, results come right after their calls.

use super::parts::{self, Writing};
use super::shared::claude::Abilities;
use crate::chat::{Losses, Part, Request, Role, Turn};
use crate::json::Tree;
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

/// A message cannot be empty: this is the least there can be.
const LEAST_TEXT: &str = ".";

/// Writes `system` and `messages`. `told`: one more instruction. Gives the beta that the content asks for.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Request,
    told: Option<&str>,
    can: &Abilities,
    losses: &mut Losses,
) -> Option<&'static str> {
    let (mut system, mut messages) = sort(request, can, losses);
    let mut writing = Writing { losses, beta: None, tree: Tree::default() };
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
    write_system(out, &system, told, &mut writing);
    write_messages(out, &messages, &mut writing);
    writing.beta
}

/// Apart: the instructions, and the turns of each side put together.
fn sort<'a>(request: &'a Request, can: &Abilities, losses: &mut Losses) -> (Vec<&'a Part>, Vec<Message<'a>>) {
    let mut system: Vec<&Part> = Vec::new();
    let mut messages: Vec<Message<'_>> = Vec::new();
    let mut turns = request.turns.iter().peekable();
    while let Some(turn) = turns.next() {
        let side = match turn.role {
            Role::System | Role::Developer => Side::System,
            Role::User | Role::Tool => Side::User,
            Role::Assistant => Side::Assistant,
        };
        if side == Side::System {
            let after_user = messages.last().is_some_and(|m| m.side != Side::Assistant);
            let before_answer = turns.peek().is_none_or(|next| next.role == Role::Assistant || instructs(next));
            if messages.is_empty() {
                system.extend(&turn.parts);
                continue;
            }
            if !(can.late_system && after_user && before_answer) {
                losses.hint("system_position", "a later instruction is put before the conversation");
                system.extend(&turn.parts);
                continue;
            }
        }
        let (results, parts) = turn.parts.iter().partition(|part| matches!(part, Part::ToolResult { .. }));
        messages.push(Message { side, results, parts });
    }
    (system, joined(messages))
}

fn instructs(turn: &Turn) -> bool {
    matches!(turn.role, Role::System | Role::Developer)
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

fn write_system(out: &mut Vec<u8>, system: &[&Part], told: Option<&str>, writing: &mut Writing<'_>) {
    match (system, told) {
        ([], None) => {}
        ([], Some(words)) => text(out, "system", words),
        ([Part::Text { text: words, cache: None, .. }], None) => text(out, "system", words),
        _ => {
            raw(out, "system", "[");
            for part in system {
                comma(out);
                writing.part(out, part, false);
            }
            if let Some(words) = told {
                comma(out);
                parts::plain(out, words);
            }
            out.push(b']');
        }
    }
}

fn write_messages(out: &mut Vec<u8>, messages: &[Message<'_>], writing: &mut Writing<'_>) {
    raw(out, "messages", "[");
    if messages.first().is_none_or(|message| message.side == Side::Assistant) {
        if !messages.is_empty() {
            writing.losses.hint("first_turn", "the model's API wants a user's turn first: one is put there");
        }
        out.push(b'{');
        text(out, "role", "user");
        text(out, "content", LEAST_TEXT);
        out.push(b'}');
    }
    for (i, message) in messages.iter().enumerate() {
        let last = i.saturating_add(1) == messages.len();
        comma(out);
        out.push(b'{');
        let role = match message.side {
            Side::System => "system",
            Side::User => "user",
            Side::Assistant => "assistant",
        };
        text(out, "role", role);
        let trim = last && message.side == Side::Assistant;
        match (message.results.as_slice(), message.parts.as_slice()) {
            ([], [Part::Text { text: words, cache: None, .. }]) => {
                text(out, "content", if trim { words.trim_end() } else { words });
            }
            (results, parts) => {
                raw(out, "content", "[");
                for part in results.iter().chain(parts) {
                    comma(out);
                    writing.part(out, part, trim);
                }
                out.push(b']');
            }
        }
        out.push(b'}');
    }
    out.push(b']');
}
