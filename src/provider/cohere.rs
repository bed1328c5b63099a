use super::Kind;

/// Cohere, by its own chat format.
pub static KIND: Kind = Kind {
    name: "cohere",
    apis: &[("cohere", "/v2")],
    host: "api.cohere.com",
    carried: &["x-client-name"],
    tasks: &["cohere-embed", "cohere-rerank"],
    ..Kind::COMPATIBLE
};
