//! Whole calls: what is asked, in which order, and what comes of it.

use handoffd_core::{
    Comment, CommentsSeen, Fetched, Priority, Status, Version,
    intent::{Applied, Unset},
};
use serde_json::json;

use super::*;
use crate::contract::{AuthMethod, Changes, Disarms, Error, Feed, FeedRow, FeedStart, Helpdesk, Opened};

const LIST: &str = "&order_by=updated_at&order_type=asc&per_page=100";
const TICKET: &str = "GET /api/v2/tickets/2345?include=requester,conversations";

fn list(since: &str, page: u32) -> String {
    format!("GET /api/v2/tickets?updated_since={since}{LIST}&page={page}&include=requester")
}

fn folder(name: &str, since: &str) -> String {
    format!("GET /api/v2/tickets?filter={name}&updated_since={since}{LIST}&page=1")
}

fn row(id: i64, updated_at: &str) -> Json {
    json!({"id": id, "subject": "x", "status": 2, "priority": 1, "updated_at": updated_at})
}

fn page(rows: &[Json]) -> String {
    Json::from(rows.to_vec()).to_string()
}

fn next_link() -> Vec<(&'static str, String)> {
    vec![("link", "<https://acme.freshdesk.test/api/v2/tickets?page=2>; rel=\"next\"".to_owned())]
}

fn told(changes: &Changes) -> Vec<String> {
    let line = |row: &FeedRow| match row {
        FeedRow::Changed(observed) => observed.ticket.id.to_string(),
        FeedRow::Gone(key) => format!("{} gone", key.id),
        FeedRow::Moved { from, to } => format!("{} is {}", from.id, to.id),
        FeedRow::Rated { ticket, .. } => format!("{} rated", ticket.id),
        FeedRow::Unreadable { id, what } => format!("{} {what}", id.as_ref().map_or("?", RemoteId::as_str)),
    };
    changes.rows.iter().map(line).collect()
}

const TICKETS: Feed = Feed("tickets");
const DELETED: Feed = Feed("deleted");

