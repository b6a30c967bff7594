//! Tickets that are one conversation already: joined instead of mirrored, adopted as a
//! follow-up, folded after a merge.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_connectors::contract::Error;
use handoffd_core::{
    AccountId, Fetched, GroupId, LinkId, Observed, RemoteId, TicketKey,
    join::{self, FoldRefused, Partner},
    link::Link,
    policy::SyncPolicy,
    reconcile,
    unpark::{Cause, causes},
};

use super::{Engine, Fault, reconciler::Look};
use crate::store::{
    Commit, CommitError, Key, Write,
    tables::{self, COPIES, LINKS, LinkRow, PARKED, ParkedRow, Row, Wake},
};

/// The most tickets of one account that are read to find the one that is the same conversation.
const READ_MAX: usize = 20;

/// What the reason of a doubt says.
const AMBIGUOUS: &str = "may each be the same conversation";

impl Engine {
    /// What a ticket that is no side of a link belongs to already: the link of the closed ticket
    /// that it follows up. `true`: it was taken into that link.
    pub(super) async fn adopt_follow_up(&self, observed: &Observed) -> Result<bool, Fault> {
        let Some(closed) = &observed.follows else { return Ok(false) };
        let closed = TicketKey::new(observed.ticket.account.clone(), closed.clone());
        let Some(id) = tables::link_of(&*self.parts.store, &closed).await? else { return Ok(false) };
        let Some(_taken) = self.try_take(&id) else { return Err(self.busy(&id)) };
        let Some(row) = tables::read_link(&*self.parts.store, &id).await? else { return Ok(false) };
        if !join::follow_up_of(&row.link, observed) {
            return Ok(false);
        }
        let adopted = join::adopt(&row.link, observed);
        self.store_link(&Look::at(id, "found"), Some(&row), &adopted, Vec::new(), Vec::new()).await?;
        tracing::info!(link = %adopted.id, ticket = %observed.ticket, "A follow-up goes on with its conversation.");
        Ok(true)
    }

    /// The link that a new ticket starts, joined with the tickets of other accounts that are the
    /// same conversation; `None` when it was taken into a link that one of them has.
    pub(super) async fn started(
        &self,
        look: &mut Look,
        policy: &SyncPolicy,
        observed: &Observed,
    ) -> Result<Option<Link>, Fault> {
        let mut link = reconcile::start_link(policy.group.clone(), observed, policy);
        let rules = self.join_rules(&policy.group);
        for (account, tickets) in self.candidates(&policy.group, observed).await? {
            let views = self.read_candidates(look, &account, &tickets).await?;
            match join::find_partner(observed, views.values(), &rules) {
                Partner::None => {}
                Partner::One(ticket, why) => {
                    tracing::info!(ticket = %observed.ticket, with = %ticket, ?why, "Two tickets are one conversation and are joined.");
                    if let Some(id) = tables::link_of(&*self.parts.store, &ticket).await? {
                        if !self.is_taken(&id, &observed.ticket).await? {
                            self.join_into(&id, observed, policy).await?;
                            return Ok(None);
                        }
                        self.doubt(&mut link, observed, account, &[ticket]).await?;
                        continue;
                    }
                    link = join::join(&link, &ticket, policy, &rules);
                    look.observed.extend(views.into_iter().filter(|(one, _)| *one == ticket));
                }
                Partner::Ambiguous(tickets, _) => {
                    self.doubt(&mut link, observed, account, &tickets).await?;
                }
            }
        }
        Ok(Some(link))
    }

    /// Whether a link has a ticket of this one's account already, or is in doubt about several.
    async fn is_taken(&self, id: &LinkId, ticket: &TicketKey) -> Result<bool, Fault> {
        let Some(row) = tables::read_link(&*self.parts.store, id).await? else { return Ok(false) };
        let has_side = row.link.sides.keys().any(|side| side.account == ticket.account && side != ticket);
        let reason = row.link.create_parked.get(&ticket.account);
        Ok(has_side || reason.is_some_and(|reason| reason.contains(AMBIGUOUS)))
    }

