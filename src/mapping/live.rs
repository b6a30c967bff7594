//! The configuration of a link group beside what its accounts have: what is missing there,
//! what no map names, and who seems to be the same person at several of them.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_connectors::contract::{Catalog, CatalogField, CatalogOwner, Provision};
use handoffd_core::{AccountId, Field, FieldKind, Typed, Value};
use serde::Serialize;

use super::values::{ValueMap, status_named};
use crate::config::{GroupConfig, PlacingConfig, ValueTable};

/// What accounts have, by account.
pub type Catalogs = BTreeMap<AccountId, Catalog>;

/// What is not as the configuration says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// At which account.
    pub account: String,
    /// The key within the link group.
    pub key: String,
    /// What is the matter and what to do, for people.
    pub what: String,
    /// What could be made there so that it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub make: Option<Provision>,
}

/// What kind of thing is not as the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The account has no such custom field.
    MissingField,
    /// The field there holds something else.
    WrongKind,
    /// The account has no such status.
    MissingStatus,
    /// A map names an option that the account does not have.
    NoSuchOption,
    /// An owner's id leads to nobody there.
    NoSuchOwner,
    /// What only agents read at one account, customers would read at another.
    PrivateToPublic,
    /// The account has an option that no map names: tickets with it are left as they are.
    UnmappedOption,
}

impl FindingKind {
    /// Whether the mapping does not work as configured. The others are advice.
    pub fn is_wrong(self) -> bool {
        self != Self::UnmappedOption
    }
}

/// Lines for the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Suggestions {
    /// Agents with the same address at several accounts.
    pub agents: Vec<String>,
    /// Teams with the same name at several accounts.
    pub teams: Vec<String>,
}

/// Everything about a group that its accounts do not have as the configuration says.
pub fn compare(group: &GroupConfig, catalogs: &Catalogs) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (account, catalog) in catalogs.iter().filter(|(account, _)| group.accounts.contains(account.as_str()))
    {
        let mut at = Compare { group, account: account.as_str(), catalog, findings: &mut findings };
        at.custom_fields();
        at.statuses();
        at.types();
        at.owners("agents", &group.agents, &catalog.agents);
        at.owners("teams", &group.teams, &catalog.teams);
    }
    leaks(group, catalogs, &mut findings);
    findings
}

/// What an account does not have of what its `[accounts.*.handoff]` writes; keys are within that.
pub fn compare_placing(account: &str, placing: &PlacingConfig, catalog: &Catalog) -> Vec<Finding> {
    let finding = |kind, key: String, what: String, make| Finding {
        kind,
        account: account.to_owned(),
        key,
        what,
        make,
    };
    let mut findings = Vec::new();
    for (value, native) in &placing.fields {
        let key = format!("fields.{value}");
        match catalog.fields.iter().find(|field| field.native == *native) {
            None => {
                let what = format!(
                    "there is no field {native:?} (text); `handoffd provision --apply` makes it where the vendor's API can"
                );
                let make =
                    Provision::Field { native: native.clone(), kind: FieldKind::Text, options: Vec::new() };
                findings.push(finding(FindingKind::MissingField, key, what, Some(make)));
            }
            Some(field) if field.kind != Some(FieldKind::Text) => {
                findings.push(finding(
                    FindingKind::WrongKind,
                    key,
                    format!("the field {native} holds no text"),
                    None,
                ));
            }
            Some(field) if field.customers_see == Some(true) => {
                let what = format!("customers can read the field {native}: hide it from them there");
                findings.push(finding(FindingKind::PrivateToPublic, key, what, None));
            }
            Some(_) => {}
        }
    }
    let queues = placing.queues.iter().map(|(name, id)| (format!("queues.{name}"), id));
    let groups = placing.group.iter().map(|id| ("group".to_owned(), id)).chain(queues);
    for (key, id) in groups {
        if !catalog.teams.iter().any(|team| team.id.as_str() == id) {
            let what = format!("no group or team there has the id {id}");
            findings.push(finding(FindingKind::NoSuchOwner, key, what, None));
        }
    }
    findings
}

