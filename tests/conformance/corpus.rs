//! The recorded exchanges, with the bytes they were recorded with.

use crate::json::{Value, parse};
use serde::Deserialize;
use serde_json::value::RawValue;
use sluice::api::{Api, by_name};
use sluice::framing::eventstream;
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
    Stream(Vec<u8>),
    Error(u16, Box<RawValue>),
}

impl Exchange {
    pub fn api(&self) -> &'static dyn Api {
        match self.format.as_str() {
            "openai.responses" => by_name("openai-responses").unwrap(),
            format => by_name(format.split('.').next().unwrap()).unwrap(),
        }
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
    body: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Answered {
    status: u16,
    body: Option<Box<RawValue>>,
    #[serde(alias = "ndjson_text")]
    sse_text: Option<String>,
    body_base64: Option<String>,
    /// Of a binary stream that was kept without its frames.
    events: Option<Vec<Frame>>,
}

#[derive(Deserialize)]
struct Frame {
    headers: BTreeMap<String, String>,
    payload: Value,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

pub fn exchanges() -> Vec<Exchange> {
    let mut files: Vec<PathBuf> = [
        "anthropic.messages",
        "bedrock.converse",
        "bedrock.converse-stream",
        "cohere.v2.chat",
        "gemini.generateContent",
        "gemini.streamGenerateContent",
        "ollama.chat",
        "openai.chat",
        "openai.responses",
    ]
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
    let Answered { status, body, sse_text, body_base64, events } = line.response;
    let frames = events.filter(|_| body.is_none()).map(|events| framed(&events));
    let binary = body_base64.map(|text| base64(&text)).or(frames);
    let said = match (status, body, sse_text.map(String::into_bytes).or(binary)) {
        (200..=299, Some(body), None) => Said::Answer(body),
        (200..=299, None, Some(sse)) => Said::Stream(sse),
        (400.., Some(body), None) => Said::Error(status, body),
        _ => panic!("{}: neither an answer nor a stream nor an error", line.id),
    };
    Exchange {
        id: line.id,
        provider: line.provider,
        format: line.api,
        request: line.request.and_then(|r| r.body),
        said,
    }
}

fn framed(events: &[Frame]) -> Vec<u8> {
    let mut stream = Vec::new();
    for Frame { headers, payload } in events {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        eventstream::write(&mut stream, &headers, payload.to_string().as_bytes());
    }
    stream
}

pub fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        bits = (bits << 6) | DIGITS.iter().position(|digit| *digit == byte).unwrap() as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
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
