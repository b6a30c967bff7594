//! Everything that outlives a process, behind one narrow trait.
//!
//! There is one way to write: a [`Commit`], a value, atomic and durable when it
//! resolves. Nothing is acknowledged to anyone before its commit.

pub mod blobs;
pub mod codec;
pub mod export;
pub mod mem;
pub mod sled;
pub mod tables;
pub mod verify;

#[cfg(test)]
mod conformance;
mod disk;
mod hands;
mod hints;
mod keys;
mod plan;
mod scan;

use std::{fmt, time::Duration};

use futures_util::{future::BoxFuture, stream::BoxStream};
use handoffd_core::Timestamp;

/// A table: a namespace of keys. The constants of the daemon's tables are in `tables`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub &'static str);

/// A key within a table. Orders by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub Vec<u8>);

impl Key {
    /// A key of text parts, joined by a byte that no part holds, so that keys
    /// with a common first part lie together and sort by the next.
    pub fn of(parts: &[&str]) -> Self {
        let mut bytes = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                bytes.push(0);
            }
            bytes.extend(part.bytes().filter(|byte| *byte != 0));
        }
        Self(bytes)
    }

    /// The parts of a key made with [`Key::of`].
    pub fn parts(&self) -> Vec<String> {
        self.0.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.parts().join("/"))
    }
}

/// The number of a commit. Grows by one with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// The commit that last wrote a row, or a job.
pub type Rev = Seq;

/// A row with the commit that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// The row's bytes.
    pub value: Vec<u8>,
    /// The commit that wrote it.
    pub rev: Rev,
}

/// Some rows of a table in key order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<(Key, Versioned)>,
    /// Whether the table goes on behind them.
    pub more: bool,
}

/// What a commit demands of the present state; otherwise nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// There is no such row.
    Absent(Table, Key),
    /// The row was last written by this commit.
    Rev(Table, Key, Rev),
    /// The lease is held under this token.
    Fence(LeaseName, FenceToken),
}

/// One change of one row.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Set a row.
    Put(Table, Key, Vec<u8>),
    /// Remove a row; none there is no error.
    Delete(Table, Key),
}

impl fmt::Debug for Write {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(table, key, value) => write!(out, "Put({} {key:?}, {} bytes)", table.0, value.len()),
            Self::Delete(table, key) => write!(out, "Delete({} {key:?})", table.0),
        }
    }
}

/// A piece of work to be claimed when it is due.
///
/// A job with an id that exists already keeps the earlier of both times and
/// takes the new body and a new [`Rev`]: a wake that is asked for twice is one
/// wake, and a claim that began before the second asking does not finish it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Its name: at most one job of a name exists.
    pub id: String,
    /// Jobs of one order key are claimed one at a time.
    pub order_key: String,
    /// When it is due.
    pub run_at: Timestamp,
    /// What it is about; small.
    pub body: Vec<u8>,
}

/// A claimed job that is finished. A job that was asked for again since (its rev moved) stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobDone {
    /// Its name.
    pub id: String,
    /// The rev that was claimed.
    pub rev: Rev,
}

/// One atomic and durable change. Guards are checked first; then `done`, then
/// `writes`, then `jobs` take effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// What must hold.
    pub guards: Vec<Guard>,
    /// Rows to change.
    pub writes: Vec<Write>,
    /// Jobs to add.
    pub jobs: Vec<NewJob>,
    /// Jobs that are finished.
    pub done: Vec<JobDone>,
}

impl Commit {
    /// How many operations it counts against [`Caps::ops_max`].
    pub fn ops(&self) -> usize {
        self.guards.len() + self.writes.len() + self.jobs.len() + self.done.len()
    }
}

/// Why a commit failed, by what the caller may do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Nothing happened: read again and decide again.
    #[error("guard {guard} does not hold any more")]
    Conflict {
        /// The index of the guard.
        guard: usize,
    },
    /// Nothing happened: the lease is lost. Stop working under it.
    #[error("the lease {lease:?} is lost")]
    Fenced {
        /// Which lease.
        lease: LeaseName,
    },
    /// Nothing happened: split it, or put long text aside.
    #[error("{what} is larger than {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The bound.
        limit: usize,
    },
    /// Nothing happened: the store does not take writes now. Try again later.
    #[error("the store does not take writes: {why}")]
    Unavailable {
        /// What an admin can do.
        why: String,
    },
    /// It may have happened: read again and decide again.
    #[error("the store failed while committing: {why}")]
    Indeterminate {
        /// What was seen.
        why: String,
    },
    /// Stored bytes are damaged: stop.
    #[error("the store is damaged: {why}")]
    Corrupt {
        /// Where, and what an admin can do.
        why: String,
    },
}

