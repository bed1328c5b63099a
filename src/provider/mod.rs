//! Who serves: what a kind of provider needs besides its wire format: host, path, credential, fixed headers.
//!
//! May use: api, base64, chat, framing, http, json, secret, task.
//!
//! To add a kind: one file with a `static` of [`Kind`], and its line in [`PROVIDERS`]. What it does not say it has from
//! [`Kind::COMPATIBLE`]: a vendor that speaks OpenAI's API at a host of its own is three lines in `compatible.rs`, and what it
//! wants otherwise one line each of [`Quirks`].

mod anthropic;
mod azure;
mod bedrock;
mod cohere;
mod compatible;
mod gemini;
mod openai;
mod quirks;
mod vertex;

use crate::api::{Api, Form};
use crate::chat::Losses;
use crate::http::Headers;
use crate::json::{Edit, Value};
use crate::secret::Secret;
use crate::task::Format;
use quirks::Quirks;
use std::rc::Rc;
use std::sync::LazyLock;

/// Every kind of provider, by the name that `api` has in the configuration.
pub static PROVIDERS: &[&Kind] = &[
    &anthropic::KIND,
    &azure::KIND,
    &bedrock::KIND,
    &bedrock::ANTHROPIC,
    &cohere::KIND,
    &gemini::KIND,
    &openai::KIND,
    &openai::RESPONSES,
    &compatible::CEREBRAS,
    &compatible::DEEPSEEK,
    &compatible::FIREWORKS,
    &compatible::GITHUB,
    &compatible::GROQ,
    &compatible::HUGGINGFACE,
    &compatible::LLAMACPP,
    &compatible::LMSTUDIO,
    &compatible::MISTRAL,
    &compatible::NVIDIA,
    &compatible::OLLAMA,
    &compatible::OPENROUTER,
    &compatible::PERPLEXITY,
    &compatible::SAMBANOVA,
    &compatible::SGLANG,
    &compatible::TGI,
    &compatible::TOGETHER,
    &compatible::VLLM,
    &compatible::XAI,
    &vertex::KIND,
    &vertex::ANTHROPIC,
];

pub fn by_name(name: &str) -> Option<&'static Kind> {
    PROVIDERS.iter().copied().find(|kind| kind.name == name)
}

/// One kind of provider.
pub struct Kind {
    pub name: &'static str,
    /// The wire formats it speaks, each with the base of its paths. Calls in others are translated to the first.
    /// A base may have `{setting}`s.
    pub apis: &'static [(&'static str, &'static str)],
    /// The vendor's own host; may have `{setting}`s. Empty: the configuration must name one.
    pub host: &'static str,
    /// Fields of the configuration that only this kind has.
    pub settings: &'static [Setting],
    pub credential: Credential,
    /// Sent unless the client of the same API sent its own, or the configuration sets them.
    pub headers: &'static [(&'static str, &'static str)],
    /// Headers of a client of the same API that go along.
    pub carried: &'static [&'static str],
    /// The path of a request, where it is not the base and the API's own, which it is given.
    pub path: Option<fn(&Provider, &Ask<'_>, &str) -> String>,
    /// What it wants otherwise than the API that it speaks: what a table of OpenAI's parameters cannot say.
    pub adapt: Option<Adapt>,
    /// What it wants otherwise than OpenAI, where it speaks its API.
    pub quirks: Option<&'static Quirks>,
    /// The media type of its streams, and what makes server-sent events of them, where they are none.
    pub transcode: Option<(&'static str, NewTranscode)>,
    /// As servers in Go do, it takes a member's name in any case, and of two the later: only names as its API has them go to it.
    pub any_case: bool,
    /// Its errors have a form of its own, which no client of the API that it speaks can read.
    pub foreign_errors: bool,
    /// What it offers besides chat: formats of `task`, by name.
    pub tasks: &'static [&'static str],
    /// As `adapt`, for those.
    pub adapt_task: Option<AdaptTask>,
}

