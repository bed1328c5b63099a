//! A provider's answer, read; whole, and what a stream's chunks have in common with it.

use super::messages::{ThoughtIn, source, thoughts};
use super::wire::{Count, OneOrMany, Text, hash, object, read};
use crate::chat::{Answer, Choice, Citation, Finish, Part, Usage};
use crate::error::{Error, Kind};
use crate::json;
use serde_json::value::RawValue;
use std::borrow::Cow;

object!(Body {
    id: Text<'a>,
    model: Text<'a>,
    created: Count,
    service_tier: Text<'a>,
    system_fingerprint: Text<'a>,
    choices: Vec<ChoiceIn<'a>>,
    usage: UsageIn<'a>,
    x_groq: GroqIn<'a>,
    error: &'a RawValue,
    citations: &'a RawValue,
});

object!(ChoiceIn {
    index: u32,
    message: Box<Said<'a>>,
    delta: Said<'a>,
    finish_reason: Text<'a>,
    logprobs: &'a RawValue,
    error: &'a RawValue,
});

object!(
/// A message, or what a chunk adds to one.
Said {
    content: OneOrMany<'a, Piece<'a>>,
    refusal: Text<'a>,
    reasoning_content: Text<'a>,
    reasoning: Text<'a>,
    reasoning_details: Vec<ThoughtIn<'a>>,
    thinking_blocks: Vec<ThoughtIn<'a>>,
    tool_calls: Vec<CallIn<'a>>,
    function_call: CalledIn<'a>,
    annotations: &'a RawValue,
    images: &'a RawValue,
    audio: &'a RawValue,
});

object!(
/// Of a vendor that makes content a list.
Piece {
    text: Text<'a>,
    thinking: OneOrMany<'a, Piece<'a>>,
    signature: Text<'a>,
    refusal: Text<'a>,
});

object!(CallIn {
    index: u32,
    id: Text<'a>,
    function: CalledIn<'a>,
    custom: CustomIn<'a>,
});

object!(CalledIn {
    name: Text<'a>,
    arguments: &'a RawValue,
});

object!(CustomIn {
    name: Text<'a>,
    input: Text<'a>,
});

object!(GroqIn {
    usage: UsageIn<'a>,
});

object!(UsageIn {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    prompt_tokens_details: DetailsIn<'a>,
    completion_tokens_details: DetailsIn<'a>,
    prompt_cache_hit_tokens: Count,
    cached_tokens: Count,
    num_cached_tokens: Count,
});

object!(DetailsIn { cached_tokens: Count, cache_write_tokens: Count, audio_tokens: Count, reasoning_tokens: Count });

object!(AnnotationIn {
    url_citation: UrlCitation<'a>,
});

object!(UrlCitation {
    url: Text<'a>,
    title: Text<'a>,
    content: Text<'a>,
    start_index: u64,
    end_index: u64,
});

object!(PictureIn {
    image_url: UrlIn<'a>,
});

object!(UrlIn {
    url: Text<'a>,
});

pub(super) fn answer(body: &[u8]) -> Result<Answer, Error> {
    let Body { id, model, created, service_tier, system_fingerprint, choices, usage, x_groq, error, citations, .. } =
        parse(body)?;
    if let Some(error) = error.filter(|e| says_something(e.get())) {
        return Err(super::error::inside(error.get()));
    }
    let Some(choices) = choices else { return Err(bad("the provider's answer has no choices")) };
    let id = id.map(Text::owned).unwrap_or_default();
    let cited = citations.map(links).unwrap_or_default();
    let choices = choices.into_iter().map(|c| choice(c, &id, &cited)).collect::<Result<Vec<_>, Error>>()?;
    Ok(Answer {
        id,
        model: model.map(Text::owned).unwrap_or_default(),
        created: created.map(|c| c.0).filter(|c| *c > 0),
        choices,
        usage: usage.and_then(UsageIn::usage).or(x_groq.and_then(|x| x.usage).and_then(UsageIn::usage)),
        service_tier: service_tier.map(Text::owned).filter(|t| !t.is_empty()),
        system_fingerprint: system_fingerprint.map(Text::owned).filter(|f| !f.is_empty()),
    })
}

