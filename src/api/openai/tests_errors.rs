use super::OpenAi;
use crate::api::{Api, Line, Named, Operation};
use crate::error::{Error, Fault, Kind};
use crate::http::Headers;
use serde_json::{Value, json};

#[test]
fn errors_of_every_shape_are_understood() {
    let long = format!("<html>{}</html>", "x".repeat(400));
    let cases: &[(u16, &str, Kind, &str, Option<&str>)] = &[
        (
            400,
            r#"{"error":{"message":"Bad","type":"invalid_request_error","param":"n","code":null}}"#,
            Kind::InvalidRequest,
            "Bad",
            None,
        ),
        (
            400,
            r#"{"error":{"message":"Too long","code":"context_length_exceeded"}}"#,
            Kind::ContextLength,
            "Too long",
            Some("context_length_exceeded"),
        ),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8 tokens."}}"#,
            Kind::ContextLength,
            "This model's maximum context length is 8 tokens.",
            None,
        ),
        (
            400,
            r#"{"object":"error","message":"Prompt is too long","type":"invalid_request_error","param":null,"code":"3051"}"#,
            Kind::ContextLength,
            "Prompt is too long",
            Some("3051"),
        ),
        (
            400,
            r#"{"error":{"code":"content_filter","message":"Filtered"}}"#,
            Kind::ContentPolicy,
            "Filtered",
            Some("content_filter"),
        ),
        (
            400,
            r#"{"error":{"message":"triggering Azure OpenAI's content management policy"}}"#,
            Kind::ContentPolicy,
            "triggering Azure OpenAI's content management policy",
            None,
        ),
        (
            404,
            r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#,
            Kind::ModelNotFound,
            "The model `x` does not exist",
            Some("model_not_found"),
        ),
        (404, r#"{"error":"model 'x' not found"}"#, Kind::ModelNotFound, "model 'x' not found", None),
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"No deployment"}}"#,
            Kind::ModelNotFound,
            "No deployment",
            Some("DeploymentNotFound"),
        ),
        (404, "page not found", Kind::NotFound, "page not found", None),
        (
            400,
            r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xai-1234"}"#,
            Kind::Authentication,
            "the provider refused the gateway's credentials",
            Some("Client specified an invalid argument"),
        ),
        (
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-abcd**wxyz.","code":"invalid_api_key"}}"#,
            Kind::Authentication,
            "the provider refused the gateway's credentials",
            Some("invalid_api_key"),
        ),
        (
            403,
            r#"{"error":{"message":"Key sk-abcd may not"}}"#,
            Kind::Permission,
            "the provider does not permit this request",
            None,
        ),
        (
            429,
            r#"{"error":{"message":"Slow down","type":"requests","code":"rate_limit_exceeded"}}"#,
            Kind::RateLimit,
            "Slow down",
            Some("rate_limit_exceeded"),
        ),
        (
            429,
            r#"{"error":{"message":"Pay","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            Kind::RateLimit,
            "Pay",
            Some("insufficient_quota"),
        ),
        (
            429,
            r#"{"error":{"message":"Provider returned error","code":429}}"#,
            Kind::RateLimit,
            "Provider returned error",
            Some("429"),
        ),
        (
            422,
            r#"{"detail":[{"loc":["body"],"msg":"field required","type":"missing"}]}"#,
            Kind::InvalidRequest,
            "field required",
            None,
        ),
        (400, r#"{"detail":"Wrong"}"#, Kind::InvalidRequest, "Wrong", None),
        (
            400,
            r#"[{"error":{"code":400,"message":"In a list","status":"INVALID_ARGUMENT"}}]"#,
            Kind::InvalidRequest,
            "In a list",
            Some("400"),
        ),
        (500, r#"{"message":"Boom"}"#, Kind::Provider, "Boom", None),
        (500, r#"{"error":{}}"#, Kind::Provider, "the provider answered with status 500", None),
        (502, &long, Kind::Provider, "the provider answered with status 502", None),
        (502, "<h1>Bad gateway</h1>", Kind::Provider, "the provider answered with status 502", None),
        (503, "upstream connect error", Kind::Overloaded, "upstream connect error", None),
        (529, "", Kind::Overloaded, "the provider answered with status 529", None),
        (504, "null", Kind::Timeout, "the provider answered with status 504", None),
    ];
    for (status, body, kind, message, code) in cases {
        let error = OpenAi.read_error(*status, body.as_bytes());
        assert_eq!((error.kind, error.message.as_str(), error.code.as_deref()), (*kind, *message, *code), "{body}");
        assert_eq!(error.status, *status, "{body}");
    }
    assert!(OpenAi.read_error(500, b"\xff\xfe not text").message.contains("not text"));
}

#[test]
fn an_error_in_the_place_of_an_answer_is_an_error() {
    let cases = [
        (r#"{"error":{"message":"Limited","code":429}}"#, Kind::RateLimit, 429),
        (r#"{"error":{"message":"Over","type":"overloaded_error"}}"#, Kind::Overloaded, 503),
        (r#"{"error":{"message":"prompt is too long"}}"#, Kind::ContextLength, 400),
        (r#"{"error":"Boom"}"#, Kind::Provider, 502),
        (
            r#"{"choices":[{"message":{"content":""},"error":{"message":"Boom","code":502},"finish_reason":"error"}]}"#,
            Kind::Provider,
            502,
        ),
        (r#"{"id":"x"}"#, Kind::BadAnswer, 502),
        ("<html>", Kind::BadAnswer, 502),
        ("", Kind::BadAnswer, 502),
    ];
    for (body, kind, status) in cases {
        let error = OpenAi.read_answer(body.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.status), (kind, status), "{body}: {error:?}");
        let mut seen = crate::api::Seen::default();
        OpenAi.watch_answer(body.as_bytes(), &mut seen);
        assert_eq!(seen.error.map(|e| e.kind), Some(kind), "{body}");
    }
}

#[test]
fn errors_are_written_as_clients_of_this_api_know_them() {
    let cases = [
        (Error::field("n", "must be 1"), 400, "invalid_request_error", json!("n"), Value::Null),
        (
            Error::provider(Kind::ContextLength, "long"),
            400,
            "invalid_request_error",
            Value::Null,
            json!("context_length_exceeded"),
        ),
        (Error::provider(Kind::Overloaded, "busy").with_status(529), 503, "server_error", Value::Null, Value::Null),
        (Error::provider(Kind::RateLimit, "slow"), 429, "rate_limit_error", Value::Null, json!("rate_limit_exceeded")),
        (
            Error::provider(Kind::RateLimit, "pay").with_code("insufficient_quota"),
            429,
            "insufficient_quota",
            Value::Null,
            json!("insufficient_quota"),
        ),
        (
            Error::new(Kind::Authentication, Fault::Client, "no key"),
            401,
            "authentication_error",
            Value::Null,
            json!("invalid_api_key"),
        ),
        (Error::provider(Kind::BadAnswer, "broken").with_status(200), 502, "server_error", Value::Null, Value::Null),
    ];
    for (error, status, kind, param, code) in cases {
        let (wrote, body) = OpenAi.write_error(&error);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(wrote, status, "{error:?}");
        assert_eq!(body, json!({"error": {"message": error.text(), "type": kind, "param": param, "code": code}}));
    }
}

#[test]
fn paths_are_told_apart() {
    let none = Headers::default();
    let cases = [
        ("POST", "/v1/chat/completions", Some(Operation::Chat(Named::default()))),
        ("GET", "/v1/chat/completions", None),
        ("GET", "/v1/models", Some(Operation::ListModels)),
        ("GET", "/v1/models/", None),
        ("GET", "/v1/models/gpt-4o", Some(Operation::Model("gpt-4o".to_owned()))),
        ("GET", "/v1/models/a%2Fb%2", Some(Operation::Model("a/b%2".to_owned()))),
        ("POST", "/v1/models", None),
        ("POST", "/v1/embeddings", None),
        ("POST", "/chat/completions", None),
    ];
    for (method, path, operation) in cases {
        assert_eq!(OpenAi.operation(&Line { method, path, query: "", headers: &none }), operation, "{method} {path}");
    }
    let list: Value = serde_json::from_slice(&OpenAi.write_models(&["a", "b\""], 7)).unwrap();
    let model = |id| json!({"id": id, "object": "model", "created": 7, "owned_by": "sluice"});
    assert_eq!(list, json!({"object": "list", "data": [model("a"), model("b\"")]}));
    assert_eq!(serde_json::from_slice::<Value>(&OpenAi.write_model("a", 7)).unwrap(), model("a"));
}
