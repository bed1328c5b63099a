//! Schemas: the API's own form of them as JSON Schema, and JSON Schema as the part of it that the API takes.

use crate::json::write::comma;
use crate::json::{Raw, Tree, Value, quote, raw};
use std::borrow::Cow;

/// Words of JSON Schema that the API takes as they are.
const TAKEN: &[&str] = &[
    "$id",
    "$anchor",
    "type",
    "format",
    "title",
    "enum",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "pattern",
    "nullable",
    "default",
    "propertyOrdering",
];

/// The API's own schema as JSON Schema: types in small letters, null as one of the types.
pub(super) fn to_json(schema: &Value<'_>) -> Raw {
    let mut out = Vec::with_capacity(schema.raw().len());
    own(&mut out, schema);
    raw(String::from_utf8(out).unwrap_or_default())
}

#[inline(never)]
fn name(out: &mut Vec<u8>, name: &str) {
    comma(out);
    quote(out, name);
    out.push(b':');
}

fn own(out: &mut Vec<u8>, schema: &Value<'_>) {
    if !schema.is_object() {
        out.extend_from_slice(schema.raw().as_bytes());
        return;
    }
    let nullable = schema.get("nullable").and_then(|value| value.truth()) == Some(true);
    out.push(b'{');
    for (key, value) in schema.members().filter(|(_, value)| !value.is_null()) {
        let key = key.text();
        match &*key {
            "type" | "type_" => {
                let kind = value.text().unwrap_or_default().to_ascii_lowercase();
                if kind == "type_unspecified" {
                    continue;
                }
                name(out, "type");
                if nullable {
                    out.push(b'[');
                }
                quote(out, &kind);
                if nullable {
                    out.extend_from_slice(b",\"null\"]");
                }
            }
            "nullable" | "propertyOrdering" | "property_ordering" => {}
            "items" => {
                name(out, "items");
                own(out, &value);
            }
            "properties" => {
                name(out, "properties");
                out.push(b'{');
                for (key, value) in value.members() {
                    name(out, &key.text());
                    own(out, &value);
                }
                out.push(b'}');
            }
            "anyOf" | "any_of" => {
                name(out, "anyOf");
                out.push(b'[');
                for one in value.items() {
                    comma(out);
                    own(out, &one);
                }
                if nullable && schema.get("type").is_none() {
                    comma(out);
                    out.extend_from_slice(b"{\"type\":\"null\"}");
                }
                out.push(b']');
            }
            "example" => {
                name(out, "examples");
                out.push(b'[');
                out.extend_from_slice(value.raw().as_bytes());
                out.push(b']');
            }
            _ => {
                name(out, &camel(&key));
                // Its numbers may be strings: they are 64 bits wide.
                let counts = ["min", "max"].iter().any(|start| key.starts_with(start));
                match value.text().filter(|_| counts) {
                    Some(text) if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() => {
                        out.extend_from_slice(text.trim_start_matches('0').as_bytes());
                        if text.bytes().all(|b| b == b'0') {
                            out.push(b'0');
                        }
                    }
                    _ => out.extend_from_slice(value.raw().as_bytes()),
                }
            }
        }
    }
    out.push(b'}');
}

/// `min_items` as `minItems`; a `_` at the end is no part of the name.
fn camel(key: &str) -> Cow<'_, str> {
    if !key.contains('_') {
        return Cow::Borrowed(key);
    }
    let mut out = String::with_capacity(key.len());
    let mut upper = false;
    for letter in key.chars() {
        match letter {
            '_' => upper = true,
            letter if upper => {
                out.push(letter.to_ascii_uppercase());
                upper = false;
            }
            letter => out.push(letter),
        }
    }
    Cow::Owned(out)
}

/// Writes JSON Schema as the API takes it. `true`: some of it is only told in words.
pub(super) fn accepted(out: &mut Vec<u8>, schema: &str) -> bool {
    let mut tree = Tree::default();
    let mut told = false;
    match tree.read(schema.as_bytes()) {
        Ok(schema) => json(out, &schema, &mut told),
        Err(_) => out.extend_from_slice(b"{}"),
    }
    told
}

