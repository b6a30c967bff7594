//! Value maps, and values as the words that maps are written in.

use std::collections::BTreeMap;

use handoffd_core::{Field, FieldKind, Priority, Status, Typed, Value};

use crate::config::{ValueEntry, ValueTable};

/// One account's values for a field and the link group's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueMap {
    /// The group's word by the account's.
    pub read: BTreeMap<String, String>,
    /// The account's word by the group's.
    pub write: BTreeMap<String, String>,
}

impl ValueMap {
    /// Reads a table. Where several values of the account mean one of the group's, the table
    /// must say which one is written: TOML keeps no order in which the first could win.
    pub fn of(table: &ValueTable) -> Result<Self, String> {
        let mut map = Self::default();
        let mut candidates: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
        for (account, entry) in table {
            if let ValueEntry::Both(group) = entry {
                map.read.insert(account.clone(), group.clone());
                candidates.entry(group).or_default().push(account);
            }
        }
        for (key, entry) in table {
            let ValueEntry::OneWay(pairs) = entry else { continue };
            let into = match key.as_str() {
                "read" => &mut map.read,
                "write" => &mut map.write,
                _ => return Err(format!("{key}: a table stands under `read` or `write` only")),
            };
            into.extend(pairs.clone());
        }
        for (group, accounts) in candidates {
            if map.write.contains_key(group) {
                continue;
            }
            let [only] = accounts.as_slice() else {
                let names: Vec<&str> = accounts.iter().map(|one| one.as_str()).collect();
                return Err(format!(
                    "{} all mean {group}: say which one is written, for instance write = {{ {group} = {:?} }}",
                    names.join(", "),
                    accounts[0]
                ));
            };
            map.write.insert(group.clone(), (*only).clone());
        }
        Ok(map)
    }
}

/// The link group's own statuses: what each means where an account has nothing like it.
pub type StatusWords = BTreeMap<String, Status>;

/// A status by its name.
pub fn status_named(name: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status.name() == name)
}

/// The word of a value in a map; `None` for one that is empty or a set.
pub fn word(value: &Value) -> Option<String> {
    Some(match value {
        Value::Text(text) => text.clone(),
        Value::Status(status) => status.name().to_owned(),
        Value::StatusDetail { detail, .. } => detail.clone(),
        Value::Priority(priority) => priority.map_or("none", Priority::name).to_owned(),
        Value::Choice(choice) => choice.clone()?,
        Value::Typed(typed) => match typed.as_ref()? {
            Typed::Text(text) | Typed::Number(text) | Typed::Date(text) | Typed::Choice(text) => text.clone(),
            Typed::Boolean(yes) => if *yes { "yes" } else { "no" }.to_owned(),
            Typed::Choices(_) => return None,
        },
        Value::Tags(_) | Value::Owner(_) | Value::Time(_) => return None,
    })
}

/// Whether nobody said anything.
pub fn is_empty(value: &Value) -> bool {
    matches!(
        value,
        Value::Priority(None)
            | Value::Choice(None)
            | Value::Typed(None)
            | Value::Time(None)
            | Value::Owner(None)
    )
}

/// What a custom field holds, by the words that the configuration has for it.
fn typed(kind: FieldKind, word: &str) -> Option<Value> {
    let typed = match kind {
        FieldKind::Text => return Some(Value::text(word)),
        FieldKind::Number => return Value::number(word),
        FieldKind::Boolean => Typed::Boolean(match word {
            "yes" | "true" => true,
            "no" | "false" => false,
            _ => return None,
        }),
        FieldKind::Date => Typed::Date(
            word.parse::<jiff::civil::Date>().ok().filter(|date| date.to_string() == word)?.to_string(),
        ),
        FieldKind::Choice => Typed::Choice(word.to_owned()),
        FieldKind::Choices => Typed::Choices(word.split(',').map(|one| one.trim().to_owned()).collect()),
    };
    Some(Value::Typed(Some(typed)))
}

