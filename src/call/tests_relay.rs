//! A stream comes out the same however it came in.

use super::relay::{Relay, rename_model};
use crate::api::tests_golden::streams;
use crate::api::{APIS, Api, Asked};
use crate::chat::Usage;
use crate::framing::{Frame, Kind};

fn asked() -> Asked {
    Asked { model: "asked".to_owned(), id: "made".to_owned(), created: 5, ..Asked::default() }
}

/// All that went out, what was used, and whether it ended well.
type Passed = (Vec<u8>, Option<Usage>, bool);

fn passed<'a>(mut relay: Relay, dialect: &'static dyn Api, pieces: impl Iterator<Item = &'a [u8]>) -> Passed {
    let mut out = Vec::new();
    for piece in pieces {
        match relay.feed(piece) {
            Some(changed) => out.extend_from_slice(&changed),
            None => out.extend_from_slice(piece),
        }
    }
    out.extend(relay.close(dialect, &asked).unwrap_or_default());
    (out, relay.seen.usage, relay.seen.error.is_none())
}

/// Whole, in two at every byte, and byte by byte; what comes out whole.
#[track_caller]
fn any_cut(what: &str, dialect: &'static dyn Api, relay: &dyn Fn() -> Relay, stream: &[u8]) -> Passed {
    let whole = passed(relay(), dialect, std::iter::once(stream));
    let check = |how: &str, cut: &Passed| {
        let shown = |passed: &Passed| String::from_utf8_lossy(&passed.0).escape_debug().to_string();
        assert!(*cut == whole, "{what}, {how}:\n{}\n{:?}\nnot\n{}\n{:?}", shown(cut), cut.1, shown(&whole), whole.1);
    };
    check("byte by byte", &passed(relay(), dialect, stream.chunks(1)));
    // The work grows with the square of the length: long streams are cut at every seventh byte.
    for at in (1..stream.len()).step_by(if stream.len() > 1500 { 7 } else { 1 }) {
        let (head, tail) = stream.split_at(at);
        check(&format!("cut at {at}"), &passed(relay(), dialect, [head, tail].into_iter()));
    }
    whole
}

#[test]
fn a_stream_of_the_clients_own_api_goes_through_byte_for_byte_and_is_counted() {
    let mut counted = 0;
    for api in APIS.iter().copied().filter(|api| api.converses()) {
        for (name, stream) in streams(api, &["\n", "\r"]) {
            let (out, usage, _) = any_cut(&name, api, &|| Relay::same(api, false, None), &stream);
            // Of a binary frame that was cut the client gets nothing: an error could not follow it.
            let mut kept = 0;
            let mut count = |frame: Frame<'_>| kept += if frame.corrupt.is_none() { frame.raw.len() } else { 0 };
            let mut frames = api.framing().decoder();
            frames.feed(&stream, &mut count);
            frames.close(&mut count);
            assert!(out.starts_with(&stream[..kept]) && kept + 256 > stream.len(), "{name}");
            counted += usize::from(usage.is_some());
        }
    }
    assert!(counted > 10, "only {counted} streams had usage");
}

#[test]
fn a_usage_event_is_hidden_and_a_model_renamed_wherever_the_stream_is_cut() {
    for api in APIS.iter().copied().filter(|api| api.converses()) {
        // The LF of a hidden CR LF may come by itself.
        for (name, stream) in streams(api, &["\r\n"]) {
            let (_, usage, well) = passed(Relay::same(api, false, None), api, std::iter::once(stream.as_slice()));
            for (hide, rename) in [(true, None), (true, Some("asked"))] {
                let what = format!("{name}, hide {hide}, rename {rename:?}");
                let relay = || Relay::same(api, hide, rename.map(str::to_owned));
                let (_, counted, ended) = any_cut(&what, api, &relay, &stream);
                assert_eq!((counted, ended), (usage, well), "{what}: what is shown changes nothing that is counted");
            }
        }
    }
}

