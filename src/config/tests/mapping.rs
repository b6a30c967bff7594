//! What mapping says that cannot be, each with its key and line.

use super::*;

const TWO: &str = r#"
[accounts.zd]
connector = "zendesk"
base_url = "https://acme.zendesk.com"
auth = { method = "bearer", token = "env:X" }
[accounts.fd]
connector = "freshdesk"
base_url = "https://acme.freshdesk.com"
auth = { method = "api_key", key = "env:X" }

[groups.main]
accounts = ["zd", "fd"]
customer_facing = "zd"
"#;

/// The rest of a configuration, its key that is wrong, and words of the reason.
const WRONG: &[(&str, &str, &str)] = &[
    ("agents.alice = { zd = \"1\" }\nagents.bob = { zd = \"1\" }", "agents.bob.zd", "alice already"),
    ("agents.alice = { x = \"1\" }", "agents.alice.x", "not one of this group's accounts"),
    ("teams.billing = { zd = \" \" }", "teams.billing.zd", "write the id"),
    ("statuses.open = { is = \"open\" }", "statuses.open", "is a category"),
    ("statuses.parts = { is = \"waiting\" }", "statuses.parts.is", "unknown variant"),
    ("statuses.parts = { is = \"pending\", fd = \"pending\" }", "statuses.parts.fd", "write the id"),
    (
        "statuses.a = { is = \"open\", fd = \"8\" }\nstatuses.b = { is = \"open\", fd = \"8\" }",
        "statuses.b.fd",
        "a already",
    ),
    ("custom.Plan = { kind = \"text\", at = { zd = \"1\" } }", "custom.Plan", "names no field"),
    ("custom.plan = { kind = \"text\", at = {} }", "custom.plan.at", "write what the field is"),
    ("custom.plan = { kind = \"texts\", at = { zd = \"1\" } }", "custom.plan.kind", "unknown variant"),
    (
        "custom.a = { kind = \"text\", at = { zd = \"1\" } }\ncustom.b = { kind = \"text\", at = { zd = \"1\" } }",
        "custom.b.at.zd",
        "is the field a already",
    ),
    (
        "custom.plan = { kind = \"choice\", at = { zd = \"1\" }, options = { fd = { a = \"b\" } } }",
        "custom.plan",
        "does not have the field",
    ),
    (
        "custom.plan = { kind = \"date\", at = { zd = \"1\" }, default = \"soon\" }",
        "custom.plan.default",
        "a day",
    ),
    (
        "custom.plan = { kind = \"text\", at = { zd = \"1\" }, optoins = {} }",
        "custom.plan.optoins",
        "did you mean `options`?",
    ),
    ("fields.\"custom:plan\" = {}", "fields.custom:plan", "stand under [custom.plan]"),
    (
        "fields.status = { owner = \"zd\", conflict = \"fd\" }",
        "fields.status.owner",
        "leave out from and conflict",
    ),
    ("fields.status = { owner = \"x\" }", "fields.status.owner", "not one of"),
    ("fields.status = { default = \"open\" }", "fields.status.default", "no value"),
    (
        "fields.status = { values = { fd = { 6 = \"waiting\" } } }",
        "fields.status.values.fd",
        "no value of status",
    ),
    (
        "fields.type = { values = { fd = { A = \"x\", B = \"x\" } } }",
        "fields.type.values.fd",
        "say which one is written",
    ),
    (
        "fields.type = { values = { fd = { raed = { A = \"x\" } } } }",
        "fields.type.values.fd",
        "`read` or `write`",
    ),
    ("fields.agent = { values = { fd = { a = \"b\" } } }", "fields.agent.values.fd", "under agents"),
    (
        "fields.subject = { transform = { fd = { read = [\"lowr\"] } } }",
        "fields.subject.transform.fd.read[0]",
        "did you mean `lower`?",
    ),
    (
        "fields.subject = { transform = { fd = { write = [\"round\"] } } }",
        "fields.subject.transform.fd.write[0]",
        "cannot work on subject",
    ),
    (
        "fields.status = { transform = { fd = { read = [\"lower\"] } } }",
        "fields.status.transform.fd.",
        "map them by value",
    ),
    ("fields.subject = { transfrom = {} }", "fields.subject.transfrom", "did you mean `transform`?"),
    ("deletions = \"both\"", "deletions", "unknown variant"),
    ("join = { keys = [\"subject\"] }", "join.keys[0]", "unknown variant"),
    ("join = { window = \"0s\" }", "join.window", "longer than nothing"),
    ("join = { unequal = \"x\" }", "join.unequal", "write rules, newest, or the account"),
    ("join = { reference = \"order\" }", "join.reference", "no custom field of this group"),
    ("join = { windw = \"1h\" }", "join.windw", "did you mean `window`?"),
    (
        "routes = [{ from = \"zd\", to = \"fd\", when = { statsu = [] } }]",
        "routes[0].when.statsu",
        "did you mean `status`?",
    ),
    (
        "routes = [{ from = \"zd\", to = \"fd\", when = { status = [\"waiting\"] } }]",
        "routes[0].when.status",
        "is no status",
    ),
    (
        "routes = [{ from = \"zd\", to = \"fd\", when = { priority = [\"asap\"] } }]",
        "routes[0].when.priority",
        "is no priority",
    ),
    (
        "routes = [{ from = \"zd\", to = \"fd\", when = { team = [\"x\"] } }]",
        "routes[0].when.team",
        "name it under teams",
    ),
    (
        "routes = [{ from = \"zd\", to = \"fd\", when = { custom = { plan = [\"x\"] } } }]",
        "routes[0].when.custom",
        "no custom field",
    ),
    (
        "routes = [{ from = \"zd\", to = \"fd\", when = { created_after = \"May\" } }]",
        "routes[0].when.created_after",
        "write a day",
    ),
];

