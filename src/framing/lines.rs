//! Lines of JSON objects, each an event. What begins no object is none: blank lines, a sign of life.

use super::Frame;
use memchr::memchr2;

pub const MEDIA_TYPE: &str = "application/x-ndjson";

/// Largest line held while its end has not arrived.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// What the buffer of held bytes may keep between lines.
const KEPT_CAPACITY: usize = 16 << 10;

/// Takes a stream as it comes. A line ends with LF, CR LF or CR: inside JSON neither can stand.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// The line that is not whole yet.
    held: Vec<u8>,
    /// Within a line that is too long.
    skipping: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    pub fn new() -> Self {
        Self::with_limit(MAX_LINE_BYTES)
    }

    /// Holds no line of more than `limit` bytes, its end included.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, held: Vec::new(), skipping: false }
    }

    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Frame<'_>)) {
        let mut rest = bytes;
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            let (line, after) = rest.split_at_checked(end.saturating_add(1)).unwrap_or((rest, &[]));
            self.finish(line, sink);
            rest = after;
        }
        if rest.is_empty() {
            return;
        }
        if self.skipping {
            return sink(Frame { raw: rest, ..Frame::default() });
        }
        self.held.extend_from_slice(rest);
        // Its end makes it longer still.
        if self.held.len() >= self.limit {
            self.skipping = true;
            sink(Frame { raw: &self.held, too_long: true, ..Frame::default() });
            self.held = Vec::new();
        }
    }

    /// The stream has ended. A last line without its end is given.
    pub fn close(&mut self, sink: &mut dyn FnMut(Frame<'_>)) {
        if !self.held.is_empty() {
            self.finish(&[], sink);
        }
        self.skipping = false;
    }

    /// The held bytes and `last` are a line.
    fn finish(&mut self, last: &[u8], sink: &mut dyn FnMut(Frame<'_>)) {
        if std::mem::take(&mut self.skipping) {
            return sink(Frame { raw: last, ..Frame::default() });
        }
        let raw = if self.held.is_empty() {
            last
        } else {
            self.held.extend_from_slice(last);
            &self.held
        };
        let too_long = raw.len() > self.limit;
        let data = Some(raw.trim_ascii()).filter(|line| !too_long && line.starts_with(b"{"));
        sink(Frame { data, raw, too_long, ..Frame::default() });
        self.held.clear();
        self.held.shrink_to(KEPT_CAPACITY);
    }
}

/// Writes an event.
pub fn write(out: &mut Vec<u8>, object: &[u8]) {
    out.extend_from_slice(object);
    out.push(b'\n');
}

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(any(test, fuzzing))]
pub use fuzz::fuzz_lines;

#[cfg(test)]
mod tests;
