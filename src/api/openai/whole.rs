//! A client's stream with each tool call whole in one chunk, and the usage in the last, as Mistral gives it.

use super::writer;
use crate::api::{self, Asked};
use crate::chat::{Event, Finish};
use crate::error::{Error, Kind};

/// Bytes of calls that wait for their end.
const MAX_HELD: usize = 4 << 20;

pub(super) struct Writer {
    inner: writer::Writer,
    schema_tool: bool,
    calls: Vec<Call>,
    held: usize,
    /// Why choices ended: told last, with the usage.
    ends: Vec<(u32, Finish)>,
}

struct Call {
    choice: u32,
    tool: u32,
    id: String,
    name: String,
    arguments: String,
    signature: Option<String>,
}

impl Writer {
    pub fn new(asked: Asked) -> Self {
        let schema_tool = asked.schema_tool;
        Self { inner: writer::Writer::new(asked), schema_tool, calls: Vec::new(), held: 0, ends: Vec::new() }
    }

    /// Whether there is room for so many bytes; without it the stream fails.
    fn hold(&mut self, bytes: usize, out: &mut Vec<u8>) -> bool {
        self.held = self.held.saturating_add(bytes);
        let room = self.held <= MAX_HELD;
        if !room {
            let error = Error::provider(Kind::BadAnswer, "the provider's tool calls are too large");
            api::Writer::write(&mut self.inner, &Event::Error(error), out);
        }
        room
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        for call in self.calls.drain(..) {
            let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
            let named = (&*call.id, &*call.name);
            self.inner.tool_start(out, (call.choice, call.tool), named, call.signature.as_deref(), Some(arguments));
        }
        for (choice, reason) in self.ends.drain(..) {
            api::Writer::write(&mut self.inner, &Event::Finish { choice, reason, stop_sequence: None }, out);
        }
    }
}

impl api::Writer for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::ToolStart { choice, tool, id, name, signature } if !self.schema_tool => {
                let signature = signature.as_deref().map(str::to_owned);
                let size = id.len().saturating_add(name.len()).saturating_add(size_of::<Call>());
                if self.hold(size.saturating_add(signature.as_ref().map_or(0, String::len)), out) {
                    let (id, name) = (id.to_string(), name.to_string());
                    let arguments = String::new();
                    self.calls.push(Call { choice: *choice, tool: *tool, id, name, arguments, signature });
                }
            }
            Event::ToolArguments { choice, tool, json } if !self.schema_tool => {
                if !self.hold(json.len(), out) {
                    return;
                }
                let mut calls = self.calls.iter_mut();
                if let Some(call) = calls.find(|call| (call.choice, call.tool) == (*choice, *tool)) {
                    call.arguments.push_str(json);
                }
            }
            Event::Finish { choice, reason, .. } => self.ends.push((*choice, *reason)),
            Event::End => {
                self.end(out);
                self.inner.write(event, out);
            }
            event => self.inner.write(event, out),
        }
    }
}
