use handoffd_connectors::contract::{Catalog, CatalogField, CatalogOwner, CatalogStatus};
use handoffd_core::FieldKind;

use super::*;
use crate::mapping::live::{Catalogs, FindingKind, compare, suggest};

fn owner(id: &str, name: &str, email: Option<&str>) -> CatalogOwner {
    CatalogOwner { id: RemoteId::from(id), name: name.to_owned(), email: email.map(str::to_owned) }
}

fn field(native: &str, title: &str, kind: FieldKind, options: &[&str]) -> CatalogField {
    CatalogField {
        native: native.to_owned(),
        title: title.to_owned(),
        kind: Some(kind),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        customers_see: None,
    }
}

fn catalogs() -> Catalogs {
    let status = |native: &str, label: &str, status, default| CatalogStatus {
        native: native.to_owned(),
        label: label.to_owned(),
        status,
        default,
    };
    let a = Catalog {
        fields: vec![field("7", "Plan", FieldKind::Choice, &["pro", "free", "trial"])],
        statuses: vec![status("900", "Waiting on parts", Status::Pending, false)],
        types: Vec::new(),
        agents: vec![owner("1", "Alice", Some("Alice@x.example")), owner("2", "Bob", Some("bob@x.example"))],
        teams: vec![owner("10", "Billing", None)],
    };
    let b = Catalog {
        fields: vec![field("cf_plan", "Plan", FieldKind::Text, &[])],
        agents: vec![
            owner("77", "A. Smith", Some("alice@x.example")),
            owner("78", "Bob", Some("bob@x.example")),
        ],
        teams: vec![owner("20", "billing ", None)],
        ..Catalog::default()
    };
    Catalogs::from([("a".into(), a), ("b".into(), b)])
}

fn kinds(more: &str) -> Vec<(FindingKind, String)> {
    let found = compare(&group(more), &catalogs());
    found.into_iter().map(|finding| (finding.kind, finding.key)).collect()
}

#[test]
fn what_is_missing_is_named_with_its_key() {
    let plan =
        |at: &str, more: &str| format!("custom.plan = {{ kind = \"choice\", at = {{ {at} }}, {more} }}");
    let rows = [
        (plan("a = \"8\"", ""), FindingKind::MissingField, "custom.plan.at.a"),
        (plan("b = \"cf_plan\"", ""), FindingKind::WrongKind, "custom.plan.at.b"),
        (
            plan(
                "a = \"7\"",
                "options = { a = { pro = \"pro\", free = \"free\", trial = \"t\", gold = \"g\" } }",
            ),
            FindingKind::NoSuchOption,
            "custom.plan.options.a",
        ),
        (
            plan("a = \"7\"", "options = { a = { pro = \"pro\", free = \"free\" } }"),
            FindingKind::UnmappedOption,
            "custom.plan.options.a",
        ),
        (
            "statuses.parts = { is = \"pending\", a = \"901\" }".to_owned(),
            FindingKind::MissingStatus,
            "statuses.parts.a",
        ),
        ("agents.carol = { a = \"3\" }".to_owned(), FindingKind::NoSuchOwner, "agents.carol.a"),
    ];
    for (more, kind, key) in rows {
        assert_eq!(kinds(&more), [(kind, key.to_owned())], "{more}");
    }
    assert_eq!(
        kinds("statuses.parts = { is = \"pending\", a = \"900\" }\nagents.alice = { a = \"1\", b = \"77\" }"),
        []
    );
}

#[test]
fn a_name_in_place_of_an_id_finds_the_id_or_says_what_to_make() {
    let found =
        compare(&group("statuses.parts = { is = \"pending\", a = \"waiting on PARTS\" }"), &catalogs());
    assert!(found[0].what.contains("\"900\"") && found[0].make.is_none(), "{found:?}");
    let found = compare(&group("statuses.parts = { is = \"pending\", a = \"On the way\" }"), &catalogs());
    let make = Provision::Status { label: "On the way".to_owned(), status: Status::Pending };
    assert_eq!(found[0].make, Some(make));
}

#[test]
fn a_field_of_agents_that_customers_would_read_is_refused() {
    let mut catalogs = catalogs();
    let more = "custom.why = { kind = \"text\", at = { a = \"9\", b = \"cf_why\" } }";
    let mut show = |account: &str, native: &str, seen| {
        let mut one = field(native, "Why", FieldKind::Text, &[]);
        one.customers_see = Some(seen);
        catalogs.get_mut(&account.into()).expect("an account").fields.push(one);
    };
    show("a", "9", false);
    show("b", "cf_why", true);
    let found = compare(&group(more), &catalogs);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].kind == FindingKind::PrivateToPublic && found[0].kind.is_wrong());
    let from_b = more.replace("kind", "from = [\"b\"], to = [\"a\"], kind");
    assert_eq!(compare(&group(&from_b), &catalogs), []);
}

#[test]
fn owners_that_seem_the_same_are_suggested() {
    let found = suggest(&group("agents.bob = { a = \"2\", b = \"78\" }"), &catalogs());
    assert_eq!(found.agents, ["alice = { a = \"1\", b = \"77\" }"]);
    assert_eq!(found.teams, ["billing = { a = \"10\", b = \"20\" }"]);
}
