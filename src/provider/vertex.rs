use super::{Adapted, Ask, Kind, Provider, Setting, escaped};
use crate::json::Value;

const SETTINGS: &[Setting] =
    &[Setting { name: "project", required: true }, Setting { name: "location", required: true }];

/// Anthropic's models at Google: <https://docs.anthropic.com/en/api/claude-on-vertex-ai>. The model stands in the path, the
/// version in the body.
pub static ANTHROPIC: Kind = Kind {
    name: "vertex-anthropic",
    apis: &[("anthropic", "/v1/projects/{project}/locations/{location}/publishers/anthropic")],
    host: "{location-}aiplatform{.location}.googleapis.com",
    settings: SETTINGS,
    carried: &["anthropic-beta"],
    path: Some(|provider: &Provider, ask: &Ask<'_>, _: &str| {
        let method = if ask.stream { ":streamRawPredict" } else { ":rawPredict" };
        let base = &provider.spoken(ask.api).base_path;
        [base, "/models/", &escaped(ask.model), method].concat()
    }),
    adapt: Some(|_: &Provider, body: Value<'_>, _: &Ask<'_>| {
        let mut adapted = Adapted::default();
        adapted.edits.extend(body.remove("model"));
        if body.get("anthropic_version").is_none() {
            adapted.edits.push(body.set("anthropic_version", "\"vertex-2023-10-16\""));
        }
        adapted
    }),
    tasks: &[],
    foreign_errors: true,
    ..Kind::COMPATIBLE
};
