//! Requests that are nothing but text: they come to no more tokens than bytes.

use crate::json::Value;

/// The messages of a body, if it and they have no members but these and their content is text.
pub fn turns(body: Value<'_>, members: &[&str], message: &[&str]) -> Option<u64> {
    if !only(&body, members) {
        return None;
    }
    let mut turns = 0_u64;
    for one in body.get("messages").filter(Value::is_list)?.items() {
        if !only(&one, message) || !is_text(&one.get("content")?) {
            return None;
        }
        turns = turns.saturating_add(1);
    }
    Some(turns)
}

/// A string, or parts that are text.
pub fn is_text(content: &Value<'_>) -> bool {
    let text = |part: Value<'_>| only(&part, &["type", "text"]) && part.get("type").is_some_and(|kind| kind.is("text"));
    content.is_text() || content.is_list() && content.items().all(text)
}

fn only(value: &Value<'_>, known: &[&str]) -> bool {
    value.members().all(|(name, _)| known.iter().any(|known| name.is(known)))
}
