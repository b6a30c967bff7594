//! `handoffd demo`: the daemon as it is, against simulated vendors on loopback,
//! with a player who acts as the people at the helpdesks and as the AI agent.

mod load;
mod player;
mod story;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use handoffd_connectors::{contract::Secret, sim::faults::Faults};

use crate::{
    app::{App, Listening, Outside},
    cli::stop_signal,
    config::{self, Config, LogFormat, SecretRef},
    sandbox::{Sandbox, SandboxSetup, any_port},
    telemetry,
};
use player::Player;

/// What a demo is started with.
pub struct DemoSetup {
    /// Exit after the story.
    pub once: bool,
    /// Play these conversations instead of the story.
    pub load: Option<PathBuf>,
    /// Keep state here instead of in a temporary directory.
    pub data_dir: Option<PathBuf>,
    /// Makes ids and credentials.
    pub seed: u64,
    /// The clock, the randomness and the network.
    pub outside: Outside,
}

/// The demo's accounts.
pub(crate) const ZENDESK: &str = "zendesk";
pub(crate) const FRESHDESK: &str = "freshdesk";
pub(crate) const INTERCOM: &str = "intercom";
pub(crate) const STRIPE: &str = "stripe";

/// The helpdesks of the demo's group: the story's three, or the two of recorded conversations.
fn helpdesks(is_story: bool) -> &'static [&'static str] {
    if is_story { &[ZENDESK, FRESHDESK, INTERCOM] } else { &[ZENDESK, FRESHDESK] }
}

/// Plays the story, or the conversations of a file. `Err` when something was
/// not seen to happen at the vendors.
pub async fn run(setup: DemoSetup) -> Result<()> {
    telemetry::start(LogFormat::Text, "warn");
    // Read first: a file that cannot be read should fail before anything starts.
    let chats = setup.load.as_deref().map(load::read).transpose()?;
    let scratch = match &setup.data_dir {
        Some(_) => None,
        None => Some(tempfile::tempdir().context("a temporary directory cannot be made")?),
    };
    let data_dir = match (&setup.data_dir, &scratch) {
        (Some(dir), _) => dir.clone(),
        (None, Some(scratch)) => scratch.path().to_owned(),
        (None, None) => bail!("no data directory"),
    };
    let helpdesks = helpdesks(chats.is_none());
    let sandbox = Arc::new(start_sandbox(&setup, helpdesks).await?);
    let config = demo_config(&sandbox, helpdesks, data_dir)?;
    let agent_token = agent_token(&config);
    let app = App::open(config, setup.outside.clone()).await?;
    let listening = app.start().await?;
    set_webhooks(&sandbox, helpdesks, &listening);
    let player =
        Player::new(sandbox.clone(), app.engine.clone(), setup.outside.clone(), listening, agent_token);
    let played = tokio::select! {
        biased;
        stopped = stop_signal() => stopped.map_err(anyhow::Error::from).and_then(|()| bail!("stopped before the end")),
        played = play(&player, chats) => played,
    };
    match &played {
        Ok(()) if !setup.once => stay(&sandbox, &app, &listening).await?,
        _ => {}
    }
    app.shutdown().await;
    drop(player);
    if let Ok(sandbox) = Arc::try_unwrap(sandbox) {
        sandbox.shutdown().await;
    }
    played
}

async fn play(player: &Player, chats: Option<Vec<load::Chat>>) -> Result<()> {
    match chats {
        Some(chats) => load::play(player, &chats).await,
        None => story::play(player).await,
    }
}

async fn start_sandbox(setup: &DemoSetup, helpdesks: &[&str]) -> Result<Sandbox> {
    let sandbox = Sandbox::start(SandboxSetup {
        vendors: helpdesks.iter().copied().chain([STRIPE]).map(str::to_owned).collect(),
        listen: any_port(),
        seed: setup.seed,
        plan: "unlimited".to_owned(),
        faults: Faults::none(),
        clock: setup.outside.clock.clone(),
        transport: setup.outside.transport.clone(),
    });
    Ok(sandbox.await?)
}

/// The secret with which the sandbox's webhooks are signed.
const WEBHOOK_SECRET: &str = "the-sandbox-signs-with-this";

fn set_webhooks(sandbox: &Sandbox, helpdesks: &[&str], listening: &Listening) {
    for vendor in helpdesks {
        let url = format!("http://{}/webhooks/{vendor}", listening.public);
        sandbox.with(vendor, |sim| sim.set_webhook(&url, WEBHOOK_SECRET));
    }
}

