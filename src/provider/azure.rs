use super::quirks::OPENAI;
use super::{Ask, Credential, Kind, Provider, Setting, escaped};

/// OpenAI's models at Microsoft: <https://learn.microsoft.com/en-us/azure/ai-foundry/openai/latest>. A model is the name of a
/// deployment; with an `api_version` it stands in the path: <https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference>.
pub static KIND: Kind = Kind {
    name: "azure-openai",
    apis: &[("openai", "/openai/v1"), ("openai-responses", "/openai/v1")],
    settings: &[Setting { name: "api_version", required: false }],
    credential: Credential::Header("api-key"),
    carried: &["x-ms-client-request-id"],
    path: Some(path),
    quirks: Some(&OPENAI),
    ..Kind::COMPATIBLE
};

fn path(provider: &Provider, ask: &Ask<'_>, below: &str) -> String {
    let spoken = provider.spoken(ask.api);
    let Some(version) = provider.setting("api_version") else { return provider.path(spoken, below) };
    let base = spoken.base_path.strip_suffix("/v1").unwrap_or(&spoken.base_path);
    // Only these name no deployment in their path.
    if below.starts_with("/responses") {
        return [base, below, "?api-version=", version].concat();
    }
    [base, "/deployments/", &escaped(ask.model), below, "?api-version=", version].concat()
}
