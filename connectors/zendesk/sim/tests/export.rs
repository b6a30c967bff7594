//! The incremental exports.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Desk, START};

fn ids(body: &Value) -> Vec<i64> {
    body["tickets"].as_array().unwrap().iter().map(|ticket| ticket["id"].as_i64().unwrap()).collect()
}

#[test]
fn the_cursor_is_a_keyset_and_the_last_minute_is_withheld() {
    let mut desk = Desk::new("unlimited");
    let all: Vec<i64> = (0..3).map(|_| desk.quiet_ticket()).collect();
    let first = format!("incremental/tickets/cursor.json?start_time={}&per_page=2", START - 600);
    desk.wait(59);
    let early = desk.get(&first).body;
    assert_eq!((ids(&early), &early["end_of_stream"]), (vec![], &json!(true)));
    desk.wait(1);
    let one = desk.get(&first).body;
    assert_eq!((ids(&one), &one["end_of_stream"]), (all[..2].to_vec(), &json!(false)));
    let cursor = one["after_cursor"].as_str().unwrap().to_owned();
    assert_eq!(STANDARD.decode(&cursor).unwrap(), format!("{START}.0||{}|", all[1]).into_bytes());
    let next = one["after_url"].as_str().unwrap().split_once("/api/v2/").unwrap().1.to_owned();
    assert!(!next.contains("start_time"));
    let two = desk.get(&next).body;
    assert_eq!((ids(&two), &two["end_of_stream"]), (vec![all[2]], &json!(true)));
    // The end can be asked again, and what changes comes again.
    let next = format!("incremental/tickets/cursor?cursor={}", two["after_cursor"].as_str().unwrap());
    assert_eq!(ids(&desk.get(&next).body), Vec::<i64>::new());
    desk.put(&format!("tickets/{}", all[0]), json!({"ticket": {"priority": "low"}}));
    desk.wait(60);
    assert_eq!(ids(&desk.get(&next).body), vec![all[0]]);
    // Who sends the start again reads all again.
    let both = format!("{next}&start_time={}", START - 600);
    assert_eq!(desk.get(&both).body["tickets"].as_array().unwrap().len(), 3);
}

#[test]
fn a_start_younger_than_a_minute_is_refused() {
    let mut desk = Desk::new("unlimited");
    for path in ["incremental/tickets/cursor", "incremental/tickets"] {
        assert_eq!(desk.get(&format!("{path}?start_time={}", START - 59)).status, 422);
        assert_eq!(desk.get(&format!("{path}?start_time={}", START - 60)).status, 200);
        assert_eq!(desk.get(path).status, 400);
    }
    assert_eq!(desk.get("incremental/tickets/cursor?cursor=xyz").status, 400);
}

#[test]
fn deleted_tickets_stay_in_the_export_only() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    assert_eq!(desk.delete(&format!("tickets/{id}")).status, 204);
    assert_eq!(desk.get(&format!("tickets/{id}")).status, 404);
    assert_eq!(desk.get(&format!("tickets/{id}/comments")).status, 404);
    assert_eq!(desk.delete(&format!("tickets/{id}")).status, 404);
    assert_eq!(desk.get("tickets").body["count"], json!(0));
    assert_eq!(desk.get("deleted_tickets").body["deleted_tickets"][0]["id"], json!(id));
    desk.wait(60);
    let path = format!("incremental/tickets/cursor?start_time={}", START - 60);
    assert_eq!(desk.get(&path).body["tickets"][0]["status"], "deleted");
    assert_eq!(ids(&desk.get(&format!("{path}&exclude_deleted=true")).body), Vec::<i64>::new());
}

#[test]
fn a_save_that_changes_nothing_moves_only_the_generated_time() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    desk.wait(100);
    let got = desk.put(&format!("tickets/{id}"), json!({"ticket": {"subject": "Broken"}}));
    assert_eq!((got.status, &got.body["audit"]["events"]), (200, &json!([])));
    let ticket = desk.get(&format!("tickets/{id}")).body["ticket"].clone();
    assert_eq!(ticket["generated_timestamp"], json!(START + 100));
    assert_eq!(ticket["updated_at"], ticket["created_at"]);
    assert_eq!(desk.get(&format!("tickets/{id}/audits")).body["count"], json!(2));
}

#[test]
fn rows_carry_side_loads_on_request() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    desk.put(&format!("tickets/{id}"), json!({"ticket": {"comment": {"body": "two", "public": false}}}));
    desk.wait(60);
    let body =
        desk.get(&format!("incremental/tickets/cursor?start_time={START}&include=users,comment_count")).body;
    assert_eq!(body["tickets"][0]["comment_count"], json!(2));
    assert!(body["users"].as_array().unwrap().iter().any(|user| user["email"] == "ann@example.org"));
}

#[test]
fn pages_above_the_gateways_limit_end_in_504() {
    let mut desk = Desk::new("unlimited+page_limit=100");
    let path = format!("incremental/tickets/cursor?start_time={}", START - 60);
    assert_eq!(desk.get(&path).status, 504);
    assert_eq!(desk.get(&format!("{path}&per_page=101")).status, 504);
    assert_eq!(desk.get(&format!("{path}&per_page=100")).status, 200);
}

#[test]
fn the_export_by_time_repeats_its_last_second() {
    let mut desk = Desk::new("unlimited");
    let (a, b) = (desk.quiet_ticket(), desk.quiet_ticket());
    desk.wait(1);
    let c = desk.quiet_ticket();
    desk.wait(60);
    let body = desk.get(&format!("incremental/tickets?start_time={}&per_page=1", START - 5)).body;
    assert_eq!((ids(&body), &body["end_of_stream"]), (vec![a, b], &json!(false)));
    assert_eq!(body["end_time"], json!(START));
    let body = desk.get(&format!("incremental/tickets?start_time={START}")).body;
    assert_eq!((ids(&body), &body["end_of_stream"]), (vec![a, b, c], &json!(true)));
    assert!(body["next_page"].is_string());
}
