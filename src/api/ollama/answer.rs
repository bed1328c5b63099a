//! A provider's answer, read; whole, and what a stream's lines have in common with it.

use super::messages::{called, said};
use super::shared::error;
use super::time;
use crate::chat::{Answer, Choice, Finish, Part, Usage};
use crate::error::{Error, Kind};
use crate::json::{Raw, Tree, Value, raw};
use std::borrow::Cow;

pub(super) fn answer(body: &[u8]) -> Result<Answer, Error> {
    let mut tree = Tree::default();
    let body = tree.read(body).map_err(unreadable)?;
    let message = message(&body)?;
    let mut parts = Vec::new();
    said(&message, &mut parts).map_err(unreadable)?;
    let created = told(&body, "created_at");
    let ids = created.as_deref().unwrap_or_default().as_bytes();
    called(&message, ids, &mut 0, &mut parts).map_err(unreadable)?;
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let choice = Choice { parts, finish: Some(finish(&body, calls)), stop_sequence: None, logprobs: logprobs(&body) };
    Ok(Answer {
        model: told(&body, "model").unwrap_or_default().into_owned(),
        created: created.and_then(|text| time::read(&text)),
        choices: vec![choice],
        usage: usage(&body),
        ..Answer::default()
    })
}

/// The message of an answer or of a line. An error may stand in its place.
pub(super) fn message<'a>(body: &Value<'a>) -> Result<Value<'a>, Error> {
    match body.get("message").filter(Value::is_object) {
        _ if body.get("error").is_some() => Err(error::inside(&body.get("error").unwrap_or(*body))),
        Some(message) => Ok(message),
        None => Err(bad("the provider's answer has no message")),
    }
}

/// A string that says something.
pub(super) fn told<'a>(of: &Value<'a>, name: &str) -> Option<Cow<'a, str>> {
    of.get(name)?.text().filter(|text| !text.is_empty())
}

pub(super) fn bad(message: &str) -> Error {
    Error::provider(Kind::BadAnswer, message)
}

/// What a client's reader says, of what a provider wrote.
pub(super) fn unreadable(error: Error) -> Error {
    bad(&["the provider's answer cannot be read: ", &error.text()].concat())
}

pub(super) fn finish(body: &Value<'_>, called: bool) -> Finish {
    match told(body, "done_reason").as_deref() {
        Some("length") => Finish::Length,
        Some("content_filter") => Finish::Filtered,
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// `None`: nothing is said of it. The whole prompt may be absent where all of it was cached.
pub(super) fn usage(body: &Value<'_>) -> Option<Usage> {
    let count = |name: &str| body.get(name).and_then(|value| value.count());
    let (input, output) = (count("prompt_eval_count"), count("eval_count"));
    input.or(output)?;
    Some(Usage { input: input.unwrap_or_default(), output: output.unwrap_or_default(), ..Usage::default() })
}

/// In the usual form, whose entries are the same.
pub(super) fn logprobs(body: &Value<'_>) -> Option<Raw> {
    let all = body.get("logprobs").filter(|all| all.is_list() && !all.is_empty())?;
    Some(raw(["{\"content\":", all.raw(), "}"].concat()))
}
