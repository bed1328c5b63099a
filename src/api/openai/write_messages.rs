//! The conversation of a request, written for a provider.

use super::wire::write_url;
use super::write::call_id;
use crate::api::Target;
use crate::chat::{Losses, Part, Request, Role, Source, Turn};
use crate::json::{escape, quote, write as put};

pub(super) fn messages(out: &mut Vec<u8>, request: &Request, target: &Target<'_>, losses: &mut Losses) {
    let mut writer = Messages { out, losses, target, shown: Vec::new() };
    writer.out.push(b'[');
    for turn in &request.turns {
        writer.turn(turn);
    }
    writer.show();
    writer.out.push(b']');
}

struct Messages<'o, 'r> {
    out: &'o mut Vec<u8>,
    losses: &'o mut Losses,
    target: &'o Target<'o>,
    /// What tools gave besides text, by call. A tool's message takes text only, and no other message may stand
    /// between those of one turn's calls: so it follows after the last of them, from the user.
    shown: Vec<(&'r str, Vec<&'r Part>)>,
}

impl<'r> Messages<'_, 'r> {
    fn turn(&mut self, turn: &'r Turn) {
        for part in &turn.parts {
            if let Part::ToolResult { id, parts, is_error, cache } = part {
                self.result(id, parts, *is_error);
                self.mark(cache.is_some());
            }
        }
        let mut rest = turn.parts.iter().filter(|part| !matches!(part, Part::ToolResult { .. })).peekable();
        if rest.peek().is_none() && (turn.role == Role::Tool || !turn.parts.is_empty()) {
            return;
        }
        match turn.role {
            Role::Assistant => {
                self.show();
                self.assistant(turn);
            }
            Role::System => self.prompt("system", turn),
            Role::Developer => self.prompt("developer", turn),
            Role::User | Role::Tool => self.prompt("user", turn),
        }
    }

    fn open(&mut self, role: &str) {
        put::comma(self.out);
        self.out.push(b'{');
        put::text(self.out, "role", role);
    }

    fn mark(&mut self, marked: bool) {
        if marked {
            self.losses.hint("cache_control", "this API caches prompts by itself");
        }
    }

    /// What is neither an answer nor a tool's.
    fn prompt(&mut self, role: &str, turn: &'r Turn) {
        self.show();
        self.open(role);
        if let Some(who) = &turn.name {
            put::text(self.out, "name", who);
        }
        put::field(self.out, "content");
        let parts: Vec<&Part> = turn.parts.iter().filter(|part| !matches!(part, Part::ToolResult { .. })).collect();
        match parts.as_slice() {
            [] => self.out.extend_from_slice(b"\"\""),
            [Part::Text { text, cache, .. }] => {
                quote(self.out, text);
                self.mark(cache.is_some());
            }
            several => {
                let start = self.out.len();
                self.out.push(b'[');
                for part in several {
                    self.part(part);
                }
                if self.out.last() == Some(&b'[') {
                    self.out.truncate(start);
                    self.out.extend_from_slice(b"\"\"");
                } else {
                    self.out.push(b']');
                }
            }
        }
        self.out.push(b'}');
    }

    fn text(&mut self, text: &str) {
        put::comma(self.out);
        self.out.extend_from_slice(br#"{"type":"text""#);
        put::text(self.out, "text", text);
        self.out.push(b'}');
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Text { text, cache, .. } => {
                self.text(text);
                self.mark(cache.is_some());
            }
            Part::Refusal { text } => self.text(text),
            Part::Image { source, detail, cache } => {
                self.image(source, detail.as_deref());
                self.mark(cache.is_some());
            }
            Part::Document { source, name, context, citations, cache } => {
                if *citations == Some(true) {
                    self.losses.hint("citations", "this API does not cite documents");
                }
                self.document(source, name.as_deref(), context.as_deref());
                self.mark(cache.is_some());
            }
            Part::Audio { data, format } => {
                put::comma(self.out);
                self.out.extend_from_slice(br#"{"type":"input_audio","input_audio":{"#);
                put::text(self.out, "data", data);
                put::text(self.out, "format", format);
                self.out.extend_from_slice(b"}}");
            }
            Part::Thinking { .. } | Part::Redacted { .. } => {
                self.losses.hint("thinking", "this API does not take thinking back");
            }
            Part::ToolCall { .. } => self.losses.meaning("tool_calls", "only the assistant calls tools"),
            // Written before the turn's other parts.
            Part::ToolResult { .. } => {}
            Part::Other { .. } => self.losses.meaning("content", "a part that only another API has"),
        }
    }

    fn image(&mut self, source: &Source, detail: Option<&str>) {
        match source {
            Source::Url(_) | Source::Base64 { .. } => {}
            Source::File(_) => {
                self.losses.meaning("image.file", "this API takes images by URL or in the request, not by file id");
                return;
            }
            Source::Text(_) => return,
        }
        put::comma(self.out);
        self.out.extend_from_slice(br#"{"type":"image_url","image_url":{"#);
        put::field(self.out, "url");
        write_url(self.out, source);
        if let Some(detail) = detail {
            put::text(self.out, "detail", detail);
        }
        self.out.extend_from_slice(b"}}");
    }

    fn document(&mut self, source: &Source, title: Option<&str>, context: Option<&str>) {
        match source {
            Source::Text(text) => {
                let said: Vec<&str> = [title, context, Some(text)].into_iter().flatten().collect();
                self.text(&said.join("\n\n"));
            }
            Source::Base64 { media_type, .. } => {
                if let Some(context) = context {
                    self.text(context);
                }
                put::comma(self.out);
                self.out.extend_from_slice(br#"{"type":"file","file":{"#);
                let extension = media_type.rsplit('/').next().unwrap_or("pdf");
                // The API demands a name.
                put::field(self.out, "filename");
                match title {
                    Some(title) => quote(self.out, title),
                    None => {
                        self.out.extend_from_slice(b"\"document.");
                        escape(self.out, extension);
                        self.out.push(b'"');
                    }
                }
                put::field(self.out, "file_data");
                write_url(self.out, source);
                self.out.extend_from_slice(b"}}");
            }
            Source::File(id) if id.starts_with("file-") || id.starts_with("assistant-") => {
                put::comma(self.out);
                self.out.extend_from_slice(br#"{"type":"file","file":{"#);
                put::text(self.out, "file_id", id);
                self.out.extend_from_slice(b"}}");
            }
            Source::File(_) => self.losses.meaning("document.file", "the file is in another provider's store"),
            Source::Url(_) => {
                self.losses.meaning("document.url", "this API takes documents in the request, not by URL")
            }
        }
    }

    /// A tool's message. What it gave besides text waits for the end of the turn.
    fn result(&mut self, id: &'r str, parts: &'r [Part], is_error: bool) {
        if is_error {
            self.losses.hint("tool_result.is_error", "this API has no mark for a tool's failure; its text is kept");
        }
        let (texts, others): (Vec<&Part>, Vec<&Part>) = parts
            .iter()
            .partition(|part| matches!(part, Part::Text { .. } | Part::Document { source: Source::Text(_), .. }));
        self.open("tool");
        put::field(self.out, "tool_call_id");
        call_id(self.out, id);
        put::field(self.out, "content");
        match texts.as_slice() {
            [] if !others.is_empty() => quote(self.out, "The result is in the next user message."),
            [] => quote(self.out, if is_error { "Error" } else { "" }),
            [Part::Text { text, cache, .. }] => {
                quote(self.out, text);
                self.mark(cache.is_some());
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
        if !others.is_empty() {
            self.shown.push((id, others));
        }
    }

    /// What tools gave besides text, from the user, each with the call it belongs to.
    fn show(&mut self) {
        let shown = std::mem::take(&mut self.shown);
        if shown.is_empty() {
            return;
        }
        self.open("user");
        put::field(self.out, "content");
        self.out.push(b'[');
        for (id, parts) in shown {
            let mut label = b"Result of the tool call ".to_vec();
            call_id(&mut label, id);
            self.text(String::from_utf8_lossy(&label).replace('"', "").as_str());
            for part in parts {
                self.part(part);
            }
        }
        self.out.extend_from_slice(b"]}");
    }

    fn assistant(&mut self, turn: &Turn) {
        let (mut text, mut refusal, mut thinking) = (String::new(), String::new(), String::new());
        let (mut calls, mut audio) = (Vec::new(), None);
        for part in &turn.parts {
            match part {
                Part::Text { text: more, citations, cache } => {
                    text.push_str(more);
                    self.mark(cache.is_some());
                    if !citations.is_empty() {
                        self.losses.hint("citations", "this API does not take citations back");
                    }
                }
                Part::Refusal { text: more } => refusal.push_str(more),
                Part::Thinking { text, signature } => {
                    if signature.is_some() || !self.target.echo_reasoning {
                        self.losses.hint("thinking", "this API does not take thinking back");
                    }
                    thinking.push_str(text);
                }
                Part::Redacted { .. } => self.losses.hint("thinking", "this API does not take thinking back"),
                Part::ToolCall { signature, cache, .. } => {
                    if signature.is_some() {
                        self.losses.hint("thinking", "this API does not take thinking back");
                    }
                    self.mark(cache.is_some());
                    calls.push(part);
                }
                Part::Other { kind, .. } if kind == "custom_tool_call" => calls.push(part),
                Part::Other { kind, raw } if kind == "audio" => audio = Some(raw),
                Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } => {
                    self.losses.meaning("content", "this API's assistant answers in text");
                }
                Part::ToolResult { .. } => {}
                Part::Other { .. } => self.losses.meaning("content", "a part that only another API has"),
            }
        }
        self.open("assistant");
        if let Some(who) = &turn.name {
            put::text(self.out, "name", who);
        }
        put::field(self.out, "content");
        if text.is_empty() && (!calls.is_empty() || !refusal.is_empty() || audio.is_some()) {
            self.out.extend_from_slice(b"null");
        } else {
            quote(self.out, &text);
        }
        if !refusal.is_empty() {
            put::text(self.out, "refusal", &refusal);
        }
        if self.target.echo_reasoning && !thinking.is_empty() {
            put::text(self.out, "reasoning_content", &thinking);
        }
        if let Some(raw) = audio {
            put::field(self.out, "audio");
            self.out.extend_from_slice(raw.get().as_bytes());
        }
        if !calls.is_empty() {
            self.calls(&calls);
        }
        self.out.push(b'}');
    }

    fn calls(&mut self, calls: &[&Part]) {
        put::field(self.out, "tool_calls");
        self.out.push(b'[');
        for call in calls {
            put::comma(self.out);
            match call {
                Part::ToolCall { id, name: tool, arguments, .. } => {
                    self.out.extend_from_slice(br#"{"type":"function","id":"#);
                    call_id(self.out, id);
                    put::field(self.out, "function");
                    self.out.push(b'{');
                    put::text(self.out, "name", tool);
                    put::text(self.out, "arguments", if arguments.is_empty() { "{}" } else { arguments });
                    self.out.extend_from_slice(b"}}");
                }
                Part::Other { raw, .. } => self.out.extend_from_slice(raw.get().as_bytes()),
                _ => {}
            }
        }
        self.out.push(b']');
    }
}
