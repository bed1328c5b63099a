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
    pub model: String,
    pub path: Option<String>,
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
            "openai.completions" => by_name("openai-completions").unwrap(),
            "openai.responses" => by_name("openai-responses").unwrap(),
            // Claude's models: what their vendor takes, but for where the model and the wish for a stream stand.
            "bedrock.invoke" => by_name("anthropic").unwrap(),
            format => by_name(format.split('.').next().unwrap()).unwrap(),
        }
    }
}

#[derive(Deserialize)]
struct Line {
    id: String,
    provider: String,
    api: String,
    model: Option<String>,
    request: Option<Asked>,
    response: Answered,
}

#[derive(Deserialize)]
struct Asked {
    path: Option<String>,
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

/// `CORPUS` names another folder: one that `refresh` has filled with all that was recorded.
pub fn folder() -> PathBuf {
    std::env::var_os("CORPUS").map_or(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus"), PathBuf::from)
}

pub fn exchanges() -> Vec<Exchange> {
    let apis = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let apis = apis.filter(|path| path.is_dir() && !path.ends_with("schemas") && !path.ends_with("LICENSES"));
    let apis = apis.filter(|path| !path.ends_with("peers"));
    let files = apis.flat_map(|api| fs::read_dir(api).unwrap()).map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.collect();
    files.sort();
    let texts = files.iter().map(|path| fs::read_to_string(path).unwrap());
    texts.flat_map(|text| text.lines().map(exchange).collect::<Vec<_>>()).collect()
}

fn exchange(line: &str) -> Exchange {
    let line: Line = serde_json::from_str(line).unwrap();
    let Answered { status, body, sse_text, body_base64, events } = line.response;
    let frames = events.filter(|_| body.is_none()).map(|events| framed(&events));
    let binary = body_base64.map(|text| base64(&text)).or(frames);
    let model = line.model.unwrap_or_default();
    // A stream that was asked for as one array: its elements are the events that another would have had.
    let (body, sse_text) = match body {
        Some(body) if line.api == "gemini.streamGenerateContent" && body.get().starts_with('[') && status < 300 => {
            let events: Vec<Box<RawValue>> = serde_json::from_str(body.get()).unwrap();
            (None, Some(events.iter().map(|event| format!("data: {}\n\n", compact(event))).collect()))
        }
        body => (body, sse_text),
    };
    let said = match (status, body, sse_text.map(String::into_bytes).or(binary)) {
        (200..=299, Some(body), None) => Said::Answer(body),
        (200..=299, None, Some(sse)) => Said::Stream(sse),
        (400.., Some(body), None) => Said::Error(status, body),
        _ => panic!("{}: neither an answer nor a stream nor an error", line.id),
    };
    Exchange {
        id: line.id,
        provider: line.provider,
        path: line.request.as_ref().and_then(|r| r.path.clone()),
        request: line.request.and_then(|r| r.body).map(|body| with_model(&line.api, &model, body)),
        format: line.api,
        model,
        said,
    }
}

/// Amazon's path names the model; its maker's body does.
fn with_model(api: &str, model: &str, body: Box<RawValue>) -> Box<RawValue> {
    match api == "bedrock.invoke" && model.contains("anthropic.") {
        true => RawValue::from_string(body.get().replacen('{', &format!("{{\"model\":\"{model}\","), 1)).unwrap(),
        false => body,
    }
}

/// On one line.
fn compact(event: &RawValue) -> String {
    parse(event.get()).unwrap().to_string()
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
