//! Whatever is sent, something is answered.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::*;

/// What fits together; any method may come with any of the paths.
const CALLS: &[(&str, &str)] = &[
    ("GET", "me"),
    ("GET", "conversations"),
    ("POST", "conversations"),
    ("GET", "conversations/{c}"),
    ("PUT", "conversations/{c}"),
    ("POST", "conversations/{c}/reply"),
    ("POST", "conversations/{c}/parts"),
    ("POST", "conversations/{c}/tags"),
    ("POST", "conversations/{c}/customers"),
    ("DELETE", "conversations/{c}/customers/{p}"),
    ("POST", "conversations/{c}/convert"),
    ("POST", "conversations/search"),
    ("POST", "conversations/redact"),
    ("POST", "conversations/last/reply"),
    ("GET", "conversations/-1"),
    ("GET", "conversations/9223372036854775807"),
    ("POST", "tickets"),
    ("GET", "tickets/{t}"),
    ("PUT", "tickets/{t}"),
    ("POST", "tickets/{t}/reply"),
    ("POST", "tickets/search"),
    ("POST", "tickets/enqueue"),
    ("POST", "ticket_types/53/attributes"),
    ("PUT", "ticket_types/53/attributes/12810"),
    ("GET", "contacts"),
    ("POST", "contacts"),
    ("GET", "contacts/{p}"),
    ("PUT", "contacts/{p}"),
    ("POST", "contacts/search"),
    ("POST", "contacts/merge"),
    ("GET", "tags"),
    ("POST", "tags"),
    ("GET", "data_attributes"),
    ("POST", "data_attributes"),
    ("POST", "messages"),
    ("GET", "jobs/status/27"),
    ("GET", "articles/search"),
    ("GET", "attachments/i/o/1190000008/x"),
    ("GET", "attachments"),
    ("GET", ""),
    ("GET", "//"),
    ("GET", "%C3%A4"),
];
const QUERIES: &[&str] = &[
    "",
    "?per_page=150",
    "?per_page=18446744073709551616",
    "?starting_after=WzE3OTUzMzQ0MDAwMDAsMiwyXQ==",
    "?starting_after=WzkyMjMzNzIwMzY4NTQ3NzU4MDcsIi1mZmYiLDkyMjMzNzIwMzY4NTQ3NzU4MDdd",
    "?starting_after=%FF",
    "?display_as=plaintext",
    "?expires=9223372036854775807&signature=",
    "?model=conversation",
];
const NAMES: &[&str] = &[
    "type",
    "message_type",
    "admin_id",
    "body",
    "email",
    "assignee_id",
    "snoozed_until",
    "created_at",
    "title",
    "custom_attributes",
    "ticket_type_id",
    "contacts",
    "ticket_attributes",
    "query",
    "pagination",
    "sort",
    "from",
    "id",
    "name",
    "attachment_files",
    "attachment_urls",
    "conversation_id",
    "conversation_part_id",
    "customer",
    "open",
    "data_type",
    "description",
    "role",
];
const WORDS: &[&str] = &[
    "admin",
    "user",
    "team",
    "comment",
    "note",
    "close",
    "open",
    "snoozed",
    "assignment",
    "source",
    "email",
    "conversation_part",
    "ada@example.com",
    "string",
    "list",
    "lead",
    "0",
    "",
    "<p <!-- & <b>&#x110000;&nbsp;",
];

fn value(rng: &mut ChaCha8Rng, depth: u32) -> Value {
    match rng.random_range(0..12) {
        0 => Value::Null,
        1 => json!(rng.random::<i64>()),
        2 => json!(rng.random_range(0..60)),
        3 => json!(START + rng.random_range(-100..100_000)),
        4 => json!(true),
        5 => json!(rng.random::<f64>()),
        6 if depth < 4 => {
            let parts: Vec<Value> = (0..rng.random_range(0..4)).map(|_| value(rng, depth + 1)).collect();
            json!({"operator": (["AND", "OR"].choose(rng).unwrap()), "value": parts})
        }
        7 => {
            json!({"field": (["updated_at", "open", "source.body", "ticket_attribute.12810", "x"].choose(rng).unwrap()),
            "operator": (["=", "!=", "IN", ">", "~", "$"].choose(rng).unwrap()), "value": *WORDS.choose(rng).unwrap()})
        }
        8 if depth < 4 => json!([value(rng, depth + 1), value(rng, depth + 1)]),
        9 => json!({"type": "user", "id": WORDS.choose(rng).unwrap(), "email": "new@example.com",
            "name": "a", "content_type": "b", "data": "aGk=", "per_page": 3, "starting_after": "W10="}),
        _ => json!(WORDS.choose(rng).unwrap()),
    }
}

