//! An answer as Gemini gives it.

use serde_json::{Value, json};

use super::signature;
use crate::answer::{Answer, Call, Finish};
use crate::events::{Events, Framing};

pub struct Writer<'a> {
    pub seed: u64,
    pub model: &'a str,
    /// Thoughts are in the answer.
    pub shown: bool,
    pub input: u64,
    pub cached: u64,
}

impl Writer<'_> {
    pub fn usage(&self, answer: &Answer) -> Value {
        let count = |tokens: usize| u64::try_from(tokens).unwrap_or(u64::MAX);
        let thoughts = count(answer.thinking.len());
        let output = count(answer.tokens()).saturating_sub(thoughts);
        let mut usage = json!({
            "promptTokenCount": self.input,
            "totalTokenCount": self.input.saturating_add(output).saturating_add(thoughts),
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": self.input}],
        });
        let counts = [
            ("candidatesTokenCount", output),
            ("thoughtsTokenCount", thoughts),
            ("cachedContentTokenCount", self.cached),
        ];
        if let Some(usage) = usage.as_object_mut() {
            usage.extend(
                counts.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), json!(count))),
            );
        }
        usage
    }

    fn response(&self, parts: Vec<Value>, reason: Option<&str>, usage: Value) -> Value {
        let mut candidate = json!({"index": 0});
        if let Some(candidate) = candidate.as_object_mut() {
            if !parts.is_empty() {
                candidate.insert("content".to_owned(), json!({"role": "model", "parts": parts}));
            }
            candidate.extend(reason.map(|reason| ("finishReason".to_owned(), json!(reason))));
        }
        json!({
            "candidates": [candidate],
            "usageMetadata": usage,
            "modelVersion": self.model,
            "responseId": format!("standin{:016x}", self.seed),
        })
    }

    fn thought(&self, text: &str) -> Vec<Value> {
        if self.shown { vec![json!({"text": text, "thought": true})] } else { Vec::new() }
    }

    /// The first call carries the sign of the thought before it.
    fn calls(&self, answer: &Answer) -> Vec<Value> {
        let call = |(at, call): (usize, &Call)| {
            // Arguments that a limit cut are no JSON.
            let args: Value = serde_json::from_str(&call.arguments.concat()).unwrap_or_else(|_| json!({}));
            let mut part = json!({"functionCall": {"name": call.name, "args": args}});
            if let (0, false, Some(part)) = (at, answer.thinking.is_empty(), part.as_object_mut()) {
                part.insert("thoughtSignature".to_owned(), json!(signature(&answer.thinking.concat())));
            }
            part
        };
        answer.calls.iter().enumerate().map(call).collect()
    }

    pub fn whole(&self, answer: &Answer) -> Value {
        let mut parts = Vec::new();
        if !answer.thinking.is_empty() {
            parts.extend(self.thought(&answer.thinking.concat()));
        }
        let declined = answer.finish == Finish::Refusal;
        if !answer.text.is_empty() && !declined {
            parts.push(json!({"text": answer.text.concat()}));
        }
        parts.extend(self.calls(answer));
        self.response(parts, Some(reason(&answer.finish)), self.usage(answer))
    }

    pub fn stream(&self, answer: &Answer, framing: Framing) -> Events {
        let mut events = Events::new(framing);
        let early = json!({"promptTokenCount": self.input, "totalTokenCount": self.input});
        let mut send = |parts: Vec<Value>, reason: Option<&str>, usage: Value| {
            events.value(&self.response(parts, reason, usage));
        };
        for piece in answer.thinking.iter().filter(|_| self.shown) {
            send(self.thought(piece), None, early.clone());
        }
        let declined = answer.finish == Finish::Refusal;
        for piece in answer.text.iter().filter(|_| !declined) {
            send(vec![json!({"text": piece})], None, early.clone());
        }
        send(self.calls(answer), Some(reason(&answer.finish)), self.usage(answer));
        events.close();
        events
    }
}

/// A call ends an answer as any other end does.
fn reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Sequence(_) | Finish::Calls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Refusal => "SAFETY",
    }
}
