//! Tools as OpenAI's models see them: each a type in TypeScript, which is what their tokens are counted of.

use crate::json::{Tree, Value};

/// Nesting that is written; deeper is `any`.
const MAX_DEPTH: u32 = 16;

/// Names that a member is looked for in: each member is compared with each.
const MAX_REQUIRED: usize = 64;

/// What stands around all of them.
pub const BEFORE: &str = "namespace functions {\n\n";
pub const AFTER: &str = "} // namespace functions";

/// Adds `type name = (_: {…}) => any;` with its comments. Whether its first member has none: then it has a token less.
pub fn define(out: &mut String, name: &str, description: Option<&str>, schema: Option<&str>) -> bool {
    comment(out, description);
    let mut tree = Tree::default();
    let schema = schema.and_then(|schema| tree.read(schema.as_bytes()).ok());
    let schema = schema.filter(has_members);
    for part in ["type ", name, " = ("] {
        out.push_str(part);
    }
    if let Some(schema) = &schema {
        out.push_str("_: ");
        let most = out.len().saturating_add(schema.raw().len().saturating_mul(2));
        object(out, schema, &Root { schema, most }, 0);
    }
    out.push_str(") => any;\n\n");
    let first = schema.and_then(|schema| schema.get("properties")?.members().next());
    first.is_some_and(|(_, first)| first.get("description").is_none() && first.get("title").is_none())
}

fn comment(out: &mut String, text: Option<&str>) {
    if let Some(text) = text.map(str::trim_end).filter(|text| !text.is_empty()) {
        for part in ["// ", text, "\n"] {
            out.push_str(part);
        }
    }
}

fn has_members(schema: &Value<'_>) -> bool {
    schema.get("properties").is_some_and(|members| members.is_object() && !members.is_empty())
}

/// What references are looked up in, and the length of what is written from which on they are not: each may hold others twice.
struct Root<'s> {
    schema: &'s Value<'s>,
    most: usize,
}

fn object(out: &mut String, schema: &Value<'_>, root: &Root<'_>, depth: u32) {
    for about in ["title", "description"] {
        comment(out, schema.get(about).and_then(|text| text.text()).as_deref());
    }
    out.push_str("{\n");
    members(out, schema, root, depth);
    out.push('}');
}

/// Limits of a number, which newer models are told.
const LIMITS: [&str; 4] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];

fn members(out: &mut String, schema: &Value<'_>, root: &Root<'_>, depth: u32) {
    let required = schema.get("required");
    for (name, member) in schema.get("properties").iter().flat_map(Value::members) {
        let name = name.text();
        if let Some(title) = member.get("title").and_then(|text| text.text()) {
            comment(out, Some(&title));
            out.push_str("//\n");
        }
        comment(out, member.get("description").and_then(|text| text.text()).as_deref());
        for (limit, value) in LIMITS.iter().filter_map(|limit| Some((limit, member.get(limit)?))) {
            for part in ["// ", limit, ": ", value.raw(), "\n"] {
                out.push_str(part);
            }
        }
        out.push_str(&name);
        if !required.as_ref().is_some_and(|names| names.items().take(MAX_REQUIRED).any(|required| required.is(&name))) {
            out.push('?');
        }
        out.push_str(": ");
        kind(out, &member, root, depth);
        out.push(',');
        if let Some(value) = member.get("default") {
            out.push_str(" // default: ");
            out.push_str(value.raw());
        }
        out.push('\n');
    }
}

fn kind(out: &mut String, schema: &Value<'_>, root: &Root<'_>, depth: u32) {
    if depth > MAX_DEPTH {
        return out.push_str("any");
    }
    let deeper = depth.saturating_add(1);
    if let Some(path) = schema.get("$ref").and_then(|path| path.text()).filter(|_| out.len() < root.most) {
        let path: Vec<&str> = path.split('/').skip(1).take(4).collect();
        if let Some(meant) = root.schema.at(&path) {
            return kind(out, &meant, root, deeper);
        }
    }
    let list = |name: &str| schema.get(name).filter(|list| list.is_list() && !list.is_empty());
    if let Some(values) = list("enum") {
        return joined(out, &values, |out, value| out.push_str(value.raw()));
    }
    if let Some(options) = list("anyOf") {
        return joined(out, &options, |out, option| kind(out, option, root, deeper));
    }
    if let Some(kinds) = list("type") {
        return joined(out, &kinds, |out, name| out.push_str(name.text().as_deref().unwrap_or("any")));
    }
    match schema.get("type").and_then(|name| name.text()).as_deref() {
        Some("integer" | "number") => out.push_str("number"),
        Some("array") => {
            match schema.get("items") {
                Some(items) => kind(out, &items, root, deeper),
                None => out.push_str("any"),
            }
            out.push_str("[]");
        }
        Some("object") if has_members(schema) => object(out, schema, root, deeper),
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
