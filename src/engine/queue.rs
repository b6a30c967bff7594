//! Claims due jobs and gives each to a worker; one worker per link.

use std::{collections::BTreeMap, sync::PoisonError, time::Duration};

use futures_util::StreamExt;
use handoffd_core::{LinkId, Timestamp, handoff::next_wake};
use serde::Serialize;

use super::{Engine, Fault, Inner};
use crate::store::{
    Claimed, Commit, CommitError, JobDone, Key, Lease, LeaseName, NewJob, ReadError, SHARDS, Shard, Topic,
    tables::{self, INTENTS, IntentRow, PARKED, ParkedRow, Wake, parked_key, put, read},
};

/// How long a lease on a shard is held before it must be renewed.
const LEASE_TTL: Duration = Duration::from_secs(600);
/// How long a claimed job stays hidden from others: longer than any work takes.
const VISIBILITY: Duration = Duration::from_secs(1_800);
/// The wait before a store that fails is tried again.
const STORE_REST: Duration = Duration::from_secs(1);

/// The least wait before what is due of a conversation whose look is parked is tried once more.
const PARKED_REST: Duration = Duration::from_secs(300);

/// The most jobs of one shard that are told as left.
const LEFT_MAX: u32 = 100;

/// Work that is stored and not done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct JobLeft {
    /// When it is due.
    pub due: Timestamp,
    /// Which ticket or conversation is to be looked at.
    pub what: String,
}

