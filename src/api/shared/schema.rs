//! JSON Schemas that an answer can be held to: a subset, with every object closed.

use crate::json::write::comma;
use crate::json::{Tree, Value, quote};
use std::borrow::Cow;

/// A schema within the subset.
pub struct Tight {
    pub json: Vec<u8>,
    /// Some constraint is now only described in words.
    pub loosened: bool,
}

/// String formats that are kept to.
const FORMATS: &[&str] = &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Brings a schema into the subset: closes objects, moves constraints that are not kept to into the description.
/// `None`: it cannot be, as it has open maps, recursion or references to elsewhere.
pub fn tighten(schema: &str) -> Option<Tight> {
    let mut work =
        Work { out: Vec::with_capacity(schema.len()), loosened: false, within: Vec::new(), uses: Vec::new() };
    let mut tree = Tree::default();
    work.schema(tree.read(schema.as_bytes()).ok()?)?;
    let free = work.uses.iter().all(|(from, _)| !work.reaches(from, from, work.uses.len()));
    free.then_some(Tight { json: work.out, loosened: work.loosened })
}

struct Work {
    out: Vec<u8>,
    loosened: bool,
    /// The definitions that are being written.
    within: Vec<String>,
    /// Which definition refers to which.
    uses: Vec<(String, String)>,
}

impl Work {
    fn schema(&mut self, schema: Value<'_>) -> Option<()> {
        if !schema.is_object() || schema.is_empty() {
            // Anything at all.
            return None;
        }
        let kind = schema.member("type");
        let properties = schema.member("properties");
        let object = kind.is_some_and(|kind| kind.raw().contains("\"object\"")) || properties.is_some();
        let closed = schema.member("additionalProperties").is_some_and(|more| more.truth() == Some(false));
        if object && !closed && properties.is_none_or(|map| map.is_empty()) {
            return None;
        }
        let mut rest = String::new();
        self.out.push(b'{');
        for (name, value) in schema.members() {
            let name = name.text();
            match &*name {
                "type" | "enum" | "const" | "title" | "default" | "required" => {
                    self.copy(&name, value.raw());
                }
                "description" | "$schema" | "$id" | "$comment" | "strict" => {}
                "$ref" => {
                    self.refers(&value.text()?)?;
                    self.copy(&name, value.raw());
                }
                "properties" | "$defs" | "definitions" => self.named(&name, value)?,
                "items" => {
                    self.name("items");
                    self.schema(value)?;
                }
                "anyOf" | "oneOf" | "allOf" => {
                    self.name(if name == "allOf" { "allOf" } else { "anyOf" });
                    self.out.push(b'[');
                    for one in value.items() {
                        comma(&mut self.out);
                        self.schema(one)?;
                    }
                    self.out.push(b']');
                }
                "additionalProperties" => {
                    if value.is_object() {
                        return None;
                    }
                }
                "format" if FORMATS.iter().any(|known| value.is(known)) => self.copy(&name, value.raw()),
                "minItems" if matches!(value.raw(), "0" | "1") => self.copy(&name, value.raw()),
                "not"
                | "if"
                | "then"
                | "else"
                | "patternProperties"
                | "propertyNames"
                | "prefixItems"
                | "unevaluatedProperties"
                | "dependentSchemas"
                | "dependentRequired"
                | "$dynamicRef" => return None,
                _ => {
                    let gap = if rest.is_empty() { "" } else { ", " };
                    [gap, &name, ": ", value.raw()].into_iter().for_each(|piece| rest.push_str(piece));
                }
            }
        }
        if object {
            if kind.is_none() {
                self.copy("type", "\"object\"");
            }
            self.copy("additionalProperties", "false");
        }
        let mut told = match schema.member("description") {
            Some(text) => text.text()?,
            None => Cow::Borrowed(""),
        };
        if !rest.is_empty() {
            self.loosened = true;
            let gap = if told.is_empty() { "(" } else { " (" };
            told = [&told, gap, &rest, ")"].concat().into();
        }
        if !told.is_empty() {
            self.name("description");
            quote(&mut self.out, &told);
        }
        self.out.push(b'}');
        Some(())
    }

    fn name(&mut self, name: &str) {
        comma(&mut self.out);
        quote(&mut self.out, name);
        self.out.push(b':');
    }

    fn copy(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.extend_from_slice(value.as_bytes());
    }

    /// Schemas by name: properties and definitions.
    fn named(&mut self, key: &str, map: Value<'_>) -> Option<()> {
        if !map.is_object() {
            return None;
        }
        self.name(key);
        self.out.push(b'{');
        for (name, schema) in map.members() {
            let name = name.text();
            self.name(&name);
            if key == "properties" {
                self.schema(schema)?;
            } else {
                self.within.push(name.into_owned());
                self.schema(schema)?;
                self.within.pop();
            }
        }
        self.out.push(b'}');
        Some(())
    }

    fn refers(&mut self, target: &str) -> Option<()> {
        let name = target.strip_prefix("#/$defs/").or_else(|| target.strip_prefix("#/definitions/"))?;
        if let Some(from) = self.within.last() {
            self.uses.push((from.clone(), name.to_owned()));
        }
        Some(())
    }

    /// Is there a way from `from` to `to` in at most `steps` steps?
    fn reaches(&self, from: &str, to: &str, steps: usize) -> bool {
        let mut seen: Vec<&str> = vec![from];
        let mut at = 0;
        while let Some(now) = seen.get(at).copied().filter(|_| at <= steps) {
            at = at.saturating_add(1);
            for (_, next) in self.uses.iter().filter(|(f, _)| f == now) {
                if next == to {
                    return true;
                }
                if !seen.contains(&next.as_str()) {
                    seen.push(next);
                }
            }
        }
        false
    }
}
