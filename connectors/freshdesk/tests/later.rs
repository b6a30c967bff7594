//! What becomes of messages and tickets later: amendments, deletions, merges, ratings.

use handoffd_core::{
    Fetched, Rating,
    intent::{Amend, Amendment, Applied, Delete},
};
use serde_json::json;

use super::*;
use crate::contract::{Attempted, Error, Feed, FeedRow, FeedStart, Helpdesk, Result};

const TICKET: &str = "GET /api/v2/tickets/2345?include=requester,conversations";
const NOTES: &str = "POST /api/v2/tickets/2345/notes";
const MESSAGE: &str = "/api/v2/conversations/9";
const ME: &str = "GET /api/v2/agents/me";

fn amend(comment: &str, change: Amendment) -> Intent {
    let key = OpKey::from("l0a1b2-7");
    Intent::Amend(Amend { at: TicketKey::new("fd", "2345"), comment: id(comment), change, key })
}

fn hide() -> Amendment {
    Amendment::Hide(note("Not for you", Some(Person::customer("Bo", "bo@x.test"))))
}

/// The ticket with these conversations.
fn ticket(rows: &[Json]) -> String {
    json!({"id": 2345, "status": 2, "requester_id": 43, "description": "<p>Hi</p>", "conversations": rows,
        "attachments": [{"id": 5, "name": "a.png", "attachment_url": "https://files.test/5"}],
        "created_at": "2026-11-22T08:00:00Z", "updated_at": "2026-11-22T08:00:01Z"})
    .to_string()
}

fn said(id: i64, private: bool, source: i64, text: &str, files: &[&str]) -> Json {
    let files: Vec<Json> = files
        .iter()
        .map(|name| json!({"id": 6, "name": name, "attachment_url": "https://files.test/6"}))
        .collect();
    json!({"id": id, "user_id": 7009, "private": private, "source": source, "body": format!("<p>{text}</p>"),
        "attachments": files, "created_at": "2026-11-22T08:00:01Z"})
}

async fn done(desk: &Desk, intent: &Intent) -> Result<Applied> {
    desk.apply(call(), intent, None, &[]).await
}

async fn find(desk: &Desk, intent: &Intent) -> Result<Option<Applied>> {
    let claimed = BTreeSet::new();
    desk.find_applied(call(), Attempted { intent, sent_at: NOW, claimed: &claimed, author: None }).await
}

fn delete() -> String {
    format!("DELETE {MESSAGE}")
}

