//! A client's request, read.

use super::messages::turns;
use super::shared::wire::{items, kept, object};
use crate::chat::{Effort, Format, Reasoning, Request, Tool, ToolChoice};
use crate::error::Error;
use crate::json::Value;

/// The members that are read: all others are `extra`.
const KNOWN: [&str; 18] = [
    "model",
    "messages",
    "documents",
    "tools",
    "strict_tools",
    "tool_choice",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "p",
    "k",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "response_format",
    "thinking",
    "stream",
];

pub(super) fn request(body: &Value<'_>) -> Result<Request, Error> {
    let mut request = Request { stream_usage: true, ..Request::default() };
    fill(body, &mut request)?;
    Ok(request)
}

fn fill(body: &Value<'_>, request: &mut Request) -> Result<(), Error> {
    request.model = body.need("model")?.into_owned();
    if request.model.is_empty() {
        return Err(body.missing("model"));
    }
    request.turns = turns(body)?;
    tools(body, &mut request.tools)?;
    request.tool_choice = tool_choice(body)?;
    request.max_tokens = body.unsigned("max_tokens")?;
    for one in items(body, "stop_sequences")? {
        request.stop.push(one.text().ok_or_else(|| one.wrong("a string"))?.into_owned());
    }
    let Request { temperature, top_p, top_k, seed, frequency_penalty, presence_penalty, .. } = request;
    for (name, into) in [
        ("temperature", temperature),
        ("p", top_p),
        ("k", top_k),
        ("seed", seed),
        ("frequency_penalty", frequency_penalty),
        ("presence_penalty", presence_penalty),
    ] {
        *into = body.number(name)?;
    }
    request.logprobs = body.boolean("logprobs")?;
    request.format = format(body)?;
    request.reasoning = reasoning(body)?;
    request.stream = body.boolean("stream")?.unwrap_or_default();
    for (name, value) in body.members() {
        if !value.is_null() && !KNOWN.iter().any(|known| name.is(known)) {
            request.extra.push((name.text().into_owned(), value.keep()));
        }
    }
    Ok(())
}

fn tools(body: &Value<'_>, tools: &mut Vec<Tool>) -> Result<(), Error> {
    let strict = body.boolean("strict_tools")?;
    for one in items(body, "tools")? {
        let function = object(&one)?.object("function")?.ok_or_else(|| one.missing("function"))?;
        tools.push(Tool {
            name: function.need("name")?.into_owned(),
            description: kept(&function, "description")?,
            schema: function.get("parameters").map(|schema| schema.keep()),
            strict,
            cache: None,
            vendor: None,
        });
    }
    Ok(())
}

fn tool_choice(body: &Value<'_>) -> Result<Option<ToolChoice>, Error> {
    Ok(match body.string("tool_choice")?.as_deref() {
        None => None,
        Some("REQUIRED") => Some(ToolChoice::Required),
        Some("NONE") => Some(ToolChoice::None),
        Some(_) => return Err(body.at_member("tool_choice", "must be REQUIRED or NONE")),
    })
}

fn format(body: &Value<'_>) -> Result<Option<Format>, Error> {
    let Some(given) = body.object("response_format")? else { return Ok(None) };
    Ok(Some(match given.string("type")?.as_deref() {
        Some("text") => Format::Text,
        // The second is the member's name of before.
        Some("json_object") => match given.object("json_schema")?.or(given.object("schema")?) {
            Some(schema) => Format::JsonSchema { name: None, description: None, schema: schema.keep(), strict: None },
            None => Format::JsonObject,
        },
        _ => return Err(given.at_member("type", "must be text or json_object")),
    }))
}

fn reasoning(body: &Value<'_>) -> Result<Option<Reasoning>, Error> {
    let Some(given) = body.object("thinking")? else { return Ok(None) };
    let budget = given.unsigned("token_budget")?;
    Ok(Some(match given.string("type")?.as_deref() {
        Some("disabled") => Reasoning { effort: Some(Effort::None), ..Reasoning::default() },
        None | Some("enabled") => Reasoning { budget, adaptive: budget.is_none(), ..Reasoning::default() },
        Some(_) => return Err(given.at_member("type", "must be enabled or disabled")),
    }))
}
