//! Tickets, replies and notes through the API.

use super::*;

#[test]
fn a_wrong_key_is_told_to_sign_in() {
    let mut desk = Desk::new("unlimited");
    desk.key = "wrong".to_owned();
    let got = desk.get("tickets");
    assert_eq!(got.status, 401);
    assert_eq!(got.body["code"], "invalid_credentials");
}

#[test]
fn a_created_ticket_reads_back_the_same() {
    let mut desk = Desk::new("unlimited");
    let mut body = new_ticket("Hello");
    body["tags"] = json!(["a", "b"]);
    body["custom_fields"] = json!({"cf_handoff_key": "op-1", "cf_order_number": 42});
    let made = desk.post("tickets", body);
    assert_eq!(made.status, 201);
    let id = made.body["id"].as_i64().unwrap();
    assert_eq!(
        made.header("location"),
        Some(format!("https://acme.freshdesk.com/api/v2/tickets/{id}").as_str())
    );
    let read = desk.get(&format!("tickets/{id}"));
    assert_eq!(read.body, made.body);
    assert_ne!(read.header("x-request-id"), made.header("x-request-id"));
    assert_eq!(read.body["custom_fields"]["cf_handoff_key"], "op-1");
    assert_eq!(read.body["custom_fields"]["cf_vip"], Value::Null);
    assert_eq!(read.body["description_text"], "Help");
    assert!(read.body.get("deleted").is_none());
}

#[test]
fn what_is_wrong_with_a_create_is_listed() {
    let mut desk = Desk::new("unlimited");
    let empty = desk.post("tickets", json!({}));
    assert_eq!(empty.status, 400);
    assert_eq!(empty.body["description"], "Validation failed");
    let fields: Vec<String> = empty.wrong().into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["subject", "description", "status", "priority", "requester_id"]);
    let cases = [
        (json!({"status": 9}), pair("status", "invalid_value")),
        (json!({"status": "2"}), pair("status", "datatype_mismatch")),
        (json!({"priority": 5}), pair("priority", "invalid_value")),
        (json!({"colour": "red"}), pair("colour", "invalid_field")),
        (json!({"custom_fields": {"cf_nope": "x"}}), pair("cf_nope", "invalid_field")),
        (json!({"custom_fields": {"cf_order_number": "x"}}), pair("cf_order_number", "datatype_mismatch")),
        (json!({"custom_fields": {"cf_region": "MARS"}}), pair("cf_region", "invalid_value")),
        (json!({"tags": "x"}), pair("tags", "datatype_mismatch")),
        (json!({"tags": ["x".repeat(33)]}), pair("tags", "invalid_value")),
        (json!({"responder_id": 1}), pair("responder_id", "invalid_value")),
        (json!({"email": "nobody"}), pair("email", "invalid_value")),
        (json!({"requester_id": 5}), pair("requester_id", "invalid_value")),
    ];
    for (change, wanted) in cases {
        let mut body = new_ticket("x");
        let change = change.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(change);
        let got = desk.post("tickets", body);
        assert_eq!((got.status, got.wrong()), (400, vec![wanted]), "{}", got.body);
    }
    assert!(desk.sim.tickets().is_empty());
}

#[test]
fn an_update_is_partial_replaces_tags_and_moves_the_time() {
    let mut desk = Desk::new("unlimited");
    let mut body = new_ticket("Hello");
    body["tags"] = json!(["old"]);
    body["custom_fields"] = json!({"cf_handoff_key": "k", "cf_region": "EMEA"});
    let id = desk.post("tickets", body).body["id"].as_i64().unwrap();
    desk.now += 5;
    let change = json!({"status": 7, "tags": ["new"], "custom_fields": {"cf_region": null}});
    let got = desk.put(&format!("tickets/{id}"), change.clone());
    assert_eq!(got.status, 200);
    assert_eq!(got.body["status"], 7);
    assert_eq!(got.body["subject"], "Hello");
    assert_eq!(got.body["tags"], json!(["new"]));
    assert_eq!(got.body["custom_fields"]["cf_handoff_key"], "k");
    assert_eq!(got.body["custom_fields"]["cf_region"], Value::Null);
    assert_eq!(got.body["updated_at"], Timestamp::from_secs(START + 5).to_string());
    desk.now += 5;
    let same = desk.put(&format!("tickets/{id}"), change);
    assert_eq!(same.body["updated_at"], got.body["updated_at"], "nothing changed, so the time stays");
}

#[test]
fn markup_nobody_sees_is_not_kept() {
    let mut desk = Desk::new("unlimited");
    let id = desk.ticket("x");
    let body = "a<!-- op-1 --><span style=\"display: none\">op-1</span><script>bad()</script><br>b &amp; c";
    let note = desk.post(&format!("tickets/{id}/notes"), json!({"body": body}));
    assert_eq!(note.status, 201);
    assert_eq!(note.body["body"], "<div>a<br>b &amp; c</div>");
    assert_eq!(note.body["body_text"], "a\nb & c");
    let plain = desk.post(&format!("tickets/{id}/notes"), json!({"body": "only words"}));
    assert_eq!(plain.body["body"], "<div>only words</div>");
}