fn json(out: &mut Vec<u8>, schema: &Value<'_>, told: &mut bool) {
    if !schema.is_object() {
        // `true`: anything.
        out.extend_from_slice(if schema.raw() == "false" { b"false".as_slice() } else { b"{}" });
        return;
    }
    let mut rest = String::new();
    out.push(b'{');
    let reference = schema.get("$ref").and_then(|target| target.text());
    for (key, value) in schema.members() {
        let key = key.text();
        match &*key {
            // Beside a reference nothing else may stand: see below.
            "$ref" | "description" | "$schema" | "examples" | "example" | "$comment" | "deprecated" | "readOnly"
            | "writeOnly" | "discriminator" => {}
            "const" => {
                name(out, "enum");
                out.push(b'[');
                out.extend_from_slice(value.raw().as_bytes());
                out.push(b']');
                if schema.get("type").is_none()
                    && let Some(kind) = kind_of(&value)
                {
                    name(out, "type");
                    quote(out, kind);
                }
            }
            "properties" | "$defs" | "definitions" => {
                name(out, if key == "definitions" { "$defs" } else { &key });
                out.push(b'{');
                for (key, value) in value.members() {
                    name(out, &key.text());
                    json(out, &value, told);
                }
                out.push(b'}');
            }
            "items" if value.is_list() => list(out, "prefixItems", &value, told),
            "items" | "additionalProperties" => {
                name(out, &key);
                if value.is_object() { json(out, &value, told) } else { out.extend_from_slice(value.raw().as_bytes()) }
            }
            "anyOf" | "oneOf" | "prefixItems" => list(out, &key, &value, told),
            // Of one alone it is that one.
            "allOf" if value.items().count() == 1 => list(out, "anyOf", &value, told),
            "required" if value.is_empty() => {}
            "required" => {
                name(out, "required");
                out.extend_from_slice(value.raw().as_bytes());
            }
            known if TAKEN.contains(&known) => {
                name(out, known);
                out.extend_from_slice(value.raw().as_bytes());
            }
            other => {
                let gap = if rest.is_empty() { "" } else { ", " };
                [gap, other, ": ", value.raw()].into_iter().for_each(|piece| rest.push_str(piece));
            }
        }
    }
    let description = schema.get("description").and_then(|text| text.text()).unwrap_or_default();
    if let Some(target) = reference {
        let alone = out.last() == Some(&b'{') && description.is_empty() && rest.is_empty();
        if !alone {
            name(out, "anyOf");
            out.extend_from_slice(b"[{");
        }
        name(out, "$ref");
        match target.strip_prefix("#/definitions/") {
            Some(definition) => quote(out, &["#/$defs/", definition].concat()),
            None => quote(out, &target),
        }
        if !alone {
            out.extend_from_slice(b"}]");
        }
    }
    if !rest.is_empty() || !description.is_empty() {
        name(out, "description");
        let told_here = match (&*description, rest.is_empty()) {
            (_, true) => description,
            ("", false) => ["(", &rest, ")"].concat().into(),
            (text, false) => [text, " (", &rest, ")"].concat().into(),
        };
        *told |= !rest.is_empty();
        quote(out, &told_here);
    }
    out.push(b'}');
}

#[inline(never)]
fn list(out: &mut Vec<u8>, key: &str, value: &Value<'_>, told: &mut bool) {
    name(out, key);
    out.push(b'[');
    for one in value.items() {
        comma(out);
        json(out, &one, told);
    }
    out.push(b']');
}

fn kind_of(value: &Value<'_>) -> Option<&'static str> {
    Some(match value.raw().as_bytes().first()? {
        b'"' => "string",
        b't' | b'f' => "boolean",
        b'-' | b'0'..=b'9' if value.raw().contains(['.', 'e', 'E']) => "number",
        b'-' | b'0'..=b'9' => "integer",
        _ => return None,
    })
}
