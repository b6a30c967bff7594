//! What can be searched, and the values of rows.
//!
//! Custom attributes of conversations are not among them.

use serde_json::Value;

use super::{
    catalog::{DESCRIPTION, TITLE},
    filter::{Cell, Cells},
    html,
    world::{Author, Card, Contact, Head, State, Thread, World},
};

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Text of which case does not count.
    Email,
    /// Text whose words are looked at one by one.
    Words,
    Integer,
    Date,
    Flag,
}

/// Which search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kinds {
    Conversations,
    Tickets,
    Contacts,
}

/// The type of a field, if it can be searched.
pub(super) fn kind(world: &World, kinds: Kinds, field: &str) -> Option<Kind> {
    match kinds {
        Kinds::Conversations => conversation_kind(field),
        Kinds::Tickets => match field.strip_prefix("ticket_attribute.") {
            Some(id) => ticket_attribute_kind(world, id),
            None => ticket_kind(field),
        },
        Kinds::Contacts => contact_kind(field),
    }
}

fn conversation_kind(field: &str) -> Option<Kind> {
    Some(match field {
        "source.body" => Kind::Words,
        "source.author.email" => Kind::Email,
        "id"
        | "source.type"
        | "source.id"
        | "source.delivered_as"
        | "source.subject"
        | "source.author.id"
        | "source.author.type"
        | "source.author.name"
        | "source.url"
        | "contact_ids"
        | "teammate_ids"
        | "channel_initiated"
        | "state"
        | "tag_ids"
        | "priority"
        | "statistics.last_closed_by_id"
        | "conversation_rating.remark"
        | "conversation_rating.contact_id"
        | "conversation_rating.admin_id"
        | "ai_agent.resolution_state"
        | "ai_agent.last_answer_type"
        | "ai_agent.rating_remark"
        | "ai_agent.source_type"
        | "ai_agent.source_title" => Kind::Text,
        "created_at"
        | "updated_at"
        | "waiting_since"
        | "snoozed_until"
        | "statistics.first_contact_reply_at"
        | "statistics.first_assignment_at"
        | "statistics.first_admin_reply_at"
        | "statistics.first_close_at"
        | "statistics.last_assignment_at"
        | "statistics.last_contact_reply_at"
        | "statistics.last_admin_reply_at"
        | "statistics.last_close_at"
        | "conversation_rating.requested_at"
        | "conversation_rating.replied_at" => Kind::Date,
        "admin_assignee_id"
        | "team_assignee_id"
        | "statistics.count_reopens"
        | "statistics.count_assignments"
        | "statistics.count_conversation_parts"
        | "conversation_rating.score"
        | "ai_agent.rating" => Kind::Integer,
        "open" | "read" | "ai_agent_participated" => Kind::Flag,
        _ => return None,
    })
}

fn ticket_kind(field: &str) -> Option<Kind> {
    Some(match field {
        "id" | "title" | "description" | "category" | "ticket_type_id" | "contact_ids" | "teammate_ids"
        | "admin_assignee_id" | "team_assignee_id" | "state" => Kind::Text,
        "created_at" | "updated_at" | "snoozed_until" => Kind::Date,
        "open" => Kind::Flag,
        _ => return None,
    })
}

fn ticket_attribute_kind(world: &World, id: &str) -> Option<Kind> {
    let id: i64 = id.parse().ok()?;
    let mut all = world.ticket_types.values().flat_map(|kind| &kind.attributes);
    let attribute = all.find(|attribute| attribute.id == id && !attribute.archived)?;
    Some(match attribute.data_type.as_str() {
        "integer" | "decimal" => Kind::Integer,
        "boolean" => Kind::Flag,
        "datetime" => Kind::Date,
        _ => Kind::Text,
    })
}

