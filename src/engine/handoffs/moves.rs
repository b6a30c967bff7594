//! Handoffs whose tickets were merged or joined, whose ticket is no more, and whose writes are
//! tried again at an admin's word.

use std::collections::BTreeSet;

use handoffd_core::{
    Handoff, HandoffId, HandoffState, LinkId, OpKey, TicketKey,
    handoff::{Ground, Said, Sign, handoff_id_from_api, open_or_join, tried_again},
    intent::Outcome,
    join::{FoldRefused, moved_to, one_handoff},
    link::{Link, Standing},
    reconcile,
    unpark::forget_ours,
};

use super::{Fault, Inner, Look};
use crate::{
    engine::accounts::Vendors,
    store::{
        Key, Write,
        tables::{self, HANDOFFS, INTAKES, INTENTS, IntakeRow, IntentRow, JOURNAL, Row},
    },
};

/// A link whose ticket was merged into another, and its handoff.
pub(in crate::engine) struct Moved {
    pub(in crate::engine) link: Link,
    /// The handoff as it was.
    pub(in crate::engine) before: Option<Handoff>,
    /// The handoff as it is now.
    pub(in crate::engine) record: Option<Handoff>,
    pub(in crate::engine) writes: Vec<Write>,
}

/// What trying a handoff's parked write again comes to.
pub(in crate::engine) enum Again {
    /// It is no handoff's write.
    NoHandoffs,
    /// Nothing is to be written any more, in words for an admin.
    Over(String),
    /// It is written again: the link, and what is to be committed with it.
    Sent(Box<Link>, Vec<Write>),
}

impl Inner {
    /// A link after its ticket was merged into another at their helpdesk, with its handoff: a
    /// briefing that is certainly not there yet goes to the ticket that goes on.
    pub(in crate::engine) async fn handoff_moved(
        &self,
        link: &Link,
        from: &TicketKey,
        to: &TicketKey,
    ) -> Result<Moved, Fault> {
        let before = self.handoff_of(link).await?;
        let mut moved =
            Moved { link: link.clone(), record: before.clone(), before: before.clone(), writes: Vec::new() };
        if let Some(record) = before {
            let unsent = self.unsent_briefing(link, &record).await?;
            let rules = self.rules_of(link);
            let again = moved_to(&record, from, to, unsent.is_some(), &rules, self.now());
            if let (Some(_), Some((key, row))) = (&again, unsent)
                && let Some(policy) = self.policy(&link.group)
            {
                let vendors = Vendors(&self.parts.desks);
                let settled =
                    reconcile::settle(link, &row.value.intent, &Outcome::NotApplied, &policy, &vendors);
                moved.link = settled.link;
                moved.writes.push(Write::Delete(INTENTS, key));
            }
            moved.record = again.or(moved.record);
        }
        moved.link = reconcile::moved(&moved.link, from, to);
        Ok(moved)
    }

    /// The write of a briefing that certainly never left.
    async fn unsent_briefing(
        &self,
        link: &Link,
        record: &Handoff,
    ) -> Result<Option<(Key, Row<IntentRow>)>, Fault> {
        let Some(key) = record.briefing_key.as_ref().filter(|_| record.state == HandoffState::Delivering)
        else {
            return Ok(None);
        };
        let key = tables::intent_key(&link.id, key);
        let row = tables::read::<IntentRow>(&*self.parts.store, INTENTS, &key).await?;
        let unsent = |row: &Row<IntentRow>| row.value.sent_at.is_none() && row.value.run == self.parts.run;
        Ok(row.filter(unsent).map(|row| (key, row)))
    }

    /// The rows of a handoff that changed, with what is told of it.
    pub(in crate::engine) async fn record_writes(
        &self,
        link: &LinkId,
        before: Option<&Handoff>,
        after: &Handoff,
    ) -> Result<Vec<Write>, Fault> {
        if before == Some(after) {
            return Ok(Vec::new());
        }
        let mut writes = vec![self.handoff_write(after)];
        writes.extend(self.told_status(before, after).await?);
        for row in self.handoff_journal(before, after) {
            writes.push(tables::put(JOURNAL, self.journal_key(link), &row));
        }
        Ok(writes)
    }

