//! Sign-in, scopes, limits, paging, errors.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Request;
use serde_json::{Value, json};

use super::{Desk, Got, START};
use crate::sim::VendorSim;

fn token(desk: &mut Desk, body: Value) -> Got {
    let request = Request::post("/oauth/tokens").header("content-type", "application/json");
    desk.send(request, &body)
}

fn client(desk: &Desk, more: Value) -> Value {
    let mut body =
        json!({"client_id": desk.sim.oauth.client_id, "client_secret": desk.sim.oauth.client_secret});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn basic(name: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{secret}")))
}

#[test]
fn an_api_token_speaks_for_any_agent_by_address() {
    let mut desk = Desk::new("unlimited");
    let api_token = desk.sim.oauth.api_token.clone();
    for email in ["handoffd@example.com", "AI-agent@example.com"] {
        desk.auth = basic(&format!("{email}/token"), &api_token);
        assert_eq!(desk.get("users/me.json").body["user"]["email"], email.to_lowercase());
    }
    desk.auth = basic("stranger@example.com/token", &api_token);
    assert_eq!(desk.get("tickets").status, 401);
    desk.auth = basic("handoffd@example.com/token", "wrong");
    let got = desk.get("users/me");
    assert_eq!((got.status, got.body), (401, json!({"error": "Couldn't authenticate you"})));
}

#[test]
fn nobody_is_an_anonymous_user_with_200() {
    let mut desk = Desk::new("unlimited");
    let got = desk.send(Request::get("/api/v2/users/me.json"), &Value::Null);
    assert_eq!((got.status, &got.body["user"]["id"]), (200, &Value::Null));
    assert_eq!(got.body["user"]["name"], "Anonymous user");
    // A password is no sign-in any more, but no 401 here either.
    desk.auth = basic("handoffd@example.com", "password");
    assert_eq!(desk.get("users/me").body["user"]["id"], Value::Null);
    assert_eq!(desk.get("tickets/count").status, 401);
}

#[test]
fn client_credentials_give_a_token_without_refresh() {
    let mut desk = Desk::new("unlimited");
    let asked =
        client(&desk, json!({"grant_type": "client_credentials", "scope": "read", "expires_in": 300}));
    let got = token(&mut desk, asked);
    assert_eq!(
        (got.status, &got.body["expires_in"], got.body.get("refresh_token")),
        (200, &json!(300), None)
    );
    desk.auth = format!("Bearer {}", got.body["access_token"].as_str().unwrap());
    assert_eq!(desk.get("tickets").status, 200);
    assert_eq!(desk.post("tickets", json!({"ticket": {"comment": {"body": "x"}}})).status, 403);
    desk.wait(300);
    let late = desk.get("tickets");
    assert_eq!((late.status, &late.body["error"]), (401, &json!("invalid_token")));
}

#[test]
fn a_refresh_deletes_both_old_tokens() {
    let mut desk = Desk::new("unlimited");
    let first = desk.sim.credentials()["refresh_token"].clone();
    let asked = client(&desk, json!({"grant_type": "refresh_token", "refresh_token": first}));
    let one = token(&mut desk, asked.clone()).body;
    assert_eq!((&one["expires_in"], &one["token_type"]), (&json!(1_800), &json!("bearer")));
    let again = token(&mut desk, asked);
    assert_eq!((again.status, &again.body["error"]), (400, &json!("invalid_grant")));
    let asked = client(&desk, json!({"grant_type": "refresh_token", "refresh_token": one["refresh_token"]}));
    let two = token(&mut desk, asked).body;
    desk.auth = format!("Bearer {}", one["access_token"].as_str().unwrap());
    assert_eq!(desk.get("tickets").status, 401);
    desk.auth = format!("Bearer {}", two["access_token"].as_str().unwrap());
    assert_eq!(desk.get("tickets").status, 200);
    desk.sim.expire_tokens();
    assert_eq!(desk.get("tickets").status, 401);
    assert_eq!(desk.sim.credentials()["refresh_token"], two["refresh_token"]);
}

#[test]
fn the_token_endpoint_reads_forms_and_refuses_strangers() {
    let mut desk = Desk::new("unlimited");
    let secret = desk.sim.oauth.client_secret.clone();
    let form = format!("grant_type=client_credentials&client_id=handoffd_sync&client_secret={secret}");
    let request = Request::post("/oauth/tokens")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.into())
        .unwrap();
    assert_eq!(desk.sim.handle(request, desk.now).status(), 200);
    let cases = [
        (json!({"client_secret": "no"}), 401, "invalid_client"),
        (json!({"grant_type": "password"}), 400, "unsupported_grant_type"),
        (json!({"grant_type": "authorization_code", "code": "x"}), 400, "invalid_grant"),
        (json!({"grant_type": "client_credentials", "expires_in": 10}), 400, "invalid_request"),
        (json!({"grant_type": "client_credentials", "scope": "everything"}), 400, "invalid_scope"),
    ];
    for (more, status, error) in cases {
        let asked = client(&desk, more);
        let got = token(&mut desk, asked);
        assert_eq!((got.status, &got.body["error"]), (status, &json!(error)));
    }
}

