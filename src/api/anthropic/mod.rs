//! Anthropic Messages: both sides of the wire format.
//!
//! What a request of another API loses on the way here is decided in `write.rs` (members), `conversation.rs` and
//! `parts.rs` (turns), `tools.rs` and `thinking.rs`, and listed in `docs/translation.md`.

mod answer;
mod block;
mod conversation;
mod errors;
mod parts;
mod read;
mod reader;
mod reply;
mod splice;
mod thinking;
mod tools;
mod usage;
mod watch;
mod write;
mod writer;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_write;

use super::shared::{self, plain};
use super::{Api, Asked, Line, Named, Operation, Seen, Spliced, Target, Verdict, Written};
use crate::chat::{Answer, Request};
use crate::error::Error;
use crate::http::decoded;
use crate::json::{Tree, Value};
use std::borrow::Cow;

pub struct Anthropic;

/// The members that a request which is nothing but text may have.
const PLAIN: [&str; 10] = [
    "model",
    "messages",
    "max_tokens",
    "system",
    "temperature",
    "top_p",
    "top_k",
    "stream",
    "stop_sequences",
    "metadata",
];

impl Api for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn operation(&self, line: &Line<'_>) -> Option<Operation> {
        match (line.method, line.path) {
            ("POST", "/v1/messages") => Some(Operation::Chat(Named::default())),
            // Another API has the same paths: only this one's clients state a version.
            ("GET" | "HEAD", path) if line.headers.bytes("anthropic-version").is_some() => {
                let rest = path.strip_prefix("/v1/models")?;
                match rest.strip_prefix('/') {
                    None if rest.is_empty() => Some(Operation::ListModels),
                    Some(id) if !id.is_empty() => Some(Operation::Model(decoded(id))),
                    _ => None,
                }
            }
            _ => None,
        }
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

    fn write_error(&self, error: &Error) -> (u16, Vec<u8>) {
        errors::write(error)
    }

    fn write_models(&self, names: &[&str], created: u64) -> Vec<u8> {
        reply::models(names, created)
    }

    fn write_model(&self, name: &str, created: u64) -> Vec<u8> {
        reply::model(name, created)
    }

    fn chat_path(&self, _: &str, _: bool) -> Cow<'static, str> {
        Cow::Borrowed("/messages")
    }

    fn plain_turns(&self, body: Value<'_>) -> Option<u64> {
        let system = body.get("system").is_none_or(|system| plain::is_text(&system));
        plain::turns(body, &PLAIN, &["role", "content"]).filter(|_| system)
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

    fn splice(&self, body: Value<'_>, target: &Target<'_>) -> Spliced {
        splice::splice(body, target)
    }

    fn watch_answer(&self, body: &[u8], seen: &mut Seen) {
        watch::answer(body, seen);
    }

    fn watch_event(&self, name: &[u8], data: &[u8], _hide_usage: bool, seen: &mut Seen) -> Verdict {
        watch::event(name, data, seen)
    }
}

/// A string that a provider may leave out, or give as something else.
fn text_of<'a>(value: Value<'a>, name: &str) -> Option<Cow<'a, str>> {
    value.get(name)?.text()
}
