//! A client's stream, written.

use super::error;
use super::wire::write_signature;
use super::write_answer::{annotation, finish_name, head, redacted, signed, tier_member, write_usage};
use crate::api::{self, Asked, Form};
use crate::chat::{Event, Finish, Usage};
use crate::json::{quote, write as put};

pub(super) struct Writer {
    asked: Asked,
    /// What every chunk begins with, `data: ` included.
    head: Vec<u8>,
    choices: Vec<Choice>,
    usage: Option<Usage>,
    over: bool,
}

#[derive(Default)]
struct Choice {
    index: u32,
    finished: bool,
    refused: bool,
    /// By call: whether arguments have come.
    calls: Vec<bool>,
    /// Characters of text so far, and where the current block of it begins.
    chars: usize,
    block: usize,
}

impl Writer {
    pub fn new(asked: Asked) -> Self {
        Self { asked, head: Vec::new(), choices: Vec::new(), usage: None, over: false }
    }

    /// A chunk for the choice with this delta; the choice's first has the role too.
    fn chunk(&mut self, out: &mut Vec<u8>, index: u32, finish: Option<&str>, delta: impl FnOnce(&mut Vec<u8>)) {
        self.open(out);
        out.extend_from_slice(br#","choices":[{"index":"#);
        put::digits(out, u64::from(index));
        out.extend_from_slice(br#","delta":{"#);
        if self.choice(index).is_none() {
            self.choices.push(Choice { index, ..Choice::default() });
            out.extend_from_slice(br#""role":"assistant""#);
        }
        delta(out);
        out.extend_from_slice(br#"},"logprobs":null,"finish_reason":"#);
        match finish {
            None => out.extend_from_slice(b"null"),
            Some(reason) => quote(out, reason),
        }
        out.extend_from_slice(b"}]");
        if let Some(usage) = self.usage.filter(|_| finish.is_some() && self.asked.form == Form::WholeCalls) {
            put::field(out, "usage");
            write_usage(out, &usage);
        }
        out.extend_from_slice(b"}\n\n");
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        if self.head.is_empty() {
            self.begin("", "", None);
        }
        out.extend_from_slice(&self.head);
    }

    fn begin(&mut self, id: &str, model: &str, created: Option<u64>) {
        self.head.extend_from_slice(b"data: {");
        head(&mut self.head, &self.asked, "chat.completion.chunk", id, model, created);
    }

    fn choice(&mut self, index: u32) -> Option<&mut Choice> {
        self.choices.iter_mut().find(|c| c.index == index)
    }

    fn text(&mut self, out: &mut Vec<u8>, choice: u32, text: &str) {
        self.chunk(out, choice, None, |out| put::text(out, "content", text));
        if let Some(choice) = self.choice(choice) {
            choice.chars = choice.chars.saturating_add(text.chars().count());
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>, index: u32, reason: Finish) {
        let schema_tool = self.asked.schema_tool;
        let choice = self.choice(index);
        if choice.as_ref().is_some_and(|c| c.finished) {
            return;
        }
        let refused = choice.as_ref().is_some_and(|c| c.refused);
        let calls = choice.map(|c| std::mem::take(&mut c.calls)).unwrap_or_default();
        let reason = match reason {
            Finish::ToolCalls if schema_tool && !calls.is_empty() => Finish::Stop,
            // Clients run the tools only for this reason, and not every provider gives it.
            Finish::Stop if !schema_tool && !calls.is_empty() => Finish::ToolCalls,
            reason => reason,
        };
        self.chunk(out, index, Some(finish_name(reason, refused)), |out| {
            // Clients parse the arguments, and no text at all is no JSON.
            let mut empty = (0_u64..).zip(&calls).filter(|(_, come)| !**come && !schema_tool).peekable();
            if empty.peek().is_none() {
                return;
            }
            put::field(out, "tool_calls");
            out.push(b'[');
            for (tool, _) in empty {
                put::comma(out);
                out.push(b'{');
                put::number(out, "index", tool);
                out.extend_from_slice(br#","function":{"arguments":"{}"}}"#);
            }
            out.push(b']');
        });
        if let Some(choice) = self.choice(index) {
            choice.finished = true;
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let open: Vec<u32> = self.choices.iter().filter(|c| !c.finished).map(|c| c.index).collect();
        for index in open {
            self.finish(out, index, Finish::Stop);
        }
        if let Some(usage) = self.usage.filter(|_| self.asked.stream_usage && self.asked.form == Form::Usual) {
            self.open(out);
            out.extend_from_slice(br#","choices":[],"usage":"#);
            write_usage(out, &usage);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        self.over = true;
    }

    /// `whole`: all of its arguments.
    pub fn tool_start(
        &mut self,
        out: &mut Vec<u8>,
        (index, tool): (u32, u32),
        (id, tool_name): (&str, &str),
        signature: Option<&str>,
        whole: Option<&str>,
    ) {
        if self.asked.schema_tool {
            if self.choice(index).is_none() {
                self.chunk(out, index, None, |out| put::text(out, "content", ""));
            }
        } else {
            self.chunk(out, index, None, |out| {
                put::field(out, "tool_calls");
                out.extend_from_slice(br#"[{"index":"#);
                put::digits(out, u64::from(tool));
                put::text(out, "id", id);
                out.extend_from_slice(br#","type":"function","function":{"name":"#);
                quote(out, tool_name);
                put::text(out, "arguments", whole.unwrap_or_default());
                out.push(b'}');
                if let Some(signature) = signature {
                    write_signature(out, signature);
                }
                out.extend_from_slice(b"}]");
            });
        }
        if let Some(choice) = self.choice(index) {
            choice.calls.push(whole.is_some());
        }
    }

    fn tool_arguments(&mut self, out: &mut Vec<u8>, index: u32, tool: u32, json: &str) {
        let at = usize::try_from(tool).unwrap_or(usize::MAX);
        if let Some(come) = self.choice(index).and_then(|c| c.calls.get_mut(at)) {
            *come = true;
        }
        if self.asked.schema_tool {
            return self.chunk(out, index, None, |out| put::text(out, "content", json));
        }
        self.chunk(out, index, None, |out| {
            put::field(out, "tool_calls");
            out.extend_from_slice(br#"[{"index":"#);
            put::digits(out, u64::from(tool));
            out.extend_from_slice(br#","function":{"arguments":"#);
            quote(out, json);
            out.extend_from_slice(b"}}]");
        });
    }
}

impl api::Writer for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model, created, service_tier, system_fingerprint, usage } => {
                if !self.head.is_empty() {
                    return;
                }
                self.begin(id, model, *created);
                if let Some(tier) = service_tier {
                    tier_member(&mut self.head, tier);
                }
                if let Some(fingerprint) = system_fingerprint {
                    put::text(&mut self.head, "system_fingerprint", fingerprint);
                }
                self.usage = *usage;
                self.chunk(out, 0, None, |out| out.extend_from_slice(br#","content":"","refusal":null"#));
            }
            Event::Text { choice, text } => {
                // Beside the forced tool's arguments, which are the text.
                let forced = self.asked.schema_tool && self.choice(*choice).is_some_and(|c| !c.calls.is_empty());
                if !forced {
                    self.text(out, *choice, text);
                }
            }
            Event::Refusal { choice, text } => {
                self.chunk(out, *choice, None, |out| put::text(out, "refusal", text));
                if let Some(choice) = self.choice(*choice) {
                    choice.refused = true;
                }
            }
            Event::Citation { choice, citation } => {
                if citation.url.is_none() {
                    return;
                }
                let whole = self.choice(*choice).map_or((0, 0), |c| (c.block, c.chars));
                self.chunk(out, *choice, None, |out| {
                    put::field(out, "annotations");
                    out.push(b'[');
                    annotation(out, citation, whole);
                    out.push(b']');
                });
            }
            Event::Thinking { choice, text } => {
                self.chunk(out, *choice, None, |out| put::text(out, "reasoning_content", text));
            }
            Event::Signature { choice, signature } => self.chunk(out, *choice, None, |out| {
                put::field(out, "thinking_blocks");
                out.push(b'[');
                signed(out, "", signature);
                out.push(b']');
            }),
            Event::Redacted { choice, data } => self.chunk(out, *choice, None, |out| {
                put::field(out, "thinking_blocks");
                out.push(b'[');
                redacted(out, data);
                out.push(b']');
            }),
            Event::ToolStart { choice, tool, id, name, signature } => {
                self.tool_start(out, (*choice, *tool), (id, name), signature.as_deref(), None);
            }
            Event::ToolArguments { choice, tool, json } => self.tool_arguments(out, *choice, *tool, json),
            Event::Logprobs { choice, raw } => {
                self.open(out);
                out.extend_from_slice(br#","choices":[{"index":"#);
                put::digits(out, u64::from(*choice));
                out.extend_from_slice(br#","delta":{},"logprobs":"#);
                out.extend_from_slice(raw.get().as_bytes());
                out.extend_from_slice(b",\"finish_reason\":null}]}\n\n");
            }
            Event::BlockEnd { choice } => {
                if let Some(choice) = self.choice(*choice) {
                    choice.block = choice.chars;
                }
            }
            Event::Finish { choice, reason, .. } => self.finish(out, *choice, *reason),
            Event::Usage(usage) => self.usage = Some(*usage),
            // A comment: clients skip it, and whatever is between sees that the stream lives.
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Error(error) => {
                out.extend_from_slice(b"data: {");
                error::object(out, error);
                // Clients raise at the error. `[DONE]` would tell others that the answer is whole.
                out.extend_from_slice(b"}\n\n");
                self.over = true;
            }
            Event::End => self.end(out),
        }
    }
}
