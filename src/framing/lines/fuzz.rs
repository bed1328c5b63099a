//! What holds of any bytes, cut anywhere.

use super::Decoder;

/// What a stream says, however it was cut: events, and `None` for one that was too long.
pub(super) type Events = Vec<Option<Vec<u8>>>;

/// Any cut of any bytes gives the same events and the same bytes.
pub fn fuzz_lines(data: &[u8]) {
    let (limit, data) = match data.split_first() {
        Some((&small, rest)) if (1..64).contains(&small) => (usize::from(small), rest),
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
        let lines = data.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
        let want: Events = lines.filter(|line| line.starts_with(b"{")).map(|line| Some(line.to_vec())).collect();
        assert_eq!(events, want);
    }
}

/// Decodes these pieces; all bytes must come out again.
pub(super) fn decode<'a>(limit: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Events {
    let mut decoder = Decoder::with_limit(limit);
    let (mut events, mut raw, mut fed) = (Events::new(), Vec::new(), Vec::new());
    let mut sink = |frame: super::Frame<'_>| {
        assert!(!frame.raw.is_empty(), "a frame of no bytes");
        raw.extend_from_slice(frame.raw);
        assert!(!frame.too_long || frame.data.is_none());
        if frame.too_long || frame.data.is_some() {
            events.push(frame.data.map(<[u8]>::to_vec));
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
