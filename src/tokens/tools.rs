//! Tools as OpenAI's models see them: each a type in TypeScript, which is what their tokens are counted of.

use crate::json::{Tree, Value};

/// Nesting that is written; deeper is `any`.
const MAX_DEPTH: u32 = 16;

/// Names that a member is looked for in: each member is compared with each.
const MAX_REQUIRED: usize = 64;

/// `type name = (_: {…}) => any;` with its comments.
pub fn definition(name: &str, description: Option<&str>, schema: Option<&str>) -> String {
    let mut out = String::with_capacity(256);
    comment(&mut out, description);
    let mut tree = Tree::default();
    let schema = schema.and_then(|schema| tree.read(schema.as_bytes()).ok());
    match schema.filter(has_members) {
        Some(schema) => {
            for part in ["type ", name, " = (_: {\n"] {
                out.push_str(part);
            }
            members(&mut out, &schema, 0);
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

fn has_members(schema: &Value<'_>) -> bool {
    schema.get("properties").is_some_and(|members| members.is_object() && !members.is_empty())
}

fn members(out: &mut String, schema: &Value<'_>, depth: u32) {
    let required = schema.get("required");
    for (name, member) in schema.get("properties").iter().flat_map(Value::members) {
        let (name, description) = (name.text(), member.get("description"));
        comment(out, description.and_then(|text| text.text()).as_deref());
        out.push_str(&name);
        if !required.as_ref().is_some_and(|names| names.items().take(MAX_REQUIRED).any(|required| required.is(&name))) {
            out.push('?');
        }
        out.push_str(": ");
        kind(out, &member, depth);
        out.push_str(",\n");
    }
}

fn kind(out: &mut String, schema: &Value<'_>, depth: u32) {
    if depth > MAX_DEPTH {
        return out.push_str("any");
    }
    let deeper = depth.saturating_add(1);
    let list = |name: &str| schema.get(name).filter(|list| list.is_list() && !list.is_empty());
    if let Some(values) = list("enum") {
        return joined(out, &values, |out, value| out.push_str(value.raw()));
    }
    if let Some(options) = list("anyOf") {
        return joined(out, &options, |out, option| kind(out, option, deeper));
    }
    if let Some(kinds) = list("type") {
        return joined(out, &kinds, |out, name| out.push_str(name.text().as_deref().unwrap_or("any")));
    }
    match schema.get("type").and_then(|name| name.text()).as_deref() {
        Some("integer" | "number") => out.push_str("number"),
        Some("array") => {
            match schema.get("items") {
                Some(items) => kind(out, &items, deeper),
                None => out.push_str("any"),
            }
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

fn joined(out: &mut String, values: &Value<'_>, each: impl Fn(&mut String, &Value<'_>)) {
    for (n, value) in values.items().enumerate() {
        if n > 0 {
            out.push_str(" | ");
        }
        each(out, &value);
    }
}
