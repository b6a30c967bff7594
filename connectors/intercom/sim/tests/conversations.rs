//! Conversations through the API.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::*;

#[test]
fn creation_answers_with_the_message() {
    let mut desk = Desk::new();
    let contact = desk.contact("ada@example.com");
    let made = desk.post(
        "conversations",
        json!({"from": {"type": "user", "id": contact}, "body": "It <leaks>.\nBadly & often.", "created_at": START - 900}),
    );
    assert_eq!(made.body["type"], "user_message");
    let id = made.body["conversation_id"].as_str().unwrap();
    assert_ne!(made.body["id"], id);
    let read = desk.get(&format!("conversations/{id}"));
    assert_eq!(read.body["source"]["id"], made.body["id"]);
    assert_eq!(read.body["source"]["body"], "<p>It &lt;leaks&gt;.<br>Badly &amp; often.</p>");
    assert_eq!(read.body["source"]["author"]["id"], contact);
    assert_eq!(read.body["contacts"]["contacts"][0]["id"], contact);
    assert_eq!((&read.body["created_at"], &read.body["updated_at"]), (&json!(START - 900), &json!(START)));
    assert_eq!(read.body["conversation_parts"]["total_count"], 0);
    assert_eq!((&read.body["title"], &read.body["admin_assignee_id"]), (&Value::Null, &Value::Null));
    let plain = desk.get(&format!("conversations/{id}?display_as=plaintext"));
    assert_eq!(plain.body["source"]["body"], "It <leaks>.\nBadly & often.");
    assert!(desk.sim.mails_sent().is_empty());
}

#[test]
fn what_is_wrong_with_a_create_is_said() {
    let mut desk = Desk::new();
    let contact = desk.contact("ada@example.com");
    let from = json!({"type": "user", "id": contact});
    let cases = [
        (json!({"body": "x"}), 400, "parameter_not_found"),
        (json!({"from": from, "body": ""}), 400, "parameter_invalid"),
        (json!({"from": {"type": "admin", "id": contact}, "body": "x"}), 400, "parameter_invalid"),
        (json!({"from": {"type": "user", "id": "0"}, "body": "x"}), 404, "not_found"),
        (json!({"from": from, "body": "x", "created_at": "soon"}), 400, "parameter_invalid"),
        (json!({"from": from, "body": "x", "attachment_urls": ["nowhere"]}), 400, "parameter_invalid"),
    ];
    for (body, status, code) in cases {
        let got = desk.post("conversations", body.clone());
        assert_eq!((got.status, got.error().1), (status, code), "{body}");
    }
    assert!(desk.sim.tickets().is_empty());
}

#[test]
fn replies_and_notes_are_parts_of_the_whole_that_comes_back() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    desk.now += 5;
    let got = desk.reply(&id, "comment", "<p>Have you <script>bad()</script><b>tried</b> it?</p>");
    assert_eq!(got.status, 200);
    let part = &got.parts()[0];
    assert_eq!(
        (&part["part_type"], &part["body"]),
        (&json!("comment"), &json!("<p>Have you <b>tried</b> it?</p>"))
    );
    assert_eq!(part["author"]["type"], "admin");
    assert!(part["app_package_code"].as_str().unwrap().starts_with("handoffd-"));
    assert_eq!((&got.body["waiting_since"], &got.body["updated_at"]), (&Value::Null, &json!(START + 5)));
    let plain = desk.reply(&id, "note", "only words\nand more");
    assert_eq!(plain.parts()[1]["body"], "<p>only words<br>and more</p>");
    let quick = desk.post(
        &format!("conversations/{id}/reply"),
        json!({"type": "admin", "message_type": "quick_reply", "admin_id": desk.sim.world.me,
            "reply_options": [{"text": "Yes", "uuid": "a5e1c524-5ddf-4c3e-9328-6bca5d6e3edb"}]}),
    );
    assert_eq!(quick.parts()[2]["metadata"]["quick_reply_options"][0]["text"], "Yes");
    let mails: Vec<&str> = desk.sim.mails_sent().iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(mails, ["ada@example.com"], "only the comment is mailed");
    assert_eq!(desk.sim.mails_sent()[0].comment.as_ref().unwrap().as_str(), got.parts()[0]["id"]);
}

#[test]
fn an_imported_reply_keeps_its_time_and_moves_the_version() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    desk.now += 60;
    let me = desk.me();
    let got = desk.post(
        &format!("conversations/{id}/reply"),
        json!({"type": "admin", "message_type": "comment", "admin_id": me, "body": "x", "created_at": START - 86_400, "skip_notifications": true}),
    );
    assert_eq!(got.parts()[0]["created_at"], START - 86_400);
    assert_eq!(got.body["updated_at"], START + 60);
    assert_eq!(
        desk.sim.mails_sent().len(),
        1,
        "nothing says that an import is silent, and only tickets can be silent"
    );
}

