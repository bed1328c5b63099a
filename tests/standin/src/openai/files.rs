//! OpenAI's files and batches: any id exists, and nothing is kept.

use serde_json::{Value, json};

use super::error;
use crate::api::{Ask, CREATED, Content, Failure, Line, Named, Reply, Task};

pub const TASK: Task = Task::whole(serves, respond, |failure, _| error(failure));

/// What a file holds.
const CONTENT: &str = "{\"custom_id\":\"standin\"}\n";

fn serves(line: &Line) -> Option<Named> {
    let (_, below) = line.path.split_once("/v1/")?;
    let known = ["files", "batches"].iter().any(|root| below.split('/').next() == Some(*root));
    known.then(|| Named { verb: format!("{} {below}", line.method), ..Named::default() })
}

fn respond(ask: &Ask) -> Result<Reply, Failure> {
    let (method, path) = ask.verb.split_once(' ').unwrap_or_default();
    let steps: Vec<&str> = path.split('/').collect();
    let made = format!("standin{:016x}", ask.seed);
    let list = |one: Value| json!({"object": "list", "data": [one], "has_more": false});
    let body = match (method, steps.as_slice()) {
        ("POST", ["files"]) => {
            let file = ask.body.get("file").and_then(|file| file.get("filename"));
            let file = file.ok_or_else(|| Failure::new(400, "'file' is a required property"))?;
            let purpose =
                ask.body.get("purpose").ok_or_else(|| Failure::new(400, "'purpose' is a required property"))?;
            let bytes = ask.body.pointer("/file/bytes");
            json!({"id": format!("file-{made}"), "object": "file", "bytes": bytes, "created_at": CREATED,
                "filename": file, "purpose": purpose, "status": "processed"})
        }
        ("GET", ["files"]) => list(file("file-standin")),
        ("GET", ["files", id]) => file(id),
        ("DELETE", ["files", id]) => json!({"id": id, "object": "file", "deleted": true}),
        ("GET", ["files", _, "content"]) => {
            let content = Content::Bytes("application/octet-stream", CONTENT.as_bytes().to_vec());
            return Ok(Reply::new(content, Value::Null));
        }
        ("POST", ["batches"]) => {
            let given = |name: &str| {
                let found = ask.body.get(name).and_then(Value::as_str);
                found.ok_or_else(|| Failure::new(400, format!("Missing required parameter: '{name}'.")).param(name))
            };
            batch(&format!("batch_{made}"), given("input_file_id")?, given("endpoint")?, given("completion_window")?)
        }
        ("GET", ["batches"]) => list(batch("batch_standin", "file-standin", "/v1/chat/completions", "24h")),
        ("GET", ["batches", id]) => batch(id, "file-standin", "/v1/chat/completions", "24h"),
        _ => return Err(Failure::new(404, format!("Invalid URL ({method} /v1/{path})"))),
    };
    Ok(Reply::json(&body, Value::Null))
}

fn file(id: &str) -> Value {
    json!({"id": id, "object": "file", "bytes": CONTENT.len(), "created_at": CREATED, "filename": "standin.jsonl",
        "purpose": "batch", "status": "processed"})
}

fn batch(id: &str, input: &str, endpoint: &str, window: &str) -> Value {
    json!({"id": id, "object": "batch", "endpoint": endpoint, "errors": null, "input_file_id": input,
        "completion_window": window, "status": "validating", "created_at": CREATED,
        "request_counts": {"total": 0, "completed": 0, "failed": 0}, "metadata": null})
}
