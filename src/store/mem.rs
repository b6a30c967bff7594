//! The store in memory: for simulation and the sandbox. Nothing outlives the process.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    future::pending,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{future::BoxFuture, stream::BoxStream};
use handoffd_connectors::client::Clock;
use handoffd_core::Timestamp;
use tokio::sync::watch;

use super::{
    Caps, Claimed, Commit, CommitError, FenceToken, Key, Lease, LeaseName, Page, Queued, ReadError, Seq,
    Shard, Store, Table, Topic, Versioned, codec,
    hands::{ClaimAsk, Hands},
    hints, keys,
    plan::{self, Plan, Stamp, Stop},
    scan,
};

const NODE: &str = "memory";

type Rows = BTreeMap<Vec<u8>, Arc<[u8]>>;

/// All rows at one moment. Cheap to clone; opened again with [`MemStore::open`].
#[derive(Clone, Default)]
pub struct MemSnapshot(Rows);

/// On which side of a commit a simulated process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashSide {
    /// The commit did not happen.
    Before,
    /// The commit happened, and nobody was told.
    After,
}

/// Called with each commit that happened.
pub type Observer = Box<dyn FnMut(Seq, &Commit) + Send>;

/// The store in memory.
pub struct MemStore {
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    hints: watch::Sender<u64>,
    dead: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    rows: Rows,
    hands: Hands,
    failures: VecDeque<(CommitError, bool)>,
    crash: Option<(Seq, CrashSide)>,
    observer: Option<Observer>,
}

/// What became of a call: an answer, or the silence of a process that died.
enum Fate<T> {
    Answered(T),
    Died,
}

impl MemStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::open(MemSnapshot::default(), clock)
    }

    /// A store with these rows, as a new process finds them: claims and leases are let go.
    pub fn open(snapshot: MemSnapshot, clock: Arc<dyn Clock>) -> Self {
        let inner = Inner { rows: snapshot.0, ..Inner::default() };
        Self {
            clock,
            inner: Mutex::new(inner),
            hints: watch::Sender::new(0),
            dead: watch::Sender::new(false),
        }
    }

    /// All rows now, also after a crash.
    pub fn snapshot(&self) -> MemSnapshot {
        MemSnapshot(self.lock().rows.clone())
    }

    /// The last commit.
    pub fn seq(&self) -> Seq {
        let head = self.lock().rows.get(keys::HEAD).cloned();
        Seq(plan::head(head.as_deref()).map_or(0, |head| head.commit_seq))
    }

    /// Fails the next commit that nothing else refuses; several calls line up.
    /// `applied` says whether it happens all the same.
    pub fn fail_next(&self, error: CommitError, applied: bool) {
        self.lock().failures.push_back((error, applied));
    }

    /// The process dies at the commit of this number (or the next one made): from
    /// then on no call is ever answered, [`MemStore::crashed`] resolves, and
    /// [`MemStore::snapshot`] gives what is left.
    pub fn crash_at(&self, seq: Seq, side: CrashSide) {
        self.lock().crash = Some((seq, side));
    }

    /// Resolves when the process has died by [`MemStore::crash_at`].
    pub fn crashed(&self) -> BoxFuture<'static, ()> {
        let mut dead = self.dead.subscribe();
        Box::pin(async move {
            if dead.wait_for(|dead| *dead).await.is_err() {
                pending::<()>().await;
            }
        })
    }

    /// Calls `observer` with each commit that happens from now on, under the store's lock.
    pub fn observe(&self, observer: Observer) {
        self.lock().observer = Some(observer);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets others run first, as a commit that waits for a disk would, then does `act`.
    async fn write<T>(&self, act: impl FnOnce(&mut Inner) -> Fate<T>) -> T {
        tokio::task::yield_now().await;
        if self.is_dead() {
            return pending().await;
        }
        let fate = act(&mut self.lock());
        match fate {
            Fate::Answered(answer) => answer,
            Fate::Died => {
                self.dead.send_replace(true);
                pending().await
            }
        }
    }

    async fn read<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        if self.is_dead() {
            return pending().await;
        }
        act(&mut self.lock())
    }

    fn is_dead(&self) -> bool {
        *self.dead.borrow()
    }
}

impl Inner {
    fn commit(&mut self, commit: &Commit, now: Timestamp) -> Fate<Result<Seq, CommitError>> {
        let held = self.hands.tokens();
        let stamp = Stamp { node: NODE, now };
        let plan = match plan::commit(&|key| reader(&self.rows, key), commit, &held, stamp) {
            Ok(plan) => plan,
            Err(stop) => return Fate::Answered(Err(refusal(stop))),
        };
        let seq = plan.seq;
        let applied = self.apply(plan);
        if matches!(applied, Fate::Answered(Ok(())) | Fate::Answered(Err(CommitError::Indeterminate { .. })))
        {
            for done in &commit.done {
                self.hands.finished(done);
            }
            if let Some(observer) = &mut self.observer {
                observer(seq, commit);
            }
        }
        match applied {
            Fate::Answered(answer) => Fate::Answered(answer.map(|()| seq)),
            Fate::Died => Fate::Died,
        }
    }

