//! A client's request, read. Its path names the model, and whether the answer is streamed.

use super::parts;
use super::schema;
use super::wire::{boolean, call_id, get, is, list, number, object, string, unsigned};
use super::write::OWN_TOOLS;
use crate::chat::{Effort, Format, Part, Reasoning, Request, Role, Tool, ToolChoice, Turn};
use crate::error::Error;
use crate::json::{Number, Value, raw};
use std::borrow::Cow;

/// The members that a field of [`Request`] stands for; all others are kept as they are.
const KNOWN: &[&str] =
    &["model", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "cachedContent", "labels"];

const KNOWN_CONFIG: &[&str] = &[
    "candidateCount",
    "stopSequences",
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "thinkingConfig",
    "responseModalities",
];

pub(super) fn request(body: Value<'_>) -> Result<Request, Error> {
    // Every stream of this API states its usage.
    let mut request = Request { stream_usage: true, ..Request::default() };
    fill(&body, &mut request)?;
    Ok(request)
}

fn fill(body: &Value<'_>, request: &mut Request) -> Result<(), Error> {
    let model = string(body, "model")?.unwrap_or_default();
    request.model = model.strip_prefix("models/").unwrap_or(&model).to_owned();
    system(body, request)?;
    contents(body, request)?;
    tools(body, request)?;
    choice(body, request)?;
    if let Some(config) = object(body, "generationConfig")? {
        settings(&config, request)?;
    }
    if let Some(labels) = object(body, "labels")? {
        for (name, value) in labels.members() {
            let text = value.text().ok_or_else(|| value.wrong("a string"))?;
            request.metadata.push((name.text().into_owned(), text.into_owned()));
        }
    }
    keep(body, KNOWN, request);
    Ok(())
}

/// Keeps the members that are not known.
fn keep(of: &Value<'_>, known: &[&str], request: &mut Request) {
    for (name, value) in of.members() {
        let text = name.text();
        if !value.is_null() && !known.iter().any(|known| is(&text, known)) {
            request.extra.push((text.into_owned(), value.keep()));
        }
    }
}

fn system(body: &Value<'_>, request: &mut Request) -> Result<(), Error> {
    let mut all = Vec::new();
    if let Some(system) = get(body, "systemInstruction") {
        all = match system.text() {
            Some(text) => vec![Part::text(text)],
            None => {
                let mut parts = Vec::new();
                for one in list_of(&system, "parts")? {
                    parts.extend(parts::part(&one, &mut |_| String::new())?);
                }
                parts
            }
        };
    }
    // What the provider keeps of the prompt is part of it: without it the question is another.
    if let Some(cached) = get(body, "cachedContent") {
        all.push(Part::Other { kind: "cachedContent".to_owned(), raw: cached.keep() });
    }
    if !all.is_empty() {
        request.turns.push(Turn { role: Role::System, name: None, parts: all });
    }
    Ok(())
}

/// A list's elements, or the one thing that stands for a list of one.
#[inline(never)]
fn list_of<'a>(of: &Value<'a>, name: &str) -> Result<Vec<Value<'a>>, Error> {
    if !of.is_object() {
        return Err(of.wrong("an object"));
    }
    match get(of, name) {
        None => Ok(Vec::new()),
        Some(value) if value.is_list() => Ok(value.items().collect()),
        Some(value) if value.is_object() => Ok(vec![value]),
        Some(value) => Err(value.wrong("an array")),
    }
}

/// Strings of a list.
#[inline(never)]
fn strings(of: &Value<'_>, name: &str, into: &mut Vec<String>) -> Result<(), Error> {
    let Some(all) = list(of, name)? else { return Ok(()) };
    for one in all.items() {
        into.push(one.text().ok_or_else(|| one.wrong("a string"))?.into_owned());
    }
    Ok(())
}

const SIGNATURE: &str = "thoughtSignature";

/// A call that waits for its result.
struct Open {
    id: String,
    name: String,
}

