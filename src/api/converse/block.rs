//! Blocks of content, read: the same in requests and in answers.

use super::shared::wire::{claim_signature, object};
use super::text_of;
use crate::base64;
use crate::chat::{Citation, Part, Raw, Source};
use crate::error::Error;
use crate::json::{self, Value};
use std::borrow::Cow;

/// Begins the type of a part that only this API knows.
pub(super) const OWN: &str = "bedrock:";

/// Before sealed thinking that is no text: then its base64 is kept as it came.
const AS_IT_CAME: &str = "base64:";

/// Formats of documents and their media types.
pub(super) const DOCUMENTS: &[(&str, &str)] = &[
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
];

/// Blocks that have no like in other APIs.
const OTHERS: &[&str] =
    &["video", "guardContent", "searchResult", "toolAddition", "toolRemoval", "json", "image", "document", "audio"];

/// A list of blocks. A cache point marks the part before it; one that stands first is given back: it marks what came
/// before the list.
pub(super) fn list(blocks: Value<'_>) -> Result<(Vec<Part>, Option<Raw>), Error> {
    let (mut parts, mut first) = (Vec::new(), None);
    for block in blocks.items() {
        if !block.is_object() {
            return Err(block.wrong("an object"));
        }
        match block.object("cachePoint")? {
            Some(point) => first = first.or(mark(&mut parts, cache(point)?)),
            None => {
                let mut next = part(block)?;
                claim_signature(&mut parts, &mut next);
                parts.push(next);
            }
        }
    }
    Ok((parts, first))
}

/// A cache point as the mark that other APIs have in its place.
pub(super) fn cache(point: Value<'_>) -> Result<Raw, Error> {
    Ok(json::raw(match point.string("ttl")?.as_deref() {
        Some("1h") => r#"{"type":"ephemeral","ttl":"1h"}"#,
        Some("5m") => r#"{"type":"ephemeral","ttl":"5m"}"#,
        _ => r#"{"type":"ephemeral"}"#,
    }))
}

/// Marks the last part that can be marked. Gives the mark back if there is none.
pub(super) fn mark(parts: &mut [Part], mark: Raw) -> Option<Raw> {
    for part in parts.iter_mut().rev() {
        match part {
            Part::Text { cache, .. }
            | Part::Image { cache, .. }
            | Part::Document { cache, .. }
            | Part::ToolCall { cache, .. }
            | Part::ToolResult { cache, .. } => {
                *cache = Some(mark);
                return None;
            }
            _ => {}
        }
    }
    Some(mark)
}

/// One block as a part.
fn part(block: Value<'_>) -> Result<Part, Error> {
    if let Some(text) = block.string("text")? {
        return Ok(Part::text(text));
    }
    if let Some(call) = block.object("toolUse")? {
        if call.string("type")?.is_some() && runs_at_provider(call) {
            return Ok(other("toolUse", block));
        }
        return Ok(Part::ToolCall {
            id: call.need("toolUseId")?.into_owned(),
            name: call.need("name")?.into_owned(),
            arguments: call.get("input").map_or("{}", |input| input.raw()).to_owned(),
            signature: None,
            cache: None,
        });
    }
    if let Some(result) = block.object("toolResult")? {
        if result.get("type").is_some() {
            return Ok(other("toolResult", block));
        }
        let content = result.list("content")?;
        return Ok(Part::ToolResult {
            id: result.need("toolUseId")?.into_owned(),
            parts: content.map_or(Ok(Vec::new()), |content| content.items().map(given).collect())?,
            is_error: result.string("status")?.is_some_and(|status| status == "error"),
            cache: None,
        });
    }
    if let Some(thinking) = block.object("reasoningContent")? {
        return reasoning(thinking);
    }
    if let Some(cited) = block.object("citationsContent")? {
        let texts = cited.list("content")?.map(texts).transpose()?.unwrap_or_default();
        let citations = cited.list("citations")?.map(|all| all.items().map(citation).collect()).unwrap_or_default();
        return Ok(Part::Text { text: texts, citations, cache: None });
    }
    media(block)
}

/// A tool that the provider runs itself.
pub(super) fn runs_at_provider(call: Value<'_>) -> bool {
    call.get("type").is_some_and(|kind| kind.is("server_tool_use"))
}

/// What a tool gave.
fn given(block: Value<'_>) -> Result<Part, Error> {
    if !block.is_object() {
        return Err(block.wrong("an object"));
    }
    match (block.string("text")?, block.get("json")) {
        (Some(text), _) => Ok(Part::text(text)),
        (None, Some(json)) => Ok(Part::text(json.raw())),
        (None, None) => media(block),
    }
}

