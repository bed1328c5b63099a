//! What the vendor accepts as a Messages request.

use serde_json::{Map, Value};

use super::turns;
use crate::check::{At, Checked, Field, Kind, Mode, fields, is_base64, is_name, nul, object, opt, req, text_or};

const TOP: &[Field] = &[
    req("model", Kind::Str),
    req("messages", Kind::List(1, &Kind::With(message))),
    req("max_tokens", Kind::Int(1..=i64::MAX)),
    CACHE,
    nul("container", Kind::Any),
    nul("diagnostics", Kind::Any),
    nul("inference_geo", Kind::Str),
    opt("metadata", Kind::Fields(&[nul("user_id", Kind::Str)])),
    opt(
        "output_config",
        Kind::Fields(&[
            nul("effort", Kind::OneOf(&["low", "medium", "high", "xhigh", "max"])),
            nul("format", Kind::Tagged(&[("json_schema", &[req("schema", Kind::Object)])])),
            nul("task_budget", Kind::Object),
        ]),
    ),
    opt("service_tier", Kind::OneOf(&["auto", "standard_only"])),
    nul("speed", Kind::OneOf(&["standard", "fast"])),
    nul("stop_sequences", Kind::List(0, &Kind::With(stop))),
    opt("stream", Kind::Bool),
    opt("system", Kind::With(system)),
    opt("temperature", Kind::Num(0.0..=1.0)),
    opt("thinking", Kind::Tagged(THINKING)),
    opt("tool_choice", Kind::Tagged(CHOICES)),
    opt("tools", Kind::List(0, &Kind::With(tool))),
    opt("top_k", Kind::Int(0..=i64::MAX)),
    opt("top_p", Kind::Num(0.0..=1.0)),
    nul("user_profile_id", Kind::Str),
    nul("workspace_id", Kind::Str),
];

/// Accepted only with an `anthropic-beta` header.
const BETA: &[Field] = &[
    opt("billing_policy", Kind::Any),
    opt("compaction", Kind::Any),
    nul("context_management", Kind::Object),
    nul("fallback_credit_token", Kind::Any),
    nul("fallbacks", Kind::Any),
    opt("mcp_servers", Kind::List(0, &Kind::Object)),
    nul("output_format", Kind::Object),
    nul("thread", Kind::Any),
];

const CACHE: Field = nul(
    "cache_control",
    Kind::Tagged(&[("ephemeral", &[opt("ttl", Kind::OneOf(&["5m", "1h"])), opt("scope", Kind::Any)])]),
);

const DISPLAY: Field = nul("display", Kind::OneOf(&["summarized", "omitted"]));
const THINKING: &[(&str, &[Field])] = &[
    ("enabled", &[req("budget_tokens", Kind::Int(1024..=i64::MAX)), DISPLAY]),
    ("adaptive", &[DISPLAY]),
    ("disabled", &[]),
    ("between_tools", &[]),
];

const SINGLE: Field = opt("disable_parallel_tool_use", Kind::Bool);
const CHOICES: &[(&str, &[Field])] =
    &[("auto", &[SINGLE]), ("any", &[SINGLE]), ("tool", &[req("name", Kind::Str), SINGLE]), ("none", &[])];

const TOOL: &[Field] = &[
    req("name", Kind::With(name)),
    req("input_schema", Kind::With(schema)),
    opt("description", Kind::Str),
    nul("type", Kind::OneOf(&["custom"])),
    opt("strict", Kind::Bool),
    opt("defer_loading", Kind::Bool),
    opt("allowed_callers", Kind::List(0, &Kind::Str)),
    opt("input_examples", Kind::List(0, &Kind::Object)),
    nul("eager_input_streaming", Kind::Bool),
    CACHE,
];

const TEXT: &[Field] = &[req("text", Kind::With(some_text)), nul("citations", Kind::List(0, &Kind::Object)), CACHE];
const IMAGE: &[Field] = &[req("source", Kind::Tagged(IMAGES)), nul("transformations", Kind::Any), CACHE];
const DOCUMENT: &[Field] = &[
    req("source", Kind::Tagged(DOCUMENTS)),
    nul("citations", Kind::Fields(&[opt("enabled", Kind::Bool)])),
    nul("context", Kind::Str),
    nul("title", Kind::Str),
    CACHE,
];
const SEARCH: &[Field] = &[
    req("content", Kind::List(0, &Kind::Object)),
    req("source", Kind::Str),
    req("title", Kind::Str),
    opt("citations", Kind::Any),
    CACHE,
];

