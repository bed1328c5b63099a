//! Tools and which of them to call: read and written.

use super::wire::{items, kept, named, need, object};
use crate::chat::{Losses, Request, Tool, ToolChoice};
use crate::error::Error;
use crate::json::{Raw, Value, write as put};

pub(super) fn read(body: &Value<'_>) -> Result<Vec<Tool>, Error> {
    let mut tools = Vec::new();
    for one in items(body, "tools")? {
        let kind = need(object(&one)?, "type")?;
        if kind != "function" {
            let mut kind = kind.into_owned();
            if kind == "custom" {
                // Chat Completions has a tool of this name in another form.
                kind.push_str("_tool");
            }
            tools.push(Tool {
                name: kept(&one, "name")?.unwrap_or_default(),
                description: None,
                schema: Some(one.keep()),
                strict: None,
                cache: None,
                vendor: Some(kind),
            });
            continue;
        }
        // Chat Completions has the function one level deeper; clients of it are often moved here as they are.
        let function = one.object("function")?.unwrap_or(one);
        let schema = function.object("parameters")?;
        let strict = match function.boolean("strict")? {
            // This API closes a schema by itself where it can: only one that is closed says the same elsewhere.
            None => schema.as_ref().is_some_and(closed),
            Some(strict) => strict,
        };
        tools.push(Tool {
            name: named(&function, "name")?,
            description: kept(&function, "description")?,
            schema: schema.map(|schema| schema.keep()),
            strict: Some(strict),
            cache: None,
            vendor: None,
        });
    }
    Ok(tools)
}

/// Are all objects of the schema closed, and all their properties required? Nesting is bounded by the reading.
fn closed(schema: &Value<'_>) -> bool {
    if schema.is_list() {
        return schema.items().all(|one| closed(&one));
    }
    let within = || schema.members().all(|(_, value)| closed(&value));
    let Some(properties) = schema.get("properties").filter(Value::is_object) else {
        let object = schema.get("type").is_some_and(|kind| kind.is("object"));
        return (!object || shut(schema)) && within();
    };
    let required = |name: &str| schema.get("required").is_some_and(|all| all.items().any(|one| one.is(name)));
    shut(schema) && properties.members().all(|(name, _)| required(&name.text())) && within()
}

fn shut(schema: &Value<'_>) -> bool {
    schema.get("additionalProperties").is_some_and(|more| more.truth() == Some(false))
}

pub(super) fn read_choice(body: &Value<'_>, losses: &mut Losses) -> Result<Option<ToolChoice>, Error> {
    let Some(given) = body.get("tool_choice") else { return Ok(None) };
    if let Some(word) = given.text() {
        return Ok(Some(match &*word {
            "none" => ToolChoice::None,
            "auto" => ToolChoice::Auto,
            "required" => ToolChoice::Required,
            _ => return Err(given.error("must be none, auto, required or an object that names a tool")),
        }));
    }
    if !given.is_object() {
        return Err(given.wrong("a string or an object"));
    }
    Ok(match &*need(&given, "type")? {
        "function" => Some(ToolChoice::Named(chosen(&given)?)),
        "allowed_tools" => {
            let allowed = given.object("allowed_tools")?.unwrap_or(given);
            let mut names = Vec::new();
            for tool in items(&allowed, "tools")? {
                if object(&tool)?.string("type")?.is_some_and(|kind| kind == "function") {
                    names.push(chosen(&tool)?);
                } else {
                    losses.meaning("tool_choice", "a tool that only the Responses API has");
                }
            }
            Some(ToolChoice::Allowed { names, required: allowed.string("mode")?.as_deref() == Some("required") })
        }
        _ => {
            losses.meaning("tool_choice", "a tool that only the Responses API has");
            None
        }
    })
}

fn chosen(choice: &Value<'_>) -> Result<String, Error> {
    named(&choice.object("function")?.unwrap_or(*choice), "name")
}

pub(super) fn write(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    if request.tools.is_empty() {
        if matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_))) {
            losses.meaning("tool_choice", "it names a tool, and there are no tools");
        }
        return;
    }
    let mut list = vec![b'['];
    for tool in &request.tools {
        if tool.cache.is_some() {
            losses.hint("cache_control", "this API caches prompts by itself");
        }
        match &tool.vendor {
            None => one(&mut list, tool),
            Some(_) => losses.meaning("tools", "a tool that only another provider runs"),
        }
    }
    if list.len() == 1 {
        return;
    }
    put::field(out, "tools");
    out.extend_from_slice(&list);
    out.push(b']');
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => put::text(out, "tool_choice", "auto"),
        Some(ToolChoice::None) => put::text(out, "tool_choice", "none"),
        Some(ToolChoice::Required) => put::text(out, "tool_choice", "required"),
        Some(ToolChoice::Named(name)) => {
            put::field(out, "tool_choice");
            choose(out, name);
        }
        Some(ToolChoice::Allowed { names, required }) => {
            put::raw(out, "tool_choice", r#"{"type":"allowed_tools""#);
            put::text(out, "mode", if *required { "required" } else { "auto" });
            put::raw(out, "tools", "[");
            for name in names {
                put::comma(out);
                choose(out, name);
            }
            out.extend_from_slice(b"]}");
        }
    }
    if let Some(parallel) = request.parallel_tools {
        put::flag(out, "parallel_tool_calls", parallel);
    }
}

fn choose(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(br#"{"type":"function""#);
    put::text(out, "name", name);
    out.push(b'}');
}

fn one(out: &mut Vec<u8>, tool: &Tool) {
    put::comma(out);
    out.extend_from_slice(br#"{"type":"function""#);
    put::text(out, "name", &tool.name);
    if let Some(description) = &tool.description {
        put::text(out, "description", description);
    }
    put::raw(out, "parameters", tool.schema.as_ref().map_or("null", Raw::get));
    // What is not said means yes here, and no elsewhere.
    put::flag(out, "strict", tool.strict.unwrap_or(false));
    out.push(b'}');
}
