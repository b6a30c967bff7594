//! `handoffd handoffs`: which there were, and what their next owners got.

use handoffd_core::{Handoff, HandoffId, HandoffKind, Timestamp};

use super::{ConfigArg, Failure, load, parked};
use crate::{
    config::Config,
    engine::{
        parked::OrderError,
        records::{HandoffDetail, HandoffLine},
    },
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum HandoffsCommand {
    /// The newest handoffs, newest first.
    #[command(
        after_help = "Examples:\n  handoffd handoffs list -c handoffd.toml\n  handoffd handoffs list --breached --json | jq -r '.[].breach'"
    )]
    List {
        #[command(flatten)]
        config: ConfigArg,
        /// Only those whose next owner had no context in time, with the cause.
        #[arg(long)]
        breached: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// One handoff: its record, its package, and when its briefing was seen on the ticket.
    #[command(
        after_help = "Examples:\n  handoffd handoffs show h0123456789abcdef0123 -c handoffd.toml\n  handoffd handoffs show h0123456789abcdef0123 --json | jq .package.attempts"
    )]
    Show {
        #[command(flatten)]
        config: ConfigArg,
        /// Its id, as `list` and the briefing print it.
        id: String,
        /// Print JSON: all of it.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: HandoffsCommand) -> Result<(), Failure> {
    match command {
        HandoffsCommand::List { config, breached, json } => list(&load(&config)?, breached, json).await,
        HandoffsCommand::Show { config, id, json } => show(&load(&config)?, &id, json).await,
    }
}

async fn list(config: &Config, breached: bool, json: bool) -> Result<(), Failure> {
    let lines = lines(config, breached).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
        return Ok(());
    }
    for line in &lines {
        print!("{}", text(line));
    }
    println!("{} handoffs, {} without context in time", lines.len(), breaches(&lines));
    Ok(())
}

async fn show(config: &Config, id: &str, json: bool) -> Result<(), Failure> {
    let detail = detail(config, id).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&detail)?);
        return Ok(());
    }
    print!("{}", text(&detail.line));
    if let Some(comment) = &detail.record.briefing_comment {
        println!("  the briefing is message {comment} there");
    }
    print!("{}", more_of(&detail.record));
    match &detail.package {
        Some(package) => {
            println!("  package {}: {} messages read", package.version, package.conversation.turns)
        }
        None => println!("  no package is kept of it"),
    }
    println!("{}", detail.sent.as_deref().unwrap_or("no briefing was sent"));
    Ok(())
}

/// The newest handoffs, from the daemon that runs or its store.
pub(super) async fn lines(config: &Config, breached: bool) -> Result<Vec<HandoffLine>, Failure> {
    let path = format!("/handoffs.json?breached={breached}");
    match parked::told(config, http::Method::GET, &path, Vec::new()).await? {
        Some(lines) => Ok(lines),
        None => {
            let read = async |engine: crate::engine::Engine| {
                engine.handoff_lines(breached).await.map_err(OrderError::from)
            };
            parked::in_store(config.clone(), read).await
        }
    }
}

/// Details of these handoffs, from the daemon that runs or its store.
pub(super) async fn details(config: &Config, ids: &[HandoffId]) -> Result<Vec<HandoffDetail>, Failure> {
    let mut details = Vec::new();
    for id in ids {
        let path = format!("/handoffs/{}", parked::escaped(id.as_str()));
        match parked::told::<HandoffDetail>(config, http::Method::GET, &path, Vec::new()).await? {
            Some(detail) => details.push(detail),
            None => return stored(config, ids).await,
        }
    }
    Ok(details)
}

/// Without a daemon the store is opened once for all of them.
async fn stored(config: &Config, ids: &[HandoffId]) -> Result<Vec<HandoffDetail>, Failure> {
    let read = async |engine: crate::engine::Engine| {
        let mut details = Vec::new();
        for id in ids {
            let detail = engine.handoff_detail(id).await?;
            details.push(detail.ok_or_else(|| OrderError::NotThere(id.to_string()))?);
        }
        Ok(details)
    };
    parked::in_store(config.clone(), read).await
}

async fn detail(config: &Config, id: &str) -> Result<HandoffDetail, Failure> {
    let details = details(config, &[HandoffId::new(id)]).await?;
    details.into_iter().next().ok_or_else(|| Failure::Other(anyhow::anyhow!("there is no handoff {id}")))
}

fn breaches(lines: &[HandoffLine]) -> usize {
    lines.iter().filter(|line| line.breach.is_some()).count()
}

/// What made the briefing, what it lacks, and what was to go beside it and did not.
fn more_of(record: &Handoff) -> String {
    let mut text = String::new();
    if let Some(template) = &record.template {
        text += &format!("  by the template {template}\n");
    }
    if let Some(why) = &record.thin {
        text += &format!("  its package is thin: {why}\n");
    }
    if let Some(why) = &record.bare {
        text += &format!("  what goes beside the briefing (accounts.*.handoff) was refused: {why}\n");
    }
    if let (Some(agent), Some(why)) = (&record.wanted.agent, &record.unassigned) {
        text += &format!("  {agent} was asked for and did not get it: {why}\n");
    }
    text
}

fn text(line: &HandoffLine) -> String {
    let kind = match line.kind {
        HandoffKind::AiToHuman => "AI to human",
        HandoffKind::HumanToHuman => "human to human",
        HandoffKind::HumanToAi => "human to AI",
    };
    let after = |at: Option<Timestamp>| match at {
        Some(at) => format!("{at} ({} s after)", at.since(line.detected_at).as_secs()),
        None => "not yet".to_owned(),
    };
    let mut text = format!(
        "{}  {}  {kind}  {}\n  known {}, briefing visible {}, first reply {}\n",
        line.id,
        line.ticket,
        line.state.name(),
        line.detected_at,
        after(line.delivered_at),
        after(line.accepted_at),
    );
    if let Some(why) = &line.breach {
        text += &format!("  no context in time: {why}\n");
    }
    text
}
