//! Anthropic Messages.

mod check;
mod turns;
mod write;

use serde_json::{Value, json};

use crate::answer::{Choice, Format, Prompt, Tool, Weight, answer};
use crate::api::{Api, Ask, Content, Failure, Reply, Task, hash, models};
use crate::check::{Bad, Mode, Problem, Step};
use crate::events::{Framing, object, quoted};
use write::Writer;

pub const API: Api = Api {
    name: "anthropic",
    tasks: &[MESSAGES, Task::whole(|line| line.posts("/messages/count_tokens"), count, |failure, _| error(failure))],
    speaks: |headers| headers.contains_key("anthropic-version") || headers.contains_key("x-api-key"),
    key: |headers| match headers.get("x-api-key") {
        Some(key) => key.to_str().ok(),
        None => crate::openai::bearer(headers),
    },
    failure,
    interruption: 529,
    headers: &[
        ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
        ("anthropic-ratelimit-input-tokens-limit", "2000000"),
        ("anthropic-ratelimit-input-tokens-remaining", "1999000"),
        ("anthropic-ratelimit-input-tokens-reset", "2026-01-01T00:00:01Z"),
        ("anthropic-ratelimit-output-tokens-limit", "400000"),
        ("anthropic-ratelimit-output-tokens-remaining", "399000"),
        ("anthropic-ratelimit-output-tokens-reset", "2026-01-01T00:00:01Z"),
        ("anthropic-ratelimit-requests-limit", "4000"),
        ("anthropic-ratelimit-requests-remaining", "3999"),
        ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:01Z"),
        ("anthropic-ratelimit-tokens-limit", "2400000"),
        ("anthropic-ratelimit-tokens-remaining", "2398000"),
        ("anthropic-ratelimit-tokens-reset", "2026-01-01T00:00:01Z"),
    ],
    request_id: "request-id",
    error_header: None,
    models: list,
};

const MESSAGES: Task = Task {
    serves: |line| line.posts("/messages"),
    streams,
    answer: respond,
    error: |failure, _| error(failure),
    error_event,
};

fn streams(body: &Value) -> Option<Framing> {
    (body.get("stream") == Some(&Value::Bool(true))).then_some(Framing::Sse)
}

pub fn error_event(failure: &Failure, _: Framing) -> Vec<u8> {
    format!("event: error\ndata: {}\n\n", error(failure)).into_bytes()
}

/// What the prompt comes to.
fn count(ask: &Ask) -> Result<Reply, Failure> {
    versioned(ask)?;
    counted(ask)
}

pub fn counted(ask: &Ask) -> Result<Reply, Failure> {
    let mut body = ask.body.clone();
    if let Some(body) = body.as_object_mut() {
        body.entry("max_tokens").or_insert(json!(1));
    }
    let mode = Mode { lenient: ask.shape.lenient, nulls: false };
    check::request(&body, ask.headers.contains_key("anthropic-beta"), mode).map_err(|bad| refused(&bad))?;
    let Input { fresh, read, written } = input(ask.body);
    let tokens = fresh.saturating_add(read).saturating_add(written);
    Ok(Reply::json(&json!({"input_tokens": tokens}), Value::Null))
}

fn versioned(ask: &Ask) -> Result<(), Failure> {
    match ask.headers.contains_key("anthropic-version") {
        true => Ok(()),
        false => Err(Failure::new(400, "anthropic-version: header is required")),
    }
}

/// Prompts this long are read from the cache in part, as if they were marked.
const CACHED_FROM: u64 = 1024;
/// Most tokens of a thinking block.
const MAX_THOUGHT: usize = 24;

fn list(id: Option<&str>) -> Value {
    let entry = |id: &str| json!({"type": "model", "id": id, "display_name": id, "created_at": "2025-01-01T00:00:00Z"});
    match models(id, &["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"], entry) {
        Value::Array(data) => {
            let id = |entry: Option<&Value>| entry.and_then(|entry| entry.get("id")).cloned();
            json!({"first_id": id(data.first()), "last_id": id(data.last()), "has_more": false, "data": data})
        }
        one => one,
    }
}

