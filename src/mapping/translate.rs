//! One account's values and its link group's: pure translation both ways.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_connectors::contract::CustomField;
use handoffd_core::{Field, FieldKind, FieldName, Fields, RemoteId, Typed, Value};

use super::{
    ops::{self, Op, Shape},
    values::{self, StatusWords, ValueMap},
};

/// How one field of one account is translated.
#[derive(Clone, Debug, Default)]
pub struct FieldMap {
    /// Words that stand for others.
    pub values: ValueMap,
    /// A value that is not in the map is not known: the account would refuse it.
    pub closed: bool,
    /// What is done on the way from the account.
    pub read: Vec<Op>,
    /// What is done on the way to the account.
    pub write: Vec<Op>,
    /// What is written where the origin has none, in the group's value.
    pub default: Option<Value>,
}

/// The owners of one kind that an account has, both ways.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    /// The group's name by id.
    pub names: BTreeMap<RemoteId, String>,
    /// The id by the group's name.
    pub ids: BTreeMap<String, RemoteId>,
}

/// A custom field of one account.
#[derive(Clone, Debug)]
pub struct CustomPlace {
    /// The account's own name or id of it.
    pub native: String,
    /// What it holds.
    pub kind: FieldKind,
}

/// The translation of one account.
#[derive(Clone, Debug, Default)]
pub struct Translator {
    pub(super) fields: BTreeMap<Field, FieldMap>,
    pub(super) custom: BTreeMap<FieldName, CustomPlace>,
    pub(super) agents: Owners,
    pub(super) teams: Owners,
    pub(super) words: StatusWords,
}

impl Translator {
    /// The custom fields that the account is to show and take.
    pub fn custom_fields(&self) -> Vec<CustomField> {
        let field = |(name, place): (&FieldName, &CustomPlace)| CustomField {
            name: *name,
            native: place.native.clone(),
            kind: place.kind,
        };
        self.custom.iter().map(field).collect()
    }

    /// Custom text fields that the account takes beside those of the link group.
    pub fn takes_too(&mut self, fields: impl IntoIterator<Item = CustomField>) {
        let place = |field: CustomField| (field.name, CustomPlace { native: field.native, kind: field.kind });
        self.custom.extend(fields.into_iter().map(place));
    }

    /// The group's values for what the account shows. Owners keep the account's ids beside
    /// the group's names: handoffs are seen by them. What the group has no value for is left
    /// out, which says "not known".
    pub fn to_canonical(&self, shown: &Fields) -> Fields {
        let mut fields = Fields::new();
        for (field, value) in shown {
            match (field, value) {
                (Field::Assignee | Field::Group, Value::Owner(owner)) => {
                    let (named, owners) = self.owners_of(*field);
                    if let Some(name) = owners.name(owner.as_ref()) {
                        fields.insert(named, name);
                    }
                    fields.insert(*field, value.clone());
                }
                (Field::Agent | Field::Team, _) => {}
                _ => {
                    if let Some(value) = self.read(*field, value) {
                        fields.insert(*field, value);
                    }
                }
            }
        }
        fields
    }

    /// What filters are to know of a ticket's tags beside the group's words: the account's own
    /// words for them, and the tags that do not travel. `None` where tags are not translated.
    pub fn own_tags(&self, shown: &Fields) -> Option<Value> {
        let map = self.fields.get(&Field::Tags)?;
        let own = shown.get(&Field::Tags).and_then(Value::as_tags)?;
        let held = own.iter().filter(|one| map.read_element(one).is_none()).map(|one| map.word_of(one));
        let all: BTreeSet<String> = own.iter().cloned().chain(held).filter(|word| !word.is_empty()).collect();
        Some(Value::Tags(all))
    }

    /// The account's values for the group's. What the account has no value for is left out.
    pub fn to_native(&self, wanted: &Fields) -> Fields {
        let mut fields = Fields::new();
        for (field, value) in wanted {
            match (field, value) {
                (Field::Agent | Field::Team, Value::Choice(name)) => {
                    let at = if *field == Field::Agent { Field::Assignee } else { Field::Group };
                    let (_, owners) = self.owners_of(at);
                    if let Some(owner) = owners.id(name.as_deref()) {
                        fields.insert(at, owner);
                    }
                }
                (Field::Assignee | Field::Group, _) => {
                    fields.entry(*field).or_insert_with(|| value.clone());
                }
                _ => {
                    if let Some(value) = self.write(*field, value) {
                        fields.insert(*field, value);
                    }
                }
            }
        }
        fields
    }

