//! `handoffd pull` over real HTTP.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    process::{PATIENCE, Process, text},
    rest::{Vendor, client, got, word},
    world::World,
};

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// Each ticket's lines, by id.
fn by_id(lines: &[Value]) -> BTreeMap<String, Vec<&Value>> {
    let mut all: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["type"] == "ticket") {
        all.entry(word(line, "id")).or_default().push(line);
    }
    all
}

fn assert_valid(lines: &[Value]) {
    let schema = Process::run(&["schema", "pull"], &[]).with_code(0).stdout;
    let schema: Value = serde_json::from_str(&schema).expect("the schema is JSON");
    let in_tree = include_str!("../../config/pull.schema.json");
    assert_eq!(schema, serde_json::from_str::<Value>(in_tree).unwrap(), "it is that of the tree");
    for (of, in_tree) in [
        ("package", include_str!("../../config/package.schema.json")),
        ("openapi", include_str!("../../config/openapi.json")),
    ] {
        assert_eq!(Process::run(&["schema", of], &[]).with_code(0).stdout, in_tree, "{of}");
    }
    let valid = jsonschema::validator_for(&schema).expect("a schema");
    for line in lines {
        let wrong: Vec<String> = valid.iter_errors(line).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{line}: {wrong:?}");
    }
}

async fn freshdesk_tickets(desk: &Vendor, from: usize, to: usize) {
    for number in from..to {
        let ticket = desk.freshdesk_open(&format!("Ticket {number}"), "Where is it?").await;
        desk.freshdesk_reply(&ticket, &format!("Reply {number}")).await;
    }
}

