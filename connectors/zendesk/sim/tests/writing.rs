//! Creating and updating tickets.

use http::Request;
use serde_json::{Value, json};

use super::{Desk, Got};
use crate::zendesk::sim::state::Role;

fn create_with_key(desk: &mut Desk, key: &str, subject: &str) -> Got {
    let request = Request::post("/api/v2/tickets.json")
        .header("authorization", desk.auth.clone())
        .header("idempotency-key", key);
    desk.send(request, &json!({"ticket": {"subject": subject, "comment": {"body": "x"}}}))
}

fn events(audit: &Value, kind: &str) -> Vec<Value> {
    audit["events"].as_array().unwrap().iter().filter(|event| event["type"] == kind).cloned().collect()
}

#[test]
fn a_key_gives_back_the_first_answer_for_two_hours() {
    let mut desk = Desk::new("unlimited");
    let first = create_with_key(&mut desk, "k-1", "A");
    assert_eq!((first.status, first.header("x-idempotency-lookup")), (201, "miss"));
    desk.wait(7_199);
    let again = create_with_key(&mut desk, "k-1", "A");
    assert_eq!((again.status, again.header("x-idempotency-lookup")), (201, "hit"));
    assert_eq!(again.body, first.body);
    let other = create_with_key(&mut desk, "k-1", "B");
    assert_eq!((other.status, &other.body["error"]), (400, &json!("IdempotentRequestError")));
    desk.wait(1);
    assert_ne!(create_with_key(&mut desk, "k-1", "A").body["ticket"]["id"], first.body["ticket"]["id"]);
    assert_eq!(create_with_key(&mut desk, &"k".repeat(256), "A").status, 400);
}

#[test]
fn the_inline_requester_is_found_or_made() {
    let mut desk = Desk::new("unlimited");
    let body = |email: &str| json!({"ticket": {"comment": {"body": "x"}, "requester": {"name": "Ann", "email": email}}});
    let one = desk.post("tickets", body("ann@example.org")).body["ticket"]["requester_id"].clone();
    let two = desk.post("tickets", body("ANN@example.org")).body["ticket"]["requester_id"].clone();
    let three = desk.post("tickets", body("bob@example.org")).body["ticket"]["requester_id"].clone();
    assert_eq!(one, two);
    assert_ne!(one, three);
    assert_eq!(desk.post("tickets", body("no address")).status, 422);
    let found = desk.get("users/search?query=email:ann@example.org").body;
    assert_eq!((&found["count"], &found["users"][0]["id"]), (&json!(1), &one));
}

#[test]
fn the_first_comment_is_the_description_and_the_requesters() {
    let mut desk = Desk::new("unlimited");
    let made = desk.post(
        "tickets",
        json!({"ticket": {"description": "One\r\n<two>", "external_id": "op-7", "metadata": {"custom": {"k": "v"}},
            "requester": {"name": "Ann", "email": "ann@example.org"}}}),
    );
    let ticket = &made.body["ticket"];
    assert_eq!((&ticket["description"], &ticket["subject"]), (&json!("One\n<two>"), &json!("One")));
    assert_eq!(made.body["audit"]["metadata"]["custom"], json!({"k": "v"}));
    let comments = desk.get(&format!("tickets/{}/comments", ticket["id"])).body;
    let comment = &comments["comments"][0];
    assert_eq!(comment["author_id"], ticket["requester_id"]);
    assert_eq!(comment["id"], events(&made.body["audit"], "Comment")[0]["id"]);
    assert!(comment["html_body"].as_str().unwrap().contains("One<br>&lt;two&gt;"));
    assert_eq!(desk.get("tickets?external_id=op-7").body["count"], json!(1));
    assert_eq!(desk.get("tickets?external_id=op-8").body["count"], json!(0));
}

#[test]
fn html_comments_are_read_back_as_text() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    let html = "<p>Hi &amp; bye<br>there</p><script>x()</script><p>End</p>";
    desk.put(&format!("tickets/{id}"), json!({"ticket": {"comment": {"html_body": html, "public": false}}}));
    let comments = desk.get(&format!("tickets/{id}/comments?page[size]=1&sort=-created_at")).body;
    assert_eq!(comments["comments"][0]["plain_body"], "Hi & bye\nthere\n\nEnd");
    assert!(!comments["comments"][0]["html_body"].as_str().unwrap().contains("script"));
}

