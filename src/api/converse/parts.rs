//! Parts as blocks of content, written.

use super::block::{self, DOCUMENTS, OWN};
use super::conversation::Side;
use super::family::Family;
use super::shared::claude::sealed;
use super::shared::wire::{input, more};
use crate::base64;
use crate::chat::{Losses, Part, Raw, Source};
use crate::json::Tree;
use crate::json::write::{comma, field, flag, raw, text};
use std::borrow::Cow;

/// Cache points that one request may have.
const MOST_POINTS: usize = 4;

/// Longest id of a call, longest name of a document.
const MAX_ID: usize = 64;
const MAX_NAME: usize = 200;

/// The least text there can be.
pub(super) const LEAST_TEXT: &str = ".";

const IMAGES: &[&str] = &["png", "jpeg", "gif", "webp"];
const SOUNDS: &[&str] =
    &["mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga", "pcm", "webm"];

/// The cache points written so far.
#[derive(Default)]
pub(super) struct Points(usize);

impl Points {
    /// Writes the point that a mark stands for, a block of its own.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, mark: Option<&Raw>, taken: bool, losses: &mut Losses) {
        let Some(mark) = mark else { return };
        if !taken || self.0 >= MOST_POINTS {
            losses.hint("cache_control", "the model takes no cache point there, or no more of them");
            return;
        }
        self.0 = self.0.saturating_add(1);
        comma(out);
        out.extend_from_slice(b"{\"cachePoint\":{\"type\":\"default\"");
        if let Some(ttl @ ("\"1h\"" | "\"5m\"")) = crate::json::find(mark.get(), &["ttl"]) {
            raw(out, "ttl", ttl);
        }
        out.extend_from_slice(b"}}");
    }
}

pub(super) struct Writing<'l> {
    pub(super) losses: &'l mut Losses,
    pub(super) family: &'l Family,
    pub(super) points: &'l mut Points,
    /// Names of documents: no two may be the same.
    pub(super) names: Vec<String>,
    pub(super) tree: Tree,
}

/// Where the bytes of something are, as far as this API can say it.
enum Place<'a> {
    /// Base64 of a media type.
    Bytes(Cow<'a, str>, Cow<'a, str>),
    S3(&'a str),
}

fn place(source: &Source) -> Option<Place<'_>> {
    Some(match source {
        Source::Base64 { media_type, data } => Place::Bytes(media_type.into(), data.into()),
        Source::Text(words) => Place::Bytes("text/plain".into(), base64::encode(words.as_bytes()).into()),
        Source::Url(url) if url.starts_with("s3://") => Place::S3(url),
        Source::Url(_) | Source::File(_) => return None,
    })
}

/// The ending of a name or an address.
fn ending(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// `None`: not one that the API knows.
fn image_format<'a>(place: &Place<'a>) -> Option<&'static str> {
    let word = match place {
        Place::Bytes(media_type, _) => media_type.strip_prefix("image/")?,
        Place::S3(url) => ending(url),
    };
    let word = if word.eq_ignore_ascii_case("jpg") { "jpeg" } else { word };
    IMAGES.iter().find(|known| known.eq_ignore_ascii_case(word)).copied()
}

fn document_format(place: &Place<'_>, name: &str) -> Option<&'static str> {
    let by_ending = |name: &str| {
        let ending = ending(name);
        DOCUMENTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending)).map(|(known, _)| *known)
    };
    match place {
        Place::S3(url) => by_ending(url).or_else(|| by_ending(name)),
        Place::Bytes(media_type, _) => {
            let kind = media_type.split(';').next().unwrap_or_default().trim();
            let known = DOCUMENTS.iter().find(|(_, media_type)| *media_type == kind).map(|(known, _)| *known);
            match kind {
                "" => by_ending(name).or(Some("pdf")),
                "application/octet-stream" => by_ending(name),
                "text/x-markdown" => Some("md"),
                _ => known.or_else(|| (kind.starts_with("text/") || kind == "application/json").then_some("txt")),
            }
        }
    }
}

