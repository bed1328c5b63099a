use super::quirks::each;
use super::{Adapted, Ask, Kind, Provider, Setting, escaped};
use crate::json::{Edit, Value};
use crate::task::Format;

const SETTINGS: &[Setting] =
    &[Setting { name: "project", required: true }, Setting { name: "location", required: true }];

const HOST: &str = "{location-}aiplatform{.location}.googleapis.com";

/// Gemini at Google's cloud: <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>. A model that was
/// tuned or deployed is `endpoints/ID`.
pub static KIND: Kind = Kind {
    name: "vertex",
    apis: &[("gemini", "/v1/projects/{project}/locations/{location}/publishers/google")],
    host: HOST,
    settings: SETTINGS,
    path: Some(|provider: &Provider, ask: &Ask<'_>, below: &str| {
        let base = &provider.spoken(ask.api).base_path;
        let own = below.strip_prefix("/models/endpoints%2F");
        match own.zip(base.strip_suffix("/publishers/google")) {
            Some((rest, base)) => [base, "/endpoints/", rest].concat(),
            None => [base, below].concat(),
        }
    }),
    // It refuses the ids that AI Studio gives calls: <https://github.com/langchain-ai/langchainjs/issues/10266>.
    adapt: Some(|_: &Provider, body: Value<'_>, _: &Ask<'_>| {
        let mut adapted = Adapted::default();
        each(&body, "contents", &mut |content| {
            each(&content, "parts", &mut |part| {
                for name in ["functionCall", "function_call", "functionResponse", "function_response"] {
                    adapted.edits.extend(part.get(name).and_then(|call| call.remove("id")));
                }
            });
        });
        adapted
    }),
    tasks: &["vertex-embed", "gemini-count-tokens"],
    ..Kind::COMPATIBLE
};

/// Anthropic's models at Google: <https://docs.anthropic.com/en/api/claude-on-vertex-ai>. The model stands in the path, the
/// version in the body.
pub static ANTHROPIC: Kind = Kind {
    name: "vertex-anthropic",
    apis: &[("anthropic", "/v1/projects/{project}/locations/{location}/publishers/anthropic")],
    host: HOST,
    settings: SETTINGS,
    carried: &["anthropic-beta"],
    path: Some(|provider: &Provider, ask: &Ask<'_>, below: &str| {
        let (model, method) = match (below, ask.stream) {
            (COUNT_TOKENS, _) => ("count-tokens".to_owned(), ":rawPredict"),
            (_, true) => (escaped(ask.model), ":streamRawPredict"),
            (_, false) => (escaped(ask.model), ":rawPredict"),
        };
        [&provider.spoken(ask.api).base_path, "/models/", &model, method].concat()
    }),
    adapt: Some(|_: &Provider, body: Value<'_>, _: &Ask<'_>| {
        let mut adapted = Adapted { edits: versioned(body), ..Adapted::default() };
        adapted.edits.extend(body.remove("model"));
        adapted
    }),
    tasks: &["anthropic-count-tokens"],
    // Its body names the model: the path does not.
    adapt_task: Some(|_: &Provider, _: &Format, body: Value<'_>| versioned(body)),
    foreign_errors: true,
    ..Kind::COMPATIBLE
};

const COUNT_TOKENS: &str = "/messages/count_tokens";

fn versioned(body: Value<'_>) -> Vec<Edit> {
    let given = body.get("anthropic_version").is_some();
    (!given).then(|| body.set("anthropic_version", "\"vertex-2023-10-16\"")).into_iter().collect()
}
