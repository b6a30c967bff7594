//! `POST /v1/handoffs` over real HTTP.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    rest::{Got, Said, got},
    world::{AGENT_SIGNS, AGENT_TOKEN, World, eventually},
};

fn handoff(ticket: &str, reason: &str) -> Value {
    json!({
        "conversation": { "account": "zd", "ticket_id": ticket },
        "reason": reason,
        "summary": "The customer wants a refund for a broken lamp.",
        "attempts": [{ "action": "find_order", "inputs": "order 4711", "outcome": "found" }],
    })
}

#[tokio::test]
async fn an_ai_agent_hands_a_conversation_over() {
    let world = World::new(12).await;
    let daemon = world.start().await;
    let ticket = world.sandbox.zendesk.zendesk_open("Broken lamp", "I want my money back.").await;
    refusals(&world, &ticket).await;
    repeats(&world, &ticket).await;
    briefed(&world, &ticket, "It needs a person").await;

    let other = world.sandbox.zendesk.zendesk_open("Late lamp", "Where is it?").await;
    signed(&world, &other).await;
    briefed(&world, &other, "Signed and sealed").await;
    let mirrors = world.sandbox.freshdesk.freshdesk_tickets().await;
    for (mirror, _) in mirrors {
        let said = world.sandbox.freshdesk.freshdesk_said(&mirror).await;
        assert!(said.iter().all(|said| !said.text.contains("find_order")), "briefed elsewhere: {said:?}");
    }
    world.stop(daemon);
}

/// A conversation that was streamed, handed over in another agent's own words.
#[tokio::test]
async fn a_streamed_conversation_is_handed_over_in_another_dialect() {
    let world = World::new(13).await;
    let daemon = world.start().await;
    let ticket = world.sandbox.zendesk.zendesk_open("Broken lamp", "I want my money back.").await;
    let token = format!("Bearer {AGENT_TOKEN}");
    let post = |path: &str, body: &Value| {
        world.client().post(world.public(path)).header("authorization", &token).body(body.to_string())
    };
    let events = json!({
        "ticket": { "account": "zd", "ticket_id": ticket },
        "events": [{ "id": "e1", "type": "turn", "by": "customer", "text": "My lamp is broken." }],
    });
    let streamed = got(post("/v1/conversations/conv-1/events", &events)).await;
    assert_eq!((streamed.status, &streamed.json["taken"]), (202, &json!(1)), "{streamed:?}");

    let activity = json!({
        "type": "event", "name": "handoff.initiate", "id": "a9", "conversation": { "id": "conv-1" },
        "value": { "reason": "A lamp above my limit", "summary": "The customer wants a refund." },
        "attachments": [{ "name": "Transcript", "content": { "activities": [
            { "type": "message", "from": { "role": "user" }, "text": "My lamp is broken." } ] } }],
    });
    let answer = got(post("/v1/handoffs", &activity)).await;
    assert_eq!((answer.status, &answer.json["value"]["state"]), (202, &json!("accepted")), "{answer:?}");
    let note = eventually("a briefing", || async {
        let said = world.sandbox.zendesk.zendesk_said(&ticket).await;
        said.into_iter().find(|said| said.text.contains("A lamp above my limit"))
    });
    assert!(!note.await.public);
    let completion = json!({ "tool_call": { "function": { "name": "transfer", "arguments": "{}" } } });
    let refused = got(post("/v1/handoffs", &completion)).await;
    assert_eq!(
        refused.json["error"]["paths"],
        json!(["metadata.account", "metadata.ticket_id"]),
        "{refused:?}"
    );
    world.stop(daemon);
}

