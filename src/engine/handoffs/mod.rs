//! Handoffs on their way: signs are tied to records, sources are asked, the
//! briefing is written once. What is decided is decided in the core; here it is
//! read, committed and carried out.
//!
//! `signs.rs` what was seen and said; `messages.rs` what was said on the ticket, and by whom;
//! `packaging.rs` what is known, made into a package and a
//! briefing; `delivery.rs` what is written for it; `placing.rs` what goes beside it; `ready.rs` whether
//! that is still right when it is sent; `proof.rs` what came of that, by the helpdesk's own word;
//! `moves.rs` what becomes of it when tickets are merged or joined.

mod delivery;
mod messages;
mod moves;
mod packaging;
mod placing;
mod proof;
mod ready;
mod signs;

pub(super) use moves::{Again, Moved};

use std::collections::BTreeSet;

use handoffd_connectors::contract::Lane;
use handoffd_core::{
    AccountId, Handoff, HandoffId, HandoffState, SourceAnswer, Subject, TicketKey, Timestamp,
    handoff::{
        Effect, HandoffEvent, HandoffStep, Sign, advance_handoff, due_events, handoff_id_from_api, in_time,
        is_open, still_asks, wants_read_back,
    },
    intent::Intent,
    link::Link,
    policy::HandoffRules,
    settle::{note_leaves, words_leave},
};

pub(super) use ready::Ready;

use super::{Engine, Fault, Inner, look::Look};
use crate::store::{
    Commit, Key, ReadError, Write,
    tables::{self, HANDOFF_NAMES, HANDOFFS, INTAKES, IntakeRow, JournalRow, LinkRow, Wake},
};

impl Inner {
    /// The rules of a link group: whether and when its customers are told to hold.
    pub(super) fn rules_of(&self, link: &Link) -> HandoffRules {
        let rules = self.parts.rules.clone();
        let group = self.parts.groups.get(&link.group);
        let Some(group) = group.filter(|group| group.holding_message.is_some()) else { return rules };
        let enrich_ms = group.hold.map_or(rules.enrich_ms, |hold| hold.as_millis());
        HandoffRules { hold_ms: Some(self.parts.handoff.hold_after.as_millis()), enrich_ms, ..rules }
    }

    fn sources(&self) -> BTreeSet<AccountId> {
        self.parts.sources.keys().cloned().collect()
    }

    pub(super) async fn handoff_of(&self, link: &Link) -> Result<Option<Handoff>, Fault> {
        let Some(id) = &link.handoff else { return Ok(None) };
        self.record_of(id).await
    }

    async fn record_of(&self, id: &HandoffId) -> Result<Option<Handoff>, Fault> {
        let row = tables::read::<Handoff>(&*self.parts.store, HANDOFFS, &Key::of(&[id.as_str()])).await?;
        Ok(row.map(|row| row.value))
    }

    fn advance_all(
        &self,
        mut record: Handoff,
        events: &[HandoffEvent],
        rules: &HandoffRules,
        steps: &mut Vec<HandoffStep>,
    ) -> Handoff {
        for event in events {
            let step = advance_handoff(&record, event, rules, self.now());
            record = step.record.clone();
            steps.push(step);
        }
        record
    }

    /// Serves an open handoff: answers that came in, and what is due. `true`:
    /// something was committed.
    pub(super) async fn serve_handoff(&self, look: &mut Look, row: &LinkRow) -> Result<bool, Fault> {
        let Some(stored) = self.handoff_of(&row.link).await? else { return Ok(false) };
        let answers = self.take_answers_of(&stored.id);
        let served = self.serve_with(look, row, &stored, &answers).await;
        if served.is_err() {
            self.put_answers_back(&stored.id, answers);
        }
        served
    }

