use super::Vendor;
use crate::facts::{Call, Choice, End, Ending, Facts};
use crate::json::{Value, events, list, number, parse, text};
use crate::request::{Asks, Item, Pick, Side, Tool};
use sluice::chat::Usage;

pub const VENDOR: Vendor = Vendor {
    name: "ollama",
    asks,
    answer,
    stream,
    schemas: ["ollama.chat.request", "ollama.chat.response", "ollama.chat.response", ""],
    models: &["qwen3"],
    known: &["model", "messages", "tools", "format", "options", "stream", "think"],
    last: "done",
};

fn end(from: &Value, choice: &Choice) -> End {
    match text(from, "done_reason") {
        "length" => End::Length,
        "content_filter" => End::Refused,
        _ if !choice.calls.is_empty() => End::Calls,
        _ => End::Stop,
    }
}

fn usage(from: &Value) -> Option<Usage> {
    let (input, output) = (&from["prompt_eval_count"], &from["eval_count"]);
    let told = !input.is_null() || !output.is_null();
    told.then(|| Usage { input: number(input), output: number(output), ..Usage::default() })
}

/// What a whole answer says, or a line adds.
fn said(from: &Value, choice: &mut Choice) {
    let message = &from["message"];
    choice.text.push_str(text(message, "content"));
    choice.thinking.push_str(text(message, "thinking"));
    choice.calls.extend(list(&message["tool_calls"]).iter().map(call));
}

/// Arguments are an object: what is left of a cut one is told under one name, as in the comparison.
fn call(from: &Value) -> Call {
    let function = &from["function"];
    Call { name: text(function, "name").to_owned(), arguments: function["arguments"].clone() }
}

fn answer(body: &Value) -> Facts {
    let mut facts = Facts { model: text(body, "model").to_owned(), usage: usage(body), ..Facts::default() };
    if !body["error"].is_null() {
        facts.ending = Ending::Failed;
        return facts;
    }
    let choice = facts.choice(0);
    said(body, choice);
    choice.end = end(body, choice);
    facts
}

fn stream(lines: &str) -> Facts {
    let mut facts = Facts { ending: Ending::Failed, ..Facts::default() };
    for (_, data) in events(lines) {
        let line = parse(&data).unwrap();
        if facts.model.is_empty() {
            facts.model = text(&line, "model").to_owned();
        }
        facts.usage = usage(&line).or(facts.usage);
        let choice = facts.choice(0);
        said(&line, choice);
        if line["done"] == true {
            choice.end = end(&line, choice);
            facts.ending = Ending::Whole;
        }
    }
    facts
}

fn asks(body: &Value) -> Asks {
    let mut asks = Asks { pictures_apart: true, ..Asks::default() };
    // Calls whose results have not come: id and name.
    let mut open: Vec<(String, String)> = Vec::new();
    let mut calls = 0;
    for message in list(&body["messages"]) {
        let side = if message["role"] == "assistant" { Side::Assistant } else { Side::User };
        let content = text(message, "content").to_owned();
        match text(message, "role") {
            "system" => asks.system.push(content),
            "tool" => {
                let id = text(message, "tool_call_id");
                let same = |(own, name): &(String, String)| own == id || name == text(message, "tool_name");
                let at = open.iter().position(same).unwrap_or_default();
                let (id, _) = open.remove(at);
                asks.item(side, Item::Result { id, text: content });
            }
            _ => {
                asks.thinks |= !text(message, "thinking").is_empty();
                asks.item(side, Item::Text(content));
                for image in list(&message["images"]) {
                    asks.item(side, Item::Image(image.as_str().unwrap_or_default().to_owned()));
                }
                for from in list(&message["tool_calls"]) {
                    let Call { name, arguments } = call(from);
                    calls += 1;
                    let id = from["id"].as_str().map_or_else(|| format!("call {calls}"), str::to_owned);
                    open.push((id.clone(), name.clone()));
                    asks.item(side, Item::Call { id, name, arguments });
                }
            }
        }
    }
    for tool in list(&body["tools"]) {
        let function = &tool["function"];
        asks.tools.push(Tool::new(text(function, "name"), function, &function["parameters"]));
    }
    asks.pick = Pick::Free;
    let options = &body["options"];
    asks.max_tokens = options["num_predict"].as_u64();
    asks.temperature = options["temperature"].as_f64();
    asks.top_p = options["top_p"].as_f64();
    asks.stop = list(&options["stop"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    asks.stream = body["stream"] != false;
    asks.schema = Some(&body["format"]).filter(|format| format.is_object()).cloned();
    asks.thinks_now = body["think"] == true || body["think"].is_string();
    asks
}