fn contents(body: &Value<'_>, request: &mut Request) -> Result<(), Error> {
    let contents = get(body, "contents").filter(|all| !all.is_empty()).ok_or_else(|| body.missing("contents"))?;
    let mut open: Vec<Open> = Vec::new();
    let mut calls = 0_u32;
    for content in list_of(body, "contents")? {
        if !content.is_object() {
            return Err(content.wrong("an object"));
        }
        let role = match string(&content, "role")?.as_deref() {
            None | Some("" | "user" | "function") => Role::User,
            Some("model") => Role::Assistant,
            Some("system") => Role::System,
            Some(_) => return Err(content.at_member("role", "must be user or model")),
        };
        let mut turn: Option<Turn> = None;
        for one in list_of(&content, "parts")? {
            let result = if one.is_object() { object(&one, "functionResponse")? } else { None };
            let (role, part) = match result {
                Some(result) => (Role::Tool, Some(self::result(&result, &mut open, &mut calls)?)),
                None => {
                    let mut made = |name: &str| {
                        calls = calls.saturating_add(1);
                        call_id("", 0, calls, name)
                    };
                    let part = parts::part(&one, &mut made)?;
                    // No other API has a signature beside a text; what it seals is part of the prompt.
                    if let (Some(Part::Text { .. }), Some(sealed)) = (&part, get(&one, SIGNATURE)) {
                        request.extra.push((SIGNATURE.to_owned(), sealed.keep()));
                    }
                    (role, part)
                }
            };
            let Some(part) = part else { continue };
            if let Part::ToolCall { id, name, .. } = &part {
                open.push(Open { id: id.clone(), name: name.clone() });
            }
            match &mut turn {
                Some(turn) if turn.role == role => parts::push(&mut turn.parts, part),
                _ => request.turns.extend(turn.replace(Turn { role, name: None, parts: vec![part] })),
            }
        }
        let empty = || Turn { role, name: None, parts: Vec::new() };
        request.turns.push(turn.unwrap_or_else(empty));
    }
    if request.turns.is_empty() {
        return Err(contents.error("is empty"));
    }
    Ok(())
}

/// A result names its call by id, or only by the function's name: then it is the first such call without a result.
fn result(result: &Value<'_>, open: &mut Vec<Open>, calls: &mut u32) -> Result<Part, Error> {
    let id = string(result, "id")?.filter(|id| !id.is_empty());
    let name = string(result, "name")?.unwrap_or_default();
    let by_id = id.as_ref().and_then(|id| open.iter().position(|call| call.id == **id));
    let by_name = || open.iter().position(|call| call.name == *name);
    let id = match (by_id.or_else(by_name), id) {
        (Some(at), _) => open.remove(at).id,
        (None, Some(id)) => id.into_owned(),
        (None, None) => {
            *calls = calls.saturating_add(1);
            call_id("", 0, *calls, &name)
        }
    };
    let response = object(result, "response")?;
    let (text, is_error) = match &response {
        None => (String::new(), false),
        Some(response) => said(response),
    };
    let mut all = Vec::new();
    if !text.is_empty() {
        all.push(Part::text(text));
    }
    for part in list_of(result, "parts")? {
        all.extend(parts::part(&part, &mut |_| String::new())?);
    }
    Ok(Part::ToolResult { id, parts: all, is_error, cache: None })
}

/// What a function gave: the text where that is all there is, else the object. The SDKs' own words are `result` and
/// `error`, the API's `output` and `error`.
fn said(response: &Value<'_>) -> (String, bool) {
    let mut members = response.members();
    let only = match (members.next(), members.next()) {
        (None, _) => return (String::new(), false),
        (Some(only), None) => Some(only),
        _ => None,
    };
    match only {
        Some((name, value)) if name.is("output") || name.is("result") || name.is("error") => {
            let text = value.text().unwrap_or(Cow::Borrowed(value.raw()));
            (text.into_owned(), name.is("error"))
        }
        _ => (response.raw().to_owned(), false),
    }
}

