//! What each API answers, over real sockets.

use crate::client::{Answer, Standin};
use serde_json::{Value, json};

fn tools() -> (Value, Value) {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let openai = json!([{"type": "function", "function": {"name": "weather", "parameters": schema}}]);
    (openai, json!([{"name": "weather", "input_schema": schema}]))
}

#[test]
fn openai_streams_what_it_answers_whole() {
    let standin = Standin::start(&[]);
    let whole = standin.openai(json!({})).json();
    assert_eq!(whole["choices"][0]["message"]["content"], "Stand-in answer to: one two three");
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");
    let streamed = standin.openai(json!({"stream": true, "stream_options": {"include_usage": true}}));
    assert_eq!(streamed.streamed_text(), "Stand-in answer to: one two three");
    let events = streamed.events();
    assert_eq!(events.last(), Some(&json!("[DONE]")));
    let (usage, chunks) = events[..events.len() - 1].split_last().unwrap();
    assert_eq!((&usage["usage"], &usage["choices"]), (&whole["usage"], &json!([])));
    assert!(chunks.iter().all(|chunk| chunk["usage"].is_null() && chunk.get("usage").is_some()));
    let plain = standin.openai(json!({"stream": true})).events();
    assert!(plain.iter().all(|chunk| chunk.get("usage").is_none()));
    assert_eq!(plain.len(), events.len() - 1);
}

#[test]
fn anthropic_streams_what_it_answers_whole() {
    let standin = Standin::start(&[]);
    let whole = standin.anthropic(json!({})).json();
    assert_eq!(whole["content"], json!([{"type": "text", "text": "Stand-in answer to: one two three"}]));
    let streamed = standin.anthropic(json!({"stream": true}));
    assert_eq!(streamed.streamed_text(), "Stand-in answer to: one two three");
    let events = streamed.events();
    let mut kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    kinds.dedup();
    let expected = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(kinds, expected);
    let end = &events[events.len() - 2];
    for field in ["input_tokens", "output_tokens", "cache_read_input_tokens"] {
        assert_eq!(end["usage"][field], whole["usage"][field]);
    }
    assert_eq!(end["delta"], json!({"stop_reason": "end_turn", "stop_sequence": null}));
}

#[test]
fn the_same_request_gets_the_same_bytes() {
    let standin = Standin::start(&[]);
    assert_eq!(standin.openai(json!({})).body, standin.openai(json!({})).body);
    let id = |answer: Answer| answer.json()["id"].clone();
    assert_ne!(id(standin.openai(json!({}))), id(standin.openai(json!({"seed": 1}))));
}

