//! Requests.

use crate::Checked;
use crate::json::{Value, list, parse, parse_bytes, start};
use crate::{schema, vendor};
use sluice::api::{Api, Target};
use sluice::chat::{Effect, Losses, Request};
use sluice::json::{Body, splice};

/// A name that must be escaped in JSON.
const OTHER_MODEL: &str = "another/\"model\"";

/// What a request asks for, whatever API says it.
#[derive(Clone, Debug, Default)]
pub struct Asks {
    pub system: Vec<String>,
    pub items: Vec<(Side, Item)>,
    pub tools: Vec<Tool>,
    pub pick: Pick,
    pub one_call: bool,
    pub max_tokens: Option<u64>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub stop: Vec<String>,
    pub stream: bool,
    /// That the answer is to be held to.
    pub schema: Option<Value>,
    /// There is thinking in its history.
    pub thinks: bool,
    /// It asks for thinking.
    pub thinks_now: bool,
    /// Pictures stand beside a message's text, in no order with it.
    pub pictures_apart: bool,
    /// Texts of documents that stand beside the conversation.
    pub beside: Vec<String>,
    /// Types of parts and tools that only their own API has.
    pub others: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Side {
    User,
    Assistant,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Text(String),
    Image(String),
    Document(String),
    Call { id: String, name: String, arguments: Value },
    Result { id: String, text: String },
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Pick {
    #[default]
    Free,
    None,
    Some,
    Named(String),
    /// Only one API can say it.
    Allowed,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    name: String,
    description: String,
    schema: Value,
    /// Calls are to be held to the schema.
    strict: bool,
}

impl Tool {
    /// `from`: what has the description.
    pub fn new(name: &str, from: &Value, schema: &Value) -> Self {
        let mut schema = schema.clone();
        if schema.is_null() || schema.as_object().is_some_and(|s| s.is_empty()) {
            schema = serde_json::json!({"type": "object"});
        }
        if list(&schema["required"]).is_empty() && schema["properties"].as_object().is_none_or(|p| p.is_empty()) {
            schema = serde_json::json!({"type": "object"});
        }
        let description = from["description"].as_str().unwrap_or_default().to_owned();
        Self { name: name.to_owned(), description, schema, strict: from["strict"] == true }
    }

    /// Its name, what it is for, and its arguments' names.
    pub fn told(&self) -> String {
        format!("{} {:?} {:?}", self.name, self.description, self.properties())
    }

    /// A schema that calls are held to has its objects closed.
    fn same_as(&self, got: &Self) -> bool {
        let schema = self.schema == got.schema || (self.strict && closed(&self.schema) == closed(&got.schema));
        schema && (&self.name, &self.description) == (&got.name, &got.description)
    }

    fn properties(&self) -> Vec<&String> {
        self.schema["properties"].as_object().map(|p| p.keys().collect()).unwrap_or_default()
    }
}

/// The schema without the word that closes an object.
fn closed(schema: &Value) -> Value {
    match schema {
        Value::Object(all) => {
            let open = all.iter().filter(|(name, value)| *name != "additionalProperties" || **value != false);
            open.map(|(name, value)| (name.clone(), closed(value))).collect()
        }
        Value::Array(all) => all.iter().map(closed).collect(),
        other => other.clone(),
    }
}

/// A URL; of a data URL, the type under the one name it has everywhere.
pub fn media(url: &str) -> String {
    let names = [("image/jpg", "image/jpeg"), ("audio/mp3", "audio/mpeg"), ("audio/x-wav", "audio/wav")];
    let known = names.iter().find(|(other, _)| url.strip_prefix("data:").is_some_and(|rest| rest.starts_with(other)));
    known.map_or(url.to_owned(), |(other, name)| url.replacen(other, name, 1))
}

impl Asks {
    pub fn item(&mut self, side: Side, item: Item) {
        let empty = matches!(&item, Item::Text(text) if text.trim().is_empty());
        if !empty {
            self.items.push((side, item));
        }
    }

    /// A part, or its type where no other API has its like.
    pub fn part(&mut self, side: Side, item: Option<Item>, kind: &str) {
        match item {
            Some(item) => self.item(side, item),
            None => self.others.push(kind.to_owned()),
        }
    }

    /// Whether the text is that of documents beside the conversation, with what they are called or without.
    fn is_beside(&self, item: &Item) -> bool {
        let said = |text: &str| self.beside.iter().any(|own| text.contains(own.as_str()));
        let document = match item {
            Item::Document(url) => words(url),
            _ => None,
        };
        text(item).or(document.as_deref()).is_some_and(|text| {
            said(text) && text.split("\n\n").all(|part| said(part) || self.beside.iter().any(|own| own.contains(part)))
        })
    }

    /// The conversation in the one order that every API can say: of an answer its text, then its calls; after it the
    /// calls' results, then what else there is.
    fn conversation(&self) -> Vec<(Side, Item)> {
        let mut all = Vec::new();
        for run in self.items.chunk_by(|a, b| a.0 == b.0) {
            let said: Vec<&Item> = run.iter().map(|(_, item)| item).collect();
            match run[0].0 {
                Side::User => {
                    let said: Vec<&Item> = said.into_iter().filter(|item| !stands_in(item)).collect();
                    let results = said.iter().filter(|item| matches!(item, Item::Result { .. }));
                    let rest = said.iter().filter(|item| !matches!(item, Item::Result { .. }));
                    all.extend(results.chain(rest).map(|item| (Side::User, clean(item))));
                }
                Side::Assistant => {
                    let text: String = said.iter().filter_map(|item| text(item)).collect();
                    if !text.trim().is_empty() {
                        all.push((Side::Assistant, Item::Text(text.trim_end().to_owned())));
                    }
                    let rest = said.iter().filter(|item| text_is_none(item));
                    all.extend(rest.map(|item| (Side::Assistant, (*item).clone())));
                }
            }
        }
        all
    }
}

fn text(item: &Item) -> Option<&str> {
    match item {
        Item::Text(text) => Some(text),
        _ => None,
    }
}

fn text_is_none(item: &Item) -> bool {
    text(item).is_none()
}

/// Words of the translators' own around what a tool gave besides text, and where a turn must not be empty.
fn stands_in(item: &Item) -> bool {
    matches!(item, Item::Text(text) if text.starts_with("Result of the tool call ") || text == ".")
}

fn clean(item: &Item) -> Item {
    match item {
        Item::Result { id, text } if text == "The result is in the next user message." => {
            Item::Result { id: id.clone(), text: String::new() }
        }
        other => other.clone(),
    }
}

fn target(model: &str) -> Target<'_> {
    Target { model, max_tokens: 4096, stream_usage: true, echo_reasoning: false }
}

/// The body for that target, and whether usage is to be hidden.
fn spliced(api: &dyn Api, body: &str, target: &Target<'_>) -> Result<(String, bool), String> {
    let object = Body::parse(body.as_bytes()).map_err(|e| e.message.clone())?;
    let spliced = api.splice(object.value(), target);
    let out = splice(body.as_bytes(), &spliced.edits);
    Ok((String::from_utf8(out).map_err(|e| e.to_string())?, spliced.hide_usage))
}

fn read(api: &dyn Api, body: &[u8]) -> Result<Request, String> {
    let object = Body::parse(body).map_err(|e| format!("not parsed: {}", e.message))?;
    api.read_request(object.value())
        .map_err(|e| format!("not read: {} {}", e.param.clone().unwrap_or_default(), e.message))
}

pub fn same(api: &dyn Api, body: &str) -> Checked {
    let value = parse(body)?;
    let request = read(api, body.as_bytes())?;
    let asks = (vendor::of(api).asks)(&value);
    let model = value["model"].as_str().unwrap_or_default();
    if request.model != model || request.stream != asks.stream {
        return Err(format!("read model {:?}, stream {}", request.model, request.stream));
    }
    let pretty = serde_json::to_string_pretty(&value).map_err(|e| e.to_string())?;
    for body in [body, &pretty] {
        splices(api, body, &value)?;
    }
    Ok(())
}

fn splices(api: &dyn Api, body: &str, value: &Value) -> Checked {
    let model = value["model"].as_str().unwrap_or_default();
    let quiet = |model| Target { stream_usage: false, ..target(model) };
    if !value["model"].is_null() && spliced(api, body, &quiet(model))? != (body.to_owned(), false) {
        return Err("its own model changes it".to_owned());
    }
    // Only the model's value is another.
    let (out, _) = spliced(api, body, &quiet(OTHER_MODEL))?;
    let (old, new) = (value["model"].to_string(), Value::from(OTHER_MODEL).to_string());
    let fits = if vendor::BY_PATH.contains(&api.name()) {
        out == body
    } else if value["model"].is_null() {
        out.replacen(&format!("\"model\":{new},"), "", 1) == body
    } else {
        let object = Body::parse(body.as_bytes()).map_err(|e| e.message.clone())?;
        let at = object.value().member("model").ok_or("no model")?.span();
        body[at.clone()] == old && out == format!("{}{new}{}", &body[..at.start], &body[at.end..])
    };
    if !fits {
        return Err("another model changes more than the model".to_owned());
    }
    // Usage is asked for in a stream that does not ask itself, and nowhere else.
    let (out, hide) = spliced(api, body, &target(model))?;
    let asks = value["stream"] == true
        && value["stream_options"]["include_usage"] != true
        && api.name().starts_with("openai")
        && api.name() != "openai-responses";
    let mut want = value.clone();
    if value["model"].is_null() && !vendor::BY_PATH.contains(&api.name()) {
        want["model"] = model.into();
    }
    if asks {
        want["stream_options"] = match value["stream_options"].as_object() {
            Some(given) => Value::Object(given.clone()),
            None => serde_json::json!({}),
        };
        want["stream_options"]["include_usage"] = true.into();
    }
    if hide != asks || parse(&out)? != want {
        return Err(format!("usage asked for: {hide}; the body became {}", start(&out)));
    }
    let inserted = asks && value["stream_options"].is_null();
    let rest_kept = !inserted || body.get(1..).is_some_and(|rest| out.ends_with(rest));
    match (asks || out == body || value["model"].is_null(), rest_kept) {
        (true, true) => Ok(()),
        _ => Err(format!("more is changed than must be: {}", start(&out))),
    }
}

pub fn across(api: &dyn Api, other: &dyn Api, body: &str) -> Checked {
    let value = parse(body)?;
    let (here, there) = (vendor::of(api), vendor::of(other));
    let asks = (here.asks)(&value);
    let request = read(api, body.as_bytes())?;
    for model in there.models {
        let mut written = other.write_request(&request, &target(model));
        written.losses.extend(request.losses.clone());
        let fail = |why: String| format!("for {model}: {why}");
        let got = parse_bytes(&written.body).map_err(fail)?;
        lost(here, there, &value, &asks, &written.losses).map_err(fail)?;
        // Its conversation is elsewhere: it is refused, and need not be well said.
        if request.losses.worst().is_some() {
            continue;
        }
        schema::check(there.schemas[0], &got).map_err(fail)?;
        let by_path = vendor::BY_PATH.contains(&there.name);
        if got["model"] != *model && !by_path {
            return Err(fail(format!("it asks for {}", got["model"])));
        }
        let mut said = (there.asks)(&got);
        if by_path {
            said.stream = asks.stream;
        }
        compare(&asks, &said, &written.losses, written.schema_tool).map_err(fail)?;
        // What is refused need not be well said.
        if written.losses.worst().is_some() && !asks.others.is_empty() {
            continue;
        }
        // And back.
        let back = read(other, &written.body).map_err(fail)?;
        let again = api.write_request(&back, &target(here.models[0]));
        let got = (here.asks)(&parse_bytes(&again.body).map_err(fail)?);
        if again.losses.iter().any(|loss| loss.what == "system") {
            // Instructions alone, sent as the user's.
            continue;
        }
        let (mut want, mut got) = (kept(&said, &again.losses), kept(&got, &again.losses));
        if asks.pictures_apart || said.pictures_apart {
            pictures_last(&mut want);
            pictures_last(&mut got);
        }
        got.retain(|(_, item)| !said.is_beside(item));
        conversation(&want, &got).map_err(|why| fail(format!("read back: {why}")))?;
    }
    Ok(())
}

/// What a request is refused for, unless the policy says otherwise.
pub fn refusals(api: &dyn Api, other: &dyn Api, body: &str) -> Vec<&'static str> {
    let written = read(api, body.as_bytes()).map(|request| {
        let model = vendor::of(other).models[0];
        let mut losses = other.write_request(&request, &target(model)).losses;
        losses.extend(request.losses);
        losses
    });
    let meaning = |loss: &&sluice::chat::Loss| loss.effect == Effect::Meaning;
    written.iter().flat_map(|losses| losses.iter().filter(meaning).map(|loss| loss.what)).collect()
}

