//! An answer, written for a client; whole, and what a stream's chunks have in common with it.

use super::wire::{write_signature, write_url};
use crate::api::Asked;
use crate::chat::{Answer, Choice, Citation, Finish, Part, Source, Usage};
use crate::json::{escape, quote, write as put};

pub(super) fn answer(answer: &Answer, asked: &Asked) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.push(b'{');
    head(&mut out, asked, "chat.completion", &answer.id, &answer.model, answer.created);
    if let Some(tier) = &answer.service_tier {
        tier_member(&mut out, tier);
    }
    if let Some(fingerprint) = &answer.system_fingerprint {
        put::text(&mut out, "system_fingerprint", fingerprint);
    }
    put::field(&mut out, "choices");
    out.push(b'[');
    for (index, one) in answer.choices.iter().enumerate() {
        put::comma(&mut out);
        choice(&mut out, index, one, asked.schema_tool);
    }
    out.push(b']');
    if let Some(usage) = &answer.usage {
        put::field(&mut out, "usage");
        write_usage(&mut out, usage);
    }
    out.push(b'}');
    out
}

/// The members that an answer and its chunks begin with.
pub(super) fn head(out: &mut Vec<u8>, asked: &Asked, object: &str, id: &str, model: &str, created: Option<u64>) {
    put::field(out, "id");
    if id.is_empty() {
        out.extend_from_slice(b"\"chatcmpl-");
        escape(out, &asked.id);
        out.push(b'"');
    } else {
        quote(out, id);
    }
    put::text(out, "object", object);
    put::number(out, "created", created.unwrap_or(asked.created));
    let model = if model.is_empty() { asked.model.as_str() } else { model };
    put::text(out, "model", asked.rename.as_deref().unwrap_or(model));
}

/// Only a tier of this API's: its clients read it into an enumeration.
pub(super) fn tier_member(out: &mut Vec<u8>, tier: &str) {
    match tier {
        "auto" | "default" | "flex" | "scale" | "priority" => put::text(out, "service_tier", tier),
        "standard" => put::text(out, "service_tier", "default"),
        _ => {}
    }
}

fn choice(out: &mut Vec<u8>, index: usize, choice: &Choice, schema_tool: bool) {
    let forced = choice.parts.iter().find_map(|part| match part {
        Part::ToolCall { arguments, .. } if schema_tool => Some(arguments.as_str()),
        _ => None,
    });
    let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal { .. }));
    let called = choice.parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    out.push(b'{');
    put::number(out, "index", u64::try_from(index).unwrap_or_default());
    put::field(out, "message");
    message(out, &choice.parts, forced);
    match &choice.logprobs {
        Some(raw) => put::raw(out, "logprobs", raw.get()),
        None => put::raw(out, "logprobs", "null"),
    }
    let finish = match choice.finish.unwrap_or(Finish::Stop) {
        Finish::ToolCalls if forced.is_some() => Finish::Stop,
        // Clients run the tools only for this reason, and not every provider gives it.
        Finish::Stop if forced.is_none() && called => Finish::ToolCalls,
        finish => finish,
    };
    put::text(out, "finish_reason", finish_name(finish, refused));
    out.push(b'}');
}

