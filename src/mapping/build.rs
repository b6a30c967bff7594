//! The translation of one account, from what the configuration says of its group.

use std::collections::BTreeMap;

use handoffd_core::{AccountId, Field, FieldKind, FieldName, RemoteId};

use super::{
    ops::{OPS_MAX, Op},
    translate::{CustomPlace, FieldMap, Owners, Translator, shape_of},
    values::{self, StatusWords, ValueMap},
};
use crate::config::{FieldConfig, GroupConfig, TransformConfig};

/// A key within the group and what is wrong with it.
pub type Wrong = (String, String);

impl Translator {
    /// The translation of one account of a group.
    pub fn of(group: &GroupConfig, account: &str) -> Result<Self, Wrong> {
        let words: StatusWords =
            group.statuses.iter().map(|(word, config)| (word.clone(), config.is)).collect();
        let mut translator = Self {
            agents: owners("agents", &group.agents, account)?,
            teams: owners("teams", &group.teams, account)?,
            words,
            ..Self::default()
        };
        for (name, config) in &group.custom {
            let Some(native) = config.at.get(account) else { continue };
            let name = FieldName::new(name).map_err(|why| (format!("custom.{name}"), why.to_string()))?;
            let place = CustomPlace { native: native.clone(), kind: config.kind };
            let place = translator.custom.insert(name, place).is_none();
            debug_assert!(place, "names of a table differ");
            let key = format!("custom.{}", name.as_str());
            let (field, config) = (Field::Custom(name), config.as_field());
            translator.add(group, account, Place { key, values: "options", field }, &config)?;
        }
        for (field, config) in &group.fields {
            let key = format!("fields.{field}");
            translator.add(group, account, Place { key, values: "values", field: *field }, config)?;
        }
        translator.add_statuses(group, account)?;
        Ok(translator)
    }

    fn add(
        &mut self,
        group: &GroupConfig,
        account: &str,
        at: Place,
        config: &FieldConfig,
    ) -> Result<(), Wrong> {
        let Place { key, values, field } = at;
        let kind = match field {
            Field::Custom(name) => self.custom.get(&name).map(|place| place.kind),
            _ => None,
        };
        let mut map = FieldMap::default();
        if let Some(table) = config.values.get(account) {
            let key = format!("{key}.{values}.{account}");
            map.values = ValueMap::of(table).map_err(|why| (key.clone(), why))?;
            check_values(field, kind, &self.words, &map.values).map_err(|why| (key, why))?;
            map.closed = is_list(field, kind);
        }
        if let Some(ops) = config.transform.get(account) {
            let key = format!("{key}.transform.{account}");
            (map.read, map.write) =
                operations(field, kind, ops).map_err(|(part, why)| (format!("{key}.{part}"), why))?;
        }
        if let Some(word) = &config.default {
            let wrong = |why: String| (format!("{key}.default"), why);
            let takes = !matches!(field, Field::Status);
            let value = takes.then(|| values::canonical(field, kind, &self.words, word)).flatten();
            let value = value.ok_or_else(|| wrong(no_value(field, kind, word)))?;
            let receives = group.rule(field).to.contains(&AccountId::new(account));
            map.default = receives.then_some(value);
        }
        let does_nothing = map.values == ValueMap::default()
            && map.read.is_empty()
            && map.write.is_empty()
            && map.default.is_none();
        if !does_nothing {
            self.fields.insert(field, map);
        }
        Ok(())
    }

    fn add_statuses(&mut self, group: &GroupConfig, account: &str) -> Result<(), Wrong> {
        for (word, config) in &group.statuses {
            let Some(id) = config.at.get(account) else { continue };
            let key = format!("statuses.{word}.{account}");
            if values::status_named(id).is_some() {
                return Err((key, format!("write the id of the status there; `{id}` is a category")));
            }
            let map = &mut self.fields.entry(Field::Status).or_default().values;
            if let Some(other) = map.read.insert(id.clone(), word.clone()).filter(|other| other != word) {
                return Err((key, format!("{id} is {other} already")));
            }
            map.write.insert(word.clone(), id.clone());
        }
        Ok(())
    }
}

