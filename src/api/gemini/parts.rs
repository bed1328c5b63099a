//! The parts of a content, read: the same in requests and in answers.

use super::wire::{Sealed, boolean, get, has, is, object, string, unseal};
use crate::chat::{Part, Source};
use crate::error::Error;
use crate::json::Value;
use std::borrow::Cow;

/// One part. `made` gives an id to a call that has none, by its name. Empty text is no part.
pub(super) fn part(part: &Value<'_>, made: &mut dyn FnMut(&str) -> String) -> Result<Option<Part>, Error> {
    if !part.is_object() {
        return Err(part.wrong("an object"));
    }
    let signature = || Ok(string(part, "thoughtSignature")?.filter(|text| !text.is_empty()));
    if let Some(text) = string(part, "text")? {
        if boolean(part, "thought")? != Some(true) {
            return Ok(Some(Part::text(text)).filter(|_| !part.get("text").is_some_and(|text| text.is_empty())));
        }
        let sealed = signature()?.as_deref().and_then(unseal);
        return Ok(match (sealed, text.is_empty()) {
            (Some((Sealed::Thinking, data)), true) => Some(Part::Redacted { data }),
            (Some((Sealed::Signature, own)), _) => {
                Some(Part::Thinking { text: text.into_owned(), signature: Some(own) })
            }
            (_, true) => None,
            (_, false) => Some(Part::Thinking { text: text.into_owned(), signature: None }),
        });
    }
    if let Some(call) = object(part, "functionCall")? {
        let name = string(&call, "name")?.filter(|name| !name.is_empty()).ok_or_else(|| call.missing("name"))?;
        let id = string(&call, "id")?.filter(|id| !id.is_empty()).map(Cow::into_owned);
        return Ok(Some(Part::ToolCall {
            id: id.unwrap_or_else(|| made(&name)),
            name: name.into_owned(),
            arguments: object(&call, "args")?.map_or("{}", |args| args.raw()).to_owned(),
            signature: signature()?.map(Cow::into_owned),
            cache: None,
        }));
    }
    // A film's excerpt is of no use to another API.
    if get(part, "videoMetadata").is_none() {
        if let Some(blob) = object(part, "inlineData")? {
            return inline(&blob).map(Some);
        }
        if let Some(file) = object(part, "fileData")?
            && let Some(part) = by_uri(&file)?
        {
            return Ok(Some(part));
        }
    }
    let kind = part.members().map(|(name, _)| name.text()).find(|name| {
        !["thoughtSignature", "thought", "mediaResolution", "partMetadata"].iter().any(|known| is(name, known))
    });
    // A signature alone belongs to text that has gone by.
    Ok(kind.map(|kind| Part::Other { kind: kind.into_owned(), raw: part.keep() }))
}

/// Adds a part. Thinking that came in pieces is one; its signature may come by itself at its end.
pub(super) fn push(all: &mut Vec<Part>, part: Part) {
    match (all.last_mut(), part) {
        (Some(Part::Thinking { text, signature: sealed @ None }), Part::Thinking { text: more, signature }) => {
            text.push_str(&more);
            *sealed = signature;
        }
        (_, part) => all.push(part),
    }
}

/// Bytes in the request.
pub(super) fn inline(blob: &Value<'_>) -> Result<Part, Error> {
    let data = string(blob, "data")?.ok_or_else(|| blob.missing("data"))?.into_owned();
    let media_type = string(blob, "mimeType")?.unwrap_or_default().into_owned();
    let name = string(blob, "displayName")?.map(Cow::into_owned);
    Ok(match media_type.split_once('/') {
        Some(("image", _)) => image(Source::Base64 { media_type, data }),
        Some(("audio", kind)) => {
            let format = match kind.split(';').next().unwrap_or_default() {
                "mpeg" | "mp3" | "mpga" => "mp3",
                "wav" | "x-wav" | "wave" => "wav",
                other => other,
            };
            Part::Audio { data, format: format.to_owned() }
        }
        Some(("video", _)) => Part::Other { kind: "video".to_owned(), raw: whole(blob) },
        _ => document(Source::Base64 { media_type, data }, name),
    })
}

/// The part around a blob, whatever it was spelled as.
fn whole(blob: &Value<'_>) -> crate::json::Raw {
    crate::json::raw(["{\"inlineData\":", blob.raw(), "}"].concat())
}

/// `None`: what only this API can read by its URI.
fn by_uri(file: &Value<'_>) -> Result<Option<Part>, Error> {
    let uri = string(file, "fileUri")?.ok_or_else(|| file.missing("fileUri"))?.into_owned();
    let media_type = string(file, "mimeType")?.unwrap_or_default();
    let name = string(file, "displayName")?.map(Cow::into_owned);
    // Google's own store of files, or a bucket: nobody else may look into it.
    let kept = uri.starts_with("gs://") || has(&uri, "generativelanguage.googleapis.com/");
    let kept = kept || !has(&uri, "://");
    let source = if kept { Source::File(uri) } else { Source::at(&uri) };
    Ok(match media_type.split_once('/') {
        Some(("image", _)) => Some(image(source)),
        Some(("text" | "application", _)) => Some(document(source, name)),
        _ => None,
    })
}

fn image(source: Source) -> Part {
    Part::Image { source, detail: None, cache: None }
}

fn document(source: Source, name: Option<String>) -> Part {
    Part::Document { source, name, context: None, citations: None, cache: None }
}
