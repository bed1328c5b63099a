//! Ranking as Jina defined it and vLLM, llama.cpp and others serve it: <https://jina.ai/reranker>.

use super::rerank::{Rerank, ranks, read as read_common};
use super::wire::{self, input};
use super::{Answer, Codec, Coding, Format, Operation};
use crate::api::{Asked, Line, Named};
use crate::chat::{Losses, Usage};
use crate::error::Error;
use crate::json::{Value, write as put};
use std::borrow::Cow;

pub static RERANK: Format = Format {
    name: "jina-rerank",
    operation: Operation::Rerank,
    takes: |line: &Line<'_>| (line.method == "POST" && line.path == "/v1/rerank").then(Named::default),
    path: |_| Cow::Borrowed("/rerank"),
    usage,
    codec: Some(Codec::Rerank(Coding { read, write, read_answer, write_answer })),
    ..Format::BASE
};

fn usage(body: Value<'_>) -> Option<Usage> {
    let count = |name| body.at(&["usage", name])?.count();
    count("total_tokens").or_else(|| count("prompt_tokens")).map(input)
}

/// The documents come back unless the client says otherwise.
fn read(body: Value<'_>) -> Result<Rerank, Error> {
    read_common(body, true, &[])
}

fn write(request: &Rerank, model: &str, losses: &mut Losses) -> Result<Vec<u8>, Error> {
    request.lose(&[], losses);
    let mut out = b"{".to_vec();
    put::text(&mut out, "model", model);
    request.write(&mut out)?;
    // They are at hand.
    put::flag(&mut out, "return_documents", false);
    out.push(b'}');
    Ok(out)
}

fn read_answer<'a>(body: Value<'a>, request: &Rerank) -> Result<Answer<'a>, Error> {
    // One vendor of this format calls the list otherwise.
    let list = body.get("results").or_else(|| body.get("data"));
    Ok(Answer::of(ranks(list, request)?, &body))
}

fn write_answer(answer: &Answer<'_>, request: &Rerank, asked: &Asked) -> Result<Vec<u8>, Error> {
    let mut out = b"{".to_vec();
    put::text(&mut out, "model", wire::model(answer.model.as_deref(), asked));
    put::text(&mut out, "object", "list");
    // Clients of this format need the member, also where the provider counts no tokens.
    let tokens = answer.usage.map_or(0, |usage| usage.input);
    put::field(&mut out, "usage");
    out.push(b'{');
    put::number(&mut out, "total_tokens", tokens);
    put::number(&mut out, "prompt_tokens", tokens);
    out.push(b'}');
    answer.results(&mut out, request);
    out.push(b'}');
    Ok(out)
}
