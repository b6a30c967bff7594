//! The whole daemon without sockets: engine, connectors and sandbox vendors in
//! virtual time, with people, faults and crashes drawn from a seed.
//!
//! `HANDOFFD_SEED=7` lives one life and tells it; `HANDOFFD_SEEDS=0..500` lives a range.

mod acts;
mod after;
mod deeds;
mod floor;
mod handed;
mod history;
mod invariants;
mod joined;
mod kept_back;
mod left;
mod merges;
mod oracle;
mod parked;
mod past;
mod placed;
mod plans;
mod poison;
mod quota;
mod requests;
mod setup;
mod shapes;
mod shown;
mod taken;
mod words;
mod world;

use std::{
    io::Write,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use handoffd::store::{
    Key,
    tables::{self, JOURNAL, JournalRow},
};
use handoffd_connectors::sim::faults::Faults;
use tracing_subscriber::fmt::MakeWriter;

use invariants::Verdict;
use world::{DESKS, FRESHDESK, INTERCOM, Life, Profile, ZENDESK};

/// What came of one life.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    trace_hash: String,
    verdict: Verdict,
    crashes: u32,
    requests: u64,
}

/// In what world the seed's life is lived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Zendesk and Freshdesk, words and plain fields: the worlds that were drawn first.
    Plain,
    /// Two or three helpdesks, and everything that a ticket is.
    Rich,
}

/// The helpdesks of a seed's world: each pair, and all three.
fn desks_of(seed: u64) -> Vec<&'static str> {
    match (seed + seed / 8) % 4 {
        0 => vec![ZENDESK, FRESHDESK, INTERCOM],
        1 => vec![ZENDESK, INTERCOM],
        2 => vec![FRESHDESK, INTERCOM],
        _ => vec![ZENDESK, FRESHDESK],
    }
}

/// How the life of a seed is: some without trouble, most with some, some with a lot.
fn profile(seed: u64, kind: Kind) -> Profile {
    let rich = kind == Kind::Rich;
    let desks = if rich { desks_of(seed) } else { DESKS.to_vec() };
    let facing = if rich { desks[usize::try_from(seed / 4).unwrap_or(0) % desks.len()] } else { ZENDESK };
    let calm = Profile {
        desks,
        facing,
        rich,
        faults: Faults { latency_ms: 5..=200, ..Faults::none() },
        crashes: false,
        expiries: false,
        deletes: false,
        talks_max: 6,
        draws: 70,
        pause_ms_max: 45_000,
        intake_within: Duration::from_secs(60),
        quiet: Duration::from_secs(4 * 3_600),
    };
    let mild = Faults {
        refused: 5,
        lost: 5,
        answer_lost: 8,
        error_before: 5,
        error_after: 5,
        throttled: 5,
        answer_slow: 20,
        ..Faults::some()
    };
    let late = Duration::from_secs(360);
    let mild = Profile { faults: mild, expiries: true, intake_within: late, ..calm.clone() };
    match seed % 8 {
        0 => calm,
        1 => Profile { deletes: true, ..calm },
        2 | 3 => mild,
        // Nothing but polls and resyncs tells of changes.
        4 => Profile { faults: Faults { webhook_lost: 1_000, ..mild.faults.clone() }, ..mild },
        5 => Profile { crashes: true, ..Profile { intake_within: late, ..calm } },
        6 => Profile { crashes: true, deletes: true, ..mild },
        _ => Profile { faults: Faults::some(), crashes: true, ..mild },
    }
}

/// Everything that was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// All of it.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Lives one life.
fn live(seed: u64, kind: Kind, verbose: bool) -> End {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_ansi(false)
        .without_time()
        .with_env_filter("info,handoffd=debug,handoffd_connectors=debug,handoffd_core=debug")
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let end = tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let mut life = Life::begin(seed, profile(seed, kind), verbose).await;
            life.live().await;
            let log = lines.text();
            let verdict = invariants::judge(&life, &log).await;
            if verbose {
                tell(&life, &log).await;
            }
            End {
                trace_hash: life.world.trace_hash(),
                verdict,
                crashes: life.crashes,
                requests: life.world.requests().values().sum(),
            }
        })
    });
    // Work of daemons that died is still asleep.
    runtime.shutdown_background();
    end
}

