//! What an admin wants to see: accounts, lag, what is parked, what is on its way.

use handoffd_core::{AccountId, Handoff, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    engine::Engine,
    store::{
        Key, ReadError, Store,
        tables::{self, HANDOFFS, INTENTS, IntentRow, PARKED, ParkedRow, PromiseRow},
    },
};

/// The most parked things, writes and handoffs that are listed.
const LISTED_MAX: usize = 200;

/// Whether the daemon can take work.
pub trait Readiness: Send + Sync {
    /// Why it cannot; `None` when it can.
    fn not_ready(&self) -> Option<String>;
}

/// How the daemon stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusReport {
    /// When.
    pub at: Timestamp,
    /// The program's version.
    pub version: String,
    /// The accounts.
    pub accounts: Vec<AccountStatus>,
    /// Jobs that workers have in hand.
    pub in_hand: usize,
    /// When the next job is due.
    pub next_due: Option<Timestamp>,
    /// Writes that are not settled.
    pub unsettled: Vec<UnsettledWrite>,
    /// Handoffs, newest first.
    pub handoffs: Vec<HandoffStatus>,
    /// Promises of AI agents that no handoff followed, newest first.
    #[serde(default)]
    pub promises: Vec<PromiseRow>,
    /// Things that wait for an admin.
    pub parked: Vec<ParkedRow>,
}

/// How one account stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountStatus {
    /// Its name.
    pub account: String,
    /// `works`, `paused`, `limited` or `unknown`.
    pub state: String,
    /// Who we are there.
    pub identity: Option<String>,
    /// Why it is paused, or what is switched off.
    pub problems: Vec<String>,
    /// Its feeds.
    pub feeds: Vec<FeedStatus>,
}

/// How one feed stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeedStatus {
    /// Its name.
    pub feed: String,
    /// When it was read last.
    pub read_at: Option<Timestamp>,
    /// Every change before this moment was taken in.
    pub complete_until: Option<Timestamp>,
    /// How far behind that is, in seconds.
    pub lag_secs: Option<u64>,
}

/// A write that is not settled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnsettledWrite {
    /// Its key.
    pub key: String,
    /// At which account.
    pub account: String,
    /// When it is tried or looked for next.
    pub due: Timestamp,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// How one handoff stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HandoffStatus {
    /// Its id.
    pub id: String,
    /// The ticket.
    pub ticket: String,
    /// Where it stands.
    pub state: String,
    /// Whether its briefing is still to come.
    pub on_its_way: bool,
    /// When it was first known.
    pub detected_at: Timestamp,
    /// When its briefing was on the ticket.
    pub delivered_at: Option<Timestamp>,
    /// Between whom.
    #[serde(default)]
    pub kind: String,
    /// Which handoff of the conversation it is.
    #[serde(default)]
    pub hop: u32,
    /// Why the next owner had no context in time; `None` when they had, or may still get it.
    #[serde(default)]
    pub breach: Option<String>,
    /// Why its package is thin, if it is.
    #[serde(default)]
    pub thin: Option<String>,
    /// How many of the fields that a package must have it has, and how many there are.
    #[serde(default)]
    pub completeness: Option<(u32, u32)>,
    /// Why nothing was written for it, or what went wrong.
    #[serde(default)]
    pub failure: Option<String>,
}

/// Reads how the daemon stands.
pub async fn collect(engine: &Engine) -> Result<StatusReport, ReadError> {
    let store = &*engine.parts().store;
    let now = engine.parts().clock.now();
    let all = Key(Vec::new());
    let mut accounts = Vec::new();
    for desk in engine.parts().desks.values() {
        accounts.push(account_status(engine, desk, now).await);
    }
    accounts.extend(engine.parts().sources.keys().map(|account| source_status(engine, account)));
    let parked = tables::read_all::<ParkedRow>(store, PARKED, &all, LISTED_MAX).await?;
    let unsettled = tables::read_all::<IntentRow>(store, INTENTS, &all, LISTED_MAX).await?;
    let handoffs = newest_handoffs(store).await?;
    Ok(StatusReport {
        at: now,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        accounts,
        in_hand: engine.jobs_in_hand(),
        next_due: engine.next_due().await,
        unsettled: unsettled.into_iter().map(|(_, row)| unsettled_write(row.value)).collect(),
        handoffs,
        promises: engine.broken_promises(LISTED_MAX).await?,
        parked: parked.into_iter().map(|(_, row)| row.value).collect(),
    })
}