impl Kind {
    /// Any server that speaks OpenAI's Chat Completions.
    pub const COMPATIBLE: Self = Self {
        name: "",
        apis: &[("openai", "/v1")],
        host: "",
        settings: &[],
        credential: Credential::Bearer,
        headers: &[],
        carried: &[],
        path: None,
        adapt: None,
        quirks: None,
        transcode: None,
        any_case: false,
        foreign_errors: false,
        // Not all offer all of it: what a server does not know it refuses itself.
        tasks: &[
            "openai-embeddings",
            "openai-moderations",
            "openai-images",
            "openai-image-edits",
            "openai-speech",
            "openai-transcriptions",
            "openai-translations",
            "jina-rerank",
        ],
        adapt_task: None,
    };
}

/// A field of the configuration, such as a region: letters, digits, `-`, `_`, `.` and `:`.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub required: bool,
}

/// A request that a provider is asked.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub api: &'static dyn Api,
    /// The provider's name of the model.
    pub model: &'a str,
    pub stream: bool,
    /// The body is the gateway's own, not one of a client of the same API.
    pub written: bool,
    /// A header that the client of the same API sent, or that the written body asks for.
    pub header: &'a dyn Fn(&str) -> Option<String>,
}

/// What becomes of parameters that a provider does not support.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// Left out and counted, whatever they mean.
    Drop,
    /// The request is refused, whatever they mean.
    Refuse,
    /// Sent as they came.
    Pass,
}

/// Finds what must change in a request that is in the provider's API already.
pub type Adapt = fn(&Provider, Value<'_>, &Ask<'_>) -> Adapted;

/// As [`Adapt`], for what is no chat.
pub type AdaptTask = fn(&Provider, &Format, Value<'_>) -> Vec<Edit>;

#[derive(Clone, Debug, Default)]
pub struct Adapted {
    pub edits: Vec<Edit>,
    pub losses: Losses,
}

/// A stream of another framing, as the server-sent events of the provider's API.
pub trait Transcode {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>);

    /// The stream has ended.
    fn close(&mut self, out: &mut Vec<u8>);
}

pub type NewTranscode = fn() -> Box<dyn Transcode>;

/// Where a kind of provider wants its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// `authorization: Bearer KEY`
    Bearer,
    /// `NAME: KEY`
    Header(&'static str),
}

/// Every request header that may hold a client's own credential.
pub const CLIENT_CREDENTIALS: &[&str] =
    &["authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization"];

/// The request's id, for the access log: an attempt replaces all headers.
const REQUEST_ID: &str = "x-request-id";

/// Whether a client's header of that name may matter to some provider.
pub fn of_use(name: &str) -> bool {
    name == REQUEST_ID || CLIENT_CREDENTIALS.contains(&name) || CARRIED.contains(&name)
}

/// What any kind carries: looked through for every header of every request.
static CARRIED: LazyLock<Vec<&str>> =
    LazyLock::new(|| PROVIDERS.iter().flat_map(|kind| kind.carried).copied().collect());

/// Where a provider's key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Envoy adds it after the module.
    Envoy,
    /// The gateway's own.
    Key(Secret),
    /// The client's own key is passed on.
    Client,
}

