//! The recorded exchanges, with the bytes they were recorded with.

use crate::json::{Value, parse};
use serde::Deserialize;
use serde_json::value::RawValue;
use sluice::api::{Api, by_name};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub struct Exchange {
    pub id: String,
    pub provider: String,
    /// As the corpus names it.
    pub format: String,
    pub request: Option<Box<RawValue>>,
    pub said: Said,
}

pub enum Said {
    Answer(Box<RawValue>),
    Stream(String),
    Error(u16, Box<RawValue>),
}

impl Exchange {
    pub fn api(&self) -> &'static dyn Api {
        by_name(self.format.split('.').next().unwrap()).unwrap()
    }
}

#[derive(Deserialize)]
struct Line {
    id: String,
    provider: String,
    api: String,
    request: Option<Asked>,
    response: Answered,
}

#[derive(Deserialize)]
struct Asked {
    body: Box<RawValue>,
}

#[derive(Deserialize)]
struct Answered {
    status: u16,
    body: Option<Box<RawValue>>,
    #[serde(alias = "ndjson_text")]
    sse_text: Option<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

pub fn exchanges() -> Vec<Exchange> {
    let mut files: Vec<PathBuf> = ["anthropic.messages", "cohere.v2.chat", "ollama.chat", "openai.chat"]
        .into_iter()
        .flat_map(|api| fs::read_dir(folder().join(api)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let texts = files.iter().map(|path| fs::read_to_string(path).unwrap());
    texts.flat_map(|text| text.lines().map(exchange).collect::<Vec<_>>()).collect()
}

fn exchange(line: &str) -> Exchange {
    let line: Line = serde_json::from_str(line).unwrap();
    let Answered { status, body, sse_text } = line.response;
    let said = match (status, body, sse_text) {
        (200..=299, Some(body), None) => Said::Answer(body),
        (200..=299, None, Some(sse)) => Said::Stream(sse),
        (400.., Some(body), None) => Said::Error(status, body),
        _ => panic!("{}: neither an answer nor a stream nor an error", line.id),
    };
    Exchange { id: line.id, provider: line.provider, format: line.api, request: line.request.map(|r| r.body), said }
}

/// Checks that fail for an oddity of the provider's: by exchange and check (`stream/across`), the reason.
pub fn odd() -> BTreeMap<(String, String), String> {
    let text = fs::read_to_string(folder().join("odd.json")).unwrap();
    let entries: Vec<[String; 3]> = serde_json::from_str(&text).unwrap();
    let all: BTreeMap<_, _> = entries.iter().cloned().map(|[id, check, why]| ((id, check), why)).collect();
    assert_eq!(all.len(), entries.len(), "odd.json names a check twice");
    all
}

/// One of the vendors' schemas.
pub fn schema(name: &str) -> Value {
    parse(&fs::read_to_string(folder().join("schemas").join(format!("{name}.json"))).unwrap()).unwrap()
}
