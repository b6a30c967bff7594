//! Webhooks over real HTTP: what is taken, and what is not.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    process::Process,
    rest::{Got, got},
    world::World,
};

const SIGNED_AT: &str = "2026-01-01T00:00:00Z";

async fn send(world: &World, secret: &str, body: &Value) -> Got {
    let body = body.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(SIGNED_AT.as_bytes());
    mac.update(body.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let request = world.client().post(world.public("/webhooks/zd")).body(body);
    let request = request.header("x-zendesk-webhook-signature", signature);
    got(request.header("x-zendesk-webhook-signature-timestamp", SIGNED_AT)).await
}

fn event(id: &str, ticket: &str) -> Value {
    json!({ "id": id, "type": "zen:event-type:ticket.status_changed", "subject": format!("zen:ticket:{ticket}"),
        "detail": { "id": ticket }, "event": {} })
}

/// Stops the daemon; answers with the store's rows by table, and its jobs.
fn stored(world: &World, daemon: Process) -> (Value, u64) {
    world.stop(daemon);
    let report = world.command(&["store", "verify", "--json"]).with_code(0);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["ok"], true, "{report}");
    (report["tables"].clone(), report["jobs"].as_u64().unwrap())
}

fn rows(tables: &Value, table: &str) -> u64 {
    tables[table].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn only_a_signed_webhook_is_stored_and_only_once() {
    let mut world = World::new(13).await;
    // Only webhooks bring news here.
    world.config = world.config.replace("poll = { every = \"1s\"", "poll = { every = \"1h\"");
    let secret = world.variable("ZD_SIGNS");
    let daemon = world.start().await;
    let forged = send(&world, "not-the-secret", &event("evt-1", "77")).await;
    assert_eq!(forged.status, 401, "{forged:?}");
    let bare = world.client().post(world.public("/webhooks/zd")).body(event("evt-1", "77").to_string());
    assert_eq!(got(bare).await.status, 401);
    let no_account = world.client().post(world.public("/webhooks/nobody")).body("{}");
    assert_eq!(got(no_account).await.status, 404);
    let source = world.client().post(world.public("/webhooks/pay")).body("{}");
    assert_eq!(got(source).await.status, 404);
    assert_eq!(got(world.client().head(world.public("/webhooks/zd"))).await.status, 200);
    assert_eq!(got(world.client().put(world.public("/webhooks/zd"))).await.status, 405);
    let torn = send(&world, &secret, &json!({ "type": "zen:event-type:ticket.created" })).await;
    assert_eq!(torn.status, 400, "{torn:?}");
    let long = world.client().post(world.public("/webhooks/zd")).body("x".repeat(70_000));
    assert_eq!(got(long).await.status, 413);
    let (tables, jobs) = stored(&world, daemon);
    assert_eq!((rows(&tables, "deliveries"), rows(&tables, "tickets"), jobs), (0, 0, 0), "{tables}");

    let daemon = world.start().await;
    for _ in 0..3 {
        assert_eq!(send(&world, &secret, &event("evt-1", "77")).await.status, 200);
    }
    assert_eq!(send(&world, &secret, &event("evt-2", "77")).await.status, 200);
    let metrics = world.admin_get("/metrics").await.text;
    let repeated = metrics.lines().find(|line| line.contains("\"repeated\""));
    assert!(repeated.is_some_and(|line| line.ends_with(" 2")), "{metrics}");
    let (tables, _) = stored(&world, daemon);
    assert_eq!(rows(&tables, "deliveries"), 2, "{tables}");
}
