//! What to answer, in no API's words: text, tool calls, reasoning, and their count.

use serde_json::{Value, json};

use crate::faults::Shape;
use crate::schema;

/// Longest part of the user's text (or of a tool's result) that an answer repeats, in characters.
const QUOTED: usize = 200;
/// Characters of one delta of JSON.
const JSON_DELTA: usize = 12;
const FILLER: &[&str] = &["steady ", "words ", "stand ", "in ", "for ", "what ", "a ", "model ", "says "];
const THOUGHT: &str = "The stand-in weighs the question, finds it simple, and decides to repeat it back. ";

/// What a request asks for.
#[derive(Default)]
pub struct Prompt {
    /// The text of the last turn.
    pub text: String,
    /// The last turn gives the results of tools.
    pub result: bool,
    pub tools: Vec<Tool>,
    pub choice: Choice,
    /// At most one call.
    pub single: bool,
    pub json: Option<Format>,
    /// Tokens to think for; 0: none.
    pub reasoning: usize,
    pub max_tokens: Option<u64>,
    pub stop: Vec<String>,
}

pub struct Tool {
    pub name: String,
    pub schema: Value,
}

#[derive(Default, PartialEq)]
pub enum Choice {
    #[default]
    Auto,
    None,
    Any,
    Named(String),
}

pub enum Format {
    Object,
    Schema(Value),
}

/// Each list holds the deltas: one is one token.
#[derive(Debug, Default)]
pub struct Answer {
    pub thinking: Vec<String>,
    pub text: Vec<String>,
    pub calls: Vec<Call>,
    pub finish: Finish,
}

