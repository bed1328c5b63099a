use super::fuzz::{Events, decode, fuzz_sse};
use super::*;
use std::path::Path;

/// Events as `name=data`, one a line; `TOO LONG` for one that was.
fn shown(events: &Events) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).escape_debug().to_string();
    let line = |event: &Option<(Vec<u8>, Vec<u8>)>| match event {
        Some((name, data)) => format!("{}={}", text(name), text(data)),
        None => "TOO LONG".to_owned(),
    };
    events.iter().map(line).collect::<Vec<_>>().join("|")
}

/// The stream gives these events, whole and cut in two at every byte and byte by byte.
#[track_caller]
fn check(limit: usize, stream: &[u8], events: &str) {
    assert_eq!(shown(&decode(limit, [stream])), events, "whole");
    assert_eq!(shown(&decode(limit, stream.chunks(1))), events, "byte by byte");
    for cut in 0..=stream.len() {
        let (head, tail) = stream.split_at(cut);
        assert_eq!(shown(&decode(limit, [head, tail])), events, "cut at {cut}");
    }
}

#[test]
fn every_legal_form_is_read() {
    let cases: &[(&[u8], &str)] = &[
        (b"", ""),
        (b"data: a\n\n", "=a"),
        (b"data: a\r\r", "=a"),
        (b"data: a\r\n\r\n", "=a"),
        (b"data: a\r\n\rdata: b\n\r\n", "=a|=b"),
        (b"data: a\n\r\ndata: b\r\n\ndata: c\r\n\r\n\r\n", "=a|=b|=c"),
        (b"data:a\n\ndata:  b\n\n", "=a|= b"),
        (b"data: a\ndata:\ndata\ndata: b\n\n", r"=a\n\n\nb"),
        (b"data\n\ndata:\n\n", "=|="),
        (b"event: ping\n\nevent: x\nevent: y\nid: 1\nretry: 5\ndata: a\n\ndata: b\n\n", "y=a|=b"),
        (b"event: x\ndata: a\nevent\n\n", "=a"),
        (b": comment\n\n:\n\n: c\ndata: a\n: c\n\n", "=a"),
        (b"\n\n\r\n\r\rdata: a\n\n\n\n", "=a"),
        (b"data : a\nDATA: b\n data: c\ndatas: d\nfoo\n\n", ""),
        (b"data: a: b\n\n", "=a: b"),
        (b"id: \0\ndata: a\0b\n\n", r"=a\0b"),
        ("data: Größe 東京\n\ndata: 🌍\n\n".as_bytes(), "=Größe 東京|=🌍"),
        (b"data: \xff\xfe\n\n", "=\u{fffd}\u{fffd}"),
        (b"data: [DONE]\n\n", "=[DONE]"),
    ];
    for (stream, events) in cases {
        check(MAX_EVENT_BYTES, stream, events);
    }
}

#[test]
fn a_byte_order_mark_counts_only_at_the_start() {
    check(100, b"\xEF\xBB\xBFdata: a\n\n\xEF\xBB\xBFdata: b\n\n", "=a");
    check(100, b"\xEF\xBB\xBF\n\xEF\xBB\xBFdata: a\n\ndata: b\n\n", "=b");
    check(100, b"\xEF\xBBdata: a\n\ndata: b\n\n", "=b");
    check(100, b"\xEF\xBB\xBF\xEF\xBB\xBFdata: a\n\n", "");
    check(100, b"\xEF\xBB\xBF", "");
    // Half a mark is a line that is not blank, so that no event ends with it.
    check(8, b"\xEF\xBB\ndata:a\n\n", "TOO LONG");
}

#[test]
fn a_last_event_without_its_blank_line_is_given_if_it_has_data() {
    check(100, b"data: a\n\ndata: b", "=a|=b");
    check(100, b"event: e\ndata: b\n", "e=b");
    check(100, b"data: b\r", "=b");
    check(100, b"data: b\r\n", "=b");
    check(100, b"data: a\n\nevent: b\n", "=a");
    check(100, b"data: a\n\n: bye", "=a");
}

#[test]
fn an_event_is_too_long_for_its_length_and_not_for_its_cuts() {
    check(9, b"data: a\n\n", "=a");
    check(8, b"data: a\n\n", "TOO LONG");
    check(9, b"data: a\r\r\n", "=a");
    check(10, b"data: a\r\n\r\n", "=a");
    check(9, b"data: a\r\n\r\n", "TOO LONG");
    check(12, b"data: 1\n\ndata: 01234567890123456789\ndata: 2\n\ndata: 3\n\n", "=1|TOO LONG|=3");
    check(12, b"data: 01234567890123456789", "TOO LONG");
    check(12, b"data: 01234567890123456789\r\r\ndata: 3\r\n\r\n", "TOO LONG|=3");
    check(2, b"\n\n\r\n\r\r\n", "");
}

