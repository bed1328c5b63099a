//! What comes back, whole and streamed: a provider's answer written in its own API, read, written for the client, and read
//! as the client does.

use crate::asks::{call, tell};
use crate::{Cell, Row, asked, row};
use sluice::api::Api;
use sluice::chat::{Answer, Choice, Event, Finish, Part, Usage};
use sluice::error::{Error, Kind};
use std::fmt::Write as _;

pub const USAGE: Usage = Usage {
    input: 20,
    cached_input: 8,
    cache_write: 2,
    output: 9,
    reasoning: 0,
    audio_input: 0,
    audio_output: 0,
    image_input: 0,
    image_output: 0,
};

pub fn answer(finish: Finish, parts: Vec<Part>) -> Answer {
    let choices = vec![Choice { parts, finish: Some(finish), ..Choice::default() }];
    Answer { id: "id1".to_owned(), model: "m1".to_owned(), choices, usage: Some(USAGE), ..Answer::default() }
}

/// The answer as a stream's events.
fn events(answer: &Answer) -> Vec<Event<'_>> {
    let choice = &answer.choices[0];
    let mut all = vec![Event::Start {
        id: answer.id.as_str().into(),
        model: answer.model.as_str().into(),
        created: None,
        service_tier: None,
        system_fingerprint: None,
        usage: None,
    }];
    let mut tool = 0;
    for part in &choice.parts {
        match part {
            // In two pieces each.
            Part::Text { text, .. } => {
                let half = (text.len() / 2..).find(|at| text.is_char_boundary(*at)).unwrap();
                all.extend([&text[..half], &text[half..]].map(|text| Event::Text { choice: 0, text: text.into() }));
            }
            Part::Refusal { text } => all.push(Event::Refusal { choice: 0, text: text.as_str().into() }),
            Part::Thinking { text, signature } => {
                all.push(Event::Thinking { choice: 0, text: text.as_str().into() });
                all.extend(signature.iter().map(|s| Event::Signature { choice: 0, signature: s.as_str().into() }));
            }
            Part::ToolCall { id, name, arguments, signature, .. } => {
                let signature = signature.as_deref().map(Into::into);
                all.push(Event::ToolStart {
                    choice: 0,
                    tool,
                    id: id.as_str().into(),
                    name: name.as_str().into(),
                    signature,
                });
                let (a, b) = arguments.split_at(arguments.len() / 2);
                all.extend([a, b].map(|json| Event::ToolArguments { choice: 0, tool, json: json.into() }));
                tool += 1;
            }
            other => panic!("{other:?}"),
        }
        all.push(Event::BlockEnd { choice: 0 });
    }
    let stop_sequence = choice.stop_sequence.as_deref().map(Into::into);
    all.push(Event::Finish { choice: 0, reason: choice.finish.unwrap(), stop_sequence });
    all.extend(answer.usage.map(Event::Usage));
    all.push(Event::End);
    all
}

/// Puts a stream together again.
#[derive(Default)]
struct Fold {
    answer: Answer,
    error: Option<Error>,
    ended: bool,
}

