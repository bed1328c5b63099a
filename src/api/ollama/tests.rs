use super::{Ollama, time};
use crate::api::fuzz::{events, events_in, rewritten};
use crate::api::tests_golden::{cases, hold_all, joined, lines};
use crate::api::{Api, Asked, Seen, Target, Verdict, by_name};
use crate::chat::{
    Effort, Event, Finish, Format, Number, Part, Reasoning, Request, Role, Source, Tool, ToolChoice, Turn,
};
use crate::error::{Error, Kind};
use crate::framing::lines::MAX_LINE_BYTES;
use crate::json::{Body, raw};
use serde_json::{Value, json};

fn losses(of: &crate::chat::Losses) -> Vec<String> {
    of.iter().map(|loss| format!("{:?} {}", loss.effect, loss.what)).collect()
}

/// What a case's input becomes: a client's request read, or one of another API's written; an answer; a stream.
fn outcome(case: &Value) -> Value {
    let mut case = case.clone();
    if let Some(from) = case["from"].as_str() {
        let body = case["request"].to_string();
        let read = by_name(from).unwrap().read_request(Body::parse(body.as_bytes()).unwrap().value());
        match (read, case["model"].as_str()) {
            (Ok(request), Some(model)) => {
                let target = Target { model, max_tokens: 4096, stream_usage: true, echo_reasoning: false };
                let written = Ollama.write_request(&request, &target);
                case["written"] = serde_json::from_slice(&written.body).unwrap();
                case["losses"] = losses(&written.losses).into();
            }
            (Ok(request), None) => case["read"] = lines(format!("{request:#?}").as_bytes()),
            (Err(error), _) => case["refused"] = json!({"param": error.param, "message": error.message}),
        }
    } else if case.get("stream").is_some() {
        let stream = joined(&case["stream"], "\n").into_bytes();
        let asked = Asked { id: "made".to_owned(), ..Asked::default() };
        case["events"] = events(&Ollama, &stream, stream.len()).into();
        case["rewritten"] = lines(&rewritten(&Ollama, &stream, &asked));
    } else {
        match Ollama.read_answer(case["answer"].to_string().as_bytes()) {
            Ok(answer) => {
                case["read"] = lines(format!("{answer:#?}").as_bytes());
                case["written"] = serde_json::from_slice(&Ollama.write_answer(&answer, &Asked::default())).unwrap();
            }
            Err(error) => {
                case["refused"] =
                    format!("{:?} {:?} {}: {}", error.kind, error.fault, error.status, error.message).into()
            }
        }
    }
    case
}

#[test]
fn golden_files_hold() {
    assert!(cases(&Ollama, "").len() > 15);
    for (path, case) in cases(&Ollama, "") {
        hold_all(&path, &case, &outcome(&case));
    }
}

#[test]
fn any_split_gives_the_same_events() {
    for (path, case) in cases(&Ollama, "").iter().filter(|(_, case)| case.get("stream").is_some()) {
        let stream = joined(&case["stream"], "\n").into_bytes();
        let whole = events(&Ollama, &stream, stream.len());
        for at in 0..=stream.len() {
            let (a, b) = stream.split_at(at);
            assert_eq!(events_in(&Ollama, &mut [a, b].into_iter()), whole, "{} at {at}", path.display());
        }
    }
}