#[test]
fn audits_need_the_global_scope() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    let asked = client(&desk, json!({"grant_type": "client_credentials", "scope": "tickets:read"}));
    let got = token(&mut desk, asked);
    desk.auth = format!("Bearer {}", got.body["access_token"].as_str().unwrap());
    assert_eq!(desk.get(&format!("tickets/{id}")).status, 200);
    assert_eq!(desk.get(&format!("tickets/{id}/audits")).status, 403);
}

#[test]
fn the_account_limit_is_by_plan_and_says_when_to_come_back() {
    let mut desk = Desk::new("team");
    let first = desk.get("groups");
    assert_eq!((first.header("x-rate-limit"), first.header("x-rate-limit-remaining")), ("200", "199"));
    desk.wait(10);
    for _ in 0..199 {
        assert_eq!(desk.get("groups").status, 200);
    }
    let refused = desk.get("groups");
    assert_eq!((refused.status, refused.header("retry-after")), (429, "50"));
    assert_eq!(refused.body, json!("Number of allowed API requests per minute exceeded"));
    desk.wait(50);
    assert_eq!(desk.get("groups").header("ratelimit-remaining"), "199");
    for (plan, limit) in [("professional", "400"), ("enterprise", "700"), ("enterprise_plus", "2500")] {
        assert_eq!(Desk::new(plan).get("groups").header("ratelimit-limit"), limit);
    }
}

#[test]
fn endpoints_have_limits_of_their_own() {
    let mut desk = Desk::new("enterprise_plus");
    let id = desk.quiet_ticket();
    for _ in 0..10 {
        assert_eq!(desk.get(&format!("incremental/tickets/cursor?start_time={}", START - 600)).status, 200);
    }
    let refused = desk.get(&format!("incremental/tickets/cursor?start_time={}", START - 600));
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("zendesk-ratelimit-incremental-exports"), "total=10; remaining=0; resets=60");
    // One was used when the ticket was made.
    for n in 0..29 {
        assert_eq!(
            desk.put(&format!("tickets/{id}"), json!({"ticket": {"subject": n.to_string()}})).status,
            200
        );
    }
    let refused = desk.put(&format!("tickets/{id}"), json!({"ticket": {"subject": "more"}}));
    assert_eq!((refused.status, refused.header("retry-after")), (429, "600"));
    let user = json!({"user": {"name": "A", "email": "a@example.org"}});
    assert_eq!(desk.post("users/create_or_update", user.clone()).status, 201);
    assert_eq!(desk.post("users/create_or_update", user.clone()).status, 429);
    desk.wait(1);
    assert_eq!(desk.post("users/create_or_update", user).status, 200);
}

#[test]
fn edits_by_hand_use_the_update_allowance() {
    let mut desk = Desk::new("enterprise_plus");
    let ticket = desk.opened(false);
    for n in 0..100 {
        let act = crate::sim::HumanAct::SetSubject { ticket: ticket.clone(), subject: format!("S{n}") };
        desk.human(act).unwrap();
    }
    assert_eq!(desk.put(&format!("tickets/{ticket}"), json!({"ticket": {"subject": "x"}})).status, 429);
    assert_eq!(Desk::new("unlimited").get("tickets").header("x-rate-limit"), "1000000");
}