fn contact_kind(field: &str) -> Option<Kind> {
    Some(match field {
        "email" | "email_domain" => Kind::Email,
        "id" | "role" | "name" | "phone" | "external_id" => Kind::Text,
        "created_at" | "updated_at" | "last_replied_at" | "last_contacted_at" | "signed_up_at"
        | "last_seen_at" => Kind::Date,
        "owner_id" => Kind::Integer,
        "unsubscribed_from_emails" | "marked_email_as_spam" | "has_hard_bounced" => Kind::Flag,
        other if other.starts_with("custom_attributes.") => Kind::Text,
        _ => return None,
    })
}

/// A row, as the index has it.
pub(super) enum Doc<'a> {
    Conversation(&'a World, &'a Thread, &'a Head),
    Ticket(&'a World, &'a Thread, &'a Head, &'a Card),
    Contact(&'a Contact),
}

impl Cells for Doc<'_> {
    fn cells(&self, field: &str) -> Vec<Cell> {
        match self {
            Self::Conversation(world, thread, head) => conversation_cells(world, thread, head, field),
            Self::Ticket(world, thread, head, card) => ticket_cells(world, thread, head, card, field),
            Self::Contact(contact) => contact_cells(contact, field),
        }
    }
}

fn text(text: impl Into<String>) -> Vec<Cell> {
    vec![Cell::Text(text.into())]
}

fn maybe_text(found: Option<&str>) -> Vec<Cell> {
    found.map(text).unwrap_or_default()
}

fn number(found: Option<i64>) -> Vec<Cell> {
    found.map(Cell::Number).into_iter().collect()
}

/// What conversations and tickets have in common.
fn thread_cells(thread: &Thread, head: &Head, field: &str) -> Option<Vec<Cell>> {
    Some(match field {
        "id" => text(thread.id.to_string()),
        "created_at" => number(Some(thread.created_at)),
        "updated_at" => number(Some(head.updated_at)),
        "snoozed_until" => number(head.snoozed_until),
        "open" => vec![Cell::Flag(head.state != State::Closed)],
        "contact_ids" => head.contacts.iter().cloned().map(Cell::Text).collect(),
        "teammate_ids" => head.teammates.iter().map(|id| Cell::Text(id.to_string())).collect(),
        _ => return None,
    })
}

fn conversation_cells(world: &World, thread: &Thread, head: &Head, field: &str) -> Vec<Cell> {
    if let Some(cells) = thread_cells(thread, head, field) {
        return cells;
    }
    if let Some(name) = field.strip_prefix("source.") {
        return source_cells(world, thread, name);
    }
    if let Some(name) = field.strip_prefix("statistics.") {
        return statistics_cells(head, name);
    }
    if let Some(name) = field.strip_prefix("conversation_rating.") {
        return rating_cells(head, name);
    }
    match field {
        "waiting_since" => number(head.waiting_since),
        "admin_assignee_id" => number(head.admin),
        "team_assignee_id" => number(head.team),
        "state" => text(head.state.word()),
        "read" => vec![Cell::Flag(head.read)],
        "priority" => text(if head.priority { "priority" } else { "not_priority" }),
        "tag_ids" => head.tags.iter().map(|tagged| Cell::Text(tagged.tag.to_string())).collect(),
        "channel_initiated" => text(thread.source.kind),
        "ai_agent_participated" => vec![Cell::Flag(head.ai_participated)],
        _ => Vec::new(),
    }
}

fn source_cells(world: &World, thread: &Thread, name: &str) -> Vec<Cell> {
    let source = &thread.source;
    let author = world.author_json(&source.author);
    match name {
        "type" => text(source.kind),
        "id" => text(source.id.to_string()),
        "delivered_as" => text(source.delivered_as),
        "subject" => text(html::to_text(&source.subject)),
        "body" => text(html::to_text(&source.body)),
        "author.id" => text(match &source.author {
            Author::Admin(id) => id.to_string(),
            Author::Contact(id) => id.clone(),
        }),
        "author.type" => maybe_text(author["type"].as_str()),
        "author.name" => maybe_text(author["name"].as_str()),
        "author.email" => maybe_text(author["email"].as_str()),
        _ => Vec::new(),
    }
}

