//! What is asked of a model besides chat: embeddings, ranking, moderation, images, speech. One entry a wire format.
//!
//! A provider that speaks the client's format gets its bytes, but for the model's name. Where two formats ask for the
//! same thing and can be [translated](Codec), any serves a client of the other.
//!
//! May use: api, base64, chat, error, framing, http, json.
//!
//! To add one: a `static` of [`Format`] in its vendor's file and its line in [`FORMATS`]; a kind of provider that speaks
//! it names it in `tasks`.

mod anthropic;
mod bedrock;
mod cohere;
mod embed;
mod embeddings;
mod gemini;
mod jina;
mod ollama;
mod openai;
mod rerank;
mod vector;
mod wire;

pub use embed::{Embed, Vectors};
pub use rerank::{Rank, Rerank};

use crate::api::{Asked, Line, Named};
use crate::chat::{Losses, Usage};
use crate::error::{Error, Fault, Kind};
use crate::json::{Edit, Value, quote};
use std::borrow::Cow;

/// Every format. The first that takes a path has it.
pub static FORMATS: &[&Format] = &[
    &openai::EMBEDDINGS,
    &openai::MODERATIONS,
    &openai::IMAGES,
    &openai::IMAGE_EDITS,
    &openai::SPEECH,
    &openai::TRANSCRIPTIONS,
    &openai::TRANSLATIONS,
    &anthropic::COUNT_TOKENS,
    &cohere::EMBED,
    &cohere::RERANK,
    // By a header, so before who has the path without it.
    &cohere::RERANK_V1,
    &jina::RERANK,
    &gemini::EMBED,
    &gemini::BATCH_EMBED,
    &gemini::COUNT_TOKENS,
    &gemini::PREDICT,
    &bedrock::TITAN,
    &bedrock::COHERE,
    &ollama::EMBED,
];

pub fn by_name(name: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|format| format.name == name)
}

/// What is wanted of a model. Its name is a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Embed,
    Rerank,
    Moderate,
    /// Make or change an image.
    Image,
    /// Text to audio.
    Speech,
    /// Audio to text.
    Transcribe,
    /// What a chat request would come to.
    CountTokens,
}

impl Operation {
    pub fn name(self) -> &'static str {
        match self {
            Self::Embed => "embeddings",
            Self::Rerank => "rerank",
            Self::Moderate => "moderation",
            Self::Image => "image",
            Self::Speech => "speech",
            Self::Transcribe => "transcription",
            Self::CountTokens => "count_tokens",
        }
    }
}