#[derive(Debug)]
pub struct Call {
    pub name: String,
    pub arguments: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Finish {
    #[default]
    Stop,
    Sequence(String),
    Length,
    Calls,
    Refusal,
}

impl Answer {
    pub fn tokens(&self) -> usize {
        let calls: usize = self.calls.iter().map(|call| call.arguments.len()).sum();
        self.thinking.len().saturating_add(self.text.len()).saturating_add(calls)
    }
}

/// `nth` (from 0) is which of several answers.
pub fn answer(prompt: &Prompt, shape: &Shape, nth: usize) -> Answer {
    let mut answer = Answer { thinking: thought(prompt.reasoning), ..Answer::default() };
    if shape.events.is_some() || shape.bytes.is_some() {
        answer.text = filler(shape);
    } else if shape.refusal {
        answer.text = words("The stand-in declines to answer this.");
        answer.finish = Finish::Refusal;
    } else if let calls @ [_, ..] = called(prompt).as_slice() {
        answer.calls = calls.iter().enumerate().map(|(at, tool)| call(tool, at)).collect();
        answer.finish = Finish::Calls;
    } else {
        answer.text = match &prompt.json {
            Some(Format::Schema(schema)) => pieces(&schema::value(schema, 0).to_string(), JSON_DELTA),
            Some(Format::Object) => pieces(&json!({"answer": spoken(prompt, nth)}).to_string(), JSON_DELTA),
            None => words(&spoken(prompt, nth)),
        };
    }
    stop(&mut answer, &prompt.stop);
    limit(&mut answer, prompt.max_tokens);
    answer
}

fn spoken(prompt: &Prompt, nth: usize) -> String {
    let quoted: String = prompt.text.chars().take(QUOTED).collect();
    let said = if prompt.result { "The tool returned" } else { "Stand-in answer to" };
    let which = if nth > 0 { format!(" ({})", nth.saturating_add(1)) } else { String::new() };
    format!("{said}: {quoted}{which}")
}

/// The tools to call: one that is forced, those the user names, two of them for a user who says "parallel".
fn called(prompt: &Prompt) -> Vec<&Tool> {
    let forced = matches!(prompt.choice, Choice::Any | Choice::Named(_));
    if prompt.choice == Choice::None || (prompt.result && !forced) {
        return Vec::new();
    }
    let named = |tool: &&Tool| match &prompt.choice {
        Choice::Named(name) => tool.name == *name,
        _ => prompt.text.contains(&tool.name),
    };
    let mut tools: Vec<&Tool> = prompt.tools.iter().filter(named).collect();
    if tools.is_empty() && forced {
        tools.extend(prompt.tools.first());
    }
    let parallel = !prompt.single && prompt.text.contains("parallel");
    if let (true, [only]) = (parallel, tools.as_slice()) {
        tools.push(*only);
    }
    tools.truncate(if parallel { 2 } else { 1 });
    tools
}

fn call(tool: &Tool, nth: usize) -> Call {
    let nth = u64::try_from(nth).unwrap_or_default();
    let arguments = match schema::value(&tool.schema, nth) {
        arguments @ Value::Object(_) => arguments,
        _ => json!({}),
    };
    Call { name: tool.name.clone(), arguments: pieces(&arguments.to_string(), JSON_DELTA) }
}

fn thought(tokens: usize) -> Vec<String> {
    let words = words(THOUGHT);
    words.iter().cycle().take(tokens).cloned().collect()
}

/// Text of the size that was asked for.
fn filler(shape: &Shape) -> Vec<String> {
    let mut words = FILLER.iter().cycle().copied();
    match (shape.events, shape.bytes) {
        (Some(events), Some(bytes)) => {
            let events = events.min(bytes).max(1);
            let text: String = words.flat_map(str::chars).take(bytes).collect();
            let each = bytes.checked_div(events).unwrap_or(0);
            let longer = bytes.checked_rem(events).unwrap_or(0);
            let mut rest = text.as_str();
            let cut = |at: usize| {
                let (piece, left) =
                    rest.split_at_checked(each.saturating_add(usize::from(at < longer))).unwrap_or((rest, ""));
                rest = left;
                piece.to_owned()
            };
            (0..events).map(cut).collect()
        }
        (_, Some(bytes)) => {
            let mut left = bytes;
            let mut text = Vec::new();
            while let (true, Some(word)) = (left > 0, words.next()) {
                let word = word.get(..left).unwrap_or(word);
                left = left.saturating_sub(word.len());
                text.push(word.to_owned());
            }
            text
        }
        (events, None) => words.take(events.unwrap_or(0)).map(str::to_owned).collect(),
    }
}

fn stop(answer: &mut Answer, sequences: &[String]) {
    if sequences.is_empty() || answer.text.is_empty() {
        return;
    }
    let text = answer.text.concat();
    let found = sequences.iter().filter(|sequence| !sequence.is_empty());
    let first = found.filter_map(|sequence| Some((text.find(sequence.as_str())?, sequence))).min();
    if let Some((at, sequence)) = first {
        let mut left = at;
        for piece in &mut answer.text {
            let kept = left.min(piece.len());
            piece.truncate(kept);
            left = left.saturating_sub(kept);
        }
        answer.text.retain(|piece| !piece.is_empty());
        answer.finish = Finish::Sequence(sequence.clone());
    }
}

fn limit(answer: &mut Answer, most: Option<u64>) {
    let Some(most) = most.and_then(|most| usize::try_from(most).ok()) else { return };
    if answer.tokens() <= most {
        return;
    }
    answer.finish = Finish::Length;
    answer.thinking.truncate(most);
    let mut left = most.saturating_sub(answer.thinking.len());
    answer.text.truncate(left);
    left = left.saturating_sub(answer.text.len());
    for call in &mut answer.calls {
        call.arguments.truncate(left);
        left = left.saturating_sub(call.arguments.len());
    }
    // One call without arguments shows that it was cut; later ones were never begun.
    let begun = answer.calls.iter().skip(1).take_while(|call| !call.arguments.is_empty()).count();
    answer.calls.truncate(begun.saturating_add(1));
}

fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

fn pieces(text: &str, size: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(size).map(|chunk| chunk.iter().collect()).collect()
}

/// The size of a prompt as tokens: a quarter of its text's bytes. Also whether it marks something for a cache.
#[derive(Clone, Copy, Default)]
pub struct Weight {
    bytes: u64,
    pub marked: bool,
}

impl Weight {
    /// Media and signatures weigh the same whatever their size.
    const MEDIA: u64 = 340;

