//! What the vendor demands of turns: tool calls answered at once, thinking kept and signed.

use serde_json::Value;

use super::{is_sealed, signature};
use crate::check::{At, Checked};

/// Consecutive messages of one role, as the vendor joins them.
struct Turn<'a> {
    user: bool,
    /// Each with the place of its message and its place in it.
    blocks: Vec<(usize, usize, &'a Value)>,
}

impl<'a> Turn<'a> {
    fn of(&self, kind: &'a str) -> impl Iterator<Item = &(usize, usize, &'a Value)> {
        self.blocks.iter().filter(move |(_, _, block)| is(block, kind))
    }

    fn ids(&self, kind: &'a str, field: &'a str) -> Vec<&'a str> {
        self.of(kind).filter_map(|(_, _, block)| block.get(field)?.as_str()).collect()
    }
}

fn is(block: &Value, kind: &str) -> bool {
    block.get("type").and_then(Value::as_str) == Some(kind)
}

pub fn check(messages: &[Value], at: &At, thinks: bool) -> Checked {
    let mut turns: Vec<Turn> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        if role == "system" {
            continue;
        }
        let user = role == "user";
        if turns.last().is_none_or(|turn| turn.user != user) {
            turns.push(Turn { user, blocks: Vec::new() });
        }
        let last = index.saturating_add(1) == messages.len();
        let content = message.get("content").unwrap_or(&Value::Null);
        let empty = content.as_str().is_some_and(str::is_empty) || content.as_array().is_some_and(Vec::is_empty);
        if empty && (user || !last) {
            return At::Index(at, index)
                .rule("all messages must have non-empty content except for the optional final assistant message");
        }
        let blocks = content.as_array().map(Vec::as_slice).unwrap_or(std::slice::from_ref(content));
        if let Some(turn) = turns.last_mut() {
            turn.blocks.extend(blocks.iter().enumerate().map(|(place, block)| (index, place, block)));
        }
    }
    let mut before: &[&str] = &[];
    let mut calls;
    for turn in &turns {
        if turn.user {
            results(turn, before, at)?;
        } else if let Some((index, place, wrong)) = forged(turn) {
            let message = At::Index(at, index);
            return At::Index(&At::Key(&message, "content"), place).rule(wrong);
        }
        calls = turn.ids("tool_use", "id");
        before = if turn.user { &[] } else { &calls };
    }
    if !before.is_empty() {
        return At::Index(at, messages.len().saturating_sub(1)).rule(unanswered(before));
    }
    if thinks { thought_kept(&turns, at) } else { Ok(()) }
}

fn results(turn: &Turn, calls: &[&str], at: &At) -> Checked {
    let answered = turn.ids("tool_result", "tool_use_id");
    let open: Vec<&str> = calls.iter().filter(|call| !answered.contains(call)).copied().collect();
    let first = turn.blocks.first().map_or(0, |(index, _, _)| *index);
    let leading = turn.blocks.iter().take_while(|(_, _, block)| is(block, "tool_result")).count();
    if !open.is_empty() || (!calls.is_empty() && leading < answered.len()) {
        let open = if open.is_empty() { calls } else { &open };
        return At::Index(at, first.saturating_sub(1)).rule(unanswered(open));
    }
    let stray = turn.of("tool_result").find_map(|(index, place, block)| {
        let id = block.get("tool_use_id")?.as_str()?;
        (!calls.contains(&id)).then_some((*index, *place, id))
    });
    match stray {
        Some((index, place, id)) => {
            let message = At::Index(at, index);
            At::Index(&At::Key(&message, "content"), place).rule(format!(
                "unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            ))
        }
        None => Ok(()),
    }
}

fn unanswered(calls: &[&str]) -> String {
    format!(
        "`tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
        calls.join(", ")
    )
}

/// The first block of thinking that is not as this server made it, and what is wrong with it.
fn forged(turn: &Turn) -> Option<(usize, usize, &'static str)> {
    turn.blocks.iter().find_map(|(index, place, block)| {
        let text = |field: &str| block.get(field).and_then(Value::as_str).unwrap_or_default();
        let wrong = match text("type") {
            "thinking" if text("signature") != signature(text("thinking")) => "Invalid `signature` in `thinking` block",
            "redacted_thinking" if !is_sealed(text("data")) => "Invalid `data` in `redacted_thinking` block",
            _ => return None,
        };
        Some((*index, *place, wrong))
    })
}

/// While the model is in a round of tool calls, each of its turns in that round begins with its thinking.
fn thought_kept(turns: &[Turn], at: &At) -> Checked {
    let asked =
        turns.iter().rposition(|turn| turn.user && turn.blocks.iter().any(|(_, _, block)| !is(block, "tool_result")));
    for turn in turns.iter().skip(asked.map_or(0, |asked| asked.saturating_add(1))).filter(|turn| !turn.user) {
        let Some((index, place, first)) = turn.blocks.first() else { continue };
        if is(first, "thinking") || is(first, "redacted_thinking") {
            continue;
        }
        let kind = first.get("type").and_then(Value::as_str).unwrap_or("text");
        let message = At::Index(at, *index);
        let content = At::Key(&message, "content");
        return At::Key(&At::Index(&content, *place), "type").rule(format!(
            "Expected `thinking` or `redacted_thinking`, but found `{kind}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceding the lastmost set of `tool_use` and `tool_result` blocks)."
        ));
    }
    Ok(())
}
