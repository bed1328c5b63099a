//! Ollama's own chat: both sides of the wire format. A stream is lines of JSON, and the default.
//!
//! Many of its clients give calls no ids: a call's is made of its place, and a tool's result belongs to the first call of
//! its name that has none yet.

mod answer;
mod conversation;
mod messages;
mod reader;
mod reply;
mod request;
mod time;
mod watch;
mod write;
mod writer;

#[cfg(test)]
mod tests;

use super::{
    Api, Asked, Bounds, Line, Named, Operation, Seen, Spliced, Target, Verdict, Written, bound_within, shared,
};
use crate::chat::{Answer, Request};
use crate::error::Error;
use crate::framing;
use crate::json::{Edit, Value, write as put};
use std::borrow::Cow;

pub struct Ollama;

impl Api for Ollama {
    fn name(&self) -> &'static str {
        "ollama"
    }

    fn operation(&self, line: &Line<'_>) -> Option<Operation> {
        match (line.method, line.path) {
            ("POST", "/api/chat") => Some(Operation::Chat(Named::default())),
            ("GET" | "HEAD", "/api/tags") => Some(Operation::ListModels),
            _ => None,
        }
    }

    fn streams_by_default(&self) -> bool {
        true
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
        let status = match error.status {
            // An overload in other words, which this API's clients know.
            529 => 503,
            status @ 400..=599 => status,
            _ => error.kind.status(),
        };
        let mut out = Vec::with_capacity(128);
        reply::error(&mut out, error);
        (status, out)
    }

    fn write_models(&self, names: &[&str], created: u64) -> Vec<u8> {
        let mut out = br#"{"models":["#.to_vec();
        for name in names {
            put::comma(&mut out);
            reply::model(&mut out, name, created);
        }
        out.extend_from_slice(b"]}");
        out
    }

    fn write_model(&self, name: &str, created: u64) -> Vec<u8> {
        let mut out = Vec::new();
        reply::model(&mut out, name, created);
        out
    }

    fn base_path(&self) -> &'static str {
        "/api"
    }

    fn chat_path(&self, _: &str, _: bool) -> Cow<'static, str> {
        Cow::Borrowed("/chat")
    }

    fn framing(&self) -> framing::Kind {
        framing::Kind::Lines
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
        shared::error::read(status, body)
    }

    fn bounds(&self, body: Value<'_>) -> Bounds {
        // A number below 0 means no bound.
        let tokens = body.at(&["options", "num_predict"]).and_then(|most| most.count());
        Bounds { tokens, answers: 1 }
    }

    fn bound(&self, body: Value<'_>, _: &str, tokens: u64) -> Edit {
        bound_within(body, "options", "num_predict", tokens)
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

    fn watch_event(&self, _name: &[u8], data: &[u8], _hide_usage: bool, seen: &mut Seen) -> Verdict {
        watch::event(data, seen)
    }
}
