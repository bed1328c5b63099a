use super::*;
use crate::host::Shared;
use crate::ledger::{Key, Query};
use std::cell::RefCell;
use std::collections::BTreeMap;

const NOW: Millis = 1_795_262_400_000;
const SENDER: Sender<'_> = Sender { prefix: "s:", envoy: "e", login: None };

#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, (Vec<u8>, u32)>>);

impl Shared for Memory {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.0.borrow().get(key).cloned()
    }

    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        let mut values = self.0.borrow_mut();
        let known = values.get(key).map(|(_, cas)| *cas);
        if cas.is_some() && cas != known {
            return false;
        }
        values.insert(key.to_owned(), (value.to_vec(), known.unwrap_or(0).wrapping_add(1)));
        true
    }
}

fn prepared() -> Memory {
    let memory = Memory::default();
    Ledger(&memory).prepare();
    memory
}

fn count(memory: &Memory) {
    let key = Key { consumer: "c", team: "t", model: "m", provider: "p", open: false };
    assert!(Ledger(memory).add(&key, &Totals([1; 8]), NOW));
}

fn requests(memory: &Memory) -> u64 {
    Ledger(memory).rows(&Query::default()).values().map(|totals| totals.0[0]).sum()
}

/// All pages once, by one worker: how many messages there are to send.
fn look(letters: &mut Letters, memory: &Memory, now: Millis) -> usize {
    letters.lost();
    let mut due = Vec::new();
    for _ in 0..ROUND {
        letters.sweep(&Ledger(memory), now);
        due.append(&mut letters.due);
    }
    letters.due = due;
    letters.due.len()
}

