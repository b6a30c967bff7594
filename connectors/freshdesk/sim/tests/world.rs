//! Limits, webhooks, and what people do.

use handoffd_core::{Priority, Status};

use super::*;

#[test]
fn growth_counts_in_floats_and_lists_have_their_own_limit() {
    let mut desk = Desk::new("growth");
    let first = desk.get("tickets");
    assert_eq!(first.header("x-ratelimit-total"), Some("200.0"));
    assert_eq!(first.header("x-ratelimit-remaining"), Some("199.0"));
    for _ in 0..19 {
        assert_eq!(desk.get("tickets").status, 200);
    }
    desk.now += 10;
    let over = desk.get("tickets");
    assert_eq!(over.status, 429);
    assert_eq!(over.header("retry-after"), Some("50"));
    assert_eq!(over.header("x-ratelimit-remaining"), Some("180.0"), "the whole account has plenty left");
    assert_eq!(desk.get("agents/me").status, 200);
    desk.now += 50;
    assert_eq!(desk.get("tickets").status, 200);
}

#[test]
fn wrong_requests_and_embedding_cost() {
    let mut desk = Desk::new("trial");
    let listed = desk.get("tickets?include=stats,requester");
    assert_eq!(listed.header("x-ratelimit-used-currentrequest"), Some("5"));
    assert_eq!(desk.get("tickets/1").header("x-ratelimit-remaining"), Some("44"));
    assert_eq!(desk.get("nowhere").header("x-ratelimit-remaining"), Some("43"));
    for _ in 0..43 {
        desk.get("agents/me");
    }
    let over = desk.get("agents/me");
    assert_eq!((over.status, over.header("x-ratelimit-remaining")), (429, Some("0")));
    assert_eq!(Desk::new("unlimited").get("tickets").header("x-ratelimit-total"), None);
}

#[test]
fn the_rule_posts_ids_and_a_secret() {
    let mut desk = Desk::new("unlimited");
    desk.sim.set_webhook("http://127.0.0.1:1/hook", "s3cret");
    let id = desk.ticket("x");
    let now = desk.at();
    let sent = desk.sim.webhooks_due(now);
    assert_eq!(sent.len(), 1);
    let body: Value = serde_json::from_slice(sent[0].request.body()).unwrap();
    assert_eq!(body, json!({"ticket_id": id.to_string(), "token": "s3cret"}));
    assert_eq!(sent[0].request.headers()["x-handoffd-secret"], "s3cret");
    assert_eq!(sent[0].request.uri(), "http://127.0.0.1:1/hook");
    assert!(desk.sim.webhooks_due(now).is_empty(), "each attempt is given once");
    desk.put(&format!("tickets/{id}"), json!({"status": 2}));
    assert_eq!(desk.sim.webhook_next_at(), None, "nothing changed");
    desk.post(&format!("tickets/{id}/notes"), json!({"body": "x"}));
    assert_eq!(desk.sim.webhook_next_at(), Some(now));
}

#[test]
fn a_failed_delivery_is_tried_three_times_more() {
    let mut desk = Desk::new("unlimited");
    desk.sim.set_webhook("http://127.0.0.1:1/hook", "s");
    desk.ticket("x");
    for wait in [5, 30, 60] {
        let now = desk.at();
        let id = desk.sim.webhooks_due(now)[0].id;
        desk.sim.webhook_answered(id, Some((500, None)), now);
        assert_eq!(desk.sim.webhook_next_at(), Some(Timestamp::from_secs(desk.now + wait * 60)));
        desk.now += wait * 60;
    }
    let now = desk.at();
    let last = desk.sim.webhooks_due(now)[0].id;
    desk.sim.webhook_answered(last, None, now);
    desk.sim.webhook_answered(last, None, now);
    assert_eq!(desk.sim.webhook_next_at(), None);
}

#[test]
fn deliveries_use_up_the_accounts_limit() {
    let mut desk = Desk::new("trial");
    desk.sim.set_webhook("http://127.0.0.1:1/hook", "s");
    let id = desk.opened(false);
    for n in 0..60 {
        desk.say(&id, Who::Agent("Maya".to_owned()), &format!("n{n}"), false).unwrap();
    }
    let now = desk.at();
    assert_eq!(desk.sim.webhooks_due(now).len(), 50);
    assert_eq!(desk.get("agents/me").status, 429);
    assert_eq!(desk.sim.webhook_next_at(), Some(Timestamp::from_secs(START + 60)));
    assert_eq!(desk.sim.webhooks_due(Timestamp::from_secs(START + 60)).len(), 11);
}

