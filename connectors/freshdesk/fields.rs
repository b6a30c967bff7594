//! A ticket's fields: Freshdesk's words to canonical values and back, and what
//! it makes of what it is sent.
//!
//! A value that Freshdesk cannot hold is left out by [`Mapping::normalize`],
//! and so never sent: no due time, no requester, and addresses in copy where
//! the account takes those at creation only.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{Field, FieldKind, FieldName, Fields, Priority, Timestamp, Typed, Value};
use serde_json::Value as Json;

use super::{api::owner_json, map::Mapping, wire};
use crate::contract::{CustomField, Result};

/// What stands for an empty subject: Freshdesk wants one.
const NO_SUBJECT: &str = "(no subject)";

/// The longest subject, and the longest value of a custom field of one line, in characters.
const LINE_CHARS_MAX: usize = 255;

/// The longest tag, in characters.
const TAG_CHARS_MAX: usize = 32;

/// What goes along with a due time. That the first response must be due no
/// later is likely, and nowhere verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Alone,
    /// The first response is due at the same time.
    WithFirstResponse,
}

impl Mapping {
    /// The fields that the ticket shows; what cannot be read is left out, which says "not known".
    pub fn fields(&self, ticket: &wire::Ticket) -> Fields {
        let mut fields = Fields::new();
        if let Some(subject) = &ticket.subject {
            fields.insert(Field::Subject, shown_subject(&subject.text().unwrap_or_default()));
        }
        if let Some(status) = ticket.status.whole() {
            fields.insert(Field::Status, self.statuses.shown(status));
        }
        if let Some(priority) = ticket.priority.whole().and_then(read_priority) {
            fields.insert(Field::Priority, Value::Priority(Some(priority)));
        }
        if let Some(tags) = &ticket.tags {
            let tags = tags.iter().filter_map(wire::Scalar::text).map(|tag| tag.trim().to_owned()).collect();
            fields.insert(Field::Tags, Value::Tags(tags));
        }
        let owners = [(Field::Assignee, &ticket.responder_id), (Field::Group, &ticket.group_id)];
        for (field, owner) in owners {
            fields.extend(owner.as_ref().map(|owner| (field, Value::Owner(owner.id()))));
        }
        if let Some(kind) = &ticket.kind {
            fields.insert(Field::Type, Value::Choice(kind.text().map(|kind| kind.trim().to_owned())));
        }
        match &ticket.due_by {
            Some(wire::Scalar::Nothing) => {
                fields.insert(Field::DueAt, Value::Time(None));
            }
            due => {
                let due = due.as_ref().and_then(wire::Scalar::moment);
                fields.extend(due.map(|due| (Field::DueAt, Value::Time(Some(due)))));
            }
        }
        if let Some(ccs) = ticket.cc_emails.as_ref().and_then(wire::Scalar::texts) {
            fields.insert(Field::Ccs, Value::Tags(addresses(ccs.iter().map(String::as_str))));
        }
        if let Some(requester) = &ticket.requester {
            let email = requester.email.text().and_then(|email| folded(&email));
            fields.insert(Field::Requester, Value::Choice(email));
        }
        fields.extend(self.custom_shown(ticket));
        fields
    }

    fn custom_shown(&self, ticket: &wire::Ticket) -> Fields {
        let Some(shown) = &ticket.custom_fields else { return Fields::new() };
        let value = |field: &CustomField| {
            Some((Field::Custom(field.name), read_typed(field.kind, shown.get(&field.native)?)?))
        };
        self.custom.iter().filter_map(value).collect()
    }

    /// What Freshdesk will show after it is sent these fields. Idempotent.
    pub fn normalize(&self, fields: &Fields) -> Fields {
        fields.iter().filter_map(|(field, value)| Some((*field, self.normal(*field, value)?))).collect()
    }

