//! Making records.
//!
//! A conversation can only be begun by a contact, in plain text, which mails
//! nobody and is answered with a message and the conversation's id. Title,
//! marker, state and tags follow in requests of their own. A ticket is made in
//! one request that tells nobody.

use handoffd_core::{
    Field, Fields, RemoteId, Role, Status, Value,
    intent::{Applied, Create},
};
use http::Method;
use serde_json::json;

use super::{
    api::{plain, words},
    comments::{DESCRIPTION_ID, NO_OPENING},
    desk::{Desk, Whole, unread},
    map::{DESCRIPTION, TITLE},
    record::{Record, record_id},
    settings::RecordKind,
    wire,
    write::{applied, no_id, uncopied},
};
use crate::{
    client::{Kind, json::read_json},
    contract::{Call, Error, Result, Supply},
};

/// Whether the first words are the customer's: only a contact begins a conversation.
pub fn begun_by_customer(create: &Create) -> bool {
    create.ticket.opening.as_ref().is_none_or(|opening| opening.author.role == Role::Customer)
}

impl Desk {
    /// Makes a record.
    pub async fn create(
        &self,
        call: Call,
        create: &Create,
        author: Option<&RemoteId>,
        files: &[Supply],
    ) -> Result<Applied> {
        if create.ticket.import.is_some() {
            let why = "Intercom imports no history without mailing and running its workflows".to_owned();
            return Err(Error::Refused { why });
        }
        let contact = match author.filter(|_| begun_by_customer(create)) {
            Some(id) => id.clone(),
            None => self.contact(call, &create.ticket.requester).await?,
        };
        let text = opening_text(create, files)?;
        match self.mapping.settings.create {
            RecordKind::Conversation => self.create_conversation(call, create, &contact, &text).await,
            RecordKind::Ticket => self.create_ticket(call, create, &contact, &text).await,
        }
    }

    async fn create_conversation(
        &self,
        call: Call,
        create: &Create,
        contact: &RemoteId,
        text: &str,
    ) -> Result<Applied> {
        // What the rest takes is known before anything is made.
        let me = self.my_id(call).await?;
        let body = json!({"from": {"type": "contact", "id": plain(contact)?}, "body": text});
        let ask = self.mapping.send(Method::POST, "/conversations", &body, Kind::Write)?;
        let made: wire::Made = self.ask(call, ask).await?;
        let number = made.conversation_id.id().ok_or_else(no_id)?;
        self.memory.has_made(create.key.clone(), number.clone());
        let record = Record { kind: RecordKind::Conversation, number: number.as_str().to_owned() };
        let opening = made.id.name_id();
        self.finish(call, create, &record, None, opening, &me).await
    }

    /// Gives a conversation that was begun all that it is to have. Once it is
    /// there, whatever fails is looked for, and never begins another one.
    pub async fn finish(
        &self,
        call: Call,
        create: &Create,
        record: &Record,
        shown: Option<Whole>,
        opening: Option<RemoteId>,
        me: &RemoteId,
    ) -> Result<Applied> {
        let done = self.finish_steps(call, create, record, shown, me).await;
        let (shown, source) = done
            .map_err(|error| Error::Unknown { why: format!("it was made, but is not finished: {error}") })?;
        let at = self.mapping.key(record.id());
        let comment = create.ticket.opening.as_ref().and(source.or(opening));
        Ok(Applied { comment, ..applied(&at, shown) })
    }

    async fn finish_steps(
        &self,
        call: Call,
        create: &Create,
        record: &Record,
        shown: Option<Whole>,
        me: &RemoteId,
    ) -> Result<(Option<Whole>, Option<RemoteId>)> {
        let set = &create.ticket.fields;
        let is_marked =
            shown.as_ref().is_some_and(|shown| shown.observed.marker.as_ref() == Some(&create.key));
        let wants = |field: &Field| matches!(field, Field::Subject | Field::Priority | Field::Custom(_));
        let held = self.mapping.normalize(set);
        let is_titled = shown.as_ref().is_some_and(|shown| {
            let mut wanted = held.iter().filter(|(field, _)| wants(field));
            wanted.all(|(field, value)| shown.observed.fields.get(field) == Some(value))
        });
        let shown = match shown {
            Some(shown) if is_marked && is_titled => shown,
            _ => self.mark(call, create, record).await?,
        };
        let source = shown.source.clone();
        let whole = self.set_owners_and_state(call, record, set, Some(shown), me).await?;
        let (Some(Value::Tags(tags)), Some(shown)) = (set.get(&Field::Tags), &whole) else {
            return Ok((whole, source));
        };
        let changed = self.set_tags(call, record, tags, shown, me).await?;
        Ok((whole.filter(|_| !changed), source))
    }

