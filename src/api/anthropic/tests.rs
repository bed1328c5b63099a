use super::Anthropic;
use crate::api::fuzz::{events, events_in, rewritten};
use crate::api::tests_golden::{cases, hold_all, joined, lines, streams};
use crate::api::{Api, Asked, Line, Named, Operation, Seen, Target, by_name};
use crate::chat::{Citation, Event, Finish, Usage};
use crate::error::{Error, Fault, Kind};
use crate::framing::sse::Decoder;
use crate::http::Headers;
use crate::json::{Body, splice};
use serde_json::{Value, json};

/// What a case's input becomes: a request read or written, an answer, a stream.
fn outcome(case: &Value) -> Value {
    let mut case = case.clone();
    if let Some(from) = case["from"].as_str() {
        let body = case["request"].to_string();
        let read = by_name(from).unwrap().read_request(Body::parse(body.as_bytes()).unwrap().value());
        match (read, case["model"].as_str()) {
            (Ok(request), Some(model)) => {
                let target = Target { model, max_tokens: 4096, stream_usage: true, echo_reasoning: false };
                let written = Anthropic.write_request(&request, &target);
                case["written"] = serde_json::from_slice(&written.body).unwrap();
                let loss = |loss: &crate::chat::Loss| format!("{:?} {}: {}", loss.effect, loss.what, loss.reason);
                case["losses"] = written.losses.iter().map(loss).collect::<Vec<_>>().into();
                case["headers"] = written.headers.iter().map(|(k, v)| format!("{k}: {v}")).collect::<Vec<_>>().into();
                case["schema_tool"] = written.schema_tool.into();
            }
            (Ok(request), None) => case["read"] = lines(format!("{request:#?}").as_bytes()),
            (Err(error), _) => case["refused"] = json!({"param": error.param, "message": error.message}),
        }
    } else if case.get("stream").is_some() {
        let stream = joined(&case["stream"], "\n").into_bytes();
        let asked = Asked { id: "1".to_owned(), ..Asked::default() };
        case["events"] = events(&Anthropic, &stream, stream.len()).into();
        case["rewritten"] = lines(&rewritten(&Anthropic, &stream, &asked));
    } else {
        let body = case["answer"].to_string();
        match Anthropic.read_answer(body.as_bytes()) {
            Ok(answer) => {
                let asked = Asked { id: "1".to_owned(), ..Asked::default() };
                case["read"] = lines(format!("{answer:#?}").as_bytes());
                case["written"] = serde_json::from_slice(&Anthropic.write_answer(&answer, &asked)).unwrap();
            }
            Err(error) => case["refused"] = lines(format!("{error:#?}").as_bytes()),
        }
    }
    case
}

#[test]
fn golden_files_hold() {
    for (path, case) in cases(&Anthropic, "") {
        hold_all(&path, &case, &outcome(&case));
    }
}

#[test]
fn any_split_gives_the_same_events() {
    for (path, stream) in streams(&Anthropic, &["\n"]) {
        let whole = events(&Anthropic, &stream, stream.len());
        for at in 0..=stream.len() {
            let (a, b) = stream.split_at(at);
            assert_eq!(events_in(&Anthropic, &mut [a, b].into_iter()), whole, "{path} at {at}");
        }
    }
}

