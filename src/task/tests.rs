use super::fuzz::{MODELS, fuzz_task};
use super::{FORMATS, Format, Operation, by_name};
use crate::api::{Asked, Line};
use crate::chat::{Effect, Losses};
use crate::http::Headers;
use crate::json::{Body, Tree, splice};
use serde_json::{Value, json};

/// A model of the format's own.
fn model(format: &Format) -> &'static str {
    MODELS.into_iter().find(|model| (format.fits)(model)).unwrap()
}

#[test]
fn every_format_has_a_name_a_dialect_and_a_path_of_its_own() {
    let headers = Headers::default();
    for format in FORMATS {
        assert_eq!(FORMATS.iter().filter(|other| other.name == format.name).count(), 1, "{}", format.name);
        assert_eq!(by_name(format.name).unwrap().name, format.name);
        let dialect = crate::api::by_name(format.dialect).unwrap();
        let below = (format.path)(model(format));
        // One that is only a client's has none.
        if below.is_empty() {
            continue;
        }
        let full = format!("{}{below}", dialect.base_path());
        let (path, query) = full.split_once('?').unwrap_or((&full, ""));
        let line = Line { method: "POST", path, query, headers: &headers };
        let takers: Vec<_> = FORMATS.iter().filter(|other| (other.takes)(&line).is_some()).map(|f| f.name).collect();
        assert_eq!(takers, [format.name], "{path}");
        assert!((format.takes)(&Line { method: "GET", ..line }).is_none());
    }
}

#[test]
fn who_has_the_same_path_is_told_by_a_header() {
    let mut headers = Headers::default();
    let taker = |headers: &Headers| {
        let line = Line { method: "POST", path: "/v1/rerank", query: "", headers };
        FORMATS.iter().find(|format| (format.takes)(&line).is_some()).map(|format| format.name)
    };
    assert_eq!(taker(&headers), Some("jina-rerank"));
    headers.push("x-fern-sdk-name", "cohere");
    assert_eq!(taker(&headers), Some("cohere-rerank-v1"));
}

#[test]
fn every_kind_of_provider_offers_formats_that_there_are() {
    for kind in crate::provider::PROVIDERS {
        for name in kind.tasks {
            let format = by_name(name).unwrap_or_else(|| panic!("{}: {name}", kind.name));
            assert!(!(format.path)(model(format)).is_empty(), "{name}");
        }
    }
}

fn asked() -> Asked {
    Asked { model: "asked".to_owned(), id: "made".to_owned(), ..Asked::default() }
}