const IMAGES: &[(&str, &[Field])] = &[
    (
        "base64",
        &[
            req("media_type", Kind::OneOf(&["image/jpeg", "image/png", "image/gif", "image/webp"])),
            req("data", Kind::With(base64)),
        ],
    ),
    ("url", &[req("url", Kind::With(url))]),
    ("file", &[req("file_id", Kind::Str)]),
];
const DOCUMENTS: &[(&str, &[Field])] = &[
    ("base64", &[req("media_type", Kind::OneOf(&["application/pdf"])), req("data", Kind::With(base64))]),
    ("text", &[req("media_type", Kind::OneOf(&["text/plain"])), req("data", Kind::Str)]),
    ("content", &[req("content", Kind::Any)]),
    ("url", &[req("url", Kind::With(url))]),
    ("file", &[req("file_id", Kind::Str)]),
];

const RESULT: &[(&str, &[Field])] = &[
    ("text", TEXT),
    ("image", IMAGE),
    ("document", DOCUMENT),
    ("search_result", SEARCH),
    ("tool_reference", &[req("tool_name", Kind::Str), CACHE]),
];
const USER: &[(&str, &[Field])] = &[
    ("text", TEXT),
    ("image", IMAGE),
    ("document", DOCUMENT),
    ("search_result", SEARCH),
    ("container_upload", &[req("file_id", Kind::Str), CACHE]),
    (
        "tool_result",
        &[
            req("tool_use_id", Kind::With(id)),
            opt("content", Kind::With(result)),
            opt("is_error", Kind::Bool),
            nul("toolset_name", Kind::Str),
            CACHE,
        ],
    ),
];
const USE: &[Field] = &[
    req("id", Kind::With(id)),
    req("name", Kind::With(name)),
    req("input", Kind::Object),
    nul("caller", Kind::Object),
    nul("toolset_name", Kind::Str),
    CACHE,
];
const ASSISTANT: &[(&str, &[Field])] = &[
    ("text", TEXT),
    ("tool_use", USE),
    ("server_tool_use", USE),
    ("thinking", &[req("thinking", Kind::Str), req("signature", Kind::Str)]),
    ("redacted_thinking", &[req("data", Kind::Str)]),
];

/// `beta`: the request has an `anthropic-beta` header.
pub fn request(body: &Value, beta: bool, mode: Mode) -> Checked {
    let top = At::Root(mode);
    let given = object(body, &top)?;
    fields(given, &top, if beta { &[TOP, BETA] } else { &[TOP] })?;
    tools(given, &top)?;
    let thinks = thinking(given, &top)?;
    let messages = given.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    turns::check(messages, &At::Key(&top, "messages"), thinks)
}

fn message(value: &Value, at: &At) -> Checked {
    let given = object(value, at)?;
    let content: Kind = match given.get("role").and_then(Value::as_str) {
        Some("user") => Kind::With(|value, at| text_or(value, at, &Kind::List(0, &Kind::Tagged(USER)))),
        // Blocks of server tools are not looked into.
        Some("assistant") => Kind::With(|value, at| text_or(value, at, &Kind::List(0, &Kind::With(said)))),
        // In mid-conversation it may also add tools: not looked into.
        Some("system") if !matches!(at, At::Index(_, 0)) => Kind::Any,
        _ => Kind::Any,
    };
    let roles = Kind::OneOf(&["user", "assistant", "system"]);
    fields(given, at, &[&[req("role", roles), req("content", content)]])?;
    match at {
        At::Index(_, 0) if given.get("role").and_then(Value::as_str) == Some("system") => {
            at.rule("use the top-level 'system' parameter for the initial system prompt")
        }
        _ => Ok(()),
    }
}

fn said(value: &Value, at: &At) -> Checked {
    match value.get("type").and_then(Value::as_str) {
        Some(kind) if kind.ends_with("_tool_result") || kind.starts_with("mcp_") || kind == "compaction" => Ok(()),
        _ => Kind::Tagged(ASSISTANT).check(value, at),
    }
}

fn tools(given: &Map<String, Value>, top: &At) -> Checked {
    let names: Vec<&str> = given
        .get("tools")
        .and_then(Value::as_array)
        .map(|tools| tools.iter().filter_map(|tool| tool.get("name")?.as_str()).collect())
        .unwrap_or_default();
    let repeated = names.iter().enumerate().any(|(at, name)| names.iter().take(at).any(|before| before == name));
    if repeated {
        return At::Key(top, "tools").rule("Tool names must be unique.");
    }
    let Some(choice) = given.get("tool_choice") else { return Ok(()) };
    if names.is_empty() {
        return At::Key(top, "tool_choice").rule("tool_choice may only be specified while providing tools.");
    }
    match choice.get("name").and_then(Value::as_str) {
        Some(name) if !names.contains(&name) => top.rule(format!("Tool '{name}' not found in provided tools")),
        _ => Ok(()),
    }
}

