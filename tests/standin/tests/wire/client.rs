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
    /// The pieces that the body was sent in, when it was chunked.
    pub chunks: Vec<String>,
    /// The body came to its announced end.
    pub whole: bool,
    /// The connection was reset.
    pub reset: bool,
}

impl Answer {
    fn read(bytes: &[u8], reset: bool) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let Some((head, mut rest)) = text.split_once("\r\n\r\n") else {
            assert!(text.is_empty(), "{text}");
            return Self { reset, ..Self::default() };
        };
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Self { status, head: head.to_lowercase(), reset, ..Self::default() };
        if let Some(length) = answer.header("content-length").and_then(|length| length.parse::<usize>().ok()) {
            answer.body = rest.to_owned();
            answer.whole = rest.len() == length;
            return answer;
        }
        while let Some((size, after)) = rest.split_once("\r\n") {
            let size = usize::from_str_radix(size, 16).unwrap();
            if size == 0 {
                answer.whole = true;
                break;
            }
            let Some((chunk, after)) = after.split_at_checked(size) else { break };
            answer.chunks.push(chunk.to_owned());
            rest = after.strip_prefix("\r\n").unwrap_or_default();
        }
        answer.body = answer.chunks.concat();
        answer
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

    /// The text of a stream in either API.
    pub fn streamed_text(&self) -> String {
        let places = ["/choices/0/delta/content", "/delta/text"];
        let events = self.events();
        let pieces = events.iter().filter_map(|event| places.iter().find_map(|place| event.pointer(place)?.as_str()));
        pieces.collect()
    }
}
