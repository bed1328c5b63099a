//! A client's stream, written.

use super::answer::{fitting, stop_reason};
use super::block::sealed;
use super::errors;
use super::parts::tool_id;
use super::reply::{METRICS, citation, own_fields};
use super::shared::nesting::Nesting;
use super::shared::wire::call_signature;
use super::usage;
use crate::api::{self, Asked};
use crate::chat::{Citation, Event, Finish, Usage};
use crate::framing::eventstream;
use crate::json::quote;
use crate::json::write::{digits, field, raw, text};

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
    finish: Option<(Finish, Option<String>)>,
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
    /// Some have come.
    any: bool,
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
            Event::Start { usage, .. } => {
                self.usage = usage.unwrap_or_default();
                self.start(out);
            }
            Event::Text { choice: 0, text } if !self.asked.schema_tool => self.words(out, What::Text, text),
            Event::Refusal { choice: 0, text } => self.words(out, What::Text, text),
            Event::Thinking { choice: 0, text } => self.words(out, What::Thinking, text),
            Event::Signature { choice: 0, signature } => self.signature(out, signature),
            Event::Redacted { choice: 0, data } => self.redacted(out, data),
            Event::Citation { choice: 0, citation: source } => self.cite(out, source),
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
            Event::Usage(usage) => self.usage = *usage,
            Event::Error(error) => {
                self.over = true;
                errors::write_in_stream(out, error);
            }
            Event::End => {
                self.end(out);
                self.over = true;
            }
            // An answer of this API is one, has no log probabilities, and its stream no signs of life.
            _ => {}
        }
    }
}

/// Begins an event, up to its payload.
fn open_event(out: &mut Vec<u8>, name: &'static str) -> usize {
    eventstream::begin(out, &[(":event-type", name), (":content-type", "application/json"), (":message-type", "event")])
}

/// Begins the delta of a block, up to its content; `}}` ends it.
fn delta(out: &mut Vec<u8>, index: u64, content: &[u8]) -> usize {
    let at = open_event(out, "contentBlockDelta");
    out.extend_from_slice(b"{\"contentBlockIndex\":");
    digits(out, index);
    out.extend_from_slice(b",\"delta\":{");
    out.extend_from_slice(content);
    at
}

fn block_stop(out: &mut Vec<u8>, index: u64) {
    let at = open_event(out, "contentBlockStop");
    out.extend_from_slice(b"{\"contentBlockIndex\":");
    digits(out, index);
    out.push(b'}');
    eventstream::end(out, at);
}

fn call_stop(out: &mut Vec<u8>, call: &Call) {
    if !call.any {
        // Clients parse what has come, and nothing is no JSON.
        let at = delta(out, call.index, b"\"toolUse\":{\"input\":\"{}\"}}}");
        eventstream::end(out, at);
    }
    block_stop(out, call.index);
}

impl Writer {
    fn start(&mut self, out: &mut Vec<u8>) {
        if self.started {
            return;
        }
        self.started = true;
        let at = open_event(out, "messageStart");
        out.extend_from_slice(b"{\"role\":\"assistant\"}");
        eventstream::end(out, at);
    }

    fn index(&mut self) -> u64 {
        let index = self.next;
        self.next = self.next.saturating_add(1);
        index
    }

    /// The index of the open block of that kind: the one there is, or a new one, which has no event to begin it.
    fn block(&mut self, out: &mut Vec<u8>, what: What) -> u64 {
        if let Some((_, index)) = self.open.filter(|(open, _)| *open == what) {
            return index;
        }
        self.start(out);
        self.close_ended(out);
        let index = self.index();
        self.open = Some((what, index));
        index
    }

    fn words(&mut self, out: &mut Vec<u8>, what: What, words: &str) {
        if words.is_empty() {
            return;
        }
        let index = self.block(out, what);
        let at = match what {
            What::Text => delta(out, index, b"\"text\":"),
            What::Thinking => delta(out, index, b"\"reasoningContent\":{\"text\":"),
        };
        quote(out, words);
        out.extend_from_slice(if what == What::Text { b"}}".as_slice() } else { b"}}}" });
        eventstream::end(out, at);
    }

