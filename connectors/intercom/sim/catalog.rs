//! How the workspace is set up: attributes of conversations, types and states of tickets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Options,
    world::{Ids, next},
};

/// The name of a new ticket's two built-in attributes.
pub(super) const TITLE: &str = "_default_title_";
pub(super) const DESCRIPTION: &str = "_default_description_";
/// The attribute that keeps the marker, of conversations and of tickets.
pub(super) const MARKER: &str = "handoff_key";

/// The type of the tickets that customers submit.
pub(super) const SUPPORT_REQUEST: i64 = 53;

/// An attribute of conversations or contacts.
#[derive(Clone, Debug)]
pub(super) struct DataAttribute {
    pub id: i64,
    /// `contact`, `company` or `conversation`.
    pub model: String,
    pub name: String,
    pub description: String,
    /// `string`, `integer`, `float`, `boolean`, `date`.
    pub data_type: String,
    pub options: Vec<String>,
    pub archived: bool,
    pub created_at: i64,
}

/// A type of tickets.
#[derive(Clone, Debug)]
pub(super) struct TicketType {
    pub id: i64,
    pub name: String,
    pub description: String,
    pub category: Category,
    pub attributes: Vec<TicketAttribute>,
    pub created_at: i64,
}

/// Who tickets of a type are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Category {
    Customer,
    BackOffice,
    Tracker,
}

impl Category {
    pub fn word(self) -> &'static str {
        match self {
            Self::Customer => "Customer",
            Self::BackOffice => "Back-office",
            Self::Tracker => "Tracker",
        }
    }

    /// What the search calls it.
    pub fn search_word(self) -> &'static str {
        match self {
            Self::Customer => "request",
            Self::BackOffice => "task",
            Self::Tracker => "tracker",
        }
    }
}

/// An attribute of a type of tickets.
#[derive(Clone, Debug)]
pub(super) struct TicketAttribute {
    pub id: i64,
    pub name: String,
    pub description: String,
    /// `string`, `list`, `integer`, `decimal`, `boolean`, `datetime`, `files`.
    pub data_type: String,
    /// Of a list: id and label.
    pub options: Vec<(String, String)>,
    pub multiline: bool,
    pub required: bool,
    pub visible_to_contacts: bool,
    pub built_in: bool,
    pub archived: bool,
    pub created_at: i64,
}

impl TicketAttribute {
    /// The value as it is kept, or nothing if the attribute cannot have it.
    ///
    /// What a list is given as is not verified: both the id and the label of an
    /// option are taken, and the label is kept.
    pub fn admit(&self, value: &Value) -> Option<Value> {
        let label = |given: &str| {
            let found = self.options.iter().find(|(id, label)| id == given || label == given);
            found.map(|(_, label)| json!(label))
        };
        match (self.data_type.as_str(), value) {
            (_, Value::Null) => Some(Value::Null),
            ("string", Value::String(_)) | ("boolean", Value::Bool(_)) | ("files", Value::Array(_)) => {
                Some(value.clone())
            }
            ("list", Value::String(given)) => label(given),
            ("integer", Value::Number(number)) => (number.is_i64() || number.is_u64()).then(|| value.clone()),
            ("decimal", Value::Number(_)) => Some(value.clone()),
            ("datetime", Value::Number(number)) => number.is_i64().then(|| value.clone()),
            ("datetime", Value::String(text)) => moment(text).map(|at| json!(at)),
            _ => None,
        }
    }
}

/// A state of tickets.
#[derive(Clone, Debug)]
pub(super) struct TicketState {
    pub id: i64,
    pub category: &'static str,
    pub internal_label: String,
    pub external_label: String,
}

/// The states of a fresh workspace, and one custom state.
pub(super) fn ticket_states() -> Vec<TicketState> {
    let state = |id, category, internal: &str, external: &str| TicketState {
        id,
        category,
        internal_label: internal.to_owned(),
        external_label: external.to_owned(),
    };
    vec![
        state(8_269, "submitted", "Submitted", "Submitted"),
        state(8_270, "in_progress", "In progress", "In progress"),
        state(8_271, "waiting_on_customer", "Waiting on customer", "Waiting on you"),
        state(8_272, "resolved", "Resolved", "Resolved"),
        state(8_273, "in_progress", "With dev team", "In progress"),
    ]
}