/// The link group's value of a field for a word; `None` when the field has no such value.
pub fn canonical(field: Field, kind: Option<FieldKind>, words: &StatusWords, word: &str) -> Option<Value> {
    match field {
        Field::Status => match (status_named(word), words.get(word)) {
            (Some(status), _) => Some(Value::Status(status)),
            (None, Some(is)) => Some(Value::StatusDetail { status: *is, detail: word.to_owned() }),
            (None, None) => None,
        },
        Field::Priority if word == "none" => Some(Value::Priority(None)),
        Field::Priority => {
            let named = Priority::ALL.into_iter().find(|priority| priority.name() == word)?;
            Some(Value::Priority(Some(named)))
        }
        Field::Type | Field::Agent | Field::Team => Some(Value::Choice(Some(word.to_owned()))),
        Field::Custom(_) => typed(kind?, word),
        Field::Subject
        | Field::Tags
        | Field::Assignee
        | Field::Group
        | Field::DueAt
        | Field::Ccs
        | Field::Requester
        | Field::OwnTags => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> ValueTable {
        toml::from_str(text).expect("a table")
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    }

    #[test]
    fn a_table_reads_both_ways() {
        let found = ValueMap::of(&table("Incident = 'incident'\nQuestion = 'question'")).expect("a map");
        assert_eq!(found.read, map(&[("Incident", "incident"), ("Question", "question")]));
        assert_eq!(found.write, map(&[("incident", "Incident"), ("question", "Question")]));
    }

    #[test]
    fn several_values_of_one_meaning_need_a_word_about_the_one_that_is_written() {
        let error = ValueMap::of(&table("6 = 'on_hold'\n7 = 'on_hold'")).expect_err("not told");
        assert!(error.contains("6, 7 all mean on_hold") && error.contains("write = {"), "{error}");
        let found = ValueMap::of(&table("6 = 'on_hold'\n7 = 'on_hold'\nwrite = { on_hold = '7' }"));
        assert_eq!(found.expect("a map").write, map(&[("on_hold", "7")]));
    }

    #[test]
    fn each_direction_can_have_more() {
        let found = ValueMap::of(&table("a = 'x'\nread = { b = 'x' }\nwrite = { y = 'a' }")).expect("a map");
        assert_eq!(found.read, map(&[("a", "x"), ("b", "x")]));
        assert_eq!(found.write, map(&[("x", "a"), ("y", "a")]));
        assert!(ValueMap::of(&table("raed = { b = 'x' }")).is_err());
    }

    #[test]
    fn words_and_values_agree() {
        let words = StatusWords::from([("parts".to_owned(), Status::Pending)]);
        let plan = Field::try_from("custom:plan".to_owned()).expect("a field");
        let rows = [
            (Field::Status, None, "on_hold"),
            (Field::Status, None, "parts"),
            (Field::Priority, None, "none"),
            (Field::Priority, None, "urgent"),
            (Field::Type, None, "incident"),
            (plan, Some(FieldKind::Number), "-1.5"),
            (plan, Some(FieldKind::Boolean), "yes"),
            (plan, Some(FieldKind::Date), "2026-02-28"),
            (plan, Some(FieldKind::Choice), "pro"),
        ];
        for (field, kind, text) in rows {
            let value = canonical(field, kind, &words, text).unwrap_or_else(|| panic!("{field} {text}"));
            assert_eq!(word(&value).as_deref(), Some(text), "{field}");
        }
        for (field, kind, text) in [
            (Field::Status, None, "waiting"),
            (Field::Priority, None, "asap"),
            (plan, Some(FieldKind::Number), "1e9"),
            (plan, Some(FieldKind::Boolean), "maybe"),
            (plan, Some(FieldKind::Date), "2026-02-30"),
        ] {
            assert_eq!(canonical(field, kind, &words, text), None, "{field} {text}");
        }
    }
}
