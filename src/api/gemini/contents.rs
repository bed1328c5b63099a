//! The turns of a conversation as `systemInstruction` and `contents`.

use super::model::Abilities;
use super::wire::{arguments, has, media_type};
use crate::chat::{Losses, Part, Raw, Request, Role, Source};
use crate::json::Tree;
use crate::json::write::{comma, field, flag, raw, text};

/// What a call may have in the place of a signature that is lost: models that demand one take it.
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>, in base64.
const UNSIGNED: &str = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    System,
    User,
    Model,
}

/// Parts of this API's own that the neutral model has no notion of.
const OWN: &[&str] = &[
    "executableCode",
    "executable_code",
    "codeExecutionResult",
    "code_execution_result",
    "toolCall",
    "tool_call",
    "toolResponse",
    "tool_response",
    "video",
    "videoMetadata",
    "video_metadata",
    "fileData",
    "file_data",
    "inlineData",
    "inline_data",
];

struct Writing<'r, 'l> {
    request: &'r Request,
    losses: &'l mut Losses,
    can: &'l Abilities,
    tree: Tree,
}

/// Writes `systemInstruction`, `cachedContent` and `contents`. `told`: one more instruction.
pub(super) fn write(out: &mut Vec<u8>, request: &Request, told: Option<&str>, can: &Abilities, losses: &mut Losses) {
    let mut writing = Writing { request, losses, can, tree: Tree::default() };
    let (mut system, mut contents) = (Vec::new(), Vec::new());
    let mut begun = false;
    let mut last = None;
    for turn in &request.turns {
        let side = match turn.role {
            Role::System | Role::Developer => Side::System,
            Role::User | Role::Tool => Side::User,
            Role::Assistant => Side::Model,
        };
        if side == Side::System {
            if begun && !turn.parts.is_empty() {
                writing.losses.hint("system_position", "a later instruction is put before the conversation");
            }
            for part in &turn.parts {
                match part {
                    Part::Other { kind, raw: name } if kind == "cachedContent" => raw(out, "cachedContent", name.get()),
                    part => writing.part(&mut system, part, side),
                }
            }
            continue;
        }
        begun = true;
        let mut parts = Vec::new();
        writing.turn(&mut parts, &turn.parts, side);
        if parts.is_empty() {
            continue;
        }
        // Neighbours of one side are one content: all results of a turn's calls must come in one.
        if last == Some(side) {
            contents.push(b',');
            contents.extend_from_slice(&parts);
            continue;
        }
        if last.replace(side).is_some() {
            contents.extend_from_slice(b"]},");
        }
        contents.extend_from_slice(match side {
            Side::Model => b"{\"role\":\"model\",\"parts\":[".as_slice(),
            Side::User | Side::System => b"{\"role\":\"user\",\"parts\":[",
        });
        contents.extend_from_slice(&parts);
    }
    if last.is_none() && !system.is_empty() {
        // Instructions alone: they are what the model is to answer.
        writing.losses.hint("system", "there is no user turn: the instructions are sent as one");
        contents.extend_from_slice(b"{\"role\":\"user\",\"parts\":[");
        contents.append(&mut system);
        last = Some(Side::User);
    }
    if let Some(told) = told {
        plain(&mut system, told);
    }
    if !system.is_empty() {
        raw(out, "systemInstruction", "{\"parts\":[");
        out.extend_from_slice(&system);
        out.extend_from_slice(b"]}");
    }
    field(out, "contents");
    out.push(b'[');
    out.extend_from_slice(&contents);
    if last.is_some() {
        out.extend_from_slice(b"]}");
    }
    out.push(b']');
}

#[inline(never)]
fn plain(out: &mut Vec<u8>, words: &str) {
    comma(out);
    out.push(b'{');
    text(out, "text", words);
    out.push(b'}');
}

