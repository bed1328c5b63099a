//! A client's request, read.

use super::wire::{items, kept, missing, named, object};
use super::{items as input, tools};
use crate::chat::{Effort, Format, Losses, Reasoning, Request, Verbosity};
use crate::error::Error;
use crate::json::Value;
use std::borrow::Cow;

/// The members that are read, or say nothing of the answer: all others are `extra`.
const KNOWN: [&str; 23] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "temperature",
    "top_p",
    "top_logprobs",
    "include",
    "reasoning",
    "text",
    "metadata",
    "user",
    "service_tier",
    "stream",
    "stream_options",
    // Lost elsewhere.
    "previous_response_id",
    "conversation",
    "background",
    "truncation",
    "context_management",
];

const LOGPROBS: &str = "message.output_text.logprobs";

pub(super) fn request(body: &Value<'_>) -> Result<Request, Error> {
    let model = named(body, "model")?;
    let mut losses = Losses::default();
    only_here(body, &mut losses)?;
    let top_logprobs = body.unsigned("top_logprobs")?.filter(|most| *most > 0);
    let mut extra = extra(body);
    let turns = input::turns(body, &mut losses, &mut extra)?;
    let tools = tools::read(body)?;
    let tool_choice = tools::read_choice(body, &mut losses)?;
    let (format, verbosity) = text(body)?;
    Ok(Request {
        model,
        turns,
        tools,
        tool_choice,
        parallel_tools: body.boolean("parallel_tool_calls")?,
        max_tokens: body.unsigned("max_output_tokens")?,
        temperature: body.number("temperature")?,
        top_p: body.number("top_p")?,
        logprobs: (logprobs(body)? || top_logprobs.is_some()).then_some(true),
        top_logprobs,
        format,
        verbosity,
        reasoning: reasoning(body)?,
        user: kept(body, "user")?,
        metadata: metadata(body)?,
        service_tier: kept(body, "service_tier")?,
        stream: body.boolean("stream")?.unwrap_or_default(),
        // Every stream of this API states its usage.
        stream_usage: true,
        extra,
        losses,
        ..Request::default()
    })
}

/// What refers to something that only the provider of this API has, or asks for what only it does.
fn only_here(body: &Value<'_>, losses: &mut Losses) -> Result<(), Error> {
    if body.get("previous_response_id").is_some() {
        let why = "the earlier answer is kept by another provider: send the whole conversation in `input`";
        losses.meaning("previous_response_id", why);
    }
    if body.get("conversation").is_some() {
        let why = "the conversation is kept by another provider: send all of it in `input`";
        losses.meaning("conversation", why);
    }
    if body.get("prompt").is_some() {
        let why = "the template is kept by another provider: send its text in `instructions` and `input`";
        losses.meaning("prompt", why);
    }
    if body.boolean("background")? == Some(true) {
        losses.meaning("background", "an answer that is fetched later: leave it out, or ask for a stream");
    }
    if body.string("truncation")?.is_some_and(|word| word != "disabled") {
        losses.hint("truncation", "a conversation that is too long is not shortened");
    }
    // Another API has a member of this name that says it otherwise.
    if body.get("context_management").is_some() {
        losses.hint("context_management", "a conversation that is too long is not shortened");
    }
    Ok(())
}

fn extra(body: &Value<'_>) -> Vec<(String, crate::json::Raw)> {
    let mut extra = Vec::new();
    for (name, value) in body.members() {
        // No other API keeps answers unless told to.
        let forgets = name.is("store") && value.truth() == Some(false);
        if !forgets && !value.is_null() && !KNOWN.iter().any(|known| name.is(known)) {
            extra.push((name.text().into_owned(), value.keep()));
        }
    }
    extra
}

/// Only the probabilities and what is encrypted, which is always given, have a meaning elsewhere.
fn logprobs(body: &Value<'_>) -> Result<bool, Error> {
    let mut found = false;
    for one in items(body, "include")? {
        let word = one.text().ok_or_else(|| one.wrong("a string"))?;
        found |= word == LOGPROBS;
    }
    Ok(found)
}

fn metadata(body: &Value<'_>) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = Vec::new();
    if let Some(given) = body.object("metadata")? {
        for (name, value) in given.members() {
            let text = value.text().map(Cow::into_owned).ok_or_else(|| value.wrong("a string"))?;
            pairs.push((name.text().into_owned(), text));
        }
    }
    Ok(pairs)
}

fn text(body: &Value<'_>) -> Result<(Option<Format>, Option<Verbosity>), Error> {
    let Some(text) = body.object("text")? else { return Ok((None, None)) };
    let verbosity = match text.string("verbosity")?.as_deref() {
        None => None,
        Some("low") => Some(Verbosity::Low),
        Some("medium") => Some(Verbosity::Medium),
        Some("high") => Some(Verbosity::High),
        Some(_) => return Err(text.at_member("verbosity", "must be low, medium or high")),
    };
    let Some(given) = text.object("format")? else { return Ok((None, verbosity)) };
    let format = match given.string("type")?.as_deref() {
        Some("text") => Format::Text,
        Some("json_object") => Format::JsonObject,
        Some("json_schema") => Format::JsonSchema {
            name: kept(&given, "name")?,
            description: kept(&given, "description")?,
            schema: object(&given.get("schema").ok_or_else(|| missing(&given, "schema"))?)?.keep(),
            strict: given.boolean("strict")?,
        },
        _ => return Err(given.at_member("type", "must be text, json_object or json_schema")),
    };
    Ok((Some(format), verbosity))
}

fn reasoning(body: &Value<'_>) -> Result<Option<Reasoning>, Error> {
    let Some(given) = body.object("reasoning")? else { return Ok(None) };
    let effort = match given.string("effort")?.as_deref() {
        None => None,
        Some("none") => Some(Effort::None),
        Some("minimal") => Some(Effort::Minimal),
        Some("low") => Some(Effort::Low),
        Some("medium") => Some(Effort::Medium),
        Some("high") => Some(Effort::High),
        Some("xhigh") => Some(Effort::XHigh),
        Some("max") => Some(Effort::Max),
        Some(_) => {
            return Err(given.at_member("effort", "must be none, minimal, low, medium, high, xhigh or max"));
        }
    };
    let display = match kept(&given, "summary")? {
        None => kept(&given, "generate_summary")?,
        display => display,
    };
    let found = Reasoning { effort, display, ..Reasoning::default() };
    Ok((found != Reasoning::default()).then_some(found))
}
