//! A provider's answer, read; whole, and what a stream's events have in common with it.

use super::errors;
use super::messages::said;
use super::wire::told;
use crate::chat::{Answer, Choice, Finish, Part, Usage};
use crate::error::{Error, Kind};
use crate::json::{Raw, Tree, Value, quote, raw, write as put};
use std::borrow::Cow;

pub(super) fn answer(body: &[u8]) -> Result<Answer, Error> {
    let mut tree = Tree::default();
    let body = tree.read(body).map_err(unreadable)?;
    let message = message(&body)?;
    let id = told(&body, "id").unwrap_or_default().into_owned();
    if let Some(error) = errors::failed(&body) {
        return Err(error);
    }
    let reason = told(&body, "finish_reason").unwrap_or_default();
    let mut parts = Vec::new();
    said(&message, Some(&id), &mut parts).map_err(unreadable)?;
    let called = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let choice = Choice {
        parts,
        finish: Some(finish(&reason, called)),
        stop_sequence: None,
        logprobs: body.get("logprobs").and_then(|all| logprobs(all.items())),
    };
    Ok(Answer { id, choices: vec![choice], usage: usage(&body), ..Answer::default() })
}

/// The answer's message. An error has words in its place.
pub(super) fn message<'a>(body: &Value<'a>) -> Result<Value<'a>, Error> {
    match body.get("message") {
        Some(message) if message.is_object() => Ok(message),
        Some(message) if message.is_text() => Err(errors::inside(body)),
        _ if body.get("error").is_some() => Err(errors::inside(body)),
        _ => Err(bad("the provider's answer has no message")),
    }
}

pub(super) fn bad(message: &str) -> Error {
    Error::provider(Kind::BadAnswer, message)
}

/// What a client's reader says, of what a provider wrote.
pub(super) fn unreadable(error: Error) -> Error {
    bad(&["the provider's answer cannot be read: ", &error.text()].concat())
}

pub(super) fn finish(reason: &str, called: bool) -> Finish {
    match reason {
        "MAX_TOKENS" => Finish::Length,
        "ERROR_LIMIT" => Finish::ContextFull,
        "ERROR_TOXIC" => Finish::Filtered,
        "TOOL_CALL" => Finish::ToolCalls,
        _ if called => Finish::ToolCalls,
        "STOP_SEQUENCE" => Finish::StopSequence,
        _ => Finish::Stop,
    }
}

/// `None`: nothing is said of it.
pub(super) fn usage(of: &Value<'_>) -> Option<Usage> {
    let from = of.get("usage")?;
    let count = |path: &[&str]| from.at(path).and_then(|value| value.count());
    let tokens = |name: &str| count(&["tokens", name]).or_else(|| count(&["billed_units", name]));
    let (input, output) = (tokens("input_tokens"), tokens("output_tokens"));
    input.or(output)?;
    let input = input.unwrap_or_default();
    Some(Usage {
        input,
        cached_input: count(&["cached_tokens"]).unwrap_or_default().min(input),
        output: output.unwrap_or_default(),
        ..Usage::default()
    })
}

/// A piece of text with the logarithms of its tokens: `text`, `logprobs`. All but the first of a piece's tokens have no
/// text of their own.
pub(super) fn logprobs<'a>(pieces: impl Iterator<Item = Value<'a>>) -> Option<Raw> {
    let mut out = b"{\"content\":[".to_vec();
    for piece in pieces {
        let mut text = told(&piece, "text").unwrap_or_default();
        for number in piece.get("logprobs").iter().flat_map(|all| all.items()) {
            put::comma(&mut out);
            out.extend_from_slice(b"{\"token\":");
            quote(&mut out, &std::mem::replace(&mut text, Cow::Borrowed("")));
            put::raw(&mut out, "logprob", number.raw());
            out.extend_from_slice(b",\"bytes\":null,\"top_logprobs\":[]}");
        }
    }
    if out.ends_with(b"[") {
        return None;
    }
    out.extend_from_slice(b"]}");
    String::from_utf8(out).ok().map(raw)
}
