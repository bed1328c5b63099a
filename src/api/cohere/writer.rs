//! A client's stream, written.

use super::reply::{call, finish_name, logprob, write_citation, write_usage};
use crate::api::{self, Asked};
use crate::chat::{Event, Finish, Usage};
use crate::error::Kind;
use crate::json::{Tree, write as put};

#[derive(Clone, Copy, PartialEq)]
enum Block {
    Text,
    Thinking,
    Call { tool: u32, arguments: bool },
}

pub(super) struct Writer {
    asked: Asked,
    started: bool,
    over: bool,
    open: Option<Block>,
    /// Blocks of content so far; the last one's number is one less.
    blocks: u64,
    called: bool,
    citations: u64,
    /// Characters of text so far, and those before the last block.
    chars: u64,
    before: u64,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl Writer {
    pub fn new(asked: Asked) -> Self {
        Self {
            asked,
            started: false,
            over: false,
            open: None,
            blocks: 0,
            called: false,
            citations: 0,
            chars: 0,
            before: 0,
            finish: None,
            usage: None,
        }
    }

    /// Begins an event's data: its members follow, and [`end`].
    fn event(&mut self, out: &mut Vec<u8>, kind: &'static str, index: Option<u64>) {
        if !self.started {
            self.start(out, "");
        }
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: {");
        put::text(out, "type", kind);
        if let Some(index) = index {
            put::number(out, "index", index);
        }
    }

    fn start(&mut self, out: &mut Vec<u8>, id: &str) {
        if self.started {
            return;
        }
        self.started = true;
        out.extend_from_slice(b"event: message-start\ndata: {");
        put::text(out, "id", if id.is_empty() { &self.asked.id } else { id });
        put::text(out, "type", "message-start");
        put::raw(
            out,
            "delta",
            r#"{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}"#,
        );
        end(out);
    }

    fn index(&self) -> u64 {
        self.blocks.saturating_sub(1)
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open.take() {
            None => {}
            Some(Block::Call { tool, arguments }) => {
                if !arguments {
                    self.arguments(out, tool, "{}");
                }
                self.event(out, "tool-call-end", Some(u64::from(tool)));
                end(out);
            }
            Some(_) => {
                self.event(out, "content-end", Some(self.index()));
                end(out);
            }
        }
    }

    fn open(&mut self, out: &mut Vec<u8>, block: Block) {
        if self.open == Some(block) {
            return;
        }
        self.close(out);
        self.open = Some(block);
        self.blocks = self.blocks.saturating_add(1);
        self.event(out, "content-start", Some(self.index()));
        put::raw(out, "delta", r#"{"message":{"content":"#);
        out.extend_from_slice(match block {
            Block::Thinking => br#"{"type":"thinking","thinking":""}}}"#.as_slice(),
            _ => br#"{"type":"text","text":""}}}"#,
        });
        end(out);
        if block == Block::Text {
            self.before = self.chars;
        }
    }

    fn content(&mut self, out: &mut Vec<u8>, name: &'static str, text: &str) {
        self.event(out, "content-delta", Some(self.index()));
        put::raw(out, "delta", r#"{"message":{"content":{"#);
        if !matches!(name, "text" | "thinking") {
            put::text(out, "thinking", "");
        }
        put::text(out, name, text);
        out.extend_from_slice(b"}}}");
        end(out);
    }

    fn text(&mut self, out: &mut Vec<u8>, text: &str) {
        self.open(out, Block::Text);
        self.content(out, "text", text);
        self.chars = self.chars.saturating_add(text.chars().count() as u64);
    }

    fn thinking(&mut self, out: &mut Vec<u8>, name: &'static str, text: &str) {
        self.open(out, Block::Thinking);
        self.content(out, name, text);
    }

    fn arguments(&mut self, out: &mut Vec<u8>, tool: u32, json: &str) {
        self.event(out, "tool-call-delta", Some(u64::from(tool)));
        put::raw(out, "delta", r#"{"message":{"tool_calls":{"function":{"#);
        put::text(out, "arguments", json);
        out.extend_from_slice(b"}}}}");
        end(out);
    }

    /// `failed`: the answer failed with these words, and this one for it.
    fn end(&mut self, out: &mut Vec<u8>, failed: Option<(&str, &str)>) {
        self.close(out);
        // An error may also come at the end of a stream that was passed on, which has its start.
        self.started |= failed.is_some();
        self.event(out, "message-end", None);
        put::raw(out, "delta", "{");
        if let Some((words, _)) = failed {
            put::text(out, "error", words);
        }
        let reason = failed.map_or_else(|| finish_name(self.finish, self.called), |(_, reason)| reason);
        put::text(out, "finish_reason", reason);
        if let Some(usage) = self.usage {
            write_usage(out, &usage);
        }
        out.push(b'}');
        end(out);
        self.over = true;
    }
}

fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"}\n\n");
}

impl api::Writer for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, usage, .. } => {
                self.start(out, id);
                self.usage = *usage;
            }
            // Beside the forced tool's arguments, which are the text.
            Event::Text { choice: 0, text } if !(self.asked.schema_tool && self.called) => self.text(out, text),
            Event::Refusal { choice: 0, text } => self.text(out, text),
            Event::Thinking { choice: 0, text } => self.thinking(out, "thinking", text),
            Event::Signature { choice: 0, signature } => self.thinking(out, "signature", signature),
            Event::Redacted { choice: 0, data } => self.thinking(out, "data", data),
            Event::Citation { choice: 0, citation } if self.blocks > 0 => {
                let number = self.citations;
                self.citations = number.saturating_add(1);
                self.event(out, "citation-start", Some(number));
                put::raw(out, "delta", r#"{"message":{"citations":"#);
                let chars = self.chars.saturating_sub(self.before);
                write_citation(out, citation, None, self.index(), self.before, chars);
                out.extend_from_slice(b"}}");
                end(out);
                self.event(out, "citation-end", Some(number));
                end(out);
            }
            Event::ToolStart { choice: 0, tool, id, name, signature } => {
                if !self.asked.schema_tool {
                    self.close(out);
                    self.open = Some(Block::Call { tool: *tool, arguments: false });
                    self.event(out, "tool-call-start", Some(u64::from(*tool)));
                    put::raw(out, "delta", r#"{"message":{"tool_calls":"#);
                    call(out, id, name, "", signature.as_deref());
                    out.extend_from_slice(b"}}");
                    end(out);
                }
                self.called = true;
            }
            Event::ToolArguments { choice: 0, json, .. } if self.asked.schema_tool => self.text(out, json),
            Event::ToolArguments { choice: 0, tool, json } => {
                self.arguments(out, *tool, json);
                if let Some(Block::Call { tool: open, arguments }) = &mut self.open {
                    *arguments |= open == tool;
                }
            }
            Event::Logprobs { choice: 0, raw } => {
                let mut tree = Tree::default();
                let Some(all) = tree.read(raw.get().as_bytes()).ok().and_then(|raw| raw.get("content")) else { return };
                for token in all.items() {
                    self.open(out, Block::Text);
                    self.event(out, "content-delta", Some(self.index()));
                    put::raw(out, "delta", r#"{"message":{"content":{"text":""}}}"#);
                    put::field(out, "logprobs");
                    logprob(out, &token);
                    end(out);
                }
            }
            Event::BlockEnd { choice: 0 } => self.close(out),
            Event::Finish { choice: 0, reason, .. } => self.finish = Some(*reason),
            Event::Usage(usage) => self.usage = Some(*usage),
            // A comment: clients skip it, and whatever is between sees that the stream lives.
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Error(error) => {
                let reason = if error.kind == Kind::Timeout { "TIMEOUT" } else { "ERROR" };
                self.end(out, Some((&error.text(), reason)));
            }
            Event::End => {
                self.called &= !self.asked.schema_tool;
                self.end(out, None);
            }
            // This API gives one answer.
            _ => {}
        }
    }
}
