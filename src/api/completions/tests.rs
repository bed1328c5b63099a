use super::Completions;
use crate::api::fuzz::any;
use crate::api::{APIS, Api, Asked, Seen, Target, Verdict, by_name};
use crate::chat::{Answer, Choice, Effect, Event, Finish, Part, Usage};
use crate::error::{Error, Kind};
use crate::framing::sse;
use crate::json::{Body, raw, splice};
use serde_json::{Value, json};

const TARGET: Target<'_> = Target { model: "model", max_tokens: 100, stream_usage: true, echo_reasoning: false };

fn asked() -> Asked {
    Asked { model: "asked".to_owned(), id: "made".to_owned(), created: 5, stream_usage: true, ..Asked::default() }
}

/// What was lost, and whether that changes the answer.
type Lost = (&'static str, bool);

/// What a request is for chat, and what is lost for every other API.
fn chat(body: &Value) -> Result<(Value, Vec<Lost>), Error> {
    let text = body.to_string();
    let request = Completions.read_request(Body::parse(text.as_bytes())?.value())?;
    let written = by_name("openai").unwrap().write_request(&request, &TARGET);
    let lost = request.losses.iter().map(|loss| (loss.what, loss.effect == Effect::Meaning)).collect();
    Ok((serde_json::from_slice(&written.body).unwrap(), lost))
}

#[test]
fn a_prompt_is_a_users_turn() {
    for prompt in [json!("Say hi"), json!(["Say hi"])] {
        let (got, lost) =
            chat(&json!({"model": "m", "prompt": prompt, "max_tokens": 9, "n": 2, "stop": "x", "logprobs": 3,
            "temperature": 0.5, "seed": 7, "user": "u", "suffix": "", "echo": false, "best_of": 2}))
            .unwrap();
        assert_eq!(
            got,
            json!({"model": "model", "messages": [{"role": "user", "content": "Say hi"}], "max_tokens": 9, "n": 2,
                "stop": ["x"], "logprobs": true, "top_logprobs": 3, "temperature": 0.5, "seed": 7, "user": "u"})
        );
        assert_eq!(lost, []);
    }
}

#[test]
fn what_only_a_model_that_goes_on_with_a_text_can_do_is_lost() {
    let (_, lost) = chat(&json!({"model": "m", "prompt": "a", "suffix": "b", "echo": true, "best_of": 3})).unwrap();
    assert_eq!(lost, [("suffix", true), ("echo", true), ("best_of", true)]);
}

#[test]
fn what_is_wrong_is_named() {
    for (body, field) in [
        (json!({"prompt": "a"}), "model"),
        (json!({"model": "m"}), "prompt"),
        (json!({"model": "m", "prompt": null}), "prompt"),
        (json!({"model": "m", "prompt": []}), "prompt"),
        (json!({"model": "m", "prompt": {}}), "prompt"),
        (json!({"model": "m", "prompt": [1, 2]}), "prompt"),
        (json!({"model": "m", "prompt": [[1]]}), "prompt"),
        (json!({"model": "m", "prompt": ["a", "b"]}), "prompt[1]"),
        (json!({"model": "m", "prompt": [{}]}), "prompt[0]"),
        (json!({"model": "m", "prompt": "a", "logprobs": true}), "logprobs"),
        (json!({"model": "m", "prompt": "a", "stop": [1]}), "stop[0]"),
        (json!({"model": "m", "prompt": "a", "best_of": "2"}), "best_of"),
    ] {
        let error = chat(&body).unwrap_err();
        assert_eq!((error.status, error.param.as_deref()), (400, Some(field)), "{body}: {}", error.message);
    }
}

#[test]
fn an_answer_of_every_api_is_a_text() {
    let usage = Usage { input: 20, output: 9, ..Usage::default() };
    let choice = |finish| Choice {
        parts: vec![Part::Thinking { text: "Hm".to_owned(), signature: None }, Part::text("Hi \"é\"")],
        finish: Some(finish),
        ..Choice::default()
    };
    for (finish, name) in [(Finish::Stop, "stop"), (Finish::Length, "length")] {
        for provider in APIS.iter().filter(|api| api.converses()) {
            let said = Answer { choices: vec![choice(finish)], usage: Some(usage), ..Answer::default() };
            let read = provider.read_answer(&provider.write_answer(&said, &asked())).unwrap();
            let written = Completions.write_answer(&read, &asked());
            let got: Value = serde_json::from_slice(&written).unwrap();
            let want = json!([{"text": "Hi \"é\"", "index": 0, "logprobs": null, "finish_reason": name}]);
            assert_eq!((&got["choices"], &got["object"]), (&want, &json!("text_completion")), "{}", provider.name());
            assert_eq!((&got["usage"]["total_tokens"], &got["model"]), (&json!(29), &json!("asked")));
            let again = Completions.read_answer(&written).unwrap();
            assert_eq!((again.usage, again.choices[0].finish), (Some(usage), Some(finish)));
            let mut seen = Seen::default();
            Completions.watch_answer(&written, &mut seen);
            assert_eq!((seen.usage, seen.ended, seen.error), (Some(usage), true, None));
        }
    }
}

#[test]
fn probabilities_get_the_form_of_this_api() {
    let likely = json!({"content": [
        {"token": "Hé", "logprob": -0.5, "bytes": null, "top_logprobs": [{"token": "Hé", "logprob": -0.5}, {"token": "\"", "logprob": -1}]},
        {"token": "!", "logprob": -2.0, "top_logprobs": []}]});
    let choice =
        Choice { parts: vec![Part::text("Hé!")], logprobs: Some(raw(likely.to_string())), ..Choice::default() };
    let written = Completions.write_answer(&Answer { choices: vec![choice], ..Answer::default() }, &asked());
    let got: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(
        got["choices"][0]["logprobs"],
        json!({"tokens": ["Hé", "!"], "token_logprobs": [-0.5, -2.0], "top_logprobs": [{"Hé": -0.5, "\"": -1}, {}],
            "text_offset": [0, 2]})
    );
}

const STREAM: &str = "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":3,\"choices\":[{\"text\":\"Hi \\\"usage\\\":\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}],\"model\":\"m\"}\n\n: ping\n\ndata: {\"choices\":[{\"text\":\"!\",\"index\":1}]}\n\ndata: {\"choices\":[{\"text\":\".\",\"index\":0,\"finish_reason\":\"length\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";

fn copied(pieces: &mut dyn Iterator<Item = &[u8]>, asked: Asked) -> String {
    let (mut reader, mut writer, mut out) = (Completions.reader(), Completions.writer(asked), Vec::new());
    let mut sink = |event: Event<'_>| writer.write(&event, &mut out);
    pieces.for_each(|piece| reader.read(piece, &mut sink));
    reader.close(&mut sink);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_stream_is_the_same_however_it_is_cut_and_ends_once() {
    let whole = copied(&mut [STREAM.as_bytes()].into_iter(), asked());
    let chunks: Vec<Value> =
        whole.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect();
    let text = |index: u64| {
        let own = chunks.iter().filter(|chunk| chunk["choices"][0]["index"] == index);
        own.map(|chunk| chunk["choices"][0]["text"].as_str().unwrap()).collect::<String>()
    };
    assert_eq!((text(0), text(1)), ("Hi \"usage\":.".to_owned(), "!".to_owned()));
    let ends: Vec<&Value> =
        chunks.iter().map(|chunk| &chunk["choices"][0]["finish_reason"]).filter(|end| !end.is_null()).collect();
    assert_eq!(ends, ["length", "stop"]);
    assert_eq!(chunks.last().unwrap()["usage"]["total_tokens"], 7);
    assert!(whole.ends_with("data: [DONE]\n\n"));
    for cut in 1..STREAM.len() {
        let (a, b) = STREAM.as_bytes().split_at(cut);
        assert_eq!(copied(&mut [a, b].into_iter(), asked()), whole, "{cut}");
    }
    let silent = Asked { stream_usage: false, ..asked() };
    assert!(!copied(&mut [STREAM.as_bytes()].into_iter(), silent).contains("prompt_tokens"));
    let broken = copied(&mut [&STREAM.as_bytes()[..STREAM.len() / 2]].into_iter(), asked());
    assert!(broken.contains("\"error\":") && !broken.contains("[DONE]"), "{broken}");
}

#[test]
fn recorded_streams_of_every_api_are_a_text() {
    for provider in APIS.iter().filter(|api| api.converses()) {
        for (path, stream) in crate::api::tests_golden::streams(*provider, &["\n"]) {
            let mut said = String::new();
            let (mut reader, mut writer, mut out) = (provider.reader(), Completions.writer(asked()), Vec::new());
            let mut sink = |event: Event<'_>| {
                if let Event::Text { choice: 0, text } | Event::Refusal { choice: 0, text } = &event {
                    said.push_str(text);
                }
                writer.write(&event, &mut out);
            };
            reader.read(&stream, &mut sink);
            reader.close(&mut sink);
            let (mut got, mut endings) = (String::new(), 0);
            let mut reader = Completions.reader();
            let mut sink = |event: Event<'_>| match event {
                Event::Text { choice: 0, text } => got.push_str(&text),
                Event::End | Event::Error(_) => endings += 1,
                _ => {}
            };
            reader.read(&out, &mut sink);
            reader.close(&mut sink);
            assert_eq!((got, endings), (said, 1), "{path}");
        }
    }
}

