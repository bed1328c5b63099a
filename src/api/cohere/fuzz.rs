//! What must hold for any bytes: nothing panics, what is written can be read, a stream ends once however it is cut.

use super::Cohere;
use crate::api::{Api, Asked, Seen, Target};
use crate::chat::Event;
use crate::json::{Body, MAX_DEPTH};
use serde_json::Value;

pub fn fuzz_request(body: &[u8]) {
    let Ok(object) = Body::parse(body) else { return };
    let target = Target { model: "command-a", max_tokens: 9, stream_usage: true, echo_reasoning: false };
    let request = match Cohere.read_request(object.value()) {
        Ok(request) => request,
        Err(error) => return assert_eq!(error.status, 400),
    };
    let written = Cohere.write_request(&request, &target).body;
    // A body of nesting just below the limit may come to lie deeper.
    let deep = body.iter().filter(|b| matches!(b, b'[' | b'{')).count() >= MAX_DEPTH / 2;
    let Ok(read) = Body::parse(&written).and_then(|object| Cohere.read_request(object.value())) else {
        assert!(deep, "cannot be read: {}", String::from_utf8_lossy(&written));
        return;
    };
    let again = Cohere.write_request(&read, &target).body;
    let more = Body::parse(&again).and_then(|object| Cohere.read_request(object.value()));
    let last = more.map(|more| Cohere.write_request(&more, &target).body);
    assert!(deep || last.is_ok_and(|last| last == again), "{}", String::from_utf8_lossy(&again));
}

pub fn fuzz_answer(body: &[u8]) {
    Cohere.watch_answer(body, &mut Seen::default());
    let asked = Asked { id: "made".to_owned(), ..Asked::default() };
    match Cohere.read_answer(body) {
        Ok(answer) => {
            let written = Cohere.write_answer(&answer, &asked);
            assert!(serde_json::from_slice::<Value>(&written).is_ok(), "{}", String::from_utf8_lossy(&written));
            assert!(Cohere.read_answer(&written).is_ok(), "{}", String::from_utf8_lossy(&written));
        }
        Err(error) => assert!(error.status >= 400),
    }
    for status in [0, 200, 400, 401, 404, 429, 498, 500, 529] {
        let (status, written) = Cohere.write_error(&Cohere.read_error(status, body));
        assert!((400..=599).contains(&status));
        assert!(serde_json::from_slice::<Value>(&written).is_ok_and(|v| v.get("message").is_some()));
    }
}

/// The first byte says where the rest is cut.
pub fn fuzz_stream(bytes: &[u8]) {
    let Some((at, stream)) = bytes.split_first() else { return };
    let whole = events(&[stream]);
    let (a, b) = stream.split_at(usize::from(*at).min(stream.len()));
    assert_eq!(events(&[a, b]), whole);
    let ends = |event: &String| event == "End" || event.starts_with("Error(");
    assert_eq!(whole.iter().filter(|event| ends(event)).count(), 1, "{whole:?}");
    assert!(whole.last().is_some_and(ends), "{whole:?}");
    assert!(whole.iter().filter(|e| e.starts_with("Start {")).count() <= 1);

    let mut seen = Seen::default();
    crate::framing::sse::Decoder::new().feed(&rewritten(stream), &mut |frame| {
        if let Some(data) = frame.data {
            assert!(serde_json::from_slice::<Value>(data).is_ok(), "{}", String::from_utf8_lossy(data));
            Cohere.watch_event(frame.name, data, false, &mut seen);
        }
    });
    assert!(seen.ended || seen.error.is_some());
}

/// The events of a stream that comes in these pieces.
pub(super) fn events(pieces: &[&[u8]]) -> Vec<String> {
    let mut all = Vec::new();
    let mut reader = Cohere.reader();
    for piece in pieces {
        reader.read(piece, &mut |event: Event<'_>| all.push(shown(&event)));
    }
    reader.close(&mut |event: Event<'_>| all.push(shown(&event)));
    all
}

fn shown(event: &Event<'_>) -> String {
    match event {
        Event::Error(error) => format!("Error({:?} {:?} {}: {})", error.kind, error.fault, error.status, error.message),
        event => format!("{event:?}"),
    }
}

/// The stream as a client of this API would get it, if it came from elsewhere.
pub(super) fn rewritten(stream: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = Cohere.reader();
    let mut writer = Cohere.writer(Asked { id: "made".to_owned(), ..Asked::default() });
    let mut write = |event: Event<'_>| writer.write(&event, &mut out);
    reader.read(stream, &mut write);
    reader.close(&mut write);
    out
}