    /// What a new ticket is made with: the defaults of fields that its origin does not have too.
    pub fn to_native_new(&self, wanted: &Fields) -> Fields {
        let mut all = wanted.clone();
        for (field, map) in &self.fields {
            if let Some(default) = &map.default {
                all.entry(*field).or_insert_with(|| default.clone());
            }
        }
        self.to_native(&all)
    }

    /// What the account will show, in the group's values, after it is sent these of the group's.
    /// `vendor` is the account's own rewriting.
    pub fn normalize(&self, wanted: &Fields, vendor: &dyn Fn(&Fields) -> Fields) -> Fields {
        let mut shown = self.to_canonical(&vendor(&self.to_native(wanted)));
        shown.retain(|field, _| wanted.contains_key(field));
        shown
    }

    /// Whether writing these takes a look at what the ticket has: sets that are translated.
    pub fn needs_look(&self, set: &Fields) -> bool {
        set.keys().any(|field| field.is_set() && self.fields.contains_key(field))
    }

    /// The account's values for the group's, where the ticket has `there` already: elements of
    /// sets that do not travel stay, and those that mean what is wanted keep their spelling.
    pub fn to_native_over(&self, wanted: &Fields, there: &Fields) -> Fields {
        let mut fields = self.to_native(wanted);
        for (field, value) in wanted.iter().filter(|(field, _)| field.is_set()) {
            let (Some(map), Some(set)) = (self.fields.get(field), value.as_tags()) else { continue };
            let there = there.get(field).and_then(Value::as_tags).cloned().unwrap_or_default();
            fields.insert(*field, Value::Tags(map.merge_set(set, &there)));
        }
        fields
    }

    fn owners_of(&self, raw: Field) -> (Field, &Owners) {
        match raw {
            Field::Assignee => (Field::Agent, &self.agents),
            _ => (Field::Team, &self.teams),
        }
    }

    /// One value on its way from the account.
    pub fn read(&self, field: Field, value: &Value) -> Option<Value> {
        if let Field::Custom(name) = field {
            self.custom.get(&name)?;
        }
        let map = self.fields.get(&field);
        match (field, map) {
            (Field::Status, _) => Some(self.read_status(value, map)),
            (_, None) => Some(value.clone()),
            (_, Some(map)) => map.read(field, self.kind(field), value),
        }
    }

    /// One value on its way to the account.
    pub fn write(&self, field: Field, value: &Value) -> Option<Value> {
        if let Field::Custom(name) = field {
            self.custom.get(&name)?;
        }
        let map = self.fields.get(&field);
        match (field, map) {
            (Field::Status, _) => self.write_status(value, map),
            (_, None) => Some(value.clone()),
            (_, Some(map)) => map.write(field, self.kind(field), value),
        }
    }

    fn kind(&self, field: Field) -> Option<FieldKind> {
        match field {
            Field::Custom(name) => self.custom.get(&name).map(|place| place.kind),
            _ => None,
        }
    }

    /// A status by its own id, else by its category.
    fn read_status(&self, value: &Value, map: Option<&FieldMap>) -> Value {
        let Some(category) = value.as_status() else { return value.clone() };
        let to_group = |word: &str| map.and_then(|map| map.values.read.get(word));
        let own = values::word(value).and_then(|word| to_group(&word)).or_else(|| to_group(category.name()));
        let meant = own.and_then(|word| values::canonical(Field::Status, None, &self.words, word));
        meant.unwrap_or(Value::Status(category))
    }

    /// A status by the group's word, else by what the word means.
    fn write_status(&self, value: &Value, map: Option<&FieldMap>) -> Option<Value> {
        let category = value.as_status()?;
        let to_account = |word: &str| map.and_then(|map| map.values.write.get(word));
        let own =
            values::word(value).and_then(|word| to_account(&word)).or_else(|| to_account(category.name()));
        Some(match own.map(|word| (word, values::status_named(word))) {
            None => Value::Status(category),
            Some((_, Some(named))) => Value::Status(named),
            Some((id, None)) => Value::StatusDetail { status: category, detail: id.clone() },
        })
    }
}

impl Owners {
    /// The group's name; `None` when the account has none of the group's names, or not this one.
    fn name(&self, owner: Option<&RemoteId>) -> Option<Value> {
        match owner {
            _ if self.ids.is_empty() => None,
            None => Some(Value::Choice(None)),
            Some(id) => self.names.get(id).map(|name| Value::Choice(Some(name.clone()))),
        }
    }

