//! Embeddings on Amazon Bedrock, by `InvokeModel`: each maker's models have a body of their own.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html>

use super::cohere;
use super::embed::{Embed, Encoding, Piece, bad, complete, raw_vector};
use super::wire::{encode, input};
use super::{Answer, Codec, Coding, Format, Given};
use crate::api::{Asked, Line, Named};
use crate::chat::Losses;
use crate::error::Error;
use crate::http::decoded;
use crate::json::{Value, write as put};

const BASE: Format = Format {
    dialect: "bedrock",
    path: |model| {
        let mut path = "/model/".to_owned();
        encode(&mut path, model);
        path.push_str("/invoke");
        path.into()
    },
    rename: |_, _| Vec::new(),
    counted: "x-amzn-bedrock-input-token-count",
    ..Format::BASE
};

pub static TITAN: Format = Format {
    name: "bedrock-titan-embed",
    takes: |line| invoked(line, titan),
    fits: titan,
    usage: |body| body.get("inputTextTokenCount")?.count().map(input),
    codec: Some(Codec::Embed(Coding { read, write, read_answer, write_answer })),
    ..BASE
};

pub static COHERE: Format = Format {
    name: "bedrock-cohere-embed",
    takes: |line| invoked(line, by_cohere),
    fits: by_cohere,
    codec: Some(Codec::Embed(Coding {
        read: cohere::read,
        write: write_cohere,
        read_answer: cohere::read_answer,
        write_answer: write_cohere_answer,
    })),
    ..BASE
};

/// A model's id says who made it, with or without a region before it.
fn titan(model: &str) -> bool {
    model.contains("amazon.titan-embed")
}

fn by_cohere(model: &str) -> bool {
    model.contains("cohere.embed")
}

fn invoked(line: &Line<'_>, fits: fn(&str) -> bool) -> Option<Named> {
    let model = decoded(line.path.strip_prefix("/model/")?.strip_suffix("/invoke")?);
    (line.method == "POST" && fits(&model)).then(|| Named { model: Some(model), ..Named::default() })
}

fn read(body: Value<'_>) -> Result<Embed, Error> {
    const KNOWN: &[&str] = &["inputText", "inputImage", "dimensions", "normalize", "embeddingTypes", "embeddingConfig"];
    let mut pieces = Vec::new();
    if let Some(text) = body.string("inputText")? {
        pieces.push(Piece::Text(text.into_owned()));
    }
    if let Some(data) = body.string("inputImage")? {
        // It is told by the bytes.
        pieces.push(Piece::Image { media_type: media_type(&data).to_owned(), data: data.into_owned() });
    }
    if pieces.is_empty() {
        return Err(body.missing("inputText"));
    }
    let mut encodings = Vec::new();
    for one in body.list("embeddingTypes")?.into_iter().flat_map(|list| list.items()) {
        let known = Encoding::ALL.iter().find(|(name, _)| one.is(name) && matches!(*name, "float" | "binary"));
        encodings.push(known.ok_or_else(|| one.error("must be `float` or `binary`"))?.1);
    }
    let config = body.object("embeddingConfig")?;
    let length = config.map(|config| config.unsigned("outputEmbeddingLength")).transpose()?.flatten();
    Ok(Embed {
        inputs: vec![pieces],
        member: "inputText",
        dimensions: body.unsigned("dimensions")?.or(length),
        encodings,
        unscaled: body.boolean("normalize")? == Some(false),
        more: body.members().any(|(name, value)| !value.is_null() && !KNOWN.iter().any(|known| name.is(known))),
        ..Embed::default()
    })
}

/// What the first bytes of an image say, in base64.
fn media_type(data: &str) -> &'static str {
    match data.as_bytes() {
        [b'/', b'9', b'j', ..] => "image/jpeg",
        [b'R', b'0', b'l', b'G', ..] => "image/gif",
        [b'U', b'k', b'l', b'G', ..] => "image/webp",
        _ => "image/png",
    }
}

