//! Checks a request against tables of fields, so that a wrong translation is caught as the vendor would catch it.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

/// Where in the request: a chain on the stack, so that a valid request costs no allocation.
#[derive(Clone, Copy)]
pub enum At<'a> {
    Root(Mode),
    Key(&'a At<'a>, &'a str),
    Index(&'a At<'a>, usize),
}

#[derive(Clone, Copy, Default)]
pub struct Mode {
    /// Unknown fields are accepted.
    pub lenient: bool,
    /// Null counts as absent in every optional field, not only in those that say so.
    pub nulls: bool,
}

#[derive(Debug, PartialEq)]
pub enum Step {
    Key(String),
    Index(usize),
}

#[derive(Debug)]
pub struct Bad {
    pub at: Vec<Step>,
    pub problem: Problem,
}

#[derive(Debug)]
pub enum Problem {
    Missing,
    Unknown,
    Type {
        wanted: &'static str,
        got: &'static str,
    },
    Value {
        got: String,
        allowed: Vec<&'static str>,
    },
    TooShort {
        least: usize,
    },
    Range {
        least: f64,
        most: f64,
    },
    /// A rule of its own, said in full.
    Rule(String),
}

pub type Checked = Result<(), Bad>;

pub struct Field {
    name: &'static str,
    need: Need,
    kind: Kind,
}

#[derive(PartialEq)]
enum Need {
    Required,
    Optional,
    Nullable,
}

pub const fn req(name: &'static str, kind: Kind) -> Field {
    Field { name, need: Need::Required, kind }
}

pub const fn opt(name: &'static str, kind: Kind) -> Field {
    Field { name, need: Need::Optional, kind }
}

/// Optional, and null means absent.
pub const fn nul(name: &'static str, kind: Kind) -> Field {
    Field { name, need: Need::Nullable, kind }
}

pub enum Kind {
    Any,
    Str,
    Bool,
    Object,
    Int(RangeInclusive<i64>),
    Num(RangeInclusive<f64>),
    OneOf(&'static [&'static str]),
    /// A list of at least so many.
    List(usize, &'static Kind),
    Fields(&'static [Field]),
    /// By the value of `type`: what else the object holds.
    Tagged(&'static [(&'static str, &'static [Field])]),
    With(fn(&Value, &At) -> Checked),
}

impl At<'_> {
    fn mode(&self) -> Mode {
        match self {
            At::Root(mode) => *mode,
            At::Key(above, _) | At::Index(above, _) => above.mode(),
        }
    }

    fn steps(&self) -> Vec<Step> {
        match self {
            At::Root(_) => Vec::new(),
            At::Key(above, name) => pushed(above, Step::Key((*name).to_owned())),
            At::Index(above, at) => pushed(above, Step::Index(*at)),
        }
    }

    pub fn bad(&self, problem: Problem) -> Bad {
        Bad { at: self.steps(), problem }
    }

    pub fn rule<T>(&self, message: impl Into<String>) -> Result<T, Bad> {
        Err(self.bad(Problem::Rule(message.into())))
    }

    fn wanted(&self, wanted: &'static str, value: &Value) -> Bad {
        self.bad(Problem::Type { wanted, got: type_name(value) })
    }
}

fn pushed(above: &At, step: Step) -> Vec<Step> {
    let mut steps = above.steps();
    steps.push(step);
    steps
}

impl Kind {
    pub fn check(&self, value: &Value, at: &At) -> Checked {
        match self {
            Self::Any => Ok(()),
            Self::Str => value.as_str().map(|_| ()).ok_or_else(|| at.wanted("string", value)),
            Self::Bool => value.as_bool().map(|_| ()).ok_or_else(|| at.wanted("boolean", value)),
            Self::Object => value.as_object().map(|_| ()).ok_or_else(|| at.wanted("object", value)),
            Self::Int(range) => match value.as_i64() {
                Some(number) if range.contains(&number) => Ok(()),
                Some(_) => Err(at.bad(Problem::Range { least: *range.start() as f64, most: *range.end() as f64 })),
                None => Err(at.wanted("integer", value)),
            },
            Self::Num(range) => match value.as_f64() {
                Some(number) if range.contains(&number) => Ok(()),
                Some(_) => Err(at.bad(Problem::Range { least: *range.start(), most: *range.end() })),
                None => Err(at.wanted("number", value)),
            },
            Self::OneOf(allowed) => match value.as_str() {
                Some(text) if allowed.contains(&text) => Ok(()),
                Some(text) => Err(at.bad(Problem::Value { got: text.to_owned(), allowed: allowed.to_vec() })),
                None => Err(at.wanted("string", value)),
            },
            Self::List(least, kind) => {
                let items = value.as_array().ok_or_else(|| at.wanted("array", value))?;
                if items.len() < *least {
                    return Err(at.bad(Problem::TooShort { least: *least }));
                }
                items.iter().enumerate().try_for_each(|(index, item)| kind.check(item, &At::Index(at, index)))
            }
            Self::Fields(table) => fields(object(value, at)?, at, &[table]),
            Self::Tagged(variants) => {
                let given = object(value, at)?;
                let here = At::Key(at, "type");
                let kind = given.get("type").ok_or_else(|| here.bad(Problem::Missing))?;
                let kind = kind.as_str().ok_or_else(|| here.wanted("string", kind))?;
                match variants.iter().find(|(name, _)| *name == kind) {
                    Some((_, table)) => fields(given, at, &[table, TYPE]),
                    None => {
                        let allowed = variants.iter().map(|(name, _)| *name).collect();
                        Err(here.bad(Problem::Value { got: kind.to_owned(), allowed }))
                    }
                }
            }
            Self::With(check) => check(value, at),
        }
    }
}

const TYPE: &[Field] = &[opt("type", Kind::Str)];

/// Checks the fields of an object against several tables at once.
pub fn fields(given: &Map<String, Value>, at: &At, tables: &[&[Field]]) -> Checked {
    let mode = at.mode();
    let known = || tables.iter().flat_map(|table| table.iter());
    for (name, value) in given {
        let here = At::Key(at, name);
        match known().find(|field| field.name == name) {
            None if mode.lenient => {}
            None => return Err(here.bad(Problem::Unknown)),
            Some(field)
                if value.is_null()
                    && (field.need == Need::Nullable || (mode.nulls && field.need == Need::Optional)) => {}
            Some(field) => field.kind.check(value, &here)?,
        }
    }
    match known().find(|field| field.need == Need::Required && !given.contains_key(field.name)) {
        Some(field) => Err(At::Key(at, field.name).bad(Problem::Missing)),
        None => Ok(()),
    }
}

pub fn object<'v>(value: &'v Value, at: &At) -> Result<&'v Map<String, Value>, Bad> {
    value.as_object().ok_or_else(|| at.wanted("object", value))
}

/// A string, or a list checked by `parts`.
pub fn text_or(value: &Value, at: &At, parts: &Kind) -> Checked {
    match value {
        Value::String(_) => Ok(()),
        Value::Array(_) => parts.check(value, at),
        _ => Err(at.wanted("string or array", value)),
    }
}

/// Letters, digits, `_` and `-`.
pub fn is_name(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

pub fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    !body.is_empty() && text.len().is_multiple_of(4) && body.bytes().all(alphabet)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
