use super::Vendor;
use crate::facts::{Call, Choice, End, Ending, Facts};
use crate::json::{Value, events, list, number, parse, text};
use crate::request::{Asks, Item, Pick, Side, Tool, media};
use serde_json::{Map, json};
use sluice::chat::Usage;

pub const VENDOR: Vendor = Vendor {
    name: "gemini",
    asks,
    answer,
    stream,
    schemas: [
        "vertex.v1beta1.generateContent.request",
        "gemini.generateContent.response",
        "gemini.generateContent.response",
        "",
    ],
    models: &["gemini-2.5-flash", "gemini-3-pro-preview"],
    known: &[
        "contents",
        "systemInstruction",
        "system_instruction",
        "tools",
        "toolConfig",
        "tool_config",
        "generationConfig",
        "generation_config",
        "cachedContent",
        "labels",
    ],
    last: "finishReason",
};

/// A member in either of its spellings.
fn get<'v>(of: &'v Value, name: &str) -> &'v Value {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    if of[name].is_null() { &of[snake.as_str()] } else { &of[name] }
}

fn end(reason: &str, choice: &Choice) -> End {
    match reason {
        "MAX_TOKENS" => End::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => End::Refused,
        _ if !choice.calls.is_empty() => End::Calls,
        _ => End::Stop,
    }
}

/// Reasons that, without content, mean that there is no answer.
fn gave_up(reason: &str) -> bool {
    reason.starts_with("MALFORMED_") || matches!(reason, "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS")
}

/// Thoughts are not among the candidates' tokens; what tools put into the prompt is not among the prompt's.
fn usage(body: &Value) -> Option<Usage> {
    let from = &body["usageMetadata"];
    let counted = ["promptTokenCount", "candidatesTokenCount", "totalTokenCount"];
    counted.iter().find(|name| !from[**name].is_null())?;
    let media = |name: &str, kind: &str| {
        list(&from[name])
            .iter()
            .filter(|one| one["modality"] == kind)
            .map(|one| number(&one["tokenCount"]))
            .sum::<u64>()
    };
    let thoughts = number(&from["thoughtsTokenCount"]);
    Some(Usage {
        input: number(&from["promptTokenCount"]) + number(&from["toolUsePromptTokenCount"]),
        cached_input: number(&from["cachedContentTokenCount"]),
        cache_write: 0,
        output: number(&from["candidatesTokenCount"]) + thoughts,
        reasoning: thoughts,
        audio_input: media("promptTokensDetails", "AUDIO") + media("toolUsePromptTokensDetails", "AUDIO"),
        audio_output: media("candidatesTokensDetails", "AUDIO"),
        image_input: media("promptTokensDetails", "IMAGE") + media("toolUsePromptTokensDetails", "IMAGE"),
        image_output: media("candidatesTokensDetails", "IMAGE"),
    })
}

/// What is known of a candidate besides what it says.
#[derive(Default)]
struct Progress {
    reason: String,
    message: String,
    wrote: bool,
    /// The last call's arguments go on.
    open: bool,
}

fn add(candidate: &Value, choice: &mut Choice, progress: &mut Progress) {
    for part in list(&candidate["content"]["parts"]) {
        let call = &part["functionCall"];
        progress.wrote |= !text(part, "text").is_empty() || part.as_object().unwrap().values().any(Value::is_object);
        if part["thought"] == true {
            choice.thinking.push_str(text(part, "text"));
        } else {
            choice.text.push_str(text(part, "text"));
        }
        if call.is_object() {
            if call.get("name").is_some() {
                let args = if call["args"].is_null() { json!({}) } else { call["args"].clone() };
                choice.calls.push(Call { name: text(call, "name").to_owned(), arguments: args });
            }
            for piece in list(&call["partialArgs"]) {
                put(&mut choice.calls.last_mut().unwrap().arguments, piece, progress.open);
                progress.open = piece["willContinue"] == true;
            }
        }
    }
    if !text(candidate, "finishReason").is_empty() {
        progress.reason = text(candidate, "finishReason").to_owned();
        progress.message = text(candidate, "finishMessage").to_owned();
    }
}

/// Puts a piece of arguments in its place: `$.a[0].b`.
fn put(arguments: &mut Value, piece: &Value, goes_on: bool) {
    let mut at = arguments;
    for step in text(piece, "jsonPath").trim_start_matches('$').split(['.', '[']).filter(|step| !step.is_empty()) {
        at = match step.strip_suffix(']') {
            Some(index) => {
                let index: usize = index.parse().unwrap();
                if !at.is_array() {
                    *at = json!([]);
                }
                let all = at.as_array_mut().unwrap();
                while all.len() <= index {
                    all.push(Value::Null);
                }
                &mut all[index]
            }
            None => {
                if !at.is_object() {
                    *at = json!({});
                }
                at.as_object_mut().unwrap().entry(step).or_insert(Value::Null)
            }
        };
    }
    match &piece["stringValue"] {
        Value::String(more) if goes_on && at.is_string() => *at = format!("{}{more}", at.as_str().unwrap()).into(),
        Value::String(text) => *at = text.clone().into(),
        _ => {
            *at = [&piece["numberValue"], &piece["boolValue"]]
                .into_iter()
                .find(|v| !v.is_null())
                .cloned()
                .unwrap_or_default()
        }
    }
}

