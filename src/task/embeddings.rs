//! OpenAI's embeddings, translated: <https://platform.openai.com/docs/api-reference/embeddings>.
//!
//! Its SDKs ask for base64 unless told otherwise. Others who speak this format know a purpose too, under Cohere's name.

use super::embed::{Embed, Encoding, Piece, Purpose, complete, raw_vector};
use super::wire;
use super::{Answer, Codec, Coding, Given};
use crate::api::{Asked, Form};
use crate::chat::Losses;
use crate::error::Error;
use crate::json::{Value, quote, write as put};

pub const CODEC: Codec = Codec::Embed(Coding { read, write, read_answer, write_answer });

const KNOWN: &[&str] = &["model", "input", "dimensions", "output_dimension", "encoding_format", "input_type", "user"];

const PURPOSES: &[(&str, Purpose)] = &[
    ("query", Purpose::Query),
    ("document", Purpose::Document),
    ("passage", Purpose::Document),
    ("search_query", Purpose::Query),
    ("search_document", Purpose::Document),
    ("classification", Purpose::Classification),
    ("clustering", Purpose::Clustering),
];

fn read(body: Value<'_>) -> Result<Embed, Error> {
    let input = body.get("input").ok_or_else(|| body.missing("input"))?;
    let mut inputs = Vec::new();
    if let Some(text) = input.text() {
        inputs.push(vec![Piece::Text(text.into_owned())]);
    } else if input.items().next().is_some_and(|first| first.count().is_some()) {
        inputs.push(vec![tokens(&input)?]);
    } else if input.is_list() {
        for one in input.items() {
            inputs.push(vec![match one.text() {
                Some(text) => Piece::Text(text.into_owned()),
                None => tokens(&one)?,
            }]);
        }
    } else {
        return Err(input.wrong("a string or an array"));
    }
    if inputs.is_empty() {
        return Err(input.error("must not be empty"));
    }
    let encoding = match body.string("encoding_format")?.as_deref() {
        None | Some("float") => Encoding::Float,
        Some("base64") => Encoding::Base64,
        Some(_) => return Err(body.at_member("encoding_format", "must be `float` or `base64`")),
    };
    let purpose = match body.string("input_type")? {
        None => None,
        Some(name) => {
            let known = PURPOSES.iter().find(|(known, _)| *known == name).map(|(_, purpose)| *purpose);
            Some(known.ok_or_else(|| body.at_member("input_type", "must be `query` or `document`"))?)
        }
    };
    Ok(Embed {
        inputs,
        member: "input",
        // Mistral's clients have the other name.
        dimensions: body.unsigned("dimensions")?.or(body.unsigned("output_dimension")?),
        encodings: vec![encoding],
        purpose,
        user: body.string("user")?.map(Into::into),
        more: body.members().any(|(name, value)| !value.is_null() && !KNOWN.iter().any(|known| name.is(known))),
        ..Embed::default()
    })
}

fn tokens(list: &Value<'_>) -> Result<Piece, Error> {
    if !list.is_list() {
        return Err(list.wrong("a string or an array of token ids"));
    }
    match list.items().find(|id| id.count().is_none()) {
        Some(other) => Err(other.wrong("a token id")),
        None => Ok(Piece::Tokens(list.keep())),
    }
}

fn write(request: &Embed, model: &str, losses: &mut Losses) -> Result<Vec<u8>, Error> {
    request.lose(&["dimensions", "user"], losses);
    let mut out = b"{".to_vec();
    put::text(&mut out, "model", model);
    put::field(&mut out, "input");
    out.push(b'[');
    for input in &request.inputs {
        put::comma(&mut out);
        match input.as_slice() {
            [Piece::Tokens(ids)] => out.extend_from_slice(ids.get().as_bytes()),
            _ => quote(&mut out, &request.text(input)?),
        }
    }
    out.push(b']');
    if let Some(dimensions) = request.dimensions {
        put::number(&mut out, "dimensions", dimensions);
    }
    put::text(&mut out, "encoding_format", "float");
    if let Some(user) = &request.user {
        put::text(&mut out, "user", user);
    }
    out.push(b'}');
    Ok(out)
}

fn read_answer<'a>(body: Value<'a>, request: &Embed) -> Result<Answer<'a>, Error> {
    let list = body.get("data").ok_or_else(super::embed::bad)?;
    let mut vectors: Vec<(u64, _)> = Vec::with_capacity(request.inputs.len());
    for (place, one) in (0_u64..).zip(list.items()) {
        let vector = one.get("embedding").ok_or_else(super::embed::bad)?;
        let index = one.get("index").and_then(|index| index.count()).unwrap_or(place);
        // Most answer in order; the index says so.
        let at = vectors.partition_point(|(known, _)| *known <= index);
        vectors.insert(at, (index, raw_vector(&vector)?));
        if vectors.len() > request.inputs.len() {
            return Err(super::embed::bad());
        }
    }
    let sets = vec![(Encoding::Float, vectors.into_iter().map(|(_, vector)| vector).collect())];
    complete(request, &sets)?;
    Ok(Answer::of(Given::Vectors(sets), &body))
}

fn write_answer(answer: &Answer<'_>, request: &Embed, asked: &Asked) -> Result<Vec<u8>, Error> {
    let wanted = request.encodings.first().copied().unwrap_or(Encoding::Float);
    let mut out = br#"{"object":"list","data":["#.to_vec();
    for (index, input) in (0_u64..).zip(0..answer.count()) {
        put::comma(&mut out);
        out.extend_from_slice(br#"{"object":"embedding""#);
        put::number(&mut out, "index", index);
        put::field(&mut out, "embedding");
        answer.vector(&mut out, input, wanted)?;
        out.push(b'}');
    }
    out.push(b']');
    put::text(&mut out, "model", wire::model(answer.model.as_deref(), asked));
    if asked.form == Form::WholeCalls {
        put::text(&mut out, "id", answer.id.as_deref().unwrap_or(&asked.id));
    }
    // Clients of this format need the member, also where the provider counts nothing.
    let tokens = answer.usage.map_or(0, |usage| usage.input);
    put::field(&mut out, "usage");
    out.push(b'{');
    put::number(&mut out, "prompt_tokens", tokens);
    put::number(&mut out, "total_tokens", tokens);
    out.extend_from_slice(b"}}");
    Ok(out)
}
