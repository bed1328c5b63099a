use super::{Credential, Kind};

/// Gemini at Google AI Studio: <https://ai.google.dev/api>.
pub static KIND: Kind = Kind {
    name: "gemini",
    apis: &[("gemini", "/v1beta")],
    host: "generativelanguage.googleapis.com",
    credential: Credential::Header("x-goog-api-key"),
    tasks: &["gemini-batch-embed", "gemini-embed", "gemini-count-tokens"],
    ..Kind::COMPATIBLE
};
