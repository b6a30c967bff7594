//! The store on sled: for one daemon and one directory.
//!
//! sled is driven as its failures ask for: one thread commits, applies many
//! commits, flushes once and waits for the device; sled's asynchronous flush is
//! never used, since it can block for ever. What was not on disk yet is not shown
//! to readers. Whatever sled gets wrong in writing ends in a closed handle, a new
//! one and a full check.

mod committer;
pub(super) mod engine;
pub(super) mod files;
mod open;
mod repair;
mod shared;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Sender},
    },
    time::Duration,
};

use futures_util::{future::BoxFuture, stream::BoxStream};
use handoffd_connectors::client::Clock;
use handoffd_core::Timestamp;
use tokio::sync::{Semaphore, oneshot, watch};

use self::{
    committer::{Ask, Committer, Op},
    files::DirLock,
    shared::Shared,
};
use super::{
    Caps, Claimed, Commit, CommitError, Key, Lease, LeaseName, Page, Queued, ReadError, Rev, Seq, Shard,
    Store, Table, Topic, Versioned, codec,
    export::{ExportError, ExportReport},
    hands::ClaimAsk,
    hints, keys, plan, scan,
    verify::VerifyReport,
};
pub use open::OpenError;

/// How the store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory; made if need be.
    pub dir: PathBuf,
    /// Who writes, for the head record.
    pub node: String,
    /// sled's page cache. sled may use ten times as much.
    pub cache_bytes: u64,
    /// How many calls may wait for the committing thread before further ones wait to be queued.
    pub queue_max: usize,
    /// How often the sidecar says how far the disk is, and how long the thread sleeps at most.
    pub sidecar_every: Duration,
    /// The waits before a failed store is opened again; behind the last it has failed for good.
    pub reopen_waits: Vec<Duration>,
    /// Opens although the end is lost or rows are damaged, which are removed and
    /// named in the log. For one start, by an admin.
    pub accept_damage: bool,
}

impl Options {
    /// The usual ones.
    pub fn new(dir: impl Into<PathBuf>, node: impl Into<String>) -> Self {
        Self {
            dir: dir.into(),
            node: node.into(),
            cache_bytes: 32 << 20,
            queue_max: 512,
            sidecar_every: Duration::from_secs(5),
            reopen_waits: vec![Duration::from_secs(1), Duration::from_secs(5)],
            accept_damage: false,
        }
    }
}

/// Whether the store works, for readiness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Ready,
    /// A write failed: it is closed and opened again. Reads go on where possible.
    Reopening {
        /// What was seen.
        why: String,
        /// How many failures in a row.
        failures: usize,
    },
    /// It failed too often: the daemon should stop.
    Failed {
        /// What was seen last.
        why: String,
    },
    /// It was closed.
    Closed,
}

impl fmt::Display for Health {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => out.write_str("the store works"),
            Self::Reopening { why, failures } => {
                write!(out, "the store failed ({failures} in a row) and is opened again: {why}")
            }
            Self::Failed { why } => write!(
                out,
                "the store failed for good: {why}; stop handoffd, look at the disk, run `handoffd store verify`, \
                 start again"
            ),
            Self::Closed => out.write_str("the store is closed"),
        }
    }
}

/// A failure that a test asks for.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFault {
    /// The next commit fails while it is applied.
    Apply,
    /// The next commits are applied and do not reach the disk.
    Flush,
    /// The next commit finds no room.
    Full,
    /// The next commit panics.
    Panic,
}

/// The store on sled.
pub struct SledStore {
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    queue: Mutex<Sender<Ask>>,
    places: Arc<Semaphore>,
    checked: Option<VerifyReport>,
}

/// Keeps everybody from opening a store's directory while it is copied.
pub struct Held {
    _lock: DirLock,
}

/// Holds a store's directory that no other process has open.
pub fn hold(dir: &std::path::Path) -> Result<Held, OpenError> {
    Ok(Held { _lock: DirLock::take(dir)? })
}

