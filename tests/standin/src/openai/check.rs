//! What the vendor accepts as a Chat Completions request.

use serde_json::{Map, Value};

use crate::check::{At, Checked, Field, Kind, Mode, Problem, fields, is_base64, is_name, object, opt, req, text_or};

const TOP: &[Field] = &[
    req("messages", Kind::With(messages)),
    req("model", Kind::Str),
    opt("audio", Kind::Object),
    opt("frequency_penalty", Kind::Num(-2.0..=2.0)),
    opt("function_call", Kind::Any),
    opt("functions", Kind::List(1, &Kind::Object)),
    opt("logit_bias", Kind::Object),
    opt("logprobs", Kind::Bool),
    opt("max_completion_tokens", Kind::Int(1..=i64::MAX)),
    opt("max_tokens", Kind::Int(1..=i64::MAX)),
    opt("metadata", Kind::With(metadata)),
    opt("modalities", Kind::List(1, &Kind::OneOf(&["text", "audio"]))),
    opt("moderation", Kind::Any),
    opt("n", Kind::Int(1..=128)),
    opt("parallel_tool_calls", Kind::Bool),
    opt("prediction", Kind::Object),
    opt("presence_penalty", Kind::Num(-2.0..=2.0)),
    opt("prompt_cache_key", Kind::Str),
    opt("prompt_cache_options", Kind::Object),
    opt("prompt_cache_retention", Kind::Str),
    opt("reasoning_effort", Kind::OneOf(&["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
    opt("response_format", Kind::Tagged(FORMATS)),
    opt("safety_identifier", Kind::Str),
    opt("seed", Kind::Int(i64::MIN..=i64::MAX)),
    opt("service_tier", Kind::OneOf(&["auto", "default", "flex", "scale", "priority"])),
    opt("stop", Kind::With(stop)),
    opt("store", Kind::Bool),
    opt("stream", Kind::Bool),
    opt("stream_options", Kind::Fields(&[opt("include_usage", Kind::Bool), opt("include_obfuscation", Kind::Bool)])),
    opt("temperature", Kind::Num(0.0..=2.0)),
    opt("tool_choice", Kind::With(tool_choice)),
    opt("tools", Kind::List(1, &Kind::Tagged(TOOLS))),
    opt("top_logprobs", Kind::Int(0..=20)),
    opt("top_p", Kind::Num(0.0..=1.0)),
    opt("user", Kind::Str),
    opt("verbosity", Kind::OneOf(&["low", "medium", "high"])),
    opt("web_search_options", Kind::Object),
];

const FORMATS: &[(&str, &[Field])] = &[
    ("text", &[]),
    ("json_object", &[]),
    (
        "json_schema",
        &[req(
            "json_schema",
            Kind::Fields(&[
                req("name", Kind::With(name)),
                opt("description", Kind::Str),
                opt("schema", Kind::Object),
                opt("strict", Kind::Bool),
            ]),
        )],
    ),
];

const TOOLS: &[(&str, &[Field])] = &[
    (
        "function",
        &[req(
            "function",
            Kind::Fields(&[
                req("name", Kind::With(name)),
                opt("description", Kind::Str),
                opt("parameters", Kind::With(parameters)),
                opt("strict", Kind::Bool),
            ]),
        )],
    ),
    ("custom", &[req("custom", Kind::Object)]),
];

const CHOICES: &[(&str, &[Field])] = &[
    ("function", &[req("function", Kind::Fields(&[req("name", Kind::Str)]))]),
    ("allowed_tools", &[req("allowed_tools", Kind::Object)]),
    ("custom", &[req("custom", Kind::Object)]),
];

const NAME: Field = opt("name", Kind::Str);

/// By role.
const MESSAGES: &[(&str, &[Field])] = &[
    ("system", &[req("content", Kind::With(plain)), NAME]),
    ("developer", &[req("content", Kind::With(plain)), NAME]),
    ("user", &[req("content", Kind::With(rich)), NAME]),
    (
        "assistant",
        &[
            opt("content", Kind::With(said)),
            opt("refusal", Kind::Str),
            NAME,
            opt("annotations", Kind::Any),
            opt("audio", Kind::Object),
            opt("tool_calls", Kind::List(1, &Kind::Tagged(CALLS))),
            opt("function_call", Kind::Object),
        ],
    ),
    ("tool", &[req("content", Kind::With(plain)), req("tool_call_id", Kind::Str), NAME]),
    ("function", &[opt("content", Kind::Str), req("name", Kind::Str)]),
];

const CALLS: &[(&str, &[Field])] = &[
    (
        "function",
        &[
            req("id", Kind::Str),
            req("function", Kind::Fields(&[req("name", Kind::With(name)), req("arguments", Kind::Str)])),
        ],
    ),
    ("custom", &[req("id", Kind::Str), req("custom", Kind::Object)]),
];

const BREAKPOINT: Field = opt("prompt_cache_breakpoint", Kind::Object);
const TEXT: &[Field] = &[req("text", Kind::Str), BREAKPOINT];

const RICH: &[(&str, &[Field])] = &[
    ("text", TEXT),
    (
        "image_url",
        &[
            req(
                "image_url",
                Kind::Fields(&[
                    req("url", Kind::With(image)),
                    opt("detail", Kind::OneOf(&["auto", "low", "high", "original"])),
                ]),
            ),
            BREAKPOINT,
        ],
    ),
    (
        "input_audio",
        &[
            req(
                "input_audio",
                Kind::Fields(&[req("data", Kind::With(base64)), req("format", Kind::OneOf(&["wav", "mp3"]))]),
            ),
            BREAKPOINT,
        ],
    ),
    ("file", &[req("file", Kind::With(file)), BREAKPOINT]),
];

const SAID: &[(&str, &[Field])] = &[("text", TEXT), ("refusal", &[req("refusal", Kind::Str)])];
const FILE: &[Field] = &[opt("file_data", Kind::Str), opt("file_id", Kind::Str), opt("filename", Kind::Str)];

pub fn request(body: &Value, model: &str, mode: Mode) -> Checked {
    let top = At::Root(mode);
    let given = object(body, &top)?;
    fields(given, &top, &[TOP])?;
    let has = |name: &str| given.get(name).is_some_and(|value| !value.is_null());
    let set = |name: &str| given.get(name) == Some(&Value::Bool(true));
    for only in ["tool_choice", "parallel_tool_calls"] {
        if has(only) && !has("tools") {
            return At::Key(&top, only)
                .rule(format!("Invalid value for '{only}': '{only}' is only allowed when 'tools' are specified."));
        }
    }
    if has("stream_options") && !set("stream") {
        return At::Key(&top, "stream_options")
            .rule("The 'stream_options' parameter is only allowed when 'stream' is enabled.");
    }
    if has("top_logprobs") && !set("logprobs") {
        return At::Key(&top, "top_logprobs")
            .rule("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.");
    }
    if has("max_tokens") && has("max_completion_tokens") {
        return top.rule("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.");
    }
    let reasons = ["o1", "o3", "o4", "gpt-5"].iter().any(|family| model.starts_with(family));
    if reasons && has("max_tokens") {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        return At::Key(&top, "max_tokens").rule(message);
    }
    if body.pointer("/response_format/type").and_then(Value::as_str) == Some("json_object") {
        let messages = body.get("messages").map(Value::to_string).unwrap_or_default();
        if !messages.to_ascii_lowercase().contains("json") {
            let message =
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
            return At::Key(&top, "messages").rule(message);
        }
    }
    named_tool(given, &top)
}

fn named_tool(given: &Map<String, Value>, top: &At) -> Checked {
    let Some(name) = given.get("tool_choice").and_then(|choice| choice.pointer("/function/name")) else {
        return Ok(());
    };
    let tools = given.get("tools").and_then(Value::as_array);
    let known = tools.is_some_and(|tools| tools.iter().any(|tool| tool.pointer("/function/name") == Some(name)));
    if known {
        Ok(())
    } else {
        At::Key(top, "tool_choice").rule(format!("Tool choice {name} not found in 'tools' parameter."))
    }
}

fn messages(value: &Value, at: &At) -> Checked {
    Kind::List(1, &Kind::With(message)).check(value, at)?;
    let empty = Vec::new();
    // The calls of the assistant's turn that no tool message has answered yet, and all of its calls.
    let (mut open, mut calls): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let list = value.as_array().unwrap_or(&empty);
    for (index, message) in list.iter().enumerate() {
        let here = At::Index(at, index);
        let role = message.get("role").and_then(Value::as_str);
        if role == Some("tool") {
            let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
            if calls.is_empty() {
                return At::Key(&here, "role").rule(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
                );
            }
            if !calls.contains(&id) {
                return At::Key(&here, "tool_call_id").rule(format!(
                    "Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous message."
                ));
            }
            open.retain(|call| *call != id);
            continue;
        }
        unanswered(&open, &here)?;
        let made = message.get("tool_calls").and_then(Value::as_array).unwrap_or(&empty);
        calls = made.iter().filter_map(|call| call.get("id")?.as_str()).collect();
        open.clone_from(&calls);
    }
    unanswered(&open, &At::Index(at, list.len()))
}

fn unanswered(open: &[&str], at: &At) -> Checked {
    if open.is_empty() {
        return Ok(());
    }
    At::Key(at, "role").rule(format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    ))
}

fn message(value: &Value, at: &At) -> Checked {
    let given = object(value, at)?;
    let roles = &["system", "developer", "user", "assistant", "tool", "function"];
    let role = given.get("role").and_then(Value::as_str).unwrap_or_default();
    match MESSAGES.iter().find(|(known, _)| *known == role) {
        Some((_, table)) => fields(given, at, &[&[req("role", Kind::Str)], table])?,
        None => {
            let role = given.get("role").ok_or_else(|| At::Key(at, "role").bad(Problem::Missing))?;
            return Kind::OneOf(roles).check(role, &At::Key(at, "role"));
        }
    }
    let has = |name: &str| given.get(name).is_some_and(|value| !value.is_null());
    let says = ["content", "tool_calls", "function_call", "refusal", "audio"].iter().any(|name| has(name));
    if role == "assistant" && !says {
        return At::Key(at, "content").rule("Invalid value for 'content': expected a string, got null.");
    }
    Ok(())
}

fn plain(value: &Value, at: &At) -> Checked {
    text_or(value, at, &Kind::List(1, &Kind::Tagged(&[("text", TEXT)])))
}

fn rich(value: &Value, at: &At) -> Checked {
    text_or(value, at, &Kind::List(1, &Kind::Tagged(RICH)))
}

fn said(value: &Value, at: &At) -> Checked {
    text_or(value, at, &Kind::List(1, &Kind::Tagged(SAID)))
}

fn stop(value: &Value, at: &At) -> Checked {
    text_or(value, at, &Kind::List(0, &Kind::Str))?;
    match value.as_array() {
        Some(stops) if stops.len() > 4 => {
            at.rule("Invalid 'stop': array too long. Expected an array with maximum length 4.")
        }
        _ => Ok(()),
    }
}

fn tool_choice(value: &Value, at: &At) -> Checked {
    match value {
        Value::String(_) => Kind::OneOf(&["none", "auto", "required"]).check(value, at),
        _ => Kind::Tagged(CHOICES).check(value, at),
    }
}

fn parameters(value: &Value, at: &At) -> Checked {
    let schema = object(value, at)?;
    match schema.get("type") {
        Some(Value::String(kind)) if kind == "object" => Ok(()),
        None => Ok(()),
        Some(other) => {
            at.rule(format!("Invalid schema for function: schema must be of type 'object', got 'type: {other}'."))
        }
    }
}

fn name(value: &Value, at: &At) -> Checked {
    Kind::Str.check(value, at)?;
    match value.as_str() {
        Some(name) if is_name(name, 64) => Ok(()),
        _ => at.rule("Invalid name: string does not match pattern '^[a-zA-Z0-9_-]{1,64}$'."),
    }
}

fn image(value: &Value, at: &At) -> Checked {
    Kind::Str.check(value, at)?;
    let url = value.as_str().unwrap_or_default();
    let inline = url.strip_prefix("data:image/").and_then(|rest| rest.split_once(";base64,"));
    match inline {
        Some((kind, data)) if ["png", "jpeg", "jpg", "gif", "webp"].contains(&kind) && is_base64(data) => Ok(()),
        None if url.starts_with("https://") || url.starts_with("http://") => Ok(()),
        _ => at.rule("Invalid image: expected a URL, or a base64-encoded data URL of a png, jpeg, gif or webp image."),
    }
}

fn base64(value: &Value, at: &At) -> Checked {
    Kind::Str.check(value, at)?;
    if is_base64(value.as_str().unwrap_or_default()) { Ok(()) } else { at.rule("Invalid data: expected base64.") }
}

fn file(value: &Value, at: &At) -> Checked {
    let given = object(value, at)?;
    fields(given, at, &[FILE])?;
    let data = given.get("file_data").and_then(Value::as_str);
    let id = given.get("file_id").and_then(Value::as_str);
    match (data, id) {
        (Some(_), Some(_)) => at.rule("Mutually exclusive parameters: 'file_id' and 'file_data'."),
        (None, None) => at.rule("Missing required parameter: 'file_id' or 'file_data'."),
        (Some(data), None) if !(data.starts_with("data:") && data.contains(";base64,")) => {
            at.rule("Invalid 'file_data': expected a base64-encoded data URL with a MIME type.")
        }
        (Some(_), None) if !given.contains_key("filename") => at.rule("Missing required parameter: 'filename'."),
        _ => Ok(()),
    }
}

fn metadata(value: &Value, at: &At) -> Checked {
    let given = object(value, at)?;
    given.iter().try_for_each(|(name, value)| Kind::Str.check(value, &At::Key(at, name)))
}
