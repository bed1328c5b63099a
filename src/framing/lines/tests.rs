use super::fuzz::{decode, fuzz_lines};
use super::*;

/// The stream gives these events, whole and cut in two at every byte and byte by byte.
#[track_caller]
fn check(limit: usize, stream: &[u8], events: &[Option<&str>]) {
    let want: Vec<_> = events.iter().map(|event| event.map(|text| text.as_bytes().to_vec())).collect();
    assert_eq!(decode(limit, [stream]), want, "whole");
    assert_eq!(decode(limit, stream.chunks(1)), want, "byte by byte");
    for cut in 0..=stream.len() {
        let (head, tail) = stream.split_at(cut);
        assert_eq!(decode(limit, [head, tail]), want, "cut at {cut}");
    }
}

#[test]
fn each_line_with_an_object_is_an_event() {
    check(99, b"", &[]);
    check(99, b"{}\n", &[Some("{}")]);
    check(99, b"{\"a\":1}\r\n{\"b\":2}\r{}", &[Some("{\"a\":1}"), Some("{\"b\":2}"), Some("{}")]);
    check(99, b"\n  \n : ping\n[1]\n {\"a\":\"\xC3\xA9\"} \n\n", &[Some("{\"a\":\"\u{e9}\"}")]);
}

#[test]
fn a_line_is_too_long_for_its_length_and_not_for_its_cuts() {
    check(3, b"{}\n{}\n", &[Some("{}"), Some("{}")]);
    check(3, b"{ }\n{}\n", &[None, Some("{}")]);
    check(3, b"{}\n{ }", &[Some("{}"), None]);
    check(2, b"{}\n", &[None]);
}

#[test]
fn what_was_held_is_given_back_after_a_large_line() {
    let mut decoder = Decoder::new();
    decoder.feed(&vec![b'x'; MAX_LINE_BYTES - 2], &mut |_| {});
    decoder.feed(b"\n", &mut |frame| assert!(!frame.too_long));
    assert!(decoder.held.capacity() <= KEPT_CAPACITY);
}

#[test]
fn the_fuzz_function_holds_on_the_seeds() {
    for seed in [b"".as_slice(), b"\x03{ }\n{}\n", b"{}\r\n\r{\"a\"", b"\xFF{}\n", b"\x01\n\n\n"] {
        fuzz_lines(seed);
    }
}
