use super::Vendor;
use crate::facts::{Call, Choice, End, Ending, Facts};
use crate::json::{Value, events, list, number, parse, text};
use crate::request::{Asks, Item, Pick, Side, Tool, words};
use sluice::chat::Usage;

pub const VENDOR: Vendor = Vendor {
    name: "bedrock",
    asks,
    answer,
    stream,
    schemas: ["bedrock.converse.request", "bedrock.converse.response", "bedrock.converse-stream.event", ""],
    models: &[
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
        "us.amazon.nova-2-lite-v1:0",
        "openai.gpt-oss-120b-1:0",
        "us.meta.llama4-scout-17b-instruct-v1:0",
    ],
    known: &[
        "messages",
        "system",
        "toolConfig",
        "inferenceConfig",
        "additionalModelRequestFields",
        "outputConfig",
        "serviceTier",
        "requestMetadata",
    ],
    last: "metadata",
};

fn end(reason: &str) -> End {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => End::Length,
        "tool_use" => End::Calls,
        "guardrail_intervened" | "content_filtered" => End::Refused,
        _ => End::Stop,
    }
}

/// Input tokens exclude what was read from the cache and written to it.
fn usage(from: &Value) -> Option<Usage> {
    from.as_object()?;
    let (cached_input, cache_write) = (number(&from["cacheReadInputTokens"]), number(&from["cacheWriteInputTokens"]));
    Some(Usage {
        input: number(&from["inputTokens"]) + cached_input + cache_write,
        cached_input,
        cache_write,
        output: number(&from["outputTokens"]),
        ..Usage::default()
    })
}

/// The server's own tools are no calls: nobody but the server can answer them.
fn own(call: &Value) -> bool {
    call["type"] == "server_tool_use"
}

fn answer(body: &Value) -> Facts {
    let mut facts = Facts { usage: usage(&body["usage"]), ..Facts::default() };
    let message = &body["output"]["message"];
    if message.is_null() {
        facts.ending = Ending::Failed;
        return facts;
    }
    let choice = facts.choice(0);
    list(&message["content"]).iter().for_each(|block| add(block, choice));
    choice.end = end(text(body, "stopReason"));
    facts
}

fn add(block: &Value, choice: &mut Choice) {
    choice.text.push_str(text(block, "text"));
    choice.text.push_str(&texts(&block["citationsContent"]["content"]).join("\n\n"));
    choice.thinking.push_str(text(&block["reasoningContent"]["reasoningText"], "text"));
    let call = &block["toolUse"];
    if !call.is_null() && !own(call) {
        choice.calls.push(Call::new(text(call, "name"), &call["input"].to_string()));
    }
}

fn stream(sse: &str) -> Facts {
    let mut facts = Facts { ending: Ending::Failed, ..Facts::default() };
    // By index: the calls and their arguments.
    let mut calls: Vec<(u64, String, String)> = Vec::new();
    for (name, data) in events(sse) {
        let event = parse(&data).unwrap();
        let index = number(&event["contentBlockIndex"]);
        let delta = &event["delta"];
        let choice = facts.choice(0);
        match name.as_str() {
            "contentBlockStart" => {
                let call = &event["start"]["toolUse"];
                if !call.is_null() && !own(call) {
                    calls.push((index, text(call, "name").to_owned(), String::new()));
                }
            }
            "contentBlockDelta" => {
                choice.text.push_str(text(delta, "text"));
                choice.thinking.push_str(text(&delta["reasoningContent"], "text"));
                if let Some((_, _, json)) = calls.iter_mut().find(|(at, ..)| *at == index) {
                    json.push_str(text(&delta["toolUse"], "input"));
                }
            }
            "messageStop" => {
                choice.end = end(text(&event, "stopReason"));
                facts.ending = Ending::Whole;
            }
            "metadata" => facts.usage = usage(&event["usage"]),
            name if name.ends_with("Exception") => break,
            _ => {}
        }
    }
    let choice = facts.choice(0);
    choice.calls.extend(calls.iter().map(|(_, name, json)| Call::new(name, json)));
    facts
}

