use super::Kind;
use super::quirks::OPENAI;

/// OpenAI.
pub static KIND: Kind = Kind {
    name: "openai",
    apis: &[("openai", "/v1"), ("openai-responses", "/v1")],
    host: "api.openai.com",
    carried: &["openai-beta", "idempotency-key", "x-client-request-id"],
    quirks: Some(&OPENAI),
    ..Kind::COMPATIBLE
};
