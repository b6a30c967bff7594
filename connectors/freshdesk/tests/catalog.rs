//! What an account has, making what is missing, and its history.

use handoffd_core::Status;
use serde_json::json;

use super::*;
use crate::contract::{Error, FeedStart, Helpdesk, Provision, Result};

const FIELDS: &str = "GET /api/v2/ticket_fields";
const MAKE: &str = "POST /api/v2/admin/ticket_fields";

fn fields() -> String {
    json!([
        {"name": "status", "type": "default_status", "choices": {"2": ["Open", "x"], "6": ["Waiting", "y"]}},
        {"name": "ticket_type", "type": "default_ticket_type", "choices": ["Question", "Incident"]},
        {"name": "cf_handoff_key", "label": "Handoff key", "type": "custom_text"},
        {"name": "cf_region", "label": "Region", "type": "custom_dropdown", "choices": {"EMEA": ["DE"], "AMER": []},
            "displayed_to_customers": true},
        {"name": "cf_why", "label": "Why", "type": "custom_text", "displayed_to_customers": false},
        {"name": "cf_odd", "label": "Odd", "type": "custom_file"},
    ])
    .to_string()
}

#[tokio::test(start_paused = true)]
async fn the_catalog_is_read_to_its_end() {
    let agents: Vec<Json> = (1..=100)
        .map(|id| json!({"id": id, "contact": {"name": format!("A{id}"), "email": "a@x.test"}}))
        .collect();
    let (desk, script) = desk_with(json!({"statuses": {"6": "pending"}}));
    script
        .expect(FIELDS, 200, fields())
        .expect("GET /api/v2/agents?per_page=100&page=1", 200, Json::from(agents).to_string())
        .expect("GET /api/v2/agents?per_page=100&page=2", 200, r#"[{"id":101},{"name":"no id"}]"#)
        .expect("GET /api/v2/groups?per_page=100&page=1", 200, r#"[{"id":8,"name":"Support"}]"#);
    let found = desk.catalog(call()).await.unwrap();
    script.finish();
    assert_eq!((found.agents.len(), found.teams.len(), found.types.len()), (101, 1, 2));
    let statuses: Vec<_> = found
        .statuses
        .iter()
        .map(|one| (one.native.as_str(), one.label.as_str(), one.status, one.default))
        .collect();
    assert_eq!(statuses, [("2", "Open", Status::Open, true), ("6", "Waiting", Status::Pending, false)]);
    let custom: Vec<_> =
        found.fields.iter().map(|one| (one.native.as_str(), one.kind, one.options.len())).collect();
    let text = ("cf_why", Some(FieldKind::Text), 0);
    assert_eq!(custom, [("cf_region", Some(FieldKind::Choice), 2), text, ("cf_odd", None, 0)]);
    let seen: Vec<_> = found.fields.iter().map(|one| one.customers_see).collect();
    assert_eq!(seen, [Some(true), Some(false), None]);
}

fn field(native: &str, kind: FieldKind) -> Provision {
    let options = if kind == FieldKind::Choice { vec!["A".to_owned(), "B".to_owned()] } else { Vec::new() };
    Provision::Field { native: native.to_owned(), kind, options }
}

fn refused(done: &Result<String>, words: &[&str]) {
    let Err(Error::Refused { why }) = done else { panic!("{done:?}") };
    assert!(words.iter().all(|word| why.contains(word)), "{why}");
}

#[tokio::test(start_paused = true)]
async fn missing_fields_are_made_where_that_can_be_done() {
    let (desk, script) = desk();
    script.expect(FIELDS, 200, fields()).expect(MAKE, 201, r#"{"name":"cf_order_no"}"#);
    let made = desk.provision(call(), &field("cf_order_no", FieldKind::Choice)).await;
    assert_eq!(made.as_deref(), Ok("cf_order_no"));
    let sent = script.finish();
    assert_eq!((&sent[1]["label"], &sent[1]["type"]), (&json!("Order no"), &json!("custom_dropdown")));
    assert_eq!(sent[1]["choices"][1], json!({"value": "B", "position": 2}));

    script.expect(FIELDS, 200, fields()).expect(FIELDS, 200, fields()).expect(FIELDS, 200, fields());
    let there = desk.provision(call(), &field("cf_region", FieldKind::Choice)).await;
    assert_eq!(there.as_deref(), Ok("cf_region"), "it is there already");
    refused(&desk.provision(call(), &field("cf_region", FieldKind::Number)).await, &["something else"]);
    refused(&desk.provision(call(), &field("cf_x", FieldKind::Choices)).await, &["Ticket Fields", "cf_x"]);
    for status in [403, 404, 400] {
        script.expect(FIELDS, 200, fields()).expect(MAKE, status, "");
        let done = desk.provision(call(), &field("cf_order_no", FieldKind::Text)).await;
        refused(&done, &["Ticket Fields", "single-line text", "\"Order no\"", "cf_order_no"]);
    }
    script.expect(FIELDS, 200, fields()).expect(MAKE, 0, "");
    let lost = desk.provision(call(), &field("cf_order_no", FieldKind::Text)).await;
    assert!(matches!(lost, Err(Error::Unknown { .. })), "{lost:?}");
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn statuses_are_found_and_not_made() {
    let status = |label: &str| Provision::Status { label: label.to_owned(), status: Status::Pending };
    let (desk, script) = desk();
    script.expect(FIELDS, 200, fields()).expect(FIELDS, 200, fields());
    assert_eq!(desk.provision(call(), &status("waiting")).await.as_deref(), Ok("6"));
    let words = ["Ticket Fields > Status", "accounts.fd.settings.statuses"];
    refused(&desk.provision(call(), &status("Parts")).await, &words);
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn history_begins_with_the_number_of_tickets() {
    let count = "GET /api/v2/search/tickets?query=%22updated_at%3A%3E%271970-01-01%27%22";
    let list = "GET /api/v2/tickets?updated_since=1970-01-01T00:00:00Z&order_by=updated_at&order_type=asc\
        &per_page=100&page=1&include=requester";
    let row = r#"[{"id":1,"updated_at":"2020-01-01T00:00:00Z"}]"#;
    for (status, total) in [(200, Some(42)), (400, None), (403, None)] {
        let (desk, script) = desk();
        script.expect(count, status, r#"{"total":42,"results":[]}"#).expect(list, 200, row);
        let page = desk.history(call(), FeedStart::Since(Timestamp(0))).await.unwrap();
        assert_eq!((page.rows.len(), page.more, page.total), (1, false, total));
        script.finish();
    }
}
