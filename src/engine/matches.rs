//! The index of match keys: which tickets of one helpdesk may be conversations that another
//! helpdesk holds as well. Kept while histories are taken in, and dropped after them.

use std::collections::BTreeMap;

use handoffd_core::{GroupId, Observed, TicketKey, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Engine, Inner};
use crate::store::{
    Commit, Key, ReadError, Write,
    tables::{self, MATCHES},
};

/// The most tickets of one person that are remembered; the newest count.
const CANDIDATES_MAX: usize = 100;
/// How many rows go into one commit.
const ROWS_PER_COMMIT: usize = 60;

/// A ticket that may be a conversation of another account's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Candidate {
    /// The ticket.
    pub ticket: TicketKey,
    /// When it was made, in its vendor's time.
    pub created_at: Timestamp,
}

impl Engine {
    /// Enters tickets under the person who asked.
    pub(super) async fn enter_matches(&self, group: &GroupId, seen: &[Observed]) -> Result<(), String> {
        let mut entered: BTreeMap<Key, Vec<Candidate>> = BTreeMap::new();
        for observed in seen {
            if let Some(key) = match_key(group, observed) {
                let candidate =
                    Candidate { ticket: observed.ticket.clone(), created_at: observed.created_at };
                entered.entry(key).or_default().push(candidate);
            }
        }
        let mut commit = Commit::default();
        for (key, new) in entered {
            let known = tables::read::<Vec<Candidate>>(&*self.parts.store, MATCHES, &key).await;
            let mut all = known.map_err(|error| error.to_string())?.map(|row| row.value).unwrap_or_default();
            all.retain(|one| new.iter().all(|other| other.ticket != one.ticket));
            all.extend(new);
            all.sort_by_key(|one| one.created_at);
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
    /// The tickets of other accounts that may be the same conversation.
    pub(super) async fn match_candidates(
        &self,
        group: &GroupId,
        observed: &Observed,
    ) -> Result<Vec<Candidate>, ReadError> {
        let Some(key) = match_key(group, observed) else { return Ok(Vec::new()) };
        let known = tables::read::<Vec<Candidate>>(&*self.parts.store, MATCHES, &key).await?;
        let all = known.map(|row| row.value).unwrap_or_default();
        Ok(all.into_iter().filter(|one| one.ticket.account != observed.ticket.account).collect())
    }
}

/// The key: link group and person. Addresses are kept as digests.
fn match_key(group: &GroupId, observed: &Observed) -> Option<Key> {
    let email = observed.requester.as_ref()?.email_folded()?;
    let digest = hex::encode(&Sha256::digest(email.as_bytes())[..16]);
    Some(Key::of(&[group.as_str(), &digest]))
}
