//! Values of the document with their paths, and the ways to read them.

use super::suggest::suggest;
use super::{MAX_ENTRIES, Problem};
use crate::host::Millis;
use serde_json::{Map, Value};

pub(super) type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

pub(super) struct Reader<'e> {
    pub(super) problems: Vec<Problem>,
    pub(super) env: Env<'e>,
}

/// A value and the path to it.
#[derive(Clone)]
pub(super) struct Node<'v> {
    pub(super) path: String,
    pub(super) value: &'v Value,
}

impl<'v> Node<'v> {
    pub(super) fn child(&self, key: &str, value: &'v Value) -> Self {
        let path = match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        Self { path, value }
    }

    pub(super) fn item(&self, index: usize, value: &'v Value) -> Self {
        Self { path: format!("{}[{index}]", self.path), value }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "a mapping",
        }
    }
}

impl Reader<'_> {
    pub(super) fn problem(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(Problem { path: path.to_owned(), message: message.into() });
    }

    pub(super) fn wrong<T>(&mut self, node: &Node<'_>, wanted: &str) -> Option<T> {
        self.problem(&node.path, format!("must be {wanted}, not {}", node.kind()));
        None
    }

    pub(super) fn mapping<'v>(&mut self, node: &Node<'v>) -> Option<&'v Map<String, Value>> {
        match node.value {
            Value::Object(map) => Some(map),
            _ => self.wrong(node, "a mapping"),
        }
    }

    /// A mapping with no field but these.
    pub(super) fn fields<'v>(&mut self, node: &Node<'v>, known: &[&str]) -> Option<&'v Map<String, Value>> {
        let map = self.mapping(node)?;
        for (key, value) in map {
            if !known.contains(&key.as_str()) {
                let path = node.child(key, value).path;
                self.problem(&path, format!("no such field{}", suggest(key, known.iter().copied())));
            }
        }
        Some(map)
    }

    pub(super) fn list<'v>(&mut self, node: &Node<'v>) -> Option<Vec<Node<'v>>> {
        match node.value {
            Value::Array(items) if items.is_empty() => {
                self.problem(&node.path, "must not be empty");
                None
            }
            Value::Array(items) if items.len() > MAX_ENTRIES => {
                self.problem(&node.path, format!("has more than {MAX_ENTRIES} entries"));
                None
            }
            Value::Array(items) => Some(items.iter().enumerate().map(|(i, item)| node.item(i, item)).collect()),
            _ => self.wrong(node, "a list"),
        }
    }

    pub(super) fn text<'v>(&mut self, node: &Node<'v>) -> Option<&'v str> {
        match node.value {
            Value::String(text) if text.is_empty() => {
                self.problem(&node.path, "must not be empty");
                None
            }
            Value::String(text) if text.chars().any(char::is_control) => {
                self.problem(&node.path, "must not have control characters");
                None
            }
            Value::String(text) => Some(text),
            _ => self.wrong(node, "a string"),
        }
    }

    pub(super) fn boolean(&mut self, node: &Node<'_>) -> Option<bool> {
        match node.value {
            Value::Bool(value) => Some(*value),
            _ => self.wrong(node, "true or false"),
        }
    }

    pub(super) fn count(&mut self, node: &Node<'_>) -> Option<u64> {
        match whole_number(node.value) {
            Some(count) if count > 0 => Some(count),
            _ => self.wrong(node, "a whole number above 0"),
        }
    }

    /// `250ms`, `30s`, `5m`, `1h`; `0s` where nothing is allowed to mean "never".
    pub(super) fn duration(&mut self, node: &Node<'_>) -> Option<Millis> {
        let text = self.text(node)?;
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit: Option<u64> = match text.get(digits.len()..) {
            Some("ms") => Some(1),
            Some("s") => Some(1000),
            Some("m") => Some(60_000),
            Some("h") => Some(3_600_000),
            _ => None,
        };
        let millis = digits.parse::<u64>().ok().zip(unit).and_then(|(count, unit)| count.checked_mul(unit));
        if millis.is_none() {
            self.problem(&node.path, format!("\"{text}\" is no duration: 250ms, 30s, 5m, 1h"));
        }
        millis
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, node: &Node<'_>, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let near = suggest(text, all.iter().copied());
            self.problem(&node.path, format!("no such value \"{text}\"{near} (one of: {})", all.join(", ")));
        }
        found
    }
}

/// A number without a fraction. A protobuf `Struct` has only doubles: 30 may come as 30.0.
fn whole_number(value: &Value) -> Option<u64> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        let whole = number.fract() == 0.0 && (0.0..=MOST).contains(&number);
        whole.then_some(number as u64)
    })
}
