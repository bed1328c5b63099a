//! Cohere's second API: chat, embeddings, ranking.

mod check;
mod write;

use serde_json::{Value, json};

use crate::answer::{Choice, Format, Prompt, Tool, Weight, answer};
use crate::api::{Api, Ask, Failure, Reply, Task, models};
use crate::check::{Bad, Mode, Problem, Step};
use crate::events::Framing;
use crate::vector::vector;
use write::Writer;

pub const API: Api = Api {
    name: "cohere",
    tasks: &[
        CHAT,
        Task::whole(|line| line.posts("/v2/embed"), |ask| embed(ask, false), |failure, _| error(failure)),
        Task::whole(|line| line.posts("/v2/rerank"), rank, |failure, _| error(failure)),
    ],
    speaks: |headers| headers.contains_key("x-fern-sdk-name"),
    key: crate::openai::bearer,
    failure,
    interruption: 500,
    headers: &[("x-trial-endpoint-call-limit", "40"), ("x-trial-endpoint-call-remaining", "39")],
    request_id: "x-debug-trace-id",
    error_header: None,
    models: |id| {
        let entry = |id: &str| json!({"name": id, "endpoints": ["chat"], "context_length": 256_000});
        match models(id, &["command-a-03-2025"], entry) {
            Value::Array(models) => json!({"models": models}),
            one => one,
        }
    },
};

const CHAT: Task = Task {
    serves: |line| line.posts("/v2/chat"),
    streams: |body| (body.get("stream") == Some(&Value::Bool(true))).then_some(Framing::Sse),
    answer: respond,
    error: |failure, _| error(failure),
    error_event: |failure, _| {
        let message = serde_json::from_str::<Value>(&error(failure)).unwrap_or_default();
        let delta = json!({"finish_reason": "ERROR", "error": message.get("message")});
        format!("event: message-end\ndata: {}\n\n", json!({"type": "message-end", "delta": delta})).into_bytes()
    },
};

/// Most tokens of a thought.
const MAX_THOUGHT: u64 = 24;

fn error(failure: &Failure) -> String {
    let message = match failure.status {
        401 => "invalid api token",
        403 => "your organization has no access to this model",
        404 => "model not found, make sure the correct model ID was used and that you have access to the model.",
        429 => "You are using a Trial key, which is limited to 40 API calls / minute.",
        503 => "the service is overloaded, please try again later",
        status if status >= 500 => "internal server error, this has been reported to our developers",
        _ => "invalid request",
    };
    let message = failure.message.as_deref().unwrap_or(message);
    json!({"id": "00000000-0000-4000-8000-000000000000", "message": message}).to_string()
}

fn failure(code: &str) -> Option<Failure> {
    let (status, message) = match code {
        "context_length_exceeded" => {
            (400, "too many tokens: the total number of tokens in the prompt exceeds the limit of 256000")
        }
        "insufficient_quota" => (402, "your account has no credits left"),
        "rate_limit_exceeded" | "rate_limit_error" => {
            (429, "You are past the per minute request limit, please wait and try again later.")
        }
        "invalid_api_key" | "authentication_error" => (401, "invalid api token"),
        "model_not_found" | "not_found_error" => (404, "model not found"),
        "overloaded_error" => (503, "the service is overloaded"),
        _ => return None,
    };
    Some(Failure::new(status, message))
}

/// In the vendor's words.
fn refused(bad: &Bad) -> Failure {
    let steps = bad.at.iter().map(|step| match step {
        Step::Key(name) => name.clone(),
        Step::Index(at) => at.to_string(),
    });
    let path = steps.collect::<Vec<_>>().join(".");
    let message = match &bad.problem {
        Problem::Unknown => format!("unknown field: parameter '{path}' is not a valid field"),
        Problem::Missing => format!("invalid request: {path} is required"),
        Problem::Type { wanted, got } => {
            format!("invalid type: parameter '{path}' is of type {got} but should be of type {wanted}")
        }
        Problem::Value { got, .. } => format!("invalid request: '{got}' is not a valid value for {path}"),
        Problem::TooShort { least } => format!("invalid request: {path} must have at least {least} items"),
        Problem::Range { least, most } => format!("invalid request: {path} must be between {least} and {most}"),
        Problem::Rule(message) => message.clone(),
    };
    Failure::new(400, message)
}

fn respond(ask: &Ask) -> Result<Reply, Failure> {
    let mode = Mode { lenient: ask.shape.lenient, nulls: true };
    check::chat(ask.body, mode).map_err(|bad| refused(&bad))?;
    let answer = answer(&prompt(ask.body), ask.shape, 0);
    let mut weight = Weight::default();
    ["messages", "tools", "documents"].iter().filter_map(|name| ask.body.get(*name)).for_each(|part| weight.add(part));
    let writer = Writer { seed: ask.seed, input: weight.tokens() };
    Ok(match ask.framing {
        Some(_) => Reply::stream(writer.stream(&answer), writer.usage(&answer)),
        None => Reply::json(&writer.whole(&answer), writer.usage(&answer)),
    })
}

