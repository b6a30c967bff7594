//! What people do by hand, and what they see.

use handoffd_core::{Priority, RemoteId, Status};
use serde_json::{Value, json};

use super::Desk;
use crate::sim::{HumanAct, ShownTicket, VendorSim, Who};

fn shown(desk: &Desk) -> ShownTicket {
    desk.sim.tickets().remove(0)
}

#[test]
fn a_ticket_for_the_bot_is_recognised_by_its_marks() {
    let mut desk = Desk::new("unlimited");
    let ticket = desk.opened(true);
    let (users, groups) = desk.sim.bot_marks();
    let api = desk.get(&format!("tickets/{ticket}")).body["ticket"].clone();
    assert_eq!(users, [RemoteId::new(api["assignee_id"].to_string())]);
    assert_eq!(groups, [RemoteId::new(api["group_id"].to_string())]);
    assert_eq!((&api["via"]["channel"], &api["status"]), (&json!("email"), &json!("open")));
    assert_eq!(api["via"]["source"]["from"]["address"], "ben@example.org");
    assert_eq!((shown(&desk).assignee.as_deref(), shown(&desk).status), (Some("bot"), Status::Open));
    desk.human(HumanAct::Assign { ticket: ticket.clone(), to: Some(Who::Agent("Kim".to_owned())) }).unwrap();
    assert_eq!(shown(&desk).assignee.as_deref(), Some("Kim"));
    let api = desk.get(&format!("tickets/{ticket}")).body["ticket"].clone();
    assert_eq!(api["group_id"], json!(desk.sim.world.support_group));
}

#[test]
fn taken_from_the_bot_a_ticket_goes_to_the_humans_group() {
    let mut desk = Desk::new("unlimited");
    let ticket = desk.opened(true);
    desk.human(HumanAct::Assign { ticket: ticket.clone(), to: None }).unwrap();
    let api = desk.get(&format!("tickets/{ticket}")).body["ticket"].clone();
    assert_eq!((&api["assignee_id"], &api["group_id"]), (&Value::Null, &json!(desk.sim.world.support_group)));
    assert_eq!(shown(&desk).assignee, None);
}

#[test]
fn a_customers_answer_opens_a_waiting_ticket() {
    let mut desk = Desk::new("unlimited");
    let ticket = desk.opened(false);
    for status in [Status::Pending, Status::OnHold, Status::Solved] {
        desk.human(HumanAct::SetStatus { ticket: ticket.clone(), status }).unwrap();
        assert_eq!(shown(&desk).status, status);
        let text = format!("still {status:?}");
        desk.human(HumanAct::Say { ticket: ticket.clone(), who: Who::Customer, text, public: true }).unwrap();
        assert_eq!(shown(&desk).status, Status::Open);
    }
    let comments = desk.get(&format!("tickets/{ticket}/comments")).body;
    assert_eq!(comments["comments"][3]["via"]["channel"], "email");
}

#[test]
fn the_screen_shows_the_whole_conversation() {
    let mut desk = Desk::new("unlimited");
    let ticket = desk.opened(false);
    let say =
        |who, public| HumanAct::Say { ticket: ticket.clone(), who, text: "a\nb & <c>".to_owned(), public };
    desk.human(say(Who::Bot, true)).unwrap();
    desk.human(say(Who::Agent("Kim".to_owned()), false)).unwrap();
    let (add, remove) = (vec!["VIP".to_owned(), "gone".to_owned()], Vec::new());
    desk.human(HumanAct::Tag { ticket: ticket.clone(), add, remove }).unwrap();
    desk.human(HumanAct::Tag { ticket: ticket.clone(), add: Vec::new(), remove: vec!["gone".to_owned()] })
        .unwrap();
    desk.human(HumanAct::SetPriority { ticket: ticket.clone(), priority: Some(Priority::Urgent) }).unwrap();
    let seen = shown(&desk);
    let flags: Vec<(bool, bool)> = seen.comments.iter().map(|one| (one.public, one.by_customer)).collect();
    assert_eq!(flags, [(true, true), (true, false), (false, false)]);
    assert_eq!((seen.comments[1].text.as_str(), seen.tags), ("a\nb & <c>", vec!["vip".to_owned()]));
    assert_eq!((seen.priority, seen.requester.as_str()), (Some(Priority::Urgent), "ben@example.org"));
    desk.human(HumanAct::SetPriority { ticket, priority: None }).unwrap();
    assert_eq!(shown(&desk).priority, None);
}

#[test]
fn what_cannot_be_done_by_hand_is_refused() {
    let mut desk = Desk::new("unlimited");
    let ticket = desk.opened(true);
    let say = |who, public| HumanAct::Say { ticket: ticket.clone(), who, text: "x".to_owned(), public };
    assert!(desk.human(say(Who::Customer, false)).is_err());
    assert!(desk.human(HumanAct::Assign { ticket: ticket.clone(), to: Some(Who::Customer) }).is_err());
    assert!(desk.human(HumanAct::SetStatus { ticket: ticket.clone(), status: Status::New }).is_err());
    assert!(desk.human(HumanAct::Delete { ticket: RemoteId::from("99") }).is_err());
    desk.human(HumanAct::SetStatus { ticket: ticket.clone(), status: Status::Closed }).unwrap();
    assert!(desk.human(say(Who::Bot, true)).is_err());
    desk.human(HumanAct::Delete { ticket: ticket.clone() }).unwrap();
    assert!(desk.human(HumanAct::Delete { ticket }).is_err());
    assert!(shown(&desk).deleted);
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let run = || {
        let mut desk = Desk::new("team");
        desk.sim.set_webhook("http://127.0.0.1:9/z", "s");
        let ticket = desk.opened(true);
        let api = desk.get(&format!("tickets/{ticket}")).body;
        let bodies: Vec<_> =
            desk.sim.webhooks_due(desk.now).into_iter().map(|out| out.request.into_body()).collect();
        (desk.sim.credentials(), api, bodies)
    };
    assert_eq!(run(), run());
}

#[test]
fn an_agent_is_hired_once_and_is_never_the_bot() {
    let mut desk = Desk::new("unlimited");
    let ticket = desk.opened(false);
    let before = desk.sim.world.users.len();
    for _ in 0..3 {
        let to = Some(Who::Agent("AI Agent".to_owned()));
        desk.human(HumanAct::Assign { ticket: ticket.clone(), to }).unwrap();
        assert_eq!(shown(&desk).assignee.as_deref(), Some("AI Agent"));
    }
    // The namesake, and the agent who assigns.
    assert_eq!(desk.sim.world.users.len(), before + 2);
}
