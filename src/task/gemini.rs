//! Google's embeddings, as the Gemini API and Vertex AI have them: <https://ai.google.dev/api/embeddings>,
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>. Its count of tokens.

use super::embed::{Embed, Encoding, Piece, Purpose, Truncate, bad, complete, raw_vector};
use super::wire::{encode, input, verb};
use super::{Answer, Codec, Coding, Format, Given, Operation};
use crate::api::{Asked, Line, Named};
use crate::chat::{Losses, Usage};
use crate::error::Error;
use crate::http::decoded;
use crate::json::{Edit, Value, quote, write as put};
use std::borrow::Cow;

const BASE: Format = Format { dialect: "gemini", rename, usage, ..Format::BASE };

fn model_at(line: &Line<'_>, wanted: &str) -> Option<Named> {
    verb(line, wanted).map(|model| Named { model: Some(decoded(model)), ..Named::default() })
}

fn path_of(model: &str, verb: &str) -> Cow<'static, str> {
    let mut path = "/models/".to_owned();
    encode(&mut path, model.strip_prefix("models/").unwrap_or(model));
    path.push(':');
    path.push_str(verb);
    path.into()
}

pub static EMBED: Format = Format {
    name: "gemini-embed",
    takes: |line| model_at(line, "embedContent"),
    path: |model| path_of(model, "embedContent"),
    codec: Some(Codec::Embed(Coding { read, write, read_answer, write_answer })),
    ..BASE
};

pub static BATCH_EMBED: Format = Format {
    name: "gemini-batch-embed",
    takes: |line| model_at(line, "batchEmbedContents"),
    path: |model| path_of(model, "batchEmbedContents"),
    codec: Some(Codec::Embed(Coding {
        read: read_batch,
        write: write_batch,
        read_answer: read_batch_answer,
        write_answer: write_batch_answer,
    })),
    ..BASE
};

pub static COUNT_TOKENS: Format = Format {
    name: "gemini-count-tokens",
    operation: Operation::CountTokens,
    takes: |line| model_at(line, "countTokens"),
    path: |model| path_of(model, "countTokens"),
    usage: |_| None,
    ..BASE
};

/// Vertex AI's own.
pub static PREDICT: Format = Format {
    name: "vertex-embed",
    takes: |line| model_at(line, "predict"),
    path: |model| path_of(model, "predict"),
    codec: Some(Codec::Embed(Coding {
        read: read_instances,
        write: write_instances,
        read_answer: read_predictions,
        write_answer: write_predictions,
    })),
    ..BASE
};

/// Bodies repeat the path's model, each of a batch does.
fn rename(body: Value<'_>, model: &str) -> Vec<Edit> {
    let named = ["models/", model.strip_prefix("models/").unwrap_or(model)].concat();
    let mut json = Vec::with_capacity(named.len().saturating_add(2));
    quote(&mut json, &named);
    let each = body.get("requests").into_iter().flat_map(|list| list.items());
    let inner = body.get("generateContentRequest").into_iter();
    let all = std::iter::once(body).chain(each).chain(inner);
    let own = all.filter(|one| one.get("model").is_some_and(|given| !given.is(&named)));
    own.map(|one| one.set("model", json.clone())).collect()
}

fn usage(body: Value<'_>) -> Option<Usage> {
    if let Some(tokens) = body.at(&["usageMetadata", "promptTokenCount"]).and_then(|count| count.count()) {
        return Some(input(tokens));
    }
    let counts = body.get("predictions")?.items();
    let counts = counts.map(|one| one.at(&["embeddings", "statistics", "token_count"])?.count());
    counts.sum::<Option<u64>>().map(input)
}

const PURPOSES: &[(&str, Purpose)] = &[
    ("RETRIEVAL_QUERY", Purpose::Query),
    ("RETRIEVAL_DOCUMENT", Purpose::Document),
    ("SEMANTIC_SIMILARITY", Purpose::Similarity),
    ("CLASSIFICATION", Purpose::Classification),
    ("CLUSTERING", Purpose::Clustering),
    ("QUESTION_ANSWERING", Purpose::Question),
    ("FACT_VERIFICATION", Purpose::Fact),
    ("CODE_RETRIEVAL_QUERY", Purpose::Code),
];

/// A member by either of the names that Google reads.
fn either<'a>(of: &Value<'a>, name: &'static str, other: &'static str) -> (Option<Value<'a>>, &'static str) {
    if of.member(other).is_some() { (of.get(other), other) } else { (of.get(name), name) }
}

fn purpose(of: &Value<'_>) -> Result<Option<Purpose>, Error> {
    let (_, name) = either(of, "taskType", "task_type");
    match of.string(name)?.as_deref() {
        None | Some("TASK_TYPE_UNSPECIFIED") => Ok(None),
        Some(said) => {
            let known = PURPOSES.iter().find(|(known, _)| *known == said);
            Ok(Some(known.ok_or_else(|| of.at_member(name, "is not a task type"))?.1))
        }
    }
}

