//! A client's stream, written. What has been written is also put together, since the last event has all of it.

use super::pieces::{Call, Kin, Open, Piece, What, join};
use super::shape::{State, annotation, error, escaped, head, item_id, logprobs, made_call, response};
use super::thinking::{self, Mark};
use crate::api::{self, Asked};
use crate::chat::{Citation, Event, Finish, Usage};
use crate::error::{Error, Kind};
use crate::json::{escape, quote, write as put};

/// Bytes of a streamed answer that are put together: eight times what the models with the longest answers write.
const MAX_ANSWER: usize = 4 << 20;

pub(super) struct Writer {
    asked: Asked,
    head: Vec<u8>,
    over: bool,
    /// Of the next event.
    number: u64,
    /// By `output_index`; empty while the item is open.
    items: Vec<Vec<u8>>,
    /// Bytes of text and arguments so far, and how many may be.
    held: usize,
    most: usize,
    open: Option<Open>,
    calls: Vec<Call>,
    finish: Option<Finish>,
    refused: bool,
    usage: Option<Usage>,
    /// Probabilities of the text that comes next.
    logprobs: Vec<u8>,
}

impl api::Writer for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        self.event(event, out);
        if self.held > self.most {
            self.fail(&Error::provider(Kind::BadAnswer, "the answer is larger than is put together here"), out);
        }
    }
}

impl Writer {
    pub(super) fn new(asked: Asked) -> Self {
        Self {
            asked,
            head: Vec::new(),
            over: false,
            number: 0,
            items: Vec::new(),
            held: 0,
            most: MAX_ANSWER,
            open: None,
            calls: Vec::new(),
            finish: None,
            refused: false,
            usage: None,
            logprobs: Vec::new(),
        }
    }

    /// For an answer that is at hand: see [`Self::take`] and [`Self::response`].
    pub(super) fn whole(asked: Asked) -> Self {
        Self { most: usize::MAX, ..Self::new(asked) }
    }

    /// Puts the event's part of the answer to the rest.
    pub(super) fn take(&mut self, event: &Event<'_>) {
        self.event(event, &mut Vec::new());
    }

    /// The whole response.
    pub(super) fn response(mut self) -> Vec<u8> {
        let state = self.state();
        self.close_all(&mut Vec::new(), state.name());
        let mut out = Vec::with_capacity(1024);
        self.object(&mut out, state);
        out
    }

