//! A call's arguments that come in pieces, each with its place (`$.items[0].name`), as the JSON text they make.

use super::wire::said;
use crate::json::write::comma;
use crate::json::{Value, escape, quote};

/// Nesting of arguments: deeper is not read.
const MAX_DEPTH: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(u64),
}

/// How far the text has come: what is open in it.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// The way to the last value, and whether it is a string that goes on.
    path: Vec<Step>,
    begun: bool,
    text_open: bool,
    /// What was written last decides on the comma.
    last: u8,
}

impl Pieces {
    /// Writes what a piece adds. `None`: its place cannot be told.
    pub(super) fn add(&mut self, out: &mut Vec<u8>, piece: &Value<'_>) -> Option<()> {
        let path = steps(&said(piece, "jsonPath")?)?;
        let goes_on = piece.get("willContinue").and_then(|more| more.truth()) == Some(true);
        let text = piece.get("stringValue").and_then(|value| value.text());
        // The comma before looks at what was written, which the client has already.
        let start = out.len();
        out.push(self.last);
        if self.text_open && path == self.path {
            if let Some(text) = &text {
                escape(out, text);
            }
        } else {
            self.go(out, path);
            match &text {
                Some(text) => {
                    out.push(b'"');
                    escape(out, text);
                }
                None => {
                    let number = piece.get("numberValue").filter(|value| !value.is_text());
                    let other = number.or_else(|| piece.get("boolValue")).map_or("null", |value| value.raw());
                    out.extend_from_slice(other.as_bytes());
                }
            }
            self.text_open = text.is_some();
        }
        if self.text_open && !goes_on {
            out.push(b'"');
            self.text_open = false;
        }
        self.last = out.last().copied().unwrap_or_default();
        out.remove(start);
        Some(())
    }

    /// Closes what is open. Writes nothing if nothing was begun: no arguments at all.
    pub(super) fn close(&mut self, out: &mut Vec<u8>) {
        if self.begun {
            self.leave(out, 0);
            out.push(b'}');
        }
        *self = Self::default();
    }

    /// Closes and opens what lies between the last value and that place.
    fn go(&mut self, out: &mut Vec<u8>, path: Vec<Step>) {
        if !self.begun {
            self.begun = true;
            out.push(b'{');
        }
        let most = self.path.len().min(path.len()).saturating_sub(1);
        let shared = self.path.iter().zip(&path).take(most).take_while(|(a, b)| a == b).count();
        self.leave(out, shared);
        for (at, step) in path.iter().enumerate().skip(shared) {
            comma(out);
            if let Step::Member(name) = step {
                quote(out, name);
                out.push(b':');
            }
            match path.get(at.saturating_add(1)) {
                Some(Step::Member(_)) => out.push(b'{'),
                Some(Step::Element(_)) => out.push(b'['),
                None => {}
            }
        }
        self.path = path;
    }

    /// Closes all that lies deeper than `shared` steps.
    fn leave(&mut self, out: &mut Vec<u8>, shared: usize) {
        if std::mem::take(&mut self.text_open) {
            out.push(b'"');
        }
        // The last step is a value, and opens nothing.
        while self.path.len() > shared.saturating_add(1) {
            match self.path.pop() {
                Some(Step::Member(_)) => out.push(b'}'),
                Some(Step::Element(_)) => out.push(b']'),
                None => {}
            }
        }
    }
}

/// `$.a[0]['b c']` as its steps.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() >= MAX_DEPTH {
            return None;
        }
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, after) = after.split_at_checked(end)?;
            steps.push(Step::Member(name.to_owned()));
            rest = after;
        } else {
            let after = rest.strip_prefix('[')?;
            let quoted = after.strip_prefix(['\'', '"']);
            let (inside, after) = match quoted {
                Some(after) => after.split_once("']").or_else(|| after.split_once("\"]"))?,
                None => after.split_once(']')?,
            };
            steps.push(match quoted {
                Some(_) => Step::Member(inside.to_owned()),
                None => Step::Element(inside.parse().ok()?),
            });
            rest = after;
        }
    }
    // The arguments are an object.
    matches!(steps.first(), Some(Step::Member(_))).then_some(steps)
}
