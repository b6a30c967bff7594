//! By what existing tickets of a link group are found to be one conversation.

use std::{collections::BTreeSet, time::Duration};

use handoffd_core::{AccountId, Field, FieldName, join::JoinRules, policy::ConflictRule};
use serde::Deserialize;

use super::{GroupConfig, Span, policy::Wrong};

/// What two tickets may have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinKey {
    /// Who asked, and about what.
    RequesterAndSubject,
    /// The first message.
    FirstMessage,
}

/// `[groups.G.join]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JoinConfig {
    /// What is enough, beside our markers and `reference`.
    pub keys: BTreeSet<JoinKey>,
    /// A custom field that holds the other ticket's id, or the same reference at both.
    pub reference: Option<String>,
    /// How far apart the two may have been made.
    pub window: Span,
    /// How far apart the same message may stand in both.
    pub messages_apart: Span,
    /// `rules`, `newest`, or the account that wins where fields are unequal.
    pub unequal: String,
}

impl Default for JoinConfig {
    fn default() -> Self {
        let rules = JoinRules::default();
        Self {
            keys: BTreeSet::from([JoinKey::RequesterAndSubject]),
            reference: None,
            window: Span(Duration::from_millis(rules.window_ms)),
            messages_apart: Span(Duration::from_millis(rules.comments_apart_ms)),
            unequal: "rules".to_owned(),
        }
    }
}

impl JoinConfig {
    /// The rules.
    pub fn rules(&self) -> JoinRules {
        let field = |name: &String| FieldName::new(name).ok().map(Field::Custom);
        JoinRules {
            reference: self.reference.as_ref().and_then(field),
            requester_and_subject: self.keys.contains(&JoinKey::RequesterAndSubject),
            first_message: self.keys.contains(&JoinKey::FirstMessage),
            window_ms: self.window.as_millis(),
            comments_apart_ms: self.messages_apart.as_millis(),
            unequal: match self.unequal.as_str() {
                "rules" => None,
                "newest" => Some(ConflictRule::Newest),
                account => Some(ConflictRule::Account(AccountId::new(account))),
            },
        }
    }

    /// The rules in words.
    pub fn describe(&self) -> String {
        let mut ways = vec!["our markers".to_owned()];
        ways.extend(self.reference.as_ref().map(|field| format!("the field {field}")));
        for key in &self.keys {
            ways.push(match key {
                JoinKey::RequesterAndSubject => format!("requester and subject within {}", self.window),
                JoinKey::FirstMessage => format!("the first message within {}", self.window),
            });
        }
        let unequal = match self.rules().unequal {
            None => "unequal fields as each field's rule says".to_owned(),
            Some(rule) => format!("of unequal fields {}", rule.describe()),
        };
        format!("{}; {unequal}", ways.join(", "))
    }

    pub(super) fn check(&self, group: &GroupConfig) -> Result<(), Wrong> {
        if self.window.0.is_zero() {
            return Err(("window".to_owned(), "is longer than nothing".to_owned()));
        }
        if let Some(field) = self.reference.as_ref().filter(|field| !group.custom.contains_key(*field)) {
            let known: Vec<&str> = group.custom.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "it has none".to_owned() } else { known.join(", ") };
            let why = format!("{field:?} is no custom field of this group; custom fields: {known}");
            return Err(("reference".to_owned(), why));
        }
        if !matches!(self.unequal.as_str(), "rules" | "newest") && !group.accounts.contains(&self.unequal) {
            let why = format!(
                "{:?}: write rules, newest, or the account whose values win: {}",
                self.unequal,
                group.accounts.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            );
            return Err(("unequal".to_owned(), why));
        }
        Ok(())
    }
}
