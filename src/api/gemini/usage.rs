//! Tokens as Gemini counts them: what was thought is not in `candidatesTokenCount`, what its own tools put into the
//! prompt not in `promptTokenCount`; what was read from the cache is.

use super::wire::each;
use crate::chat::Usage;
use crate::json::Value;
use crate::json::write::{comma, number, raw, text};

/// `None`: nothing is counted.
pub(super) fn read(body: &Value<'_>) -> Option<Usage> {
    let said = body.get("usageMetadata")?;
    let count = |name: &str| said.get(name).and_then(|n| n.count());
    let counted = ["promptTokenCount", "candidatesTokenCount", "totalTokenCount"];
    counted.into_iter().find_map(count)?;
    let some: &dyn Fn(&str) -> u64 = &|name| count(name).unwrap_or(0);
    let media = |name: &str, kind: &str| {
        let such = |one: &Value<'_>| one.get("modality").is_some_and(|modality| modality.is(kind));
        let mut all = 0_u64;
        for one in each(&said, name).filter(such) {
            all = all.saturating_add(one.get("tokenCount").and_then(|count| count.count()).unwrap_or(0));
        }
        all
    };
    let media: &dyn Fn(&str, &str) -> u64 = &media;
    let input: &dyn Fn(&str) -> u64 =
        &|kind| media("promptTokensDetails", kind).saturating_add(media("toolUsePromptTokensDetails", kind));
    let thoughts = some("thoughtsTokenCount");
    Some(Usage {
        input: some("promptTokenCount").saturating_add(some("toolUsePromptTokenCount")),
        cached_input: some("cachedContentTokenCount"),
        cache_write: 0,
        output: some("candidatesTokenCount").saturating_add(thoughts),
        reasoning: thoughts,
        audio_input: input("AUDIO"),
        audio_output: media("candidatesTokensDetails", "AUDIO"),
        image_input: input("IMAGE"),
        image_output: media("candidatesTokensDetails", "IMAGE"),
    })
}

/// Writes the member.
pub(super) fn write(out: &mut Vec<u8>, usage: &Usage) {
    raw(out, "usageMetadata", "{");
    number(out, "promptTokenCount", usage.input);
    let written = usage.output.saturating_sub(usage.reasoning);
    number(out, "candidatesTokenCount", written);
    number(out, "totalTokenCount", usage.total());
    if usage.cached_input > 0 {
        number(out, "cachedContentTokenCount", usage.cached_input);
    }
    if usage.reasoning > 0 {
        // More thinking than output would not add up.
        number(out, "thoughtsTokenCount", usage.reasoning.min(usage.output));
    }
    if usage.audio_input > 0 {
        details(out, "promptTokensDetails", usage.input, usage.audio_input);
    }
    if usage.audio_output > 0 {
        details(out, "candidatesTokensDetails", written, usage.audio_output);
    }
    out.push(b'}');
}

fn details(out: &mut Vec<u8>, name: &'static str, all: u64, audio: u64) {
    raw(out, name, "[");
    for (modality, tokens) in [("TEXT", all.saturating_sub(audio)), ("AUDIO", audio)] {
        comma(out);
        out.push(b'{');
        text(out, "modality", modality);
        number(out, "tokenCount", tokens);
        out.push(b'}');
    }
    out.push(b']');
}
