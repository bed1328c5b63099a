//! What the vendor accepts as a Converse request.

use serde_json::Value;

use crate::check::{At, Checked, Field, Kind, Mode, fields, is_base64, is_name, object, opt, req};

const TOP: &[Field] = &[
    req("messages", Kind::List(1, &Kind::Fields(MESSAGE))),
    opt("system", Kind::List(0, &Kind::With(|value, at| one_of(value, at, SYSTEM)))),
    opt(
        "inferenceConfig",
        Kind::Fields(&[
            opt("maxTokens", Kind::Int(1..=i64::MAX)),
            opt("temperature", Kind::Num(0.0..=1.0)),
            opt("topP", Kind::Num(0.0..=1.0)),
            opt("stopSequences", Kind::List(0, &Kind::Str)),
        ]),
    ),
    opt("toolConfig", Kind::Fields(TOOLS)),
    opt("guardrailConfig", Kind::Object),
    opt("additionalModelRequestFields", Kind::Any),
    opt("additionalModelResponseFieldPaths", Kind::List(0, &Kind::Str)),
    opt("promptVariables", Kind::Object),
    opt("requestMetadata", Kind::Object),
    opt("performanceConfig", Kind::Object),
    opt("serviceTier", Kind::Object),
    opt(
        "outputConfig",
        Kind::Fields(&[
            opt("effort", Kind::Str),
            opt(
                "textFormat",
                Kind::Fields(&[req("type", Kind::OneOf(&["json_schema"])), req("structure", Kind::Object)]),
            ),
        ]),
    ),
];

const MESSAGE: &[Field] = &[
    req("role", Kind::OneOf(&["user", "assistant"])),
    req("content", Kind::List(1, &Kind::With(|value, at| one_of(value, at, BLOCK)))),
];

const CACHE: Field = opt("cachePoint", Kind::Fields(&[req("type", Kind::OneOf(&["default"])), opt("ttl", Kind::Str)]));
const TEXT: Field = opt(
    "text",
    Kind::With(|value, at| match value.as_str() {
        Some(text) if text.trim().is_empty() => {
            at.rule("The text field in the ContentBlock object is blank. Add text to the text field, and try again.")
        }
        _ => Kind::Str.check(value, at),
    }),
);

const SYSTEM: &[Field] = &[TEXT, CACHE, opt("guardContent", Kind::Object)];

const BLOCK: &[Field] = &[
    TEXT,
    CACHE,
    IMAGE,
    DOCUMENT,
    opt("video", Kind::Object),
    opt("audio", Kind::Object),
    opt("guardContent", Kind::Object),
    opt("citationsContent", Kind::Object),
    opt("searchResult", Kind::Object),
    opt(
        "toolUse",
        Kind::Fields(&[
            req("toolUseId", Kind::With(id)),
            req("name", Kind::With(name)),
            req("input", Kind::Object),
            opt("type", Kind::Str),
        ]),
    ),
    opt(
        "toolResult",
        Kind::Fields(&[
            req("toolUseId", Kind::With(id)),
            req("content", Kind::List(0, &Kind::With(|value, at| one_of(value, at, RESULT)))),
            opt("status", Kind::OneOf(&["success", "error"])),
            opt("type", Kind::Str),
        ]),
    ),
    opt("reasoningContent", Kind::With(|value, at| one_of(value, at, REASONING))),
];

const RESULT: &[Field] = &[TEXT, opt("json", Kind::Any), IMAGE, DOCUMENT, opt("video", Kind::Object)];
const IMAGE: Field = opt(
    "image",
    Kind::Fields(&[req("format", Kind::OneOf(&["png", "jpeg", "gif", "webp"])), req("source", Kind::Fields(SOURCE))]),
);
const DOCUMENT: Field = opt(
    "document",
    Kind::Fields(&[
        opt("format", Kind::OneOf(&["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"])),
        req("name", Kind::Str),
        req("source", Kind::Fields(SOURCE)),
        opt("context", Kind::Str),
        opt("citations", Kind::Object),
    ]),
);
const SOURCE: &[Field] = &[
    opt("bytes", Kind::With(bytes)),
    opt("s3Location", Kind::Object),
    opt("text", Kind::Str),
    opt("content", Kind::Any),
];

