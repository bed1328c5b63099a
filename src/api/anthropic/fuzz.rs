//! What must hold for any bytes.

#![expect(clippy::panic, reason = "a fuzz function fails by panic")]

use super::Anthropic;
use crate::api::{Api, Asked, Target};
use crate::chat::Event;
use crate::json::Body;

/// What can be read can be written, and what is written can be read.
pub fn fuzz_request(data: &[u8]) {
    let Some(request) = Body::parse(data).ok().and_then(|body| Anthropic.read_request(body.value()).ok()) else {
        return;
    };
    for model in ["claude-3-haiku", "claude-sonnet-4-5", "claude-opus-5", "another"] {
        let target = Target { model, max_tokens: 4096, stream_usage: true, echo_reasoning: false };
        let written = Anthropic.write_request(&request, &target).body;
        if let Err(error) = Body::parse(&written).and_then(|body| Anthropic.read_request(body.value())) {
            panic!("{error:?} in {}", String::from_utf8_lossy(&written));
        }
    }
}

/// A stream ends once however it is cut, and gives the same events; what is written of it ends properly too.
pub fn fuzz_stream(data: &[u8]) {
    let whole = events(data, data.len().max(1));
    let ends = |event: &String| event.starts_with("End") || event.starts_with("Error");
    if whole.iter().filter(|event| ends(event)).count() != 1 || !whole.last().is_some_and(ends) {
        panic!("not one ending: {whole:?}");
    }
    for size in [1, 7] {
        let cut = events(data, size);
        if cut != whole {
            panic!("by {size}: {cut:?}, whole: {whole:?}");
        }
    }
    let again = events(&rewritten(data), 64);
    if again.iter().filter(|event| ends(event)).count() != 1 {
        panic!("not one ending when written: {again:?}");
    }
}

/// The events of a stream that comes in pieces of that size.
pub(super) fn events(stream: &[u8], size: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut reader = Anthropic.reader();
    for piece in stream.chunks(size) {
        reader.read(piece, &mut |event: Event<'_>| all.push(format!("{event:?}")));
    }
    reader.close(&mut |event: Event<'_>| all.push(format!("{event:?}")));
    all
}

/// The stream as a client of this API would get it, if it came from elsewhere.
pub(super) fn rewritten(stream: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = Anthropic.reader();
    let mut writer = Anthropic.writer(Asked { id: "1".to_owned(), ..Asked::default() });
    reader.read(stream, &mut |event: Event<'_>| writer.write(&event, &mut out));
    reader.close(&mut |event: Event<'_>| writer.write(&event, &mut out));
    out
}