struct Compare<'a> {
    group: &'a GroupConfig,
    account: &'a str,
    catalog: &'a Catalog,
    findings: &'a mut Vec<Finding>,
}

impl Compare<'_> {
    fn push(&mut self, kind: FindingKind, key: String, what: String, make: Option<Provision>) {
        self.findings.push(Finding { kind, account: self.account.to_owned(), key, what, make });
    }

    fn custom_fields(&mut self) {
        for (name, config) in self.group.custom.iter().filter(|(_, config)| config.sync) {
            let Some(native) = config.at.get(self.account) else { continue };
            let key = format!("custom.{name}.at.{}", self.account);
            match self.catalog.fields.iter().find(|field| field.native == *native) {
                None => self.missing_field(name, key, native),
                Some(field) if field.kind != Some(config.kind) => {
                    let what = format!(
                        "the field {native} does not hold what {name} is to hold ({})",
                        kind_word(config.kind)
                    );
                    self.push(FindingKind::WrongKind, key, what, None);
                }
                Some(field) => {
                    let key = format!("custom.{name}.options.{}", self.account);
                    self.options(&key, config.options.get(self.account), &field.options.clone());
                }
            }
        }
    }

    fn missing_field(&mut self, name: &str, key: String, native: &str) {
        let twin = self.catalog.fields.iter().find(|field| field.title.eq_ignore_ascii_case(native));
        let (what, make) = match twin {
            Some(twin) => (format!("write {:?}: so {native:?} is called there", twin.native), None),
            None => {
                let config = &self.group.custom[name];
                let options = options_of(config.kind, config.options.get(self.account), &config.options);
                let make = Provision::Field { native: native.to_owned(), kind: config.kind, options };
                let what = format!(
                    "there is no field {native:?} ({}); `handoffd provision --apply` makes it where the vendor's API can",
                    kind_word(config.kind)
                );
                (what, Some(make))
            }
        };
        self.push(FindingKind::MissingField, key, what, make);
    }

    fn statuses(&mut self) {
        for (word, config) in &self.group.statuses {
            let Some(id) = config.at.get(self.account) else { continue };
            if self.catalog.statuses.iter().any(|status| status.native == *id) {
                continue;
            }
            let twin = self.catalog.statuses.iter().find(|status| status.label.eq_ignore_ascii_case(id));
            let (what, make) = match twin {
                Some(twin) => (format!("write {:?}: that is the id of {id:?}", twin.native), None),
                None => (
                    format!(
                        "there is no status {id:?}; `handoffd provision --apply` makes it where the vendor's API can"
                    ),
                    Some(Provision::Status { label: label(id, word), status: config.is }),
                ),
            };
            self.push(FindingKind::MissingStatus, format!("statuses.{word}.{}", self.account), what, make);
        }
        let Some(field) = self.group.fields.get(&Field::Status) else { return };
        let Some(Ok(map)) = field.values.get(self.account).map(ValueMap::of) else { return };
        let ids: BTreeSet<&String> = map.read.keys().chain(map.write.values()).collect();
        for id in ids.into_iter().filter(|id| status_named(id).is_none()) {
            if self.catalog.statuses.iter().all(|status| status.native != *id) {
                let key = format!("fields.status.values.{}", self.account);
                self.push(FindingKind::NoSuchOption, key, format!("there is no status {id:?}"), None);
            }
        }
    }

    fn types(&mut self) {
        let Some(config) = self.group.fields.get(&Field::Type).filter(|config| config.sync) else { return };
        let key = format!("fields.type.values.{}", self.account);
        let types = self.catalog.types.clone();
        self.options(&key, config.values.get(self.account), &types);
    }

    /// A map beside the options that there are. An account that lists none has free text.
    fn options(&mut self, key: &str, table: Option<&ValueTable>, there: &[String]) {
        let Some(Ok(map)) = table.map(ValueMap::of) else { return };
        if there.is_empty() {
            return;
        }
        let named: BTreeSet<&String> = map.read.keys().chain(map.write.values()).collect();
        for option in named.iter().filter(|option| !there.contains(option)) {
            let what = format!("there is no option {option:?}; there are: {}", there.join(", "));
            self.push(FindingKind::NoSuchOption, key.to_owned(), what, None);
        }
        for option in there.iter().filter(|option| !map.read.contains_key(*option)) {
            let what = format!("no map names the option {option:?}: it is not carried to the others");
            self.push(FindingKind::UnmappedOption, key.to_owned(), what, None);
        }
    }

    fn owners(
        &mut self,
        table: &str,
        named: &BTreeMap<String, BTreeMap<String, String>>,
        there: &[CatalogOwner],
    ) {
        if there.is_empty() {
            return;
        }
        for (name, at) in named {
            let Some(id) = at.get(self.account) else { continue };
            if there.iter().all(|owner| owner.id.as_str() != id) {
                let key = format!("{table}.{name}.{}", self.account);
                self.push(FindingKind::NoSuchOwner, key, format!("nobody there has the id {id}"), None);
            }
        }
    }
}

