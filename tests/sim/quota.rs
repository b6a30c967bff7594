//! The published quota is used, nothing is refused, and a handoff does not wait.

use std::time::Duration;

use handoffd_connectors::{
    contract::{Call, Lane},
    sim::Who,
};
use handoffd_core::{AccountId, Timestamp};

use crate::{
    past::{Past, run},
    world::{FRESHDESK, ZENDESK},
};

const MINUTES: u64 = 10;
const LATENCY_MS: u64 = 50;

/// Asks without end in the backfill lane; a handoff's request comes in the middle.
async fn use_up(desk: &'static str, plans: [&str; 2], quota: u64) {
    let mut past = Past::new(plans, None, LATENCY_MS);
    let ticket = past.talk(desk, 0, "Asked for", &[(Who::Agent("Mara".to_owned()), true)]).await;
    let engine = past.engine(None).await;
    let account = AccountId::new(desk);
    let helpdesk = engine.parts().desks[&account].helpdesk.clone();
    // Whole windows of the vendors, which begin with the minute.
    let seconds = past.clock.now().as_secs().rem_euclid(60);
    past.sleep(Duration::from_secs(60 - seconds.unsigned_abs())).await;
    let (began, before) = (past.clock.now(), past.units_used(desk));
    let end = began.plus(Duration::from_secs(MINUTES * 60));
    for _ in 0..40 {
        let (helpdesk, clock, ticket) = (helpdesk.clone(), past.clock.clone(), ticket.clone());
        tokio::spawn(async move {
            while clock.now() < end {
                let call = Call { lane: Lane::Backfill, deadline: Timestamp(end.0 + 600_000) };
                let _ = helpdesk.fetch_many(call, std::slice::from_ref(&ticket)).await;
            }
        });
    }
    let mut slowest = Duration::ZERO;
    // At every part of a window, the exhausted end included.
    for _ in 0..MINUTES * 2 - 1 {
        past.sleep(Duration::from_millis(29_300)).await;
        let asked = past.clock.now();
        let call = Call { lane: Lane::Handoff, deadline: Timestamp(end.0) };
        helpdesk.fetch_many(call, std::slice::from_ref(&ticket)).await.expect("a handoff's look");
        slowest = slowest.max(past.clock.now().since(asked));
    }
    past.clock.sleep_until(end).await;
    let used = past.units_used(desk) - before;
    let offered = quota * MINUTES;
    let log = past.world.log();
    let refused = log.iter().filter(|line| line.status == Some(429)).count();
    println!(
        "{desk}: {used} of {offered} units in {MINUTES} min ({:.1} %), {refused} x 429, slowest handoff look {slowest:?}",
        used as f64 * 100.0 / offered as f64
    );
    assert_eq!(refused, 0);
    assert!(used * 100 >= offered * 95, "{used} of {offered}");
    // Two requests at most, one after the other, and nothing waited for.
    assert!(slowest <= Duration::from_millis(2 * 2 * LATENCY_MS + 10), "{slowest:?}");
}

#[test]
fn backfill_uses_zendesks_quota_and_a_handoff_goes_at_once() {
    run(use_up(ZENDESK, ["team", "unlimited"], 200));
}

#[test]
fn backfill_uses_freshdesks_quota_and_a_handoff_goes_at_once() {
    run(use_up(FRESHDESK, ["unlimited", "growth"], 200));
}
