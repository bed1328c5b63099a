//! What holds of any bytes, cut anywhere.

use super::{Decoder, write};

/// What a stream says, however it was cut: events, and `None` for one that was too long.
pub(super) type Events = Vec<Option<(Vec<u8>, Vec<u8>)>>;

/// Any cut of any bytes gives the same events, the same bytes, and what the standard's own algorithm gives.
pub fn fuzz_sse(data: &[u8]) {
    let (limit, data) = match data.split_first() {
        Some((&small, rest)) if small < 64 => (usize::from(small), rest),
        _ => (usize::MAX, data),
    };
    let events = decode(limit, [data]);
    for size in [1, 2, 3, 7] {
        assert_eq!(decode(limit, data.chunks(size)), events, "in chunks of {size}, limit {limit}");
    }
    for cut in 0..=data.len().min(64) {
        let (head, tail) = data.split_at(cut);
        assert_eq!(decode(limit, [head, tail]), events, "cut at {cut}, limit {limit}");
    }
    if limit == usize::MAX {
        assert_eq!(events, by_the_standard(data));
        for (name, text) in events.into_iter().flatten() {
            writes_what_it_reads(&name, &text);
        }
    }
}

/// Decodes these pieces; all bytes must come out again.
pub(super) fn decode<'a>(limit: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Events {
    let mut decoder = Decoder::with_limit(limit);
    let (mut events, mut raw, mut fed) = (Events::new(), Vec::new(), Vec::new());
    let mut sink = |frame: super::Frame<'_>| {
        assert!(!frame.raw.is_empty(), "a frame of no bytes");
        raw.extend_from_slice(frame.raw);
        if frame.too_long {
            assert_eq!(frame.data, None);
            events.push(None);
        }
        if let Some(data) = frame.data {
            events.push(Some((frame.name.to_vec(), data.to_vec())));
        }
    };
    for piece in pieces {
        fed.extend_from_slice(piece);
        decoder.feed(piece, &mut sink);
        assert!(decoder.held.len() <= limit, "holds more than its limit");
    }
    decoder.close(&mut sink);
    assert_eq!(raw, fed, "not the bytes that were fed");
    events
}

/// The algorithm of the standard, word for word, but for an unfinished last event, which is given if it has data.
fn by_the_standard(data: &[u8]) -> Events {
    let data = data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data);
    let (mut lines, mut line, mut after_cr) = (Vec::new(), Vec::new(), false);
    for &byte in data {
        match byte {
            b'\n' if after_cr => {}
            b'\r' | b'\n' => lines.push(std::mem::take(&mut line)),
            _ => line.push(byte),
        }
        after_cr = byte == b'\r';
    }
    lines.push(line);
    lines.push(Vec::new());
    let (mut events, mut name, mut buffer) = (Events::new(), Vec::new(), Vec::new());
    for line in lines {
        if line.is_empty() {
            let name = std::mem::take(&mut name);
            let mut text = std::mem::take(&mut buffer);
            if text.pop().is_some() {
                events.push(Some((name, text)));
            }
            continue;
        }
        let mut parts = line.splitn(2, |b| *b == b':');
        let field = parts.next().unwrap_or_default();
        let value = parts.next().unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = value.to_vec(),
            b"data" => {
                buffer.extend_from_slice(value);
                buffer.push(b'\n');
            }
            _ => {}
        }
    }
    events
}

fn writes_what_it_reads(name: &[u8], text: &[u8]) {
    let mut out = Vec::new();
    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty());
    write(&mut out, name, text);
    let expected = (name.unwrap_or_default().as_bytes().to_vec(), text.to_vec());
    assert_eq!(decode(usize::MAX, [out.as_slice()]), [Some(expected)]);
}
