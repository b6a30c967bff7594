//! What clients ask for around tickets: companies, files, requests, the trash, many at once.

use http::Request;
use serde_json::{Value, json};

use super::Desk;
use crate::sim::VendorSim;

#[test]
fn an_organization_carries_over_to_its_peoples_tickets() {
    let mut desk = Desk::new("unlimited");
    let made = desk.post("organizations", json!({"organization": {"name": "Acme", "tags": ["VIP"]}}));
    assert_eq!((made.status, &made.body["organization"]["tags"]), (201, &json!(["vip"])));
    let org = made.body["organization"]["id"].clone();
    assert_eq!(desk.post("organizations", json!({"organization": {"name": "acme"}})).status, 422);
    let known =
        desk.post("organizations/create_or_update", json!({"organization": {"name": "Acme", "notes": "n"}}));
    assert_eq!((known.status, &known.body["organization"]["id"]), (200, &org));
    let id = desk.quiet_ticket();
    let ann = desk.get(&format!("tickets/{id}")).body["ticket"]["requester_id"].clone();
    desk.put(&format!("users/{ann}"), json!({"user": {"organization_id": org}}));
    assert_eq!(desk.get(&format!("tickets/{id}")).body["ticket"]["organization_id"], org);
    assert_eq!(desk.get(&format!("organizations/{org}/tickets")).body["count"], 1);
    assert_eq!(desk.get(&format!("organizations/{org}/users")).body["users"][0]["id"], ann);
    assert_eq!(desk.get(&format!("organization_memberships/{ann}")).status, 200);
    assert_eq!(desk.put(&format!("users/{ann}"), json!({"user": {"organization_id": 5}})).status, 422);
    assert_eq!(desk.delete(&format!("organizations/{org}")).status, 204);
    assert_eq!(desk.get(&format!("users/{ann}")).body["user"]["organization_id"], Value::Null);
}

#[test]
fn an_uploaded_file_is_put_on_a_comment_and_read_back() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    let request = Request::post("/api/v2/uploads?filename=a%20b.txt").header("content-type", "text/plain");
    let request = request.header("authorization", desk.auth.clone());
    let made = desk.sim.handle(request.body("words".into()).unwrap(), desk.now);
    assert_eq!(made.status(), 201);
    let made: Value = serde_json::from_slice(made.body()).unwrap();
    let token = made["upload"]["token"].as_str().unwrap();
    desk.put(&format!("tickets/{id}"), json!({"ticket": {"comment": {"body": "see", "uploads": [token]}}}));
    let shown = desk.get(&format!("tickets/{id}/comments")).body["comments"][1]["attachments"][0].clone();
    assert_eq!((&shown["file_name"], &shown["size"]), (&json!("a b.txt"), &json!(5)));
    let at: http::Uri = shown["content_url"].as_str().unwrap().parse().unwrap();
    let read = Request::get(at.path_and_query().unwrap().as_str()).body(bytes::Bytes::new()).unwrap();
    let sent_on = desk.sim.handle(read, desk.now);
    assert_eq!(sent_on.status(), 302);
    let elsewhere: http::Uri = sent_on.headers()["location"].to_str().unwrap().parse().unwrap();
    assert_ne!(elsewhere.host(), at.host());
    let read = Request::get(elsewhere.clone()).header("authorization", desk.auth.clone());
    let read = desk.sim.handle(read.body(bytes::Bytes::new()).unwrap(), desk.now);
    assert_eq!(read.status(), 400, "a credential has no business there");
    let read = desk.sim.handle(Request::get(elsewhere).body(bytes::Bytes::new()).unwrap(), desk.now);
    assert_eq!((read.status().as_u16(), &read.body()[..]), (200, &b"words"[..]));
    assert_eq!(read.headers()["content-type"], "text/plain");
    let wrong = Request::get("/attachments/token/x-1/").body(bytes::Bytes::new()).unwrap();
    assert_eq!(desk.sim.handle(wrong, desk.now).status(), 404);
    assert_eq!(desk.delete(&format!("uploads/{token}")).status, 204);
    assert_eq!(desk.get(&format!("attachments/{}", shown["id"])).status, 200, "it is on a comment");
}

#[test]
fn a_request_shows_public_comments_only() {
    let mut desk = Desk::new("unlimited");
    let made = desk.post("requests", json!({"request": {"subject": "Help", "comment": {"body": "please"}}}));
    assert_eq!((made.status, &made.body["request"]["status"]), (201, &json!("new")));
    let id = made.body["request"]["id"].clone();
    desk.put(&format!("tickets/{id}"), json!({"ticket": {"comment": {"body": "secret", "public": false}}}));
    desk.put(&format!("requests/{id}"), json!({"request": {"comment": {"body": "well?"}, "solved": true}}));
    let comments = desk.get(&format!("requests/{id}/comments")).body;
    let texts: Vec<&Value> =
        comments["comments"].as_array().unwrap().iter().map(|one| &one["body"]).collect();
    assert_eq!(texts, ["please", "well?"]);
    assert_eq!(desk.get(&format!("requests/{id}")).body["request"]["solved"], true);
    assert_eq!(desk.get("requests/solved").body["count"], 1);
}

