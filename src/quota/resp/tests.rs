use super::*;
use crate::quota::Slot;

const ANSWER: &[u8] = b"*7\r\n:1795248000000001\r\n:12\r\n:80\r\n:920\r\n:15\r\n:1\r\n:2\r\n";

#[test]
fn a_message_is_one_command() {
    let message = Message {
        slot: Slot(0xabc),
        start: 60_000,
        seq: 1,
        born: 2,
        total: 3,
        acked: 4,
        have: 5,
        need: 6,
        want: 7,
        limit: u64::MAX,
        lease_ms: 9,
        keep_ms: 0,
    };
    let mut out = Vec::new();
    command(&mut out, &message, "sluice:", "envoy-1", Some("f00"));
    quit(&mut out);
    let words: Vec<_> = out.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end()).collect();
    let texts: Vec<_> = words.iter().skip(2).step_by(2).map(|word| String::from_utf8_lossy(word)).collect();
    assert_eq!(words[0], b"*15");
    assert_eq!(
        texts[..15],
        [
            "EVALSHA",
            "f00",
            "1",
            "sluice:{00000000000000000000000000000abc}:60000",
            "envoy-1",
            "1",
            "2",
            "3",
            "4",
            "5",
            "6",
            "7",
            "9007199254740992",
            "9",
            "0"
        ]
    );
    assert!(out.ends_with(b"*1\r\n$4\r\nQUIT\r\n"));
}

#[test]
fn replies_are_read_however_they_are_cut() {
    let all = [ANSWER, b"-NOSCRIPT No matching script.\r\n", b"-ERR broken\r\n", b"+OK\r\n"].concat();
    let answer = Answer { born: 1_795_248_000_000_001, seq: 12, lease: 80, free: 920, share: 15, before: 1, used: 2 };
    let expected = [Reply::Answer(answer), Reply::NoScript, Reply::Error("ERR broken".to_owned()), Reply::Other];
    for len in 0..=all.len() {
        let mut rest = &all[..len];
        let mut replies = Vec::new();
        let end = loop {
            match reply(&mut rest) {
                Ok(reply) => replies.push(reply),
                Err(end) => break end,
            }
        };
        assert_eq!(end, Broken::Short, "{len}");
        assert_eq!(replies, expected[..replies.len()], "{len}");
        assert!(len < all.len() || replies.len() == 4);
    }
}

#[test]
fn what_a_store_may_not_say_is_not_read() {
    let check = |bytes: &[u8]| assert_eq!(reply(&mut &*bytes), Err(Broken::Wrong), "{bytes:?}");
    check(b"$3\r\nabc\r\n");
    check(b"*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n");
    check(b"*7\r\n$1\r\n1\r\n");
    check(b"*7\r\n:99999999999999999999\r\n");
    check(b"*7\r\n:one\r\n");
    check(b"HTTP/1.1 400 Bad Request\r\n");
    check(b"-ERR\rx");
    check(&[b"-", [b'x'; 600].as_slice()].concat());
    assert_eq!(reply(&mut &b""[..]), Err(Broken::Short));
}