/// What is left to say when all has come. `None`: the model gave up.
fn close(choice: &mut Choice, progress: &Progress) -> Option<()> {
    choice.end = end(&progress.reason, choice);
    if !progress.wrote {
        if gave_up(&progress.reason) {
            return None;
        }
        if choice.end == End::Refused {
            choice.refusal.push_str(&progress.message);
        }
    }
    Some(())
}

fn block(body: &Value, facts: &mut Facts) -> bool {
    let feedback = &body["promptFeedback"];
    let reason = text(feedback, "blockReason");
    if reason.is_empty() {
        return false;
    }
    let message = text(feedback, "blockReasonMessage");
    let choice = facts.choice(0);
    choice.refusal = if message.is_empty() { format!("The prompt was blocked: {reason}") } else { message.to_owned() };
    choice.end = End::Refused;
    true
}

fn answer(body: &Value) -> Facts {
    let mut facts = Facts { model: text(body, "modelVersion").to_owned(), usage: usage(body), ..Facts::default() };
    for (index, candidate) in list(&body["candidates"]).iter().enumerate() {
        let mut progress = Progress::default();
        let choice = facts.choice(index);
        add(candidate, choice, &mut progress);
        if close(choice, &progress).is_none() {
            facts.ending = Ending::Failed;
        }
    }
    if facts.choices.is_empty() && !block(body, &mut facts) {
        facts.ending = Ending::Failed;
    }
    facts
}

fn stream(sse: &str) -> Facts {
    let mut facts = Facts::default();
    let mut all: Vec<Progress> = Vec::new();
    let mut blocked = false;
    for (_, data) in events(sse) {
        let event = parse(&data).unwrap();
        if !event["error"].is_null() {
            facts.ending = Ending::Failed;
            return facts;
        }
        if facts.model.is_empty() {
            facts.model = text(&event, "modelVersion").to_owned();
        }
        facts.usage = usage(&event).or(facts.usage);
        for (n, candidate) in list(&event["candidates"]).iter().enumerate() {
            let index = candidate["index"].as_u64().map_or(n, |index| index as usize);
            all.resize_with(all.len().max(index + 1), Progress::default);
            add(candidate, facts.choice(index), &mut all[index]);
        }
        blocked |= all.is_empty() && block(&event, &mut facts);
    }
    let whole = !all.is_empty() && all.iter().all(|progress| !progress.reason.is_empty());
    for (index, progress) in all.iter().enumerate() {
        if close(facts.choice(index), progress).is_none() {
            facts.ending = Ending::Failed;
        }
    }
    if !whole && !blocked {
        facts.ending = Ending::Failed;
    }
    facts
}

/// The API's own schema as JSON Schema.
fn schema(own: &Value) -> Value {
    let Some(members) = own.as_object() else { return own.clone() };
    let mut out = Map::new();
    let nullable = own["nullable"] == true;
    for (name, value) in members {
        match name.as_str() {
            "type" => {
                let kind = value.as_str().unwrap_or_default().to_lowercase();
                out.insert(name.clone(), if nullable { json!([kind, "null"]) } else { kind.into() });
            }
            "nullable" | "propertyOrdering" | "property_ordering" => {}
            "items" => {
                out.insert(name.clone(), schema(value));
            }
            "properties" => {
                let all = value.as_object().unwrap();
                out.insert(name.clone(), all.iter().map(|(key, value)| (key.clone(), schema(value))).collect());
            }
            "anyOf" | "any_of" => {
                out.insert("anyOf".to_owned(), list(value).iter().map(schema).collect());
            }
            _ => {
                out.insert(name.clone(), value.clone());
            }
        }
    }
    Value::Object(out)
}

/// A list, or the one thing that stands for a list of one.
fn listed(value: &Value) -> &[Value] {
    if value.is_object() { std::slice::from_ref(value) } else { list(value) }
}

