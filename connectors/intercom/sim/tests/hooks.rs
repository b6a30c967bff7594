//! Notifications, their signature and their fate, and Canvas Kit.

use super::{
    super::{CanvasAct, canvas, hooks::signature},
    *,
};

#[test]
fn the_signature_is_the_documented_one() {
    let body = br#"{"type":"notification_event","topic":"ping"}"#;
    assert_eq!(signature("secret", body), "sha1=e8e5e2592043c6f21a6550288b4b285ba7d35f24");
    let canvas = canvas::signature("secret", br#"{"a":1}"#);
    assert_eq!(canvas, "aa9e2e3575f5d7098b6caccd790888c36d5fdb63342a73bada2d6a51747a8494");
}

#[test]
fn saving_the_address_checks_it_and_pings() {
    let mut desk = Desk::new();
    desk.sim.set_webhook("http://127.0.0.1:1/hook", "s3cret");
    let now = desk.at();
    let sent = desk.sim.webhooks_due(now);
    assert_eq!(
        (sent[0].request.method().as_str(), sent[0].request.headers().get("x-hub-signature")),
        ("HEAD", None)
    );
    let ping: Value = serde_json::from_slice(sent[1].request.body()).unwrap();
    assert_eq!((&ping["topic"], &ping["id"]), (&json!("ping"), &Value::Null));
    assert!(desk.sim.webhooks_due(now).is_empty(), "each attempt is given once");
    desk.sim.webhook_answered(sent[0].id, Some((405, None)), now);
    assert_eq!(desk.sim.head_answer(), Some(405));
    assert_eq!(desk.sim.webhook_next_at(), None, "a check is not made again");
    assert!(desk.sim.notifies());
}

#[test]
fn a_notification_is_signed_and_has_only_the_newest_part() {
    let mut desk = Desk::new();
    desk.listen();
    let id = desk.conversation("ada@example.com");
    desk.reply(&id, "note", "first");
    desk.topics();
    desk.reply(&id, "comment", "second");
    let now = desk.at();
    let sent = desk.sim.webhooks_due(now);
    assert_eq!(sent.len(), 1);
    let (headers, body) = (sent[0].request.headers(), sent[0].request.body());
    assert_eq!(headers["x-hub-signature"], signature("s3cret", body).as_str());
    assert_eq!(headers["user-agent"], "intercom-parrot-service-client/1.0");
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(
        (&body["type"], &body["topic"]),
        (&json!("notification_event"), &json!("conversation.admin.replied"))
    );
    assert_eq!(body["app_id"], desk.get("me").body["app"]["id_code"]);
    assert!(body["id"].as_str().unwrap().starts_with("notif_"));
    let item = &body["data"]["item"];
    assert_eq!(item["id"], id);
    let parts = item["conversation_parts"]["conversation_parts"].as_array().unwrap();
    assert_eq!((parts.len(), &parts[0]["body"]), (1, &json!("<p>second</p>")));
}

#[test]
fn every_change_has_its_topic() {
    let mut desk = Desk::new();
    desk.listen();
    let id = desk.conversation("ada@example.com");
    assert_eq!(desk.topics(), ["contact.user.created", "conversation.user.created"]);
    let me = desk.me();
    let tag = desk.post("tags", json!({"name": "Leak"})).body["id"].clone();
    let user = json!({"type": "user", "message_type": "comment", "email": "ada@example.com", "body": "x"});
    let customer = json!({"admin_id": me, "customer": {"email": "new@example.com"}});
    let path = format!("conversations/{id}");
    let cases = [
        ("POST", format!("{path}/reply"), user, "conversation.user.replied"),
        (
            "POST",
            format!("{path}/parts"),
            json!({"message_type": "close", "admin_id": me}),
            "conversation.admin.closed",
        ),
        (
            "POST",
            format!("{path}/parts"),
            json!({"message_type": "open", "admin_id": me}),
            "conversation.admin.opened",
        ),
        (
            "POST",
            format!("{path}/parts"),
            json!({"message_type": "snoozed", "admin_id": me, "snoozed_until": START + 900}),
            "conversation.admin.snoozed",
        ),
        (
            "POST",
            format!("{path}/parts"),
            json!({"message_type": "open", "admin_id": me}),
            "conversation.admin.unsnoozed",
        ),
        (
            "POST",
            format!("{path}/parts"),
            json!({"message_type": "assignment", "type": "admin", "admin_id": me, "assignee_id": me}),
            "conversation.admin.assigned",
        ),
        ("PUT", path.clone(), json!({"read": true}), "conversation.read"),
        ("POST", format!("{path}/tags"), json!({"id": tag, "admin_id": me}), "conversation_part.tag.created"),
        ("POST", format!("{path}/customers"), customer, "conversation.contact.attached"),
        ("DELETE", path.clone(), json!({}), "conversation.deleted"),
    ];
    for (method, path, body, topic) in cases {
        assert_eq!(desk.call(method, &path, Some(body)).status, 200, "{method} {path}");
        assert_eq!(desk.topics(), [topic], "{method} {path}");
    }
}

#[test]
fn titles_attributes_and_removed_tags_are_told_to_nobody() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    let (me, tag) = (desk.me(), desk.post("tags", json!({"name": "Leak"})).body["id"].clone());
    desk.post(&format!("conversations/{id}/tags"), json!({"id": tag, "admin_id": me}));
    desk.listen();
    desk.put(&format!("conversations/{id}"), json!({"title": "x", "custom_attributes": {"vip": true}}));
    desk.delete(&format!("conversations/{id}/tags/{}", tag.as_str().unwrap()), json!({"admin_id": me}));
    assert!(desk.topics().is_empty());
}

