//! `POST /v1/conversations/{id}/events`.

use handoffd_core::{TicketKey, model::turn::Outcome};
use serde_json::{Value, json};

use super::World;
use crate::store::tables;

fn turn(id: &str, text: &str) -> Value {
    json!({ "id": id, "type": "turn", "by": "customer", "text": text })
}

#[tokio::test]
async fn a_stream_is_folded_into_one_row_and_found_by_its_ticket() {
    let world = World::new().await;
    let path = "/v1/conversations/chat-1/events";
    let body = json!({ "events": [turn("e1", "I was charged twice."),
        { "id": "e2", "type": "tool_call", "name": "find_charges", "call_id": "c1", "inputs": { "month": "October" } },
        { "id": "e3", "type": "tool_result", "call_id": "c1", "outcome": "2 charges", "ok": true }] });
    let first = world.post(path, &body).await;
    assert_eq!((first.status, &first.json["taken"], &first.json["ticket"]), (202, &json!(3), &json!(null)));
    assert_eq!(world.captured("7").await, None, "bound to no ticket yet");

    let page = json!({ "id": "e4", "type": "page_view", "url": "https://shop.example/billing?token=s3cret",
        "build": "1.2", "at": "2026-01-31T08:00:00Z" });
    let more = json!({ "events": [turn("e1", "I was charged twice."), page],
        "ticket": { "account": "zd", "ticket_id": 7 } });
    let more = world.post(path, &more).await;
    let counts = ["taken", "repeated", "left_out"].map(|key| more.json[key].as_u64().expect("a count"));
    assert_eq!(counts, [1, 1, 0], "{}", more.text);
    assert_eq!(more.json["ticket"], json!({ "account": "zd", "ticket_id": "7" }));

    let captured = world.captured("7").await.expect("bound");
    assert_eq!(captured.ticket, Some(TicketKey::new("zd", "7")));
    let calls: Vec<Outcome> =
        captured.turns.iter().filter_map(|turn| Some(turn.call.as_ref()?.result)).collect();
    assert_eq!(calls, [Outcome::Worked]);
    assert_eq!(captured.pages[0].area.as_deref(), Some("Billing"));
    let stored = serde_json::to_string(&captured).expect("JSON");
    assert!(!stored.contains("s3cret"), "no token of an address is stored");

    let bound = tables::ticket_of_conversation(&*world.store, "ada", "chat-1").await;
    assert_eq!(bound, Ok(Some(TicketKey::new("zd", "7"))));
    let bound = tables::ticket_of_conversation(&*world.store, "bob", "chat-1").await;
    assert_eq!(bound, Ok(None), "another agent's conversation of this name");
}

#[tokio::test]
async fn an_id_may_name_the_ticket_itself() {
    let world = World::new().await;
    let answer = world.post("/v1/conversations/zd:12/events", &turn("a", "Hello")).await;
    assert_eq!(answer.json["ticket"], json!({ "account": "zd", "ticket_id": "12" }), "{}", answer.text);
    assert!(world.captured("12").await.is_some());
    let own = world.post("/v1/conversations/xy:12/events", &turn("a", "Hello")).await;
    assert_eq!(
        (own.status, &own.json["ticket"]),
        (202, &json!(null)),
        "no account: an id of the agent's own"
    );
    let bob =
        world.post_as("bob", "/v1/conversations/zd:13/events", None, &turn("a", "Hi").to_string()).await;
    assert_eq!((bob.status, &bob.json["ticket"]), (202, &json!(null)), "not his account");
}

