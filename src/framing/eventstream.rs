//! AWS event streams: binary frames of headers and a payload, each with two checksums.
//!
//! A frame is: its length and its headers' length (4 bytes each, big-endian), the CRC-32 of these 8 bytes, headers, payload,
//! the CRC-32 of all before it.

pub use super::Frame;

/// Largest frame that is held: AWS sends no payload above 16 MB.
pub const MAX_FRAME_BYTES: usize = 16 << 20;

/// Most bytes of headers that AWS allows.
pub const MAX_HEADER_BYTES: usize = 128 << 10;

pub const MEDIA_TYPE: &str = "application/vnd.amazon.eventstream";

/// What the buffer of held bytes may keep between frames.
const KEPT_CAPACITY: usize = 16 << 10;

const PRELUDE: usize = 12;
const TRAILER: usize = 4;
const LEAST: usize = PRELUDE + TRAILER;

const BAD_PRELUDE: &str = "the checksum of a frame's lengths is wrong";
const BAD_LENGTH: &str = "a frame's lengths cannot be";
const BAD_CHECKSUM: &str = "a frame's checksum is wrong";
const BAD_HEADERS: &str = "a frame's headers cannot be read";
const CUT: &str = "the stream ended within a frame";

/// Takes a stream as it comes. After a frame whose checksum or lengths are wrong no frame's start is known: what follows is
/// given as bytes alone.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// The frame that is not whole yet.
    held: Vec<u8>,
    /// Bytes that `held` needs before it says more: the prelude, then the frame.
    wanted: usize,
    /// Bytes to come of a frame that is too long.
    skip: usize,
    lost: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    pub fn new() -> Self {
        Self::with_limit(MAX_FRAME_BYTES)
    }

    /// Holds no frame of more than `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, held: Vec::new(), wanted: PRELUDE, skip: 0, lost: false }
    }

    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Frame<'_>)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.lost {
                sink(Frame { raw: rest, ..Frame::default() });
                return;
            }
            if self.skip > 0 {
                let (raw, after) = rest.split_at_checked(self.skip).unwrap_or((rest, &[]));
                self.skip = self.skip.saturating_sub(raw.len());
                sink(Frame { raw, ..Frame::default() });
                rest = after;
                continue;
            }
            let missing = self.wanted.saturating_sub(self.held.len());
            let Some((part, after)) = rest.split_at_checked(missing) else {
                self.held.extend_from_slice(rest);
                return;
            };
            // A frame that is whole in what came is not copied.
            if self.held.is_empty()
                && let Some(whole) = length(part).ok().filter(|length| *length <= self.limit)
                && let Some((raw, after)) = rest.split_at_checked(whole)
            {
                self.lost = give(raw, sink);
                rest = after;
                continue;
            }
            self.held.extend_from_slice(part);
            rest = after;
            if self.wanted == PRELUDE {
                self.prelude(sink);
            } else {
                self.lost = give(&self.held, sink);
                self.restart();
            }
        }
    }

    /// The stream has ended. What is held is no frame.
    pub fn close(&mut self, sink: &mut dyn FnMut(Frame<'_>)) {
        if !self.held.is_empty() {
            sink(Frame { raw: &self.held, corrupt: Some(CUT), ..Frame::default() });
        }
        *self = Self::with_limit(self.limit);
    }

    /// The prelude is held.
    fn prelude(&mut self, sink: &mut dyn FnMut(Frame<'_>)) {
        match length(&self.held) {
            Ok(length) if length <= self.limit => {
                self.wanted = length;
                return;
            }
            Ok(length) => {
                self.skip = length.saturating_sub(PRELUDE);
                sink(Frame { raw: &self.held, too_long: true, ..Frame::default() });
            }
            Err(what) => {
                self.lost = true;
                sink(Frame { raw: &self.held, corrupt: Some(what), ..Frame::default() });
            }
        }
        self.restart();
    }

    fn restart(&mut self) {
        self.held.clear();
        self.held.shrink_to(KEPT_CAPACITY);
        self.wanted = PRELUDE;
    }
}

/// The length of the frame that begins so.
fn length(prelude: &[u8]) -> Result<usize, &'static str> {
    let word = |at: usize| number(prelude.get(at..)).unwrap_or_default();
    let (total, headers) = (word(0) as usize, word(4) as usize);
    if crc(0, prelude.get(..8).unwrap_or_default()) != word(8) {
        return Err(BAD_PRELUDE);
    }
    let fits = headers <= MAX_HEADER_BYTES && headers.checked_add(LEAST).is_some_and(|least| least <= total);
    if fits { Ok(total) } else { Err(BAD_LENGTH) }
}

/// Gives a frame whose lengths were found right; whether the next one's start is unknown.
fn give(raw: &[u8], sink: &mut dyn FnMut(Frame<'_>)) -> bool {
    let (body, trailer) = raw.split_at_checked(raw.len().saturating_sub(TRAILER)).unwrap_or_default();
    if Some(crc(0, body)) != number(Some(trailer)) {
        sink(Frame { raw, corrupt: Some(BAD_CHECKSUM), ..Frame::default() });
        return true;
    }
    let headers = number(body.get(4..)).unwrap_or_default() as usize;
    let (headers, payload) = body.get(PRELUDE..).and_then(|rest| rest.split_at_checked(headers)).unwrap_or_default();
    match named(headers, payload) {
        Some((name, data)) => sink(Frame { name, data: Some(data), raw, ..Frame::default() }),
        None => sink(Frame { raw, corrupt: Some(BAD_HEADERS), ..Frame::default() }),
    }
    false
}

/// What the frame is about: the type of an event or an exception with its payload, or the code of an error, which has no
/// payload, with its message.
fn named<'a>(headers: &'a [u8], payload: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (mut name, mut message): (&str, Option<&str>) = ("", None);
    for header in Headers(headers) {
        match header? {
            (":event-type" | ":exception-type" | ":error-code", Value::Text(text)) => name = text,
            (":error-message", Value::Text(text)) => message = Some(text),
            _ => {}
        }
    }
    Some((name.as_bytes(), message.map_or(payload, str::as_bytes)))
}

