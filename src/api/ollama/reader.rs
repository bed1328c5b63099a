//! A provider's stream, read.

use super::answer::{bad, finish, logprobs, message, told, unreadable, usage};
use super::messages::{arguments, made_id};
use super::shared::wire::{items, signature};
use super::time;
use crate::api;
use crate::chat::Event;
use crate::error::Error;
use crate::framing::{Frame, lines};
use crate::json::{Tree, Value};
use std::borrow::Cow;

/// Tool calls in one answer.
const MAX_CALLS: u32 = 256;

/// Of a line larger than this the room it was read into is not kept.
const KEPT_LINE: usize = 16 << 10;

type Sink<'s> = dyn FnMut(Event<'_>) + 's;

#[derive(Default)]
pub(super) struct Reader {
    decoder: lines::Decoder,
    tree: Tree,
    state: State,
}

#[derive(Default)]
struct State {
    started: bool,
    over: bool,
    /// When the answer began, to make ids of.
    began: String,
    calls: u32,
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
        // A last line that was cut is none: the stream broke off.
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

impl State {
    fn frame(&mut self, frame: &Frame<'_>, tree: &mut Tree, sink: &mut Sink<'_>) {
        if self.over {
            return;
        }
        if frame.too_long {
            return self.fail(bad("a line of the provider's stream is too long"), sink);
        }
        let Some(data) = frame.data else { return };
        if let Err(error) = tree.read(data).map_err(unreadable).and_then(|line| self.line(&line, sink)) {
            self.fail(error, sink);
        }
        if data.len() > KEPT_LINE {
            *tree = Tree::default();
        }
    }

    fn fail(&mut self, error: Error, sink: &mut Sink<'_>) {
        self.over = true;
        sink(Event::Error(error));
    }

    fn line(&mut self, line: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        let message = message(line)?;
        if !self.started {
            self.started = true;
            let created = told(line, "created_at").unwrap_or_default();
            sink(Event::Start {
                id: Cow::Borrowed(""),
                model: told(line, "model").unwrap_or_default(),
                created: time::read(&created),
                service_tier: None,
                system_fingerprint: None,
                usage: None,
            });
            self.began = created.into_owned();
        }
        if let Some(text) = told(&message, "thinking") {
            sink(Event::Thinking { choice: 0, text });
        }
        for block in items(&message, "thinking_blocks").map_err(unreadable)? {
            if let Some(text) = told(&block, "thinking") {
                sink(Event::Thinking { choice: 0, text });
            }
            if let Some(signature) = told(&block, "signature") {
                sink(Event::Signature { choice: 0, signature });
            }
            if let Some(data) = told(&block, "data") {
                sink(Event::Redacted { choice: 0, data });
            }
        }
        if let Some(text) = told(&message, "content") {
            sink(Event::Text { choice: 0, text });
        }
        for call in items(&message, "tool_calls").map_err(unreadable)? {
            self.call(&call, sink)?;
        }
        if let Some(raw) = logprobs(line) {
            sink(Event::Logprobs { choice: 0, raw });
        }
        if line.get("done").is_some_and(|done| done.truth() == Some(true)) {
            if let Some(usage) = usage(line) {
                sink(Event::Usage(usage));
            }
            self.over = true;
            sink(Event::Finish { choice: 0, reason: finish(line, self.calls > 0), stop_sequence: None });
            sink(Event::End);
        }
        Ok(())
    }

    /// A call comes whole.
    fn call(&mut self, call: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        let function = call.get("function");
        let Some((function, name)) = function.and_then(|function| Some((function, told(&function, "name")?))) else {
            return Err(bad("a call in the provider's stream has no name"));
        };
        let tool = self.calls;
        if tool >= MAX_CALLS {
            return Err(bad("the provider's stream has too many tool calls"));
        }
        self.calls = tool.saturating_add(1);
        let id = told(call, "id").unwrap_or_else(|| Cow::Owned(made_id(self.began.as_bytes(), tool as usize)));
        sink(Event::ToolStart { choice: 0, tool, id, name, signature: signature(call) });
        let json = arguments(&function);
        if !json.is_empty() {
            sink(Event::ToolArguments { choice: 0, tool, json });
        }
        sink(Event::BlockEnd { choice: 0 });
        Ok(())
    }
}
