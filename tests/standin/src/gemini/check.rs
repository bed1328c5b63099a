//! What the vendor accepts as a request to generate content.

use serde_json::Value;

use crate::check::{At, Checked, Field, Kind, Mode, fields, is_base64, is_name, object, opt, req};

const TOP: &[Field] = &[
    req("contents", Kind::List(1, &Kind::With(content))),
    opt("systemInstruction", Kind::With(content)),
    opt("tools", Kind::List(0, &Kind::Fields(TOOL))),
    opt(
        "toolConfig",
        Kind::Fields(&[opt("functionCallingConfig", Kind::Fields(CALLING)), opt("retrievalConfig", Kind::Object)]),
    ),
    opt("safetySettings", Kind::List(0, &Kind::Fields(&[req("category", Kind::Str), req("threshold", Kind::Str)]))),
    opt("generationConfig", Kind::Fields(CONFIG)),
    opt("cachedContent", Kind::Str),
    opt("labels", Kind::Object),
    opt("model", Kind::Str),
    opt("serviceTier", Kind::Str),
];

const TOOL: &[Field] = &[
    opt("functionDeclarations", Kind::List(1, &Kind::Fields(FUNCTION))),
    opt("googleSearch", Kind::Object),
    opt("codeExecution", Kind::Object),
    opt("urlContext", Kind::Object),
];

const FUNCTION: &[Field] = &[
    req("name", Kind::With(name)),
    opt("description", Kind::Str),
    opt("parameters", Kind::With(schema)),
    opt("parametersJsonSchema", Kind::Any),
    opt("response", Kind::Object),
    opt("responseJsonSchema", Kind::Any),
    opt("behavior", Kind::Str),
];

