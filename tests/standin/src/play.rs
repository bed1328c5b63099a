//! Plays an answer to the client in steps: pieces, waits, and the faults between them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use crate::control::Watch;
use crate::events::{Events, Framing};
use crate::faults::Faults;
use crate::socket::Line;

/// What was sent before a reset gets this long to be read.
const BEFORE_RESET: Duration = Duration::from_millis(5);

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Send(Bytes),
    /// Everything so far leaves the process before the next step.
    Flush,
    Wait(Duration),
    Reset,
}

/// The steps of a whole body, and the length to announce.
pub fn whole(body: impl Into<Bytes>, faults: &Faults) -> (Vec<Step>, Option<u64>) {
    let mut body = body.into();
    if faults.malformed.is_some() || faults.cut.is_some() {
        body.truncate(body.len() / 2);
    }
    let length = u64::try_from(body.len()).ok();
    let mut steps = Vec::new();
    wait(&mut steps, faults.delay_first);
    if faults.reset.is_some() {
        body.truncate(body.len() / 2);
        send(&mut steps, body, faults.shape.split);
        reset(&mut steps);
    } else {
        send(&mut steps, body, faults.shape.split);
    }
    (steps, length)
}

/// The steps of a stream; `error` is the event that `error_event` sends.
pub fn stream(events: Events, faults: &Faults, error: &[u8]) -> Vec<Step> {
    let mut steps = Vec::new();
    let shape = &faults.shape;
    let untouched = faults.delay == 0
        && !shape.crlf
        && !shape.comments
        && [faults.reset, faults.cut, faults.malformed, faults.error_event].iter().all(Option::is_none);
    wait(&mut steps, faults.delay_first);
    if untouched {
        send(&mut steps, Bytes::from(events.bytes()), shape.split);
        return steps;
    }
    let last = [faults.reset, faults.cut, faults.error_event].into_iter().flatten().min().unwrap_or(usize::MAX);
    for (at, event) in events.iter().enumerate().take(last) {
        if at > 0 {
            wait(&mut steps, faults.delay);
        }
        let broken = faults.malformed == Some(at.saturating_add(1));
        let event = if broken { broken_event(event, events.framing) } else { event.to_vec() };
        send_event(&mut steps, event, events.framing, faults);
    }
    if faults.error_event == Some(last) {
        wait(&mut steps, faults.delay);
        let before: &[u8] = match events.framing {
            Framing::Array if last == 0 => b"[",
            Framing::Array => b",\r\n",
            _ => b"",
        };
        send_event(&mut steps, [before, error].concat(), events.framing, faults);
    } else if faults.reset.is_some() && faults.reset <= faults.cut.or(Some(usize::MAX)) {
        reset(&mut steps);
    }
    steps
}

fn send_event(steps: &mut Vec<Step>, event: Vec<u8>, framing: Framing, faults: &Faults) {
    let event = match String::from_utf8(event) {
        Ok(mut text) if framing == Framing::Sse => {
            if faults.shape.comments {
                text.insert_str(0, ": stand-in\n\n");
            }
            if faults.shape.crlf && !text.contains('\r') {
                text = text.replace('\n', "\r\n");
            }
            text.into_bytes()
        }
        Ok(text) => text.into_bytes(),
        Err(binary) => binary.into_bytes(),
    };
    send(steps, Bytes::from(event), faults.shape.split);
}

/// Half of the event, so that its JSON does not end; of a binary frame, one byte is another, so that its checksum does not fit.
fn broken_event(event: &[u8], framing: Framing) -> Vec<u8> {
    let end = match framing {
        Framing::Frames => {
            let mut event = event.to_vec();
            if let Some(byte) = event.iter_mut().rev().nth(crate::eventstream::CHECKSUM) {
                *byte ^= 1;
            }
            return event;
        }
        Framing::Sse => "\n\n",
        Framing::Lines => "\n",
        Framing::Array => "",
    };
    let text = String::from_utf8_lossy(event);
    let body = text.trim_end();
    let mut at = body.len() / 2;
    while !body.is_char_boundary(at) {
        at = at.saturating_sub(1);
    }
    // An event may begin with a line that names it: the cut is in the data.
    if let Some(data) = body.find("data: ") {
        at = at.max(data.saturating_add("data: {".len())).min(body.len());
    }
    [body.get(..at).unwrap_or_default(), end].concat().into_bytes()
}

fn send(steps: &mut Vec<Step>, mut bytes: Bytes, split: Option<usize>) {
    let Some(size) = split else {
        steps.push(Step::Send(bytes));
        return;
    };
    while !bytes.is_empty() {
        steps.push(Step::Send(bytes.split_to(size.min(bytes.len()))));
        steps.push(Step::Flush);
    }
}

