//! The index of match keys: which tickets of one helpdesk may be conversations that another
//! helpdesk holds as well. Kept while histories are taken in, and dropped after them.

use std::collections::BTreeMap;

use handoffd_core::{
    GroupId, Observed, TicketKey,
    join::{JoinRules, match_keys},
};
use sha2::{Digest as _, Sha256};

use super::{Engine, Inner};
use crate::store::{
    Commit, Key, ReadError, Write,
    tables::{self, MATCHES},
};

/// The most tickets that are remembered under one key; the newest count.
const CANDIDATES_MAX: usize = 50;
/// How many rows go into one commit.
const ROWS_PER_COMMIT: usize = 60;

impl Engine {
    /// Enters tickets under their match keys.
    pub(super) async fn enter_matches(&self, group: &GroupId, seen: &[Observed]) -> Result<(), String> {
        let rules = self.join_rules(group);
        let mut entered: BTreeMap<Key, Vec<TicketKey>> = BTreeMap::new();
        for observed in seen {
            for key in match_keys(observed, &rules) {
                entered.entry(row_key(group, &key)).or_default().push(observed.ticket.clone());
            }
        }
        let mut commit = Commit::default();
        for (key, new) in entered {
            let known = tables::read::<Vec<TicketKey>>(&*self.parts.store, MATCHES, &key).await;
            let mut all = known.map_err(|error| error.to_string())?.map(|row| row.value).unwrap_or_default();
            all.retain(|one| !new.contains(one));
            all.extend(new);
            let spare = all.len().saturating_sub(CANDIDATES_MAX);
            commit.writes.push(tables::put(MATCHES, key, &all.split_off(spare)));
            if commit.writes.len() >= ROWS_PER_COMMIT {
                self.commit_matches(std::mem::take(&mut commit)).await?;
            }
        }
        self.commit_matches(commit).await
    }

    async fn commit_matches(&self, commit: Commit) -> Result<(), String> {
        if commit.writes.is_empty() {
            return Ok(());
        }
        self.parts.store.commit(commit).await.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Drops the index.
    pub(super) async fn drop_matches(&self) -> Result<(), String> {
        loop {
            let rows = u32::try_from(ROWS_PER_COMMIT).unwrap_or(u32::MAX);
            let page = self.parts.store.page(MATCHES, &Key(Vec::new()), None, rows).await;
            let page = page.map_err(|error| error.to_string())?;
            let writes: Vec<Write> =
                page.rows.iter().map(|(key, _)| Write::Delete(MATCHES, key.clone())).collect();
            self.commit_matches(Commit { writes, ..Commit::default() }).await?;
            if !page.more {
                return Ok(());
            }
        }
    }
}

impl Inner {
    /// By what existing tickets of a link group are joined.
    pub(super) fn join_rules(&self, _group: &GroupId) -> JoinRules {
        JoinRules::default()
    }

    /// The tickets of other accounts that may be the same conversation.
    pub(super) async fn match_candidates(
        &self,
        group: &GroupId,
        observed: &Observed,
    ) -> Result<Vec<TicketKey>, ReadError> {
        let mut found: Vec<TicketKey> = Vec::new();
        for key in match_keys(observed, &self.join_rules(group)) {
            let key = row_key(group, &key);
            let known = tables::read::<Vec<TicketKey>>(&*self.parts.store, MATCHES, &key).await?;
            let others = known.into_iter().flat_map(|row| row.value);
            let others = others.filter(|one| one.account != observed.ticket.account);
            for ticket in others {
                if !found.contains(&ticket) {
                    found.push(ticket);
                }
            }
        }
        Ok(found)
    }
}

/// Keys name people: they are kept as digests.
fn row_key(group: &GroupId, key: &str) -> Key {
    let digest = hex::encode(&Sha256::digest(key.as_bytes())[..16]);
    Key::of(&[group.as_str(), &digest])
}
