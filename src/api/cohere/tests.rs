use super::Cohere;
use crate::api::fuzz::{events, events_in, rewritten};
use crate::api::tests_golden::{cases, hold_all, joined, lines};
use crate::api::{Api, Asked, Line, Operation, Seen, Target, by_name};
use crate::chat::{
    Effect, Event, Finish, Format, Number, Part, Reasoning, Request, Role, Source, Tool, ToolChoice, Turn,
};
use crate::error::{Error, Kind};
use crate::http::Headers;
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
                let written = Cohere.write_request(&request, &target);
                case["written"] = serde_json::from_slice(&written.body).unwrap();
                case["losses"] = losses(&written.losses).into();
            }
            (Ok(request), None) => case["read"] = lines(format!("{request:#?}").as_bytes()),
            (Err(error), _) => case["refused"] = json!({"param": error.param, "message": error.message}),
        }
    } else if case.get("stream").is_some() {
        let stream = joined(&case["stream"], "\n").into_bytes();
        let asked = Asked { id: "made".to_owned(), ..Asked::default() };
        case["events"] = events(&Cohere, &stream, stream.len()).into();
        case["rewritten"] = lines(&rewritten(&Cohere, &stream, &asked));
    } else {
        let asked = Asked { id: "made".to_owned(), ..Asked::default() };
        match Cohere.read_answer(case["answer"].to_string().as_bytes()) {
            Ok(answer) => {
                case["read"] = lines(format!("{answer:#?}").as_bytes());
                case["written"] = serde_json::from_slice(&Cohere.write_answer(&answer, &asked)).unwrap();
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
    assert!(cases(&Cohere, "").len() > 15);
    for (path, case) in cases(&Cohere, "") {
        hold_all(&path, &case, &outcome(&case));
    }
}

#[test]
fn any_split_gives_the_same_events() {
    for (path, case) in cases(&Cohere, "").iter().filter(|(_, case)| case.get("stream").is_some()) {
        let stream = joined(&case["stream"], "\n").into_bytes();
        let whole = events(&Cohere, &stream, stream.len());
        for at in 0..=stream.len() {
            let (a, b) = stream.split_at(at);
            assert_eq!(events_in(&Cohere, &mut [a, b].into_iter()), whole, "{} at {at}", path.display());
        }
    }
}

fn write(events: &[Event<'_>], asked: Asked) -> Vec<Value> {
    let mut writer = Cohere.writer(asked);
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.write(event, &mut out));
    let mut all = Vec::new();
    crate::framing::sse::Decoder::new().feed(&out, &mut |frame| {
        let data: Value = serde_json::from_slice(frame.data.unwrap()).unwrap();
        assert_eq!(data["type"].as_str().unwrap().as_bytes(), frame.name);
        all.push(data);
    });
    all
}

fn kinds(all: &[Value]) -> Vec<&str> {
    all.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

fn text(text: &str) -> Event<'_> {
    Event::Text { choice: 0, text: text.into() }
}

fn tool<'a>(tool: u32, id: &'a str) -> Event<'a> {
    Event::ToolStart { choice: 0, tool, id: id.into(), name: id.into(), signature: None }
}

fn arguments(tool: u32, json: &str) -> Event<'_> {
    Event::ToolArguments { choice: 0, tool, json: json.into() }
}

fn finish<'a>(reason: Finish) -> Event<'a> {
    Event::Finish { choice: 0, reason, stop_sequence: None }
}

#[test]
fn a_call_is_closed_before_the_next_begins_and_always_has_arguments() {
    let all = write(
        &[text("So"), tool(0, "a"), tool(1, "b"), arguments(1, "{\"x\":1}"), finish(Finish::Stop), Event::End],
        Asked::default(),
    );
    let want = [
        "message-start",
        "content-start",
        "content-delta",
        "content-end",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-end",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-end",
        "message-end",
    ];
    assert_eq!(kinds(&all), want);
    assert_eq!(all[5]["delta"]["message"]["tool_calls"]["function"]["arguments"], "{}");
    assert_eq!(all[10]["delta"]["finish_reason"], "TOOL_CALL");
}

