//! The messages of a request, read.

use super::wire::{OneOrMany, Text, TextOr, data_url, hash, object};
use crate::chat::{Part, Raw, Role, Source, Turn};
use crate::error::Error;
use crate::json;
use serde_json::value::RawValue;

object!(Message {
    role: Text<'a>,
    name: Text<'a>,
    content: OneOrMany<'a, PartIn<'a>>,
    refusal: Text<'a>,
    tool_calls: Vec<CallIn<'a>>,
    function_call: Called<'a>,
    tool_call_id: Text<'a>,
    audio: &'a RawValue,
    thinking_blocks: Vec<ThoughtIn<'a>>,
    reasoning_details: Vec<ThoughtIn<'a>>,
    reasoning_content: Text<'a>,
    reasoning: Text<'a>,
    cache_control: &'a RawValue,
});

object!(PartIn {
    kind as "type": Text<'a>,
    text: Text<'a>,
    refusal: Text<'a>,
    image_url: TextOr<'a, ImageObject<'a>>,
    file: FileIn<'a>,
    input_audio: AudioIn<'a>,
    document_url: Text<'a>,
    document_name: Text<'a>,
    thinking: OneOrMany<'a, ThoughtText<'a>>,
    signature: Text<'a>,
    cache_control: &'a RawValue,
});

object!(ImageObject {
    url: Text<'a>,
    detail: Text<'a>,
});

object!(FileIn {
    file_id: Text<'a>,
    file_data: Text<'a>,
    filename: Text<'a>,
});

object!(AudioIn {
    data: Text<'a>,
    format: Text<'a>,
});

object!(ThoughtText {
    text: Text<'a>,
});

object!(CallIn {
    id: Text<'a>,
    function: Called<'a>,
    custom: &'a RawValue,
});

object!(Called {
    name: Text<'a>,
    arguments: Text<'a>,
});

object!(ThoughtIn {
    kind as "type": Text<'a>,
    thinking: Text<'a>,
    text: Text<'a>,
    summary: Text<'a>,
    signature: Text<'a>,
    data: Text<'a>,
});

/// The conversation. `body` is the text that the messages were read from: what has no meaning here is kept from it.
pub(super) fn turns(body: &str, messages: Vec<Message<'_>>) -> Result<Vec<Turn>, Error> {
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    let mut legacy_call = String::new();
    for (at, mut message) in messages.into_iter().enumerate() {
        let path = format!("messages[{at}]");
        let spot = Spot { body, message: at, path: &path };
        let role = match message.role.as_ref().map(|r| &*r.0) {
            Some("system") => Role::System,
            Some("developer") => Role::Developer,
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("tool" | "function") => Role::Tool,
            Some(_) => {
                return Err(Error::field(
                    format!("{path}.role"),
                    "must be system, developer, user, assistant, tool or function",
                ));
            }
            None => return Err(Error::field(format!("{path}.role"), "is missing")),
        };
        let name = message.name.take().map(Text::owned);
        let cache = message.cache_control.take().map(ToOwned::to_owned);
        let mut parts = Vec::new();
        if role == Role::Assistant {
            let plain = message.reasoning_content.take().or(message.reasoning.take());
            thoughts(plain, [message.thinking_blocks.take(), message.reasoning_details.take()], &mut parts);
        }
        spot.content(message.content.take(), &mut parts)?;
        match role {
            Role::Tool => {
                let id = match message.tool_call_id.map(Text::owned) {
                    Some(id) => id,
                    None if message.role.is_some_and(|r| r.0 == "function") => legacy_call.clone(),
                    None => return Err(Error::field(format!("{path}.tool_call_id"), "is missing")),
                };
                let result = Part::ToolResult { id, parts, is_error: false, cache };
                match turns.last_mut() {
                    Some(turn) if turn.role == Role::Tool => turn.parts.push(result),
                    _ => turns.push(Turn { role, name: None, parts: vec![result] }),
                }
                continue;
            }
            Role::Assistant => {
                if let Some(refusal) = message.refusal.filter(|r| !r.0.is_empty()) {
                    parts.push(Part::Refusal { text: refusal.owned() });
                }
                if let Some(audio) = message.audio {
                    parts.push(Part::Other { kind: "audio".to_owned(), raw: audio.to_owned() });
                }
                spot.calls(message.tool_calls.unwrap_or_default(), &mut parts)?;
                if let Some(call) = message.function_call {
                    legacy_call = format!("call_{:016x}", hash(&[&path]));
                    parts.push(spot.called(legacy_call.clone(), call, "function_call")?);
                }
            }
            Role::System | Role::Developer | Role::User => {}
        }
        if let Some(cache) = cache {
            mark(&mut parts, cache);
        }
        turns.push(Turn { role, name, parts });
    }
    Ok(turns)
}

