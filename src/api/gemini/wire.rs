//! What reading and writing have in common: members in either spelling, made ids, names in a path, media types.

use crate::base64;
use crate::error::Error;
use crate::json::write::text;
use crate::json::{Items, Number, Tree, Value};
use std::borrow::Cow;

/// The member of that name unless it is null: `topP`, or as the API takes it too, `top_p`.
#[inline(never)]
pub(super) fn get<'a>(of: &Value<'a>, name: &str) -> Option<Value<'a>> {
    let snake = || of.members().find(|(own, value)| !value.is_null() && is(&own.text(), name)).map(|(_, value)| value);
    of.get(name).or_else(snake)
}

/// Whether `own` is the name in one of its spellings. `_responseJsonSchema` is an old name of one of them.
#[inline(never)]
pub(super) fn is(own: &str, name: &str) -> bool {
    own == name || {
        let plain = own.bytes().filter(|byte| *byte != b'_');
        own.contains('_') && plain.eq_by_case(name)
    }
}

trait EqByCase {
    fn eq_by_case(self, name: &str) -> bool;
}

impl<I: Iterator<Item = u8>> EqByCase for I {
    fn eq_by_case(self, name: &str) -> bool {
        self.map(|byte| byte.to_ascii_lowercase()).eq(name.bytes().map(|byte| byte.to_ascii_lowercase()))
    }
}

#[inline(never)]
pub(super) fn string<'a>(of: &Value<'a>, name: &str) -> Result<Option<Cow<'a, str>>, Error> {
    let Some(value) = get(of, name) else { return Ok(None) };
    value.text().map(Some).ok_or_else(|| value.wrong("a string"))
}

#[inline(never)]
pub(super) fn boolean(of: &Value<'_>, name: &str) -> Result<Option<bool>, Error> {
    let Some(value) = get(of, name) else { return Ok(None) };
    value.truth().map(Some).ok_or_else(|| value.wrong("a boolean"))
}

#[inline(never)]
pub(super) fn number(of: &Value<'_>, name: &str) -> Result<Option<Number>, Error> {
    let Some(value) = get(of, name) else { return Ok(None) };
    match value.raw().as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => Ok(Some(Number::of(value.raw()))),
        _ => Err(value.wrong("a number")),
    }
}

#[inline(never)]
pub(super) fn unsigned(of: &Value<'_>, name: &str) -> Result<Option<u64>, Error> {
    let Some(value) = get(of, name) else { return Ok(None) };
    value.count().map(Some).ok_or_else(|| value.error("must be a whole number, and not negative"))
}

#[inline(never)]
pub(super) fn object<'a>(of: &Value<'a>, name: &str) -> Result<Option<Value<'a>>, Error> {
    let Some(value) = get(of, name) else { return Ok(None) };
    if value.is_object() { Ok(Some(value)) } else { Err(value.wrong("an object")) }
}

#[inline(never)]
pub(super) fn list<'a>(of: &Value<'a>, name: &str) -> Result<Option<Value<'a>>, Error> {
    let Some(value) = get(of, name) else { return Ok(None) };
    if value.is_list() { Ok(Some(value)) } else { Err(value.wrong("an array")) }
}

/// The elements of that member; none if it is no list.
#[inline(never)]
pub(super) fn each<'a>(of: &Value<'a>, name: &str) -> Items<'a> {
    // An object itself has no elements.
    of.get(name).unwrap_or(*of).items()
}

/// Out of line: a search is long.
#[inline(never)]
pub(super) fn has(text: &str, part: &str) -> bool {
    text.contains(part)
}

/// A string that a provider may leave out, or give as something else.
#[inline(never)]
pub(super) fn said<'a>(of: &Value<'a>, name: &str) -> Option<Cow<'a, str>> {
    of.get(name)?.text().filter(|text| !text.is_empty())
}

/// An id for a call that has none: the same from the same.
#[inline(never)]
pub(super) fn call_id(of: &str, choice: u32, call: u32, name: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let ends = choice.to_le_bytes().into_iter().chain(call.to_le_bytes());
    let hash = of.bytes().chain([0xff]).chain(ends).chain(name.bytes()).fold(0xcbf2_9ce4_8422_2325, step);
    let mut id = "call_".to_owned();
    for place in (0..16_u32).rev() {
        let digit = (hash >> place.wrapping_mul(4)) & 15;
        id.push(HEX.get(digit as usize).copied().map_or('0', char::from));
    }
    id
}

/// A call's arguments as the object that the API wants. What is not one, as a cut answer leaves it, is kept as text.
#[inline(never)]
pub(super) fn arguments(out: &mut Vec<u8>, given: &str, tree: &mut Tree) {
    let json = given.trim();
    if json.is_empty() || json == "null" {
        out.extend_from_slice(b"{}");
    } else if json.starts_with('{') && tree.read(json.as_bytes()).is_ok() {
        // Outside its strings JSON may have line ends, an event of a stream may not.
        out.extend(json.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
    } else {
        out.push(b'{');
        text(out, "_raw", given);
        out.push(b'}');
    }
}

/// What another provider gave to be sent back, within a signature of this API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    /// Of the thinking it stands with.
    Signature,
    /// Thinking itself.
    Thinking,
}

impl Sealed {
    fn mark(self) -> &'static [u8] {
        match self {
            Self::Signature => b"sluice:s:",
            Self::Thinking => b"sluice:t:",
        }
    }
}

/// A signature as clients of this API take one: bytes in base64. They send it back in another alphabet than it came in.
/// The mark tells it from the signatures of this API's own models.
#[inline(never)]
pub(super) fn seal(what: Sealed, text: &str) -> String {
    base64::encode(&[what.mark(), text.as_bytes()].concat())
}

/// What [`seal`] has written; `None`: it is no such signature.
#[inline(never)]
pub(super) fn unseal(signature: &str) -> Option<(Sealed, String)> {
    let bytes = base64::decode(signature)?;
    let known = [Sealed::Signature, Sealed::Thinking].into_iter();
    let (what, text) = known.filter_map(|what| Some((what, bytes.strip_prefix(what.mark())?))).next()?;
    Some((what, std::str::from_utf8(text).ok()?.to_owned()))
}

/// The media type that a URL's ending stands for.
#[inline(never)]
pub(super) fn media_type(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let (_, ending) = path.rsplit_once('.')?;
    let known = [
        ("png", "image/png"),
        ("jpg", "image/jpeg"),
        ("jpeg", "image/jpeg"),
        ("webp", "image/webp"),
        ("gif", "image/gif"),
        ("heic", "image/heic"),
        ("heif", "image/heif"),
        ("pdf", "application/pdf"),
        ("txt", "text/plain"),
        ("md", "text/markdown"),
        ("html", "text/html"),
        ("csv", "text/csv"),
        ("json", "application/json"),
    ];
    known.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(ending)).map(|(_, kind)| kind)
}

/// Writes a name as one segment of a path.
#[inline(never)]
pub(super) fn encode(path: &mut String, name: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'@') {
            path.push(char::from(byte));
        } else {
            path.push('%');
            for digit in [byte >> 4, byte & 15] {
                path.push(HEX.get(usize::from(digit)).copied().map_or('0', char::from));
            }
        }
    }
}
