//! What a request becomes, decision by decision: the table of `docs/translation.md`.

use super::Anthropic;
use crate::api::shared::claude::{Thinks, abilities};
use crate::api::shared::schema::tighten;
use crate::api::{Api, Target, Written};
use crate::chat::{Effect, Effort, Format, Part, Reasoning, Request, Role, Source, Tool, ToolChoice, Turn};
use serde_json::{Value, json};

fn raw(value: Value) -> crate::json::Raw {
    crate::json::raw(value.to_string())
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, name: None, parts }
}

fn says(role: Role, text: &str) -> Turn {
    turn(role, vec![Part::text(text)])
}

fn call(id: &str, arguments: &str) -> Part {
    let (id, arguments) = (id.to_owned(), arguments.to_owned());
    Part::ToolCall { id, name: "f".to_owned(), arguments, signature: None, cache: None }
}

fn result(id: &str, text: &str) -> Part {
    Part::ToolResult { id: id.to_owned(), parts: vec![Part::text(text)], is_error: false, cache: None }
}

fn tool(name: &str) -> Tool {
    Tool { name: name.to_owned(), description: None, schema: None, strict: None, cache: None, vendor: None }
}

fn asking(turns: Vec<Turn>) -> Request {
    Request { model: "m".to_owned(), turns, ..Request::default() }
}

fn hello() -> Request {
    asking(vec![says(Role::User, "Hello")])
}

fn written(request: &Request, model: &str) -> (Value, Written) {
    let target = Target { model, max_tokens: 4096, stream_usage: true, echo_reasoning: false };
    let written = Anthropic.write_request(request, &target);
    (serde_json::from_slice(&written.body).unwrap(), written)
}

fn lost(written: &Written) -> Vec<(&'static str, Effect)> {
    written.losses.iter().map(|loss| (loss.what, loss.effect)).collect()
}

const OLD: &str = "claude-3-5-haiku-20241022";
const BUDGET: &str = "claude-sonnet-4-5-20250929";
const ADAPTIVE: &str = "claude-opus-4-6";
const NEW: &str = "claude-opus-5";

#[test]
fn models_are_known_by_name() {
    let version = |name: &str| {
        let can = abilities(name);
        (can.thinks, can.samples, can.schemas, can.most_output)
    };
    assert_eq!(version("claude-2.1"), (Thinks::Never, true, false, 4_096));
    assert_eq!(version("claude-3-5-sonnet-20241022"), (Thinks::Never, true, false, 8_192));
    assert_eq!(version("claude-3-7-sonnet-latest"), (Thinks::Budget, true, false, 64_000));
    assert_eq!(version("claude-opus-4-20250514"), (Thinks::Budget, true, false, 32_000));
    assert_eq!(version("claude-opus-4-1@20250805"), (Thinks::Budget, true, false, 32_000));
    assert_eq!(version("us.anthropic.claude-haiku-4-5-20251001-v1:0"), (Thinks::Budget, true, true, 64_000));
    assert_eq!(version("anthropic.claude-opus-4-6-v1"), (Thinks::Adaptive, true, true, 128_000));
    assert_eq!(version("claude-4.7-opus"), (Thinks::Adaptive, false, true, 128_000));
    assert_eq!(version("claude-mythos-preview"), (Thinks::Adaptive, false, true, 128_000));
    assert_eq!(version("kimi-k2"), (Thinks::Budget, true, false, 64_000));
    assert!(abilities("claude-fable-5").always_thinks && !abilities(NEW).always_thinks);
    assert!(abilities(NEW).late_system && !abilities("claude-sonnet-5").late_system);
}

