//! What the models can do, by name.

use super::wire::has;

/// How a model is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinks {
    Never,
    /// By a budget of tokens: the least and the most it takes. A least of 0 turns thinking off.
    Budget(u64, u64),
    /// By a level. `off` is the least there is; `medium`: it knows the one between.
    Level {
        off: &'static str,
        medium: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    pub(super) thinks: Thinks,
    /// Refuses a conversation whose calls have lost their signature.
    pub(super) signs_calls: bool,
    /// Answers by a schema although it has tools.
    pub(super) schema_with_tools: bool,
    /// Takes images within a tool's result.
    pub(super) sees_results: bool,
}

/// A name without a version is the newest's: `gemini-flash-latest`.
const NEWEST: (u32, u32) = (u32::MAX, 0);

pub(super) fn abilities(model: &str) -> Abilities {
    let model = model.to_ascii_lowercase();
    let Some((_, name)) = model.split_once("gemini") else {
        // Open models behind the same API.
        let thinks = Thinks::Never;
        return Abilities { thinks, signs_calls: false, schema_with_tools: false, sees_results: false };
    };
    let has = |word: &str| has(name, word);
    let version = name.split(['-', '@', '/']).find_map(|word| {
        let (major, minor) = word.split_once('.').unwrap_or((word, "0"));
        Some((major.parse::<u32>().ok().filter(|major| *major < 100)?, minor.parse().unwrap_or(0)))
    });
    let version = version.unwrap_or(NEWEST);
    let third = version >= (3, 0);
    let thinks = match version {
        _ if has("tts") || has("embedding") => Thinks::Never,
        _ if has("image") && !third => Thinks::Never,
        (0..=1, _) | (2, 0..=4) => Thinks::Never,
        (2, _) if has("lite") => Thinks::Budget(512, 24_576),
        (2, _) if has("flash") => Thinks::Budget(0, 24_576),
        (2, _) => Thinks::Budget(128, 32_768),
        _ if has("flash") => Thinks::Level { off: "MINIMAL", medium: true },
        _ => Thinks::Level { off: "LOW", medium: version >= (3, 1) },
    };
    Abilities { thinks, signs_calls: third, schema_with_tools: third, sees_results: third && !has("image") }
}
