use super::fuzz::{Said, decode, fuzz_eventstream};
use super::*;
use std::path::Path;

fn bytes(hex: &str) -> Vec<u8> {
    let hex: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    hex.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// The stream gives these frames whole, cut in two at every byte, and byte by byte.
#[track_caller]
fn check(limit: usize, stream: &[u8], said: &[Said]) {
    assert_eq!(decode(limit, [stream]), said, "whole");
    assert_eq!(decode(limit, stream.chunks(1)), said, "byte by byte");
    for cut in 0..=stream.len() {
        let (head, tail) = stream.split_at(cut);
        assert_eq!(decode(limit, [head, tail]), said, "cut at {cut}");
    }
}

fn ok(name: &str, data: &str) -> Said {
    Ok((name.as_bytes().to_vec(), data.as_bytes().to_vec()))
}

const EMPTY: &str = "00000010 00000000 05c248eb 7d98c8ff";
const NO_HEADERS: &str = "0000001d 00000000 fd528c5a 7b27666f6f273a27626172277d c3653936";
const INT_HEADER: &str =
    "0000002d 00000010 41c424b8 0a6576656e742d74797065 04 0000a00c 7b27666f6f273a27626172277d 36f480a0";
const TEXT_HEADER: &str =
    "0000003d 00000020 07fd8396 0c636f6e74656e742d74797065 07 0010 6170706c69636174696f6e2f6a736f6e
    7b27666f6f273a27626172277d 8d9c08b1";
const ALL_HEADERS: &str = "00000062 00000052 03b5cb9c 013000 013101 01320202 0133030003 01340400000004
    0135050000000000000005 01360600056279746573 013707000475746638 0138080000000000000008
    01390930313233343536373839616263646566 63353671";
const ERROR: &str = "00000052 00000042 bf23637e 0d3a6d6573736167652d74797065 07 0005 6572726f72
    0b3a6572726f722d636f6465 07 0004 636f6465 0e3a6572726f722d6d657373616765 07 0007 6d657373616765 6b6cea3d";

#[test]
fn the_vectors_that_aws_publishes_are_read() {
    let foo = "{'foo':'bar'}";
    let all = [EMPTY, NO_HEADERS, INT_HEADER, TEXT_HEADER, ALL_HEADERS, ERROR];
    let said = [ok("", ""), ok("", foo), ok("", foo), ok("", foo), ok("", ""), ok("code", "message")];
    for (hex, said) in all.into_iter().zip(&said) {
        check(MAX_FRAME_BYTES, &bytes(hex), std::slice::from_ref(said));
    }
    check(MAX_FRAME_BYTES, &bytes(&all.concat()), &said);
}

#[test]
fn the_vectors_that_aws_publishes_as_corrupt_are_refused() {
    for (from, to, why) in [
        ("0000003d 00000020", "0000003e 00000020", BAD_PRELUDE),
        ("0000003d 00000020", "0000003d ff000102", BAD_PRELUDE),
        ("07fd8396", "07fd8397", BAD_PRELUDE),
        ("636f6e74656e742d", "636f6e74656e742b", BAD_CHECKSUM),
        ("626172277d", "626172278d", BAD_CHECKSUM),
        ("8d9c08b1", "8d9c08b2", BAD_CHECKSUM),
    ] {
        let corrupt = TEXT_HEADER.replace(from, to);
        assert_ne!(corrupt, TEXT_HEADER);
        // No frame's start is known after it.
        let stream = [bytes(EMPTY), bytes(&corrupt), bytes(EMPTY)].concat();
        check(MAX_FRAME_BYTES, &stream, &[ok("", ""), Err(why)]);
    }
}

#[test]
fn every_type_of_header_is_read() {
    let all = bytes(ALL_HEADERS);
    let headers: Vec<_> = Headers(&all[12..12 + 0x52]).map(Option::unwrap).collect();
    let expected = [
        ("0", Value::Bool(true)),
        ("1", Value::Bool(false)),
        ("2", Value::Byte(2)),
        ("3", Value::Short(3)),
        ("4", Value::Int(4)),
        ("5", Value::Long(5)),
        ("6", Value::Bytes(b"bytes")),
        ("7", Value::Text("utf8")),
        ("8", Value::Time(8)),
        ("9", Value::Uuid(*b"0123456789abcdef")),
    ];
    assert_eq!(headers, expected);
    for cut in 1..0x52 {
        let read: Vec<_> = Headers(&all[12..12 + cut]).collect();
        assert_eq!(read.iter().flatten().copied().collect::<Vec<_>>(), expected[..read.iter().flatten().count()]);
    }
    for bad in ["00", "0161", "01610a", "0161070002ff", "0161070001ff", "01ff00", "0161090000"] {
        assert!(Headers(&bytes(bad)).any(|header| header.is_none()), "{bad}");
        assert!(Headers(&bytes(bad)).count() < 3, "{bad}");
    }
}

/// A frame with right checksums around anything.
fn frame(headers: &[u8], payload: &[u8], lengths: Option<(u32, u32)>) -> Vec<u8> {
    let own = ([headers, payload, &[0; 16]].concat().len() as u32, headers.len() as u32);
    let (total, length) = lengths.unwrap_or(own);
    let mut out = [total.to_be_bytes(), length.to_be_bytes()].concat();
    out.extend_from_slice(&crc(0, &out).to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc(0, &out).to_be_bytes());
    out
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    for lengths in [(0, 0), (15, 0), (16, 1), (40, 25), (u32::MAX, (MAX_HEADER_BYTES + 1) as u32), (u32::MAX, u32::MAX)]
    {
        let stream = [bytes(EMPTY), frame(b"", b"", Some(lengths)), bytes(EMPTY)].concat();
        check(MAX_FRAME_BYTES, &stream, &[ok("", ""), Err(BAD_LENGTH)]);
    }
}

#[test]
fn a_frame_with_headers_that_cannot_be_read_is_alone_in_that() {
    let stream = [bytes(EMPTY), frame(b"\x01a\x0f", b"x", None), bytes(NO_HEADERS)].concat();
    check(MAX_FRAME_BYTES, &stream, &[ok("", ""), Err(BAD_HEADERS), ok("", "{'foo':'bar'}")]);
}

#[test]
fn a_frame_above_the_limit_is_left_out_and_the_next_is_read() {
    let mut long = Vec::new();
    write(&mut long, &[(":event-type", "e")], &[b'x'; 50]);
    let stream = [bytes(NO_HEADERS), long.clone(), bytes(NO_HEADERS)].concat();
    let foo = || ok("", "{'foo':'bar'}");
    check(long.len(), &stream, &[foo(), ok("e", &"x".repeat(50)), foo()]);
    check(long.len() - 1, &stream, &[foo(), Err("too long"), foo()]);
    check(long.len() - 1, &frame(b"", b"", Some((u32::MAX, 0))), &[Err("too long")]);
}

#[test]
fn a_stream_that_ends_within_a_frame_says_so() {
    let stream = bytes(TEXT_HEADER);
    for cut in 1..stream.len() {
        check(MAX_FRAME_BYTES, &stream[..cut], &[Err(CUT)]);
    }
}

#[test]
fn a_frame_that_is_whole_in_a_chunk_is_not_copied() {
    let stream = bytes(&[NO_HEADERS, TEXT_HEADER].concat());
    let within = |part: &[u8]| stream.as_ptr_range().contains(&part.as_ptr());
    let mut decoder = Decoder::new();
    decoder.feed(&stream, &mut |frame| assert!(within(frame.raw) && within(frame.data.unwrap())));
    assert_eq!(decoder.held.capacity(), 0);
}

#[test]
fn a_large_frames_buffer_is_given_back() {
    let mut stream = Vec::new();
    write(&mut stream, &[], &vec![b'x'; 1 << 20]);
    let mut decoder = Decoder::new();
    let mut sizes = Vec::new();
    for chunk in stream.chunks(16 << 10) {
        decoder.feed(chunk, &mut |frame| sizes.push(frame.data.unwrap().len()));
    }
    assert_eq!(sizes, [1 << 20]);
    assert!(decoder.held.capacity() <= KEPT_CAPACITY);
}

#[test]
fn what_is_written_is_what_aws_writes() {
    let mut out = Vec::new();
    write(&mut out, &[], b"");
    write(&mut out, &[("content-type", "application/json")], b"{'foo':'bar'}");
    write(&mut out, &[(":message-type", "error"), (":error-code", "code"), (":error-message", "message")], b"");
    assert_eq!(out, bytes(&[EMPTY, TEXT_HEADER, ERROR].concat()));
}

#[test]
fn a_checksum_is_that_of_zlib_for_every_length() {
    let slow = |bytes: &[u8]| {
        !bytes.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
        })
    };
    let bytes: Vec<u8> = (0..67_u8).map(|n| n.wrapping_mul(151).wrapping_add(7)).collect();
    assert_eq!(crc(0, b"123456789"), 0xCBF4_3926);
    for end in 0..bytes.len() {
        assert_eq!(crc(0, &bytes[..end]), slow(&bytes[..end]), "{end}");
        assert_eq!(crc(crc(0, &bytes[..end]), &bytes[end..]), slow(&bytes), "in two at {end}");
    }
}

