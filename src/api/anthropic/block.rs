//! Blocks of content, read: the same in requests and in answers.

use super::shape::{At, Content, Is, Map, keep, read};
use crate::chat::{Citation, Part, Source};
use crate::error::Error;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// All members that any known type of block has.
#[derive(Default, Deserialize)]
struct Block<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    text: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    signature: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_use_id: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Is<Content<'a>>,
    #[serde(default)]
    is_error: Is<bool>,
    #[serde(borrow, default)]
    source: Is<Map<Origin<'a>>>,
    #[serde(borrow, default)]
    title: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    context: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    citations: Option<&'a RawValue>,
    #[serde(borrow, default)]
    cache_control: Option<&'a RawValue>,
}

/// The `source` of an image or a document.
#[derive(Default, Deserialize)]
struct Origin<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    media_type: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    url: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    file_id: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Is<Content<'a>>,
}

#[derive(Default, Deserialize)]
struct Place<'a> {
    #[serde(borrow, default)]
    url: Is<Cow<'a, str>>,
    /// Of a search result: where it was found.
    #[serde(borrow, default)]
    source: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    title: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    document_title: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    cited_text: Is<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Citing {
    #[serde(default)]
    enabled: Is<bool>,
}

/// Where a statement comes from.
pub(super) fn citation(raw: &str) -> Citation {
    let Ok(Is::Given(Map(place))) = serde_json::from_str::<Is<Map<Place<'_>>>>(raw) else {
        return Citation::default();
    };
    let owned = |text: Is<Cow<'_, str>>| text.ok().map(Cow::into_owned);
    Citation {
        url: owned(place.url).or(owned(place.source)),
        title: owned(place.title).or(owned(place.document_title)),
        quote: owned(place.cited_text),
        span: None,
    }
}

fn citations(raw: Option<&RawValue>) -> Vec<Citation> {
    raw.map(|raw| crate::json::each(raw.get()).map(citation).collect()).unwrap_or_default()
}

/// The parts of a turn's or a tool result's content.
pub(super) fn parts(content: Content<'_>, at: At<'_>) -> Result<Vec<Part>, Error> {
    match content {
        Content::Text(text) => Ok(vec![Part::text(text)]),
        Content::Blocks(blocks) => blocks.iter().enumerate().map(|(i, raw)| part(raw, at.index(i))).collect(),
    }
}

/// One block as a part.
pub(super) fn part(raw: &RawValue, at: At<'_>) -> Result<Part, Error> {
    let Some(Map(block)) = read::<Map<Block<'_>>>(raw.get(), at)? else {
        return Err(at.error("must be an object, not null"));
    };
    let kind = block.kind.need(at, "type")?;
    let cache = keep(block.cache_control);
    let owned = Cow::into_owned;
    Ok(match &*kind {
        "text" => {
            Part::Text { text: owned(block.text.need(at, "text")?), citations: citations(block.citations), cache }
        }
        "thinking" => Part::Thinking {
            text: owned(block.thinking.need(at, "thinking")?),
            signature: block.signature.get(at, "signature")?.filter(|s| !s.is_empty()).map(owned),
        },
        "redacted_thinking" => Part::Redacted { data: owned(block.data.need(at, "data")?) },
        "image" => match source(block.source, at)? {
            Some(source) => Part::Image { source, detail: None, cache },
            None => Part::Other { kind: owned(kind), raw: raw.to_owned() },
        },
        "document" => match source(block.source, at)? {
            Some(source) => Part::Document {
                source,
                name: block.title.get(at, "title")?.map(owned),
                context: block.context.get(at, "context")?.map(owned),
                citations: match block.citations {
                    Some(raw) => match read::<Map<Citing>>(raw.get(), at.key("citations"))? {
                        Some(Map(citing)) => citing.enabled.get(at.key("citations"), "enabled")?,
                        None => None,
                    },
                    None => None,
                },
                cache,
            },
            None => Part::Other { kind: owned(kind), raw: raw.to_owned() },
        },
        "tool_use" => Part::ToolCall {
            id: owned(block.id.need(at, "id")?),
            name: owned(block.name.need(at, "name")?),
            arguments: arguments(block.input, at)?,
            cache,
        },
        "tool_result" => Part::ToolResult {
            id: owned(block.tool_use_id.need(at, "tool_use_id")?),
            parts: match block.content.get(at, "content")? {
                Some(content) => parts(content, at.key("content"))?,
                None => Vec::new(),
            },
            is_error: block.is_error.get(at, "is_error")?.unwrap_or(false),
            cache,
        },
        _ => Part::Other { kind: owned(kind), raw: raw.to_owned() },
    })
}

fn arguments(input: Option<&RawValue>, at: At<'_>) -> Result<String, Error> {
    match input.map(RawValue::get) {
        None => Ok("{}".to_owned()),
        Some(raw) if raw.starts_with('{') => Ok(raw.to_owned()),
        Some(raw) => Err(at.key("input").error(format!("must be an object, not {}", crate::json::kind(raw)))),
    }
}

/// `None`: a source that only this API knows.
fn source(source: Is<Map<Origin<'_>>>, up: At<'_>) -> Result<Option<Source>, Error> {
    let Map(origin) = source.need(up, "source")?;
    let at = up.key("source");
    let kind = origin.kind.need(at, "type")?;
    let data = |data: Is<Cow<'_, str>>| data.need(at, "data").map(Cow::into_owned);
    Ok(match &*kind {
        "base64" => Some(Source::Base64 {
            media_type: origin.media_type.need(at, "media_type")?.into_owned(),
            data: data(origin.data)?,
        }),
        "url" => Some(Source::Url(origin.url.need(at, "url")?.into_owned())),
        "file" => Some(Source::File(origin.file_id.need(at, "file_id")?.into_owned())),
        "text" => Some(Source::Text(data(origin.data)?)),
        "content" => plain(origin.content, at)?.map(Source::Text),
        _ => None,
    })
}

/// A document given as blocks, when all are text. The blocks, which bound what is cited, become paragraphs.
fn plain(content: Is<Content<'_>>, at: At<'_>) -> Result<Option<String>, Error> {
    let mut whole = String::new();
    for part in parts(content.need(at, "content")?, at.key("content"))? {
        let Part::Text { text, .. } = part else { return Ok(None) };
        if !whole.is_empty() {
            whole.push_str("\n\n");
        }
        whole.push_str(&text);
    }
    Ok(Some(whole))
}
