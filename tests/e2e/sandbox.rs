//! `handoffd sandbox`.

use serde_json::json;

use crate::{
    process::Process,
    rest::{Said, basic, client, got, id, word},
    world::Sandbox,
};

#[tokio::test]
async fn the_sandbox_serves_vendors_to_any_client() {
    let sandbox = Sandbox::start(3);
    ways_to_sign_in(&sandbox).await;
    zendesk_round_trip(&sandbox).await;
    freshdesk_round_trip(&sandbox).await;
    intercom_round_trip(&sandbox).await;
    let made = sandbox.stripe.send("GET", "/v1/customers?limit=1", None).await;
    assert_eq!((made.status, &made.json["object"]), (200, &json!("list")));

    let line = format!("{}\n", sandbox.announced);
    let secret = sandbox.zendesk.credential("api_token");
    let ended = sandbox.stop().with_code(0);
    let printed: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(printed.len(), 1, "one line of JSON: {printed:?}");
    assert_eq!(printed[0].parse::<serde_json::Value>().unwrap(), line.parse::<serde_json::Value>().unwrap());
    assert!(!ended.stderr.contains(&secret));
}

async fn ways_to_sign_in(sandbox: &Sandbox) {
    let zendesk = &sandbox.zendesk;
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=read%20write",
        zendesk.credential("client_id"),
        zendesk.credential("client_secret")
    );
    let request = client().post(format!("{}/oauth/tokens", zendesk.base_url));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    let granted = got(request).await;
    assert_eq!(granted.status, 200, "{granted:?}");
    let granted = word(&granted.json, "access_token");
    let (freshdesk, intercom, stripe) = (&sandbox.freshdesk, &sandbox.intercom, &sandbox.stripe);
    let key = freshdesk.credential("api_key");
    let me = "/api/v2/users/me.json";
    let rows = [
        (zendesk, me, zendesk.auth.clone(), 200),
        (zendesk, me, format!("Bearer {}", zendesk.credential("access_token")), 200),
        (zendesk, me, format!("Bearer {granted}"), 200),
        (zendesk, me, "Bearer none".to_owned(), 401),
        (zendesk, "/api/v2/tickets.json", basic("handoffd@example.com/token", "none"), 401),
        (freshdesk, "/api/v2/agents/me", basic(&key, "X"), 200),
        (freshdesk, "/api/v2/agents/me", basic("none", "X"), 401),
        (intercom, "/me", format!("Bearer {}", intercom.credential("access_token")), 200),
        (intercom, "/me", "Bearer none".to_owned(), 401),
        (stripe, "/v1/customers", format!("Bearer {}", stripe.credential("api_key")), 200),
        (stripe, "/v1/customers", "Bearer none".to_owned(), 401),
    ];
    for (vendor, path, auth, status) in rows {
        let request = client().get(format!("{}{path}", vendor.base_url)).header("authorization", &auth);
        let got = got(request).await;
        assert_eq!(got.status, status, "{path} {auth}: {got:?}");
    }
}

async fn zendesk_round_trip(sandbox: &Sandbox) {
    let desk = &sandbox.zendesk;
    let mut opened = Vec::new();
    for number in 0..5 {
        opened.push(desk.zendesk_open(&format!("Order {number}"), "Where is it?").await);
    }
    let ticket = &opened[0];
    let change = json!({ "ticket": { "status": "pending", "priority": "high", "tags": ["a", "b"] } });
    desk.write("PUT", &format!("/api/v2/tickets/{ticket}.json"), change).await;
    desk.zendesk_reply(ticket, "On its way.").await;
    let shown = desk.get(&format!("/api/v2/tickets/{ticket}.json")).await["ticket"].clone();
    assert_eq!(
        (&shown["status"], &shown["priority"], &shown["tags"]),
        (&json!("pending"), &json!("high"), &json!(["a", "b"]))
    );
    let said = |text: &str| Said { text: text.to_owned(), public: true };
    assert_eq!(desk.zendesk_said(ticket).await, [said("Where is it?"), said("On its way.")]);

    let mut paged = Vec::new();
    let mut path = "/api/v2/tickets.json?page[size]=2".to_owned();
    loop {
        let page = desk.get(&path).await;
        let rows = page["tickets"].as_array().unwrap();
        assert!(rows.len() <= 2);
        paged.extend(rows.iter().map(id));
        if page["meta"]["has_more"] != true {
            break;
        }
        path = word(&page["links"], "next").replace(&desk.base_url, "");
    }
    paged.sort();
    opened.sort();
    assert_eq!(paged, opened);
}