/// A body or an event's data.
pub(super) fn parse(body: &[u8]) -> Result<Body<'_>, Error> {
    let text = std::str::from_utf8(body).map_err(|_| bad("the provider's answer is not UTF-8"))?;
    read(text).map_err(|e| {
        let at = e.param.unwrap_or_default();
        bad(&format!("the provider's answer cannot be read: {at} {}", e.message))
    })
}

pub(super) fn bad(message: &str) -> Error {
    Error::provider(Kind::BadAnswer, message)
}

/// Whether an `error` member means one: some vendors always send the member.
pub(super) fn says_something(error: &str) -> bool {
    !matches!(error, "null" | "\"\"" | "false")
}

fn choice(choice: ChoiceIn<'_>, id: &str, cited: &[Citation]) -> Result<Choice, Error> {
    if let Some(error) = choice.error.filter(|e| says_something(e.get())) {
        return Err(super::error::inside(error.get()));
    }
    let index = choice.index.unwrap_or_default();
    let said = choice.message.map(|m| *m).or(choice.delta).unwrap_or_default();
    let mut parts = Vec::new();
    let plain = said.reasoning_content.or(said.reasoning);
    thoughts(plain, [said.thinking_blocks, said.reasoning_details], &mut parts);
    match said.content {
        None => {}
        Some(OneOrMany::One(text)) if text.is_empty() => {}
        Some(OneOrMany::One(text)) => parts.push(Part::text(text)),
        Some(OneOrMany::Many(all)) => parts.extend(all.into_iter().filter_map(piece)),
    }
    let mut citations = said.annotations.map(annotations).unwrap_or_default();
    if citations.is_empty() {
        citations = cited.to_vec();
    }
    if let Some(Part::Text { citations: all, .. }) = parts.iter_mut().find(|p| matches!(p, Part::Text { .. })) {
        *all = citations;
    }
    let refusal = said.refusal.map(Text::owned).filter(|r| !r.is_empty());
    let refused = refusal.is_some();
    parts.extend(refusal.map(|text| Part::Refusal { text }));
    let pictures = said.images.and_then(|raw| read::<Vec<PictureIn<'_>>>(raw.get()).ok()).unwrap_or_default();
    for url in pictures.into_iter().filter_map(|p| p.image_url?.url) {
        parts.push(Part::Image { source: source(&url.0), detail: None, cache: None });
    }
    if let Some(audio) = said.audio {
        parts.push(Part::Other { kind: "audio".to_owned(), raw: audio.to_owned() });
    }
    let mut called = false;
    for (n, call) in said.tool_calls.unwrap_or_default().into_iter().enumerate() {
        let (name, arguments) = match (call.function, call.custom) {
            (Some(function), _) => {
                (function.name.map(Text::owned), function.arguments.map(arguments).unwrap_or_default())
            }
            (None, Some(custom)) => (custom.name.map(Text::owned), Cow::Owned(input(custom.input))),
            (None, None) => continue,
        };
        let id = call.id.map(Text::owned).filter(|id| !id.is_empty()).unwrap_or_else(|| made_id(hash(&[id]), index, n));
        let name = name.unwrap_or_default();
        parts.push(Part::ToolCall { id, name, arguments: arguments.into_owned(), cache: None });
        called = true;
    }
    if let Some(call) = said.function_call.filter(|_| !called) {
        let arguments = call.arguments.map(arguments).unwrap_or_default().into_owned();
        let name = call.name.map(Text::owned).unwrap_or_default();
        parts.push(Part::ToolCall { id: made_id(hash(&[id]), index, 0), name, arguments, cache: None });
        called = true;
    }
    Ok(Choice {
        parts,
        // Some give no reason, or an empty one.
        finish: Some(finish(&choice.finish_reason.unwrap_or_default().0, called, refused)),
        stop_sequence: None,
        logprobs: choice.logprobs.filter(|raw| raw.get().contains('[')).map(ToOwned::to_owned),
    })
}

fn piece(piece: Piece<'_>) -> Option<Part> {
    if let Some(thinking) = piece.thinking {
        let text = match thinking {
            OneOrMany::One(text) => text.into_owned(),
            OneOrMany::Many(all) => all.into_iter().filter_map(|p| p.text).map(Text::owned).collect(),
        };
        return Some(Part::Thinking { text, signature: piece.signature.map(Text::owned) });
    }
    let refusal = piece.refusal.map(|r| Part::Refusal { text: r.owned() });
    piece.text.filter(|t| !t.0.is_empty()).map(|t| Part::text(t.0)).or(refusal)
}

/// The arguments' text. A few vendors send the object itself.
pub(super) fn arguments(raw: &RawValue) -> Cow<'_, str> {
    if raw.get() == "null" {
        return Cow::Borrowed("");
    }
    match raw.get().starts_with('"').then(|| serde_json::from_str::<Text<'_>>(raw.get())) {
        Some(Ok(text)) => text.0,
        _ => Cow::Borrowed(raw.get()),
    }
}

