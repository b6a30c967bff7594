//! `handoffd plan`: what the configuration would do to live accounts, with the real engine over
//! a copy of the store. Nothing is written anywhere.

use std::{path::Path, sync::Arc};

use handoffd_core::Timestamp;
use serde::Serialize;

use super::{Failure, backfill::Shown, outside, since_of, sync};
use crate::{
    app::{StartError, engine_parts},
    config::{Config, LogFormat},
    engine::{
        Engine,
        backfill::BackfillOrder,
        dry::{DryRun, Planned},
    },
    store::{
        Store,
        blobs::Blobs,
        sled::{Options, SledStore},
    },
    telemetry,
};

pub(super) struct Asked {
    pub since: Option<String>,
    pub no_wait: bool,
    pub json: bool,
}

#[derive(Serialize)]
struct PlanReport {
    would_write: bool,
    #[serde(flatten)]
    planned: Planned,
    failed: Vec<String>,
}

pub(super) async fn run(config: Config, asked: Asked) -> Result<(), Failure> {
    telemetry::start(LogFormat::Text, &config.telemetry.filter);
    let outside = outside()?;
    let now = outside.clock.now();
    let since = asked.since.as_deref().map(|text| since_of(text, now)).transpose()?;
    // Accounts with rotating tokens would leave a new pair in the copy alone.
    let rotating = config
        .accounts
        .iter()
        .find(|(_, account)| account.auth.method == handoffd_connectors::contract::AuthMethod::RefreshToken);
    if let Some((name, _)) = rotating {
        return Err(Failure::Problems(format!(
            "accounts.{name} signs in by refresh token, which a dry run would use up: give it a bearer token or client credentials for the plan"
        )));
    }
    let copy = tempfile::tempdir()?;
    copy_store(&config.store.data_dir, copy.path())?;
    let options = Options::new(copy.path().join("store"), "handoffd plan");
    let store = SledStore::open(options, outside.clock.clone()).map_err(StartError::from)?;
    let store = Arc::new(store);
    let dry = Arc::new(DryRun::default());
    let shared: Arc<dyn Store> = store.clone();
    let blobs = Blobs::dir(copy.path().join("blobs")).map_err(StartError::from)?;
    let mut parts = engine_parts(&config, shared, blobs, &outside).await?;
    parts.dry = Some(dry.clone());
    let engine = Engine::new(parts);
    let failed = decide(&engine, since, asked.no_wait, !asked.json).await;
    engine.shutdown(config.engine.shutdown_grace.0).await;
    // The copy goes anyway.
    let _ = store.close().await;
    let planned = dry.planned();
    let report = PlanReport { would_write: planned.would_write(), planned, failed: failed? };
    match asked.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{}", text(&report)),
    }
    match (report.failed.is_empty(), report.would_write) {
        (false, _) => {
            Err(Failure::Other(anyhow::anyhow!("not everything was looked at: {}", report.failed.join("; "))))
        }
        (true, true) => Err(Failure::WouldWrite),
        (true, false) => Ok(()),
    }
}

/// Lets the engine decide everything that is due, and with `since` the history as well.
async fn decide(
    engine: &Engine,
    since: Option<Timestamp>,
    no_wait: bool,
    say: bool,
) -> Result<Vec<String>, Failure> {
    let now = engine.parts().clock.now();
    let report = sync::once(engine, now, no_wait, say).await.map_err(StartError::from)?;
    let mut failed = report.failed;
    if let Some(since) = since {
        let order = BackfillOrder { accounts: Vec::new(), since: Some(since), restart: true };
        engine.order_backfill(&order).await.map_err(|error| Failure::Other(error.into()))?;
        let clock = engine.parts().clock.clone();
        let mut shown = Shown::new(!say);
        let work = engine.take_in_history();
        tokio::pin!(work);
        let done = loop {
            let rows = engine.backfills().await.map_err(StartError::from)?;
            shown.show(&rows, clock.now());
            tokio::select! {
                biased;
                done = &mut work => break done,
                () = clock.sleep_until(clock.now().plus(shown.every)) => {}
            }
        };
        failed.extend(done.err());
        shown.over(&engine.backfills().await.map_err(StartError::from)?);
        sync::drain(engine, say).await;
    }
    failed.extend(sync::left_over(&engine.left().await.map_err(StartError::from)?));
    let stands = crate::status::collect(engine).await.map_err(StartError::from)?;
    let conversations = engine.conversations().await.map_err(StartError::from)?;
    if let Some(dry) = &engine.parts().dry {
        dry.finish(conversations, stands.parked.len() as u64);
    }
    Ok(failed)
}

/// Copies the store of a daemon that is stopped. None there: the plan is that of a first start.
fn copy_store(data_dir: &Path, to: &Path) -> Result<(), Failure> {
    let from = data_dir.join("store");
    if !from.exists() {
        return Ok(());
    }
    let held = crate::store::sled::hold(&from).map_err(StartError::from)?;
    copy_dir(&from, &to.join("store"))?;
    drop(held);
    Ok(())
}

fn copy_dir(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

fn text(report: &PlanReport) -> String {
    let planned = &report.planned;
    let mut out = format!("{} conversations looked at\n", planned.conversations);
    for (account, writes) in &planned.accounts {
        out += &format!(
            "{account}: {} tickets made, {} changed, {} deleted; {} public messages, {} private notes, {} amendments, {} attachments; {} e-mails to customers\n",
            writes.creates,
            writes.updates,
            writes.deletes,
            writes.public_comments,
            writes.private_notes,
            writes.amendments,
            writes.attachments,
            writes.emails
        );
        for (field, count) in &writes.fields {
            out += &format!("  {field}: set {count} times\n");
        }
    }
    if !planned.rules.is_empty() {
        out += "by rule\n";
        for (rule, count) in &planned.rules {
            out += &format!("  {count} x {rule}\n");
        }
    }
    for (kind, samples) in &planned.samples {
        out += &format!("for example ({kind})\n");
        for sample in samples {
            out += &format!("  {sample}\n");
        }
    }
    if planned.parked > 0 {
        out += &format!("{} things would be parked\n", planned.parked);
    }
    out += match (planned.would_write(), report.failed.is_empty()) {
        (true, true) => "nothing was written; `handoffd run` would write this\n",
        (true, false) => {
            "nothing was written; `handoffd run` would write this, and there is more to look at\n"
        }
        (false, true) => "nothing would be written\n",
        (false, false) => "nothing was written, and there is more to look at\n",
    };
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_write_is_said_only_when_all_was_looked_at() {
        let report = |failed: Vec<String>| {
            text(&PlanReport { would_write: false, planned: Planned::default(), failed })
        };
        assert!(report(Vec::new()).contains("nothing would be written"));
        let cut_short = report(vec!["1 looks are put off".to_owned()]);
        assert!(
            !cut_short.contains("would be written") && cut_short.contains("more to look at"),
            "{cut_short}"
        );
    }
}
