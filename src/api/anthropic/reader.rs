//! A provider's stream, read.

use super::answer::{explanation, finish};
use super::{block, errors, text_of, usage};
use crate::api;
use crate::chat::{self, Event};
use crate::error::{Error, Kind};
use crate::framing::sse::{Decoder, Frame};
use crate::json::{Tree, Value};
use std::borrow::Cow;

/// Blocks that may be open at once: providers open one at a time.
const MAX_OPEN: usize = 64;

/// After an event of more bytes the tree's room is given back: a stream holds little memory.
const MOST_KEPT: usize = 16 << 10;

#[derive(Default)]
pub(super) struct Reader {
    frames: Decoder,
    /// Each event in turn is read into it.
    tree: Tree,
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
    index: u64,
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

impl api::Reader for Reader {
    fn read(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Event<'_>)) {
        let Self { frames, tree, state } = self;
        frames.feed(bytes, &mut |frame| state.frame(tree, &frame, sink));
    }

    fn close(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        let Self { frames, tree, state } = self;
        frames.close(&mut |frame| state.frame(tree, &frame, sink));
        state.fail(broken("it ended early"), sink);
    }
}

fn broken(what: &str) -> Error {
    Error::provider(Kind::BadAnswer, ["the provider's stream broke off: ", what].concat())
}

fn unreadable() -> Error {
    broken("an event cannot be read")
}

/// An object that must be there.
fn object<'a>(of: Value<'a>, name: &str) -> Result<Value<'a>, Error> {
    of.get(name).filter(Value::is_object).ok_or_else(unreadable)
}

/// The type of a block or delta, without which it cannot be told what it is.
fn kind(of: Value<'_>) -> Result<Cow<'_, str>, Error> {
    text_of(of, "type").ok_or_else(unreadable)
}

fn index(event: Value<'_>) -> u64 {
    event.get("index").and_then(|index| index.count()).unwrap_or(0)
}

/// Text of no length is no event.
fn some<'a>(of: Value<'a>, name: &str) -> Option<Cow<'a, str>> {
    text_of(of, name).filter(|text| !text.is_empty())
}

/// As [`some`]. Text that is something else ends the stream: content must not get lost.
fn piece<'a>(delta: Value<'a>, name: &str) -> Result<Option<Cow<'a, str>>, Error> {
    let Some(value) = delta.get(name) else { return Ok(None) };
    value.text().map(|text| Some(text).filter(|text| !text.is_empty())).ok_or_else(unreadable)
}

