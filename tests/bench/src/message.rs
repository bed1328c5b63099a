//! HTTP/1.1 messages, one at a time on a connection: as much as a measured gateway makes of them.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncRead, AsyncReadExt};

const HEAD_END: &[u8] = b"\r\n\r\n";
/// The last chunk, with the end of the one before it.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
/// Largest message that is read.
const MAX_BYTES: usize = 64 << 20;

/// The bytes of one message. A body in chunks stays in chunks.
#[derive(Default)]
pub struct Message {
    bytes: Vec<u8>,
    body: usize,
    chunked: bool,
}

impl Message {
    pub fn head(&self) -> &[u8] {
        self.bytes.get(..self.body).unwrap_or_default()
    }

    pub fn body(&self) -> &[u8] {
        self.bytes.get(self.body..).unwrap_or_default()
    }

    /// The second word of the first line: a request's path, an answer's status.
    pub fn second_word(&self) -> &str {
        let line = self.head().split(|byte| *byte == b'\r').next().unwrap_or_default();
        std::str::from_utf8(line).unwrap_or_default().split(' ').nth(1).unwrap_or_default()
    }

    /// Whether the body's own bytes, without the last chunk, end so.
    pub fn body_ends(&self, with: &[u8]) -> bool {
        let body = self.body();
        let body = if self.chunked { body.strip_suffix(LAST_CHUNK).unwrap_or_default() } else { body };
        body.ends_with(with)
    }

    /// Reads the next message over this one; false when there is none.
    pub async fn read(&mut self, from: &mut (impl AsyncRead + Unpin)) -> Result<bool> {
        self.bytes.clear();
        self.body = 0;
        let mut wanted = None;
        loop {
            if from.read_buf(&mut self.bytes).await? == 0 {
                return if self.bytes.is_empty() { Ok(false) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
            if self.body == 0 {
                let Some(end) = find(&self.bytes, HEAD_END) else { continue };
                self.body = end.saturating_add(HEAD_END.len());
                wanted = self.length()?;
                self.chunked = wanted.is_none();
            }
            let done = match wanted {
                Some(length) => self.body().len() >= length,
                None => self.bytes.ends_with(LAST_CHUNK),
            };
            if done {
                return Ok(true);
            }
            if self.bytes.len() > MAX_BYTES {
                return Err(Error::other("a message is too large"));
            }
        }
    }

    /// Absent: the body is in chunks.
    fn length(&self) -> Result<Option<usize>> {
        let head = std::str::from_utf8(self.head()).map_err(Error::other)?;
        for line in head.split("\r\n") {
            let Some((name, value)) = line.split_once(':') else { continue };
            if name.eq_ignore_ascii_case("content-length") {
                return value.trim().parse().map(Some).map_err(Error::other);
            }
            if name.eq_ignore_ascii_case("transfer-encoding") {
                return Ok(None);
            }
        }
        Ok(Some(0))
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8]) -> Result<Option<Message>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let mut message = Message::default();
        Ok(runtime.block_on(message.read(&mut bytes))?.then_some(message))
    }

    #[test]
    fn a_body_is_as_long_as_its_head_says() {
        let cases: [(&[u8], &str, &[u8]); 2] = [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200", b"hi"),
            (b"GET /x HTTP/1.1\r\n\r\n", "/x", b""),
        ];
        for (bytes, word, body) in cases {
            let message = read(bytes).unwrap().unwrap();
            assert_eq!((message.second_word(), message.body()), (word, body));
        }
    }

    #[test]
    fn chunks_end_with_the_last_one() {
        let bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        let message = read(bytes).unwrap().unwrap();
        assert!(message.body_ends(b"hi") && !message.body_ends(b"\n"));
    }

    #[test]
    fn a_message_that_breaks_off_is_an_error() {
        assert!(read(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi").is_err());
        assert!(read(b"").unwrap().is_none());
    }
}
