//! Custom fields and the tags that their options are. Pure.
//!
//! The options of a drop-down are tags of the ticket too: who sets one sets the
//! other. For a drop-down that is kept in step they travel as its value alone.

use std::collections::BTreeSet;

use handoffd_core::{Field, FieldKind, Fields, Typed, Value};
use serde_json::{Value as Json, json};

use super::{map, wire};
use crate::contract::CustomField;

/// A custom field's value as Zendesk shows it: a text, a number, a truth value, a list, or `null`.
/// What does not fit its kind is not shown.
pub fn read(shown: &Json, kind: FieldKind) -> Option<Value> {
    let text = match shown {
        Json::Null => return Some(Value::Typed(None)),
        Json::String(text) => text.trim().to_owned(),
        Json::Number(number) => number.to_string(),
        Json::Bool(flag) => flag.to_string(),
        Json::Array(_) | Json::Object(_) => String::new(),
    };
    if text.is_empty() && !shown.is_array() {
        return Some(Value::Typed(None)).filter(|_| !shown.is_object());
    }
    match kind {
        FieldKind::Text => (!shown.is_array()).then(|| Value::text(&text)),
        FieldKind::Number => Value::number(&text),
        FieldKind::Boolean => flag(&text).map(|flag| Value::Typed(Some(Typed::Boolean(flag)))),
        FieldKind::Date => day(&text).map(|day| Value::Typed(Some(Typed::Date(day)))),
        FieldKind::Choice => match words(shown, &text).as_slice() {
            [] => Some(Value::Typed(None)),
            [only] => Some(Value::Typed(Some(Typed::Choice(only.clone())))),
            _ => None,
        },
        FieldKind::Choices => {
            let all: BTreeSet<String> = words(shown, &text).into_iter().collect();
            Some(Value::Typed(Some(all).filter(|all| !all.is_empty()).map(Typed::Choices)))
        }
    }
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

/// A day; what follows it, as a time does, is left away.
fn day(text: &str) -> Option<String> {
    let day: String = text.chars().take(10).collect();
    jiff::civil::Date::strptime("%Y-%m-%d", &day).ok().map(|_| day)
}

fn words(shown: &Json, text: &str) -> Vec<String> {
    match shown {
        Json::Array(list) => list.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        _ => vec![text.to_owned()],
    }
}

/// A custom field's value as it is written.
pub fn write(value: Option<&Typed>) -> Json {
    match value {
        None => Json::Null,
        Some(Typed::Text(text) | Typed::Number(text) | Typed::Date(text) | Typed::Choice(text)) => {
            json!(text)
        }
        Some(Typed::Boolean(flag)) => json!(flag),
        Some(Typed::Choices(all)) => json!(all),
    }
}

/// The value as Zendesk will show it; `None` where it does not fit the kind.
pub fn normal(value: &Value, kind: FieldKind) -> Option<Value> {
    match value {
        Value::Typed(typed) => read(&write(typed.as_ref()), kind),
        _ => None,
    }
}

/// Puts the custom fields that are kept in step among `fields`.
pub fn read_all(ticket: &wire::Ticket, custom: &[CustomField], fields: &mut Fields) {
    let Some(shown) = &ticket.custom_fields else { return };
    for field in custom {
        let found = shown.iter().find(|one| one.id.as_ref().is_some_and(|id| id.as_str() == field.native));
        if let Some(value) = found.and_then(|one| read(&one.value, field.kind)) {
            fields.insert(Field::Custom(field.name), value);
        }
    }
}

/// The tags that a value stands for; none for a value that is no option.
pub fn options(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Typed(Some(Typed::Choice(option)))) => vec![option.clone()],
        Some(Value::Typed(Some(Typed::Choices(options)))) => options.iter().cloned().collect(),
        _ => Vec::new(),
    }
}

/// The drop-downs among the fields.
pub fn choices(custom: &[CustomField]) -> impl Iterator<Item = Field> {
    let of = |field: &&CustomField| matches!(field.kind, FieldKind::Choice | FieldKind::Choices);
    custom.iter().filter(of).map(|field| Field::Custom(field.name))
}

/// The tags that belong to the values of these fields.
pub fn tags_of(fields: &Fields, custom: &[CustomField]) -> BTreeSet<String> {
    choices(custom).flat_map(|field| options(fields.get(&field))).collect()
}

/// A ticket as it is before a write.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// Its fields.
    pub fields: &'a Fields,
    /// All of its tags: the quiet one and options too.
    pub tags: &'a [String],
}

/// Whether the write can be told only with the ticket at hand: it would else take away options,
/// or people in copy.
pub fn needs_now(set: &Fields, custom: &[CustomField]) -> bool {
    let all_set = choices(custom).all(|field| set.contains_key(&field));
    set.contains_key(&Field::Ccs) || (set.contains_key(&Field::Tags) && !all_set)
}