impl Writing<'_, '_> {
    /// Results first, as the answer to their calls.
    fn turn(&mut self, out: &mut Vec<u8>, parts: &[Part], side: Side) {
        let mut beside = Vec::new();
        for part in parts {
            if let Part::ToolResult { id, parts, is_error, cache } = part {
                self.mark(cache.as_ref());
                self.result(out, id, parts, *is_error, &mut beside);
            }
        }
        if !beside.is_empty() {
            comma(out);
            out.extend_from_slice(&beside);
        }
        // The first call of a turn carries what led to all of them.
        let mut signed = !self.can.signs_calls;
        for part in parts {
            match part {
                Part::ToolResult { .. } => {}
                Part::ToolCall { id, name, arguments: given, signature, cache } => {
                    if side != Side::Model {
                        self.losses.meaning("tool_calls", "only the model calls tools");
                        continue;
                    }
                    self.mark(cache.as_ref());
                    comma(out);
                    out.push(b'{');
                    raw(out, "functionCall", "{");
                    if !id.is_empty() {
                        text(out, "id", id);
                    }
                    text(out, "name", name);
                    field(out, "args");
                    arguments(out, given, &mut self.tree);
                    out.push(b'}');
                    match signature.as_deref() {
                        Some(signature) => text(out, "thoughtSignature", signature),
                        None if !signed => text(out, "thoughtSignature", UNSIGNED),
                        None => {}
                    }
                    signed = true;
                    out.push(b'}');
                }
                part => self.part(out, part, side),
            }
        }
    }

    #[inline(never)]
    fn mark(&mut self, cache: Option<&Raw>) {
        if cache.is_some() {
            self.losses.hint("cache_control", "this API caches prompts by itself");
        }
    }

    /// `beside`: what follows the results, for models that take only text within one.
    fn result(&mut self, out: &mut Vec<u8>, id: &str, parts: &[Part], is_error: bool, beside: &mut Vec<u8>) {
        let mut words = String::new();
        let mut inside = Vec::new();
        for part in parts {
            match part {
                Part::Text { text, cache, .. } => {
                    self.mark(cache.as_ref());
                    words.push_str(text);
                }
                Part::Refusal { text } | Part::Document { source: Source::Text(text), .. } => words.push_str(text),
                Part::Image { source: Source::Base64 { .. }, .. } if self.can.sees_results => {
                    self.part(&mut inside, part, Side::User);
                }
                part => self.part(beside, part, Side::User),
            }
        }
        comma(out);
        out.push(b'{');
        raw(out, "functionResponse", "{");
        if !id.is_empty() {
            text(out, "id", id);
        }
        text(out, "name", self.called(id));
        field(out, "response");
        self.response(out, &words, is_error);
        if !inside.is_empty() {
            raw(out, "parts", "[");
            out.extend_from_slice(&inside);
            out.push(b']');
        }
        out.extend_from_slice(b"}}");
    }

    /// The API wants an object. One that would be taken for the words around a text is put into them as text.
    fn response(&mut self, out: &mut Vec<u8>, words: &str, is_error: bool) {
        let json = words.trim();
        if !is_error && json.starts_with('{') {
            let object = self.tree.read(json.as_bytes()).ok().filter(|object| {
                let mut members = object.members();
                let only = members.next().filter(|_| members.next().is_none());
                !object.is_empty()
                    && !only.is_some_and(|(name, _)| name.is("output") || name.is("result") || name.is("error"))
            });
            if let Some(object) = object {
                out.extend_from_slice(object.raw().as_bytes());
                return;
            }
        }
        out.push(b'{');
        if is_error {
            text(out, "error", words);
        } else if !words.is_empty() {
            text(out, "output", words);
        }
        out.push(b'}');
    }

    /// The name of the function that was called by that id.
    fn called(&self, id: &str) -> &str {
        let parts = self.request.turns.iter().rev().flat_map(|turn| &turn.parts);
        let mut calls = parts.filter_map(|part| match part {
            Part::ToolCall { id: own, name, .. } if own == id => Some(name.as_str()),
            _ => None,
        });
        calls.next().unwrap_or("unknown")
    }

