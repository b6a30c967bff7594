//! Tickets as people see them on Freshdesk's screens.

use std::collections::BTreeMap;

use handoffd_core::{Priority, RemoteId, Status};
use serde_json::Value;

use super::{
    acts::status_id,
    html,
    world::{Ticket, World},
};
use crate::sim::{ShownComment, ShownTicket, SimFile};

/// The ticket as a person sees it.
pub(super) fn ticket(world: &World, ticket: &Ticket) -> ShownTicket {
    let fields = &ticket.fields;
    let status = world.statuses.iter().find(|status| status.id == fields.status);
    let status = status.map_or(Status::Open, |status| status.means);
    let priority = match fields.priority {
        1 => Priority::Low,
        2 => Priority::Normal,
        3 => Priority::High,
        _ => Priority::Urgent,
    };
    let assignee = fields.responder_id.and_then(|id| world.agents.get(&id));
    let assignee = assignee.map(|agent| agent.first_name.clone().unwrap_or_else(|| "bot".to_owned()));
    let mut tags = fields.tags.clone();
    tags.sort();
    let mut ccs: Vec<String> = fields.cc_emails.iter().map(|email| email.to_lowercase()).collect();
    ccs.sort();
    ShownTicket {
        id: RemoteId::from(ticket.id),
        subject: fields.subject.clone(),
        status,
        priority: Some(priority),
        tags,
        requester: world.email_of(fields.requester_id).unwrap_or("").to_owned(),
        assignee,
        deleted: ticket.deleted_at.is_some() || ticket.spam,
        kind: fields.kind.clone(),
        due_at: Some(fields.due_by),
        ccs,
        custom: custom(&fields.custom),
        status_detail: (status_id(status) != Some(fields.status)).then(|| fields.status.to_string()),
        merged_into: ticket.merged_into.map(RemoteId::from),
        follows: None,
        created_at: ticket.created_at,
        comments: comments(world, ticket),
    }
}

fn custom(held: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let words = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    };
    held.iter().filter_map(|(name, value)| Some((name.clone(), words(value)?))).collect()
}

fn name_of(world: &World, person: i64) -> String {
    let contact = world.contacts.get(&person).map(|contact| contact.name.clone());
    contact.or_else(|| Some(world.agents.get(&person)?.name.clone())).unwrap_or_default()
}

fn files(world: &World, ids: &[i64]) -> Vec<SimFile> {
    let file = |id: &i64| {
        let upload = &world.files.get(id)?.upload;
        Some(SimFile {
            name: upload.name.clone(),
            content_type: upload.kind.clone(),
            bytes: upload.bytes.to_vec(),
        })
    };
    ids.iter().filter_map(file).collect()
}

fn comments(world: &World, ticket: &Ticket) -> Vec<ShownComment> {
    let requester = ticket.fields.requester_id;
    let opening = ShownComment {
        id: RemoteId::from("description"),
        public: true,
        by_customer: world.contacts.contains_key(&requester),
        text: html::to_text(&ticket.fields.description),
        html: world.with_names(&ticket.fields.description),
        author: name_of(world, requester),
        at: ticket.created_at,
        files: files(world, &ticket.attachments),
    };
    let said = ticket.conversations.iter().map(|said| ShownComment {
        id: RemoteId::from(said.id),
        public: !said.private,
        by_customer: said.incoming && !world.agents.contains_key(&said.user_id),
        text: html::to_text(&said.body),
        html: world.with_names(&said.body),
        author: name_of(world, said.user_id),
        at: said.created_at,
        files: files(world, &said.attachments),
    });
    std::iter::once(opening).chain(said).collect()
}