    fn id(&self, name: Option<&str>) -> Option<Value> {
        match name {
            _ if self.ids.is_empty() => None,
            None => Some(Value::Owner(None)),
            Some(name) => self.ids.get(name).map(|id| Value::Owner(Some(id.clone()))),
        }
    }
}

impl FieldMap {
    fn read(&self, field: Field, kind: Option<FieldKind>, value: &Value) -> Option<Value> {
        match value {
            Value::Tags(set) => {
                Some(Value::Tags(set.iter().filter_map(|one| self.read_element(one)).collect()))
            }
            Value::Typed(Some(Typed::Choices(all))) => self.every(&self.values.read, all),
            value => self.one(field, kind, value, &self.values.read, &self.read),
        }
    }

    fn write(&self, field: Field, kind: Option<FieldKind>, value: &Value) -> Option<Value> {
        let value = match &self.default {
            Some(default) if values::is_empty(value) => default,
            _ => value,
        };
        match value {
            Value::Tags(set) => {
                Some(Value::Tags(set.iter().filter_map(|one| self.write_element(one)).collect()))
            }
            Value::Typed(Some(Typed::Choices(all))) => self.every(&self.values.write, all),
            value => self.one(field, kind, value, &self.values.write, &self.write),
        }
    }

    fn one(
        &self,
        field: Field,
        kind: Option<FieldKind>,
        value: &Value,
        pairs: &BTreeMap<String, String>,
        ops: &[Op],
    ) -> Option<Value> {
        let word = values::word(value);
        match word.as_ref().and_then(|word| pairs.get(word)) {
            Some(other) => values::canonical(field, kind, &StatusWords::new(), other),
            None if self.closed && word.is_some() => None,
            None => Some(transformed(value, ops)),
        }
    }

    /// All of several options, or nothing: a set with one missing would take that one away.
    fn every(&self, pairs: &BTreeMap<String, String>, all: &BTreeSet<String>) -> Option<Value> {
        let other = |one: &String| match pairs.get(one) {
            Some(other) => Some(other.clone()),
            None => (!self.closed).then(|| one.clone()),
        };
        let all: BTreeSet<String> = all.iter().map(other).collect::<Option<_>>()?;
        Some(Value::Typed((!all.is_empty()).then_some(Typed::Choices(all))))
    }

    /// The group's word for an element; `None` when it does not travel.
    fn read_element(&self, one: &str) -> Option<String> {
        let word = self.word_of(one);
        (!word.is_empty() && self.travels(&word)).then_some(word)
    }

    /// The group's word for an element, whether it travels or not; may be empty.
    fn word_of(&self, one: &str) -> String {
        match self.values.read.get(one) {
            Some(other) => other.clone(),
            None => ops::apply(&self.read, one),
        }
    }

    fn write_element(&self, one: &str) -> Option<String> {
        let word = match self.values.write.get(one) {
            Some(other) => other.clone(),
            None => ops::apply(&self.write, one),
        };
        (!word.is_empty() && self.travels(one)).then_some(word)
    }

    fn travels(&self, element: &str) -> bool {
        ops::travels(self.read.iter().chain(&self.write), element)
    }

    fn merge_set(&self, wanted: &BTreeSet<String>, there: &BTreeSet<String>) -> BTreeSet<String> {
        let mut held = BTreeSet::new();
        let mut merged = BTreeSet::new();
        for one in there {
            match self.read_element(one) {
                Some(word) if !wanted.contains(&word) => {}
                Some(word) => {
                    held.insert(word);
                    merged.insert(one.clone());
                }
                None => drop(merged.insert(one.clone())),
            }
        }
        merged.extend(
            wanted.iter().filter(|one| !held.contains(*one)).filter_map(|one| self.write_element(one)),
        );
        merged
    }
}

/// What operations work on in a field; `None` where there is nothing for them.
pub fn shape_of(field: Field, kind: Option<FieldKind>) -> Option<Shape> {
    match (field, kind) {
        (Field::Subject, _) | (Field::Custom(_), Some(FieldKind::Text)) => Some(Shape::Text),
        (Field::Custom(_), Some(FieldKind::Number)) => Some(Shape::Number),
        (field, _) if field.is_set() => Some(Shape::Set),
        _ => None,
    }
}

fn transformed(value: &Value, ops: &[Op]) -> Value {
    match value {
        Value::Text(text) => Value::subject(&ops::apply(ops, text)),
        Value::Typed(Some(Typed::Text(text))) => Value::text(&ops::apply(ops, text)),
        Value::Typed(Some(Typed::Number(number))) => {
            Value::number(&ops::apply(ops, number)).unwrap_or_else(|| value.clone())
        }
        value => value.clone(),
    }
}
