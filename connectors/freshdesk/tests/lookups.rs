//! Writes whose answer was lost.

use handoffd_core::{
    Status,
    intent::{Applied, Create, EditNote, NewTicket, Unset},
};
use serde_json::json;

use super::*;
use crate::contract::{Attempted, Error, Helpdesk, Result};

const ME: &str = "GET /api/v2/agents/me";
const TICKET: &str = "GET /api/v2/tickets/2345?include=requester,conversations";
const PUT: &str = "PUT /api/v2/tickets/2345";

async fn look(
    desk: &Desk,
    intent: &Intent,
    author: Option<&str>,
    claimed: &[&str],
) -> Result<Option<Applied>> {
    let claimed: BTreeSet<RemoteId> = claimed.iter().map(|text| id(text)).collect();
    let author = author.map(id);
    let lost = Attempted { intent, sent_at: NOW, claimed: &claimed, author: author.as_ref() };
    desk.find_applied(call(), lost).await
}

fn said(id: i64, user: i64, private: bool, text: &str, at: &str) -> Json {
    json!({"id": id, "user_id": user, "incoming": user == 43, "private": private, "source": if private { 2 } else { 0 },
           "body": format!("<div>{text}</div>"), "created_at": format!("2026-11-22T{at}Z")})
}

fn ticket(status: i64, conversations: &[Json]) -> String {
    json!({"id": 2345, "subject": "x", "status": status, "priority": 1, "requester_id": 43,
           "description": "<div>Hi</div>", "tags": [], "created_at": "2026-11-22T07:59:59Z",
           "updated_at": "2026-11-22T08:00:09Z", "conversations": conversations})
    .to_string()
}

fn found(applied: Result<Option<Applied>>) -> Option<String> {
    applied.unwrap().map(|applied| applied.comment.unwrap().0)
}

#[tokio::test(start_paused = true)]
async fn a_lost_message_is_found_by_author_time_kind_and_text() {
    let conversations = [
        said(1, 7009, false, "Hi", "07:50:00"),
        said(2, 7009, true, "Hi", "08:00:01"),
        said(3, 7001, false, "Hi", "08:00:01"),
        said(4, 43, false, "Hi", "08:00:02"),
        said(5, 7009, false, "Hi  you", "08:00:03"),
        said(6, 7009, false, "  Hi", "08:00:04"),
        said(7, 7009, false, "Hi", "08:00:05"),
        said(8, 7009, true, "Brief<br><br>[ref l0a1b2-7]", "08:00:06"),
        said(9, 7009, true, "Brief<br><br>[ref l0a1b2-70]", "08:00:06"),
    ];
    let agent = Person { role: handoffd_core::Role::Agent, ..Person::customer("Bo", "bo@x.test") };
    let public = |text| public(text, Mail::Silent);
    // What was lost, its author, the comments that are accounted for, and what is found.
    type Row<'a> = (Message, Option<&'a str>, &'a [&'a str], Option<&'a str>);
    let rows: Vec<Row> = vec![
        (public("Hi"), None, &[], Some("6")),
        (public("Hi"), None, &["6"], Some("7")),
        (public("Hi"), None, &["6", "7"], None),
        (public("Hi you"), None, &[], Some("5")),
        (public("Hi"), Some("43"), &[], Some("4")),
        (public("Hi"), Some("43"), &["4"], Some("6")),
        (private("Hi", Some(agent.clone())), None, &[], Some("2")),
        (private("Brief", None), None, &[], Some("8")),
        (private("Cut by the vendor", None), None, &[], Some("8")),
        (private("Brief", None), None, &["8"], None),
        (private("Brief", Some(agent)), None, &[], None),
        (public("Something else"), None, &[], None),
    ];
    let (desk, script) = desk();
    script.expect(ME, 200, include_str!("../fixtures/agent_me.json"));
    for (at, (message, author, claimed, expected)) in rows.into_iter().enumerate() {
        script.expect(TICKET, 200, ticket(2, &conversations));
        let intent = update(Fields::new(), Some(message));
        let applied = look(&desk, &intent, author, claimed).await;
        assert_eq!(found(applied).as_deref(), expected, "row {at}");
    }
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn text_that_html_changes_is_found_all_the_same() {
    let text = "a < b & c\n\n  <b>no</b>\ttab\u{200b} *x* \u{a0}end";
    let (desk, script) = desk();
    let shown = crate::html::from_text(text);
    let mut row = said(5, 7009, false, "", "08:00:01");
    row["body"] = shown.into();
    script.expect(ME, 200, include_str!("../fixtures/agent_me.json")).expect(TICKET, 200, ticket(2, &[row]));
    let applied = look(&desk, &update(Fields::new(), Some(public(text, Mail::Send))), None, &[]).await;
    assert_eq!(found(applied).as_deref(), Some("5"));
}

fn pending() -> Fields {
    Fields::from([(Field::Status, Value::Status(Status::Pending))])
}

