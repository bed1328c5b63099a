//! Ranking documents by a question, in no vendor's words.

use super::wire::{bad_answer, unsupported};
use super::{Answer, Given};
use crate::chat::{Losses, Raw};
use crate::error::Error;
use crate::json::{Value, quote, write as put};
use std::borrow::Cow;

/// Documents to be put in order.
#[derive(Clone, Debug, Default)]
pub struct Rerank {
    pub query: String,
    pub documents: Vec<Document>,
    /// How many of the best are wanted.
    pub top: Option<u64>,
    /// The client wants the documents back.
    pub documents_back: bool,
    /// Tokens of a document that are read.
    pub max_tokens: Option<u64>,
    /// Only some members of the documents are ranked by.
    pub fields: bool,
    /// There is more in the request, that only its own format knows.
    pub more: bool,
}

#[derive(Clone, Debug)]
pub enum Document {
    Text(String),
    /// An object with other members than `text`.
    Other(Raw),
}

/// A document's place in an answer.
#[derive(Clone, Copy, Debug)]
pub struct Rank<'a> {
    /// In the request.
    pub index: usize,
    /// JSON text of a number.
    pub score: &'a str,
}

/// What is read of a body whose members have the names that all use. `known`: those of its own format.
pub fn read(body: Value<'_>, documents_back: bool, known: &[&str]) -> Result<Rerank, Error> {
    let list = body.list("documents")?.ok_or_else(|| body.missing("documents"))?;
    let documents = list.items().map(|one| document(&one)).collect::<Result<Vec<_>, _>>()?;
    if documents.is_empty() {
        return Err(list.error("must not be empty"));
    }
    let names = ["model", "query", "documents", "top_n", "return_documents"];
    let other = |name: &str| !names.contains(&name) && !known.contains(&name);
    Ok(Rerank {
        query: body.need("query")?.into_owned(),
        documents,
        top: body.unsigned("top_n")?,
        documents_back: body.boolean("return_documents")?.unwrap_or(documents_back),
        more: body.members().any(|(name, value)| !value.is_null() && other(&name.text())),
        ..Rerank::default()
    })
}

fn document(one: &Value<'_>) -> Result<Document, Error> {
    if let Some(text) = one.text() {
        return Ok(Document::Text(text.into_owned()));
    }
    if !one.is_object() {
        return Err(one.wrong("a string or an object"));
    }
    match (one.get("text").and_then(|text| text.text()), one.members().count()) {
        (Some(text), 1) => Ok(Document::Text(text.into_owned())),
        _ => Ok(Document::Other(one.keep())),
    }
}

impl Rerank {
    /// The documents as texts, for an API that takes no other.
    pub fn texts(&self) -> Result<Vec<Cow<'_, str>>, Error> {
        let text = |document: &'_ Document| match document {
            Document::Text(_) => Ok(()),
            Document::Other(_) => Err(unsupported("documents", "this model's provider takes documents of text only")),
        };
        self.documents.iter().try_for_each(text)?;
        let texts = self.documents.iter().filter_map(|document| match document {
            Document::Text(text) => Some(Cow::Borrowed(text.as_str())),
            Document::Other(_) => None,
        });
        Ok(texts.collect())
    }

    /// What a target without a place for it leaves out.
    pub fn lose(&self, keeps: &[&str], losses: &mut Losses) {
        if self.fields && !keeps.contains(&"rank_fields") {
            losses.meaning("rank_fields", "it ranks by all of a document");
        }
        if self.max_tokens.is_some() && !keeps.contains(&"max_tokens_per_doc") {
            losses.meaning("max_tokens_per_doc", "it has no such limit for a document");
        }
        if self.more {
            losses.hint("more", "it has no such members");
        }
    }

    /// Writes `query`, `documents` and `top_n`.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        put::text(out, "query", &self.query);
        put::field(out, "documents");
        out.push(b'[');
        for text in self.texts()? {
            put::comma(out);
            quote(out, &text);
        }
        out.push(b']');
        if let Some(top) = self.top {
            put::number(out, "top_n", top);
        }
        Ok(())
    }
}

/// The places in a list of objects.
pub fn ranks<'a>(list: Option<Value<'a>>, request: &Rerank) -> Result<Given<'a>, Error> {
    let bad = || bad_answer("the provider's answer has no ranking that can be read");
    let rank = |one: Value<'a>| {
        let index = one.get("index")?.count().and_then(|index| usize::try_from(index).ok())?;
        let score = one.get("relevance_score").or_else(|| one.get("score"))?;
        score.raw().parse::<f64>().ok()?;
        (index < request.documents.len()).then(|| Rank { index, score: score.raw() })
    };
    let list = list.filter(Value::is_list).ok_or_else(bad)?;
    let ranks: Option<Vec<_>> = list.items().map(rank).collect();
    ranks.map(Given::Ranks).ok_or_else(bad)
}

impl Answer<'_> {
    /// Writes the list `results`.
    pub fn results(&self, out: &mut Vec<u8>, request: &Rerank) {
        put::field(out, "results");
        out.push(b'[');
        let Given::Ranks(ranks) = &self.given else {
            out.push(b']');
            return;
        };
        for rank in ranks {
            put::comma(out);
            out.push(b'{');
            put::number(out, "index", u64::try_from(rank.index).unwrap_or_default());
            put::raw(out, "relevance_score", rank.score);
            match request.documents.get(rank.index).filter(|_| request.documents_back) {
                Some(Document::Text(text)) => {
                    put::field(out, "document");
                    out.push(b'{');
                    put::text(out, "text", text);
                    out.push(b'}');
                }
                Some(Document::Other(raw)) => put::raw(out, "document", raw.get()),
                None => {}
            }
            out.push(b'}');
        }
        out.push(b']');
    }
}