/// What a client's SDK relies on: one start and end, blocks that open in order and close, deltas only while open.
fn check_stream(written: &[u8]) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    Decoder::new().feed(written, &mut |frame| {
        let data: Value = serde_json::from_slice(frame.data.unwrap()).unwrap();
        assert_eq!(data["type"].as_str().unwrap().as_bytes(), frame.name);
        all.push(data);
    });
    let (mut open, mut next) = (Vec::new(), 0..);
    for event in all.iter() {
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                let index: u64 = next.next().unwrap();
                assert_eq!(event["index"], index, "{all:#?}");
                open.push(index);
            }
            "content_block_delta" => assert!(open.contains(&event["index"].as_u64().unwrap()), "{all:#?}"),
            "content_block_stop" => {
                let index = event["index"].as_u64().unwrap();
                assert!(open.contains(&index), "{all:#?}");
                open.retain(|i| *i != index);
            }
            "message_delta" => assert!(open.is_empty(), "{all:#?}"),
            _ => {}
        }
    }
    let kinds: Vec<&str> = all.iter().map(|event| event["type"].as_str().unwrap()).collect();
    for kind in ["message_start", "message_delta", "message_stop"] {
        assert_eq!(kinds.iter().filter(|k| **k == kind).count(), 1, "{kinds:?}");
    }
    assert_eq!((kinds.first(), kinds.last()), (Some(&"message_start"), Some(&"message_stop")));
    all
}

/// The event that says why the answer ended.
fn end(all: &[Value]) -> &Value {
    all.iter().rev().nth(1).unwrap()
}

fn write(events: &[Event<'_>], asked: Asked) -> Vec<u8> {
    let mut writer = Anthropic.writer(asked);
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.write(event, &mut out));
    out
}

fn text(text: &str) -> Event<'_> {
    Event::Text { choice: 0, text: text.into() }
}

fn tool<'a>(tool: u32, name: &'a str) -> Event<'a> {
    Event::ToolStart { choice: 0, tool, id: name.into(), name: name.into(), signature: None }
}

fn arguments(tool: u32, json: &str) -> Event<'_> {
    Event::ToolArguments { choice: 0, tool, json: json.into() }
}

fn finish<'a>(reason: Finish) -> Event<'a> {
    Event::Finish { choice: 0, reason, stop_sequence: None }
}

