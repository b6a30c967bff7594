//! What was seen of handoffs, and what AI agents said.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use handoffd_core::{
    CommentsSeen, Detected, Field, Handoff, HandoffId, HandoffKind, Observed, Owner, Role, SeenMessage,
    TicketKey, Timestamp, Value,
    handoff::{
        Ground, HandoffEvent, HandoffStep, Said, Seen, Sign, detect_handoff, is_open, open_or_join,
        without_ours,
    },
    link::{Link, Origin, Standing},
};

use super::{Fault, Inner, Look, name_write};
use crate::store::{
    Key, Write,
    tables::{self, INTAKES, IntakeRow, JournalRow},
};

/// How far a vendor's clock may be behind ours.
const CLOCKS_DIFFER: Duration = Duration::from_secs(2);

/// What the signs of one look come to.
pub(in crate::engine) struct Signs {
    pub(in crate::engine) writes: Vec<Write>,
    pub(in crate::engine) steps: Vec<HandoffStep>,
    pub(in crate::engine) journal: Vec<JournalRow>,
    /// Something is to be carried out at once.
    pub(in crate::engine) acted: bool,
}

impl Inner {
    /// Every change of owner that a view shows against what was known before. What `last` wrote
    /// itself, and what is on its way, changes nobody's hands.
    fn detect(
        &self,
        link: &Link,
        observed: &BTreeMap<TicketKey, Observed>,
        last: Option<&Handoff>,
    ) -> Vec<Detected> {
        let seen = observed.iter().filter_map(|(ticket, shown)| {
            let side = link.sides.get(ticket).filter(|side| shown.version >= side.seen)?;
            let placed = last.filter(|last| last.ticket == *ticket).map(|last| &last.placed);
            let flying =
                side.in_flight.iter().flat_map(|(field, all)| all.iter().map(move |one| (field, one)));
            let known = match before_follow_up(link, shown) {
                Some(earlier) if side.shadow.is_empty() => earlier,
                _ => without_ours(&side.shadow, &shown.fields, placed.into_iter().flatten().chain(flying)),
            };
            detect_handoff(ticket, &known, shown, &self.parts.rules)
        });
        seen.collect()
    }

    /// Takes in what was said and seen of handoffs. The records, and the writes
    /// that they call for, travel in the commit of the look.
    pub(in crate::engine) async fn take_signs(
        &self,
        look: &mut Look,
        before: &Link,
        after: &mut Link,
    ) -> Result<Signs, Fault> {
        let mut signs = Signs { writes: Vec::new(), steps: Vec::new(), journal: Vec::new(), acted: false };
        let stored = self.handoff_of(after).await?;
        let mut last = stored.clone();
        let detected = self.detect(before, &look.observed, last.as_ref());
        let rules = self.rules_of(after);
        let sources = self.sources();
        let ground = Ground { sources: &sources, rules: &rules, now: self.now(), heard: heard(after) };
        for sign in self.gather(after, detected, &mut signs.writes).await? {
            for step in open_or_join(last.as_ref(), &sign, &ground).into_steps() {
                signs.writes.extend(name_write(&sign, &step.record));
                last = Some(step.record.clone());
                signs.steps.push(step);
            }
        }
        let Some(record) = last else { return Ok(signs) };
        let record = {
            let events = self.events(look, before, after, &record);
            self.advance_all(record, &events, &rules, &mut signs.steps)
        };
        signs.journal = self.signs_journal(stored.as_ref(), &signs.steps);
        after.handoff = Some(record.id.clone());
        self.carry_records(look, after, stored.as_ref(), &record, &mut signs).await?;
        Ok(signs)
    }

