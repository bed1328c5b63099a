//! Tools and the choice among them.

use super::block::{self, OWN};
use super::family::Family;
use super::parts::Points;
use crate::chat::{Losses, Part, Request, Tool, ToolChoice};
use crate::error::Error;
use crate::json::write::{comma, field, flag, raw, text};
use crate::json::{Tree, Value, quote};
use std::borrow::Cow;

/// The name of the tool that stands in for a JSON schema.
pub(super) const SCHEMA_TOOL: &str = "answer";

pub(super) fn read(body: Value<'_>, request: &mut Request) -> Result<(), Error> {
    let Some(config) = body.object("toolConfig")? else { return Ok(()) };
    if let Some(tools) = config.list("tools")? {
        for tool in tools.items() {
            if !tool.is_object() {
                return Err(tool.wrong("an object"));
            }
            match (tool.object("cachePoint")?, request.tools.last_mut()) {
                (None, _) => request.tools.push(one(tool)?),
                (Some(point), Some(last)) => last.cache = Some(block::cache(point)?),
                (Some(_), None) => {}
            }
        }
    }
    let Some(choice) = config.object("toolChoice")? else { return Ok(()) };
    request.tool_choice = if choice.get("any").is_some() {
        Some(ToolChoice::Required)
    } else if let Some(tool) = choice.object("tool")? {
        Some(ToolChoice::Named(tool.need("name")?.into_owned()))
    } else if choice.get("auto").is_some() {
        Some(ToolChoice::Auto)
    } else {
        return Err(choice.error("must have one of auto, any and tool"));
    };
    Ok(())
}

fn one(tool: Value<'_>) -> Result<Tool, Error> {
    let Some(spec) = tool.object("toolSpec")? else {
        let kind = tool.members().next().map(|(name, _)| name.text()).unwrap_or_default();
        let vendor = Some([OWN, &kind].concat());
        let name = tool.at(&["systemTool", "name"]).and_then(|name| name.text()).unwrap_or_default().into_owned();
        return Ok(Tool { name, description: None, schema: Some(tool.keep()), strict: None, cache: None, vendor });
    };
    let schema = spec.object("inputSchema")?.ok_or_else(|| spec.missing("inputSchema"))?;
    Ok(Tool {
        name: spec.need("name")?.into_owned(),
        description: spec.string("description")?.map(Cow::into_owned),
        schema: schema.object("json")?.map(|schema| schema.keep()),
        strict: spec.boolean("strict")?,
        cache: None,
        vendor: None,
    })
}

/// Writes `toolConfig`. `stand_in`: the schema that a forced tool stands in for, and its description.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Request,
    stand_in: Option<(&str, Option<&str>)>,
    family: &Family,
    points: &mut Points,
    losses: &mut Losses,
) {
    if let Some((schema, description)) = stand_in {
        raw(out, "toolConfig", "{\"tools\":[");
        declare(out, SCHEMA_TOOL, Some(description.unwrap_or("Gives the answer, in the form that is asked for.")));
        input_schema(out, Some(schema));
        out.extend_from_slice(b"}}],\"toolChoice\":{\"tool\":{\"name\":\"answer\"}}}");
        return;
    }
    let barred = request.tool_choice == Some(ToolChoice::None);
    let history = called(request);
    let mut list = vec![b'['];
    if !barred || (!history.is_empty() && family.claude().is_some()) {
        for tool in &request.tools {
            if allowed(request, tool) {
                declared(&mut list, tool, family, points, losses);
            }
        }
    }
    if barred && !request.tools.is_empty() {
        losses.hint("tool_choice", "tools that may not be called are not offered");
    }
    let offered = list.len() > 1;
    if !offered {
        // Calls in the history are refused unless their tools are declared.
        for name in &history {
            declare(&mut list, name, None);
            input_schema(&mut list, None);
            list.extend_from_slice(b"}}");
        }
    }
    if list.len() == 1 {
        return;
    }
    list.push(b']');
    raw(out, "toolConfig", "{");
    field(out, "tools");
    out.extend_from_slice(&list);
    if offered {
        choose(out, request, family, losses);
    }
    out.push(b'}');
}

