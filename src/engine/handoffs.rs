//! Handoffs on their way: signs are tied to records, sources are asked, the
//! briefing is written once. What is decided is decided in the core; here it is
//! read, committed and carried out.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use handoffd_connectors::contract::Lane;
use handoffd_core::{
    AccountId, Comment, CommentsSeen, Detected, Field, Handoff, HandoffId, HandoffKind, HandoffState,
    Message, Observed, OpKey, PrivateMessage, RemoteId, Role, SourceAnswer, Status, Subject, TicketKey,
    Timestamp, Value,
    briefing::{
        Briefing, NoteLimits, TicketFacts,
        old::{Package, compose_briefing, compose_late},
        text,
    },
    handoff::{
        Effect, HandoffEvent, HandoffStep, Said, Seen, Settled, Sign, advance_handoff, detect_handoff,
        due_events, handoff_id_from_api, is_open, needs_briefing, open_or_join,
    },
    intent::{EditNote, Intent, Outcome, Update},
    link::{Link, Origin, Standing},
    settle::note_leaves,
};

use super::{Engine, Fault, Inner, reconciler::Look};
use crate::store::{
    Commit, Key, ReadError, Write,
    tables::{self, HANDOFF_NAMES, HANDOFFS, INTAKES, IntakeRow, JOURNAL, JournalRow, LinkRow},
};

/// How far a vendor's clock may be behind ours.
const CLOCKS_DIFFER: Duration = Duration::from_secs(2);
/// The longest excerpt of the customer's first words, in characters.
const WANTS_CHARS_MAX: usize = 240;

/// What the signs of one look come to.
pub(super) struct Signs {
    pub(super) writes: Vec<Write>,
    pub(super) steps: Vec<HandoffStep>,
    pub(super) journal: Vec<JournalRow>,
    /// Something is to be carried out at once.
    pub(super) acted: bool,
}

impl Inner {
    /// Every change of owner that a view shows against what was known before.
    pub(super) fn detect(&self, link: &Link, observed: &BTreeMap<TicketKey, Observed>) -> Vec<Detected> {
        let seen = observed.iter().filter_map(|(ticket, shown)| {
            let side = link.sides.get(ticket)?;
            let newer = shown.version >= side.seen;
            newer.then(|| detect_handoff(ticket, &side.shadow, shown, &self.parts.rules)).flatten()
        });
        seen.collect()
    }

    fn sources(&self) -> BTreeSet<AccountId> {
        self.parts.sources.keys().cloned().collect()
    }

    async fn handoff_of(&self, link: &Link) -> Result<Option<Handoff>, Fault> {
        let Some(id) = &link.handoff else { return Ok(None) };
        let row = tables::read::<Handoff>(&*self.parts.store, HANDOFFS, &Key::of(&[id.as_str()])).await?;
        Ok(row.map(|row| row.value))
    }

    /// Takes in what was said and seen of handoffs. The records, and the writes
    /// that they call for, travel in the commit of the look.
    pub(super) async fn take_signs(
        &self,
        look: &mut Look,
        before: &Link,
        after: &mut Link,
        detected: Vec<Detected>,
    ) -> Result<Signs, Fault> {
        let mut signs = Signs { writes: Vec::new(), steps: Vec::new(), journal: Vec::new(), acted: false };
        let mut last = self.handoff_of(after).await?;
        let stored = last.clone();
        for sign in self.gather(after, detected, &mut signs.writes).await? {
            let opening = open_or_join(last.as_ref(), &sign, &self.sources(), &self.parts.rules, self.now());
            for step in opening.into_steps() {
                signs.writes.extend(name_write(&sign, &step.record));
                if needs_briefing(step.record.kind) {
                    last = Some(step.record.clone());
                } else {
                    signs.writes.push(self.handoff_write(&step.record));
                }
                signs.steps.push(step);
            }
        }
        if let Some(record) = last.take() {
            last = Some(self.take_events(look, before, after, record, &mut signs.steps));
        }
        signs.journal = self.signs_journal(stored.as_ref(), &signs.steps);
        if let Some(record) = last {
            let opened = stored.as_ref().is_none_or(|stored| stored.id != record.id);
            if opened && let Some(stored) = stored.as_ref().filter(|stored| is_open(stored)) {
                // The record before a new one was closed by a step of its own.
                let closed = signs.steps.iter().rev().find(|step| step.record.id == stored.id);
                signs.writes.extend(closed.map(|step| self.handoff_write(&step.record)));
            }
            after.handoff = Some(record.id.clone());
            let steps = signs.steps.clone();
            let (record, writes) = self.carry_effects(look, after, record, &steps).await?;
            signs.acted = !writes.is_empty();
            signs.writes.extend(writes);
            if stored.as_ref() != Some(&record) {
                signs.writes.push(self.handoff_write(&record));
            }
        }
        Ok(signs)
    }

