//! Custom ticket fields and statuses, and the tags that options are.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{FieldKind, Status, Typed};
use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    change::{Change, Refusal, refuse},
    read,
    state::{Head, status_of, status_word},
    view::time,
    world::World,
};

/// A ticket field of the account.
#[derive(Clone, Debug)]
pub(super) struct TicketField {
    pub(super) id: i64,
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) is_custom: bool,
    /// Names and values; a custom field's values are tags.
    pub(super) options: Vec<(String, String)>,
}

/// A status of the account.
#[derive(Clone, Debug)]
pub(super) struct CustomStatus {
    pub(super) id: i64,
    pub(super) label: String,
    pub(super) category: Status,
    /// What the category means without further detail.
    pub(super) default: bool,
}

/// The kinds that can be made.
const KINDS: [&str; 10] = [
    "text",
    "textarea",
    "checkbox",
    "date",
    "integer",
    "decimal",
    "regexp",
    "partialcreditcard",
    "multiselect",
    "tagger",
];
const CATEGORIES: [(Status, &str); 5] = [
    (Status::New, "New"),
    (Status::Open, "Open"),
    (Status::Pending, "Pending"),
    (Status::OnHold, "On-hold"),
    (Status::Solved, "Solved"),
];
/// Characters that a status's label may have.
const LABEL_MAX: usize = 48;

/// The status that each category has from the start.
pub(super) fn standard_statuses() -> BTreeMap<i64, CustomStatus> {
    let one = |(category, label): (Status, &str)| {
        let id = World::custom_status(category);
        (id, CustomStatus { id, label: label.to_owned(), category, default: true })
    };
    CATEGORIES.into_iter().map(one).collect()
}

/// The fields that every account has, and two custom ones.
pub(super) fn standard_fields() -> Vec<TicketField> {
    let field = |place: i64, kind: &str, title: &str, options: &[&str]| TicketField {
        id: 360_000_000_300 + place,
        kind: kind.to_owned(),
        title: title.to_owned(),
        is_custom: place >= 20,
        options: options.iter().map(|word| (capitalised(word), (*word).to_owned())).collect(),
    };
    vec![
        field(1, "subject", "Subject", &[]),
        field(2, "description", "Description", &[]),
        field(3, "status", "Status", &["open", "pending", "hold", "solved"]),
        field(4, "tickettype", "Type", &["question", "incident", "problem", "task"]),
        field(5, "priority", "Priority", &["low", "normal", "high", "urgent"]),
        field(6, "group", "Group", &[]),
        field(7, "assignee", "Assignee", &[]),
        field(8, "custom_status", "Ticket status", &[]),
        field(20, "text", "Order number", &[]),
        field(21, "checkbox", "VIP", &[]),
    ]
}

fn capitalised(word: &str) -> String {
    let mut signs = word.chars();
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}

impl TicketField {
    fn has_options(&self) -> bool {
        matches!(self.kind.as_str(), "tagger" | "multiselect")
    }

    /// The value as the field keeps it; `None` where it cannot.
    fn kept(&self, value: &Value) -> Option<Value> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => String::new(),
        };
        let is_option = |word: &str| self.options.iter().any(|(_, value)| value == word);
        match self.kind.as_str() {
            "checkbox" => text.parse().ok().map(Value::Bool),
            "integer" | "decimal" => text.parse::<f64>().is_ok().then_some(Value::String(text)),
            "date" => jiff::civil::Date::strptime("%Y-%m-%d", &text).is_ok().then_some(Value::String(text)),
            "tagger" => is_option(&text).then_some(Value::String(text)),
            "multiselect" => {
                let words: Vec<&str> = match value {
                    Value::Array(list) => list.iter().map(Value::as_str).collect::<Option<_>>()?,
                    _ => vec![text.as_str()],
                };
                words.iter().all(|word| is_option(word)).then(|| json!(words))
            }
            _ => (!value.is_array() && !value.is_object()).then_some(Value::String(text)),
        }
    }
}

