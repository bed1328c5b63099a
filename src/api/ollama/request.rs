//! A client's request, read.

use super::messages::turns;
use super::shared::wire::{items, kept, object};
use crate::chat::{Effort, Format, Reasoning, Request, Tool};
use crate::error::Error;
use crate::json::{Value, quote, raw, write as put};

/// The members that are read: all others are `extra`.
const KNOWN: [&str; 9] =
    ["model", "messages", "tools", "format", "options", "stream", "think", "logprobs", "top_logprobs"];

/// The options that are read: all others are kept together as `options`.
const OPTIONS: [&str; 8] =
    ["num_predict", "temperature", "top_k", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty"];

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
    request.logprobs = body.boolean("logprobs")?;
    request.top_logprobs = body.unsigned("top_logprobs")?;
    request.format = format(body)?;
    request.reasoning = think(body)?;
    request.stream = body.boolean("stream")?.unwrap_or(true);
    for (name, value) in body.members() {
        if !value.is_null() && !KNOWN.iter().any(|known| name.is(known)) {
            request.extra.push((name.text().into_owned(), value.keep()));
        }
    }
    match body.object("options")? {
        Some(given) => options(&given, request),
        None => Ok(()),
    }
}

fn options(given: &Value<'_>, request: &mut Request) -> Result<(), Error> {
    // A negative number is no limit.
    let most = given.number("num_predict")?.and_then(|most| most.as_f64()).filter(|most| *most >= 0.0);
    request.max_tokens = most.map(|most| most as u64);
    let Request { temperature, top_p, top_k, seed, frequency_penalty, presence_penalty, .. } = request;
    for (name, into) in [
        ("temperature", temperature),
        ("top_p", top_p),
        ("top_k", top_k),
        ("seed", &mut *seed),
        ("frequency_penalty", frequency_penalty),
        ("presence_penalty", presence_penalty),
    ] {
        *into = given.number(name)?;
    }
    // A negative seed is none.
    if seed.as_ref().is_some_and(|seed| seed.get().starts_with('-')) {
        *seed = None;
    }
    match given.get("stop") {
        Some(one) if one.is_text() => request.stop.extend(one.text().map(|text| text.into_owned())),
        _ => {
            for one in items(given, "stop")? {
                request.stop.push(one.text().ok_or_else(|| one.wrong("a string"))?.into_owned());
            }
        }
    }
    let mut rest = b"{".to_vec();
    for (name, value) in given.members() {
        if !value.is_null() && !OPTIONS.iter().any(|known| name.is(known)) {
            put::comma(&mut rest);
            quote(&mut rest, &name.text());
            rest.push(b':');
            rest.extend_from_slice(value.raw().as_bytes());
        }
    }
    rest.push(b'}');
    if rest.len() > 2 {
        request.extra.push(("options".to_owned(), raw(String::from_utf8(rest).unwrap_or_default())));
    }
    Ok(())
}

fn tools(body: &Value<'_>, tools: &mut Vec<Tool>) -> Result<(), Error> {
    for one in items(body, "tools")? {
        let function = object(&one)?.object("function")?.ok_or_else(|| one.missing("function"))?;
        tools.push(Tool {
            name: function.need("name")?.into_owned(),
            description: kept(&function, "description")?,
            schema: function.get("parameters").map(|schema| schema.keep()),
            strict: None,
            cache: None,
            vendor: None,
        });
    }
    Ok(())
}

fn format(body: &Value<'_>) -> Result<Option<Format>, Error> {
    let Some(given) = body.get("format") else { return Ok(None) };
    Ok(match given.text().as_deref() {
        Some("") => None,
        Some("json") => Some(Format::JsonObject),
        None if given.is_object() => {
            Some(Format::JsonSchema { name: None, description: None, schema: given.keep(), strict: None })
        }
        _ => return Err(given.error("must be \"json\" or a JSON schema")),
    })
}

fn think(body: &Value<'_>) -> Result<Option<Reasoning>, Error> {
    let Some(given) = body.get("think") else { return Ok(None) };
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    Ok(Some(match (given.truth(), given.text().as_deref()) {
        (Some(true), _) => Reasoning { adaptive: true, ..Reasoning::default() },
        (Some(false), _) => effort(Effort::None),
        (_, Some("low")) => effort(Effort::Low),
        (_, Some("medium")) => effort(Effort::Medium),
        (_, Some("high")) => effort(Effort::High),
        (_, Some("max")) => effort(Effort::Max),
        _ => return Err(given.error("must be a boolean, low, medium, high or max")),
    }))
}
