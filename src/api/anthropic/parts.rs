//! Parts as blocks of content, written.

use super::conversation::Side;
use super::shared::claude::sealed;
use super::shared::wire::input;
use crate::chat::{Losses, Part, Raw, Source, file_text};
use crate::json::Tree;
use crate::json::write::{comma, field, flag, raw, text};

/// The beta that images and documents by id belong to.
const FILES_BETA: &str = "files-api-2025-04-14";

/// Types of blocks that are this API's own, besides those that end in `_tool_result`.
const OWN: &[&str] = &[
    "server_tool_use",
    "mcp_tool_use",
    "search_result",
    "container_upload",
    "compaction",
    "tool_reference",
    "tool_addition",
    "tool_removal",
    "browser_state",
    "image",
    "document",
];

pub(super) struct Writing<'l> {
    pub(super) losses: &'l mut Losses,
    pub(super) beta: Option<&'static str>,
    pub(super) tree: Tree,
}

impl Writing<'_> {
    /// Is it to be written at all? Counts what is lost when it is not.
    pub(super) fn keeps(&mut self, part: &Part, side: Side) -> bool {
        const NOT_HERE: &str = "the model takes it in a user's turn only";
        match part {
            // Empty text is refused.
            Part::Text { text, .. } | Part::Refusal { text } => !text.trim().is_empty(),
            Part::Image { source, .. } => {
                if side != Side::User {
                    self.losses.meaning("image", NOT_HERE);
                    return false;
                }
                !self.foreign(source)
            }
            Part::Document { source, .. } => {
                if side != Side::User {
                    self.losses.meaning("document", NOT_HERE);
                    return false;
                }
                // An unnamed type is taken for PDF.
                let readable = |(media_type, data): (&str, &str)| {
                    matches!(media_type, "" | "application/pdf") || file_text(media_type, data).is_some()
                };
                if !source.inline().is_none_or(readable) {
                    self.losses.meaning("document", "the model reads PDF and plain text only");
                    return false;
                }
                !self.foreign(source)
            }
            Part::Audio { .. } => {
                self.losses.meaning("audio", "the model does not hear");
                false
            }
            Part::Thinking { .. } | Part::Redacted { .. } => {
                let kept = side == Side::Assistant && sealed(part);
                if side == Side::Assistant && !kept {
                    self.losses.hint("thinking", "thinking without a signature of the model's is not accepted");
                }
                kept
            }
            Part::ToolCall { .. } => side == Side::Assistant,
            Part::ToolResult { .. } => side == Side::User,
            Part::Other { kind, .. } => {
                let own = OWN.contains(&kind.as_str()) || kind.ends_with("_tool_result");
                if !own {
                    self.losses.meaning("content_part", "the model's API has no part of this type");
                }
                own
            }
        }
    }

    /// A file kept by another provider.
    fn foreign(&mut self, source: &Source) -> bool {
        match source {
            Source::File(id) if id.starts_with("file_") => {
                self.beta = Some(FILES_BETA);
                false
            }
            Source::File(_) => {
                self.losses.meaning("file", "the file is kept by another provider");
                true
            }
            _ => false,
        }
    }

    /// Writes one block. `trim`: without space at a text's end.
    pub(super) fn part(&mut self, out: &mut Vec<u8>, part: &Part, trim: bool) {
        out.push(b'{');
        match part {
            Part::Text { text: words, cache: mark, citations } => {
                if !citations.is_empty() {
                    self.losses.hint("citations", "where a statement of the history came from is left out");
                }
                text(out, "type", "text");
                text(out, "text", if trim { words.trim_end() } else { words });
                cache(out, mark.as_ref());
            }
            Part::Refusal { text: words } => {
                text(out, "type", "text");
                text(out, "text", if trim { words.trim_end() } else { words });
            }
            Part::Image { source, detail, cache: mark } => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.losses.hint("detail", "the model chooses by itself how closely it looks");
                }
                text(out, "type", "image");
                field(out, "source");
                image(out, source);
                cache(out, mark.as_ref());
            }
            Part::Document { source, name, context, citations, cache: mark } => {
                text(out, "type", "document");
                field(out, "source");
                document(out, source);
                if let Some(name) = name.as_deref().filter(|name| !name.is_empty()) {
                    text(out, "title", name);
                }
                if let Some(context) = context.as_deref().filter(|context| !context.is_empty()) {
                    text(out, "context", context);
                }
                if let Some(enabled) = citations {
                    raw(out, "citations", "{");
                    flag(out, "enabled", *enabled);
                    out.push(b'}');
                }
                cache(out, mark.as_ref());
            }
            Part::ToolCall { id, name, arguments, signature, cache: mark } => {
                if signature.is_some() {
                    self.losses.hint("thinking", "another provider's signature of a call is not accepted");
                }
                text(out, "type", "tool_use");
                text(out, "id", &tool_id(id));
                text(out, "name", name);
                field(out, "input");
                input(out, arguments, &mut self.tree);
                cache(out, mark.as_ref());
            }
            Part::ToolResult { id, parts, is_error, cache: mark } => {
                text(out, "type", "tool_result");
                text(out, "tool_use_id", &tool_id(id));
                self.result(out, parts);
                if *is_error {
                    flag(out, "is_error", true);
                }
                cache(out, mark.as_ref());
            }
            Part::Thinking { text: words, signature } => {
                text(out, "type", "thinking");
                text(out, "thinking", words);
                text(out, "signature", signature.as_deref().unwrap_or_default());
            }
            Part::Redacted { data } => {
                text(out, "type", "redacted_thinking");
                text(out, "data", data);
            }
            Part::Audio { .. } => {}
            Part::Other { raw: whole, .. } => {
                out.pop();
                out.extend_from_slice(whole.get().as_bytes());
                return;
            }
        }
        out.push(b'}');
    }

    fn result(&mut self, out: &mut Vec<u8>, parts: &[Part]) {
        let kept: Vec<&Part> = parts.iter().filter(|part| self.keeps(part, Side::User)).collect();
        match kept.as_slice() {
            [] => {}
            [Part::Text { text: words, cache: None, .. }] => text(out, "content", words),
            kept => {
                raw(out, "content", "[");
                for part in kept {
                    comma(out);
                    self.part(out, part, false);
                }
                out.push(b']');
            }
        }
    }
}