#[test]
fn a_stream_for_another_api_is_the_same_wherever_it_is_cut() {
    for api in APIS.iter().copied().filter(|api| api.converses()) {
        for (name, stream) in streams(api, &["\r\n"]) {
            for dialect in APIS.iter().copied().filter(|dialect| dialect.name() != api.name()) {
                let what = format!("{name} for {}", dialect.name());
                any_cut(&what, dialect, &|| Relay::other(api, dialect, asked()), &stream);
            }
        }
    }
}

#[test]
fn only_the_usage_event_is_missing_for_a_client_that_did_not_ask() {
    let openai = crate::api::by_name("openai").unwrap();
    let shown = |end: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}{end}{end}")
    };
    for end in ["\n", "\r\n", "\r"] {
        let usage =
            format!("data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":2}}}}{end}{end}");
        let done = format!("data: [DONE]{end}{end}");
        let stream = [shown(end), usage, done.clone()].concat();
        let (out, counted, _) = any_cut("usage", openai, &|| Relay::same(openai, true, None), stream.as_bytes());
        assert_eq!(String::from_utf8(out).unwrap(), [shown(end), done].concat());
        assert_eq!(counted, Some(Usage { input: 1, output: 2, ..Usage::default() }));
    }
}

#[test]
fn a_comment_begins_no_stream() {
    for api in APIS.iter().copied().filter(|api| api.converses()) {
        for dialect in APIS.iter().copied() {
            let mut relay = match api.name() == dialect.name() {
                true => Relay::same(api, false, None),
                false => Relay::other(api, dialect, asked()),
            };
            if api.framing() != Kind::Sse {
                continue;
            }
            relay.feed(b": PROCESSING\n\n: PROCESSING\n\n");
            assert!(!relay.begun, "{} to {}", api.name(), dialect.name());
        }
    }
}

#[test]
fn a_stream_that_breaks_off_gets_one_ending_in_the_clients_api() {
    for api in APIS.iter().copied().filter(|api| api.converses()) {
        for dialect in APIS.iter().copied() {
            let relay = match api.name() == dialect.name() {
                true => Relay::same(api, false, None),
                false => Relay::other(api, dialect, asked()),
            };
            let (out, _, well) = passed(relay, dialect, std::iter::once(b": nothing\n\n".as_slice()));
            let out = String::from_utf8_lossy(&out);
            assert!(!well && out.contains("broke off"), "{} to {}: {out}", api.name(), dialect.name());
            assert_eq!(out.lines().filter(|line| line.contains("broke off")).count(), 1, "{out}");
        }
    }
}

#[test]
fn the_model_is_renamed_in_place_and_nothing_else() {
    for (from, to) in [
        (r#"{ "id":1, "model" : "gpt-4o-2024" ,"x":1.0}"#, Some(r#"{ "id":1, "model" : "a\"b" ,"x":1.0}"#)),
        (r#"{"message":{"model":"m"},"x":"model"}"#, Some(r#"{"message":{"model":"a\"b"},"x":"model"}"#)),
        (r#"{"response":{"model":"m"}}"#, Some(r#"{"response":{"model":"a\"b"}}"#)),
        (r#"{"model":"a\"b"}"#, None),
        (r#"{"model":7}"#, None),
        (r#"{"x":{"model":"m"}}"#, None),
        ("[DONE]", None),
    ] {
        let renamed = rename_model(from.as_bytes(), "a\"b").map(|json| String::from_utf8(json).unwrap());
        assert_eq!(renamed.as_deref(), to, "{from}");
    }
}

#[test]
fn nothing_follows_the_error_that_stands_for_a_line_that_cannot_be_read() {
    let ollama = crate::api::by_name("ollama").unwrap();
    let stream = b"{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"done\":false}\n\
        {\"message\":{\"content\":\n{\"message\":{\"content\":\"c\"},\"done\":true,\"done_reason\":\"stop\"}\n";
    let (out, _, well) = any_cut("a broken line", ollama, &|| Relay::same(ollama, false, None), stream);
    let lines: Vec<serde_json::Value> =
        out.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert!(!well);
    assert_eq!(lines.len(), 2, "{}", String::from_utf8_lossy(&out));
    assert!(lines[0]["message"]["content"] == "a" && lines[1]["error"].is_string(), "{lines:?}");
}
