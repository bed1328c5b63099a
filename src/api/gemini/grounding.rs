//! Where statements come from: what the API calls grounding, and its older citations.

use super::wire::said;
use crate::chat::{Citation, Part};
use crate::json::Value;
use crate::json::write::{comma, number, raw, text};
use std::borrow::Cow;

/// Statements of one candidate that are told of: a long answer has some dozens.
const MAX_CITATIONS: usize = 512;

/// Sources of a candidate. `chars`: the characters before a place that is counted in bytes; `None` if not known.
pub(super) fn citations(candidate: &Value<'_>, chars: &mut dyn FnMut(u64) -> Option<u64>) -> Vec<Citation> {
    let mut all = Vec::new();
    let mut span = |of: &Value<'_>| {
        let end = of.get("endIndex")?.count()?;
        let start = of.get("startIndex").and_then(|start| start.count()).unwrap_or(0);
        chars(start).zip(chars(end)).filter(|(start, end)| start < end)
    };
    if let Some(metadata) = candidate.get("groundingMetadata") {
        let chunks: Vec<Value<'_>> = metadata.get("groundingChunks").into_iter().flat_map(|all| all.items()).collect();
        let mut cited = false;
        for support in metadata.get("groundingSupports").into_iter().flat_map(|all| all.items()) {
            let span = support.get("segment").and_then(|segment| span(&segment));
            for index in support.get("groundingChunkIndices").into_iter().flat_map(|all| all.items()) {
                let chunk = index.count().and_then(|index| chunks.get(usize::try_from(index).ok()?));
                let Some(citation) = chunk.and_then(source) else { continue };
                cited = true;
                if all.len() < MAX_CITATIONS {
                    all.push(Citation { span, ..citation });
                }
            }
        }
        if !cited {
            all.extend(chunks.iter().filter_map(source).take(MAX_CITATIONS));
        }
    }
    if let Some(metadata) = candidate.get("citationMetadata") {
        let sources = metadata.get("citationSources").or_else(|| metadata.get("citations"));
        for source in sources.into_iter().flat_map(|all| all.items()) {
            let owned = |name: &str| said(&source, name).map(Cow::into_owned);
            let citation = Citation { url: owned("uri"), title: owned("title"), quote: None, span: span(&source) };
            if all.len() < MAX_CITATIONS {
                all.push(citation);
            }
        }
    }
    all
}

fn source(chunk: &Value<'_>) -> Option<Citation> {
    let of = ["web", "retrievedContext", "maps"].into_iter().find_map(|kind| chunk.get(kind))?;
    let owned = |name: &str| said(&of, name).map(Cow::into_owned);
    Some(Citation { url: owned("uri"), title: owned("title"), quote: owned("text"), span: None })
}

/// The characters of the answer's text before a place in its bytes.
pub(super) fn chars(parts: &[Part], bytes: u64) -> Option<u64> {
    let mut left = usize::try_from(bytes).ok()?;
    let mut chars = 0_usize;
    for part in parts {
        let Part::Text { text, .. } = part else { continue };
        match text.get(..left) {
            Some(start) => return u64::try_from(chars.saturating_add(start.chars().count())).ok(),
            None => {
                left = left.checked_sub(text.len())?;
                chars = chars.saturating_add(text.chars().count());
            }
        }
    }
    (left == 0).then(|| u64::try_from(chars).ok()).flatten()
}

/// Writes the member, with the sources that have a link. `words`: the answer's text, to count its bytes.
pub(super) fn write(out: &mut Vec<u8>, citations: &[Citation], words: &str) {
    let linked: Vec<&Citation> = citations.iter().filter(|citation| citation.url.is_some()).collect();
    if linked.is_empty() {
        return;
    }
    raw(out, "groundingMetadata", "{");
    raw(out, "groundingChunks", "[");
    for citation in &linked {
        comma(out);
        out.push(b'{');
        raw(out, "web", "{");
        text(out, "uri", citation.url.as_deref().unwrap_or_default());
        if let Some(title) = &citation.title {
            text(out, "title", title);
        }
        out.extend_from_slice(b"}}");
    }
    out.push(b']');
    let place = |chars: u64| {
        let chars = usize::try_from(chars).ok()?;
        words.char_indices().map(|(at, _)| at).chain([words.len()]).nth(chars)
    };
    let mut supports = Vec::new();
    for (index, citation) in (0_u64..).zip(&linked) {
        let Some((start, end)) = citation.span.and_then(|(start, end)| place(start).zip(place(end))) else { continue };
        comma(&mut supports);
        supports.push(b'{');
        raw(&mut supports, "segment", "{");
        number(&mut supports, "startIndex", start as u64);
        number(&mut supports, "endIndex", end as u64);
        text(&mut supports, "text", words.get(start..end).unwrap_or_default());
        supports.push(b'}');
        raw(&mut supports, "groundingChunkIndices", "[");
        crate::json::write::digits(&mut supports, index);
        supports.extend_from_slice(b"]}");
    }
    if !supports.is_empty() {
        raw(out, "groundingSupports", "[");
        out.extend_from_slice(&supports);
        out.push(b']');
    }
    out.push(b'}');
}
