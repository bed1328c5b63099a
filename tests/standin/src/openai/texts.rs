//! OpenAI's embeddings and moderations.

use serde_json::{Value, json};

use super::{error, refused};
use crate::answer::Weight;
use crate::api::{Ask, Failure, Reply, Task};
use crate::check::{At, Checked, Field, Kind, Mode, fields, nul, object, opt, req};
use crate::vector::{packed, vector};

pub const EMBEDDINGS: Task = Task::whole(|line| line.posts("/embeddings"), embed, |failure, _| error(failure));
pub const MODERATIONS: Task = Task::whole(|line| line.posts("/moderations"), moderate, |failure, _| error(failure));

const EMBED: &[Field] = &[
    req("input", Kind::With(input)),
    req("model", Kind::Str),
    opt("dimensions", Kind::Int(1..=4096)),
    opt("encoding_format", Kind::OneOf(&["float", "base64"])),
    opt("user", Kind::Str),
];

const MODERATE: &[Field] = &[req("input", Kind::With(input)), nul("model", Kind::Str)];

const CATEGORIES: &[&str] = &[
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

fn input(value: &Value, at: &At) -> Checked {
    match value {
        Value::String(_) => Ok(()),
        _ => Kind::List(1, &Kind::Any).check(value, at),
    }
}

/// A list is several inputs, unless it is one of token ids.
fn inputs(body: &Value) -> Vec<Value> {
    match body.get("input") {
        Some(Value::Array(items)) if !items.iter().all(Value::is_number) => items.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

fn text(input: &Value) -> String {
    input.as_str().map_or_else(|| input.to_string(), str::to_owned)
}

fn checked(ask: &Ask, table: &[Field]) -> Result<(), Failure> {
    let root = At::Root(Mode { lenient: ask.shape.lenient, nulls: true });
    object(ask.body, &root).and_then(|body| fields(body, &root, &[table])).map_err(|bad| refused(&bad))
}

fn embed(ask: &Ask) -> Result<Reply, Failure> {
    checked(ask, EMBED)?;
    let body = ask.body;
    let dimensions = body.get("dimensions").and_then(Value::as_u64);
    let coded = body.get("encoding_format") == Some(&json!("base64"));
    let vectors = inputs(body).into_iter().enumerate().map(|(index, input)| {
        let vector = vector(&text(&input), dimensions);
        let embedding = if coded { json!(packed(&vector)) } else { json!(vector) };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    let data: Vec<Value> = vectors.collect();
    let mut weight = Weight::default();
    body.get("input").into_iter().for_each(|input| weight.add(input));
    let usage = json!({"prompt_tokens": weight.tokens(), "total_tokens": weight.tokens()});
    Ok(Reply::json(&json!({"object": "list", "data": data, "model": ask.model, "usage": usage}), usage))
}

/// A text is flagged for a category that it names.
fn moderate(ask: &Ask) -> Result<Reply, Failure> {
    checked(ask, MODERATE)?;
    let results = inputs(ask.body).into_iter().map(|input| {
        let text = text(&input);
        let found = |name: &&str| text.contains(*name);
        let each = |value: fn(bool) -> Value| -> Value {
            CATEGORIES.iter().map(|name| ((*name).to_owned(), value(found(name)))).collect()
        };
        json!({
            "flagged": CATEGORIES.iter().any(found),
            "categories": each(Value::Bool),
            "category_scores": each(|found| json!(if found { 0.97 } else { 0.0001 })),
            "category_applied_input_types": each(|_| json!(["text"])),
        })
    });
    let results: Vec<Value> = results.collect();
    let model = if ask.model.is_empty() { "omni-moderation-latest" } else { ask.model };
    let id = format!("modr-standin{:016x}", ask.seed);
    Ok(Reply::json(&json!({"id": id, "model": model, "results": results}), Value::Null))
}
