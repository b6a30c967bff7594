//! Lost answers, where only Intercom's own marks tell whose a message is.

use std::collections::BTreeSet;

use handoffd_core::{Fields, Mail, Message, RemoteId};
use serde_json::{Value as Json, json};

use crate::{
    client::TokioClock,
    conformance::bench::{NOW, bo, private, public, update},
    contract::{Attempted, Error, Helpdesk, Opened},
    intercom::api::reference,
    specs::{
        bodies::call,
        canned::{Canned, Route},
    },
};

const WORDS: &str = "It is fixed.";

/// A message of the admin 7, and what it says of the app that made it.
fn part(id: &str, kind: &str, body: &str, app: Option<&str>) -> Json {
    json!({"id": id, "part_type": kind, "body": body, "created_at": NOW.as_secs(),
        "author": {"type": "admin", "id": "7"}, "app_package_code": app})
}

fn conversation(id: &str, parts: &[Json]) -> Json {
    json!({"id": id, "created_at": NOW.as_secs() - 60, "updated_at": NOW.as_secs(), "state": "open",
        "conversation_parts": {"conversation_parts": parts, "total_count": parts.len()}})
}

fn desk(routes: Vec<Route>) -> std::sync::Arc<dyn Helpdesk> {
    let clock = TokioClock::starting_at(NOW);
    match Canned::new(routes).open("intercom", Vec::new(), r#"{"admin_id": 7}"#, clock) {
        Opened::Helpdesk(desk) => desk,
        Opened::ContextSource(_) => panic!("it is a helpdesk"),
    }
}

/// What a look for a message finds on a conversation that has these parts.
async fn found(
    desk: &dyn Helpdesk,
    conversation: &str,
    message: Message,
    op: &str,
) -> Result<Option<RemoteId>, Error> {
    let intent = update(&RemoteId::from(conversation), Fields::new(), Some(message), op);
    let lost = Attempted { intent: &intent, sent_at: NOW, claimed: &BTreeSet::new(), author: None };
    Ok(desk.find_applied(call(), lost).await?.and_then(|applied| applied.comment))
}

/// Not every workspace says by which app a part was made, as Intercom's own examples do not.
#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_found_where_parts_name_no_app() {
    let parts =
        [part("140", "comment", "<p>Before.</p>", None), part("141", "comment", "<p>It is fixed.</p>", None)];
    let desk = desk(vec![Route::json("GET /conversations/1", &conversation("1", &parts))]);
    let sought = public(WORDS, Mail::Send);
    assert_eq!(found(&*desk, "1", sought, "l0-1").await.unwrap(), Some(RemoteId::from("141")));
}

/// Another app may write as the same admin.
#[tokio::test(start_paused = true)]
async fn another_apps_words_are_not_taken_for_ours() {
    let note = part("134", "note", "<p>Handed over.</p>", Some("ours-1"));
    let said = "<p>It is fixed.</p>";
    let others = part("141", "comment", said, Some("others-9"));
    let persons = part("142", "comment", said, None);
    let ours = part("143", "comment", said, Some("ours-1"));
    let desk = desk(vec![
        Route::json("POST /conversations/1/reply", &conversation("1", &[note])),
        Route::json("GET /conversations/1", &conversation("1", &[others.clone(), persons.clone()])),
        Route::json("GET /conversations/2", &conversation("2", &[others, persons, ours])),
    ]);
    // Ours is not known before the first answer: then any app may be it, and no person.
    let sought = || public(WORDS, Mail::Send);
    assert_eq!(found(&*desk, "1", sought(), "l0-1").await.unwrap(), Some(RemoteId::from("141")));
    let first =
        update(&RemoteId::from("1"), Fields::new(), Some(private("Handed over.", Some(bo()))), "l0-0");
    desk.apply(call(), &first, None, &[]).await.unwrap();
    assert_eq!(found(&*desk, "1", sought(), "l0-1").await.unwrap(), None);
    assert_eq!(found(&*desk, "2", sought(), "l0-1").await.unwrap(), Some(RemoteId::from("143")));
}

/// Our own words bear a reference, which is sign enough.
#[tokio::test(start_paused = true)]
async fn our_own_words_are_found_by_their_reference() {
    let mark = |op: &str| format!("<p>Briefing</p><p>{}</p>", reference(&op.into()));
    let parts =
        [part("141", "note", &mark("l0-other"), Some("ours-1")), part("142", "note", &mark("l0-1"), None)];
    let desk = desk(vec![Route::json("GET /conversations/1", &conversation("1", &parts))]);
    let sought = private("Briefing", None);
    assert_eq!(found(&*desk, "1", sought, "l0-1").await.unwrap(), Some(RemoteId::from("142")));
}
