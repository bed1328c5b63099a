//! What the Claude models can do, by name. Names of the cloud vendors (`us.anthropic.claude-opus-4-6-v1`) are known too.

use super::wire::RESPONSES;
use crate::chat::{Part, Request, Role};

/// How a model is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinks {
    Never,
    /// Within a budget of tokens.
    Budget,
    /// As it sees fit, guided by an effort.
    Adaptive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    pub thinks: Thinks,
    /// Refuses to be told not to think.
    pub always_thinks: bool,
    /// Thinks unless told not to.
    pub thinks_unasked: bool,
    /// Takes `temperature`, `top_p` and `top_k`.
    pub samples: bool,
    /// Takes `temperature` or `top_p`, not both.
    pub one_sampler: bool,
    pub effort: bool,
    pub effort_max: bool,
    pub effort_xhigh: bool,
    /// Takes `output_config.format` and `strict` tools.
    pub schemas: bool,
    /// Takes a system turn after a user's.
    pub late_system: bool,
    /// Most `max_tokens` may be.
    pub most_output: u64,
}

/// A model that is not Claude behind the same API: only what has been there for long.
const STRANGER: Abilities = Abilities {
    thinks: Thinks::Budget,
    always_thinks: false,
    thinks_unasked: false,
    samples: true,
    one_sampler: false,
    effort: false,
    effort_max: false,
    effort_xhigh: false,
    schemas: false,
    late_system: false,
    most_output: 64_000,
};

/// The version of a name that has none: the newest, which takes the least.
const NEWEST: (u32, u32) = (u32::MAX, 0);

pub fn abilities(model: &str) -> Abilities {
    let model = model.to_ascii_lowercase();
    let Some((_, name)) = model.split_once("claude") else { return STRANGER };
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    let has = |family: &str| name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == family);
    let number = |word: &&str| (word.len() <= 2).then(|| word.parse::<u32>().ok()).flatten();
    while words.peek().is_some_and(|word| number(word).is_none()) {
        words.next();
    }
    let version = match words.next().as_ref().and_then(number) {
        Some(major) => (major, words.next().as_ref().and_then(number).unwrap_or(0)),
        None => NEWEST,
    };
    let always = has("fable") || has("mythos");
    Abilities {
        thinks: match version {
            (0..=2, _) | (3, 0..=6) => Thinks::Never,
            (3, _) | (4, 0..=5) => Thinks::Budget,
            _ => Thinks::Adaptive,
        },
        always_thinks: always,
        thinks_unasked: always || version >= (5, 0),
        samples: version < (4, 7),
        one_sampler: version >= (4, 1),
        effort: version >= (4, 6) || (version == (4, 5) && has("opus")),
        effort_max: version >= (4, 6),
        effort_xhigh: version >= (4, 7),
        schemas: version >= (4, 5),
        late_system: version >= (4, 8) && !(has("sonnet") && version == (5, 0)),
        most_output: match version {
            (0..=2, _) | (3, 0..=4) => 4_096,
            (3, 5..=6) => 8_192,
            (4, 0..=1) if has("opus") => 32_000,
            (3, _) | (4, 0..=5) => 64_000,
            _ => 128_000,
        },
    }
}

/// Thinking that a Claude model may have signed or sealed.
pub fn sealed(part: &Part) -> bool {
    match part {
        Part::Redacted { data: seal } | Part::Thinking { signature: Some(seal), .. } => !seal.starts_with(RESPONSES),
        _ => false,
    }
}

/// May the model think on? Within a run of tool calls its last turn must begin with the thinking it signed.
pub fn signed(request: &Request) -> bool {
    let turns = request.turns.iter().rev().filter(|turn| !matches!(turn.role, Role::System | Role::Developer));
    let mut results = false;
    for turn in turns {
        match turn.role {
            Role::Tool => results = true,
            Role::Assistant if results => {
                return turn.parts.iter().any(sealed);
            }
            _ if results => return true,
            // What the user says after results, in the same turn.
            Role::User => {}
            _ => return true,
        }
    }
    true
}
