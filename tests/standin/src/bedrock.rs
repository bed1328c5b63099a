//! Amazon Bedrock: Converse, and what models are invoked with.

mod check;
mod invoke;
mod write;

use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::answer::{Choice, Format, Prompt, Tool, Weight, answer};
use crate::api::{Api, Ask, Failure, Line, Named, Reply, Task, hash, models};
use crate::check::{Bad, Mode, Problem, Step};
use crate::events::Framing;
use crate::eventstream;
use crate::gemini::decoded;
use write::Writer;

pub const API: Api = Api {
    name: "bedrock",
    tasks: &[CONVERSE, invoke::TASK],
    speaks: |headers| headers.contains_key("x-amz-date"),
    key,
    failure,
    interruption: 503,
    headers: &[],
    request_id: "x-amzn-requestid",
    error_header: Some(("x-amzn-errortype", |failure| name(failure).to_owned())),
    models: |id| models(id, &["amazon.nova-lite-v1:0"], |id| json!({"modelId": id})),
};

const CONVERSE: Task = Task {
    serves: |line| named(line, "/converse", "/converse-stream"),
    streams: |_| None,
    answer: respond,
    error: |failure, _| error(failure),
    error_event,
};

/// Most tokens of a thought.
const MAX_THOUGHT: usize = 24;

/// `/model/{id}` and one of two methods, the second of which streams. An id may be an ARN: slashes are escaped.
fn named(line: &Line, whole: &str, stream: &str) -> Option<Named> {
    let below = line.path.strip_prefix("/model/").filter(|_| line.method == "POST")?;
    let (model, framing) = match (below.strip_suffix(whole), below.strip_suffix(stream)) {
        (Some(model), _) => (model, None),
        (_, Some(model)) => (model, Some(Framing::Frames)),
        _ => return None,
    };
    Some(Named { model: Some(decoded(model)), framing, verb: String::new() })
}

/// An API key, or the id of the key that signed.
fn key(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get("authorization")?.to_str().ok()?;
    match given.split_once("Credential=") {
        Some((_, credential)) => credential.split('/').next(),
        None => given.strip_prefix("Bearer "),
    }
}

fn name(failure: &Failure) -> &str {
    failure.kind.as_deref().unwrap_or(match failure.status {
        401 | 403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        status if status >= 500 => "InternalServerException",
        _ => "ValidationException",
    })
}

fn error(failure: &Failure) -> String {
    let message = match failure.status {
        401 | 403 => "You don't have access to the model with the specified model ID.",
        404 => "Could not resolve the foundation model from the provided model identifier.",
        429 => "Too many requests, please wait before trying again.",
        503 => "Bedrock is unable to process your request.",
        status if status >= 500 => {
            "The system encountered an unexpected error during processing. Try your request again."
        }
        _ => "The request is invalid.",
    };
    json!({"message": failure.message.as_deref().unwrap_or(message)}).to_string()
}

/// In a stream names begin with a small letter.
fn error_event(failure: &Failure, _: Framing) -> Vec<u8> {
    let name = name(failure);
    let mut letters = name.chars();
    let small: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
    eventstream::exception(&small, &error(failure))
}

fn failure(code: &str) -> Option<Failure> {
    let (status, message) = match code {
        "context_length_exceeded" => (400, "Input is too long for requested model."),
        "insufficient_quota" | "rate_limit_exceeded" | "rate_limit_error" => {
            (429, "Too many tokens per day, please wait before trying again.")
        }
        "invalid_api_key" | "authentication_error" => (403, "The security token included in the request is invalid."),
        "model_not_found" | "not_found_error" => (400, "The provided model identifier is invalid."),
        "overloaded_error" => (503, "Bedrock is unable to process your request."),
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
        Problem::Unknown => format!("extraneous key [{path}] is not permitted"),
        Problem::Missing => format!("required key [{path}] not found"),
        Problem::Type { wanted, got } => format!("{path}: expected type: {wanted}, found: {got}"),
        Problem::Value { got, .. } => {
            format!("Value '{got}' at '{path}' failed to satisfy constraint: Member must satisfy enum value set")
        }
        Problem::TooShort { least } => format!(
            "Value at '{path}' failed to satisfy constraint: Member must have length greater than or equal to {least}"
        ),
        Problem::Range { least, most } => {
            format!("Value at '{path}' failed to satisfy constraint: Member must have value from {least} to {most}")
        }
        Problem::Rule(message) => message.clone(),
    };
    Failure::new(400, message)
}

/// What this server puts on a thought, so that it knows its own again.
fn signature(thought: &str) -> String {
    format!("StandinSignature{:016x}", hash(thought.as_bytes()))
}

