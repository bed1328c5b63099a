//! What a request comes to before anything is answered.

use super::Encoding::{Cl100k, O200k};
use super::count::{Budget, Count, Measured};
use super::media;
use super::model::Model;
use super::tools;
use super::weigh::{self, Tally};
use crate::chat::{Effort, Format, Part, Raw, Request, Role, Source, Tool, ToolChoice, Turn, file_text, is_text};

/// The tokens of a request's input. Exact for plain chat with models whose encoding is published.
///
/// The upper bound holds for the text; for what providers add around it, which they do not publish, it leaves room.
pub fn prompt(request: &Request, model: Model, budget: &mut Budget) -> Count {
    Prompt::new(request).count(model, budget)
}

/// What an answer's schema comes to less in the Responses API.
const RESPONSES_FORMAT: u64 = 8;

/// What OpenAI adds if a tool is named that must be called, and for two calls in one turn of a chat.
const NAMED: u64 = 9;
const TOGETHER: u64 = 18;

/// Instructions that are empty come to at most so much.
const UNSAID: u64 = 64;

/// Bytes that are sealed for each token of them: as a rule, and at least.
const SEALED: u64 = 7;
const LEAST_SEALED: u64 = 3;

/// Room that is left where the text is estimated, and a part of what stands before it; for what an answer's schema may become.
const ROOM: u64 = 8;
const BASE_ROOM: u16 = 16;
const FORMAT: u64 = 128;

/// Parts that are a film or a document of which the size is not known.
const ADDRESSED: [&str; 3] = ["file", "bedrock:document", "bedrock:video"];

/// Base64 of all documents of text that are read; what is more is known by its bytes.
const MAX_DECODED: usize = 64 << 10;

/// What OpenAI writes around a file of text.
const FILE: u64 = 32;

/// What open models are told whose answer is to be JSON.
const JSON: u64 = 20;

/// Servers of open models tell them of tools in words of their own: Groq's once were 730 tokens longer than others'.
const OPEN_TOOLS: u64 = 512;

/// What Claude is told of the tokens it may use.
const TASK_BUDGET: u64 = 37;

/// What stands around an item that is not known here; what an item that the provider made for itself has.
const ITEM: u64 = 60;
const ENCRYPTED: &str = "\"encrypted_content\"";

/// Texts that are remembered for another model: long conversations have no more, and a body of empty texts no memory.
const MAX_SHARED: usize = 256;

/// Bytes that members have which no model reads: flags, identifiers.
const ORDINARY: usize = 256;

/// A request that is counted for one model after another: what `o200k_base` says of its texts is asked once.
pub struct Prompt<'r> {
    request: &'r Request,
    /// There is more than one.
    shared: bool,
    measured: Vec<Measured<Tally>>,
}

/// The same of a request that is nothing but text, of so many messages and bytes: no text has more tokens than bytes, but for some in
/// families that are estimated.
pub fn plain(model: Model, turns: u64, bytes: usize) -> Count {
    let (rule, bytes) = (model.rule, bytes as u64);
    let turn = u64::from(rule.turn.max(rule.system)).saturating_add(rule.said.into());
    let around = turns.saturating_mul(turn).saturating_add(rule.base.into());
    let room = match rule.encoding {
        Some(_) => 0,
        None => u64::from(rule.base.div_ceil(BASE_ROOM).saturating_add(rule.thinking.into()))
            .saturating_add(rule.unsaid.into())
            .saturating_add(ROOM)
            .saturating_add(weigh::above(bytes)),
    };
    Count::estimate(around.saturating_add(bytes / 4), around.saturating_add(bytes).saturating_add(room))
}

impl<'r> Prompt<'r> {
    pub fn new(request: &'r Request) -> Self {
        Self { request, shared: false, measured: Vec::new() }
    }

    /// For several models.
    pub fn shared(request: &'r Request) -> Self {
        Self { shared: true, ..Self::new(request) }
    }

    pub fn count(&mut self, model: Model, budget: &mut Budget) -> Count {
        let Self { request, shared, measured } = self;
        count(request, model, budget, shared.then_some(measured))
    }
}

