//! Tools as OpenAI's models see them: each a type in TypeScript, which is what their tokens are counted of.

use serde_json::Value;
use std::fmt::Write;

/// Nesting that is written; deeper is `any`.
const MAX_DEPTH: u32 = 16;

/// `type name = (_: {…}) => any;` with its comments.
pub fn definition(name: &str, description: Option<&str>, schema: Option<&str>) -> String {
    let mut out = String::with_capacity(256);
    comment(&mut out, description);
    let schema: Option<Value> = schema.and_then(|schema| serde_json::from_str(schema).ok());
    match schema.as_ref().filter(|schema| has_members(schema)) {
        Some(schema) => {
            for part in ["type ", name, " = (_: {\n"] {
                out.push_str(part);
            }
            members(&mut out, schema, 0);
            out.push_str("}) => any;\n\n");
        }
        None => {
            for part in ["type ", name, " = () => any;\n\n"] {
                out.push_str(part);
            }
        }
    }
    out
}

fn comment(out: &mut String, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        for part in ["// ", text, "\n"] {
            out.push_str(part);
        }
    }
}

fn has_members(schema: &Value) -> bool {
    schema.get("properties").and_then(Value::as_object).is_some_and(|members| !members.is_empty())
}

fn members(out: &mut String, schema: &Value, depth: u32) {
    let required = schema.get("required").and_then(Value::as_array);
    for (name, member) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        comment(out, member.get("description").and_then(Value::as_str));
        out.push_str(name);
        if !required.is_some_and(|names| names.iter().any(|required| required.as_str() == Some(name))) {
            out.push('?');
        }
        out.push_str(": ");
        kind(out, member, depth);
        out.push_str(",\n");
    }
}

fn kind(out: &mut String, schema: &Value, depth: u32) {
    if depth > MAX_DEPTH {
        return out.push_str("any");
    }
    let deeper = depth.saturating_add(1);
    let list = |name: &str| schema.get(name).and_then(Value::as_array).filter(|list| !list.is_empty());
    if let Some(values) = list("enum") {
        return joined(out, values, |out, value| {
            let _ = write!(out, "{value}");
        });
    }
    if let Some(options) = list("anyOf") {
        return joined(out, options, |out, option| kind(out, option, deeper));
    }
    if let Some(kinds) = list("type") {
        return joined(out, kinds, |out, name| out.push_str(name.as_str().unwrap_or("any")));
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => out.push_str("number"),
        Some("array") => {
            kind(out, schema.get("items").unwrap_or(&Value::Null), deeper);
            out.push_str("[]");
        }
        Some("object") if has_members(schema) => {
            out.push_str("{\n");
            members(out, schema, deeper);
            out.push('}');
        }
        Some(name) => out.push_str(name),
        None => out.push_str("any"),
    }
}

fn joined(out: &mut String, values: &[Value], each: impl Fn(&mut String, &Value)) {
    for (n, value) in values.iter().enumerate() {
        if n > 0 {
            out.push_str(" | ");
        }
        each(out, value);
    }
}
