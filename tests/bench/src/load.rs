//! The clients.

use std::cell::{Cell, RefCell};
use std::io::{Error, Result};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::message::Message;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    port: u16,
    path: String,
    /// Header lines besides host and content-length.
    headers: Vec<String>,
    body: PathBuf,
    /// How a good answer's body ends.
    ends: String,
    #[serde(default)]
    requests: u64,
    #[serde(default)]
    connections: u64,
    /// Requests a second, over all connections; 0: each follows the answer to the one before.
    #[serde(default)]
    rate: u64,
}

pub struct Ready {
    load: Load,
    request: Vec<u8>,
    /// Requests that have been begun.
    begun: Cell<u64>,
    outcome: RefCell<Outcome>,
}

#[derive(Default)]
struct Outcome {
    micros: Vec<u64>,
    failed: u64,
    failure: Option<String>,
}

impl Load {
    pub fn ready(self) -> Result<Ready> {
        let body = std::fs::read(&self.body)?;
        let mut request = format!("POST {} HTTP/1.1\r\nhost: gateway.internal\r\n", self.path).into_bytes();
        for line in &self.headers {
            request.extend_from_slice(line.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        request.extend_from_slice(&body);
        Ok(Ready { load: self, request, begun: Cell::new(0), outcome: RefCell::default() })
    }
}

/// The clients' count of good answers, of failures, and how long an answer took.
pub async fn run(load: Rc<Ready>) -> Value {
    let started = Instant::now();
    let clients: Vec<_> = (0..load.load.connections)
        .map(|_| {
            let load = Rc::clone(&load);
            tokio::task::spawn_local(async move {
                if let Err(error) = client(&load, started).await {
                    load.fail(format!("a connection ended: {error}"));
                }
            })
        })
        .collect();
    for client in clients {
        if let Err(error) = client.await {
            load.fail(error.to_string());
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut outcome = load.outcome.borrow_mut();
    outcome.micros.sort_unstable();
    json!({
        "answered": outcome.micros.len(),
        "failed": outcome.failed,
        "failure": outcome.failure,
        "seconds": seconds,
        "p50_us": percentile(&outcome.micros, 50),
        "p99_us": percentile(&outcome.micros, 99),
    })
}

async fn client(load: &Ready, started: Instant) -> Result<()> {
    let mut connection = connect(load).await?;
    let mut answer = Message::default();
    while let Some(number) = load.next() {
        if let Some(micros) = number.saturating_mul(1_000_000).checked_div(load.load.rate) {
            let due = started.checked_add(Duration::from_micros(micros));
            sleep_until(due.ok_or_else(|| Error::other("the rate is too low"))?).await;
        }
        let sent = Instant::now();
        connection.write_all(&load.request).await?;
        if !answer.read(&mut connection).await? {
            return Err(Error::other("closed without an answer"));
        }
        let took = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
        if answer.second_word() == "200" && answer.body_ends(load.load.ends.as_bytes()) {
            load.outcome.borrow_mut().micros.push(took);
        } else {
            let head = String::from_utf8_lossy(answer.head());
            let body: Vec<u8> = answer.body().iter().copied().take(400).collect();
            load.fail(format!("{head}{}", String::from_utf8_lossy(&body)));
        }
    }
    Ok(())
}

impl Ready {
    /// The number of the next request, while there is one.
    fn next(&self) -> Option<u64> {
        let number = self.begun.get();
        self.begun.set(number.saturating_add(1));
        (number < self.load.requests).then_some(number)
    }

    fn fail(&self, how: String) {
        let mut outcome = self.outcome.borrow_mut();
        outcome.failed = outcome.failed.saturating_add(1);
        outcome.failure.get_or_insert(how);
    }
}

async fn connect(load: &Ready) -> Result<TcpStream> {
    let connection = TcpStream::connect(("127.0.0.1", load.load.port)).await?;
    connection.set_nodelay(true)?;
    Ok(connection)
}

/// Opens a stream, waits for its first bytes, and reads on for as long as the task lives.
pub async fn hold(load: Rc<Ready>) -> Result<JoinHandle<()>> {
    let mut connection = connect(&load).await?;
    connection.write_all(&load.request).await?;
    let mut bytes = vec![0; 2048];
    let got = connection.read(&mut bytes).await?;
    if !bytes.get(..got).unwrap_or_default().starts_with(b"HTTP/1.1 200") {
        return Err(Error::other(format!("no stream: {}", String::from_utf8_lossy(&bytes))));
    }
    Ok(tokio::task::spawn_local(async move { while matches!(connection.read(&mut bytes).await, Ok(1..)) {} }))
}

fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let at = sorted.len().saturating_mul(percent).checked_div(100)?;
    sorted.get(at).or(sorted.last()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 99)), (Some(51), Some(100)));
        assert_eq!((percentile(&[7], 99), percentile(&[], 50)), (Some(7), None));
    }
}
