//! A request, written for a provider.

use super::conversation;
use crate::api::{Target, Written};
use crate::chat::{Effort, Format, Losses, Number, Request, Tool, ToolChoice};
use crate::json::{quote, write as put};

/// Stop sequences that the API takes.
const MAX_STOPS: usize = 5;

/// Members of this API's own that no other has a notion of.
const OWN: [&str; 4] = ["safety_mode", "priority", "citation_options", "raw_prompting"];

/// Members of others without which the answer is another.
const MEANING: [&str; 5] = ["audio", "web_search_options", "functions", "function_call", "modalities"];

pub(super) fn request(request: &Request, target: &Target<'_>) -> Written {
    let mut losses = Losses::default();
    let mut out = Vec::with_capacity(4096);
    out.push(b'{');
    put::text(&mut out, "model", target.model);
    let uncited = conversation::write(&mut out, request, &mut losses);
    let tools = tools(&mut out, request, &mut losses);
    limits(&mut out, request, &mut losses);
    format(&mut out, request, tools, &mut losses);
    reasoning(&mut out, request, target, &mut losses);
    others(&mut out, request, &mut losses);
    if uncited && !request.extra.iter().any(|(name, _)| name == "citation_options") {
        put::raw(&mut out, "citation_options", r#"{"mode":"OFF"}"#);
    }
    if request.stream {
        put::flag(&mut out, "stream", true);
    }
    out.push(b'}');
    Written { body: out, losses, schema_tool: false, headers: Vec::new() }
}

/// Whether any tool was written.
fn tools(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) -> bool {
    // This API cannot name a tool that must be called: it is then given no other.
    let (only, choice): (Option<&[String]>, _) = match &request.tool_choice {
        Some(ToolChoice::Named(name)) => (Some(std::slice::from_ref(name)), Some("REQUIRED")),
        Some(ToolChoice::Allowed { names, required }) => (Some(names), required.then_some("REQUIRED")),
        Some(ToolChoice::Required) => (None, Some("REQUIRED")),
        Some(ToolChoice::None) => (None, Some("NONE")),
        None | Some(ToolChoice::Auto) => (None, None),
    };
    if only.is_some() {
        losses.hint("tool_choice", "this API cannot name a tool: no other is sent");
    }
    let start = out.len();
    put::raw(out, "tools", "[");
    let empty = out.len();
    let (mut strict, mut loose) = (false, false);
    for tool in &request.tools {
        if tool.cache.is_some() {
            losses.hint("cache_control", "this API caches prompts by itself");
        }
        if tool.vendor.is_some() {
            losses.meaning("tools", "a tool that only another provider runs");
        } else if only.is_none_or(|names| names.contains(&tool.name)) {
            write_tool(out, tool);
            *(if tool.strict == Some(true) { &mut strict } else { &mut loose }) = true;
        }
    }
    if out.len() == empty {
        out.truncate(start);
        if choice == Some("REQUIRED") {
            losses.meaning("tool_choice", "it names a tool, and there is none");
        }
        return false;
    }
    out.push(b']');
    match (strict, loose) {
        (true, false) => put::flag(out, "strict_tools", true),
        (true, true) => losses.hint("strict", "this API holds calls to the schemas of all tools or of none"),
        _ => {}
    }
    if let Some(choice) = choice {
        put::text(out, "tool_choice", choice);
    }
    if request.parallel_tools == Some(false) && choice != Some("NONE") {
        losses.meaning("parallel_tool_calls", "this API may call several tools at once");
    }
    true
}

fn write_tool(out: &mut Vec<u8>, tool: &Tool) {
    put::comma(out);
    out.extend_from_slice(br#"{"type":"function","function":{"#);
    put::text(out, "name", &tool.name);
    if let Some(description) = &tool.description {
        put::text(out, "description", description);
    }
    // The API demands one.
    let schema = tool.schema.as_ref().map(|schema| schema.get()).filter(|schema| *schema != "{}");
    put::raw(out, "parameters", schema.unwrap_or(r#"{"type":"object","properties":{}}"#));
    out.extend_from_slice(b"}}");
}

fn limits(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    if let Some(most) = request.max_tokens {
        put::number(out, "max_tokens", most);
    }
    if !request.stop.is_empty() {
        if request.stop.len() > MAX_STOPS {
            losses.meaning("stop", "this API takes at most five stop sequences");
        }
        put::raw(out, "stop_sequences", "[");
        for stop in request.stop.iter().take(MAX_STOPS) {
            put::comma(out);
            quote(out, stop);
        }
        out.push(b']');
    }
    let mut within = |name, label, value: &Option<Number>, least, most| {
        if let Some(value) = value {
            bounded(out, losses, name, label, value, [least, most]);
        }
    };
    within("temperature", "temperature", &request.temperature, "0", "");
    within("p", "top_p", &request.top_p, "0.01", "0.99");
    within("k", "top_k", &request.top_k, "0", "500");
    within("seed", "seed", &request.seed, "0", "18446744073709551615");
    within("frequency_penalty", "frequency_penalty", &request.frequency_penalty, "0", "1");
    within("presence_penalty", "presence_penalty", &request.presence_penalty, "0", "1");
    if let Some(logprobs) = request.logprobs {
        put::flag(out, "logprobs", logprobs);
    }
    if request.top_logprobs.is_some_and(|top| top > 0) {
        losses.meaning("top_logprobs", "this API gives the probabilities of the chosen tokens only");
    }
    if request.n.is_some_and(|n| n > 1) {
        losses.meaning("n", "this API gives one answer");
    }
    if request.logit_bias.is_some() {
        losses.meaning("logit_bias", "this API has no bias of tokens");
    }
}

/// A setting within the API's bounds, of which the upper may be empty.
#[inline(never)]
fn bounded(
    out: &mut Vec<u8>,
    losses: &mut Losses,
    name: &'static str,
    label: &'static str,
    value: &Number,
    [least, most]: [&'static str; 2],
) {
    let bound = |text: &str| text.parse::<f64>().ok();
    let number = value.as_f64();
    let fitting = if number < bound(least) {
        least
    } else if bound(most).is_some_and(|most| number > Some(most)) {
        most
    } else {
        return put::raw(out, name, value.get());
    };
    losses.hint(label, "out of this API's bounds: the nearest that it takes is sent");
    put::raw(out, name, fitting);
}

/// `tools`: some are offered; then this API takes no format.
fn format(out: &mut Vec<u8>, request: &Request, tools: bool, losses: &mut Losses) {
    let schema = match &request.format {
        None | Some(Format::Text) => return,
        _ if tools => {
            losses.meaning("response_format", "this API holds an answer to JSON only where no tools are offered");
            return;
        }
        Some(Format::JsonObject) => None,
        Some(Format::JsonSchema { schema, .. }) => Some(schema),
    };
    put::raw(out, "response_format", r#"{"type":"json_object""#);
    if let Some(schema) = schema {
        put::raw(out, "json_schema", schema.get());
    }
    out.push(b'}');
}

/// The models that refuse to be told how to think, being older than thinking or for something else.
fn never_thinks(model: &str) -> bool {
    [
        "command-r",
        "command-light",
        "command-nightly",
        "command-a-03",
        "command-a-vision",
        "command-a-translate",
        "c4ai-",
    ]
    .iter()
    .any(|start| model.starts_with(start))
}

fn reasoning(out: &mut Vec<u8>, request: &Request, target: &Target<'_>, losses: &mut Losses) {
    let Some(asked) = &request.reasoning else { return };
    if asked.display.is_some() {
        losses.hint("reasoning.display", "this API always shows its thinking");
    }
    let none = asked.effort == Some(Effort::None) || asked.budget == Some(0);
    if never_thinks(target.model) {
        if !none {
            losses.hint("reasoning", "this model does not think before it answers");
        }
        return;
    }
    if none {
        return put::raw(out, "thinking", r#"{"type":"disabled"}"#);
    }
    put::raw(out, "thinking", r#"{"type":"enabled""#);
    if let Some(budget) = asked.budget.or(asked.effort.map(Effort::budget)) {
        put::number(out, "token_budget", budget);
    }
    out.push(b'}');
}

fn others(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
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
        } else {
            losses.hint("extra", "this API has no such member");
        }
    }
}
