//! The objects of an answer and of a stream's events, written.

use super::wire;
use crate::api::Asked;
use crate::chat::{Citation, Finish, Usage};
use crate::error::{Error, Kind};
use crate::json::{escape, quote, write as put};

/// The members of a response that stay the same from its first event to its last.
pub(super) fn head(asked: &Asked, id: &str, model: &str, created: Option<u64>, tier: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    // As if an object had just opened.
    out.extend_from_slice(br#""id":""#);
    let id = if id.is_empty() { &asked.id } else { id };
    if !id.starts_with("resp_") {
        out.extend_from_slice(b"resp_");
    }
    escape(&mut out, id);
    out.push(b'"');
    put::text(&mut out, "object", "response");
    put::number(&mut out, "created_at", created.unwrap_or(asked.created));
    let model = if model.is_empty() { asked.model.as_str() } else { model };
    put::text(&mut out, "model", asked.rename.as_deref().unwrap_or(model));
    match tier {
        Some(tier @ ("auto" | "default" | "flex" | "scale" | "priority")) => put::text(&mut out, "service_tier", tier),
        Some("standard") => put::text(&mut out, "service_tier", "default"),
        _ => {}
    }
    out
}

/// How far a response has come.
#[derive(Clone, Copy)]
pub(super) enum State<'e> {
    InProgress,
    Completed,
    Incomplete(Finish),
    Failed(&'e Error),
}

impl State<'_> {
    pub(super) fn of(finish: Finish, refused: bool) -> Self {
        match finish {
            Finish::Length | Finish::ContextFull | Finish::Filtered => Self::Incomplete(finish),
            // A refusal with its own words is a whole answer.
            Finish::Refusal if !refused => Self::Incomplete(finish),
            _ => Self::Completed,
        }
    }

    /// Of the response, and of an item that ends with it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(_) => "failed",
        }
    }
}

/// Writes the object. What the gateway does not keep of the request is told as if it had been left out.
pub(super) fn response<'i>(
    out: &mut Vec<u8>,
    head: &[u8],
    state: State<'_>,
    items: impl Iterator<Item = &'i [u8]>,
    usage: Option<&Usage>,
) {
    out.push(b'{');
    out.extend_from_slice(head);
    put::text(out, "status", state.name());
    put::flag(out, "background", false);
    match state {
        State::Failed(error) => {
            put::raw(out, "error", "{");
            put::text(out, "code", error_code(error));
            put::text(out, "message", &error.text());
            out.push(b'}');
        }
        _ => put::raw(out, "error", "null"),
    }
    match state {
        State::Incomplete(Finish::Length | Finish::ContextFull) => {
            put::raw(out, "incomplete_details", r#"{"reason":"max_output_tokens"}"#);
        }
        State::Incomplete(_) => put::raw(out, "incomplete_details", r#"{"reason":"content_filter"}"#),
        _ => put::raw(out, "incomplete_details", "null"),
    }
    put::raw(out, "output", "[");
    for item in items {
        put::comma(out);
        out.extend_from_slice(item);
    }
    out.push(b']');
    out.extend_from_slice(
        br#","instructions":null,"max_output_tokens":null,"metadata":{},"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":false,"temperature":null,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":null,"truncation":"disabled","user":null"#,
    );
    if let Some(usage) = usage {
        put::raw(out, "usage", "{");
        put::number(out, "input_tokens", usage.input);
        put::raw(out, "input_tokens_details", "{");
        put::number(out, "cached_tokens", usage.cached_input);
        put::number(out, "cache_write_tokens", usage.cache_write);
        out.push(b'}');
        put::number(out, "output_tokens", usage.output);
        put::raw(out, "output_tokens_details", "{");
        put::number(out, "reasoning_tokens", usage.reasoning);
        out.push(b'}');
        put::number(out, "total_tokens", usage.total());
        out.push(b'}');
    } else if !matches!(state, State::Completed | State::Incomplete(_)) {
        put::raw(out, "usage", "null");
    }
    out.push(b'}');
}

/// The codes that a failed response may have; the one more is what the vendor sends too.
fn error_code(error: &Error) -> &'static str {
    match error.kind {
        Kind::RateLimit => "rate_limit_exceeded",
        Kind::ContextLength => "context_length_exceeded",
        Kind::InvalidRequest | Kind::ContentPolicy => "invalid_prompt",
        _ => "server_error",
    }
}

/// The members of an `error` event: as documented, and within `error` as it is sent, which SDKs raise at.
pub(super) fn error(out: &mut Vec<u8>, error: &Error) {
    put::text(out, "message", &error.text());
    put::text_or_null(out, "code", error.code.as_deref().or(Some(error_code(error))));
    put::text_or_null(out, "param", error.param.as_deref());
    super::error::object(out, error);
}

/// An item's id: the kind's beginning, the call's own id, the item's place.
pub(super) fn item_id(out: &mut Vec<u8>, start: &str, asked: &str, index: usize) {
    out.push(b'"');
    out.extend_from_slice(start.as_bytes());
    escape(out, asked);
    out.push(b'_');
    put::digits(out, u64::try_from(index).unwrap_or_default());
    out.push(b'"');
}

/// Text that is JSON's inside of a string already, as a member.
pub(super) fn escaped(out: &mut Vec<u8>, name: &'static str, inside: &[u8]) {
    put::field(out, name);
    out.push(b'"');
    out.extend_from_slice(inside);
    out.push(b'"');
}

/// `whole`: the characters it is about where it does not say.
pub(super) fn annotation(out: &mut Vec<u8>, citation: &Citation, whole: (u64, u64)) {
    let (start, end) = citation.span.unwrap_or(whole);
    out.extend_from_slice(br#"{"type":"url_citation","url":"#);
    quote(out, citation.url.as_deref().unwrap_or_default());
    put::text(out, "title", citation.title.as_deref().unwrap_or_default());
    put::number(out, "start_index", start);
    put::number(out, "end_index", end);
    out.push(b'}');
}

/// The elements of the neutral model's probabilities, without their brackets.
pub(super) fn logprobs(raw: &str) -> Option<&str> {
    let list = crate::json::find(raw, &["content"])?;
    list.strip_prefix('[')?.strip_suffix(']').filter(|inside| !inside.trim().is_empty())
}

/// The hash that ids are made of, for what has none.
pub(super) fn made_call(asked: &str, tool: u32) -> String {
    let mut text = asked.as_bytes().to_vec();
    text.push(0xff);
    put::digits(&mut text, u64::from(tool));
    wire::id("call_", wire::more(&text))
}
