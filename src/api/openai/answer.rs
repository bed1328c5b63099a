//! A provider's answer, read; whole, and what a stream's chunks have in common with it.
//!
//! What a model wrote is read strictly; what is only told beside it counts as not said where it is of another type.

use super::messages::thoughts;
use super::wire::{hash, id, items, joined, kept, more, object, signature};
use crate::chat::{Answer, Choice, Citation, Finish, Part, Source, Usage};
use crate::error::{Error, Kind};
use crate::json::{Tree, Value, quote, write};
use std::borrow::Cow;

pub(super) fn answer(body: &[u8]) -> Result<Answer, Error> {
    let mut tree = Tree::default();
    let body = parse(&mut tree, body)?;
    if let Some(error) = error(&body) {
        return Err(error);
    }
    let Some(all) = choices(&body)? else { return Err(bad("the provider's answer has no choices")) };
    let id = told(&body, "id").unwrap_or_default().into_owned();
    let links = links(&body);
    let mut choices = Vec::new();
    for one in all.items() {
        if let Some(error) = error(&one) {
            return Err(error);
        }
        choices.push(choice(&one, hash(&id), &links).map_err(unreadable)?);
    }
    Ok(Answer {
        id,
        model: told(&body, "model").unwrap_or_default().into_owned(),
        created: created(&body),
        choices,
        usage: usage(&body),
        service_tier: told(&body, "service_tier").map(Cow::into_owned),
        system_fingerprint: told(&body, "system_fingerprint").map(Cow::into_owned),
    })
}

/// A body or an event's data.
pub(super) fn parse<'t>(tree: &'t mut Tree, body: &'t [u8]) -> Result<Value<'t>, Error> {
    let body = tree.read(body).map_err(unreadable)?;
    object(&body).map_err(unreadable)?;
    Ok(body)
}

/// What a client's reader says, of what a provider wrote.
pub(super) fn unreadable(error: Error) -> Error {
    let mut message = "the provider's answer cannot be read: ".to_owned();
    message.push_str(&error.text());
    bad(&message)
}

pub(super) fn bad(message: &str) -> Error {
    Error::provider(Kind::BadAnswer, message)
}

/// The error that the body or a choice holds. Some vendors always send the member.
pub(super) fn error(of: &Value<'_>) -> Option<Error> {
    let error = of.get("error").filter(|e| !matches!(e.raw(), "\"\"" | "false"))?;
    Some(super::error::inside(&error))
}

pub(super) fn choices<'a>(body: &Value<'a>) -> Result<Option<Value<'a>>, Error> {
    body.list("choices").map_err(unreadable)
}

/// A string that says something.
pub(super) fn told<'a>(of: &Value<'a>, name: &str) -> Option<Cow<'a, str>> {
    of.get(name)?.text().filter(|text| !text.is_empty())
}

pub(super) fn created(body: &Value<'_>) -> Option<u64> {
    body.get("created")?.count().filter(|seconds| *seconds > 0)
}

/// The number by which a choice or a call is told from others.
pub(super) fn index(of: &Value<'_>) -> Result<Option<u32>, Error> {
    let Some(index) = of.get("index") else { return Ok(None) };
    let number = index.count().and_then(|n| u32::try_from(n).ok());
    number.map(Some).ok_or_else(|| index.error("must be a small whole number"))
}

