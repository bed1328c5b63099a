use super::*;
use crate::chat::Effect;
use crate::json::{Body, splice};
use serde_json::{Value as Json, json};

fn adapted(
    kind: &str,
    model: &str,
    body: &str,
    written: bool,
    unsupported: Option<Unsupported>,
) -> (String, Vec<String>) {
    let kind = by_name(kind).unwrap();
    let provider = Provider { unsupported, ..tests::provider(kind, Auth::Envoy).unwrap() };
    let api = crate::api::by_name("openai").unwrap();
    let ask = Ask { api, model, stream: false, written, header: &|_| None };
    let Some(adapt) = provider.adapter(&ask) else { return (body.to_owned(), Vec::new()) };
    let adapted = adapt(&provider, Body::parse(body.as_bytes()).unwrap().value(), &ask);
    let out = String::from_utf8(splice(body.as_bytes(), &adapted.edits)).unwrap();
    let effect = |effect| if effect == Effect::Meaning { "!" } else { "" };
    (out, adapted.losses.iter().map(|loss| format!("{}{}", loss.what, effect(loss.effect))).collect())
}

#[track_caller]
fn check(kind: &str, model: &str, body: Json, want: Json, losses: &[&str]) {
    let (out, lost) = adapted(kind, model, &body.to_string(), true, None);
    assert_eq!(serde_json::from_str::<Json>(&out).unwrap(), want);
    assert_eq!(lost, losses);
}

fn everything() -> Json {
    let text = r#"{
        "n": 2, "model": "m", "max_completion_tokens": 9, "temperature": 0.5, "top_p": 0.5, "seed": 1, "user": "u",
        "stop": ["1", "2", "3", "4", "5"], "frequency_penalty": 1, "presence_penalty": 1, "logprobs": true,
        "top_logprobs": 2, "logit_bias": {"1": 1}, "metadata": {"a": "b"}, "store": true, "verbosity": "low",
        "service_tier": "priority", "prediction": {"type": "content", "content": "x"}, "prompt_cache_key": "k",
        "safety_identifier": "s", "modalities": ["text", "audio"], "audio": {"voice": "v"},
        "web_search_options": {"a": 1}, "stream_options": {"include_usage": true}, "parallel_tool_calls": false,
        "reasoning_effort": "minimal", "functions": [{"name": "f"}], "function_call": "auto",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g"}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "messages": [
            {"role": "developer", "content": "d", "name": "n"},
            {"role": "user", "name": "n", "content": "c"},
            {"role": "assistant", "content": null, "refusal": null, "annotations": [], "audio": null,
             "reasoning_content": "r", "tool_calls":
                [{"id": "call_0123456789", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "name": "f", "tool_call_id": "call_0123456789", "content": "{}"},
            {"refusal": "no", "role": "assistant", "content": "Once upon"}
        ]
    }"#;
    serde_json::from_str(text).unwrap()
}

/// The models that tables name, and one that none does.
fn models(kind: &Kind) -> Vec<String> {
    let mut models = vec!["any".to_owned()];
    if let Some(quirks) = kind.quirks {
        let of = quirks.unsupported.iter().map(|members| &members.of).chain(quirks.words.iter().map(|words| &words.of));
        models.extend(of.flat_map(|models| models.starts).map(|start| format!("maker/{start}-x")));
    }
    models
}

