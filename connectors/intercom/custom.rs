//! Attributes: custom fields of conversations and tickets, typed both ways.

use std::collections::BTreeMap;

use handoffd_core::{Field, FieldKind, Priority, Typed, Value};
use serde_json::{Value as Json, json};

use super::{
    lenient::{Loose, day_start},
    settings::RecordKind,
};
use crate::contract::CustomField;

/// What an attribute of a record holds, by its name; `None` where that cannot be read as the kind.
pub fn read(field: &CustomField, values: &BTreeMap<String, Loose>) -> Option<Value> {
    let Some(value) = values.get(&field.native).filter(|value| !value.0.is_null()) else {
        return Some(Value::Typed(None));
    };
    Some(match field.kind {
        FieldKind::Text => value.text().map_or(Value::Typed(None), |text| Value::text(&text)),
        FieldKind::Number => Value::number(&value.text()?)?,
        FieldKind::Boolean => Value::Typed(Some(Typed::Boolean(value.flag()?))),
        FieldKind::Date => Value::Typed(Some(Typed::Date(value.day()?))),
        FieldKind::Choice => Value::Typed(value.text().map(Typed::Choice)),
        // Intercom's lists hold one option.
        FieldKind::Choices => return None,
    })
}

/// Whether Intercom can hold the value.
pub fn holds(value: &Value) -> bool {
    match value {
        Value::Typed(Some(Typed::Choices(_))) => false,
        Value::Typed(Some(Typed::Date(day))) => day_start(day).is_some(),
        Value::Typed(_) => true,
        _ => false,
    }
}

/// The value as it is sent. Conversations keep days as unix seconds, tickets as ISO text.
pub fn written(kind: RecordKind, value: &Value) -> Json {
    let Value::Typed(Some(typed)) = value else { return Json::Null };
    match typed {
        Typed::Text(text) | Typed::Choice(text) => json!(text),
        Typed::Boolean(yes) => json!(yes),
        Typed::Number(text) => serde_json::from_str(text).unwrap_or(Json::Null),
        Typed::Date(day) => match kind {
            RecordKind::Conversation => day_start(day).map_or(Json::Null, |at| json!(at)),
            RecordKind::Ticket => json!(format!("{day}T00:00:00Z")),
        },
        Typed::Choices(_) => Json::Null,
    }
}

/// The native name of a custom field.
pub fn native(fields: &[CustomField], field: Field) -> Option<&str> {
    let Field::Custom(name) = field else { return None };
    fields.iter().find(|custom| custom.name == name).map(|custom| custom.native.as_str())
}

/// A priority in an attribute: its canonical name, in any case.
pub fn read_priority(value: Option<&Loose>) -> Option<Priority> {
    let word = value?.text()?.trim().to_lowercase();
    Priority::ALL.into_iter().find(|priority| priority.name() == word)
}

#[cfg(test)]
mod tests {
    use handoffd_core::FieldName;

    use super::*;

    fn field(kind: FieldKind) -> CustomField {
        CustomField { name: FieldName::new("one").unwrap(), native: "One".to_owned(), kind }
    }

    #[test]
    fn attributes_are_read_and_written_by_their_kind() {
        let typed = |typed| Some(Value::Typed(Some(typed)));
        let rows = [
            (FieldKind::Text, json!("a text"), typed(Typed::Text("a text".to_owned())), json!("a text")),
            (FieldKind::Number, json!(1.5), typed(Typed::Number("1.5".to_owned())), json!(1.5)),
            (FieldKind::Number, json!(7), typed(Typed::Number("7".to_owned())), json!(7)),
            (FieldKind::Boolean, json!(true), typed(Typed::Boolean(true)), json!(true)),
            (
                FieldKind::Date,
                json!(1_795_334_400),
                typed(Typed::Date("2026-11-22".to_owned())),
                json!(1_795_305_600),
            ),
            (FieldKind::Choice, json!("EMEA"), typed(Typed::Choice("EMEA".to_owned())), json!("EMEA")),
            (FieldKind::Text, json!(null), Some(Value::Typed(None)), json!(null)),
            (FieldKind::Number, json!("many"), None, json!(null)),
            (FieldKind::Boolean, json!({}), None, json!(null)),
        ];
        for (kind, shown, expected, sent) in rows {
            let values = BTreeMap::from([("One".to_owned(), Loose(shown.clone()))]);
            let value = read(&field(kind), &values);
            assert_eq!(value, expected, "{kind:?} {shown}");
            if let Some(value) = value {
                assert_eq!(written(RecordKind::Conversation, &value), sent, "{kind:?} {shown}");
            }
        }
        let day = Value::Typed(Some(Typed::Date("2026-11-22".to_owned())));
        assert_eq!(written(RecordKind::Ticket, &day), json!("2026-11-22T00:00:00Z"));
    }

    #[test]
    fn several_options_are_not_held() {
        let many = Value::Typed(Some(Typed::Choices(["a".to_owned()].into())));
        assert!(!holds(&many) && holds(&Value::Typed(None)));
    }

    #[test]
    fn a_priority_is_a_word() {
        let read = |value| read_priority(Some(&Loose(value)));
        assert_eq!(read(json!("High")), Some(Priority::High));
        assert_eq!(read(json!("asap")), None);
        assert_eq!(read_priority(None), None);
    }
}