fn prompt(body: &Value) -> Prompt {
    let list = |name: &str| body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let messages = list("messages");
    let is = |message: &Value, role: &str| message.get("role").and_then(Value::as_str) == Some(role);
    let result = messages.last().is_some_and(|last| is(last, "tool"));
    let last = messages.iter().rev().find(|message| result || is(message, "user"));
    let declared = list("tools");
    let tools = declared.iter().filter_map(|tool| {
        let schema = tool.pointer("/function/parameters").cloned().unwrap_or_else(|| json!({}));
        Some(Tool { name: tool.pointer("/function/name")?.as_str()?.to_owned(), schema })
    });
    let format = |name: &str| body.get("response_format").and_then(|format| format.get(name));
    let thinks = body.pointer("/thinking/type").is_some_and(|kind| kind == "enabled");
    let budget = body.pointer("/thinking/token_budget").and_then(Value::as_u64).unwrap_or(MAX_THOUGHT);
    Prompt {
        text: last.and_then(|message| message.get("content")).map(text).unwrap_or_default(),
        result,
        tools: tools.collect(),
        choice: match body.get("tool_choice").and_then(Value::as_str) {
            Some("REQUIRED") => Choice::Any,
            Some("NONE") => Choice::None,
            _ => Choice::Auto,
        },
        single: false,
        json: match format("type").and_then(Value::as_str) {
            Some("json_object") => {
                let schema = format("json_schema").or(format("schema"));
                Some(schema.map_or(Format::Object, |schema| Format::Schema(schema.clone())))
            }
            _ => None,
        },
        reasoning: if thinks { usize::try_from(budget.min(MAX_THOUGHT)).unwrap_or(0) } else { 0 },
        max_tokens: body.get("max_tokens").and_then(Value::as_u64),
        stop: list("stop_sequences").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

/// A tool's result may be documents whose text is in `data`.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let said = parts.iter().filter_map(|part| match part.pointer("/document/data") {
                Some(Value::String(text)) => Some(text.clone()),
                Some(data) => Some(data.to_string()),
                None => Some(part.get("text")?.as_str()?.to_owned()),
            });
            said.collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

/// `invoked`: as a model at Bedrock, whose body names no model.
pub fn embed(ask: &Ask, invoked: bool) -> Result<Reply, Failure> {
    let mode = Mode { lenient: ask.shape.lenient, nulls: true };
    check::embed(ask.body, invoked, mode).map_err(|bad| refused(&bad))?;
    let list = |name: &str| ask.body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut texts: Vec<String> = list("texts").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    texts.extend(list("images").iter().map(Value::to_string));
    texts.extend(list("inputs").iter().filter_map(|input| input.get("content").map(text)));
    let dimensions = ask.body.get("output_dimension").and_then(Value::as_u64);
    let vectors: Vec<_> = texts.iter().map(|text| vector(text, dimensions)).collect();
    let kinds: Vec<String> = list("embedding_types").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let mut weight = Weight::default();
    texts.iter().for_each(|text| weight.add(&json!(text)));
    let id = format!("standin{:016x}", ask.seed);
    if invoked && kinds.is_empty() {
        let body = json!({"id": id, "texts": texts, "embeddings": vectors, "response_type": "embeddings_floats"});
        return Ok(Reply::json(&body, Value::Null));
    }
    let kinds = if kinds.is_empty() { vec!["float".to_owned()] } else { kinds };
    let form = |kind: &String| {
        let small = |vector: &Vec<f64>| vector.iter().map(|number| json!((number * 127.0).round())).collect::<Value>();
        let list: Value = match kind.as_str() {
            "float" => json!(vectors),
            "base64" => vectors.iter().map(|vector| json!(crate::vector::packed(vector))).collect(),
            _ => vectors.iter().map(small).collect(),
        };
        (kind.clone(), list)
    };
    let embeddings = Value::Object(kinds.iter().map(form).collect());
    let meta = json!({"api_version": {"version": "2"}, "billed_units": {"input_tokens": weight.tokens()}});
    let mut body = json!({"id": id, "texts": texts, "embeddings": embeddings, "response_type": "embeddings_by_type"});
    if let (false, Some(body)) = (invoked, body.as_object_mut()) {
        body.insert("meta".to_owned(), meta.clone());
    }
    Ok(Reply::json(&body, meta))
}

/// Documents that share more words with the query come first.
fn rank(ask: &Ask) -> Result<Reply, Failure> {
    let mode = Mode { lenient: ask.shape.lenient, nulls: true };
    check::rank(ask.body, mode).map_err(|bad| refused(&bad))?;
    let query = ask.body.get("query").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let documents = ask.body.get("documents").and_then(Value::as_array).cloned().unwrap_or_default();
    let words: Vec<&str> = query.split_whitespace().collect();
    let mut scores: Vec<(usize, usize)> = documents
        .iter()
        .enumerate()
        .map(|(index, document)| {
            let text = document.as_str().map_or_else(|| document.to_string(), str::to_owned).to_lowercase();
            (words.iter().filter(|word| text.contains(**word)).count(), index)
        })
        .collect();
    scores.sort_by_key(|(shared, index)| (std::cmp::Reverse(*shared), *index));
    let most = ask.body.get("top_n").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok());
    let results: Vec<Value> = scores
        .iter()
        .take(most.unwrap_or(usize::MAX))
        .map(|(shared, index)| {
            let whole = words.len().max(1) as f64;
            json!({"index": index, "relevance_score": (*shared as f64 / whole * 100.0).round() / 100.0})
        })
        .collect();
    let meta = json!({"api_version": {"version": "2"}, "billed_units": {"search_units": 1}});
    Ok(Reply::json(&json!({"id": format!("standin{:016x}", ask.seed), "results": results, "meta": meta}), meta))
}
