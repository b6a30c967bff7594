//! Requests of one handoff, counted at the vendors: their quota is what is scarce.
//!
//! Reading the feeds' own pages, signing in and who is signed in are not counted: they are paid per
//! interval or once. `cargo nextest run --test sim requests_of_a_handoff --no-capture` prints the table.

use std::{collections::BTreeMap, time::Duration};

use handoffd_connectors::sim::{Who, faults::Faults};
use handoffd_core::AccountId;

use super::{
    oracle::Hands,
    play::Stage,
    script::Deed,
    stage::{Marks, Setting},
};
use crate::world::{FRESHDESK, INTERCOM, STRIPE, ZENDESK};

/// How long until everything that a deed calls for is surely done.
const RESTED: Duration = Duration::from_secs(150);

/// Requests by vendor and endpoint.
type Count = BTreeMap<String, u64>;

fn setting(desk: &'static str) -> Setting {
    Setting {
        desks: vec![desk],
        marks: Marks::Assignee,
        faults: Faults::none(),
        source: Faults::none(),
        crashes: false,
        holds: false,
        places: false,
        tales: 0,
        settled: RESTED,
    }
}

/// Whether a request is paid for what happened: feeds, tokens and catalogues are not.
fn is_counted(pattern: &str) -> bool {
    let of_feeds = [
        "/incremental/",
        "/oauth/",
        "/surveys/satisfaction_ratings",
        " GET /api/v2/agents",
        "/conversations/search",
        "/tickets/search",
    ];
    !of_feeds.iter().any(|part| pattern.contains(part)) && !pattern.ends_with("GET /api/v2/tickets")
}

fn served(stage: &Stage) -> Count {
    let mut all = Count::new();
    for account in [stage.setting.desks[0], STRIPE] {
        let counts = stage.life.world.with(&AccountId::new(account), |sim, _| sim.requests_served());
        let counts = counts.expect("a vendor").into_iter();
        let counts = counts.map(|(pattern, count)| (format!("{account} {pattern}"), count));
        all.extend(counts.filter(|(pattern, _)| is_counted(pattern)));
    }
    all
}

/// What these deeds cost, done at once.
async fn cost(stage: &mut Stage, deeds: Vec<Deed>) -> Count {
    let before = served(stage);
    let now = stage.elapsed_ms();
    stage.act(deeds.into_iter().zip(0..).map(|(deed, at)| ((now, at), deed)).collect()).await;
    stage.rest(RESTED).await;
    let mut spent = served(stage);
    for (pattern, count) in before {
        if let Some(after) = spent.get_mut(&pattern) {
            *after -= count;
        }
    }
    spent.retain(|_, count| *count > 0);
    spent
}

/// Reads and writes at the helpdesk, and questions to the context source.
fn sums(count: &Count) -> (u64, u64, u64) {
    let sum =
        |is: &dyn Fn(&str) -> bool| count.iter().filter(|(pattern, _)| is(pattern)).map(|(_, n)| n).sum();
    let of_source = |pattern: &str| pattern.starts_with(STRIPE);
    let reads = |pattern: &str| !of_source(pattern) && pattern.contains(" GET ");
    let writes = |pattern: &str| !of_source(pattern) && !pattern.contains(" GET ");
    (sum(&reads), sum(&writes), sum(&of_source))
}

async fn costs_at(desk: &'static str) -> BTreeMap<&'static str, Count> {
    let mut stage = Stage::begin(1, setting(desk), false).await;
    let text = "q1q my order does not arrive".to_owned();
    cost(&mut stage, vec![Deed::Open { tale: 1, account: desk, customer: 0, text }]).await;
    let mut table = BTreeMap::new();
    let give = |to| Deed::Give { tale: 1, to };
    let say = |name: &str, text: &str| Deed::Say {
        tale: 1,
        account: desk,
        who: Who::Agent(name.to_owned()),
        public: true,
        text: text.to_owned(),
    };
    table.insert("1 AI to human, seen", cost(&mut stage, vec![give(Hands::Person("Mara"))]).await);
    cost(&mut stage, vec![say("Mara", "q2q I looked at it")]).await;
    table.insert("2 human to human, seen", cost(&mut stage, vec![give(Hands::Person("Tom"))]).await);
    cost(&mut stage, vec![say("Tom", "q3q I looked at it too")]).await;
    table.insert("3 human to AI, seen", cost(&mut stage, vec![give(Hands::Bot)]).await);
    let announce =
        Deed::Announce { tale: 1, key: "k".to_owned(), reason: "q4q a person is needed".to_owned() };
    table.insert("4 AI to human, announced", cost(&mut stage, vec![announce]).await);
    table
}

#[test]
fn requests_of_a_handoff() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let table = runtime.block_on(async {
        let mut table = BTreeMap::new();
        for desk in [ZENDESK, FRESHDESK, INTERCOM] {
            table.insert(desk, costs_at(desk).await);
        }
        table
    });
    runtime.shutdown_background();
    let mut found = Vec::new();
    for (desk, costs) in &table {
        for (what, count) in costs {
            let (reads, writes, asked) = sums(count);
            println!("{desk}, {what}: {reads} reads, {writes} writes, {asked} of the context source");
            for (pattern, n) in count {
                println!("    {n} x {pattern}");
            }
            found.push((*desk, *what, sums(count)));
        }
    }
    assert_eq!(found, EXPECTED);
}

/// The figures that the documents name: reads and writes at the helpdesk, and of the context
/// source. Fewer is progress: change both.
const EXPECTED: [(&str, &str, (u64, u64, u64)); 12] = [
    (FRESHDESK, "1 AI to human, seen", (4, 1, 7)),
    (FRESHDESK, "2 human to human, seen", (5, 1, 7)),
    (FRESHDESK, "3 human to AI, seen", (2, 0, 0)),
    (FRESHDESK, "4 AI to human, announced", (4, 1, 7)),
    (INTERCOM, "1 AI to human, seen", (4, 1, 7)),
    (INTERCOM, "2 human to human, seen", (3, 1, 7)),
    (INTERCOM, "3 human to AI, seen", (1, 0, 0)),
    (INTERCOM, "4 AI to human, announced", (3, 1, 7)),
    (ZENDESK, "1 AI to human, seen", (5, 1, 7)),
    (ZENDESK, "2 human to human, seen", (3, 1, 7)),
    (ZENDESK, "3 human to AI, seen", (2, 0, 0)),
    (ZENDESK, "4 AI to human, announced", (3, 1, 7)),
];
