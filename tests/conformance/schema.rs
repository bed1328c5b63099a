//! The part of JSON Schema that the vendors' schemas use. A word it does not know is an error, not a pass.

use crate::corpus;
use crate::json::{Value, list, start};
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

static SCHEMAS: LazyLock<Mutex<BTreeMap<String, &'static Value>>> = LazyLock::new(Mutex::default);

/// What says nothing about validity.
const NOTES: [&str; 11] = [
    "contentEncoding",
    "pattern",
    "x-source",
    "$schema",
    "$defs",
    "default",
    "deprecated",
    "example",
    "format",
    "title",
    "description",
];

/// Checks a value against one of the vendors' schemas.
pub fn check(name: &str, value: &Value) -> Result<(), String> {
    if name.is_empty() {
        return Ok(());
    }
    let schema: &'static Value = {
        let mut all = SCHEMAS.lock().unwrap();
        all.entry(name.to_owned()).or_insert_with(|| Box::leak(Box::new(corpus::schema(name))))
    };
    valid(schema, schema, value, "").map_err(|why| format!("{name}: {why}"))
}

fn valid(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let rules = match schema {
        Value::Bool(true) => return Ok(()),
        Value::Object(rules) => rules,
        _ => return Err(format!("{at}: nothing is allowed here")),
    };
    for (word, rule) in rules {
        let fits = match word.as_str() {
            "$ref" => {
                let name = rule.as_str().and_then(|r| r.strip_prefix("#/$defs/")).unwrap();
                valid(root, &root["$defs"][name], value, at)?;
                true
            }
            "type" => match rule {
                Value::String(name) => is(value, name),
                names => list(names).iter().any(|name| is(value, name.as_str().unwrap())),
            },
            "enum" => list(rule).contains(value),
            "const" => rule == value,
            "anyOf" => return any(root, list(rule), value, at).and_then(|()| rest(root, rules, value, at)),
            // OpenAI's alternatives overlap: some messages are two of them.
            "oneOf" => list(rule).iter().any(|one| valid(root, one, value, at).is_ok()),
            "allOf" => {
                list(rule).iter().try_for_each(|one| valid(root, one, value, at))?;
                true
            }
            "required" => match value {
                Value::Object(all) => list(rule).iter().all(|name| all.contains_key(name.as_str().unwrap())),
                _ => true,
            },
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        valid(root, rule, value, &format!("{at}/{name}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = rules.get("properties");
                for (name, value) in value.as_object().into_iter().flatten() {
                    if known.is_none_or(|known| known.get(name).is_none()) {
                        valid(root, rule, value, &format!("{at}/{name}"))?;
                    }
                }
                true
            }
            "items" => {
                for (i, value) in list(value).iter().enumerate() {
                    valid(root, rule, value, &format!("{at}/{i}"))?;
                }
                true
            }
            "minItems" => !value.is_array() || list(value).len() as u64 >= rule.as_u64().unwrap(),
            "maxItems" => !value.is_array() || list(value).len() as u64 <= rule.as_u64().unwrap(),
            "minProperties" => value.as_object().is_none_or(|o| o.len() as u64 >= rule.as_u64().unwrap()),
            "maxProperties" => value.as_object().is_none_or(|o| o.len() as u64 <= rule.as_u64().unwrap()),
            "maxLength" => value.as_str().is_none_or(|s| s.chars().count() as u64 <= rule.as_u64().unwrap()),
            "minLength" => value.as_str().is_none_or(|s| s.chars().count() as u64 >= rule.as_u64().unwrap()),
            "minimum" => value.as_f64().is_none_or(|n| n >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|n| n <= rule.as_f64().unwrap()),
            note if NOTES.contains(&note) => true,
            other => return Err(format!("the schema has a word that is not known: {other}")),
        };
        if !fits {
            return Err(format!("{at}: {} is not of {word} {}", start(&value.to_string()), start(&rule.to_string())));
        }
    }
    Ok(())
}

/// `anyOf`, telling of the alternative that went furthest.
fn any(root: &Value, rules: &[Value], value: &Value, at: &str) -> Result<(), String> {
    let mut best = String::new();
    for rule in rules {
        match valid(root, rule, value, at) {
            Ok(()) => return Ok(()),
            Err(why) => {
                let depth = |why: &str| why.split(':').next().unwrap().matches('/').count();
                if best.is_empty() || depth(&why) > depth(&best) {
                    best = why;
                }
            }
        }
    }
    Err(best)
}

fn rest(root: &Value, rules: &serde_json::Map<String, Value>, value: &Value, at: &str) -> Result<(), String> {
    let mut rest = rules.clone();
    rest.remove("anyOf");
    valid(root, &Value::Object(rest), value, at)
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        _ => false,
    }
}
