//! A client's stream, written.

use super::reply::{block, call, end, error, head, logprobs};
use crate::api::{self, Asked};
use crate::chat::{Event, Finish, Usage};
use crate::error::{Error, Kind};
use crate::framing::lines::MAX_LINE_BYTES;
use crate::json::write as put;

pub(super) struct Writer {
    asked: Asked,
    /// What every line begins with.
    head: Vec<u8>,
    /// A call is written whole: these wait for the rest of their arguments.
    calls: Vec<Call>,
    /// Bytes of arguments that wait.
    held: usize,
    /// Calls so far.
    called: u64,
    finish: Option<Finish>,
    usage: Option<Usage>,
    over: bool,
}

struct Call {
    tool: u32,
    id: String,
    name: String,
    signature: Option<String>,
    arguments: String,
}

impl Writer {
    pub fn new(asked: Asked) -> Self {
        Self { asked, head: Vec::new(), calls: Vec::new(), held: 0, called: 0, finish: None, usage: None, over: false }
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        if self.head.is_empty() {
            head(&mut self.head, &self.asked, "", None);
        }
        out.extend_from_slice(&self.head);
        out.extend_from_slice(br#","message":{"role":"assistant""#);
    }

    /// A line whose message has this member.
    fn line(&mut self, out: &mut Vec<u8>, name: &'static str, text: &str) {
        self.open(out);
        if name != "content" {
            put::text(out, "content", "");
        }
        put::text(out, name, text);
        out.extend_from_slice(b"},\"done\":false}\n");
    }

    fn thinking(&mut self, out: &mut Vec<u8>, name: &'static str, value: &str) {
        self.open(out);
        out.extend_from_slice(br#","content":"","thinking_blocks":["#);
        block(out, "", name, value);
        out.extend_from_slice(b"]},\"done\":false}\n");
    }

    /// Writes the calls, which are whole.
    fn flush(&mut self, out: &mut Vec<u8>) {
        self.held = 0;
        for one in std::mem::take(&mut self.calls) {
            self.open(out);
            out.extend_from_slice(br#","content":"","tool_calls":["#);
            call(out, self.called, &one.id, &one.name, &one.arguments, one.signature.as_deref());
            out.extend_from_slice(b"]},\"done\":false}\n");
            self.called = self.called.saturating_add(1);
        }
    }

    fn arguments(&mut self, out: &mut Vec<u8>, tool: u32, json: &str) {
        if self.asked.schema_tool {
            return self.line(out, "content", json);
        }
        self.held = self.held.saturating_add(json.len());
        if self.held > MAX_LINE_BYTES {
            return self.fail(out, &Error::provider(Kind::BadAnswer, "the arguments of the calls are too long"));
        }
        if let Some(one) = self.calls.iter_mut().find(|call| call.tool == tool) {
            one.arguments.push_str(json);
        }
    }

    fn fail(&mut self, out: &mut Vec<u8>, what: &Error) {
        error(out, what);
        out.push(b'\n');
        self.over = true;
    }
}

impl api::Writer for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { model, created, usage, .. } => {
                if self.head.is_empty() {
                    head(&mut self.head, &self.asked, model, *created);
                }
                self.usage = *usage;
            }
            // Beside the forced tool's arguments, which are the text.
            Event::Text { choice: 0, text } if !(self.asked.schema_tool && self.called > 0) => {
                self.line(out, "content", text);
            }
            Event::Refusal { choice: 0, text } => self.line(out, "content", text),
            Event::Thinking { choice: 0, text } => self.line(out, "thinking", text),
            Event::Signature { choice: 0, signature } => self.thinking(out, "signature", signature),
            Event::Redacted { choice: 0, data } => self.thinking(out, "data", data),
            Event::ToolStart { .. } if self.asked.schema_tool => self.called = 1,
            Event::ToolStart { choice: 0, tool, id, name, signature } => self.calls.push(Call {
                tool: *tool,
                id: id.clone().into_owned(),
                name: name.clone().into_owned(),
                signature: signature.clone().map(|text| text.into_owned()),
                arguments: String::new(),
            }),
            Event::ToolArguments { choice: 0, tool, json } => self.arguments(out, *tool, json),
            Event::Logprobs { choice: 0, raw } => {
                self.open(out);
                out.extend_from_slice(br#","content":""}"#);
                logprobs(out, raw.get());
                out.extend_from_slice(b",\"done\":false}\n");
            }
            Event::Finish { choice: 0, reason, .. } => {
                self.flush(out);
                self.finish = Some(*reason);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            // A line that adds nothing: there is no comment that clients skip.
            Event::Ping if !self.head.is_empty() => self.line(out, "content", ""),
            Event::Error(error) => self.fail(out, error),
            Event::End => {
                self.flush(out);
                self.open(out);
                out.extend_from_slice(br#","content":""}"#);
                end(out, self.finish, self.usage.as_ref());
                out.push(b'\n');
                self.over = true;
            }
            // This API gives one answer, without citations.
            _ => {}
        }
    }
}
