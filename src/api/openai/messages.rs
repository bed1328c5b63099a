//! The messages of a request, read.

use super::wire::{first, hash, id, items, joined, kept, missing, named, need, object, signature};
use crate::chat::{Part, Raw, Role, Source, Turn};
use crate::error::Error;
use crate::json::{Items, Value};
use std::borrow::Cow;

pub(super) fn turns(body: &Value<'_>) -> Result<Vec<Turn>, Error> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut legacy_call = String::new();
    for (at, message) in items(body, "messages")?.enumerate() {
        let said = object(&message)?.string("role")?;
        let role = match said.as_deref() {
            Some("system") => Role::System,
            Some("developer") => Role::Developer,
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("tool" | "function") => Role::Tool,
            Some(_) => {
                let roles = "must be system, developer, user, assistant, tool or function";
                return Err(message.at_member("role", roles));
            }
            None => return Err(missing(&message, "role")),
        };
        let cache = message.get("cache_control").map(|mark| mark.keep());
        let mut parts = Vec::new();
        if role == Role::Assistant {
            thoughts(&message, &mut parts)?;
        }
        content(&message, &mut parts)?;
        match role {
            Role::Tool => {
                let id = match kept(&message, "tool_call_id")? {
                    Some(id) => id,
                    None if said.as_deref() == Some("function") => legacy_call.clone(),
                    None => return Err(missing(&message, "tool_call_id")),
                };
                let result = Part::ToolResult { id, parts, is_error: false, cache };
                match turns.last_mut() {
                    Some(turn) if turn.role == Role::Tool => turn.parts.push(result),
                    _ => turns.push(Turn { role, name: None, parts: vec![result] }),
                }
                continue;
            }
            Role::Assistant => {
                if let Some(refusal) = kept(&message, "refusal")?.filter(|r| !r.is_empty()) {
                    parts.push(Part::Refusal { text: refusal });
                }
                if let Some(audio) = message.get("audio") {
                    parts.push(Part::Other { kind: "audio".to_owned(), raw: audio.keep() });
                }
                calls(&message, &mut parts)?;
                if let Some(function) = message.object("function_call")? {
                    legacy_call = id("call_", hash(&format!("messages[{at}]")));
                    parts.push(called(legacy_call.clone(), &function, None)?);
                }
            }
            Role::System | Role::Developer | Role::User => {}
        }
        if let Some(cache) = cache {
            mark(&mut parts, cache);
        }
        turns.push(Turn { role, name: kept(&message, "name")?, parts });
    }
    if turns.is_empty() {
        return Err(body.at_member("messages", "is missing or empty"));
    }
    Ok(turns)
}

/// A mark on a message stands for one on its last part that can have one.
fn mark(parts: &mut [Part], mark: Raw) {
    for part in parts.iter_mut().rev() {
        match part {
            Part::Text { cache, .. }
            | Part::Image { cache, .. }
            | Part::Document { cache, .. }
            | Part::ToolCall { cache, .. }
            | Part::ToolResult { cache, .. } => {
                cache.get_or_insert(mark);
                return;
            }
            _ => {}
        }
    }
}

/// The thinking of a message. The spellings repeat each other: the one that keeps most is read.
pub(super) fn thoughts(message: &Value<'_>, parts: &mut Vec<Part>) -> Result<(), Error> {
    let plain = first(message, &PLAIN_THINKING)?;
    let mut plain = plain.map(Cow::into_owned).filter(|text| !text.is_empty());
    let start = parts.len();
    for block in blocks(message)? {
        let Thought { text, signature, data } = Thought::of(&block)?;
        let text = text.unwrap_or_default().into_owned();
        let signature = signature.map(Cow::into_owned);
        match data {
            Some(data) => parts.push(Part::Redacted { data: data.into_owned() }),
            None if text.is_empty() && signature.is_none() => {}
            // A stream gives the text and its signature apart: together they make the block.
            None if text.is_empty() => {
                parts.push(Part::Thinking { text: plain.take().unwrap_or_default(), signature });
            }
            None => {
                plain = None;
                parts.push(Part::Thinking { text, signature });
            }
        }
    }
    if let Some(text) = plain {
        parts.insert(start, Part::Thinking { text, signature: None });
    }
    Ok(())
}

pub(super) const PLAIN_THINKING: [&str; 2] = ["reasoning_content", "reasoning"];

