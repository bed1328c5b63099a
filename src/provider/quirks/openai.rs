//! What OpenAI's own models refuse, wherever they are served.

use super::{Members, Models, Quirks, Words};

/// What models that think refuse: <https://platform.openai.com/docs/guides/reasoning>,
/// <https://platform.openai.com/docs/guides/latest-model>. A client of this API gets its refusal from OpenAI itself.
pub static OPENAI: Quirks = Quirks {
    written_only: true,
    unsupported: &[
        Members { of: Models { starts: THINKING, but: &["chat"] }, thinking: false, names: SAMPLING },
        Members { of: Models { starts: &["o3", "o4", "gpt-5"], but: &["chat"] }, thinking: false, names: &["stop"] },
        Members { of: Models { starts: LATER, but: &["chat"] }, thinking: true, names: SAMPLING },
        Members { of: Models { starts: &["gpt-5-chat"], but: &[] }, thinking: false, names: &["reasoning_effort"] },
    ],
    words: &[
        effort(&["gpt-5-pro"], &["high"]),
        effort(&["o1", "o3", "o4", "gpt-5-codex"], &["low", "medium", "high"]),
        effort(&["gpt-5"], &["minimal", "low", "medium", "high"]),
        effort(&["gpt-5.1"], &["none", "low", "medium", "high"]),
        effort(LATER, &["none", "low", "medium", "high", "xhigh"]),
    ],
    ..Quirks::NONE
};

const THINKING: &[&str] = &["o1", "o3", "o4", "gpt-5"];

/// These take them while they do not think.
const LATER: &[&str] = &["gpt-5.1", "gpt-5.2", "gpt-5.3", "gpt-5.4", "gpt-5.5"];

const SAMPLING: &[&str] =
    &["temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"];

const fn effort(starts: &'static [&'static str], known: &'static [&'static str]) -> Words {
    Words { of: Models { starts, but: &["chat"] }, name: "reasoning_effort", known }
}
