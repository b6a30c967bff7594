//! Tickets through the API.

use super::*;

#[test]
fn a_ticket_has_a_long_id_and_a_number_for_people() {
    let mut desk = Desk::new();
    let made = desk.post("tickets", new_ticket("Kettle"));
    assert_eq!((&made.body["type"], &made.body["category"]), (&json!("ticket"), &json!("Customer")));
    let (id, number) = (made.body["id"].as_str().unwrap(), made.body["ticket_id"].as_str().unwrap());
    assert_ne!(id, number);
    assert_eq!(desk.get(&format!("tickets/{number}")).status, 404);
    assert_eq!(desk.get(&format!("conversations/{id}")).status, 404, "it is a ticket only");
    let read = desk.get(&format!("tickets/{id}"));
    assert_eq!(read.body, made.body);
    assert_eq!((&read.body["admin_assignee_id"], &read.body["team_assignee_id"]), (&json!("0"), &json!("0")));
    assert_eq!((&read.body["open"], &read.body["is_shared"]), (&json!(true), &json!(true)));
    assert_eq!(read.body["ticket_attributes"]["_default_title_"], "Kettle");
    assert_eq!(read.body["ticket_parts"]["ticket_parts"][0]["part_type"], "ticket_state_updated_by_admin");
    let contact = read.body["contacts"]["contacts"][0]["id"].as_str().unwrap();
    assert_eq!(desk.get(&format!("contacts/{contact}")).body["email"], "ada@example.com", "made on the way");
    assert_eq!(desk.sim.mails_sent().len(), 1);
    assert_eq!(desk.sim.mails_sent()[0].comment, None);
}

#[test]
fn creation_can_be_silent_assigned_old_and_linked() {
    let mut desk = Desk::new();
    let (me, other) = (desk.me(), desk.conversation("bob@example.com"));
    let team = desk.sim.bot_marks().1[0].to_string();
    let mut body = new_ticket("Kettle");
    body["skip_notifications"] = json!(true);
    body["assignment"] = json!({"admin_assignee_id": me, "team_assignee_id": team});
    body["created_at"] = json!(START - 86_400);
    body["conversation_to_link_id"] = json!(other);
    let made = desk.post("tickets", body);
    assert_eq!((&made.body["admin_assignee_id"], &made.body["team_assignee_id"]), (&json!(me), &json!(team)));
    assert_eq!((&made.body["created_at"], &made.body["updated_at"]), (&json!(START - 86_400), &json!(START)));
    assert_eq!(made.body["linked_objects"]["data"][0]["id"], other);
    let linked = desk.get(&format!("conversations/{other}")).body["linked_objects"]["data"][0].clone();
    assert_eq!(linked, json!({"type": "ticket", "id": made.body["id"], "category": "Customer"}));
    assert!(desk.sim.mails_sent().is_empty());
}

#[test]
fn what_is_wrong_with_a_ticket_is_said() {
    let mut desk = Desk::new();
    let cases = [
        (json!({"ticket_type_id": "1"}), 404),
        (json!({"contacts": []}), 400),
        (json!({"contacts": [{"email": "a@b.c"}, {"email": "d@e.f"}]}), 400),
        (json!({"contacts": [{"id": "0"}]}), 404),
        (json!({"contacts": [{"external_id": "70"}]}), 404),
        (json!({"ticket_attributes": {"nope": 1}}), 400),
        (json!({"ticket_attributes": {"Severity": "Awful"}}), 400),
        (json!({"assignment": {"admin_assignee_id": "1"}}), 404),
        (json!({"conversation_to_link_id": "1"}), 404),
    ];
    for (change, status) in cases {
        let mut body = new_ticket("x");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(desk.post("tickets", body).status, status, "{change}");
    }
    assert!(desk.sim.tickets().is_empty());
}

