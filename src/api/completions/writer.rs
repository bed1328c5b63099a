//! A client's stream, written.

use super::answer::{finish_name, head, write_usage};
use super::error;
use super::logprobs;
use crate::api::{self, Asked};
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

struct Choice {
    index: u32,
    finished: bool,
    /// Characters whose probabilities were told.
    told: usize,
}

impl Writer {
    pub fn new(asked: Asked) -> Self {
        Self { asked, head: Vec::new(), choices: Vec::new(), usage: None, over: false }
    }

    fn begin(&mut self, id: &str, model: &str, created: Option<u64>) {
        self.head.extend_from_slice(b"data: {");
        head(&mut self.head, &self.asked, id, model, created);
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        if self.head.is_empty() {
            self.begin("", "", None);
        }
        out.extend_from_slice(&self.head);
    }

    fn chunk(&mut self, out: &mut Vec<u8>, index: u32, text: &str, likely: Option<&str>, finish: Option<Finish>) {
        self.open(out);
        let at = self.choices.iter().position(|choice| choice.index == index).unwrap_or_else(|| {
            self.choices.push(Choice { index, finished: false, told: 0 });
            self.choices.len().saturating_sub(1)
        });
        let Some(choice) = self.choices.get_mut(at) else { return };
        out.extend_from_slice(br#","choices":[{"text":"#);
        quote(out, text);
        put::number(out, "index", u64::from(index));
        put::field(out, "logprobs");
        choice.told = logprobs::write(out, likely.unwrap_or("null"), choice.told);
        choice.finished |= finish.is_some();
        put::text_or_null(out, "finish_reason", finish.map(finish_name));
        out.extend_from_slice(b"}]}\n\n");
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let open: Vec<u32> = self.choices.iter().filter(|choice| !choice.finished).map(|choice| choice.index).collect();
        for index in open {
            self.chunk(out, index, "", None, Some(Finish::Stop));
        }
        if let Some(usage) = self.usage.filter(|_| self.asked.stream_usage) {
            self.open(out);
            out.extend_from_slice(br#","choices":[],"usage":"#);
            write_usage(out, &usage);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        self.over = true;
    }
}

impl api::Writer for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { id, model, created, system_fingerprint, usage, .. } => {
                if !self.head.is_empty() {
                    return;
                }
                self.begin(id, model, *created);
                if let Some(fingerprint) = system_fingerprint {
                    put::text(&mut self.head, "system_fingerprint", fingerprint);
                }
                self.usage = *usage;
                // Whoever waits for a first byte has it.
                self.chunk(out, 0, "", None, None);
            }
            Event::Text { choice, text } | Event::Refusal { choice, text } => {
                self.chunk(out, *choice, text, None, None);
            }
            Event::Logprobs { choice, raw } => self.chunk(out, *choice, "", Some(raw.get()), None),
            Event::Finish { choice, reason, .. } => {
                if !self.choices.iter().any(|known| known.index == *choice && known.finished) {
                    self.chunk(out, *choice, "", None, Some(*reason));
                }
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Error(error) => {
                out.extend_from_slice(b"data: {");
                error::object(out, error);
                out.extend_from_slice(b"}\n\n");
                self.over = true;
            }
            Event::End => self.end(out),
            // Thinking, tools and citations have no place in a text.
            Event::Citation { .. }
            | Event::Thinking { .. }
            | Event::Signature { .. }
            | Event::Redacted { .. }
            | Event::ToolStart { .. }
            | Event::ToolArguments { .. }
            | Event::BlockEnd { .. } => {}
        }
    }
}