impl Fold {
    fn parts(&mut self) -> &mut Vec<Part> {
        if self.answer.choices.is_empty() {
            self.answer.choices.push(Choice::default());
        }
        &mut self.answer.choices[0].parts
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start { model, usage, .. } => {
                self.answer.model = model.into_owned();
                self.answer.usage = usage;
            }
            Event::Text { text, .. } => match self.parts().last_mut() {
                Some(Part::Text { text: said, .. }) => said.push_str(&text),
                _ => self.parts().push(Part::text(text)),
            },
            Event::Refusal { text, .. } => match self.parts().last_mut() {
                Some(Part::Refusal { text: said }) => said.push_str(&text),
                _ => self.parts().push(Part::Refusal { text: text.into_owned() }),
            },
            Event::Thinking { text, .. } => match self.parts().last_mut() {
                Some(Part::Thinking { text: said, signature: None }) => said.push_str(&text),
                _ => self.parts().push(Part::Thinking { text: text.into_owned(), signature: None }),
            },
            Event::Signature { signature: seal, .. } => match self.parts().last_mut() {
                Some(Part::Thinking { signature: sealed @ None, .. }) => *sealed = Some(seal.into_owned()),
                _ => self.parts().push(Part::Thinking { text: String::new(), signature: Some(seal.into_owned()) }),
            },
            Event::Redacted { data, .. } => self.parts().push(Part::Redacted { data: data.into_owned() }),
            Event::ToolStart { id, name, signature, .. } => self.parts().push(Part::ToolCall {
                id: id.into_owned(),
                name: name.into_owned(),
                arguments: String::new(),
                signature: signature.map(|signature| signature.into_owned()),
                cache: None,
            }),
            Event::ToolArguments { tool, json, .. } => {
                let mut calls = self.parts().iter_mut().filter_map(|part| match part {
                    Part::ToolCall { arguments, .. } => Some(arguments),
                    _ => None,
                });
                calls.nth(tool as usize).unwrap().push_str(&json);
            }
            Event::Finish { reason, stop_sequence, .. } => {
                self.parts();
                self.answer.choices[0].finish = Some(reason);
                self.answer.choices[0].stop_sequence = stop_sequence.map(|text| text.into_owned());
            }
            Event::Usage(usage) => self.answer.usage = Some(usage),
            Event::Error(error) => self.error = Some(error),
            Event::End => self.ended = true,
            _ => {}
        }
    }
}

