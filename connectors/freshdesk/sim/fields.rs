//! The ticket form: default fields, custom fields and their choices.

use handoffd_core::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    http::{Answer, Call, Checks},
    world::{Status, World},
};

/// A custom field of the ticket form.
#[derive(Clone, Debug)]
pub(super) struct CustomField {
    /// As `custom_fields` names it.
    pub name: String,
    pub label: String,
    pub kind: Kind,
}

/// What a custom field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Paragraph,
    Number,
    Decimal,
    Checkbox,
    Date,
    Dropdown(Vec<String>),
}

/// The name that the vendor makes of a label.
pub(super) fn name_of(label: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    format!("cf_{}", label.trim().chars().map(plain).collect::<String>())
}

/// The types that a ticket can have.
pub(super) const TYPES: [&str; 5] = ["Question", "Incident", "Problem", "Feature Request", "Refund"];
/// Statuses: id, the agents' word, the customers' word.
const STATUSES: [(i64, &str, &str); 6] = [
    (2, "Open", "Being Processed"),
    (3, "Pending", "Awaiting your Reply"),
    (4, "Resolved", "This ticket has been Resolved"),
    (5, "Closed", "This ticket has been Closed"),
    (6, "Waiting on Customer", "Awaiting your Reply"),
    (7, "Waiting on Third Party", "Being Processed"),
];
/// Priorities.
pub(super) const PRIORITIES: [(&str, i64); 4] = [("Low", 1), ("Medium", 2), ("High", 3), ("Urgent", 4)];
/// Sources that a create may name.
pub(super) const SOURCES: [(&str, i64); 9] = [
    ("Email", 1),
    ("Portal", 2),
    ("Phone", 3),
    ("Twitter", 5),
    ("Facebook", 6),
    ("Chat", 7),
    ("Feedback Widget", 9),
    ("Ecommerce", 11),
    ("Bot", 100),
];

/// The form's own fields: with the field of our marker, or without it.
pub(super) fn custom_fields(with_marker: bool) -> Vec<CustomField> {
    let regions = ["EMEA", "AMER", "APAC"].map(str::to_owned).to_vec();
    let field = |label: &str, kind| CustomField { name: name_of(label), label: label.to_owned(), kind };
    let rest = [
        field("Order number", Kind::Number),
        field("VIP", Kind::Checkbox),
        field("Region", Kind::Dropdown(regions)),
    ];
    with_marker.then(|| field("Handoff key", Kind::Text)).into_iter().chain(rest).collect()
}

/// The statuses of a fresh account.
pub(super) fn statuses() -> Vec<Status> {
    let status = |(id, label, customers): &(i64, &str, &str)| Status {
        id: *id,
        label: (*label).to_owned(),
        customers: (*customers).to_owned(),
        means: super::acts::meaning(*id),
    };
    STATUSES.iter().map(status).collect()
}

impl CustomField {
    /// Checks a value for this field; null empties it.
    pub fn check(&self, value: &Value, checks: &mut Checks) {
        let name = self.name.as_str();
        match (&self.kind, value) {
            (_, Value::Null) | (Kind::Checkbox, Value::Bool(_)) | (Kind::Paragraph, Value::String(_)) => {}
            (Kind::Text, Value::String(text)) => {
                let length = text.chars().count();
                if length > 255 {
                    checks.invalid(
                        name,
                        format!("Has {length} characters, it can have maximum of 255 characters"),
                    );
                }
            }
            (Kind::Number, Value::Number(number)) if number.is_i64() => {}
            (Kind::Decimal, Value::Number(_)) => {}
            (Kind::Date, Value::String(text)) => {
                let is_day = text.len() == 10 && Timestamp::parse(&format!("{text}T00:00:00Z")).is_ok();
                if !is_day {
                    checks.invalid(name, "It should be in the 'yyyy-mm-dd' format");
                }
            }
            (Kind::Dropdown(choices), Value::String(text)) => {
                if !choices.contains(text) {
                    let listed = choices.join(",");
                    checks.invalid(name, format!("It should be one of these values: '{listed}'"));
                }
            }
            (Kind::Text | Kind::Paragraph | Kind::Date | Kind::Dropdown(_), other) => {
                checks.mismatch(name, other, "String");
            }
            (Kind::Number, other) => checks.mismatch(name, other, "Integer"),
            (Kind::Decimal, other) => checks.mismatch(name, other, "Number"),
            (Kind::Checkbox, other) => checks.mismatch(name, other, "Boolean"),
        }
    }

    fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Text => "custom_text",
            Kind::Paragraph => "custom_paragraph",
            Kind::Number => "custom_number",
            Kind::Decimal => "custom_decimal",
            Kind::Checkbox => "custom_checkbox",
            Kind::Date => "custom_date",
            Kind::Dropdown(_) => "custom_dropdown",
        }
    }
}

struct Row {
    id: i64,
    name: String,
    label: String,
    kind: &'static str,
    default: bool,
    choices: Option<Value>,
    admin_choices: Vec<Value>,
}

/// `GET /ticket_fields`. Choices are an array, an object or an object of arrays, field by field.
pub(super) fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    call.only(&["type", "include", "page", "per_page"])?;
    let wanted = call.param("type");
    let rows = rows(world).into_iter().filter(|row| {
        wanted.is_none_or(|wanted| {
            row.kind == wanted || (wanted == "custom_field" && row.kind.starts_with("custom"))
        })
    });
    Ok(Answer::ok(rows.enumerate().map(|(at, row)| shape(world, &row, at, false)).collect()))
}

/// `GET /admin/ticket_fields`: without choices.
pub(super) fn admin_list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    call.only(&["page", "per_page"])?;
    let rows = rows(world).into_iter().enumerate();
    Ok(Answer::ok(rows.map(|(at, row)| shape(world, &row, at, true)).collect()))
}

/// `GET /admin/ticket_fields/{id}`: with choices, as a list of objects.
pub(super) fn admin_view(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let found = rows(world).into_iter().enumerate().find(|(_, row)| row.id == call.id);
    let (at, row) = found.ok_or_else(Answer::not_found)?;
    let mut field = shape(world, &row, at, true);
    if !row.admin_choices.is_empty() {
        field["choices"] = Value::Array(row.admin_choices);
    }
    Ok(Answer::ok(field))
}

fn shape(world: &World, row: &Row, at: usize, admin: bool) -> Value {
    let made = world.groups.values().next().map_or_else(String::new, |group| group.created_at.to_string());
    let mut field = json!({
        "id": row.id, "name": row.name, "label": row.label, "type": row.kind, "position": at + 1,
        "default": row.default, "required_for_closure": false, "required_for_agents": row.default,
        "required_for_customers": false, "customers_can_edit": false,
        "displayed_to_customers": row.default, "label_for_customers": row.label,
        "created_at": made, "updated_at": made,
    });
    if admin {
        field["archived"] = json!(false);
    } else {
        field["description"] = json!(row.label);
        if let Some(choices) = &row.choices {
            field["choices"] = choices.clone();
        }
    }
    field
}

fn rows(world: &World) -> Vec<Row> {
    let base = 43_000_500_000;
    let plain = |at: i64, name: &str, label: &str, kind| Row {
        id: base + at,
        name: name.to_owned(),
        label: label.to_owned(),
        kind,
        default: true,
        choices: None,
        admin_choices: Vec::new(),
    };
    let mut rows = vec![
        plain(1, "requester", "Search a requester", "default_requester"),
        plain(2, "subject", "Subject", "default_subject"),
    ];
    for (at, name, label, kind, choices) in choice_fields(world) {
        let admin_choices = admin_choices(world, name, base + at * 100);
        rows.push(Row { choices: Some(choices), admin_choices, ..plain(at, name, label, kind) });
    }
    rows.push(plain(9, "description", "Description", "default_description"));
    for (at, field) in (20..).zip(&world.custom_fields) {
        let (choices, admin_choices) = match &field.kind {
            Kind::Dropdown(choices) => {
                let listed = choices.iter().enumerate().map(|(at, choice)| {
                    json!({"id": base + 9_000 + at as i64, "label": choice, "value": choice, "position": at + 1})
                });
                (Some(json!(choices)), listed.collect())
            }
            _ => (None, Vec::new()),
        };
        let kind = field.type_name();
        let row = plain(at, &field.name, &field.label, kind);
        rows.push(Row { default: false, choices, admin_choices, ..row });
    }
    rows
}

