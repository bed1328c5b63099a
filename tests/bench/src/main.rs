//! Both ends of a gateway that is measured: its clients and its providers, in one thread, so that they stay on one core.
//! Commands are lines of JSON on stdin, one answer each on stdout; `tests/bench/run` is what gives them.

mod backend;
mod load;
mod message;

use std::process::ExitCode;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::{JoinHandle, LocalSet};

use backend::{Backend, Reply};
use load::Load;

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    /// What providers answer to a path from now on.
    Answer { path: String, reply: Reply },
    /// Requests through the gateway, until all are answered.
    Load(Load),
    /// Opens streams and leaves them open.
    Hold { load: Load, streams: usize },
    /// Closes them.
    Release,
    /// The last request that a provider got.
    Seen,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| LocalSet::new().block_on(&runtime, serve()));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sluice-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> std::io::Result<()> {
    let backend = Rc::new(Backend::default());
    let port = backend::listen(Rc::clone(&backend)).await?;
    println!("{}", json!({ "port": port }));
    let mut held = Vec::new();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match serde_json::from_str(&line) {
            Ok(command) => obey(command, &backend, &mut held).await,
            Err(error) => Err(std::io::Error::other(error)),
        };
        println!("{}", answer.unwrap_or_else(|error| json!({ "error": error.to_string() })));
    }
    Ok(())
}

async fn obey(command: Command, backend: &Backend, held: &mut Vec<JoinHandle<()>>) -> std::io::Result<Value> {
    match command {
        Command::Answer { path, reply } => backend.answer(path, reply)?,
        Command::Load(load) => return Ok(load::run(Rc::new(load.ready()?)).await),
        Command::Hold { load, streams } => {
            let load = Rc::new(load.ready()?);
            for _ in 0..streams {
                held.push(load::hold(Rc::clone(&load)).await?);
            }
        }
        Command::Release => held.drain(..).for_each(|stream| stream.abort()),
        Command::Seen => return Ok(backend.seen()),
    }
    Ok(json!({}))
}
