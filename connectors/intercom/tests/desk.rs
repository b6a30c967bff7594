//! What only Intercom has: the newest 500 parts, versions, and conversations that became tickets.

use bytes::Bytes;
use handoffd_core::{Comment, Fetched, Fields, Mail, RemoteId, Role};
use http::Request;
use serde_json::{Value as Json, json};

use crate::{
    conformance::{
        Terms,
        bench::{Bench, NOW, SECRET, key, private, public, update},
    },
    contract::{Changes, Disarms, Error, FeedRow, FeedStart},
    intercom::{comments::HIDDEN_ID, feed::TICKETS},
    sim::Who,
};

static USUAL: Terms = super::CONVERSATIONS;

/// Asks the simulator as another client of the workspace would.
fn ask(bench: &Bench, method: &str, path: &str, body: &Json) -> Json {
    let now = bench.now();
    bench.sim(|sim| {
        let token = sim.credentials()["access_token"].as_str().unwrap().to_owned();
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {token}"));
        let answer = sim.handle(request.body(Bytes::from(body.to_string())).unwrap(), now);
        assert!(answer.status().is_success(), "{method} {path}: {answer:?}");
        serde_json::from_slice(answer.body()).unwrap()
    })
}

#[tokio::test(start_paused = true)]
async fn messages_that_intercom_keeps_to_itself_are_told_to_everybody() {
    let bench = Bench::open(&USUAL).await;
    let ticket = bench.ticket("Long");
    for at in 0..499 {
        bench.say(&ticket, Who::Agent("Bo".to_owned()), &format!("Message {at}"), false);
    }
    bench.pass_blind_spot().await;
    assert_eq!(bench.desk.probe(bench.call()).await.unwrap().problems, []);
    let whole = bench.comments(&ticket).await;
    assert!(whole.iter().all(|comment| comment.id().as_str() != HIDDEN_ID), "nothing is missing");
    for at in 499..503 {
        bench.say(&ticket, Who::Agent("Bo".to_owned()), &format!("Message {at}"), false);
    }
    bench.pass_blind_spot().await;
    // On the mirror: a note, where the missing ones would stand, the same at every look.
    let comments = bench.comments(&ticket).await;
    assert_eq!(comments.len(), 1 + 1 + 500);
    let Comment::Private(note) = &comments[1] else { panic!("{:?}", comments[1]) };
    assert_eq!((note.id.as_str(), note.author.role), (HIDDEN_ID, Role::Agent));
    assert!(note.text.body().text().unwrap().contains("500"));
    assert_eq!(bench.comments(&ticket).await[1], comments[1]);
    // To the admin: also by a client that never read the conversation.
    let fresh = Bench::with_header(&bench, header(&bench), None);
    for desk in [&bench.desk, &fresh] {
        let problems = desk.probe(bench.call()).await.unwrap().problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].what.starts_with("1 records have more than 500 parts"), "{}", problems[0].what);
        assert_eq!(problems[0].disarms, Disarms::Nothing);
    }
}

fn header(bench: &Bench) -> crate::contract::Secret {
    let token = bench.sim(|sim| sim.credentials())["access_token"].as_str().unwrap().to_owned();
    crate::contract::Secret::new(format!("Bearer {token}"))
}