    fn normal(&self, field: Field, value: &Value) -> Option<Value> {
        match (field, value) {
            (Field::Subject, Value::Text(subject)) => Some(shown_subject(subject)),
            (Field::Status, status) => self.statuses.id_for(status).map(|id| self.statuses.shown(id)),
            (Field::Priority, Value::Priority(priority)) => {
                Some(Value::Priority(Some(priority.unwrap_or(self.settings.default_priority))))
            }
            (Field::Tags, Value::Tags(tags)) => Some(Value::Tags(shown_tags(tags))),
            (Field::Assignee | Field::Group, Value::Owner(_)) => Some(value.clone()),
            (Field::Type, Value::Choice(kind)) => {
                let kind = kind.as_deref().map(str::trim).filter(|kind| !kind.is_empty());
                Some(Value::Choice(kind.map(str::to_owned)))
            }
            (Field::DueAt, Value::Time(Some(at))) => {
                Some(Value::Time(Some(Timestamp::from_secs(at.as_secs()))))
            }
            (Field::Ccs, Value::Tags(ccs)) if self.settings.writes_ccs => {
                Some(Value::Tags(addresses(ccs.iter().map(String::as_str))))
            }
            (Field::Requester, Value::Choice(Some(email))) => {
                folded(email).map(|email| Value::Choice(Some(email)))
            }
            (Field::Custom(name), Value::Typed(typed)) => self.custom_normal(name, typed.as_ref()),
            _ => None,
        }
    }

    fn custom(&self, name: FieldName) -> Option<&CustomField> {
        self.custom.iter().find(|field| field.name == name)
    }

    fn custom_normal(&self, name: FieldName, typed: Option<&Typed>) -> Option<Value> {
        let field = self.custom(name)?;
        let Some(typed) = typed else { return Some(Value::Typed(None)) };
        match (field.kind, typed) {
            (FieldKind::Text, Typed::Text(text))
                if self.settings.paragraph_fields.contains(&field.native) =>
            {
                Some(Value::text(text))
            }
            (FieldKind::Text, Typed::Text(text)) => {
                let line: String = text.split(char::is_control).collect::<Vec<_>>().join(" ");
                Some(Value::text(&line.trim().chars().take(LINE_CHARS_MAX).collect::<String>()))
            }
            (FieldKind::Number, Typed::Number(_))
            | (FieldKind::Boolean, Typed::Boolean(_))
            | (FieldKind::Date, Typed::Date(_))
            | (FieldKind::Choice, Typed::Choice(_)) => Some(Value::Typed(Some(typed.clone()))),
            (FieldKind::Choices, Typed::Choices(all)) => Some(Value::Typed(choices(all.iter().cloned()))),
            _ => None,
        }
    }

    /// The fields as a body names them.
    pub fn fields_body(&self, fields: &Fields, due: Due) -> Result<BTreeMap<&'static str, Json>> {
        let mut body = BTreeMap::new();
        let mut custom = serde_json::Map::new();
        for (field, value) in self.normalize(fields) {
            let (key, value) = match (field, value) {
                (Field::Group, Value::Owner(owner)) => ("group_id", owner_json(owner.as_ref())?),
                (_, Value::Owner(owner)) => ("responder_id", owner_json(owner.as_ref())?),
                (_, Value::Text(subject)) => ("subject", subject.into()),
                (_, status @ (Value::Status(_) | Value::StatusDetail { .. })) => {
                    ("status", self.statuses.id_for(&status).into())
                }
                (_, Value::Priority(priority)) => {
                    ("priority", priority_id(priority.unwrap_or(self.settings.default_priority)).into())
                }
                (Field::Ccs, Value::Tags(ccs)) => ("cc_emails", serde_json::json!(ccs)),
                (_, Value::Tags(tags)) => ("tags", serde_json::json!(tags)),
                (Field::Requester, Value::Choice(email)) => ("email", email.into()),
                (_, Value::Choice(kind)) => ("type", kind.into()),
                (_, Value::Time(at)) => {
                    let at = at.map(Timestamp::to_rfc3339_secs);
                    if due == Due::WithFirstResponse {
                        body.insert("fr_due_by", at.clone().into());
                    }
                    ("due_by", at.into())
                }
                (Field::Custom(name), Value::Typed(typed)) => {
                    let native = self.custom(name).map(|field| field.native.clone());
                    custom.extend(native.map(|native| (native, typed_json(typed))));
                    continue;
                }
                (_, Value::Typed(_)) => continue,
            };
            body.insert(key, value);
        }
        if !custom.is_empty() {
            body.insert("custom_fields", Json::Object(custom));
        }
        Ok(body)
    }
}