/// What was lost, and whether that changes the answer.
type Lost = (&'static str, bool);

/// What a format's request is as another's, and what is lost; or the field at fault.
fn request(from: &str, to: &str, body: &Value) -> Result<(Value, Vec<Lost>), String> {
    let text = body.to_string();
    let body = Body::parse(text.as_bytes()).unwrap();
    let to = by_name(to).unwrap();
    let mut losses = Losses::default();
    let read = by_name(from).unwrap().read(body.value());
    let written = read.and_then(|request| to.write(&request, model(to), &mut losses));
    let written = written.map_err(|error| format!("{}: {}", error.param.clone().unwrap_or_default(), error.message))?;
    let lost = losses.iter().map(|loss| (loss.what, loss.effect == Effect::Meaning)).collect();
    Ok((serde_json::from_slice(&written).unwrap(), lost))
}

/// What a provider's answer to a client's request is for the client.
pub(super) fn answer(from: &str, to: &str, body: &Value, said: &Value) -> Result<Value, String> {
    let text = body.to_string();
    let body = Body::parse(text.as_bytes()).unwrap();
    let (from, to) = (by_name(from).unwrap(), by_name(to).unwrap());
    let request = from.read(body.value()).unwrap();
    let (mut tree, said) = (Tree::default(), said.to_string());
    let answer = to.read_answer(tree.read(said.as_bytes()).unwrap(), &request);
    let written = answer.and_then(|answer| from.write_answer(&answer, &request, &asked()));
    written.map(|written| serde_json::from_slice(&written).unwrap()).map_err(|error| error.message.clone())
}

#[track_caller]
pub(super) fn becomes(from: &str, to: &str, body: Value, want: Value) {
    assert_eq!(request(from, to, &body), Ok((want, vec![])));
}

#[track_caller]
pub(super) fn loses(from: &str, to: &str, body: Value, want: &[Lost]) {
    assert_eq!(request(from, to, &body).unwrap().1, want);
}

#[track_caller]
pub(super) fn fails(from: &str, to: &str, body: Value, field: &str) {
    let error = request(from, to, &body).unwrap_err();
    assert!(error.starts_with(&format!("{field}: ")), "{error}");
}

#[test]
fn embeddings_of_an_openai_client_by_cohere() {
    becomes(
        "openai-embeddings",
        "cohere-embed",
        json!({"model": "m", "input": "a", "encoding_format": "base64", "dimensions": 256}),
        json!({"model": "m", "texts": ["a"], "input_type": "search_document", "output_dimension": 256,
            "embedding_types": ["float"]}),
    );
    becomes(
        "openai-embeddings",
        "cohere-embed",
        json!({"model": "m", "input": ["a", "b"], "input_type": "query"}),
        json!({"model": "m", "texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float"]}),
    );
    loses(
        "openai-embeddings",
        "cohere-embed",
        json!({"input": "a", "user": "u", "own": 1, "null": null}),
        &[("user", false), ("more", false)],
    );
    for tokens in [json!([1, 2]), json!([[1], [2]]), json!(["a", [1]])] {
        fails("openai-embeddings", "cohere-embed", json!({"input": tokens}), "input");
    }
}

