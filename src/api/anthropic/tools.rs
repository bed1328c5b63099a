//! Tools and the choice among them.

use super::shared::claude::Abilities;
use super::shared::schema;
use crate::chat::{Losses, Part, Request, Tool, ToolChoice};
use crate::error::Error;
use crate::json::write::{comma, field, flag, raw, text};
use crate::json::{Tree, Value, quote};
use std::borrow::Cow;

/// What this API says of a tool that others can say too.
const KNOWN: &[&str] = &["type", "name", "description", "input_schema", "strict", "cache_control"];

pub(super) fn read(body: Value<'_>, losses: &mut Losses) -> Result<Vec<Tool>, Error> {
    body.list("tools")?.map_or(Ok(Vec::new()), |tools| tools.items().map(|one| tool(one, losses)).collect())
}

fn tool(tool: Value<'_>, losses: &mut Losses) -> Result<Tool, Error> {
    if !tool.is_object() {
        return Err(tool.wrong("an object"));
    }
    let string = |name: &str| Ok(tool.string(name)?.map(Cow::into_owned));
    let kind: Option<String> = string("type")?;
    let cache = tool.get("cache_control").map(|mark| mark.keep());
    let name: Option<String> = string("name")?;
    if let Some(kind) = kind.filter(|kind| kind != "custom") {
        let (name, schema) = (name.unwrap_or_default(), Some(tool.keep()));
        return Ok(Tool { name, description: None, schema, strict: None, cache, vendor: Some(kind) });
    }
    if tool.members().any(|(name, value)| !value.is_null() && !KNOWN.iter().any(|known| name.is(known))) {
        losses.hint("tool_options", "of a tool that only this API knows");
    }
    let schema = tool.object("input_schema")?.ok_or_else(|| tool.missing("input_schema"))?;
    Ok(Tool {
        name: name.ok_or_else(|| tool.missing("name"))?,
        description: string("description")?,
        schema: Some(schema.keep()),
        strict: tool.boolean("strict")?,
        cache,
        vendor: None,
    })
}

pub(super) fn read_choice(body: Value<'_>, request: &mut Request) -> Result<(), Error> {
    let Some(choice) = body.object("tool_choice")? else { return Ok(()) };
    request.tool_choice = Some(match &*choice.need("type")? {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(choice.need("name")?.into_owned()),
        _ => return Err(choice.at_member("type", "must be auto, any, tool or none")),
    });
    request.parallel_tools = choice.boolean("disable_parallel_tool_use")?.map(|no| !no);
    Ok(())
}

/// The name of the tool that stands in for a JSON schema.
const SCHEMA_TOOL: &str = "answer";

/// Writes `tools` and `tool_choice`. `stand_in`: the schema that a forced tool stands in for.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Request,
    stand_in: Option<(&str, Option<&str>)>,
    can: &Abilities,
    losses: &mut Losses,
) {
    if let Some((schema, description)) = stand_in {
        raw(out, "tools", "[");
        declare(out, SCHEMA_TOOL, Some(description.unwrap_or("Gives the answer, in the form that is asked for.")));
        field(out, "input_schema");
        input_schema(out, Some(schema));
        out.extend_from_slice(
            b"}],\"tool_choice\":{\"type\":\"tool\",\"name\":\"answer\",\"disable_parallel_tool_use\":true}",
        );
        return;
    }
    let allowed = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => Some(names),
        _ => None,
    };
    let mut list = vec![b'['];
    for tool in &request.tools {
        // One of another API's is refused, allowed or not.
        if tool.vendor.is_some() || allowed.is_none_or(|names| names.contains(&tool.name)) {
            one(&mut list, tool, can, losses);
        }
    }
    let offered = list.len() > 1;
    if !offered {
        // Calls in the history are refused unless some tool is declared.
        for name in called(request) {
            declare(&mut list, name, None);
            field(&mut list, "input_schema");
            input_schema(&mut list, None);
            list.push(b'}');
        }
    }
    if list.len() > 1 {
        list.push(b']');
        field(out, "tools");
        out.extend_from_slice(&list);
        choose(out, request, offered);
    }
}

