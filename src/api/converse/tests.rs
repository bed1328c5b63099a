use super::{Converse, STREAM, WHOLE, escape};
use crate::api::fuzz::{events, events_in, rewritten};
use crate::api::tests_golden::{cases, frames, hold_all, lines, streams};
use crate::api::{Api, Asked, Line, Operation, Seen, Target, by_name};
use crate::chat::{Event, Finish, Usage};
use crate::error::{Error, Fault, Kind};
use crate::framing::eventstream::Decoder;
use crate::http::Headers;
use crate::json::Body;
use serde_json::{Value, json};

/// A stream's frames, each a name and a payload.
fn shown(stream: &[u8]) -> Vec<Value> {
    let mut all = Vec::new();
    Decoder::new().feed(stream, &mut |frame| {
        let name = std::str::from_utf8(frame.name).unwrap();
        let data: Value = serde_json::from_slice(frame.data.unwrap()).unwrap();
        all.push(json!([name, data]));
    });
    all
}

/// What a case's input becomes: a request read or written, an answer, a stream.
fn outcome(case: &Value) -> Value {
    let mut case = case.clone();
    if let Some(from) = case["from"].as_str() {
        let body = case["request"].to_string();
        let read = by_name(from).unwrap().read_request(Body::parse(body.as_bytes()).unwrap().value());
        match (read, case["model"].as_str()) {
            (Ok(request), Some(model)) => {
                let target = Target { model, max_tokens: 4096, stream_usage: true, echo_reasoning: false };
                let written = Converse.write_request(&request, &target);
                case["written"] = serde_json::from_slice(&written.body).unwrap();
                let loss = |loss: &crate::chat::Loss| format!("{:?} {}: {}", loss.effect, loss.what, loss.reason);
                case["losses"] = written.losses.iter().map(loss).collect::<Vec<_>>().into();
                case["schema_tool"] = written.schema_tool.into();
                // What is written is read again.
                Converse.read_request(Body::parse(&written.body).unwrap().value()).unwrap();
            }
            (Ok(request), None) => case["read"] = lines(format!("{request:#?}").as_bytes()),
            (Err(error), _) => case["refused"] = json!({"param": error.param, "message": error.message}),
        }
    } else if case.get("frames").is_some() {
        let stream = frames(&case);
        case["events"] = events(&Converse, &stream, stream.len()).into();
        let asked = Asked { id: "1".to_owned(), ..Asked::default() };
        case["rewritten"] = shown(&rewritten(&Converse, &stream, &asked)).into();
    } else {
        let body = case["answer"].to_string();
        match Converse.read_answer(body.as_bytes()) {
            Ok(answer) => {
                let asked = Asked { id: "1".to_owned(), ..Asked::default() };
                case["read"] = lines(format!("{answer:#?}").as_bytes());
                case["written"] = serde_json::from_slice(&Converse.write_answer(&answer, &asked)).unwrap();
            }
            Err(error) => case["refused"] = lines(format!("{error:#?}").as_bytes()),
        }
    }
    case
}

#[test]
fn golden_files_hold() {
    for (path, case) in cases(&Converse, "") {
        hold_all(&path, &case, &outcome(&case));
    }
}

#[test]
fn any_split_gives_the_same_events() {
    for (path, stream) in streams(&Converse, &["\n"]) {
        let whole = events(&Converse, &stream, stream.len());
        for at in 0..=stream.len() {
            let (a, b) = stream.split_at(at);
            assert_eq!(events_in(&Converse, &mut [a, b].into_iter()), whole, "{path} at {at}");
        }
    }
}

