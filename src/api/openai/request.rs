//! A client's request, read.

use super::messages::turns;
use super::wire::{items, kept, missing, named, object};
use crate::chat::{Effort, Format, Reasoning, Request, Tool, ToolChoice, Verbosity};
use crate::error::Error;
use crate::json::{Raw, Value};
use std::borrow::Cow;

/// The members that are read: all others are `extra`.
const KNOWN: [&str; 31] = [
    "model",
    "messages",
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "parallel_tool_calls",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "n",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "response_format",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "verbosity",
    "user",
    "metadata",
    "service_tier",
    "stream",
    "stream_options",
    "cache_control",
];

pub(super) fn request(body: &Value<'_>) -> Result<Request, Error> {
    let model = named(body, "model")?;
    let turns = turns(body)?;
    let choice = body.get("tool_choice").or_else(|| body.get("function_call"));
    let most = body.unsigned("max_tokens")?;
    let options = body.object("stream_options")?;
    Ok(Request {
        model,
        turns,
        tools: tools(body)?,
        tool_choice: choice.as_ref().map(tool_choice).transpose()?,
        parallel_tools: body.boolean("parallel_tool_calls")?,
        // With both, a target of this API may believe either.
        max_tokens: body.unsigned("max_completion_tokens")?.max(most),
        stop: stop(body)?,
        temperature: body.number("temperature")?,
        top_p: body.number("top_p")?,
        top_k: body.number("top_k")?,
        seed: body.number("seed")?,
        frequency_penalty: body.number("frequency_penalty")?,
        presence_penalty: body.number("presence_penalty")?,
        n: body.unsigned("n")?,
        logprobs: body.boolean("logprobs")?,
        top_logprobs: body.unsigned("top_logprobs")?,
        logit_bias: raw(body, "logit_bias"),
        format: format(body)?,
        reasoning: reasoning(body)?,
        verbosity: match body.string("verbosity")?.as_deref() {
            None => None,
            Some("low") => Some(Verbosity::Low),
            Some("medium") => Some(Verbosity::Medium),
            Some("high") => Some(Verbosity::High),
            Some(_) => return Err(body.at_member("verbosity", "must be low, medium or high")),
        },
        user: kept(body, "user")?,
        metadata: metadata(body)?,
        service_tier: kept(body, "service_tier")?,
        cache: raw(body, "cache_control"),
        stream: body.boolean("stream")?.unwrap_or_default(),
        stream_usage: options.map(|o| o.boolean("include_usage")).transpose()?.flatten().unwrap_or_default(),
        extra: extra(body),
        ..Request::default()
    })
}

fn raw(of: &Value<'_>, name: &str) -> Option<Raw> {
    of.get(name).map(|value| value.keep())
}

fn extra(body: &Value<'_>) -> Vec<(String, Raw)> {
    let mut extra = Vec::new();
    for (name, value) in body.members() {
        if !value.is_null() && !KNOWN.iter().any(|known| name.is(known)) {
            extra.push((name.text().into_owned(), value.keep()));
        }
    }
    extra
}

fn stop(body: &Value<'_>) -> Result<Vec<String>, Error> {
    let Some(stop) = body.get("stop") else { return Ok(Vec::new()) };
    if let Some(one) = stop.text() {
        return Ok(vec![one.into_owned()]);
    }
    if !stop.is_list() {
        return Err(stop.wrong("a string or an array"));
    }
    let mut all = Vec::new();
    for one in stop.items() {
        all.push(text(&one)?);
    }
    Ok(all)
}

fn metadata(body: &Value<'_>) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = Vec::new();
    if let Some(given) = body.object("metadata")? {
        for (name, value) in given.members() {
            pairs.push((name.text().into_owned(), text(&value)?));
        }
    }
    Ok(pairs)
}

fn text(value: &Value<'_>) -> Result<String, Error> {
    value.text().map(Cow::into_owned).ok_or_else(|| value.wrong("a string"))
}

fn tools(body: &Value<'_>) -> Result<Vec<Tool>, Error> {
    let mut tools = Vec::new();
    for one in items(body, "tools")? {
        let kind = object(&one)?.string("type")?;
        let cache = raw(&one, "cache_control");
        tools.push(match (one.object("function")?, kind) {
            (Some(function), _) => tool(&function, cache)?,
            // A tool that only its own vendor knows is kept whole.
            (None, Some(kind)) if kind != "function" => Tool {
                name: String::new(),
                description: None,
                schema: Some(one.keep()),
                strict: None,
                cache,
                vendor: Some(kind.into_owned()),
            },
            _ => return Err(missing(&one, "function")),
        });
    }
    for function in items(body, "functions")? {
        tools.push(tool(object(&function)?, None)?);
    }
    Ok(tools)
}

