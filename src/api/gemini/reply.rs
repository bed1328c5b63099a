//! A whole answer, written for a client, and what a stream's events have in common with it.

use super::answer::reason;
use super::wire::{Sealed, arguments, each, seal};
use super::{grounding, usage};
use crate::api::Asked;
use crate::chat::{Answer, Choice, Citation, Finish, Part, Source};
use crate::json::write::{comma, field, flag, number, raw, text};
use crate::json::{Tree, Value};

pub(super) fn answer(answer: &Answer, asked: &Asked) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.push(b'{');
    raw(&mut out, "candidates", "[");
    for (index, choice) in (0_u32..).zip(&answer.choices) {
        candidate(&mut out, choice, index, asked.schema_tool);
    }
    out.push(b']');
    if let Some(counted) = &answer.usage {
        usage::write(&mut out, counted);
    }
    tail(&mut out, &answer.id, &answer.model, asked);
    out.push(b'}');
    out
}

/// What every answer and every event of a stream ends with.
#[inline(never)]
pub(super) fn tail(out: &mut Vec<u8>, id: &str, model: &str, asked: &Asked) {
    let model = if model.is_empty() { &asked.model } else { model };
    text(out, "modelVersion", asked.rename.as_deref().unwrap_or(model));
    text(out, "responseId", if id.is_empty() { &asked.id } else { id });
}

fn candidate(out: &mut Vec<u8>, choice: &Choice, index: u32, schema_tool: bool) {
    open(out);
    let mut words = String::new();
    let mut citations: Vec<Citation> = Vec::new();
    let mut tree = Tree::default();
    for one in &choice.parts {
        if let Part::Text { text, citations: own, .. } = one
            && !schema_tool
        {
            let before = words.chars().count() as u64;
            words.push_str(text);
            let whole = (before, words.chars().count() as u64);
            citations.extend(own.iter().cloned().map(|one| Citation { span: one.span.or(Some(whole)), ..one }));
        }
        part(out, one, schema_tool, &mut tree);
    }
    close(out, index, Some(choice.finish.unwrap_or(Finish::Stop)));
    grounding::write(out, &citations, &words);
    if let Some(given) = &choice.logprobs {
        logprobs(out, given.get());
    }
    out.push(b'}');
}

/// Begins a candidate, up to its parts.
#[inline(never)]
pub(super) fn open(out: &mut Vec<u8>) {
    comma(out);
    out.extend_from_slice(b"{\"content\":{\"parts\":[");
}

/// Ends its content. The candidate is left open.
#[inline(never)]
pub(super) fn close(out: &mut Vec<u8>, index: u32, finish: Option<Finish>) {
    out.extend_from_slice(b"],\"role\":\"model\"}");
    if let Some(finish) = finish {
        text(out, "finishReason", reason(finish));
    }
    number(out, "index", u64::from(index));
}

#[inline(never)]
pub(super) fn words(out: &mut Vec<u8>, words: &str, thought: bool, signature: Option<&str>) {
    comma(out);
    out.push(b'{');
    text(out, "text", words);
    if thought {
        flag(out, "thought", true);
    }
    if let Some(signature) = signature {
        text(out, "thoughtSignature", signature);
    }
    out.push(b'}');
}

#[inline(never)]
pub(super) fn call(out: &mut Vec<u8>, id: &str, name: &str, given: &str, signature: Option<&str>, tree: &mut Tree) {
    comma(out);
    out.push(b'{');
    raw(out, "functionCall", "{");
    if !id.is_empty() {
        text(out, "id", id);
    }
    text(out, "name", name);
    field(out, "args");
    arguments(out, given, tree);
    out.push(b'}');
    if let Some(signature) = signature {
        text(out, "thoughtSignature", signature);
    }
    out.push(b'}');
}

fn part(out: &mut Vec<u8>, part: &Part, schema_tool: bool, tree: &mut Tree) {
    match part {
        Part::Text { text, .. } if !schema_tool && !text.is_empty() => words(out, text, false, None),
        Part::Refusal { text } => words(out, text, false, None),
        Part::Thinking { text, signature } => {
            let sealed = signature.as_deref().map(|signature| seal(Sealed::Signature, signature));
            words(out, text, true, sealed.as_deref());
        }
        Part::Redacted { data } => words(out, "", true, Some(&seal(Sealed::Thinking, data))),
        Part::ToolCall { arguments, .. } if schema_tool => words(out, arguments, false, None),
        // A provider's empty call is none.
        Part::ToolCall { name, .. } if name.is_empty() => {}
        Part::ToolCall { id, name, arguments, signature, .. } => {
            call(out, id, name, arguments, signature.as_deref(), tree);
        }
        Part::Image { source: Source::Base64 { media_type, data }, .. } => {
            comma(out);
            out.push(b'{');
            raw(out, "inlineData", "{");
            text_pair(out, media_type, data);
            out.extend_from_slice(b"}}");
        }
        // Another API's own, or what a model of that API does not write as content.
        Part::Text { .. }
        | Part::Image { .. }
        | Part::Document { .. }
        | Part::Audio { .. }
        | Part::ToolResult { .. }
        | Part::Other { .. } => {}
    }
}

fn text_pair(out: &mut Vec<u8>, media_type: &str, data: &str) {
    text(out, "mimeType", media_type);
    text(out, "data", data);
}

/// The probabilities of tokens, in the form of this API.
pub(super) fn logprobs(out: &mut Vec<u8>, given: &str) {
    let mut tree = Tree::default();
    let Some(content) = tree.read(given.as_bytes()).ok().and_then(|given| given.get("content")) else { return };
    raw(out, "logprobsResult", "{");
    raw(out, "chosenCandidates", "[");
    content.items().for_each(|one| token(out, &one));
    out.push(b']');
    raw(out, "topCandidates", "[");
    for one in content.items() {
        comma(out);
        out.push(b'{');
        raw(out, "candidates", "[");
        each(&one, "top_logprobs").for_each(|one| token(out, &one));
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]}");
}

#[inline(never)]
fn token(out: &mut Vec<u8>, of: &Value<'_>) {
    comma(out);
    out.push(b'{');
    text(out, "token", &of.get("token").and_then(|token| token.text()).unwrap_or_default());
    raw(out, "logProbability", of.get("logprob").map_or("0", |p| if p.is_text() { "0" } else { p.raw() }));
    out.push(b'}');
}

/// The list of models.
pub(super) fn models(names: &[&str]) -> Vec<u8> {
    let mut out = b"{\"models\":[".to_vec();
    for name in names {
        comma(&mut out);
        model(&mut out, name);
    }
    out.extend_from_slice(b"]}");
    out
}

pub(super) fn model(out: &mut Vec<u8>, name: &str) {
    out.push(b'{');
    text(out, "name", &["models/", name].concat());
    text(out, "displayName", name);
    raw(out, "supportedGenerationMethods", "[\"generateContent\",\"streamGenerateContent\"]");
    out.push(b'}');
}
