//! The commands.

mod ask;
mod backfill;
mod brief;
mod check;
mod handoffs;
mod mapping;
mod parked;
mod plan;
mod provision;
mod pull;
mod sandbox;
mod status;
mod store;
mod sync;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand};
use handoffd_connectors::client::{ReqwestTransport, SeededJitter, SystemClock};
use handoffd_core::Timestamp;

use crate::{
    app::{App, Outside, StartError},
    config::{self, Config, ConfigError},
    demo,
    engine::parked::Order,
    telemetry,
};

/// What each exit code means; shown by `handoffd --help`.
const EXIT_CODES: &str = "\
Exit codes:
  0  it worked
  1  it failed; the message says why
  2  the command line is wrong; plan, provision: something would be written or made
  3  the configuration is wrong
  4  check: an account does not work, or something is switched off
  5  the store is in use by another handoffd, or damaged

Examples:
  handoffd demo                                  see it work, nothing to set up
  handoffd check -c handoffd.toml                try a configuration, write nothing
  handoffd plan -c handoffd.toml                 what would be written, decided and not written
  handoffd run -c handoffd.toml                  run the daemon
  handoffd backfill -c handoffd.toml             take in what is older
  handoffd parked list -c handoffd.toml          what waits for an admin
  handoffd handoffs list --breached              who had no context in time, and why
  handoffd brief preview --template mine.toml    a template on past handoffs
  handoffd pull --account zendesk-main           an account's tickets as lines of JSON
  handoffd status -c handoffd.toml --json        how it stands, for scripts";

