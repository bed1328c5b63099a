//! Reading members that may be of the wrong type in one pass, so that an error can name the path.

use crate::chat::Raw;
use crate::error::Error;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A member: absent (or null), as it should be, or of another type.
#[derive(Clone, Debug, Default)]
pub(super) enum Is<T> {
    #[default]
    Absent,
    Given(T),
    Wrong(&'static str),
}

impl<T> Is<T> {
    /// The value if it is of the right type.
    pub(super) fn ok(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Wrong(_) => None,
        }
    }
}

impl<'de, T: Shape<'de>> Is<T> {
    /// The value, or the error that says what it must be.
    pub(super) fn get(self, at: At<'_>, key: &'static str) -> Result<Option<T>, Error> {
        match self {
            Self::Absent => Ok(None),
            Self::Given(value) => Ok(Some(value)),
            Self::Wrong(kind) => Err(Error::field(at.key(key).path(), format!("must be {}, not {kind}", T::WANTED))),
        }
    }

    pub(super) fn need(self, at: At<'_>, key: &'static str) -> Result<T, Error> {
        self.get(at, key)?.ok_or_else(|| Error::field(at.key(key).path(), "is required"))
    }
}

/// Where in the body something stands.
#[derive(Clone, Copy)]
pub(super) struct At<'p> {
    up: Option<&'p At<'p>>,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    Key(&'static str),
    Index(usize),
}

impl<'p> At<'p> {
    pub(super) fn top(key: &'static str) -> Self {
        Self { up: None, step: Step::Key(key) }
    }

    pub(super) fn key(&'p self, key: &'static str) -> At<'p> {
        At { up: Some(self), step: Step::Key(key) }
    }

    pub(super) fn index(&'p self, index: usize) -> At<'p> {
        At { up: Some(self), step: Step::Index(index) }
    }

    pub(super) fn path(&self) -> String {
        let mut path = self.up.map(At::path).unwrap_or_default();
        match self.step {
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
        path
    }

    pub(super) fn error(&self, message: impl Into<String>) -> Error {
        Error::field(self.path(), message)
    }
}

/// A type that a member may be wanted as. What it does not take makes the member [`Is::Wrong`].
pub(super) trait Shape<'de>: Sized {
    const WANTED: &'static str;

    fn text(_: Cow<'de, str>) -> Option<Self> {
        None
    }

    fn boolean(_: bool) -> Option<Self> {
        None
    }

    fn unsigned(_: u64) -> Option<Self> {
        None
    }

    fn map<A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl<'de: 'a, 'a> Shape<'de> for Cow<'a, str> {
    const WANTED: &'static str = "a string";

    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(text)
    }
}

impl Shape<'_> for bool {
    const WANTED: &'static str = "a boolean";

    fn boolean(value: bool) -> Option<Self> {
        Some(value)
    }
}

impl Shape<'_> for u64 {
    const WANTED: &'static str = "a whole number";

    fn unsigned(value: u64) -> Option<Self> {
        Some(value)
    }
}

/// What may be a string or a list of blocks.
#[derive(Clone, Debug)]
pub(super) enum Content<'a> {
    Text(Cow<'a, str>),
    Blocks(Vec<&'a RawValue>),
}

impl<'de: 'a, 'a> Shape<'de> for Content<'a> {
    const WANTED: &'static str = "a string or an array";

    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self::Text(text))
    }

    fn seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        let mut blocks = Vec::with_capacity(seq.size_hint().unwrap_or(2));
        while let Some(block) = seq.next_element()? {
            blocks.push(block);
        }
        Ok(Some(Self::Blocks(blocks)))
    }
}

/// A list, each element as its JSON text.
impl<'de: 'a, 'a> Shape<'de> for Vec<&'a RawValue> {
    const WANTED: &'static str = "an array";

    fn seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = seq.next_element()? {
            all.push(one);
        }
        Ok(Some(all))
    }
}

/// A list of what `T` is.
#[derive(Clone, Debug)]
pub(super) struct List<T>(pub(super) Vec<Is<T>>);

impl<'de, T: Shape<'de>> Shape<'de> for List<T> {
    const WANTED: &'static str = "an array";

    fn seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = seq.next_element()? {
            all.push(one);
        }
        Ok(Some(Self(all)))
    }
}

/// An object of that type.
#[derive(Clone, Debug)]
pub(super) struct Map<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Shape<'de> for Map<T> {
    const WANTED: &'static str = "an object";

    fn map<A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|value| Some(Self(value)))
    }
}

impl<'de, T: Shape<'de>> Deserialize<'de> for Is<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Seek(PhantomData))
    }
}

struct Seek<T>(PhantomData<T>);

fn taken<T>(value: Option<T>, kind: &'static str) -> Is<T> {
    value.map_or(Is::Wrong(kind), Is::Given)
}

impl<'de, T: Shape<'de>> Visitor<'de> for Seek<T> {
    type Value = Is<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WANTED)
    }

    fn visit_unit<E>(self) -> Result<Is<T>, E> {
        Ok(Is::Absent)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Is<T>, E> {
        Ok(taken(T::boolean(value), "a boolean"))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Is<T>, E> {
        Ok(taken(T::unsigned(value), "a number"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Is<T>, E> {
        Ok(Is::Wrong("a negative number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Is<T>, E> {
        Ok(Is::Wrong("a fraction"))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Is<T>, E> {
        Ok(taken(T::text(Cow::Borrowed(value)), "a string"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Is<T>, E> {
        Ok(taken(T::text(Cow::Owned(value.to_owned())), "a string"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Is<T>, A::Error> {
        Ok(taken(T::seq(seq)?, "an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Is<T>, A::Error> {
        Ok(taken(T::map(map)?, "an object"))
    }
}

/// Reads a member's JSON text as `T`.
pub(super) fn parse<'de, T: Shape<'de>>(raw: &'de str, at: At<'_>) -> Result<Is<T>, Error> {
    serde_json::from_str(raw).map_err(|error| at.error(format!("cannot be read: {error}")))
}

/// As [`parse`], and it must be of that type.
pub(super) fn read<'de, T: Shape<'de>>(raw: &'de str, at: At<'_>) -> Result<Option<T>, Error> {
    match parse::<T>(raw, at)? {
        Is::Absent => Ok(None),
        Is::Given(value) => Ok(Some(value)),
        Is::Wrong(kind) => Err(at.error(format!("must be {}, not {kind}", T::WANTED))),
    }
}

pub(super) fn keep(raw: Option<&RawValue>) -> Option<Raw> {
    raw.map(RawValue::to_owned)
}