#[test]
fn contacts_write_in_plain_text_where_they_take_part() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    let other = desk.contact("bob@example.com");
    let path = format!("conversations/{id}/reply");
    let by_email =
        json!({"type": "user", "message_type": "comment", "email": "ADA@example.com", "body": "<b>x</b>"});
    let got = desk.post(&path, by_email);
    assert_eq!(got.parts()[0]["body"], "<p>&lt;b&gt;x&lt;/b&gt;</p>");
    assert_eq!(got.parts()[0]["author"]["type"], "user");
    assert_eq!(got.body["waiting_since"], START);
    let stranger = json!({"type": "user", "message_type": "comment", "intercom_user_id": other, "body": "x"});
    assert_eq!(desk.post(&path, stranger).error(), (404, "not_found", "User Not Found"));
    let unknown = json!({"type": "user", "message_type": "comment", "user_id": "70", "body": "x"});
    assert_eq!(desk.post(&path, unknown).status, 404);
    let note = json!({"type": "user", "message_type": "note", "email": "ada@example.com", "body": "x"});
    assert_eq!(desk.post(&path, note).status, 400);
    let admin = json!({"type": "admin", "message_type": "comment", "admin_id": "1", "body": "x"});
    assert_eq!(desk.post(&path, admin).error(), (404, "admin_not_found", "Admin not found"));
    let last = json!({"type": "user", "message_type": "comment", "email": "ada@example.com", "body": "y"});
    assert_eq!(desk.post("conversations/last/reply", last).body["id"], id);
    assert!(desk.sim.mails_sent().is_empty());
}

#[test]
fn states_are_changed_by_parts() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    let closed = desk.manage(&id, json!({"type": "admin", "message_type": "close", "body": "Goodbye"}));
    assert_eq!((&closed.body["state"], &closed.body["open"]), (&json!("closed"), &json!(false)));
    assert_eq!(closed.parts()[0]["part_type"], "close");
    assert_eq!(desk.sim.mails_sent().len(), 1, "words said while closing are a message");
    let open = desk.manage(&id, json!({"message_type": "open"}));
    assert_eq!(open.body["state"], "open");
    let past = desk.manage(&id, json!({"message_type": "snoozed", "snoozed_until": START}));
    assert_eq!(past.status, 400);
    let snoozed = desk.manage(&id, json!({"message_type": "snoozed", "snoozed_until": START + 60}));
    assert_eq!((&snoozed.body["state"], &snoozed.body["open"]), (&json!("snoozed"), &json!(true)));
    desk.now += 61;
    let woken = desk.get(&format!("conversations/{id}"));
    assert_eq!((&woken.body["state"], &woken.body["snoozed_until"]), (&json!("open"), &Value::Null));
    assert_eq!(woken.body["updated_at"], START + 60);
    assert_eq!(woken.parts().last().unwrap()["part_type"], "timer_unsnooze");
    assert_eq!(desk.manage(&id, json!({"message_type": "dance"})).status, 400);
}

#[test]
fn a_customers_words_open_a_closed_conversation() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    desk.manage(&id, json!({"type": "admin", "message_type": "close"}));
    assert_eq!(desk.reply(&id, "comment", "late").body["state"], "closed", "an admin's do not");
    let again =
        json!({"type": "user", "message_type": "comment", "email": "ada@example.com", "body": "Still"});
    let got = desk.post(&format!("conversations/{id}/reply"), again);
    assert_eq!(got.body["state"], "open");
    let last = got.parts().last().unwrap();
    assert_eq!((&last["part_type"], &last["body"]), (&json!("open"), &json!("<p>Still</p>")));
}

#[test]
fn conversations_are_given_to_admins_and_teams() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    let me = desk.me();
    let given = desk.manage(&id, json!({"message_type": "assignment", "type": "admin", "assignee_id": me}));
    assert_eq!(given.body["admin_assignee_id"].to_string(), me);
    assert_eq!(given.parts()[0]["assigned_to"], json!({"type": "admin", "id": me}));
    let team = desk.sim.bot_marks().1[0].to_string();
    let teamed = desk.manage(&id, json!({"message_type": "assignment", "type": "team", "assignee_id": team}));
    assert_eq!(teamed.body["team_assignee_id"].to_string(), team);
    assert_eq!(teamed.body["admin_assignee_id"].to_string(), me, "the admin stays");
    let none = desk.manage(&id, json!({"message_type": "assignment", "type": "admin", "assignee_id": "0"}));
    assert_eq!(none.body["admin_assignee_id"], Value::Null);
    let wrong = desk.manage(&id, json!({"message_type": "assignment", "type": "admin", "assignee_id": team}));
    assert_eq!(wrong.error(), (404, "assignee_not_found", "Assignee not found"));
    desk.manage(&id, json!({"type": "admin", "message_type": "close"}));
    let reopened =
        desk.manage(&id, json!({"message_type": "assignment", "type": "admin", "assignee_id": me}));
    assert_eq!(reopened.body["state"], "open");
    assert_eq!(reopened.parts().last().unwrap()["part_type"], "assign_and_reopen");
}

