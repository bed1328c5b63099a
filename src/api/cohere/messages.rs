//! The messages of a request, read, and what an assistant's message says, also in an answer.

use super::shared::wire::{items, kept, object, signature};
use super::wire::{made_id, told};
use crate::chat::{Citation, Part, Role, Source, Turn};
use crate::error::Error;
use crate::json::Value;
use std::borrow::Cow;

pub(super) fn turns(body: &Value<'_>) -> Result<Vec<Turn>, Error> {
    let mut turns: Vec<Turn> = Vec::new();
    for message in items(body, "messages")? {
        let role = match &*object(&message)?.need("role")? {
            "system" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" => Role::Tool,
            _ => return Err(message.at_member("role", "must be system, user, assistant or tool")),
        };
        let mut parts = Vec::new();
        match role {
            Role::Assistant => said(&message, None, &mut parts)?,
            Role::Tool => {
                let id = message.need("tool_call_id")?.into_owned();
                let mut given = Vec::new();
                content(&message, &mut given)?;
                let result = Part::ToolResult { id, parts: given, is_error: false, cache: None };
                match turns.last_mut() {
                    Some(turn) if turn.role == Role::Tool => turn.parts.push(result),
                    _ => turns.push(Turn { role, name: None, parts: vec![result] }),
                }
                continue;
            }
            _ => content(&message, &mut parts)?,
        }
        turns.push(Turn { role, name: None, parts });
    }
    if turns.is_empty() {
        return Err(body.at_member("messages", "is missing or empty"));
    }
    documents(body, &mut turns)?;
    Ok(turns)
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
        parts.push(match &*object(&one)?.need("type")? {
            "text" => Part::text(one.need("text")?),
            "image_url" => {
                let image = one.get("image_url").ok_or_else(|| one.missing("image_url"))?;
                let (url, detail) = match image.text() {
                    Some(url) => (url, None),
                    None => (object(&image)?.need("url")?, kept(&image, "detail")?),
                };
                Part::Image { source: Source::at(&url), detail, cache: None }
            }
            "document" => {
                let document = one.get("document").ok_or_else(|| one.missing("document"))?;
                let data = object(&document)?.get("data").ok_or_else(|| document.missing("data"))?;
                Part::text(data.text().unwrap_or(Cow::Borrowed(data.raw())))
            }
            kind => Part::Other { kind: kind.to_owned(), raw: one.keep() },
        });
    }
    Ok(())
}

/// What an assistant says. `answer`: the id of the answer that it is in, to make ids of; a client must give its own.
pub(super) fn said(message: &Value<'_>, answer: Option<&str>, parts: &mut Vec<Part>) -> Result<(), Error> {
    let mut texts = Vec::new();
    let plan = message.string("tool_plan")?.filter(|plan| !plan.is_empty());
    let mut chars = plan.as_ref().map_or(0, |plan| plan.chars().count() as u64);
    match message.get("content") {
        None => {}
        Some(content) if content.is_text() => {
            let text = content.text().unwrap_or_default();
            if !text.is_empty() {
                texts.push(Part::Text { text: text.into(), citations: cited(message, 0, true, chars), cache: None });
            }
        }
        Some(content) if content.is_list() => {
            for (index, block) in content.items().enumerate() {
                match thought(object(&block)?)? {
                    Some(part) => parts.push(part),
                    None => {
                        let Some(text) = block.string("text")?.filter(|text| !text.is_empty()) else { continue };
                        let citations = cited(message, index, texts.is_empty(), chars);
                        chars = chars.saturating_add(text.chars().count() as u64);
                        texts.push(Part::Text { text: text.into_owned(), citations, cache: None });
                    }
                }
            }
        }
        Some(content) => return Err(content.wrong("a string or an array")),
    }
    parts.extend(plan.map(Part::text));
    parts.append(&mut texts);
    for (n, call) in items(message, "tool_calls")?.enumerate() {
        let id = match (told(object(&call)?, "id"), answer) {
            (Some(id), _) => id.into_owned(),
            (None, Some(answer)) => made_id(answer, n),
            (None, None) => return Err(call.missing("id")),
        };
        let function = call.object("function")?.ok_or_else(|| call.missing("function"))?;
        let name = function.need("name")?.into_owned();
        let signature = signature(&call).map(Cow::into_owned);
        parts.push(Part::ToolCall { id, name, arguments: arguments(&function).into_owned(), signature, cache: None });
    }
    Ok(())
}

