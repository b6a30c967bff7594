use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use futures_util::{FutureExt, future::join_all};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::files::Sidecar;
use super::*;
use crate::store::{Guard, JobDone, NewJob, Write, conformance::HandClock, verify::verify};

const CURSOR: Table = Table("cursor");
const STATE: Table = Table("state");
const OUTBOX: Table = Table("outbox");

fn options(dir: &Path) -> Options {
    Options { reopen_waits: vec![Duration::from_millis(30); 2], ..Options::new(dir, "test") }
}

fn open(dir: &Path) -> Result<SledStore, OpenError> {
    SledStore::open(options(dir), HandClock::new())
}

fn put(table: Table, key: &str, value: impl Into<Vec<u8>>) -> Write {
    Write::Put(table, Key::of(&[key]), value.into())
}

fn one(write: Write) -> Commit {
    Commit { writes: vec![write], ..Commit::default() }
}

async fn get(store: &SledStore, table: Table, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
    Ok(store.get(table, &Key::of(&[key])).await?.map(|row| row.value))
}

async fn wait_for(store: &SledStore, wanted: fn(&Health) -> bool) {
    let mut health = store.watch_health();
    let reached = health.wait_for(wanted);
    tokio::time::timeout(Duration::from_secs(20), reached).await.expect("the health is reached").unwrap();
}

#[tokio::test]
async fn a_second_opener_is_told_who_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let refused = open(dir.path()).err().unwrap();
    assert_eq!(refused, OpenError::InUse { dir: dir.path().to_owned(), pid: Some(std::process::id()) });
    let words = format!("another handoffd uses this directory (pid {})", std::process::id());
    assert!(refused.to_string().contains(&words), "{refused}");
    assert!(matches!(verify(dir.path()), Err(OpenError::InUse { .. })));
    store.close().await.unwrap();
    assert!(matches!(store.commit(Commit::default()).await, Err(CommitError::Unavailable { .. })));
    open(dir.path()).unwrap().close().await.unwrap();
}

#[tokio::test]
async fn a_failed_write_is_not_certain_and_the_store_comes_back() {
    for (fault, words) in [
        (WriteFault::Apply, "a test asked for it"),
        (WriteFault::Flush, "a test asked for it"),
        (WriteFault::Full, "the disk is full"),
        (WriteFault::Panic, "sled panicked"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).unwrap();
        store.commit(one(put(STATE, "a", "1"))).await.unwrap();
        store.fail_next_write(fault).await.unwrap();
        let failed = store.commit(one(put(STATE, "b", "2"))).await;
        assert!(matches!(failed, Err(CommitError::Indeterminate { .. })), "{fault:?}: {failed:?}");
        wait_for(&store, |health| matches!(health, Health::Reopening { .. } | Health::Ready)).await;
        if let Health::Reopening { why, failures } = store.health() {
            assert!(why.contains(words) && failures == 1, "{fault:?}: {why}");
            let refused = store.commit(one(put(STATE, "c", "3"))).await;
            assert!(matches!(refused, Err(CommitError::Unavailable { .. })), "{refused:?}");
        }
        wait_for(&store, |health| *health == Health::Ready).await;
        assert_eq!(get(&store, STATE, "a").await.unwrap().unwrap(), b"1", "{fault:?}");
        let landed = get(&store, STATE, "b").await.unwrap();
        assert!(landed.is_none() || fault == WriteFault::Flush, "{fault:?}");
        assert_eq!(get(&store, STATE, "c").await.unwrap(), None);
        store.commit(one(put(STATE, "c", "4"))).await.unwrap();
        store.close().await.unwrap();
        assert!(verify(dir.path()).unwrap().ok);
    }
}

