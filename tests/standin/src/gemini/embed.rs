//! Google's embeddings: the Gemini API's, and Vertex AI's `predict`.

use serde_json::{Value, json};

use crate::answer::Weight;
use crate::api::{Ask, Failure, Reply};
use crate::vector::vector;

pub fn respond(ask: &Ask) -> Result<Reply, Failure> {
    let list = |name: &str| ask.body.get(name).and_then(Value::as_array);
    let body = match ask.verb {
        "embedContent" => {
            let (vector, tokens) = one(ask.body)?;
            let usage = json!({"promptTokenCount": tokens, "totalTokenCount": tokens});
            return Ok(Reply::json(&json!({"embedding": vector, "usageMetadata": usage}), usage));
        }
        "batchEmbedContents" => {
            let requests = list("requests").ok_or_else(|| missing("requests"))?;
            let named =
                |one: &Value| one.get("model").and_then(Value::as_str) == Some(&["models/", ask.model].concat());
            if !requests.iter().all(named) {
                return Err(Failure::new(
                    400,
                    "* BatchEmbedContentsRequest.requests[0].model: unexpected model name format",
                ));
            }
            let vectors = requests.iter().map(|request| Ok(one(request)?.0)).collect::<Result<Vec<_>, Failure>>()?;
            json!({"embeddings": vectors})
        }
        _ => {
            let instances = list("instances").ok_or_else(|| missing("instances"))?;
            let dimensions = ask.body.pointer("/parameters/outputDimensionality").and_then(Value::as_u64);
            let prediction = |instance: &Value| {
                let text = instance.get("content").and_then(Value::as_str).ok_or_else(|| missing("content"))?;
                let statistics = json!({"token_count": text.len().div_ceil(4), "truncated": false});
                Ok(json!({"embeddings": {"statistics": statistics, "values": vector(text, dimensions)}}))
            };
            let predictions = instances.iter().map(prediction).collect::<Result<Vec<_>, Failure>>()?;
            json!({"predictions": predictions, "metadata": {"billableCharacterCount": 1}})
        }
    };
    Ok(Reply::json(&body, Value::Null))
}

fn one(request: &Value) -> Result<(Value, u64), Failure> {
    let content = request.get("content").ok_or_else(|| missing("content"))?;
    let parts = content.get("parts").and_then(Value::as_array).ok_or_else(|| missing("content.parts"))?;
    let text: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
    let dimensions = request.get("outputDimensionality").and_then(Value::as_u64);
    let mut weight = Weight::default();
    weight.add(content);
    Ok((json!({"values": vector(&text.join(" "), dimensions)}), weight.tokens()))
}

fn missing(name: &str) -> Failure {
    Failure::new(400, format!("* EmbedContentRequest.{name}: {name} is not specified"))
}
