//! JSON read into what this API names, borrowed where it can be, with the path of what is wrong.

use crate::error::Error;
use crate::json;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A struct read from a JSON object: every member optional, null as absent, unknown ones skipped. Unlike a derived
/// one it is not read from an array, and its strings are borrowed.
macro_rules! object {
    ($(#[$meta:meta])* $name:ident { $($field:ident $(as $key:literal)? : $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Default)]
        pub(super) struct $name<'a> {
            $(pub $field: Option<$ty>,)*
            /// Uses the lifetime where no member does.
            pub lifetime: std::marker::PhantomData<&'a ()>,
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Members<'a>(std::marker::PhantomData<&'a ()>);
                impl<'de: 'a, 'a> serde::de::Visitor<'de> for Members<'a> {
                    type Value = $name<'a>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                        let mut read = $name::default();
                        while let Some(name) = map.next_key::<super::wire::Text<'de>>()? {
                            match &*name.0 {
                                $(super::wire::object!(@key $field $($key)?) => read.$field = map.next_value()?,)*
                                _ => { map.next_value::<serde::de::IgnoredAny>()?; }
                            }
                        }
                        Ok(read)
                    }
                }
                from.deserialize_map(Members(std::marker::PhantomData))
            }
        }
    };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
}
pub(super) use object;

/// A JSON string, borrowed unless it has escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    pub fn owned(self) -> String {
        self.0.into_owned()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Chars;
        impl<'de> Visitor<'de> for Chars {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Chars)
    }
}

/// A string or an array.
#[derive(Debug)]
pub(super) enum OneOrMany<'a, T> {
    One(Cow<'a, str>),
    Many(Vec<T>),
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<'a, T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMany<'de, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(OneOrMany::One(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(OneOrMany::One(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(OneOrMany::Many(all))
            }
        }
        from.deserialize_any(Either(std::marker::PhantomData))
    }
}

/// An object, or a string in its place.
pub(super) enum TextOr<'a, T> {
    Text(Cow<'a, str>),
    Object(T),
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for TextOr<'a, T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = TextOr<'de, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an object")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(TextOr::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TextOr::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_map<M: de::MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(TextOr::Object)
            }
        }
        from.deserialize_any(Either(std::marker::PhantomData))
    }
}

/// A whole number, also where a vendor writes it as `3.0`; anything else counts as not said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count(pub u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = <&serde_json::value::RawValue>::deserialize(from)?.get();
        let digits = raw.strip_suffix(".0").unwrap_or(raw);
        Ok(Self(digits.parse().unwrap_or(0)))
    }
}

/// Reads valid JSON. What does not fit is named by its path and by what was wanted.
pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|e| {
        let said = e.to_string();
        let mut at = offset(text, e.line(), e.column());
        // An array in the place of a number is entered before it is refused; other readers stop before it.
        let before = text.get(..at).unwrap_or_default().trim_end();
        let opens = text.as_bytes().get(at).is_some_and(|b| matches!(b, b'[' | b'{'));
        if !opens && before.ends_with(['[', '{']) && (said.contains(": sequence,") || said.contains(": map,")) {
            at = before.len().saturating_sub(1);
        }
        Error::field(path(text, at), wanted(&said))
    })
}

/// serde_json says "invalid type: integer `5`, expected a string at line 1 column 9".
fn wanted(said: &str) -> String {
    let Some((is, rest)) = said.split_once(", expected ") else { return "cannot be read".to_owned() };
    let want = rest.rsplit_once(" at line ").map_or(rest, |(want, _)| want);
    let want = match want {
        "u64" | "u32" => "a whole number that is not negative",
        "f64" | "a JSON number" => "a number",
        "a sequence" => "an array",
        "any valid JSON value" => "JSON",
        other => other,
    };
    let is = is.split_once(": ").map_or(is, |(_, is)| is);
    let is = match is.split([' ', '`']).next().unwrap_or_default() {
        "null" => "null",
        "boolean" => "a boolean",
        "string" => "a string",
        "sequence" => "an array",
        "map" => "an object",
        "integer" | "floating" | "number" => "that number",
        _ => "that",
    };
    format!("must be {want}, not {is}")
}