    fn part(&mut self, out: &mut Vec<u8>, part: &Part, side: Side) {
        match part {
            Part::Text { text: words, citations, cache } => {
                if !citations.is_empty() {
                    self.losses.hint("citations", "where a statement of the history came from is left out");
                }
                self.mark(cache.as_ref());
                // Empty text is refused.
                if !words.is_empty() {
                    plain(out, words);
                }
            }
            Part::Refusal { text: words } => plain(out, words),
            Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } if side == Side::System => {
                self.losses.meaning("system", "the model takes its instructions as text");
            }
            Part::Image { source, detail, cache } => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.losses.hint("detail", "the model chooses by itself how closely it looks");
                }
                self.mark(cache.as_ref());
                self.media(out, source, "image/jpeg");
            }
            Part::Document { source, name, context, citations, cache } => {
                if *citations == Some(true) {
                    self.losses.hint("citations", "the model does not cite documents");
                }
                self.mark(cache.as_ref());
                if let Source::Text(words) = source {
                    let all: Vec<&str> =
                        [name.as_deref(), context.as_deref(), Some(words)].into_iter().flatten().collect();
                    return plain(out, &all.join("\n\n"));
                }
                if name.is_some() {
                    self.losses.hint("document.name", "the model is not told a document's name");
                }
                if let Some(context) = context {
                    plain(out, context);
                }
                self.media(out, source, "application/pdf");
            }
            Part::Audio { data, format } => {
                blob(out, &["audio/", format].concat(), data);
            }
            Part::Thinking { text: words, signature } => {
                if signature.is_some() {
                    self.losses.hint("thinking", "another provider's signature is not accepted");
                }
                if side == Side::Model && !words.is_empty() {
                    comma(out);
                    out.push(b'{');
                    text(out, "text", words);
                    flag(out, "thought", true);
                    out.push(b'}');
                }
            }
            Part::Redacted { .. } => self.losses.hint("thinking", "another provider's sealed thinking is not accepted"),
            Part::Other { kind, raw } if OWN.contains(&kind.as_str()) => {
                comma(out);
                out.extend_from_slice(raw.get().as_bytes());
            }
            Part::Other { .. } => self.losses.meaning("content_part", "the model's API has no part of this type"),
            Part::ToolCall { .. } | Part::ToolResult { .. } => {
                self.losses.meaning("tool_calls", "calls and results stand in the conversation only");
            }
        }
    }

    /// `fallback`: the type of what does not say its own.
    fn media(&mut self, out: &mut Vec<u8>, source: &Source, fallback: &str) {
        match source {
            Source::Base64 { media_type, data } => {
                blob(out, if media_type.is_empty() { fallback } else { media_type }, data)
            }
            Source::Url(url) => by_uri(out, media_type(url).unwrap_or(fallback), url),
            Source::File(id) if has(id, "://") || id.starts_with("files/") => {
                by_uri(out, media_type(id).unwrap_or(fallback), id);
            }
            Source::File(_) => self.losses.meaning("file", "the file is kept by another provider"),
            Source::Text(words) => plain(out, words),
        }
    }
}

#[inline(never)]
fn blob(out: &mut Vec<u8>, media_type: &str, data: &str) {
    out.reserve(data.len().saturating_add(64));
    comma(out);
    out.push(b'{');
    raw(out, "inlineData", "{");
    // Of the two names of one type the API knows this one.
    text(out, "mimeType", if media_type == "image/jpg" { "image/jpeg" } else { media_type });
    text(out, "data", data);
    out.extend_from_slice(b"}}");
}

#[inline(never)]
fn by_uri(out: &mut Vec<u8>, media_type: &str, uri: &str) {
    comma(out);
    out.push(b'{');
    raw(out, "fileData", "{");
    text(out, "mimeType", media_type);
    text(out, "fileUri", uri);
    out.extend_from_slice(b"}}");
}
