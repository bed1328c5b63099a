//! A provider's stream, read.

use super::answer::{
    Body, CallIn, ChoiceIn, Said, UsageIn, arguments, bad, citations, finish, made_id, parse, says_something,
};
use super::error;
use super::messages::ThoughtIn;
use super::wire::{OneOrMany, Text, hash};
use crate::api;
use crate::chat::{Citation, Event, Finish, Usage};
use crate::error::Error;
use crate::framing::sse;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Answers in one stream: the API's own limit of `n`.
const MAX_CHOICES: usize = 128;

/// Tool calls in one answer: the API's own limit of tools.
const MAX_CALLS: usize = 128;

/// Bytes of arguments held for a call whose name has not come.
const MAX_PENDING: usize = 64 << 10;

type Sink<'s> = dyn FnMut(Event<'_>) + 's;

#[derive(Default)]
pub(super) struct Reader {
    decoder: sse::Decoder,
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
        let Self { decoder, state } = self;
        if !state.over {
            decoder.feed(bytes, &mut |frame| state.frame(&frame, sink));
        }
    }

    fn close(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        let Self { decoder, state } = self;
        // A last event that was cut is no event: the stream broke off.
        let whole = |data: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok();
        decoder.close(&mut |frame| {
            if frame.data.is_some_and(|data| data.trim_ascii() == b"[DONE]" || whole(data)) {
                state.frame(&frame, sink);
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
    fn frame(&mut self, frame: &sse::Frame<'_>, sink: &mut Sink<'_>) {
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
            _ => match parse(data) {
                Ok(body) if frame.name == b"error" && body.error.is_none() => {
                    self.fail(error::inside(&String::from_utf8_lossy(data)), sink);
                }
                Ok(body) => self.chunk(body, sink),
                Err(error) => self.fail(error, sink),
            },
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

    fn chunk(&mut self, body: Body<'_>, sink: &mut Sink<'_>) {
        let choices = body.choices.unwrap_or_default();
        let usage = body.usage.and_then(UsageIn::usage).or(body.x_groq.and_then(|x| x.usage).and_then(UsageIn::usage));
        if let Some(error) = body.error.filter(|e| says_something(e.get())) {
            self.used(usage, sink);
            return self.fail(error::inside(error.get()), sink);
        }
        if !self.started {
            let id = body.id.unwrap_or_default().0;
            let model = body.model.unwrap_or_default().0;
            // A first chunk that only reports on the prompt has neither.
            if choices.is_empty() && usage.is_none() && (id.is_empty() || model.is_empty()) {
                return;
            }
            self.started = true;
            self.id = hash(&[&id]);
            sink(Event::Start {
                id,
                model,
                created: body.created.map(|c| c.0).filter(|c| *c > 0),
                service_tier: body.service_tier.map(|t| t.0).filter(|t| !t.is_empty()),
                system_fingerprint: body.system_fingerprint.map(|f| f.0).filter(|f| !f.is_empty()),
                usage,
            });
        }
        for choice in choices {
            self.choice(choice, body.citations, sink);
            if self.over {
                return;
            }
        }
        self.used(usage, sink);
    }

    fn used(&mut self, usage: Option<Usage>, sink: &mut Sink<'_>) {
        if let Some(all) = usage.filter(|_| usage != self.usage) {
            self.usage = usage;
            sink(Event::Usage(all));
        }
    }

    fn choice(&mut self, chunk: ChoiceIn<'_>, links: Option<&RawValue>, sink: &mut Sink<'_>) {
        if let Some(error) = chunk.error.filter(|e| says_something(e.get())) {
            return self.fail(error::inside(error.get()), sink);
        }
        let index = chunk.index.unwrap_or_default();
        if !self.choices.iter().any(|c| c.index == index) {
            if self.choices.len() >= MAX_CHOICES {
                return self.fail(bad("the provider's stream has too many choices"), sink);
            }
            self.choices.push(Choice { index, ..Choice::default() });
        }
        let id = self.id;
        let Some(choice) = self.choices.iter_mut().find(|c| c.index == index) else { return };
        // Some send the member with nothing in it.
        if let Some(raw) = chunk.logprobs.filter(|raw| raw.get().contains('[')) {
            sink(Event::Logprobs { choice: index, raw: raw.to_owned() });
        }
        if let Some(said) = chunk.delta
            && !choice.said(said, id, sink)
        {
            return self.fail(bad("the provider's stream has too many tool calls"), sink);
        }
        let Some(reason) = chunk.finish_reason.filter(|r| !r.0.is_empty() && !choice.finished) else { return };
        choice.finished = true;
        if let Some(raw) = links.filter(|_| !choice.cited) {
            for url in super::wire::read::<Vec<Text<'_>>>(raw.get()).unwrap_or_default() {
                let citation = Citation { url: Some(url.owned()), ..Citation::default() };
                sink(Event::Citation { choice: index, citation });
            }
        }
        let reason: Finish = finish(&reason.0, choice.begun > 0, choice.refused);
        sink(Event::Finish { choice: index, reason, stop_sequence: None });
    }
}

impl Choice {
    /// `false`: more than is taken.
    fn said(&mut self, said: Said<'_>, id: u64, sink: &mut Sink<'_>) -> bool {
        let choice = self.index;
        let cited = citations(&said);
        if let Some(text) = said.reasoning_content.or(said.reasoning).filter(|t| !t.0.is_empty()) {
            self.plain_thinking = true;
            sink(Event::Thinking { choice, text: text.0 });
        }
        for block in said.thinking_blocks.or(said.reasoning_details).unwrap_or_default() {
            self.thought(block, sink);
        }
        match said.content {
            None => {}
            Some(OneOrMany::One(text)) => self.text(text, sink),
            Some(OneOrMany::Many(pieces)) => {
                for piece in pieces {
                    match piece.thinking {
                        Some(OneOrMany::One(text)) => self.thinking(text, sink),
                        Some(OneOrMany::Many(inner)) => {
                            for text in inner.into_iter().filter_map(|p| p.text) {
                                self.thinking(text.0, sink);
                            }
                        }
                        None => {}
                    }
                    if let Some(text) = piece.text {
                        self.text(text.0, sink);
                    }
                }
            }
        }
        if let Some(text) = said.refusal.filter(|r| !r.0.is_empty()) {
            self.refused = true;
            sink(Event::Refusal { choice, text: text.0 });
        }
        for citation in cited {
            self.cited = true;
            sink(Event::Citation { choice, citation });
        }
        let legacy = said.function_call.map(|function| CallIn { function: Some(function), ..CallIn::default() });
        for call in said.tool_calls.unwrap_or_default().into_iter().chain(legacy) {
            if !self.call(call, id, sink) {
                return false;
            }
        }
        true
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

    fn thought(&self, block: ThoughtIn<'_>, sink: &mut Sink<'_>) {
        let choice = self.index;
        if let Some(text) = block.thinking.or(block.text).or(block.summary).filter(|_| !self.plain_thinking) {
            self.thinking(text.0, sink);
        }
        if let Some(signature) = block.signature.filter(|s| !s.0.is_empty()) {
            sink(Event::Signature { choice, signature: signature.0 });
        }
        if let Some(data) = block.data.filter(|d| !d.0.is_empty()) {
            sink(Event::Redacted { choice, data: data.0 });
        }
    }

    fn call(&mut self, call: CallIn<'_>, answer: u64, sink: &mut Sink<'_>) -> bool {
        if call.custom.is_some() && call.function.is_none() {
            return true;
        }
        let function = call.function.unwrap_or_default();
        let id = call.id.map(|id| id.0).filter(|id| !id.is_empty() && id != "null").unwrap_or_default();
        let id_hash = if id.is_empty() { 0 } else { hash(&[&id]) };
        let name = function.name.map(|n| n.0).filter(|n| !n.is_empty()).unwrap_or_default();
        let known = match call.index {
            // A vendor numbers every call 0: another id with a name begins another call.
            Some(index) => self.calls.iter().rposition(|c| c.index == Some(index)).filter(|at| {
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
                return false;
            }
            self.calls.push(Call { index: call.index, id: id_hash, ..Call::default() });
        }
        let (choice, begun) = (self.index, self.begun);
        let Some(call) = self.calls.get_mut(at) else { return true };
        let json = function.arguments.map(arguments).unwrap_or_default();
        let Some(tool) = call.tool else {
            if name.is_empty() {
                if call.pending.len().saturating_add(json.len()).saturating_add(id.len()) > MAX_PENDING {
                    return false;
                }
                call.pending.push_str(&json);
                if !id.is_empty() {
                    call.id = id_hash;
                    call.pending_id = id.into_owned();
                }
                return true;
            }
            call.tool = Some(begun);
            let id = match (id.is_empty(), call.pending_id.is_empty()) {
                (false, _) => id,
                (true, false) => Cow::Owned(std::mem::take(&mut call.pending_id)),
                (true, true) => Cow::Owned(made_id(answer, choice, at)),
            };
            sink(Event::ToolStart { choice, tool: begun, id, name });
            let pending = std::mem::take(&mut call.pending);
            for json in [Cow::Owned(pending), json] {
                if !json.is_empty() {
                    sink(Event::ToolArguments { choice, tool: begun, json });
                }
            }
            self.begun = begun.saturating_add(1);
            return true;
        };
        if !json.is_empty() {
            sink(Event::ToolArguments { choice, tool, json });
        }
        true
    }
}
