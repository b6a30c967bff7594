//! Writes that need the ticket at hand, merges, files and amendments, against a scripted Zendesk.

use handoffd_core::{
    Attachment, Carried, Fetched, FieldKind, FieldName, Typed,
    intent::{Amend, Amendment, Delete},
};

use super::*;
use crate::{
    client::Content,
    contract::{CustomField, Error, Helpdesk, Supply},
};

const SHOW: &str = "GET /api/v2/tickets/show_many.json?ids=155&";
const PUT: &str = "PUT /api/v2/tickets/155.json";
const T0: &str = "2026-11-22T07:59:00Z";
const T1: &str = "2026-11-22T08:00:00Z";

/// The body of the request with this number.
fn sent(script: &Script, number: usize) -> serde_json::Value {
    script.bodies()[number]["ticket"].clone()
}

#[tokio::test(start_paused = true)]
async fn tags_are_written_with_the_options_that_the_ticket_has() {
    let mut now = shown(T0, &["red", "vip"]);
    now["tickets"][0]["custom_fields"] = json!([{"id": 1, "value": "red"}]);
    let script = Script::new(vec![(SHOW, ok_json(&now)), (PUT, ok_json(&wrote(T1, &["new", "red"])))]);
    let mut adapter = adapter(&script);
    let name = FieldName::new("colour").unwrap();
    adapter.custom = vec![CustomField { name, native: "1".to_owned(), kind: FieldKind::Choice }];
    let intent = Intent::Update(update(&[(Field::Tags, tags(&["new"]))], None, None));
    adapter.apply(call(), &intent, None, &[]).await.unwrap();
    let body = sent(&script, 1);
    assert_eq!((&body["tags"], &body["updated_stamp"]), (&json!(["new", "red"]), &json!(T0)));
    // The option itself needs no look: Zendesk keeps the tags in step.
    let script = Script::new(vec![(PUT, ok_json(&wrote(T1, &["blue"])))]);
    adapter.http = super::adapter(&script).http;
    let blue = Value::Typed(Some(Typed::Choice("blue".to_owned())));
    let intent = Intent::Update(update(&[(Field::Custom(name), blue)], None, None));
    adapter.apply(call(), &intent, None, &[]).await.unwrap();
    let body = sent(&script, 0);
    assert_eq!((&body["custom_fields"], body.get("tags")), (&json!([{"id": 1, "value": "blue"}]), None));
}

#[tokio::test(start_paused = true)]
async fn an_agents_silent_words_are_quiet_whoever_asked() {
    let script = Script::new(vec![(PUT, ok_json(&wrote(T1, &["fire"])))]);
    let set = [(Field::Tags, tags(&["fire"]))];
    let intent = Intent::Update(update(&set, reply(agent(), Mail::Silent), None));
    adapter(&script).apply(call(), &intent, Some(&"77".into()), &[]).await.unwrap();
    let body = sent(&script, 0);
    assert_eq!(body["tags"], json!(["fire", "handoffd_quiet"]));
    assert_eq!(body["comment"]["author_id"], json!(77));
}

#[tokio::test(start_paused = true)]
async fn people_in_copy_are_put_and_taken_off_one_by_one() {
    let mut now = shown(T0, &[]);
    now["tickets"][0]["email_cc_ids"] = json!([5, 6]);
    let users = now["users"].as_array_mut().unwrap();
    users.push(json!({"id": 5, "name": "A", "email": "A@x.test", "role": "end-user"}));
    let other = json!({"users": [{"id": 6, "name": "B", "email": "b@x.test", "role": "agent"}]});
    let script = Script::new(vec![
        (SHOW, ok_json(&now)),
        ("GET /api/v2/users/show_many.json?ids=6", ok_json(&other)),
        (PUT, ok_json(&wrote(T1, &[]))),
    ]);
    let intent = Intent::Update(update(&[(Field::Ccs, tags(&["b@x.test", "c@x.test"]))], None, None));
    adapter(&script).apply(call(), &intent, None, &[]).await.unwrap();
    let expected =
        json!([{"user_email": "c@x.test", "action": "put"}, {"user_email": "a@x.test", "action": "delete"}]);
    assert_eq!(sent(&script, 2)["email_ccs"], expected);
}

#[tokio::test(start_paused = true)]
async fn the_target_of_a_merge_is_looked_for_once() {
    let mut now = shown(T0, &["closed_by_merge"]);
    now["tickets"][0]["status"] = json!("closed");
    let words = "This request was closed and merged into request #156 \"Printer #9 burns\".";
    let audits = json!({"audits": [{"id": 9, "created_at": T0, "events": [{"id": 10, "type": "Comment", "body": words}]}]});
    let script = Script::new(vec![
        (SHOW, ok_json(&now)),
        ("GET /api/v2/tickets/155/audits.json?sort=-created_at&", ok_json(&audits)),
        (SHOW, ok_json(&now)),
    ]);
    let adapter = adapter(&script);
    let moved = Fetched::MovedTo { from: TicketKey::new("zd", "155"), to: TicketKey::new("zd", "156") };
    for _ in 0..2 {
        let found = adapter.fetch_many(call(), &["155".into()]).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&moved));
    }
    script.assert_done();
}

