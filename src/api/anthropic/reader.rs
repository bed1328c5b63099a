//! A provider's stream, read.

use super::answer::{StopDetails, finish};
use super::block;
use super::errors;
use super::shape::{Is, Map};
use super::usage::{Tier, Usage};
use crate::api;
use crate::chat::{self, Event};
use crate::error::{Error, Kind};
use crate::framing::sse::{Decoder, Frame};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Blocks that may be open at once: providers open one at a time.
const MAX_OPEN: usize = 64;

#[derive(Default)]
pub(super) struct Reader {
    frames: Decoder,
    state: State,
}

#[derive(Default)]
struct State {
    started: bool,
    /// End or error has been given.
    over: bool,
    open: Vec<Open>,
    /// Calls so far.
    tools: u32,
    usage: Option<chat::Usage>,
}

/// A block that has begun.
struct Open {
    index: u32,
    what: What,
}

enum What {
    Shown,
    /// A call; what its arguments are if none come in pieces.
    Tool {
        tool: u32,
        whole: Option<String>,
    },
    /// Only this API knows it: tools that the provider runs, and what they gave.
    Hidden,
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct MessageStart<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    id: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    model: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct BlockStart<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow)]
    content_block: Block<'a>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    signature: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Is<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct BlockDelta<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    partial_json: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    citation: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct BlockStop {
    #[serde(default)]
    index: u32,
}

#[derive(Deserialize)]
struct MessageDelta<'a> {
    #[serde(borrow, default)]
    delta: Is<Map<Stop<'a>>>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Stop<'a> {
    #[serde(borrow, default)]
    stop_reason: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    stop_sequence: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    stop_details: Is<Map<StopDetails<'a>>>,
}

impl api::Reader for Reader {
    fn read(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Event<'_>)) {
        let state = &mut self.state;
        self.frames.feed(bytes, &mut |frame| state.frame(&frame, sink));
    }

    fn close(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        let state = &mut self.state;
        self.frames.close(&mut |frame| state.frame(&frame, sink));
        state.fail(broken("it ended early"), sink);
    }
}

fn broken(what: &str) -> Error {
    Error::provider(Kind::BadAnswer, format!("the provider's stream broke off: {what}"))
}

fn parse<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(data).map_err(|_| broken("an event cannot be read"))
}

/// Text of no length is no event.
fn some(text: Option<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    text.filter(|text| !text.is_empty())
}