#[test]
fn state_open_and_owner_are_separate() {
    let mut desk = Desk::new();
    let id = desk.ticket("Kettle");
    let (path, me) = (format!("tickets/{id}"), desk.me());
    let states = desk.get("ticket_states");
    let state = |category: &str| {
        let found = states.body["data"].as_array().unwrap().iter().find(|one| one["category"] == category);
        found.unwrap()["id"].clone()
    };
    let solved = desk.put(&path, json!({"ticket_state_id": state("resolved"), "skip_notifications": true}));
    assert_eq!(
        (&solved.body["ticket_state"]["category"], &solved.body["open"]),
        (&json!("resolved"), &json!(true))
    );
    let part = solved.body["ticket_parts"]["ticket_parts"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&part["previous_ticket_state"], &part["ticket_state"]),
        (&json!("submitted"), &json!("resolved"))
    );
    let closed = desk.put(&path, json!({"open": false}));
    assert_eq!(
        (&closed.body["ticket_state"]["category"], &closed.body["open"]),
        (&json!("resolved"), &json!(false))
    );
    let snoozed = desk.put(&path, json!({"open": true, "snoozed_until": START + 60}));
    assert_eq!((&snoozed.body["open"], &snoozed.body["snoozed_until"]), (&json!(true), &json!(START + 60)));
    let given = desk.put(&path, json!({"assignee_id": me, "admin_id": me}));
    assert_eq!(given.body["admin_assignee_id"], me);
    assert_eq!(desk.put(&path, json!({"assignee_id": 0})).body["admin_assignee_id"], "0");
    let severe = desk.put(&path, json!({"ticket_attributes": {"Severity": "High"}, "is_shared": false}));
    assert_eq!(
        (&severe.body["ticket_attributes"]["Severity"], &severe.body["is_shared"]),
        (&json!("High"), &json!(false))
    );
    let last = severe.body["ticket_parts"]["ticket_parts"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["updated_attribute_data"]["attribute"]["label"], "Severity");
    let bad = desk.put(&path, json!({"ticket_state_id": "1"}));
    assert_eq!(bad.error().1, "ticket_state_id_invalid");
    assert_eq!(
        desk.put(&path, json!({"assignee_id": "1"})).error(),
        (404, "assignee_not_found", "Assignee not found")
    );
    assert_eq!(desk.sim.mails_sent().len(), 1, "of the creation only");
    desk.put(&path, json!({"is_shared": true}));
    desk.put(&path, json!({"ticket_state_id": state("in_progress")}));
    assert_eq!(desk.sim.mails_sent().len(), 2, "a state that customers see is mailed");
}

#[test]
fn replies_answer_with_the_part() {
    let mut desk = Desk::new();
    let id = desk.ticket("Kettle");
    let (path, me) = (format!("tickets/{id}/reply"), desk.me());
    let body = json!({"type": "admin", "message_type": "comment", "admin_id": me, "body": "<p>Hi</p>"});
    let part = desk.post(&path, body.clone());
    assert_eq!((&part.body["type"], &part.body["body"]), (&json!("ticket_part"), &json!("<p>Hi</p>")));
    let mut quiet = body.clone();
    quiet["skip_notifications"] = json!(true);
    desk.post(&path, quiet);
    assert_eq!(desk.sim.mails_sent().iter().filter(|mail| mail.comment.is_some()).count(), 1);
    let user =
        json!({"type": "user", "message_type": "comment", "email": "ada@example.com", "body": "Thanks"});
    assert_eq!(desk.post(&path, user.clone()).body["author"]["type"], "lead");
    let mut with_file = body;
    with_file["attachment_files"] = json!([]);
    assert_eq!(desk.post(&path, with_file).status, 400, "not in this version");
    let mut inside = new_ticket("Task");
    inside["ticket_type_id"] = json!(54);
    let inside = desk.post("tickets", inside).body["id"].as_str().unwrap().to_owned();
    let refused = desk.post(&format!("tickets/{inside}/reply"), user);
    assert_eq!(
        refused.error(),
        (400, "parameter_mismatch", "User replies are not allowed on Backoffice tickets")
    );
    let mails = desk.sim.mails_sent().len();
    let internal = json!({"type": "admin", "message_type": "comment", "admin_id": me, "body": "inside"});
    desk.post(&format!("tickets/{inside}/reply"), internal);
    assert_eq!(desk.sim.mails_sent().len(), mails, "customers do not see it");
}

#[test]
fn notes_cross_to_linked_conversations() {
    let mut desk = Desk::new();
    let (me, other) = (desk.me(), desk.conversation("bob@example.com"));
    let mut body = new_ticket("Task");
    body["ticket_type_id"] = json!("54");
    body["conversation_to_link_id"] = json!(other);
    let id = desk.post("tickets", body).body["id"].as_str().unwrap().to_owned();
    let note = json!({"type": "admin", "message_type": "note", "admin_id": me, "body": "<p>Done</p>", "cross_post": true});
    assert_eq!(desk.post(&format!("tickets/{id}/reply"), note).body["part_type"], "note");
    let crossed = desk.get(&format!("conversations/{other}"));
    assert_eq!(crossed.parts()[0]["body"], "<p>Done</p>");
}