/// `forced`: the arguments of the tool that stood in for a schema; they are the answer.
fn message(out: &mut Vec<u8>, parts: &[Part], forced: Option<&str>) {
    let (mut text, mut refusal, mut thinking) = (String::new(), String::new(), String::new());
    let (mut calls, mut blocks, mut images, mut audio) = (Vec::new(), Vec::new(), Vec::new(), None);
    let mut citations = Vec::new();
    for part in parts {
        match part {
            Part::Text { text: more, citations: all, .. } if forced.is_none() => {
                let start = text.chars().count();
                text.push_str(more);
                let whole = (start, start.saturating_add(more.chars().count()));
                citations.extend(all.iter().map(|citation| (citation, whole)));
            }
            Part::Refusal { text: more } => refusal.push_str(more),
            Part::Thinking { text: more, signature } => {
                thinking.push_str(more);
                if signature.is_some() {
                    blocks.push(part);
                }
            }
            Part::Redacted { .. } => blocks.push(part),
            Part::ToolCall { .. } if forced.is_none() => calls.push(part),
            Part::Image { source: source @ (Source::Url(_) | Source::Base64 { .. }), .. } => images.push(source),
            Part::Other { kind, raw } if kind == "audio" => audio = Some(raw),
            _ => {}
        }
    }
    let content = forced.unwrap_or(&text);
    out.extend_from_slice(br#"{"role":"assistant""#);
    put::field(out, "content");
    if content.is_empty() && (!calls.is_empty() || !refusal.is_empty() || audio.is_some()) {
        out.extend_from_slice(b"null");
    } else {
        quote(out, content);
    }
    match refusal.as_str() {
        "" => put::raw(out, "refusal", "null"),
        refusal => put::text(out, "refusal", refusal),
    }
    if !thinking.is_empty() {
        put::text(out, "reasoning_content", &thinking);
    }
    list(out, "thinking_blocks", &blocks, |out, block| thinking_block(out, block));
    let cited: Vec<_> = citations.into_iter().filter(|(citation, _)| citation.url.is_some()).collect();
    list(out, "annotations", &cited, |out, (citation, whole)| annotation(out, citation, *whole));
    list(out, "images", &images, |out, source| {
        out.extend_from_slice(br#"{"type":"image_url","image_url":{"url":"#);
        write_url(out, source);
        out.extend_from_slice(b"}}");
    });
    if let Some(raw) = audio {
        put::raw(out, "audio", raw.get());
    }
    list(out, "tool_calls", &calls, |out, call| {
        if let Part::ToolCall { id, name: tool, arguments, signature, .. } = call {
            out.extend_from_slice(br#"{"id":"#);
            quote(out, id);
            out.extend_from_slice(br#","type":"function","function":{"name":"#);
            quote(out, tool);
            put::text(out, "arguments", if arguments.is_empty() { "{}" } else { arguments });
            out.push(b'}');
            if let Some(signature) = signature {
                write_signature(out, signature);
            }
            out.push(b'}');
        }
    });
    out.push(b'}');
}

/// Writes the member unless the list is empty.
fn list<T>(out: &mut Vec<u8>, key: &'static str, items: &[T], mut item: impl FnMut(&mut Vec<u8>, &T)) {
    if items.is_empty() {
        return;
    }
    put::field(out, key);
    out.push(b'[');
    for one in items {
        put::comma(out);
        item(out, one);
    }
    out.push(b']');
}

/// Thinking that its provider signed or sealed, for the client to send back as it is.
fn thinking_block(out: &mut Vec<u8>, block: &Part) {
    match block {
        Part::Thinking { text, signature } => signed(out, text, signature.as_deref().unwrap_or_default()),
        Part::Redacted { data } => redacted(out, data),
        _ => {}
    }
}

pub(super) fn signed(out: &mut Vec<u8>, text: &str, signature: &str) {
    out.extend_from_slice(br#"{"type":"thinking","thinking":"#);
    quote(out, text);
    put::text(out, "signature", signature);
    out.push(b'}');
}

pub(super) fn redacted(out: &mut Vec<u8>, data: &str) {
    out.extend_from_slice(br#"{"type":"redacted_thinking","data":"#);
    quote(out, data);
    out.push(b'}');
}

/// `whole`: the characters it is about where it does not say.
pub(super) fn annotation(out: &mut Vec<u8>, citation: &Citation, whole: (usize, usize)) {
    let number_of = |n: usize| u64::try_from(n).unwrap_or_default();
    let (start, end) = citation.span.unwrap_or((number_of(whole.0), number_of(whole.1)));
    out.extend_from_slice(br#"{"type":"url_citation","url_citation":{"start_index":"#);
    put::digits(out, start);
    put::number(out, "end_index", end);
    put::text(out, "url", citation.url.as_deref().unwrap_or_default());
    put::text(out, "title", citation.title.as_deref().unwrap_or_default());
    if let Some(quote) = &citation.quote {
        put::text(out, "content", quote);
    }
    out.extend_from_slice(b"}}");
}

/// `refused`: the refusal's own words are there.
pub(super) fn finish_name(finish: Finish, refused: bool) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence | Finish::Pause => "stop",
        Finish::Length | Finish::ContextFull => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered => "content_filter",
        Finish::Refusal if refused => "stop",
        Finish::Refusal => "content_filter",
    }
}

pub(super) fn write_usage(out: &mut Vec<u8>, usage: &Usage) {
    out.push(b'{');
    put::number(out, "prompt_tokens", usage.input);
    put::number(out, "completion_tokens", usage.output);
    put::number(out, "total_tokens", usage.total());
    out.extend_from_slice(br#","prompt_tokens_details":{"#);
    put::number(out, "cached_tokens", usage.cached_input);
    if usage.cache_write > 0 {
        put::number(out, "cache_write_tokens", usage.cache_write);
    }
    put::number(out, "audio_tokens", usage.audio_input);
    out.extend_from_slice(br#"},"completion_tokens_details":{"#);
    put::number(out, "reasoning_tokens", usage.reasoning);
    put::number(out, "audio_tokens", usage.audio_output);
    out.extend_from_slice(b"}}");
}