/// A list of names is of functions: a tool that the provider runs is none.
fn allowed(request: &Request, tool: &Tool) -> bool {
    match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => tool.vendor.is_some() || names.contains(&tool.name),
        _ => true,
    }
}

/// A tool that this API can say.
fn has_place(tool: &Tool) -> bool {
    tool.vendor.as_ref().is_none_or(|kind| kind.starts_with(OWN))
}

/// No call is wanted, and tools must be declared for the calls of the history.
pub(super) fn must_bar(request: &Request) -> bool {
    let offered = request.tools.iter().any(|tool| has_place(tool) && allowed(request, tool));
    (!offered || request.tool_choice == Some(ToolChoice::None)) && !called(request).is_empty()
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

/// Opens a tool's object, up to its schema.
fn declare(out: &mut Vec<u8>, name: &str, description: Option<&str>) {
    comma(out);
    out.extend_from_slice(b"{\"toolSpec\":{");
    text(out, "name", name);
    if let Some(description) = description.filter(|text| !text.is_empty()) {
        text(out, "description", description);
    }
}

fn declared(list: &mut Vec<u8>, tool: &Tool, family: &Family, points: &mut Points, losses: &mut Losses) {
    if tool.vendor.is_some() {
        match &tool.schema {
            Some(whole) if has_place(tool) => {
                comma(list);
                list.extend_from_slice(whole.get().as_bytes());
            }
            _ => losses.meaning("tools", "the model's API has no tool of this type"),
        }
        return;
    }
    declare(list, &tool.name, tool.description.as_deref());
    input_schema(list, tool.schema.as_ref().map(|schema| schema.get()));
    if tool.strict == Some(true) {
        if family.schemas() {
            flag(list, "strict", true);
        } else {
            losses.hint("strict", "the model cannot be held to this tool's schema");
        }
    }
    list.extend_from_slice(b"}}");
    points.write(list, tool.cache.as_ref(), family.caches_tools(), losses);
}

/// The schema of a tool's input must be an object's; other APIs let the type be left out.
fn input_schema(out: &mut Vec<u8>, schema: Option<&str>) {
    raw(out, "inputSchema", "{\"json\":");
    let mut tree = Tree::default();
    match schema.and_then(|text| tree.read(text.as_bytes()).ok()).filter(Value::is_object) {
        None => out.extend_from_slice(b"{\"type\":\"object\",\"properties\":{}}"),
        Some(schema) if schema.get("type").is_some_and(|kind| kind.is("object")) => {
            out.extend_from_slice(schema.raw().as_bytes());
        }
        Some(schema) => {
            out.extend_from_slice(b"{\"type\":\"object\"");
            for (name, value) in schema.members().filter(|(name, _)| !name.is("type")) {
                out.push(b',');
                quote(out, &name.text());
                out.push(b':');
                out.extend_from_slice(value.raw().as_bytes());
            }
            out.push(b'}');
        }
    }
    out.push(b'}');
}

fn choose(out: &mut Vec<u8>, request: &Request, family: &Family, losses: &mut Losses) {
    let forced = match &request.tool_choice {
        None | Some(ToolChoice::None) => return,
        // Said with the model's own fields.
        Some(ToolChoice::Auto) if family.claude().is_some() && request.parallel_tools == Some(false) => return,
        Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => {
            raw(out, "toolChoice", "{\"auto\":{}}");
            return;
        }
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => None,
        Some(ToolChoice::Named(name)) => Some(name),
    };
    if !family.chooses() {
        losses.meaning("tool_choice", "the model cannot be told to call a tool");
        return;
    }
    match forced {
        None => raw(out, "toolChoice", "{\"any\":{}}"),
        Some(name) => {
            raw(out, "toolChoice", "{\"tool\":{");
            text(out, "name", name);
            out.extend_from_slice(b"}}");
        }
    }
}

/// A tool must be called: not possible while thinking.
pub(super) fn forced(request: &Request) -> bool {
    matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. })
    ) && !request.tools.is_empty()
}
