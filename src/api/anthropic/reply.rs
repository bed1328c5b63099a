//! A whole answer, written for a client.

use super::answer::{fitting, stop_reason};
use super::parts::plain;
use super::shared::wire::{call_signature, input};
use super::usage;
use crate::api::Asked;
use crate::chat::{Answer, Citation, Part};
use crate::json::Tree;
use crate::json::write::{comma, field, flag, number, raw, text, text_or_null};

pub(super) fn answer(answer: &Answer, asked: &Asked) -> Vec<u8> {
    let choice = answer.choices.first();
    let parts = choice.map(|choice| choice.parts.as_slice()).unwrap_or_default();
    let mut out = Vec::with_capacity(1024);
    out.push(b'{');
    head(&mut out, &answer.id, &answer.model, asked);
    raw(&mut out, "content", "[");
    for part in parts {
        block(&mut out, part, asked.schema_tool);
    }
    out.push(b']');
    let calls = !asked.schema_tool && parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let finish = fitting(choice.and_then(|choice| choice.finish), calls);
    text(&mut out, "stop_reason", stop_reason(finish));
    text_or_null(&mut out, "stop_sequence", choice.and_then(|choice| choice.stop_sequence.as_deref()));
    field(&mut out, "usage");
    usage::write(&mut out, &answer.usage.unwrap_or_default(), answer.service_tier.as_deref());
    out.push(b'}');
    out
}

/// What a message begins with, whole or streamed.
pub(super) fn head(out: &mut Vec<u8>, id: &str, model: &str, asked: &Asked) {
    match id {
        "" => text(out, "id", &["msg_", &asked.id].concat()),
        id => text(out, "id", id),
    }
    text(out, "type", "message");
    text(out, "role", "assistant");
    let model = match (&asked.rename, model) {
        (Some(name), _) => name,
        (None, "") => &asked.model,
        (None, model) => model,
    };
    text(out, "model", model);
}

fn block(out: &mut Vec<u8>, part: &Part, schema_tool: bool) {
    match part {
        Part::Text { text: words, citations: sources, .. } => {
            if schema_tool || (words.is_empty() && sources.is_empty()) {
                return;
            }
            comma(out);
            out.push(b'{');
            text(out, "type", "text");
            text(out, "text", words);
            if !sources.is_empty() {
                raw(out, "citations", "[");
                for source in sources {
                    comma(out);
                    citation(out, source);
                }
                out.push(b']');
            }
            out.push(b'}');
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
                thinking(out, "", &call_signature(signature));
            }
            comma(out);
            out.push(b'{');
            text(out, "type", "tool_use");
            text(out, "id", id);
            text(out, "name", name);
            field(out, "input");
            input(out, arguments, &mut Tree::default());
            out.push(b'}');
        }
        Part::Thinking { text: words, signature } => {
            thinking(out, words, signature.as_deref().unwrap_or_default());
        }
        Part::Redacted { data } => {
            comma(out);
            out.push(b'{');
            text(out, "type", "redacted_thinking");
            text(out, "data", data);
            out.push(b'}');
        }
        // Another API's own, or what a model of that API does not write as content.
        Part::Image { .. }
        | Part::Document { .. }
        | Part::Audio { .. }
        | Part::ToolResult { .. }
        | Part::Other { .. } => {}
    }
}

fn thinking(out: &mut Vec<u8>, words: &str, signature: &str) {
    comma(out);
    out.push(b'{');
    text(out, "type", "thinking");
    text(out, "thinking", words);
    text(out, "signature", signature);
    out.push(b'}');
}

/// A source in the nearest of this API's forms. What the form requires and other APIs do not know is empty.
pub(super) fn citation(out: &mut Vec<u8>, source: &Citation) {
    out.push(b'{');
    match &source.url {
        Some(url) => {
            text(out, "type", "web_search_result_location");
            text(out, "url", url);
            text_or_null(out, "title", source.title.as_deref());
            text(out, "encrypted_index", "");
        }
        None => {
            text(out, "type", "char_location");
            number(out, "document_index", 0);
            text_or_null(out, "document_title", source.title.as_deref());
            number(out, "start_char_index", 0);
            number(out, "end_char_index", 0);
        }
    }
    text(out, "cited_text", source.quote.as_deref().unwrap_or_default());
    out.push(b'}');
}

/// The list of models.
pub(super) fn models(names: &[&str], created: u64) -> Vec<u8> {
    let mut out = b"{\"data\":[".to_vec();
    for name in names {
        comma(&mut out);
        out.extend_from_slice(&model(name, created));
    }
    out.push(b']');
    flag(&mut out, "has_more", false);
    text_or_null(&mut out, "first_id", names.first().copied());
    text_or_null(&mut out, "last_id", names.last().copied());
    out.push(b'}');
    out
}

pub(super) fn model(name: &str, created: u64) -> Vec<u8> {
    let mut out = vec![b'{'];
    text(&mut out, "type", "model");
    text(&mut out, "id", name);
    text(&mut out, "display_name", name);
    text(&mut out, "created_at", &rfc3339(created));
    out.push(b'}');
    out
}

/// Seconds since the epoch as `2025-01-31T12:00:00Z`. Years begin in March here, so that the leap day comes last.
#[expect(clippy::arithmetic_side_effects, reason = "seconds / 86400 leaves room in u64 for every step")]
fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year + era * 400, month + 3) } else { (year + era * 400 + 1, month - 9) };
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest % 3_600 / 60, rest % 60)
}
