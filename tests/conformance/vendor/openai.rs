use super::Vendor;
use crate::facts::{Call, Choice, End, Ending, Facts};
use crate::json::{Value, arguments, events, list, number, parse, text};
use crate::request::{Asks, Item, Pick, Side, Tool, media};
use sluice::chat::Usage;

pub const VENDOR: Vendor = Vendor {
    name: "openai",
    asks,
    answer,
    stream,
    schemas: ["openai.chat.request", "openai.chat.response.lenient", "openai.chat.chunk.lenient", "openai.error"],
    models: &["gpt-5.2", "gpt-4o"],
    known: &[
        "model",
        "messages",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "temperature",
        "top_p",
        "response_format",
        "reasoning_effort",
        "reasoning",
        "thinking",
        "functions",
        "function_call",
        "user",
        "service_tier",
    ],
    last: "[DONE]",
};

fn end(reason: &Value, choice: &Choice) -> End {
    match reason.as_str().unwrap_or_default() {
        "length" | "max_tokens" | "model_length" => End::Length,
        "tool_calls" | "function_call" => End::Calls,
        "content_filter" => End::Refused,
        // A call that `tool_choice` names ends with `stop`.
        _ if !choice.calls.is_empty() => End::Calls,
        _ if !choice.refusal.is_empty() => End::Refused,
        _ => End::Stop,
    }
}

/// What a message says, or a chunk adds: all but its calls.
fn said(message: &Value, choice: &mut Choice) {
    choice.text.push_str(message["content"].as_str().unwrap_or_default());
    for piece in list(&message["content"]) {
        choice.text.push_str(text(piece, "text"));
        choice.thinking.push_str(text(piece, "thinking"));
        list(&piece["thinking"]).iter().for_each(|part| choice.thinking.push_str(text(part, "text")));
    }
    choice.refusal.push_str(text(message, "refusal"));
    let plain = message["reasoning_content"].as_str().or(message["reasoning"].as_str());
    match plain {
        Some(plain) => choice.thinking.push_str(plain),
        None => {
            for detail in list(&message["reasoning_details"]) {
                choice.thinking.push_str(detail["text"].as_str().unwrap_or(text(detail, "summary")));
            }
        }
    }
}

