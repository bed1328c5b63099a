//! What the vendor accepts.

use serde_json::Value;

use crate::check::{At, Checked, Field, Kind, Mode, fields, object, opt, req, text_or};

const CHAT: &[Field] = &[
    req("model", Kind::Str),
    req("messages", Kind::List(1, &Kind::With(message))),
    opt("stream", Kind::Bool),
    opt("tools", Kind::List(0, &Kind::Tagged(&[("function", &[req("function", Kind::Fields(FUNCTION))])]))),
    opt("strict_tools", Kind::Bool),
    opt("tool_choice", Kind::OneOf(&["REQUIRED", "NONE"])),
    opt("documents", Kind::List(0, &Kind::Any)),
    opt("citation_options", Kind::Object),
    opt(
        "response_format",
        Kind::Tagged(&[
            ("text", &[]),
            ("json_object", &[opt("json_schema", Kind::Object), opt("schema", Kind::Object)]),
        ]),
    ),
    opt("safety_mode", Kind::OneOf(&["CONTEXTUAL", "STRICT", "OFF"])),
    opt("max_tokens", Kind::Int(1..=i64::MAX)),
    opt("stop_sequences", Kind::List(0, &Kind::Str)),
    opt("temperature", Kind::Num(0.0..=2.0)),
    opt("seed", Kind::Int(0..=i64::MAX)),
    opt("frequency_penalty", Kind::Num(0.0..=1.0)),
    opt("presence_penalty", Kind::Num(0.0..=1.0)),
    opt("k", Kind::Int(0..=500)),
    opt("p", Kind::Num(0.01..=0.99)),
    opt("logprobs", Kind::Bool),
    opt("thinking", Kind::Tagged(&[("enabled", &[opt("token_budget", Kind::Int(0..=i64::MAX))]), ("disabled", &[])])),
    opt("priority", Kind::Int(0..=999)),
    opt("raw_prompting", Kind::Bool),
];

const FUNCTION: &[Field] = &[req("name", Kind::Str), opt("description", Kind::Str), opt("parameters", Kind::Object)];

const CALL: &[Field] =
    &[req("id", Kind::Str), req("function", Kind::Fields(&[req("name", Kind::Str), req("arguments", Kind::Str)]))];

const MESSAGE: &[Field] = &[
    req("role", Kind::OneOf(&["user", "assistant", "system", "tool"])),
    opt("content", Kind::With(|value, at| text_or(value, at, &Kind::List(0, &Kind::Tagged(PARTS))))),
    opt("tool_calls", Kind::List(0, &Kind::Tagged(&[("function", CALL)]))),
    opt("tool_plan", Kind::Str),
    opt("tool_call_id", Kind::Str),
    opt("citations", Kind::Any),
];

const PARTS: &[(&str, &[Field])] = &[
    ("text", &[req("text", Kind::Str)]),
    ("thinking", &[req("thinking", Kind::Str)]),
    (
        "image_url",
        &[req(
            "image_url",
            Kind::Fields(&[req("url", Kind::Str), opt("detail", Kind::OneOf(&["auto", "low", "high"]))]),
        )],
    ),
    ("document", &[req("document", Kind::Fields(&[req("data", Kind::Any), opt("id", Kind::Str)]))]),
];

const EMBED: &[Field] = &[
    req("input_type", Kind::OneOf(&["search_document", "search_query", "classification", "clustering", "image"])),
    opt("model", Kind::Str),
    opt("texts", Kind::List(1, &Kind::Str)),
    opt("images", Kind::List(1, &Kind::Str)),
    opt("inputs", Kind::List(1, &Kind::Object)),
    opt("embedding_types", Kind::List(0, &Kind::OneOf(&["float", "int8", "uint8", "binary", "ubinary", "base64"]))),
    opt("output_dimension", Kind::Int(1..=4096)),
    opt("max_tokens", Kind::Int(1..=i64::MAX)),
    opt("truncate", Kind::OneOf(&["NONE", "START", "END", "LEFT", "RIGHT"])),
    opt("priority", Kind::Int(0..=999)),
];

const RANK: &[Field] = &[
    req("model", Kind::Str),
    req("query", Kind::Str),
    req("documents", Kind::List(1, &Kind::Str)),
    opt("top_n", Kind::Int(1..=i64::MAX)),
    opt("max_tokens_per_doc", Kind::Int(1..=i64::MAX)),
    opt("priority", Kind::Int(0..=999)),
];

pub fn chat(body: &Value, mode: Mode) -> Checked {
    let top = At::Root(mode);
    fields(object(body, &top)?, &top, &[CHAT])?;
    let at = At::Key(&top, "messages");
    let messages = body.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut open: Vec<&Value> = Vec::new();
    for message in messages {
        match message.get("tool_call_id") {
            Some(id) if !open.contains(&id) => {
                return at.rule("invalid request: tool call id not found in previous tool calls.");
            }
            Some(id) => open.retain(|known| *known != id),
            None if !open.is_empty() => {
                return at.rule("invalid request: all elements in history must have a tool result for each tool call.");
            }
            None => {
                let calls = message.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                open = calls.iter().filter_map(|call| call.get("id")).collect();
            }
        }
    }
    Ok(())
}

pub fn embed(body: &Value, invoked: bool, mode: Mode) -> Checked {
    let top = At::Root(mode);
    let given = object(body, &top)?;
    fields(given, &top, &[EMBED])?;
    if given.contains_key("model") == invoked {
        return At::Key(&top, "model").rule("invalid request: model is required, or stands in the path");
    }
    let held = ["texts", "images", "inputs"].iter().filter(|name| given.contains_key(**name)).count();
    if held == 1 { Ok(()) } else { top.rule("invalid request: exactly one of texts, images and inputs must be given") }
}

pub fn rank(body: &Value, mode: Mode) -> Checked {
    let top = At::Root(mode);
    fields(object(body, &top)?, &top, &[RANK])
}

fn message(value: &Value, at: &At) -> Checked {
    let given = object(value, at)?;
    fields(given, at, &[MESSAGE])?;
    let needs = match given.get("role").and_then(Value::as_str) {
        Some("tool") => "tool_call_id",
        Some("assistant") if given.contains_key("tool_calls") => "role",
        _ => "content",
    };
    if given.contains_key(needs) {
        Ok(())
    } else {
        at.rule(format!("invalid request: {needs} is required in a message"))
    }
}