impl State {
    fn fail(&mut self, error: Error, sink: &mut dyn FnMut(Event<'_>)) {
        if !self.over {
            self.over = true;
            sink(Event::Error(error));
        }
    }

    fn frame(&mut self, tree: &mut Tree, frame: &Frame<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        if self.over {
            return;
        }
        if frame.too_long {
            return self.fail(broken("an event is too long"), sink);
        }
        let Some(data) = frame.data else { return };
        if let Err(error) = self.event(tree, frame.name, data, sink) {
            self.fail(error, sink);
        }
        if data.len() > MOST_KEPT {
            *tree = Tree::default();
        }
    }

    fn event(
        &mut self,
        tree: &mut Tree,
        name: &[u8],
        data: &[u8],
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Error> {
        let event = tree.read(data).ok().filter(Value::is_object);
        let read = || event.ok_or_else(unreadable);
        let typed;
        let kind = if matches!(name, b"" | b"message") {
            let event = read()?;
            typed = if event.get("error").is_some() { Some("error".into()) } else { text_of(event, "type") };
            typed.as_deref().unwrap_or_default().as_bytes()
        } else {
            name
        };
        match kind {
            b"content_block_delta" => self.delta(read()?, sink)?,
            b"content_block_start" => self.block(read()?, sink)?,
            b"content_block_stop" => self.close_block(index(read()?), sink),
            b"message_start" => self.start(object(read()?, "message")?, sink),
            b"message_delta" => self.message_delta(read()?, sink),
            b"message_stop" => {
                self.over = true;
                sink(Event::End);
            }
            b"ping" => sink(Event::Ping),
            b"error" => return Err(errors::in_answer(event)),
            // New types may come at any time, and are to be ignored.
            _ => {}
        }
        Ok(())
    }

    /// A second one, as some gateways send when they have tried another model, changes nothing but usage.
    fn start(&mut self, message: Value<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        let said = message.get("usage");
        self.usage = usage::read(said, self.usage).or(self.usage);
        if self.started {
            return;
        }
        self.started = true;
        sink(Event::Start {
            id: text_of(message, "id").unwrap_or_default(),
            model: text_of(message, "model").unwrap_or_default(),
            created: None,
            service_tier: usage::tier(said),
            system_fingerprint: None,
            usage: self.usage,
        });
    }

    fn block(&mut self, event: Value<'_>, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
        let index = index(event);
        let block = object(event, "content_block")?;
        let kind = kind(block)?;
        self.close_block(index, sink);
        let what = match &*kind {
            "text" => {
                if let Some(text) = some(block, "text") {
                    sink(Event::Text { choice: 0, text });
                }
                What::Shown
            }
            "thinking" => {
                if let Some(text) = some(block, "thinking") {
                    sink(Event::Thinking { choice: 0, text });
                }
                if let Some(signature) = some(block, "signature") {
                    sink(Event::Signature { choice: 0, signature });
                }
                What::Shown
            }
            "redacted_thinking" => {
                sink(Event::Redacted { choice: 0, data: text_of(block, "data").unwrap_or_default() });
                What::Shown
            }
            "tool_use" => {
                let tool = self.tools;
                self.tools = self.tools.saturating_add(1);
                let id = text_of(block, "id").unwrap_or_default();
                let name = text_of(block, "name").unwrap_or_default();
                sink(Event::ToolStart { choice: 0, tool, id, name, signature: None });
                let whole = block.get("input").filter(|input| input.is_object() && !input.is_empty());
                What::Tool { tool, whole: whole.map(|input| input.raw().to_owned()) }
            }
            _ => What::Hidden,
        };
        if self.open.len() >= MAX_OPEN {
            self.open.clear();
        }
        self.open.push(Open { index, what });
        Ok(())
    }

    fn delta(&mut self, event: Value<'_>, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
        // Most events of a stream are these: one look at each member.
        let (mut index, mut delta) = (0, None);
        for (name, value) in event.members() {
            if name.is("delta") {
                delta = Some(value).filter(Value::is_object);
            } else if name.is("index") {
                index = value.count().unwrap_or(0);
            }
        }
        let delta = delta.ok_or_else(unreadable)?;
        let open = self.open.iter_mut().rev().find(|open| open.index == index);
        match (&*kind(delta)?, open.map(|open| &mut open.what)) {
            (_, Some(What::Hidden)) => {}
            ("text_delta", _) => {
                if let Some(text) = piece(delta, "text")? {
                    sink(Event::Text { choice: 0, text });
                }
            }
            ("input_json_delta", Some(What::Tool { tool, whole })) => {
                if let Some(json) = piece(delta, "partial_json")? {
                    *whole = None;
                    sink(Event::ToolArguments { choice: 0, tool: *tool, json });
                }
            }
            ("thinking_delta", _) => {
                if let Some(text) = piece(delta, "thinking")? {
                    sink(Event::Thinking { choice: 0, text });
                }
            }
            ("signature_delta", _) => {
                if let Some(signature) = piece(delta, "signature")? {
                    sink(Event::Signature { choice: 0, signature });
                }
            }
            ("citations_delta", _) => {
                if let Some(place) = delta.get("citation") {
                    sink(Event::Citation { choice: 0, citation: block::citation(place) });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn close_block(&mut self, index: u64, sink: &mut dyn FnMut(Event<'_>)) {
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

    fn message_delta(&mut self, event: Value<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        if let Some(stop) = event.get("delta") {
            if let Some(text) = explanation(stop) {
                sink(Event::Refusal { choice: 0, text });
            }
            if let Some(reason) = text_of(stop, "stop_reason") {
                let stop_sequence = text_of(stop, "stop_sequence");
                sink(Event::Finish { choice: 0, reason: finish(&reason), stop_sequence });
            }
        }
        if let Some(usage) = usage::read(event.get("usage"), self.usage) {
            self.usage = Some(usage);
            sink(Event::Usage(usage));
        }
    }
}
