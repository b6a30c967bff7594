//! Triggers, mails and webhooks.

use handoffd_core::RemoteId;
use serde_json::{Value, json};

use super::Desk;
use crate::{
    sim::{HumanAct, VendorSim, Who},
    zendesk::sim::webhooks::signature,
};

fn say(ticket: &RemoteId, who: Who, public: bool) -> HumanAct {
    HumanAct::Say { ticket: ticket.clone(), who, text: "words".to_owned(), public }
}

fn mails(desk: &Desk) -> usize {
    desk.sim.mails_sent().len()
}

/// The bodies of the attempts that are due.
fn due(desk: &mut Desk) -> Vec<(u64, Value)> {
    let attempts = desk.sim.webhooks_due(desk.now);
    attempts.iter().map(|out| (out.id, serde_json::from_slice(out.request.body()).unwrap())).collect()
}

fn kinds(desk: &mut Desk) -> Vec<String> {
    let name =
        |body: &Value| body["type"].as_str().unwrap().trim_start_matches("zen:event-type:ticket.").to_owned();
    due(desk).iter().map(|(_, body)| name(body)).collect()
}

#[test]
fn customers_are_mailed_on_receipt_and_on_public_replies() {
    let mut desk = Desk::new("unlimited");
    let ticket = desk.opened(false);
    assert_eq!((mails(&desk), desk.sim.mails_sent()[0].comment.clone()), (1, None));
    desk.human(say(&ticket, Who::Agent("Kim".to_owned()), false)).unwrap();
    desk.human(say(&ticket, Who::Customer, true)).unwrap();
    assert_eq!(mails(&desk), 1);
    desk.human(say(&ticket, Who::Agent("Kim".to_owned()), true)).unwrap();
    let mail = desk.sim.mails_sent()[1].clone();
    assert_eq!((mail.to.as_str(), &mail.ticket), ("ben@example.org", &ticket));
    assert_eq!(mail.comment.as_ref(), desk.sim.tickets()[0].comments.last().map(|comment| &comment.id));
}

#[test]
fn the_quiet_tag_and_the_customers_own_words_send_no_mail() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    let path = format!("tickets/{id}");
    let quiet = json!({"ticket": {"comment": {"body": "a", "public": true}, "tags": ["handoffd_quiet"]}});
    desk.put(&path, quiet);
    desk.put(&path, json!({"ticket": {"tags": []}}));
    let requester = desk.get(&path).body["ticket"]["requester_id"].clone();
    desk.put(&path, json!({"ticket": {"comment": {"body": "b", "public": true, "author_id": requester}}}));
    assert_eq!(mails(&desk), 0);
    desk.put(&path, json!({"ticket": {"comment": {"body": "c", "public": true}}}));
    assert_eq!(mails(&desk), 1);
    desk.post(
        "tickets",
        json!({"ticket": {"comment": {"body": "x"}, "requester": {"name": "D", "email": "d@example.org"}}}),
    );
    assert_eq!(mails(&desk), 2);
}

#[test]
fn without_the_exception_the_quiet_tag_does_nothing() {
    let mut desk = Desk::new("unlimited");
    let all = desk.get("triggers").body["triggers"].clone();
    for trigger in all.as_array().unwrap() {
        let kept: Vec<&Value> = trigger["conditions"]["all"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|condition| condition["field"] != "current_tags")
            .collect();
        let body = json!({"trigger": {"conditions": {"all": kept, "any": []}}});
        assert_eq!(desk.put(&format!("triggers/{}", trigger["id"]), body).status, 200);
    }
    desk.quiet_ticket();
    assert_eq!(mails(&desk), 1);
}

#[test]
fn a_trigger_that_takes_the_quiet_tag_off_in_the_same_save_lets_the_mail_go() {
    let mut desk = Desk::new("unlimited");
    let id = desk.quiet_ticket();
    let cleaning = json!({"trigger": {"title": "Clean", "conditions": {"all": [
        {"field": "current_tags", "operator": "includes", "value": "handoffd_quiet"}]},
        "actions": [{"field": "remove_tags", "value": "handoffd_quiet"}]}});
    assert_eq!(desk.post("triggers", cleaning).status, 201);
    let quiet =
        json!({"ticket": {"comment": {"body": "a", "public": true}, "tags": ["handoffd_quiet", "x"]}});
    let got = desk.put(&format!("tickets/{id}"), quiet).body;
    assert_eq!(got["ticket"]["tags"], json!(["x"]));
    let by_rule = |event: &&Value| event["via"]["channel"] == "rule";
    assert_eq!(got["audit"]["events"].as_array().unwrap().iter().filter(by_rule).count(), 2);
    assert_eq!(mails(&desk), 1);
}

