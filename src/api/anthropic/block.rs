//! Blocks of content, read: the same in requests and in answers.

use super::shared::wire::claim_signature;
use super::text_of;
use crate::chat::{Citation, Part, Source};
use crate::error::Error;
use crate::json::Value;
use std::borrow::Cow;

/// Where a statement comes from.
pub(super) fn citation(place: Value<'_>) -> Citation {
    let first = |one: &str, other: &str| text_of(place, one).or_else(|| text_of(place, other)).map(Cow::into_owned);
    Citation {
        // `source`, of a search result: where it was found.
        url: first("url", "source"),
        title: first("title", "document_title"),
        quote: text_of(place, "cited_text").map(Cow::into_owned),
        span: None,
    }
}

/// The parts of a turn's or a tool result's content: a string or a list of blocks.
pub(super) fn parts(content: Value<'_>) -> Result<Vec<Part>, Error> {
    match content.text() {
        Some(text) => Ok(vec![Part::text(text)]),
        None if content.is_list() => list(content),
        None => Err(content.wrong("a string or an array")),
    }
}

/// A list of blocks.
pub(super) fn list(blocks: Value<'_>) -> Result<Vec<Part>, Error> {
    let mut parts: Vec<Part> = Vec::new();
    for block in blocks.items() {
        let mut next = part(block)?;
        claim_signature(&mut parts, &mut next);
        parts.push(next);
    }
    Ok(parts)
}

/// One block as a part.
fn part(block: Value<'_>) -> Result<Part, Error> {
    if !block.is_object() {
        return Err(block.wrong("an object"));
    }
    let need = |name: &str| block.need(name).map(Cow::into_owned);
    let string = |name: &str| Ok(block.string(name)?.map(Cow::into_owned));
    let cache = block.get("cache_control").map(|mark| mark.keep());
    Ok(match &*block.need("type")? {
        "text" => Part::Text {
            text: need("text")?,
            citations: block.list("citations")?.map(|all| all.items().map(citation).collect()).unwrap_or_default(),
            cache,
        },
        "thinking" => Part::Thinking {
            text: need("thinking")?,
            signature: string("signature")?.filter(|signature| !signature.is_empty()),
        },
        "redacted_thinking" => Part::Redacted { data: need("data")? },
        "image" => match source(block)? {
            Some(source) => Part::Image { source, detail: None, cache },
            None => other(block),
        },
        "document" => match source(block)? {
            Some(source) => Part::Document {
                source,
                name: string("title")?,
                context: string("context")?,
                citations: match block.object("citations")? {
                    Some(citing) => citing.boolean("enabled")?,
                    None => None,
                },
                cache,
            },
            None => other(block),
        },
        "tool_use" => Part::ToolCall {
            id: need("id")?,
            name: need("name")?,
            arguments: block.object("input")?.map_or("{}", |input| input.raw()).to_owned(),
            signature: None,
            cache,
        },
        "tool_result" => Part::ToolResult {
            id: need("tool_use_id")?,
            parts: block.get("content").map_or(Ok(Vec::new()), parts)?,
            is_error: block.boolean("is_error")?.unwrap_or(false),
            cache,
        },
        _ => other(block),
    })
}

/// A block that only this API knows.
fn other(block: Value<'_>) -> Part {
    Part::Other { kind: text_of(block, "type").unwrap_or_default().into_owned(), raw: block.keep() }
}

/// `None`: a source that only this API knows.
fn source(block: Value<'_>) -> Result<Option<Source>, Error> {
    let origin = block.object("source")?.ok_or_else(|| block.missing("source"))?;
    let need = |name: &str| origin.need(name).map(Cow::into_owned);
    Ok(match &*origin.need("type")? {
        "base64" => Some(Source::Base64 { media_type: need("media_type")?, data: need("data")? }),
        "url" => Some(Source::at(&origin.need("url")?)),
        "file" => Some(Source::File(need("file_id")?)),
        "text" => Some(Source::Text(need("data")?)),
        "content" => plain(origin)?.map(Source::Text),
        _ => None,
    })
}

/// A document given as blocks, when all are text. The blocks, which bound what is cited, become paragraphs.
fn plain(origin: Value<'_>) -> Result<Option<String>, Error> {
    let content = origin.get("content").ok_or_else(|| origin.missing("content"))?;
    let mut whole = String::new();
    for part in parts(content)? {
        let Part::Text { text, .. } = part else { return Ok(None) };
        if !whole.is_empty() {
            whole.push_str("\n\n");
        }
        whole.push_str(&text);
    }
    Ok(Some(whole))
}
