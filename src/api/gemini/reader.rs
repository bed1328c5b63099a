//! A provider's stream, read: every event is an answer of its own, with what is new in it and all usage so far.

use super::answer::{blocked, finish, logprobs, tier, written};
use super::arguments::Pieces;
use super::wire::{Sealed, call_id, each, said, unseal};
use super::{errors, grounding, usage};
use crate::api;
use crate::chat::{Event, Finish, Usage};
use crate::error::{Error, Kind};
use crate::framing::sse::{Decoder, Frame};
use crate::json::{Tree, Value};

/// Candidates in one stream: the API gives 8 at most.
const MAX_CHOICES: usize = 64;

/// After an event of more bytes the tree's room is given back: a stream holds little memory.
const MOST_KEPT: usize = 16 << 10;

type Sink<'s> = dyn FnMut(Event<'_>) + 's;

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
    over: bool,
    id: String,
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Default)]
struct Choice {
    index: u32,
    finished: bool,
    wrote: bool,
    /// Calls so far.
    calls: u32,
    /// A call whose arguments come in pieces.
    open: Option<Pieces>,
    /// Bytes of text so far; `None` once they are not as many as its characters.
    plain: Option<u64>,
}

impl api::Reader for Reader {
    fn read(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Event<'_>)) {
        let Self { frames, tree, state } = self;
        frames.feed(bytes, &mut |frame| state.frame(tree, &frame, sink));
    }

    fn close(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        let Self { frames, tree, state } = self;
        frames.close(&mut |frame| {
            // A last event that was cut is no event: the stream broke off.
            if frame.data.is_some_and(|data| tree.read(data).is_ok()) {
                state.frame(tree, &frame, sink);
            }
        });
        if state.over {
            return;
        }
        // No event says that it is the last one.
        if !state.choices.is_empty() && state.choices.iter().all(|choice| choice.finished) {
            state.over = true;
            sink(Event::End);
        } else {
            state.fail(broken("it ended early"), sink);
        }
    }
}

fn broken(what: &str) -> Error {
    Error::provider(Kind::BadAnswer, ["the provider's stream broke off: ", what].concat())
}

fn unreadable() -> Error {
    broken("an event cannot be read")
}

impl State {
    fn fail(&mut self, error: Error, sink: &mut Sink<'_>) {
        if !self.over {
            self.over = true;
            sink(Event::Error(error));
        }
    }

    fn frame(&mut self, tree: &mut Tree, frame: &Frame<'_>, sink: &mut Sink<'_>) {
        if self.over {
            return;
        }
        if frame.too_long {
            return self.fail(broken("an event is too long"), sink);
        }
        let Some(data) = frame.data.map(<[u8]>::trim_ascii) else { return };
        if data.is_empty() || data == b"[DONE]" {
            return;
        }
        let read = match tree.read(data) {
            Ok(body) => self.event(&body, sink),
            Err(_) => Err(unreadable()),
        };
        if let Err(error) = read {
            self.fail(error, sink);
        }
        if data.len() > MOST_KEPT {
            *tree = Tree::default();
        }
    }

    fn event(&mut self, body: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        if let Some(error) = errors::within(body) {
            return Err(errors::in_answer(&error));
        }
        if !body.is_object() {
            return Err(unreadable());
        }
        let counted = usage::read(body);
        if !self.started {
            self.started = true;
            let id = said(body, "responseId").unwrap_or_default();
            self.id = id.clone().into_owned();
            self.usage = counted;
            sink(Event::Start {
                id,
                model: said(body, "modelVersion").unwrap_or_default(),
                created: None,
                service_tier: tier(body),
                system_fingerprint: None,
                usage: counted,
            });
        }
        for (n, candidate) in (0_u32..).zip(each(body, "candidates")) {
            self.candidate(&candidate, n, sink)?;
        }
        if self.choices.is_empty()
            && let Some(text) = blocked(body)
        {
            self.choices.push(Choice { finished: true, ..Choice::default() });
            sink(Event::Refusal { choice: 0, text: text.into() });
            sink(Event::Finish { choice: 0, reason: Finish::Filtered, stop_sequence: None });
        }
        if let Some(all) = counted.filter(|_| counted != self.usage) {
            self.usage = counted;
            sink(Event::Usage(all));
        }
        Ok(())
    }

