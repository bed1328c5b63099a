//! What models at Bedrock are invoked with: Anthropic's messages, embeddings of Titan and of Cohere.

use serde_json::{Value, json};

use super::{error, error_event, named};
use crate::answer::Weight;
use crate::anthropic;
use crate::api::{Ask, Content, Failure, Reply, Task};
use crate::events::{Events, Framing};
use crate::eventstream;
use crate::vector::{base64, vector};

pub const TASK: Task = Task {
    serves: |line| named(line, "/invoke", "/invoke-with-response-stream"),
    streams: |_| None,
    answer: respond,
    error: |failure, _| error(failure),
    error_event,
};

const VERSION: &str = "bedrock-2023-05-31";

fn respond(ask: &Ask) -> Result<Reply, Failure> {
    let reply = match ask.model {
        model if model.contains("amazon.titan-embed") => titan(ask),
        model if model.contains("cohere.embed") => crate::cohere::embed(ask, true),
        _ => claude(ask),
    }?;
    let mut weight = Weight::default();
    weight.add(ask.body);
    let count = ("x-amzn-bedrock-input-token-count", weight.tokens().to_string());
    Ok(Reply { headers: vec![count], ..reply })
}

fn claude(ask: &Ask) -> Result<Reply, Failure> {
    let mut body = ask.body.clone();
    let members = body.as_object_mut().ok_or_else(|| Failure::new(400, "Malformed input request"))?;
    if members.remove("anthropic_version") != Some(json!(VERSION)) {
        return Err(Failure::new(400, "anthropic_version: Field required"));
    }
    members.remove("anthropic_beta");
    for name in ["model", "stream"] {
        if members.contains_key(name) {
            return Err(Failure::new(400, format!("{name}: Extra inputs are not permitted")));
        }
    }
    members.insert("model".to_owned(), json!(ask.model));
    let reply = anthropic::message(&Ask { body: &body, ..*ask })?;
    let content = match reply.content {
        Content::Stream(events) => Content::Stream(framed(&events)),
        whole => whole,
    };
    Ok(Reply { content, ..reply })
}

/// Anthropic's events, each in a frame of Amazon's.
fn framed(events: &Events) -> Events {
    let mut frames = Events::new(Framing::Frames);
    for event in events.iter() {
        let text = String::from_utf8_lossy(event);
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_default();
        frames.raw(eventstream::event("chunk", &json!({"bytes": base64(data.as_bytes()), "p": "abcd"}).to_string()));
    }
    frames
}

fn titan(ask: &Ask) -> Result<Reply, Failure> {
    const KNOWN: &[&str] = &["inputText", "inputImage", "dimensions", "normalize", "embeddingTypes", "embeddingConfig"];
    let members = ask.body.as_object().ok_or_else(|| Failure::new(400, "Malformed input request"))?;
    if let Some(unknown) = members.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(Failure::new(400, format!("Malformed input request: extraneous key [{unknown}] is not permitted")));
    }
    let text = members.get("inputText").and_then(Value::as_str);
    let text = text.ok_or_else(|| Failure::new(400, "Malformed input request: required key [inputText] not found"))?;
    let vector = vector(text, members.get("dimensions").and_then(Value::as_u64));
    let body = json!({"embedding": vector, "embeddingsByType": {"float": vector}, "inputTextTokenCount": text.len().div_ceil(4)});
    Ok(Reply::json(&body, Value::Null))
}
