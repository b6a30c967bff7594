//! What the process holds and a restart lets go: claimed jobs and leases.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use handoffd_core::Timestamp;

use super::{
    Claimed, CommitError, FenceToken, JobDone, Lease, LeaseName, NewJob, ReadError, Rev, scan::Queued,
};

struct InHand {
    rev: Rev,
    order_key: String,
    until: Timestamp,
}

struct Held {
    token: FenceToken,
    holder: String,
    until: Timestamp,
}

/// Claimed jobs and held leases of one process.
#[derive(Default)]
pub(super) struct Hands {
    jobs: BTreeMap<String, InHand>,
    leases: BTreeMap<LeaseName, Held>,
}

/// What a claim asks for.
pub(super) struct ClaimAsk {
    pub(super) limit: u32,
    pub(super) visibility: Duration,
    pub(super) now: Timestamp,
    /// Later commits are not on disk yet: what they wrote is not given out.
    pub(super) durable: Rev,
}

impl Hands {
    /// The held leases and their tokens, for guards.
    pub(super) fn tokens(&self) -> BTreeMap<LeaseName, FenceToken> {
        self.leases.iter().map(|(name, held)| (name.clone(), held.token)).collect()
    }

    /// Whether `holder` may take the lease at `now`.
    pub(super) fn free(&self, name: &LeaseName, holder: &str, now: Timestamp) -> bool {
        self.leases.get(name).is_none_or(|held| held.until <= now || held.holder == holder)
    }

    pub(super) fn hold(
        &mut self,
        name: LeaseName,
        holder: &str,
        token: FenceToken,
        until: Timestamp,
    ) -> Lease {
        self.leases.insert(name.clone(), Held { token, holder: holder.to_owned(), until });
        Lease { name, token, until }
    }

    pub(super) fn renew(&mut self, lease: &Lease, until: Timestamp) -> Result<Lease, CommitError> {
        match self.leases.get_mut(&lease.name) {
            Some(held) if held.token == lease.token => {
                held.until = until;
                Ok(Lease { name: lease.name.clone(), token: lease.token, until })
            }
            _ => Err(CommitError::Fenced { lease: lease.name.clone() }),
        }
    }

    /// Letting go of a lease that is lost already is no error.
    pub(super) fn let_go(&mut self, name: &LeaseName, token: FenceToken) {
        if self.leases.get(name).is_some_and(|held| held.token == token) {
            self.leases.remove(name);
        }
    }

    pub(super) fn must_hold(&self, lease: &Lease) -> Result<(), CommitError> {
        match self.leases.get(&lease.name) {
            Some(held) if held.token == lease.token => Ok(()),
            _ => Err(CommitError::Fenced { lease: lease.name.clone() }),
        }
    }

    /// Lets go of a claim that was finished. A later claim of a newer rev stays.
    pub(super) fn finished(&mut self, done: &JobDone) {
        if self.jobs.get(&done.id).is_some_and(|hand| hand.rev == done.rev) {
            self.jobs.remove(&done.id);
        }
    }

    /// Takes jobs out of `due`, which is in the order of time.
    pub(super) fn claim(
        &mut self,
        ask: &ClaimAsk,
        due: impl Iterator<Item = Result<Queued, ReadError>>,
        job: impl Fn(&str) -> Result<Option<(NewJob, Rev)>, ReadError>,
    ) -> Result<Vec<Claimed>, ReadError> {
        self.jobs.retain(|_, hand| hand.until > ask.now);
        let mut busy = self.busy(ask.now);
        let mut claimed = Vec::new();
        for queued in due {
            if claimed.len() >= ask.limit as usize {
                break;
            }
            let queued = queued?;
            if queued.rev > ask.durable
                || busy.contains(&queued.order_key)
                || self.jobs.contains_key(&queued.id)
            {
                continue;
            }
            // The queue and the job are read one after the other: a job that moved between is left.
            if let Some((job, rev)) = job(&queued.id)?
                && rev == queued.rev
            {
                busy.insert(job.order_key.clone());
                claimed.push(Claimed { job, rev });
            }
        }
        let until = ask.now.plus(ask.visibility);
        for Claimed { job, rev } in &claimed {
            let hand = InHand { rev: *rev, order_key: job.order_key.clone(), until };
            self.jobs.insert(job.id.clone(), hand);
        }
        Ok(claimed)
    }

    /// When the first job of `queue`, which is in the order of time, can be claimed.
    pub(super) fn next_due(
        &self,
        now: Timestamp,
        queue: impl Iterator<Item = Result<Queued, ReadError>>,
    ) -> Result<Option<Timestamp>, ReadError> {
        let busy = self.busy(now);
        for queued in queue {
            let queued = queued?;
            let in_hand = self.jobs.get(&queued.id).is_some_and(|hand| hand.until > now);
            if !in_hand && !busy.contains(&queued.order_key) {
                return Ok(Some(queued.run_at));
            }
        }
        Ok(None)
    }

    fn busy(&self, now: Timestamp) -> BTreeSet<String> {
        self.jobs.values().filter(|hand| hand.until > now).map(|hand| hand.order_key.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Seq;

    #[test]
    fn a_job_whose_commit_is_not_on_disk_is_not_given_out() {
        let now = Timestamp(5);
        let claim = |durable| {
            let due = Queued { id: "j".to_owned(), run_at: now, order_key: "k".to_owned(), rev: Seq(9) };
            let job = NewJob { id: "j".to_owned(), order_key: "k".to_owned(), run_at: now, body: vec![] };
            let ask = ClaimAsk { limit: 1, visibility: Duration::from_secs(1), now, durable };
            let claimed =
                Hands::default().claim(&ask, [Ok(due)].into_iter(), |_| Ok(Some((job.clone(), Seq(9)))));
            claimed.unwrap().len()
        };
        assert_eq!(claim(Seq(8)), 0);
        assert_eq!(claim(Seq(9)), 1);
    }
}
