//! Strict reading of a JSON body, and changing a few bytes of it.
//!
//! A text is checked whole and read once into a [`Tree`] of places; a [`Value`] is one of them. A client's [`Body`] is
//! read strictly, what a provider says ([`Tree::read`]) as leniently as it can be understood.
//!
//! May use: error.
//!
//! To add: a reader of one more type is a method of [`Value`]; of one more thing to write, a function in `write.rs`.

mod block;
mod edit;
mod find;
mod keep;
mod scan;
mod text;
mod tree;
mod value;
pub mod write;

pub use block::places;
pub use edit::{Edit, head, splice};
pub use find::find;
pub use keep::{Number, Raw, raw};
pub use text::{escape, quote};
pub use tree::{Body, MAX_VALUES, Tree};
pub use value::{Items, Members, Name, Value};

/// Nesting that is refused in a client's body: providers stop long before.
pub const MAX_DEPTH: usize = 64;

/// Nesting that is not read in what a provider says.
const MAX_READ_DEPTH: usize = 128;

/// Members at the top of a body: the largest API has about 40. Each is compared with each.
pub const MAX_MEMBERS: usize = 256;

/// What a JSON text is, as an error names it.
pub fn kind(raw: &str) -> &'static str {
    match raw.trim_ascii_start().as_bytes().first() {
        None => "nothing",
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(b'-' | b'0'..=b'9') => "a number",
        Some(_) => "something that is not JSON",
    }
}

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(any(test, fuzzing))]
pub use fuzz::fuzz_object;

#[cfg(test)]
mod tests;
