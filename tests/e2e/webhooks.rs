//! Webhooks over real HTTP: what is taken, and what is not.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;

use crate::{
    process::Process,
    rest::{Got, got},
    world::{World, eventually},
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

/// A vendor that takes connections and never answers. They are counted.
async fn mute() -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, count) = (format!("http://{}", listener.local_addr().unwrap()), std::sync::Arc::default());
    let counted: std::sync::Arc<std::sync::atomic::AtomicUsize> = std::sync::Arc::clone(&count);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
            counted.store(held.len(), std::sync::atomic::Ordering::SeqCst);
        }
    });
    (url, count)
}

const INTERCOM: &str = r#"
[accounts.ic]
connector = "intercom"
base_url = "@mute@"
auth = { method = "bearer", token = "env:IC_TOKEN" }
webhook_secret = "env:IC_SIGNS"
"#;

/// The answer waits for our own disk alone: Intercom wants it within half a second.
#[tokio::test]
async fn a_notification_is_answered_while_its_vendor_answers_nothing() {
    let mut world = World::new(17).await;
    let (url, calls) = mute().await;
    world.config = world
        .config
        .replace("accounts = [\"zd\", \"fd\"]\ncustomer", "accounts = [\"zd\", \"fd\", \"ic\"]\ncustomer");
    world.config.push_str(&INTERCOM.replace("@mute@", &url));
    world.set("IC_TOKEN", "the-token-of-the-app");
    world.set("IC_SIGNS", "the-client-secret-of-the-app");
    let daemon = world.start().await;
    // By now Intercom was asked something, and every answer is still due.
    let asked = || calls.load(std::sync::atomic::Ordering::SeqCst);
    eventually("a call", || async { (asked() > 0).then_some(()) }).await;
    let hook = world.public("/webhooks/ic");
    assert_eq!(got(world.client().head(&hook)).await.status, 200);
    let notify = |id: &str| {
        let body = json!({ "type": "notification_event", "id": id, "topic": "conversation.user.replied",
            "data": { "item": { "type": "conversation", "id": "2154" } } });
        let body = body.to_string();
        let mut mac = Hmac::<Sha1>::new_from_slice(b"the-client-secret-of-the-app").unwrap();
        mac.update(body.as_bytes());
        let signature = format!("sha1={}", hex::encode(mac.finalize().into_bytes()));
        world.client().post(&hook).header("x-hub-signature", signature).body(body)
    };
    for id in ["notif_1", "notif_2", "notif_2"] {
        assert_eq!(got(notify(id)).await.status, 200);
    }
    let forged = notify("notif_3").header("x-hub-signature", "sha1=00");
    assert_eq!(got(forged.body("{}")).await.status, 401);
    let daemon = daemon.kill();
    assert!(!daemon.stderr.contains("the-client-secret-of-the-app"));
    let report = world.command(&["store", "verify", "--json"]).with_code(0);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!((rows(&report["tables"], "deliveries"), report["jobs"].as_u64()), (2, Some(1)), "{report}");
}
