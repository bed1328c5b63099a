use super::{Credential, Kind};

/// OpenAI and everything that speaks its Chat Completions.
pub static KIND: Kind = Kind {
    name: "openai",
    api: "openai",
    host: "api.openai.com",
    base_path: "/v1",
    credential: Credential::Bearer,
    headers: &[],
    carried: &["openai-beta", "idempotency-key", "x-client-request-id"],
};
