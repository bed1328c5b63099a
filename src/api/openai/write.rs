//! A request, written for a provider.

use super::wire::{hash, id};
use super::write_messages;
use crate::api::{Target, Written};
use crate::chat::{Effort, Format, Losses, Request, Tool, ToolChoice, Verbosity};
use crate::json::{quote, write as put};

/// Stop sequences that the API takes.
const MAX_STOPS: usize = 4;

/// Characters of `user` that the API takes.
const MAX_USER: usize = 64;

/// Members of this API's own that no other has a notion of. `extra` holds them when the client spoke it too.
const OWN: [&str; 12] = [
    "audio",
    "function_call",
    "functions",
    "modalities",
    "moderation",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "web_search_options",
];

pub(super) fn request(request: &Request, target: &Target<'_>) -> Written {
    let mut losses = Losses::default();
    let mut out = Vec::with_capacity(4096);
    out.push(b'{');
    put::text(&mut out, "model", target.model);
    put::field(&mut out, "messages");
    write_messages::messages(&mut out, request, target, &mut losses);
    tools(&mut out, request, &mut losses);
    limits(&mut out, request, target, &mut losses);
    format(&mut out, request);
    reasoning(&mut out, request, target, &mut losses);
    who(&mut out, request, &mut losses);
    if request.cache.is_some() {
        losses.hint("cache_control", "this API caches prompts by itself");
    }
    for (key, raw) in &request.extra {
        if let Some(own) = OWN.iter().find(|own| *own == key) {
            put::raw(&mut out, own, raw.get());
        } else {
            losses.hint("extra", "this API has no such member");
        }
    }
    if request.stream {
        put::raw(&mut out, "stream", "true");
        if request.stream_usage || target.stream_usage {
            put::raw(&mut out, "stream_options", r#"{"include_usage":true}"#);
        }
    }
    out.push(b'}');
    Written { body: out, losses, schema_tool: false, headers: Vec::new() }
}

/// The model's own name, where an aggregator puts its maker's before it.
fn bare(model: &str) -> &str {
    model.rsplit_once('/').map_or(model, |(_, bare)| bare)
}

/// The models that refuse `max_tokens`: those that reason. Compatible servers know only the old name.
pub(super) fn reasons(model: &str) -> bool {
    ["o1", "o3", "o4", "gpt-5"].iter().any(|start| bare(model).starts_with(start))
}

/// The models that refuse `reasoning_effort`. Of others it is not known.
fn never_reasons(model: &str) -> bool {
    ["gpt-3.5", "gpt-4", "chatgpt-"].iter().any(|start| bare(model).starts_with(start))
}

fn tools(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    if request.tools.is_empty() {
        if matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_))) {
            losses.meaning("tool_choice", "it names a tool, and there are no tools");
        }
        return;
    }
    let mut written = false;
    for tool in &request.tools {
        if tool.cache.is_some() {
            losses.hint("cache_control", "this API caches prompts by itself");
        }
        if tool.vendor.as_deref().is_some_and(|kind| kind != "custom") {
            losses.meaning("tools", "a tool that only another provider runs");
            continue;
        }
        if !written {
            put::field(out, "tools");
            out.push(b'[');
            written = true;
        }
        put::comma(out);
        write_tool(out, tool);
    }
    if !written {
        return;
    }
    out.push(b']');
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => put::text(out, "tool_choice", "auto"),
        Some(ToolChoice::None) => put::text(out, "tool_choice", "none"),
        Some(ToolChoice::Required) => put::text(out, "tool_choice", "required"),
        Some(ToolChoice::Named(tool)) => {
            put::field(out, "tool_choice");
            chosen(out, tool, request);
        }
        Some(ToolChoice::Allowed { names, required }) => {
            put::field(out, "tool_choice");
            out.extend_from_slice(br#"{"type":"allowed_tools","allowed_tools":{"#);
            put::text(out, "mode", if *required { "required" } else { "auto" });
            put::field(out, "tools");
            out.push(b'[');
            for tool in names {
                put::comma(out);
                chosen(out, tool, request);
            }
            out.extend_from_slice(b"]}}");
        }
    }
    if let Some(parallel) = request.parallel_tools {
        put::flag(out, "parallel_tool_calls", parallel);
    }
}