#[test]
fn what_cannot_be_is_named_with_its_key() {
    for (text, key, why) in WRONG {
        let error = error(&format!("{TWO}{text}\n"));
        assert_eq!(error.key, format!("groups.main.{key}"), "{error}");
        assert!(error.why.contains(why), "{text}: {error}");
        assert!(error.line.is_some_and(|line| line >= 11), "{text}: {error}");
    }
}

/// There is no way to write down that private text becomes public: notes have one switch,
/// and no field has a message as its source.
#[test]
fn nothing_makes_private_text_public() {
    let refused = [
        ("private_notes = \"public\"", "private_notes", "as private notes, or not at all"),
        ("private_notes = { to = [\"fd\"], public = true }", "private_notes", "as private notes"),
        ("public_notes = true", "public_notes", "there is no such key"),
        ("fields.private_notes = {}", "fields", "names no field"),
        ("fields.comments = {}", "fields", "names no field"),
        ("fields.subject = { source = \"private_note\" }", "fields.subject.source", "there is no such key"),
        (
            "fields.subject = { transform = { fd = { write = [\"note\"] } } }",
            "fields.subject.transform.fd.write[0]",
            "no operation",
        ),
        (
            "fields.subject = { transform = { fd = { write = [\"append:{{private_note}}\"] } } }",
            "fields.subject.transform.fd.write[0]",
            "no operation",
        ),
        (
            "custom.leak = { kind = \"text\", at = { zd = \"1\" }, source = \"comment\" }",
            "custom.leak.source",
            "there is no such key",
        ),
        ("custom.leak = { kind = \"comment\", at = { zd = \"1\" } }", "custom.leak.kind", "unknown variant"),
        (
            "routes = [{ from = \"zd\", to = \"fd\", private_as = \"public\" }]",
            "routes[0].private_as",
            "there is no such key",
        ),
    ];
    for (text, key, why) in refused {
        let error = error(&format!("{TWO}{text}\n"));
        assert!(error.key.starts_with(&format!("groups.main.{key}")), "{text}: {error}");
        assert!(error.why.contains(why), "{text}: {error}");
    }
}

#[test]
fn fields_are_on_as_told() {
    let fields = |more: &str, holds: bool| {
        let config =
            load_text("c.toml", &format!("{TWO}{more}\n"), &[]).unwrap_or_else(|error| panic!("{error}"));
        let fields = config.groups["main"].synced_fields(&|_, _| holds);
        fields.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(fields("", false), "subject status priority tags");
    assert_eq!(fields("", true), "subject status priority tags ccs");
    assert_eq!(fields("fields.ccs = { sync = false }", true), "subject status priority tags");
    assert_eq!(
        fields("agents.alice = { zd = \"1\", fd = \"2\" }", false),
        "subject status priority tags agent"
    );
    assert_eq!(
        fields("fields.due_at = {}\nfields.type = {}", false),
        "subject status priority tags type due_at"
    );
    assert_eq!(
        fields("custom.plan = { kind = \"text\", at = { zd = \"1\" } }", false),
        "subject status priority tags custom:plan"
    );
}

#[test]
fn what_joins_tickets_is_as_told() {
    let rules = |more: &str| {
        let text = format!(
            "{TWO}custom.order = {{ kind = \"text\", at = {{ zd = \"1\", fd = \"cf_o\" }} }}\n{more}\n"
        );
        let config = load_text("c.toml", &text, &[]).unwrap_or_else(|error| panic!("{error}"));
        config.groups["main"].join.rules()
    };
    let default = handoffd_core::join::JoinRules::default();
    assert_eq!(rules(""), default);
    assert!(default.joins() && !rules("join = { keys = [] }").joins());
    let told = rules(
        "join = { keys = [\"first_message\"], reference = \"order\", window = \"2h\", messages_apart = \"5m\", unequal = \"fd\" }",
    );
    assert_eq!((told.requester_and_subject, told.first_message), (false, true));
    assert_eq!((told.window_ms, told.comments_apart_ms), (7_200_000, 300_000));
    assert_eq!(told.reference.map(|field| field.to_string()), Some("custom:order".to_owned()));
    assert_eq!(told.unequal.map(|rule| rule.describe()), Some("fd wins".to_owned()));
}

#[test]
fn the_owner_alone_is_listened_to() {
    let text = format!("{TWO}fields.priority = {{ owner = \"fd\" }}\n");
    let config = load_text("c.toml", &text, &[]).expect("it is right");
    let rule = config.groups["main"].rule(handoffd_core::Field::Priority);
    assert_eq!(rule.from.len(), 1, "{rule:?}");
    assert_eq!((rule.to.len(), rule.conflict.describe()), (2, "fd wins".to_owned()));
}