    /// Where the steps moved each record, for the journal.
    fn signs_journal(&self, stored: Option<&Handoff>, steps: &[HandoffStep]) -> Vec<JournalRow> {
        let mut known: BTreeMap<&HandoffId, &Handoff> =
            stored.map(|stored| (&stored.id, stored)).into_iter().collect();
        let mut journal = Vec::new();
        for step in steps {
            journal.extend(self.handoff_journal(known.insert(&step.record.id, &step.record), &step.record));
        }
        journal
    }

    /// What went back to an AI agent, what AI agents said of the link's tickets, then what else was
    /// seen: who announces a handoff has the conversation, so it went back to it before.
    async fn gather(
        &self,
        link: &Link,
        detected: Vec<Detected>,
        writes: &mut Vec<Write>,
    ) -> Result<Vec<Sign>, Fault> {
        let seen = detected.into_iter().map(|detected| Seen { link: link.id.clone(), detected });
        let (back, other): (Vec<Seen>, Vec<Seen>) =
            seen.partition(|seen| seen.detected.kind == HandoffKind::HumanToAi);
        let as_sign = |seen: Seen| Sign::Seen(Box::new(seen));
        let mut signs: Vec<Sign> = back.into_iter().map(as_sign).collect();
        for (ticket, _) in link.sides.iter().filter(|(_, side)| side.standing == Standing::Live) {
            let prefix = Key::of(&[ticket.account.as_str(), ticket.id.as_str(), ""]);
            for (key, row) in tables::read_all::<IntakeRow>(&*self.parts.store, INTAKES, &prefix, 100).await?
            {
                writes.push(Write::Delete(INTAKES, key));
                let said = Said {
                    agent: row.value.agent,
                    key: row.value.key,
                    ticket: row.value.ticket,
                    link: Some(link.id.clone()),
                    to: None,
                    told: row.value.told,
                };
                signs.push(Sign::Said(Box::new(said)));
            }
        }
        signs.extend(other.into_iter().map(as_sign));
        Ok(signs)
    }

    /// What the look shows about an open handoff: the next owner's words, the end.
    fn take_events(
        &self,
        look: &Look,
        before: &Link,
        after: &Link,
        record: Handoff,
        steps: &mut Vec<HandoffStep>,
    ) -> Handoff {
        let mut events: Vec<HandoffEvent> = Vec::new();
        if let Some(at) = self.owner_spoke(look, before, after, record.detected_at) {
            events.push(HandoffEvent::OwnerSpoke { at });
        }
        let solved =
            matches!(after.base.get(&Field::Status), Some(Value::Status(Status::Solved | Status::Closed)));
        if solved {
            events.push(HandoffEvent::Solved);
        }
        self.advance_all(record, &events, steps)
    }

    fn advance_all(
        &self,
        mut record: Handoff,
        events: &[HandoffEvent],
        steps: &mut Vec<HandoffStep>,
    ) -> Handoff {
        for event in events {
            let step = advance_handoff(&record, event, &self.parts.rules, self.now());
            record = step.record.clone();
            steps.push(step);
        }
        record
    }