/// Why a read failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The store does not answer now. Try again later.
    #[error("the store does not answer: {why}")]
    Unavailable {
        /// What was seen.
        why: String,
    },
    /// Stored bytes are damaged.
    #[error("the store is damaged: {why}")]
    Corrupt {
        /// Where, and what an admin can do.
        why: String,
    },
}

/// The name of a lease.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeaseName(pub String);

/// A token that only ever grows, per lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FenceToken(pub u64);

/// A lease that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its name.
    pub name: LeaseName,
    /// Its token.
    pub token: FenceToken,
    /// Until when it is held.
    pub until: Timestamp,
}

/// Into how many shards jobs are split, by hash of their order key.
pub const SHARDS: u16 = 64;

/// One shard of the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub u16);

impl Shard {
    /// The shard of an order key (CRC-32C, modulo [`SHARDS`]): the same for ever.
    pub fn of(order_key: &str) -> Self {
        Self((crc32c::crc32c(order_key.as_bytes()) % u32::from(SHARDS)) as u16)
    }
}

/// A job that is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its id.
    pub id: String,
    /// When it is due.
    pub run_at: Timestamp,
}

/// A job in hand. Invisible to others until its visibility ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The job.
    pub job: NewJob,
    /// Its rev, for [`JobDone`].
    pub rev: Rev,
}

/// What a store can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Whether several daemons may share it.
    pub many_replicas: bool,
    /// The longest value, in bytes.
    pub value_bytes_max: usize,
    /// The most operations in one commit.
    pub ops_max: usize,
}

/// What a wake-up hint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Jobs were added.
    Jobs,
}

/// The store.
pub trait Store: Send + Sync {
    /// What it can do.
    fn caps(&self) -> Caps;
    /// One row.
    fn get<'a>(&'a self, table: Table, key: &'a Key) -> BoxFuture<'a, Result<Option<Versioned>, ReadError>>;
    /// Rows whose key begins with `prefix` and lies behind `after`, in key
    /// order. No snapshot across pages.
    fn page<'a>(
        &'a self,
        table: Table,
        prefix: &'a Key,
        after: Option<&'a Key>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Page, ReadError>>;
    /// Writes, atomic and durable on `Ok`.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Seq, CommitError>>;
    /// Takes a lease that is free or has run out; `None` while another holds it.
    fn acquire<'a>(
        &'a self,
        name: &'a LeaseName,
        holder: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Option<Lease>, CommitError>>;
    /// Holds a lease longer; [`CommitError::Fenced`] when it is lost.
    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> BoxFuture<'a, Result<Lease, CommitError>>;
    /// Gives a lease back.
    fn release(&self, lease: Lease) -> BoxFuture<'_, Result<(), CommitError>>;
    /// Takes up to `limit` due jobs of a shard, earliest first, at most one per
    /// order key, and hides them for `visibility`.
    fn claim<'a>(
        &'a self,
        shard: Shard,
        lease: &'a Lease,
        limit: u32,
        visibility: Duration,
    ) -> BoxFuture<'a, Result<Vec<Claimed>, CommitError>>;
    /// When the earliest job of a shard is due that nobody has in hand.
    fn next_due(&self, shard: Shard) -> BoxFuture<'_, Result<Option<Timestamp>, ReadError>>;
    /// The first `limit` jobs of a shard that are not done, by time: due, in the future and in hand.
    fn queued(&self, shard: Shard, limit: u32) -> BoxFuture<'_, Result<Vec<Queued>, ReadError>>;
    /// The store's clock.
    fn now(&self) -> Timestamp;
    /// Lossy wake-ups; whoever listens polls as well.
    fn hints(&self, topic: Topic) -> BoxStream<'static, ()>;
}