/// The newest handoffs, read a page at a time.
async fn newest_handoffs(store: &dyn Store) -> Result<Vec<HandoffStatus>, ReadError> {
    let all = Key(Vec::new());
    let mut newest: Vec<HandoffStatus> = Vec::new();
    let mut after: Option<Key> = None;
    loop {
        let page = store.page(HANDOFFS, &all, after.as_ref(), 500).await?;
        after = page.rows.last().map(|(key, _)| key.clone());
        for (key, row) in &page.rows {
            newest.push(handoff_status(&tables::record(HANDOFFS, key, &row.value)?));
        }
        newest.sort_by(|a, b| b.detected_at.cmp(&a.detected_at).then_with(|| a.id.cmp(&b.id)));
        newest.truncate(LISTED_MAX);
        if !page.more {
            return Ok(newest);
        }
    }
}

async fn account_status(engine: &Engine, desk: &crate::engine::Desk, now: Timestamp) -> AccountStatus {
    let standing = desk.standing();
    let mut problems = Vec::new();
    if let Some((why, since)) = &standing.paused {
        problems.push(format!("paused since {since}: {why}"));
    }
    problems.extend(standing.disarmed.iter().map(|(what, why)| format!("{what} switched off: {why}")));
    problems.extend(standing.feeds_paused.iter().map(|(feed, why)| format!("feed {feed} waits: {why}")));
    let state = match (&standing.paused, problems.is_empty(), &standing.identity) {
        (Some(_), ..) => "paused",
        (None, false, _) => "limited",
        (None, true, Some(_)) => "works",
        (None, true, None) => "unknown",
    };
    let feeds = engine.cursors(desk).await.into_iter().map(|(feed, row)| {
        let complete_until = row.as_ref().and_then(|row| row.complete_until);
        FeedStatus {
            feed: feed.0.to_owned(),
            read_at: row.as_ref().map(|row| row.read_at),
            complete_until,
            lag_secs: complete_until.map(|until| now.since(until).as_secs()),
        }
    });
    AccountStatus {
        account: desk.id.to_string(),
        state: state.to_owned(),
        identity: standing.identity.clone(),
        problems,
        feeds: feeds.collect(),
    }
}

fn source_status(engine: &Engine, account: &AccountId) -> AccountStatus {
    let standing = engine.source_standing(account);
    let state = match &standing {
        None => "unknown",
        Some(standing) if standing.problems.is_empty() => "works",
        Some(_) => "limited",
    };
    let standing = standing.unwrap_or_default();
    AccountStatus {
        account: account.to_string(),
        state: state.to_owned(),
        identity: standing.identity,
        problems: standing.problems,
        feeds: Vec::new(),
    }
}

fn unsettled_write(row: IntentRow) -> UnsettledWrite {
    UnsettledWrite {
        key: row.intent.key().to_string(),
        account: row.intent.account().to_string(),
        due: row.due,
        last_error: row.last_error,
    }
}

fn handoff_status(record: &Handoff) -> HandoffStatus {
    HandoffStatus {
        id: record.id.to_string(),
        ticket: record.ticket.to_string(),
        state: record.state.name().to_owned(),
        on_its_way: record.delivered_at.is_none() && handoffd_core::handoff::is_open(record),
        detected_at: record.detected_at,
        delivered_at: record.delivered_at,
        kind: record.kind.name().to_owned(),
        hop: record.hop,
        breach: crate::engine::records::breach(record),
        thin: record.thin.clone(),
        completeness: record.completeness,
        failure: record.failure.clone(),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn table(title: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    let mut html = format!("<h2>{}</h2>", escaped(title));
    if rows.is_empty() {
        return html + "<p>None.</p>";
    }
    html += "<table><thead><tr>";
    html.extend(head.iter().map(|cell| format!("<th>{}</th>", escaped(cell))));
    html += "</tr></thead><tbody>";
    for row in rows {
        html += "<tr>";
        html.extend(row.iter().map(|cell| format!("<td>{}</td>", escaped(cell))));
        html += "</tr>";
    }
    html + "</tbody></table>"
}

fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "–".to_owned(), |at| at.to_string())
}

fn account_rows(report: &StatusReport) -> Vec<Vec<String>> {
    let row = |account: &AccountStatus| {
        let lag = |feed: &FeedStatus| match feed.lag_secs {
            Some(secs) => format!("{}: {secs} s", feed.feed),
            None => format!("{}: not read yet", feed.feed),
        };
        vec![
            account.account.clone(),
            account.state.clone(),
            account.identity.clone().unwrap_or_default(),
            account.feeds.iter().map(lag).collect::<Vec<_>>().join(", "),
            account.problems.join("; "),
        ]
    };
    report.accounts.iter().map(row).collect()
}

