//! A provider's stream, read.

use super::answer::{bad, finish, logprobs, unreadable, usage};
use super::errors;
use super::messages::{arguments, citations};
use super::shared::wire::signature;
use super::wire::{made_id, told};
use crate::api;
use crate::chat::Event;
use crate::error::Error;
use crate::framing::{Frame, sse};
use crate::json::{Tree, Value};
use std::borrow::Cow;

/// Tool calls in one answer.
const MAX_CALLS: usize = 256;

/// Of an event larger than this the room it was read into is not kept.
const KEPT_EVENT: usize = 16 << 10;

type Sink<'s> = dyn FnMut(Event<'_>) + 's;

#[derive(Default)]
pub(super) struct Reader {
    decoder: sse::Decoder,
    tree: Tree,
    state: State,
}

#[derive(Default)]
struct State {
    id: String,
    started: bool,
    over: bool,
    /// A plan has begun, and nothing has come after it.
    planning: bool,
    /// The vendor's number of each call that was begun.
    calls: Vec<u64>,
    /// Characters of text so far.
    chars: u64,
    /// The characters before the first block of text, and the last one's number and the characters before it.
    first: Option<u64>,
    last: (u64, u64),
}

impl api::Reader for Reader {
    fn read(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Event<'_>)) {
        let Self { decoder, tree, state } = self;
        if !state.over {
            decoder.feed(bytes, &mut |frame| state.frame(&frame, tree, sink));
        }
    }

    fn close(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        let Self { decoder, tree, state } = self;
        // A last event that was cut is no event: the stream broke off.
        decoder.close(&mut |frame| {
            if frame.data.is_some_and(|data| tree.read(data).is_ok()) {
                state.frame(&frame, tree, sink);
            }
        });
        if !state.over {
            state.fail(bad("the provider's stream broke off"), sink);
        }
    }
}

/// The event's type: its member, or what it is named.
pub(super) fn kind<'a>(name: &'a [u8], event: &Value<'a>) -> Cow<'a, str> {
    let named = || std::str::from_utf8(name).ok().filter(|name| *name != "message").map(Cow::Borrowed);
    told(event, "type").or_else(named).unwrap_or_default()
}

impl State {
    fn frame(&mut self, frame: &Frame<'_>, tree: &mut Tree, sink: &mut Sink<'_>) {
        if self.over {
            return;
        }
        if frame.too_long {
            return self.fail(bad("an event of the provider's stream is too long"), sink);
        }
        let Some(data) = frame.data.filter(|data| data.trim_ascii() != b"[DONE]") else { return };
        let event = tree.read(data).map_err(unreadable);
        if let Err(error) = event.and_then(|event| self.event(&kind(frame.name, &event), &event, sink)) {
            self.fail(error, sink);
        }
        if data.len() > KEPT_EVENT {
            *tree = Tree::default();
        }
    }

    fn fail(&mut self, error: Error, sink: &mut Sink<'_>) {
        self.over = true;
        sink(Event::Error(error));
    }

    fn event(&mut self, kind: &str, event: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        let index = event.get("index").and_then(|index| index.count()).unwrap_or_default();
        let message = event.at(&["delta", "message"]);
        let within = |name: &str| message.and_then(|message| message.get(name));
        if self.planning && !matches!(kind, "tool-plan-delta" | "debug") {
            self.planning = false;
            sink(Event::BlockEnd { choice: 0 });
        }
        match kind {
            "message-start" if !self.started => {
                self.started = true;
                let id = told(event, "id").unwrap_or_default();
                self.id = id.clone().into_owned();
                sink(Event::Start {
                    id,
                    model: Cow::Borrowed(""),
                    created: None,
                    service_tier: None,
                    system_fingerprint: None,
                    usage: usage(event),
                });
            }
            "content-start" | "content-delta" => {
                if let Some(content) = within("content") {
                    if kind == "content-start" && content.get("thinking").is_none() {
                        self.first.get_or_insert(self.chars);
                        self.last = (index, self.chars);
                    }
                    self.content(&content, sink);
                }
                if let Some(raw) = event.get("logprobs").and_then(|one| logprobs(std::iter::once(one))) {
                    sink(Event::Logprobs { choice: 0, raw });
                }
            }
            "tool-plan-delta" => {
                if let Some(text) = message.and_then(|message| told(&message, "tool_plan")) {
                    self.planning = true;
                    self.text(text, sink);
                }
            }
            "content-end" | "tool-call-end" => sink(Event::BlockEnd { choice: 0 }),
            "tool-call-start" | "tool-call-delta" => {
                if let Some(call) = within("tool_calls") {
                    self.call(kind == "tool-call-start", index, &call.items().next().unwrap_or(call), sink)?;
                }
            }
            "citation-start" => {
                let Some(cited) = within("citations") else { return Ok(()) };
                let cited = cited.items().next().unwrap_or(cited);
                let place = cited.get("content_index").and_then(|place| place.count());
                let before = if place == Some(self.last.0) { self.last.1 } else { self.first.unwrap_or_default() };
                let mut all = Vec::new();
                citations(&cited, before, &mut all);
                all.into_iter().for_each(|citation| sink(Event::Citation { choice: 0, citation }));
            }
            "message-end" => self.end(&event.get("delta").unwrap_or(*event), sink),
            "" if event.get("message").is_some_and(|words| words.is_text()) => return Err(errors::inside(event)),
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: Cow<'_, str>, sink: &mut Sink<'_>) {
        self.chars = self.chars.saturating_add(text.chars().count() as u64);
        sink(Event::Text { choice: 0, text });
    }

    fn content(&mut self, content: &Value<'_>, sink: &mut Sink<'_>) {
        if let Some(text) = told(content, "thinking") {
            sink(Event::Thinking { choice: 0, text });
        }
        if let Some(signature) = told(content, "signature") {
            sink(Event::Signature { choice: 0, signature });
        }
        if let Some(data) = told(content, "data") {
            sink(Event::Redacted { choice: 0, data });
        }
        if let Some(text) = told(content, "text") {
            self.text(text, sink);
        }
    }

    fn call(&mut self, start: bool, index: u64, call: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        let function = call.get("function");
        let known = self.calls.iter().rposition(|known| *known == index).filter(|_| !start);
        let tool = match known {
            Some(tool) => tool,
            None => {
                let Some(name) = function.and_then(|function| told(&function, "name")) else {
                    return Err(bad("a call in the provider's stream has no name"));
                };
                if self.calls.len() >= MAX_CALLS {
                    return Err(bad("the provider's stream has too many tool calls"));
                }
                let tool = self.calls.len();
                self.calls.push(index);
                let id = told(call, "id").unwrap_or_else(|| Cow::Owned(made_id(&self.id, tool)));
                sink(Event::ToolStart { choice: 0, tool: tool as u32, id, name, signature: signature(call) });
                tool
            }
        };
        let json = function.map(|function| arguments(&function)).unwrap_or_default();
        if !json.is_empty() {
            sink(Event::ToolArguments { choice: 0, tool: tool as u32, json });
        }
        Ok(())
    }

    fn end(&mut self, delta: &Value<'_>, sink: &mut Sink<'_>) {
        if let Some(usage) = usage(delta) {
            sink(Event::Usage(usage));
        }
        if let Some(error) = errors::failed(delta) {
            return self.fail(error, sink);
        }
        let reason = told(delta, "finish_reason").unwrap_or_default();
        self.over = true;
        sink(Event::Finish { choice: 0, reason: finish(&reason, !self.calls.is_empty()), stop_sequence: None });
        sink(Event::End);
    }
}
