//! Whole reading calls against a scripted Zendesk.

use std::time::Duration;

use futures_util::future::BoxFuture;
use handoffd_core::Fetched;
use serde_json::Value as Json;

use super::*;
use crate::{
    contract::{Cursor, Disarms, Error, FeedStart, Helpdesk, Probe},
    zendesk::TICKETS,
};

const EXPORT: &str = "GET /api/v2/incremental/tickets/cursor.json?";
const SHOW: &str = "GET /api/v2/tickets/show_many.json?ids=";
const ME: &str = "GET /api/v2/users/me.json";
const SEARCH: &str = "GET /api/v2/users/search.json?";

fn page(after: Option<&str>, end: bool) -> Reply {
    ok_json(&json!({"tickets": [], "after_cursor": after, "end_of_stream": end}))
}

async fn export(script: &Arc<Script>, from: FeedStart) -> Result<(String, bool, Option<Timestamp>), Error> {
    let page = adapter(script).changes(call(), TICKETS, from).await?;
    script.assert_done();
    Ok((page.next.0, page.more, page.complete_until))
}

fn after(cursor: &str) -> FeedStart {
    FeedStart::After(Cursor(cursor.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn the_feed_goes_on_by_cursor_alone() {
    let start = format!("{EXPORT}start_time={}&include", NOW.as_secs() - 120);
    let script = Script::new(vec![(start.as_str(), page(Some("c1"), false))]);
    assert_eq!(export(&script, FeedStart::Since(NOW)).await, Ok(("after:c1".to_owned(), true, None)));
    let next = format!("{EXPORT}cursor=c1&include");
    let script = Script::new(vec![(next.as_str(), page(Some("c2"), true))]);
    let until = NOW.minus(Duration::from_secs(60));
    assert_eq!(export(&script, after("after:c1")).await, Ok(("after:c2".to_owned(), false, Some(until))));
}

#[tokio::test(start_paused = true)]
async fn zendesks_own_clock_bounds_what_is_complete() {
    let dated = |date: &str| {
        let body = json!({"tickets": [], "after_cursor": "c", "end_of_stream": true}).to_string();
        Ok(http::Response::builder().header("date", date).body(Bytes::from(body)).unwrap())
    };
    let behind = Script::new(vec![(EXPORT, dated("Sun, 22 Nov 2026 07:59:30 GMT"))]);
    let until = export(&behind, after("after:b")).await.unwrap().2;
    assert_eq!(until, Some(NOW.minus(Duration::from_secs(90))));
    let ahead = Script::new(vec![(EXPORT, dated("Sun, 22 Nov 2026 08:01:00 GMT"))]);
    assert_eq!(export(&ahead, after("after:b")).await.unwrap().2, Some(NOW.minus(Duration::from_secs(60))));
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_stands_still_is_not_followed() {
    for (from, same) in [(after("after:c1"), page(Some("c1"), false)), (after("after:c1"), page(None, false))]
    {
        let script = Script::new(vec![(EXPORT, same)]);
        assert_eq!(export(&script, from).await, Ok(("after:c1".to_owned(), false, None)));
    }
    let script = Script::new(vec![(EXPORT, page(Some(""), true))]);
    let read = export(&script, FeedStart::Since(Timestamp::from_secs(9))).await.unwrap();
    assert_eq!((read.0.as_str(), read.1), ("start:9", false), "an empty account gives no cursor");
    let script =
        Script::new(vec![("GET /api/v2/incremental/tickets/cursor.json?start_time=9&", page(None, true))]);
    export(&script, after("start:9")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refused_cursor_is_told_apart() {
    for code in [400, 422] {
        let script = Script::new(vec![(EXPORT, status(code, r#"{"error":"InvalidCursor"}"#))]);
        let why = format!("HTTP {code}: InvalidCursor");
        assert_eq!(export(&script, after("after:c1")).await, Err(Error::CursorRefused { why }));
    }
    let script = Script::new(vec![(EXPORT, status(422, ""))]);
    let refused = export(&script, FeedStart::Since(Timestamp(0))).await;
    assert!(matches!(refused, Err(Error::Refused { .. })), "there was no cursor: {refused:?}");
    let foreign = export(&Script::new(vec![]), after("page=7")).await;
    assert!(matches!(foreign, Err(Error::CursorRefused { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_takes_too_long_is_asked_for_smaller() {
    let whole = format!("{EXPORT}cursor=c1&include");
    let half = format!("{EXPORT}cursor=c1&per_page=500&include");
    let next = format!("{EXPORT}cursor=c2&per_page=500&include");
    let again = format!("{EXPORT}cursor=c3&include");
    let slow = || status(504, "<html>");
    // The client tries a read four times before it gives up.
    let mut steps: Vec<(&str, Reply)> = (0..4).map(|_| (whole.as_str(), slow())).collect();
    steps.push((&half, page(Some("c2"), false)));
    steps.push((&next, page(Some("c3"), true)));
    steps.push((&again, page(Some("c3"), true)));
    let script = Script::new(steps);
    let adapter = adapter(&script);
    let long = Call { deadline: NOW.plus(Duration::from_secs(600)), ..call() };
    for cursor in ["after:c1", "after:c2", "after:c3"] {
        adapter.changes(long, TICKETS, after(cursor)).await.unwrap();
    }
    script.assert_done();
}

fn ids(numbers: impl IntoIterator<Item = i64>) -> Vec<RemoteId> {
    numbers.into_iter().map(RemoteId::from).collect()
}

fn many(numbers: &[i64]) -> Reply {
    let row = |id: &i64| json!({"id": id, "updated_at": "2026-11-22T07:00:00Z", "requester_id": 88, "comment_count": 2});
    let users = json!([{"id": 88, "name": "Zoe Zhang", "email": "zoe@customer.test", "role": "end-user"}]);
    ok_json(&json!({"tickets": numbers.iter().map(row).collect::<Vec<_>>(), "users": users}))
}

#[tokio::test(start_paused = true)]
async fn tickets_come_in_the_order_asked_a_hundred_at_a_time() {
    let first =
        format!("{SHOW}3,1,{}&include", (4..102).map(|id| id.to_string()).collect::<Vec<_>>().join(","));
    let second = format!("{SHOW}102,2&include");
    let script = Script::new(vec![(first.as_str(), many(&[1, 3])), (second.as_str(), many(&[2]))]);
    let mut asked = ids([3, 1]);
    asked.extend(ids(4..103));
    asked.extend([RemoteId::from("2"), RemoteId::from("no-id")]);
    let fetched = adapter(&script).fetch_many(call(), &asked).await.unwrap();
    script.assert_done();
    let shown = |index: usize| match &fetched[index] {
        Fetched::Shown(seen) => Some((seen.ticket.to_string(), seen.comment_count)),
        _ => None,
    };
    assert_eq!(fetched.len(), asked.len());
    assert_eq!(shown(0), Some(("zd/3".to_owned(), Some(2))));
    assert_eq!(shown(1), Some(("zd/1".to_owned(), Some(2))));
    assert_eq!(shown(101), Some(("zd/2".to_owned(), Some(2))));
    assert_eq!(fetched[2], Fetched::Gone(TicketKey::new("zd", "4")));
    assert_eq!(fetched[102], Fetched::Gone(TicketKey::new("zd", "no-id")));
}

#[tokio::test(start_paused = true)]
async fn missing_and_deleted_tickets_are_gone() {
    let deleted =
        ok_json(&json!({"tickets": [{"id": 1, "status": "deleted", "updated_at": "2026-11-22T07:00:00Z"}]}));
    let none = || status(404, r#"{"error":"RecordNotFound"}"#);
    let alive = (ME, ok(r#"{"user": {"id": 42}}"#));
    for steps in [vec![(SHOW, deleted)], vec![(SHOW, none()), alive], vec![(SHOW, ok(r#"{"tickets": []}"#))]]
    {
        let script = Script::new(steps);
        let fetched = adapter(&script).fetch_many(call(), &ids([1])).await.unwrap();
        assert_eq!(fetched, [Fetched::Gone(TicketKey::new("zd", "1"))]);
        script.assert_done();
    }
    let script = Script::new(vec![(SHOW, none()), (ME, status(404, "No help desk here"))]);
    let nowhere = adapter(&script).fetch_many(call(), &ids([1])).await.unwrap_err();
    assert!(
        matches!(nowhere, Error::Transient { .. }),
        "the account is not there, who knows of its tickets: {nowhere}"
    );
    // An answer about something else does not say that a ticket is gone.
    let script = Script::new(vec![(SHOW, ok("{}"))]);
    let strange = adapter(&script).fetch_many(call(), &ids([1])).await.unwrap_err();
    assert!(matches!(strange, Error::Malformed { .. }), "{strange}");
    let script = Script::new(vec![(SHOW, ok_json(&json!({"tickets": [{"id": 1, "updated_at": "s3cret"}]})))]);
    let unreadable = adapter(&script).fetch_many(call(), &ids([1])).await.unwrap_err();
    assert_eq!(unreadable, Error::Malformed { what: "tickets[0].updated_at: not a time".to_owned() });
}

/// Nothing where a list is due, or nothing in the list, is no "there is none".
#[tokio::test(start_paused = true)]
async fn a_list_that_is_null_is_not_an_empty_one() {
    let malformed = |error: Error| assert!(matches!(error, Error::Malformed { .. }), "{error}");
    let of =
        |name: &str, list: Json| ok_json(&json!({name: list, "after_cursor": "c2", "end_of_stream": true}));
    let none = BTreeSet::new();
    let (lost, made) = (Intent::Update(update(&[], note(), None)), Intent::Create(create()));
    for list in [json!(null), json!([null]), json!({})] {
        let script = Script::new(vec![(SHOW, of("tickets", list.clone()))]);
        malformed(adapter(&script).fetch_many(call(), &ids([1])).await.unwrap_err());
        let script = Script::new(vec![(COMMENTS, of("comments", list.clone()))]);
        malformed(adapter(&script).comments(call(), &"155".into()).await.unwrap_err());
        let script = Script::new(vec![("GET /api/v2/tickets/155/audits.json", of("audits", list.clone()))]);
        malformed(adapter(&script).find_applied(call(), attempted(&lost, &none)).await.unwrap_err());
        let script =
            Script::new(vec![("GET /api/v2/tickets.json?external_id=", of("tickets", list.clone()))]);
        malformed(adapter(&script).find_applied(call(), attempted(&made, &none)).await.unwrap_err());
        let me = json!({"user": {"id": 42, "name": "Robot", "role": "admin"}});
        malformed(
            probe(&me, page(None, true), Some(of("triggers", list.clone())), json!({})).await.unwrap_err(),
        );
        let script = Script::new(vec![(
            "GET /api/v2/incremental/ticket_events.json",
            of("ticket_events", list.clone()),
        )]);
        malformed(adapter(&script).history(call(), FeedStart::Since(Timestamp(0))).await.unwrap_err());
    }
    for list in [json!(null), json!({})] {
        let script = Script::new(vec![(EXPORT, of("tickets", list))]);
        malformed(adapter(&script).changes(call(), TICKETS, after("after:c1")).await.unwrap_err());
    }
    let script = Script::new(vec![(EXPORT, of("tickets", json!([null])))]);
    let rows = adapter(&script).changes(call(), TICKETS, after("after:c1")).await.unwrap().rows;
    assert!(matches!(&rows[..], [crate::contract::FeedRow::Unreadable { .. }]), "{rows:?}");
}

const PAGES: [&str; 2] =
    [include_str!("../fixtures/comments_1.json"), include_str!("../fixtures/comments_2.json")];
const COMMENTS: &str = "GET /api/v2/tickets/155/comments.json?page[size]=100&";

#[tokio::test(start_paused = true)]
async fn comments_are_paged_and_the_requester_is_looked_up_once() {
    let second = format!("{COMMENTS}page[after]=xy+z%3D&");
    let pages = || vec![(COMMENTS, ok(PAGES[0])), (second.as_str(), ok(PAGES[1]))];
    let ticket =
        json!({"tickets": [{"id": 155, "updated_at": "2026-11-22T07:00:00Z", "requester_id": 235323}]});
    let mut steps = pages();
    steps.push((SHOW, ok_json(&ticket)));
    steps.extend(pages());
    let script = Script::new(steps);
    let adapter = adapter(&script);
    for _ in 0..2 {
        let comments = adapter.comments(call(), &"155".into()).await.unwrap();
        assert_eq!(comments.len(), 5);
        assert_eq!(comments[1].author().role, Role::Customer, "the agent who asked");
    }
    script.assert_done();
}

#[tokio::test(start_paused = true)]
async fn a_ticket_without_comments_to_read_is_gone() {
    let script =
        Script::new(vec![(COMMENTS, status(404, r#"{"error":"RecordNotFound","description":"Not found"}"#))]);
    assert_eq!(adapter(&script).comments(call(), &"155".into()).await, Err(Error::Gone));
}

#[tokio::test(start_paused = true)]
async fn comment_pages_that_repeat_themselves_end() {
    let stuck = json!({"comments": [], "meta": {"has_more": true, "after_cursor": "same"}});
    let script = Script::new(vec![(COMMENTS, ok_json(&stuck)), (COMMENTS, ok_json(&stuck))]);
    assert_eq!(adapter(&script).comments(call(), &"155".into()).await.unwrap(), []);
    script.assert_done();
    let page = |n: usize| {
        ok_json(&json!({"comments": [], "meta": {"has_more": true, "after_cursor": n.to_string()}}))
    };
    let script = Script::new((0..60).map(|n| (COMMENTS, page(n))).collect());
    let endless = adapter(&script).comments(call(), &"155".into()).await;
    assert!(matches!(endless, Err(Error::Malformed { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_count_without_the_notes_is_not_shown_again() {
    let ticket = || {
        ok_json(&json!({"tickets":
        [{"id": 155, "updated_at": "2026-11-22T07:00:00Z", "requester_id": 88, "comment_count": 3}]}))
    };
    let script = Script::new(vec![
        (SHOW, ticket()),
        (COMMENTS, ok(PAGES[0])),
        (COMMENTS, ok(PAGES[1])),
        (SHOW, ticket()),
    ]);
    let adapter = adapter(&script);
    let count = |fetched: Vec<Fetched>| match &fetched[..] {
        [Fetched::Shown(seen)] => seen.comment_count,
        other => panic!("{other:?}"),
    };
    assert_eq!(count(adapter.fetch_many(call(), &ids([155])).await.unwrap()), Some(3));
    assert_eq!(adapter.comments(call(), &"155".into()).await.unwrap().len(), 5);
    assert_eq!(count(adapter.fetch_many(call(), &ids([155])).await.unwrap()), None);
}

#[tokio::test(start_paused = true)]
async fn people_are_found_by_the_exact_address() {
    let near = json!({"users": [{"id": 1, "email": "xzoe@customer.test"}, {"id": 2, "email": null},
        {"id": "88", "email": " ZOE@customer.test"}]});
    let script = Script::new(vec![(SEARCH, ok_json(&near))]);
    assert_eq!(adapter(&script).ensure_person(call(), &zoe()).await, Ok("88".into()));
    let near = json!({"users": [{"id": 1, "email": "xzoe@customer.test"}]});
    let made = json!({"user": {"id": 89}});
    let make = "POST /api/v2/users/create_or_update.json";
    let script =
        Script::new(vec![(SEARCH, ok_json(&near)), (make, lost()), (make, status(201, &made.to_string()))]);
    assert_eq!(adapter(&script).ensure_person(call(), &zoe()).await, Ok("89".into()));
    script.assert_done();
    let nobody = Person { email: None, ..zoe() };
    let refused = adapter(&Script::new(vec![])).ensure_person(call(), &nobody).await;
    assert!(matches!(refused, Err(Error::Refused { .. })));
}

/// An account whose search finds nobody yet, and that answers in no order.
#[derive(Default)]
struct Unsearchable {
    made: Mutex<u32>,
}

impl Transport for Unsearchable {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            // As long as everybody else needs to ask too.
            tokio::time::sleep(Duration::from_millis(50)).await;
            if outgoing.request.method() == http::Method::GET {
                return ok_json(&json!({"users": []}));
            }
            *self.made.lock().unwrap() += 1;
            status(201, &json!({"user": {"id": 89}}).to_string())
        })
    }
}

/// Many tickets of one new customer at once: whoever comes second finds nobody in the search, and
/// still makes nobody.
#[tokio::test(start_paused = true)]
async fn a_person_who_is_needed_several_times_at_once_is_made_once() {
    let account = Arc::new(Unsearchable::default());
    let (adapter, zoe) = (adapter_over(account.clone(), json!({})), zoe());
    let asked = (0..6).map(|_| adapter.ensure_person(call(), &zoe));
    for id in futures_util::future::join_all(asked).await {
        assert_eq!(id, Ok("89".into()));
    }
    assert_eq!(adapter.ensure_person(call(), &zoe).await, Ok("89".into()), "not in the search yet");
    assert_eq!(*account.made.lock().unwrap(), 1);
}

const TRIGGERS: &str = include_str!("../fixtures/triggers.json");

async fn probe(me: &Json, export: Reply, triggers: Option<Reply>, settings: Json) -> Result<Probe, Error> {
    let mut steps = vec![("GET /api/v2/users/me.json", ok_json(me)), (EXPORT, export)];
    steps.extend(triggers.map(|reply| ("GET /api/v2/triggers.json?active=true", reply)));
    adapter_with(&Script::new(steps), settings).probe(call()).await
}

#[tokio::test(start_paused = true)]
async fn a_probe_names_what_is_missing() {
    let me = json!({"user": {"id": 42, "name": "Robot", "email": "r@acme.test", "role": "admin"}});
    let disarms = |probe: &Probe| probe.problems.iter().map(|problem| problem.disarms).collect::<Vec<_>>();
    let none = || Some(ok(r#"{"triggers":[]}"#));
    let fine = probe(&me, page(None, true), none(), json!({})).await.unwrap();
    assert_eq!((fine.identity.as_str(), disarms(&fine)), ("Robot (admin)", vec![]));
    let no_export = probe(&me, status(403, ""), none(), json!({})).await.unwrap();
    assert_eq!(disarms(&no_export), [Disarms::Reads]);
    let loud = probe(&me, page(None, true), Some(ok(TRIGGERS)), json!({})).await.unwrap();
    assert_eq!(disarms(&loud), [Disarms::Writes]);
    assert!(loud.problems[0].what.ends_with("1, 3, 8"), "{}", loud.problems[0].what);
    assert!(loud.problems[0].remedy.contains("handoffd_quiet"));
    let advice = json!({"require_quiet_trigger": false});
    assert_eq!(
        disarms(&probe(&me, page(None, true), Some(ok(TRIGGERS)), advice).await.unwrap()),
        [Disarms::Nothing]
    );
    let unread = probe(&me, page(None, true), Some(status(403, "")), json!({})).await.unwrap();
    assert_eq!(disarms(&unread), [Disarms::Nothing]);
    let mute = probe(&me, page(None, true), None, json!({"mails_public_replies": false})).await.unwrap();
    assert_eq!(disarms(&mute), []);
}

#[tokio::test(start_paused = true)]
async fn the_anonymous_user_is_nobody() {
    let anonymous = json!({"user": {"id": null, "name": "Anonymous user", "email": "invalid@example.com"}});
    let script = Script::new(vec![("GET /api/v2/users/me.json", ok_json(&anonymous))]);
    assert!(matches!(adapter(&script).probe(call()).await, Err(Error::Unauthorized { .. })));
}