    /// Every record that a step changed, as it is now, with what its effects call for.
    async fn carry_records(
        &self,
        look: &mut Look,
        after: &mut Link,
        stored: Option<&Handoff>,
        newest: &Handoff,
        signs: &mut Signs,
    ) -> Result<(), Fault> {
        let mut records: Vec<Handoff> = Vec::new();
        for step in &signs.steps {
            match records.iter_mut().find(|record| record.id == step.record.id) {
                Some(record) => *record = step.record.clone(),
                None => records.push(step.record.clone()),
            }
        }
        let steps = signs.steps.clone();
        for record in records {
            let (record, writes) = self.carry_effects(look, after, record, &steps).await?;
            signs.acted |= record.id == newest.id && !writes.is_empty();
            signs.writes.extend(writes);
            if stored != Some(&record) {
                let before = stored.filter(|stored| stored.id == record.id);
                signs.writes.extend(self.told_status(before, &record).await?);
                signs.writes.push(self.handoff_write(&record));
            }
        }
        Ok(())
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
                signs.push(Sign::Said(Box::new(self.said(link, row.value))));
            }
        }
        signs.extend(other.into_iter().map(as_sign));
        Ok(signs)
    }

    fn said(&self, link: &Link, intake: IntakeRow) -> Said {
        let group = intake.wanted.queue.as_ref();
        let group = group.and_then(|queue| self.queue_at(link, &intake.ticket.account, queue));
        Said {
            agent: intake.agent,
            key: intake.key,
            ticket: intake.ticket,
            link: Some(link.id.clone()),
            to: group.map(|group| Owner::Human { assignee: None, group: Some(group) }),
            wanted: intake.wanted,
            told: intake.told,
        }
    }

    /// What the look shows about an open handoff: the next owner's words, the end.
    fn events(&self, look: &Look, before: &Link, after: &Link, record: &Handoff) -> Vec<HandoffEvent> {
        let mut events: Vec<HandoffEvent> = Vec::new();
        if !is_open(record) {
            return events;
        }
        if let Some((at, message)) = self.owner_spoke(look, before, after, record.detected_at) {
            events.push(HandoffEvent::OwnerSpoke { at, message });
        }
        let status = after.base.get(&Field::Status).and_then(Value::as_status);
        if status.is_some_and(|status| {
            matches!(status, handoffd_core::Status::Solved | handoffd_core::Status::Closed)
        }) {
            events.push(HandoffEvent::Solved);
        }
        events
    }

    /// When a human agent wrote publicly, in a comment that this look took in. Words of ours, and
    /// those that an AI agent said through us, are no human's.
    fn owner_spoke(
        &self,
        look: &Look,
        before: &Link,
        after: &Link,
        detected_at: Timestamp,
    ) -> Option<(Timestamp, SeenMessage)> {
        let new =
            after.copies.iter().filter(|(number, copy)| copy.public && !before.copies.contains_key(number));
        let mut spoken = new.filter_map(|(_, copy)| {
            let Origin::Comment(key) = &copy.origin else { return None };
            let CommentsSeen::All(comments) = &look.observed.get(&key.ticket)?.comments else { return None };
            let comment = comments.iter().find(|comment| comment.id() == &key.id)?;
            let author = comment.author();
            let is_bot = author.id.as_ref().is_some_and(|id| self.is_bot(&key.ticket.account, id));
            // What was said before the handoff was known accepts nothing. Clocks differ a little.
            let is_late_enough = copy.at.plus(CLOCKS_DIFFER) >= detected_at;
            let message = SeenMessage { id: comment.id().clone(), at: comment.at() };
            (author.role == Role::Agent && !is_bot && is_late_enough).then_some((copy.at, message))
        });
        spoken.next()
    }

    /// Whether an agent of a helpdesk is an AI agent.
    pub(super) fn is_bot(&self, account: &handoffd_core::AccountId, id: &handoffd_core::RemoteId) -> bool {
        let speaks = |voice: &crate::engine::Voice| voice.speaks_as.get(account) == Some(id);
        self.parts.rules.bots.get(account).is_some_and(|marks| marks.assignees.contains(id))
            || self.parts.voices.values().any(speaks)
    }
}

/// When the customer said something last.
fn heard(link: &Link) -> Option<Timestamp> {
    let theirs = link.copies.values().filter(|copy| copy.public && copy.by == Some(Role::Customer));
    theirs.map(|copy| copy.at).max()
}

/// What the closed ticket showed that a new one follows up: whoever had it hands over to whoever has
/// the new one.
fn before_follow_up(link: &Link, shown: &Observed) -> Option<handoffd_core::Fields> {
    let closed = TicketKey::new(shown.ticket.account.clone(), shown.follows.clone()?);
    let earlier = link.sides.get(&closed)?;
    let owners: BTreeSet<Field> = [Field::Assignee, Field::Group, Field::Tags, Field::Status].into();
    let known = earlier.shadow.iter().filter(|(field, _)| owners.contains(field));
    let mut known: handoffd_core::Fields = known.map(|(field, value)| (*field, value.clone())).collect();
    known.insert(Field::Status, Value::Status(handoffd_core::Status::Closed));
    Some(known)
}
