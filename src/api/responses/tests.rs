use super::Responses;
use crate::api::fuzz::{events, rewritten};
use crate::api::tests_golden::{cases, hold, joined, lines};
use crate::api::{Api, Asked, Line, Operation, Seen, Target, anthropic::Anthropic};
use crate::chat::{Effect, Event, Losses, Part, Request, Role};
use crate::error::Kind;
use crate::framing::sse;
use crate::http::Headers;
use crate::json::Body;
use serde_json::{Value, json};

fn target(model: &str) -> Target<'_> {
    Target { model, max_tokens: 100, stream_usage: true, echo_reasoning: false }
}

fn asked() -> Asked {
    Asked { model: "asked".to_owned(), id: "made".to_owned(), created: 5, stream_usage: true, ..Asked::default() }
}

fn request(body: &Value) -> Request {
    Responses.read_request(Body::parse(body.to_string().as_bytes()).unwrap().value()).unwrap()
}

fn refused(body: &Value) -> (String, String) {
    let error = Responses.read_request(Body::parse(body.to_string().as_bytes()).unwrap().value()).unwrap_err();
    assert_eq!((error.kind, error.status), (Kind::InvalidRequest, 400));
    (error.param.clone().unwrap_or_default(), error.message.clone())
}

fn names(losses: &Losses) -> Vec<String> {
    losses.iter().map(|loss| format!("{} {:?}", loss.what, loss.effect)).collect()
}

fn written(request: &Request, model: &str) -> Value {
    serde_json::from_slice(&Responses.write_request(request, &target(model)).body).unwrap()
}

/// The events of a stream that was written, by name.
fn data(stream: &[u8]) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    sse::Decoder::with_limit(64 << 20).feed(stream, &mut |frame| {
        if let Some(data) = frame.data {
            let name = String::from_utf8(frame.name.to_vec()).unwrap();
            all.push((name, serde_json::from_slice(data).unwrap()));
        }
    });
    all
}

#[test]
fn only_a_new_response_is_chat() {
    let headers = Headers::default();
    for (method, path, chat) in [
        ("POST", "/v1/responses", true),
        ("GET", "/v1/responses", false),
        ("GET", "/v1/responses/resp_1", false),
        ("DELETE", "/v1/responses/resp_1", false),
        ("POST", "/v1/responses/resp_1/cancel", false),
        ("GET", "/v1/responses/resp_1/input_items", false),
        ("GET", "/v1/models", false),
    ] {
        let found = Responses.operation(&Line { method, path, query: "", headers: &headers });
        assert_eq!(matches!(found, Some(Operation::Chat(_))), chat, "{method} {path}");
        assert!(chat || found.is_none());
    }
}

#[test]
fn requests_are_read_and_written_as_the_golden_cases_say() {
    for (path, case) in cases(&Responses, "request-") {
        let read = request(&case["request"]);
        let model = case["model"].as_str().unwrap();
        let there = Responses.write_request(&read, &target(model));
        let out: Value = serde_json::from_slice(&there.body).unwrap();
        hold(
            &path,
            &case,
            &[("only_here", json!(names(&read.losses))), ("losses", json!(names(&there.losses))), ("out", out.clone())],
        );
        // What was written can be read, and then nothing more is lost.
        let again = Responses.write_request(&request(&out), &target(model));
        assert_eq!(out, serde_json::from_slice::<Value>(&again.body).unwrap(), "{}", path.display());
        assert_eq!(again.losses.worst(), None, "{}", path.display());
    }
}

#[test]
fn answers_are_read_and_written_as_the_golden_cases_say() {
    for (path, case) in cases(&Responses, "answer-") {
        let body = case["answer"].to_string();
        let answer = Responses.read_answer(body.as_bytes()).unwrap();
        let out: Value = serde_json::from_slice(&Responses.write_answer(&answer, &asked())).unwrap();
        let again = Responses.read_answer(out.to_string().as_bytes()).unwrap();
        let twice: Value = serde_json::from_slice(&Responses.write_answer(&again, &asked())).unwrap();
        assert_eq!(out, twice, "{}", path.display());
        let mut seen = Seen::default();
        Responses.watch_answer(body.as_bytes(), &mut seen);
        assert_eq!(seen.usage, answer.usage);
        assert!(seen.ended && seen.content && seen.error.is_none(), "{seen:?}");
        hold(&path, &case, &[("out", out)]);
    }
}