#[test]
fn what_was_adapted_is_json_and_needs_no_more() {
    for kind in PROVIDERS.iter().filter(|kind| kind.quirks.is_some()) {
        for model in models(kind) {
            let policies = [None, Some(Unsupported::Drop), Some(Unsupported::Refuse), Some(Unsupported::Pass)];
            for policy in policies.into_iter().take(if model == "any" { 4 } else { 1 }) {
                let all = everything();
                let names: Vec<String> = all.as_object().unwrap().keys().cloned().collect();
                // All members, each alone, each left out, and with nulls in their places.
                for skip in 0..=names.len() {
                    let some = |keep: &dyn Fn(usize) -> bool| {
                        let kept = names.iter().enumerate().filter(|(at, name)| *name == "messages" || keep(*at));
                        Json::Object(kept.map(|(_, name)| (name.clone(), all[name].clone())).collect())
                    };
                    let mut null = some(&|_| true);
                    if let Some(name) = names.get(skip).filter(|name| *name != "messages") {
                        null[name] = Json::Null;
                    }
                    for body in [some(&|at| at != skip), some(&|at| at == skip), null] {
                        let pretty = serde_json::to_string_pretty(&body).unwrap();
                        for text in [body.to_string(), pretty].iter().take(if model == "any" { 2 } else { 1 }) {
                            let (once, lost) = adapted(kind.name, &model, text, true, policy);
                            let place = || format!("{} {model} {policy:?}\n{text}\n{once}", kind.name);
                            serde_json::from_str::<Json>(&once).unwrap_or_else(|e| panic!("{e}: {}", place()));
                            let (twice, more) = adapted(kind.name, &model, &once, true, policy);
                            assert_eq!(twice, once, "{}", place());
                            assert!(more.is_empty(), "{more:?} {}", place());
                            match policy {
                                Some(Unsupported::Pass) => assert!(lost.is_empty(), "{lost:?}"),
                                Some(Unsupported::Drop) => assert!(lost.iter().all(|l| !l.ends_with('!')), "{lost:?}"),
                                Some(Unsupported::Refuse) => assert!(lost.iter().all(|l| l.ends_with('!')), "{lost:?}"),
                                None => {}
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn openai_gets_a_clients_body_as_it_is() {
    let body = everything().to_string();
    assert_eq!(adapted("openai", "o3", &body, false, None), (body, Vec::new()));
}

#[test]
fn models_that_think_are_not_told_how_to_sample() {
    let body = || json!({"temperature": 0.2, "top_p": 1, "stop": ["a"], "reasoning_effort": "none", "messages": []});
    check(
        "openai",
        "o3-mini",
        body(),
        json!({"reasoning_effort": "low", "messages": []}),
        &["temperature", "stop!", "reasoning_effort"],
    );
    check(
        "openai",
        "gpt-5",
        body(),
        json!({"reasoning_effort": "minimal", "messages": []}),
        &["temperature", "stop!", "reasoning_effort"],
    );
    check("openai", "gpt-5.2", body(), body(), &[]);
    let thinks = json!({"temperature": 0.2, "reasoning_effort": "high", "messages": []});
    check("openai", "gpt-5.2", thinks.clone(), json!({"reasoning_effort": "high", "messages": []}), &["temperature"]);
    check("openai", "gpt-4o", body(), body(), &[]);
    let chat = json!({"temperature": 0.2, "messages": []});
    check("openai", "gpt-5-chat-latest", chat.clone(), chat, &[]);
}

#[test]
fn mistral_gets_its_own_names_and_ids() {
    check(
        "mistral",
        "mistral-large-latest",
        json!({
            "max_completion_tokens": 5, "seed": 7, "user": "u", "stream_options": {"include_usage": true}, "n": 2,
            "messages": [
                {"role": "developer", "content": "d"},
                {"role": "user", "name": "ann", "content": "u"},
                {"role": "assistant", "refusal": null, "tool_calls": [{"id": "call_a", "function": {}}, {"id": "abcdefXY9"}]},
                {"role": "tool", "name": "f", "tool_call_id": "call_a"},
                {"role": "tool", "tool_call_id": "abcdefXY9"},
                {"role": "assistant", "content": "Once"},
            ],
        }),
        json!({
            "max_tokens": 5, "random_seed": 7, "n": 2,
            "messages": [
                {"role": "system", "content": "d"},
                {"role": "user", "content": "u"},
                {"role": "assistant", "tool_calls": [{"id": "hDmXBslrt", "function": {}}, {"id": "abcdefXY9"}]},
                {"role": "tool", "name": "f", "tool_call_id": "hDmXBslrt"},
                {"role": "tool", "tool_call_id": "abcdefXY9"},
                {"role": "assistant", "content": "Once", "prefix": true},
            ],
        }),
        &["user", "name"],
    );
}

#[test]
fn groq_refuses_several_answers_but_takes_one() {
    let body = |n: u64| json!({"n": n, "logprobs": false, "frequency_penalty": 0.0, "reasoning_effort": "low", "messages": []});
    check("groq", "openai/gpt-oss-20b", body(1), json!({"reasoning_effort": "low", "messages": []}), &[]);
    check("groq", "openai/gpt-oss-20b", body(2), json!({"reasoning_effort": "low", "messages": []}), &["n!"]);
    check(
        "groq",
        "qwen/qwen3-32b",
        body(1),
        json!({"reasoning_effort": "default", "messages": []}),
        &["reasoning_effort"],
    );
    check("groq", "llama-3.1-8b-instant", body(1), json!({"messages": []}), &["reasoning_effort"]);
}

#[test]
fn a_schema_is_asked_for_in_words_where_only_json_can_be_demanded() {
    let body = |strict| {
        json!({"messages": [{"role": "user", "content": "u"}], "response_format":
            {"type": "json_schema", "json_schema": {"name": "n", "strict": strict, "schema": {"type": "object"}}}})
    };
    for (strict, loss) in [(true, "response_format!"), (false, "response_format")] {
        let (out, lost) = adapted("deepseek", "deepseek-chat", &body(strict).to_string(), true, None);
        let out: Json = serde_json::from_str(&out).unwrap();
        assert_eq!(out["response_format"], json!({"type": "json_object"}));
        assert_eq!(out["messages"][0]["role"], "system");
        assert!(out["messages"][0]["content"].as_str().unwrap().ends_with(r#"{"type":"object"}"#), "{out}");
        assert_eq!(out["messages"][1]["content"], "u");
        assert_eq!(lost, [loss]);
    }
}

#[test]
fn thinking_is_turned_off_in_each_vendors_words() {
    let body = || json!({"reasoning_effort": "none", "messages": []});
    check("deepseek", "deepseek-chat", body(), json!({"thinking": {"type": "disabled"}, "messages": []}), &[]);
    check("together", "Qwen/Qwen3", body(), json!({"reasoning": {"enabled": false}, "messages": []}), &[]);
    check("cerebras", "zai-glm", body(), body(), &[]);
    check("xai", "grok-4-0709", body(), json!({"messages": []}), &["reasoning_effort"]);
    check("xai", "grok-4.3", body(), body(), &[]);
    check("xai", "grok-3-mini", body(), json!({"reasoning_effort": "low", "messages": []}), &["reasoning_effort"]);
}

#[test]
fn a_tools_name_as_choice_leaves_that_tool_alone() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let body = json!({"tools": [tool("f"), tool("g")], "tool_choice": tool("g"), "messages": []});
    check("lmstudio", "m", body.clone(), json!({"tools": [tool("g")], "tool_choice": "required", "messages": []}), &[]);
    check("vllm", "m", body.clone(), body, &[]);
    let allowed = json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tool("f")]}});
    let body = json!({"tools": [tool("f"), tool("g")], "tool_choice": allowed, "messages": []});
    check("vllm", "m", body, json!({"tools": [tool("f")], "tool_choice": "auto", "messages": []}), &[]);
}

#[test]
fn any_object_is_a_schema_where_only_schemas_are_known() {
    let body = json!({"response_format": {"type": "json_object"}, "messages": []});
    let (out, lost) = adapted("lmstudio", "m", &body.to_string(), false, None);
    let out: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(out["response_format"]["json_schema"]["schema"], json!({"type": "object"}));
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn more_stop_sequences_than_are_taken_are_refused() {
    let body = json!({"stop": ["1", "2", "3", "4", "5"], "messages": []});
    check("groq", "m", body, json!({"stop": ["1", "2", "3", "4"], "messages": []}), &["stop!"]);
}