#[tokio::test(start_paused = true)]
async fn the_feed_goes_on_where_it_was() {
    let (desk, script) = desk();
    let date = || ("date", "Sun, 22 Nov 2026 08:02:00 GMT".to_owned());
    script
        .expect_with(
            &list("2026-11-22T07:58:30Z", 1),
            200,
            next_link(),
            page(&[row(1, "2026-11-22T07:59:00Z"), row(2, "2026-11-22T08:00:10Z"), json!({"id": 3})]),
        )
        .expect_with(
            &list("2026-11-22T08:00:09Z", 1),
            200,
            vec![date()],
            page(&[row(2, "2026-11-22T08:00:10Z"), row(4, "2026-11-22T08:01:40Z")]),
        )
        .expect_with(&list("2026-11-22T08:00:10Z", 1), 200, vec![date()], "[]")
        .expect(&list("2026-11-22T08:00:10Z", 1), 200, page(&[row(4, "2026-11-22T08:01:40Z")]));
    let first = desk.changes(call(), TICKETS, FeedStart::Since(NOW)).await.unwrap();
    assert_eq!(told(&first), ["1", "2", "3 [2].updated_at: not a time"]);
    assert_eq!((first.more, first.complete_until), (true, None));
    let second = desk.changes(call(), TICKETS, FeedStart::After(first.next)).await.unwrap();
    assert_eq!(told(&second), ["2", "4"]);
    let vendors_time = Timestamp::parse("2026-11-22T08:01:55Z").unwrap();
    assert_eq!((second.more, second.complete_until), (false, Some(vendors_time)));
    let third = desk.changes(call(), TICKETS, FeedStart::After(second.next)).await.unwrap();
    assert_eq!((told(&third).len(), third.more), (0, false));
    let fourth = desk.changes(call(), TICKETS, FeedStart::After(third.next)).await.unwrap();
    let seen = Timestamp::parse("2026-11-22T08:01:40Z").unwrap();
    assert_eq!(fourth.complete_until, Some(seen), "without the vendor's clock, what was seen");
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn a_full_page_goes_on_without_a_link() {
    let (desk, script) = desk();
    let rows: Vec<Json> = (1..=100).map(|id| row(id, "2026-11-22T07:58:30Z")).collect();
    script.expect(&list("2026-11-22T07:58:30Z", 1), 200, page(&rows)).expect(
        &list("2026-11-22T07:58:30Z", 2),
        200,
        "[]",
    );
    let first = desk.changes(call(), TICKETS, FeedStart::Since(NOW)).await.unwrap();
    assert_eq!((first.rows.len(), first.more), (100, true));
    let second = desk.changes(call(), TICKETS, FeedStart::After(first.next)).await.unwrap();
    assert!(!second.more);
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn the_page_wall_is_passed_and_said() {
    let (desk, script) = desk();
    let wall = r#"{"description":"Validation failed","errors":[{"field":"page","message":"You cannot access tickets beyond the 300th page.","code":"invalid_value"}]}"#;
    script
        .expect_with(
            &list("2026-11-22T07:58:30Z", 1),
            200,
            next_link(),
            page(&[row(1, "2026-11-22T07:58:30Z")]),
        )
        .expect(&list("2026-11-22T07:58:30Z", 2), 400, wall)
        .expect(&list("2026-11-22T07:58:31Z", 1), 400, wall);
    let first = desk.changes(call(), TICKETS, FeedStart::Since(NOW)).await.unwrap();
    let second = desk.changes(call(), TICKETS, FeedStart::After(first.next)).await.unwrap();
    let said = told(&second).concat();
    assert!(said.contains("more than 30000 tickets changed within 2026-11-22T07:58:30Z"), "{said}");
    assert!(second.more);
    let third = desk.changes(call(), TICKETS, FeedStart::After(second.next)).await;
    assert!(matches!(third, Err(Error::Refused { .. })), "on page 1 it is no wall");
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn trash_and_spam_are_read_in_turn() {
    let (desk, script) = desk();
    let since = "2026-11-22T07:58:30Z";
    script
        .expect(&folder("deleted", since), 200, page(&[row(1, "2026-11-22T08:03:00Z")]))
        .expect(&folder("spam", since), 200, page(&[row(2, "2026-11-22T07:00:00Z"), json!({"id": 9})]))
        .expect(&folder("deleted", "2026-11-22T08:01:30Z"), 200, "[]");
    let first = desk.changes(call(), DELETED, FeedStart::Since(NOW)).await.unwrap();
    assert_eq!((told(&first), first.more), (vec!["1 gone".to_owned()], true));
    assert_eq!(first.complete_until, None);
    let second = desk.changes(call(), DELETED, FeedStart::After(first.next)).await.unwrap();
    assert_eq!((told(&second), second.more), (vec!["9 [1].updated_at: not a time".to_owned()], false));
    let third = desk.changes(call(), DELETED, FeedStart::After(second.next)).await.unwrap();
    assert!(third.more, "spam comes next");
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn folders_without_updated_since_show_their_newest_page() {
    let (desk, script) = desk();
    let newest = |name| {
        format!("GET /api/v2/tickets?filter={name}&order_by=updated_at&order_type=desc&per_page=100&page=1")
    };
    let refused =
        r#"{"description":"Validation failed","errors":[{"field":"updated_since","code":"invalid_field"}]}"#;
    let rows: Vec<Json> = (1..=100)
        .map(|id| row(id, if id == 1 { "2026-11-22T08:03:00Z" } else { "2026-11-01T00:00:00Z" }))
        .collect();
    script
        .expect(&folder("deleted", "2026-11-22T07:58:30Z"), 400, refused)
        .expect(&newest("deleted"), 200, page(&rows))
        .expect(&newest("spam"), 200, "[]")
        .expect(&newest("deleted"), 200, page(&rows));
    let mut from = FeedStart::Since(NOW);
    let mut all = Vec::new();
    for _ in 0..3 {
        let changes = desk.changes(call(), DELETED, from).await.unwrap();
        all.push(told(&changes).concat());
        from = FeedStart::After(changes.next);
    }
    assert_eq!(all, ["1 gone", "", "1 gone"], "old rows are left out, and one page is enough");
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn a_foreign_cursor_is_refused() {
    let (desk, _script) = desk();
    for text in ["", "{}", "123", r#"{"list":{"floor":1}}"#] {
        let from = FeedStart::After(crate::contract::Cursor(text.to_owned()));
        for feed in [TICKETS, DELETED] {
            let read = desk.changes(call(), feed, from.clone()).await;
            assert!(matches!(read, Err(Error::CursorRefused { .. })), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tickets_are_fetched_with_what_comes_for_free() {
    let (desk, script) = desk();
    let few = include_str!("../fixtures/ticket.json");
    let mut many: Json = serde_json::from_str(few).unwrap();
    let conversations = many["conversations"].as_array_mut().unwrap();
    while conversations.len() < 10 {
        conversations.push(conversations[0].clone());
    }
    script
        .expect(TICKET, 200, few)
        .expect("GET /api/v2/tickets/2?include=requester,conversations", 404, "")
        .expect("GET /api/v2/tickets/3?include=requester,conversations", 403, r#"{"code":"access_denied"}"#)
        .expect(
            "GET /api/v2/tickets/4?include=requester,conversations",
            200,
            r#"{"id":4,"deleted":true,"updated_at":"2026-11-22T08:00:01Z"}"#,
        )
        .expect(TICKET, 200, many.to_string());
    let ids = ["2345", "2", "3", "4", "2345"].map(id);
    let fetched = desk.fetch_many(call(), &ids).await.unwrap();
    let counts: Vec<Option<usize>> = fetched
        .iter()
        .map(|fetched| match fetched {
            Fetched::Shown(observed) => match &observed.comments {
                CommentsSeen::All(comments) => Some(comments.len()),
                CommentsSeen::NotLooked => Some(0),
            },
            Fetched::Gone(_) | Fetched::MovedTo { .. } => None,
        })
        .collect();
    assert_eq!(counts, [Some(8), None, None, None, Some(0)], "ten embedded may be not all");
    script.finish();
}

fn conversations(ids: std::ops::Range<i64>) -> String {
    let row = |id| json!({"id": id, "user_id": 7001, "body": format!("<div>{id}</div>"), "created_at": "2026-11-22T08:00:01Z"});
    Json::from(ids.map(row).collect::<Vec<_>>()).to_string()
}

#[tokio::test(start_paused = true)]
async fn long_conversations_are_paged() {
    let (desk, script) = desk();
    let ticket = json!({
        "id": 2345, "requester_id": 43, "description": "<div>Hello</div>",
        "created_at": "2026-11-22T08:00:00Z", "updated_at": "2026-11-22T08:00:01Z",
        "conversations": serde_json::from_str::<Json>(&conversations(1..11)).unwrap(),
    });
    let rest = |page: u32| format!("GET /api/v2/tickets/2345/conversations?per_page=100&page={page}");
    script.expect(TICKET, 200, ticket.to_string()).expect(&rest(1), 200, conversations(1..101)).expect(
        &rest(2),
        200,
        conversations(100..130),
    );
    let comments = desk.comments(call(), &id("2345")).await.unwrap();
    assert_eq!(comments.len(), 130, "the description, and the one that came twice once");
    assert_eq!(comments.last().map(Comment::id), Some(&id("129")));
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn pages_that_repeat_themselves_end() {
    let (desk, script) = desk();
    let ticket = r#"{"id":2345,"created_at":"2026-11-22T08:00:00Z","updated_at":"2026-11-22T08:00:01Z"}"#;
    let rest = |page: u32| format!("GET /api/v2/tickets/2345/conversations?per_page=100&page={page}");
    script.expect(TICKET, 200, ticket).expect(&rest(1), 200, conversations(1..101)).expect(
        &rest(2),
        200,
        conversations(1..101),
    );
    assert_eq!(desk.comments(call(), &id("2345")).await.unwrap().len(), 100);
    script.finish();
}

/// What a PUT answers.
fn put_answer() -> String {
    json!({"id": 2345, "subject": "x", "status": 3, "priority": 1, "tags": [], "updated_at": "2026-11-22T08:00:05Z"})
        .to_string()
}

const PUT: &str = "PUT /api/v2/tickets/2345";
const NOTES: &str = "POST /api/v2/tickets/2345/notes";
const REPLY: &str = "POST /api/v2/tickets/2345/reply";

fn pending() -> Fields {
    Fields::from([(Field::Status, Value::Status(Status::Pending))])
}

#[tokio::test(start_paused = true)]
async fn the_message_goes_before_the_fields() {
    let (desk, script) = desk();
    script.expect(REPLY, 201, r#"{"id":9100}"#).expect(PUT, 200, put_answer());
    let both = update(pending(), Some(public("Hi", Mail::Send)));
    let applied = desk.apply(call(), &both, None, &[]).await.unwrap();
    assert_eq!(applied.comment, Some(id("9100")));
    assert_eq!(applied.version, Some(Version(1_795_334_405_000)));
    assert_eq!(applied.shown.unwrap().fields[&Field::Status], Value::Status(Status::Pending));
    assert_eq!(script.finish(), [json!({"body": "<div>Hi</div>"}), json!({"status": 3})]);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_there_is_sent() {
    let (desk, script) = desk();
    script.expect(NOTES, 201, r#"{"id":9100}"#).expect(PUT, 200, "<html>");
    let message_only = update(Fields::new(), Some(private("psst", None)));
    let applied = desk.apply(call(), &message_only, None, &[]).await.unwrap();
    assert_eq!((applied.comment, applied.version), (Some(id("9100")), None));
    let fields_only = update(subject("New"), None);
    let applied = desk.apply(call(), &fields_only, None, &[]).await.unwrap();
    assert_eq!(
        (applied.comment, applied.version, applied.shown),
        (None, None, None),
        "it was set all the same"
    );
    let nothing = update(Fields::new(), None);
    let expected = Applied {
        ticket: TicketKey::new("fd", "2345"),
        version: None,
        shown: None,
        comment: None,
        written_at: None,
        imported: Vec::new(),
        unset: None,
    };
    assert_eq!(desk.apply(call(), &nothing, None, &[]).await.unwrap(), expected);
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn after_the_message_no_failure_makes_it_be_written_again() {
    let rows =
        [(429, "later"), (403, "later"), (404, "later"), (409, "later"), (401, "later"), (400, "refused")];
    for (status, expected) in rows {
        let (desk, script) = desk();
        let far = vec![("retry-after", "3600".to_owned())];
        script.expect(NOTES, 201, r#"{"id":9100}"#).expect_with(PUT, status, far, "");
        let both = update(pending(), Some(private("psst", None)));
        let named = match desk.apply(call(), &both, None, &[]).await {
            Ok(applied) => {
                assert_eq!((applied.comment, applied.shown), (Some(id("9100")), None));
                match applied.unset {
                    Some(Unset::Later(_)) => "later".to_owned(),
                    Some(Unset::Refused(_)) => "refused".to_owned(),
                    None => "set".to_owned(),
                }
            }
            Err(error) => format!("{error:?}").split(' ').next().unwrap().to_owned(),
        };
        assert_eq!(named, expected, "{status}");
        script.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_message_failures_are_what_they_are() {
    let rows = [(0, "Unknown"), (500, "Unknown"), (404, "Gone"), (400, "Refused"), (429, "Throttled")];
    for (status, expected) in rows {
        let (desk, script) = desk();
        let far = vec![("retry-after", "3600".to_owned())];
        script.expect_with(REPLY, status, far, "");
        let error = desk
            .apply(call(), &update(pending(), Some(public("Hi", Mail::Send))), None, &[])
            .await
            .unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{status}: {error:?}");
        script.finish();
    }
    let (desk, script) = desk();
    script.expect(REPLY, 201, "<html>");
    let written = desk.apply(call(), &update(pending(), Some(public("Hi", Mail::Send))), None, &[]).await;
    assert!(matches!(written, Err(Error::Unknown { .. })), "it was written, nobody knows as what");
}

#[tokio::test(start_paused = true)]
async fn people_are_found_or_made() {
    let ann = Person::customer("Ann", "ann@x.test");
    let contacts = "GET /api/v2/contacts?email=ann%40x.test";
    let post = "POST /api/v2/contacts";
    let duplicate = include_str!("../fixtures/error_duplicate_contact.json");
    let (desk, script) = desk();
    script.expect(contacts, 200, r#"[{"id":8,"deleted":true},{"id":9,"email":"ann@x.test"}]"#);
    assert_eq!(desk.ensure_person(call(), &ann).await, Ok(id("9")));
    script.expect(contacts, 200, "[]").expect(post, 201, r#"{"id":10}"#);
    assert_eq!(desk.ensure_person(call(), &ann).await, Ok(id("10")));
    script.expect(contacts, 200, "[]").expect(post, 409, duplicate);
    assert_eq!(desk.ensure_person(call(), &ann).await, Ok(id("123")));
    script.expect(contacts, 200, "[]").expect(post, 400, include_str!("../fixtures/error_validation.json"));
    assert!(matches!(desk.ensure_person(call(), &ann).await, Err(Error::Refused { .. })));
    script.expect(contacts, 200, "[]").expect(post, 201, r#"{"id":11}"#);
    let nameless = Person { name: String::new(), ..ann };
    assert_eq!(desk.ensure_person(call(), &nameless).await, Ok(id("11")));
    assert_eq!(script.finish().pop(), Some(json!({"name": "ann", "email": "ann@x.test"})));
    let unknown = Person { email: None, ..nameless };
    assert!(matches!(desk.ensure_person(call(), &unknown).await, Err(Error::Refused { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_probe_names_what_is_missing() {
    let me = include_str!("../fixtures/agent_me.json");
    let fields = include_str!("../fixtures/ticket_fields.json");
    let probe = async |settings: Json, me: String, status: u16, fields: String| {
        let (desk, script) = desk_with(settings);
        let surveys =
            "GET /api/v2/surveys/satisfaction_ratings?created_since=2026-11-22T08:00:00Z&per_page=1&page=1";
        script
            .expect("GET /api/v2/agents/me", 200, me)
            .expect("GET /api/v2/ticket_fields", status, fields)
            .expect("GET /api/v2/agents?per_page=100&page=1", 200, "[]")
            .expect(surveys, 200, "[]");
        let probe = desk.probe(call()).await.unwrap();
        let problems: Vec<(Disarms, String)> = probe
            .problems
            .iter()
            .filter(|problem| {
                !problem.what.contains("have no field cf_") || problem.disarms != Disarms::Nothing
            })
            .map(|problem| (problem.disarms, problem.what.clone()))
            .collect();
        (probe.identity, problems)
    };
    let mapped = json!({"statuses": {"6": "pending", "7": "on_hold"}});
    let (identity, problems) = probe(mapped.clone(), me.to_owned(), 200, fields.to_owned()).await;
    assert_eq!((identity.as_str(), problems), ("Sync <sync@acme.test> (agent 7009)", vec![]));

    let (_, problems) = probe(Json::Null, me.to_owned(), 200, fields.to_owned()).await;
    let [(Disarms::Nothing, what)] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(what.ends_with("6 (Waiting on Customer), 7 (Waiting on Third Party)"), "{what}");

    let mut other = mapped.clone();
    other["marker_field"] = "cf_mark".into();
    let (_, problems) = probe(other, me.replace(":1,\"type", ":2,\"type"), 200, fields.to_owned()).await;
    let [(Disarms::Nothing, scope), (Disarms::Creates, marker)] = problems.as_slice() else {
        panic!("{problems:?}")
    };
    assert!(scope.contains("does not see every ticket") && marker.contains("cf_mark"), "{problems:?}");

    let (_, problems) =
        probe(mapped.clone(), me.to_owned(), 200, fields.replace("custom_text", "custom_dropdown")).await;
    assert!(matches!(problems.as_slice(), [(Disarms::Creates, what)] if what.contains("custom_dropdown")));

    let (_, problems) = probe(mapped, me.to_owned(), 403, r#"{"code":"access_denied"}"#.to_owned()).await;
    assert!(matches!(problems.as_slice(), [(Disarms::Creates, _)]), "{problems:?}");
}

#[tokio::test(start_paused = true)]
async fn the_connector_opens_a_helpdesk() {
    let connector = crate::connector("freshdesk").unwrap();
    assert_eq!(connector.auth().methods, [AuthMethod::ApiKey]);
    let (desk, _script) = desk_with(json!({"message_bytes_max": 5_000}));
    let capabilities = desk.capabilities();
    assert_eq!((capabilities.conditional_writes, capabilities.edits_private_notes), (false, true));
    assert_eq!((capabilities.message_bytes_max, capabilities.webhook_again), (5_000, (503, None)));
    assert_eq!(desk.feeds(), [TICKETS, DELETED, Feed("ratings")]);
    let set = Fields::from([(Field::Priority, Value::Priority(None))]);
    assert_eq!(desk.normalize(&set)[&Field::Priority], Value::Priority(Some(Priority::Low)));

    let (_, script) = super::desk();
    let http = ClientParts {
        transport: script,
        clock: Arc::new(TokioClock::starting_at(NOW)),
        jitter: Arc::new(SeededJitter::new(1)),
        authorizer: Arc::new(StaticAuthorizer(Secret::new("x"))),
    };
    let setup = |settings| AccountSetup {
        id: AccountId::from("fd"),
        base_url: "https://acme.freshdesk.test".parse().unwrap(),
        webhook_secret: None,
        settings,
        custom: Vec::new(),
    };
    assert!(matches!(connector.open(setup(json!({})), http.clone()), Ok(Opened::Helpdesk(_))));
    let Err(error) = connector.open(setup(json!({"plan": "gold"})), http) else { panic!("opened") };
    assert!(error.to_string().starts_with("accounts.fd.settings.plan: "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_price_of_a_request_is_learnt() {
    let (desk, script) = desk();
    let told = vec![("x-ratelimit-used-currentrequest", "2".to_owned())];
    script.expect_with(&list("2026-11-22T07:58:30Z", 1), 200, told, "[]");
    assert_eq!(desk.list_cost.now(), 3);
    desk.changes(call(), TICKETS, FeedStart::Since(NOW)).await.unwrap();
    assert_eq!((desk.list_cost.now(), desk.fetch_cost.now()), (2, 3));
    script.finish();
}