#[test]
fn a_forced_tool_is_given_back_as_text() {
    let asked = || Asked { schema_tool: true, ..Asked::default() };
    let events =
        [tool(0, "answer"), arguments(0, "{\"a\":"), arguments(0, "1}"), finish(Finish::ToolCalls), Event::End];
    let all = write(&events, asked());
    let text: String = all.iter().filter_map(|e| e["delta"]["message"]["content"]["text"].as_str()).collect();
    assert_eq!((text.as_str(), &all.last().unwrap()["delta"]["finish_reason"]), ("{\"a\":1}", &json!("COMPLETE")));
    let answer = by_name("openai").unwrap().read_answer(
        br#"{"choices":[{"message":{"tool_calls":[{"id":"t","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}]}"#,
    );
    let written: Value = serde_json::from_slice(&Cohere.write_answer(&answer.unwrap(), &asked())).unwrap();
    assert_eq!(written["message"]["content"], json!([{"type": "text", "text": "{}"}]));
    assert_eq!((&written["finish_reason"], written["message"].get("tool_calls")), (&json!("COMPLETE"), None));
}

#[test]
fn a_stream_that_fails_ends_with_the_word_for_it() {
    for (kind, word) in [(Kind::Timeout, "TIMEOUT"), (Kind::Provider, "ERROR")] {
        let all = write(&[text("a"), Event::Error(Error::provider(kind, "It broke")), Event::End], Asked::default());
        assert_eq!(kinds(&all).last(), Some(&"message-end"));
        assert_eq!(all.last().unwrap()["delta"], json!({"error": "It broke", "finish_reason": word}));
        let stream = format!("data: {}\n\n", all.last().unwrap());
        let read = events(&Cohere, stream.as_bytes(), stream.len());
        assert!(read.last().unwrap().contains(&format!("kind: {kind:?},")) && read.len() == 1, "{read:?}");
    }
}

#[test]
fn citations_stand_in_their_block_and_come_back_where_they_were() {
    let answer = json!({"id": "i", "finish_reason": "COMPLETE", "message": {"role": "assistant",
        "content": [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Aé🙂"}, {"type": "text", "text": "It is so."}],
        "citations": [
            {"start": 6, "end": 8, "content_index": 2, "type": "TEXT_CONTENT",
                "sources": [{"type": "document", "id": "doc:0", "document": {"title": "T", "url": "https://e.org", "text": "q"}}]},
            {"start": 0, "end": 1, "sources": [{"type": "tool", "id": "t:0", "tool_output": {"content": "c"}}]},
            {"start": 0, "end": 1, "type": "PLAN", "sources": [{"type": "document", "id": "d"}]}]}});
    let read = Cohere.read_answer(answer.to_string().as_bytes()).unwrap();
    let spans = read.choices[0].parts.iter().filter_map(|part| match part {
        Part::Text { citations, .. } => {
            Some(citations.iter().map(|c| (c.title.clone().unwrap(), c.span)).collect::<Vec<_>>())
        }
        _ => None,
    });
    assert_eq!(
        spans.collect::<Vec<_>>(),
        [vec![("t:0".to_owned(), Some((0, 1)))], vec![("T".to_owned(), Some((9, 11)))]]
    );
    let written: Value = serde_json::from_slice(&Cohere.write_answer(&read, &Asked::default())).unwrap();
    let of = |n: usize| {
        let one = &written["message"]["citations"][n];
        (one["start"].clone(), one["end"].clone(), one["text"].clone(), one["content_index"].clone())
    };
    assert_eq!(of(0), (json!(0), json!(1), json!("A"), json!(1)));
    assert_eq!(of(1), (json!(6), json!(8), json!("so"), json!(2)));
}

#[test]
fn probabilities_of_tokens_come_through() {
    let answer = json!({"id": "i", "finish_reason": "COMPLETE", "message": {"content": [{"type": "text", "text": "ab"}]},
        "logprobs": [{"text": "ab", "token_ids": [1, 2], "logprobs": [-0.5, -1.25]}]});
    let read = Cohere.read_answer(answer.to_string().as_bytes()).unwrap();
    let tokens: Value = serde_json::from_str(read.choices[0].logprobs.as_ref().unwrap().get()).unwrap();
    assert_eq!((&tokens["content"][0]["token"], &tokens["content"][1]["token"]), (&json!("ab"), &json!("")));
    let written: Value = serde_json::from_slice(&Cohere.write_answer(&read, &Asked::default())).unwrap();
    assert_eq!(
        written["logprobs"],
        json!([{"text": "ab", "token_ids": [], "logprobs": [-0.5]}, {"text": "", "token_ids": [], "logprobs": [-1.25]}])
    );
    let all = write(&[Event::Logprobs { choice: 0, raw: raw(tokens.to_string()) }, Event::End], Asked::default());
    assert_eq!(all[2]["logprobs"]["logprobs"], json!([-0.5]));
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, name: None, parts }
}

