//! `handoffd sync --once`: takes in every change made before the start, carries
//! it over, and exits.

use std::{sync::Arc, time::Duration};

use handoffd_core::Timestamp;
use serde::Serialize;

use super::{Failure, outside};
use crate::{
    app::App,
    config::{Config, LogFormat},
    engine::{Desk, Engine, JobLeft},
    status, telemetry,
};

/// How often the queue is looked at.
const TICK: Duration = Duration::from_millis(50);
/// Writes that are put off further than this are left for the next run.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest wait for work that keeps being put off.
const LONGEST: Duration = Duration::from_secs(600);

#[derive(Serialize)]
pub(super) struct SyncReport {
    rows: usize,
    unsettled: Vec<status::UnsettledWrite>,
    briefings_on_their_way: usize,
    parked: usize,
    left: Vec<JobLeft>,
    pub(super) failed: Vec<String>,
}

/// The most conversations that are named as left over.
const NAMED_MAX: usize = 10;

/// What is to be said of work that is left; `None` when none is.
pub(super) fn left_over(left: &[JobLeft]) -> Option<String> {
    let first = left.first()?;
    let mut names: Vec<&str> = left.iter().take(NAMED_MAX).map(|job| job.what.as_str()).collect();
    if left.len() > NAMED_MAX {
        names.push("others");
    }
    let (count, due, names) = (left.len(), first.due, names.join(", "));
    Some(format!("{count} looks are put off, the first until {due}: {names}"))
}

pub(super) async fn run(config: Config, no_wait: bool, json: bool) -> Result<(), Failure> {
    telemetry::start(LogFormat::Text, &config.telemetry.filter);
    let outside = outside()?;
    let app = App::open(config, outside).await?;
    let started = app.engine.parts().clock.now();
    let outcome = once(&app.engine, started, no_wait, !json).await;
    app.shutdown().await;
    let report = outcome.map_err(crate::app::StartError::from)?;
    match json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => println!(
            "{} rows taken in; {} writes still on their way, {} looks put off, {} things parked",
            report.rows,
            report.unsettled.len(),
            report.left.len(),
            report.parked
        ),
    }
    let at_rest = report.unsettled.is_empty() && report.briefings_on_their_way == 0 && report.left.is_empty();
    if report.failed.is_empty() && at_rest {
        return Ok(());
    }
    let mut why = report.failed;
    why.extend(left_over(&report.left));
    if report.briefings_on_their_way > 0 {
        why.push(format!("{} briefings are on their way", report.briefings_on_their_way));
    }
    why.extend(report.unsettled.iter().map(|write| {
        format!(
            "{} waits until {}: {}",
            write.key,
            write.due,
            write.last_error.as_deref().unwrap_or("no answer yet")
        )
    }));
    Err(Failure::Other(anyhow::anyhow!("not everything is in step: {}", why.join("; "))))
}

pub(super) async fn once(
    engine: &Engine,
    started: Timestamp,
    no_wait: bool,
    say: bool,
) -> Result<SyncReport, crate::store::ReadError> {
    engine.start_queue();
    let mut report = SyncReport {
        rows: 0,
        unsettled: Vec::new(),
        briefings_on_their_way: 0,
        parked: 0,
        left: Vec::new(),
        failed: Vec::new(),
    };
    let desks: Vec<Arc<Desk>> = engine.parts().desks.values().cloned().collect();
    for desk in &desks {
        engine.probe(desk).await;
        for feed in desk.helpdesk.feeds() {
            match read_up_to(engine, desk, *feed, started, no_wait, say).await {
                Ok(rows) => report.rows += rows,
                Err(why) => report.failed.push(format!("{}: {why}", desk.id)),
            }
        }
    }
    drain(engine, say).await;
    let stands = status::collect(engine).await?;
    report.unsettled = stands.unsettled;
    report.parked = stands.parked.len();
    report.left = engine.left().await?;
    report.briefings_on_their_way = stands.handoffs.iter().filter(|handoff| handoff.on_its_way).count();
    Ok(report)
}

/// Reads a feed until it covers every change before `started`.
async fn read_up_to(
    engine: &Engine,
    desk: &Desk,
    feed: handoffd_connectors::contract::Feed,
    started: Timestamp,
    no_wait: bool,
    say: bool,
) -> Result<usize, String> {
    let mut rows = 0;
    let mut said = false;
    loop {
        let pass = match engine.read_feed(desk, feed).await {
            Ok(pass) => pass,
            Err(crate::engine::PassError::Vendor(handoffd_connectors::contract::Error::Throttled {
                retry_at,
            })) => {
                if say {
                    eprintln!("{}: the rate limit is used up until {retry_at}; waiting", desk.id);
                }
                engine.parts().clock.sleep_until(retry_at).await;
                continue;
            }
            Err(error) => return Err(error.to_string()),
        };
        rows += pass.rows;
        if pass.more {
            continue;
        }
        let covered = pass.complete_until.is_none_or(|until| until >= started);
        if covered || no_wait {
            return Ok(rows);
        }
        let ready = started.plus(desk.capabilities.feed_blind_spot).plus(Duration::from_secs(1));
        if say && !said {
            eprintln!(
                "{}: the vendor shows its last changes only after {} s; waiting until {ready}",
                desk.id,
                desk.capabilities.feed_blind_spot.as_secs()
            );
        }
        said = true;
        let soon = engine.parts().clock.now().plus(Duration::from_secs(1));
        engine.parts().clock.sleep_until(ready.max(soon)).await;
    }
}

/// Waits until nothing is in hand or due soon.
pub(super) async fn drain(engine: &Engine, say: bool) {
    let began = engine.parts().clock.now();
    let mut last_said = began;
    loop {
        let now = engine.parts().clock.now();
        if engine.is_idle(PATIENCE).await || now.since(began) > LONGEST {
            return;
        }
        if say && now.since(last_said) >= Duration::from_secs(5) {
            match engine.next_due().await {
                Some(due) if engine.jobs_in_hand() == 0 => {
                    eprintln!("waiting until {due} for work that was put off …")
                }
                _ => eprintln!("{} in hand …", engine.jobs_in_hand()),
            }
            last_said = now;
        }
        engine.parts().clock.sleep_until(now.plus(TICK)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_over_is_named() {
        assert_eq!(left_over(&[]), None);
        let job = |number: usize| JobLeft {
            due: Timestamp::from_secs(1_000 + number as i64),
            what: format!("zendesk/{number}"),
        };
        let left: Vec<JobLeft> = (0..12).map(job).collect();
        let few = left_over(&left[..2]).expect("words");
        assert!(few.starts_with("2 looks") && few.ends_with("zendesk/0, zendesk/1"), "{few}");
        let many = left_over(&left).expect("words");
        assert!(many.starts_with("12 looks") && many.ends_with("zendesk/9, others"), "{many}");
    }
}
