//! What must hold for any bytes: nothing panics, what is written can be read, a stream ends once however it is cut.

use super::Responses;
use crate::api::{Api, Asked, Seen, Target};
use crate::chat::Event;
use crate::json::{Body, splice};
use serde_json::Value;

pub fn fuzz_request(body: &[u8]) {
    let Ok(object) = Body::parse(body) else { return };
    let target = Target { model: "o3", max_tokens: 9, stream_usage: true, echo_reasoning: true };
    let spliced = splice(body, &Responses.splice(object.value(), &target).edits);
    let spliced = Body::parse(&spliced);
    assert!(spliced.is_ok_and(|o| o.value().get("model").is_some_and(|m| m.raw() == "\"o3\"")), "a splice breaks it");
    match Responses.read_request(object.value()) {
        Ok(request) => {
            let written = Responses.write_request(&request, &target).body;
            assert!(serde_json::from_slice::<Value>(&written).is_ok(), "{}", String::from_utf8_lossy(&written));
        }
        Err(error) => assert_eq!(error.status, 400),
    }
}

pub fn fuzz_answer(body: &[u8]) {
    Responses.watch_answer(body, &mut Seen::default());
    let asked = Asked { id: "made".to_owned(), model: "m".to_owned(), ..Asked::default() };
    match Responses.read_answer(body) {
        Ok(answer) => {
            let written = Responses.write_answer(&answer, &asked);
            let again = Responses.read_answer(&written).map(|again| Responses.write_answer(&again, &asked));
            assert!(again.is_ok_and(|again| again == written), "{}", String::from_utf8_lossy(&written));
        }
        Err(error) => assert!(error.status >= 400),
    }
}

/// The first byte says where the rest is cut.
pub fn fuzz_stream(bytes: &[u8]) {
    let Some((at, stream)) = bytes.split_first() else { return };
    let events = |chunks: &[&[u8]]| {
        let mut events = Vec::new();
        let mut reader = Responses.reader();
        for chunk in chunks {
            reader.read(chunk, &mut |event| events.push(format!("{event:?}")));
        }
        reader.close(&mut |event| events.push(format!("{event:?}")));
        events
    };
    let whole = events(&[stream]);
    let (a, b) = stream.split_at(usize::from(*at).min(stream.len()));
    assert_eq!(events(&[a, b]), whole);
    let ends = |event: &&String| *event == "End" || event.starts_with("Error(");
    assert_eq!(whole.iter().filter(ends).count(), 1, "{whole:?}");
    assert!(whole.last().is_some_and(|last| ends(&last)), "{whole:?}");
    assert!(whole.iter().filter(|event| event.starts_with("Start {")).count() <= 1);

    let mut out = Vec::new();
    let mut writer = Responses.writer(Asked::default());
    let mut reader = Responses.reader();
    let mut write = |event: Event<'_>| writer.write(&event, &mut out);
    reader.read(stream, &mut write);
    reader.close(&mut write);
    let mut seen = Seen::default();
    let mut number = 0_u64;
    let mut decoder = crate::framing::sse::Decoder::new();
    decoder.feed(&out, &mut |frame| {
        if let Some(data) = frame.data {
            let event: Value = serde_json::from_slice(data).unwrap_or_default();
            assert_eq!(event.get("sequence_number"), Some(&Value::from(number)), "{}", String::from_utf8_lossy(data));
            number = number.saturating_add(1);
            Responses.watch_event(frame.name, data, false, &mut seen);
        }
    });
    assert!(seen.ended || seen.error.is_some());
}
