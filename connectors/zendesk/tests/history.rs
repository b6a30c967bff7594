//! The past against a scripted Zendesk: what the events tell, and what they do not.

use std::sync::Arc;

use handoffd_core::{RemoteId, Timestamp};
use serde_json::{Value, json};

use super::{Script, adapter, call, ok_json, status};
use crate::contract::{FeedStart, Helpdesk, History};

const EVENTS: &str = "GET /api/v2/incremental/ticket_events.json?start_time=0";
const COUNT: &str = "GET /api/v2/tickets/count.json";
const PEOPLE: &str = "GET /api/v2/users/show_many.json?ids=";

fn event(id: u64, ticket: u64, children: Value) -> Value {
    json!({"id": id, "ticket_id": ticket, "timestamp": 10 + id, "event_type": "Audit", "child_events": children})
}

fn comment(id: u64, author: u64) -> Value {
    json!({"id": id, "event_type": "Comment", "type": "Comment", "author_id": author, "body": "Hello",
        "public": true, "attachments": [], "created_at": "2026-01-05T09:00:00Z"})
}

fn page(events: &[Value]) -> Value {
    json!({"ticket_events": events, "end_time": 99, "count": events.len(), "end_of_stream": true})
}

fn people() -> Value {
    json!({"users": [
        {"id": 7, "name": "Ann", "email": "ann@example.test", "role": "end-user"},
        {"id": 8, "name": "Bo", "email": "bo@acme.test", "role": "agent"},
    ]})
}

async fn read(script: &Arc<Script>, since: i64) -> History {
    let from = FeedStart::Since(Timestamp::from_secs(since));
    let page = adapter(script).history(call(), from).await.expect("a page");
    script.assert_done();
    page
}

fn told(page: &History) -> Vec<&str> {
    page.comments.iter().map(|(ticket, _)| ticket.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_comment_that_became_something_else_puts_its_ticket_in_doubt() {
    let child = |id, kind| json!([{"id": id, "event_type": kind, "comment_id": 1}]);
    let events = [
        event(1, 31, json!([comment(1, 7)])),
        event(2, 32, json!([comment(2, 7)])),
        event(3, 33, json!([comment(3, 7)])),
        event(4, 34, json!([comment(4, 7)])),
        event(5, 31, child(5, "CommentPrivacyChange")),
        event(6, 32, child(6, "CommentRedactionEvent")),
        event(7, 33, child(7, "AttachmentRedactionEvent")),
        event(8, 34, child(8, "Change")),
    ];
    let count = ok_json(&json!({"count": {"value": 4, "refreshed_at": "2026-01-05T09:00:00Z"}}));
    let script =
        Script::new(vec![(EVENTS, ok_json(&page(&events))), (PEOPLE, ok_json(&people())), (COUNT, count)]);
    let page = read(&script, 0).await;
    assert_eq!(told(&page), ["31", "32", "33", "34"]);
    assert_eq!(page.doubtful, ["31", "32", "33"].map(RemoteId::from));
    assert_eq!(page.total, Some(4));
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_ticket_takes_no_other_ones_comments_along() {
    let events = [event(1, 31, json!([comment(1, 8)])), event(2, 32, json!([comment(2, 8)]))];
    let ticket = |id: u64, updated: Value| {
        json!({"tickets": [{"id": id, "requester_id": 7, "subject": "S", "status": "open", "tags": [],
            "created_at": "2026-01-05T09:00:00Z", "updated_at": updated}], "users": []})
    };
    let (good, bad) = (ticket(31, json!("2026-01-05T09:00:00Z")), ticket(32, json!(true)));
    let both = json!({"tickets": [good["tickets"][0], bad["tickets"][0]], "users": []});
    let many = |ids: &str| format!("GET /api/v2/tickets/show_many.json?ids={ids}");
    let (all, first, second) = (many("31,32"), many("31&"), many("32&"));
    let script = Script::new(vec![
        (EVENTS, ok_json(&page(&events))),
        (PEOPLE, ok_json(&people())),
        (&all, ok_json(&both)),
        (&first, ok_json(&good)),
        (&second, ok_json(&bad)),
        // An estimate is not worth an error.
        (COUNT, status(403, "{}")),
    ]);
    let page = read(&script, 0).await;
    assert_eq!(told(&page), ["31", "32"]);
    assert_eq!(page.doubtful, [RemoteId::from("32")]);
    assert_eq!(page.total, None);
}

#[tokio::test(start_paused = true)]
async fn only_the_whole_past_is_counted() {
    let events = "GET /api/v2/incremental/ticket_events.json?start_time=500";
    let script = Script::new(vec![(events, ok_json(&page(&[])))]);
    assert_eq!(read(&script, 500).await.total, None, "all tickets are more than those that changed since");
}
