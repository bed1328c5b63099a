//! Anthropic's models at Vertex AI.

use serde_json::{Value, json};

use super::decoded;
use crate::anthropic;
use crate::api::{Ask, Failure, Line, Named, Reply, Task};
use crate::events::Framing;

pub const TASK: Task = Task {
    serves,
    streams: |body| (body.get("stream") == Some(&Value::Bool(true))).then_some(Framing::Sse),
    answer: respond,
    error: |failure, _| anthropic::error(failure),
    error_event: anthropic::error_event,
};

const VERSION: &str = "vertex-2023-10-16";

fn serves(line: &Line) -> Option<Named> {
    let (_, last) = line.path.rsplit_once("/publishers/anthropic/models/")?;
    let (model, verb) = last.rsplit_once(':')?;
    let framing = (verb == "streamRawPredict").then_some(Framing::Sse);
    let known = line.method == "POST" && matches!(verb, "rawPredict" | "streamRawPredict");
    known.then(|| Named { model: Some(decoded(model)), framing, verb: verb.to_owned() })
}

fn respond(ask: &Ask) -> Result<Reply, Failure> {
    let mut body = ask.body.clone();
    let members = body.as_object_mut().ok_or_else(|| Failure::new(400, "The request is no object."))?;
    if members.remove("anthropic_version") != Some(json!(VERSION)) {
        return Err(Failure::new(400, "anthropic_version: Field required"));
    }
    if ask.model == "count-tokens" {
        return anthropic::counted(&Ask { body: &body, ..*ask });
    }
    if members.insert("model".to_owned(), json!(ask.model)).is_some() {
        return Err(Failure::new(400, "model: Extra inputs are not permitted"));
    }
    anthropic::message(&Ask { body: &body, ..*ask })
}
