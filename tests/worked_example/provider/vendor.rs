use super::{Credential, Kind};

/// The vendor's Chat Completions: <https://docs.vendor.example/chat>.
pub static KIND: Kind = Kind {
    name: "vendor",
    apis: &[("openai", "/api/v2")],
    host: "api.vendor.example",
    credential: Credential::Header("x-vendor-key"),
    headers: &[("x-vendor-version", "2026-01-01")],
    carried: &["idempotency-key"],
    tasks: &["openai-embeddings"],
    ..Kind::COMPATIBLE
};
