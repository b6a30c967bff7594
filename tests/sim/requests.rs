//! Requests per synced change, counted at the vendors: their quota is what is scarce.
//!
//! Reading the feeds' own pages and signing in is not counted: that is paid per
//! interval, not per change. `cargo nextest run --test sim requests --no-capture`
//! prints the table.

use std::{collections::BTreeMap, time::Duration};

use handoffd_connectors::sim::{HumanAct, Who, faults::Faults};
use handoffd_core::{AccountId, Priority, RemoteId, Status};

use crate::world::{CUSTOMERS, DESKS, FRESHDESK, Life, Profile, ZENDESK};

/// How long until what a person did is surely carried over, by webhook or by feed.
const SETTLED: Duration = Duration::from_secs(200);

/// Requests of one change: reads and writes at each helpdesk.
type Count = BTreeMap<String, u64>;

fn quiet(webhooks: bool) -> Profile {
    let lost = if webhooks { 0 } else { 1_000 };
    Profile {
        desks: DESKS.to_vec(),
        facing: ZENDESK,
        rich: false,
        faults: Faults { webhook_lost: lost, ..Faults::none() },
        crashes: false,
        expiries: false,
        deletes: false,
        talks_max: 0,
        draws: 0,
        pause_ms_max: 1,
        intake_within: Duration::from_secs(1),
        quiet: Duration::ZERO,
    }
}

/// Pages of feeds and tokens are not paid per change, nor is an agent's name: it is asked for once.
fn is_counted(pattern: &str) -> bool {
    !["GET /api/v2/incremental/", "GET /incremental/", "POST /oauth/", "GET /oauth/"]
        .iter()
        .any(|part| pattern.contains(part))
        && !pattern.ends_with("GET /api/v2/surveys/satisfaction_ratings")
        && !pattern.contains("GET /api/v2/agents")
        && !pattern.ends_with("GET /api/v2/tickets")
        && !pattern.ends_with("incremental/tickets/cursor")
}

fn served(life: &Life) -> Count {
    let mut all = Count::new();
    for desk in DESKS {
        let counts =
            life.world.with(&AccountId::new(desk), |sim, _| sim.requests_served()).expect("a vendor");
        for (pattern, count) in counts.into_iter().filter(|(pattern, _)| is_counted(pattern)) {
            all.insert(format!("{desk} {pattern}"), count);
        }
    }
    all
}

async fn rest(life: &mut Life, wait: Duration) {
    let until = life.now().plus(wait);
    while life.now() < until {
        life.pass(Duration::from_millis(500)).await;
    }
}

/// What one act costs.
async fn cost(life: &mut Life, desk: &str, act: HumanAct) -> Count {
    let before = served(life);
    life.world.human(&AccountId::new(desk), act).expect("the act is allowed");
    rest(life, SETTLED).await;
    if std::env::var("HANDOFFD_REQUESTS").is_ok() {
        for line in life.world.log() {
            println!("{line}");
        }
    }
    let mut spent = served(life);
    for (pattern, count) in before {
        if let Some(after) = spent.get_mut(&pattern) {
            *after -= count;
        }
    }
    spent.retain(|_, count| *count > 0);
    spent
}

/// A conversation on both sides, at rest.
async fn conversation(life: &mut Life) -> (RemoteId, RemoteId) {
    let open = HumanAct::Open {
        name: CUSTOMERS[0].0.to_owned(),
        email: CUSTOMERS[0].1.to_owned(),
        subject: "Counted".to_owned(),
        text: "How much does this cost?".to_owned(),
        to_bot: false,
    };
    let zendesk = life.world.human(&AccountId::new(ZENDESK), open).expect("a ticket");
    rest(life, SETTLED).await;
    let mirror = life.tickets(FRESHDESK).into_iter().find(|ticket| ticket.subject == "Counted");
    (zendesk, mirror.expect("a mirror").id)
}

fn reads_and_writes(count: &Count) -> (u64, u64) {
    let sum = |read: bool| {
        count.iter().filter(|(pattern, _)| pattern.contains(" GET ") == read).map(|(_, n)| n).sum()
    };
    (sum(true), sum(false))
}

fn run(webhooks: bool) -> BTreeMap<&'static str, Count> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let table = runtime.block_on(async {
        let mut life = Life::begin(1, quiet(webhooks), false).await;
        let (zendesk, freshdesk) = conversation(&mut life).await;
        let mut table = BTreeMap::new();
        let act = HumanAct::SetStatus { ticket: zendesk.clone(), status: Status::Pending };
        table.insert("status, Zendesk to Freshdesk", cost(&mut life, ZENDESK, act).await);
        let act = HumanAct::SetPriority { ticket: freshdesk.clone(), priority: Some(Priority::Urgent) };
        table.insert("priority, Freshdesk to Zendesk", cost(&mut life, FRESHDESK, act).await);
        let who = || Who::Agent("Mara".to_owned());
        let act = HumanAct::Say {
            ticket: zendesk.clone(),
            who: who(),
            text: "From Zendesk.".to_owned(),
            public: true,
        };
        table.insert("reply, Zendesk to Freshdesk", cost(&mut life, ZENDESK, act).await);
        let act =
            HumanAct::Say { ticket: freshdesk, who: who(), text: "From Freshdesk.".to_owned(), public: true };
        table.insert("reply, Freshdesk to Zendesk", cost(&mut life, FRESHDESK, act).await);
        table
    });
    runtime.shutdown_background();
    table
}

fn print(how: &str, table: &BTreeMap<&'static str, Count>) {
    println!("changes seen by {how}:");
    for (what, count) in table {
        let (reads, writes) = reads_and_writes(count);
        println!("  {what}: {reads} reads, {writes} writes");
        for (pattern, n) in count {
            println!("    {n} x {pattern}");
        }
    }
}

/// The figures that the documents name. Fewer is progress: change both.
fn expect(table: &BTreeMap<&'static str, Count>, expected: &[(&str, (u64, u64))]) {
    let found: Vec<(&str, (u64, u64))> =
        table.iter().map(|(what, count)| (*what, reads_and_writes(count))).collect();
    assert_eq!(found, expected);
}

#[test]
fn requests_of_changes_seen_by_webhook() {
    let table = run(true);
    print("webhook", &table);
    // One read each is the look at the ticket that a webhook names, and one the
    // look at our own write's echo. Without latency both fall into the second of
    // the change, in which Freshdesk's answer cannot rule out a further comment,
    // so the feed's row costs one more.
    let expected = [
        ("priority, Freshdesk to Zendesk", (3, 1)),
        ("reply, Freshdesk to Zendesk", (4, 2)),
        ("reply, Zendesk to Freshdesk", (4, 1)),
        ("status, Zendesk to Freshdesk", (4, 1)),
    ];
    expect(&table, &expected);
}

#[test]
fn requests_of_changes_seen_by_feed() {
    let table = run(false);
    print("feed", &table);
    // Freshdesk's list tells of no comments: a row costs one look. A public
    // message that must not mail costs Zendesk a read of the tags and the write
    // that takes the quiet tag off again.
    let expected = [
        ("priority, Freshdesk to Zendesk", (1, 1)),
        ("reply, Freshdesk to Zendesk", (2, 2)),
        ("reply, Zendesk to Freshdesk", (2, 1)),
        ("status, Zendesk to Freshdesk", (2, 1)),
    ];
    expect(&table, &expected);
}
