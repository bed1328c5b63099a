//! Ollama's own API: chat and embeddings; and OpenAI's.

use serde_json::{Value, json};

use crate::answer::{Answer, Choice, Finish, Format, Prompt, Tool, Weight, answer};
use crate::api::{Api, Ask, Failure, Reply, Task, models};
use crate::check::{At, Bad, Field, Kind, Mode, Problem, fields, object, opt, req};
use crate::events::{Events, Framing};
use crate::vector::vector;

pub const API: Api = Api {
    name: "ollama",
    tasks: &[
        Task {
            serves: |line| line.posts("/api/chat"),
            // Unless it is told not to.
            streams: |body| (body.get("stream") != Some(&Value::Bool(false))).then_some(Framing::Lines),
            answer: respond,
            error: |failure, _| error(failure),
            error_event: |failure, _| format!("{}\n", error(failure)).into_bytes(),
        },
        Task::whole(|line| line.posts("/api/embed"), embed, |failure, _| error(failure)),
        // It speaks OpenAI's too.
        crate::openai::CHAT,
        crate::openai::texts::EMBEDDINGS,
    ],
    speaks: |_| false,
    key: crate::openai::bearer,
    failure,
    interruption: 500,
    headers: &[],
    request_id: "x-request-id",
    error_header: None,
    models: |id| models(id, &["llama3.2"], |id| json!({"id": id, "object": "model", "owned_by": "library"})),
};

const CREATED_AT: &str = "2026-01-01T00:00:00.000000001Z";
/// Tokens of a thought.
const THOUGHT: usize = 16;

const CHAT: &[Field] = &[
    req("model", Kind::Str),
    req("messages", Kind::List(0, &Kind::Fields(MESSAGE))),
    opt("tools", Kind::List(0, &Kind::Tagged(&[("function", &[req("function", Kind::Fields(FUNCTION))])]))),
    opt("format", Kind::Any),
    opt("options", Kind::Object),
    opt("stream", Kind::Bool),
    opt("think", Kind::Any),
    opt("keep_alive", Kind::Any),
    opt("logprobs", Kind::Bool),
    opt("top_logprobs", Kind::Int(0..=20)),
    opt("truncate", Kind::Bool),
    opt("shift", Kind::Bool),
];

const FUNCTION: &[Field] = &[req("name", Kind::Str), opt("description", Kind::Str), opt("parameters", Kind::Object)];

const MESSAGE: &[Field] = &[
    req("role", Kind::OneOf(&["system", "user", "assistant", "tool"])),
    opt("content", Kind::Str),
    opt("thinking", Kind::Str),
    opt("images", Kind::List(0, &Kind::Str)),
    opt("tool_calls", Kind::List(0, &Kind::Fields(CALL))),
    opt("tool_name", Kind::Str),
    opt("tool_call_id", Kind::Str),
];

/// Arguments are an object here.
const CALL: &[Field] = &[
    opt("id", Kind::Str),
    opt("type", Kind::Str),
    req("function", Kind::Fields(&[req("name", Kind::Str), req("arguments", Kind::Object), opt("index", Kind::Any)])),
];

const EMBED: &[Field] = &[
    req("model", Kind::Str),
    req("input", Kind::Any),
    opt("truncate", Kind::Bool),
    opt("options", Kind::Object),
    opt("keep_alive", Kind::Any),
    opt("dimensions", Kind::Int(1..=4096)),
];

fn error(failure: &Failure) -> String {
    let message = match failure.status {
        401 => "unauthorized",
        403 => "this model requires a subscription",
        404 => "model not found, try pulling it first",
        429 => "too many requests",
        503 => "server busy, please try again.  maximum pending requests exceeded",
        status if status >= 500 => "model runner has unexpectedly stopped",
        _ => "invalid request",
    };
    json!({"error": failure.message.as_deref().unwrap_or(message)}).to_string()
}

fn failure(code: &str) -> Option<Failure> {
    let (status, message) = match code {
        "context_length_exceeded" => (400, "input length exceeds maximum context length"),
        "model_not_found" | "not_found_error" => (404, "model not found, try pulling it first"),
        "rate_limit_exceeded" | "rate_limit_error" | "insufficient_quota" => (429, "you have reached your usage limit"),
        "invalid_api_key" | "authentication_error" => (401, "unauthorized"),
        "overloaded_error" => (503, "server busy, please try again.  maximum pending requests exceeded"),
        _ => return None,
    };
    Some(Failure::new(status, message))
}

fn refused(bad: &Bad) -> Failure {
    let at = bad.at.iter().map(|step| format!("{step:?}")).collect::<Vec<_>>().join(" ");
    match &bad.problem {
        Problem::Rule(message) => Failure::new(400, message.clone()),
        problem => Failure::new(400, format!("cannot unmarshal request: {at}: {problem:?}")),
    }
}

fn checked(ask: &Ask, table: &[Field]) -> Result<(), Failure> {
    let root = At::Root(Mode { lenient: ask.shape.lenient, nulls: true });
    object(ask.body, &root).and_then(|body| fields(body, &root, &[table])).map_err(|bad| refused(&bad))
}

