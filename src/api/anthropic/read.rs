//! A client's request, read.

use super::block;
use super::shape::{At, Content, Is, List, Map, Shape, keep, parse, read};
use super::tools;
use crate::chat::{Effort, Format, Part, Raw, Reasoning, Request, Role, Turn};
use crate::error::Error;
use crate::json::{Object, kind};
use serde::Deserialize;
use serde_json::Number;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The members that a field of [`Request`] stands for; all others are kept as they are.
const KNOWN: &[&str] = &[
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "thinking",
    "output_config",
    "output_format",
    "metadata",
    "service_tier",
    "cache_control",
    "stream",
];

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    role: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Is<Content<'a>>,
}

#[derive(Deserialize)]
struct Thinking<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Is<Cow<'a, str>>,
    #[serde(default)]
    budget_tokens: Is<u64>,
    #[serde(borrow, default)]
    display: Is<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct OutputFormat<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Is<Cow<'a, str>>,
    #[serde(borrow, default)]
    schema: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    user_id: Is<Cow<'a, str>>,
}

pub(super) fn request(body: &Object<'_>) -> Result<Request, Error> {
    let mut request = Request {
        model: body
            .string("model")?
            .filter(|model| !model.is_empty())
            .ok_or_else(|| Error::field("model", "is required"))?
            .into_owned(),
        max_tokens: Some(body.unsigned("max_tokens")?.ok_or_else(|| Error::field("max_tokens", "is required"))?),
        temperature: number(body, "temperature")?,
        top_p: number(body, "top_p")?,
        top_k: number(body, "top_k")?,
        service_tier: body.string("service_tier")?.map(Cow::into_owned),
        cache: given(body, "cache_control").map(raw).transpose()?,
        stream: body.boolean("stream")?.unwrap_or(false),
        // Every stream of this API states its usage.
        stream_usage: true,
        ..Request::default()
    };
    if let Some(system) = given(body, "system") {
        let at = At::top("system");
        if let Some(content) = read::<Content<'_>>(system, at)? {
            request.turns.push(Turn { role: Role::System, name: None, parts: block::parts(content, at)? });
        }
    }
    messages(body, &mut request)?;
    request.tools = tools::read(given(body, "tools"))?;
    tools::read_choice(given(body, "tool_choice"), &mut request)?;
    if let Some(stops) = given(body, "stop_sequences") {
        let at = At::top("stop_sequences");
        if let Some(List(all)) = read::<List<Cow<'_, str>>>(stops, at)? {
            for (i, stop) in all.into_iter().enumerate() {
                let stop = element(stop, at.index(i))?;
                request.stop.push(stop.into_owned());
            }
        }
    }
    if let Some(metadata) = given(body, "metadata") {
        let at = At::top("metadata");
        if let Some(Map(metadata)) = read::<Map<Metadata<'_>>>(metadata, at)? {
            request.user = metadata.user_id.get(at, "user_id")?.map(Cow::into_owned);
        }
    }
    reasoning(body, &mut request)?;
    for (name, value) in body.members().filter(|(name, value)| !KNOWN.contains(name) && *value != "null") {
        request.extra.push((name.to_owned(), raw(value)?));
    }
    Ok(request)
}

/// An element of a list of strings.
fn element<'de, T: Shape<'de>>(one: Is<T>, at: At<'_>) -> Result<T, Error> {
    match one {
        Is::Given(value) => Ok(value),
        Is::Absent => Err(at.error(format!("must be {}, not null", T::WANTED))),
        Is::Wrong(kind) => Err(at.error(format!("must be {}, not {kind}", T::WANTED))),
    }
}

fn given<'a>(body: &Object<'a>, key: &str) -> Option<&'a str> {
    body.raw(key).filter(|raw| *raw != "null")
}

pub(super) fn raw(text: &str) -> Result<Raw, Error> {
    RawValue::from_string(text.to_owned()).map_err(|error| Error::invalid(format!("cannot be read: {error}")))
}

fn number(body: &Object<'_>, key: &'static str) -> Result<Option<Number>, Error> {
    let Some(raw) = given(body, key) else { return Ok(None) };
    serde_json::from_str(raw).map(Some).map_err(|_| Error::field(key, format!("must be a number, not {}", kind(raw))))
}