const CALLING: &[Field] = &[
    opt("mode", Kind::OneOf(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"])),
    opt("allowedFunctionNames", Kind::List(0, &Kind::Str)),
];

const CONFIG: &[Field] = &[
    opt("stopSequences", Kind::List(0, &Kind::Str)),
    opt("responseMimeType", Kind::OneOf(&["text/plain", "application/json", "text/x.enum"])),
    opt("responseSchema", Kind::With(schema)),
    opt("responseJsonSchema", Kind::Any),
    opt("responseModalities", Kind::List(0, &Kind::Str)),
    opt("candidateCount", Kind::Int(1..=8)),
    opt("maxOutputTokens", Kind::Int(1..=1 << 20)),
    opt("temperature", Kind::Num(0.0..=2.0)),
    opt("topP", Kind::Num(0.0..=1.0)),
    opt("topK", Kind::Num(0.0..=1e6)),
    opt("seed", Kind::Int(i64::MIN..=i64::MAX)),
    opt("presencePenalty", Kind::Num(-2.0..=2.0)),
    opt("frequencyPenalty", Kind::Num(-2.0..=2.0)),
    opt("responseLogprobs", Kind::Bool),
    opt("logprobs", Kind::Int(0..=20)),
    opt(
        "thinkingConfig",
        Kind::Fields(&[
            opt("includeThoughts", Kind::Bool),
            opt("thinkingBudget", Kind::Int(-1..=65_536)),
            opt("thinkingLevel", Kind::Str),
        ]),
    ),
    opt("mediaResolution", Kind::Str),
    opt("speechConfig", Kind::Object),
    opt("imageConfig", Kind::Object),
];

const PART: &[Field] = &[
    opt("text", Kind::Str),
    opt("thought", Kind::Bool),
    opt("thoughtSignature", Kind::With(signature)),
    opt(
        "inlineData",
        Kind::Fields(&[req("mimeType", Kind::Str), req("data", Kind::With(data)), opt("displayName", Kind::Str)]),
    ),
    opt(
        "fileData",
        Kind::Fields(&[opt("mimeType", Kind::Str), req("fileUri", Kind::Str), opt("displayName", Kind::Str)]),
    ),
    opt(
        "functionCall",
        Kind::Fields(&[req("name", Kind::With(name)), opt("args", Kind::Object), opt("id", Kind::Str)]),
    ),
    opt("functionResponse", Kind::Fields(RESPONSE)),
    opt("executableCode", Kind::Object),
    opt("codeExecutionResult", Kind::Object),
    opt("videoMetadata", Kind::Object),
    opt("mediaResolution", Kind::Object),
    opt("partMetadata", Kind::Object),
];

const RESPONSE: &[Field] = &[
    req("name", Kind::With(name)),
    req("response", Kind::Object),
    opt("id", Kind::Str),
    opt("parts", Kind::List(0, &Kind::Object)),
    opt("scheduling", Kind::Str),
    opt("willContinue", Kind::Bool),
];

/// What a part holds: exactly one of these.
const DATA: &[&str] =
    &["text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult"];

/// The words that the vendor takes in a schema of its own.
const SCHEMA: &[&str] = &[
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "default",
    "items",
    "minItems",
    "maxItems",
    "enum",
    "properties",
    "propertyOrdering",
    "required",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "example",
    "anyOf",
    "additionalProperties",
];

pub fn request(body: &Value, mode: Mode) -> Checked {
    let top = At::Root(mode);
    let given = object(body, &top)?;
    fields(given, &top, &[TOP])?;
    let turns = given.get("contents").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for pair in turns.windows(2) {
        let [asked, answered] = pair else { continue };
        let count = |turn: &Value, kind: &str| {
            let parts = turn.get("parts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            parts.iter().filter(|part| part.get(kind).is_some()).count()
        };
        let (calls, responses) = (count(asked, "functionCall"), count(answered, "functionResponse"));
        if calls > 0 && calls != responses {
            return At::Key(&top, "contents").rule("Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.");
        }
    }
    Ok(())
}

fn content(value: &Value, at: &At) -> Checked {
    const CONTENT: &[Field] = &[
        opt("role", Kind::OneOf(&["user", "model", "function", "system"])),
        req("parts", Kind::List(1, &Kind::With(part))),
    ];
    Kind::Fields(CONTENT).check(value, at)
}

fn part(value: &Value, at: &At) -> Checked {
    let given = object(value, at)?;
    fields(given, at, &[PART])?;
    let held = DATA.iter().filter(|name| given.contains_key(**name)).count();
    match held {
        1 => Ok(()),
        0 if given.contains_key("thoughtSignature") => Ok(()),
        _ => at.rule(
            "* GenerateContentRequest.contents.parts.data: required oneof field 'data' must have one initialized field",
        ),
    }
}

fn name(value: &Value, at: &At) -> Checked {
    let plain = |name: &str| {
        is_name(&name.replace(['.', ':'], "_"), 64) && !name.starts_with(|first: char| first.is_ascii_digit())
    };
    match value.as_str() {
        Some(name) if plain(name) => Ok(()),
        _ => at.rule("Invalid function name. Must start with a letter or an underscore."),
    }
}

fn data(value: &Value, at: &At) -> Checked {
    let fits = value.as_str().is_some_and(is_base64);
    if fits { Ok(()) } else { at.rule("Base64 decoding failed") }
}

fn signature(value: &Value, at: &At) -> Checked {
    // Another vendor's are not taken; the documentation has a name for there being none.
    let own = crate::vector::base64(b"standin").trim_end_matches('=').to_owned();
    let begins = own.get(..9).unwrap_or_default();
    match value.as_str() {
        Some(text)
            if text.starts_with(begins)
                || text == "skip_thought_signature_validator"
                || text == "context_engineering_is_the_way_to_go" =>
        {
            Ok(())
        }
        _ => at.rule("Corrupted thought signature."),
    }
}

fn schema(value: &Value, at: &At) -> Checked {
    let given = object(value, at)?;
    for (name, inner) in given {
        let here = At::Key(at, name);
        if !SCHEMA.contains(&name.as_str()) {
            return Err(here.bad(crate::check::Problem::Unknown));
        }
        match name.as_str() {
            "items" => schema(inner, &here)?,
            "anyOf" => Kind::List(0, &Kind::With(schema)).check(inner, &here)?,
            "properties" => {
                object(inner, &here)?.iter().try_for_each(|(name, inner)| schema(inner, &At::Key(&here, name)))?;
            }
            "type" => Kind::Str.check(inner, &here)?,
            _ => {}
        }
    }
    Ok(())
}
