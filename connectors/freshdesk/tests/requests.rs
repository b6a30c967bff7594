//! Each request: method, path, body, kind, price.

use handoffd_core::{
    Field, Fields, Mail, Person, Priority, Status, Value,
    intent::{Create, NewTicket},
};
use serde_json::json;

use super::*;
use crate::{
    client::{Ask, Kind},
    contract::{Error, Result},
    freshdesk::{
        api::{self, Folder},
        fields::Due,
    },
};

/// `METHOD path`, kind, endpoint bucket, cost, body.
fn parts(ask: &Ask) -> (String, Kind, &str, u32, Json) {
    let body = serde_json::from_slice(ask.request.body()).unwrap_or(Json::Null);
    let line = format!("{} {}", ask.request.method(), ask.request.uri());
    let bucket = ask.buckets.first().map_or("", |(name, _)| name.as_str());
    (line, ask.kind, bucket, ask.cost, body)
}

fn create(requester: Person, opening: Option<PublicMessage>, fields: Fields) -> Create {
    Create {
        at: AccountId::from("fd"),
        ticket: NewTicket { requester, opening, fields, follows: None, import: None },
        key: OpKey::from("l0a1b2-0"),
    }
}

#[test]
fn reads_are_asked_as_documented() {
    let desk = mapping();
    let at = NOW.as_secs();
    let list = "updated_since=2026-11-22T08:00:00Z&order_by=updated_at&order_type=asc&per_page=100";
    let rows: Vec<(Ask, String, &str, u32)> = vec![
        (
            desk.list(at, 3, 3).unwrap(),
            format!("/api/v2/tickets?{list}&page=3&include=requester"),
            "tickets-list",
            3,
        ),
        (
            desk.list_folder(Folder::Deleted, at, 1).unwrap(),
            format!("/api/v2/tickets?filter=deleted&{list}&page=1"),
            "tickets-list",
            1,
        ),
        (
            desk.list_folder_newest(Folder::Spam).unwrap(),
            "/api/v2/tickets?filter=spam&order_by=updated_at&order_type=desc&per_page=100&page=1".to_owned(),
            "tickets-list",
            1,
        ),
        (
            desk.list_of("a+b c@x.test").unwrap(),
            "/api/v2/tickets?email=a%2Bb+c%40x.test&order_by=created_at&order_type=desc&per_page=100"
                .to_owned(),
            "tickets-list",
            1,
        ),
        (
            desk.contacts_of("a&b@x.test").unwrap(),
            "/api/v2/contacts?email=a%26b%40x.test".to_owned(),
            "contacts-list",
            1,
        ),
        (
            api::ticket(&id("7"), 3).unwrap(),
            "/api/v2/tickets/7?include=requester,conversations".to_owned(),
            "",
            3,
        ),
        (
            api::conversations(&id("7"), 2).unwrap(),
            "/api/v2/tickets/7/conversations?per_page=100&page=2".to_owned(),
            "",
            1,
        ),
        (api::me().unwrap(), "/api/v2/agents/me".to_owned(), "", 1),
        (api::ticket_fields().unwrap(), "/api/v2/ticket_fields".to_owned(), "", 1),
    ];
    for (ask, path, bucket, cost) in rows {
        assert_eq!(parts(&ask), (format!("GET {path}"), Kind::Read, bucket, cost, Json::Null));
    }
}

#[test]
fn a_creation_carries_its_marker_and_what_freshdesk_needs() {
    let fields = Fields::from([
        (Field::Subject, Value::subject("Cannot sign in")),
        (Field::Status, Value::Status(Status::Pending)),
        (Field::Priority, Value::Priority(Some(Priority::Urgent))),
        (Field::Tags, tags(&["vip", "Billing"])),
    ]);
    let ann = Person::customer("Ann", "ann@example.test");
    let full = create(ann, Some(public_message("Hello,\nit is <broken>", Mail::Silent)), fields);
    let expected = json!({
        "email": "ann@example.test", "name": "Ann", "subject": "Cannot sign in",
        "description": "<p>Hello,<br>it is &lt;broken&gt;</p>",
        "status": 3, "priority": 4, "tags": ["Billing", "vip"], "source": 2,
        "custom_fields": {"cf_handoff_key": "l0a1b2-0"},
    });
    let line = "POST /api/v2/tickets".to_owned();
    let made = mapping().create(&full, &[], Due::Alone).unwrap();
    assert_eq!(parts(&made), (line.clone(), Kind::Write, "tickets-create", 1, expected));

    let desk = mapping_with(json!({
        "default_priority": "high", "source": 7, "marker_field": "cf_mark",
        "fallback_requester_email": "nobody@acme.test",
    }));
    let nobody =
        Person { id: Some(id("5")), name: " ".to_owned(), email: None, role: handoffd_core::Role::Customer };
    let bare = create(nobody, None, Fields::new());
    let expected = json!({
        "email": "nobody@acme.test", "subject": "(no subject)",
        "description": "<p>This conversation began with internal notes only.</p>",
        "status": 2, "priority": 3, "source": 7, "custom_fields": {"cf_mark": "l0a1b2-0"},
    });
    assert_eq!(
        parts(&desk.create(&bare, &[], Due::Alone).unwrap()),
        (line, Kind::Write, "tickets-create", 1, expected)
    );

    let Err(Error::Refused { why }) = mapping().create(&bare, &[], Due::Alone) else {
        panic!("nobody to write to")
    };
    assert!(why.contains("accounts.fd.settings.fallback_requester_email"), "{why}");
}