    /// The handoff of two conversations that are one, and the rows that change; `theirs` as it was
    /// and as it is now.
    pub(in crate::engine) async fn folded_handoff(
        &self,
        link: &Link,
        before: Option<&Handoff>,
        theirs: Option<&Handoff>,
    ) -> Result<Result<(Option<HandoffId>, Vec<Write>), FoldRefused>, Fault> {
        let ours = self.handoff_of(link).await?;
        let one = one_handoff(&link.id, ours.as_ref(), theirs, &self.rules_of(link), self.now());
        let one = match one {
            Ok(one) => one,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut changed = one.changed;
        if let Some(theirs) = theirs.filter(|theirs| changed.iter().all(|record| record.id != theirs.id)) {
            changed.push(theirs.clone());
        }
        let mut writes = Vec::new();
        for record in &changed {
            let was = ours.as_ref().into_iter().chain(before).find(|was| was.id == record.id);
            writes.extend(self.record_writes(&link.id, was, record).await?);
        }
        Ok(Ok((one.id, writes)))
    }

    /// How many writes of a link are stored that are not settled, at most two.
    pub(in crate::engine) async fn writes_of(&self, link: &LinkId) -> Result<usize, Fault> {
        let prefix = tables::link_prefix(link);
        Ok(self.parts.store.page(INTENTS, &prefix, None, 2).await?.rows.len())
    }

    /// The writes that record an announced handoff as failed. One that was taken in before
    /// stays as it is.
    pub(super) async fn failed_intake(
        &self,
        key: Key,
        intake: IntakeRow,
        why: &str,
    ) -> Result<Vec<Write>, Fault> {
        let mut writes = vec![Write::Delete(INTAKES, key)];
        let id = handoff_id_from_api(&intake.agent, &intake.key);
        if self.parts.store.get(HANDOFFS, &Key::of(&[id.as_str()])).await?.is_some() {
            return Ok(writes);
        }
        tracing::warn!(handoff = %intake.id, ticket = %intake.ticket, why, "An announced handoff has no ticket.");
        let said = Said {
            agent: intake.agent,
            key: intake.key,
            ticket: intake.ticket,
            link: None,
            at: intake.at,
            kind: intake.kind,
            to: None,
            wanted: intake.wanted,
            told: intake.told,
        };
        let sources = BTreeSet::new();
        let (rules, now) = (&self.parts.rules, self.now());
        let ground = Ground { sources: &sources, rules, now, heard: None, spoke: None };
        for mut step in open_or_join(None, &Sign::Said(Box::new(said)), &ground).into_steps() {
            step.record.state = HandoffState::Failed;
            step.record.failure = Some(why.to_owned());
            writes.push(self.handoff_write(&step.record));
            writes.extend(self.told_status(None, &step.record).await?);
        }
        Ok(writes)
    }

    /// What an admin's word about a parked write comes to that may be a handoff's.
    pub(in crate::engine) async fn handoff_again(
        &self,
        look: &mut Look,
        link: &Link,
        name: &str,
    ) -> Result<Again, Fault> {
        let owner = name.split_once('-').map_or(name, |(owner, _)| owner);
        let Some(stored) = self.record_of(&HandoffId(owner.to_owned())).await? else {
            return Ok(Again::NoHandoffs);
        };
        if link.handoff.as_ref() != Some(&stored.id) {
            return Ok(Again::Over("its conversation has a newer handoff".to_owned()));
        }
        let key = OpKey(name.to_owned());
        let Some(step) = tried_again(&stored, &key) else {
            let state = stored.state.name();
            return Ok(Again::Over(format!("its handoff is {state} and waits for nothing of it")));
        };
        let mut link = forget_ours(link, &key);
        let (record, mut writes) =
            self.carry_effects(look, &mut link, step.record.clone(), std::slice::from_ref(&step)).await?;
        writes.extend(self.record_writes(&look.link, Some(&stored), &record).await?);
        Ok(Again::Sent(Box::new(link), writes))
    }
}

/// The ticket on which what is said of `ticket` belongs now: it, or the one of its helpdesk that goes
/// on after it; `None` where there is none.
pub(super) fn goes_on_at(link: &Link, ticket: &TicketKey) -> Option<TicketKey> {
    match link.sides.get(ticket).map(|side| side.standing) {
        Some(Standing::Live) => Some(ticket.clone()),
        Some(Standing::Gone) => None,
        Some(Standing::Closed) | None => link.side_at(&ticket.account).map(|(live, _)| live.clone()),
    }
}
