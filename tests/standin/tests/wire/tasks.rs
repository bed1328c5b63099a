//! What is asked besides chat.

use crate::client::Standin;
use serde_json::{Value, json};

#[test]
fn every_vendor_embeds_the_same_text_alike() {
    let standin = Standin::start(&[]);
    let vector = |path: &str, body: Value, at: &str| {
        let answer = standin.post(path, &body);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json().pointer(at).unwrap_or_else(|| panic!("{answer:?}")).clone()
    };
    let content = json!({"parts": [{"text": "sunny"}]});
    let expected = vector("/v1/embeddings", json!({"model": "m", "input": "sunny"}), "/data/0/embedding");
    assert_eq!(expected.as_array().unwrap().len(), 8);
    let requests = json!([{"model": "models/m", "content": content}]);
    let cohere = |model: Option<&str>| {
        let mut body = json!({"texts": ["sunny"], "input_type": "search_query", "embedding_types": ["float"]});
        if let Some(model) = model {
            body["model"] = json!(model);
        }
        body
    };
    for (path, body, at) in [
        ("/v1beta/models/m:embedContent", json!({"content": content}), "/embedding/values"),
        ("/v1beta/models/m:batchEmbedContents", json!({"requests": requests}), "/embeddings/0/values"),
        (
            "/v1/projects/p/locations/l/publishers/google/models/m:predict",
            json!({"instances": [{"content": "sunny"}]}),
            "/predictions/0/embeddings/values",
        ),
        ("/model/amazon.titan-embed-text-v2%3A0/invoke", json!({"inputText": "sunny"}), "/embedding"),
        ("/model/cohere.embed-v4%3A0/invoke", cohere(None), "/embeddings/float/0"),
        ("/v2/embed", cohere(Some("embed-v4.0")), "/embeddings/float/0"),
        ("/api/embed", json!({"model": "m", "input": "sunny"}), "/embeddings/0"),
    ] {
        assert_eq!(vector(path, body, at), expected, "{path}");
    }
    let coded = vector(
        "/v1/embeddings",
        json!({"model": "m", "input": ["sunny"], "dimensions": 2, "encoding_format": "base64"}),
        "/data/0/embedding",
    );
    assert_eq!(coded.as_str().unwrap().len(), 12);
}

#[test]
fn documents_with_the_querys_words_come_first() {
    let standin = Standin::start(&[]);
    let ask = json!({"model": "rerank-v3.5", "query": "sunny day", "documents": ["a car", "a sunny day", "one day"], "top_n": 2});
    let results = standin.post("/v2/rerank", &ask).json()["results"].clone();
    assert_eq!(results, json!([{"index": 1, "relevance_score": 1.0}, {"index": 2, "relevance_score": 0.5}]));
}

#[test]
fn tokens_are_counted_by_all_that_count_them() {
    let standin = Standin::start(&[]);
    let headers = [("content-type", "application/json"), ("anthropic-version", "2023-06-01")];
    let messages = json!({"model": "m", "messages": [{"role": "user", "content": "one two three"}]});
    let counted = standin.send("POST", "/v1/messages/count_tokens", &headers, &messages.to_string()).json();
    assert!(counted["input_tokens"].as_u64().unwrap() > 2);
    let contents = json!({"contents": [{"parts": [{"text": "one two three"}]}]});
    assert!(standin.post("/v1beta/models/m:countTokens", &contents).json()["totalTokens"].as_u64().unwrap() > 2);
}

/// A form of fields, the last of which is a file.
fn form(fields: &[(&str, &str)], file: &str) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        body.push_str(&format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    let kind = "content-type: application/octet-stream";
    body + &format!(
        "--b\r\ncontent-disposition: form-data; name=\"{file}\"; filename=\"a.bin\"\r\n{kind}\r\n\r\n12345\r\n--b--\r\n"
    )
}

#[test]
fn openai_takes_forms_and_gives_sound() {
    let standin = Standin::start(&[]);
    let send = |path: &str, fields: &[(&str, &str)], file: &str| {
        standin.send("POST", path, &[("content-type", "multipart/form-data; boundary=b")], &form(fields, file))
    };
    let heard = send("/v1/audio/transcriptions", &[("model", "whisper-1")], "file").json();
    assert_eq!(heard["text"], "The stand-in heard a.bin: 5 bytes");
    assert_eq!(heard["usage"]["total_tokens"], 20);
    let plain = send("/v1/audio/translations", &[("model", "whisper-1"), ("response_format", "text")], "file");
    assert_eq!(plain.body, "The stand-in heard a.bin: 5 bytes\n");
    let events =
        send("/v1/audio/transcriptions", &[("model", "gpt-4o-transcribe"), ("stream", "true")], "file").events();
    assert_eq!(events.last().unwrap()["type"], "transcript.text.done");
    let edited = send("/v1/images/edits", &[("model", "gpt-image-1"), ("prompt", "a hat")], "image").json();
    assert!(edited["data"][0]["b64_json"].is_string() && edited["usage"]["total_tokens"].is_number());
    assert_eq!(send("/v1/audio/transcriptions", &[("unknown", "x")], "file").status, 400);
    let limited = send("/v1/audio/transcriptions", &[("model", "whisper-1+status=429")], "file");
    assert_eq!(limited.status, 429);
    let spoken = standin.post("/v1/audio/speech", &json!({"model": "tts-1", "voice": "alloy", "input": "hello"}));
    assert_eq!((spoken.header("content-type"), spoken.bytes.len()), (Some("audio/mpeg"), 320));
    let kept = send("/v1/files", &[("purpose", "batch")], "file").json();
    assert_eq!((&kept["filename"], &kept["bytes"]), (&json!("a.bin"), &json!(5)));
    assert_eq!(standin.send("GET", "/v1/files/file-1", &[], "").json()["id"], "file-1");
    assert_eq!(standin.send("DELETE", "/v1/files/file-1", &[], "").json()["deleted"], true);
    let batch = json!({"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"});
    assert_eq!(standin.post("/v1/batches", &batch).json()["status"], "validating");
}

#[test]
fn images_and_moderations_are_answered() {
    let standin = Standin::start(&[]);
    let made = |model: &str| {
        standin.post("/v1/images/generations", &json!({"model": model, "prompt": "a cat", "n": 2})).json()
    };
    assert!(made("dall-e-3")["data"][1]["url"].is_string() && made("dall-e-3").get("usage").is_none());
    assert!(made("gpt-image-1")["data"][1]["b64_json"].is_string() && made("gpt-image-1")["usage"].is_object());
    let judged = standin.post("/v1/moderations", &json!({"input": ["violence", "flowers"]})).json();
    assert_eq!((&judged["results"][0]["flagged"], &judged["results"][1]["flagged"]), (&json!(true), &json!(false)));
}
