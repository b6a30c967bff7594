//! What a commit does to the stored bytes, decided before anything is written.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use handoffd_core::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Commit, CommitError, FenceToken, Guard, JobDone, LeaseName, NewJob, Rev, Seq, Shard, Write,
    codec::{self, Corrupt, Opened, VALUE_BYTES_MAX},
    keys,
};

/// The most operations in one commit.
pub(super) const OPS_MAX: usize = 100;
/// The longest key, job id, order key or lease name, in bytes.
pub(super) const KEY_BYTES_MAX: usize = 1024;
/// The longest body of a job, in bytes.
pub(super) const JOB_BODY_BYTES_MAX: usize = 8 * 1024;

/// The store's own record, written by every commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The last commit.
    pub(super) commit_seq: u64,
    /// When it was made.
    pub(super) wall: Timestamp,
    /// Who made it.
    pub(super) node: String,
    /// How many rows of any kind there are, the head not counted.
    pub(super) rows: u64,
    /// The sum of their checksums, so that a row that went missing or went back is seen.
    pub(super) sum: u64,
}

/// A job as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct JobRow {
    order_key: String,
    run_at: Timestamp,
    body: String,
}

/// A lease as stored: only its token must outlive the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct LeaseRow {
    token: u64,
}

/// Stored bytes to set or to remove.
pub(super) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What is to be written.
#[derive(Debug)]
pub(super) struct Plan {
    /// The commit's number.
    pub(super) seq: Seq,
    /// The bytes.
    pub(super) changes: Changes,
}

/// Why there is no plan.
#[derive(Debug)]
pub(super) enum Stop<E> {
    /// Nothing is written; the caller is told.
    Refused(CommitError),
    /// The backend could not read.
    Read(E),
}

impl<E> From<Corrupt> for Stop<E> {
    fn from(corrupt: Corrupt) -> Self {
        Self::Refused(CommitError::Corrupt { why: corrupt.to_string() })
    }
}

/// Where and when a commit is made.
#[derive(Clone, Copy)]
pub(super) struct Stamp<'a> {
    pub(super) node: &'a str,
    pub(super) now: Timestamp,
}

/// Reads stored bytes.
pub(super) type Read<'a, E> = &'a dyn Fn(&[u8]) -> Result<Option<Vec<u8>>, E>;

/// Refuses what is too large, before it is queued.
pub(super) fn check_size(commit: &Commit) -> Result<(), CommitError> {
    let within = |what: String, size: usize, limit: usize| {
        if size > limit { Err(CommitError::TooLarge { what, limit }) } else { Ok(()) }
    };
    within(format!("a commit of {} operations", commit.ops()), commit.ops(), OPS_MAX)?;
    for write in &commit.writes {
        let (table, key, bytes) = match write {
            Write::Put(table, key, value) => (table, key, value.len()),
            Write::Delete(table, key) => (table, key, 0),
        };
        within(format!("the key {key:?} of table {}", table.0), key.0.len(), KEY_BYTES_MAX)?;
        within(
            format!("the value of table {} key {key:?} ({bytes} bytes)", table.0),
            bytes,
            VALUE_BYTES_MAX,
        )?;
    }
    for job in &commit.jobs {
        within("a job's id".to_owned(), job.id.len(), KEY_BYTES_MAX)?;
        within(format!("the order key of job {:?}", job.id), job.order_key.len(), KEY_BYTES_MAX)?;
        within(
            format!("the body of job {:?} ({} bytes)", job.id, job.body.len()),
            job.body.len(),
            JOB_BODY_BYTES_MAX,
        )?;
    }
    Ok(())
}

/// Plans a commit. `held` are the leases that are held and their tokens.
pub(super) fn commit<E>(
    read: Read<'_, E>,
    commit: &Commit,
    held: &BTreeMap<LeaseName, FenceToken>,
    stamp: Stamp<'_>,
) -> Result<Plan, Stop<E>> {
    let mut planner = Planner::start(read)?;
    for (at, guard) in commit.guards.iter().enumerate() {
        planner.check(at, guard, held)?;
    }
    for done in &commit.done {
        planner.finish_job(done)?;
    }
    for write in &commit.writes {
        match write {
            Write::Put(table, key, value) => planner.put(keys::row(*table, key), value),
            Write::Delete(table, key) => planner.delete(keys::row(*table, key)),
        }
    }
    for job in &commit.jobs {
        planner.add_job(job)?;
    }
    planner.end(stamp)
}

/// Plans the next token of a lease.
pub(super) fn next_token<E>(
    read: Read<'_, E>,
    name: &LeaseName,
    stamp: Stamp<'_>,
) -> Result<(Plan, FenceToken), Stop<E>> {
    let mut planner = Planner::start(read)?;
    let key = keys::lease(&name.0);
    let last: LeaseRow = match planner.open(&key)? {
        Some(opened) => record(&key, &opened.value)?,
        None => LeaseRow::default(),
    };
    let token = last.token + 1;
    planner.put_record(key, &LeaseRow { token });
    Ok((planner.end(stamp)?, FenceToken(token)))
}

/// The head, from its stored bytes.
pub(super) fn head(stored: Option<&[u8]>) -> Result<Head, Corrupt> {
    match stored {
        Some(stored) => record(keys::HEAD, &codec::decode(keys::HEAD, stored)?.value),
        None => Ok(Head::default()),
    }
}

/// The head as stored bytes.
pub(super) fn head_bytes(head: &Head) -> Vec<u8> {
    codec::encode(keys::HEAD, Seq(head.commit_seq), &json(head))
}

