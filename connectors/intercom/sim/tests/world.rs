//! What people do, and what they see.

use std::collections::BTreeSet;

use handoffd_core::{Field, FieldKind, Priority, Status, Typed, Value as Canonical};

use super::*;
use crate::sim::SimFile;

#[test]
fn a_conversation_of_people() {
    let mut desk = Desk::new();
    let id = desk.opened(true);
    assert_eq!(desk.shown(id.as_str()).assignee.as_deref(), Some("bot"));
    desk.say(&id, Who::Bot, "Have you tried turning it off?", true).unwrap();
    desk.say(&id, Who::Agent("Maya".to_owned()), "I take this", false).unwrap();
    assert!(desk.say(&id, Who::Customer, "psst", false).is_err());
    desk.say(&id, Who::Customer, "Yes\n\nStill", true).unwrap();
    desk.say(&id, Who::Agent("Maya".to_owned()), "Sorry", true).unwrap();
    let shown = desk.shown(id.as_str());
    let seen: Vec<(&str, bool, bool)> = shown
        .comments
        .iter()
        .map(|comment| (comment.text.as_str(), comment.public, comment.by_customer))
        .collect();
    assert_eq!(
        seen,
        [
            ("It <leaks>.\nBadly & often.", true, true),
            ("Have you tried turning it off?", true, false),
            ("I take this", false, false),
            ("Yes\n\nStill", true, true),
            ("Sorry", true, false),
        ]
    );
    assert_eq!((shown.subject.as_str(), shown.requester.as_str()), ("Broken kettle", "ada@example.com"));
    let read = desk.get(&format!("conversations/{id}"));
    assert_eq!(shown.comments[0].id.as_str(), read.body["source"]["id"]);
    assert_eq!((&read.body["source"]["type"], &read.body["title"]), (&json!("email"), &Value::Null));
    assert_eq!(read.body["source"]["subject"], "<p>Broken kettle</p>");
    assert_eq!(read.body["admin_assignee_id"].to_string(), desk.sim.bot_marks().0[0].as_str());
    assert_eq!(read.body["team_assignee_id"].to_string(), desk.sim.bot_marks().1[0].as_str());
    assert_eq!(
        (&read.body["ai_agent_participated"], &read.parts()[1]["app_package_code"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(desk.sim.mails_sent().len(), 1, "the person's reply is mailed, nothing else");
}

#[test]
fn people_change_fields() {
    let mut desk = Desk::new();
    let id = desk.opened(false);
    let now = desk.at();
    let mut act = |act: HumanAct| desk.sim.human(act, now);
    let ticket = || id.clone();
    act(HumanAct::SetSubject { ticket: ticket(), subject: "New".to_owned() }).unwrap();
    act(HumanAct::SetPriority { ticket: ticket(), priority: Some(Priority::High) }).unwrap();
    for priority in [Priority::Low, Priority::Urgent] {
        assert!(act(HumanAct::SetPriority { ticket: ticket(), priority: Some(priority) }).is_err());
    }
    for status in [Status::New, Status::OnHold, Status::Closed] {
        assert!(act(HumanAct::SetStatus { ticket: ticket(), status }).is_err(), "{status:?}");
    }
    act(HumanAct::SetStatus { ticket: ticket(), status: Status::Pending }).unwrap();
    let tags = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    act(HumanAct::Tag { ticket: ticket(), add: tags(&["b", "a"]), remove: Vec::new() }).unwrap();
    act(HumanAct::Tag { ticket: ticket(), add: tags(&["c"]), remove: tags(&["b"]) }).unwrap();
    act(HumanAct::Assign { ticket: ticket(), to: Some(Who::Agent("Maya".to_owned())) }).unwrap();
    assert!(act(HumanAct::Assign { ticket: ticket(), to: Some(Who::Customer) }).is_err());
    let shown = desk.shown(id.as_str());
    assert_eq!((shown.subject.as_str(), shown.status), ("New", Status::Pending));
    assert_eq!((shown.priority, shown.tags), (Some(Priority::High), tags(&["a", "c"])));
    assert_eq!(shown.assignee.as_deref(), Some("Maya"));
    let read = desk.get(&format!("conversations/{id}"));
    assert_eq!((&read.body["priority"], &read.body["state"]), (&json!("priority"), &json!("snoozed")));
    desk.now += 24 * 3_600;
    desk.get("me");
    assert_eq!(desk.shown(id.as_str()).status, Status::Open, "the snooze is over");
    let now = desk.at();
    desk.sim.human(HumanAct::SetStatus { ticket: id.clone(), status: Status::Solved }, now).unwrap();
    assert_eq!(desk.get(&format!("conversations/{id}")).body["open"], false);
    desk.say(&id, Who::Customer, "Not solved", true).unwrap();
    assert_eq!(desk.shown(id.as_str()).status, Status::Open);
    desk.sim.human(HumanAct::SetPriority { ticket: id.clone(), priority: None }, now).unwrap();
    assert_eq!(desk.shown(id.as_str()).priority, Some(Priority::Normal));
    desk.sim.human(HumanAct::Delete { ticket: id.clone() }, now).unwrap();
    assert!(desk.shown(id.as_str()).deleted);
    assert!(desk.say(&id, Who::Bot, "x", true).is_err());
}

#[test]
fn people_work_on_tickets_too() {
    let mut desk = Desk::new();
    let id = desk.submitted("Kettle");
    let shown = desk.shown(id.as_str());
    assert_eq!((shown.subject.as_str(), shown.status, shown.priority), ("Kettle", Status::New, None));
    assert_eq!((shown.comments[0].id.as_str(), shown.comments[0].text.as_str()), ("description", "Help"));
    let now = desk.at();
    let mut act = |act: HumanAct| desk.sim.human(act, now);
    act(HumanAct::SetSubject { ticket: id.clone(), subject: "New".to_owned() }).unwrap();
    assert!(act(HumanAct::SetPriority { ticket: id.clone(), priority: Some(Priority::High) }).is_err());
    assert!(act(HumanAct::SetStatus { ticket: id.clone(), status: Status::Closed }).is_err());
    for status in [Status::Open, Status::Pending, Status::Solved] {
        desk.sim.human(HumanAct::SetStatus { ticket: id.clone(), status }, now).unwrap();
        assert_eq!(desk.shown(id.as_str()).status, status);
    }
    desk.say(&id, Who::Customer, "Thanks", true).unwrap();
    let shown = desk.shown(id.as_str());
    assert_eq!((shown.subject.as_str(), shown.comments[1].text.as_str()), ("New", "Thanks"));
}

#[test]
fn people_see_what_the_api_wrote() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    desk.put(&format!("conversations/{id}"), json!({"title": "Kettle"}));
    desk.reply(&id, "note", "<p>one</p><p>two</p><ul><li>a</li><li>b</li></ul>");
    let shown = desk.shown(&id);
    assert_eq!(shown.subject, "Kettle");
    assert_eq!(shown.comments[1].text, "one\n\ntwo\n\na\nb");
    assert!(!shown.comments[1].public);
}

#[test]
fn text_keeps_the_lines_that_markup_makes() {
    let cases = [
        ("<p>a<br>b</p>", "a\nb"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<p>a<br><br>b</p>", "a\n\nb"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("a &lt;b&gt; &#39;c&#x27; &copy;", "a <b> 'c' &copy;"),
        ("a < b", "a < b"),
        ("<p>a\nb</p>", "a b"),
        ("<", "<"),
        ("", ""),
    ];
    for (html, text) in cases {
        assert_eq!(super::super::html::to_text(html), text, "{html}");
    }
    let typed = "1 < 2 & 3\n\nend";
    assert_eq!(super::super::html::to_text(&super::super::html::from_plain(typed)), typed);
}

#[test]
fn people_write_with_markup_and_files() {
    let mut desk = Desk::new();
    let id = desk.opened(false);
    let file = |name: &str| SimFile {
        name: name.to_owned(),
        content_type: "image/png".to_owned(),
        bytes: name.as_bytes().to_vec(),
    };
    let act = HumanAct::SayRich {
        ticket: id.clone(),
        who: Who::Customer,
        html: "<p>See <b>this</b>: <img src=\"cid:a.png\"><img src=\"cid:none\"></p>".to_owned(),
        public: true,
        files: vec![file("a.png"), file("b.png")],
    };
    let now = desk.at();
    desk.sim.human(act, now).unwrap();
    let read = desk.get(&format!("conversations/{id}"));
    let part = &read.parts()[0];
    let address = part["attachments"][0]["url"].as_str().unwrap();
    let body = part["body"].as_str().unwrap();
    assert!(body.contains(&format!("<img src=\"{}\">", address.replace('&', "&amp;"))), "{body}");
    assert_eq!(part["attachments"][1]["name"], "b.png");
    let plain = desk.get(&format!("conversations/{id}?display_as=plaintext"));
    assert_eq!(plain.parts()[0]["body"], "See this: ");
    let shown = desk.shown(id.as_str()).comments.remove(1);
    assert_eq!((shown.author.as_str(), shown.at), ("Ada", now));
    assert_eq!(shown.files, [file("a.png"), file("b.png")]);
    assert!(shown.html.starts_with("<p>See <b>this</b>: <img src="));
}

#[test]
fn people_make_and_fill_in_attributes() {
    let mut desk = Desk::new();
    let (id, ticket) = (desk.opened(false), desk.submitted("x"));
    let now = desk.at();
    let kinds = [
        ("Note", FieldKind::Text, vec![], Typed::Text("x".to_owned()), "x"),
        ("Weight", FieldKind::Number, vec![], Typed::Number("-1.5".to_owned()), "-1.5"),
        ("Fragile", FieldKind::Boolean, vec![], Typed::Boolean(true), "true"),
        ("Bought", FieldKind::Date, vec![], Typed::Date("2026-11-20".to_owned()), "2026-11-20"),
        ("Colour", FieldKind::Choice, vec!["Red", "Blue"], Typed::Choice("Blue".to_owned()), "Blue"),
    ];
    for (title, kind, options, value, words) in kinds {
        let options = options.into_iter().map(str::to_owned).collect();
        let made =
            desk.sim.human(HumanAct::MakeField { title: title.to_owned(), kind, options }, now).unwrap();
        assert_eq!(made.as_str(), title);
        for ticket in [&id, &ticket] {
            let set = |value| HumanAct::SetCustom { ticket: ticket.clone(), native: title.to_owned(), value };
            desk.sim.human(set(Some(value.clone())), now).unwrap();
            assert_eq!(desk.shown(ticket.as_str()).custom[title], words);
            desk.sim.human(set(None), now).unwrap();
            assert!(!desk.shown(ticket.as_str()).custom.contains_key(title));
            desk.sim.human(set(Some(value.clone())), now).unwrap();
        }
    }
    let read = desk.get(&format!("conversations/{id}"));
    assert_eq!(read.body["custom_attributes"]["Bought"], 1_795_132_800);
    assert_eq!(
        desk.get(&format!("tickets/{}", &ticket.as_str()[1..])).body["ticket_attributes"]["Colour"],
        "Blue"
    );
    let wrong = Some(Typed::Choice("Green".to_owned()));
    let wrong = HumanAct::SetCustom { ticket: id.clone(), native: "Colour".to_owned(), value: wrong };
    assert!(desk.sim.human(wrong, now).is_err());
    let many =
        HumanAct::MakeField { title: "Many".to_owned(), kind: FieldKind::Choices, options: Vec::new() };
    assert!(desk.sim.human(many, now).is_err());
}

#[test]
fn states_can_be_made_for_tickets_only() {
    let mut desk = Desk::new();
    let (id, ticket) = (desk.opened(false), desk.submitted("x"));
    let now = desk.at();
    let make = HumanAct::MakeStatus { label: "With supplier".to_owned(), status: Status::Pending };
    let state = desk.sim.human(make, now).unwrap().to_string();
    assert_eq!(desk.shown(ticket.as_str()).status_detail, None);
    let set = |ticket: &RemoteId| HumanAct::SetStatusDetail { ticket: ticket.clone(), native: state.clone() };
    desk.sim.human(set(&ticket), now).unwrap();
    let shown = desk.shown(ticket.as_str());
    assert_eq!((shown.status, shown.status_detail.as_deref()), (Status::Pending, Some(state.as_str())));
    assert_eq!(shown.kind.as_deref(), Some("Support request"));
    let read = desk.get(&format!("tickets/{}", &ticket.as_str()[1..]));
    assert_eq!(read.body["ticket_state"]["internal_label"], "With supplier");
    assert!(desk.sim.human(set(&id), now).is_err());
    let held = HumanAct::MakeStatus { label: "x".to_owned(), status: Status::OnHold };
    assert!(desk.sim.human(held, now).is_err());
}

#[test]
fn people_in_copy_are_customers_who_take_part() {
    let mut desk = Desk::new();
    let id = desk.opened(false);
    desk.listen();
    let now = desk.at();
    let copy = |emails: &[&str]| HumanAct::SetField {
        ticket: id.clone(),
        field: Field::Ccs,
        value: Canonical::Tags(emails.iter().map(|email| (*email).to_owned()).collect::<BTreeSet<_>>()),
    };
    desk.sim.human(copy(&["b@example.com", "a@example.com"]), now).unwrap();
    assert_eq!(desk.shown(id.as_str()).ccs, ["a@example.com", "b@example.com"]);
    desk.sim.human(copy(&["b@example.com"]), now).unwrap();
    assert_eq!(desk.shown(id.as_str()).ccs, ["b@example.com"]);
    let attached = "conversation.contact.attached";
    let detached = "conversation.contact.detached";
    let topics = desk.topics();
    assert_eq!(topics, [attached, attached, detached]);
    let kind = HumanAct::SetField { ticket: id.clone(), field: Field::Type, value: Canonical::Choice(None) };
    assert!(desk.sim.human(kind, now).is_err());
}

#[test]
fn people_redact_and_nobody_hides_edits_merges_or_marks() {
    let mut desk = Desk::new();
    let id = desk.opened(false);
    desk.say(&id, Who::Customer, "my card number", true).unwrap();
    let now = desk.at();
    for comment in desk.shown(id.as_str()).comments {
        let act = HumanAct::Redact { ticket: id.clone(), comment: comment.id };
        desk.sim.human(act, now).unwrap();
    }
    assert!(desk.shown(id.as_str()).comments.iter().all(|one| one.text == "This message was deleted"));
    let comment = RemoteId::from("1");
    let refused = [
        HumanAct::Redact { ticket: id.clone(), comment: comment.clone() },
        HumanAct::Hide { ticket: id.clone(), comment: comment.clone() },
        HumanAct::Edit { ticket: id.clone(), comment, text: "x".to_owned() },
        HumanAct::Merge { ticket: id.clone(), into: id.clone() },
        HumanAct::Spam { ticket: id },
    ];
    for act in refused {
        assert!(desk.sim.human(act.clone(), now).is_err(), "{act:?}");
    }
}