/// A mark on a message stands for one on its last part that can have one.
fn mark(parts: &mut [Part], mark: Raw) {
    for part in parts.iter_mut().rev() {
        match part {
            Part::Text { cache, .. }
            | Part::Image { cache, .. }
            | Part::Document { cache, .. }
            | Part::ToolCall { cache, .. }
            | Part::ToolResult { cache, .. } => {
                cache.get_or_insert(mark);
                return;
            }
            _ => {}
        }
    }
}

/// The thinking that an answer of ours, or another's, gave and the client sends back. The spellings repeat each other:
/// the one that keeps most is read.
pub(super) fn thoughts(plain: Option<Text<'_>>, blocks: [Option<Vec<ThoughtIn<'_>>>; 2], parts: &mut Vec<Part>) {
    let mut plain = plain.map(Text::owned).filter(|text| !text.is_empty());
    let blocks = blocks.into_iter().flatten().find(|b| !b.is_empty());
    let start = parts.len();
    for block in blocks.unwrap_or_default() {
        let text = block.thinking.or(block.text).or(block.summary).map(Text::owned).unwrap_or_default();
        let signature = block.signature.map(Text::owned).filter(|s| !s.is_empty());
        match block.data {
            Some(data) => parts.push(Part::Redacted { data: data.owned() }),
            None if text.is_empty() && signature.is_none() => {}
            // A stream gives the text and its signature apart: together they make the block.
            None if text.is_empty() => {
                parts.push(Part::Thinking { text: plain.take().unwrap_or_default(), signature });
            }
            None => {
                plain = None;
                parts.push(Part::Thinking { text, signature });
            }
        }
    }
    if let Some(text) = plain {
        parts.insert(start, Part::Thinking { text, signature: None });
    }
}

/// Where a message stands, for errors and for what is kept as it came.
struct Spot<'a> {
    body: &'a str,
    message: usize,
    path: &'a str,
}

