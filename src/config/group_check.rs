//! What the configuration of a link group says that cannot be.

use std::collections::BTreeSet;

use handoffd_core::{Field, FieldName};

use super::{
    Config, FieldConfig, GroupConfig,
    group::{self, FilterConfig, Places},
    policy::Wrong,
};
use crate::mapping::{self, Translator};

impl Config {
    pub(super) fn check_group(&self, name: &str, group: &GroupConfig) -> Result<(), Wrong> {
        let key = format!("groups.{name}");
        if group.accounts.is_empty() {
            return Err((format!("{key}.accounts"), "needs at least one account".to_owned()));
        }
        self.known_accounts(&format!("{key}.accounts"), group.accounts.iter())?;
        if group.accounts.len() > 1 && group.customer_facing.is_none() {
            return Err((
                key,
                "needs customer_facing: the one account that mails the customer when nobody has yet"
                    .to_owned(),
            ));
        }
        let inner = GroupCheck { group };
        let checked = inner.all();
        checked.map_err(|(inner, why)| (format!("{key}.{inner}"), why))
    }
}

/// The checks of one group. Keys are within it.
struct GroupCheck<'a> {
    group: &'a GroupConfig,
}

impl GroupCheck<'_> {
    fn all(&self) -> Result<(), Wrong> {
        if let Some(account) = &self.group.customer_facing {
            self.member("customer_facing", account)?;
        }
        self.check_routes()?;
        let joined = self.group.join.check(self.group);
        joined.map_err(|(inner, why)| (format!("join.{inner}"), why))?;
        for (name, config) in &self.group.custom {
            self.check_custom(name, config)?;
        }
        for (field, config) in &self.group.fields {
            let key = format!("fields.{field}");
            if let Field::Custom(name) = field {
                return Err((key, format!("custom fields stand under [custom.{}]", name.as_str())));
            }
            if !field.may_be_synced() {
                return Err((key, "this field is watched, not kept in step".to_owned()));
            }
            self.check_field(&key, config, "values")?;
        }
        for (table, named) in [("agents", &self.group.agents), ("teams", &self.group.teams)] {
            for (name, at) in named {
                self.check_places(&format!("{table}.{name}"), name, at)?;
            }
        }
        for (word, config) in &self.group.statuses {
            let key = format!("statuses.{word}");
            if mapping::status_named(word).is_some() {
                return Err((key, format!("{word} is a category; give the custom status another word")));
            }
            self.check_places(&key, word, &config.at)?;
        }
        for account in &self.group.accounts {
            Translator::of(self.group, account)?;
        }
        Ok(())
    }

    fn member(&self, key: &str, account: &str) -> Result<(), Wrong> {
        match self.group.accounts.contains(account) {
            true => Ok(()),
            false => Err((key.to_owned(), format!("{account} is not one of this group's accounts"))),
        }
    }

    fn check_places(&self, key: &str, name: &str, at: &Places) -> Result<(), Wrong> {
        let plain =
            !name.trim().is_empty() && name.chars().count() <= 80 && !name.chars().any(char::is_control);
        if !plain {
            return Err((key.to_owned(), "a name has 1 to 80 characters".to_owned()));
        }
        for (account, id) in at {
            self.member(&format!("{key}.{account}"), account)?;
            if id.trim().is_empty() {
                return Err((format!("{key}.{account}"), "write the id there".to_owned()));
            }
        }
        Ok(())
    }

    fn check_routes(&self) -> Result<(), Wrong> {
        for (at, route) in self.group.routes.iter().enumerate() {
            let key = format!("routes[{at}]");
            self.member(&format!("{key}.from"), &route.from)?;
            self.member(&format!("{key}.to"), &route.to)?;
            if route.from == route.to {
                return Err((format!("{key}.to"), "a route leads to another account".to_owned()));
            }
            self.check_filter(&format!("{key}.when"), &route.when)?;
        }
        Ok(())
    }

    fn check_filter(&self, key: &str, when: &FilterConfig) -> Result<(), Wrong> {
        let is_status =
            |word: &String| mapping::status_named(word).is_some() || self.group.statuses.contains_key(word);
        let statuses = "is no status: write new, open, pending, on_hold, solved, closed, or a word of the group's statuses";
        known(&format!("{key}.status"), &when.status, is_status, statuses)?;
        let priorities = "is no priority: write low, normal, high, urgent, none";
        known(&format!("{key}.priority"), &when.priority, |word| mapping::is_priority(word), priorities)?;
        let teams = "is no team of this group: name it under teams";
        known(&format!("{key}.team"), &when.team, |word| self.group.teams.contains_key(word), teams)?;
        let custom: BTreeSet<String> = when.custom.keys().cloned().collect();
        let fields = "is no custom field of this group";
        known(&format!("{key}.custom"), &custom, |name| self.group.custom.contains_key(name), fields)?;
        if when.created_after.as_deref().is_some_and(|text| group::day(text).is_none()) {
            let why = "write a day, for instance \"2026-01-31\"".to_owned();
            return Err((format!("{key}.created_after"), why));
        }
        Ok(())
    }

    fn check_custom(&self, name: &str, config: &super::CustomConfig) -> Result<(), Wrong> {
        let key = format!("custom.{name}");
        FieldName::new(name).map_err(|why| (key.clone(), why.to_string()))?;
        if config.at.is_empty() {
            return Err((
                format!("{key}.at"),
                "write what the field is at each account that has it".to_owned(),
            ));
        }
        self.check_places(&format!("{key}.at"), name, &config.at)?;
        for (account, native) in &config.at {
            let twin = self
                .group
                .custom
                .iter()
                .find(|(other, twin)| other.as_str() < name && twin.at.get(account) == Some(native));
            if let Some((other, _)) = twin {
                return Err((
                    format!("{key}.at.{account}"),
                    format!("{native} is the field {other} already"),
                ));
            }
        }
        let field = config.as_field();
        let named = field.values.keys().chain(field.transform.keys());
        let named = named.chain(field.from.iter().chain(&field.to).flatten()).chain(&field.owner);
        for account in named.filter(|account| self.group.accounts.contains(*account)) {
            if !config.at.contains_key(account) {
                let why = format!("{account} does not have the field: write it under `at`");
                return Err((key, why));
            }
        }
        self.check_field(&key, &field, "options")
    }

    fn check_field(&self, key: &str, config: &FieldConfig, values: &str) -> Result<(), Wrong> {
        for account in config.from.iter().chain(config.to.iter()).flatten() {
            self.member(key, account)?;
        }
        if let Some(winner) = config.conflict.as_ref().filter(|winner| *winner != "newest") {
            self.member(&format!("{key}.conflict"), winner)?;
        }
        if let Some(owner) = &config.owner {
            self.member(&format!("{key}.owner"), owner)?;
            if config.from.is_some() || config.conflict.is_some() {
                let why = "the owner's changes are the only ones that count: leave out from and conflict";
                return Err((format!("{key}.owner"), why.to_owned()));
            }
        }
        for account in config.values.keys() {
            self.member(&format!("{key}.{values}.{account}"), account)?;
        }
        for account in config.transform.keys() {
            self.member(&format!("{key}.transform.{account}"), account)?;
        }
        Ok(())
    }
}

fn known(
    key: &str,
    words: &BTreeSet<String>,
    is_known: impl Fn(&String) -> bool,
    why: &str,
) -> Result<(), Wrong> {
    match words.iter().find(|word| !is_known(word)) {
        Some(word) => Err((key.to_owned(), format!("{word:?} {why}"))),
        None => Ok(()),
    }
}
