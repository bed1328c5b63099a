//! Every recorded stream of every API, written for the clients of every other.

use super::tests::conversing;
use super::tests::usage_left;
use super::{Api, Asked, Form, Seen, Verdict};
use crate::chat::{Event, Finish, Usage};
use crate::framing::Frame;
use serde_json::Value;

/// The golden streams of an API, by file.
fn streams(api: &dyn Api) -> Vec<(String, Vec<u8>)> {
    super::tests_golden::streams(api, &["\n"])
}

fn asked() -> Asked {
    Asked { model: "asked".to_owned(), id: "made".to_owned(), created: 5, stream_usage: true, ..Asked::default() }
}

/// What the clients of each API get of a provider's stream that comes in these pieces.
fn written(provider: &dyn Api, pieces: &mut dyn Iterator<Item = &[u8]>) -> Vec<Vec<u8>> {
    let mut writers: Vec<_> = conversing().map(|client| (client.writer(asked()), Vec::new())).collect();
    let mut reader = provider.reader();
    let mut write = |event: Event<'_>| writers.iter_mut().for_each(|(writer, out)| writer.write(&event, out));
    for piece in pieces {
        reader.read(piece, &mut write);
    }
    reader.close(&mut write);
    writers.into_iter().map(|(_, out)| out).collect()
}

/// What a stream says in all.
#[derive(Debug, Default, PartialEq)]
struct Told {
    text: String,
    refusal: String,
    thinking: String,
    signatures: Vec<String>,
    calls: Vec<(String, String, String)>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    failed: bool,
    endings: usize,
}

fn told(api: &dyn Api, stream: &[u8]) -> Told {
    let mut told = Told::default();
    let mut reader = api.reader();
    let mut sink = |event: Event<'_>| {
        assert_eq!(told.endings, 0, "{event:?} after the end");
        match event {
            Event::Text { choice: 0, text } => told.text.push_str(&text),
            Event::Refusal { choice: 0, text } => told.refusal.push_str(&text),
            Event::Thinking { choice: 0, text } => told.thinking.push_str(&text),
            Event::Signature { choice: 0, signature: sealed } | Event::Redacted { choice: 0, data: sealed } => {
                // A call's, where a call has no place for it.
                told.signatures.push(sealed.strip_prefix("call:").unwrap_or(&sealed).to_owned());
            }
            Event::ToolStart { choice: 0, tool, id, name, signature } => {
                told.signatures.extend(signature.map(|signature| signature.into_owned()));
                assert_eq!(usize::try_from(tool).unwrap(), told.calls.len(), "a gap in the calls");
                told.calls.push((id.into_owned(), name.into_owned(), String::new()));
            }
            Event::ToolArguments { choice: 0, tool, json } => {
                told.calls[usize::try_from(tool).unwrap()].2.push_str(&json);
            }
            Event::Finish { choice: 0, reason, .. } => told.finish = Some(reason),
            Event::Start { usage, .. } => told.usage = usage,
            Event::Usage(usage) => told.usage = Some(usage),
            Event::End => told.endings = told.endings.saturating_add(1),
            Event::Error(_) => {
                told.failed = true;
                told.endings = told.endings.saturating_add(1);
            }
            _ => {}
        }
    };
    reader.read(stream, &mut sink);
    reader.close(&mut sink);
    for (_, _, arguments) in told.calls.iter_mut().filter(|(_, _, arguments)| arguments.is_empty()) {
        arguments.push_str("{}");
    }
    // An API whose arguments are an object, not its text, may have other white space.
    for (_, _, arguments) in &mut told.calls {
        if let Ok(json) = serde_json::from_str::<Value>(arguments) {
            *arguments = json.to_string();
        }
    }
    told
}