/// A block of thinking; `signature` and `data` are of a provider of another API, for its clients to send back.
fn thought(block: &Value<'_>) -> Result<Option<Part>, Error> {
    if !block.get("type").is_some_and(|kind| kind.is("thinking")) && block.get("thinking").is_none() {
        return Ok(None);
    }
    if let Some(data) = kept(block, "data")? {
        return Ok(Some(Part::Redacted { data }));
    }
    let text = kept(block, "thinking")?.unwrap_or_default();
    Ok(Some(Part::Thinking { text, signature: kept(block, "signature")? }))
}

/// The arguments' text. The API says `null` where there are none.
pub(super) fn arguments<'a>(function: &Value<'a>) -> Cow<'a, str> {
    let given = function.get("arguments");
    let text = given.map(|given| given.text().unwrap_or(Cow::Borrowed(given.raw()))).unwrap_or_default();
    if text == "null" { Cow::Borrowed("") } else { text }
}

/// The citations of a message's text block. One that names no block is of the first. `before`: the characters of text
/// that stand before the block.
fn cited(message: &Value<'_>, index: usize, first: bool, before: u64) -> Vec<Citation> {
    let mut all = Vec::new();
    let Some(list) = message.get("citations") else { return all };
    for one in list.items() {
        let place = one.get("content_index").and_then(|place| place.count());
        if place.map_or(first, |place| place == index as u64) {
            citations(&one, before, &mut all);
        }
    }
    all
}

/// A statement's sources, one citation each. Those of plans and thinking have no place elsewhere.
pub(super) fn citations(one: &Value<'_>, before: u64, all: &mut Vec<Citation>) {
    if told(one, "type").is_some_and(|kind| kind != "TEXT_CONTENT") {
        return;
    }
    let place = |name: &str| one.get(name).and_then(|place| place.count()).map(|at| at.saturating_add(before));
    let span = place("start").zip(place("end"));
    let Some(sources) = one.get("sources") else { return };
    for from in sources.items() {
        let said = from.get("document").or(from.get("tool_output")).unwrap_or(from);
        let text = |names: &[&str]| names.iter().find_map(|name| told(&said, name)).map(Cow::into_owned);
        all.push(Citation {
            url: text(&["url"]),
            title: text(&["title"]).or_else(|| told(&from, "id").map(Cow::into_owned)),
            quote: text(&["text", "snippet", "content"]),
            span,
        });
    }
}

/// The documents beside the conversation: they stand before what the user said last.
fn documents(body: &Value<'_>, turns: &mut [Turn]) -> Result<(), Error> {
    let mode = body.object("citation_options")?.map(|options| kept(&options, "mode")).transpose()?.flatten();
    let cite = !matches!(mode.as_deref(), Some("OFF" | "DISABLED"));
    let mut found = Vec::new();
    for one in items(body, "documents")? {
        let (source, name, context) = match one.text() {
            Some(text) => (text.into_owned(), None, None),
            None => document(object(&one)?)?,
        };
        found.push(Part::Document { source: Source::Text(source), name, context, citations: Some(cite), cache: None });
    }
    let last = turns.iter_mut().rev().find(|turn| turn.role == Role::User);
    match last {
        Some(turn) => turn.parts.splice(0..0, found),
        None if found.is_empty() => return Ok(()),
        None => return Err(body.at_member("documents", "needs a message of the user's")),
    };
    Ok(())
}

/// Its text, its title or id, and its other members, a line each.
fn document(one: &Value<'_>) -> Result<(String, Option<String>, Option<String>), Error> {
    let id = kept(one, "id")?;
    let data = one.get("data").ok_or_else(|| one.missing("data"))?;
    if let Some(text) = data.text() {
        return Ok((text.into_owned(), id, None));
    }
    let body = ["text", "snippet"].into_iter().find(|name| object(&data).is_ok() && told(&data, name).is_some());
    let mut context = String::new();
    for (name, value) in object(&data)?.members() {
        if (name.is("title") && value.is_text()) || body.is_none_or(|body| name.is(body)) || value.is_null() {
            continue;
        }
        if !context.is_empty() {
            context.push('\n');
        }
        if !name.is("context") {
            context.push_str(&name.text());
            context.push_str(": ");
        }
        context.push_str(&value.text().unwrap_or(Cow::Borrowed(value.raw())));
    }
    let text = body.and_then(|name| told(&data, name)).unwrap_or(Cow::Borrowed(data.raw()));
    let title = told(&data, "title").map(Cow::into_owned).or(id);
    Ok((text.into_owned(), title, (!context.is_empty()).then_some(context)))
}
