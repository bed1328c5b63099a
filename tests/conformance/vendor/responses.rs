use super::Vendor;
use crate::facts::{Call, End, Ending, Facts};
use crate::json::{Value, arguments, events, list, number, parse, text};
use crate::request::{Asks, Item, Pick, Side, Tool, media};
use sluice::chat::Usage;

pub const VENDOR: Vendor = Vendor {
    name: "openai-responses",
    asks,
    answer,
    stream,
    schemas: [
        "openai.responses.request",
        "openai.responses.response.lenient",
        "openai.responses.event.lenient",
        "openai.error",
    ],
    models: &["gpt-5.2", "gpt-4o"],
    known: &[
        "model",
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "stream",
        "stream_options",
        "max_output_tokens",
        "temperature",
        "top_p",
        "text",
        "reasoning",
        "include",
        "user",
        "metadata",
        "service_tier",
    ],
    last: "response.completed",
};

fn failed(response: &Value) -> bool {
    !response["error"].is_null() || matches!(text(response, "status"), "failed" | "cancelled")
}

fn answer(body: &Value) -> Facts {
    let mut facts = Facts { model: text(body, "model").to_owned(), usage: usage(body), ..Facts::default() };
    if failed(body) || !body["output"].is_array() || matches!(text(body, "status"), "queued" | "in_progress") {
        facts.ending = Ending::Failed;
        return facts;
    }
    let choice = facts.choice(0);
    for item in list(&body["output"]) {
        match text(item, "type") {
            "message" => {
                for part in list(&item["content"]) {
                    choice.text.push_str(text(part, "text"));
                    choice.refusal.push_str(text(part, "refusal"));
                }
            }
            "function_call" => choice.calls.push(Call::new(text(item, "name"), text(item, "arguments"))),
            "reasoning" => {
                let texts =
                    |name: &str| -> Vec<&str> { list(&item[name]).iter().map(|part| text(part, "text")).collect() };
                let summary = texts("summary").join("\n\n");
                let own = texts("content").join("\n\n");
                choice.thinking.push_str(if summary.is_empty() { &own } else { &summary });
            }
            _ => {}
        }
    }
    choice.end = match text(&body["incomplete_details"], "reason") {
        "content_filter" => End::Refused,
        "" if !choice.calls.is_empty() => End::Calls,
        "" if !choice.refusal.is_empty() => End::Refused,
        "" => End::Stop,
        _ => End::Length,
    };
    facts
}

fn usage(body: &Value) -> Option<Usage> {
    let usage = &body["usage"];
    usage.as_object()?;
    let (input, output) = (&usage["input_tokens_details"], &usage["output_tokens_details"]);
    Some(Usage {
        input: number(&usage["input_tokens"]),
        cached_input: number(&input["cached_tokens"]),
        cache_write: number(&input["cache_write_tokens"]),
        output: number(&usage["output_tokens"]),
        reasoning: number(&output["reasoning_tokens"]),
        ..Usage::default()
    })
}

/// The last event has the whole answer; of a stream that broke off there is what its events say.
fn stream(sse: &str) -> Facts {
    let mut facts = Facts { ending: Ending::Failed, ..Facts::default() };
    let mut items: Vec<(u64, Value)> = Vec::new();
    for (_, data) in events(sse) {
        let Ok(event) = parse(&data) else { continue };
        let place = number(&event["output_index"]);
        let mut more = |name: &str| {
            let Some((_, item)) = items.iter_mut().rfind(|(at, _)| *at == place) else { return };
            item[name] = format!("{}{}", text(item, name), text(&event, "delta")).into();
        };
        match text(&event, "type") {
            "response.created" => facts.model = text(&event["response"], "model").to_owned(),
            "response.output_item.added" => items.push((place, event["item"].clone())),
            "response.output_item.done" => {
                items.retain(|(at, _)| *at != place);
                items.push((place, event["item"].clone()));
            }
            "response.output_text.delta" => more("said"),
            "response.refusal.delta" => more("refused"),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => more("thought"),
            "response.function_call_arguments.delta" => more("arguments"),
            "response.completed" | "response.incomplete" if !failed(&event["response"]) => {
                let mut response = event["response"].clone();
                // A vendor leaves the output out of it.
                if list(&response["output"]).is_empty() {
                    response["output"] = items.into_iter().map(|(_, item)| item).collect();
                }
                return Facts { model: facts.model, ..answer(&response) };
            }
            "error" | "response.failed" => break,
            _ => {}
        }
    }
    items.sort_by_key(|(at, _)| *at);
    for (_, item) in &mut items {
        match text(item, "type") {
            "message" if list(&item["content"]).is_empty() => {
                item["content"] = serde_json::json!([{"text": item["said"], "refusal": item["refused"]}]);
            }
            "reasoning" if list(&item["summary"]).is_empty() && list(&item["content"]).is_empty() => {
                item["summary"] = serde_json::json!([{"text": item["thought"]}]);
            }
            _ => {}
        }
    }
    if items.is_empty() {
        return facts;
    }
    let output: Value = items.into_iter().map(|(_, item)| item).collect();
    let mut choices = answer(&serde_json::json!({ "output": output })).choices;
    choices.iter_mut().for_each(|choice| choice.end = End::Stop);
    Facts { choices, ..facts }
}

