use super::OpenAi;
use crate::api::fuzz::{events, rewritten};
use crate::api::tests_golden::{cases, hold, joined, lines};
use crate::api::{Api, Asked, Form, Seen, Target, Verdict};
use crate::chat::{Event, Part, Request, Role, Turn};
use crate::error::Kind;
use crate::framing::sse;
use crate::json::{Body, splice};
use serde_json::{Value, json};

fn target(model: &str) -> Target<'_> {
    Target { model, max_tokens: 100, stream_usage: true, echo_reasoning: false }
}

fn asked() -> Asked {
    Asked { model: "asked".to_owned(), id: "made".to_owned(), created: 5, stream_usage: true, ..Asked::default() }
}

fn request(body: &Value) -> Request {
    OpenAi.read_request(Body::parse(body.to_string().as_bytes()).unwrap().value()).unwrap()
}

#[test]
fn requests_are_read_and_written_as_the_golden_cases_say() {
    for (path, case) in cases(&OpenAi, "request-") {
        let read = request(&case["request"]);
        let target =
            Target { echo_reasoning: case["echo_reasoning"] == true, ..target(case["model"].as_str().unwrap()) };
        let written = OpenAi.write_request(&read, &target);
        let out: Value = serde_json::from_slice(&written.body).unwrap();
        let losses: Vec<String> = written.losses.iter().map(|l| format!("{} {:?}", l.what, l.effect)).collect();
        hold(&path, &case, &[("out", out), ("losses", json!(losses))]);
        // What was written can be read, and then nothing more is lost.
        let again = OpenAi.write_request(&request(&serde_json::from_slice(&written.body).unwrap()), &target);
        let (first, second): (Value, Value) =
            (serde_json::from_slice(&written.body).unwrap(), serde_json::from_slice(&again.body).unwrap());
        assert_eq!(first, second, "{}", path.display());
        assert_eq!(again.losses.worst(), None, "{}", path.display());
    }
}

#[test]
fn answers_are_read_and_written_as_the_golden_cases_say() {
    for (path, case) in cases(&OpenAi, "answer-") {
        let body = case["answer"].to_string();
        let answer = OpenAi.read_answer(body.as_bytes()).unwrap();
        let out: Value = serde_json::from_slice(&OpenAi.write_answer(&answer, &asked())).unwrap();
        let again = OpenAi.read_answer(out.to_string().as_bytes()).unwrap();
        let twice: Value = serde_json::from_slice(&OpenAi.write_answer(&again, &asked())).unwrap();
        assert_eq!(out, twice, "{}", path.display());
        let mut seen = Seen::default();
        OpenAi.watch_answer(body.as_bytes(), &mut seen);
        assert_eq!(seen.usage, answer.usage);
        assert!(seen.ended && seen.content && seen.error.is_none(), "{seen:?}");
        hold(&path, &case, &[("out", out)]);
    }
}

#[test]
fn streams_are_read_and_written_as_the_golden_cases_say_however_they_are_cut() {
    for (path, case) in cases(&OpenAi, "stream-") {
        let stream = joined(&case["stream"], "\n").into_bytes();
        let whole = events(&OpenAi, &stream, stream.len());
        for size in [2, 7] {
            assert_eq!(events(&OpenAi, &stream, size), whole, "{} in pieces of {size}", path.display());
        }
        assert_eq!(events(&OpenAi, &stream, 1), whole, "{} byte by byte", path.display());

        let out = rewritten(&OpenAi, &stream, &asked());
        hold(&path, &case, &[("events", json!(whole)), ("out", lines(&out))]);

        let failed = whole.last().unwrap().starts_with("Error");
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("data: [DONE]").count(), usize::from(!failed), "{}", path.display());
        assert_eq!(text.matches("data: {\"error\":").count(), usize::from(failed), "{}", path.display());

        let mut seen = Seen::default();
        let mut decoder = sse::Decoder::new();
        let mut watch = |frame: sse::Frame<'_>| {
            if let Some(data) = frame.data {
                OpenAi.watch_event(frame.name, data, false, &mut seen);
            }
        };
        decoder.feed(&stream, &mut watch);
        decoder.close(&mut watch);
        let broke_off = failed && seen.error.is_none();
        assert_eq!(seen.ended, !failed || (!broke_off && seen.ended), "{} {seen:?}", path.display());
        let usage = whole.iter().rev().find_map(|e| e.strip_prefix("Usage("));
        assert_eq!(seen.usage.map(|u| format!("{u:?})")), usage.map(str::to_owned), "{}", path.display());
    }
}

