//! Writes, and the look for writes whose answer was lost.
//!
//! Freshdesk has no request that sets fields and adds a message. An update
//! with both adds the message first, because it cannot be repeated, and sets
//! the fields after it, because they can. Once the message is there, a failure
//! of the fields is never the failure of the whole: it is reported as unknown,
//! and the look for it finds the message and sets the fields again.

use std::time::Duration;

use handoffd_core::{
    Comment, Fields, Message, ReadBy, RemoteId, TicketKey, Timestamp, fold_text,
    intent::{Applied, Create, EditNote, Intent, Update},
};
use serde_json::value::RawValue;

use super::{
    api,
    desk::{Desk, Whole},
    feed::read_row,
    html,
    map::{DESCRIPTION, shows},
    wire,
};
use crate::{
    client::{Answer, json::read_json},
    contract::{Attempted, Call, Error, Result},
};

/// How far the vendor's clock may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

impl Desk {
    /// Does the write.
    pub async fn write(&self, call: Call, intent: &Intent, author: Option<&RemoteId>) -> Result<Applied> {
        match intent {
            Intent::Create(create) => self.create(call, create).await,
            Intent::Update(update) => self.update(call, update, author).await,
            Intent::EditNote(edit) => self.edit_note(call, edit).await,
            Intent::Amend(_) | Intent::Delete(_) => {
                Err(Error::Refused { why: "it is not done at Freshdesk".to_owned() })
            }
        }
    }

    async fn create(&self, call: Call, create: &Create) -> Result<Applied> {
        let answer = self.client.send(call, self.mapping.create(create)?).await?;
        let ticket: wire::Ticket = read_json(&answer).map_err(unread)?;
        self.created(&ticket, create, ReadBy::Answer)
            .ok_or_else(|| Error::Unknown { why: "the new ticket's answer has no id".to_owned() })
    }

    fn created(&self, ticket: &wire::Ticket, create: &Create, read_by: ReadBy) -> Option<Applied> {
        let id = ticket.id.id()?;
        let shown = self.shown(ticket, read_by);
        Some(Applied {
            ticket: self.mapping.key(&id),
            version: shown.as_ref().map(|shown| shown.version),
            shown,
            comment: create.ticket.opening.as_ref().map(|_| RemoteId::from(DESCRIPTION)),
            imported: Vec::new(),
        })
    }

    async fn update(&self, call: Call, update: &Update, author: Option<&RemoteId>) -> Result<Applied> {
        let Some(message) = &update.message else {
            return self.set_fields(call, &update.at, &update.set, None).await;
        };
        let answer =
            self.client.send(call, api::message(&update.at.id, message, author, &update.key)?).await?;
        let comment = message_id(&answer)?;
        self.set_fields_after(call, update, comment).await
    }

    /// The fields of an update whose message is there already.
    async fn set_fields_after(&self, call: Call, update: &Update, comment: RemoteId) -> Result<Applied> {
        match self.set_fields(call, &update.at, &update.set, Some(comment.clone())).await {
            Ok(applied) => Ok(applied),
            // Nothing but another decision changes this, and the message must not be
            // written twice: the fields stay as the vendor has them, which the next read shows.
            Err(Error::Refused { why }) => {
                tracing::warn!(ticket = %update.at, why, "Added the message, but Freshdesk refuses the fields.");
                Ok(Applied {
                    ticket: update.at.clone(),
                    version: None,
                    shown: None,
                    comment: Some(comment),
                    imported: Vec::new(),
                })
            }
            Err(error) => {
                Err(Error::Unknown { why: format!("the message is there, the fields are not: {error}") })
            }
        }
    }

    async fn set_fields(
        &self,
        call: Call,
        at: &TicketKey,
        set: &Fields,
        comment: Option<RemoteId>,
    ) -> Result<Applied> {
        let mut applied =
            Applied { ticket: at.clone(), version: None, shown: None, comment, imported: Vec::new() };
        if set.is_empty() {
            return Ok(applied);
        }
        let answer = self.client.send(call, self.mapping.set_fields(&at.id, set)?).await?;
        // An answer that cannot be read still says that the fields are set.
        applied.shown =
            read_json::<wire::Ticket>(&answer).ok().and_then(|ticket| self.shown(&ticket, ReadBy::Answer));
        applied.version = applied.shown.as_ref().map(|shown| shown.version);
        Ok(applied)
    }

    async fn edit_note(&self, call: Call, edit: &EditNote) -> Result<Applied> {
        match self.client.send(call, api::edit_note(&edit.comment, &edit.message, &edit.key)?).await {
            Ok(_) => Ok(edited(edit)),
            // It is the note that is not there; the ticket may well be.
            Err(Error::Gone) => Err(Error::Refused { why: "the note is not there any more".to_owned() }),
            Err(error) => Err(error),
        }
    }

    /// Looks for a write whose answer was lost.
    pub async fn look_for(&self, call: Call, lost: Attempted<'_>) -> Result<Option<Applied>> {
        match lost.intent {
            Intent::Create(create) => self.find_created(call, create).await,
            Intent::Update(update) => self.find_update(call, update, &lost).await,
            Intent::EditNote(edit) => self.find_edit(call, edit).await,
            Intent::Amend(_) | Intent::Delete(_) => Ok(None),
        }
    }

