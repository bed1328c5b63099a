//! OpenAI's speech, and text of speech.

use serde_json::{Value, json};

use super::{error, refused, streams};
use crate::api::{Ask, Content, Failure, Reply, Task, hash};
use crate::check::{At, Field, Kind, Mode, fields, object, opt, req};
use crate::events::{Events, Framing};
use crate::vector::base64;

pub const SPEECH: Task = Task {
    serves: |line| line.posts("/audio/speech"),
    streams: |body| (body.get("stream_format") == Some(&json!("sse"))).then_some(Framing::Sse),
    answer: speak,
    error: |failure, _| error(failure),
    error_event,
};

pub const TEXT: Task = Task {
    serves: |line| line.posts("/audio/transcriptions").or(line.posts("/audio/translations")),
    streams,
    answer: hear,
    error: |failure, _| error(failure),
    error_event,
};

/// Bytes of sound for a byte of text.
const SOUND: usize = 64;
/// Tokens of any sound.
const HEARD: u64 = 14;

const SPEAK: &[Field] = &[
    req("input", Kind::Str),
    req("model", Kind::Str),
    req("voice", Kind::Any),
    opt("instructions", Kind::Str),
    opt("response_format", Kind::OneOf(&["mp3", "opus", "aac", "flac", "wav", "pcm"])),
    opt("speed", Kind::Num(0.25..=4.0)),
    opt("stream_format", Kind::OneOf(&["sse", "audio"])),
];

/// Of a form, where all but files is text.
const HEAR: &[Field] = &[
    req("file", Kind::Object),
    req("model", Kind::Str),
    opt("language", Kind::Str),
    opt("prompt", Kind::Str),
    opt("response_format", Kind::OneOf(&["json", "text", "srt", "verbose_json", "vtt", "diarized_json"])),
    opt("temperature", Kind::Str),
    opt("include", Kind::Any),
    opt("timestamp_granularities", Kind::Any),
    opt("chunking_strategy", Kind::Any),
    opt("stream", Kind::Str),
];

fn error_event(failure: &Failure, _: Framing) -> Vec<u8> {
    format!("event: error\ndata: {}\n\n", error(failure)).into_bytes()
}

fn checked(ask: &Ask, table: &[Field]) -> Result<(), Failure> {
    let root = At::Root(Mode { lenient: ask.shape.lenient, nulls: true });
    object(ask.body, &root).and_then(|body| fields(body, &root, &[table])).map_err(|bad| refused(&bad))
}

fn speak(ask: &Ask) -> Result<Reply, Failure> {
    checked(ask, SPEAK)?;
    let text = ask.body.get("input").and_then(Value::as_str).unwrap_or_default();
    let mut state = hash(text.as_bytes());
    let noise = std::iter::repeat_with(|| {
        state = hash(&state.to_le_bytes());
        state.to_le_bytes()
    });
    let sound: Vec<u8> = noise.flatten().take(text.len().saturating_mul(SOUND)).collect();
    if ask.framing.is_none() {
        let kind = match ask.body.get("response_format").and_then(Value::as_str) {
            Some("opus") => "audio/opus",
            Some("aac") => "audio/aac",
            Some("flac") => "audio/flac",
            Some("wav") => "audio/wav",
            Some("pcm") => "audio/pcm",
            _ => "audio/mpeg",
        };
        return Ok(Reply::new(Content::Bytes(kind, sound), Value::Null));
    }
    let mut events = Events::default();
    for piece in sound.chunks(1024) {
        events.data(&[&json!({"type": "speech.audio.delta", "audio": base64(piece)}).to_string()]);
    }
    let (input, output) = (text.len().div_ceil(4), sound.len().div_ceil(100));
    let usage = json!({"input_tokens": input, "output_tokens": output, "total_tokens": input.saturating_add(output)});
    events.data(&[&json!({"type": "speech.audio.done", "usage": usage}).to_string()]);
    Ok(Reply::stream(events, usage))
}

/// Says which file it heard.
fn hear(ask: &Ask) -> Result<Reply, Failure> {
    checked(ask, HEAR)?;
    let member = |path: &str| ask.body.pointer(path);
    let file = member("/file/filename").and_then(Value::as_str).unwrap_or_default();
    let bytes = member("/file/bytes").and_then(Value::as_u64).unwrap_or_default();
    let text = format!("The stand-in heard {file}: {bytes} bytes");
    let words: Vec<&str> = text.split_inclusive(' ').collect();
    let output = u64::try_from(words.len()).unwrap_or(u64::MAX);
    let usage = json!({
        "type": "tokens",
        "input_tokens": HEARD,
        "input_token_details": {"text_tokens": 0, "audio_tokens": HEARD},
        "output_tokens": output,
        "total_tokens": HEARD.saturating_add(output),
    });
    if ask.framing.is_some() {
        let mut events = Events::default();
        for word in words {
            events.data(&[&json!({"type": "transcript.text.delta", "delta": word}).to_string()]);
        }
        events.data(&[&json!({"type": "transcript.text.done", "text": text, "usage": usage}).to_string()]);
        return Ok(Reply::stream(events, usage));
    }
    Ok(match member("/response_format").and_then(Value::as_str) {
        Some("text" | "srt" | "vtt") => {
            Reply::new(Content::Bytes("text/plain; charset=utf-8", format!("{text}\n").into_bytes()), Value::Null)
        }
        Some("verbose_json") => Reply::json(
            &json!({"task": "transcribe", "language": "english", "duration": 1.5, "text": text, "segments": [],
                "usage": {"type": "duration", "seconds": 2}}),
            Value::Null,
        ),
        _ => Reply::json(&json!({"text": text, "usage": usage}), usage),
    })
}