/// A wire format of one operation.
pub struct Format {
    /// Of the vendor and what is asked: `openai-embeddings`.
    pub name: &'static str,
    pub operation: Operation,
    /// The API whose clients these are: it gives errors their shape.
    pub dialect: &'static str,
    /// What a client's request line names, if it is one of this format's.
    pub takes: fn(&Line<'_>) -> Option<Named>,
    /// The path below a provider's base.
    pub path: fn(model: &str) -> Cow<'static, str>,
    pub body: Shape,
    /// The model of a request that names none.
    pub model: Option<&'static str>,
    /// Whether it is the one for that model, where several formats of a provider have one path.
    pub fits: fn(model: &str) -> bool,
    /// Names another model in a request's body.
    pub rename: fn(body: Value<'_>, model: &str) -> Vec<Edit>,
    /// What an answer's body says was used.
    pub usage: fn(Value<'_>) -> Option<Usage>,
    /// The answer's header that has the number of input tokens, where the body says nothing.
    pub counted: &'static str,
    /// `None`: served only by who speaks this very format.
    pub codec: Option<Codec>,
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Json,
    /// `multipart/form-data` with a field `model`, or JSON.
    Form,
}

/// How a format is translated to and from no vendor's words.
pub enum Codec {
    Embed(Coding<Embed>),
    Rerank(Coding<Rerank>),
}

/// One format's four translations of a request `R` and its answer.
pub struct Coding<R> {
    pub read: fn(body: Value<'_>) -> Result<R, Error>,
    pub write: fn(request: &R, model: &str, losses: &mut Losses) -> Result<Vec<u8>, Error>,
    pub read_answer: for<'a> fn(body: Value<'a>, request: &R) -> Result<Answer<'a>, Error>,
    pub write_answer: fn(answer: &Answer<'_>, request: &R, asked: &Asked) -> Result<Vec<u8>, Error>,
}

/// A request in no vendor's words.
#[derive(Clone, Debug)]
pub enum Request {
    Embed(Embed),
    Rerank(Rerank),
}

/// An answer in no vendor's words. What it holds stands in the provider's body.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    pub given: Given<'a>,
    pub id: Option<Cow<'a, str>>,
    pub model: Option<Cow<'a, str>>,
    pub usage: Option<Usage>,
    /// What a ranking is billed by, where that is not tokens.
    pub search_units: Option<u64>,
}

#[derive(Clone, Debug)]
pub enum Given<'a> {
    Vectors(Vectors<'a>),
    Ranks(Vec<Rank<'a>>),
}

impl<'a> Answer<'a> {
    fn of(given: Given<'a>, body: &Value<'a>) -> Self {
        let text = |name| body.get(name).and_then(|value: Value<'a>| value.text());
        Self { given, id: text("id"), model: text("model"), usage: None, search_units: None }
    }
}

impl Format {
    const BASE: Self = Self {
        name: "",
        operation: Operation::Embed,
        dialect: "openai",
        takes: |_| None,
        path: |_| Cow::Borrowed(""),
        body: Shape::Json,
        model: None,
        fits: |_| true,
        rename: named,
        usage: |_| None,
        counted: "",
        codec: None,
    };

    pub fn read(&self, body: Value<'_>) -> Result<Request, Error> {
        match &self.codec {
            Some(Codec::Embed(coding)) => (coding.read)(body).map(Request::Embed),
            Some(Codec::Rerank(coding)) => (coding.read)(body).map(Request::Rerank),
            None => Err(untranslated()),
        }
    }

    pub fn write(&self, request: &Request, model: &str, losses: &mut Losses) -> Result<Vec<u8>, Error> {
        match (&self.codec, request) {
            (Some(Codec::Embed(coding)), Request::Embed(request)) => (coding.write)(request, model, losses),
            (Some(Codec::Rerank(coding)), Request::Rerank(request)) => (coding.write)(request, model, losses),
            _ => Err(untranslated()),
        }
    }

    pub fn read_answer<'a>(&self, body: Value<'a>, request: &Request) -> Result<Answer<'a>, Error> {
        let answer = match (&self.codec, request) {
            (Some(Codec::Embed(coding)), Request::Embed(request)) => (coding.read_answer)(body, request),
            (Some(Codec::Rerank(coding)), Request::Rerank(request)) => (coding.read_answer)(body, request),
            _ => Err(untranslated()),
        };
        answer.map(|answer| Answer { usage: (self.usage)(body), ..answer })
    }

    pub fn write_answer(&self, answer: &Answer<'_>, request: &Request, asked: &Asked) -> Result<Vec<u8>, Error> {
        match (&self.codec, request) {
            (Some(Codec::Embed(coding)), Request::Embed(request)) => (coding.write_answer)(answer, request, asked),
            (Some(Codec::Rerank(coding)), Request::Rerank(request)) => (coding.write_answer)(answer, request, asked),
            _ => Err(untranslated()),
        }
    }

    /// The format in which one who does these, best first, serves a client of this one.
    pub fn served_by(&'static self, does: &[&str], model: &str) -> Option<&'static Self> {
        if does.contains(&self.name) && (self.fits)(model) {
            return Some(self);
        }
        let others = does.iter().filter_map(|name| by_name(name)).filter(|other| (other.fits)(model));
        others.into_iter().find(|other| match (&self.codec, &other.codec) {
            (Some(_), Some(_)) => self.operation == other.operation,
            _ => false,
        })
    }
}

fn untranslated() -> Error {
    Error::new(Kind::Internal, Fault::Gateway, "the two formats of this call have nothing in common")
}

/// The body has a member `model`.
fn named(body: Value<'_>, model: &str) -> Vec<Edit> {
    if body.get("model").is_some_and(|given| given.is(model)) {
        return Vec::new();
    }
    let mut name = Vec::with_capacity(model.len().saturating_add(2));
    quote(&mut name, model);
    vec![body.set("model", name)]
}

#[cfg(any(test, fuzzing))]
pub mod fuzz;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_clouds;