/// Where a field is configured.
struct Place {
    key: String,
    values: &'static str,
    field: Field,
}

fn owners(
    table: &str,
    named: &BTreeMap<String, BTreeMap<String, String>>,
    account: &str,
) -> Result<Owners, Wrong> {
    let mut owners = Owners::default();
    for (name, at) in named {
        let Some(id) = at.get(account) else { continue };
        let id = RemoteId::new(id.as_str());
        if let Some(other) = owners.names.insert(id.clone(), name.clone()) {
            return Err((format!("{table}.{name}.{account}"), format!("{id} is {other} already")));
        }
        owners.ids.insert(name.clone(), id);
    }
    Ok(owners)
}

/// Whether an account refuses what is not on its list.
fn is_list(field: Field, kind: Option<FieldKind>) -> bool {
    field == Field::Type || matches!(kind, Some(FieldKind::Choice | FieldKind::Choices))
}

fn check_values(
    field: Field,
    kind: Option<FieldKind>,
    words: &StatusWords,
    map: &ValueMap,
) -> Result<(), String> {
    let mapped =
        matches!(field, Field::Status | Field::Priority | Field::Type | Field::Tags | Field::Custom(_));
    if !mapped {
        return Err(match field {
            Field::Agent | Field::Team => format!("name them under {field}s instead"),
            _ => format!("{field} has no list of values to map"),
        });
    }
    let group = map.read.values().chain(map.write.keys());
    let accounts = map.read.keys().chain(map.write.values());
    let is_group = |word: &str| field == Field::Tags || values::canonical(field, kind, words, word).is_some();
    // A status of the account is named by its category or by the account's own id.
    let is_account = |word: &str| field == Field::Status || is_group(word);
    match group
        .clone()
        .find(|word| !is_group(word))
        .or_else(|| accounts.clone().find(|word| !is_account(word)))
    {
        Some(word) => Err(no_value(field, kind, word)),
        None => match group.chain(accounts).any(|word| word.is_empty()) {
            true => Err("an empty text is no value".to_owned()),
            false => Ok(()),
        },
    }
}

fn no_value(field: Field, kind: Option<FieldKind>, word: &str) -> String {
    let write = match (field, kind) {
        (Field::Status, _) => {
            "new, open, pending, on_hold, solved, closed, or a word of the group's statuses"
        }
        (Field::Priority, _) => "low, normal, high, urgent, none",
        (_, Some(FieldKind::Number)) => "a decimal number in quotes",
        (_, Some(FieldKind::Boolean)) => "yes or no",
        (_, Some(FieldKind::Date)) => "a day, YYYY-MM-DD",
        _ => "nothing: this field takes none here",
    };
    format!("{word:?} is no value of {field}; write {write}")
}

type Ops = (Vec<Op>, Vec<Op>);

fn operations(field: Field, kind: Option<FieldKind>, config: &TransformConfig) -> Result<Ops, Wrong> {
    let Some(shape) = shape_of(field, kind) else {
        return Err((String::new(), format!("{field} has values and no text: map them by value")));
    };
    let parse = |part: &str, texts: &[String]| {
        if texts.len() > OPS_MAX {
            return Err((part.to_owned(), format!("at most {OPS_MAX} operations")));
        }
        let each = texts.iter().enumerate().map(|(at, text)| {
            let key = format!("{part}[{at}]");
            let op = Op::parse(text).map_err(|why| (key.clone(), why))?;
            match op.fits(shape) {
                true => Ok(op),
                false => Err((key, format!("{text:?} cannot work on {field}"))),
            }
        });
        each.collect::<Result<Vec<Op>, Wrong>>()
    };
    Ok((parse("read", &config.read)?, parse("write", &config.write)?))
}
