//! Sign-in, versions, limits, errors, and what the workspace says of itself.

use super::*;

#[test]
fn a_wrong_token_is_refused_in_the_one_envelope() {
    let mut desk = Desk::new();
    desk.token = "wrong".to_owned();
    let got = desk.get("me");
    assert_eq!(got.error(), (401, "unauthorized", "Access Token Invalid"));
    assert_eq!(got.body["request_id"].as_str(), got.header("x-request-id"));
    let bare = Request::get("/me").body(Bytes::new()).unwrap();
    assert_eq!(desk.send(bare).status, 401);
}

#[test]
fn a_revoked_token_is_dead_and_the_new_one_works() {
    let mut desk = Desk::new();
    desk.sim.expire_tokens();
    assert_eq!(desk.get("me").status, 401);
    desk.token = desk.sim.credentials()["bearer"].as_str().unwrap().to_owned();
    assert_eq!(desk.get("me").status, 200);
}

#[test]
fn me_is_the_admin_of_the_token_with_the_workspace() {
    let mut desk = Desk::new();
    let me = desk.get("me");
    assert_eq!(me.body["type"], "admin");
    assert_eq!(me.body["app"]["id_code"].as_str().unwrap().len(), 8);
    assert_eq!(me.header("intercom-version"), Some("2.14"));
    let admins = desk.get("admins");
    assert!(admins.ids().contains(&me.body["id"].as_str().unwrap()));
    let (bots, teams) = desk.sim.bot_marks();
    assert!(admins.ids().contains(&bots[0].as_str()));
    let shown = desk.get("teams");
    assert!(shown.ids().contains(&teams[0].as_str()));
    let id = me.body["id"].as_str().unwrap();
    assert_eq!(desk.get(&format!("admins/{id}")).body["id"], id);
    assert_eq!(desk.get("admins/1").error(), (404, "admin_not_found", "Admin not found"));
    assert_eq!(desk.get("teams/1").error(), (404, "team_not_found", "Team not found"));
}

#[test]
fn versions_that_are_not_spoken_are_refused() {
    let mut desk = Desk::new();
    for (version, status) in [("2.14", 200), ("2.11", 200), ("2.16", 400), ("2.10", 400), ("x", 400)] {
        desk.version = version;
        let got = desk.get("me");
        assert_eq!(got.status, status, "{version}");
        if status == 400 {
            assert_eq!(got.error().1, "intercom_version_invalid");
        }
    }
    desk.version = "2.14";
    let bare = Request::get("/me").header("authorization", format!("Bearer {}", desk.token));
    assert_eq!(desk.send(bare.body(Bytes::new()).unwrap()).status, 200, "the app has a default");
}

#[test]
fn older_versions_have_less() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    desk.reply(&id, "note", "<p>x</p>");
    let ticket = desk.ticket("Title");
    let part = |desk: &mut Desk| desk.get(&format!("conversations/{id}")).parts()[0].clone();
    assert!(part(&mut desk)["app_package_code"].is_string() && part(&mut desk)["metadata"].is_object());
    assert_eq!(desk.get(&format!("tickets/{ticket}")).body["ticket_state"]["category"], "submitted");
    desk.version = "2.12";
    assert!(part(&mut desk).get("app_package_code").is_none());
    assert_eq!(desk.delete(&format!("conversations/{id}"), json!({})).status, 404);
    assert_eq!(desk.get("contacts/find_by_external_id/70").error().1, "not_found");
    desk.version = "2.11";
    assert_eq!(desk.get(&format!("tickets/{ticket}")).body["ticket_state"], "submitted");
    assert_eq!(desk.get("ticket_states").status, 404);
    let moved = desk.put(&format!("tickets/{ticket}"), json!({"state": "resolved"}));
    assert_eq!(moved.body["ticket_state"], "resolved");
    desk.version = "2.13";
    let me = desk.me();
    let nested = json!({"assignment": {"admin_id": me, "assignee_id": me}});
    assert_eq!(desk.put(&format!("tickets/{ticket}"), nested).body["admin_assignee_id"], me);
}