    /// When a human agent wrote publicly, in a comment that this look took in.
    fn owner_spoke(
        &self,
        look: &Look,
        before: &Link,
        after: &Link,
        detected_at: Timestamp,
    ) -> Option<Timestamp> {
        let new =
            after.copies.iter().filter(|(number, copy)| copy.public && !before.copies.contains_key(number));
        let mut spoken = new.filter_map(|(_, copy)| {
            let Origin::Comment(key) = &copy.origin else { return None };
            let CommentsSeen::All(comments) = &look.observed.get(&key.ticket)?.comments else { return None };
            let comment = comments.iter().find(|comment| comment.id() == &key.id)?;
            let author = comment.author();
            let marks = self.parts.rules.bots.get(&key.ticket.account);
            let is_bot =
                author.id.as_ref().is_some_and(|id| marks.is_some_and(|marks| marks.assignees.contains(id)));
            // What was said before the handoff was known accepts nothing. Clocks differ a little.
            let is_late_enough = copy.at.plus(CLOCKS_DIFFER) >= detected_at;
            (author.role == Role::Agent && !is_bot && is_late_enough).then_some(copy.at)
        });
        spoken.next()
    }

    /// Serves an open handoff: answers that came in, and what is due. `true`:
    /// something was committed.
    pub(super) async fn serve_handoff(&self, look: &mut Look, row: &LinkRow) -> Result<bool, Fault> {
        let Some(stored) = self.handoff_of(&row.link).await? else { return Ok(false) };
        let mut steps = Vec::new();
        let answers = self.take_answers_of(&stored.id);
        let answered = |(account, answer): &(AccountId, SourceAnswer)| HandoffEvent::SourceAnswered {
            account: account.clone(),
            answer: answer.clone(),
        };
        let mut events: Vec<HandoffEvent> = answers.iter().map(answered).collect();
        let record = self.advance_all(stored.clone(), &events, &mut steps);
        events = due_events(&record, &self.parts.rules, self.now());
        let record = self.advance_all(record, &events, &mut steps);
        if let Some(at) = handoffd_core::handoff::next_wake(&record, &self.parts.rules) {
            look.again_by(at);
        }
        if record == stored {
            return Ok(false);
        }
        look.lane = Lane::Handoff;
        let mut link = row.link.clone();
        let (record, mut writes) = self.carry_effects(look, &mut link, record, &steps).await?;
        writes.push(self.handoff_write(&record));
        let journal = self.handoff_journal(Some(&stored), &record);
        if let Err(fault) = self.store_link(look, Some(row), &link, writes, journal).await {
            self.put_answers_back(&stored.id, answers);
            return Err(fault);
        }
        Ok(true)
    }

