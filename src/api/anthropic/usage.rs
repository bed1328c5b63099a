//! Tokens as Anthropic counts them: `input_tokens` leaves out what was read from and written to the cache.

use super::shape::Is;
use crate::chat;
use serde::Deserialize;

/// In a stream each mention replaces what was said before, member by member.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Usage {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation: Option<CacheCreation>,
    #[serde(default)]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct CacheCreation {
    #[serde(default)]
    ephemeral_5m_input_tokens: Option<u64>,
    #[serde(default)]
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    thinking_tokens: Option<u64>,
}

/// The part of usage that is not a count.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Tier<'a> {
    #[serde(borrow, default)]
    pub(super) service_tier: Is<std::borrow::Cow<'a, str>>,
}

impl Usage {
    fn written(&self) -> Option<u64> {
        self.cache_creation_input_tokens.or_else(|| {
            let parts = self.cache_creation?;
            Some(
                parts
                    .ephemeral_5m_input_tokens
                    .unwrap_or(0)
                    .saturating_add(parts.ephemeral_1h_input_tokens.unwrap_or(0)),
            )
        })
    }

    /// What is known after this is said as well.
    pub(super) fn after(&self, before: Option<chat::Usage>) -> chat::Usage {
        let before = before.unwrap_or_default();
        let cached_input = self.cache_read_input_tokens.unwrap_or(before.cached_input);
        let cache_write = self.written().unwrap_or(before.cache_write);
        let fresh = self.input_tokens.unwrap_or_else(|| fresh(&before));
        chat::Usage {
            input: fresh.saturating_add(cached_input).saturating_add(cache_write),
            cached_input,
            cache_write,
            output: self.output_tokens.unwrap_or(before.output),
            reasoning: self.output_tokens_details.and_then(|d| d.thinking_tokens).unwrap_or(before.reasoning),
            audio_input: before.audio_input,
            audio_output: before.audio_output,
        }
    }
}

/// `input_tokens`: neither read from nor written to the cache.
fn fresh(usage: &chat::Usage) -> u64 {
    usage.input.saturating_sub(usage.cached_input).saturating_sub(usage.cache_write)
}

/// The parts as they add up to `input`: some providers count the same tokens as read and as written.
fn parts(usage: &chat::Usage) -> (u64, u64, u64) {
    let cached = usage.cached_input.min(usage.input);
    let written = usage.cache_write.min(usage.input.saturating_sub(cached));
    (fresh(usage), written, cached)
}

/// Writes the usage object.
pub(super) fn write(out: &mut Vec<u8>, usage: &chat::Usage, service_tier: Option<&str>) {
    use super::json::{field, number};
    out.push(b'{');
    let (fresh, written, cached) = parts(usage);
    number(out, "input_tokens", fresh);
    number(out, "cache_creation_input_tokens", written);
    number(out, "cache_read_input_tokens", cached);
    number(out, "output_tokens", usage.output);
    if usage.reasoning > 0 {
        field(out, "output_tokens_details");
        out.push(b'{');
        number(out, "thinking_tokens", usage.reasoning);
        out.push(b'}');
    }
    // Its own words only: a client's SDK checks them.
    if let Some(tier) = service_tier.filter(|tier| matches!(*tier, "standard" | "priority" | "batch")) {
        super::json::text(out, "service_tier", tier);
    }
    out.push(b'}');
}
