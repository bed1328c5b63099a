//! What an answer says, whatever API says it.

use crate::Checked;
use crate::json::{Value, arguments};
use sluice::chat::{Answer, Event, Finish, Part, Usage};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    pub choices: Vec<Choice>,
    pub usage: Option<Usage>,
    pub model: String,
    pub ending: Ending,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    pub text: String,
    pub refusal: String,
    pub thinking: String,
    pub calls: Vec<Call>,
    pub end: End,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    pub name: String,
    pub arguments: Value,
}

impl Call {
    pub fn new(name: &str, json: &str) -> Self {
        Self { name: name.to_owned(), arguments: arguments(json) }
    }
}

/// APIs that have room for one answer.
const ONE_ANSWER: [&str; 5] = ["anthropic", "bedrock", "cohere", "ollama", "openai-responses"];

/// APIs whose answers do not name the model.
const NAMELESS: [&str; 2] = ["bedrock", "cohere"];

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum End {
    #[default]
    Stop,
    Length,
    Calls,
    Refused,
    Pause,
}

/// How a stream ended. A whole answer is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Ending {
    #[default]
    Whole,
    Failed,
}

impl Facts {
    pub fn choice(&mut self, index: usize) -> &mut Choice {
        if self.choices.len() <= index {
            self.choices.resize(index + 1, Choice::default());
        }
        &mut self.choices[index]
    }

    /// What is left of it in another API that has room for one answer, or no word for some ending.
    pub fn across(mut self, to: &str) -> Self {
        if ONE_ANSWER.contains(&to) {
            self.choices.truncate(1);
        }
        for choice in &mut self.choices {
            if to != "anthropic" && choice.end == End::Pause {
                choice.end = End::Stop;
            }
            // A response that failed does not say why it would have ended.
            if to == "openai-responses" && self.ending == Ending::Failed {
                choice.end = End::Stop;
            }
            // The word for a failure is in the reason's place.
            if matches!(to, "bedrock" | "cohere" | "gemini" | "ollama") && self.ending == Ending::Failed {
                choice.end = End::Stop;
            }
            // Not every API keeps apart what a model says and how it declines.
            choice.text.push_str(&std::mem::take(&mut choice.refusal));
        }
        if self.ending == Ending::Failed {
            // Of a stream that fails at once, some begin an answer and name the model.
            self.choices.retain(|choice| *choice != Choice::default());
        }
        // What images took is for prices: no client of another API is told.
        let mut usage = Usage { image_input: 0, image_output: 0, ..self.usage.unwrap_or_default() };
        if to == "anthropic" {
            (usage.audio_input, usage.audio_output) = (0, 0);
            // An aggregator reports the same tokens as read and as written; here they add up.
            usage.cache_write = usage.cache_write.min(usage.input.saturating_sub(usage.cached_input));
        }
        if to == "bedrock" {
            let cache_write = usage.cache_write.min(usage.input.saturating_sub(usage.cached_input));
            usage = Usage { reasoning: 0, audio_input: 0, audio_output: 0, cache_write, ..usage };
            if self.ending == Ending::Failed {
                usage = Usage::default();
            }
        }
        if to == "openai-responses" {
            (usage.audio_input, usage.audio_output) = (0, 0);
            if self.ending == Ending::Failed {
                usage = Usage::default();
            }
        }
        if matches!(to, "gemini" | "ollama") && self.ending == Ending::Failed {
            usage = Usage::default();
        }
        if to == "gemini" {
            usage.cache_write = 0;
            usage.reasoning = usage.reasoning.min(usage.output);
        }
        if matches!(to, "cohere" | "ollama") {
            let cached = if to == "cohere" { usage.cached_input.min(usage.input) } else { 0 };
            usage = Usage { input: usage.input, cached_input: cached, output: usage.output, ..Usage::default() };
        }
        self.usage = Some(usage);
        if NAMELESS.contains(&to) || (self.ending == Ending::Failed && self.choices.is_empty()) {
            self.model = String::new();
        } else if self.model.is_empty() {
            self.model = crate::answer::asked().model;
        }
        self
    }

