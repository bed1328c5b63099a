//! The command line.

use std::path::PathBuf;

use crate::api::{APIS, Api};

const HELP: &str = "\
Stands in for LLM providers: deterministic answers, and faults on demand.

Usage: sluice-standin [OPTIONS]

  --openai ADDR       serve OpenAI's APIs on ADDR (repeatable)
  --anthropic ADDR    serve Anthropic's on ADDR (repeatable)
  --gemini ADDR, --bedrock ADDR, --cohere ADDR, --ollama ADDR
                      the same; `gemini` is Vertex AI too
  --all ADDR          serve every API on ADDR (repeatable)
  --listen API=ADDR   the same, by name: openai, anthropic, …, all
  --require-key KEY   answer 401 to requests without this key
  --replay DIR        recorded cases that `replay=ID` answers with
  --log               print one JSON line for each request
  --help, --version

ADDR is HOST:PORT or PORT (on 127.0.0.1); port 0 takes a free one. Without a listener: --openai 8001 --anthropic 8002.
For each listener one line `listening API http://HOST:PORT` is printed once all of them accept connections.

Faults, in the model's name (`gpt-4o+status=503+retry_after=1`), in the request header `x-standin: status=503, retry_after=1`,
or for all requests by `POST /standin/faults {\"model\": \"*\", \"faults\": \"status=503\"}`: see tests/standin/README.md.";

pub enum Command {
    Run(Options),
    Say(String),
}

#[derive(Default)]
pub struct Options {
    pub listen: Vec<Listen>,
    pub require_key: Option<String>,
    pub replay: Option<PathBuf>,
    pub log: bool,
}

pub struct Listen {
    /// Absent: every API.
    pub api: Option<&'static Api>,
    pub address: String,
}

impl Listen {
    fn new(api: &str, address: &str) -> Result<Self, String> {
        let served = match api {
            "all" => None,
            name => Some(APIS.iter().find(|api| api.name == name).ok_or_else(|| format!("no API `{name}`"))?),
        };
        let address = match address.parse::<u16>() {
            Ok(port) => format!("127.0.0.1:{port}"),
            Err(_) => address.to_owned(),
        };
        Ok(Self { api: served, address })
    }

    pub fn name(&self) -> &'static str {
        self.api.map_or("all", |api| api.name)
    }
}

pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (arg, None),
        };
        match name.as_str() {
            "--help" | "-h" => return Ok(Command::Say(HELP.to_owned())),
            "--version" => return Ok(Command::Say(format!("sluice-standin {}", env!("CARGO_PKG_VERSION")))),
            "--log" if inline.is_none() => options.log = true,
            "--require-key" => options.require_key = Some(value(&name, inline, &mut args)?),
            "--replay" => options.replay = Some(value(&name, inline, &mut args)?.into()),
            "--listen" => {
                let given = value(&name, inline, &mut args)?;
                let (api, address) =
                    given.split_once('=').ok_or_else(|| format!("--listen takes API=ADDR, not `{given}`"))?;
                options.listen.push(Listen::new(api, address)?);
            }
            other => {
                let api = other
                    .strip_prefix("--")
                    .filter(|api| *api == "all" || APIS.iter().any(|known| known.name == *api))
                    .ok_or_else(|| format!("unknown option `{other}`"))?;
                let address = value(other, inline, &mut args)?;
                options.listen.push(Listen::new(api, &address)?);
            }
        }
    }
    if options.listen.is_empty() {
        options.listen.push(Listen::new("openai", "8001")?);
        options.listen.push(Listen::new("anthropic", "8002")?);
    }
    Ok(Command::Run(options))
}

fn value(name: &str, inline: Option<String>, args: &mut impl Iterator<Item = String>) -> Result<String, String> {
    inline.or_else(|| args.next()).ok_or_else(|| format!("{name} needs a value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listeners(args: &[&str]) -> Result<Vec<String>, String> {
        match parse(args.iter().map(|arg| (*arg).to_owned()))? {
            Command::Run(options) => Ok(options.listen.iter().map(|l| format!("{} {}", l.name(), l.address)).collect()),
            Command::Say(text) => Err(text),
        }
    }

    #[test]
    fn listeners_are_named_in_three_ways() {
        let got = listeners(&["--openai", "1.2.3.4:5", "--anthropic=0", "--listen", "all=localhost:7"]).unwrap();
        assert_eq!(got, ["openai 1.2.3.4:5", "anthropic 127.0.0.1:0", "all localhost:7"]);
    }

    #[test]
    fn without_listeners_both_apis_get_their_usual_port() {
        assert_eq!(listeners(&["--log"]).unwrap(), ["openai 127.0.0.1:8001", "anthropic 127.0.0.1:8002"]);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (args, expected) in [
            (vec!["--opnai", "1"], "unknown option `--opnai`"),
            (vec!["--openai"], "--openai needs a value"),
            (vec!["--listen", "8001"], "--listen takes API=ADDR, not `8001`"),
            (vec!["--listen", "mistral=1"], "no API `mistral`"),
        ] {
            assert_eq!(listeners(&args).unwrap_err(), expected);
        }
    }
}