/// Keeps helpdesk tickets in step and makes handoffs between AI agents and people whole.
#[derive(Debug, Parser)]
#[command(name = "handoffd", version, after_help = EXIT_CODES)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct ConfigArg {
    /// The configuration file. Any key can be overruled by a variable:
    /// HANDOFFD_SERVER__PUBLIC_LISTEN sets server.public_listen.
    #[arg(
        short,
        long,
        env = "HANDOFFD_CONFIG",
        default_value = "/etc/handoffd/handoffd.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon until SIGINT or SIGTERM.
    #[command(
        after_help = "Examples:\n  handoffd run -c handoffd.toml\n  HANDOFFD_TELEMETRY__FORMAT=json handoffd run"
    )]
    Run {
        #[command(flatten)]
        config: ConfigArg,
        /// Start although the store's newest commits are lost or rows are damaged: once, when there
        /// is no export to restore. Vendors are read again from older cursors.
        #[arg(long)]
        accept_damage: bool,
    },
    /// See it work: simulated vendors, a short story, nothing to set up.
    #[command(
        after_help = "Examples:\n  handoffd demo                       play the story, then stay up\n  handoffd demo --once                play it and exit; 0 only if every step was seen at the vendors\n  handoffd demo --once --load chats.jsonl   play your own conversations (OpenAI chat format, one JSON object a line)"
    )]
    Demo {
        /// Exit after the story, with 0 only if every step was seen to happen at the vendors.
        #[arg(long)]
        once: bool,
        /// Play these conversations instead of the story.
        #[arg(long, value_name = "FILE")]
        load: Option<PathBuf>,
        /// Keep state here instead of in a temporary directory.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// Makes ids and credentials of the simulated vendors.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Serve simulated vendors over HTTP on loopback, for anyone's client.
    #[command(
        after_help = "Examples:\n  handoffd sandbox --vendors zendesk,intercom,stripe\n  handoffd sandbox --vendors zendesk --listen 127.0.0.1:9100 --plan enterprise --faults some\n\nOnce it is ready it prints one line of JSON:\n  {\"vendors\":{\"zendesk\":{\"base_url\":\"http://127.0.0.1:…\",\"credentials\":{…}}}}"
    )]
    Sandbox {
        /// The vendors, separated by commas: zendesk, freshdesk, intercom, stripe.
        #[arg(long, value_delimiter = ',', default_value = "zendesk,freshdesk,intercom,stripe")]
        vendors: Vec<String>,
        /// Where the first vendor listens; the others take the ports after it. Port 0: any free ports.
        #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
        listen: SocketAddr,
        /// Makes ids and credentials.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The vendors' plan, which sets their limits: unlimited, or a plan's own name.
        #[arg(long, default_value = "unlimited", value_name = "NAME")]
        plan: String,
        /// Failures to inject.
        #[arg(long, default_value = "none")]
        faults: FaultsArg,
    },
    /// Validate a configuration, prove its mapping, sign in to every account, say what would be
    /// synced and what would be lost. Writes nothing.
    #[command(
        after_help = "Examples:\n  handoffd check -c handoffd.toml\n  handoffd check -c handoffd.toml --json | jq .accounts"
    )]
    Check {
        #[command(flatten)]
        config: ConfigArg,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the custom fields and statuses that the mapping needs and the accounts do not have;
    /// make them with --apply, where the vendor's API can.
    #[command(
        after_help = "Examples:\n  handoffd provision -c handoffd.toml            list what would be made; exits 2 if there is anything\n  handoffd provision --apply -c handoffd.toml    make it, and print each id to put into the configuration\n  handoffd provision --json | jq '.items[].key'\n\nExit codes: 0 nothing is missing, or all was made; 2 something would be made; 1 something could not be made"
    )]
    Provision {
        #[command(flatten)]
        config: ConfigArg,
        /// Make what is missing.
        #[arg(long)]
        apply: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take in every change made so far, carry it to the other side, and exit.
    #[command(
        after_help = "Examples:\n  handoffd sync --once -c handoffd.toml\n  handoffd sync --once --no-wait     do not wait until a vendor shows its last minute"
    )]
    Sync {
        #[command(flatten)]
        config: ConfigArg,
        /// Exit when everything that was changed before the start is carried over.
        #[arg(long, required = true)]
        once: bool,
        /// Do not wait for changes that a vendor does not show yet.
        #[arg(long)]
        no_wait: bool,
        /// Print the outcome as JSON.
        #[arg(long)]
        json: bool,
    },
    /// How the daemon stands: accounts, lag, handoffs, what is parked.
    #[command(
        after_help = "Examples:\n  handoffd status -c handoffd.toml\n  handoffd status -c handoffd.toml --json | jq '.parked[].reason'"
    )]
    Status {
        #[command(flatten)]
        config: ConfigArg,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write an account's tickets as lines of JSON: the canonical form, comments included. Reads only.
    #[command(
        after_help = "Examples:\n  handoffd pull --account zendesk-main --out tickets.ndjson     again: goes on where it stopped, later adds what changed\n  handoffd pull --account freshdesk-eu --since 30d --without-comments | jq .subject\n  handoffd schema pull                                          the form of the lines, as JSON Schema\n\nAll that is needed is a credential that may read. A daemon may run meanwhile, except for\naccounts that sign in by refresh token."
    )]
    Pull {
        #[command(flatten)]
        config: ConfigArg,
        /// The account, by its name in the configuration.
        #[arg(long, value_name = "NAME")]
        account: String,
        /// Only tickets that changed since: a day, a moment (RFC 3339), or a span back such as 7d.
        /// Some that changed a minute or two before may come as well: vendors' lists lag.
        #[arg(long, value_name = "T")]
        since: Option<String>,
        /// Leave comments out: far fewer requests.
        #[arg(long)]
        without_comments: bool,
        /// Write into this file, and where to go on into FILE.state. Left out: standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Begin anew instead of going on.
        #[arg(long, requires = "out")]
        restart: bool,
        /// Print the summary as JSON, to standard error.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of something that handoffd writes, or the description of its API.
    #[command(
        after_help = "Examples:\n  handoffd schema pull > pull.schema.json\n  handoffd schema package                   what is known when a conversation changes hands\n  handoffd schema openapi > openapi.json    the API for AI agents, OpenAPI 3.1"
    )]
    Schema {
        /// Of what.
        of: SchemaArg,
    },
    /// What the configuration would do to the live accounts: the real engine decides, nothing is written.
    #[command(
        after_help = "Examples:\n  handoffd plan -c handoffd.toml                    what `sync --once` would write now\n  handoffd plan --history 2020-01-01 --json         what a backfill since then would write\n\nExit code 2 if it would write anything, 0 if not. The daemon must be stopped: its store is copied."
    )]
    Plan {
        #[command(flatten)]
        config: ConfigArg,
        /// Plan the history as well: tickets that changed since this day, moment, or span back such as 90d.
        #[arg(long, value_name = "T")]
        history: Option<String>,
        /// Do not wait for changes that a vendor does not show yet.
        #[arg(long)]
        no_wait: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take in the history of accounts, quietly: no customer is mailed. Goes on where it stopped.
    #[command(
        after_help = "Examples:\n  handoffd plan --history 2020-01-01                what it would do, first\n  handoffd backfill -c handoffd.toml                everything, with progress\n  handoffd backfill --account zendesk-main --since 365d\n  handoffd backfill --status --json                 how far it is\n\nA daemon that runs takes it in beside its work, in the slowest lane of each vendor's quota;\nwithout one this command does it and exits. A conversation that two helpdesks hold already is\njoined, not made twice."
    )]
    Backfill {
        #[command(flatten)]
        config: ConfigArg,
        /// Only this account; may be given several times.
        #[arg(long = "account", value_name = "NAME")]
        accounts: Vec<String>,
        /// Only tickets that changed since: a day, a moment (RFC 3339), or a span back such as 365d.
        #[arg(long, value_name = "T")]
        since: Option<String>,
        /// Begin anew what was finished or begun before.
        #[arg(long)]
        restart: bool,
        /// Only say how far it is.
        #[arg(long)]
        status: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// What waits for an admin: list it, look at it, try it again, put it away.
    #[command(subcommand)]
    Parked(ParkedCommand),
    /// Which handoffs there were, and whether the next owner had the context in time.
    #[command(subcommand)]
    Handoffs(handoffs::HandoffsCommand),
    /// What briefings look like.
    #[command(subcommand)]
    Brief(brief::BriefCommand),
    /// Look after the store of a daemon that is stopped.
    #[command(subcommand)]
    Store(StoreCommand),
}

