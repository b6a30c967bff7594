//! What people do, and what they see.

use handoffd_core::{Priority, Status};

use super::*;

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
    let id = RemoteId::from(desk.ticket("Kettle").as_str());
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
