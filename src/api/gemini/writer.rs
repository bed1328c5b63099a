//! A client's stream, written: server-sent events, or the elements of one JSON array.

use super::reply::{call, close, logprobs, open, tail, words};
use super::wire::{Sealed, seal};
use super::{errors, grounding, usage};
use crate::api::{self, Asked, Form};
use crate::chat::{Citation, Event, Finish, Usage};
use crate::error::{Error, Kind};
use crate::json::Tree;

/// Bytes of calls that wait for their end: this API gives them whole.
const MAX_HELD: usize = 4 << 20;

/// Sources that wait for the end.
const MAX_CITATIONS: usize = 256;

pub(super) struct Writer {
    asked: Asked,
    id: String,
    model: String,
    /// Something was written: the array is open.
    begun: bool,
    over: bool,
    choices: Vec<Choice>,
    held: usize,
    usage: Option<Usage>,
    tree: Tree,
}

#[derive(Default)]
struct Choice {
    index: u32,
    calls: Vec<Call>,
    citations: Vec<Citation>,
    finish: Option<Finish>,
}

struct Call {
    tool: u32,
    id: String,
    name: String,
    arguments: String,
    signature: Option<String>,
}

impl Writer {
    pub(super) fn new(asked: Asked) -> Self {
        Self {
            asked,
            id: String::new(),
            model: String::new(),
            begun: false,
            over: false,
            choices: Vec::new(),
            held: 0,
            usage: None,
            tree: Tree::default(),
        }
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let at = self.choices.iter().position(|choice| choice.index == index);
        let at = at.unwrap_or_else(|| {
            self.choices.push(Choice { index, ..Choice::default() });
            self.choices.len().saturating_sub(1)
        });
        #[expect(clippy::indexing_slicing, reason = "found, or pushed just now")]
        &mut self.choices[at]
    }

    /// What goes before an event.
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(match (self.asked.form, self.begun) {
            (Form::Array, false) => b"[".as_slice(),
            (Form::Array, true) => b",\r\n",
            _ => b"data: ",
        });
        self.begun = true;
    }

    fn end(&self, out: &mut Vec<u8>) {
        if self.asked.form != Form::Array {
            out.extend_from_slice(b"\r\n\r\n");
        }
    }

    /// An event with one candidate.
    fn event(
        &mut self,
        out: &mut Vec<u8>,
        index: u32,
        parts: impl FnOnce(&mut Vec<u8>),
        rest: impl FnOnce(&mut Vec<u8>),
    ) {
        self.begin(out);
        out.extend_from_slice(b"{\"candidates\":[");
        open(out);
        parts(out);
        close(out, index, None);
        rest(out);
        out.extend_from_slice(b"}]");
        tail(out, &self.id, &self.model, &self.asked);
        out.push(b'}');
        self.end(out);
    }

    fn words(&mut self, out: &mut Vec<u8>, index: u32, text: &str, thought: bool, signature: Option<&str>) {
        if text.is_empty() && signature.is_none() {
            return;
        }
        self.flush(out, index);
        self.event(out, index, |out| words(out, text, thought, signature), |_| {});
    }

    /// Writes the calls that were held: what follows them shows that they are whole.
    fn flush(&mut self, out: &mut Vec<u8>, index: u32) {
        let calls = std::mem::take(&mut self.choice(index).calls);
        if calls.is_empty() {
            return;
        }
        let mut tree = std::mem::take(&mut self.tree);
        for one in &calls {
            self.held = self.held.saturating_sub(one.arguments.len());
        }
        self.event(
            out,
            index,
            |out| {
                for one in &calls {
                    call(out, &one.id, &one.name, &one.arguments, one.signature.as_deref(), &mut tree);
                }
            },
            |_| {},
        );
        self.tree = tree;
    }

    fn start_call(&mut self, index: u32, tool: u32, id: &str, name: &str, signature: Option<&str>) {
        self.choice(index).calls.push(Call {
            tool,
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: String::new(),
            signature: signature.map(str::to_owned),
        });
    }

    fn arguments(&mut self, out: &mut Vec<u8>, index: u32, tool: u32, json: &str) {
        self.held = self.held.saturating_add(json.len());
        if self.held > MAX_HELD {
            let error = Error::provider(Kind::BadAnswer, "the provider's tool calls are too large");
            return self.fail(out, &error);
        }
        if let Some(call) = self.choice(index).calls.iter_mut().find(|call| call.tool == tool) {
            call.arguments.push_str(json);
        }
    }

    fn fail(&mut self, out: &mut Vec<u8>, error: &Error) {
        self.over = true;
        self.begin(out);
        out.extend_from_slice(&errors::write(error).1);
        self.end(out);
        if self.asked.form == Form::Array {
            out.push(b']');
        }
    }

    /// The last event: why each candidate ended, and all usage.
    fn finish(&mut self, out: &mut Vec<u8>) {
        let indices: Vec<u32> = self.choices.iter().map(|choice| choice.index).collect();
        for index in indices {
            self.flush(out, index);
        }
        self.begin(out);
        out.extend_from_slice(b"{\"candidates\":[");
        if self.choices.is_empty() {
            self.choices.push(Choice::default());
        }
        for choice in &self.choices {
            open(out);
            words(out, "", false, None);
            close(out, choice.index, Some(choice.finish.unwrap_or(Finish::Stop)));
            grounding::write(out, &choice.citations, "");
            out.push(b'}');
        }
        out.push(b']');
        if let Some(counted) = &self.usage {
            usage::write(out, counted);
        }
        tail(out, &self.id, &self.model, &self.asked);
        out.push(b'}');
        self.end(out);
        if self.asked.form == Form::Array {
            out.push(b']');
        }
        self.over = true;
    }
}