#[derive(Debug, Subcommand)]
enum ParkedCommand {
    /// Everything that is parked, each with its reason and what to do.
    #[command(
        after_help = "Examples:\n  handoffd parked list -c handoffd.toml\n  handoffd parked list --account freshdesk-eu --json | jq '.[].reason'"
    )]
    List {
        #[command(flatten)]
        config: ConfigArg,
        /// Only what is parked at this account.
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// One parked thing with its conversation's tickets and journal.
    #[command(after_help = "Example:\n  handoffd parked show write/l1f0c9a7d2b3e4f5a6b7c-4 -c handoffd.toml")]
    Show {
        #[command(flatten)]
        config: ConfigArg,
        /// Its id, as `list` prints it.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Try it again now, after what the reason names was mended.
    #[command(
        after_help = "Examples:\n  handoffd parked retry work/t/zendesk-main/17\n  handoffd parked retry --all --account freshdesk-eu\n  handoffd parked retry write/l1f0c9a7d2b3e4f5a6b7c-4 --send-again   after looking that it is not there\n  handoffd parked retry join/zendesk-main/17:freshdesk-eu --join freshdesk-eu/1702   the two are one conversation\n  handoffd parked retry join/zendesk-main/17:freshdesk-eu --alone   it has no ticket there: mirror it as the routes say"
    )]
    Retry {
        #[command(flatten)]
        config: ConfigArg,
        /// Its id, as `list` prints it.
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// Everything that is parked.
        #[arg(long, conflicts_with = "id")]
        all: bool,
        /// With --all: only what is parked at this account.
        #[arg(long, value_name = "NAME", requires = "all")]
        account: Option<String>,
        /// Send messages again that may be at the vendor although no answer came: a customer
        /// may get them twice. Look there first.
        #[arg(long, conflicts_with = "all")]
        send_again: bool,
        /// For a ticket in doubt (`join/…`): it and this ticket are one conversation.
        #[arg(long, value_name = "ACCOUNT/TICKET", conflicts_with_all = ["all", "send_again"])]
        join: Option<String>,
        /// For a ticket in doubt (`join/…`): none of the other account is the same conversation; it
        /// is mirrored as the routes say.
        #[arg(long, conflicts_with_all = ["all", "send_again", "join"])]
        alone: bool,
    },
    /// Put it away: it stays undone.
    #[command(after_help = "Example:\n  handoffd parked drop row/zendesk-main/17")]
    Drop {
        #[command(flatten)]
        config: ConfigArg,
        /// Its id, as `list` prints it.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Check every row against its checksum, and whether the newest commits are there.
    #[command(after_help = "Example:\n  handoffd store verify -c handoffd.toml")]
    Verify {
        #[command(flatten)]
        config: ConfigArg,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Fill an empty data directory from an export.
    #[command(
        after_help = "Example:\n  mv /var/lib/handoffd/store /var/lib/handoffd/store.old\n  handoffd store import -c handoffd.toml --from backup.hexp"
    )]
    Import {
        #[command(flatten)]
        config: ConfigArg,
        /// The file that `store export` wrote.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write everything into one checksummed file.
    #[command(after_help = "Example:\n  handoffd store export -c handoffd.toml --out backup.hexp")]
    Export {
        #[command(flatten)]
        config: ConfigArg,
        /// The file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SchemaArg {
    /// The lines of `handoffd pull`.
    Pull,
    /// What is known when a conversation changes hands.
    Package,
    /// The API for AI agents.
    Openapi,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FaultsArg {
    /// The vendors work.
    None,
    /// Lost answers, errors, lost and doubled webhooks, now and then.
    Some,
}

/// Why a command failed, by its exit code.
#[derive(Debug)]
enum Failure {
    Config(ConfigError),
    Start(StartError),
    /// A plan would write something; it was printed.
    WouldWrite,
    /// The command line says something that cannot be.
    Usage(String),
    /// Something does not work that an admin can mend.
    Problems(String),
    /// `provision` found so many things missing, and was not told to make them.
    WouldMake(usize),
    Other(anyhow::Error),
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Other(error.into())
    }
}

/// Runs the command that the arguments name.
pub async fn main() -> ExitCode {
    let args = Args::parse();
    match dispatch(args.command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (code, message) = explain(failure);
            eprintln!("handoffd: {message}");
            ExitCode::from(code)
        }
    }
}

