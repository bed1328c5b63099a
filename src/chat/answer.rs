use super::{Part, Raw, Usage};

/// A whole answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The provider's id; empty if it gave none.
    pub id: String,
    /// The model that answered, as the provider says; empty if it says none.
    pub model: String,
    /// Seconds since the Unix epoch.
    pub created: Option<u64>,
    /// One or more, unless the provider sent none.
    pub choices: Vec<Choice>,
    /// `None`: the provider did not say.
    pub usage: Option<Usage>,
    pub service_tier: Option<String>,
    pub system_fingerprint: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Choice {
    pub parts: Vec<Part>,
    pub finish: Option<Finish>,
    /// The stop sequence that ended it.
    pub stop_sequence: Option<String>,
    pub logprobs: Option<Raw>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    Stop,
    /// A stop sequence of the client's.
    StopSequence,
    /// The token limit asked for.
    Length,
    /// The model's context is full.
    ContextFull,
    ToolCalls,
    /// A content filter cut it.
    Filtered,
    /// The model declined.
    Refusal,
    /// A long turn of provider-run tools paused: send it back to go on.
    Pause,
}