/// What went over the net, what was logged, and why each link did what it did.
async fn tell(life: &Life, log: &str) {
    let start = life.world.log().first().map_or(0, |line| line.at.0);
    let all = std::env::var("HANDOFFD_NET").is_ok();
    for line in life.world.log().iter().filter(|line| all || line.method != "GET") {
        eprintln!("net  {:>9} {line}", line.at.0 - start);
    }
    for line in log.lines().filter(|line| !line.contains("DEBUG")) {
        eprintln!("log  {line}");
    }
    let store = &*life.engine().parts().store;
    let handoffs =
        tables::read_all::<handoffd_core::Handoff>(store, tables::HANDOFFS, &Key(Vec::new()), 100_000).await;
    for (_, row) in handoffs.expect("readable rows") {
        let handoffd_core::Handoff { id, ticket, kind, state, from, to, detected_at, accepted_at, .. } =
            row.value;
        let accepted = accepted_at.map(|at| at.0 - start);
        let at = detected_at.0 - start;
        eprintln!("made {id} {ticket} {at:>9} {kind:?} {state:?} {from:?} -> {to:?}, accepted {accepted:?}");
    }
    let rows = tables::read_all::<JournalRow>(store, JOURNAL, &Key(Vec::new()), 100_000).await;
    for (key, row) in rows.expect("readable rows") {
        let at = key.parts().get(1).and_then(|at| at.get(..13)?.parse::<i64>().ok()).unwrap_or_default();
        eprintln!("why  {} {:>9} {:?}", key.parts()[0], at - start, row.value);
    }
}

/// Lives the seeds, each twice, and tells what is broken and how to see it again.
fn check(seeds: impl Iterator<Item = (u64, Kind)>) {
    let mut failed = Vec::new();
    for (seed, kind) in seeds {
        let end = live(seed, kind, false);
        if live(seed, kind, false) != end {
            failed.push(format!("seed {seed}: a second life of the same seed went another way"));
        }
        if !end.verdict.excused.is_empty() {
            eprintln!(
                "seed {seed}: {} requests, {} crashes, excused: {:?}",
                end.requests, end.crashes, end.verdict.excused
            );
        }
        failed.extend(end.verdict.broken.into_iter().map(|what| format!("seed {seed}: {what}")));
    }
    let again = "run one again with HANDOFFD_SEED=<seed> cargo test --test sim -- --nocapture one_seed";
    assert!(failed.is_empty(), "\n{}\n{again}\n", failed.join("\n"));
}

fn range() -> Option<Range<u64>> {
    let text = std::env::var("HANDOFFD_SEEDS").ok()?;
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

/// The seeds of one of four chunks: a range that was asked for, or those of every run.
fn chunk(number: u64) -> impl Iterator<Item = (u64, Kind)> {
    let seeds = range().unwrap_or(0..50).filter(move |seed| seed % 4 == number);
    seeds.map(|seed| (seed, asked_kind()))
}

/// The kind of world that was asked for.
fn asked_kind() -> Kind {
    match std::env::var("HANDOFFD_WORLD").as_deref() {
        Ok("plain") => Kind::Plain,
        _ => Kind::Rich,
    }
}

/// A line of the list: a seed, and `plain` if its world was drawn before there were others.
fn regression(line: &str) -> Option<(u64, Kind)> {
    let mut words = line.split('#').next()?.split_whitespace();
    let seed = words.next()?.parse().ok()?;
    Some((seed, if words.next() == Some("plain") { Kind::Plain } else { Kind::Rich }))
}

#[test]
fn every_pair_and_all_three_are_drawn() {
    let mut worlds = std::collections::BTreeMap::<Vec<&str>, std::collections::BTreeSet<u64>>::new();
    for seed in 0..50 {
        worlds.entry(desks_of(seed)).or_default().insert(seed % 8);
    }
    assert_eq!(worlds.len(), 4, "{worlds:?}");
    assert!(worlds.values().all(|kinds| kinds.len() >= 6), "each in most kinds of trouble: {worlds:?}");
    let facing: std::collections::BTreeSet<_> =
        (0..50).map(|seed| (desks_of(seed), profile(seed, Kind::Rich).facing)).collect();
    assert_eq!(facing.len(), 3 + 2 * 3, "each helpdesk mails in each world: {facing:?}");
}

#[test]
fn one_seed() {
    let Some(seed) = std::env::var("HANDOFFD_SEED").ok().and_then(|seed| seed.parse().ok()) else { return };
    let end = live(seed, asked_kind(), true);
    eprintln!("{end:#?}");
    assert!(end.verdict.broken.is_empty(), "seed {seed}:\n{}", end.verdict.broken.join("\n"));
}

#[test]
fn regressions() {
    let lines = include_str!("regressions.txt").lines();
    check(lines.filter_map(regression));
}

#[test]
fn seeds_0() {
    check(chunk(0));
}

#[test]
fn seeds_1() {
    check(chunk(1));
}

#[test]
fn seeds_2() {
    check(chunk(2));
}

#[test]
fn seeds_3() {
    check(chunk(3));
}
