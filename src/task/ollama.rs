//! Ollama's own embeddings: <https://github.com/ollama/ollama/blob/main/docs/api.md#generate-embeddings>.

use super::embed::{Embed, Encoding, Piece, Truncate, bad, complete, listed};
use super::wire::{self, input, strings};
use super::{Answer, Codec, Coding, Format, Given};
use crate::api::{Asked, Line, Named};
use crate::chat::Losses;
use crate::error::Error;
use crate::json::{Value, quote, write as put};
use std::borrow::Cow;

pub static EMBED: Format = Format {
    name: "ollama-embed",
    dialect: "ollama",
    takes: |line: &Line<'_>| (line.method == "POST" && line.path == "/api/embed").then(Named::default),
    path: |_| Cow::Borrowed("/embed"),
    usage: |body| body.get("prompt_eval_count")?.count().map(input),
    codec: Some(Codec::Embed(Coding { read, write, read_answer, write_answer })),
    ..Format::BASE
};

fn read(body: Value<'_>) -> Result<Embed, Error> {
    const KNOWN: &[&str] = &["model", "input", "truncate", "dimensions", "keep_alive"];
    let given = body.get("input").ok_or_else(|| body.missing("input"))?;
    let texts = match given.text() {
        Some(text) => vec![text.into_owned()],
        None if given.is_list() => strings(&given)?,
        None => return Err(given.wrong("a string or an array")),
    };
    if texts.is_empty() {
        return Err(given.error("must not be empty"));
    }
    Ok(Embed {
        inputs: texts.into_iter().map(|text| vec![Piece::Text(text)]).collect(),
        member: "input",
        dimensions: body.unsigned("dimensions")?,
        truncate: match body.boolean("truncate")? {
            Some(false) => Some(Truncate::No),
            Some(true) => Some(Truncate::End),
            None => None,
        },
        more: body.members().any(|(name, value)| !value.is_null() && !KNOWN.iter().any(|known| name.is(known))),
        ..Embed::default()
    })
}

fn write(request: &Embed, model: &str, losses: &mut Losses) -> Result<Vec<u8>, Error> {
    request.lose(&["dimensions", "truncate"], losses);
    let mut out = b"{".to_vec();
    put::text(&mut out, "model", model);
    put::field(&mut out, "input");
    out.push(b'[');
    for text in request.texts()? {
        put::comma(&mut out);
        quote(&mut out, &text);
    }
    out.push(b']');
    if let Some(truncate) = request.truncate {
        put::flag(&mut out, "truncate", truncate != Truncate::No);
    }
    if let Some(dimensions) = request.dimensions {
        put::number(&mut out, "dimensions", dimensions);
    }
    out.push(b'}');
    Ok(out)
}

fn read_answer<'a>(body: Value<'a>, request: &Embed) -> Result<Answer<'a>, Error> {
    let sets = vec![(Encoding::Float, listed(&body.get("embeddings").ok_or_else(bad)?)?)];
    complete(request, &sets)?;
    Ok(Answer::of(Given::Vectors(sets), &body))
}

fn write_answer(answer: &Answer<'_>, _: &Embed, asked: &Asked) -> Result<Vec<u8>, Error> {
    let mut out = b"{".to_vec();
    put::text(&mut out, "model", wire::model(answer.model.as_deref(), asked));
    put::field(&mut out, "embeddings");
    answer.vectors(&mut out, Encoding::Float)?;
    if let Some(usage) = answer.usage {
        put::number(&mut out, "prompt_eval_count", usage.input);
    }
    out.push(b'}');
    Ok(out)
}
