//! Everything that a ticket is: fields, custom ones, markup, files, authors.

use handoffd_core::{Attachment, Comment, ReadBy, Role, Status, Typed};
use serde_json::json;

use super::*;
use crate::{
    client::Content,
    contract::{Error, Helpdesk, Sink, Supply},
    freshdesk::{fields::Due, map::Read, wire},
};

fn fields_of(mapping: &Mapping, ticket: Json) -> Fields {
    let ticket: wire::Ticket = serde_json::from_value(ticket).unwrap();
    match mapping.ticket(&ticket, ReadBy::Fetch, NOW).unwrap() {
        Read::Shown(observed) => observed.fields,
        Read::Gone(key) => panic!("{key} is gone"),
    }
}

fn body_of(mapping: &Mapping, field: Field, value: Value) -> Json {
    let ask = mapping.set_fields(&id("7"), &Fields::from([(field, value)]), Due::Alone).unwrap();
    serde_json::from_slice(ask.request.body()).unwrap()
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn custom_values_are_read_in_any_spelling() {
    let typed = |typed| Some(Value::Typed(Some(typed)));
    let all = |words: &[&str]| Typed::Choices(words.iter().map(|word| text(word)).collect());
    let rows = [
        ("text", json!("a\r\nb"), typed(Typed::Text(text("a\nb")))),
        ("text", json!(12), typed(Typed::Text(text("12")))),
        ("text", json!(null), Some(Value::Typed(None))),
        ("text", json!(["x"]), None),
        ("number", json!(7), typed(Typed::Number(text("7")))),
        ("number", json!("7.50"), typed(Typed::Number(text("7.5")))),
        ("number", json!("many"), None),
        ("flag", json!(true), typed(Typed::Boolean(true))),
        ("flag", json!("0"), typed(Typed::Boolean(false))),
        ("flag", json!("maybe"), None),
        ("day", json!("2026-12-24"), typed(Typed::Date(text("2026-12-24")))),
        ("day", json!("2026-12-24T00:00:00Z"), typed(Typed::Date(text("2026-12-24")))),
        ("day", json!("24.12.2026"), None),
        ("choice", json!(" EMEA "), typed(Typed::Choice(text("EMEA")))),
        ("choices", json!(["a", "b", ""]), typed(all(&["a", "b"]))),
        ("choices", json!([]), Some(Value::Typed(None))),
    ];
    for (word, shown, expected) in rows {
        let ticket = json!({"id": 7, "updated_at": "2026-11-22T08:00:00Z",
            "custom_fields": {format!("cf_{word}"): shown, "cf_other": "x"}});
        assert_eq!(fields_of(&mapping(), ticket.clone()).get(&a(word)), expected.as_ref(), "{ticket}");
    }
    let none = json!({"id": 7, "updated_at": "2026-11-22T08:00:00Z", "custom_fields": {}});
    assert!(fields_of(&mapping(), none).keys().all(|field| !matches!(field, Field::Custom(_))));
}

#[test]
fn custom_values_are_written_by_their_kind() {
    let rows = [
        ("text", Some(Typed::Text(text("two\nlines"))), json!("two lines")),
        ("number", Some(Typed::Number(text("-1.5"))), json!(-1.5)),
        ("number", Some(Typed::Number(text("12"))), json!(12)),
        ("flag", Some(Typed::Boolean(false)), json!(false)),
        ("day", Some(Typed::Date(text("2026-12-24"))), json!("2026-12-24")),
        ("choice", Some(Typed::Choice(text("EMEA"))), json!("EMEA")),
        ("choices", Some(Typed::Choices(["b".to_owned(), text("a")].into())), json!(["a", "b"])),
        ("choice", None, json!(null)),
    ];
    for (word, value, sent) in rows {
        let body = body_of(&mapping(), a(word), Value::Typed(value));
        assert_eq!(body, json!({"custom_fields": {format!("cf_{word}"): sent}}));
    }
    let wrong = Fields::from([(a("flag"), Value::Typed(Some(Typed::Text(text("yes")))))]);
    assert_eq!(mapping().normalize(&wrong), Fields::new(), "another kind is not held");
    let long = Value::text(&"x".repeat(400));
    let cut = mapping().normalize(&Fields::from([(a("text"), long.clone())]));
    assert_eq!(cut[&a("text")], Value::text(&"x".repeat(255)));
    let paragraph = mapping_with(json!({"paragraph_fields": ["cf_text"]}));
    assert_eq!(paragraph.normalize(&Fields::from([(a("text"), long.clone())]))[&a("text")], long);
}

#[test]
fn the_other_fields_go_both_ways() {
    let ticket = json!({"id": 7, "updated_at": "2026-11-22T08:00:00Z", "type": "Incident", "status": 6,
        "due_by": "2026-11-25T08:00:00Z", "cc_emails": ["Bo <BO@x.test>", "cy@x.test", "junk"],
        "requester": {"id": 43, "email": " Ann@X.test"}});
    let mapping = mapping_with(json!({"statuses": {"6": "pending"}, "writes_ccs": true}));
    let fields = fields_of(&mapping, ticket);
    let due = Value::Time(Some(Timestamp::parse("2026-11-25T08:00:00Z").unwrap()));
    let expected = [
        (Field::Type, Value::Choice(Some(text("Incident"))), json!({"type": "Incident"})),
        (Field::DueAt, due, json!({"due_by": "2026-11-25T08:00:00Z"})),
        (Field::Ccs, tags(&["bo@x.test", "cy@x.test"]), json!({"cc_emails": ["bo@x.test", "cy@x.test"]})),
        (Field::Requester, Value::Choice(Some(text("ann@x.test"))), json!({"email": "ann@x.test"})),
        (
            Field::Status,
            Value::StatusDetail { status: Status::Pending, detail: text("6") },
            json!({"status": 6}),
        ),
    ];
    for (field, value, body) in expected {
        assert_eq!(fields.get(&field), Some(&value), "{field}");
        assert_eq!(body_of(&mapping, field, value), body);
    }
    assert_eq!(body_of(&mapping, Field::Type, Value::Choice(None)), json!({"type": null}));
    let held = |field, value| super::mapping().normalize(&Fields::from([(field, value)]));
    assert_eq!(held(Field::Ccs, tags(&["bo@x.test"])), Fields::new(), "shown, and not taken by updates");
    assert_eq!(held(Field::DueAt, Value::Time(None)), Fields::new(), "every ticket is due");
    assert_eq!(held(Field::Requester, Value::Choice(None)), Fields::new(), "somebody asked");
}

#[tokio::test(start_paused = true)]
async fn a_due_time_takes_the_first_response_along_where_it_must() {
    let refused =
        r#"{"description":"Validation failed","errors":[{"field":"fr_due_by","code":"invalid_value"}]}"#;
    let shown = r#"{"id":2345,"updated_at":"2026-11-22T08:00:05Z"}"#;
    let put = "PUT /api/v2/tickets/2345";
    let (desk, script) = desk();
    script.expect(put, 400, refused).expect(put, 200, shown);
    let set = Fields::from([(Field::DueAt, Value::Time(Some(NOW)))]);
    desk.apply(call(), &update(set, None), None, &[]).await.unwrap();
    let due = "2026-11-22T08:00:00Z";
    assert_eq!(script.finish(), [json!({"due_by": due}), json!({"due_by": due, "fr_due_by": due})]);
    script.expect(put, 400, refused);
    let other = desk.apply(call(), &update(subject("x"), None), None, &[]).await;
    assert!(matches!(other, Err(Error::Refused { .. })), "what is about no due time is not tried again");
}

fn comments_of(ticket: Json, conversations: Json) -> Vec<Comment> {
    let ticket: wire::Ticket = serde_json::from_value(ticket).unwrap();
    let conversations: Vec<wire::Conversation> = serde_json::from_value(conversations).unwrap();
    mapping().comments(&ticket, &conversations, &People::new()).unwrap()
}

#[test]
fn files_and_images_are_read() {
    let file = |id: i64, name: &str, at: &str| json!({"id": id, "name": name, "content_type": "image/png", "size": 5, "attachment_url": at});
    let ticket = json!({"id": 1, "created_at": "2026-11-22T08:00:00Z", "requester_id": 43,
        "description": "<p>See <b>this</b></p>", "attachments": [file(1, "a.png", "https://files.test/1?s=x&t=y")]});
    let inside = "<p>Look <img src=\"https://files.test/2?a=1&amp;b=2\"> and \
        <img src=\"https://acme.test/inline/attachment?token=t\" alt=\"b.jpg\"> \
        <img src=\"https://spy.test/p.gif\" width=1 height=1></p>";
    let row = json!([{"id": 5, "user_id": 43, "incoming": true, "body": inside, "created_at": "2026-11-22T08:00:01Z",
        "attachments": [file(2, "c.png", "https://files.test/2?a=1&b=2"), {"name": "no id"}]}]);
    let comments = comments_of(ticket, row);
    let short = |file: &Attachment| {
        (file.id.0.clone(), file.name.clone(), file.content_type.clone(), file.size, file.inline)
    };
    let of = |at: usize| comments[at].attachments().iter().map(short).collect::<Vec<_>>();
    assert_eq!(of(0), [(text("1"), text("a.png"), text("image/png"), Some(5), false)]);
    assert!(comments[0].body().html().is_some_and(|html| html.contains("<strong>this</strong>")));
    assert_eq!(
        of(1),
        [
            (text("2"), text("c.png"), text("image/png"), Some(5), true),
            (text("inline-2"), text("b.jpg"), text("image/jpeg"), None, true),
        ]
    );
    assert_eq!(comments[1].body().text(), Some("Look [image: c.png] and [image: b.jpg]"));
    assert_eq!(comments[1].attachments()[1].at, "https://acme.test/inline/attachment?token=t");
}

fn file(name: &str, len: usize) -> Supply {
    let content = Content::Bytes(Bytes::from(vec![b'x'; len]));
    Supply { name: text(name), content_type: text("text/plain"), content }
}

#[test]
fn agents_speak_in_their_own_names() {
    let bo = Person { role: Role::Agent, ..Person::customer("Bo", "bo@x.test") };
    let of_bo = |mail| Message::Public(PublicMessage { author: bo.clone(), ..public_message("hi", mail) });
    let rows = [
        (of_bo(Mail::Send), "reply", json!({"body": "<div>hi</div>", "user_id": 77})),
        (
            of_bo(Mail::Silent),
            "notes",
            json!({"body": "<div>hi</div>", "user_id": 77, "private": false, "incoming": false}),
        ),
        (
            private("hi", Some(bo.clone())),
            "notes",
            json!({"body": "<div>hi</div>", "user_id": 77, "private": true, "incoming": false}),
        ),
    ];
    for (message, endpoint, body) in rows {
        let ask = mapping().message(&id("7"), &message, Some(&id("77")), &[], &OpKey::from("k")).unwrap();
        assert_eq!(ask.request.uri(), &*format!("/api/v2/tickets/7/{endpoint}"));
        assert_eq!(serde_json::from_slice::<Json>(ask.request.body()).unwrap(), body);
    }
}

#[test]
fn files_that_do_not_fit_together_are_named() {
    let small = mapping_with(json!({"attachments_bytes_max": 1_000}));
    let files = [file("a.txt", 900), file("b.txt", 200)];
    let ask = small.message(&id("7"), &public("hi", Mail::Send), None, &files, &OpKey::from("k")).unwrap();
    let head = String::from_utf8(ask.request.body().to_vec()).unwrap();
    assert!(
        head.contains("[attachment not copied: b.txt (") && head.contains("filename=\"a.txt\""),
        "{head}"
    );
    assert!(!head.contains("filename=\"b.txt\""));
    assert_eq!(ask.upload.iter().map(Content::len).max(), Some(900));
}

struct Nowhere;

impl Sink for Nowhere {
    fn take(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_expired_is_stale() {
    let attachment = Attachment {
        id: id("1"),
        name: text("a"),
        content_type: text("text/plain"),
        size: None,
        inline: false,
        at: text("https://acme.freshdesk.test/data/1?Expires=1"),
    };
    for (status, expected) in [(403, Err(Error::Stale)), (404, Err(Error::Stale)), (200, Ok(()))] {
        let (desk, script) = desk();
        script.expect("GET /data/1?Expires=1", status, "x");
        assert_eq!(desk.download(call(), &id("7"), &attachment, &mut Nowhere).await, expected, "{status}");
        script.finish();
    }
}
