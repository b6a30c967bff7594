//! Events over a net in memory, in virtual time.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_connectors::client::{
    Clock, SeededJitter,
    clock::TokioClock,
    transport::{Outgoing, Transport, TransportError},
};
use handoffd_core::Timestamp;
use http::Response;

use super::*;
use crate::{
    app::{self, Outside},
    config,
    engine::{
        Engine,
        parked::{Order, ParkedOrder},
    },
    store::{
        Commit, CommitError, Key, Store,
        blobs::Blobs,
        mem::MemStore,
        tables::{PARKED, ParkedRow},
    },
};

const START: Timestamp = Timestamp(1_767_603_600_000);

const CONFIG: &str = r#"
[agents.ada]
token = "env:PATH"
webhook = { url = "https://ada.example/told", secret = "env:HOOK" }
[agents.bob]
token = "env:PATH"
webhook = { url = "http://127.0.0.1:1/told", secret = "env:HOOK", events = ["handoff.status"] }
"#;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A receiver that answers as it is told to, and remembers what it was posted.
#[derive(Default)]
struct Receiver {
    answers: Mutex<VecDeque<Result<u16, TransportError>>>,
    posts: Mutex<Vec<(String, String, String)>>,
    retry_after: Mutex<Option<&'static str>>,
}

impl Receiver {
    fn answers(&self, answers: impl IntoIterator<Item = u16>) {
        self.answers.lock().expect("a lock").extend(answers.into_iter().map(Ok));
    }

    fn posts(&self) -> Vec<(String, String, String)> {
        self.posts.lock().expect("a lock").clone()
    }

    fn ids(&self) -> Vec<String> {
        self.posts().into_iter().map(|(id, _, _)| id).collect()
    }
}

impl Transport for Receiver {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let header = |name: &str| {
            let value = outgoing.request.headers().get(name).expect("a header");
            value.to_str().expect("text").to_owned()
        };
        let (id, secs, given) =
            (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
        let key = crate::http::signing_key(SECRET).expect("a key");
        let secs: i64 = secs.parse().expect("seconds");
        assert_eq!(given, signature(&key, &id, secs, outgoing.request.body()));
        let body = String::from_utf8_lossy(outgoing.request.body()).into_owned();
        self.posts.lock().expect("a lock").push((id, outgoing.request.uri().to_string(), body));
        let answer = self.answers.lock().expect("a lock").pop_front().unwrap_or(Ok(204));
        let wait = *self.retry_after.lock().expect("a lock");
        Box::pin(async move {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = http::StatusCode::from_u16(answer?).expect("a status");
            if let Some(wait) = wait {
                response.headers_mut().insert("retry-after", http::HeaderValue::from_static(wait));
            }
            Ok(response)
        })
    }
}

struct World {
    engine: Engine,
    store: Arc<MemStore>,
    receiver: Arc<Receiver>,
    clock: Arc<dyn Clock>,
}