#[tokio::test]
async fn three_failures_in_a_row_are_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    for _ in 0..3 {
        wait_for(&store, |health| *health == Health::Ready).await;
        store.fail_next_write(WriteFault::Apply).await.unwrap();
        let failed = store.commit(one(put(STATE, "a", "1"))).await;
        assert!(matches!(failed, Err(CommitError::Indeterminate { .. })), "{failed:?}");
        wait_for(&store, |health| *health != Health::Ready).await;
    }
    wait_for(&store, |health| matches!(health, Health::Failed { .. })).await;
    assert!(store.health().to_string().contains("handoffd store verify"));
    let refused = store.commit(Commit::default()).await;
    assert!(matches!(refused, Err(CommitError::Unavailable { why }) if why.contains("for good")));
    assert!(store.close().await.is_err(), "it was not closed cleanly");
    let store = open(dir.path()).unwrap();
    assert!(!store.checked_at_start().unwrap().closed_cleanly);
}

#[tokio::test]
async fn a_lease_whose_token_may_not_be_kept_is_not_held() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let minute = Duration::from_secs(60);
    store.fail_next_write(WriteFault::Flush).await.unwrap();
    let lease = store.acquire(&LeaseName("l".into()), "me", minute).await;
    assert!(matches!(lease, Err(CommitError::Indeterminate { .. })), "{lease:?}");
    wait_for(&store, |health| *health == Health::Ready).await;
    assert!(store.acquire(&LeaseName("l".into()), "another", minute).await.unwrap().is_some());
}

#[tokio::test]
async fn readers_wait_for_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let shared = Shared::new(engine::Engine::open(dir.path(), 1 << 20).unwrap(), Seq(3));
    assert_eq!(shared.on_disk(Seq(3)).await, Ok(()));
    let mut four = Box::pin(shared.on_disk(Seq(4)));
    let mut five = Box::pin(shared.on_disk(Seq(5)));
    assert_eq!((&mut four).now_or_never(), None);
    assert_eq!((&mut five).now_or_never(), None);
    shared.durable.send_modify(|durable| durable.seq = Seq(4));
    assert_eq!(four.await, Ok(()));
    assert_eq!((&mut five).now_or_never(), None);
    shared.failing(Health::Failed { why: "w".to_owned() });
    let given_up = five.now_or_never();
    assert!(matches!(given_up, Some(Err(ReadError::Unavailable { .. }))), "{given_up:?}");
    let late = shared.on_disk(Seq(9)).now_or_never();
    assert!(matches!(late, Some(Err(ReadError::Unavailable { .. }))), "nobody waits on a failed store");
}

#[tokio::test]
async fn the_ballast_is_freed_when_the_disk_is_full_and_made_again_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(
        Options { reopen_waits: vec![Duration::from_millis(500)], ..options(dir.path()) },
        HandClock::new(),
    )
    .unwrap();
    let ballast = dir.path().join("ballast");
    assert_eq!(fs::metadata(&ballast).unwrap().len(), 4 << 20);
    store.fail_next_write(WriteFault::Full).await.unwrap();
    store.commit(Commit::default()).await.unwrap_err();
    wait_for(&store, |health| *health != Health::Ready).await;
    assert!(!ballast.exists());
    wait_for(&store, |health| *health == Health::Ready).await;
    store.commit(Commit::default()).await.unwrap();
    assert!(!ballast.exists(), "the room is for the commits now");
    store.close().await.unwrap();
    let _store = open(dir.path()).unwrap();
    assert!(ballast.exists());
}

#[tokio::test]
async fn a_lost_end_is_said_with_both_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    for at in 0..5 {
        store.commit(one(put(STATE, "a", [at]))).await.unwrap();
    }
    store.close().await.unwrap();
    let sidecar = Sidecar { commit_seq: 9, clean: false, wall: Timestamp(0) };
    files::write_sidecar(dir.path(), &sidecar).unwrap();
    let refused = open(dir.path()).err().unwrap();
    assert_eq!(refused, OpenError::TailLost { dir: dir.path().to_owned(), sidecar: 9, head: 5 });
    let words = refused.to_string();
    assert!(
        words.contains("commit 9 was on disk, the log ends at 5") && words.contains("restore"),
        "{words}"
    );
    let report = verify(dir.path()).unwrap();
    assert!(report.tail_lost && !report.ok);
    let accepting = Options { accept_damage: true, ..options(dir.path()) };
    let store = SledStore::open(accepting, HandClock::new()).unwrap();
    assert_eq!(store.commit(Commit::default()).await.unwrap(), Seq(6));
    store.close().await.unwrap();
    open(dir.path()).unwrap();
}