    async fn serve_with(
        &self,
        look: &mut Look,
        row: &LinkRow,
        stored: &Handoff,
        answers: &[(AccountId, SourceAnswer)],
    ) -> Result<bool, Fault> {
        let rules = self.rules_of(&row.link);
        let mut steps = Vec::new();
        let answered = |(account, answer): &(AccountId, SourceAnswer)| HandoffEvent::SourceAnswered {
            account: account.clone(),
            answer: answer.clone(),
        };
        let mut events: Vec<HandoffEvent> = answers.iter().map(answered).collect();
        let record = self.advance_all(stored.clone(), &events, &rules, &mut steps);
        events = due_events(&record, &rules, self.now());
        if self.is_read_back_due(&record) {
            events.push(self.read_back(&record).await);
        }
        let record = self.advance_all(record, &events, &rules, &mut steps);
        if let Some(at) = handoffd_core::handoff::next_wake(&record, &rules) {
            look.again_by(at);
        }
        if record == *stored {
            return Ok(false);
        }
        look.lane = Lane::Handoff;
        let mut link = row.link.clone();
        let (record, mut writes) = self.carry_effects(look, &mut link, record, &steps).await?;
        writes.push(self.handoff_write(&record));
        writes.extend(self.told_status(Some(stored), &record).await?);
        let journal = self.handoff_journal(Some(stored), &record);
        self.store_link(look, Some(row), &link, writes, journal).await?;
        Ok(true)
    }

    fn is_read_back_due(&self, record: &Handoff) -> bool {
        let at = handoffd_core::handoff::read_back_at(record);
        is_open(record) && wants_read_back(record) && at.is_some_and(|at| self.now() >= at)
    }

    /// Answers that could not be stored are taken in by the next look.
    fn put_answers_back(&self, id: &HandoffId, answers: Vec<(AccountId, SourceAnswer)>) {
        if answers.is_empty() {
            return;
        }
        let mut all = self.answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.entry(id.clone()).or_default().extend(answers);
    }

    fn has_answers(&self, id: &HandoffId) -> bool {
        self.answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner).contains_key(id)
    }

    fn take_answers_of(&self, id: &HandoffId) -> Vec<(AccountId, SourceAnswer)> {
        let mut answers = self.answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        answers.remove(id).unwrap_or_default()
    }

    /// The record and the commits' writes that its effects call for.
    async fn carry_effects(
        &self,
        look: &mut Look,
        link: &mut Link,
        mut record: Handoff,
        steps: &[HandoffStep],
    ) -> Result<(Handoff, Vec<Write>), Fault> {
        let mut writes = Vec::new();
        let own = steps.iter().filter(|step| step.record.id == record.id);
        let effects: Vec<Effect> = own.flat_map(|step| step.effects.iter().cloned()).collect();
        for effect in effects {
            let intent = match effect {
                Effect::WakeAt(at) => {
                    look.again_by(at);
                    continue;
                }
                // What is read back is asked for where there is an answer to look at, or when it is due.
                Effect::AskSources(_) | Effect::Done | Effect::ReadBack => continue,
                Effect::Return => {
                    writes.extend(self.handed_back(look, link, &mut record).await?);
                    continue;
                }
                Effect::SendBriefing { key } => {
                    let (intent, rows) = self.briefing_intent(look, link, &mut record, key).await?;
                    writes.extend(rows);
                    Some(intent)
                }
                Effect::SendLate { key, edit } => {
                    let (intents, rows) = self.late_intents(link, &mut record, key, edit).await?;
                    writes.extend(rows);
                    look.lane = Lane::Handoff;
                    for intent in intents {
                        writes.push(self.leaves(link, &record, intent).await?);
                    }
                    continue;
                }
                Effect::Place { key } => self.placing(&mut record, key).await?,
                Effect::Assign { key } => self.assignment(link, &mut record, key),
                Effect::Hold { key } => self.holding_message(link, key),
            };
            look.lane = Lane::Handoff;
            if let Some(intent) = intent {
                writes.push(self.leaves(link, &record, intent).await?);
            }
        }
        Ok((record, writes))
    }

    /// A write of a handoff's, announced in its link and stored.
    async fn leaves(&self, link: &mut Link, record: &Handoff, intent: Intent) -> Result<Write, Fault> {
        if let Intent::Update(update) = &intent {
            *link = match &update.message {
                Some(handoffd_core::Message::Public(_)) => words_leave(link, update, self.now()),
                _ => note_leaves(link, update, self.now()),
            };
        }
        self.intent_write(&link.id, intent, Some(record.id.clone())).await
    }

    fn handoff_write(&self, record: &Handoff) -> Write {
        tables::put(HANDOFFS, Key::of(&[record.id.as_str()]), record)
    }

    fn handoff_journal(&self, before: Option<&Handoff>, after: &Handoff) -> Vec<JournalRow> {
        if let (None, Some(in_time)) = (before.and_then(in_time), in_time(after)) {
            self.parts.metrics.judged(after, in_time);
        }
        if before.is_some_and(|before| before.state == after.state) {
            return Vec::new();
        }
        self.parts.metrics.handoff(after.state.name());
        if after.state == HandoffState::Suppressed && before.is_none() {
            let why = after.failure.clone().unwrap_or_default();
            tracing::error!(handoff = %after.id, ticket = %after.ticket, why, "Handoffs go round in a loop: this one is not served.");
        }
        tracing::info!(handoff = %after.id, ticket = %after.ticket, state = after.state.name(), "A handoff moved on.");
        if after.state == HandoffState::Failed {
            let why = after.failure.clone().unwrap_or_default();
            tracing::error!(handoff = %after.id, ticket = %after.ticket, why, "A handoff's briefing is not on its ticket.");
        }
        vec![JournalRow::Handoff {
            at: self.now(),
            id: after.id.clone(),
            state: after.state.name().to_owned(),
        }]
    }
}

