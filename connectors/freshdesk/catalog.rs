//! What an account has that mapping may name, and making what is missing.

use std::collections::BTreeMap;

use handoffd_core::FieldKind;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::{
    api::{self, PER_PAGE},
    desk::Desk,
    form::Members,
    map::Mapping,
    wire,
};
use crate::{
    client::{Ask, json::read_json},
    contract::{
        Call, Catalog, CatalogField, CatalogOwner, CatalogStatus, Disarms, Error, Problem, Provision, Result,
    },
};

/// The most pages of agents or groups that are read: 5,000 of them.
const PAGES_MAX: u32 = 50;

impl Desk {
    /// What the account has.
    pub async fn read_catalog(&self, call: Call) -> Result<Catalog> {
        let fields = self.ticket_fields(call).await?;
        let agents: Vec<wire::Agent> = self.all(call, api::agents).await?;
        self.staff.listed(&agents, self.client.now());
        let groups: Vec<wire::Group> = self.all(call, api::groups).await?;
        Ok(Catalog {
            agents: agents.iter().filter_map(agent).collect(),
            teams: groups.iter().filter_map(team).collect(),
            ..self.mapping.catalog_of(&fields)
        })
    }

    /// The account's ticket fields.
    pub async fn ticket_fields(&self, call: Call) -> Result<Vec<wire::TicketField>> {
        read_json(&self.client.send(call, api::ticket_fields()?).await?)
    }

    /// Every row of a list.
    pub async fn all<T: DeserializeOwned>(&self, call: Call, page: fn(u32) -> Result<Ask>) -> Result<Vec<T>> {
        let mut all = Vec::new();
        for number in 1..=PAGES_MAX {
            let rows: Vec<T> = read_json(&self.client.send(call, page(number)?).await?)?;
            let full = rows.len() >= PER_PAGE;
            all.extend(rows);
            if !full {
                break;
            }
        }
        Ok(all)
    }

    /// Makes a missing field. What is there already is answered as it is.
    pub async fn make(&self, call: Call, item: &Provision) -> Result<String> {
        if let Provision::Field { native, .. } = item
            && label_of(native).trim().is_empty()
        {
            return Err(refused("a field needs a name, for instance \"cf_order_number\"".to_owned()));
        }
        let fields = self.ticket_fields(call).await?;
        match item {
            Provision::Field { native, kind, options } => {
                let there = fields.iter().find(|field| field.name.text().as_ref() == Some(native));
                match there {
                    Some(field) if field_kind(field) == Some(*kind) => Ok(native.clone()),
                    Some(_) => Err(refused(format!("the field {native} is there and holds something else"))),
                    None => self.make_field(call, native, *kind, options).await,
                }
            }
            Provision::Status { label, .. } => {
                let known = self.mapping.catalog_of(&fields).statuses;
                let there = known.iter().find(|status| status.label.eq_ignore_ascii_case(label.trim()));
                there.map(|status| status.native.clone()).ok_or_else(|| {
                    refused(format!(
                        "Freshdesk's API makes no statuses: as an administrator, add the status {label:?} under \
                         Admin > Workflows > Ticket Fields > Status, and then say what its number means in \
                         accounts.{}.settings.statuses",
                        self.mapping.account
                    ))
                })
            }
        }
    }

    async fn make_field(
        &self,
        call: Call,
        native: &str,
        kind: FieldKind,
        options: &[String],
    ) -> Result<String> {
        let by_hand = |why: &str| {
            refused(format!(
                "{why}: as an administrator, add a field of the kind {} under Admin > Workflows > Ticket Fields, \
                 labelled {:?}, so that the API names it {native}",
                kind_words(kind),
                label_of(native)
            ))
        };
        let Some(vendor_kind) = vendor_kind(kind) else {
            return Err(by_hand("Freshdesk's API makes no field of several options"));
        };
        match self.client.send(call, api::create_field(&field_members(native, vendor_kind, options))?).await {
            Ok(answer) => {
                let made: wire::TicketField = read_json(&answer)
                    .map_err(|error| Error::Unknown { why: format!("the field was made, but {error}") })?;
                made.name.text().ok_or_else(|| Error::Unknown { why: "the new field has no name".to_owned() })
            }
            Err(Error::Gone) => Err(by_hand("this account has no API for ticket fields")),
            Err(Error::Forbidden { missing }) => {
                Err(by_hand(&format!("the key may not make fields ({missing})")))
            }
            Err(Error::Refused { why }) => Err(by_hand(&format!("Freshdesk refuses the field ({why})"))),
            Err(error) => Err(error),
        }
    }
}