#[test]
fn a_bots_reply_comes_under_two_topics_and_is_not_mailed() {
    let mut desk = Desk::new();
    let id = desk.opened(true);
    desk.listen();
    desk.say(&id, Who::Bot, "Have you tried turning it off?", true).unwrap();
    let told = desk.told();
    let topics: Vec<&str> = told.iter().map(|(topic, _)| topic.as_str()).collect();
    assert_eq!(topics, ["conversation.admin.replied", "conversation.operator.replied"]);
    let part = |item: &Value| item["conversation_parts"]["conversation_parts"][0].clone();
    assert_eq!(part(&told[0].1)["id"], part(&told[1].1)["id"]);
    assert_eq!(part(&told[0].1)["author"]["type"], "bot");
    assert!(desk.sim.mails_sent().is_empty());
}

#[test]
fn item_shapes_differ_from_topic_to_topic() {
    let mut desk = Desk::new();
    let id = desk.conversation("ada@example.com");
    let part = desk.reply(&id, "note", "x").parts()[0]["id"].clone();
    let ticket = desk.ticket("Kettle");
    desk.listen();
    desk.post(
        "conversations/redact",
        json!({"type": "conversation_part", "conversation_id": id, "conversation_part_id": part}),
    );
    let (_, redacted) = desk.told().remove(0);
    assert_eq!((&redacted["conversation_id"], &redacted["id"]), (&json!(id), &part));
    let me = desk.me();
    desk.post(
        &format!("tickets/{ticket}/reply"),
        json!({"type": "admin", "message_type": "note", "admin_id": me, "body": "x"}),
    );
    let (topic, noted) = desk.told().remove(0);
    assert_eq!((topic.as_str(), &noted["ticket"]["id"]), ("ticket.note.created", &json!(ticket)));
    desk.put(&format!("tickets/{ticket}"), json!({"ticket_attributes": {"Severity": "Low"}, "open": false}));
    let told = desk.told();
    let topics: Vec<&str> = told.iter().map(|(topic, _)| topic.as_str()).collect();
    assert_eq!(topics, ["ticket.attribute.updated", "ticket.closed"]);
    assert_eq!(told[0].1["id"], ticket);
    let both = desk.opened(false);
    desk.post(&format!("conversations/{both}/convert"), json!({"ticket_type_id": "53"}));
    desk.topics();
    desk.say(&both, Who::Agent("Maya".to_owned()), "Hi", true).unwrap();
    assert_eq!(desk.topics(), ["conversation.admin.replied", "ticket.admin.replied"]);
}

#[test]
fn a_failed_notification_is_sent_once_more_after_a_minute() {
    let mut desk = Desk::new();
    desk.listen();
    desk.opened(false);
    for attempt in 1..=2 {
        let now = desk.at();
        let sent = desk.sim.webhooks_due(now);
        let body: Value = serde_json::from_slice(sent[0].request.body()).unwrap();
        assert_eq!(body["delivery_attempts"], attempt);
        desk.sim.webhook_answered(sent[0].id, Some((500, None)), now);
        let next = (attempt == 1).then(|| Timestamp::from_secs(START + 60));
        assert_eq!(desk.sim.webhook_next_at(), next);
        desk.now += 60;
    }
}

