use super::Kind;
use super::quirks::OPENAI;

/// OpenAI.
pub static KIND: Kind = Kind {
    name: "openai",
    apis: &[("openai", "/v1"), ("openai-responses", "/v1"), ("openai-completions", "/v1")],
    host: "api.openai.com",
    carried: &["openai-beta", "idempotency-key", "x-client-request-id"],
    quirks: Some(&OPENAI),
    ..Kind::COMPATIBLE
};

/// OpenAI, and servers that speak its Responses API, asked in it whatever a client speaks: the models think on over calls of tools.
pub static RESPONSES: Kind =
    Kind { name: "openai-responses", apis: &[("openai-responses", "/v1")], quirks: None, ..KIND };
