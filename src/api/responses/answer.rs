//! A provider's answer, read; whole, and what a stream's events have in common with it.
//!
//! What a model wrote is read strictly; what is only told beside it counts as not said where it is of another type.

use super::error::inside;
use super::thinking;
use super::wire::{hash, id, items, kept, object};
use crate::chat::{Answer, Choice, Citation, Finish, Part, Raw, Usage};
use crate::error::{Error, Kind};
use crate::json::{Tree, Value, raw};
use std::borrow::Cow;

pub(super) fn answer(body: &[u8]) -> Result<Answer, Error> {
    let mut tree = Tree::default();
    let body = parse(&mut tree, body)?;
    if let Some(error) = failure(&body) {
        return Err(error);
    }
    if matches!(told(&body, "status").as_deref(), Some("queued" | "in_progress")) {
        return Err(bad("the provider has not answered yet"));
    }
    let Some(output) = body.list("output").map_err(unreadable)? else {
        return Err(bad("the provider's answer has no output"));
    };
    let mut choice = Choice::default();
    let (mut logprobs, mut signature) = (Vec::new(), None);
    for item in output.items() {
        read(&item, &mut choice.parts, &mut logprobs, &mut signature).map_err(unreadable)?;
    }
    let has = |what: fn(&Part) -> bool| choice.parts.iter().any(what);
    let called = has(|part| matches!(part, Part::ToolCall { .. }));
    let refused = has(|part| matches!(part, Part::Refusal { .. }));
    choice.finish = Some(finish(&body, called, refused));
    choice.logprobs = probabilities(&logprobs);
    Ok(Answer {
        id: told(&body, "id").unwrap_or_default().into_owned(),
        model: told(&body, "model").unwrap_or_default().into_owned(),
        created: created(&body),
        choices: vec![choice],
        usage: usage(&body),
        service_tier: told(&body, "service_tier").map(Cow::into_owned),
        system_fingerprint: None,
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
    bad(&["the provider's answer cannot be read: ", &*error.text()].concat())
}

pub(super) fn bad(message: &str) -> Error {
    Error::provider(Kind::BadAnswer, message)
}

/// A string that says something.
pub(super) fn told<'a>(of: &Value<'a>, name: &str) -> Option<Cow<'a, str>> {
    of.get(name)?.text().filter(|text| !text.is_empty())
}

pub(super) fn created(body: &Value<'_>) -> Option<u64> {
    // Some count fractions of a second.
    let seconds = body.get("created_at")?.raw();
    seconds.split('.').next().unwrap_or_default().parse().ok().filter(|seconds| *seconds > 0)
}

/// Why there is no answer, if there is none.
pub(super) fn failure(body: &Value<'_>) -> Option<Error> {
    if let Some(error) = body.get("error").filter(|e| e.is_object() || e.is_text()).filter(|e| !e.is_empty()) {
        return Some(inside(&error));
    }
    match told(body, "status").as_deref() {
        Some("failed") => Some(Error::provider(Kind::Provider, "the provider failed without saying why")),
        Some("cancelled") => Some(bad("the provider's answer was cancelled")),
        _ => None,
    }
}

/// What a model wrote: text, refusals, calls, thinking. Tools that the provider runs itself are not shown.
fn read<'a>(
    item: &Value<'a>,
    parts: &mut Vec<Part>,
    logprobs: &mut Vec<&'a str>,
    signature: &mut Option<String>,
) -> Result<(), Error> {
    match told(object(item)?, "type").as_deref() {
        Some("message") => {
            for part in items(item, "content")? {
                match told(object(&part)?, "type").as_deref() {
                    Some("output_text" | "text") => {
                        let text = kept(&part, "text")?.unwrap_or_default();
                        let citations = citations(&part);
                        if !text.is_empty() || !citations.is_empty() {
                            parts.push(Part::Text { text, citations, cache: None });
                        }
                        logprobs.extend(inner(&part));
                    }
                    Some("refusal") => parts.extend(kept(&part, "refusal")?.map(|text| Part::Refusal { text })),
                    _ => {}
                }
            }
        }
        Some("function_call") => parts.push(Part::ToolCall {
            id: call_id(item).into_owned(),
            name: kept(item, "name")?.unwrap_or_default(),
            arguments: arguments(item).into_owned(),
            signature: signature.take(),
            cache: None,
        }),
        Some("reasoning") => parts.extend(thinking::part(item, signature)),
        _ => {}
    }
    Ok(())
}

/// The id that the call's result will name; of a call without, one made of what it says.
pub(super) fn call_id<'a>(item: &Value<'a>) -> Cow<'a, str> {
    told(item, "call_id").or_else(|| told(item, "id")).unwrap_or_else(|| Cow::Owned(id("call_", hash(item.raw()))))
}

/// The arguments' text. A few vendors send the object itself.
pub(super) fn arguments<'a>(item: &Value<'a>) -> Cow<'a, str> {
    let Some(given) = item.get("arguments") else { return Cow::Borrowed("") };
    given.text().unwrap_or(Cow::Borrowed(given.raw()))
}

pub(super) fn citation(from: &Value<'_>) -> Option<Citation> {
    if !from.get("type").is_some_and(|kind| kind.is("url_citation")) {
        return None;
    }
    let text = |name: &str| from.get(name).and_then(|value| value.text()).map(Cow::into_owned);
    let place = |name: &str| from.get(name).and_then(|value| value.count());
    let span = place("start_index").zip(place("end_index")).filter(|(start, end)| start < end);
    Some(Citation { url: text("url"), title: text("title"), quote: None, span })
}

/// What a text rests on.
pub(super) fn citations(part: &Value<'_>) -> Vec<Citation> {
    let Some(all) = part.get("annotations") else { return Vec::new() };
    all.items().filter_map(|one| citation(&one)).collect()
}

/// The elements of `logprobs`, without the brackets.
fn inner<'a>(part: &Value<'a>) -> Option<&'a str> {
    let list = part.get("logprobs").filter(|all| all.is_list() && !all.is_empty())?;
    list.raw().strip_prefix('[')?.strip_suffix(']')
}

/// The probabilities in the form that Chat Completions gave them, which the neutral model has.
fn probabilities(lists: &[&str]) -> Option<Raw> {
    if lists.is_empty() {
        return None;
    }
    Some(raw([r#"{"content":["#, &lists.join(","), r#"],"refusal":null}"#].concat()))
}

pub(super) fn logprobs(event: &Value<'_>) -> Option<Raw> {
    probabilities(inner(event).as_slice())
}

/// `called`, `refused`: what the answer holds counts for more than that it is complete.
pub(super) fn finish(body: &Value<'_>, called: bool, refused: bool) -> Finish {
    let reason = body.at(&["incomplete_details", "reason"]).and_then(|reason| reason.text());
    match reason.as_deref() {
        Some("content_filter") => Finish::Filtered,
        Some(_) => Finish::Length,
        None if called => Finish::ToolCalls,
        None if refused => Finish::Refusal,
        None => Finish::Stop,
    }
}

/// `None`: nothing is said of it.
pub(super) fn usage(body: &Value<'_>) -> Option<Usage> {
    let from = body.get("usage").filter(Value::is_object)?;
    let count = |path: &[&str]| from.at(path).and_then(|value| value.count()).unwrap_or_default();
    Some(Usage {
        input: count(&["input_tokens"]),
        cached_input: count(&["input_tokens_details", "cached_tokens"]),
        cache_write: count(&["input_tokens_details", "cache_write_tokens"]),
        output: count(&["output_tokens"]),
        reasoning: count(&["output_tokens_details", "reasoning_tokens"]),
        ..Usage::default()
    })
}
