//! A request, written for a provider.

use super::contents;
use super::model::{self, Abilities, Thinks};
use super::schema;
use super::wire::is;
use crate::api::{Target, Written};
use crate::chat::{Effect, Effort, Format, Losses, Request, Tool, ToolChoice, Verbosity};
use crate::json::quote;
use crate::json::write::{comma, field, flag, number, raw, text};

/// Stop sequences that the API takes.
const MAX_STOPS: usize = 5;

/// Members of this API's own, kept when a request of this API is read and written again: at the top, in
/// `generationConfig`, in `toolConfig`.
const OWN: &[&str] = &["safetySettings", "modelArmorConfig"];
const OWN_CONFIG: &[&str] = &[
    "speechConfig",
    "imageConfig",
    "mediaResolution",
    "enableEnhancedCivicAnswers",
    "audioTimestamp",
    "routingConfig",
    "modelConfig",
    "enableAffectiveDialog",
];
const OWN_TOOL_CONFIG: &[&str] = &["retrievalConfig", "includeServerSideToolInvocations"];

/// Tools that the provider runs.
pub(super) const OWN_TOOLS: &[&str] = &[
    "googleSearch",
    "googleSearchRetrieval",
    "codeExecution",
    "urlContext",
    "googleMaps",
    "fileSearch",
    "computerUse",
    "enterpriseWebSearch",
    "retrieval",
];

/// Members of other APIs without which the answer is another.
const MEANING: &[&str] = &["audio", "web_search_options"];

const JSON_OBJECT: &str = "Answer with one JSON object and nothing else: no other text, no code fence.";

pub(super) fn request(request: &Request, target: &Target<'_>) -> Written {
    let can = model::abilities(target.model);
    let mut losses = Losses::default();
    let mut out = Vec::with_capacity(4096);
    out.push(b'{');
    let told = told(request, &can, &mut losses);
    contents::write(&mut out, request, told.as_deref(), &can, &mut losses);
    tools(&mut out, request, &mut losses);
    tool_config(&mut out, request, &mut losses);
    config(&mut out, request, told.is_some(), &can, &mut losses);
    for (name, value) in &request.extra {
        match OWN.iter().find(|own| is(name, own)) {
            Some(own) => raw(&mut out, own, value.get()),
            None => extra(name, &mut losses),
        }
    }
    out.push(b'}');
    lose(request, &mut losses);
    Written { body: out, losses, schema_tool: false, headers: Vec::new() }
}

fn extra(name: &str, losses: &mut Losses) {
    let elsewhere = [OWN_CONFIG, OWN_TOOL_CONFIG].iter().any(|own| own.iter().any(|own| is(name, own)));
    if elsewhere || name == "modalities" {
        return;
    }
    match MEANING.iter().find(|known| **known == name) {
        Some(known) => losses.meaning(known, "the model's API has nothing like it"),
        None => losses.hint("extra", "members that the model's API does not know"),
    }
}

/// What must be asked for in words: older models do not answer by a schema while they have tools.
fn told(request: &Request, can: &Abilities, losses: &mut Losses) -> Option<String> {
    let (schema, strict) = match &request.format {
        None | Some(Format::Text) => return None,
        Some(Format::JsonObject) => (None, false),
        Some(Format::JsonSchema { schema, strict, .. }) => (Some(schema), *strict == Some(true)),
    };
    let tools = !request.tools.is_empty();
    if can.schema_with_tools || !tools {
        return None;
    }
    let why = "the model cannot be held to a form while it has tools: it is asked for in words";
    if strict {
        losses.meaning("response_format", why);
    } else {
        losses.hint("response_format", why);
    }
    Some(match schema {
        None => JSON_OBJECT.to_owned(),
        Some(schema) => [JSON_OBJECT, " The object must be valid against this JSON Schema: ", schema.get()].concat(),
    })
}

fn tools(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    let mut list = vec![b'['];
    let mut declared = vec![b'['];
    for tool in &request.tools {
        if tool.cache.is_some() {
            losses.hint("cache_control", "this API caches prompts by itself");
        }
        match (&tool.vendor, &tool.schema) {
            (None, _) => declare(&mut declared, tool, losses),
            (Some(kind), Some(whole)) if OWN_TOOLS.contains(&kind.as_str()) => {
                comma(&mut list);
                list.extend_from_slice(whole.get().as_bytes());
            }
            _ => losses.meaning("tools", "the model's API has no tool of this type"),
        }
    }
    if declared.len() > 1 {
        comma(&mut list);
        list.push(b'{');
        field(&mut list, "functionDeclarations");
        list.extend_from_slice(&declared);
        list.extend_from_slice(b"]}");
    }
    if list.len() > 1 {
        list.push(b']');
        field(out, "tools");
        out.extend_from_slice(&list);
    }
}