    /// Title, attributes and marker. Where Intercom refuses some attribute the marker goes alone:
    /// without it the conversation would never be found again.
    async fn mark(&self, call: Call, create: &Create, record: &Record) -> Result<Whole> {
        let ask = self.mapping.put_conversation(record, &create.ticket.fields, Some(&create.key))?;
        let ask = ask.ok_or_else(|| Error::Refused { why: "there is no marker".to_owned() })?;
        match self.changed(call, record, ask).await {
            Err(Error::Refused { why }) => {
                let ticket = self.mapping.key(record.id());
                tracing::warn!(%ticket, why, "Made the conversation, but Intercom refuses its attributes.");
                let ask = self.mapping.put_conversation(record, &Fields::new(), Some(&create.key))?;
                let ask = ask.ok_or_else(|| Error::Refused { why: "there is no marker".to_owned() })?;
                match self.changed(call, record, ask).await {
                    Err(Error::Refused { why }) => {
                        tracing::warn!(%ticket, why, "The conversation has no marker. Run handoffd check.");
                        self.whole(call, &record.id()).await
                    }
                    marked => marked,
                }
            }
            marked => marked,
        }
    }

    async fn create_ticket(
        &self,
        call: Call,
        create: &Create,
        contact: &RemoteId,
        text: &str,
    ) -> Result<Applied> {
        let set = &create.ticket.fields;
        let mut attributes = self.mapping.attributes(RecordKind::Ticket, set);
        attributes.insert(self.mapping.settings.marker_attribute.clone(), create.key.as_str().into());
        attributes.insert(DESCRIPTION.to_owned(), text.into());
        if let Some(Value::Text(subject)) = set.get(&Field::Subject) {
            attributes.insert(TITLE.to_owned(), subject.as_str().into());
        }
        let type_id = self.mapping.settings.ticket_type_id.unwrap_or_default();
        let body = json!({
            "ticket_type_id": type_id.to_string(),
            "contacts": [{"id": plain(contact)?}],
            "ticket_attributes": attributes,
            "skip_notifications": true,
        });
        let ask = self.mapping.send(Method::POST, "/tickets", &body, Kind::Write)?;
        let answer = self.client.send(call, ask).await?;
        let ticket: wire::Ticket = read_json(&answer).map_err(|error| unread(&error))?;
        let number = ticket.id.id().ok_or_else(no_id)?;
        let id = record_id(RecordKind::Ticket, number.as_str());
        self.memory.has_made(create.key.clone(), id.clone());
        self.memory.conversation_is(number.as_str().to_owned(), false);
        self.finish_ticket(call, create, &id).await
    }

    /// State, owners and tags of a ticket that was made.
    pub async fn finish_ticket(&self, call: Call, create: &Create, id: &RemoteId) -> Result<Applied> {
        let (record, at) = (Record::read(id)?, self.mapping.key(id.clone()));
        let is_left = |field: &Field, value: &Value| match field {
            Field::Status => value.as_status() != Some(Status::New),
            Field::Assignee | Field::Group => !matches!(value, Value::Owner(None)),
            Field::Tags => true,
            _ => false,
        };
        let left = create.ticket.fields.iter().filter(|(field, value)| is_left(field, value));
        let left: Fields = left.map(|(field, value)| (*field, value.clone())).collect();
        let done = match left.is_empty() {
            true => Ok(applied(&at, None)),
            false => {
                let me = self.my_id(call).await?;
                self.set_ticket(call, &record, &at, &left, &me).await
            }
        };
        let done = done
            .map_err(|error| Error::Unknown { why: format!("it was made, but is not finished: {error}") })?;
        let comment = create.ticket.opening.as_ref().map(|_| RemoteId::from(DESCRIPTION_ID));
        Ok(Applied { comment, ..done })
    }
}

/// The first message, in plain text: Intercom takes neither markup nor files there.
fn opening_text(create: &Create, files: &[Supply]) -> Result<String> {
    let text = match &create.ticket.opening {
        Some(opening) => words(opening.text.body())?,
        None => NO_OPENING,
    };
    let lines = uncopied(files);
    let whole: Vec<&str> = std::iter::once(text).chain(lines.iter().map(String::as_str)).collect();
    let whole = whole.join("\n");
    // Intercom refuses a message that says nothing.
    Ok(if whole.trim().is_empty() { "(no text)".to_owned() } else { whole })
}