/// The tags of a value of a field with options.
fn tags_of(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(word)) => vec![word.clone()],
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The field has the options that are among the tags.
fn follow_tags(head: &mut Head, field: &TicketField) {
    let chosen: Vec<String> = field
        .options
        .iter()
        .map(|(_, value)| value)
        .filter(|value| head.tags.contains(*value))
        .cloned()
        .collect();
    match (chosen.first(), field.kind.as_str()) {
        (None, _) => drop(head.custom_fields.remove(&field.id)),
        (Some(first), "tagger") => drop(head.custom_fields.insert(field.id, json!(first))),
        (Some(_), _) => drop(head.custom_fields.insert(field.id, json!(chosen))),
    }
}

impl World {
    /// Puts custom fields into `head`. Options are tags: who sets one sets the other, and who
    /// takes the tag away empties the field.
    pub(super) fn fill_custom_fields(&self, head: &mut Head, change: &Change) -> Result<(), Refusal> {
        for field in self.fields.iter().filter(|field| field.is_custom) {
            let had = head.custom_fields.get(&field.id).cloned();
            match change.custom_fields.get(&field.id) {
                Some(Value::Null) => drop(head.custom_fields.remove(&field.id)),
                Some(Value::String(text)) if text.is_empty() => drop(head.custom_fields.remove(&field.id)),
                Some(Value::Array(list)) if list.is_empty() => drop(head.custom_fields.remove(&field.id)),
                Some(value) => {
                    let Some(kept) = field.kept(value) else {
                        return refuse("base", &format!("{}: is invalid", field.title));
                    };
                    head.custom_fields.insert(field.id, kept);
                }
                None if change.tags.is_some() && field.has_options() => {
                    follow_tags(head, field);
                    continue;
                }
                None => continue,
            }
            if field.has_options() {
                for tag in tags_of(had.as_ref()) {
                    head.tags.remove(&tag);
                }
                head.tags.extend(tags_of(head.custom_fields.get(&field.id)));
            }
        }
        Ok(())
    }

    /// Sets the status, which may be one of the account's own.
    pub(super) fn fill_status(&self, head: &mut Head, before: &Head, change: &Change) -> Result<(), Refusal> {
        let custom = match change.custom_status {
            Some(id) => match self.statuses.get(&id) {
                Some(status) => Some(status),
                None => return refuse("custom_status_id", "Custom status is not a status of this account"),
            },
            None => None,
        };
        if let Some(status) = custom.map(|custom| custom.category).or(change.status) {
            if status == Status::New && before.status != Status::New {
                return refuse("status", "Status: cannot be changed back to new");
            }
            head.status = status;
            head.custom_status = custom.map_or_else(|| Self::custom_status(status), |custom| custom.id);
        }
        if head.status == Status::New && head.assignee.is_some() {
            head.status = Status::Open;
            head.custom_status = Self::custom_status(Status::Open);
        }
        Ok(())
    }

    pub(super) fn status_json(&self, status: &CustomStatus) -> Value {
        let hidden = status.default && matches!(status.category, Status::New | Status::OnHold);
        let shown = if hidden { "Open" } else { &status.label };
        json!({"id": status.id, "status_category": status_word(status.category), "agent_label": status.label,
            "raw_agent_label": status.label, "end_user_label": shown, "raw_end_user_label": shown, "description": "",
            "raw_description": "", "end_user_description": "", "raw_end_user_description": "", "active": true,
            "default": status.default, "created_at": time(self.started_at), "updated_at": time(self.started_at)})
    }

    pub(super) fn field_json(&self, field: &TicketField, position: usize, call: &Call) -> Value {
        let mut out = json!({
            "url": call.url(&format!("ticket_fields/{}.json", field.id)),
            "id": field.id, "type": field.kind, "title": field.title, "raw_title": field.title,
            "description": field.title, "raw_description": field.title, "position": position, "active": true,
            "required": false, "collapsed_for_agents": false, "regexp_for_validation": null,
            "title_in_portal": field.title, "raw_title_in_portal": field.title, "visible_in_portal": false,
            "editable_in_portal": false, "required_in_portal": false, "tag": null, "removable": field.is_custom,
            "agent_description": null, "created_at": time(self.started_at), "updated_at": time(self.started_at),
        });
        let options: Vec<Value> =
            field.options.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let key = if field.is_custom { "custom_field_options" } else { "system_field_options" };
        if let (Value::Object(out), false) = (&mut out, options.is_empty()) {
            out.insert(key.to_owned(), Value::Array(options));
        }
        out
    }

