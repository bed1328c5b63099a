//! A client's stream, written.

use super::answer::{fitting, stop_reason};
use super::errors;
use super::reply::{citation, head};
use super::shared::nesting::Nesting;
use super::shared::wire::call_signature;
use super::usage;
use crate::api::{self, Asked};
use crate::chat::{Citation, Event, Finish, Usage};
use crate::json::quote;
use crate::json::write::{digits, field, raw, text, text_or_null};

/// Calls whose arguments may go on while others have begun.
const MAX_OPEN_CALLS: usize = 64;

pub(super) struct Writer {
    asked: Asked,
    started: bool,
    over: bool,
    /// The index of the next block.
    next: u64,
    /// The open block that is not a call.
    open: Option<(What, u64)>,
    /// Open calls: most providers finish one before the next, none promises to.
    calls: Vec<Call>,
    any_call: bool,
    /// The end's reason waits for usage, which some providers send after it.
    finish: Option<(Finish, Option<String>)>,
    /// The reason and usage are written.
    told: bool,
    usage: Usage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Text,
    Thinking,
}

struct Call {
    tool: u32,
    index: u64,
    arguments: Nesting,
}

impl Writer {
    pub(super) fn new(asked: Asked) -> Self {
        Self {
            asked,
            started: false,
            over: false,
            next: 0,
            open: None,
            calls: Vec::new(),
            any_call: false,
            finish: None,
            told: false,
            usage: Usage::default(),
        }
    }
}

impl api::Writer for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model, service_tier, usage, .. } => {
                self.usage = usage.unwrap_or_default();
                self.start(id, model, service_tier.as_deref(), out);
            }
            Event::Text { choice: 0, text } if !self.asked.schema_tool => self.words(out, What::Text, text),
            Event::Refusal { choice: 0, text } => self.words(out, What::Text, text),
            Event::Thinking { choice: 0, text } => self.words(out, What::Thinking, text),
            Event::Signature { choice: 0, signature } => self.signature(out, signature),
            Event::Citation { choice: 0, citation: source } => self.cite(out, source),
            Event::Redacted { choice: 0, data } => self.redacted(out, data),
            Event::ToolStart { choice: 0, tool, id, name, signature } if !self.asked.schema_tool => {
                if let Some(signature) = signature {
                    self.signature(out, &call_signature(signature));
                }
                self.call(out, *tool, id, name);
            }
            Event::ToolArguments { choice: 0, tool, json } => {
                if self.asked.schema_tool {
                    self.words(out, What::Text, json);
                } else {
                    self.arguments(out, *tool, json);
                }
            }
            Event::BlockEnd { choice: 0 } => self.close_last(out),
            Event::Finish { choice: 0, reason, stop_sequence } => {
                self.finish = Some((*reason, stop_sequence.as_deref().map(str::to_owned)));
            }
            Event::Usage(usage) => {
                self.usage = *usage;
                if self.finish.is_some() {
                    self.tell(out);
                }
            }
            Event::Ping => out.extend_from_slice(b"event: ping\ndata: {\"type\": \"ping\"}\n\n"),
            Event::Error(error) => {
                self.over = true;
                out.extend_from_slice(b"event: error\ndata: ");
                out.extend_from_slice(&errors::write(error).1);
                out.extend_from_slice(b"\n\n");
            }
            Event::End => {
                self.tell(out);
                self.over = true;
                out.extend_from_slice(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
            }
            // A message of this API has one answer, and no log probabilities.
            _ => {}
        }
    }
}

/// Begins an event whose data ends with `}\n\n`.
fn open_event(out: &mut Vec<u8>, name: &'static str) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: {\"type\":\"");
    out.extend_from_slice(name.as_bytes());
    out.push(b'"');
}

/// Begins the delta of a block, up to its content. `kind` is the rest of the type and the name of what follows.
fn delta(out: &mut Vec<u8>, index: u64, kind: &[u8]) {
    open_event(out, "content_block_delta");
    out.extend_from_slice(b",\"index\":");
    digits(out, index);
    out.extend_from_slice(b",\"delta\":{\"type\":\"");
    out.extend_from_slice(kind);
}

fn block_start(out: &mut Vec<u8>, index: u64) {
    open_event(out, "content_block_start");
    out.extend_from_slice(b",\"index\":");
    digits(out, index);
    out.extend_from_slice(b",\"content_block\":{");
}

fn block_stop(out: &mut Vec<u8>, index: u64) {
    open_event(out, "content_block_stop");
    out.extend_from_slice(b",\"index\":");
    digits(out, index);
    out.extend_from_slice(b"}\n\n");
}

impl Writer {
    fn start(&mut self, id: &str, model: &str, service_tier: Option<&str>, out: &mut Vec<u8>) {
        if self.started {
            return;
        }
        self.started = true;
        open_event(out, "message_start");
        out.extend_from_slice(b",\"message\":{");
        head(out, id, model, &self.asked);
        raw(out, "content", "[]");
        raw(out, "stop_reason", "null");
        raw(out, "stop_sequence", "null");
        field(out, "usage");
        usage::write(out, &self.usage, service_tier);
        out.extend_from_slice(b"}}\n\n");
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.started {
            self.start("", "", None, out);
        }
    }

