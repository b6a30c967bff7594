//! What cannot be read, written or mapped is parked alone, and a refused cursor loses nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use handoffd::engine::parked::{Order, ParkedOrder, ParkedThing};
use handoffd_connectors::sim::{HumanAct, Who, faults::Faults};
use handoffd_core::{AccountId, RemoteId};
use http::{Request, Response};
use serde_json::{Value, json};

use crate::{
    Lines, past,
    world::{DESKS, FRESHDESK, Life, Profile, ZENDESK},
};

/// Long enough for every webhook and a feed, and for a write to be given up.
const SETTLED: Duration = Duration::from_secs(300);

/// A net without faults, with webhooks or without.
fn profile(webhooks: bool) -> Profile {
    let faults = Faults { webhook_lost: if webhooks { 0 } else { 1_000 }, ..Faults::none() };
    let minute = Duration::from_secs(60);
    Profile {
        desks: DESKS.to_vec(),
        facing: ZENDESK,
        rich: false,
        faults,
        crashes: false,
        expiries: false,
        deletes: false,
        talks_max: 0,
        draws: 0,
        pause_ms_max: 1,
        intake_within: minute,
        quiet: Duration::ZERO,
    }
}

async fn rest(life: &mut Life, wait: Duration) {
    let until = life.now().plus(wait);
    while life.now() < until {
        life.pass(Duration::from_millis(500)).await;
    }
}

fn open(life: &Life, desk: &str, email: &str, subject: &str) -> RemoteId {
    let act = HumanAct::Open {
        name: "Somebody".to_owned(),
        email: email.to_owned(),
        subject: subject.to_owned(),
        text: format!("These are the first words of {subject}."),
        to_bot: false,
    };
    life.world.human(&AccountId::new(desk), act).expect("a ticket")
}

fn say(life: &Life, desk: &str, ticket: &RemoteId, text: &str) {
    let (ticket, text) = (ticket.clone(), text.to_owned());
    let act = HumanAct::Say { ticket, who: Who::Agent("Mara".to_owned()), text, public: true };
    life.world.human(&AccountId::new(desk), act).expect("a reply");
}

/// How many tickets of this subject a helpdesk has, and whether one of them shows the words.
fn shown(life: &Life, desk: &str, subject: &str, words: &str) -> (usize, bool) {
    let of: Vec<_> = life.tickets(desk).into_iter().filter(|one| one.subject == subject).collect();
    let says = of.iter().any(|one| one.comments.iter().any(|comment| comment.text.contains(words)));
    (of.len(), says)
}