#[test]
fn openai_calls_tools_and_quotes_their_results() {
    let standin = Standin::start(&[]);
    let (tools, _) = tools();
    let asked = json!({"role": "user", "content": "weather in parallel"});
    let called = standin.openai(json!({"tools": tools, "messages": [asked]})).json();
    let message = &called["choices"][0]["message"];
    assert_eq!(called["choices"][0]["finish_reason"], "tool_calls");
    let arguments: Vec<_> =
        message["tool_calls"].as_array().unwrap().iter().map(|call| &call["function"]["arguments"]).collect();
    assert_eq!(arguments, [r#"{"city":"sample city"}"#, r#"{"city":"sample city 2"}"#]);
    let events = standin.openai(json!({"tools": tools, "messages": [asked], "stream": true})).events();
    let pieces = events.iter().filter_map(|event| event.pointer("/choices/0/delta/tool_calls/0"));
    let second: String =
        pieces.filter(|call| call["index"] == 1).filter_map(|call| call["function"]["arguments"].as_str()).collect();
    assert_eq!(second, *arguments[1]);
    let result = |at: usize, text: &str| json!({"role": "tool", "tool_call_id": message["tool_calls"][at]["id"], "content": text});
    let messages = json!([asked, message, result(0, "rain"), result(1, "sun")]);
    let told = standin.openai(json!({"tools": tools, "messages": messages})).json();
    assert_eq!(told["choices"][0]["message"]["content"], "The tool returned: sun");
    let unanswered = standin.openai(json!({"tools": tools, "messages": [asked, message, result(0, "rain")]}));
    assert_eq!(unanswered.status, 400);
    assert!(unanswered.body.contains("did not have response messages"), "{}", unanswered.body);
}

#[test]
fn anthropic_keeps_its_thinking_through_tool_calls() {
    let standin = Standin::start(&[]);
    let (_, tools) = tools();
    let asked = json!({"role": "user", "content": "weather"});
    let thinking = json!({"type": "enabled", "budget_tokens": 1024});
    let with = |messages: Value| standin.anthropic(json!({"tools": tools, "thinking": thinking, "messages": messages}));
    let called = with(json!([asked])).json();
    let content = &called["content"];
    assert_eq!((&content[0]["type"], &content[1]["type"]), (&json!("thinking"), &json!("tool_use")));
    assert_eq!(called["stop_reason"], "tool_use");
    let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": content[1]["id"], "content": "rain"}]});
    let assistant = |content: Value| json!({"role": "assistant", "content": content});
    let told = with(json!([asked, assistant(content.clone()), result])).json();
    assert_eq!(told["content"][1]["text"], "The tool returned: rain");
    let hidden = standin.anthropic(json!({"model": "claude+redacted", "thinking": thinking})).json()["content"].clone();
    assert_eq!(hidden[0]["type"], "redacted_thinking");
    assert_eq!(with(json!([asked, assistant(hidden), asked])).status, 200);
    let forced = json!({"tools": tools, "tool_choice": {"type": "any"}, "thinking": {"type": "adaptive"}});
    assert_eq!(standin.anthropic(forced).json()["content"][0]["type"], "tool_use");
    let mut forged = content.clone();
    forged[0]["thinking"] = json!("other");
    for (history, expected) in [
        (json!([asked, assistant(json!([content[1]])), result]), "Expected `thinking`"),
        (json!([asked, assistant(forged), result]), "Invalid `signature`"),
        (
            json!([asked, assistant(json!([{"type": "redacted_thinking", "data": "x"}, content[1]])), result]),
            "Invalid `data`",
        ),
        (json!([asked, assistant(content.clone())]), "were found without `tool_result`"),
        (json!([asked, result]), "unexpected `tool_use_id`"),
    ] {
        let refused = with(history);
        assert_eq!(refused.status, 400);
        assert!(refused.body.contains(expected), "{expected}: {}", refused.body);
    }
}

#[test]
fn limits_stops_and_formats_are_honoured() {
    let standin = Standin::start(&[]);
    let schema = json!({"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]});
    let format = json!({"type": "json_schema", "json_schema": {"name": "p", "schema": schema}});
    for (fields, text, finish) in [
        (json!({"max_completion_tokens": 2}), "Stand-in answer ", "length"),
        (json!({"stop": ["two"]}), "Stand-in answer to: one ", "stop"),
        (json!({"response_format": format}), r#"{"age":1}"#, "stop"),
    ] {
        let choice = &standin.openai(fields).json()["choices"][0];
        assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!(text), &json!(finish)));
    }
    let format = json!({"format": {"type": "json_schema", "schema": schema}});
    for (fields, text, finish) in [
        (json!({"max_tokens": 2}), "Stand-in answer ", "max_tokens"),
        (json!({"stop_sequences": ["two"]}), "Stand-in answer to: one ", "stop_sequence"),
        (json!({"output_config": format}), r#"{"age":1}"#, "end_turn"),
    ] {
        let answer = standin.anthropic(fields).json();
        assert_eq!((&answer["content"][0]["text"], &answer["stop_reason"]), (&json!(text), &json!(finish)));
    }
    assert_eq!(standin.openai(json!({"n": 3})).json()["choices"].as_array().unwrap().len(), 3);
}

#[test]
fn usage_counts_caches_as_each_vendor_does() {
    let standin = Standin::start(&[]);
    let long = json!([{"role": "user", "content": "x".repeat(8000)}]);
    let openai = standin.openai(json!({"messages": long})).json()["usage"].clone();
    assert_eq!(openai["prompt_tokens_details"]["cached_tokens"], 896);
    assert_eq!(
        openai["total_tokens"].as_u64(),
        Some(openai["prompt_tokens"].as_u64().unwrap() + openai["completion_tokens"].as_u64().unwrap())
    );
    let marked = json!([{"type": "text", "text": "Be kind, be brief.", "cache_control": {"type": "ephemeral"}}]);
    let unmarked =
        standin.anthropic(json!({"system": [{"type": "text", "text": "Be kind, be brief."}]})).json()["usage"].clone();
    let cached = standin.anthropic(json!({"system": marked})).json()["usage"].clone();
    let sum = |usage: &Value| -> u64 {
        let fields = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];
        fields.iter().map(|field| usage[*field].as_u64().unwrap()).sum()
    };
    assert_eq!(sum(&unmarked), sum(&cached));
    assert!(
        cached["cache_read_input_tokens"].as_u64() > Some(0)
            && cached["cache_creation_input_tokens"].as_u64() > Some(0)
    );
    let effort = standin.openai(json!({"model": "o4-mini", "reasoning_effort": "low"})).json()["usage"].clone();
    assert_eq!(effort["completion_tokens_details"]["reasoning_tokens"], 8);
}

#[test]
fn openai_refuses_what_the_vendor_refuses() {
    let standin = Standin::start(&[]);
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let cases = [
        (json!({"top_k": 5}), "Unrecognized request argument supplied: top_k"),
        (json!({"messages": []}), "'messages'"),
        (json!({"messages": [{"role": "human", "content": "x"}]}), "Invalid value: 'human'"),
        (
            json!({"messages": [{"role": "user", "content": "x", "cache_control": {}}]}),
            "Unknown parameter: 'messages[0].cache_control'.",
        ),
        (json!({"messages": [{"role": "assistant", "content": null}]}), "got null"),
        (
            json!({"messages": [{"role": "tool", "tool_call_id": "x", "content": "x"}]}),
            "must be a response to a preceeding message",
        ),
        (user(json!([{"type": "image", "source": {}}])), "Invalid value: 'image'"),
        (user(json!([{"type": "image_url", "image_url": "https://x"}])), "expected object, but got string"),
        (user(json!([{"type": "image_url", "image_url": {"url": "AAAA"}}])), "Invalid image"),
        (user(json!([{"type": "file", "file": {"file_data": "AAAA", "filename": "x"}}])), "data URL"),
        (json!({"tools": [{"name": "x", "input_schema": {}}]}), "Missing required parameter: 'tools[0].type'"),
        (json!({"tools": [{"type": "function", "function": {"name": "a b"}}]}), "does not match pattern"),
        (json!({"tool_choice": "auto"}), "only allowed when 'tools' are specified"),
        (json!({"stream_options": {"include_usage": true}}), "only allowed when 'stream' is enabled"),
        (json!({"max_tokens": "9"}), "Invalid type for 'max_tokens': expected integer, but got string instead."),
        (json!({"temperature": 3}), "expected a value from 0 to 2"),
        (json!({"model": "o3", "max_tokens": 9}), "Use 'max_completion_tokens' instead"),
        (json!({"response_format": {"type": "json_object"}}), "must contain the word 'json'"),
    ];
    for (fields, expected) in cases {
        let answer = standin.openai(fields.clone());
        assert_eq!(answer.status, 400, "{fields}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(expected), "{fields}: {message}");
    }
    assert_eq!(standin.openai(json!({"model": "gpt-4o+lenient", "top_k": 5})).status, 200);
}

#[test]
fn anthropic_refuses_what_the_vendor_refuses() {
    let standin = Standin::start(&[]);
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let (_, tools) = tools();
    let cases = [
        (json!({"n": 1}), "n: Extra inputs are not permitted"),
        (json!({"max_tokens": null}), "max_tokens: Input should be a valid integer"),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "messages.0.role: Input should be 'user' or 'assistant'",
        ),
        (json!({"messages": [{"role": "system", "content": "x"}]}), "top-level 'system' parameter"),
        (user(json!("")), "must have non-empty content"),
        (user(json!([{"type": "text", "text": ""}])), "text content blocks must be non-empty"),
        (user(json!([{"type": "image_url", "image_url": {}}])), "messages.0.content.0.type: Input should be 'text'"),
        (
            user(json!([{"type": "image", "source": {"type": "base64", "media_type": "image/tiff", "data": "AAAA"}}])),
            "source.media_type",
        ),
        (
            user(json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "data:x"}}])),
            "Invalid base64",
        ),
        (
            user(
                json!([{"type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": "AAAA"}}]),
            ),
            "source.media_type",
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "x"}}]}),
            "Input tag 'function' found using 'type'",
        ),
        (json!({"tools": [tools[0], tools[0]]}), "Tool names must be unique"),
        (json!({"tool_choice": {"type": "any"}}), "while providing tools"),
        (json!({"tools": tools, "tool_choice": "auto"}), "tool_choice: Input should be a valid object"),
        (json!({"tools": tools, "tool_choice": {"type": "tool", "name": "x"}}), "Tool 'x' not found"),
        (json!({"temperature": 1.5}), "temperature"),
        (json!({"stop_sequences": [" "]}), "non-whitespace"),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 4000}}),
            "must be greater than `thinking.budget_tokens`",
        ),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 1024}, "temperature": 0}), "may only be set to 1"),
        (json!({"context_management": {}}), "context_management: Extra inputs are not permitted"),
    ];
    for (fields, expected) in cases {
        let answer = standin.anthropic(fields.clone());
        assert_eq!(answer.status, 400, "{fields}");
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(expected), "{fields}: {message}");
    }
    let body = json!({"model": "claude", "messages": [{"role": "user", "content": "x"}]}).to_string();
    let json = ("content-type", "application/json");
    let refusal = |headers: &[(&str, &str)]| {
        standin.send("POST", "/v1/messages", headers, &body).json()["error"]["message"].clone()
    };
    assert_eq!(refusal(&[json]), "anthropic-version: header is required");
    assert_eq!(refusal(&[json, ("anthropic-version", "2023-06-01")]), "max_tokens: Field required");
    assert!(refusal(&[("anthropic-version", "2023-06-01")]).as_str().unwrap().contains("content type"));
}

