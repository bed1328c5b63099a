//! A provider's stream, read.

use super::answer::{
    arguments, bad, choices, citations, created, error, finish, index, links, logprobs, made_id, parse, told,
    unreadable, usage,
};
use super::error::inside;
use super::messages::{PLAIN_THINKING, Thought, blocks};
use super::wire::{first, hash, items, joined, object, signature};
use crate::api;
use crate::chat::{Event, Usage};
use crate::error::Error;
use crate::framing::sse;
use crate::json::{Tree, Value};
use std::borrow::Cow;

/// Answers in one stream: the API's own limit of `n`.
const MAX_CHOICES: usize = 128;

/// Tool calls in one answer: the API's own limit of tools.
const MAX_CALLS: usize = 128;

/// Bytes of arguments held for a call whose name has not come.
const MAX_PENDING: usize = 64 << 10;

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
    started: bool,
    over: bool,
    /// Of the answer's id, to make ids of.
    id: u64,
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Default)]
struct Choice {
    index: u32,
    finished: bool,
    refused: bool,
    cited: bool,
    /// Thinking came as plain text: its details only repeat it.
    plain_thinking: bool,
    calls: Vec<Call>,
    /// Calls that were begun.
    begun: u32,
}

#[derive(Default)]
struct Call {
    /// The vendor's number for it.
    index: Option<u32>,
    /// Of its id; 0 if it has none.
    id: u64,
    /// Our number for it, once its name is known.
    tool: Option<u32>,
    /// What came before its name.
    pending: String,
    pending_id: String,
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
            if frame.data.is_some_and(|data| data.trim_ascii() == b"[DONE]" || tree.read(data).is_ok()) {
                state.frame(&frame, tree, sink);
            }
        });
        if state.over {
            return;
        }
        if state.choices.iter().any(|c| c.finished) && state.choices.iter().all(|c| c.finished) {
            state.end(sink);
        } else {
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
        match data {
            b"" => {}
            b"[DONE]" => self.end(sink),
            _ => {
                let read = parse(tree, data).and_then(|body| match frame.name {
                    b"error" if body.get("error").is_none() => Err(inside(&body)),
                    _ => self.chunk(&body, sink),
                });
                if let Err(error) = read {
                    self.fail(error, sink);
                }
                if data.len() > KEPT_EVENT {
                    *tree = Tree::default();
                }
            }
        }
    }

    fn fail(&mut self, error: Error, sink: &mut Sink<'_>) {
        self.over = true;
        sink(Event::Error(error));
    }

    fn end(&mut self, sink: &mut Sink<'_>) {
        if self.choices.is_empty() {
            return self.fail(bad("the provider's stream has no answer"), sink);
        }
        for choice in self.choices.iter_mut().filter(|c| !c.finished) {
            choice.finished = true;
            let reason = finish("", choice.begun > 0, choice.refused);
            sink(Event::Finish { choice: choice.index, reason, stop_sequence: None });
        }
        self.over = true;
        sink(Event::End);
    }

    fn chunk(&mut self, body: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        let choices = choices(body)?.filter(|all| !all.is_empty());
        let usage = usage(body);
        if let Some(error) = error(body) {
            self.used(usage, sink);
            return Err(error);
        }
        if !self.started {
            let id = told(body, "id").unwrap_or_default();
            let model = told(body, "model").unwrap_or_default();
            // A first chunk that only reports on the prompt has neither.
            if choices.is_none() && usage.is_none() && (id.is_empty() || model.is_empty()) {
                return Ok(());
            }
            self.started = true;
            self.id = hash(&id);
            sink(Event::Start {
                id,
                model,
                created: created(body),
                service_tier: told(body, "service_tier"),
                system_fingerprint: told(body, "system_fingerprint"),
                usage,
            });
        }
        if let Some(choices) = choices {
            for choice in choices.items() {
                self.choice(&choice, body, sink)?;
            }
        }
        self.used(usage, sink);
        Ok(())
    }

    fn used(&mut self, usage: Option<Usage>, sink: &mut Sink<'_>) {
        if let Some(all) = usage.filter(|_| usage != self.usage) {
            self.usage = usage;
            sink(Event::Usage(all));
        }
    }

    fn choice(&mut self, chunk: &Value<'_>, body: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        if let Some(error) = error(chunk) {
            return Err(error);
        }
        let index = index(chunk).map_err(unreadable)?.unwrap_or_default();
        let at = self.choices.iter().position(|c| c.index == index).unwrap_or(self.choices.len());
        if at >= MAX_CHOICES {
            return Err(bad("the provider's stream has too many choices"));
        }
        if at == self.choices.len() {
            self.choices.push(Choice { index, ..Choice::default() });
        }
        let Some(choice) = self.choices.get_mut(at) else { return Ok(()) };
        if let Some(logprobs) = logprobs(chunk) {
            sink(Event::Logprobs { choice: index, raw: logprobs.keep() });
        }
        let whole = match object(chunk).and_then(|chunk| chunk.object("delta")) {
            Ok(Some(delta)) => choice.said(&delta, self.id, sink),
            Ok(None) => Ok(true),
            Err(error) => Err(error),
        };
        if !whole.map_err(unreadable)? {
            return Err(bad("the provider's stream has too many tool calls"));
        }
        let Some(reason) = told(chunk, "finish_reason").filter(|_| !choice.finished) else { return Ok(()) };
        choice.finished = true;
        if !choice.cited {
            for citation in links(body) {
                sink(Event::Citation { choice: index, citation });
            }
        }
        let reason = finish(&reason, choice.begun > 0, choice.refused);
        sink(Event::Finish { choice: index, reason, stop_sequence: None });
        Ok(())
    }
}