#[test]
fn streams_are_read_and_written_as_the_golden_cases_say_however_they_are_cut() {
    for (path, case) in cases(&Responses, "stream-") {
        let stream = joined(&case["stream"], "\n").into_bytes();
        let whole = events(&Responses, &stream, stream.len());
        for size in [1, 2, 7] {
            assert_eq!(events(&Responses, &stream, size), whole, "{} in pieces of {size}", path.display());
        }
        let out = rewritten(&Responses, &stream, &asked());
        hold(&path, &case, &[("events", json!(whole)), ("out", lines(&out))]);

        let all = data(&out);
        for (number, (name, event)) in all.iter().enumerate() {
            assert_eq!(event["sequence_number"], json!(number), "{}", path.display());
            assert_eq!(event["type"], json!(name));
        }
        // The last event has all that the others brought.
        let (name, last) = all.last().unwrap();
        if name == "response.completed" || name == "response.incomplete" {
            let done: Vec<&Value> =
                all.iter().filter(|(n, _)| n == "response.output_item.done").map(|(_, e)| &e["item"]).collect();
            let output = last["response"]["output"].as_array().unwrap();
            assert_eq!(output.len(), done.len(), "{}", path.display());
            assert!(done.iter().all(|item| output.contains(item)), "{}", path.display());
        }
    }
}

fn whole(model_says: &[Event<'_>]) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    let mut writer = Responses.writer(asked());
    for event in model_says {
        writer.write(event, &mut out);
    }
    data(&out)
}

#[test]
fn what_this_api_alone_can_say_is_lost_elsewhere_with_the_way_on() {
    let plain = json!({"model": "m", "input": "Hi"});
    for (name, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!({"id": "conv_1"})),
        ("prompt", json!({"id": "pmpt_1"})),
        ("background", json!(true)),
    ] {
        let mut body = plain.clone();
        body[name] = value;
        let read = request(&body);
        let worst = read.losses.worst().unwrap();
        assert_eq!((worst.what, worst.effect), (name, Effect::Meaning));
        // Without input, that is what is wrong, and not the input.
        body.as_object_mut().unwrap().remove("input");
        assert!(request(&body).losses.worst().is_some());
    }
    assert_eq!(request(&plain).losses, Losses::default());
}

#[test]
fn a_wrong_request_names_the_field() {
    for (body, param) in [
        (json!({"input": "Hi"}), "model"),
        (json!({"model": "m"}), "input"),
        (json!({"model": "m", "input": []}), "input"),
        (json!({"model": "m", "input": 5}), "input"),
        (json!({"model": "m", "input": [5]}), "input[0]"),
        (json!({"model": "m", "input": [{"role": "robot", "content": "Hi"}]}), "input[0].role"),
        (json!({"model": "m", "input": [{"role": "user"}]}), "input[0].content"),
        (json!({"model": "m", "input": [{"role": "user", "content": [{"text": "Hi"}]}]}), "input[0].content[0].type"),
        (json!({"model": "m", "input": [{"type": "function_call", "name": "f"}]}), "input[0].call_id"),
        (json!({"model": "m", "input": [{"type": "function_call_output", "call_id": "a"}]}), "input[0].output"),
        (json!({"model": "m", "input": "Hi", "tools": [{"type": "function"}]}), "tools[0].name"),
        (json!({"model": "m", "input": "Hi", "tool_choice": "any"}), "tool_choice"),
        (json!({"model": "m", "input": "Hi", "text": {"format": {"type": "xml"}}}), "text.format.type"),
        (json!({"model": "m", "input": "Hi", "reasoning": {"effort": "much"}}), "reasoning.effort"),
        (json!({"model": "m", "input": "Hi", "max_output_tokens": -1}), "max_output_tokens"),
        (json!({"model": "m", "input": "Hi", "include": [1]}), "include[0]"),
    ] {
        assert_eq!(refused(&body).0, param, "{body}");
    }
}

