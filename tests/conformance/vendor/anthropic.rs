use super::Vendor;
use crate::facts::{Call, Choice, End, Ending, Facts};
use crate::json::{Value, events, list, number, parse, text};
use crate::request::{Asks, Item, Pick, Side, Tool, media};
use sluice::chat::Usage;

pub const VENDOR: Vendor = Vendor {
    name: "anthropic",
    asks,
    answer,
    stream,
    schemas: [
        "anthropic.messages.request",
        "anthropic.messages.response",
        "anthropic.messages.event",
        "anthropic.error",
    ],
    models: &["claude-sonnet-4-5", "claude-opus-4-8", "claude-3-5-haiku-latest"],
    known: &[
        "model",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "stream",
        "max_tokens",
        "stop_sequences",
        "temperature",
        "top_p",
        "metadata",
        "thinking",
        "output_config",
        "output_format",
        "service_tier",
    ],
    last: r#"{"type":"message_stop"}"#,
};

fn end(reason: &str) -> End {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => End::Length,
        "tool_use" => End::Calls,
        "refusal" => End::Refused,
        "pause_turn" | "compaction" => End::Pause,
        _ => End::Stop,
    }
}

fn answer(body: &Value) -> Facts {
    let mut facts = Facts { model: text(body, "model").to_owned(), ..Facts::default() };
    if body["type"] == "error" {
        facts.ending = Ending::Failed;
        return facts;
    }
    let mut counts = Value::Null;
    count(&mut counts, &body["usage"]);
    facts.usage = usage(&counts);
    let choice = facts.choice(0);
    list(&body["content"]).iter().for_each(|block| add(block, choice));
    finish(body, choice);
    facts
}

/// The server's own tools are no calls: nobody but the server can answer them.
fn add(block: &Value, choice: &mut Choice) {
    match text(block, "type") {
        "text" => choice.text.push_str(text(block, "text")),
        "thinking" => choice.thinking.push_str(text(block, "thinking")),
        "tool_use" => choice.calls.push(Call::new(text(block, "name"), &block["input"].to_string())),
        _ => {}
    }
}

fn finish(from: &Value, choice: &mut Choice) {
    choice.refusal.push_str(text(&from["stop_details"], "explanation"));
    choice.end = end(text(from, "stop_reason"));
}

/// Each mention of a count replaces the one before: they are running totals.
fn count(counts: &mut Value, mention: &Value) {
    let Value::Object(all) = mention else { return };
    if counts.is_null() {
        *counts = serde_json::json!({});
    }
    for (name, value) in all.iter().filter(|(_, value)| !value.is_null()) {
        counts[name] = value.clone();
    }
}

/// Input tokens exclude what was read from the cache and written to it; all of them, a summary that the provider made.
fn usage(counts: &Value) -> Option<Usage> {
    counts.as_object()?;
    let steps = || counts["iterations"].as_array().into_iter().flatten().filter(|step| step["type"] == "compaction");
    let sum = |name: &str| number(&counts[name]) + steps().map(|step| number(&step[name])).sum::<u64>();
    let (cached_input, cache_write) = (sum("cache_read_input_tokens"), sum("cache_creation_input_tokens"));
    Some(Usage {
        input: sum("input_tokens") + cached_input + cache_write,
        cached_input,
        cache_write,
        output: sum("output_tokens"),
        reasoning: number(&counts["output_tokens_details"]["thinking_tokens"]),
        ..Usage::default()
    })
}

fn stream(sse: &str) -> Facts {
    let mut facts = Facts { ending: Ending::Failed, ..Facts::default() };
    let mut counts = Value::Null;
    // By index: the block and the arguments that came for it.
    let mut blocks: Vec<(u64, Value, String)> = Vec::new();
    let mut last = Value::Null;
    for (_, data) in events(sse) {
        let event = parse(&data).unwrap();
        match text(&event, "type") {
            "message_start" => {
                let message = &event["message"];
                facts.model = text(message, "model").to_owned();
                count(&mut counts, &message["usage"]);
            }
            "content_block_start" => {
                blocks.push((number(&event["index"]), event["content_block"].clone(), String::new()));
            }
            "content_block_delta" => {
                let index = number(&event["index"]);
                let (_, block, json) = blocks.iter_mut().rfind(|(at, ..)| *at == index).unwrap();
                json.push_str(text(&event["delta"], "partial_json"));
                for (delta, name) in [("text_delta", "text"), ("thinking_delta", "thinking")] {
                    if event["delta"]["type"] == delta {
                        block[name] = format!("{}{}", text(block, name), text(&event["delta"], name)).into();
                    }
                }
            }
            "message_delta" => {
                count(&mut counts, &event["usage"]);
                last = event["delta"].clone();
            }
            "message_stop" => {
                facts.ending = Ending::Whole;
                break;
            }
            "error" => break,
            _ => {}
        }
    }
    facts.usage = usage(&counts);
    let choice = facts.choice(0);
    for (_, block, json) in &blocks {
        match json.is_empty() || block["type"] != "tool_use" {
            true => add(block, choice),
            false => choice.calls.push(Call::new(text(block, "name"), json)),
        }
    }
    finish(&last, choice);
    facts
}

