//! A stream on its way from the provider to the client.

use super::unread::Unread;
use crate::api::{Api, Asked, Reader, Seen, Verdict, Writer};
use crate::chat::{Event, Usage};
use crate::error::Error;
use crate::framing::{self, Frame, lines, sse};
use crate::json::{self, Tree};
use crate::provider::Transcode;
use crate::task::Format;
use std::cell::RefCell;
use std::rc::Rc;

/// A stream being passed on.
pub struct Relay {
    how: How,
    transcode: Option<Box<dyn Transcode>>,
    pub seen: Seen,
    /// An event with data has gone by.
    pub begun: bool,
    /// What a model wrote and has gone by, if that is wanted: whoever counts it takes it out.
    pub text: Option<String>,
}

enum How {
    /// The client speaks the provider's API: its bytes are watched.
    Same(Same),
    /// No chat: only what was used is looked for.
    Task {
        frames: sse::Decoder,
        format: &'static Format,
    },
    Other {
        reader: Box<dyn Reader>,
        writer: Box<dyn Writer>,
    },
}

struct Same {
    api: &'static dyn Api,
    frames: framing::Decoder,
    hide_usage: bool,
    rename: Option<String>,
    /// Bytes taken in that no frame has given back yet.
    held: usize,
    /// A frame was corrupt: what came since is no use.
    lost: bool,
    /// A frame that was not passed on ended in CR; the LF that may follow belongs to it.
    after_cr: bool,
    /// What has gone by, if that may have to be counted.
    unread: Option<Rc<RefCell<Unread>>>,
}

impl Relay {
    pub fn same(api: &'static dyn Api, hide_usage: bool, rename: Option<String>) -> Self {
        let kind = api.framing();
        // A binary frame is not rewritten.
        let rename = rename.filter(|_| kind != framing::Kind::EventStream);
        let same = Same {
            api,
            frames: api.decoder(),
            hide_usage,
            rename,
            held: 0,
            lost: false,
            after_cr: false,
            unread: None,
        };
        Self::new(How::Same(same))
    }

    pub fn other(provider: &'static dyn Api, dialect: &'static dyn Api, asked: Asked) -> Self {
        Self::new(How::Other { reader: provider.reader(), writer: dialect.writer(asked) })
    }

    pub fn task(format: &'static Format) -> Self {
        let mut relay = Self::new(How::Task { frames: sse::Decoder::new(), format });
        relay.seen.ended = true;
        relay
    }

    fn new(how: How) -> Self {
        Self { how, transcode: None, seen: Seen::default(), begun: false, text: None }
    }

    /// Of a provider whose stream is first made one of its API.
    pub fn transcoded(self, transcode: Option<Box<dyn Transcode>>) -> Self {
        Self { transcode, ..self }
    }

    /// Collects what a model wrote, for it to be counted: what is given is read only then.
    pub fn collect(&mut self, provider: &'static dyn Api, model: &str) -> Option<Rc<RefCell<Unread>>> {
        let How::Same(same) = &mut self.how else {
            self.text = Some(String::new());
            return None;
        };
        same.unread = Some(Rc::new(RefCell::new(Unread::new(provider, model))));
        same.unread.clone()
    }