fn written(request: &Request, model: &str) -> (Value, Vec<String>) {
    let target = Target { model, max_tokens: 9, stream_usage: true, echo_reasoning: false };
    let written = Cohere.write_request(request, &target);
    (serde_json::from_slice(&written.body).unwrap(), losses(&written.losses))
}

fn function(name: &str) -> Tool {
    Tool { name: name.to_owned(), description: None, schema: None, strict: None, cache: None, vendor: None }
}

fn plain() -> Request {
    Request { turns: vec![turn(Role::User, vec![Part::text("Hi")])], ..Request::default() }
}

#[test]
fn a_tool_that_must_be_called_is_the_only_one_that_is_sent() {
    let tools = || vec![function("f"), function("g"), function("h")];
    let names = |body: &Value| -> Vec<String> {
        let all = body["tools"].as_array().unwrap().iter();
        all.map(|tool| tool["function"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let named = Request { tools: tools(), tool_choice: Some(ToolChoice::Named("g".to_owned())), ..plain() };
    let (body, lost) = written(&named, "m");
    assert_eq!((names(&body), &body["tool_choice"]), (vec!["g".to_owned()], &json!("REQUIRED")));
    assert_eq!(lost, ["Hint tool_choice"]);
    let allowed = ToolChoice::Allowed { names: vec!["f".to_owned(), "h".to_owned()], required: false };
    let (body, _) = written(&Request { tools: tools(), tool_choice: Some(allowed), ..plain() }, "m");
    assert_eq!((names(&body), body.get("tool_choice")), (vec!["f".to_owned(), "h".to_owned()], None));
    let none = Request { tools: tools(), tool_choice: Some(ToolChoice::Named("x".to_owned())), ..plain() };
    assert_eq!(written(&none, "m").1, ["Hint tool_choice", "Meaning tool_choice"]);
}

#[test]
fn what_this_api_cannot_say_is_named() {
    let number = |text: &str| Some(Number::of(text));
    let request = Request {
        stop: (0..6).map(|n| n.to_string()).collect(),
        top_p: number("1"),
        top_k: number("1000"),
        frequency_penalty: number("-0.5"),
        presence_penalty: number("2"),
        n: Some(2),
        top_logprobs: Some(3),
        logit_bias: Some(raw("{}")),
        user: Some("u".to_owned()),
        service_tier: Some("flex".to_owned()),
        parallel_tools: Some(false),
        tools: vec![function("f"), Tool { vendor: Some("web_search".to_owned()), ..function("") }],
        format: Some(Format::JsonObject),
        extra: vec![
            ("new".to_owned(), raw("1")),
            ("audio".to_owned(), raw("{}")),
            ("safety_mode".to_owned(), raw("\"STRICT\"")),
        ],
        ..plain()
    };
    let (body, lost) = written(&request, "m");
    assert_eq!((&body["p"], &body["k"]), (&json!(0.99), &json!(500)));
    assert_eq!((&body["frequency_penalty"], &body["presence_penalty"]), (&json!(0), &json!(1)));
    assert_eq!((&body["safety_mode"], body.get("response_format")), (&json!("STRICT"), None));
    assert_eq!(body["stop_sequences"].as_array().unwrap().len(), 5);
    for what in ["stop", "n", "top_logprobs", "logit_bias", "parallel_tool_calls", "tools", "response_format", "audio"]
    {
        assert!(lost.contains(&format!("Meaning {what}")), "{what}: {lost:?}");
    }
    for what in ["top_p", "top_k", "frequency_penalty", "presence_penalty", "user", "service_tier", "extra"] {
        assert!(lost.contains(&format!("Hint {what}")), "{what}: {lost:?}");
    }
    assert_eq!(lost.len(), 15);
}

#[test]
fn thinking_is_asked_for_where_the_model_thinks() {
    let with = |reasoning: Reasoning| Request { reasoning: Some(reasoning), ..plain() };
    let budget = |budget| with(Reasoning { budget: Some(budget), ..Reasoning::default() });
    for (request, thinking) in [
        (budget(5000), json!({"type": "enabled", "token_budget": 5000})),
        (budget(0), json!({"type": "disabled"})),
        (with(Reasoning { adaptive: true, ..Reasoning::default() }), json!({"type": "enabled"})),
    ] {
        let (body, lost) = written(&request, "command-a-reasoning-08-2025");
        assert_eq!((&body["thinking"], lost.is_empty()), (&thinking, true));
    }
    assert_eq!(written(&budget(5000), "command-r7b-12-2024").1, ["Hint reasoning"]);
    assert_eq!(written(&budget(0), "command-r7b-12-2024"), written(&plain(), "command-r7b-12-2024"));
}

#[test]
fn documents_go_beside_the_conversation_and_pictures_of_tools_after_it() {
    let image = Part::Image {
        source: Source::Base64 { media_type: "image/png".to_owned(), data: "aQ==".to_owned() },
        detail: None,
        cache: None,
    };
    let document = |source, citations| Part::Document {
        source,
        name: Some("T".to_owned()),
        context: Some("c".to_owned()),
        citations,
        cache: None,
    };
    let result = Part::ToolResult { id: "a".to_owned(), parts: vec![image], is_error: true, cache: None };
    let (id, name) = ("a".to_owned(), "f".to_owned());
    let call = Part::ToolCall { id, name, arguments: String::new(), signature: None, cache: None };
    let request = Request {
        turns: vec![
            turn(Role::User, vec![document(Source::Text("D".to_owned()), Some(false)), Part::text("Hi")]),
            turn(Role::Assistant, vec![Part::text("Plan"), call]),
            turn(Role::Tool, vec![result]),
        ],
        ..plain()
    };
    let (body, lost) = written(&request, "m");
    assert_eq!(body["documents"], json!([{"data": {"title": "T", "context": "c", "text": "D"}}]));
    assert_eq!(body["citation_options"], json!({"mode": "OFF"}));
    let messages = body["messages"].as_array().unwrap();
    assert_eq!((&messages[1]["tool_plan"], messages[1].get("content")), (&json!("Plan"), None));
    assert_eq!(messages[2]["content"], "The result is in the next user message.");
    assert_eq!(messages[3]["content"][1]["image_url"]["url"], "data:image/png;base64,aQ==");
    assert_eq!(lost, ["Hint tool_result.is_error"]);
    let read = Cohere.read_request(Body::parse(body.to_string().as_bytes()).unwrap().value()).unwrap();
    let again = read.turns.iter().flat_map(|turn| &turn.parts).find_map(|part| match part {
        Part::Document { source: Source::Text(text), name, context, citations, .. } => {
            Some((text.clone(), name.clone(), context.clone(), *citations))
        }
        _ => None,
    });
    assert_eq!(again, Some(("D".to_owned(), Some("T".to_owned()), Some("c".to_owned()), Some(false))));
    let url = Request { turns: vec![turn(Role::User, vec![document(Source::Url("u".to_owned()), None)])], ..plain() };
    assert_eq!(written(&url, "m").1, ["Meaning document"]);
}

#[test]
fn a_field_at_fault_is_named() {
    for (body, param) in [
        (r#"{"messages":[]}"#, "model"),
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"model":"m","messages":[{"role":"x"}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"user","content":1}]}"#, "messages[0].content"),
        (r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}"#, "messages[0].content[0].text"),
        (r#"{"model":"m","messages":[{"role":"tool","content":"x"}]}"#, "messages[0].tool_call_id"),
        (
            r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}]}"#,
            "messages[0].tool_calls[0].id",
        ),
        (r#"{"model":"m","messages":[{"role":"user"}],"tool_choice":"AUTO"}"#, "tool_choice"),
        (r#"{"model":"m","messages":[{"role":"user"}],"thinking":{"type":"x"}}"#, "thinking.type"),
        (r#"{"model":"m","messages":[{"role":"user"}],"response_format":{"type":"x"}}"#, "response_format.type"),
        (r#"{"model":"m","messages":[{"role":"user"}],"documents":[{"id":"x"}]}"#, "documents[0].data"),
        (r#"{"model":"m","messages":[{"role":"system","content":"x"}],"documents":["x"]}"#, "documents"),
        (r#"{"model":"m","messages":[{"role":"user"}],"tools":[{}]}"#, "tools[0].function"),
    ] {
        let error = Cohere.read_request(Body::parse(body.as_bytes()).unwrap().value()).unwrap_err();
        assert_eq!((error.status, error.param.as_deref()), (400, Some(param)), "{body}");
    }
}

#[test]
fn errors_are_read_in_every_form() {
    let read = |status: u16, body: &str| Cohere.read_error(status, body.as_bytes());
    let gone = read(404, r#"{"id":"1","message":"model 'x' not found, make sure the correct model ID was used"}"#);
    assert_eq!((gone.kind, gone.status), (Kind::ModelNotFound, 404));
    assert_eq!(read(400, r#"{"message":"too many tokens: size limit exceeded"}"#).kind, Kind::ContextLength);
    let token = read(498, r#"{"message":"invalid token co-secret"}"#);
    assert_eq!((token.kind, token.message.contains("secret")), (Kind::Authentication, false));
    assert_eq!(read(429, "slow down").message, "slow down");
    assert_eq!(read(502, "<html>").message, "the provider answered with status 502");
    let here = Cohere.read_answer(br#"{"id":"1","message":"internal server error"}"#).unwrap_err();
    assert_eq!((here.kind, here.message.as_str()), (Kind::Provider, "internal server error"));
    let mut seen = Seen::default();
    Cohere.watch_answer(br#"{"message":"internal server error"}"#, &mut seen);
    assert!(seen.error.is_some() && !seen.ended);
}

#[test]
fn the_list_of_models_is_for_this_apis_own_sdks() {
    let mut headers = Headers::default();
    fn line(headers: &Headers) -> Line<'_> {
        Line { method: "GET", path: "/v1/models", query: "", headers }
    }
    assert_eq!(Cohere.operation(&line(&headers)), None);
    headers.push("x-fern-sdk-name", "cohere");
    assert_eq!(Cohere.operation(&line(&headers)), Some(Operation::ListModels));
    let one = Line { path: "/v1/models/a%2Fb", ..line(&headers) };
    assert_eq!(Cohere.operation(&one), Some(Operation::Model("a/b".to_owned())));
    let list: Value = serde_json::from_slice(&Cohere.write_models(&["a"], 1)).unwrap();
    assert_eq!(list, json!({"models": [{"name": "a", "endpoints": ["chat"]}]}));
}

#[test]
fn a_loss_says_what_it_does() {
    let request = Request { n: Some(2), user: Some("u".to_owned()), ..plain() };
    let target = Target { model: "m", max_tokens: 9, stream_usage: true, echo_reasoning: false };
    let worst = Cohere.write_request(&request, &target).losses;
    assert_eq!(worst.worst().map(|loss| (loss.what, loss.effect)), Some(("n", Effect::Meaning)));
}