#[test]
fn the_limit_is_kept_at_its_real_size() {
    let mut stream = b"data: ".to_vec();
    stream.resize(MAX_EVENT_BYTES - 2, b'x');
    stream.extend_from_slice(b"\n\n");
    for (stream, longest) in [(stream.clone(), false), ([b"data: x\n", &stream[..]].concat(), true)] {
        let mut too_long = 0;
        let mut decoder = Decoder::new();
        for chunk in stream.chunks(16 << 10) {
            decoder.feed(chunk, &mut |frame| too_long += usize::from(frame.too_long));
            assert!(decoder.held.capacity() <= 2 * MAX_EVENT_BYTES);
        }
        assert_eq!(too_long, usize::from(longest));
        assert!(decoder.held.capacity() <= KEPT_CAPACITY, "the buffer is given back");
    }
}

#[test]
fn an_event_is_given_as_soon_as_it_is_known_to_end() {
    for (fed, events) in [("data: a\r\n\r", 1), ("data: a\n\n", 1), ("data: a\r\r", 1), ("data: a\r\n", 0)] {
        let mut seen = 0;
        Decoder::new().feed(fed.as_bytes(), &mut |frame| seen += usize::from(frame.data == Some(b"a")));
        assert_eq!(seen, events, "{fed:?}");
    }
}

#[test]
fn a_late_line_feed_is_a_frame_of_its_own() {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    for chunk in ["data: a\r\n\r", "\n", "\ndata: b\n\n"] {
        decoder.feed(chunk.as_bytes(), &mut |f| frames.push((f.data.is_some(), f.raw.to_vec())));
    }
    let expected = [(true, "data: a\r\n\r"), (false, "\n"), (false, "\n"), (true, "data: b\n\n")];
    assert_eq!(frames, expected.map(|(event, raw)| (event, raw.as_bytes().to_vec())));
}

#[test]
fn an_event_that_is_whole_in_a_chunk_is_not_copied() {
    let stream = b"event: x\ndata: abc\n\ndata: def\r\n\r\n".as_slice();
    let within = |part: &[u8]| stream.as_ptr_range().contains(&part.as_ptr());
    let mut decoder = Decoder::new();
    decoder.feed(stream, &mut |frame| assert!(within(frame.raw) && within(frame.data.unwrap())));
    assert_eq!(decoder.held.capacity() + decoder.joined.capacity(), 0);
}

#[test]
fn a_decoder_that_was_closed_reads_a_new_stream() {
    let mut decoder = Decoder::new();
    for _ in 0..2 {
        let mut seen = Vec::new();
        let mut sink = |frame: Frame<'_>| seen.extend(frame.data.map(<[u8]>::to_vec));
        decoder.feed(b"\xEF\xBB\xBFdata: a\r\r", &mut sink);
        decoder.feed(b"data: b", &mut sink);
        decoder.close(&mut sink);
        decoder.close(&mut sink);
        assert_eq!(seen, [b"a", b"b"]);
    }
}

#[test]
fn what_is_written_is_read_again() {
    let cases: &[(Option<&str>, &str, &str)] = &[
        (None, "a", "data: a\n\n"),
        (Some("ping"), "{}", "event: ping\ndata: {}\n\n"),
        (None, "", "data: \n\n"),
        (None, "a\nb\r\nc\rd\n", "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        (Some("x\r\nid: 1"), "a", "event: xid: 1\ndata: a\n\n"),
    ];
    for (name, data, expected) in cases {
        let mut out = b"before".to_vec();
        write(&mut out, *name, data.as_bytes());
        assert_eq!(String::from_utf8(out).unwrap(), format!("before{expected}"));
    }
}

fn recorded() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sse");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "sse"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn any_split_of_a_recorded_stream_gives_the_same_events() {
    let mut counts = String::new();
    for (name, stream) in recorded() {
        let events = decode(MAX_EVENT_BYTES, [stream.as_slice()]);
        check(MAX_EVENT_BYTES, &stream, &shown(&events));
        counts.push_str(&format!("{name} {}\n", events.len()));
        for (_, data) in events.into_iter().flatten() {
            let whole = data == b"[DONE]" || serde_json::from_slice::<serde_json::Value>(&data).is_ok();
            assert!(whole, "{name}: {}", String::from_utf8_lossy(&data));
        }
    }
    let expected = "anthropic-messages 8\nanthropic-padded 7\ncohere-chat 11\ngemini-crlf 2\nopenai-chat 4\n\
                    openai-responses 4\nopenrouter-comments 4\n";
    assert_eq!(counts, expected);
}

#[test]
fn the_fuzz_function_holds_on_recorded_streams_and_their_mutants() {
    let seeds = recorded();
    for (_, stream) in &seeds {
        fuzz_sse(stream);
    }
    let tokens: [&[u8]; 14] = [
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"data: ",
        b"data:",
        b"data",
        b"event: e",
        b":",
        b" ",
        b"\xEF\xBB\xBF",
        "é".as_bytes(),
        b"\0",
        b"\xEF\xBB",
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..3000 {
        let mut stream = if random(3) == 0 { Vec::new() } else { vec![random(70) as u8] };
        for _ in 0..random(24) {
            stream.extend_from_slice(tokens[random(tokens.len())]);
        }
        fuzz_sse(&stream);
    }
}