fn refused(why: String) -> Error {
    Error::Refused { why }
}

/// A field as `POST /admin/ticket_fields` takes it (its body is not verified).
fn field_members(native: &str, vendor_kind: &str, options: &[String]) -> Members {
    let label = label_of(native);
    let mut members = Members::from([
        ("type", json!(vendor_kind)),
        ("label", json!(label)),
        ("label_for_customers", json!(label)),
        ("displayed_to_customers", json!(false)),
        ("customers_can_edit", json!(false)),
        ("required_for_closure", json!(false)),
        ("required_for_agents", json!(false)),
        ("required_for_customers", json!(false)),
    ]);
    if vendor_kind == "custom_dropdown" {
        let choice = |(at, option): (usize, &String)| json!({"value": option, "position": at + 1});
        members.insert("choices", options.iter().enumerate().map(choice).collect());
    }
    members
}

/// The label from which Freshdesk makes the name: `cf_handoff_key` comes of `Handoff key`.
fn label_of(native: &str) -> String {
    let words = native.strip_prefix("cf_").unwrap_or(native).replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn vendor_kind(kind: FieldKind) -> Option<&'static str> {
    match kind {
        FieldKind::Text => Some("custom_text"),
        FieldKind::Number => Some("custom_decimal"),
        FieldKind::Boolean => Some("custom_checkbox"),
        FieldKind::Date => Some("custom_date"),
        FieldKind::Choice => Some("custom_dropdown"),
        FieldKind::Choices => None,
    }
}

fn kind_words(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "single-line text",
        FieldKind::Number => "decimal",
        FieldKind::Boolean => "checkbox",
        FieldKind::Date => "date",
        FieldKind::Choice => "dropdown",
        FieldKind::Choices => "multi-select dropdown",
    }
}

/// What a custom field holds; `None` for kinds that are not kept in step.
fn field_kind(field: &wire::TicketField) -> Option<FieldKind> {
    Some(match field.kind.text()?.as_str() {
        "custom_text" | "custom_paragraph" | "custom_phone_number" | "custom_url" => FieldKind::Text,
        "custom_number" | "custom_decimal" => FieldKind::Number,
        "custom_checkbox" => FieldKind::Boolean,
        "custom_date" => FieldKind::Date,
        "custom_dropdown" => FieldKind::Choice,
        "custom_multi_select_dropdown" | "custom_multi_select" => FieldKind::Choices,
        _ => return None,
    })
}

fn agent(agent: &wire::Agent) -> Option<CatalogOwner> {
    let contact = agent.contact.as_ref();
    Some(CatalogOwner {
        id: agent.id.id()?,
        name: contact.and_then(|contact| contact.name.text()).unwrap_or_default(),
        email: contact.and_then(|contact| contact.email.text()),
    })
}

fn team(group: &wire::Group) -> Option<CatalogOwner> {
    Some(CatalogOwner { id: group.id.id()?, name: group.name.text().unwrap_or_default(), email: None })
}

impl Mapping {
    /// The fields, statuses and types among the ticket fields.
    fn catalog_of(&self, fields: &[wire::TicketField]) -> Catalog {
        let named = |name: &str| fields.iter().find(|field| field.name.text().as_deref() == Some(name));
        let statuses = named("status").map(|field| choices(&field.choices)).unwrap_or_default();
        let kind = |field: &wire::TicketField| field.kind.text().unwrap_or_default();
        let types = fields.iter().find(|field| kind(field) == "default_ticket_type");
        let custom = fields.iter().filter(|field| {
            !kind(field).starts_with("default_")
                && field.name.text().as_ref() != Some(&self.settings.marker_field)
        });
        Catalog {
            fields: custom.filter_map(custom_field).collect(),
            statuses: statuses
                .into_iter()
                .map(|(id, label)| CatalogStatus {
                    native: id.to_string(),
                    label,
                    status: self.statuses.status(id),
                    default: self.statuses.is_default(id),
                })
                .collect(),
            types: types.map(|field| options(&field.choices)).unwrap_or_default(),
            agents: Vec::new(),
            teams: Vec::new(),
        }
    }