#[test]
fn titles_and_attributes_are_put() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    let path = format!("conversations/{id}");
    desk.now += 5;
    let got = desk
        .put(&path, json!({"title": "Kettle", "custom_attributes": {"handoff_key": "op-1", "vip": true}}));
    assert_eq!((&got.body["title"], &got.body["updated_at"]), (&json!("Kettle"), &json!(START + 5)));
    assert_eq!(got.body["custom_attributes"], json!({"handoff_key": "op-1", "vip": true}));
    let last = got.parts().last().unwrap();
    assert_eq!(last["part_type"], "conversation_attribute_updated_by_admin");
    assert!(last["event_details"]["attribute"]["name"].is_string());
    desk.now += 5;
    let same = desk.put(&path, json!({"title": "Kettle"}));
    assert_eq!(same.body["updated_at"], START + 5, "nothing changed, so the time stays");
    let cases = [
        json!({"custom_attributes": {"nope": "x"}}),
        json!({"custom_attributes": {"vip": "yes"}}),
        json!({"custom_attributes": {"region": "MARS"}}),
        json!({"title": 5}),
        json!({"read": "yes"}),
    ];
    for body in cases {
        assert_eq!(desk.put(&path, body.clone()).error().1, "parameter_invalid", "{body}");
    }
    let twin = desk.sim.world.attributes[0].clone();
    desk.sim.world.attributes.push(twin);
    let twice = desk.put(&path, json!({"custom_attributes": {"order_number": 4}}));
    assert_eq!(twice.status, 400, "two attributes of one name");
    let gone = desk.put(&path, json!({"read": true, "custom_attributes": {"vip": null}}));
    assert_eq!(
        (&gone.body["read"], &gone.body["custom_attributes"]),
        (&json!(true), &json!({"handoff_key": "op-1"}))
    );
}

#[test]
fn only_the_newest_500_parts_are_shown() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    for n in 0..503 {
        desk.reply(&id, "note", &format!("n{n}"));
    }
    let got = desk.get(&format!("conversations/{id}"));
    assert_eq!((got.parts().len(), &got.body["conversation_parts"]["total_count"]), (500, &json!(503)));
    assert_eq!(got.body["statistics"]["count_conversation_parts"], 503);
    assert_eq!(got.parts()[0]["body"], "<p>n3</p>");
}

#[test]
fn files_are_read_for_half_an_hour() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    let me = desk.me();
    let file = json!({"content_type": "text/plain", "name": "a b.txt", "data": STANDARD.encode("hello")});
    let path = format!("conversations/{id}/reply");
    let body = |files: Value| json!({"type": "admin", "message_type": "note", "admin_id": me, "body": "x", "attachment_files": files});
    let got = desk.post(&path, body(json!([file])));
    let shown = &got.parts()[0]["attachments"][0];
    assert_eq!((&shown["name"], &shown["filesize"]), (&json!("a b.txt"), &json!(5)));
    let url = url::Url::parse(shown["url"].as_str().unwrap()).unwrap();
    let fetch = |desk: &mut Desk, at: &str| desk.send(Request::get(at).body(Bytes::new()).unwrap());
    let at = format!("{}?{}", url.path(), url.query().unwrap());
    let fetched = fetch(&mut desk, &at);
    assert_eq!((fetched.status, &fetched.response.body()[..]), (200, &b"hello"[..]));
    assert_eq!(fetched.header("content-type"), Some("text/plain"));
    assert_eq!(fetch(&mut desk, &at.replace("signature=", "signature=x")).status, 403);
    assert_eq!(fetch(&mut desk, "/attachments/i/o/1/x").status, 404);
    desk.now += 30 * 60;
    assert_eq!(fetch(&mut desk, &at).status, 403, "the address is over");
    let fresh = desk.get(&format!("conversations/{id}")).parts()[0]["attachments"][0]["url"].clone();
    assert_ne!(fresh, shown["url"]);
    assert_eq!(desk.post(&path, body(json!(vec![file; 11]))).status, 400);
    let broken = json!([{"content_type": "text/plain", "name": "a", "data": "%%"}]);
    assert_eq!(desk.post(&path, body(broken)).status, 400);
}