#[test]
fn queued_tickets_are_made_later() {
    let mut desk = Desk::new();
    let job = desk.post("tickets/enqueue", new_ticket("Later"));
    assert_eq!((&job.body["status"], &job.body["resource_id"]), (&json!("pending"), &Value::Null));
    let path = format!("jobs/status/{}", job.body["id"].as_str().unwrap());
    assert_eq!(desk.get(&path).body["status"], "pending");
    desk.now += 2;
    let done = desk.get(&path);
    assert_eq!(done.body["status"], "success");
    let id = done.body["resource_id"].as_str().unwrap();
    assert_eq!(desk.get(&format!("tickets/{id}")).body["ticket_attributes"]["_default_title_"], "Later");
    assert_eq!(desk.get("jobs/status/1").error(), (404, "job_not_found", "Job Not Found"));
    assert_eq!(desk.post("tickets/enqueue", json!({"ticket_type_id": "53"})).status, 400);
}

#[test]
fn attributes_of_a_type_are_made_and_asked_for() {
    let mut desk = Desk::new();
    let made = desk.post(
        "ticket_types/53/attributes",
        json!({"name": "Colour", "description": "Of the kettle", "data_type": "list", "list_items": "Red,Blue", "required_to_create": true}),
    );
    assert_eq!(made.body["input_options"]["list_options"][1]["label"], "Blue");
    let missing = desk.post("tickets", new_ticket("x"));
    assert_eq!(missing.error(), (400, "parameter_invalid", "Missing required ticket attributes"));
    let mut body = new_ticket("x");
    body["ticket_attributes"]["Colour"] = made.body["input_options"]["list_options"][0]["id"].clone();
    assert_eq!(desk.post("tickets", body).body["ticket_attributes"]["Colour"], "Red");
    let id = made.body["id"].as_str().unwrap();
    let archived = desk.put(&format!("ticket_types/53/attributes/{id}"), json!({"archived": true}));
    assert_eq!(archived.body["archived"], true);
    assert_eq!(desk.post("tickets", new_ticket("x")).status, 200);
    for body in [
        json!({"name": "Severity", "description": "x", "data_type": "string"}),
        json!({"name": "x", "description": "x", "data_type": "colour"}),
        json!({"name": "x", "description": "x", "data_type": "list", "list_items": "one"}),
    ] {
        assert_eq!(desk.post("ticket_types/53/attributes", body.clone()).status, 400, "{body}");
    }
}

#[test]
fn a_conversation_becomes_a_ticket_of_the_same_id() {
    let mut desk = Desk::new();
    let id = desk.opened(false).to_string();
    let wrong = desk.post(&format!("conversations/{id}/convert"), json!({"ticket_type_id": "54"}));
    assert_eq!(wrong.error(), (400, "parameter_invalid", "Ticket type is not a customer ticket type"));
    let got = desk.post(&format!("conversations/{id}/convert"), json!({"ticket_type_id": "53"}));
    assert_eq!((&got.body["id"], &got.body["type"]), (&json!(id), &json!("ticket")));
    assert_eq!(got.body["ticket_attributes"]["_default_title_"], "Broken kettle");
    assert_eq!(
        got.body["ticket_parts"]["ticket_parts"][0]["body"],
        "<p>It &lt;leaks&gt;.<br>Badly &amp; often.</p>"
    );
    assert_eq!(desk.get(&format!("conversations/{id}")).body["ticket"]["id"], id);
    let twice = desk.post(&format!("conversations/{id}/convert"), json!({"ticket_type_id": "53"}));
    assert_eq!(twice.status, 400);
}

#[test]
fn tickets_are_tagged_and_deleted() {
    let mut desk = Desk::new();
    let id = desk.ticket("Kettle");
    let (me, tag) = (desk.me(), desk.post("tags", json!({"name": "Leak"})).body["id"].clone());
    let put = desk.post(&format!("tickets/{id}/tags"), json!({"id": tag, "admin_id": me}));
    assert_eq!(put.body["name"], "Leak");
    assert_eq!(desk.shown(&format!("t{id}")).tags, ["Leak"]);
    let path = format!("tickets/{id}/tags/{}", tag.as_str().unwrap());
    assert_eq!(desk.delete(&path, json!({"admin_id": me})).status, 200);
    assert_eq!(desk.delete(&format!("tickets/{id}"), json!({})).body["deleted"], true);
    let gone = desk.delete(&format!("tickets/{id}"), json!({}));
    assert_eq!(gone.error(), (404, "ticket_not_found", "Ticket not found"));
    assert_eq!(desk.get(&format!("tickets/{id}")).status, 404);
}
