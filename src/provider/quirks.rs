//! What vendors of OpenAI's API want otherwise than OpenAI does: a table, and the changes that follow from it.

mod openai;

pub use openai::OPENAI;

use super::{Adapted, Ask, Provider, Unsupported};
use crate::chat::{Effect, Losses};
use crate::json::{Edit, Value, quote};
use std::borrow::Cow;

/// What a vendor wants otherwise. What is not known to be refused or ignored there is sent as it came.
pub struct Quirks {
    /// Only bodies that the gateway wrote are changed, not those of clients who speak the vendor's API.
    pub written_only: bool,
    /// A stream states its usage only if asked by `stream_options`.
    pub ask_usage: bool,
    /// Takes thinking back as `reasoning_content` in the history, or even demands it.
    pub echo_reasoning: bool,
    /// Of `max_tokens` and `max_completion_tokens` the one that is known, if not both are.
    pub max_tokens: Option<&'static str>,
    pub seed: &'static str,
    /// Most stop sequences.
    pub stops: usize,
    /// `developer` is a role of its own.
    pub developer: bool,
    /// `response_format` may be a JSON schema.
    pub json_schema: bool,
    /// `response_format` may be any JSON object.
    pub json_object: bool,
    /// `tool_choice` may name a tool.
    pub named_tool: bool,
    /// Ids of tool calls are nine letters and digits.
    pub short_ids: bool,
    /// An answer's beginning is an assistant's message with `prefix`.
    pub prefix: bool,
    /// The member that turns thinking off, where the least effort does not.
    pub no_thinking: Option<(&'static str, &'static str)>,
    /// Members with a closed list of words: the first entry that fits the model counts.
    pub words: &'static [Words],
    pub unsupported: &'static [Members],
    /// Members that no message may have.
    pub in_messages: &'static [&'static str],
}

/// Models by the beginnings of their names, a maker's name before a slash left out. None at all: every model.
pub struct Models {
    pub starts: &'static [&'static str],
    /// Not those that have one of these within their names.
    pub but: &'static [&'static str],
}

pub const ALL: Models = Models { starts: &[], but: &[] };

pub struct Members {
    pub of: Models,
    /// Only while thinking is asked for.
    pub thinking: bool,
    pub names: &'static [&'static str],
}

pub struct Words {
    pub of: Models,
    pub name: &'static str,
    pub known: &'static [&'static str],
}

impl Quirks {
    /// None at all.
    pub const NONE: Self = Self {
        written_only: false,
        ask_usage: true,
        echo_reasoning: false,
        max_tokens: None,
        seed: "seed",
        stops: usize::MAX,
        developer: true,
        json_schema: true,
        json_object: true,
        named_tool: true,
        short_ids: false,
        prefix: false,
        no_thinking: None,
        words: &[],
        unsupported: &[],
        in_messages: &[],
    };

    /// Whether a request may have to be changed.
    pub fn concern(&self, ask: &Ask<'_>) -> bool {
        if ask.api.name() != "openai" {
            return false;
        }
        if !self.written_only {
            return true;
        }
        let listed = self.unsupported.iter().map(|members| &members.of).chain(self.words.iter().map(|words| &words.of));
        ask.written && listed.into_iter().any(|models| models.has(ask.model))
    }
}

impl Models {
    fn has(&self, model: &str) -> bool {
        let bare = model.rsplit_once('/').map_or(model, |(_, bare)| bare);
        // `gpt-5` is no beginning of `gpt-5.1`, nor `grok-4` of `grok-4.3`.
        let begins = |start: &&str| {
            let rest = bare.strip_prefix(*start);
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.'))
        };
        (self.starts.is_empty() || self.starts.iter().any(begins)) && !self.but.iter().any(|part| bare.contains(part))
    }
}

/// The least first. `default` is the model's own.
const EFFORTS: &[&str] = &["none", "minimal", "low", "default", "medium", "high", "xhigh", "max"];

/// Without these the answer is another; all other members are hints.
const MEANING: &[&str] = &[
    "audio",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "modalities",
    "n",
    "stop",
    "tool_choice",
    "top_logprobs",
    "web_search_options",
];

const UNKNOWN: &str = "this provider does not support it";

pub fn adapt(provider: &Provider, body: Value<'_>, ask: &Ask<'_>) -> Adapted {
    let Some(quirks) = provider.kind.quirks else { return Adapted::default() };
    let mut work = Work { quirks, body, model: ask.model, policy: provider.unsupported, out: Adapted::default() };
    if work.policy != Some(Unsupported::Pass) {
        work.unsupported();
        work.format();
        work.words();
        work.stops();
        work.in_messages();
    }
    let other = match quirks.max_tokens {
        Some("max_tokens") => "max_completion_tokens",
        _ => "max_tokens",
    };
    work.rename(other, quirks.max_tokens.unwrap_or(other));
    work.rename("seed", quirks.seed);
    work.tool_choice();
    work.messages();
    work.out
}