fn dimensions(of: &Value<'_>) -> Result<Option<u64>, Error> {
    of.unsigned(either(of, "outputDimensionality", "output_dimensionality").1)
}

fn read(body: Value<'_>) -> Result<Embed, Error> {
    const KNOWN: &[&str] =
        &["model", "content", "taskType", "task_type", "title", "outputDimensionality", "output_dimensionality"];
    let content = body.object("content")?.ok_or_else(|| body.missing("content"))?;
    let mut parts = Vec::new();
    for part in content.list("parts")?.ok_or_else(|| content.missing("parts"))?.items() {
        let (inline, _) = either(&part, "inlineData", "inline_data");
        parts.push(match (part.string("text")?, inline) {
            (Some(text), _) => Piece::Text(text.into_owned()),
            (None, Some(inline)) => Piece::Image {
                media_type: inline.need(either(&inline, "mimeType", "mime_type").1)?.into_owned(),
                data: inline.need("data")?.into_owned(),
            },
            (None, None) => return Err(part.missing("text")),
        });
    }
    Ok(Embed {
        inputs: vec![parts],
        member: "content",
        dimensions: dimensions(&body)?,
        purpose: purpose(&body)?,
        title: body.string("title")?.map(Into::into),
        more: body.members().any(|(name, value)| !value.is_null() && !KNOWN.iter().any(|known| name.is(known))),
        ..Embed::default()
    })
}

fn read_batch(body: Value<'_>) -> Result<Embed, Error> {
    let list = body.list("requests")?.ok_or_else(|| body.missing("requests"))?;
    let mut all: Option<Embed> = None;
    for one in list.items() {
        let next = read(one)?;
        match &mut all {
            None => all = Some(Embed { member: "requests", ..next }),
            Some(all) => {
                let same = all.dimensions == next.dimensions && all.purpose == next.purpose && all.title == next.title;
                if !same {
                    return Err(one.error("must want the same as those before it: other providers embed a batch alike"));
                }
                all.inputs.extend(next.inputs);
            }
        }
    }
    all.ok_or_else(|| list.error("must not be empty"))
}

fn write(request: &Embed, _: &str, losses: &mut Losses) -> Result<Vec<u8>, Error> {
    lose(request, losses);
    let mut out = b"{".to_vec();
    one(&mut out, request, request.only()?)?;
    out.push(b'}');
    Ok(out)
}

fn lose(request: &Embed, losses: &mut Losses) {
    request.lose(&["dimensions", "purpose", "title"], losses);
}

