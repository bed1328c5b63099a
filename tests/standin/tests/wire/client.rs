//! The server as a process, and a client that sees every byte.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

pub struct Standin {
    child: Child,
    pub address: String,
}

impl Standin {
    /// Serves every API on one free port.
    pub fn start(options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice-standin"))
            .args(["--all", "127.0.0.1:0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening all http://").unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, address }
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: standin\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        let mut bytes = Vec::new();
        let mut buffer = [0; 65536];
        let reset = loop {
            match stream.read(&mut buffer) {
                Ok(0) => break false,
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break true,
                Err(error) => panic!("{error}"),
            }
        };
        Answer::read(&bytes, reset)
    }

    /// A Chat Completions request; `fields` are added to or replace the usual ones.
    pub fn openai(&self, fields: Value) -> Answer {
        let body =
            merged(json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "one two three"}]}), fields);
        self.send("POST", "/v1/chat/completions", &[("content-type", "application/json")], &body)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], &body.to_string())
    }

    pub fn anthropic(&self, fields: Value) -> Answer {
        let usual =
            json!({"model": "claude", "max_tokens": 4000, "messages": [{"role": "user", "content": "one two three"}]});
        let headers = [("content-type", "application/json"), ("anthropic-version", "2023-06-01")];
        self.send("POST", "/v1/messages", &headers, &merged(usual, fields))
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn merged(mut usual: Value, fields: Value) -> String {
    for (name, value) in fields.as_object().unwrap() {
        usual[name] = value.clone();
    }
    usual.to_string()
}

#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
    pub bytes: Vec<u8>,
    /// The pieces that the body was sent in, when it was chunked.
    pub chunks: Vec<String>,
    /// The body came to its announced end.
    pub whole: bool,
    /// The connection was reset.
    pub reset: bool,
}

impl Answer {
    fn read(bytes: &[u8], reset: bool) -> Self {
        let Some((head, mut rest)) = cut(bytes, b"\r\n\r\n") else {
            assert!(bytes.is_empty(), "{}", String::from_utf8_lossy(bytes));
            return Self { reset, ..Self::default() };
        };
        let head = String::from_utf8_lossy(head);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Self { status, head: head.to_lowercase(), reset, ..Self::default() };
        if let Some(length) = answer.header("content-length").and_then(|length| length.parse::<usize>().ok()) {
            answer.whole = rest.len() == length;
            return answer.with(rest.to_vec());
        }
        let mut body = Vec::new();
        while let Some((size, after)) = cut(rest, b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(size).unwrap(), 16).unwrap();
            if size == 0 {
                answer.whole = true;
                break;
            }
            let Some((chunk, after)) = after.split_at_checked(size) else { break };
            answer.chunks.push(String::from_utf8_lossy(chunk).into_owned());
            body.extend_from_slice(chunk);
            rest = after.strip_prefix(b"\r\n").unwrap_or_default();
        }
        answer.with(body)
    }

    fn with(self, bytes: Vec<u8>) -> Self {
        Self { body: String::from_utf8_lossy(&bytes).into_owned(), bytes, ..self }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The data of each event; text where it is no JSON.
    pub fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap_or(Value::String(data.to_owned()))).collect()
    }

    /// Name and payload of each binary frame, both checksums having been right.
    pub fn frames(&self) -> Vec<(String, Value)> {
        let mut rest = self.bytes.as_slice();
        let mut frames = Vec::new();
        while !rest.is_empty() {
            let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
            let (frame, after) = rest.split_at(number(&rest[..4]) as usize);
            let (frame, checksum) = frame.split_last_chunk::<4>().unwrap();
            assert_eq!(u32::from_be_bytes(*checksum), crc32(frame));
            let (prelude, frame) = frame.split_at(12);
            assert_eq!(number(&prelude[8..]), crc32(&prelude[..8]));
            let (headers, payload) = frame.split_at(number(&prelude[4..8]) as usize);
            let (_, name) = cut(headers, b"-type\x07\x00").unwrap();
            let (length, name) = name.split_first().unwrap();
            let name = String::from_utf8(name[..usize::from(*length)].to_vec()).unwrap();
            frames.push((name, serde_json::from_slice(payload).unwrap()));
            rest = after;
        }
        frames
    }

    /// The text of a stream in either API.
    pub fn streamed_text(&self) -> String {
        let places = ["/choices/0/delta/content", "/delta/text"];
        let events = self.events();
        let pieces = events.iter().filter_map(|event| places.iter().find_map(|place| event.pointer(place)?.as_str()));
        pieces.collect()
    }
}

/// What is before and after the first of `what`.
fn cut<'b>(bytes: &'b [u8], what: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(what.len()).position(|window| window == what)?;
    let (before, after) = bytes.split_at(at);
    Some((before, &after[what.len()..]))
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut state = u32::MAX;
    for byte in bytes {
        state ^= u32::from(*byte);
        for _ in 0..8 {
            state = if state & 1 == 1 { (state >> 1) ^ 0xedb8_8320 } else { state >> 1 };
        }
    }
    !state
}