/// The whole set of tags after a write, without the quiet one: those of the write or else of the
/// ticket, and the options that each drop-down has then.
pub fn whole_tags(set: &Fields, now: Option<Now<'_>>, custom: &[CustomField], quiet: &str) -> Vec<String> {
    let mut tags: BTreeSet<String> = match (set.get(&Field::Tags).and_then(Value::as_tags), now) {
        (Some(tags), _) => tags.clone(),
        (None, Some(now)) => {
            let old = tags_of(now.fields, custom);
            now.tags.iter().filter(|tag| *tag != quiet && !old.contains(*tag)).cloned().collect()
        }
        (None, None) => BTreeSet::new(),
    };
    for field in choices(custom) {
        let value = set.get(&field).or_else(|| now.and_then(|now| now.fields.get(&field)));
        tags.extend(options(value));
    }
    tags.into_iter().collect()
}

/// An address as it is compared; `None` for what is none.
pub fn address(text: &str) -> Option<String> {
    let folded = text.trim().to_lowercase();
    let fits = folded.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !host.contains('@') && !folded.contains(char::is_whitespace)
    });
    fits.then_some(folded)
}

/// A type that Zendesk has.
pub fn kind(word: &str) -> Option<String> {
    let folded = word.trim().to_lowercase();
    map::TYPES.contains(&folded.as_str()).then_some(folded)
}

#[cfg(test)]
mod tests {
    use handoffd_core::FieldName;

    use super::*;

    fn typed(value: Typed) -> Option<Value> {
        Some(Value::Typed(Some(value)))
    }

    #[test]
    fn values_of_every_shape_are_read() {
        let text = |text: &str| text.to_owned();
        let set = |names: &[&str]| Typed::Choices(names.iter().map(|name| text(name)).collect());
        let empty = || Some(Value::Typed(None));
        let rows = [
            (json!(null), FieldKind::Boolean, empty()),
            (json!(""), FieldKind::Date, empty()),
            (json!(745), FieldKind::Text, typed(Typed::Text(text("745")))),
            (json!("745"), FieldKind::Number, typed(Typed::Number(text("745")))),
            (json!(7.50), FieldKind::Number, typed(Typed::Number(text("7.5")))),
            (json!("many"), FieldKind::Number, None),
            (json!(true), FieldKind::Boolean, typed(Typed::Boolean(true))),
            (json!("false"), FieldKind::Boolean, typed(Typed::Boolean(false))),
            (json!("2026-12-24T00:00:00Z"), FieldKind::Date, typed(Typed::Date(text("2026-12-24")))),
            (json!("24.12.2026"), FieldKind::Date, None),
            (json!("red"), FieldKind::Choice, typed(Typed::Choice(text("red")))),
            (json!(["red"]), FieldKind::Choice, typed(Typed::Choice(text("red")))),
            (json!([]), FieldKind::Choice, empty()),
            (json!(["red", "blue"]), FieldKind::Choice, None),
            (json!(["red", "blue"]), FieldKind::Choices, typed(set(&["blue", "red"]))),
            (json!("red"), FieldKind::Choices, typed(set(&["red"]))),
            (json!([]), FieldKind::Choices, empty()),
            (json!({"a": 1}), FieldKind::Text, None),
            (json!(["a"]), FieldKind::Text, None),
        ];
        for (shown, kind, expected) in rows {
            assert_eq!(read(&shown, kind), expected, "{shown} as {kind:?}");
        }
    }

    #[test]
    fn options_are_kept_apart_from_tags() {
        let name = FieldName::new("colour").unwrap();
        let custom = [CustomField { name, native: "1".to_owned(), kind: FieldKind::Choice }];
        let colour = |word: Option<&str>| {
            (Field::Custom(name), Value::Typed(word.map(|word| Typed::Choice(word.to_owned()))))
        };
        let tags = |names: &[&str]| {
            (Field::Tags, Value::Tags(names.iter().map(|name| (*name).to_owned()).collect()))
        };
        let fields = Fields::from([colour(Some("red")), tags(&["vip"])]);
        let all = ["hush", "red", "vip"].map(str::to_owned);
        let now = Now { fields: &fields, tags: &all };
        let rows = [
            (Fields::new(), vec!["red", "vip"]),
            (Fields::from([tags(&["new"])]), vec!["new", "red"]),
            (Fields::from([colour(Some("blue"))]), vec!["blue", "vip"]),
            (Fields::from([colour(None)]), vec!["vip"]),
            (Fields::from([colour(None), tags(&["new"])]), vec!["new"]),
        ];
        for (set, expected) in rows {
            assert_eq!(whole_tags(&set, Some(now), &custom, "hush"), expected, "{set:?}");
        }
        assert!(needs_now(&Fields::from([tags(&["new"])]), &custom));
        assert!(!needs_now(&Fields::from([tags(&["new"]), colour(None)]), &custom));
        assert!(!needs_now(&Fields::from([tags(&["new"])]), &[]));
        assert!(needs_now(&Fields::from([(Field::Ccs, Value::Tags(BTreeSet::new()))]), &[]));
    }
}
