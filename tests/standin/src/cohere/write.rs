//! An answer as Cohere gives it.

use serde_json::{Value, json};

use crate::answer::{Answer, Finish};
use crate::events::Events;

/// Said before tools are called.
const PLAN: &str = "I will use a tool.";

pub struct Writer {
    pub seed: u64,
    pub input: u64,
}

impl Writer {
    pub fn usage(&self, answer: &Answer) -> Value {
        let counts = json!({"input_tokens": self.input, "output_tokens": answer.tokens()});
        json!({"billed_units": counts, "tokens": counts, "cached_tokens": 0})
    }

    fn id(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.seed & 0xffff_ffff_ffff)
    }

    fn call(&self, at: usize, name: &str, arguments: &str) -> Value {
        let id = format!("{name}_standin{:08x}{at}", self.seed & 0xffff_ffff);
        json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
    }

    pub fn whole(&self, answer: &Answer) -> Value {
        let mut content = Vec::new();
        if !answer.thinking.is_empty() {
            content.push(json!({"type": "thinking", "thinking": answer.thinking.concat()}));
        }
        if !answer.text.is_empty() {
            content.push(json!({"type": "text", "text": answer.text.concat()}));
        }
        let calls = answer.calls.iter().enumerate();
        let calls: Vec<Value> = calls.map(|(at, call)| self.call(at, &call.name, &call.arguments.concat())).collect();
        let mut message = json!({"role": "assistant"});
        if let Some(message) = message.as_object_mut() {
            if !content.is_empty() {
                message.insert("content".to_owned(), json!(content));
            }
            if !calls.is_empty() {
                message.insert("tool_plan".to_owned(), json!(PLAN));
                message.insert("tool_calls".to_owned(), json!(calls));
            }
        }
        json!({"id": self.id(), "message": message, "finish_reason": reason(&answer.finish), "usage": self.usage(answer)})
    }

    pub fn stream(&self, answer: &Answer) -> Events {
        let mut events = Events::default();
        let mut event = |kind: &str, index: Option<usize>, delta: Value| {
            let mut event = json!({"type": kind});
            if let Some(event) = event.as_object_mut() {
                event.extend(index.map(|index| ("index".to_owned(), json!(index))));
                if !delta.is_null() {
                    event.insert("delta".to_owned(), delta);
                }
                if kind == "message-start" {
                    event.insert("id".to_owned(), json!(self.id()));
                }
            }
            events.named(kind, &[&event.to_string()]);
        };
        let of = |member: &str, value: Value| json!({"message": {member: value}});
        let empty = json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
        event("message-start", None, json!({"message": empty}));
        let texts = [("thinking", &answer.thinking), ("text", &answer.text)];
        for (index, (kind, pieces)) in texts.into_iter().filter(|(_, pieces)| !pieces.is_empty()).enumerate() {
            event("content-start", Some(index), of("content", json!({"type": kind, kind: ""})));
            for piece in pieces {
                event("content-delta", Some(index), of("content", json!({kind: piece})));
            }
            event("content-end", Some(index), Value::Null);
        }
        if !answer.calls.is_empty() {
            PLAN.split_inclusive(' ').for_each(|word| event("tool-plan-delta", None, of("tool_plan", json!(word))));
        }
        for (at, call) in answer.calls.iter().enumerate() {
            event("tool-call-start", Some(at), of("tool_calls", self.call(at, &call.name, "")));
            for piece in &call.arguments {
                event("tool-call-delta", Some(at), of("tool_calls", json!({"function": {"arguments": piece}})));
            }
            event("tool-call-end", Some(at), Value::Null);
        }
        let end = json!({"finish_reason": reason(&answer.finish), "usage": self.usage(answer)});
        event("message-end", None, end);
        events
    }
}

fn reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Refusal => "COMPLETE",
        Finish::Sequence(_) => "STOP_SEQUENCE",
        Finish::Length => "MAX_TOKENS",
        Finish::Calls => "TOOL_CALL",
    }
}