/// An image, a document or a sound; anything else is this API's own.
fn media(block: Value<'_>) -> Result<Part, Error> {
    if let Some(image) = block.object("image")?
        && let Some(data) = bytes(image)?
    {
        let source = Source::Base64 { media_type: ["image/", &image.need("format")?].concat(), data };
        return Ok(Part::Image { source, detail: None, cache: None });
    }
    if let Some(document) = block.object("document")?
        && let Some(document) = self::document(document)?
    {
        return Ok(document);
    }
    if let Some(audio) = block.object("audio")?
        && let Some(data) = bytes(audio)?
    {
        return Ok(Part::Audio { data, format: audio.need("format")?.into_owned() });
    }
    let known = OTHERS.iter().find(|name| block.get(name).is_some());
    match known {
        Some(name) => Ok(other(name, block)),
        None if block.members().next().is_none() => Err(block.error("must have a member that says what it is")),
        None => Ok(other("block", block)),
    }
}

fn other(name: &str, block: Value<'_>) -> Part {
    Part::Other { kind: [OWN, name].concat(), raw: block.keep() }
}

/// The bytes of a source, as base64. `None`: it is a place in S3, which no other API reaches.
fn bytes(of: Value<'_>) -> Result<Option<String>, Error> {
    let source = of.object("source")?.ok_or_else(|| of.missing("source"))?;
    Ok(source.string("bytes")?.map(Cow::into_owned))
}

fn document(document: Value<'_>) -> Result<Option<Part>, Error> {
    let origin = document.object("source")?.ok_or_else(|| document.missing("source"))?;
    let format = document.string("format")?;
    let source = if let Some(data) = origin.string("bytes")? {
        let format = format.as_deref().unwrap_or("pdf");
        let kind = DOCUMENTS.iter().find(|(known, _)| *known == format);
        let media_type = kind.map_or("application/octet-stream", |(_, media_type)| media_type);
        Source::Base64 { media_type: media_type.to_owned(), data: data.into_owned() }
    } else if let Some(text) = origin.string("text")? {
        Source::Text(text.into_owned())
    } else if let Some(content) = origin.list("content")? {
        Source::Text(texts(content)?)
    } else {
        return Ok(None);
    };
    // Here a name has no point and the format stands apart; elsewhere the name tells the format.
    let name = document.string("name")?.map(|name| match &format {
        Some(format) if !name.ends_with(&**format) => [&name, ".", format].concat(),
        _ => name.into_owned(),
    });
    Ok(Some(Part::Document {
        source,
        name,
        context: document.string("context")?.map(Cow::into_owned),
        citations: match document.object("citations")? {
            Some(citing) => citing.boolean("enabled")?,
            None => None,
        },
        cache: None,
    }))
}

/// The texts of a list, as paragraphs.
fn texts(list: Value<'_>) -> Result<String, Error> {
    let mut all = String::new();
    for one in list.items() {
        if let Some(text) = object(&one)?.string("text")? {
            if !all.is_empty() {
                all.push_str("\n\n");
            }
            all.push_str(&text);
        }
    }
    Ok(all)
}

fn reasoning(thinking: Value<'_>) -> Result<Part, Error> {
    if let Some(sealed) = thinking.string("redactedContent")? {
        return Ok(Part::Redacted { data: unsealed(&sealed) });
    }
    let said = thinking.object("reasoningText")?.ok_or_else(|| thinking.missing("reasoningText"))?;
    Ok(Part::Thinking {
        text: said.string("text")?.unwrap_or_default().into_owned(),
        signature: said.string("signature")?.filter(|signature| !signature.is_empty()).map(Cow::into_owned),
    })
}

/// Sealed thinking as its maker's own API has it: this API wraps it in base64 once more.
pub(super) fn unsealed(sealed: &str) -> String {
    let text = base64::decode(sealed).and_then(|bytes| String::from_utf8(bytes).ok());
    text.unwrap_or_else(|| [AS_IT_CAME, sealed].concat())
}

/// What [`unsealed`] reads.
pub(super) fn sealed(data: &str) -> String {
    data.strip_prefix(AS_IT_CAME).map_or_else(|| base64::encode(data.as_bytes()), str::to_owned)
}

/// Where a statement comes from.
pub(super) fn citation(place: Value<'_>) -> Citation {
    let own = |name: &str| text_of(place, name).map(Cow::into_owned);
    let web = place.at(&["location", "web"]).and_then(|web| text_of(web, "url")).map(Cow::into_owned);
    Citation {
        url: web.or_else(|| own("source").filter(|source| source.contains("://"))),
        title: own("title"),
        quote: place.get("sourceContent").and_then(|quote| texts(quote).ok()).filter(|quote| !quote.is_empty()),
        span: None,
    }
}