fn asks(body: &Value) -> Asks {
    let mut asks = Asks { system: texts(&body["system"]), ..Asks::default() };
    for message in list(&body["messages"]) {
        let side = if message["role"] == "assistant" { Side::Assistant } else { Side::User };
        if message["role"] == "system" {
            asks.system.extend(texts(&message["content"]));
            let own = |block: &&Value| block["type"] != "text";
            list(&message["content"]).iter().filter(own).for_each(|b| asks.others.push(text(b, "type").to_owned()));
            continue;
        }
        if let Some(plain) = message["content"].as_str() {
            asks.item(side, Item::Text(plain.to_owned()));
        }
        for block in list(&message["content"]) {
            match text(block, "type") {
                "thinking" | "redacted_thinking" => asks.thinks = true,
                "tool_result" => {
                    let content = &block["content"];
                    let (mut said, mut shown) = (texts(content), Vec::new());
                    for part in list(content).iter().filter(|part| part["type"] != "text") {
                        match item(part) {
                            Some(Item::Text(text)) => said.push(text),
                            other => shown.push((other, text(part, "type"))),
                        }
                    }
                    let id = text(block, "tool_use_id").to_owned();
                    asks.item(side, Item::Result { id, text: said.concat() });
                    shown.into_iter().for_each(|(item, kind)| asks.part(side, item, kind));
                }
                kind => asks.part(side, item(block), kind),
            }
        }
    }
    for tool in list(&body["tools"]) {
        match text(tool, "type") {
            "" | "custom" => asks.tools.push(Tool::new(text(tool, "name"), tool, &tool["input_schema"])),
            kind => asks.others.push(kind.to_owned()),
        }
    }
    let choice = &body["tool_choice"];
    asks.pick = match text(choice, "type") {
        "none" => Pick::None,
        "any" => Pick::Some,
        "tool" => Pick::Named(text(choice, "name").to_owned()),
        _ => Pick::Free,
    };
    asks.one_call = choice["disable_parallel_tool_use"] == true;
    asks.max_tokens = body["max_tokens"].as_u64();
    asks.temperature = body["temperature"].as_f64();
    asks.top_p = body["top_p"].as_f64();
    asks.stop = list(&body["stop_sequences"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    asks.stream = body["stream"] == true;
    let formats = [&body["output_config"]["format"]["schema"], &body["output_format"]["schema"]];
    asks.schema = formats.into_iter().find(|s| !s.is_null()).cloned();
    asks.thinks_now = matches!(text(&body["thinking"], "type"), "enabled" | "adaptive");
    asks
}

fn texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(plain) => vec![plain.clone()],
        many => list(many).iter().filter(|b| b["type"] == "text").map(|b| text(b, "text").to_owned()).collect(),
    }
}

fn item(block: &Value) -> Option<Item> {
    let source = &block["source"];
    let bytes = || match text(source, "type") {
        "base64" => Some(media(&format!("data:{};base64,{}", text(source, "media_type"), text(source, "data")))),
        "url" => Some(media(text(source, "url"))),
        _ => None,
    };
    match text(block, "type") {
        "text" => Some(Item::Text(text(block, "text").to_owned())),
        "image" => bytes().map(Item::Image),
        "document" if source["type"] == "text" => {
            let said = [block["title"].as_str(), block["context"].as_str(), source["data"].as_str()];
            Some(Item::Text(said.into_iter().flatten().collect::<Vec<_>>().join("\n\n")))
        }
        "document" if source["type"] == "content" => Some(Item::Text(texts(&source["content"]).join("\n\n"))),
        "document" => bytes().map(Item::Document),
        "tool_use" => Some(Item::Call {
            id: text(block, "id").to_owned(),
            name: text(block, "name").to_owned(),
            arguments: block["input"].clone(),
        }),
        _ => None,
    }
}