    /// Makes a custom field.
    pub(super) fn add_field(&mut self, kind: &str, title: &str, options: Vec<(String, String)>) -> i64 {
        let id = self.ids.large();
        let (kind, title) = (kind.to_owned(), title.to_owned());
        self.fields.push(TicketField { id, kind, title, is_custom: true, options });
        id
    }

    /// Makes a custom status.
    pub(super) fn add_status(&mut self, label: &str, category: Status) -> i64 {
        let id = self.ids.large();
        self.statuses.insert(id, CustomStatus { id, label: label.to_owned(), category, default: false });
        id
    }
}

impl Sim {
    pub(super) fn custom_statuses(&self) -> Answer {
        let all: Vec<Value> =
            self.world.statuses.values().map(|status| self.world.status_json(status)).collect();
        Ok(Reply::ok(json!({"custom_statuses": all})))
    }

    pub(super) fn custom_status(&self, id: i64) -> Answer {
        let found = self.world.statuses.get(&id).ok_or_else(Reply::no_record)?;
        Ok(Reply::ok(json!({"custom_status": self.world.status_json(found)})))
    }

    pub(super) fn post_custom_status(&mut self, call: &Call) -> Answer {
        self.admin_only(call)?;
        let sent = call.object("custom_status")?;
        let label = read::text(&sent, "agent_label")?.flatten().unwrap_or_default();
        if label.trim().is_empty() || label.chars().count() > LABEL_MAX {
            return Err(Reply::invalid("agent_label", "Agent label: must have from 1 to 48 characters"));
        }
        let category = read::text(&sent, "status_category")?.flatten().unwrap_or_default();
        let category = status_of(&category).filter(|status| *status != Status::Closed);
        let category =
            category.ok_or_else(|| Reply::invalid("status_category", "Status category: is invalid"))?;
        let id = self.world.add_status(&label, category);
        Ok(Reply { status: 201, ..self.custom_status(id)? })
    }

    pub(super) fn post_ticket_field(&mut self, call: &Call) -> Answer {
        self.admin_only(call)?;
        let sent = call.object("ticket_field")?;
        let field = |name: &str| read::text(&sent, name).map(|text| text.flatten().unwrap_or_default());
        let (title, kind) = (field("title")?, field("type")?);
        if title.trim().is_empty() {
            return Err(Reply::invalid("title", "Title: cannot be blank"));
        }
        let kind = if kind.is_empty() { "text".to_owned() } else { kind };
        if !KINDS.contains(&kind.as_str()) {
            return Err(Reply::invalid("type", "Type: is invalid"));
        }
        let options = options(&sent);
        let unfit = |value: &str| {
            value.is_empty() || value.contains(char::is_whitespace) || value != value.to_lowercase()
        };
        if options.iter().any(|(_, value)| unfit(value)) {
            return Err(Reply::invalid("custom_field_options", "Custom field options: value is invalid"));
        }
        let id = self.world.add_field(&kind, &title, options);
        Ok(Reply { status: 201, ..self.ticket_field(id, call)? })
    }

    /// An admin makes a field on the screen.
    pub(super) fn make_field(&mut self, title: &str, kind: FieldKind, options: Vec<String>) -> i64 {
        let kind = match kind {
            FieldKind::Text => "text",
            FieldKind::Number => "decimal",
            FieldKind::Boolean => "checkbox",
            FieldKind::Date => "date",
            FieldKind::Choice => "tagger",
            FieldKind::Choices => "multiselect",
        };
        self.world.add_field(
            kind,
            title,
            options.into_iter().map(|value| (capitalised(&value), value)).collect(),
        )
    }
}

fn options(sent: &Map<String, Value>) -> Vec<(String, String)> {
    let list = sent.get("custom_field_options").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let word = |one: &Value, key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    list.iter().map(|one| (word(one, "name"), word(one, "value"))).collect()
}

/// A custom field's value as an agent enters it.
pub(super) fn entered(value: Option<&Typed>) -> Value {
    match value {
        None => Value::Null,
        Some(Typed::Text(text) | Typed::Number(text) | Typed::Date(text) | Typed::Choice(text)) => {
            json!(text)
        }
        Some(Typed::Boolean(flag)) => json!(flag),
        Some(Typed::Choices(all)) => json!(all),
    }
}

/// A custom field's value in words; nothing for an empty one.
pub(super) fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        other => tags_of(Some(other))
            .into_iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
            .join(", "),
    }
}