#[test]
fn fields_are_set_partially() {
    let rows = [
        (Fields::from([(Field::Tags, tags(&[]))]), json!({"tags": []})),
        (Fields::from([(Field::Status, Value::Status(Status::OnHold))]), json!({"status": 3})),
        (Fields::from([(Field::Priority, Value::Priority(None))]), json!({"priority": 1})),
        (Fields::from([(Field::Assignee, Value::Owner(None))]), json!({"responder_id": null})),
        (
            Fields::from([
                (Field::Assignee, Value::Owner(Some(id("7001")))),
                (Field::Group, Value::Owner(Some(id("8001")))),
            ]),
            json!({"responder_id": 7001, "group_id": 8001}),
        ),
    ];
    for (set, body) in rows {
        let ask = mapping().set_fields(&id("7"), &set, Due::Alone).unwrap();
        let line = "PUT /api/v2/tickets/7".to_owned();
        assert_eq!(parts(&ask), (line, Kind::IdempotentWrite, "tickets-update", 1, body));
    }
}

#[test]
fn only_words_of_ours_that_nobody_mailed_become_replies() {
    let key = OpKey::from("l0a1b2-7");
    let agent = Person { role: handoffd_core::Role::Agent, ..Person::customer("Bo", "bo@x.test") };
    let customer = id("43");
    let rows = [
        (public("hi", Mail::Send), None, "reply", json!({"body": "<p>hi</p>"})),
        (
            public("hi", Mail::Silent),
            None,
            "notes",
            json!({"body": "<p>hi</p>", "private": false, "incoming": false}),
        ),
        (
            public("hi", Mail::Silent),
            Some(&customer),
            "notes",
            json!({"body": "<p>hi</p>", "private": false, "incoming": true, "user_id": 43}),
        ),
        (
            public("hi", Mail::Send),
            Some(&customer),
            "notes",
            json!({"body": "<p>hi</p>", "private": false, "incoming": true, "user_id": 43}),
        ),
        (
            private("psst", Some(agent)),
            None,
            "notes",
            json!({"body": "<p>psst</p>", "private": true, "incoming": false}),
        ),
        (
            private("psst", None),
            None,
            "notes",
            json!({"body": "<p>psst</p><p>[ref l0a1b2-7]</p>", "private": true, "incoming": false}),
        ),
    ];
    for (message, author, endpoint, body) in rows {
        let ask = mapping().message(&id("7"), &message, author, &[], &key).unwrap();
        let line = format!("POST /api/v2/tickets/7/{endpoint}");
        assert_eq!(parts(&ask), (line, Kind::Write, "", 1, body));
    }
}

#[test]
fn notes_and_contacts_may_be_written_again() {
    let key = OpKey::from("l0a1b2-9");
    let edit = api::edit_note(&id("9003"), &note("longer", None), &key).unwrap();
    let body = json!({"body": "<p>longer</p><p>[ref l0a1b2-9]</p>"});
    let line = "PUT /api/v2/conversations/9003".to_owned();
    assert_eq!(parts(&edit), (line, Kind::IdempotentWrite, "", 1, body));
    let contact = api::create_contact("Ann", "ann@example.test").unwrap();
    let body = json!({"name": "Ann", "email": "ann@example.test"});
    assert_eq!(parts(&contact), ("POST /api/v2/contacts".to_owned(), Kind::IdempotentWrite, "", 1, body));
}

#[test]
fn no_id_leads_elsewhere() {
    let refused = |ask: Result<Ask>| matches!(ask, Err(Error::Refused { .. }));
    for wrong in ["", "7/../../agents", "7?x", "-7", "٧", "description"] {
        let wrong = id(wrong);
        assert!(refused(api::ticket(&wrong, 1)), "{wrong}");
        assert!(refused(api::conversations(&wrong, 1)), "{wrong}");
        assert!(refused(mapping().set_fields(&wrong, &Fields::new(), Due::Alone)), "{wrong}");
        assert!(refused(api::edit_note(&wrong, &note("x", None), &OpKey::from("k"))), "{wrong}");
        assert!(
            refused(mapping().message(&wrong, &private("x", None), None, &[], &OpKey::from("k"))),
            "{wrong}"
        );
        let author = Some(&wrong);
        assert!(
            refused(mapping().message(&id("7"), &public("x", Mail::Silent), author, &[], &OpKey::from("k"))),
            "{wrong}"
        );
    }
}

#[test]
fn text_that_was_put_aside_is_not_sent_as_nothing() {
    let aside = Message::Private(PrivateMessage {
        author: None,
        text: PrivateText::new(Body::Blob { hash: "00".to_owned(), len: 70_000 }),
        attachments: Vec::new(),
    });
    let ask = mapping().message(&id("7"), &aside, None, &[], &OpKey::from("k"));
    assert!(matches!(ask, Err(Error::Refused { .. })));
}
