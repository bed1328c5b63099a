//! Gemini, at AI Studio and at Vertex AI; there also Anthropic's models.

mod check;
mod claude;
mod embed;
mod write;

use hyper::HeaderMap;
use serde_json::{Map, Value, json};

use crate::answer::{Choice, Format, Prompt, Tool, Weight, answer};
use crate::api::{Api, Ask, Failure, Line, Named, Reply, Task, hash, models};
use crate::check::{Bad, Mode, Problem, Step};
use crate::events::Framing;
use write::Writer;

pub const API: Api = Api {
    name: "gemini",
    tasks: &[
        GENERATE,
        claude::TASK,
        Task::whole(|line| verb(line, &["countTokens"]), count, error),
        Task::whole(|line| verb(line, &["embedContent", "batchEmbedContents", "predict"]), embed::respond, error),
    ],
    speaks: |headers| headers.contains_key("x-goog-api-key"),
    key,
    failure,
    interruption: 503,
    headers: &[("server-timing", "gfet4t7; dur=1"), ("vary", "Origin, X-Origin, Referer")],
    request_id: "x-request-id",
    error_header: None,
    models: list,
};

const GENERATE: Task = Task {
    serves: |line| {
        let named = verb(line, &["generateContent", "streamGenerateContent"])?;
        let sse = line.query.split('&').any(|one| one == "alt=sse");
        let framing = named.verb.starts_with("stream").then_some(if sse { Framing::Sse } else { Framing::Array });
        Some(Named { framing, ..named })
    },
    streams: |_| None,
    answer: respond,
    error,
    error_event: |failure, framing| match framing {
        Framing::Array => format!("{}]", one_error(failure)).into_bytes(),
        _ => format!("data: {}\n\n", one_error(failure)).into_bytes(),
    },
};

/// Prompts this long are read from the cache in part.
const CACHED_FROM: u64 = 1024;
/// Most tokens of a thought.
const MAX_THOUGHT: u64 = 32;

fn key(headers: &HeaderMap) -> Option<&str> {
    match headers.get("x-goog-api-key") {
        Some(key) => key.to_str().ok(),
        None => crate::openai::bearer(headers),
    }
}

/// `…/models/{model}:{verb}` or `…/endpoints/{id}:{verb}`, of Google's own models.
fn verb(line: &Line, known: &[&str]) -> Option<Named> {
    let (model, verb) = line.path.rsplit_once('/').and_then(|(_, last)| last.rsplit_once(':'))?;
    let google = !line.path.contains("/publishers/anthropic/");
    (line.method == "POST" && google && known.contains(&verb)).then(|| Named {
        model: Some(decoded(model)),
        verb: verb.to_owned(),
        ..Named::default()
    })
}

