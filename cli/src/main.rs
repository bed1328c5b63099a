//! `sluice`: checks configurations before Envoy does, makes keys, seals credentials, counts tokens. On the module's own core.

mod check;
mod json;
mod key;
mod schema;
mod seal;
mod text;
mod tokens;
mod tree;
mod yaml;

use clap::{Args, Parser, Subcommand};
use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

/// Tools for Sluice, the AI gateway in Envoy
#[derive(Parser)]
#[command(name = "sluice", version, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(after_help = "Exit status: 0, or 1 if something is wrong with what was given, or 2 if the command was.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(Check),
    #[command(subcommand)]
    Key(Key),
    Seal(Seal),
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    Tokens(Tokens),
}

/// Check configurations as the module does, and the Envoy around them
///
/// CONFIG is a gateway's document in YAML or JSON, or a configuration of Envoy's in which Sluice's are found, as `Struct` or
/// `StringValue`. Every problem is printed with its place: a file with one is refused by Envoy too. A warning is what Envoy
/// takes, but is most likely not meant: a target's cluster that is not there or lacks the provider role, a route that cannot fail over.
#[derive(Args)]
struct Check {
    /// Files; `-` is standard input
    #[arg(required = true, value_name = "CONFIG")]
    files: Vec<String>,
    /// Environment variables that are not set here are problems, not warnings
    #[arg(long, conflicts_with = "no_env")]
    env: bool,
    /// Do not look at the environment, and do not warn of what is not set
    #[arg(long)]
    no_env: bool,
    /// Warnings too make the exit status 1
    #[arg(long)]
    strict: bool,
    /// Print what was found, and nothing about files that are in order
    #[arg(short, long)]
    quiet: bool,
}

/// Keys of consumers
#[derive(Subcommand)]
#[command(disable_help_subcommand = true)]
enum Key {
    /// Make a key of 256 random bits, and what the configuration gets of it
    ///
    /// The first line is the key, shown this once and kept nowhere: it is for the consumer. What follows is for the configuration, which has
    /// only the key's SHA-256.
    New {
        /// The consumer's name, for the lines of configuration
        #[arg(long, value_name = "NAME", default_value = "NAME")]
        consumer: String,
        /// The consumer's team
        #[arg(long)]
        team: Option<String>,
        /// The consumer's tier
        #[arg(long)]
        tier: Option<String>,
        /// The last moment at which the key is taken, such as 2027-01-31
        #[arg(long, value_name = "DAY")]
        not_after: Option<String>,
    },
    /// Print the SHA-256 of a key, from standard input
    ///
    /// A line break at the end of the input is not part of the key.
    Hash,
}

/// Seal a provider's credential, from standard input, for the configuration
///
/// Prints what `auth: {sealed: …}` takes: the credential, encrypted with AES-256-GCM for that provider alone. A line break at the
/// end of the input is not part of it.
#[derive(Args)]
struct Seal {
    /// The provider's name in the configuration; for another name the sealed value does not open
    #[arg(long, value_name = "NAME", required_unless_present = "new_key")]
    provider: Option<String>,
    /// The environment variable that has the key
    #[arg(long, value_name = "VARIABLE", default_value = sluice::config::SEAL_KEY)]
    key_env: String,
    /// Make a key to seal with: 32 random bytes in hexadecimal
    #[arg(long, conflicts_with = "provider")]
    new_key: bool,
}

/// Count the tokens of a text or of a request, as the module does
///
/// Exact for models whose vocabulary is published, an estimate with an upper bound for others; a limit reserves the bound. A request
/// also has what providers add around its text.
#[derive(Args)]
struct Tokens {
    /// The text's file, or the request's; without it, standard input
    #[arg(value_name = "FILE", default_value = "-", hide_default_value = true)]
    file: String,
    /// The model, as its provider names it; required for a text, and for a request that names none
    #[arg(long, required_unless_present = "request")]
    model: Option<String>,
    /// It is the body of a request in this API
    #[arg(long, value_name = "API", value_parser = clap::builder::PossibleValuesParser::new(tokens::names()))]
    request: Option<String>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// Stop counting where the module does, after about a millisecond of its work
    #[arg(long)]
    in_module: bool,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(done) => done,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "sluice: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, String> {
    match command {
        Command::Check(args) => checked(&args),
        Command::Key(Key::New { consumer, team, tier, not_after }) => {
            let wanted = key::Wanted { consumer, team, tier, not_after };
            print(&key::new(&wanted)?)
        }
        Command::Key(Key::Hash) => print(&key::hash(&secret_input("the key")?)?),
        Command::Seal(Seal { new_key: true, .. }) => print(&seal::new_key()?),
        Command::Seal(args) => {
            let name = args.provider.unwrap_or_default();
            let key = seal::key(&args.key_env)?;
            print(&seal::seal(&key, &name, &secret_input("the credential")?)?)
        }
        Command::Schema => print(&format!("{:#}\n", schema::schema())),
        Command::Tokens(args) => print(&count(&args)?),
    }
}

fn count(args: &Tokens) -> Result<String, String> {
    let text = text::read(&args.file)?;
    let shown = tokens::Shown { json: args.json, in_module: args.in_module };
    match (&args.request, &args.model) {
        (Some(api), model) => tokens::of_request(&text, api, model.as_deref(), shown),
        (None, model) => Ok(tokens::of_text(&text, model.as_deref().unwrap_or_default(), shown)),
    }
}

fn print(text: &str) -> Result<ExitCode, String> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads has enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("cannot write: {error}")),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// All of standard input, without a line break at its end.
fn secret_input(what: &str) -> Result<sluice::secret::Secret, String> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        let _ = writeln!(std::io::stderr(), "{what}, then Enter and Ctrl-D (it is shown: better redirect a file):");
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    input.read_to_string(&mut text).map_err(|error| format!("cannot read {what}: {error}"))?;
    let trimmed = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if trimmed.is_empty() {
        return Err(format!("{what} is empty"));
    }
    Ok(sluice::secret::Secret::new(trimmed))
}

fn checked(args: &Check) -> Result<ExitCode, String> {
    let strictness = match (args.env, args.no_env) {
        (true, _) => check::Strictness::Here,
        (_, true) => check::Strictness::Ignore,
        _ => check::Strictness::Warn,
    };
    let (mut out, mut failed) = (String::new(), false);
    for file in &args.files {
        let text = match text::read(file) {
            Ok(text) => text,
            // The others are checked all the same.
            Err(message) => {
                failed = true;
                let _ = writeln!(std::io::stderr(), "{message}");
                continue;
            }
        };
        let shown = if file == "-" { "stdin" } else { file };
        match check::file(file, &text, strictness) {
            Ok(report) => failed |= text::report(shown, &report, args.quiet, args.strict, &mut out),
            Err(message) => {
                failed = true;
                out.push_str(&format!("{shown}: {message}\n"));
            }
        }
    }
    print(&out)?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