pub fn error(failure: &Failure) -> String {
    let (kind, message) = match failure.status {
        401 => ("authentication_error", "invalid x-api-key"),
        403 => ("permission_error", "Your API key does not have permission to use the specified resource."),
        404 => ("not_found_error", "The requested resource could not be found."),
        408 | 504 => ("timeout_error", "The request timed out."),
        413 => ("request_too_large", "Request exceeds the maximum size."),
        429 => {
            ("rate_limit_error", "This request would exceed your organization's rate limit. Please try again later.")
        }
        529 => ("overloaded_error", "Overloaded"),
        status if status >= 500 => ("api_error", "Internal server error"),
        _ => ("invalid_request_error", "The request is invalid."),
    };
    let kind = failure.kind.as_deref().unwrap_or(kind);
    let message = failure.message.as_deref().unwrap_or(message);
    let error = object(&[("type", &quoted(kind)), ("message", &quoted(message))]);
    object(&[("type", &quoted("error")), ("error", &error), ("request_id", &quoted("req_standin"))])
}

/// The names of other vendors' codes are understood too: a rehearsal need not know who serves it.
fn failure(code: &str) -> Option<Failure> {
    let (status, kind, message) = match code {
        "context_length_exceeded" => {
            (400, "invalid_request_error", "prompt is too long: 210001 tokens > 200000 maximum")
        }
        "insufficient_quota" => {
            (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.")
        }
        "content_filter" | "content_policy_violation" => {
            (400, "invalid_request_error", "Output blocked by content filtering policy")
        }
        "invalid_request_error" => (400, code, "The request is invalid."),
        "authentication_error" | "invalid_api_key" => (401, "authentication_error", "invalid x-api-key"),
        "permission_error" => (403, code, "Your API key does not have permission to use the specified resource."),
        "not_found_error" | "model_not_found" => (404, "not_found_error", "model: not found"),
        "request_too_large" => (413, code, "Request exceeds the maximum size."),
        "rate_limit_error" | "rate_limit_exceeded" => {
            (429, "rate_limit_error", "This request would exceed your organization's rate limit.")
        }
        "api_error" => (500, code, "Internal server error"),
        "timeout_error" => (504, code, "The request timed out."),
        "overloaded_error" => (529, code, "Overloaded"),
        _ => return None,
    };
    Some(Failure { kind: Some(kind.to_owned()), ..Failure::new(status, message) })
}

/// In the vendor's words.
fn refused(bad: &Bad) -> Failure {
    let steps = bad.at.iter().map(|step| match step {
        Step::Key(name) => name.clone(),
        Step::Index(at) => at.to_string(),
    });
    let path = steps.collect::<Vec<_>>().join(".");
    let message = match &bad.problem {
        Problem::Unknown => "Extra inputs are not permitted".to_owned(),
        Problem::Missing => "Field required".to_owned(),
        Problem::Type { wanted, .. } => format!("Input should be a valid {wanted}"),
        Problem::Value { got, allowed } => {
            let allowed: Vec<_> = allowed.iter().map(|one| format!("'{one}'")).collect();
            format!("Input should be {}, not '{got}'", allowed.join(" or "))
        }
        Problem::TooShort { least } => format!("List should have at least {least} item after validation"),
        Problem::Range { least, most } => format!("Input should be from {least} to {most}"),
        Problem::Rule(message) => message.clone(),
    };
    Failure::new(400, if path.is_empty() { message } else { format!("{path}: {message}") })
}

/// What this server puts on a thinking block, so that it knows its own again.
fn signature(thinking: &str) -> String {
    format!("StandinSignature{:016x}", hash(thinking.as_bytes()))
}

/// Thinking that only this server can read: it knows its own again too.
fn sealed(thinking: &str) -> String {
    let hidden = format!("{:016x}", hash(thinking.as_bytes()));
    let seal = signature(&hidden);
    hidden + &seal
}

fn is_sealed(data: &str) -> bool {
    data.split_at_checked(16).is_some_and(|(hidden, seal)| signature(hidden) == seal)
}

fn respond(ask: &Ask) -> Result<Reply, Failure> {
    versioned(ask)?;
    message(ask)
}

/// A request that is known to be of a version: clouds have it in the body.
pub fn message(ask: &Ask) -> Result<Reply, Failure> {
    let mode = Mode { lenient: ask.shape.lenient, nulls: false };
    check::request(ask.body, ask.headers.contains_key("anthropic-beta"), mode).map_err(|bad| refused(&bad))?;
    let prompt = prompt(ask.body);
    let mut answer = answer(&prompt, ask.shape, 0);
    let output = answer.tokens();
    // Thinking that is not to be shown is signed and counted all the same.
    let omitted = ask.body.pointer("/thinking/display").and_then(Value::as_str) == Some("omitted");
    let thinking = std::mem::take(&mut answer.thinking);
    let thinking = (prompt.reasoning > 0).then_some(if omitted { Vec::new() } else { thinking });
    let text = Writer {
        seed: ask.seed,
        model: ask.model,
        thinking,
        redacted: ask.shape.redacted,
        input: input(ask.body),
        output,
    };
    let usage = text.usage();
    let content = match ask.framing {
        Some(_) => Content::Stream(text.stream(&answer)),
        None => Content::Whole(text.whole(&answer)),
    };
    Ok(Reply::new(content, usage))
}

fn prompt(body: &Value) -> Prompt {
    let empty = Vec::new();
    let list = |name: &str| body.get(name).and_then(Value::as_array).unwrap_or(&empty);
    let last = list("messages").iter().rev().find(|message| message.get("role") == Some(&json!("user")));
    let content = last.and_then(|message| message.get("content"));
    let parts = content.and_then(Value::as_array).unwrap_or(&empty);
    let is_result = |part: &&Value| part.get("type") == Some(&json!("tool_result"));
    let result = parts.iter().any(|part| is_result(&part));
    let text = match content {
        Some(Value::String(text)) => text.clone(),
        _ if result => parts
            .iter()
            .filter(is_result)
            .filter_map(|part| Some(joined(part.get("content")?)))
            .collect::<Vec<_>>()
            .join(" "),
        Some(parts) => joined(parts),
        None => String::new(),
    };
    let tools = list("tools").iter().filter_map(|tool| {
        Some(Tool { name: tool.get("name")?.as_str()?.to_owned(), schema: tool.get("input_schema")?.clone() })
    });
    let choice = match body.pointer("/tool_choice/type").and_then(Value::as_str) {
        Some("none") => Choice::None,
        Some("any") => Choice::Any,
        Some("tool") => {
            Choice::Named(body.pointer("/tool_choice/name").and_then(Value::as_str).unwrap_or_default().to_owned())
        }
        _ => Choice::Auto,
    };
    // Adaptive thinking gives way to a forced call; thinking with a budget refuses one.
    let thinks = match body.pointer("/thinking/type").and_then(Value::as_str) {
        Some("adaptive") => !matches!(choice, Choice::Any | Choice::Named(_)),
        kind => kind == Some("enabled"),
    };
    let stop = list("stop_sequences").iter().filter_map(Value::as_str).map(str::to_owned);
    Prompt {
        text,
        result,
        tools: tools.collect(),
        choice,
        single: body.pointer("/tool_choice/disable_parallel_tool_use") == Some(&Value::Bool(true)),
        json: body.pointer("/output_config/format/schema").map(|schema| Format::Schema(schema.clone())),
        reasoning: if thinks { MAX_THOUGHT } else { 0 },
        max_tokens: body.get("max_tokens").and_then(Value::as_u64),
        stop: stop.collect(),
    }
}

fn joined(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

/// Tokens of the prompt. What is read from and written to the cache is not in `fresh`.
struct Input {
    fresh: u64,
    read: u64,
    written: u64,
}

fn input(body: &Value) -> Input {
    let mut weight = Weight::default();
    ["system", "messages", "tools", "output_config"]
        .iter()
        .filter_map(|name| body.get(*name))
        .for_each(|part| weight.add(part));
    let marked = weight.marked || body.get("cache_control").is_some_and(|mark| !mark.is_null());
    let total = weight.tokens();
    let (read, written) = if marked || total >= CACHED_FROM { (total / 2, total / 4) } else { (0, 0) };
    Input { fresh: total.saturating_sub(read).saturating_sub(written), read, written }
}
