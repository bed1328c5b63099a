//! Whose model it is, as far as its id tells: Converse is one format, what it takes is each maker's own.

use super::shared::claude::{self, Abilities};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Claude(Abilities),
    /// The first generation does not think.
    Nova {
        thinks: bool,
    },
    GptOss,
    Qwen,
    Mistral,
    /// Known not to be told which tool to call: Llama, Titan, DeepSeek, Jamba, Command.
    Plain,
    /// An ARN that hides the model, or a maker that is new since this was written.
    Unknown,
}

pub(super) fn family(model: &str) -> Family {
    let model = model.to_ascii_lowercase();
    let has = |word: &str| model.contains(word);
    if has("claude") {
        Family::Claude(claude::abilities(&model))
    } else if has("nova") {
        Family::Nova { thinks: has("nova-2") }
    } else if has("gpt-oss") {
        Family::GptOss
    } else if has("qwen") {
        Family::Qwen
    } else if has("mistral") || has("mixtral") || has("pixtral") || has("voxtral") {
        Family::Mistral
    } else if ["meta.", "titan", "deepseek", "ai21.", "cohere."].into_iter().any(has) {
        Family::Plain
    } else {
        Family::Unknown
    }
}

impl Family {
    pub(super) fn claude(&self) -> Option<&Abilities> {
        match self {
            Self::Claude(can) => Some(can),
            _ => None,
        }
    }

    /// Takes cache points in messages and instructions; elsewhere they are an error.
    pub(super) fn caches(&self) -> bool {
        matches!(self, Self::Claude(_) | Self::Nova { .. } | Self::Unknown)
    }

    /// Takes cache points after tools.
    pub(super) fn caches_tools(&self) -> bool {
        matches!(self, Self::Claude(_) | Self::Unknown)
    }

    /// Can be told that a tool, or which, must be called.
    pub(super) fn chooses(&self) -> bool {
        !matches!(self, Self::Plain)
    }

    /// Takes `status` of a tool's result.
    pub(super) fn reads_status(&self) -> bool {
        matches!(self, Self::Claude(_) | Self::Nova { .. } | Self::Unknown)
    }

    /// May hear: makers have models that do under names like those that do not.
    pub(super) fn hears(&self) -> bool {
        matches!(self, Self::Nova { .. } | Self::Mistral | Self::Unknown)
    }

    /// Takes a schema for its answer.
    pub(super) fn schemas(&self) -> bool {
        match self {
            Self::Claude(can) => can.schemas,
            Self::GptOss | Self::Qwen | Self::Mistral => true,
            Self::Nova { .. } | Self::Plain | Self::Unknown => false,
        }
    }
}
