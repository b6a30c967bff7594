//! The search, its cursor, and how it lags.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::*;

#[test]
fn the_index_lags_and_shows_rows_as_they_were() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    let all = filter("created_at", ">", START - 1);
    assert!(desk.post("conversations/search", all.clone()).ids().is_empty());
    desk.now += 3;
    let row = desk.post("conversations/search", all.clone());
    assert_eq!(row.ids(), [id.as_str()]);
    assert!(row.body["conversations"][0].get("conversation_parts").is_none());
    assert_eq!(row.body["conversations"][0]["statistics"], Value::Null);
    desk.manage(&id, json!({"type": "admin", "message_type": "close"}));
    let stale = desk.post("conversations/search", all.clone());
    let shown = &stale.body["conversations"][0];
    assert_eq!((&shown["state"], &shown["updated_at"]), (&json!("open"), &json!(START)));
    desk.now += 3;
    let fresh = desk.post("conversations/search", all.clone());
    let shown = &fresh.body["conversations"][0];
    assert_eq!((&shown["state"], &shown["updated_at"]), (&json!("closed"), &json!(START + 3)));
    desk.delete(&format!("conversations/{id}"), json!({}));
    assert_eq!(desk.post("conversations/search", all.clone()).ids(), [id.as_str()], "not yet heard of");
    desk.now += 3;
    assert!(desk.post("conversations/search", all).ids().is_empty());
}

#[test]
fn pages_follow_a_cursor_of_time_id_and_page() {
    let mut desk = Desk::prompt();
    let mut made: Vec<String> = Vec::new();
    for n in 0..5 {
        made.push(desk.conversation(&format!("c{n}@example.com")));
        desk.now += n % 2;
    }
    made.reverse();
    let mut query = filter("open", "=", true);
    query["pagination"] = json!({"per_page": 2});
    let mut seen = Vec::new();
    for number in 1..=3 {
        let got = desk.post("conversations/search", query.clone());
        seen.extend(got.ids().iter().map(|id| (*id).to_owned()));
        let pages = &got.body["pages"];
        assert_eq!(
            (&pages["page"], &pages["total_pages"], &got.body["total_count"]),
            (&json!(number), &json!(3), &json!(5))
        );
        assert_eq!(pages.get("next").is_some(), number < 3);
        if number < 3 {
            let cursor = pages["next"]["starting_after"].as_str().unwrap();
            let parts: Value = serde_json::from_slice(&STANDARD.decode(cursor).unwrap()).unwrap();
            assert_eq!(parts[0].as_i64().unwrap() % 1_000, 0);
            assert_eq!(parts[2], number + 1);
            query["pagination"]["starting_after"] = json!(cursor);
        }
    }
    assert_eq!(seen, made);
    let listed = desk.get("conversations?per_page=3");
    assert_eq!(listed.ids(), made[..3]);
    let next = listed.body["pages"]["next"]["starting_after"].as_str().unwrap().to_owned();
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    assert_eq!(desk.get(&format!("conversations?per_page=3&starting_after={next}")).ids(), made[3..]);
}

#[test]
fn a_row_that_changes_meanwhile_jumps_out_of_the_window() {
    let mut desk = Desk::prompt();
    let older = desk.conversation("a@example.com");
    desk.now += 1;
    let newer = desk.conversation("b@example.com");
    let mut query = filter("open", "=", true);
    query["pagination"] = json!({"per_page": 1});
    let first = desk.post("conversations/search", query.clone());
    assert_eq!(first.ids(), [newer.as_str()]);
    desk.now += 1;
    desk.reply(&older, "note", "changed");
    query["pagination"]["starting_after"] = first.body["pages"]["next"]["starting_after"].clone();
    let rest = desk.post("conversations/search", query.clone());
    assert!(rest.ids().is_empty(), "it is before the cursor now");
    assert_eq!((&rest.body["total_count"], rest.body["pages"].get("next")), (&json!(2), None));
    query["pagination"]["starting_after"] = Value::Null;
    query["sort"] = json!({"field": "updated_at", "order": "ascending"});
    assert_eq!(desk.post("conversations/search", query.clone()).ids(), [newer.as_str()]);
    query["sort"]["field"] = json!("created_at");
    assert_eq!(desk.post("conversations/search", query).ids(), [older.as_str()]);
}

#[test]
fn operators_mean_what_the_table_says() {
    let mut desk = Desk::prompt();
    let id = desk.conversation("ada@example.com");
    let me = desk.me();
    desk.reply(&id, "comment", "x");
    desk.manage(&id, json!({"message_type": "assignment", "type": "admin", "assignee_id": me}));
    let contact = desk.get(&format!("conversations/{id}")).body["contacts"]["contacts"][0]["id"].clone();
    let me: i64 = me.parse().unwrap();
    let cases = [
        ("id", "=", json!(id), true),
        ("id", "!=", json!(id), false),
        ("id", "IN", json!([id, "x"]), true),
        ("id", "NIN", json!([id]), false),
        ("updated_at", ">", json!(START), false),
        ("updated_at", ">=", json!(START), true),
        ("updated_at", "<", json!((START + 1).to_string()), true),
        ("source.body", "=", json!("Badly"), true),
        ("source.body", "=", json!("Badly &"), false),
        ("source.body", "~", json!("badly &"), true),
        ("source.body", "!~", json!("badly &"), false),
        ("source.body", "^", json!("It <"), true),
        ("source.body", "$", json!("often."), true),
        ("source.author.email", "=", json!("ADA@example.com"), true),
        ("contact_ids", "=", contact, true),
        ("admin_assignee_id", "=", json!(me), true),
        ("team_assignee_id", "=", Value::Null, true),
        ("admin_assignee_id", "!=", Value::Null, true),
        ("state", "=", json!("open"), true),
        ("read", "=", json!(true), false),
        ("statistics.count_conversation_parts", ">", json!(1), true),
        ("priority", "=", json!("priority"), false),
    ];
    for (field, operator, value, found) in cases {
        let got = desk.post("conversations/search", filter(field, operator, value.clone()));
        assert_eq!(got.status, 200, "{field} {operator} {value}: {}", got.body);
        assert_eq!(!got.ids().is_empty(), found, "{field} {operator} {value}");
    }
}

