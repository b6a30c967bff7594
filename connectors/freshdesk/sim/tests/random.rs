//! Whatever is sent, something is answered.

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::*;

const PATHS: &[&str] = &[
    "tickets",
    "tickets/2092",
    "tickets/-1",
    "tickets/9223372036854775807",
    "tickets/2092/reply",
    "tickets/2092/notes",
    "tickets/2092/conversations",
    "tickets/2092/restore",
    "conversations/1",
    "contacts",
    "contacts/1",
    "agents/me",
    "search/tickets",
    "search/contacts",
    "admin/ticket_fields/1",
    "",
    "//",
    "ä",
];
const QUERIES: &[&str] = &[
    "",
    "?page=1&per_page=100",
    "?page=18446744073709551615",
    "?page=300&per_page=1",
    "?query=%22((((%22",
    "?query=%22a:%3E%22",
    "?query=%22created_at:%27%C3%A4%C3%A4%C3%A4%C3%A4%C3%A4%C3%A4%27%22",
    "?query=%22",
    "?include=,,,",
    "?updated_since=%FF",
    "?filter=deleted",
    "?include=stats,stats,stats,stats,stats,stats",
];
const NAMES: &[&str] = &[
    "subject",
    "description",
    "status",
    "priority",
    "email",
    "tags",
    "custom_fields",
    "body",
    "private",
    "user_id",
    "incoming",
    "name",
    "due_by",
    "requester_id",
    "type",
    "cc_emails",
];

fn value(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..9) {
        0 => Value::Null,
        1 => json!(rng.random::<i64>()),
        2 => json!(rng.random_range(0..8)),
        3 => json!(["x", 1, null]),
        4 => json!({"cf_handoff_key": "x", "cf_vip": 3}),
        5 => json!("<div <!-- & <b>&#x110000;&nbsp;<script>"),
        6 => json!("a@b.c"),
        7 => json!(true),
        _ => json!("\u{0}\u{202e}é<\u{1f600}&"),
    }
}

#[test]
fn nothing_sent_makes_it_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut desk = Desk::new("unlimited");
    desk.sim.set_webhook("not a url", "\u{0}");
    desk.sim.set_webhook("http://127.0.0.1/", "a\nb");
    desk.opened(true);
    let mut answered = std::collections::BTreeMap::<u16, u32>::new();
    for _ in 0..6_000 {
        let method = ["GET", "POST", "PUT", "DELETE", "PATCH"].choose(&mut rng).unwrap();
        let path = PATHS.choose(&mut rng).unwrap().replace('ä', "%C3%A4");
        let query = QUERIES.choose(&mut rng).unwrap();
        let mut body = match new_ticket("x") {
            Value::Object(whole) if rng.random_bool(0.3) => whole,
            _ => serde_json::Map::new(),
        };
        for _ in 0..rng.random_range(0..4) {
            body.insert((*NAMES.choose(&mut rng).unwrap()).to_owned(), value(&mut rng));
        }
        desk.now += rng.random_range(0..100);
        let got = desk.call(method, &format!("{path}{query}"), Some(Value::Object(body)));
        assert!(got.status < 500, "{method} {path}");
        *answered.entry(got.status).or_default() += 1;
        let now = desk.at();
        for sent in desk.sim.webhooks_due(now) {
            desk.sim.webhook_answered(sent.id, rng.random_bool(0.5).then_some((200, None)), now);
        }
        desk.sim.tickets();
    }
    for status in [200, 201, 204, 400, 404, 405] {
        assert!(answered.contains_key(&status), "{status} never came: {answered:?}");
    }
}

#[test]
fn any_bytes_are_answered() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut desk = Desk::new("pro");
    for _ in 0..500 {
        let bytes: Vec<u8> = (0..rng.random_range(0..40)).map(|_| rng.random()).collect();
        let authorization = format!("Basic {}", if rng.random_bool(0.5) { "%%" } else { "Og==" });
        let request = Request::post("/api/v2/tickets?page=%zz")
            .header("authorization", authorization)
            .body(Bytes::from(bytes))
            .unwrap();
        assert_eq!(desk.send(request).status, 401);
    }
    assert_eq!(desk.send(Request::get("*").body(Bytes::new()).unwrap()).status, 401);
}
