//! The adapter as a whole: against the simulator, by the standard suite.

mod desk;
mod limits;
mod lost;
mod replies;
mod specs;
mod tickets;

use handoffd_core::{Fields, RemoteId};

use crate::{
    client::TokioClock,
    conformance::bench::{NOW, private, update},
    contract::Opened,
    specs::{
        bodies::call,
        canned::{Canned, Route},
    },
};

/// What the suite is told of an account of conversations and tickets.
const CONVERSATIONS: crate::conformance::Terms = crate::conformance::Terms {
    name: "intercom",
    simulator: None,
    small_pages: r#"{"search_page_rows": 10}"#,
    page_rows: 10,
    lacking: r#"{"marker_attribute": "no_such_key"}"#,
    creates_once: false,
    tells_merges: false,
    cannot: &[
        crate::conformance::Cannot::TellDeletions,
        crate::conformance::Cannot::RingForFields,
        crate::conformance::Cannot::SaySilently,
        crate::conformance::Cannot::CreateWithFiles,
    ],
    requests: crate::conformance::Requests {
        // One search of conversations and one of tickets.
        feed_of_50: 2,
        feed_of_none: 2,
        fetch_1: 1,
        fetch_50: 50,
        comments_3: 1,
        comments_120: 1,
        // The title; the tag, made and put on.
        fields: 3,
        // The reply; the title; the tag, and the other one taken off.
        fields_and_reply: 5,
        fields_and_silent: 5,
        customers_words: 1,
        note: 1,
        // The message, the title and marker, the state, two tags.
        create: 7,
        find_reply: 1,
        find_create: 1,
        known_person: 1,
        new_person: 2,
        note_with_2_files: 1,
        download: 1,
        hide: 0,
        // The conversation, for whether it is the first message.
        redact: 2,
        import: 0,
        history_of_50: 4,
        // Attributes, ticket types, ticket states, admins, teams.
        catalog: 5,
    },
};

crate::conformance::helpdesk!(super::CONVERSATIONS);

/// The answer to a note as Intercom's own example has it: nothing says that the API made it.
#[tokio::test(start_paused = true)]
async fn a_new_note_is_known_without_the_mark_of_an_app() {
    let part = |id: &str, kind: &str, author: &str| {
        serde_json::json!({"id": id, "part_type": kind, "body": "<p>Handed over.</p>", "created_at": 1_734_537_565,
            "author": {"type": "admin", "id": author}, "app_package_code": null})
    };
    let parts = [part("133", "note", "7"), part("134", "note", "7"), part("135", "comment", "8")];
    let answer = serde_json::json!({"id": "1", "created_at": 1_734_537_563, "updated_at": 1_734_537_565,
        "conversation_parts": {"conversation_parts": parts, "total_count": 3}});
    let canned = Canned::new(vec![Route::json("POST /conversations/1/reply", &answer)]);
    let clock = TokioClock::starting_at(NOW);
    let Opened::Helpdesk(desk) = canned.open("intercom", Vec::new(), r#"{"admin_id": 7}"#, clock) else {
        panic!("it is a helpdesk")
    };
    let note = update(&RemoteId::from("1"), Fields::new(), Some(private("Handed over.", None)), "l0-note");
    let applied = desk.apply(call(), &note, None, &[]).await.unwrap();
    assert_eq!(applied.comment, Some(RemoteId::from("134")), "the newest of ours");
}
