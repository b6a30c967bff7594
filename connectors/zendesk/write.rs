//! Writing, and looking for writes whose answer was lost.
//!
//! A silent update carries the quiet tag, which must come off again: while it
//! is there, the account's triggers mail nothing, not even an agent's own reply.

use std::time::Duration;

use handoffd_core::{
    Field, Mail, Message, OpKey, ReadBy, RemoteId, Role, TicketKey, Timestamp, Value,
    intent::{Applied, Create, Import, Intent, Update},
};

use super::{
    Adapter,
    api::{self, Sender, UpdateTerms, Uploaded},
    fields::{self, Now},
    map::{self, Dialect},
    read::{Beside, RawTicket},
    statuses::Statuses,
    wire,
};
use crate::{
    client::{Answer, json::read_json},
    contract::{Attempted, Call, Error, Result, Supply},
};

/// How often a write that lost a race is tried again within one call.
const RACES_MAX: u32 = 3;
/// Every comment is an audit, and so is every other update.
const AUDIT_PAGES_MAX: usize = 100;
/// How far our clock and Zendesk's may be apart.
const CLOCK_ROOM: Duration = Duration::from_secs(3_600);

/// A message's author and files, as [`crate::contract::Helpdesk::apply`] is given them.
#[derive(Clone, Copy, Debug)]
pub(super) struct From<'a> {
    /// The author's id here.
    pub author: Option<&'a RemoteId>,
    /// The files.
    pub files: &'a [Supply],
}

impl Adapter {
    /// Does the write.
    pub(super) async fn write(&self, call: Call, intent: &Intent, from: From<'_>) -> Result<Applied> {
        match intent {
            Intent::Create(create) => self.create(call, create, from).await,
            Intent::Update(update) => self.update(call, update, from).await,
            Intent::EditNote(_) => {
                Err(Error::Refused { why: "Zendesk cannot rewrite a private note".to_owned() })
            }
            Intent::Amend(amend) => self.amend(call, amend).await,
            Intent::Delete(delete) => self.delete(call, delete).await,
        }
    }

    async fn create(&self, call: Call, create: &Create, from: From<'_>) -> Result<Applied> {
        let mut uploads = self.upload(call, files_of(create), from.files).await?;
        let opening = create.ticket.opening.as_ref();
        let past = uploads.split_off(opening.map_or(0, |opening| opening.attachments.len()));
        let sender = Sender { author: from.author, uploads: &uploads };
        if let Some(import) = &create.ticket.import {
            return self.import(call, create, import, sender, past).await;
        }
        let statuses = self.memory.statuses(|statuses| statuses.clone());
        let answer = self.http.send(call, api::create(create, sender, self.dialect(&statuses))?).await?;
        let (raw, comment) = self.written(call, &answer).await?;
        self.hushed(call, raw, comment, &create.key).await.map_err(done_but)
    }

    /// Makes a ticket with its past. The answer names no comments: they are listed.
    async fn import(
        &self,
        call: Call,
        create: &Create,
        past: &Import,
        sender: Sender<'_>,
        mut uploads: Vec<Uploaded>,
    ) -> Result<Applied> {
        let (mut authors, mut of_each) = (Vec::with_capacity(past.messages.len()), Vec::new());
        for said in &past.messages {
            authors.push(match &said.author {
                Some(author) => author.clone(),
                None => self.own_user(call).await?,
            });
            let rest = uploads.split_off(said.message.attachments().len().min(uploads.len()));
            of_each.push(std::mem::replace(&mut uploads, rest));
        }
        let senders: Vec<Sender<'_>> = authors
            .iter()
            .zip(&of_each)
            .map(|(author, uploads)| Sender { author: Some(author), uploads })
            .collect();
        let statuses = self.memory.statuses(|statuses| statuses.clone());
        let ask = api::import(create, past, sender, &senders, self.dialect(&statuses))?;
        let answer = self.http.send(call, ask).await?;
        let (raw, _) = self.written(call, &answer).await?;
        self.with_comments(call, raw, create).await.map_err(done_but)
    }

    async fn own_user(&self, call: Call) -> Result<RemoteId> {
        if let Some(me) = self.memory.me() {
            return Ok(me);
        }
        let answer = self.http.send(call, api::me()?).await?;
        let me: wire::OneUser = read_json(&answer)?;
        let id = me.user.id.ok_or_else(|| Error::Unauthorized {
            why: "Zendesk takes us for the anonymous user".to_owned(),
        })?;
        self.memory.is_me(&id);
        Ok(id)
    }

