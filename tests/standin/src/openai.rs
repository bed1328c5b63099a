//! OpenAI Chat Completions.

mod audio;
mod check;
mod files;
mod images;
mod responses;
pub mod texts;
mod write;

use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::answer::{Answer, Choice, Format, Prompt, Tool, Weight, answer};
use crate::api::{Api, Ask, CREATED, Content, Failure, Reply, Task, models};
use crate::check::{Bad, Mode, Problem, Step};
use crate::events::{Framing, object, quoted};
use write::Writer;

pub const API: Api = Api {
    name: "openai",
    tasks: &[
        CHAT,
        responses::TASK,
        texts::EMBEDDINGS,
        texts::MODERATIONS,
        images::TASK,
        audio::SPEECH,
        audio::TEXT,
        files::TASK,
    ],
    speaks: |headers| !headers.contains_key("anthropic-version") && !headers.contains_key("x-api-key"),
    key: |headers| bearer(headers),
    failure,
    interruption: 500,
    headers: &[
        ("openai-organization", "standin"),
        ("openai-processing-ms", "1"),
        ("openai-version", "2020-10-01"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-limit-tokens", "2000000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-remaining-tokens", "1999900"),
        ("x-ratelimit-reset-requests", "6ms"),
        ("x-ratelimit-reset-tokens", "3ms"),
    ],
    request_id: "x-request-id",
    error_header: None,
    models: list,
};

pub const CHAT: Task = Task {
    serves: |line| line.posts("/chat/completions"),
    streams,
    answer: respond,
    error: |failure, _| error(failure),
    error_event: |failure, _| format!("data: {}\n\n", error(failure)).into_bytes(),
};

/// A member of a form is text.
fn streams(body: &Value) -> Option<Framing> {
    let asked = body.get("stream").is_some_and(|stream| *stream == Value::Bool(true) || stream == "true");
    asked.then_some(Framing::Sse)
}

/// Prompts this long are read from the cache in part.
const CACHED_FROM: u64 = 1024;

pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")
}

fn list(id: Option<&str>) -> Value {
    let entry = |id: &str| json!({"id": id, "object": "model", "created": CREATED, "owned_by": "standin"});
    match models(id, &["gpt-4o", "gpt-4o-mini", "o4-mini"], entry) {
        Value::Array(data) => json!({"object": "list", "data": data}),
        one => one,
    }
}

fn error(failure: &Failure) -> String {
    let (kind, code, message) = match failure.status {
        401 => (
            "invalid_request_error",
            Some("invalid_api_key"),
            "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.",
        ),
        403 => ("invalid_request_error", Some("forbidden"), "You are not allowed to use this model."),
        404 => (
            "invalid_request_error",
            Some("model_not_found"),
            "The model does not exist or you do not have access to it.",
        ),
        408 => ("server_error", Some("timeout"), "The request timed out."),
        429 => ("requests", Some("rate_limit_exceeded"), "Rate limit reached for requests. Please try again in 1s."),
        status if status >= 500 => match status {
            503 => ("server_error", None, "The server is overloaded or not ready yet."),
            _ => ("server_error", None, "The server had an error while processing your request."),
        },
        _ => ("invalid_request_error", None, "The request is invalid."),
    };
    // A message of its own says what its code says, if it has one.
    let code = if failure.message.is_some() && failure.status != 401 { None } else { code };
    let null = Value::Null;
    let text = |text: Option<&str>| text.map_or_else(|| null.to_string(), quoted);
    let error = object(&[
        ("message", &quoted(failure.message.as_deref().unwrap_or(message))),
        ("type", &quoted(failure.kind.as_deref().unwrap_or(kind))),
        ("param", &text(failure.param.as_deref())),
        ("code", &text(failure.code.as_deref().or(code))),
    ]);
    object(&[("error", &error)])
}

fn failure(code: &str) -> Option<Failure> {
    let (status, kind, message, param) = match code {
        "context_length_exceeded" => (
            400,
            "invalid_request_error",
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. Please reduce the length of the messages.",
            Some("messages"),
        ),
        "insufficient_quota" => (
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
            None,
        ),
        "rate_limit_exceeded" => {
            (429, "tokens", "Rate limit reached for tokens per min. Please try again in 1s.", None)
        }
        "content_filter" | "content_policy_violation" => (
            400,
            "invalid_request_error",
            "The response was filtered because the prompt triggered the content policy.",
            Some("prompt"),
        ),
        "model_not_found" => {
            (404, "invalid_request_error", "The model does not exist or you do not have access to it.", None)
        }
        "invalid_api_key" => (401, "invalid_request_error", "Incorrect API key provided.", None),
        _ => return None,
    };
    Some(Failure {
        status,
        kind: Some(kind.to_owned()),
        message: Some(message.to_owned()),
        code: Some(code.to_owned()),
        param: param.map(str::to_owned),
    })
}

