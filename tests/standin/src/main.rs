//! Stands in for LLM providers: speaks their APIs with deterministic answers, and fails on demand.

mod answer;
mod anthropic;
mod api;
mod bedrock;
mod check;
mod cohere;
mod control;
mod events;
mod eventstream;
mod faults;
mod form;
mod gemini;
mod ollama;
mod openai;
mod options;
mod play;
mod replay;
mod schema;
mod server;
mod socket;
mod vector;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use options::{Command, Options};
use server::Server;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(Command::Run(options)) => options,
        Ok(Command::Say(text)) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(reason) => {
            eprintln!("sluice-standin: {reason}\nTry `sluice-standin --help`.");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(options)),
        Err(error) => Err(format!("no runtime: {error}")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("sluice-standin: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until SIGINT or SIGTERM.
async fn run(options: Options) -> Result<(), String> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let recordings = match &options.replay {
        Some(folder) => replay::load(folder)?,
        None => replay::Recordings::default(),
    };
    let server = Arc::new(Server::new(options.require_key, options.log, recordings));
    // All are bound before any is announced: the first line on stdout means that every address is taken.
    let mut bound = Vec::new();
    for listen in options.listen {
        let listener = TcpListener::bind(&listen.address)
            .await
            .map_err(|error| format!("cannot listen on {}: {error}", listen.address))?;
        bound.push((listener, listen));
    }
    for (listener, listen) in bound {
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        // Whoever started it may not read what it says.
        let _ = writeln!(std::io::stdout().lock(), "listening {} http://{address}", listen.name());
        tokio::spawn(socket::accept(listener, listen.api, Arc::clone(&server)));
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