pub(super) fn plain(out: &mut Vec<u8>, words: &str) {
    out.push(b'{');
    text(out, "type", "text");
    text(out, "text", words);
    out.push(b'}');
}

fn cache(out: &mut Vec<u8>, mark: Option<&Raw>) {
    if let Some(mark) = mark {
        raw(out, "cache_control", mark.get());
    }
}

fn image(out: &mut Vec<u8>, source: &Source) {
    match source.inline() {
        Some((media_type, data)) => base64(out, picture(media_type), data),
        None => elsewhere(out, source),
    }
}

/// The name that is accepted of a type that goes by two.
fn picture(media_type: &str) -> &str {
    match media_type {
        "image/jpg" => "image/jpeg",
        other => other,
    }
}

fn document(out: &mut Vec<u8>, source: &Source) {
    match source.inline() {
        Some((media_type, data)) => match file_text(media_type, data) {
            Some(words) => written(out, &words),
            None => base64(out, "application/pdf", data),
        },
        None => elsewhere(out, source),
    }
}

/// What is not given as bytes.
fn elsewhere(out: &mut Vec<u8>, source: &Source) {
    match source {
        Source::Url(url) => by_url(out, url),
        Source::File(id) => by_id(out, id),
        Source::Text(words) => written(out, words),
        Source::Base64 { .. } => {}
    }
}

fn base64(out: &mut Vec<u8>, media_type: &str, data: &str) {
    out.push(b'{');
    text(out, "type", "base64");
    text(out, "media_type", media_type);
    text(out, "data", data);
    out.push(b'}');
}

fn by_url(out: &mut Vec<u8>, url: &str) {
    out.push(b'{');
    text(out, "type", "url");
    text(out, "url", url);
    out.push(b'}');
}

fn by_id(out: &mut Vec<u8>, id: &str) {
    out.push(b'{');
    text(out, "type", "file");
    text(out, "file_id", id);
    out.push(b'}');
}

fn written(out: &mut Vec<u8>, words: &str) {
    out.push(b'{');
    text(out, "type", "text");
    text(out, "media_type", "text/plain");
    text(out, "data", words);
    out.push(b'}');
}

/// An id of letters, digits, `_` and `-`: others are refused. The same id always gives the same; two never meet.
fn tool_id(id: &str) -> std::borrow::Cow<'_, str> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !id.is_empty() && id.chars().all(fine) {
        return id.into();
    }
    // FNV-1a keeps apart what the replacement would make one.
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let clean: String = id.chars().map(|c| if fine(c) { c } else { '_' }).collect();
    format!("{clean}_{hash:016x}").into()
}