#[test]
fn watching_a_stream_tells_what_reading_it_does() {
    let mut seen = Seen::default();
    let mut decoder = sse::Decoder::new();
    let mut verdicts = Vec::new();
    let mut watch = |frame: sse::Frame<'_>| {
        if let Some(data) = frame.data {
            verdicts.push(Completions.watch_event(frame.name, data, true, &mut seen));
        }
    };
    decoder.feed(STREAM.as_bytes(), &mut watch);
    decoder.close(&mut watch);
    use Verdict::{Hide, Pass};
    assert_eq!(verdicts, [Pass, Pass, Pass, Hide, Pass]);
    assert_eq!(seen.usage.map(|usage| (usage.input, usage.output)), Some((5, 2)));
    assert!(seen.content && seen.ended && seen.error.is_none());
    assert_eq!(seen.model.as_deref(), Some("m"));
    let mut failed = Seen::default();
    Completions.watch_event(b"", br#"{"error":{"message":"no","code":503}}"#, false, &mut failed);
    assert_eq!(failed.error.map(|error| error.kind), Some(Kind::Overloaded));
}

#[test]
fn usage_is_asked_for_in_a_stream_and_all_else_stays() {
    for (body, want, hides) in [
        (r#"{ "model":"a", "prompt":[1,2] }"#, r#"{ "model":"model", "prompt":[1,2] }"#, false),
        (
            r#"{"stream":true,"model":"model"}"#,
            r#"{"stream_options":{"include_usage":true},"stream":true,"model":"model"}"#,
            true,
        ),
        (
            r#"{"model":"model","stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"model":"model","stream":true,"stream_options":{"include_usage":true}}"#,
            false,
        ),
    ] {
        let spliced = Completions.splice(Body::parse(body.as_bytes()).unwrap().value(), &TARGET);
        assert_eq!(String::from_utf8(splice(body.as_bytes(), &spliced.edits)).unwrap(), want);
        assert_eq!(spliced.hide_usage, hides);
    }
}

#[test]
fn a_conversation_does_not_fit_in_a_prompt() {
    let openai = by_name("openai").unwrap();
    let written = |body: Value| {
        let text = body.to_string();
        let request = openai.read_request(Body::parse(text.as_bytes()).unwrap().value()).unwrap();
        let written = Completions.write_request(&request, &TARGET);
        let worst = written.losses.worst().map(|loss| loss.what);
        (serde_json::from_slice::<Value>(&written.body).unwrap(), worst)
    };
    let user = json!({"role": "user", "content": "Hi"});
    assert_eq!(
        written(json!({"model": "m", "messages": [user], "max_tokens": 5, "stream": true})),
        (
            json!({"model": "model", "prompt": "Hi", "max_tokens": 5, "stream": true, "stream_options": {"include_usage": true}}),
            None
        )
    );
    assert_eq!(
        written(json!({"model": "m", "messages": [{"role": "system", "content": "x"}, user]})).1,
        Some("messages")
    );
    let tool = json!([{"type": "function", "function": {"name": "f"}}]);
    assert_eq!(written(json!({"model": "m", "messages": [user], "tools": tool})).1, Some("tools"));
    assert_eq!(written(json!({"model": "m", "messages": [user], "logprobs": true})).1, Some("logprobs"));
}

#[test]
fn what_holds_for_any_bytes_holds_for_these() {
    let request = r#"{"model":"m","prompt":["a"],"stop":["x","y"],"stream":true,"logprobs":2,"suffix":"s"}"#;
    let answer = r#"{"id":"i","choices":[{"text":"a","index":0,"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#;
    for seed in [request, answer, STREAM] {
        for cut in 0..=seed.len() {
            for first in 0..3 {
                any(&Completions, &[&[first], &seed.as_bytes()[..cut]].concat());
            }
        }
    }
}
