//! The items of a request, read.

use super::answer::citations;
use super::thinking;
use super::wire::{joined, kept, named, need, object};
use crate::chat::{Losses, Part, Role, Source, Turn};
use crate::error::Error;
use crate::json::{Raw, Value};

/// Members that no field of a request stands for.
type Extra = Vec<(String, Raw)>;

/// `extra`: what only this API knows is added to it.
pub(super) fn turns(body: &Value<'_>, losses: &mut Losses, extra: &mut Extra) -> Result<Vec<Turn>, Error> {
    let mut turns = Vec::new();
    if let Some(told) = body.get("instructions") {
        match told.text() {
            Some(text) => turns.push(Turn { role: Role::System, name: None, parts: vec![Part::text(text)] }),
            None => items(&told, &mut turns, losses, extra)?,
        }
    }
    match body.get("input") {
        None => {}
        Some(input) => match input.text() {
            Some(text) => turns.push(Turn { role: Role::User, name: None, parts: vec![Part::text(text)] }),
            None => items(&input, &mut turns, losses, extra)?,
        },
    }
    // The conversation may be the provider's: then that is what is wrong.
    if turns.is_empty() && losses.worst().is_none() {
        return Err(body.at_member("input", "is missing or empty"));
    }
    Ok(turns)
}

fn items(list: &Value<'_>, turns: &mut Vec<Turn>, losses: &mut Losses, extra: &mut Extra) -> Result<(), Error> {
    if !list.is_list() {
        return Err(list.wrong("a string or an array"));
    }
    let mut signature = None;
    for one in list.items() {
        item(object(&one)?, turns, losses, extra, &mut signature)?;
    }
    Ok(())
}

/// `signature`: of the call that follows.
fn item(
    item: &Value<'_>,
    turns: &mut Vec<Turn>,
    losses: &mut Losses,
    extra: &mut Extra,
    signature: &mut Option<String>,
) -> Result<(), Error> {
    let kind = item.string("type")?;
    match kind.as_deref().unwrap_or("message") {
        "message" => message(item, turns, losses, extra)?,
        "function_call" => {
            let (id, name) = (call_id(item)?, named(item, "name")?);
            let arguments = kept(item, "arguments")?.unwrap_or_default();
            assistant(turns, Part::ToolCall { id, name, arguments, signature: signature.take(), cache: None });
        }
        "function_call_output" => {
            let id = call_id(item)?;
            let mut parts = Vec::new();
            content(item, "output", &mut parts, losses, extra)?;
            let result = Part::ToolResult { id, parts, is_error: false, cache: None };
            match turns.last_mut() {
                Some(turn) if turn.role == Role::Tool => turn.parts.push(result),
                _ => turns.push(Turn { role: Role::Tool, name: None, parts: vec![result] }),
            }
        }
        "reasoning" => {
            thinking::check(item)?;
            if let Some(part) = thinking::part(item, signature) {
                assistant(turns, part);
            }
        }
        "item_reference" => {
            losses.meaning("item_reference", "the item is kept by another provider: send the item itself");
        }
        kind => {
            losses.meaning("content", "an item of the input that only the Responses API has");
            // That is a picture.
            if kind != "computer_call_output" {
                keep(item, extra);
            }
        }
    }
    Ok(())
}

fn call_id(item: &Value<'_>) -> Result<String, Error> {
    named(item, "call_id")
}

/// What one answer consists of is one turn, up to its next message.
fn assistant(turns: &mut Vec<Turn>, part: Part) {
    match turns.last_mut() {
        Some(turn) if turn.role == Role::Assistant => turn.parts.push(part),
        _ => turns.push(Turn { role: Role::Assistant, name: None, parts: vec![part] }),
    }
}

fn message(item: &Value<'_>, turns: &mut Vec<Turn>, losses: &mut Losses, extra: &mut Extra) -> Result<(), Error> {
    let role = match &*need(item, "role")? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        "developer" => Role::Developer,
        _ => return Err(item.at_member("role", "must be user, assistant, system or developer")),
    };
    let mut parts = Vec::new();
    content(item, "content", &mut parts, losses, extra)?;
    let thinks = |part: &Part| matches!(part, Part::Thinking { .. } | Part::Redacted { .. });
    match turns.last_mut() {
        Some(turn) if role == Role::Assistant && turn.role == role && turn.parts.iter().all(thinks) => {
            turn.parts.append(&mut parts);
        }
        _ => turns.push(Turn { role, name: None, parts }),
    }
    Ok(())
}

/// A string, or a list of parts.
fn content(
    item: &Value<'_>,
    name: &str,
    parts: &mut Vec<Part>,
    losses: &mut Losses,
    extra: &mut Extra,
) -> Result<(), Error> {
    let content = item.get(name).ok_or_else(|| super::wire::missing(item, name))?;
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
        match part(object(&one)?)? {
            Some(part) => parts.push(part),
            None => {
                losses.meaning("content", "a part that only the Responses API has");
                keep(&one, extra);
            }
        }
    }
    Ok(())
}

#[inline(never)]
fn keep(of: &Value<'_>, extra: &mut Extra) {
    extra.push(("input".to_owned(), of.keep()));
}

/// `None`: only this API knows it.
fn part(part: &Value<'_>) -> Result<Option<Part>, Error> {
    Ok(Some(match &*need(part, "type")? {
        "input_text" | "text" | "summary_text" | "reasoning_text" => Part::text(need(part, "text")?),
        "output_text" => Part::Text { text: need(part, "text")?.into_owned(), citations: citations(part), cache: None },
        "refusal" => Part::Refusal { text: need(part, "refusal")?.into_owned() },
        "input_image" => {
            let source = match (part.get("image_url"), kept(part, "file_id")?) {
                (Some(url), _) => Source::at(&url.text().ok_or_else(|| url.wrong("a string"))?),
                (None, Some(id)) => Source::File(id),
                (None, None) => return Err(super::wire::missing(part, "image_url")),
            };
            // What every image says here is what none says elsewhere.
            let detail = kept(part, "detail")?.filter(|detail| detail != "auto");
            Part::Image { source, detail, cache: None }
        }
        "input_file" => {
            let source = match (part.string("file_data")?, kept(part, "file_url")?, kept(part, "file_id")?) {
                (Some(data), ..) if data.starts_with("data:") => Source::at(&data),
                (Some(data), ..) => {
                    Source::Base64 { media_type: "application/pdf".to_owned(), data: data.into_owned() }
                }
                (_, Some(url), _) => Source::at(&url),
                (.., Some(id)) => Source::File(id),
                _ => return Err(super::wire::missing(part, "file_data")),
            };
            Part::Document { source, name: kept(part, "filename")?, context: None, citations: None, cache: None }
        }
        "input_audio" => {
            let audio = part.object("input_audio")?.ok_or_else(|| super::wire::missing(part, "input_audio"))?;
            Part::Audio { data: need(&audio, "data")?.into_owned(), format: need(&audio, "format")?.into_owned() }
        }
        "thinking" => Part::Thinking {
            text: part.get("thinking").map(|text| joined(&text)).transpose()?.unwrap_or_default().into_owned(),
            signature: kept(part, "signature")?,
        },
        _ => return Ok(None),
    }))
}