#[test]
fn usage_that_comes_after_the_finish_is_in_the_message_delta() {
    let usage = Usage { input: 10, cached_input: 4, cache_write: 1, output: 7, reasoning: 3, ..Usage::default() };
    let events = [text("Hi"), finish(Finish::Stop), Event::Usage(usage), Event::End];
    let all = check_stream(&write(&events, Asked { model: "gpt".to_owned(), id: "7".to_owned(), ..Asked::default() }));
    assert_eq!((&all[0]["message"]["model"], &all[0]["message"]["id"]), (&json!("gpt"), &json!("msg_7")));
    let told = end(&all);
    assert_eq!(
        told["usage"],
        json!({"input_tokens": 5, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 4, "output_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 3}})
    );
    assert_eq!(told["delta"], json!({"stop_reason": "end_turn", "stop_sequence": null}));
}

#[test]
fn parts_of_usage_never_exceed_their_whole() {
    let usage = Usage { input: 10, cached_input: 8, cache_write: 8, output: 1, ..Usage::default() };
    let all = check_stream(&write(&[finish(Finish::Stop), Event::Usage(usage), Event::End], Asked::default()));
    assert_eq!(
        end(&all)["usage"],
        json!({"input_tokens": 0, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 8, "output_tokens": 1})
    );
}

#[test]
fn an_error_in_an_answers_place_is_one_in_any_form() {
    for body in [
        r#"{"error":{"type":"overloaded_error","message":"x"}}"#,
        r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
    ] {
        assert_eq!(Anthropic.read_answer(body.as_bytes()).map(|_| ()).unwrap_err().kind, Kind::Overloaded);
        let last = events(&Anthropic, format!("data: {body}\n\n").as_bytes(), 1000).pop().unwrap();
        assert!(last.starts_with("Error") && last.contains("Overloaded"), "{last}");
    }
}

#[test]
fn calls_end_a_stream_with_tool_use_whatever_the_provider_says() {
    for reason in [Finish::Stop, Finish::ToolCalls] {
        let all = check_stream(&write(&[text("a"), tool(0, "f"), finish(reason), Event::End], Asked::default()));
        assert_eq!(end(&all)["delta"]["stop_reason"], "tool_use");
    }
    let all = check_stream(&write(
        &[tool(0, "f"), arguments(0, "{\"a"), finish(Finish::Length), Event::End],
        Asked::default(),
    ));
    assert_eq!(end(&all)["delta"]["stop_reason"], "max_tokens");
    let all = check_stream(&write(&[text("a"), finish(Finish::ToolCalls), Event::End], Asked::default()));
    assert_eq!(end(&all)["delta"]["stop_reason"], "end_turn");
}

#[test]
fn calls_whose_arguments_are_mixed_keep_their_own() {
    let events = [
        tool(0, "a"),
        arguments(0, "{\"x\":"),
        tool(1, "b"),
        arguments(1, "{\"y\":\"}"),
        arguments(0, "1}"),
        arguments(1, "\"}"),
        text("after"),
        finish(Finish::ToolCalls),
        Event::End,
    ];
    let all = check_stream(&write(&events, Asked::default()));
    let of = |index: u64| -> String {
        let deltas = all.iter().filter(|event| event["index"] == index && event["type"] == "content_block_delta");
        deltas.filter_map(|event| event["delta"]["partial_json"].as_str()).collect()
    };
    assert_eq!((of(0).as_str(), of(1).as_str()), ("{\"x\":1}", "{\"y\":\"}\"}"));
}

#[test]
fn a_forced_tool_is_given_back_as_text() {
    let asked = || Asked { schema_tool: true, ..Asked::default() };
    let events =
        [tool(0, "answer"), arguments(0, "{\"a\":"), arguments(0, "1}"), finish(Finish::ToolCalls), Event::End];
    let all = check_stream(&write(&events, asked()));
    let text: String = all.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
    assert_eq!(text, "{\"a\":1}");
    assert_eq!(end(&all)["delta"]["stop_reason"], "end_turn");
    let answer = json!({"type": "message", "content": [{"type": "tool_use", "id": "t", "name": "answer", "input": {"a": 1}}],
        "stop_reason": "tool_use"});
    let answer = Anthropic.read_answer(answer.to_string().as_bytes()).unwrap();
    let written: Value = serde_json::from_slice(&Anthropic.write_answer(&answer, &asked())).unwrap();
    assert_eq!(written["content"], json!([{"type": "text", "text": "{\"a\":1}"}]));
    assert_eq!(written["stop_reason"], "end_turn");
}

#[test]
fn every_kind_of_content_gets_a_block_of_its_own() {
    let events = [
        Event::Thinking { choice: 0, text: "hm".into() },
        Event::Signature { choice: 0, signature: "s".into() },
        Event::Redacted { choice: 0, data: "r".into() },
        text("a"),
        Event::BlockEnd { choice: 0 },
        text("b"),
        Event::Citation { choice: 0, citation: Citation { url: Some("https://u".to_owned()), ..Citation::default() } },
        Event::Text { choice: 1, text: "not shown".into() },
        Event::Ping,
        tool(0, "f"),
        finish(Finish::ToolCalls),
        Event::End,
        text("nothing after the end"),
    ];
    let all = check_stream(&write(&events, Asked { rename: Some("mine".to_owned()), ..Asked::default() }));
    let starts = all.iter().filter(|event| event["type"] == "content_block_start");
    let kinds: Vec<&str> = starts.map(|event| event["content_block"]["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["thinking", "redacted_thinking", "text", "text", "tool_use"]);
    assert_eq!(all[0]["message"]["model"], "mine");
    assert!(!format!("{all:?}").contains("not shown") && !format!("{all:?}").contains("nothing after"));
    assert!(all.iter().any(|event| event["delta"]["citation"]["url"] == "https://u"));
    assert!(all.iter().any(|event| event["type"] == "ping"));
}

#[test]
fn an_error_ends_a_stream() {
    let error = Error::provider(Kind::Overloaded, "too much");
    let out = String::from_utf8(write(&[text("a"), Event::Error(error), Event::End], Asked::default())).unwrap();
    let end = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"too much\"}}\n\n";
    assert!(out.ends_with(end), "{out}");
}

#[test]
fn a_stream_that_is_watched_has_the_usage_of_the_stream_that_is_read() {
    for (path, stream) in streams(&Anthropic, &["\n"]) {
        let mut usage = None;
        let mut failed = None;
        Anthropic.reader().read(&stream, &mut |event| match event {
            Event::Start { usage: said, .. } => usage = said.or(usage),
            Event::Usage(said) => usage = Some(said),
            Event::Error(error) => failed = Some(error),
            _ => {}
        });
        let (mut named, mut bare) = (Seen::default(), Seen::default());
        Decoder::new().feed(&stream, &mut |frame| {
            if let Some(data) = frame.data {
                Anthropic.watch_event(frame.name, data, false, &mut named);
                Anthropic.watch_event(b"", data, false, &mut bare);
            }
        });
        for seen in [named, bare] {
            // What the reader cannot read it refuses; a watcher lets it pass.
            if failed.as_ref().is_none_or(|error| error.kind != Kind::BadAnswer) {
                assert_eq!(seen.usage, usage, "{path}");
                assert_eq!(seen.error, failed, "{path}");
            }
        }
    }
}

/// The provider's sums are without it, but it is charged for.
#[test]
fn a_summary_that_the_provider_made_is_in_the_usage() {
    let usage = r#"{"input_tokens":229,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":5,"iterations":[
        {"type":"compaction","input_tokens":100,"cache_creation_input_tokens":50000,"cache_read_input_tokens":7,"output_tokens":131},
        {"type":"message","input_tokens":200,"output_tokens":2},{"type":"message","input_tokens":29,"output_tokens":3},
        {"type":"advisor_message","model":"claude-opus-4-8","input_tokens":2518,"output_tokens":22},
        {"type":"fallback_message","model":"claude-opus-4-8","input_tokens":412,"output_tokens":264},{},7]}"#;
    let usage = usage.replace('\n', "");
    let want = Usage { input: 50_336, cached_input: 7, cache_write: 50_000, output: 136, ..Usage::default() };
    let mut seen = Seen::default();
    Anthropic.watch_answer(
        format!(r#"{{"type":"message","model":"m","content":[],"usage":{usage}}}"#).as_bytes(),
        &mut seen,
    );
    assert_eq!(seen.usage, Some(want));
    let mut seen = Seen::default();
    // The sums at the end take the place of those at the start, and nothing is added twice.
    for data in [
        r#"{"type":"message_start","message":{"model":"m","content":[],"usage":{"input_tokens":229,"output_tokens":1,"iterations":null}}}"#,
        &format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{usage}}}"#),
        &format!(r#"{{"type":"message_delta","delta":{{}},"usage":{usage}}}"#),
    ] {
        Anthropic.watch_event(b"", data.as_bytes(), false, &mut seen);
    }
    assert_eq!(seen.usage, Some(want));
}

#[test]
fn an_answer_that_is_watched_has_its_usage() {
    let body = br#"{"type":"message","model":"m","content":[{"type":"text","text":""}],"usage":{"input_tokens":1,
        "cache_read_input_tokens":2,"cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":4},"output_tokens":5}}"#;
    let mut seen = Seen::default();
    Anthropic.watch_answer(body, &mut seen);
    assert_eq!(seen.usage, Some(Usage { input: 10, cached_input: 2, cache_write: 7, output: 5, ..Usage::default() }));
    assert_eq!((seen.content, seen.ended, seen.model.as_deref()), (true, true, Some("m")));
    let mut seen = Seen::default();
    Anthropic.watch_answer(br#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#, &mut seen);
    assert_eq!(seen.error.map(|error| (error.kind, error.status)), Some((Kind::Overloaded, 529)));
}