fn statistics_cells(head: &Head, name: &str) -> Vec<Cell> {
    let stats = &head.stats;
    number(match name {
        "first_contact_reply_at" => stats.first_contact_reply_at,
        "first_assignment_at" => stats.first_assignment_at,
        "first_admin_reply_at" => stats.first_admin_reply_at,
        "first_close_at" => stats.first_close_at,
        "last_assignment_at" => stats.last_assignment_at,
        "last_contact_reply_at" => stats.last_contact_reply_at,
        "last_admin_reply_at" => stats.last_admin_reply_at,
        "last_close_at" => stats.last_close_at,
        "count_reopens" => Some(stats.reopens),
        "count_assignments" => Some(stats.assignments),
        "count_conversation_parts" => Some(stats.parts),
        _ => return maybe_text(stats.last_closed_by.map(|id| id.to_string()).as_deref()),
    })
}

fn rating_cells(head: &Head, name: &str) -> Vec<Cell> {
    let Some(rating) = &head.rating else { return Vec::new() };
    match name {
        "requested_at" | "replied_at" => number(Some(rating.at)),
        "score" => number(Some(i64::from(rating.rating))),
        "remark" => text(rating.remark.clone()),
        "contact_id" => text(rating.contact.clone()),
        _ => maybe_text(rating.teammate.map(|id| id.to_string()).as_deref()),
    }
}

fn ticket_cells(world: &World, thread: &Thread, head: &Head, card: &Card, field: &str) -> Vec<Cell> {
    if let Some(cells) = thread_cells(thread, head, field) {
        return cells;
    }
    let attribute = |name: &str| card.attributes.get(name).map(value_cells).unwrap_or_default();
    if let Some(id) = field.strip_prefix("ticket_attribute.") {
        let mut all = world.ticket_types.values().flat_map(|kind| &kind.attributes);
        let found = all.find(|one| one.id.to_string() == id);
        return found.map(|one| attribute(&one.name)).unwrap_or_default();
    }
    match field {
        "title" => attribute(TITLE),
        "description" => attribute(DESCRIPTION),
        "category" => text(world.category(card).search_word()),
        "ticket_type_id" => text(card.type_id.to_string()),
        "admin_assignee_id" => text(head.admin.unwrap_or(0).to_string()),
        "team_assignee_id" => text(head.team.unwrap_or(0).to_string()),
        "state" => maybe_text(world.ticket_state(card.state_id).map(|state| state.category)),
        _ => Vec::new(),
    }
}

fn value_cells(value: &Value) -> Vec<Cell> {
    match value {
        Value::String(own) => text(own.clone()),
        Value::Bool(flag) => vec![Cell::Flag(*flag)],
        Value::Number(own) => number(own.as_i64()),
        _ => Vec::new(),
    }
}

fn contact_cells(contact: &Contact, field: &str) -> Vec<Cell> {
    match field {
        "id" => text(contact.id.clone()),
        "role" => text(contact.role.clone()),
        "name" => maybe_text(contact.name.as_deref()),
        "phone" => maybe_text(contact.phone.as_deref()),
        "external_id" => maybe_text(contact.external_id.as_deref()),
        "email" => maybe_text(contact.email.as_deref()),
        "email_domain" => {
            maybe_text(contact.email.as_deref().and_then(|email| email.split_once('@')).map(|(_, host)| host))
        }
        "created_at" => number(Some(contact.created_at)),
        "updated_at" => number(Some(contact.updated_at)),
        "last_replied_at" => number(contact.last_replied_at),
        "last_contacted_at" => number(contact.last_contacted_at),
        "unsubscribed_from_emails" => vec![Cell::Flag(contact.unsubscribed)],
        "marked_email_as_spam" | "has_hard_bounced" => vec![Cell::Flag(false)],
        other => match other.strip_prefix("custom_attributes.") {
            Some(name) => contact.custom.get(name).map(value_cells).unwrap_or_default(),
            None => Vec::new(),
        },
    }
}
