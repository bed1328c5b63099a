//! Thinking over turns. A client of this API keeps it in reasoning items: the text in `summary`, and in
//! `encrypted_content` what its provider signed or sealed. What is not this API's own is marked, so that it comes back as
//! what it was. The other way round, an item of a provider of this API is one signature, with its id in it.

use super::wire::{id, items, object};
use crate::chat::Part;
use crate::error::Error;
use crate::json::{Value, write as put};
use std::borrow::Cow;

/// What a client of this API is given: another provider's signature, and thinking that another provider sealed.
const SIGNATURE: &str = "sluice.signature:";
const SEALED: &str = "sluice.sealed:";

/// Before a call that another provider signed: an item of nothing but this, since calls have no place for it.
const CALL: &str = "sluice.call:";

/// What clients of other APIs are given: this, the item's id, `:`, what is encrypted.
const OWN: &str = super::wire::RESPONSES;

/// Whether an item holds what only another provider can read.
pub(super) fn foreign(item: &Value<'_>) -> bool {
    let marked = |encrypted: Cow<'_, str>| [SIGNATURE, SEALED, CALL].iter().any(|mark| encrypted.starts_with(mark));
    text(item, "encrypted_content").is_some_and(marked)
}

/// What closes thinking.
pub(super) enum Seal {
    Signature(String),
    Redacted(String),
    /// Of the call that follows.
    Call(String),
}

fn text<'a>(item: &Value<'a>, name: &str) -> Option<Cow<'a, str>> {
    item.get(name)?.text().filter(|text| !text.is_empty())
}

/// `shown`: the item has text that the seal belongs to.
pub(super) fn seal(item: &Value<'_>, shown: bool) -> Option<Seal> {
    let encrypted = text(item, "encrypted_content")?;
    if let Some(signature) = encrypted.strip_prefix(SIGNATURE) {
        return Some(Seal::Signature(signature.to_owned()));
    }
    if let Some(data) = encrypted.strip_prefix(SEALED) {
        return Some(Seal::Redacted(data.to_owned()));
    }
    if let Some(signature) = encrypted.strip_prefix(CALL) {
        return Some(Seal::Call(signature.to_owned()));
    }
    let id = text(item, "id").filter(|id| !id.contains(':')).unwrap_or_default();
    let own = [OWN, &id, ":", &encrypted].concat();
    Some(if shown { Seal::Signature(own) } else { Seal::Redacted(own) })
}

/// A reasoning item's text: its summary or, where there is none, the thinking itself.
pub(super) fn shown(item: &Value<'_>) -> String {
    let mut all = String::new();
    for list in ["summary", "content"] {
        let Some(list) = item.get(list).filter(|_| all.is_empty()) else { continue };
        for text in list.items().filter_map(|part| text(&part, "text")) {
            if !all.is_empty() {
                all.push_str(BETWEEN);
            }
            all.push_str(&text);
        }
    }
    all
}

/// What stands between the parts of a summary, which are paragraphs.
pub(super) const BETWEEN: &str = "\n\n";

/// Refuses an item of the input that is not what [`part`] reads.
pub(super) fn check(item: &Value<'_>) -> Result<(), Error> {
    for name in ["id", "encrypted_content"] {
        item.string(name)?;
    }
    for list in ["summary", "content"] {
        for part in items(item, list)? {
            object(&part)?.string("text")?;
        }
    }
    Ok(())
}

/// `None`: the item says nothing of its own. `signature`: of the call that follows.
pub(super) fn part(item: &Value<'_>, signature: &mut Option<String>) -> Option<Part> {
    let text = shown(item);
    match seal(item, !text.is_empty()) {
        Some(Seal::Call(of_call)) => {
            *signature = Some(of_call);
            None
        }
        Some(Seal::Redacted(data)) => Some(Part::Redacted { data }),
        Some(Seal::Signature(signature)) => Some(Part::Thinking { text, signature: Some(signature) }),
        None => (!text.is_empty()).then_some(Part::Thinking { text, signature: None }),
    }
}

/// What `encrypted_content` holds for a client.
#[derive(Clone, Copy)]
pub(super) enum Mark {
    Signature,
    Sealed,
    Call,
}

pub(super) fn encrypted(out: &mut Vec<u8>, sealed: &str, mark: Mark) {
    let mark = match mark {
        Mark::Signature => SIGNATURE,
        Mark::Sealed => SEALED,
        Mark::Call => CALL,
    };
    put::text(out, "encrypted_content", &[mark, sealed].concat());
}

/// Writes the item for a provider of this API. `false`: the thinking is not its own.
pub(super) fn item(out: &mut Vec<u8>, words: &str, sealed: Option<&str>, echo: bool) -> bool {
    let own = sealed.and_then(|sealed| sealed.strip_prefix(OWN)?.split_once(':'));
    if own.is_none() && (!echo || words.is_empty()) {
        return false;
    }
    let made = || id("rs_", super::wire::hash(words));
    put::comma(out);
    out.extend_from_slice(br#"{"type":"reasoning""#);
    match own {
        Some((id, encrypted)) => {
            put::text(out, "id", if id.is_empty() { made() } else { id.to_owned() }.as_str());
            put::raw(out, "summary", "[");
            if !words.is_empty() {
                summary(out, words);
            }
            out.push(b']');
            put::text(out, "encrypted_content", encrypted);
        }
        None => {
            put::text(out, "id", &made());
            put::raw(out, "summary", r#"[],"content":[{"type":"reasoning_text""#);
            put::text(out, "text", words);
            out.extend_from_slice(b"}]");
        }
    }
    out.push(b'}');
    true
}

pub(super) fn summary(out: &mut Vec<u8>, words: &str) {
    out.extend_from_slice(br#"{"type":"summary_text""#);
    put::text(out, "text", words);
    out.push(b'}');
}
