//! A client's request, read.

use super::messages::{Message, turns};
use super::wire::{OneOrMany, Text, object, read};
use crate::chat::{Effort, Format, Reasoning, Request, Tool, ToolChoice, Verbosity};
use crate::error::Error;
use crate::json::Object;
use serde_json::Number;
use serde_json::value::RawValue;

object!(Body {
    model: Text<'a>,
    messages: Vec<Message<'a>>,
    tools: Vec<ToolIn<'a>>,
    functions: Vec<FunctionIn<'a>>,
    tool_choice: &'a RawValue,
    function_call: &'a RawValue,
    parallel_tool_calls: bool,
    max_tokens: u64,
    max_completion_tokens: u64,
    stop: OneOrMany<'a, Text<'a>>,
    temperature: Number,
    top_p: Number,
    top_k: Number,
    seed: Number,
    frequency_penalty: Number,
    presence_penalty: Number,
    n: u64,
    logprobs: bool,
    top_logprobs: u64,
    logit_bias: &'a RawValue,
    response_format: FormatIn<'a>,
    reasoning_effort: Text<'a>,
    reasoning: ReasoningIn<'a>,
    thinking: ThinkingIn<'a>,
    verbosity: Text<'a>,
    user: Text<'a>,
    metadata: std::collections::BTreeMap<String, Text<'a>>,
    service_tier: Text<'a>,
    stream: bool,
    stream_options: StreamOptions<'a>,
    cache_control: &'a RawValue,
});

/// The members of [`Body`]: all others are `extra`.
const KNOWN: [&str; 31] = [
    "model",
    "messages",
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "parallel_tool_calls",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "n",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "response_format",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "verbosity",
    "user",
    "metadata",
    "service_tier",
    "stream",
    "stream_options",
    "cache_control",
];

object!(ToolIn {
    kind as "type": Text<'a>,
    function: FunctionIn<'a>,
    cache_control: &'a RawValue,
});

object!(FunctionIn {
    name: Text<'a>,
    description: Text<'a>,
    parameters: &'a RawValue,
    strict: bool,
});

object!(FormatIn {
    kind as "type": Text<'a>,
    json_schema: SchemaIn<'a>,
});

object!(SchemaIn {
    name: Text<'a>,
    description: Text<'a>,
    schema: &'a RawValue,
    strict: bool,
});

object!(ReasoningIn {
    effort: Text<'a>,
    max_tokens: u64,
    enabled: bool,
    exclude: bool,
});

object!(ThinkingIn {
    kind as "type": Text<'a>,
    budget_tokens: u64,
});

object!(StreamOptions { include_usage: bool });

object!(ChoiceIn {
    kind as "type": Text<'a>,
    name: Text<'a>,
    function: Named<'a>,
    custom: Named<'a>,
    allowed_tools: AllowedIn<'a>,
});

object!(Named {
    name: Text<'a>,
});

object!(AllowedIn {
    mode: Text<'a>,
    tools: Vec<ChoiceIn<'a>>,
});

