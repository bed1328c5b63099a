//! A client's request, read.

use super::{block, thinking, tools};
use crate::chat::{Format, Part, Raw, Request, Role, Turn};
use crate::error::Error;
use crate::json::{self, Tree, Value};
use std::borrow::Cow;

/// The members that a field of [`Request`] stands for; all others are kept as they are.
const KNOWN: &[&str] = &[
    "modelId",
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "additionalModelRequestFields",
    "requestMetadata",
    "serviceTier",
    "outputConfig",
];

/// The pair of the metadata that names the end user.
pub(super) const USER: &str = "user";

pub(super) fn request(body: Value<'_>) -> Result<Request, Error> {
    let mut request = Request {
        // Every stream of this API states its usage.
        stream_usage: true,
        ..Request::default()
    };
    if let Some(system) = body.list("system")? {
        let (parts, _) = block::list(system)?;
        if !parts.is_empty() {
            request.turns.push(Turn { role: Role::System, name: None, parts });
        }
    }
    messages(body, &mut request.turns)?;
    sampling(body, &mut request)?;
    tools::read(body, &mut request)?;
    if let Some(tier) = body.object("serviceTier")? {
        request.service_tier = tier.string("type")?.map(Cow::into_owned);
    }
    if let Some(pairs) = body.object("requestMetadata")? {
        for (name, value) in pairs.members() {
            let text = value.text().ok_or_else(|| value.wrong("a string"))?.into_owned();
            if name.is(USER) {
                request.user = Some(text);
            } else {
                request.metadata.push((name.text().into_owned(), text));
            }
        }
    }
    output(body, &mut request)?;
    thinking::read(body, &mut request)?;
    for (name, value) in body.members() {
        if !value.is_null() && !KNOWN.iter().any(|known| name.is(known)) {
            request.extra.push((name.text().into_owned(), value.keep()));
        }
    }
    Ok(request)
}

fn messages(body: Value<'_>, turns: &mut Vec<Turn>) -> Result<(), Error> {
    let Some(messages) = body.list("messages")? else { return Ok(()) };
    for message in messages.items() {
        if !message.is_object() {
            return Err(message.wrong("an object"));
        }
        let role = message.need("role")?;
        let content = message.list("content")?.ok_or_else(|| message.missing("content"))?;
        let (parts, first) = block::list(content)?;
        if let Some(mark) = first {
            before(turns, mark);
        }
        match &*role {
            "user" => user(parts, turns),
            "assistant" => turns.push(Turn { role: Role::Assistant, name: None, parts }),
            "system" => turns.push(Turn { role: Role::System, name: None, parts }),
            _ => return Err(message.at_member("role", "must be user or assistant")),
        }
    }
    Ok(())
}

/// A cache point at the start of a message marks what stands before the message.
fn before(turns: &mut [Turn], mark: Raw) {
    if let Some(turn) = turns.last_mut() {
        block::mark(&mut turn.parts, mark);
    }
}

/// A user's message may hold tool results among other blocks: runs of each become turns of their own.
fn user(parts: Vec<Part>, turns: &mut Vec<Turn>) {
    let mut fresh = true;
    let none = parts.is_empty();
    for part in parts {
        let role = if matches!(part, Part::ToolResult { .. }) { Role::Tool } else { Role::User };
        match turns.last_mut() {
            Some(turn) if !fresh && turn.role == role => turn.parts.push(part),
            _ => turns.push(Turn { role, name: None, parts: vec![part] }),
        }
        fresh = false;
    }
    if none {
        turns.push(Turn { role: Role::User, name: None, parts: Vec::new() });
    }
}

fn sampling(body: Value<'_>, request: &mut Request) -> Result<(), Error> {
    let Some(config) = body.object("inferenceConfig")? else { return Ok(()) };
    request.max_tokens = config.unsigned("maxTokens")?;
    request.temperature = config.number("temperature")?;
    request.top_p = config.number("topP")?;
    if let Some(stops) = config.list("stopSequences")? {
        for stop in stops.items() {
            request.stop.push(stop.text().ok_or_else(|| stop.wrong("a string"))?.into_owned());
        }
    }
    Ok(())
}

/// The form of the answer. How much to think stands in the same place: see `thinking.rs`.
fn output(body: Value<'_>, request: &mut Request) -> Result<(), Error> {
    let Some(config) = body.object("outputConfig")? else { return Ok(()) };
    let Some(format) = config.object("textFormat")? else { return Ok(()) };
    let given = format.object("structure")?.ok_or_else(|| format.missing("structure"))?;
    let given = given.object("jsonSchema")?.ok_or_else(|| given.missing("jsonSchema"))?;
    let schema = given.need("schema")?;
    if !Tree::default().read(schema.as_bytes()).is_ok_and(|schema| schema.is_object()) {
        return Err(given.at_member("schema", "must be the JSON text of an object"));
    }
    request.format = Some(Format::JsonSchema {
        name: given.string("name")?.map(Cow::into_owned),
        description: given.string("description")?.map(Cow::into_owned),
        schema: json::raw(schema),
        // The schema is always held to.
        strict: Some(true),
    });
    Ok(())
}
