//! A provider's stream, read. Items are told apart by their place: a vendor gives each event another `item_id`.

use super::answer::{
    arguments, bad, call_id, citation, created, failure, finish, logprobs, parse, told, unreadable, usage,
};
use super::error::inside;
use super::thinking::{self, BETWEEN, Seal};
use super::watch::kind;
use super::wire::{items, object};
use crate::api;
use crate::chat::Event;
use crate::error::Error;
use crate::framing::sse;
use crate::json::{Tree, Value};
use std::borrow::Cow;

/// Items of one answer that are known at a time.
const MAX_ITEMS: usize = 512;

/// Of an event larger than this the room it was read into is not kept.
const KEPT_EVENT: usize = 16 << 10;

type Sink<'s> = dyn FnMut(Event<'_>) + 's;

pub(super) struct Reader {
    decoder: sse::Decoder,
    tree: Tree,
    state: State,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { decoder: sse::Decoder::with_limit(super::MAX_EVENT), tree: Tree::default(), state: State::default() }
    }
}

#[derive(Default)]
struct State {
    started: bool,
    over: bool,
    items: Vec<Item>,
    /// Calls so far.
    calls: u32,
    refused: bool,
    /// Of the call that comes next.
    signature: Option<String>,
}

struct Item {
    index: u64,
    kind: Kind,
    /// Something of its text, arguments or thinking has come.
    begun: bool,
    done: bool,
    /// Of thinking: the summary's part that came last.
    part: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Message,
    Reasoning {
        summary: bool,
    },
    Call(u32),
    /// What the provider runs itself.
    Hidden,
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

impl State {
    fn frame(&mut self, frame: &sse::Frame<'_>, tree: &mut Tree, sink: &mut Sink<'_>) {
        if self.over {
            return;
        }
        if frame.too_long {
            return self.fail(bad("an event of the provider's stream is too large"), sink);
        }
        let Some(data) = frame.data.map(<[u8]>::trim_ascii) else {
            if frame.raw.starts_with(b":") {
                sink(Event::Ping);
            }
            return;
        };
        if matches!(data, b"" | b"[DONE]") {
            return;
        }
        let kind = match frame.name {
            b"" | b"message" => kind(data),
            name => name,
        };
        let read = parse(tree, data).and_then(|body| self.event(kind, &body, sink));
        if let Err(error) = read {
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

    fn event(&mut self, kind: &[u8], body: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        let Some(what) = kind.strip_prefix(b"response.") else {
            return match body.get("error").filter(|error| !error.is_empty()) {
                Some(error) => Err(inside(&error)),
                None if kind == b"error" => Err(inside(body)),
                // New types may come at any time, and are to be ignored.
                None => Ok(()),
            };
        };
        match what {
            b"created" | b"in_progress" | b"queued" => {
                self.start(&self.response(body)?, sink);
                Ok(())
            }
            b"completed" | b"incomplete" => self.end(&self.response(body)?, sink),
            b"failed" | b"cancelled" => {
                let response = body.object("response").ok().flatten();
                if let Some(usage) = response.as_ref().and_then(usage) {
                    sink(Event::Usage(usage));
                }
                let why = response.and_then(|response| failure(&response));
                Err(why.unwrap_or_else(|| bad("the provider failed without saying why")))
            }
            _ => self.content(what, body, sink).map_err(unreadable),
        }
    }

    fn response<'a>(&self, body: &Value<'a>) -> Result<Value<'a>, Error> {
        body.object("response").map_err(unreadable)?.ok_or_else(|| bad("an event of the provider's has no response"))
    }

    fn start(&mut self, response: &Value<'_>, sink: &mut Sink<'_>) {
        if self.started {
            return;
        }
        self.started = true;
        sink(Event::Start {
            id: told(response, "id").unwrap_or_default(),
            model: told(response, "model").unwrap_or_default(),
            created: created(response),
            service_tier: told(response, "service_tier"),
            system_fingerprint: None,
            usage: None,
        });
    }

    fn end(&mut self, response: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        if let Some(error) = failure(response) {
            return Err(error);
        }
        self.start(response, sink);
        if self.items.is_empty() {
            // All of it comes at once.
            for (index, item) in (0_u64..).zip(items(response, "output").map_err(unreadable)?) {
                self.item_done(index, &item, sink).map_err(unreadable)?;
            }
        }
        let reason = finish(response, self.calls > 0, self.refused);
        sink(Event::Finish { choice: 0, reason, stop_sequence: None });
        if let Some(usage) = usage(response) {
            sink(Event::Usage(usage));
        }
        self.over = true;
        sink(Event::End);
        Ok(())
    }