fn tool(function: &Value<'_>, cache: Option<Raw>) -> Result<Tool, Error> {
    Ok(Tool {
        name: named(function, "name")?,
        description: kept(function, "description")?,
        schema: raw(function, "parameters"),
        strict: function.boolean("strict")?,
        cache,
        vendor: None,
    })
}

fn tool_choice(given: &Value<'_>) -> Result<ToolChoice, Error> {
    if let Some(word) = given.text() {
        let unknown = "must be none, auto, required or an object that names a tool";
        return mode(&word).ok_or_else(|| given.error(unknown));
    }
    if !given.is_object() {
        return Err(given.wrong("a string or an object"));
    }
    if let Some(allowed) = given.object("allowed_tools")? {
        let mut names = Vec::new();
        for tool in items(&allowed, "tools")? {
            names.extend(chosen(object(&tool)?)?);
        }
        let required = allowed.string("mode")?.as_deref() == Some("required");
        return Ok(ToolChoice::Allowed { names, required });
    }
    if let Some(mode) = given.string("type")?.as_deref().and_then(mode) {
        return Ok(mode);
    }
    chosen(given)?.map(ToolChoice::Named).ok_or_else(|| given.error("names no tool"))
}

fn mode(word: &str) -> Option<ToolChoice> {
    Some(match word {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "required" | "any" => ToolChoice::Required,
        _ => return None,
    })
}

fn chosen(choice: &Value<'_>) -> Result<Option<String>, Error> {
    if let Some(inner) = choice.object("function")?.or(choice.object("custom")?)
        && let Some(name) = kept(&inner, "name")?
    {
        return Ok(Some(name));
    }
    kept(choice, "name")
}

fn format(body: &Value<'_>) -> Result<Option<Format>, Error> {
    let Some(given) = body.object("response_format")? else { return Ok(None) };
    Ok(Some(match given.string("type")?.as_deref() {
        Some("text") => Format::Text,
        Some("json_object") => Format::JsonObject,
        Some("json_schema") => {
            let within = given.object("json_schema")?.ok_or_else(|| missing(&given, "json_schema.schema"))?;
            Format::JsonSchema {
                name: kept(&within, "name")?,
                description: kept(&within, "description")?,
                schema: raw(&within, "schema").ok_or_else(|| missing(&within, "schema"))?,
                strict: within.boolean("strict")?,
            }
        }
        _ => return Err(given.at_member("type", "must be text, json_object or json_schema")),
    }))
}

/// `reasoning_effort` is this API's; `reasoning` and `thinking` are what aggregators and vendors added.
fn reasoning(body: &Value<'_>) -> Result<Option<Reasoning>, Error> {
    let mut found = Reasoning::default();
    if let Some(given) = body.object("thinking")? {
        let budget = given.unsigned("budget_tokens")?;
        match given.string("type")?.as_deref() {
            Some("disabled") => found.effort = Some(Effort::None),
            Some("enabled") if budget.is_some() => found.budget = budget,
            Some("enabled" | "adaptive" | "auto") => found.adaptive = true,
            Some(_) => return Err(given.at_member("type", "must be enabled, disabled or adaptive")),
            None => found.budget = budget,
        }
    }
    if let Some(given) = body.object("reasoning")? {
        found.effort = effort(&given, "effort", found.effort)?;
        found.budget = given.unsigned("max_tokens")?.or(found.budget);
        match given.boolean("enabled")? {
            Some(false) => found.effort = Some(Effort::None),
            Some(true) if found.effort.is_none() && found.budget.is_none() => found.adaptive = true,
            _ => {}
        }
        if given.boolean("exclude")? == Some(true) {
            found.display = Some("omitted".to_owned());
        }
    }
    found.effort = effort(body, "reasoning_effort", found.effort)?;
    Ok((found != Reasoning::default()).then_some(found))
}

/// `before`: where it is not given.
fn effort(of: &Value<'_>, name: &str, before: Option<Effort>) -> Result<Option<Effort>, Error> {
    Ok(Some(match of.string(name)?.as_deref() {
        None => return Ok(before),
        Some("none") => Effort::None,
        Some("minimal") => Effort::Minimal,
        Some("low") => Effort::Low,
        Some("medium") => Effort::Medium,
        Some("high") => Effort::High,
        Some("xhigh") => Effort::XHigh,
        Some("max") => Effort::Max,
        Some("default") => return Ok(None),
        Some(_) => return Err(of.at_member(name, "must be none, minimal, low, medium, high, xhigh or max")),
    }))
}
