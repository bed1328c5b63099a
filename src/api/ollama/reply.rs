//! An answer, written for a client; whole, and what a stream's lines have in common with it.

use super::shared::wire::write_signature;
use super::time;
use crate::api::Asked;
use crate::chat::{Answer, Finish, Part, Usage};
use crate::error::Error;
use crate::json::{Tree, Value, quote, write as put};

pub(super) fn answer(answer: &Answer, asked: &Asked) -> Vec<u8> {
    let choice = answer.choices.first();
    let parts = choice.map(|choice| choice.parts.as_slice()).unwrap_or_default();
    let mut out = Vec::with_capacity(1024);
    head(&mut out, asked, &answer.model, answer.created);
    put::field(&mut out, "message");
    message(&mut out, parts, asked.schema_tool);
    if let Some(raw) = choice.and_then(|choice| choice.logprobs.as_ref()) {
        logprobs(&mut out, raw.get());
    }
    end(&mut out, choice.and_then(|choice| choice.finish), answer.usage.as_ref());
    out
}

/// Begins an answer, or a line of one.
pub(super) fn head(out: &mut Vec<u8>, asked: &Asked, model: &str, created: Option<u64>) {
    out.push(b'{');
    let model = if model.is_empty() { asked.model.as_str() } else { model };
    put::text(out, "model", asked.rename.as_deref().unwrap_or(model));
    put::field(out, "created_at");
    out.push(b'"');
    time::write(out, created.unwrap_or(asked.created));
    out.push(b'"');
}

/// Ends an answer, or the last line of one. Durations are left out: the API does so where there is nothing to tell.
pub(super) fn end(out: &mut Vec<u8>, finish: Option<Finish>, usage: Option<&Usage>) {
    put::text(out, "done_reason", finish_name(finish));
    put::flag(out, "done", true);
    if let Some(usage) = usage {
        put::number(out, "prompt_eval_count", usage.input);
        put::number(out, "eval_count", usage.output);
    }
    out.push(b'}');
}

fn finish_name(finish: Option<Finish>) -> &'static str {
    match finish {
        Some(Finish::Length | Finish::ContextFull) => "length",
        // No word of the API's own, which has no filter; its clients take any.
        Some(Finish::Filtered | Finish::Refusal) => "content_filter",
        _ => "stop",
    }
}

/// The tokens' probabilities, whose entries are the usual ones.
pub(super) fn logprobs(out: &mut Vec<u8>, raw: &str) {
    let mut tree = Tree::default();
    if let Some(all) = tree.read(raw.as_bytes()).ok().and_then(|raw| raw.get("content")).filter(Value::is_list) {
        put::field(out, "logprobs");
        one_line(out, all.raw());
    }
}

fn message(out: &mut Vec<u8>, parts: &[Part], schema_tool: bool) {
    let (mut text, mut thinking) = (String::new(), String::new());
    for part in parts {
        match part {
            Part::Text { text: more, .. } if !schema_tool => text.push_str(more),
            Part::ToolCall { arguments: more, .. } if schema_tool => text.push_str(more),
            Part::Refusal { text: more } => text.push_str(more),
            Part::Thinking { text: more, .. } => thinking.push_str(more),
            _ => {}
        }
    }
    out.extend_from_slice(br#"{"role":"assistant""#);
    put::text(out, "content", &text);
    if !thinking.is_empty() {
        put::text(out, "thinking", &thinking);
    }
    let start = out.len();
    put::raw(out, "thinking_blocks", "[");
    let empty = out.len();
    for part in parts {
        match part {
            Part::Thinking { text, signature: Some(signature) } => {
                put::comma(out);
                block(out, text, "signature", signature);
            }
            Part::Redacted { data } => {
                put::comma(out);
                block(out, "", "data", data);
            }
            _ => {}
        }
    }
    close(out, start, empty);
    let start = out.len();
    put::raw(out, "tool_calls", "[");
    let (empty, mut index) = (out.len(), 0_u64);
    for part in parts {
        if let Part::ToolCall { id, name, arguments, signature, .. } = part
            && !schema_tool
        {
            put::comma(out);
            call(out, index, id, name, arguments, signature.as_deref());
            index = index.saturating_add(1);
        }
    }
    close(out, start, empty);
    out.push(b'}');
}

/// Ends a list, or takes it back if it is empty.
fn close(out: &mut Vec<u8>, start: usize, empty: usize) {
    if out.len() == empty {
        out.truncate(start);
    } else {
        out.push(b']');
    }
}

/// Thinking that its provider signed or sealed, for the client to send back as it is.
pub(super) fn block(out: &mut Vec<u8>, text: &str, name: &'static str, value: &str) {
    out.push(b'{');
    put::text(out, "type", if name == "data" { "redacted_thinking" } else { "thinking" });
    if name != "data" {
        put::text(out, "thinking", text);
    }
    put::text(out, name, value);
    out.push(b'}');
}

pub(super) fn call(out: &mut Vec<u8>, index: u64, id: &str, tool: &str, arguments: &str, signature: Option<&str>) {
    out.push(b'{');
    put::text(out, "id", id);
    out.extend_from_slice(br#","function":{"#);
    put::number(out, "index", index);
    put::text(out, "name", tool);
    put::field(out, "arguments");
    object(out, arguments);
    out.push(b'}');
    if let Some(signature) = signature {
        write_signature(out, signature);
    }
    out.push(b'}');
}

/// JSON without the ends of lines that may stand between its values: a stream's line must have none.
fn one_line(out: &mut Vec<u8>, json: &str) {
    if memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_none() {
        return out.extend_from_slice(json.as_bytes());
    }
    out.extend(json.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')));
}

/// Arguments are an object here. What a cut answer left of one is kept as text, under one name.
pub(super) fn object(out: &mut Vec<u8>, arguments: &str) {
    let text = arguments.trim();
    let mut tree = Tree::default();
    match tree.read(text.as_bytes()) {
        Ok(value) if value.is_object() => one_line(out, value.raw()),
        _ if text.is_empty() || text == "null" => out.extend_from_slice(b"{}"),
        _ => {
            out.extend_from_slice(b"{\"_raw\":");
            quote(out, arguments);
            out.push(b'}');
        }
    }
}

pub(super) fn error(out: &mut Vec<u8>, error: &Error) {
    out.push(b'{');
    put::text(out, "error", &error.text());
    out.push(b'}');
}

/// An entry of the list of models. What is only known of a local model's file is empty.
pub(super) fn model(out: &mut Vec<u8>, name: &str, created: u64) {
    out.push(b'{');
    put::text(out, "name", name);
    put::text(out, "model", name);
    put::field(out, "modified_at");
    out.push(b'"');
    time::write(out, created);
    out.extend_from_slice(
        br#"","size":0,"digest":"","details":{"format":"","family":"","families":[],"parameter_size":"","quantization_level":""}}"#,
    );
}