/// A stream's events, as the client of one API has them of a provider of another.
fn streamed(client: &dyn Api, provider: &dyn Api, events: &[Event<'_>]) -> Fold {
    let (mut sent, mut writer) = (Vec::new(), provider.writer(asked()));
    events.iter().for_each(|event| writer.write(event, &mut sent));
    let (mut out, mut writer) = (Vec::new(), client.writer(asked()));
    let mut sink = |event: Event<'_>| writer.write(&event, &mut out);
    let mut reader = provider.reader();
    sent.chunks(7).for_each(|piece| reader.read(piece, &mut sink));
    reader.close(&mut sink);
    let mut fold = Fold::default();
    let mut reader = client.reader();
    reader.read(&out, &mut |event| fold.take(event));
    reader.close(&mut |event| fold.take(event));
    fold
}

/// What the client of one API has of an answer of a provider of another.
pub fn carried(client: &dyn Api, provider: &dyn Api, answer: &Answer, stream: bool) -> Result<Answer, String> {
    if stream {
        let fold = streamed(client, provider, &events(answer));
        return match (fold.error, fold.ended && !fold.answer.choices.is_empty()) {
            (None, true) => Ok(fold.answer),
            (error, _) => Err(format!("a stream without its end: {error:?}")),
        };
    }
    let read = provider.read_answer(&provider.write_answer(answer, &asked())).map_err(|e| e.message.clone())?;
    client.read_answer(&client.write_answer(&read, &asked())).map_err(|e| e.message.clone())
}

fn said(answer: &Answer) -> String {
    let mut told = String::new();
    answer.choices[0].parts.iter().for_each(|part| tell(&mut told, part));
    told
}

/// How it ended, as all APIs tell it.
fn ended(answer: &Answer) -> String {
    let kind = match answer.choices[0].finish {
        Some(Finish::Filtered | Finish::Refusal) => Some(Finish::Refusal),
        Some(Finish::StopSequence) => Some(Finish::Stop),
        other => other,
    };
    let mut told = format!("{kind:?}");
    let calls = answer.choices[0].parts.iter().filter(|part| matches!(part, Part::ToolCall { .. })).count();
    let _ = write!(told, " {calls}");
    told
}

/// A row whose answers must all come whole and streamed; `of` is what it is about.
fn answers(name: &'static str, all: Vec<Answer>, of: fn(&Answer) -> String) -> Row {
    row(name, move |client, provider| {
        let mut cell = Cell::Yes;
        for answer in &all {
            for stream in [false, true] {
                cell = cell.and(one(client, provider, answer, stream, of).unwrap_or_else(Cell::Defect));
            }
        }
        cell
    })
}

fn one(
    client: &dyn Api,
    provider: &dyn Api,
    answer: &Answer,
    stream: bool,
    of: fn(&Answer) -> String,
) -> Result<Cell, String> {
    let want = of(answer);
    if of(&carried(provider, provider, answer, stream)?) != want {
        return Ok(Cell::NotGiven);
    }
    let got = of(&carried(client, provider, answer, stream)?);
    if got == want {
        return Ok(Cell::Yes);
    }
    match of(&carried(client, client, answer, stream)?) == want {
        true => Err(format!("{want} is {got}")),
        false => Ok(Cell::NoWord),
    }
}

const KINDS: [Kind; 8] = [
    Kind::InvalidRequest,
    Kind::ContextLength,
    Kind::ModelNotFound,
    Kind::Authentication,
    Kind::Permission,
    Kind::RateLimit,
    Kind::Overloaded,
    Kind::Provider,
];

/// Its words, and whether the client would try again.
fn error(client: &'static dyn Api, provider: &'static dyn Api) -> Cell {
    for kind in KINDS {
        let (status, body) = provider.write_error(&Error::provider(kind, "It \"went\" wrong"));
        let (shown, body) = client.write_error(&provider.read_error(status, &body));
        let got = client.read_error(shown, &body);
        // What the gateway's own key may do is no matter of the client's: it is told in the gateway's words.
        let told = matches!(kind, Kind::Authentication | Kind::Permission) || got.message == "It \"went\" wrong";
        if !told || shown / 100 != status / 100 {
            return Cell::Defect(format!("{kind:?}, {status}, is {shown}: {}", got.message));
        }
    }
    Cell::Yes
}

/// After the first words of a stream.
fn broken(client: &'static dyn Api, provider: &'static dyn Api) -> Cell {
    let whole = answer(Finish::Stop, vec![Part::text("Hi there")]);
    let mut events = events(&whole);
    events.truncate(3);
    events.push(Event::Error(Error::provider(Kind::Overloaded, "Too much")));
    let fold = streamed(client, provider, &events);
    match fold.error {
        Some(error) if error.message.contains("Too much") && said(&fold.answer) == " \"Hi there\"" => Cell::Yes,
        other => Cell::Defect(format!("{other:?} after {:?}", fold.answer)),
    }
}

pub fn rows() -> Vec<Row> {
    let text = || vec![Part::text("Hi \"é🙂\"\n")];
    let calls = || vec![Part::text("So"), call("call_a", r#"{"x":1}"#), call("call_b", r#"{"x":[]}"#)];
    let stopped = Answer {
        choices: vec![Choice {
            stop_sequence: Some("x".to_owned()),
            ..answer(Finish::StopSequence, text()).choices.remove(0)
        }],
        ..answer(Finish::Stop, text())
    };
    vec![
        answers("answer: text", vec![answer(Finish::Stop, text())], said),
        answers("answer: a tool call", vec![answer(Finish::ToolCalls, vec![call("call_a", r#"{"x":1}"#)])], said),
        answers("answer: parallel tool calls", vec![answer(Finish::ToolCalls, calls())], said),
        answers(
            "stop reasons: end, length, tools",
            vec![answer(Finish::Stop, text()), answer(Finish::Length, text()), answer(Finish::ToolCalls, calls())],
            ended,
        ),
        answers("stop reason: declined", vec![answer(Finish::Filtered, text())], ended),
        answers("which stop sequence", vec![stopped], |answer| format!("{:?}", answer.choices[0].stop_sequence)),
        answers("usage: input, output", vec![answer(Finish::Stop, text())], |answer| {
            answer.usage.map_or_else(String::new, |usage| format!("{} {}", usage.input, usage.output))
        }),
        answers("usage: read from the cache", vec![answer(Finish::Stop, text())], |answer| {
            answer.usage.map_or_else(String::new, |usage| format!("{} {}", usage.input, usage.cached_input))
        }),
        answers("usage: written to the cache", vec![answer(Finish::Stop, text())], |answer| {
            answer.usage.map_or_else(String::new, |usage| format!("{} {}", usage.input, usage.cache_write))
        }),
        answers(
            "usage: thinking",
            vec![Answer { usage: Some(Usage { reasoning: 4, ..USAGE }), ..answer(Finish::Stop, text()) }],
            |answer| answer.usage.map_or_else(String::new, |usage| format!("{} {}", usage.output, usage.reasoning)),
        ),
        row("errors", error),
        row("an error in a stream", broken),
    ]
}
