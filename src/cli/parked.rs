//! `handoffd parked`: what waits for an admin, through the daemon that runs or in its store.

use std::future::Future;

use handoffd_core::TicketKey;
use serde::de::DeserializeOwned;

use super::{Failure, ask, outside};
use crate::{
    app::App,
    config::Config,
    engine::{
        Engine,
        parked::{Order, OrderError, ParkedDetail, ParkedOrder, ParkedThing},
    },
};

pub(super) async fn list(config: Config, account: Option<&str>, json: bool) -> Result<(), Failure> {
    let things = all(&config).await?;
    let things: Vec<_> = things
        .into_iter()
        .filter(|thing| account.is_none_or(|name| thing.row.account.as_str() == name))
        .collect();
    if json {
        println!("{}", serde_json::to_string_pretty(&things)?);
        return Ok(());
    }
    for thing in &things {
        println!("{}\n  since {}: {}\n  {}", thing.id, thing.row.since, thing.row.reason, thing.remedy);
    }
    println!("{} parked", things.len());
    Ok(())
}

pub(super) async fn show(config: Config, id: &str, json: bool) -> Result<(), Failure> {
    let path = format!("/parked/{}", escaped(id));
    let detail: ParkedDetail = match told(&config, http::Method::GET, &path, Vec::new()).await? {
        Some(detail) => detail,
        None => in_store(config, async |engine| engine.parked_detail(id).await).await?,
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&detail)?);
        return Ok(());
    }
    let thing = &detail.thing;
    println!("{}\n  since {}: {}\n  {}", thing.id, thing.row.since, thing.row.reason, thing.remedy);
    for ticket in &detail.tickets {
        println!("  ticket {ticket}");
    }
    for row in &detail.journal {
        println!("  {}", serde_json::to_string(row)?);
    }
    Ok(())
}

/// Which parked things an order is about.
pub(super) enum Which {
    One(String),
    All { account: Option<String> },
}

/// What is asked for beside trying it again.
#[derive(Default)]
pub(super) struct Words {
    pub send_again: bool,
    pub join: Option<String>,
    pub alone: bool,
}

pub(super) async fn order(config: Config, which: Which, order: Order, words: Words) -> Result<(), Failure> {
    let join = words.join.as_deref().map(ticket).transpose()?;
    let ids = match which {
        Which::One(id) => vec![id],
        Which::All { account } => {
            let things = all(&config).await?.into_iter();
            let about =
                |thing: &ParkedThing| account.as_ref().is_none_or(|name| thing.row.account.as_str() == name);
            things.filter(about).map(|thing| thing.id).collect()
        }
    };
    let mut failed = Vec::new();
    for id in &ids {
        let (id, join) = (id.clone(), join.clone());
        let asked = ParkedOrder { id, order, send_again: words.send_again, join, alone: words.alone };
        match carry_out(&config, &asked).await {
            Ok(done) => println!("{done}"),
            Err(Failure::Other(error)) if ids.len() > 1 => failed.push(format!("{error:#}")),
            Err(error) => return Err(error),
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failure::Other(anyhow::anyhow!("{}", failed.join("\n")))),
    }
}

/// `ACCOUNT/ID`, or with a colon.
fn ticket(text: &str) -> Result<TicketKey, Failure> {
    let parts = text.split_once('/').or_else(|| text.split_once(':'));
    match parts.filter(|(account, id)| !account.is_empty() && !id.is_empty()) {
        Some((account, id)) => Ok(TicketKey::new(account, id)),
        None => {
            Err(Failure::Usage(format!("--join {text:?}: write ACCOUNT/TICKET, for instance desk-eu/1702")))
        }
    }
}

async fn carry_out(config: &Config, order: &ParkedOrder) -> Result<String, Failure> {
    let body = serde_json::to_vec(order)?;
    if let Some(answer) = told::<serde_json::Value>(config, http::Method::POST, "/parked.json", body).await? {
        return Ok(answer["done"].as_str().unwrap_or("done").to_owned());
    }
    in_store(config.clone(), async |engine| engine.parked_order(order).await).await
}

async fn all(config: &Config) -> Result<Vec<ParkedThing>, Failure> {
    match told(config, http::Method::GET, "/parked.json", Vec::new()).await? {
        Some(things) => Ok(things),
        None => {
            in_store(config.clone(), async |engine| engine.parked().await.map_err(OrderError::from)).await
        }
    }
}

/// What the daemon that runs answers; `None` when none does.
pub(super) async fn told<T: DeserializeOwned>(
    config: &Config,
    method: http::Method,
    path: &str,
    body: Vec<u8>,
) -> Result<Option<T>, Failure> {
    match ask::daemon(config, method, path, body).await? {
        None => Ok(None),
        Some((200, body)) => Ok(Some(serde_json::from_slice(&body)?)),
        Some((status, body)) => {
            let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            let words = answer["error"]["message"].as_str().unwrap_or("the daemon gave no reason");
            Err(Failure::Other(anyhow::anyhow!("{words} (status {status})")))
        }
    }
}

/// The same without a daemon, from its store.
pub(super) async fn in_store<T, F: Future<Output = Result<T, OrderError>>>(
    config: Config,
    act: impl FnOnce(Engine) -> F,
) -> Result<T, Failure> {
    eprintln!("no daemon answers at {}; using its store", config.server.admin_listen);
    let app = App::open(config, outside()?).await?;
    let done = act(app.engine.clone()).await;
    app.shutdown().await;
    done.map_err(|error| Failure::Other(error.into()))
}

/// An id as the path of a URL takes it.
pub(super) fn escaped(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./~".contains(&byte);
    id.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
