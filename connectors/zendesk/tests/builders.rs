//! Requests as values.

use handoffd_core::Priority;
use serde_json::{Value as Json, json};

use super::*;
use crate::{
    client::{Ask, Kind},
    contract::Error,
    zendesk::{
        api::{self, ExportFrom, Sender, UpdateTerms},
        map::Dialect,
        statuses::Statuses,
    },
};

static NO_STATUSES: std::sync::LazyLock<Statuses> = std::sync::LazyLock::new(Statuses::default);

fn dialect(settings: &Settings) -> Dialect<'_> {
    Dialect { settings, custom: &[], statuses: &NO_STATUSES }
}

fn by(author: &RemoteId) -> Sender<'_> {
    Sender { author: Some(author), uploads: &[] }
}

fn target(ask: &Ask) -> String {
    format!("{} {}", ask.request.method(), ask.request.uri())
}

fn body(ask: &Ask) -> Json {
    serde_json::from_slice(ask.request.body()).unwrap()
}

fn buckets(ask: &Ask) -> Vec<(&str, u32, u64)> {
    ask.buckets.iter().map(|(name, quota)| (name.as_str(), quota.count, quota.per.as_secs())).collect()
}

#[test]
fn reads_have_their_paths() {
    let id = RemoteId::from("155");
    let ids = [&id, &RemoteId::from("156")];
    let rows = [
        (
            api::export(&ExportFrom::Start(7), 1_000),
            "GET /api/v2/incremental/tickets/cursor.json?start_time=7&include=users,comment_count,custom_statuses",
        ),
        (
            api::export(&ExportFrom::After("a+b=".to_owned()), 500),
            "GET /api/v2/incremental/tickets/cursor.json?cursor=a%2Bb%3D&per_page=500&include=users,comment_count,custom_statuses",
        ),
        (
            api::show_many(&ids),
            "GET /api/v2/tickets/show_many.json?ids=155,156&include=users,comment_count,custom_statuses",
        ),
        (
            api::comments(&id, None),
            "GET /api/v2/tickets/155/comments.json?page[size]=100&include_inline_images=true&include=users",
        ),
        (
            api::comments(&id, Some("x y=")),
            "GET /api/v2/tickets/155/comments.json?page[size]=100&page[after]=x+y%3D&include_inline_images=true&include=users",
        ),
        (api::audits(&id, None), "GET /api/v2/tickets/155/audits.json?sort=-created_at&page[size]=100"),
        (
            api::by_external_id(&KEY.into()),
            "GET /api/v2/tickets.json?external_id=l0123456789abcdef0123-0&include=users",
        ),
        (api::me(), "GET /api/v2/users/me.json"),
        (api::triggers(None), "GET /api/v2/triggers.json?active=true&page[size]=100"),
        (
            api::people_by_email("z+1\"@customer.test"),
            "GET /api/v2/users/search.json?query=email%3A%22z%2B1%40customer.test%22",
        ),
    ];
    for (ask, expected) in rows {
        let ask = ask.unwrap();
        assert_eq!(target(&ask), expected);
        assert_eq!((ask.kind, ask.cost), (Kind::Read, 1), "{expected}");
    }
    assert_eq!(buckets(&api::export(&ExportFrom::Start(7), 10).unwrap()), [("incremental-exports", 10, 60)]);
    assert_eq!(buckets(&api::audits(&id, None).unwrap()), [("ticket-audits", 450, 60)]);
}

#[test]
fn an_export_starts_early_enough() {
    let clamped = NOW.as_secs() - 120;
    let rows = [(Timestamp::from_secs(5), 5), (NOW, clamped), (NOW.plus(Duration::from_secs(9)), clamped)];
    for (since, expected) in rows {
        assert_eq!(ExportFrom::start(since, NOW), ExportFrom::Start(expected));
    }
    assert_eq!(ExportFrom::start(Timestamp(-5_000), NOW), ExportFrom::Start(0));
}

#[test]
fn ids_that_are_no_numbers_reach_no_path() {
    for id in ["", "1/../2", "12a", "-3"] {
        assert_eq!(api::comments(&RemoteId::from(id), None).unwrap_err(), Error::Gone, "{id:?}");
    }
}

#[test]
fn a_ticket_is_made_silently_by_its_customer() {
    let author = RemoteId::from("88");
    let ask = api::create(&create(), by(&author), dialect(&Settings::default())).unwrap();
    assert_eq!(target(&ask), "POST /api/v2/tickets.json");
    assert_eq!(ask.kind, Kind::IdempotentWrite);
    assert_eq!(ask.request.headers()["idempotency-key"], KEY);
    assert_eq!(ask.request.headers()["content-type"], "application/json");
    let expected = json!({"ticket": {
        "subject": "Printer is on fire", "status": "new", "tags": ["fire", "handoffd_quiet"],
        "comment": {"body": "It burns.", "public": true, "author_id": 88}, "submitter_id": 88,
        "requester": {"name": "Zoe Zhang", "email": "zoe@customer.test"},
        "external_id": KEY, "metadata": {"handoffd_op": KEY},
    }});
    assert_eq!(body(&ask), expected);
    let again = api::create(&create(), by(&author), dialect(&Settings::default())).unwrap();
    assert_eq!(ask.request.body(), again.request.body(), "the key demands the same bytes");
}