impl api::Writer for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model, usage, .. } => {
                if self.id.is_empty() && self.model.is_empty() {
                    (self.id, self.model) = (id.clone().into_owned(), model.clone().into_owned());
                    self.usage = *usage;
                }
            }
            Event::Text { choice, text } => {
                if !self.asked.schema_tool {
                    self.words(out, *choice, text, false, None);
                }
            }
            Event::Refusal { choice, text } => self.words(out, *choice, text, false, None),
            Event::Thinking { choice, text } => self.words(out, *choice, text, true, None),
            Event::Signature { choice, signature } => {
                self.words(out, *choice, "", true, Some(&seal(Sealed::Signature, signature)));
            }
            Event::Redacted { choice, data } => {
                self.words(out, *choice, "", true, Some(&seal(Sealed::Thinking, data)));
            }
            Event::Citation { choice, citation } => {
                let choice = self.choice(*choice);
                if choice.citations.len() < MAX_CITATIONS {
                    choice.citations.push(citation.clone());
                }
            }
            Event::ToolStart { choice, tool, id, name, signature } => {
                if !self.asked.schema_tool {
                    self.start_call(*choice, *tool, id, name, signature.as_deref());
                }
            }
            Event::ToolArguments { choice, tool, json } => {
                if self.asked.schema_tool {
                    self.words(out, *choice, json, false, None);
                } else {
                    self.arguments(out, *choice, *tool, json);
                }
            }
            Event::Logprobs { choice, raw } => {
                self.event(out, *choice, |_| {}, |out| logprobs(out, raw.get()));
            }
            Event::Finish { choice, reason, .. } => {
                let index = *choice;
                self.flush(out, index);
                self.choice(index).finish = Some(*reason);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            // Calls may go on side by side: only what follows them closes them.
            Event::BlockEnd { .. } => {}
            // The SDKs know no comments.
            Event::Ping => {}
            Event::Error(error) => self.fail(out, error),
            Event::End => self.finish(out),
        }
    }
}