    /// Takes what came; gives what goes to the client in its place, `None` if that is the same.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let Some(transcode) = &mut self.transcode else { return self.pass(bytes) };
        let mut events = Vec::with_capacity(bytes.len());
        transcode.feed(bytes, &mut events);
        Some(self.pass(&events).unwrap_or(events))
    }

    fn pass(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (seen, begun, text) = (&mut self.seen, &mut self.begun, &mut self.text);
        match &mut self.how {
            How::Same(same) => same.feed(bytes, seen, begun),
            How::Task { frames, format } => {
                frames.feed(bytes, &mut |frame| {
                    let Some(data) = frame.data else { return };
                    *begun = true;
                    seen.content = true;
                    if memchr::memmem::find(data, b"\"usage\"").is_some()
                        && let Ok(event) = Tree::default().read(data)
                    {
                        seen.usage = (format.usage)(event).or(seen.usage);
                    }
                });
                None
            }
            How::Other { reader, writer } => {
                let mut out = Vec::with_capacity(bytes.len());
                reader.read(bytes, &mut |event| {
                    *begun |= !matches!(event, Event::Ping);
                    note(&event, seen);
                    if let Some(text) = text {
                        collect(&event, text);
                    }
                    writer.write(&event, &mut out);
                });
                Some(out)
            }
        }
    }

    /// The provider has closed the stream. `None`: nothing is to be added.
    pub fn close(&mut self, dialect: &'static dyn Api, asked: &dyn Fn() -> Asked) -> Option<Vec<u8>> {
        let Some(mut transcode) = self.transcode.take() else { return self.end(dialect, asked) };
        let mut events = Vec::new();
        transcode.close(&mut events);
        let mut out = self.pass(&events).unwrap_or(events);
        out.extend(self.end(dialect, asked).into_iter().flatten());
        (!out.is_empty()).then_some(out)
    }

    fn end(&mut self, dialect: &'static dyn Api, asked: &dyn Fn() -> Asked) -> Option<Vec<u8>> {
        let (seen, begun) = (&mut self.seen, &mut self.begun);
        match &mut self.how {
            How::Task { .. } => None,
            How::Same(same) => {
                let mut out = same.close(seen, begun);
                if !seen.ended && (seen.error.is_none() || same.lost) {
                    let error = seen.error.take().unwrap_or_else(broke_off);
                    let mut end = match same.api.framing() {
                        framing::Kind::Sse => b"\n\n".to_vec(),
                        // A last line may have come without its end; a blank one breaks clients.
                        framing::Kind::Lines if out.as_ref().is_some_and(|line| !line.ends_with(b"\n")) => {
                            b"\n".to_vec()
                        }
                        framing::Kind::Lines | framing::Kind::EventStream => Vec::new(),
                    };
                    dialect.writer(asked()).write(&Event::Error(error.clone()), &mut end);
                    out.get_or_insert_default().extend_from_slice(&end);
                    seen.error = Some(error);
                }
                out
            }
            How::Other { reader, writer } => {
                let mut out = Vec::new();
                reader.close(&mut |event| {
                    *begun |= !matches!(event, Event::Ping);
                    note(&event, seen);
                    writer.write(&event, &mut out);
                });
                (!out.is_empty()).then_some(out)
            }
        }
    }
}

/// A stream without its proper ending.
pub fn broke_off() -> Error {
    Error::provider(crate::error::Kind::BadAnswer, "the provider's stream broke off")
}

/// A stream with a frame that its checksums, or lengths, say is not what was sent.
fn corrupt(what: &str) -> Error {
    let what = ["the provider's stream broke off: ", what].concat();
    Error::provider(crate::error::Kind::BadAnswer, what)
}

impl Same {
    /// Frames of which a part is worth nothing to a client.
    fn in_wholes(&self) -> bool {
        self.api.framing() != framing::Kind::Sse
    }

    /// Whether what goes out may be other bytes than those that came, or the same ones later: whole frames, so that an
    /// error can follow the last.
    fn edits(&self) -> bool {
        self.hide_usage || self.rename.is_some() || self.in_wholes()
    }

    fn feed(&mut self, bytes: &[u8], seen: &mut Seen, begun: &mut bool) -> Option<Vec<u8>> {
        let passes = !self.edits();
        let Self { api, frames, hide_usage, rename, held, lost, after_cr, unread } = self;
        let mut unread = unread.as_ref().map(|unread| unread.borrow_mut());
        if passes {
            frames.feed(bytes, &mut |frame| {
                if let Some(unread) = &mut unread {
                    unread.add(frame.raw);
                }
                watch(*api, &frame, false, seen, begun, lost);
            });
            return None;
        }
        let whole_before = *held == 0;
        let mut changed = false;
        let mut given = 0_usize;
        let mut out = Vec::with_capacity(bytes.len());
        frames.feed(bytes, &mut |frame| {
            given = given.saturating_add(frame.raw.len());
            if let Some(unread) = &mut unread {
                unread.add(frame.raw);
            }
            let verdict = watch(*api, &frame, *hide_usage, seen, begun, lost);
            changed |= change(api.framing(), &frame, verdict, rename.as_deref(), after_cr, &mut out);
        });
        *held = held.saturating_add(bytes.len()).saturating_sub(given);
        (changed || !whole_before || *held > 0).then_some(out)
    }