fn tools(body: &Value<'_>, request: &mut Request) -> Result<(), Error> {
    for entry in list_of(body, "tools")? {
        if !entry.is_object() {
            return Err(entry.wrong("an object"));
        }
        for (name, value) in entry.members() {
            let name = name.text();
            if value.is_null() {
                continue;
            }
            if is(&name, "functionDeclarations") {
                for one in list_of(&entry, "functionDeclarations")? {
                    let tool = function(&one, request)?;
                    request.tools.push(tool);
                }
                continue;
            }
            // A tool that the provider runs, kept as an entry of its own.
            let mut own = vec![b'{'];
            crate::json::quote(&mut own, &name);
            own.push(b':');
            own.extend_from_slice(value.raw().as_bytes());
            own.push(b'}');
            let own = String::from_utf8(own).unwrap_or_default();
            request.tools.push(Tool {
                name: String::new(),
                description: None,
                schema: Some(raw(own)),
                strict: None,
                cache: None,
                vendor: Some(own_tool(name.into_owned())),
            });
        }
    }
    Ok(())
}

/// The name in this API's first spelling: in the other, another API has tools of this name.
fn own_tool(name: String) -> String {
    let known = OWN_TOOLS.iter().find(|own| is(&name, own));
    known.map_or(name, |own| (*own).to_owned())
}

fn function(of: &Value<'_>, request: &mut Request) -> Result<Tool, Error> {
    if !of.is_object() {
        return Err(of.wrong("an object"));
    }
    let schema = match get(of, "parametersJsonSchema") {
        Some(schema) => Some(schema.keep()),
        None => object(of, "parameters")?.map(|schema| schema::to_json(&schema)),
    };
    keep(of, &["name", "description", "parameters", "parametersJsonSchema"], request);
    Ok(Tool {
        name: string(of, "name")?.filter(|name| !name.is_empty()).ok_or_else(|| of.missing("name"))?.into_owned(),
        description: string(of, "description")?.map(Cow::into_owned),
        schema,
        strict: None,
        cache: None,
        vendor: None,
    })
}

fn choice(body: &Value<'_>, request: &mut Request) -> Result<(), Error> {
    let Some(config) = object(body, "toolConfig")? else { return Ok(()) };
    keep(&config, &["functionCallingConfig"], request);
    let Some(calling) = object(&config, "functionCallingConfig")? else { return Ok(()) };
    let mut names = Vec::new();
    strings(&calling, "allowedFunctionNames", &mut names)?;
    let mode = string(&calling, "mode")?.map(|mode| mode.to_ascii_uppercase());
    request.tool_choice = Some(match mode.as_deref().unwrap_or("AUTO") {
        "NONE" => ToolChoice::None,
        "ANY" => match (names.pop(), names.is_empty()) {
            (None, _) => ToolChoice::Required,
            (Some(one), true) => ToolChoice::Named(one),
            (Some(last), false) => {
                names.push(last);
                ToolChoice::Allowed { names, required: true }
            }
        },
        "AUTO" | "VALIDATED" | "MODE_UNSPECIFIED" if names.is_empty() => ToolChoice::Auto,
        "AUTO" | "VALIDATED" | "MODE_UNSPECIFIED" => ToolChoice::Allowed { names, required: false },
        _ => return Err(calling.at_member("mode", "must be AUTO, ANY, NONE or VALIDATED")),
    });
    Ok(())
}

fn settings(config: &Value<'_>, request: &mut Request) -> Result<(), Error> {
    request.n = unsigned(config, "candidateCount")?;
    request.max_tokens = unsigned(config, "maxOutputTokens")?;
    let Request { temperature, top_p, top_k, seed, presence_penalty, frequency_penalty, .. } = request;
    for (name, into) in [
        ("temperature", temperature),
        ("topP", top_p),
        ("topK", top_k),
        ("seed", seed),
        ("presencePenalty", presence_penalty),
        ("frequencyPenalty", frequency_penalty),
    ] {
        *into = number(config, name)?;
    }
    // An SDK writes a whole number as `3.0`, which other APIs refuse.
    if let Some(whole) = get(config, "topK").and_then(|top| top.count()) {
        request.top_k = Some(Number::from(whole));
    }
    request.logprobs = boolean(config, "responseLogprobs")?;
    request.top_logprobs = unsigned(config, "logprobs")?;
    strings(config, "stopSequences", &mut request.stop)?;
    format(config, request)?;
    if let Some(thinking) = object(config, "thinkingConfig")? {
        request.reasoning = reasoning(&thinking)?;
    }
    modalities(config, request)?;
    keep(config, KNOWN_CONFIG, request);
    Ok(())
}

