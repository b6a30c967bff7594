//! What Freshdesk shows, in canonical words.

use std::path::Path;

use handoffd_core::{Comment, Observed, Priority, ReadBy, Role, SUBJECT_CHARS_MAX, Status, Version};
use serde_json::{json, value::RawValue};

use super::*;
use crate::freshdesk::{feed::read_row, map::Read, wire};

fn shown(mapping: &Mapping, ticket: &wire::Ticket) -> Observed {
    match mapping.ticket(ticket, ReadBy::Fetch, NOW) {
        Ok(Read::Shown(observed)) => *observed,
        other => panic!("{other:?}"),
    }
}

/// `id | public or private | who | mailed | text`.
fn line(comment: &Comment) -> String {
    let kind = match comment {
        Comment::Public(comment) if comment.mailed => "public, mailed",
        Comment::Public(_) => "public",
        Comment::Private(_) => "private",
    };
    let author = comment.author();
    let who = author.id.as_ref().map_or("?", RemoteId::as_str);
    let role = if author.role == Role::Customer { "customer" } else { "agent" };
    format!("{} | {kind} | {role} {who} | {}", comment.id(), comment.body().text().unwrap())
}

#[test]
fn a_ticket_is_read_into_canonical_words() {
    let ticket: wire::Ticket = serde_json::from_str(include_str!("../fixtures/ticket.json")).unwrap();
    let observed = shown(&mapping(), &ticket);
    assert_eq!(observed.ticket, TicketKey::new("fd", "2345"));
    assert_eq!(observed.version, Version(1_795_334_401_000));
    assert_eq!(observed.created_at, Timestamp::from_secs(1_795_165_200));
    assert_eq!(observed.marker, Some(OpKey::from("l0a1b2-3")));
    assert_eq!(observed.requester.unwrap().email.as_deref(), Some("ann@example.test"));
    let expected = Fields::from([
        (Field::Subject, Value::subject("Cannot sign in")),
        (Field::Status, Value::Status(Status::Open)),
        (Field::Priority, Value::Priority(Some(Priority::Normal))),
        (Field::Tags, tags(&["vip"])),
        (Field::Assignee, Value::Owner(Some(id("7001")))),
        (Field::Group, Value::Owner(Some(id("8001")))),
        (Field::Type, Value::Choice(Some("Incident".to_owned()))),
        (Field::Requester, Value::Choice(Some("ann@example.test".to_owned()))),
    ]);
    assert_eq!(observed.fields, expected);
}