/// What a store that keeps nothing but these rows says to each message.
fn replies(letters: &Letters, rows: &[(&[u8], &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for letter in &letters.due {
        out.extend_from_slice(format!("*{}\r\n", rows.len().saturating_mul(2).saturating_add(2)).as_bytes());
        let seq = letter.seq.to_string();
        let rows = rows.iter().flat_map(|(head, text)| [*head, text.as_bytes()]);
        for word in [&b"77"[..], seq.as_bytes()].into_iter().chain(rows) {
            out.extend_from_slice(&[format!("${}\r\n", word.len()).as_bytes(), word, b"\r\n"].concat());
        }
    }
    out.extend_from_slice(b"+OK\r\n");
    out
}

fn deliver(letters: &mut Letters, memory: &Memory, body: &[u8], now: Millis) -> Result<(), String> {
    letters.sent(1);
    letters.delivered(body, &SENDER, &Ledger(memory), now)
}

#[test]
fn pages_are_told_of_when_there_is_something_and_asked_for_now_and_then() {
    let memory = prepared();
    let [mut first, mut second] = [Letters::default(), Letters::default()];
    assert_eq!(look(&mut first, &memory, NOW), 512, "all is read at first");
    assert_eq!(look(&mut second, &memory, NOW), 0, "one worker does it");
    let answer = replies(&first, &[]);
    assert_eq!(deliver(&mut first, &memory, &answer, NOW), Ok(()));
    assert_eq!(look(&mut first, &memory, NOW + POLL - 1), 0);
    count(&memory);
    assert_eq!(look(&mut first, &memory, NOW + FLUSH - 1), 0);
    assert_eq!(look(&mut second, &memory, NOW + FLUSH), 1);
    count(&memory);
    assert_eq!(look(&mut first, &memory, NOW + FLUSH + RETRY - 1), 0, "it is under way");
    assert_eq!(look(&mut first, &memory, NOW + FLUSH + RETRY), 1, "and sent again");
    let alike = |a: &Letters, b: &Letters| {
        let said = |letters: &Letters| {
            let mut out = Vec::new();
            command(&mut out, &letters.due[0], &SENDER, NOW, Some("f"));
            out
        };
        said(a) == said(b)
    };
    assert!(alike(&first, &second), "as it was, for the store counts it once");
    assert_eq!((requests(&memory), Ledger(&memory).standing().unwrap().untold), (2, 2));
    first.lost();
    let now = NOW + FLUSH + 2 * POLL;
    Ledger(&memory).looked(now - EAGER);
    let answered = look(&mut first, &memory, now);
    assert_eq!(answered, 512);
    let answer = replies(&first, &[]);
    deliver(&mut first, &memory, &answer, now).unwrap();
    assert_eq!(look(&mut first, &memory, now + FLUSH), 1, "what came meanwhile");
    let answer = replies(&first, &[]);
    deliver(&mut first, &memory, &answer, now + FLUSH).unwrap();
    assert_eq!(look(&mut second, &memory, now + EAGER), 511, "somebody has looked");
}

#[test]
fn an_answer_takes_the_place_of_what_was_told() {
    let memory = prepared();
    let mut letters = Letters::default();
    count(&memory);
    look(&mut letters, &memory, NOW);
    letters.due.retain(|letter| entries(&letter.page).count() > 1);
    assert_eq!(letters.due.len(), 1);
    count(&memory);
    // Of 2026-11-21, with no names.
    let day = [1, 170, 162, 1, 0, 0, 0, 0];
    let answer = replies(&letters, &[(&day, "40 1 2 3 4 5 6 7 "), (b"\x04no", "9"), (b"", "9"), (b"\x01", "9 9")]);
    // An answer that is cut says nothing, and so does one to another message.
    for len in 0..answer.len() - 6 {
        let mut copy = Letters { due: Vec::new(), ..Letters::default() };
        copy.due.extend(letters.due.iter().map(|letter| Letter { page: letter.page.clone(), ..*letter }));
        assert!(deliver(&mut copy, &memory, &answer[..len], NOW).is_err(), "{len}");
        assert_eq!(requests(&memory), 2);
    }
    let page = PAGES.load(&memory, letters.due[0].index).0;
    let seq = letters.due[0].seq;
    let of = |seq: u64| told(&page, seq, &[b"77".to_vec(), seq.to_string().into_bytes()], NOW);
    assert!(of(seq).is_some() && of(seq + 1).is_none() && of(seq - 1).is_none());
    deliver(&mut letters, &memory, &answer, NOW).unwrap();
    assert_eq!(requests(&memory), 41, "the store's, and what came since");
    assert_eq!(deliver(&mut letters, &memory, &answer, NOW), Ok(()), "nothing waits for it any longer");
    assert_eq!(requests(&memory), 41);
}

#[test]
fn a_store_that_says_anything_else_takes_nothing() {
    let memory = prepared();
    let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
    count(&memory);
    let mut letters = Letters::default();
    look(&mut letters, &memory, NOW);
    for letter in &letters.due {
        let page = PAGES.load(&memory, letter.index).0;
        let seq = letter.seq.to_string();
        for answer in [
            words(&[]),
            words(&["1"]),
            words(&["x", &seq]),
            words(&["1", "0"]),
            words(&["1", "-1"]),
            words(&["1", &seq, "\u{1}\u{1}", "1 2 x"]),
            words(&["1", &seq, "\u{1}\u{1}", "-1"]),
        ] {
            assert_eq!(told(&page, letter.seq, &answer, NOW), None, "{answer:?}");
        }
        let many: Vec<_> =
            [seq.clone(), seq].into_iter().chain((0..1000).flat_map(|_| ["\u{1}\u{1}".into(), "1".into()])).collect();
        let many: Vec<_> = many.into_iter().map(String::into_bytes).collect();
        assert_eq!(entries(&told(&page, letter.seq, &many, NOW).unwrap()).count(), 1 + ROWS + OTHERS);
    }
    for body in [
        &b""[..],
        b"+OK\r\n",
        b"-ERR no\r\n",
        b"*-1\r\n",
        b"*99999999999999\r\n",
        b"*2\r\n$99999999\r\n",
        b"$3\r\nabc\r\n",
        b"\r\n",
    ] {
        look(&mut letters, &memory, NOW + 10 * POLL);
        let _ = deliver(&mut letters, &memory, body, NOW);
        assert_eq!(requests(&memory), 1, "{body:?}");
    }
}

#[test]
fn a_script_that_is_not_known_is_sent_whole_and_once() {
    let memory = prepared();
    let mut letters = Letters::default();
    letters.sweep(&Ledger(&memory), NOW);
    let sent = letters.due.len();
    let holds = |letters: &Letters, script: &str| {
        String::from_utf8(letters.post(&SENDER, NOW).unwrap()).unwrap().matches(script).count()
    };
    assert_eq!((holds(&letters, SCRIPT_SHA1), holds(&letters, SCRIPT)), (sent, 0));
    let body = "-NOSCRIPT No matching script.\r\n".repeat(sent);
    deliver(&mut letters, &memory, body.as_bytes(), NOW).unwrap();
    assert_eq!((letters.due.len(), holds(&letters, SCRIPT), holds(&letters, SCRIPT_SHA1)), (sent, 1, sent - 1));
    let answer = replies(&letters, &[]);
    deliver(&mut letters, &memory, &answer, NOW).unwrap();
    assert!(letters.post(&SENDER, NOW).is_none() && !letters.unknown);
}

#[test]
fn a_store_that_never_knows_the_script_has_failed() {
    let memory = prepared();
    let mut letters = Letters::default();
    letters.sweep(&Ledger(&memory), NOW);
    let body = "-NOSCRIPT No matching script.\r\n".repeat(letters.due.len());
    deliver(&mut letters, &memory, body.as_bytes(), NOW).unwrap();
    assert_eq!(deliver(&mut letters, &memory, body.as_bytes(), NOW), Err("NOSCRIPT".to_owned()));
    assert!(letters.post(&SENDER, NOW).is_none(), "it is not sent again at once");
}

#[test]
fn a_password_that_is_wrong_is_told() {
    let memory = prepared();
    let mut letters = Letters::default();
    letters.sweep(&Ledger(&memory), NOW);
    let sender = Sender { login: Some(("", "p")), ..SENDER };
    assert!(letters.post(&sender, NOW).unwrap().starts_with(b"*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n"));
    letters.sent(9);
    assert!(letters.has_sent(9) && !letters.has_sent(8) && letters.post(&sender, NOW).is_none());
    let said = letters.delivered(b"-WRONGPASS no\r\n-NOAUTH no\r\n", &sender, &Ledger(&memory), NOW);
    assert_eq!(said, Err("WRONGPASS no".to_owned()));
    assert!(letters.due.is_empty(), "pages repeat it");
}
