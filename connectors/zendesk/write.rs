//! Writing, and looking for writes whose answer was lost.
//!
//! A silent update carries the quiet tag, which must come off again: while it
//! is there, the account's triggers mail nothing, not even an agent's own reply.

use std::time::Duration;

use handoffd_core::{
    Field, Mail, Message, OpKey, ReadBy, RemoteId, Timestamp,
    intent::{Applied, Create, Intent, Update},
};

use super::{
    Adapter,
    api::{self, UpdateTerms},
    map::{self, People},
    read::RawTicket,
    wire,
};
use crate::{
    client::{Answer, json::read_json},
    contract::{Attempted, Call, Error, Result},
};

/// How often a write that lost a race is tried again within one call.
const RACES_MAX: u32 = 3;
/// Every comment is an audit, and so is every other update.
const AUDIT_PAGES_MAX: usize = 100;
/// How far our clock and Zendesk's may be apart.
const CLOCK_ROOM: Duration = Duration::from_secs(3_600);

impl Adapter {
    /// Does the write.
    pub(super) async fn write(
        &self,
        call: Call,
        intent: &Intent,
        author: Option<&RemoteId>,
    ) -> Result<Applied> {
        match intent {
            Intent::Create(create) => self.create(call, create, author).await,
            Intent::Update(update) => self.update(call, update, author).await,
            Intent::EditNote(_) => {
                Err(Error::Refused { why: "Zendesk cannot rewrite a private note".to_owned() })
            }
            Intent::Amend(_) | Intent::Delete(_) => {
                Err(Error::Refused { why: "it is not done at Zendesk".to_owned() })
            }
        }
    }

    async fn create(&self, call: Call, create: &Create, author: Option<&RemoteId>) -> Result<Applied> {
        let answer = self.http.send(call, api::create(create, author, &self.settings)?).await?;
        let (raw, comment) = self.written(&answer)?;
        self.hushed(call, raw, comment, &create.key).await.map_err(done_but)
    }

    async fn update(&self, call: Call, update: &Update, author: Option<&RemoteId>) -> Result<Applied> {
        let quiet = self.must_be_quiet(update, author);
        // A quiet tag that was left behind would keep this very message from being mailed.
        let tags_matter = quiet || self.memory.is_quiet(&update.at.id);
        let tags_missing = tags_matter && !update.set.contains_key(&Field::Tags);
        let mut races = 0;
        loop {
            let mut terms = UpdateTerms { quiet, tags_now: None, tied_to: update.if_version };
            if tags_missing {
                let now = self.read_raw(call, &update.at.id).await?;
                if update.if_version.is_some_and(|version| version != now.observed.version) {
                    return Err(Error::Stale);
                }
                terms.tied_to = Some(now.observed.version);
                terms.tags_now = Some(self.without_quiet(&now.tags));
            }
            match self.http.send(call, api::update(update, author, &terms, &self.settings)?).await {
                Ok(answer) => {
                    let (raw, comment) = self.written(&answer)?;
                    return self.hushed(call, raw, comment, &update.key).await.map_err(done_but);
                }
                // The condition was ours alone, for the sake of the other tags.
                Err(Error::Stale) if update.if_version.is_none() && tags_missing && races < RACES_MAX => {
                    races += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether Zendesk would mail what nobody is to mail. It never mails
    /// somebody their own words.
    fn must_be_quiet(&self, update: &Update, author: Option<&RemoteId>) -> bool {
        let silent =
            matches!(&update.message, Some(Message::Public(message)) if message.mail == Mail::Silent);
        let requester = self.memory.requester(&update.at.id);
        let own_words = author.is_some_and(|author| requester.is_none_or(|requester| requester == *author));
        silent && !own_words && self.settings.mails_public_replies
    }

    fn without_quiet(&self, tags: &[String]) -> Vec<String> {
        tags.iter().filter(|tag| **tag != self.settings.quiet_tag).cloned().collect()
    }

    /// The ticket and the new comment in the answer to a write. The write is
    /// done, so what cannot be read is looked for again, not parked.
    fn written(&self, answer: &Answer) -> Result<(RawTicket, Option<RemoteId>)> {
        let read = || {
            let written: wire::Written = read_json(answer)?;
            let ticket = written.ticket.ok_or(Error::Malformed { what: "ticket: none".to_owned() })?;
            let raw = self.observed(ticket, &People::new(), ReadBy::Answer, answer.at)?;
            Ok((raw, comment_in(&written.audit)))
        };
        read().map_err(done_but)
    }

    /// Takes the quiet tag off if it is there. `Ok` only when it is off, or cannot do harm.
    async fn hushed(
        &self,
        call: Call,
        mut raw: RawTicket,
        comment: Option<RemoteId>,
        key: &OpKey,
    ) -> Result<Applied> {
        for _ in 0..=RACES_MAX {
            if !raw.tags.contains(&self.settings.quiet_tag) {
                return Ok(applied(raw, comment));
            }
            let rest = self.without_quiet(&raw.tags);
            let ticket = raw.observed.ticket.id.clone();
            let ask = api::unquiet(&ticket, rest, raw.observed.version, key)?;
            raw = match self.http.send(call, ask).await {
                Ok(answer) => self.written(&answer)?.0,
                // Somebody was faster, or the answer was lost: the ticket says which.
                Err(Error::Stale | Error::Unknown { .. }) => self.read_raw(call, &ticket).await?,
                // A ticket that is gone or closed mails nobody any more.
                Err(Error::Gone | Error::Refused { .. }) => return Ok(applied(raw, comment)),
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
            Intent::EditNote(_) | Intent::Amend(_) | Intent::Delete(_) => Ok(None),
        }
    }

    /// The marker is not unique at Zendesk: the first ticket made with it counts.
    async fn look_for_ticket(&self, call: Call, create: &Create) -> Result<Option<Applied>> {
        let answer = self.http.send(call, api::by_external_id(&create.key)?).await?;
        let page: wire::TicketsPage = read_json(&answer)?;
        let people = map::people(page.users);
        let ours = page.tickets.into_iter().filter(|t| t.external_id.as_deref() == Some(create.key.as_str()));
        let mut found = Vec::new();
        for ticket in ours {
            match self.observed(ticket, &people, ReadBy::Fetch, answer.at) {
                Ok(raw) => found.push(raw),
                Err(Error::Gone) => {}
                Err(error) => return Err(error),
            }
        }
        let Some(raw) = found.into_iter().min_by(|a, b| a.observed.ticket.cmp(&b.observed.ticket)) else {
            return Ok(None);
        };
        let answer = self.http.send(call, api::comments(&raw.observed.ticket.id, None)?).await?;
        let page: wire::CommentsPage = read_json(&answer)?;
        let opening = page.comments.into_iter().find_map(|comment| comment.id);
        self.hushed(call, raw, opening, &create.key).await.map(Some)
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
                return self.hushed(call, raw, comment, &update.key).await.map(Some);
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

fn applied(raw: RawTicket, comment: Option<RemoteId>) -> Applied {
    let observed = *raw.observed;
    Applied {
        ticket: observed.ticket.clone(),
        version: Some(observed.version),
        shown: Some(observed),
        comment,
        imported: Vec::new(),
    }
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
