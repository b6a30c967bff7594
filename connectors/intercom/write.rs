//! Writes.
//!
//! Intercom has a request of its own for the title and attributes, the state,
//! each owner, each tag, and a message. A message cannot be repeated, so it goes
//! first; everything else is idempotent by value and goes after it. Once the
//! message is there, a failure of the rest is never the failure of the whole:
//! the write is done, and says that its fields are not set. The state goes behind a customer's words, which open a conversation.

use std::cmp::Reverse;

use base64::{Engine, engine::general_purpose::STANDARD};
use handoffd_core::{
    Comment, Field, Fields, ReadBy, RemoteId, TicketKey, Value, fold_text,
    intent::{Amend, Amendment, Applied, Delete, Intent, Unset, Update},
};
use serde_json::{Value as Json, json};

use super::{
    api::Writing,
    comments::DESCRIPTION_ID,
    desk::{Desk, Whole, unread},
    record::Record,
    wire,
};
use crate::{
    client::{Ask, json::read_json},
    contract::{Call, Error, Result, Supply},
    html,
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
        if files.len() != intent.attachments().len() {
            return Err(cannot("a message wants all of its files at hand"));
        }
        if files.len() > self.mapping.attachments_max() {
            return Err(cannot("a message of this account takes fewer files"));
        }
        match intent {
            Intent::Create(create) => self.create(call, create, author, files).await,
            Intent::Update(update) => self.update(call, update, author, files).await,
            Intent::EditNote(_) => Err(cannot("notes cannot be rewritten")),
            Intent::Amend(amend) => self.amend(call, amend).await,
            Intent::Delete(delete) => self.delete(call, delete).await,
        }
    }

    async fn update(
        &self,
        call: Call,
        update: &Update,
        author: Option<&RemoteId>,
        files: &[Supply],
    ) -> Result<Applied> {
        let record = Record::read(&update.at.id)?;
        let Some(message) = &update.message else {
            return self.set_fields(call, &record, &update.at, &update.set, None).await;
        };
        let me = self.my_id(call).await?;
        let mut writing = self.mapping.writing(&record, message, author, &me, &update.key)?;
        let sent = match record.is_ticket() {
            true => {
                add_lines(&mut writing, &uncopied(files));
                Vec::new()
            }
            false => in_json(files).await?,
        };
        let answer = self.client.send(call, self.mapping.reply(&record, &writing, sent)?).await?;
        if record.is_ticket() {
            let part: wire::Part = read_json(&answer).map_err(|error| unread(&error))?;
            let id = part.id.name_id().ok_or_else(no_id)?;
            self.memory.our_app_is(part.app_package_code.text());
            return Ok(self.set_fields_after(call, &record, update, id, None).await);
        }
        let conversation = read_json(&answer).map_err(|error| unread(&error))?;
        let whole = self
            .whole_conversation(call, record.clone(), &conversation, ReadBy::Answer, answer.at)
            .await
            .map_err(|error| unread(&error))?;
        let id = newest(&whole, &writing).ok_or_else(no_id)?;
        self.memory.our_app_is(whole.apps.get(&id).cloned());
        let written_at = whole.messages.comments.iter().find(|comment| *comment.id() == id).map(Comment::at);
        let done = self.set_fields_after(call, &record, update, id, Some(whole)).await;
        Ok(Applied { written_at, ..done })
    }

    /// The fields of an update whose message is there already.
    pub async fn set_fields_after(
        &self,
        call: Call,
        record: &Record,
        update: &Update,
        comment: RemoteId,
        shown: Option<Whole>,
    ) -> Applied {
        let unset = match self.set_fields(call, record, &update.at, &update.set, shown).await {
            Ok(applied) => return Applied { comment: Some(comment), ..applied },
            // Nothing but another decision changes this, and the message must not be
            // written twice: the fields stay as the vendor has them, which the next read shows.
            Err(Error::Refused { why }) => {
                tracing::warn!(ticket = %update.at, why, "Added the message, but Intercom refuses the fields.");
                Unset::Refused(why)
            }
            Err(error) => Unset::Later(error.to_string()),
        };
        Applied { comment: Some(comment), unset: Some(unset), ..applied(&update.at, None) }
    }

    /// Sets fields. `shown` is the record as an answer of a moment ago has it.
    pub async fn set_fields(
        &self,
        call: Call,
        record: &Record,
        at: &TicketKey,
        set: &Fields,
        shown: Option<Whole>,
    ) -> Result<Applied> {
        if set.is_empty() {
            return Ok(applied(at, shown));
        }
        let me = self.my_id(call).await?;
        if record.is_ticket() {
            return self.set_ticket(call, record, at, set, &me).await;
        }
        let shown = match self.mapping.put_conversation(record, set, None)? {
            Some(ask) => Some(self.changed(call, record, ask).await?),
            None => shown,
        };
        let shown = self.set_owners_and_state(call, record, set, shown, &me).await?;
        let Some(Value::Tags(tags)) = set.get(&Field::Tags) else { return Ok(applied(at, shown)) };
        let shown = match shown {
            Some(shown) => shown,
            None => self.whole(call, &at.id).await?,
        };
        if self.set_tags(call, record, tags, &shown, &me).await? {
            return Ok(applied(at, None));
        }
        Ok(applied(at, Some(shown)))
    }

    /// The owners before the state: giving away a closed conversation opens it.
    pub async fn set_owners_and_state(
        &self,
        call: Call,
        record: &Record,
        set: &Fields,
        mut shown: Option<Whole>,
        me: &RemoteId,
    ) -> Result<Option<Whole>> {
        for (field, kind) in [(Field::Group, "team"), (Field::Assignee, "admin")] {
            let Some(Value::Owner(owner)) = set.get(&field) else { continue };
            let ask = self.mapping.assign(record, kind, owner.as_ref(), me)?;
            shown = Some(self.changed(call, record, ask).await?);
        }
        let Some(status) = set.get(&Field::Status).and_then(Value::as_status) else { return Ok(shown) };
        let is_so = shown.as_ref().is_some_and(|shown| {
            let now = shown.observed.fields.get(&Field::Status).and_then(Value::as_status);
            let wanted = self.mapping.normalize(&Fields::from([(Field::Status, Value::Status(status))]));
            now.is_some() && now == wanted.get(&Field::Status).and_then(Value::as_status)
        });
        if is_so {
            return Ok(shown);
        }
        let ask = self.mapping.conversation_state(record, status, me, self.client.now())?;
        self.changed(call, record, ask).await.map(Some)
    }

    /// Changes a conversation, which answers with the whole of it.
    pub async fn changed(&self, call: Call, record: &Record, ask: Ask) -> Result<Whole> {
        let answer = self.client.send(call, ask).await?;
        let conversation = read_json(&answer).map_err(|error| unread(&error))?;
        self.whole_conversation(call, record.clone(), &conversation, ReadBy::Answer, answer.at)
            .await
            .map_err(|error| unread(&error))
    }

    /// Makes a conversation's tags the whole set. `true`: something was changed.
    pub async fn set_tags(
        &self,
        call: Call,
        record: &Record,
        tags: &std::collections::BTreeSet<String>,
        shown: &Whole,
        me: &RemoteId,
    ) -> Result<bool> {
        let there = shown.tags.as_deref().unwrap_or_default();
        let missing = tags.iter().filter(|tag| !there.iter().any(|(_, name)| name == *tag));
        let surplus = there.iter().filter(|(_, name)| !tags.contains(name));
        let mut changed = false;
        for name in missing {
            self.add_tag(call, record, name, me).await?;
            changed = true;
        }
        for (id, _) in surplus {
            match self.client.send(call, self.mapping.remove_tag(record, id, me)?).await {
                // The tag itself was deleted meanwhile.
                Ok(_) | Err(Error::Refused { .. }) => changed = true,
                Err(error) => return Err(error),
            }
        }
        Ok(changed)
    }

    async fn add_tag(&self, call: Call, record: &Record, name: &str, me: &RemoteId) -> Result<()> {
        let known = self.memory.tag(name);
        let id = match &known {
            Some(id) => id.clone(),
            None => self.tag_named(call, name).await?,
        };
        match self.client.send(call, self.mapping.add_tag(record, &id, me)?).await {
            // The tag was deleted after we met it.
            Err(Error::Refused { .. }) if known.is_some() => {
                self.memory.tag_is_gone(name);
                let id = self.tag_named(call, name).await?;
                self.client.send(call, self.mapping.add_tag(record, &id, me)?).await.map(|_| ())
            }
            answered => answered.map(|_| ()),
        }
    }

    async fn tag_named(&self, call: Call, name: &str) -> Result<RemoteId> {
        let tag: wire::Named = self.ask(call, self.mapping.tag_named(name)?).await?;
        let id = tag.id.name_id().ok_or_else(no_id)?;
        self.memory.tag_is(name.to_owned(), id.clone());
        Ok(id)
    }

    /// Sets a ticket's fields, telling nobody. Its tags are not shown, so they
    /// are only added to.
    pub async fn set_ticket(
        &self,
        call: Call,
        record: &Record,
        at: &TicketKey,
        set: &Fields,
        me: &RemoteId,
    ) -> Result<Applied> {
        let states = self.states(call).await?;
        let owner = |field| match set.get(&field) {
            Some(Value::Owner(owner)) => Some(owner.as_ref()),
            _ => None,
        };
        // One request takes one owner, and "nobody" is neither an admin nor a team.
        let mut owners: Vec<Option<&RemoteId>> =
            [owner(Field::Group), owner(Field::Assignee)].into_iter().flatten().collect();
        owners.sort_by_key(Option::is_some);
        let mut asks = Vec::new();
        asks.extend(self.mapping.put_ticket(record, set, &states, owners.first().copied(), me)?);
        for owner in owners.into_iter().skip(1) {
            asks.extend(self.mapping.put_ticket(record, &Fields::new(), &states, Some(owner), me)?);
        }
        if let Some(Value::Tags(tags)) = set.get(&Field::Tags) {
            for tag in tags {
                self.add_tag(call, record, tag, me).await?;
            }
        }
        let mut done = applied(at, None);
        for ask in asks {
            let answer = self.client.send(call, ask).await?;
            // An answer that cannot be read still says that the fields are set.
            let Ok(ticket) = read_json::<wire::Ticket>(&answer) else { continue };
            let shown = self.observed_ticket(call, &ticket, ReadBy::Answer, answer.at).await.ok();
            done.version = shown.as_ref().map(|shown| shown.version);
            done.shown = shown;
        }
        Ok(done)
    }

    /// Of all that may become of a message, Intercom can only take its content out.
    async fn amend(&self, call: Call, amend: &Amend) -> Result<Applied> {
        let record = Record::read(&amend.at.id)?;
        match &amend.change {
            Amendment::Redact if !record.is_ticket() => {}
            Amendment::Redact => return Err(cannot("messages of tickets cannot be taken out")),
            Amendment::Hide(_) => return Err(cannot("messages cannot be hidden")),
            Amendment::Rewrite(_) => return Err(cannot("messages cannot be rewritten")),
        }
        let whole = self.whole(call, &amend.at.id).await?;
        let is_source = whole.source.as_ref() == Some(&amend.comment);
        let ask = self.mapping.redact(&record, &amend.comment, is_source)?;
        let shown = self.changed(call, &record, ask).await?;
        Ok(Applied { comment: Some(amend.comment.clone()), ..applied(&amend.at, Some(shown)) })
    }

    async fn delete(&self, call: Call, delete: &Delete) -> Result<Applied> {
        let record = Record::read(&delete.at.id)?;
        match self.client.send(call, self.mapping.delete(&record)?).await {
            // It was deleted before, perhaps by us.
            Ok(_) | Err(Error::Gone) => Ok(applied(&delete.at, None)),
            Err(error) => Err(error),
        }
    }
}