type ChoiceField = (i64, &'static str, &'static str, &'static str, Value);

fn choice_fields(world: &World) -> [ChoiceField; 6] {
    let statuses: Map<String, Value> =
        world.statuses.iter().map(|one| (one.id.to_string(), json!([one.label, one.customers]))).collect();
    let named = |pairs: &[(&str, i64)]| -> Value {
        Value::Object(pairs.iter().map(|(name, id)| ((*name).to_owned(), json!(id))).collect())
    };
    let groups: Map<String, Value> =
        world.groups.values().map(|group| (group.name.to_owned(), json!(group.id))).collect();
    let agents: Map<String, Value> =
        world.agents.values().map(|agent| (agent.name.clone(), json!(agent.id))).collect();
    [
        (3, "ticket_type", "Type", "default_ticket_type", json!(TYPES)),
        (4, "source", "Source", "default_source", named(&SOURCES)),
        (5, "status", "Status", "default_status", Value::Object(statuses)),
        (6, "priority", "Priority", "default_priority", named(&PRIORITIES)),
        (7, "group", "Group", "default_group", Value::Object(groups)),
        (8, "agent", "Agent", "default_agent", Value::Object(agents)),
    ]
}

fn admin_choices(world: &World, name: &str, base: i64) -> Vec<Value> {
    match name {
        "status" => world
            .statuses
            .iter()
            .enumerate()
            .map(|(at, one)| {
                json!({"id": one.id, "value": one.id, "label": one.label,
                    "label_for_customers": one.customers, "position": at + 1,
                    "stop_sla_timer": one.id != 2, "default": one.id <= 5, "deleted": false})
            })
            .collect(),
        "ticket_type" => TYPES
            .iter()
            .enumerate()
            .map(|(at, kind)| {
                json!({"id": base + at as i64, "value": kind, "label": kind, "position": at + 1})
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// What `POST /admin/ticket_fields` knows.
const KNOWN: [&str; 10] = [
    "type",
    "label",
    "label_for_customers",
    "displayed_to_customers",
    "customers_can_edit",
    "required_for_closure",
    "required_for_agents",
    "required_for_customers",
    "position",
    "choices",
];

/// `POST /admin/ticket_fields`: the name comes of the label. Its body is not verified.
pub(super) fn admin_create(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    if !world.options.admin {
        return Err(super::tickets::forbidden());
    }
    let mut checks = Checks::default();
    for name in call.body.keys().filter(|name| !KNOWN.contains(&name.as_str())) {
        checks.unknown(name);
    }
    let text = |name: &str| call.body.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    let label = text("label");
    if label.is_empty() {
        checks.missing("label", "It should be a/an String");
    }
    let choices = call.body.get("choices").and_then(Value::as_array).cloned().unwrap_or_default();
    let choices: Vec<String> =
        choices.iter().filter_map(|choice| choice["value"].as_str()).map(str::to_owned).collect();
    let kind = match text("type") {
        "custom_text" => Kind::Text,
        "custom_paragraph" => Kind::Paragraph,
        "custom_number" => Kind::Number,
        "custom_decimal" => Kind::Decimal,
        "custom_checkbox" => Kind::Checkbox,
        "custom_date" => Kind::Date,
        "custom_dropdown" if choices.is_empty() => {
            checks.missing("choices", "It should be a/an Array");
            Kind::Dropdown(choices)
        }
        "custom_dropdown" => Kind::Dropdown(choices),
        _ => {
            checks.invalid("type", "It should be one of the types of a custom field");
            Kind::Text
        }
    };
    checks.done()?;
    let field = CustomField { name: name_of(label), label: label.to_owned(), kind };
    let name = world.add_field(field).map_err(|why| super::http::invalid("label", why))?;
    let made = rows(world).into_iter().enumerate().find(|(_, row)| row.name == name);
    let (at, row) = made.ok_or_else(Answer::not_found)?;
    Ok(Answer::json(201, shape(world, &row, at, true)))
}
