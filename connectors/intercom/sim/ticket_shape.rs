//! JSON of tickets, their types and their states.

use serde_json::{Map, Value, json};

use super::{
    catalog::{Category, TicketAttribute, TicketState, TicketType},
    http::Version,
    shape::{PARTS_MAX, Style},
    world::{Card, Detail, Head, Part, Source, State, Thread, World},
};

impl World {
    /// Who a ticket is for.
    pub fn category(&self, card: &Card) -> Category {
        self.ticket_types.get(&card.type_id).map_or(Category::Customer, |kind| kind.category)
    }

    /// The state of this id.
    pub fn ticket_state(&self, id: i64) -> Option<&TicketState> {
        self.ticket_states.iter().find(|state| state.id == id)
    }

    /// What a conversation that became a ticket shows of that.
    pub fn ticket_reference(&self, thread: &Thread) -> Value {
        let state = thread.head.card.as_ref().and_then(|card| self.ticket_state(card.state_id));
        json!({"type": "ticket", "id": thread.id.to_string(), "ticket_state": state.map(|state| state.category)})
    }

    /// A ticket in the given state, with its `newest` parts; all that are shown without a number.
    pub fn ticket_json(
        &self,
        thread: &Thread,
        head: &Head,
        newest: Option<usize>,
        style: &Style<'_>,
    ) -> Value {
        let Some(card) = &head.card else { return Value::Null };
        let kind = self.ticket_types.get(&card.type_id);
        let assignee = |id: Option<i64>| id.unwrap_or(0).to_string();
        let mut ticket = json!({
            "type": "ticket", "id": thread.id.to_string(), "ticket_id": card.number.to_string(),
            "category": self.category(card).word(), "ticket_attributes": card.attributes,
            "ticket_state": self.state_of(card, style.version),
            "ticket_type": kind.map(|kind| self.ticket_type_json(kind, style.version, false)),
            "contacts": self.contacts_json(head), "admin_assignee_id": assignee(head.admin),
            "team_assignee_id": assignee(head.team), "created_at": thread.created_at,
            "updated_at": head.updated_at, "open": head.state != State::Closed,
            "linked_objects": self.linked_json(head), "is_shared": card.shared,
            "ticket_parts": self.ticket_parts(thread, head, newest, style),
        });
        if let Some(until) = head.snoozed_until {
            ticket["snoozed_until"] = json!(until);
        }
        ticket
    }

    fn state_of(&self, card: &Card, version: Version) -> Value {
        match self.ticket_state(card.state_id) {
            None => Value::Null,
            Some(state) if version < Version::V2_12 => json!(state.category),
            Some(state) => state_json(state),
        }
    }

    fn ticket_parts(&self, thread: &Thread, head: &Head, newest: Option<usize>, style: &Style<'_>) -> Value {
        // What an index row shows is as old as the row.
        let parts: Vec<&Part> = thread
            .parts
            .iter()
            .filter(|part| part.created_at.min(part.updated_at) <= head.updated_at)
            .collect();
        let from = parts.len().saturating_sub(newest.unwrap_or(PARTS_MAX).min(PARTS_MAX));
        let mut shown: Vec<Value> =
            parts[from..].iter().map(|part| self.ticket_part_json(part, style)).collect();
        let with_opening = thread.is_conversation && newest.is_none();
        if with_opening && shown.len() < PARTS_MAX {
            shown.insert(0, self.opening_part(&thread.source, thread.created_at, style));
        }
        let total = parts.len() + usize::from(with_opening);
        json!({"type": "ticket_part.list", "ticket_parts": shown, "total_count": total})
    }

    /// The first message of a conversation is a part of the ticket that it became.
    fn opening_part(&self, source: &Source, at: i64, style: &Style<'_>) -> Value {
        json!({"type": "ticket_part", "id": source.id.to_string(), "part_type": "comment",
            "body": style.body(self, &source.body), "created_at": at, "updated_at": at, "author": self.author_json(&source.author),
            "attachments": self.files_json(&source.files, style.base, style.now), "redacted": source.redacted})
    }

