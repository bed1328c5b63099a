//! What the checker of schemas needs of JSON.

pub use serde_json::Value;

pub fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The text's beginning, for a message.
pub fn start(text: &str) -> String {
    text.chars().take(300).collect()
}