#[tokio::test(start_paused = true)]
async fn another_version_of_the_api_is_said() {
    use crate::specs::canned::{Canned, Route};
    let me = json!({"id": "7", "name": "handoffd"});
    let attributes = json!({"data": [{"name": "handoff_key", "data_type": "string"}]});
    let versions = [(None, 0), (Some("2.14"), 0), (Some("2.16"), 1)];
    for (version, expected) in versions {
        let routes = vec![
            Route { version, ..Route::json("GET /me", &me) },
            Route::json("GET /admins/", &me),
            Route::json("GET /data_attributes", &attributes),
        ];
        let clock = crate::client::TokioClock::starting_at(NOW);
        let crate::contract::Opened::Helpdesk(desk) =
            Canned::new(routes).open("intercom", Vec::new(), "{}", clock)
        else {
            panic!("it is a helpdesk")
        };
        let problems = desk.probe(crate::specs::bodies::call()).await.unwrap().problems;
        assert_eq!(problems.len(), expected, "{version:?}: {problems:?}");
        assert!(problems.iter().all(|one| one.what.contains("2.16") && one.what.contains("2.14")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_notification_of_another_version_is_taken_and_said() {
    use hmac::{Hmac, KeyInit, Mac};
    let bench = Bench::open(&USUAL).await;
    let body =
        r#"{"topic": "conversation.user.replied", "data": {"item": {"type": "conversation", "id": 7}}}"#;
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = format!("sha1={}", hex::encode(mac.finalize().into_bytes()));
    for (version, expected) in [("2.14", 0), ("2.11", 1)] {
        let request = Request::post("/hook").header("x-hub-signature", &signature);
        let request = request.header("intercom-version", version).body(Bytes::from(body)).unwrap();
        let delivery = bench.desk.read_webhook(&request, bench.now()).unwrap();
        assert_eq!(delivery.tickets, [RemoteId::from("7")]);
        let problems = bench.desk.probe(bench.call()).await.unwrap().problems;
        assert_eq!(problems.len(), expected, "{problems:?}");
        assert!(problems.iter().all(|one| one.what.contains("2.11")), "{problems:?}");
    }
}

/// Lists that are `null` are empty, as real traffic has them.
#[tokio::test(start_paused = true)]
async fn lists_that_are_null_are_empty() {
    use crate::specs::canned::{Canned, Route};
    let none = json!({"data": null});
    let conversation = json!({"id": "1", "created_at": 9, "updated_at": 9, "tags": {"tags": null}, "contacts": null,
        "source": {"id": "8", "body": "<p>Hello</p>", "author": {"type": "user", "id": "a1"}, "attachments": null},
        "conversation_parts": {"conversation_parts": null, "total_count": 0}});
    let routes = vec![
        Route::json("GET /conversations/1", &conversation),
        Route::json("GET /data_attributes", &none),
        Route::json("GET /ticket_types", &none),
        Route::json("GET /ticket_states", &none),
        Route::json("GET /admins", &json!({"admins": null})),
        Route::json("GET /teams", &json!({"teams": null})),
    ];
    let clock = crate::client::TokioClock::starting_at(NOW);
    let opened = Canned::new(routes).open("intercom", Vec::new(), "{}", clock);
    let crate::contract::Opened::Helpdesk(desk) = opened else { panic!("it is a helpdesk") };
    let call = crate::specs::bodies::call();
    let comments = desk.comments(call, &RemoteId::from("1")).await.unwrap();
    assert_eq!(comments.len(), 1, "{comments:?}");
    let catalog = desk.catalog(call).await.unwrap();
    assert!(catalog.agents.is_empty() && catalog.fields.is_empty(), "{catalog:?}");
}

/// It keeps its number, answers under both paths, and is one record here.
#[tokio::test(start_paused = true)]
async fn a_conversation_that_became_a_ticket_goes_on_as_the_conversation() {
    let bench = Bench::open(&USUAL).await;
    let ticket = bench.ticket("Broken");
    let as_ticket = RemoteId::new(format!("t{ticket}"));
    bench.wait(2).await;
    ask(&bench, "POST", &format!("/conversations/{ticket}/convert"), &json!({"ticket_type_id": "53"}));
    bench.pass_blind_spot().await;
    let Changes { rows, .. } = bench.page(TICKETS, FeedStart::Since(NOW)).await;
    assert!(rows.is_empty(), "{rows:?}");
    let fetched = bench.desk.fetch_many(bench.call(), std::slice::from_ref(&as_ticket)).await.unwrap();
    assert_eq!(fetched, [Fetched::MovedTo { from: key(&as_ticket), to: key(&ticket) }]);
    let note = update(&ticket, Fields::new(), Some(private("Still here", None)), "l0-1");
    bench.apply(&note, None).await;
    assert_eq!(bench.shown(&ticket).comments.len(), 2);
    assert!(bench.get(&ticket).await.requester.is_some());
}

/// Customers do not see it: all its messages are private, and theirs are not taken.
#[tokio::test(start_paused = true)]
async fn a_back_office_ticket_is_private() {
    let settings = r#"{"ticket_categories": ["customer", "back_office"]}"#;
    let bench = Bench::open_with(&USUAL, settings).await;
    let ann = bench.person("Ann", "ann@example.test").await;
    let made = |kind: &str| {
        let body = json!({"ticket_type_id": kind, "contacts": [{"id": ann.as_str()}], "skip_notifications": true,
            "ticket_attributes": {"_default_title_": "Inside", "_default_description_": "Look into it"}});
        let made = ask(&bench, "POST", "/tickets", &body);
        RemoteId::new(format!("t{}", made["id"].as_str().unwrap()))
    };
    let (inside, tracker) = (made("54"), made("55"));
    bench.wait(2).await;
    let words = update(&inside, Fields::new(), Some(public("For the customer", Mail::Silent)), "l0-1");
    bench.apply(&words, None).await;
    let comments = bench.comments(&inside).await;
    assert_eq!(comments.len(), 2);
    assert!(!comments.iter().any(Comment::is_public), "{comments:?}");
    let theirs = crate::conformance::bench::anns("Are you there?");
    let theirs = update(&inside, Fields::new(), Some(theirs), "l0-2");
    let refused = bench.try_apply(&theirs, Some(&ann), &[]).await;
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    assert_eq!(bench.mails(), 0);
    // Of a category that is not kept in step there is nothing.
    let fetched = bench.desk.fetch_many(bench.call(), std::slice::from_ref(&tracker)).await.unwrap();
    assert_eq!(fetched, [Fetched::Gone(key(&tracker))]);
    bench.pass_blind_spot().await;
    let Changes { rows, .. } = bench.page(TICKETS, FeedStart::Since(NOW)).await;
    let told: Vec<&RemoteId> = rows
        .iter()
        .filter_map(|row| match row {
            FeedRow::Changed(row) => Some(&row.ticket.id),
            _ => None,
        })
        .collect();
    assert_eq!(told, [&inside]);
}
