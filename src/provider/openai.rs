use super::Kind;

/// OpenAI.
pub static KIND: Kind = Kind {
    name: "openai",
    host: "api.openai.com",
    carried: &["openai-beta", "idempotency-key", "x-client-request-id"],
    ..Kind::COMPATIBLE
};
