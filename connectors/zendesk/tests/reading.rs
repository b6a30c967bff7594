//! Zendesk's JSON in canonical form.

use handoffd_core::{Comment, Priority, ReadBy};

use super::*;
use crate::{
    contract::FeedRow,
    zendesk::{
        map::{self, Reading},
        probe, wire,
    },
};

const EXPORT: &str = include_str!("../fixtures/export_page.json");
const COMMENTS: [&str; 2] =
    [include_str!("../fixtures/comments_1.json"), include_str!("../fixtures/comments_2.json")];
const TRIGGERS: &str = include_str!("../fixtures/triggers.json");

#[tokio::test(start_paused = true)]
async fn rows_are_read_one_by_one() {
    use crate::contract::{FeedStart, Helpdesk};
    let statuses = json!({"custom_statuses": [{"id": 123, "status_category": "hold", "default": false}]});
    let script = Script::new(vec![
        ("GET /api/v2/incremental/tickets/cursor.json?start_time=5&", ok(EXPORT)),
        // The page does not tell what 123 is.
        ("GET /api/v2/custom_statuses.json", ok_json(&statuses)),
    ]);
    let start = FeedStart::Since(Timestamp::from_secs(5));
    let page = adapter(&script).changes(call(), super::super::TICKETS, start).await.unwrap();
    let words = |row: &FeedRow| match row {
        FeedRow::Changed(seen) => format!("changed {}", seen.ticket),
        FeedRow::Gone(ticket) => format!("gone {ticket}"),
        FeedRow::Moved { from, to } => format!("moved {from} {to}"),
        FeedRow::Rated { ticket, .. } => format!("rated {ticket}"),
        FeedRow::Unreadable { id, what } => {
            format!("unreadable {}: {what}", id.as_ref().map_or("?", RemoteId::as_str))
        }
    };
    let rows: Vec<String> = page.rows.iter().map(words).collect();
    assert_eq!(
        rows,
        [
            "changed zd/35436",
            "changed zd/9007199254740993",
            "gone zd/35437",
            "gone zd/35438",
            "unreadable 35439: tickets[4].updated_at: not a time",
            "unreadable ?: tickets[5].not a ticket (Data at column 10)",
            "changed zd/35440",
        ]
    );
    assert_eq!((page.more, page.complete_until), (true, None));
    let FeedRow::Changed(first) = &page.rows[0] else { panic!("{:?}", page.rows[0]) };
    assert_eq!(first.version, Version(Timestamp::parse("2026-06-09T10:13:20Z").unwrap().0));
    assert_eq!((first.read_by, first.comment_count, &first.marker), (ReadBy::Feed, Some(4), &None));
    let requester = first.requester.as_ref().unwrap();
    assert_eq!((requester.email.as_deref(), requester.role), (Some("zoe@customer.test"), Role::Customer));
    let expected = Fields::from([
        (Field::Subject, Value::subject("Printer is on fire")),
        (Field::Status, Value::StatusDetail { status: Status::OnHold, detail: "123".to_owned() }),
        (Field::Priority, Value::Priority(Some(Priority::High))),
        (Field::Tags, tags(&["enterprise", "other_tag"])),
        (Field::Type, Value::Choice(Some("incident".to_owned()))),
        (Field::DueAt, Value::Time(None)),
        (Field::Requester, Value::Choice(Some("zoe@customer.test".to_owned()))),
        (Field::Assignee, Value::Owner(Some("235323".into()))),
        (Field::Group, Value::Owner(Some("98738".into()))),
    ]);
    assert_eq!(first.fields, expected);
}

fn row(ticket: &serde_json::Value) -> handoffd_core::Observed {
    let ticket: wire::Ticket = serde_json::from_value(ticket.clone()).unwrap();
    let account = AccountId::from("zd");
    let settings = settings();
    let statuses = crate::zendesk::statuses::Statuses::default();
    let dialect = map::Dialect { settings: &settings, custom: &[], statuses: &statuses };
    let reading = Reading { account: &account, dialect, by: ReadBy::Fetch, at: NOW };
    match map::row(&ticket, &map::People::new(), reading).unwrap() {
        map::Row::Shown(observed) => *observed,
        map::Row::Gone(ticket) => panic!("{ticket} is gone"),
    }
}

#[test]
fn nulls_say_nobody_and_absence_says_nothing() {
    let page: wire::ExportPage = serde_json::from_str(EXPORT).unwrap();
    let second = row(&serde_json::from_str(page.tickets[1].get()).unwrap());
    assert_eq!(second.marker, Some("l0123456789abcdef0123-7".into()));
    assert_eq!((second.requester, second.created_at), (None, Timestamp(second.version.0)));
    let expected = Fields::from([
        (Field::Subject, Value::subject("")),
        (Field::Priority, Value::Priority(None)),
        (Field::Assignee, Value::Owner(None)),
        (Field::Group, Value::Owner(None)),
    ]);
    assert_eq!(second.fields, expected, "an unknown status and null tags are not known");
    let last = row(&serde_json::from_str(page.tickets[6].get()).unwrap());
    assert_eq!(last.fields, Fields::from([(Field::Status, Value::Status(Status::Closed))]));
}