impl Engine {
    pub(super) async fn run_queue(&self) {
        let mut leases = BTreeMap::new();
        let mut first_shard = 0;
        let mut hints = self.parts.store.hints(Topic::Jobs);
        while !self.stop.is_cancelled() {
            let mut longest = LEASE_TTL / 3;
            if let Err(why) = self.hold_leases(&mut leases).await {
                tracing::warn!(%why, "The queue cannot be held; it is tried again.");
                longest = STORE_REST;
            }
            first_shard = (first_shard + 1) % SHARDS;
            let next = self.claim_due(&leases, first_shard).await;
            let longest = self.now().plus(longest);
            let wait = next.unwrap_or(longest).min(longest);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                () = self.freed.notified() => {}
                _ = hints.next() => {}
                () = self.parts.clock.sleep_until(wait) => {}
            }
        }
        for lease in leases.into_values() {
            // A lease that is not given back runs out by itself.
            let _ = self.parts.store.release(lease).await;
        }
    }

    async fn hold_leases(&self, leases: &mut BTreeMap<u16, Lease>) -> Result<(), CommitError> {
        for shard in 0..SHARDS {
            let renew_from = self.now().plus(LEASE_TTL / 2);
            match leases.get(&shard) {
                Some(lease) if lease.until > renew_from => {}
                Some(lease) => match self.parts.store.renew(lease, LEASE_TTL).await {
                    Ok(lease) => {
                        leases.insert(shard, lease);
                    }
                    Err(CommitError::Fenced { .. }) => {
                        leases.remove(&shard);
                    }
                    Err(error) => return Err(error),
                },
                None => {
                    let name = LeaseName(format!("jobs/{shard:02}"));
                    if let Some(lease) = self.parts.store.acquire(&name, &self.parts.run, LEASE_TTL).await? {
                        leases.insert(shard, lease);
                    }
                }
            }
        }
        Ok(())
    }

    /// Claims what is due, as far as there are workers; tells when more is due.
    /// Begins with another shard each time, so that a full one does not starve the rest.
    async fn claim_due(&self, leases: &BTreeMap<u16, Lease>, first: u16) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        for (shard, lease) in leases.range(first..).chain(leases.range(..first)) {
            let due = match self.parts.store.next_due(Shard(*shard)).await {
                Ok(due) => due,
                Err(_) => Some(self.now().plus(STORE_REST)),
            };
            let Some(due) = due else { continue };
            if due > self.now() {
                next = Some(next.map_or(due, |next| next.min(due)));
                continue;
            }
            let free = self.parts.config.workers_max.saturating_sub(self.jobs_in_hand());
            if free == 0 {
                // A worker that finishes wakes the queue.
                break;
            }
            let limit = u32::try_from(free).unwrap_or(u32::MAX);
            // Until what was claimed is begun.
            let _claiming = self.in_hand.claiming();
            match self.parts.store.claim(Shard(*shard), lease, limit, VISIBILITY).await {
                Ok(claimed) => {
                    // A job of an order key that is in hand stays due and is not given out.
                    if claimed.is_empty() {
                        let retry = self.now().plus(STORE_REST);
                        next = Some(next.map_or(retry, |next| next.min(retry)));
                    } else {
                        next = Some(self.now());
                    }
                    for job in claimed {
                        self.begin(job);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "Work could not be claimed; it is tried again.");
                    let retry = self.now().plus(STORE_REST);
                    next = Some(next.map_or(retry, |next| next.min(retry)));
                }
            }
        }
        next
    }

    fn begin(&self, claimed: Claimed) {
        self.in_hand.begin();
        let engine = self.clone();
        self.tasks.spawn(async move {
            let work = engine.clone();
            let job = claimed.clone();
            // A worker of its own, so that a broken invariant parks one link and not the queue.
            let outcome = tokio::spawn(async move { work.work(&job).await }).await;
            let fault = match outcome {
                Ok(Ok(())) => None,
                Ok(Err(fault)) => Some(fault),
                Err(error) if error.is_panic() => {
                    let why = "an internal invariant is broken; please report it".to_owned();
                    Some(Fault::Park { why })
                }
                Err(_) => None,
            };
            if let Some(fault) = fault {
                engine.after_fault(&claimed, fault).await;
            }
            engine.in_hand.end();
            engine.freed.notify_one();
        });
    }

    async fn work(&self, claimed: &Claimed) -> Result<(), Fault> {
        match Wake::read(&claimed.job) {
            Some(wake) => self.look(&wake, claimed).await,
            None => Err(Fault::Park { why: format!("the job {:?} cannot be read", claimed.job.id) }),
        }
    }

    /// Puts a job whose work stopped back, or parks it.
    async fn after_fault(&self, claimed: &Claimed, fault: Fault) {
        let done = vec![JobDone { id: claimed.job.id.clone(), rev: claimed.rev }];
        let again = |at| NewJob { run_at: at, ..claimed.job.clone() };
        let commit = match &fault {
            Fault::Later { at, why } => {
                tracing::debug!(job = claimed.job.id, %at, why, "Work is put off.");
                Commit { done, jobs: vec![again(*at)], ..Commit::default() }
            }
            Fault::Store { why } => {
                tracing::warn!(job = claimed.job.id, why, "Work is put off: the store does not take it.");
                Commit { done, jobs: vec![again(self.now().plus(STORE_REST))], ..Commit::default() }
            }
            Fault::Park { why } => {
                tracing::error!(job = claimed.job.id, why, "Work is parked until an admin looks.");
                match self.due_of_parked(claimed).await {
                    Ok(job) => {
                        let (jobs, writes) = (job.into_iter().collect(), self.parked_job(claimed, why).await);
                        Commit { done, writes, jobs, ..Commit::default() }
                    }
                    Err(error) => {
                        tracing::warn!(job = claimed.job.id, %error, "What else is due could not be read.");
                        Commit { done, jobs: vec![again(self.now().plus(STORE_REST))], ..Commit::default() }
                    }
                }
            }
        };
        let mut rest = STORE_REST;
        while let Err(error) = self.parts.store.commit(commit.clone()).await {
            // The job stays claimed: it is given out again when its visibility ends, or at the next start.
            tracing::warn!(job = claimed.job.id, %error, "Putting work off could not be stored.");
            if self.stop.is_cancelled() || rest > STORE_REST * 60 {
                return;
            }
            self.parts.clock.sleep_until(self.now().plus(rest)).await;
            rest *= 2;
        }
    }

    /// What is stored of a conversation whose look is parked, and is due by itself: its writes and
    /// its handoff do not wait for an admin.
    async fn due_of_parked(&self, claimed: &Claimed) -> Result<Option<NewJob>, ReadError> {
        let store = &*self.parts.store;
        let (link, soonest) = match Wake::read(&claimed.job) {
            // What parks each time is not looked at all the time.
            Some(Wake::Link { link }) => (Some(link), self.now().plus(PARKED_REST)),
            Some(Wake::Ticket { ticket, .. }) => (tables::link_of(store, &ticket).await?, self.now()),
            None => (None, self.now()),
        };
        let Some(link) = link else { return Ok(None) };
        let Some(row) = tables::read_link(store, &link).await? else { return Ok(None) };
        let prefix = tables::link_prefix(&link);
        let writes = tables::read_all::<IntentRow>(store, INTENTS, &prefix, usize::MAX).await?;
        let record = match &row.link.handoff {
            Some(id) => self.handoff(id).await?,
            None => None,
        };
        let wake = record.and_then(|record| next_wake(&record, &self.rules_of(&row.link)));
        let due = writes.iter().map(|(_, write)| write.value.due).chain(wake).min();
        Ok(due.map(|due| Wake::Link { link: link.clone() }.job(link.as_str(), due.max(soonest))))
    }

    async fn parked_job(&self, claimed: &Claimed, why: &str) -> Vec<crate::store::Write> {
        self.parts.metrics.parked("work");
        let account = match Wake::read(&claimed.job) {
            Some(Wake::Ticket { ticket, .. }) => ticket.account,
            _ => handoffd_core::AccountId::new(""),
        };
        let row = ParkedRow {
            kind: "work".to_owned(),
            name: claimed.job.id.clone(),
            account,
            link: None,
            reason: why.to_owned(),
            since: self.now(),
            causes: None,
        };
        let key = parked_key(&row);
        let known = read::<ParkedRow>(&*self.parts.store, PARKED, &key).await.ok().flatten();
        let since = known.map_or(row.since, |known| known.value.since);
        let mut writes = vec![put(PARKED, key, &ParkedRow { since, ..row })];
        // What a feed could not read of the same ticket is no second thing to be looked after.
        if let Some(ticket) = claimed.job.id.strip_prefix("t/") {
            let key = Key::of(&["row", ticket]);
            let known = self.parts.store.get(PARKED, &key).await.ok().flatten();
            writes.extend(known.map(|_| crate::store::Write::Delete(PARKED, key)));
        }
        writes
    }

    /// Whether nothing is in hand, no source is being asked, and nothing is due within this time.
    pub async fn is_idle(&self, within: Duration) -> bool {
        // In this order: a job that is done is in the queue again before it is out of hand, and an
        // answer of a source has woken its link before the source is no more asked.
        let Some(empty) = self.in_hand.empty() else { return false };
        if !self.asking.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return false;
        }
        let soon = self.now().plus(within);
        self.next_due().await.is_none_or(|due| due > soon) && self.in_hand.still(empty)
    }

    /// Work that is stored and not done, the soonest first, at most a hundred of each shard.
    /// A conversation that waits for nothing but its handoff's own time is at rest.
    pub async fn left(&self) -> Result<Vec<JobLeft>, ReadError> {
        let mut left = Vec::new();
        for shard in 0..SHARDS {
            for job in self.parts.store.queued(Shard(shard), LEFT_MAX).await? {
                let what = match job.id.split_once('/') {
                    Some(("l", link)) if self.waits_for_handoff(&LinkId::new(link), job.run_at).await? => {
                        continue;
                    }
                    Some(("l", link)) => format!("the conversation {link}"),
                    Some(("t", ticket)) => ticket.to_owned(),
                    _ => job.id,
                };
                left.push(JobLeft { what, due: job.run_at });
            }
        }
        left.sort();
        Ok(left)
    }

    async fn waits_for_handoff(&self, link: &LinkId, due: Timestamp) -> Result<bool, ReadError> {
        let row = tables::read_link(&*self.parts.store, link).await?;
        let Some(id) = row.and_then(|row| row.link.handoff) else { return Ok(false) };
        let record = self.handoff(&id).await?;
        let wake = record.and_then(|record| next_wake(&record, &self.parts.rules));
        Ok(wake.is_some_and(|wake| due >= wake))
    }

    /// When the next job is due.
    pub async fn next_due(&self) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        for shard in 0..SHARDS {
            if let Ok(Some(due)) = self.parts.store.next_due(Shard(shard)).await {
                next = Some(next.map_or(due, |next| next.min(due)));
            }
        }
        next
    }
}

impl Inner {
    /// How many jobs workers have in hand.
    pub(crate) fn jobs_in_hand(&self) -> usize {
        self.in_hand.jobs()
    }

    /// Takes a link in hand if no other worker has it.
    pub(super) fn try_take(&self, link: &LinkId) -> Option<Taken<'_>> {
        let is_free = self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(link.clone());
        is_free.then(|| Taken { inner: self, link: link.clone() })
    }

    /// Takes a link in hand, when no other worker has it.
    pub(super) async fn take(&self, link: &LinkId) -> Taken<'_> {
        loop {
            let freed = self.link_freed.notified();
            if self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(link.clone()) {
                return Taken { inner: self, link: link.clone() };
            }
            freed.await;
        }
    }
}

/// A link in a worker's hand; given back when dropped.
pub(super) struct Taken<'a> {
    inner: &'a Inner,
    link: LinkId,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.inner.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.link);
        self.inner.link_freed.notify_waiters();
    }
}
