//! What came of a handoff's writes, by the helpdesk's own word.

use handoffd_connectors::contract::Lane;
use handoffd_core::{
    CommentsSeen, Handoff, HandoffId, SeenMessage, TicketKey,
    handoff::{
        HandoffEvent, Settled, assign_key, fields_key, holding_key, is_open, wants_assignment, wants_hold,
    },
    intent::{Applied, Intent, Outcome},
    link::Link,
};

use super::{Fault, Inner, Look};
use crate::store::{
    Write,
    tables::{self, IntentRow, JOURNAL},
};

impl Inner {
    /// Whether a briefing was refused with fields beside it: it is written again without them, so
    /// nothing of it stands still.
    pub(in crate::engine) fn goes_bare(row: &IntentRow, outcome: &Outcome) -> bool {
        let with_fields = match &row.intent {
            Intent::Update(update) => update.message.is_some() && !update.set.is_empty(),
            _ => false,
        };
        row.handoff.is_some() && with_fields && matches!(outcome, Outcome::Refused(_))
    }

    /// What came of a write of a handoff's.
    pub(in crate::engine) async fn settle_handoff(
        &self,
        look: &mut Look,
        link: &mut Link,
        id: &HandoffId,
        row: &IntentRow,
        outcome: &Outcome,
        gone: bool,
    ) -> Result<Vec<Write>, Fault> {
        let Some(stored) = self.record_of(id).await? else { return Ok(Vec::new()) };
        let key = row.intent.key();
        let beside = [assign_key(id), holding_key(id), fields_key(id)].contains(key);
        if is_place(row) && !beside && stored.place_key.as_ref() != Some(key) {
            return Ok(Vec::new());
        }
        if beside {
            return self.settle_beside(link, &stored, row, outcome, gone).await;
        }
        if *outcome == Outcome::NotApplied {
            look.observed.remove(&stored.ticket);
        }
        let mut start = stored.clone();
        start.trouble = row.last_error.clone().or(start.trouble);
        let is_late = stored.late_key.as_ref() == Some(key);
        let settled = settled(row, outcome, gone);
        let mut events = vec![match (is_late, is_place(row)) {
            (true, _) => HandoffEvent::LateSettled(settled),
            (false, true) => HandoffEvent::PlaceSettled(settled),
            (false, false) => HandoffEvent::BriefingSettled(settled),
        }];
        if let (false, false, Outcome::Applied(applied)) = (is_late, is_place(row), outcome) {
            events.extend(applied.unset.clone().map(HandoffEvent::FieldsUnset));
            events.push(match shown_in(&stored.ticket, applied) {
                Some(note) => HandoffEvent::BriefingVisible(note),
                None => self.read_back(&with_comment(&stored, applied)).await,
            });
        }
        let rules = self.rules_of(link);
        let mut steps = Vec::new();
        let record = self.advance_all(start, &events, &rules, &mut steps);
        if let (None, Some(delivered)) = (stored.delivered_at, record.delivered_at) {
            self.parts.metrics.briefed(&record, delivered);
        }
        if let Some(why) = record.bare.as_ref().filter(|_| stored.bare.is_none()) {
            tracing::error!(handoff = %id, ticket = %stored.ticket, why, "What goes beside a briefing, accounts.*.handoff, was refused; the briefing is on its ticket without it.");
        }
        let (record, mut writes) = self.carry_effects(look, link, record, &steps).await?;
        writes.push(self.handoff_write(&record));
        writes.extend(self.told_status(Some(&stored), &record).await?);
        for row in self.handoff_journal(Some(&stored), &record) {
            writes.push(tables::put(JOURNAL, self.journal_key(&look.link), &row));
        }
        Ok(writes)
    }

    /// The holding message, the assignment and late fields are sent again only while they are wanted.
    async fn settle_beside(
        &self,
        link: &mut Link,
        record: &Handoff,
        row: &IntentRow,
        outcome: &Outcome,
        gone: bool,
    ) -> Result<Vec<Write>, Fault> {
        let key = row.intent.key();
        let is_hold = *key == holding_key(&record.id);
        let is_fields = *key == fields_key(&record.id);
        let wanted = match (is_hold, is_fields) {
            (true, _) => wants_hold(record),
            (_, true) => is_open(record),
            _ => wants_assignment(record),
        };
        match outcome {
            Outcome::Refused(why) if !is_hold && !is_fields => {
                tracing::error!(handoff = %record.id, ticket = %record.ticket, why, "The agent whom an AI agent asks for cannot be given the ticket.");
                let unassigned = Some(format!("the helpdesk refuses it: {why}"));
                Ok(vec![self.handoff_write(&Handoff { unassigned, ..record.clone() })])
            }
            Outcome::NotApplied if wanted && !gone => {
                let intent = self.fetch_back(row.intent.clone()).await?;
                Ok(vec![self.leaves(link, record, intent).await?])
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Looks for the briefing on its ticket.
    pub(super) async fn read_back(&self, record: &Handoff) -> HandoffEvent {
        let (Some(desk), Some(id)) =
            (self.parts.desks.get(&record.ticket.account), record.briefing_comment.as_ref())
        else {
            return HandoffEvent::BriefingNotVisible;
        };
        match desk.helpdesk.comments(self.call(Lane::Handoff), &record.ticket.id).await {
            Ok(comments) => match comments.iter().find(|comment| comment.id() == id) {
                Some(note) => HandoffEvent::BriefingVisible(SeenMessage {
                    ticket: record.ticket.clone(),
                    id: id.clone(),
                    at: note.at(),
                }),
                None => HandoffEvent::BriefingNotVisible,
            },
            Err(error) => {
                tracing::warn!(handoff = %record.id, ticket = %record.ticket, %error, "A briefing could not be read back.");
                HandoffEvent::BriefingUnread
            }
        }
    }
}

/// Whether a write carries only what goes beside a briefing.
fn is_place(row: &IntentRow) -> bool {
    let Intent::Update(update) = &row.intent else { return false };
    let of_handoff = |id: &HandoffId| *row.intent.key() != assign_key(id);
    update.message.is_none() && row.handoff.as_ref().is_some_and(of_handoff)
}

fn with_comment(record: &Handoff, applied: &Applied) -> Handoff {
    Handoff { briefing_comment: applied.comment.clone(), ..record.clone() }
}

/// The note as the write's answer shows it.
fn shown_in(ticket: &TicketKey, applied: &Applied) -> Option<SeenMessage> {
    let id = applied.comment.clone()?;
    let listed = applied.shown.as_ref().and_then(|shown| match &shown.comments {
        CommentsSeen::All(comments) => comments.iter().find(|comment| *comment.id() == id),
        _ => None,
    });
    let at = applied.written_at.or_else(|| listed.map(handoffd_core::Comment::at))?;
    Some(SeenMessage { ticket: ticket.clone(), id, at })
}

fn settled(row: &IntentRow, outcome: &Outcome, gone: bool) -> Settled {
    match outcome {
        Outcome::Applied(applied) => Settled::Applied { comment: applied.comment.clone() },
        Outcome::NotApplied if gone => Settled::Refused("the ticket is gone".to_owned()),
        Outcome::NotApplied => Settled::NotApplied,
        Outcome::Lost => Settled::Lost,
        Outcome::Closed => Settled::Refused("the ticket is closed and takes no writes".to_owned()),
        Outcome::Refused(why) if Inner::goes_bare(row, outcome) => Settled::FieldsRefused(why.clone()),
        Outcome::Refused(why) => Settled::Refused(why.clone()),
    }
}