#[test]
fn a_comment_that_says_nothing_of_public_is_as_the_ticket_is() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    let said = desk.put(&format!("tickets/{id}"), json!({"ticket": {"comment": {"body": "oops"}}}));
    assert_eq!(events(&said.body["audit"], "Comment")[0]["public"], json!(true));
    let hidden = desk.post("tickets", json!({"ticket": {"comment": {"body": "x", "public": false}}}));
    assert_eq!(hidden.body["ticket"]["is_public"], json!(false));
    let path = format!("tickets/{}", hidden.body["ticket"]["id"]);
    let said = desk.put(&path, json!({"ticket": {"comment": {"body": "y"}}}));
    assert_eq!(events(&said.body["audit"], "Comment")[0]["public"], json!(false));
}

#[test]
fn a_stale_stamp_is_a_conflict() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    let path = format!("tickets/{id}");
    let stamp = desk.get(&path).body["ticket"]["updated_at"].clone();
    desk.wait(5);
    let safe = |subject: &str, safe: bool| json!({"ticket": {"subject": subject, "safe_update": safe, "updated_stamp": stamp}});
    assert_eq!(desk.put(&path, safe("first", true)).status, 200);
    for flag in [true, false] {
        let got = desk.put(&path, safe("second", flag));
        assert_eq!((got.status, &got.body["error"]), (409, &json!("UpdateConflict")));
    }
    assert_eq!(desk.get(&path).body["ticket"]["subject"], "first");
}

#[test]
fn two_changes_within_a_second_are_not_told_apart() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    let path = format!("tickets/{id}");
    let stamp = desk.get(&path).body["ticket"]["updated_at"].clone();
    desk.put(&path, json!({"ticket": {"subject": "first"}}));
    let body = json!({"ticket": {"subject": "second", "safe_update": true, "updated_stamp": stamp}});
    assert_eq!(desk.put(&path, body).status, 200);
}

#[test]
fn closed_is_final_and_can_be_set() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    let path = format!("tickets/{id}");
    assert_eq!(desk.put(&path, json!({"ticket": {"status": "closed"}})).status, 200);
    let got = desk.put(&path, json!({"ticket": {"status": "open"}}));
    assert_eq!(got.status, 422);
    assert_eq!(got.body["details"]["status"][0]["description"], "closed prevents ticket update");
    assert_eq!(desk.put(&format!("{path}/tags"), json!({"tags": ["x"]})).status, 422);
}

#[test]
fn an_assignee_opens_the_ticket_and_moves_it_to_their_group() {
    let mut desk = Desk::new("unlimited");
    let (id, bot, support, bots) =
        (desk.quiet_ticket(), desk.sim.world.bot, desk.sim.world.support_group, desk.sim.world.bot_group);
    let path = format!("tickets/{id}");
    let got = desk.put(&path, json!({"ticket": {"assignee_id": bot}})).body;
    assert_eq!((&got["ticket"]["status"], &got["ticket"]["group_id"]), (&json!("open"), &json!(bots)));
    assert_eq!(events(&got["audit"], "Change").len(), 4, "assignee, group, status and custom status");
    // A group without its assignee takes the assignee away.
    let got = desk.put(&path, json!({"ticket": {"group_id": support}})).body;
    assert_eq!((&got["ticket"]["assignee_id"], &got["ticket"]["group_id"]), (&Value::Null, &json!(support)));
    let customer = got["ticket"]["requester_id"].clone();
    assert_eq!(desk.put(&path, json!({"ticket": {"assignee_id": customer}})).status, 422);
    assert_eq!(desk.put(&path, json!({"ticket": {"status": "new"}})).status, 422);
}

#[test]
fn tags_are_replaced_set_added_and_removed() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    let path = format!("tickets/{id}");
    desk.put(&path, json!({"ticket": {"tags": ["Big Red", "one"]}}));
    assert_eq!(desk.get(&path).body["ticket"]["tags"], json!(["big", "one", "red"]));
    let tags = format!("{path}/tags");
    assert_eq!(desk.put(&tags, json!({"tags": ["two"]})).body["tags"], json!(["big", "one", "red", "two"]));
    assert_eq!(desk.post(&tags, json!({"tags": ["a", "b"]})).status, 201);
    assert_eq!(desk.ask("DELETE", &format!("/api/v2/{tags}"), json!({"tags": ["a"]})).status, 204);
    assert_eq!(desk.get(&tags).body["tags"], json!(["b"]));
    // `additional_tags` works in jobs only.
    desk.put(&path, json!({"ticket": {"additional_tags": ["c"]}}));
    assert_eq!(desk.get(&tags).body["tags"], json!(["b"]));
}

