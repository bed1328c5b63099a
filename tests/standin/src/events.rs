//! The events of a stream, in one buffer.

use std::fmt::{Display, Write};
use std::ops::Range;

use serde_json::Value;

/// How the events of a stream are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Framing {
    /// Server-sent events.
    #[default]
    Sse,
    /// One JSON value a line.
    Lines,
    /// The elements of one JSON list.
    Array,
    /// Amazon's binary frames.
    Frames,
}

impl Framing {
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream; charset=utf-8",
            Self::Lines => "application/x-ndjson",
            Self::Array => "application/json; charset=UTF-8",
            Self::Frames => "application/vnd.amazon.eventstream",
        }
    }
}

#[derive(Default)]
pub struct Events {
    pub framing: Framing,
    bytes: Vec<u8>,
    /// Where each event ends.
    ends: Vec<usize>,
}

impl Events {
    pub fn new(framing: Framing) -> Self {
        Self { framing, ..Self::default() }
    }

    /// `data: …`
    pub fn data(&mut self, parts: &[&str]) {
        self.bytes.extend_from_slice(b"data: ");
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part.as_bytes()));
        self.end(b"\n\n");
    }

    /// `event: name`, then `data: …`
    pub fn named(&mut self, name: &str, parts: &[&str]) {
        ["event: ", name, "\n"].iter().for_each(|part| self.bytes.extend_from_slice(part.as_bytes()));
        self.data(parts);
    }

    /// A value as an event without a name; `close` ends a list of them.
    pub fn value(&mut self, value: &Value) {
        let text = value.to_string();
        match self.framing {
            Framing::Lines => self.raw([text.as_bytes(), b"\n"].concat()),
            Framing::Array => {
                let before: &[u8] = if self.ends.is_empty() { b"[" } else { b",\r\n" };
                self.raw([before, text.as_bytes()].concat());
            }
            Framing::Sse | Framing::Frames => self.data(&[&text]),
        }
    }

    /// An event as it goes over the wire.
    pub fn raw(&mut self, event: Vec<u8>) {
        self.bytes.extend(event);
        self.end(b"");
    }

    pub fn close(&mut self) {
        if self.framing == Framing::Array {
            self.raw(b"]".to_vec());
        }
    }

    fn end(&mut self, with: &[u8]) {
        self.bytes.extend_from_slice(with);
        self.ends.push(self.bytes.len());
    }

    /// Cuts recorded text after each blank line, whichever line ends it uses.
    pub fn recorded(text: &str) -> Self {
        let mut ends = Vec::new();
        let bytes = text.as_bytes();
        let mut at = 0_usize;
        let mut blank = true;
        while let Some(byte) = bytes.get(at) {
            at = at.saturating_add(1);
            match byte {
                b'\r' | b'\n' => {
                    if *byte == b'\r' && bytes.get(at) == Some(&b'\n') {
                        at = at.saturating_add(1);
                    }
                    if blank {
                        ends.push(at);
                    }
                    blank = true;
                }
                _ => blank = false,
            }
        }
        if ends.last() != Some(&text.len()) && !text.is_empty() {
            ends.push(text.len());
        }
        Self { framing: Framing::Sse, bytes: bytes.to_vec(), ends }
    }

    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.ranges().filter_map(|range| self.bytes.get(range))
    }

    fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(self.ends.iter().copied()).map(|(start, end)| start..end)
    }
}

/// As a JSON string, with its quotes.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// A JSON object with its members in this order, as vendors write them: `type` is often looked for first. A member is a value, or
/// text that is JSON already.
pub fn object(members: &[(&str, &dyn Display)]) -> String {
    let mut out = String::from("{");
    for (at, (name, value)) in members.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(out, "{comma}\"{name}\":{value}");
    }
    out.push('}');
    out
}

pub fn list(items: &[String]) -> String {
    format!("[{}]", items.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart_as_the_framing_has_it() {
        for (framing, expected) in
            [(Framing::Sse, "data: 1\n\ndata: 2\n\n"), (Framing::Lines, "1\n2\n"), (Framing::Array, "[1,\r\n2]")]
        {
            let mut events = Events::new(framing);
            [1, 2].iter().for_each(|n| events.value(&Value::from(*n)));
            events.close();
            assert_eq!(String::from_utf8(events.bytes()).unwrap(), expected);
        }
    }

    #[test]
    fn recorded_text_is_cut_after_blank_lines_and_nothing_is_lost() {
        for (text, expected) in [
            ("data: 1\n\ndata: 2\n\n", vec!["data: 1\n\n", "data: 2\n\n"]),
            ("data: 1\r\n\r\ndata: 2\r\n\r\n", vec!["data: 1\r\n\r\n", "data: 2\r\n\r\n"]),
            ("data: 1\r\rdata: 2", vec!["data: 1\r\r", "data: 2"]),
            ("", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(str::as_bytes).collect();
            assert_eq!(Events::recorded(text).iter().collect::<Vec<_>>(), expected);
        }
    }
}
