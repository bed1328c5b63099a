//! JSON Schemas that an answer can be held to: a subset, with every object closed.

use super::json::comma;
use super::read::members;
use super::shape::At;
use crate::json::{each, quote};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A schema within the subset.
pub(super) struct Tight {
    pub(super) json: Vec<u8>,
    /// Some constraint is now only described in words.
    pub(super) loosened: bool,
}

/// String formats that are kept to.
const FORMATS: &[&str] = &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Brings a schema into the subset: closes objects, moves constraints that are not kept to into the description.
/// `None`: it cannot be, as it has open maps, recursion or references to elsewhere.
pub(super) fn tighten(schema: &str) -> Option<Tight> {
    let mut work =
        Work { out: Vec::with_capacity(schema.len()), loosened: false, within: Vec::new(), uses: Vec::new() };
    work.schema(schema)?;
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

type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

impl Work {
    fn schema(&mut self, raw: &str) -> Option<()> {
        if matches!(raw, "true" | "{}") {
            // Anything at all.
            return None;
        }
        let all: Members<'_> = members(raw, At::top("schema")).ok()?;
        let get = |key: &str| all.iter().find(|(name, _)| name == key).map(|(_, value)| value.get());
        let object = get("type").is_some_and(|kind| kind.contains("\"object\"")) || get("properties").is_some();
        if object
            && get("properties").is_none_or(|map| map.starts_with("{}"))
            && get("additionalProperties") != Some("false")
        {
            return None;
        }
        let mut rest = String::new();
        self.out.push(b'{');
        for (name, value) in &all {
            let value = value.get();
            match &**name {
                "type" | "enum" | "const" | "title" | "default" | "required" => self.copy(name, value),
                "description" | "$schema" | "$id" | "$comment" | "strict" => {}
                "$ref" => {
                    let target = serde_json::from_str::<String>(value).ok()?;
                    self.refers(&target)?;
                    self.copy(name, value);
                }
                "properties" | "$defs" | "definitions" => self.named(name, value)?,
                "items" => {
                    self.name("items");
                    self.schema(value)?;
                }
                "anyOf" | "oneOf" | "allOf" => {
                    self.name(if name == "allOf" { "allOf" } else { "anyOf" });
                    self.out.push(b'[');
                    for one in each(value) {
                        comma(&mut self.out);
                        self.schema(one)?;
                    }
                    self.out.push(b']');
                }
                "additionalProperties" => {
                    if value.starts_with('{') {
                        return None;
                    }
                }
                "format" if FORMATS.iter().any(|known| value.trim_matches('"') == *known) => self.copy(name, value),
                "minItems" if matches!(value, "0" | "1") => self.copy(name, value),
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
                _ => rest.push_str(&format!("{}{name}: {value}", if rest.is_empty() { "" } else { ", " })),
            }
        }
        if object {
            if get("type").is_none() {
                self.copy("type", "\"object\"");
            }
            self.copy("additionalProperties", "false");
        }
        let told = match get("description") {
            Some(text) => serde_json::from_str::<String>(text).ok()?,
            None => String::new(),
        };
        if !rest.is_empty() {
            self.loosened = true;
            let gap = if told.is_empty() { "" } else { " " };
            self.name("description");
            quote(&mut self.out, &format!("{told}{gap}({rest})"));
        } else if !told.is_empty() {
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
    fn named(&mut self, key: &str, raw: &str) -> Option<()> {
        self.name(key);
        self.out.push(b'{');
        for (name, value) in members(raw, At::top("schema")).ok()? {
            self.name(&name);
            if key == "properties" {
                self.schema(value.get())?;
            } else {
                self.within.push(name.into_owned());
                self.schema(value.get())?;
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
