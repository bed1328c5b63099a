//! Amazon's binary event stream: <https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html>.

/// Bytes of the checksum at a frame's end.
pub const CHECKSUM: usize = 4;
/// Two lengths and their checksum.
const PRELUDE: usize = 12;
/// The type of a header's value that is a string.
const STRING: u8 = 7;

pub fn event(name: &str, payload: &str) -> Vec<u8> {
    frame(&[(":event-type", name), (":content-type", "application/json"), (":message-type", "event")], payload)
}

pub fn exception(name: &str, payload: &str) -> Vec<u8> {
    frame(&[(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")], payload)
}

fn frame(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut named = Vec::new();
    for (name, value) in headers {
        named.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        named.extend_from_slice(name.as_bytes());
        named.push(STRING);
        named.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        named.extend_from_slice(value.as_bytes());
    }
    let sizes = [PRELUDE, named.len(), payload.len(), CHECKSUM];
    let total = sizes.into_iter().fold(0_usize, usize::saturating_add);
    let mut frame = Vec::with_capacity(total);
    for length in [total, named.len()] {
        frame.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame.extend_from_slice(&named);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame
}

/// That of gzip and PNG.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |state, byte| {
        (0..8).fold(state ^ u32::from(*byte), |state, _| (state >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(state & 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_frame_says_its_lengths() {
        let frame = event("chunk", "{}");
        assert_eq!(u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize, frame.len());
        let headers = u32::from_be_bytes(frame[4..8].try_into().unwrap()) as usize;
        assert_eq!(&frame[12 + headers..frame.len() - 4], b"{}");
        assert_eq!(&frame[12..24], b"\x0b:event-type");
    }
}
