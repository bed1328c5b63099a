//! A provider's whole answer, read.

use super::{block, errors, text_of, usage};
use crate::chat::{Answer, Choice, Finish, Part};
use crate::error::{Error, Kind};
use crate::json::{Tree, Value};
use std::borrow::Cow;

pub(super) fn answer(body: &[u8]) -> Result<Answer, Error> {
    let mut tree = Tree::default();
    let Ok(message) = tree.read(body) else { return Err(bad("it is not JSON")) };
    if !message.is_object() {
        return Err(bad("it is not an object"));
    }
    match text_of(message, "type").as_deref() {
        Some("error") => return Err(errors::in_answer(Some(message))),
        _ if message.get("error").is_some() => return Err(errors::in_answer(Some(message))),
        None | Some("message") => {}
        Some(_) => return Err(bad("it is not a message")),
    }
    let Some(content) = message.get("content").filter(Value::is_list) else { return Err(bad("it has no content")) };
    let mut parts = block::list(content)
        .map_err(|error| bad(&[error.param.as_deref().unwrap_or("content"), ": ", &error.message].concat()))?;
    if let Some(text) = explanation(message) {
        parts.push(Part::Refusal { text: text.into_owned() });
    }
    let owned = |name: &str| text_of(message, name).map(Cow::into_owned);
    let usage = message.get("usage");
    Ok(Answer {
        id: owned("id").unwrap_or_default(),
        model: owned("model").unwrap_or_default(),
        created: None,
        choices: vec![Choice {
            parts,
            finish: text_of(message, "stop_reason").map(|word| finish(&word)),
            stop_sequence: owned("stop_sequence"),
            logprobs: None,
        }],
        usage: usage::read(usage, None),
        service_tier: usage::tier(usage).map(Cow::into_owned),
        system_fingerprint: None,
    })
}

/// Why a model declined.
pub(super) fn explanation(stop: Value<'_>) -> Option<Cow<'_, str>> {
    text_of(stop.get("stop_details")?, "explanation")
}

fn bad(what: &str) -> Error {
    Error::provider(Kind::BadAnswer, ["the provider's answer cannot be read: ", what].concat())
}

pub(super) fn finish(stop_reason: &str) -> Finish {
    match stop_reason {
        "max_tokens" => Finish::Length,
        "stop_sequence" => Finish::StopSequence,
        "tool_use" => Finish::ToolCalls,
        // Both wait for the conversation to be sent back.
        "pause_turn" | "compaction" => Finish::Pause,
        "refusal" => Finish::Refusal,
        "model_context_window_exceeded" => Finish::ContextFull,
        _ => Finish::Stop,
    }
}

pub(super) fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::StopSequence => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ContextFull => "model_context_window_exceeded",
        Finish::ToolCalls => "tool_use",
        Finish::Filtered | Finish::Refusal => "refusal",
        Finish::Pause => "pause_turn",
    }
}

/// The stop reason that fits the content: clients act on `tool_use`, and some providers say `stop` with calls.
pub(super) fn fitting(finish: Option<Finish>, calls: bool) -> Finish {
    match finish {
        None | Some(Finish::Stop | Finish::ToolCalls) if calls => Finish::ToolCalls,
        None | Some(Finish::ToolCalls) => Finish::Stop,
        Some(other) => other,
    }
}