fn count(request: &Request, model: Model, budget: &mut Budget, shared: Option<&mut Vec<Measured<Tally>>>) -> Count {
    let rule = model.rule;
    let mut sum = Sum {
        model,
        budget,
        shared,
        texts: 0,
        count: Count::Exact(rule.base.into()),
        around: 0,
        before: false,
        result: false,
        decoded: 0,
    };
    // Where tools' results are all that follows, what was thought before is part of it.
    let asked = |turn: &Turn| matches!(turn.role, Role::User) && !turn.parts.iter().all(is_result);
    let last = request.turns.iter().rposition(asked);
    for (at, turn) in request.turns.iter().enumerate() {
        sum.before = last.is_some_and(|last| at <= last);
        sum.turn(turn);
    }
    let cited = |part: &Part| matches!(part, Part::Document { citations: Some(true), .. });
    if request.turns.iter().any(|turn| turn.parts.iter().any(cited)) {
        sum.around(rule.cited.into());
    }
    let empty = |part: &Part| matches!(part, Part::Text { text, .. } if text.is_empty());
    let unsaid = |turn: &Turn| turn.role == Role::System && turn.parts.iter().all(empty);
    if rule.media.is_open() && rule.unsaid > 0 {
        sum.add(Count::estimate(if model.responses { rule.unsaid.into() } else { 0 }, rule.unsaid.into()));
    } else if model.responses && request.turns.first().is_some_and(unsaid) {
        sum.add(Count::estimate(rule.unsaid.into(), UNSAID));
    }
    if !request.tools.is_empty() {
        sum.tools(request);
    }
    match &request.format {
        Some(Format::JsonSchema { schema, .. }) => {
            let less = if model.responses { RESPONSES_FORMAT } else { 0 };
            sum.around(u64::from(rule.format).saturating_sub(less));
            sum.text_times(schema.get(), rule.format_text);
            // Where the API has none, its place is taken by a tool or by words.
            sum.room(FORMAT.saturating_add(rule.tools.into()));
        }
        Some(Format::JsonObject) if rule.media.is_open() => sum.around(JSON),
        _ => {}
    }
    sum.extra(&request.extra);
    match request.reasoning.as_ref().filter(|how| how.effort != Some(Effort::None)) {
        Some(how) => sum.around(if how.adaptive { rule.adaptive } else { rule.thinking }.into()),
        None => sum.room(rule.thinking.into()),
    }
    sum.room(u64::from(rule.base.div_ceil(BASE_ROOM)).saturating_add(ROOM));
    let around = Count::estimate(sum.around, sum.around.saturating_mul(2));
    if sum.around == 0 { sum.count } else { sum.count.plus(around) }
}

struct Sum<'a> {
    model: Model,
    budget: &'a mut Budget,
    /// By the place of a text in the request.
    shared: Option<&'a mut Vec<Measured<Tally>>>,
    texts: usize,
    count: Count,
    /// Part of what the provider adds: as much again is left as room.
    around: u64,
    /// The client has spoken since this turn.
    before: bool,
    /// A tool brought this part.
    result: bool,
    /// Base64 of documents of text so far.
    decoded: usize,
}

fn is_result(part: &Part) -> bool {
    matches!(part, Part::ToolResult { .. })
}

