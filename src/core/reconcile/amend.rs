//! Changes of messages that stand already, and deletions.

use super::{AMENDMENTS_MAX, Planner};
use crate::{
    comments::change::{self, Due, Remedy},
    decision::Decision,
    intent::{Amend, Amendment, Delete, Intent},
    link::Standing,
    merge::Views,
    model::ids::TicketKey,
    policy::Deletions,
};

impl Planner<'_> {
    /// Mirrored messages follow what became of their originals, after whatever
    /// else the ticket is to receive.
    pub(super) fn plan_amendments(&mut self, ticket: &TicketKey, views: &Views<'_>) {
        for due in change::due(&self.plan.link, ticket) {
            if self.amendments >= AMENDMENTS_MAX && !self.ground.policy.at_once {
                self.requeue();
                return;
            }
            match change::remedy(&self.plan.link, views, &due, ticket, self.ground.policy) {
                Remedy::Amend(amendment) => self.push_amendment(ticket, due, amendment),
                Remedy::Look(at) => drop(self.plan.look_at_comments.insert(at)),
                Remedy::Lost => self.give_up(ticket, &due),
            }
        }
    }

    fn push_amendment(&mut self, ticket: &TicketKey, due: Due, change: Amendment) {
        self.amendments += 1;
        let key = self.plan.link.take_op();
        if let Some(side) = self.plan.link.sides.get_mut(ticket) {
            side.outstanding.insert(key.clone());
        }
        let copy = self.plan.link.copies.get_mut(&due.number);
        if let Some(changes) = copy.and_then(|copy| copy.due.get_mut(ticket)) {
            changes.insert(due.change, Some(key.clone()));
        }
        let amend = Amend { at: ticket.clone(), comment: due.comment, change, key };
        self.plan.intents.push(Intent::Amend(amend));
    }

    fn give_up(&mut self, ticket: &TicketKey, due: &Due) {
        if let Some(copy) = self.plan.link.copies.get_mut(&due.number) {
            copy.due.remove(ticket);
        }
        let reason = "the original is not there any more".to_owned();
        let (number, ticket, change) = (due.number, ticket.clone(), due.change);
        self.plan.decisions.push(Decision::NotAmended { number, ticket, change, reason });
    }

    /// Where the link group says so, mirrors whose originals are all deleted are
    /// deleted too. Never a ticket that people made.
    pub(super) fn plan_deletions(&mut self) {
        let sides = &self.plan.link.sides;
        let mut originals = sides.values().filter(|side| !side.made).peekable();
        let is_over = originals.peek().is_some() && originals.all(|side| side.standing == Standing::Gone);
        if self.ground.policy.deletions != Deletions::Propagate || !is_over {
            return;
        }
        let mirrors: Vec<_> =
            sides.iter().filter(|(_, side)| side.made).map(|(key, _)| key.clone()).collect();
        for ticket in mirrors {
            if self.may_write(&ticket) && self.ground.policy.can(&ticket.account).delete {
                self.push_deletion(ticket);
            }
        }
    }

    fn push_deletion(&mut self, ticket: TicketKey) {
        let key = self.plan.link.take_op();
        if let Some(side) = self.plan.link.sides.get_mut(&ticket) {
            side.outstanding.insert(key.clone());
        }
        self.plan.decisions.push(Decision::Deleting { ticket: ticket.clone() });
        self.plan.intents.push(Intent::Delete(Delete { at: ticket, key }));
    }
}
