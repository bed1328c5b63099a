//! What must hold for any bytes.

#![expect(clippy::panic, reason = "a fuzz function fails by panic")]

use super::Gemini;
use crate::api::{Api, Asked, Form, Seen, Target};
use crate::chat::Event;
use crate::json::{Body, Tree, splice};

const MODELS: [&str; 4] = ["gemini-1.5-pro", "gemini-2.5-flash", "gemini-3-pro-preview", "gemma-3"];

/// What can be read can be written, what is written can be read, and from then on it is the same.
pub fn fuzz_request(data: &[u8]) {
    let Ok(body) = Body::parse(data) else { return };
    for model in MODELS {
        let target = Target { model, max_tokens: 4096, stream_usage: true, echo_reasoning: false };
        let spliced = splice(data, &Gemini.splice(body.value(), &target).edits);
        if Tree::default().read(&spliced).is_err() {
            panic!("a splice breaks the body: {}", String::from_utf8_lossy(&spliced));
        }
        let request = match Gemini.read_request(body.value()) {
            Ok(request) => request,
            Err(error) if error.status == 400 => return,
            Err(error) => panic!("{error:?}"),
        };
        let written = Gemini.write_request(&request, &target).body;
        let again = Body::parse(&written).and_then(|body| Gemini.read_request(body.value()));
        // A body of nesting just below the limit may come to lie deeper; one of empty texts has no content.
        let deep = data.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() >= 20;
        match again {
            Ok(again) => {
                if Tree::default().read(&Gemini.write_request(&again, &target).body).is_err() {
                    panic!("not written twice: {}", String::from_utf8_lossy(&written));
                }
            }
            Err(error) if deep || error.param.as_deref() == Some("contents") => {}
            Err(error) => panic!("{error:?} in {}", String::from_utf8_lossy(&written)),
        }
    }
}

/// A stream ends once however it is cut, and gives the same events; what is written of it, in either form, ends
/// properly too. The same bytes as a whole answer, and as an error, do no harm.
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
    let again = events(&rewritten(data, Form::Usual), 64);
    if again.iter().filter(|event| ends(event)).count() != 1 {
        panic!("not one ending when written: {again:?}");
    }
    let array = rewritten(data, Form::Array);
    if !Tree::default().read(&array).is_ok_and(|array| array.is_list()) {
        panic!("not an array: {}", String::from_utf8_lossy(&array));
    }
    Gemini.watch_answer(data, &mut Seen::default());
    if let Ok(answer) = Gemini.read_answer(data) {
        let written = Gemini.write_answer(&answer, &Asked::default());
        if Tree::default().read(&written).is_err() {
            panic!("not JSON: {}", String::from_utf8_lossy(&written));
        }
    }
    for status in [0, 200, 400, 429, 503, 529] {
        let (status, written) = Gemini.write_error(&Gemini.read_error(status, data));
        if status < 400 || Tree::default().read(&written).is_err() {
            panic!("{status}: {}", String::from_utf8_lossy(&written));
        }
    }
}

/// The events of a stream that comes in pieces of that size.
pub(super) fn events(stream: &[u8], size: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut reader = Gemini.reader();
    for piece in stream.chunks(size) {
        reader.read(piece, &mut |event: Event<'_>| all.push(format!("{event:?}")));
    }
    reader.close(&mut |event: Event<'_>| all.push(format!("{event:?}")));
    all
}

/// The stream as a client of this API would get it, if it came from elsewhere.
pub(super) fn rewritten(stream: &[u8], form: Form) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = Gemini.reader();
    let asked = Asked { id: "made".to_owned(), model: "asked".to_owned(), form, ..Asked::default() };
    let mut writer = Gemini.writer(asked);
    reader.read(stream, &mut |event: Event<'_>| writer.write(&event, &mut out));
    reader.close(&mut |event: Event<'_>| writer.write(&event, &mut out));
    out
}