#[test]
fn what_is_wrong_in_an_openai_request_is_named() {
    for (body, field) in [
        (json!({}), "input"),
        (json!({"input": null}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": {}}), "input"),
        (json!({"input": ["a", 1]}), "input[1]"),
        (json!({"input": [1, "a"]}), "input[1]"),
        (json!({"input": [[1, -2]]}), "input[0][1]"),
        (json!({"input": "a", "dimensions": "1"}), "dimensions"),
        (json!({"input": "a", "dimensions": -1}), "dimensions"),
        (json!({"input": "a", "encoding_format": "hex"}), "encoding_format"),
        (json!({"input": "a", "input_type": "song"}), "input_type"),
        (json!({"input": "a", "user": 1}), "user"),
    ] {
        fails("openai-embeddings", "cohere-embed", body, field);
    }
}

#[test]
fn embeddings_of_a_cohere_client_by_openai() {
    becomes(
        "cohere-embed",
        "openai-embeddings",
        json!({"model": "m", "texts": ["a", "b"], "output_dimension": 64, "embedding_types": ["float", "base64"]}),
        json!({"model": "m", "input": ["a", "b"], "dimensions": 64, "encoding_format": "float"}),
    );
    becomes(
        "cohere-embed",
        "openai-embeddings",
        json!({"inputs": [{"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]}),
        json!({"model": "m", "input": ["ab"], "encoding_format": "float"}),
    );
    loses(
        "cohere-embed",
        "openai-embeddings",
        json!({"texts": ["a"], "input_type": "search_query", "truncate": "END", "priority": 1}),
        &[("truncate", false), ("input_type", false), ("more", false)],
    );
    loses(
        "cohere-embed",
        "openai-embeddings",
        json!({"texts": ["a"], "embedding_types": ["int8"], "truncate": "START", "max_tokens": 9}),
        &[("encoding", true), ("max_tokens", true), ("truncate", true)],
    );
    for (body, field) in [
        (json!({}), "texts"),
        (json!({"texts": "a"}), "texts"),
        (json!({"texts": ["a", 1]}), "texts[1]"),
        (json!({"images": ["http://x"]}), "images[0]"),
        (json!({"images": ["data:image/png;base64,AA"]}), "images"),
        (json!({"inputs": [{}]}), "inputs[0].content"),
        (json!({"inputs": [{"content": [{}]}]}), "inputs[0].content[0].text"),
        (json!({"texts": ["a"], "embedding_types": ["f64"]}), "embedding_types[0]"),
        (json!({"texts": ["a"], "input_type": "x"}), "input_type"),
        (json!({"texts": ["a"], "truncate": "MIDDLE"}), "truncate"),
    ] {
        fails("cohere-embed", "openai-embeddings", body, field);
    }
}

#[test]
fn what_only_cohere_knows_stays_for_cohere() {
    let same = json!({"model": "m", "inputs": [{"content": [{"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}],
        "input_type": "clustering", "output_dimension": 256, "max_tokens": 9, "truncate": "START",
        "embedding_types": ["float", "ubinary"]});
    becomes("cohere-embed", "cohere-embed", same.clone(), same);
    let images = json!({"model": "m", "images": ["data:image/png;base64,AA"], "input_type": "image",
        "embedding_types": ["float"]});
    becomes("cohere-embed", "cohere-embed", images.clone(), images);
}

#[test]
fn vectors_come_in_the_form_that_the_client_asked_for() {
    let cohere = json!({"id": "c", "embeddings": {"float": [[0.5, -1.0], [1, 2]]}, "texts": ["a", "b"],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 10}}});
    let input = json!({"model": "x", "input": ["a", "b"]});
    assert_eq!(
        answer("openai-embeddings", "cohere-embed", &input, &cohere).unwrap(),
        json!({"object": "list", "model": "asked", "usage": {"prompt_tokens": 10, "total_tokens": 10}, "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -1.0]},
            {"object": "embedding", "index": 1, "embedding": [1, 2]}]})
    );
    let input = json!({"model": "x", "input": ["a", "b"], "encoding_format": "base64"});
    let written = answer("openai-embeddings", "cohere-embed", &input, &cohere).unwrap();
    assert_eq!(written["data"][0]["embedding"], "AAAAPwAAgL8=");

    // Out of order, and as base64 though numbers were asked for.
    let openai = json!({"model": "given", "usage": {"prompt_tokens": 7, "total_tokens": 7}, "data": [
        {"index": 1, "embedding": [1]}, {"index": 0, "embedding": "AAAAPwAAgL8="}]});
    let texts = json!({"texts": ["a", "b"], "embedding_types": ["base64", "float", "base64"]});
    assert_eq!(
        answer("cohere-embed", "openai-embeddings", &texts, &openai).unwrap(),
        json!({"id": "made", "embeddings": {"base64": ["AAAAPwAAgL8=", "AACAPw=="], "float": [[0.5, -1], [1]]},
            "texts": ["a", "b"], "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 7}},
            "response_type": "embeddings_by_type"})
    );
}

#[test]
fn an_answer_that_is_none_is_the_providers_fault() {
    let input = json!({"input": ["a", "b"]});
    for said in [
        json!({}),
        json!([]),
        json!({"embeddings": null}),
        json!({"embeddings": {}}),
        json!({"embeddings": {"float": [[1]]}}),
        json!({"embeddings": {"float": [[1], [2], [3]]}}),
        json!({"embeddings": {"float": [1, 2]}}),
        json!({"embeddings": {"int8": [[1], [2]]}}),
    ] {
        let error = answer("openai-embeddings", "cohere-embed", &input, &said).unwrap_err();
        assert!(error.contains("no embeddings"), "{said}: {error}");
    }
    let ranked = json!({"model": "m", "query": "q", "documents": ["a"]});
    for said in [
        json!({}),
        json!({"results": {}}),
        json!({"results": [{}]}),
        json!({"results": [{"index": 1, "relevance_score": 1}]}),
        json!({"results": [{"index": 0, "relevance_score": "high"}]}),
    ] {
        let error = answer("jina-rerank", "cohere-rerank", &ranked, &said).unwrap_err();
        assert!(error.contains("no ranking"), "{said}: {error}");
    }
}

#[test]
fn a_ranking_goes_both_ways() {
    let asked = json!({"model": "m", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1});
    let strings = json!({"model": "m", "query": "q", "documents": ["a", "b"], "top_n": 1});
    let mut jina = strings.clone();
    jina["return_documents"] = json!(false);
    becomes("jina-rerank", "cohere-rerank", asked.clone(), strings.clone());
    becomes("cohere-rerank-v1", "cohere-rerank", asked.clone(), strings);
    becomes("cohere-rerank", "jina-rerank", asked.clone(), jina);

    let said = json!({"id": "c", "results": [{"index": 1, "relevance_score": 0.9999989}],
        "meta": {"billed_units": {"search_units": 1}}});
    assert_eq!(
        answer("jina-rerank", "cohere-rerank", &asked, &said).unwrap(),
        json!({"model": "asked", "object": "list", "usage": {"total_tokens": 0, "prompt_tokens": 0},
            "results": [{"index": 1, "relevance_score": 0.9999989, "document": {"text": "b"}}]})
    );
    assert_eq!(
        answer("cohere-rerank-v1", "cohere-rerank", &asked, &said).unwrap(),
        json!({"id": "c", "results": [{"index": 1, "relevance_score": 0.9999989}],
            "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}})
    );
    let said = json!({"model": "j", "results": [{"index": 0, "relevance_score": -3.5e-2, "document": {"text": "a"}}],
        "usage": {"total_tokens": 15}});
    assert_eq!(
        answer("cohere-rerank", "jina-rerank", &asked, &said).unwrap(),
        json!({"id": "made", "results": [{"index": 0, "relevance_score": -3.5e-2}],
            "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 15}}})
    );
}

#[test]
fn what_a_ranking_loses_and_what_is_wrong_in_it_is_named() {
    let with = |more: Value| {
        let mut body = json!({"model": "m", "query": "q", "documents": [{"text": "a"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    loses("cohere-rerank", "jina-rerank", with(json!({"max_tokens_per_doc": 9})), &[("max_tokens_per_doc", true)]);
    loses("cohere-rerank-v1", "cohere-rerank", with(json!({"rank_fields": ["a"]})), &[("rank_fields", true)]);
    loses("jina-rerank", "cohere-rerank", with(json!({"truncate_prompt_tokens": 9})), &[("more", false)]);
    for (body, field) in [
        (json!({"query": "q"}), "documents"),
        (json!({"documents": ["a"]}), "query"),
        (with(json!({"query": 1})), "query"),
        (with(json!({"documents": []})), "documents"),
        (with(json!({"documents": ["a", 1]})), "documents[1]"),
        (with(json!({"documents": [{"text": "a", "title": "b"}]})), "documents"),
        (with(json!({"top_n": 1.5})), "top_n"),
        (with(json!({"return_documents": "yes"})), "return_documents"),
    ] {
        fails("jina-rerank", "cohere-rerank", body, field);
    }
}

#[test]
fn usage_is_read_of_every_format() {
    for (format, body, input) in [
        ("openai-embeddings", json!({"usage": {"prompt_tokens": 3, "total_tokens": 3}}), Some(3)),
        ("openai-embeddings", json!({"usage": {"total_tokens": 4}}), Some(4)),
        ("cohere-embed", json!({"meta": {"billed_units": {"input_tokens": 4, "image_tokens": 2}}}), Some(6)),
        ("cohere-embed", json!({"meta": {"billed_units": {"image_tokens": 2}}}), Some(2)),
        ("cohere-rerank", json!({"meta": {"billed_units": {"search_units": 1}}}), None),
        ("cohere-rerank", json!({"meta": {"tokens": {"input_tokens": 8}}}), Some(8)),
        ("jina-rerank", json!({"usage": {"total_tokens": 15}}), Some(15)),
        ("anthropic-count-tokens", json!({"input_tokens": 15}), None),
    ] {
        let (mut tree, text) = (Tree::default(), body.to_string());
        let usage = (by_name(format).unwrap().usage)(tree.read(text.as_bytes()).unwrap());
        assert_eq!(usage.map(|usage| usage.input), input, "{format}: {body}");
        assert_eq!(usage.map_or(0, |usage| usage.output), 0);
    }
}

#[test]
fn a_format_is_served_by_itself_or_by_one_that_asks_for_the_same() {
    let by = |format: &str, does: &[&str], model: &str| {
        by_name(format).unwrap().served_by(does, model).map(|format| format.name)
    };
    assert_eq!(by("openai-embeddings", &["cohere-embed", "openai-embeddings"], "m"), Some("openai-embeddings"));
    assert_eq!(by("openai-embeddings", &["cohere-rerank", "cohere-embed"], "m"), Some("cohere-embed"));
    assert_eq!(by("openai-embeddings", &["cohere-rerank"], "m"), None);
    assert_eq!(by("openai-speech", &["openai-transcriptions"], "m"), None);
    assert_eq!(by("anthropic-count-tokens", &["openai-embeddings"], "m"), None);
}

#[test]
fn the_models_name_is_all_that_changes_in_a_body() {
    for format in FORMATS {
        let body = br#"{ "x" : 1 , "model":"a"}"#;
        let parsed = Body::parse(body).unwrap();
        let named = String::from_utf8(splice(body, &(format.rename)(parsed.value(), "b"))).unwrap();
        let same = [r#"{ "x" : 1 , "model":"b"}"#, r#"{ "x" : 1 , "model":"models/b"}"#, r#"{ "x" : 1 , "model":"a"}"#];
        assert!(same.contains(&named.as_str()), "{}: {named}", format.name);
        assert_eq!(named.contains("\"a\""), format.dialect == "bedrock", "{}", format.name);
    }
}

#[test]
fn seeds_of_the_fuzz_function_hold() {
    for seed in SEEDS {
        fuzz_task(seed.as_bytes());
        for cut in 0..seed.len() {
            fuzz_task(seed.as_bytes().get(..cut).unwrap());
        }
    }
    assert!(FORMATS.iter().any(|format| format.operation == Operation::Rerank));
}

const SEEDS: &[&str] = &[
    "{\"model\":\"a\",\"input\":[\"a\",[1,2],\"\\u00e9\"],\"dimensions\":9,\"user\":\"u\"}\n{\"data\":[{\"embedding\":[1]},{\"embedding\":\"AAAAPw==\"},{\"embedding\":[2]}]}",
    "{\"input\":\"a\",\"encoding_format\":\"base64\"}\n{\"embeddings\":[[0.5,1e-3]],\"usage\":{\"total_tokens\":3}}",
    "{\"texts\":[\"a\"],\"embedding_types\":[\"int8\",\"float\"],\"truncate\":\"END\"}\n{\"embeddings\":{\"int8\":[[1]],\"float\":[[1.5]]}}",
    "{\"inputs\":[{\"content\":[{\"text\":\"a\"},{\"image_url\":{\"url\":\"data:image/png;base64,AA\"}}]}]}\n{\"embeddings\":{\"float\":[[1.5]]}}",
    "{\"query\":\"q\",\"documents\":[\"a\",{\"text\":\"b\"},{\"x\":1}],\"top_n\":2,\"rank_fields\":[\"x\"]}\n{\"results\":[{\"index\":1,\"relevance_score\":0.5}]}",
    "{\"content\":{\"parts\":[{\"text\":\"a\"},{\"inline_data\":{\"mime_type\":\"image/png\",\"data\":\"AA\"}}]},\"taskType\":\"CLUSTERING\"}\n{\"embedding\":{\"values\":[1,2]}}",
    "{\"requests\":[{\"model\":\"models/a\",\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n{\"embeddings\":[{\"values\":[1,2]}]}",
    "{\"instances\":[{\"content\":\"a\",\"task_type\":\"CLUSTERING\"}],\"parameters\":{\"autoTruncate\":true}}\n{\"predictions\":[{\"embeddings\":{\"values\":[1]}}]}",
    "{\"inputText\":\"a\",\"inputImage\":\"/9j\",\"embeddingConfig\":{\"outputEmbeddingLength\":256}}\n{\"embedding\":[1],\"inputTextTokenCount\":1}",
];
