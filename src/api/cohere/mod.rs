//! Cohere's chat, second version: both sides of the wire format.
//!
//! An assistant's words before its tool calls are a `tool_plan` here, and its text elsewhere. Usage has two counts:
//! `tokens`, all that the model read and wrote, and `billed_units`, which leaves out Cohere's own prompt; the first is
//! read, because cached tokens are part of it.

mod answer;
mod conversation;
mod errors;
mod messages;
mod reader;
mod reply;
mod request;
mod watch;
mod wire;
mod write;
mod writer;

#[cfg(test)]
mod tests;

use super::{Api, Asked, Line, Named, Operation, Seen, Spliced, Target, Verdict, Written, shared};
use crate::chat::{Answer, Request};
use crate::error::Error;
use crate::http::decoded;
use crate::json::{Value, write as put};
use std::borrow::Cow;

pub struct Cohere;

impl Api for Cohere {
    fn name(&self) -> &'static str {
        "cohere"
    }

    fn operation(&self, line: &Line<'_>) -> Option<Operation> {
        match (line.method, line.path) {
            ("POST", "/v2/chat") => Some(Operation::Chat(Named::default())),
            // Another API has the same paths: only this one's SDKs say so.
            ("GET" | "HEAD", path)
                if line.headers.bytes("x-fern-sdk-name").is_some_and(|sdk| sdk.starts_with(b"cohere")) =>
            {
                let rest = path.strip_prefix("/v1/models")?;
                match rest.strip_prefix('/') {
                    None if rest.is_empty() => Some(Operation::ListModels),
                    Some(name) if !name.is_empty() => Some(Operation::Model(decoded(name))),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn read_request(&self, body: Value<'_>) -> Result<Request, Error> {
        request::request(&body)
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

    fn write_models(&self, names: &[&str], _: u64) -> Vec<u8> {
        let mut out = br#"{"models":["#.to_vec();
        for name in names {
            put::comma(&mut out);
            model(&mut out, name);
        }
        out.extend_from_slice(b"]}");
        out
    }

    fn write_model(&self, name: &str, _: u64) -> Vec<u8> {
        let mut out = Vec::new();
        model(&mut out, name);
        out
    }

    fn base_path(&self) -> &'static str {
        "/v2"
    }

    fn chat_path(&self, _: &str, _: bool) -> Cow<'static, str> {
        Cow::Borrowed("/chat")
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
        errors::read(status, body)
    }

    fn splice(&self, body: Value<'_>, target: &Target<'_>) -> Spliced {
        let mut edits = Vec::new();
        if !body.get("model").is_some_and(|model| model.is(target.model)) {
            let mut name = Vec::with_capacity(target.model.len().saturating_add(2));
            crate::json::quote(&mut name, target.model);
            edits.push(body.set("model", name));
        }
        // Every stream of this API states its usage.
        Spliced { edits, ..Spliced::default() }
    }

    fn watch_answer(&self, body: &[u8], seen: &mut Seen) {
        watch::answer(body, seen);
    }

    fn watch_event(&self, name: &[u8], data: &[u8], _hide_usage: bool, seen: &mut Seen) -> Verdict {
        watch::event(name, data, seen);
        Verdict::Pass
    }
}

fn model(out: &mut Vec<u8>, name: &str) {
    out.push(b'{');
    put::text(out, "name", name);
    out.extend_from_slice(br#","endpoints":["chat"]}"#);
}
