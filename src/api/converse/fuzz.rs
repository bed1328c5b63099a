//! What must hold for any bytes.

#![expect(clippy::panic, reason = "a fuzz function fails by panic")]

use super::Converse;
use crate::api::{Api, Asked, Target};
use crate::chat::Event;
use crate::framing::eventstream;
use crate::json::Body;

/// What can be read can be written, and what is written can be read.
pub fn fuzz_request(data: &[u8]) {
    let Some(request) = Body::parse(data).ok().and_then(|body| Converse.read_request(body.value()).ok()) else {
        return;
    };
    for model in ["claude-3-7", "claude-sonnet-5", "nova-2-lite", "gpt-oss", "meta.llama", "another"] {
        let target = Target { model, max_tokens: 4096, stream_usage: true, echo_reasoning: false };
        let written = Converse.write_request(&request, &target).body;
        if let Err(error) = Body::parse(&written).and_then(|body| Converse.read_request(body.value())) {
            panic!("{error:?} in {}", String::from_utf8_lossy(&written));
        }
    }
}

/// A stream ends once however it is cut, and gives the same events; what is written of it ends properly too.
///
/// The input is either a stream or, in lines of a name and data, what its frames are made of.
pub fn fuzz_stream(data: &[u8]) {
    check(data);
    let mut made = Vec::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some(space) = line.iter().position(|byte| *byte == b' ') else { continue };
        let (name, payload) = line.split_at(space);
        let Some(name) = std::str::from_utf8(name).ok().filter(|name| name.len() < 100) else { continue };
        let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
        eventstream::write(&mut made, &headers, payload);
    }
    check(&made);
}

fn check(stream: &[u8]) {
    let whole = events(stream, stream.len().max(1));
    let ends = |event: &String| event.starts_with("End") || event.starts_with("Error");
    if whole.iter().filter(|event| ends(event)).count() != 1 || !whole.last().is_some_and(ends) {
        panic!("not one ending: {whole:?}");
    }
    for size in [1, 7] {
        let cut = events(stream, size);
        if cut != whole {
            panic!("by {size}: {cut:?}, whole: {whole:?}");
        }
    }
    let again = events(&rewritten(stream), 64);
    if again.iter().filter(|event| ends(event)).count() != 1 {
        panic!("not one ending when written: {again:?}");
    }
}

/// The events of a stream that comes in pieces of that size.
pub(super) fn events(stream: &[u8], size: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut reader = Converse.reader();
    for piece in stream.chunks(size) {
        reader.read(piece, &mut |event: Event<'_>| all.push(format!("{event:?}")));
    }
    reader.close(&mut |event: Event<'_>| all.push(format!("{event:?}")));
    all
}

/// The stream as a client of this API would get it, if it came from elsewhere.
pub(super) fn rewritten(stream: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = Converse.reader();
    let mut writer = Converse.writer(Asked { id: "1".to_owned(), ..Asked::default() });
    reader.read(stream, &mut |event: Event<'_>| writer.write(&event, &mut out));
    reader.close(&mut |event: Event<'_>| writer.write(&event, &mut out));
    out
}