fn write(request: &Embed, model: &str, losses: &mut Losses) -> Result<Vec<u8>, Error> {
    let pictures = model.contains("image");
    // The first version knows nothing but the text.
    let first = model.contains("embed-text-v1") || model.contains("embed-g1-text");
    let keeps: &[&str] = match (pictures, first) {
        (true, _) => &["dimensions"],
        (_, true) => &[],
        _ => &["dimensions", "normalize"],
    };
    request.lose(keeps, losses);
    let mut out = b"{".to_vec();
    let input = request.only()?;
    if !pictures {
        put::text(&mut out, "inputText", &request.text(input)?);
        if let Some(dimensions) = request.dimensions.filter(|_| !first) {
            put::number(&mut out, "dimensions", dimensions);
        }
        if request.unscaled && !first {
            put::flag(&mut out, "normalize", false);
        }
        out.push(b'}');
        return Ok(out);
    }
    let (image, text): (Vec<_>, Vec<_>) = input.iter().cloned().partition(|piece| matches!(piece, Piece::Image { .. }));
    if !text.is_empty() {
        put::text(&mut out, "inputText", &request.text(&text)?);
    }
    match image.as_slice() {
        [] => {}
        [Piece::Image { data, .. }] => put::text(&mut out, "inputImage", data),
        _ => return Err(super::wire::unsupported(request.member, "this model's provider takes one image at a time")),
    }
    if let Some(dimensions) = request.dimensions {
        put::field(&mut out, "embeddingConfig");
        out.push(b'{');
        put::number(&mut out, "outputEmbeddingLength", dimensions);
        out.push(b'}');
    }
    out.push(b'}');
    Ok(out)
}

fn read_answer<'a>(body: Value<'a>, request: &Embed) -> Result<Answer<'a>, Error> {
    let vector = body.get("embedding").or_else(|| body.at(&["embeddingsByType", "float"])).ok_or_else(bad)?;
    let sets = vec![(Encoding::Float, vec![raw_vector(&vector)?])];
    complete(request, &sets)?;
    Ok(Answer::of(Given::Vectors(sets), &body))
}

fn write_answer(answer: &Answer<'_>, request: &Embed, _: &Asked) -> Result<Vec<u8>, Error> {
    let mut out = b"{".to_vec();
    if request.encodings.is_empty() || request.encodings.contains(&Encoding::Float) {
        put::field(&mut out, "embedding");
        answer.vector(&mut out, 0, Encoding::Float)?;
    }
    if !request.encodings.is_empty() {
        put::field(&mut out, "embeddingsByType");
        out.push(b'{');
        for encoding in &request.encodings {
            put::field(&mut out, encoding.name());
            answer.vector(&mut out, 0, *encoding)?;
        }
        out.push(b'}');
    }
    if let Some(usage) = answer.usage {
        put::number(&mut out, "inputTextTokenCount", usage.input);
    }
    out.push(b'}');
    Ok(out)
}

fn write_cohere(request: &Embed, _: &str, losses: &mut Losses) -> Result<Vec<u8>, Error> {
    let mut out = b"{".to_vec();
    cohere::write_members(&mut out, request, losses)?;
    // The older models answer with numbers if they are not told.
    if request.quantized() {
        put::field(&mut out, "embedding_types");
        cohere::types(&mut out, request);
    }
    out.push(b'}');
    Ok(out)
}

fn write_cohere_answer(answer: &Answer<'_>, request: &Embed, asked: &Asked) -> Result<Vec<u8>, Error> {
    let mut out = b"{".to_vec();
    if request.encodings.is_empty() {
        put::text(&mut out, "id", answer.id.as_deref().unwrap_or(&asked.id));
        put::field(&mut out, "embeddings");
        answer.vectors(&mut out, Encoding::Float)?;
        cohere::write_texts(&mut out, request);
        put::text(&mut out, "response_type", "embeddings_floats");
    } else {
        cohere::write_given(&mut out, answer, request, asked)?;
        put::text(&mut out, "response_type", "embeddings_by_type");
    }
    out.push(b'}');
    Ok(out)
}
