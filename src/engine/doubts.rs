//! Tickets of which it is not certain which are one conversation: neither joined nor mirrored
//! until an admin, or a change at their helpdesks, decides.

use std::collections::BTreeSet;

use handoffd_core::{
    AccountId, TicketKey,
    link::Link,
    policy::{FieldRule, SyncPolicy},
};

use super::{
    Engine, Fault, Inner,
    backfill::Stage,
    look::Look,
    parked::{OrderError, ParkedOrder},
};
use crate::store::{
    Commit, Key, ReadError, Write,
    tables::{self, LinkRow, PARKED, ParkedRow, Wake},
};

/// The kind of a parked doubt.
pub(super) const JOIN: &str = "join";

/// What the reason of a doubt says.
const AMBIGUOUS: &str = "it is not certain which of them are one conversation; none is joined or mirrored";

/// The accounts about which nothing is decided: no ticket there, none on its way, none parked.
pub(super) fn undecided<'a>(
    link: &'a Link,
    policy: &'a SyncPolicy,
) -> impl Iterator<Item = &'a AccountId> + use<'a> {
    policy.accounts.keys().filter(|account| {
        let has = link.sides.keys().chain(&link.former).any(|ticket| ticket.account == **account);
        !has && !link.creating.contains_key(*account)
            && !link.create_parked.contains_key(*account)
            && !link.by_hand.contains(*account)
    })
}

/// Takes away what was parked about a ticket and an account.
pub(super) fn no_doubt(ticket: &TicketKey, at: &AccountId) -> Write {
    Write::Delete(PARKED, Key::of(&[JOIN, &name(ticket, at)]))
}

fn name(ticket: &TicketKey, at: &AccountId) -> String {
    format!("{ticket}:{at}")
}

/// The ticket that a parked doubt is about.
pub(super) fn ticket_of(row: &ParkedRow) -> Option<TicketKey> {
    let (ticket, _) = row.name.rsplit_once(':')?;
    TicketKey::try_from(ticket.to_owned()).ok()
}

impl Engine {
    /// Neither joins nor mirrors. The answer is to be stored with the link.
    pub(super) fn doubt(
        &self,
        link: &mut Link,
        ticket: &TicketKey,
        at: AccountId,
        all: &BTreeSet<TicketKey>,
    ) -> Write {
        let names: Vec<String> = all.iter().map(TicketKey::to_string).collect();
        let reason = format!("{}: {AMBIGUOUS}", names.join(", "));
        tracing::warn!(%ticket, reason, "A ticket is parked.");
        self.parts.metrics.parked(JOIN);
        let row = ParkedRow {
            kind: JOIN.to_owned(),
            name: name(ticket, &at),
            account: at.clone(),
            link: Some(link.id.clone()),
            reason: reason.clone(),
            since: self.now(),
            causes: None,
        };
        link.create_parked.insert(at.clone(), reason);
        link.doubts.insert(at, all.clone());
        tables::put(PARKED, tables::parked_key(&row), &row)
    }

    /// Carries out an admin's word about a doubt: joined with a ticket, with none, or decided again.
    pub(super) async fn retry_doubt(
        &self,
        row: &ParkedRow,
        order: &ParkedOrder,
    ) -> Result<String, OrderError> {
        let gone = || OrderError::NotThere(order.id.clone());
        let own = ticket_of(row).ok_or_else(gone)?;
        let id = row.link.clone().ok_or_else(gone)?;
        let _taken = self.take(&id).await;
        let stored = tables::read_link(&*self.parts.store, &id).await?;
        let Some(stored) = stored else {
            // Its conversation goes on in another link, which decided.
            let writes = vec![no_doubt(&own, &row.account)];
            self.parts.store.commit(Commit { writes, ..Commit::default() }).await?;
            return Ok(format!("{own} belongs to another conversation by now"));
        };
        let look = Look::at(id, "api");
        let rivals = stored.link.doubts.get(&row.account).into_iter().flatten();
        let rivals: Vec<String> = rivals.map(TicketKey::to_string).collect();
        let done = match &order.join {
            Some(with) => {
                self.join_by_hand(&look, &stored, &own, with, row).await?;
                let (own, with) = (own.to_string(), with.to_string());
                let rest: Vec<String> =
                    rivals.into_iter().filter(|one| *one != own && *one != with).collect();
                let rest = match rest.is_empty() {
                    true => String::new(),
                    false => format!("; retry what is still parked of {}", rest.join(", ")),
                };
                format!("{own} and {with} are one conversation{rest}")
            }
            None => {
                self.decide_doubt(&look, &stored, &own, row, order).await?;
                match order.alone {
                    true => format!("{own} has no ticket at {}; its routes apply to it now", row.account),
                    false => format!("{own} is decided again"),
                }
            }
        };
        let wake = Wake::Ticket { ticket: own.clone(), cause: "api".to_owned() };
        let jobs = vec![wake.job(look.link.as_str(), self.now())];
        self.parts.store.commit(Commit { jobs, ..Commit::default() }).await?;
        Ok(done)
    }

