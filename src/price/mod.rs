//! What a call costs: rates by upstream model, in integers throughout.
//!
//! A rate is kept in billionths of a dollar per million tokens, which is 10^-15 dollars a token; sums are of those; a
//! cost is in billionths of a dollar (nano-dollars), rounded up, once, at its end.
//!
//! May use: chat.
//!
//! To add a rate: its name in [`RATES`], its place in `Rate`, what it falls back to in `fallback`, and its tokens in
//! `Parts`.

mod decimal;
mod list;

pub use decimal::{billionths as nanos, dollars};
pub use list::{PriceList, Tier, Written, Wrong};

use crate::chat::Usage;

/// Billionths of a dollar.
pub type Nanos = u64;

/// 10^-15 dollars a token in a billionth of a dollar.
const PER_NANO: u128 = 1_000_000;

const KINDS: usize = 9;

/// The rates of the configuration, in dollars per million tokens.
pub const RATES: &[&str; KINDS] = &[
    "input",
    "cached_input",
    "cache_write",
    "audio_input",
    "image_input",
    "output",
    "reasoning",
    "audio_output",
    "image_output",
];

/// In dollars for each call.
pub const PER_REQUEST: &str = "per_request";

/// Place of a rate in [`RATES`].
#[derive(Clone, Copy)]
enum Rate {
    Input,
    CachedInput,
    CacheWrite,
    AudioInput,
    ImageInput,
    Output,
    Reasoning,
    AudioOutput,
    ImageOutput,
}

const INPUT: &[Rate] = &[Rate::Input, Rate::CachedInput, Rate::CacheWrite];
/// A model that makes images does so unasked.
const OUTPUT: &[Rate] = &[Rate::Output, Rate::Reasoning, Rate::ImageOutput];
const MEDIA_INPUT: &[Rate] = &[Rate::AudioInput, Rate::ImageInput];
const MEDIA_OUTPUT: &[Rate] = &[Rate::AudioOutput];

/// The rate that counts where the one at this place is not given.
fn fallback(place: usize) -> usize {
    if place < Rate::Output as usize { Rate::Input as usize } else { Rate::Output as usize }
}

/// All rates of a price or of one of its tiers, none missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rates([u64; KINDS]);

impl Rates {
    fn at(&self, rate: Rate) -> u64 {
        self.0.get(rate as usize).copied().unwrap_or_default()
    }

    fn dearest(&self, of: &[Rate]) -> u64 {
        of.iter().map(|rate| self.at(*rate)).max().unwrap_or_default()
    }
}

/// What one model costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    base: Rates,
    /// By their bound, lowest first: the rates of a call whose input is above it, for all its tokens.
    tiers: Vec<(u64, Rates)>,
    /// For each call.
    request: Nanos,
}

/// Tokens of a call, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parts([u64; KINDS]);

impl Parts {
    /// Together exactly the usage's input and output. Where parts overlap or exceed their whole, the dear kinds are
    /// taken first; a part that is larger than its whole is believed.
    fn of(usage: &Usage) -> Self {
        let mut parts = Self::default();
        let mut input =
            usage.input.max(usage.cached_input).max(usage.cache_write).max(usage.audio_input).max(usage.image_input);
        let mut output = usage.output.max(usage.reasoning).max(usage.audio_output).max(usage.image_output);
        parts.take(&mut input, Rate::AudioInput, usage.audio_input);
        parts.take(&mut input, Rate::CacheWrite, usage.cache_write);
        parts.take(&mut input, Rate::CachedInput, usage.cached_input);
        // An image that was read from the cache is as cheap as text from there.
        parts.take(&mut input, Rate::ImageInput, usage.image_input);
        parts.take(&mut input, Rate::Input, u64::MAX);
        parts.take(&mut output, Rate::AudioOutput, usage.audio_output);
        parts.take(&mut output, Rate::ImageOutput, usage.image_output);
        parts.take(&mut output, Rate::Reasoning, usage.reasoning);
        parts.take(&mut output, Rate::Output, u64::MAX);
        parts
    }

    fn take(&mut self, left: &mut u64, rate: Rate, tokens: u64) {
        let taken = tokens.min(*left);
        *left = left.saturating_sub(taken);
        if let Some(part) = self.0.get_mut(rate as usize) {
            *part = taken;
        }
    }

    /// What decides on the tier.
    fn input(&self) -> u64 {
        self.0.iter().take(Rate::Output as usize).fold(0, |sum, part| sum.saturating_add(*part))
    }
}

impl Price {
    /// What a call cost: never less than the exact sum, and less than a billionth of a dollar more.
    pub fn cost(&self, usage: &Usage) -> Nanos {
        let parts = Parts::of(usage);
        let rates = self.rates(parts.input());
        let sum =
            parts.0.iter().zip(&rates.0).fold(0, |sum: u128, (tokens, rate)| sum.saturating_add(times(*tokens, *rate)));
        self.total(sum)
    }

    /// The most that a call can cost whose tokens are at most these. `media`: audio or images may go in or come out.
    pub fn upper(&self, input: u64, output: u64, media: bool) -> Nanos {
        let reached = self.tiers.iter().filter(|(above, _)| input > *above).map(|(_, rates)| rates);
        let most = std::iter::once(&self.base).chain(reached).map(|rates| {
            let (mut dear_in, mut dear_out) = (rates.dearest(INPUT), rates.dearest(OUTPUT));
            if media {
                dear_in = dear_in.max(rates.dearest(MEDIA_INPUT));
                dear_out = dear_out.max(rates.dearest(MEDIA_OUTPUT));
            }
            times(input, dear_in).saturating_add(times(output, dear_out))
        });
        self.total(most.max().unwrap_or_default())
    }

    /// Those that count for a call with that much input.
    fn rates(&self, input: u64) -> &Rates {
        self.tiers.iter().rev().find(|(above, _)| input > *above).map_or(&self.base, |(_, rates)| rates)
    }

    fn total(&self, sum: u128) -> Nanos {
        Nanos::try_from(sum.div_ceil(PER_NANO)).unwrap_or(Nanos::MAX).saturating_add(self.request)
    }
}

fn times(tokens: u64, rate: u64) -> u128 {
    u128::from(tokens).saturating_mul(u128::from(rate))
}

#[cfg(test)]
mod tests;