impl Engine {
    /// What the records of a look call for beyond the store: asking.
    pub(super) async fn after_commit(&self, look: &Look, steps: Vec<HandoffStep>) -> Result<(), Fault> {
        for step in steps {
            for effect in step.effects {
                if let Effect::AskSources(sources) = effect {
                    self.ask(look, &step.record, sources).await?;
                }
            }
        }
        Ok(())
    }

    async fn ask(&self, look: &Look, record: &Handoff, sources: BTreeSet<AccountId>) -> Result<(), Fault> {
        let row = tables::read_link(&*self.parts.store, &look.link).await?;
        let requester = row.and_then(|row| row.link.requester);
        let email = requester.as_ref().and_then(|person| person.email.clone());
        let subject = Subject {
            email: email.or_else(|| record.told.customer_email.clone()),
            name: requester.map(|person| person.name),
        };
        self.ask_sources(&record.id, &look.link, sources, subject);
        Ok(())
    }

    /// After a restart nobody is asking any more: sources that have not answered a handoff
    /// are asked again as long as their answers can reach the next owner.
    pub(super) async fn ask_again(&self, look: &Look, link: &Link) -> Result<(), Fault> {
        let Some(record) = self.handoff_of(link).await? else { return Ok(()) };
        let waiting = still_waiting(&record);
        let asks = still_asks(&record, &self.rules_of(link), self.now());
        if !asks || waiting.is_empty() || self.is_asking(&record.id) || self.has_answers(&record.id) {
            return Ok(());
        }
        self.ask(look, &record, waiting).await
    }

    /// Wakes the conversations whose sources a daemon that stopped was asking.
    pub(super) async fn wake_asked(&self) -> Result<(), Fault> {
        let all = Key::of(&[]);
        let rows = tables::read_all::<Handoff>(&*self.parts.store, HANDOFFS, &all, usize::MAX).await?;
        let asks = |record: &Handoff| {
            !still_waiting(record).is_empty() && still_asks(record, &self.parts.rules, self.now())
        };
        for link in rows.into_iter().filter(|(_, row)| asks(&row.value)).filter_map(|(_, row)| row.value.link)
        {
            let job = Wake::Link { link: link.clone() }.job(link.as_str(), self.now());
            self.commit(Commit { jobs: vec![job], ..Commit::default() }).await?;
        }
        Ok(())
    }