#[tokio::test]
async fn events_come_alone_in_lists_and_in_envelopes() {
    let world = World::new().await;
    let cloud = |id: &str, kind: &str, data: Value| {
        json!({ "specversion": "1.0", "id": id, "source": "/shop", "type": kind,
            "time": "2026-01-31T08:00:00Z", "data": data })
    };
    let said = json!({ "by": "bot", "text": "One moment." });
    let bodies = [
        turn("1", "alone"),
        json!([turn("2", "in a list")]),
        cloud("3", "com.example.chat.turn", said.clone()),
        json!([cloud("4", "turn", said.clone())]),
        cloud("5", "batch", json!({ "events": [turn("6", "in data")] })),
        json!({ "type": "state", "state": { "goal": "a refund", "category": "billing" } }),
        json!({ "type": "product", "name": "export", "ok": false, "error_code": "E7", "dwell_secs": 3,
            "properties": { "area": "Billing" } }),
    ];
    for body in &bodies {
        let answer = world.post("/v1/conversations/zd:1/events", body).await;
        assert_eq!((answer.status, &answer.json["taken"]), (202, &json!(1)), "{body}: {}", answer.text);
    }
    let again = world.post("/v1/conversations/zd:1/events", &bodies[2]).await;
    assert_eq!(again.json["repeated"], json!(1), "an envelope's id and source name its event");
    let captured = world.captured("1").await.expect("bound");
    assert_eq!(captured.turns.len(), 5);
    assert_eq!(captured.stated["goal"].value, "a refund");
    assert_eq!(captured.behaviour.errors.keys().collect::<Vec<_>>(), ["E7"]);
}

#[tokio::test]
async fn everything_that_is_wrong_in_a_batch_is_named_and_nothing_is_kept() {
    let world = World::new().await;
    let body = json!({ "events": [turn("1", "good"), { "type": "turn", "by": "nobody" }, { "type": "dance" },
        { "type": "product", "at": "yesterday" }, { "type": "turn", "by": "bot", "text": "x", "txet": 1 }],
        "ticket": { "account": "zd" } });
    let answer = world.post("/v1/conversations/c/events", &body).await;
    let expected = [
        "ticket.ticket_id",
        "events[1].by",
        "events[1].text",
        "events[2].type",
        "events[3].at",
        "events[3].name",
        "events[4].txet",
    ];
    assert_eq!((answer.status, &answer.json["error"]["paths"]), (422, &json!(expected)), "{}", answer.text);
    assert_eq!(
        tables::capture_row(&*world.store, "ada", "c").await.expect("readable").map(|row| row.value),
        None
    );
    let stranger = json!({ "events": [], "ticket": { "account": "pay", "ticket_id": 1 } });
    let answer = world.post("/v1/conversations/c/events", &stranger).await;
    assert_eq!((answer.status, &answer.json["error"]["paths"]), (422, &json!(["ticket.account"])));
    let many: Vec<Value> = (0..501).map(|at| turn(&at.to_string(), "x")).collect();
    assert_eq!(world.post("/v1/conversations/c/events", &json!(many)).await.status, 413);
}

#[tokio::test]
async fn posts_at_the_same_time_are_all_folded() {
    let world = World::new().await;
    let bodies: Vec<Value> = (0..20).map(|at| turn(&format!("e{at}"), &format!("words {at}"))).collect();
    let posts = bodies.iter().map(|body| world.post("/v1/conversations/zd:5/events", body));
    for answer in futures_util::future::join_all(posts).await {
        assert_eq!((answer.status, &answer.json["taken"]), (202, &json!(1)), "{}", answer.text);
    }
    let captured = world.captured("5").await.expect("bound");
    assert_eq!(captured.turns.len(), 20);
}

#[tokio::test]
async fn a_key_makes_a_post_one() {
    let world = World::new().await;
    let path = "/v1/conversations/zd:6/events";
    let body = json!({ "type": "turn", "by": "user", "text": "yes" }).to_string();
    let first = world.post_as("ada", path, Some("k"), &body).await;
    let again = world.post_as("ada", path, Some("k"), &body).await;
    assert_eq!((again.status, &again.text), (202, &first.text));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let other = body.replace("yes", "no");
    assert_eq!(world.post_as("ada", path, Some("k"), &other).await.status, 409);
    assert_eq!(world.captured("6").await.expect("bound").turns.len(), 1);
    world.post_as("ada", path, None, &body).await;
    assert_eq!(world.captured("6").await.expect("bound").turns.len(), 2, "without key and id: said twice");
    let elsewhere = world.post_as("ada", "/v1/conversations/zd:7/events", Some("k"), &body).await;
    assert_eq!(elsewhere.status, 202);
    assert_eq!(world.captured("7").await.expect("bound").turns.len(), 1, "a key is one conversation's");
}
