//! An answer as Converse gives it.

use serde_json::{Value, json};

use super::signature;
use crate::answer::{Answer, Finish};
use crate::events::{Events, Framing};
use crate::eventstream;
use crate::vector::base64;

pub struct Writer {
    pub seed: u64,
    /// Input that is neither read from the cache nor written to it.
    pub fresh: u64,
    pub read: u64,
    pub written: u64,
    pub redacted: bool,
    pub refuses: bool,
}

impl Writer {
    pub fn usage(&self, answer: &Answer) -> Value {
        let output = u64::try_from(answer.tokens()).unwrap_or(u64::MAX);
        let counts = [self.fresh, self.read, self.written, output];
        json!({
            "inputTokens": self.fresh,
            "outputTokens": output,
            "totalTokens": counts.into_iter().fold(0_u64, u64::saturating_add),
            "cacheReadInputTokens": self.read,
            "cacheWriteInputTokens": self.written,
        })
    }

    fn id(&self, at: usize) -> String {
        format!("tooluse_standin{:012x}{at}", self.seed & 0xffff_ffff_ffff)
    }

    pub fn whole(&self, answer: &Answer) -> Value {
        let mut content = Vec::new();
        if !answer.thinking.is_empty() {
            let thought = answer.thinking.concat();
            let reasoning = match self.redacted {
                true => json!({"redactedContent": base64(signature(&thought).as_bytes())}),
                false => json!({"reasoningText": {"text": thought, "signature": signature(&thought)}}),
            };
            content.push(json!({"reasoningContent": reasoning}));
        }
        if !answer.text.is_empty() {
            content.push(json!({"text": answer.text.concat()}));
        }
        for (at, call) in answer.calls.iter().enumerate() {
            // Arguments that a limit cut are no JSON.
            let input: Value = serde_json::from_str(&call.arguments.concat()).unwrap_or_else(|_| json!({}));
            content.push(json!({"toolUse": {"toolUseId": self.id(at), "name": call.name, "input": input}}));
        }
        json!({
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": self.reason(&answer.finish),
            "usage": self.usage(answer),
            "metrics": {"latencyMs": 1},
        })
    }

    fn reason(&self, finish: &Finish) -> &'static str {
        match finish {
            Finish::Refusal if self.refuses => "guardrail_intervened",
            Finish::Stop | Finish::Refusal => "end_turn",
            Finish::Sequence(_) => "stop_sequence",
            Finish::Length => "max_tokens",
            Finish::Calls => "tool_use",
        }
    }

    pub fn stream(&self, answer: &Answer) -> Events {
        let mut blocks = Blocks { events: Events::new(Framing::Frames), index: 0 };
        blocks.event("messageStart", json!({"role": "assistant"}));
        if !answer.thinking.is_empty() {
            let sign = signature(&answer.thinking.concat());
            if self.redacted {
                blocks.delta(json!({"reasoningContent": {"redactedContent": base64(sign.as_bytes())}}));
            } else {
                answer.thinking.iter().for_each(|text| blocks.delta(json!({"reasoningContent": {"text": text}})));
                blocks.delta(json!({"reasoningContent": {"signature": sign}}));
            }
            blocks.stop();
        }
        // A text has no start.
        if !answer.text.is_empty() {
            answer.text.iter().for_each(|text| blocks.delta(json!({"text": text})));
            blocks.stop();
        }
        for (at, call) in answer.calls.iter().enumerate() {
            let start = json!({"toolUse": {"toolUseId": self.id(at), "name": call.name}});
            blocks.event("contentBlockStart", json!({"contentBlockIndex": blocks.index, "start": start}));
            call.arguments.iter().for_each(|piece| blocks.delta(json!({"toolUse": {"input": piece}})));
            blocks.stop();
        }
        blocks.event("messageStop", json!({"stopReason": self.reason(&answer.finish)}));
        blocks.event("metadata", json!({"usage": self.usage(answer), "metrics": {"latencyMs": 1}}));
        blocks.events
    }
}

struct Blocks {
    events: Events,
    index: usize,
}

impl Blocks {
    /// `p` pads an event, so that its length does not tell what is in it.
    fn event(&mut self, name: &str, mut payload: Value) {
        if let Some(payload) = payload.as_object_mut() {
            let padding = "abcdefghijklmnopqrstuvwxyz".get(..name.len()).unwrap_or_default();
            payload.insert("p".to_owned(), json!(padding));
        }
        self.events.raw(eventstream::event(name, &payload.to_string()));
    }

    fn delta(&mut self, delta: Value) {
        self.event("contentBlockDelta", json!({"contentBlockIndex": self.index, "delta": delta}));
    }

    fn stop(&mut self) {
        self.event("contentBlockStop", json!({"contentBlockIndex": self.index}));
        self.index = self.index.saturating_add(1);
    }
}