fn wait(steps: &mut Vec<Step>, ms: u64) {
    if ms > 0 {
        steps.push(Step::Flush);
        steps.push(Step::Wait(Duration::from_millis(ms)));
    }
}

fn reset(steps: &mut Vec<Step>) {
    steps.extend([Step::Flush, Step::Wait(BEFORE_RESET), Step::Reset]);
}

/// The body that plays the steps.
pub struct Play {
    steps: std::vec::IntoIter<Step>,
    left: Option<u64>,
    sleep: Option<Pin<Box<Sleep>>>,
    line: Line,
    watch: Option<Watch>,
}

impl Play {
    pub fn new(steps: Vec<Step>, length: Option<u64>, line: Line, watch: Option<Watch>) -> Self {
        Self { steps: steps.into_iter(), left: length, sleep: None, line, watch }
    }

    fn ended(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.complete();
        }
    }
}

/// Ends the connection without an end of the answer.
#[derive(Debug)]
pub struct Aborted;

impl std::fmt::Display for Aborted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer was to be aborted")
    }
}

impl std::error::Error for Aborted {}

impl From<Infallible> for Aborted {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Body for Play {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                match sleep.as_mut().poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => self.sleep = None,
                }
            }
            match self.steps.next() {
                None => {
                    self.ended();
                    return Poll::Ready(None);
                }
                Some(Step::Send(bytes)) => {
                    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    self.left = self.left.map(|left| left.saturating_sub(length));
                    if self.steps.as_slice().is_empty() {
                        self.ended();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                // hyper writes out what it holds whenever the body has nothing for it.
                Some(Step::Flush) => {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Wait(time)) => self.sleep = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Reset) => {
                    self.line.abort();
                    return Poll::Ready(Some(Err(Aborted)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.sleep.is_none() && self.steps.as_slice().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(faults: &str) -> Vec<String> {
        let mut events = Events::default();
        for n in 1..=3 {
            events.data(&["{\"n\":", &n.to_string(), "}"]);
        }
        let mut wanted = Faults::default();
        wanted.add_list(faults).unwrap();
        stream(events, &wanted, b"data: error\n\n")
            .into_iter()
            .map(|step| match step {
                Step::Send(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                Step::Flush => "flush".to_owned(),
                Step::Wait(time) => format!("wait {}", time.as_millis()),
                Step::Reset => "reset".to_owned(),
            })
            .collect()
    }

    #[test]
    fn each_fault_changes_the_steps_as_told() {
        let one = "data: {\"n\":1}\n\n";
        let two = "data: {\"n\":2}\n\n";
        let three = "data: {\"n\":3}\n\n";
        let cases: &[(&str, &[&str])] = &[
            ("", &[&[one, two, three].concat()]),
            ("reset=1", &[one, "flush", "wait 5", "reset"]),
            ("cut=2", &[one, two]),
            ("cut=1,reset=2", &[one]),
            ("cut=0", &[]),
            ("error_event=0", &["data: error\n\n"]),
            ("error_event=1", &[one, "data: error\n\n"]),
            ("malformed=2", &[one, "data: {\n\n", three]),
            ("delay=7,cut=2", &[one, "flush", "wait 7", two]),
            ("delay_first=9,cut=1", &["flush", "wait 9", one]),
            ("crlf,cut=1", &["data: {\"n\":1}\r\n\r\n"]),
            ("comments,cut=1", &[": stand-in\n\ndata: {\"n\":1}\n\n"]),
            ("split=8,cut=1", &["data: {\"", "flush", "n\":1}\n\n", "flush"]),
        ];
        for (faults, expected) in cases {
            assert_eq!(played(faults), *expected, "{faults}");
        }
    }

    #[test]
    fn a_broken_named_event_keeps_its_name() {
        let broken = broken_event(b"event: content_block_delta\ndata: {\"type\":\"x\"}\n\n", Framing::Sse);
        let broken = String::from_utf8(broken).unwrap();
        assert!(broken.starts_with("event: content_block_delta\ndata: {"), "{broken}");
        let data = broken.trim_end().split_once("data: ").unwrap().1;
        assert!(serde_json::from_str::<serde_json::Value>(data).is_err());
    }

    #[test]
    fn a_whole_body_is_announced_by_what_will_be_sent() {
        let length = |faults: &str| {
            let mut wanted = Faults::default();
            wanted.add_list(faults).unwrap();
            whole("{\"a\":\"b\"}".to_owned(), &wanted).1
        };
        assert_eq!(length(""), Some(9));
        assert_eq!(length("cut=1"), Some(4));
        assert_eq!(length("reset=1"), Some(9));
    }
}
