//! A request, read and written.

use super::wire::{kept, named};
use crate::api::{Target, Written};
use crate::chat::{Losses, Number, Part, Request, Role, Turn};
use crate::error::Error;
use crate::json::{Value, quote, write as put};

/// The members that are read: all others are `extra`.
const KNOWN: &[&str] = &[
    "model",
    "prompt",
    "echo",
    "best_of",
    "max_tokens",
    "stop",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "n",
    "logprobs",
    "logit_bias",
    "user",
    "stream",
    "stream_options",
];

pub(super) fn read(body: &Value<'_>) -> Result<Request, Error> {
    let mut losses = Losses::default();
    if body.string("suffix")?.is_some_and(|suffix| !suffix.is_empty()) {
        losses.meaning("suffix", "a chat model does not fill in what stands between two texts");
    }
    if body.boolean("echo")? == Some(true) {
        losses.meaning("echo", "a chat model does not repeat the prompt");
    }
    let n = body.unsigned("n")?;
    if body.unsigned("best_of")?.is_some_and(|best| best > n.unwrap_or(1)) {
        losses.meaning("best_of", "it does not choose the best of several answers");
    }
    let logprobs = body.unsigned("logprobs")?;
    let options = body.object("stream_options")?;
    let mut extra = Vec::new();
    for (name, value) in body.members() {
        if !value.is_null() && !KNOWN.iter().any(|known| name.is(known)) {
            extra.push((name.text().into_owned(), value.keep()));
        }
    }
    Ok(Request {
        model: named(body, "model")?,
        turns: vec![Turn { role: Role::User, name: None, parts: vec![Part::text(prompt(body)?)] }],
        max_tokens: body.unsigned("max_tokens")?,
        stop: stop(body)?,
        temperature: body.number("temperature")?,
        top_p: body.number("top_p")?,
        top_k: body.number("top_k")?,
        seed: body.number("seed")?,
        frequency_penalty: body.number("frequency_penalty")?,
        presence_penalty: body.number("presence_penalty")?,
        n,
        logprobs: logprobs.map(|_| true),
        top_logprobs: logprobs.filter(|most| *most > 0),
        logit_bias: body.object("logit_bias")?.map(|value| value.keep()),
        user: kept(body, "user")?,
        stream: body.boolean("stream")?.unwrap_or_default(),
        stream_usage: options.map(|o| o.boolean("include_usage")).transpose()?.flatten().unwrap_or_default(),
        extra,
        losses,
        ..Request::default()
    })
}

fn prompt(body: &Value<'_>) -> Result<String, Error> {
    let prompt = body.get("prompt").ok_or_else(|| body.missing("prompt"))?;
    let mut items = prompt.items();
    let text = match (prompt.text(), items.next()) {
        (Some(text), _) => text,
        (None, Some(first)) => {
            let ids = first.is_list() || first.count().is_some();
            if ids {
                return Err(
                    prompt.error("must be text: token ids are known to the provider of this API's own models only")
                );
            }
            let text = first.text().ok_or_else(|| first.wrong("a string"))?;
            if let Some(second) = items.next() {
                return Err(second.error("must not be: this model's provider answers one prompt at a time"));
            }
            text
        }
        (None, None) => return Err(prompt.wrong("a string or an array with one")),
    };
    Ok(text.into_owned())
}

fn stop(body: &Value<'_>) -> Result<Vec<String>, Error> {
    let Some(stop) = body.get("stop") else { return Ok(Vec::new()) };
    if let Some(one) = stop.text() {
        return Ok(vec![one.into_owned()]);
    }
    if !stop.is_list() {
        return Err(stop.wrong("a string or an array"));
    }
    stop.items().map(|one| one.text().map(Into::into).ok_or_else(|| one.wrong("a string"))).collect()
}

pub(super) fn write(request: &Request, target: &Target<'_>) -> Written {
    let mut losses = Losses::default();
    let mut prompt = String::new();
    for turn in &request.turns {
        if turn.role != Role::User || request.turns.len() > 1 {
            losses.meaning("messages", "it takes one text, not a conversation");
        }
        for part in &turn.parts {
            match part {
                Part::Text { text, .. } => prompt.push_str(text),
                _ => losses.meaning("content", "it takes text only"),
            }
        }
    }
    lose(request, &mut losses);
    let mut out = b"{".to_vec();
    put::text(&mut out, "model", target.model);
    put::text(&mut out, "prompt", &prompt);
    if let Some(most) = request.max_tokens {
        put::number(&mut out, "max_tokens", most);
    }
    if !request.stop.is_empty() {
        put::field(&mut out, "stop");
        out.push(b'[');
        for one in request.stop.iter().take(4) {
            put::comma(&mut out);
            quote(&mut out, one);
        }
        out.push(b']');
    }
    number(&mut out, "temperature", request.temperature.as_ref());
    number(&mut out, "top_p", request.top_p.as_ref());
    number(&mut out, "seed", request.seed.as_ref());
    number(&mut out, "frequency_penalty", request.frequency_penalty.as_ref());
    number(&mut out, "presence_penalty", request.presence_penalty.as_ref());
    if let Some(n) = request.n {
        put::number(&mut out, "n", n);
    }
    if let Some(bias) = &request.logit_bias {
        put::raw(&mut out, "logit_bias", bias.get());
    }
    if let Some(user) = &request.user {
        put::text(&mut out, "user", user);
    }
    if request.stream {
        put::flag(&mut out, "stream", true);
        if request.stream_usage || target.stream_usage {
            put::raw(&mut out, "stream_options", r#"{"include_usage":true}"#);
        }
    }
    out.push(b'}');
    Written { body: out, losses, ..Written::default() }
}

fn number(out: &mut Vec<u8>, name: &'static str, value: Option<&Number>) {
    if let Some(value) = value {
        put::raw(out, name, value.get());
    }
}

fn lose(request: &Request, losses: &mut Losses) {
    if !request.tools.is_empty() {
        losses.meaning("tools", "it has no tools");
    }
    if request.stop.len() > 4 {
        losses.meaning("stop", "it takes four stop sequences");
    }
    if request.logprobs == Some(true) {
        losses.meaning("logprobs", "it gives them in a form of its own");
    }
    if request.format.as_ref().is_some_and(|format| !matches!(format, crate::chat::Format::Text)) {
        losses.meaning("response_format", "its answers are plain text");
    }
    let hints = [
        (request.top_k.is_some(), "top_k"),
        (request.reasoning.is_some(), "reasoning"),
        (request.verbosity.is_some(), "verbosity"),
        (!request.metadata.is_empty(), "metadata"),
        (request.service_tier.is_some(), "service_tier"),
        (request.cache.is_some(), "cache_control"),
        (!request.extra.is_empty(), "extra"),
    ];
    for (_, name) in hints.into_iter().filter(|(there, _)| *there) {
        losses.hint(name, "it has no such member");
    }
}