#[test]
fn turns_alternate_and_results_come_first() {
    let request = asking(vec![
        says(Role::System, "one"),
        says(Role::Developer, "two"),
        says(Role::User, "a"),
        says(Role::User, "b"),
        turn(Role::Assistant, vec![Part::text(""), call("x.1", "{\"k\": 1}"), call("x/1", "")]),
        turn(Role::User, vec![Part::text("and")]),
        turn(Role::Tool, vec![result("x.1", "r1")]),
        turn(Role::Tool, vec![result("x/1", " ")]),
    ]);
    let (body, written) = written(&request, BUDGET);
    assert_eq!(body["system"], json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]));
    let messages = body["messages"].as_array().unwrap();
    let roles: Vec<&str> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    let (calls, results) = (&messages[1]["content"], &messages[2]["content"]);
    assert_eq!((&calls[0]["input"], &calls[1]["input"]), (&json!({"k": 1}), &json!({})));
    assert_eq!(calls[0]["id"], results[0]["tool_use_id"]);
    assert_eq!(calls[1]["id"], results[1]["tool_use_id"]);
    assert_ne!(calls[0]["id"], calls[1]["id"]);
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    assert!(calls[0]["id"].as_str().unwrap().chars().all(fine));
    assert_eq!((&results[0]["content"], results[1].get("content")), (&json!("r1"), None));
    assert_eq!(results[2], json!({"type": "text", "text": "and"}));
    // The history calls a tool that is no longer offered.
    assert_eq!(body["tools"][0]["name"], "f");
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
    assert_eq!(lost(&written), []);
}

#[test]
fn what_would_be_refused_is_mended() {
    let cases: [(Vec<Turn>, Value, &[&str]); 5] = [
        (vec![], json!([{"role": "user", "content": "."}]), &[]),
        (
            vec![says(Role::Assistant, "Hi"), says(Role::User, "a")],
            json!([{"role": "user", "content": "."}, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "a"}]),
            &["first_turn"],
        ),
        (vec![says(Role::System, "Say hi")], json!([{"role": "user", "content": "Say hi"}]), &["system"]),
        (
            vec![says(Role::User, "a"), says(Role::Assistant, "The answer is \n")],
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "The answer is"}]),
            &[],
        ),
        (
            vec![
                says(Role::User, "a"),
                turn(Role::Assistant, vec![Part::Thinking { text: "t".to_owned(), signature: None }]),
                says(Role::Assistant, "  "),
                says(Role::User, "b"),
            ],
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]),
            &["thinking"],
        ),
    ];
    for (turns, messages, hints) in cases {
        let (body, written) = written(&asking(turns), BUDGET);
        assert_eq!(body["messages"], messages);
        assert_eq!(lost(&written).iter().map(|(what, _)| *what).collect::<Vec<_>>(), *hints);
    }
}

#[test]
fn a_later_instruction_stays_in_its_place_where_the_model_takes_it() {
    let request = asking(vec![says(Role::System, "S"), says(Role::User, "a"), says(Role::System, "L")]);
    let (body, _) = written(&request, "claude-opus-4-8");
    assert_eq!(body["messages"][1], json!({"role": "system", "content": "L"}));
    assert_eq!(body["system"], "S");
    let (body, old) = written(&request, BUDGET);
    assert_eq!(body["system"], json!([{"type": "text", "text": "S"}, {"type": "text", "text": "L"}]));
    assert_eq!(lost(&old), [("system_position", Effect::Hint)]);
    // Between an answer and a question there is no place for it.
    let request =
        asking(vec![says(Role::User, "a"), says(Role::Assistant, "b"), says(Role::System, "L"), says(Role::User, "c")]);
    assert_eq!(written(&request, NEW).0["system"], "L");
}

#[test]
fn thinking_follows_the_model() {
    let with = |effort: Effort, max_tokens: Option<u64>| Request {
        reasoning: Some(Reasoning { effort: Some(effort), ..Reasoning::default() }),
        max_tokens,
        ..hello()
    };
    let enabled = |n: u64| json!({"type": "enabled", "budget_tokens": n});
    let adaptive = json!({"type": "adaptive"});
    let shown = json!({"type": "adaptive", "display": "summarized"});
    let cases = [
        (OLD, with(Effort::High, None), Value::Null, Value::Null, 4096),
        (BUDGET, with(Effort::Low, None), enabled(2048), Value::Null, 6144),
        (BUDGET, with(Effort::Low, Some(8000)), enabled(2048), Value::Null, 8000),
        (BUDGET, with(Effort::High, Some(4000)), enabled(3000), Value::Null, 4000),
        (BUDGET, with(Effort::High, Some(1024)), Value::Null, Value::Null, 1024),
        (BUDGET, with(Effort::Max, None), enabled(48_000), Value::Null, 64_000),
        (BUDGET, with(Effort::None, None), Value::Null, Value::Null, 4096),
        ("claude-opus-4-5", with(Effort::Medium, Some(20_000)), enabled(8192), json!("medium"), 20_000),
        (ADAPTIVE, with(Effort::Minimal, Some(50)), adaptive.clone(), json!("low"), 50),
        (ADAPTIVE, with(Effort::XHigh, None), adaptive, json!("high"), 4096),
        (NEW, with(Effort::XHigh, None), shown.clone(), json!("xhigh"), 4096),
        (NEW, with(Effort::None, None), json!({"type": "disabled"}), Value::Null, 4096),
        ("claude-fable-5", with(Effort::None, None), Value::Null, Value::Null, 4096),
    ];
    for (model, request, thinking, effort, max_tokens) in cases {
        let (body, _) = written(&request, model);
        assert_eq!(body["thinking"], thinking, "{model} {:?}", request.reasoning);
        assert_eq!(body["output_config"]["effort"], effort, "{model}");
        assert_eq!(body["max_tokens"], max_tokens, "{model}");
    }
    let budget = Request { reasoning: Some(Reasoning { budget: Some(20_000), ..Reasoning::default() }), ..hello() };
    let (body, _) = written(&budget, NEW);
    assert_eq!((&body["thinking"], &body["output_config"]["effort"]), (&shown, &json!("high")));
}

