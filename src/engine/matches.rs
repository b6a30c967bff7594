//! The index of match keys: which tickets may be conversations that another helpdesk holds as
//! well. Kept while histories are taken in, and dropped after them.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{
    AccountId, GroupId, Observed, TicketKey,
    join::{Card, JoinRules, Known, MatchKey, Tie},
    link::Link,
};
use sha2::{Digest as _, Sha256};

use super::{Engine, Inner};
use crate::store::{
    Commit, Key, ReadError, Write,
    tables::{self, MATCHES},
};

/// The most tickets of one account that are remembered under one key.
const CANDIDATES_MAX: usize = 50;
/// The most tickets that are considered at once.
const KNOWN_MAX: usize = 200;
/// How many rows go into one commit.
const ROWS_PER_COMMIT: usize = 60;
/// From a ticket to what fits it, what fits those, and what fits these.
const HOPS: usize = 3;

impl Engine {
    /// Enters tickets under their match keys; says how many were not in the index before.
    pub(super) async fn enter_matches(&self, group: &GroupId, cards: &[Card]) -> Result<u64, String> {
        let mut entered: BTreeMap<Key, Vec<TicketKey>> = BTreeMap::new();
        let (mut writes, mut new_cards) = (Vec::new(), 0);
        for card in cards {
            let key = card_key(group, &card.ticket);
            let known = self.card(group, &card.ticket).await.map_err(|error| error.to_string())?;
            if known.as_ref() == Some(card) {
                continue;
            }
            new_cards += u64::from(known.is_none());
            writes.push(tables::put(MATCHES, key, card));
            for key in &card.keys {
                let key = list_key(group, key, &card.ticket.account);
                entered.entry(key).or_default().push(card.ticket.clone());
            }
        }
        for (key, new) in entered {
            let known = tables::read::<BTreeSet<TicketKey>>(&*self.parts.store, MATCHES, &key).await;
            let mut all = known.map_err(|error| error.to_string())?.map(|row| row.value).unwrap_or_default();
            let free = CANDIDATES_MAX.saturating_sub(all.len());
            let new: Vec<_> = new.into_iter().filter(|ticket| !all.contains(ticket)).take(free).collect();
            if !new.is_empty() {
                all.extend(new);
                writes.push(tables::put(MATCHES, key, &all));
            }
        }
        // A card and its entries need not come together: what is entered twice is entered once.
        while !writes.is_empty() {
            let rest = writes.split_off(writes.len().min(ROWS_PER_COMMIT));
            self.commit_matches(std::mem::replace(&mut writes, rest)).await?;
        }
        Ok(new_cards)
    }

    async fn commit_matches(&self, writes: Vec<Write>) -> Result<(), String> {
        let commit = Commit { writes, ..Commit::default() };
        self.parts.store.commit(commit).await.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Takes a ticket that is not there any more out of consideration.
    pub(super) async fn leave_matches(&self, group: &GroupId, ticket: &TicketKey) -> Result<(), String> {
        self.commit_matches(vec![Write::Delete(MATCHES, card_key(group, ticket))]).await
    }

    /// Drops the index.
    pub(super) async fn drop_matches(&self) -> Result<(), String> {
        loop {
            let rows = u32::try_from(ROWS_PER_COMMIT).unwrap_or(u32::MAX);
            let page = self.parts.store.page(MATCHES, &Key(Vec::new()), None, rows).await;
            let page = page.map_err(|error| error.to_string())?;
            let writes: Vec<Write> =
                page.rows.iter().map(|(key, _)| Write::Delete(MATCHES, key.clone())).collect();
            if !writes.is_empty() {
                self.commit_matches(writes).await?;
            }
            if !page.more {
                return Ok(());
            }
        }
    }
}

impl Inner {
    /// By what existing tickets of a link group are joined.
    pub(super) fn join_rules(&self, group: &GroupId) -> JoinRules {
        self.parts.groups.get(group).map(|group| group.join.rules()).unwrap_or_default()
    }