    fn close(&mut self, seen: &mut Seen, begun: &mut bool) -> Option<Vec<u8>> {
        let edits = self.edits();
        let Self { api, frames, hide_usage, rename, held, lost, after_cr, .. } = self;
        let mut out = Vec::new();
        frames.close(&mut |frame| {
            let verdict = watch(*api, &frame, *hide_usage, seen, begun, lost);
            change(api.framing(), &frame, verdict, rename.as_deref(), after_cr, &mut out);
        });
        *held = 0;
        (edits && !out.is_empty()).then_some(out)
    }
}

fn watch(api: &dyn Api, frame: &Frame<'_>, hide: bool, seen: &mut Seen, begun: &mut bool, lost: &mut bool) -> Verdict {
    if let Some(what) = frame.corrupt.filter(|_| seen.error.is_none()) {
        *lost = true;
        seen.error = Some(corrupt(what));
    }
    if *lost || frame.corrupt.is_some() {
        // The client's decoder would stop at it: it gets an error in its place.
        return Verdict::Hide;
    }
    let Some(data) = frame.data else { return Verdict::Pass };
    let sound = seen.error.is_none();
    let verdict = api.watch_event(frame.name, data, hide, seen);
    *begun |= verdict != Verdict::Idle;
    // An event that no client can read: the error stands in its place, and nothing follows.
    *lost = verdict == Verdict::Hide && sound && seen.error.is_some();
    verdict
}

/// Writes the frame as the client gets it; whether that differs from what came.
fn change(
    kind: framing::Kind,
    frame: &Frame<'_>,
    verdict: Verdict,
    rename: Option<&str>,
    after_cr: &mut bool,
    out: &mut Vec<u8>,
) -> bool {
    let rest = frame.raw.strip_prefix(b"\n").filter(|_| *after_cr);
    *after_cr = frame.raw.ends_with(b"\r");
    if verdict == Verdict::Hide {
        return true;
    }
    if let (Some(name), Some(data)) = (rename, frame.data)
        && let Some(renamed) = rename_model(data, name)
    {
        if kind == framing::Kind::Lines {
            lines::write(out, &renamed);
        } else {
            let event = std::str::from_utf8(frame.name).ok().filter(|name| !name.is_empty());
            sse::write(out, event, &renamed);
        }
        return true;
    }
    *after_cr = false;
    out.extend_from_slice(rest.unwrap_or(frame.raw));
    rest.is_some()
}

/// The JSON text with its `model`, or that of the answer within it, set to `name`. `None`: it has none, or has that one.
pub fn rename_model(json: &[u8], name: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(json).ok()?;
    let places: [&[&str]; 3] = [&["model"], &["message", "model"], &["response", "model"]];
    let found = places.iter().find_map(|path| json::find(text, path))?;
    if !found.starts_with('"') {
        return None;
    }
    let start = (found.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let mut with = Vec::new();
    json::quote(&mut with, name);
    if found.as_bytes() == with {
        return None;
    }
    Some(json::splice(json, &[json::Edit { at: start..start.checked_add(found.len())?, with }]))
}

pub(super) fn collect(event: &Event<'_>, text: &mut String) {
    match event {
        Event::Text { text: said, .. } | Event::Refusal { text: said, .. } | Event::Thinking { text: said, .. } => {
            text.push_str(said);
        }
        Event::ToolStart { name, .. } => text.push_str(name),
        Event::ToolArguments { json, .. } => text.push_str(json),
        _ => {}
    }
}

/// What a translated event says of the answer.
fn note(event: &Event<'_>, seen: &mut Seen) {
    match event {
        Event::Start { usage: Some(usage), .. } => seen.usage = Some(*usage),
        Event::Usage(usage) => seen.usage = Some(larger(*usage, seen.usage)),
        Event::Error(error) => seen.error = Some(error.clone()),
        Event::End => seen.ended = true,
        Event::Start { .. } | Event::Ping | Event::BlockEnd { .. } | Event::Finish { .. } => {}
        _ => seen.content = true,
    }
}

/// The last word counts; a provider that then says nothing of its input has not taken it back.
fn larger(last: Usage, before: Option<Usage>) -> Usage {
    match before {
        Some(before) if last.input == 0 => Usage { output: last.output, reasoning: last.reasoning, ..before },
        _ => last,
    }
}
