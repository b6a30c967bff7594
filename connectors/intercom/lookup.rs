//! The look for writes whose answer was lost.

use std::time::Duration;

use handoffd_core::{
    Comment, Message, RemoteId, fold_text,
    intent::{Amend, Applied, Create, Delete, Intent, Update},
};

use super::{
    api::{plain, reference, test},
    desk::{Desk, Whole},
    feed::read_row,
    map::{shows, shows_one},
    record::{Record, record_id},
    settings::RecordKind,
    wire,
    write::{applied, is_by, is_ours, said},
};
use crate::{
    contract::{Attempted, Call, Error, Result},
    html,
};

/// How far the vendor's clock may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// How many pages of a contact's newest conversations are looked through.
const PAGES_MAX: usize = 4;

impl Desk {
    /// Looks for a write whose answer was lost.
    pub async fn look_for(&self, call: Call, lost: Attempted<'_>) -> Result<Option<Applied>> {
        match lost.intent {
            Intent::Create(create) => self.find_created(call, create, &lost).await,
            Intent::Update(update) => self.find_update(call, update, &lost).await,
            Intent::EditNote(_) => Ok(None),
            Intent::Amend(amend) => self.find_redacted(call, amend).await,
            Intent::Delete(delete) => self.find_deleted(call, delete).await,
        }
    }

    async fn find_created(
        &self,
        call: Call,
        create: &Create,
        lost: &Attempted<'_>,
    ) -> Result<Option<Applied>> {
        if self.mapping.settings.create == RecordKind::Ticket {
            return match self.find_ticket(call, create).await? {
                Some(id) => self.finish_ticket(call, create, &id).await.map(Some),
                None => Ok(None),
            };
        }
        // The index is behind; what this client made itself it remembers.
        let remembered = self.memory.made(&create.key);
        let found = match remembered {
            Some(id) => Some(id),
            None => self.find_conversation(call, create, lost).await?,
        };
        let Some(id) = found else { return Ok(None) };
        let whole = match self.whole(call, &id).await {
            Err(Error::Gone) => return Ok(None),
            answered => answered?,
        };
        let me = self.my_id(call).await?;
        let (record, opening) = (whole.record.clone(), whole.source.clone());
        self.finish(call, create, &record, Some(whole), opening, &me).await.map(Some)
    }