/// A provider as configured.
#[derive(Debug)]
pub struct Provider {
    pub name: Rc<str>,
    pub kind: &'static Kind,
    /// What calls in other formats are translated to.
    pub main: Spoken,
    /// Other formats that it speaks too.
    pub others: Vec<Spoken>,
    pub host: String,
    /// Values of the kind's own fields, by name.
    pub settings: Vec<(&'static str, String)>,
    pub headers: Vec<(String, String)>,
    pub auth: Auth,
    /// Takes thinking back as plain text in the history.
    pub echo_reasoning: bool,
    /// `None`: what would change the answer is treated as what no API can express, the rest left out and counted.
    pub unsupported: Option<Unsupported>,
}

/// A wire format that a provider speaks, and where.
#[derive(Clone, Debug)]
pub struct Spoken {
    pub api: &'static dyn Api,
    pub base_path: String,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl std::fmt::Debug for dyn Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Provider {
    /// The format in which a client of this dialect is served: its own, if the provider speaks it.
    pub fn spoken(&self, dialect: &dyn Api) -> &Spoken {
        let own = self.others.iter().find(|spoken| spoken.api.name() == dialect.name());
        own.unwrap_or(&self.main)
    }

    /// What makes a request fit for it, if it may not be as it is.
    pub fn adapter(&self, ask: &Ask<'_>) -> Option<Adapt> {
        let quirks = self.kind.quirks.filter(|quirks| quirks.concern(ask)).map(|_| quirks::adapt as Adapt);
        self.kind.adapt.or(quirks)
    }

    /// Whether its own answers, in the API that it is asked in, have that form.
    pub fn answers_as(&self, form: Form) -> bool {
        match form {
            Form::Usual => true,
            Form::Array => false,
            Form::WholeCalls => self.kind.quirks.is_some_and(|quirks| quirks.whole_calls),
        }
    }

    /// Whether usage must be asked for in a stream.
    pub fn asks_usage(&self) -> bool {
        self.kind.quirks.is_none_or(|quirks| quirks.ask_usage)
    }

    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The path of a chat request, with a query if it needs one.
    pub fn chat_path(&self, ask: &Ask<'_>) -> String {
        self.full_path(ask, &ask.api.chat_path(ask.model, ask.stream))
    }

    /// The path of a request that has that one below its base.
    pub fn full_path(&self, ask: &Ask<'_>, below: &str) -> String {
        match self.kind.path {
            Some(path) => path(self, ask, below),
            None => self.path(self.spoken(ask.api), below),
        }
    }

    pub fn path(&self, spoken: &Spoken, below: &str) -> String {
        let mut path = String::with_capacity(spoken.base_path.len().saturating_add(below.len()));
        path.push_str(&spoken.base_path);
        path.push_str(below);
        path
    }

    /// Everything that a request to this provider has, apart from what its body decides. `client` is what the client
    /// sent; `same_api`: it spoke this provider's API.
    pub fn request_headers(&self, method: &str, path: &str, client: &Headers, same_api: bool) -> Headers {
        let mut headers = Headers::default();
        headers.push(":method", method);
        headers.fix(":scheme", "https");
        headers.push(":authority", self.host.as_str());
        headers.push(":path", path);
        headers.fix("accept-encoding", "identity");
        headers.fix("user-agent", concat!("sluice/", env!("CARGO_PKG_VERSION")));
        if let Some(id) = client.bytes(REQUEST_ID) {
            headers.push(REQUEST_ID, id);
        }
        if same_api {
            for (name, value) in client.iter().filter(|(name, _)| self.kind.carried.contains(name)) {
                headers.push(name.to_owned(), value);
            }
        }
        for (name, value) in self.kind.headers {
            if headers.bytes(name).is_none() {
                headers.fix(name, value);
            }
        }
        for (name, value) in &self.headers {
            headers.set(name.clone(), value.as_str());
        }
        match (&self.auth, self.kind.credential) {
            (Auth::Envoy, _) => {}
            (Auth::Key(key), Credential::Bearer) => {
                headers.set("authorization", format!("Bearer {}", key.expose()));
            }
            (Auth::Key(key), Credential::Header(name)) => headers.set(name, key.expose()),
            (Auth::Client, credential) => {
                if let Some(key) = client_key(client) {
                    match credential {
                        Credential::Bearer => headers.set("authorization", [b"Bearer ".as_slice(), key].concat()),
                        Credential::Header(name) => headers.set(name, key),
                    }
                }
            }
        }
        headers
    }
}

/// A model's name as one segment of a path.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let digit =
                |half: u8| char::from_digit(u32::from(half), 16).map_or('0', |digit| digit.to_ascii_uppercase());
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out
}

/// The client's key, wherever its SDK puts it.
fn client_key(client: &Headers) -> Option<&[u8]> {
    let bearer = client.bytes("authorization").and_then(|value| {
        let (scheme, key) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(key)
    });
    bearer.or_else(|| ["x-api-key", "api-key", "x-goog-api-key"].iter().find_map(|name| client.bytes(name)))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_quirks;
