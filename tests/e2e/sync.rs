//! `handoffd sync --once`.

use std::time::Instant;

use serde_json::Value;

use crate::{
    rest::Said,
    run::{only, public},
    world::World,
};

/// All that either helpdesk shows of its tickets, the times of their last changes included.
async fn everything(world: &World) -> Vec<Value> {
    let zendesk = world.sandbox.zendesk.get("/api/v2/tickets.json").await["tickets"].clone();
    let mut all = vec![zendesk, world.sandbox.freshdesk.get("/api/v2/tickets?include=description").await];
    for (ticket, _) in world.sandbox.zendesk.zendesk_tickets().await {
        all.push(world.sandbox.zendesk.get(&format!("/api/v2/tickets/{ticket}/audits.json")).await);
    }
    for (ticket, _) in world.sandbox.freshdesk.freshdesk_tickets().await {
        all.push(world.sandbox.freshdesk.get(&format!("/api/v2/tickets/{ticket}/conversations")).await);
    }
    all
}

#[tokio::test]
async fn a_sync_carries_over_what_was_there_and_then_writes_nothing() {
    let world = World::new(15).await;
    let desk = &world.sandbox.freshdesk;
    let ticket = desk.freshdesk_open("Wrong invoice", "It names another.").await;
    desk.freshdesk_reply(&ticket, "We correct it.").await;
    let first = world.command(&["sync", "--once", "--no-wait"]).with_code(0);
    assert!(!first.stderr.contains("waiting until"), "{first:?}");
    let mirror = only(&world.sandbox.zendesk.zendesk_tickets().await, "Wrong invoice").expect("a mirror");
    let said = world.sandbox.zendesk.zendesk_said(&mirror).await;
    assert_eq!(public(&said), ["It names another.", "We correct it."]);

    let before = everything(&world).await;
    // A write of the same second could not be told apart by the time of the last change.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let second = world.command(&["sync", "--once", "--no-wait", "--json"]).with_code(0);
    let report: Value = serde_json::from_str(&second.stdout).unwrap();
    assert_eq!((&report["parked"], &report["unsettled"]), (&Value::from(0), &Value::Array(Vec::new())));
    assert_eq!(everything(&world).await, before, "nothing was to be written");
}

#[tokio::test]
async fn a_sync_waits_for_what_the_vendor_does_not_show_yet() {
    let world = World::new(16).await;
    let ticket = world.sandbox.zendesk.zendesk_open("Just now", "Is anybody there?").await;
    world.sandbox.zendesk.zendesk_reply(&ticket, "Yes.").await;
    let began = Instant::now();
    let ended = world.command(&["sync", "--once"]).with_code(0);
    let took = began.elapsed().as_secs();
    assert!((50..85).contains(&took), "it took {took} s");
    assert!(
        ended.stderr.contains("zd: the vendor shows its last changes only after 60 s; waiting until"),
        "{ended:?}"
    );
    let desk = &world.sandbox.freshdesk;
    let mirror =
        only(&desk.freshdesk_tickets().await, "Just now").unwrap_or_else(|| panic!("no mirror: {ended:?}"));
    let said = |text: &str| Said { text: text.to_owned(), public: true };
    assert_eq!(desk.freshdesk_said(&mirror).await, [said("Is anybody there?"), said("Yes.")]);
}
