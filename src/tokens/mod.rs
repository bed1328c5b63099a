//! How many tokens a text or a request is: exactly for two encodings, estimated for other families.
//!
//! May use: chat.

mod class;
mod hash;
mod merge;
mod pieces;
mod vocabulary;

/// A published vocabulary with its way of cutting text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    O200k,
    Cl100k,
}

/// The tokens of a text, however long that takes. What looks like a special token is text like any other.
pub fn count(encoding: Encoding, text: &str) -> u64 {
    let text = text.as_bytes();
    let (mut at, mut count) = (0_usize, 0_u64);
    while at < text.len() {
        let end = pieces::end(encoding, text, at);
        let len = end.saturating_sub(at);
        let tokens = if len <= 1 || vocabulary::rank(encoding, text, at, len) != vocabulary::NONE {
            1
        } else {
            merge::tokens(encoding, text, at, len)
        };
        count = count.saturating_add(tokens);
        at = end.max(at.saturating_add(1));
    }
    count
}
