//! A request, written for a provider.

use super::conversation;
use super::family::{self, Family};
use super::parts::{Points, Writing};
use super::read::USER;
use super::shared::schema;
use super::{thinking, tools};
use crate::api::{Target, Written};
use crate::chat::{Effect, Format, Losses, Part, Request, Source, ToolChoice};
use crate::json::write::{comma, raw, text};
use crate::json::{Number, Tree, quote};

/// Members of this API's own, kept when a request of this API is read and written again.
const OWN: &[&str] = &["guardrailConfig", "performanceConfig", "promptVariables", "additionalModelResponseFieldPaths"];

/// Members of other APIs without which the answer is another.
const MEANING: &[&str] = &["audio", "web_search_options", "functions", "function_call", "modalities"];

const JSON_OBJECT: &str = "Answer with one JSON object and nothing else: no other text, no code fence.";

/// Longest name and value of a pair of metadata, and how many pairs there may be.
const MAX_PAIR: usize = 256;
const MAX_PAIRS: usize = 16;

/// How the answer is brought into the form that is asked for.
enum Form<'a> {
    Free,
    Native {
        tight: schema::Tight,
        name: Option<&'a str>,
        description: Option<&'a str>,
    },
    /// A forced tool stands in.
    Tool(&'a str, Option<&'a str>),
    /// Asked for in words.
    Told(String),
}

pub(super) fn request(request: &Request, target: &Target<'_>) -> Written {
    let family = family::family(target.model);
    let mut losses = Losses::default();
    let form = form(request, &family, &mut losses);
    let stand_in = match form {
        Form::Tool(schema, description) => Some((schema, description)),
        _ => None,
    };
    let forced = stand_in.is_some() || tools::forced(request);
    let plan = thinking::plan(request, &family, forced, &mut losses);
    let mut out = Vec::with_capacity(size(request));
    out.push(b'{');
    let told = match &form {
        Form::Told(words) => Some(words.as_str()),
        _ => None,
    };
    let mut points = Points::default();
    let mut tool_config = vec![b'{'];
    tools::write(&mut tool_config, request, stand_in, &family, &mut points, &mut losses);
    let tree = Tree::default();
    let mut writing = Writing { losses: &mut losses, family: &family, points: &mut points, names: Vec::new(), tree };
    conversation::write(&mut out, request, told, &mut writing);
    plan.write(&mut out, request, &family, &mut losses);
    if let Some(config) = tool_config.get(1..).filter(|config| !config.is_empty()) {
        comma(&mut out);
        out.extend_from_slice(config);
    }
    plan.write_additional(&mut out, request, &family, &mut losses);
    output_config(&mut out, plan.effort, &form, &mut losses);
    metadata(&mut out, request, &mut losses);
    let tier = match request.service_tier.as_deref() {
        None | Some("auto") => None,
        Some("default" | "standard" | "standard_only") => Some("default"),
        Some("priority") => Some("priority"),
        Some("flex") => Some("flex"),
        Some("reserved") => Some("reserved"),
        Some(_) => {
            losses.hint("service_tier", "the model's API has no such tier");
            None
        }
    };
    if let Some(tier) = tier {
        raw(&mut out, "serviceTier", "{");
        text(&mut out, "type", tier);
        out.push(b'}');
    }
    for (name, value) in &request.extra {
        extra(&mut out, name, value.get(), &mut losses);
    }
    out.push(b'}');
    lose(request, &mut losses);
    Written { body: out, losses, schema_tool: stand_in.is_some(), headers: Vec::new() }
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
            Part::Redacted { data } | Part::Audio { data, .. } => data.len(),
            Part::Other { raw, .. } => raw.get().len(),
        };
        parts.iter().map(|part| one(part).saturating_add(128)).fold(0, usize::saturating_add)
    }
    let turns = request.turns.iter().map(|turn| of(&turn.parts).saturating_add(64));
    let all = turns.fold(1024, usize::saturating_add);
    // Room for what is escaped.
    all.saturating_add(all / 16)
}

