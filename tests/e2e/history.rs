//! `handoffd plan` and `handoffd backfill`.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::{
    process::{PATIENCE, Process, text},
    rest::Vendor,
    run::public,
    world::World,
};

/// How many old conversations there are.
const OLD: usize = 150;

/// Old tickets at Freshdesk, each with an answer and a note.
async fn old_tickets(desk: &Vendor, count: usize) {
    for number in 0..count {
        let ticket = desk.freshdesk_open(&format!("Old {number}"), &format!("Question {number}")).await;
        desk.freshdesk_reply(&ticket, &format!("Answer {number}")).await;
        let note = json!({ "body": format!("<div>Note {number}</div>"), "private": true });
        desk.write("POST", &format!("/api/v2/tickets/{ticket}/notes"), note).await;
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

#[tokio::test]
async fn a_plan_tells_what_a_sync_then_writes_and_after_it_nothing() {
    let world = World::new(31).await;
    let desk = &world.sandbox.freshdesk;
    for subject in ["First", "Second"] {
        let ticket = desk.freshdesk_open(subject, "It broke.").await;
        desk.freshdesk_reply(&ticket, "We mend it.").await;
    }
    let planned = world.command(&["plan", "--no-wait", "--json"]).with_code(2);
    let report = parsed(&planned.stdout);
    assert_eq!(report["would_write"], true, "{report}");
    let writes = &report["accounts"]["zd"];
    assert_eq!((&writes["creates"], &writes["public_comments"]), (&json!(2), &json!(4)), "{report}");
    assert_eq!((&writes["emails"], &report["conversations"]), (&json!(0), &json!(2)), "{report}");
    assert_eq!(writes["fields"]["subject"], 2, "{report}");
    assert!(report["samples"]["create"][0].as_str().unwrap().contains("zd: a ticket"), "{report}");
    let words = world.command(&["plan", "--no-wait"]).with_code(2);
    for part in ["2 conversations looked at", "zd: 2 tickets made", "0 e-mails to customers", "by rule"] {
        assert!(words.stdout.contains(part), "{part:?}: {words:?}");
    }
    assert!(world.sandbox.zendesk.zendesk_tickets().await.is_empty(), "a plan writes nothing");
    assert!(!world.path("data/store").exists(), "nor does it leave a store");

    world.command(&["sync", "--once", "--no-wait"]).with_code(0);
    assert_eq!(world.sandbox.zendesk.zendesk_tickets().await.len(), 2);
    let after = world.command(&["plan", "--no-wait", "--json"]).with_code(0);
    let report = parsed(&after.stdout);
    assert_eq!((&report["would_write"], &report["accounts"]), (&json!(false), &json!({})), "{report}");
    let words = world.command(&["plan", "--no-wait"]).with_code(0);
    assert!(words.stdout.contains("nothing would be written"), "{words:?}");
    let daemon = world.start().await;
    let held = world.command(&["plan", "--no-wait"]).with_code(5);
    assert!(held.stderr.contains("another handoffd uses this directory"), "{held:?}");
    world.stop(daemon);
}

#[tokio::test]
async fn a_backfill_that_is_killed_goes_on_and_makes_nothing_twice() {
    let mut world = World::new(32).await;
    world.unlimited();
    old_tickets(&world.sandbox.freshdesk, OLD).await;
    let planned = world.command(&["plan", "--history", "2020-01-01", "--no-wait", "--json"]).with_code(2);
    let report = parsed(&planned.stdout);
    let writes = &report["accounts"]["zd"];
    assert_eq!((&writes["creates"], &writes["emails"]), (&json!(OLD), &json!(0)), "{report}");
    let words = world.command(&["plan", "--history", "2020-01-01", "--no-wait"]).with_code(2);
    assert!(words.stderr.contains("taking in"), "it says how far it is: {words:?}");

    let file = world.config_file();
    let mut made = 0;
    let mut shown = String::new();
    for kill in 1..=3 {
        let mut backfill = Process::start(&["backfill", "-c", text(&file)], &world.variables);
        let mut moved = std::time::Instant::now();
        while made < kill * OLD / 5 {
            assert!(backfill.runs() && moved.elapsed() < PATIENCE, "{made}: {:?}", backfill.stderr());
            tokio::time::sleep(Duration::from_millis(20)).await;
            let now = world.sandbox.zendesk.zendesk_tickets().await.len();
            moved = if now > made { std::time::Instant::now() } else { moved };
            made = now;
        }
        shown += &backfill.kill().without(&world.secrets()).stderr;
    }
    assert!(made < OLD, "it was over before it was killed");
    let status = world.command(&["backfill", "--status", "--json"]).with_code(0);
    let row = parsed(&status.stdout);
    let row = row.as_array().unwrap().iter().find(|row| row["account"] == "fd").unwrap().clone();
    assert_eq!((&row["finished_at"], &row["total"]), (&Value::Null, &json!(OLD)), "{row}");
    assert!(row["about_secs_left"].as_u64().is_some_and(|secs| secs > 0), "{row}");

    let ended = world.command(&["backfill"]).with_code(0);
    shown += &ended.stderr;
    for part in ["reading", "taking in", &format!("of {OLD} tickets"), "left", "[#"] {
        assert!(shown.contains(part), "{part:?} is not shown: {shown}");
    }
    assert!(ended.stdout.contains("fd ") && ended.stdout.contains(" done "), "{ended:?}");
    let mut mirrors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (id, subject) in world.sandbox.zendesk.zendesk_tickets().await {
        mirrors.entry(subject).or_default().push(id);
    }
    assert_eq!(mirrors.len(), OLD);
    for (subject, ids) in &mirrors {
        assert_eq!(ids.len(), 1, "{subject} is there {} times", ids.len());
        let number = subject.trim_start_matches("Old ");
        let said = world.sandbox.zendesk.zendesk_said(&ids[0]).await;
        assert_eq!(public(&said), [format!("Question {number}"), format!("Answer {number}")], "{subject}");
        assert_eq!(said.len(), 3, "{subject}: {said:?}");
    }
    assert_eq!(world.sandbox.freshdesk.freshdesk_tickets().await.len(), OLD, "nothing came back");
    let again = world.command(&["backfill", "--restart"]).with_code(0);
    assert!(again.stdout.contains(" done "), "{again:?}");
    assert_eq!(world.sandbox.zendesk.zendesk_tickets().await.len(), OLD);
    let strange = world.command(&["backfill", "--account", "nobody"]).with_code(1);
    assert!(strange.stderr.contains("\"nobody\" is no helpdesk account of a link group"), "{strange:?}");
}
