//! Cohere's embeddings and ranking: <https://docs.cohere.com/reference/embed>, <https://docs.cohere.com/reference/rerank>.

use super::embed::{Embed, Encoding, Piece, Purpose, Truncate, bad, complete, listed};
use super::rerank::{Rerank, ranks, read as read_common};
use super::wire::{input, strings};
use super::{Answer, Codec, Coding, Format, Given, Operation, Vectors};
use crate::api::{Asked, Line, Named};
use crate::base64::data_url;
use crate::chat::{Losses, Usage};
use crate::error::Error;
use crate::json::{Value, escape, quote, write as put};
use std::borrow::Cow;

pub static EMBED: Format = Format {
    name: "cohere-embed",
    operation: Operation::Embed,
    dialect: "cohere",
    takes: |line: &Line<'_>| (line.method == "POST" && line.path == "/v2/embed").then(Named::default),
    path: |_| Cow::Borrowed("/embed"),
    usage,
    codec: Some(Codec::Embed(Coding { read, write, read_answer, write_answer })),
    ..Format::BASE
};

pub static RERANK: Format = Format {
    name: "cohere-rerank",
    operation: Operation::Rerank,
    dialect: "cohere",
    takes: |line: &Line<'_>| (line.method == "POST" && line.path == "/v2/rerank").then(Named::default),
    path: |_| Cow::Borrowed("/rerank"),
    usage,
    codec: Some(Codec::Rerank(RANKING)),
    ..Format::BASE
};

/// The older version, for its clients only: others have the same path, and only this one's SDKs say who they are.
pub static RERANK_V1: Format = Format {
    name: "cohere-rerank-v1",
    takes: |line: &Line<'_>| {
        let own = line.headers.bytes("x-fern-sdk-name").is_some_and(|sdk| sdk.starts_with(b"cohere"));
        (own && line.method == "POST" && line.path == "/v1/rerank").then(Named::default)
    },
    path: |_| Cow::Borrowed(""),
    model: Some("rerank-english-v2.0"),
    operation: Operation::Rerank,
    dialect: "cohere",
    usage,
    codec: Some(Codec::Rerank(RANKING)),
    ..Format::BASE
};

const RANKING: Coding<Rerank> = Coding {
    read: |body| {
        let more = ["rank_fields", "max_chunks_per_doc", "max_tokens_per_doc", "priority"];
        let request = read_common(body, false, &more)?;
        let max_tokens = body.unsigned("max_tokens_per_doc")?;
        Ok(Rerank { max_tokens, fields: body.list("rank_fields")?.is_some(), ..request })
    },
    write: |request, model, losses| {
        request.lose(&["max_tokens_per_doc"], losses);
        let mut out = b"{".to_vec();
        put::text(&mut out, "model", model);
        request.write(&mut out)?;
        if let Some(tokens) = request.max_tokens {
            put::number(&mut out, "max_tokens_per_doc", tokens);
        }
        out.push(b'}');
        Ok(out)
    },
    read_answer: |body, request| {
        let search_units = body.at(&["meta", "billed_units", "search_units"]).and_then(|units| units.count());
        Ok(Answer { search_units, ..Answer::of(ranks(body.get("results"), request)?, &body) })
    },
    write_answer: |answer, request, asked| {
        let mut out = b"{".to_vec();
        put::text(&mut out, "id", answer.id.as_deref().unwrap_or(&asked.id));
        answer.results(&mut out, request);
        meta(&mut out, answer);
        out.push(b'}');
        Ok(out)
    },
};

fn usage(body: Value<'_>) -> Option<Usage> {
    let count = |names: &[&str]| body.get("meta")?.at(names)?.count();
    let images = count(&["billed_units", "image_tokens"]);
    let tokens = count(&["billed_units", "input_tokens"]).or_else(|| count(&["tokens", "input_tokens"]));
    tokens.or(images)?;
    Some(input(tokens.unwrap_or(0).saturating_add(images.unwrap_or(0))))
}

