//! A ticket and its comments in canonical words.

use std::collections::BTreeSet;

use handoffd_core::{
    AccountId, Comment, CommentsSeen, Fields, Observed, OpKey, Person, ReadBy, RemoteId, Role, TicketKey,
    Timestamp, Version,
};

use super::{
    messages,
    settings::{Settings, StatusTable},
    staff::People,
    wire,
};
use crate::contract::CustomField;

/// Web chat, whose description is its first conversation too.
const SOURCE_WEB_CHAT: i64 = 15;

/// The status of a ticket that was merged into another one.
const CLOSED: i64 = 5;

/// What reading and writing one account's tickets takes.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The account.
    pub account: AccountId,
    /// Its options.
    pub settings: Settings,
    /// Its statuses.
    pub statuses: StatusTable,
    /// Its custom fields that are kept in step.
    pub custom: Vec<CustomField>,
}

/// What a ticket is.
#[derive(Clone, Debug)]
pub enum Read {
    /// It is there.
    Shown(Box<Observed>),
    /// It is in the trash or spam.
    Gone(TicketKey),
}

impl Mapping {
    /// One of this account's tickets by id.
    pub fn key(&self, id: &RemoteId) -> TicketKey {
        TicketKey { account: self.account.clone(), id: id.clone() }
    }

    /// Reads a ticket without its comments. Errors name the place, without ticket text.
    pub fn ticket(&self, ticket: &wire::Ticket, read_by: ReadBy, read_at: Timestamp) -> Result<Read, String> {
        let id = ticket.id.id().ok_or("id: not a number")?;
        if ticket.deleted.flag() || ticket.spam.flag() {
            return Ok(Read::Gone(self.key(&id)));
        }
        let updated_at = ticket.updated_at.moment().ok_or("updated_at: not a time")?;
        Ok(Read::Shown(Box::new(Observed {
            ticket: self.key(&id),
            version: Version::from(updated_at),
            read_by,
            read_at,
            fields: self.fields(ticket),
            requester: ticket.requester.as_ref().map(customer),
            comments: CommentsSeen::NotLooked,
            comment_count: None,
            marker: self.marker(ticket),
            created_at: ticket.created_at.moment().unwrap_or(updated_at),
            follows: None,
            rating: None,
        })))
    }

    /// Our marker; a text that cannot be one is somebody else's.
    fn marker(&self, ticket: &wire::Ticket) -> Option<OpKey> {
        let text = ticket.custom_fields.as_ref()?.get(&self.settings.marker_field)?.text()?;
        let text = text.trim();
        let ours = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (text.len() <= 80 && text.chars().all(ours)).then(|| OpKey::new(text))
    }

    /// Every comment of a ticket, oldest first: the description, then the conversations.
    ///
    /// A conversation that cannot be read spoils the whole: "all comments" must be all.
    /// `people` are writers whose names are known.
    pub fn comments(
        &self,
        ticket: &wire::Ticket,
        conversations: &[wire::Conversation],
        people: &People,
    ) -> Result<Vec<Comment>, String> {
        let opening = messages::description(ticket)?;
        let mut comments: Vec<Comment> = Vec::with_capacity(conversations.len() + 1);
        let mut seen = BTreeSet::new();
        for (at, conversation) in conversations.iter().enumerate() {
            let comment = messages::comment(ticket, conversation, people)
                .map_err(|why| format!("conversations[{at}].{why}"))?;
            if seen.insert(comment.id().clone()) {
                comments.push(comment);
            }
        }
        comments.sort_by_key(Comment::at);
        let Some(opening) = opening else { return Ok(comments) };
        if ticket.source.whole() == Some(SOURCE_WEB_CHAT)
            && comments.first().is_some_and(|first| messages::says_the_same(&opening, first))
        {
            comments.remove(0);
        }
        comments.insert(0, opening);
        Ok(comments)
    }

    /// The ticket that this one was merged into. Freshdesk has no field for it: all that is
    /// left is a private note on a closed ticket, whose words are a setting.
    pub fn merged_into(
        &self,
        ticket: &wire::Ticket,
        conversations: &[wire::Conversation],
    ) -> Option<TicketKey> {
        let begins = self.settings.merge_note.as_str();
        if begins.is_empty() || ticket.status.whole() != Some(CLOSED) {
            return None;
        }
        let note = conversations.iter().rev().find(|said| said.private.flag() && !said.incoming.flag())?;
        let text = messages::words(&note.body, &note.body_text)?;
        let rest = text.trim().strip_prefix(begins)?.trim_start_matches([' ', ':', '#']);
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let ends = rest[digits.len()..].trim_matches([' ', '.', '\n']).is_empty();
        let into = RemoteId::new(digits);
        (ends && !into.as_str().is_empty() && ticket.id.id().as_ref() != Some(&into)).then(|| self.key(&into))
    }
}

/// A contact who asked.
pub fn customer(person: &wire::Person) -> Person {
    Person {
        id: person.id.id(),
        name: person.name.text().unwrap_or_default(),
        email: person.email.text(),
        role: Role::Customer,
    }
}

/// Who asked, as far as the ticket says.
pub fn requester(ticket: &wire::Ticket) -> Person {
    let named = ticket.requester.as_ref().map(customer);
    let id = ticket.requester_id.id();
    match named {
        Some(person) => Person { id: person.id.or(id), ..person },
        None => Person { id, name: String::new(), email: None, role: Role::Customer },
    }
}

/// Whether the ticket shows all these fields.
pub fn shows(observed: &Observed, set: &Fields) -> bool {
    set.iter().all(|(field, value)| observed.fields.get(field) == Some(value))
}