fn explain(failure: Failure) -> (u8, String) {
    match failure {
        Failure::Config(error) => (3, error.to_string()),
        Failure::Start(StartError::Store(error)) => (5, error.to_string()),
        Failure::Start(StartError::Read(error @ crate::store::ReadError::Corrupt { .. })) => {
            (5, error.to_string())
        }
        Failure::Start(
            error @ (StartError::Secret { .. }
            | StartError::VaultKey(_)
            | StartError::NoVaultKey(_)
            | StartError::Agent { .. }
            | StartError::Settings(_)
            | StartError::Templates(_)
            | StartError::Model(_)
            | StartError::Mapping { .. }),
        ) => (3, error.to_string()),
        Failure::Start(error) => (1, error.to_string()),
        Failure::WouldWrite => (2, "it would write; see above".to_owned()),
        Failure::Usage(message) => (2, message),
        Failure::Problems(message) => (4, message),
        Failure::WouldMake(count) => (2, format!("missing: {count}; --apply makes what is listed above")),
        Failure::Other(error) => (1, format!("{error:#}")),
    }
}

async fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run { config, accept_damage } => run(&config, accept_damage).await,
        Command::Demo { once, load, data_dir, seed } => {
            let setup = demo::DemoSetup { once, load, data_dir, seed, outside: outside()? };
            demo::run(setup).await.map_err(Failure::Other)
        }
        Command::Sandbox { vendors, listen, seed, plan, faults } => {
            sandbox::run(vendors, listen, seed, plan, matches!(faults, FaultsArg::Some)).await
        }
        Command::Check { config, json } => check::run(load(&config)?, &config.config, json).await,
        Command::Provision { config, apply, json } => provision::run(load(&config)?, apply, json).await,
        Command::Sync { config, no_wait, json, once: _ } => sync::run(load(&config)?, no_wait, json).await,
        Command::Status { config, json } => status::run(load(&config)?, json).await,
        Command::Pull { config, account, since, without_comments, out, restart, json } => {
            let comments = !without_comments;
            pull::run(load(&config)?, pull::Asked { account, since, comments, out, restart, json }).await
        }
        Command::Schema { of } => {
            match of {
                SchemaArg::Pull => print!("{}", crate::pull::SCHEMA),
                SchemaArg::Package => print!("{}", crate::http::openapi::PACKAGE),
                SchemaArg::Openapi => print!("{}", crate::http::openapi::DESCRIPTION),
            }
            Ok(())
        }
        Command::Plan { config, history, no_wait, json } => {
            plan::run(load(&config)?, plan::Asked { since: history, no_wait, json }).await
        }
        Command::Backfill { config, accounts, since, restart, status, json } => {
            let asked = backfill::Asked { accounts, since, restart, status, json };
            backfill::run(load(&config)?, asked).await
        }
        Command::Parked(ParkedCommand::List { config, account, json }) => {
            parked::list(load(&config)?, account.as_deref(), json).await
        }
        Command::Parked(ParkedCommand::Show { config, id, json }) => {
            parked::show(load(&config)?, &id, json).await
        }
        Command::Parked(ParkedCommand::Retry { config, id, all: _, account, send_again, join, alone }) => {
            let which = id.map_or(parked::Which::All { account }, parked::Which::One);
            let words = parked::Words { send_again, join, alone };
            parked::order(load(&config)?, which, Order::Retry, words).await
        }
        Command::Parked(ParkedCommand::Drop { config, id }) => {
            parked::order(load(&config)?, parked::Which::One(id), Order::Drop, parked::Words::default()).await
        }
        Command::Handoffs(command) => handoffs::run(command).await,
        Command::Brief(command) => brief::run(command).await,
        Command::Store(StoreCommand::Verify { config, json }) => store::verify(&load(&config)?, json),
        Command::Store(StoreCommand::Import { config, from, json }) => {
            store::import(&load(&config)?, &from, json)
        }
        Command::Store(StoreCommand::Export { config, out, json }) => {
            store::export(&load(&config)?, &out, json)
        }
    }
}

