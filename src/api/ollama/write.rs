//! A request, written for a provider.

use super::conversation;
use crate::api::{Target, Written};
use crate::chat::{Effort, Format, Losses, Request, Tool, ToolChoice};
use crate::json::{Tree, quote, write as put};

/// Members of this API's own that no other has a notion of.
const OWN: [&str; 3] = ["keep_alive", "truncate", "shift"];

/// Members of others without which the answer is another.
const MEANING: [&str; 5] = ["audio", "web_search_options", "functions", "function_call", "modalities"];

pub(super) fn request(request: &Request, target: &Target<'_>) -> Written {
    let mut losses = Losses::default();
    let mut out = Vec::with_capacity(4096);
    out.push(b'{');
    put::text(&mut out, "model", target.model);
    conversation::write(&mut out, request, &mut losses);
    tools(&mut out, request, &mut losses);
    match &request.format {
        None | Some(Format::Text) => {}
        Some(Format::JsonObject) => put::text(&mut out, "format", "json"),
        Some(Format::JsonSchema { schema, .. }) => put::raw(&mut out, "format", schema.get()),
    }
    think(&mut out, request, &mut losses);
    options(&mut out, request);
    if let Some(logprobs) = request.logprobs {
        put::flag(&mut out, "logprobs", logprobs);
    }
    if let Some(top) = request.top_logprobs {
        put::number(&mut out, "top_logprobs", top);
    }
    others(&mut out, request, &mut losses);
    // A stream is what one gets who says nothing.
    put::flag(&mut out, "stream", request.stream);
    out.push(b'}');
    Written { body: out, losses, schema_tool: false, headers: Vec::new() }
}

fn tools(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    let only = match &request.tool_choice {
        None | Some(ToolChoice::Auto) => None,
        Some(ToolChoice::None) => {
            if !request.tools.is_empty() {
                losses.hint("tool_choice", "this API cannot forbid tools: none is sent");
            }
            return;
        }
        Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. }) => {
            losses.meaning("tool_choice", "this API cannot demand that a tool is called");
            None
        }
        Some(ToolChoice::Allowed { names, .. }) => {
            losses.hint("tool_choice", "this API cannot forbid tools: only those allowed are sent");
            Some(names)
        }
    };
    let start = out.len();
    put::raw(out, "tools", "[");
    let empty = out.len();
    for tool in &request.tools {
        if tool.cache.is_some() {
            losses.hint("cache_control", "this API caches prompts by itself");
        }
        if tool.strict == Some(true) {
            losses.hint("strict", "this API does not hold calls to a schema");
        }
        if tool.vendor.is_some() {
            losses.meaning("tools", "a tool that only another provider runs");
        } else if only.is_none_or(|names| names.contains(&tool.name)) {
            put::comma(out);
            write_tool(out, tool);
        }
    }
    if out.len() == empty {
        return out.truncate(start);
    }
    out.push(b']');
    if request.parallel_tools == Some(false) {
        losses.meaning("parallel_tool_calls", "this API may call several tools at once");
    }
}

fn write_tool(out: &mut Vec<u8>, tool: &Tool) {
    out.extend_from_slice(br#"{"type":"function","function":{"#);
    put::text(out, "name", &tool.name);
    if let Some(description) = &tool.description {
        put::text(out, "description", description);
    }
    let schema = tool.schema.as_ref().map(|schema| schema.get()).filter(|schema| *schema != "{}");
    put::raw(out, "parameters", schema.unwrap_or(r#"{"type":"object","properties":{}}"#));
    out.extend_from_slice(b"}}");
}

fn options(out: &mut Vec<u8>, request: &Request) {
    let start = out.len();
    put::raw(out, "options", "{");
    let empty = out.len();
    if let Some(most) = request.max_tokens {
        put::number(out, "num_predict", most);
    }
    for (name, value) in [
        ("temperature", &request.temperature),
        ("top_k", &request.top_k),
        ("top_p", &request.top_p),
        ("seed", &request.seed),
        ("presence_penalty", &request.presence_penalty),
        ("frequency_penalty", &request.frequency_penalty),
    ] {
        if let Some(value) = value {
            put::raw(out, name, value.get());
        }
    }
    if !request.stop.is_empty() {
        put::raw(out, "stop", "[");
        for stop in &request.stop {
            put::comma(out);
            quote(out, stop);
        }
        out.push(b']');
    }
    // A client of this API's has options that no other has.
    let mut tree = Tree::default();
    let own = request.extra.iter().find(|(name, _)| name == "options");
    if let Some(own) = own.and_then(|(_, raw)| tree.read(raw.get().as_bytes()).ok()) {
        for (name, value) in own.members() {
            put::comma(out);
            quote(out, &name.text());
            out.push(b':');
            out.extend_from_slice(value.raw().as_bytes());
        }
    }
    if out.len() == empty {
        return out.truncate(start);
    }
    out.push(b'}');
}

fn think(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    let Some(asked) = &request.reasoning else { return };
    if asked.display.is_some() {
        losses.hint("reasoning.display", "this API always shows its thinking");
    }
    let effort = asked.effort.or(asked.budget.map(Effort::of_budget));
    match effort {
        None => put::flag(out, "think", true),
        Some(Effort::None) => put::flag(out, "think", false),
        Some(Effort::Minimal | Effort::Low) => put::text(out, "think", "low"),
        Some(Effort::Medium) => put::text(out, "think", "medium"),
        Some(Effort::High | Effort::XHigh | Effort::Max) => put::text(out, "think", "high"),
    }
    if asked.effort.is_none() && asked.budget.is_some() {
        losses.hint("reasoning", "this API has no budget of thinking: it is told the effort that it is worth");
    }
}

fn others(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    if request.n.is_some_and(|n| n > 1) {
        losses.meaning("n", "this API gives one answer");
    }
    if request.logit_bias.is_some() {
        losses.meaning("logit_bias", "this API has no bias of tokens");
    }
    for (label, given) in [
        ("user", request.user.is_some()),
        ("metadata", !request.metadata.is_empty()),
        ("service_tier", request.service_tier.is_some()),
        ("verbosity", request.verbosity.is_some()),
    ] {
        if given {
            losses.hint(label, "this API has no such member");
        }
    }
    if request.cache.is_some() {
        losses.hint("cache_control", "this API caches prompts by itself");
    }
    for (name, raw) in &request.extra {
        if let Some(own) = OWN.iter().find(|own| *own == name) {
            put::raw(out, own, raw.get());
        } else if let Some(what) = MEANING.iter().find(|what| *what == name) {
            if *what != "modalities" || raw.get().contains("audio") {
                losses.meaning(what, "this API has nothing like it");
            }
        } else if name != "options" {
            losses.hint("extra", "this API has no such member");
        }
    }
}
