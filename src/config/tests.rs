mod example;
mod mapping;

use super::*;

const BASE: &str = r#"
[accounts.desk]
connector = "zendesk"
base_url = "https://acme.zendesk.com"
auth = { method = "bearer", token = "env:X" }

[groups.main]
accounts = ["desk"]
"#;

fn error(text: &str) -> ConfigError {
    load_text("c.toml", text, &[]).expect_err("this configuration is wrong")
}

#[test]
fn the_smallest_configuration_loads_over_the_defaults() {
    let config = load_text("c.toml", BASE, &[]).expect("it is right");
    assert_eq!(config.engine.poll.every.0.as_secs(), 60);
    assert_eq!(config.server.public_listen.port(), 8460);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_name() {
    let error = error(&format!("{BASE}\n[engine]\nworkers_mx = 3\n"));
    assert_eq!((error.line, error.key.as_str()), (Some(11), "engine.workers_mx"));
    assert!(error.why.contains("did you mean `workers_max`?"), "{}", error.why);
}

#[test]
fn a_wrong_value_is_named_with_its_line() {
    let error = error("[engine]\npoll = { every = \"soon\", jitter = \"1s\" }\n");
    assert_eq!((error.line, error.key.as_str()), (Some(2), "engine.poll.every"));
    assert!(error.why.contains("such as 30s"), "{}", error.why);
}

#[test]
fn a_secret_in_the_open_is_refused_and_not_repeated() {
    let error = error(&BASE.replace("env:X", "hunter2"));
    assert_eq!(error.key, "accounts.desk.auth.token");
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn no_toml_is_named_with_its_line() {
    assert_eq!(error("[server\n").line, Some(1));
}

#[test]
fn names_that_lead_nowhere_are_refused() {
    let cases = [
        (BASE.replace("\"desk\"]", "\"desk\", \"other\"]"), "groups.main.accounts"),
        (BASE.replace("zendesk\"\nbase", "zendosk\"\nbase"), "accounts.desk.connector"),
        (BASE.replace("acme.zendesk.com", "acme.zendesk.com/api/v2"), "accounts.desk.base_url"),
        (BASE.replace("token = \"env:X\"", "key = \"env:X\""), "accounts.desk.auth.token"),
        (format!("{BASE}\n[agents.bot]\n"), "agents.bot"),
        (format!("{BASE}\nfields.assignee = {{}}\n"), "groups.main.fields.assignee"),
        (format!("{BASE}\nroutes = [{{ from = \"desk\", to = \"desk\" }}]\n"), "groups.main.routes[0].to"),
    ];
    for (text, key) in cases {
        let error = error(&text);
        assert_eq!(error.key, key, "{error}");
    }
}

#[test]
fn a_variable_overrules_the_file_and_is_named_in_its_error() {
    let set = |value: &str| vec![("HANDOFFD_ENGINE__WORKERS_MAX".to_owned(), value.to_owned())];
    assert_eq!(load_text("c.toml", BASE, &set("3")).expect("it is right").engine.workers_max, 3);
    let error = load_text("c.toml", BASE, &set("many")).expect_err("it is wrong");
    assert_eq!(error.file, "variable HANDOFFD_ENGINE__WORKERS_MAX");
}

#[test]
fn spans_read_and_print() {
    for (text, ms) in
        [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("6h", 21_600_000), ("7d", 604_800_000)]
    {
        assert_eq!(Span::parse(text).expect("a span").as_millis(), ms);
    }
    for text in ["", "30", "-3s", "soon"] {
        assert_eq!(Span::parse(text), None, "{text:?}");
    }
}
