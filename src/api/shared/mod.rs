//! What several formats have in common: the shape of errors, members that must be there, made ids, the rules of models that
//! more than one of them reaches.

pub mod claude;
pub mod error;
pub mod models;
pub mod nesting;
pub mod plain;
pub mod schema;
pub mod wire;
