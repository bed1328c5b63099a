use super::{Credential, Kind};

/// Anthropic. `anthropic-version` is required: <https://docs.anthropic.com/en/api/versioning>.
pub static KIND: Kind = Kind {
    name: "anthropic",
    apis: &[("anthropic", "/v1")],
    host: "api.anthropic.com",
    credential: Credential::Header("x-api-key"),
    headers: &[("anthropic-version", "2023-06-01")],
    carried: &["anthropic-version", "anthropic-beta", "idempotency-key"],
    tasks: &["anthropic-count-tokens"],
    ..Kind::COMPATIBLE
};
