//! What must hold for any bytes: nothing panics, what is written can be read, a stream ends once however it is cut.

use super::OpenAi;
use crate::api::{Api, Asked, Seen, Target};
use crate::chat::Event;
use crate::json::{Body, splice};
use serde_json::Value;

pub fn fuzz_request(body: &[u8]) {
    let Ok(object) = Body::parse(body) else { return };
    let target = Target { model: "o3", max_tokens: 9, stream_usage: true, echo_reasoning: true };
    let spliced = splice(body, &OpenAi.splice(object.value(), &target).edits);
    let spliced = Body::parse(&spliced);
    assert!(
        spliced.is_ok_and(|o| o.value().get("model").is_some_and(|m| m.raw() == "\"o3\"")),
        "a splice breaks the body"
    );
    match OpenAi.read_request(object.value()) {
        Ok(request) => {
            let written = OpenAi.write_request(&request, &target).body;
            let read = Body::parse(&written).and_then(|object| OpenAi.read_request(object.value()));
            // A body of nesting just below the limit may come to lie one deeper.
            let deep = body.iter().filter(|b| matches!(b, b'[' | b'{')).count() >= crate::json::MAX_DEPTH / 2;
            let Ok(read) = read else {
                assert!(deep, "cannot be read: {}", String::from_utf8_lossy(&written));
                return;
            };
            let again = OpenAi.write_request(&read, &target);
            assert!(again.losses.worst().is_none(), "{:?}", again.losses);
            let more = Body::parse(&again.body).and_then(|object| OpenAi.read_request(object.value()));
            let last = more.map(|more| OpenAi.write_request(&more, &target).body);
            assert!(last.is_ok_and(|last| last == again.body), "{}", String::from_utf8_lossy(&again.body));
        }
        Err(error) => assert_eq!(error.status, 400),
    }
}

pub fn fuzz_answer(body: &[u8]) {
    OpenAi.watch_answer(body, &mut Seen::default());
    let asked = Asked { id: "made".to_owned(), model: "m".to_owned(), ..Asked::default() };
    match OpenAi.read_answer(body) {
        Ok(answer) => {
            let written = OpenAi.write_answer(&answer, &asked);
            assert!(serde_json::from_slice::<Value>(&written).is_ok(), "{}", String::from_utf8_lossy(&written));
        }
        Err(error) => assert!(error.status >= 400),
    }
    for status in [0, 200, 400, 401, 404, 429, 500, 529] {
        let (status, written) = OpenAi.write_error(&OpenAi.read_error(status, body));
        assert!((400..=599).contains(&status));
        assert!(serde_json::from_slice::<Value>(&written).is_ok_and(|v| v.pointer("/error/message").is_some()));
    }
}

/// The first byte says where the rest is cut.
pub fn fuzz_stream(bytes: &[u8]) {
    let Some((at, stream)) = bytes.split_first() else { return };
    let events = |chunks: &[&[u8]]| {
        let mut events = Vec::new();
        let mut reader = OpenAi.reader();
        for chunk in chunks {
            reader.read(chunk, &mut |event| events.push(format!("{event:?}")));
        }
        reader.close(&mut |event| events.push(format!("{event:?}")));
        events
    };
    let whole = events(&[stream]);
    let (a, b) = stream.split_at(usize::from(*at).min(stream.len()));
    assert_eq!(events(&[a, b]), whole);
    let endings = whole.iter().filter(|e| *e == "End" || e.starts_with("Error(")).count();
    assert_eq!(endings, 1, "{whole:?}");
    assert!(whole.last().is_some_and(|e| e == "End" || e.starts_with("Error(")), "{whole:?}");
    assert!(whole.iter().filter(|e| e.starts_with("Start {")).count() <= 1);

    let mut out = Vec::new();
    let mut writer = OpenAi.writer(Asked { stream_usage: true, ..Asked::default() });
    let mut reader = OpenAi.reader();
    let mut write = |event: Event<'_>| writer.write(&event, &mut out);
    reader.read(stream, &mut write);
    reader.close(&mut write);
    let mut seen = Seen::default();
    let mut decoder = crate::framing::sse::Decoder::new();
    decoder.feed(&out, &mut |frame| {
        if let Some(data) = frame.data {
            let json = data == b"[DONE]" || serde_json::from_slice::<Value>(data).is_ok();
            assert!(json, "{}", String::from_utf8_lossy(data));
            OpenAi.watch_event(frame.name, data, false, &mut seen);
        }
    });
    assert!(seen.ended || seen.error.is_some());
}