    fn index(&mut self) -> u64 {
        let index = self.next;
        self.next = self.next.saturating_add(1);
        index
    }

    /// The index of the open block of that kind: the one there is, or a new one.
    fn block(&mut self, out: &mut Vec<u8>, what: What) -> u64 {
        if let Some((_, index)) = self.open.filter(|(open, _)| *open == what) {
            return index;
        }
        self.begin(out);
        self.close_ended(out);
        let index = self.index();
        block_start(out, index);
        out.extend_from_slice(match what {
            What::Text => b"\"type\":\"text\",\"text\":\"\"}}\n\n".as_slice(),
            What::Thinking => b"\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n",
        });
        self.open = Some((what, index));
        index
    }

    fn words(&mut self, out: &mut Vec<u8>, what: What, words: &str) {
        if words.is_empty() {
            return;
        }
        let index = self.block(out, what);
        delta(
            out,
            index,
            match what {
                What::Text => b"text_delta\",\"text\":",
                What::Thinking => b"thinking_delta\",\"thinking\":",
            },
        );
        quote(out, words);
        out.extend_from_slice(b"}}\n\n");
    }

    fn signature(&mut self, out: &mut Vec<u8>, signature: &str) {
        let index = self.block(out, What::Thinking);
        delta(out, index, b"signature_delta\",\"signature\":");
        quote(out, signature);
        out.extend_from_slice(b"}}\n\n");
    }

    fn cite(&mut self, out: &mut Vec<u8>, source: &Citation) {
        let index = self.block(out, What::Text);
        delta(out, index, b"citations_delta\",\"citation\":");
        citation(out, source);
        out.extend_from_slice(b"}}\n\n");
    }

    fn redacted(&mut self, out: &mut Vec<u8>, data: &str) {
        self.begin(out);
        self.close_ended(out);
        let index = self.index();
        block_start(out, index);
        text(out, "type", "redacted_thinking");
        text(out, "data", data);
        out.extend_from_slice(b"}}\n\n");
        block_stop(out, index);
    }

    fn call(&mut self, out: &mut Vec<u8>, tool: u32, id: &str, name: &str) {
        self.begin(out);
        self.close_ended(out);
        if self.calls.len() >= MAX_OPEN_CALLS {
            self.close_calls(out);
        }
        self.any_call = true;
        let index = self.index();
        block_start(out, index);
        text(out, "type", "tool_use");
        text(out, "id", id);
        text(out, "name", name);
        out.extend_from_slice(b",\"input\":{}}}\n\n");
        self.calls.push(Call { tool, index, arguments: Nesting::default() });
    }

    fn arguments(&mut self, out: &mut Vec<u8>, tool: u32, json: &str) {
        let last = self.calls.last().map(|call| call.tool);
        let Some(call) = self.calls.iter_mut().find(|call| call.tool == tool) else { return };
        if json.is_empty() {
            return;
        }
        call.arguments.take(json);
        let index = call.index;
        delta(out, index, b"input_json_delta\",\"partial_json\":");
        quote(out, json);
        out.extend_from_slice(b"}}\n\n");
        // The last stays open: white space may follow what is whole.
        if call.arguments.whole() && last != Some(tool) {
            block_stop(out, index);
            self.calls.retain(|call| call.tool != tool);
        }
    }

    /// Closes what cannot go on once another block begins.
    fn close_ended(&mut self, out: &mut Vec<u8>) {
        if let Some((_, index)) = self.open.take() {
            block_stop(out, index);
        }
        self.calls.retain(|call| {
            if call.arguments.whole() {
                block_stop(out, call.index);
            }
            !call.arguments.whole()
        });
    }

    /// The provider says that the block that began last is whole.
    fn close_last(&mut self, out: &mut Vec<u8>) {
        if let Some((_, index)) = self.open.take() {
            block_stop(out, index);
        } else if let Some(call) = self.calls.pop() {
            block_stop(out, call.index);
        }
    }

    fn close_calls(&mut self, out: &mut Vec<u8>) {
        for call in self.calls.drain(..) {
            block_stop(out, call.index);
        }
    }

    /// Writes why the answer ended and all usage, once.
    fn tell(&mut self, out: &mut Vec<u8>) {
        if self.told {
            return;
        }
        self.told = true;
        self.begin(out);
        if let Some((_, index)) = self.open.take() {
            block_stop(out, index);
        }
        self.close_calls(out);
        let (finish, stop_sequence) = self.finish.take().map_or((None, None), |(finish, stop)| (Some(finish), stop));
        open_event(out, "message_delta");
        out.extend_from_slice(b",\"delta\":{");
        text(out, "stop_reason", stop_reason(fitting(finish, self.any_call)));
        text_or_null(out, "stop_sequence", stop_sequence.as_deref());
        out.extend_from_slice(b"},\"usage\":");
        usage::write(out, &self.usage, None);
        out.extend_from_slice(b"}\n\n");
    }
}
