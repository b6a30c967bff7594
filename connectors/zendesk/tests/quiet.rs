//! Writes, the quiet tag around them, and writes whose answer was lost.

use handoffd_core::intent::EditNote;
use serde_json::Value as Json;

use super::*;
use crate::contract::{Error, Helpdesk};

const POST: &str = "POST /api/v2/tickets.json";
const PUT: &str = "PUT /api/v2/tickets/155.json";
const SHOW: &str = "GET /api/v2/tickets/show_many.json?ids=155&";
const LIST: &str = "GET /api/v2/tickets.json?external_id=l0123456789abcdef0123-0&";
const COMMENTS: &str = "GET /api/v2/tickets/155/comments.json?";
const AUDITS: &str = "GET /api/v2/tickets/155/audits.json?sort=-created_at&page[size]=100";
const WRITTEN: &str = include_str!("../fixtures/written.json");
/// Moments of ticket 155, one second apart.
const T0: &str = "2026-11-22T07:59:59Z";
const T1: &str = "2026-11-22T08:00:00Z";
const T2: &str = "2026-11-22T08:00:01Z";

type Found = Result<(Option<String>, Option<Version>, Option<Value>), Error>;

fn version(at: &str) -> Option<Version> {
    Some(Version::from(Timestamp::parse(at).unwrap()))
}

fn brief(applied: handoffd_core::intent::Applied) -> (Option<String>, Option<Version>, Option<Value>) {
    assert_eq!(applied.ticket, TicketKey::new("zd", "155"));
    let tags = applied.shown.and_then(|mut shown| shown.fields.remove(&Field::Tags));
    (applied.comment.map(|id| id.0), applied.version, tags)
}

async fn apply(script: &Arc<Script>, intent: &Intent, author: Option<&str>) -> Found {
    let author = author.map(RemoteId::from);
    let applied = adapter(script).apply(call(), intent, author.as_ref(), &[]).await;
    script.assert_done();
    applied.map(brief)
}

async fn find(
    script: &Arc<Script>,
    intent: &Intent,
) -> Result<Option<(Option<String>, Option<Version>, Option<Value>)>, Error> {
    let none = BTreeSet::new();
    let found = adapter(script).find_applied(call(), attempted(intent, &none)).await;
    script.assert_done();
    Ok(found?.map(brief))
}

fn gone_quiet() -> Reply {
    ok_json(&wrote(T2, &["fire"]))
}

fn silent(if_version: Option<&str>) -> Intent {
    Intent::Update(update(&[(Field::Tags, tags(&["fire"]))], reply(agent(), Mail::Silent), if_version))
}

fn done() -> (Option<String>, Option<Version>, Option<Value>) {
    (Some("37".to_owned()), version(T2), Some(tags(&["fire"])))
}

#[tokio::test(start_paused = true)]
async fn a_creation_takes_the_quiet_tag_off_again() {
    let script = Script::new(vec![(POST, status(201, WRITTEN)), (PUT, gone_quiet())]);
    assert_eq!(apply(&script, &Intent::Create(create()), Some("88")).await, Ok(done()));
    let off = &script.bodies()[1]["ticket"];
    assert_eq!((&off["tags"], &off["updated_stamp"]), (&json!(["fire"]), &json!(T1)));
    assert_eq!(off.get("comment"), None);
}

