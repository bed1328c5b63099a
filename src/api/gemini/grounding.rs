//! Where statements come from: what the API calls grounding, and its older citations.

use super::wire::{each, said};
use crate::chat::{Citation, Part};
use crate::json::Value;
use crate::json::write::{comma, number, raw, text};
use std::borrow::Cow;

/// Statements of one candidate that are told of: a long answer has some dozens.
const MAX_CITATIONS: usize = 512;

/// Sources of a candidate. `chars`: the characters before a place that is counted in bytes; `None` if not known.
pub(super) fn citations(candidate: &Value<'_>, chars: &dyn Fn(u64) -> Option<u64>) -> Vec<Citation> {
    let mut all = Vec::new();
    if let Some(metadata) = candidate.get("groundingMetadata") {
        let chunks: Vec<Value<'_>> = each(&metadata, "groundingChunks").collect();
        for support in each(&metadata, "groundingSupports") {
            let span = support.get("segment").and_then(|segment| span(&segment, chars));
            for index in each(&support, "groundingChunkIndices") {
                let chunk = index.count().and_then(|index| chunks.get(usize::try_from(index).ok()?));
                if let Some(of) = chunk.and_then(source) {
                    add(&mut all, &of, span);
                }
            }
        }
        if all.is_empty() {
            for of in chunks.iter().filter_map(source) {
                add(&mut all, &of, None);
            }
        }
    }
    if let Some(metadata) = candidate.get("citationMetadata") {
        for name in ["citationSources", "citations"] {
            for source in each(&metadata, name) {
                add(&mut all, &source, span(&source, chars));
            }
        }
    }
    all
}

fn span(of: &Value<'_>, chars: &dyn Fn(u64) -> Option<u64>) -> Option<(u64, u64)> {
    let end = of.get("endIndex")?.count()?;
    let start = of.get("startIndex").and_then(|start| start.count()).unwrap_or(0);
    chars(start).zip(chars(end)).filter(|(start, end)| start < end)
}

/// What a chunk is of.
fn source<'a>(chunk: &Value<'a>) -> Option<Value<'a>> {
    ["web", "retrievedContext", "maps"].into_iter().find_map(|kind| chunk.get(kind))
}

#[inline(never)]
fn add(all: &mut Vec<Citation>, of: &Value<'_>, span: Option<(u64, u64)>) {
    if all.len() < MAX_CITATIONS {
        let [url, title, quote] = ["uri", "title", "text"].map(|name| said(of, name).map(Cow::into_owned));
        all.push(Citation { url, title, quote, span });
    }
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