    /// Neither joins nor mirrors: an admin sees which tickets are in doubt. They find this one
    /// as well when their turn comes, so that they are not mirrored beside it.
    async fn doubt(
        &self,
        link: &mut Link,
        observed: &Observed,
        account: AccountId,
        tickets: &[TicketKey],
    ) -> Result<(), Fault> {
        let names: Vec<String> = tickets.iter().map(TicketKey::to_string).collect();
        let reason = format!(
            "{} {AMBIGUOUS} as {}; merge what is one at its helpdesk, or retry to have a ticket of its own made at {account}",
            names.join(", "),
            observed.ticket
        );
        tracing::warn!(ticket = %observed.ticket, reason, "It is not certain which ticket is the same conversation.");
        let row = ParkedRow {
            kind: "write".to_owned(),
            name: format!("{}-{account}", link.id),
            account: account.clone(),
            link: Some(link.id.clone()),
            reason: reason.clone(),
            since: self.now(),
            causes: Some(BTreeSet::from([Cause::Create(account.clone())])),
        };
        let writes = vec![tables::put(PARKED, tables::parked_key(&row), &row)];
        self.parts.store.commit(Commit { writes, ..Commit::default() }).await?;
        self.parts.metrics.parked("write");
        self.enter_matches(&link.group, std::slice::from_ref(observed))
            .await
            .map_err(|why| Fault::Store { why })?;
        link.create_parked.insert(account, reason);
        Ok(())
    }

    /// The tickets that may be the same conversation, by account.
    async fn candidates(
        &self,
        group: &GroupId,
        observed: &Observed,
    ) -> Result<BTreeMap<AccountId, BTreeSet<RemoteId>>, Fault> {
        let mut by_account: BTreeMap<AccountId, BTreeSet<RemoteId>> = BTreeMap::new();
        for ticket in self.match_candidates(group, observed).await? {
            let ids = by_account.entry(ticket.account).or_default();
            if ids.len() < READ_MAX {
                ids.insert(ticket.id);
            }
        }
        Ok(by_account)
    }