/// Of a path.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match (byte, code.and_then(|code| u8::from_str_radix(code, 16).ok())) {
            (b'%', Some(coded)) => {
                bytes.push(coded);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn list(id: Option<&str>) -> Value {
    let entry = |id: &str| {
        json!({"name": format!("models/{id}"), "version": "001", "displayName": id, "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536, "supportedGenerationMethods": ["generateContent", "countTokens"]})
    };
    match models(id, &["gemini-2.5-pro", "gemini-2.5-flash"], entry) {
        Value::Array(models) => json!({"models": models}),
        one => one,
    }
}

/// Where a list was asked for, a list of one error.
fn error(failure: &Failure, framing: Option<Framing>) -> String {
    let one = one_error(failure);
    if framing == Some(Framing::Array) { json!([one]).to_string() } else { one.to_string() }
}

fn one_error(failure: &Failure) -> Value {
    let (status, message) = match failure.status {
        400 => ("INVALID_ARGUMENT", "Request contains an invalid argument."),
        401 => ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
        403 => ("PERMISSION_DENIED", "The caller does not have permission."),
        404 => ("NOT_FOUND", "The model is not found for API version v1beta, or is not supported."),
        408 | 504 => ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
        429 => ("RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details."),
        503 => ("UNAVAILABLE", "The model is overloaded. Please try again later."),
        status if status >= 500 => ("INTERNAL", "An internal error has occurred."),
        _ => ("FAILED_PRECONDITION", "The request cannot be served."),
    };
    let status = failure.kind.as_deref().unwrap_or(status);
    let message = failure.message.as_deref().unwrap_or(message);
    json!({"error": {"code": failure.status, "message": message, "status": status}})
}

fn failure(code: &str) -> Option<Failure> {
    let (status, message) = match code {
        "context_length_exceeded" => {
            (400, "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).")
        }
        "insufficient_quota" | "rate_limit_exceeded" | "rate_limit_error" => {
            (429, "You exceeded your current quota, please check your plan and billing details.")
        }
        "invalid_api_key" | "authentication_error" => (400, "API key not valid. Please pass a valid API key."),
        "model_not_found" | "not_found_error" => (404, "The model is not found for API version v1beta."),
        "overloaded_error" => (503, "The model is overloaded. Please try again later."),
        "content_filter" => (400, "The prompt was blocked."),
        _ => return None,
    };
    Some(Failure::new(status, message))
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
    let message = match &bad.problem {
        Problem::Unknown => {
            let (above, name) = path.rsplit_once('.').unwrap_or(("", &path));
            format!("Invalid JSON payload received. Unknown name \"{name}\" at '{above}': Cannot find field.")
        }
        Problem::Missing => format!("* GenerateContentRequest.{path}: {path} is not specified"),
        Problem::Type { wanted, got } => format!("Invalid value at '{path}': {got} is no {wanted}"),
        Problem::Value { got, .. } => format!("Invalid value at '{path}': \"{got}\""),
        Problem::TooShort { .. } => format!("* GenerateContentRequest.{path}: {path} is not specified"),
        Problem::Range { least, most } => format!("Invalid value at '{path}': it must be from {least} to {most}."),
        Problem::Rule(message) => message.clone(),
    };
    Failure::new(400, message)
}

/// What this server puts on a thought, so that it knows its own again: base64, as the vendor's is.
fn signature(thought: &str) -> String {
    let sign = format!("standin{:016x}", hash(thought.as_bytes()));
    crate::vector::base64(sign.as_bytes())
}

fn respond(ask: &Ask) -> Result<Reply, Failure> {
    let body = camel(ask.body);
    let ask = &Ask { body: &body, ..*ask };
    check::request(ask.body, Mode { lenient: ask.shape.lenient, nulls: true }).map_err(|bad| refused(&bad))?;
    let prompt = prompt(ask.body);
    let answer = answer(&prompt, ask.shape, 0);
    let shown = ask.body.pointer("/generationConfig/thinkingConfig/includeThoughts") == Some(&Value::Bool(true));
    let input = input(ask.body);
    let cached = if input >= CACHED_FROM { input / 2 } else { 0 };
    let writer = Writer { seed: ask.seed, model: ask.model, shown, input, cached };
    Ok(match ask.framing {
        Some(framing) => Reply::stream(writer.stream(&answer, framing), writer.usage(&answer)),
        None => Reply::json(&writer.whole(&answer), writer.usage(&answer)),
    })
}

fn count(ask: &Ask) -> Result<Reply, Failure> {
    let body = camel(ask.body);
    let tokens = input(body.get("generateContentRequest").unwrap_or(&body));
    let details = json!([{"modality": "TEXT", "tokenCount": tokens}]);
    Ok(Reply::json(&json!({"totalTokens": tokens, "promptTokensDetails": details}), Value::Null))
}

fn input(body: &Value) -> u64 {
    let mut weight = Weight::default();
    let parts = ["systemInstruction", "contents", "tools"];
    parts.iter().filter_map(|name| body.get(*name)).for_each(|part| weight.add(part));
    weight.tokens()
}

fn prompt(body: &Value) -> Prompt {
    let empty = Vec::new();
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let contents = body.get("contents").and_then(Value::as_array).unwrap_or(&empty);
    let last = contents.iter().rev().find(|content| content.get("role") != Some(&json!("model")));
    let parts = list(last.and_then(|content| content.get("parts")));
    let results = parts.iter().filter_map(|part| part.pointer("/functionResponse/response"));
    let results: Vec<String> = results.map(said).collect();
    let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
    let declared = list(body.get("tools"));
    let declared = declared.iter().filter_map(|tool| tool.get("functionDeclarations")?.as_array()).flatten();
    let tools = declared.filter_map(|function| {
        let schema = function.get("parametersJsonSchema").or(function.get("parameters"));
        Some(Tool { name: function.get("name")?.as_str()?.to_owned(), schema: lower(schema.unwrap_or(&json!({}))) })
    });
    let calling = body.pointer("/toolConfig/functionCallingConfig");
    let only = calling.and_then(|calling| calling.pointer("/allowedFunctionNames/0")?.as_str());
    let choice = match calling.and_then(|calling| calling.get("mode")).and_then(Value::as_str) {
        Some("NONE") => Choice::None,
        Some("ANY" | "VALIDATED") => only.map_or(Choice::Any, |name| Choice::Named(name.to_owned())),
        _ => Choice::Auto,
    };
    let config = |name: &str| body.get("generationConfig").and_then(|config| config.get(name));
    let schema = config("responseJsonSchema").or(config("responseSchema"));
    let json = match config("responseMimeType").and_then(Value::as_str) {
        Some("application/json") => Some(schema.map_or(Format::Object, |schema| Format::Schema(lower(schema)))),
        _ => None,
    };
    let thinking = |name: &str| config("thinkingConfig").and_then(|config| config.get(name)).cloned();
    let reasoning = match (thinking("thinkingBudget").and_then(|budget| budget.as_i64()), thinking("thinkingLevel")) {
        (Some(budget), _) if budget >= 0 => u64::try_from(budget).unwrap_or(0).min(MAX_THOUGHT),
        (Some(_), _) => MAX_THOUGHT,
        (None, Some(level)) => {
            if level == "LOW" || level == "low" {
                8
            } else {
                MAX_THOUGHT
            }
        }
        (None, None) => 0,
    };
    Prompt {
        text: if results.is_empty() { texts.join(" ") } else { results.join(" ") },
        result: !results.is_empty(),
        tools: tools.collect(),
        choice,
        single: false,
        json,
        reasoning: usize::try_from(reasoning).unwrap_or(0),
        max_tokens: config("maxOutputTokens").and_then(Value::as_u64),
        stop: list(config("stopSequences")).iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

/// What a tool said: its one text, or all of it.
fn said(response: &Value) -> String {
    let mut members = response.as_object().into_iter().flatten();
    match (members.next(), members.next()) {
        (Some((_, Value::String(text))), None) => text.clone(),
        _ => response.to_string(),
    }
}

/// Members by the one of their two names that the vendor writes; it reads `max_output_tokens` for `maxOutputTokens` too.
fn camel(value: &Value) -> Value {
    const OTHERS_OWN: &[&str] =
        &["args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels"];
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let mut words = name.split('_');
                let mut known = words.next().unwrap_or_default().to_owned();
                for word in words {
                    let mut letters = word.chars();
                    known.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                    known.push_str(letters.as_str());
                }
                let own = OTHERS_OWN.contains(&known.as_str());
                (known, if own { value.clone() } else { camel(value) })
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(camel).collect(),
        other => other.clone(),
    }
}

/// A schema whose types are in capitals, as JSON Schema has them.
fn lower(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| match value {
                Value::String(kind) if name == "type" => (name.clone(), json!(kind.to_ascii_lowercase())),
                _ => (name.clone(), lower(value)),
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(lower).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_name_of_a_member_is_read_and_what_is_the_clients_own_is_left() {
        let given = json!({"generation_config": {"max_output_tokens": 1}, "contents": [{"parts": [{"function_call": {"args": {"a_b": 1}}}]}]});
        let read = json!({"generationConfig": {"maxOutputTokens": 1}, "contents": [{"parts": [{"functionCall": {"args": {"a_b": 1}}}]}]});
        assert_eq!(camel(&given), read);
    }

    #[test]
    fn a_model_is_read_from_any_of_the_paths() {
        for (path, model) in [
            ("/v1beta/models/gemini-2.5-flash:generateContent", Some("gemini-2.5-flash")),
            (
                "/v1/projects/p/locations/l/publishers/google/models/m%2Bstatus%3D503:generateContent",
                Some("m+status=503"),
            ),
            ("/v1/projects/p/locations/l/endpoints/123:generateContent", Some("123")),
            ("/v1/projects/p/locations/l/publishers/anthropic/models/c:generateContent", None),
            ("/v1beta/models/m:other", None),
        ] {
            let line = Line { method: "POST", path, query: "" };
            assert_eq!((GENERATE.serves)(&line).and_then(|named| named.model).as_deref(), model, "{path}");
        }
    }

    #[test]
    fn a_stream_is_a_list_unless_events_are_asked_for() {
        let framing = |query| {
            let line = Line { method: "POST", path: "/v1beta/models/m:streamGenerateContent", query };
            (GENERATE.serves)(&line).unwrap().framing
        };
        assert_eq!(framing("alt=sse"), Some(Framing::Sse));
        assert_eq!(framing("key=x"), Some(Framing::Array));
        let failure = Failure::new(429, "slow");
        assert!(error(&failure, Some(Framing::Array)).starts_with("[{\"error\""));
        assert!(error(&failure, None).starts_with("{\"error\""));
    }
}
