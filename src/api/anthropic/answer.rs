//! A provider's whole answer, read.

use super::block;
use super::errors;
use super::shape::{At, Is, Map};
use super::usage::{Tier, Usage};
use crate::chat::{Answer, Choice, Finish, Part};
use crate::error::{Error, Kind};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    model: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Is<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    stop_reason: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    stop_sequence: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    stop_details: Is<Map<StopDetails<'a>>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// Why a model declined.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct StopDetails<'a> {
    #[serde(borrow, default)]
    pub(super) explanation: Is<Cow<'a, str>>,
}

pub(super) fn answer(body: &[u8]) -> Result<Answer, Error> {
    let message: Map<Message<'_>> = match serde_json::from_slice(body) {
        Ok(Is::Given(message)) => message,
        Ok(_) => return Err(bad("it is not an object")),
        Err(_) => return Err(bad("it is not JSON")),
    };
    let Map(message) = message;
    match message.kind.ok().as_deref() {
        Some("error") => return Err(errors::in_answer(body)),
        _ if message.error.is_some() => return Err(errors::in_answer(body)),
        None | Some("message") => {}
        Some(_) => return Err(bad("it is not a message")),
    }
    let blocks = match message.content {
        Is::Given(blocks) => blocks,
        _ => return Err(bad("it has no content")),
    };
    let at = At::top("content");
    let mut parts = Vec::with_capacity(blocks.len());
    for (i, raw) in blocks.iter().enumerate() {
        let at = at.index(i);
        parts
            .push(block::part(raw, at).map_err(|error| {
                bad(&format!("{}: {}", error.param.as_deref().unwrap_or("content"), error.message))
            })?);
    }
    if let Some(text) = message.stop_details.ok().and_then(|Map(details)| details.explanation.ok()) {
        parts.push(Part::Refusal { text: text.into_owned() });
    }
    let usage = message.usage.and_then(|raw| serde_json::from_str::<Usage>(raw.get()).ok());
    let tier = message.usage.and_then(|raw| serde_json::from_str::<Tier<'_>>(raw.get()).ok());
    Ok(Answer {
        id: message.id.ok().unwrap_or_default().into_owned(),
        model: message.model.ok().unwrap_or_default().into_owned(),
        created: None,
        choices: vec![Choice {
            parts,
            finish: message.stop_reason.ok().map(|word| finish(&word)),
            stop_sequence: message.stop_sequence.ok().map(Cow::into_owned),
            logprobs: None,
        }],
        usage: usage.map(|usage| usage.after(None)),
        service_tier: tier.and_then(|tier| tier.service_tier.ok()).map(Cow::into_owned),
        system_fingerprint: None,
    })
}

fn bad(what: &str) -> Error {
    Error::provider(Kind::BadAnswer, format!("the provider's answer cannot be read: {what}"))
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
