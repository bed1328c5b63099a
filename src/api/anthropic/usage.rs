//! Tokens as Anthropic counts them: `input_tokens` leaves out what was read from and written to the cache.

use super::text_of;
use crate::chat;
use crate::json::Value;
use crate::json::write::{number, raw, text};
use std::borrow::Cow;

/// What is known after `said`, a usage object, is said as well. In a stream each mention replaces what was said
/// before, member by member.
pub(super) fn read(said: Option<Value<'_>>, before: Option<chat::Usage>) -> Option<chat::Usage> {
    let said = said.filter(Value::is_object)?;
    let before = before.unwrap_or_default();
    let count = |name: &str| said.get(name).and_then(|n| n.count());
    let within = |path: &[&str]| said.at(path).and_then(|n| n.count());
    let written = || {
        let parts = said.get("cache_creation").filter(Value::is_object)?;
        let part = |name: &str| parts.get(name).and_then(|n| n.count()).unwrap_or(0);
        Some(part("ephemeral_5m_input_tokens").saturating_add(part("ephemeral_1h_input_tokens")))
    };
    let cached_input = count("cache_read_input_tokens").unwrap_or(before.cached_input);
    let cache_write = count("cache_creation_input_tokens").or_else(written).unwrap_or(before.cache_write);
    let fresh = count("input_tokens").unwrap_or_else(|| fresh(&before));
    let mut usage = chat::Usage {
        input: fresh.saturating_add(cached_input).saturating_add(cache_write),
        cached_input,
        cache_write,
        output: count("output_tokens").unwrap_or(before.output),
        reasoning: within(&["output_tokens_details", "thinking_tokens"]).unwrap_or(before.reasoning),
        ..before
    };
    // A summary of the turns before is charged for, and the sums leave it out; so they do with an advisor, which is another model.
    for step in said.get("iterations").iter().flat_map(Value::items) {
        if step.get("type").is_some_and(|kind| kind.is("compaction"))
            && let Some(more) = read(Some(step), None)
        {
            for (sum, more) in [
                (&mut usage.input, more.input),
                (&mut usage.cached_input, more.cached_input),
                (&mut usage.cache_write, more.cache_write),
                (&mut usage.output, more.output),
            ] {
                *sum = sum.saturating_add(more);
            }
        }
    }
    Some(usage)
}

/// The part of usage that is not a count.
pub(super) fn tier(said: Option<Value<'_>>) -> Option<Cow<'_, str>> {
    text_of(said?, "service_tier")
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
    out.push(b'{');
    let (fresh, written, cached) = parts(usage);
    number(out, "input_tokens", fresh);
    number(out, "cache_creation_input_tokens", written);
    number(out, "cache_read_input_tokens", cached);
    number(out, "output_tokens", usage.output);
    if usage.reasoning > 0 {
        raw(out, "output_tokens_details", "{");
        number(out, "thinking_tokens", usage.reasoning);
        out.push(b'}');
    }
    // Its own words only: a client's SDK checks them.
    if let Some(tier) = service_tier.filter(|tier| matches!(*tier, "standard" | "priority" | "batch")) {
        text(out, "service_tier", tier);
    }
    out.push(b'}');
}