    /// A part of a ticket.
    pub fn ticket_part_json(&self, part: &Part, style: &Style<'_>) -> Value {
        let mut shown = json!({
            "type": "ticket_part", "id": part.id.to_string(), "part_type": part.kind,
            "body": part.body.as_deref().map(|body| style.body(self, body)),
            "created_at": part.created_at, "updated_at": part.updated_at,
            "author": self.author_json(&part.author),
            "attachments": self.files_json(&part.files, style.base, style.now), "redacted": part.redacted,
        });
        if part.by_app {
            shown["app_package_code"] = json!(self.package);
        }
        match &part.detail {
            Detail::Assigned { kind, id } => {
                shown["assigned_to"] = json!({"type": kind, "id": id.map(|id| id.to_string())});
            }
            Detail::TicketState { from, to } => {
                shown["previous_ticket_state"] = json!(from);
                shown["ticket_state"] = json!(to);
            }
            Detail::Attribute { id, name, value } => {
                let label = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let attribute = json!({"type": "attribute", "id": id.to_string(), "label": name});
                let value = json!({"type": "value", "id": null, "label": label});
                shown["updated_attribute_data"] = json!({"attribute": attribute, "value": value});
            }
            Detail::None | Detail::ConversationAttribute { .. } | Detail::QuickReplies(_) => {}
        }
        shown
    }

    /// A type of tickets; `whole` with the states that it can have.
    pub fn ticket_type_json(&self, kind: &TicketType, version: Version, whole: bool) -> Value {
        let attributes = kind.attributes.iter().enumerate();
        let attributes: Vec<Value> =
            attributes.map(|(order, one)| self.ticket_attribute_json(kind.id, one, order)).collect();
        let mut shown = json!({
            "type": "ticket_type", "id": kind.id.to_string(), "category": kind.category.word(),
            "name": kind.name, "description": kind.description, "icon": "🎟️", "workspace_id": self.app,
            "ticket_type_attributes": {"type": "list", "data": attributes}, "archived": false,
            "is_internal": kind.category != Category::Customer, "created_at": kind.created_at,
            "updated_at": kind.created_at,
        });
        if whole && version >= Version::V2_12 {
            let states: Vec<Value> = self.ticket_states.iter().map(state_json).collect();
            shown["ticket_states"] = json!({"type": "list", "data": states});
        }
        shown
    }

    /// An attribute of a type of tickets.
    pub fn ticket_attribute_json(&self, kind: i64, attribute: &TicketAttribute, order: usize) -> Value {
        let mut input = Map::new();
        match attribute.data_type.as_str() {
            "string" => {
                input.insert("multiline".to_owned(), json!(attribute.multiline));
            }
            "list" => {
                let options: Vec<Value> =
                    attribute.options.iter().map(|(id, label)| json!({"id": id, "label": label})).collect();
                input.insert("list_options".to_owned(), json!(options));
            }
            _ => {}
        }
        json!({
            "type": "ticket_type_attribute", "id": attribute.id.to_string(), "workspace_id": self.app,
            "name": attribute.name, "description": attribute.description, "data_type": attribute.data_type,
            "input_options": input, "order": order, "required_to_create": attribute.required,
            "required_to_create_for_contacts": false, "visible_on_create": true,
            "visible_to_contacts": attribute.visible_to_contacts, "default": attribute.built_in,
            "ticket_type_id": kind, "archived": attribute.archived, "created_at": attribute.created_at,
            "updated_at": attribute.created_at,
        })
    }
}

/// A state of tickets.
pub(super) fn state_json(state: &TicketState) -> Value {
    json!({"type": "ticket_state", "id": state.id.to_string(), "category": state.category,
        "internal_label": state.internal_label, "external_label": state.external_label})
}
