//! `handoffd parked`, `handoffd provision`, and what `handoffd check` refuses.

use serde_json::{Value, json};

use crate::{process::Ended, rest::id, world::World};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

/// A ticket of Ann's at both helpdesks.
async fn open(world: &World, at_zendesk: bool, subject: &str) -> String {
    if at_zendesk {
        return world.sandbox.zendesk.zendesk_open(subject, "It broke.").await;
    }
    let body = json!({ "subject": subject, "description": "<div>It broke.</div>",
        "email": "ann@example.org", "status": 2, "priority": 1 });
    id(&world.sandbox.freshdesk.write("POST", "/api/v2/tickets", body).await)
}

fn ids(listed: &Ended) -> Vec<String> {
    let things = parsed(&listed.stdout);
    things.as_array().unwrap().iter().map(|thing| thing["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_is_parked_is_listed_shown_decided_and_put_away() {
    let world = World::new(51).await;
    let none = world.command(&["parked", "list"]).with_code(0);
    assert!(none.stdout.contains("0 parked"), "{none:?}");
    let zd = open(&world, true, "Twice").await;
    let (one, two) = (open(&world, false, "Twice").await, open(&world, false, "Re: twice").await);
    // Zendesk shows nothing of its last minute.
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    let backfill = world.command(&["backfill"]).with_code(4);
    assert!(backfill.stderr.contains("3 tickets are parked; see `handoffd parked list`"), "{backfill:?}");
    let [of_zd, of_one, of_two] =
        [format!("join/zd/{zd}:fd"), format!("join/fd/{one}:zd"), format!("join/fd/{two}:zd")];

    let listed = world.command(&["parked", "list", "--json"]).with_code(0);
    let mut expected = vec![of_one.clone(), of_two.clone(), of_zd.clone()];
    expected.sort();
    assert_eq!(ids(&listed), expected);
    let thing =
        parsed(&listed.stdout).as_array().unwrap().iter().find(|one| one["id"] == of_zd).unwrap().clone();
    assert_eq!(thing["candidates"], json!([format!("fd/{one}"), format!("fd/{two}")]), "{thing}");
    let some = world.command(&["parked", "list", "--account", "fd", "--json"]).with_code(0);
    assert_eq!(ids(&some), std::slice::from_ref(&of_zd), "by the account that it is about");
    let words = world.command(&["parked", "list"]).with_code(0);
    for part in [
        of_zd.as_str(),
        "it is not certain which of them are one conversation",
        &format!("handoffd parked retry {of_zd} --join fd/{one}"),
        &format!("handoffd parked retry {of_zd} --alone"),
        "3 parked",
    ] {
        assert!(words.stdout.contains(part), "{part:?}: {words:?}");
    }
    let shown = world.command(&["parked", "show", &of_zd]).with_code(0);
    assert!(shown.stdout.contains(&format!("ticket zd/{zd}")), "{shown:?}");
    let shown = world.command(&["parked", "show", &of_zd, "--json"]).with_code(0);
    assert_eq!(parsed(&shown.stdout)["tickets"], json!([format!("zd/{zd}")]));
    assert_eq!(world.sandbox.zendesk.zendesk_tickets().await.len(), 1, "nothing is mirrored");

    for (args, code, part) in [
        (vec!["parked", "show", "join/zd/999:fd"], 1, "`handoffd parked list` names what is"),
        (vec!["parked", "retry", &of_zd, "--join", "nonsense"], 2, "write ACCOUNT/TICKET"),
        (vec!["parked", "retry", &of_zd, "--join", "fd/99999"], 1, "there is no such ticket"),
        (vec!["parked", "retry", &of_zd, "--join", &format!("zd/{zd}")], 1, "name a ticket of fd"),
        (vec!["parked", "retry", &of_zd, "--join", "fd/1", "--alone"], 2, "cannot be used with"),
        (vec!["parked", "retry"], 2, "required"),
    ] {
        let ended = world.command(&args);
        assert!(ended.code == Some(code) && ended.stderr.contains(part), "{args:?}: {ended:?}");
    }

    // Through the daemon, which then brings them in step.
    let daemon = world.start().await;
    let joined = world.command(&["parked", "retry", &of_zd, "--join", &format!("fd:{one}")]).with_code(0);
    assert!(joined.stdout.contains("are one conversation"), "{joined:?}");
    world.sandbox.freshdesk.freshdesk_reply(&one, "Both see this.").await;
    crate::world::eventually("the reply at Zendesk", || async {
        let said = world.sandbox.zendesk.zendesk_said(&zd).await;
        said.iter().any(|one| one.text == "Both see this.").then_some(())
    })
    .await;
    let left = world.command(&["parked", "list", "--json"]).with_code(0);
    assert_eq!(ids(&left), std::slice::from_ref(&of_two));
    world.stop(daemon);

    let dropped = world.command(&["parked", "drop", &of_two]).with_code(0);
    assert!(dropped.stdout.contains("is put away"), "{dropped:?}");
    let none = world.command(&["parked", "list"]).with_code(0);
    assert!(none.stdout.contains("0 parked"), "{none:?}");
    assert_eq!(world.sandbox.zendesk.zendesk_tickets().await.len(), 1, "what was put away stays undone");
    world.command(&["parked", "retry", "--all"]).with_code(0);
}

#[tokio::test]
async fn what_mapping_lacks_is_listed_and_made() {
    let mut world = World::new(52).await;
    world.config += "
[groups.support.custom.plan]
kind = \"text\"
at = { zd = \"plan\", fd = \"cf_plan\" }
";
    let listed = world.command(&["provision"]).with_code(2);
    for part in ["zd: would make the field \"plan\" (text)", "fd: would make the field \"cf_plan\" (text)"] {
        assert!(listed.stdout.contains(part), "{part:?}: {listed:?}");
    }
    let json = world.command(&["provision", "--json"]).with_code(2);
    let report = parsed(&json.stdout);
    assert_eq!((&report["applied"], report["items"].as_array().map(Vec::len)), (&json!(false), Some(2)));

    let made = world.command(&["provision", "--apply", "--json"]).with_code(0);
    let report = parsed(&made.stdout);
    let item = |account: &str| {
        let items = report["items"].as_array().unwrap();
        items.iter().find(|item| item["account"] == account).unwrap_or_else(|| panic!("{report}")).clone()
    };
    assert_eq!(item("zd")["key"], "groups.support.custom.plan.at.zd", "{report}");
    let native = item("zd")["id"].as_str().expect("the new field's id").to_owned();
    let of_fd = item("fd")["id"].as_str().expect("the new field's name").to_owned();
    world.config = world.config.replace("zd = \"plan\"", &format!("zd = {native:?}"));
    world.config = world.config.replace("fd = \"cf_plan\"", &format!("fd = {of_fd:?}"));
    let nothing = world.command(&["provision"]).with_code(0);
    assert!(nothing.stdout.contains("nothing is missing"), "{nothing:?}");
    let again = world.command(&["provision", "--apply"]).with_code(0);
    assert!(again.stdout.contains("nothing is missing"), "{again:?}");
    let check = world.command(&["check"]).with_code(0);
    assert!(check.stdout.contains("custom:plan"), "{check:?}");
}

/// The line of the configuration file on which this stands.
fn line_of(world: &World, words: &str) -> usize {
    let at = world.config.lines().position(|line| line.contains(words));
    at.unwrap_or_else(|| panic!("{words:?} is nowhere")) + 1
}

#[tokio::test]
async fn check_refuses_maps_that_flap_or_leak_and_names_what_is_lost() {
    let mut world = World::new(53).await;
    let right = world.config.clone();
    let fine = world.command(&["check"]).with_code(0);
    for part in [
        "values come to rest, no flapping",
        "existing tickets are joined by our markers, requester and subject within 24h; unequal fields as each field's rule says",
        "would be lost: ",
    ] {
        assert!(fine.stdout.contains(part), "{part:?}: {fine:?}");
    }

    world.config = right.clone()
        + "
[groups.support.fields.type.values.zd]
read = { incident = \"w\", question = \"x\" }
write = { w = \"incident\", x = \"question\", y = \"question\", z = \"incident\" }
[groups.support.fields.type.values.fd]
read = { Incident = \"y\", Question = \"z\" }
write = { y = \"Incident\", z = \"Question\", w = \"Incident\", x = \"Question\" }
";
    let place =
        format!("handoffd.toml:{}: fields.type: ", line_of(&world, "[groups.support.fields.type.values.zd]"));
    let flaps = world.command(&["check"]).with_code(4);
    for part in ["refused, it never comes to rest", &place, "→"] {
        assert!(flaps.stdout.contains(part), "{part:?}: {flaps:?}");
    }
    let json = world.command(&["check", "--json"]).with_code(4);
    let flaw = &parsed(&json.stdout)["groups"]["support"]["mapping"]["flaws"][0];
    assert!(flaw["place"].as_str().is_some_and(|place| place.contains("handoffd.toml:")), "{flaw}");
    let run = world.command(&["run"]);
    assert!(run.code == Some(3) && run.stderr.contains("fields.type"), "the daemon refuses it too: {run:?}");

    for (line, key, words) in [
        ("private_notes = \"public\"", "private_notes", "as private notes, or not at all"),
        ("fields.subject = { source = \"private_note\" }", "fields.subject.source", "there is no such key"),
        ("custom.leak = { kind = \"comment\", at = { zd = \"1\" } }", "custom.leak.kind", "unknown variant"),
        ("join = { keys = [\"requestor\"] }", "join.keys[0]", "unknown variant"),
        ("join = { reference = \"order\" }", "join.reference", "no custom field of this group"),
        ("join = { unequal = \"me\" }", "join.unequal", "write rules, newest, or the account"),
        ("join = { window = \"0s\" }", "join.window", "longer than nothing"),
    ] {
        world.config =
            right.replace("customer_facing = \"zd\"", &format!("customer_facing = \"zd\"\n{line}"));
        let place = format!("handoffd.toml:{}: groups.support.{key}", line_of(&world, line));
        let refused = world.command(&["check"]).with_code(3);
        assert!(refused.stderr.contains(&place) && refused.stderr.contains(words), "{place}: {refused:?}");
    }
}
