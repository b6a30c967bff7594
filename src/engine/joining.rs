//! Tickets that are one conversation already: joined instead of mirrored, adopted as a
//! follow-up, folded after a merge.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{
    AccountId, CommentsSeen, Fetched, GroupId, LinkId, Observed, RemoteId, TicketKey,
    join::{self, Card, FoldRefused, Known, Partner, Tie},
    link::Link,
    policy::SyncPolicy,
    reconcile,
    unpark::causes,
};

use super::{
    Engine, Fault,
    backfill::Stage,
    doubts::{no_doubt, undecided},
    handoffs::Moved,
    look::Look,
};
use crate::store::{
    Commit, CommitError, Key, Write,
    tables::{self, COPIES, LINKS, LinkRow, PARKED, ParkedRow, Row, Wake},
};

/// The most tickets of one account of an earlier doubt that are read again.
const DOUBTFUL_MAX: usize = 50;

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
        for (account, partner) in self.partners(look, &link, policy, observed).await? {
            match partner {
                Partner::None => {}
                Partner::One(ticket, why) => {
                    tracing::info!(ticket = %observed.ticket, with = %ticket, ?why, "Two tickets are one conversation and are joined.");
                    if let Some(id) = tables::link_of(&*self.parts.store, &ticket).await? {
                        self.join_into(&id, observed, policy).await?;
                        return Ok(None);
                    }
                    let view = self.partner_view(look, policy, observed, &ticket).await?;
                    link = join::join(&link, &ticket, policy, &rules);
                    look.observed.insert(ticket, view);
                }
                Partner::Ambiguous(tickets) => {
                    let park = self.doubt(&mut link, &observed.ticket, account, &tickets);
                    self.stored(Commit { writes: vec![park], ..Commit::default() })
                        .await
                        .map_err(|why| Fault::Store { why })?;
                }
            }
        }
        Ok(Some(link))
    }

    /// The same for a ticket that has a link already and no ticket at an account: it was started
    /// while nobody knew yet what the other helpdesks hold, or was in doubt. `true`: the link changed.
    pub(super) async fn decided_anew(
        &self,
        look: &mut Look,
        row: &LinkRow,
        observed: &Observed,
    ) -> Result<bool, Fault> {
        let Some(policy) = self.policy(&row.link.group) else { return Ok(false) };
        let mut link = row.link.clone();
        let mut writes = Vec::new();
        for (account, partner) in self.partners(look, &link, &policy, observed).await? {
            match partner {
                Partner::None => {
                    link.doubts.remove(&account);
                    writes.push(no_doubt(&observed.ticket, &account));
                }
                Partner::One(ticket, why) => {
                    tracing::info!(ticket = %observed.ticket, with = %ticket, ?why, "Two tickets are one conversation and are joined.");
                    self.unite(look, row, &observed.ticket, &ticket, false).await?;
                    return Ok(true);
                }
                Partner::Ambiguous(tickets) => {
                    writes.push(self.doubt(&mut link, &observed.ticket, account, &tickets));
                }
            }
        }
        if link == row.link {
            return Ok(false);
        }
        self.store_link(look, Some(row), &link, writes, Vec::new()).await?;
        Ok(true)
    }

    /// Which tickets of the accounts about which nothing is decided are the same conversation.
    async fn partners(
        &self,
        look: &mut Look,
        link: &Link,
        policy: &SyncPolicy,
        observed: &Observed,
    ) -> Result<Vec<(AccountId, Partner)>, Fault> {
        let group = &policy.group;
        let rules = self.join_rules(group);
        let stage = self.history_stage(group).await?;
        look.partners_known = true;
        let mut found = Vec::new();
        let open: Vec<AccountId> = undecided(link, policy).cloned().collect();
        if open.is_empty() || stage == Stage::Indexing || !rules.joins() {
            return Ok(found);
        }
        let card = self.card_of(group, observed).await?;
        if stage == Stage::Matching {
            let entered = self.enter_matches(group, std::slice::from_ref(&card)).await;
            entered.map_err(|why| Fault::Store { why })?;
        }
        for account in open {
            let known = match (stage, link.doubts.get(&account)) {
                (Stage::Matching, _) => self.known_from_index(group, card.clone(), &account).await?,
                (_, Some(doubtful)) => self.known_anew(look, group, &card, &account, doubtful).await?,
                (_, None) => continue,
            };
            let partner = join::partner(&observed.ticket, &account, &known, &rules);
            found.push((account, partner));
        }
        Ok(found)
    }

    /// What the tickets of an earlier doubt show now.
    async fn known_anew(
        &self,
        look: &Look,
        group: &GroupId,
        card: &Card,
        at: &AccountId,
        doubtful: &BTreeSet<TicketKey>,
    ) -> Result<BTreeMap<TicketKey, Known>, Fault> {
        let own = Known { card: card.clone(), tie: Tie::Free };
        let mut known = BTreeMap::from([(card.ticket.clone(), own)]);
        for account in [at, &card.ticket.account] {
            let others = doubtful.iter().filter(|one| one.account == *account && **one != card.ticket);
            let ids: Vec<RemoteId> = others.take(DOUBTFUL_MAX).map(|one| one.id.clone()).collect();
            let other = if account == at { &card.ticket.account } else { at };
            for view in self.read_views(look, account, &ids).await? {
                let tie = self.tie(&view.ticket, other).await?;
                let card = self.card_of(group, &view).await?;
                known.insert(view.ticket, Known { card, tie });
            }
        }
        Ok(known)
    }

    pub(super) async fn read_views(
        &self,
        look: &Look,
        account: &AccountId,
        ids: &[RemoteId],
    ) -> Result<Vec<Observed>, Fault> {
        let Some(desk) = self.parts.desks.get(account).filter(|_| !ids.is_empty()) else {
            return Ok(Vec::new());
        };
        let fetched = match desk.helpdesk.fetch_many(self.call(look.lane), ids).await {
            Ok(fetched) => fetched,
            Err(error) => return Err(self.put_off(account, &error).await),
        };
        let mut views = Vec::new();
        for one in fetched {
            let Fetched::Shown(mut view) = one else { continue };
            if self.join_rules_of(account).is_some_and(|rules| rules.first_message)
                && view.comments == CommentsSeen::NotLooked
            {
                match desk.helpdesk.comments(self.call(look.lane), &view.ticket.id).await {
                    Ok(comments) => view.comments = CommentsSeen::All(comments),
                    Err(error) => return Err(self.put_off(account, &error).await),
                }
            }
            views.push(*view);
        }
        Ok(views)
    }

    fn join_rules_of(&self, account: &AccountId) -> Option<join::JoinRules> {
        let group = self.parts.desks.get(account)?.group.as_ref()?;
        Some(self.join_rules(group))
    }

    /// What the partner shows. It may have changed since it was entered into the index: then it is
    /// entered anew and decided again.
    async fn partner_view(
        &self,
        look: &Look,
        policy: &SyncPolicy,
        observed: &Observed,
        ticket: &TicketKey,
    ) -> Result<Observed, Fault> {
        let again = |why: &str| Fault::Later { at: self.now(), why: format!("{ticket} {why}") };
        let store = |why: String| Fault::Store { why };
        let views = self.read_views(look, &ticket.account, std::slice::from_ref(&ticket.id)).await?;
        let Some(view) = views.into_iter().next() else {
            self.leave_matches(&policy.group, ticket).await.map_err(store)?;
            return Err(again("is not there any more"));
        };
        let (mine, theirs) =
            (self.card_of(&policy.group, observed).await?, self.card_of(&policy.group, &view).await?);
        if join::fits(&mine, &theirs, &self.join_rules(&policy.group)).is_none() {
            self.enter_matches(&policy.group, &[theirs]).await.map_err(store)?;
            return Err(again("has changed meanwhile"));
        }
        Ok(view)
    }

    /// Takes a ticket into a link that has the other ticket already.
    async fn join_into(&self, id: &LinkId, observed: &Observed, policy: &SyncPolicy) -> Result<(), Fault> {
        let Some(_taken) = self.try_take(id) else { return Err(self.busy(id)) };
        let Some(row) = tables::read_link(&*self.parts.store, id).await? else { return Ok(()) };
        let rules = self.join_rules(&policy.group);
        let account = &observed.ticket.account;
        let mut joined = join::join(&row.link, &observed.ticket, policy, &rules);
        joined.create_parked.remove(account);
        joined.doubts.remove(account);
        let writes = row.link.sides.keys().map(|side| no_doubt(side, account)).collect();
        self.store_link(&Look::at(id.clone(), "found"), Some(&row), &joined, writes, Vec::new()).await
    }

    /// Makes the link of one ticket and another ticket, with the link that it may have, one.
    pub(super) async fn unite(
        &self,
        look: &Look,
        row: &LinkRow,
        own: &TicketKey,
        with: &TicketKey,
        by_hand: bool,
    ) -> Result<(), Fault> {
        let Some(policy) = self.policy(&row.link.group) else { return Ok(()) };
        let rules = self.join_rules(&row.link.group);
        let settle = |link: &mut Link| {
            for (account, other) in [(&with.account, &own.account), (&own.account, &with.account)] {
                link.create_parked.remove(account);
                link.doubts.remove(account);
                if by_hand {
                    link.by_hand.insert(other.clone());
                }
            }
        };
        let writes = vec![no_doubt(own, &with.account), no_doubt(with, &own.account)];
        let Some(other) = tables::link_of(&*self.parts.store, with).await? else {
            let mut joined = join::join(&row.link, with, &policy, &rules);
            settle(&mut joined);
            return self.store_link(look, Some(row), &joined, writes, Vec::new()).await;
        };
        let Some(_taken) = self.try_take(&other) else {
            // Two that wait for each other do not wait equally long.
            let wait = self.parts.config.retry_first.0 * if row.link.id > other { 3 } else { 1 };
            return Err(Fault::Later { at: self.now().plus(wait), why: format!("{other} is in hand") });
        };
        let Some(other) = tables::read_link(&*self.parts.store, &other).await? else {
            return Err(Fault::Later { at: self.now(), why: "a link went meanwhile".to_owned() });
        };
        let refused = |refused| self.not_folded(refused, own, with);
        self.no_writes_of(&other.link, 0).await?;
        let theirs = self.handoff_of(&other.link).await?;
        let handoff = self.folded_handoff(&row.link, theirs.as_ref(), theirs.as_ref()).await?;
        let (handoff, rows) = handoff.map_err(refused)?;
        let folded = join::fold(&row.link, &other.link, handoff, &policy, rules.comments_apart_ms);
        let mut folded = folded.map_err(refused)?;
        settle(&mut folded);
        self.store_folded(row, &other, &folded, [writes, rows].concat()).await
    }

    fn not_folded(&self, refused: FoldRefused, from: &TicketKey, to: &TicketKey) -> Fault {
        match refused {
            FoldRefused::Busy | FoldRefused::Handoff => Fault::Later {
                at: self.now().plus(self.parts.config.retry_first.0 * 8),
                why: refused.to_string(),
            },
            refused => Fault::Park { why: format!("{from} and {to} are one conversation: {refused}") },
        }
    }

    /// A link with stored writes, but for those that are taken back, is not folded into another: they
    /// are carried out first.
    async fn no_writes_of(&self, link: &Link, taken_back: usize) -> Result<(), Fault> {
        if self.writes_of(&link.id).await? <= taken_back {
            return Ok(());
        }
        let job = Wake::Link { link: link.id.clone() }.job(link.id.as_str(), self.now());
        self.commit(Commit { jobs: vec![job], ..Commit::default() }).await?;
        let at = self.now().plus(self.parts.config.retry_first.0 * 8);
        Err(Fault::Later { at, why: FoldRefused::Busy.to_string() })
    }

    /// Stores a link that another one was folded into, which is forgotten.
    async fn store_folded(
        &self,
        row: &LinkRow,
        other: &LinkRow,
        folded: &Link,
        writes: Vec<Write>,
    ) -> Result<(), Fault> {
        let gone = &other.link;
        let mut commit = Commit {
            writes: tables::link_writes(Some(&row.link), folded),
            guards: vec![
                tables::link_guard(&row.link.id, Some(row.rev)),
                tables::link_guard(&gone.id, Some(other.rev)),
            ],
            ..Commit::default()
        };
        commit.writes.extend(writes);
        // Its comments go afterwards: there may be more of them than one commit takes.
        commit.writes.push(Write::Delete(LINKS, Key::of(&[gone.id.as_str()])));
        commit.jobs.push(Wake::Link { link: gone.id.clone() }.job(gone.id.as_str(), self.now()));
        if folded.handoff.is_some() {
            // Its handoff may be the other's, whose own wake finds no link any more.
            commit.jobs.push(Wake::Link { link: folded.id.clone() }.job(folded.id.as_str(), self.now()));
        }
        commit.writes.extend(self.rehomed(&gone.id, folded).await?);
        for ticket in gone.sides.keys().chain(&gone.former) {
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
        Ok(())
    }

    /// A ticket of `row` was merged into `to`. Where that belongs to another link, the two are one.
    pub(super) async fn merged(
        &self,
        look: &mut Look,
        row: &LinkRow,
        from: &TicketKey,
        to: &TicketKey,
    ) -> Result<(), Fault> {
        let other = tables::link_of(&*self.parts.store, to).await?.filter(|other| *other != row.link.id);
        let _taken = match &other {
            Some(other) => Some(self.try_take(other).ok_or_else(|| self.busy(other))?),
            None => None,
        };
        let survivor = match &other {
            Some(other) => tables::read_link(&*self.parts.store, other).await?,
            None => None,
        };
        let Moved { link: moved, before, record, mut writes } =
            self.handoff_moved(&row.link, from, to).await?;
        let Some(survivor) = survivor else {
            if let Some(record) = &record {
                writes.extend(self.record_writes(&moved.id, before.as_ref(), record).await?);
            }
            self.store_link(look, Some(row), &moved, writes, Vec::new()).await?;
            if other.is_none() {
                look.refetch.insert(to.clone());
            }
            return Ok(());
        };
        self.no_writes_of(&row.link, writes.len()).await?;
        let policy = self.policy(&row.link.group).ok_or_else(|| Fault::Park {
            why: format!("the link group {} is not configured any more", row.link.group),
        })?;
        let apart = self.join_rules(&row.link.group).comments_apart_ms;
        let refused = |refused| self.not_folded(refused, from, to);
        let handoff = self.folded_handoff(&survivor.link, before.as_ref(), record.as_ref()).await?;
        let (handoff, rows) = handoff.map_err(refused)?;
        let folded = join::fold(&survivor.link, &moved, handoff, &policy, apart).map_err(refused)?;
        writes.extend(rows);
        self.store_folded(&survivor, row, &folded, writes).await?;
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
