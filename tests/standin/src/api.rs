//! What one API is, and which there are. One more API is one file and its line in `APIS`.

use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::events::{Events, Framing};
use crate::faults::Shape;

pub static APIS: &[Api] = &[
    crate::openai::API,
    crate::anthropic::API,
    crate::gemini::API,
    crate::bedrock::API,
    crate::cohere::API,
    crate::ollama::API,
];

/// A vendor: what it serves, and what all of that has in common.
pub struct Api {
    pub name: &'static str,
    /// The first that serves a path has it.
    pub tasks: &'static [Task],
    /// Whether a request that names no API by its path (a model list, an unknown path) looks like this API's.
    pub speaks: fn(&HeaderMap) -> bool,
    /// The key that the caller gave.
    pub key: fn(&HeaderMap) -> Option<&str>,
    /// The failure that the vendor sends for a name that several vendors have a body for, such as `context_length_exceeded`.
    pub failure: fn(code: &str) -> Option<Failure>,
    /// The status whose failure ends a stream unless another is asked for.
    pub interruption: u16,
    /// Headers on every answer.
    pub headers: &'static [(&'static str, &'static str)],
    pub request_id: &'static str,
    /// A header of every error, and what it says.
    pub error_header: Option<(&'static str, Said)>,
    pub models: fn(id: Option<&str>) -> Value,
}

/// A header's value.
pub type Said = fn(&Failure) -> String;

/// One kind of request.
pub struct Task {
    pub serves: fn(&Line) -> Option<Named>,
    /// How a body whose request line leaves it open wants its answer streamed.
    pub streams: fn(&Value) -> Option<Framing>,
    pub answer: fn(&Ask) -> Result<Reply, Failure>,
    /// The failure with what the API leaves to the status filled in; as an answer to a request for a stream, if it was one.
    pub error: fn(&Failure, Option<Framing>) -> String,
    /// A failure in the middle of a stream, as one event.
    pub error_event: fn(&Failure, Framing) -> Vec<u8>,
}

impl Task {
    /// A task whose answer is never streamed.
    pub const fn whole(
        serves: fn(&Line) -> Option<Named>,
        answer: fn(&Ask) -> Result<Reply, Failure>,
        error: fn(&Failure, Option<Framing>) -> String,
    ) -> Self {
        Self { serves, streams: |_| None, answer, error, error_event: |_, _| Vec::new() }
    }
}

pub struct Line<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
}

impl Line<'_> {
    /// A POST whose path ends so.
    pub fn posts(&self, end: &str) -> Option<Named> {
        (self.method == "POST" && self.path.ends_with(end)).then(Named::default)
    }
}

/// What a request line says.
#[derive(Default)]
pub struct Named {
    pub model: Option<String>,
    pub framing: Option<Framing>,
    /// Which of a task's operations.
    pub verb: String,
}

/// One request, as an API answers it.
pub struct Ask<'a> {
    pub headers: &'a HeaderMap,
    /// Of a form: its fields, a file being `{"filename", "type", "bytes"}`.
    pub body: &'a Value,
    pub verb: &'a str,
    /// The model's name without its faults.
    pub model: &'a str,
    pub framing: Option<Framing>,
    pub shape: &'a Shape,
    /// From the request's body: the source of ids.
    pub seed: u64,
}

pub struct Reply {
    pub content: Content,
    /// In the API's own form.
    pub usage: Value,
    pub headers: Vec<(&'static str, String)>,
}

impl Reply {
    pub fn new(content: Content, usage: Value) -> Self {
        Self { content, usage, headers: Vec::new() }
    }

    pub fn json(body: &Value, usage: Value) -> Self {
        Self::new(Content::Whole(body.to_string()), usage)
    }

    pub fn stream(events: Events, usage: Value) -> Self {
        Self::new(Content::Stream(events), usage)
    }
}

pub enum Content {
    /// JSON.
    Whole(String),
    /// Of this media type.
    Bytes(&'static str, Vec<u8>),
    Stream(Events),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    pub status: u16,
    /// Absent: what the API says for the status.
    pub kind: Option<String>,
    pub message: Option<String>,
    pub code: Option<String>,
    pub param: Option<String>,
}

impl Failure {
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: Some(message.into()), ..Self::default() }
    }

    pub fn code(mut self, code: &str) -> Self {
        self.code = Some(code.to_owned());
        self
    }

    pub fn param(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }
}

/// What a list of models holds; any other name is served as well.
pub const CREATED: u64 = 1_735_689_600;

/// A model list in which any id that is asked for exists.
pub fn models(id: Option<&str>, names: &[&str], entry: fn(&str) -> Value) -> Value {
    match id {
        Some(id) => entry(id),
        None => json!(names.iter().map(|name| entry(name)).collect::<Vec<_>>()),
    }
}

/// FNV-1a over words of 8 bytes with a final mix: stable across runs and versions, unlike the standard library's hashers,
/// and fast enough for bodies of many megabytes.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for chunk in bytes.chunks(8) {
        let word = chunk.iter().rev().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte));
        state = (state ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    }
    state ^= bytes.len() as u64;
    state = (state ^ (state >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    state ^ (state >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_same_in_every_run() {
        assert_eq!(hash(b""), hash(b""));
        assert_eq!(format!("{:016x}", hash(b"stand-in")), format!("{:016x}", hash(b"stand-in")));
        let all: std::collections::BTreeSet<u64> = (0..1000_u32).map(|n| hash(n.to_string().as_bytes())).collect();
        assert_eq!(all.len(), 1000);
        assert_ne!(hash(b"a"), hash(b"a\0"));
    }
}