#[test]
fn thinking_needs_its_signature_within_a_run_of_calls() {
    let thinking =
        |signature: Option<&str>| Part::Thinking { text: "t".to_owned(), signature: signature.map(str::to_owned) };
    let run = |signature| Request {
        tools: vec![tool("f")],
        reasoning: Some(Reasoning { effort: Some(Effort::Low), ..Reasoning::default() }),
        ..asking(vec![
            says(Role::User, "a"),
            turn(Role::Assistant, vec![thinking(signature), call("1", "{}")]),
            turn(Role::Tool, vec![result("1", "r")]),
        ])
    };
    let (body, signed) = written(&run(Some("s")), BUDGET);
    assert_eq!(body["thinking"]["type"], "enabled");
    assert_eq!(body["messages"][1]["content"][0], json!({"type": "thinking", "thinking": "t", "signature": "s"}));
    assert_eq!(lost(&signed), []);
    let (body, unsigned) = written(&run(None), BUDGET);
    assert_eq!(body.get("thinking"), None);
    assert_eq!(lost(&unsigned), [("reasoning", Effect::Hint), ("thinking", Effect::Hint)]);
    assert_eq!(written(&run(None), ADAPTIVE).0["thinking"]["type"], "adaptive");
    // A forced tool and a budget exclude each other.
    let forced = Request { tool_choice: Some(ToolChoice::Required), ..run(Some("s")) };
    assert_eq!(written(&forced, BUDGET).0.get("thinking"), None);
}

#[test]
fn sampling_follows_the_model() {
    let number = |n: f64| Some(crate::json::Number::of(&n.to_string()));
    let both = Request { temperature: number(1.5), top_p: number(0.9), top_k: Some(5.into()), ..hello() };
    let (body, old) = written(&both, OLD);
    assert_eq!((&body["temperature"], &body["top_p"], &body["top_k"]), (&json!(1), &json!(0.9), &json!(5)));
    assert_eq!(lost(&old), [("temperature", Effect::Hint)]);
    let (body, _) = written(&both, BUDGET);
    assert_eq!((&body["temperature"], body.get("top_p")), (&json!(1), None));
    let (body, new) = written(&both, NEW);
    assert_eq!((body.get("temperature"), body.get("top_p"), body.get("top_k")), (None, None, None));
    assert_eq!(lost(&new).len(), 3);
    let thinks = Request { reasoning: Some(Reasoning { budget: Some(1024), ..Reasoning::default() }), ..both };
    assert_eq!(written(&thinks, BUDGET).0.get("temperature"), None);
    let default = Request { temperature: number(1.0), ..hello() };
    assert_eq!(lost(&written(&default, NEW).1), []);
}