/// Every object in a body.
fn each(body: &mut Value, change: &dyn Fn(&mut serde_json::Map<String, Value>)) {
    match body {
        Value::Array(all) => all.iter_mut().for_each(|one| each(one, change)),
        Value::Object(object) => {
            change(object);
            object.values_mut().for_each(|one| each(one, change));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

const UNREAD: &str = "Cannot be read";
const UNWRITTEN: &str = "Cannot be written";
const UNMAPPED: &str = "Cannot be mapped";

/// Freshdesk shows one ticket malformed and refuses another for good; Zendesk names nobody for a third.
fn poison(life: &Life) {
    life.tamper.spoil(|body| {
        each(body, &|object| {
            if object.get("subject").and_then(Value::as_str) == Some(UNREAD) {
                object.insert("updated_at".to_owned(), json!("yesterday"));
            }
            if object.get("email").and_then(Value::as_str) == Some("nobody@example.com") {
                object.insert("email".to_owned(), Value::Null);
            }
        });
    });
    life.tamper.refuse(|request: &Request<Bytes>| {
        let is_it = request.method() == http::Method::POST
            && request.uri().host().is_some_and(|host| host.starts_with(FRESHDESK))
            && String::from_utf8_lossy(request.body()).contains(UNWRITTEN);
        let error = json!({"description": "Validation failed", "errors": [
            {"field": "subject", "message": "It is not one of ours", "code": "invalid_value"}]});
        is_it.then(|| {
            let body = Bytes::from(error.to_string());
            Response::builder()
                .status(400)
                .header("content-type", "application/json")
                .body(body)
                .expect("an answer")
        })
    });
}

async fn parked(life: &Life) -> Vec<ParkedThing> {
    life.engine().parked().await.expect("rows")
}

async fn poisoned(webhooks: bool) {
    let mut life = Life::begin(1, profile(webhooks), false).await;
    poison(&life);
    open(&life, FRESHDESK, "dana@example.com", UNREAD);
    open(&life, ZENDESK, "dana@example.com", UNWRITTEN);
    open(&life, ZENDESK, "nobody@example.com", UNMAPPED);
    let good = [(ZENDESK, FRESHDESK, "Good at Zendesk"), (FRESHDESK, ZENDESK, "Good at Freshdesk")];
    let ids = good.map(|(desk, _, subject)| open(&life, desk, "sam@example.com", subject));
    rest(&mut life, SETTLED).await;
    for ((desk, _, _), id) in good.iter().zip(&ids) {
        say(&life, desk, id, "said behind the poison");
    }
    rest(&mut life, SETTLED).await;

    for (_, to, subject) in good {
        assert_eq!(shown(&life, to, subject, "said behind the poison"), (1, true), "{subject} goes on");
    }
    let things = parked(&life).await;
    let told: Vec<String> = things.iter().map(|one| format!("{}: {}", one.id, one.row.reason)).collect();
    assert_eq!(things.len(), 3, "each alone, and once: {told:#?}");
    for thing in &things {
        let command = format!("handoffd parked retry {}", thing.id);
        assert!(!thing.row.reason.is_empty() && thing.remedy.contains(&command), "{thing:?}");
    }
    for words in ["updated_at: not a time", "subject invalid_value", "no e-mail address"] {
        let of = told.iter().filter(|line| line.contains(words)).count();
        assert_eq!(of, 1, "{words}: {told:#?}");
    }
    for (subject, to) in [(UNREAD, ZENDESK), (UNWRITTEN, FRESHDESK), (UNMAPPED, FRESHDESK)] {
        assert_eq!(shown(&life, to, subject, "first words").0, 0, "{subject}");
    }

    life.tamper.mend();
    for thing in things {
        let order =
            ParkedOrder { id: thing.id, order: Order::Retry, send_again: false, join: None, alone: false };
        life.engine().parked_order(&order).await.expect("it is tried again");
    }
    rest(&mut life, SETTLED).await;
    for (subject, to) in [(UNREAD, ZENDESK), (UNWRITTEN, FRESHDESK), (UNMAPPED, FRESHDESK)] {
        assert_eq!(shown(&life, to, subject, "first words"), (1, true), "{subject} is in step");
    }
    let left: Vec<String> = parked(&life).await.into_iter().map(|one| one.row.reason).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn poison_seen_by_webhook_is_parked_alone() {
    past::run(poisoned(true));
}

#[test]
fn poison_seen_by_feeds_is_parked_alone() {
    past::run(poisoned(false));
}

/// Zendesk refuses the cursor until the feed asks from a time again; webhooks do not come.
async fn refused_cursor(lines: Lines) {
    let mut life = Life::begin(1, profile(false), false).await;
    let id = open(&life, ZENDESK, "dana@example.com", "Before");
    rest(&mut life, SETTLED).await;
    assert_eq!(shown(&life, FRESHDESK, "Before", "first words"), (1, true));

    say(&life, ZENDESK, &id, "said before the cursor was refused");
    let asked = Arc::new(AtomicU32::new(0));
    let restarted = Arc::new(AtomicU32::new(0));
    let (by_cursor, by_time) = (asked.clone(), restarted.clone());
    life.tamper.refuse(move |request: &Request<Bytes>| {
        let uri = request.uri();
        let query = uri.query().filter(|_| uri.path().contains("incremental/tickets"))?;
        if query.contains("start_time=") {
            by_time.fetch_add(1, Ordering::SeqCst);
        }
        if !query.contains("cursor=") || by_time.load(Ordering::SeqCst) > 0 {
            return None;
        }
        by_cursor.fetch_add(1, Ordering::SeqCst);
        let body = Bytes::from(r#"{"error":"InvalidCursor","description":"The cursor is not valid"}"#);
        Some(
            Response::builder()
                .status(400)
                .header("content-type", "application/json")
                .body(body)
                .expect("an answer"),
        )
    });
    open(&life, ZENDESK, "sam@example.com", "Meanwhile");
    rest(&mut life, SETTLED).await;

    let (asked, restarted) = (asked.load(Ordering::SeqCst), restarted.load(Ordering::SeqCst));
    assert!(asked >= 1 && restarted >= 1, "refused {asked} times, restarted {restarted} times");
    assert_eq!(restarted, 1, "it starts again once, then goes on by cursor");
    assert_eq!(shown(&life, FRESHDESK, "Before", "said before the cursor"), (1, true));
    assert_eq!(shown(&life, FRESHDESK, "Meanwhile", "first words"), (1, true));
    let log = lines.text();
    let said = log.lines().filter(|line| line.contains("The cursor is refused")).count();
    assert_eq!(said, 1, "it is said once");
    assert!(parked(&life).await.is_empty());
}

#[test]
fn a_refused_cursor_starts_again_and_loses_nothing() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
    tracing::subscriber::with_default(subscriber, || past::run(refused_cursor(lines.clone())));
}
