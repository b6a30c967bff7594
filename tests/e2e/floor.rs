//! An AI agent answers through the daemon, is refused once a person has the conversation, and is
//! told what happens by signed events: over real HTTP, with a receiver that checks signatures on
//! its own.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    rest::{Got, got},
    world::{AGENT_TOKEN, World, eventually},
};

const HOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What the AI agent was told.
#[derive(Clone, Debug)]
struct Told {
    id: String,
    body: Value,
}

type Heard = Arc<Mutex<Vec<Told>>>;

/// The first delivery is refused, so that it has to come again.
async fn hear(State(heard): State<Heard>, headers: HeaderMap, body: Bytes) -> axum::http::StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let key = STANDARD.decode(HOOK_SECRET.trim_start_matches("whsec_")).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    for part in [id.as_bytes(), b".", at.as_bytes(), b".", &body] {
        mac.update(part);
    }
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), expected);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(at.parse().unwrap()) < 60, "the time is the attempt's: {at}");
    let mut heard = heard.lock().unwrap();
    heard.push(Told { id, body: serde_json::from_slice(&body).unwrap() });
    if heard.len() == 1 {
        return axum::http::StatusCode::SERVICE_UNAVAILABLE;
    }
    axum::http::StatusCode::NO_CONTENT
}

async fn receiver() -> (Heard, u16) {
    let heard = Heard::default();
    let router = Router::new().route("/told", post(hear)).with_state(heard.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (heard, port)
}

struct Agent<'a> {
    world: &'a World,
    ticket: String,
}

impl Agent<'_> {
    async fn say(&self, key: &str, token: u64, text: &str) -> Got {
        let path = format!("/v1/conversations/zd:{}/messages", self.ticket);
        let request = self.world.client().post(self.world.public(&path)).header("idempotency-key", key);
        let request = request.header("authorization", format!("Bearer {AGENT_TOKEN}"));
        got(request.body(json!({ "text": text, "floor": token }).to_string())).await
    }

    async fn get(&self, path: &str) -> Got {
        let request = self.world.client().get(self.world.public(path));
        got(request.header("authorization", format!("Bearer {AGENT_TOKEN}"))).await
    }

    async fn floor(&self) -> Value {
        self.get(&format!("/v1/conversations/zd:{}/floor", self.ticket)).await.json
    }
}

#[tokio::test]
async fn an_ai_agent_answers_through_the_daemon_until_a_person_does() {
    let mut world = World::new(31).await;
    let (heard, port) = receiver().await;
    world.config = world
        .config
        .replace("[agents.assistant]\n", "[handoff]\npromise_wait = \"1s\"\n\n[agents.assistant]\n");
    world.config.push_str(&format!(
        "webhook = {{ url = \"http://127.0.0.1:{port}/told\", secret = \"env:HOOK_SECRET\" }}\n"
    ));
    world.set("HOOK_SECRET", HOOK_SECRET);
    let daemon = world.start().await;
    let desk = &world.sandbox.zendesk;
    let ticket = desk.zendesk_open("Broken lamp", "I want my money back.").await;
    let agent = Agent { world: &world, ticket: ticket.clone() };
    eventually("the ticket's mirror", || async {
        (!world.sandbox.freshdesk.freshdesk_tickets().await.is_empty()).then_some(())
    })
    .await;

    let said = agent.say("m1", 0, "Your refund is on its way.").await;
    assert_eq!((said.status, &said.json["state"]), (200, &json!("said")), "{said:?}");
    let again = agent.say("m1", 0, "Your refund is on its way.").await;
    assert_eq!((again.status, &again.json), (200, &said.json));
    assert_eq!(agent.say("m1", 0, "Something else.").await.status, 409);
    let shown = agent.get(said.json["url"].as_str().unwrap()).await;
    assert_eq!((shown.status, &shown.json), (200, &said.json));
    eventually("the message at the other helpdesk", || async {
        let tickets = world.sandbox.freshdesk.freshdesk_tickets().await;
        let said = world.sandbox.freshdesk.freshdesk_said(&tickets.first()?.0).await;
        let times = said.iter().filter(|said| said.text.contains("on its way")).count();
        assert!(times <= 1, "mirrored {times} times");
        (times == 1).then_some(())
    })
    .await;
    let there = desk.zendesk_said(&ticket).await;
    assert_eq!(there.iter().filter(|said| said.public && said.text.contains("on its way")).count(), 1);

    let before = agent.floor().await;
    assert_eq!((&before["holder"], &before["token"]), (&json!("nobody"), &json!(0)), "{before}");
    promised(&agent, &heard).await;

    let announce =
        json!({ "conversation": { "account": "zd", "ticket_id": ticket }, "reason": "A person is needed" });
    assert_eq!(world.announce("h1", &announce).await.status, 202);
    let refused = agent.say("m2", 0, "One more thing from me.").await;
    assert_eq!((refused.status, &refused.json["floor"]["holder"]), (409, &json!("human")), "{refused:?}");
    assert_eq!(refused.json["floor"]["token"], 1, "{refused:?}");
    assert_eq!(agent.say("m3", 1, "With the new token.").await.status, 409);
    let told = eventually("the state of the handoff", || async {
        let heard = heard.lock().unwrap().clone();
        heard
            .into_iter()
            .find(|told| told.body["type"] == "handoff.status" && told.body["data"]["state"] == "delivered")
    });
    assert_eq!(told.await.body["data"]["ticket"]["ticket_id"], json!(ticket));
    let there = desk.zendesk_said(&ticket).await;
    assert!(
        !there.iter().any(|said| said.text.contains("One more thing") || said.text.contains("new token"))
    );
    world.stop(daemon);
}

/// A promise without a handoff is told, under one id although the first delivery was refused.
async fn promised(agent: &Agent<'_>, heard: &Heard) {
    let world = agent.world;
    let path = format!("/v1/conversations/zd:{}/events", agent.ticket);
    let event = json!({ "id": "t1", "type": "turn", "by": "bot", "text": "Transferring you to an agent..." });
    let request = world.client().post(world.public(&path));
    let request = request.header("authorization", format!("Bearer {AGENT_TOKEN}"));
    assert_eq!(got(request.body(event.to_string())).await.status, 202);
    eventually("the broken promise, twice under one id", || async {
        let heard = heard.lock().unwrap().clone();
        let broken: Vec<&Told> =
            heard.iter().filter(|told| told.body["type"] == "handoff.promise_broken").collect();
        (broken.len() >= 2).then(|| assert_eq!(broken[0].id, broken[1].id))
    })
    .await;
    let status = world.admin_get("/status.json").await;
    assert_eq!(status.json["promises"].as_array().map(Vec::len), Some(1), "{status:?}");
}
