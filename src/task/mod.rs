//! What is asked of a model besides chat: embeddings, ranking, moderation, images, speech. One entry a wire format.
//!
//! A provider that speaks the client's format gets its bytes, but for the model's name. Where two formats ask for the
//! same thing and can be [translated](Translate), any serves a client of the other.
//!
//! May use: api, chat, error, framing, http, json.
//!
//! To add one: a `static` of [`Format`] in its vendor's file and its line in [`FORMATS`]; a kind of provider that speaks
//! it names it in `tasks`.

mod openai;

use crate::api::{Line, Named};
use crate::chat::{Losses, Usage};
use crate::error::Error;
use crate::json::Value;
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
    pub usage: fn(Value<'_>) -> Option<Usage>,
    /// `None`: served only by who speaks this very format.
    pub translate: Option<&'static dyn Translate>,
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

/// A format that others of the same operation can be translated to and from.
pub trait Translate: Sync {
    fn read(&self, body: Value<'_>) -> Result<Request, Error>;

    fn write(&self, request: &Request, model: &str, losses: &mut Losses) -> Vec<u8>;

    fn read_answer(&self, body: Value<'_>, request: &Request) -> Result<Answer, Error>;

    fn write_answer(&self, answer: &Answer, request: &Request, model: &str) -> Vec<u8>;
}

/// A request in no vendor's words.
#[derive(Clone, Debug)]
pub enum Request {}

/// An answer in no vendor's words.
#[derive(Clone, Debug)]
pub enum Answer {}

#[cfg(test)]
mod tests;