#[test]
fn tool_choice_has_all_its_forms() {
    let allowed = |required| ToolChoice::Allowed { names: vec!["g".to_owned()], required };
    let cases = [
        (None, None, Value::Null),
        (None, Some(false), json!({"type": "auto", "disable_parallel_tool_use": true})),
        (Some(ToolChoice::Auto), None, json!({"type": "auto"})),
        (Some(ToolChoice::None), Some(false), json!({"type": "none"})),
        (Some(ToolChoice::Required), Some(true), json!({"type": "any"})),
        (
            Some(ToolChoice::Named("g".to_owned())),
            Some(false),
            json!({"type": "tool", "name": "g", "disable_parallel_tool_use": true}),
        ),
        (Some(allowed(false)), None, json!({"type": "auto"})),
        (Some(allowed(true)), None, json!({"type": "any"})),
    ];
    for (tool_choice, parallel_tools, want) in cases {
        let filtered = matches!(tool_choice, Some(ToolChoice::Allowed { .. }));
        let request = Request { tools: vec![tool("f"), tool("g")], tool_choice, parallel_tools, ..hello() };
        let (body, _) = written(&request, BUDGET);
        assert_eq!(body["tool_choice"], want);
        assert_eq!(body["tools"].as_array().unwrap().len(), if filtered { 1 } else { 2 });
        assert_eq!(body["tools"][0]["input_schema"], json!({"type": "object", "properties": {}}));
    }
    let none = Request { tool_choice: Some(ToolChoice::Required), ..hello() };
    assert_eq!(written(&none, BUDGET).0.get("tool_choice"), None);
}

#[test]
fn a_schema_is_native_or_a_tool_or_told() {
    let format =
        |schema: Value, strict| Some(Format::JsonSchema { name: None, description: None, schema: raw(schema), strict });
    let closed = json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]});
    let open = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let (body, native) = written(&Request { format: format(closed.clone(), None), ..hello() }, BUDGET);
    let schema = &body["output_config"]["format"]["schema"];
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["a"], json!({"type": "integer", "description": "(minimum: 1)"}));
    assert_eq!((native.schema_tool, lost(&native)), (false, vec![("schema_constraints", Effect::Hint)]));
    for (model, schema) in [(OLD, &closed), (BUDGET, &open)] {
        let (body, forced) = written(&Request { format: format(schema.clone(), None), ..hello() }, model);
        assert!(forced.schema_tool);
        assert_eq!(body["tools"][0]["input_schema"], *schema);
        assert_eq!(body["tool_choice"]["name"], body["tools"][0]["name"]);
    }
    for (strict, effect) in [(Some(true), Effect::Meaning), (None, Effect::Hint)] {
        let request = Request { format: format(closed.clone(), strict), tools: vec![tool("f")], ..hello() };
        let (body, told) = written(&request, OLD);
        assert!(!told.schema_tool && body["system"].as_str().unwrap().contains("\"minimum\":1"));
        assert_eq!(lost(&told), [("response_format", effect)]);
    }
    let (body, told) = written(&Request { format: Some(Format::JsonObject), ..hello() }, BUDGET);
    assert!(body["system"].as_str().unwrap().contains("JSON object"));
    assert_eq!(lost(&told), [("response_format", Effect::Hint)]);
}

