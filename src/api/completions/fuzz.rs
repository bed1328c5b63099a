//! What must hold for any bytes: nothing panics, what is written can be read, a stream ends once however it is cut.

use super::Completions;
use crate::api::{Api, Asked, Seen, Target};
use crate::chat::Event;
use crate::json::{Body, splice};
use serde_json::Value;

/// The first byte says where the rest is cut; the rest is taken for a request, an answer and a stream.
pub fn fuzz_completions(bytes: &[u8]) {
    let Some((at, data)) = bytes.split_first() else { return };
    request(data);
    let asked = Asked { id: "made".to_owned(), model: "m".to_owned(), stream_usage: true, ..Asked::default() };
    Completions.watch_answer(data, &mut Seen::default());
    if let Ok(answer) = Completions.read_answer(data) {
        let written = Completions.write_answer(&answer, &asked);
        assert!(serde_json::from_slice::<Value>(&written).is_ok(), "{}", String::from_utf8_lossy(&written));
    }
    let (head, tail) = data.split_at(usize::from(*at).min(data.len()));
    assert_eq!(stream(&[data], &asked), stream(&[head, tail], &asked));
}

fn request(data: &[u8]) {
    let Ok(body) = Body::parse(data) else { return };
    let target = Target { model: "b", max_tokens: 9, stream_usage: true, echo_reasoning: false };
    let spliced = splice(data, &Completions.splice(body.value(), &target).edits);
    assert!(Body::parse(&spliced).is_ok_and(|body| body.value().get("model").is_some_and(|model| model.is("b"))));
    match Completions.read_request(body.value()) {
        Ok(request) => {
            let written = Completions.write_request(&request, &target).body;
            let again = Body::parse(&written).and_then(|body| Completions.read_request(body.value()));
            assert!(again.is_ok_and(|again| Completions.write_request(&again, &target).body == written));
        }
        Err(error) => assert_eq!(error.status, 400),
    }
}

fn stream(pieces: &[&[u8]], asked: &Asked) -> Vec<u8> {
    let (mut reader, mut writer) = (Completions.reader(), Completions.writer(asked.clone()));
    let (mut out, mut ended) = (Vec::new(), false);
    let mut sink = |event: Event<'_>| {
        assert!(!ended, "{event:?} after the end");
        ended = matches!(event, Event::End | Event::Error(_));
        writer.write(&event, &mut out);
    };
    pieces.iter().for_each(|piece| reader.read(piece, &mut sink));
    reader.close(&mut sink);
    assert!(ended, "no end");
    out
}