fn declare(out: &mut Vec<u8>, tool: &Tool, losses: &mut Losses) {
    comma(out);
    out.push(b'{');
    text(out, "name", &tool.name);
    if let Some(description) = tool.description.as_deref().filter(|text| !text.is_empty()) {
        text(out, "description", description);
    }
    // Without parameters the member must be left out.
    if let Some(schema) = tool.schema.as_ref().map(|schema| schema.get()).filter(|schema| schema.contains(':')) {
        field(out, "parametersJsonSchema");
        if schema::accepted(out, schema) {
            losses.hint("schema_constraints", "constraints that the model is not held to are described to it");
        }
    }
    out.push(b'}');
}

fn tool_config(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    let functions = || request.tools.iter().filter(|tool| tool.vendor.is_none());
    let strict = functions().any(|tool| tool.strict == Some(true));
    let (mode, names): (_, &[String]) = match &request.tool_choice {
        None if strict => ("VALIDATED", &[]),
        None => ("", &[]),
        Some(ToolChoice::Auto) if strict => ("VALIDATED", &[]),
        Some(ToolChoice::Auto) => ("AUTO", &[]),
        Some(ToolChoice::None) => ("NONE", &[]),
        Some(ToolChoice::Required) => ("ANY", &[]),
        Some(ToolChoice::Named(name)) => ("ANY", std::slice::from_ref(name)),
        Some(ToolChoice::Allowed { names, required: true }) => ("ANY", names),
        Some(ToolChoice::Allowed { names, required: false }) => ("VALIDATED", names),
    };
    if mode == "ANY" && functions().next().is_none() {
        losses.meaning("tool_choice", "it demands a tool, and there are none");
    }
    if request.parallel_tools == Some(false) && functions().next().is_some() {
        losses.hint("parallel_tool_calls", "the model cannot be told to call one tool at a time");
    }
    let mut config = Vec::new();
    if !mode.is_empty() && functions().next().is_some() {
        raw(&mut config, "functionCallingConfig", "{");
        text(&mut config, "mode", mode);
        if !names.is_empty() {
            strings(&mut config, "allowedFunctionNames", names.iter());
        }
        config.push(b'}');
    }
    own(&mut config, request, OWN_TOOL_CONFIG);
    if !config.is_empty() {
        raw(out, "toolConfig", "{");
        out.extend_from_slice(&config);
        out.push(b'}');
    }
}

fn own(out: &mut Vec<u8>, request: &Request, known: &[&'static str]) {
    for (name, value) in &request.extra {
        if let Some(own) = known.iter().find(|own| is(name, own)) {
            raw(out, own, value.get());
        }
    }
}

fn strings<'a>(out: &mut Vec<u8>, name: &'static str, all: impl Iterator<Item = &'a String>) {
    raw(out, name, "[");
    for one in all {
        comma(out);
        quote(out, one);
    }
    out.push(b']');
}

fn config(out: &mut Vec<u8>, request: &Request, told: bool, can: &Abilities, losses: &mut Losses) {
    let mut config = Vec::new();
    let numbers = [
        ("temperature", &request.temperature),
        ("topP", &request.top_p),
        ("topK", &request.top_k),
        ("seed", &request.seed),
        ("presencePenalty", &request.presence_penalty),
        ("frequencyPenalty", &request.frequency_penalty),
    ];
    for (name, value) in numbers {
        if let Some(value) = value {
            raw(&mut config, name, value.get());
        }
    }
    if let Some(n) = request.n {
        number(&mut config, "candidateCount", n);
    }
    if let Some(most) = request.max_tokens {
        number(&mut config, "maxOutputTokens", most);
    }
    if request.stop.len() > MAX_STOPS {
        losses.meaning("stop", "the model's API takes five stop sequences");
    }
    if !request.stop.is_empty() {
        strings(&mut config, "stopSequences", request.stop.iter().take(MAX_STOPS));
    }
    if let Some(wanted) = request.logprobs {
        flag(&mut config, "responseLogprobs", wanted);
    }
    if let Some(top) = request.top_logprobs.filter(|top| *top > 0) {
        number(&mut config, "logprobs", top);
    }
    match &request.format {
        _ if told => {}
        None => {}
        Some(Format::Text) => text(&mut config, "responseMimeType", "text/plain"),
        Some(Format::JsonObject) => text(&mut config, "responseMimeType", "application/json"),
        Some(Format::JsonSchema { schema, .. }) => {
            text(&mut config, "responseMimeType", "application/json");
            field(&mut config, "responseJsonSchema");
            if schema::accepted(&mut config, schema.get()) {
                losses.hint("schema_constraints", "constraints that the model is not held to are described to it");
            }
        }
    }
    if let Some((_, all)) = request.extra.iter().find(|(name, _)| name == "modalities") {
        raw(&mut config, "responseModalities", &all.get().to_ascii_uppercase());
    }
    thinking(&mut config, request, can, losses);
    own(&mut config, request, OWN_CONFIG);
    if !config.is_empty() {
        raw(out, "generationConfig", "{");
        out.extend_from_slice(&config);
        out.push(b'}');
    }
}

