use handoffd_core::policy::FieldRule;

use super::*;
use crate::mapping::proof::{Party, Proof, prove};

/// A vendor that shows what it is sent.
fn plain(fields: &Fields) -> Fields {
    fields.clone()
}

/// A vendor without "on hold".
fn no_hold(fields: &Fields) -> Fields {
    let shown = |value: &Value| match value {
        Value::Status(Status::OnHold) => Value::Status(Status::Pending),
        value => value.clone(),
    };
    fields.iter().map(|(field, value)| (*field, shown(value))).collect()
}

/// A vendor that keeps 255 characters of a subject.
fn short_subjects(fields: &Fields) -> Fields {
    let shown = |value: &Value| match value {
        Value::Text(text) => Value::subject(&text.chars().take(255).collect::<String>()),
        value => value.clone(),
    };
    fields.iter().map(|(field, value)| (*field, shown(value))).collect()
}

pub(super) fn rules(group: &GroupConfig) -> BTreeMap<Field, FieldRule> {
    group.field_rules(&|_, _| true)
}

fn proof_of(more: &str, vendors: [&dyn Fn(&Fields) -> Fields; 3]) -> Proof {
    let group = group(more);
    let translators = ["a", "b", "c"].map(|name| Translator::of(&group, name).expect("a translation"));
    let parties: Vec<Party<'_>> = ["a", "b", "c"]
        .into_iter()
        .zip(&translators)
        .zip(vendors)
        .map(|((name, translator), vendor)| Party {
            account: name.into(),
            translator,
            vendor,
            known: BTreeMap::new(),
        })
        .collect();
    prove(&rules(&group), &parties)
}

fn flaws(more: &str) -> Vec<String> {
    proof_of(more, [&plain, &plain, &plain])
        .flaws
        .iter()
        .map(|flaw| format!("{}: {flaw}", flaw.key()))
        .collect()
}

#[test]
fn the_usual_mapping_comes_to_rest() {
    let proof = proof_of("agents.alice = { a = \"1\", b = \"2\" }", [&plain, &no_hold, &short_subjects]);
    assert_eq!(proof.flaws, []);
    assert!(proof.values > 30, "{}", proof.values);
}

#[test]
fn a_map_that_comes_back_as_something_else_is_refused_with_its_path() {
    let map = "fields.status = { values = { b = { read = { 6 = \"on_hold\", 7 = \"pending\" }, write = { on_hold = \"7\", pending = \"6\" } } } }";
    let found = flaws(map);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("fields.status: "), "{found:?}");
    assert!(found[0].contains("b 7 → pending") && found[0].contains("b 6 → on_hold"), "{found:?}");
}

#[test]
fn a_map_of_several_to_one_comes_to_rest_and_what_falls_together_is_named() {
    let map = "fields.status = { values = { b = { 6 = \"on_hold\", 7 = \"on_hold\", write = { on_hold = \"7\" } } } }";
    let proof = proof_of(map, [&plain, &plain, &plain]);
    assert_eq!(proof.flaws, []);
    let losses: Vec<String> = proof.losses.iter().map(ToString::to_string).collect();
    assert!(
        losses.iter().any(|loss| loss.contains("b's 7 is the same as its 6")
            || loss.contains("b's 6 is the same as its 7")
            || loss.contains("is the same as its")),
        "{losses:?}"
    );
}

/// Each account's own map is sound; only the tour of both goes round.
#[test]
fn two_sound_maps_that_go_round_together_are_refused() {
    let map = "[fields.type.values.a]\nread = { 1 = \"w\", 2 = \"x\" }\nwrite = { w = \"1\", x = \"2\", y = \"2\", z = \"1\" }\n[fields.type.values.b]\nread = { 3 = \"y\", 4 = \"z\" }\nwrite = { y = \"3\", z = \"4\", w = \"3\", x = \"4\" }";
    let found = flaws(map);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("goes round"), "{found:?}");
    let one_way =
        map.replace("[fields.type.values.a]", "[fields.type]\nfrom = [\"a\"]\n[fields.type.values.a]");
    assert_eq!(flaws(&one_way), Vec::<String>::new(), "what does not come back cannot go round");
}

#[test]
fn transforms_must_be_each_others_inverse() {
    let subject = |ops: &str| flaws(&format!("fields.subject = {{ transform = {{ b = {{ {ops} }} }} }}"));
    assert_eq!(subject("read = [\"strip_prefix:[X] \"], write = [\"prefix:[X] \"]"), Vec::<String>::new());
    assert_eq!(subject("write = [\"truncate:20\"]"), Vec::<String>::new());
    let grows = subject("write = [\"replace:x=>xx\"]");
    assert!(grows.len() == 1 && grows[0].starts_with("fields.subject: "), "{grows:?}");
}

#[test]
fn what_a_vendor_cannot_show_is_named() {
    let proof = proof_of("", [&plain, &no_hold, &short_subjects]);
    let losses: Vec<String> = proof.losses.iter().map(ToString::to_string).collect();
    assert!(losses.contains(&"status: a's on_hold is pending at b".to_owned()), "{losses:?}");
    assert!(losses.contains(&"subject: a's text of 300 characters is changed at c".to_owned()), "{losses:?}");
    assert!(losses.iter().all(|loss| !loss.contains("priority")), "{losses:?}");
}