fn form<'a>(request: &'a Request, family: &Family, losses: &mut Losses) -> Form<'a> {
    let (name, schema, description, strict) = match &request.format {
        None | Some(Format::Text) => return Form::Free,
        Some(Format::JsonObject) => {
            losses.hint("response_format", "the model is asked in words for a JSON object");
            return Form::Told(JSON_OBJECT.to_owned());
        }
        Some(Format::JsonSchema { name, schema, description, strict }) => (name, schema.get(), description, strict),
    };
    let description = description.as_deref();
    if family.schemas()
        && let Some(tight) = schema::tighten(schema)
    {
        return Form::Native { tight, name: name.as_deref(), description };
    }
    let idle = request.tools.is_empty() || request.tool_choice == Some(ToolChoice::None);
    let calls = request.turns.iter().flat_map(|turn| &turn.parts).any(|part| matches!(part, Part::ToolCall { .. }));
    let object = crate::json::find(schema, &["type"]).is_some_and(|kind| kind == "\"object\"");
    if idle && !calls && object && family.chooses() {
        return Form::Tool(schema, description);
    }
    let why = "the model cannot be held to this schema beside its tools: it is asked for in words";
    if *strict == Some(true) {
        losses.meaning("response_format", why);
    } else {
        losses.hint("response_format", why);
    }
    Form::Told([JSON_OBJECT, " The object must be valid against this JSON Schema: ", schema].concat())
}

fn output_config(out: &mut Vec<u8>, effort: Option<&'static str>, form: &Form<'_>, losses: &mut Losses) {
    let native = matches!(form, Form::Native { .. });
    if effort.is_none() && !native {
        return;
    }
    raw(out, "outputConfig", "{");
    if let Some(effort) = effort {
        text(out, "effort", effort);
    }
    if let Form::Native { tight, name, description } = form {
        if tight.loosened {
            losses.hint("schema_constraints", "constraints that the model is not held to are described to it");
        }
        raw(out, "textFormat", "{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":{");
        text(out, "schema", &String::from_utf8_lossy(&tight.json));
        if let Some(name) = name {
            text(out, "name", name);
        }
        if let Some(description) = description {
            text(out, "description", description);
        }
        out.extend_from_slice(b"}}}");
    }
    out.push(b'}');
}

/// Pairs that the provider keeps with its log of the call. The end user is one of them.
fn metadata(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    let fits = |text: &str, least: usize| {
        let fine = |c: char| c.is_ascii_alphanumeric() || c.is_whitespace() || ":_@$#=/+,-.".contains(c);
        (least..=MAX_PAIR).contains(&text.len()) && text.chars().all(fine)
    };
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    if let Some(user) = request.user.as_deref() {
        if fits(user, 0) {
            pairs.push((USER, user));
        } else {
            losses.hint("user", "the model's API keeps no such characters, nor so many");
        }
    }
    for (name, value) in &request.metadata {
        let new = !pairs.iter().any(|(known, _)| known == name);
        if fits(name, 1) && fits(value, 0) && new && pairs.len() < MAX_PAIRS {
            pairs.push((name, value));
        } else {
            losses.hint("metadata", "the model's API keeps no such pairs, nor so many");
        }
    }
    if pairs.is_empty() {
        return;
    }
    raw(out, "requestMetadata", "{");
    for (name, value) in pairs {
        comma(out);
        quote(out, name);
        out.push(b':');
        quote(out, value);
    }
    out.push(b'}');
}

fn extra(out: &mut Vec<u8>, name: &str, value: &str, losses: &mut Losses) {
    if thinking::is_additional(name) {
        return;
    }
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
    let all: [(&'static str, bool, Effect); 8] = [
        ("n", request.n.is_some_and(|n| n > 1), Effect::Meaning),
        ("logprobs", request.logprobs == Some(true) || request.top_logprobs.is_some_and(|n| n > 0), Effect::Meaning),
        ("logit_bias", request.logit_bias.as_ref().is_some_and(|bias| bias.get().contains(':')), Effect::Meaning),
        ("frequency_penalty", nonzero(&request.frequency_penalty), Effect::Hint),
        ("presence_penalty", nonzero(&request.presence_penalty), Effect::Hint),
        ("seed", request.seed.is_some(), Effect::Hint),
        ("verbosity", request.verbosity.is_some(), Effect::Hint),
        ("name", request.turns.iter().any(|turn| turn.name.is_some()), Effect::Hint),
    ];
    for (what, _, effect) in all.into_iter().filter(|(_, lost, _)| *lost) {
        match effect {
            Effect::Meaning => losses.meaning(what, NONE),
            Effect::Hint => losses.hint(what, NONE),
        }
    }
}