impl Sum<'_> {
    #[inline(never)]
    fn add(&mut self, count: Count) {
        self.count = self.count.plus(count);
    }

    fn around(&mut self, tokens: u64) {
        self.around = self.around.saturating_add(tokens);
    }

    #[inline(never)]
    fn text(&mut self, text: &str) {
        let count = self.counted(text);
        self.add(count);
    }

    /// Text that a provider counts or does not.
    #[inline(never)]
    fn perhaps(&mut self, text: &str) {
        let upper = self.counted(text).upper();
        self.add(Count::estimate(0, upper));
    }

    /// Called for the same texts in the same order, whatever the model.
    #[inline(never)]
    fn counted(&mut self, text: &str) -> Count {
        let place = self.texts;
        self.texts = place.saturating_add(1);
        let shared = self.shared.as_mut().filter(|_| place < MAX_SHARED && self.model.encoding() != Some(Cl100k));
        let Some(shared) = shared else { return self.model.text(text, self.budget) };
        let known = shared.get(place).copied();
        let measured = known.unwrap_or_else(|| {
            let new = Measured::of(O200k, text, self.budget);
            shared.push(new);
            new
        });
        self.model.of_measured(&measured, text.len())
    }

    /// What so many bytes that the provider sealed likely come to.
    fn unsealed(&self, bytes: usize) -> u64 {
        let [none, hundredths] = self.model.rule.sealed;
        (bytes as u64).saturating_sub(none.into()).saturating_mul(hundredths.into()) / 100
    }

    fn sealed(&mut self, bytes: usize) {
        if bytes > 0 {
            self.add(Count::estimate(self.unsealed(bytes), bytes as u64 / LEAST_SEALED));
        }
    }

    /// Members that are not known here, which the model may read all the same: a template, documents, a text that is to be followed.
    fn extra(&mut self, all: &[(String, Raw)]) {
        let flags = all.iter().fold(0_usize, |sum, (_, raw)| sum.saturating_add(raw.get().len())) <= ORDINARY;
        for (name, raw) in all {
            match name.as_str() {
                "thoughtSignature" => self.sealed(raw.get().len()),
                "task_budget" => self.around(TASK_BUDGET),
                // A conversation that the provider made shorter.
                "input" if raw.get().contains(ENCRYPTED) => {
                    let bytes = raw.get().len() as u64;
                    self.add(Count::estimate(bytes / SEALED, bytes / LEAST_SEALED));
                }
                // Another item of it, such as tools that are loaded in its course.
                "input" => {
                    self.around(ITEM);
                    self.text(raw.get());
                }
                _ if flags => {}
                _ => self.perhaps(raw.get()),
            }
        }
    }

    /// More that a provider may add where the text is estimated.
    fn room(&mut self, tokens: u64) {
        if self.model.encoding().is_none() {
            self.add(Count::estimate(0, tokens));
        }
    }

    /// Text that the provider writes in another way: hundredths.
    fn text_times(&mut self, text: &str, hundredths: u8) {
        let count = self.model.text(text, self.budget);
        let times = |tokens: u64| tokens.saturating_mul(hundredths.into()).div_ceil(100);
        self.add(Count::estimate(times(count.likely()), times(count.upper()).max(count.upper()).saturating_add(8)));
        self.room(count.likely());
    }

    fn turn(&mut self, turn: &Turn) {
        let rule = self.model.rule;
        let has_text = |part: &Part| matches!(part, Part::Text { .. });
        let around = match turn.role {
            Role::System | Role::Developer => rule.system,
            Role::Assistant if turn.parts.iter().any(has_text) => rule.turn.saturating_add(rule.said),
            _ => rule.turn,
        };
        self.add(Count::Exact(around.into()));
        // Recorded calls to the Responses API have a token more now and then.
        if self.model.responses && turn.role == Role::Assistant {
            self.add(Count::estimate(0, 1));
        }
        if let Some(name) = &turn.name {
            self.add(Count::estimate(1, 2));
            self.text(name);
        }
        let calls = turn.parts.iter().filter(|part| matches!(part, Part::ToolCall { .. })).count();
        if calls > 1 && self.model.encoding().is_some() && rule.tools_chat == 0 && !self.model.responses {
            self.around(TOGETHER);
        }
        // Between the parts of a turn a provider may put what it likes.
        if turn.parts.len() > 1 {
            self.add(Count::estimate(0, turn.parts.len() as u64));
        }
        for part in &turn.parts {
            match part {
                Part::Text { text, .. } if turn.role == Role::Assistant => self.said(text),
                _ => self.part(part),
            }
        }
    }

    /// What open models thought stands in their answer, and their templates leave it out of the next call.
    fn said(&mut self, text: &str) {
        let whole = self.counted(text);
        let known = self.model.encoding().is_some() || !text.starts_with("<think>");
        let thought = text.split_once("</think>").filter(|_| !known).map_or("", |(thought, _)| thought);
        let left_out = self.model.text(thought, self.budget).likely();
        self.add(match whole {
            Count::Exact(_) if left_out == 0 => whole,
            _ => Count::estimate(whole.likely().saturating_sub(left_out), whole.upper()),
        });
    }

    fn part(&mut self, part: &Part) {
        let (model, rule) = (self.model, self.model.rule);
        match part {
            Part::Text { text, .. } | Part::Refusal { text } => self.text(text),
            Part::Image { source, detail, .. } => self.add(media::image(model, source, detail.as_deref())),
            Part::Document { source, name, context, .. } => {
                match (source, self.file(source)) {
                    (Source::Text(text), _) => {
                        self.around(rule.document.into());
                        self.text(text);
                    }
                    (_, Some(text)) => self.text(&text),
                    (_, None) => self.add(media::document(model, source, self.result)),
                }
                for text in [name, context].into_iter().flatten() {
                    self.perhaps(text);
                }
            }
            Part::Audio { data, .. } => self.add(media::audio(model, data)),
            Part::ToolCall { name, arguments, signature, .. } => {
                let bytes = signature.as_ref().map_or(0, String::len);
                match self.before && rule.forgets {
                    true => self.add(Count::estimate(0, bytes as u64 / LEAST_SEALED)),
                    false => self.sealed(bytes),
                }
                self.around(rule.call.saturating_add(model.responses.into()).into());
                self.text(name);
                self.text(arguments);
            }
            Part::ToolResult { parts, .. } => {
                self.around(rule.result.into());
                self.result = true;
                parts.iter().for_each(|part| self.part(part));
                self.result = false;
            }
            Part::Thinking { text, signature } => {
                let text = self.counted(text);
                let bytes = signature.as_ref().map_or(0, String::len);
                // A signature seals all of what is shown a summary of.
                let thought = if self.before { rule.thought } else { rule.thought.max(100) };
                let likely = (text.likely().saturating_mul(thought.into()) / 100).max(self.unsealed(bytes));
                self.add(Count::estimate(likely, text.upper().max(bytes as u64 / LEAST_SEALED)));
            }
            Part::Redacted { data } => self.sealed(data.len()),
            // A film or a sound by its address alone.
            Part::Other { kind, .. } if ADDRESSED.iter().any(|known| kind.starts_with(known)) => {
                self.add(media::document(model, &Source::File(String::new()), false));
            }
            // Such as tools that are loaded in the course of a conversation.
            Part::Other { raw, .. } => {
                self.text(raw.get());
                self.room(rule.tools.into());
            }
        }
    }

    /// The text of a file of text, as long as they are short: the same files whatever the model.
    fn file(&mut self, source: &Source) -> Option<String> {
        let (media_type, data) = source.inline().filter(|(media_type, _)| is_text(media_type))?;
        self.around(if self.model.encoding().is_some() { FILE } else { self.model.rule.document.into() });
        self.decoded = self.decoded.saturating_add(data.len());
        if self.decoded <= MAX_DECODED { file_text(media_type, data) } else { None }
    }

    fn tools(&mut self, request: &Request) {
        let (rule, exact) = (self.model.rule, self.model.encoding().is_some());
        self.around(match &request.tool_choice {
            Some(ToolChoice::Named(_)) if exact && rule.tools_chat == 0 => NAMED,
            Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { .. }) => rule.forced.into(),
            _ => 0,
        });
        self.around(u64::from(rule.tool).saturating_mul(request.tools.len() as u64));
        if rule.media.is_open() {
            self.room(OPEN_TOOLS);
        }
        let known = |tool: &&Tool| exact && tool.vendor.is_none();
        let schema = |tool: &Tool| tool.schema.as_ref().map_or(0, |schema| schema.get().len()) as u64;
        let bytes = request.tools.iter().filter(known).map(schema).fold(0, u64::saturating_add);
        // Reading and writing a schema anew takes about so long.
        let written = exact && self.budget.take(bytes.saturating_mul(20));
        if written {
            self.definitions(request, bytes);
        } else {
            self.around(rule.tools.saturating_add(rule.tools_chat.into()).into());
        }
        for tool in request.tools.iter().filter(|tool| !(written && known(tool))) {
            let schema = tool.schema.as_ref().map(|schema| schema.get());
            for text in [Some(tool.name.as_str()), tool.description.as_deref(), schema].into_iter().flatten() {
                self.text_times(text, rule.tool_text);
            }
        }
    }

    /// As OpenAI writes them: all in one text.
    fn definitions(&mut self, request: &Request, bytes: u64) {
        let (rule, mut text, mut less) = (self.model.rule, tools::BEFORE.to_owned(), 0_u64);
        for tool in request.tools.iter().filter(|tool| tool.vendor.is_none()) {
            let schema = tool.schema.as_ref().map(|schema| schema.get());
            let bare = tools::define(&mut text, &tool.name, tool.description.as_deref(), schema);
            less = less.saturating_add(u64::from(bare));
        }
        text.push_str(tools::AFTER);
        self.text_times(&text, 100);
        // What a schema says beyond types is written in ways that are not known.
        let rest = bytes.saturating_sub(text.len() as u64) / 4;
        self.add(Count::estimate(0, rest.max(text.len() as u64 / 32).saturating_add(8)));
        let described =
            request.tools.first().is_some_and(|tool| tool.description.as_ref().is_some_and(|d| !d.is_empty()));
        let more = match (u64::from(rule.tools_chat), self.model.responses) {
            (0, true) => {
                less = less.saturating_add(6);
                0
            }
            // What stands around the tools goes into the system's turn, if there is one.
            (0, false) => {
                let system = |turn: &Turn| matches!(turn.role, Role::System | Role::Developer);
                less = less.saturating_add(if request.turns.iter().any(system) { 4 } else { 0 });
                0
            }
            (more, true) => {
                self.add(Count::estimate(0, more));
                u64::from(described)
            }
            (more, false) => u64::from(described).saturating_add(more),
        };
        self.around(more.saturating_add(rule.tools.into()));
        self.around = self.around.saturating_sub(less);
    }
}
