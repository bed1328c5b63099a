//! A request, written for a provider.

use super::conversation;
use super::shared::claude::{self, Abilities};
use super::shared::schema;
use super::thinking;
use super::tools;
use crate::api::{Target, Written};
use crate::chat::{Effect, Format, Losses, Part, Request, Source, ToolChoice};
use crate::json::Number;
use crate::json::write::{comma, field, flag, raw, text};

/// Members of this API's own, kept when a request of this API is read and written again.
const OWN: &[&str] =
    &["container", "context_management", "mcp_servers", "inference_geo", "speed", "diagnostics", "user_profile_id"];

/// Members of other APIs without which the answer is another.
const MEANING: &[&str] = &["audio", "web_search_options", "functions", "function_call", "modalities"];

const JSON_OBJECT: &str = "Answer with one JSON object and nothing else: no other text, no code fence.";

/// How the answer is brought into the form that is asked for.
enum Form<'a> {
    Free,
    Native(schema::Tight),
    /// A forced tool stands in.
    Tool(&'a str, Option<&'a str>),
    /// Asked for in words.
    Told(String),
}

pub(super) fn request(request: &Request, target: &Target<'_>) -> Written {
    let can = claude::abilities(target.model);
    let mut losses = Losses::default();
    let form = form(request, &can, &mut losses);
    let stand_in = match form {
        Form::Tool(schema, description) => Some((schema, description)),
        _ => None,
    };
    let plan = thinking::plan(request, target, &can, thinking::forced(request, stand_in.is_some()), &mut losses);

    let mut out = Vec::with_capacity(size(request));
    out.push(b'{');
    text(&mut out, "model", target.model);
    plan.write(&mut out, request, &can, &mut losses);
    if request.stream {
        flag(&mut out, "stream", true);
    }
    let told = match &form {
        Form::Told(words) => Some(words.as_str()),
        _ => None,
    };
    let beta = conversation::write(&mut out, request, told, &can, &mut losses);
    tools::write(&mut out, request, stand_in, &can, &mut losses);
    output_config(&mut out, plan.effort, &form, &mut losses);
    stops(&mut out, request, &mut losses);
    if let Some(cache) = &request.cache {
        raw(&mut out, "cache_control", cache.get());
    }
    if let Some(user) = &request.user {
        raw(&mut out, "metadata", "{");
        text(&mut out, "user_id", user);
        out.push(b'}');
    }
    match request.service_tier.as_deref() {
        None => {}
        Some("auto" | "priority") => text(&mut out, "service_tier", "auto"),
        Some("default" | "standard" | "standard_only") => text(&mut out, "service_tier", "standard_only"),
        Some(_) => losses.hint("service_tier", "the model's API has no such tier"),
    }
    for (name, value) in &request.extra {
        extra(&mut out, name, value.get(), &mut losses);
    }
    out.push(b'}');
    lose(request, &mut losses);
    let headers = beta.map(|name| ("anthropic-beta", name.to_owned())).into_iter().collect();
    Written { body: out, losses, schema_tool: stand_in.is_some(), headers }
}

/// About the bytes of the body: a body of many megabytes that grows by doubling takes three times its memory.
fn size(request: &Request) -> usize {
    fn of(parts: &[Part]) -> usize {
        let one = |part: &Part| match part {
            Part::Text { text, .. } | Part::Refusal { text } | Part::Thinking { text, .. } => text.len(),
            Part::Image { source, .. } | Part::Document { source, .. } => match source {
                Source::Base64 { data, .. } => data.len(),
                Source::Url(text) | Source::Text(text) | Source::File(text) => text.len(),
            },
            Part::ToolCall { arguments, .. } => arguments.len(),
            Part::ToolResult { parts, .. } => of(parts),
            Part::Redacted { data } => data.len(),
            Part::Other { raw, .. } => raw.get().len(),
            Part::Audio { .. } => 0,
        };
        parts.iter().map(|part| one(part).saturating_add(128)).fold(0, usize::saturating_add)
    }
    let turns = request.turns.iter().map(|turn| of(&turn.parts).saturating_add(64));
    let tools = request
        .tools
        .iter()
        .map(|tool| tool.schema.as_ref().map_or(0, |schema| schema.get().len().saturating_add(512)));
    let all = turns.chain(tools).fold(1024, usize::saturating_add);
    // Room for what is escaped.
    all.saturating_add(all / 16)
}