/// `answer` is the hash of its id.
fn choice(choice: &Value<'_>, answer: u64, links: &[Citation]) -> Result<Choice, Error> {
    let index = index(object(choice)?)?.unwrap_or_default();
    let message = choice.object("message")?.or(choice.object("delta")?);
    // Without a message: the choice has none of its members.
    let said = &message.unwrap_or(*choice);
    let mut parts = Vec::new();
    thoughts(said, &mut parts)?;
    content(said, &mut parts)?;
    if let Some(Part::Text { citations: all, .. }) = parts.iter_mut().find(|p| matches!(p, Part::Text { .. })) {
        *all = citations(said);
        if all.is_empty() {
            all.extend_from_slice(links);
        }
    }
    let refusal = kept(said, "refusal")?.filter(|r| !r.is_empty());
    let refused = refusal.is_some();
    parts.extend(refusal.map(|text| Part::Refusal { text }));
    if let Some(images) = said.get("images") {
        for url in images.items().filter_map(|image| image.at(&["image_url", "url"])?.text()) {
            parts.push(Part::Image { source: Source::at(&url), detail: None, cache: None });
        }
    }
    if let Some(audio) = said.get("audio") {
        parts.push(Part::Other { kind: "audio".to_owned(), raw: audio.keep() });
    }
    let before = parts.len();
    for (n, call) in items(said, "tool_calls")?.enumerate() {
        let id = kept(object(&call)?, "id")?.filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| made_id(answer, index, n));
        if let Some(function) = call.object("function")? {
            parts.push(called(id, &function, signature(&call).map(Cow::into_owned))?);
        } else if let Some(custom) = call.object("custom")? {
            let name = kept(&custom, "name")?.unwrap_or_default();
            parts.push(Part::ToolCall { id, name, arguments: input(&custom)?, signature: None, cache: None });
        }
    }
    if parts.len() == before
        // Some give an empty one with every answer.
        && let Some(function) = said.object("function_call")?.filter(|call| !call.get("name").is_none_or(|n| n.is_empty()))
    {
        parts.push(called(made_id(answer, index, 0), &function, None)?);
    }
    // Some give no reason, or an empty one.
    let reason = told(choice, "finish_reason").unwrap_or_default();
    Ok(Choice {
        finish: Some(finish(&reason, parts.len() > before, refused)),
        parts,
        stop_sequence: None,
        logprobs: logprobs(choice).map(|value| value.keep()),
    })
}

/// Some send the member with nothing in it.
pub(super) fn logprobs<'a>(choice: &Value<'a>) -> Option<Value<'a>> {
    choice.get("logprobs").filter(|value| value.raw().contains('['))
}

/// A list is of a vendor that answers in pieces.
fn content(said: &Value<'_>, parts: &mut Vec<Part>) -> Result<(), Error> {
    let Some(content) = said.get("content") else { return Ok(()) };
    if let Some(text) = content.text() {
        if !text.is_empty() {
            parts.push(Part::text(text));
        }
        return Ok(());
    }
    if !content.is_list() {
        return Err(content.wrong("a string or an array"));
    }
    for piece in content.items() {
        if let Some(thinking) = object(&piece)?.get("thinking") {
            parts.push(Part::Thinking { text: joined(&thinking)?.into_owned(), signature: kept(&piece, "signature")? });
        } else if let Some(text) = kept(&piece, "text")?.filter(|text| !text.is_empty()) {
            parts.push(Part::text(text));
        } else if let Some(text) = kept(&piece, "refusal")? {
            parts.push(Part::Refusal { text });
        }
    }
    Ok(())
}

fn called(id: String, function: &Value<'_>, signature: Option<String>) -> Result<Part, Error> {
    let name = kept(function, "name")?.unwrap_or_default();
    Ok(Part::ToolCall { id, name, arguments: arguments(function).into_owned(), signature, cache: None })
}

/// The arguments' text. A few vendors send the object itself.
pub(super) fn arguments<'a>(function: &Value<'a>) -> Cow<'a, str> {
    let Some(given) = function.get("arguments") else { return Cow::Borrowed("") };
    given.text().unwrap_or(Cow::Borrowed(given.raw()))
}

/// A custom tool's input is any text; elsewhere arguments are an object.
fn input(custom: &Value<'_>) -> Result<String, Error> {
    let mut out = b"{\"input\":".to_vec();
    quote(&mut out, &custom.string("input")?.unwrap_or_default());
    out.push(b'}');
    Ok(String::from_utf8(out).unwrap_or_default())
}

