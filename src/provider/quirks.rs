//! What vendors of OpenAI's API want otherwise than OpenAI does: a table, and the changes that follow from it.

mod openai;

pub use openai::OPENAI;

use super::{Adapted, Ask, Provider, Unsupported};
use crate::chat::Effect;
use crate::json::{Edit, Value, quote, write as put};

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
    /// Each tool call of a stream is whole in one event.
    pub whole_calls: bool,
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
        whole_calls: false,
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
        let begins = |start: &&str| match bare.strip_prefix(*start).map(str::as_bytes) {
            Some([next, ..]) => !next.is_ascii_alphanumeric() && *next != b'.',
            Some([]) => true,
            None => false,
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
    }
    match quirks.max_tokens {
        Some("max_tokens") => work.rename("max_completion_tokens", "max_tokens", "1"),
        Some(other) => work.rename("max_tokens", other, "1"),
        None => {}
    }
    if quirks.seed != "seed" {
        work.rename("seed", quirks.seed, "0");
    }
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

// What is called often is kept out of line: the module has a budget of bytes.

/// Whether the member is this very string.
#[inline(never)]
fn is(of: &Value<'_>, name: &str, word: &str) -> bool {
    of.get(name).is_some_and(|value| value.is(word))
}

/// The elements of a list, if it is there.
#[inline(never)]
pub fn each(of: &Value<'_>, name: &str, sink: &mut dyn FnMut(Value<'_>)) {
    if let Some(list) = of.get(name) {
        for item in list.items() {
            sink(item);
        }
    }
}

impl Work<'_, '_> {
    #[inline(never)]
    fn remove(&mut self, of: &Value<'_>, name: &str) {
        self.out.edits.extend(of.remove(name));
    }

    #[inline(never)]
    fn set(&mut self, of: &Value<'_>, name: &str, json: &[u8]) {
        self.out.edits.push(of.set(name, json));
    }

    #[inline(never)]
    fn lose(&mut self, name: &'static str, effect: Effect, reason: &'static str) {
        match (effect, self.policy) {
            (Effect::Meaning, None) | (_, Some(Unsupported::Refuse)) => self.out.losses.meaning(name, reason),
            _ => self.out.losses.hint(name, reason),
        }
    }

    fn unsupported(&mut self) {
        let body = self.body;
        let thinks = body.get("reasoning_effort").is_some_and(|effort| !effort.is("none"));
        for members in self.quirks.unsupported {
            if (members.thinking && !thinks) || !members.of.has(self.model) {
                continue;
            }
            for name in members.names {
                let Some(value) = body.member(name) else { continue };
                self.remove(&body, name);
                if !says_nothing(name, &value) {
                    let effect = if MEANING.contains(name) { Effect::Meaning } else { Effect::Hint };
                    self.lose(name, effect, UNKNOWN);
                }
            }
        }
    }

    /// `zero`: what is sent for it. To some servers 0 is no bound.
    #[inline(never)]
    fn rename(&mut self, from: &str, to: &str, zero: &str) {
        let body = self.body;
        let Some(value) = body.get(from) else { return };
        self.remove(&body, from);
        if body.get(to).is_none() {
            let raw = if value.count() == Some(0) { zero } else { value.raw() };
            self.set(&body, to, raw.as_bytes());
        }
    }

    fn words(&mut self) {
        let body = self.body;
        let mut done = "";
        for words in self.quirks.words {
            if words.name == done || !words.of.has(self.model) {
                continue;
            }
            done = words.name;
            let Some(word) = body.get(words.name).and_then(|value| value.text()) else { continue };
            if words.known.contains(&&*word) {
                continue;
            }
            match near(&word, words.known).filter(|_| words.name == "reasoning_effort") {
                Some(near) => {
                    let mut quoted = Vec::new();
                    quote(&mut quoted, near);
                    self.set(&body, words.name, &quoted);
                }
                None => self.remove(&body, words.name),
            }
            self.lose(words.name, Effect::Hint, "this provider's model does not know that word");
        }
        if let Some((name, json)) = self.quirks.no_thinking
            && is(&body, "reasoning_effort", "none")
        {
            self.remove(&body, "reasoning_effort");
            self.set(&body, name, json.as_bytes());
        }
    }

    fn stops(&mut self) {
        let (body, most) = (self.body, self.quirks.stops);
        let (mut kept, mut count) = (vec![b'['], 0_usize);
        each(&body, "stop", &mut |stop| {
            if count < most {
                put::comma(&mut kept);
                kept.extend_from_slice(stop.raw().as_bytes());
            }
            count = count.saturating_add(1);
        });
        if count > most {
            kept.push(b']');
            self.set(&body, "stop", &kept);
            self.lose("stop", Effect::Meaning, "this provider takes fewer stop sequences");
        }
    }

