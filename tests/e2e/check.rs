//! `handoffd check`, and configurations that are wrong.

use serde_json::Value;

use crate::{
    process::{Process, text},
    world::World,
};

#[tokio::test]
async fn check_says_what_works_and_what_would_be_synced() {
    let mut world = World::new(14).await;
    let ended = world.command(&["check"]).with_code(0);
    for words in [
        "zd (zendesk, helpdesk): signed in as handoffd (admin)",
        "fd (freshdesk, helpdesk): signed in as handoffd <",
        "pay (stripe, context source): signed in as",
        "group support: zd mails the customer",
        "new tickets: zd -> fd",
        "new tickets: fd -> zd",
        "kept in step: ",
    ] {
        assert!(ended.stdout.contains(words), "{words:?} is missing: {ended:?}");
    }
    let report = world.command(&["check", "--json"]).with_code(0);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["ok"], true, "{report}");
    assert!(world.sandbox.freshdesk.freshdesk_tickets().await.is_empty(), "check writes nothing");
    assert!(!world.token_file().exists(), "check leaves nothing in the data directory");

    // The simulated account cannot lose its field, so that of another name is looked for.
    let right = world.config.clone();
    world.config = right.replace("settings = {", "settings = { marker_field = \"cf_other\",");
    let ended = world.command(&["check"]).with_code(4);
    for words in ["cf_other", "no tickets are made here", "zd (zendesk, helpdesk): signed in as"] {
        assert!(ended.stdout.contains(words), "{words:?} is missing: {ended:?}");
    }

    world.config = right;
    world.set("ZD_TOKEN", "a-token-that-is-wrong");
    let ended = world.command(&["check"]).with_code(4);
    for words in ["zd (zendesk): does not work: ", "fd (freshdesk, helpdesk): signed in as"] {
        assert!(ended.stdout.contains(words), "{words:?} is missing: {ended:?}");
    }
    let report = world.command(&["check", "--json"]).with_code(4);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!((&report["ok"], &report["accounts"]["fd"]["failed"]), (&Value::Bool(false), &Value::Null));
    assert!(report["accounts"]["zd"]["failed"].is_string(), "{report}");
}

const RIGHT: &str = r#"
[store]
data_dir = "@data@"

[accounts.desk]
connector = "zendesk"
base_url = "http://127.0.0.1:9"
auth = { method = "bearer", token = "env:DESK_TOKEN" }

[groups.main]
accounts = ["desk"]
"#;

#[test]
fn a_wrong_configuration_is_named_by_file_line_and_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("handoffd.toml");
    let right = RIGHT.replace("@data@", text(&dir.path().join("data")));
    let token = "token-of-the-desk-itself".to_owned();
    let set = vec![("DESK_TOKEN".to_owned(), token.clone())];
    let name = text(&file);
    let rows = [
        (
            format!("{right}\n[engine]\nworkers_mx = 3\n"),
            format!("{name}:14: engine.workers_mx: "),
            "`workers_max`",
        ),
        (
            right.replace("\"zendesk\"", "\"zendeks\""),
            format!("{name}:6: accounts.desk.connector: "),
            "freshdesk",
        ),
        (
            right.replace("\"env:DESK_TOKEN\"", &format!("{token:?}")),
            format!("{name}:8: accounts.desk.auth.token: "),
            "env:NAME",
        ),
        (
            right.replace("env:DESK_TOKEN", "env:DESK_TOKENS"),
            "accounts.desk.auth.token: ".to_owned(),
            "DESK_TOKENS is not set",
        ),
        (right.replace("[\"desk\"]", "[\"desks\"]"), format!("{name}:11: groups.main.accounts"), "desks"),
        (right.replace("[accounts", "[accounts\n"), format!("{name}:5: "), "no TOML"),
        (
            right.replace(
                "token = \"env:DESK_TOKEN\" }",
                "token = \"env:DESK_TOKEN\" }\nsettings = { pln = \"team\" }",
            ),
            "accounts.desk.settings.pln: ".to_owned(),
            "plan",
        ),
    ];
    for (config, place, advice) in rows {
        std::fs::write(&file, &config).unwrap();
        for command in ["run", "check"] {
            let ended =
                Process::run(&[command, "-c", name], &set).with_code(3).without(std::slice::from_ref(&token));
            let line = ended.stderr.lines().last().unwrap_or_default();
            assert!(line.contains(&place) && line.contains(advice), "{place:?} {advice:?} in {line:?}");
        }
    }
    std::fs::remove_file(&file).unwrap();
    let ended = Process::run(&["check", "-c", name], &set).with_code(3);
    assert!(ended.stderr.contains("cannot be read"), "{ended:?}");
    Process::run(&["run", "--nonsense"], &[]).with_code(2);
    let help = Process::run(&["--help"], &[]).with_code(0).stdout;
    for line in ["2  the command line is wrong", "3  the configuration is wrong", "5  the store is in use"] {
        assert!(help.contains(line), "{help}");
    }
}