#[test]
fn text_keeps_the_lines_that_markup_makes() {
    let cases = [
        ("<div>a<br>b</div>", "a\nb"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<div>a &lt;b&gt; &#39;c&#x27; &copy;</div>", "a <b> 'c' &copy;"),
        ("<div>a\nb</div>", "a b"),
        ("a < b", "a < b"),
    ];
    for (html, text) in cases {
        assert_eq!(super::super::html::to_text(html), text, "{html}");
    }
    let typed = "1 < 2 & 3\n\nend";
    assert_eq!(super::super::html::to_text(&super::super::html::from_plain(typed)), typed);
}

#[test]
fn a_reply_mails_and_a_note_does_not() {
    let mut desk = Desk::new("unlimited");
    let id = desk.ticket("x");
    assert!(desk.sim.mails_sent().is_empty(), "a ticket made through the API mails nobody");
    let note = desk.post(&format!("tickets/{id}/notes"), json!({"body": "x"}));
    assert_eq!((note.body["private"].clone(), note.body["source"].clone()), (json!(true), json!(2)));
    desk.post(&format!("tickets/{id}/notes"), json!({"body": "y", "private": false}));
    assert!(desk.sim.mails_sent().is_empty());
    let reply = desk.post(&format!("tickets/{id}/reply"), json!({"body": "z"}));
    assert_eq!(reply.status, 201);
    assert_eq!(reply.body["to_emails"], json!(["ada@example.com"]));
    let mails = desk.sim.mails_sent();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, "ada@example.com");
    assert_eq!(mails[0].comment, Some(RemoteId::from(reply.body["id"].as_i64().unwrap())));
}

#[test]
fn a_customers_message_reopens() {
    let mut desk = Desk::new("unlimited");
    let made = desk.post("tickets", new_ticket("x"));
    let (id, customer) = (made.body["id"].as_i64().unwrap(), made.body["requester_id"].clone());
    for status in [3, 4, 5] {
        desk.put(&format!("tickets/{id}"), json!({"status": status}));
        desk.post(&format!("tickets/{id}/reply"), json!({"body": "done?"}));
        assert_eq!(desk.get(&format!("tickets/{id}")).body["status"], status, "an agent's reply does not");
        let note = json!({"body": "no", "private": false, "incoming": true, "user_id": customer});
        desk.post(&format!("tickets/{id}/notes"), note);
        let read = desk.get(&format!("tickets/{id}?include=stats"));
        assert_eq!(read.body["status"], 2);
        assert_eq!(read.body["stats"]["resolved_at"], Value::Null);
    }
}

#[test]
fn only_notes_are_edited_and_deleted() {
    let mut desk = Desk::new("unlimited");
    let id = desk.ticket("x");
    let note = desk.post(&format!("tickets/{id}/notes"), json!({"body": "one"})).body["id"].clone();
    let reply = desk.post(&format!("tickets/{id}/reply"), json!({"body": "two"})).body["id"].clone();
    let edited = desk.put(&format!("conversations/{note}"), json!({"body": "three"}));
    assert_eq!((edited.status, edited.body["body_text"].clone()), (200, json!("three")));
    assert_eq!(desk.put(&format!("conversations/{reply}"), json!({"body": "x"})).status, 405);
    let ticket = RemoteId::from(id);
    desk.say(&ticket, Who::Customer, "mine", true).unwrap();
    let came = desk.get(&format!("tickets/{id}/conversations")).ids()[2];
    assert_eq!(desk.call("DELETE", &format!("conversations/{came}"), None).status, 405, "it came in");
    assert_eq!(desk.call("DELETE", &format!("conversations/{note}"), None).status, 204);
    assert_eq!(desk.get(&format!("tickets/{id}/conversations")).ids(), [reply.as_i64().unwrap(), came]);
    assert_eq!(desk.call("DELETE", &format!("conversations/{reply}"), None).status, 204);
    assert_eq!(desk.get(&format!("tickets/{id}/conversations")).ids(), [came]);
}

