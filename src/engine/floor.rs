//! Who may speak: the floor of conversations as they are looked at, and promises of AI agents to
//! hand a conversation over that no handoff follows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use handoffd_core::{
    AccountId, Body, HandoffId, HandoffKind, HandoffState, RemoteId, TicketKey, Timestamp,
    capture::{CaptureEvent, What},
    floor::{Floor, FloorNews, Holder, Voices, first_floor, floor_after, floor_news, heard_of_bots},
    handoff::HandoffStep,
    link::{Link, Standing},
    model::turn::Party,
    thread::promises_transfer,
};

use super::{Engine, Fault, Inner, look::Look};
use crate::store::{
    Commit, CommitError, Guard, Key, ReadError, Write,
    tables::{self, INTAKES, IntakeRow, PROMISES, PromiseRow, Row},
};

/// How much older than its look a promise may be: what was said long ago is history.
const PROMISE_AGE_MAX: Duration = Duration::from_secs(600);
/// How long the watch over promises rests at most.
const WATCH_REST: Duration = Duration::from_secs(60);

/// An AI agent, as the engine knows it.
#[derive(Default)]
pub struct Voice {
    /// The helpdesk accounts whose tickets it may speak of; `None` for all.
    pub accounts: Option<BTreeSet<String>>,
    /// The agents as whom it speaks, by account.
    pub speaks_as: BTreeMap<AccountId, RemoteId>,
    /// Where it is told what happens.
    pub hook: Option<super::outbox::Hook>,
}

/// What an AI agent streamed of a conversation.
pub struct Streamed<'a> {
    /// The agent's name in the configuration.
    pub agent: &'a str,
    /// The conversation, as the agent calls it.
    pub conversation: &'a str,
    /// The ticket that it is about, where that is known.
    pub ticket: Option<&'a TicketKey>,
    /// What happened in it.
    pub events: &'a [CaptureEvent],
}

impl Inner {
    /// Agents who speak for AI agents, beside those that the marks name.
    pub(super) fn voices(&self) -> Voices {
        let mut voices = Voices::new();
        for (account, id) in self.parts.voices.values().flat_map(|voice| &voice.speaks_as) {
            voices.entry(account.clone()).or_default().insert(id.clone());
        }
        voices
    }

    /// Moves the floor by what a look shows: who spoke, who owns the tickets, what was handed over.
    pub(super) fn move_floor(&self, look: &Look, before: &Link, after: &mut Link, steps: &[HandoffStep]) {
        let (rules, now) = (&self.parts.rules, self.now());
        let (floor, mut news) = match before.floor.is_known() {
            true => (before.floor, floor_news(before, &look.observed, rules, &self.voices(), None)),
            false => (first_floor(after, rules, now), Vec::new()),
        };
        let mut known: BTreeSet<&HandoffId> = before.handoff.iter().collect();
        for step in steps {
            // A loop that is broken changes nobody's hands.
            if known.insert(&step.record.id) && step.record.state != HandoffState::Suppressed {
                news.push(FloorNews::Handoff(step.record.kind));
            }
        }
        after.floor = floor_after(&floor, &news, now);
        if after.floor.holder != floor.holder {
            let Floor { holder, token, .. } = after.floor;
            tracing::info!(link = %after.id, ?holder, token, "The floor passed on.");
        }
    }

