//! What the vendor accepts as a Responses request.

use serde_json::{Map, Value};

use crate::check::{At, Checked, Field, Kind, Mode, fields, is_name, nul, object, req, text_or};

/// Fewest tokens that can be asked for.
const LEAST_TOKENS: i64 = 16;

const TOP: &[Field] = &[
    nul("background", Kind::Bool),
    nul("conversation", Kind::Any),
    nul("include", Kind::List(0, &Kind::Str)),
    req("input", Kind::With(input)),
    nul("instructions", Kind::Str),
    nul("max_output_tokens", Kind::Int(LEAST_TOKENS..=i64::MAX)),
    nul("max_tool_calls", Kind::Int(1..=i64::MAX)),
    nul("metadata", Kind::Object),
    req("model", Kind::Str),
    nul("parallel_tool_calls", Kind::Bool),
    nul("previous_response_id", Kind::Str),
    nul("prompt_cache_key", Kind::Str),
    nul("prompt_cache_retention", Kind::Str),
    nul("reasoning", Kind::Fields(&[nul("effort", EFFORT), nul("summary", SUMMARY), nul("context", Kind::Str)])),
    nul("safety_identifier", Kind::Str),
    nul("service_tier", Kind::Str),
    nul("store", Kind::Bool),
    nul("stream", Kind::Bool),
    nul("stream_options", Kind::Object),
    nul("temperature", Kind::Num(0.0..=2.0)),
    nul("text", Kind::Fields(&[nul("format", Kind::Tagged(FORMATS)), nul("verbosity", VERBOSITY)])),
    nul("tool_choice", Kind::With(tool_choice)),
    nul("tools", Kind::List(0, &Kind::Tagged(TOOLS))),
    nul("top_logprobs", Kind::Int(0..=20)),
    nul("top_p", Kind::Num(0.0..=1.0)),
    nul("truncation", Kind::OneOf(&["auto", "disabled"])),
    nul("user", Kind::Str),
];

const EFFORT: Kind = Kind::OneOf(&["none", "minimal", "low", "medium", "high", "xhigh", "max"]);
const SUMMARY: Kind = Kind::OneOf(&["auto", "concise", "detailed"]);
const VERBOSITY: Kind = Kind::OneOf(&["low", "medium", "high"]);

const FORMATS: &[(&str, &[Field])] = &[
    ("text", &[]),
    ("json_object", &[]),
    (
        "json_schema",
        &[req("name", NAME), req("schema", Kind::Object), nul("description", Kind::Str), nul("strict", Kind::Bool)],
    ),
];

const NAME: Kind = Kind::With(|value, at| match value.as_str() {
    Some(name) if is_name(name, 64) => Ok(()),
    _ => at.rule("Invalid name: string does not match pattern '^[a-zA-Z0-9_-]+$'."),
});

const TOOLS: &[(&str, &[Field])] = &[(
    "function",
    &[req("name", NAME), nul("parameters", Kind::Object), nul("strict", Kind::Bool), nul("description", Kind::Str)],
)];

const STATUS: Field = nul("status", Kind::OneOf(&["in_progress", "completed", "incomplete"]));
const ID: Field = nul("id", Kind::Str);
const TEXTS: Kind = Kind::List(0, &Kind::Tagged(&[("summary_text", &[req("text", Kind::Str)])]));

const MESSAGE: &[Field] = &[
    req("role", Kind::OneOf(&["user", "assistant", "system", "developer"])),
    req("content", Kind::With(|value, at| text_or(value, at, &Kind::List(0, &Kind::Tagged(PARTS))))),
    nul("type", Kind::OneOf(&["message"])),
    nul("phase", Kind::Str),
    ID,
    STATUS,
];

const ITEMS: &[(&str, &[Field])] = &[
    ("function_call", &[req("call_id", Kind::Str), req("name", Kind::Str), req("arguments", Kind::Str), ID, STATUS]),
    ("function_call_output", &[req("call_id", Kind::Str), req("output", Kind::With(output)), ID, STATUS]),
    (
        "reasoning",
        &[
            req("summary", TEXTS),
            nul("id", Kind::Str),
            nul("content", Kind::Any),
            nul("encrypted_content", Kind::With(sealed_here)),
            STATUS,
        ],
    ),
    ("item_reference", &[req("id", Kind::Str)]),
];

const PARTS: &[(&str, &[Field])] = &[
    ("input_text", &[req("text", Kind::Str)]),
    ("input_image", &[nul("image_url", Kind::Str), nul("file_id", Kind::Str), nul("detail", Kind::Str)]),
    (
        "input_file",
        &[
            nul("file_id", Kind::Str),
            nul("file_data", Kind::Str),
            nul("filename", Kind::Str),
            nul("file_url", Kind::Str),
        ],
    ),
    ("output_text", &[req("text", Kind::Str), nul("annotations", Kind::Any), nul("logprobs", Kind::Any)]),
    ("refusal", &[req("refusal", Kind::Str)]),
];

fn tool_choice(value: &Value, at: &At) -> Checked {
    match value {
        Value::String(_) => Kind::OneOf(&["auto", "none", "required"]).check(value, at),
        _ => Kind::Object.check(value, at),
    }
}

fn output(value: &Value, at: &At) -> Checked {
    text_or(value, at, &Kind::List(0, &Kind::Tagged(PARTS)))
}

fn input(value: &Value, at: &At) -> Checked {
    let Some(items) = value.as_array() else { return Kind::Str.check(value, at) };
    for (index, item) in items.iter().enumerate() {
        let here = At::Index(at, index);
        let given = object(item, &here)?;
        match given.get("type").and_then(Value::as_str) {
            None | Some("message") => fields(given, &here, &[MESSAGE])?,
            Some(_) => Kind::Tagged(ITEMS).check(item, &here)?,
        }
        answers_a_call(items.iter().take(index), given, &here)?;
    }
    Ok(())
}

fn answers_a_call<'a>(mut before: impl Iterator<Item = &'a Value>, item: &Map<String, Value>, at: &At) -> Checked {
    let is = |item: &Value, kind: &str| item.get("type").and_then(Value::as_str) == Some(kind);
    let (Some(call), true) = (item.get("call_id"), item.get("output").is_some()) else { return Ok(()) };
    if before.any(|item| is(item, "function_call") && item.get("call_id") == Some(call)) {
        return Ok(());
    }
    at.rule(format!("No tool call found for function call output with call_id {}.", call.as_str().unwrap_or_default()))
}

fn sealed_here(value: &Value, at: &At) -> Checked {
    Kind::Str.check(value, at)?;
    match value.as_str().unwrap_or_default().strip_prefix("standin-") {
        Some(_) => Ok(()),
        None => at.rule("The encrypted content could not be verified."),
    }
}

/// No answer is kept, so that none can be gone on from.
pub fn request(body: &Value, mode: Mode) -> Checked {
    let top = At::Root(mode);
    let given = object(body, &top)?;
    fields(given, &top, &[TOP])?;
    match given.get("previous_response_id") {
        Some(id) if !id.is_null() && !mode.lenient => {
            At::Key(&top, "previous_response_id").rule("Previous response with this id not found.")
        }
        _ => Ok(()),
    }
}
