//! Writes.
//!
//! Freshdesk has no request that sets fields and adds a message. An update
//! with both adds the message first, because it cannot be repeated, and sets
//! the fields after it, because they can. Once the message is there, a failure
//! of the fields is never the failure of the whole: the write is done, and says
//! that its fields are not set.
//!
//! A mirror is made by `POST /tickets`, which mails nobody itself. The
//! account's automations see it like any other ticket; the API cannot keep
//! them from it, and cannot give it times of its own.

use handoffd_core::{
    Field, Fields, ReadBy, RemoteId, TicketKey,
    intent::{Applied, Create, EditNote, Intent, Unset, Update},
};

use super::{api, desk::Desk, fields::Due, messages::DESCRIPTION, wire};
use crate::{
    client::{Answer, json::read_json},
    contract::{Call, Error, Result, Supply},
};

impl Desk {
    /// Does the write.
    pub async fn write(
        &self,
        call: Call,
        intent: &Intent,
        author: Option<&RemoteId>,
        files: &[Supply],
    ) -> Result<Applied> {
        let wanted = intent.attachments().len();
        if files.len() != wanted {
            let why = format!("{} of the {wanted} files that go with it are at hand", files.len());
            return Err(Error::Refused { why });
        }
        match intent {
            Intent::Create(create) if create.ticket.import.is_some() => {
                let why = "Freshdesk's API makes no tickets with their past: make it without";
                Err(Error::Refused { why: why.to_owned() })
            }
            Intent::Create(create) => self.create(call, create, files).await,
            Intent::Update(update) => self.update(call, update, author, files).await,
            Intent::EditNote(edit) => self.edit_note(call, edit).await,
            Intent::Amend(amend) => self.amend(call, amend, author).await,
            Intent::Delete(delete) => self.delete(call, delete).await,
        }
    }

    async fn create(&self, call: Call, create: &Create, files: &[Supply]) -> Result<Applied> {
        let ask = |due| self.mapping.create(create, files, due);
        let mut answered = self.client.send(call, ask(Due::Alone)?).await;
        if blames_due(&answered, &create.ticket.fields) {
            answered = self.client.send(call, ask(Due::WithFirstResponse)?).await;
        }
        let answer = answered?;
        let ticket: wire::Ticket = read_json(&answer).map_err(unread)?;
        self.created(&ticket, create, ReadBy::Answer)
            .ok_or_else(|| Error::Unknown { why: "the new ticket's answer has no id".to_owned() })
    }

    /// What a creation came to.
    pub fn created(&self, ticket: &wire::Ticket, create: &Create, read_by: ReadBy) -> Option<Applied> {
        let id = ticket.id.id()?;
        let shown = self.shown(ticket, read_by);
        Some(Applied {
            ticket: self.mapping.key(&id),
            version: shown.as_ref().map(|shown| shown.version),
            shown,
            comment: create.ticket.opening.as_ref().map(|_| RemoteId::from(DESCRIPTION)),
            written_at: None,
            imported: Vec::new(),
            unset: None,
        })
    }

    async fn update(
        &self,
        call: Call,
        update: &Update,
        author: Option<&RemoteId>,
        files: &[Supply],
    ) -> Result<Applied> {
        let Some(message) = &update.message else {
            return self.set_fields(call, &update.at, &update.set, None).await;
        };
        let ask = self.mapping.message(&update.at.id, message, author, files, &update.key)?;
        let answer = self.client.send(call, ask).await?;
        let comment = message_id(&answer)?;
        let written_at =
            read_json::<wire::Conversation>(&answer).ok().and_then(|made| made.created_at.moment());
        let done = self.set_fields_after(call, update, comment).await;
        Ok(Applied { written_at, ..done })
    }

    /// The fields of an update whose message is there already.
    pub async fn set_fields_after(&self, call: Call, update: &Update, comment: RemoteId) -> Applied {
        let unset = match self.set_fields(call, &update.at, &update.set, Some(comment.clone())).await {
            Ok(applied) => return applied,
            // Nothing but another decision changes this, and the message must not be
            // written twice: the fields stay as the vendor has them, which the next read shows.
            Err(Error::Refused { why }) => {
                tracing::warn!(ticket = %update.at, why, "Added the message, but Freshdesk refuses the fields.");
                Unset::Refused(why)
            }
            Err(error) => Unset::Later(error.to_string()),
        };
        Applied { unset: Some(unset), ..unseen(&update.at, Some(comment)) }
    }

    async fn set_fields(
        &self,
        call: Call,
        at: &TicketKey,
        set: &Fields,
        comment: Option<RemoteId>,
    ) -> Result<Applied> {
        let mut applied = unseen(at, comment);
        if self.mapping.normalize(set).is_empty() {
            return Ok(applied);
        }
        let ask = |due| self.mapping.set_fields(&at.id, set, due);
        let mut answered = self.client.send(call, ask(Due::Alone)?).await;
        if blames_due(&answered, set) {
            answered = self.client.send(call, ask(Due::WithFirstResponse)?).await;
        }
        let answer = answered?;
        // An answer that cannot be read still says that the fields are set.
        applied.shown =
            read_json::<wire::Ticket>(&answer).ok().and_then(|ticket| self.shown(&ticket, ReadBy::Answer));
        applied.version = applied.shown.as_ref().map(|shown| shown.version);
        Ok(applied)
    }

    /// Rewrites a note of ours.
    pub async fn edit_note(&self, call: Call, edit: &EditNote) -> Result<Applied> {
        match self.client.send(call, api::edit_note(&edit.comment, &edit.message, &edit.key)?).await {
            Ok(_) => Ok(unseen(&edit.at, Some(edit.comment.clone()))),
            // It is the note that is not there; the ticket may well be.
            Err(Error::Gone) => Err(Error::Refused { why: "the note is not there any more".to_owned() }),
            Err(error) => Err(error),
        }
    }
}

/// Whether the account refuses a due time that comes without the first response's.
fn blames_due(answered: &Result<Answer>, set: &Fields) -> bool {
    set.contains_key(&Field::DueAt)
        && matches!(answered, Err(Error::Refused { why }) if why.contains("due_by"))
}

/// A write that is there, whose answer shows no ticket.
pub fn unseen(ticket: &TicketKey, comment: Option<RemoteId>) -> Applied {
    Applied {
        ticket: ticket.clone(),
        version: None,
        shown: None,
        comment,
        written_at: None,
        imported: Vec::new(),
        unset: None,
    }
}

/// The new message's id. It was written, whatever the answer looks like.
pub fn message_id(answer: &Answer) -> Result<RemoteId> {
    let made: wire::Conversation = read_json(answer).map_err(unread)?;
    made.id.id().ok_or_else(|| Error::Unknown { why: "the new message's answer has no id".to_owned() })
}

fn unread(error: Error) -> Error {
    Error::Unknown { why: format!("it was written, but {error}") }
}