    /// Whether an AI agent has announced a handoff that was not taken in yet.
    pub(super) async fn is_announced(&self, link: &Link) -> Result<bool, ReadError> {
        for (ticket, _) in link.sides.iter().filter(|(_, side)| side.standing == Standing::Live) {
            let prefix = Key::of(&[ticket.account.as_str(), ticket.id.as_str(), ""]);
            let rows = tables::read_all::<IntakeRow>(&*self.parts.store, INTAKES, &prefix, 100).await?;
            if rows.iter().any(|(_, row)| row.value.kind != HandoffKind::HumanToAi) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Promises that a look heard of AI agents, and those that are kept: people have the floor.
    pub(super) async fn promise_writes(
        &self,
        look: &Look,
        before: &Link,
        after: &Link,
    ) -> Result<Vec<Write>, Fault> {
        let passed = after.floor.holder == Holder::Human && after.floor != before.floor;
        if passed {
            return Ok(self.kept(after));
        }
        if after.floor.holder == Holder::Human {
            return Ok(Vec::new());
        }
        let mut writes = Vec::new();
        for (key, comment) in heard_of_bots(before, after, &look.observed, &self.parts.rules, &self.voices())
        {
            let body = self.body_at_hand(comment.body().clone()).await?;
            let place = format!("{}#{}", key.ticket, key.id);
            if self.is_promise(&body, comment.at()) {
                writes.extend(self.promise(Said::on(&key.ticket, place), true).await?);
            }
        }
        Ok(writes)
    }

    /// A conversation that people have: what was promised is kept.
    pub(super) fn kept(&self, link: &Link) -> Vec<Write> {
        link.sides.keys().map(|ticket| Write::Delete(PROMISES, tables::promise_key(ticket))).collect()
    }

    fn is_promise(&self, body: &Body, at: Timestamp) -> bool {
        let lately = at.plus(self.parts.handoff.promise_wait.0 + PROMISE_AGE_MAX) >= self.now();
        lately && body.text().is_some_and(promises_transfer)
    }

    /// What an AI agent said through us, if it is a promise.
    pub(super) async fn promise_said(
        &self,
        agent: &str,
        conversation: &str,
        ticket: &TicketKey,
        body: &Body,
        ends_turn: bool,
    ) -> Result<Option<Write>, Fault> {
        let body = self.body_at_hand(body.clone()).await?;
        if !self.is_promise(&body, self.now()) {
            return Ok(None);
        }
        let place = format!("a message in {conversation}");
        let said = Said { agent: Some(agent), conversation: Some(conversation), ticket: Some(ticket), place };
        Ok(self.promise(said, ends_turn).await?)
    }

    /// A promise's row; none where one is waited for already. A turn that goes on gives more time.
    async fn promise(&self, said: Said<'_>, ends_turn: bool) -> Result<Option<Write>, ReadError> {
        let key = match (said.ticket, said.agent, said.conversation) {
            (Some(ticket), ..) => tables::promise_key(ticket),
            (None, Some(agent), Some(conversation)) => tables::promise_key_of(agent, conversation),
            (None, ..) => return Ok(None),
        };
        let known = tables::read::<PromiseRow>(&*self.parts.store, PROMISES, &key).await?;
        if known.is_some_and(|row| row.value.raised_at.is_none()) {
            return Ok(None);
        }
        let wait = self.parts.handoff.promise_wait.0 * if ends_turn { 1 } else { 2 };
        let row = PromiseRow {
            at: self.now(),
            agent: said.agent.map(str::to_owned),
            conversation: said.conversation.map(str::to_owned),
            ticket: said.ticket.cloned(),
            place: said.place,
            due: self.now().plus(wait),
            raised_at: None,
        };
        Ok(Some(tables::put(PROMISES, key, &row)))
    }
}

/// Who made a promise, and where.
struct Said<'a> {
    agent: Option<&'a str>,
    conversation: Option<&'a str>,
    ticket: Option<&'a TicketKey>,
    place: String,
}

impl<'a> Said<'a> {
    fn on(ticket: &'a TicketKey, place: String) -> Self {
        Self { agent: None, conversation: None, ticket: Some(ticket), place }
    }
}

impl Engine {
    /// The floor of the conversation that a ticket belongs to; nobody's where it is not known yet.
    pub async fn floor_of(&self, ticket: &TicketKey) -> Result<Floor, ReadError> {
        let store = &*self.parts.store;
        let Some(link) = tables::link_of(store, ticket).await? else { return Ok(Floor::default()) };
        let key = Key::of(&[link.as_str()]);
        let row = tables::read::<Link>(store, tables::LINKS, &key).await?;
        Ok(row.map(|row| row.value.floor).unwrap_or_default())
    }

    /// What an AI agent streamed, if it promises to hand the conversation over: adds the promise's
    /// row to the commit that keeps the stream.
    pub async fn heard(&self, streamed: &Streamed<'_>, commit: &mut Commit) -> Result<(), ReadError> {
        let promise = streamed.events.iter().rev().find(|event| match &event.what {
            What::Turn { by: Party::Bot { .. }, text, public: true } => {
                self.is_promise(&Body::inline(text), event.at.unwrap_or(self.now()))
            }
            _ => false,
        });
        let Some(event) = promise else { return Ok(()) };
        let id = event.id.as_ref().map_or_else(|| "a turn".to_owned(), |id| format!("turn {id}"));
        let said = Said {
            agent: Some(streamed.agent),
            conversation: Some(streamed.conversation),
            ticket: streamed.ticket,
            place: format!("{id} of the stream"),
        };
        commit.writes.extend(self.promise(said, true).await?);
        Ok(())
    }