pub(super) fn request(object: &Object<'_>) -> Result<Request, Error> {
    let body: Body<'_> = read(object.text())?;
    let model = body.model.map(Text::owned).filter(|m| !m.is_empty());
    let model = model.ok_or_else(|| Error::field("model", "is missing"))?;
    let messages = body.messages.filter(|m| !m.is_empty());
    let messages = messages.ok_or_else(|| Error::field("messages", "is missing or empty"))?;

    let mut tools = tools(object, body.tools.unwrap_or_default())?;
    for (n, function) in body.functions.unwrap_or_default().into_iter().enumerate() {
        tools.push(tool(function, None, || format!("functions[{n}]"))?);
    }
    let tool_choice = match (body.tool_choice, body.function_call) {
        (Some(raw), _) => Some(choice(raw.get(), "tool_choice")?),
        (None, Some(raw)) => Some(choice(raw.get(), "function_call")?),
        (None, None) => None,
    };
    let mut extra = Vec::new();
    for (name, raw) in object.members().filter(|(name, raw)| !KNOWN.contains(name) && *raw != "null") {
        let raw = RawValue::from_string(raw.to_owned()).map_err(|_| Error::field(name, "is not valid JSON"))?;
        extra.push((name.to_owned(), raw));
    }
    Ok(Request {
        model,
        turns: turns(object.text(), messages)?,
        tools,
        tool_choice,
        parallel_tools: body.parallel_tool_calls,
        max_tokens: body.max_completion_tokens.or(body.max_tokens),
        stop: match body.stop {
            None => Vec::new(),
            Some(OneOrMany::One(stop)) => vec![stop.into_owned()],
            Some(OneOrMany::Many(all)) => all.into_iter().map(Text::owned).collect(),
        },
        temperature: body.temperature,
        top_p: body.top_p,
        top_k: body.top_k,
        seed: body.seed,
        frequency_penalty: body.frequency_penalty,
        presence_penalty: body.presence_penalty,
        n: body.n,
        logprobs: body.logprobs,
        top_logprobs: body.top_logprobs,
        logit_bias: body.logit_bias.map(ToOwned::to_owned),
        format: body.response_format.map(format).transpose()?,
        reasoning: reasoning(body.reasoning_effort, body.reasoning, body.thinking)?,
        verbosity: match body.verbosity.as_ref().map(|v| &*v.0) {
            None => None,
            Some("low") => Some(Verbosity::Low),
            Some("medium") => Some(Verbosity::Medium),
            Some("high") => Some(Verbosity::High),
            Some(_) => return Err(Error::field("verbosity", "must be low, medium or high")),
        },
        user: body.user.map(Text::owned),
        metadata: body.metadata.unwrap_or_default().into_iter().map(|(k, v)| (k, v.owned())).collect(),
        service_tier: body.service_tier.map(Text::owned),
        cache: body.cache_control.map(ToOwned::to_owned),
        stream: body.stream.unwrap_or_default(),
        stream_usage: body.stream_options.and_then(|o| o.include_usage).unwrap_or_default(),
        extra,
    })
}

fn tools(object: &Object<'_>, all: Vec<ToolIn<'_>>) -> Result<Vec<Tool>, Error> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    // The text of a tool that only its own vendor knows is kept whole.
    let mut raws = crate::json::each(object.raw("tools").unwrap_or_default());
    let mut tools = Vec::with_capacity(all.len());
    for (n, one) in all.into_iter().enumerate() {
        let raw = raws.next();
        match (one.function, one.kind) {
            (Some(function), _) => tools.push(tool(function, one.cache_control, || format!("tools[{n}].function"))?),
            (None, Some(kind)) if kind.0 != "function" => tools.push(Tool {
                name: String::new(),
                description: None,
                schema: raw.and_then(|raw| RawValue::from_string(raw.to_owned()).ok()),
                strict: None,
                cache: one.cache_control.map(ToOwned::to_owned),
                vendor: Some(kind.owned()),
            }),
            _ => return Err(Error::field(format!("tools[{n}].function"), "is missing")),
        }
    }
    Ok(tools)
}

fn tool(function: FunctionIn<'_>, cache: Option<&RawValue>, path: impl Fn() -> String) -> Result<Tool, Error> {
    let name = function.name.map(Text::owned).filter(|n| !n.is_empty());
    Ok(Tool {
        name: name.ok_or_else(|| Error::field(format!("{}.name", path()), "is missing"))?,
        description: function.description.map(Text::owned),
        schema: function.parameters.map(ToOwned::to_owned),
        strict: function.strict,
        cache: cache.map(ToOwned::to_owned),
        vendor: None,
    })
}

