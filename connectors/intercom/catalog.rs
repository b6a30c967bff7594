//! What an account has that mapping may name, and making what is missing.

use std::collections::BTreeMap;

use handoffd_core::{FieldKind, Status};
use http::Method;
use serde_json::{Value as Json, json};

use super::{desk::Desk, settings::RecordKind, wire};
use crate::{
    client::Kind,
    contract::{Call, Catalog, CatalogField, CatalogOwner, CatalogStatus, Error, Provision, Result},
};

impl Desk {
    /// What the account has. Reads only.
    pub async fn read_catalog(&self, call: Call) -> Result<Catalog> {
        let settings = &self.mapping.settings;
        let mut fields: BTreeMap<String, CatalogField> = BTreeMap::new();
        let mut statuses = Vec::new();
        if settings.syncs(RecordKind::Conversation) {
            for attribute in self.conversation_attributes(call).await? {
                if attribute.custom.flag() != Some(false) {
                    add(&mut fields, field(&attribute));
                }
            }
        }
        if !settings.syncs(RecordKind::Ticket) {
            statuses.extend(conversation_statuses());
        }
        if settings.syncs(RecordKind::Ticket) {
            let types: wire::Listed<wire::TicketType> =
                self.ask(call, self.mapping.get("/ticket_types")?).await?;
            for attribute in types.data.iter().flat_map(wire::TicketType::attributes) {
                if attribute.default.flag() != Some(true) {
                    add(&mut fields, field(attribute));
                }
            }
            statuses.extend(self.states(call).await?.catalog());
        }
        let admins: wire::Listed<wire::Named> = self.ask(call, self.mapping.get("/admins")?).await?;
        let teams: wire::Listed<wire::Named> = self.ask(call, self.mapping.get("/teams")?).await?;
        Ok(Catalog {
            fields: fields.into_values().collect(),
            statuses,
            types: Vec::new(),
            agents: owners(&admins),
            teams: owners(&teams),
        })
    }

    /// Makes what Intercom's API can make: an attribute of the ticket type.
    pub async fn make(&self, call: Call, item: &Provision) -> Result<String> {
        let (native, kind, options) = match item {
            Provision::Field { native, kind, options } => (native, *kind, options),
            Provision::Status { label, status } => {
                let why = format!(
                    "Intercom's API makes no ticket states: make {label:?} ({}) in its settings, under Tickets",
                    status.name()
                );
                return Err(Error::Refused { why });
            }
        };
        if self.mapping.settings.create == RecordKind::Conversation {
            let why = format!(
                "Intercom's API makes no attributes of conversations: make {native:?} ({}) in its settings, \
                 under Data > Conversations",
                made_as(kind).unwrap_or("several options")
            );
            return Err(Error::Refused { why });
        }
        let type_id = self.mapping.settings.ticket_type_id.unwrap_or_default();
        let data_type = made_as(kind).ok_or_else(|| Error::Refused {
            why: "Intercom's attributes hold one option, not several".to_owned(),
        })?;
        if options.iter().any(|option| option.contains(',')) {
            let why = "Intercom's API takes no option with a comma in it".to_owned();
            return Err(Error::Refused { why });
        }
        let mut body = json!({"name": native, "description": "Kept in step by handoffd", "data_type": data_type,
            "required_to_create": false, "required_to_create_for_contacts": false, "visible_on_create": false,
            "visible_to_contacts": false});
        if kind == FieldKind::Choice {
            body["list_items"] = options.join(",").into();
        }
        let path = format!("/ticket_types/{type_id}/attributes");
        let made: wire::Attribute =
            self.ask(call, self.mapping.send(Method::POST, &path, &body, Kind::Write)?).await?;
        made.name.text().ok_or_else(super::write::no_id)
    }
}

/// What an attribute of a ticket is made as.
fn made_as(kind: FieldKind) -> Option<&'static str> {
    match kind {
        FieldKind::Text => Some("string"),
        FieldKind::Number => Some("decimal"),
        FieldKind::Boolean => Some("boolean"),
        FieldKind::Date => Some("datetime"),
        FieldKind::Choice => Some("list"),
        FieldKind::Choices => None,
    }
}

/// The first of a name counts: conversations and ticket types may have attributes alike.
fn add(fields: &mut BTreeMap<String, CatalogField>, field: Option<CatalogField>) {
    if let Some(field) = field {
        fields.entry(field.native.clone()).or_insert(field);
    }
}

fn field(attribute: &wire::Attribute) -> Option<CatalogField> {
    let native = attribute.name.text()?;
    let of_ticket = attribute.input_options.list_options.iter().filter_map(|option| option.label.text());
    let of_conversation = attribute.options.iter().filter_map(|option| match option {
        Json::String(text) => Some(text.clone()),
        other => other.get("value").and_then(Json::as_str).map(str::to_owned),
    });
    let options: Vec<String> = of_conversation.chain(of_ticket).collect();
    let kind = match attribute.data_type.text().unwrap_or_default().as_str() {
        "string" if options.is_empty() => Some(FieldKind::Text),
        "string" | "list" | "options" => Some(FieldKind::Choice),
        "integer" | "float" | "decimal" => Some(FieldKind::Number),
        "boolean" => Some(FieldKind::Boolean),
        "date" | "datetime" => Some(FieldKind::Date),
        _ => None,
    };
    Some(CatalogField {
        customers_see: None,
        title: attribute.label.text().unwrap_or_else(|| native.clone()),
        native,
        kind,
        options,
    })
}

/// The states of conversations, which have no ids. Where there are tickets, theirs stand for them too.
fn conversation_statuses() -> Vec<CatalogStatus> {
    let one = |native: &str, label: &str, status| CatalogStatus {
        native: native.to_owned(),
        label: label.to_owned(),
        status,
        default: true,
    };
    vec![
        one("open", "Open", Status::Open),
        one("snoozed", "Snoozed", Status::Pending),
        one("closed", "Closed", Status::Solved),
    ]
}

fn owners(listed: &wire::Listed<wire::Named>) -> Vec<CatalogOwner> {
    let one = |named: &wire::Named| {
        let name = named.name.text().unwrap_or_default();
        Some(CatalogOwner { id: named.id.id()?, name, email: named.email.text() })
    };
    listed.data.iter().filter_map(one).collect()
}
