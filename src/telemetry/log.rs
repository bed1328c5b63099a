use crate::chat::Usage;
use crate::host::Millis;
use serde::Serialize;

/// One call, for the access log: property `sluice.log`. Members that are not known are left out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Entry<'a> {
    pub dialect: &'a str,
    /// As the client asked for it, without its query, cut to 256 bytes: an attempt has put its own in the request.
    pub path: &'a str,
    /// As the client wrote it, cut to 256 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'a str>,
    /// The provider's name of the model used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<&'a str>,
    pub stream: bool,
    /// What the client got; 0: it left before.
    pub status: u16,
    /// `complete`, `error`, `provider_cut`, `client_left`.
    pub ended: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub attempts: Vec<AttemptEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_to_first_byte_ms: Option<Millis>,
    pub duration_ms: Millis,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub losses: Vec<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
pub struct AttemptEntry<'a> {
    pub provider: &'a str,
    pub cluster: &'a str,
    pub model: &'a str,
    /// 0: it never answered.
    pub status: u16,
    /// `ok` or the kind of its error.
    pub outcome: &'static str,
    pub duration_ms: Millis,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct UsageEntry {
    pub input: u64,
    pub cached_input: u64,
    pub cache_write: u64,
    pub output: u64,
    pub reasoning: u64,
}

impl From<Usage> for UsageEntry {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.input,
            cached_input: usage.cached_input,
            cache_write: usage.cache_write,
            output: usage.output,
            reasoning: usage.reasoning,
        }
    }
}

impl Entry<'_> {
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}
