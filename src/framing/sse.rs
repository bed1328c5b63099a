//! Server-sent events, in every form the WHATWG standard allows.

pub use super::Frame;

use memchr::{memchr, memchr2};

/// Largest event held while its end has not arrived: one may be a whole image, of some megabytes in base64.
pub const MAX_EVENT_BYTES: usize = 16 << 20;

/// What the buffer of held bytes may keep between events.
const KEPT_CAPACITY: usize = 16 << 10;

pub const MEDIA_TYPE: &str = "text/event-stream";

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Where in a line the stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// At a line's start.
    Start,
    /// At a line's start after a CR, so that an LF belongs to it.
    AfterCr,
    Within,
}

/// Takes a stream as it comes.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// The event that is not whole yet.
    held: Vec<u8>,
    /// For an event of several data lines.
    joined: Vec<u8>,
    line: Line,
    /// How much of a byte order mark has gone by.
    bom: usize,
    /// Past the first event, before which alone the mark is one.
    started: bool,
    /// Within an event that is too long.
    skipping: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    pub fn new() -> Self {
        Self::with_limit(MAX_EVENT_BYTES)
    }

    /// Holds no event of more than `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, held: Vec::new(), joined: Vec::new(), line: Line::Start, bom: 0, started: false, skipping: false }
    }

    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Frame<'_>)) {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            // The LF of a CRLF whose CR has ended an event.
            if self.line == Line::AfterCr && self.held.is_empty() && !self.skipping && bytes.first() == Some(&b'\n') {
                self.line = Line::Start;
                let (raw, rest) = bytes.split_at_checked(1).unwrap_or_default();
                sink(Frame { raw, ..Frame::default() });
                bytes = rest;
                continue;
            }
            let Some(end) = self.event_end(bytes) else { break };
            let mut whole = end;
            if self.line == Line::AfterCr && bytes.get(end) == Some(&b'\n') {
                self.line = Line::Start;
                whole = whole.saturating_add(1);
            }
            let (raw, rest) = bytes.split_at_checked(whole).unwrap_or((bytes, &[]));
            self.finish(raw, end, sink);
            bytes = rest;
        }
        self.hold(bytes, sink);
    }

    /// The stream has ended. An event whose last blank line is missing is given if it has data: providers do end so.
    pub fn close(&mut self, sink: &mut dyn FnMut(Frame<'_>)) {
        if !self.held.is_empty() {
            self.finish(&[], 0, sink);
        }
        *self = Self::with_limit(self.limit);
    }

    /// Just past the CR or LF that ends the event, if it does in these bytes.
    fn event_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0_usize;
        loop {
            let rest = bytes.get(at..)?;
            let first = *rest.first()?;
            if self.bom < BOM.len() {
                if BOM.get(self.bom) == Some(&first) {
                    self.bom = self.bom.saturating_add(1);
                    at = at.saturating_add(1);
                    continue;
                }
                if self.bom > 0 {
                    self.line = Line::Within;
                }
                self.bom = BOM.len();
            }
            if self.line == Line::AfterCr && first == b'\n' {
                self.line = Line::Start;
                at = at.saturating_add(1);
                continue;
            }
            let empty = self.line != Line::Within;
            let Some(length) = memchr2(b'\r', b'\n', rest) else {
                self.line = Line::Within;
                return None;
            };
            let cr = rest.get(length) == Some(&b'\r');
            self.line = if cr { Line::AfterCr } else { Line::Start };
            at = at.saturating_add(length).saturating_add(1);
            if empty && length == 0 {
                return Some(at);
            }
        }
    }

    /// The held bytes and `last` are a frame. `counted` bytes of `last` make its length: the LF of a last CRLF does not,
    /// since it may come after the event is given.
    fn finish(&mut self, last: &[u8], counted: usize, sink: &mut dyn FnMut(Frame<'_>)) {
        let too_long = self.held.len().saturating_add(counted) > self.limit;
        let skipping = std::mem::take(&mut self.skipping);
        let first = !std::mem::replace(&mut self.started, true);
        if skipping {
            sink(Frame { raw: last, ..Frame::default() });
            return;
        }
        let raw = if self.held.is_empty() {
            last
        } else {
            self.held.extend_from_slice(last);
            &self.held
        };
        if too_long {
            sink(Frame { raw, too_long, ..Frame::default() });
        } else {
            let lines = if first { raw.strip_prefix(BOM).unwrap_or(raw) } else { raw };
            read(raw, lines, &mut self.joined, sink);
        }
        self.held.clear();
        self.held.shrink_to(KEPT_CAPACITY);
        self.joined.clear();
        self.joined.shrink_to(KEPT_CAPACITY);
    }

    /// Keeps the start of an event.
    fn hold(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Frame<'_>)) {
        if bytes.is_empty() {
            return;
        }
        if self.skipping {
            sink(Frame { raw: bytes, ..Frame::default() });
            return;
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() > self.limit {
            self.skipping = true;
            sink(Frame { raw: &self.held, too_long: true, ..Frame::default() });
            self.held = Vec::new();
        }
    }
}

/// Gives the event that these lines are.
fn read(raw: &[u8], lines: &[u8], joined: &mut Vec<u8>, sink: &mut dyn FnMut(Frame<'_>)) {
    let mut name: &[u8] = &[];
    let mut data: Option<&[u8]> = None;
    let mut several = false;
    let mut rest = lines;
    while !rest.is_empty() {
        let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        rest = after.get(1..).unwrap_or_default();
        let (field, value) = match memchr(b':', line) {
            Some(colon) => {
                let (field, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
                let value = value.get(1..).unwrap_or_default();
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, line.get(line.len()..).unwrap_or_default()),
        };
        match field {
            b"data" => match data {
                None => data = Some(value),
                Some(first) => {
                    if !several {
                        joined.extend_from_slice(first);
                        several = true;
                    }
                    joined.push(b'\n');
                    joined.extend_from_slice(value);
                }
            },
            b"event" => name = value,
            _ => {}
        }
    }
    let data = if several { Some(joined.as_slice()) } else { data };
    sink(Frame { name, data, raw, ..Frame::default() });
}

/// Writes an event. A line's end in `data` begins another data line; one in `name` is left out.
pub fn write(out: &mut Vec<u8>, name: Option<&str>, data: &[u8]) {
    out.reserve(data.len().saturating_add(name.map_or(0, str::len)).saturating_add(24));
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend(name.bytes().filter(|b| !matches!(b, b'\r' | b'\n')));
        out.push(b'\n');
    }
    let mut rest = data;
    loop {
        out.extend_from_slice(b"data: ");
        let end = memchr2(b'\r', b'\n', rest);
        let (line, after) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
        out.extend_from_slice(line);
        out.push(b'\n');
        if end.is_none() {
            break;
        }
        rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..)).unwrap_or_default();
    }
    out.push(b'\n');
}

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(any(test, fuzzing))]
pub use fuzz::fuzz_sse;

#[cfg(test)]
mod tests;