/// Settings that this API has and most others have not.
fn carried(to: &str) -> &'static [&'static str] {
    match to {
        "bedrock" => &["top_k", "metadata", "cache_control"],
        "gemini" => {
            &["n", "top_k", "seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "modalities"]
        }
        "cohere" => &["top_k", "seed", "frequency_penalty", "presence_penalty", "logprobs"],
        "openai" => &["moderation", "prompt_cache_key", "prompt_cache_options", "safety_identifier", "store"],
        "ollama" => &["top_k", "seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs"],
        "openai-responses" => &[
            "logprobs",
            "top_logprobs",
            "metadata",
            "moderation",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "safety_identifier",
            "store",
            "verbosity",
        ],
        _ => &[],
    }
}

/// Members without a counterpart, and parts, are among the losses.
fn lost(here: &vendor::Vendor, there: &vendor::Vendor, value: &Value, asks: &Asks, losses: &Losses) -> Checked {
    let named = |name: &str| losses.iter().any(|loss| loss.what == name);
    for (name, value) in value.as_object().into_iter().flatten() {
        let says_nothing = match name.as_str() {
            "n" => value.as_u64().unwrap_or(1) == 1,
            "frequency_penalty" | "presence_penalty" => value.as_f64().unwrap_or_default() == 0.0,
            "modalities" => list(value) == ["text"],
            _ => value.is_null() || *value == false || value.as_object().is_some_and(|o| o.is_empty()),
        } || list(value).is_empty() && value.is_array();
        let carried = carried(there.name).contains(&name.as_str());
        if !here.known.contains(&name.as_str()) && !carried && !says_nothing && !named(name) && !named("extra") {
            return Err(format!("{name} is lost in silence"));
        }
    }
    // A file by its id is the same vendor's in both of its APIs.
    let kept = |kind: &String| match kind.as_str() {
        "file" => there.name == "openai-responses",
        "input_file" => there.name == "openai",
        _ => false,
    };
    if !asks.others.iter().all(kept) && !losses.iter().any(|loss| loss.effect == Effect::Meaning) {
        return Err(format!("{} are lost in silence", asks.others.join(", ")));
    }
    Ok(())
}

fn compare(want: &Asks, got: &Asks, losses: &Losses, schema_tool: bool) -> Checked {
    let named = |names: &[&str]| losses.iter().any(|loss| names.contains(&loss.what));
    let refused = losses.worst().is_some();
    let differ = |what: &str, want: &dyn std::fmt::Debug, got: &dyn std::fmt::Debug| {
        Err(format!("{what} {} is {}", start(&format!("{want:?}")), start(&format!("{got:?}"))))
    };
    let system = |asks: &Asks| asks.system.iter().filter(|s| !s.trim().is_empty()).cloned().collect::<Vec<_>>();
    let (mut wanted, mut given) = (kept(want, losses), kept(got, losses));
    wanted.retain(|(_, item)| !got.is_beside(item));
    if want.pictures_apart || got.pictures_apart {
        pictures_last(&mut wanted);
        pictures_last(&mut given);
    }
    let (mut system_want, system_got) = (system(want), system(got));
    if named(&["system"]) {
        // Instructions alone, sent as the user's.
        wanted = system_want.drain(..).map(|text| (Side::User, Item::Text(text))).collect();
    }
    let told = named(&["response_format"]);
    if system_got.get(..system_want.len()) != Some(&system_want) || (system_got.len() > system_want.len() && !told) {
        return differ("system", &system_want, &system_got);
    }
    if refused && want.others.iter().any(|kind| kind != "function") {
        // What is refused need not be well said.
        wanted.clear();
        given.clear();
    }
    conversation(&wanted, &given)?;
    if want.thinks && !got.thinks && !named(&["thinking"]) {
        return Err("the thinking of its history is lost in silence".to_owned());
    }
    let called = |name: &String| want.items.iter().any(|(_, i)| matches!(i, Item::Call { name: n, .. } if n == name));
    let barred = got.pick == Pick::None || named(&["tool_choice"]);
    let history = want.tools.is_empty() && barred && got.tools.iter().all(|tool| called(&tool.name));
    // Where calls in the history need their tools declared, these may not be called again.
    if !schema_tool && !history {
        // Where a tool that must be called cannot be named, it is the only one; so are those that may be.
        let fewer = named(&["tool_choice"]) || want.pick == Pick::Allowed;
        let picked = |tool: &&Tool| !fewer || got.tools.iter().any(|other| other.name == tool.name);
        let wanted: Vec<Tool> = want.tools.iter().filter(picked).cloned().collect();
        tools(&wanted, &got.tools, named(&["schema_constraints"]))?;
        let pick = if want.tools.is_empty() { &Pick::Free } else { &want.pick };
        let same = *pick == got.pick || *pick == Pick::Allowed || named(&["tool_choice"]);
        let one_call = want.one_call == got.one_call || named(&["parallel_tool_calls"]);
        if !same || (!one_call && !wanted.is_empty() && *pick != Pick::None) {
            return differ("tool_choice", &(pick, want.one_call), &(&got.pick, got.one_call));
        }
    }
    let held = got.schema.is_some() || schema_tool || told;
    if (want.schema.is_some() && !held) || (want.schema.is_none() && got.schema.is_some()) {
        return differ("schema", &want.schema, &got.schema);
    }
    let exact = want.schema == got.schema || named(&["schema_constraints", "response_format"]) || schema_tool;
    if !exact && keys(&want.schema) != keys(&got.schema) {
        return differ("schema", &want.schema, &got.schema);
    }
    // Tokens of thinking are on top of what was asked for; an API that must be told has its default.
    if want.max_tokens.is_some() && want.max_tokens > got.max_tokens && !named(&["max_tokens"]) {
        return differ("max_tokens", &want.max_tokens, &got.max_tokens);
    }
    let settings = [("temperature", want.temperature, got.temperature), ("top_p", want.top_p, got.top_p)];
    for (name, want, got) in settings.into_iter().filter(|(name, ..)| !named(&[name])) {
        // 1 is every API's default.
        if want.unwrap_or(1.0) != got.unwrap_or(1.0) {
            return differ(name, &want, &got);
        }
    }
    if want.stop != got.stop && !named(&["stop"]) {
        return differ("stop", &want.stop, &got.stop);
    }
    if want.thinks_now && !got.thinks_now && !named(&["reasoning"]) {
        return Err("it no longer asks for thinking".to_owned());
    }
    match want.stream == got.stream {
        true => Ok(()),
        false => differ("stream", &want.stream, &got.stream),
    }
}

/// The conversation without what is among the losses.
fn kept(asks: &Asks, losses: &Losses) -> Vec<(Side, Item)> {
    let named = |names: &[&str]| losses.iter().any(|loss| names.contains(&loss.what));
    let mut all = asks.conversation();
    all.retain(|(_, item)| match item {
        Item::Image(_) => !named(&["image", "image.file", "file"]),
        Item::Document(url) if url.starts_with("data:audio/") => !named(&["audio", "document", "file"]),
        Item::Document(_) => !named(&["document", "document.url", "document.file", "file"]),
        _ => true,
    });
    all
}

fn pictures_last(all: &mut [(Side, Item)]) {
    for (_, item) in all.iter_mut() {
        // Nor is their type told.
        if let Item::Image(url) = item
            && let Some((_, data)) = url.split_once(";base64,")
        {
            *url = data.to_owned();
        }
    }
    for run in all.chunk_by_mut(|a, b| a.0 == b.0) {
        run.sort_by_key(|(_, item)| matches!(item, Item::Image(_)));
    }
}

fn keys(schema: &Option<Value>) -> Vec<&String> {
    schema.iter().filter_map(|s| s["properties"].as_object()).flat_map(|p| p.keys()).collect()
}

/// Ids may be others, where an API takes fewer; calls and results still belong together.
fn conversation(want: &[(Side, Item)], got: &[(Side, Item)]) -> Checked {
    let mut ids: Vec<(String, String)> = Vec::new();
    let mut same_id = |want: &str, got: &str| {
        let known = ids.iter().rev().find(|(w, g)| w == want || g == got).cloned();
        let (w, g) = known.unwrap_or_else(|| {
            ids.push((want.to_owned(), got.to_owned()));
            (want.to_owned(), got.to_owned())
        });
        w == want && g == got
    };
    for at in 0..want.len().max(got.len()) {
        let same = match (want.get(at), got.get(at)) {
            (
                Some((_, Item::Call { id, name, arguments })),
                Some((_, Item::Call { id: other, name: n, arguments: a })),
            ) => same_id(id, other) && (name, arguments) == (n, a),
            (Some((_, Item::Result { id, text })), Some((_, Item::Result { id: other, text: t }))) => {
                // Where a result has one text, its parts are paragraphs.
                let flat = |text: &String| text.replace("\n\n", "");
                same_id(id, other)
                    && (flat(text) == flat(t)
                        || titled(text, t)
                        || (text.is_empty() && t == "Error")
                        || same_json(text, t))
            }
            (Some((_, Item::Document(url))), Some((_, Item::Text(text))))
            | (Some((_, Item::Text(text))), Some((_, Item::Document(url)))) => {
                // A document that is text may be one, or be said.
                words(url).is_some_and(|words| text.ends_with(words.trim_end()) || text.contains(&words))
            }
            (want, got) => want == got,
        };
        if !same {
            let shown = |item: Option<&(Side, Item)>| item.map_or("nothing".to_owned(), |i| start(&format!("{i:?}")));
            return Err(format!("item {at}: {} is {}", shown(want.get(at)), shown(got.get(at))));
        }
    }
    Ok(())
}

/// The text of a document that is text.
pub fn words(url: &str) -> Option<String> {
    let (_, data) = url.strip_prefix("data:text/")?.split_once(";base64,")?;
    String::from_utf8(crate::corpus::base64(data)).ok()
}

/// A document that had to be given a name.
fn titled(want: &str, got: &str) -> bool {
    !want.is_empty() && got.strip_suffix(want).is_some_and(|title| title.ends_with("\n\n"))
}

/// A tool's result that is JSON says the same however it is spaced.
fn same_json(want: &str, got: &str) -> bool {
    parse(want).is_ok_and(|want| parse(got) == Ok(want))
}

fn tools(want: &[Tool], got: &[Tool], loosened: bool) -> Checked {
    for at in 0..want.len().max(got.len()) {
        let (Some(want), Some(got)) = (want.get(at), got.get(at)) else {
            return Err(format!("{} tools are {}", want.len(), got.len()));
        };
        let same = match loosened {
            true => want.name == got.name && want.properties() == got.properties(),
            false => want.same_as(got),
        };
        if !same {
            return Err(format!("tool {} is {}", start(&format!("{want:?}")), start(&format!("{got:?}"))));
        }
    }
    Ok(())
}