    fn candidate(&mut self, candidate: &Value<'_>, n: u32, sink: &mut Sink<'_>) -> Result<(), Error> {
        let told = candidate.get("index").and_then(|index| u32::try_from(index.count()?).ok());
        let index = told.unwrap_or(n);
        let at = self.choices.iter().position(|choice| choice.index == index).unwrap_or(self.choices.len());
        if at >= MAX_CHOICES {
            return Err(broken("it has too many candidates"));
        }
        if at == self.choices.len() {
            self.choices.push(Choice { index, plain: Some(0), ..Choice::default() });
        }
        let Some(choice) = self.choices.get_mut(at) else { return Ok(()) };
        for part in written(candidate) {
            choice.part(&part, &self.id, sink)?;
        }
        if let Some(raw) = logprobs(candidate) {
            sink(Event::Logprobs { choice: index, raw });
        }
        let plain = choice.plain;
        let place = |bytes: u64| plain.filter(|all| bytes <= *all).map(|_| bytes);
        for citation in grounding::citations(candidate, &place) {
            sink(Event::Citation { choice: index, citation });
        }
        let Some(reason) = said(candidate, "finishReason").filter(|_| !choice.finished) else { return Ok(()) };
        choice.close(sink);
        choice.finished = true;
        let finish = finish(&reason, choice.calls > 0, choice.wrote, candidate)?;
        if finish == Finish::Filtered
            && !choice.wrote
            && let Some(text) = said(candidate, "finishMessage")
        {
            sink(Event::Refusal { choice: index, text });
        }
        sink(Event::Finish { choice: index, reason: finish, stop_sequence: None });
        Ok(())
    }
}

impl Choice {
    fn part(&mut self, part: &Value<'_>, id: &str, sink: &mut Sink<'_>) -> Result<(), Error> {
        let choice = self.index;
        if let Some(text) = part.get("text") {
            let text = text.text().ok_or_else(unreadable)?;
            let thought = part.get("thought").and_then(|thought| thought.truth()) == Some(true);
            let sealed = said(part, "thoughtSignature").filter(|_| thought).as_deref().and_then(unseal);
            if text.is_empty() && sealed.is_none() {
                return Ok(());
            }
            self.wrote = true;
            self.close(sink);
            if !thought {
                let bytes = text.len() as u64;
                self.plain = self.plain.filter(|_| text.is_ascii()).map(|all| all.saturating_add(bytes));
                sink(Event::Text { choice, text });
                return Ok(());
            }
            if !text.is_empty() {
                sink(Event::Thinking { choice, text });
            }
            match sealed {
                Some((Sealed::Signature, signature)) => {
                    sink(Event::Signature { choice, signature: signature.into() });
                    sink(Event::BlockEnd { choice });
                }
                Some((Sealed::Thinking, data)) => sink(Event::Redacted { choice, data: data.into() }),
                None => {}
            }
            return Ok(());
        }
        let Some(call) = part.get("functionCall") else {
            // What the provider runs or draws is not streamed to others.
            self.wrote |= part.members().any(|(name, value)| value.is_object() || name.is("inlineData"));
            return Ok(());
        };
        if !call.is_object() {
            return Err(unreadable());
        }
        self.call(part, &call, id, sink)
    }

    /// A call comes whole; or begins, goes on and ends in parts that say so.
    fn call(&mut self, part: &Value<'_>, call: &Value<'_>, id: &str, sink: &mut Sink<'_>) -> Result<(), Error> {
        let choice = self.index;
        self.wrote = true;
        let goes_on = call.get("willContinue").and_then(|more| more.truth()) == Some(true);
        if let Some(name) = said(call, "name") {
            self.close(sink);
            let tool = self.calls;
            self.calls = tool.saturating_add(1);
            let id = said(call, "id").unwrap_or_else(|| call_id(id, choice, tool, &name).into());
            sink(Event::ToolStart { choice, tool, id, name, signature: said(part, "thoughtSignature") });
            self.open = Some(Pieces::default());
        }
        let tool = self.calls.saturating_sub(1);
        if let Some(pieces) = &mut self.open {
            if let Some(args) = call.get("args").filter(|args| args.is_object() && !args.is_empty()) {
                sink(Event::ToolArguments { choice, tool, json: args.raw().into() });
            }
            let mut out = Vec::new();
            for piece in each(call, "partialArgs") {
                pieces.add(&mut out, &piece).ok_or_else(unreadable)?;
            }
            if !out.is_empty() {
                sink(Event::ToolArguments { choice, tool, json: String::from_utf8_lossy(&out) });
            }
        }
        if !goes_on {
            self.close(sink);
        }
        Ok(())
    }

    /// The open call is whole.
    fn close(&mut self, sink: &mut Sink<'_>) {
        let Some(mut pieces) = self.open.take() else { return };
        let mut out = Vec::new();
        pieces.close(&mut out);
        let choice = self.index;
        if !out.is_empty() {
            let tool = self.calls.saturating_sub(1);
            sink(Event::ToolArguments { choice, tool, json: String::from_utf8_lossy(&out) });
        }
        sink(Event::BlockEnd { choice });
    }
}
