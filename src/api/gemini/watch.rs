//! What an answer of this API says of itself as it goes by unchanged.

use super::answer::{blocked, finish, written};
use super::wire::{each, said};
use super::{errors, usage};
use crate::api::Seen;
use crate::json::{Tree, Value};

pub(super) fn answer(body: &[u8], seen: &mut Seen) {
    let mut tree = Tree::default();
    let Ok(body) = tree.read(body) else { return };
    note(&body, seen);
    seen.ended = seen.error.is_none() && body.is_object();
}

/// Every event has all usage so far, and none says that it is the last: each is looked into.
pub(super) fn event(data: &[u8], seen: &mut Seen) {
    let mut tree = Tree::default();
    if let Ok(body) = tree.read(data) {
        note(&body, seen);
    }
}

fn note(body: &Value<'_>, seen: &mut Seen) {
    if let Some(error) = errors::within(body) {
        seen.error = Some(errors::in_answer(&error));
        return;
    }
    seen.usage = usage::read(body).or(seen.usage);
    if seen.model.is_none() {
        seen.model = said(body, "modelVersion").map(|model| model.into_owned());
    }
    for candidate in each(body, "candidates") {
        for part in written(&candidate) {
            let empty = |value: &Value<'_>| value.is_empty() || value.truth().is_some();
            seen.content |= part.members().any(|(name, value)| !name.is("thoughtSignature") && !empty(&value));
        }
        if let Some(reason) = said(&candidate, "finishReason") {
            match finish(&reason, false, seen.content, &candidate) {
                Ok(_) => seen.ended = true,
                Err(error) => seen.error = Some(error),
            }
        }
    }
    seen.ended |= !seen.content && blocked(body).is_some();
}