fn format(config: &Value<'_>, request: &mut Request) -> Result<(), Error> {
    let schema = match get(config, "responseJsonSchema") {
        Some(schema) => Some(schema.keep()),
        None => object(config, "responseSchema")?.map(|schema| schema::to_json(&schema)),
    };
    let kind = string(config, "responseMimeType")?;
    request.format = match (schema, kind.as_deref()) {
        (_, Some("text/plain")) => Some(Format::Text),
        // Every answer is held to the schema.
        (Some(schema), None | Some("application/json")) => {
            Some(Format::JsonSchema { name: None, description: None, schema, strict: Some(true) })
        }
        (None, Some("application/json")) => Some(Format::JsonObject),
        (None, None) => None,
        _ => {
            let named = |name: &str| get(config, name).map(|value| (name.to_owned(), value.keep()));
            request
                .extra
                .extend(["responseMimeType", "responseSchema", "responseJsonSchema"].into_iter().filter_map(named));
            None
        }
    };
    Ok(())
}

fn reasoning(thinking: &Value<'_>) -> Result<Option<Reasoning>, Error> {
    let mut reasoning = Reasoning::default();
    match get(thinking, "thinkingBudget") {
        None => {}
        Some(budget) if budget.raw() == "-1" => reasoning.adaptive = true,
        Some(budget) => match budget.count() {
            Some(0) => reasoning.effort = Some(Effort::None),
            Some(tokens) => reasoning.budget = Some(tokens),
            None => return Err(budget.error("must be a whole number, or -1")),
        },
    }
    if let Some(level) = string(thinking, "thinkingLevel")? {
        reasoning.effort = match level.to_ascii_uppercase().as_str() {
            "MINIMAL" => Some(Effort::Minimal),
            "LOW" => Some(Effort::Low),
            "MEDIUM" => Some(Effort::Medium),
            "HIGH" => Some(Effort::High),
            _ => reasoning.effort,
        };
    }
    match boolean(thinking, "includeThoughts")? {
        Some(true) => reasoning.display = Some("summarized".to_owned()),
        Some(false) => reasoning.display = Some("omitted".to_owned()),
        None => {}
    }
    if reasoning.effort.is_none() && reasoning.budget.is_none() && !reasoning.adaptive {
        // Only what is shown is said: models that think by themselves go on to do so.
        if reasoning.display.as_deref() != Some("summarized") {
            return Ok(None);
        }
        reasoning.adaptive = true;
    }
    Ok(Some(reasoning))
}

/// Text alone is what every model gives. The rest is kept under the name that it has elsewhere.
fn modalities(config: &Value<'_>, request: &mut Request) -> Result<(), Error> {
    let Some(all) = list(config, "responseModalities")? else { return Ok(()) };
    let (mut other, mut drawn) = (false, false);
    let mut out = vec![b'['];
    for modality in all.items() {
        let word = modality.text().ok_or_else(|| modality.wrong("a string"))?.to_ascii_lowercase();
        other |= word != "text";
        drawn |= !matches!(&*word, "text" | "audio");
        crate::json::write::comma(&mut out);
        crate::json::quote(&mut out, &word);
    }
    out.push(b']');
    if drawn {
        request.losses.meaning("modalities", "the model's API answers in text only");
    } else if other {
        request.extra.push(("modalities".to_owned(), raw(String::from_utf8(out).unwrap_or_default())));
    }
    Ok(())
}
