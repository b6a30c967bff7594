//! `handoffd run`: both directions, the admin listener, the end.

use std::{os::unix::fs::PermissionsExt as _, time::Instant};

use crate::{
    rest::{Said, got},
    world::{World, eventually},
};

/// The one ticket that a helpdesk shows with this subject.
pub fn only(tickets: &[(String, String)], subject: &str) -> Option<String> {
    let mut found = tickets.iter().filter(|(_, shown)| shown == subject);
    let first = found.next().map(|(id, _)| id.clone());
    assert!(found.next().is_none(), "{subject:?} is there twice: {tickets:?}");
    first
}

/// Waits for the mirror of a ticket at Freshdesk.
pub async fn mirror_at_freshdesk(world: &World, subject: &str) -> String {
    let desk = &world.sandbox.freshdesk;
    eventually("a mirror at Freshdesk", || async { only(&desk.freshdesk_tickets().await, subject) }).await
}

/// Waits until a ticket at Freshdesk shows these public messages.
pub async fn freshdesk_shows(world: &World, ticket: &str, texts: &[&str]) {
    let desk = &world.sandbox.freshdesk;
    let shown = || async { (public(&desk.freshdesk_said(ticket).await) == texts).then_some(()) };
    eventually(&format!("{texts:?} at Freshdesk"), shown).await;
}

/// Waits until a ticket at Zendesk shows these public messages.
pub async fn zendesk_shows(world: &World, ticket: &str, texts: &[&str]) {
    let desk = &world.sandbox.zendesk;
    let shown = || async { (public(&desk.zendesk_said(ticket).await) == texts).then_some(()) };
    eventually(&format!("{texts:?} at Zendesk"), shown).await;
}

/// The texts that the customer sees.
pub fn public(said: &[Said]) -> Vec<String> {
    said.iter().filter(|said| said.public).map(|said| said.text.clone()).collect()
}

#[tokio::test]
async fn a_ticket_travels_both_ways_and_the_daemon_ends_well() {
    let world = World::new(11).await;
    let daemon = world.start().await;
    let ticket = world.sandbox.zendesk.zendesk_open("Lost parcel", "It never came.").await;
    let mirror = mirror_at_freshdesk(&world, "Lost parcel").await;
    world.sandbox.zendesk.zendesk_reply(&ticket, "We look for it.").await;
    freshdesk_shows(&world, &mirror, &["It never came.", "We look for it."]).await;
    world.sandbox.freshdesk.freshdesk_reply(&mirror, "Found: it arrives on Monday.").await;
    zendesk_shows(&world, &ticket, &["It never came.", "We look for it.", "Found: it arrives on Monday."])
        .await;

    health(&world).await;
    status_page(&world).await;
    metrics(&world).await;

    let began = Instant::now();
    let ended = world.stop(daemon);
    assert!(began.elapsed().as_secs() < 5, "it stops at once when nothing is in hand");
    assert!(ended.stderr.contains("handoffd works."), "{ended:?}");
    assert_eq!(ended.stdout, "");
    for text in ["It never came.", "arrives on Monday"] {
        assert!(!ended.stderr.contains(text), "a ticket's text is in the log: {ended:?}");
    }
}

async fn health(world: &World) {
    for address in [world.admin("/healthz"), world.admin("/readyz"), world.public("/healthz")] {
        assert_eq!(got(world.client().get(&address)).await.status, 200, "{address}");
    }
    let mode = std::fs::metadata(world.token_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let data = std::fs::metadata(world.token_file().parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(data & 0o777, 0o700);
}

async fn status_page(world: &World) {
    for path in ["/status", "/status.json", "/metrics"] {
        let refused = got(world.client().get(world.admin(path))).await;
        assert_eq!(refused.status, 401, "{path}");
        assert!(refused.headers.contains_key("www-authenticate"), "a browser asks for the password");
        let wrong = world.client().get(world.admin(path)).header("authorization", "Bearer 0123456789abcdef");
        assert_eq!(got(wrong).await.status, 401, "{path}");
        assert_eq!(got(world.client().get(world.public(path))).await.status, 404, "{path} is not public");
    }
    let page = world.admin_get("/status").await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("<html") && page.text.contains("zd") && page.text.contains("fd"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("It never came."));
    let report = world.admin_get("/status.json").await.json;
    let accounts = report["accounts"].as_array().unwrap();
    for name in ["zd", "fd"] {
        let account = accounts.iter().find(|account| account["account"] == name).unwrap();
        assert_eq!(account["state"], "works", "{account}");
    }
    assert_eq!(report["parked"], serde_json::json!([]));
}

/// Every line of OpenMetrics text is a comment or `name{labels} number`, and the last is the end.
async fn metrics(world: &World) {
    let text = world.admin_get("/metrics").await.text;
    assert_eq!(text.lines().last(), Some("# EOF"));
    let mut samples = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        assert!(value.parse::<f64>().is_ok(), "no number: {line}");
        let bare = name.split('{').next().unwrap();
        assert!(bare.starts_with("handoffd_"), "{line}");
        assert!(bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
        assert_eq!(name.contains('{'), name.ends_with('}'), "{line}");
        samples += 1;
    }
    assert!(samples > 5, "{text}");
}