    /// Handoffs that were announced for a ticket that cannot have one: recorded as failed.
    pub(super) async fn fail_intakes(&self, ticket: &TicketKey, why: &str) -> Result<(), Fault> {
        let prefix = Key::of(&[ticket.account.as_str(), ticket.id.as_str(), ""]);
        for (key, row) in tables::read_all::<IntakeRow>(&*self.parts.store, INTAKES, &prefix, 100).await? {
            let writes = self.failed_intake(key, row.value, why).await?;
            self.commit(Commit { writes, ..Commit::default() }).await?;
        }
        Ok(())
    }

    /// Announced handoffs that nobody could take in since then: recorded as failed.
    pub(super) async fn fail_old_intakes(&self, before: Timestamp) -> Result<(), Fault> {
        let all = Key::of(&[]);
        let rows = tables::read_all::<IntakeRow>(&*self.parts.store, INTAKES, &all, usize::MAX).await?;
        for (key, row) in rows.into_iter().filter(|(_, row)| row.value.at < before) {
            let why = "its ticket could not be looked at for too long";
            let writes = self.failed_intake(key, row.value, why).await?;
            self.commit(Commit { writes, ..Commit::default() }).await?;
        }
        Ok(())
    }

    /// A handoff by its id, or by the id that its AI agent was given.
    pub async fn handoff(&self, id: &HandoffId) -> Result<Option<Handoff>, ReadError> {
        let store = &*self.parts.store;
        let key = Key::of(&[id.as_str()]);
        if let Some(row) = tables::read::<Handoff>(store, HANDOFFS, &key).await? {
            return Ok(Some(row.value));
        }
        let Some(name) = tables::read::<HandoffId>(store, HANDOFF_NAMES, &key).await? else {
            return Ok(None);
        };
        let row = tables::read::<Handoff>(store, HANDOFFS, &Key::of(&[name.value.as_str()])).await?;
        Ok(row.map(|row| row.value))
    }

    /// What an AI agent announced and no look has taken in yet, by the id that it was given.
    pub async fn waiting_intake(&self, id: &HandoffId) -> Result<Option<IntakeRow>, ReadError> {
        let (all, mut after) = (Key::of(&[]), None);
        loop {
            let page = self.parts.store.page(INTAKES, &all, after.as_ref(), 200).await?;
            for (key, row) in &page.rows {
                let row: IntakeRow = tables::record(INTAKES, key, &row.value)?;
                if row.id == *id {
                    return Ok(Some(row));
                }
            }
            after = page.rows.last().map(|(key, _)| key.clone());
            if !page.more {
                return Ok(None);
            }
        }
    }

    /// Tells the engine of a handoff that an AI agent announced: stored, and its
    /// ticket woken, in the commit given.
    pub fn intake(&self, row: &IntakeRow, commit: &mut Commit) {
        let key = Key::of(&[row.ticket.account.as_str(), row.ticket.id.as_str(), row.id.as_str()]);
        commit.writes.push(tables::put(INTAKES, key, row));
        self.announced(&row.agent, row.conversation.as_deref(), &row.ticket, commit);
    }
}

/// The sources that have not answered.
fn still_waiting(record: &Handoff) -> BTreeSet<AccountId> {
    let waiting = record.sources.iter().filter(|(_, answer)| **answer == SourceAnswer::Waiting);
    waiting.map(|(account, _)| account.clone()).collect()
}

/// The name under which an AI agent knows a handoff that was known before it said so.
fn name_write(sign: &Sign, record: &Handoff) -> Option<Write> {
    let Sign::Said(said) = sign else { return None };
    let name = handoff_id_from_api(&said.agent, &said.key);
    (name != record.id).then(|| tables::put(HANDOFF_NAMES, Key::of(&[name.as_str()]), &record.id))
}