#[test]
fn a_job_updates_each_ticket_and_tells_which_failed() {
    let mut desk = Desk::new("unlimited");
    let (a, b) = (desk.quiet_ticket(), desk.quiet_ticket());
    let path = format!("tickets/update_many.json?ids={a},{b},99");
    let job = desk.put(&path, json!({"ticket": {"priority": "high", "additional_tags": ["x"]}})).body;
    let job = desk.get(&format!("job_statuses/{}", job["job_status"]["id"].as_str().unwrap())).body;
    let done: Vec<&Value> =
        job["job_status"]["results"].as_array().unwrap().iter().map(|result| &result["success"]).collect();
    assert_eq!(
        (&job["job_status"]["status"], done),
        (&json!("completed"), vec![&json!(true), &json!(true), &json!(false)])
    );
    assert_eq!(desk.get(&format!("tickets/{b}")).body["ticket"]["tags"], json!(["x"]));
}

#[test]
fn updates_leave_their_marker_in_the_audits() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    for op in ["op-1", "op-2"] {
        desk.wait(1);
        let body = json!({"ticket": {"comment": {"body": op, "public": false}, "metadata": {"custom": {"handoffd_op": op}}}});
        assert_eq!(
            desk.put(&format!("tickets/{id}"), body).body["audit"]["metadata"]["custom"]["handoffd_op"],
            op
        );
    }
    let audits = desk.get(&format!("tickets/{id}/audits?page[size]=1&sort=-created_at")).body;
    assert_eq!(audits["audits"][0]["metadata"]["custom"], json!({"handoffd_op": "op-2"}));
    assert_eq!(audits["meta"]["has_more"], json!(true));
}

#[test]
fn a_ticket_holds_five_thousand_comments() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    let ticket = desk.sim.world.tickets.get_mut(&id).unwrap();
    let first = ticket.comments[0].clone();
    ticket.comments.resize(4_999, first);
    let body = json!({"ticket": {"comment": {"body": "more", "public": false}}});
    assert_eq!(desk.put(&format!("tickets/{id}"), body.clone()).status, 200);
    assert_eq!(desk.put(&format!("tickets/{id}"), body).status, 422);
    assert_eq!(desk.put(&format!("tickets/{id}"), json!({"ticket": {"priority": "low"}})).status, 200);
}

#[test]
fn values_that_do_not_exist_are_refused_by_field() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    let cases = [
        (json!({"status": "paused"}), "status"),
        (json!({"priority": "huge"}), "priority"),
        (json!({"type": "party"}), "type"),
        (json!({"group_id": 5}), "group"),
        (json!({"assignee_id": 5}), "assignee"),
        (json!({"custom_status_id": 5}), "custom_status_id"),
        (json!({"comment": {"body": "x", "author_id": 5}}), "comment"),
    ];
    for (ticket, field) in cases {
        let got = desk.put(&format!("tickets/{id}"), json!({"ticket": ticket}));
        assert_eq!(got.status, 422, "{field}");
        assert!(got.body["details"][field][0]["description"].is_string(), "{}", got.body);
    }
}

#[test]
fn an_asynchronous_creation_answers_202() {
    let mut desk = Desk::new("unlimited");
    let got = desk.post("tickets?async=true", json!({"ticket": {"comment": {"body": "x"}}}));
    assert_eq!((got.status, &got.body["job_status"]["status"]), (202, &json!("completed")));
    assert_eq!(desk.get(&format!("tickets/{}", got.body["ticket"]["id"])).status, 200);
}

#[test]
fn users_are_made_found_and_changed() {
    let mut desk = Desk::new("unlimited");
    let made =
        desk.post("users", json!({"user": {"name": "Cy", "email": "cy@example.org", "external_id": "c-1"}}));
    assert_eq!(made.status, 201);
    let id = made.body["user"]["id"].as_i64().unwrap();
    assert!(id > 1 << 40);
    assert_eq!(desk.sim.world.users[&id].role, Role::EndUser);
    assert_eq!(desk.post("users", json!({"user": {"name": "Cy", "email": "CY@example.org"}})).status, 422);
    let again = desk.post("users/create_or_update", json!({"user": {"name": "Cyd", "external_id": "c-1"}}));
    assert_eq!((again.status, &again.body["user"]["name"]), (200, &json!("Cyd")));
    assert_eq!(desk.get("users/search?external_id=c-1").body["users"][0]["id"], json!(id));
    assert_eq!(desk.get(&format!("users/show_many?ids={id},1")).body["count"], json!(1));
}
