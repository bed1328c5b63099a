//! OpenAI Responses.

mod check;

use serde_json::{Value, json};

use super::{error, refused, streams};
use crate::answer::{Answer, Choice, Finish, Format, Prompt, Tool, Weight, answer};
use crate::api::{Ask, CREATED, Failure, Reply, Task, hash};
use crate::check::Mode;
use crate::events::Events;

pub const TASK: Task = Task {
    serves: |line| line.posts("/responses"),
    streams,
    answer: respond,
    error: |failure, _| error(failure),
    error_event: |failure, _| {
        let told: Value = serde_json::from_str(&error(failure)).unwrap_or_default();
        let mut event = told.get("error").cloned().unwrap_or_default();
        if let Some(event) = event.as_object_mut() {
            event.insert("type".to_owned(), json!("error"));
            event.insert("sequence_number".to_owned(), json!(0));
        }
        format!("event: error\ndata: {event}\n\n").into_bytes()
    },
};

/// Prompts this long are read from the cache in part.
const CACHED_FROM: u64 = 1024;
/// Reasoning that only this server can read: it knows its own again.
fn sealed(thought: &str) -> String {
    format!("standin-{:016x}", hash(thought.as_bytes()))
}

fn respond(ask: &Ask) -> Result<Reply, Failure> {
    check::request(ask.body, Mode { lenient: ask.shape.lenient, nulls: true }).map_err(|bad| refused(&bad))?;
    let answer = answer(&prompt(ask.body), ask.shape, 0);
    let usage = usage(ask.body, &answer);
    let writer = Writer { ask, usage: usage.clone() };
    Ok(match ask.framing {
        None => Reply::json(&writer.whole(&answer), usage),
        Some(_) => Reply::stream(writer.stream(&answer), usage),
    })
}

fn prompt(body: &Value) -> Prompt {
    let empty = Vec::new();
    let items = body.get("input").and_then(Value::as_array).unwrap_or(&empty);
    let kind = |item: &Value| item.get("type").and_then(Value::as_str).unwrap_or("message").to_owned();
    let result = items.last().is_some_and(|item| kind(item) == "function_call_output");
    let last = items.iter().rev().find(|item| result || item.get("role") == Some(&json!("user")));
    let text = match (body.get("input"), last) {
        (Some(Value::String(text)), _) => text.clone(),
        (_, Some(item)) => item.get(if result { "output" } else { "content" }).map(super::text).unwrap_or_default(),
        _ => String::new(),
    };
    let tools = body.get("tools").and_then(Value::as_array).unwrap_or(&empty).iter().filter_map(|tool| {
        let schema = tool.get("parameters").cloned().unwrap_or_else(|| json!({}));
        Some(Tool { name: tool.get("name")?.as_str()?.to_owned(), schema })
    });
    let choice = match body.get("tool_choice") {
        Some(Value::String(choice)) if choice == "none" => Choice::None,
        Some(Value::String(choice)) if choice == "required" => Choice::Any,
        Some(Value::Object(choice)) => match choice.get("name").and_then(Value::as_str) {
            Some(name) => Choice::Named(name.to_owned()),
            None => Choice::Auto,
        },
        _ => Choice::Auto,
    };
    let format = body.pointer("/text/format");
    Prompt {
        text,
        result,
        tools: tools.collect(),
        choice,
        single: body.get("parallel_tool_calls") == Some(&Value::Bool(false)),
        json: match format.and_then(|format| format.get("type")).and_then(Value::as_str) {
            Some("json_object") => Some(Format::Object),
            Some("json_schema") => format.and_then(|format| format.get("schema")).cloned().map(Format::Schema),
            _ => None,
        },
        reasoning: match body.pointer("/reasoning/effort").and_then(Value::as_str) {
            None | Some("none") => 0,
            Some("minimal") => 4,
            Some("low") => 8,
            Some("medium") => 16,
            Some(_) => 32,
        },
        max_tokens: body.get("max_output_tokens").and_then(Value::as_u64),
        stop: Vec::new(),
    }
}