/// A configuration as an admin would write it, with the sandbox's addresses and
/// credentials in place of references.
fn demo_config(sandbox: &Sandbox, helpdesks: &[&str], data_dir: PathBuf) -> Result<Config> {
    let mut text = template(helpdesks);
    for vendor in helpdesks.iter().chain(&[STRIPE]) {
        let url = sandbox.base_url(vendor).context("the sandbox lacks a vendor")?;
        text = text.replace(&format!("@{vendor}@"), url);
    }
    let mut config = config::load_text("the demo's configuration", &text, &[])?;
    config.store.data_dir = data_dir;
    let credential = |vendor: &str, name: &str| {
        let value = sandbox.with(vendor, |sim| sim.credentials())?.get(name)?.as_str()?.to_owned();
        Some(value)
    };
    let made = |vendor: &str, name: &str| {
        let value =
            credential(vendor, name).with_context(|| format!("the sandbox's {vendor} names no {name}"))?;
        anyhow::Ok(SecretRef::Made(Secret::new(value)))
    };
    for (name, account) in &mut config.accounts {
        match name.as_str() {
            ZENDESK => {
                account.auth.client_id = credential(ZENDESK, "client_id");
                account.auth.client_secret = Some(made(ZENDESK, "client_secret")?);
            }
            INTERCOM => account.auth.token = Some(made(INTERCOM, "access_token")?),
            vendor => account.auth.key = Some(made(vendor, "api_key")?),
        }
        if name != STRIPE {
            account.webhook_secret = Some(SecretRef::Made(Secret::new(WEBHOOK_SECRET)));
            let marks = sandbox.with(name, |sim| sim.bot_marks());
            let (assignees, groups) = marks.unwrap_or_default();
            account.bots.assignees = assignees.into_iter().map(|id| id.0).collect();
            account.bots.groups = groups.into_iter().map(|id| id.0).collect();
        }
        if let Some(settings) = sandbox.with(name, |sim| sim.suggested_settings()) {
            account.settings = serde_json::from_value(settings)?;
        }
    }
    for agent in config.agents.values_mut() {
        agent.token = Some(SecretRef::Made(Secret::new("the-demo-agent-signs-in-with-this")));
    }
    Ok(config)
}

fn agent_token(config: &Config) -> Secret {
    let token = config.agents.values().next().and_then(|agent| agent.token.as_ref()?.resolve().ok());
    token.unwrap_or_else(|| Secret::new(""))
}

/// Keeps everything up until Ctrl-C.
async fn stay(sandbox: &Sandbox, app: &App, listening: &Listening) -> Result<()> {
    println!("\nEverything stays up; Ctrl-C ends it.");
    println!(
        "  status page   http://{}/status  (any user name, password in {})",
        listening.admin,
        app.admin_token_file().display()
    );
    println!("  API           http://{}/v1/handoffs", listening.public);
    for vendor in [ZENDESK, FRESHDESK, INTERCOM, STRIPE] {
        if let Some(url) = sandbox.base_url(vendor) {
            println!("  {vendor:<13} {url}");
        }
    }
    stop_signal().await?;
    println!("\nStopping.");
    Ok(())
}

/// How long the player waits until something shows at a vendor.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The configuration of a group of these helpdesks, each mirrored to every other.
fn template(helpdesks: &[&str]) -> String {
    let quoted: Vec<String> = helpdesks.iter().map(|name| format!("{name:?}")).collect();
    let routes = helpdesks.iter().flat_map(|from| {
        let others = helpdesks.iter().filter(move |to| *to != from);
        others.map(move |to| format!("  {{ from = {from:?}, to = {to:?} }},\n"))
    });
    let mut text = TEMPLATE.replace("@accounts@", &quoted.join(", "));
    text = text.replace("@routes@", &routes.collect::<String>());
    if helpdesks.contains(&INTERCOM) {
        text.push_str(INTERCOM_ACCOUNT);
    }
    text
}

const INTERCOM_ACCOUNT: &str = r#"
[accounts.intercom]
connector = "intercom"
base_url = "@intercom@"
auth = { method = "bearer", token = "env:MADE" }
webhook_secret = "env:MADE"
"#;

const TEMPLATE: &str = r#"
[server]
public_listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"

[engine]
poll = { every = "5s", jitter = "1s" }
debounce = "20ms"

[handoff]
enrich_deadline = "4s"

[accounts.zendesk]
connector = "zendesk"
base_url = "@zendesk@"
auth = { method = "client_credentials", client_id = "made", client_secret = "env:MADE" }
webhook_secret = "env:MADE"

[accounts.freshdesk]
connector = "freshdesk"
base_url = "@freshdesk@"
auth = { method = "api_key", key = "env:MADE" }
webhook_secret = "env:MADE"

[accounts.stripe]
connector = "stripe"
base_url = "@stripe@"
auth = { method = "api_key", key = "env:MADE" }

[groups.support]
accounts = [@accounts@]
customer_facing = "zendesk"
routes = [
@routes@]

[agents.shop-assistant]
token = "env:MADE"
accounts = [@accounts@]
"#;