/// A custom tool's input is any text; elsewhere arguments are an object.
pub(super) fn input(input: Option<Text<'_>>) -> String {
    let mut out = b"{\"input\":".to_vec();
    json::quote(&mut out, &input.unwrap_or_default().0);
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

/// An id for a call that has none, the same however often the answer is read.
/// `answer` is the hash of the answer's id.
pub(super) fn made_id(answer: u64, choice: u32, call: usize) -> String {
    format!("call_{:016x}", hash(&[&answer.to_string(), &choice.to_string(), &call.to_string()]))
}

/// `called`, `refused`: what the answer holds counts for more than the reason given. A named tool's call ends with `stop`.
pub(super) fn finish(reason: &str, called: bool, refused: bool) -> Finish {
    match reason {
        "length" | "max_tokens" | "insufficient_system_resource" => Finish::Length,
        "model_length" => Finish::ContextFull,
        "content_filter" => Finish::Filtered,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        _ if called => Finish::ToolCalls,
        _ if refused => Finish::Refusal,
        _ => Finish::Stop,
    }
}

fn annotations(raw: &RawValue) -> Vec<Citation> {
    let all: Vec<AnnotationIn<'_>> = read(raw.get()).unwrap_or_default();
    all.into_iter().filter_map(|a| a.url_citation).map(citation).collect()
}

fn citation(from: UrlCitation<'_>) -> Citation {
    Citation {
        url: from.url.map(Text::owned),
        title: from.title.map(Text::owned),
        quote: from.content.map(Text::owned),
        span: from.start_index.zip(from.end_index).filter(|(start, end)| start < end),
    }
}

/// The citations that chunks and messages carry.
pub(super) fn citations(said: &Said<'_>) -> Vec<Citation> {
    said.annotations.map(annotations).unwrap_or_default()
}

/// A list of links beside the choices, as search engines with this API give.
fn links(raw: &RawValue) -> Vec<Citation> {
    let all: Vec<Text<'_>> = read(raw.get()).unwrap_or_default();
    all.into_iter().map(|url| Citation { url: Some(url.owned()), ..Citation::default() }).collect()
}

impl UsageIn<'_> {
    /// `None`: the object says nothing.
    pub fn usage(self) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        let count = |c: Option<Count>| c.map_or(0, |c| c.0);
        let input = count(self.prompt_tokens);
        // Some count reasoning in the total only.
        let output = count(self.completion_tokens).max(count(self.total_tokens).saturating_sub(input));
        let prompt = self.prompt_tokens_details.unwrap_or_default();
        let completion = self.completion_tokens_details.unwrap_or_default();
        let cached = prompt.cached_tokens.or(self.prompt_cache_hit_tokens).or(self.cached_tokens);
        Some(Usage {
            input,
            cached_input: count(cached.or(self.num_cached_tokens)),
            cache_write: count(prompt.cache_write_tokens),
            output,
            reasoning: count(completion.reasoning_tokens),
            audio_input: count(prompt.audio_tokens),
            audio_output: count(completion.audio_tokens),
        })
    }
}
