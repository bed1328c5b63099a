//! Gemini `generateContent` and `streamGenerateContent`: both sides of the wire format, at AI Studio and at Vertex AI.
//!
//! What a request of another API loses on the way here is decided in `write.rs` and `contents.rs`, and listed in
//! `docs/translation/gemini.md`.

mod answer;
mod arguments;
mod contents;
mod errors;
mod grounding;
mod model;
mod parts;
mod read;
mod reader;
mod reply;
mod schema;
mod usage;
mod watch;
mod wire;
mod write;
mod writer;

#[cfg(test)]
mod tests;

use super::{
    Api, Asked, Bounds, Form, Line, Named, Operation, Reader, SSE, Seen, Spliced, Target, Verdict, Writer, Written,
    bound_within,
};
use crate::chat::{Answer, Request};
use crate::error::Error;
use crate::http::decoded;
use crate::json::{Edit, Value};
use std::borrow::Cow;

pub struct Gemini;

impl Api for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn operation(&self, line: &Line<'_>) -> Option<Operation> {
        let (before, rest) = line.path.split_once("/models").filter(|(before, _)| serves(before))?;
        let model = rest.strip_prefix('/').filter(|model| !model.is_empty());
        if line.method == "POST" {
            let (model, verb) = model?.rsplit_once(':').filter(|(model, _)| !model.is_empty())?;
            let stream = match verb {
                "generateContent" => false,
                "streamGenerateContent" => true,
                _ => return None,
            };
            let sse = line.query.split('&').any(|pair| pair == "alt=sse");
            let form = if stream && !sse { Form::Array } else { Form::Usual };
            return Some(Operation::Chat(Named { model: Some(decoded(model)), stream: Some(stream), form }));
        }
        // Another API has the same paths: only this one's clients send their key so.
        let own = before != "/v1"
            || line.headers.bytes("x-goog-api-key").is_some()
            || line.query.split('&').any(|pair| pair.starts_with("key="));
        if !own || !matches!(line.method, "GET" | "HEAD") {
            return None;
        }
        match model {
            Some(model) => Some(Operation::Model(decoded(model))),
            None if rest.is_empty() => Some(Operation::ListModels),
            None => None,
        }
    }

    fn read_request(&self, body: Value<'_>) -> Result<Request, Error> {
        read::request(body)
    }

    fn write_answer(&self, answer: &Answer, asked: &Asked) -> Vec<u8> {
        reply::answer(answer, asked)
    }

    fn writer(&self, asked: Asked) -> Box<dyn Writer> {
        Box::new(writer::Writer::new(asked))
    }

    fn stream_type(&self, form: Form) -> &'static str {
        match form {
            Form::Array => "application/json",
            _ => SSE,
        }
    }

    fn write_error(&self, error: &Error) -> (u16, Vec<u8>) {
        errors::write(error)
    }

    fn write_models(&self, names: &[&str], _: u64) -> Vec<u8> {
        reply::models(names)
    }

    fn write_model(&self, name: &str, _: u64) -> Vec<u8> {
        let mut out = Vec::new();
        reply::model(&mut out, name);
        out
    }

    fn base_path(&self) -> &'static str {
        "/v1beta"
    }

    fn chat_path(&self, model: &str, stream: bool) -> Cow<'static, str> {
        let mut path = "/models/".to_owned();
        wire::encode(&mut path, model.strip_prefix("models/").unwrap_or(model));
        path.push_str(if stream { ":streamGenerateContent?alt=sse" } else { ":generateContent" });
        path.into()
    }

    fn write_request(&self, request: &Request, target: &Target<'_>) -> Written {
        write::request(request, target)
    }

    fn read_answer(&self, body: &[u8]) -> Result<Answer, Error> {
        answer::answer(body)
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(reader::Reader::default())
    }

    fn read_error(&self, status: u16, body: &[u8]) -> Error {
        errors::read(status, body)
    }

    fn bounds(&self, body: Value<'_>) -> Bounds {
        let config = wire::get(&body, "generationConfig");
        let count = |name| config.and_then(|config| wire::unsigned(&config, name).ok().flatten());
        Bounds { tokens: count("maxOutputTokens"), answers: count("candidateCount").unwrap_or(1).max(1) }
    }

    fn bound(&self, body: Value<'_>, _: &str, tokens: u64) -> Edit {
        let config = wire::get(&body, "generationConfig").filter(Value::is_object);
        match config.and_then(|config| wire::get(&config, "maxOutputTokens")) {
            // Under whichever of its two names it stands.
            Some(known) => Edit { at: known.span(), with: tokens.to_string().into_bytes() },
            None => match config {
                Some(config) => config.set("maxOutputTokens", tokens.to_string()),
                None => bound_within(body, "generationConfig", "maxOutputTokens", tokens),
            },
        }
    }

    /// The model is named by the path. A body that names it too must say the same.
    fn splice(&self, body: Value<'_>, target: &Target<'_>) -> Spliced {
        let mut edits = Vec::new();
        if let Some(named) = body.get("model").and_then(|model| model.text()) {
            let prefix = if named.starts_with("models/") { "models/" } else { "" };
            let wanted = [prefix, target.model.strip_prefix(prefix).unwrap_or(target.model)].concat();
            if *named != wanted {
                let mut json = Vec::new();
                crate::json::quote(&mut json, &wanted);
                edits.push(body.set("model", json));
            }
        }
        // Under both of its names a server may take either, or join them: what is read here stays.
        let config = wire::get(&body, "generationConfig");
        for (object, name, other) in [
            (Some(body), "generationConfig", "generation_config"),
            (config, "maxOutputTokens", "max_output_tokens"),
            (config, "candidateCount", "candidate_count"),
        ] {
            edits.extend(object.filter(|object| object.get(name).is_some()).and_then(|object| object.remove(other)));
        }
        // Every event of this API states its usage.
        Spliced { edits, ..Spliced::default() }
    }

    fn watch_answer(&self, body: &[u8], seen: &mut Seen) {
        watch::answer(body, seen);
    }

    fn watch_event(&self, _: &[u8], data: &[u8], _: bool, seen: &mut Seen) -> Verdict {
        watch::event(data, seen);
        Verdict::Pass
    }
}

/// What may stand before `/models`: a version, and at Vertex AI a project's or Google's own shelf of models.
fn serves(before: &str) -> bool {
    let (version, shelf) = match before.get(1..).and_then(|rest| rest.split_once('/')) {
        Some((version, shelf)) => (version, shelf),
        None => (before.get(1..).unwrap_or_default(), "publishers/"),
    };
    before.starts_with('/')
        && matches!(version, "v1" | "v1beta" | "v1alpha" | "v1beta1")
        && shelf.contains("publishers/")
}