/// A function's arguments, which some vendors give as the object itself.
fn json(function: &Value) -> String {
    match &function["arguments"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn call(call: &Value) -> Call {
    let function = &call["function"];
    match &call["custom"] {
        Value::Object(custom) if function.is_null() => Call::new(
            custom["name"].as_str().unwrap_or_default(),
            &serde_json::json!({"input": custom["input"]}).to_string(),
        ),
        _ => Call::new(text(function, "name"), &json(function)),
    }
}

fn answer(body: &Value) -> Facts {
    let mut facts = Facts { model: text(body, "model").to_owned(), usage: usage(body), ..Facts::default() };
    let failed = !body["error"].is_null() || list(&body["choices"]).iter().any(|c| !c["error"].is_null());
    if failed {
        facts.ending = Ending::Failed;
    }
    for (index, from) in list(&body["choices"]).iter().enumerate() {
        let choice = facts.choice(index);
        let message = &from["message"];
        said(message, choice);
        choice.calls = list(&message["tool_calls"]).iter().map(call).collect();
        let old = &message["function_call"];
        if choice.calls.is_empty() && !text(old, "name").is_empty() {
            choice.calls.push(Call::new(text(old, "name"), &json(old)));
        }
        choice.end = end(&from["finish_reason"], choice);
    }
    facts
}

/// Prompt tokens include what was cached. What the total has beside both is reasoning that was not counted as output.
fn usage(body: &Value) -> Option<Usage> {
    let from = [&body["usage"], &body["x_groq"]["usage"]].into_iter().find(|u| !u["prompt_tokens"].is_null())?;
    let (input, output) = (number(&from["prompt_tokens"]), number(&from["completion_tokens"]));
    let (prompt, completion) = (&from["prompt_tokens_details"], &from["completion_tokens_details"]);
    let cached = [
        &prompt["cached_tokens"],
        &from["prompt_cache_hit_tokens"],
        &from["cached_tokens"],
        &from["num_cached_tokens"],
    ];
    Some(Usage {
        input,
        cached_input: cached.into_iter().find(|c| !c.is_null()).map(number).unwrap_or_default(),
        cache_write: number(&prompt["cache_write_tokens"]),
        output: output.max(number(&from["total_tokens"]).saturating_sub(input)),
        reasoning: number(&completion["reasoning_tokens"]),
        audio_input: number(&prompt["audio_tokens"]),
        audio_output: number(&completion["audio_tokens"]),
        image_input: number(&prompt["image_tokens"]),
        image_output: number(&completion["image_tokens"]),
    })
}

#[derive(Default)]
struct Streamed {
    index: Option<u64>,
    id: String,
    name: String,
    json: String,
}

fn stream(sse: &str) -> Facts {
    let mut facts = Facts::default();
    let mut calls: Vec<Vec<Streamed>> = Vec::new();
    let mut reasons: Vec<Value> = Vec::new();
    let mut done = false;
    for (name, data) in events(sse) {
        if data == "[DONE]" {
            done = true;
            break;
        }
        let chunk = parse(&data).unwrap();
        if facts.model.is_empty() {
            facts.model = text(&chunk, "model").to_owned();
        }
        facts.usage = usage(&chunk).or(facts.usage);
        for from in list(&chunk["choices"]) {
            let index = number(&from["index"]) as usize;
            calls.resize_with(calls.len().max(index + 1), Vec::new);
            reasons.resize(reasons.len().max(index + 1), Value::Null);
            let delta = &from["delta"];
            said(delta, facts.choice(index));
            let old =
                (!delta["function_call"].is_null()).then(|| serde_json::json!({"function": delta["function_call"]}));
            for part in list(&delta["tool_calls"]).iter().chain(&old) {
                add(part, &mut calls[index]);
            }
            if !text(from, "finish_reason").is_empty() {
                reasons[index] = from["finish_reason"].clone();
            }
            if !from["error"].is_null() {
                facts.ending = Ending::Failed;
            }
        }
        if name == "error" || !chunk["error"].is_null() {
            facts.ending = Ending::Failed;
            break;
        }
    }
    for (index, calls) in calls.iter().enumerate() {
        let choice = facts.choice(index);
        choice.calls = calls.iter().map(|call| Call::new(&call.name, &call.json)).collect();
        choice.end = end(&reasons[index], choice);
    }
    let finished = !reasons.is_empty() && reasons.iter().all(|reason| !reason.is_null());
    if !done && !finished {
        facts.ending = Ending::Failed;
    }
    facts
}

/// A call's first part has its name; some vendors give every call the same index, or none.
fn add(part: &Value, calls: &mut Vec<Streamed>) {
    let function = &part["function"];
    let (id, name, index) = (text(part, "id"), text(function, "name"), part["index"].as_u64());
    let known = calls.iter().rposition(|call| match index {
        Some(_) => call.index == index && (id.is_empty() || name.is_empty() || call.id == id),
        None => name.is_empty(),
    });
    let at = known.unwrap_or_else(|| {
        calls.push(Streamed { index, id: id.to_owned(), name: name.to_owned(), ..Streamed::default() });
        calls.len() - 1
    });
    calls[at].json.push_str(&json(function));
}

fn asks(body: &Value) -> Asks {
    let mut asks = Asks::default();
    for message in list(&body["messages"]) {
        let side = if message["role"] == "assistant" { Side::Assistant } else { Side::User };
        match text(message, "role") {
            "system" | "developer" => asks.system.extend(texts(&message["content"])),
            "tool" | "function" => {
                let id = message["tool_call_id"].as_str().unwrap_or(text(message, "name"));
                asks.item(side, Item::Result { id: id.to_owned(), text: texts(&message["content"]).concat() });
                for part in list(&message["content"]).iter().filter(|part| part["type"] != "text") {
                    asks.part(side, item(part), text(part, "type"));
                }
            }
            _ => {
                if let Some(plain) = message["content"].as_str() {
                    asks.item(side, Item::Text(plain.to_owned()));
                }
                for part in list(&message["content"]) {
                    match text(part, "type") {
                        "thinking" => asks.thinks = true,
                        kind => asks.part(side, item(part), kind),
                    }
                }
                asks.item(side, Item::Text(text(message, "refusal").to_owned()));
                asks.thinks |= ["reasoning_content", "reasoning", "thinking_blocks", "reasoning_details"]
                    .iter()
                    .any(|key| !message[key].is_null());
                for from in list(&message["tool_calls"]) {
                    let Call { name, arguments } = call(from);
                    asks.item(side, Item::Call { id: text(from, "id").to_owned(), name, arguments });
                }
                let old = &message["function_call"];
                if !old.is_null() {
                    let name = text(old, "name").to_owned();
                    asks.item(side, Item::Call { id: name.clone(), name, arguments: arguments(&json(old)) });
                }
            }
        }
    }
    for tool in list(&body["tools"]) {
        let function = &tool["function"];
        if tool["type"] == "function" || tool["type"].is_null() {
            asks.tools.push(Tool::new(text(function, "name"), function, &function["parameters"]));
        } else {
            asks.others.push(text(tool, "type").to_owned());
        }
    }
    for function in list(&body["functions"]) {
        asks.tools.push(Tool::new(text(function, "name"), function, &function["parameters"]));
    }
    let choice = if body["tool_choice"].is_null() { &body["function_call"] } else { &body["tool_choice"] };
    asks.pick = match choice {
        Value::String(word) => match word.as_str() {
            "none" => Pick::None,
            "required" | "any" => Pick::Some,
            _ => Pick::Free,
        },
        chosen if chosen["type"] == "allowed_tools" => Pick::Allowed,
        Value::Object(chosen) => {
            let name = chosen.get("function").map_or(&choice["name"], |function| &function["name"]);
            Pick::Named(name.as_str().unwrap_or_default().to_owned())
        }
        _ => Pick::Free,
    };
    asks.one_call = body["parallel_tool_calls"] == false;
    let most = [&body["max_completion_tokens"], &body["max_tokens"]];
    asks.max_tokens = most.into_iter().find_map(Value::as_u64);
    asks.temperature = body["temperature"].as_f64();
    asks.top_p = body["top_p"].as_f64();
    asks.stop = match &body["stop"] {
        Value::String(one) => vec![one.clone()],
        many => list(many).iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    asks.stream = body["stream"] == true;
    asks.schema = Some(&body["response_format"]["json_schema"]["schema"]).filter(|s| !s.is_null()).cloned();
    let effort = [&body["reasoning_effort"], &body["reasoning"]["effort"]].into_iter().find_map(Value::as_str);
    let enabled = body["thinking"]["type"] == "enabled" || body["reasoning"]["enabled"] == true;
    asks.thinks_now = effort.map_or(enabled, |effort| !matches!(effort, "none" | "default"));
    asks
}

fn texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(plain) => vec![plain.clone()],
        many => list(many).iter().filter(|p| p["type"] == "text").map(|p| text(p, "text").to_owned()).collect(),
    }
}

fn item(part: &Value) -> Option<Item> {
    match text(part, "type") {
        "text" => Some(Item::Text(text(part, "text").to_owned())),
        "refusal" => Some(Item::Text(text(part, "refusal").to_owned())),
        "image_url" => {
            let url = part["image_url"]["url"].as_str().or(part["image_url"].as_str());
            Some(Item::Image(media(url.unwrap_or_default())))
        }
        "document_url" => Some(Item::Document(media(text(part, "document_url")))),
        "input_audio" => {
            let (kind, data) = (text(&part["input_audio"], "format"), text(&part["input_audio"], "data"));
            Some(Item::Document(media(&format!("data:audio/{kind};base64,{data}"))))
        }
        "file" if !part["file"]["file_data"].is_null() => Some(Item::Document(media(text(&part["file"], "file_data")))),
        _ => None,
    }
}