#[test]
fn only_a_block_that_comes_with_something_is_content() {
    let cases = [
        (r#""content_block":{"type":"text","text":"redacted_thinking _use"}"#, false),
        (r#""content_block":{"type":"thinking","thinking":""}"#, false),
        (r#""content_block":{"type":"redacted_thinking","data":"x"}"#, true),
        (r#""content_block":{"type":"server_tool_use","id":"1"}"#, true),
        (r#""content_block":7"#, false),
    ];
    for (rest, content) in cases {
        let data = format!(r#"{{"type":"content_block_start",{rest}}}"#);
        for name in [b"".as_slice(), b"content_block_start"] {
            let mut seen = Seen::default();
            Anthropic.watch_event(name, data.as_bytes(), false, &mut seen);
            assert_eq!(seen.content, content, "{data}");
        }
    }
}

#[test]
fn types_that_no_client_needs_do_not_end_a_stream() {
    let stream = concat!(
        "data: {\"type\":\"message_start\",\"message\":{\"id\":7,\"model\":\"m\",\"usage\":{\"input_tokens\":3.0,\"output_tokens\":\"1\"}}}\n\n",
        "data: {\"type\":\"content_block_start\",\"index\":\"0\",\"content_block\":{\"type\":\"text\",\"text\":null}}\n\n",
        "data: {\"type\":\"content_block_delta\",\"index\":\"0\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\\n\"}}\n\n",
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":1},\"usage\":[]}\n\n",
        "event: message_stop\ndata: x\n\n",
    );
    let all = events(&Anthropic, stream.as_bytes(), 9);
    assert!(all[0].contains("input: 3, ") && all[0].contains("model: \"m\""), "{all:?}");
    assert!(all[1].contains(r#"text: "a\n""#) && all[2].contains("reason: Stop") && all[3] == "End", "{all:?}");
    // Content that cannot be read is not passed over.
    let lost = events(
        &Anthropic,
        b"data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":1}}\n\n",
        99,
    );
    assert!(lost.len() == 1 && lost[0].starts_with("Error"), "{lost:?}");
}

#[test]
fn only_the_model_is_spliced() {
    let target = |model| Target { model, max_tokens: 1, stream_usage: true, echo_reasoning: false };
    let body = br#"{ "messages" : [], "model":"a", "new":{"b":1.50} }"#;
    let object = Body::parse(body).unwrap();
    assert_eq!(splice(body, &Anthropic.splice(object.value(), &target("a")).edits), body);
    let with = splice(body, &Anthropic.splice(object.value(), &target("b\"")).edits);
    assert_eq!(with, br#"{ "messages" : [], "model":"b\"", "new":{"b":1.50} }"#);
}

#[test]
fn paths_say_what_is_asked_for() {
    let mut ours = Headers::default();
    ours.push("anthropic-version", "2023-06-01");
    let cases = [
        ("POST", "/v1/messages", true, Some(Operation::Chat(Named::default()))),
        ("GET", "/v1/messages", true, None),
        ("POST", "/v1/messages/count_tokens", true, None),
        ("GET", "/v1/models", true, Some(Operation::ListModels)),
        ("GET", "/v1/models", false, None),
        ("GET", "/v1/models/", true, None),
        ("GET", "/v1/modelsx", true, None),
        ("GET", "/v1/models/a%2Fb/c%zz%", true, Some(Operation::Model("a/b/c%zz%".to_owned()))),
    ];
    for (method, path, version, want) in cases {
        let headers = if version { ours.clone() } else { Headers::default() };
        assert_eq!(Anthropic.operation(&Line { method, path, query: "", headers: &headers }), want, "{method} {path}");
    }
}

#[test]
fn models_are_listed() {
    let list: Value = serde_json::from_slice(&Anthropic.write_models(&["a", "b\""], 1_735_689_599)).unwrap();
    assert_eq!((&list["first_id"], &list["last_id"], &list["has_more"]), (&json!("a"), &json!("b\""), &json!(false)));
    assert_eq!(list["data"][0]["created_at"], "2024-12-31T23:59:59Z");
    let none: Value = serde_json::from_slice(&Anthropic.write_models(&[], 0)).unwrap();
    assert_eq!(none, json!({"data": [], "has_more": false, "first_id": null, "last_id": null}));
    for (seconds, want) in
        [(0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"), (4_107_542_400, "2100-03-01T00:00:00Z")]
    {
        let one: Value = serde_json::from_slice(&Anthropic.write_model("m", seconds)).unwrap();
        assert_eq!(one["created_at"], want);
    }
    Anthropic.write_model("m", u64::MAX);
}

#[test]
fn providers_errors_are_understood_in_any_form() {
    let ours = |kind: &str, message: &str| {
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"}).to_string()
    };
    let cases = [
        (
            400,
            ours("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
            Kind::ContextLength,
            "prompt is",
        ),
        (400, ours("invalid_request_error", "max_tokens: bad"), Kind::InvalidRequest, "max_tokens: bad"),
        (
            400,
            ours("invalid_request_error", "Your credit balance is too low"),
            Kind::Permission,
            "the provider does not",
        ),
        (401, ours("authentication_error", "invalid x-api-key sk-1"), Kind::Authentication, "the provider does not"),
        (403, ours("permission_error", "org x"), Kind::Permission, "the provider does not"),
        (404, ours("not_found_error", "model: claude-9"), Kind::ModelNotFound, "model: claude-9"),
        (413, ours("request_too_large", "too large"), Kind::InvalidRequest, "too large"),
        (429, ours("rate_limit_error", "slow"), Kind::RateLimit, "slow"),
        (500, ours("api_error", "oops"), Kind::Provider, "oops"),
        (529, ours("overloaded_error", "Overloaded"), Kind::Overloaded, "Overloaded"),
        (
            502,
            "<html>bad gateway at host.internal</html>".to_owned(),
            Kind::Provider,
            "the provider answered with status 502",
        ),
        (503, String::new(), Kind::Overloaded, "the provider answered with status 503"),
        (400, json!({"error": {"message": "m", "code": 3}}).to_string(), Kind::InvalidRequest, "m"),
        (400, json!({"error": "text"}).to_string(), Kind::InvalidRequest, "text"),
        (422, json!({"detail": "d"}).to_string(), Kind::InvalidRequest, "d"),
        (500, json!({"message": "top"}).to_string(), Kind::Provider, "top"),
        (500, json!([1]).to_string(), Kind::Provider, "the provider answered with status 500"),
    ];
    for (status, body, kind, message) in cases {
        let error = Anthropic.read_error(status, body.as_bytes());
        assert_eq!((error.kind, error.status), (kind, status), "{body}");
        assert!(error.message.starts_with(message), "{}", error.message);
    }
    assert_eq!(Anthropic.read_error(200, b"").status, 502);
}

#[test]
fn errors_are_written_as_clients_know_them() {
    let cases = [
        (
            Error::field("messages[0].role", "must be a string"),
            400,
            "invalid_request_error",
            "messages[0].role: must be a string",
        ),
        (Error::new(Kind::Authentication, Fault::Client, "k"), 401, "authentication_error", "k"),
        (Error::new(Kind::ModelNotFound, Fault::Client, "k"), 404, "not_found_error", "k"),
        (Error::new(Kind::RateLimit, Fault::Client, "k"), 429, "rate_limit_error", "k"),
        (Error::new(Kind::Overloaded, Fault::Provider, "k"), 529, "overloaded_error", "k"),
        (Error::new(Kind::Unreachable, Fault::Provider, "k"), 503, "api_error", "k"),
        (Error::new(Kind::Timeout, Fault::Provider, "k"), 504, "timeout_error", "k"),
        (Error::invalid("k").with_status(413), 413, "request_too_large", "k"),
    ];
    for (error, status, kind, message) in cases {
        let (got, body) = Anthropic.write_error(&error);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(got, status);
        assert_eq!(body, json!({"type": "error", "error": {"type": kind, "message": message}}));
    }
}
