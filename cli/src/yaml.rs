//! YAML as Envoy reads it, which decides by itself what a plain word is: `yes` is true, `0.5` is text until a field of a
//! number takes it, whole numbers beyond 32 bits are text. A field's name is what is written, and a field whose name has the
//! tag `!ignore` is not there.

use crate::tree::{MAX_DEPTH, MAX_VALUES, Member, Node, Place, Value};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::BTreeMap;

#[derive(Debug)]
pub struct Read {
    pub documents: Vec<Node>,
    /// Names that stand twice in one mapping.
    pub twice: Vec<(Place, String)>,
}

#[derive(Debug)]
pub struct Unreadable {
    pub at: Place,
    pub message: String,
}

pub fn read(text: &str) -> Result<Read, Unreadable> {
    let mut loader = Loader { lines: text.lines().collect(), ..Loader::default() };
    // Event by event: the parser's own walk has no limit of depth.
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        match next {
            Ok((event, span)) => loader.take(event, span),
            Err(error) => {
                let at = place(error.marker().line(), error.marker().col());
                return Err(Unreadable { at, message: error.info().to_owned() });
            }
        }
        if let Some(unreadable) = loader.failed {
            return Err(unreadable);
        }
    }
    Ok(Read { documents: loader.documents, twice: loader.twice })
}

fn place(line: usize, column_from_0: usize) -> Place {
    Place { line, column: column_from_0.saturating_add(1) }
}

#[derive(Default)]
struct Loader<'t> {
    lines: Vec<&'t str>,
    open: Vec<Open>,
    documents: Vec<Node>,
    anchors: BTreeMap<usize, (Node, usize)>,
    twice: Vec<(Place, String)>,
    values: usize,
    failed: Option<Unreadable>,
}

/// A list or mapping whose end has not come.
struct Open {
    at: Place,
    anchor: usize,
    /// Values read before it.
    before: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map { members: Vec<Member>, name: Option<Name> },
}

struct Name {
    text: String,
    at: Place,
    ignored: bool,
}

impl Loader<'_> {
    fn fail(&mut self, at: Place, message: &str) {
        self.failed.get_or_insert_with(|| Unreadable { at, message: message.to_owned() });
    }

    fn start(&mut self, at: Place, anchor: usize, kind: Kind) {
        if self.open.len() >= MAX_DEPTH {
            self.fail(at, "is nested too deeply");
        }
        self.open.push(Open { at, anchor, before: self.values, kind });
    }

    fn end(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let value = match open.kind {
            Kind::List(items) => Value::List(items),
            Kind::Map { members, .. } => Value::Map(members),
        };
        let weight = self.values.saturating_sub(open.before);
        self.put(Node { at: open.at, value }, open.anchor, weight);
    }

    /// `weight`: the values in it.
    fn put(&mut self, node: Node, anchor: usize, weight: usize) {
        self.values = self.values.saturating_add(1);
        if self.values > MAX_VALUES {
            self.fail(node.at, "has too many values");
        }
        if self.failed.is_some() {
            return;
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.documents.push(node),
            Some(Kind::List(items)) => items.push(node),
            Some(Kind::Map { members, name }) => match name.take() {
                None => match node.value {
                    Value::Text { text, .. } => *name = Some(Name { text, at: node.at, ignored: false }),
                    _ => self.fail(node.at, "is no name of a field"),
                },
                Some(Name { ignored: true, .. }) => {}
                Some(Name { text: name, at, .. }) => {
                    if members.iter().any(|member| member.name == name) {
                        self.twice.push((at, name.clone()));
                    }
                    members.push(Member { name, at, value: node });
                }
            },
        }
    }

    /// Where the text of a block starts: its line, and how far it is indented.
    fn block(&self, style: ScalarStyle, head: Place) -> Option<(usize, usize)> {
        if style != ScalarStyle::Literal {
            return None;
        }
        // The span starts at the sign or at the text, whichever the parser says.
        let line = |number: usize| self.lines.get(number.saturating_sub(1)).copied();
        let sign = line(head.line).is_some_and(|text| text.trim_end().ends_with(['|', '-', '+']) && text.contains('|'));
        let mut first = if sign { head.line.saturating_add(1) } else { head.line };
        let start = first;
        while line(first).is_some_and(|text| text.trim().is_empty()) {
            first = first.saturating_add(1);
        }
        let text = line(first)?;
        Some((start, text.len().saturating_sub(text.trim_start_matches(' ').len())))
    }
}