fn respond(ask: &Ask) -> Result<Reply, Failure> {
    check::request(ask.body, Mode { lenient: ask.shape.lenient, nulls: true }).map_err(|bad| refused(&bad))?;
    let prompt = prompt(ask.body);
    let answer = answer(&prompt, ask.shape, 0);
    let mut weight = Weight::default();
    ["system", "messages", "toolConfig"]
        .iter()
        .filter_map(|name| ask.body.get(*name))
        .for_each(|part| weight.add(part));
    let marked = ["/system", "/messages", "/toolConfig"].iter().filter_map(|path| ask.body.pointer(path)).any(marks);
    let total = weight.tokens();
    let (read, written) = if marked { (total / 2, total / 4) } else { (0, 0) };
    let writer = Writer {
        seed: ask.seed,
        fresh: total.saturating_sub(read).saturating_sub(written),
        read,
        written,
        redacted: ask.shape.redacted,
        refuses: ask.shape.refusal,
    };
    Ok(match ask.framing {
        Some(_) => Reply::stream(writer.stream(&answer), writer.usage(&answer)),
        None => Reply::json(&writer.whole(&answer), writer.usage(&answer)),
    })
}

/// Whether a cache point is in it.
fn marks(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| name == "cachePoint" || marks(value)),
        Value::Array(items) => items.iter().any(marks),
        _ => false,
    }
}

fn prompt(body: &Value) -> Prompt {
    let list = |path: &str| body.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let messages = list("/messages");
    let last = messages.iter().rev().find(|message| message.get("role") == Some(&json!("user")));
    let content = last.and_then(|message| message.get("content")?.as_array()).cloned().unwrap_or_default();
    let results: Vec<Value> =
        content.iter().filter_map(|block| block.pointer("/toolResult/content").cloned()).collect();
    let joined = |blocks: &[Value]| {
        let said = blocks.iter().filter_map(|block| match block.get("json") {
            Some(json) => Some(json.to_string()),
            None => Some(block.get("text")?.as_str()?.to_owned()),
        });
        said.collect::<Vec<_>>().join(" ")
    };
    let result = !results.is_empty();
    let given: Vec<Value> = results.iter().filter_map(Value::as_array).flatten().cloned().collect();
    let specs = list("/toolConfig/tools");
    let tools = specs.iter().filter_map(|tool| {
        let spec = tool.get("toolSpec")?;
        Some(Tool { name: spec.get("name")?.as_str()?.to_owned(), schema: spec.pointer("/inputSchema/json")?.clone() })
    });
    let choice = body.pointer("/toolConfig/toolChoice");
    let named = choice.and_then(|choice| choice.pointer("/tool/name")?.as_str());
    let schema = body.pointer("/outputConfig/textFormat/structure/jsonSchema/schema").and_then(Value::as_str);
    let thinks = ["/additionalModelRequestFields/thinking/type", "/additionalModelRequestFields/reasoningConfig/type"];
    let thinks =
        thinks.iter().any(|path| body.pointer(path).is_some_and(|kind| kind == "enabled" || kind == "adaptive"));
    let stop = list("/inferenceConfig/stopSequences");
    Prompt {
        text: joined(if result { &given } else { &content }),
        result,
        tools: tools.collect(),
        choice: match (choice, named) {
            (_, Some(name)) => Choice::Named(name.to_owned()),
            (Some(choice), None) if choice.get("any").is_some() => Choice::Any,
            _ => Choice::Auto,
        },
        single: false,
        json: schema.and_then(|schema| serde_json::from_str(schema).ok()).map(Format::Schema),
        reasoning: if thinks { MAX_THOUGHT } else { 0 },
        max_tokens: body.pointer("/inferenceConfig/maxTokens").and_then(Value::as_u64),
        stop: stop.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_one_segment_of_the_path() {
        let path = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x-v1%3A0/converse-stream";
        let found = (CONVERSE.serves)(&Line { method: "POST", path, query: "" }).unwrap();
        assert_eq!(found.model.as_deref(), Some("arn:aws:bedrock:us-east-1:1:inference-profile/us.x-v1:0"));
        assert_eq!(found.framing, Some(Framing::Frames));
    }

    #[test]
    fn the_key_is_that_of_the_signature_or_the_token() {
        for (given, expected) in [
            (
                "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0",
                "AKID",
            ),
            ("Bearer ABSK", "ABSK"),
        ] {
            let headers = HeaderMap::from_iter([(hyper::header::AUTHORIZATION, given.parse().unwrap())]);
            assert_eq!(key(&headers), Some(expected));
        }
    }
}