    fn acquire(
        &mut self,
        name: &LeaseName,
        holder: &str,
        ttl: Duration,
        now: Timestamp,
    ) -> Fate<Result<Option<Lease>, CommitError>> {
        if !self.hands.free(name, holder, now) {
            return Fate::Answered(Ok(None));
        }
        let stamp = Stamp { node: NODE, now };
        let (plan, token): (Plan, FenceToken) =
            match plan::next_token(&|key| reader(&self.rows, key), name, stamp) {
                Ok(planned) => planned,
                Err(stop) => return Fate::Answered(Err(refusal(stop))),
            };
        match self.apply(plan) {
            Fate::Answered(Ok(())) => {
                Fate::Answered(Ok(Some(self.hands.hold(name.clone(), holder, token, now.plus(ttl)))))
            }
            Fate::Answered(Err(error)) => Fate::Answered(Err(error)),
            Fate::Died => Fate::Died,
        }
    }

    /// Writes, unless the simulation wants a failure or a death here.
    fn apply(&mut self, plan: Plan) -> Fate<Result<(), CommitError>> {
        let dies = self.crash.filter(|(at, _)| plan.seq >= *at).map(|(_, side)| side);
        if dies == Some(CrashSide::Before) {
            return Fate::Died;
        }
        let failure = self.failures.pop_front();
        if failure.as_ref().is_none_or(|(_, applied)| *applied) {
            for (key, value) in plan.changes {
                match value {
                    Some(value) => self.rows.insert(key, Arc::from(value)),
                    None => self.rows.remove(&key),
                };
            }
        }
        match (dies, failure) {
            (Some(_), _) => Fate::Died,
            (None, Some((error, _))) => Fate::Answered(Err(error)),
            (None, None) => Fate::Answered(Ok(())),
        }
    }

    fn queue(&self, shard: Shard, end: Vec<u8>) -> impl Iterator<Item = Result<scan::Queued, ReadError>> {
        let range = (Bound::Included(keys::queue_prefix(shard)), Bound::Excluded(end));
        self.rows.range(range).map(|(key, stored)| Ok(scan::queued(key, stored)?))
    }
}

fn reader(rows: &Rows, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
    Ok(rows.get(key).map(|stored| stored.to_vec()))
}

fn refusal(stop: Stop<Infallible>) -> CommitError {
    match stop {
        Stop::Refused(error) => error,
    }
}

impl Store for MemStore {
    fn caps(&self) -> Caps {
        Caps { many_replicas: false, value_bytes_max: codec::VALUE_BYTES_MAX, ops_max: plan::OPS_MAX }
    }

    fn get<'a>(&'a self, table: Table, key: &'a Key) -> BoxFuture<'a, Result<Option<Versioned>, ReadError>> {
        Box::pin(self.read(move |inner| {
            let key = keys::row(table, key);
            let opened = inner.rows.get(&key).map(|stored| codec::decode(&key, stored)).transpose()?;
            Ok(opened.map(Versioned::from))
        }))
    }

    fn page<'a>(
        &'a self,
        table: Table,
        prefix: &'a Key,
        after: Option<&'a Key>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Page, ReadError>> {
        Box::pin(self.read(move |inner| {
            let range = scan::page_range(table, prefix, after);
            let rows = inner.rows.range(range).map(|(key, stored)| Ok((key.clone(), stored.to_vec())));
            scan::page(table, rows, limit)
        }))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Seq, CommitError>> {
        Box::pin(async move {
            plan::check_size(&commit)?;
            let seq = self.write(|inner| inner.commit(&commit, self.clock.now())).await?;
            if !commit.jobs.is_empty() || !commit.done.is_empty() {
                self.hints.send_modify(|count| *count += 1);
            }
            Ok(seq)
        })
    }

    fn acquire<'a>(
        &'a self,
        name: &'a LeaseName,
        holder: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Option<Lease>, CommitError>> {
        Box::pin(self.write(move |inner| inner.acquire(name, holder, ttl, self.clock.now())))
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> BoxFuture<'a, Result<Lease, CommitError>> {
        let until = self.clock.now().plus(ttl);
        Box::pin(self.write(move |inner| Fate::Answered(inner.hands.renew(lease, until))))
    }