/// A write that is done, with what was shown at its end.
pub fn applied(at: &TicketKey, shown: Option<Whole>) -> Applied {
    let shown = shown.map(|whole| whole.observed);
    Applied {
        ticket: at.clone(),
        version: shown.as_ref().map(|shown| shown.version),
        shown,
        comment: None,
        written_at: None,
        imported: Vec::new(),
        unset: None,
    }
}

fn cannot(what: &str) -> Error {
    Error::Refused { why: format!("Intercom: {what}") }
}

/// The message was written, whatever the answer looks like.
pub fn no_id() -> Error {
    Error::Unknown { why: "it was written, but the answer has no id".to_owned() }
}

/// The message that was just written, in the answer to it: of the author's the one that says the
/// same, else the newest. Not every answer marks what was made through the API: Intercom's own
/// examples of it do not, so the mark only decides between messages.
fn newest(whole: &Whole, writing: &Writing) -> Option<RemoteId> {
    let says = said(writing);
    let by_us = whole.messages.comments.iter().rev().filter(|comment| is_by(whole, comment, writing));
    let best = by_us.enumerate().max_by_key(|(age, comment)| {
        let is_said = comment.body().text().map(fold_text).as_ref() == Some(&says);
        (is_said, whole.apps.contains_key(comment.id()), Reverse(*age))
    });
    best.map(|(_, comment)| comment.id().clone())
}

