//! A client's request, read.

use super::{block, tools};
use crate::chat::{Effort, Format, Part, Reasoning, Request, Role, Turn};
use crate::error::Error;
use crate::json::Value;
use std::borrow::Cow;

/// The members that a field of [`Request`] stands for; all others are kept as they are.
const KNOWN: &[&str] = &[
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "thinking",
    "output_config",
    "output_format",
    "metadata",
    "service_tier",
    "cache_control",
    "stream",
];

pub(super) fn request(body: Value<'_>) -> Result<Request, Error> {
    let mut request = Request {
        model: body
            .string("model")?
            .filter(|model| !model.is_empty())
            .ok_or_else(|| body.missing("model"))?
            .into_owned(),
        max_tokens: Some(body.unsigned("max_tokens")?.ok_or_else(|| body.missing("max_tokens"))?),
        temperature: body.number("temperature")?,
        top_p: body.number("top_p")?,
        top_k: body.number("top_k")?,
        service_tier: body.string("service_tier")?.map(Cow::into_owned),
        cache: body.get("cache_control").map(|mark| mark.keep()),
        stream: body.boolean("stream")?.unwrap_or(false),
        // Every stream of this API states its usage.
        stream_usage: true,
        ..Request::default()
    };
    if let Some(system) = body.get("system") {
        request.turns.push(Turn { role: Role::System, name: None, parts: block::parts(system)? });
    }
    messages(body, &mut request)?;
    request.tools = tools::read(body, &mut request.losses)?;
    tools::read_choice(body, &mut request)?;
    if let Some(stops) = body.list("stop_sequences")? {
        for stop in stops.items() {
            request.stop.push(stop.text().ok_or_else(|| stop.wrong("a string"))?.into_owned());
        }
    }
    if let Some(metadata) = body.object("metadata")? {
        request.user = metadata.string("user_id")?.map(Cow::into_owned);
    }
    reasoning(body, &mut request)?;
    for (name, value) in body.members() {
        if !value.is_null() && !KNOWN.iter().any(|known| name.is(known)) {
            request.extra.push((name.text().into_owned(), value.keep()));
        }
    }
    Ok(request)
}

fn messages(body: Value<'_>, request: &mut Request) -> Result<(), Error> {
    let messages = body.list("messages")?.ok_or_else(|| body.missing("messages"))?;
    for message in messages.items() {
        if !message.is_object() {
            return Err(message.wrong("an object"));
        }
        let role = message.need("role")?;
        let content = message.get("content").ok_or_else(|| message.missing("content"))?;
        let parts = block::parts(content)?;
        match &*role {
            "user" => user(parts, &mut request.turns),
            "assistant" => request.turns.push(Turn { role: Role::Assistant, name: None, parts }),
            "system" => request.turns.push(Turn { role: Role::System, name: None, parts }),
            _ => return Err(message.at_member("role", "must be user, assistant or system")),
        }
    }
    Ok(())
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

/// Words that are new since this was written are kept with the members that no field stands for.
fn reasoning(body: Value<'_>, request: &mut Request) -> Result<(), Error> {
    let mut reasoning = Reasoning::default();
    let mut asked = false;
    if let Some(thinking) = body.object("thinking")? {
        asked = true;
        match &*thinking.need("type")? {
            "enabled" => reasoning.budget = Some(budget(thinking)?),
            "adaptive" => reasoning.adaptive = true,
            // `between_tools` is disabled, and says how to show what is written between calls.
            "disabled" | "between_tools" => reasoning.effort = Some(Effort::None),
            _ => {
                asked = false;
                request.extra.push(("thinking".to_owned(), thinking.keep()));
            }
        }
        reasoning.display = thinking.string("display")?.map(Cow::into_owned);
    }
    if let Some(config) = body.object("output_config")? {
        for (name, value) in config.members() {
            let known = if name.is("effort") {
                let word = config.string("effort")?;
                let effort = word.as_deref().and_then(effort);
                asked |= effort.is_some();
                reasoning.effort = reasoning.effort.or(effort);
                word.is_none() || effort.is_some()
            } else if name.is("format") {
                request.format = format(config, "format")?;
                request.format.is_some() || value.is_null()
            } else {
                false
            };
            if !known {
                request.extra.push((name.text().into_owned(), value.keep()));
            }
        }
    }
    // The member's name while structured output was a beta.
    if request.format.is_none() {
        request.format = format(body, "output_format")?;
    }
    request.reasoning = asked.then_some(reasoning);
    Ok(())
}

fn budget(thinking: Value<'_>) -> Result<u64, Error> {
    match thinking.get("budget_tokens") {
        Some(budget) if budget.raw().starts_with('-') => {
            Err(budget.error("must be a whole number, not a negative number"))
        }
        _ => thinking.unsigned("budget_tokens")?.ok_or_else(|| thinking.missing("budget_tokens")),
    }
}

fn effort(word: &str) -> Option<Effort> {
    Some(match word {
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => return None,
    })
}

/// `None`: absent, or a form that is new since this was written.
fn format(of: Value<'_>, name: &str) -> Result<Option<Format>, Error> {
    let Some(format) = of.object(name)? else { return Ok(None) };
    if format.need("type")? != "json_schema" {
        return Ok(None);
    }
    let schema = format.get("schema").ok_or_else(|| format.missing("schema"))?.keep();
    // The schema is always held to.
    Ok(Some(Format::JsonSchema { name: None, description: None, schema, strict: Some(true) }))
}