#[test]
fn a_conversation_of_people() {
    let mut desk = Desk::new("unlimited");
    let id = desk.opened(true);
    assert_eq!(desk.shown(&id).assignee.as_deref(), Some("bot"));
    desk.say(&id, Who::Bot, "Have you tried turning it off?", true).unwrap();
    desk.say(&id, Who::Agent("Maya".to_owned()), "I take this", false).unwrap();
    assert!(desk.say(&id, Who::Customer, "psst", false).is_err());
    desk.say(&id, Who::Customer, "Yes", true).unwrap();
    let shown = desk.shown(&id);
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
            ("Yes", true, true),
        ]
    );
    assert_eq!(shown.comments[0].id, RemoteId::from("description"));
    assert_eq!(desk.sim.mails_sent().len(), 1, "the AI agent's reply is mailed, nothing else");
    let listed = desk.get(&format!("tickets/{id}/conversations"));
    assert_eq!(listed.body[2]["incoming"], true);
    assert_eq!(listed.body[0]["user_id"].to_string(), desk.sim.bot_marks().0[0].to_string());
}

#[test]
fn people_change_fields() {
    let mut desk = Desk::new("unlimited");
    let id = desk.opened(false);
    let now = desk.at();
    let mut act = |act: HumanAct| desk.sim.human(act, now);
    let ticket = || id.clone();
    act(HumanAct::SetSubject { ticket: ticket(), subject: "New".to_owned() }).unwrap();
    act(HumanAct::SetPriority { ticket: ticket(), priority: Some(Priority::Urgent) }).unwrap();
    assert!(act(HumanAct::SetPriority { ticket: ticket(), priority: None }).is_err());
    assert!(act(HumanAct::SetStatus { ticket: ticket(), status: Status::New }).is_err());
    act(HumanAct::SetStatus { ticket: ticket(), status: Status::OnHold }).unwrap();
    let tags = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    act(HumanAct::Tag { ticket: ticket(), add: tags(&["b", "a"]), remove: Vec::new() }).unwrap();
    act(HumanAct::Tag { ticket: ticket(), add: tags(&["c"]), remove: tags(&["b"]) }).unwrap();
    act(HumanAct::Assign { ticket: ticket(), to: Some(Who::Agent("Maya".to_owned())) }).unwrap();
    assert!(act(HumanAct::Assign { ticket: ticket(), to: Some(Who::Customer) }).is_err());
    let shown = desk.shown(&id);
    assert_eq!((shown.subject.as_str(), shown.status), ("New", Status::OnHold));
    assert_eq!((shown.priority, shown.tags), (Some(Priority::Urgent), tags(&["a", "c"])));
    assert_eq!(shown.assignee.as_deref(), Some("Maya"));
    let read = desk.get(&format!("tickets/{id}"));
    assert_eq!((read.body["status"].clone(), read.body["priority"].clone()), (json!(7), json!(4)));
    desk.put(&format!("tickets/{id}"), json!({"status": 6}));
    assert_eq!(desk.shown(&id).status, Status::Pending);
    desk.sim.human(HumanAct::Delete { ticket: id.clone() }, now).unwrap();
    assert!(desk.shown(&id).deleted);
    assert!(desk.say(&id, Who::Bot, "x", true).is_err());
}

#[test]
fn a_new_key_kills_the_old_one() {
    let mut desk = Desk::new("unlimited");
    desk.sim.expire_tokens();
    assert_eq!(desk.get("tickets").status, 401);
    desk.key = desk.sim.credentials()["api_key"].as_str().unwrap().to_owned();
    assert_eq!(desk.get("tickets").status, 200);
}

#[test]
fn requests_are_counted_by_pattern_and_the_seed_decides() {
    let mut desk = Desk::new("unlimited");
    let id = desk.ticket("x");
    desk.get(&format!("tickets/{id}"));
    desk.get(&format!("tickets/{id}"));
    desk.get("nowhere/at/all");
    let served = desk.sim.requests_served();
    assert_eq!(served["GET /api/v2/tickets/{id}"], 2);
    assert_eq!(served["POST /api/v2/tickets"], 1);
    assert_eq!(served["GET /api/v2/other"], 1);
    let again = Desk::new("unlimited");
    assert_eq!((again.key, again.sim.bot_marks()), (desk.key, desk.sim.bot_marks()));
}