/// The byte that a line and a column mean.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start = match line.checked_sub(2) {
        None => 0,
        Some(before) => {
            memchr::memchr_iter(b'\n', text.as_bytes()).nth(before).map_or(0, |newline| newline.saturating_add(1))
        }
    };
    start.saturating_add(column)
}

/// The path of the value that is read up to `at`: `messages[2].content[0].type`. The text is valid JSON.
fn path(text: &str, at: usize) -> String {
    enum Step<'a> {
        Member(&'a str),
        Item(usize),
    }
    let mut steps: Vec<Step<'_>> = Vec::new();
    let mut found = String::new();
    let mut pos = 0_usize;
    while let Some(rest) = text.get(pos..).filter(|_| pos < at) {
        let Some(first) = rest.bytes().next() else { break };
        let mut len = 1;
        match first {
            b'{' => steps.push(Step::Member("")),
            b'[' => steps.push(Step::Item(0)),
            b'}' | b']' => {
                steps.pop();
            }
            b',' => match steps.last_mut() {
                Some(Step::Item(n)) => *n = n.saturating_add(1),
                Some(Step::Member(name)) => *name = "",
                None => {}
            },
            b'"' => {
                len = string_len(rest);
                if let Some(Step::Member(name @ "")) = steps.last_mut() {
                    *name = rest.get(1..len.saturating_sub(1)).unwrap_or_default();
                }
            }
            _ => {}
        }
        if !first.is_ascii_whitespace() {
            found.clear();
            for step in &steps {
                match step {
                    Step::Item(n) => found.push_str(&format!("[{n}]")),
                    Step::Member("") => {}
                    Step::Member(name) => {
                        if !found.is_empty() {
                            found.push('.');
                        }
                        found.extend(name.chars().take(64));
                    }
                }
            }
        }
        pos = pos.saturating_add(len);
    }
    found
}

/// The length of the JSON string that `text` begins with, quotes included.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (n, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return n.saturating_add(1),
            _ => {}
        }
    }
    text.len()
}

/// The parts of `data:image/png;base64,iVBO…`: media type and data.
pub(super) fn data_url(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("data:")?;
    let (head, data) = rest.split_once(',')?;
    let head = head.strip_suffix(";base64")?;
    Some((head.split(';').next().unwrap_or_default(), data))
}

/// An id made from others: the same ones give the same.
pub(super) fn hash(texts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in texts.iter().flat_map(|t| t.bytes().chain([0xff])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

/// Writes `,"key":"text"`.
pub(super) fn member(out: &mut Vec<u8>, key: &str, text: &str) {
    name(out, key);
    json::quote(out, text);
}

/// Writes `,"key":json`. The JSON is written here or was read as such.
pub(super) fn raw_member(out: &mut Vec<u8>, key: &str, json: &str) {
    name(out, key);
    out.extend_from_slice(json.as_bytes());
}

pub(super) fn number(out: &mut Vec<u8>, key: &str, value: u64) {
    name(out, key);
    digits(out, value);
}

/// Writes a number without an allocation.
pub(super) fn digits(out: &mut Vec<u8>, value: u64) {
    // Writing to memory does not fail.
    let _ = std::io::Write::write_fmt(out, format_args!("{value}"));
}

/// Writes `,"key":`; without the comma right after a bracket.
pub(super) fn name(out: &mut Vec<u8>, key: &str) {
    comma(out);
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

/// A comma unless a bracket has just opened.
pub(super) fn comma(out: &mut Vec<u8>) {
    if !matches!(out.last(), None | Some(b'{' | b'[')) {
        out.push(b',');
    }
}
