//! OpenAI's images: made, or changed in a form.

use serde_json::{Value, json};

use super::{error, refused, streams};
use crate::answer::Weight;
use crate::api::{Ask, CREATED, Failure, Reply, Task};
use crate::check::{At, Field, Kind, Mode, fields, object, opt, req};
use crate::events::Events;

pub const TASK: Task = Task {
    serves: |line| {
        let mut found = ["/images/generations", "/images/edits", "/images/variations"].into_iter();
        found.find_map(|end| line.posts(end))
    },
    streams,
    answer: respond,
    error: |failure, _| error(failure),
    error_event: |failure, _| format!("event: error\ndata: {}\n\n", error(failure)).into_bytes(),
};

/// A picture of one point.
pub const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// Of a form too, where a number is text.
const TOP: &[Field] = &[
    req("prompt", Kind::Str),
    opt("model", Kind::Str),
    opt("image", Kind::Any),
    opt("images", Kind::Any),
    opt("mask", Kind::Any),
    opt("n", Kind::Any),
    opt("size", Kind::Str),
    opt("quality", Kind::OneOf(&["auto", "standard", "hd", "low", "medium", "high"])),
    opt("style", Kind::OneOf(&["vivid", "natural"])),
    opt("response_format", Kind::OneOf(&["url", "b64_json"])),
    opt("output_format", Kind::OneOf(&["png", "jpeg", "webp"])),
    opt("output_compression", Kind::Any),
    opt("background", Kind::OneOf(&["transparent", "opaque", "auto"])),
    opt("moderation", Kind::Str),
    opt("input_fidelity", Kind::OneOf(&["low", "high"])),
    opt("partial_images", Kind::Any),
    opt("stream", Kind::Any),
    opt("user", Kind::Str),
];

fn respond(ask: &Ask) -> Result<Reply, Failure> {
    let root = At::Root(Mode { lenient: ask.shape.lenient, nulls: true });
    object(ask.body, &root).and_then(|body| fields(body, &root, &[TOP])).map_err(|bad| refused(&bad))?;
    let text = |name: &str| ask.body.get(name).and_then(Value::as_str);
    let count = match ask.body.get("n") {
        Some(Value::Number(n)) => n.as_u64(),
        Some(Value::String(n)) => n.parse().ok(),
        _ => Some(1),
    };
    let count = count.filter(|n| (1..=10).contains(n)).ok_or_else(|| Failure::new(400, "Invalid 'n'.").param("n"))?;
    let mut weight = Weight::default();
    ["prompt", "image", "images"].iter().filter_map(|name| ask.body.get(*name)).for_each(|part| weight.add(part));
    let (input, output) = (weight.tokens(), count.saturating_mul(272));
    let usage = json!({
        "total_tokens": input.saturating_add(output),
        "input_tokens": input,
        "output_tokens": output,
        "input_tokens_details": {"text_tokens": input, "image_tokens": 0},
    });
    // Older models count nothing, and give addresses unless asked not to.
    let older = ask.model.starts_with("dall-e");
    if ask.framing.is_some() {
        let mut events = Events::default();
        for kind in ["image_generation.partial_image", "image_generation.completed"] {
            let mut event = json!({"type": kind, "b64_json": PIXEL, "created_at": CREATED, "size": "1024x1024",
                "quality": "low", "background": "opaque", "output_format": "png"});
            let (name, value) =
                if kind.ends_with("completed") { ("usage", usage.clone()) } else { ("partial_image_index", json!(0)) };
            event.as_object_mut().map(|event| event.insert(name.to_owned(), value));
            events.named(kind, &[&event.to_string()]);
        }
        return Ok(Reply::stream(events, usage));
    }
    let image = match older && text("response_format") != Some("b64_json") {
        true => json!({"url": format!("https://images.example.com/{:016x}.png", ask.seed)}),
        false => json!({"b64_json": PIXEL}),
    };
    let data: Vec<Value> = (0..count).map(|_| image.clone()).collect();
    let mut body = json!({"created": CREATED, "data": data});
    if let (false, Some(body)) = (older, body.as_object_mut()) {
        body.insert("usage".to_owned(), usage.clone());
    }
    Ok(Reply::json(&body, if older { Value::Null } else { usage }))
}
