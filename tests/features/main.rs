//! `docs/features.md` is what this finds: every client's dialect against every provider's API, feature by feature, each
//! carried through the translators and read again. `UPDATE=1 cargo test --test features` writes it anew.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "all of it is a test"
)]

mod answers;
mod asks;
mod thinking;

use sluice::api::{APIS, Api, Asked, Line, Named, Operation, Target};
use sluice::chat::{Effect, Losses, Request};
use sluice::error::Error;
use sluice::http::Headers;
use sluice::json::{Body, splice};
use std::fmt::Write as _;
use std::path::Path;

/// What becomes of a feature between a client and a provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    Yes,
    /// The client's API cannot say it, or has no place for it.
    NoWord,
    /// The provider's API does not tell it.
    NotGiven,
    Dropped(Vec<&'static str>),
    Refused(Vec<&'static str>),
    /// Neither carried nor counted.
    Defect(String),
}

impl Cell {
    fn text(&self) -> String {
        match self {
            Self::Yes => "yes".to_owned(),
            Self::NoWord => "–".to_owned(),
            Self::NotGiven => "not given".to_owned(),
            Self::Dropped(labels) => format!("dropped: `{}`", labels.join("`, `")),
            Self::Refused(labels) => format!("refused: `{}`", labels.join("`, `")),
            Self::Defect(why) => format!("DEFECT {why}"),
        }
    }

    /// The worse of a feature's two, in a whole answer and in a stream.
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

/// A row of every client's table.
pub struct Row {
    pub name: &'static str,
    pub cell: Box<dyn Fn(&'static dyn Api, &'static dyn Api) -> Cell>,
}

/// Models that can do what their API can.
pub fn model(api: &dyn Api) -> &'static str {
    match api.name() {
        "anthropic" => "claude-sonnet-4-5",
        "bedrock" => "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "cohere" => "command-a-reasoning-08-2025",
        "gemini" => "gemini-3-pro-preview",
        "ollama" => "qwen3",
        _ => "gpt-5.2",
    }
}

pub fn target(api: &dyn Api) -> Target<'static> {
    Target { model: model(api), max_tokens: 4096, stream_usage: true, echo_reasoning: false }
}

pub fn asked() -> Asked {
    Asked { model: "asked".to_owned(), id: "made".to_owned(), created: 5, stream_usage: true, ..Asked::default() }
}

/// A request as it arrives: its path may say a part of it.
pub fn arrived(api: &dyn Api, body: &[u8], stream: bool) -> Result<Request, Error> {
    let full = format!("{}{}", api.base_path(), api.chat_path(model(api), stream));
    let (path, query) = full.split_once('?').unwrap_or((&full, ""));
    let named = match api.operation(&Line { method: "POST", path, query, headers: &Headers::default() }) {
        Some(Operation::Chat(named)) => named,
        _ => Named::default(),
    };
    let mut request = api.read_request(Body::parse(body)?.value())?;
    request.model = named.model.unwrap_or(request.model);
    request.stream = named.stream.unwrap_or(request.stream);
    Ok(request)
}

/// What the losses mean for a feature that did not arrive.
pub fn lost(losses: &Losses) -> Cell {
    let of = |effect| losses.iter().filter(move |loss| loss.effect == effect).map(|loss| loss.what).collect();
    match (losses.worst(), losses.iter().next()) {
        (Some(_), _) => Cell::Refused(of(Effect::Meaning)),
        (None, Some(_)) => Cell::Dropped(of(Effect::Hint)),
        (None, None) => Cell::Defect("is lost in silence".to_owned()),
    }
}

/// The same API on both sides: all but the model's name stays as it is, byte for byte.
fn spliced(api: &dyn Api, body: &[u8]) -> bool {
    let parsed = Body::parse(body).unwrap();
    let quiet = Target { stream_usage: false, ..target(api) };
    let edits = api.splice(parsed.value(), &quiet).edits;
    splice(body, &edits) == body
}

fn row(name: &'static str, cell: impl Fn(&'static dyn Api, &'static dyn Api) -> Cell + 'static) -> Row {
    Row { name, cell: Box::new(cell) }
}

fn rows() -> Vec<Row> {
    let mut rows = asks::rows();
    rows.extend(thinking::rows());
    rows.extend(answers::rows());
    rows
}

const NAMES: [(&str, &str); 8] = [
    ("anthropic", "Anthropic Messages"),
    ("cohere", "Cohere chat"),
    ("bedrock", "Bedrock Converse"),
    ("gemini", "Gemini generateContent"),
    ("ollama", "Ollama chat"),
    ("openai", "OpenAI Chat Completions"),
    ("openai-completions", "OpenAI Completions"),
    ("openai-responses", "OpenAI Responses"),
];

const HEAD: &str = "\
# What works between which APIs

For each client's API a table: a row for each feature, a column for each API that a provider may speak. `cargo test --test features` carries every
feature through the translators, in a whole answer and in a stream, reads again what arrives at the provider and at the client, and fails if this page
says otherwise; `UPDATE=1` before it writes the page anew.

- **yes**: it arrives, both ways, streamed or not.
- **refused**: the provider's API cannot say it, and the answer would be another without it. That target is passed over; if no other is left, the
  client gets a 400 that names it, unless [`on_loss: drop`](configuration.md#what-an-api-cannot-express) is set. The label is explained in
  [Translation](translation.md).
- **dropped**: the provider's API cannot say it, and the answer is as good without it. It is left out, counted in `sluice_losses_total`, and named in the
  log's `losses`.
- **not given**: the provider's API does not tell it.
- **–**: the client's API cannot say it, or has no place for it in an answer.

Where both speak the same API, the bytes go through as they are. What differs by model is shown for `claude-sonnet-4-5`, `command-a-reasoning-08-2025`,
`gemini-3-pro-preview`, `qwen3` and `gpt-5.2`. Every row of answers is tested whole and streamed. Azure, Vertex AI and the kinds that are said to be
compatible in [Providers](providers.md) speak one of these APIs.
";

fn page(defects: &mut Vec<String>) -> String {
    let rows = rows();
    let mut page = HEAD.to_owned();
    let providers = || APIS.iter().copied().filter(|api| api.converses());
    for client in APIS.iter().copied() {
        let name = NAMES.iter().find(|(name, _)| *name == client.name()).unwrap().1;
        let _ = write!(page, "\n## Clients of {name}\n\n| |");
        providers().for_each(|provider| _ = write!(page, " {} |", provider.name()));
        let _ = write!(page, "\n|---|{}", "---|".repeat(providers().count()));
        for row in &rows {
            let _ = write!(page, "\n| {} |", row.name);
            for provider in providers() {
                let cell = (row.cell)(client, provider);
                if let Cell::Defect(why) = &cell {
                    defects.push(format!("{}, {} to {}: {why}", row.name, client.name(), provider.name()));
                }
                let _ = write!(page, " {} |", cell.text());
            }
        }
        page.push('\n');
    }
    page
}

#[test]
fn the_page_says_what_works() {
    let mut defects = Vec::new();
    let page = page(&mut defects);
    assert!(defects.is_empty(), "{} defects:\n{}", defects.len(), defects.join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/features.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differ = page.lines().zip(written.lines()).find(|(a, b)| a != b);
    assert!(page == written, "docs/features.md differs (UPDATE=1 writes it): {differ:?}");
}