/// Fields that only agents read at an account that sends them, and customers at one that receives them.
fn leaks(group: &GroupConfig, catalogs: &Catalogs, findings: &mut Vec<Finding>) {
    for (name, config) in group.custom_fields().filter(|(_, config)| config.sync) {
        let rule = group.rule(Field::Custom(name));
        let seen = |account: &AccountId| -> Option<bool> {
            let native = config.at.get(account.as_str())?;
            field_at(catalogs, account, native)?.customers_see
        };
        let Some(from) = rule.from.iter().find(|account| seen(account) == Some(false)) else { continue };
        for to in rule.to.iter().filter(|account| *account != from && seen(account) == Some(true)) {
            let name = name.as_str();
            findings.push(Finding {
                kind: FindingKind::PrivateToPublic,
                account: to.to_string(),
                key: format!("custom.{name}"),
                what: format!(
                    "only agents read {name} at {from}, and customers read it at {to}: hide the field from customers there, or keep {to} out of `to`"
                ),
                make: None,
            });
        }
    }
}

fn field_at<'a>(catalogs: &'a Catalogs, account: &AccountId, native: &str) -> Option<&'a CatalogField> {
    catalogs.get(account)?.fields.iter().find(|field| field.native == native)
}

/// The options that a new field needs: the account's own words, else every word of the group's.
fn options_of(kind: FieldKind, own: Option<&ValueTable>, all: &BTreeMap<String, ValueTable>) -> Vec<String> {
    if !matches!(kind, FieldKind::Choice | FieldKind::Choices) {
        return Vec::new();
    }
    let own = own.and_then(|table| ValueMap::of(table).ok());
    let words: BTreeSet<String> = match own {
        Some(map) => map.read.into_keys().chain(map.write.into_values()).collect(),
        None => {
            let maps = all.values().filter_map(|table| ValueMap::of(table).ok());
            maps.flat_map(|map| map.read.into_values().chain(map.write.into_keys())).collect()
        }
    };
    words.into_iter().collect()
}

/// What people are to read: what is written in place of an id, unless that is a number.
fn label(id: &str, word: &str) -> String {
    match id.parse::<u64>() {
        Ok(_) => word.replace('_', " "),
        Err(_) => id.to_owned(),
    }
}

fn kind_word(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "text",
        FieldKind::Number => "number",
        FieldKind::Boolean => "boolean",
        FieldKind::Date => "date",
        FieldKind::Choice => "choice",
        FieldKind::Choices => "choices",
    }
}

