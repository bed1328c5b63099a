//! How many tokens a text or a request comes to: exactly where the vocabulary is published, estimated elsewhere.
//!
//! - `o200k_base` and `cl100k_base` exactly: 2.78 MB in the module for both, no load, no memory but the module's own
//!   tables; about 135 MB/s on English and code, 30 to 60 MB/s on other scripts, under V8. `examples/tokens_speed.rs` measures.
//! - Every count has a [`Budget`]. What it does not reach is estimated, with an upper bound that holds: a token has at least
//!   one byte. No text costs more than its budget; with the usual one that is about a millisecond.
//! - Other families are estimated by kind of text from the exact count, and what a provider adds around the text is a row
//!   of [`model`]'s table. `tests/tokens.rs` prints the errors on recorded calls that no row was fitted to.
//!
//! May use: chat, json.
//!
//! To add: a family is a row of `model.rs`; what images, audio and documents cost a vendor is in `media.rs`.

mod class;
mod count;
mod counter;
mod hash;
mod image;
mod media;
mod merge;
mod model;
mod pieces;
mod prompt;
mod tools;
mod vocabulary;
mod weigh;

pub use count::{Budget, Count, count, count_within};
pub use counter::Counter;
pub use model::Model;
pub use prompt::prompt;

/// A published vocabulary with its way of cutting text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    O200k,
    Cl100k,
}

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(any(test, fuzzing))]
pub use fuzz::fuzz_tokens;

#[cfg(test)]
mod tests;