#[tokio::test]
async fn the_sidecar_follows_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let clock = HandClock::new();
    let quick = Options { sidecar_every: Duration::from_millis(50), ..options(dir.path()) };
    let store = SledStore::open(quick, clock.clone()).unwrap();
    store.commit(one(put(STATE, "a", "1"))).await.unwrap();
    assert_eq!(files::read_sidecar(dir.path()).unwrap().unwrap().commit_seq, 0);
    clock.forward(Duration::from_secs(1));
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if files::read_sidecar(dir.path()).unwrap().unwrap().commit_seq == 1 {
            break;
        }
    }
    let wanted = Sidecar { commit_seq: 1, clean: false, wall: clock.now() };
    assert_eq!(files::read_sidecar(dir.path()), Ok(Some(wanted.clone())), "an idle store says it too");
    store.close().await.unwrap();
    assert_eq!(files::read_sidecar(dir.path()), Ok(Some(Sidecar { clean: true, ..wanted })));
}

#[tokio::test]
async fn a_row_that_goes_missing_or_back_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    for at in 0..20 {
        store.commit(one(put(STATE, &format!("{at}"), "new"))).await.unwrap();
    }
    store.close().await.unwrap();
    let key = keys::row(STATE, &Key::of(&["7"]));
    let cases = [
        ("19 rows are there, 20 were written", None),
        ("one of them is not the one", Some(codec::encode(&key, Seq(1), b"old"))),
        (
            r#"table "state" key "7": the checksum does not match"#,
            Some(codec::encode(b"else", Seq(8), b"new")),
        ),
    ];
    for (words, stored) in cases {
        let engine = engine::Engine::open(dir.path(), 1 << 20).unwrap();
        engine.load(BTreeMap::from([(key.clone(), stored)])).unwrap();
        engine.close().unwrap();
        let report = verify(dir.path()).unwrap();
        assert!(
            !report.ok && report.findings.iter().any(|found| found.to_string().contains(words)),
            "{report:?}"
        );
        let refused = open(dir.path()).err().unwrap();
        assert!(refused.to_string().contains("handoffd store verify"), "{refused}");
    }
}

#[tokio::test]
async fn an_admin_can_go_on_with_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let job = |id: &str| NewJob { id: id.into(), order_key: "k".into(), run_at: store.now(), body: vec![1] };
    for at in 0..4 {
        let jobs = vec![job(&format!("job{at}"))];
        store.commit(Commit { jobs, ..one(put(STATE, &at.to_string(), "x")) }).await.unwrap();
    }
    let run_at = store.now();
    store.close().await.unwrap();
    let queued = |at: u32| keys::queued(Shard::of("k"), run_at, &format!("job{at}"));
    let engine = engine::Engine::open(dir.path(), 1 << 20).unwrap();
    let damage = BTreeMap::from([
        (keys::row(STATE, &Key::of(&["0"])), Some(b"nonsense".to_vec())),
        (keys::job("job1"), None),
        (queued(2), None),
        (keys::HEAD.to_vec(), Some(b"nonsense".to_vec())),
    ]);
    engine.load(damage).unwrap();
    engine.close().unwrap();

    assert!(matches!(open(dir.path()), Err(OpenError::Damaged { .. })));
    let accepting = Options { accept_damage: true, ..options(dir.path()) };
    let store = SledStore::open(accepting, HandClock::new()).unwrap();
    assert_eq!(get(&store, STATE, "0").await, Ok(None));
    assert_eq!(get(&store, STATE, "1").await, Ok(Some(b"x".to_vec())));
    let lease = store.acquire(&LeaseName("l".into()), "me", Duration::from_secs(60)).await.unwrap().unwrap();
    let mut left = Vec::new();
    while let [claimed] = &store.claim(Shard::of("k"), &lease, 1, Duration::from_secs(60)).await.unwrap()[..]
    {
        left.push(claimed.job.id.clone());
        let done = vec![JobDone { id: claimed.job.id.clone(), rev: claimed.rev }];
        store.commit(Commit { done, ..Commit::default() }).await.unwrap();
    }
    assert_eq!(left, ["job0", "job2", "job3"]);
    store.close().await.unwrap();
    let report = verify(dir.path()).unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!(report.commit_seq, 4 + 1 + 3, "commits are numbered on from what is left");
    open(dir.path()).unwrap();
}

