//! Who wrote what: agents are named, in few requests, and where that is refused messages come all the same.

use handoffd_core::{Comment, Role};
use serde_json::json;

use super::*;
use crate::contract::Helpdesk;

const AGENTS: &str = "GET /api/v2/agents?per_page=100&page=1";

fn ticket(id: i64) -> String {
    format!("GET /api/v2/tickets/{id}?include=requester,conversations")
}

/// A ticket of the requester 43 with words of these: their id, and whether the words came in.
fn with_words(id: i64, of: &[(i64, bool)]) -> String {
    let said = |(at, (user, incoming)): (usize, &(i64, bool))| {
        json!({"id": at + 1, "user_id": user, "incoming": incoming, "private": !incoming, "source": 2,
            "body": "<p>Words</p>", "created_at": "2026-11-22T08:00:01Z"})
    };
    let said: Vec<Json> = of.iter().enumerate().map(said).collect();
    json!({"id": id, "status": 2, "requester_id": 43, "requester": {"id": 43, "name": "Ann", "email": "ann@x.test"},
        "conversations": said, "created_at": "2026-11-22T08:00:00Z", "updated_at": "2026-11-22T08:00:01Z"})
    .to_string()
}

fn agents(of: &[(i64, &str)]) -> String {
    let agent = |(id, name): &(i64, &str)| json!({"id": id, "contact": {"name": name, "email": format!("{id}@x.test")}});
    Json::from(of.iter().map(agent).collect::<Vec<_>>()).to_string()
}

async fn authors(desk: &Desk, ticket: &str) -> Vec<(String, Option<String>, Role)> {
    let comments = desk.comments(call(), &id(ticket)).await.unwrap();
    let who = |comment: &Comment| {
        let author = comment.author().clone();
        (author.name, author.email, author.role)
    };
    comments.iter().map(who).collect()
}

fn agent(name: &str, email: &str) -> (String, Option<String>, Role) {
    (name.to_owned(), Some(email.to_owned()), Role::Agent)
}

#[tokio::test(start_paused = true)]
async fn agents_are_named_and_listed_once() {
    let (desk, script) = fresh_desk(Json::Null);
    script
        .expect(&ticket(1), 200, with_words(1, &[(7, false), (43, true)]))
        .expect(AGENTS, 200, agents(&[(7, "Alice"), (8, "Bo")]))
        .expect(&ticket(2), 200, with_words(2, &[(8, false)]));
    let ann = ("Ann".to_owned(), Some("ann@x.test".to_owned()), Role::Customer);
    assert_eq!(authors(&desk, "1").await, [agent("Alice", "7@x.test"), ann]);
    assert_eq!(authors(&desk, "2").await, [agent("Bo", "8@x.test")], "known from the one list");
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn a_page_of_a_ticket_names_them_too() {
    let (desk, script) = fresh_desk(Json::Null);
    script.expect(&ticket(1), 200, with_words(1, &[(7, false)])).expect(AGENTS, 200, agents(&[(7, "Alice")]));
    let fetched = desk.fetch_many(call(), &[id("1")]).await.unwrap();
    assert!(format!("{fetched:?}").contains("Alice"), "{fetched:?}");
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn whoever_is_not_listed_is_asked_for_once() {
    let (desk, script) = fresh_desk(Json::Null);
    let shown = with_words(1, &[(7, false), (9, false), (10, false), (44, true)]);
    script
        .expect(&ticket(1), 200, shown.clone())
        .expect(AGENTS, 200, "[]")
        // One who left, one whom nobody knows, one who is new since the list, and somebody in copy.
        .expect("GET /api/v2/agents/7", 404, "")
        .expect("GET /api/v2/contacts/7", 200, r#"{"id":7,"name":"Left","email":"left@x.test"}"#)
        .expect("GET /api/v2/agents/9", 403, "")
        .expect("GET /api/v2/contacts/9", 404, "")
        .expect("GET /api/v2/agents/10", 200, r#"{"id":10,"contact":{"name":"New"}}"#)
        .expect("GET /api/v2/contacts/44", 200, r#"{"id":44,"name":"Cleo","email":"cleo@x.test"}"#)
        .expect(&ticket(1), 200, shown);
    let named = [
        agent("Left", "left@x.test"),
        (String::new(), None, Role::Agent),
        ("New".to_owned(), None, Role::Agent),
        ("Cleo".to_owned(), Some("cleo@x.test".to_owned()), Role::Customer),
    ];
    assert_eq!(authors(&desk, "1").await, named);
    assert_eq!(authors(&desk, "1").await, named, "nobody is asked for twice");
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn a_key_that_may_not_see_agents_costs_names_alone() {
    let (desk, script) = fresh_desk(Json::Null);
    script.expect(&ticket(1), 200, with_words(1, &[(7, false)])).expect(
        AGENTS,
        403,
        r#"{"code":"access_denied"}"#,
    );
    let nameless = [(String::new(), None, Role::Agent)];
    assert_eq!(authors(&desk, "1").await, nameless);
    script.expect(&ticket(1), 200, with_words(1, &[(7, false)]));
    assert_eq!(authors(&desk, "1").await, nameless, "it is not tried with every ticket");
    script.finish();
    tokio::time::sleep(Duration::from_secs(3_601)).await;
    let later = Call { deadline: NOW.plus(Duration::from_secs(4_000)), ..call() };
    script.expect(&ticket(1), 200, with_words(1, &[(7, false)])).expect(AGENTS, 200, agents(&[(7, "Alice")]));
    let comments = desk.comments(later, &id("1")).await.unwrap();
    assert_eq!(comments[0].author().name, "Alice", "it may by now");
    script.finish();
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_no_name() {
    let (desk, script) = fresh_desk(Json::Null);
    script.expect(&ticket(1), 200, with_words(1, &[(7, false)]));
    for _ in 0..20 {
        script.expect(AGENTS, 503, "");
    }
    desk.comments(call(), &id("1")).await.expect_err("a note without its writer's name would stay so");
}

#[tokio::test(start_paused = true)]
async fn the_probe_says_that_agents_are_not_named() {
    let (desk, script) = fresh_desk(Json::Null);
    let ratings =
        "GET /api/v2/surveys/satisfaction_ratings?created_since=2026-11-22T08:00:00Z&per_page=1&page=1";
    script
        .expect("GET /api/v2/agents/me", 200, include_str!("../fixtures/agent_me.json"))
        .expect("GET /api/v2/ticket_fields", 200, include_str!("../fixtures/ticket_fields.json"))
        .expect(AGENTS, 403, r#"{"code":"access_denied"}"#)
        .expect(ratings, 200, "[]");
    let probe = desk.probe(call()).await.unwrap();
    let said = probe.problems.iter().filter(|problem| problem.what.contains("agents are not named")).count();
    assert_eq!(said, 1, "{:?}", probe.problems);
    script.finish();
}