    fn format(&mut self) {
        let body = self.body;
        let Some(format) = body.get("response_format") else { return };
        if !self.quirks.json_object && is(&format, "type", "json_object") {
            self.set(&body, "response_format", ANY_OBJECT);
        }
        if self.quirks.json_schema || !is(&format, "type", "json_schema") {
            return;
        }
        let Some(schema) = format.at(&["json_schema", "schema"]) else { return };
        // JSON is what it can be held to; the schema is asked for in words.
        self.set(&body, "response_format", br#"{"type":"json_object"}"#);
        if let Some(messages) = body.get("messages").filter(|messages| messages.is_list() && !messages.is_empty()) {
            let mut with = br#"{"role":"system","content":"#.to_vec();
            quote(&mut with, &[ASK_SCHEMA, schema.raw()].concat());
            with.extend_from_slice(b"},");
            let at = messages.span().start.saturating_add(1);
            self.out.edits.push(Edit { at: at..at, with });
        }
        let strict = format.at(&["json_schema", "strict"]).is_some_and(|strict| strict.truth() == Some(true));
        let effect = if strict { Effect::Meaning } else { Effect::Hint };
        self.lose("response_format", effect, "this provider cannot be held to a schema: it is asked for in words");
    }

    /// A choice that the vendor cannot express is one among fewer tools.
    fn tool_choice(&mut self) {
        let body = self.body;
        let Some(choice) = body.get("tool_choice").filter(Value::is_object) else { return };
        let allowed = choice.get("allowed_tools");
        if allowed.is_none() && self.quirks.named_tool {
            return;
        }
        let mut kept = vec![b'['];
        each(&body, "tools", &mut |tool| {
            let name = tool.at(&["function", "name"]);
            let mut chosen = false;
            let mut compare = |one: Value<'_>| {
                let other = one.at(&["function", "name"]).and_then(|other| other.text());
                chosen |= other.is_some_and(|other| name.is_some_and(|name| name.is(&other)));
            };
            match &allowed {
                Some(allowed) => each(allowed, "tools", &mut compare),
                None => compare(choice),
            }
            if chosen {
                put::comma(&mut kept);
                kept.extend_from_slice(tool.raw().as_bytes());
            }
        });
        if kept.len() > 1 {
            kept.push(b']');
            self.set(&body, "tools", &kept);
            let required = allowed.is_none_or(|allowed| is(&allowed, "mode", "required"));
            self.set(&body, "tool_choice", if required { b"\"required\"" } else { b"\"auto\"" });
        }
    }

    fn messages(&mut self) {
        let (body, quirks) = (self.body, self.quirks);
        let members = if self.policy == Some(Unsupported::Pass) { &[] } else { quirks.in_messages };
        if quirks.developer && !quirks.short_ids && !quirks.prefix && members.is_empty() {
            return;
        }
        let mut begun = None;
        each(&body, "messages", &mut |message| {
            if !quirks.developer && is(&message, "role", "developer") {
                self.set(&message, "role", b"\"system\"");
            }
            for name in members {
                let Some(value) = message.member(name) else { continue };
                if *name == "name" && is(&message, "role", "tool") {
                    continue;
                }
                self.remove(&message, name);
                if !value.is_empty() {
                    self.lose(name, Effect::Hint, "this provider's messages have no such member");
                }
            }
            if quirks.short_ids {
                each(&message, "tool_calls", &mut |call| self.shorten(&call, "id"));
                self.shorten(&message, "tool_call_id");
            }
            let open = quirks.prefix && is(&message, "role", "assistant") && message.get("tool_calls").is_none();
            begun = open.then(|| message.set("prefix", b"true".as_slice()));
        });
        self.out.edits.extend(begun);
    }

    /// Nine letters and digits stand for an id of another form: for the same id the same, in this request and later.
    #[inline(never)]
    fn shorten(&mut self, of: &Value<'_>, name: &str) {
        let Some(id) = of.get(name).and_then(|id| id.text()) else { return };
        let id = id.as_bytes();
        if id.len() == 9 && id.iter().all(u8::is_ascii_alphanumeric) {
            return;
        }
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        let mut rest = id.iter().fold(0xcbf2_9ce4_8422_2325, step);
        let mut short = *b"\"         \"";
        for place in short.iter_mut().filter(|place| **place == b' ') {
            *place = DIGITS.get((rest % 62) as usize).copied().unwrap_or_default();
            rest /= 62;
        }
        self.set(of, name, &short);
    }
}

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The known effort that comes nearest: the most that is not more than was asked, else the least. Whoever asks for some
/// thinking does not want none.
fn near(asked: &str, known: &'static [&'static str]) -> Option<&'static str> {
    let rank = |word: &str| EFFORTS.iter().position(|effort| *effort == word);
    let asked = rank(asked)?;
    let mut found = None;
    for word in known {
        if (asked == 0 || *word != "none") && (found.is_none() || rank(word) <= Some(asked)) {
            found = Some(*word);
        }
    }
    found
}

const ANY_OBJECT: &[u8] = br#"{"type":"json_schema","json_schema":{"name":"object","schema":{"type":"object"}}}"#;

const ASK_SCHEMA: &str = "Answer with one JSON object and nothing else: no other text, no code fence. The object must be \
                          valid against this JSON Schema: ";

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