fn asks(body: &Value) -> Asks {
    let mut asks = Asks { system: texts(&body["system"]), ..Asks::default() };
    let guarded = list(&body["system"]).iter().filter(|block| !block["guardContent"].is_null());
    asks.others.extend(guarded.map(|_| "guardContent".to_owned()));
    for message in list(&body["messages"]) {
        let side = if message["role"] == "assistant" { Side::Assistant } else { Side::User };
        for block in list(&message["content"]) {
            let (call, result) = (&block["toolUse"], &block["toolResult"]);
            if !block["cachePoint"].is_null() {
                continue;
            }
            if !block["reasoningContent"].is_null() {
                asks.thinks = true;
            } else if !call.is_null() && !own(call) {
                let (id, name) = (text(call, "toolUseId").to_owned(), text(call, "name").to_owned());
                asks.item(side, Item::Call { id, name, arguments: call["input"].clone() });
            } else if !result.is_null() && result["type"].is_null() {
                let (mut said, mut shown) = (String::new(), Vec::new());
                for part in list(&result["content"]) {
                    match &part["json"] {
                        Value::Null if part["text"].is_null() => match item(part) {
                            Some(Item::Document(url)) if words(&url).is_some() => {
                                said.push_str(&words(&url).unwrap_or_default());
                            }
                            _ => shown.push(part),
                        },
                        Value::Null => said.push_str(text(part, "text")),
                        json => said.push_str(&json.to_string()),
                    }
                }
                asks.item(side, Item::Result { id: text(result, "toolUseId").to_owned(), text: said });
                shown.into_iter().for_each(|part| asks.part(side, item(part), &kind(part)));
            } else {
                asks.part(side, item(block), &kind(block));
            }
        }
    }
    let own = &body["additionalModelRequestFields"];
    for tool in list(&body["toolConfig"]["tools"]) {
        let spec = &tool["toolSpec"];
        if !spec.is_null() {
            asks.tools.push(Tool::new(text(spec, "name"), spec, &spec["inputSchema"]["json"]));
        } else if tool["cachePoint"].is_null() {
            asks.others.push(kind(tool));
        }
    }
    let choice = &body["toolConfig"]["toolChoice"];
    asks.pick = match () {
        () if own["tool_choice"]["type"] == "none" => Pick::None,
        () if !choice["any"].is_null() => Pick::Some,
        () if !choice["tool"].is_null() => Pick::Named(text(&choice["tool"], "name").to_owned()),
        () => Pick::Free,
    };
    asks.one_call = own["tool_choice"]["disable_parallel_tool_use"] == true;
    let config = &body["inferenceConfig"];
    asks.max_tokens = config["maxTokens"].as_u64();
    asks.temperature = config["temperature"].as_f64();
    asks.top_p = config["topP"].as_f64();
    asks.stop = list(&config["stopSequences"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let schema = text(&body["outputConfig"]["textFormat"]["structure"]["jsonSchema"], "schema");
    asks.schema = parse(schema).ok();
    let says = |name: &str| !own[name].is_null() && own[name]["type"] != "disabled";
    asks.thinks_now = ["thinking", "reasoning_effort", "reasoning_config", "reasoningConfig"].into_iter().any(says);
    asks
}

/// The block's one member.
fn kind(block: &Value) -> String {
    block.as_object().and_then(|block| block.keys().next().cloned()).unwrap_or_default()
}

fn texts(list_of: &Value) -> Vec<String> {
    list(list_of).iter().filter_map(|block| block["text"].as_str()).map(str::to_owned).collect()
}

fn item(block: &Value) -> Option<Item> {
    let (image, document) = (&block["image"], &block["document"]);
    if let Some(words) = block["text"].as_str() {
        return Some(Item::Text(words.to_owned()));
    }
    if !block["citationsContent"].is_null() {
        return Some(Item::Text(texts(&block["citationsContent"]["content"]).join("\n\n")));
    }
    if let Some(data) = image["source"]["bytes"].as_str() {
        return Some(Item::Image(format!("data:image/{};base64,{data}", text(image, "format"))));
    }
    let audio = &block["audio"];
    if let Some(data) = audio["source"]["bytes"].as_str() {
        return Some(Item::Document(crate::request::media(&format!(
            "data:audio/{};base64,{data}",
            text(audio, "format")
        ))));
    }
    if let Some(data) = document["source"]["bytes"].as_str() {
        let kind = match text(document, "format") {
            "pdf" => "application/pdf".to_owned(),
            "txt" => "text/plain".to_owned(),
            "md" => "text/markdown".to_owned(),
            other => format!("text/{other}"),
        };
        return Some(Item::Document(format!("data:{kind};base64,{data}")));
    }
    let source = &document["source"];
    let mut said = texts(&source["content"]);
    said.extend(source["text"].as_str().map(str::to_owned));
    if said.is_empty() {
        return None;
    }
    let name = document["name"].as_str().map(|name| match document["format"].as_str() {
        Some(format) => format!("{name}.{format}"),
        None => name.to_owned(),
    });
    let told = [name, document["context"].as_str().map(str::to_owned), Some(said.join("\n\n"))];
    Some(Item::Text(told.into_iter().flatten().collect::<Vec<_>>().join("\n\n")))
}
