//! A request for a provider of the same API: what must change in it.

use crate::api::{Spliced, Target};
use crate::json::{Value, quote, write as put};

pub(super) fn splice(body: Value<'_>, target: &Target<'_>) -> Spliced {
    // Every stream of this API states its usage.
    let mut spliced = Spliced::default();
    if !body.get("model").is_some_and(|model| model.is(target.model)) {
        let mut name = Vec::with_capacity(target.model.len().saturating_add(2));
        quote(&mut name, target.model);
        spliced.edits.push(body.set("model", name));
    }
    let Some(messages) = body.get("messages") else { return spliced };
    let claude = target.model.contains("claude");
    // The last answer has lost its thinking; the results of its calls have come.
    let (mut lost, mut results) = (false, false);
    for message in messages.items() {
        let Some(content) = message.get("content") else { continue };
        if !message.get("role").is_some_and(|role| role.is("assistant")) {
            results = lost && content.items().any(|block| is(&block, "tool_result"));
            continue;
        }
        lost = content.items().any(|block| foreign(&block, claude));
        if !lost {
            continue;
        }
        let mut kept = vec![b'['];
        for block in content.items().filter(|block| !foreign(block, claude)) {
            lost &= !is(&block, "thinking") && !is(&block, "redacted_thinking");
            put::comma(&mut kept);
            kept.extend_from_slice(block.raw().as_bytes());
        }
        if kept.len() == 1 {
            // A turn of nothing is refused.
            kept.extend_from_slice(br#"{"type":"text","text":"."}"#);
        }
        kept.push(b']');
        spliced.edits.push(message.set("content", kept));
        spliced.losses.hint("thinking", "thinking without a signature of the model's is not accepted");
    }
    if results && body.get("thinking").is_some_and(|thinking| is(&thinking, "enabled")) {
        spliced.edits.extend(body.remove("thinking"));
        spliced.losses.hint("reasoning", "the thinking that led to the last tool call is not at hand");
    }
    spliced
}

/// Thinking from an earlier turn at a provider of another API: its seal is marked, which has a colon, or it has none. Other
/// makers' models behind this API may sign nothing.
fn foreign(block: &Value<'_>, claude: bool) -> bool {
    let seal = match () {
        () if is(block, "thinking") => block.get("signature"),
        () if is(block, "redacted_thinking") => block.get("data"),
        () => return false,
    };
    match seal.and_then(|seal| seal.text()).filter(|seal| !seal.is_empty()) {
        Some(seal) => seal.contains(':'),
        None => claude,
    }
}

fn is(of: &Value<'_>, kind: &str) -> bool {
    of.get("type").is_some_and(|given| given.is(kind))
}