    fn content(&mut self, what: &[u8], body: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        let index = || body.get("output_index").and_then(|index| index.count()).unwrap_or_default();
        let text = |name: &str| Ok(body.string(name)?.unwrap_or_default());
        match what {
            b"output_text.delta" => {
                self.item(index(), Kind::Message, sink)?.begun = true;
                if let Some(raw) = logprobs(body) {
                    sink(Event::Logprobs { choice: 0, raw });
                }
                words(text("delta")?, sink);
            }
            b"refusal.delta" => {
                self.item(index(), Kind::Message, sink)?.begun = true;
                self.refusal(text("delta")?, sink);
            }
            b"function_call_arguments.delta" => {
                let json = text("delta")?;
                let item = self.known(index());
                if let Some(Item { kind: Kind::Call(tool), begun, .. }) = item.filter(|_| !json.is_empty()) {
                    *begun = true;
                    sink(Event::ToolArguments { choice: 0, tool: *tool, json });
                }
            }
            b"reasoning_summary_text.delta" => {
                let part = body.get("summary_index").and_then(|part| part.count()).unwrap_or_default();
                self.thought(index(), true, part, text("delta")?, sink)?;
            }
            b"reasoning_text.delta" => self.thought(index(), false, 0, text("delta")?, sink)?,
            b"output_text.annotation.added" => {
                self.item(index(), Kind::Message, sink)?;
                if let Some(citation) = body.get("annotation").and_then(|one| citation(&one)) {
                    sink(Event::Citation { choice: 0, citation });
                }
            }
            b"output_item.added" => {
                if let Some(item) = body.get("item") {
                    self.item_added(index(), object(&item)?, sink)?;
                }
            }
            b"output_item.done" => {
                if let Some(item) = body.get("item") {
                    self.item_done(index(), object(&item)?, sink)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn known(&mut self, index: u64) -> Option<&mut Item> {
        self.items.iter_mut().rev().find(|item| item.index == index && !item.done)
    }

    /// The item at that place: the one that is open, or a new one.
    fn item(&mut self, index: u64, kind: Kind, sink: &mut Sink<'_>) -> Result<&mut Item, Error> {
        if !self.started {
            self.started = true;
            sink(Event::Start {
                id: "".into(),
                model: "".into(),
                created: None,
                service_tier: None,
                system_fingerprint: None,
                usage: None,
            });
        }
        let at = match self.items.iter().rposition(|item| item.index == index && !item.done) {
            Some(at) => at,
            None if self.items.len() >= MAX_ITEMS => {
                return Err(Error::invalid("it has too many items"));
            }
            None => {
                self.items.push(Item { index, kind, begun: false, done: false, part: 0 });
                self.items.len().saturating_sub(1)
            }
        };
        self.items.get_mut(at).ok_or_else(|| Error::invalid("it has too many items"))
    }

    fn item_added(&mut self, index: u64, item: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        let kind = match told(item, "type").as_deref() {
            Some("message") => Kind::Message,
            Some("reasoning") => Kind::Reasoning { summary: true },
            Some("function_call") => Kind::Call(self.calls),
            _ => Kind::Hidden,
        };
        if let Some(before) = self.known(index) {
            before.done = true;
        }
        self.item(index, kind, sink)?;
        if let Kind::Call(tool) = kind {
            self.calls = tool.saturating_add(1);
            let name = item.string("name")?.unwrap_or_default();
            let signature = self.signature.take().map(Cow::Owned);
            sink(Event::ToolStart { choice: 0, tool, id: call_id(item), name, signature });
        }
        Ok(())
    }

    /// The whole item; of it what has not come in pieces.
    fn item_done(&mut self, index: u64, item: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        if self.known(index).is_none() {
            self.item_added(index, item, sink)?;
        }
        let Some(known) = self.known(index) else { return Ok(()) };
        known.done = true;
        let (kind, begun) = (known.kind, known.begun);
        match kind {
            Kind::Message if !begun => self.message(item, sink)?,
            Kind::Message => {}
            Kind::Call(tool) => {
                let json = arguments(item);
                if !begun && !json.is_empty() {
                    sink(Event::ToolArguments { choice: 0, tool, json });
                }
            }
            Kind::Reasoning { .. } => {
                let text = if begun { String::new() } else { thinking::shown(item) };
                let shown = begun || !text.is_empty();
                thought(Cow::Owned(text), sink);
                match thinking::seal(item, shown) {
                    Some(Seal::Signature(signature)) => {
                        sink(Event::Signature { choice: 0, signature: Cow::Owned(signature) });
                    }
                    Some(Seal::Redacted(data)) => sink(Event::Redacted { choice: 0, data: Cow::Owned(data) }),
                    Some(Seal::Call(signature)) => {
                        self.signature = Some(signature);
                        return Ok(());
                    }
                    None if !shown => return Ok(()),
                    None => {}
                }
            }
            Kind::Hidden => return Ok(()),
        }
        sink(Event::BlockEnd { choice: 0 });
        Ok(())
    }

    fn message(&mut self, item: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        for part in items(item, "content")? {
            if let Some(raw) = logprobs(object(&part)?) {
                sink(Event::Logprobs { choice: 0, raw });
            }
            words(part.string("text")?.unwrap_or_default(), sink);
            self.refusal(part.string("refusal")?.unwrap_or_default(), sink);
            for citation in super::answer::citations(&part) {
                sink(Event::Citation { choice: 0, citation });
            }
        }
        Ok(())
    }

    fn refusal(&mut self, text: Cow<'_, str>, sink: &mut Sink<'_>) {
        if !text.is_empty() {
            self.refused = true;
            sink(Event::Refusal { choice: 0, text });
        }
    }

    /// An item has a summary of its thinking or the thinking itself; of both, what comes first is taken.
    fn thought(
        &mut self,
        index: u64,
        summary: bool,
        part: u64,
        text: Cow<'_, str>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        let item = self.item(index, Kind::Reasoning { summary }, sink)?;
        if !item.begun {
            item.kind = Kind::Reasoning { summary };
        } else if item.kind != (Kind::Reasoning { summary }) {
            return Ok(());
        }
        if item.begun && item.part != part {
            thought(Cow::Borrowed(BETWEEN), sink);
        }
        item.begun = true;
        item.part = part;
        thought(text, sink);
        Ok(())
    }
}

fn words(text: Cow<'_, str>, sink: &mut Sink<'_>) {
    if !text.is_empty() {
        sink(Event::Text { choice: 0, text });
    }
}

fn thought(text: Cow<'_, str>, sink: &mut Sink<'_>) {
    if !text.is_empty() {
        sink(Event::Thinking { choice: 0, text });
    }
}
