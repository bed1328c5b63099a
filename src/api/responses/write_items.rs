//! The conversation of a request, written for a provider.

use super::thinking;
use super::wire::{hash, id, write_url};
use crate::api::Target;
use crate::chat::{Losses, Part, Request, Role, Source, Turn};
use crate::json::{escape, quote, write as put};

/// Characters of a call's id that the API takes.
const MAX_CALL_ID: usize = 64;

pub(super) fn input(out: &mut Vec<u8>, request: &Request, target: &Target<'_>, losses: &mut Losses) {
    let mut items = Items { out, losses, echo: target.echo_reasoning };
    items.out.push(b'[');
    for turn in &request.turns {
        items.turn(turn);
    }
    items.out.push(b']');
}

struct Items<'o> {
    out: &'o mut Vec<u8>,
    losses: &'o mut Losses,
    echo: bool,
}

impl Items<'_> {
    fn turn(&mut self, turn: &Turn) {
        if turn.name.is_some() {
            self.losses.hint("name", "this API has no names of participants");
        }
        for part in &turn.parts {
            if let Part::ToolResult { id, parts, is_error, cache } = part {
                self.mark(cache.is_some());
                self.result(id, parts, *is_error);
            }
        }
        match turn.role {
            Role::Assistant => self.assistant(&turn.parts),
            Role::System => self.prompt("system", turn),
            Role::Developer => self.prompt("developer", turn),
            Role::User | Role::Tool => self.prompt("user", turn),
        }
    }

    fn mark(&mut self, marked: bool) {
        if marked {
            self.losses.hint("cache_control", "this API caches prompts by itself");
        }
    }

    fn open(&mut self, role: &str) {
        put::comma(self.out);
        self.out.extend_from_slice(br#"{"type":"message""#);
        put::text(self.out, "role", role);
        put::field(self.out, "content");
    }

    /// What is neither an answer nor a tool's.
    fn prompt(&mut self, role: &str, turn: &Turn) {
        let parts: Vec<&Part> = turn.parts.iter().filter(|part| !matches!(part, Part::ToolResult { .. })).collect();
        match parts.as_slice() {
            [] if !turn.parts.is_empty() => return,
            [] => {
                self.open(role);
                self.out.extend_from_slice(b"\"\"");
            }
            [Part::Text { text, cache, .. }] => {
                self.mark(cache.is_some());
                self.open(role);
                quote(self.out, text);
            }
            several => {
                let before = self.out.len();
                self.open(role);
                self.out.push(b'[');
                for part in several {
                    self.part(part);
                }
                if self.out.last() == Some(&b'[') {
                    // Nothing of it can be said.
                    self.out.truncate(before);
                    return;
                }
                self.out.push(b']');
            }
        }
        self.out.push(b'}');
    }

    fn text(&mut self, text: &str) {
        put::comma(self.out);
        self.out.extend_from_slice(br#"{"type":"input_text""#);
        put::text(self.out, "text", text);
        self.out.push(b'}');
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Text { text, cache, .. } => {
                self.mark(cache.is_some());
                self.text(text);
            }
            Part::Refusal { text } => self.text(text),
            Part::Image { source, detail, cache } => {
                self.mark(cache.is_some());
                self.image(source, detail.as_deref());
            }
            Part::Document { source, name, context, citations, cache } => {
                self.mark(cache.is_some());
                if *citations == Some(true) {
                    self.losses.hint("citations", "this API does not cite documents");
                }
                self.document(source, name.as_deref(), context.as_deref());
            }
            Part::Audio { .. } => self.losses.meaning("audio", "this API does not hear"),
            Part::Thinking { .. } | Part::Redacted { .. } => {
                self.losses.hint("thinking", "only the assistant thinks");
            }
            Part::ToolCall { .. } => self.losses.meaning("tool_calls", "only the assistant calls tools"),
            // Written before the turn's other parts.
            Part::ToolResult { .. } => {}
            Part::Other { .. } => self.losses.meaning("content", "a part that only another API has"),
        }
    }

    fn image(&mut self, source: &Source, detail: Option<&str>) {
        match source {
            Source::File(id) if !own_file(id) => {
                return self.losses.meaning("image.file", "the file is in another provider's store");
            }
            Source::Text(text) => return self.text(text),
            _ => {}
        }
        put::comma(self.out);
        self.out.extend_from_slice(br#"{"type":"input_image""#);
        match source {
            Source::File(id) => put::text(self.out, "file_id", id),
            source => {
                put::field(self.out, "image_url");
                write_url(self.out, source);
            }
        }
        put::text(self.out, "detail", detail.unwrap_or("auto"));
        self.out.push(b'}');
    }

    fn document(&mut self, source: &Source, title: Option<&str>, context: Option<&str>) {
        if let Source::File(id) = source
            && !own_file(id)
        {
            return self.losses.meaning("document.file", "the file is in another provider's store");
        }
        if let Source::Text(text) = source {
            let said: Vec<&str> = [title, context, Some(text)].into_iter().flatten().collect();
            return self.text(&said.join("\n\n"));
        }
        if let Some(context) = context {
            self.text(context);
        }
        put::comma(self.out);
        self.out.extend_from_slice(br#"{"type":"input_file""#);
        match source {
            // A name beside an id or a URL is refused.
            Source::File(id) => put::text(self.out, "file_id", id),
            Source::Url(url) => put::text(self.out, "file_url", url),
            Source::Base64 { media_type, .. } => {
                put::field(self.out, "filename");
                match title {
                    Some(title) => quote(self.out, title),
                    // The API demands a name.
                    None => {
                        self.out.extend_from_slice(b"\"document.");
                        escape(self.out, media_type.rsplit('/').next().unwrap_or("pdf"));
                        self.out.push(b'"');
                    }
                }
                put::field(self.out, "file_data");
                write_url(self.out, source);
            }
            Source::Text(_) => {}
        }
        self.out.push(b'}');
    }

    fn result(&mut self, id: &str, parts: &[Part], is_error: bool) {
        if is_error {
            self.losses.hint("tool_result.is_error", "this API has no mark for a tool's failure; its text is kept");
        }
        put::comma(self.out);
        self.out.extend_from_slice(br#"{"type":"function_call_output""#);
        put::field(self.out, "call_id");
        call_id(self.out, id);
        put::field(self.out, "output");
        match parts {
            [] => quote(self.out, if is_error { "Error" } else { "" }),
            [Part::Text { text, cache, .. }] => {
                self.mark(cache.is_some());
                quote(self.out, text);
            }
            several => {
                self.out.push(b'[');
                for part in several {
                    self.part(part);
                }
                self.out.push(b']');
            }
        }
        self.out.push(b'}');
    }

    /// The parts of an answer in their order; texts that follow each other are one message.
    fn assistant(&mut self, parts: &[Part]) {
        let mut said = String::new();
        for part in parts {
            if let Part::Text { text, citations, cache } = part {
                self.mark(cache.is_some());
                if !citations.is_empty() {
                    self.losses.hint("citations", "where a statement of the history came from is left out");
                }
                said.push_str(text);
                continue;
            }
            self.said(&mut said);
            match part {
                // The API takes a refusal back only with an id of its own.
                Part::Refusal { text } => said.push_str(text),
                Part::ToolCall { id, name, arguments, signature, cache } => {
                    if signature.is_some() {
                        self.losses.hint("thinking", "this API does not sign calls");
                    }
                    self.mark(cache.is_some());
                    put::comma(self.out);
                    self.out.extend_from_slice(br#"{"type":"function_call""#);
                    put::field(self.out, "call_id");
                    call_id(self.out, id);
                    put::text(self.out, "name", name);
                    put::text(self.out, "arguments", if arguments.is_empty() { "{}" } else { arguments });
                    self.out.push(b'}');
                }
                Part::Thinking { text, signature } => self.thinking(text, signature.as_deref()),
                Part::Redacted { data } => self.thinking("", Some(data)),
                Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } => {
                    self.losses.meaning("content", "this API's assistant answers in text");
                }
                Part::Text { .. } | Part::ToolResult { .. } => {}
                Part::Other { .. } => self.losses.meaning("content", "a part that only another API has"),
            }
        }
        if parts.is_empty() {
            self.open("assistant");
            self.out.extend_from_slice(b"\"\"}");
        }
        self.said(&mut said);
    }

    fn said(&mut self, said: &mut String) {
        if !said.is_empty() {
            self.open("assistant");
            quote(self.out, said);
            self.out.push(b'}');
            said.clear();
        }
    }

    fn thinking(&mut self, words: &str, sealed: Option<&str>) {
        if !thinking::item(self.out, words, sealed, self.echo) {
            self.losses.hint("thinking", "only thinking that this API's provider sealed goes back to it");
        }
    }
}

/// In the store of this API's vendor.
fn own_file(id: &str) -> bool {
    id.starts_with("file-") || id.starts_with("assistant-")
}

/// An id that the API takes. One id is always shortened to the same.
fn call_id(out: &mut Vec<u8>, call: &str) {
    if !call.is_empty() && call.chars().count() <= MAX_CALL_ID {
        quote(out, call);
    } else {
        quote(out, &id("call_", hash(call)));
    }
}