#[tokio::test(start_paused = true)]
async fn fields_behind_a_found_message_are_set_again() {
    let me = include_str!("../fixtures/agent_me.json");
    let there = [said(5, 7009, false, "Hi", "08:00:01")];
    let both = || update(pending(), Some(public("Hi", Mail::Send)));
    let (desk, script) = desk();
    script.expect(ME, 200, me).expect(TICKET, 200, ticket(3, &there));
    assert_eq!(found(look(&desk, &both(), None, &[]).await).as_deref(), Some("5"), "both are there");

    script.expect(TICKET, 200, ticket(2, &there)).expect(PUT, 200, ticket(3, &[]));
    let applied = look(&desk, &both(), None, &[]).await.unwrap().unwrap();
    assert_eq!(applied.comment, Some(id("5")));
    assert_eq!(applied.shown.unwrap().fields[&Field::Status], Value::Status(Status::Pending));

    script.expect(TICKET, 200, ticket(2, &there)).expect(PUT, 400, "");
    assert_eq!(
        found(look(&desk, &both(), None, &[]).await).as_deref(),
        Some("5"),
        "refused fields lose no message"
    );

    script.expect(TICKET, 200, ticket(2, &there)).expect(PUT, 403, "");
    let later = look(&desk, &both(), None, &[]).await.unwrap().unwrap();
    assert!(matches!(later.unset, Some(Unset::Later(_))), "{later:?}");
    assert_eq!(later.comment, Some(id("5")), "what is there is there");

    script.expect(TICKET, 200, ticket(2, &[]));
    assert_eq!(look(&desk, &both(), None, &[]).await, Ok(None), "without the message nothing is set");
    let sent = script.finish();
    assert_eq!(sent.iter().filter(|body| **body == json!({"status": 3})).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn fields_alone_are_compared() {
    let (desk, script) = desk();
    script
        .expect(ME, 200, include_str!("../fixtures/agent_me.json"))
        .expect(TICKET, 200, ticket(3, &[]))
        .expect(TICKET, 200, ticket(2, &[]))
        .expect(TICKET, 404, "");
    let fields = update(pending(), None);
    assert!(look(&desk, &fields, None, &[]).await.unwrap().is_some());
    assert_eq!(look(&desk, &fields, None, &[]).await, Ok(None));
    assert_eq!(look(&desk, &fields, None, &[]).await, Err(Error::Gone));
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn a_lost_creation_is_found_by_its_marker() {
    let list =
        "GET /api/v2/tickets?email=ann%40example.test&order_by=created_at&order_type=desc&per_page=100";
    let opening = public_message("Hi", Mail::Silent);
    let ticket = NewTicket {
        requester: Person::customer("Ann", "ann@example.test"),
        opening: Some(opening),
        fields: Fields::new(),
        follows: None,
        import: None,
    };
    let create =
        |ticket| Intent::Create(Create { at: AccountId::from("fd"), ticket, key: OpKey::from("l0a1b2-0") });
    let row = |id: i64, marker: Json| json!({"id": id, "status": 2, "priority": 1, "updated_at": "2026-11-22T08:00:01Z", "custom_fields": {"cf_handoff_key": marker}});
    let rows = json!([row(5, Json::Null), {"id": [], "tags": "odd"}, row(6, "l0a1b2-00".into()), row(7, "l0a1b2-0".into())]);
    let (desk, script) = desk();
    script
        .expect(list, 200, rows.to_string())
        .expect(list, 200, "[]")
        .expect(list, 400, "")
        .expect(list, 403, "");
    let intent = create(ticket.clone());
    let applied = look(&desk, &intent, None, &[]).await.unwrap().unwrap();
    assert_eq!((applied.ticket, applied.comment), (TicketKey::new("fd", "7"), Some(id("description"))));
    assert_eq!(look(&desk, &intent, None, &[]).await, Ok(None));
    assert_eq!(look(&desk, &intent, None, &[]).await, Ok(None), "nobody has that address");
    assert!(matches!(look(&desk, &intent, None, &[]).await, Err(Error::Forbidden { .. })));
    script.expect(list, 200, rows.to_string());
    let bare = create(NewTicket { opening: None, ..ticket });
    assert_eq!(look(&desk, &bare, None, &[]).await.unwrap().unwrap().comment, None);
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn a_lost_edit_is_seen_or_made_again() {
    let edit = Intent::EditNote(EditNote {
        at: TicketKey::new("fd", "2345"),
        comment: id("8"),
        message: note("Longer", None),
        key: OpKey::from("l0a1b2-9"),
    });
    let there = |text: &str| ticket(2, &[said(8, 7009, true, text, "08:00:01")]);
    let put = "PUT /api/v2/conversations/8";
    let (desk, script) = desk();
    script
        .expect(TICKET, 200, there("Longer<br><br>[ref l0a1b2-9]"))
        .expect(TICKET, 200, there("Short<br><br>[ref l0a1b2-7]"))
        .expect(put, 200, r#"{"id":8}"#)
        .expect(TICKET, 200, ticket(2, &[]))
        .expect(put, 404, "");
    assert_eq!(found(look(&desk, &edit, None, &[]).await).as_deref(), Some("8"));
    assert_eq!(found(look(&desk, &edit, None, &[]).await).as_deref(), Some("8"));
    let gone = look(&desk, &edit, None, &[]).await;
    assert!(matches!(gone, Err(Error::Refused { .. })), "the note is gone, the ticket is not: {gone:?}");
    script.finish();
}