#[test]
fn the_path_names_the_model_as_aws_escapes_it() {
    let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    for (model, escaped) in [
        ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1%3A0"),
        (
            arn,
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2F\
             us.anthropic.claude-sonnet-4-5-20250929-v1%3A0",
        ),
        ("a b~_é%", "a%20b~_%C3%A9%25"),
    ] {
        let mut path = String::new();
        escape(&mut path, model);
        assert_eq!(path, escaped);
        for (stream, end) in [(false, WHOLE), (true, STREAM)] {
            let path = Converse.chat_path(model, stream);
            assert_eq!(path, format!("/model/{escaped}{end}"));
            let line = Line { method: "POST", path: &path, query: "", headers: &Headers::default() };
            let Some(Operation::Chat(named)) = Converse.operation(&line) else { panic!("{path}") };
            assert_eq!((named.model.as_deref(), named.stream), (Some(model), Some(stream)));
        }
    }
    for (method, path) in [
        ("GET", "/model/m/converse"),
        ("POST", "/model//converse"),
        ("POST", "/model/m/invoke"),
        ("POST", "/models/m/converse"),
        ("POST", "/v1/chat/completions"),
    ] {
        let line = Line { method, path, query: "", headers: &Headers::default() };
        assert_eq!(Converse.operation(&line), None, "{method} {path}");
    }
}

#[test]
fn errors_are_told_apart_by_type_status_and_words() {
    let cases = [
        (400, json!({"message": "The provided model identifier is invalid."}), Kind::ModelNotFound),
        (400, json!({"message": "Input is too long for requested model."}), Kind::ContextLength),
        (400, json!({"message": "This model doesn't support the s3Uri field."}), Kind::InvalidRequest),
        (400, json!({"__type": "ServiceQuotaExceededException", "message": "m"}), Kind::RateLimit),
        (403, json!({"message": "The security token included in the request is invalid."}), Kind::Authentication),
        (403, json!({"Message": "You don't have access to the model."}), Kind::Permission),
        (404, json!({"message": "This model version has reached the end of its life."}), Kind::ModelNotFound),
        (408, json!({"message": "m"}), Kind::Timeout),
        (424, json!({"message": "The model failed."}), Kind::Provider),
        (429, json!({"message": "Too many tokens, please wait before trying again."}), Kind::RateLimit),
        (429, json!({"__type": "com.amazonaws#ModelNotReadyException:http://x", "message": "m"}), Kind::Overloaded),
        (500, json!({"message": "m"}), Kind::Provider),
        (503, json!({"message": "m"}), Kind::Overloaded),
    ];
    for (status, body, kind) in cases {
        let error = Converse.read_error(status, body.to_string().as_bytes());
        assert_eq!((error.kind, error.status), (kind, status), "{body}");
        let private = matches!(kind, Kind::Authentication | Kind::Permission);
        let words = body["message"].as_str().or(body["Message"].as_str()).unwrap();
        assert_eq!(error.message == words, !private, "{body}");
        let client = matches!(kind, Kind::InvalidRequest | Kind::ContextLength);
        assert_eq!(error.fault == Fault::Client, client, "{body}");
    }
    assert_eq!(Converse.read_error(502, b"<html>").message, "the provider answered with status 502");
    assert_eq!(Converse.read_error(200, b"").status, 502);
}

#[test]
fn an_error_is_written_as_an_sdk_reads_it() {
    let (status, body) = Converse.write_error(&Error::new(Kind::RateLimit, Fault::Gateway, "slow \"down\""));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, body), (429, json!({"__type": "ThrottlingException", "message": "slow \"down\""})));
    assert_eq!(Converse.write_error(&Error::provider(Kind::Overloaded, "m").with_status(529)).0, 503);
    for kind in [Kind::Provider, Kind::InvalidRequest, Kind::RateLimit, Kind::Overloaded, Kind::Internal] {
        let mut out = Vec::new();
        let mut writer = Converse.writer(Asked::default());
        writer.write(&Event::Error(Error::provider(kind, "broken")), &mut out);
        writer.write(&Event::End, &mut out);
        let all = shown(&out);
        assert_eq!(all.len(), 1, "nothing follows an error");
        let mut seen = Seen::default();
        Converse.watch_event(
            all[0][0].as_str().unwrap().as_bytes(),
            all[0][1].to_string().as_bytes(),
            false,
            &mut seen,
        );
        let back = seen.error.unwrap();
        let wanted = if kind == Kind::Internal { Kind::Provider } else { kind };
        assert_eq!((back.kind, back.message.as_str()), (wanted, "broken"));
    }
}

