//! How long a handoff takes beyond what the vendors take to answer.
//!
//! `cargo nextest run --test e2e --run-ignored only handoffs_at_once --no-capture`

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Uri},
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    rest::{Vendor, got, id},
    world::{World, within},
};

const HANDOFFS: usize = 100;

/// One answer of a vendor: to what, and from when to when.
struct Answered {
    what: String,
    body: String,
    from: Instant,
    until: Instant,
}

/// Passes requests on to a vendor and remembers how long each took.
#[derive(Clone)]
struct Between {
    to: String,
    client: reqwest::Client,
    answers: Arc<Mutex<Vec<Answered>>>,
}

async fn pass_on(
    State(between): State<Between>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> http::Response<axum::body::Body> {
    let path = uri.path_and_query().unwrap().to_string();
    let mut sent = between.client.request(method.clone(), format!("{}{path}", between.to)).body(body.clone());
    for (name, value) in headers.iter().filter(|(name, _)| *name != "host" && *name != "content-length") {
        sent = sent.header(name, value);
    }
    let from = Instant::now();
    let got = got(sent).await;
    let answered = Answered {
        what: format!("{method} {path}"),
        body: String::from_utf8_lossy(&body).into_owned(),
        from,
        until: Instant::now(),
    };
    between.answers.lock().unwrap().push(answered);
    let mut response = http::Response::builder().status(got.status);
    for (name, value) in got.headers.iter().filter(|(name, _)| *name != "transfer-encoding") {
        response = response.header(name, value);
    }
    response.body(got.text.into()).unwrap()
}

/// Stands between the daemon and a vendor from the next start on.
async fn put_between(world: &mut World, vendor: &Vendor, answers: &Arc<Mutex<Vec<Answered>>>) {
    let between =
        Between { to: vendor.base_url.clone(), client: world.client().clone(), answers: answers.clone() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    world.config = world.config.replace(&vendor.base_url, &address);
    tokio::spawn(
        async move { axum::serve(listener, Router::new().fallback(pass_on).with_state(between)).await },
    );
}

/// A customer's ticket at Zendesk.
async fn opened(desk: &Vendor, number: usize) -> String {
    let requester = json!({ "name": format!("Customer {number}"), "email": email(number) });
    let ticket = json!({ "subject": format!("Order {number}"), "comment": { "body": "Where is it?" },
        "requester": requester });
    let made = desk.write("POST", "/api/v2/tickets.json", json!({ "ticket": ticket })).await;
    id(&made["ticket"])
}

fn email(number: usize) -> String {
    format!("customer-{number}@example.org")
}

fn handoff(ticket: &str) -> serde_json::Value {
    json!({
        "conversation": { "account": "zd", "ticket_id": ticket },
        "reason": "a person must decide",
        "transcript": [
            { "role": "user", "content": "Where is it?" },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "find_parcel", "arguments": "{}" } } ] },
            { "role": "tool", "tool_call_id": "c1", "content": "Error: no such parcel" },
        ],
    })
}

/// Whether a request names this ticket.
fn names(answered: &Answered, ticket: &str) -> bool {
    let plain = answered.what.replace("%2C", ",");
    plain.contains("ticket") && plain.split(['/', '?', '=', ',', '.', '&']).any(|part| part == ticket)
}

/// The write that carries a briefing, by its ticket.
fn is_note(answered: &Answered, ticket: &str) -> bool {
    answered.what.starts_with("PUT ") && names(answered, ticket) && answered.body.contains("find parcel")
}

/// The slowest answer that this handoff waited for: about its ticket or its customer.
fn slowest(answers: &[Answered], ticket: &str, number: usize, from: Instant, until: Instant) -> Duration {
    let customer = email(number).replace('@', "%40");
    let is_its = |answered: &&Answered| {
        let then = answered.from >= from && answered.until <= until;
        then && (answered.what.contains(&customer) || names(answered, ticket))
    };
    answers.iter().filter(is_its).map(|one| one.until - one.from).max().expect("its own write at least")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures and asserts no times; run it alone on a quiet machine"]
async fn handoffs_at_once() {
    // Stripe serves 20 searches a second: the last of many wait for their turn there.
    for with_source in [false, true] {
        measure(with_source).await;
    }
}

async fn measure(with_source: bool) {
    let mut world = World::new(31).await;
    world.unlimited();
    if !with_source {
        let (before, rest) = world.config.split_once("[accounts.pay]").unwrap();
        let (_, after) = rest.split_once("[groups.support]").unwrap();
        world.config = format!("{before}[groups.support]{after}");
    }
    let answers = Arc::new(Mutex::new(Vec::new()));
    let (zendesk, stripe) = (world.sandbox.zendesk.clone(), world.sandbox.stripe.clone());
    put_between(&mut world, &zendesk, &answers).await;
    put_between(&mut world, &stripe, &answers).await;
    // One helpdesk alone: what is measured is the handoff, not the copies.
    world.config = world
        .config
        .replace("accounts = [\"zd\", \"fd\"]\ncustomer_facing = \"zd\"\n", "accounts = [\"zd\"]\n")
        .replace("routes = [{ from = \"zd\", to = \"fd\" }, { from = \"fd\", to = \"zd\" }]\n", "")
        .replace("debounce = \"20ms\"\n", "");
    let daemon = world.start().await;
    let mut tickets = Vec::new();
    for number in 0..HANDOFFS {
        tickets.push(opened(&zendesk, number).await);
    }
    // Known and at rest before they are handed over.
    tokio::time::sleep(Duration::from_secs(12)).await;
    answers.lock().unwrap().clear();
    let mut posted = Vec::new();
    let world = Arc::new(world);
    for ticket in tickets.clone() {
        let world = world.clone();
        posted.push(tokio::spawn(async move {
            let from = Instant::now();
            let answer = world.announce(&format!("k-{ticket}"), &handoff(&ticket)).await;
            assert_eq!(answer.status, 202, "{answer:?}");
            (from, from.elapsed())
        }));
    }
    let mut began = Vec::new();
    for post in posted {
        began.push(post.await.unwrap());
    }
    let all_there = || async {
        let answers = answers.lock().unwrap();
        tickets.iter().all(|ticket| answers.iter().any(|one| is_note(one, ticket))).then_some(())
    };
    within(Duration::from_secs(120), "every note", all_there).await;
    let answers = answers.lock().unwrap();
    let mut series: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (number, (ticket, (from, answered))) in tickets.iter().zip(&began).enumerate() {
        let notes: Vec<&Answered> = answers.iter().filter(|one| is_note(one, ticket)).collect();
        assert_eq!(notes.len(), 1, "one note on {ticket}");
        let until = notes[0].until;
        let slowest = slowest(&answers, ticket, number, *from, until);
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        series.entry("1 trigger to visible note").or_default().push(ms(until - *from));
        series.entry("2 slowest vendor answer of it").or_default().push(ms(slowest));
        series
            .entry("3 trigger to visible note, less the slowest answer")
            .or_default()
            .push(ms(until - *from - slowest));
        series.entry("4 trigger to our 202").or_default().push(ms(*answered));
    }
    let how = if with_source { "Stripe is asked" } else { "nobody is asked" };
    println!("{HANDOFFS} handoffs at once at one helpdesk, {how}:");
    for (what, mut times) in series {
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
        println!("  {what}: p50 {:.1} ms, p99 {:.1} ms", at(50), at(99));
    }
    drop(answers);
    let _ended = world.stop(daemon);
}