fn respond(ask: &Ask) -> Result<Reply, Failure> {
    checked(ask, CHAT)?;
    let answer = answer(&prompt(ask.body), ask.shape, 0);
    let mut weight = Weight::default();
    ["messages", "tools"].iter().filter_map(|name| ask.body.get(*name)).for_each(|part| weight.add(part));
    let counts = json!({"prompt_eval_count": weight.tokens(), "eval_count": answer.tokens()});
    let line = |message: Value, done: bool| {
        let mut line = json!({"model": ask.model, "created_at": CREATED_AT, "message": message, "done": done});
        if let (true, Some(line), Some(counts)) = (done, line.as_object_mut(), counts.as_object()) {
            let reason = if answer.finish == Finish::Length { "length" } else { "stop" };
            line.insert("done_reason".to_owned(), json!(reason));
            line.extend(counts.clone());
            for (name, time) in
                [("total_duration", 4_u32), ("load_duration", 1), ("prompt_eval_duration", 1), ("eval_duration", 2)]
            {
                line.insert(name.to_owned(), json!(time.saturating_mul(1_000_000)));
            }
        }
        line
    };
    let said = |more: Value| {
        let mut message = json!({"role": "assistant", "content": ""});
        if let (Some(message), Some(more)) = (message.as_object_mut(), more.as_object()) {
            message.extend(more.clone());
        }
        message
    };
    let calls = calls(&answer, ask.seed);
    if ask.framing.is_none() {
        let mut more = json!({"content": answer.text.concat()});
        let given = [
            ("thinking", !answer.thinking.is_empty(), json!(answer.thinking.concat())),
            ("tool_calls", !answer.calls.is_empty(), json!(calls)),
        ];
        for (name, _, value) in given.into_iter().filter(|(_, given, _)| *given) {
            more.as_object_mut().map(|more| more.insert(name.to_owned(), value));
        }
        return Ok(Reply::json(&line(said(more), true), counts.clone()));
    }
    let mut events = Events::new(Framing::Lines);
    answer.thinking.iter().for_each(|piece| events.value(&line(said(json!({"thinking": piece})), false)));
    answer.text.iter().for_each(|piece| events.value(&line(said(json!({"content": piece})), false)));
    calls.iter().for_each(|call| events.value(&line(said(json!({"tool_calls": [call]})), false)));
    events.value(&line(said(json!({})), true));
    Ok(Reply::stream(events, counts.clone()))
}

fn calls(answer: &Answer, seed: u64) -> Vec<Value> {
    let call = |(at, call): (usize, &crate::answer::Call)| {
        // Arguments that a limit cut are no JSON.
        let arguments: Value = serde_json::from_str(&call.arguments.concat()).unwrap_or_else(|_| json!({}));
        let id = format!("call_{:08x}{at}", seed & 0xffff_ffff);
        json!({"id": id, "function": {"index": at, "name": call.name, "arguments": arguments}})
    };
    answer.calls.iter().enumerate().map(call).collect()
}

fn prompt(body: &Value) -> Prompt {
    let list = |path: &str| body.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let messages = list("/messages");
    let is = |message: &Value, role: &str| message.get("role").and_then(Value::as_str) == Some(role);
    let result = messages.last().is_some_and(|last| is(last, "tool"));
    let last = messages.iter().rev().find(|message| result || is(message, "user"));
    let declared = list("/tools");
    let tools = declared.iter().filter_map(|tool| {
        let schema = tool.pointer("/function/parameters").cloned().unwrap_or_else(|| json!({}));
        Some(Tool { name: tool.pointer("/function/name")?.as_str()?.to_owned(), schema })
    });
    let text = last.and_then(|message| message.get("content")?.as_str()).unwrap_or_default().to_owned();
    Prompt {
        text,
        result,
        tools: tools.collect(),
        choice: Choice::Auto,
        single: false,
        json: match body.get("format") {
            Some(Value::String(format)) if format == "json" => Some(Format::Object),
            Some(schema @ Value::Object(_)) => Some(Format::Schema(schema.clone())),
            _ => None,
        },
        reasoning: match body.get("think") {
            None | Some(Value::Null | Value::Bool(false)) => 0,
            Some(_) => THOUGHT,
        },
        max_tokens: body.pointer("/options/num_predict").and_then(Value::as_u64),
        stop: list("/options/stop").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

fn embed(ask: &Ask) -> Result<Reply, Failure> {
    checked(ask, EMBED)?;
    let inputs = match ask.body.get("input") {
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let dimensions = ask.body.get("dimensions").and_then(Value::as_u64);
    let vectors: Vec<_> = inputs.iter().map(|input| vector(input.as_str().unwrap_or_default(), dimensions)).collect();
    let mut weight = Weight::default();
    inputs.iter().for_each(|input| weight.add(input));
    let counts = json!({"prompt_eval_count": weight.tokens()});
    let body = json!({"model": ask.model, "embeddings": vectors, "total_duration": 2_000_000, "load_duration": 1_000_000,
        "prompt_eval_count": weight.tokens()});
    Ok(Reply::json(&body, counts))
}
