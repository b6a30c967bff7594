//! What every backend must do, once for each backend.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, future::join_all};
use handoffd_connectors::client::Clock;
use handoffd_core::Timestamp;

use super::{
    Claimed, Commit, CommitError, FenceToken, Guard, JobDone, Key, Lease, LeaseName, NewJob, Page, Queued,
    Seq, Shard, Store, Table, Topic, Write,
    mem::MemStore,
    plan::{JOB_BODY_BYTES_MAX, KEY_BYTES_MAX},
    sled::{Options, SledStore},
};

const ROWS: Table = Table("rows");
const OTHER: Table = Table("rowsother");
const MINUTE: Duration = Duration::from_secs(60);

/// A clock that a test moves.
pub(super) struct HandClock(AtomicI64);

impl HandClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_000_000)))
    }

    pub(super) fn forward(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, _at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

enum Backend {
    Mem(MemStore),
    Sled(SledStore, tempfile::TempDir),
}

/// A backend that can be closed and opened again.
struct Bench {
    clock: Arc<HandClock>,
    backend: Option<Backend>,
}

impl Bench {
    fn mem() -> Self {
        let clock = HandClock::new();
        let backend = Backend::Mem(MemStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
        Self { clock, backend: Some(backend) }
    }

    fn sled() -> Self {
        let clock = HandClock::new();
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(Options::new(dir.path(), "test"), clock.clone()).unwrap();
        Self { clock, backend: Some(Backend::Sled(store, dir)) }
    }

    fn store(&self) -> &dyn Store {
        match self.backend.as_ref().unwrap() {
            Backend::Mem(store) => store,
            Backend::Sled(store, _) => store,
        }
    }

    async fn reopen(&mut self) {
        self.backend = Some(match self.backend.take().unwrap() {
            Backend::Mem(store) => Backend::Mem(MemStore::open(store.snapshot(), self.clock.clone())),
            Backend::Sled(store, dir) => {
                store.close().await.unwrap();
                let store = SledStore::open(Options::new(dir.path(), "test"), self.clock.clone()).unwrap();
                Backend::Sled(store, dir)
            }
        });
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn ok(&self, commit: Commit) -> Seq {
        self.store().commit(commit).await.unwrap()
    }

    async fn get(&self, key: &str) -> Option<(Vec<u8>, Seq)> {
        let found = self.store().get(ROWS, &Key::of(&[key])).await.unwrap();
        found.map(|row| (row.value, row.rev))
    }

    async fn lease(&self) -> Lease {
        self.store().acquire(&name("jobs"), "me", MINUTE * 60).await.unwrap().unwrap()
    }

    async fn claim(&self, order_key: &str, lease: &Lease, limit: u32) -> Vec<Claimed> {
        self.store().claim(Shard::of(order_key), lease, limit, MINUTE).await.unwrap()
    }

    async fn due(&self, order_key: &str) -> Option<Timestamp> {
        self.store().next_due(Shard::of(order_key)).await.unwrap()
    }
}

fn name(text: &str) -> LeaseName {
    LeaseName(text.to_owned())
}

fn put(key: &str, value: &str) -> Write {
    Write::Put(ROWS, Key::of(&[key]), value.as_bytes().to_vec())
}

fn delete(key: &str) -> Write {
    Write::Delete(ROWS, Key::of(&[key]))
}

fn absent(key: &str) -> Guard {
    Guard::Absent(ROWS, Key::of(&[key]))
}

fn rev(key: &str, rev: Seq) -> Guard {
    Guard::Rev(ROWS, Key::of(&[key]), rev)
}

fn writes(writes: impl IntoIterator<Item = Write>) -> Commit {
    Commit { writes: writes.into_iter().collect(), ..Commit::default() }
}

fn guarded(guards: impl IntoIterator<Item = Guard>, change: impl IntoIterator<Item = Write>) -> Commit {
    Commit { guards: guards.into_iter().collect(), ..writes(change) }
}

fn job(id: &str, order_key: &str, run_at: Timestamp) -> NewJob {
    NewJob { id: id.to_owned(), order_key: order_key.to_owned(), run_at, body: id.as_bytes().to_vec() }
}

fn jobs(jobs: impl IntoIterator<Item = NewJob>) -> Commit {
    Commit { jobs: jobs.into_iter().collect(), ..Commit::default() }
}

fn done(claimed: &Claimed) -> Commit {
    Commit { done: vec![JobDone { id: claimed.job.id.clone(), rev: claimed.rev }], ..Commit::default() }
}

fn ids(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|claimed| claimed.job.id.as_str()).collect()
}

fn keys_of(page: &Page) -> Vec<String> {
    page.rows.iter().map(|(key, _)| key.parts().join("/")).collect()
}

/// Two order keys of one shard.
fn neighbours() -> (String, String) {
    let first = "a".to_owned();
    let second = (0..).map(|at| format!("b{at}")).find(|key| Shard::of(key) == Shard::of(&first)).unwrap();
    (first, second)
}

macro_rules! conformance {
    ($($check:ident),* $(,)?) => {
        mod mem {
            $(#[tokio::test]
            async fn $check() {
                super::$check(super::Bench::mem()).await;
            })*
        }
        mod sled {
            $(#[tokio::test]
            async fn $check() {
                super::$check(super::Bench::sled()).await;
            })*
        }
    };
}

conformance!(
    a_row_is_read_back_with_the_commit_that_wrote_it,
    commits_are_numbered_without_gaps,
    an_absent_guard_holds_once,
    a_rev_guard_holds_for_one_rev,
    guards_look_at_the_state_before_the_commit,
    a_refused_commit_changes_nothing,
    the_last_write_of_a_row_counts,
    pages_are_in_key_order_and_go_on,
    pages_keep_to_their_table_and_prefix,
    what_is_too_large_is_refused_whole,
    what_is_just_large_enough_is_kept,
    a_job_asked_for_twice_is_one,
    a_job_moves_with_its_order_key,
    only_due_jobs_are_claimed_earliest_first,
    one_job_of_an_order_key_is_in_hand,
    a_claim_runs_out,
    a_finished_job_is_gone,
    a_job_asked_for_again_meanwhile_stays,
    a_job_is_put_off_in_the_commit_that_ends_it,
    a_late_end_does_not_let_go_of_a_newer_claim,
    a_restart_lets_go_of_claims,
    next_due_leaves_out_what_is_in_hand,
    what_is_queued_is_told_until_it_is_done,
    a_lease_has_one_holder_until_it_runs_out,
    tokens_grow_over_restarts,
    a_lost_lease_fences,
    a_released_lease_fences_and_is_free,
    hints_follow_jobs_and_their_ends,
    commits_at_once_lose_nothing,
    the_clock_is_the_one_given,
);

async fn a_row_is_read_back_with_the_commit_that_wrote_it(mut bench: Bench) {
    assert_eq!(bench.get("a").await, None);
    let first = bench.ok(writes([put("a", "1"), put("b", "")])).await;
    bench.reopen().await;
    assert_eq!(bench.get("a").await, Some((b"1".to_vec(), first)));
    assert_eq!(bench.get("b").await, Some((vec![], first)));
    let second = bench.ok(writes([put("a", "1")])).await;
    bench.reopen().await;
    assert_eq!(bench.get("a").await, Some((b"1".to_vec(), second)), "the same bytes again are a new rev");
    assert_eq!(bench.get("b").await, Some((vec![], first)));
    bench.ok(writes([delete("a"), delete("never")])).await;
    bench.reopen().await;
    assert_eq!(bench.get("a").await, None);
}

async fn commits_are_numbered_without_gaps(mut bench: Bench) {
    for wanted in 1..=4 {
        assert_eq!(bench.ok(writes([put("a", "x")])).await, Seq(wanted));
        bench.store().commit(guarded([absent("a")], [])).await.unwrap_err();
        bench.reopen().await;
    }
    assert_eq!(bench.ok(Commit::default()).await, Seq(5), "an empty commit is one");
}

async fn an_absent_guard_holds_once(mut bench: Bench) {
    bench.ok(guarded([absent("a")], [put("a", "1")])).await;
    bench.reopen().await;
    let again = bench.store().commit(guarded([absent("a")], [put("a", "2")])).await;
    assert_eq!(again, Err(CommitError::Conflict { guard: 0 }));
    bench.ok(writes([delete("a")])).await;
    bench.ok(guarded([absent("a")], [put("a", "3")])).await;
}

async fn a_rev_guard_holds_for_one_rev(mut bench: Bench) {
    let none = bench.store().commit(guarded([rev("a", Seq(0))], [])).await;
    assert_eq!(none, Err(CommitError::Conflict { guard: 0 }), "no row has no rev");
    let first = bench.ok(writes([put("a", "1")])).await;
    bench.reopen().await;
    let second = bench.ok(guarded([rev("a", first)], [put("a", "2")])).await;
    bench.reopen().await;
    let stale = bench.store().commit(guarded([rev("a", first)], [put("a", "3")])).await;
    assert_eq!(stale, Err(CommitError::Conflict { guard: 0 }));
    assert_eq!(bench.get("a").await, Some((b"2".to_vec(), second)));
}

async fn guards_look_at_the_state_before_the_commit(bench: Bench) {
    bench.ok(guarded([absent("a"), absent("a")], [put("a", "1")])).await;
    let seq = bench.get("a").await.unwrap().1;
    bench.ok(guarded([rev("a", seq)], [delete("a")])).await;
    assert_eq!(bench.get("a").await, None);
}

async fn a_refused_commit_changes_nothing(mut bench: Bench) {
    let lease = bench.lease().await;
    bench.ok(jobs([job("old", "k", bench.now())])).await;
    let claimed = bench.claim("k", &lease, 1).await;
    let seq = bench.ok(writes([put("a", "1")])).await;
    let mut commit = guarded([rev("a", seq), absent("b"), absent("a")], [put("b", "2"), delete("a")]);
    commit.jobs = vec![job("new", "k", bench.now())];
    commit.done = done(&claimed[0]).done;
    assert_eq!(bench.store().commit(commit).await, Err(CommitError::Conflict { guard: 2 }));
    bench.reopen().await;
    assert_eq!(bench.get("a").await, Some((b"1".to_vec(), seq)));
    assert_eq!(bench.get("b").await, None);
    let lease = bench.lease().await;
    assert_eq!(ids(&bench.claim("k", &lease, 9).await), ["old"]);
}

async fn the_last_write_of_a_row_counts(mut bench: Bench) {
    bench
        .ok(writes([put("a", "1"), put("a", "2"), put("b", "1"), delete("b"), delete("c"), put("c", "1")]))
        .await;
    bench.reopen().await;
    assert_eq!(bench.get("a").await.unwrap().0, b"2");
    assert_eq!(bench.get("b").await, None);
    assert_eq!(bench.get("c").await.unwrap().0, b"1");
}

async fn pages_are_in_key_order_and_go_on(mut bench: Bench) {
    for chunk in (0..250).rev().collect::<Vec<_>>().chunks(50) {
        bench.ok(writes(chunk.iter().map(|at| put(&format!("{at:03}"), "x")))).await;
    }
    bench.reopen().await;
    let all = Key(vec![]);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = bench.store().page(ROWS, &all, after.as_ref(), 60).await.unwrap();
        assert!(page.rows.len() <= 60);
        seen.extend(keys_of(&page));
        after = page.rows.last().map(|(key, _)| key.clone());
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, (0..250).map(|at| format!("{at:03}")).collect::<Vec<_>>());
    let exact = bench.store().page(ROWS, &all, Some(&Key::of(&["248"])), 1).await.unwrap();
    assert_eq!(
        (keys_of(&exact), exact.more),
        (vec!["249".to_owned()], false),
        "a full last page is the last"
    );
}

async fn pages_keep_to_their_table_and_prefix(bench: Bench) {
    let two = |table, first, second| Write::Put(table, Key::of(&[first, second]), vec![1]);
    bench
        .ok(writes([two(ROWS, "a", "1"), two(ROWS, "a", "2"), two(ROWS, "ab", "1"), two(OTHER, "a", "9")]))
        .await;
    bench.ok(writes([Write::Put(ROWS, Key(vec![255, 255]), vec![2])])).await;
    let page = async |prefix: Key, after: Option<Key>| {
        keys_of(&bench.store().page(ROWS, &prefix, after.as_ref(), 10).await.unwrap())
    };
    let a = Key::of(&["a", ""]);
    assert_eq!(page(a.clone(), None).await, ["a/1", "a/2"]);
    assert_eq!(page(a.clone(), Some(Key::of(&["a", "1"]))).await, ["a/2"]);
    assert_eq!(page(a.clone(), Some(Key::of(&["0"]))).await, ["a/1", "a/2"], "behind something earlier");
    assert!(page(a, Some(Key::of(&["zz"]))).await.is_empty(), "behind the prefix's end");
    assert_eq!(page(Key(vec![]), None).await.len(), 4);
    assert_eq!(page(Key(vec![255]), None).await.len(), 1);
    assert!(page(Key::of(&["none"]), None).await.is_empty());
}

async fn what_is_too_large_is_refused_whole(mut bench: Bench) {
    let caps = bench.store().caps();
    let long = |bytes| Write::Put(ROWS, Key::of(&["long"]), vec![7; bytes]);
    let mut wide = job("j", "k", bench.now());
    wide.body = vec![0; JOB_BODY_BYTES_MAX + 1];
    let cases = [
        writes([put("a", "1"), long(caps.value_bytes_max + 1)]),
        writes((0..=caps.ops_max).map(|at| put(&at.to_string(), "x"))),
        writes([put("a", "1"), Write::Delete(ROWS, Key(vec![1; KEY_BYTES_MAX + 1]))]),
        Commit { jobs: vec![wide], ..writes([put("a", "1")]) },
        Commit {
            jobs: vec![job(&"i".repeat(KEY_BYTES_MAX + 1), "k", bench.now())],
            ..writes([put("a", "1")])
        },
        Commit {
            jobs: vec![job("i", &"k".repeat(KEY_BYTES_MAX + 1), bench.now())],
            ..writes([put("a", "1")])
        },
    ];
    for commit in cases {
        let refused = bench.store().commit(commit).await;
        assert!(matches!(refused, Err(CommitError::TooLarge { .. })), "{refused:?}");
    }
    bench.reopen().await;
    assert!(bench.store().page(ROWS, &Key(vec![]), None, 10).await.unwrap().rows.is_empty());
}

async fn what_is_just_large_enough_is_kept(mut bench: Bench) {
    let caps = bench.store().caps();
    let noise: Vec<u8> =
        (0..caps.value_bytes_max as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    let full =
        (0..caps.ops_max).map(|at| Write::Put(ROWS, Key(vec![at as u8; KEY_BYTES_MAX]), noise.clone()));
    bench.ok(writes(full)).await;
    let mut wide = job(&"i".repeat(KEY_BYTES_MAX), &"k".repeat(KEY_BYTES_MAX), bench.now());
    wide.body = vec![9; JOB_BODY_BYTES_MAX];
    bench.ok(jobs([wide.clone()])).await;
    bench.reopen().await;
    for at in 0..caps.ops_max {
        let row = bench.store().get(ROWS, &Key(vec![at as u8; KEY_BYTES_MAX])).await.unwrap().unwrap();
        assert!(row.value == noise, "row {at}");
    }
    let lease = bench.lease().await;
    assert_eq!(bench.claim(&wide.order_key, &lease, 1).await[0].job, wide);
}

async fn a_job_asked_for_twice_is_one(mut bench: Bench) {
    let now = bench.now();
    let first = bench.ok(jobs([job("j", "k", now)])).await;
    bench.reopen().await;
    let mut again = job("j", "k", now.plus(MINUTE));
    again.body = b"newer".to_vec();
    let second = bench.ok(jobs([again.clone()])).await;
    bench.reopen().await;
    let lease = bench.lease().await;
    let claimed = bench.claim("k", &lease, 9).await;
    let wanted = NewJob { run_at: now, ..again };
    assert_eq!(claimed, [Claimed { job: wanted, rev: second }], "the earlier time, the newer body and rev");
    assert!(second > first);
    bench.ok(jobs([job("late", "m", now.plus(MINUTE)), job("late", "m", now)])).await;
    assert_eq!(bench.due("m").await, Some(now), "an earlier asking moves it");
}

async fn a_job_moves_with_its_order_key(bench: Bench) {
    let now = bench.now();
    bench.ok(jobs([job("j", "a", now)])).await;
    let elsewhere = (0..).map(|at| format!("x{at}")).find(|key| Shard::of(key) != Shard::of("a")).unwrap();
    bench.ok(jobs([job("j", &elsewhere, now)])).await;
    assert_eq!(bench.due("a").await, None);
    assert_eq!(bench.due(&elsewhere).await, Some(now));
}

async fn only_due_jobs_are_claimed_earliest_first(mut bench: Bench) {
    let now = bench.now();
    let (a, b) = neighbours();
    let other = (0..).map(|at| format!("x{at}")).find(|key| Shard::of(key) != Shard::of(&a)).unwrap();
    bench
        .ok(jobs([
            job("later", &a, now.plus(MINUTE)),
            job("second", &a, now),
            job("first", &b, now.minus(MINUTE)),
            job("elsewhere", &other, now.minus(MINUTE)),
        ]))
        .await;
    bench.reopen().await;
    let lease = bench.lease().await;
    assert_eq!(ids(&bench.claim(&a, &lease, 1).await), ["first"]);
    assert_eq!(ids(&bench.claim(&a, &lease, 9).await), ["second"]);
    assert!(bench.claim(&a, &lease, 9).await.is_empty());
    assert!(bench.claim(&other, &lease, 0).await.is_empty());
    assert_eq!(ids(&bench.claim(&other, &lease, 9).await), ["elsewhere"]);
}

async fn one_job_of_an_order_key_is_in_hand(bench: Bench) {
    let now = bench.now();
    let (a, b) = neighbours();
    bench.ok(jobs([job("a1", &a, now.minus(MINUTE)), job("a2", &a, now), job("b1", &b, now)])).await;
    let lease = bench.lease().await;
    let claimed = bench.claim(&a, &lease, 9).await;
    assert_eq!(ids(&claimed), ["a1", "b1"]);
    assert!(bench.claim(&a, &lease, 9).await.is_empty());
    bench.ok(done(&claimed[0])).await;
    assert_eq!(ids(&bench.claim(&a, &lease, 9).await), ["a2"]);
}

async fn a_claim_runs_out(bench: Bench) {
    bench.ok(jobs([job("j", "k", bench.now())])).await;
    let lease = bench.lease().await;
    assert_eq!(bench.claim("k", &lease, 1).await.len(), 1);
    bench.clock.forward(MINUTE - Duration::from_millis(1));
    assert!(bench.claim("k", &lease, 1).await.is_empty());
    bench.clock.forward(Duration::from_millis(1));
    assert_eq!(ids(&bench.claim("k", &lease, 1).await), ["j"]);
}

async fn a_finished_job_is_gone(mut bench: Bench) {
    bench.ok(jobs([job("j", "k", bench.now())])).await;
    let lease = bench.lease().await;
    let claimed = bench.claim("k", &lease, 1).await;
    bench.ok(done(&claimed[0])).await;
    bench.ok(done(&claimed[0])).await;
    bench.reopen().await;
    bench.clock.forward(MINUTE * 2);
    let lease = bench.lease().await;
    assert!(bench.claim("k", &lease, 1).await.is_empty());
    assert_eq!(bench.due("k").await, None);
}

async fn a_job_asked_for_again_meanwhile_stays(mut bench: Bench) {
    let now = bench.now();
    bench.ok(jobs([job("j", "k", now)])).await;
    let lease = bench.lease().await;
    let claimed = bench.claim("k", &lease, 1).await;
    let asked = bench.ok(jobs([job("j", "k", now)])).await;
    assert!(bench.claim("k", &lease, 1).await.is_empty(), "it is in hand still");
    bench.ok(done(&claimed[0])).await;
    let again = bench.claim("k", &lease, 1).await;
    assert_eq!((ids(&again), again[0].rev), (vec!["j"], asked));
    bench.reopen().await;
    assert_eq!(bench.due("k").await, Some(now));
}

async fn a_job_is_put_off_in_the_commit_that_ends_it(mut bench: Bench) {
    let now = bench.now();
    bench.ok(jobs([job("j", "k", now)])).await;
    let lease = bench.lease().await;
    let claimed = bench.claim("k", &lease, 1).await;
    let later = now.plus(MINUTE);
    bench.ok(Commit { jobs: vec![job("j", "k", later)], ..done(&claimed[0]) }).await;
    assert!(bench.claim("k", &lease, 1).await.is_empty());
    assert_eq!(bench.due("k").await, Some(later));
    bench.reopen().await;
    bench.clock.forward(MINUTE);
    let lease = bench.lease().await;
    assert_eq!(ids(&bench.claim("k", &lease, 1).await), ["j"]);
}

async fn a_late_end_does_not_let_go_of_a_newer_claim(bench: Bench) {
    let now = bench.now();
    bench.ok(jobs([job("j", "k", now)])).await;
    let lease = bench.lease().await;
    let slow = bench.claim("k", &lease, 1).await;
    bench.ok(jobs([job("j", "k", now)])).await;
    bench.clock.forward(MINUTE);
    assert_eq!(bench.claim("k", &lease, 1).await.len(), 1, "claimed anew, in its newer rev");
    bench.ok(done(&slow[0])).await;
    assert!(bench.claim("k", &lease, 1).await.is_empty());
}

async fn a_restart_lets_go_of_claims(mut bench: Bench) {
    bench.ok(jobs([job("j", "k", bench.now())])).await;
    let lease = bench.lease().await;
    let before = bench.claim("k", &lease, 1).await;
    bench.reopen().await;
    let lease = bench.lease().await;
    assert_eq!(bench.claim("k", &lease, 1).await, before);
}

async fn what_is_queued_is_told_until_it_is_done(mut bench: Bench) {
    let now = bench.now();
    bench.ok(jobs([job("later", "k", now.plus(MINUTE)), job("now", "k", now)])).await;
    bench.reopen().await;
    let lease = bench.lease().await;
    let claimed = bench.claim("k", &lease, 1).await;
    let told = |queued: Vec<Queued>| -> Vec<(String, Timestamp)> {
        queued.into_iter().map(|one| (one.id, one.run_at)).collect()
    };
    let both = [("now".to_owned(), now), ("later".to_owned(), now.plus(MINUTE))];
    let shard = Shard::of("k");
    assert_eq!(told(bench.store().queued(shard, 10).await.unwrap()), both, "one is in hand");
    assert_eq!(told(bench.store().queued(shard, 1).await.unwrap()), both[..1]);
    bench.ok(done(&claimed[0])).await;
    assert_eq!(told(bench.store().queued(shard, 10).await.unwrap()), both[1..]);
}

async fn next_due_leaves_out_what_is_in_hand(mut bench: Bench) {
    let now = bench.now();
    let (a, b) = neighbours();
    assert_eq!(bench.due(&a).await, None);
    bench
        .ok(jobs([job("a1", &a, now), job("a2", &a, now.plus(MINUTE)), job("b1", &b, now.plus(MINUTE * 2))]))
        .await;
    bench.reopen().await;
    assert_eq!(bench.due(&a).await, Some(now));
    let lease = bench.lease().await;
    let claimed = bench.claim(&a, &lease, 1).await;
    assert_eq!(bench.due(&a).await, Some(now.plus(MINUTE * 2)), "a2 waits for a1");
    bench.ok(done(&claimed[0])).await;
    assert_eq!(bench.due(&a).await, Some(now.plus(MINUTE)));
}

async fn a_lease_has_one_holder_until_it_runs_out(bench: Bench) {
    let take = |who: &'static str| async { bench.store().acquire(&name("l"), who, MINUTE).await.unwrap() };
    let first = take("one").await.unwrap();
    assert_eq!(first.until, bench.now().plus(MINUTE));
    assert_eq!(take("two").await, None);
    assert!(
        bench.store().acquire(&name("m"), "two", MINUTE).await.unwrap().is_some(),
        "another lease is free"
    );
    bench.clock.forward(MINUTE / 2);
    let renewed = bench.store().renew(&first, MINUTE).await.unwrap();
    assert_eq!((renewed.token, renewed.until), (first.token, bench.now().plus(MINUTE)));
    bench.clock.forward(MINUTE / 2);
    assert_eq!(take("two").await, None, "it was held longer");
    bench.clock.forward(MINUTE);
    let second = take("two").await.unwrap();
    assert!(second.token > first.token);
}

async fn tokens_grow_over_restarts(mut bench: Bench) {
    let mut last = FenceToken(0);
    for _ in 0..3 {
        let lease = bench.lease().await;
        assert!(lease.token > last);
        last = lease.token;
        bench.reopen().await;
    }
}

async fn a_lost_lease_fences(mut bench: Bench) {
    let old = bench.store().acquire(&name("l"), "one", MINUTE).await.unwrap().unwrap();
    let under = |lease: &Lease| guarded([Guard::Fence(lease.name.clone(), lease.token)], [put("a", "1")]);
    bench.ok(under(&old)).await;
    bench.clock.forward(MINUTE);
    let new = bench.store().acquire(&name("l"), "two", MINUTE).await.unwrap().unwrap();
    let fenced = CommitError::Fenced { lease: name("l") };
    assert_eq!(bench.store().commit(under(&old)).await, Err(fenced.clone()));
    assert_eq!(bench.store().renew(&old, MINUTE).await, Err(fenced.clone()));
    assert_eq!(bench.store().claim(Shard(0), &old, 1, MINUTE).await, Err(fenced.clone()));
    bench.ok(under(&new)).await;
    bench.store().release(old).await.unwrap();
    bench.ok(under(&new)).await;
    bench.reopen().await;
    assert_eq!(bench.store().commit(under(&new)).await, Err(fenced), "a restart lets go of leases");
}

async fn a_released_lease_fences_and_is_free(bench: Bench) {
    let lease = bench.lease().await;
    bench.store().release(lease.clone()).await.unwrap();
    let late = guarded([Guard::Fence(lease.name.clone(), lease.token)], [put("a", "1")]);
    assert_eq!(bench.store().commit(late).await, Err(CommitError::Fenced { lease: lease.name.clone() }));
    assert!(bench.store().acquire(&lease.name, "other", MINUTE).await.unwrap().is_some());
}

async fn hints_follow_jobs_and_their_ends(bench: Bench) {
    let mut hints = bench.store().hints(Topic::Jobs);
    bench.ok(writes([put("a", "1")])).await;
    assert_eq!(hints.next().now_or_never(), None, "rows are no news");
    bench.ok(jobs([job("j", "k", bench.now())])).await;
    bench.ok(jobs([job("i", "k", bench.now())])).await;
    assert_eq!(hints.next().await, Some(()));
    assert_eq!(hints.next().now_or_never(), None, "two are one");
    let lease = bench.lease().await;
    let claimed = bench.claim("k", &lease, 1).await;
    bench.ok(done(&claimed[0])).await;
    assert_eq!(hints.next().await, Some(()), "the next of the order key can be claimed");
}

async fn commits_at_once_lose_nothing(mut bench: Bench) {
    bench.ok(writes([put("sum", "0")])).await;
    let add = async || loop {
        let (value, at) = bench.get("sum").await.unwrap();
        let next = String::from_utf8(value).unwrap().parse::<u32>().unwrap() + 1;
        match bench.store().commit(guarded([rev("sum", at)], [put("sum", &next.to_string())])).await {
            Ok(seq) => return seq,
            Err(error) => assert_eq!(error, CommitError::Conflict { guard: 0 }),
        }
    };
    let mut seqs = join_all((0..40).map(|_| add())).await;
    seqs.sort();
    seqs.dedup();
    assert_eq!(seqs.len(), 40);
    bench.reopen().await;
    assert_eq!(bench.get("sum").await.unwrap().0, b"40");
}

async fn the_clock_is_the_one_given(bench: Bench) {
    let before = bench.store().now();
    bench.clock.forward(MINUTE);
    assert_eq!(bench.store().now(), before.plus(MINUTE));
}