/// Whether thinking is enabled with a budget, after the rules for that.
fn thinking(given: &Map<String, Value>, top: &At) -> Result<bool, crate::check::Bad> {
    let thinking = given.get("thinking");
    let kind = thinking.and_then(|thinking| thinking.get("type")).and_then(Value::as_str);
    if !matches!(kind, Some("enabled" | "adaptive")) {
        return Ok(false);
    }
    let budget = thinking.and_then(|thinking| thinking.get("budget_tokens")).and_then(Value::as_i64);
    if budget >= given.get("max_tokens").and_then(Value::as_i64) && budget.is_some() {
        return top.rule("`max_tokens` must be greater than `thinking.budget_tokens`.");
    }
    if given.get("temperature").and_then(Value::as_f64).is_some_and(|temperature| temperature < 1.0) {
        return top.rule("`temperature` may only be set to 1 when thinking is enabled.");
    }
    if given.contains_key("top_k") {
        return top.rule("`top_k` must be unset when thinking is enabled.");
    }
    if given.get("top_p").and_then(Value::as_f64).is_some_and(|top_p| top_p < 0.95) {
        return top.rule("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.");
    }
    let forced = given.get("tool_choice").and_then(|choice| choice.get("type")).and_then(Value::as_str);
    if kind == Some("enabled") && matches!(forced, Some("any" | "tool")) {
        return top.rule("Thinking may not be enabled when tool_choice forces tool use.");
    }
    Ok(kind == Some("enabled"))
}

fn system(value: &Value, at: &At) -> Checked {
    text_or(value, at, &Kind::List(0, &Kind::Tagged(&[("text", TEXT)])))
}

fn result(value: &Value, at: &At) -> Checked {
    text_or(value, at, &Kind::List(0, &Kind::Tagged(RESULT)))
}

fn tool(value: &Value, at: &At) -> Checked {
    let given = object(value, at)?;
    match given.get("type").and_then(Value::as_str) {
        // The vendor's own tools: not looked into.
        Some(kind) if kind.contains("_20") || kind == "mcp_toolset" => Ok(()),
        Some(kind) if kind != "custom" => {
            at.rule(format!("Input tag '{kind}' found using 'type' does not match any of the expected tags"))
        }
        _ => fields(given, at, &[TOOL]),
    }
}

fn schema(value: &Value, at: &At) -> Checked {
    let given = object(value, at)?;
    let here = At::Key(at, "type");
    match given.get("type") {
        Some(kind) => Kind::OneOf(&["object"]).check(kind, &here),
        None => here.rule("Field required"),
    }
}

fn some_text(value: &Value, at: &At) -> Checked {
    Kind::Str.check(value, at)?;
    if value.as_str() == Some("") { at.rule("text content blocks must be non-empty") } else { Ok(()) }
}

fn stop(value: &Value, at: &At) -> Checked {
    Kind::Str.check(value, at)?;
    let blank = value.as_str().is_some_and(|text| text.trim().is_empty());
    if blank { at.rule("each stop sequence must contain non-whitespace") } else { Ok(()) }
}

fn id(value: &Value, at: &At) -> Checked {
    Kind::Str.check(value, at)?;
    let fits = value.as_str().is_some_and(|id| is_name(id, usize::MAX));
    if fits { Ok(()) } else { at.rule("String should match pattern '^[a-zA-Z0-9_-]+$'") }
}

fn name(value: &Value, at: &At) -> Checked {
    Kind::Str.check(value, at)?;
    let fits = value.as_str().is_some_and(|name| is_name(name, 128));
    if fits { Ok(()) } else { at.rule("String should match pattern '^[a-zA-Z0-9_-]{1,128}$'") }
}

fn base64(value: &Value, at: &At) -> Checked {
    Kind::Str.check(value, at)?;
    if is_base64(value.as_str().unwrap_or_default()) { Ok(()) } else { at.rule("Invalid base64 data") }
}

fn url(value: &Value, at: &At) -> Checked {
    Kind::Str.check(value, at)?;
    let fits = value.as_str().is_some_and(|url| url.starts_with("https://") || url.starts_with("http://"));
    if fits { Ok(()) } else { at.rule("Only HTTPS URLs are supported.") }
}
