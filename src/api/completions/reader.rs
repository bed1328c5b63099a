//! A provider's stream, read.

use super::answer::{bad, finish, parse, told, usage};
use super::error::inside;
use crate::api;
use crate::chat::{Event, Finish, Usage};
use crate::error::Error;
use crate::framing::sse;
use crate::json::{Tree, Value};

/// Answers in one stream: the API's own limit of `n`.
const MAX_CHOICES: usize = 128;

type Sink<'s> = dyn FnMut(Event<'_>) + 's;

#[derive(Default)]
pub(super) struct Reader {
    decoder: sse::Decoder,
    tree: Tree,
    state: State,
}

#[derive(Default)]
struct State {
    started: bool,
    over: bool,
    /// By number, and whether it has finished.
    choices: Vec<(u32, bool)>,
    usage: Option<Usage>,
}

impl api::Reader for Reader {
    fn read(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Event<'_>)) {
        let Self { decoder, tree, state } = self;
        if !state.over {
            decoder.feed(bytes, &mut |frame| state.frame(&frame, tree, sink));
        }
    }

    fn close(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        let Self { decoder, tree, state } = self;
        // A last event that was cut is no event: the stream broke off.
        decoder.close(&mut |frame| {
            if frame.data.is_some_and(|data| data.trim_ascii() == b"[DONE]" || tree.read(data).is_ok()) {
                state.frame(&frame, tree, sink);
            }
        });
        if state.over {
            return;
        }
        if !state.choices.is_empty() && state.choices.iter().all(|(_, finished)| *finished) {
            state.end(sink);
        } else {
            state.fail(bad("the provider's stream broke off"), sink);
        }
    }
}

impl State {
    fn frame(&mut self, frame: &sse::Frame<'_>, tree: &mut Tree, sink: &mut Sink<'_>) {
        if self.over {
            return;
        }
        if frame.too_long {
            return self.fail(bad("an event of the provider's stream is too large"), sink);
        }
        let Some(data) = frame.data.map(<[u8]>::trim_ascii) else {
            if frame.raw.starts_with(b":") {
                sink(Event::Ping);
            }
            return;
        };
        let read = match data {
            b"" => Ok(()),
            b"[DONE]" => {
                self.end(sink);
                Ok(())
            }
            _ => parse(tree, data).and_then(|body| match (body.get("error"), frame.name) {
                (Some(error), _) => Err(inside(&error)),
                (None, b"error") => Err(inside(&body)),
                _ => self.chunk(&body, sink),
            }),
        };
        if let Err(error) = read {
            self.fail(error, sink);
        }
    }

    fn chunk(&mut self, body: &Value<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
        if !self.started {
            self.started = true;
            sink(Event::Start {
                id: told(body, "id").unwrap_or_default(),
                model: told(body, "model").unwrap_or_default(),
                created: body.get("created").and_then(|created| created.count()),
                service_tier: None,
                system_fingerprint: told(body, "system_fingerprint"),
                usage: None,
            });
        }
        for one in body.get("choices").into_iter().flat_map(|all| all.items()) {
            let index = one.get("index").and_then(|index| index.count()).unwrap_or_default();
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let at = match self.choices.iter().position(|(known, _)| *known == index) {
                Some(at) => at,
                None if self.choices.len() >= MAX_CHOICES => {
                    return Err(bad("the provider's stream has too many answers"));
                }
                None => {
                    self.choices.push((index, false));
                    self.choices.len().saturating_sub(1)
                }
            };
            let Some((_, finished)) = self.choices.get_mut(at).filter(|(_, finished)| !finished) else { continue };
            if let Some(text) = told(&one, "text") {
                sink(Event::Text { choice: index, text });
            }
            if let Some(reason) = finish(&one) {
                *finished = true;
                sink(Event::Finish { choice: index, reason, stop_sequence: None });
            }
        }
        if let Some(usage) = usage(body).filter(|usage| self.usage != Some(*usage)) {
            self.usage = Some(usage);
            sink(Event::Usage(usage));
        }
        Ok(())
    }

    fn fail(&mut self, error: Error, sink: &mut Sink<'_>) {
        self.over = true;
        sink(Event::Error(error));
    }

    fn end(&mut self, sink: &mut Sink<'_>) {
        if self.choices.is_empty() {
            return self.fail(bad("the provider's stream has no answer"), sink);
        }
        for (choice, _) in self.choices.iter().filter(|(_, finished)| !finished) {
            sink(Event::Finish { choice: *choice, reason: Finish::Stop, stop_sequence: None });
        }
        self.over = true;
        sink(Event::End);
    }
}