#[test]
fn a_view_embeds_the_ten_oldest_and_the_list_pages() {
    let mut desk = Desk::new("unlimited");
    let id = desk.ticket("x");
    let ids: Vec<i64> = (0..12)
        .map(|n| {
            desk.post(&format!("tickets/{id}/notes"), json!({"body": format!("n{n}")})).body["id"]
                .as_i64()
                .unwrap()
        })
        .collect();
    let view = desk.get(&format!("tickets/{id}?include=conversations,requester"));
    let embedded: Vec<i64> = view.body["conversations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_i64().unwrap())
        .collect();
    assert_eq!(embedded, ids[..10]);
    assert_eq!(view.body["requester"]["email"], "ada@example.com");
    let first = desk.get(&format!("tickets/{id}/conversations?per_page=8"));
    assert_eq!(first.ids(), ids[..8]);
    let link = format!(
        "<https://acme.freshdesk.com/api/v2/tickets/{id}/conversations?per_page=8&page=2>; rel=\"next\""
    );
    assert_eq!(first.header("link"), Some(link.as_str()));
    let last = desk.get(&format!("tickets/{id}/conversations?per_page=8&page=2"));
    assert_eq!((last.ids(), last.header("link")), (ids[8..].to_vec(), None));
}

#[test]
fn a_list_without_updated_since_forgets_old_tickets() {
    let mut desk = Desk::new("unlimited");
    let old = desk.ticket("old");
    desk.now += 31 * 86_400;
    let new = desk.ticket("new");
    assert_eq!(desk.get("tickets").ids(), [new]);
    let since = desk.get("tickets?updated_since=2026-11-01T00:00:00Z&order_by=updated_at&order_type=asc");
    assert_eq!(since.ids(), [old, new]);
    assert!(since.body[0].get("description").is_none());
}

#[test]
fn lists_order_filter_and_embed() {
    let mut desk = Desk::new("unlimited");
    let one = desk.ticket("one");
    desk.now += 1;
    let two = desk.ticket("two");
    desk.now += 1;
    desk.put(&format!("tickets/{one}"), json!({"priority": 4}));
    assert_eq!(desk.get("tickets").ids(), [two, one], "newest first unless asked");
    assert_eq!(desk.get("tickets?order_by=updated_at&order_type=asc").ids(), [two, one]);
    assert_eq!(desk.get("tickets?email=ADA@example.com&order_type=asc").ids(), [one, two]);
    let nobody = desk.get("tickets?email=nobody@example.com");
    assert_eq!((nobody.status, nobody.wrong()), (400, vec![pair("email", "invalid_value")]));
    let full = desk.get("tickets?include=description,stats,requester");
    assert_eq!(full.body[0]["description_text"], "Help");
    assert_eq!(full.body[0]["requester"]["name"], "ada");
    assert!(full.body[0]["stats"]["status_updated_at"].is_string());
    for (path, field) in [
        ("tickets?include=conversations", "include"),
        ("tickets?order_by=name", "order_by"),
        ("tickets?per_page=101", "per_page"),
        ("tickets?page=301", "page"),
        ("tickets?page=0", "page"),
        ("tickets?updated_since=yesterday", "updated_since"),
        ("tickets?filter=mine", "filter"),
    ] {
        assert_eq!(desk.get(path).wrong(), [pair(field, "invalid_value")], "{path}");
    }
    assert_eq!(desk.get("tickets?colour=red").wrong(), [pair("colour", "invalid_field")]);
    assert_eq!(desk.get("tickets?page=300").ids(), Vec::<i64>::new());
}

#[test]
fn the_trash_is_a_list_of_its_own() {
    let mut desk = Desk::new("unlimited");
    let id = desk.ticket("x");
    desk.now += 1;
    assert_eq!(desk.call("DELETE", &format!("tickets/{id}"), None).status, 204);
    assert!(desk.get("tickets").ids().is_empty());
    let trash = desk.get("tickets?filter=deleted&updated_since=2026-11-22T08:00:01Z");
    assert_eq!(trash.ids(), [id]);
    assert_eq!(trash.body[0]["deleted"], true);
    assert_eq!(desk.get(&format!("tickets/{id}")).body["deleted"], true);
    assert_eq!(desk.put(&format!("tickets/{id}"), json!({"status": 4})).status, 404);
    assert_eq!(desk.post(&format!("tickets/{id}/reply"), json!({"body": "x"})).status, 404);
    assert_eq!(desk.put(&format!("tickets/{id}/restore"), json!({})).status, 204);
    assert_eq!(desk.get("tickets").ids(), [id]);
    desk.call("DELETE", &format!("tickets/{id}"), None);
    desk.now += 31 * 86_400;
    assert_eq!(desk.get(&format!("tickets/{id}")).status, 404);
}

#[test]
fn some_accounts_forbid_the_trash() {
    let mut desk = Desk::with("unlimited", Options { trash_readable: false, ..Options::default() });
    let id = desk.ticket("x");
    desk.call("DELETE", &format!("tickets/{id}"), None);
    let got = desk.get(&format!("tickets/{id}"));
    assert_eq!((got.status, got.body["code"].clone()), (403, json!("access_denied")));
}

#[test]
fn the_shape_of_refusals() {
    let mut desk = Desk::new("unlimited");
    let missing = desk.get("tickets/1");
    assert_eq!((missing.status, missing.response.body().len()), (404, 0));
    let method = desk.call("DELETE", "tickets", None);
    assert_eq!((method.status, method.header("allow")), (405, Some("GET, POST")));
    let garbled = desk.call("POST", "tickets", Some(json!([1])));
    assert_eq!((garbled.status, garbled.body["code"].clone()), (400, json!("invalid_json")));
    let form = Request::post("/api/v2/tickets")
        .header("authorization", format!("Basic {}", base64_of(&format!("{}:X", desk.key))))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from("subject=x"))
        .unwrap();
    assert_eq!(desk.send(form).status, 415);
}

fn base64_of(text: &str) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text)
}
