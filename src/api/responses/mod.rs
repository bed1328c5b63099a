//! OpenAI Responses: both sides of the wire format.
//!
//! What a request of another API loses on the way here is decided in `write.rs` (members), `write_items.rs` (the
//! conversation) and `tools.rs`; what this API alone can say is found in `request.rs` and `items.rs`. How thinking is
//! carried over turns is in `thinking.rs`. All of it is listed in `docs/translation/openai-responses.md`.

mod answer;
mod items;
mod pieces;
mod reader;
mod reply;
mod request;
mod shape;
mod thinking;
mod tools;
mod watch;
mod write;
mod write_items;
mod writer;

#[cfg(test)]
mod tests;

use super::shared::{error, models, wire};
use super::{
    Api, Asked, Bounds, Line, Named, Operation, Reader, Seen, Spliced, Target, Verdict, Writer, Written, count,
};
use crate::chat::{Answer, Request};
use crate::error::Error;
use crate::framing::{self, sse};
use crate::json::{Edit, Value};
use std::borrow::Cow;

/// Largest event: the last one has the whole answer, with the images in it as base64.
const MAX_EVENT: usize = 16 << 20;

pub struct Responses;

impl Api for Responses {
    fn name(&self) -> &'static str {
        "openai-responses"
    }

    /// What is kept under an id, and the models, are not chat.
    fn operation(&self, line: &Line<'_>) -> Option<Operation> {
        let chat = line.method == "POST" && line.path == "/v1/responses";
        chat.then(|| Operation::Chat(Named::default()))
    }

    fn read_request(&self, body: Value<'_>) -> Result<Request, Error> {
        request::request(&body)
    }

    fn write_answer(&self, answer: &Answer, asked: &Asked) -> Vec<u8> {
        reply::answer(answer, asked)
    }

    fn writer(&self, asked: Asked) -> Box<dyn Writer> {
        Box::new(writer::Writer::new(asked))
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
        Cow::Borrowed("/responses")
    }

    fn decoder(&self) -> framing::Decoder {
        framing::Decoder::Sse(sse::Decoder::with_limit(MAX_EVENT))
    }

    fn write_request(&self, request: &Request, target: &Target<'_>) -> Written {
        write::request(request, target)
    }

    fn read_answer(&self, body: &[u8]) -> Result<Answer, Error> {
        answer::answer(body)
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(reader::Reader::new())
    }

    fn read_error(&self, status: u16, body: &[u8]) -> Error {
        error::read(status, body)
    }

    fn bounds(&self, body: Value<'_>) -> Bounds {
        Bounds { tokens: count(body, "max_output_tokens"), answers: 1 }
    }

    fn bound(&self, body: Value<'_>, _: &str, tokens: u64) -> Edit {
        body.set("max_output_tokens", tokens.to_string())
    }

    fn splice(&self, body: Value<'_>, target: &Target<'_>) -> Spliced {
        watch::splice(&body, target)
    }

    fn watch_answer(&self, body: &[u8], seen: &mut Seen) {
        watch::answer(body, seen);
    }

    fn watch_event(&self, name: &[u8], data: &[u8], _: bool, seen: &mut Seen) -> Verdict {
        watch::event(name, data, seen);
        // Every stream of this API states its usage.
        Verdict::Pass
    }
}
