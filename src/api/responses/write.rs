//! A request, written for a provider.

use super::wire::{hash, id};
use super::{tools, write_items};
use crate::api::{Target, Written};
use crate::chat::{Effort, Format, Losses, Request, Verbosity};
use crate::json::{quote, write as put};

/// Characters of `user` that the API takes.
const MAX_USER: usize = 64;

/// Fewer tokens the API refuses to be asked for.
const LEAST_TOKENS: u64 = 16;

/// Members that this API shares with Chat Completions, and no other has a notion of.
const OWN: [&str; 8] = [
    "max_tool_calls",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "access_programs",
];

/// Members that other APIs have, without which the answer is another.
const MISSED: [&str; 5] = ["audio", "function_call", "functions", "modalities", "web_search_options"];

pub(super) fn request(request: &Request, target: &Target<'_>) -> Written {
    let mut losses = Losses::default();
    let mut out = Vec::with_capacity(4096);
    out.push(b'{');
    put::text(&mut out, "model", target.model);
    put::field(&mut out, "input");
    write_items::input(&mut out, request, target, &mut losses);
    tools::write(&mut out, request, &mut losses);
    limits(&mut out, request, &mut losses);
    sampling(&mut out, request, &mut losses);
    text(&mut out, request);
    include(&mut out, request, target);
    reasoning(&mut out, request, target, &mut losses);
    who(&mut out, request, &mut losses);
    extra(&mut out, request, &mut losses);
    if request.cache.is_some() {
        losses.hint("cache_control", "this API caches prompts by itself");
    }
    if request.stream {
        put::flag(&mut out, "stream", true);
    }
    out.push(b'}');
    Written { body: out, losses, schema_tool: false, headers: Vec::new() }
}

/// The model's own name, where an aggregator puts its maker's before it.
fn bare(model: &str) -> &str {
    let bare = model.rsplit_once('/').map_or(model, |(_, bare)| bare);
    bare.strip_prefix("openai.").unwrap_or(bare)
}

/// The models known to reason.
fn reasons(model: &str) -> bool {
    ["o1", "o3", "o4", "gpt-5"].iter().any(|start| bare(model).starts_with(start))
}

/// The models that refuse to be asked for reasoning. Of others it is not known.
fn never_reasons(model: &str) -> bool {
    ["gpt-3.5", "gpt-4", "chatgpt-"].iter().any(|start| bare(model).starts_with(start))
}

fn limits(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    if let Some(most) = request.max_tokens {
        if most < LEAST_TOKENS {
            losses.hint("max_tokens", "this API is asked for 16 tokens at least");
        }
        put::number(out, "max_output_tokens", most.max(LEAST_TOKENS));
    }
    if !request.stop.is_empty() {
        losses.meaning("stop", "this API has no stop sequences");
    }
    if request.n.is_some_and(|n| n > 1) {
        losses.meaning("n", "this API gives one answer");
    }
    if request.logit_bias.as_ref().is_some_and(|bias| bias.get().contains(':')) {
        losses.meaning("logit_bias", "this API has no biases");
    }
}

fn sampling(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    for (key, value) in [("temperature", &request.temperature), ("top_p", &request.top_p)] {
        if let Some(value) = value {
            put::raw(out, key, value.get());
        }
    }
    let zero = |number: &&crate::chat::Number| number.as_f64() != Some(0.0);
    for (what, given) in [
        ("top_k", request.top_k.is_some()),
        ("seed", request.seed.is_some()),
        ("frequency_penalty", request.frequency_penalty.as_ref().filter(zero).is_some()),
        ("presence_penalty", request.presence_penalty.as_ref().filter(zero).is_some()),
    ] {
        if given {
            losses.hint(what, "this API samples without it");
        }
    }
    if let Some(top) = request.top_logprobs {
        put::number(out, "top_logprobs", top);
    }
}

fn include(out: &mut Vec<u8>, request: &Request, target: &Target<'_>) {
    let logprobs = request.logprobs == Some(true);
    let reasons = reasons(target.model);
    if !logprobs && !reasons {
        return;
    }
    put::raw(out, "include", "[");
    if logprobs {
        put::comma(out);
        out.extend_from_slice(b"\"message.output_text.logprobs\"");
    }
    if reasons {
        // What the next turn needs, since nothing is stored. Models that do not reason refuse to be asked for it.
        put::comma(out);
        out.extend_from_slice(b"\"reasoning.encrypted_content\"");
    }
    out.push(b']');
}

