//! What must hold of any document.

use super::{load, structure};
use crate::json::MAX_DEPTH;
use serde_json::Value;

fn env(name: &str) -> Option<String> {
    (name == "KEY").then(|| "sk-1".to_owned())
}

/// A document is a policy or problems with words, and the same whether Envoy hands it over as text or as a `Struct`.
pub fn fuzz_config(data: &[u8]) {
    let said = |document: &[u8]| match load(document, &env) {
        Ok(role) => format!("{role:?}"),
        Err(problems) => {
            assert!(!problems.is_empty() && problems.iter().all(|problem| !problem.message.is_empty()));
            problems.iter().map(|problem| format!("{problem}\n")).collect()
        }
    };
    said(data);
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(data) else { return };
    let document = Value::Object(members);
    // As short as a Struct says it: names that stand twice are gone.
    let text = document.to_string();
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() < MAX_DEPTH {
        let wire = fields(&document);
        assert!(structure::read(&wire).is_some(), "{text}");
        assert_eq!(said(&wire), said(text.as_bytes()), "{text}");
    }
}

/// A message's field with its length.
fn sized(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    crate::quota::put(&mut out, u64::try_from(bytes.len()).unwrap_or(0));
    out.extend_from_slice(bytes);
    out
}

/// A mapping or a list as `google/protobuf/struct.proto` has it.
pub(super) fn fields(value: &Value) -> Vec<u8> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| sized(10, &[sized(10, name.as_bytes()), sized(18, &wire(value))].concat()))
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| sized(10, &wire(item))).collect(),
        _ => Vec::new(),
    }
}

fn wire(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => vec![8, 0],
        Value::Bool(flag) => vec![32, u8::from(*flag)],
        Value::Number(number) => [&[17][..], &number.as_f64().unwrap_or_default().to_le_bytes()].concat(),
        Value::String(text) => sized(26, text.as_bytes()),
        Value::Array(_) => sized(50, &fields(value)),
        Value::Object(_) => sized(42, &fields(value)),
    }
}