#[test]
fn a_stream_says_the_same_in_every_api_and_ends_once() {
    for provider in conversing() {
        for (path, stream) in streams(provider) {
            let said = told(provider, &stream);
            assert_eq!(said.endings, 1, "{path}");
            for (client, out) in conversing().zip(written(provider, &mut [stream.as_slice()].into_iter())) {
                let got = told(client, &out);
                let here = format!("{path} for {}\n{}", client.name(), String::from_utf8_lossy(&out));
                assert_eq!((got.endings, got.failed), (1, said.failed), "{here}");
                assert_eq!(got.thinking, said.thinking, "{here}");
                // An API without refusals has their words in its text.
                assert_eq!(got.text + &got.refusal, format!("{}{}", said.text, said.refusal), "{here}");
                // An API that gives a call whole gives its arguments as an object.
                let (mut calls, mut given) = (said.calls.clone(), got.calls);
                for (_, _, json) in calls.iter_mut().chain(&mut given).filter(|_| client.name() == "gemini") {
                    let object = serde_json::from_str::<Value>(json).ok().filter(Value::is_object);
                    *json = object.unwrap_or_else(|| serde_json::json!({"_raw": json})).to_string();
                }
                assert_eq!((&given, &got.signatures), (&calls, &said.signatures), "{here}");
                if said.failed {
                    continue;
                }
                let called = !said.calls.is_empty();
                let kind = |finish: Option<Finish>| match finish {
                    // Some providers end a tool's call as they end any text.
                    Some(Finish::Stop | Finish::StopSequence | Finish::Pause) if called => Some(Finish::ToolCalls),
                    Some(Finish::StopSequence | Finish::Pause) => Some(Finish::Stop),
                    Some(Finish::ContextFull) => Some(Finish::Length),
                    Some(Finish::Filtered) => Some(Finish::Refusal),
                    finish => finish,
                };
                assert_eq!(kind(got.finish), kind(said.finish), "{here}");
                if let Some((got, said)) = got.usage.zip(said.usage) {
                    let said = usage_left(client, said);
                    assert_eq!(
                        (got.input, got.cached_input, got.output),
                        (said.input, said.cached_input, said.output),
                        "{here}"
                    );
                }
            }
        }
    }
}

#[test]
fn any_split_gives_every_client_the_same_bytes() {
    for provider in conversing() {
        for (path, stream) in streams(provider) {
            let whole = written(provider, &mut [stream.as_slice()].into_iter());
            assert_eq!(written(provider, &mut stream.chunks(1)), whole, "{path} byte by byte");
            // The work grows with the square of the length: long streams are cut at every seventh byte.
            for at in (1..stream.len()).step_by(if stream.len() > 1500 { 7 } else { 1 }) {
                let (a, b) = stream.split_at(at);
                assert!(written(provider, &mut [a, b].into_iter()) == whole, "{path} cut at {at}");
            }
        }
    }
}

#[test]
fn watching_a_stream_tells_what_reading_it_does() {
    for provider in conversing() {
        for (path, stream) in streams(provider) {
            let said = told(provider, &stream);
            let mut seen = Seen::default();
            let mut decoder = provider.framing().decoder();
            let mut watch = |frame: Frame<'_>| {
                if let Some(data) = frame.data {
                    let verdict = provider.watch_event(frame.name, data, false, &mut seen);
                    assert_ne!(verdict, Verdict::Hide, "{path}");
                }
            };
            decoder.feed(&stream, &mut watch);
            decoder.close(&mut watch);
            assert_eq!(seen.usage, said.usage, "{path}");
            assert!(seen.ended || seen.error.is_some() || said.failed, "{path}: {seen:?}");
            let something = !said.text.is_empty() || !said.thinking.is_empty() || !said.calls.is_empty();
            assert!(seen.content || !something, "{path}: {seen:?}");
        }
    }
}

#[test]
fn calls_come_whole_for_clients_who_take_no_pieces() {
    let client = super::by_name("openai").unwrap();
    for provider in conversing() {
        for (path, stream) in streams(provider) {
            let write = |form, pieces: &mut dyn Iterator<Item = &[u8]>| {
                let mut writer = client.writer(Asked { form, ..asked() });
                let (mut reader, mut out) = (provider.reader(), Vec::new());
                pieces.for_each(|piece| reader.read(piece, &mut |event| writer.write(&event, &mut out)));
                reader.close(&mut |event| writer.write(&event, &mut out));
                out
            };
            let whole = write(Form::WholeCalls, &mut [stream.as_slice()].into_iter());
            assert_eq!(write(Form::WholeCalls, &mut stream.chunks(1)), whole, "{path} byte by byte");
            let usual = told(client, &write(Form::Usual, &mut [stream.as_slice()].into_iter()));
            let mut got = told(client, &whole);
            if usual.failed {
                // What was not whole is not told.
                got.calls.clone_from(&usual.calls);
                got.finish = usual.finish;
                got.usage = usual.usage;
                got.signatures.clone_from(&usual.signatures);
            }
            assert_eq!(got, usual, "{path}");
            let text = String::from_utf8(whole).unwrap();
            let chunks = text.lines().filter_map(|line| line.strip_prefix("data: {"));
            let chunks: Vec<Value> = chunks.map(|rest| serde_json::from_str(&["{", rest].concat()).unwrap()).collect();
            for chunk in &chunks {
                assert!(chunk["choices"] != serde_json::json!([]), "{path}: Mistral's clients read the first of them");
                for call in chunk["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
                    assert!(call["id"].is_string() && call["function"]["name"].is_string(), "{path}: {call}");
                    assert!(!call["function"]["arguments"].as_str().unwrap().is_empty(), "{path}: {call}");
                }
            }
        }
    }
}