    /// What is kept of a ticket.
    pub(super) async fn card(&self, group: &GroupId, ticket: &TicketKey) -> Result<Option<Card>, ReadError> {
        let row = tables::read::<Card>(&*self.parts.store, MATCHES, &card_key(group, ticket)).await?;
        Ok(row.map(|row| row.value))
    }

    /// What a view says of a ticket, with what was known of comments that it does not list.
    pub(super) async fn card_of(&self, group: &GroupId, view: &Observed) -> Result<Card, ReadError> {
        let rules = self.join_rules(group);
        let card = Card::of(view, &rules);
        if !rules.first_message {
            return Ok(card);
        }
        let before = self.card(group, &view.ticket).await?;
        Ok(card.or_as_before(view, before.as_ref()))
    }

    /// Every ticket of `at`, and of the card's own account, that plays a part in who its partner is.
    pub(super) async fn known_from_index(
        &self,
        group: &GroupId,
        card: Card,
        at: &AccountId,
    ) -> Result<BTreeMap<TicketKey, Known>, ReadError> {
        let here = card.ticket.account.clone();
        let mut known = BTreeMap::new();
        let mut next = vec![card];
        for hop in 0..=HOPS {
            let sides = if hop % 2 == 0 { (&here, at) } else { (at, &here) };
            let mut found: BTreeSet<TicketKey> = BTreeSet::new();
            for card in std::mem::take(&mut next) {
                if known.len() >= KNOWN_MAX {
                    break;
                }
                if hop < HOPS {
                    found.extend(self.listed(group, &card, sides.1).await?);
                }
                let tie = self.tie(&card.ticket, sides.1).await?;
                known.insert(card.ticket.clone(), Known { card, tie });
            }
            for ticket in found.into_iter().filter(|ticket| !known.contains_key(ticket)) {
                next.extend(self.card(group, &ticket).await?);
            }
        }
        Ok(known)
    }

    async fn listed(
        &self,
        group: &GroupId,
        card: &Card,
        at: &AccountId,
    ) -> Result<BTreeSet<TicketKey>, ReadError> {
        let mut found = BTreeSet::new();
        let sought: BTreeSet<MatchKey> = card.keys.iter().flat_map(MatchKey::sought).collect();
        for key in sought {
            let key = list_key(group, &key, at);
            let row = tables::read::<BTreeSet<TicketKey>>(&*self.parts.store, MATCHES, &key).await?;
            found.extend(row.into_iter().flat_map(|row| row.value));
        }
        Ok(found)
    }

    /// What a ticket has to do with another account already.
    pub(super) async fn tie(&self, ticket: &TicketKey, at: &AccountId) -> Result<Tie, ReadError> {
        let Some(id) = tables::link_of(&*self.parts.store, ticket).await? else { return Ok(Tie::Free) };
        let row = tables::read_link(&*self.parts.store, &id).await?;
        Ok(row.map_or(Tie::Free, |row| tie_of(&row.link, ticket, at)))
    }
}

fn tie_of(link: &Link, ticket: &TicketKey, at: &AccountId) -> Tie {
    let made = link.sides.get(ticket).is_some_and(|side| side.made)
        || link.sides.iter().any(|(other, side)| other.account == *at && side.made);
    let there = link.sides.keys().chain(&link.former).any(|other| other.account == *at);
    match (link.by_hand.contains(at) || link.creating.contains_key(at) || (made && there), there) {
        (true, _) => Tie::Certain,
        (false, true) => Tie::Joined,
        (false, false) => Tie::Free,
    }
}

fn card_key(group: &GroupId, ticket: &TicketKey) -> Key {
    Key::of(&[group.as_str(), "ticket", ticket.account.as_str(), ticket.id.as_str()])
}

fn list_key(group: &GroupId, key: &MatchKey, account: &AccountId) -> Key {
    let digest = hex::encode(&Sha256::digest(format!("{key:?}").as_bytes())[..16]);
    Key::of(&[group.as_str(), "key", &digest, account.as_str()])
}
