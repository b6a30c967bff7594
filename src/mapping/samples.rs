//! The values that a field of an account can have, as far as they can be listed; texts by samples.

use std::collections::BTreeSet;

use handoffd_core::{Field, FieldKind, Fields, Priority, RemoteId, Status, Timestamp, Typed, Value};

use super::{
    ops::Op,
    proof::Party,
    translate::{FieldMap, shape_of},
    values,
};

/// One value that an account can show.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// The value's name, for people; of a sample text what is peculiar about it.
    pub label: String,
    /// The fields that the account shows.
    pub shown: Fields,
}

/// The values that `party` can show in a field.
pub(super) fn samples(party: &Party<'_>, field: Field, words: &BTreeSet<String>) -> Vec<Sample> {
    let listed = match field {
        Field::Agent | Field::Team => owners(party, field),
        _ => {
            let values = values_of(party, field, words);
            values.into_iter().map(|(label, value)| (label, field, value)).collect()
        }
    };
    let mut samples = Vec::new();
    for (label, at, value) in listed {
        let shown = (party.vendor)(&Fields::from([(at, value)]));
        let is_new = samples.iter().all(|other: &Sample| other.shown != shown);
        if is_new && !shown.is_empty() {
            let label = match shown.get(&at).filter(|_| is_listed(field, kind(party, field))) {
                Some(value) => native_word(value),
                None => label,
            };
            samples.push(Sample { label, shown });
        }
    }
    samples
}

/// Whether the values of a field are words of a list and not texts of the customer's.
pub(super) fn is_listed(field: Field, kind: Option<FieldKind>) -> bool {
    shape_of(field, kind).is_none()
}

/// The account's word for a value of its own.
pub(super) fn native_word(value: &Value) -> String {
    match value {
        Value::StatusDetail { detail, .. } => detail.clone(),
        Value::Choice(Some(word)) => word.clone(),
        value => value.to_string(),
    }
}

pub(super) fn kind(party: &Party<'_>, field: Field) -> Option<FieldKind> {
    match field {
        Field::Custom(name) => party.translator.custom.get(&name).map(|place| place.kind),
        _ => None,
    }
}

fn owners(party: &Party<'_>, field: Field) -> Vec<(String, Field, Value)> {
    let (at, owners) = match field {
        Field::Agent => (Field::Assignee, &party.translator.agents),
        _ => (Field::Group, &party.translator.teams),
    };
    let ids = owners.ids.values().map(|id: &RemoteId| (id.to_string(), at, Value::Owner(Some(id.clone()))));
    ids.chain([("nobody".to_owned(), at, Value::Owner(None))]).collect()
}

fn values_of(party: &Party<'_>, field: Field, words: &BTreeSet<String>) -> Vec<(String, Value)> {
    let map = party.translator.fields.get(&field);
    let known = party.known.get(&field).into_iter().flatten().cloned();
    let mut all: Vec<(String, Value)> = known.map(|value| (native_word(&value), value)).collect();
    match field {
        Field::Status => {
            all.extend(Status::ALL.map(|status| (status.name().to_owned(), Value::Status(status))));
            all.extend(details(party, map).into_iter().map(|value| (native_word(&value), value)));
        }
        Field::Priority => {
            let values = [None].into_iter().chain(Priority::ALL.map(Some)).map(Value::Priority);
            all.extend(values.map(|value| (value.to_string(), value)));
        }
        Field::Type => {
            all.push(("none".to_owned(), Value::Choice(None)));
            all.extend(listed(map, words).into_iter().map(|word| (word.clone(), Value::Choice(Some(word)))));
        }
        Field::Custom(_) => all.extend(custom(party, field, map, words)),
        Field::Tags | Field::Ccs => all.extend(sets(field, map)),
        Field::Subject => {
            all.extend(texts(map).into_iter().map(|(label, text)| (label, Value::subject(&text))))
        }
        Field::DueAt => {
            let at = Timestamp(1_767_225_600_000);
            all.extend([None, Some(at)].map(|at| (Value::Time(at).to_string(), Value::Time(at))));
        }
        Field::Requester => {
            let who = "ann@shop.example".to_owned();
            all.push((who.clone(), Value::Choice(Some(who))));
        }
        Field::Assignee | Field::Group | Field::Agent | Field::Team | Field::OwnTags => {}
    }
    all
}

/// Statuses that are mapped by the account's own ids.
fn details(party: &Party<'_>, map: Option<&FieldMap>) -> Vec<Value> {
    let Some(map) = map else { return Vec::new() };
    let ids = map.values.read.keys().chain(map.values.write.values());
    let ids: BTreeSet<&String> = ids.filter(|id| values::status_named(id).is_none()).collect();
    let meant = |id: &String| {
        let word = map.values.read.get(id)?;
        values::status_named(word).or_else(|| party.translator.words.get(word).copied())
    };
    let detail =
        |id: &String| Value::StatusDetail { status: meant(id).unwrap_or(Status::Open), detail: id.clone() };
    ids.into_iter().map(detail).collect()
}