fn usage(body: &Value, answer: &Answer) -> Value {
    let mut weight = Weight::default();
    ["instructions", "input", "tools", "text"]
        .iter()
        .filter_map(|name| body.get(*name))
        .for_each(|part| weight.add(part));
    let input = weight.tokens();
    let cached = if input >= CACHED_FROM { (input / 2) & !127 } else { 0 };
    let output = u64::try_from(answer.tokens()).unwrap_or(u64::MAX);
    json!({
        "input_tokens": input,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": answer.thinking.len()},
        "total_tokens": input.saturating_add(output),
    })
}

struct Writer<'a> {
    ask: &'a Ask<'a>,
    usage: Value,
}

/// A part of the output, with the deltas that it is made of.
struct Item<'a> {
    done: Value,
    begun: Value,
    deltas: &'a [String],
}

impl Writer<'_> {
    fn whole(&self, answer: &Answer) -> Value {
        let output = self.items(answer).into_iter().map(|item| item.done).collect();
        self.response(if answer.finish == Finish::Length { "incomplete" } else { "completed" }, output)
    }

    fn response(&self, status: &str, output: Value) -> Value {
        let body = self.ask.body;
        let given =
            |name: &str, usual: Value| body.get(name).filter(|given| !given.is_null()).cloned().unwrap_or(usual);
        let asked = |path: &str| body.pointer(path).cloned().unwrap_or_default();
        let over = status != "in_progress";
        json!({
            "id": self.id("resp", 0),
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": (status == "incomplete").then(|| json!({"reason": "max_output_tokens"})),
            "instructions": given("instructions", Value::Null),
            "max_output_tokens": given("max_output_tokens", Value::Null),
            "max_tool_calls": null,
            "model": self.ask.model,
            "output": output,
            "parallel_tool_calls": given("parallel_tool_calls", json!(true)),
            "previous_response_id": null,
            "reasoning": {"effort": asked("/reasoning/effort"), "summary": asked("/reasoning/summary")},
            "service_tier": "default",
            "store": given("store", json!(true)),
            "temperature": given("temperature", json!(1.0)),
            "text": {"format": body.pointer("/text/format").cloned().unwrap_or_else(|| json!({"type": "text"}))},
            "tool_choice": given("tool_choice", json!("auto")),
            "tools": given("tools", json!([])),
            "top_logprobs": 0,
            "top_p": given("top_p", json!(1.0)),
            "truncation": "disabled",
            "usage": over.then_some(&self.usage),
            "user": null,
            "metadata": given("metadata", json!({})),
        })
    }

    fn id(&self, kind: &str, at: usize) -> String {
        format!("{kind}_standin{:016x}{at}", self.ask.seed)
    }

    fn items<'a>(&self, answer: &'a Answer) -> Vec<Item<'a>> {
        let body = self.ask.body;
        let mut items = Vec::new();
        if !answer.thinking.is_empty() {
            let thought = answer.thinking.concat();
            let shown = body.pointer("/reasoning/summary").is_some_and(|summary| !summary.is_null());
            let summary = if shown { json!([{"type": "summary_text", "text": thought}]) } else { json!([]) };
            let included = body.get("include").and_then(Value::as_array);
            let wanted = included.is_some_and(|all| all.contains(&json!("reasoning.encrypted_content")));
            let mut done = json!({"type": "reasoning", "id": self.id("rs", 0), "summary": summary});
            if let (true, Some(done)) = (wanted, done.as_object_mut()) {
                done.insert("encrypted_content".to_owned(), json!(sealed(&thought)));
            }
            let mut begun = done.clone();
            if let Some(begun) = begun.as_object_mut() {
                begun.insert("summary".to_owned(), json!([]));
            }
            items.push(Item { done, begun, deltas: if shown { &answer.thinking } else { &[] } });
        }
        let length = if answer.finish == Finish::Length { "incomplete" } else { "completed" };
        if !answer.text.is_empty() || answer.calls.is_empty() {
            let message = |status: &str, content: Value| json!({"type": "message", "id": self.id("msg", items.len()), "status": status, "role": "assistant", "content": content});
            let done = message(length, json!([part(answer, &answer.text.concat())]));
            let begun = message("in_progress", json!([]));
            items.push(Item { done, begun, deltas: &answer.text });
        }
        for call in &answer.calls {
            let at = items.len();
            let called = |status: &str, arguments: &str| {
                json!({"type": "function_call", "id": self.id("fc", at), "call_id": self.id("call", at),
                    "name": call.name, "arguments": arguments, "status": status})
            };
            let (done, begun) = (called(length, &call.arguments.concat()), called("in_progress", ""));
            items.push(Item { done, begun, deltas: &call.arguments });
        }
        items
    }

    fn stream(&self, answer: &Answer) -> Events {
        let mut stream = Stream { events: Events::default(), number: 0 };
        for kind in ["response.created", "response.in_progress"] {
            stream.event(kind, json!({"response": self.response("in_progress", json!([]))}));
        }
        for (at, item) in self.items(answer).into_iter().enumerate() {
            let id = item.done.get("id").cloned().unwrap_or_default();
            stream.event("response.output_item.added", json!({"output_index": at, "item": item.begun}));
            let text = item.deltas.concat();
            let place = json!({"item_id": id, "output_index": at});
            match item.done.get("type").and_then(Value::as_str) {
                Some("message") => {
                    let place = with(&place, json!({"content_index": 0}));
                    let (name, member) = match answer.finish {
                        Finish::Refusal => ("response.refusal", "refusal"),
                        _ => ("response.output_text", "text"),
                    };
                    stream.event("response.content_part.added", with(&place, json!({"part": part(answer, "")})));
                    stream.deltas(name, &place, item.deltas);
                    stream.event(&format!("{name}.done"), with(&place, json!({member: text, "logprobs": []})));
                    stream.event("response.content_part.done", with(&place, json!({"part": part(answer, &text)})));
                }
                Some("reasoning") if !item.deltas.is_empty() => {
                    let place = with(&place, json!({"summary_index": 0}));
                    let part = |text: &str| json!({"part": {"type": "summary_text", "text": text}});
                    stream.event("response.reasoning_summary_part.added", with(&place, part("")));
                    stream.deltas("response.reasoning_summary_text", &place, item.deltas);
                    stream.event("response.reasoning_summary_text.done", with(&place, json!({"text": text})));
                    stream.event("response.reasoning_summary_part.done", with(&place, part(&text)));
                }
                Some("function_call") => {
                    stream.deltas("response.function_call_arguments", &place, item.deltas);
                    let name = item.done.get("name");
                    let done = with(&place, json!({"arguments": text, "name": name}));
                    stream.event("response.function_call_arguments.done", done);
                }
                _ => {}
            }
            stream.event("response.output_item.done", json!({"output_index": at, "item": item.done}));
        }
        let whole = self.whole(answer);
        let kind = if answer.finish == Finish::Length { "response.incomplete" } else { "response.completed" };
        stream.event(kind, json!({"response": whole}));
        stream.events
    }
}

fn part(answer: &Answer, text: &str) -> Value {
    match answer.finish {
        Finish::Refusal => json!({"type": "refusal", "refusal": text}),
        _ => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
    }
}

fn with(members: &Value, more: Value) -> Value {
    let both = [members, &more].into_iter().filter_map(Value::as_object).flatten();
    Value::Object(both.map(|(name, value)| (name.clone(), value.clone())).collect())
}

struct Stream {
    events: Events,
    number: u64,
}

impl Stream {
    fn event(&mut self, kind: &str, members: Value) {
        let event = with(&members, json!({"type": kind, "sequence_number": self.number}));
        self.number = self.number.saturating_add(1);
        self.events.named(kind, &[&event.to_string()]);
    }

    fn deltas(&mut self, name: &str, place: &Value, deltas: &[String]) {
        let kind = format!("{name}.delta");
        let extra = if name.ends_with("output_text") { json!({"logprobs": []}) } else { json!({}) };
        for delta in deltas {
            self.event(&kind, with(&with(place, extra.clone()), json!({"delta": delta})));
        }
    }
}
