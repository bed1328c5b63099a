//! What must hold of every wire format for any bytes: nothing panics, what is written can be read, a stream ends once
//! however it is cut.

#![expect(clippy::panic, reason = "a fuzz function fails by panic")]

use super::{Api, Asked, Form, Seen, Target};
use crate::chat::Event;
use crate::framing::{self, eventstream};
use crate::json::{Body, MAX_DEPTH, splice};
use serde_json::Value;

/// Of every family that some API writes otherwise for.
const MODELS: &[&str] = &[
    "another",
    "claude-3-haiku",
    "claude-opus-5",
    "claude-sonnet-4-5",
    "command-a",
    "gemini-1.5-pro",
    "gemini-2.5-flash",
    "gemini-3-pro-preview",
    "gemma-3",
    "gpt-oss",
    "meta.llama",
    "nova-2-lite",
    "o3",
];

/// The first byte says what the rest is taken for, and where it is cut if it is a stream.
pub fn any(api: &dyn Api, bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    match first % 3 {
        0 => request(api, rest),
        1 => answer(api, rest),
        _ => stream(api, rest, usize::from(first / 3)),
    }
}

/// What can be read can be written; what is written can be read, and from then on it is the same.
pub fn request(api: &dyn Api, data: &[u8]) {
    let Ok(body) = Body::parse(data) else { return };
    // A body of nesting just below the limit may come to lie deeper.
    let deep = data.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() >= MAX_DEPTH / 3;
    for model in MODELS {
        let target = Target { model, max_tokens: 4096, stream_usage: true, echo_reasoning: true };
        let spliced = splice(data, &api.splice(body.value(), &target).edits);
        let Ok(spliced) = Body::parse(&spliced) else {
            panic!("a splice breaks the body: {}", text(&spliced));
        };
        let told = spliced.value().get("model");
        assert!(!named(api, &target) || told.is_some_and(|told| told.is(model)), "the model is not {model}");
        let read = match api.read_request(body.value()) {
            Ok(read) => read,
            Err(error) => return assert_eq!(error.status, 400, "{error:?}"),
        };
        let written = api.write_request(&read, &target).body;
        let again = match Body::parse(&written).and_then(|body| api.read_request(body.value())) {
            Ok(again) => api.write_request(&again, &target).body,
            // What has no content at all is left out where an API has no empty turn.
            Err(error) if deep || error.param.as_deref() == Some("contents") => return,
            Err(error) => panic!("{error:?} in {}", text(&written)),
        };
        let last = Body::parse(&again).and_then(|body| api.read_request(body.value()));
        match last.map(|last| api.write_request(&last, &target).body) {
            Ok(last) => assert_eq!(text(&last), text(&again)),
            Err(error) => assert!(deep, "{error:?} in {}", text(&again)),
        }
    }
}

/// Whether the API's requests say the model in the body.
fn named(api: &dyn Api, target: &Target<'_>) -> bool {
    Body::parse(b"{}").is_ok_and(|empty| !api.splice(empty.value(), target).edits.is_empty())
}

/// The same of an answer, and of the same bytes as an error.
pub fn answer(api: &dyn Api, data: &[u8]) {
    api.watch_answer(data, &mut Seen::default());
    match api.read_answer(data) {
        Ok(answer) => {
            let written = api.write_answer(&answer, &asked(Form::Usual));
            assert!(json(&written), "no JSON: {}", text(&written));
            if let Err(error) = api.read_answer(&written) {
                panic!("{error:?} in {}", text(&written));
            }
        }
        Err(error) => assert!(error.status >= 400, "{error:?}"),
    }
    for status in [0, 200, 400, 401, 404, 429, 498, 500, 503, 529] {
        let (status, written) = api.write_error(&api.read_error(status, data));
        assert!((400..=599).contains(&status), "{status}");
        assert!(json(&written), "no JSON: {}", text(&written));
    }
}

/// A stream gives the same events however it is cut, and ends once; so does what is written of it.
pub fn stream(api: &dyn Api, data: &[u8], cut: usize) {
    check_stream(api, data, cut);
    if api.framing() == framing::Kind::EventStream {
        // Bytes are hardly ever a frame; so lines of a name and a payload are made into frames.
        let mut made = Vec::new();
        for line in data.split(|byte| *byte == b'\n') {
            let Some((name, payload)) = line.iter().position(|byte| *byte == b' ').map(|at| line.split_at(at)) else {
                continue;
            };
            let Some(name) = std::str::from_utf8(name).ok().filter(|name| name.len() < 100) else { continue };
            let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
            eventstream::write(&mut made, &headers, payload);
        }
        check_stream(api, &made, cut);
    }
}

fn check_stream(api: &dyn Api, data: &[u8], cut: usize) {
    let whole = events(api, data, data.len());
    ends_once(&whole);
    assert!(whole.iter().filter(|event| event.starts_with("Start {")).count() <= 1, "{whole:?}");
    let (head, tail) = data.split_at(cut.min(data.len()));
    assert_eq!(events_in(api, &mut [head, tail].into_iter()), whole);
    assert_eq!(events(api, data, 7), whole);

    let out = rewritten(api, data, &asked(Form::Usual));
    ends_once(&events(api, &out, 64));
    let (mut seen, mut number) = (Seen::default(), 0_u64);
    api.decoder().feed(&out, &mut |frame| {
        let Some(data) = frame.data else { return };
        let value: Result<Value, _> = serde_json::from_slice(data);
        assert!(value.is_ok() || data == b"[DONE]", "no JSON: {}", text(data));
        if let Some(said) = value.ok().as_ref().and_then(|value| value.get("sequence_number")) {
            assert_eq!(said, number, "{}", text(data));
            number = number.saturating_add(1);
        }
        api.watch_event(frame.name, data, false, &mut seen);
    });
    assert!(seen.ended || seen.error.is_some(), "no end is seen in {}", text(&out));
    if api.stream_type(Form::Array) != api.stream_type(Form::Usual) {
        let array = rewritten(api, data, &asked(Form::Array));
        let array: Result<Vec<Value>, _> = serde_json::from_slice(&array);
        assert!(array.is_ok(), "{array:?}");
    }
}

fn ends_once(events: &[String]) {
    let ends = |event: &&String| event.starts_with("End") || event.starts_with("Error");
    assert_eq!(events.iter().filter(ends).count(), 1, "{events:?}");
    assert!(events.last().is_some_and(|last| ends(&last)), "{events:?}");
}

fn asked(form: Form) -> Asked {
    Asked { id: "made".to_owned(), model: "asked".to_owned(), stream_usage: true, form, ..Asked::default() }
}

fn json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes).is_ok()
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The events of a stream that comes in pieces of that size.
pub fn events(api: &dyn Api, stream: &[u8], size: usize) -> Vec<String> {
    events_in(api, &mut stream.chunks(size.max(1)))
}

/// The events of a stream that comes in these pieces.
pub fn events_in(api: &dyn Api, pieces: &mut dyn Iterator<Item = &[u8]>) -> Vec<String> {
    let mut all = Vec::new();
    let mut reader = api.reader();
    let mut sink = |event: Event<'_>| all.push(format!("{event:?}"));
    pieces.for_each(|piece| reader.read(piece, &mut sink));
    reader.close(&mut sink);
    all
}

/// The stream as a client of this API would get it, if it came from elsewhere.
pub fn rewritten(api: &dyn Api, stream: &[u8], asked: &Asked) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = api.reader();
    let mut writer = api.writer(asked.clone());
    let mut write = |event: Event<'_>| writer.write(&event, &mut out);
    reader.read(stream, &mut write);
    reader.close(&mut write);
    out
}