/// What an admin sees of it afterwards, through the daemon and from its store.
#[tokio::test]
async fn what_was_handed_over_is_listed_shown_and_previewed() {
    let world = World::new(14).await;
    let daemon = world.start().await;
    let ticket = world.sandbox.zendesk.zendesk_open("Broken lamp", "I want my money back.").await;
    let said = world.announce("k-list", &handoff(&ticket, "It needs a person")).await;
    assert_eq!(said.status, 202, "{said:?}");
    briefed(&world, &ticket, "It needs a person").await;
    let json = |args: &[&str]| -> Value {
        let ended = world.command(args).with_code(0);
        serde_json::from_str(&ended.stdout).unwrap_or_else(|why| panic!("{why}: {ended:?}"))
    };
    let delivered = eventually("the proof", || async {
        let listed = json(&["handoffs", "list", "--json"]);
        (!listed[0]["delivered_at"].is_null()).then_some(listed)
    });
    let listed = delivered.await;
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["ticket"]), (1, &json!(format!("zd/{ticket}"))));
    assert_eq!(json(&["handoffs", "list", "--breached", "--json"]), json!([]));

    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/config/templates/default.toml");
    let text = std::fs::read_to_string(built_in).unwrap();
    let (mine, wrong) = (world.path("mine.toml"), world.path("wrong.toml"));
    std::fs::write(&mine, text.replace("\"Handed over\"", "\"Because\"")).unwrap();
    std::fs::write(&wrong, text.replace("[\"goal\"]", "[\"aim\"]")).unwrap();
    let (mine, wrong) = (mine.to_str().unwrap(), wrong.to_str().unwrap());
    let seen = || {
        let shown = json(&["handoffs", "show", &id, "--json"]);
        assert_eq!(shown["package"]["handoff"]["id"], json!(id));
        assert!(shown["sent"].as_str().unwrap().starts_with("AI handoff, for agents only ["), "{shown}");
        let words = world.command(&["handoffs", "show", &id]).with_code(0).stdout;
        assert!(words.contains("briefing visible") && words.contains("It needs a person"), "{words}");

        let same = json(&["brief", "preview", "--handoff", &id, "--template", built_in, "--json"]);
        assert_eq!(
            (&same[0]["changed"], same[0]["head"].as_array().unwrap().len()),
            (&json!([]), 8),
            "{same}"
        );
        let other = world.command(&["brief", "preview", "--template", mine]).with_code(0).stdout;
        assert!(other.contains("  - Handed over: ") && other.contains("  + Because: "), "{other}");
    };
    seen();
    let none = world.command(&["handoffs", "show", "h-none"]).with_code(1);
    assert!(none.stderr.contains("there is no handoff"), "{none:?}");
    let refused = world.command(&["brief", "preview", "--template", wrong]).with_code(3);
    let at = text.lines().position(|line| line.contains("[\"goal\"]")).expect("a line of the goal") + 1;
    let place = format!("wrong.toml:{at}: line.fields: there is no field \"aim\"");
    assert!(refused.stderr.contains(&place), "{refused:?}");
    world.stop(daemon);
    seen();
    let none = world.command(&["handoffs", "show", "h-none"]).with_code(1);
    assert!(none.stderr.contains("h-none"), "{none:?}");
}

async fn refusals(world: &World, ticket: &str) {
    let body = handoff(ticket, "It needs a person");
    let address = world.public("/v1/handoffs");
    let post = |body: String| world.client().post(&address).body(body);
    assert_eq!(got(post(body.to_string())).await.status, 401);
    let wrong = post(body.to_string()).header("authorization", "Bearer not-the-token");
    assert_eq!(got(wrong).await.status, 401);

    let mut lacking = body.clone();
    lacking["conversation"].as_object_mut().unwrap().remove("ticket_id");
    let answer = world.announce("k-lacking", &lacking).await;
    assert_eq!(
        (answer.status, &answer.json["error"]["paths"]),
        (422, &json!(["conversation.ticket_id"])),
        "{answer:?}"
    );
    assert!(answer.text.contains("`ticket_id` is missing"), "{answer:?}");
    let mut misspelt = body.clone();
    misspelt["attempts"][0]["outcom"] = json!("x");
    let answer = world.announce("k-misspelt", &misspelt).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json["error"]["paths"], json!(["attempts[0].outcom"]), "{answer:?}");
    let stranger = json!({ "conversation": { "account": "pay", "ticket_id": "1" } });
    let answer = world.announce("k-stranger", &stranger).await;
    assert_eq!((answer.status, &answer.json["error"]["paths"]), (422, &json!(["conversation.account"])));
    let token = format!("Bearer {AGENT_TOKEN}");
    let torn = got(post("{\"conversation\":".to_owned()).header("authorization", &token)).await;
    assert_eq!(torn.status, 400, "{torn:?}");

    let mut long = body;
    long["summary"] = json!("x".repeat(70_000));
    let answer = world.announce("k-long", &long).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.json["error"]["message"].is_string(), "an error in the usual form: {answer:?}");
}

