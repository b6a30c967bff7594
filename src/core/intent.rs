//! Writes as values: what is to be done at a helpdesk, and what came of it.

use serde::{Deserialize, Serialize};

use crate::model::{
    comment::{Body, Carried, Message, PrivateMessage, PublicMessage},
    ids::{AccountId, OpKey, RemoteId, TicketKey},
    person::Person,
    ticket::{Fields, Observed, Version},
    time::Timestamp,
};

/// One write at one helpdesk. Committed before its first byte is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Make a ticket that mirrors another.
    Create(Create),
    /// Change a ticket: fields, tags and at most one message, in one request where the vendor can.
    Update(Update),
    /// Rewrite a private note of ours.
    EditNote(EditNote),
    /// Change a mirrored message that stands there already.
    Amend(Amend),
    /// Delete a ticket whose original is deleted. Only where the link group says so.
    Delete(Delete),
}

/// A ticket to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    /// Where.
    pub at: AccountId,
    /// What.
    pub ticket: NewTicket,
    /// The marker by which it is found again.
    pub key: OpKey,
}

/// What a new ticket holds. Making it never mails the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTicket {
    /// Who asked; found or made by e-mail.
    pub requester: Person,
    /// The first message; `None` when the conversation has no public one yet.
    pub opening: Option<PublicMessage>,
    /// Its fields, as this vendor will show them.
    pub fields: Fields,
    /// The closed ticket there that this one follows up.
    #[serde(default)]
    pub follows: Option<RemoteId>,
    /// The history that the ticket is made with, where the vendor imports history.
    #[serde(default)]
    pub import: Option<Import>,
}

/// A ticket's past, written with its creation: nobody is mailed, no rule runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// When the original was made.
    pub created_at: Timestamp,
    /// When the opening was written.
    pub opening_at: Timestamp,
    /// What was said after the opening, oldest first.
    pub messages: Vec<Imported>,
}

/// One message of a ticket's past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The message; always silent.
    pub message: Message,
    /// When it was written.
    pub at: Timestamp,
    /// Its number in the link.
    pub number: u64,
    /// Who wrote it, by their id at the receiving helpdesk; `None` for our own user. It is found
    /// right before the write.
    #[serde(default)]
    pub author: Option<RemoteId>,
}

/// A change of one ticket. Only what changed is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Which ticket.
    pub at: TicketKey,
    /// Fields to set, as this vendor will show them. [`crate::Field::Tags`] holds
    /// the whole set that the ticket is to have.
    pub set: Fields,
    /// A message to add.
    pub message: Option<Message>,
    /// Apply only if the ticket still has this version, where the vendor can.
    pub if_version: Option<Version>,
    /// The marker by which it is found again.
    pub key: OpKey,
}

/// A private note of ours to be rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditNote {
    /// On which ticket.
    pub at: TicketKey,
    /// Which comment.
    pub comment: RemoteId,
    /// The whole new text.
    pub message: PrivateMessage,
    /// The marker.
    pub key: OpKey,
}

/// A mirrored message is to follow what became of its original.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amend {
    /// On which ticket.
    pub at: TicketKey,
    /// Which comment there.
    pub comment: RemoteId,
    /// What is to happen to it.
    pub change: Amendment,
    /// The marker.
    pub key: OpKey,
}

/// What becomes of a mirrored message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amendment {
    /// The customer is to see it no more: its original was made private.
    Hide(PrivateMessage),
    /// Its content goes for good: its original was redacted.
    Redact,
    /// It says something else: its original was edited.
    Rewrite(Message),
}

/// A ticket to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    /// Which ticket.
    pub at: TicketKey,
    /// The marker.
    pub key: OpKey,
}

impl Intent {
    /// The marker by which it is found again.
    pub fn key(&self) -> &OpKey {
        match self {
            Self::Create(create) => &create.key,
            Self::Update(update) => &update.key,
            Self::EditNote(edit) => &edit.key,
            Self::Amend(amend) => &amend.key,
            Self::Delete(delete) => &delete.key,
        }
    }