fn load(arg: &ConfigArg) -> Result<Config, ConfigError> {
    let variables: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    config::load_file(&arg.config, &variables)
}

/// The real clock, randomness and network.
fn outside() -> Result<Outside, Failure> {
    let transport = ReqwestTransport::new().map_err(|error| Failure::Other(anyhow::anyhow!("{error}")))?;
    Ok(Outside {
        clock: Arc::new(SystemClock),
        jitter: Arc::new(SeededJitter::from_system()),
        transport: Arc::new(transport),
    })
}

async fn run(arg: &ConfigArg, accept_damage: bool) -> Result<(), Failure> {
    let config = load(arg)?;
    telemetry::start(config.telemetry.format, &config.telemetry.filter);
    let app = App::open_with(config, outside()?, accept_damage).await?;
    if let Err(error) = app.start().await {
        app.shutdown().await;
        return Err(error.into());
    }
    let failed = tokio::select! {
        biased;
        stopped = stop_signal() => {
            stopped?;
            tracing::info!("Stopping: no new work is begun.");
            None
        }
        why = app.store_failed() => Some(why),
    };
    app.shutdown().await;
    match failed {
        None => Ok(()),
        Some(why) => Err(Failure::Other(anyhow::anyhow!(
            "the store failed for good: {why}; look at the disk, run `handoffd store verify`, start again"
        ))),
    }
}

/// A moment as people write it: RFC 3339, a day, or a span back from now such as `7d`.
fn since_of(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(at) = Timestamp::parse(text) {
        return Ok(at);
    }
    if let Ok(at) = Timestamp::parse(&format!("{text}T00:00:00Z")) {
        return Ok(at);
    }
    if let Ok(span) = crate::config::Span::parse(text).ok_or(()) {
        return Ok(now.minus(span.0));
    }
    let why = format!("--since {text:?}: write 2026-01-31, 2026-01-31T08:00:00Z, or a span back such as 7d");
    Err(Failure::Usage(why))
}

/// Resolves at SIGINT or SIGTERM.
pub(crate) async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        biased;
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}