/// In the vendor's words.
fn refused(bad: &Bad) -> Failure {
    let mut path = String::new();
    for step in &bad.at {
        match step {
            Step::Index(at) => path.push_str(&format!("[{at}]")),
            Step::Key(name) if path.is_empty() => path.push_str(name),
            Step::Key(name) => path.push_str(&format!(".{name}")),
        }
    }
    let failure = |message: String, code: &str| Failure::new(400, message).code(code).param(&path);
    match &bad.problem {
        Problem::Unknown if bad.at.len() == 1 => {
            Failure::new(400, format!("Unrecognized request argument supplied: {path}"))
        }
        Problem::Unknown => failure(format!("Unknown parameter: '{path}'."), "unknown_parameter"),
        Problem::Missing if path == "model" => Failure::new(400, "you must provide a model parameter"),
        Problem::Missing => failure(format!("Missing required parameter: '{path}'."), "missing_required_parameter"),
        Problem::Type { wanted, got } => {
            failure(format!("Invalid type for '{path}': expected {wanted}, but got {got} instead."), "invalid_type")
        }
        Problem::Value { got, allowed } => {
            let allowed: Vec<_> = allowed.iter().map(|one| format!("'{one}'")).collect();
            failure(format!("Invalid value: '{got}'. Supported values are: {}.", allowed.join(", ")), "invalid_value")
        }
        Problem::TooShort { least } => failure(
            format!("Invalid '{path}': array too short. Expected an array with minimum length {least}."),
            "array_below_min_length",
        ),
        Problem::Range { least, most } => {
            failure(format!("Invalid '{path}': expected a value from {least} to {most}."), "out_of_range")
        }
        Problem::Rule(message) => Failure::new(400, message.clone()).code("invalid_value").param(&path),
    }
}

fn respond(ask: &Ask) -> Result<Reply, Failure> {
    let mode = Mode { lenient: ask.shape.lenient, nulls: true };
    check::request(ask.body, ask.model, mode).map_err(|bad| refused(&bad))?;
    let body = ask.body;
    let prompt = prompt(body);
    let choices = body.get("n").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
    let answers: Vec<Answer> = (0..choices).map(|nth| answer(&prompt, ask.shape, nth)).collect();
    let usage = usage(body, &answers);
    let text = Writer {
        id: format!("chatcmpl-standin{:016x}", ask.seed),
        seed: ask.seed,
        model: ask.model,
        logprobs: body.get("logprobs") == Some(&Value::Bool(true)),
        reasoning: ask.shape.reasoning_content,
        named: matches!(prompt.choice, Choice::Named(_)),
    };
    let content = if ask.framing.is_some() {
        let counted = body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
        Content::Stream(text.stream(&answers, counted.then_some(usage.as_str())))
    } else {
        Content::Whole(text.whole(&answers, &usage))
    };
    Ok(Reply::new(content, serde_json::from_str(&usage).unwrap_or_default()))
}

fn prompt(body: &Value) -> Prompt {
    let empty = Vec::new();
    let messages = body.get("messages").and_then(Value::as_array).unwrap_or(&empty);
    let result = messages.last().is_some_and(|last| matches!(role(last), "tool" | "function"));
    let last = if result { messages.last() } else { messages.iter().rev().find(|message| role(message) == "user") };
    let tools = body.get("tools").and_then(Value::as_array).unwrap_or(&empty).iter().filter_map(|tool| {
        let tool = tool.get("function")?;
        Some(Tool {
            name: tool.get("name")?.as_str()?.to_owned(),
            schema: tool.get("parameters").cloned().unwrap_or_else(|| json!({})),
        })
    });
    let choice = match body.get("tool_choice") {
        Some(Value::String(choice)) if choice == "none" => Choice::None,
        Some(Value::String(choice)) if choice == "required" => Choice::Any,
        Some(Value::Object(choice)) => match choice.get("function").and_then(|function| function.get("name")) {
            Some(Value::String(name)) => Choice::Named(name.clone()),
            _ => Choice::Auto,
        },
        _ => Choice::Auto,
    };
    let json = match body.pointer("/response_format/type").and_then(Value::as_str) {
        Some("json_object") => Some(Format::Object),
        Some("json_schema") => Some(Format::Schema(
            body.pointer("/response_format/json_schema/schema").cloned().unwrap_or_else(|| json!({})),
        )),
        _ => None,
    };
    let reasoning = match body.get("reasoning_effort").and_then(Value::as_str) {
        None | Some("none") => 0,
        Some("minimal") => 4,
        Some("low") => 8,
        Some("medium") => 16,
        Some(_) => 32,
    };
    Prompt {
        text: last.and_then(|message| message.get("content")).map(text).unwrap_or_default(),
        result,
        tools: tools.collect(),
        choice,
        single: body.get("parallel_tool_calls") == Some(&Value::Bool(false)),
        json,
        reasoning,
        max_tokens: ["max_completion_tokens", "max_tokens"].iter().find_map(|name| body.get(*name)?.as_u64()),
        stop: match body.get("stop") {
            Some(Value::String(stop)) => vec![stop.clone()],
            Some(Value::Array(stops)) => stops.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        },
    }
}

fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or_default()
}

fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

fn usage(body: &Value, answers: &[Answer]) -> String {
    let mut weight = Weight::default();
    ["messages", "tools", "response_format"]
        .iter()
        .filter_map(|name| body.get(*name))
        .for_each(|part| weight.add(part));
    let input = weight.tokens();
    let cached = if input >= CACHED_FROM { (input / 2) & !127 } else { 0 };
    let reasoning: usize = answers.iter().map(|answer| answer.thinking.len()).sum();
    let output: usize = answers.iter().map(Answer::tokens).sum();
    let total = u64::try_from(output).unwrap_or(u64::MAX).saturating_add(input);
    let prompt = object(&[("cached_tokens", &cached), ("audio_tokens", &0)]);
    let completion = object(&[
        ("reasoning_tokens", &reasoning),
        ("audio_tokens", &0),
        ("accepted_prediction_tokens", &0),
        ("rejected_prediction_tokens", &0),
    ]);
    object(&[
        ("prompt_tokens", &input),
        ("completion_tokens", &output),
        ("total_tokens", &total),
        ("prompt_tokens_details", &prompt),
        ("completion_tokens_details", &completion),
    ])
}