impl Writing<'_> {
    /// Is it to be written at all? Counts what is lost when it is not.
    pub(super) fn keeps(&mut self, part: &Part, side: Side) -> bool {
        const NOT_HERE: &str = "the model takes it in a user's turn only";
        let media = matches!(part, Part::Image { .. } | Part::Document { .. } | Part::Audio { .. });
        if media && side != Side::User {
            let what = match part {
                Part::Image { .. } => "image",
                Part::Document { .. } => "document",
                _ => "audio",
            };
            self.losses.meaning(what, NOT_HERE);
            return false;
        }
        match part {
            // Blank text is refused.
            Part::Text { text, .. } | Part::Refusal { text } => !text.trim().is_empty(),
            Part::Image { source, .. } => self.reached(source, "image", |place| image_format(place).is_some()),
            Part::Document { source, name, .. } => {
                let name = name.as_deref().unwrap_or_default();
                self.reached(source, "document", |place| document_format(place, name).is_some())
            }
            Part::Audio { format, .. } => {
                let known = SOUNDS.contains(&format.as_str());
                if !self.family.hears() {
                    self.losses.meaning("audio", "the model does not hear");
                } else if !known {
                    self.losses.meaning("audio", "the model's API takes no audio of this format");
                }
                known && self.family.hears()
            }
            Part::Thinking { .. } | Part::Redacted { .. } => {
                let kept = side == Side::Assistant && sealed(part) && self.family.claude().is_some();
                if !kept {
                    self.losses.hint("thinking", "thinking that the model has not signed is not accepted");
                }
                kept
            }
            Part::ToolCall { .. } => side == Side::Assistant,
            Part::ToolResult { .. } => side == Side::User,
            Part::Other { kind, .. } => {
                let own = kind.starts_with(OWN);
                if !own {
                    self.losses.meaning("content_part", "the model's API has no part of this type");
                }
                own
            }
        }
    }

    fn reached(&mut self, source: &Source, what: &'static str, known: impl Fn(&Place<'_>) -> bool) -> bool {
        let Some(place) = place(source) else {
            let reason = match (source, what) {
                (Source::File(_), _) => "the file is kept by another provider",
                (_, "image") => "the model's API fetches no image by URL: its bytes must be in the request",
                _ => "the model's API fetches no document by URL: its bytes must be in the request",
            };
            self.losses.meaning(what, reason);
            return false;
        };
        let known = known(&place);
        if !known {
            self.losses.meaning(what, "the model's API takes none of this type");
        }
        known
    }

    /// Writes one block, and the cache point after it. `trim`: without space at a text's end.
    pub(super) fn part(&mut self, out: &mut Vec<u8>, part: &Part, trim: bool) {
        let before = out.len();
        comma(out);
        match part {
            Part::Text { text: words, citations, .. } => {
                if !citations.is_empty() {
                    self.losses.hint("citations", "where a statement of the history came from is left out");
                }
                plain(out, if trim { words.trim_end() } else { words });
            }
            Part::Refusal { text: words } => plain(out, if trim { words.trim_end() } else { words }),
            Part::ToolCall { id, name, arguments, signature, .. } => {
                if signature.is_some() {
                    self.losses.hint("thinking", "another provider's signature of a call is not accepted");
                }
                out.extend_from_slice(b"{\"toolUse\":{");
                text(out, "toolUseId", &tool_id(id));
                text(out, "name", name);
                field(out, "input");
                input(out, arguments, &mut self.tree);
                out.extend_from_slice(b"}}");
            }
            Part::ToolResult { id, parts, is_error, .. } => {
                out.extend_from_slice(b"{\"toolResult\":{");
                text(out, "toolUseId", &tool_id(id));
                raw(out, "content", "[");
                for part in parts {
                    if self.keeps(part, Side::User) {
                        self.given(out, part);
                    }
                }
                out.push(b']');
                if *is_error {
                    if self.family.reads_status() {
                        text(out, "status", "error");
                    } else {
                        self.losses.hint("tool_result.is_error", "the model is not told that a tool failed");
                    }
                }
                out.extend_from_slice(b"}}");
            }
            Part::Thinking { text: words, signature } => reasoning(out, words, signature.as_deref()),
            Part::Redacted { data } => redacted(out, data),
            Part::Other { raw: whole, .. } => out.extend_from_slice(whole.get().as_bytes()),
            Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } => self.media(out, part),
        }
        if out.len() > before {
            let taken = self.family.caches();
            self.points.write(out, mark(part), taken, self.losses);
        }
    }

    /// A block of a tool's result, in which no cache point may stand.
    fn given(&mut self, out: &mut Vec<u8>, part: &Part) {
        if mark(part).is_some() {
            self.losses.hint("cache_control", "no cache point may stand within a tool's result");
        }
        match part {
            Part::Text { text: words, .. } | Part::Refusal { text: words } => {
                comma(out);
                plain(out, words);
            }
            Part::Image { .. } | Part::Document { .. } => {
                comma(out);
                self.media(out, part);
            }
            Part::Other { raw: whole, .. } => {
                comma(out);
                out.extend_from_slice(whole.get().as_bytes());
            }
            _ => self.losses.meaning("content_part", "a tool's result may have no part of this type"),
        }
    }

    fn media(&mut self, out: &mut Vec<u8>, part: &Part) {
        match part {
            Part::Image { source, detail, .. } => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.losses.hint("detail", "the model chooses by itself how closely it looks");
                }
                let Some(place) = place(source) else { return };
                out.extend_from_slice(b"{\"image\":{");
                text(out, "format", image_format(&place).unwrap_or("png"));
                write_place(out, &place);
            }
            Part::Document { source, name, context, citations, .. } => {
                let Some(place) = place(source) else { return };
                let name = name.as_deref().unwrap_or_default();
                let format = document_format(&place, name).unwrap_or("txt");
                out.extend_from_slice(b"{\"document\":{");
                text(out, "format", format);
                let name = self.named(name, format);
                text(out, "name", &name);
                if let Some(context) = context.as_deref().filter(|context| !context.is_empty()) {
                    text(out, "context", context);
                }
                if let Some(enabled) = citations {
                    raw(out, "citations", "{");
                    flag(out, "enabled", *enabled);
                    out.push(b'}');
                }
                write_place(out, &place);
            }
            Part::Audio { data, format } => {
                out.extend_from_slice(b"{\"audio\":{");
                text(out, "format", format);
                write_place(out, &Place::Bytes("".into(), data.into()));
            }
            _ => {}
        }
    }

    /// A document's name of the characters that are allowed, unlike all before it.
    fn named(&mut self, name: &str, format: &str) -> String {
        let stem = name.strip_suffix(format).and_then(|name| name.strip_suffix('.')).unwrap_or(name);
        let mut clean = String::with_capacity(stem.len());
        for c in stem.chars().take(MAX_NAME.saturating_sub(8)) {
            match c {
                c if c.is_ascii_alphanumeric() || matches!(c, '-' | '(' | ')' | '[' | ']') => clean.push(c),
                c if c.is_whitespace() => {
                    if !clean.ends_with(' ') {
                        clean.push(' ');
                    }
                }
                _ => clean.push('-'),
            }
        }
        let clean = clean.trim();
        let stem = if clean.is_empty() { "document" } else { clean };
        let mut own = stem.to_owned();
        let mut count = 1_u32;
        while self.names.contains(&own) {
            count = count.saturating_add(1);
            own = format!("{stem} {count}");
        }
        self.names.push(own.clone());
        own
    }
}