/// The vendor's own examples leave `updated_at` out: the write is done all the same.
#[tokio::test(start_paused = true)]
async fn an_answer_without_a_version_is_an_answer() {
    let bare = |tags: Option<&[&str]>| {
        let mut answer = wrote(T2, tags.unwrap_or_default());
        let ticket = answer["ticket"].as_object_mut().unwrap();
        ticket.remove("updated_at");
        if tags.is_none() {
            ticket.remove("tags");
        }
        ok_json(&answer)
    };
    let note = Intent::Update(update(&[], note(), None));
    let script = Script::new(vec![(PUT, bare(Some(&["fire"])))]);
    assert_eq!(apply(&script, &note, None).await, Ok((Some("37".to_owned()), None, None)));
    // Tags that are not told, or the quiet one among them: the ticket is read, and the tag comes off.
    for tags in [None, Some(&["fire", "handoffd_quiet"][..])] {
        let quiet = shown(T1, &["fire", "handoffd_quiet"]);
        let script = Script::new(vec![(POST, bare(tags)), (SHOW, ok_json(&quiet)), (PUT, gone_quiet())]);
        assert_eq!(apply(&script, &Intent::Create(create()), Some("88")).await, Ok(done()));
    }
    let script = Script::new(vec![(PUT, bare(None))]);
    assert_eq!(
        apply(&script, &note, None).await,
        Ok((Some("37".to_owned()), None, None)),
        "it put no tag on"
    );
    let script = Script::new(vec![(PUT, ok(r#"{"ticket": {"tags": []}}"#))]);
    let strange = apply(&script, &note, None).await;
    assert!(matches!(strange, Err(Error::Unknown { .. })), "{strange:?}");
}

#[tokio::test(start_paused = true)]
async fn a_trigger_that_took_it_off_saves_the_second_request() {
    let clean = WRITTEN.replace(", \"handoffd_quiet\"", "");
    let script = Script::new(vec![(POST, status(201, &clean))]);
    let (comment, at, shown) = apply(&script, &Intent::Create(create()), None).await.unwrap();
    assert_eq!((comment.as_deref(), at, shown), (Some("37"), version(T1), Some(tags(&["fire"]))));
}

#[tokio::test(start_paused = true)]
async fn a_lost_creation_is_repeated_with_the_same_key() {
    let script = Script::new(vec![(POST, lost()), (POST, status(201, WRITTEN)), (PUT, gone_quiet())]);
    assert_eq!(apply(&script, &Intent::Create(create()), None).await, Ok(done()));
    let bodies = script.bodies();
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test(start_paused = true)]
async fn a_replayed_answer_is_older_than_the_ticket() {
    let steps = vec![
        (POST, status(201, WRITTEN)),
        (PUT, status(409, r#"{"error":"UpdateConflict"}"#)),
        (SHOW, ok_json(&shown(T2, &["fire"]))),
    ];
    assert_eq!(apply(&Script::new(steps), &Intent::Create(create()), None).await, Ok(done()));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_tag_that_stays_is_not_a_success() {
    let failures = [status(403, ""), status(401, ""), ok("{"), status(200, "{}")];
    for failure in failures {
        let words = format!("{failure:?}");
        let script =
            Script::new(vec![(PUT, ok_json(&wrote(T1, &["fire", "handoffd_quiet"]))), (PUT, failure)]);
        let left = apply(&script, &silent(Some(T0)), None).await;
        assert!(matches!(left, Err(Error::Unknown { .. })), "{left:?} after {words}");
    }
    let script = Script::new(vec![(POST, status(201, WRITTEN)), (PUT, status(403, ""))]);
    let left = apply(&script, &Intent::Create(create()), None).await;
    assert!(matches!(left, Err(Error::Unknown { .. })), "{left:?}");
    let mut races: Vec<(&str, Reply)> = vec![(PUT, ok_json(&wrote(T1, &["handoffd_quiet"])))];
    for _ in 0..4 {
        races.push((PUT, status(409, "")));
        races.push((SHOW, ok_json(&shown(T2, &["handoffd_quiet"]))));
    }
    let left = apply(&Script::new(races), &silent(None), None).await;
    assert!(matches!(left, Err(Error::Unknown { .. })), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_removal_is_looked_at_at_once() {
    let steps = vec![
        (PUT, ok_json(&wrote(T1, &["fire", "handoffd_quiet"]))),
        (PUT, lost()),
        (SHOW, ok_json(&shown(T2, &["fire"]))),
    ];
    assert_eq!(apply(&Script::new(steps), &silent(Some(T0)), None).await, Ok(done()));
}

#[tokio::test(start_paused = true)]
async fn a_ticket_that_closed_or_went_keeps_its_tag() {
    for end in [status(422, CLOSED), status(404, r#"{"error":"RecordNotFound"}"#)] {
        let script = Script::new(vec![(PUT, ok_json(&wrote(T1, &["fire", "handoffd_quiet"]))), (PUT, end)]);
        let (comment, at, shown) = apply(&script, &silent(Some(T0)), None).await.unwrap();
        assert_eq!((comment.as_deref(), at, shown), (Some("37"), version(T1), Some(tags(&["fire"]))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_reply_reads_the_other_tags_first() {
    let intent = Intent::Update(update(&[], reply(agent(), Mail::Silent), None));
    let steps = vec![
        (SHOW, ok_json(&shown(T0, &["vip"]))),
        (PUT, status(409, "")),
        (SHOW, ok_json(&shown(T1, &["vip", "fire"]))),
        (PUT, ok_json(&wrote(T2, &["fire", "vip"]))),
    ];
    let script = Script::new(steps);
    let found = apply(&script, &intent, None).await.unwrap();
    assert_eq!(found, (Some("37".to_owned()), version(T2), Some(tags(&["fire", "vip"]))));
    let bodies = script.bodies();
    let sent =
        |at: usize| (bodies[at]["ticket"]["tags"].clone(), bodies[at]["ticket"]["updated_stamp"].clone());
    assert_eq!(sent(1), (json!(["handoffd_quiet", "vip"]), json!(T0)));
    assert_eq!(sent(3), (json!(["fire", "handoffd_quiet", "vip"]), json!(T1)));
}

#[tokio::test(start_paused = true)]
async fn a_ticket_that_changed_is_stale() {
    let untagged = Intent::Update(update(&[], reply(agent(), Mail::Silent), Some(T0)));
    let script = Script::new(vec![(SHOW, ok_json(&shown(T1, &["vip"])))]);
    assert_eq!(apply(&script, &untagged, None).await, Err(Error::Stale));
    let script = Script::new(vec![(PUT, status(409, ""))]);
    assert_eq!(apply(&script, &silent(Some(T0)), None).await, Err(Error::Stale));
    assert_eq!(script.bodies()[0]["ticket"]["safe_update"], true);
}

#[tokio::test(start_paused = true)]
async fn only_what_zendesk_would_mail_twice_is_hushed() {
    let private = || {
        Message::Private(PrivateMessage {
            author: Some(agent()),
            text: PrivateText::new(Body::inline("n")),
            attachments: Vec::new(),
        })
    };
    // Who the message is by, the author's id here, the settings, and whether the tag goes along.
    let rows: Vec<(Option<Message>, Option<&str>, Json, bool)> = vec![
        (reply(agent(), Mail::Silent), None, json!({}), true),
        (reply(agent(), Mail::Send), None, json!({}), false),
        (reply(zoe(), Mail::Silent), Some("88"), json!({}), false),
        (reply(zoe(), Mail::Silent), None, json!({}), true),
        (reply(agent(), Mail::Silent), None, json!({"mails_public_replies": false}), false),
        (Some(private()), None, json!({}), false),
        (None, None, json!({}), false),
    ];
    for (index, (message, author, settings, quiet)) in rows.into_iter().enumerate() {
        let intent = Intent::Update(update(&[(Field::Tags, tags(&["fire"]))], message.clone(), None));
        let script = Script::new(vec![(PUT, gone_quiet())]);
        let author = author.map(RemoteId::from);
        adapter_with(&script, settings).apply(call(), &intent, author.as_ref(), &[]).await.unwrap();
        let ticket = &script.bodies()[0]["ticket"];
        let carried = ticket["tags"].as_array().unwrap().contains(&json!("handoffd_quiet"));
        assert_eq!(carried, quiet, "row {index}");
        let public = message.map(|message| matches!(message, Message::Public(_)));
        assert_eq!(ticket["comment"]["public"].as_bool(), public, "row {index}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_copied_in_customer_is_not_the_requester() {
    let intent = Intent::Update(update(&[(Field::Tags, tags(&["fire"]))], reply(zoe(), Mail::Silent), None));
    let script = Script::new(vec![(SHOW, ok_json(&shown(T0, &[]))), (PUT, gone_quiet())]);
    let adapter = adapter(&script);
    adapter.fetch_many(call(), &["155".into()]).await.unwrap();
    adapter.apply(call(), &intent, Some(&"99".into()), &[]).await.unwrap();
    assert_eq!(script.bodies()[1]["ticket"]["tags"], json!(["fire", "handoffd_quiet"]));
    assert_eq!(script.bodies()[1]["ticket"]["comment"]["author_id"], 99);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_tag_left_behind_goes_with_the_next_update() {
    let intent = Intent::Update(update(&[], reply(agent(), Mail::Send), None));
    let seen = || (SHOW, ok_json(&shown(T0, &["fire", "handoffd_quiet"])));
    let script = Script::new(vec![seen(), seen(), (PUT, gone_quiet()), (PUT, gone_quiet())]);
    let adapter = adapter(&script);
    adapter.fetch_many(call(), &["155".into()]).await.unwrap();
    adapter.apply(call(), &intent, None, &[]).await.unwrap();
    assert_eq!(script.bodies()[2]["ticket"]["tags"], json!(["fire"]));
    assert_eq!(script.bodies()[2]["ticket"]["updated_stamp"], T0);
    adapter.apply(call(), &intent, None, &[]).await.unwrap();
    assert_eq!(script.bodies()[3]["ticket"].get("tags"), None, "it is known to be off");
    script.assert_done();
}

#[tokio::test(start_paused = true)]
async fn refusals_say_why() {
    let script = Script::new(vec![(PUT, status(422, CLOSED))]);
    assert!(matches!(apply(&script, &silent(Some(T0)), None).await, Err(Error::Closed)));
    let edit = EditNote {
        at: TicketKey::new("zd", "155"),
        comment: "37".into(),
        message: PrivateMessage {
            author: None,
            text: PrivateText::new(Body::inline("x")),
            attachments: Vec::new(),
        },
        key: KEY.into(),
    };
    let edit = Intent::EditNote(edit);
    assert!(matches!(apply(&Script::new(vec![]), &edit, None).await, Err(Error::Refused { .. })));
    assert_eq!(find(&Script::new(vec![]), &edit).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn an_update_without_an_answer_is_not_repeated() {
    for reply in [lost(), status(502, ""), status(504, ""), ok("<html>"), ok("{}")] {
        let script = Script::new(vec![(PUT, reply)]);
        let left = apply(&script, &silent(Some(T0)), None).await;
        assert!(matches!(left, Err(Error::Unknown { .. })), "{left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_creation_is_found_by_its_marker_and_finished() {
    let other = json!({"id": 7, "updated_at": T0, "external_id": "l0123456789abcdef0123-00"});
    let deleted = json!({"id": 9, "updated_at": T0, "external_id": KEY, "status": "deleted"});
    let twin = json!({"id": 200, "updated_at": T0, "external_id": KEY, "tags": []});
    let ours = json!({"id": 155, "updated_at": T1, "external_id": KEY, "tags": ["fire", "handoffd_quiet"]});
    let list = json!({"tickets": [other, twin, deleted, ours], "users": []});
    let comments = json!({"comments": [{"id": 37, "public": true}], "meta": {"has_more": false}});
    let steps = vec![(LIST, ok_json(&list)), (COMMENTS, ok_json(&comments)), (PUT, gone_quiet())];
    assert_eq!(find(&Script::new(steps), &Intent::Create(create())).await, Ok(Some(done())));
    let script = Script::new(vec![(LIST, ok_json(&json!({"tickets": [other], "count": 1})))]);
    assert_eq!(find(&script, &Intent::Create(create())).await, Ok(None));
}

fn audits(keys: &[Option<&str>], next: Option<&str>) -> Reply {
    let audit = |key: &Option<&str>| {
        json!({"created_at": T1, "metadata": {"custom": {"handoffd_op": key}, "system": null},
        "events": [{"id": 36, "type": "Change"}, {"id": 37, "type": "Comment"}, null]})
    };
    let rows: Vec<Json> = keys.iter().map(audit).collect();
    ok_json(&json!({"audits": rows, "meta": {"has_more": next.is_some(), "after_cursor": next}}))
}

#[tokio::test(start_paused = true)]
async fn a_lost_update_is_found_by_its_audit_and_finished() {
    let second = format!("{AUDITS}&page[after]=n2");
    let steps = vec![
        (AUDITS, audits(&[None, Some("l0123456789abcdef0123-1")], Some("n2"))),
        (second.as_str(), audits(&[Some("other"), Some(KEY)], Some("n3"))),
        (SHOW, ok_json(&shown(T1, &["fire", "handoffd_quiet"]))),
        (PUT, gone_quiet()),
    ];
    assert_eq!(find(&Script::new(steps), &silent(None)).await, Ok(Some(done())));
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_removal_is_no_find() {
    let steps = vec![
        (AUDITS, audits(&[Some(KEY)], None)),
        (SHOW, ok_json(&shown(T1, &["handoffd_quiet"]))),
        (PUT, status(403, "")),
    ];
    let found = find(&Script::new(steps), &silent(None)).await;
    assert!(matches!(found, Err(Error::Forbidden { .. })), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn audits_are_read_back_to_the_time_of_sending() {
    let script = Script::new(vec![(AUDITS, audits(&[None], None))]);
    assert_eq!(find(&script, &silent(None)).await, Ok(None));
    let page = |first: &str, last: &str| {
        ok_json(&json!({"audits": [{"created_at": first, "metadata": {"custom": []}}, {"created_at": last}],
            "meta": {"has_more": true, "after_cursor": format!("after {last}")}}))
    };
    // Newest first, and the last one is older than any clock can be wrong.
    let script = Script::new(vec![(AUDITS, page(T1, "2026-11-22T06:00:00Z"))]);
    assert_eq!(find(&script, &silent(None)).await, Ok(None));
    // Oldest first, as an account that ignores `sort` would answer: read on.
    let steps =
        vec![(AUDITS, page("2026-11-20T06:00:00Z", "2026-11-21T06:00:00Z")), (AUDITS, audits(&[None], None))];
    assert_eq!(find(&Script::new(steps), &silent(None)).await, Ok(None));
    let script = Script::new(vec![(AUDITS, status(404, ""))]);
    assert_eq!(find(&script, &silent(None)).await, Err(Error::Gone));
}