    /// What is wrong with the custom fields that are to be kept in step.
    pub fn custom_problems(&self, fields: &[wire::TicketField]) -> Vec<Problem> {
        let problem = |what: String, remedy: String| Problem { disarms: Disarms::Nothing, what, remedy };
        let wrong = |custom: &crate::contract::CustomField| {
            let native = &custom.native;
            let words = kind_words(custom.kind);
            let found = fields.iter().find(|field| field.name.text().as_ref() == Some(native));
            match found.map(field_kind) {
                Some(Some(kind)) if kind == custom.kind => None,
                Some(_) => Some(problem(
                    format!(
                        "the field {native} does not hold what {} is to hold ({words})",
                        custom.name.as_str()
                    ),
                    format!("name another field for {}, or another kind", custom.name.as_str()),
                )),
                None => Some(problem(
                    format!("tickets have no field {native}"),
                    format!(
                        "let it be provisioned, or add a field of the kind {words} whose API name is {native}"
                    ),
                )),
            }
        };
        self.custom.iter().filter_map(wrong).collect()
    }
}

fn custom_field(field: &wire::TicketField) -> Option<CatalogField> {
    let native = field.name.text()?;
    let kind = field_kind(field);
    let has_options = matches!(kind, Some(FieldKind::Choice | FieldKind::Choices));
    Some(CatalogField {
        customers_see: field.displayed_to_customers.told_flag(),
        title: field.label.text().unwrap_or_else(|| native.clone()),
        kind,
        options: if has_options { options(&field.choices) } else { Vec::new() },
        native,
    })
}

/// The words of a list of options, in any of its shapes: `["A"]`, `{"A": 1}`, `{"A": ["B"]}`,
/// `[{"value": "A"}]`.
fn options(shape: &Json) -> Vec<String> {
    match shape {
        Json::Array(list) => {
            let word = |item: &Json| {
                let named = ["value", "label", "name"].iter().find_map(|key| item.get(key)?.as_str());
                named.or(item.as_str()).map(str::to_owned)
            };
            list.iter().filter_map(word).collect()
        }
        Json::Object(map) => map.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// The values of the status field, whichever shape they come in:
/// `{"2": ["Open", …]}`, `{"Open": 2}`, `[{"id": 2, "label": "Open"}]`, `[2, …]`.
pub fn choices(shape: &Json) -> BTreeMap<i64, String> {
    let mut found = BTreeMap::new();
    match shape {
        Json::Object(map) => {
            for (key, value) in map {
                match (key.parse::<i64>(), value.as_i64()) {
                    (Ok(id), _) => found.insert(id, label(value)),
                    (Err(_), Some(id)) => found.insert(id, key.clone()),
                    (Err(_), None) => None,
                };
            }
        }
        Json::Array(list) => {
            for item in list {
                let id = ["id", "value"].iter().find_map(|key| item.get(key)?.as_i64()).or(item.as_i64());
                if let Some(id) = id {
                    found.insert(id, label(item));
                }
            }
        }
        _ => {}
    }
    found
}

fn label(value: &Json) -> String {
    let named = ["label", "name", "value"].iter().find_map(|key| value.get(key)?.as_str());
    let first = || value.get(0).and_then(Json::as_str);
    named.or_else(first).or(value.as_str()).unwrap_or("unnamed").to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn choices_are_read_in_any_shape() {
        let expected = BTreeMap::from([(2, "Open".to_owned()), (6, "Waiting".to_owned())]);
        let shapes = [
            json!({"2": ["Open", "Being Processed"], "6": ["Waiting", "Awaiting your reply"]}),
            json!({"2": "Open", "6": "Waiting"}),
            json!({"Open": 2, "Waiting": 6}),
            json!([{"id": 2, "label": "Open"}, {"id": 6, "value": "Waiting"}]),
            json!([{"value": 2, "label": "Open"}, {"value": 6, "label": "Waiting"}]),
        ];
        for shape in shapes {
            assert_eq!(choices(&shape), expected, "{shape}");
        }
        for shape in [json!(null), json!("Open"), json!([]), json!(["Open"]), json!({"Open": ["x"]})] {
            assert_eq!(choices(&shape), BTreeMap::new(), "{shape}");
        }
    }

    #[test]
    fn options_are_read_in_any_shape() {
        for shape in [json!(["EMEA", "AMER"]), json!([{"value": "EMEA", "id": 1}, {"label": "AMER"}])] {
            assert_eq!(options(&shape), ["EMEA", "AMER"], "{shape}");
        }
        for shape in [json!({"AMER": 2, "EMEA": 1}), json!({"AMER": ["US"], "EMEA": []})] {
            assert_eq!(options(&shape), ["AMER", "EMEA"], "{shape}");
        }
        assert_eq!(options(&json!(null)), Vec::<String>::new());
    }

    #[test]
    fn names_come_of_labels() {
        assert_eq!((label_of("cf_handoff_key"), label_of("x")), ("Handoff key".to_owned(), "X".to_owned()));
    }
}