    /// Answers whose commit failed are taken in by the next look.
    fn put_answers_back(&self, id: &HandoffId, answers: Vec<(AccountId, SourceAnswer)>) {
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
                Effect::AskSources(_) | Effect::Done => continue,
                Effect::SendBriefing { key } => {
                    Some(self.briefing_intent(look, link, &mut record, key).await?)
                }
                Effect::SendLate { key, edit } => self.late_intent(link, &record, key, edit).await?,
            };
            look.lane = Lane::Handoff;
            if let Some(intent) = intent {
                if let Intent::Update(update) = &intent {
                    *link = note_leaves(link, update, self.now());
                }
                writes.push(self.intent_write(&link.id, intent, Some(record.id.clone())).await?);
            }
        }
        Ok((record, writes))
    }

    async fn briefing_intent(
        &self,
        look: &mut Look,
        link: &Link,
        record: &mut Handoff,
        key: OpKey,
    ) -> Result<Intent, Fault> {
        if record.told.customer_wants.is_none() {
            record.told.customer_wants = self.first_words(look, &record.ticket).await;
        }
        let facts = ticket_facts(link, &record.ticket);
        let package = Package { handoff: record, ticket: facts };
        let briefing = compose_briefing(&package, self.note_limits(&record.ticket), self.now());
        record.briefing = Some(self.body_aside(briefing.text.body().clone()).await?);
        Ok(note(record.ticket.clone(), briefing, key))
    }

    async fn late_intent(
        &self,
        link: &Link,
        record: &Handoff,
        key: OpKey,
        edit: Option<RemoteId>,
    ) -> Result<Option<Intent>, Fault> {
        let mut sent = record.clone();
        if let Some(body) = sent.briefing.take() {
            sent.briefing = Some(self.body_at_hand(body).await?);
        }
        let package = Package { handoff: &sent, ticket: ticket_facts(link, &record.ticket) };
        let limits = self.note_limits(&record.ticket);
        let desk = self.parts.desks.get(&record.ticket.account);
        let can_edit = desk.is_some_and(|desk| desk.capabilities.edits_private_notes);
        if let Some(comment) = edit.filter(|_| can_edit) {
            let briefing = compose_briefing(&package, limits, self.now());
            let message = PrivateMessage { author: None, text: briefing.text, attachments: Vec::new() };
            return Ok(Some(Intent::EditNote(EditNote { at: record.ticket.clone(), comment, message, key })));
        }
        let late = compose_late(&package, limits, self.now());
        Ok(late.map(|late| note(record.ticket.clone(), late, key)))
    }

    fn note_limits(&self, ticket: &TicketKey) -> NoteLimits {
        let desk = self.parts.desks.get(&ticket.account);
        let vendor_max = desk.map_or(usize::MAX, |desk| desk.capabilities.message_bytes_max);
        NoteLimits { bytes_max: self.parts.handoff.note_bytes_max.min(vendor_max) }
    }

    /// The customer's first words on the ticket, when the AI agent told none.
    async fn first_words(&self, look: &mut Look, ticket: &TicketKey) -> Option<String> {
        let seen = look.observed.get(ticket).map(|observed| observed.comments.clone());
        let comments = match seen {
            Some(CommentsSeen::All(comments)) => comments,
            _ => {
                let desk = self.parts.desks.get(&ticket.account)?;
                desk.helpdesk.comments(self.call(Lane::Handoff), &ticket.id).await.ok()?
            }
        };
        let first = comments.iter().find_map(|comment| match comment {
            Comment::Public(comment) if comment.author.role == Role::Customer => comment.text.body().text(),
            _ => None,
        })?;
        Some(text::shortened(&text::one_line(first), WANTS_CHARS_MAX))
    }

    /// What came of the write that carried a briefing, or what was late.
    pub(super) async fn settle_handoff(
        &self,
        look: &mut Look,
        link: &mut Link,
        id: &HandoffId,
        key: &OpKey,
        outcome: &Outcome,
        gone: bool,
    ) -> Result<Vec<Write>, Fault> {
        let row = tables::read::<Handoff>(&*self.parts.store, HANDOFFS, &Key::of(&[id.as_str()])).await?;
        let Some(stored) = row.map(|row| row.value) else { return Ok(Vec::new()) };
        let settled = match outcome {
            Outcome::Applied(applied) => Settled::Applied { comment: applied.comment.clone() },
            Outcome::NotApplied if gone => Settled::Refused("the ticket is gone".to_owned()),
            Outcome::NotApplied => Settled::NotApplied,
            Outcome::Lost => Settled::Lost,
            Outcome::Closed => Settled::Refused("the ticket is closed and takes no writes".to_owned()),
            Outcome::Refused(why) => Settled::Refused(why.clone()),
        };
        let is_late = stored.late_key.as_ref() == Some(key);
        let event =
            if is_late { HandoffEvent::LateSettled(settled) } else { HandoffEvent::BriefingSettled(settled) };
        let mut steps = Vec::new();
        let record = self.advance_all(stored.clone(), &[event], &mut steps);
        if let (None, Some(delivered)) = (stored.delivered_at, record.delivered_at) {
            self.parts.metrics.briefed(record.detected_at, delivered);
        }
        let (record, mut writes) = self.carry_effects(look, link, record, &steps).await?;
        writes.push(self.handoff_write(&record));
        for row in self.handoff_journal(Some(&stored), &record) {
            writes.push(tables::put(JOURNAL, self.journal_key(&look.link), &row));
        }
        Ok(writes)
    }

    fn handoff_write(&self, record: &Handoff) -> Write {
        tables::put(HANDOFFS, Key::of(&[record.id.as_str()]), record)
    }

    fn handoff_journal(&self, before: Option<&Handoff>, after: &Handoff) -> Vec<JournalRow> {
        if before.is_some_and(|before| before.state == after.state) {
            return Vec::new();
        }
        self.parts.metrics.handoff(after.state.name());
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

    /// After a restart nobody is asking any more: sources that have not answered
    /// a handoff still in packaging are asked again.
    pub(super) async fn ask_again(&self, look: &Look, link: &Link) -> Result<(), Fault> {
        let Some(record) = self.handoff_of(link).await? else { return Ok(()) };
        if record.state != HandoffState::Packaging || self.is_asking(&record.id) {
            return Ok(());
        }
        let waiting = record.sources.iter().filter(|(_, answer)| **answer == SourceAnswer::Waiting);
        let waiting: BTreeSet<AccountId> = waiting.map(|(account, _)| account.clone()).collect();
        if waiting.is_empty() || self.has_answers(&record.id) {
            return Ok(());
        }
        self.ask(look, &record, waiting).await
    }

    /// Handoffs that were announced for a ticket that cannot have one: recorded as failed.
    pub(super) async fn fail_intakes(&self, ticket: &TicketKey, why: &str) -> Result<(), Fault> {
        let prefix = Key::of(&[ticket.account.as_str(), ticket.id.as_str(), ""]);
        for (key, row) in tables::read_all::<IntakeRow>(&*self.parts.store, INTAKES, &prefix, 100).await? {
            let intake = row.value;
            tracing::warn!(handoff = %intake.id, %ticket, why, "An announced handoff has no ticket.");
            let said = Said {
                agent: intake.agent,
                key: intake.key,
                ticket: intake.ticket,
                link: None,
                to: None,
                told: intake.told,
            };
            let sign = Sign::Said(Box::new(said));
            let opening = open_or_join(None, &sign, &BTreeSet::new(), &self.parts.rules, self.now());
            let mut writes = vec![Write::Delete(INTAKES, key)];
            for mut step in opening.into_steps() {
                step.record.state = HandoffState::Failed;
                step.record.failure = Some(why.to_owned());
                writes.push(self.handoff_write(&step.record));
            }
            self.parts.store.commit(Commit { writes, ..Commit::default() }).await?;
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

    /// Tells the engine of a handoff that an AI agent announced: stored, and its
    /// ticket woken, in the commit given.
    pub fn intake(&self, row: &IntakeRow, commit: &mut Commit) {
        let key = Key::of(&[row.ticket.account.as_str(), row.ticket.id.as_str(), row.id.as_str()]);
        commit.writes.push(tables::put(INTAKES, key, row));
    }
}

/// The name under which an AI agent knows a handoff that was known before it said so.
fn name_write(sign: &Sign, record: &Handoff) -> Option<Write> {
    let Sign::Said(said) = sign else { return None };
    let name = handoff_id_from_api(&said.agent, &said.key);
    (name != record.id).then(|| tables::put(HANDOFF_NAMES, Key::of(&[name.as_str()]), &record.id))
}

fn note(at: TicketKey, briefing: Briefing, key: OpKey) -> Intent {
    let message =
        Message::Private(PrivateMessage { author: None, text: briefing.text, attachments: Vec::new() });
    Intent::Update(Update { at, set: BTreeMap::new(), message: Some(message), if_version: None, key })
}

fn ticket_facts(link: &Link, ticket: &TicketKey) -> TicketFacts {
    let shadow = link.sides.get(ticket).map(|side| &side.shadow).unwrap_or(&link.base);
    TicketFacts {
        subject: match shadow.get(&Field::Subject) {
            Some(Value::Text(subject)) => Some(subject.clone()),
            _ => None,
        },
        requester: link.requester.clone(),
        status: match shadow.get(&Field::Status) {
            Some(Value::Status(status)) => Some(*status),
            _ => None,
        },
    }
}