fn refused(done: &Result<Applied>, words: &str) {
    assert!(matches!(done, Err(Error::Refused { why }) if why.contains(words)), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hidden_message_goes_and_a_private_copy_comes() {
    let (desk, script) = desk();
    script
        .expect(TICKET, 200, ticket(&[said(9, false, 2, "Not for you", &["plan.pdf"])]))
        .expect(&delete(), 204, "")
        .expect(NOTES, 201, r#"{"id":10}"#);
    assert_eq!(done(&desk, &amend("9", hide())).await.unwrap().comment, Some(id("10")));
    let body = "<p>Not for you</p><p>[attachment not copied: plan.pdf (the message was hidden)]</p>";
    assert_eq!(script.finish()[2], json!({"body": body, "private": true, "incoming": false}));

    script.expect(TICKET, 200, ticket(&[said(9, true, 2, "Not for you", &[])]));
    assert_eq!(
        done(&desk, &amend("9", hide())).await.unwrap().comment,
        Some(id("9")),
        "it is private already"
    );

    script.expect(TICKET, 200, ticket(&[said(9, false, 0, "x", &[])])).expect(&delete(), 405, "");
    refused(&done(&desk, &amend("9", hide())).await, "does not let this message be deleted");
    refused(&done(&desk, &amend("description", hide())).await, "first message");
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn a_hiding_that_stopped_goes_on() {
    let (desk, script) = desk();
    let there = said(9, false, 2, "Not for you", &[]);
    let copy = said(10, true, 2, "Not for you", &[]);
    script.expect(TICKET, 200, ticket(&[there])).expect(&delete(), 204, "").expect(NOTES, 0, "");
    assert!(matches!(done(&desk, &amend("9", hide())).await, Err(Error::Unknown { .. })));
    script.expect(TICKET, 200, ticket(&[copy])).expect(ME, 200, include_str!("../fixtures/agent_me.json"));
    let found = find(&desk, &amend("9", hide())).await.unwrap().unwrap();
    assert_eq!(found.comment, Some(id("10")), "the copy was there");
    script.expect(TICKET, 200, ticket(&[])).expect(NOTES, 201, r#"{"id":11}"#);
    let found = find(&desk, &amend("9", hide())).await.unwrap().unwrap();
    assert_eq!(found.comment, Some(id("11")), "only the copy was missing");
    script.expect(TICKET, 200, ticket(&[])).expect(NOTES, 403, "");
    assert!(matches!(find(&desk, &amend("9", hide())).await, Err(Error::Unknown { .. })));
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn content_is_taken_out_for_good() {
    let put = format!("PUT {MESSAGE}");
    let note = said(9, false, 2, "4242", &[]);
    let (desk, script) = desk();
    script.expect(TICKET, 200, ticket(std::slice::from_ref(&note))).expect(&put, 200, r#"{"id":9}"#);
    done(&desk, &amend("9", Amendment::Redact)).await.unwrap();
    assert_eq!(script.finish()[1], json!({"body": "<p>[redacted]</p>"}));
    // A note that is not rewritten, a note with a file, a reply: deleted.
    script.expect(TICKET, 200, ticket(&[note])).expect(&put, 405, "").expect(&delete(), 204, "");
    done(&desk, &amend("9", Amendment::Redact)).await.unwrap();
    for row in [said(9, true, 2, "x", &["a.png"]), said(9, false, 0, "x", &[])] {
        script.expect(TICKET, 200, ticket(&[row])).expect(&delete(), 204, "");
        done(&desk, &amend("9", Amendment::Redact)).await.unwrap();
    }
    script.expect(TICKET, 200, ticket(&[]));
    done(&desk, &amend("9", Amendment::Redact)).await.expect("what is gone says nothing");
    let opening =
        || script.expect(TICKET, 200, ticket(&[])).expect("PUT /api/v2/tickets/2345", 200, ticket(&[]));
    opening().expect("DELETE /api/v2/attachments/5", 204, "");
    done(&desk, &amend("description", Amendment::Redact)).await.unwrap();
    opening().expect("DELETE /api/v2/attachments/5", 405, "");
    refused(&done(&desk, &amend("description", Amendment::Redact)).await, "by hand");
    let sent = script.finish();
    assert!(sent.contains(&json!({"description": "<p>[redacted]</p>"})), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn notes_are_rewritten_and_replies_are_not() {
    let put = format!("PUT {MESSAGE}");
    let change = || Amendment::Rewrite(public("Other", Mail::Silent));
    let (desk, script) = desk();
    script.expect(&put, 200, r#"{"id":9}"#).expect(&put, 405, "").expect(&put, 404, "").expect(
        "PUT /api/v2/tickets/2345",
        200,
        ticket(&[]),
    );
    assert_eq!(done(&desk, &amend("9", change())).await.unwrap().comment, Some(id("9")));
    refused(&done(&desk, &amend("9", change())).await, "rewrites notes only");
    refused(&done(&desk, &amend("9", change())).await, "not there any more");
    done(&desk, &amend("description", change())).await.unwrap();
    let sent = script.finish();
    assert_eq!(
        (&sent[0], &sent[3]),
        (&json!({"body": "<p>Other</p>"}), &json!({"description": "<p>Other</p>"}))
    );
}

#[tokio::test(start_paused = true)]
async fn a_ticket_goes_to_the_trash_once() {
    let intent = Intent::Delete(Delete { at: TicketKey::new("fd", "2345"), key: OpKey::from("l0a1b2-7") });
    let gone = "DELETE /api/v2/tickets/2345";
    let (desk, script) = desk();
    script.expect(gone, 204, "").expect(gone, 404, "").expect(gone, 403, "");
    done(&desk, &intent).await.unwrap();
    done(&desk, &intent).await.expect("it is deleted already");
    assert!(matches!(done(&desk, &intent).await, Err(Error::Forbidden { .. })));
    script.expect(TICKET, 404, "").expect(TICKET, 200, ticket(&[])).expect(gone, 204, "");
    assert!(find(&desk, &intent).await.unwrap().is_some());
    assert!(find(&desk, &intent).await.unwrap().is_some(), "it is deleted now");
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn a_note_about_a_merge_leads_on() {
    let merged = |status: i64, private: bool, text: &str| {
        let mut shown: Json = serde_json::from_str(&ticket(&[said(9, private, 2, text, &[])])).unwrap();
        shown["status"] = status.into();
        shown.to_string()
    };
    let words = "This ticket is closed and merged into ticket ";
    let rows = [
        (merged(5, true, &format!("{words}77.")), true),
        (merged(5, true, &format!("{words}<a href=\"https://acme.test/t\">77</a>")), false),
        (merged(2, true, &format!("{words}77")), false),
        (merged(5, false, &format!("{words}77")), false),
        (merged(5, true, &format!("{words}2345")), false),
        (merged(5, true, &format!("{words}77, says Bo")), false),
    ];
    let (desk, script) = desk();
    for (body, moved) in rows {
        script.expect(TICKET, 200, body.clone());
        let fetched = desk.fetch_many(call(), &[id("2345")]).await.unwrap().remove(0);
        let to = Fetched::MovedTo { from: TicketKey::new("fd", "2345"), to: TicketKey::new("fd", "77") };
        assert_eq!(fetched == to, moved, "{body}");
    }
    let (silent, script) = desk_with(json!({"merge_note": ""}));
    script.expect(TICKET, 200, merged(5, true, &format!("{words}77")));
    let fetched = silent.fetch_many(call(), &[id("2345")]).await.unwrap();
    assert!(matches!(fetched.as_slice(), [Fetched::Shown(_)]));
}

const RATINGS: Feed = Feed("ratings");

fn ratings(since: &str, page: u32) -> String {
    format!("GET /api/v2/surveys/satisfaction_ratings?created_since={since}&per_page=100&page={page}")
}

#[tokio::test(start_paused = true)]
async fn ratings_are_read_as_they_come() {
    let row = |ticket: Json, answers: Json| json!({"id": 1, "ticket_id": ticket, "feedback": "Great!", "ratings": answers, "created_at": "2026-11-22T08:01:40Z"});
    let rows = json!([
        row(7.into(), json!({"default_question": 103})),
        row(8.into(), json!({"question_1": 103})),
        row(Json::Null, json!({}))
    ]);
    let (desk, script) = desk();
    script.expect(&ratings("2026-11-22T07:58:30Z", 1), 200, rows.to_string()).expect(
        &ratings("2026-11-22T08:00:10Z", 1),
        200,
        "[]",
    );
    let first = desk.changes(call(), RATINGS, FeedStart::Since(NOW)).await.unwrap();
    let rating = Rating {
        percent: 100,
        label: "extremely happy".to_owned(),
        comment: Some("Great!".to_owned()),
        at: Some(Timestamp::parse("2026-11-22T08:01:40Z").unwrap()),
    };
    let [FeedRow::Rated { ticket, rating: told }, FeedRow::Unreadable { what, .. }] = first.rows.as_slice()
    else {
        panic!("{:?}", first.rows)
    };
    assert_eq!((&ticket.id, told), (&id("7"), &rating));
    assert!(what.ends_with("ticket_id: not a number"), "{what}");
    assert!(!first.more && first.complete_until.is_some());
    desk.changes(call(), RATINGS, FeedStart::After(first.next)).await.unwrap();
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn an_account_without_surveys_is_left_alone_for_an_hour() {
    let lacking = "The Surveys feature(s) is/are not supported in your plan.";
    let (desk, script) = desk();
    script.expect(&ratings("2026-11-22T07:58:30Z", 1), 403, lacking);
    let mut next = desk.changes(call(), RATINGS, FeedStart::Since(NOW)).await.unwrap();
    for _ in 0..3 {
        assert!(next.rows.is_empty() && !next.more && next.complete_until.is_some());
        next = desk.changes(call(), RATINGS, FeedStart::After(next.next)).await.unwrap();
    }
    script.finish();
    tokio::time::sleep(Duration::from_secs(3_601)).await;
    script.expect(&ratings("2026-11-22T07:58:30Z", 1), 200, "[]");
    let later = Call { deadline: NOW.plus(Duration::from_secs(4_000)), ..call() };
    desk.changes(later, RATINGS, FeedStart::After(next.next)).await.unwrap();
    script.finish();
}
