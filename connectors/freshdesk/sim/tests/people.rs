//! Contacts, agents, the form and search.

use super::*;

#[test]
fn a_contact_is_found_by_address_and_made_once() {
    let mut desk = Desk::new("unlimited");
    desk.ticket("one");
    desk.ticket("two");
    let found = desk.get("contacts?email=ADA@EXAMPLE.COM");
    assert_eq!(found.ids().len(), 1);
    let again = desk.post("contacts", json!({"name": "Ada", "email": "ada@example.com"}));
    assert_eq!(again.status, 409);
    assert_eq!(again.body["errors"][0]["additional_info"]["user_id"], found.body[0]["id"]);
    assert_eq!(again.wrong(), [pair("email", "duplicate_value")]);
    assert_eq!(desk.get("contacts?email=nobody@example.com").body, json!([]));
}

#[test]
fn a_deleted_contact_cannot_be_changed() {
    let mut desk = Desk::new("unlimited");
    let made = desk.post("contacts", json!({"name": "Bo", "email": "bo@example.com", "tags": ["t"]}));
    assert_eq!(made.status, 201);
    let path = format!("contacts/{}", made.body["id"]);
    let renamed = desk.put(&path, json!({"name": "Bob"}));
    assert_eq!((renamed.status, renamed.body["name"].clone()), (200, json!("Bob")));
    assert_eq!(desk.call("DELETE", &path, None).status, 204);
    let refused = desk.put(&path, json!({"name": "B"}));
    assert_eq!(refused.status, 405);
    let message = "PUT method is not allowed. It should be one of these method(s): GET";
    assert_eq!(refused.body["message"], message);
    assert_eq!(desk.put(&format!("{path}/restore"), json!({})).status, 204);
    assert_eq!(desk.put(&path, json!({"name": "B"})).status, 200);
}

#[test]
fn the_key_is_an_agents() {
    let mut desk = Desk::new("unlimited");
    let me = desk.get("agents/me");
    assert_eq!(me.body["contact"]["name"], "handoffd");
    let (bots, groups) = desk.sim.bot_marks();
    let bot = desk.get(&format!("agents/{}", bots[0]));
    assert_eq!(bot.body["contact"]["name"], "AI Agent");
    assert_eq!(desk.get(&format!("groups/{}", groups[0])).body["agent_ids"], json!([bot.body["id"]]));
    let note = {
        let id = desk.ticket("x");
        desk.post(&format!("tickets/{id}/notes"), json!({"body": "mine"}))
    };
    assert_eq!(note.body["user_id"], me.body["id"]);
}

#[test]
fn choices_come_in_three_shapes() {
    let mut desk = Desk::new("unlimited");
    let fields = desk.get("ticket_fields");
    let field = |name: &str| {
        let rows = fields.body.as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).cloned().unwrap()
    };
    assert_eq!(field("status")["choices"]["6"], json!(["Waiting on Customer", "Awaiting your Reply"]));
    assert_eq!(field("priority")["choices"]["Urgent"], 4);
    assert_eq!(field("ticket_type")["choices"][0], "Question");
    assert_eq!(field("cf_handoff_key")["type"], "custom_text");
    let admin = desk.get("admin/ticket_fields");
    let status = admin.body.as_array().unwrap().iter().find(|row| row["name"] == "status").unwrap();
    assert!(status.get("choices").is_none());
    let one = desk.get(&format!("admin/ticket_fields/{}", status["id"]));
    assert_eq!(one.body["choices"][5]["label"], "Waiting on Third Party");
}

#[test]
fn an_account_can_lack_the_marker_field() {
    let mut desk = Desk::with("unlimited", Options { marker_field: false, ..Options::default() });
    let mut body = new_ticket("x");
    body["custom_fields"] = json!({"cf_handoff_key": "op-1"});
    let got = desk.post("tickets", body);
    assert_eq!((got.status, got.wrong()), (400, vec![pair("cf_handoff_key", "invalid_field")]));
    let names = desk.get("ticket_fields").body.to_string();
    assert!(!names.contains("cf_handoff_key"));
}

#[test]
fn search_stays_a_minute_behind() {
    let mut desk = Desk::new("unlimited");
    let mut body = new_ticket("x");
    body["custom_fields"] = json!({"cf_handoff_key": "op-1"});
    body["tags"] = json!(["vip"]);
    let id = desk.post("tickets", body).body["id"].clone();
    let path = "search/tickets?query=%22cf_handoff_key:%27op-1%27%22";
    assert_eq!(desk.get(path).body, json!({"total": 0, "results": []}));
    desk.now += 60;
    assert_eq!(desk.get(path).body["results"][0]["id"], id);
    desk.put(&format!("tickets/{id}"), json!({"status": 4, "priority": 3}));
    let open = "search/tickets?query=%22(status:2%20OR%20status:3)%20AND%20tag:%27vip%27%22";
    assert_eq!(desk.get(open).body["total"], 1, "the index has not seen that it is resolved");
    desk.now += 60;
    assert_eq!(desk.get(open).body["total"], 0);
    let today = "search/tickets?query=%22updated_at:%3E%272026-11-22%27%20AND%20priority:%3E2%22";
    assert_eq!(desk.get(today).body["total"], 1);
}

#[test]
fn search_refuses_what_it_cannot_read() {
    let mut desk = Desk::new("unlimited");
    for query in
        ["status:2", "%22%22", "%22status:2%20AND%22", "%22colour:2%22", "%22(status:2%22", "%22status:x%22"]
    {
        let got = desk.get(&format!("search/tickets?query={query}"));
        assert_eq!((got.status, got.wrong()), (400, vec![pair("query", "invalid_value")]), "{query}");
    }
    let long = format!("search/tickets?query=%22tag:%27{}%27%22", "x".repeat(510));
    assert_eq!(desk.get(&long).status, 400);
    assert_eq!(
        desk.get("search/tickets?query=%22status:2%22&page=11").wrong(),
        [pair("page", "invalid_value")]
    );
}

#[test]
fn search_of_contacts() {
    let mut desk = Desk::new("unlimited");
    let made = desk.post("contacts", json!({"name": "Bo", "email": "bo@example.com"}));
    desk.now += 61;
    let found = desk.get("search/contacts?query=%22email:%27BO@example.com%27%22");
    assert_eq!(
        (found.body["total"].clone(), found.body["results"][0]["id"].clone()),
        (json!(1), made.body["id"].clone())
    );
}

#[test]
fn things_this_account_has_none_of() {
    let mut desk = Desk::new("unlimited");
    let id = desk.ticket("x");
    for path in ["companies", "surveys/satisfaction_ratings", "time_entries"] {
        assert_eq!(desk.get(path).body, json!([]), "{path}");
    }
    for path in ["satisfaction_ratings", "time_entries"] {
        assert_eq!(desk.get(&format!("tickets/{id}/{path}")).body, json!([]), "{path}");
    }
}