#[test]
fn schemas_are_closed_or_left() {
    let fits = [
        (json!({"type": "string", "pattern": "^a$"}), json!({"type": "string", "description": "(pattern: \"^a$\")"})),
        (
            json!({"description": "d", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"enum": [1]}}}),
            json!({"type": "object", "description": "d", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"enum": [1]}},
                "additionalProperties": false}),
        ),
        (
            json!({"oneOf": [{"type": "null"}, {"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 1}]}),
            json!({"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 1}]}),
        ),
    ];
    for (schema, want) in fits {
        let tight = tighten(&schema.to_string()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&tight.json).unwrap(), want);
    }
    let not = [
        json!({"type": "object"}),
        json!({"type": "object", "properties": {"a": {}}}),
        json!({"type": "object", "properties": {"a": {"$ref": "https://else"}}}),
        json!({"type": "object", "properties": {"a": {"$ref": "#"}}}),
        json!({"$ref": "#/$defs/A", "$defs": {"A": {"properties": {"b": {"$ref": "#/$defs/B"}}}, "B": {"anyOf": [{"$ref": "#/$defs/A"}]}}}),
        json!({"type": "object", "properties": {"a": {"not": {"type": "null"}}}}),
        json!(3),
    ];
    for schema in not {
        assert!(tighten(&schema.to_string()).is_none(), "{schema}");
    }
}

#[test]
fn arguments_that_are_no_object_are_kept_as_text() {
    let cases = [
        ("", json!({})),
        ("null", json!({})),
        (" {\"a\":[1]} ", json!({"a": [1]})),
        ("{\"a\":", json!({"_raw": "{\"a\":"})),
        ("[1]", json!({"_raw": "[1]"})),
    ];
    for (arguments, want) in cases {
        let request = asking(vec![says(Role::User, "a"), turn(Role::Assistant, vec![call("1", arguments)])]);
        assert_eq!(written(&request, BUDGET).0["messages"][1]["content"][0]["input"], want);
    }
}

#[test]
fn media_are_sent_or_refused() {
    let document = |media_type: &str, data: &str| Part::Document {
        source: Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() },
        name: Some("n".to_owned()),
        context: None,
        citations: Some(true),
        cache: Some(raw(json!({"type": "ephemeral"}))),
    };
    let by_url =
        |url: &str| Part::Document { source: Source::at(url), name: None, context: None, citations: None, cache: None };
    let image = |source| Part::Image { source, detail: Some("high".to_owned()), cache: None };
    let cases = [
        (
            document("text/plain", "SMOkCg=="),
            Some(
                json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hä\n"}, "title": "n",
                "citations": {"enabled": true}, "cache_control": {"type": "ephemeral"}}),
            ),
            vec![],
        ),
        (document("application/msword", "AAAA"), None, vec![("document", Effect::Meaning)]),
        (by_url("data:application/msword;base64,AAAA"), None, vec![("document", Effect::Meaning)]),
        (
            by_url("data:text/csv;charset=utf-8;base64,YSxi"),
            Some(json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}})),
            vec![],
        ),
        (
            by_url("https://a.example/b.pdf"),
            Some(json!({"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}})),
            vec![],
        ),
        (
            image(Source::at("data:image/jpg;base64,AA==")),
            Some(json!({"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AA=="}})),
            vec![("detail", Effect::Hint)],
        ),
        (
            image(Source::File("file_1".to_owned())),
            Some(json!({"type": "image", "source": {"type": "file", "file_id": "file_1"}})),
            vec![("detail", Effect::Hint)],
        ),
        (image(Source::File("file-1".to_owned())), None, vec![("file", Effect::Meaning)]),
        (Part::Audio { data: String::new(), format: "wav".to_owned() }, None, vec![("audio", Effect::Meaning)]),
        (
            Part::Other { kind: "input_video".to_owned(), raw: raw(json!({})) },
            None,
            vec![("content_part", Effect::Meaning)],
        ),
    ];
    for (part, want, losses) in cases {
        let (body, written) =
            written(&asking(vec![turn(Role::User, vec![Part::text("a"), part, Part::text("b")])]), BUDGET);
        let content = body["messages"][0]["content"].as_array().unwrap();
        assert_eq!(content.len(), if want.is_some() { 3 } else { 2 });
        if let Some(want) = want {
            assert_eq!(content[1], want);
        }
        assert_eq!(lost(&written), losses);
        let beta = body.to_string().contains("file_1");
        assert_eq!(!written.headers.is_empty(), beta);
    }
}

#[test]
fn what_has_no_place_is_counted() {
    let mut request = Request {
        n: Some(2),
        logprobs: Some(true),
        logit_bias: Some(raw(json!({"1": 2}))),
        seed: Some(1.into()),
        frequency_penalty: Some(1.into()),
        presence_penalty: Some(0.into()),
        metadata: vec![("a".to_owned(), "b".to_owned())],
        user: Some("u".to_owned()),
        service_tier: Some("flex".to_owned()),
        stop: vec!["\n".to_owned(), "END".to_owned()],
        ..hello()
    };
    request.extra = vec![("store".to_owned(), raw(json!(true))), ("container".to_owned(), raw(json!("c")))];
    let (body, written) = written(&request, BUDGET);
    assert_eq!((&body["metadata"], &body["stop_sequences"]), (&json!({"user_id": "u"}), &json!(["END"])));
    assert_eq!((&body["container"], body.get("store"), body.get("service_tier")), (&json!("c"), None, None));
    let of = |effect| lost(&written).iter().filter(|(_, e)| *e == effect).map(|(what, _)| *what).collect::<Vec<_>>();
    assert_eq!(of(Effect::Meaning), ["stop", "n", "logprobs", "logit_bias"]);
    assert_eq!(of(Effect::Hint), ["service_tier", "extra", "frequency_penalty", "seed", "metadata"]);
    // One answer without log probabilities is what there is anyway.
    let plain = Request { n: Some(1), logprobs: Some(false), logit_bias: Some(raw(json!({}))), ..hello() };
    assert_eq!(lost(&super::tests_write::written(&plain, BUDGET).1), []);
}