#[test]
fn what_is_wrong_in_a_request_is_named_by_its_path() {
    let user = |content: Value| json!({"model": "m", "messages": [{"role": "user", "content": content}]});
    let with = |key: &str, value: Value| {
        let mut body = user(json!("Hi"));
        body[key] = value;
        body
    };
    let cases = [
        (json!({"messages": []}), "model", "is missing"),
        (json!({"model": "m"}), "messages", "is missing"),
        (json!({"model": 5, "messages": []}), "model", "must be a string"),
        (json!({"model": "m", "messages": [["user", "Hi"]]}), "messages[0]", "must be an object, not an array"),
        (json!({"model": "m", "messages": [null]}), "messages[0]", "must be an object, not null"),
        (json!({"model": "m", "messages": {}}), "messages", "must be an array, not an object"),
        (json!({"model": "m", "messages": [{"content": "Hi"}]}), "messages[0].role", "is missing"),
        (json!({"model": "m", "messages": [{"role": "robot"}]}), "messages[0].role", "must be"),
        (
            json!({"model": "m", "messages": [{"role": "tool", "content": ""}]}),
            "messages[0].tool_call_id",
            "is missing",
        ),
        (user(json!(7)), "messages[0].content", "must be a string or an array"),
        (user(json!([{"type": "text"}])), "messages[0].content[0].text", "is missing"),
        (user(json!([{"text": "x"}])), "messages[0].content[0].type", "is missing"),
        (
            user(json!([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": true}}])),
            "messages[0].content[1].image_url.url",
            "must be a string, not a boolean",
        ),
        (user(json!([{"type": "image_url", "image_url": {}}])), "messages[0].content[0].image_url.url", "is missing"),
        (with("max_tokens", json!(-1)), "max_tokens", "must not be negative"),
        (with("max_tokens", json!("9")), "max_tokens", "must be a whole number, not a string"),
        (with("temperature", json!([])), "temperature", "not an array"),
        (with("stop", json!(["a", 5])), "stop[1]", "must be a string"),
        (with("tools", json!([{"type": "function"}])), "tools[0].function", "is missing"),
        (with("tools", json!([{"type": "function", "function": {}}])), "tools[0].function.name", "is missing"),
        (with("tool_choice", json!("maybe")), "tool_choice", "must be none"),
        (with("tool_choice", json!({"function": {"name": 5}})), "tool_choice.function.name", "must be a string"),
        (with("response_format", json!({"type": "xml"})), "response_format.type", "must be text"),
        (with("response_format", json!({"type": "json_schema"})), "response_format.json_schema.schema", "is missing"),
        (with("reasoning_effort", json!("extreme")), "reasoning_effort", "must be none"),
        (with("metadata", json!({"a": 1})), "metadata.a", "must be a string"),
        (with("stream", json!("yes")), "stream", "not a string"),
    ];
    for (body, param, message) in cases {
        for text in [body.to_string(), serde_json::to_string_pretty(&body).unwrap()] {
            let error = OpenAi.read_request(Body::parse(text.as_bytes()).unwrap().value()).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{text}: {error:?}");
            assert!(error.message.contains(message), "{text}: {error:?}");
            assert_eq!((error.kind, error.status), (Kind::InvalidRequest, 400));
        }
    }
}

#[test]
fn a_failed_tool_says_so_only_in_its_text() {
    let result = |parts| Part::ToolResult { id: "a".to_owned(), parts, is_error: true, cache: None };
    let turn = |parts| Turn { role: Role::User, name: None, parts };
    let turns =
        vec![turn(vec![Part::text("And?"), result(vec![Part::text("no file")])]), turn(vec![result(Vec::new())])];
    let written = OpenAi.write_request(&Request { turns, ..Request::default() }, &target("m"));
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    let expected = json!([
        {"role": "tool", "tool_call_id": "a", "content": "no file"},
        {"role": "user", "content": "And?"},
        {"role": "tool", "tool_call_id": "a", "content": "Error"},
    ]);
    assert_eq!(body["messages"], expected);
    assert_eq!(written.losses.iter().map(|l| l.what).collect::<Vec<_>>(), ["tool_result.is_error"]);
}

#[test]
fn a_splice_changes_only_what_it_must() {
    let cases = [
        (r#"{"model":"a", "x": 1 }"#, r#"{"model":"b", "x": 1 }"#, false),
        (r#"{"model":"b"}"#, r#"{"model":"b"}"#, false),
        (
            r#"{ "model":"b","stream":true}"#,
            r#"{"stream_options":{"include_usage":true}, "model":"b","stream":true}"#,
            true,
        ),
        (
            r#"{"model":"b","stream":true,"stream_options":{ "o": [1] }}"#,
            r#"{"model":"b","stream":true,"stream_options":{"include_usage":true, "o": [1] }}"#,
            true,
        ),
        (
            r#"{"model":"b","stream":true,"stream_options":{ }}"#,
            r#"{"model":"b","stream":true,"stream_options":{"include_usage":true}}"#,
            true,
        ),
        (
            r#"{"model":"b","stream":true,"stream_options":{"include_usage" : false}}"#,
            r#"{"model":"b","stream":true,"stream_options":{"include_usage" : true}}"#,
            true,
        ),
        (
            r#"{"model":"b","stream":true,"stream_options":null}"#,
            r#"{"model":"b","stream":true,"stream_options":{"include_usage":true}}"#,
            true,
        ),
        (
            r#"{"model":"b","stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"model":"b","stream":true,"stream_options":{"include_usage":true}}"#,
            false,
        ),
        (r#"{"model":"b","stream":false}"#, r#"{"model":"b","stream":false}"#, false),
    ];
    for (before, after, hide) in cases {
        let spliced = OpenAi.splice(Body::parse(before.as_bytes()).unwrap().value(), &target("b"));
        let body = String::from_utf8(splice(before.as_bytes(), &spliced.edits)).unwrap();
        let parsed: Value = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{before}: {e}: {body}"));
        assert_eq!(parsed, serde_json::from_str::<Value>(after).unwrap(), "{before}");
        assert_eq!(body.replace(' ', ""), after.replace(' ', ""), "{before}");
        assert_eq!(spliced.hide_usage, hide, "{before}");
    }
    let untouched = Target { stream_usage: false, ..target("b") };
    let body = Body::parse(br#"{"model":"b","stream":true}"#).unwrap();
    assert!(OpenAi.splice(body.value(), &untouched).edits.is_empty());
}

#[test]
fn only_the_injected_usage_is_hidden() {
    let usage = r#""usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}"#;
    let cases = [
        (format!(r#"{{"choices":[],{usage}}}"#), true, Verdict::Hide),
        (format!(r#"{{"choices":[],{usage}}}"#), false, Verdict::Pass),
        (format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop"}}],{usage}}}"#), true, Verdict::Pass),
        (r#"{"choices":[],"prompt_filter_results":[]}"#.to_owned(), true, Verdict::Pass),
        (r#"{"choices":[{"delta":{"content":"the \"usage\":{}"}}],"usage":null}"#.to_owned(), true, Verdict::Pass),
        ("[DONE]".to_owned(), true, Verdict::Pass),
    ];
    for content in [false, true] {
        for (data, hide, verdict) in &cases {
            let mut seen = Seen { content, ..Seen::default() };
            assert_eq!(OpenAi.watch_event(b"", data.as_bytes(), *hide, &mut seen), *verdict, "{data}");
            assert_eq!(seen.usage.map(|u| u.total()), data.contains("total_tokens").then_some(5), "{data}");
            assert!(seen.error.is_none());
        }
    }
}

#[test]
fn a_forced_tool_is_the_text_of_the_answer() {
    let call = json!({"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"content": "Sure:",
        "tool_calls": [{"id": "t", "type": "function", "function": {"name": "json", "arguments": "{\"a\":1}"}}]}}]});
    let asked = Asked { schema_tool: true, rename: Some("mine".to_owned()), ..asked() };
    let answer = OpenAi.read_answer(call.to_string().as_bytes()).unwrap();
    let out: Value = serde_json::from_slice(&OpenAi.write_answer(&answer, &asked)).unwrap();
    let message = &out["choices"][0]["message"];
    assert_eq!(
        (&out["model"], &message["content"], &message["tool_calls"]),
        (&json!("mine"), &json!("{\"a\":1}"), &Value::Null)
    );
    assert_eq!(out["choices"][0]["finish_reason"], "stop");

    let mut writer = OpenAi.writer(asked);
    let mut out = Vec::new();
    for event in [
        Event::ToolStart { choice: 0, tool: 0, id: "t".into(), name: "json".into(), signature: None },
        Event::ToolArguments { choice: 0, tool: 0, json: "{\"a\"".into() },
        Event::ToolArguments { choice: 0, tool: 0, json: ":1}".into() },
        Event::Finish { choice: 0, reason: crate::chat::Finish::ToolCalls, stop_sequence: None },
        Event::End,
    ] {
        writer.write(&event, &mut out);
    }
    let mut text = String::new();
    let mut reader = OpenAi.reader();
    reader.read(&out, &mut |event| match event {
        Event::Text { text: more, .. } => text.push_str(&more),
        Event::ToolStart { .. } => panic!("a tool in {}", String::from_utf8_lossy(&out)),
        Event::Finish { reason, .. } => assert_eq!(reason, crate::chat::Finish::Stop),
        _ => {}
    });
    assert_eq!(text, "{\"a\":1}");
}

#[test]
fn a_custom_tools_call_in_a_stream_is_an_error_and_not_lost() {
    let chunk = json!({"id": "c", "choices": [{"index": 0, "delta":
        {"tool_calls": [{"index": 0, "id": "t", "type": "custom", "custom": {"name": "sql", "input": "SELECT"}}]}}]});
    let stream = format!("data: {chunk}\n\ndata: [DONE]\n\n");
    let all = events(&OpenAi, stream.as_bytes(), stream.len());
    assert!(all.last().unwrap().starts_with("Error"), "{all:?}");
}

#[test]
fn what_mistrals_clients_say_of_nothing_is_left_out_for_others_and_for_them_alone() {
    let body = r#"{"model":"b","messages":[{"prefix":false,"tool_calls":[{"index":0,"id":"c"}]},{"tool_calls":[{"index":0}]},{"prefix":true},{"prefix":false,"role":"tool"},{"prefix":false}]}"#;
    let plain = r#"{"model":"b","messages":[{"tool_calls":[{"id":"c"}]},{"tool_calls":[{"index":0}]},{"prefix":true},{"role":"tool"},{"prefix":false}]}"#;
    let value = Body::parse(body.as_bytes()).unwrap();
    let spliced = |form| String::from_utf8(splice(body.as_bytes(), &OpenAi.reform(value.value(), form))).unwrap();
    assert_eq!((&*spliced(Form::WholeCalls), &*spliced(Form::Usual)), (plain, body));
    assert!(OpenAi.splice(value.value(), &target("b")).edits.is_empty());
}