fn form<'a>(request: &'a Request, can: &Abilities, losses: &mut Losses) -> Form<'a> {
    let (schema, description, strict) = match &request.format {
        None | Some(Format::Text) => return Form::Free,
        Some(Format::JsonObject) => {
            losses.hint("response_format", "JSON is asked for in words");
            return Form::Told(JSON_OBJECT.to_owned());
        }
        Some(Format::JsonSchema { schema, description, strict, .. }) => (schema.get(), description.as_deref(), strict),
    };
    if let Some(tight) = Some(schema).filter(|_| can.schemas).and_then(schema::tighten) {
        return Form::Native(tight);
    }
    let free = request.tools.is_empty() || request.tool_choice == Some(ToolChoice::None);
    if free {
        return Form::Tool(schema, description);
    }
    let why = "the model cannot be held to this schema while it has tools: it is asked for in words";
    if *strict == Some(true) {
        losses.meaning("response_format", why);
    } else {
        losses.hint("response_format", why);
    }
    Form::Told([JSON_OBJECT, " The object must be valid against this JSON Schema: ", schema].concat())
}

fn output_config(out: &mut Vec<u8>, effort: Option<&'static str>, form: &Form<'_>, losses: &mut Losses) {
    let format = match form {
        Form::Native(tight) => Some(tight),
        _ => None,
    };
    if effort.is_none() && format.is_none() {
        return;
    }
    raw(out, "output_config", "{");
    if let Some(effort) = effort {
        text(out, "effort", effort);
    }
    if let Some(tight) = format {
        if tight.loosened {
            losses.hint("schema_constraints", "constraints that the model is not held to are described to it");
        }
        raw(out, "format", "{");
        text(out, "type", "json_schema");
        field(out, "schema");
        out.extend_from_slice(&tight.json);
        out.push(b'}');
    }
    out.push(b'}');
}

fn stops(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    let (kept, blank): (Vec<&String>, Vec<&String>) = request.stop.iter().partition(|stop| !stop.trim().is_empty());
    if !blank.is_empty() {
        losses.meaning("stop", "a stop sequence of white space alone is not accepted");
    }
    if kept.is_empty() {
        return;
    }
    raw(out, "stop_sequences", "[");
    for stop in kept {
        comma(out);
        crate::json::quote(out, stop);
    }
    out.push(b']');
}

fn extra(out: &mut Vec<u8>, name: &str, value: &str, losses: &mut Losses) {
    if let Some(own) = OWN.iter().find(|own| **own == name) {
        raw(out, own, value);
        return;
    }
    match MEANING.iter().find(|known| **known == name) {
        // Text alone is what every model gives.
        Some(&"modalities") if value.replace(char::is_whitespace, "") == "[\"text\"]" => {}
        Some(known) => losses.meaning(known, "the model's API has nothing like it"),
        None => losses.hint("extra", "members that the model's API does not know"),
    }
}

/// What has no place in this API at all.
fn lose(request: &Request, losses: &mut Losses) {
    const NONE: &str = "the model's API has nothing like it";
    let nonzero = |n: &Option<Number>| n.as_ref().and_then(|n| n.as_f64()).is_some_and(|n| n != 0.0);
    let all: [(&'static str, bool, Effect); 9] = [
        ("n", request.n.is_some_and(|n| n > 1), Effect::Meaning),
        ("logprobs", request.logprobs == Some(true) || request.top_logprobs.is_some_and(|n| n > 0), Effect::Meaning),
        ("logit_bias", request.logit_bias.as_ref().is_some_and(|bias| bias.get().contains(':')), Effect::Meaning),
        ("frequency_penalty", nonzero(&request.frequency_penalty), Effect::Hint),
        ("presence_penalty", nonzero(&request.presence_penalty), Effect::Hint),
        ("seed", request.seed.is_some(), Effect::Hint),
        ("verbosity", request.verbosity.is_some(), Effect::Hint),
        ("metadata", !request.metadata.is_empty(), Effect::Hint),
        ("name", request.turns.iter().any(|turn| turn.name.is_some()), Effect::Hint),
    ];
    for (what, _, effect) in all.into_iter().filter(|(_, lost, _)| *lost) {
        match effect {
            Effect::Meaning => losses.meaning(what, NONE),
            Effect::Hint => losses.hint(what, NONE),
        }
    }
}
