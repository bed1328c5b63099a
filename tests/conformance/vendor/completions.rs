use super::Vendor;
use crate::facts::{End, Ending, Facts};
use crate::json::{Value, events, list, number, parse, text};
use crate::request::{Asks, Item, Side};
use sluice::chat::Usage;

pub const VENDOR: Vendor = Vendor {
    name: "openai-completions",
    asks,
    answer,
    stream,
    schemas: [
        "openai.completions.request",
        "openai.completions.response.lenient",
        "openai.completions.response.lenient",
        "openai.error",
    ],
    models: &["gpt-3.5-turbo-instruct"],
    known: &[
        "model",
        "prompt",
        "stream",
        "stream_options",
        "max_tokens",
        "stop",
        "temperature",
        "top_p",
        "n",
        "best_of",
        "user",
        // 0 is none, and text is all there is.
        "logprobs",
    ],
    last: "[DONE]",
};

fn usage(body: &Value) -> Option<Usage> {
    let from = Some(&body["usage"]).filter(|usage| !usage["prompt_tokens"].is_null())?;
    let (input, output) = (number(&from["prompt_tokens"]), number(&from["completion_tokens"]));
    Some(Usage { input, output, ..Usage::default() })
}

fn add(body: &Value, facts: &mut Facts) -> usize {
    let mut ended = 0;
    for from in list(&body["choices"]) {
        let choice = facts.choice(number(&from["index"]) as usize);
        choice.text.push_str(text(from, "text"));
        ended += usize::from(!text(from, "finish_reason").is_empty());
        match text(from, "finish_reason") {
            "length" => choice.end = End::Length,
            "content_filter" => choice.end = End::Refused,
            _ => {}
        }
    }
    ended
}

fn answer(body: &Value) -> Facts {
    let mut facts = Facts { model: text(body, "model").to_owned(), usage: usage(body), ..Facts::default() };
    add(body, &mut facts);
    facts
}

fn stream(sse: &str) -> Facts {
    let (mut facts, mut ended) = (Facts::default(), 0);
    for (_, data) in events(sse) {
        if data == "[DONE]" {
            return facts;
        }
        let chunk = parse(&data).unwrap();
        if facts.model.is_empty() {
            facts.model = text(&chunk, "model").to_owned();
        }
        facts.usage = usage(&chunk).or(facts.usage);
        ended += add(&chunk, &mut facts);
    }
    if ended < facts.choices.len().max(1) {
        facts.ending = Ending::Failed;
    }
    facts
}

fn asks(body: &Value) -> Asks {
    let mut asks = Asks::default();
    match &body["prompt"] {
        Value::String(one) => asks.item(Side::User, Item::Text(one.clone())),
        many => {
            for one in list(many).iter().filter_map(Value::as_str) {
                asks.item(Side::User, Item::Text(one.to_owned()));
            }
        }
    }
    for name in ["suffix", "echo"] {
        if !body[name].is_null() && body[name] != false && body[name] != "" {
            asks.others.push(name.to_owned());
        }
    }
    asks.max_tokens = body["max_tokens"].as_u64();
    asks.temperature = body["temperature"].as_f64();
    asks.top_p = body["top_p"].as_f64();
    asks.stop = match &body["stop"] {
        Value::String(one) => vec![one.clone()],
        many => list(many).iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    asks.stream = body["stream"] == true;
    asks
}
