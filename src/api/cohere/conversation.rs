//! The conversation of a request, written for a provider.

use super::reply::call;
use super::shared::wire::write_url;
use crate::chat::{Losses, Part, Request, Role, Source, Turn};
use crate::json::{quote, write as put};

/// Writes the messages and the documents beside them. Whether there are documents that are not to be cited.
pub(super) fn write(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) -> bool {
    let mut writer = Messages { out, losses, documents: Vec::new(), shown: Vec::new() };
    put::raw(writer.out, "messages", "[");
    for turn in &request.turns {
        writer.turn(turn);
    }
    writer.show();
    writer.out.push(b']');
    let documents = writer.documents;
    if documents.is_empty() {
        return false;
    }
    put::raw(out, "documents", "[");
    let mut uncited = true;
    for document in documents {
        let Part::Document { source: Source::Text(text), name, context, citations, .. } = document else { continue };
        uncited &= *citations == Some(false);
        put::comma(out);
        out.extend_from_slice(br#"{"data":{"#);
        if let Some(title) = name {
            put::text(out, "title", title);
        }
        if let Some(context) = context {
            put::text(out, "context", context);
        }
        put::text(out, "text", text);
        out.extend_from_slice(b"}}");
    }
    out.push(b']');
    uncited
}

struct Messages<'o, 'r> {
    out: &'o mut Vec<u8>,
    losses: &'o mut Losses,
    documents: Vec<&'r Part>,
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
        let rest: Vec<&Part> = turn.parts.iter().filter(|part| !matches!(part, Part::ToolResult { .. })).collect();
        if rest.is_empty() && (turn.role == Role::Tool || !turn.parts.is_empty()) {
            return;
        }
        if turn.name.is_some() {
            self.losses.hint("name", "this API does not name who speaks");
        }
        self.show();
        match turn.role {
            Role::Assistant => self.assistant(&rest),
            Role::System | Role::Developer => self.prompt("system", &rest),
            Role::User | Role::Tool => self.prompt("user", &rest),
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
    fn prompt(&mut self, role: &str, parts: &[&'r Part]) {
        self.open(role);
        put::field(self.out, "content");
        if let [Part::Text { text, cache, .. }] = parts {
            quote(self.out, text);
            self.mark(cache.is_some());
        } else {
            let start = self.out.len();
            self.out.push(b'[');
            for part in parts {
                self.part(part);
            }
            if self.out.last() == Some(&b'[') {
                self.out.truncate(start);
                self.out.extend_from_slice(b"\"\"");
            } else {
                self.out.push(b']');
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

    fn part(&mut self, part: &'r Part) {
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
            Part::Document { source: Source::Text(_), cache, .. } => {
                self.documents.push(part);
                self.mark(cache.is_some());
            }
            Part::Document { .. } => self.losses.meaning("document", "this API takes documents as text only"),
            Part::Audio { .. } => self.losses.meaning("audio", "this API does not listen"),
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
        if matches!(source, Source::File(_) | Source::Text(_)) {
            return self.losses.meaning("image", "this API takes images by URL or in the request, not by file id");
        }
        put::comma(self.out);
        self.out.extend_from_slice(br#"{"type":"image_url","image_url":{"url":"#);
        write_url(self.out, source);
        if let Some(detail) = detail {
            put::text(self.out, "detail", detail);
        }
        self.out.extend_from_slice(b"}}");
    }

    /// A tool's message. What it gave besides text waits for the end of the turn.
    fn result(&mut self, id: &'r str, parts: &'r [Part], is_error: bool) {
        if is_error {
            self.losses.hint("tool_result.is_error", "this API has no mark for a tool's failure; its text is kept");
        }
        let (mut texts, mut others) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Part::Text { text, cache, .. } => {
                    texts.push(text.clone());
                    self.mark(cache.is_some());
                }
                Part::Document { source: Source::Text(text), name, context, .. } => {
                    let said = [name.as_deref(), context.as_deref(), Some(text.as_str())];
                    texts.push(said.into_iter().flatten().collect::<Vec<_>>().join("\n\n"));
                }
                other => others.push(other),
            }
        }
        self.open("tool");
        put::text(self.out, "tool_call_id", id);
        put::field(self.out, "content");
        match texts.as_slice() {
            [] if !others.is_empty() => quote(self.out, "The result is in the next user message."),
            [] => quote(self.out, if is_error { "Error" } else { "" }),
            [one] => quote(self.out, one),
            several => {
                self.out.push(b'[');
                several.iter().for_each(|text| self.text(text));
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
        put::raw(self.out, "content", "[");
        for (id, parts) in shown {
            self.text(&["Result of the tool call ", id].concat());
            for part in parts {
                self.part(part);
            }
        }
        self.out.extend_from_slice(b"]}");
    }

    fn assistant(&mut self, parts: &[&'r Part]) {
        let called = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
        let (mut text, mut thoughts) = (String::new(), Vec::new());
        for part in parts {
            match part {
                Part::Text { text: more, citations, cache } => {
                    text.push_str(more);
                    self.mark(cache.is_some());
                    if !citations.is_empty() {
                        self.losses.hint("citations", "this API does not take citations back");
                    }
                }
                Part::Refusal { text: more } => text.push_str(more),
                Part::Thinking { text, signature } => {
                    if signature.is_some() {
                        self.losses.hint("thinking", "another provider's signature; the text is kept");
                    }
                    if !text.is_empty() {
                        thoughts.push(text);
                    }
                }
                Part::Redacted { .. } => self.losses.hint("thinking", "thinking that another provider sealed"),
                Part::ToolCall { signature, cache, .. } => {
                    if signature.is_some() {
                        self.losses.hint("thinking", "another provider's signature of a call");
                    }
                    self.mark(cache.is_some());
                }
                Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } => {
                    self.losses.meaning("content", "this API's assistant answers in text");
                }
                Part::ToolResult { .. } => {}
                Part::Other { .. } => self.losses.meaning("content", "a part that only another API has"),
            }
        }
        self.open("assistant");
        if called && !text.is_empty() {
            put::text(self.out, "tool_plan", &text);
        }
        if !thoughts.is_empty() {
            put::raw(self.out, "content", "[");
            for thought in thoughts {
                put::comma(self.out);
                self.out.extend_from_slice(br#"{"type":"thinking""#);
                put::text(self.out, "thinking", thought);
                self.out.push(b'}');
            }
            if !called && !text.is_empty() {
                self.text(&text);
            }
            self.out.push(b']');
        } else if !called {
            put::text(self.out, "content", &text);
        }
        if called {
            put::raw(self.out, "tool_calls", "[");
            for part in parts {
                if let Part::ToolCall { id, name, arguments, .. } = part {
                    put::comma(self.out);
                    call(self.out, id, name, if arguments.is_empty() { "{}" } else { arguments }, None);
                }
            }
            self.out.push(b']');
        }
        self.out.push(b'}');
    }
}