#[test]
fn another_systems_external_id_is_no_marker() {
    for theirs in ["CRM-7", "a b", "", &"x".repeat(81)] {
        let ticket = json!({"id": 1, "updated_at": "2026-06-09T10:13:20Z", "external_id": theirs});
        assert_eq!(row(&ticket).marker, None, "{theirs}");
    }
}

#[test]
fn comments_are_told_apart_by_author_and_by_public() {
    let mut shown = Vec::new();
    let mut people = map::People::new();
    for page in COMMENTS {
        let page: wire::CommentsPage = serde_json::from_str(page).unwrap();
        shown.extend(page.comments);
        people.extend(map::people(page.users));
    }
    let line = |comment: &Comment| {
        let mailed = matches!(comment, Comment::Public(public) if public.mailed);
        let role = if comment.author().role == Role::Customer { "customer" } else { "agent" };
        let public = if comment.is_public() { "public" } else { "private" };
        format!(
            "{} {public} {role} {mailed} {:?} {}",
            comment.id(),
            comment.body().text().unwrap(),
            comment.at()
        )
    };
    let lines = |requester: Option<&str>, settings: &Settings| -> Vec<String> {
        let requester = requester.map(RemoteId::from);
        map::comments(&shown, &people, requester.as_ref(), settings).iter().map(line).collect()
    };
    assert_eq!(
        lines(Some("20978392"), &settings()),
        [
            "1274 public customer false \"It burns.\\n\\nZoe\" 2026-06-09T10:00:00Z",
            "1275 public agent true \"Use water.\" 2026-06-09T10:05:00Z",
            "1276 private agent false \"Call of 3 minutes\" 2026-06-09T10:05:00Z",
            "1277 public customer false \"\" 2026-06-09T10:09:00Z",
            "1278 private agent false \"who?\" 2026-06-09T10:10:00Z",
        ]
    );
    let asked_by_agent = lines(Some("235323"), &settings());
    assert!(asked_by_agent[1].starts_with("1275 public customer false"), "an agent may be the requester");
    let mails_nothing = Settings { mails_public_replies: false, ..settings() };
    assert!(lines(None, &mails_nothing)[1].starts_with("1275 public agent false"));
}

#[test]
fn normalize_says_what_zendesk_will_show() {
    let settings = settings();
    let no_hold = Settings { has_hold_status: false, ..settings.clone() };
    let status = Value::Status;
    let rows = [
        (&settings, Field::Status, status(Status::New), status(Status::New)),
        (&settings, Field::Status, status(Status::OnHold), status(Status::OnHold)),
        (&no_hold, Field::Status, status(Status::OnHold), status(Status::Open)),
        (&settings, Field::Status, status(Status::Closed), status(Status::Solved)),
        (&settings, Field::Priority, Value::Priority(None), Value::Priority(None)),
        (&settings, Field::Subject, Value::Text(" two\nlines ".to_owned()), Value::subject("two lines")),
        (
            &settings,
            Field::Tags,
            tags(&[
                "VIP",
                "two  words",
                "c#",
                "a,b",
                "#!",
                "Größe",
                "ns:x/y-z_1",
                "v1.2+",
                "handoffd_quiet",
                " Handoffd Quiet",
            ]),
            tags(&["vip", "two_words", "c", "ab", "größe", "ns:x/y-z_1", "v1.2+"]),
        ),
        (&settings, Field::Tags, tags(&["İ", "ΑΣ"]), tags(&["i", "ας"])),
        (&settings, Field::Group, Value::Owner(Some("7".into())), Value::Owner(Some("7".into()))),
    ];
    for (settings, field, sent, shown) in rows {
        let once = map::normalize(&Fields::from([(field, sent)]), settings, &[]);
        assert_eq!(once, Fields::from([(field, shown)]));
        assert_eq!(map::normalize(&once, settings, &[]), once, "idempotent");
    }
}

#[test]
fn closed_is_never_written() {
    for status in Status::ALL {
        assert_ne!(map::status_word(status), "closed");
    }
}

#[test]
fn triggers_that_mail_twice_are_found() {
    let page: wire::TriggersPage = serde_json::from_str(TRIGGERS).unwrap();
    let loud = page.triggers.iter().filter(|trigger| probe::is_loud(trigger, "handoffd_quiet"));
    let loud: Vec<&str> = loud.map(|trigger| trigger.id.as_ref().unwrap().as_str()).collect();
    assert_eq!(loud, ["1", "3", "8"]);
}
