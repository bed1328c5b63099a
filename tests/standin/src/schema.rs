//! A value that fits a JSON schema: always the same one.

use serde_json::{Map, Value, json};

/// Deeper schemas (recursive ones above all) get null.
const MAX_DEPTH: usize = 12;
/// Most items made because a schema asks for a number of them.
const MAX_ITEMS: u64 = 32;

/// `nth` (from 0) makes several values of one schema differ.
pub fn value(schema: &Value, nth: u64) -> Value {
    Maker { root: schema, nth }.make(schema, "value", 0)
}

struct Maker<'a> {
    root: &'a Value,
    nth: u64,
}

impl Maker<'_> {
    fn make(&self, schema: &Value, name: &str, depth: usize) -> Value {
        let deeper = depth.saturating_add(1);
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        let Some(given) = schema.as_object() else { return json!({}) };
        if let Some(reference) = given.get("$ref").and_then(Value::as_str) {
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return target.map_or(Value::Null, |target| self.make(target, name, deeper));
        }
        if let Some(fixed) = given.get("const") {
            return fixed.clone();
        }
        if let Some(first) = given.get("enum").and_then(|values| pick(values, self.nth)) {
            return first.clone();
        }
        for choice in ["anyOf", "oneOf"] {
            let options = given.get(choice).and_then(Value::as_array);
            if let Some(option) = options.and_then(|all| all.iter().find(|one| one.get("type") != Some(&json!("null"))))
            {
                return self.make(option, name, deeper);
            }
        }
        if let Some(parts) = given.get("allOf").and_then(Value::as_array) {
            let mut merged = Map::new();
            for part in parts {
                match self.make(part, name, deeper) {
                    Value::Object(fields) => merged.extend(fields),
                    other => return other,
                }
            }
            return Value::Object(merged);
        }
        match kind(given) {
            "object" => self.object(given, deeper),
            "array" => {
                let count = number(given, "minItems").unwrap_or(1).clamp(1, MAX_ITEMS);
                let item = given.get("items").map_or(json!("item"), |items| self.make(items, name, deeper));
                (0..count).map(|_| item.clone()).collect()
            }
            "string" => Value::String(self.string(given, name)),
            "integer" => json!(self.integer(given)),
            "number" => {
                let least = given.get("minimum").and_then(Value::as_f64);
                least.map_or_else(|| json!(self.nth as f64 + 1.5), |least| json!(least))
            }
            "boolean" => json!(true),
            _ => Value::Null,
        }
    }

    /// The required properties; all of them when none is said to be required.
    fn object(&self, schema: &Map<String, Value>, depth: usize) -> Value {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required = schema.get("required").and_then(Value::as_array);
        let names: Vec<&str> = match required {
            Some(required) => required.iter().filter_map(Value::as_str).collect(),
            None => properties.keys().map(String::as_str).collect(),
        };
        let fields = names.into_iter().map(|name| {
            let property = properties.get(name).unwrap_or(&Value::Null);
            (name.to_owned(), self.make(property, name, depth))
        });
        Value::Object(fields.collect())
    }

    fn string(&self, schema: &Map<String, Value>, name: &str) -> String {
        let nth = self.nth.saturating_add(1);
        let text = match schema.get("format").and_then(Value::as_str) {
            Some("date") => "2026-01-15".to_owned(),
            Some("time") => "12:30:00Z".to_owned(),
            Some("date-time") => "2026-01-15T12:30:00Z".to_owned(),
            Some("email") => format!("person{nth}@example.com"),
            Some("uri" | "url") => format!("https://example.com/{nth}"),
            Some("uuid") => format!("00000000-0000-4000-8000-{nth:012}"),
            _ if nth == 1 => format!("sample {name}"),
            _ => format!("sample {name} {nth}"),
        };
        let least = number(schema, "minLength").unwrap_or(0).min(4096);
        let most = number(schema, "maxLength").unwrap_or(u64::MAX);
        let wide = text.chars().chain(std::iter::repeat('x'));
        let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX).max(least).min(most);
        wide.take(usize::try_from(length).unwrap_or(usize::MAX)).collect()
    }

    fn integer(&self, schema: &Map<String, Value>) -> i64 {
        let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
        let least = bound("minimum").or(bound("exclusiveMinimum").map(|bound| bound.saturating_add(1)));
        let wanted = least.unwrap_or(1).saturating_add(i64::try_from(self.nth).unwrap_or(0));
        let most = bound("maximum").or(bound("exclusiveMaximum").map(|bound| bound.saturating_sub(1)));
        wanted.min(most.unwrap_or(i64::MAX))
    }
}

fn pick(values: &Value, nth: u64) -> Option<&Value> {
    let values = values.as_array()?;
    let at = usize::try_from(nth).ok()?;
    values.get(at).or(values.first())
}

fn kind(schema: &Map<String, Value>) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.contains_key("properties") || schema.is_empty() => "object",
        _ if schema.contains_key("items") => "array",
        _ => "string",
    }
}

fn number(schema: &Map<String, Value>, name: &str) -> Option<u64> {
    schema.get(name).and_then(Value::as_u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_fits_what_the_schema_requires() {
        let cases = [
            (
                json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}),
                json!({"city": "sample city"}),
            ),
            (
                json!({"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": ["null", "number"]}}}),
                json!({"a": true, "b": 1.5}),
            ),
            (json!({"type": "array", "minItems": 2, "items": {"enum": ["x", "y"]}}), json!(["x", "x"])),
            (json!({"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 5, "maximum": 5}]}), json!(5)),
            (json!({"$ref": "#/$defs/p", "$defs": {"p": {"const": 7}}}), json!(7)),
            (json!({"type": "string", "minLength": 14, "maxLength": 14}), json!("sample valuexx")),
            (json!({"type": "string", "maxLength": 3}), json!("sam")),
            (
                json!({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}),
                json!({"a": 1, "b": 2}),
            ),
            (json!({}), json!({})),
            (json!(true), json!({})),
        ];
        for (schema, expected) in cases {
            assert_eq!(value(&schema, 0), expected, "{schema}");
        }
    }

    #[test]
    fn several_values_of_one_schema_differ() {
        let schema = json!({"type": "string"});
        assert_ne!(value(&schema, 0), value(&schema, 1));
    }

    #[test]
    fn a_recursive_schema_ends() {
        let schema = json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}});
        assert!(value(&schema, 0).to_string().len() < 1000);
    }
}