const REASONING: &[Field] = &[
    opt("reasoningText", Kind::Fields(&[req("text", Kind::Str), opt("signature", Kind::With(signed))])),
    opt("redactedContent", Kind::With(bytes)),
];

const TOOLS: &[Field] = &[
    req("tools", Kind::List(1, &Kind::With(|value, at| one_of(value, at, TOOL)))),
    opt("toolChoice", Kind::With(|value, at| one_of(value, at, CHOICE))),
];

const TOOL: &[Field] = &[
    opt(
        "toolSpec",
        Kind::Fields(&[
            req("name", Kind::With(name)),
            opt("description", Kind::Str),
            req("inputSchema", Kind::Fields(&[req("json", Kind::Object)])),
            opt("strict", Kind::Bool),
        ]),
    ),
    opt("systemTool", Kind::Object),
    CACHE,
];

const CHOICE: &[Field] =
    &[opt("auto", Kind::Object), opt("any", Kind::Object), opt("tool", Kind::Fields(&[req("name", Kind::With(name))]))];

/// An object with one member, as the vendor's unions are.
fn one_of(value: &Value, at: &At, table: &'static [Field]) -> Checked {
    let given = object(value, at)?;
    fields(given, at, &[table])?;
    if given.len() == 1 { Ok(()) } else { at.rule("The union must have exactly one member set.") }
}

fn name(value: &Value, at: &At) -> Checked {
    let fits = value.as_str().is_some_and(|name| is_name(name, 64));
    if fits { Ok(()) } else { at.rule("Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+") }
}

fn id(value: &Value, at: &At) -> Checked {
    let fits = value.as_str().is_some_and(|id| is_name(&id.replace(['.', ':'], "_"), 64));
    if fits { Ok(()) } else { at.rule("Member must satisfy regular expression pattern: [a-zA-Z0-9_.:-]+") }
}

fn bytes(value: &Value, at: &At) -> Checked {
    let fits = value.as_str().is_some_and(is_base64);
    if fits { Ok(()) } else { at.rule("The bytes are not base64") }
}

fn signed(value: &Value, at: &At) -> Checked {
    let own = value.as_str().is_some_and(|text| text.starts_with("StandinSignature"));
    if own { Ok(()) } else { at.rule("Invalid signature in thinking block") }
}

pub fn request(body: &Value, mode: Mode) -> Checked {
    let top = At::Root(mode);
    let given = object(body, &top)?;
    fields(given, &top, &[TOP])?;
    turns(body, &At::Key(&top, "messages"))
}

/// Roles take turns, a user's is first, and each call has its result in the turn after it.
fn turns(body: &Value, at: &At) -> Checked {
    let messages = body.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let role = |message: &Value| message.get("role").and_then(Value::as_str).unwrap_or_default().to_owned();
    let ids = |message: Option<&Value>, kind: &str| -> Vec<Value> {
        let blocks = message.and_then(|message| message.get("content")?.as_array());
        let blocks = blocks.map(Vec::as_slice).unwrap_or_default().iter();
        blocks.filter_map(|block| block.get(kind)?.get("toolUseId").cloned()).collect()
    };
    if messages.first().is_some_and(|first| role(first) != "user") {
        return at.rule("A conversation must start with a user message. Try again with a conversation that starts with a user message.");
    }
    let uses = messages.iter().any(|message| !ids(Some(message), "toolUse").is_empty());
    if uses && body.get("toolConfig").is_none() {
        return at.rule("The toolConfig field must be defined when using toolUse and toolResult content blocks.");
    }
    let mut before: Option<&Value> = None;
    for message in messages {
        if before.is_some_and(|before| role(before) == role(message)) {
            return at.rule("A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.");
        }
        let (asked, mut answered) = (ids(before, "toolUse"), ids(Some(message), "toolResult"));
        let missing = asked.iter().any(|id| !answered.contains(id));
        answered.retain(|id| !asked.contains(id));
        if missing {
            return at.rule("Expected toolResult blocks for the toolUse blocks of the turn before.");
        }
        if !answered.is_empty() {
            return at.rule("The number of toolResult blocks exceeds the number of toolUse blocks of previous turn.");
        }
        before = Some(message);
    }
    Ok(())
}
