//! A whole answer, written for a client: as the last event of the stream would have it.

use super::writer::Writer;
use crate::api::Asked;
use crate::chat::{Answer, Event, Finish, Part};
use std::borrow::Cow;

pub(super) fn answer(answer: &Answer, asked: &Asked) -> Vec<u8> {
    let mut writer = Writer::whole(asked.clone());
    let mut write = |event: Event<'_>| writer.take(&event);
    write(Event::Start {
        id: Cow::Borrowed(&answer.id),
        model: Cow::Borrowed(&answer.model),
        created: answer.created,
        service_tier: answer.service_tier.as_deref().map(Cow::Borrowed),
        system_fingerprint: None,
        usage: answer.usage,
    });
    // This API gives one answer.
    if let Some(choice) = answer.choices.first() {
        let mut tool = 0_u32;
        if let Some(raw) = &choice.logprobs {
            write(Event::Logprobs { choice: 0, raw: raw.clone() });
        }
        for one in &choice.parts {
            part(one, &mut tool, &mut write);
        }
        let reason = choice.finish.unwrap_or(Finish::Stop);
        write(Event::Finish { choice: 0, reason, stop_sequence: None });
    }
    writer.response()
}

fn part(part: &Part, tool: &mut u32, write: &mut dyn FnMut(Event<'_>)) {
    let choice = 0;
    match part {
        Part::Text { text, citations, .. } => {
            write(Event::Text { choice, text: Cow::Borrowed(text) });
            for citation in citations {
                write(Event::Citation { choice, citation: citation.clone() });
            }
        }
        Part::Refusal { text } => write(Event::Refusal { choice, text: Cow::Borrowed(text) }),
        Part::Thinking { text, signature } => {
            write(Event::Thinking { choice, text: Cow::Borrowed(text) });
            if let Some(signature) = signature {
                write(Event::Signature { choice, signature: Cow::Borrowed(signature) });
            }
        }
        Part::Redacted { data } => write(Event::Redacted { choice, data: Cow::Borrowed(data) }),
        Part::ToolCall { id, name, arguments, signature, .. } => {
            write(Event::ToolStart {
                choice,
                tool: *tool,
                id: Cow::Borrowed(id),
                name: Cow::Borrowed(name),
                signature: signature.as_deref().map(Cow::Borrowed),
            });
            write(Event::ToolArguments { choice, tool: *tool, json: Cow::Borrowed(arguments) });
            *tool = tool.saturating_add(1);
        }
        // Another API's own, or what a model of this API does not write as content.
        Part::Image { .. }
        | Part::Document { .. }
        | Part::Audio { .. }
        | Part::ToolResult { .. }
        | Part::Other { .. } => return,
    }
    write(Event::BlockEnd { choice });
}
