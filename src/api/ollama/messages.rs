//! The messages of a request, read, and what an assistant's message says, also in an answer.

use super::shared::wire::{id, items, kept, more, object, signature};
use crate::base64::data_url;
use crate::chat::{Part, Role, Source, Turn};
use crate::error::Error;
use crate::json::{Value, write};
use std::borrow::Cow;

/// A call that has had no result yet.
struct Open {
    id: String,
    name: String,
}

pub(super) fn turns(body: &Value<'_>) -> Result<Vec<Turn>, Error> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut calls = 0_usize;
    for message in items(body, "messages")? {
        let role = match &*object(&message)?.need("role")? {
            "system" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" => Role::Tool,
            _ => return Err(message.at_member("role", "must be system, user, assistant or tool")),
        };
        let mut parts = Vec::new();
        said(&message, &mut parts)?;
        for image in items(&message, "images")? {
            let data = image.text().ok_or_else(|| image.wrong("a string"))?;
            parts.push(Part::Image { source: picture(&data), detail: None, cache: None });
        }
        match role {
            Role::Assistant => {
                let before = parts.len();
                called(&message, b"", &mut calls, &mut parts)?;
                if parts.len() > before {
                    open.clear();
                }
                for part in parts.iter().skip(before) {
                    if let Part::ToolCall { id, name, .. } = part {
                        open.push(Open { id: id.clone(), name: name.clone() });
                    }
                }
            }
            Role::Tool => {
                let id = answered(&message, &mut open, calls)?;
                let result = Part::ToolResult { id, parts, is_error: false, cache: None };
                match turns.last_mut() {
                    Some(turn) if turn.role == Role::Tool => turn.parts.push(result),
                    _ => turns.push(Turn { role, name: None, parts: vec![result] }),
                }
                continue;
            }
            _ => {}
        }
        turns.push(Turn { role, name: None, parts });
    }
    if turns.is_empty() {
        return Err(body.at_member("messages", "is missing or empty"));
    }
    Ok(turns)
}

/// The id of the call that a tool's message answers: the one it names, or the first open one of its tool, or the first.
fn answered(message: &Value<'_>, open: &mut Vec<Open>, calls: usize) -> Result<String, Error> {
    if let Some(id) = kept(message, "tool_call_id")?.filter(|id| !id.is_empty()) {
        open.retain(|call| call.id != id);
        return Ok(id);
    }
    let tool = message.string("tool_name")?.or(message.string("name")?);
    let named = |call: &Open| tool.as_ref().is_some_and(|tool| *tool == call.name);
    let at = open.iter().position(named).unwrap_or_default();
    Ok(if open.is_empty() { made_id(b"", calls) } else { open.remove(at).id })
}

/// What the message says, but for its calls.
pub(super) fn said(message: &Value<'_>, parts: &mut Vec<Part>) -> Result<(), Error> {
    let mut plain = kept(message, "thinking")?.filter(|text| !text.is_empty());
    let start = parts.len();
    for block in items(message, "thinking_blocks")? {
        if let Some(data) = kept(object(&block)?, "data")? {
            parts.push(Part::Redacted { data });
            continue;
        }
        // A stream gives the text and its signature apart: together they make the block.
        let text = match kept(&block, "thinking")?.filter(|text| !text.is_empty()) {
            Some(text) => {
                plain = None;
                text
            }
            None => plain.take().unwrap_or_default(),
        };
        parts.push(Part::Thinking { text, signature: kept(&block, "signature")? });
    }
    if let Some(text) = plain {
        parts.insert(start, Part::Thinking { text, signature: None });
    }
    if let Some(text) = message.string("content")?.filter(|text| !text.is_empty()) {
        parts.push(Part::text(text));
    }
    Ok(())
}

/// The calls of a message. Those without an id get one made of what `ids` says and their number.
pub(super) fn called(message: &Value<'_>, ids: &[u8], number: &mut usize, parts: &mut Vec<Part>) -> Result<(), Error> {
    for call in items(message, "tool_calls")? {
        let function = object(&call)?.object("function")?.ok_or_else(|| call.missing("function"))?;
        let id = kept(&call, "id")?.filter(|id| !id.is_empty()).unwrap_or_else(|| made_id(ids, *number));
        *number = number.saturating_add(1);
        parts.push(Part::ToolCall {
            id,
            name: function.need("name")?.into_owned(),
            arguments: arguments(&function).into_owned(),
            signature: signature(&call).map(Cow::into_owned),
            cache: None,
        });
    }
    Ok(())
}

/// The arguments' JSON text: an object, or what some clients send, its text. What a cut answer left of it was given as
/// one member.
pub(super) fn arguments<'a>(function: &Value<'a>) -> Cow<'a, str> {
    let Some(given) = function.get("arguments") else { return Cow::Borrowed("") };
    let cut = || given.get("_raw").and_then(|cut| cut.text()).filter(|_| given.members().nth(1).is_none());
    given.text().or_else(cut).unwrap_or(Cow::Borrowed(given.raw()))
}

pub(super) fn made_id(of: &[u8], call: usize) -> String {
    let mut text = of.to_vec();
    text.push(0xff);
    write::digits(&mut text, call as u64);
    id("call_", more(&text))
}

/// A picture in base64. Its type is not told, but shows in how it begins.
fn picture(data: &str) -> Source {
    if let Some((media_type, data)) = data_url(data) {
        return Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() };
    }
    let starts = [("/9j/", "image/jpeg"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp"), ("Qk", "image/bmp")];
    let known = starts.iter().find(|(start, _)| data.starts_with(start));
    let media_type = known.map_or("image/png", |(_, media_type)| media_type);
    Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() }
}