    pub fn add(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                self.bytes = self.bytes.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX))
            }
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(fields) => {
                for (name, field) in fields {
                    match name.as_str() {
                        "cache_control" => self.marked |= !field.is_null(),
                        "data" | "file_data" | "signature" | "url" if field.is_string() => {
                            self.bytes = self.bytes.saturating_add(Self::MEDIA);
                        }
                        _ => self.add(field),
                    }
                }
            }
            _ => self.bytes = self.bytes.saturating_add(4),
        }
    }

    pub fn tokens(self) -> u64 {
        self.bytes.div_ceil(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(bytes: Option<usize>, events: Option<usize>) -> Shape {
        Shape { bytes, events, ..Shape::default() }
    }

    fn prompt(text: &str) -> Prompt {
        let tool = |name: &str| Tool { name: name.to_owned(), schema: json!({"type": "object", "required": ["a"]}) };
        Prompt { text: text.to_owned(), tools: vec![tool("weather"), tool("clock")], ..Prompt::default() }
    }

    fn calls(prompt: &Prompt) -> Vec<String> {
        answer(prompt, &Shape::default(), 0).calls.into_iter().map(|call| call.name).collect()
    }

    #[test]
    fn tools_are_called_when_named_or_forced() {
        assert!(calls(&prompt("hello")).is_empty());
        assert_eq!(calls(&prompt("ask the clock")), ["clock"]);
        assert_eq!(calls(&prompt("weather and clock")), ["weather"]);
        assert_eq!(calls(&prompt("weather and clock in parallel")), ["weather", "clock"]);
        assert_eq!(calls(&prompt("clock, parallel")), ["clock", "clock"]);
        assert_eq!(calls(&Prompt { single: true, ..prompt("clock, parallel") }), ["clock"]);
        assert_eq!(calls(&Prompt { choice: Choice::Any, ..prompt("hello") }), ["weather"]);
        assert_eq!(calls(&Prompt { choice: Choice::Named("clock".into()), ..prompt("weather") }), ["clock"]);
        assert!(calls(&Prompt { choice: Choice::None, ..prompt("clock") }).is_empty());
        assert!(calls(&Prompt { result: true, ..prompt("clock") }).is_empty());
    }

    #[test]
    fn size_is_exactly_as_asked() {
        for (bytes, events) in [(Some(1000), None), (Some(1000), Some(7)), (None, Some(200)), (Some(3), Some(9))] {
            let answer = answer(&Prompt::default(), &shape(bytes, events), 0);
            if let Some(bytes) = bytes {
                assert_eq!(answer.text.concat().len(), bytes);
            }
            if let Some(events) = events {
                assert_eq!(answer.text.len(), events.min(bytes.unwrap_or(events)));
            }
        }
    }

    #[test]
    fn a_limit_cuts_and_says_so() {
        let full = answer(&prompt("one two three"), &Shape::default(), 0);
        let exact = Prompt { max_tokens: u64::try_from(full.tokens()).ok(), ..prompt("one two three") };
        assert_eq!(answer(&exact, &Shape::default(), 0).finish, Finish::Stop);
        let short = Prompt { max_tokens: Some(2), ..prompt("one two three") };
        let short = answer(&short, &Shape::default(), 0);
        assert_eq!((short.text.concat().as_str(), short.finish), ("Stand-in answer ", Finish::Length));
    }

    #[test]
    fn the_earliest_stop_sequence_ends_the_text() {
        let stopped = Prompt { stop: vec!["two".into(), "e t".into(), "".into()], ..prompt("one two three") };
        let stopped = answer(&stopped, &Shape::default(), 0);
        assert_eq!(stopped.text.concat(), "Stand-in answer to: on");
        assert_eq!(stopped.finish, Finish::Sequence("e t".into()));
    }
}
