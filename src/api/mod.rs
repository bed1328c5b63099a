//! Wire formats: one entry each. An API reads and writes its own format to and from `chat`, and knows no other API.
//!
//! May use: base64, chat, error, framing, http, json.
//!
//! To add one: a file (a folder when it outgrows one) that implements [`Api`], its line in [`APIS`], its cases in
//! `tests/golden/`. The tests here then hold it against every other.

pub mod anthropic;
pub mod cohere;
pub mod completions;
pub mod converse;
pub mod gemini;
pub mod ollama;
pub mod openai;
pub mod responses;
mod shared;

use crate::chat::{Answer, Event, Losses, Request, Usage};
use crate::error::Error;
use crate::framing;
use crate::http::Headers;
use crate::json::{Edit, Value};
use std::borrow::Cow;

/// The media type of server-sent events.
pub const SSE: &str = crate::framing::sse::MEDIA_TYPE;

/// Every wire format. Where two have a path in common, the one that asks for more of a request comes first.
pub static APIS: &[&dyn Api] = &[
    &anthropic::Anthropic,
    &cohere::Cohere,
    &converse::Converse,
    &gemini::Gemini,
    &ollama::Ollama,
    &openai::OpenAi,
    &completions::Completions,
    &responses::Responses,
];

/// The API of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Api> {
    APIS.iter().copied().find(|api| api.name() == name)
}

/// What a client asks for by method and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    Chat(Named),
    ListModels,
    Model(String),
}

/// What a path says of a chat request, where an API says it there and not in the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub model: Option<String>,
    pub stream: Option<bool>,
    /// The answer is wanted in a form that not every provider of the API gives: then it is written anew, also for the same API.
    pub form: Form,
}

/// The form of a client's answer, for an API that has more than one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The API's own.
    #[default]
    Usual,
    /// The events as elements of one JSON array.
    Array,
    /// As Mistral answers: each tool call of a stream is whole in one event, embeddings have an id.
    WholeCalls,
}

/// A request line and its headers.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    pub method: &'a str,
    /// Without its query.
    pub path: &'a str,
    /// Without its `?`.
    pub query: &'a str,
    pub headers: &'a Headers,
}

/// What an answer must know of the request it answers.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The model to name when the provider names none.
    pub model: String,
    /// Name this model in the answer, whatever the provider says.
    pub rename: Option<String>,
    /// An id for an answer that has none: letters and digits.
    pub id: String,
    /// Seconds since the Unix epoch, for an answer that has no time.
    pub created: u64,
    /// The client wants usage in the stream.
    pub stream_usage: bool,
    /// How the client wants its answer.
    pub form: Form,
    /// The answer's text is the arguments of this forced tool: it stood in for a JSON schema.
    pub schema_tool: bool,
}

/// Whom a request is written for.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// The provider's name of the model.
    pub model: &'a str,
    /// For an API that must be told, when the client did not say.
    pub max_tokens: u64,
    /// Ask for usage in a stream (needed to charge for it).
    pub stream_usage: bool,
    /// The provider takes thinking back as plain text in the history.
    pub echo_reasoning: bool,
}

/// A request in a provider's format.
#[derive(Clone, Debug, Default)]
pub struct Written {
    pub body: Vec<u8>,
    pub losses: Losses,
    /// A forced tool stands in for a JSON schema: the answer's tool call is its text.
    pub schema_tool: bool,
    /// Headers that the body asks for, such as a beta's name.
    pub headers: Vec<(&'static str, String)>,
}

/// How the bytes of one API's body are changed for a target that speaks the same API.
#[derive(Clone, Debug, Default)]
pub struct Spliced {
    pub edits: Vec<Edit>,
    /// Usage was asked for on the client's behalf: its chunk is hidden from the client.
    pub hide_usage: bool,
    /// What the target would refuse, and is left out.
    pub losses: Losses,
}

/// What is known of an answer from watching it go by, whole or streamed, in its own API.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub usage: Option<Usage>,
    /// The provider answered with, or the stream broke off by, an error.
    pub error: Option<Error>,
    /// Something that a model wrote has gone by.
    pub content: bool,
    /// The stream has its proper ending.
    pub ended: bool,
    pub model: Option<String>,
}

/// What becomes of an event that was watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// It passes, and says nothing: a sign of life.
    Idle,
    /// The client did not ask for it.
    Hide,
}

/// How much may come back for a request, as its body says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Tokens of one answer; `None`: as many as the model has.
    pub tokens: Option<u64>,
    pub answers: u64,
}

