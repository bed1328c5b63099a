//! OpenAI Chat Completions, as its clients write it and as the many providers that speak it really answer.

mod answer;
mod messages;
mod reader;
mod request;
mod watch;
mod whole;
mod write;
mod write_answer;
mod write_messages;
mod writer;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_errors;

use super::shared::{error, models, plain, wire};
use super::{
    Api, Asked, Bounds, Form, Line, Named, Operation, Reader, Seen, Spliced, Target, Verdict, Writer, Written, count,
};
use crate::chat::{Answer, Request};
use crate::error::Error;
use crate::http::decoded;
use crate::json::{Edit, Value};
use std::borrow::Cow;

pub struct OpenAi;

/// The members that a request which is nothing but text may have.
const PLAIN: [&str; 15] = [
    "model",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stream",
    "stream_options",
    "stop",
    "n",
    "seed",
    "user",
    "metadata",
    "frequency_penalty",
    "presence_penalty",
];

impl Api for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn operation(&self, line: &Line<'_>) -> Option<Operation> {
        let (path, form) = below(line.path)?;
        match (line.method, path) {
            ("POST", "chat/completions") => Some(Operation::Chat(Named { form, ..Named::default() })),
            ("GET" | "HEAD", "models") => Some(Operation::ListModels),
            ("GET" | "HEAD", path) => {
                let model = path.strip_prefix("models/").filter(|m| !m.is_empty())?;
                Some(Operation::Model(decoded(model)))
            }
            _ => None,
        }
    }

    fn read_request(&self, body: Value<'_>) -> Result<Request, Error> {
        request::request(&body)
    }

    fn write_answer(&self, answer: &Answer, asked: &Asked) -> Vec<u8> {
        write_answer::answer(answer, asked)
    }

    fn writer(&self, asked: Asked) -> Box<dyn Writer> {
        match asked.form {
            Form::WholeCalls => Box::new(whole::Writer::new(asked)),
            Form::Usual | Form::Array => Box::new(writer::Writer::new(asked)),
        }
    }

    fn write_error(&self, error: &Error) -> (u16, Vec<u8>) {
        error::write(error)
    }

    fn write_models(&self, names: &[&str], created: u64) -> Vec<u8> {
        models::list(names, created)
    }

    fn write_model(&self, name: &str, created: u64) -> Vec<u8> {
        models::one(name, created)
    }

    fn chat_path(&self, _: &str, _: bool) -> Cow<'static, str> {
        Cow::Borrowed("/chat/completions")
    }

    fn write_request(&self, request: &Request, target: &Target<'_>) -> Written {
        write::request(request, target)
    }

    fn bounds(&self, body: Value<'_>) -> Bounds {
        // With both, most believe the newer one; a few the other.
        let tokens = count(body, "max_completion_tokens").max(count(body, "max_tokens"));
        Bounds { tokens, answers: count(body, "n").unwrap_or(1).max(1) }
    }

    fn plain_turns(&self, body: Value<'_>) -> Option<u64> {
        // What is no count to the gateway may be one to a server: reading the request refuses it.
        let counted = |name: &&str| body.get(name).is_none_or(|number| number.count().is_some());
        let known = ["n", "max_tokens", "max_completion_tokens"].iter().all(counted);
        known.then(|| plain::turns(body, &PLAIN, &["role", "content", "name"])).flatten()
    }

    fn bound(&self, body: Value<'_>, model: &str, tokens: u64) -> Edit {
        let newer = write::reasons(model) || body.get("max_completion_tokens").is_some();
        body.set(if newer { "max_completion_tokens" } else { "max_tokens" }, tokens.to_string())
    }

    fn read_answer(&self, body: &[u8]) -> Result<Answer, Error> {
        answer::answer(body)
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(reader::Reader::default())
    }

    fn read_error(&self, status: u16, body: &[u8]) -> Error {
        error::read(status, body)
    }

    fn splice(&self, body: Value<'_>, target: &Target<'_>) -> Spliced {
        watch::splice(&body, target)
    }

    fn reform(&self, body: Value<'_>, form: Form) -> Vec<Edit> {
        match form {
            Form::WholeCalls => watch::unprefixed(body),
            Form::Usual | Form::Array => Vec::new(),
        }
    }

    fn watch_answer(&self, body: &[u8], seen: &mut Seen) {
        watch::answer(body, seen);
    }

    fn watch_event(&self, name: &[u8], data: &[u8], hide_usage: bool, seen: &mut Seen) -> Verdict {
        watch::event(name, data, hide_usage, seen)
    }
}

/// A client's path below the API's base, and the form of its streams. Mistral's SDKs take no piece of a tool call: they
/// come by a base of their own, for nothing else in a request tells them from OpenAI's.
pub fn below(path: &str) -> Option<(&str, Form)> {
    match path.strip_prefix("/mistral/v1/") {
        Some(below) => Some((below, Form::WholeCalls)),
        None => path.strip_prefix("/v1/").map(|below| (below, Form::Usual)),
    }
}