impl SledStore {
    /// Opens the directory, which no other process may have open. Blocks: up to
    /// seconds for a big store, more after an unclean stop, which is followed by a full check.
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let lock = DirLock::take(&options.dir)?;
        let now = clock.now();
        let begun = open::begin(&options, now)?;
        // Room for later trouble; a disk without it is no reason not to start. Not
        // after a reopening: a disk that was full needs what was given back.
        if let Err(fault) = files::make_ballast(&options.dir) {
            tracing::warn!(%fault, "No ballast file: the store's disk is nearly full.");
        }
        let seq = Seq(begun.commit_seq);
        let shared = Arc::new(Shared::new(begun.engine, seq));
        let (sender, queue) = mpsc::channel();
        let places = Arc::new(Semaphore::new(options.queue_max.max(1)));
        let dir = options.dir.clone();
        let committer = Committer {
            clock: Arc::clone(&clock),
            shared: Arc::clone(&shared),
            queue,
            lock,
            noted: (seq, now),
            failures: 0,
            broken: None,
            options,
        };
        std::thread::Builder::new()
            .name("store-commit".to_owned())
            .spawn(move || committer.run())
            .map_err(|fault| OpenError::io(&dir, "start the committing thread", &fault))?;
        Ok(Self { clock, shared, queue: Mutex::new(sender), places, checked: begun.checked })
    }

    /// What the check at the start found, if there was one: after an unclean stop, and always while small.
    pub fn checked_at_start(&self) -> Option<&VerifyReport> {
        self.checked.as_ref()
    }

    /// Whether it works.
    pub fn health(&self) -> Health {
        self.shared.health.borrow().clone()
    }

    /// Every change of [`SledStore::health`].
    pub fn watch_health(&self) -> watch::Receiver<Health> {
        self.shared.health.subscribe()
    }

    /// Brings everything to the disk and lets the directory go. Commits after it are refused.
    pub async fn close(&self) -> Result<(), CommitError> {
        self.ask(Op::Close).await
    }

    /// Writes everything, as it is between two commits, to a file. Commits wait meanwhile.
    pub async fn export(&self, out: &Path) -> Result<ExportReport, ExportError> {
        let gone = |why: String| ExportError::Read { why };
        let place = self.place().await.map_err(|error| gone(error.to_string()))?;
        let (reply, answer) = oneshot::channel();
        self.send(Ask { op: Op::Export(out.to_owned(), reply), place });
        answer.await.map_err(|_| gone(self.health().to_string()))?
    }

    /// Makes a coming write fail, for tests.
    #[doc(hidden)]
    pub async fn fail_next_write(&self, fault: WriteFault) -> Result<(), CommitError> {
        self.ask(|reply| Op::Break(fault, reply)).await
    }

    async fn place(&self) -> Result<tokio::sync::OwnedSemaphorePermit, CommitError> {
        let unavailable = || CommitError::Unavailable { why: self.health().to_string() };
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| unavailable())
    }

    fn send(&self, ask: Ask) {
        // A thread that is gone drops the reply, which the asker sees.
        let _ = self.queue.lock().unwrap_or_else(PoisonError::into_inner).send(ask);
    }

    /// Queues an op and waits for its answer. Whoever stops waiting does not stop the op.
    async fn ask<T>(&self, op: impl FnOnce(committer::Reply<T>) -> Op) -> Result<T, CommitError> {
        let place = self.place().await?;
        let health = self.health();
        let (reply, answer) = oneshot::channel();
        let op = op(reply);
        if health != Health::Ready && !matches!(op, Op::Close(_)) {
            return Err(CommitError::Unavailable { why: health.to_string() });
        }
        if health == Health::Closed {
            return Err(CommitError::Unavailable { why: health.to_string() });
        }
        self.send(Ask { op, place });
        answer.await.unwrap_or_else(|_| Err(CommitError::Indeterminate { why: self.health().to_string() }))
    }

    /// Reads on a thread that may wait for the disk.
    async fn scan<T, E>(&self, act: impl FnOnce(&Shared) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<ReadError> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        match tokio::task::spawn_blocking(move || act(&shared)).await {
            Ok(done) => done,
            Err(_) => Err(ReadError::Unavailable { why: "a read did not end".to_owned() }.into()),
        }
    }

    async fn read(&self, table: Table, key: &Key) -> Result<Option<Versioned>, ReadError> {
        let key = keys::row(table, key);
        let stored = self.shared.engine()?.get(&key).map_err(|error| self.shared.engine_error(error))?;
        let Some(stored) = stored else { return Ok(None) };
        let opened = codec::decode(&key, &stored)?;
        self.shared.on_disk(opened.rev).await?;
        Ok(Some(opened.into()))
    }
}

impl Shared {
    fn claim(&self, shard: Shard, lease: &Lease, ask: &ClaimAsk) -> Result<Vec<Claimed>, CommitError> {
        let engine = self.engine()?;
        let mut hands = self.hands();
        hands.must_hold(lease)?;
        let due = self.queue(&engine, shard, keys::queue_due_end(shard, ask.now));
        let claimed = hands.claim(ask, due, |id| {
            let stored = engine.get(&keys::job(id)).map_err(|error| self.engine_error(error))?;
            Ok(stored.map(|stored| plan::job(id, &stored)).transpose()?)
        });
        Ok(claimed?)
    }