#[test]
fn gone_ends_it_and_too_many_waits_longer_each_time() {
    let mut desk = Desk::new();
    desk.listen();
    desk.opened(false);
    for wait in [60, 120, 240] {
        let now = desk.at();
        let id = desk.sim.webhooks_due(now)[0].id;
        desk.sim.webhook_answered(id, Some((429, None)), now);
        assert_eq!(desk.sim.webhook_next_at(), Some(Timestamp::from_secs(desk.now + wait)));
        desk.now += wait;
    }
    let now = desk.at();
    let id = desk.sim.webhooks_due(now)[0].id;
    desk.sim.webhook_answered(id, Some((410, None)), now);
    assert!(!desk.sim.notifies());
    desk.opened(false);
    assert_eq!(desk.sim.webhook_next_at(), None);
    desk.listen();
    assert!(desk.sim.notifies());
}

#[test]
fn a_week_of_failures_suspends() {
    let mut desk = Desk::new();
    desk.listen();
    for _ in 0..9 {
        desk.opened(false);
        let now = desk.at();
        for sent in desk.sim.webhooks_due(now) {
            desk.sim.webhook_answered(sent.id, None, now);
        }
        desk.now += 86_400;
    }
    assert!(!desk.sim.notifies());
}

#[test]
fn a_thousand_failures_in_a_row_make_a_pause() {
    let mut desk = Desk::new();
    desk.listen();
    let id = desk.opened(false);
    for n in 0..1_001 {
        desk.say(&id, Who::Customer, &format!("n{n}"), true).unwrap();
    }
    let now = desk.at();
    for sent in desk.sim.webhooks_due(now) {
        desk.sim.webhook_answered(sent.id, Some((500, None)), now);
    }
    assert_eq!(desk.sim.webhook_next_at(), Some(Timestamp::from_secs(START + 60)), "of what failed after it");
    desk.now += 899;
    assert!(desk.sim.webhooks_due(Timestamp::from_secs(START + 899)).len() < 10);
    assert!(desk.sim.webhooks_due(Timestamp::from_secs(START + 900)).len() > 900);
}

#[test]
fn notifications_come_twice_when_asked_to() {
    let mut desk = Desk::with("unlimited", Options { double_every: 2, ..Options::default() });
    desk.listen();
    desk.conversation("ada@example.com");
    assert_eq!(
        desk.topics(),
        ["contact.user.created", "conversation.user.created", "conversation.user.created"]
    );
}

#[test]
fn a_rating_is_shown_and_told() {
    let mut desk = Desk::new();
    let id = desk.opened(false);
    desk.listen();
    let now = desk.at();
    let rate = |percent| HumanAct::Rate { ticket: id.clone(), percent, comment: Some("Fine".to_owned()) };
    for (percent, rating) in [(0, 1), (50, 3), (100, 5), (75, 4)] {
        desk.sim.human(rate(percent), now).unwrap();
        assert_eq!(desk.get(&format!("conversations/{id}")).body["conversation_rating"]["rating"], rating);
    }
    assert_eq!(desk.topics().len(), 4);
    desk.sim.human(rate(75), now).unwrap();
    assert_eq!(desk.topics(), ["conversation.rating.added"]);
    let shown = desk.get(&format!("conversations/{id}"));
    assert_eq!(shown.body["conversation_rating"]["rating"], 4);
    assert_eq!(shown.body["conversation_rating"]["remark"], "Fine");
}

#[test]
fn the_canvas_is_asked_for_with_its_own_signature() {
    let mut desk = Desk::new();
    let id = desk.opened(false);
    let now = desk.at();
    let url = "http://127.0.0.1:1/canvas";
    let asked = desk.sim.canvas(url, &id, "Maya", &CanvasAct::Initialize, now).unwrap();
    let secret = desk.sim.credentials()["client_secret"].as_str().unwrap().to_owned();
    assert_eq!(asked.headers()["x-body-signature"], canvas::signature(&secret, asked.body()).as_str());
    let body: Value = serde_json::from_slice(asked.body()).unwrap();
    assert_eq!((&body["context"]["conversation_id"], &body["conversation"]["id"]), (&json!(id), &json!(id)));
    assert_eq!(
        (&body["contact"]["email"], &body["admin"]["name"]),
        (&json!("ada@example.com"), &json!("Maya"))
    );
    let act = CanvasAct::Submit {
        component: "refresh".to_owned(),
        inputs: json!({}),
        canvas: json!({"stored_data": {"brief": "b"}}),
    };
    let submitted = desk.sim.canvas(url, &id, "Maya", &act, now).unwrap();
    let body: Value = serde_json::from_slice(submitted.body()).unwrap();
    assert_eq!(
        (&body["component_id"], &body["current_canvas"]["stored_data"]["brief"]),
        (&json!("refresh"), &json!("b"))
    );
    assert!(desk.sim.canvas(url, &RemoteId::from("1"), "Maya", &act, now).is_none());
}