    /// A handoff that is announced keeps what was promised, in the commit that stores it.
    pub(super) fn announced(
        &self,
        agent: &str,
        conversation: Option<&str>,
        ticket: &TicketKey,
        commit: &mut Commit,
    ) {
        let of_conversation = conversation.map(|id| tables::promise_key_of(agent, id));
        for key in [tables::promise_key(ticket)].into_iter().chain(of_conversation) {
            commit.writes.push(Write::Delete(PROMISES, key));
        }
    }

    /// Promises that no handoff followed, newest first.
    pub async fn broken_promises(&self, most: usize) -> Result<Vec<PromiseRow>, ReadError> {
        let all = Key(Vec::new());
        let rows = tables::read_all::<PromiseRow>(&*self.parts.store, PROMISES, &all, usize::MAX).await?;
        let raised = rows.into_iter().map(|(_, row)| row.value).filter(|row| row.raised_at.is_some());
        let mut raised: Vec<PromiseRow> = raised.collect();
        raised.sort_by_key(|row| std::cmp::Reverse(row.raised_at));
        raised.truncate(most);
        Ok(raised)
    }

    /// Raises promises that were not kept in time, for as long as the engine runs.
    pub(super) async fn run_promises(&self) {
        loop {
            let next = match self.raise_promises().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "Promises could not be looked at; it is tried again.");
                    None
                }
            };
            let longest = self.now().plus(WATCH_REST);
            let at = next.unwrap_or(longest).min(longest);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.promises_now.notified() => {}
                () = self.parts.clock.sleep_until(at) => {}
            }
        }
    }

    /// Raises what is due; says when the next one is.
    async fn raise_promises(&self) -> Result<Option<Timestamp>, ReadError> {
        let all = Key(Vec::new());
        let mut next: Option<Timestamp> = None;
        let rows = tables::read_all::<PromiseRow>(&*self.parts.store, PROMISES, &all, usize::MAX).await?;
        for (key, row) in rows.into_iter().filter(|(_, row)| row.value.raised_at.is_none()) {
            if row.value.due > self.now() {
                next = Some(next.map_or(row.value.due, |next| next.min(row.value.due)));
                continue;
            }
            if let Err(error) = self.raise(&key, row).await {
                tracing::warn!(%error, "A promise could not be raised; it is tried again.");
                let again = self.now().plus(self.parts.config.retry_first.0);
                next = Some(next.map_or(again, |next| next.min(again)));
            }
        }
        Ok(next)
    }

    async fn raise(&self, key: &Key, row: Row<PromiseRow>) -> Result<(), CommitError> {
        let unreadable = |error: ReadError| CommitError::Unavailable { why: error.to_string() };
        let guards = vec![Guard::Rev(PROMISES, key.clone(), row.rev)];
        let kept = self.is_kept(&row.value).await.map_err(unreadable)?;
        let writes = match kept {
            true => vec![Write::Delete(PROMISES, key.clone())],
            false => {
                let raised = PromiseRow { raised_at: Some(self.now()), ..row.value.clone() };
                let mut writes = vec![tables::put(PROMISES, key.clone(), &raised)];
                let told = self.told_broken(&raised).await;
                writes.extend(told.map_err(|fault| CommitError::Unavailable { why: format!("{fault:?}") })?);
                writes
            }
        };
        match self.commit(Commit { guards, writes, ..Commit::default() }).await {
            // A handoff, or another promise, came in between.
            Err(CommitError::Conflict { .. }) => return Ok(()),
            done => done?,
        };
        if !kept {
            self.parts.metrics.promise_broken();
            let agent = row.value.agent.unwrap_or_default();
            let ticket = row.value.ticket.map(|ticket| ticket.to_string()).unwrap_or_default();
            tracing::warn!(
                agent,
                ticket,
                place = row.value.place,
                "An AI agent promised a person and handed nothing over."
            );
        }
        Ok(())
    }

    /// Whether people have the conversation, or are about to.
    async fn is_kept(&self, promise: &PromiseRow) -> Result<bool, ReadError> {
        let store = &*self.parts.store;
        let ticket = match (&promise.ticket, &promise.agent, &promise.conversation) {
            (Some(ticket), ..) => Some(ticket.clone()),
            (None, Some(agent), Some(id)) => tables::ticket_of_conversation(store, agent, id).await?,
            (None, ..) => None,
        };
        let Some(ticket) = ticket else { return Ok(false) };
        let Some(link) = tables::link_of(store, &ticket).await? else { return Ok(false) };
        let Some(row) = tables::read_link(store, &link).await? else { return Ok(false) };
        Ok(row.link.floor.holder == Holder::Human || self.is_announced(&row.link).await?)
    }
}