fn mark(part: &Part) -> Option<&Raw> {
    match part {
        Part::Text { cache, .. }
        | Part::Image { cache, .. }
        | Part::Document { cache, .. }
        | Part::ToolCall { cache, .. }
        | Part::ToolResult { cache, .. } => cache.as_ref(),
        _ => None,
    }
}

/// Ends an image, a document or a sound.
fn write_place(out: &mut Vec<u8>, place: &Place<'_>) {
    match place {
        Place::Bytes(_, data) => {
            raw(out, "source", "{");
            text(out, "bytes", data);
        }
        Place::S3(url) => {
            raw(out, "source", "{\"s3Location\":{");
            text(out, "uri", url);
            out.push(b'}');
        }
    }
    out.extend_from_slice(b"}}}");
}

pub(super) fn plain(out: &mut Vec<u8>, words: &str) {
    out.push(b'{');
    text(out, "text", words);
    out.push(b'}');
}

pub(super) fn reasoning(out: &mut Vec<u8>, words: &str, signature: Option<&str>) {
    out.extend_from_slice(b"{\"reasoningContent\":{\"reasoningText\":{");
    text(out, "text", words);
    if let Some(signature) = signature {
        text(out, "signature", signature);
    }
    out.extend_from_slice(b"}}}");
}

pub(super) fn redacted(out: &mut Vec<u8>, data: &str) {
    out.extend_from_slice(b"{\"reasoningContent\":{");
    text(out, "redactedContent", &block::sealed(data));
    out.extend_from_slice(b"}}");
}

/// An id of letters, digits and `_.:-`, not too long: others are refused. The same id always gives the same; two never
/// meet.
pub(super) fn tool_id(id: &str) -> Cow<'_, str> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    if !id.is_empty() && id.len() <= MAX_ID && id.chars().all(fine) {
        return id.into();
    }
    let clean: String = id.chars().take(40).map(|c| if fine(c) { c } else { '_' }).collect();
    super::shared::wire::id(&[&clean, "_"].concat(), more(id.as_bytes())).into()
}
