//! `POST /v1/handoffs` in every dialect.

use std::collections::BTreeSet;

use axum::{body::Body, http::Request};
use handoffd_core::{HandoffKind, TicketKey, Told};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use super::{World, described};
use crate::{
    http::dialects::tests::{any_json, disturbed, sample},
    store::{
        Commit, Key, Store,
        tables::{self, ANSWERS},
    },
};

const PATH: &str = "/v1/handoffs";

fn paths(answer: &Value) -> BTreeSet<String> {
    let named = answer["error"]["paths"].as_array().into_iter().flatten();
    named.filter_map(|path| path.as_str().map(str::to_owned)).collect()
}

fn set(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

#[tokio::test]
async fn every_sample_becomes_an_intake_of_its_ticket_with_what_was_said() {
    let names =
        ["native", "bot_framework", "bot_framework_older", "botpress", "openai_call", "openai_completion"];
    for name in names {
        let world = World::new().await;
        let answer = world.post(PATH, &sample(name)).await;
        assert_eq!(answer.status, 202, "{name}: {}", answer.text);
        let intakes = world.intakes().await;
        let intake = intakes.first().expect("an intake");
        assert_eq!((intakes.len(), &intake.ticket), (1, &TicketKey::new("zd", "35436")), "{name}");
        assert!(intake.told.reason.is_some(), "{name}");
        assert!(world.captured("35436").await.is_some(), "{name}");
    }
}

#[tokio::test]
async fn the_native_form_tells_everything_in_one_commit() {
    let world = World::new().await;
    let answer = world.post(PATH, &sample("native")).await;
    let intake = world.intakes().await.remove(0);
    assert_eq!(answer.json["id"], json!(intake.id));
    assert_eq!(intake.conversation.as_deref(), Some("chat-8841"));
    assert_eq!(intake.wanted.queue.as_deref(), Some("Billing"));
    assert_eq!(intake.wanted.agent.as_deref(), Some("mara@shop.example"));
    assert!(intake.wanted.deadline.is_some());
    let captured = world.captured("35436").await.expect("captured");
    for (name, value) in
        [("category", "billing"), ("tier", "Pro"), ("language", "en"), ("name", "Dana Reyes")]
    {
        assert_eq!(captured.stated.get(name).map(|stated| stated.value.as_str()), Some(value), "{name}");
    }
    assert_eq!(captured.pages[0].area.as_deref(), Some("Billing"));
    assert!(!serde_json::to_string(&captured).expect("JSON").contains("token=secret"));
    let lost: BTreeSet<String> = answer.json["loss"]
        .as_array()
        .expect("a report")
        .iter()
        .filter_map(|loss| loss["path"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(lost, set(&["transcript[0]", "transcript[4].content[1]"]));
}

#[tokio::test]
async fn a_trigger_without_any_other_words_is_valid() {
    let world = World::new().await;
    let answer = world.post(PATH, &sample("native_least")).await;
    assert_eq!((answer.status, &answer.json["loss"]), (202, &json!([])), "{}", answer.text);
    let asked = json!({ "conversation": { "account": "zd", "ticket_id": "8" },
        "transcript": [{ "role": "user", "content": "A person, please." }] });
    assert_eq!(world.post(PATH, &asked).await.status, 202);
    assert_eq!(world.intakes().await.len(), 2);
}

#[tokio::test]
async fn a_conversation_that_was_bound_is_enough() {
    let world = World::new().await;
    let body = json!({ "conversation": { "id": "chat-1" }, "reason": "asks for a person" });
    let early = world.post_as("ada", PATH, Some("k"), &body.to_string()).await;
    let expected = set(&["conversation.account", "conversation.id", "conversation.ticket_id"]);
    assert_eq!((early.status, paths(&early.json)), (422, expected), "{}", early.text);

    let events = json!({ "events": [{ "id": "1", "type": "turn", "by": "user", "text": "Help" }],
        "ticket": { "account": "zd", "ticket_id": 9 } });
    assert_eq!(world.post("/v1/conversations/chat-1/events", &events).await.status, 202);
    let answer = world.post_as("ada", PATH, Some("k"), &body.to_string()).await;
    assert_eq!(answer.status, 202, "a refusal uses no key up: {}", answer.text);
    assert_eq!(world.intakes().await[0].ticket, TicketKey::new("zd", "9"));

    let transcript = json!({ "conversation": { "id": "chat-1" }, "transcript": [
        { "role": "user", "content": "Help" }, { "role": "assistant", "content": "What is it?" }] });
    assert_eq!(world.post(PATH, &transcript).await.status, 202);
    let captured = world.captured("9").await.expect("captured");
    let said: Vec<&str> = captured.turns.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(said, ["Help", "What is it?"], "what was streamed is not told twice");
}

#[tokio::test]
async fn a_handoff_binds_its_conversation() {
    let world = World::new().await;
    let events = json!([{ "type": "turn", "by": "user", "text": "Help" }]);
    world.post("/v1/conversations/chat-2/events", &events).await;
    assert_eq!(world.captured("4").await, None);
    let body = json!({ "conversation": { "id": "chat-2", "account": "zd", "ticket_id": 4 } });
    assert_eq!(world.post(PATH, &body).await.status, 202);
    assert_eq!(world.captured("4").await.expect("bound").turns.len(), 1);
}

#[tokio::test]
async fn all_that_is_missing_or_wrong_is_named_in_every_dialect() {
    let world = World::new().await;
    let cases = [
        (
            json!({ "conversation": { "account": "zd" }, "attempts": [{}, { "action": 1, "outcom": "x" }], "deadline": 5, "sumary": "x" }),
            set(&[
                "conversation.ticket_id",
                "attempts[0].action",
                "attempts[1].outcom",
                "deadline",
                "sumary",
            ]),
        ),
        (json!({}), set(&["conversation.account", "conversation.ticket_id"])),
        (json!([]), set(&["", "conversation.account", "conversation.ticket_id"])),
        (
            json!({ "type": "message", "name": "handoff.initiate", "channelData": { "account": "zd" } }),
            set(&["type", "channelData.ticket_id"]),
        ),
        (
            json!({ "type": "startHitl", "input": { "userId": "u" } }),
            set(&["input.title", "metadata.account", "metadata.ticket_id"]),
        ),
        (
            json!({ "messages": [{ "role": "user", "content": "hi" }, 5] }),
            set(&["messages[1]", "tool_call", "metadata.account", "metadata.ticket_id"]),
        ),
        (
            json!({ "tool_call": { "function": { "name": "transfer", "arguments": "{" } }, "metadata": { "account": "pay", "ticket_id": 1 } }),
            set(&["tool_call.function.arguments", "metadata.account"]),
        ),
    ];
    for (body, expected) in cases {
        let answer = world.post(PATH, &body).await;
        assert_eq!((answer.status, paths(&answer.json)), (422, expected), "{body}: {}", answer.text);
        let fields = answer.json["error"]["fields"].as_array().expect("a reason for each");
        assert_eq!(fields.len(), answer.json["error"]["paths"].as_array().map_or(0, Vec::len));
    }
    assert_eq!(world.intakes().await.len(), 0);
    let answer = world.post(&format!("{PATH}?dialect=klingon"), &json!({})).await;
    assert_eq!((answer.status, paths(&answer.json)), (422, set(&["?dialect"])));
    let answer = world.post(&format!("{PATH}?dialect=botpress"), &json!({})).await;
    assert!(paths(&answer.json).contains("title"), "{}", answer.text);
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_was_byte_for_byte() {
    for name in ["native", "bot_framework", "botpress", "openai_call"] {
        let world = World::new().await;
        let body = sample(name).to_string();
        let first = world.post_as("ada", PATH, Some("k"), &body).await;
        let again = world.post_as("ada", PATH, Some("k"), &body).await;
        assert_eq!((again.status, &again.text), (202, &first.text), "{name}");
        assert_eq!(again.headers["idempotent-replayed"], "true");
        let other = world.post_as("ada", PATH, Some("k"), &body.replace("twice", "thrice")).await;
        assert_eq!(other.status, 409, "{name}");
        let keyless = world.post_as("ada", PATH, None, &body).await;
        let keyless_again = world.post_as("ada", PATH, None, &body).await;
        assert_eq!(keyless.text, keyless_again.text, "{name}: the same body is the same handoff");
    }
}

#[tokio::test]
async fn the_same_body_is_another_handoff_when_the_customer_asks_once_more() {
    let world = World::new().await;
    let body = json!({ "conversation": { "account": "zd", "ticket_id": "42" } });
    let first = world.post(PATH, &body).await;
    assert_eq!(world.post(PATH, &body).await.text, first.text, "a repeat");
    assert_eq!(world.intakes().await.len(), 1);
    for (key, row) in tables::read_all::<Value>(&*world.store, ANSWERS, &Key(Vec::new()), 10).await.unwrap() {
        let mut row = row.value;
        row["at"] = json!(row["at"].as_i64().expect("a time") - 11 * 60 * 1_000);
        let writes = vec![tables::put(ANSWERS, key, &row)];
        world.store.commit(Commit { writes, ..Commit::default() }).await.expect("stored");
    }
    let next = world.post(PATH, &body).await;
    assert_ne!(next.json["id"], first.json["id"]);
    assert_eq!(world.intakes().await.len(), 2);
}

#[tokio::test]
async fn a_handoff_says_between_whom_it_is() {
    let world = World::new().await;
    let of = |kind: &str| json!({ "conversation": { "account": "zd", "ticket_id": "7" }, "kind": kind });
    assert_eq!(world.post(PATH, &of("human_to_ai")).await.status, 202);
    assert_eq!(world.intakes().await[0].kind, HandoffKind::HumanToAi);
    let wrong = world.post_as("ada", PATH, None, &of("to_the_moon").to_string()).await;
    assert_eq!((wrong.status, paths(&wrong.json)), (422, set(&["kind"])));
}

/// Nothing has looked at the ticket yet: what was announced is not unknown.
#[tokio::test]
async fn a_handoff_that_waits_to_be_taken_in_is_known_to_its_agent() {
    let world = World::new().await;
    let taken = world.post(PATH, &sample("native")).await;
    assert_eq!(taken.json["state"], json!("announced"));
    let url = taken.json["url"].as_str().expect("an address").to_owned();
    let said = world.get_as("ada", &url).await;
    assert_eq!((said.status, &said.json["state"]), (200, &json!("announced")));
    assert_eq!((&said.json["id"], &said.json["kind"]), (&taken.json["id"], &json!("ai_to_human")));
    assert_eq!(world.get_as("bob", &url).await.status, 404, "no agent of that account");
}

#[tokio::test]
async fn the_same_handoff_at_the_same_time_is_one() {
    let world = World::new().await;
    let body = sample("native").to_string();
    let posts = (0..8).map(|_| world.post_as("ada", PATH, Some("k"), &body));
    let answers = futures_util::future::join_all(posts).await;
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.text == answers[0].text));
    assert_eq!(world.intakes().await.len(), 1);
}

#[tokio::test]
async fn each_dialect_is_answered_in_its_own_form() {
    let world = World::new().await;
    let activity = world.post(PATH, &sample("bot_framework")).await.json;
    assert_eq!(
        (&activity["name"], &activity["value"]["state"]),
        (&json!("handoff.status"), &json!("accepted"))
    );
    assert_eq!((&activity["conversation"]["id"], &activity["replyToId"]), (&json!("conv-1"), &json!("8f2c")));
    assert!(activity["channelData"]["handoffd"]["loss"].is_array());
    let failed = json!({ "type": "event", "name": "handoff.initiate", "conversation": { "id": "nowhere" } });
    let failed = world.post(PATH, &failed).await;
    assert_eq!((failed.status, &failed.json["value"]["state"]), (422, &json!("failed")), "{}", failed.text);
    let botpress = world.post(PATH, &sample("botpress")).await.json;
    assert_eq!(botpress["conversationId"], botpress["id"]);
    let openai = world.post(PATH, &sample("openai_call")).await.json;
    assert_eq!(
        (&openai["message"]["role"], &openai["message"]["tool_call_id"]),
        (&json!("tool"), &json!("call_9"))
    );
}

#[tokio::test]
async fn an_envelope_is_opened_and_its_name_is_the_key() {
    let world = World::new().await;
    let cloud = json!({ "specversion": "1.0", "id": "h1", "source": "/shop", "type": "handoff", "traceparent": "00-1",
        "data": sample("native_least") });
    let first = world.post(PATH, &cloud).await;
    assert_eq!(
        (first.status, &first.json["loss"][0]["path"]),
        (202, &json!("traceparent")),
        "{}",
        first.text
    );
    let other =
        json!({ "specversion": "1.0", "id": "h1", "source": "/shop", "data": { "conversation": {} } });
    assert_eq!(world.post(PATH, &other).await.status, 409);
    let wrong =
        json!({ "specversion": "1.0", "id": "h2", "source": "/shop", "data": { "conversation": {} } });
    let answer = world.post(PATH, &wrong).await;
    assert_eq!(paths(&answer.json), set(&["data.conversation.account", "data.conversation.ticket_id"]));
}

#[tokio::test]
async fn a_handoff_of_another_account_is_not_shown_or_made() {
    let world = World::new().await;
    let answer = world.post_as("bob", PATH, None, &sample("native_least").to_string()).await;
    assert_eq!((answer.status, paths(&answer.json)), (422, set(&["conversation.account"])));
    let request = Request::get("/v1/handoffs/h0").header("authorization", "Bearer token-of-bob");
    let shown = world.send(request.body(Body::empty()).expect("a request")).await;
    described::judge("get", "/v1/handoffs/h0", "", &shown);
    assert_eq!(shown.status, 404);
}

#[tokio::test]
async fn a_record_is_shown_whole_to_the_agent_of_its_account_alone() {
    let world = World::new().await;
    let record: handoffd_core::Handoff = serde_json::from_value(json!({
        "id": "h1", "link": null, "ticket": "zd/7", "kind": "human_to_human",
        "state": "accepted", "from": null, "to": null, "evidence": [], "told": Told::default(), "sources": {},
        "detected_at": 1000, "deadline": 5000, "briefing_key": null, "briefing_comment": null,
        "delivered_at": 2000, "late_key": null, "late_facts": false, "accepted_at": 9000, "failure": null,
        "briefing": null, "previous": "h0", "hop": 2, "visible": { "ticket": "zd/7", "id": "c5", "at": 2000 },
        "first_reply": { "ticket": "fd/3", "id": "c6", "at": 9000 }, "completeness": [9, 12],
    }))
    .expect("a record");
    let writes = vec![tables::put(tables::HANDOFFS, Key::of(&["h1"]), &record)];
    world.store.commit(Commit { writes, ..Commit::default() }).await.expect("stored");
    for (agent, path, status) in [
        ("ada", "/v1/handoffs/h1", 200),
        ("ada", "/v1/handoffs/h1?package=1", 200),
        ("bob", "/v1/handoffs/h1", 404),
        ("eve", "/v1/handoffs/h1", 401),
    ] {
        let request = Request::get(path).header("authorization", format!("Bearer token-of-{agent}"));
        let shown = world.send(request.body(Body::empty()).expect("a request")).await;
        described::judge("get", path, "", &shown);
        assert_eq!(shown.status, status, "{agent} {path}: {}", shown.text);
        if status == 200 {
            let said = &shown.json;
            assert_eq!(
                (&said["hop"], &said["previous"], &said["kind"]),
                (&json!(2), &json!("h0"), &json!("human_to_human"))
            );
            assert_eq!(
                said["visible"],
                json!({ "ticket": "zd/7", "id": "c5", "at": "1970-01-01T00:00:02Z" })
            );
            assert_eq!(said["first_reply"]["id"], json!("c6"));
            assert_eq!(said["first_reply"]["ticket"], json!("fd/3"));
            assert_eq!(said.get("package").is_some(), path.contains('?'));
        }
    }
}

/// Whatever is sent: an answer that is described, and never that we failed.
#[test]
fn nothing_that_is_sent_makes_the_api_fail() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let world = runtime.block_on(World::new());
    let bodies = prop_oneof![disturbed(), any_json(), any_json().prop_map(|any| json!({ "events": [any] }))];
    let mut runner = TestRunner::new(ProptestConfig::with_cases(200));
    let result = runner.run(&bodies, |body| {
        for path in [PATH, "/v1/handoffs?dialect=botpress", "/v1/conversations/zd:3/events"] {
            let answer = runtime.block_on(world.post_as("ada", path, None, &body.to_string()));
            prop_assert!([202, 400, 409, 413, 422].contains(&answer.status), "{} {}", answer.status, body);
        }
        Ok(())
    });
    result.expect("no body makes it fail");
}