async fn freshdesk_round_trip(sandbox: &Sandbox) {
    let desk = &sandbox.freshdesk;
    let mut opened = Vec::new();
    for number in 0..3 {
        opened.push(desk.freshdesk_open(&format!("Invoice {number}"), "Which one?").await);
    }
    let ticket = &opened[0];
    desk.write("PUT", &format!("/api/v2/tickets/{ticket}"), json!({ "priority": 3, "tags": ["a"] })).await;
    desk.freshdesk_reply(ticket, "The second.").await;
    let note = json!({ "body": "<div>She called.</div>", "private": true });
    desk.write("POST", &format!("/api/v2/tickets/{ticket}/notes"), note).await;
    let shown = desk.get(&format!("/api/v2/tickets/{ticket}")).await;
    assert_eq!((&shown["priority"], &shown["tags"]), (&json!(3), &json!(["a"])));
    let said = |text: &str, public| Said { text: text.to_owned(), public };
    assert_eq!(
        desk.freshdesk_said(ticket).await,
        [said("Which one?", true), said("The second.", true), said("She called.", false)]
    );
    let mut paged = Vec::new();
    for page in 1..=3 {
        let list = desk.get(&format!("/api/v2/tickets?per_page=1&page={page}")).await;
        assert_eq!(list.as_array().unwrap().len(), 1);
        paged.push(id(&list[0]));
    }
    paged.sort();
    assert_eq!(paged, opened);
}

async fn intercom_round_trip(sandbox: &Sandbox) {
    let desk = &sandbox.intercom;
    let me = desk.get("/me").await["id"].clone();
    let contact = json!({ "role": "user", "email": "eve@example.org", "name": "Eve" });
    let contact = word(&desk.write("POST", "/contacts", contact).await, "id");
    let begun = json!({ "from": { "type": "user", "id": contact }, "body": "Where is it?" });
    let id = word(&desk.write("POST", "/conversations", begun).await, "conversation_id");
    for (kind, text) in [("comment", "<p>On its way.</p>"), ("note", "<p>She called.</p>")] {
        let said = json!({ "message_type": kind, "type": "admin", "admin_id": me, "body": text });
        desk.write("POST", &format!("/conversations/{id}/reply"), said).await;
    }
    let close = json!({ "message_type": "close", "type": "admin", "admin_id": me });
    desk.write("POST", &format!("/conversations/{id}/parts"), close).await;
    let shown = desk.get(&format!("/conversations/{id}?display_as=plaintext")).await;
    assert_eq!((&shown["state"], &shown["source"]["body"]), (&json!("closed"), &json!("Where is it?")));
    let parts = shown["conversation_parts"]["conversation_parts"].as_array().unwrap();
    let said: Vec<_> = parts.iter().map(|part| (&part["part_type"], &part["body"])).collect();
    let expected = [
        (&json!("comment"), &json!("On its way.")),
        (&json!("note"), &json!("She called.")),
        (&json!("close"), &json!(null)),
    ];
    assert_eq!(said, expected);
    let ticket = json!({ "ticket_type_id": "53", "contacts": [{ "id": contact }],
        "ticket_attributes": { "_default_title_": "Kettle", "_default_description_": "It leaks" } });
    let ticket = desk.write("POST", "/tickets", ticket).await;
    assert_eq!(
        (&ticket["type"], &ticket["ticket_state"]["category"]),
        (&json!("ticket"), &json!("submitted"))
    );
}

#[test]
fn the_sandbox_serves_this_machine_only() {
    let ended = Process::run(&["sandbox", "--listen", "0.0.0.0:0"], &[]).with_code(1);
    assert!(ended.stderr.contains("not a loopback address"), "{ended:?}");
    assert_eq!(ended.stdout, "");
    let ended = Process::run(&["sandbox", "--vendors", "zendesk,nobody"], &[]).with_code(1);
    assert!(ended.stderr.contains("nobody") && ended.stderr.contains("freshdesk"), "{ended:?}");
}
