//! What people see on Intercom's own screens.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{Priority, RemoteId, Status, Timestamp};
use serde_json::Value;

use super::{
    catalog::{DESCRIPTION, TITLE},
    html,
    world::{Author, Card, Head, Part, State, Thread, World},
};
use crate::sim::{ShownComment, ShownTicket};

/// The conversation or ticket as a person sees it.
pub(super) fn shown(world: &World, thread: &Thread) -> ShownTicket {
    let head = &thread.head;
    let card = own_card(thread);
    let admin = head.admin.and_then(|id| world.admins.get(&id));
    let assignee = admin.map(|admin| admin.first_name.clone().unwrap_or_else(|| "bot".to_owned()));
    let mut tags: Vec<String> =
        head.tags.iter().filter_map(|tagged| world.tags.get(&tagged.tag).cloned()).collect();
    tags.sort();
    let email = |id: &String| world.contacts.get(id).and_then(|contact| contact.email.clone());
    let mut ccs: Vec<String> =
        head.contacts.iter().skip(1).filter_map(email).map(|email| email.to_lowercase()).collect();
    ccs.sort();
    let priority = if head.priority { Priority::High } else { Priority::Normal };
    ShownTicket {
        id: world.named(thread.id),
        subject: world.subject(thread),
        status: status(world, card, head),
        priority: thread.is_conversation.then_some(priority),
        tags,
        requester: head.contacts.first().and_then(email).unwrap_or_default(),
        assignee,
        deleted: thread.deleted,
        kind: card.and_then(|card| world.ticket_types.get(&card.type_id)).map(|kind| kind.name.clone()),
        due_at: None,
        ccs,
        custom: custom(world, card, head),
        status_detail: card.and_then(|card| own_state(world, card.state_id)).map(|id| id.to_string()),
        merged_into: None,
        follows: None,
        created_at: Timestamp::from_secs(thread.created_at),
        comments: comments(world, thread),
    }
}

/// What makes it a ticket, if it is shown as one.
fn own_card(thread: &Thread) -> Option<&Card> {
    thread.head.card.as_ref().filter(|_| !thread.is_conversation)
}

/// The state, unless it is the first of its category.
fn own_state(world: &World, id: i64) -> Option<i64> {
    let category = world.ticket_state(id)?.category;
    let first = world.ticket_states.iter().find(|state| state.category == category);
    first.is_none_or(|first| first.id != id).then_some(id)
}

fn status(world: &World, card: Option<&Card>, head: &Head) -> Status {
    match card.and_then(|card| world.ticket_state(card.state_id)) {
        Some(state) => match state.category {
            "submitted" => Status::New,
            "waiting_on_customer" => Status::Pending,
            "resolved" => Status::Solved,
            _ => Status::Open,
        },
        None => match head.state {
            State::Open => Status::Open,
            State::Snoozed => Status::Pending,
            State::Closed => Status::Solved,
        },
    }
}

/// The attributes by name, in words.
fn custom(world: &World, card: Option<&Card>, head: &Head) -> BTreeMap<String, String> {
    let (values, days): (_, BTreeSet<&str>) = match card {
        Some(card) => {
            let kind = world.ticket_types.get(&card.type_id);
            let attributes = kind.map(|kind| kind.attributes.as_slice()).unwrap_or_default();
            let days = attributes.iter().filter(|one| one.data_type == "datetime");
            (&card.attributes, days.map(|one| one.name.as_str()).collect())
        }
        None => {
            let days = world.attributes.iter().filter(|one| one.data_type == "date");
            (&head.custom, days.map(|one| one.name.as_str()).collect())
        }
    };
    let own = values.iter().filter(|(name, _)| *name != TITLE && *name != DESCRIPTION);
    own.filter_map(|(name, value)| Some((name.clone(), words(value, days.contains(name.as_str()))?)))
        .collect()
}

fn words(value: &Value, is_day: bool) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(at) if is_day => {
            let day = Timestamp::from_secs(at.as_i64().unwrap_or(0)).to_rfc3339_secs();
            Some(day.split('T').next().unwrap_or_default().to_owned())
        }
        other => Some(other.to_string()),
    }
}

fn name_of(world: &World, author: &Author) -> String {
    match author {
        Author::Admin(id) => world.admins.get(id).map(|admin| admin.name.clone()).unwrap_or_default(),
        Author::Contact(id) => {
            let contact = world.contacts.get(id);
            contact.and_then(|one| one.name.clone().or_else(|| one.email.clone())).unwrap_or_default()
        }
    }
}

fn comments(world: &World, thread: &Thread) -> Vec<ShownComment> {
    let card = own_card(thread);
    let hidden = card.is_some_and(|card| !card.shared);
    let said = thread.parts.iter().filter_map(|part| said(world, part, hidden));
    std::iter::once(opening(world, thread, card, hidden)).chain(said).collect()
}

fn said(world: &World, part: &Part, hidden: bool) -> Option<ShownComment> {
    let body = part.body.as_deref()?;
    Some(ShownComment {
        id: RemoteId::from(part.id),
        public: part.is_public() && !hidden,
        by_customer: matches!(part.author, Author::Contact(_)),
        text: html::to_text(body),
        html: world.with_addresses(body, "https://api.intercom.io", part.created_at),
        author: name_of(world, &part.author),
        at: Timestamp::from_secs(part.created_at),
        files: world.sim_files(&part.files),
    })
}

fn opening(world: &World, thread: &Thread, card: Option<&Card>, hidden: bool) -> ShownComment {
    let source = &thread.source;
    let (id, text, html) = match card {
        None => {
            let body = world.with_addresses(&source.body, "https://api.intercom.io", thread.created_at);
            (RemoteId::from(source.id), html::to_text(&source.body), body)
        }
        Some(card) => {
            let text = card.attributes.get(DESCRIPTION).and_then(Value::as_str).unwrap_or_default();
            (RemoteId::from("description"), text.to_owned(), String::new())
        }
    };
    ShownComment {
        id,
        public: !hidden,
        by_customer: matches!(source.author, Author::Contact(_)),
        text,
        html,
        author: name_of(world, &source.author),
        at: Timestamp::from_secs(thread.created_at),
        files: world.sim_files(&source.files),
    }
}
