//! OpenAI's formats besides chat: <https://platform.openai.com/docs/api-reference>.

use super::{Format, Operation, Shape};
use crate::api::{Line, Named, openai};
use crate::chat::Usage;
use crate::json::Value;
use std::borrow::Cow;

macro_rules! at {
    ($path:literal) => {
        |line: &Line<'_>| posted(line, $path)
    };
}

fn posted(line: &Line<'_>, path: &str) -> Option<Named> {
    let (below, form) = openai::below(line.path)?;
    (line.method == "POST" && below == path).then(|| Named { form, ..Named::default() })
}

const BASE: Format = Format { usage, ..Format::BASE };

pub static EMBEDDINGS: Format = Format {
    name: "openai-embeddings",
    operation: Operation::Embed,
    takes: at!("embeddings"),
    path: |_| Cow::Borrowed("/embeddings"),
    codec: Some(super::embeddings::CODEC),
    ..BASE
};

pub static MODERATIONS: Format = Format {
    name: "openai-moderations",
    operation: Operation::Moderate,
    takes: at!("moderations"),
    path: |_| Cow::Borrowed("/moderations"),
    model: Some("omni-moderation-latest"),
    ..BASE
};

pub static IMAGES: Format = Format {
    name: "openai-images",
    operation: Operation::Image,
    takes: at!("images/generations"),
    usage: images,
    path: |_| Cow::Borrowed("/images/generations"),
    model: Some("dall-e-2"),
    ..BASE
};

pub static IMAGE_EDITS: Format = Format {
    name: "openai-image-edits",
    operation: Operation::Image,
    takes: at!("images/edits"),
    usage: images,
    path: |_| Cow::Borrowed("/images/edits"),
    body: Shape::Form,
    model: Some("dall-e-2"),
    ..BASE
};

pub static SPEECH: Format = Format {
    name: "openai-speech",
    operation: Operation::Speech,
    takes: at!("audio/speech"),
    path: |_| Cow::Borrowed("/audio/speech"),
    ..BASE
};

pub static TRANSCRIPTIONS: Format = Format {
    name: "openai-transcriptions",
    operation: Operation::Transcribe,
    takes: at!("audio/transcriptions"),
    path: |_| Cow::Borrowed("/audio/transcriptions"),
    body: Shape::Form,
    ..BASE
};

pub static TRANSLATIONS: Format = Format {
    name: "openai-translations",
    operation: Operation::Transcribe,
    takes: at!("audio/translations"),
    path: |_| Cow::Borrowed("/audio/translations"),
    body: Shape::Form,
    ..BASE
};

/// Embeddings count `prompt_tokens`, images and transcriptions `input_tokens` and `output_tokens`, and a stream has
/// its usage in the last event.
fn usage(body: Value<'_>) -> Option<Usage> {
    let given = body.get("usage")?;
    let count = |names: &[&str]| names.iter().find_map(|name| given.get(name)?.count());
    let input = count(&["prompt_tokens", "input_tokens"]);
    let output = count(&["completion_tokens", "output_tokens"]);
    let total = count(&["total_tokens"]);
    input.or(output).or(total)?;
    let detail = |of: &str, name: &str| given.at(&[of, name]).and_then(|value| value.count()).unwrap_or(0);
    Some(Usage {
        input: input.or(total).unwrap_or(0),
        output: output.unwrap_or(0),
        cached_input: detail("input_tokens_details", "cached_tokens"),
        audio_input: detail("input_token_details", "audio_tokens"),
        image_input: detail("input_tokens_details", "image_tokens"),
        image_output: detail("output_tokens_details", "image_tokens"),
        ..Usage::default()
    })
}

/// Of what came out older models do not say that it is images.
fn images(body: Value<'_>) -> Option<Usage> {
    let usage = usage(body)?;
    let unsaid = body.at(&["usage", "output_tokens_details"]).is_none();
    Some(if unsaid { Usage { image_output: usage.output, ..usage } } else { usage })
}