fn write_batch(request: &Embed, model: &str, losses: &mut Losses) -> Result<Vec<u8>, Error> {
    lose(request, losses);
    let name = ["models/", model.strip_prefix("models/").unwrap_or(model)].concat();
    let mut out = br#"{"requests":["#.to_vec();
    for input in &request.inputs {
        put::comma(&mut out);
        out.push(b'{');
        put::text(&mut out, "model", &name);
        one(&mut out, request, input)?;
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

fn one(out: &mut Vec<u8>, request: &Embed, input: &[Piece]) -> Result<(), Error> {
    put::field(out, "content");
    out.extend_from_slice(br#"{"parts":["#);
    for piece in input {
        put::comma(out);
        out.push(b'{');
        match piece {
            Piece::Text(text) => put::text(out, "text", text),
            Piece::Image { media_type, data } => {
                put::field(out, "inlineData");
                out.push(b'{');
                put::text(out, "mimeType", media_type);
                put::text(out, "data", data);
                out.push(b'}');
            }
            Piece::Tokens(_) => return Err(request.no_tokens()),
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    purpose_and_title(out, "taskType", request);
    if let Some(dimensions) = request.dimensions {
        put::number(out, "outputDimensionality", dimensions);
    }
    Ok(())
}

/// A title goes with documents only.
fn purpose_and_title(out: &mut Vec<u8>, name: &'static str, request: &Embed) {
    let purpose = request.purpose.and_then(|wanted| PURPOSES.iter().find(|(_, known)| *known == wanted));
    if let Some((said, _)) = purpose {
        put::text(out, name, said);
    }
    if let Some(title) = request.title.as_ref().filter(|_| request.purpose == Some(Purpose::Document)) {
        put::text(out, "title", title);
    }
}

fn read_answer<'a>(body: Value<'a>, request: &Embed) -> Result<Answer<'a>, Error> {
    // One endpoint answers with a list of one.
    let list = body.get("embeddings").and_then(|list| list.items().next());
    let vector = body.get("embedding").or(list).and_then(|one| one.get("values")).ok_or_else(bad)?;
    let sets = vec![(Encoding::Float, vec![raw_vector(&vector)?])];
    complete(request, &sets)?;
    Ok(Answer::of(Given::Vectors(sets), &body))
}

fn read_batch_answer<'a>(body: Value<'a>, request: &Embed) -> Result<Answer<'a>, Error> {
    read_each(body, request, body.get("embeddings"), &["values"])
}

fn read_each<'a>(body: Value<'a>, request: &Embed, list: Option<Value<'a>>, at: &[&str]) -> Result<Answer<'a>, Error> {
    let vector = |one: Value<'a>| one.at(at).ok_or_else(bad).and_then(|vector| raw_vector(&vector));
    let vectors = list.ok_or_else(bad)?.items().map(vector).collect::<Result<Vec<_>, _>>()?;
    let sets = vec![(Encoding::Float, vectors)];
    complete(request, &sets)?;
    Ok(Answer::of(Given::Vectors(sets), &body))
}

fn write_answer(answer: &Answer<'_>, _: &Embed, _: &Asked) -> Result<Vec<u8>, Error> {
    let mut out = br#"{"embedding":{"values":"#.to_vec();
    answer.vector(&mut out, 0, Encoding::Float)?;
    out.push(b'}');
    used(&mut out, answer);
    out.push(b'}');
    Ok(out)
}

fn write_batch_answer(answer: &Answer<'_>, _: &Embed, _: &Asked) -> Result<Vec<u8>, Error> {
    let mut out = br#"{"embeddings":["#.to_vec();
    for input in 0..answer.count() {
        put::comma(&mut out);
        out.extend_from_slice(br#"{"values":"#);
        answer.vector(&mut out, input, Encoding::Float)?;
        out.push(b'}');
    }
    out.push(b']');
    used(&mut out, answer);
    out.push(b'}');
    Ok(out)
}

fn used(out: &mut Vec<u8>, answer: &Answer<'_>) {
    if let Some(usage) = answer.usage {
        put::field(out, "usageMetadata");
        out.push(b'{');
        put::number(out, "promptTokenCount", usage.input);
        put::number(out, "totalTokenCount", usage.input);
        out.push(b'}');
    }
}

fn read_instances(body: Value<'_>) -> Result<Embed, Error> {
    let list = body.list("instances")?.ok_or_else(|| body.missing("instances"))?;
    let wanted = body.object("parameters")?.unwrap_or(body);
    let mut request = Embed {
        member: "instances",
        dimensions: dimensions(&wanted)?,
        truncate: match wanted.boolean("autoTruncate")? {
            Some(false) => Some(Truncate::No),
            Some(true) => Some(Truncate::End),
            None => None,
        },
        ..Embed::default()
    };
    for one in list.items() {
        let wants = (purpose(&one)?, one.string("title")?.map(Into::into));
        if request.inputs.is_empty() {
            (request.purpose, request.title) = wants;
        } else if (request.purpose, &request.title) != (wants.0, &wants.1) {
            return Err(one.error("must want the same as those before it: other providers embed a batch alike"));
        }
        request.inputs.push(vec![Piece::Text(one.need("content")?.into_owned())]);
    }
    if request.inputs.is_empty() { Err(list.error("must not be empty")) } else { Ok(request) }
}

fn write_instances(request: &Embed, _: &str, losses: &mut Losses) -> Result<Vec<u8>, Error> {
    request.lose(&["dimensions", "purpose", "title", "truncate"], losses);
    let mut out = br#"{"instances":["#.to_vec();
    for text in request.texts()? {
        put::comma(&mut out);
        out.push(b'{');
        put::text(&mut out, "content", &text);
        purpose_and_title(&mut out, "task_type", request);
        out.push(b'}');
    }
    out.extend_from_slice(br#"],"parameters":{"#);
    if let Some(dimensions) = request.dimensions {
        put::number(&mut out, "outputDimensionality", dimensions);
    }
    if let Some(truncate) = request.truncate {
        put::flag(&mut out, "autoTruncate", truncate != Truncate::No);
    }
    out.extend_from_slice(b"}}");
    Ok(out)
}

fn read_predictions<'a>(body: Value<'a>, request: &Embed) -> Result<Answer<'a>, Error> {
    read_each(body, request, body.get("predictions"), &["embeddings", "values"])
}

fn write_predictions(answer: &Answer<'_>, _: &Embed, _: &Asked) -> Result<Vec<u8>, Error> {
    let mut out = br#"{"predictions":["#.to_vec();
    // What others count is the sum.
    let tokens = answer.usage.filter(|_| answer.count() == 1);
    for input in 0..answer.count() {
        put::comma(&mut out);
        out.extend_from_slice(br#"{"embeddings":{"values":"#);
        answer.vector(&mut out, input, Encoding::Float)?;
        if let Some(usage) = tokens {
            put::field(&mut out, "statistics");
            out.extend_from_slice(br#"{"truncated":false"#);
            put::number(&mut out, "token_count", usage.input);
            out.push(b'}');
        }
        out.extend_from_slice(b"}}");
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}