fn asks(body: &Value) -> Asks {
    let mut asks = Asks::default();
    let system = get(body, "systemInstruction");
    asks.system.extend(system.as_str().map(str::to_owned));
    asks.system.extend(listed(get(system, "parts")).iter().map(|part| text(part, "text").to_owned()));
    if !get(body, "cachedContent").is_null() {
        asks.others.push("cachedContent".to_owned());
    }
    let mut open: Vec<(String, String)> = Vec::new();
    for content in list(get(body, "contents")) {
        let side = if content["role"] == "model" { Side::Assistant } else { Side::User };
        for part in listed(&content["parts"]) {
            self::part(part, side, &mut open, &mut asks);
        }
    }
    for entry in listed(&body["tools"]) {
        for name in entry.as_object().unwrap().keys() {
            if !matches!(name.as_str(), "functionDeclarations" | "function_declarations") {
                asks.others.push(name.clone());
            }
        }
        for function in list(get(entry, "functionDeclarations")) {
            let json = get(function, "parametersJsonSchema");
            let parameters = if json.is_null() { schema(&function["parameters"]) } else { json.clone() };
            asks.tools.push(Tool::new(text(function, "name"), function, &parameters));
        }
    }
    let calling = get(get(body, "toolConfig"), "functionCallingConfig");
    let names = list(get(calling, "allowedFunctionNames"));
    asks.pick = match (text(calling, "mode"), names) {
        ("NONE", _) => Pick::None,
        ("ANY", []) => Pick::Some,
        ("ANY", [one]) => Pick::Named(one.as_str().unwrap().to_owned()),
        (_, []) => Pick::Free,
        _ => Pick::Allowed,
    };
    let config = get(body, "generationConfig");
    asks.max_tokens = get(config, "maxOutputTokens").as_u64();
    asks.temperature = config["temperature"].as_f64();
    asks.top_p = get(config, "topP").as_f64();
    asks.stop = list(get(config, "stopSequences")).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let (own, json) = (get(config, "responseSchema"), get(config, "responseJsonSchema"));
    asks.schema = match (own, json) {
        (Value::Null, Value::Null) => None,
        (own, Value::Null) => Some(schema(own)),
        (_, json) => Some(json.clone()),
    };
    let thinking = get(config, "thinkingConfig");
    let budget = get(thinking, "thinkingBudget");
    asks.thinks_now = (!budget.is_null() && budget != 0)
        || !get(thinking, "thinkingLevel").is_null()
        || (budget.is_null() && get(thinking, "includeThoughts") == true);
    if list(get(config, "responseModalities")).iter().any(|modality| modality != "TEXT") {
        asks.others.push("modalities".to_owned());
    }
    asks
}

/// `open`: calls without a result so far, by id and name.
fn part(part: &Value, side: Side, open: &mut Vec<(String, String)>, asks: &mut Asks) {
    if let Some(words) = part["text"].as_str() {
        if part["thought"] == true {
            asks.thinks |= !words.is_empty();
        } else {
            asks.item(side, Item::Text(words.to_owned()));
        }
        return;
    }
    let (call, result) = (get(part, "functionCall"), get(part, "functionResponse"));
    if call.is_object() {
        let name = text(call, "name").to_owned();
        let id = call["id"].as_str().map_or_else(|| format!("made {}", asks.items.len()), str::to_owned);
        open.push((id.clone(), name.clone()));
        let arguments = if call["args"].is_null() { json!({}) } else { call["args"].clone() };
        asks.item(side, Item::Call { id, name, arguments });
    } else if result.is_object() {
        let by_id = open.iter().position(|(id, _)| *id == text(result, "id"));
        let by_name = || open.iter().position(|(_, name)| *name == text(result, "name"));
        let id = match by_id.or_else(by_name) {
            Some(at) => open.remove(at).0,
            None => format!("lost {}", asks.items.len()),
        };
        let response = &result["response"];
        let only = response.as_object().filter(|all| all.len() == 1).and_then(|all| all.iter().next());
        let said = match only {
            Some((name, value)) if matches!(name.as_str(), "output" | "result" | "error") => {
                value.as_str().map_or_else(|| value.to_string(), str::to_owned)
            }
            _ if response.as_object().is_none_or(|all| all.is_empty()) => String::new(),
            _ => response.to_string(),
        };
        asks.item(side, Item::Result { id, text: said });
        for inside in list(&result["parts"]) {
            self::part(inside, Side::User, open, asks);
        }
    } else {
        let (item, kind) = item(part);
        asks.part(side, item, &kind);
    }
}

fn item(part: &Value) -> (Option<Item>, String) {
    let (blob, file) = (get(part, "inlineData"), get(part, "fileData"));
    let kind = |of: &Value| get(of, "mimeType").as_str().unwrap_or_default().to_owned();
    let film = !get(part, "videoMetadata").is_null();
    if blob.is_object() && !film {
        let kind = kind(blob);
        let url = media(&format!("data:{kind};base64,{}", text(blob, "data")));
        return match kind.split('/').next().unwrap() {
            "image" => (Some(Item::Image(url)), kind),
            "audio" => (Some(Item::Document(url)), kind),
            "video" => (None, kind),
            _ => (Some(Item::Document(url)), kind),
        };
    }
    if file.is_object() && !film {
        let (kind, uri) = (kind(file), get(file, "fileUri").as_str().unwrap_or_default().to_owned());
        let own = uri.starts_with("gs://") || uri.contains("generativelanguage.googleapis.com");
        return match kind.split('/').next().unwrap() {
            "image" if !own => (Some(Item::Image(uri)), kind),
            "text" | "application" if !own => (Some(Item::Document(uri)), kind),
            _ => (None, "fileData".to_owned()),
        };
    }
    let name =
        part.as_object().unwrap().keys().find(|name| *name != "thoughtSignature" && *name != "thought_signature");
    (None, name.cloned().unwrap_or_default())
}