impl Choice {
    /// `false`: more than is taken.
    fn said(&mut self, said: &Value<'_>, id: u64, sink: &mut Sink<'_>) -> Result<bool, Error> {
        let choice = self.index;
        // Most chunks add text and nothing else.
        if said.members().all(|(name, value)| name.is("content") || name.is("role") || value.is_null()) {
            return said.get("content").map_or(Ok(()), |content| self.content(&content, sink)).map(|()| true);
        }
        if let Some(text) = first(said, &PLAIN_THINKING)?.filter(|text| !text.is_empty()) {
            self.plain_thinking = true;
            sink(Event::Thinking { choice, text });
        }
        for block in blocks(said)? {
            self.thought(Thought::of(&block)?, sink);
        }
        if let Some(content) = said.get("content") {
            self.content(&content, sink)?;
        }
        if let Some(text) = said.string("refusal")?.filter(|text| !text.is_empty()) {
            self.refused = true;
            sink(Event::Refusal { choice, text });
        }
        for citation in citations(said) {
            self.cited = true;
            sink(Event::Citation { choice, citation });
        }
        for call in items(said, "tool_calls")? {
            let function = object(&call)?.object("function")?;
            if function.is_none() && call.get("custom").is_some() {
                return Err(bad("the provider called a custom tool, which has no place in a stream of another form"));
            }
            if !self.call(Some(&call), function, id, sink)? {
                return Ok(false);
            }
        }
        match said.object("function_call")? {
            Some(function) => self.call(None, Some(function), id, sink),
            None => Ok(true),
        }
    }

    fn content(&self, content: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        if let Some(text) = content.text() {
            self.text(text, sink);
            return Ok(());
        }
        if !content.is_list() {
            return Err(content.wrong("a string or an array"));
        }
        for piece in content.items() {
            if let Some(thinking) = object(&piece)?.get("thinking") {
                self.thinking(joined(&thinking)?, sink);
            }
            self.text(piece.string("text")?.unwrap_or_default(), sink);
        }
        Ok(())
    }

    fn text(&self, text: Cow<'_, str>, sink: &mut Sink<'_>) {
        if !text.is_empty() {
            sink(Event::Text { choice: self.index, text });
        }
    }

    fn thinking(&self, text: Cow<'_, str>, sink: &mut Sink<'_>) {
        if !text.is_empty() {
            sink(Event::Thinking { choice: self.index, text });
        }
    }

    fn thought(&self, block: Thought<'_>, sink: &mut Sink<'_>) {
        let choice = self.index;
        if let Some(text) = block.text.filter(|_| !self.plain_thinking) {
            self.thinking(text, sink);
        }
        if let Some(signature) = block.signature {
            sink(Event::Signature { choice, signature });
        }
        if let Some(data) = block.data.filter(|d| !d.is_empty()) {
            sink(Event::Redacted { choice, data });
        }
    }

    fn call(
        &mut self,
        said: Option<&Value<'_>>,
        function: Option<Value<'_>>,
        answer: u64,
        sink: &mut Sink<'_>,
    ) -> Result<bool, Error> {
        let (index, id) = match said {
            Some(call) => (index(call)?, call.string("id")?),
            None => (None, None),
        };
        let id = id.filter(|id| id != "null").unwrap_or_default();
        let id_hash = if id.is_empty() { 0 } else { hash(&id) };
        let (name, json) = match &function {
            Some(function) => (function.string("name")?.unwrap_or_default(), arguments(function)),
            None => Default::default(),
        };
        let known = match index {
            // A vendor numbers every call 0: another id with a name begins another call.
            Some(_) => self.calls.iter().rposition(|c| c.index == index).filter(|at| {
                let same = self.calls.get(*at).is_none_or(|c| id_hash == 0 || c.id == 0 || c.id == id_hash);
                same || name.is_empty()
            }),
            None if id_hash != 0 => self.calls.iter().rposition(|c| c.id == id_hash),
            // A call that comes whole, without id or number.
            None if !name.is_empty() => None,
            None => self.calls.len().checked_sub(1),
        };
        let at = known.unwrap_or(self.calls.len());
        if known.is_none() {
            if self.calls.len() >= MAX_CALLS {
                return Ok(false);
            }
            self.calls.push(Call { index, id: id_hash, ..Call::default() });
        }
        let (choice, begun) = (self.index, self.begun);
        let Some(call) = self.calls.get_mut(at) else { return Ok(true) };
        let Some(tool) = call.tool else {
            if name.is_empty() {
                if call.pending.len().saturating_add(json.len()).saturating_add(id.len()) > MAX_PENDING {
                    return Ok(false);
                }
                call.pending.push_str(&json);
                if !id.is_empty() {
                    call.id = id_hash;
                    call.pending_id = id.into_owned();
                }
                return Ok(true);
            }
            call.tool = Some(begun);
            let id = match (id.is_empty(), call.pending_id.is_empty()) {
                (false, _) => id,
                (true, false) => Cow::Owned(std::mem::take(&mut call.pending_id)),
                (true, true) => Cow::Owned(made_id(answer, choice, at)),
            };
            sink(Event::ToolStart { choice, tool: begun, id, name, signature: said.and_then(signature) });
            let pending = std::mem::take(&mut call.pending);
            for json in [Cow::Owned(pending), json] {
                if !json.is_empty() {
                    sink(Event::ToolArguments { choice, tool: begun, json });
                }
            }
            self.begun = begun.saturating_add(1);
            return Ok(true);
        };
        if !json.is_empty() {
            sink(Event::ToolArguments { choice, tool, json });
        }
        Ok(true)
    }
}