/// A job, from its stored bytes.
pub(super) fn job(id: &str, stored: &[u8]) -> Result<(NewJob, Rev), Corrupt> {
    let key = keys::job(id);
    let opened = codec::decode(&key, stored)?;
    let row: JobRow = record(&key, &opened.value)?;
    let body = BASE64_STANDARD
        .decode(&row.body)
        .map_err(|_| Corrupt { place: keys::shown(&key), what: "the body is not base64" })?;
    Ok((NewJob { id: id.to_owned(), order_key: row.order_key, run_at: row.run_at, body }, opened.rev))
}

fn record<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<T, Corrupt> {
    serde_json::from_slice(value)
        .map_err(|_| Corrupt { place: keys::shown(key), what: "it is not the record that belongs there" })
}

/// These records hold only numbers and text, which always have a form in JSON.
fn json<T: Serialize>(record: &T) -> Vec<u8> {
    serde_json::to_vec(record).expect("a record of numbers and text is written as JSON")
}

struct Planner<'a, E> {
    read: Read<'a, E>,
    head: Head,
    seq: Seq,
    changes: Changes,
}

impl<'a, E> Planner<'a, E> {
    fn start(read: Read<'a, E>) -> Result<Self, Stop<E>> {
        let head = head(read(keys::HEAD).map_err(Stop::Read)?.as_deref())?;
        let seq = Seq(head.commit_seq + 1);
        Ok(Self { read, head, seq, changes: Changes::new() })
    }

    fn stored(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Stop<E>> {
        match self.changes.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => (self.read)(key).map_err(Stop::Read),
        }
    }

    fn open(&self, key: &[u8]) -> Result<Option<Opened>, Stop<E>> {
        let stored = self.stored(key)?;
        Ok(stored.map(|stored| codec::decode(key, &stored)).transpose()?)
    }

    fn put(&mut self, key: Vec<u8>, value: &[u8]) {
        let stored = codec::encode(&key, self.seq, value);
        self.changes.insert(key, Some(stored));
    }

    fn put_record<T: Serialize>(&mut self, key: Vec<u8>, record: &T) {
        self.put(key, &json(record));
    }

    fn delete(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
    }

    fn check(&self, at: usize, guard: &Guard, held: &BTreeMap<LeaseName, FenceToken>) -> Result<(), Stop<E>> {
        let (table, key, wanted) = match guard {
            Guard::Absent(table, key) => (*table, key, None),
            Guard::Rev(table, key, rev) => (*table, key, Some(*rev)),
            Guard::Fence(lease, token) if held.get(lease) == Some(token) => return Ok(()),
            Guard::Fence(lease, _) => {
                return Err(Stop::Refused(CommitError::Fenced { lease: lease.clone() }));
            }
        };
        let found = self.open(&keys::row(table, key))?.map(|opened| opened.rev);
        if found == wanted { Ok(()) } else { Err(Stop::Refused(CommitError::Conflict { guard: at })) }
    }

    fn job(&self, id: &str) -> Result<Option<(NewJob, Rev)>, Stop<E>> {
        let stored = self.stored(&keys::job(id))?;
        Ok(stored.map(|stored| job(id, &stored)).transpose()?)
    }

    fn finish_job(&mut self, done: &JobDone) -> Result<(), Stop<E>> {
        if let Some((job, rev)) = self.job(&done.id)?
            && rev == done.rev
        {
            self.unqueue(&job);
            self.delete(keys::job(&job.id));
        }
        Ok(())
    }

    fn add_job(&mut self, asked: &NewJob) -> Result<(), Stop<E>> {
        let before = self.job(&asked.id)?;
        let run_at = before.as_ref().map_or(asked.run_at, |(job, _)| job.run_at.min(asked.run_at));
        if let Some((job, _)) = &before {
            self.unqueue(job);
        }
        let row =
            JobRow { order_key: asked.order_key.clone(), run_at, body: BASE64_STANDARD.encode(&asked.body) };
        self.put_record(keys::job(&asked.id), &row);
        let place = keys::queued(Shard::of(&asked.order_key), run_at, &asked.id);
        self.put(place, asked.order_key.as_bytes());
        Ok(())
    }

    fn unqueue(&mut self, job: &NewJob) {
        self.delete(keys::queued(Shard::of(&job.order_key), job.run_at, &job.id));
    }

    /// Leaves out what changes nothing and brings the head up to date.
    fn end(mut self, stamp: Stamp<'_>) -> Result<Plan, Stop<E>> {
        let mut changes = Changes::new();
        for (key, now) in self.changes {
            let before = (self.read)(&key).map_err(Stop::Read)?;
            if let Some(before) = &before {
                self.head.rows = self.head.rows.wrapping_sub(1);
                self.head.sum = self.head.sum.wrapping_sub(u64::from(codec::stored_sum(before)));
            }
            if let Some(now) = &now {
                self.head.rows = self.head.rows.wrapping_add(1);
                self.head.sum = self.head.sum.wrapping_add(u64::from(codec::stored_sum(now)));
            }
            if before.is_some() || now.is_some() {
                changes.insert(key, now);
            }
        }
        self.head.commit_seq = self.seq.0;
        self.head.wall = stamp.now;
        self.head.node = stamp.node.to_owned();
        changes.insert(keys::HEAD.to_vec(), Some(head_bytes(&self.head)));
        Ok(Plan { seq: self.seq, changes })
    }
}