    /// Every text that it carries, the opening first.
    pub fn bodies_mut(&mut self) -> Vec<&mut Body> {
        match self {
            Self::Create(create) => {
                let opening = create.ticket.opening.iter_mut().map(|opening| opening.text.body_mut());
                let past = create.ticket.import.iter_mut().flat_map(|import| &mut import.messages);
                opening.chain(past.map(|one| one.message.body_mut())).collect()
            }
            Self::Update(update) => update.message.iter_mut().map(Message::body_mut).collect(),
            Self::EditNote(edit) => vec![edit.message.text.body_mut()],
            Self::Amend(amend) => match &mut amend.change {
                Amendment::Hide(note) => vec![note.text.body_mut()],
                Amendment::Rewrite(message) => vec![message.body_mut()],
                Amendment::Redact => Vec::new(),
            },
            Self::Delete(_) => Vec::new(),
        }
    }

    /// The files that it carries: an update's message, a creation's opening and then its past.
    pub fn attachments(&self) -> Vec<&Carried> {
        match self {
            Self::Create(create) => {
                let opening = create.ticket.opening.iter().flat_map(|opening| &opening.attachments);
                let past = create.ticket.import.iter().flat_map(|import| &import.messages);
                opening.chain(past.flat_map(|one| one.message.attachments())).collect()
            }
            Self::Update(update) => update.message.iter().flat_map(Message::attachments).collect(),
            Self::EditNote(_) | Self::Amend(_) | Self::Delete(_) => Vec::new(),
        }
    }

    /// The account that is written to.
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Create(create) => &create.at,
            Self::Update(update) => &update.at.account,
            Self::EditNote(edit) => &edit.at.account,
            Self::Amend(amend) => &amend.at.account,
            Self::Delete(delete) => &delete.at.account,
        }
    }

    /// The ticket that is written to, if it exists already.
    pub fn ticket(&self) -> Option<&TicketKey> {
        match self {
            Self::Create(_) => None,
            Self::Update(update) => Some(&update.at),
            Self::EditNote(edit) => Some(&edit.at),
            Self::Amend(amend) => Some(&amend.at),
            Self::Delete(delete) => Some(&delete.at),
        }
    }
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is at the vendor.
    Applied(Box<Applied>),
    /// It is certain that it is not at the vendor, and it is not to be tried as it is: decide again.
    NotApplied,
    /// It was sent and not answered, and several looks did not find it: it may
    /// still be there. Never sent again blindly.
    Lost,
    /// The vendor refuses it; the words are for an admin.
    Refused(String),
    /// The ticket is closed for good and takes no writes: the conversation goes on in a follow-up.
    Closed,
}

/// A write that is at the vendor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The ticket: for a creation the new one.
    pub ticket: TicketKey,
    /// The ticket's version after the write; `None` where the vendor does not say.
    pub version: Option<Version>,
    /// What the vendor showed in its answer, if it did.
    pub shown: Option<Observed>,
    /// The id of the message that was added, or of the creation's opening; after
    /// an amendment the id that the message has now, if it changed.
    pub comment: Option<RemoteId>,
    /// When the message was written, in the vendor's time, where the answer tells.
    #[serde(default)]
    pub written_at: Option<Timestamp>,
    /// The ids of an import's messages, in its order; empty where the answer does not tell.
    #[serde(default)]
    pub imported: Vec<RemoteId>,
    /// The message is there, and the fields that went with it are not, as far as is known.
    #[serde(default)]
    pub unset: Option<Unset>,
}

/// Why fields are not set whose message is there. The message is not written again; where they
/// are still wanted, the fields go by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unset {
    /// The vendor refuses them; the words are for an admin.
    Refused(String),
    /// They could not be set now, or nobody knows whether they were: they may be sent again.
    Later(String),
}