    fn release(&self, lease: Lease) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(self.write(move |inner| {
            inner.hands.let_go(&lease.name, lease.token);
            Fate::Answered(Ok(()))
        }))
    }

    fn claim<'a>(
        &'a self,
        shard: Shard,
        lease: &'a Lease,
        limit: u32,
        visibility: Duration,
    ) -> BoxFuture<'a, Result<Vec<Claimed>, CommitError>> {
        Box::pin(
            self.write(move |inner| {
                Fate::Answered(inner.claim(shard, lease, self.claim_ask(limit, visibility)))
            }),
        )
    }

    fn next_due(&self, shard: Shard) -> BoxFuture<'_, Result<Option<Timestamp>, ReadError>> {
        Box::pin(self.read(move |inner| {
            let end = keys::prefix_end(&keys::queue_prefix(shard));
            inner.hands.next_due(self.clock.now(), inner.queue(shard, end))
        }))
    }

    fn queued(&self, shard: Shard, limit: u32) -> BoxFuture<'_, Result<Vec<Queued>, ReadError>> {
        Box::pin(self.read(move |inner| {
            let end = keys::prefix_end(&keys::queue_prefix(shard));
            scan::first_queued(inner.queue(shard, end), limit)
        }))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn hints(&self, topic: Topic) -> BoxStream<'static, ()> {
        match topic {
            Topic::Jobs => hints::stream(self.hints.subscribe()),
        }
    }
}

impl MemStore {
    fn claim_ask(&self, limit: u32, visibility: Duration) -> ClaimAsk {
        ClaimAsk { limit, visibility, now: self.clock.now(), durable: Seq(u64::MAX) }
    }
}

impl Inner {
    fn claim(&mut self, shard: Shard, lease: &Lease, ask: ClaimAsk) -> Result<Vec<Claimed>, CommitError> {
        self.hands.must_hold(lease)?;
        let mut hands = std::mem::take(&mut self.hands);
        let claimed = hands.claim(&ask, self.queue(shard, keys::queue_due_end(shard, ask.now)), |id| {
            Ok(self.rows.get(&keys::job(id)).map(|stored| plan::job(id, stored)).transpose()?)
        });
        self.hands = hands;
        Ok(claimed?)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::store::{Write, conformance::HandClock};

    const ROWS: Table = Table("rows");

    fn put(text: &str) -> Commit {
        Commit {
            writes: vec![Write::Put(ROWS, Key::of(&["a"]), text.as_bytes().to_vec())],
            ..Commit::default()
        }
    }

    async fn shown(store: &MemStore) -> Option<Vec<u8>> {
        store.get(ROWS, &Key::of(&["a"])).await.unwrap().map(|row| row.value)
    }

    #[tokio::test]
    async fn failures_come_in_line_and_happen_or_not() {
        let store = MemStore::new(HandClock::new());
        let unclear = CommitError::Indeterminate { why: "cut".to_owned() };
        store.fail_next(unclear.clone(), true);
        store.fail_next(unclear.clone(), false);
        assert_eq!(store.commit(put("1")).await, Err(unclear.clone()));
        assert_eq!(shown(&store).await.unwrap(), b"1");
        assert_eq!(store.commit(put("2")).await, Err(unclear));
        assert_eq!(shown(&store).await.unwrap(), b"1");
        assert_eq!(store.commit(put("3")).await, Ok(Seq(2)));
    }

    #[tokio::test]
    async fn a_crash_is_silent_and_leaves_what_was_committed() {
        for (side, left) in [(CrashSide::Before, b"1"), (CrashSide::After, b"2")] {
            let store = MemStore::new(HandClock::new());
            store.crash_at(Seq(2), side);
            store.commit(put("1")).await.unwrap();
            assert!(store.crashed().now_or_never().is_none());
            let patience = Duration::from_millis(20);
            assert!(tokio::time::timeout(patience, store.commit(put("2"))).await.is_err(), "nobody answers");
            store.crashed().await;
            assert!(store.get(ROWS, &Key::of(&["a"])).now_or_never().is_none());
            let next = MemStore::open(store.snapshot(), HandClock::new());
            assert_eq!(shown(&next).await.unwrap(), left, "{side:?}");
            assert_eq!(next.seq(), Seq(if side == CrashSide::After { 2 } else { 1 }));
        }
    }

    #[tokio::test]
    async fn a_snapshot_stands_apart_and_commits_are_observed() {
        let store = MemStore::new(HandClock::new());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        store.observe(Box::new(move |seq, commit| log.lock().unwrap().push((seq, commit.ops()))));
        store.commit(put("1")).await.unwrap();
        let snapshot = store.snapshot();
        store.commit(put("2")).await.unwrap();
        assert_eq!(shown(&MemStore::open(snapshot, HandClock::new())).await.unwrap(), b"1");
        assert_eq!(*seen.lock().unwrap(), [(Seq(1), 1), (Seq(2), 1)]);
    }
}
