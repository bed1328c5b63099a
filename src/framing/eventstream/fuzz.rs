//! What holds of any bytes, cut anywhere.

use super::{Decoder, Headers, MAX_FRAME_BYTES, begin, crc, end};

/// What one frame says: its name and data, or why there is none.
pub(super) type Said = Result<(Vec<u8>, Vec<u8>), &'static str>;

/// Any cut of any bytes gives the same frames and the same bytes.
///
/// The first byte, if small, is a limit. Checksums are put right in a second run: else no input would get past them.
pub fn fuzz_eventstream(data: &[u8]) {
    let (limit, data) = match data.split_first() {
        Some((&small, rest)) if small < 64 => (usize::from(small) << 3, rest),
        _ => (MAX_FRAME_BYTES, data),
    };
    for stream in [data.to_vec(), sealed(data)] {
        let said = decode(limit, [stream.as_slice()]);
        for size in [1, 2, 3, 7, 13] {
            assert_eq!(decode(limit, stream.chunks(size)), said, "in chunks of {size}, limit {limit}");
        }
        for cut in 0..=stream.len().min(64) {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(decode(limit, [head, tail]), said, "cut at {cut}, limit {limit}");
        }
    }
    for _ in Headers(data).zip(0..data.len()) {}
    let mut out = Vec::new();
    let at = begin(&mut out, &[(":event-type", "any"), (":message-type", "event")]);
    out.extend_from_slice(data);
    end(&mut out, at);
    assert_eq!(decode(MAX_FRAME_BYTES, [out.as_slice()]), [Ok((b"any".to_vec(), data.to_vec()))]);
}

/// Decodes these pieces; all bytes must come out again.
pub(super) fn decode<'a>(limit: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Said> {
    let mut decoder = Decoder::with_limit(limit);
    let (mut said, mut raw, mut fed) = (Vec::new(), Vec::new(), Vec::new());
    let mut sink = |frame: super::Frame<'_>| {
        assert!(!frame.raw.is_empty(), "a frame of no bytes");
        raw.extend_from_slice(frame.raw);
        match (frame.data, frame.corrupt) {
            (Some(data), None) => said.push(Ok((frame.name.to_vec(), data.to_vec()))),
            (None, Some(why)) => said.push(Err(why)),
            (None, None) if frame.too_long => said.push(Err("too long")),
            (None, None) => {}
            both => assert!(both.0.is_none(), "an event that is corrupt"),
        }
    };
    for piece in pieces {
        fed.extend_from_slice(piece);
        decoder.feed(piece, &mut sink);
        assert!(decoder.held.len() <= limit.max(super::LEAST), "holds more than its limit");
    }
    decoder.close(&mut sink);
    assert_eq!(raw, fed, "not the bytes that were fed");
    said
}

/// The bytes as frames: the first byte of each tells its length, the second its headers' length; checksums are right.
fn sealed(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = data;
    while let [length, headers, after @ ..] = rest {
        let inside = usize::from(*length).min(after.len());
        let (inside, after) = after.split_at(inside);
        rest = after;
        let start = out.len();
        out.extend_from_slice(&(u32::from(*length).saturating_add(16)).to_be_bytes());
        out.extend_from_slice(&u32::from(*headers).to_be_bytes());
        let prelude = crc(0, out.get(start..).unwrap_or_default());
        out.extend_from_slice(&prelude.to_be_bytes());
        out.extend_from_slice(inside);
        let all = crc(0, out.get(start..).unwrap_or_default());
        out.extend_from_slice(&all.to_be_bytes());
    }
    out
}
