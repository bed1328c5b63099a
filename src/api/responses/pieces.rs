//! The items of an answer that is being put together, and their parts.

use super::shape::{escaped, item_id};
use crate::json::write as put;

/// Bytes of probabilities that are repeated in the last events; more are in the events of the text alone.
const MAX_LOGPROBS: usize = 1 << 20;

/// The message or the thinking that goes on.
pub(super) struct Open {
    pub(super) index: usize,
    pub(super) kind: Kin,
    /// Its parts that are whole, and how many.
    pub(super) parts: Vec<u8>,
    pub(super) count: u64,
    pub(super) part: Option<Piece>,
    /// `encrypted_content`, as a member.
    pub(super) seal: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kin {
    Message,
    Reasoning,
}

/// A part of an item.
pub(super) struct Piece {
    pub(super) what: What,
    /// As the inside of a JSON string.
    pub(super) text: Vec<u8>,
    /// Characters so far, and where the current block of them begins.
    pub(super) chars: u64,
    pub(super) block: u64,
    pub(super) annotations: Vec<u8>,
    pub(super) cited: u64,
    pub(super) logprobs: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Text,
    Refusal,
    Summary,
}

pub(super) struct Call {
    pub(super) tool: u32,
    pub(super) index: usize,
    /// `call_id` and `name`, as members.
    pub(super) names: Vec<u8>,
    pub(super) name: String,
    pub(super) arguments: Vec<u8>,
}

impl What {
    /// The name of its events, up to what happens; of the list it is in; of its text.
    pub(super) fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Text => ("response.output_text", "content_index", "text"),
            Self::Refusal => ("response.refusal", "content_index", "refusal"),
            Self::Summary => ("response.reasoning_summary_text", "summary_index", "text"),
        }
    }
}

impl Piece {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self.what {
            What::Text => {
                out.extend_from_slice(br#"{"type":"output_text","annotations":["#);
                out.extend_from_slice(&self.annotations);
                out.extend_from_slice(br#"],"logprobs":["#);
                out.extend_from_slice(&self.logprobs);
                out.push(b']');
                escaped(out, "text", &self.text);
            }
            What::Refusal => {
                out.extend_from_slice(br#"{"type":"refusal""#);
                escaped(out, "refusal", &self.text);
            }
            What::Summary => {
                out.extend_from_slice(br#"{"type":"summary_text""#);
                escaped(out, "text", &self.text);
            }
        }
        out.push(b'}');
    }
}

impl Open {
    pub(super) fn write(&self, out: &mut Vec<u8>, asked: &str, state: &str) {
        out.extend_from_slice(br#"{"id":"#);
        item_id(out, self.kind.prefix(), asked, self.index);
        match self.kind {
            Kin::Message => {
                put::text(out, "type", "message");
                put::text(out, "status", state);
                put::text(out, "role", "assistant");
                put::raw(out, "content", "[");
            }
            Kin::Reasoning => {
                put::text(out, "type", "reasoning");
                put::raw(out, "summary", "[");
            }
        }
        out.extend_from_slice(&self.parts);
        out.push(b']');
        out.extend_from_slice(&self.seal);
        out.push(b'}');
    }
}

impl Kin {
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Message => "msg_",
            Self::Reasoning => "rs_",
        }
    }
}

impl Call {
    pub(super) fn write(&self, out: &mut Vec<u8>, asked: &str, state: &str) {
        out.extend_from_slice(br#"{"id":"#);
        item_id(out, "fc_", asked, self.index);
        put::text(out, "type", "function_call");
        put::text(out, "status", state);
        out.extend_from_slice(&self.names);
        escaped(out, "arguments", &self.arguments);
        out.push(b'}');
    }
}

impl Piece {
    pub(super) fn probabilities(&mut self, more: &[u8]) {
        if !more.is_empty() && self.logprobs.len().saturating_add(more.len()) <= MAX_LOGPROBS {
            join(&mut self.logprobs, more);
        }
    }
}

/// Puts one more to a list without brackets.
pub(super) fn join(list: &mut Vec<u8>, more: &[u8]) {
    put::comma(list);
    list.extend_from_slice(more);
}