impl World {
    async fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(START));
        let store = Arc::new(MemStore::new(clock.clone()));
        Self::over(store, Arc::default(), clock).await
    }

    async fn over(store: Arc<MemStore>, receiver: Arc<Receiver>, clock: Arc<dyn Clock>) -> Self {
        let mut config = config::load_text("a test's configuration", CONFIG, &[]).expect("it loads");
        for agent in config.agents.values_mut() {
            let secret = handoffd_connectors::contract::Secret::new(SECRET);
            agent.webhook.as_mut().expect("a webhook").secret = config::SecretRef::Made(secret);
        }
        let outside = Outside {
            clock: clock.clone(),
            jitter: Arc::new(SeededJitter::new(1)),
            transport: receiver.clone(),
        };
        let parts = app::engine_parts(&config, store.clone(), Blobs::memory(), &outside).await;
        let engine = Engine::new(parts.expect("a good configuration"));
        Self { engine, store, receiver, clock }
    }

    /// Stores an event; the same name is the same event.
    async fn happens(&self, agent: &str, conversation: &str, name: &str) -> bool {
        let event = Event {
            kind: EventKind::Status,
            of: name.to_owned(),
            conversation,
            data: json!({ "name": name }),
        };
        let write = self.engine.event_for(agent, event).await.expect("it can be kept");
        let Some(write) = write else { return false };
        let commit = Commit { writes: vec![write], ..Commit::default() };
        self.store.commit(commit).await.expect("stored");
        true
    }

    async fn waiting(&self) -> Vec<OutboxRow> {
        let rows = tables::read_all::<OutboxRow>(&*self.store, OUTBOX, &Key(Vec::new()), 100).await;
        rows.expect("readable").into_iter().map(|(_, row)| row.value).collect()
    }

    async fn parked(&self) -> Vec<ParkedRow> {
        let rows = tables::read_all::<ParkedRow>(&*self.store, PARKED, &Key(Vec::new()), 100).await;
        rows.expect("readable").into_iter().map(|(_, row)| row.value).collect()
    }

    async fn pass(&self, time: Duration) {
        self.clock.sleep_until(self.clock.now().plus(time)).await;
    }

    async fn order(&self, id: &str, order: Order) {
        let order = ParkedOrder { id: id.to_owned(), order, send_again: false, join: None, alone: false };
        self.engine.parked_order(&order).await.expect("carried out");
    }
}

fn names(posts: &[(String, String, String)]) -> Vec<String> {
    let name = |body: &str| {
        let body: Value = serde_json::from_str(body).expect("JSON");
        body["data"]["name"].as_str().expect("a name").to_owned()
    };
    posts.iter().map(|(_, _, body)| name(body)).collect()
}

