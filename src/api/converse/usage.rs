//! Tokens as Bedrock counts them: `inputTokens` leaves out what was read from and written to the cache.

use crate::chat;
use crate::json::Value;
use crate::json::write::number;

/// `None`: nothing is said.
pub(super) fn read(said: Option<Value<'_>>) -> Option<chat::Usage> {
    let said = said.filter(Value::is_object)?;
    let count = |name: &str| said.get(name).and_then(|n| n.count());
    let cached_input = count("cacheReadInputTokens").or_else(|| count("cacheReadInputTokenCount")).unwrap_or(0);
    let cache_write = count("cacheWriteInputTokens").or_else(|| count("cacheWriteInputTokenCount")).unwrap_or(0);
    Some(chat::Usage {
        input: count("inputTokens").unwrap_or(0).saturating_add(cached_input).saturating_add(cache_write),
        cached_input,
        cache_write,
        output: count("outputTokens").unwrap_or(0),
        ..chat::Usage::default()
    })
}

/// Writes the usage object.
pub(super) fn write(out: &mut Vec<u8>, usage: &chat::Usage) {
    // Some providers count the same tokens as read and as written: here they add up.
    let cached = usage.cached_input.min(usage.input);
    let written = usage.cache_write.min(usage.input.saturating_sub(cached));
    out.push(b'{');
    number(out, "inputTokens", usage.input.saturating_sub(cached).saturating_sub(written));
    number(out, "outputTokens", usage.output);
    number(out, "totalTokens", usage.total());
    number(out, "cacheReadInputTokens", cached);
    number(out, "cacheWriteInputTokens", written);
    out.push(b'}');
}
