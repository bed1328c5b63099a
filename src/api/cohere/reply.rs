//! An answer, written for a client; whole, and what a stream's events have in common with it.

use super::shared::wire::write_signature;
use crate::api::Asked;
use crate::chat::{Answer, Citation, Finish, Part, Usage};
use crate::json::{Tree, Value, quote, write as put};

pub(super) fn answer(answer: &Answer, asked: &Asked) -> Vec<u8> {
    let choice = answer.choices.first();
    let parts = choice.map(|choice| choice.parts.as_slice()).unwrap_or_default();
    let called = !asked.schema_tool && parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let mut out = Vec::with_capacity(1024);
    out.push(b'{');
    put::text(&mut out, "id", if answer.id.is_empty() { &asked.id } else { &answer.id });
    put::text(&mut out, "finish_reason", finish_name(choice.and_then(|choice| choice.finish), called));
    put::field(&mut out, "message");
    message(&mut out, parts, called, asked.schema_tool);
    if let Some(usage) = &answer.usage {
        write_usage(&mut out, usage);
    }
    if let Some(raw) = choice.and_then(|choice| choice.logprobs.as_ref()) {
        let mut tree = Tree::default();
        if let Some(all) = tree.read(raw.get().as_bytes()).ok().and_then(|raw| raw.get("content")) {
            put::raw(&mut out, "logprobs", "[");
            for token in all.items() {
                put::comma(&mut out);
                logprob(&mut out, &token);
            }
            out.push(b']');
        }
    }
    out.push(b'}');
    out
}

/// A token of the usual form in this API's. Its number is not known.
pub(super) fn logprob(out: &mut Vec<u8>, token: &Value<'_>) {
    out.push(b'{');
    put::raw(out, "text", token.get("token").as_ref().filter(|text| text.is_text()).map_or("\"\"", Value::raw));
    put::raw(out, "token_ids", "[],\"logprobs\":[");
    out.extend_from_slice(token.get("logprob").as_ref().map_or("0", Value::raw).as_bytes());
    out.extend_from_slice(b"]}");
}

/// `called`: text before the calls is their plan.
fn message(out: &mut Vec<u8>, parts: &[Part], called: bool, schema_tool: bool) {
    let (mut plan, mut cited) = (String::new(), Vec::new());
    let (mut index, mut before) = (0_u64, 0_u64);
    out.extend_from_slice(br#"{"role":"assistant""#);
    let start = out.len();
    put::raw(out, "content", "[");
    let empty = out.len();
    for part in parts {
        match part {
            Part::Text { text, .. } if called => plan.push_str(text),
            Part::Text { .. } if schema_tool => {}
            Part::Text { text, citations, .. } => {
                let chars = text.chars().count() as u64;
                cited.extend(citations.iter().map(|citation| (citation, text.as_str(), index, before, chars)));
                before = before.saturating_add(chars);
                block(out, text);
                index = index.saturating_add(1);
            }
            Part::ToolCall { arguments: text, .. } if schema_tool => block(out, text),
            Part::Refusal { text } => block(out, text),
            Part::Thinking { text, signature } => {
                put::comma(out);
                out.extend_from_slice(br#"{"type":"thinking""#);
                put::text(out, "thinking", text);
                if let Some(signature) = signature {
                    put::text(out, "signature", signature);
                }
                out.push(b'}');
                index = index.saturating_add(1);
            }
            Part::Redacted { data } => {
                put::comma(out);
                out.extend_from_slice(br#"{"type":"thinking","thinking":"""#);
                put::text(out, "data", data);
                out.push(b'}');
                index = index.saturating_add(1);
            }
            _ => {}
        }
    }
    if out.len() == empty && called {
        out.truncate(start);
    } else {
        // Clients read the first block's text.
        if out.len() == empty {
            block(out, "");
        }
        out.push(b']');
    }
    if !plan.is_empty() {
        put::text(out, "tool_plan", &plan);
    }
    if called {
        put::raw(out, "tool_calls", "[");
        for part in parts {
            if let Part::ToolCall { id, name, arguments, signature, .. } = part {
                put::comma(out);
                let arguments = if arguments.is_empty() { "{}" } else { arguments };
                call(out, id, name, arguments, signature.as_deref());
            }
        }
        out.push(b']');
    }
    if !cited.is_empty() {
        put::raw(out, "citations", "[");
        for (citation, text, index, before, chars) in cited {
            put::comma(out);
            write_citation(out, citation, Some(text), index, before, chars);
        }
        out.push(b']');
    }
    out.push(b'}');
}

fn block(out: &mut Vec<u8>, text: &str) {
    put::comma(out);
    out.extend_from_slice(br#"{"type":"text""#);
    put::text(out, "text", text);
    out.push(b'}');
}

pub(super) fn call(out: &mut Vec<u8>, id: &str, tool: &str, arguments: &str, signature: Option<&str>) {
    out.push(b'{');
    put::text(out, "id", id);
    out.extend_from_slice(br#","type":"function","function":{"#);
    put::text(out, "name", tool);
    put::text(out, "arguments", arguments);
    out.push(b'}');
    if let Some(signature) = signature {
        write_signature(out, signature);
    }
    out.push(b'}');
}

/// A citation of the block `index`, which has `chars` characters and begins after `before` of them. `text` is the
/// block's, if it is at hand.
pub(super) fn write_citation(
    out: &mut Vec<u8>,
    citation: &Citation,
    text: Option<&str>,
    index: u64,
    before: u64,
    chars: u64,
) {
    let within = |at: u64| at.saturating_sub(before).min(chars);
    let (start, end) = citation.span.map_or((0, chars), |(start, end)| (within(start), within(end)));
    out.push(b'{');
    put::number(out, "start", start);
    put::number(out, "end", end);
    if let Some(text) = text {
        let words = text.chars().skip(start as usize).take(end.saturating_sub(start) as usize);
        put::text(out, "text", &words.collect::<String>());
    }
    out.extend_from_slice(br#","sources":[{"type":"document","#);
    let id = citation.url.as_deref().or(citation.title.as_deref()).unwrap_or_default();
    out.extend_from_slice(b"\"id\":");
    quote(out, id);
    out.extend_from_slice(br#","document":{"#);
    for (name, value) in [("title", &citation.title), ("url", &citation.url), ("text", &citation.quote)] {
        if let Some(value) = value {
            put::text(out, name, value);
        }
    }
    out.extend_from_slice(b"}}]");
    put::number(out, "content_index", index);
    put::text(out, "type", "TEXT_CONTENT");
    out.push(b'}');
}

/// `called`: there are calls that the client is to run.
pub(super) fn finish_name(finish: Option<Finish>, called: bool) -> &'static str {
    match finish.unwrap_or(Finish::Stop) {
        Finish::Length | Finish::ContextFull => "MAX_TOKENS",
        // The word that the API had for it before.
        Finish::Filtered | Finish::Refusal => "ERROR_TOXIC",
        _ if called => "TOOL_CALL",
        Finish::StopSequence => "STOP_SEQUENCE",
        Finish::Stop | Finish::Pause | Finish::ToolCalls => "COMPLETE",
    }
}

/// Another provider's bill is of all its tokens.
pub(super) fn write_usage(out: &mut Vec<u8>, usage: &Usage) {
    put::raw(out, "usage", "{");
    for name in ["billed_units", "tokens"] {
        put::raw(out, name, "{");
        put::number(out, "input_tokens", usage.input);
        put::number(out, "output_tokens", usage.output);
        out.push(b'}');
    }
    put::number(out, "cached_tokens", usage.cached_input);
    out.push(b'}');
}