/// The account's words of a list: those of its map, else the group's.
fn listed(map: Option<&FieldMap>, words: &BTreeSet<String>) -> BTreeSet<String> {
    match map.filter(|map| map.closed) {
        Some(map) => map.values.read.keys().chain(map.values.write.values()).cloned().collect(),
        None => words.clone(),
    }
}

fn custom(
    party: &Party<'_>,
    field: Field,
    map: Option<&FieldMap>,
    words: &BTreeSet<String>,
) -> Vec<(String, Value)> {
    let empty = ("empty".to_owned(), Value::Typed(None));
    let typed = |typed: Typed| (typed.to_string(), Value::Typed(Some(typed)));
    let mut all = vec![empty];
    match kind(party, field) {
        Some(FieldKind::Text) => {
            all.extend(texts(map).into_iter().map(|(label, text)| (label, Value::text(&text))));
        }
        Some(FieldKind::Number) => {
            let samples = ["0", "1", "-1.5", "2.25", "99.999", "1000000"];
            all.extend(samples.iter().filter_map(|text| Some(((*text).to_owned(), Value::number(text)?))));
        }
        Some(FieldKind::Boolean) => all.extend([true, false].map(|yes| typed(Typed::Boolean(yes)))),
        Some(FieldKind::Date) => all.push(typed(Typed::Date("2026-02-28".to_owned()))),
        Some(FieldKind::Choice) => {
            all.extend(listed(map, words).into_iter().map(|word| typed(Typed::Choice(word))));
        }
        Some(FieldKind::Choices) => {
            let options = listed(map, words);
            let single = options.iter().map(|word| typed(Typed::Choices(BTreeSet::from([word.clone()]))));
            all.extend(single.collect::<Vec<_>>());
            all.push(typed(Typed::Choices(options)));
        }
        None => {}
    }
    all
}

/// What operations of a transform look for.
fn arguments(map: Option<&FieldMap>) -> BTreeSet<String> {
    let ops = map.into_iter().flat_map(|map| map.read.iter().chain(&map.write));
    let mut found = BTreeSet::new();
    for op in ops {
        match op {
            Op::Prefix(text) | Op::StripPrefix(text) | Op::Suffix(text) | Op::StripSuffix(text) => {
                found.insert(text.clone());
            }
            Op::Replace(from, to) => {
                found.insert(from.clone());
                found.insert(to.clone());
            }
            Op::Only(those) | Op::Without(those) => found.extend(those.iter().cloned()),
            _ => {}
        }
    }
    found.remove("");
    found
}

fn texts(map: Option<&FieldMap>) -> Vec<(String, String)> {
    let plain = [
        ("plain text", "Printer on fire".to_owned()),
        ("text in capitals", "PRINTER ON FIRE".to_owned()),
        ("text of several lines", "Printer\non fire".to_owned()),
        ("text of 300 characters", "printer ".repeat(38)[..300].to_owned()),
        ("text of 1000 characters", "printer ".repeat(125)),
        ("text with other letters", "Drucker brennt: äöü ß İ".to_owned()),
    ];
    let mut all: Vec<_> = plain.into_iter().map(|(label, text)| (label.to_owned(), text)).collect();
    for arg in arguments(map) {
        for text in [arg.clone(), format!("{arg}x"), format!("x{arg}"), format!("{arg}{arg}x{arg}{arg}")] {
            all.push((format!("{text:?}"), text));
        }
    }
    all
}

fn sets(field: Field, map: Option<&FieldMap>) -> Vec<(String, Value)> {
    let plain: &[(&str, &str)] = match field {
        Field::Ccs => &[("an address", "ann@shop.example")],
        _ => &[
            ("a tag", "vip"),
            ("a tag in capitals", "VIP"),
            ("a tag with a space", "two words"),
            ("a tag of 40 characters", "a234567890b234567890c234567890d234567890"),
        ],
    };
    let mut all: Vec<(String, String)> =
        plain.iter().map(|(label, text)| ((*label).to_owned(), (*text).to_owned())).collect();
    let mapped = map.into_iter().flat_map(|map| map.values.read.keys().chain(map.values.write.values()));
    for arg in mapped.cloned().chain(arguments(map)) {
        for text in [arg.clone(), format!("{arg}x"), format!("x{arg}"), format!("{arg}{arg}x")] {
            all.push((format!("{text:?}"), text));
        }
    }
    all.into_iter().map(|(label, text)| (label, Value::Tags(BTreeSet::from([text])))).collect()
}