fn thinking(out: &mut Vec<u8>, request: &Request, can: &Abilities, losses: &mut Losses) {
    let Some(reasoning) = &request.reasoning else { return };
    let off = reasoning.effort == Some(Effort::None);
    let shown = !off && reasoning.display.as_deref() != Some("omitted");
    const ALWAYS: &str = "the model cannot be told not to think";
    let mut config = Vec::new();
    match can.thinks {
        Thinks::Never => {
            if !off {
                losses.hint("reasoning", "the model does not think");
            }
            return;
        }
        Thinks::Budget(least, most) => {
            let wanted = reasoning.budget.or_else(|| reasoning.effort.map(Effort::budget));
            match wanted {
                // Only the models that take no less than a whole budget know no 0; the lightest thinks when told to.
                Some(0) if least <= 512 && least != 128 => number(&mut config, "thinkingBudget", 0),
                Some(0) => {
                    losses.hint("reasoning", ALWAYS);
                    number(&mut config, "thinkingBudget", least);
                }
                Some(tokens) => number(&mut config, "thinkingBudget", tokens.clamp(least.max(1), most)),
                None => raw(&mut config, "thinkingBudget", "-1"),
            }
        }
        Thinks::Level { off: lowest, medium } => {
            let effort = reasoning.effort.or_else(|| reasoning.budget.map(Effort::of_budget));
            let level = match effort {
                None => None,
                Some(Effort::None) => {
                    losses.hint("reasoning", ALWAYS);
                    Some(lowest)
                }
                Some(Effort::Minimal) => Some(lowest),
                Some(Effort::Low) => Some("LOW"),
                Some(Effort::Medium) if medium => Some("MEDIUM"),
                Some(Effort::Medium | Effort::High | Effort::XHigh | Effort::Max) => Some("HIGH"),
            };
            if let Some(level) = level {
                text(&mut config, "thinkingLevel", level);
            }
        }
    }
    if shown {
        flag(&mut config, "includeThoughts", true);
    } else if reasoning.display.is_some() {
        flag(&mut config, "includeThoughts", false);
    }
    if !config.is_empty() {
        raw(out, "thinkingConfig", "{");
        out.extend_from_slice(&config);
        out.push(b'}');
    }
}

/// What has no place in this API at all.
fn lose(request: &Request, losses: &mut Losses) {
    const NONE: &str = "the model's API has nothing like it";
    let all: [(&'static str, bool, Effect); 7] = [
        ("logit_bias", request.logit_bias.as_ref().is_some_and(|bias| bias.get().contains(':')), Effect::Meaning),
        ("verbosity", matches!(request.verbosity, Some(Verbosity::Low | Verbosity::High)), Effect::Hint),
        ("user", request.user.is_some(), Effect::Hint),
        ("metadata", !request.metadata.is_empty(), Effect::Hint),
        ("service_tier", request.service_tier.is_some(), Effect::Hint),
        ("cache_control", request.cache.is_some(), Effect::Hint),
        ("name", request.turns.iter().any(|turn| turn.name.is_some()), Effect::Hint),
    ];
    for (what, _, effect) in all.into_iter().filter(|(_, lost, _)| *lost) {
        match effect {
            Effect::Meaning => losses.meaning(what, NONE),
            Effect::Hint => losses.hint(what, NONE),
        }
    }
}