fn messages(body: &Object<'_>, request: &mut Request) -> Result<(), Error> {
    let at = At::top("messages");
    let raw = given(body, "messages").ok_or_else(|| at.error("is required"))?;
    let List(messages) = read::<List<Map<Message<'_>>>>(raw, at)?.ok_or_else(|| at.error("is required"))?;
    for (i, message) in messages.into_iter().enumerate() {
        let at = at.index(i);
        let Map(message) = element(message, at)?;
        let role = message.role.need(at, "role")?;
        let parts = block::parts(message.content.need(at, "content")?, at.key("content"))?;
        match &*role {
            "user" => user(parts, &mut request.turns),
            "assistant" => request.turns.push(Turn { role: Role::Assistant, name: None, parts }),
            "system" => request.turns.push(Turn { role: Role::System, name: None, parts }),
            _ => return Err(at.key("role").error("must be user, assistant or system")),
        }
    }
    Ok(())
}

/// A user's message may hold tool results among other blocks: runs of each become turns of their own.
fn user(parts: Vec<Part>, turns: &mut Vec<Turn>) {
    let mut fresh = true;
    let none = parts.is_empty();
    for part in parts {
        let role = if matches!(part, Part::ToolResult { .. }) { Role::Tool } else { Role::User };
        match turns.last_mut() {
            Some(turn) if !fresh && turn.role == role => turn.parts.push(part),
            _ => turns.push(Turn { role, name: None, parts: vec![part] }),
        }
        fresh = false;
    }
    if none {
        turns.push(Turn { role: Role::User, name: None, parts: Vec::new() });
    }
}

/// Words that are new since this was written are kept with the members that no field stands for.
fn reasoning(body: &Object<'_>, request: &mut Request) -> Result<(), Error> {
    let mut reasoning = Reasoning::default();
    let mut asked = false;
    if let Some(text) = given(body, "thinking") {
        let at = At::top("thinking");
        if let Some(Map(thinking)) = read::<Map<Thinking<'_>>>(text, at)? {
            asked = true;
            match &*thinking.kind.need(at, "type")? {
                "enabled" => reasoning.budget = Some(thinking.budget_tokens.need(at, "budget_tokens")?),
                "adaptive" => reasoning.adaptive = true,
                // `between_tools` is disabled, and says how to show what is written between calls.
                "disabled" | "between_tools" => reasoning.effort = Some(Effort::None),
                _ => {
                    asked = false;
                    request.extra.push(("thinking".to_owned(), raw(text)?));
                }
            }
            reasoning.display = thinking.display.get(at, "display")?.map(Cow::into_owned);
        }
    }
    if let Some(config) = given(body, "output_config") {
        let at = At::top("output_config");
        for (name, value) in members(config, at)? {
            let known = match &*name {
                "effort" => match read::<Cow<'_, str>>(value.get(), at.key("effort"))?.map(|word| effort(&word)) {
                    Some(Some(effort)) => {
                        asked = true;
                        reasoning.effort = reasoning.effort.or(Some(effort));
                        true
                    }
                    known => known.is_none(),
                },
                "format" => {
                    request.format = format(value.get(), at.key("format"))?;
                    request.format.is_some() || value.get() == "null"
                }
                _ => false,
            };
            if !known {
                request.extra.push((name.into_owned(), value.to_owned()));
            }
        }
    }
    // The member's name while structured output was a beta.
    if let (None, Some(old)) = (&request.format, given(body, "output_format")) {
        request.format = format(old, At::top("output_format"))?;
    }
    request.reasoning = asked.then_some(reasoning);
    Ok(())
}

fn effort(word: &str) -> Option<Effort> {
    Some(match word {
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => return None,
    })
}

fn format(raw: &str, at: At<'_>) -> Result<Option<Format>, Error> {
    let Some(Map(format)) = read::<Map<OutputFormat<'_>>>(raw, at)? else { return Ok(None) };
    if format.kind.need(at, "type")? != "json_schema" {
        return Ok(None);
    }
    let schema = keep(format.schema).ok_or_else(|| at.key("schema").error("is required"))?;
    // The schema is always held to.
    Ok(Some(Format::JsonSchema { name: None, description: None, schema, strict: Some(true) }))
}

/// The members of an object, in order.
pub(super) fn members<'a>(raw: &'a str, at: At<'_>) -> Result<Vec<(Cow<'a, str>, &'a RawValue)>, Error> {
    match parse::<Members<'a>>(raw, at)? {
        Is::Given(Members(all)) => Ok(all),
        Is::Absent => Ok(Vec::new()),
        Is::Wrong(kind) => Err(at.error(format!("must be an object, not {kind}"))),
    }
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Shape<'de> for Members<'a> {
    const WANTED: &'static str = "an object";

    fn map<A: serde::de::MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        let mut all = Vec::new();
        while let Some((Is::Given(name), value)) = map.next_entry::<Is<Cow<'a, str>>, &'a RawValue>()? {
            all.push((name, value));
        }
        Ok(Some(Self(all)))
    }
}
