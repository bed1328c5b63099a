//! Amazon Bedrock's Converse and ConverseStream: both sides of the wire format.
//!
//! What a request of another API loses on the way here is decided in `write.rs` (members), `conversation.rs` and
//! `parts.rs` (turns), `tools.rs` and `thinking.rs`, and listed in `docs/translation/bedrock.md`.

mod answer;
mod block;
mod conversation;
mod errors;
mod family;
mod parts;
mod read;
mod reader;
mod reply;
mod thinking;
mod tools;
mod usage;
mod watch;
mod write;
mod writer;

#[cfg(test)]
mod tests;

use super::shared;
use super::{Api, Asked, Bounds, Form, Line, Named, Operation, Seen, Spliced, Target, Verdict, Written, bound_within};
use crate::chat::{Answer, Request};
use crate::error::Error;
use crate::framing::{self, eventstream};
use crate::http::decoded;
use crate::json::{Edit, Tree, Value};
use std::borrow::Cow;

pub struct Converse;

const WHOLE: &str = "/converse";
const STREAM: &str = "/converse-stream";

impl Api for Converse {
    fn name(&self) -> &'static str {
        "bedrock"
    }

    fn operation(&self, line: &Line<'_>) -> Option<Operation> {
        if line.method != "POST" {
            return None;
        }
        let rest = line.path.strip_prefix("/model/")?;
        let (model, stream) = match (rest.strip_suffix(STREAM), rest.strip_suffix(WHOLE)) {
            (Some(model), _) => (model, true),
            (None, Some(model)) => (model, false),
            (None, None) => return None,
        };
        let named = Named { model: Some(decoded(model)), stream: Some(stream), form: Form::Usual };
        (!model.is_empty()).then_some(Operation::Chat(named))
    }

    fn read_request(&self, body: Value<'_>) -> Result<Request, Error> {
        read::request(body)
    }

    fn write_answer(&self, answer: &Answer, asked: &Asked) -> Vec<u8> {
        reply::answer(answer, asked)
    }

    fn writer(&self, asked: Asked) -> Box<dyn super::Writer> {
        Box::new(writer::Writer::new(asked))
    }

    fn stream_type(&self, _: Form) -> &'static str {
        eventstream::MEDIA_TYPE
    }

    fn write_error(&self, error: &Error) -> (u16, Vec<u8>) {
        errors::write(error)
    }

    fn write_models(&self, names: &[&str], _: u64) -> Vec<u8> {
        reply::models(names)
    }

    fn write_model(&self, name: &str, _: u64) -> Vec<u8> {
        reply::model(name)
    }

    fn base_path(&self) -> &'static str {
        ""
    }

    fn chat_path(&self, model: &str, stream: bool) -> Cow<'static, str> {
        let mut path = String::with_capacity(model.len().saturating_add(32));
        path.push_str("/model/");
        escape(&mut path, model);
        path.push_str(if stream { STREAM } else { WHOLE });
        Cow::Owned(path)
    }

    fn framing(&self) -> framing::Kind {
        framing::Kind::EventStream
    }

    fn write_request(&self, request: &Request, target: &Target<'_>) -> Written {
        write::request(request, target)
    }

    fn read_answer(&self, body: &[u8]) -> Result<Answer, Error> {
        answer::answer(body)
    }

    fn reader(&self) -> Box<dyn super::Reader> {
        Box::new(reader::Reader::default())
    }

    fn read_error(&self, status: u16, body: &[u8]) -> Error {
        errors::read(status, Tree::default().read(body).ok())
    }

    fn bounds(&self, body: Value<'_>) -> Bounds {
        let tokens = body.at(&["inferenceConfig", "maxTokens"]).and_then(|most| most.count());
        Bounds { tokens, answers: 1 }
    }

    fn bound(&self, body: Value<'_>, _: &str, tokens: u64) -> Edit {
        bound_within(body, "inferenceConfig", "maxTokens", tokens)
    }

    fn splice(&self, _: Value<'_>, _: &Target<'_>) -> Spliced {
        // The path names the model, and every stream states its usage.
        Spliced::default()
    }

    fn watch_answer(&self, body: &[u8], seen: &mut Seen) {
        watch::answer(body, seen);
    }

    fn watch_event(&self, name: &[u8], data: &[u8], _hide_usage: bool, seen: &mut Seen) -> Verdict {
        watch::event(name, data, seen);
        Verdict::Pass
    }
}

/// A string that a provider may leave out, or give as something else.
fn text_of<'a>(value: Value<'a>, name: &str) -> Option<Cow<'a, str>> {
    value.get(name)?.text()
}

/// Writes a model's id or ARN as one segment of a path: AWS's SDKs escape all but letters, digits and `-_.~`.
fn escape(out: &mut String, model: &str) {
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let digit = |d: u8| char::from_digit(u32::from(d), 16).unwrap_or_default().to_ascii_uppercase();
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}
