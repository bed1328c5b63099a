//! A whole answer, written for a client.

use super::answer::{fitting, stop_reason};
use super::parts::{plain, reasoning, redacted, tool_id};
use super::shared::wire::{call_signature, input};
use super::usage;
use crate::api::Asked;
use crate::chat::{Answer, Citation, Part};
use crate::json::Tree;
use crate::json::write::{comma, field, raw, text};

/// How long the model took is not known here, and the API requires it to be said.
pub(super) const METRICS: &str = "{\"latencyMs\":0}";

pub(super) fn answer(answer: &Answer, asked: &Asked) -> Vec<u8> {
    let choice = answer.choices.first();
    let parts = choice.map(|choice| choice.parts.as_slice()).unwrap_or_default();
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(b"{\"output\":{\"message\":{\"role\":\"assistant\"");
    raw(&mut out, "content", "[");
    for part in parts {
        block(&mut out, part, asked.schema_tool);
    }
    out.extend_from_slice(b"]}}");
    let calls = !asked.schema_tool && parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let finish = fitting(choice.and_then(|choice| choice.finish), calls);
    text(&mut out, "stopReason", stop_reason(finish));
    field(&mut out, "usage");
    usage::write(&mut out, &answer.usage.unwrap_or_default());
    raw(&mut out, "metrics", METRICS);
    own_fields(&mut out, choice.and_then(|choice| choice.stop_sequence.as_deref()));
    // Its own words only: a client's SDK may check them.
    let tier = answer.service_tier.as_deref().filter(|t| matches!(*t, "priority" | "default" | "flex" | "reserved"));
    if let Some(tier) = tier {
        raw(&mut out, "serviceTier", "{");
        text(&mut out, "type", tier);
        out.push(b'}');
    }
    out.push(b'}');
    out
}

/// Writes the sequence that stopped the model, where its makers' fields are given.
pub(super) fn own_fields(out: &mut Vec<u8>, stop_sequence: Option<&str>) {
    if let Some(stop) = stop_sequence {
        raw(out, "additionalModelResponseFields", "{");
        text(out, "stop_sequence", stop);
        out.push(b'}');
    }
}

fn block(out: &mut Vec<u8>, part: &Part, schema_tool: bool) {
    match part {
        Part::Text { text: words, citations: sources, .. } => {
            if schema_tool || (words.is_empty() && sources.is_empty()) {
                return;
            }
            comma(out);
            if sources.is_empty() {
                return plain(out, words);
            }
            out.extend_from_slice(b"{\"citationsContent\":{\"content\":[");
            plain(out, words);
            out.push(b']');
            raw(out, "citations", "[");
            for source in sources {
                comma(out);
                citation(out, source);
            }
            out.extend_from_slice(b"]}}");
        }
        Part::Refusal { text: words } => {
            comma(out);
            plain(out, words);
        }
        Part::ToolCall { arguments, .. } if schema_tool => {
            comma(out);
            plain(out, arguments);
        }
        Part::ToolCall { id, name, arguments, signature, .. } => {
            if let Some(signature) = signature {
                comma(out);
                reasoning(out, "", Some(&call_signature(signature)));
            }
            comma(out);
            out.extend_from_slice(b"{\"toolUse\":{");
            text(out, "toolUseId", &tool_id(id));
            text(out, "name", name);
            field(out, "input");
            input(out, arguments, &mut Tree::default());
            out.extend_from_slice(b"}}");
        }
        Part::Thinking { text: words, signature } => {
            comma(out);
            reasoning(out, words, signature.as_deref());
        }
        Part::Redacted { data } => {
            comma(out);
            redacted(out, data);
        }
        // Another API's own, or what a model of that API does not write as content.
        Part::Image { .. }
        | Part::Document { .. }
        | Part::Audio { .. }
        | Part::ToolResult { .. }
        | Part::Other { .. } => {}
    }
}

/// A source, with what is known of it.
pub(super) fn citation(out: &mut Vec<u8>, source: &Citation) {
    out.push(b'{');
    if let Some(title) = &source.title {
        text(out, "title", title);
    }
    if let Some(quote) = &source.quote {
        raw(out, "sourceContent", "[");
        plain(out, quote);
        out.push(b']');
    }
    if let Some(url) = &source.url {
        raw(out, "location", "{\"web\":{");
        text(out, "url", url);
        out.extend_from_slice(b"}}");
    }
    out.push(b'}');
}

/// The list of models, as the control plane's API has it: this one has none.
pub(super) fn models(names: &[&str]) -> Vec<u8> {
    let mut out = b"{\"modelSummaries\":[".to_vec();
    for name in names {
        comma(&mut out);
        summary(&mut out, name);
    }
    out.extend_from_slice(b"]}");
    out
}

pub(super) fn model(name: &str) -> Vec<u8> {
    let mut out = b"{\"modelDetails\":".to_vec();
    summary(&mut out, name);
    out.push(b'}');
    out
}

fn summary(out: &mut Vec<u8>, name: &str) {
    out.push(b'{');
    text(out, "modelId", name);
    text(out, "modelName", name);
    out.push(b'}');
}
