//! The providers: each path has one answer, made beforehand.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Result;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval};

use crate::message::Message;

/// How much of a request's body is kept to be looked at.
const MAX_SEEN: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// Further header lines.
    headers: Vec<String>,
    body: PathBuf,
    /// The body is a stream of events.
    #[serde(default)]
    stream: bool,
    /// Between two events; 0 sends them all at once.
    #[serde(default)]
    every_us: u64,
}

enum Ready {
    Whole(Vec<u8>),
    Paced { head: Vec<u8>, events: Vec<Vec<u8>>, every: Duration },
}

#[derive(Default)]
struct Seen {
    head: Vec<u8>,
    body: Vec<u8>,
    length: usize,
}

#[derive(Default)]
pub struct Backend {
    answers: RefCell<BTreeMap<String, Rc<Ready>>>,
    seen: RefCell<Seen>,
}

impl Backend {
    pub fn answer(&self, path: String, reply: Reply) -> Result<()> {
        let body = std::fs::read(&reply.body)?;
        self.answers.borrow_mut().insert(path, Rc::new(ready(&reply, &body)));
        Ok(())
    }

    pub fn seen(&self) -> Value {
        let seen = self.seen.borrow();
        json!({
            "head": String::from_utf8_lossy(&seen.head),
            "body": String::from_utf8_lossy(&seen.body),
            "length": seen.length,
        })
    }

    fn see(&self, request: &Message) {
        let mut seen = self.seen.borrow_mut();
        seen.head.clear();
        seen.head.extend_from_slice(request.head());
        seen.body.clear();
        seen.body.extend(request.body().iter().take(MAX_SEEN));
        seen.length = request.body().len();
    }
}

fn ready(reply: &Reply, body: &[u8]) -> Ready {
    let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
    for line in &reply.headers {
        head.extend_from_slice(line.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    if !reply.stream {
        head.extend_from_slice(
            format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(),
        );
        head.extend_from_slice(body);
        return Ready::Whole(head);
    }
    head.extend_from_slice(b"content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n");
    let text = String::from_utf8_lossy(body);
    let mut events: Vec<Vec<u8>> = text
        .split_inclusive("\n\n")
        .map(|event| [format!("{:x}\r\n", event.len()).as_bytes(), event.as_bytes(), b"\r\n"].concat())
        .collect();
    if let Some(last) = events.last_mut() {
        last.extend_from_slice(b"0\r\n\r\n");
    }
    match reply.every_us {
        0 => Ready::Whole([head, events.concat()].concat()),
        every => Ready::Paced { head, events, every: Duration::from_micros(every) },
    }
}

pub async fn listen(backend: Rc<Backend>) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::task::spawn_local(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let backend = Rc::clone(&backend);
            // A gateway that goes away in the middle of an answer is none of the provider's faults.
            tokio::task::spawn_local(async move { serve(connection, &backend).await.ok() });
        }
    });
    Ok(port)
}

async fn serve(mut connection: TcpStream, backend: &Backend) -> Result<()> {
    connection.set_nodelay(true)?;
    let mut request = Message::default();
    while request.read(&mut connection).await? {
        backend.see(&request);
        let answer = backend.answers.borrow().get(request.second_word()).cloned();
        match answer.as_deref() {
            None => connection.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await?,
            Some(Ready::Whole(bytes)) => connection.write_all(bytes).await?,
            Some(Ready::Paced { head, events, every }) => {
                connection.write_all(head).await?;
                let mut ticks = interval(*every);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                for event in events {
                    ticks.tick().await;
                    connection.write_all(event).await?;
                }
            }
        }
    }
    Ok(())
}