    /// Among the contact's newest conversations: by the marker, else the first
    /// one begun through the Messenger that says the same and bears no marker.
    async fn find_conversation(
        &self,
        call: Call,
        create: &Create,
        lost: &Attempted<'_>,
    ) -> Result<Option<RemoteId>> {
        let contact = match lost.author.filter(|_| super::create::begun_by_customer(create)) {
            Some(id) => Some(id.clone()),
            None => self.known_contact(call, create).await?,
        };
        let Some(contact) = contact else { return Ok(None) };
        let since = lost.sent_at.minus(CLOCK_SKEW).as_secs();
        let tests = [test("contact_ids", "=", plain(&contact)?), test("created_at", ">", since)];
        let (mut after, mut unmarked) = (None, Vec::new());
        for _ in 0..PAGES_MAX {
            let page = self.search_page(call, RecordKind::Conversation, &tests, after.as_deref()).await?;
            for row in page.rows.iter().filter_map(|row| read_row::<wire::Conversation>(row).ok()) {
                match self.is_it(&row, create) {
                    Found::Marked => return Ok(row.id.id()),
                    Found::Alike => unmarked.extend(row.id.id().map(|id| (row.created_at.moment(), id))),
                    Found::Other => {}
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(unmarked.into_iter().min().map(|(_, id)| id))
    }

    fn is_it(&self, row: &wire::Conversation, create: &Create) -> Found {
        let marker = row.custom_attributes.get(&self.mapping.settings.marker_attribute);
        if let Some(marker) = marker.and_then(|marker| marker.text()) {
            return if marker.trim() == create.key.as_str() { Found::Marked } else { Found::Other };
        }
        let opening = create.ticket.opening.as_ref().and_then(|opening| opening.text.body().text());
        let sought = fold_text(opening.unwrap_or(super::comments::NO_OPENING));
        let says = row.source.body.text().map(|body| fold_text(&html::to_text(&body))).unwrap_or_default();
        let by_messenger = row.source.kind.text().as_deref() == Some("conversation");
        if by_messenger && !sought.is_empty() && says.starts_with(&sought) {
            Found::Alike
        } else {
            Found::Other
        }
    }

    /// The contact with the requester's address, if there is one.
    async fn known_contact(&self, call: Call, create: &Create) -> Result<Option<RemoteId>> {
        let email = self.mapping.address(&create.ticket.requester)?;
        let ask = self.mapping.search("contacts", &[test("email", "=", email)], 50, None)?;
        let found: wire::Listed<wire::Named> = self.ask(call, ask).await?;
        let is_user = |contact: &&wire::Named| contact.role.text().as_deref() == Some("user");
        let best = found.data.iter().find(is_user).or_else(|| found.data.first());
        Ok(best.and_then(|contact| contact.id.name_id()))
    }

    /// By the marker, which tickets can be searched for.
    async fn find_ticket(&self, call: Call, create: &Create) -> Result<Option<RemoteId>> {
        if let Some(id) = self.memory.made(&create.key) {
            return Ok(Some(id));
        }
        let kind = self.ticket_type(call).await?;
        let name = &self.mapping.settings.marker_attribute;
        let attribute = kind.attributes().find(|one| one.name.text().as_ref() == Some(name));
        let Some(id) = attribute.and_then(|attribute| attribute.id.id()) else {
            return Err(Error::Refused { why: format!("the ticket type has no attribute {name}") });
        };
        let tests = [test(&format!("ticket_attribute.{id}"), "=", create.key.as_str())];
        let page = self.search_page(call, RecordKind::Ticket, &tests, None).await?;
        let mut rows = page.rows.iter().filter_map(|row| read_row::<wire::Ticket>(row).ok());
        let number = rows.find_map(|ticket| ticket.id.id());
        Ok(number.map(|number| record_id(RecordKind::Ticket, number.as_str())))
    }

    async fn find_update(
        &self,
        call: Call,
        update: &Update,
        lost: &Attempted<'_>,
    ) -> Result<Option<Applied>> {
        let whole = self.whole(call, &update.at.id).await?;
        let set = self.mapping.normalize(&update.set);
        let is_set = shows(&whole.observed, &set);
        let Some(message) = &update.message else {
            if is_set {
                return Ok(Some(applied(&update.at, Some(whole))));
            }
            // Several requests set fields: where one of them arrived, the others follow.
            if set.len() < 2 || !set.iter().any(|(field, value)| shows_one(&whole.observed, *field, value)) {
                return Ok(None);
            }
            let record = Record::read(&update.at.id)?;
            return self.set_fields(call, &record, &update.at, &update.set, Some(whole)).await.map(Some);
        };
        let Some(comment) = self.find_message(call, &whole, message, update, lost).await? else {
            return Ok(None);
        };
        if is_set {
            return Ok(Some(Applied { comment: Some(comment), ..applied(&update.at, Some(whole)) }));
        }
        let record = Record::read(&update.at.id)?;
        Ok(Some(self.set_fields_after(call, &record, update, comment, Some(whole)).await))
    }

    /// The oldest message that can be the lost one: ours by author, app, time,
    /// visibility and text, and not accounted for. Our own words bear a reference,
    /// which no other app writes.
    async fn find_message(
        &self,
        call: Call,
        whole: &Whole,
        message: &Message,
        update: &Update,
        lost: &Attempted<'_>,
    ) -> Result<Option<RemoteId>> {
        let me = self.my_id(call).await?;
        let writing = self.mapping.writing(&whole.record, message, lost.author, &me, &update.key)?;
        let (says, mark) = (said(&writing), reference(&update.key));
        let own_words = matches!(message, Message::Private(message) if message.author.is_none());
        let since = lost.sent_at.minus(CLOCK_SKEW);
        let our_app = self.memory.our_app();
        let is_ours = |comment: &Comment| match own_words {
            true => is_by(whole, comment, &writing),
            false => is_ours(whole, comment, &writing, our_app.as_deref()),
        };
        let fits = |comment: &&Comment| {
            let shown = comment.body().text().map(fold_text).unwrap_or_default();
            // On tickets lines for files that were not copied stand behind the text.
            let is_said = if own_words { shown.contains(&mark) } else { shown.starts_with(&says) };
            let whole_text = own_words || shown.len() == says.len() || whole.record.is_ticket();
            is_said
                && whole_text
                && comment.is_public() == matches!(message, Message::Public(_))
                && is_ours(comment)
                && comment.at() >= since
                && !lost.claimed.contains(comment.id())
        };
        Ok(whole.messages.comments.iter().find(fits).map(|comment| comment.id().clone()))
    }

    async fn find_redacted(&self, call: Call, amend: &Amend) -> Result<Option<Applied>> {
        let whole = self.whole(call, &amend.at.id).await?;
        let comments = &whole.messages.comments;
        let done = comments.iter().any(|one| *one.id() == amend.comment && one.is_redacted());
        let comment = Some(amend.comment.clone());
        Ok(done.then(|| Applied { comment, ..applied(&amend.at, Some(whole)) }))
    }

    async fn find_deleted(&self, call: Call, delete: &Delete) -> Result<Option<Applied>> {
        match self.whole(call, &delete.at.id).await {
            Ok(_) => Ok(None),
            Err(Error::Gone) => Ok(Some(applied(&delete.at, None))),
            Err(error) => Err(error),
        }
    }
}

/// What a conversation is to a lost creation.
enum Found {
    /// It bears its marker.
    Marked,
    /// It bears none and says the same.
    Alike,
    /// It is another one.
    Other,
}
