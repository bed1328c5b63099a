//! What is asked besides chat: embeddings, rankings, counts of tokens, images. What an exchange says is read here from its
//! JSON by its vendor's documentation.

use crate::Checked;
use crate::corpus::{Exchange, base64};
use crate::json::{Value, list, number, parse, parse_bytes, start, text};
use crate::schema;
use serde_json::json;
use sluice::api::{self, Asked, Line};
use sluice::chat::Losses;
use sluice::http::Headers;
use sluice::json::{Body, Tree, splice};
use sluice::task::{FORMATS, Format, by_name};

/// A name that must be escaped in JSON, and one that each format takes for its own.
const OTHER_MODEL: &str = "another/\"model\"";
const MODELS: [&str; 3] = ["amazon.titan-embed-text-v2:0", "cohere.embed-english-v3", "model"];

/// The format that the corpus calls so.
pub fn format(named: &str, model: &str) -> Option<&'static Format> {
    let name = match named {
        "anthropic.count_tokens" => "anthropic-count-tokens",
        "bedrock.invoke" if model.contains("amazon.titan-embed") => "bedrock-titan-embed",
        "bedrock.invoke" if model.contains("cohere.embed") => "bedrock-cohere-embed",
        "cohere.v1.rerank" => "cohere-rerank-v1",
        "cohere.v2.embed" => "cohere-embed",
        "cohere.v2.rerank" => "cohere-rerank",
        "gemini.batchEmbedContents" => "gemini-batch-embed",
        "gemini.countTokens" => "gemini-count-tokens",
        "gemini.embedContent" => "gemini-embed",
        "openai.embeddings" => "openai-embeddings",
        "openai.images_generations" => "openai-images",
        "rerank" => "jina-rerank",
        "vertex.predict" => "vertex-embed",
        _ => return None,
    };
    by_name(name)
}

fn model(format: &Format) -> &'static str {
    MODELS.into_iter().find(|model| (format.fits)(model)).unwrap()
}

/// The schemas of a request and an answer; empty where the vendor publishes none.
fn schemas(format: &str) -> [&'static str; 2] {
    match format {
        "cohere-embed" => ["cohere.v2.embed.request", "cohere.v2.embed.response"],
        "cohere-rerank" => ["cohere.v2.rerank.request", "cohere.v2.rerank.response"],
        "gemini-batch-embed" => ["gemini.batchEmbedContents.request", ""],
        "gemini-embed" => ["gemini.embedContent.request", ""],
        "ollama-embed" => ["ollama.embed.request", "ollama.embed.response"],
        "openai-embeddings" => ["openai.embeddings.request", "openai.embeddings.response.lenient"],
        _ => ["", ""],
    }
}

/// What is to be embedded or ranked.
fn inputs(format: &str, body: &Value) -> Vec<String> {
    let parts = |content: &Value| list(&content["parts"]).iter().map(|part| text(part, "text")).collect::<String>();
    let strings = |value: &Value| match value {
        Value::String(one) => vec![one.clone()],
        many => list(many).iter().map(|one| one.as_str().map_or(one.to_string(), str::to_owned)).collect(),
    };
    match format {
        "gemini-embed" => vec![parts(&body["content"])],
        "gemini-batch-embed" => list(&body["requests"]).iter().map(|one| parts(&one["content"])).collect(),
        "vertex-embed" => list(&body["instances"]).iter().map(|one| text(one, "content").to_owned()).collect(),
        "bedrock-titan-embed" => strings(&body["inputText"]),
        "cohere-embed" | "bedrock-cohere-embed" => {
            let mixed = list(&body["inputs"]).iter();
            let mixed =
                mixed.map(|one| list(&one["content"]).iter().map(|part| text(part, "text")).collect::<String>());
            strings(&body["texts"]).into_iter().chain(mixed).collect()
        }
        "openai-embeddings" | "ollama-embed" => strings(&body["input"]),
        _ => {
            let named = |one: &Value| one["text"].as_str().or(one.as_str()).unwrap_or_default().to_owned();
            let query = [text(body, "query").to_owned()];
            query.into_iter().chain(list(&body["documents"]).iter().map(named)).collect()
        }
    }
}