#[tokio::test]
async fn long_values_stay_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let mut noise = ChaCha8Rng::seed_from_u64(1);
    for at in 0..300 {
        let mut value = vec![0; codec::VALUE_BYTES_MAX];
        noise.fill(&mut value[..]);
        store.commit(one(put(STATE, &format!("{at:04}"), value))).await.unwrap();
    }
    store.close().await.unwrap();
    let outside = fs::read_dir(dir.path().join("sled/blobs")).map_or(0, Iterator::count);
    assert_eq!(outside, 0, "sled does not sync the files that it puts there");
}

#[tokio::test]
async fn readers_and_writers_at_once_do_not_stop_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()).unwrap());
    let lease = store.acquire(&LeaseName("l".into()), "me", Duration::from_secs(60)).await.unwrap().unwrap();
    let work = (0..64).map(|at: usize| {
        let (store, lease) = (Arc::clone(&store), lease.clone());
        tokio::spawn(async move {
            for round in 0..20 {
                let id = format!("{at}-{round}");
                let job = NewJob { id: id.clone(), order_key: id.clone(), run_at: store.now(), body: vec![] };
                let commit = Commit {
                    guards: vec![Guard::Fence(lease.name.clone(), lease.token)],
                    jobs: vec![job],
                    ..one(put(STATE, &id, "x"))
                };
                store.commit(commit).await.unwrap();
                assert_eq!(get(&store, STATE, &id).await.unwrap().unwrap(), b"x");
                store.page(STATE, &Key(vec![]), None, 50).await.unwrap();
                store.claim(Shard::of(&id), &lease, 5, Duration::from_secs(60)).await.unwrap();
            }
        })
    });
    let all =
        tokio::time::timeout(Duration::from_secs(60), join_all(work)).await.expect("nobody waits for ever");
    all.into_iter().for_each(|done| done.unwrap());
}

/// Flips one bit at many places of the log of a store that was closed.
#[tokio::test]
async fn a_flipped_bit_is_never_a_wrong_value() {
    let home = tempfile::tempdir().unwrap();
    let sound = home.path().join("sound");
    let store = open(&sound).unwrap();
    // Several segments: sled's answer to damage depends on where in the log it lies.
    let mut noise = ChaCha8Rng::seed_from_u64(2);
    for at in 0..250_usize {
        let mut value = vec![0; 1_000 + at * 12];
        noise.fill(&mut value[..]);
        let rows = (0..10).map(|row| put(STATE, &format!("{:03}", (at * 7 + row) % 500), value.clone()));
        store.commit(Commit { writes: rows.collect(), ..Commit::default() }).await.unwrap();
    }
    store.close().await.unwrap();
    let wanted = rows(&sound).await.unwrap();
    let log = fs::read(sound.join("sled/db")).unwrap();
    let used = log.iter().rposition(|byte| *byte != 0).unwrap();
    let mut seen = BTreeMap::<&str, u32>::new();
    for trial in 0..24 {
        let dir = home.path().join(format!("trial{trial}"));
        copy(&sound, &dir);
        let at = used * trial / 23;
        let mut damaged = log.clone();
        damaged[at] ^= 1 << (trial % 8);
        fs::write(dir.join("sled/db"), damaged).unwrap();
        let outcome = match (verify(&dir), rows(&dir).await) {
            (Err(OpenError::Damaged { .. } | OpenError::Io { .. }), _) => "does not open",
            (Ok(report), _) if !report.ok => "found",
            (Ok(_), Ok(rows)) if rows == wanted => "unaffected",
            (verified, rows) => {
                panic!("trial {trial} at {at}: {verified:?}, read {:?}", rows.map(|rows| rows.len()))
            }
        };
        *seen.entry(outcome).or_default() += 1;
    }
    assert!(seen.len() > 1, "the flips must reach something: {seen:?}");
}

