//! A provider's stream, read.

use super::answer::{finish, stop_sequence};
use super::{block, errors, text_of, usage};
use crate::api;
use crate::chat::Event;
use crate::error::{Error, Kind};
use crate::framing::eventstream::{Decoder, Frame};
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
    /// End or error has been given.
    over: bool,
    /// The answer is whole; only usage follows.
    stopped: bool,
    open: Vec<Open>,
    /// Calls so far.
    tools: u32,
}

/// A block that has begun with an event of its own: text has none.
struct Open {
    index: u64,
    /// A call; `None`: a tool that the provider runs, or what it gave.
    tool: Option<u32>,
}

impl api::Reader for Reader {
    fn read(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Event<'_>)) {
        let Self { frames, tree, state } = self;
        frames.feed(bytes, &mut |frame| state.frame(tree, &frame, sink));
    }

    fn close(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        let Self { frames, tree, state } = self;
        if state.stopped {
            // All but the usage is there.
            return state.end(sink);
        }
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

/// Text that is something else ends the stream: content must not get lost. Text of no length is no event.
fn piece<'a>(delta: Value<'a>, name: &str) -> Result<Option<Cow<'a, str>>, Error> {
    let Some(value) = delta.get(name) else { return Ok(None) };
    value.text().map(|text| Some(text).filter(|text| !text.is_empty())).ok_or_else(unreadable)
}

impl State {
    fn end(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        if !self.over {
            self.over = true;
            sink(Event::End);
        }
    }

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
        if let Some(what) = frame.corrupt {
            return self.fail(broken(what), sink);
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
        match name {
            b"contentBlockDelta" => self.delta(read()?, sink)?,
            b"contentBlockStart" => self.start(read()?, sink),
            b"contentBlockStop" => self.stop(index(read()?), sink),
            b"messageStart" => sink(Event::Start {
                id: Cow::Borrowed(""),
                model: Cow::Borrowed(""),
                created: None,
                service_tier: None,
                system_fingerprint: None,
                usage: None,
            }),
            b"messageStop" => {
                let event = read()?;
                self.stopped = true;
                let reason = text_of(event, "stopReason").map_or(finish("end_turn"), |word| finish(&word));
                sink(Event::Finish { choice: 0, reason, stop_sequence: stop_sequence(event) });
            }
            b"metadata" => {
                if let Some(usage) = usage::read(read()?.get("usage")) {
                    sink(Event::Usage(usage));
                }
                if self.stopped {
                    self.end(sink);
                }
            }
            name if errors::is_exception(name) => return Err(errors::in_stream(name, event, data)),
            // New types may come at any time, and are to be ignored.
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, event: Value<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        let index = index(event);
        if self.open.iter().any(|open| open.index == index) {
            self.stop(index, sink);
        }
        let call = event.at(&["start", "toolUse"]).filter(|call| !block::runs_at_provider(*call));
        let tool = call.map(|call| {
            let tool = self.tools;
            self.tools = self.tools.saturating_add(1);
            let id = text_of(call, "toolUseId").unwrap_or_default();
            let name = text_of(call, "name").unwrap_or_default();
            sink(Event::ToolStart { choice: 0, tool, id, name, signature: None });
            tool
        });
        if self.open.len() >= MAX_OPEN {
            self.open.clear();
        }
        self.open.push(Open { index, tool });
    }

    fn delta(&mut self, event: Value<'_>, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
        // Most events of a stream are these: one look at each member.
        let (mut index, mut delta) = (0, None);
        for (name, value) in event.members() {
            if name.is("delta") {
                delta = Some(value).filter(Value::is_object);
            } else if name.is("contentBlockIndex") {
                index = value.count().unwrap_or(0);
            }
        }
        let delta = delta.ok_or_else(unreadable)?;
        let open = self.open.iter().rev().find(|open| open.index == index);
        if let Some(text) = piece(delta, "text")? {
            sink(Event::Text { choice: 0, text });
        } else if let Some(call) = delta.get("toolUse") {
            if let Some(tool) = open.and_then(|open| open.tool)
                && let Some(json) = piece(call, "input")?
            {
                sink(Event::ToolArguments { choice: 0, tool, json });
            }
        } else if let Some(thinking) = delta.get("reasoningContent") {
            if let Some(text) = piece(thinking, "text")? {
                sink(Event::Thinking { choice: 0, text });
            }
            if let Some(signature) = piece(thinking, "signature")? {
                sink(Event::Signature { choice: 0, signature });
            }
            if let Some(sealed) = piece(thinking, "redactedContent")? {
                sink(Event::Redacted { choice: 0, data: block::unsealed(&sealed).into() });
            }
        } else if let Some(place) = delta.get("citation") {
            sink(Event::Citation { choice: 0, citation: block::citation(place) });
        }
        Ok(())
    }

    fn stop(&mut self, index: u64, sink: &mut dyn FnMut(Event<'_>)) {
        match self.open.iter().position(|open| open.index == index) {
            Some(at) => {
                if self.open.remove(at).tool.is_some() {
                    sink(Event::BlockEnd { choice: 0 });
                }
            }
            None => sink(Event::BlockEnd { choice: 0 }),
        }
    }
}

fn index(event: Value<'_>) -> u64 {
    event.get("contentBlockIndex").and_then(|index| index.count()).unwrap_or(0)
}