/// A body that is cut short takes nobody's ticket away.
#[test]
fn what_is_not_told_is_not_empty() {
    let read = |more: Json| {
        let mut body = json!({"id": 1, "updated_at": "2026-11-22T08:00:00Z"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        shown(&mapping(), &serde_json::from_value(body).unwrap()).fields
    };
    assert_eq!(read(json!({})), Fields::new());
    let nulls = read(json!({"subject": null, "responder_id": null, "group_id": null}));
    let expected = Fields::from([
        (Field::Subject, Value::subject("(no subject)")),
        (Field::Assignee, Value::Owner(None)),
        (Field::Group, Value::Owner(None)),
    ]);
    assert_eq!(nulls, expected);
}

#[test]
fn comments_say_who_may_read_them_and_who_was_mailed() {
    let ticket: wire::Ticket = serde_json::from_str(include_str!("../fixtures/ticket.json")).unwrap();
    let conversations = ticket.conversations.clone().unwrap();
    let comments = mapping().comments(&ticket, &conversations, &People::new()).unwrap();
    let expected = [
        "description | public | customer 43 | Hello,\nit says \"wrong password\".",
        "9001 | public, mailed | agent 7001 | Try a reset (https://acme.test/reset).",
        "9002 | public | customer 43 | It worked\n\nThanks",
        "9003 | private | agent 7001 | VIP, be nice",
        "9004 | public | agent 7001 | Public note",
        "9005 | private | agent 7001 | For the supplier",
        "9006 | public | customer ? | from nowhere",
        "9007 | public | customer 43 | [attachment: a.png]",
    ];
    assert_eq!(comments.iter().map(line).collect::<Vec<_>>(), expected);
    assert_eq!(comments[0].author().name, "Ann");
    assert_eq!(comments[6].author().email.as_deref(), Some("bob@example.test"));
    assert_eq!(comments[6].at(), Timestamp::parse("2026-11-20T09:10:00Z").unwrap());
}

#[test]
fn a_description_is_not_told_twice() {
    let read = |ticket: Json, conversations: Json| {
        let ticket: wire::Ticket = serde_json::from_value(ticket).unwrap();
        let conversations: Vec<wire::Conversation> = serde_json::from_value(conversations).unwrap();
        let comments = mapping().comments(&ticket, &conversations, &People::new()).unwrap();
        comments.iter().map(line).collect::<Vec<_>>()
    };
    let ticket = |source: i64, text: &str| {
        json!({"id": 1, "source": source, "requester_id": 43, "description": text,
               "created_at": "2026-11-20T09:00:00Z", "updated_at": "2026-11-20T09:00:00Z"})
    };
    let said = |id: i64, text: &str, at: &str| json!({"id": id, "user_id": 43, "incoming": true, "body": text, "created_at": at});
    let first = said(5, "<p>Hi  there</p>", "2026-11-20T09:00:00Z");
    let second = said(6, "<p>Hi there</p>", "2026-11-20T09:00:05Z");
    let opening = "description | public | customer 43 | Hi there".to_owned();
    let again = |id: &str| format!("{id} | public | customer 43 | Hi there");
    // Out of order, and one of them twice, as moving pages give them.
    let rows = json!([second, first, second]);
    assert_eq!(read(ticket(15, "<div>Hi there</div>"), rows.clone()), [opening.clone(), again("6")]);
    assert_eq!(read(ticket(1, "<div>Hi there</div>"), rows), [opening, again("5"), again("6")]);
    let filler = "<div>This conversation began with internal notes only.</div>";
    assert_eq!(read(ticket(2, filler), json!([first])), [again("5")]);
    assert_eq!(read(ticket(2, " "), json!([first])), [again("5")]);
    let outbound = read(ticket(10, "<div>We found this</div>"), json!([]));
    assert_eq!(outbound, ["description | public, mailed | customer 43 | We found this"]);
}

#[test]
fn an_unreadable_conversation_is_named_and_not_left_out() {
    let ticket: wire::Ticket =
        serde_json::from_value(json!({"id": 1, "created_at": "2026-11-20T09:00:00Z"})).unwrap();
    let rows = [
        (json!([{"id": 5, "created_at": "soon"}]), "conversations[0].created_at: not a time"),
        (
            json!([{"id": 5, "created_at": "2026-11-20T09:00:00Z"}, {"body": "secret"}]),
            "conversations[1].id: not a number",
        ),
    ];
    for (conversations, expected) in rows {
        let conversations: Vec<wire::Conversation> = serde_json::from_value(conversations).unwrap();
        assert_eq!(mapping().comments(&ticket, &conversations, &People::new()), Err(expected.to_owned()));
    }
}

#[test]
fn rows_of_a_list_are_read_one_by_one() {
    let rows: Vec<Box<RawValue>> = serde_json::from_str(include_str!("../fixtures/tickets.json")).unwrap();
    let mapping = mapping_with(json!({"statuses": {"6": "on_hold"}}));
    let read: Vec<Result<Read, String>> = rows
        .iter()
        .map(|row| read_row(row).and_then(|ticket| mapping.ticket(&ticket, ReadBy::Feed, NOW)))
        .collect();
    let Ok(Read::Shown(first)) = &read[0] else { panic!("{:?}", read[0]) };
    assert_eq!(first.fields[&Field::Tags], tags(&["Billing", "vip"]));
    assert_eq!((first.marker.as_ref(), first.comment_count), (None, None));
    let Ok(Read::Shown(odd)) = &read[1] else { panic!("{:?}", read[1]) };
    assert_eq!(odd.ticket.id, id("2346"));
    assert_eq!(odd.version, Version(1_795_334_402_000), "offsets are read");
    let expected = Fields::from([
        (Field::Subject, Value::subject("(no subject)")),
        (Field::Status, Value::Status(Status::OnHold)),
        (Field::Assignee, Value::Owner(Some(id("7001")))),
        (Field::Group, Value::Owner(Some(id("8001")))),
    ]);
    assert_eq!(odd.fields, expected, "what is null is not known");
    let words: Vec<&str> = [2, 3, 5].map(|at| read[at].as_ref().unwrap_err().as_str()).to_vec();
    assert_eq!(words, ["updated_at: not a time", "tags: not of the expected kind", "id: not a number"]);
    assert!(matches!(&read[4], Ok(Read::Gone(key)) if key.id == id("2349")));
}

#[test]
fn normalize_says_what_freshdesk_shows() {
    let subject = |text: &str| (Field::Subject, Value::Text(text.to_owned()));
    let status = |status| (Field::Status, Value::Status(status));
    let priority = |priority| (Field::Priority, Value::Priority(priority));
    let owner = (Field::Assignee, Value::Owner(Some(id("7001"))));
    let (long, cut) = ("é".repeat(SUBJECT_CHARS_MAX), "é".repeat(255));
    let spaced = format!("{} {}", "a".repeat(254), "b".repeat(9));
    let tag33 = "t".repeat(33);
    let rows = [
        (subject("Hi"), subject("Hi")),
        (subject("  two\nlines "), subject("two lines")),
        (subject(""), subject("(no subject)")),
        (subject(&long), subject(&cut)),
        (subject(&spaced), subject(&"a".repeat(254))),
        (status(Status::New), status(Status::Open)),
        (status(Status::Open), status(Status::Open)),
        (status(Status::Pending), status(Status::Pending)),
        (status(Status::OnHold), status(Status::Pending)),
        (status(Status::Solved), status(Status::Solved)),
        (status(Status::Closed), status(Status::Closed)),
        (priority(None), priority(Some(Priority::Low))),
        (priority(Some(Priority::Urgent)), priority(Some(Priority::Urgent))),
        (
            (Field::Tags, tags(&["VIP", " vip ", "", &tag33, &tag33[1..]])),
            (Field::Tags, tags(&["VIP", "vip", &tag33[1..]])),
        ),
        (owner.clone(), owner),
    ];
    let plain = mapping();
    for (from, to) in rows {
        let (from, to) = (Fields::from([from]), Fields::from([to]));
        assert_eq!(plain.normalize(&from), to, "{from:?}");
        assert_eq!(plain.normalize(&to), to, "idempotent");
    }
    assert_eq!(plain.normalize(&Fields::new()), Fields::new(), "nothing is made up");
    let own = mapping_with(json!({"default_priority": "high", "statuses": {"7": "on_hold", "2": "new"}}));
    for status in Status::ALL {
        let once = own.normalize(&Fields::from([(Field::Status, Value::Status(status))]));
        assert_eq!(own.normalize(&once), once);
    }
    let shown = |from| own.normalize(&Fields::from([from])).into_values().next().unwrap();
    assert_eq!(shown(status(Status::OnHold)), Value::Status(Status::OnHold));
    assert_eq!(shown(status(Status::Open)), Value::Status(Status::New));
    assert_eq!(shown(priority(None)), Value::Priority(Some(Priority::High)));
}

/// What a vendor shows after a write is what `normalize` said, for every value.
#[test]
fn what_is_written_reads_back_normalized() {
    for settings in [json!({}), json!({"statuses": {"6": "pending", "7": "on_hold", "9": "new"}})] {
        let mapping = mapping_with(settings);
        for status in Status::ALL {
            for priority in Priority::ALL.map(Some).into_iter().chain([None]) {
                let fields = Fields::from([
                    (Field::Subject, Value::subject("  Ünï  <b>code</b> ")),
                    (Field::Status, Value::Status(status)),
                    (Field::Priority, Value::Priority(priority)),
                    (Field::Tags, tags(&["One two", "x", &"y".repeat(40)])),
                    (Field::Assignee, Value::Owner(None)),
                    (Field::Group, Value::Owner(Some(id("8001")))),
                ]);
                let ask =
                    mapping.set_fields(&id("7"), &fields, crate::freshdesk::fields::Due::Alone).unwrap();
                let mut answer: Json = serde_json::from_slice(ask.request.body()).unwrap();
                answer["id"] = 7.into();
                answer["updated_at"] = "2026-11-22T08:00:01Z".into();
                let ticket: wire::Ticket = serde_json::from_value(answer).unwrap();
                assert_eq!(shown(&mapping, &ticket).fields, mapping.normalize(&fields));
            }
        }
    }
}

/// Sample bodies of others, which are not ours to copy: `HANDOFFD_SAMPLES`
/// names a folder that holds `freshdesk/ticket_1.json` and the like.
#[test]
fn bodies_of_others_are_read() {
    let Some(folder) =
        std::env::var_os("HANDOFFD_SAMPLES").map(|folder| Path::new(&folder).join("freshdesk"))
    else {
        eprintln!("Skipped: HANDOFFD_SAMPLES names no folder of sample bodies.");
        return;
    };
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let mut tickets = 0;
    for name in ["ticket_1.json", "ticket_1_updated.json", "outbound_email_1.json"] {
        let ticket: wire::Ticket = serde_json::from_str(&text(name)).unwrap();
        let observed = shown(&mapping(), &ticket);
        assert!(observed.fields.len() >= 9, "{name}: {:?}", observed.fields.keys());
        assert_eq!(mapping().comments(&ticket, &[], &People::new()).unwrap().len(), 1, "{name}");
        tickets += 1;
    }
    let rows: Vec<wire::Ticket> = serde_json::from_str(&text("all_tickets.json")).unwrap();
    for row in &rows {
        assert_eq!(shown(&mapping(), row).fields[&Field::Status], Value::Status(Status::Open));
        tickets += 1;
    }
    let rows: Vec<wire::Conversation> = serde_json::from_str(&text("conversations.json")).unwrap();
    let ticket: wire::Ticket = serde_json::from_str(&text("ticket_1.json")).unwrap();
    let comments = mapping().comments(&ticket, &rows, &People::new()).unwrap();
    let kinds: Vec<bool> = comments.iter().map(Comment::is_public).collect();
    assert_eq!((tickets, kinds), (4, vec![true, false, true]));
    for name in ["note_1.json", "reply_1.json"] {
        let made: wire::Conversation = serde_json::from_str(&text(name)).unwrap();
        assert!(made.id.id().is_some(), "{name}");
    }
    for name in ["contact.json", "contact_1_agent.json"] {
        let contact: wire::Person = serde_json::from_str(&text(name)).unwrap();
        assert_eq!((contact.id.id(), contact.deleted.flag()), (Some(id("1")), false), "{name}");
    }
    let agent: wire::Agent = serde_json::from_str(&text("agent_1.json")).unwrap();
    assert_eq!(agent.contact.unwrap().name.text().as_deref(), Some("Rachel"));
    let ratable = mapping().comments(&ticket, &rows, &People::new()).unwrap();
    assert_eq!(ratable[0].attachments().len(), 1, "the description's file");
    let groups: Vec<wire::Group> = serde_json::from_str(&text("groups.json")).unwrap();
    assert!(groups.iter().all(|group| group.id.id().is_some() && group.name.text().is_some()));
    let found: wire::Found = serde_json::from_str(&text("search_tickets.json")).unwrap();
    assert!(found.total.whole().is_some());
    let agents: Vec<wire::Agent> = serde_json::from_str(&text("agents.json")).unwrap();
    assert!(agents.iter().all(|agent| agent.id.id().is_some()));
}
