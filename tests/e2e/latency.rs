//! How long a change is on its way.
//!
//! `cargo nextest run --test e2e --run-ignored only webhook_to_write --no-capture`

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{Method, Uri},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    rest::{got, word},
    run::{freshdesk_shows, mirror_at_freshdesk},
    world::World,
};

const CHANGES: usize = 100;

/// Passes requests on to Freshdesk and tells when a message is written.
#[derive(Clone)]
struct Between {
    to: String,
    auth: String,
    client: reqwest::Client,
    written: Arc<Mutex<mpsc::UnboundedSender<Instant>>>,
}

async fn pass_on(
    State(between): State<Between>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> http::Response<axum::body::Body> {
    let at = Instant::now();
    let path = uri.path_and_query().unwrap().to_string();
    let is_message = method == Method::POST && path.contains("/notes");
    let mut sent = between.client.request(method, format!("{}{path}", between.to));
    sent = sent.header("authorization", between.auth.clone()).header("content-type", "application/json");
    let got = got(sent.body(body)).await;
    if is_message {
        between.written.lock().unwrap().send(at).unwrap();
    }
    let mut response =
        http::Response::builder().status(got.status).header("content-type", "application/json");
    for name in ["link", "location", "x-ratelimit-total", "x-ratelimit-remaining"] {
        response =
            got.headers.get(name).into_iter().fold(response, |response, value| response.header(name, value));
    }
    response.body(got.text.into()).unwrap()
}

async fn put_between(world: &mut World) -> mpsc::UnboundedReceiver<Instant> {
    let (written, writes) = mpsc::unbounded_channel();
    let desk = &world.sandbox.freshdesk;
    let between = Between {
        to: desk.base_url.clone(),
        auth: desk.auth.clone(),
        client: world.client().clone(),
        written: Arc::new(Mutex::new(written)),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    world.config = world.config.replace(&desk.base_url, &address);
    tokio::spawn(
        async move { axum::serve(listener, Router::new().fallback(pass_on).with_state(between)).await },
    );
    writes
}

/// The webhooks are sent by the test itself, so that it knows when.
async fn take_webhooks_off(world: &World) {
    let hooks = world.sandbox.zendesk.get("/api/v2/webhooks").await;
    for hook in hooks["webhooks"].as_array().unwrap() {
        let path = format!("/api/v2/webhooks/{}", word(hook, "id"));
        assert!(world.sandbox.zendesk.send("DELETE", &path, None).await.status < 300);
    }
}

async fn send_webhook(world: &World, number: usize, ticket: &str) {
    let body = json!({ "id": format!("evt-{number}"), "type": "zen:event-type:ticket.comment_added",
        "subject": format!("zen:ticket:{ticket}"), "detail": { "id": ticket }, "event": {} })
    .to_string();
    let at = "2026-01-01T00:00:00Z";
    let mut mac = Hmac::<Sha256>::new_from_slice(world.variable("ZD_SIGNS").as_bytes()).unwrap();
    mac.update(format!("{at}{body}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let request = world.client().post(world.public("/webhooks/zd")).body(body);
    let request = request.header("x-zendesk-webhook-signature", signature);
    let answer = got(request.header("x-zendesk-webhook-signature-timestamp", at)).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures and asserts no times; run it alone on a quiet machine"]
async fn webhook_to_write() {
    let mut world = World::new(20).await;
    let mut writes = put_between(&mut world).await;
    // The polls would bring the news too.
    world.config = world.config.replace("poll = { every = \"1s\"", "poll = { every = \"1h\"");
    // The burst is gathered as long as it is by default.
    world.config = world.config.replace("debounce = \"20ms\"\n", "");
    take_webhooks_off(&world).await;
    let daemon = world.start().await;
    let ticket = world.sandbox.zendesk.zendesk_open("Measured", "Message 0").await;
    send_webhook(&world, 0, &ticket).await;
    let mirror = mirror_at_freshdesk(&world, "Measured").await;
    let mut expected = vec!["Message 0".to_owned()];
    let mut took: Vec<Duration> = Vec::new();
    for number in 1..=CHANGES {
        let text = format!("Message {number}");
        world.sandbox.zendesk.zendesk_reply(&ticket, &text).await;
        expected.push(text);
        let sent = Instant::now();
        send_webhook(&world, number, &ticket).await;
        let written = tokio::time::timeout(Duration::from_secs(20), writes.recv()).await;
        took.push(written.expect("a write").expect("the channel is open") - sent);
        // A settled conversation is measured, not one with work in hand.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    freshdesk_shows(&world, &mirror, &expected).await;
    world.stop(daemon);
    took.sort();
    let at = |percent: usize| took[(took.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1000.0;
    println!("webhook to write: p50 {:.1} ms, p99 {:.1} ms", at(50), at(99));
}