/// A header's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Bool(bool),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    /// Milliseconds since the Unix epoch.
    Time(i64),
    Uuid([u8; 16]),
}

/// The headers of a frame, in order; `None` once, last, where they cannot be read.
#[derive(Clone, Debug)]
pub struct Headers<'a>(pub &'a [u8]);

impl<'a> Iterator for Headers<'a> {
    type Item = Option<(&'a str, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let header = self.header();
        if header.is_none() {
            self.0 = &[];
        }
        Some(header)
    }
}

impl<'a> Headers<'a> {
    fn header(&mut self) -> Option<(&'a str, Value<'a>)> {
        let [length] = self.array()?;
        let name = std::str::from_utf8(self.take(usize::from(length))?).ok().filter(|name| !name.is_empty())?;
        let [kind] = self.array()?;
        let value = match kind {
            0 => Value::Bool(true),
            1 => Value::Bool(false),
            2 => Value::Byte(i8::from_be_bytes(self.array()?)),
            3 => Value::Short(i16::from_be_bytes(self.array()?)),
            4 => Value::Int(i32::from_be_bytes(self.array()?)),
            5 => Value::Long(i64::from_be_bytes(self.array()?)),
            6 => Value::Bytes(self.sized()?),
            7 => Value::Text(std::str::from_utf8(self.sized()?).ok()?),
            8 => Value::Time(i64::from_be_bytes(self.array()?)),
            9 => Value::Uuid(self.array()?),
            _ => return None,
        };
        Some((name, value))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(usize::from(length))
    }
}

/// Begins a frame with these headers; its payload follows, then [`end`], which must be told where it began.
pub fn begin(out: &mut Vec<u8>, headers: &[(&str, &str)]) -> usize {
    let at = out.len();
    out.extend_from_slice(&[0; PRELUDE]);
    for (name, value) in headers {
        // Both are words of an API's own: none comes near its limit.
        out.push(u8::try_from(name.len()).unwrap_or_default());
        out.extend_from_slice(name.as_bytes());
        out.push(7);
        out.extend_from_slice(&u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    let headers = out.len().saturating_sub(at).saturating_sub(PRELUDE);
    put(out, at.saturating_add(4), u32::try_from(headers).unwrap_or_default());
    at
}

/// Ends the frame that began at `at`.
pub fn end(out: &mut Vec<u8>, at: usize) {
    let total = out.len().saturating_sub(at).saturating_add(TRAILER);
    put(out, at, u32::try_from(total).unwrap_or_default());
    let prelude = crc(0, out.get(at..at.saturating_add(8)).unwrap_or_default());
    put(out, at.saturating_add(8), prelude);
    let all = crc(0, out.get(at..).unwrap_or_default());
    out.extend_from_slice(&all.to_be_bytes());
}

/// Writes a frame.
pub fn write(out: &mut Vec<u8>, headers: &[(&str, &str)], payload: &[u8]) {
    let at = begin(out, headers);
    out.extend_from_slice(payload);
    end(out, at);
}

fn put(out: &mut [u8], at: usize, number: u32) {
    if let Some(four) = out.get_mut(at..at.saturating_add(4)) {
        four.copy_from_slice(&number.to_be_bytes());
    }
}

/// The first four bytes as a number.
fn number(bytes: Option<&[u8]>) -> Option<u32> {
    Some(u32::from_be_bytes(bytes?.get(..4)?.try_into().ok()?))
}

/// Tables for four bytes at a time: 4 KB of the module, three times as fast as one byte at a time.
static TABLES: [[u32; 256]; 4] = tables();

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "runs when the module is built")]
const fn tables() -> [[u32; 256]; 4] {
    let mut tables = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut byte = 0;
    while byte < 256 {
        let mut table = 1;
        while table < 4 {
            let before = tables[table - 1][byte];
            tables[table][byte] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            table += 1;
        }
        byte += 1;
    }
    tables
}

/// CRC-32 as in zlib; `before`: that of the bytes before these.
fn crc(before: u32, bytes: &[u8]) -> u32 {
    let [first, second, third, fourth] = &TABLES;
    let of = |table: &[u32; 256], byte: u32| table.get((byte & 0xFF) as usize).copied().unwrap_or_default();
    let mut crc = !before;
    let (fours, rest) = bytes.as_chunks::<4>();
    for four in fours {
        let word = crc ^ u32::from_le_bytes(*four);
        crc = of(fourth, word) ^ of(third, word >> 8) ^ of(second, word >> 16) ^ of(first, word >> 24);
    }
    for byte in rest {
        crc = (crc >> 8) ^ of(first, crc ^ u32::from(*byte));
    }
    !crc
}

#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(any(test, fuzzing))]
pub use fuzz::fuzz_eventstream;

#[cfg(test)]
mod tests;