    /// Among the requester's newest tickets, by the marker.
    async fn find_created(&self, call: Call, create: &Create) -> Result<Option<Applied>> {
        let email = self.mapping.address(&create.ticket.requester)?;
        let answer = match self.client.send(call, self.mapping.list_of(&email)?).await {
            // Nobody has that address: the ticket would have made its contact.
            Err(Error::Refused { .. } | Error::Gone) => return Ok(None),
            answered => answered?,
        };
        let rows: Vec<Box<RawValue>> = read_json(&answer)?;
        let ours = |ticket: &wire::Ticket| {
            let fields = ticket.custom_fields.as_ref();
            let marker = fields.and_then(|fields| fields.get(&self.mapping.settings.marker_field)?.text());
            marker.is_some_and(|marker| marker.trim() == create.key.as_str())
        };
        let found = rows.iter().filter_map(|row| read_row(row).ok()).find(ours);
        Ok(found.and_then(|ticket| self.created(&ticket, create, ReadBy::Feed)))
    }

    async fn find_update(
        &self,
        call: Call,
        update: &Update,
        lost: &Attempted<'_>,
    ) -> Result<Option<Applied>> {
        let me = self.my_id(call).await?;
        let whole = self.whole(call, &update.at.id).await?;
        let comment = match &update.message {
            None => None,
            Some(message) => match self.find_message(&whole, message, update, lost, &me)? {
                Some(comment) => Some(comment),
                None => return Ok(None),
            },
        };
        let shown = self.shown(&whole.ticket, ReadBy::Fetch);
        let set = shown.as_ref().is_some_and(|shown| shows(shown, &self.mapping.normalize(&update.set)));
        match comment {
            comment if set => {
                let version = shown.as_ref().map(|shown| shown.version);
                Ok(Some(Applied { ticket: update.at.clone(), version, shown, comment, imported: Vec::new() }))
            }
            Some(comment) => self.set_fields_after(call, update, comment).await.map(Some),
            None => Ok(None),
        }
    }

    /// The oldest comment that can be the lost message: ours by author, time,
    /// kind and text, and not accounted for. Our own words also bear a reference.
    fn find_message(
        &self,
        whole: &Whole,
        message: &Message,
        update: &Update,
        lost: &Attempted<'_>,
        me: &RemoteId,
    ) -> Result<Option<RemoteId>> {
        let text = api::message_text(message, &update.key)?;
        let sought = fold_text(&html::to_text(&html::from_text(&text)));
        let own_words = matches!(message, Message::Private(message) if message.author.is_none());
        let mark = api::reference(&update.key);
        let since = lost.sent_at.minus(CLOCK_SKEW);
        let fits = |comment: &Comment| {
            let shown = comment.body().text().map(fold_text).unwrap_or_default();
            let says = if own_words { shown.contains(&mark) } else { shown == sought };
            says && comment.is_public() == matches!(message, Message::Public(_))
                && written_by(comment, lost.author, me)
                && newer(comment.at(), since)
                && !lost.claimed.contains(comment.id())
                && comment.id().as_str() != DESCRIPTION
        };
        Ok(self.comments_of(whole)?.iter().find(|comment| fits(comment)).map(|comment| comment.id().clone()))
    }

    /// Rewriting is safe to repeat, so a note that does not say what it should is written again.
    async fn find_edit(&self, call: Call, edit: &EditNote) -> Result<Option<Applied>> {
        let whole = self.whole(call, &edit.at.id).await?;
        let text = api::note_text(&edit.message, &edit.key)?;
        let sought = fold_text(&html::to_text(&html::from_text(&text)));
        let comments = self.comments_of(&whole)?;
        let note = comments.iter().find(|comment| *comment.id() == edit.comment);
        let says = note.and_then(|note| note.body().text()).map(fold_text);
        if says == Some(sought) {
            return Ok(Some(edited(edit)));
        }
        self.edit_note(call, edit).await.map(Some)
    }
}

fn edited(edit: &EditNote) -> Applied {
    Applied {
        ticket: edit.at.clone(),
        version: None,
        shown: None,
        comment: Some(edit.comment.clone()),
        imported: Vec::new(),
    }
}

/// Notes in a customer's name are theirs; where Freshdesk kept us as the
/// author all the same, ours. An author that is not shown is anybody's.
fn written_by(comment: &Comment, author: Option<&RemoteId>, me: &RemoteId) -> bool {
    comment.author().id.as_ref().is_none_or(|id| id == me || Some(id) == author)
}

fn newer(at: Timestamp, since: Timestamp) -> bool {
    at >= since
}

/// The new message's id. It was written, whatever the answer looks like.
fn message_id(answer: &Answer) -> Result<RemoteId> {
    let made: wire::Conversation = read_json(answer).map_err(unread)?;
    made.id.id().ok_or_else(|| Error::Unknown { why: "the new message's answer has no id".to_owned() })
}

fn unread(error: Error) -> Error {
    Error::Unknown { why: format!("it was written, but {error}") }
}