#[test]
fn tags_are_put_on_and_taken_off() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    let tag = desk.post("tags", json!({"name": "Leak"})).body["id"].clone();
    let me = desk.me();
    let put = desk.post(&format!("conversations/{id}/tags"), json!({"id": tag, "admin_id": me}));
    assert_eq!((&put.body["name"], &put.body["applied_by"]["id"]), (&json!("Leak"), &json!(me)));
    let shown = desk.get(&format!("conversations/{id}"));
    assert_eq!(shown.body["tags"]["tags"][0]["name"], "Leak");
    let none = desk.post(&format!("conversations/{id}/tags"), json!({"id": "1", "admin_id": me}));
    assert_eq!(none.error(), (404, "tag_not_found", "Tag not found"));
    let nowhere = desk.post("conversations/1/tags", json!({"id": tag, "admin_id": me}));
    assert_eq!(nowhere.error(), (404, "not_found", "Conversation not found"));
    let path = format!("conversations/{id}/tags/{}", tag.as_str().unwrap());
    assert_eq!(desk.delete(&path, json!({"admin_id": me})).status, 200);
    assert_eq!(desk.get(&format!("conversations/{id}")).body["tags"]["tags"], json!([]));
}

#[test]
fn customers_come_and_go_but_the_last_one_stays() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    let me = desk.me();
    let body = json!({"admin_id": me, "customer": {"email": "new@example.com"}});
    let got = desk.post(&format!("conversations/{id}/customers"), body);
    let contacts = got.body["contacts"]["contacts"].as_array().unwrap().clone();
    assert_eq!(contacts.len(), 2);
    let lead = contacts[1]["id"].as_str().unwrap();
    assert_eq!(desk.get(&format!("contacts/{lead}")).body["role"], "lead");
    desk.reply(&id, "comment", "both of you");
    assert_eq!(desk.sim.mails_sent().len(), 2);
    let first = contacts[0]["id"].as_str().unwrap();
    let path = format!("conversations/{id}/customers/{first}");
    assert_eq!(desk.delete(&path, json!({"admin_id": me})).status, 200);
    assert_eq!(desk.delete(&path, json!({"admin_id": me})).error(), (404, "not_found", "User Not Found"));
    let last = desk.delete(&format!("conversations/{id}/customers/{lead}"), json!({"admin_id": me}));
    assert_eq!(last.error(), (422, "parameter_invalid", "Removing the last customer is not allowed"));
}

#[test]
fn parts_and_sources_are_redacted() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    let part = desk.reply(&id, "note", "secret").parts()[0]["id"].clone();
    let got = desk.post(
        "conversations/redact",
        json!({"type": "conversation_part", "conversation_id": id, "conversation_part_id": part}),
    );
    assert_eq!(got.parts()[0]["body"], "<p><i>This message was deleted</i></p>");
    assert_eq!(got.parts()[0]["redacted"], true);
    let source = got.body["source"]["id"].clone();
    let gone = desk
        .post("conversations/redact", json!({"type": "source", "conversation_id": id, "source_id": source}));
    assert_eq!(gone.body["source"]["redacted"], true);
    let none = json!({"type": "conversation_part", "conversation_id": id, "conversation_part_id": "1"});
    assert_eq!(
        desk.post("conversations/redact", none).error(),
        (404, "conversation_part_or_message_not_found", "Conversation part or message not found")
    );
    let bodiless = desk.manage(&id, json!({"message_type": "open"})).parts()[1]["id"].clone();
    let empty = json!({"type": "conversation_part", "conversation_id": id, "conversation_part_id": bodiless});
    assert_eq!(desk.post("conversations/redact", empty).error().1, "conversation_part_not_redactable");
}

#[test]
fn deleted_is_deleted() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    let path = format!("conversations/{id}");
    assert_eq!(
        desk.delete(&path, json!({})).body,
        json!({"id": id, "object": "conversation", "deleted": true})
    );
    assert_eq!(desk.get(&path).status, 404);
    assert_eq!(desk.delete(&path, json!({})).status, 404);
    assert_eq!(desk.reply(&id, "note", "x").status, 404);
    assert!(desk.shown(&id).deleted);
}

#[test]
fn an_admins_message_makes_a_conversation_when_it_is_asked_to() {
    let mut desk = Desk::new();
    let (contact, me) = (desk.contact("ada@example.com"), desk.me());
    let mut body = json!({"message_type": "email", "subject": "Hi", "body": "<p>Hello</p>",
        "from": {"type": "admin", "id": me}, "to": {"type": "user", "id": contact},
        "create_conversation_without_contact_reply": true});
    let got = desk.post("messages", body.clone());
    let id = got.body["conversation_id"].as_str().unwrap().to_owned();
    let read = desk.get(&format!("conversations/{id}"));
    assert_eq!(
        (&read.body["source"]["author"]["type"], &read.body["source"]["delivered_as"]),
        (&json!("admin"), &json!("admin_initiated"))
    );
    assert_eq!(desk.sim.mails_sent().len(), 1);
    body["subject"] = Value::Null;
    assert_eq!(desk.post("messages", body).error().0, 422);
}