fn write(events: &[Event<'_>], asked: Asked) -> Vec<Value> {
    let mut writer = Ollama.writer(asked);
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.write(event, &mut out));
    assert!(out.ends_with(b"\n"));
    String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
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
fn calls_are_written_whole_however_their_arguments_come() {
    let events = [
        text("So"),
        tool(0, "a"),
        arguments(0, "{\"x\":"),
        tool(1, "b"),
        tool(2, "c"),
        arguments(2, "{\"cut\":\"of"),
        arguments(0, "1}"),
        finish(Finish::ToolCalls),
        Event::End,
    ];
    let all = write(&events, Asked::default());
    let calls: Vec<_> = all.iter().filter_map(|line| line["message"]["tool_calls"].get(0)).collect();
    let of = |n: usize| (calls[n]["function"]["name"].clone(), calls[n]["function"]["arguments"].clone());
    assert_eq!(of(0), (json!("a"), json!({"x": 1})));
    assert_eq!(of(1), (json!("b"), json!({})));
    assert_eq!(of(2), (json!("c"), json!({"_raw": "{\"cut\":\"of"})));
    let done: Vec<_> = all.iter().map(|line| line["done"].as_bool().unwrap()).collect();
    assert_eq!(done, [false, false, false, false, true]);
}

#[test]
fn arguments_without_end_are_not_held() {
    let mut writer = Ollama.writer(Asked::default());
    let mut out = Vec::new();
    writer.write(&tool(0, "a"), &mut out);
    let piece = "x".repeat(MAX_LINE_BYTES / 2);
    for _ in 0..3 {
        writer.write(&arguments(0, &piece), &mut out);
    }
    writer.write(&Event::End, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "{\"error\":\"the arguments of the calls are too long\"}\n");
}

#[test]
fn a_forced_tool_is_given_back_as_text() {
    let asked = || Asked { schema_tool: true, ..Asked::default() };
    let events =
        [tool(0, "answer"), arguments(0, "{\"a\":"), arguments(0, "1}"), finish(Finish::ToolCalls), Event::End];
    let all = write(&events, asked());
    let text: String = all.iter().map(|line| line["message"]["content"].as_str().unwrap()).collect();
    assert_eq!((text.as_str(), &all.last().unwrap()["done_reason"]), ("{\"a\":1}", &json!("stop")));
    let answer = by_name("openai").unwrap().read_answer(
        br#"{"choices":[{"message":{"tool_calls":[{"id":"t","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}]}"#,
    );
    let written: Value = serde_json::from_slice(&Ollama.write_answer(&answer.unwrap(), &asked())).unwrap();
    assert_eq!((&written["message"]["content"], written["message"].get("tool_calls")), (&json!("{}"), None));
}

#[test]
fn a_stream_that_fails_ends_with_the_error() {
    let all =
        write(&[text("a"), Event::Error(Error::provider(Kind::Provider, "It broke")), Event::End], Asked::default());
    assert_eq!(all.last().unwrap(), &json!({"error": "It broke"}));
    let last = events(&Ollama, b"{\"message\":{\"content\":\"a\"}}\n{\"error\":\"It broke\"}\n{\"done\":true}\n", 99)
        .pop()
        .unwrap();
    assert!(last.contains("It broke") && last.starts_with("Error"), "{last}");
}

#[test]
fn a_line_that_cannot_be_read_is_kept_from_the_client() {
    let mut seen = Seen::default();
    assert_eq!(
        Ollama.watch_event(b"", br#"{"model":"m","message":{"content":"a"},"done":false}"#, false, &mut seen),
        Verdict::Pass
    );
    assert_eq!(Ollama.watch_event(b"", br#"{"message":{"content":"b"}"#, false, &mut seen), Verdict::Hide);
    assert!(seen.error.is_some() && !seen.ended);
}

#[test]
fn a_line_is_looked_into_only_if_it_may_say_more_than_text() {
    let mut seen = Seen { content: true, ..Seen::default() };
    // Cut short: it would be an error if it were read.
    let quoted = br#"{"message":{"content":"\"done\":true \"error\":1"},"done":false,}"#;
    assert_eq!(Ollama.watch_event(b"", quoted, false, &mut seen), Verdict::Pass);
    assert!(seen.error.is_none() && !seen.ended);
    Ollama.watch_event(b"", br#"{"message":{"content":""}, "done" : true, "eval_count":3}"#, false, &mut seen);
    assert_eq!((seen.usage.map(|usage| usage.output), seen.ended), (Some(3), true));
}

#[test]
fn times_are_written_and_read() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_709_251_199, "2024-02-29T23:59:59Z"),
        (1_735_689_599, "2024-12-31T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ] {
        let mut out = Vec::new();
        time::write(&mut out, seconds);
        assert_eq!(String::from_utf8(out).unwrap(), text);
        assert_eq!(time::read(text), Some(seconds), "{text}");
    }
    for (text, seconds) in [
        ("1970-01-01T02:00:01.999999999+02:00", Some(1)),
        ("1969-12-31T23:30:00-01:00", Some(1_800)),
        ("1969-12-31T23:30:00Z", None),
        ("2024-13-01T00:00:00Z", None),
        ("2024-05-24", None),
        ("2024-05-24T21:01:59+x", None),
        ("é", None),
        ("", None),
    ] {
        assert_eq!(time::read(text), seconds, "{text}");
    }
    let mut out = Vec::new();
    time::write(&mut out, u64::MAX);
    assert_eq!(out, b"9999-12-31T23:59:59Z");
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, name: None, parts }
}

fn plain() -> Request {
    Request { turns: vec![turn(Role::User, vec![Part::text("Hi")])], ..Request::default() }
}

fn written(request: &Request) -> (Value, Vec<String>) {
    let target = Target { model: "m", max_tokens: 9, stream_usage: true, echo_reasoning: false };
    let written = Ollama.write_request(request, &target);
    (serde_json::from_slice(&written.body).unwrap(), losses(&written.losses))
}

fn function(name: &str) -> Tool {
    Tool { name: name.to_owned(), description: None, schema: None, strict: None, cache: None, vendor: None }
}

#[test]
fn what_this_api_cannot_say_is_named() {
    let request = Request {
        n: Some(2),
        logit_bias: Some(raw("{}")),
        user: Some("u".to_owned()),
        service_tier: Some("flex".to_owned()),
        parallel_tools: Some(false),
        tool_choice: Some(ToolChoice::Required),
        tools: vec![
            Tool { strict: Some(true), ..function("f") },
            Tool { vendor: Some("web_search".to_owned()), ..function("") },
        ],
        extra: vec![("new".to_owned(), raw("1")), ("audio".to_owned(), raw("{}")), ("keep_alive".to_owned(), raw("0"))],
        ..plain()
    };
    let (body, lost) = written(&request);
    assert_eq!((&body["keep_alive"], &body["stream"]), (&json!(0), &json!(false)));
    for what in ["n", "logit_bias", "parallel_tool_calls", "tool_choice", "tools", "audio"] {
        assert!(lost.contains(&format!("Meaning {what}")), "{what}: {lost:?}");
    }
    for what in ["strict", "user", "service_tier", "extra"] {
        assert!(lost.contains(&format!("Hint {what}")), "{what}: {lost:?}");
    }
    assert_eq!(lost.len(), 10);
    let none = Request { tools: vec![function("f")], tool_choice: Some(ToolChoice::None), ..plain() };
    let (body, lost) = written(&none);
    assert_eq!((body.get("tools"), lost), (None, vec!["Hint tool_choice".to_owned()]));
    let allowed = ToolChoice::Allowed { names: vec!["g".to_owned()], required: false };
    let (body, _) =
        written(&Request { tools: vec![function("f"), function("g")], tool_choice: Some(allowed), ..plain() });
    assert_eq!((body["tools"].as_array().unwrap().len(), &body["tools"][0]["function"]["name"]), (1, &json!("g")));
}

#[test]
fn an_effort_has_its_word() {
    let with = |reasoning: Reasoning| written(&Request { reasoning: Some(reasoning), ..plain() });
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    for (reasoning, think) in [
        (effort(Effort::None), json!(false)),
        (effort(Effort::Minimal), json!("low")),
        (effort(Effort::Medium), json!("medium")),
        (effort(Effort::Max), json!("high")),
        (Reasoning { adaptive: true, ..Reasoning::default() }, json!(true)),
    ] {
        let (body, lost) = with(reasoning);
        assert_eq!((&body["think"], lost.is_empty()), (&think, true));
    }
    let (body, lost) = with(Reasoning { budget: Some(20_000), ..Reasoning::default() });
    assert_eq!((&body["think"], lost), (&json!("high"), vec!["Hint reasoning".to_owned()]));
}

#[test]
fn a_clients_own_options_come_back() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"x"}],"format":"json","stream":false,
        "options":{"num_ctx":8,"num_predict":-1,"seed":-1,"stop":"x","mirostat":null}}"#;
    let request = Ollama.read_request(Body::parse(body).unwrap().value()).unwrap();
    assert_eq!((request.max_tokens, request.seed.is_none(), request.stream), (None, true, false));
    assert!(matches!(request.format, Some(Format::JsonObject)));
    let (body, lost) = written(&Request { temperature: Some(Number::of("0.5")), ..request });
    assert_eq!(body["options"], json!({"temperature": 0.5, "stop": ["x"], "num_ctx": 8}));
    assert_eq!((&body["format"], lost.is_empty()), (&json!("json"), true));
}