/// A member that is a whole number.
#[inline(never)]
fn count(body: Value<'_>, name: &str) -> Option<u64> {
    body.get(name)?.count()
}

/// [`Api::bound`] where a member's member says it.
fn bound_within(body: Value<'_>, outer: &str, name: &str, tokens: u64) -> Edit {
    let tokens = tokens.to_string();
    match body.get(outer).filter(Value::is_object) {
        Some(object) => object.set(name, tokens),
        None => body.set(outer, ["{\"", name, "\":", &tokens, "}"].concat()),
    }
}

pub trait Api: Sync {
    /// As in the configuration, logs and metrics.
    fn name(&self) -> &'static str;

    /// Whether it has turns, tools and thinking. One that has but a text is tested apart from those that do.
    fn converses(&self) -> bool {
        true
    }

    // The client's side.

    /// What a client of this API asks for. `None`: not a path of this API's.
    fn operation(&self, line: &Line<'_>) -> Option<Operation>;

    /// What a client gets that does not say whether it wants a stream.
    fn streams_by_default(&self) -> bool {
        false
    }

    fn read_request(&self, body: Value<'_>) -> Result<Request, Error>;

    fn write_answer(&self, answer: &Answer, asked: &Asked) -> Vec<u8>;

    fn writer(&self, asked: Asked) -> Box<dyn Writer>;

    /// The media type of a client's stream.
    fn stream_type(&self, _: Form) -> &'static str {
        self.framing().media_type()
    }

    /// The status and body that tell a client of this API of an error.
    fn write_error(&self, error: &Error) -> (u16, Vec<u8>);

    /// The list of models. `created` is in seconds since the Unix epoch.
    fn write_models(&self, names: &[&str], created: u64) -> Vec<u8>;

    fn write_model(&self, name: &str, created: u64) -> Vec<u8>;

    // The provider's side.

    /// What stands before the API's paths at its own vendor.
    fn base_path(&self) -> &'static str {
        "/v1"
    }

    /// The path of a chat request, below the base: `/chat/completions`. A query may follow.
    fn chat_path(&self, model: &str, stream: bool) -> Cow<'static, str>;

    /// How a stream of this API is cut into events.
    fn framing(&self) -> framing::Kind {
        framing::Kind::Sse
    }

    /// For a stream of this API.
    fn decoder(&self) -> framing::Decoder {
        self.framing().decoder()
    }

    fn write_request(&self, request: &Request, target: &Target<'_>) -> Written;

    /// What a body of this API says of how much may come back.
    fn bounds(&self, body: Value<'_>) -> Bounds {
        Bounds { tokens: count(body, "max_tokens"), answers: 1 }
    }

    /// The messages of a body that is nothing but text, as far as that is easily seen.
    fn plain_turns(&self, _body: Value<'_>) -> Option<u64> {
        None
    }

    /// Says that at most so many tokens may come back for one answer.
    fn bound(&self, body: Value<'_>, _model: &str, tokens: u64) -> Edit {
        body.set("max_tokens", tokens.to_string())
    }

    fn read_answer(&self, body: &[u8]) -> Result<Answer, Error>;

    fn reader(&self) -> Box<dyn Reader>;

    /// An error from a provider of this API; any body, also one that is not this API's nor JSON.
    fn read_error(&self, status: u16, body: &[u8]) -> Error;

    // The same API on both sides.

    /// What must change in a request's body, when nothing else may.
    fn splice(&self, body: Value<'_>, target: &Target<'_>) -> Spliced;

    /// What clients who want that form say in a body that a provider of another form does not know.
    fn reform(&self, _body: Value<'_>, _form: Form) -> Vec<Edit> {
        Vec::new()
    }

    /// Notes what a whole answer says of itself.
    fn watch_answer(&self, body: &[u8], seen: &mut Seen);

    /// Notes what one event of a stream says. Called for every event: must not parse what it need not.
    fn watch_event(&self, name: &[u8], data: &[u8], hide_usage: bool, seen: &mut Seen) -> Verdict;
}

/// A provider's stream, read. Any split of the bytes gives the same events.
pub trait Reader {
    fn read(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Event<'_>));

    /// The provider has closed the stream. Without its proper ending that is an [`Event::Error`].
    fn close(&mut self, sink: &mut dyn FnMut(Event<'_>));
}

/// A client's stream, written. After [`Event::End`] or [`Event::Error`] it writes nothing more.
pub trait Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>);
}

#[cfg(any(test, fuzzing))]
pub mod fuzz;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_fuzz;
#[cfg(test)]
pub mod tests_golden;
#[cfg(test)]
mod tests_streams;
#[cfg(test)]
mod tests_wrong;
