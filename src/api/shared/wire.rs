//! What reading and writing have in common: members that must be there, made ids, links with data in them.

use crate::chat::{Part, Source};
use crate::error::Error;
use crate::json::{Items, Tree, Value, escape, quote, write};
use std::borrow::Cow;

/// Before thinking that a provider of the Responses API sealed, in every other format: only such a provider can read it.
pub const RESPONSES: &str = "rs:";

pub fn missing(of: &Value<'_>, name: &str) -> Error {
    of.at_member(name, "is missing")
}

/// A string that must be there.
pub fn need<'a>(of: &Value<'a>, name: &str) -> Result<Cow<'a, str>, Error> {
    of.string(name)?.ok_or_else(|| missing(of, name))
}

/// A string that must be there and say something.
pub fn named(of: &Value<'_>, name: &str) -> Result<String, Error> {
    need(of, name).and_then(|text| if text.is_empty() { Err(missing(of, name)) } else { Ok(text.into_owned()) })
}

/// The first of these strings that is there.
pub fn first<'a>(of: &Value<'a>, names: &[&str]) -> Result<Option<Cow<'a, str>>, Error> {
    for name in names {
        if let Some(text) = of.string(name)? {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// A string as the client or provider gave it, to be kept.
pub fn kept(of: &Value<'_>, name: &str) -> Result<Option<String>, Error> {
    Ok(of.string(name)?.map(Cow::into_owned))
}

/// What a list's elements are read from; none if there is no list.
pub fn items<'a>(of: &Value<'a>, name: &str) -> Result<Items<'a>, Error> {
    // The object itself has no elements.
    Ok(of.list(name)?.unwrap_or(*of).items())
}

/// An element that must be an object.
pub fn object<'v, 'a>(one: &'v Value<'a>) -> Result<&'v Value<'a>, Error> {
    if one.is_object() { Ok(one) } else { Err(one.wrong("an object")) }
}

/// The texts of a string or of a list of objects with a `text`, as one.
pub fn joined<'a>(value: &Value<'a>) -> Result<Cow<'a, str>, Error> {
    if let Some(text) = value.text() {
        return Ok(text);
    }
    if !value.is_list() {
        return Err(value.wrong("a string or an array"));
    }
    let mut all = String::new();
    for piece in value.items() {
        all.push_str(&object(&piece)?.string("text")?.unwrap_or_default());
    }
    Ok(all.into())
}

/// Writes the link to an image or a document, one with its data in it where they are at hand.
pub fn write_url(out: &mut Vec<u8>, source: &Source) {
    out.push(b'"');
    match source {
        Source::Url(url) => escape(out, url),
        Source::Base64 { media_type, data } => {
            out.reserve(data.len().saturating_add(64));
            out.extend_from_slice(b"data:");
            escape(out, media_type);
            out.extend_from_slice(b";base64,");
            escape(out, data);
        }
        Source::File(_) | Source::Text(_) => {}
    }
    out.push(b'"');
}

/// The signature of a call, in the form that Google's own endpoint of this API gives it.
pub fn signature<'a>(call: &Value<'a>) -> Option<Cow<'a, str>> {
    call.at(&["extra_content", "google", "thought_signature"])?.text().filter(|text| !text.is_empty())
}

/// Writes what [`signature`] reads.
pub fn write_signature(out: &mut Vec<u8>, signature: &str) {
    out.extend_from_slice(br#","extra_content":{"google":{"thought_signature":"#);
    quote(out, signature);
    out.extend_from_slice(b"}}");
}

/// What ids are made of: the same text gives the same.
pub fn hash(text: &str) -> u64 {
    more(text.as_bytes())
}

/// The hash of texts that 0xff, which is in none, stands between.
pub fn more(texts: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    texts.iter().chain(&[0xff]).fold(0xcbf2_9ce4_8422_2325, step)
}

/// `call_` or the like, and the hash in hexadecimal.
pub fn id(start: &str, hash: u64) -> String {
    let mut id = String::with_capacity(24);
    id.push_str(start);
    for place in (0..16_u32).rev() {
        let digit = (hash >> place.wrapping_mul(4)) & 15;
        id.push(char::from_digit(digit as u32, 16).unwrap_or_default());
    }
    id
}

/// A tool's arguments as the object that some APIs want. What is not one, as a cut answer leaves it, is kept as text.
pub fn input(out: &mut Vec<u8>, arguments: &str, tree: &mut Tree) {
    let given = arguments.trim();
    if given.is_empty() || given == "null" {
        out.extend_from_slice(b"{}");
    } else if given.starts_with('{') && tree.read(given.as_bytes()).is_ok() {
        out.extend_from_slice(given.as_bytes());
    } else {
        out.push(b'{');
        write::text(out, "_raw", arguments);
        out.push(b'}');
    }
}

/// Begins a signature of thinking that belongs to the call after it: it is another provider's, whose calls are signed.
/// No signature of the formats that sign thinking has a colon.
const OF_CALL: &str = "call:";

/// As thinking's, the signature of the call that follows.
pub fn call_signature(signature: &str) -> String {
    [OF_CALL, signature].concat()
}

/// Gives a call that was read the signature that stood as that of the thinking before it.
pub fn claim_signature(before: &mut Vec<Part>, call: &mut Part) {
    if let (Part::ToolCall { signature, .. }, Some(Part::Thinking { signature: given, text })) =
        (call, before.last_mut())
        && let Some(own) = given.as_deref().and_then(|words| words.strip_prefix(OF_CALL))
    {
        *signature = Some(own.to_owned());
        *given = None;
        if text.is_empty() {
            before.pop();
        }
    }
}
