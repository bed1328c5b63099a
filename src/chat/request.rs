use super::{Losses, Number, Raw};
use crate::base64;

/// One request for a chat answer. Numbers keep the text they came in.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// As the client named it.
    pub model: String,
    /// In order. System turns may stand anywhere; a target that wants them apart collects them.
    pub turns: Vec<Turn>,
    pub tools: Vec<Tool>,
    pub tool_choice: Option<ToolChoice>,
    /// May several tools be called in one turn; `None`: the API's default.
    pub parallel_tools: Option<bool>,
    pub max_tokens: Option<u64>,
    pub stop: Vec<String>,
    pub temperature: Option<Number>,
    pub top_p: Option<Number>,
    pub top_k: Option<Number>,
    pub seed: Option<Number>,
    pub frequency_penalty: Option<Number>,
    pub presence_penalty: Option<Number>,
    /// How many answers; `None` is one.
    pub n: Option<u64>,
    pub logprobs: Option<bool>,
    pub top_logprobs: Option<u64>,
    pub logit_bias: Option<Raw>,
    pub format: Option<Format>,
    pub reasoning: Option<Reasoning>,
    pub verbosity: Option<Verbosity>,
    /// The end user, as the application names them.
    pub user: Option<String>,
    /// String pairs kept with the call.
    pub metadata: Vec<(String, String)>,
    pub service_tier: Option<String>,
    /// Cache the prompt up to the last cacheable block without a mark of its own.
    pub cache: Option<Raw>,
    pub stream: bool,
    /// The client wants usage in the stream.
    pub stream_usage: bool,
    /// Top-level members that no other field stands for, by name. A target of another API cannot express them.
    pub extra: Vec<(String, Raw)>,
    /// What only the client's own API can say: lost on every target of another.
    pub losses: Losses,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    System,
    /// Instructions from the developer, below the system's.
    Developer,
    User,
    Assistant,
    /// Holds only [`Part::ToolResult`]s.
    Tool,
}

#[derive(Clone, Debug)]
pub struct Turn {
    pub role: Role,
    /// The participant's name, where the API has one.
    pub name: Option<String>,
    pub parts: Vec<Part>,
}

/// A piece of a turn or of an answer. `cache` is the mark "cache the prompt up to here", as the client wrote it.
#[derive(Clone, Debug)]
pub enum Part {
    Text {
        text: String,
        citations: Vec<Citation>,
        cache: Option<Raw>,
    },
    Image {
        source: Source,
        /// `low`, `high`, `auto`.
        detail: Option<String>,
        cache: Option<Raw>,
    },
    Document {
        source: Source,
        /// The file's name or the document's title.
        name: Option<String>,
        /// What the document is about, for the model, not to be cited.
        context: Option<String>,
        citations: Option<bool>,
        cache: Option<Raw>,
    },
    Audio {
        /// Base64.
        data: String,
        /// `wav`, `mp3`.
        format: String,
    },
    /// The assistant calls a tool. `arguments` is JSON text, or what a cut answer left of it.
    ToolCall {
        id: String,
        name: String,
        arguments: String,
        /// The provider's proof of the thinking that led to the call; only that provider can read it.
        signature: Option<String>,
        cache: Option<Raw>,
    },
    ToolResult {
        id: String,
        /// Text, images and documents.
        parts: Vec<Part>,
        is_error: bool,
        cache: Option<Raw>,
    },
    Thinking {
        text: String,
        /// The provider's proof that it wrote the text; only that provider can read it.
        signature: Option<String>,
    },
    /// Thinking that the provider sealed.
    Redacted {
        data: String,
    },
    Refusal {
        text: String,
    },
    /// A part that only its own API knows, with its type: server tool calls and results, search results.
    Other {
        kind: String,
        raw: Raw,
    },
}

impl Part {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), citations: Vec::new(), cache: None }
    }
}

/// Where the bytes of an image or a document are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// No `data:` URL in base64: see [`Source::at`].
    Url(String),
    Base64 {
        media_type: String,
        data: String,
    },
    /// An id in the provider's own store of files.
    File(String),
    /// A document given as plain text.
    Text(String),
}