impl Spot<'_> {
    fn content(&self, content: Option<OneOrMany<'_, PartIn<'_>>>, parts: &mut Vec<Part>) -> Result<(), Error> {
        match content {
            None => {}
            Some(OneOrMany::One(text)) if text.is_empty() => {}
            Some(OneOrMany::One(text)) => parts.push(Part::text(text)),
            Some(OneOrMany::Many(all)) => {
                parts.reserve(all.len());
                for (n, part) in all.into_iter().enumerate() {
                    parts.push(self.part(n, part)?);
                }
            }
        }
        Ok(())
    }

    fn part(&self, n: usize, part: PartIn<'_>) -> Result<Part, Error> {
        let missing = |what: &str| Error::field(format!("{}.content[{n}]{what}", self.path), "is missing");
        let cache = part.cache_control.map(ToOwned::to_owned);
        Ok(match part.kind.as_ref().map(|k| &*k.0) {
            Some("text") => {
                let text = part.text.ok_or_else(|| missing(".text"))?;
                Part::Text { text: text.owned(), citations: Vec::new(), cache }
            }
            Some("image_url") => {
                let (url, detail) = match part.image_url {
                    Some(TextOr::Text(url)) => (url, None),
                    Some(TextOr::Object(ImageObject { url: Some(url), detail, .. })) => (url.0, detail),
                    Some(TextOr::Object(_)) => return Err(missing(".image_url.url")),
                    None => return Err(missing(".image_url")),
                };
                Part::Image { source: source(&url), detail: detail.map(Text::owned), cache }
            }
            Some("file") => {
                let file = part.file.ok_or_else(|| missing(".file"))?;
                let source = match (file.file_data, file.file_id) {
                    (Some(data), _) if data.0.contains(':') => source(&data.0),
                    (Some(data), _) => Source::Base64 { media_type: "application/pdf".to_owned(), data: data.owned() },
                    (None, Some(id)) => Source::File(id.owned()),
                    (None, None) => return Err(missing(".file.file_data")),
                };
                let name = file.filename.map(Text::owned);
                Part::Document { source, name, context: None, citations: None, cache }
            }
            Some("document_url") => {
                let url = part.document_url.ok_or_else(|| missing(".document_url"))?;
                let name = part.document_name.map(Text::owned);
                Part::Document { source: source(&url.0), name, context: None, citations: None, cache }
            }
            Some("input_audio") => {
                let audio = part.input_audio.ok_or_else(|| missing(".input_audio"))?;
                Part::Audio {
                    data: audio.data.ok_or_else(|| missing(".input_audio.data"))?.owned(),
                    format: audio.format.ok_or_else(|| missing(".input_audio.format"))?.owned(),
                }
            }
            Some("refusal") => Part::Refusal { text: part.refusal.ok_or_else(|| missing(".refusal"))?.owned() },
            Some("thinking") => Part::Thinking {
                text: match part.thinking {
                    None => String::new(),
                    Some(OneOrMany::One(text)) => text.into_owned(),
                    Some(OneOrMany::Many(all)) => all.into_iter().filter_map(|t| t.text).map(Text::owned).collect(),
                },
                signature: part.signature.map(Text::owned),
            },
            Some(kind) => Part::Other { kind: kind.to_owned(), raw: self.raw("content", n)? },
            None => return Err(missing(".type")),
        })
    }

    fn calls(&self, calls: Vec<CallIn<'_>>, parts: &mut Vec<Part>) -> Result<(), Error> {
        for (n, call) in calls.into_iter().enumerate() {
            let path = format!("tool_calls[{n}]");
            match (call.function, call.custom) {
                (Some(function), _) => {
                    let id = call.id.ok_or_else(|| Error::field(format!("{}.{path}.id", self.path), "is missing"))?;
                    parts.push(self.called(id.owned(), function, &format!("{path}.function"))?);
                }
                (None, Some(_)) => {
                    parts.push(Part::Other { kind: "custom_tool_call".to_owned(), raw: self.raw("tool_calls", n)? })
                }
                (None, None) => return Err(Error::field(format!("{}.{path}.function", self.path), "is missing")),
            }
        }
        Ok(())
    }

    fn called(&self, id: String, call: Called<'_>, path: &str) -> Result<Part, Error> {
        let name = call.name.filter(|name| !name.0.is_empty());
        Ok(Part::ToolCall {
            id,
            name: name.ok_or_else(|| Error::field(format!("{}.{path}.name", self.path), "is missing"))?.owned(),
            arguments: call.arguments.map(Text::owned).unwrap_or_default(),
            cache: None,
        })
    }

    /// An item of one of the message's arrays, as it came.
    fn raw(&self, list: &str, n: usize) -> Result<Raw, Error> {
        let found = json::find(self.body, &["messages", &self.message.to_string(), list, &n.to_string()]);
        let raw = found.and_then(|raw| RawValue::from_string(raw.to_owned()).ok());
        raw.ok_or_else(|| Error::field(format!("{}.{list}[{n}]", self.path), "is not valid JSON"))
    }
}

/// What a URL says: a `data:` URL has the bytes in it.
pub(super) fn source(url: &str) -> Source {
    match data_url(url) {
        Some((media_type, data)) => Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() },
        None => Source::Url(url.to_owned()),
    }
}
