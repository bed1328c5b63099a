//! OpenAI Completions, the API before chat: <https://platform.openai.com/docs/api-reference/completions>.
//!
//! A prompt is one turn of the user's. A chat model answers it, where its author had in mind a model that goes on with the
//! text; what only such a model can do is a loss.

mod answer;
mod logprobs;
mod reader;
mod request;
mod watch;
mod writer;

#[cfg(test)]
mod tests;

use super::shared::{error, models, wire};
use super::{
    Api, Asked, Bounds, Line, Named, Operation, Reader, Seen, Spliced, Target, Verdict, Writer, Written, count,
};
use crate::chat::{Answer, Request};
use crate::error::Error;
use crate::json::Value;
use std::borrow::Cow;

pub struct Completions;

impl Api for Completions {
    fn name(&self) -> &'static str {
        "openai-completions"
    }

    fn converses(&self) -> bool {
        false
    }

    fn operation(&self, line: &Line<'_>) -> Option<Operation> {
        let own = line.method == "POST" && line.path == "/v1/completions";
        own.then(|| Operation::Chat(Named::default()))
    }

    fn read_request(&self, body: Value<'_>) -> Result<Request, Error> {
        request::read(&body)
    }

    fn write_answer(&self, answer: &Answer, asked: &Asked) -> Vec<u8> {
        answer::write(answer, asked)
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
        Cow::Borrowed("/completions")
    }

    fn write_request(&self, request: &Request, target: &Target<'_>) -> Written {
        request::write(request, target)
    }

    fn bounds(&self, body: Value<'_>) -> Bounds {
        // All of those that the best are taken from are paid for.
        let answers = count(body, "n").max(count(body, "best_of")).unwrap_or(1).max(1);
        Bounds { tokens: count(body, "max_tokens"), answers }
    }

    fn read_answer(&self, body: &[u8]) -> Result<Answer, Error> {
        answer::read(body)
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

    fn watch_answer(&self, body: &[u8], seen: &mut Seen) {
        watch::answer(body, seen);
    }

    fn watch_event(&self, name: &[u8], data: &[u8], hide_usage: bool, seen: &mut Seen) -> Verdict {
        watch::event(name, data, hide_usage, seen)
    }
}