#[test]
fn a_function_is_strict_by_default_where_its_schema_allows() {
    let strict = |schema: Value, said: Value| {
        let tool = json!({"type": "function", "name": "f", "parameters": schema, "strict": said});
        request(&json!({"model": "m", "input": "Hi", "tools": [tool]})).tools.remove(0).strict
    };
    let inner = json!({"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]});
    let mut shut = inner.clone();
    shut["additionalProperties"] = json!(false);
    let around = |schema: &Value| json!({"type": "object", "properties": {"a": schema}, "required": ["a"], "additionalProperties": false});
    let mut free = shut.clone();
    free["required"] = json!([]);
    assert_eq!(strict(shut.clone(), Value::Null), Some(true));
    assert_eq!(strict(around(&shut), Value::Null), Some(true));
    assert_eq!(strict(around(&inner), Value::Null), Some(false));
    assert_eq!(strict(inner.clone(), Value::Null), Some(false));
    assert_eq!(strict(free, Value::Null), Some(false));
    assert_eq!(strict(inner, json!(true)), Some(true));
    assert_eq!(strict(shut, json!(false)), Some(false));
}

#[test]
fn thinking_of_another_provider_comes_back_as_it_was_over_two_turns_with_tools() {
    let said = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[
        {"type":"thinking","thinking":"Let me see","signature":"c2ln"},
        {"type":"redacted_thinking","data":"c2VhbGVk"},
        {"type":"thinking","thinking":"","signature":"aGlkZGVu"},
        {"type":"text","text":"I look it up."},
        {"type":"tool_use","id":"toolu_1","name":"f","input":{"x":1}}],
        "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}"#;
    let answer = Anthropic.read_answer(said.as_bytes()).unwrap();
    let response: Value = serde_json::from_slice(&Responses.write_answer(&answer, &asked())).unwrap();
    let mut input = vec![json!({"role": "user", "content": "Do"})];
    input.extend(response["output"].as_array().unwrap().iter().cloned());
    input.push(json!({"type": "function_call_output", "call_id": "toolu_1", "output": "42"}));
    let again = request(&json!({"model": "m", "input": input, "reasoning": {"effort": "high"}}));
    let roles: Vec<Role> = again.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool]);
    let there: Value =
        serde_json::from_slice(&Anthropic.write_request(&again, &target("claude-sonnet-4-5")).body).unwrap();
    let first: Value = serde_json::from_str(said).unwrap();
    assert_eq!(there["messages"][1]["content"], first["content"]);
}

#[test]
fn a_call_keeps_the_signature_of_its_provider() {
    let call = |signature: Option<&str>| Part::ToolCall {
        id: "a".to_owned(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        signature: signature.map(str::to_owned),
        cache: None,
    };
    let mut answer = Responses.read_answer(br#"{"output":[]}"#).unwrap();
    answer.choices[0].parts = vec![call(Some("c2ln")), call(None)];
    let response = Responses.write_answer(&answer, &asked());
    let back = Responses.read_answer(&response).unwrap();
    assert_eq!(format!("{:?}", back.choices[0].parts), format!("{:?}", answer.choices[0].parts));
    let response: Value = serde_json::from_slice(&response).unwrap();
    let again = request(&json!({"model": "m", "input": response["output"]}));
    assert_eq!(format!("{:?}", again.turns[0].parts), format!("{:?}", answer.choices[0].parts));
}

#[test]
fn this_apis_own_thinking_goes_back_to_its_provider_and_no_other_does() {
    let item = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}],
        "encrypted_content": "gAAAA:x"});
    let answer = Responses.read_answer(json!({"output": [item]}).to_string().as_bytes()).unwrap();
    let Part::Thinking { text, signature: Some(signature) } = &answer.choices[0].parts[0] else { panic!() };
    let history = |signature: &str| {
        let mut read = request(&json!({"model": "m", "input": [{"role": "user", "content": "Hi"}]}));
        read.turns.push(crate::chat::Turn {
            role: Role::Assistant,
            name: None,
            parts: vec![Part::Thinking { text: text.clone(), signature: Some(signature.to_owned()) }, Part::text("Ho")],
        });
        read
    };
    assert_eq!(written(&history(signature), "gpt-5")["input"][1], item);
    let other = Responses.write_request(&history("c2ln"), &target("gpt-5"));
    assert_eq!(names(&other.losses), ["thinking Hint"]);
    let body: Value = serde_json::from_slice(&other.body).unwrap();
    assert_eq!(body["input"].as_array().unwrap().len(), 2);
}

#[test]
fn calls_that_come_at_once_keep_their_places() {
    let start =
        |tool, id: &'static str| Event::ToolStart { choice: 0, tool, id: id.into(), name: "f".into(), signature: None };
    let more = |tool, json: &'static str| Event::ToolArguments { choice: 0, tool, json: json.into() };
    let all = whole(&[start(0, "a"), start(1, "b"), more(1, "[2"), more(0, "[1]"), more(1, "]"), Event::End]);
    let (name, last) = all.last().unwrap();
    assert_eq!(name, "response.completed");
    let output = &last["response"]["output"];
    let calls: Vec<_> =
        output.as_array().unwrap().iter().map(|c| (c["call_id"].clone(), c["arguments"].clone())).collect();
    assert_eq!(calls, [(json!("a"), json!("[1]")), (json!("b"), json!("[2]"))]);
    for (_, event) in all.iter().filter(|(name, _)| name.starts_with("response.function_call_arguments")) {
        let index = usize::try_from(event["output_index"].as_u64().unwrap()).unwrap();
        assert_eq!(event["item_id"], output[index]["id"]);
    }
}