/// A custom field's value. Freshdesk gives text, number, flag or null under one key; `None`
/// for what cannot be of the kind.
fn read_typed(kind: FieldKind, shown: &wire::Scalar) -> Option<Value> {
    if let FieldKind::Choices = kind {
        return shown.texts().map(|all| Value::Typed(choices(all)));
    }
    if let wire::Scalar::List(_) | wire::Scalar::Other = shown {
        return None;
    }
    let Some(text) = shown.text() else { return Some(Value::Typed(None)) };
    match kind {
        FieldKind::Text => Some(Value::text(&text)),
        FieldKind::Number => Value::number(&text),
        FieldKind::Boolean => match text.trim() {
            "true" | "1" => Some(Value::Typed(Some(Typed::Boolean(true)))),
            "false" | "0" => Some(Value::Typed(Some(Typed::Boolean(false)))),
            _ => None,
        },
        FieldKind::Date => read_day(text.trim()).map(|day| Value::Typed(Some(Typed::Date(day)))),
        FieldKind::Choice | FieldKind::Choices => {
            Some(Value::Typed(Some(Typed::Choice(text.trim().to_owned()))))
        }
    }
}

/// The day of a date, which may be written with a time.
fn read_day(text: &str) -> Option<String> {
    let day = text.get(..10)?;
    let is_alone = matches!(text.as_bytes().get(10), None | Some(b'T' | b' '));
    (is_alone && Timestamp::parse(&format!("{day}T00:00:00Z")).is_ok()).then(|| day.to_owned())
}

fn choices(all: impl IntoIterator<Item = String>) -> Option<Typed> {
    let all: BTreeSet<String> = all.into_iter().filter(|one| !one.trim().is_empty()).collect();
    (!all.is_empty()).then_some(Typed::Choices(all))
}

fn typed_json(typed: Option<Typed>) -> Json {
    match typed {
        None => Json::Null,
        Some(Typed::Text(text) | Typed::Date(text) | Typed::Choice(text)) => text.into(),
        Some(Typed::Number(text)) => serde_json::from_str(&text).unwrap_or(Json::String(text)),
        Some(Typed::Boolean(yes)) => yes.into(),
        Some(Typed::Choices(all)) => serde_json::json!(all),
    }
}

/// The number of a priority.
fn priority_id(priority: Priority) -> i64 {
    match priority {
        Priority::Low => 1,
        Priority::Normal => 2,
        Priority::High => 3,
        Priority::Urgent => 4,
    }
}

fn read_priority(id: i64) -> Option<Priority> {
    Priority::ALL.into_iter().find(|priority| priority_id(*priority) == id)
}

fn shown_subject(subject: &str) -> Value {
    let Value::Text(line) = Value::subject(subject) else { return Value::Text(NO_SUBJECT.to_owned()) };
    let cut: String = line.chars().take(LINE_CHARS_MAX).collect();
    match cut.trim_end() {
        "" => Value::Text(NO_SUBJECT.to_owned()),
        cut => Value::Text(cut.to_owned()),
    }
}

/// The tags that Freshdesk can hold: trimmed, at most [`TAG_CHARS_MAX`] characters.
fn shown_tags(tags: &BTreeSet<String>) -> BTreeSet<String> {
    let trimmed = tags.iter().map(|tag| tag.trim());
    trimmed.filter(|tag| !tag.is_empty() && tag.chars().count() <= TAG_CHARS_MAX).map(str::to_owned).collect()
}

/// Addresses for comparison. `Name <address>` is the address.
pub fn addresses<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    texts.into_iter().filter_map(folded).collect()
}

fn folded(text: &str) -> Option<String> {
    let bare = match text.rsplit_once('<') {
        Some((_, address)) => address.trim_end().trim_end_matches('>'),
        None => text,
    };
    let bare = bare.trim().to_lowercase();
    bare.contains('@').then_some(bare)
}
