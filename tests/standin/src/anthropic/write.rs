//! An answer as a message or as its events.

use std::fmt::Display;

use serde_json::{Value, json};

use super::{Input, sealed, signature};
use crate::answer::{Answer, Finish};
use crate::events::{Events, list, object, quoted};

const NULL: Value = Value::Null;

pub struct Writer<'a> {
    pub seed: u64,
    pub model: &'a str,
    /// Absent: no thinking block.
    pub thinking: Option<Vec<String>>,
    pub redacted: bool,
    pub input: Input,
    pub output: usize,
}

impl Writer<'_> {
    pub fn usage(&self) -> Value {
        serde_json::from_str(&self.usage_text(self.output)).unwrap_or_default()
    }

    fn usage_text(&self, output: usize) -> String {
        let Input { fresh, read, written } = self.input;
        let creation = object(&[("ephemeral_5m_input_tokens", &written), ("ephemeral_1h_input_tokens", &0)]);
        object(&[
            ("input_tokens", &fresh),
            ("cache_creation_input_tokens", &written),
            ("cache_read_input_tokens", &read),
            ("cache_creation", &creation),
            ("output_tokens", &output),
            ("service_tier", &quoted("standard")),
        ])
    }

    fn message(&self, content: &str, output: usize, (reason, sequence): (Value, Value)) -> String {
        object(&[
            ("model", &quoted(self.model)),
            ("id", &quoted(&format!("msg_standin{:016x}", self.seed))),
            ("type", &quoted("message")),
            ("role", &quoted("assistant")),
            ("content", &content),
            ("stop_reason", &reason),
            ("stop_sequence", &sequence),
            ("usage", &self.usage_text(output)),
        ])
    }

    fn opaque(&self, thinking: &[String]) -> String {
        block("redacted_thinking", &[("data", &quoted(&sealed(&thinking.concat())))])
    }

    fn call(&self, at: usize, name: &str, input: &Value) -> String {
        let id = format!("toolu_standin{:015x}{at}", self.seed & 0xfff_ffff_ffff_ffff);
        block("tool_use", &[("id", &quoted(&id)), ("name", &quoted(name)), ("input", input)])
    }

    pub fn whole(&self, answer: &Answer) -> String {
        let mut content = Vec::new();
        if let Some(thinking) = &self.thinking {
            let text = thinking.concat();
            content.push(match self.redacted {
                true => self.opaque(thinking),
                false => block("thinking", &[("thinking", &quoted(&text)), ("signature", &quoted(&signature(&text)))]),
            });
        }
        if !answer.text.is_empty() {
            content.push(block("text", &[("text", &quoted(&answer.text.concat()))]));
        }
        for (at, call) in answer.calls.iter().enumerate() {
            // Arguments that `max_tokens` cut are no JSON.
            let input = serde_json::from_str(&call.arguments.concat()).unwrap_or_else(|_| json!({}));
            content.push(self.call(at, &call.name, &input));
        }
        self.message(&list(&content), self.output, ending(&answer.finish))
    }

    pub fn stream(&self, answer: &Answer) -> Events {
        let mut blocks = Blocks { events: Events::default(), index: 0 };
        blocks.event("message_start", &[("message", &self.message("[]", 1, (NULL, NULL)))]);
        match &self.thinking {
            Some(thinking) if self.redacted => {
                blocks.start(&self.opaque(thinking));
                blocks.stop();
            }
            Some(thinking) => {
                blocks.start(&block("thinking", &[("thinking", &quoted("")), ("signature", &quoted(""))]));
                thinking.iter().for_each(|piece| blocks.delta("thinking_delta", "thinking", piece));
                blocks.delta("signature_delta", "signature", &signature(&thinking.concat()));
                blocks.stop();
            }
            None => {}
        }
        if !answer.text.is_empty() {
            blocks.start(&block("text", &[("text", &quoted(""))]));
            answer.text.iter().for_each(|piece| blocks.delta("text_delta", "text", piece));
            blocks.stop();
        }
        for (at, call) in answer.calls.iter().enumerate() {
            blocks.start(&self.call(at, &call.name, &json!({})));
            blocks.delta("input_json_delta", "partial_json", "");
            call.arguments.iter().for_each(|piece| blocks.delta("input_json_delta", "partial_json", piece));
            blocks.stop();
        }
        let (reason, sequence) = ending(&answer.finish);
        let delta = object(&[("stop_reason", &reason), ("stop_sequence", &sequence)]);
        let Input { fresh, read, written } = self.input;
        let usage = object(&[
            ("input_tokens", &fresh),
            ("cache_creation_input_tokens", &written),
            ("cache_read_input_tokens", &read),
            ("output_tokens", &self.output),
        ]);
        blocks.event("message_delta", &[("delta", &delta), ("usage", &usage)]);
        blocks.event("message_stop", &[]);
        blocks.events
    }
}

/// Why the answer ended, and at which sequence.
fn ending(finish: &Finish) -> (Value, Value) {
    let reason = match finish {
        Finish::Stop => "end_turn",
        Finish::Sequence(sequence) => return (json!("stop_sequence"), json!(sequence)),
        Finish::Length => "max_tokens",
        Finish::Calls => "tool_use",
        Finish::Refusal => "refusal",
    };
    (json!(reason), NULL)
}

/// An object that begins with its type.
fn block(kind: &str, members: &[(&str, &dyn Display)]) -> String {
    let kind = quoted(kind);
    let mut all: Vec<(&str, &dyn Display)> = vec![("type", &kind)];
    all.extend(members);
    object(&all)
}

struct Blocks {
    events: Events,
    index: usize,
}

impl Blocks {
    fn event(&mut self, kind: &str, members: &[(&str, &dyn Display)]) {
        self.events.named(kind, &[&block(kind, members)]);
    }

    fn start(&mut self, block: &str) {
        self.event("content_block_start", &[("index", &self.index.clone()), ("content_block", &block)]);
        if self.index == 0 {
            self.event("ping", &[]);
        }
    }

    fn delta(&mut self, kind: &str, field: &str, piece: &str) {
        let index = self.index.to_string();
        let head = [
            r#"{"type":"content_block_delta","index":"#,
            &index,
            r#","delta":{"type":""#,
            kind,
            r#"",""#,
            field,
            r#"":"#,
        ];
        self.events.named("content_block_delta", &[&head.concat(), &quoted(piece), "}}"]);
    }

    fn stop(&mut self) {
        self.event("content_block_stop", &[("index", &self.index.clone())]);
        self.index = self.index.saturating_add(1);
    }
}