#[test]
fn one_save_gives_one_event_for_each_aspect() {
    let mut desk = Desk::new("unlimited");
    desk.sim.set_webhook("http://127.0.0.1:9/zendesk", "s3cret");
    let ticket = desk.opened(true);
    assert_eq!(kinds(&mut desk), ["created", "comment_added"]);
    let body = json!({"ticket": {"status": "pending", "priority": "high", "subject": "New words", "tags": ["t"],
        "comment": {"body": "x", "public": false}}});
    desk.put(&format!("tickets/{ticket}"), body);
    let events = due(&mut desk);
    let of = |kind: &str| {
        let kind = format!("zen:event-type:ticket.{kind}");
        &events.iter().find(|(_, body)| body["type"] == kind).unwrap().1
    };
    assert_eq!(events.len(), 6, "comment, status, custom status, priority, subject, tags");
    assert_eq!(
        (&of("status_changed")["event"]["previous"], &of("status_changed")["event"]["current"]),
        (&json!("OPEN"), &json!("PENDING"))
    );
    assert_eq!(of("tags_changed")["event"]["tags_added"], json!(["t"]));
    assert_eq!(of("comment_added")["event"]["comment"]["is_public"], json!(false));
    let detail = &of("priority_changed")["detail"];
    assert_eq!(
        (&detail["id"], &detail["priority"], &detail["via"]["channel"]),
        (&json!(ticket.as_str()), &json!("HIGH"), &json!("email"))
    );
    assert_eq!(detail["actor_id"], json!(desk.sim.world.integration.to_string()));
    let sequences: std::collections::BTreeSet<String> =
        events.iter().map(|(_, body)| body["event"]["meta"]["sequence"]["id"].to_string()).collect();
    assert_eq!(sequences.len(), 1);
    desk.human(HumanAct::Assign { ticket: ticket.clone(), to: None }).unwrap();
    assert_eq!(kinds(&mut desk), ["agent_assignment_changed", "group_assignment_changed"]);
    desk.human(HumanAct::Delete { ticket }).unwrap();
    let gone = due(&mut desk);
    assert_eq!((gone.len(), &gone[0].1["detail"]["status"]), (1, &json!("DELETED")));
}

#[test]
fn the_signature_is_over_time_and_body() {
    let secret = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==";
    let expected = "nRuddZlbmKX4+9CSe44HJHGSH1JkeKbhGlvbnqYMghw=";
    assert_eq!(signature(secret, "2026-11-22T08:30:00Z", br#"{"a":1}"#), expected);
    let mut desk = Desk::new("unlimited");
    desk.sim.set_webhook("http://127.0.0.1:9/zendesk", "s3cret");
    desk.opened(false);
    let out = desk.sim.webhooks_due(desk.now).remove(0).request;
    let header = |name: &str| out.headers()[name].to_str().unwrap().to_owned();
    let signed = signature("s3cret", &header("x-zendesk-webhook-signature-timestamp"), out.body());
    assert_eq!(
        (header("x-zendesk-webhook-signature"), out.uri().to_string()),
        (signed, "http://127.0.0.1:9/zendesk".to_owned())
    );
    assert!(
        !header("x-zendesk-webhook-invocation-id").is_empty() && !header("x-zendesk-account-id").is_empty()
    );
}

#[test]
fn only_some_answers_are_sent_again() {
    let cases = [
        (Some((200, None)), 1),
        (Some((500, None)), 1),
        (Some((409, None)), 4),
        (Some((429, Some(5))), 6),
        (Some((429, None)), 1),
        (Some((503, Some(60))), 1),
        (None, 6),
    ];
    for (answer, attempts) in cases {
        let mut desk = Desk::new("unlimited");
        desk.opened(false);
        desk.sim.set_webhook("http://127.0.0.1:9/zendesk", "s");
        let act = HumanAct::SetSubject { ticket: RemoteId::from("1"), subject: "x".to_owned() };
        desk.human(act).unwrap();
        let (mut made, mut ids) = (0, std::collections::BTreeSet::new());
        while let Some(at) = desk.sim.webhook_next_at() {
            desk.now = desk.now.max(at);
            for (id, body) in due(&mut desk) {
                made += 1;
                ids.insert(body["id"].to_string());
                desk.sim.webhook_answered(id, answer, desk.now);
            }
        }
        assert_eq!((made, ids.len()), (attempts, 1), "{answer:?}");
    }
}

#[test]
fn a_webhook_made_by_the_api_has_its_own_secret_and_subscriptions() {
    let mut desk = Desk::new("unlimited");
    let body = json!({"webhook": {"name": "w", "endpoint": "https://example.org/h", "http_method": "POST",
        "request_format": "json", "status": "active", "subscriptions": ["zen:event-type:ticket.subject_changed"]}});
    let made = desk.post("webhooks", body).body;
    let id = made["webhook"]["id"].as_str().unwrap().to_owned();
    let secret = desk.get(&format!("webhooks/{id}/signing_secret")).body["signing_secret"]["secret"].clone();
    let ticket = desk.opened(false);
    assert_eq!(desk.sim.webhook_next_at(), None);
    desk.human(HumanAct::SetSubject { ticket, subject: "Other".to_owned() }).unwrap();
    let out = desk.sim.webhooks_due(desk.now).remove(0).request;
    let time = out.headers()["x-zendesk-webhook-signature-timestamp"].to_str().unwrap().to_owned();
    assert_eq!(
        out.headers()["x-zendesk-webhook-signature"],
        signature(secret.as_str().unwrap(), &time, out.body())
    );
    assert_eq!(desk.post("webhooks", json!({"webhook": {"name": "w", "endpoint": "/h"}})).status, 400);
}

#[test]
fn a_trigger_sends_what_its_admin_wrote() {
    let mut desk = Desk::new("unlimited");
    let hook = json!({"webhook": {"name": "t", "endpoint": "https://example.org/t", "subscriptions": ["conditional_ticket_events"]}});
    let hook = desk.post("webhooks", hook).body["webhook"]["id"].clone();
    let body = r#"{"ticket_id":"{{ticket.id}}","subject":"{{ticket.title}}"}"#;
    let trigger = json!({"trigger": {"title": "Tell", "conditions": {"all": [{"field": "update_type", "value": "Create"}]},
        "actions": [{"field": "notification_webhook", "value": [hook, body]}]}});
    assert_eq!(desk.post("triggers", trigger).status, 201);
    let ticket = desk.opened(false);
    let sent = due(&mut desk);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1, json!({"ticket_id": ticket.as_str(), "subject": "Where is it?"}));
}
