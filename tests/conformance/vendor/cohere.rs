use super::Vendor;
use crate::facts::{Call, Choice, End, Ending, Facts};
use crate::json::{Value, events, list, number, parse, text};
use crate::request::{Asks, Item, Pick, Side, Tool, media};
use sluice::chat::Usage;

/// The vendor publishes no schema.
pub const VENDOR: Vendor = Vendor {
    name: "cohere",
    asks,
    answer,
    stream,
    schemas: ["cohere.v2.chat.request", "cohere.v2.chat.response", "cohere.v2.chat.event", ""],
    models: &["command-a-reasoning-08-2025", "command-r7b-12-2024"],
    known: &[
        "model",
        "messages",
        "tools",
        "strict_tools",
        "tool_choice",
        "stream",
        "max_tokens",
        "stop_sequences",
        "temperature",
        "p",
        "response_format",
        "thinking",
    ],
    last: "message-end",
};

fn end(from: &Value, choice: &Choice) -> End {
    match text(from, "finish_reason") {
        "ERROR" | "TIMEOUT" => End::Stop,
        "MAX_TOKENS" => End::Length,
        "ERROR_TOXIC" => End::Refused,
        _ if !choice.calls.is_empty() => End::Calls,
        _ => End::Stop,
    }
}

fn failed(from: &Value) -> bool {
    matches!(text(from, "finish_reason"), "ERROR" | "TIMEOUT")
}

/// All that the model read and wrote; what is billed leaves out the vendor's own prompt.
fn usage(from: &Value) -> Option<Usage> {
    let (usage, tokens) = (&from["usage"], &from["usage"]["tokens"]);
    tokens.as_object()?;
    Some(Usage {
        input: number(&tokens["input_tokens"]),
        cached_input: number(&usage["cached_tokens"]),
        output: number(&tokens["output_tokens"]),
        ..Usage::default()
    })
}

fn answer(body: &Value) -> Facts {
    let mut facts = Facts { usage: usage(body), ..Facts::default() };
    let message = &body["message"];
    if !message.is_object() || failed(body) {
        facts.ending = Ending::Failed;
        return facts;
    }
    let choice = facts.choice(0);
    choice.text.push_str(text(message, "tool_plan"));
    for block in list(&message["content"]) {
        choice.text.push_str(text(block, "text"));
        choice.thinking.push_str(text(block, "thinking"));
    }
    choice.calls = list(&message["tool_calls"]).iter().map(call).collect();
    choice.end = end(body, choice);
    facts
}

fn call(from: &Value) -> Call {
    Call::new(text(&from["function"], "name"), text(&from["function"], "arguments"))
}

fn stream(sse: &str) -> Facts {
    let mut facts = Facts { ending: Ending::Failed, ..Facts::default() };
    let mut calls: Vec<(u64, String, String)> = Vec::new();
    let mut last = Value::Null;
    for (_, data) in events(sse).into_iter().filter(|(_, data)| data != "[DONE]") {
        let event = parse(&data).unwrap();
        let message = &event["delta"]["message"];
        let choice = facts.choice(0);
        choice.text.push_str(text(message, "tool_plan"));
        choice.text.push_str(text(&message["content"], "text"));
        choice.thinking.push_str(text(&message["content"], "thinking"));
        let function = &message["tool_calls"]["function"];
        if event["type"] == "tool-call-start" {
            calls.push((number(&event["index"]), text(function, "name").to_owned(), String::new()));
        }
        if function.is_object() {
            let index = number(&event["index"]);
            let (_, _, json) = calls.iter_mut().rfind(|(at, ..)| *at == index).unwrap();
            json.push_str(text(function, "arguments"));
        }
        if event["type"] == "message-end" {
            last = event["delta"].clone();
            facts.ending = if failed(&last) { Ending::Failed } else { Ending::Whole };
            facts.usage = usage(&last);
        }
    }
    let choice = facts.choice(0);
    choice.calls = calls.iter().map(|(_, name, json)| Call::new(name, json)).collect();
    choice.end = end(&last, choice);
    facts
}

fn asks(body: &Value) -> Asks {
    let mut asks = Asks::default();
    for message in list(&body["messages"]) {
        let side = if message["role"] == "assistant" { Side::Assistant } else { Side::User };
        match text(message, "role") {
            "system" => asks.system.extend(texts(&message["content"])),
            "tool" => {
                let result = texts(&message["content"]).concat();
                asks.item(side, Item::Result { id: text(message, "tool_call_id").to_owned(), text: result });
            }
            _ => {
                asks.item(side, Item::Text(text(message, "tool_plan").to_owned()));
                if let Some(plain) = message["content"].as_str() {
                    asks.item(side, Item::Text(plain.to_owned()));
                }
                for part in list(&message["content"]) {
                    match text(part, "type") {
                        "thinking" => asks.thinks = true,
                        "text" => asks.item(side, Item::Text(text(part, "text").to_owned())),
                        "image_url" => asks.item(side, Item::Image(media(text(&part["image_url"], "url")))),
                        kind => asks.others.push(kind.to_owned()),
                    }
                }
                for from in list(&message["tool_calls"]) {
                    let Call { name, arguments } = call(from);
                    asks.item(side, Item::Call { id: text(from, "id").to_owned(), name, arguments });
                }
            }
        }
    }
    for document in list(&body["documents"]) {
        let data = &document["data"];
        let said = ["title", "context", "text"].map(|name| text(data, name)).into_iter().filter(|s| !s.is_empty());
        asks.beside.extend(said.map(str::to_owned));
    }
    for tool in list(&body["tools"]) {
        let mut function = tool["function"].clone();
        function["strict"] = body["strict_tools"].clone();
        asks.tools.push(Tool::new(text(&function, "name"), &function, &function["parameters"]));
    }
    asks.pick = match text(body, "tool_choice") {
        "REQUIRED" => Pick::Some,
        "NONE" => Pick::None,
        _ => Pick::Free,
    };
    asks.max_tokens = body["max_tokens"].as_u64();
    asks.temperature = body["temperature"].as_f64();
    asks.top_p = body["p"].as_f64();
    asks.stop = list(&body["stop_sequences"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    asks.stream = body["stream"] == true;
    asks.schema = Some(&body["response_format"]["json_schema"]).filter(|schema| !schema.is_null()).cloned();
    asks.thinks_now = body["thinking"]["type"] == "enabled";
    asks
}

fn texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(plain) => vec![plain.clone()],
        many => list(many).iter().filter(|p| p["type"] == "text").map(|p| text(p, "text").to_owned()).collect(),
    }
}
