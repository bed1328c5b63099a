//! A provider's whole answer, read.

use super::{block, text_of, usage};
use crate::chat::{Answer, Choice, Finish};
use crate::error::{Error, Kind};
use crate::json::{Tree, Value};
use std::borrow::Cow;

pub(super) fn answer(body: &[u8]) -> Result<Answer, Error> {
    let mut tree = Tree::default();
    let Ok(answer) = tree.read(body) else { return Err(bad("it is not JSON")) };
    let message = message(answer)?;
    let content = message.get("content").filter(Value::is_list).ok_or_else(|| bad("it has no content"))?;
    let (parts, _) = block::list(content)
        .map_err(|error| bad(&[error.param.as_deref().unwrap_or("content"), ": ", &error.message].concat()))?;
    Ok(Answer {
        choices: vec![Choice {
            parts,
            finish: text_of(answer, "stopReason").map(|word| finish(&word)),
            stop_sequence: stop_sequence(answer).map(Cow::into_owned),
            logprobs: None,
        }],
        usage: usage::read(answer.get("usage")),
        service_tier: answer.at(&["serviceTier", "type"]).and_then(|tier| tier.text()).map(Cow::into_owned),
        ..Answer::default()
    })
}

/// What must be there for it to be an answer at all.
pub(super) fn message(answer: Value<'_>) -> Result<Value<'_>, Error> {
    match answer.at(&["output", "message"]) {
        Some(message) => Ok(message),
        None if answer.get("message").is_some_and(|message| message.is_text()) => {
            Err(super::errors::read(Kind::Provider.status(), Some(answer)))
        }
        None => Err(bad("it has no message")),
    }
}

/// Models that tell which sequence stopped them do so among their own fields, where they are asked for.
pub(super) fn stop_sequence(answer: Value<'_>) -> Option<Cow<'_, str>> {
    let own = answer.get("additionalModelResponseFields")?;
    text_of(own, "stop_sequence").or_else(|| text_of(own.get("delta")?, "stop_sequence"))
}

fn bad(what: &str) -> Error {
    Error::provider(Kind::BadAnswer, ["the provider's answer cannot be read: ", what].concat())
}

pub(super) fn finish(stop_reason: &str) -> Finish {
    match stop_reason {
        "max_tokens" => Finish::Length,
        "stop_sequence" => Finish::StopSequence,
        "tool_use" => Finish::ToolCalls,
        "guardrail_intervened" | "content_filtered" => Finish::Filtered,
        "model_context_window_exceeded" => Finish::ContextFull,
        // Also where the model wrote what could not be read: the text until then is all there is.
        _ => Finish::Stop,
    }
}

pub(super) fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Pause => "end_turn",
        Finish::StopSequence => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ContextFull => "model_context_window_exceeded",
        Finish::ToolCalls => "tool_use",
        Finish::Filtered | Finish::Refusal => "content_filtered",
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