#[test]
fn what_was_deleted_can_be_restored_or_erased() {
    let mut desk = Desk::new("unlimited");
    let (one, two) = (desk.quiet_ticket(), desk.quiet_ticket());
    let job = desk.delete(&format!("tickets/destroy_many?ids={one},{two},99")).body["job_status"].clone();
    let done: Vec<&Value> = job["results"].as_array().unwrap().iter().map(|one| &one["success"]).collect();
    assert_eq!(done, [true, true, false]);
    assert_eq!(desk.put(&format!("deleted_tickets/{one}/restore"), json!({})).status, 200);
    assert_eq!(desk.get(&format!("tickets/{one}")).status, 200);
    assert_eq!(desk.delete(&format!("deleted_tickets/{one}")).status, 404, "it is not deleted");
    assert_eq!(desk.delete(&format!("deleted_tickets/{two}")).status, 200);
    assert_eq!(desk.put(&format!("deleted_tickets/{two}/restore"), json!({})).status, 404);
    assert_eq!(desk.get("tickets/recent").body["tickets"][0]["id"], one);
}

#[test]
fn a_merged_ticket_is_closed_and_says_where_it_went() {
    let mut desk = Desk::new("unlimited");
    let (target, source) = (desk.quiet_ticket(), desk.quiet_ticket());
    assert_eq!(desk.post(&format!("tickets/{target}/merge"), json!({"ids": [source]})).status, 200);
    let closed = desk.get(&format!("tickets/{source}")).body["ticket"].clone();
    assert_eq!(closed["status"], "closed");
    let last = desk.get(&format!("tickets/{target}/comments")).body["comments"][1].clone();
    let told = format!("Requests #{source} were closed and merged into this request.");
    assert_eq!((&last["body"], &last["public"]), (&json!(told), &json!(false)));
}

#[test]
fn people_are_copied_follow_and_are_taken_off() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    let me = desk.get("users/me").body["user"]["id"].clone();
    let path = format!("tickets/{id}");
    let ccs = json!([{"user_email": "cc@example.org", "action": "put"}]);
    desk.put(&path, json!({"ticket": {"email_ccs": ccs, "followers": [{"user_id": me}]}}));
    let shown = desk.get(&path).body["ticket"].clone();
    assert_eq!(
        (&shown["follower_ids"], shown["collaborator_ids"].as_array().unwrap().len()),
        (&json!([me]), 2)
    );
    assert_eq!(desk.get(&format!("{path}/email_ccs")).body["users"][0]["email"], "cc@example.org");
    desk.put(&path, json!({"ticket": {"followers": [{"user_id": me, "action": "delete"}]}}));
    assert_eq!(desk.get(&path).body["ticket"]["follower_ids"], json!([]));
    assert_eq!(desk.put(&path, json!({"ticket": {"collaborator_ids": [5]}})).status, 422);
}

#[test]
fn users_come_by_the_hundred_and_go_softly() {
    let mut desk = Desk::new("unlimited");
    let users =
        json!({"users": [{"name": "Di", "email": "di@example.org"}, {"email": "nameless@example.org"}]});
    let job = desk.post("users/create_many", users).body["job_status"].clone();
    assert_eq!(
        (&job["results"][0]["status"], &job["results"][1]["status"]),
        (&json!("Created"), &json!("Failed"))
    );
    let id = job["results"][0]["id"].clone();
    let second = json!({"identity": {"type": "email", "value": "di.two@example.org"}});
    assert_eq!(desk.post(&format!("users/{id}/identities"), second.clone()).status, 201);
    assert_eq!(desk.post(&format!("users/{id}/identities"), second).status, 422, "the address is taken");
    assert_eq!(
        desk.get(&format!("users/{id}/identities")).body["identities"][1]["value"],
        "di.two@example.org"
    );
    assert_eq!(desk.delete(&format!("users/{id}")).body["user"]["active"], false);
    assert_eq!(desk.get("users/search?query=di").body["count"], 0);
    let ticket = desk.quiet_ticket();
    let ann = desk.get(&format!("tickets/{ticket}")).body["ticket"]["requester_id"].clone();
    assert_eq!(desk.delete(&format!("users/{ann}")).status, 422, "she has an open ticket");
}

#[test]
fn a_view_shows_what_its_title_says() {
    let mut desk = Desk::new("unlimited");
    let (id, _) = (desk.quiet_ticket(), desk.quiet_ticket());
    desk.put(&format!("tickets/{id}"), json!({"ticket": {"status": "solved"}}));
    let views = desk.get("views").body["views"].clone();
    let solved =
        views.as_array().unwrap().iter().find(|view| view["title"] == "Recently solved tickets").unwrap();
    let path = format!("views/{}", solved["id"]);
    assert_eq!(desk.get(&format!("{path}/tickets")).body["tickets"][0]["id"], id);
    assert_eq!(desk.get(&format!("{path}/count")).body["view_count"]["value"], 1);
    assert_eq!(desk.get(&format!("{path}/execute")).body["rows"][0]["ticket"]["id"], id);
    assert_eq!(desk.get("views/1").status, 404);
}

#[test]
fn search_can_be_exported_page_by_page() {
    let mut desk = Desk::new("unlimited");
    let ids = [desk.quiet_ticket(), desk.quiet_ticket(), desk.quiet_ticket()];
    desk.wait(120);
    let mut path = "search/export?query=broken&filter[type]=ticket&page[size]=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = desk.get(&path).body;
        seen.extend(page["results"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()));
        let Some(next) = page["links"]["next"].as_str() else { break };
        path = next.split_once("/api/v2/").unwrap().1.to_owned();
    }
    seen.sort_unstable();
    assert_eq!(seen, ids);
    assert_eq!(desk.get("search/export?query=broken").status, 400, "a type must be named");
}
