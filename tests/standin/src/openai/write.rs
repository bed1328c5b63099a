//! An answer as a completion or as its chunks.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::answer::{Answer, Call, Finish};
use crate::api::CREATED;
use crate::events::{Events, list, object, quoted};

pub struct Writer<'a> {
    pub id: String,
    pub seed: u64,
    pub model: &'a str,
    pub logprobs: bool,
    /// Thinking is shown.
    pub reasoning: bool,
    /// `tool_choice` names a function.
    pub named: bool,
}

impl Writer<'_> {
    pub fn whole(&self, answers: &[Answer], usage: &str) -> String {
        let choices: Vec<String> =
            answers.iter().enumerate().map(|(index, answer)| self.choice(index, answer)).collect();
        object(&[
            ("id", &quoted(&self.id)),
            ("object", &quoted("chat.completion")),
            ("created", &CREATED),
            ("model", &quoted(self.model)),
            ("choices", &list(&choices)),
            ("usage", &usage),
            ("service_tier", &quoted("default")),
            ("system_fingerprint", &quoted("fp_standin")),
        ])
    }

    fn choice(&self, index: usize, answer: &Answer) -> String {
        let null = Value::Null.to_string();
        let said = quoted(&answer.text.concat());
        let (content, refusal) = match &answer.finish {
            Finish::Refusal => (&null, &said),
            _ if answer.calls.is_empty() => (&said, &null),
            _ => (&null, &null),
        };
        let (role, thinking) = (quoted("assistant"), quoted(&answer.thinking.concat()));
        let calls: Vec<String> =
            answer.calls.iter().enumerate().map(|(at, call)| self.called(index, at, call)).collect();
        let calls = list(&calls);
        let mut message: Vec<(&str, &dyn Display)> = vec![("role", &role), ("content", content)];
        if self.reasoning && !answer.thinking.is_empty() {
            message.push(("reasoning_content", &thinking));
        }
        if !answer.calls.is_empty() {
            message.push(("tool_calls", &calls));
        }
        message.extend::<[(&str, &dyn Display); 2]>([("refusal", refusal), ("annotations", &"[]")]);
        let logprobs = match self.logprobs {
            true => {
                json!({"content": answer.text.iter().map(|token| logprob(token)).collect::<Vec<_>>(), "refusal": null})
            }
            false => Value::Null,
        };
        object(&[
            ("index", &index),
            ("message", &object(&message)),
            ("logprobs", &logprobs),
            ("finish_reason", &quoted(self.finish(answer))),
        ])
    }

    fn called(&self, choice: usize, at: usize, call: &Call) -> String {
        let function = object(&[("name", &quoted(&call.name)), ("arguments", &quoted(&call.arguments.concat()))]);
        object(&[("id", &quoted(&self.call(choice, at))), ("type", &quoted("function")), ("function", &function)])
    }

    fn call(&self, choice: usize, at: usize) -> String {
        format!("call_standin{:012x}{choice}{at}", self.seed & 0xffff_ffff_ffff)
    }

    fn finish(&self, answer: &Answer) -> &'static str {
        match answer.finish {
            // The vendor says `stop` when the function to call was named.
            Finish::Calls if self.named => "stop",
            Finish::Calls => "tool_calls",
            Finish::Length => "length",
            Finish::Stop | Finish::Sequence(_) | Finish::Refusal => "stop",
        }
    }

    /// `usage` only when the client asked for it.
    pub fn stream(&self, answers: &[Answer], usage: Option<&str>) -> Events {
        let mut events = Events::default();
        let head = format!(
            r#"{{"id":{},"object":"chat.completion.chunk","created":{CREATED},"model":{},"service_tier":"default","system_fingerprint":"fp_standin","choices":["#,
            quoted(&self.id),
            quoted(self.model),
        );
        let tail = if usage.is_some() { r#"],"usage":null}"# } else { "]}" };
        for (index, answer) in answers.iter().enumerate() {
            let start = format!(r#"{{"index":{index},"delta":"#);
            let mut chunk = |delta: &[&str], end: &str| {
                let mut parts = vec![head.as_str(), &start];
                parts.extend(delta);
                parts.extend([end, tail]);
                events.data(&parts);
            };
            let open = r#","logprobs":null,"finish_reason":null}"#;
            let first = if answer.calls.is_empty() { r#""""# } else { "null" };
            chunk(&[r#"{"role":"assistant","content":"#, first, r#","refusal":null}"#], open);
            for thought in answer.thinking.iter().filter(|_| self.reasoning) {
                chunk(&[r#"{"reasoning_content":"#, &quoted(thought), "}"], open);
            }
            let field = if answer.finish == Finish::Refusal { r#"{"refusal":"# } else { r#"{"content":"# };
            for piece in &answer.text {
                let delta = [field, &quoted(piece), "}"];
                if self.logprobs {
                    let logprobs = json!({"content": [logprob(piece)], "refusal": null});
                    chunk(&delta, &format!(r#","logprobs":{logprobs},"finish_reason":null}}"#));
                } else {
                    chunk(&delta, open);
                }
            }
            for (at, call) in answer.calls.iter().enumerate() {
                let (id, name) = (quoted(&self.call(index, at)), quoted(&call.name));
                let begun = format!(
                    r#"{{"index":{at},"id":{id},"type":"function","function":{{"name":{name},"arguments":""}}}}"#
                );
                chunk(&[r#"{"tool_calls":["#, &begun, "]}"], open);
                let piece_of = format!(r#"{{"tool_calls":[{{"index":{at},"function":{{"arguments":"#);
                for piece in &call.arguments {
                    chunk(&[&piece_of, &quoted(piece), "}}]}"], open);
                }
            }
            chunk(&["{}"], &format!(r#","logprobs":null,"finish_reason":"{}"}}"#, self.finish(answer)));
        }
        if let Some(usage) = usage {
            events.data(&[&head, r#"],"usage":"#, usage, "}"]);
        }
        events.data(&["[DONE]"]);
        events
    }
}

fn logprob(token: &str) -> Value {
    json!({"token": token, "logprob": -0.25, "bytes": token.as_bytes(), "top_logprobs": []})
}
