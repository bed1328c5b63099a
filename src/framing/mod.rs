//! Bytes to frames and back: a stream cut anywhere gives the same frames.
//!
//! May use: nothing.
//!
//! To add one: a file with a `Decoder` that keeps only the frame that is not whole yet, under a named limit, and whose
//! frames' `raw`, put together, are the bytes it was fed; and its variant of [`Kind`] and [`Decoder`]. Its tests cut every
//! stream at every byte.

pub mod eventstream;
pub mod form;
pub mod lines;
pub mod sse;

/// An event, or bytes that make none: a comment, fields without data, half of a line's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The event's type; empty when not named, which in SSE means `message`.
    pub name: &'a [u8],
    /// What it says. `None`: there is no event here.
    pub data: Option<&'a [u8]>,
    /// All bytes of the frame, its end included.
    pub raw: &'a [u8],
    /// The event outgrew the decoder's limit. Its further bytes follow as frames with nothing but `raw`.
    pub too_long: bool,
    /// What is wrong with the frame, where a framing has a way to tell.
    pub corrupt: Option<&'static str>,
}

/// How a stream is cut into events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Sse,
    EventStream,
    Lines,
}

impl Kind {
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Sse => sse::MEDIA_TYPE,
            Self::EventStream => eventstream::MEDIA_TYPE,
            Self::Lines => lines::MEDIA_TYPE,
        }
    }

    pub fn decoder(self) -> Decoder {
        match self {
            Self::Sse => Decoder::Sse(sse::Decoder::new()),
            Self::EventStream => Decoder::EventStream(eventstream::Decoder::new()),
            Self::Lines => Decoder::Lines(lines::Decoder::new()),
        }
    }
}

/// A decoder of any kind.
#[derive(Debug)]
pub enum Decoder {
    Sse(sse::Decoder),
    EventStream(eventstream::Decoder),
    Lines(lines::Decoder),
}

impl Decoder {
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Frame<'_>)) {
        match self {
            Self::Sse(frames) => frames.feed(bytes, sink),
            Self::EventStream(frames) => frames.feed(bytes, sink),
            Self::Lines(frames) => frames.feed(bytes, sink),
        }
    }

    /// The stream has ended.
    pub fn close(&mut self, sink: &mut dyn FnMut(Frame<'_>)) {
        match self {
            Self::Sse(frames) => frames.close(sink),
            Self::EventStream(frames) => frames.close(sink),
            Self::Lines(frames) => frames.close(sink),
        }
    }
}