/// An id for a call that has none, the same however often the answer is read. `answer` is the hash of the answer's id.
pub(super) fn made_id(answer: u64, choice: u32, call: usize) -> String {
    let mut text = Vec::with_capacity(32);
    write::digits(&mut text, answer);
    text.push(0xff);
    write::digits(&mut text, u64::from(choice));
    text.push(0xff);
    write::digits(&mut text, call as u64);
    id("call_", more(&text))
}

/// `called`, `refused`: what the answer holds counts for more than the reason given. A named tool's call ends with `stop`.
pub(super) fn finish(reason: &str, called: bool, refused: bool) -> Finish {
    match reason {
        "length" | "max_tokens" | "insufficient_system_resource" => Finish::Length,
        "model_length" => Finish::ContextFull,
        "content_filter" => Finish::Filtered,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        _ if called => Finish::ToolCalls,
        _ if refused => Finish::Refusal,
        _ => Finish::Stop,
    }
}

/// The citations that a message carries, or what a chunk adds to one.
pub(super) fn citations(said: &Value<'_>) -> Vec<Citation> {
    let mut all = Vec::new();
    if let Some(annotations) = said.get("annotations") {
        for from in annotations.items().filter_map(|annotation| annotation.get("url_citation")) {
            let text = |name: &str| from.get(name).and_then(|value| value.text()).map(Cow::into_owned);
            let place = |name: &str| from.get(name).and_then(|value| value.count());
            let span = place("start_index").zip(place("end_index")).filter(|(start, end)| start < end);
            all.push(Citation { url: text("url"), title: text("title"), quote: text("content"), span });
        }
    }
    all
}

/// A list of links beside the choices, as search engines with this API give.
pub(super) fn links(body: &Value<'_>) -> Vec<Citation> {
    let mut all = Vec::new();
    if let Some(links) = body.get("citations") {
        for url in links.items().filter_map(|link| link.text()) {
            all.push(Citation { url: Some(url.into_owned()), ..Citation::default() });
        }
    }
    all
}

/// `None`: nothing is said of it.
pub(super) fn usage(body: &Value<'_>) -> Option<Usage> {
    let counted = |usage: &Value<'_>| usage.get("prompt_tokens").or_else(|| usage.get("completion_tokens")).is_some();
    // The second is a vendor's own, in streams.
    let from = body.get("usage").filter(counted).or_else(|| body.at(&["x_groq", "usage"]).filter(counted))?;
    // What is no count counts as nothing.
    let of = |of: &Value<'_>, name: &str| of.get(name).map(|value| value.count().unwrap_or_default());
    let count = |name: &str| of(&from, name);
    let (of_prompt, of_completion) = (from.get("prompt_tokens_details"), from.get("completion_tokens_details"));
    let prompt = |name: &str| of_prompt.and_then(|details| of(&details, name));
    let completion = |name: &str| of_completion.and_then(|details| of(&details, name)).unwrap_or_default();
    let input = count("prompt_tokens").unwrap_or_default();
    // Some count reasoning in the total only.
    let total = count("total_tokens").unwrap_or_default();
    let cached = prompt("cached_tokens").or_else(|| count("prompt_cache_hit_tokens"));
    let cached = cached.or_else(|| count("cached_tokens")).or_else(|| count("num_cached_tokens"));
    Some(Usage {
        input,
        cached_input: cached.unwrap_or_default(),
        cache_write: prompt("cache_write_tokens").unwrap_or_default(),
        output: count("completion_tokens").unwrap_or_default().max(total.saturating_sub(input)),
        reasoning: completion("reasoning_tokens"),
        audio_input: prompt("audio_tokens").unwrap_or_default(),
        audio_output: completion("audio_tokens"),
        image_input: prompt("image_tokens").unwrap_or_default(),
        image_output: completion("image_tokens"),
    })
}