#[test]
fn events_are_signed_as_the_reference_libraries_do() {
    let key = crate::http::signing_key(SECRET).expect("a key");
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    assert_eq!(
        signature(&key, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body),
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_is_posted_as_soon_as_it_is_stored() {
    let world = World::new().await;
    let posted = async {
        world.pass(Duration::from_secs(1)).await;
        let event =
            Event { kind: EventKind::Status, of: "one".to_owned(), conversation: "l1", data: json!({}) };
        let write = world.engine.event_for("ada", event).await.expect("it can be kept").expect("a row");
        // Other parts of the commit take their time.
        world.pass(Duration::from_secs(1)).await;
        world.engine.commit(Commit { writes: vec![write], ..Commit::default() }).await.expect("stored");
        world.pass(Duration::from_secs(1)).await;
        world.receiver.posts().len()
    };
    let posted = tokio::select! {
        biased;
        () = world.engine.run_outbox() => unreachable!("it runs until the engine stops"),
        posted = posted => posted,
    };
    assert_eq!(posted, 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_posted_until_it_is_taken_under_one_id() {
    let world = World::new().await;
    world.receiver.answers([500, 302, 429, 200]);
    assert!(world.happens("ada", "c1", "one").await);
    let mut next = world.engine.post_due().await.expect("readable").expect("a next try");
    let mut waits = Vec::new();
    while !world.waiting().await.is_empty() {
        waits.push(next.since(world.clock.now()));
        world.pass(next.since(world.clock.now())).await;
        next = world.engine.post_due().await.expect("readable").unwrap_or(next);
    }
    let ids = world.receiver.ids();
    assert_eq!(ids.len(), 4, "a redirect is not followed and is no success");
    assert!(ids.iter().all(|id| *id == ids[0] && id.starts_with("evt_") && !id.contains('.')), "{ids:?}");
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "ever longer: {waits:?}");
    assert!(waits[0] >= Duration::from_secs(5), "{waits:?}");
    assert_eq!(world.receiver.posts()[0].1, "https://ada.example/told");
}

#[tokio::test(start_paused = true)]
async fn events_of_a_conversation_keep_their_order_and_hold_up_no_other() {
    let world = World::new().await;
    for name in ["a1", "a2", "a3"] {
        world.happens("ada", "a", name).await;
    }
    world.happens("ada", "b", "b1").await;
    world.receiver.answers([503, 503]);
    let next = world.engine.post_due().await.expect("readable").expect("a next try");
    let first = names(&world.receiver.posts());
    assert_eq!(first.len(), 2, "one of each conversation: {first:?}");
    world.pass(next.since(world.clock.now()) + Duration::from_secs(10)).await;
    world.engine.post_due().await.expect("readable");
    let all = names(&world.receiver.posts());
    let of_a: Vec<&String> = all[2..].iter().filter(|name| name.starts_with('a')).collect();
    assert_eq!(of_a, ["a1", "a2", "a3"], "{all:?}");
    assert!(all[2..].contains(&"b1".to_owned()));
    assert!(world.waiting().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_the_answer_and_the_commit_posts_it_again_under_the_same_id() {
    let world = World::new().await;
    world.happens("ada", "a", "one").await;
    let lost = CommitError::Unavailable { why: "the process dies".to_owned() };
    world.store.fail_next(lost, false);
    world.engine.post_due().await.expect("readable");
    assert_eq!((world.receiver.ids().len(), world.waiting().await.len()), (1, 1));

    let store = Arc::new(MemStore::open(world.store.snapshot(), world.clock.clone()));
    let next = World::over(store, world.receiver.clone(), world.clock.clone()).await;
    next.engine.post_due().await.expect("readable");
    let ids = next.receiver.ids();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
    assert!(next.waiting().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_gone_is_left_alone_until_an_admin_looks() {
    let world = World::new().await;
    world.receiver.answers([410]);
    world.happens("ada", "a", "one").await;
    world.engine.post_due().await.expect("readable");
    world.happens("ada", "a", "two").await;
    world.happens("bob", "a", "bobs").await;
    world.pass(Duration::from_secs(100_000)).await;
    world.engine.post_due().await.expect("readable");
    assert_eq!(names(&world.receiver.posts()), ["one", "bobs"], "bob's goes on");
    let parked = world.parked().await;
    assert_eq!((parked.len(), parked[0].kind.as_str(), parked[0].name.as_str()), (1, WEBHOOK, "ada"));
    world.order("webhook/ada", Order::Retry).await;
    world.engine.post_due().await.expect("readable");
    assert_eq!(names(&world.receiver.posts()), ["one", "bobs", "one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_for_too_long_is_parked_and_blocks_nothing() {
    let world = World::new().await;
    world.receiver.answers([500; 200]);
    world.happens("ada", "a", "one").await;
    while world.parked().await.is_empty() {
        let next = world.engine.post_due().await.expect("readable");
        world.pass(next.map_or(Duration::from_secs(60), |next| next.since(world.clock.now()))).await;
    }
    let tries = world.receiver.posts().len();
    assert!((60..200).contains(&tries), "three days of tries, an hour apart at most: {tries}");
    let parked = world.parked().await;
    assert_eq!(parked[0].kind, EVENT);
    assert!(!parked[0].reason.contains("name"), "no word of the event: {}", parked[0].reason);
    world.receiver.answers.lock().expect("a lock").clear();
    world.happens("ada", "a", "two").await;
    world.engine.post_due().await.expect("readable");
    assert_eq!(names(&world.receiver.posts()).last().map(String::as_str), Some("two"));
    world.order(&format!("event/{}", parked[0].name), Order::Retry).await;
    world.engine.post_due().await.expect("readable");
    assert_eq!(names(&world.receiver.posts()).last().map(String::as_str), Some("one"));
    assert!(world.waiting().await.is_empty() && world.parked().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_for_time_gets_it_and_nobody_is_told_what_they_did_not_ask_for() {
    let world = World::new().await;
    *world.receiver.retry_after.lock().expect("a lock") = Some("600");
    world.receiver.answers([429]);
    world.happens("ada", "a", "one").await;
    let next = world.engine.post_due().await.expect("readable").expect("a next try");
    assert_eq!(next.since(world.clock.now()), Duration::from_secs(600));
    assert!(!world.happens("eve", "a", "unknown").await, "an agent that is not configured");
    let event = Event { kind: EventKind::Returned, of: "x".to_owned(), conversation: "a", data: Value::Null };
    assert!(world.engine.event_for("bob", event).await.expect("kept").is_none(), "bob wants states alone");
}