    fn signature(&mut self, out: &mut Vec<u8>, signature: &str) {
        let index = self.block(out, What::Thinking);
        let at = delta(out, index, b"\"reasoningContent\":{\"signature\":");
        quote(out, signature);
        out.extend_from_slice(b"}}}");
        eventstream::end(out, at);
    }

    fn cite(&mut self, out: &mut Vec<u8>, source: &Citation) {
        let index = self.block(out, What::Text);
        let at = delta(out, index, b"\"citation\":");
        citation(out, source);
        out.extend_from_slice(b"}}");
        eventstream::end(out, at);
    }

    fn redacted(&mut self, out: &mut Vec<u8>, data: &str) {
        self.start(out);
        self.close_ended(out);
        let index = self.index();
        let at = delta(out, index, b"\"reasoningContent\":{\"redactedContent\":");
        quote(out, &sealed(data));
        out.extend_from_slice(b"}}}");
        eventstream::end(out, at);
        block_stop(out, index);
    }

    fn call(&mut self, out: &mut Vec<u8>, tool: u32, id: &str, name: &str) {
        self.start(out);
        self.close_ended(out);
        if self.calls.len() >= MAX_OPEN_CALLS {
            self.close_calls(out);
        }
        self.any_call = true;
        let index = self.index();
        let at = open_event(out, "contentBlockStart");
        out.extend_from_slice(b"{\"contentBlockIndex\":");
        digits(out, index);
        out.extend_from_slice(b",\"start\":{\"toolUse\":{");
        text(out, "toolUseId", &tool_id(id));
        text(out, "name", name);
        out.extend_from_slice(b"}}}");
        eventstream::end(out, at);
        self.calls.push(Call { tool, index, arguments: Nesting::default(), any: false });
    }

    fn arguments(&mut self, out: &mut Vec<u8>, tool: u32, json: &str) {
        let last = self.calls.last().map(|call| call.tool);
        let Some(call) = self.calls.iter_mut().find(|call| call.tool == tool) else { return };
        if json.is_empty() {
            return;
        }
        call.any = true;
        call.arguments.take(json);
        let at = delta(out, call.index, b"\"toolUse\":{\"input\":");
        quote(out, json);
        out.extend_from_slice(b"}}}");
        eventstream::end(out, at);
        // The last stays open: white space may follow what is whole.
        if call.arguments.whole() && last != Some(tool) {
            block_stop(out, call.index);
            self.calls.retain(|call| call.tool != tool);
        }
    }

    /// Closes what cannot go on once another block begins.
    fn close_ended(&mut self, out: &mut Vec<u8>) {
        if let Some((_, index)) = self.open.take() {
            block_stop(out, index);
        }
        self.calls.retain(|call| {
            let whole = call.arguments.whole();
            if whole {
                block_stop(out, call.index);
            }
            !whole
        });
    }

    /// The provider says that the block that began last is whole.
    fn close_last(&mut self, out: &mut Vec<u8>) {
        if let Some((_, index)) = self.open.take() {
            block_stop(out, index);
        } else if let Some(call) = self.calls.pop() {
            call_stop(out, &call);
        }
    }

    fn close_calls(&mut self, out: &mut Vec<u8>) {
        for call in self.calls.drain(..) {
            call_stop(out, &call);
        }
    }

    /// Writes why the answer ended, then all usage.
    fn end(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        if let Some((_, index)) = self.open.take() {
            block_stop(out, index);
        }
        self.close_calls(out);
        let (finish, stop_sequence) = self.finish.take().map_or((None, None), |(finish, stop)| (Some(finish), stop));
        let at = open_event(out, "messageStop");
        let mut body = vec![b'{'];
        text(&mut body, "stopReason", stop_reason(fitting(finish, self.any_call)));
        own_fields(&mut body, stop_sequence.as_deref());
        body.push(b'}');
        out.extend_from_slice(&body);
        eventstream::end(out, at);
        let at = open_event(out, "metadata");
        let mut body = vec![b'{'];
        field(&mut body, "usage");
        usage::write(&mut body, &self.usage);
        raw(&mut body, "metrics", METRICS);
        body.push(b'}');
        out.extend_from_slice(&body);
        eventstream::end(out, at);
    }
}