impl Loader<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) {
        let at = place(span.start.line(), span.start.col());
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_name = matches!(self.open.last().map(|open| &open.kind), Some(Kind::Map { name: None, .. }));
                let value = match (style, is_name) {
                    (ScalarStyle::Plain, false) => plain(&text),
                    (ScalarStyle::Plain, true) if matches!(plain(&text), Value::Null) => {
                        Value::Text { text: "null".to_owned(), block: None }
                    }
                    _ => Value::Text { text: text.into_owned(), block: self.block(style, at) },
                };
                self.put(Node { at, value }, anchor, 0);
                let ignored = is_name && tag.is_some_and(|tag| tag.handle == "!" && tag.suffix == "ignore");
                if let Some(Kind::Map { name: Some(name), .. }) = self.open.last_mut().map(|open| &mut open.kind) {
                    name.ignored |= ignored;
                }
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some((node, weight)) => {
                    self.values = self.values.saturating_add(weight);
                    self.put(node, 0, weight);
                }
                None => self.fail(at, "names an anchor that is not there, or stands within it"),
            },
            Event::SequenceStart(anchor, _) => self.start(at, anchor, Kind::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                self.start(at, anchor, Kind::Map { members: Vec::new(), name: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::DocumentStart(_) => self.anchors.clear(),
            _ => {}
        }
    }
}

/// A word without quotes.
fn plain(text: &str) -> Value {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    let lower = text.to_ascii_lowercase();
    // One case throughout, or a capital first.
    let cased = text == lower || text == text.to_ascii_uppercase() || text.get(1..) == lower.get(1..);
    match lower.as_str() {
        "y" | "yes" | "true" | "on" if cased => return Value::Bool(true),
        "n" | "no" | "false" | "off" if cased => return Value::Bool(false),
        _ => {}
    }
    match whole(text) {
        Some(number) if i32::try_from(number).is_ok() => Value::Number(number.to_string()),
        Some(number) => Value::Text { text: number.to_string(), block: None },
        None => Value::Text { text: text.to_owned(), block: None },
    }
}

/// Decimal, `0x` and, with a zero before it, octal.
fn whole(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => (16, hex),
        None if digits.len() > 1 && digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    // `from_str_radix` would take a second sign.
    let is_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digits { i64::from_str_radix(&[sign, digits].concat(), radix).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::read;

    fn json(text: &str) -> String {
        read(text).unwrap().documents.iter().map(super::Node::json).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_are_what_envoy_takes_them_for() {
        for (text, expected) in [
            ("[1, -2, +3, 0x1f, 010, 0]", "[1,-2,3,31,8,0]"),
            ("[2147483647, 2147483648, 0.5, 1e3, 08, 1_000]", r#"[2147483647,"2147483648","0.5","1e3","08","1_000"]"#),
            ("[yes, No, TRUE, on, yEs, tRUE]", r#"[true,false,true,true,"yEs","tRUE"]"#),
            ("[null, ~, '', \"1\", 2026-01-15]", r#"[null,null,"","1","2026-01-15"]"#),
            ("{1: a, true: b}", r#"{"1":"a","true":"b"}"#),
            ("{no: a, 010: b, TRUE: c, ~: d, '': e}", r#"{"no":"a","010":"b","TRUE":"c","null":"d","":"e"}"#),
            ("{!ignore a: &x {b: 1}, c: *x}", r#"{"c":{"b":1}}"#),
            ("a: &x {b: 1}\nc: *x\n", r#"{"a":{"b":1},"c":{"b":1}}"#),
            ("a: |\n  x\n  y\n", r#"{"a":"x\ny\n"}"#),
            ("a: 1\n---\nb: 2\n", r#"{"a":1} {"b":2}"#),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        for (text, line) in
            [("a: [1", 2), ("a: 1\n b: 2\n", 2), ("a: *x\n", 1), ("a: &x [*x]\n", 1), ("? [1]\n: 2\n", 1)]
        {
            let error = read(text).unwrap_err();
            assert!(error.at.line <= line && !error.message.is_empty(), "{text}: {error:?}");
        }
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let last = format!("*a{}", n - 1);
            text += &format!("a{n}: &a{n} [{}]\n", vec![last; 9].join(", "));
        }
        assert!(read(&text).unwrap_err().message.contains("too many"));
        assert!(read(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn a_name_that_stands_twice_is_noted() {
        let read = read("a: 1\nb: {c: 1, c: 2}\n").unwrap();
        assert_eq!(read.twice.len(), 1);
        assert_eq!((read.twice[0].0.line, read.twice[0].1.as_str()), (2, "c"));
    }
}