fn asks(body: &Value) -> Asks {
    let mut asks = Asks::default();
    match &body["instructions"] {
        Value::String(told) => asks.system.push(told.clone()),
        many => items(list(many), &mut asks),
    }
    match &body["input"] {
        Value::String(said) => asks.item(Side::User, Item::Text(said.clone())),
        many => items(list(many), &mut asks),
    }
    for tool in list(&body["tools"]) {
        match text(tool, "type") {
            "function" => asks.tools.push(Tool::new(text(tool, "name"), tool, &tool["parameters"])),
            kind => asks.others.push(kind.to_owned()),
        }
    }
    for name in ["previous_response_id", "conversation", "prompt"] {
        if !body[name].is_null() {
            asks.others.push(name.to_owned());
        }
    }
    if body["background"] == true {
        asks.others.push("background".to_owned());
    }
    asks.pick = match &body["tool_choice"] {
        Value::String(word) if word == "none" => Pick::None,
        Value::String(word) if word == "required" => Pick::Some,
        Value::Object(chosen) => match chosen["type"].as_str().unwrap_or_default() {
            "function" => Pick::Named(chosen["name"].as_str().unwrap_or_default().to_owned()),
            "allowed_tools" => Pick::Allowed,
            kind => {
                asks.others.push(kind.to_owned());
                Pick::Free
            }
        },
        _ => Pick::Free,
    };
    asks.one_call = body["parallel_tool_calls"] == false;
    asks.max_tokens = body["max_output_tokens"].as_u64();
    asks.temperature = body["temperature"].as_f64();
    asks.top_p = body["top_p"].as_f64();
    asks.stream = body["stream"] == true;
    asks.schema = Some(&body["text"]["format"]["schema"]).filter(|s| !s.is_null()).cloned();
    asks.thinks_now = body["reasoning"]["effort"].as_str().is_some_and(|effort| effort != "none");
    asks
}

fn items(all: &[Value], asks: &mut Asks) {
    for item in all {
        match text(item, "type") {
            "" | "message" => message(item, asks),
            "function_call" => {
                let (id, name) = (text(item, "call_id").to_owned(), text(item, "name").to_owned());
                let arguments = arguments(text(item, "arguments"));
                asks.item(Side::Assistant, Item::Call { id, name, arguments });
            }
            "function_call_output" => {
                let (mut said, mut shown) = (String::new(), Vec::new());
                for (item, kind) in parts(&item["output"]) {
                    match item {
                        Some(Item::Text(text)) => said.push_str(&text),
                        other => shown.push((other, kind)),
                    }
                }
                asks.item(Side::User, Item::Result { id: text(item, "call_id").to_owned(), text: said });
                shown.into_iter().for_each(|(item, kind)| asks.part(Side::User, item, &kind));
            }
            "reasoning" => {
                let says = |name: &str| list(&item[name]).iter().any(|part| !text(part, "text").is_empty());
                asks.thinks |= says("summary") || says("content") || item["encrypted_content"].is_string();
            }
            kind => asks.others.push(kind.to_owned()),
        }
    }
}

fn message(item: &Value, asks: &mut Asks) {
    let role = text(item, "role");
    for (part, kind) in parts(&item["content"]) {
        match (role, part) {
            ("system" | "developer", Some(Item::Text(told))) => asks.system.push(told),
            ("assistant", part) => asks.part(Side::Assistant, part, &kind),
            (_, part) => asks.part(Side::User, part, &kind),
        }
    }
}

/// What a string or a list of parts says, with each part's type.
fn parts(content: &Value) -> Vec<(Option<Item>, String)> {
    match content {
        Value::String(plain) => vec![(Some(Item::Text(plain.clone())), "text".to_owned())],
        many => list(many).iter().map(|part| (item(part), text(part, "type").to_owned())).collect(),
    }
}

fn item(part: &Value) -> Option<Item> {
    match text(part, "type") {
        "input_text" | "output_text" | "reasoning_text" => Some(Item::Text(text(part, "text").to_owned())),
        "refusal" => Some(Item::Text(text(part, "refusal").to_owned())),
        "input_image" if !part["image_url"].is_null() => Some(Item::Image(media(text(part, "image_url")))),
        "input_file" => {
            let from = [&part["file_data"], &part["file_url"]].into_iter().find_map(Value::as_str)?;
            Some(Item::Document(media(from)))
        }
        _ => None,
    }
}
