//! Google's, Amazon's and Ollama's formats.

use super::tests::{answer, becomes, fails, loses};
use super::{FORMATS, by_name};
use crate::api::{Line, Named};
use crate::http::Headers;
use crate::json::{Body, Tree, splice};
use serde_json::{Value, json};

#[test]
fn embeddings_of_an_openai_client_by_gemini() {
    becomes(
        "openai-embeddings",
        "gemini-batch-embed",
        json!({"model": "x", "input": ["a", "b"], "dimensions": 768, "encoding_format": "base64", "input_type": "query"}),
        json!({"requests": [
            {"model": "models/m", "content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 768},
            {"model": "models/m", "content": {"parts": [{"text": "b"}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 768}]}),
    );
    let said = json!({"embeddings": [{"values": [0.5, -1]}, {"values": [1]}]});
    let written = answer("openai-embeddings", "gemini-batch-embed", &json!({"input": ["a", "b"]}), &said).unwrap();
    assert_eq!(written["data"][1], json!({"object": "embedding", "index": 1, "embedding": [1]}));
    // It does not count what it reads.
    assert_eq!(written["usage"], json!({"prompt_tokens": 0, "total_tokens": 0}));
    assert!(answer("openai-embeddings", "gemini-batch-embed", &json!({"input": ["a"]}), &said).is_err());
    loses(
        "cohere-embed",
        "gemini-batch-embed",
        json!({"texts": ["a"], "truncate": "NONE", "embedding_types": ["int8"], "input_type": "clustering"}),
        &[("encoding", true), ("truncate", false)],
    );
    fails("openai-embeddings", "gemini-batch-embed", json!({"input": [[1]]}), "input");
}

#[test]
fn embeddings_of_a_gemini_client_by_others() {
    let one = json!({"content": {"parts": [{"text": "a"}, {"text": "b"}]}, "taskType": "RETRIEVAL_DOCUMENT",
        "title": "t", "outputDimensionality": 9});
    becomes(
        "gemini-embed",
        "gemini-batch-embed",
        one.clone(),
        json!({"requests": [{"model": "models/m", "content": {"parts": [{"text": "a"}, {"text": "b"}]},
            "taskType": "RETRIEVAL_DOCUMENT", "title": "t", "outputDimensionality": 9}]}),
    );
    loses("gemini-embed", "openai-embeddings", one.clone(), &[("input_type", false), ("title", false)]);
    let snake = json!({"content": {"parts": [{"inline_data": {"mime_type": "image/png", "data": "AA"}}]},
        "task_type": "CLUSTERING", "output_dimensionality": 9});
    becomes(
        "gemini-embed",
        "cohere-embed",
        snake.clone(),
        json!({"model": "m", "images": ["data:image/png;base64,AA"], "input_type": "image", "output_dimension": 9,
            "embedding_types": ["float"]}),
    );
    fails("gemini-embed", "openai-embeddings", snake, "content");
    let said = json!({"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 3, "total_tokens": 3}});
    assert_eq!(
        answer("gemini-embed", "openai-embeddings", &one, &said).unwrap(),
        json!({"embedding": {"values": [0.5]}, "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}})
    );
    let many = json!({"requests": [one.clone(), one]});
    let said = json!({"data": [{"embedding": [0.5]}, {"embedding": [1]}]});
    assert_eq!(
        answer("gemini-batch-embed", "openai-embeddings", &many, &said).unwrap(),
        json!({"embeddings": [{"values": [0.5]}, {"values": [1]}]})
    );
}

#[test]
fn what_is_wrong_in_googles_requests_is_named() {
    let text = |text: &str| json!({"content": {"parts": [{"text": text}]}});
    for (format, body, field) in [
        ("gemini-embed", json!({}), "content"),
        ("gemini-embed", json!({"content": {}}), "content.parts"),
        ("gemini-embed", json!({"content": {"parts": [{}]}}), "content.parts[0].text"),
        ("gemini-embed", json!({"content": {"parts": [{"text": 1}]}}), "content.parts[0].text"),
        ("gemini-embed", json!({"content": {"parts": [{"inlineData": {}}]}}), "content.parts[0].inlineData.mimeType"),
        ("gemini-embed", json!({"content": {"parts": []}, "task_type": "X"}), "task_type"),
        ("gemini-batch-embed", json!({}), "requests"),
        ("gemini-batch-embed", json!({"requests": []}), "requests"),
        ("gemini-batch-embed", json!({"requests": [text("a"), {"content": 1}]}), "requests[1].content"),
        (
            "gemini-batch-embed",
            json!({"requests": [text("a"), {"content": {"parts": []}, "outputDimensionality": 9}]}),
            "requests[1]",
        ),
        ("vertex-embed", json!({}), "instances"),
        ("vertex-embed", json!({"instances": [{}]}), "instances[0].content"),
        ("vertex-embed", json!({"instances": [{"content": "a"}, {"content": "a", "title": "t"}]}), "instances[1]"),
        (
            "vertex-embed",
            json!({"instances": [{"content": "a"}], "parameters": {"autoTruncate": 1}}),
            "parameters.autoTruncate",
        ),
        ("bedrock-titan-embed", json!({}), "inputText"),
        ("bedrock-titan-embed", json!({"inputText": 1}), "inputText"),
        ("bedrock-titan-embed", json!({"inputText": "a", "embeddingTypes": ["int8"]}), "embeddingTypes[0]"),
        ("bedrock-cohere-embed", json!({"texts": [1]}), "texts[0]"),
    ] {
        fails(format, "openai-embeddings", body, field);
    }
}

#[test]
fn embeddings_by_vertex_and_of_its_clients() {
    becomes(
        "cohere-embed",
        "vertex-embed",
        json!({"texts": ["a", "b"], "input_type": "search_query", "truncate": "NONE", "output_dimension": 9}),
        json!({"instances": [{"content": "a", "task_type": "RETRIEVAL_QUERY"}, {"content": "b", "task_type": "RETRIEVAL_QUERY"}],
            "parameters": {"outputDimensionality": 9, "autoTruncate": false}}),
    );
    let said = json!({"predictions": [{"embeddings": {"values": [0.5], "statistics": {"token_count": 5, "truncated": false}}},
        {"embeddings": {"values": [1], "statistics": {"token_count": 6.0}}}]});
    let written = answer("openai-embeddings", "vertex-embed", &json!({"input": ["a", "b"]}), &said).unwrap();
    assert_eq!(written["usage"]["prompt_tokens"], 11);
    let one = json!({"instances": [{"content": "a"}], "parameters": {"autoTruncate": true}});
    let said = json!({"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 3}});
    assert_eq!(
        answer("vertex-embed", "openai-embeddings", &one, &said).unwrap(),
        json!({"predictions": [{"embeddings": {"values": [0.5], "statistics": {"truncated": false, "token_count": 3}}}]})
    );
}

#[test]
fn titan_takes_one_text_at_a_time() {
    let titan = |model: &str, body: Value| {
        let text = body.to_string();
        let body = Body::parse(text.as_bytes()).unwrap();
        let request = by_name("openai-embeddings").unwrap().read(body.value()).unwrap();
        let mut losses = crate::chat::Losses::default();
        let written = by_name("bedrock-titan-embed").unwrap().write(&request, model, &mut losses);
        let lost: Vec<_> = losses.iter().map(|loss| loss.what).collect();
        written.map(|body| (serde_json::from_slice::<Value>(&body).unwrap(), lost)).map_err(|error| error.param.clone())
    };
    let body = json!({"input": ["a"], "dimensions": 256});
    let v2 = titan("amazon.titan-embed-text-v2:0", body.clone());
    assert_eq!(v2, Ok((json!({"inputText": "a", "dimensions": 256}), vec![])));
    let v1 = titan("amazon.titan-embed-text-v1", body.clone());
    assert_eq!(v1, Ok((json!({"inputText": "a"}), vec!["dimensions"])));
    let image = titan("amazon.titan-embed-image-v1", body);
    assert_eq!(image, Ok((json!({"inputText": "a", "embeddingConfig": {"outputEmbeddingLength": 256}}), vec![])));
    assert_eq!(titan("amazon.titan-embed-text-v2:0", json!({"input": ["a", "b"]})), Err(Some("input".to_owned())));

    let pair = json!({"inputText": "a", "inputImage": "/9j/", "embeddingConfig": {"outputEmbeddingLength": 256}});
    becomes("bedrock-titan-embed", "bedrock-titan-embed", pair.clone(), pair.clone());
    becomes(
        "bedrock-titan-embed",
        "cohere-embed",
        pair,
        json!({"model": "m", "inputs": [{"content": [{"type": "text", "text": "a"},
            {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/"}}]}],
            "input_type": "search_document", "output_dimension": 256, "embedding_types": ["float"]}),
    );
    loses(
        "bedrock-titan-embed",
        "openai-embeddings",
        json!({"inputText": "a", "normalize": false, "embeddingTypes": ["binary"]}),
        &[("encoding", true), ("normalize", true)],
    );
    let said = json!({"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 3}});
    let types = json!({"inputText": "a", "embeddingTypes": ["float"]});
    assert_eq!(
        answer("bedrock-titan-embed", "openai-embeddings", &types, &said).unwrap(),
        json!({"embedding": [0.5], "embeddingsByType": {"float": [0.5]}, "inputTextTokenCount": 3})
    );
    let said = json!({"embedding": [0.5], "inputTextTokenCount": 4});
    let written = answer("openai-embeddings", "bedrock-titan-embed", &json!({"input": "a"}), &said).unwrap();
    assert_eq!(written["usage"]["prompt_tokens"], 4);
}

#[test]
fn coheres_models_on_bedrock_answer_as_they_were_asked() {
    becomes(
        "openai-embeddings",
        "bedrock-cohere-embed",
        json!({"input": "a"}),
        json!({"texts": ["a"], "input_type": "search_document"}),
    );
    becomes(
        "cohere-embed",
        "bedrock-cohere-embed",
        json!({"texts": ["a"], "embedding_types": ["int8", "base64"]}),
        json!({"texts": ["a"], "input_type": "search_document", "embedding_types": ["int8", "float"]}),
    );
    let listed = json!({"embeddings": [[0.5]], "id": "c", "response_type": "embeddings_floats", "texts": ["a"]});
    let written = answer("openai-embeddings", "bedrock-cohere-embed", &json!({"input": "a"}), &listed).unwrap();
    assert_eq!(written["data"][0]["embedding"], json!([0.5]));
    let plain = json!({"texts": ["a"], "input_type": "search_query"});
    assert_eq!(answer("bedrock-cohere-embed", "cohere-embed", &plain, &listed).unwrap(), listed);
    let typed = json!({"texts": ["a"], "embedding_types": ["float"]});
    assert_eq!(
        answer("bedrock-cohere-embed", "cohere-embed", &typed, &listed).unwrap(),
        json!({"embeddings": {"float": [[0.5]]}, "id": "c", "response_type": "embeddings_by_type", "texts": ["a"]})
    );
}

#[test]
fn a_path_names_the_model() {
    let headers = Headers::default();
    for (path, want) in [
        ("/v1beta/models/gemini-embedding-001:embedContent", Some(("gemini-embed", "gemini-embedding-001"))),
        ("/v1/models/a:batchEmbedContents", Some(("gemini-batch-embed", "a"))),
        ("/v1beta/models/a%2Fb:countTokens", Some(("gemini-count-tokens", "a/b"))),
        (
            "/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict",
            Some(("vertex-embed", "text-embedding-005")),
        ),
        ("/model/amazon.titan-embed-text-v2%3A0/invoke", Some(("bedrock-titan-embed", "amazon.titan-embed-text-v2:0"))),
        ("/model/us.cohere.embed-v4:0/invoke", Some(("bedrock-cohere-embed", "us.cohere.embed-v4:0"))),
        ("/model/anthropic.claude-3-haiku/invoke", None),
        ("/v1beta/models/:embedContent", None),
        ("/other/models/a:embedContent", None),
        ("/v1beta/tunedModels/a:embedContent", None),
    ] {
        let line = Line { method: "POST", path, query: "", headers: &headers };
        let found = FORMATS.iter().find_map(|format| Some((format.name, (format.takes)(&line)?)));
        let named = |model: &str| Named { model: Some(model.to_owned()), ..Named::default() };
        assert_eq!(found, want.map(|(format, model)| (format, named(model))), "{path}");
    }
    let path = (by_name("bedrock-titan-embed").unwrap().path)("arn:aws:bedrock:x/amazon.titan-embed-y");
    assert_eq!(path, "/model/arn%3Aaws%3Abedrock%3Ax%2Famazon.titan-embed-y/invoke");
    assert_eq!((by_name("gemini-embed").unwrap().path)("models/a"), "/models/a:embedContent");
}

#[test]
fn a_model_is_renamed_wherever_googles_bodies_name_it() {
    let body = br#"{"requests":[{"model":"models/a","content":1},{"model":"models/b"},{}],"generateContentRequest":{"model":"x"}}"#;
    let parsed = Body::parse(body).unwrap();
    let named = splice(body, &(by_name("gemini-batch-embed").unwrap().rename)(parsed.value(), "b"));
    let want = r#"{"requests":[{"model":"models/b","content":1},{"model":"models/b"},{}],"generateContentRequest":{"model":"models/b"}}"#;
    assert_eq!(String::from_utf8(named).unwrap(), want);
}

#[test]
fn usage_is_read_of_the_clouds_answers() {
    for (format, body, input) in [
        ("gemini-embed", json!({"embedding": {}, "usageMetadata": {"promptTokenCount": 11}}), Some(11)),
        ("gemini-batch-embed", json!({"embeddings": []}), None),
        ("gemini-count-tokens", json!({"totalTokens": 5}), None),
        ("vertex-embed", json!({"predictions": [{"embeddings": {}}]}), None),
        ("bedrock-titan-embed", json!({"inputTextTokenCount": 4}), Some(4)),
        ("bedrock-cohere-embed", json!({"embeddings": []}), None),
    ] {
        let (mut tree, text) = (Tree::default(), body.to_string());
        let usage = (by_name(format).unwrap().usage)(tree.read(text.as_bytes()).unwrap());
        assert_eq!(usage.map(|usage| usage.input), input, "{format}: {body}");
    }
}

#[test]
fn embeddings_by_ollama_and_of_its_clients() {
    let body = json!({"model": "m", "input": ["a", "b"], "truncate": false, "dimensions": 9});
    becomes(
        "ollama-embed",
        "cohere-embed",
        body.clone(),
        json!({"model": "m", "texts": ["a", "b"], "input_type": "search_document", "output_dimension": 9,
            "truncate": "NONE", "embedding_types": ["float"]}),
    );
    becomes("ollama-embed", "ollama-embed", body.clone(), body);
    loses(
        "ollama-embed",
        "openai-embeddings",
        json!({"input": "a", "options": {}, "keep_alive": "5m"}),
        &[("more", false)],
    );
    for (body, field) in [
        (json!({}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": 1}), "input"),
        (json!({"input": [1]}), "input[0]"),
    ] {
        fails("ollama-embed", "openai-embeddings", body, field);
    }
    let said = json!({"model": "all-minilm", "embeddings": [[0.5]], "total_duration": 1, "prompt_eval_count": 8});
    let written = answer("openai-embeddings", "ollama-embed", &json!({"input": "a"}), &said).unwrap();
    assert_eq!((&written["model"], &written["usage"]["prompt_tokens"]), (&json!("all-minilm"), &json!(8)));
    let said = json!({"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 3}});
    assert_eq!(
        answer("ollama-embed", "openai-embeddings", &json!({"input": "a"}), &said).unwrap(),
        json!({"model": "asked", "embeddings": [[0.5]], "prompt_eval_count": 3})
    );
}

/// Vectors as numbers, or the places and scores of a ranking.
fn said(answer: &super::Answer<'_>) -> String {
    let mut out = Vec::new();
    match &answer.given {
        super::Given::Vectors(_) => answer.vectors(&mut out, super::embed::Encoding::Float).unwrap(),
        super::Given::Ranks(ranks) => {
            return ranks.iter().map(|rank| format!("{} {};", rank.index, rank.score)).collect();
        }
    }
    // As precise as the least precise form.
    let numbers: Vec<Vec<f32>> = serde_json::from_slice(&out).unwrap();
    format!("{numbers:?}")
}

#[test]
fn recorded_answers_say_the_same_to_the_clients_of_every_format() {
    let recorded = include_str!("../../tests/golden/tasks/recorded.jsonl");
    let mut pairs = 0;
    for line in recorded.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let provider = by_name(case["format"].as_str().unwrap()).unwrap();
        let (asked, answered) = (case["request"].to_string(), case["answer"].to_string());
        let mut tree = Tree::default();
        let request =
            provider.read(Body::parse(asked.as_bytes()).unwrap().value()).unwrap_or_else(|e| panic!("{e:?} {line}"));
        let answer = provider
            .read_answer(tree.read(answered.as_bytes()).unwrap(), &request)
            .unwrap_or_else(|e| panic!("{e:?} {line}"));
        for client in FORMATS.iter().filter(|other| other.operation == provider.operation && other.codec.is_some()) {
            let here = format!("{} for {}", case["from"], client.name);
            // One that takes a single input, or no token ids, is not asked.
            let Ok(body) = client.write(&request, "amazon.titan-embed-text-v2:0", &mut crate::chat::Losses::default())
            else {
                continue;
            };
            let own = client.read(Body::parse(&body).unwrap().value()).unwrap_or_else(|e| panic!("{here}: {e:?}"));
            let written =
                client.write_answer(&answer, &own, &Default::default()).unwrap_or_else(|e| panic!("{here}: {e:?}"));
            let mut tree = Tree::default();
            let got =
                client.read_answer(tree.read(&written).unwrap(), &own).unwrap_or_else(|e| panic!("{here}: {e:?}"));
            assert_eq!(said(&got), said(&answer), "{here}");
            if got.usage.is_some_and(|usage| usage.input > 0) {
                assert_eq!(got.usage, answer.usage, "{here}");
            }
            pairs += 1;
        }
    }
    assert!(pairs > 60, "{pairs}");
}
