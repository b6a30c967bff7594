//! `handoffd backfill`: takes in the history of accounts, in the daemon that runs or here.

use std::{
    collections::BTreeSet,
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use handoffd_core::{AccountId, Timestamp};

use super::{Failure, ask, outside, since_of};
use crate::{
    app::App,
    config::{Config, LogFormat},
    engine::{
        Engine,
        backfill::{BackfillOrder, BackfillStatus},
        parked::OrderError,
    },
    store::tables::{BackfillPhase, BackfillRow},
    telemetry,
};

/// How often progress is shown on a terminal, and in a file.
const SHOWN_EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// The width of the bar, in characters.
const BAR: u64 = 30;

pub(super) struct Asked {
    pub accounts: Vec<String>,
    pub since: Option<String>,
    pub restart: bool,
    pub status: bool,
    pub json: bool,
}

pub(super) async fn run(config: Config, asked: Asked) -> Result<(), Failure> {
    let outside = outside()?;
    let since = asked.since.as_deref().map(|text| since_of(text, outside.clock.now())).transpose()?;
    let accounts = asked.accounts.iter().map(AccountId::new).collect();
    let order = BackfillOrder { accounts, since, restart: asked.restart };
    if asked.status {
        let Some(rows) = told(&config, http::Method::GET, Vec::new()).await? else {
            let app = App::open(config, outside).await?;
            let rows = app.engine.backfills().await;
            app.shutdown().await;
            return show(&rows.map_err(crate::app::StartError::from)?, asked.json);
        };
        return show(&rows, asked.json);
    }
    let clock = outside.clock.clone();
    let mut shown = Shown::new(asked.json);
    if told(&config, http::Method::POST, serde_json::to_vec(&order)?).await?.is_some() {
        eprintln!(
            "the daemon at {} takes it in; stopping this command stops only the display",
            config.server.admin_listen
        );
        loop {
            let rows = told(&config, http::Method::GET, Vec::new()).await?;
            let rows = rows.ok_or_else(|| {
                Failure::Other(anyhow::anyhow!("the daemon stopped; the backfill goes on at its next start"))
            })?;
            let rows = ordered(rows, &order);
            if shown.show(&rows, clock.now()) {
                return finish(&rows, asked.json);
            }
            clock.sleep_until(clock.now().plus(shown.every)).await;
        }
    }
    telemetry::start(LogFormat::Text, &config.telemetry.filter);
    let app = App::open(config, outside).await?;
    let outcome = here(&app.engine, &order, &mut shown).await;
    app.shutdown().await;
    finish(&ordered(outcome?, &order), asked.json)
}

/// Those that this command asked for; another account's history is none of its business.
fn ordered(rows: Vec<BackfillStatus>, order: &BackfillOrder) -> Vec<BackfillStatus> {
    let is_asked =
        |status: &BackfillStatus| order.accounts.is_empty() || order.accounts.contains(&status.row.account);
    rows.into_iter().filter(is_asked).collect()
}

/// Takes it in with this process.
async fn here(
    engine: &Engine,
    order: &BackfillOrder,
    shown: &mut Shown,
) -> Result<Vec<BackfillStatus>, Failure> {
    let other = |error: OrderError| Failure::Other(error.into());
    engine.order_backfill(order).await.map_err(other)?;
    for desk in engine.parts().desks.values() {
        engine.probe(desk).await;
    }
    engine.start_queue();
    let clock = engine.parts().clock.clone();
    let work = engine.take_in_history();
    tokio::pin!(work);
    let stopped = super::stop_signal();
    tokio::pin!(stopped);
    loop {
        let rows = engine.backfills().await.map_err(crate::app::StartError::from)?;
        shown.show(&rows, clock.now());
        tokio::select! {
            biased;
            done = &mut work => {
                done.map_err(|why| Failure::Other(anyhow::anyhow!("{why}; run the same command again to go on")))?;
                super::sync::drain(engine, !shown.silent).await;
                return Ok(engine.backfills().await.map_err(crate::app::StartError::from)?);
            }
            _ = &mut stopped => {
                return Err(Failure::Other(anyhow::anyhow!("stopped; run the same command again to go on")));
            }
            () = clock.sleep_until(clock.now().plus(shown.every)) => {}
        }
    }
}

fn finish(rows: &[BackfillStatus], json: bool) -> Result<(), Failure> {
    show(rows, json)?;
    let parked: u64 = rows.iter().map(|status| status.row.parked).sum();
    let open: Vec<&BackfillStatus> = rows.iter().filter(|status| status.row.finished_at.is_none()).collect();
    if open.is_empty() {
        return match parked {
            0 => Ok(()),
            _ => Err(Failure::Problems(format!("{parked} tickets are parked; see `handoffd parked list`"))),
        };
    }
    let why = |status: &&BackfillStatus| {
        let why = status.parked_because.as_deref().unwrap_or("it goes on when the command is run again");
        format!("{}: {why}", status.row.account)
    };
    let all: Vec<String> = open.iter().map(why).collect();
    Err(Failure::Problems(format!("not finished: {}; see `handoffd parked list`", all.join("; "))))
}

fn show(rows: &[BackfillStatus], json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(rows)?);
        return Ok(());
    }
    for status in rows {
        println!("{}", line(status));
    }
    Ok(())
}

