//! Every API held against every other: what one says, the other says too, or names the loss.

use super::{APIS, Api, Asked, Line, Named, Operation, Seen, Target, by_name};
use crate::chat::{
    Answer, Choice, Effort, Event, Finish, Format, Part, Reasoning, Request, Role, Source, Tool, ToolChoice, Turn,
    Usage,
};
use crate::error::{Error, Kind};
use crate::http::Headers;
use crate::json::{self, Body};
use serde_json::Value;
use std::fmt::Write as _;

const TARGET: Target<'_> = Target { model: "model", max_tokens: 100, stream_usage: true, echo_reasoning: false };

fn asked() -> Asked {
    Asked { model: "asked".to_owned(), id: "made".to_owned(), created: 5, stream_usage: true, ..Asked::default() }
}

fn raw(json: &str) -> json::Raw {
    json::raw(json)
}

/// Those that can say most of what the others do.
pub(super) fn conversing() -> impl Iterator<Item = &'static dyn Api> {
    APIS.iter().copied().filter(|api| api.converses())
}

fn pairs() -> impl Iterator<Item = (&'static dyn Api, &'static dyn Api)> {
    conversing().flat_map(|a| conversing().map(move |b| (a, b)))
}

#[test]
fn every_api_is_found_by_its_name_and_its_path() {
    for api in APIS {
        assert_eq!(APIS.iter().filter(|other| other.name() == api.name()).count(), 1, "{}", api.name());
        assert_eq!(by_name(api.name()).unwrap().name(), api.name());
        let full = format!("{}{}", api.base_path(), api.chat_path("some/model", false));
        let (path, query) = full.split_once('?').unwrap_or((&full, ""));
        let line = Line { method: "POST", path, query, headers: &Headers::default() };
        let takers: Vec<_> = APIS
            .iter()
            .filter(|other| match other.operation(&line) {
                Some(Operation::Chat(named)) => named.model.is_none_or(|model| model == "some/model"),
                _ => false,
            })
            .map(|other| other.name())
            .collect();
        assert_eq!(takers, [api.name()]);
        for list in [api.write_models(&["a", "b\"c"], 7), api.write_model("a", 7)] {
            assert!(serde_json::from_slice::<Value>(&list).unwrap().is_object());
        }
    }
    assert!(by_name("nothing").is_none());
}

#[test]
fn only_the_model_is_spliced() {
    for api in APIS {
        let body = br#"{ "model" : "a", "messages": [ ],"new": {"x" : 1.0} }"#;
        let spliced = api.splice(Body::parse(body).unwrap().value(), &TARGET);
        let spliced = String::from_utf8(json::splice(body, &spliced.edits)).unwrap();
        // The path names the model.
        if named(*api, false).model.is_some() && spliced.as_bytes() == body {
            continue;
        }
        assert_eq!(spliced, r#"{ "model" : "model", "messages": [ ],"new": {"x" : 1.0} }"#, "{}", api.name());
    }
}

#[test]
fn how_much_may_come_back_is_read_and_set_where_the_api_says_it() {
    for api in APIS {
        let name = api.name();
        for said in [None, Some(70)] {
            let turns = vec![Turn { role: Role::User, name: None, parts: vec![Part::text("hi")] }];
            let request = Request { turns, max_tokens: said, ..Request::default() };
            let body = api.write_request(&request, &TARGET).body;
            let found = api.bounds(Body::parse(&body).unwrap().value());
            assert!(
                found.tokens == said || (said.is_none() && found.tokens == Some(TARGET.max_tokens)),
                "{name} {found:?}"
            );
            assert_eq!(found.answers, 1, "{name}");
            let edit = api.bound(Body::parse(&body).unwrap().value(), TARGET.model, 50);
            let body = json::splice(&body, &[edit]);
            let body = Body::parse(&body).unwrap();
            assert_eq!(api.bounds(body.value()).tokens, Some(50), "{name}");
            assert_eq!(api.read_request(body.value()).unwrap().max_tokens, Some(50), "{name}");
        }
    }
}

/// What an API cannot say, by the feature's name. Each must be a loss.
const CANNOT: &[(&str, &[&str])] = &[
    ("cohere", &["document", "tool_choice named", "one tool at a time", "user"]),
    ("bedrock", &["image by URL", "tool_choice none", "one tool at a time"]),
    ("gemini", &["document", "one tool at a time", "user"]),
    (
        "ollama",
        &[
            "image by URL",
            "document",
            "tool_choice none",
            "tool_choice required",
            "tool_choice named",
            "one tool at a time",
            "user",
        ],
    ),
];

fn can(api: &dyn Api, feature: &str) -> bool {
    !CANNOT.iter().any(|(name, features)| *name == api.name() && features.contains(&feature))
}

/// APIs whose answers do not name the model.
const NAMELESS: &[&str] = &["bedrock", "cohere"];

/// What is left of usage in an API: not every one tells what was read from the cache or written to it.
pub(super) fn usage_left(api: &dyn Api, usage: Usage) -> Usage {
    match api.name() {
        "cohere" | "gemini" => Usage { cache_write: 0, ..usage },
        "ollama" => Usage { cache_write: 0, cached_input: 0, ..usage },
        _ => usage,
    }
}

/// What is left of an answer's usage and model in an API.
fn left(api: &dyn Api, answer: &Answer) -> Answer {
    let mut left = answer.clone();
    if NAMELESS.contains(&api.name()) {
        left.model = String::new();
    }
    left.usage = left.usage.map(|usage| usage_left(api, usage));
    left
}

// Requests.

struct Feature {
    name: &'static str,
    /// No API may lose it.
    common: bool,
    request: Request,
    /// What of the request it is about.
    of: fn(&Request) -> String,
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, name: None, parts }
}