/// Attributes of conversations that people made in the settings; only there can they be made.
pub(super) fn attributes(options: &Options, ids: &mut Ids, now: i64) -> Vec<DataAttribute> {
    let mut made = |name: &str, data_type: &str, choices: &[&str]| DataAttribute {
        id: next(&mut ids.attribute),
        model: "conversation".to_owned(),
        name: name.to_owned(),
        description: String::new(),
        data_type: data_type.to_owned(),
        options: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        archived: false,
        created_at: now,
    };
    let mut all = vec![
        made("order_number", "integer", &[]),
        made("region", "string", &["EMEA", "AMER", "APAC"]),
        made("vip", "boolean", &[]),
        made("renewal_on", "date", &[]),
    ];
    if options.marker_attributes {
        all.push(made(MARKER, "string", &[]));
    }
    all
}

/// One type of each category.
pub(super) fn ticket_types(options: &Options, ids: &mut Ids, now: i64) -> BTreeMap<i64, TicketType> {
    let kinds = [
        (SUPPORT_REQUEST, "Support request", Category::Customer),
        (54, "Back-office task", Category::BackOffice),
        (55, "Tracker", Category::Tracker),
    ];
    let made = kinds.into_iter().map(|(id, name, category)| {
        let attributes = ticket_attributes(options, ids, now);
        let (name, description) = (name.to_owned(), format!("{} tickets", category.word()));
        (id, TicketType { id, name, description, category, attributes, created_at: now })
    });
    made.collect()
}

fn ticket_attributes(options: &Options, ids: &mut Ids, now: i64) -> Vec<TicketAttribute> {
    let mut made = |name: &str, data_type: &str, built_in: bool| TicketAttribute {
        id: next(&mut ids.attribute),
        name: name.to_owned(),
        description: String::new(),
        data_type: data_type.to_owned(),
        options: Vec::new(),
        multiline: name == DESCRIPTION,
        required: false,
        visible_to_contacts: built_in,
        built_in,
        archived: false,
        created_at: now,
    };
    let mut severity = made("Severity", "list", false);
    severity.options = list_options(&severity, &["Low", "Medium", "High"]);
    let mut all = vec![
        made(TITLE, "string", true),
        made(DESCRIPTION, "string", true),
        severity,
        made("due", "datetime", false),
    ];
    if options.marker_attributes {
        all.push(made(MARKER, "string", false));
    }
    all
}

/// Options of a list with their ids.
pub(super) fn list_options(attribute: &TicketAttribute, labels: &[&str]) -> Vec<(String, String)> {
    let id = |label: &str| super::world::uuid(0, &format!("option {} {label}", attribute.id));
    labels.iter().map(|label| (id(label), (*label).to_owned())).collect()
}

impl DataAttribute {
    /// The value as it is kept, or nothing if the attribute cannot have it; null takes it away.
    /// Days are kept as seconds since the epoch.
    pub fn admit(&self, value: &Value) -> Option<Value> {
        match (self.data_type.as_str(), value) {
            (_, Value::Null) | ("float", Value::Number(_)) | ("boolean", Value::Bool(_)) => {
                Some(value.clone())
            }
            ("string", Value::String(text)) => {
                (self.options.is_empty() || self.options.contains(text)).then(|| value.clone())
            }
            ("integer" | "date", Value::Number(number)) => number.is_i64().then(|| value.clone()),
            ("date", Value::String(text)) => moment(text).map(|at| json!(at)),
            _ => None,
        }
    }
}

/// Seconds since the epoch of a moment or a day.
pub(super) fn moment(text: &str) -> Option<i64> {
    let whole = handoffd_core::Timestamp::parse(text);
    let day = || handoffd_core::Timestamp::parse(&format!("{text}T00:00:00Z"));
    whole.or_else(|_| day()).ok().map(handoffd_core::Timestamp::as_secs)
}