    /// Alone from now on, or to be looked at again.
    async fn decide_doubt(
        &self,
        look: &Look,
        stored: &LinkRow,
        own: &TicketKey,
        row: &ParkedRow,
        order: &ParkedOrder,
    ) -> Result<(), OrderError> {
        let mut link = stored.link.clone();
        link.create_parked.remove(&row.account);
        if order.alone {
            link.doubts.remove(&row.account);
            link.by_hand.insert(row.account.clone());
        }
        let writes = vec![no_doubt(own, &row.account)];
        let done = self.store_link(look, Some(stored), &link, writes, Vec::new()).await;
        done.map_err(|fault| not_done(fault, &order.id))
    }

    async fn join_by_hand(
        &self,
        look: &Look,
        stored: &LinkRow,
        own: &TicketKey,
        with: &TicketKey,
        row: &ParkedRow,
    ) -> Result<(), OrderError> {
        let refuse = |why: String| Err(OrderError::CannotJoin(own.to_string(), with.to_string(), why));
        if with.account != row.account {
            return refuse(format!("name a ticket of {}", row.account));
        }
        if let Some(other) = stored.link.sides.keys().find(|side| side.account == with.account) {
            return refuse(format!("it is joined with {other} already"));
        }
        if let Some(other) = tables::link_of(&*self.parts.store, with).await?
            && let Some(other) = tables::read_link(&*self.parts.store, &other).await?
            && let Some(taken) = other.link.sides.keys().find(|side| side.account == own.account)
        {
            return refuse(format!("{with} is joined with {taken} already"));
        }
        let views = self.read_views(look, &with.account, std::slice::from_ref(&with.id)).await;
        let views = views.map_err(|fault| not_done(fault, &own.to_string()))?;
        if views.is_empty() {
            return refuse("there is no such ticket, or it was merged away".to_owned());
        }
        let united = self.unite(look, stored, own, with, true).await;
        united.map_err(|fault| not_done(fault, &own.to_string()))?;
        tracing::info!(ticket = %own, %with, "Two tickets are joined at an admin's word.");
        Ok(())
    }
}

fn not_done(fault: Fault, what: &str) -> OrderError {
    match fault {
        Fault::Later { .. } => OrderError::Busy(what.to_owned()),
        Fault::Park { why } | Fault::Store { why } => OrderError::Store(why),
    }
}

impl Inner {
    /// Takes the routes away as long as it is not known which conversations the other helpdesks
    /// hold already. A look that did not look for partners leaves mirrors to one that does.
    pub(super) async fn hold_mirrors(
        &self,
        look: &Look,
        link: &Link,
        policy: &mut SyncPolicy,
    ) -> Result<(), Fault> {
        let stage = self.history_stage(&link.group).await?;
        if stage == Stage::Indexing && !look.is_new(&policy.importing) {
            policy.routes.clear();
        }
        if stage != Stage::Matching || look.partners_known {
            return Ok(());
        }
        let open: BTreeSet<AccountId> = undecided(link, policy).cloned().collect();
        let (held, free) =
            std::mem::take(&mut policy.routes).into_iter().partition(|route| open.contains(&route.to));
        policy.routes = free;
        let held: Vec<handoffd_core::policy::Route> = held;
        let wakes = link.sides.keys().filter(|side| held.iter().any(|route| route.from == side.account));
        let wakes = wakes.map(|ticket| Wake::Ticket { ticket: ticket.clone(), cause: "due".to_owned() });
        let jobs: Vec<_> = wakes.map(|wake| wake.job(link.id.as_str(), self.now())).collect();
        if !jobs.is_empty() {
            self.parts.store.commit(Commit { jobs, ..Commit::default() }).await?;
        }
        Ok(())
    }

    /// Whether a ticket is parked because its partner is in doubt.
    pub(super) async fn is_in_doubt(&self, ticket: &TicketKey) -> Result<bool, ReadError> {
        let Some(group) = self.parts.desks.get(&ticket.account).and_then(|desk| desk.group.as_ref()) else {
            return Ok(false);
        };
        let accounts = self.parts.groups.get(group).into_iter().flat_map(|group| &group.accounts);
        for at in accounts {
            let key = Key::of(&[JOIN, &name(ticket, &AccountId::new(at))]);
            if self.parts.store.get(PARKED, &key).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What joined tickets show unequally is decided as the group says, until they are in step.
    pub(super) fn settle_unequal(&self, link: &Link, policy: &mut SyncPolicy) {
        let unites = link.sides.values().any(|side| side.uniting.is_some());
        let Some(rule) = self.join_rules(&link.group).unequal.filter(|_| unites) else { return };
        let owned = |field: &FieldRule| field.from.len() < 2;
        for field in policy.fields.values_mut().filter(|field| !owned(field)) {
            field.conflict = rule.clone();
        }
    }
}
