use super::{Citation, Finish, Raw, Usage};
use crate::error::Error;
use std::borrow::Cow;

/// One step of a streamed answer. Text is borrowed from the provider's event. `choice` counts answers from 0.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// First, and once.
    Start {
        id: Cow<'a, str>,
        model: Cow<'a, str>,
        created: Option<u64>,
        service_tier: Option<Cow<'a, str>>,
        system_fingerprint: Option<Cow<'a, str>>,
        /// What is known of it already; [`Event::Usage`] has the last word.
        usage: Option<Usage>,
    },
    Text {
        choice: u32,
        text: Cow<'a, str>,
    },
    Refusal {
        choice: u32,
        text: Cow<'a, str>,
    },
    Citation {
        choice: u32,
        citation: Citation,
    },
    Thinking {
        choice: u32,
        text: Cow<'a, str>,
    },
    /// Closes the thinking before it.
    Signature {
        choice: u32,
        signature: Cow<'a, str>,
    },
    Redacted {
        choice: u32,
        data: Cow<'a, str>,
    },
    /// `tool` counts the calls of its choice from 0, without a gap.
    ToolStart {
        choice: u32,
        tool: u32,
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        /// As in [`super::Part::ToolCall`].
        signature: Option<Cow<'a, str>>,
    },
    /// More of that call's arguments, as JSON text cut anywhere. None at all means `{}`.
    ToolArguments {
        choice: u32,
        tool: u32,
        json: Cow<'a, str>,
    },
    Logprobs {
        choice: u32,
        raw: Raw,
    },
    /// A block of content is whole; what follows, of the same kind too, is another.
    BlockEnd {
        choice: u32,
    },
    Finish {
        choice: u32,
        reason: Finish,
        stop_sequence: Option<Cow<'a, str>>,
    },
    /// All usage so far: replaces what was said before.
    Usage(Usage),
    /// A sign of life.
    Ping,
    /// The stream failed; nothing follows.
    Error(Error),
    /// The stream is whole; nothing follows.
    End,
}
