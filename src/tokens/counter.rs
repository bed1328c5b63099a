//! Counting a text that arrives in pieces.

use super::count::{Budget, Count};
use super::model::Model;

/// Text held back at most because what follows may belong to it.
const MAX_HELD: usize = 4096;

/// Work that one piece of text may cost.
const WORK: Budget = Budget::CALL;

/// Counts text as it arrives. For every way of cutting it the result is the same, as long as white space, or a letter next
/// to a digit or a sign, comes within every 4 KB; where none does, a cut may add a token or two for each 4 KB.
#[derive(Clone, Debug)]
pub struct Counter {
    model: Model,
    count: Count,
    held: String,
}

impl Counter {
    pub fn new(model: Model) -> Self {
        Self { model, count: Count::Exact(0), held: String::new() }
    }

    pub fn feed(&mut self, text: &str) {
        self.held.push_str(text);
        // A short text waits: what is counted in one go is counted faster.
        if self.held.len() < MAX_HELD {
            return;
        }
        let at = border(self.held.as_bytes()).unwrap_or(self.held.len());
        let after = self.held.split_off(at);
        let text = std::mem::replace(&mut self.held, after);
        self.count = self.count.plus(self.model.text(&text, &mut { WORK }));
    }

    /// The tokens so far.
    pub fn count(&self) -> Count {
        self.count.plus(self.model.text(&self.held, &mut { WORK }))
    }
}

/// The last place where both encodings cut whatever comes before and after: a space after what is none, a letter after a
/// digit, a digit or a sign after a letter. An apostrophe is none: a contraction follows it.
fn border(text: &[u8]) -> Option<usize> {
    let mut pairs = text.iter().zip(text.iter().skip(1));
    let last = pairs.rposition(|(before, after)| match before {
        b'a'..=b'z' | b'A'..=b'Z' => matches!(after, b' ' | b'0'..=b'9' | b'.' | b',' | b'"' | b'<' | b'(' | b')'),
        b'0'..=b'9' => matches!(after, b' ' | b'a'..=b'z' | b'A'..=b'Z'),
        b'.' | b',' | b':' | b';' | b'"' | b'!' | b'?' | b'}' | b']' | b')' | b'>' => *after == b' ',
        // The end of a character of several bytes.
        0x80.. => false,
        _ => false,
    });
    last.map(|at| at.saturating_add(1))
}