fn call(id: &str, arguments: &str) -> Part {
    let (id, arguments) = (id.to_owned(), arguments.to_owned());
    Part::ToolCall { id, name: "f".to_owned(), arguments, signature: None, cache: None }
}

fn result(id: &str, parts: Vec<Part>) -> Part {
    Part::ToolResult { id: id.to_owned(), parts, is_error: false, cache: None }
}

fn image(source: Source) -> Part {
    Part::Image { source, detail: None, cache: None }
}

fn png() -> Source {
    Source::Base64 { media_type: "image/png".to_owned(), data: "iVBORw0KGgo=".to_owned() }
}

fn tool(name: &str) -> Tool {
    let schema = Some(raw(r#"{"type":"object","properties":{"x":{"type":"integer"}}}"#));
    let description = Some("It does".to_owned());
    Tool { name: name.to_owned(), description, schema, strict: None, cache: None, vendor: None }
}

fn plain() -> Request {
    Request { turns: vec![turn(Role::User, vec![Part::text("Hi")])], max_tokens: Some(50), ..Request::default() }
}

fn with_tools(tool_choice: Option<ToolChoice>) -> Request {
    Request { tools: vec![tool("f"), tool("g")], tool_choice, ..plain() }
}

/// The conversation, turn by turn; turns of one role that follow each other are one.
fn conversation(request: &Request) -> String {
    let mut told = String::new();
    let mut last = None;
    for turn in &request.turns {
        for part in &turn.parts {
            let role = match (turn.role, part) {
                (Role::Developer, _) => Role::System,
                (_, Part::ToolResult { .. }) => Role::Tool,
                (role, _) => role,
            };
            if last != Some(role) {
                let _ = write!(told, "\n{role:?}:");
                last = Some(role);
            }
            tell(&mut told, part);
        }
    }
    told
}

fn tell(told: &mut String, part: &Part) {
    match part {
        Part::Text { text, .. } => {
            let _ = write!(told, " {text:?}");
        }
        Part::Image { source, .. } => {
            let _ = write!(told, " {source:?}");
        }
        Part::Document { source, name, .. } => {
            let _ = write!(told, " {source:?} {name:?}");
        }
        Part::ToolCall { id, name, arguments, .. } => {
            let arguments = serde_json::from_str::<Value>(arguments).unwrap_or_default();
            let _ = write!(told, " {id}={name}({arguments})");
        }
        Part::ToolResult { id, parts, .. } => {
            let _ = write!(told, " {id}:");
            parts.iter().for_each(|part| tell(told, part));
        }
        other => {
            let _ = write!(told, " {other:?}");
        }
    }
}

fn tools(request: &Request) -> String {
    let one = |t: &Tool| {
        let schema: Value = serde_json::from_str(t.schema.as_ref().unwrap().get()).unwrap();
        format!("{} {:?} {schema}", t.name, t.description)
    };
    request.tools.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn features() -> Vec<Feature> {
    let feature = |name, common, request, of| Feature { name, common, request, of };
    let talk = |turns| Request { turns, ..plain() };
    let user = |parts| turn(Role::User, parts);
    let choice = |c| with_tools(Some(c));
    let number = |n: f64| Some(json::Number::of(&n.to_string()));
    let schema = Format::JsonSchema {
        name: Some("n".to_owned()),
        description: None,
        schema: raw(r#"{"type":"object","properties":{},"additionalProperties":false}"#),
        strict: Some(true),
    };
    let effort = Reasoning { effort: Some(Effort::Low), ..Reasoning::default() };
    let pdf = Source::Base64 { media_type: "application/pdf".to_owned(), data: "JVBERi0=".to_owned() };
    let document =
        Part::Document { source: pdf, name: Some("a.pdf".to_owned()), context: None, citations: None, cache: None };
    let url = Source::Url("https://example.org/a.png".to_owned());
    vec![
        feature("text", true, plain(), conversation),
        feature("max_tokens", true, plain(), |r| format!("{:?}", r.max_tokens)),
        feature(
            "system",
            true,
            talk(vec![turn(Role::System, vec![Part::text("Be brief")]), user(vec![Part::text("Hi")])]),
            conversation,
        ),
        feature(
            "turns",
            true,
            talk(vec![
                user(vec![Part::text("A\n\"é🙂")]),
                turn(Role::Assistant, vec![Part::text("B")]),
                user(vec![Part::text("C")]),
            ]),
            conversation,
        ),
        feature(
            "several turns of one role",
            true,
            talk(vec![user(vec![Part::text("A")]), user(vec![Part::text("B")])]),
            conversation,
        ),
        feature("image", true, talk(vec![user(vec![Part::text("What?"), image(png())])]), conversation),
        feature("image by URL", true, talk(vec![user(vec![Part::text("What?"), image(url)])]), conversation),
        feature("document", true, talk(vec![user(vec![document, Part::text("What?")])]), conversation),
        feature("tools", true, with_tools(None), tools),
        // Where tools are offered, nothing said is the same.
        feature("tool_choice auto", true, choice(ToolChoice::Auto), |r| {
            format!("{:?}", r.tool_choice.clone().unwrap_or(ToolChoice::Auto))
        }),
        feature("tool_choice none", true, choice(ToolChoice::None), |r| format!("{:?}", r.tool_choice)),
        feature("tool_choice required", true, choice(ToolChoice::Required), |r| format!("{:?}", r.tool_choice)),
        feature("tool_choice named", true, choice(ToolChoice::Named("g".to_owned())), |r| {
            format!("{:?}", r.tool_choice)
        }),
        feature("one tool at a time", true, Request { parallel_tools: Some(false), ..choice(ToolChoice::Auto) }, |r| {
            format!("{:?}", r.parallel_tools)
        }),
        feature(
            "tool calls and results",
            true,
            Request {
                turns: vec![
                    user(vec![Part::text("Do")]),
                    turn(Role::Assistant, vec![Part::text("So"), call("a", r#"{"x":1}"#), call("b", "{}")]),
                    turn(Role::Tool, vec![result("a", vec![Part::text("1")]), result("b", vec![Part::text("2")])]),
                    user(vec![Part::text("And?")]),
                ],
                ..with_tools(None)
            },
            conversation,
        ),
        feature("stop", false, Request { stop: vec!["x".to_owned(), "y".to_owned()], ..plain() }, |r| {
            format!("{:?}", r.stop)
        }),
        feature("temperature", true, Request { temperature: number(0.5), ..plain() }, |r| {
            format!("{:?}", r.temperature)
        }),
        feature("top_p", true, Request { top_p: number(0.5), ..plain() }, |r| format!("{:?}", r.top_p)),
        feature("user", true, Request { user: Some("u1".to_owned()), ..plain() }, |r| format!("{:?}", r.user)),
        feature("stream", true, Request { stream: true, ..plain() }, |r| format!("{:?}", r.stream)),
        feature("n", false, Request { n: Some(2), ..plain() }, |r| format!("{:?}", r.n)),
        feature("top_k", false, Request { top_k: Some(5.into()), ..plain() }, |r| format!("{:?}", r.top_k)),
        feature("seed", false, Request { seed: Some(5.into()), ..plain() }, |r| format!("{:?}", r.seed)),
        feature("logprobs", false, Request { logprobs: Some(true), ..plain() }, |r| format!("{:?}", r.logprobs)),
        feature("logit_bias", false, Request { logit_bias: Some(raw(r#"{"5":1}"#)), ..plain() }, |r| {
            format!("{:?}", r.logit_bias)
        }),
        feature("frequency_penalty", false, Request { frequency_penalty: number(0.5), ..plain() }, |r| {
            format!("{:?}", r.frequency_penalty)
        }),
        feature("presence_penalty", false, Request { presence_penalty: number(0.5), ..plain() }, |r| {
            format!("{:?}", r.presence_penalty)
        }),
        feature("schema", false, Request { format: Some(schema), ..plain() }, |r| format!("{:?}", r.format.is_some())),
        feature("effort", false, Request { reasoning: Some(effort), ..plain() }, |r| {
            let effort = |r: &Reasoning| r.effort.or(r.budget.map(Effort::of_budget));
            format!("{:?}", r.reasoning.as_ref().and_then(effort))
        }),
        feature(
            "an image from a tool",
            false,
            Request {
                turns: vec![
                    user(vec![Part::text("Do")]),
                    turn(Role::Assistant, vec![call("a", "{}")]),
                    turn(Role::Tool, vec![result("a", vec![image(png())])]),
                ],
                ..with_tools(None)
            },
            |r| format!("{}", conversation(r).matches("iVBORw0KGgo=").count()),
        ),
    ]
}

/// What a path says of the model and the stream, where it is not in the body.
fn named(api: &dyn Api, stream: bool) -> Named {
    let full = format!("{}{}", api.base_path(), api.chat_path(TARGET.model, stream));
    let (path, query) = full.split_once('?').unwrap_or((&full, ""));
    match api.operation(&Line { method: "POST", path, query, headers: &Headers::default() }) {
        Some(Operation::Chat(named)) => named,
        other => panic!("{full}: {other:?}"),
    }
}

/// A request as it arrives: its path may say a part of it.
fn arrived(api: &dyn Api, body: &[u8], stream: bool) -> Result<Request, Error> {
    let mut request = api.read_request(Body::parse(body).unwrap().value())?;
    let named = named(api, stream);
    request.model = named.model.unwrap_or(request.model);
    request.stream = named.stream.unwrap_or(request.stream);
    Ok(request)
}

#[test]
fn a_request_says_the_same_in_every_api_or_the_loss_is_named() {
    for Feature { name, common, request, of } in features() {
        for (client, provider) in pairs() {
            let pair = format!("{name}, {} to {}", client.name(), provider.name());
            let there = client.write_request(&request, &TARGET);
            let read = arrived(client, &there.body, request.stream).unwrap_or_else(|e| panic!("{pair}: {e:?}"));
            let (before, asked) = (of(&request), of(&read));
            let lost = there.losses.iter().next().is_some() || there.schema_tool;
            assert!(before == asked || lost, "{pair}: written\n{asked} for\n{before}");

            let written = provider.write_request(&read, &TARGET);
            let body = Body::parse(&written.body).unwrap();
            let got = arrived(provider, &written.body, read.stream)
                .unwrap_or_else(|e| panic!("{pair}: {e:?} in {}", body.value().raw()));
            let lost = written.losses.iter().next().is_some() || written.schema_tool;
            assert!(
                of(&got) == asked || lost || !can(client, name),
                "{pair}: arrived\n{} for\n{asked}\n{}",
                of(&got),
                body.value().raw()
            );
            let able = can(client, name) && can(provider, name);
            assert!(!common || !able || (!lost && before == asked), "{pair}: loses {:?}", written.losses);
            assert_eq!(got.model, "model");
            // Made twice, as when an attempt is repeated, it is the same.
            assert_eq!(provider.write_request(&read, &TARGET).body, written.body);
        }
    }
}

// Answers.

const USAGE: Usage = Usage {
    input: 20,
    cached_input: 8,
    cache_write: 2,
    output: 9,
    reasoning: 0,
    audio_input: 0,
    audio_output: 0,
    image_input: 0,
    image_output: 0,
};

fn answer(finish: Finish, parts: Vec<Part>) -> Answer {
    let choices = vec![Choice { parts, finish: Some(finish), ..Choice::default() }];
    Answer { id: "id1".to_owned(), model: "m1".to_owned(), choices, usage: Some(USAGE), ..Answer::default() }
}

fn told(answer: &Answer) -> String {
    let mut told = String::new();
    for choice in &answer.choices {
        choice.parts.iter().for_each(|part| tell(&mut told, part));
        let _ = write!(told, " {:?};", choice.finish);
    }
    let _ = write!(told, " {:?} {:?}", answer.usage, answer.model);
    told
}

#[test]
fn an_answer_says_the_same_in_every_api() {
    let thought =
        |signature: Option<&str>| Part::Thinking { text: "Hm".to_owned(), signature: signature.map(str::to_owned) };
    let answers = [
        answer(Finish::Stop, vec![Part::text("Hi \"é🙂\"\n")]),
        answer(Finish::Length, vec![Part::text("Hi")]),
        answer(Finish::ToolCalls, vec![call("a", r#"{"x":1}"#)]),
        answer(Finish::ToolCalls, vec![Part::text("So"), call("a", "{}"), call("b", r#"{"x":[]}"#)]),
        answer(
            Finish::ToolCalls,
            vec![thought(Some("sig")), Part::Redacted { data: "sealed".to_owned() }, call("a", "{}")],
        ),
        answer(Finish::Stop, vec![thought(Some("sig")), Part::text("Hi")]),
    ];
    for (client, provider) in pairs() {
        for answer in &answers {
            let read = provider.read_answer(&provider.write_answer(answer, &asked())).unwrap();
            let written = client.write_answer(&read, &asked());
            let got = client.read_answer(&written).unwrap();
            let mut want = left(provider, answer);
            if want.model.is_empty() {
                want.model = asked().model;
            }
            let want = left(client, &want);
            assert_eq!(told(&got), told(&want), "{} from {}", client.name(), provider.name());
            let mut seen = Seen::default();
            client.watch_answer(&written, &mut seen);
            let model = Some(want.model.clone()).filter(|model| !model.is_empty());
            assert_eq!((seen.usage, seen.model, seen.ended), (want.usage, model, true));
            let renamed = Asked { rename: Some("mine".to_owned()), ..asked() };
            let named = client.read_answer(&client.write_answer(&read, &renamed)).unwrap().model;
            assert_eq!(named, if want.model.is_empty() { "" } else { "mine" });
        }
    }
}

#[test]
fn a_calls_signature_comes_back_through_the_clients_of_every_api() {
    let signed = |signature: &str| {
        let (id, arguments) = ("a".to_owned(), "{}".to_owned());
        Part::ToolCall { id, name: "f".to_owned(), arguments, signature: Some(signature.to_owned()), cache: None }
    };
    let thought = Part::Thinking { text: "Hm".to_owned(), signature: None };
    let answer = answer(Finish::ToolCalls, vec![thought, signed("c2ln"), call("b", "{}"), signed("bW9yZQ==")]);
    let signatures = |parts: &[Part]| -> Vec<Option<String>> {
        let of = |part: &Part| match part {
            Part::ToolCall { signature, .. } => Some(signature.clone()),
            _ => None,
        };
        parts.iter().filter_map(of).collect()
    };
    let want = signatures(&answer.choices[0].parts);
    for client in conversing() {
        let whole = client.write_answer(&answer, &asked());
        let got = client.read_answer(&whole).unwrap();
        assert_eq!(signatures(&got.choices[0].parts), want, "{}", client.name());
        let mut out = Vec::new();
        let mut writer = client.writer(asked());
        let start = Event::Start {
            id: "i".into(),
            model: "m".into(),
            created: None,
            service_tier: None,
            system_fingerprint: None,
            usage: None,
        };
        writer.write(&start, &mut out);
        writer.write(&Event::Thinking { choice: 0, text: "Hm".into() }, &mut out);
        for (tool, signature) in (0_u32..).zip(&want) {
            let signature = signature.as_deref().map(Into::into);
            writer.write(&Event::ToolStart { choice: 0, tool, id: "a".into(), name: "f".into(), signature }, &mut out);
            writer.write(&Event::ToolArguments { choice: 0, tool, json: "{}".into() }, &mut out);
        }
        writer.write(&Event::Finish { choice: 0, reason: Finish::ToolCalls, stop_sequence: None }, &mut out);
        writer.write(&Event::End, &mut out);
        let mut got: Vec<Option<String>> = Vec::new();
        let mut before = None;
        client.reader().read(&out, &mut |event| match event {
            // Where a call has no place for it, it stands before the call, as a client's words for both.
            Event::Signature { signature, .. } => before = signature.strip_prefix("call:").map(str::to_owned),
            Event::ToolStart { signature, .. } => {
                got.push(signature.map(|text| text.into_owned()).or_else(|| before.take()));
            }
            _ => {}
        });
        assert_eq!(got, want, "{}: {}", client.name(), String::from_utf8_lossy(&out));
    }
}

#[test]
fn what_one_provider_sealed_is_not_shown_to_another_that_would_refuse_it() {
    let responses = by_name("openai-responses").unwrap();
    let body = r#"{"model":"m","input":[{"role":"user","content":"Do"},
        {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm"}],"encrypted_content":"gAAA"},
        {"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"gAAA"},
        {"type":"function_call","call_id":"a","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"a","output":"1"}],
        "tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],"reasoning":{"effort":"low"}}"#;
    let request = responses.read_request(Body::parse(body.as_bytes()).unwrap().value()).unwrap();
    for (name, model) in
        [("anthropic", "claude-sonnet-4-5"), ("bedrock", "anthropic.claude-sonnet-4-5"), ("gemini", "m")]
    {
        let written = by_name(name).unwrap().write_request(&request, &Target { model, ..TARGET });
        let text = String::from_utf8(written.body).unwrap();
        assert!(!text.contains("gAAA"), "{name}: {text}");
        assert!(written.losses.iter().any(|loss| loss.what == "thinking"), "{name}: {:?}", written.losses);
        // A model that thinks would want the thinking that led to the call.
        assert!(name == "gemini" || !text.contains("budget_tokens"), "{name}: {text}");
    }
    let back = responses.write_request(&request, &TARGET);
    assert_eq!(String::from_utf8(back.body).unwrap().matches("gAAA").count(), 2);
}

#[test]
fn an_error_keeps_its_kind_and_its_words_in_every_api() {
    for (client, provider) in pairs() {
        for kind in [Kind::InvalidRequest, Kind::RateLimit, Kind::Provider, Kind::Overloaded] {
            let (status, body) = provider.write_error(&Error::provider(kind, "It \"went\" wrong"));
            let error = provider.read_error(status, &body);
            assert_eq!((error.kind, error.message.as_str()), (kind, "It \"went\" wrong"), "{}", provider.name());
            let (status, body) = client.write_error(&error);
            let error = client.read_error(status, &body);
            assert_eq!((error.kind, error.message.as_str()), (kind, "It \"went\" wrong"), "{}", client.name());
        }
    }
}