/// What was shown last.
pub(super) struct Shown {
    pub(super) every: Duration,
    terminal: bool,
    silent: bool,
    last: Option<Timestamp>,
    /// Whose history was shown, and what was done with it.
    stage: Option<(AccountId, BackfillPhase)>,
    /// Whose history was shown as it was taken in.
    taken_in: BTreeSet<AccountId>,
}

impl Shown {
    pub(super) fn new(silent: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let every = if terminal { SHOWN_EVERY.0 } else { SHOWN_EVERY.1 };
        Self {
            every: every.min(Duration::from_secs(1)),
            terminal,
            silent,
            last: None,
            stage: None,
            taken_in: BTreeSet::new(),
        }
    }

    /// Shows how far it is; says whether everything is finished or parked.
    pub(super) fn show(&mut self, rows: &[BackfillStatus], now: Timestamp) -> bool {
        let every = if self.terminal { SHOWN_EVERY.0 } else { SHOWN_EVERY.1 };
        let open = in_hand(rows);
        let stage = open.map(|status| (status.row.account.clone(), status.row.phase));
        let due = self.stage != stage || self.last.is_none_or(|last| now.since(last) >= every);
        if due && !self.silent {
            (self.last, self.stage) = (Some(now), stage);
            if let Some(status) = open {
                if status.row.phase == BackfillPhase::Tickets {
                    self.taken_in.insert(status.row.account.clone());
                }
                let (start, end) = if self.terminal { ("\r\x1b[K", "") } else { ("", "\n") };
                eprint!("{start}{}{end}", line(status));
                // A display that cannot be flushed is shown later.
                let _ = std::io::stderr().flush();
            }
        }
        let done = rows.iter().all(is_over);
        if done && self.terminal && !self.silent {
            eprintln!();
        }
        done
    }

    /// Shows what was taken in faster than it is shown.
    pub(super) fn over(&self, rows: &[BackfillStatus]) {
        for status in rows.iter().filter(|status| status.row.phase == BackfillPhase::Done) {
            let is_new = !status.row.index_only && !self.taken_in.contains(&status.row.account);
            if is_new && !self.silent {
                let row = BackfillRow { phase: BackfillPhase::Tickets, ..status.row.clone() };
                eprintln!("{}", line(&BackfillStatus { row, ..status.clone() }));
            }
        }
    }
}

/// Whether nothing more comes of it: it is finished, or waits for an admin.
fn is_over(status: &BackfillStatus) -> bool {
    status.row.finished_at.is_some() || status.parked_because.is_some()
}

/// The one that is being worked on: every index comes before the first ticket.
fn in_hand(rows: &[BackfillStatus]) -> Option<&BackfillStatus> {
    let open = rows.iter().filter(|status| !is_over(status));
    open.min_by_key(|status| status.row.phase != BackfillPhase::Index)
}

