//! Words of AI agents that come too late, and the floor when nobody's hands change.

use std::time::Duration;

use bytes::Bytes;
use handoffd_connectors::sim::faults::Faults;
use handoffd_core::{AccountId, HandoffState, RemoteId};
use http::{Method, Request};
use serde_json::{Value, json};

use crate::{
    past::run,
    placed::shown,
    shapes::{Act, MARA, Marks, announce_to, begin_as, opened, perform, records, rest},
    world::{AGENT_TOKEN, FRESHDESK, INTERCOM, Life, ZENDESK},
};

async fn ask(life: &Life, method: Method, path: &str, key: &str, body: &Value) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {AGENT_TOKEN}"))
        .header("idempotency-key", key)
        .body(Bytes::from(body.to_string()))
        .expect("a request");
    let answer = life.ask(request).await.expect("an answer");
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
}

async fn floor_of(life: &Life, desk: &str, ticket: &RemoteId) -> Value {
    let path = format!("/v1/conversations/{desk}:{ticket}/floor");
    ask(life, Method::GET, &path, "", &Value::Null).await.1
}

/// The helpdesk is down for a quarter of an hour: by then the answer is of another moment.
#[test]
fn words_that_could_not_be_said_within_ten_minutes_are_not_said() {
    run(async {
        for desk in [ZENDESK, FRESHDESK, INTERCOM] {
            let account = AccountId::new(desk);
            let mut life = begin_as(&[desk], Marks::Assignee, Faults::none(), |_, _, _| ()).await;
            let ticket = opened(&mut life, desk, Marks::Assignee).await;
            let floor = floor_of(&life, desk, &ticket).await;
            life.world.set_faults(&account, Faults { error_before: 1_000, ..Faults::none() });
            let path = format!("/v1/conversations/{desk}:{ticket}/messages?wait=0");
            let words = json!({ "text": "Your parcel left today.", "floor": floor["token"] });
            let (status, said) = ask(&life, Method::POST, &path, "w1", &words).await;
            assert_eq!((status, &said["state"]), (202, &json!("accepted")), "{desk}: {said}");
            for _ in 0..15 * 60 {
                life.pass(Duration::from_secs(1)).await;
            }
            life.world.set_faults(&account, Faults::none());
            for _ in 0..10 {
                rest(&mut life).await;
            }
            let url = said["url"].as_str().expect("an address");
            let (_, said) = ask(&life, Method::GET, url, "", &Value::Null).await;
            let why = said["error"]["message"].as_str().unwrap_or_default();
            assert!(why.contains("within ten minutes"), "{desk}: {said}");
            let comments = shown(&life, desk, &ticket).comments;
            assert!(comments.iter().all(|comment| !comment.text.contains("left today")), "{desk}");
            // Nothing is switched off for it.
            perform(&mut life, desk, &ticket, MARA).await;
            rest(&mut life).await;
            let states: Vec<HandoffState> = records(&life).await.iter().map(|record| record.state).collect();
            assert_eq!(states, [HandoffState::Delivered], "{desk}");
        }
    });
}

/// Round and round without a word of the customer: the handoff that is suppressed moves no floor.
#[test]
fn a_loop_that_is_broken_leaves_the_floor_with_who_has_it() {
    run(async {
        let mut life = begin_as(&[ZENDESK], Marks::Assignee, Faults::none(), |_, _, _| ()).await;
        let ticket = opened(&mut life, ZENDESK, Marks::Assignee).await;
        for turn in 0..4 {
            announce_to(&life, ZENDESK, &ticket, &format!("k{turn}"), &json!({})).await;
            rest(&mut life).await;
            let last = records(&life).await.pop().expect("a record");
            if last.state == HandoffState::Suppressed {
                let floor = floor_of(&life, ZENDESK, &ticket).await;
                assert_eq!(floor["holder"], json!("bot"), "{floor}");
                return;
            }
            perform(&mut life, ZENDESK, &ticket, MARA).await;
            rest(&mut life).await;
            perform(&mut life, ZENDESK, &ticket, Act::Bot).await;
            rest(&mut life).await;
        }
        panic!("no loop was broken: {:?}", records(&life).await.len());
    });
}