fn promise_cells(row: &PromiseRow) -> Vec<String> {
    vec![
        row.agent.clone().unwrap_or_default(),
        row.ticket.as_ref().map(ToString::to_string).unwrap_or_default(),
        row.conversation.clone().unwrap_or_default(),
        row.place.clone(),
        row.at.to_string(),
        moment(row.raised_at),
    ]
}

/// The status page.
pub fn page(report: &StatusReport) -> String {
    let handoff = |row: &HandoffStatus| {
        vec![
            row.id.clone(),
            row.ticket.clone(),
            row.state.clone(),
            row.detected_at.to_string(),
            moment(row.delivered_at),
            row.breach
                .clone()
                .or_else(|| row.failure.clone())
                .or_else(|| row.thin.clone())
                .unwrap_or_default(),
        ]
    };
    let write = |row: &UnsettledWrite| {
        vec![
            row.key.clone(),
            row.account.clone(),
            row.due.to_string(),
            row.last_error.clone().unwrap_or_default(),
        ]
    };
    let parked = |row: &ParkedRow| {
        vec![
            row.kind.clone(),
            row.name.clone(),
            row.account.to_string(),
            row.since.to_string(),
            row.reason.clone(),
        ]
    };
    let sections = [
        table(
            "Accounts",
            &["account", "state", "signed in as", "behind by", "problems"],
            &account_rows(report),
        ),
        table(
            "Handoffs",
            &["handoff", "ticket", "state", "detected", "briefing delivered", "breach or problem"],
            &report.handoffs.iter().map(handoff).collect::<Vec<_>>(),
        ),
        table(
            "Promises without a handoff",
            &["agent", "ticket", "conversation", "where", "promised", "raised"],
            &report.promises.iter().map(promise_cells).collect::<Vec<_>>(),
        ),
        table(
            "Parked",
            &["kind", "what", "account", "since", "why"],
            &report.parked.iter().map(parked).collect::<Vec<_>>(),
        ),
        table(
            "Writes on their way",
            &["write", "account", "next try", "last error"],
            &report.unsettled.iter().map(write).collect::<Vec<_>>(),
        ),
    ];
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>handoffd</title><style>{STYLE}</style></head><body><h1>handoffd {}</h1><p>{} · {} in hand · next job due {}</p>{}</body></html>",
        escaped(&report.version),
        report.at,
        report.in_hand,
        moment(report.next_due),
        sections.concat(),
    )
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:75em;margin:2em auto;padding:0 1em;color:#222;background:#fff}\
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.3em .8em .3em 0;border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:anywhere}th{font-weight:600}";

/// The report for a terminal.
pub fn text(report: &StatusReport) -> String {
    let mut out = format!("handoffd {} at {}\n", report.version, report.at);
    for row in account_rows(report) {
        out += &format!("  {:<20} {:<8} behind by {}\n", row[0], row[1], row[3]);
        if !row[4].is_empty() {
            out += &format!("    {}\n", row[4]);
        }
    }
    let open = report.handoffs.iter().filter(|handoff| handoff.on_its_way).count();
    out += &format!("  handoffs: {}, without a briefing yet: {open}\n", report.handoffs.len());
    if !report.promises.is_empty() {
        let count = report.promises.len();
        out += &format!("  promises of AI agents that no handoff followed: {count}\n");
    }
    out += &format!("  writes on their way: {}\n", report.unsettled.len());
    out += &format!("  parked: {}\n", report.parked.len());
    for row in &report.parked {
        out += &format!("    {} {} since {}: {}\n", row.kind, row.name, row.since, row.reason);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_escapes_what_vendors_say() {
        let parked = ParkedRow {
            kind: "row".to_owned(),
            name: "desk/1".to_owned(),
            account: AccountId::new("desk"),
            link: None,
            reason: "<script>alert('x')</script>".to_owned(),
            since: Timestamp(0),
            causes: None,
        };
        let report = StatusReport {
            at: Timestamp(0),
            version: "0".to_owned(),
            accounts: Vec::new(),
            in_hand: 0,
            next_due: None,
            unsettled: Vec::new(),
            handoffs: Vec::new(),
            promises: Vec::new(),
            parked: vec![parked],
        };
        let page = page(&report);
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;"));
    }
}