/// Whether a message can be one that was written so: by the same author and, where
/// parts say by which app they were made, by `ours`. Which that is, is learned from
/// the answers to our writes; before the first of them any app may be ours. A
/// workspace whose parts say nothing tells no app from a person.
pub fn is_ours(whole: &Whole, comment: &Comment, writing: &Writing, ours: Option<&str>) -> bool {
    is_by(whole, comment, writing)
        && match (whole.apps.get(comment.id()), ours) {
            (Some(app), Some(ours)) => app == ours,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => whole.apps.is_empty(),
        }
}

/// Whether a message is by the author of what was written.
pub fn is_by(whole: &Whole, comment: &Comment, writing: &Writing) -> bool {
    comment.author().id.as_ref() == Some(&writing.author)
        && Some(comment.id()) != whole.source.as_ref()
        && comment.id().as_str() != DESCRIPTION_ID
}

/// The words of a message as they will be shown, white space folded.
pub fn said(writing: &Writing) -> String {
    if writing.by_contact {
        return fold_text(&writing.body);
    }
    let words = super::quiet::split(&writing.body).filter(|_| writing.note).unwrap_or(&writing.body);
    fold_text(&html::to_text(words))
}

/// Files inside JSON, as Intercom takes them.
async fn in_json(files: &[Supply]) -> Result<Vec<Json>> {
    let mut sent = Vec::with_capacity(files.len());
    for file in files {
        let bytes = file
            .content
            .read()
            .await
            .map_err(|error| Error::Transient { why: format!("a file cannot be read: {error}") })?;
        sent.push(json!({
            "name": file.name,
            "content_type": file.content_type,
            "data": STANDARD.encode(&bytes),
        }));
    }
    Ok(sent)
}

/// The lines that stand for files where Intercom takes none from an API client.
pub fn uncopied(files: &[Supply]) -> Vec<String> {
    let line =
        |file: &Supply| format!("[attachment not copied: {} (Intercom takes no files here)]", file.name);
    files.iter().map(line).collect()
}

fn add_lines(writing: &mut Writing, lines: &[String]) {
    for line in lines {
        if writing.by_contact {
            writing.body.push('\n');
            writing.body.push_str(line);
        } else {
            writing.body.push_str(&html::from_text(line));
        }
    }
}