#[test]
fn an_error_of_the_framing_is_an_error() {
    let mut out = Vec::new();
    let headers = [(":message-type", "error"), (":error-code", "InternalError"), (":error-message", "it broke")];
    crate::framing::eventstream::write(&mut out, &headers, b"");
    let events = events(&Converse, &out, out.len());
    assert!(events.len() == 1 && events[0].contains("it broke"), "{events:?}");
}

fn write(events: &[Event<'_>], asked: Asked) -> Vec<Value> {
    let mut writer = Converse.writer(asked);
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.write(event, &mut out));
    shown(&out)
}

fn start<'a>(tool: u32, id: &'a str) -> Event<'a> {
    Event::ToolStart { choice: 0, tool, id: id.into(), name: "f".into(), signature: None }
}

fn arguments(tool: u32, json: &str) -> Event<'_> {
    Event::ToolArguments { choice: 0, tool, json: json.into() }
}

#[test]
fn a_call_is_closed_before_the_next_begins() {
    let all = write(
        &[start(0, "a"), arguments(0, "{\"x\":"), arguments(0, "1}"), start(1, "b"), Event::End],
        Asked::default(),
    );
    let told: Vec<String> =
        all.iter().map(|f| format!("{} {}", f[0].as_str().unwrap(), f[1]["contentBlockIndex"])).collect();
    let expected = [
        "messageStart null",
        "contentBlockStart 0",
        "contentBlockDelta 0",
        "contentBlockDelta 0",
        "contentBlockStop 0",
        "contentBlockStart 1",
        "contentBlockDelta 1",
        "contentBlockStop 1",
        "messageStop null",
        "metadata null",
    ];
    assert_eq!(told, expected);
    assert_eq!(all[6][1]["delta"], json!({"toolUse": {"input": "{}"}}));
    assert_eq!(all[8][1]["stopReason"], "tool_use");
}

#[test]
fn calls_that_go_on_in_turn_keep_their_blocks() {
    let events = [
        start(0, "a"),
        arguments(0, "{"),
        start(1, "b"),
        arguments(1, "{\"y\":2}"),
        arguments(0, "\"x\":1}"),
        Event::Finish { choice: 0, reason: Finish::Stop, stop_sequence: None },
        Event::Usage(Usage { input: 10, cached_input: 4, cache_write: 3, output: 2, ..Usage::default() }),
        Event::End,
    ];
    let all = write(&events, Asked::default());
    let mut arguments = [String::new(), String::new()];
    for frame in all.iter().filter(|frame| frame[0] == "contentBlockDelta") {
        let index = frame[1]["contentBlockIndex"].as_u64().unwrap();
        arguments[usize::try_from(index).unwrap()].push_str(frame[1]["delta"]["toolUse"]["input"].as_str().unwrap());
    }
    assert_eq!(arguments, ["{\"x\":1}", "{\"y\":2}"]);
    let usage = json!({"inputTokens": 3, "outputTokens": 2, "totalTokens": 12, "cacheReadInputTokens": 4,
        "cacheWriteInputTokens": 3});
    assert_eq!(all.last().unwrap()[1], json!({"usage": usage, "metrics": {"latencyMs": 0}}));
}

#[test]
fn a_tool_that_stands_in_for_a_schema_is_text() {
    let asked = Asked { schema_tool: true, ..Asked::default() };
    let text = Event::Text { choice: 0, text: "Here:".into() };
    let all = write(&[text, start(0, "a"), arguments(0, "{\"x\":1}"), Event::End], asked);
    let deltas: Vec<&Value> = all.iter().filter(|f| f[0] == "contentBlockDelta").map(|f| &f[1]["delta"]).collect();
    assert_eq!(deltas, [&json!({"text": "{\"x\":1}"})]);
    assert_eq!(all[all.len() - 2][1]["stopReason"], "end_turn");
}
