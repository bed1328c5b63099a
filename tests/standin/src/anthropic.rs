//! Anthropic Messages.

mod check;

use serde_json::{Value, json};

use crate::answer::{Answer, Choice, Finish, Format, Prompt, Tool, Weight, answer};
use crate::api::{Api, Ask, Content, Failure, Reply, hash, models};
use crate::check::{Bad, Mode, Problem, Step};
use crate::events::{Events, quoted};

pub const API: Api = Api {
    name: "anthropic",
    serves: |path| path.ends_with("/messages"),
    speaks: |headers| headers.contains_key("anthropic-version") || headers.contains_key("x-api-key"),
    key: |headers| match headers.get("x-api-key") {
        Some(key) => key.to_str().ok(),
        None => crate::openai::bearer(headers),
    },
    answer: respond,
    error,
    error_event: |failure| format!("event: error\ndata: {}\n\n", error(failure)),
    failure,
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
    models: list,
};

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

fn error(failure: &Failure) -> Value {
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
    json!({
        "type": "error",
        "error": {
            "type": failure.kind.as_deref().unwrap_or(kind),
            "message": failure.message.as_deref().unwrap_or(message),
        },
        "request_id": "req_standin",
    })
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

fn respond(ask: &Ask) -> Result<Reply, Failure> {
    if !ask.headers.contains_key("anthropic-version") {
        return Err(Failure::new(400, "anthropic-version: header is required"));
    }
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
    let usage = text.usage(output);
    let content = match ask.body.get("stream") {
        Some(Value::Bool(true)) => Content::Stream(text.stream(&answer)),
        _ => Content::Whole(text.whole(&answer)),
    };
    Ok(Reply { content, usage })
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
    let thinks = matches!(body.pointer("/thinking/type").and_then(Value::as_str), Some("enabled" | "adaptive"));
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

/// Why the answer ended, and at which sequence.
fn ending(finish: &Finish) -> (Value, Value) {
    let reason = match finish {
        Finish::Stop => "end_turn",
        Finish::Sequence(sequence) => return (json!("stop_sequence"), json!(sequence)),
        Finish::Length => "max_tokens",
        Finish::Calls => "tool_use",
        Finish::Refusal => "refusal",
    };
    (json!(reason), Value::Null)
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

struct Writer<'a> {
    seed: u64,
    model: &'a str,
    /// Absent: no thinking block.
    thinking: Option<Vec<String>>,
    redacted: bool,
    input: Input,
    output: usize,
}

impl Writer<'_> {
    fn usage(&self, output: usize) -> Value {
        let Input { fresh, read, written } = self.input;
        json!({
            "input_tokens": fresh,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read,
            "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
            "output_tokens": output,
            "service_tier": "standard",
        })
    }

    fn call(&self, at: usize) -> String {
        format!("toolu_standin{:015x}{at}", self.seed & 0xfff_ffff_ffff_ffff)
    }

    fn message(&self, content: Vec<Value>, output: usize, (reason, sequence): (Value, Value)) -> String {
        json!({
            "id": format!("msg_standin{:016x}", self.seed), "type": "message", "role": "assistant", "model": self.model,
            "content": content, "stop_reason": reason, "stop_sequence": sequence, "usage": self.usage(output),
        })
        .to_string()
    }

    fn opaque(&self, thinking: &[String]) -> Value {
        json!({"type": "redacted_thinking", "data": signature(&thinking.concat())})
    }

    fn whole(&self, answer: &Answer) -> String {
        let mut content = Vec::new();
        if let Some(thinking) = &self.thinking {
            let text = thinking.concat();
            content.push(match self.redacted {
                true => self.opaque(thinking),
                false => json!({"type": "thinking", "signature": signature(&text), "thinking": text}),
            });
        }
        if !answer.text.is_empty() {
            content.push(json!({"type": "text", "text": answer.text.concat()}));
        }
        for (at, call) in answer.calls.iter().enumerate() {
            // Arguments that `max_tokens` cut are no JSON.
            let input = serde_json::from_str(&call.arguments.concat()).unwrap_or_else(|_| json!({}));
            content.push(json!({"type": "tool_use", "id": self.call(at), "name": call.name, "input": input}));
        }
        self.message(content, self.output, ending(&answer.finish))
    }

    fn stream(&self, answer: &Answer) -> Events {
        let mut blocks = Blocks { events: Events::default(), index: 0 };
        let start = self.message(Vec::new(), 1, (Value::Null, Value::Null));
        blocks.events.named("message_start", &[r#"{"type":"message_start","message":"#, &start, "}"]);
        let mut pinged = false;
        let mut open = |blocks: &mut Blocks, block: &Value| {
            blocks.start(block);
            if !std::mem::replace(&mut pinged, true) {
                blocks.events.named("ping", &[r#"{"type":"ping"}"#]);
            }
        };
        match &self.thinking {
            Some(thinking) if self.redacted => {
                open(&mut blocks, &self.opaque(thinking));
                blocks.stop();
            }
            Some(thinking) => {
                open(&mut blocks, &json!({"type": "thinking", "thinking": "", "signature": ""}));
                thinking.iter().for_each(|piece| blocks.delta("thinking_delta", "thinking", piece));
                blocks.delta("signature_delta", "signature", &signature(&thinking.concat()));
                blocks.stop();
            }
            None => {}
        }
        if !answer.text.is_empty() {
            open(&mut blocks, &json!({"type": "text", "text": ""}));
            answer.text.iter().for_each(|piece| blocks.delta("text_delta", "text", piece));
            blocks.stop();
        }
        for (at, call) in answer.calls.iter().enumerate() {
            open(&mut blocks, &json!({"type": "tool_use", "id": self.call(at), "name": call.name, "input": {}}));
            blocks.delta("input_json_delta", "partial_json", "");
            call.arguments.iter().for_each(|piece| blocks.delta("input_json_delta", "partial_json", piece));
            blocks.stop();
        }
        let (reason, sequence) = ending(&answer.finish);
        let delta = json!({"stop_reason": reason, "stop_sequence": sequence});
        let mut usage = self.usage(self.output);
        if let Some(usage) = usage.as_object_mut() {
            usage.retain(|name, _| name.ends_with("_tokens"));
        }
        let end = json!({"type": "message_delta", "delta": delta, "usage": usage});
        blocks.events.named("message_delta", &[&end.to_string()]);
        blocks.events.named("message_stop", &[r#"{"type":"message_stop"}"#]);
        blocks.events
    }
}

struct Blocks {
    events: Events,
    index: usize,
}

impl Blocks {
    fn start(&mut self, block: &Value) {
        let start = json!({"type": "content_block_start", "index": self.index, "content_block": block});
        self.events.named("content_block_start", &[&start.to_string()]);
    }

    fn delta(&mut self, kind: &str, field: &str, piece: &str) {
        let index = self.index.to_string();
        let head = [
            r#"{"type":"content_block_delta","index":"#,
            &index,
            r#","delta":{"type":""#,
            kind,
            r#"",""#,
            field,
            r#"":"#,
        ];
        self.events.named("content_block_delta", &[&head.concat(), &quoted(piece), "}}"]);
    }

    fn stop(&mut self) {
        let index = self.index.to_string();
        self.events.named("content_block_stop", &[r#"{"type":"content_block_stop","index":"#, &index, "}"]);
        self.index = self.index.saturating_add(1);
    }
}
