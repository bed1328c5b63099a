//! What a stream that is only watched has said: kept small, and read once it must be counted. A provider that says what was used
//! saves the reading.

use super::relay::collect;
use crate::api::{Api, Reader};
use crate::quota::{number, put, take};
use crate::tokens::{Counter, Model};

/// Bytes kept: more is read and counted. An event of a few letters takes some ten.
const MAX_KEPT: usize = 32 << 10;

/// Bytes that are read at once: some two milliseconds.
const MAX_READ: usize = 512 << 10;

pub(super) struct Unread {
    reader: Box<dyn Reader>,
    counter: Counter,
    /// The frame before the first that is kept, and the last one.
    first: Vec<u8>,
    last: Vec<u8>,
    /// Of each frame how many bytes it begins and ends with like the one before, and what is between them.
    kept: Vec<u8>,
    /// Bytes of all these frames.
    bytes: usize,
}

impl Unread {
    pub fn new(api: &dyn Api, model: &str) -> Self {
        let counter = Counter::new(Model::named(model));
        Self { reader: api.reader(), counter, first: Vec::new(), last: Vec::new(), kept: Vec::new(), bytes: 0 }
    }

    pub fn add(&mut self, frame: &[u8]) {
        let start = alike(self.last.chunks_exact(WORD).zip(frame.chunks_exact(WORD)));
        let (before, rest) = (self.last.get(start..).unwrap_or_default(), frame.get(start..).unwrap_or_default());
        let end = alike(before.rchunks_exact(WORD).zip(rest.rchunks_exact(WORD)));
        let middle = rest.get(..rest.len().saturating_sub(end)).unwrap_or_default();
        for number in [start, end, middle.len()] {
            put(&mut self.kept, number as u64);
        }
        self.kept.extend_from_slice(middle);
        self.last.clear();
        self.last.extend_from_slice(frame);
        self.bytes = self.bytes.saturating_add(frame.len());
        if self.kept.len() > MAX_KEPT || self.bytes > MAX_READ {
            self.read();
        }
    }

    /// Tokens of all that was written so far.
    pub fn tokens(&mut self) -> u64 {
        self.read();
        self.counter.count().likely()
    }

    fn read(&mut self) {
        let Self { reader, counter, first, kept, .. } = self;
        let mut text = String::new();
        let mut rest = kept.as_slice();
        while let Some(frame) = next(first, &mut rest) {
            reader.read(&frame, &mut |event| collect(&event, &mut text));
            counter.feed(&text);
            text.clear();
            *first = frame;
        }
        kept.clear();
        self.bytes = 0;
        if first.len() > MAX_KEPT {
            (self.first, self.last) = Default::default();
        }
    }
}

/// Frames are compared by so many bytes.
const WORD: usize = 8;

fn alike<'f>(words: impl Iterator<Item = (&'f [u8], &'f [u8])>) -> usize {
    words.take_while(|(one, other)| one == other).count().saturating_mul(WORD)
}

/// The frame that follows `before`.
fn next(before: &[u8], kept: &mut &[u8]) -> Option<Vec<u8>> {
    let mut length = || usize::try_from(number(kept)?).ok();
    let (start, end, middle) = (length()?, length()?, length()?);
    let head = before.get(..start)?;
    let tail = before.get(before.len().checked_sub(end)?..)?;
    Some([head, take(kept, middle)?, tail].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::tests_golden::streams;
    use crate::api::{APIS, by_name};
    use crate::tokens::Encoding::O200k;
    use crate::tokens::count;

    /// Read as it comes, and counted whole.
    fn read(api: &dyn Api, stream: &[u8]) -> (String, u64) {
        let mut text = String::new();
        api.reader().read(stream, &mut |event| collect(&event, &mut text));
        let tokens = count(O200k, &text);
        (text, tokens)
    }

    fn unread(api: &dyn Api, stream: &[u8]) -> Unread {
        let mut unread = Unread::new(api, "gpt-4o");
        api.decoder().feed(stream, &mut |frame| unread.add(frame.raw));
        unread
    }

    #[test]
    fn what_is_kept_comes_to_what_was_said() {
        let mut some = 0;
        for api in APIS.iter().copied().filter(|api| api.converses()) {
            for (name, stream) in streams(api, &["\n", "\r"]) {
                let (text, tokens) = read(api, &stream);
                let mut unread = unread(api, &stream);
                assert_eq!(unread.tokens(), tokens, "{name}: {text}");
                assert_eq!(unread.tokens(), tokens, "{name}: asked again");
                some += tokens;
            }
        }
        assert!(some > 1000, "{some}");
    }

    #[test]
    fn a_look_in_between_changes_nothing() {
        for api in APIS.iter().copied().filter(|api| api.converses()) {
            for (name, stream) in streams(api, &["\n"]) {
                let mut unread = Unread::new(api, "gpt-4o");
                let mut frames = 0;
                api.decoder().feed(&stream, &mut |frame| {
                    unread.add(frame.raw);
                    frames += 1;
                    if frames % 5 == 0 {
                        unread.tokens();
                    }
                });
                assert_eq!(unread.tokens(), read(api, &stream).1, "{name}");
            }
        }
    }

    #[test]
    fn a_long_stream_is_kept_small() {
        let api = by_name("openai").unwrap();
        let event = |text: &str| {
            format!(
                "data: {{\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1750000000,\"model\":\"gpt-4o-2024-11-20\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
            )
        };
        let words = (0..9000).map(|n| event(&format!("word {n} ")));
        let large = [event(&"large ".repeat(20_000)), event("and small")];
        let stream: String = words.chain(large).collect();
        let mut unread = Unread::new(api, "gpt-4o");
        let (mut most, mut frames) = (0, 0);
        api.decoder().feed(stream.as_bytes(), &mut |frame| {
            unread.add(frame.raw);
            most = most.max(unread.kept.len() + unread.first.len() + unread.last.len());
            frames += 1;
            assert!(frames > 100 || unread.kept.len() < 30 * frames + 300, "{} after {frames}", unread.kept.len());
        });
        assert!(most < MAX_KEPT + 1000, "{most}");
        assert_eq!(unread.tokens(), read(api, stream.as_bytes()).1);
    }
}