#[test]
fn a_required_key_is_asked_for_where_each_api_has_it() {
    let standin = Standin::start(&["--require-key", "sk-1"]);
    let openai = |key: &str| standin.send("GET", "/v1/models", &[("authorization", key)], "");
    assert_eq!(openai("Bearer sk-1").json()["data"][0]["object"], "model");
    assert_eq!(openai("Bearer sk-2").json()["error"]["code"], "invalid_api_key");
    let anthropic =
        |key: &str| standin.send("GET", "/v1/models", &[("x-api-key", key), ("anthropic-version", "1")], "");
    assert_eq!(anthropic("sk-1").json()["data"][0]["type"], "model");
    assert_eq!(
        (anthropic("").status, anthropic("sk-2").json()["error"]["type"].clone()),
        (401, json!("authentication_error"))
    );
    assert_eq!(standin.openai(json!({})).status, 401);
    assert_eq!(standin.send("GET", "/healthz", &[], "").status, 200);
}

#[test]
fn any_prefix_serves_and_other_paths_do_not() {
    let standin = Standin::start(&[]);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]}).to_string();
    let post = |path: &str| standin.send("POST", path, &[("content-type", "application/json")], &body);
    assert_eq!(post("/openai/v1/chat/completions?x=1").status, 200);
    assert_eq!(post("/v1/nothing").status, 404);
    assert_eq!(standin.send("GET", "/v1/chat/completions", &[], "").status, 404);
    assert_eq!(standin.send("GET", "/v1/models/some", &[], "").json()["id"], "some");
}