#[tokio::test]
async fn a_pull_that_is_killed_goes_on_without_a_gap_or_a_double() {
    const COUNT: usize = 350;
    let mut world = World::new(41).await;
    world.unlimited();
    let desk = &world.sandbox.freshdesk;
    freshdesk_tickets(desk, 0, COUNT).await;
    // A list that goes by the second of the last change reads the newest second again.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let before = desk.freshdesk_tickets().await;
    let (file, out) = (world.config_file(), world.path("tickets.ndjson"));
    let args = ["pull", "--account", "fd", "--out", text(&out), "-c", text(&file)];
    let mut pull = Process::start(&args, &world.variables);
    let began = std::time::Instant::now();
    while std::fs::metadata(&out).map_or(0, |file| file.len()) == 0 {
        assert!(pull.runs() && began.elapsed() < PATIENCE, "{:?}", pull.stderr());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let killed = pull.kill();
    let first = std::fs::read(&out).unwrap();
    // As if the kill had come in the middle of a line.
    std::fs::write(&out, [first.as_slice(), b"{\"type\":\"ticket\",\"id\":\"4"].concat()).unwrap();
    let cut = first.iter().filter(|byte| **byte == b'\n').count();
    assert!((1..COUNT).contains(&cut), "{cut} lines before the kill: {killed:?}");

    let ended = world.command(&args[..5]).with_code(0);
    assert!(ended.stderr.contains(" tickets, "), "it says how far it is: {ended:?}");
    let all = lines(&out);
    assert_valid(&all);
    let tickets = by_id(&all);
    assert_eq!(tickets.len(), COUNT);
    for (id, _) in &before {
        let told = tickets.get(id).unwrap_or_else(|| panic!("ticket {id} is missing"));
        assert_eq!(told.len(), 1, "ticket {id} is there {} times", told.len());
        assert_eq!(told[0]["comments"].as_array().map(Vec::len), Some(2), "{}", told[0]);
    }
    assert_eq!(desk.freshdesk_tickets().await, before, "a pull writes nothing");

    // What changed since is added; what did not is not told again.
    desk.freshdesk_reply(&before[7].0, "One more thing.").await;
    let more = world.command(&args[..5]).with_code(0);
    assert!(more.stderr.contains("was pulled whole before; what changed since is added"), "{more:?}");
    let all = lines(&out);
    let told = &by_id(&all)[&before[7].0];
    assert_eq!(told.last().unwrap()["comments"].as_array().map(Vec::len), Some(3));
    let other = world.command(&[&args[..5], &["--without-comments"]].concat()).with_code(1);
    assert!(other.stderr.contains("--restart"), "{other:?}");
}

#[tokio::test]
async fn a_pull_needs_no_write_and_takes_what_is_asked_for() {
    let mut world = World::new(42).await;
    let desk = world.sandbox.zendesk.clone();
    let old = desk.zendesk_open("Old", "Is it here?").await;
    desk.zendesk_reply(&old, "It is.").await;
    desk.zendesk_open("New", "And this?").await;
    let other = world.sandbox.freshdesk.clone();
    other.freshdesk_open("Old", "Is it here?").await;
    world.config = world.config.replace("settings = { statuses", "settings = { overlap_secs = 60, statuses");

    // A token that may read and nothing else.
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=read",
        desk.credential("client_id"),
        desk.credential("client_secret")
    );
    let request = client().post(format!("{}/oauth/tokens", desk.base_url));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    let token = word(&got(request).await.json, "access_token");
    let refused = client().put(format!("{}/api/v2/tickets/{old}.json", desk.base_url));
    let refused = refused.header("authorization", format!("Bearer {token}"));
    let body = json!({ "ticket": { "priority": "high" } }).to_string();
    let refused = got(refused.header("content-type", "application/json").body(body)).await;
    assert_eq!(refused.status, 403, "the token may not write: {refused:?}");
    world.set("ZD_TOKEN", &token);
    let email = desk.credential("email");
    let by_token =
        format!("auth = {{ method = \"api_token\", email = \"{email}\", token = \"env:ZD_TOKEN\" }}");
    assert!(world.config.contains(&by_token));
    world.config =
        world.config.replace(&by_token, "auth = { method = \"bearer\", token = \"env:ZD_TOKEN\" }");
    // Zendesk's feed shows nothing of its last minute; Freshdesk's begins a minute before.
    tokio::time::sleep(Duration::from_secs(64)).await;
    let since = other.send("GET", "/api/v2/agents/me", None).await.headers;
    let since = httpdate_seconds(since["date"].to_str().unwrap());
    let new = other.freshdesk_open("New", "And this?").await;

    let pulled = |args: &[&str]| {
        let account = if args.contains(&"--since") { "fd" } else { "zd" };
        let ended = world.command(&[&["pull", "--account", account], args].concat()).with_code(0);
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let all = pulled(&[]);
    assert_valid(&all);
    let tickets = by_id(&all);
    assert_eq!(tickets[&old][0]["comments"].as_array().map(Vec::len), Some(2), "{all:?}");
    assert_eq!(tickets.len(), 2);
    let bare = pulled(&["--without-comments"]);
    assert_valid(&bare);
    assert!(bare.len() >= 2 && bare.iter().all(|line| line["comments"].is_null()), "{bare:?}");
    let recent = pulled(&["--since", &since]);
    assert_valid(&recent);
    let ids: Vec<String> = by_id(&recent).into_keys().collect();
    assert_eq!(ids, [new], "since {since}");
    let json = world.command(&["pull", "--account", "zd", "--json"]).with_code(0);
    let summary = json.stderr.lines().find(|line| line.starts_with('{')).expect("a summary");
    assert_eq!(serde_json::from_str::<Value>(summary).unwrap()["tickets"], 2, "{json:?}");

    for (args, code, words) in [
        (vec!["pull", "--account", "nobody"], 4, "there is no account nobody; there are fd, pay, zd"),
        (vec!["pull", "--account", "pay"], 4, "is no helpdesk"),
        (vec!["pull", "--account", "zd", "--since", "soon"], 2, "write 2026-01-31"),
        (vec!["pull", "--account", "zd", "--restart"], 2, "--out"),
    ] {
        let ended = world.command(&args);
        assert!(ended.code == Some(code) && ended.stderr.contains(words), "{args:?}: {ended:?}");
    }
}

/// `Sun, 22 Nov 2026 22:00:05 GMT` as `2026-11-22T22:00:05Z`.
fn httpdate_seconds(text: &str) -> String {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|month| *month == parts[2]).expect("a month") + 1;
    format!("{}-{month:02}-{}T{}Z", parts[3], parts[1], parts[4])
}