    fn state(&self) -> State<'static> {
        State::of(self.finish.unwrap_or(Finish::Stop), self.refused)
    }

    fn object(&self, out: &mut Vec<u8>, state: State<'_>) {
        let usage = self.usage.as_ref().filter(|_| !matches!(state, State::InProgress));
        let items = self.items.iter().map(Vec::as_slice).filter(|item| !item.is_empty());
        response(out, &self.head, state, items, usage);
    }

    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        let forced = self.asked.schema_tool;
        match event {
            Event::Start { id, model, created, service_tier, usage, .. } => {
                self.usage = *usage;
                self.begin(out, id, model, *created, service_tier.as_deref());
            }
            // A forced tool's arguments are the text.
            Event::Text { choice: 0, text } if !forced => self.words(out, What::Text, text),
            Event::Refusal { choice: 0, text } => {
                self.refused = true;
                self.words(out, What::Refusal, text);
            }
            Event::Thinking { choice: 0, text } => {
                if self.open.as_ref().is_some_and(|open| !open.seal.is_empty()) {
                    self.close_open(out, "completed");
                }
                self.words(out, What::Summary, text);
            }
            Event::Signature { choice: 0, signature } => self.seal(out, signature, Mark::Signature),
            Event::Redacted { choice: 0, data } => {
                self.close_open(out, "completed");
                self.seal(out, data, Mark::Sealed);
                self.close_open(out, "completed");
            }
            Event::Citation { choice: 0, citation } => self.cite(out, citation),
            Event::ToolStart { choice: 0, tool, id, name, signature } if !forced => {
                if let Some(signature) = signature {
                    self.close_open(out, "completed");
                    self.seal(out, signature, Mark::Call);
                }
                self.call(out, *tool, id, name);
            }
            Event::ToolArguments { choice: 0, json, .. } if forced => self.words(out, What::Text, json),
            Event::ToolArguments { choice: 0, tool, json } => self.arguments(out, *tool, json),
            Event::Logprobs { choice: 0, raw } => {
                if let Some(inside) = logprobs(raw.get()) {
                    join(&mut self.logprobs, inside.as_bytes());
                }
            }
            Event::BlockEnd { choice: 0 } => self.block_end(out),
            Event::Finish { choice: 0, reason, .. } => self.finish = Some(*reason),
            Event::Usage(usage) => self.usage = Some(*usage),
            // A comment: clients skip it, and whatever is between sees that the stream lives.
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Error(error) => self.fail(error, out),
            Event::End => {
                self.start(out);
                let state = self.state();
                self.close_all(out, state.name());
                self.over = true;
                let name = match state {
                    State::Incomplete(_) => "response.incomplete",
                    _ => "response.completed",
                };
                self.told(out, name, state);
            }
            // A response of this API has one answer.
            _ => {}
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>, id: &str, model: &str, created: Option<u64>, tier: Option<&str>) {
        if self.head.is_empty() {
            self.head = head(&self.asked, id, model, created, tier);
            self.told(out, "response.created", State::InProgress);
            self.told(out, "response.in_progress", State::InProgress);
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        self.begin(out, "", "", None, None);
    }

    /// Begins an event whose data ends with `}\n\n`.
    fn name(&mut self, out: &mut Vec<u8>, name: &str, more: &str) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(more.as_bytes());
        out.extend_from_slice(b"\ndata: {\"type\":\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(more.as_bytes());
        out.push(b'"');
        put::number(out, "sequence_number", self.number);
        self.number = self.number.saturating_add(1);
    }

    /// An event that has the response.
    fn told(&mut self, out: &mut Vec<u8>, name: &str, state: State<'_>) {
        self.name(out, name, "");
        put::field(out, "response");
        self.object(out, state);
        out.extend_from_slice(b"}\n\n");
    }

    fn fail(&mut self, failure: &Error, out: &mut Vec<u8>) {
        self.over = true;
        self.name(out, "error", "");
        error(out, failure);
        out.extend_from_slice(b"}\n\n");
        if !self.head.is_empty() {
            self.told(out, "response.failed", State::Failed(failure));
        }
    }

    /// Where an event belongs: the item's id, and its place.
    fn place(&self, out: &mut Vec<u8>, prefix: &str, index: usize) {
        put::field(out, "item_id");
        item_id(out, prefix, &self.asked.id, index);
        put::number(out, "output_index", index as u64);
    }

    fn new_item(&mut self) -> usize {
        self.items.push(Vec::new());
        self.items.len().saturating_sub(1)
    }

    /// `item`: writes it.
    fn item_event(&mut self, out: &mut Vec<u8>, what: &str, index: usize, item: &[u8]) {
        self.name(out, "response.output_item.", what);
        put::number(out, "output_index", index as u64);
        put::field(out, "item");
        out.extend_from_slice(item);
        out.extend_from_slice(b"}\n\n");
    }

    /// The item of that kind is open.
    fn ensure(&mut self, out: &mut Vec<u8>, kind: Kin) {
        if self.open.as_ref().is_some_and(|open| open.kind == kind) {
            return;
        }
        self.start(out);
        self.close_open(out, "completed");
        let index = self.new_item();
        let open = Open { index, kind, parts: Vec::new(), count: 0, part: None, seal: Vec::new() };
        let mut item = Vec::new();
        open.write(&mut item, &self.asked.id, "in_progress");
        self.item_event(out, "added", index, &item);
        self.open = Some(open);
    }

    /// The part of that kind is open.
    fn ensure_part(&mut self, out: &mut Vec<u8>, what: What) {
        self.ensure(out, if what == What::Summary { Kin::Reasoning } else { Kin::Message });
        let same = |part: &Piece| part.what == what;
        if self.open.as_ref().and_then(|open| open.part.as_ref()).is_some_and(same) {
            return;
        }
        self.close_part(out);
        let piece = Piece {
            what,
            text: Vec::new(),
            chars: 0,
            block: 0,
            annotations: Vec::new(),
            cited: 0,
            logprobs: Vec::new(),
        };
        self.part_event(out, "added", &piece);
        if let Some(open) = &mut self.open {
            open.part = Some(piece);
        }
    }

    fn part_event(&mut self, out: &mut Vec<u8>, happens: &str, piece: &Piece) {
        let name =
            if piece.what == What::Summary { "response.reasoning_summary_part." } else { "response.content_part." };
        self.name(out, name, happens);
        self.part_place(out, piece.what);
        put::field(out, "part");
        piece.write(out);
        out.extend_from_slice(b"}\n\n");
    }

    fn part_place(&self, out: &mut Vec<u8>, what: What) {
        if let Some(open) = &self.open {
            self.place(out, open.kind.prefix(), open.index);
            put::number(out, what.names().1, open.count);
        }
    }

    fn words(&mut self, out: &mut Vec<u8>, what: What, words: &str) {
        if words.is_empty() {
            return;
        }
        self.ensure_part(out, what);
        self.name(out, what.names().0, ".delta");
        self.part_place(out, what);
        put::field(out, "delta");
        out.push(b'"');
        let start = out.len();
        escape(out, words);
        let probabilities = std::mem::take(&mut self.logprobs);
        if let Some(piece) = self.open.as_mut().and_then(|open| open.part.as_mut()) {
            let text = out.get(start..).unwrap_or_default();
            piece.text.extend_from_slice(text);
            piece.chars = piece.chars.saturating_add(words.chars().count() as u64);
            self.held = self.held.saturating_add(text.len());
            piece.probabilities(&probabilities);
        }
        out.push(b'"');
        if what == What::Text {
            put::raw(out, "logprobs", "[");
            out.extend_from_slice(&probabilities);
            out.push(b']');
        }
        out.extend_from_slice(b"}\n\n");
    }

    fn cite(&mut self, out: &mut Vec<u8>, citation: &Citation) {
        if citation.url.is_none() {
            return;
        }
        self.ensure_part(out, What::Text);
        self.name(out, "response.output_text.annotation", ".added");
        self.part_place(out, What::Text);
        let Some(piece) = self.open.as_mut().and_then(|open| open.part.as_mut()) else { return };
        put::number(out, "annotation_index", piece.cited);
        put::field(out, "annotation");
        let start = out.len();
        annotation(out, citation, (piece.block, piece.chars));
        let written = out.get(start..).unwrap_or_default();
        self.held = self.held.saturating_add(written.len());
        join(&mut piece.annotations, written);
        piece.cited = piece.cited.saturating_add(1);
        out.extend_from_slice(b"}\n\n");
    }

    fn seal(&mut self, out: &mut Vec<u8>, sealed: &str, mark: Mark) {
        self.ensure(out, Kin::Reasoning);
        if let Some(open) = &mut self.open {
            open.seal.clear();
            thinking::encrypted(&mut open.seal, sealed, mark);
            // It follows others.
            open.seal.insert(0, b',');
            self.held = self.held.saturating_add(open.seal.len());
        }
    }

    fn close_part(&mut self, out: &mut Vec<u8>) {
        let Some(mut piece) = self.open.as_mut().and_then(|open| open.part.take()) else { return };
        if piece.what == What::Text {
            let rest = std::mem::take(&mut self.logprobs);
            piece.probabilities(&rest);
        }
        let (name, _, text) = piece.what.names();
        self.name(out, name, ".done");
        self.part_place(out, piece.what);
        escaped(out, text, &piece.text);
        if piece.what == What::Text {
            put::raw(out, "logprobs", "[");
            out.extend_from_slice(&piece.logprobs);
            out.push(b']');
        }
        out.extend_from_slice(b"}\n\n");
        self.part_event(out, "done", &piece);
        if let Some(open) = &mut self.open {
            put::comma(&mut open.parts);
            piece.write(&mut open.parts);
            open.count = open.count.saturating_add(1);
        }
    }

    fn close_open(&mut self, out: &mut Vec<u8>, state: &str) {
        self.close_part(out);
        let Some(open) = self.open.take() else { return };
        let mut item = Vec::new();
        open.write(&mut item, &self.asked.id, state);
        self.done(out, open.index, item);
    }

    fn done(&mut self, out: &mut Vec<u8>, index: usize, item: Vec<u8>) {
        self.item_event(out, "done", index, &item);
        if let Some(place) = self.items.get_mut(index) {
            *place = item;
        }
    }

    fn call(&mut self, out: &mut Vec<u8>, tool: u32, id: &str, name: &str) {
        self.start(out);
        self.close_open(out, "completed");
        let index = self.new_item();
        let mut names = b",\"call_id\":".to_vec();
        match id {
            "" => quote(&mut names, &made_call(&self.asked.id, tool)),
            id => quote(&mut names, id),
        }
        put::text(&mut names, "name", name);
        let call = Call { tool, index, names, name: name.to_owned(), arguments: Vec::new() };
        let mut item = Vec::new();
        call.write(&mut item, &self.asked.id, "in_progress");
        self.item_event(out, "added", index, &item);
        self.held = self.held.saturating_add(item.len());
        self.calls.push(call);
    }

    fn arguments(&mut self, out: &mut Vec<u8>, tool: u32, json: &str) {
        let Some(at) = self.calls.iter().position(|call| call.tool == tool) else { return };
        let Some(index) = self.calls.get(at).map(|call| call.index).filter(|_| !json.is_empty()) else { return };
        self.name(out, "response.function_call_arguments", ".delta");
        self.place(out, "fc_", index);
        put::field(out, "delta");
        out.push(b'"');
        let start = out.len();
        escape(out, json);
        if let Some(call) = self.calls.get_mut(at) {
            let text = out.get(start..).unwrap_or_default();
            call.arguments.extend_from_slice(text);
            self.held = self.held.saturating_add(text.len());
        }
        out.extend_from_slice(b"\"}\n\n");
    }

    fn close_call(&mut self, out: &mut Vec<u8>, mut call: Call, state: &str) {
        if call.arguments.is_empty() {
            // Clients parse the arguments, and no text at all is no JSON.
            call.arguments.extend_from_slice(b"{}");
        }
        self.name(out, "response.function_call_arguments", ".done");
        self.place(out, "fc_", call.index);
        put::text(out, "name", &call.name);
        escaped(out, "arguments", &call.arguments);
        out.extend_from_slice(b"}\n\n");
        let mut item = Vec::new();
        call.write(&mut item, &self.asked.id, state);
        self.done(out, call.index, item);
    }

    /// The provider says that the block that began last is whole.
    fn block_end(&mut self, out: &mut Vec<u8>) {
        match &mut self.open {
            // Texts that follow each other are one.
            Some(Open { kind: Kin::Message, part, .. }) => {
                if let Some(piece) = part {
                    piece.block = piece.chars;
                }
            }
            Some(_) => self.close_open(out, "completed"),
            None => {
                if let Some(call) = self.calls.pop() {
                    self.close_call(out, call, "completed");
                }
            }
        }
    }

    fn close_all(&mut self, out: &mut Vec<u8>, state: &str) {
        for call in std::mem::take(&mut self.calls) {
            self.close_call(out, call, state);
        }
        self.close_open(out, state);
    }
}
