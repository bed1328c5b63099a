//! The conversation of a request, written for a provider.

use super::reply::call;
use crate::chat::{Losses, Part, Request, Role, Source, Turn};
use crate::json::{quote, write as put};

pub(super) fn write(out: &mut Vec<u8>, request: &Request, losses: &mut Losses) {
    let mut writer = Messages { out, losses, request, shown: Vec::new() };
    put::raw(writer.out, "messages", "[");
    for turn in &request.turns {
        writer.turn(turn);
    }
    writer.show();
    writer.out.push(b']');
}

struct Messages<'o, 'r> {
    out: &'o mut Vec<u8>,
    losses: &'o mut Losses,
    request: &'r Request,
    /// What tools gave besides text, by call: it follows after the last result of the turn, from the user.
    shown: Vec<(&'r str, Vec<&'r Part>)>,
}

/// What a message holds: text, and pictures in base64.
#[derive(Default)]
struct Held<'r> {
    texts: Vec<String>,
    images: Vec<&'r str>,
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
        let mut held = Held::default();
        let mut written = false;
        for part in parts {
            let text = matches!(
                part,
                Part::Text { .. } | Part::Refusal { .. } | Part::Document { source: Source::Text(_), .. }
            );
            // A message has one text. Those of one role that follow each other are put together as paragraphs.
            if text && !held.texts.is_empty() {
                self.message(role, &std::mem::take(&mut held));
                written = true;
            }
            self.part(part, &mut held);
        }
        if written && held.texts.is_empty() && held.images.is_empty() {
            return;
        }
        self.message(role, &held);
    }

    fn message(&mut self, role: &str, held: &Held<'_>) {
        self.open(role);
        self.held(held);
        self.out.push(b'}');
    }

    fn held(&mut self, held: &Held<'_>) {
        put::text(self.out, "content", &held.texts.join("\n\n"));
        if !held.images.is_empty() {
            put::raw(self.out, "images", "[");
            for image in &held.images {
                put::comma(self.out);
                quote(self.out, image);
            }
            self.out.push(b']');
        }
    }

    fn part(&mut self, part: &'r Part, held: &mut Held<'r>) {
        match part {
            Part::Text { text, cache, .. } => {
                held.texts.push(text.clone());
                self.mark(cache.is_some());
            }
            Part::Refusal { text } => held.texts.push(text.clone()),
            Part::Image { source: Source::Base64 { data, .. }, detail, cache } => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.losses.hint("detail", "this API looks at every picture alike");
                }
                held.images.push(data);
                self.mark(cache.is_some());
            }
            Part::Image { .. } => {
                self.losses.meaning("image", "this API takes images in the request, not by URL or file id");
            }
            Part::Document { source: Source::Text(text), name, context, citations, cache } => {
                if *citations == Some(true) {
                    self.losses.hint("citations", "this API does not cite documents");
                }
                held.texts.extend([name, context].into_iter().flatten().cloned());
                held.texts.push(text.clone());
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

    /// A tool's message. What it gave besides text waits for the end of the turn.
    fn result(&mut self, id: &'r str, parts: &'r [Part], is_error: bool) {
        if is_error {
            self.losses.hint("tool_result.is_error", "this API has no mark for a tool's failure; its text is kept");
        }
        let (mut held, mut others) = (Held::default(), Vec::new());
        for part in parts {
            match part {
                Part::Text { .. } | Part::Document { source: Source::Text(_), .. } => self.part(part, &mut held),
                other => others.push(other),
            }
        }
        self.open("tool");
        match held.texts.as_slice() {
            [] if !others.is_empty() => put::text(self.out, "content", "The result is in the next user message."),
            [] => put::text(self.out, "content", if is_error { "Error" } else { "" }),
            _ => self.held(&held),
        }
        // Templates tell results apart by the tool's name.
        let tool = self.request.turns.iter().flat_map(|turn| &turn.parts).find_map(|part| match part {
            Part::ToolCall { id: own, name, .. } if own == id => Some(name),
            _ => None,
        });
        if let Some(tool) = tool {
            put::text(self.out, "tool_name", tool);
        }
        put::text(self.out, "tool_call_id", id);
        self.out.push(b'}');
        if !others.is_empty() {
            self.shown.push((id, others));
        }
    }

    /// What tools gave besides text, from the user, each with the call it belongs to.
    fn show(&mut self) {
        for (id, parts) in std::mem::take(&mut self.shown) {
            let mut held = Held::default();
            held.texts.push(["Result of the tool call ", id].concat());
            for part in parts {
                self.part(part, &mut held);
            }
            self.message("user", &held);
        }
    }

    fn assistant(&mut self, parts: &[&'r Part]) {
        let (mut text, mut thinking, mut calls) = (String::new(), String::new(), Vec::new());
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
                    thinking.push_str(text);
                }
                Part::Redacted { .. } => self.losses.hint("thinking", "thinking that another provider sealed"),
                Part::ToolCall { id, name, arguments, signature, cache } => {
                    if signature.is_some() {
                        self.losses.hint("thinking", "another provider's signature of a call");
                    }
                    self.mark(cache.is_some());
                    calls.push((id, name, arguments));
                }
                Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } => {
                    self.losses.meaning("content", "this API's assistant answers in text");
                }
                Part::ToolResult { .. } => {}
                Part::Other { .. } => self.losses.meaning("content", "a part that only another API has"),
            }
        }
        self.open("assistant");
        put::text(self.out, "content", &text);
        if !thinking.is_empty() {
            put::text(self.out, "thinking", &thinking);
        }
        if !calls.is_empty() {
            put::raw(self.out, "tool_calls", "[");
            for (index, (id, name, arguments)) in (0_u64..).zip(calls) {
                put::comma(self.out);
                call(self.out, index, id, name, arguments, None);
            }
            self.out.push(b']');
        }
        self.out.push(b'}');
    }
}
