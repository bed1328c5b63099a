//! What images, audio and documents come to, by the vendors' published rules.

use super::count::Count;
use super::image;
use super::model::{Model, Size};
use super::weigh;
use crate::chat::{Source, is_text};

/// Whose rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// Tiles of 512 pixels after scaling, or patches of 32 for small models.
    OpenAi,
    /// A token for 750 pixels, the longest side at most 1568.
    Anthropic,
    /// The same, the longest side at most 2576.
    AnthropicLarge,
    /// 258 for a small image, or for each tile and the whole of it.
    Gemini,
    /// The same is published; 258 for any image is what calls are charged.
    Gemini25,
    /// 1120 for an image unless it is asked for in another resolution.
    Gemini3,
    /// None published: as Anthropic's, with room for patches of 16 pixels.
    Generic,
    /// The same; a document's page is as recorded.
    Nova,
    /// Patches of 16 pixels.
    Pixtral,
    /// Tiles of 336 pixels.
    Llama4,
}

impl Media {
    /// Of open models.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Generic | Self::Nova | Self::Pixtral | Self::Llama4)
    }
}

/// Of an image whose size is not known.
const TYPICAL: (u64, u64) = (1024, 1024);

pub(super) fn image(model: Model, source: &Source, detail: Option<&str>) -> Count {
    let size = source.inline().and_then(|(_, data)| image::size(data));
    let of = |size| sized(model, size, detail);
    match size {
        Some(size) => Count::estimate(of(size), widest(model, size, of(size))),
        None => Count::estimate(of(TYPICAL), widest(model, TYPICAL, largest(model, detail))),
    }
}

/// Little room where a vendor's rule is published; where none is, as many as any family has of patches.
fn widest(model: Model, size: (u64, u64), likely: u64) -> u64 {
    match model.rule.media {
        open if open.is_open() => likely.max(patches(size)).max(LEAST_OPEN),
        Media::Gemini | Media::Gemini25 => likely.max(tiles(size).saturating_add(2).saturating_mul(258)),
        _ => likely.saturating_add(likely / 64).saturating_add(8),
    }
}

/// Many scale a small image up: to 256 tokens, and what stands around them.
const LEAST_OPEN: u64 = 272;

/// Of 16 pixels, and one more for each row of them.
fn patches(size: (u64, u64)) -> u64 {
    let (width, height) = fit(size, 1024, u64::max);
    width.div_ceil(16).saturating_add(1).saturating_mul(height.div_ceil(16)).saturating_add(8)
}

fn sized(model: Model, (width, height): (u64, u64), detail: Option<&str>) -> u64 {
    let area = |(width, height): (u64, u64), unit: u64| width.saturating_mul(height).div_ceil(unit);
    match model.rule.media {
        Media::OpenAi => match (patch_hundredths(model), tile(model)) {
            (Some(hundredths), _) => {
                let patches = width.div_ceil(32).saturating_mul(height.div_ceil(32)).min(most_patches(model, detail));
                patches.saturating_mul(hundredths).div_ceil(100)
            }
            (None, (base, _)) if detail == Some("low") => base,
            (None, (base, each)) => {
                let (width, height) = fit((width, height), 2048, u64::max);
                let (width, height) = fit((width, height), 768, u64::min);
                let tiles = width.div_ceil(512).saturating_mul(height.div_ceil(512));
                tiles.saturating_mul(each).saturating_add(base)
            }
        },
        Media::Anthropic => area(fit((width, height), 1568, u64::max), 750).min(1600),
        Media::AnthropicLarge => area(fit((width, height), 2576, u64::max), 750).min(4784),
        Media::Gemini25 => 258,
        Media::Gemini if width.max(height) <= 384 => 258,
        Media::Gemini => tiles((width, height)).saturating_add(1).saturating_mul(258),
        Media::Gemini3 => 1120,
        Media::Generic | Media::Nova => area(fit((width, height), 1568, u64::max), 750).min(MAX_GENERIC),
        Media::Pixtral => patches((width, height)),
        Media::Llama4 => {
            let tiles = width.div_ceil(336).saturating_mul(height.div_ceil(336));
            tiles.saturating_add(1).min(MAX_TILES).saturating_mul(148)
        }
    }
}

/// That Gemini cuts an image into.
fn tiles(size: (u64, u64)) -> u64 {
    let (width, height) = fit(size, 3072, u64::max);
    let unit = (width.min(height).saturating_mul(2) / 3).clamp(256, 768);
    width.div_ceil(unit).saturating_mul(height.div_ceil(unit))
}

/// Patches of an image at most. Newer models look at it as it is, unless they are told otherwise.
fn most_patches(model: Model, detail: Option<&str>) -> u64 {
    match (model.rule.patches, detail) {
        ([0, _], _) => 1536,
        (_, Some("high")) => 2500,
        _ => 12_000,
    }
}

