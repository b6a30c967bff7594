//! Writes as values: what is to be done at a helpdesk, and what came of it.

use serde::{Deserialize, Serialize};

use crate::model::{
    comment::{Message, PrivateMessage, PublicMessage},
    ids::{AccountId, OpKey, RemoteId, TicketKey},
    person::Person,
    ticket::{Fields, Observed, Version},
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
    /// Subject, status, priority and tags, as this vendor will show them.
    pub fields: Fields,
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

impl Intent {
    /// The marker by which it is found again.
    pub fn key(&self) -> &OpKey {
        match self {
            Self::Create(create) => &create.key,
            Self::Update(update) => &update.key,
            Self::EditNote(edit) => &edit.key,
        }
    }

    /// The account that is written to.
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Create(create) => &create.at,
            Self::Update(update) => &update.at.account,
            Self::EditNote(edit) => &edit.at.account,
        }
    }

    /// The ticket that is written to, if it exists already.
    pub fn ticket(&self) -> Option<&TicketKey> {
        match self {
            Self::Create(_) => None,
            Self::Update(update) => Some(&update.at),
            Self::EditNote(edit) => Some(&edit.at),
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
    /// The id of the message that was added, or of the creation's opening.
    pub comment: Option<RemoteId>,
}
