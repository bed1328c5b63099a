//! The same API on both sides: what is changed in a request, what is noted of an answer that goes by.

use super::answer::{Body, ChoiceIn, Said, UsageIn, bad, parse, says_something};
use super::error;
use super::wire::{OneOrMany, Text};
use crate::api::{Seen, Spliced, Target, Verdict};
use crate::json::{Edit, Object, find, quote};
use memchr::memmem::Finder;
use std::sync::LazyLock;

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"usage\""));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"error\""));
static FINISH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"finish_reason\""));

pub(super) fn splice(body: &Object<'_>, target: &Target<'_>) -> Spliced {
    let mut spliced = Spliced::default();
    if body.string("model").ok().flatten().as_deref() != Some(target.model) {
        let mut model = Vec::with_capacity(target.model.len().saturating_add(2));
        quote(&mut model, target.model);
        spliced.edits.push(body.set("model", model));
    }
    if target.stream_usage && body.raw("stream") == Some("true") {
        let edit = ask_usage(body);
        spliced.hide_usage = edit.is_some();
        spliced.edits.extend(edit);
    }
    spliced
}

/// `None`: the client asks itself.
fn ask_usage(body: &Object<'_>) -> Option<Edit> {
    const WHOLE: &str = r#"{"include_usage":true}"#;
    let Some((given, at)) = body.raw("stream_options").zip(body.span("stream_options")) else {
        return Some(body.set("stream_options", WHOLE));
    };
    if find(given, &["include_usage"]) == Some("true") {
        return None;
    }
    let Ok(options) = Object::parse(given.as_bytes()) else {
        return Some(body.set("stream_options", WHOLE));
    };
    let mut edit = options.set("include_usage", "true");
    if options.members().next().is_none() {
        edit = Edit { at: 0..given.len(), with: WHOLE.into() };
    }
    edit.at = edit.at.start.saturating_add(at.start)..edit.at.end.saturating_add(at.start);
    Some(edit)
}

pub(super) fn answer(body: &[u8], seen: &mut Seen) {
    match parse(body) {
        Ok(body) => {
            if body.error.is_none() && body.choices.is_none() {
                seen.error = Some(bad("the provider's answer has no choices"));
            } else {
                seen.ended = true;
            }
            note(body, seen);
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
    let usage = gives(data, &USAGE);
    let look = !seen.content || usage || event == b"error" || gives(data, &ERROR);
    if !look {
        seen.ended = seen.ended || gives(data, &FINISH);
        return Verdict::Pass;
    }
    let Ok(body) = parse(data) else {
        if seen.error.is_none() {
            seen.error = Some(bad("an event of the provider's stream cannot be read"));
        }
        return Verdict::Pass;
    };
    if event == b"error" && body.error.is_none() {
        seen.error = Some(error::inside(&String::from_utf8_lossy(data)));
        return Verdict::Pass;
    }
    let only_usage = body.choices.as_ref().is_none_or(Vec::is_empty) && body.usage.is_some() && body.error.is_none();
    note(body, seen);
    if hide_usage && only_usage { Verdict::Hide } else { Verdict::Pass }
}

fn note(body: Body<'_>, seen: &mut Seen) {
    if let Some(error) = body.error.filter(|e| says_something(e.get())) {
        seen.error = Some(error::inside(error.get()));
    }
    if seen.model.is_none() {
        seen.model = body.model.map(Text::owned).filter(|m| !m.is_empty());
    }
    let usage = body.usage.and_then(UsageIn::usage).or(body.x_groq.and_then(|x| x.usage).and_then(UsageIn::usage));
    seen.usage = usage.or(seen.usage);
    for choice in body.choices.unwrap_or_default() {
        seen.ended |= choice.finish_reason.as_ref().is_some_and(|r| !r.0.is_empty());
        if let Some(error) = choice.error.filter(|e| says_something(e.get())) {
            seen.error = Some(error::inside(error.get()));
        }
        seen.content = seen.content || has_content(&choice);
    }
}

fn has_content(choice: &ChoiceIn<'_>) -> bool {
    let text = |text: &Option<Text<'_>>| text.as_ref().is_some_and(|t| !t.0.is_empty());
    let said = |said: &Said<'_>| {
        let written = match &said.content {
            None => false,
            Some(OneOrMany::One(text)) => !text.is_empty(),
            Some(OneOrMany::Many(pieces)) => !pieces.is_empty(),
        };
        written
            || text(&said.reasoning_content)
            || text(&said.reasoning)
            || text(&said.refusal)
            || said.function_call.is_some()
            || said.tool_calls.as_ref().is_some_and(|c| !c.is_empty())
            || said.thinking_blocks.as_ref().is_some_and(|b| !b.is_empty())
            || said.reasoning_details.as_ref().is_some_and(|b| !b.is_empty())
            || said.audio.is_some()
            || said.images.is_some()
    };
    choice.delta.as_ref().is_some_and(said) || choice.message.as_deref().is_some_and(said)
}

/// Whether a member of that quoted name, at any depth, is there with a value that is not null. A name inside a
/// string has backslashes before its quotes, so it is not taken for one.
fn gives(data: &[u8], quoted: &Finder<'_>) -> bool {
    let mut rest = data;
    while let Some(at) = quoted.find(rest) {
        rest = rest.get(at.saturating_add(quoted.needle().len())..).unwrap_or_default();
        let value = rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        if value.is_some_and(|value| !value.starts_with(b"null")) {
            return true;
        }
    }
    false
}