impl State {
    fn fail(&mut self, error: Error, sink: &mut dyn FnMut(Event<'_>)) {
        if !self.over {
            self.over = true;
            sink(Event::Error(error));
        }
    }

    fn frame(&mut self, frame: &Frame<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        if self.over {
            return;
        }
        if frame.too_long {
            return self.fail(broken("an event is too long"), sink);
        }
        let Some(data) = frame.data else { return };
        if let Err(error) = self.event(frame.name, data, sink) {
            self.fail(error, sink);
        }
    }

    fn event(&mut self, name: &[u8], data: &[u8], sink: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
        let typed;
        let kind = if matches!(name, b"" | b"message") {
            typed = parse::<Typed<'_>>(data)?;
            if typed.error.is_some() { b"error" } else { typed.kind.as_bytes() }
        } else {
            name
        };
        match kind {
            b"content_block_delta" => self.delta(parse(data)?, sink),
            b"content_block_start" => self.block(parse(data)?, sink),
            b"content_block_stop" => {
                let stop: BlockStop = parse(data)?;
                self.close_block(stop.index, sink);
            }
            b"message_start" => self.start(parse(data)?, sink),
            b"message_delta" => self.message_delta(parse(data)?, sink),
            b"message_stop" => {
                self.over = true;
                sink(Event::End);
            }
            b"ping" => sink(Event::Ping),
            b"error" => return Err(errors::in_answer(data)),
            // New types may come at any time, and are to be ignored.
            _ => {}
        }
        Ok(())
    }

    /// A second one, as some gateways send when they have tried another model, changes nothing but usage.
    fn start(&mut self, start: MessageStart<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        let raw = start.message.usage.map(RawValue::get);
        let usage = raw.and_then(|raw| serde_json::from_str::<Usage>(raw).ok());
        if let Some(usage) = usage {
            self.usage = Some(usage.after(self.usage));
        }
        if self.started {
            return;
        }
        self.started = true;
        let tier = raw.and_then(|raw| serde_json::from_str::<Tier<'_>>(raw).ok());
        sink(Event::Start {
            id: start.message.id.ok().unwrap_or_default(),
            model: start.message.model.ok().unwrap_or_default(),
            created: None,
            service_tier: tier.and_then(|tier| tier.service_tier.ok()),
            system_fingerprint: None,
            usage: self.usage,
        });
    }

    fn block(&mut self, start: BlockStart<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        let BlockStart { index, content_block: block } = start;
        self.close_block(index, sink);
        let what = match &*block.kind {
            "text" => {
                if let Some(text) = some(block.text.ok()) {
                    sink(Event::Text { choice: 0, text });
                }
                What::Shown
            }
            "thinking" => {
                if let Some(text) = some(block.thinking.ok()) {
                    sink(Event::Thinking { choice: 0, text });
                }
                if let Some(signature) = some(block.signature.ok()) {
                    sink(Event::Signature { choice: 0, signature });
                }
                What::Shown
            }
            "redacted_thinking" => {
                sink(Event::Redacted { choice: 0, data: block.data.ok().unwrap_or_default() });
                What::Shown
            }
            "tool_use" => {
                let tool = self.tools;
                self.tools = self.tools.saturating_add(1);
                let id = block.id.ok().unwrap_or_default();
                let name = block.name.ok().unwrap_or_default();
                sink(Event::ToolStart { choice: 0, tool, id, name });
                let whole = block.input.map(RawValue::get).filter(|raw| raw.len() > 2 && raw.starts_with('{'));
                What::Tool { tool, whole: whole.map(str::to_owned) }
            }
            _ => What::Hidden,
        };
        if self.open.len() >= MAX_OPEN {
            self.open.clear();
        }
        self.open.push(Open { index, what });
    }

    fn delta(&mut self, event: BlockDelta<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        let BlockDelta { index, delta } = event;
        let open = self.open.iter_mut().rev().find(|open| open.index == index);
        match (&*delta.kind, open.map(|open| &mut open.what)) {
            (_, Some(What::Hidden)) => {}
            ("text_delta", _) => {
                if let Some(text) = some(delta.text) {
                    sink(Event::Text { choice: 0, text });
                }
            }
            ("input_json_delta", Some(What::Tool { tool, whole })) => {
                if let Some(json) = some(delta.partial_json) {
                    *whole = None;
                    sink(Event::ToolArguments { choice: 0, tool: *tool, json });
                }
            }
            ("thinking_delta", _) => {
                if let Some(text) = some(delta.thinking) {
                    sink(Event::Thinking { choice: 0, text });
                }
            }
            ("signature_delta", _) => {
                if let Some(signature) = some(delta.signature) {
                    sink(Event::Signature { choice: 0, signature });
                }
            }
            ("citations_delta", _) => {
                if let Some(raw) = delta.citation {
                    sink(Event::Citation { choice: 0, citation: block::citation(raw.get()) });
                }
            }
            _ => {}
        }
    }

    fn close_block(&mut self, index: u32, sink: &mut dyn FnMut(Event<'_>)) {
        let Some(at) = self.open.iter().position(|open| open.index == index) else { return };
        match self.open.remove(at).what {
            What::Hidden => return,
            What::Tool { tool, whole: Some(json) } => {
                sink(Event::ToolArguments { choice: 0, tool, json: json.into() });
            }
            What::Tool { whole: None, .. } | What::Shown => {}
        }
        sink(Event::BlockEnd { choice: 0 });
    }

    fn message_delta(&mut self, event: MessageDelta<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        if let Some(Map(stop)) = event.delta.ok() {
            if let Some(text) = stop.stop_details.ok().and_then(|Map(details)| details.explanation.ok()) {
                sink(Event::Refusal { choice: 0, text });
            }
            if let Some(reason) = stop.stop_reason.ok() {
                sink(Event::Finish { choice: 0, reason: finish(&reason), stop_sequence: stop.stop_sequence.ok() });
            }
        }
        if let Some(usage) = event.usage {
            let usage = usage.after(self.usage);
            self.usage = Some(usage);
            sink(Event::Usage(usage));
        }
    }
}
