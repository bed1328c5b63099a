use super::Gemini;
use super::wire::{Sealed, seal, unseal};
use crate::api::fuzz::{events, rewritten};
use crate::api::tests_golden::{cases, hold, joined, lines};
use crate::api::{Api, Asked, Form, Line, Named, Operation, SSE, Seen, Target};
use crate::chat::{Effect, Event, Finish, Part, Request, Role};
use crate::error::{Error, Fault, Kind};
use crate::http::Headers;
use crate::json::Body;
use serde_json::{Value, json};

fn target(model: &str) -> Target<'_> {
    Target { model, max_tokens: 100, stream_usage: true, echo_reasoning: false }
}

fn asked() -> Asked {
    Asked { model: "asked".to_owned(), id: "made".to_owned(), created: 5, stream_usage: true, ..Asked::default() }
}

fn read(body: &Value) -> Result<Request, Error> {
    Gemini.read_request(Body::parse(body.to_string().as_bytes()).unwrap().value())
}

fn written(request: &Request, model: &str) -> (Value, Vec<(&'static str, Effect)>) {
    let written = Gemini.write_request(request, &target(model));
    let losses = written.losses.iter().map(|loss| (loss.what, loss.effect)).collect();
    (serde_json::from_slice(&written.body).unwrap(), losses)
}

#[test]
fn requests_are_read_and_written_as_the_golden_cases_say() {
    for (path, case) in cases(&Gemini, "request-") {
        let model = case["model"].as_str().unwrap();
        let (out, losses) = written(&read(&case["request"]).unwrap(), model);
        let losses: Vec<String> = losses.iter().map(|(what, effect)| format!("{what} {effect:?}")).collect();
        hold(&path, &case, &[("out", out.clone()), ("losses", json!(losses))]);
        // What was written can be read, and then nothing more is lost.
        let (again, losses) = written(&read(&out).unwrap(), model);
        assert_eq!(out, again, "{}", path.display());
        assert!(losses.iter().all(|(_, effect)| *effect == Effect::Hint), "{} {losses:?}", path.display());
    }
}

#[test]
fn answers_are_read_and_written_as_the_golden_cases_say() {
    for (path, case) in cases(&Gemini, "answer-") {
        let body = case["answer"].to_string();
        let answer = Gemini.read_answer(body.as_bytes()).unwrap();
        let out: Value = serde_json::from_slice(&Gemini.write_answer(&answer, &asked())).unwrap();
        let again = Gemini.read_answer(out.to_string().as_bytes()).unwrap();
        let twice: Value = serde_json::from_slice(&Gemini.write_answer(&again, &asked())).unwrap();
        assert_eq!(out, twice, "{}", path.display());
        let mut seen = Seen::default();
        Gemini.watch_answer(body.as_bytes(), &mut seen);
        assert_eq!(seen.usage, answer.usage);
        assert!(seen.ended && seen.error.is_none(), "{seen:?}");
        hold(&path, &case, &[("out", out)]);
    }
}

#[test]
fn streams_are_read_and_written_as_the_golden_cases_say_however_they_are_cut() {
    for (path, case) in cases(&Gemini, "stream-") {
        let stream = joined(&case["stream"], "\n").into_bytes();
        let whole = events(&Gemini, &stream, stream.len());
        for size in [1, 2, 7] {
            assert_eq!(events(&Gemini, &stream, size), whole, "{} in pieces of {size}", path.display());
        }
        let out = rewritten(&Gemini, &stream, &asked());
        hold(&path, &case, &[("events", json!(whole)), ("out", lines(&out))]);
        // As an array it says the same, element by element.
        let array: Vec<Value> =
            serde_json::from_slice(&rewritten(&Gemini, &stream, &Asked { form: Form::Array, ..asked() })).unwrap();
        let of = |line: &str| line.strip_prefix("data: ").map(|data| serde_json::from_str::<Value>(data).unwrap());
        let text = String::from_utf8(out).unwrap();
        assert_eq!(array, text.lines().filter_map(of).collect::<Vec<_>>(), "{}", path.display());
    }
}

#[test]
fn a_path_names_the_model_and_the_form_of_its_stream() {
    let of = |method: &str, path: &str, query: &str, key: bool| {
        let mut headers = Headers::default();
        if key {
            headers.push("x-goog-api-key", "k");
        }
        Gemini.operation(&Line { method, path, query, headers: &headers })
    };
    let chat = |model: &str, stream, form| {
        Some(Operation::Chat(Named { model: Some(model.to_owned()), stream: Some(stream), form }))
    };
    let vertex = "/v1beta1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:generateContent";
    let cases = [
        ("/v1beta/models/gemini-2.5-pro:generateContent", "", chat("gemini-2.5-pro", false, Form::Usual)),
        ("/v1beta/models/m:generateContent", "key=k&$alt=json", chat("m", false, Form::Usual)),
        ("/v1/models/m:streamGenerateContent", "alt=sse", chat("m", true, Form::Usual)),
        ("/v1beta/models/m:streamGenerateContent", "key=k&alt=sse", chat("m", true, Form::Usual)),
        ("/v1beta/models/m:streamGenerateContent", "", chat("m", true, Form::Array)),
        ("/v1beta/models/a%2Fb%20c:8b:generateContent", "", chat("a/b c:8b", false, Form::Usual)),
        ("/v1beta/models/a/b:generateContent", "", chat("a/b", false, Form::Usual)),
        (vertex, "", chat("gemini-2.5-pro", false, Form::Usual)),
        ("/v1beta/models/m:countTokens", "", None),
        ("/v1beta/models/:generateContent", "", None),
        ("/v1beta/models/m", "", None),
        ("/v2/models/m:generateContent", "", None),
        ("/v1/chat/models/m:generateContent", "", None),
        ("/v1/models", "", None),
    ];
    for (path, query, want) in cases {
        assert_eq!(of("POST", path, query, true), want, "{path}?{query}");
    }
    assert_eq!(of("GET", "/v1beta/models", "", false), Some(Operation::ListModels));
    assert_eq!(of("GET", "/v1beta/models/a%2Fb", "", false), Some(Operation::Model("a/b".to_owned())));
    assert_eq!(of("GET", "/v1beta/modelsx", "", false), None);
    // Another API has these too.
    assert_eq!(of("GET", "/v1/models", "", false), None);
    assert_eq!(of("GET", "/v1/models", "", true), Some(Operation::ListModels));
    assert_eq!(of("GET", "/v1/models/m", "key=k", false), Some(Operation::Model("m".to_owned())));
    assert_eq!(of("DELETE", "/v1beta/models/m", "", true), None);

    assert_eq!(Gemini.chat_path("models/a b", false), "/models/a%20b:generateContent");
    assert_eq!(Gemini.chat_path("a/ü", true), "/models/a%2F%C3%BC:streamGenerateContent?alt=sse");
    assert_eq!((Gemini.stream_type(Form::Usual), Gemini.stream_type(Form::Array)), (SSE, "application/json"));
    let model: Value = serde_json::from_slice(&Gemini.write_model("a\"b", 0)).unwrap();
    assert_eq!(model["name"], "models/a\"b");
}

#[test]
fn a_model_that_the_body_names_too_is_spliced() {
    let cases = [
        (r#"{"contents":[]}"#, r#"{"contents":[]}"#),
        (r#"{"model":"models/a","x":1}"#, r#"{"model":"models/m","x":1}"#),
        (r#"{"model":"models/m"}"#, r#"{"model":"models/m"}"#),
    ];
    for (body, want) in cases {
        let edits = Gemini.splice(Body::parse(body.as_bytes()).unwrap().value(), &target("m")).edits;
        assert_eq!(String::from_utf8(crate::json::splice(body.as_bytes(), &edits)).unwrap(), want);
    }
}

fn call(name: &str, id: Option<&str>) -> Value {
    match id {
        Some(id) => json!({"functionCall": {"name": name, "id": id, "args": {"x": 1}}}),
        None => json!({"functionCall": {"name": name}}),
    }
}

fn result(name: &str, id: Option<&str>, response: Value) -> Value {
    let mut result = json!({"functionResponse": {"name": name, "response": response}});
    if let Some(id) = id {
        result["functionResponse"]["id"] = id.into();
    }
    result
}

#[test]
fn results_find_their_calls_by_id_or_by_name_and_order() {
    let request = read(&json!({"contents": [
        {"role": "user", "parts": [{"text": "Do"}]},
        {"role": "model", "parts": [call("f", None), call("g", None), call("f", None), call("h", Some("own"))]},
        {"role": "user", "parts": [
            result("h", Some("own"), json!({"output": "4"})),
            result("f", None, json!({"result": {"a": [1]}})),
            result("f", None, json!({"error": "no"})),
            result("g", None, json!({"a": 1, "b": 2})),
            {"text": "And?"},
        ]},
    ]}))
    .unwrap();
    let ids = |role: Role| -> Vec<String> {
        let parts = request.turns.iter().filter(|turn| turn.role == role).flat_map(|turn| &turn.parts);
        let of = |part: &Part| match part {
            Part::ToolCall { id, .. } | Part::ToolResult { id, .. } => Some(id.clone()),
            _ => None,
        };
        parts.filter_map(of).collect()
    };
    let calls = ids(Role::Assistant);
    assert_eq!(calls[3], "own");
    assert!(calls.iter().all(|id| calls.iter().filter(|other| *other == id).count() == 1), "{calls:?}");
    assert_eq!(ids(Role::Tool), [&calls[3], &calls[0], &calls[2], &calls[1]].map(String::clone));
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::User]);
    let (out, _) = written(&request, "gemini-2.5-pro");
    let parts = out["contents"][2]["parts"].as_array().unwrap();
    let told: Vec<_> = parts.iter().map(|part| &part["functionResponse"]).collect();
    assert_eq!(told[0], &json!({"id": "own", "name": "h", "response": {"output": "4"}}));
    assert_eq!((&told[1]["name"], &told[1]["response"]), (&json!("f"), &json!({"a": [1]})));
    assert_eq!(told[2]["response"], json!({"error": "no"}));
    assert_eq!((&told[3]["name"], &told[3]["response"]), (&json!("g"), &json!({"a": 1, "b": 2})));
    assert_eq!(parts[4], json!({"text": "And?"}));
    // The same conversation with one more turn has the same ids.
    assert_eq!(read(&out).unwrap().turns.len(), 4);
}

#[test]
fn a_call_without_its_signature_is_excused_where_one_is_demanded() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Do"}]},
        {"role": "model", "parts": [call("f", None), call("g", None)]},
        {"role": "user", "parts": [result("f", None, json!({})), result("g", None, json!({}))]},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}, "thoughtSignature": "c2ln"}]},
    ]});
    let signatures = |model: &str| {
        let (out, _) = written(&read(&body).unwrap(), model);
        let contents = out["contents"].as_array().unwrap().clone();
        let parts = contents.iter().flat_map(|content| content["parts"].as_array().unwrap());
        parts.filter_map(|part| part["thoughtSignature"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(signatures("gemini-3-pro-preview"), ["c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=", "c2ln"]);
    assert_eq!(signatures("gemini-2.5-pro"), ["c2ln"]);
}

#[test]
fn thinking_is_asked_for_as_each_model_takes_it() {
    let config = |thinking: Value| {
        json!({"contents": [{"parts": [{"text": "Hi"}]}],
        "generationConfig": {"thinkingConfig": thinking}})
    };
    let cases = [
        ("gemini-2.5-flash", json!({"thinkingBudget": 0}), json!({"thinkingBudget": 0}), false),
        ("gemini-2.5-flash-lite", json!({"thinkingBudget": 0}), json!({"thinkingBudget": 0}), false),
        (
            "gemini-2.5-flash-lite",
            json!({"thinkingBudget": 9}),
            json!({"thinkingBudget": 512, "includeThoughts": true}),
            false,
        ),
        ("gemini-2.5-pro", json!({"thinkingBudget": 0}), json!({"thinkingBudget": 128}), true),
        (
            "gemini-2.5-pro",
            json!({"thinkingBudget": 99_999, "includeThoughts": false}),
            json!({"thinkingBudget": 32_768, "includeThoughts": false}),
            false,
        ),
        (
            "gemini-2.5-pro",
            json!({"thinkingLevel": "low"}),
            json!({"thinkingBudget": 2048, "includeThoughts": true}),
            false,
        ),
        (
            "gemini-2.5-pro",
            json!({"thinkingBudget": -1}),
            json!({"thinkingBudget": -1, "includeThoughts": true}),
            false,
        ),
        (
            "gemini-2.5-flash",
            json!({"includeThoughts": true}),
            json!({"thinkingBudget": -1, "includeThoughts": true}),
            false,
        ),
        ("gemini-3-pro-preview", json!({"thinkingBudget": 0}), json!({"thinkingLevel": "LOW"}), true),
        (
            "gemini-3-pro-preview",
            json!({"thinkingLevel": "MEDIUM"}),
            json!({"thinkingLevel": "HIGH", "includeThoughts": true}),
            false,
        ),
        (
            "gemini-3.1-pro-preview",
            json!({"thinkingLevel": "MEDIUM"}),
            json!({"thinkingLevel": "MEDIUM", "includeThoughts": true}),
            false,
        ),
        (
            "models/gemini-3-flash",
            json!({"thinkingLevel": "MINIMAL"}),
            json!({"thinkingLevel": "MINIMAL", "includeThoughts": true}),
            false,
        ),
        (
            "gemini-flash-latest",
            json!({"thinkingBudget": 3000}),
            json!({"thinkingLevel": "LOW", "includeThoughts": true}),
            false,
        ),
        ("gemini-2.0-flash", json!({"thinkingBudget": 3000}), Value::Null, true),
        ("gemini-2.0-flash", json!({"thinkingBudget": 0}), Value::Null, false),
        ("gemini-2.5-flash-image", json!({"thinkingBudget": 3000}), Value::Null, true),
        ("gemma-3-27b-it", json!({"thinkingBudget": 3000}), Value::Null, true),
        ("gemini-2.5-flash", json!({}), Value::Null, false),
    ];
    for (model, asked, want, lost) in cases {
        let (out, losses) = written(&read(&config(asked.clone())).unwrap(), model);
        assert_eq!(out["generationConfig"]["thinkingConfig"], want, "{model} {asked}");
        assert_eq!(losses.contains(&("reasoning", Effect::Hint)), lost, "{model} {asked} {losses:?}");
    }
}

#[test]
fn a_schema_is_read_as_json_schema_and_written_as_the_api_takes_it() {
    let own = json!({"type": "OBJECT", "nullable": true, "propertyOrdering": ["a"], "required": ["a"], "properties": {
        "a": {"type": "STRING", "enum": ["x"], "nullable": true},
        "b": {"type": "ARRAY", "items": {"type": "INTEGER", "format": "int32"}, "minItems": "01", "max_items": "0"},
        "c": {"anyOf": [{"type": "NUMBER"}], "nullable": true, "example": 1},
        "d": {"type": "TYPE_UNSPECIFIED", "description": "any"}}});
    let body = json!({"contents": [{"parts": [{"text": "Hi"}]}], "tools": [{"functionDeclarations": [
        {"name": "f", "description": "does", "parameters": own}]}]});
    let request = read(&body).unwrap();
    let schema: Value = serde_json::from_str(request.tools[0].schema.as_ref().unwrap().get()).unwrap();
    let want = json!({"type": ["object", "null"], "required": ["a"], "properties": {
        "a": {"type": ["string", "null"], "enum": ["x"]},
        "b": {"type": "array", "items": {"type": "integer", "format": "int32"}, "minItems": 1, "maxItems": 0},
        "c": {"anyOf": [{"type": "number"}, {"type": "null"}], "examples": [1]},
        "d": {"description": "any"}}});
    assert_eq!(schema, want);

    let json_schema = json!({"$schema": "x", "type": "object", "additionalProperties": false,
        "definitions": {"T": {"type": "object", "properties": {"next": {"$ref": "#/definitions/T"}}}},
        "properties": {
            "k": {"const": "only", "description": "d"}, "n": {"const": 1}, "z": {"const": null, "type": "null"},
            "t": {"$ref": "#/definitions/T", "description": "a tree"},
            "one": {"allOf": [{"$ref": "#/definitions/T"}]},
            "many": {"allOf": [{"type": "object"}, {"required": ["a"]}]},
            "m": {"type": "object", "additionalProperties": {"const": true}},
            "p": {"type": "array", "items": [{"type": "string"}]},
            "any": true,
            "x": {"type": "number", "exclusiveMinimum": 0, "description": "big"}}});
    let want = json!({"type": "object", "additionalProperties": false,
        "$defs": {"T": {"type": "object", "properties": {"next": {"$ref": "#/$defs/T"}}}},
        "properties": {
            "k": {"enum": ["only"], "type": "string", "description": "d"}, "n": {"enum": [1], "type": "integer"},
            "z": {"enum": [null], "type": "null"},
            "t": {"anyOf": [{"$ref": "#/$defs/T"}], "description": "a tree"},
            "one": {"anyOf": [{"$ref": "#/$defs/T"}]},
            "many": {"description": "(allOf: [{\"type\":\"object\"},{\"required\":[\"a\"]}])"},
            "m": {"type": "object", "additionalProperties": {"enum": [true], "type": "boolean"}},
            "p": {"type": "array", "prefixItems": [{"type": "string"}]},
            "any": {},
            "x": {"type": "number", "description": "big (exclusiveMinimum: 0)"}}});
    let body = json!({"contents": [{"parts": [{"text": "Hi"}]}],
        "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": json_schema}});
    let (out, losses) = written(&read(&body).unwrap(), "gemini-2.5-pro");
    assert_eq!(out["generationConfig"]["responseJsonSchema"], want);
    assert_eq!(losses, [("schema_constraints", Effect::Hint)]);
}

#[test]
fn a_form_is_told_in_words_where_tools_forbid_it() {
    let mut body = json!({"contents": [{"parts": [{"text": "Hi"}]}], "tools": [{"functionDeclarations": [{"name": "f"}]}],
        "generationConfig": {"responseMimeType": "application/json", "responseSchema": {"type": "STRING"}}});
    let (out, losses) = written(&read(&body).unwrap(), "gemini-2.5-pro");
    assert_eq!(losses, [("response_format", Effect::Meaning)]);
    assert!(out["generationConfig"].is_null());
    assert!(out["systemInstruction"]["parts"][0]["text"].as_str().unwrap().contains(r#"{"type":"string"}"#));
    let (out, losses) = written(&read(&body).unwrap(), "gemini-3-pro-preview");
    assert_eq!((losses.len(), &out["generationConfig"]["responseJsonSchema"]), (0, &json!({"type": "string"})));
    body["generationConfig"] = json!({"responseMimeType": "application/json"});
    assert_eq!(written(&read(&body).unwrap(), "gemini-2.5-pro").1, [("response_format", Effect::Hint)]);
}

#[test]
fn a_choice_of_tools_is_read_in_every_mode() {
    let cases = [
        (json!({"mode": "AUTO"}), "Some(Auto)", "AUTO"),
        (json!({"mode": "any"}), "Some(Required)", "ANY"),
        (json!({"mode": "NONE"}), "Some(None)", "NONE"),
        (json!({"mode": "VALIDATED"}), "Some(Auto)", "AUTO"),
        (json!({"mode": "ANY", "allowedFunctionNames": ["f"]}), "Some(Named(\"f\"))", "ANY"),
        (json!({"mode": "ANY", "allowed_function_names": ["f", "g"]}), "names: [\"f\", \"g\"], required: true", "ANY"),
        (json!({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}), "required: false", "VALIDATED"),
    ];
    for (calling, want, mode) in cases {
        let body = json!({"contents": [{"parts": [{"text": "Hi"}]}],
            "tools": [{"function_declarations": [{"name": "f"}, {"name": "g"}]}],
            "tool_config": {"function_calling_config": calling, "includeServerSideToolInvocations": true}});
        let request = read(&body).unwrap();
        assert!(format!("{:?}", request.tool_choice).contains(want), "{:?}", request.tool_choice);
        let (out, losses) = written(&request, "gemini-2.5-pro");
        assert_eq!((&out["toolConfig"]["functionCallingConfig"]["mode"], losses.len()), (&json!(mode), 0), "{calling}");
        assert_eq!(out["toolConfig"]["includeServerSideToolInvocations"], true);
    }
}

#[test]
fn what_is_wrong_in_a_request_is_named_by_its_path() {
    let with = |parts: Value| json!({"contents": [{"role": "user", "parts": parts}]});
    let config = |config: Value| json!({"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": config});
    let cases = [
        (json!({}), "contents"),
        (json!({"contents": []}), "contents"),
        (json!({"contents": "Hi"}), "contents"),
        (json!({"contents": [1]}), "contents[0]"),
        (json!({"contents": [{"role": "assistant", "parts": []}]}), "contents[0].role"),
        (with(json!([1])), "contents[0].parts[0]"),
        (with(json!([{"text": 1}])), "contents[0].parts[0].text"),
        (with(json!([{"functionCall": {}}])), "contents[0].parts[0].functionCall.name"),
        (with(json!([{"functionCall": {"name": "f", "args": []}}])), "contents[0].parts[0].functionCall.args"),
        (with(json!([{"inline_data": {"mime_type": "image/png"}}])), "contents[0].parts[0].inline_data.data"),
        (with(json!([{"functionResponse": {"response": 1}}])), "contents[0].parts[0].functionResponse.response"),
        (config(json!({"top_p": "x"})), "generationConfig.top_p"),
        (config(json!({"maxOutputTokens": -1})), "generationConfig.maxOutputTokens"),
        (config(json!({"thinkingConfig": {"thinkingBudget": -2}})), "generationConfig.thinkingConfig.thinkingBudget"),
        (
            json!({"contents": [{"parts": [{"text": "Hi"}]}], "tools": [{"functionDeclarations": [{}]}]}),
            "tools[0].functionDeclarations[0].name",
        ),
    ];
    for (body, path) in cases {
        let error = read(&body).unwrap_err();
        assert_eq!((error.param.as_deref(), error.status), (Some(path), 400), "{body}: {error:?}");
    }
}

#[test]
fn media_is_told_apart_by_its_type() {
    let inline = |kind: &str| json!({"inlineData": {"mimeType": kind, "data": "AA=="}});
    let file = |kind: &str, uri: &str| json!({"fileData": {"mimeType": kind, "fileUri": uri}});
    let store = "https://generativelanguage.googleapis.com/v1beta/files/x";
    let cases = [
        (inline("image/png"), "Image { source: Base64"),
        (inline("audio/mpeg"), "Audio { data: \"AA==\", format: \"mp3\""),
        (inline("audio/x-wav"), "format: \"wav\""),
        (inline("application/pdf"), "Document { source: Base64"),
        (inline("video/mp4"), "Other { kind: \"video\""),
        (file("image/png", "https://a/b.png"), "Image { source: Url"),
        (file("image/png", store), "Image { source: File"),
        (file("application/pdf", "gs://b/c.pdf"), "Document { source: File"),
        (file("video/*", "https://youtu.be/x"), "Other { kind: \"fileData\""),
        (json!({"executableCode": {"code": "1"}}), "Other { kind: \"executableCode\""),
        (
            json!({"text": "Hm", "thought": true, "thoughtSignature": seal(Sealed::Signature, "a-_b??").replace('/', "_")}),
            "Thinking { text: \"Hm\", signature: Some(\"a-_b??\")",
        ),
        (
            json!({"text": "", "thought": true, "thoughtSignature": seal(Sealed::Thinking, "gAAAA-_b")}),
            "Redacted { data: \"gAAAA-_b\"",
        ),
    ];
    for (part, want) in cases {
        let request = read(&json!({"contents": [{"role": "model", "parts": [part]}]})).unwrap();
        let got = format!("{:?}", request.turns[0].parts);
        assert!(got.contains(want), "{got}");
    }
}

#[test]
fn a_whole_number_that_an_sdk_writes_with_a_point_is_one() {
    let top_k = |json: &str| {
        let body = format!(r#"{{"contents":[{{"parts":[{{"text":"Hi"}}]}}],"generationConfig":{{"topK":{json}}}}}"#);
        let read = Gemini.read_request(Body::parse(body.as_bytes()).unwrap().value()).unwrap();
        read.top_k.unwrap().to_string()
    };
    assert_eq!((top_k("3.0").as_str(), top_k("40").as_str(), top_k("0.5").as_str()), ("3", "40", "0.5"));
}

#[test]
fn what_another_provider_sealed_is_base64_of_its_own_here() {
    for text in ["", "s", "si", "sig", "gAAAA-_b==", "🙂"] {
        let sealed = seal(Sealed::Thinking, text);
        assert!(sealed.len().is_multiple_of(4) && sealed.starts_with("c2x1aWNlOnQ6"), "{sealed}");
        let other = sealed.replace('+', "-").replace('/', "_").replace('=', "");
        assert_eq!(unseal(&other), Some((Sealed::Thinking, text.to_owned())));
    }
    // Google's own are none.
    assert_eq!((unseal("CiMBjz1rX25K"), unseal("call:x"), unseal("")), (None, None, None));
}

#[test]
fn thinking_in_pieces_is_one_and_signed_at_its_end() {
    let body = json!({"contents": [{"role": "model", "parts": [
        {"text": "A", "thought": true}, {"text": "B", "thought": true},
        {"text": "", "thought": true, "thoughtSignature": seal(Sealed::Signature, "c2ln")}, {"text": "C"}]}]});
    let request = read(&body).unwrap();
    let parts = format!("{:?}", request.turns[0].parts);
    assert!(parts.starts_with("[Thinking { text: \"AB\", signature: Some(\"c2ln\") }, Text"), "{parts}");
}

#[test]
fn each_reason_to_finish_has_its_meaning() {
    let answer = |reason: &str, parts: Value| {
        let body = json!({"candidates": [{"content": {"parts": parts}, "finishReason": reason}]});
        Gemini.read_answer(body.to_string().as_bytes()).map(|answer| answer.choices[0].finish.unwrap())
    };
    let text = || json!([{"text": "Hi"}]);
    for (reason, want) in [
        ("STOP", Finish::Stop),
        ("MAX_TOKENS", Finish::Length),
        ("SAFETY", Finish::Filtered),
        ("RECITATION", Finish::Filtered),
        ("MODEL_ARMOR", Finish::Filtered),
        ("PROHIBITED_CONTENT", Finish::Filtered),
        ("OTHER", Finish::Stop),
        ("MALFORMED_FUNCTION_CALL", Finish::Stop),
        ("SOMETHING_NEW", Finish::Stop),
    ] {
        assert_eq!(answer(reason, text()), Ok(want), "{reason}");
    }
    assert_eq!(answer("STOP", json!([call("f", None)])), Ok(Finish::ToolCalls));
    let error = answer("MALFORMED_FUNCTION_CALL", json!([])).unwrap_err();
    assert_eq!((error.kind, error.fault), (Kind::BadAnswer, Fault::Provider));
    let stream =
        b"data: {\"candidates\":[{\"finishReason\":\"MALFORMED_FUNCTION_CALL\",\"finishMessage\":\"so\"}]}\r\n\r\n";
    let told = events(&Gemini, stream, stream.len());
    assert!(told.last().unwrap().starts_with("Error(") && told.last().unwrap().contains("so"), "{told:?}");
    let mut seen = Seen::default();
    Gemini.watch_event(b"", &stream[6..], false, &mut seen);
    assert!(seen.error.is_some());
}

#[test]
fn a_blocked_prompt_is_a_refusal_whole_and_streamed() {
    let body =
        r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}"#;
    let answer = Gemini.read_answer(body.as_bytes()).unwrap();
    assert_eq!(answer.choices[0].finish, Some(Finish::Filtered));
    assert!(format!("{:?}", answer.choices[0].parts).contains("The prompt was blocked: SAFETY"));
    let stream = format!("data: {body}\r\n\r\n");
    let told = events(&Gemini, stream.as_bytes(), 5);
    assert!(told[1].starts_with("Refusal") && told[2].contains("Filtered") && told[3] == "End", "{told:?}");
    let mut seen = Seen::default();
    Gemini.watch_event(b"", body.as_bytes(), false, &mut seen);
    assert!(seen.ended && seen.usage.is_some_and(|usage| usage.input == 4));
    for nothing in ["{}", "[]", "7", "", "{\"usageMetadata\":{\"promptTokenCount\":4}}"] {
        assert_eq!(Gemini.read_answer(nothing.as_bytes()).unwrap_err().kind, Kind::BadAnswer, "{nothing}");
    }
}

#[test]
fn errors_are_understood_bare_and_in_an_array() {
    let body = |code: u16, status: &str, message: &str, details: Value| json!({"error": {"code": code, "message": message, "status": status, "details": details}});
    let retry = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]);
    let key = json!([{"reason": "API_KEY_INVALID"}]);
    let cases = [
        (400, body(400, "INVALID_ARGUMENT", "bad", json!([])), Kind::InvalidRequest, "bad"),
        (400, body(400, "INVALID_ARGUMENT", "API key expired", key), Kind::Authentication, "credentials"),
        (400, body(400, "FAILED_PRECONDITION", "User location", json!([])), Kind::Permission, "credentials"),
        (
            400,
            body(
                400,
                "INVALID_ARGUMENT",
                "The input token count (9) exceeds the maximum number of tokens allowed (8).",
                json!([]),
            ),
            Kind::ContextLength,
            "input token count",
        ),
        (404, body(404, "NOT_FOUND", "models/x is not found", json!([])), Kind::ModelNotFound, "models/x"),
        (429, body(429, "RESOURCE_EXHAUSTED", "quota", retry), Kind::RateLimit, "quota (retry after 34s)"),
        (503, body(503, "UNAVAILABLE", "overloaded", json!([])), Kind::Overloaded, "overloaded"),
        (500, body(500, "INTERNAL", "", json!([])), Kind::Provider, "status 500"),
        (504, body(504, "DEADLINE_EXCEEDED", "late", json!([])), Kind::Timeout, "late"),
    ];
    for (status, body, kind, words) in cases {
        for body in [body.clone(), json!([body])] {
            let error = Gemini.read_error(status, body.to_string().as_bytes());
            assert_eq!((error.kind, error.status), (kind, status), "{body}");
            assert!(error.message.contains(words), "{error:?}");
            let inside = Gemini.read_answer(body.to_string().as_bytes()).unwrap_err();
            assert_eq!((inside.kind, inside.status), (kind, status), "{body}");
            let event = format!("data: {body}\n\n");
            assert!(events(&Gemini, event.as_bytes(), 9)[0].starts_with("Error("), "{body}");
        }
    }
    let plain = Gemini.read_error(502, b"<html>");
    assert_eq!((plain.kind, plain.status), (Kind::Provider, 502));
    let (status, body) = Gemini.write_error(&Error::field("contents", "is missing"));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &body["error"]["status"]), (400, &json!("INVALID_ARGUMENT")));
    assert_eq!(body["error"]["message"], "contents: is missing");
    assert_eq!(Gemini.write_error(&Error::provider(Kind::Overloaded, "x").with_status(529)).0, 503);
}