struct Work<'q, 'v> {
    quirks: &'q Quirks,
    body: Value<'v>,
    model: &'q str,
    policy: Option<Unsupported>,
    out: Adapted,
}

fn name<'a>(tool: &Value<'a>) -> Option<Cow<'a, str>> {
    tool.at(&["function", "name"])?.text()
}

impl Work<'_, '_> {
    fn edit(&mut self, edit: impl IntoIterator<Item = Edit>) {
        self.out.edits.extend(edit);
    }

    fn lose(&mut self, name: &'static str, effect: Effect, reason: &'static str) {
        lose(&mut self.out.losses, self.policy, name, effect, reason);
    }

    fn unsupported(&mut self) {
        let effort = self.body.get("reasoning_effort");
        let thinks = effort.is_some_and(|effort| !effort.is("none"));
        let concerns = |members: &&Members| (!members.thinking || thinks) && members.of.has(self.model);
        let names: Vec<&'static str> =
            self.quirks.unsupported.iter().filter(concerns).flat_map(|members| members.names).copied().collect();
        for name in names {
            let Some(value) = self.body.member(name) else { continue };
            self.edit(self.body.remove(name));
            if !says_nothing(name, &value) {
                let effect = if MEANING.contains(&name) { Effect::Meaning } else { Effect::Hint };
                self.lose(name, effect, UNKNOWN);
            }
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        let Some(value) = self.body.get(from).filter(|_| from != to) else { return };
        self.edit(self.body.remove(from));
        if self.body.get(to).is_none() {
            self.edit([self.body.set(to, value.raw())]);
        }
    }

    fn words(&mut self) {
        for (at, words) in self.quirks.words.iter().enumerate() {
            let before = self.quirks.words.iter().take(at);
            let first =
                words.of.has(self.model) && !before.filter(|w| w.name == words.name).any(|w| w.of.has(self.model));
            let Some(value) = self.body.get(words.name).filter(|_| first) else { continue };
            let Some(word) = value.text().filter(|word| !words.known.contains(&&**word)) else { continue };
            let rank = |word: &str| EFFORTS.iter().position(|effort| *effort == word);
            let near = rank(&word).filter(|_| words.name == "reasoning_effort").and_then(|asked| {
                // Whoever asks for some thinking does not want none.
                let known = || words.known.iter().filter(|word| **word != "none" || asked == 0);
                known().rfind(|word| rank(word) <= Some(asked)).or(known().next())
            });
            match near {
                Some(near) => self.edit([self.body.set(words.name, ["\"", near, "\""].concat())]),
                None => self.edit(self.body.remove(words.name)),
            }
            self.lose(words.name, Effect::Hint, "this provider's model does not know that word");
        }
        let off = self.body.get("reasoning_effort").is_some_and(|effort| effort.is("none"));
        if let Some((name, json)) = self.quirks.no_thinking.filter(|_| off) {
            self.edit(self.body.remove("reasoning_effort"));
            self.edit([self.body.set(name, json)]);
        }
    }

    fn stops(&mut self) {
        let Some(stop) = self.body.get("stop") else { return };
        if stop.items().nth(self.quirks.stops).is_none() {
            return;
        }
        let kept: Vec<&str> = stop.items().take(self.quirks.stops).map(|stop| stop.raw()).collect();
        self.edit([self.body.set("stop", ["[", &kept.join(","), "]"].concat())]);
        self.lose("stop", Effect::Meaning, "this provider takes fewer stop sequences");
    }

    fn format(&mut self) {
        let Some(format) = self.body.get("response_format") else { return };
        let is = |word: &str| format.get("type").is_some_and(|kind| kind.is(word));
        if is("json_object") && !self.quirks.json_object {
            self.edit([self.body.set("response_format", ANY_OBJECT)]);
        }
        let (Some(schema), true) = (format.at(&["json_schema", "schema"]), is("json_schema")) else { return };
        if self.quirks.json_schema {
            return;
        }
        // JSON is what it can be held to; the schema is asked for in words.
        self.edit([self.body.set("response_format", r#"{"type":"json_object"}"#)]);
        if let Some(messages) = self.body.get("messages").filter(|messages| messages.items().next().is_some()) {
            let mut with = br#"{"role":"system","content":"#.to_vec();
            quote(&mut with, &[ASK_SCHEMA, schema.raw()].concat());
            with.extend_from_slice(b"},");
            let at = messages.span().start.saturating_add(1);
            self.edit([Edit { at: at..at, with }]);
        }
        let strict = format.at(&["json_schema", "strict"]).is_some_and(|strict| strict.truth() == Some(true));
        let effect = if strict { Effect::Meaning } else { Effect::Hint };
        self.lose("response_format", effect, "this provider cannot be held to a schema: it is asked for in words");
    }

    /// A choice that the vendor cannot express is one among fewer tools.
    fn tool_choice(&mut self) {
        let Some(choice) = self.body.get("tool_choice").filter(Value::is_object) else { return };
        let (mode, names) = match (choice.get("allowed_tools"), name(&choice)) {
            (Some(allowed), _) => {
                let tools = allowed.get("tools");
                let required = allowed.get("mode").is_some_and(|mode| mode.is("required"));
                let names = tools.iter().flat_map(Value::items).filter_map(|tool| name(&tool)).collect::<Vec<_>>();
                (if required { "\"required\"" } else { "\"auto\"" }, names)
            }
            (None, Some(named)) if !self.quirks.named_tool => ("\"required\"", vec![named]),
            _ => return,
        };
        let tools = self.body.get("tools");
        let kept = tools.iter().flat_map(Value::items).filter(|tool| name(tool).is_some_and(|n| names.contains(&n)));
        let kept: Vec<&str> = kept.map(|tool| tool.raw()).collect();
        if !kept.is_empty() {
            let tools = self.body.set("tools", ["[", &kept.join(","), "]"].concat());
            self.edit([tools, self.body.set("tool_choice", mode)]);
        }
    }

    fn in_messages(&mut self) {
        let quirks = self.quirks;
        if quirks.in_messages.is_empty() {
            return;
        }
        for message in self.body.get("messages").iter().flat_map(Value::items) {
            let tool = message.get("role").is_some_and(|role| role.is("tool"));
            for name in quirks.in_messages {
                let Some(value) = message.member(name).filter(|_| !(tool && *name == "name")) else { continue };
                self.edit(message.remove(name));
                if !value.is_empty() {
                    self.lose(name, Effect::Hint, "this provider's messages have no such member");
                }
            }
        }
    }

    fn messages(&mut self) {
        let quirks = self.quirks;
        if quirks.developer && !quirks.short_ids && !quirks.prefix {
            return;
        }
        let mut last = None;
        for message in self.body.get("messages").iter().flat_map(Value::items) {
            if !quirks.developer && message.get("role").is_some_and(|role| role.is("developer")) {
                self.edit([message.set("role", "\"system\"")]);
            }
            if quirks.short_ids {
                for call in message.get("tool_calls").iter().flat_map(Value::items) {
                    self.edit(short_id(&call, "id"));
                }
                self.edit(short_id(&message, "tool_call_id"));
            }
            last = Some(message);
        }
        let begun = last.filter(|message| message.get("role").is_some_and(|role| role.is("assistant")));
        if let Some(message) = begun.filter(|message| quirks.prefix && message.get("tool_calls").is_none()) {
            self.edit([message.set("prefix", "true")]);
        }
    }
}

const ANY_OBJECT: &str = r#"{"type":"json_schema","json_schema":{"name":"object","schema":{"type":"object"}}}"#;

const ASK_SCHEMA: &str = "Answer with one JSON object and nothing else: no other text, no code fence. The object must be \
                          valid against this JSON Schema: ";

fn lose(losses: &mut Losses, policy: Option<Unsupported>, name: &'static str, effect: Effect, reason: &'static str) {
    match (effect, policy) {
        (Effect::Meaning, None) | (_, Some(Unsupported::Refuse)) => losses.meaning(name, reason),
        _ => losses.hint(name, reason),
    }
}

/// Whether leaving it out changes nothing at all.
fn says_nothing(name: &str, value: &Value<'_>) -> bool {
    if value.is_empty() {
        return true;
    }
    let raw = value.raw();
    match name {
        "n" | "temperature" | "top_p" => number(raw) == Some(1.0),
        "frequency_penalty" | "presence_penalty" | "top_logprobs" => number(raw) == Some(0.0),
        "logprobs" | "store" => raw == "false",
        "parallel_tool_calls" => raw == "true",
        "tool_choice" | "service_tier" => value.is("auto"),
        "verbosity" => value.is("medium"),
        "modalities" => value.items().all(|kind| kind.is("text")),
        // Where it is unknown, usage is stated unasked.
        "stream_options" => true,
        _ => false,
    }
}

fn number(raw: &str) -> Option<f64> {
    raw.parse().ok()
}

/// Nine letters and digits that stand for an id of another form: for the same id the same, in this request and later.
fn short_id(of: &Value<'_>, name: &str) -> Option<Edit> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let id = of.get(name)?.text()?;
    if id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut rest = id.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let mut short = vec![b'"'];
    for _ in 0..9 {
        short.extend(DIGITS.get((rest % 62) as usize));
        rest /= 62;
    }
    short.push(b'"');
    Some(of.set(name, short))
}