async fn repeats(world: &World, ticket: &str) {
    let body = handoff(ticket, "It needs a person");
    let first = world.announce("k-1", &body).await;
    assert_eq!(first.status, 202, "{first:?}");
    let again = world.announce("k-1", &body).await;
    assert_eq!((again.status, &again.json), (202, &first.json));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let other = world.announce("k-1", &handoff(ticket, "Another reason")).await;
    assert_eq!(other.status, 409, "{other:?}");
    let address = world.public(first.json["url"].as_str().unwrap());
    let token = format!("Bearer {AGENT_TOKEN}");
    eventually("the handoff to be delivered", || async {
        let shown = got(world.client().get(&address).header("authorization", &token)).await;
        (shown.status == 200 && shown.json["delivered_at"].is_string()).then_some(())
    })
    .await;
    let whole = format!("{address}?package=1");
    let whole = got(world.client().get(&whole).header("authorization", &token)).await;
    assert!(whole.json["visible"]["id"].is_string(), "proof by the helpdesk's own id: {whole:?}");
    assert_eq!(whole.json["package"]["handoff"]["kind"], "ai_to_human", "{whole:?}");
    assert_eq!(got(world.client().get(&address)).await.status, 401);
}

/// Standard Webhooks: the id is the idempotency key, and any change of the body is noticed.
async fn signed(world: &World, ticket: &str) {
    let body = handoff(ticket, "Signed and sealed").to_string();
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let first = send_signed(world, "msg_1", at, &body, &body).await;
    assert_eq!(first.status, 202, "{first:?}");
    let again = send_signed(world, "msg_1", at, &body, &body).await;
    assert_eq!((again.status, &again.json), (202, &first.json));
    let changed = body.replace("refund", "gift");
    assert_eq!(send_signed(world, "msg_2", at, &body, &changed).await.status, 401);
    assert_eq!(send_signed(world, "msg_3", at - 400, &body, &body).await.status, 401);
}

async fn send_signed(world: &World, id: &str, at: u64, signed: &str, sent: &str) -> Got {
    let key = STANDARD.decode(AGENT_SIGNS.trim_start_matches("whsec_")).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{at}.{signed}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let request = world.client().post(world.public("/v1/handoffs")).header("webhook-id", id);
    let request = request.header("webhook-timestamp", at.to_string()).header("webhook-signature", signature);
    got(request.body(sent.to_owned())).await
}

/// Exactly one private note says what the agent knew; the customer sees none of it.
async fn briefed(world: &World, ticket: &str, reason: &str) {
    let desk = &world.sandbox.zendesk;
    let is_briefing = |said: &Said| said.text.contains(reason);
    let note =
        eventually("a briefing", || async { desk.zendesk_said(ticket).await.into_iter().find(is_briefing) });
    let note = note.await;
    assert!(!note.public, "{note:?}");
    assert!(note.text.contains("broken lamp") && note.text.contains("find order"), "{note:?}");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let said = desk.zendesk_said(ticket).await;
    assert_eq!(said.iter().filter(|said| is_briefing(said)).count(), 1, "{said:?}");
}