#[test]
fn limits_come_in_slices_of_ten_seconds() {
    let mut desk = Desk::with("small", Options::default());
    desk.now += 4;
    let first = desk.get("me");
    assert_eq!(first.header("x-ratelimit-limit"), Some("83"));
    assert_eq!(first.header("x-ratelimit-remaining"), Some("82"));
    assert_eq!(first.header("x-ratelimit-reset"), Some((START + 10).to_string().as_str()));
    for _ in 0..82 {
        assert_eq!(desk.get("nowhere").status, 404);
    }
    let over = desk.get("me");
    let message = "Exceeded rate limit of 83 in 10_seconds";
    assert_eq!(over.error(), (429, "rate_limit_exceeded", message));
    assert_eq!(over.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(over.header("retry-after"), None);
    desk.now += 6;
    assert_eq!(desk.get("me").header("x-ratelimit-remaining"), Some("82"));
    assert_eq!(Desk::new().get("me").header("x-ratelimit-limit"), None);
    let standard = Desk::with("standard", Options::default()).get("me");
    assert_eq!(standard.header("x-ratelimit-limit"), Some("1666"));
}

#[test]
fn what_is_not_there_is_404_and_what_cannot_be_read_400() {
    let mut desk = Desk::new();
    for (method, path) in
        [("GET", "nowhere"), ("PATCH", "me"), ("GET", "conversations/1"), ("GET", "tickets/x")]
    {
        let got = desk.call(method, path, None);
        assert_eq!(got.error(), (404, "not_found", "Resource Not Found"), "{method} {path}");
    }
    let request =
        |path: &str, token: &str| Request::post(path).header("authorization", format!("Bearer {token}"));
    let broken = request("/contacts", &desk.token).body(Bytes::from("{")).unwrap();
    assert_eq!(desk.send(broken).error(), (400, "bad_request", "Bad JSON"));
    let picky = request("/contacts", &desk.token).header("accept", "text/html").body(Bytes::new()).unwrap();
    assert_eq!(desk.send(picky).status, 406);
}

#[test]
fn a_workspace_that_is_not_paid_for_has_no_conversations() {
    let mut desk = Desk::with("unlimited", Options { subscribed: false, ..Options::default() });
    assert_eq!(desk.get("me").status, 200);
    assert_eq!(
        desk.get("conversations").error(),
        (403, "api_plan_restricted", "Active subscription needed.")
    );
}

#[test]
fn requests_are_counted_by_pattern_and_the_seed_decides() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    desk.get(&format!("conversations/{id}"));
    desk.get(&format!("conversations/{id}"));
    desk.get("nowhere/at/all");
    let served = desk.sim.requests_served();
    assert_eq!(served["GET /conversations/{id}"], 2);
    assert_eq!(served["POST /conversations"], 1);
    assert_eq!(served["GET /other"], 1);
    let again = Desk::new();
    assert_eq!((again.token.clone(), again.sim.bot_marks()), (desk.token.clone(), desk.sim.bot_marks()));
    assert_eq!(desk.sim.suggested_settings()["plan"], "unlimited");
}

#[test]
fn attributes_of_conversations_are_listed_and_not_made() {
    let mut desk = Desk::new();
    let listed = desk.get("data_attributes?model=conversation");
    let names: Vec<&str> =
        listed.body["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["order_number", "region", "vip", "renewal_on", "handoff_key"]);
    let refused =
        desk.post("data_attributes", json!({"name": "x", "model": "conversation", "data_type": "string"}));
    let message = "The Data Attribute model field must be either contact or company";
    assert_eq!(refused.error(), (400, "parameter_invalid", message));
    let made =
        desk.post("data_attributes", json!({"name": "plan", "model": "contact", "data_type": "string"}));
    assert_eq!(made.body["full_name"], "custom_attributes.plan");
    let again =
        desk.post("data_attributes", json!({"name": "plan", "model": "contact", "data_type": "string"}));
    assert!(again.error().2.starts_with("You already have 'plan' in your contact data."));
    let odd = desk.post("data_attributes", json!({"name": "a/b", "model": "contact", "data_type": "string"}));
    assert_eq!(odd.status, 400);
    let plain = Desk::with("unlimited", Options { marker_attributes: false, ..Options::default() })
        .get("data_attributes?model=conversation");
    assert!(!plain.body.to_string().contains("handoff_key"));
}

#[test]
fn tags_are_found_by_name_in_any_case() {
    let mut desk = Desk::new();
    let made = desk.post("tags", json!({"name": "Leak"}));
    let again = desk.post("tags", json!({"name": "leak"}));
    assert_eq!(made.body, again.body);
    assert_eq!(desk.get("tags").ids(), [made.body["id"].as_str().unwrap()]);
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(desk.post("tags", json!({"name": "Drip", "id": id})).body["name"], "Drip");
    assert_eq!(desk.post("tags", json!({})).error(), (400, "parameter_invalid", "invalid tag parameters"));
    assert_eq!(desk.delete(&format!("tags/{id}"), json!({})).status, 200);
    assert_eq!(desk.get(&format!("tags/{id}")).error().0, 404);
}

#[test]
fn articles_are_searched_by_phrase() {
    let mut desk = Desk::new();
    let found = desk.get("articles/search?phrase=kettle&state=published");
    assert_eq!(found.body["data"]["articles"][0]["title"], "Descaling your kettle");
    assert_eq!((&found.body["total_count"], &found.body["pages"]["next"]), (&json!(1), &Value::Null));
    assert_eq!(desk.get("articles/search?phrase=unicorn").body["total_count"], 0);
}