/// The blocks of thinking of a message, or of what a chunk adds to one.
pub(super) fn blocks<'a>(message: &Value<'a>) -> Result<Items<'a>, Error> {
    match message.list("thinking_blocks")?.filter(|all| !all.is_empty()) {
        Some(all) => Ok(all.items()),
        None => items(message, "reasoning_details"),
    }
}

/// A block of thinking.
pub(super) struct Thought<'a> {
    pub text: Option<Cow<'a, str>>,
    pub signature: Option<Cow<'a, str>>,
    pub data: Option<Cow<'a, str>>,
}

impl<'a> Thought<'a> {
    pub fn of(block: &Value<'a>) -> Result<Self, Error> {
        Ok(Self {
            text: first(object(block)?, &["thinking", "text", "summary"])?,
            signature: block.string("signature")?.filter(|s| !s.is_empty()),
            data: block.string("data")?,
        })
    }
}

fn content(message: &Value<'_>, parts: &mut Vec<Part>) -> Result<(), Error> {
    let Some(content) = message.get("content") else { return Ok(()) };
    if let Some(text) = content.text() {
        if !text.is_empty() {
            parts.push(Part::text(text));
        }
        return Ok(());
    }
    if !content.is_list() {
        return Err(content.wrong("a string or an array"));
    }
    for one in content.items() {
        parts.push(part(object(&one)?)?);
    }
    Ok(())
}

fn part(part: &Value<'_>) -> Result<Part, Error> {
    let within = |name: &str| part.object(name)?.ok_or_else(|| missing(part, name));
    let cache = part.get("cache_control").map(|mark| mark.keep());
    Ok(match &*need(part, "type")? {
        "text" => Part::Text { text: need(part, "text")?.into_owned(), citations: Vec::new(), cache },
        "image_url" => {
            let image = part.get("image_url").ok_or_else(|| missing(part, "image_url"))?;
            let (source, detail) = match image.text() {
                Some(url) => (Source::at(&url), None),
                None if image.is_object() => (Source::at(&need(&image, "url")?), kept(&image, "detail")?),
                None => return Err(image.wrong("a string or an object")),
            };
            Part::Image { source, detail, cache }
        }
        "file" => {
            let file = within("file")?;
            let source = match (file.string("file_data")?, kept(&file, "file_id")?) {
                (Some(data), _) if data.contains(':') => Source::at(&data),
                (Some(data), _) => Source::Base64 { media_type: "application/pdf".to_owned(), data: data.into_owned() },
                (None, Some(id)) => Source::File(id),
                (None, None) => return Err(missing(&file, "file_data")),
            };
            Part::Document { source, name: kept(&file, "filename")?, context: None, citations: None, cache }
        }
        "document_url" => {
            let source = Source::at(&need(part, "document_url")?);
            Part::Document { source, name: kept(part, "document_name")?, context: None, citations: None, cache }
        }
        "input_audio" => {
            let audio = within("input_audio")?;
            Part::Audio { data: need(&audio, "data")?.into_owned(), format: need(&audio, "format")?.into_owned() }
        }
        "refusal" => Part::Refusal { text: need(part, "refusal")?.into_owned() },
        "thinking" => Part::Thinking {
            text: part.get("thinking").map(|text| joined(&text)).transpose()?.unwrap_or_default().into_owned(),
            signature: kept(part, "signature")?,
        },
        kind => Part::Other { kind: kind.to_owned(), raw: part.keep() },
    })
}

fn calls(message: &Value<'_>, parts: &mut Vec<Part>) -> Result<(), Error> {
    for call in items(message, "tool_calls")? {
        parts.push(match object(&call)?.object("function")? {
            Some(function) => {
                called(need(&call, "id")?.into_owned(), &function, signature(&call).map(Cow::into_owned))?
            }
            None if call.get("custom").is_some() => {
                Part::Other { kind: "custom_tool_call".to_owned(), raw: call.keep() }
            }
            None => return Err(missing(&call, "function")),
        });
    }
    Ok(())
}

fn called(id: String, function: &Value<'_>, signature: Option<String>) -> Result<Part, Error> {
    Ok(Part::ToolCall {
        id,
        name: named(function, "name")?,
        arguments: kept(function, "arguments")?.unwrap_or_default(),
        signature,
        cache: None,
    })
}