/// Vectors as numbers, as precise as the least precise form, or places and scores.
fn given(format: &str, body: &Value) -> Vec<Vec<f32>> {
    let vector = |value: &Value| match value {
        Value::String(packed) => {
            base64(packed).chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
        }
        numbers => list(numbers).iter().map(|one| one.as_f64().unwrap() as f32).collect::<Vec<f32>>(),
    };
    let each = |all: &Value, path: &str| list(all).iter().map(|one| vector(one.pointer(path).unwrap())).collect();
    match format {
        "gemini-embed" => vec![vector(&body["embedding"]["values"])],
        "gemini-batch-embed" => each(&body["embeddings"], "/values"),
        "vertex-embed" => each(&body["predictions"], "/embeddings/values"),
        "bedrock-titan-embed" => vec![vector(&body["embedding"])],
        "cohere-embed" | "bedrock-cohere-embed" if body["embeddings"].is_object() => {
            each(&body["embeddings"]["float"], "")
        }
        "cohere-embed" | "bedrock-cohere-embed" | "ollama-embed" => each(&body["embeddings"], ""),
        "openai-embeddings" => each(&body["data"], "/embedding"),
        _ => {
            let all = if body["results"].is_null() { &body["data"] } else { &body["results"] };
            let pair = |one: &Value| [&one["index"], &one["relevance_score"]].map(|n| n.as_f64().unwrap() as f32);
            list(all).iter().map(|one| pair(one).to_vec()).collect()
        }
    }
}

/// Input tokens, where the answer has them.
fn tokens(format: &str, body: &Value) -> Option<u64> {
    let counted = match format {
        "openai-embeddings" | "jina-rerank" => {
            let usage = &body["usage"];
            [&usage["prompt_tokens"], &usage["total_tokens"]].into_iter().find(|count| !count.is_null())?
        }
        "openai-images" => &body["usage"]["input_tokens"],
        "bedrock-titan-embed" => &body["inputTextTokenCount"],
        "gemini-embed" | "gemini-batch-embed" => &body["usageMetadata"]["promptTokenCount"],
        "cohere-embed" => &body["meta"]["billed_units"]["input_tokens"],
        "vertex-embed" => {
            // Each has its own; what was counted for all of them cannot be divided.
            let all = list(&body["predictions"]).iter().map(|one| &one["embeddings"]["statistics"]["token_count"]);
            let known: Vec<u64> = all.filter(|count| !count.is_null()).map(number).collect();
            return (!known.is_empty()).then(|| known.iter().sum());
        }
        _ => return None,
    };
    (!counted.is_null()).then(|| number(counted))
}

pub fn asked(exchange: &Exchange, format: &Format) -> Checked {
    let (Some(body), Some(path)) = (&exchange.request, &exchange.path) else { return Ok(()) };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut headers = Headers::default();
    if exchange.format == "cohere.v1.rerank" {
        headers.push("x-fern-sdk-name", "cohere");
    }
    let line = Line { method: "POST", path, query, headers: &headers };
    // Azure's path is its own kind of provider's; one of Ollama's is of its older API.
    let taker = FORMATS.iter().find(|format| (format.takes)(&line).is_some());
    if exchange.provider != "azure" && taker.map(|taker| taker.name) != Some(format.name) {
        return Err(format!("{path} is taken by {taker:?}"));
    }
    // Only the model's name is changed, where it stands.
    let body = body.get();
    let object = Body::parse(body.as_bytes()).map_err(|e| e.message.clone())?;
    let renamed = splice(body.as_bytes(), &(format.rename)(object.value(), OTHER_MODEL));
    let (mut want, got) = (parse(body)?, parse_bytes(&renamed)?);
    match format.name {
        "gemini-batch-embed" => {
            let all = want["requests"].as_array_mut().unwrap().iter_mut();
            all.filter(|one| !one["model"].is_null())
                .for_each(|one| one["model"] = format!("models/{OTHER_MODEL}").into());
        }
        "gemini-embed" | "gemini-count-tokens" | "vertex-embed" | "bedrock-titan-embed" | "bedrock-cohere-embed" => {}
        _ => want["model"] = OTHER_MODEL.into(),
    }
    if got != want {
        return Err(format!("with another model: {}", start(&got.to_string())));
    }
    Ok(())
}

