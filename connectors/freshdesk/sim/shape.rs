//! JSON of what the account holds.

use handoffd_core::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    files::Look,
    html,
    world::{Agent, Contact, Conversation, Group, Ticket, World},
};

/// A moment, or null.
fn moment(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| json!(at.to_string()))
}

/// A ticket without its description, as lists have it.
pub(super) fn ticket_row(ticket: &Ticket) -> Map<String, Value> {
    let fields = &ticket.fields;
    let custom: Map<String, Value> =
        fields.custom.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let row = json!({
        "id": ticket.id, "subject": fields.subject, "type": fields.kind, "status": fields.status,
        "priority": fields.priority, "source": fields.source, "requester_id": fields.requester_id,
        "responder_id": fields.responder_id, "group_id": fields.group_id, "company_id": fields.company_id,
        "product_id": null, "email_config_id": ticket.email_config, "to_emails": null, "cc_emails": fields.cc_emails,
        "fwd_emails": [], "reply_cc_emails": fields.cc_emails, "ticket_cc_emails": fields.cc_emails,
        "spam": ticket.spam, "is_escalated": false, "fr_escalated": false, "nr_escalated": false,
        "due_by": fields.due_by.to_string(), "fr_due_by": fields.fr_due_by.to_string(),
        "nr_due_by": null, "tags": fields.tags, "custom_fields": custom, "association_type": null,
        "associated_tickets_list": null, "source_additional_info": null,
        "created_at": ticket.created_at.to_string(), "updated_at": ticket.updated_at.to_string(),
    });
    let mut row = into_map(row);
    // Left out while false.
    if ticket.deleted_at.is_some() {
        row.insert("deleted".to_owned(), json!(true));
    }
    row
}

/// Adds the description.
pub(super) fn add_description(row: &mut Map<String, Value>, look: &Look<'_>, ticket: &Ticket) {
    row.insert("description".to_owned(), json!(look.html(&ticket.fields.description)));
    row.insert("description_text".to_owned(), json!(html::to_text(&ticket.fields.description)));
}

/// A ticket by itself.
pub(super) fn ticket(look: &Look<'_>, ticket: &Ticket) -> Map<String, Value> {
    let mut row = ticket_row(ticket);
    add_description(&mut row, look, ticket);
    row.insert("attachments".to_owned(), look.files(&ticket.attachments));
    row
}

/// The embedded requester.
pub(super) fn requester(world: &World, id: i64) -> Value {
    if let Some(contact) = world.contacts.get(&id) {
        return json!({"id": id, "name": contact.name, "email": contact.email,
            "mobile": contact.mobile, "phone": contact.phone});
    }
    match world.agents.get(&id) {
        Some(agent) => {
            json!({"id": id, "name": agent.name, "email": agent.email, "mobile": null, "phone": null})
        }
        None => Value::Null,
    }
}

/// The embedded times.
pub(super) fn stats(ticket: &Ticket) -> Value {
    let stats = &ticket.stats;
    json!({
        "agent_responded_at": moment(stats.agent_responded_at),
        "requester_responded_at": moment(stats.requester_responded_at),
        "first_responded_at": moment(stats.first_responded_at),
        "status_updated_at": moment(stats.status_updated_at),
        "reopened_at": moment(stats.reopened_at),
        "resolved_at": moment(stats.resolved_at),
        "closed_at": moment(stats.closed_at),
        "pending_since": moment(stats.pending_since),
    })
}

/// A reply or a note.
pub(super) fn conversation(look: &Look<'_>, ticket: i64, said: &Conversation) -> Value {
    json!({
        "id": said.id, "ticket_id": ticket, "user_id": said.user_id, "incoming": said.incoming,
        "private": said.private, "source": said.source, "category": if said.incoming { 1 } else { 2 },
        "body": look.html(&said.body), "body_text": html::to_text(&said.body), "to_emails": said.to_emails,
        "from_email": said.from_email, "cc_emails": said.cc_emails, "bcc_emails": said.bcc_emails,
        "support_email": null, "email_failure_count": null, "outgoing_failures": null,
        "attachments": look.files(&said.attachments), "source_additional_info": null,
        "created_at": said.created_at.to_string(), "updated_at": said.updated_at.to_string(),
    })
}

/// A contact.
pub(super) fn contact(contact: &Contact) -> Value {
    let mut shown = json!({
        "id": contact.id, "active": false, "name": contact.name, "email": contact.email,
        "phone": contact.phone, "mobile": contact.mobile, "twitter_id": contact.twitter_id,
        "unique_external_id": contact.unique_external_id, "description": contact.description,
        "job_title": contact.job_title, "address": contact.address, "company_id": contact.company_id,
        "view_all_tickets": contact.view_all_tickets,
        "language": contact.language.as_deref().unwrap_or("en"),
        "time_zone": contact.time_zone.as_deref().unwrap_or("UTC"),
        "other_emails": [], "other_companies": [], "custom_fields": {}, "tags": contact.tags,
        "avatar": null, "facebook_id": null, "csat_rating": null, "preferred_source": null,
        "created_at": contact.created_at.to_string(), "updated_at": contact.updated_at.to_string(),
    });
    if contact.deleted {
        shown["deleted"] = json!(true);
    }
    shown
}

/// An agent.
pub(super) fn agent(agent: &Agent) -> Value {
    let made = agent.created_at.to_string();
    json!({
        "id": agent.id, "available": true, "occasional": false, "signature": null, "ticket_scope": 1,
        "type": "support_agent", "group_ids": [agent.group], "role_ids": [], "skill_ids": [],
        "focus_mode": true, "created_at": made, "updated_at": made, "available_since": null,
        "last_active_at": null, "deactivated": false,
        "contact": {
            "active": true, "email": agent.email, "job_title": null, "language": "en",
            "last_login_at": null, "mobile": null, "name": agent.name, "phone": null,
            "time_zone": "UTC", "created_at": made, "updated_at": made,
        },
    })
}

/// A group with the agents in it.
pub(super) fn group(world: &World, group: &Group) -> Value {
    let made = group.created_at.to_string();
    let agents: Vec<i64> =
        world.agents.values().filter(|agent| agent.group == group.id).map(|agent| agent.id).collect();
    json!({
        "id": group.id, "name": group.name, "description": group.description, "business_hour_id": null,
        "escalate_to": null, "unassigned_for": "30m", "agent_ids": agents, "auto_ticket_assign": false,
        "group_type": "support_agent_group", "created_at": made, "updated_at": made,
    })
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