#[test]
fn groups_nest_twice_and_hold_fifteen() {
    let mut desk = Desk::prompt();
    let id = desk.conversation("ada@example.com");
    let one = |field: &str, value: Value| json!({"field": field, "operator": "=", "value": value});
    let group = |operator: &str, parts: Vec<Value>| json!({"operator": operator, "value": parts});
    let or = group("OR", vec![one("id", json!("x")), one("open", json!(true))]);
    let both = group("AND", vec![or.clone(), one("state", json!("open"))]);
    assert_eq!(desk.post("conversations/search", json!({"query": both.clone()})).ids(), [id.as_str()]);
    let deep = json!({"query": group("AND", vec![both])});
    assert_eq!(desk.post("conversations/search", deep).error().1, "parameter_invalid");
    let wide = |count: usize| json!({"query": group("AND", vec![one("open", json!(true)); count])});
    assert_eq!(desk.post("conversations/search", wide(15)).status, 200);
    assert_eq!(desk.post("conversations/search", wide(16)).status, 400);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut desk = Desk::prompt();
    let cases = [
        filter("custom_attributes.handoff_key", "=", "x"),
        filter("created_at", "=", "foobar"),
        filter("state", ">", "open"),
        filter("open", "=", "true"),
        filter("id", "IN", "x"),
        filter("id", "like", "x"),
        filter("created_at", ">", Value::Null),
        json!({"query": {}}),
        json!({}),
    ];
    for body in cases {
        assert_eq!(desk.post("conversations/search", body.clone()).status, 400, "{body}");
    }
    for per_page in [json!(0), json!(151), json!("20")] {
        let mut body = filter("open", "=", true);
        body["pagination"] = json!({"per_page": per_page});
        assert_eq!(desk.post("conversations/search", body).status, 400, "{per_page}");
    }
    for cursor in ["%%", "WzFd", "W10=", ""] {
        let mut body = filter("open", "=", true);
        body["pagination"] = json!({"starting_after": cursor});
        assert_eq!(desk.post("conversations/search", body).error().1, "parameter_invalid", "{cursor}");
    }
}

#[test]
fn big_pages_time_out() {
    let options = Options { index_lag_secs: 0, slow_rows: Some(10), ..Options::default() };
    let mut desk = Desk::with("unlimited", options);
    for n in 0..11 {
        desk.conversation(&format!("c{n}@example.com"));
    }
    let mut query = filter("open", "=", true);
    query["pagination"] = json!({"per_page": 150});
    let first = desk.post("conversations/search", query.clone());
    assert_eq!(first.error().1, "request_timeout");
    desk.now += 1;
    let gateway = desk.post("conversations/search", query.clone());
    assert_eq!((gateway.status, gateway.header("content-type")), (504, Some("text/html")));
    query["pagination"]["per_page"] = json!(10);
    assert_eq!(desk.post("conversations/search", query).status, 200);
}

#[test]
fn tickets_are_found_by_their_attributes() {
    let mut desk = Desk::prompt();
    let types = desk.get("ticket_types/53");
    let attributes = types.body["ticket_type_attributes"]["data"].as_array().unwrap().clone();
    let marker = attributes.iter().find(|one| one["name"] == "handoff_key").unwrap()["id"].as_str().unwrap();
    let mut body = new_ticket("Kettle");
    body["ticket_attributes"]["handoff_key"] = json!("op-1");
    let id = desk.post("tickets", body).body["id"].as_str().unwrap().to_owned();
    desk.ticket("Other");
    desk.conversation("x@example.com");
    let cases = [
        (format!("ticket_attribute.{marker}"), json!("op-1"), 1),
        ("title".to_owned(), json!("Kettle"), 1),
        ("category".to_owned(), json!("request"), 2),
        ("ticket_type_id".to_owned(), json!("53"), 2),
        ("state".to_owned(), json!("submitted"), 2),
        ("admin_assignee_id".to_owned(), json!("0"), 2),
        ("id".to_owned(), json!(id), 1),
    ];
    for (field, value, count) in cases {
        let got = desk.post("tickets/search", filter(&field, "=", value));
        assert_eq!(got.body["total_count"], count, "{field}: {}", got.body);
    }
    assert_eq!(desk.post("tickets/search", filter("ticket_attribute.1", "=", "x")).status, 400);
    assert_eq!(desk.post("tickets/search", filter("priority", "=", "x")).status, 400);
    assert_eq!(desk.post("conversations/search", filter("open", "=", true)).body["total_count"], 1);
}
