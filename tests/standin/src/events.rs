//! The events of a stream, in one buffer.

use std::fmt::{Display, Write};
use std::ops::Range;

#[derive(Default)]
pub struct Events {
    text: String,
    /// Where each event ends.
    ends: Vec<usize>,
}

impl Events {
    /// `data: …`
    pub fn data(&mut self, parts: &[&str]) {
        self.text.push_str("data: ");
        parts.iter().for_each(|part| self.text.push_str(part));
        self.end();
    }

    /// `event: name`, then `data: …`
    pub fn named(&mut self, name: &str, parts: &[&str]) {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "event: {name}\ndata: ");
        parts.iter().for_each(|part| self.text.push_str(part));
        self.end();
    }

    fn end(&mut self) {
        self.text.push_str("\n\n");
        self.ends.push(self.text.len());
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
        Self { text: text.to_owned(), ends }
    }

    pub fn text(self) -> String {
        self.text
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.ranges().filter_map(|range| self.text.get(range))
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
    fn recorded_text_is_cut_after_blank_lines_and_nothing_is_lost() {
        for (text, expected) in [
            ("data: 1\n\ndata: 2\n\n", vec!["data: 1\n\n", "data: 2\n\n"]),
            ("data: 1\r\n\r\ndata: 2\r\n\r\n", vec!["data: 1\r\n\r\n", "data: 2\r\n\r\n"]),
            ("data: 1\r\rdata: 2", vec!["data: 1\r\r", "data: 2"]),
            ("", vec![]),
        ] {
            assert_eq!(Events::recorded(text).iter().collect::<Vec<_>>(), expected);
        }
    }
}
