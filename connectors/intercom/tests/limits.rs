//! The published slices are used, nothing is refused, and a handoff does not wait.

use std::time::Duration;

use handoffd_core::Timestamp;

use crate::{
    client::Clock as _,
    conformance::{
        Terms,
        bench::{Bench, Hits},
    },
    contract::{Call, Lane},
    intercom::sim::{Options, start_with},
    sim::{SimSetup, VendorSim, faults::Faults},
};

/// The length of a slice, in seconds.
const SLICE_SECS: i64 = 10;
/// How many whole slices are measured.
const SLICES: i64 = 4;
/// How long a request is on its way, and its answer, in milliseconds.
const LATENCY_MS: u64 = 50;
/// How many requests the backfill has on their way at once.
const AT_ONCE: usize = 40;

/// A workspace with Intercom's published limit.
fn start(setup: SimSetup) -> Box<dyn VendorSim> {
    start_with(SimSetup { plan: "standard".to_owned(), ..setup }, Options::default())
}

static PUBLISHED: Terms = Terms { simulator: Some(start), ..super::CONVERSATIONS };

/// What the published limit gives in a slice.
const QUOTA: u64 = 1_666;

/// Asks without end in the backfill lane, beginning in the middle of a slice.
async fn backfilling(bench: &Bench) -> (handoffd_core::RemoteId, Timestamp) {
    let ticket = bench.ticket("Asked for");
    bench.world.keep_log();
    let latency_ms = LATENCY_MS..=LATENCY_MS;
    bench.net.trouble(Some((Hits::Every, Faults { latency_ms, ..Faults::none() })));
    bench.wait(3).await;
    let first = (bench.now().as_secs() / SLICE_SECS + 1) * SLICE_SECS;
    let end = Timestamp::from_secs(first + SLICES * SLICE_SECS);
    for _ in 0..AT_ONCE {
        let (desk, clock, ticket) = (bench.desk.clone(), bench.clock, ticket.clone());
        tokio::spawn(async move {
            while clock.now() < end {
                let deadline = end.plus(Duration::from_secs(600));
                let call = Call { lane: Lane::Backfill, deadline };
                let _ = desk.fetch_many(call, std::slice::from_ref(&ticket)).await;
            }
        });
    }
    bench.clock.sleep_until(Timestamp::from_secs(first)).await;
    (ticket, end)
}

fn served(bench: &Bench) -> u64 {
    bench.sim(|sim| sim.requests_served().values().sum())
}

#[tokio::test(start_paused = true)]
async fn backfill_uses_the_slices_and_a_handoff_goes_at_once() {
    let bench = Bench::open(&PUBLISHED).await;
    let (ticket, end) = backfilling(&bench).await;
    let before = served(&bench);
    let mut slowest = Duration::ZERO;
    // At every part of a slice, its exhausted end included.
    loop {
        tokio::time::sleep(Duration::from_millis(1_730)).await;
        let asked = bench.now();
        if asked.plus(Duration::from_secs(2)) > end {
            break;
        }
        let call = Call { lane: Lane::Handoff, deadline: end };
        bench.desk.fetch_many(call, std::slice::from_ref(&ticket)).await.expect("a handoff's look");
        slowest = slowest.max(bench.now().since(asked));
    }
    bench.clock.sleep_until(end).await;
    let (used, offered) = (served(&bench) - before, QUOTA * SLICES.unsigned_abs());
    let refused = bench.world.log().iter().filter(|line| line.status == Some(429)).count();
    println!(
        "{used} of {offered} requests in {SLICES} slices, {refused} x 429, slowest handoff look {slowest:?}"
    );
    assert_eq!(refused, 0);
    assert!(used * 100 >= offered * 95, "{used} of {offered}");
    // There and back, and nothing waited for.
    assert!(slowest <= Duration::from_millis(2 * LATENCY_MS + 10), "{slowest:?}");
}
