//! Translation, the proof, and that what the proof calls stable settles in the engine's own decisions.

mod live;
mod proof;
mod settles;

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{Field, Fields, RemoteId, Status, Value};

use super::*;
use crate::config::GroupConfig;

/// A group of accounts `a`, `b` and `c` with more in TOML.
fn group(more: &str) -> GroupConfig {
    let text = format!("accounts = [\"a\", \"b\", \"c\"]\ncustomer_facing = \"a\"\n{more}\n");
    toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn translator(more: &str, account: &str) -> Translator {
    Translator::of(&group(more), account).unwrap_or_else(|(key, why)| panic!("{key}: {why}"))
}

fn one(field: Field, value: Value) -> Fields {
    Fields::from([(field, value)])
}

fn detail(status: Status, detail: &str) -> Value {
    Value::StatusDetail { status, detail: detail.to_owned() }
}

fn tags(words: &[&str]) -> Value {
    Value::Tags(words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>())
}

fn choice(word: &str) -> Value {
    Value::Choice(Some(word.to_owned()))
}

#[test]
fn custom_statuses_go_by_the_groups_word() {
    let more = "statuses.parts = { is = \"pending\", a = \"900\", b = \"8\" }";
    let (a, c) = (translator(more, "a"), translator(more, "c"));
    let word = detail(Status::Pending, "parts");
    // The category that the vendor gives it does not matter: its id does.
    assert_eq!(
        a.to_canonical(&one(Field::Status, detail(Status::Open, "900"))),
        one(Field::Status, word.clone())
    );
    assert_eq!(
        a.to_native(&one(Field::Status, word.clone())),
        one(Field::Status, detail(Status::Pending, "900"))
    );
    assert_eq!(c.to_native(&one(Field::Status, word)), one(Field::Status, Value::Status(Status::Pending)));
    let other = one(Field::Status, detail(Status::Open, "901"));
    assert_eq!(a.to_canonical(&other), one(Field::Status, Value::Status(Status::Open)));
}

#[test]
fn owners_go_by_name_and_keep_their_ids_for_handoffs() {
    let a = translator("agents.alice = { a = \"1\" }\nteams.x = { b = \"5\" }", "a");
    let shown = |id: Option<&str>| one(Field::Assignee, Value::Owner(id.map(RemoteId::from)));
    let read = a.to_canonical(&shown(Some("1")));
    assert_eq!(read.get(&Field::Agent), Some(&choice("alice")));
    assert_eq!(read.get(&Field::Assignee), shown(Some("1")).get(&Field::Assignee));
    assert_eq!(a.to_canonical(&shown(Some("2"))).get(&Field::Agent), None, "nobody that the group names");
    assert_eq!(a.to_canonical(&shown(None)).get(&Field::Agent), Some(&Value::Choice(None)));
    assert_eq!(a.to_native(&one(Field::Agent, choice("alice"))), shown(Some("1")));
    assert_eq!(a.to_native(&one(Field::Agent, choice("bob"))), Fields::new(), "no id there");
    assert_eq!(
        a.to_native(&one(Field::Team, Value::Choice(None))),
        Fields::new(),
        "no team of the group there"
    );
}

#[test]
fn a_list_carries_what_its_map_names() {
    let more = "fields.type = { default = \"question\", values = { a = { Incident = \"incident\", Question = \"question\" } } }";
    let a = translator(more, "a");
    assert_eq!(a.read(Field::Type, &choice("Incident")), Some(choice("incident")));
    assert_eq!(a.read(Field::Type, &choice("Lead")), None);
    assert_eq!(a.write(Field::Type, &choice("task")), None);
    assert_eq!(a.write(Field::Type, &Value::Choice(None)), Some(choice("Question")), "the default");
    assert_eq!(a.to_native(&Fields::new()), Fields::new(), "not in an update of something else");
    assert_eq!(a.to_native_new(&Fields::new()), one(Field::Type, choice("Question")));
}

#[test]
fn tags_that_do_not_travel_stay_and_the_others_keep_their_spelling() {
    let more = "fields.tags = { transform = { a = { read = [\"lower\", \"without:internal\"] } } }";
    let a = translator(more, "a");
    let shown = one(Field::Tags, tags(&["VIP", "Internal", "old"]));
    assert_eq!(a.to_canonical(&shown), one(Field::Tags, tags(&["old", "vip"])));
    let wanted = one(Field::Tags, tags(&["vip", "new"]));
    assert!(a.needs_look(&wanted) && !a.needs_look(&one(Field::Subject, Value::subject("x"))));
    assert_eq!(a.to_native_over(&wanted, &shown), one(Field::Tags, tags(&["Internal", "VIP", "new"])));
}

#[test]
fn filters_are_told_of_tags_by_either_word_and_of_those_that_do_not_travel() {
    let more = "fields.tags = { values = { a = { gold = \"vip\" } }, transform = { a = { read = [\"lower\", \"without:internal\"] } } }";
    let a = translator(more, "a");
    let shown = one(Field::Tags, tags(&["gold", "Internal", "old"]));
    assert_eq!(a.to_canonical(&shown), one(Field::Tags, tags(&["old", "vip"])));
    assert_eq!(a.own_tags(&shown), Some(tags(&["Internal", "gold", "internal", "old"])));
    assert_eq!(translator(more, "b").own_tags(&shown), None);
}

#[test]
fn custom_fields_are_of_the_accounts_that_have_them() {
    let more =
        "custom.plan = { kind = \"choice\", at = { a = \"7\" }, options = { a = { plan_pro = \"pro\" } } }";
    let plan = Field::try_from("custom:plan".to_owned()).expect("a field");
    let value = |word: &str| Value::Typed(Some(handoffd_core::Typed::Choice(word.to_owned())));
    assert_eq!(translator(more, "a").to_canonical(&one(plan, value("plan_pro"))), one(plan, value("pro")));
    assert_eq!(translator(more, "b").to_native(&one(plan, value("pro"))), Fields::new());
    let custom = translator(more, "a").custom_fields();
    assert_eq!((custom.len(), custom[0].native.as_str()), (1, "7"));
}

#[test]
fn normalize_shows_only_what_was_asked() {
    let a = translator("agents.alice = { a = \"1\" }", "a");
    let shown = a.normalize(&one(Field::Agent, choice("alice")), &Clone::clone);
    assert_eq!(shown, one(Field::Agent, choice("alice")));
    assert_eq!(BTreeMap::from_iter(shown).len(), 1);
}