pub fn asked_across(exchange: &Exchange, format: &Format, other: &Format) -> Checked {
    let Some(body) = &exchange.request else { return Ok(()) };
    let object = Body::parse(body.get().as_bytes()).map_err(|e| e.message.clone())?;
    let read = format.read(object.value()).map_err(|e| format!("not read: {:?} {}", e.param, e.message))?;
    let want = inputs(format.name, &parse(body.get())?);
    let written = match other.write(&read, model(other), &mut Losses::default()) {
        Ok(written) => written,
        // Token ids, and more texts than it takes: refused with the member's name.
        Err(error) if error.status == 400 && error.param.is_some() => return Ok(()),
        Err(error) => return Err(format!("not written: {}", error.message)),
    };
    let written = parse_bytes(&written)?;
    schema::check(schemas(other.name)[0], &written)?;
    let got = inputs(other.name, &written);
    if want != got {
        return Err(format!("{} is {}", start(&format!("{want:?}")), start(&format!("{got:?}"))));
    }
    Ok(())
}

pub fn answered(format: &Format, body: &str) -> Checked {
    let want = tokens(format.name, &parse(body)?);
    let mut tree = Tree::default();
    let value = tree.read(body.as_bytes()).map_err(|e| e.message.clone())?;
    let got = (format.usage)(value).map(|usage| usage.input);
    if want != got {
        return Err(format!("usage {want:?} is {got:?}"));
    }
    Ok(())
}

pub fn answered_across(exchange: &Exchange, format: &Format, other: &Format, body: &str) -> Checked {
    let value = parse(body)?;
    // What only its answer was kept of is asked for here as a client of the other would.
    let made = match format.name.contains("rerank") {
        true => json!({"model": "m", "query": "q", "documents": vec!["d"; 99]}),
        false => json!({"model": "m", "input": vec!["t"; given(format.name, &value).len()]}),
    };
    let (from, asked) = match &exchange.request {
        Some(body) => (format, body.get().to_owned()),
        None => (
            by_name(if format.name.contains("rerank") { "jina-rerank" } else { "openai-embeddings" }).unwrap(),
            made.to_string(),
        ),
    };
    let object = Body::parse(asked.as_bytes()).map_err(|e| e.message.clone())?;
    let request = from.read(object.value()).map_err(|e| format!("not read: {}", e.message))?;
    let mut tree = Tree::default();
    let parsed = tree.read(body.as_bytes()).map_err(|e| e.message.clone())?;
    let answer = format.read_answer(parsed, &request).map_err(|e| format!("not read: {}", e.message))?;
    let want = given(format.name, &value);
    if other.name == "gemini-embed" && want.len() != 1 {
        return Ok(());
    }
    let named = Asked { model: "m".to_owned(), ..Asked::default() };
    // The client's own request, of which the answer's form depends.
    let Ok(own) = other.write(&request, model(other), &mut Losses::default()) else { return Ok(()) };
    let own = Body::parse(&own).map_err(|e| e.message.clone())?;
    let own = other.read(own.value()).map_err(|e| format!("its own: {}", e.message))?;
    let written = other.write_answer(&answer, &own, &named).map_err(|e| format!("not written: {}", e.message))?;
    let written = parse_bytes(&written)?;
    schema::check(schemas(other.name)[1], &written)?;
    let got = given(other.name, &written);
    if want != got {
        return Err(format!("{} is {}", start(&format!("{want:?}")), start(&format!("{got:?}"))));
    }
    let (want, got) = (tokens(format.name, &value).unwrap_or(0), tokens(other.name, &written));
    match got {
        Some(got) if got != want => Err(format!("{want} tokens are {got}")),
        _ => Ok(()),
    }
}

/// Its clients are told what kind of error it was.
pub fn failed(format: &Format, status: u16, body: &str) -> Checked {
    let dialect = api::by_name(format.dialect).unwrap();
    let read = dialect.read_error(status, body.as_bytes());
    let (written, told) = dialect.write_error(&read);
    let told = parse_bytes(&told)?;
    if read.message.is_empty() || !told.to_string().contains(&read.message.replace('"', "\\\"")) || written != status {
        return Err(format!("{status} is {written} {}", start(&told.to_string())));
    }
    Ok(())
}