/// A body that is right now and then.
fn body(rng: &mut ChaCha8Rng, admin: i64, contact: &str) -> serde_json::Map<String, Value> {
    let whole = match rng.random_range(0..12) {
        0 => json!({"type": "admin", "message_type": "comment", "admin_id": admin, "body": "Hi"}),
        1 => json!({"type": "user", "message_type": "comment", "email": "ada@example.com", "body": "Hi"}),
        2 => {
            json!({"message_type": "snoozed", "admin_id": admin, "snoozed_until": START + rng.random_range(0..9_000)})
        }
        3 => json!({"message_type": "assignment", "type": "admin", "admin_id": admin, "assignee_id": admin}),
        4 => new_ticket("x"),
        5 => filter("updated_at", ">", START),
        6 => json!({"from": {"type": "user", "id": contact}, "body": "x"}),
        7 => json!({"admin_id": admin, "customer": {"email": "new@example.com"}}),
        8 => json!({"title": "x", "read": true, "open": false}),
        _ => json!({}),
    };
    whole.as_object().unwrap().clone()
}

#[test]
fn any_request_is_answered() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut desk = Desk::prompt();
    desk.sim.set_webhook("http://127.0.0.1:1/hook", "s");
    let (c, t) = (desk.conversation("ada@example.com"), desk.ticket("x"));
    let contact = desk.get("contacts").ids()[0].to_owned();
    let me = desk.sim.world.me;
    let mut answered = BTreeMap::<u16, u32>::new();
    for round in 0..8_000 {
        let (usual, path) = *CALLS.choose(&mut rng).unwrap();
        let other = *["GET", "POST", "PUT", "DELETE", "PATCH"].choose(&mut rng).unwrap();
        let method = if rng.random_bool(0.2) { other } else { usual };
        // What is deleted is gone for the rest.
        if method == "DELETE" && round < 7_000 {
            continue;
        }
        let path = path.replace("{c}", &c).replace("{t}", &t).replace("{p}", &contact);
        let query = QUERIES.choose(&mut rng).unwrap();
        let mut body = body(&mut rng, me, &contact);
        for _ in 0..rng.random_range(0..3) {
            body.insert((*NAMES.choose(&mut rng).unwrap()).to_owned(), value(&mut rng, 0));
        }
        desk.now += rng.random_range(0..100);
        desk.version =
            ["2.11", "2.12", "2.13", "2.14", "2.14", "2.14", "2.14", "x"].choose(&mut rng).unwrap();
        let got = desk.call(method, &format!("{path}{query}"), Some(Value::Object(body)));
        assert!(got.status < 500 || got.status == 504, "{method} {path}");
        *answered.entry(got.status).or_default() += 1;
        let now = desk.at();
        for sent in desk.sim.webhooks_due(now) {
            let answer = [None, Some((200, None)), Some((200, None)), Some((500, None))];
            desk.sim.webhook_answered(sent.id, *answer.choose(&mut rng).unwrap(), now);
        }
    }
    desk.sim.tickets();
    for status in [200, 400, 404] {
        assert!(answered.get(&status).is_some_and(|count| *count > 500), "{status} is rare: {answered:?}");
    }
    assert!(answered.contains_key(&409), "{answered:?}");
}

#[test]
fn any_act_is_done_or_refused() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let mut desk = Desk::prompt();
    let ids = [desk.opened(true), desk.submitted("x"), RemoteId::from("x")];
    let (mut done, mut refused) = (0, 0);
    for _ in 0..2_000 {
        let ticket = ids.choose(&mut rng).unwrap().clone();
        let who = [Who::Customer, Who::Bot, Who::Agent("Maya".to_owned()), Who::Agent(String::new())];
        let who = who.choose(&mut rng).unwrap().clone();
        let text = WORDS.choose(&mut rng).unwrap().to_string();
        let status = *handoffd_core::Status::ALL.choose(&mut rng).unwrap();
        let act = match rng.random_range(0..6) {
            0 => HumanAct::Say { ticket, who, text, public: rng.random() },
            1 => HumanAct::SetSubject { ticket, subject: text },
            2 => HumanAct::SetStatus { ticket, status },
            3 => HumanAct::Tag { ticket, add: vec![text], remove: vec!["admin".to_owned()] },
            4 => HumanAct::Assign { ticket, to: rng.random::<bool>().then_some(who) },
            _ => HumanAct::SetPriority { ticket, priority: None },
        };
        desk.now += rng.random_range(0..40_000);
        let now = desk.at();
        match desk.sim.human(act, now) {
            Ok(_) => done += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(done > 500 && refused > 100, "{done} {refused}");
    assert_eq!(desk.sim.tickets().len(), 2);
}

#[test]
fn any_bytes_are_answered() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut desk = Desk::with("small", Options::default());
    for _ in 0..500 {
        let bytes: Vec<u8> = (0..rng.random_range(0..40)).map(|_| rng.random()).collect();
        let token = if rng.random_bool(0.5) { desk.token.clone() } else { "%%".to_owned() };
        let request = Request::post("/contacts/search?x=%zz")
            .header("authorization", format!("Bearer {token}"))
            .body(Bytes::from(bytes))
            .unwrap();
        assert!(matches!(desk.send(request).status, 400 | 401 | 429));
    }
    assert_eq!(desk.send(Request::get("*").body(Bytes::new()).unwrap()).status, 401);
}