#[test]
fn pictures_of_tools_follow_and_a_result_names_its_tool() {
    let image = |source| Part::Image { source, detail: None, cache: None };
    let png = image(Source::Base64 { media_type: "image/png".to_owned(), data: "aQ==".to_owned() });
    let result = Part::ToolResult { id: "a".to_owned(), parts: vec![png], is_error: true, cache: None };
    let (id, name) = ("a".to_owned(), "f".to_owned());
    let call = Part::ToolCall { id, name, arguments: String::new(), signature: None, cache: None };
    let url = image(Source::Url("https://e.org".to_owned()));
    let turns = vec![turn(Role::User, vec![url]), turn(Role::Assistant, vec![call]), turn(Role::Tool, vec![result])];
    let (body, lost) = written(&Request { turns, ..plain() });
    let messages = body["messages"].as_array().unwrap();
    let told = "The result is in the next user message.";
    assert_eq!(messages[2], json!({"role": "tool", "content": told, "tool_name": "f", "tool_call_id": "a"}));
    assert_eq!(messages[3], json!({"role": "user", "content": "Result of the tool call a", "images": ["aQ=="]}));
    assert_eq!(lost, ["Meaning image", "Hint tool_result.is_error"]);
}

#[test]
fn a_field_at_fault_is_named() {
    for (body, param) in [
        (r#"{"messages":[]}"#, "model"),
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"model":"m","messages":[{"role":"x"}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"user","content":[]}]}"#, "messages[0].content"),
        (r#"{"model":"m","messages":[{"role":"user","images":[1]}]}"#, "messages[0].images[0]"),
        (
            r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{}}]}]}"#,
            "messages[0].tool_calls[0].function.name",
        ),
        (r#"{"model":"m","messages":[{"role":"user"}],"format":"xml"}"#, "format"),
        (r#"{"model":"m","messages":[{"role":"user"}],"think":"much"}"#, "think"),
        (r#"{"model":"m","messages":[{"role":"user"}],"options":{"stop":[1]}}"#, "options.stop[0]"),
        (r#"{"model":"m","messages":[{"role":"user"}],"tools":[{}]}"#, "tools[0].function"),
    ] {
        let error = Ollama.read_request(Body::parse(body.as_bytes()).unwrap().value()).unwrap_err();
        assert_eq!((error.status, error.param.as_deref()), (400, Some(param)), "{body}");
    }
}

#[test]
fn errors_are_read_and_models_are_listed() {
    let gone = Ollama.read_error(404, br#"{"error":"model \"x\" not found, try pulling it first"}"#);
    assert_eq!((gone.kind, gone.status), (Kind::ModelNotFound, 404));
    let list: Value = serde_json::from_slice(&Ollama.write_models(&["a"], 0)).unwrap();
    assert_eq!(
        (&list["models"][0]["model"], &list["models"][0]["modified_at"]),
        (&json!("a"), &json!("1970-01-01T00:00:00Z"))
    );
}