#[test]
fn both_ways_of_paging_list_every_ticket_once() {
    let mut desk = Desk::new("unlimited");
    let made: Vec<i64> = (0..7).map(|_| desk.quiet_ticket()).collect();
    for first in ["tickets?page[size]=3", "tickets?per_page=3", "tickets.json?page%5Bsize%5D=2"] {
        let (mut seen, mut path) = (Vec::new(), first.to_owned());
        loop {
            let body = desk.get(&path).body;
            seen.extend(
                body["tickets"].as_array().unwrap().iter().map(|ticket| ticket["id"].as_i64().unwrap()),
            );
            let next = if body["meta"]["has_more"] == json!(true) {
                &body["links"]["next"]
            } else {
                &body["next_page"]
            };
            let Some(next) = next.as_str() else { break };
            path = next.split_once("/api/v2/").unwrap().1.to_owned();
        }
        assert_eq!(seen, made, "{first}");
    }
    let newest = desk.get("tickets?page[size]=1&sort=-id&sort_by=created_at").body;
    assert_eq!(newest["tickets"][0]["id"], json!(7));
    let back = newest["links"]["next"].as_str().unwrap().split_once("/api/v2/").unwrap().1.to_owned();
    let back =
        desk.get(&back).body["links"]["prev"].as_str().unwrap().split_once("/api/v2/").unwrap().1.to_owned();
    assert_eq!(desk.get(&back).body["tickets"][0]["id"], json!(7));
}

#[test]
fn offsets_end_at_ten_thousand_records() {
    let mut desk = Desk::new("unlimited");
    assert_eq!(desk.get("tickets?page=100").status, 200);
    let got = desk.get("tickets?page=101");
    assert_eq!((got.status, &got.body["errors"][0]["code"]), (400, &json!("InvalidPaginationDepth")));
    assert_eq!(desk.get("tickets?page[after]=nonsense").status, 400);
}

#[test]
fn search_is_capped_lags_and_knows_no_cursor() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    assert_eq!(desk.get("search?query=type:ticket%20broken").body["count"], json!(0));
    desk.wait(60);
    for query in
        ["type:ticket%20broken", "external_id:none", "requester:ann@example.org", "status%3Cpending", "-x"]
    {
        let body = desk.get(&format!("search.json?query=type:ticket%20{query}")).body;
        let expected = usize::from(!["external_id:none", "-x"].contains(&query));
        assert_eq!(body["results"].as_array().unwrap().len(), expected, "{query}");
    }
    let found = desk.get("search?query=type:ticket").body;
    assert_eq!(
        (&found["results"][0]["id"], &found["results"][0]["result_type"]),
        (&json!(id), &json!("ticket"))
    );
    assert_eq!(desk.get("search?query=x&page=11").status, 422);
    assert_eq!(desk.get("search?query=x&page[size]=5").status, 400);
}

#[test]
fn errors_come_in_four_envelopes() {
    let mut desk = Desk::new("unlimited");
    let not_found = desk.get("tickets/99");
    assert_eq!(
        (not_found.status, not_found.body),
        (404, json!({"error": "RecordNotFound", "description": "Not found"}))
    );
    assert_eq!(desk.get("no_such_things").body["error"], "InvalidEndpoint");
    assert_eq!(desk.get("tickets/abc").body["error"]["title"], "Invalid attribute");
    let blank = desk.post("tickets", json!({"ticket": {"subject": "no words"}}));
    assert_eq!((blank.status, blank.body["details"].as_object().unwrap().len()), (422, 1));
    let broken = Request::post("/api/v2/tickets").header("authorization", desk.auth.clone());
    let broken = desk.sim.handle(broken.body("{".into()).unwrap(), desk.now);
    assert_eq!(broken.status(), 400);
    desk.auth = basic("ai-agent@example.com/token", &desk.sim.oauth.api_token.clone());
    let agent = desk.get("incremental/tickets/cursor?start_time=1");
    assert_eq!((agent.status, &agent.body["error"]["title"]), (403, &json!("Forbidden")));
}

#[test]
fn requests_are_counted_by_pattern() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    desk.get(&format!("tickets/{id}/comments.json"));
    desk.get(&format!("tickets/{id}/comments"));
    desk.get("nowhere/at/all");
    let served = desk.sim.requests_served();
    assert_eq!(served.get("GET /tickets/{id}/comments"), Some(&2));
    assert_eq!(served.get("PUT /tickets/{id}"), Some(&1));
    assert_eq!(served.get("(unknown)"), Some(&1));
}