    fn next_due(&self, shard: Shard, now: Timestamp) -> Result<Option<Timestamp>, ReadError> {
        let engine = self.engine()?;
        let hands = self.hands();
        hands.next_due(now, self.queue(&engine, shard, keys::prefix_end(&keys::queue_prefix(shard))))
    }

    fn queued(&self, shard: Shard, limit: u32) -> Result<Vec<Queued>, ReadError> {
        let engine = self.engine()?;
        scan::first_queued(self.queue(&engine, shard, keys::prefix_end(&keys::queue_prefix(shard))), limit)
    }

    fn page(&self, table: Table, prefix: &Key, after: Option<&Key>, limit: u32) -> Result<Page, ReadError> {
        let rows = self.engine()?.range(scan::page_range(table, prefix, after));
        scan::page(table, rows.map(|row| row.map_err(|error| self.engine_error(error))), limit)
    }

    fn queue(
        &self,
        engine: &engine::Engine,
        shard: Shard,
        end: Vec<u8>,
    ) -> impl Iterator<Item = Result<scan::Queued, ReadError>> {
        let range = (std::ops::Bound::Included(keys::queue_prefix(shard)), std::ops::Bound::Excluded(end));
        engine.range(range).map(|row| {
            let (key, stored) = row.map_err(|error| self.engine_error(error))?;
            Ok(scan::queued(&key, &stored)?)
        })
    }

    fn engine_error(&self, error: engine::EngineError) -> ReadError {
        let error = error.into();
        self.suspect(&error);
        error
    }
}

impl Store for SledStore {
    fn caps(&self) -> Caps {
        Caps { many_replicas: false, value_bytes_max: codec::VALUE_BYTES_MAX, ops_max: plan::OPS_MAX }
    }

    fn get<'a>(&'a self, table: Table, key: &'a Key) -> BoxFuture<'a, Result<Option<Versioned>, ReadError>> {
        Box::pin(self.read(table, key))
    }

    fn page<'a>(
        &'a self,
        table: Table,
        prefix: &'a Key,
        after: Option<&'a Key>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Page, ReadError>> {
        Box::pin(async move {
            let (prefix, after) = (prefix.clone(), after.cloned());
            let page: Page =
                self.scan(move |shared| shared.page(table, &prefix, after.as_ref(), limit)).await?;
            let newest = page.rows.iter().map(|(_, row)| row.rev).max();
            self.shared.on_disk(newest.unwrap_or_default()).await?;
            Ok(page)
        })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Seq, CommitError>> {
        Box::pin(async move {
            plan::check_size(&commit)?;
            self.ask(|reply| Op::Commit(commit, reply)).await
        })
    }

    fn acquire<'a>(
        &'a self,
        name: &'a LeaseName,
        holder: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Option<Lease>, CommitError>> {
        Box::pin(async move {
            let (name, holder) = (name.clone(), holder.to_owned());
            self.ask(|reply| Op::Acquire { name, holder, ttl, reply }).await
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> BoxFuture<'a, Result<Lease, CommitError>> {
        Box::pin(async move { self.shared.hands().renew(lease, self.clock.now().plus(ttl)) })
    }

    fn release(&self, lease: Lease) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(self.ask(|reply| Op::Release(lease, reply)))
    }

    fn claim<'a>(
        &'a self,
        shard: Shard,
        lease: &'a Lease,
        limit: u32,
        visibility: Duration,
    ) -> BoxFuture<'a, Result<Vec<Claimed>, CommitError>> {
        Box::pin(async move {
            let durable: Rev = self.shared.durable.borrow().seq;
            let ask = ClaimAsk { limit, visibility, now: self.clock.now(), durable };
            let lease = lease.clone();
            self.scan(move |shared| shared.claim(shard, &lease, &ask)).await
        })
    }

    fn next_due(&self, shard: Shard) -> BoxFuture<'_, Result<Option<Timestamp>, ReadError>> {
        let now = self.clock.now();
        Box::pin(self.scan(move |shared| shared.next_due(shard, now)))
    }

    fn queued(&self, shard: Shard, limit: u32) -> BoxFuture<'_, Result<Vec<Queued>, ReadError>> {
        Box::pin(self.scan(move |shared| shared.queued(shard, limit)))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn hints(&self, topic: Topic) -> BoxStream<'static, ()> {
        match topic {
            Topic::Jobs => hints::stream(self.shared.hints.subscribe()),
        }
    }
}