fn text(out: &mut Vec<u8>, request: &Request) {
    if request.format.is_none() && request.verbosity.is_none() {
        return;
    }
    put::raw(out, "text", "{");
    match &request.format {
        None => {}
        Some(Format::Text) => put::raw(out, "format", r#"{"type":"text"}"#),
        Some(Format::JsonObject) => put::raw(out, "format", r#"{"type":"json_object"}"#),
        Some(Format::JsonSchema { name, description, schema, strict }) => {
            put::raw(out, "format", r#"{"type":"json_schema""#);
            // The API demands a name.
            put::text(out, "name", name.as_deref().unwrap_or("response"));
            if let Some(description) = description {
                put::text(out, "description", description);
            }
            put::raw(out, "schema", schema.get());
            if let Some(strict) = strict {
                put::flag(out, "strict", *strict);
            }
            out.push(b'}');
        }
    }
    if let Some(verbosity) = request.verbosity {
        let word = match verbosity {
            Verbosity::Low => "low",
            Verbosity::Medium => "medium",
            Verbosity::High => "high",
        };
        put::text(out, "verbosity", word);
    }
    out.push(b'}');
}

fn reasoning(out: &mut Vec<u8>, request: &Request, target: &Target<'_>, losses: &mut Losses) {
    let Some(asked) = &request.reasoning else { return };
    // Every model that reasons knows the three efforts that a budget becomes; the outer ones only some.
    let counted = asked.budget.map(|tokens| Effort::of_budget(tokens).clamp(Effort::Low, Effort::High));
    let free = (asked.adaptive && reasons(target.model)).then_some(Effort::Medium);
    let effort = asked.effort.or(counted).or(free);
    let summary = match asked.display.as_deref() {
        Some(word @ ("auto" | "concise" | "detailed")) => Some(word),
        Some("summarized") => Some("auto"),
        _ => None,
    };
    if never_reasons(target.model) {
        if effort.is_some_and(|effort| effort != Effort::None) || asked.adaptive || summary.is_some() {
            losses.hint("reasoning", "this model does not think before it answers");
        }
        return;
    }
    if effort.is_none() && summary.is_none() {
        return;
    }
    put::raw(out, "reasoning", "{");
    if let Some(effort) = effort {
        let word = match effort {
            Effort::None => "none",
            Effort::Minimal => "minimal",
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::XHigh | Effort::Max => "xhigh",
        };
        put::text(out, "effort", word);
    }
    if let Some(summary) = summary {
        put::text(out, "summary", summary);
    }
    out.push(b'}');
}

fn who(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    match &request.user {
        None => {}
        Some(user) if user.chars().count() <= MAX_USER => put::text(out, "user", user),
        Some(user) => put::text(out, "user", &id("user_", hash(user))),
    }
    if !request.metadata.is_empty() {
        put::raw(out, "metadata", "{");
        for (key, value) in &request.metadata {
            put::comma(out);
            quote(out, key);
            out.push(b':');
            quote(out, value);
        }
        out.push(b'}');
    }
    match request.service_tier.as_deref() {
        None => {}
        Some(tier @ ("auto" | "default" | "flex" | "scale" | "priority")) => put::text(out, "service_tier", tier),
        Some("standard_only") => put::text(out, "service_tier", "default"),
        Some(_) => losses.hint("service_tier", "this API has no such tier"),
    }
}

fn extra(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    let mut stored = false;
    for (key, value) in &request.extra {
        if let Some(own) = OWN.iter().find(|own| *own == key) {
            stored |= key == "store";
            put::raw(out, own, value.get());
        } else if let Some(missed) = MISSED.iter().find(|missed| *missed == key) {
            if !matches!(value.get(), "null" | "[]" | r#"["text"]"#) {
                losses.meaning(missed, "this API has no such member");
            }
        } else {
            losses.hint("extra", "this API has no such member");
        }
    }
    if !stored {
        // This API keeps answers unless told not to, the others unless told to do not.
        put::flag(out, "store", false);
    }
}