#[tokio::test(start_paused = true)]
async fn a_redaction_marks_all_that_the_comment_has() {
    let comments = json!({"comments": [{"id": 37, "html_body": "<p>4242 <b>now</b></p>", "public": true,
        "attachments": [{"id": 1, "file_name": "a.txt", "size": 3, "content_url": "https://acme.zendesk.test/a"}]}]});
    let script = Script::new(vec![
        ("GET /api/v2/tickets/155/comments.json?sort=-created_at&page[size]=100", ok_json(&comments)),
        ("PUT /api/v2/comment_redactions/37.json", ok("{}")),
    ]);
    let amend = |change| {
        let (at, comment) = (TicketKey::new("zd", "155"), RemoteId::from("37"));
        Intent::Amend(Amend { at, comment, change, key: KEY.into() })
    };
    adapter(&script).apply(call(), &amend(Amendment::Redact), None, &[]).await.unwrap();
    let expected = json!({"ticket_id": 155, "html_body": "<p><redact>4242 </redact><b><redact>now</redact></b></p>",
        "external_attachment_urls": ["https://acme.zendesk.test/a"]});
    assert_eq!(script.bodies()[1], expected);
    let done = json!({"comments": [{"id": 37, "html_body": "<p>▇▇▇▇▇<b>▇▇▇</b></p>", "public": true}]});
    let script = Script::new(vec![("GET /api/v2/tickets/155/comments.json?", ok_json(&done))]);
    adapter(&script).apply(call(), &amend(Amendment::Redact), None, &[]).await.unwrap();
    script.assert_done();
}

#[tokio::test(start_paused = true)]
async fn files_are_uploaded_and_named_where_there_are_no_words() {
    let script = Script::new(vec![
        ("POST /api/v2/uploads.json?filename=a+b.txt", ok(r#"{"upload": {"token": "t1"}}"#)),
        (PUT, ok_json(&wrote(T1, &[]))),
    ]);
    let attachment = Attachment {
        id: "1".into(),
        name: "a b.txt".to_owned(),
        content_type: "text/plain".to_owned(),
        size: Some(3),
        inline: false,
        at: String::new(),
    };
    let carried = Carried { from: TicketKey::new("fd", "9"), comment: "91".into(), attachment };
    let text = PrivateText::new(Body::inline(""));
    let note = Message::Private(PrivateMessage { author: None, text, attachments: vec![carried] });
    let supply = Supply {
        name: "a b.txt".to_owned(),
        content_type: "text/plain".to_owned(),
        content: Content::Bytes(Bytes::from_static(b"abc")),
    };
    let intent = Intent::Update(update(&[], Some(note), None));
    adapter(&script).apply(call(), &intent, None, &[supply]).await.unwrap();
    let expected = json!({"html_body": "<p>[a b.txt]</p>", "public": false, "uploads": ["t1"]});
    assert_eq!(sent(&script, 1)["comment"], expected);
    let lost_upload =
        Script::new(vec![("POST /api/v2/uploads", lost()), ("POST /api/v2/uploads", status(422, "{}"))]);
    let supply = Supply {
        name: "b".to_owned(),
        content_type: "text/plain".to_owned(),
        content: Content::Bytes(Bytes::from_static(b"abc")),
    };
    let failed = adapter(&lost_upload).apply(call(), &intent, None, &[supply]).await;
    // Nobody sees an upload, so one that may have happened is just tried again.
    assert!(matches!(failed, Err(Error::Transient { .. })), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_done_when_the_ticket_is_gone() {
    let delete = Intent::Delete(Delete { at: TicketKey::new("zd", "155"), key: KEY.into() });
    let none = r#"{"error":"RecordNotFound","description":"Not found"}"#;
    let script = Script::new(vec![("DELETE /api/v2/tickets/155.json", status(404, none))]);
    assert!(matches!(adapter(&script).apply(call(), &delete, None, &[]).await, Err(Error::Gone)));
    let nothing = BTreeSet::new();
    for (tickets, is_done) in [(json!({"tickets": []}), true), (shown(T0, &[]), false)] {
        let script = Script::new(vec![(SHOW, ok_json(&tickets))]);
        let found = adapter(&script).find_applied(call(), attempted(&delete, &nothing)).await.unwrap();
        assert_eq!(found.is_some(), is_done);
    }
}