impl Source {
    /// What a URL says: a `data:` URL has the bytes in it.
    pub fn at(url: &str) -> Self {
        match base64::data_url(url) {
            Some((media_type, data)) => Self::Base64 { media_type: media_type.to_owned(), data: data.to_owned() },
            None => Self::Url(url.to_owned()),
        }
    }

    /// Media type and base64.
    pub fn inline(&self) -> Option<(&str, &str)> {
        match self {
            Self::Base64 { media_type, data } => Some((media_type, data)),
            Self::Url(_) | Self::File(_) | Self::Text(_) => None,
        }
    }
}

/// Whether a file of that type is text, as a model reads it.
pub fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/") || matches!(media_type, "application/json" | "application/xml")
}

/// The text of a file in base64, if it is one of text.
pub fn file_text(media_type: &str, data: &str) -> Option<String> {
    is_text(media_type).then(|| String::from_utf8(base64::decode(data)?).ok()).flatten()
}

/// Where a statement of an answer comes from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Citation {
    pub url: Option<String>,
    pub title: Option<String>,
    /// The text that is quoted.
    pub quote: Option<String>,
    /// Characters of the answer's text that rest on it.
    pub span: Option<(u64, u64)>,
}

#[derive(Clone, Debug)]
pub struct Tool {
    pub name: String,
    pub description: Option<String>,
    /// JSON Schema of the arguments.
    pub schema: Option<Raw>,
    pub strict: Option<bool>,
    pub cache: Option<Raw>,
    /// A tool that only its own API knows (run by the provider), with its type: then `schema` is the whole tool.
    pub vendor: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    Auto,
    None,
    /// Some tool must be called.
    Required,
    Named(String),
    /// One of these, and whether one must be called.
    Allowed {
        names: Vec<String>,
        required: bool,
    },
}

#[derive(Clone, Debug)]
pub enum Format {
    Text,
    JsonObject,
    JsonSchema { name: Option<String>, description: Option<String>, schema: Raw, strict: Option<bool> },
}

/// How much to think before answering. Both an effort and a budget may be given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    pub effort: Option<Effort>,
    /// At most so many tokens of thinking.
    pub budget: Option<u64>,
    /// The model decides how much (a budget is then absent).
    pub adaptive: bool,
    /// Show the thinking: `summarized`, `omitted`, as the client wrote it.
    pub display: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Do not think.
    None,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

impl Effort {
    /// From the least. One table for both directions, so that an effort survives a target that counts tokens.
    const BUDGETS: [(Self, u64); 7] = [
        (Self::None, 0),
        (Self::Minimal, 1 << 10),
        (Self::Low, 1 << 11),
        (Self::Medium, 1 << 13),
        (Self::High, 1 << 14),
        (Self::XHigh, 1 << 15),
        (Self::Max, 1 << 16),
    ];

    /// The tokens of thinking it stands for, where a target wants a number.
    pub fn budget(self) -> u64 {
        Self::BUDGETS.iter().find(|(effort, _)| *effort == self).map_or(0, |(_, tokens)| *tokens)
    }

    /// The most effort whose budget is not above that many tokens; any budget at all is at least `Minimal`.
    pub fn of_budget(tokens: u64) -> Self {
        let most = Self::BUDGETS.iter().rev().find(|(_, least)| *least <= tokens).map_or(Self::None, |(e, _)| *e);
        if most == Self::None && tokens > 0 { Self::Minimal } else { most }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    Low,
    Medium,
    High,
}

#[cfg(test)]
mod tests {
    use super::Effort;

    #[test]
    fn an_effort_survives_as_a_budget() {
        for (effort, tokens) in Effort::BUDGETS {
            assert_eq!(effort.budget(), tokens);
            assert_eq!(Effort::of_budget(tokens), effort);
        }
        for (tokens, effort) in [(1, Effort::Minimal), (8191, Effort::Low), (u64::MAX, Effort::Max)] {
            assert_eq!(Effort::of_budget(tokens), effort, "{tokens}");
        }
    }
}