    async fn read_candidates(
        &self,
        look: &Look,
        account: &AccountId,
        tickets: &BTreeSet<RemoteId>,
    ) -> Result<BTreeMap<TicketKey, Observed>, Fault> {
        let Some(desk) = self.parts.desks.get(account) else { return Ok(BTreeMap::new()) };
        let ids: Vec<RemoteId> = tickets.iter().cloned().collect();
        let fetched: Result<Vec<Fetched>, Error> = desk.helpdesk.fetch_many(self.call(look.lane), &ids).await;
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => return Err(self.put_off(account, &error).await),
        };
        let shown = fetched.into_iter().filter_map(|one| match one {
            Fetched::Shown(observed) => Some((observed.ticket.clone(), *observed)),
            Fetched::Gone(_) | Fetched::MovedTo { .. } => None,
        });
        Ok(shown.collect())
    }

    /// Takes a ticket into a link that has the other ticket already.
    async fn join_into(&self, id: &LinkId, observed: &Observed, policy: &SyncPolicy) -> Result<(), Fault> {
        let Some(_taken) = self.try_take(id) else { return Err(self.busy(id)) };
        let Some(row) = tables::read_link(&*self.parts.store, id).await? else { return Ok(()) };
        let rules = self.join_rules(&policy.group);
        let joined = join::join(&row.link, &observed.ticket, policy, &rules);
        self.store_link(&Look::at(id.clone(), "found"), Some(&row), &joined, Vec::new(), Vec::new()).await
    }

    /// A ticket of `row` was merged into `to`. Where that belongs to another link, the two are one.
    pub(super) async fn merged(
        &self,
        look: &mut Look,
        row: &LinkRow,
        from: &TicketKey,
        to: &TicketKey,
    ) -> Result<(), Fault> {
        let moved = reconcile::moved(&row.link, from, to);
        let other = tables::link_of(&*self.parts.store, to).await?.filter(|other| *other != row.link.id);
        let Some(other) = other else {
            self.store_link(look, Some(row), &moved, Vec::new(), Vec::new()).await?;
            look.refetch.insert(to.clone());
            return Ok(());
        };
        let Some(_taken) = self.try_take(&other) else { return Err(self.busy(&other)) };
        let Some(survivor) = tables::read_link(&*self.parts.store, &other).await? else {
            return self.store_link(look, Some(row), &moved, Vec::new(), Vec::new()).await;
        };
        let policy = self.policy(&row.link.group).ok_or_else(|| Fault::Park {
            why: format!("the link group {} is not configured any more", row.link.group),
        })?;
        let apart = self.join_rules(&row.link.group).comments_apart_ms;
        let folded = join::fold(&survivor.link, &moved, &policy, apart).map_err(|refused| match refused {
            FoldRefused::Busy | FoldRefused::Handoff => Fault::Later {
                at: self.now().plus(self.parts.config.retry_first.0 * 8),
                why: refused.to_string(),
            },
            refused => Fault::Park { why: format!("{from} was merged into {to}: {refused}") },
        })?;
        let mut commit = Commit {
            writes: tables::link_writes(Some(&survivor.link), &folded),
            guards: vec![
                tables::link_guard(&survivor.link.id, Some(survivor.rev)),
                tables::link_guard(&row.link.id, Some(row.rev)),
            ],
            ..Commit::default()
        };
        // Its comments go afterwards: there may be more of them than one commit takes.
        commit.writes.push(Write::Delete(LINKS, Key::of(&[row.link.id.as_str()])));
        commit.jobs.push(Wake::Link { link: row.link.id.clone() }.job(row.link.id.as_str(), self.now()));
        commit.writes.extend(self.rehomed(&row.link.id, &folded).await?);
        for ticket in row.link.sides.keys().chain(&row.link.former) {
            commit.writes.push(tables::put(tables::TICKETS, tables::ticket_key(ticket), &folded.id));
        }
        for chunk in tables::in_chunks(commit, self.parts.store.caps().ops_max) {
            match self.parts.store.commit(chunk).await {
                Ok(_) => {}
                Err(CommitError::Conflict { .. } | CommitError::Indeterminate { .. }) => {
                    return Err(Fault::Later { at: self.now(), why: "a link changed meanwhile".to_owned() });
                }
                Err(error) => return Err(error.into()),
            }
        }
        tracing::info!(from = %from, to = %to, link = %folded.id, "Two conversations were merged at their vendor and are one.");
        Err(Fault::Later { at: self.now(), why: "its conversation goes on in another link".to_owned() })
    }

    /// What was parked of a link that is folded into another is over, or belongs to that one.
    async fn rehomed(&self, from: &LinkId, into: &Link) -> Result<Vec<Write>, Fault> {
        let standing = causes(into);
        let of_writes = Key::of(&["write", ""]);
        let rows = tables::read_all::<ParkedRow>(&*self.parts.store, PARKED, &of_writes, usize::MAX).await?;
        let own = rows.into_iter().filter(|(_, row)| row.value.link.as_ref() == Some(from));
        let write = |(key, row): (Key, Row<ParkedRow>)| match standing
            .iter()
            .any(|cause| *cause.account() == row.value.account)
        {
            true => {
                let row = ParkedRow { link: Some(into.id.clone()), causes: None, ..row.value };
                tables::put(PARKED, key, &row)
            }
            false => Write::Delete(PARKED, key),
        };
        Ok(own.map(write).collect())
    }

    /// Takes away what is left of a link that was folded into another.
    pub(super) async fn clear_copies(&self, link: &LinkId) -> Result<(), Fault> {
        let most = u32::try_from(self.parts.store.caps().ops_max).unwrap_or(u32::MAX);
        let prefix = tables::link_prefix(link);
        loop {
            let page = self.parts.store.page(COPIES, &prefix, None, most).await?;
            if page.rows.is_empty() {
                return Ok(());
            }
            let writes = page.rows.into_iter().map(|(key, _)| Write::Delete(COPIES, key)).collect();
            self.parts.store.commit(Commit { writes, ..Commit::default() }).await?;
        }
    }

    fn busy(&self, link: &LinkId) -> Fault {
        let at = self.now().plus(self.parts.config.retry_first.0);
        Fault::Later { at, why: format!("{link} is in hand") }
    }
}
