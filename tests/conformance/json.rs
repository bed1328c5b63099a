//! JSON as values, for reading what was recorded and what was written.

pub use serde_json::Value;

pub fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|e| format!("not JSON ({e}): {}", start(text)))
}

pub fn parse_bytes(bytes: &[u8]) -> Result<Value, String> {
    parse(std::str::from_utf8(bytes).map_err(|e| format!("not UTF-8: {e}"))?)
}

/// The text's beginning, for a message.
pub fn start(text: &str) -> String {
    text.chars().take(300).collect()
}

/// A string; empty if it is not one.
pub fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_f64().map(|n| n as u64)).unwrap_or_default()
}

/// What a call's arguments are in every API: an object. What is none is kept as text under one name.
pub fn arguments(text: &str) -> Value {
    if text.trim().is_empty() || text.trim() == "null" {
        return serde_json::json!({});
    }
    match parse(text) {
        Ok(Value::Object(all)) => Value::Object(all),
        _ => serde_json::json!({ "_raw": text }),
    }
}

/// The data of each event with its name.
pub fn events(sse: &str) -> Vec<(String, String)> {
    // Or of each line.
    if sse.starts_with('{') {
        return sse.lines().map(|line| (String::new(), line.to_owned())).collect();
    }
    let mut all = Vec::new();
    let (mut name, mut data): (String, Option<String>) = (String::new(), None);
    let text = sse.replace("\r\n", "\n").replace('\r', "\n");
    for line in text.lines().chain([""]) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            _ if line.is_empty() => {
                let name = std::mem::take(&mut name);
                all.extend(data.take().map(|data| (name, data)));
            }
            "event" => name = value.to_owned(),
            "data" => {
                data = Some(match data {
                    Some(before) => before + "\n" + value,
                    None => value.to_owned(),
                });
            }
            _ => {}
        }
    }
    all
}