    pub fn same_as(&self, got: &Self, what: &str) -> Checked {
        if self == got {
            return Ok(());
        }
        let (want, got) = (format!("{self:#?}"), format!("{got:#?}"));
        let differ = want.lines().zip(got.lines()).find(|(want, got)| want != got);
        let (want, got) = differ.unwrap_or((&want, &got));
        Err(format!("{what}: {} is {}", crate::json::start(want.trim()), crate::json::start(got.trim())))
    }
}

impl From<Finish> for End {
    fn from(finish: Finish) -> Self {
        match finish {
            Finish::Stop | Finish::StopSequence => Self::Stop,
            Finish::Length | Finish::ContextFull => Self::Length,
            Finish::ToolCalls => Self::Calls,
            Finish::Filtered | Finish::Refusal => Self::Refused,
            Finish::Pause => Self::Pause,
        }
    }
}

/// What a reader makes of a whole answer.
pub fn of_answer(answer: &Answer) -> Facts {
    let mut facts = Facts { model: answer.model.clone(), usage: answer.usage, ..Facts::default() };
    for (index, from) in answer.choices.iter().enumerate() {
        let choice = facts.choice(index);
        choice.end = from.finish.map(End::from).unwrap_or_default();
        for part in &from.parts {
            match part {
                Part::Text { text, .. } => choice.text.push_str(text),
                Part::Refusal { text } => choice.refusal.push_str(text),
                Part::Thinking { text, .. } => choice.thinking.push_str(text),
                Part::ToolCall { name, arguments, .. } => choice.calls.push(Call::new(name, arguments)),
                _ => {}
            }
        }
    }
    facts
}

/// Puts a stream's events together.
#[derive(Default)]
pub struct Fold {
    facts: Facts,
    calls: Vec<(u32, u32, String, String)>,
    started: usize,
    endings: usize,
    late: usize,
}

impl Fold {
    pub fn take(&mut self, event: &Event<'_>) {
        if self.endings > 0 {
            self.late += 1;
        }
        match event {
            Event::Start { model, usage, .. } => {
                self.started += 1;
                self.facts.model = model.to_string();
                self.facts.usage = *usage;
            }
            Event::Text { choice, text } => self.facts.choice(*choice as usize).text.push_str(text),
            Event::Refusal { choice, text } => self.facts.choice(*choice as usize).refusal.push_str(text),
            Event::Thinking { choice, text } => self.facts.choice(*choice as usize).thinking.push_str(text),
            Event::ToolStart { choice, tool, name, .. } => {
                self.calls.push((*choice, *tool, name.to_string(), String::new()));
            }
            Event::ToolArguments { choice, tool, json } => {
                let call = self.calls.iter_mut().find(|call| (call.0, call.1) == (*choice, *tool));
                call.unwrap().3.push_str(json);
            }
            Event::Finish { choice, reason, .. } => self.facts.choice(*choice as usize).end = (*reason).into(),
            Event::Usage(usage) => self.facts.usage = Some(*usage),
            Event::Error(_) => {
                self.endings += 1;
                self.facts.ending = Ending::Failed;
            }
            Event::End => self.endings += 1,
            _ => {}
        }
    }

    /// One ending, nothing after it, at most one start.
    pub fn facts(mut self) -> Result<Facts, String> {
        if self.endings != 1 || self.late > 0 || self.started > 1 {
            return Err(format!("{} starts, {} endings, {} events after", self.started, self.endings, self.late));
        }
        for (choice, _, name, json) in std::mem::take(&mut self.calls) {
            self.facts.choice(choice as usize).calls.push(Call::new(&name, &json));
        }
        Ok(self.facts)
    }
}