    /// The ids of a creation's comments, with one read.
    async fn with_comments(&self, call: Call, wrote: Wrote, create: &Create) -> Result<Applied> {
        let answer = self.http.send(call, api::comments(&wrote.key().id, None)?).await?;
        let page: wire::CommentsPage = read_json(&answer)?;
        let mut ids = page.comments.into_iter().filter_map(|comment| comment.id);
        let opening = ids.next();
        let rest: Vec<RemoteId> = ids.collect();
        let said = create.ticket.import.as_ref().map_or(0, |past| past.messages.len());
        let applied = self.hushed(call, wrote, opening, &create.key).await?;
        // What is more or less than was written cannot be told apart.
        Ok(Applied { imported: if rest.len() == said { rest } else { Vec::new() }, ..applied })
    }

    fn dialect<'a>(&'a self, statuses: &'a Statuses) -> Dialect<'a> {
        Dialect { settings: &self.settings, custom: &self.custom, statuses }
    }

    async fn update(&self, call: Call, update: &Update, from: From<'_>) -> Result<Applied> {
        let wanted = update.message.as_ref().map_or(0, |message| message.attachments().len());
        let uploads = self.upload(call, wanted, from.files).await?;
        let sender = Sender { author: from.author, uploads: &uploads };
        let quiet = self.must_be_quiet(update, from.author);
        // A quiet tag that was left behind would keep this very message from being mailed.
        let tags_matter = quiet || self.memory.is_quiet(&update.at.id);
        let tags_missing = tags_matter && !update.set.contains_key(&Field::Tags);
        let looks_first = tags_missing || fields::needs_now(&update.set, &self.custom);
        let mut races = 0;
        loop {
            let mut terms = UpdateTerms { quiet, tied_to: update.if_version, ..UpdateTerms::default() };
            let now = if looks_first { Some(self.read_raw(call, &update.at.id).await?) } else { None };
            if let Some(now) = &now {
                if update.if_version.is_some_and(|version| version != now.observed.version) {
                    return Err(Error::Stale);
                }
                terms.tied_to = Some(now.observed.version);
                let ccs = now.observed.fields.get(&Field::Ccs).and_then(Value::as_tags);
                terms.ccs_now = ccs.cloned().unwrap_or_default();
            }
            if tags_missing || update.set.contains_key(&Field::Tags) {
                let now = now.as_ref().map(|now| Now { fields: &now.observed.fields, tags: &now.tags });
                terms.tags =
                    Some(fields::whole_tags(&update.set, now, &self.custom, &self.settings.quiet_tag));
            }
            let statuses = self.memory.statuses(|statuses| statuses.clone());
            match self.http.send(call, api::update(update, sender, &terms, self.dialect(&statuses))?).await {
                Ok(answer) => {
                    let (wrote, comment) = self.written(call, &answer).await?;
                    let wrote = if quiet { wrote } else { wrote.not_quieted() };
                    let done = self.hushed(call, wrote, comment, &update.key).await.map_err(done_but)?;
                    return Ok(Applied { written_at: written_at(&answer), ..done });
                }
                // The condition was ours alone, for the sake of what is not to be lost.
                Err(Error::Stale) if update.if_version.is_none() && looks_first && races < RACES_MAX => {
                    races += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether Zendesk would mail what nobody is to mail. It never mails
    /// somebody their own words.
    fn must_be_quiet(&self, update: &Update, author: Option<&RemoteId>) -> bool {
        let Some(Message::Public(message)) = &update.message else { return false };
        let requester = self.memory.requester(&update.at.id);
        let by_customer = message.author.role == Role::Customer;
        let is_theirs =
            |author: &RemoteId| requester.as_ref().map_or(by_customer, |requester| requester == author);
        message.mail == Mail::Silent && !author.is_some_and(is_theirs) && self.settings.mails_public_replies
    }

    fn without_quiet(&self, tags: &[String]) -> Vec<String> {
        tags.iter().filter(|tag| **tag != self.settings.quiet_tag).cloned().collect()
    }

    /// The ticket and the new comment in the answer to a write. The write is
    /// done, so what cannot be read is looked for again, not parked.
    async fn written(&self, call: Call, answer: &Answer) -> Result<(Wrote, Option<RemoteId>)> {
        let written: wire::Written = read_json(answer).map_err(done_but)?;
        let none = || done_but(Error::Malformed { what: "ticket: none".to_owned() });
        let ticket = written.ticket.ok_or_else(none)?;
        let comment = comment_in(&written.audit);
        if let (None, Some(id)) = (&ticket.updated_at, &ticket.id) {
            let key = TicketKey::new(self.http.account().clone(), id.clone());
            return Ok((Wrote::Bare { key, tags: ticket.tags }, comment));
        }
        let raw = self.observed(call, ticket, Beside::default(), ReadBy::Answer, answer.at).await;
        Ok((Wrote::Shown(raw.map_err(done_but)?), comment))
    }

    /// Takes the quiet tag off if it is there. `Ok` only when it is off, or cannot do harm.
    async fn hushed(
        &self,
        call: Call,
        mut wrote: Wrote,
        comment: Option<RemoteId>,
        key: &OpKey,
    ) -> Result<Applied> {
        for _ in 0..=RACES_MAX {
            let raw = match wrote {
                wrote if wrote.tags().is_some_and(|tags| !tags.contains(&self.settings.quiet_tag)) => {
                    return Ok(applied(wrote, comment));
                }
                Wrote::Shown(raw) => raw,
                Wrote::Bare { key, tags } => match self.read_raw(call, &key.id).await {
                    Ok(raw) => {
                        wrote = Wrote::Shown(raw);
                        continue;
                    }
                    Err(Error::Gone) => return Ok(applied(Wrote::Bare { key, tags }, comment)),
                    Err(error) => return Err(error),
                },
            };
            let rest = self.without_quiet(&raw.tags);
            let ticket = raw.observed.ticket.id.clone();
            let ask = api::unquiet(&ticket, rest, raw.observed.version, key)?;
            wrote = match self.http.send(call, ask).await {
                Ok(answer) => self.written(call, &answer).await?.0,
                // Somebody was faster, or the answer was lost: the ticket says which.
                Err(Error::Stale | Error::Unknown { .. }) => {
                    Wrote::Shown(self.read_raw(call, &ticket).await?)
                }
                // A ticket that is gone or closed mails nobody any more.
                Err(Error::Gone | Error::Closed | Error::Refused { .. }) => {
                    return Ok(applied(Wrote::Shown(raw), comment));
                }
                Err(error) => return Err(error),
            };
        }
        Err(Error::Transient { why: "the quiet tag is still on the ticket".to_owned() })
    }

    /// Looks for a write whose answer was lost, and finishes it.
    pub(super) async fn look_for(&self, call: Call, lost: &Attempted<'_>) -> Result<Option<Applied>> {
        match lost.intent {
            Intent::Create(create) => self.look_for_ticket(call, create).await,
            Intent::Update(update) => self.look_for_audit(call, update, lost.sent_at).await,
            Intent::Amend(amend) => self.look_for_amendment(call, amend).await,
            Intent::Delete(delete) => self.look_for_deletion(call, delete).await,
            Intent::EditNote(_) => Ok(None),
        }
    }

    /// The marker is not unique at Zendesk: the first ticket made with it counts.
    async fn look_for_ticket(&self, call: Call, create: &Create) -> Result<Option<Applied>> {
        let answer = self.http.send(call, api::by_external_id(&create.key)?).await?;
        let page: wire::TicketsPage = read_json(&answer)?;
        let people = map::people(page.users);
        self.memory.met(&people);
        let ours = page.tickets.into_iter().filter(|t| t.external_id.as_deref() == Some(create.key.as_str()));
        let mut found = Vec::new();
        for ticket in ours {
            match self.observed(call, ticket, Beside::default(), ReadBy::Fetch, answer.at).await {
                Ok(raw) => found.push(raw),
                Err(Error::Gone) => {}
                Err(error) => return Err(error),
            }
        }
        let Some(raw) = found.into_iter().min_by(|a, b| a.observed.ticket.cmp(&b.observed.ticket)) else {
            return Ok(None);
        };
        self.with_comments(call, Wrote::Shown(raw), create).await.map(Some)
    }

    async fn look_for_audit(
        &self,
        call: Call,
        update: &Update,
        sent_at: Timestamp,
    ) -> Result<Option<Applied>> {
        let horizon = sent_at.minus(CLOCK_ROOM);
        let mut after: Option<String> = None;
        for _ in 0..AUDIT_PAGES_MAX {
            let answer = self.http.send(call, api::audits(&update.at.id, after.as_deref())?).await?;
            let page: wire::AuditsPage = read_json(&answer)?;
            let ours = |audit: &&wire::Audit| {
                audit.metadata.custom.handoffd_op.as_deref() == Some(update.key.as_str())
            };
            if let Some(audit) = page.audits.iter().find(ours) {
                let comment = comment_in(audit);
                let raw = self.read_raw(call, &update.at.id).await?;
                return self.hushed(call, Wrote::Shown(raw), comment, &update.key).await.map(Some);
            }
            if all_older(&page.audits, horizon) {
                return Ok(None);
            }
            match page.meta.next(after.as_deref()) {
                Some(next) => after = Some(next),
                None => return Ok(None),
            }
        }
        Err(Error::Malformed { what: format!("audits: more than {AUDIT_PAGES_MAX} pages") })
    }
}

/// How many files the opening and the past have.
fn files_of(create: &Create) -> usize {
    let opening = create.ticket.opening.iter().map(|opening| opening.attachments.len());
    let past = create.ticket.import.iter().flat_map(|import| &import.messages);
    opening.chain(past.map(|said| said.message.attachments().len())).sum()
}

/// A ticket after a write, as far as the answer tells.
enum Wrote {
    /// As it is shown.
    Shown(RawTicket),
    /// Without the time of its last change, which is its version: whoever reads it next learns that.
    Bare {
        /// Which ticket.
        key: TicketKey,
        /// Every tag, if the answer says so much.
        tags: Option<Vec<String>>,
    },
}

impl Wrote {
    fn key(&self) -> &TicketKey {
        match self {
            Self::Shown(raw) => &raw.observed.ticket,
            Self::Bare { key, .. } => key,
        }
    }

    /// After a write that put no quiet tag on: tags that are not told do not matter.
    fn not_quieted(self) -> Self {
        match self {
            Self::Bare { key, tags } => Self::Bare { key, tags: Some(tags.unwrap_or_default()) },
            shown @ Self::Shown(_) => shown,
        }
    }

    /// Every tag, the quiet one too.
    fn tags(&self) -> Option<&[String]> {
        match self {
            Self::Shown(raw) => Some(&raw.tags),
            Self::Bare { tags, .. } => tags.as_deref(),
        }
    }
}

fn applied(wrote: Wrote, comment: Option<RemoteId>) -> Applied {
    let ticket = wrote.key().clone();
    let shown = match wrote {
        Wrote::Shown(raw) => Some(*raw.observed),
        Wrote::Bare { .. } => None,
    };
    let version = shown.as_ref().map(|shown| shown.version);
    Applied { ticket, version, shown, comment, written_at: None, imported: Vec::new(), unset: None }
}

/// When an answer says that the comment was written.
fn written_at(answer: &Answer) -> Option<Timestamp> {
    let written: wire::Written = read_json(answer).ok()?;
    comment_in(&written.audit)?;
    map::moment(written.audit.created_at.as_deref())
}

fn comment_in(audit: &wire::Audit) -> Option<RemoteId> {
    let said = |event: &&wire::Event| matches!(event.kind.as_deref(), Some("Comment" | "VoiceComment"));
    audit.events.iter().find(said).and_then(|event| event.id.clone())
}

/// Whether this page and all behind it were written before `horizon`. Pages
/// that do not come newest first say nothing about those behind them.
fn all_older(audits: &[wire::Audit], horizon: Timestamp) -> bool {
    let at = |audit: &wire::Audit| audit.created_at.as_deref().and_then(|at| Timestamp::parse(at).ok());
    match (audits.first().and_then(at), audits.last().and_then(at)) {
        (Some(first), Some(last)) => first > last && last < horizon,
        _ => false,
    }
}

/// The write is at Zendesk and what belongs to it is not finished: looking for
/// it finishes it, and doing it again would do it twice.
fn done_but(error: Error) -> Error {
    Error::Unknown { why: format!("it was written, and then: {error}") }
}
