//! No request and no act brings the world down.

use bytes::Bytes;
use handoffd_core::{RemoteId, Status};
use http::Request;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::Desk;
use crate::sim::{HumanAct, VendorSim, Who};

const WORDS: &[&str] = &[
    "tickets",
    "users",
    "me",
    "count",
    "show_many",
    "update_many",
    "create_many",
    "comments",
    "audits",
    "tags",
    "incremental",
    "cursor",
    "search",
    "groups",
    "triggers",
    "webhooks",
    "signing_secret",
    "job_statuses",
    "ticket_fields",
    "custom_statuses",
    "create_or_update",
    "memberships",
    "1",
    "2",
    "99999999999999999999",
    "-1",
    "abc",
    "%00",
    "tickets.json",
    "cursor.json",
    ".json",
    "deleted_tickets",
    "satisfaction_ratings",
];
const PARAMS: &[&str] = &[
    "page[size]",
    "page[after]",
    "page[before]",
    "page",
    "per_page",
    "sort",
    "sort_by",
    "start_time",
    "cursor",
    "ids",
    "query",
    "include",
    "external_id",
    "async",
    "exclude_deleted",
    "role",
];
const VALUES: &[&str] = &[
    "0",
    "-1",
    "1",
    "100",
    "9223372036854775807",
    "-9223372036854775808",
    "x",
    "",
    "MSwx",
    "MS4wfHwxfA==",
    "id",
    "-updated_at",
    "users,comment_count",
    "status%3C%3Csolved",
    "%22",
    "created%3E2026-01-01",
    "1,2,x",
    "true",
    "é",
];
const KEYS: &[&str] = &[
    "ticket",
    "tickets",
    "user",
    "trigger",
    "webhook",
    "comment",
    "body",
    "html_body",
    "public",
    "author_id",
    "tags",
    "status",
    "priority",
    "type",
    "assignee_id",
    "group_id",
    "requester",
    "requester_id",
    "email",
    "name",
    "subject",
    "external_id",
    "custom_fields",
    "id",
    "value",
    "metadata",
    "custom",
    "safe_update",
    "updated_stamp",
    "title",
    "conditions",
    "all",
    "any",
    "actions",
    "field",
    "operator",
    "endpoint",
    "subscriptions",
    "custom_status_id",
];
const TEXTS: &[&str] = &[
    "",
    "x",
    "closed",
    "open",
    "new",
    "high",
    "<br",
    "<script><SCRIPT",
    "ß&nbsp;<p>İ</style>",
    "1",
    "ann@example.org",
    "current_tags",
    "status",
    "remove_tags",
    "notification_user",
    "requester_id",
    "is",
    "https://example.org/",
    "2026-01-01T00:00:00Z",
    "\u{0}",
    "zen:event-type:ticket.*",
];

fn value(rng: &mut ChaCha8Rng, depth: u32) -> Value {
    match rng.random_range(0..if depth == 0 { 5 } else { 9 }) {
        0 => Value::Null,
        1 => json!(rng.random::<bool>()),
        2 => json!(rng.random_range(-2..4)),
        3 => json!(rng.random::<i64>()),
        4 => json!(TEXTS.choose(rng).unwrap()),
        5 => Value::Array((0..rng.random_range(0..4)).map(|_| value(rng, depth - 1)).collect()),
        _ => {
            let fields = (0..rng.random_range(1..7))
                .map(|_| ((*KEYS.choose(rng).unwrap()).to_owned(), value(rng, depth - 1)));
            Value::Object(fields.collect())
        }
    }
}

fn path(rng: &mut ChaCha8Rng) -> String {
    let mut out = if rng.random_ratio(1, 20) { "/oauth".to_owned() } else { "/api/v2".to_owned() };
    let known = [
        "tickets/1",
        "tickets",
        "tickets/2/tags",
        "users",
        "triggers",
        "webhooks",
        "incremental/tickets/cursor",
    ];
    match known.choose(rng) {
        Some(known) if rng.random_ratio(1, 2) => out.extend(["/", known]),
        _ => (0..rng.random_range(0..4)).for_each(|_| out.extend(["/", *WORDS.choose(rng).unwrap()])),
    }
    let query: Vec<String> = (0..rng.random_range(0..4))
        .map(|_| format!("{}={}", PARAMS.choose(rng).unwrap(), VALUES.choose(rng).unwrap()))
        .collect();
    if query.is_empty() { out } else { format!("{out}?{}", query.join("&")) }
}

#[test]
fn any_request_is_answered() {
    let mut statuses = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut desk = Desk::new("unlimited");
        desk.sim.set_webhook("http://127.0.0.1:9/z", "s");
        desk.quiet_ticket();
        desk.opened(true);
        for _ in 0..250 {
            let method = *["GET", "GET", "PUT", "POST", "POST", "DELETE", "PATCH"].choose(&mut rng).unwrap();
            let wrapped = json!({*["ticket", "user", "trigger", "webhook"].choose(&mut rng).unwrap(): value(&mut rng, 4)});
            let body = if rng.random_ratio(1, 2) { wrapped } else { value(&mut rng, 4) };
            let mut bytes = body.to_string().into_bytes();
            if rng.random_ratio(1, 10) {
                bytes.truncate(rng.random_range(0..=bytes.len()));
            }
            let Ok(request) = Request::builder()
                .method(method)
                .uri(path(&mut rng))
                .header("authorization", desk.auth.clone())
                .body(Bytes::from(bytes))
            else {
                continue;
            };
            let response = desk.sim.handle(request, desk.now);
            statuses.insert(response.status().as_u16());
            assert_ne!(response.status(), 500);
            desk.wait(rng.random_range(0..90));
            for out in desk.sim.webhooks_due(desk.now) {
                desk.sim.webhook_answered(out.id, None, desk.now);
            }
            desk.sim.tickets();
        }
    }
    // Otherwise the requests above reached nothing.
    for status in [200, 201, 204, 400, 404, 422] {
        assert!(statuses.contains(&status), "{status} never came: {statuses:?}");
    }
}

#[test]
fn any_act_is_carried_out_or_refused() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut desk = Desk::new("team");
    let mut refused = 0;
    for _ in 0..2_000 {
        let ticket = RemoteId::new(*["1", "2", "3", "99", "x"].choose(&mut rng).unwrap());
        let text = (*TEXTS.choose(&mut rng).unwrap()).to_owned();
        let who = [Who::Customer, Who::Bot, Who::Agent("Kim".to_owned()), Who::Agent("AI Agent".to_owned())];
        let who = who.choose(&mut rng).unwrap().clone();
        let act = match rng.random_range(0..8) {
            0 => HumanAct::Open {
                name: text.clone(),
                email: text.clone(),
                subject: text.clone(),
                text,
                to_bot: rng.random(),
            },
            1 => HumanAct::Say { ticket, who, text, public: rng.random() },
            2 => HumanAct::SetSubject { ticket, subject: text },
            3 => HumanAct::SetStatus { ticket, status: *Status::ALL.choose(&mut rng).unwrap() },
            4 => HumanAct::SetPriority { ticket, priority: None },
            5 => HumanAct::Tag { ticket, add: vec![text.clone()], remove: vec![text] },
            6 => HumanAct::Assign { ticket, to: rng.random::<bool>().then_some(who) },
            _ if rng.random_ratio(1, 50) => HumanAct::Delete { ticket },
            _ => continue,
        };
        refused += usize::from(desk.human(act).is_err());
        desk.wait(1);
    }
    assert!(refused > 0 && desk.sim.tickets().len() > 3);
}
