//! The look for writes whose answer was lost.

use std::time::Duration;

use handoffd_core::{
    Comment, Message, OpKey, ReadBy, RemoteId, Timestamp, fold_text,
    intent::{Applied, Create, EditNote, Intent, Update},
};
use serde_json::value::RawValue;

use super::{
    desk::{Desk, Whole},
    feed::read_row,
    messages::DESCRIPTION,
    staff::People,
    wire, words,
    write::unseen,
};
use crate::{
    client::json::read_json,
    contract::{Attempted, Call, Error, Result},
    html,
};

/// How far the vendor's clock may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

impl Desk {
    /// Looks for a write whose answer was lost.
    pub async fn look_for(&self, call: Call, lost: Attempted<'_>) -> Result<Option<Applied>> {
        match lost.intent {
            Intent::Create(create) => self.find_created(call, create).await,
            Intent::Update(update) => self.find_update(call, update, &lost).await,
            Intent::EditNote(edit) => self.find_edit(call, edit).await,
            Intent::Amend(amend) => self.find_amended(call, amend, &lost).await,
            Intent::Delete(delete) => self.find_deleted(call, delete).await,
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
            Some(message) => match self.find_message(&whole, message, &update.key, lost, &me)? {
                Some(comment) => Some(comment),
                None => return Ok(None),
            },
        };
        let shown = self.shown(&whole.ticket, ReadBy::Fetch);
        let set = shown
            .as_ref()
            .is_some_and(|shown| super::map::shows(shown, &self.mapping.normalize(&update.set)));
        match comment {
            comment if set => {
                let version = shown.as_ref().map(|shown| shown.version);
                Ok(Some(Applied { version, shown, ..unseen(&update.at, comment) }))
            }
            Some(comment) => Ok(Some(self.set_fields_after(call, update, comment).await)),
            None => Ok(None),
        }
    }

    /// The oldest comment that can be the lost message: ours by author, time,
    /// kind and text, and not accounted for. Our own words also bear a reference.
    pub fn find_message(
        &self,
        whole: &Whole,
        message: &Message,
        key: &OpKey,
        lost: &Attempted<'_>,
        me: &RemoteId,
    ) -> Result<Option<RemoteId>> {
        let sought = fold_text(&html::to_text(&words::message_html(message, key, &[])?));
        let own_words = matches!(message, Message::Private(message) if message.author.is_none());
        let mark = words::reference(key);
        let since = lost.sent_at.minus(CLOCK_SKEW);
        let fits = |comment: &Comment| {
            let shown = comment.body().text().map(fold_text).unwrap_or_default();
            let says = if own_words { shown.contains(&mark) } else { words::says(&shown, &sought) };
            says && comment.is_public() == matches!(message, Message::Public(_))
                && written_by(comment, lost.author, me)
                && newer(comment.at(), since)
                && !lost.claimed.contains(comment.id())
                && comment.id().as_str() != DESCRIPTION
        };
        Ok(self
            .comments_of(whole, &People::new())?
            .iter()
            .find(|comment| fits(comment))
            .map(|comment| comment.id().clone()))
    }

    /// Rewriting is safe to repeat, so a note that does not say what it should is written again.
    async fn find_edit(&self, call: Call, edit: &EditNote) -> Result<Option<Applied>> {
        let whole = self.whole(call, &edit.at.id).await?;
        let sought = fold_text(&html::to_text(&words::note_html(&edit.message, &edit.key, &[])?));
        let comments = self.comments_of(&whole, &People::new())?;
        let note = comments.iter().find(|comment| *comment.id() == edit.comment);
        let says = note.and_then(|note| note.body().text()).map(fold_text);
        if says == Some(sought) {
            return Ok(Some(unseen(&edit.at, Some(edit.comment.clone()))));
        }
        self.edit_note(call, edit).await.map(Some)
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