#[test]
fn a_stream_that_breaks_off_is_an_error_in_both_forms() {
    let stream = b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]}}]}\r\n\r\ndata: {\"cand";
    assert!(events(&Gemini, stream, 3).last().unwrap().contains("broke off"));
    let array: Vec<Value> =
        serde_json::from_slice(&rewritten(&Gemini, stream, &Asked { form: Form::Array, ..asked() })).unwrap();
    assert_eq!(array[1]["error"]["code"], 502);
    let sse = String::from_utf8(rewritten(&Gemini, stream, &asked())).unwrap();
    assert!(sse.ends_with("}}\r\n\r\n") && sse.matches("data: {\"error\"").count() == 1, "{sse}");
}

#[test]
fn calls_side_by_side_are_given_whole_and_too_large_ones_end_the_stream() {
    let mut writer = Gemini.writer(asked());
    let mut out = Vec::new();
    let start =
        |tool, id: &'static str| Event::ToolStart { choice: 0, tool, id: id.into(), name: "f".into(), signature: None };
    let more = |tool, json: &'static str| Event::ToolArguments { choice: 0, tool, json: json.into() };
    for event in [
        start(0, "a"),
        start(1, "b"),
        more(1, "{\"y\":"),
        more(0, "{}"),
        more(1, "2}"),
        start(2, "c"),
        more(2, "{\"cut"),
    ] {
        writer.write(&event, &mut out);
    }
    assert!(out.is_empty());
    writer.write(&Event::Finish { choice: 0, reason: Finish::ToolCalls, stop_sequence: None }, &mut out);
    writer.write(&Event::End, &mut out);
    let text = String::from_utf8(out).unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap().strip_prefix("data: ").unwrap()).unwrap();
    let parts = &first["candidates"][0]["content"]["parts"];
    assert_eq!(parts[1]["functionCall"], json!({"id": "b", "name": "f", "args": {"y": 2}}));
    assert_eq!(parts[2]["functionCall"]["args"], json!({"_raw": "{\"cut"}));

    let mut writer = Gemini.writer(asked());
    let mut out = Vec::new();
    writer.write(&start(0, "a"), &mut out);
    let piece = "x".repeat(1 << 20);
    for _ in 0..6 {
        writer.write(&Event::ToolArguments { choice: 0, tool: 0, json: piece.as_str().into() }, &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("data: {\"error\"") && text.matches("data: ").count() == 1);
}

#[test]
fn where_a_statement_stands_is_counted_in_characters() {
    let body = json!({"candidates": [{"content": {"parts": [{"text": "Äh. So"}]}, "finishReason": "STOP",
        "groundingMetadata": {"groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}],
            "groundingSupports": [{"segment": {"startIndex": 5, "endIndex": 7}, "groundingChunkIndices": [0, 7]}]}}]});
    let answer = Gemini.read_answer(body.to_string().as_bytes()).unwrap();
    let Part::Text { citations, .. } = &answer.choices[0].parts[0] else { panic!() };
    assert_eq!((citations.len(), citations[0].span, citations[0].url.as_deref()), (1, Some((4, 6)), Some("https://a")));
    let out: Value = serde_json::from_slice(&Gemini.write_answer(&answer, &asked())).unwrap();
    let segment = &out["candidates"][0]["groundingMetadata"]["groundingSupports"][0]["segment"];
    assert_eq!(segment, &json!({"startIndex": 5, "endIndex": 7, "text": "So"}));
}