fn choice(raw: &str, path: &str) -> Result<ToolChoice, Error> {
    if raw.starts_with('"') {
        let word: Text<'_> = read(raw)?;
        return match &*word.0 {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" | "any" => Ok(ToolChoice::Required),
            _ => Err(Error::field(path, "must be none, auto, required or an object that names a tool")),
        };
    }
    if !raw.starts_with('{') {
        return Err(Error::field(path, format!("must be a string or an object, not {}", crate::json::kind(raw))));
    }
    let given: ChoiceIn<'_> = read(raw).map_err(|e| within(e, path))?;
    if let Some(allowed) = given.allowed_tools {
        let names = allowed.tools.unwrap_or_default().into_iter().filter_map(chosen).collect();
        let required = allowed.mode.is_some_and(|m| m.0 == "required");
        return Ok(ToolChoice::Allowed { names, required });
    }
    match given.kind.as_ref().map(|k| &*k.0) {
        Some("auto") => Ok(ToolChoice::Auto),
        Some("none") => Ok(ToolChoice::None),
        Some("required" | "any") => Ok(ToolChoice::Required),
        _ => chosen(given).map(ToolChoice::Named).ok_or_else(|| Error::field(path, "names no tool")),
    }
}

fn chosen(choice: ChoiceIn<'_>) -> Option<String> {
    let within = choice.function.or(choice.custom).and_then(|named| named.name);
    within.or(choice.name).map(Text::owned)
}

/// The error of a part of the body that was read apart.
fn within(mut error: Error, path: &str) -> Error {
    error.param = Some(match error.param.filter(|p| !p.is_empty()) {
        None => path.to_owned(),
        Some(inner) => format!("{path}.{inner}"),
    });
    error
}

fn format(given: FormatIn<'_>) -> Result<Format, Error> {
    match given.kind.as_ref().map(|k| &*k.0) {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::JsonObject),
        Some("json_schema") => {
            let given = given.json_schema.unwrap_or_default();
            let schema =
                given.schema.ok_or_else(|| Error::field("response_format.json_schema.schema", "is missing"))?;
            Ok(Format::JsonSchema {
                name: given.name.map(Text::owned),
                description: given.description.map(Text::owned),
                schema: schema.to_owned(),
                strict: given.strict,
            })
        }
        _ => Err(Error::field("response_format.type", "must be text, json_object or json_schema")),
    }
}

/// `reasoning_effort` is this API's; `reasoning` and `thinking` are what aggregators and vendors added.
fn reasoning(
    effort: Option<Text<'_>>,
    nested: Option<ReasoningIn<'_>>,
    thinking: Option<ThinkingIn<'_>>,
) -> Result<Option<Reasoning>, Error> {
    if effort.is_none() && nested.is_none() && thinking.is_none() {
        return Ok(None);
    }
    let mut found = Reasoning::default();
    if let Some(given) = thinking {
        match given.kind.as_ref().map(|k| &*k.0) {
            Some("disabled") => found.effort = Some(Effort::None),
            Some("enabled") if given.budget_tokens.is_some() => found.budget = given.budget_tokens,
            Some("enabled" | "adaptive" | "auto") => found.adaptive = true,
            Some(_) => return Err(Error::field("thinking.type", "must be enabled, disabled or adaptive")),
            None => found.budget = given.budget_tokens,
        }
    }
    if let Some(given) = nested {
        if let Some(named) = given.effort {
            found.effort = self::effort(&named.0, "reasoning.effort")?;
        }
        found.budget = given.max_tokens.or(found.budget);
        match given.enabled {
            Some(false) => found.effort = Some(Effort::None),
            Some(true) if found.effort.is_none() && found.budget.is_none() => found.adaptive = true,
            _ => {}
        }
        if given.exclude == Some(true) {
            found.display = Some("omitted".to_owned());
        }
    }
    if let Some(named) = effort {
        found.effort = self::effort(&named.0, "reasoning_effort")?;
    }
    Ok((found != Reasoning::default()).then_some(found))
}

fn effort(name: &str, path: &str) -> Result<Option<Effort>, Error> {
    Ok(Some(match name {
        "none" => Effort::None,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        "default" => return Ok(None),
        _ => return Err(Error::field(path, "must be none, minimal, low, medium, high, xhigh or max")),
    }))
}