fn recorded() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/eventstream");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "bin"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn any_split_of_a_recorded_stream_gives_the_same_events() {
    let mut counts = String::new();
    for (name, stream) in recorded() {
        let said = decode(MAX_FRAME_BYTES, [stream.as_slice()]);
        check(MAX_FRAME_BYTES, &stream, &said);
        counts.push_str(&format!("{name} {}\n", said.len()));
        let mut again = Vec::new();
        for frame in &said {
            let (name, data) = frame.as_ref().unwrap();
            assert!(serde_json::from_slice::<serde_json::Value>(data).unwrap().is_object());
            let name = std::str::from_utf8(name).unwrap();
            let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
            write(&mut again, &headers, data);
        }
        assert!(again == stream, "{name}: written again it is another");
    }
    assert_eq!(counts, "guardrail 5\ninvoke 23\nredacted 18\ntext 26\ntool 25\n");
}

#[test]
fn the_fuzz_function_holds_on_recorded_streams_and_their_mutants() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for (_, stream) in recorded() {
        let stream = &stream[..stream.len().min(2000)];
        fuzz_eventstream(stream);
        for _ in 0..20 {
            let mut mutant = stream.to_vec();
            let at = random(mutant.len());
            mutant[at] ^= 1 << random(8);
            fuzz_eventstream(&mutant);
        }
    }
    for _ in 0..2000 {
        let mut stream = vec![random(80) as u8];
        for _ in 0..random(40) {
            // Small numbers make lengths, types and names that fit more often.
            stream.push(if random(4) == 0 { random(256) as u8 } else { random(12) as u8 });
        }
        fuzz_eventstream(&stream);
    }
}