fn line(status: &BackfillStatus) -> String {
    let row = &status.row;
    if row.phase == BackfillPhase::Tickets && row.looked == 0 && row.comments > 0 {
        let of = row.total.map_or_else(String::new, |total| format!(" of {total} tickets"));
        return format!("{:<20} reading {} comments{of}", row.account, row.comments);
    }
    let (word, done) = match row.phase {
        BackfillPhase::Done if row.index_only && !row.taken_in => {
            ("compared with the others: read", row.indexed)
        }
        BackfillPhase::Index => ("reading", row.indexed),
        BackfillPhase::Tickets => ("taking in", row.looked),
        BackfillPhase::Done => ("done", row.looked),
    };
    // The vendor may count mirrors that were made meanwhile: what is done is all there was.
    let is_done = row.phase == BackfillPhase::Done;
    let total = row.total.map(|total| if is_done { done } else { total }).filter(|total| *total >= done);
    let bar = total.map_or_else(String::new, |total| {
        let full = (done * BAR).checked_div(total).unwrap_or(BAR);
        format!("[{}{}] ", "#".repeat(full as usize), ".".repeat((BAR - full) as usize))
    });
    let of = total.map_or_else(String::new, |total| format!(" of {total}"));
    let left = match status.about_secs_left {
        Some(0) | None => String::new(),
        Some(secs) => {
            format!(", about {} left", crate::config::Span(Duration::from_secs(secs.max(60) / 60 * 60)))
        }
    };
    let pace = status.tickets_per_minute.map_or_else(String::new, |pace| format!(", {pace:.0} a minute"));
    let parked = if row.parked > 0 { format!(", {} parked", row.parked) } else { String::new() };
    let waits =
        status.parked_because.as_ref().map_or_else(String::new, |why| format!("; stands still: {why}"));
    format!("{:<20} {bar}{word} {done}{of} tickets{pace}{left}{parked}{waits}", row.account)
}

async fn told(
    config: &Config,
    method: http::Method,
    body: Vec<u8>,
) -> Result<Option<Vec<BackfillStatus>>, Failure> {
    match ask::daemon(config, method, "/backfill.json", body).await? {
        None => Ok(None),
        Some((200, body)) => Ok(Some(serde_json::from_slice(&body)?)),
        Some((status, body)) => {
            let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            let words = answer["error"]["message"].as_str().unwrap_or("the daemon gave no reason");
            Err(Failure::Other(anyhow::anyhow!("{words} (status {status})")))
        }
    }
}

#[cfg(test)]
mod tests {
    use handoffd_core::Timestamp;

    use super::*;
    use crate::store::tables::BackfillRow;

    fn status(account: &str, phase: BackfillPhase, parked_because: Option<&str>) -> BackfillStatus {
        let is_done = phase == BackfillPhase::Done;
        let row = BackfillRow {
            total: Some(200),
            indexed: 70,
            comments: 900,
            looked: if is_done { 200 } else { 0 },
            finished_at: is_done.then_some(Timestamp(9)),
            ..BackfillRow::new(AccountId::new(account), Timestamp(0), phase, Timestamp(0))
        };
        BackfillStatus {
            row,
            requests_per_minute: 700.0,
            tickets_per_minute: None,
            about_secs_left: None,
            parked_because: parked_because.map(str::to_owned),
        }
    }

    #[test]
    fn one_that_is_parked_ends_the_wait_and_the_command_fails() {
        use BackfillPhase::{Done, Index, Tickets};
        let mut shown = Shown::new(true);
        let done = [status("a", Done, None)];
        assert!(shown.show(&done, Timestamp(0)));
        assert!(finish(&done, true).is_ok());
        let parked = [status("a", Done, None), status("b", Tickets, Some("its history is refused"))];
        assert!(shown.show(&parked, Timestamp(0)));
        let Err(Failure::Problems(why)) = finish(&parked, true) else { panic!("it is not finished") };
        assert!(why.contains("b: its history is refused"), "{why}");
        let open = [status("a", Tickets, None), status("b", Index, None)];
        assert!(!shown.show(&open, Timestamp(0)));
        assert_eq!(in_hand(&open).map(|one| one.row.account.as_str()), Some("b"), "indexes come first");
    }

    #[test]
    fn only_the_accounts_of_the_order_count() {
        let rows = || vec![status("a", BackfillPhase::Done, None), status("b", BackfillPhase::Index, None)];
        let order = |accounts: &[&str]| BackfillOrder {
            accounts: accounts.iter().map(|account| AccountId::new(*account)).collect(),
            since: None,
            restart: false,
        };
        assert_eq!(ordered(rows(), &order(&["a"])).len(), 1);
        assert_eq!(ordered(rows(), &order(&[])).len(), 2);
    }

    #[test]
    fn every_phase_shows_how_far_it_is() {
        let row = |phase, why| line(&status("desk", phase, why));
        assert!(row(BackfillPhase::Index, None).contains("reading 70 of 200 tickets"));
        assert!(row(BackfillPhase::Tickets, None).contains("reading 900 comments of 200 tickets"));
        assert!(row(BackfillPhase::Done, None).contains("done 200 of 200 tickets"));
        let parked = row(BackfillPhase::Index, Some("its history is refused"));
        assert!(parked.ends_with("stands still: its history is refused"), "{parked}");
    }
}