async fn rows(dir: &Path) -> Result<Vec<(Key, Vec<u8>)>, String> {
    let store = open(dir).map_err(|error| error.to_string())?;
    let page = store.page(STATE, &Key(vec![]), None, 1_000).await.map_err(|error| error.to_string())?;
    store.close().await.map_err(|error| error.to_string())?;
    Ok(page.rows.into_iter().map(|(key, row)| (key, row.value)).collect())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

const CHILD_DIR: &str = "HANDOFFD_TEST_STORE_DIR";
const OUTBOX_WINDOW: u64 = 5;

/// What the killed process writes as commit `at`: the cursor, a state that is
/// written over and over, one outbox row in and one out.
fn step(at: u64) -> Commit {
    let mut writes = vec![
        put(CURSOR, "cursor", at.to_string()),
        put(STATE, &(at % 7).to_string(), format!("{at} {}", "s".repeat((at % 50) as usize * 40))),
        put(OUTBOX, &format!("{at:08}"), at.to_string()),
    ];
    if let Some(out) = at.checked_sub(OUTBOX_WINDOW) {
        writes.push(Write::Delete(OUTBOX, Key::of(&[&format!("{out:08}")])));
    }
    Commit { writes, ..Commit::default() }
}

/// Not a test of its own: the process that [`a_killed_process_loses_nothing_it_acknowledged`] kills.
#[tokio::test]
#[ignore = "run by the test that kills it"]
async fn child_that_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let store = Arc::new(open(Path::new(&dir)).unwrap());
    let begun = get(&store, CURSOR, "cursor").await.unwrap();
    let begun: u64 = begun.map_or(0, |cursor| String::from_utf8(cursor).unwrap().parse().unwrap());
    for at in begun + 1.. {
        // Several at once share a flush; one thread queues them in order.
        let noise = store.commit(one(put(STATE, "noise", at.to_string())));
        let (done, _) = futures_util::future::join(store.commit(step(at)), noise).await;
        done.unwrap();
        println!("acked {at}");
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut acked = 0;
    for round in 0..10 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::sled::tests::child_that_is_killed", "--ignored", "--nocapture"])
            .env(CHILD_DIR, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut acks = said
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.split("acked ").nth(1)?.trim().parse::<u64>().ok());
        // Every fourth is killed while it opens what the one before left.
        let written = if round % 4 == 3 { 0 } else { random.random_range(1..200) };
        acked = acks.by_ref().take(written).last().unwrap_or(acked);
        std::thread::sleep(Duration::from_millis(random.random_range(0..25)));
        child.kill().unwrap();
        child.wait().unwrap();
        acked = acks.last().unwrap_or(acked);

        let store = open(dir.path()).unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert!(store.checked_at_start().unwrap().ok);
        let cursor = get(&store, CURSOR, "cursor").await.unwrap();
        let cursor: u64 = cursor.map_or(0, |cursor| String::from_utf8(cursor).unwrap().parse().unwrap());
        assert!(cursor >= acked, "round {round}: {acked} was acknowledged, {cursor} is there");
        let outbox = store.page(OUTBOX, &Key(vec![]), None, 100).await.unwrap();
        let outbox: Vec<_> =
            outbox.rows.iter().map(|(key, _)| key.parts()[0].parse::<u64>().unwrap()).collect();
        let first = (cursor + 1).saturating_sub(OUTBOX_WINDOW).max(1);
        assert_eq!(outbox, (first..=cursor).collect::<Vec<_>>(), "round {round}");
        for at in first..=cursor {
            let Some(Write::Put(_, key, value)) = step(at).writes.into_iter().nth(1) else { unreachable!() };
            assert_eq!(
                store.get(STATE, &key).await.unwrap().unwrap().value,
                value,
                "round {round} commit {at}"
            );
        }
        store.close().await.unwrap();
    }
    assert!(acked > 50, "the rounds must write something: {acked}");
}
