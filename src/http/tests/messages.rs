//! Messages of AI agents and the floor.

use handoffd_core::{
    TicketKey, Timestamp,
    floor::{Floor, Holder},
    link::{Link, Side},
};

use super::*;
use crate::store::{
    Commit, Store,
    tables::{LINKS, SPEAKING, SPEECHES, SpeechRow, TICKETS},
};

const PATH: &str = "/v1/conversations/zd:7/messages?wait=0";

impl World {
    async fn say(&self, key: &str, body: &Value) -> Answer {
        self.post_as("ada", PATH, Some(key), &body.to_string()).await
    }

    /// A conversation of which it is known who has the floor.
    async fn linked(&self, holder: Holder, token: u64) {
        let ticket = TicketKey::new("zd", "7");
        let none = json!({
            "id": Link::id_for(&ticket), "group": "support", "base": {}, "sides": {}, "former": [],
            "creating": {}, "create_parked": {}, "requester": null, "handoff": null,
            "next_op": 0, "next_copy": 0,
        });
        let link: Link = serde_json::from_value(none).expect("a link");
        let floor = Floor { holder, token, since: Timestamp(1_767_603_600_000) };
        let link = Link { floor, sides: [(ticket.clone(), Side::default())].into(), ..link };
        let writes = vec![
            tables::put(LINKS, Key::of(&[link.id.as_str()]), &link),
            tables::put(TICKETS, tables::ticket_key(&ticket), &link.id),
        ];
        self.store.commit(Commit { writes, ..Commit::default() }).await.expect("stored");
    }

    async fn speeches(&self) -> Vec<SpeechRow> {
        let rows = tables::read_all::<SpeechRow>(&*self.store, SPEECHES, &Key(Vec::new()), 100).await;
        rows.expect("readable").into_iter().map(|(_, row)| row.value).collect()
    }

    async fn waiting(&self) -> usize {
        let page = self.store.page(SPEAKING, &Key(Vec::new()), None, 100).await;
        page.expect("readable").rows.len()
    }
}

#[tokio::test]
async fn a_message_lacks_nothing_or_says_all_that_it_lacks() {
    let world = World::new().await;
    for (body, paths) in [
        (json!({}), vec!["text", "floor"]),
        (json!({ "text": " ", "floor": 0 }), vec!["text"]),
        (json!({ "text": "Hello", "floor": "0" }), vec!["floor"]),
        (json!({ "text": "Hello", "floor": -1 }), vec!["floor"]),
        (json!({ "text": "Hello", "floor": 0, "final": "no" }), vec!["final"]),
        (json!({ "text": "Hello", "floor": 0, "finl": true }), vec!["finl"]),
    ] {
        let answer = world.say("k", &body).await;
        assert_eq!((answer.status, &answer.json["error"]["paths"]), (422, &json!(paths)), "{body}");
    }
    let body = json!({ "text": "Hello", "floor": 0 }).to_string();
    let answer = world.post_as("ada", PATH, None, &body).await;
    assert_eq!((answer.status, &answer.json["error"]["paths"]), (422, &json!(["Idempotency-Key"])));
    for (agent, path, status) in
        [("eve", PATH, 401), ("ada", "/v1/conversations/unbound/messages", 404), ("bob", PATH, 404)]
    {
        assert_eq!(world.post_as(agent, path, Some("k"), &body).await.status, status, "{agent} {path}");
    }
    let long = json!({ "text": "x".repeat(900_000), "floor": 0 });
    assert_eq!(world.say("k", &long).await.status, 413);
    assert!(world.speeches().await.is_empty());
}

#[tokio::test]
async fn a_message_is_stored_before_anything_and_its_repeat_is_the_same_message() {
    let world = World::new().await;
    let body = json!({ "text": "It is on its way.", "floor": 0, "final": false });
    let first = world.say("k/1", &body).await;
    assert_eq!((first.status, &first.json["state"]), (202, &json!("accepted")), "{}", first.text);
    assert_eq!(first.headers["location"], "/v1/conversations/zd%3A7/messages/k%2F1");
    let again = world.say("k/1", &body).await;
    assert_eq!((again.status, again.text), (202, first.text));
    let other = world.say("k/1", &json!({ "text": "Something else.", "floor": 0 })).await;
    assert_eq!((other.status, &other.json["error"]["paths"]), (409, &json!(["Idempotency-Key"])));
    assert_eq!((world.speeches().await.len(), world.waiting().await), (1, 1));
    let shown = world.get_as("ada", "/v1/conversations/zd:7/messages/k%2F1").await;
    assert_eq!((shown.status, shown.json), (202, first.json));
    assert_eq!(world.get_as("ada", "/v1/conversations/zd:7/messages/k2").await.status, 404);
}

#[tokio::test]
async fn who_has_the_floor_is_told_and_nobody_else_speaks() {
    let world = World::new().await;
    let unknown = world.get_as("ada", "/v1/conversations/zd:7/floor").await;
    assert_eq!(unknown.json, json!({ "holder": "nobody", "token": 0, "since": null }));
    assert_eq!(world.get_as("bob", "/v1/conversations/zd:7/floor").await.status, 404);
    world.linked(Holder::Human, 4).await;
    let floor = world.get_as("ada", "/v1/conversations/zd:7/floor").await;
    assert_eq!((&floor.json["holder"], &floor.json["token"]), (&json!("human"), &json!(4)));
    for (key, token) in [("k3", 3), ("k4", 4), ("k5", 5)] {
        let refused = world.say(key, &json!({ "text": "Hello", "floor": token })).await;
        assert_eq!((refused.status, &refused.json["floor"]), (409, &floor.json), "{token}");
        let again = world.say(key, &json!({ "text": "Hello", "floor": token })).await;
        assert_eq!((again.status, again.text), (409, refused.text));
    }
    world.linked(Holder::Bot, 5).await;
    assert_eq!(world.say("k6", &json!({ "text": "Hello", "floor": 4 })).await.status, 409);
    assert_eq!(world.say("k7", &json!({ "text": "Hello", "floor": 5 })).await.status, 202);
    let again = world.say("k4", &json!({ "text": "Hello", "floor": 4 })).await;
    assert_eq!(again.status, 409, "what was refused stays refused");
    let texts = world.speeches().await.into_iter().filter(|row| row.text.is_some()).count();
    assert_eq!((texts, world.waiting().await), (1, 1), "refused words are not kept");
}