#[test]
fn a_ticket_without_a_public_message_opens_with_a_note() {
    let mut intent = create();
    intent.ticket.opening = None;
    intent.ticket.requester.name = String::new();
    let ticket = &body(&api::create(&intent, by(&"88".into()), dialect(&settings())).unwrap())["ticket"];
    let comment = json!({"body": "This conversation began with internal notes.", "public": false});
    assert_eq!(ticket["comment"], comment);
    assert_eq!(ticket.get("submitter_id"), None);
    assert_eq!(ticket["requester"]["name"], "zoe@customer.test");
}

#[test]
fn a_requester_without_an_address_is_named_by_id_or_refused() {
    let mut intent = create();
    intent.ticket.requester.email = Some(" ".to_owned());
    let ticket = &body(&api::create(&intent, by(&"88".into()), dialect(&settings())).unwrap())["ticket"];
    assert_eq!((ticket["requester_id"].as_u64(), ticket.get("requester")), (Some(88), None));
    let nobody = api::create(&intent, Sender::default(), dialect(&settings()));
    assert!(matches!(nobody, Err(Error::Refused { .. })));
}

#[test]
fn an_update_holds_only_what_changed() {
    let plain = UpdateTerms::default();
    let tied = UpdateTerms { tied_to: Some(Version(NOW.0)), ..plain.clone() };
    let quiet = UpdateTerms { quiet: true, ..plain.clone() };
    let known = UpdateTerms { tags: Some(vec!["b".to_owned(), "A".to_owned()]), ..quiet.clone() };
    let marker = json!({"handoffd_op": KEY});
    let rows: Vec<(Update, UpdateTerms, Json)> = vec![
        (
            update(&[(Field::Priority, Value::Priority(None))], None, None),
            plain.clone(),
            json!({"priority": null, "metadata": marker}),
        ),
        (
            update(&[(Field::Status, Value::Status(Status::Closed))], None, None),
            tied,
            json!({"status": "solved", "metadata": marker,
                "safe_update": true, "updated_stamp": "2026-11-22T08:00:00Z"}),
        ),
        (
            update(&[(Field::Status, Value::Status(Status::New))], note(), None),
            plain.clone(),
            json!({"status": "open", "comment": {"html_body": "<p>Handed over.</p>", "public": false}, "metadata": marker}),
        ),
        (
            update(&[(Field::Tags, tags(&["z", "a"]))], reply(agent(), Mail::Send), None),
            plain.clone(),
            json!({"tags": ["a", "z"], "comment": {"body": "Use water.", "public": true}, "metadata": marker}),
        ),
        (
            update(&[(Field::Tags, tags(&["z", "a"]))], reply(agent(), Mail::Silent), None),
            quiet,
            json!({"tags": ["a", "handoffd_quiet", "z"], "comment": {"body": "Use water.", "public": true},
                "metadata": marker}),
        ),
        (
            update(&[], reply(agent(), Mail::Silent), None),
            known,
            json!({"tags": ["A", "b", "handoffd_quiet"], "comment": {"body": "Use water.", "public": true},
                "metadata": marker}),
        ),
        (
            update(
                &[
                    (Field::Subject, Value::subject("Still on fire")),
                    (Field::Priority, Value::Priority(Some(Priority::Urgent))),
                    (Field::Status, Value::Status(Status::OnHold)),
                    (Field::Assignee, Value::Owner(None)),
                    (Field::Group, Value::Owner(Some("77".into()))),
                ],
                None,
                None,
            ),
            plain,
            json!({"subject": "Still on fire", "priority": "urgent", "status": "hold",
                "assignee_id": null, "group_id": 77, "metadata": marker}),
        ),
    ];
    for (update, terms, expected) in rows {
        let ask = api::update(&update, Sender::default(), &terms, dialect(&settings())).unwrap();
        assert_eq!(target(&ask), "PUT /api/v2/tickets/155.json");
        assert_eq!(body(&ask)["ticket"], expected);
        assert_eq!(ask.kind, Kind::Write);
        assert_eq!(buckets(&ask), [("tickets-update", 100, 60), ("tickets-update/155", 30, 600)]);
    }
}

#[test]
fn the_quiet_tag_is_never_set_alone() {
    let blind = UpdateTerms { quiet: true, ..UpdateTerms::default() };
    let silent = update(&[], reply(agent(), Mail::Silent), None);
    assert!(matches!(
        api::update(&silent, Sender::default(), &blind, dialect(&settings())),
        Err(Error::Refused { .. })
    ));
}

#[test]
fn the_quiet_tag_comes_off_under_a_condition() {
    let ask = api::unquiet(&"155".into(), vec!["fire".to_owned()], Version(NOW.0), &KEY.into()).unwrap();
    let expected = json!({"ticket": {"tags": ["fire"], "metadata": {"handoffd_quiet_off": KEY},
        "safe_update": true, "updated_stamp": "2026-11-22T08:00:00Z"}});
    assert_eq!((target(&ask).as_str(), body(&ask)), ("PUT /api/v2/tickets/155.json", expected));
}

#[test]
fn people_are_made_without_a_mail_and_without_a_role() {
    let ask = api::upsert_person(&zoe(), "zoe@customer.test").unwrap();
    assert_eq!(target(&ask), "POST /api/v2/users/create_or_update.json");
    let expected =
        json!({"user": {"name": "Zoe Zhang", "email": "zoe@customer.test", "skip_verify_email": true}});
    assert_eq!(body(&ask), expected);
    let buckets = buckets(&ask);
    assert_eq!(buckets[0], ("users-create-or-update", 1, 1));
    assert_eq!((buckets[1].1, buckets[1].2), (5, 60));
    assert!(!buckets[1].0.contains("zoe"), "addresses stay out of bucket names");
}