const MAX_GENERIC: u64 = 4096;

/// Tiles of 336 pixels that Llama 4 cuts an image into at most, with the whole of it as one more.
const MAX_TILES: u64 = 16;

/// The most that any image comes to.
fn largest(model: Model, detail: Option<&str>) -> u64 {
    match model.rule.media {
        Media::OpenAi => match patch_hundredths(model) {
            Some(hundredths) => most_patches(model, detail).saturating_mul(hundredths).div_ceil(100),
            None => sized(model, (2048, 768), detail),
        },
        Media::Anthropic => 1600,
        Media::AnthropicLarge => 4784,
        // The most tiles are two rows of twelve, the whole, and one more.
        Media::Gemini | Media::Gemini25 => 258_u64.saturating_mul(26),
        Media::Gemini3 => 1120,
        Media::Generic | Media::Nova | Media::Pixtral | Media::Llama4 => MAX_GENERIC.saturating_add(MAX_GENERIC / 16),
    }
}

/// Scaled down until the side that `of` picks is at most so long.
fn fit((width, height): (u64, u64), most: u64, of: fn(u64, u64) -> u64) -> (u64, u64) {
    let side = of(width, height);
    if side <= most {
        return (width, height);
    }
    let scale = |side_: u64| u128::from(side_).saturating_mul(most.into()).div_ceil(side.max(1).into());
    let scale = |side: u64| u64::try_from(scale(side)).unwrap_or(u64::MAX).max(1);
    (scale(width), scale(height))
}

/// Small models count patches, and newer ones: hundredths of a token for each.
fn patch_hundredths(model: Model) -> Option<u64> {
    let [full, mini] = model.rule.patches;
    match model.size {
        Size::Nano => Some(246),
        Size::Mini if !model.is_4o => Some(mini.into()),
        _ => Some(full.into()).filter(|full| *full > 0),
    }
}

/// Tokens of an image, and of each of its tiles.
fn tile(model: Model) -> (u64, u64) {
    match model.size {
        Size::Mini if model.is_4o => (2833, 5667),
        // Models that reason; gpt-5's are a little fewer.
        _ if model.rule.tools_chat > 0 => (75, 150),
        _ => (85, 170),
    }
}

/// Bytes of sound a second where no header says: 128 kbit/s; at least 32 kbit/s.
const AUDIO_RATE: u64 = 16_000;
const LEAST_AUDIO_RATE: u64 = 4_000;

pub(super) fn audio(model: Model, base64: &str) -> Count {
    let bytes = decoded(base64);
    let (rate, least) = image::wav_rate(base64).map_or((AUDIO_RATE, LEAST_AUDIO_RATE), |rate| (rate, rate));
    let each = match model.rule.media {
        Media::Gemini | Media::Gemini25 | Media::Gemini3 => 32,
        Media::OpenAi => 10,
        _ => 25,
    };
    let tokens = |rate: u64| bytes.saturating_mul(each).div_ceil(rate);
    let most = tokens(least);
    Count::estimate(tokens(rate), most.saturating_add(most / 16).saturating_add(2))
}

/// Bytes of a document's page, as a rule and at least; and what a page comes to: text and, for some, an image of it.
const PAGE: u64 = 50_000;
const LEAST_PAGE: u64 = 2_000;

/// Pages that a vendor takes at most.
const MAX_PAGES: u64 = 1_000;

/// `result`: a tool brought it.
pub(super) fn document(model: Model, source: &Source, result: bool) -> Count {
    let (likely, most) = match model.rule.media {
        Media::Gemini | Media::Gemini25 => (258, 560),
        // What a tool brings is looked at closely, other documents where a high resolution is asked for.
        Media::Gemini3 => (if result { 1120 } else { 560 }, 1120),
        Media::Anthropic | Media::AnthropicLarge => (2_250, 3_000),
        Media::Nova => (2_560, 3_500),
        _ => (1_200, 2_500),
    };
    let known = source.inline().map(|(media_type, data)| (media_type, decoded(data)));
    if let Some((_, bytes)) = known.filter(|(media_type, _)| is_text(media_type)) {
        return Count::estimate(bytes / 4, bytes.saturating_add(weigh::above(bytes)));
    }
    let (pages, at_most) = known.map_or((10, 100), |(_, bytes)| {
        (bytes.div_ceil(PAGE).clamp(1, MAX_PAGES), bytes.div_ceil(LEAST_PAGE).clamp(1, MAX_PAGES))
    });
    Count::estimate(pages.saturating_mul(likely), at_most.saturating_mul(most))
}

fn decoded(base64: &str) -> u64 {
    (base64.len() as u64 / 4).saturating_mul(3)
}