/// Values that the accounts have beside those that the configuration names, for the proof.
pub fn known_values(
    group: &GroupConfig,
    catalogs: &Catalogs,
) -> BTreeMap<AccountId, BTreeMap<Field, Vec<Value>>> {
    let known = catalogs.iter().map(|(account, catalog)| {
        let status = |status: &handoffd_connectors::contract::CatalogStatus| match status.default {
            true => Value::Status(status.status),
            false => Value::StatusDetail { status: status.status, detail: status.native.clone() },
        };
        let mut values =
            BTreeMap::from([(Field::Status, catalog.statuses.iter().map(status).collect::<Vec<_>>())]);
        let types = catalog.types.iter().map(|word| Value::Choice(Some(word.clone())));
        values.insert(Field::Type, types.collect());
        for (name, config) in group.custom_fields().filter(|(_, config)| config.kind == FieldKind::Choice) {
            let Some(native) = config.at.get(account.as_str()) else { continue };
            let Some(field) = field_at(catalogs, account, native) else { continue };
            let options = field.options.iter().map(|word| Value::Typed(Some(Typed::Choice(word.clone()))));
            values.insert(Field::Custom(name), options.collect());
        }
        (account.clone(), values)
    });
    known.collect()
}

/// Owners that seem to be the same at several accounts and that no table names.
pub fn suggest(group: &GroupConfig, catalogs: &Catalogs) -> Suggestions {
    let of = |pick: fn(&Catalog) -> &[CatalogOwner]| -> Vec<(&AccountId, &CatalogOwner)> {
        let mine = catalogs.iter().filter(|(account, _)| group.accounts.contains(account.as_str()));
        mine.flat_map(|(account, catalog)| pick(catalog).iter().map(move |owner| (account, owner))).collect()
    };
    let email = |owner: &CatalogOwner| owner.email.as_deref().map(|email| email.trim().to_lowercase());
    let name = |owner: &CatalogOwner| Some(owner.name.trim().to_lowercase());
    Suggestions {
        agents: same(&of(|catalog| &catalog.agents), &group.agents, email),
        teams: same(&of(|catalog| &catalog.teams), &group.teams, name),
    }
}

fn same(
    owners: &[(&AccountId, &CatalogOwner)],
    named: &BTreeMap<String, BTreeMap<String, String>>,
    by: impl Fn(&CatalogOwner) -> Option<String>,
) -> Vec<String> {
    let is_named = |account: &AccountId, owner: &CatalogOwner| {
        named.values().any(|at| at.get(account.as_str()).is_some_and(|id| id == owner.id.as_str()))
    };
    let mut found: BTreeMap<String, BTreeMap<&AccountId, Vec<&CatalogOwner>>> = BTreeMap::new();
    for (account, owner) in owners.iter().filter(|(account, owner)| !is_named(account, owner)) {
        if let Some(key) = by(owner).filter(|key| !key.is_empty()) {
            found.entry(key).or_default().entry(account).or_default().push(owner);
        }
    }
    let mut taken: BTreeSet<String> = named.keys().cloned().collect();
    let mut lines = Vec::new();
    for (key, at) in found {
        // Two of one account cannot be told apart: a person must.
        if at.len() < 2 || at.values().any(|owners| owners.len() > 1) {
            continue;
        }
        let name = free_name(&key, &taken);
        let ids = at.iter().map(|(account, owners)| format!("{account} = {:?}", owners[0].id.as_str()));
        lines.push(format!("{name} = {{ {} }}", ids.collect::<Vec<_>>().join(", ")));
        taken.insert(name);
    }
    lines
}

/// A bare TOML key from an address or a name.
fn free_name(key: &str, taken: &BTreeSet<String>) -> String {
    let start = key.split('@').next().unwrap_or(key);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = start.chars().take(40).map(plain).collect();
    let numbered = (2..).map(|number: u32| format!("{name}_{number}"));
    std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or(name)
}
