//! What the formats of one vendor have in common: the shape of errors, members that must be there, made ids.

pub mod error;
pub mod wire;