fn write_tool(out: &mut Vec<u8>, tool: &Tool) {
    if let (Some(_), Some(whole)) = (&tool.vendor, &tool.schema) {
        out.extend_from_slice(whole.get().as_bytes());
        return;
    }
    out.extend_from_slice(br#"{"type":"function","function":{"#);
    put::text(out, "name", &tool.name);
    if let Some(description) = &tool.description {
        put::text(out, "description", description);
    }
    if let Some(schema) = &tool.schema {
        put::raw(out, "parameters", schema.get());
    }
    if let Some(strict) = tool.strict {
        put::flag(out, "strict", strict);
    }
    out.extend_from_slice(b"}}");
}

fn chosen(out: &mut Vec<u8>, tool: &str, request: &Request) {
    // A custom tool has its name only in its own text.
    let function = request.tools.iter().any(|t| t.vendor.is_none() && t.name == tool);
    let custom = !function && request.tools.iter().any(|t| t.vendor.is_some());
    let kind = if custom { "custom" } else { "function" };
    out.push(b'{');
    put::text(out, "type", kind);
    put::field(out, kind);
    out.push(b'{');
    put::text(out, "name", tool);
    out.extend_from_slice(b"}}");
}

fn limits(out: &mut Vec<u8>, request: &Request, target: &Target<'_>, losses: &mut Losses) {
    if let Some(most) = request.max_tokens {
        put::number(out, if reasons(target.model) { "max_completion_tokens" } else { "max_tokens" }, most);
    }
    if !request.stop.is_empty() {
        if request.stop.len() > MAX_STOPS {
            losses.meaning("stop", "this API takes at most four stop sequences");
        }
        put::field(out, "stop");
        out.push(b'[');
        for stop in request.stop.iter().take(MAX_STOPS) {
            put::comma(out);
            quote(out, stop);
        }
        out.push(b']');
    }
    for (key, value) in [
        ("temperature", &request.temperature),
        ("top_p", &request.top_p),
        ("seed", &request.seed),
        ("frequency_penalty", &request.frequency_penalty),
        ("presence_penalty", &request.presence_penalty),
    ] {
        if let Some(value) = value {
            put::raw(out, key, &value.to_string());
        }
    }
    if request.top_k.is_some() {
        losses.hint("top_k", "this API samples without it");
    }
    if let Some(n) = request.n {
        put::number(out, "n", n);
    }
    if let Some(logprobs) = request.logprobs {
        put::flag(out, "logprobs", logprobs);
    }
    if let Some(top) = request.top_logprobs {
        put::number(out, "top_logprobs", top);
    }
    if let Some(bias) = &request.logit_bias {
        put::raw(out, "logit_bias", bias.get());
    }
}

fn format(out: &mut Vec<u8>, request: &Request) {
    match &request.format {
        None => {}
        Some(Format::Text) => put::raw(out, "response_format", r#"{"type":"text"}"#),
        Some(Format::JsonObject) => put::raw(out, "response_format", r#"{"type":"json_object"}"#),
        Some(Format::JsonSchema { name: title, description, schema, strict }) => {
            put::field(out, "response_format");
            out.extend_from_slice(br#"{"type":"json_schema","json_schema":{"#);
            // The API demands a name.
            put::text(out, "name", title.as_deref().unwrap_or("response"));
            if let Some(description) = description {
                put::text(out, "description", description);
            }
            put::raw(out, "schema", schema.get());
            if let Some(strict) = strict {
                put::flag(out, "strict", *strict);
            }
            out.extend_from_slice(b"}}");
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
}

fn reasoning(out: &mut Vec<u8>, request: &Request, target: &Target<'_>, losses: &mut Losses) {
    let Some(asked) = &request.reasoning else { return };
    if asked.display.is_some() {
        losses.hint("reasoning.display", "this API does not show its thinking");
    }
    // Every model that reasons knows the three efforts that a budget becomes; the outer ones only some.
    let counted = asked.budget.map(|tokens| Effort::of_budget(tokens).clamp(Effort::Low, Effort::High));
    // Left to the model: some of those that reason do not unless told to. What others do by themselves is theirs.
    let free = (asked.adaptive && (reasons(target.model) || never_reasons(target.model))).then_some(Effort::Medium);
    let Some(effort) = asked.effort.or(counted).or(free) else { return };
    if never_reasons(target.model) {
        if effort != Effort::None {
            losses.hint("reasoning", "this model does not think before it answers");
        }
        return;
    }
    let word = match effort {
        Effort::None => "none",
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::XHigh | Effort::Max => "xhigh",
    };
    put::text(out, "reasoning_effort", word);
}

fn who(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    match &request.user {
        None => {}
        Some(user) if user.chars().count() <= MAX_USER => put::text(out, "user", user),
        Some(user) => put::text(out, "user", &id("user_", hash(user))),
    }
    if !request.metadata.is_empty() {
        put::field(out, "metadata");
        out.push(b'{');
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

/// An id that the API takes: it refuses more than 40 characters. One id is always shortened to the same.
pub(super) fn call_id(out: &mut Vec<u8>, id: &str) {
    const MAX_ID: usize = 40;
    if id.chars().count() <= MAX_ID {
        quote(out, id);
        return;
    }
    out.extend_from_slice(b"\"call_");
    put::digits(out, hash(id));
    out.push(b'"');
}