#[test]
fn an_answer_too_large_to_be_put_together_fails() {
    let text = "x".repeat(1 << 20);
    let says = |n: usize| {
        let mut all = vec![Event::Text { choice: 0, text: text.as_str().into() }; n];
        all.push(Event::End);
        whole(&all).last().unwrap().0.clone()
    };
    assert_eq!(says(4), "response.completed");
    assert_eq!(says(5), "response.failed");
}

#[test]
fn an_error_before_the_first_event_is_one_event_and_later_two() {
    let error = || crate::error::Error::provider(Kind::RateLimit, "Too much");
    let names = |all: &[(String, Value)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let early = whole(&[Event::Error(error()), Event::End]);
    assert_eq!(names(&early), ["error"]);
    assert_eq!((&early[0].1["message"], &early[0].1["error"]["message"]), (&json!("Too much"), &json!("Too much")));
    let late = whole(&[Event::Text { choice: 0, text: "Hi".into() }, Event::Error(error()), Event::End]);
    assert_eq!(names(&late)[5..], ["error", "response.failed"]);
    assert_eq!(late[6].1["response"]["error"]["code"], "rate_limit_exceeded");
}

#[test]
fn probabilities_go_through_in_the_form_that_all_share() {
    let list = json!([{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}]);
    let item = json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": list}]});
    let answer = Responses.read_answer(json!({"output": [item]}).to_string().as_bytes()).unwrap();
    let raw: Value = serde_json::from_str(answer.choices[0].logprobs.as_ref().unwrap().get()).unwrap();
    assert_eq!(raw, json!({"content": list, "refusal": null}));
    let again: Value = serde_json::from_slice(&Responses.write_answer(&answer, &asked())).unwrap();
    assert_eq!(again["output"][0]["content"][0]["logprobs"], list);
    let body = json!({"model": "m", "input": "Hi", "include": ["message.output_text.logprobs"], "top_logprobs": 2});
    let read = request(&body);
    assert_eq!((read.logprobs, read.top_logprobs), (Some(true), Some(2)));
    assert_eq!(written(&read, "gpt-4o")["include"], body["include"]);
}

#[test]
fn a_last_event_with_images_in_it_is_read_and_watched() {
    let image = "A".repeat(3 << 20);
    let stream = format!(
        "event: response.created\ndata: {{\"type\":\"response.created\",\"response\":{{\"id\":\"resp_1\",\"model\":\"m\"}}}}\n\n\
         event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{{\"output\":[{{\"type\":\
         \"image_generation_call\",\"result\":\"{image}\"}}],\"usage\":{{\"input_tokens\":3,\"output_tokens\":5}}}}}}\n\n"
    );
    let read = events(&Responses, stream.as_bytes(), 1 << 16);
    assert_eq!(read.last().map(String::as_str), Some("End"), "{read:?}");
    let mut seen = Seen::default();
    let mut decoder = Responses.decoder();
    for piece in stream.as_bytes().chunks(1 << 16) {
        decoder.feed(piece, &mut |frame| {
            if let Some(data) = frame.data {
                Responses.watch_event(frame.name, data, false, &mut seen);
            }
        });
    }
    assert!(seen.ended && seen.usage.is_some_and(|usage| (usage.input, usage.output) == (3, 5)));
}

#[test]
fn what_another_provider_sealed_is_not_sent_to_a_provider_of_this_api() {
    let own = r#"{"type": "reasoning", "id":"rs_1","summary":[],"encrypted_content":"gAAAA"}"#;
    let foreign = r#"{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"sluice.signature:c2ln"}"#;
    let said = r#"{ "role":"user" , "content":"sluice.signature:" }"#;
    let splice = |items: &[&str]| {
        let body = format!(r#"{{"model":"m","input":[{}],"x":1.0}}"#, items.join(", "));
        let edits = Responses.splice(Body::parse(body.as_bytes()).unwrap().value(), &target("m")).edits;
        (edits.len(), String::from_utf8(crate::json::splice(body.as_bytes(), &edits)).unwrap())
    };
    assert_eq!(splice(&[own, said]).0, 0);
    assert_eq!(splice(&[foreign]).1, r#"{"model":"m","input":[],"x":1.0}"#);
    let (_, body) = splice(&[foreign, own, foreign, said, foreign]);
    assert_eq!(body, format!(r#"{{"model":"m","input":[{own},{said}],"x":1.0}}"#));
}