/// Names of the tools that the history calls.
fn called(request: &Request) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for part in request.turns.iter().flat_map(|turn| &turn.parts) {
        match part {
            Part::ToolCall { name, .. } if !names.contains(&name.as_str()) => names.push(name),
            _ => {}
        }
    }
    names
}

/// Opens a tool's object.
fn declare(out: &mut Vec<u8>, name: &str, description: Option<&str>) {
    comma(out);
    out.push(b'{');
    text(out, "name", name);
    if let Some(description) = description.filter(|text| !text.is_empty()) {
        text(out, "description", description);
    }
}

fn one(out: &mut Vec<u8>, tool: &Tool, can: &Abilities, losses: &mut Losses) {
    if let Some(kind) = &tool.vendor {
        match &tool.schema {
            Some(whole) if dated(kind) => {
                comma(out);
                out.extend_from_slice(whole.get().as_bytes());
            }
            _ => losses.meaning("tools", "the model's API has no tool of this type"),
        }
        return;
    }
    declare(out, &tool.name, tool.description.as_deref());
    field(out, "input_schema");
    let schema = tool.schema.as_ref().map(|schema| schema.get());
    let strict = tool.strict == Some(true);
    match schema.filter(|_| strict && can.schemas).and_then(schema::tighten) {
        Some(tight) => {
            out.extend_from_slice(&tight.json);
            flag(out, "strict", true);
            if tight.loosened {
                losses.hint("schema_constraints", "constraints that the model is not held to are described to it");
            }
        }
        None => {
            input_schema(out, schema);
            if strict {
                losses.hint("strict", "the model cannot be held to this tool's schema");
            }
        }
    }
    if let Some(cache) = &tool.cache {
        raw(out, "cache_control", cache.get());
    }
    out.push(b'}');
}

/// This API's own tools carry a date: `web_search_20250305`.
fn dated(kind: &str) -> bool {
    kind == "mcp_toolset"
        || kind.rsplit_once('_').is_some_and(|(_, date)| date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()))
}

/// The schema of a tool's input must be an object's; other APIs let the type be left out.
fn input_schema(out: &mut Vec<u8>, schema: Option<&str>) {
    let mut tree = Tree::default();
    let Some(schema) = schema.and_then(|text| tree.read(text.as_bytes()).ok()).filter(Value::is_object) else {
        out.extend_from_slice(b"{\"type\":\"object\",\"properties\":{}}");
        return;
    };
    if schema.get("type").is_some_and(|kind| kind.is("object")) {
        out.extend_from_slice(schema.raw().as_bytes());
        return;
    }
    out.extend_from_slice(b"{\"type\":\"object\"");
    for (name, value) in schema.members().filter(|(name, _)| !name.is("type")) {
        out.push(b',');
        quote(out, &name.text());
        out.push(b':');
        out.extend_from_slice(value.raw().as_bytes());
    }
    out.push(b'}');
}

fn choose(out: &mut Vec<u8>, request: &Request, offered: bool) {
    let choice = if offered { request.tool_choice.as_ref() } else { Some(&ToolChoice::None) };
    let single = request.parallel_tools == Some(false);
    let kind = match choice {
        None if !single => return,
        None | Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => "auto",
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => "any",
        Some(ToolChoice::Named(_)) => "tool",
        Some(ToolChoice::None) => "none",
    };
    raw(out, "tool_choice", "{");
    text(out, "type", kind);
    if let Some(ToolChoice::Named(name)) = choice {
        text(out, "name", name);
    }
    if single && kind != "none" {
        flag(out, "disable_parallel_tool_use", true);
    }
    out.push(b'}');
}

/// A tool must be called: not possible while thinking.
pub(super) fn forced(request: &Request) -> bool {
    matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. })
    ) && !request.tools.is_empty()
}