fn meta(out: &mut Vec<u8>, answer: &Answer<'_>) {
    put::field(out, "meta");
    out.extend_from_slice(br#"{"api_version":{"version":"2"},"billed_units":{"#);
    if let Some(usage) = answer.usage {
        put::number(out, "input_tokens", usage.input);
    }
    if let Some(units) = answer.search_units {
        put::number(out, "search_units", units);
    }
    out.extend_from_slice(b"}}");
}

const PURPOSES: &[(&str, Purpose)] = &[
    ("search_document", Purpose::Document),
    ("search_query", Purpose::Query),
    ("classification", Purpose::Classification),
    ("clustering", Purpose::Clustering),
    ("image", Purpose::Image),
    // What it has no word for.
    ("clustering", Purpose::Similarity),
    ("search_query", Purpose::Question),
    ("search_query", Purpose::Fact),
    ("search_query", Purpose::Code),
];

const KNOWN: &[&str] = &[
    "model",
    "texts",
    "images",
    "inputs",
    "input_type",
    "embedding_types",
    "output_dimension",
    "max_tokens",
    "truncate",
];

pub(super) fn read(body: Value<'_>) -> Result<Embed, Error> {
    let (mut inputs, mut member) = (Vec::new(), "texts");
    if let Some(texts) = body.get("texts").filter(|texts| !texts.is_empty()) {
        inputs.extend(strings(&texts)?.into_iter().map(|text| vec![Piece::Text(text)]));
    } else if let Some(images) = body.list("images")?.filter(|images| !images.is_empty()) {
        member = "images";
        for one in images.items() {
            inputs.push(vec![image(&one)?]);
        }
    } else if let Some(list) = body.list("inputs")? {
        member = "inputs";
        for one in list.items() {
            let content = one.list("content")?.ok_or_else(|| one.missing("content"))?;
            inputs.push(content.items().map(|part| piece(&part)).collect::<Result<_, _>>()?);
        }
    }
    if inputs.is_empty() {
        return Err(body.missing("texts"));
    }
    let mut encodings = Vec::new();
    for one in body.list("embedding_types")?.into_iter().flat_map(|list| list.items()) {
        let known = Encoding::ALL.iter().find(|(name, _)| one.is(name));
        encodings.push(known.ok_or_else(|| one.error("is not an embedding type"))?.1);
    }
    let purpose = match body.string("input_type")? {
        None => None,
        Some(name) => {
            let known = PURPOSES.iter().find(|(known, _)| *known == name);
            Some(known.ok_or_else(|| body.at_member("input_type", "is not an input type"))?.1)
        }
    };
    let truncate = match body.string("truncate")?.as_deref() {
        None => None,
        Some("NONE") => Some(Truncate::No),
        Some("START" | "LEFT") => Some(Truncate::Start),
        Some("END" | "RIGHT") => Some(Truncate::End),
        Some(_) => return Err(body.at_member("truncate", "must be NONE, START or END")),
    };
    Ok(Embed {
        inputs,
        member,
        dimensions: body.unsigned("output_dimension")?,
        encodings,
        purpose,
        truncate,
        max_tokens: body.unsigned("max_tokens")?,
        more: body.members().any(|(name, value)| !value.is_null() && !KNOWN.iter().any(|known| name.is(known))),
        ..Embed::default()
    })
}

fn image(value: &Value<'_>) -> Result<Piece, Error> {
    let url = value.text().ok_or_else(|| value.wrong("a string"))?;
    match data_url(&url) {
        Some((media_type, data)) => Ok(Piece::Image { media_type: media_type.into(), data: data.into() }),
        None => Err(value.error("must be a data URI")),
    }
}

fn piece(part: &Value<'_>) -> Result<Piece, Error> {
    if let Some(url) = part.at(&["image_url", "url"]) {
        return image(&url);
    }
    Ok(Piece::Text(part.need("text")?.into_owned()))
}

fn write(request: &Embed, model: &str, losses: &mut Losses) -> Result<Vec<u8>, Error> {
    let mut out = b"{".to_vec();
    put::text(&mut out, "model", model);
    write_members(&mut out, request, losses)?;
    put::field(&mut out, "embedding_types");
    types(&mut out, request);
    out.push(b'}');
    Ok(out)
}

/// All members but the model's and the types'.
pub(super) fn write_members(out: &mut Vec<u8>, request: &Embed, losses: &mut Losses) -> Result<(), Error> {
    const KEEPS: &[&str] = &["dimensions", "encoding", "max_tokens", "truncate_start", "truncate", "purpose"];
    request.lose(KEEPS, losses);
    let all = |what: fn(&Piece) -> bool| request.inputs.iter().all(|input| input.len() == 1 && input.iter().all(what));
    let mut purpose = request.purpose;
    if all(|piece| matches!(piece, Piece::Text(_))) {
        put::field(out, "texts");
        list(out, &request.texts()?, |out, text| quote(out, text));
    } else if all(|piece| matches!(piece, Piece::Image { .. })) {
        purpose = Some(Purpose::Image);
        put::field(out, "images");
        let images: Vec<&Piece> = request.inputs.iter().flatten().collect();
        list(out, &images, |out, image| write_image(out, image));
    } else {
        put::field(out, "inputs");
        out.push(b'[');
        for input in &request.inputs {
            put::comma(out);
            out.extend_from_slice(br#"{"content":["#);
            for piece in input {
                put::comma(out);
                match piece {
                    Piece::Text(text) => {
                        out.extend_from_slice(br#"{"type":"text","text":"#);
                        quote(out, text);
                        out.push(b'}');
                    }
                    Piece::Image { .. } => {
                        out.extend_from_slice(br#"{"type":"image_url","image_url":{"url":"#);
                        write_image(out, piece);
                        out.extend_from_slice(b"}}");
                    }
                    Piece::Tokens(_) => return Err(request.no_tokens()),
                }
            }
            out.extend_from_slice(b"]}");
        }
        out.push(b']');
    }
    // It must be told, and most of what is embedded is what will be searched.
    let purpose = purpose.unwrap_or(Purpose::Document);
    let name = PURPOSES.iter().find(|(_, known)| *known == purpose).map_or("search_document", |(name, _)| name);
    put::text(out, "input_type", name);
    if let Some(dimensions) = request.dimensions {
        put::number(out, "output_dimension", dimensions);
    }
    if let Some(tokens) = request.max_tokens {
        put::number(out, "max_tokens", tokens);
    }
    if let Some(truncate) = request.truncate {
        let name = match truncate {
            Truncate::No => "NONE",
            Truncate::Start => "START",
            Truncate::End => "END",
        };
        put::text(out, "truncate", name);
    }
    Ok(())
}

fn list<T>(out: &mut Vec<u8>, items: &[T], one: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for item in items {
        put::comma(out);
        one(out, item);
    }
    out.push(b']');
}

fn write_image(out: &mut Vec<u8>, image: &Piece) {
    let Piece::Image { media_type, data } = image else { return };
    out.extend_from_slice(b"\"data:");
    escape(out, media_type);
    out.extend_from_slice(b";base64,");
    escape(out, data);
    out.push(b'"');
}

/// Writes the types that are asked for: numbers are asked for as such.
pub(super) fn types(out: &mut Vec<u8>, request: &Embed) {
    let mut names: Vec<&str> = Vec::new();
    for encoding in &request.encodings {
        let name = if encoding.exact() { "float" } else { encoding.name() };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        names.push("float");
    }
    list(out, &names, |out, name| quote(out, name));
}

pub(super) fn read_answer<'a>(body: Value<'a>, request: &Embed) -> Result<Answer<'a>, Error> {
    let given = body.get("embeddings").ok_or_else(bad)?;
    let mut sets = Vectors::new();
    if given.is_list() {
        sets.push((Encoding::Float, listed(&given)?));
    }
    for (name, list) in given.members() {
        if let Some((_, encoding)) = Encoding::ALL.iter().find(|(known, _)| name.is(known))
            && list.is_list()
        {
            sets.push((*encoding, listed(&list)?));
        }
    }
    complete(request, &sets)?;
    Ok(Answer::of(Given::Vectors(sets), &body))
}

fn write_answer(answer: &Answer<'_>, request: &Embed, asked: &Asked) -> Result<Vec<u8>, Error> {
    let mut out = b"{".to_vec();
    write_given(&mut out, answer, request, asked)?;
    meta(&mut out, answer);
    put::text(&mut out, "response_type", "embeddings_by_type");
    out.push(b'}');
    Ok(out)
}

/// Writes `id`, `embeddings` by type, and `texts`.
pub(super) fn write_given(out: &mut Vec<u8>, answer: &Answer<'_>, request: &Embed, asked: &Asked) -> Result<(), Error> {
    put::text(out, "id", answer.id.as_deref().unwrap_or(&asked.id));
    put::field(out, "embeddings");
    out.push(b'{');
    let all = if request.encodings.is_empty() { &[Encoding::Float] } else { request.encodings.as_slice() };
    for (at, encoding) in all.iter().enumerate().filter(|(at, one)| !all.iter().take(*at).any(|before| before == *one))
    {
        if at > 0 {
            out.push(b',');
        }
        quote(out, encoding.name());
        out.push(b':');
        answer.vectors(out, *encoding)?;
    }
    out.push(b'}');
    write_texts(out, request);
    Ok(())
}

pub(super) fn write_texts(out: &mut Vec<u8>, request: &Embed) {
    if let Ok(texts) = request.texts() {
        put::field(out, "texts");
        list(out, &texts, |out, text| quote(out, text));
    }
}
