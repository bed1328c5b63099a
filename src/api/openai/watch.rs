//! The same API on both sides: what is changed in a request, what is noted of an answer that goes by.

use super::answer::{bad, error, parse, told, usage};
use super::error::inside;
use crate::api::{Seen, Spliced, Target, Verdict};
use crate::json::{Edit, Tree, Value, places, quote};

pub(super) fn splice(body: &Value<'_>, target: &Target<'_>) -> Spliced {
    let mut spliced = Spliced::default();
    if !body.get("model").is_some_and(|model| model.is(target.model)) {
        let mut model = Vec::with_capacity(target.model.len().saturating_add(2));
        quote(&mut model, target.model);
        spliced.edits.push(body.set("model", model));
    }
    if target.stream_usage && is_true(body, "stream") {
        let edit = ask_usage(body);
        spliced.hide_usage = edit.is_some();
        spliced.edits.extend(edit);
    }
    spliced
}

/// Mistral's SDK says `"prefix": false` in each of the assistant's messages, and `index` in its calls: both say nothing, and
/// OpenAI refuses them. The last message is for the provider to judge.
pub(super) fn unprefixed(body: Value<'_>) -> Vec<Edit> {
    let mut edits = Vec::new();
    let messages = body.get("messages");
    let mut next = messages.iter().flat_map(Value::items).peekable();
    while let Some(message) = next.next() {
        let prefix = message.get("prefix").and_then(|prefix| prefix.truth());
        if prefix != Some(false) || next.peek().is_none() {
            continue;
        }
        edits.extend(message.remove("prefix"));
        for call in message.get("tool_calls").iter().flat_map(Value::items) {
            edits.extend(call.remove("index"));
        }
    }
    edits
}

fn is_true(of: &Value<'_>, name: &str) -> bool {
    of.get(name).is_some_and(|value| value.truth() == Some(true))
}

/// `None`: the client asks itself.
fn ask_usage(body: &Value<'_>) -> Option<Edit> {
    match body.get("stream_options").filter(Value::is_object) {
        None => Some(body.set("stream_options", r#"{"include_usage":true}"#)),
        Some(options) if is_true(&options, "include_usage") => None,
        Some(options) => Some(options.set("include_usage", "true")),
    }
}

pub(super) fn answer(body: &[u8], seen: &mut Seen) {
    match parse(&mut Tree::default(), body) {
        Ok(body) => {
            if body.get("error").is_none() && !body.get("choices").is_some_and(|all| all.is_list()) {
                seen.error = Some(bad("the provider's answer has no choices"));
            } else {
                seen.ended = true;
            }
            note(&body, seen);
        }
        Err(error) => seen.error = Some(error),
    }
}

pub(super) fn event(event: &[u8], data: &[u8], hide_usage: bool, seen: &mut Seen) -> Verdict {
    let data = data.trim_ascii();
    if data.len() < 8 {
        seen.ended |= data == b"[DONE]";
        return Verdict::Pass;
    }
    if seen.content && event != b"error" {
        let given = Given::of(data);
        if !given.usage && !given.error {
            seen.ended |= given.finish;
            return Verdict::Pass;
        }
    }
    let mut tree = Tree::default();
    let Ok(body) = parse(&mut tree, data) else {
        if seen.error.is_none() {
            seen.error = Some(bad("an event of the provider's stream cannot be read"));
        }
        return Verdict::Pass;
    };
    let failed = body.get("error").is_some();
    if event == b"error" && !failed {
        seen.error = Some(inside(&body));
        return Verdict::Pass;
    }
    note(&body, seen);
    let only_usage = !failed && body.get("usage").is_some() && body.get("choices").is_none_or(|all| all.is_empty());
    if hide_usage && only_usage { Verdict::Hide } else { Verdict::Pass }
}

fn note(body: &Value<'_>, seen: &mut Seen) {
    if let Some(error) = error(body) {
        seen.error = Some(error);
    }
    if seen.model.is_none() {
        seen.model = told(body, "model").map(|model| model.into_owned());
    }
    seen.usage = usage(body).or(seen.usage);
    let Some(choices) = body.get("choices") else { return };
    for choice in choices.items() {
        seen.ended |= told(&choice, "finish_reason").is_some();
        if let Some(error) = error(&choice) {
            seen.error = Some(error);
        }
        let said = |name: &str| choice.get(name).is_some_and(|said| has_content(&said));
        seen.content = seen.content || said("delta") || said("message");
    }
}

/// What of a message or a chunk a model wrote.
const WRITTEN: [&str; 10] = [
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
    "tool_calls",
    "thinking_blocks",
    "reasoning_details",
    "function_call",
    "audio",
    "images",
];

fn has_content(said: &Value<'_>) -> bool {
    said.members().any(|(name, value)| !value.is_empty() && WRITTEN.iter().any(|written| name.is(written)))
}

/// Which members of these names are there, at any depth, with a value that is not null.
#[derive(Default)]
struct Given {
    usage: bool,
    error: bool,
    finish: bool,
}

impl Given {
    /// Looks before each colon. A name inside a string has backslashes before its quotes, so it is not taken for one.
    fn of(data: &[u8]) -> Self {
        let mut given = Self::default();
        for colon in places(b':', data) {
            let (before, value) = data.split_at_checked(colon).unwrap_or_default();
            let mut name = before;
            if name.last().is_some_and(u8::is_ascii_whitespace) {
                name = name.trim_ascii_end();
            }
            // Most names are told apart by their last letter.
            let member = match name {
                [.., b'e', b'"'] if name.ends_with(b"\"usage\"") => &mut given.usage,
                [.., b'r', b'"'] if name.ends_with(b"\"error\"") => &mut given.error,
                [.., b'n', b'"'] if name.ends_with(b"\"finish_reason\"") => &mut given.finish,
                _ => continue,
            };
            let value = value.get(1..).unwrap_or_default().trim_ascii_start();
            *member |= !value.starts_with(b"null");
        }
        given
    }
}
