use std::fs;

use super::*;
use crate::store::{
    Commit, Key, NewJob, Shard, Store, Table, Write as Change,
    conformance::HandClock,
    sled::{Options, SledStore},
    verify::verify,
};

const ROWS: Table = Table("rows");

fn open(dir: &Path) -> SledStore {
    SledStore::open(Options::new(dir, "test"), HandClock::new()).unwrap()
}

async fn fill(store: &SledStore) {
    for at in 0..30_u8 {
        let commit = Commit {
            writes: (0..40_u8)
                .map(|key| Change::Put(ROWS, Key(vec![at, key]), vec![key; 100 * usize::from(at)]))
                .collect(),
            jobs: vec![NewJob {
                id: format!("job {at}"),
                order_key: "k".to_owned(),
                run_at: store.now(),
                body: vec![at],
            }],
            ..Commit::default()
        };
        store.commit(commit).await.unwrap();
    }
    store.acquire(&crate::store::LeaseName("l".to_owned()), "me", std::time::Duration::ZERO).await.unwrap();
}

fn rows_of(file: &Path) -> Vec<ExportRow> {
    let mut rows = Vec::new();
    let report = read_export(file, |row| {
        rows.push(row);
        Ok(())
    });
    assert_eq!(report.unwrap().rows, rows.len() as u64);
    rows
}

#[tokio::test]
async fn what_is_exported_is_imported_whole() {
    let home = tempfile::tempdir().unwrap();
    let (first, second, file) =
        (home.path().join("first"), home.path().join("second"), home.path().join("out"));
    let store = open(&first);
    fill(&store).await;
    let running = store.export(&file).await.unwrap();
    assert_eq!(running, ExportReport { commit_seq: 31, rows: 30 * 40 + 30 * 2 + 1 });
    let rows = rows_of(&file);
    assert!(matches!(export(&first, &file), Err(ExportError::Open(OpenError::InUse { .. }))));
    store.close().await.unwrap();
    assert_eq!(export(&first, &file).unwrap(), running);
    assert_eq!(rows_of(&file), rows, "at rest and in use it is the same");

    assert_eq!(import(&file, &second).unwrap(), running);
    let report = verify(&second).unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!((report.commit_seq, report.tables["rows"], report.jobs, report.leases), (31, 1_200, 30, 1));
    let store = open(&second);
    let row = store.get(ROWS, &Key(vec![29, 7])).await.unwrap().unwrap();
    assert_eq!((row.value.len(), row.rev), (2_900, Seq(30)));
    assert!(store.next_due(Shard::of("k")).await.unwrap().is_some());
    assert_eq!(store.commit(Commit::default()).await.unwrap(), Seq(32), "commits are numbered on");
    assert!(matches!(import(&file, &second), Err(ExportError::NotEmpty)));
}

#[tokio::test]
async fn a_cut_or_damaged_file_is_refused_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (dir, file, bad) = (home.path().join("a"), home.path().join("out"), home.path().join("bad"));
    let store = open(&dir);
    fill(&store).await;
    store.export(&file).await.unwrap();
    let good = fs::read(&file).unwrap();
    for cut in [0, 5, MAGIC.len(), good.len() / 2, good.len() - 1] {
        fs::write(&bad, &good[..cut]).unwrap();
        assert!(read_export(&bad, |_| Ok(())).is_err(), "cut at {cut}");
    }
    let whole = rows_of(&file);
    for at in (0..good.len()).step_by(good.len() / 50) {
        let mut damaged = good.clone();
        damaged[at] ^= 0x10;
        fs::write(&bad, damaged).unwrap();
        let mut rows = Vec::new();
        let read = read_export(&bad, |row| {
            rows.push(row);
            Ok(())
        });
        assert!(read.is_err() || rows == whole, "a flipped bit at {at} changed what is read");
    }
    fs::write(&bad, &good[..good.len() / 2]).unwrap();
    let target = home.path().join("b");
    assert!(import(&bad, &target).is_err());
    assert!(!target.exists());
}

#[test]
fn there_must_be_a_store_to_export() {
    let home = tempfile::tempdir().unwrap();
    let error = export(home.path(), &home.path().join("out")).unwrap_err().to_string();
    assert!(error.contains("there is none"), "{error}");
    assert!(fs::read_dir(home.path()).unwrap().next().is_none(), "nothing is made");
}
